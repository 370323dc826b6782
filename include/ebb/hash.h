/*
 * ebb/hash.h: the hashes of maps and sets, for user key types too. Not for files or the network:
 * the values differ between processes' seeds and may differ between versions of the library.
 *
 * Hashes are 64 bits, good in all of them, and depend on a seed. A map's seed comes from where its
 * arena lies, which whoever sends its keys does not know; to be independent of address-space
 * randomisation give it one from the system's entropy (see map_of.h).
 */
#ifndef EBB_HASH_H
#define EBB_HASH_H

#include <ebb/base.h>

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Hash @size bytes at @data (borrowed) with XXH3 of xxHash. Cost: a call, and O(@size). */
EBB_API uint64_t ebb_hash_long(const void *data, size_t size, uint64_t seed);

/* Odd, with as many ones as zeros, none of them regular: the golden ratio's digits, and those of
   wyhash (Wang Yi), whose way with short strings this is. */
#define EBB__HASH_A 0x9e3779b97f4a7c15u
#define EBB__HASH_B 0xe7037ed1a0b428dbu

/* The 128-bit product, folded: each bit of either half depends on all bits of both. */
static inline uint64_t ebb__hash_fold(uint64_t a, uint64_t b)
{
#if defined(__SIZEOF_INT128__)
    __extension__ typedef unsigned __int128 ebb__u128;
    ebb__u128 product = (ebb__u128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t low = al * bl, mid1 = ah * bl, mid2 = al * bh, high = ah * bh;
    uint64_t mid = (low >> 32) + (uint32_t)mid1 + (uint32_t)mid2;
    high += (mid1 >> 32) + (mid2 >> 32) + (mid >> 32);
    return (mid << 32 | (uint32_t)low) ^ high;
#endif
}

/** Hash an integer. Cost: one multiplication. */
static inline uint64_t ebb_hash_u64(uint64_t value, uint64_t seed)
{
    return ebb__hash_fold(value ^ seed, EBB__HASH_A);
}

/** Hash what two hashes stand for, in that order; for keys of several fields. */
static inline uint64_t ebb_hash_pair(uint64_t first, uint64_t second)
{
    return ebb__hash_fold(first ^ EBB__HASH_B, second ^ EBB__HASH_A);
}

static inline uint64_t ebb__load64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t ebb__load32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* 4 to 16 bytes as two words, from four that overlap: with no branch for how many there are, which
   the processor could not foresee. */
static inline uint64_t ebb__head(const char *p, size_t size)
{
    return ebb__load32(p) << 32 | ebb__load32(p + (size >> 3 << 2));
}

static inline uint64_t ebb__tail(const char *p, size_t size)
{
    const char *last = p + size - 4;
    return ebb__load32(last) << 32 | ebb__load32(last - (size >> 3 << 2));
}

/* Up to 16 bytes; the size tells a 0 from none. */
static inline uint64_t ebb__hash_short(const char *p, size_t size, uint64_t seed)
{
    uint64_t a = 0, b = 0;
    if (EBB_LIKELY(size >= 4)) {
        a = ebb__head(p, size);
        b = ebb__tail(p, size);
    } else if (size > 0) {
        a = (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[size / 2] << 8 |
            (unsigned char)p[size - 1];
    }
    return ebb__hash_fold(ebb__hash_fold(a ^ seed, b ^ EBB__HASH_B) ^ size, EBB__HASH_A);
}

/** Hash the bytes of @s (borrowed). Cost: up to 16 bytes inline, else ebb_hash_long. */
static inline uint64_t ebb_hash_str(ebb_str s, uint64_t seed)
{
    if (EBB_LIKELY(s.len <= 16)) return ebb__hash_short(s.ptr, s.len, seed);
    return ebb_hash_long(s.ptr, s.len, seed);
}

/* Whether the same bytes: keys are mostly short, and a call of memcmp costs more than these. */
static inline bool ebb__same_bytes(ebb_str a, ebb_str b)
{
    size_t n = a.len;
    if (n != b.len) return false;
    if (n > 16) return memcmp(a.ptr, b.ptr, n) == 0;
    if (EBB_LIKELY(n >= 4))
        return ebb__head(a.ptr, n) == ebb__head(b.ptr, n) &&
               ebb__tail(a.ptr, n) == ebb__tail(b.ptr, n);
    for (size_t i = 0; i < n; i++)
        if (a.ptr[i] != b.ptr[i]) return false;
    return true;
}

#ifdef __cplusplus
}
#endif
#endif /* EBB_HASH_H */
