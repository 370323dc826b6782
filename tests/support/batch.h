/*
 * tests/support/batch.h: what the tests of ebb/batch.h share: each body in turn, memory that ends where
 * nothing may be read, and UTF-8 looked at in another way than the library does.
 */
#ifndef EBB_TESTS_SUPPORT_BATCH_H
#define EBB_TESTS_SUPPORT_BATCH_H

#include <ebb/batch.h>

#include <string.h>
#include <sys/mman.h>

/* for (BODIES(simd)) ...: with each body that this machine has. */
#define BODIES(simd)                                                                               \
    ebb_simd simd = EBB_SIMD_SCALAR;                                                               \
    simd <= EBB_SIMD_NEON;                                                                         \
    simd = (ebb_simd)(simd + 1)) if (ebb_simd_set(simd)

/* Bytes between two pages that can't be touched. */
typedef struct guarded {
    char *first, *last; /* the first byte, and behind the last */
    char *mapped;
    size_t mapped_size;
} guarded;

enum { GUARD = 1 << 16 }; /* a multiple of every page size */

static inline bool guarded_init(guarded *g, size_t size)
{
    size_t inner = (size + GUARD - 1) / GUARD * GUARD;
    g->mapped_size = inner + 2 * (size_t)GUARD;
    g->mapped = mmap(NULL, g->mapped_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g->mapped == MAP_FAILED) return false;
    g->first = g->mapped + GUARD;
    g->last = g->first + inner;
    return mprotect(g->first, inner, PROT_READ | PROT_WRITE) == 0;
}

static inline void guarded_fini(guarded *g)
{
    munmap(g->mapped, g->mapped_size);
}

/* How long the character at p is, decoded and then judged; 0: it is not well-formed. */
static inline size_t plain_character(const unsigned char *p, size_t n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = p[0] < 0x80             ? 1
                    : (p[0] & 0xe0) == 0xc0 ? 2
                    : (p[0] & 0xf0) == 0xe0 ? 3
                    : (p[0] & 0xf8) == 0xf0 ? 4
                                            : 0;
    if (length < 2) return length;
    uint32_t code = p[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (i >= n || (p[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (p[i] & 0x3fu);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < least[length] || code > 0x10ffff || surrogate ? 0 : length;
}

static inline size_t plain_utf8_error(const unsigned char *p, size_t n)
{
    size_t i = 0;
    for (size_t length; i < n && (length = plain_character(p + i, n - i)) > 0;) i += length;
    return i;
}

/* Write the character, well-formed or not; return its length. */
static inline size_t put_character(unsigned char *p, uint32_t code)
{
    if (code < 0x80) return p[0] = (unsigned char)code, 1;
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length; i-- > 1; code >>= 6) p[i] = (unsigned char)(0x80 | (code & 0x3f));
    p[0] = (unsigned char)((0xf00u >> length) | code);
    return length;
}

static inline ebb_str str_of(const void *p, size_t n)
{
    return (ebb_str){p, n};
}

#endif /* EBB_TESTS_SUPPORT_BATCH_H */
