/*
 * containers/parse.c: numbers from text, exactly.
 *
 * A decimal number is its first nineteen significant digits, as an integer, and a power of ten. Its
 * double is found by the method of Daniel Lemire ("Number parsing at a gigabyte per second", 2021),
 * which needs no second way for so many digits (Mushtak and Lemire, "Fast number parsing without
 * fallback", 2022). Where more digits follow, it is asked for the integer and for the next; if the
 * two differ, the number is compared with the half between them, as integers of some 2600 bits.
 *
 * Neither the locale nor the rounding mode plays a part: no floating-point arithmetic is done.
 */
#include "number.h"

#include <ebb/str.h>

#include <string.h>

/* ---- digits ---------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return (unsigned char)c - (unsigned)'0' < 10;
}

/* The digits from `p` on, into *value, which wraps where they are too many for it. One at a time:
   eight side by side are slower where lengths vary, since how many follow can't be foreseen. */
static const char *take_run(const char *p, const char *end, uint64_t *value)
{
    uint64_t sum = *value;
    for (; p < end; p++) {
        unsigned digit = (unsigned char)*p - (unsigned)'0';
        if (digit > 9) break;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return p;
}

/* ---- integers -------------------------------------------------------------------------------- */

typedef struct integer {
    bool negative;
    uint64_t magnitude;
} integer;

static bool take_sign(ebb_str *s)
{
    if (!s->len || (*s->ptr != '-' && *s->ptr != '+')) return false;
    bool negative = *s->ptr == '-';
    *s = ebb_str_slice(*s, 1, SIZE_MAX);
    return negative;
}

/* 16 and above: no digit. */
static unsigned digit_of(char c)
{
    unsigned decimal = (unsigned char)c - (unsigned)'0', letter = ((unsigned char)c | 0x20u) - 'a';
    if (decimal < 10) return decimal;
    return letter < 6 ? letter + 10 : UINT32_MAX;
}

/* Whatever the length. All of the text is looked at before its range is: 99999999999999999999x is
   no number. */
static ebb_status take_long_magnitude(ebb_str s, unsigned base, uint64_t *ret_)
{
    uint64_t value = 0;
    bool fits = true;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = digit_of(s.ptr[i]);
        if (digit >= base) return EBB_E_SYNTAX;
        wide next = wide_product(value, base);
        value = next.lo + digit;
        fits &= next.hi == 0 && value >= next.lo;
    }
    if (!fits) return EBB_E_RANGE;
    *ret_ = value;
    return EBB_OK;
}

/* So many digits always fit. */
enum { DECIMAL_FITS = 19 };

static ebb_status take_decimal_magnitude(ebb_str s, uint64_t *ret_)
{
    uint64_t value = 0;
    if (s.len - 1 >= DECIMAL_FITS) /* none, too */
        return s.len ? take_long_magnitude(s, 10, ret_) : EBB_E_SYNTAX;
    const char *end = s.ptr + s.len;
    if (take_run(s.ptr, end, &value) != end) return EBB_E_SYNTAX;
    *ret_ = value;
    return EBB_OK;
}

static ebb_status take_hex_magnitude(ebb_str s, uint64_t *ret_)
{
    bool prefix = s.len > 2 && s.ptr[0] == '0' && (s.ptr[1] | 0x20) == 'x';
    if (prefix) s = ebb_str_slice(s, 2, SIZE_MAX);
    return s.len ? take_long_magnitude(s, 16, ret_) : EBB_E_SYNTAX;
}

static ebb_status read_integer(ebb_str s, unsigned base, integer *ret_)
{
    ret_->negative = take_sign(&s);
    return base == 16 ? take_hex_magnitude(s, &ret_->magnitude)
                      : take_decimal_magnitude(s, &ret_->magnitude);
}

static ebb_status to_i64(ebb_str s, unsigned base, int64_t *ret_)
{
    integer n;
    ebb_status rc = read_integer(s, base, &n);
    if (rc != EBB_OK) return rc;
    if (n.magnitude > (uint64_t)INT64_MAX + n.negative) return EBB_E_RANGE;
    /* Minus one first: the magnitude of INT64_MIN is no int64_t. */
    *ret_ = n.negative && n.magnitude ? -(int64_t)(n.magnitude - 1) - 1 : (int64_t)n.magnitude;
    return EBB_OK;
}

static ebb_status to_u64(ebb_str s, unsigned base, uint64_t *ret_)
{
    integer n;
    ebb_status rc = read_integer(s, base, &n);
    if (rc != EBB_OK) return rc;
    if (n.negative && n.magnitude) return EBB_E_RANGE;
    *ret_ = n.magnitude;
    return EBB_OK;
}

ebb_status ebb_str_to_i64(ebb_str s, int64_t *ret_)
{
    return to_i64(s, 10, ret_);
}

ebb_status ebb_str_to_u64(ebb_str s, uint64_t *ret_)
{
    return to_u64(s, 10, ret_);
}

