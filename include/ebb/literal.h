/*
 * ebb/literal.h: the hash of a string literal, folded to a constant by the compiler. For intern.h
 * and words.h; who only interns never sees it.
 *
 * It is XXH3's 64 bits without a seed (Yann Collet, xxHash, specification 0.8), written for
 * folding: bytes are read one by one and products are taken in halves, so that gcc and clang turn
 * it into one constant at -O1 and above. Without optimisation it is computed at run time, slowly,
 * with the same result. Lengths above 128 are left to the library (ebb_hash_long).
 */
#ifndef EBB_LITERAL_H
#define EBB_LITERAL_H

#include "hash.h"

#ifdef __cplusplus
extern "C" {
#endif

#if EBB_GNUC
#define EBB__FOLD __attribute__((always_inline, unused)) static inline
#else
#define EBB__FOLD static inline
#endif

/** The longest literal whose hash is folded. */
#define EBB__FOLD_MAX 128

/* The first words of XXH3's default secret. */
EBB__FOLD uint64_t ebb__fold_secret(unsigned i)
{
    static const uint64_t secret[] = {
        0xbe4ba423396cfeb8u, 0x1cad21f72c81017cu, 0xdb979083e96dd4deu, 0x1f67b3b7a4a44072u,
        0x78e5c0cc4ee679cbu, 0x2172ffcc7dd05a82u, 0x8e2443f7744608b8u, 0x4c263a81e69035e0u,
        0xcb00c391bb52283cu, 0xa32e531b8b65d088u, 0x4ef90da297486471u, 0xd8acdea946ef1938u,
        0x3f349ce33f76faa8u, 0x1d4f0bc7c7bbdcf9u, 0x3159b4cd4be0518au, 0x647378d9c97e9fc8u,
    };
    return secret[i];
}

EBB__FOLD uint64_t ebb__fold_read32(const char *p)
{
    return (uint64_t)(unsigned char)p[0] | (uint64_t)(unsigned char)p[1] << 8 |
           (uint64_t)(unsigned char)p[2] << 16 | (uint64_t)(unsigned char)p[3] << 24;
}

EBB__FOLD uint64_t ebb__fold_read64(const char *p)
{
    return ebb__fold_read32(p) | ebb__fold_read32(p + 4) << 32;
}

EBB__FOLD uint64_t ebb__fold_swap64(uint64_t x)
{
    x = (x & 0x00ff00ff00ff00ffu) << 8 | (x >> 8 & 0x00ff00ff00ff00ffu);
    x = (x & 0x0000ffff0000ffffu) << 16 | (x >> 16 & 0x0000ffff0000ffffu);
    return x << 32 | x >> 32;
}

EBB__FOLD uint64_t ebb__fold_rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

/* The upper and the lower half of a product, by exclusive or. */
EBB__FOLD uint64_t ebb__fold_multiply(uint64_t a, uint64_t b)
{
    uint64_t low = (a & 0xffffffffu) * (b & 0xffffffffu), high = (a >> 32) * (b >> 32);
    uint64_t mid1 = (a >> 32) * (b & 0xffffffffu), mid2 = (a & 0xffffffffu) * (b >> 32);
    uint64_t carry = (low >> 32) + (mid1 & 0xffffffffu) + mid2;
    uint64_t upper = high + (mid1 >> 32) + (carry >> 32);
    return upper ^ (carry << 32 | (low & 0xffffffffu));
}

EBB__FOLD uint64_t ebb__fold_finish(uint64_t h)
{
    h = (h ^ h >> 37) * 0x165667919e3779f9u;
    return h ^ h >> 32;
}

/* XXH64's, for the shortest. */
EBB__FOLD uint64_t ebb__fold_finish_short(uint64_t h)
{
    h = (h ^ h >> 33) * 0xc2b2ae3d27d4eb4fu;
    h = (h ^ h >> 29) * 0x165667b19e3779f9u;
    return h ^ h >> 32;
}

EBB__FOLD uint64_t ebb__fold_1_to_3(const char *p, size_t n)
{
    uint64_t first = (unsigned char)p[0], mid = (unsigned char)p[n >> 1];
    uint64_t all = first << 16 | mid << 24 | (unsigned char)p[n - 1] | (uint64_t)n << 8;
    uint64_t flip = (ebb__fold_secret(0) ^ ebb__fold_secret(0) >> 32) & 0xffffffffu;
    return ebb__fold_finish_short(all ^ flip);
}

EBB__FOLD uint64_t ebb__fold_4_to_8(const char *p, size_t n)
{
    uint64_t h = ebb__fold_read32(p + n - 4) + (ebb__fold_read32(p) << 32);
    h ^= ebb__fold_secret(1) ^ ebb__fold_secret(2);
    h ^= ebb__fold_rotate(h, 49) ^ ebb__fold_rotate(h, 24);
    h *= 0x9fb21c651e98df25u;
    h ^= (h >> 35) + (uint64_t)n;
    h *= 0x9fb21c651e98df25u;
    return h ^ h >> 28;
}

EBB__FOLD uint64_t ebb__fold_9_to_16(const char *p, size_t n)
{
    uint64_t low = ebb__fold_read64(p) ^ ebb__fold_secret(3) ^ ebb__fold_secret(4);
    uint64_t high = ebb__fold_read64(p + n - 8) ^ ebb__fold_secret(5) ^ ebb__fold_secret(6);
    uint64_t h = (uint64_t)n + ebb__fold_swap64(low) + high + ebb__fold_multiply(low, high);
    return ebb__fold_finish(h);
}

EBB__FOLD uint64_t ebb__fold_mix(const char *p, unsigned at)
{
    return ebb__fold_multiply(ebb__fold_read64(p) ^ ebb__fold_secret(at),
                              ebb__fold_read64(p + 8) ^ ebb__fold_secret(at + 1));
}

EBB__FOLD uint64_t ebb__fold_17_to_128(const char *p, size_t n)
{
    uint64_t h = (uint64_t)n * 0x9e3779b185ebca87u;
    if (n > 96) h += ebb__fold_mix(p + 48, 12) + ebb__fold_mix(p + n - 64, 14);
    if (n > 64) h += ebb__fold_mix(p + 32, 8) + ebb__fold_mix(p + n - 48, 10);
    if (n > 32) h += ebb__fold_mix(p + 16, 4) + ebb__fold_mix(p + n - 32, 6);
    h += ebb__fold_mix(p, 0) + ebb__fold_mix(p + n - 16, 2);
    return ebb__fold_finish(h);
}

/* The hash of the @n bytes of the literal @p. */
EBB__FOLD uint64_t ebb__fold_hash(const char *p, size_t n)
{
    if (n == 0) return ebb__fold_finish_short(ebb__fold_secret(7) ^ ebb__fold_secret(8));
    if (n <= 3) return ebb__fold_1_to_3(p, n);
    if (n <= 8) return ebb__fold_4_to_8(p, n);
    if (n <= 16) return ebb__fold_9_to_16(p, n);
    if (n <= EBB__FOLD_MAX) return ebb__fold_17_to_128(p, n);
    return ebb_hash_long(p, n, 0);
}

#ifdef __cplusplus
}
#endif
#endif /* EBB_LITERAL_H */
