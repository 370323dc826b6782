/*
 * containers/number.h: what reading and writing numbers share: a product of 128 bits, the powers of
 * ten, and the text of numbers. For str, builder and their tests through them; nothing is public.
 */
#ifndef EBB_CONTAINERS_NUMBER_H
#define EBB_CONTAINERS_NUMBER_H

#include <stddef.h>
#include <stdint.h>

typedef struct wide {
    uint64_t hi, lo;
} wide;

#if defined(__SIZEOF_INT128__)
static inline wide wide_product(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 uint128;
    uint128 p = (uint128)a * b;
    return (wide){(uint64_t)(p >> 64), (uint64_t)p};
}
#else
/* By halves, as on paper. */
static inline wide wide_product(uint64_t a, uint64_t b)
{
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t low = a0 * b0, middle = a1 * b0 + (low >> 32), other = a0 * b1 + (uint32_t)middle;
    return (wide){a1 * b1 + (middle >> 32) + (other >> 32), (other << 32) | (uint32_t)low};
}
#endif

/* powers.c: 5^q, scaled so that its highest bit is bit 127. Those with q up to 55 are exact when
   q >= 0; the others are cut off (q > 0), or one more than that (q < 0). */
enum { POWER_LEAST = -342, POWER_MOST = 324, POWER_EXACT = 55 };
extern const wide ebb__powers[POWER_MOST - POWER_LEAST + 1];

static inline wide power_of_ten(int q)
{
    return ebb__powers[q - POWER_LEAST];
}

/* A double: sign, 11 bits of exponent, 52 of fraction. */
enum { FRACTION_BITS = 52, EXPONENT_BIAS = 1023, EXPONENT_MOST = 0x7ff };
#define HIDDEN_BIT ((uint64_t)1 << FRACTION_BITS)
#define SIGN_BIT   ((uint64_t)1 << 63)

/* format.c */
enum { U64_TEXT = 20, DOUBLE_TEXT = 32 }; /* the longest text */
size_t ebb__u64_text(char *to, uint64_t value);
size_t ebb__double_text(char *to, double value);

#endif /* EBB_CONTAINERS_NUMBER_H */