ebb_status ebb_str_hex_to_i64(ebb_str s, int64_t *ret_)
{
    return to_i64(s, 16, ret_);
}

ebb_status ebb_str_hex_to_u64(ebb_str s, uint64_t *ret_)
{
    return to_u64(s, 16, ret_);
}

/* ---- the text of a decimal ------------------------------------------------------------------- */

/* As many digits as any integer below 2^64 may have. */
enum { FIRST_DIGITS = 19 };

/* An exponent beyond this makes 0 or infinity of anything that fits into memory. */
#define EXPONENT_ENOUGH ((int64_t)1 << 60)

typedef struct decimal {
    uint64_t first;      /* its first FIRST_DIGITS significant digits */
    int64_t exponent;    /* of ten, of the last of those */
    bool more;           /* not all that follow are 0 */
    const char *at, *to; /* its digits, and perhaps a point */
} decimal;

static int64_t zeros_before(const decimal *d)
{
    int64_t n = 0;
    for (const char *p = d->at; p < d->to && (*p == '0' || *p == '.'); p++) n += *p == '0';
    return n;
}

/* The same digits again, of which only the first that count are to be kept. */
static void take_many(decimal *d)
{
    unsigned count = 0;
    bool fraction = false;
    d->first = 0;
    d->exponent = 0;
    for (const char *p = d->at; p < d->to; p++) {
        unsigned digit = (unsigned)(*p - '0');
        if (*p == '.') {
            fraction = true;
        } else if (count == FIRST_DIGITS) {
            d->more |= digit != 0;
            d->exponent += !fraction;
        } else {
            d->first = d->first * 10 + digit;
            d->exponent -= fraction;
            count += d->first != 0;
        }
    }
}

/* [sign] digits, to the end. */
static bool take_exponent(decimal *d, const char *p, const char *end)
{
    ebb_str s = {p, (size_t)(end - p)};
    bool negative = take_sign(&s);
    int64_t e = 0;
    if (s.len == 0) return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.ptr[i])) return false;
        if (e < EXPONENT_ENOUGH / 10) e = e * 10 + (s.ptr[i] - '0');
    }
    d->exponent += negative ? -e : e;
    return true;
}

static bool take_decimal(ebb_str s, decimal *d)
{
    const char *end = s.ptr + s.len;
    *d = (decimal){.at = s.ptr};
    const char *p = take_run(s.ptr, end, &d->first);
    int64_t digits = p - s.ptr;
    if (p < end && *p == '.') {
        const char *point = p++;
        p = take_run(p, end, &d->first);
        d->exponent = point + 1 - p;
        digits -= d->exponent;
    }
    d->to = p;
    if (digits == 0) return false;
    if (digits > FIRST_DIGITS && digits - zeros_before(d) > FIRST_DIGITS) take_many(d);
    if (p == end) return true;
    return (*p | 0x20) == 'e' && take_exponent(d, p + 1, end);
}

/* ---- first * 10^exponent --------------------------------------------------------------------- */

#define INFINITE ((uint64_t)EXPONENT_MOST << FRACTION_BITS)

/* 63 + floor(log2(10^q)); the constant is 2^16 log2(10). */
static int bits_of_power(int q)
{
    return (int)(((int64_t)q * 217706) >> 16) + 63;
}

/* The high 128 bits of w * 5^q, as far as they matter: 55 bits, one to round by, and whether
   anything lies below. The second half of the power is needed if the first leaves doubt. */
static wide scaled(uint64_t w, int q)
{
    const uint64_t doubt = UINT64_MAX >> (FRACTION_BITS + 3);
    wide power = power_of_ten(q), p = wide_product(w, power.hi);
    if ((p.hi & doubt) != doubt) return p;
    uint64_t below = wide_product(w, power.lo).hi;
    p.lo += below;
    p.hi += p.lo < below;
    return p;
}

/* Below the least normal: fewer bits are left. */
static uint64_t subnormal(uint64_t m, int exponent)
{
    if (-exponent + 1 >= 64) return 0;
    m >>= -exponent + 1;
    return (m + (m & 1)) >> 1; /* may be the least normal, which its bits then say */
}

/* The bits of the double nearest to first * 10^q. */
static uint64_t nearest(uint64_t first, int64_t exponent)
{
    if (first == 0 || exponent < POWER_LEAST) return 0;
    if (exponent > 308) return INFINITE; /* 1e309 is above DBL_MAX */
    int q = (int)exponent, zeros = __builtin_clzll(first);
    wide p = scaled(first << zeros, q);
    int top = (int)(p.hi >> 63), shift = top + 64 - FRACTION_BITS - 3;
    uint64_t m = p.hi >> shift;
    int e = bits_of_power(q) + top - zeros + EXPONENT_BIAS;
    if (e <= 0) return subnormal(m, e);
    /* Exactly half between two, which small powers of ten alone can be: to the even one. */
    if (p.lo <= 1 && q >= -4 && q <= 23 && (m & 3) == 1 && m << shift == p.hi) m &= ~(uint64_t)1;
    m = (m + (m & 1)) >> 1;
    if (m >= 2 * HIDDEN_BIT) {
        m = HIDDEN_BIT;
        e++;
    }
    return e >= EXPONENT_MOST ? INFINITE : (m & ~HIDDEN_BIT) | (uint64_t)e << FRACTION_BITS;
}

