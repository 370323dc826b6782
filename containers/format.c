/*
 * containers/format.c: the text of numbers.
 *
 * Integers: two digits at a time from a table. Doubles: Raffaello Giulietti's Schubfach ("The
 * Schubfach way to render doubles", 2020): of the decimals that lie in the interval which rounds to
 * the double, the shortest, and of those the nearest. Exact, by three products of 64 x 128 bits.
 *
 * Rounding mode and locale play no part.
 */
#include "number.h"

#include <string.h>

/* ---- integers -------------------------------------------------------------------------------- */

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

static unsigned digits_of(uint64_t value)
{
    /* clang-format off */
    static const uint64_t least[] = { /* of one digit more; that 0 has one is its first entry */
        0, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u,
        10000000000u, 100000000000u, 1000000000000u, 10000000000000u, 100000000000000u,
        1000000000000000u, 10000000000000000u, 100000000000000000u, 1000000000000000000u,
        10000000000000000000u};
    /* clang-format on */
    /* 1233 / 4096 is log10(2), near enough for 64 bits (Warren, Hacker's Delight, 11-4). */
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1), about = (bits * 1233) >> 12;
    return about + (value >= least[about]);
}

/* Write `count` digits, zeros before them where it has fewer. */
static void write_digits(char *to, uint64_t value, unsigned count)
{
    char *at = to + count;
    for (; count >= 2; count -= 2) {
        at -= 2;
        memcpy(at, &pairs[value % 100 * 2], 2);
        value /= 100;
    }
    if (count) at[-1] = (char)('0' + value % 10);
}

size_t ebb__u64_text(char *to, uint64_t value)
{
    unsigned count = digits_of(value);
    write_digits(to, value, count);
    return count;
}

/* ---- doubles --------------------------------------------------------------------------------- */

typedef struct decimal {
    uint64_t digits;
    int exponent; /* of ten */
} decimal;

/* floor(log2(10^e)), for |e| <= 1233; its constant is 2^19 log2(10). */
static int log2_of_power(int e)
{
    return (int)(((int64_t)e * 1741647) >> 19);
}

/* floor(log10(2^e)); three quarters of that where the neighbour below is nearer by half.
   1262611 is 2^22 log10(2), 524031 is 2^22 log10(4/3). */
static int log10_of_power(int e, int closer)
{
    return (int)(((int64_t)e * 1262611 - (closer ? 524031 : 0)) >> 22);
}

/* The high 64 bits of g * c / 2^64; the lowest of them is 1 if anything lies below it. */
static uint64_t round_to_odd(wide g, uint64_t c)
{
    uint64_t below = wide_product(g.lo, c).hi;
    wide p = wide_product(g.hi, c);
    uint64_t low = p.lo + below;
    return (p.hi + (low < below)) | (low > 1);
}

/* The interval's ends are in it if the fraction is even. All of it times four, so that halves of
   units are whole. */
static decimal shortest(uint64_t c, int q, int closer)
{
    int k = log10_of_power(q, closer), h = q + log2_of_power(-k) + 1;
    wide g = power_of_ten(-k);
    if (-k > POWER_EXACT) g = (wide){g.hi + (g.lo == UINT64_MAX), g.lo + 1};
    uint64_t out = c & 1;
    uint64_t lower = round_to_odd(g, (4 * c - 2 + (unsigned)closer) << h) + out;
    uint64_t at = round_to_odd(g, (4 * c) << h);
    uint64_t upper = round_to_odd(g, (4 * c + 2) << h) - out;
    uint64_t s = at / 4, tens = s / 10;
    int below_in = lower <= 40 * tens, above_in = 40 * tens + 40 <= upper;
    if (s >= 10 && below_in != above_in) return (decimal){tens + (unsigned)above_in, k + 1};
    below_in = lower <= 4 * s;
    above_in = 4 * s + 4 <= upper;
    if (below_in != above_in) return (decimal){s + (unsigned)above_in, k};
    uint64_t middle = 4 * s + 2;
    return (decimal){s + (at > middle || (at == middle && (s & 1))), k};
}

static decimal decimal_of(uint64_t bits)
{
    uint64_t fraction = bits & (HIDDEN_BIT - 1);
    int e = (int)(bits >> FRACTION_BITS) & EXPONENT_MOST;
    uint64_t c = e ? fraction | HIDDEN_BIT : fraction;
    int q = (e ? e : 1) - EXPONENT_BIAS - FRACTION_BITS;
    if (q <= 0 && -q <= FRACTION_BITS && (c & (((uint64_t)1 << -q) - 1)) == 0)
        return (decimal){c >> -q, 0};
    return shortest(c, q, fraction == 0 && e > 1);
}

/* ---- how a decimal is laid out, by the rules of ECMAScript's Number::toString ---------------- */

enum { POINT_MOST = 21, POINT_LEAST = -5 }; /* of the point's place, where there is no exponent */

static size_t zeros(char *to, size_t count)
{
    memset(to, '0', count);
    return count;
}

/* d.ddde+xx, from the digits at to + 1, which leaves the place for the first. */
static size_t with_exponent(char *to, unsigned count, int exponent)
{
    size_t n = 1;
    to[0] = to[1];
    if (count > 1) {
        to[1] = '.';
        n = count + 1;
    }
    to[n++] = 'e';
    to[n++] = exponent < 0 ? '-' : '+';
    return n + ebb__u64_text(to + n, (uint64_t)(exponent < 0 ? -exponent : exponent));
}

/* The number is 0.ddd times ten to `point`. */
static size_t lay_out(char *to, uint64_t digits, unsigned count, int point)
{
    if (point < POINT_LEAST || point > POINT_MOST) {
        write_digits(to + 1, digits, count);
        return with_exponent(to, count, point - 1);
    }
    if (point <= 0) {
        to[0] = '0';
        to[1] = '.';
        size_t n = 2 + zeros(to + 2, (size_t)-point);
        write_digits(to + n, digits, count);
        return n + count;
    }
    write_digits(to, digits, count);
    size_t whole = (size_t)point;
    if (whole >= count) return count + zeros(to + count, whole - count);
    memmove(to + whole + 1, to + whole, count - whole);
    to[whole] = '.';
    return count + 1;
}

static size_t text_of_other(char *to, uint64_t bits)
{
    static const char words[][3] = {{'i', 'n', 'f'}, {'n', 'a', 'n'}};
    memcpy(to, words[(bits & (HIDDEN_BIT - 1)) != 0], sizeof *words);
    return sizeof *words;
}

size_t ebb__double_text(char *to, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t magnitude = bits & ~SIGN_BIT;
    size_t sign = bits != magnitude && magnitude <= (uint64_t)EXPONENT_MOST << FRACTION_BITS;
    if (sign) *to++ = '-';
    if (magnitude >> FRACTION_BITS == EXPONENT_MOST) return sign + text_of_other(to, magnitude);
    if (magnitude == 0) return sign + zeros(to, 1);
    decimal d = decimal_of(magnitude);
    for (; d.digits % 10 == 0; d.exponent++) d.digits /= 10;
    unsigned count = digits_of(d.digits);
    return sign + lay_out(to, d.digits, count, (int)count + d.exponent);
}