/* ---- more digits than that: large integers --------------------------------------------------- */

/* A number that is half between two doubles has no more significant digits than 767, so that of
   more it is enough to know whether any is not 0. Those, and 54 bits times 5^1094, are below 2600
   bits. */
enum { DIGITS_KEPT = 770, LIMBS = 42 };

typedef struct large {
    uint64_t limb[LIMBS]; /* lowest first */
    unsigned len;
} large;

static void multiply_add(large *n, uint64_t by, uint64_t carry)
{
    for (unsigned i = 0; i < n->len; i++) {
        wide p = wide_product(n->limb[i], by);
        n->limb[i] = p.lo + carry;
        carry = p.hi + (n->limb[i] < carry);
    }
    if (carry) n->limb[n->len++] = carry;
}

static void multiply_power_of_5(large *n, int power)
{
    enum { STEP = 27 }; /* 5^27 is the highest below 2^64 */
    for (; power >= STEP; power -= STEP) multiply_add(n, 7450580596923828125u, 0);
    for (; power > 0; power--) multiply_add(n, 5, 0);
}

static void shift_left(large *n, unsigned bits)
{
    unsigned limbs = bits / 64;
    multiply_add(n, (uint64_t)1 << bits % 64, 0);
    memmove(n->limb + limbs, n->limb, n->len * sizeof *n->limb);
    memset(n->limb, 0, limbs * sizeof *n->limb);
    n->len += limbs;
}

static int compare(const large *a, const large *b)
{
    if (a->len != b->len) return a->len < b->len ? -1 : 1;
    for (unsigned i = a->len; i-- > 0;)
        if (a->limb[i] != b->limb[i]) return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

/* The digits as an integer, times ten to what is returned. */
static int collect(const decimal *d, large *n)
{
    int kept = 0;
    bool rest = false;
    n->len = 0;
    for (const char *p = d->at; p < d->to; p++) {
        if (*p == '.' || (kept == 0 && *p == '0')) continue;
        if (kept < DIGITS_KEPT) {
            multiply_add(n, 10, (uint64_t)(*p - '0'));
            kept++;
        } else {
            rest |= *p != '0';
        }
    }
    if (rest) {
        multiply_add(n, 10, 1);
        kept++;
    }
    return (int)d->exponent - (kept - FIRST_DIGITS);
}

/* Compare all the digits with the half between the double with these bits and the next. */
static int compare_with_half(const decimal *d, uint64_t bits)
{
    uint64_t m = bits & (HIDDEN_BIT - 1);
    int e = (int)(bits >> FRACTION_BITS);
    if (e) m |= HIDDEN_BIT;
    large number, half = {{2 * m + 1}, 1};
    int ten = collect(d, &number);
    int two = ten - ((e ? e : 1) - EXPONENT_BIAS - FRACTION_BITS - 1);
    multiply_power_of_5(ten < 0 ? &half : &number, ten < 0 ? -ten : ten);
    shift_left(two < 0 ? &half : &number, (unsigned)(two < 0 ? -two : two));
    return compare(&number, &half);
}

static uint64_t bits_of(const decimal *d)
{
    uint64_t low = nearest(d->first, d->exponent);
    if (!d->more) return low;
    uint64_t high = nearest(d->first + 1, d->exponent);
    if (low == high) return low;
    int order = compare_with_half(d, low);
    return order > 0 || (order == 0 && (low & 1)) ? high : low;
}

/* ---- doubles --------------------------------------------------------------------------------- */

static ebb_status give(uint64_t bits, bool negative, double *ret_)
{
    if (negative) bits |= SIGN_BIT;
    memcpy(ret_, &bits, sizeof bits);
    return EBB_OK;
}

static ebb_status to_word(ebb_str s, bool negative, double *ret_)
{
    bool infinite =
        ebb_str_equal_nocase(s, EBB_STR("inf")) || ebb_str_equal_nocase(s, EBB_STR("infinity"));
    if (infinite) return give(INFINITE, negative, ret_);
    if (!ebb_str_equal_nocase(s, EBB_STR("nan"))) return EBB_E_SYNTAX;
    return give(INFINITE | HIDDEN_BIT >> 1, negative, ret_);
}

ebb_status ebb_str_to_double(ebb_str s, double *ret_)
{
    decimal d;
    bool negative = take_sign(&s);
    if (s.len == 0) return EBB_E_SYNTAX;
    if (!take_decimal(s, &d)) return to_word(s, negative, ret_);
    uint64_t bits = bits_of(&d);
    if (bits == INFINITE) return EBB_E_RANGE;
    return give(bits, negative, ret_);
}
