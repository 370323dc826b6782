/*
 * tests/unit/test_number.c: numbers read (ebb/str.h) and written (ebb/builder.h), against the C library
 * in the "C" locale, and under a locale that writes a comma.
 */
#define _GNU_SOURCE /* exp2 and the rounding modes are C's own; newlocale is not */
#include "test.h"

#include <ebb/ebb.h>

#include <fenv.h>
#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t bits_of(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

/* ---- integers ---------------------------------------------------------------------------------- */

#define I64(text, value)                                                                           \
    do {                                                                                           \
        int64_t n_ = 77;                                                                           \
        cr_assert_eq(ebb_str_to_i64(EBB_STR(text), &n_), EBB_OK, text);                            \
        cr_assert_eq(n_, (value), text);                                                           \
    } while (0)
#define REFUSED(function, type, text, why)                                                         \
    do {                                                                                           \
        type n_ = 77;                                                                              \
        cr_assert_eq(function(EBB_STR(text), &n_), (why), "%s", text);                             \
        cr_assert(n_ == 77, "%s changes the result", text);                                        \
    } while (0)

Test(number, decimal_integers)
{
    I64("0", 0);
    I64("-0", 0);
    I64("+5", 5);
    I64("007", 7);
    I64("-12345", -12345);
    I64("9223372036854775807", INT64_MAX);
    I64("-9223372036854775808", INT64_MIN);
    I64("00000000000000000000000000000000000012", 12);
    uint64_t u = 0;
    cr_assert_eq(ebb_str_to_u64(EBB_STR("18446744073709551615"), &u), EBB_OK);
    cr_assert_eq(u, UINT64_MAX);
    cr_assert_eq(ebb_str_to_u64(EBB_STR("-0"), &u), EBB_OK);
    cr_assert_eq(u, 0u);
}

Test(number, range_is_told_from_syntax)
{
    REFUSED(ebb_str_to_i64, int64_t, "9223372036854775808", EBB_E_RANGE);
    REFUSED(ebb_str_to_i64, int64_t, "-9223372036854775809", EBB_E_RANGE);
    REFUSED(ebb_str_to_i64, int64_t, "18446744073709551616", EBB_E_RANGE);
    REFUSED(ebb_str_to_u64, uint64_t, "18446744073709551616", EBB_E_RANGE);
    REFUSED(ebb_str_to_u64, uint64_t, "20000000000000000000", EBB_E_RANGE);
    REFUSED(ebb_str_to_u64, uint64_t, "99999999999999999999999", EBB_E_RANGE);
    REFUSED(ebb_str_to_u64, uint64_t, "-1", EBB_E_RANGE);
    REFUSED(ebb_str_to_u64, uint64_t, "99999999999999999999999x", EBB_E_SYNTAX);
    REFUSED(ebb_str_to_u64, uint64_t, "-x", EBB_E_SYNTAX);
}

#define NO_NUMBER(text)                                                                            \
    do {                                                                                           \
        REFUSED(ebb_str_to_i64, int64_t, text, EBB_E_SYNTAX);                                      \
        REFUSED(ebb_str_to_u64, uint64_t, text, EBB_E_SYNTAX);                                     \
        REFUSED(ebb_str_hex_to_i64, int64_t, text, EBB_E_SYNTAX);                                  \
        REFUSED(ebb_str_hex_to_u64, uint64_t, text, EBB_E_SYNTAX);                                 \
        REFUSED(ebb_str_to_double, double, text, EBB_E_SYNTAX);                                    \
    } while (0)

Test(number, all_of_the_text_must_be_the_number)
{
    NO_NUMBER("");
    NO_NUMBER("+");
    NO_NUMBER("-");
    NO_NUMBER("--1");
    NO_NUMBER("+-1");
    NO_NUMBER(" 1");
    NO_NUMBER("1 ");
    NO_NUMBER("1\0");
    NO_NUMBER("1\0002");
    NO_NUMBER("\0");
    NO_NUMBER("1,000");
    NO_NUMBER("x");
    NO_NUMBER("/");
    NO_NUMBER(":");
    NO_NUMBER("\xb1");
    REFUSED(ebb_str_to_i64, int64_t, "0x10", EBB_E_SYNTAX);
    REFUSED(ebb_str_to_i64, int64_t, "1e3", EBB_E_SYNTAX);
    REFUSED(ebb_str_to_i64, int64_t, "1.0", EBB_E_SYNTAX);
    REFUSED(ebb_str_to_i64, int64_t, "a", EBB_E_SYNTAX);
    int64_t n = 77;
    cr_assert_eq(ebb_str_to_i64((ebb_str){NULL, 0}, &n), EBB_E_SYNTAX);
    double d = 77;
    cr_assert_eq(ebb_str_to_double((ebb_str){NULL, 0}, &d), EBB_E_SYNTAX);
}

Test(number, hexadecimal_integers)
{
    uint64_t u = 0;
    int64_t i = 0;
    cr_assert(ebb_str_hex_to_u64(EBB_STR("fFfFfFfFfFfFfFfF"), &u) == EBB_OK && u == UINT64_MAX);
    cr_assert(ebb_str_hex_to_u64(EBB_STR("0xdeadBEEF"), &u) == EBB_OK && u == 0xdeadbeef);
    cr_assert(ebb_str_hex_to_u64(EBB_STR("0X0"), &u) == EBB_OK && u == 0);
    cr_assert(ebb_str_hex_to_u64(EBB_STR("0"), &u) == EBB_OK && u == 0);
    cr_assert(ebb_str_hex_to_i64(EBB_STR("-0x8000000000000000"), &i) == EBB_OK && i == INT64_MIN);
    cr_assert(ebb_str_hex_to_i64(EBB_STR("7fffffffffffffff"), &i) == EBB_OK && i == INT64_MAX);
    REFUSED(ebb_str_hex_to_i64, int64_t, "8000000000000000", EBB_E_RANGE);
    REFUSED(ebb_str_hex_to_u64, uint64_t, "10000000000000000", EBB_E_RANGE);
    REFUSED(ebb_str_hex_to_u64, uint64_t, "0x", EBB_E_SYNTAX);
    REFUSED(ebb_str_hex_to_u64, uint64_t, "0x0x1", EBB_E_SYNTAX);
    REFUSED(ebb_str_hex_to_u64, uint64_t, "0x-1", EBB_E_SYNTAX);
    REFUSED(ebb_str_hex_to_u64, uint64_t, "g", EBB_E_SYNTAX);
    REFUSED(ebb_str_hex_to_u64, uint64_t, "@", EBB_E_SYNTAX);
}

static void integer_both_ways(ebb_builder *b, uint64_t u)
{
    char text[32];
    uint64_t back = ~u;
    int64_t i = (int64_t)u, i_back = ~i;
    ebb_builder_reset(b);
    cr_assert(ebb_builder_u64(b, u));
    snprintf(text, sizeof text, "%" PRIu64, u);
    cr_assert(ebb_str_equal(ebb_builder_view(b), ebb_str_from(text)), "%s", text);
    cr_assert(ebb_str_to_u64(ebb_builder_view(b), &back) == EBB_OK && back == u, "%s", text);
    ebb_builder_reset(b);
    cr_assert(ebb_builder_i64(b, i));
    snprintf(text, sizeof text, "%" PRId64, i);
    cr_assert(ebb_str_equal(ebb_builder_view(b), ebb_str_from(text)), "%s", text);
    cr_assert(ebb_str_to_i64(ebb_builder_view(b), &i_back) == EBB_OK && i_back == i, "%s", text);
    ebb_builder_reset(b);
    cr_assert(ebb_builder_hex(b, u, 0));
    snprintf(text, sizeof text, "%" PRIx64, u);
    cr_assert(ebb_str_equal(ebb_builder_view(b), ebb_str_from(text)), "%s", text);
    cr_assert(ebb_str_hex_to_u64(ebb_builder_view(b), &back) == EBB_OK && back == u, "%s", text);
}

Test(number, integers_are_written_as_printf_does_and_read_back)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b = ebb_builder_in(a);
    for (uint64_t u = 0; u < 2000; u++) integer_both_ways(&b, u);
    for (uint64_t power = 1, n = 0; n < 20; power *= 10, n++)
        for (uint64_t d = 0; d < 3; d++) integer_both_ways(&b, power - 1 + d);
    for (unsigned bit = 0; bit < 64; bit++)
        for (uint64_t d = 0; d < 3; d++) integer_both_ways(&b, ((uint64_t)1 << bit) - 1 + d);
    rng r = {1};
    for (unsigned long n = scaled(200000); n > 0; n--)
        integer_both_ways(&b, rng_next(&r) >> rng_below(&r, 64));
    ebb_arena_destroy(&a);
}

Test(number, hex_is_filled_up_with_zeros)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b = ebb_builder_in(a);
    ebb_builder_hex(&b, 0xabc, 8);
    ebb_builder_hex(&b, 0x12345, 2);
    ebb_builder_hex(&b, 0, 0);
    ebb_builder_hex(&b, 7, 20);
    cr_assert(ebb_str_equal(ebb_builder_view(&b), EBB_STR("00000abc12345000000000000000000007")));
    ebb_arena_destroy(&a);
}

/* ---- doubles: reading -------------------------------------------------------------------------- */

/* The C library is right, in the C locale; it is asked for the bits. */
static void read_as_strtod(const char *text)
{
    double mine = 77, theirs = strtod(text, NULL);
    ebb_status rc = ebb_str_to_double(ebb_str_from(text), &mine);
    if (isinf(theirs)) {
        cr_assert(rc == EBB_E_RANGE && mine == 77, "%s: status %d", text, (int)rc);
        return;
    }
    cr_assert_eq(rc, EBB_OK, "%s", text);
    cr_assert_eq(bits_of(mine), bits_of(theirs), "%s: %a instead of %a", text, mine, theirs);
}

Test(number, doubles_that_are_hard_to_read)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "0.0",
        "00",
        "1",
        "-1",
        "3.",
        ".5",
        "0.1",
        "1e0",
        "1E+0",
        "1e-0",
        "6e-7",
        "1e22",
        "1e23",
        "8.5e22",
        "9007199254740993",
        "9007199254740992.999999999999999999999999",
        "9007199254740993.00000000000000000000000000000000000000000000000000000000000001",
        "2.2250738585072011e-308",
        "2.2250738585072012e-308",
        "2.2250738585072014e-308",
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2.47032822920623272088284396434110686182e-324",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "1.797693134862315807e308",
        "179769313486231580793728971405301e276",
        "1e308",
        "1e309",
        "1e310",
        "1e-400",
        "1e99999999999",
        "1e-99999999999999999999999",
        "1e18446744073709551617",
        "1e-18446744073709551617",
        "0.00000000000000000012345678901234567",
        "0.0012345678901234567890",
        "0e99999999999999999999999",
        "0.000e-5",
        "123456789012345678901234567890",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126",
        "1.00000000000000033306690738754696212708950042724609375",
        "9214843084008499",
        "0.500000000000000166533453693773481063544750213623046875",
        "3.518437208883201171875e13",
        "62.5364939768271845828",
        "8.10109172351e-10",
        "1.50000000000000011102230246251565",
        "30078505129381147446200",
        "1777820000000000000001",
        "0.00000000000000000000000000000000000000000000000000000001",
        "7450580596923828125",
        "18446744073709551615",
        "18446744073709551616",
        "9999999999999999999",
        "99999999999999999999",
        "10000000000000000000",
        "0.3e-18",
        "6.631236846766476e-316",
        "3.2378839133029012895883524125015321748630094e-319",
        "2.2250738585072011360574097967091319759348195463516456480234261097248222220210769455165295"
        "2390813508791414915891303962110687008643869459464552765720740782062174337998814106326732925"
        "35578e-308",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) read_as_strtod(texts[i]);
}

static void wrong_double(ebb_str s)
{
    double d = 77;
    cr_assert(ebb_str_to_double(s, &d) == EBB_E_SYNTAX && d == 77, EBB_FMT, EBB_ARG(s));
}

Test(number, what_is_no_double)
{
    static const char *const texts[] = {".",     "e5",   "1e",        "1e+",    "1e-",  "1ee5",
                                        "1.2.3", "..1",  "-.",        "1e5.",   "1e 5", "0x1p3",
                                        "1f",    "in",   "infinit",   "nan(1)", "1_0",  "1e5x",
                                        "i",     "+.e1", "infinityx", "NaNs",   "1d5"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) wrong_double(ebb_str_from(texts[i]));
    wrong_double(EBB_STR("1.5\0"));
    wrong_double(EBB_STR("1.\0005"));
    wrong_double(EBB_STR("1e5\0"));
}

Test(number, words_for_what_is_not_finite)
{
    double d = 0;
    cr_assert(ebb_str_to_double(EBB_STR("inf"), &d) == EBB_OK && d == INFINITY);
    cr_assert(ebb_str_to_double(EBB_STR("-INFINITY"), &d) == EBB_OK && d == -INFINITY);
    cr_assert(ebb_str_to_double(EBB_STR("+Inf"), &d) == EBB_OK && d == INFINITY);
    cr_assert(ebb_str_to_double(EBB_STR("NaN"), &d) == EBB_OK && isnan(d));
}

/* The exact value half between a double and the next, and its neighbours in the last digit. */
Test(number, halves_between_two_doubles)
{
    enum { EXACT = 1100 };
    static char text[EXACT + 64];
    rng r = {2};
    for (unsigned long n = scaled(4000); n > 0; n--) {
        uint64_t bits = rng_next(&r) % (UINT64_C(0x7ff) << 52);
        if (n % 4 == 0) bits %= UINT64_C(1) << 54; /* some of the least */
        long double half = (long double)double_of(bits);
        if (LDBL_MANT_DIG < 64 || bits + 1 == UINT64_C(0x7ff) << 52) break;
        half += ((long double)double_of(bits + 1) - half) / 2;
        snprintf(text, sizeof text, "%.*Le", EXACT, half);
        read_as_strtod(text);
        char *last = strchr(text, 'e') - 1;
        while (*last == '0') last--;
        char kept = *last;
        (*last)--;
        read_as_strtod(text);
        *last = kept;
        strchr(text, 'e')[-1] = '1';
        read_as_strtod(text);
    }
}

Test(number, random_texts_of_doubles)
{
    rng r = {3};
    char text[96];
    for (unsigned long n = scaled(300000); n > 0; n--) {
        size_t len = 0, digits = 1 + rng_below(&r, rng_one_in(&r, 8) ? 50 : 20);
        size_t point = rng_below(&r, 2 * digits);
        for (size_t i = 0; i < digits; i++) {
            if (i == point) text[len++] = '.';
            text[len++] = (char)('0' + rng_below(&r, 10));
        }
        int range = rng_one_in(&r, 4) ? 700 : 60;
        int e = (int)rng_below(&r, (size_t)range) - range / 2;
        snprintf(text + len, sizeof text - len, "e%d", e);
        read_as_strtod(text);
    }
}

Test(number, very_long_texts)
{
    enum { LONG = 200000 };
    static char text[LONG + 32];
    memset(text, '0', LONG);
    memcpy(text + LONG, "1", 2);
    read_as_strtod(text);
    text[1] = '.';
    snprintf(text + LONG, 32, "1e%d", LONG);
    read_as_strtod(text);
    memset(text, '9', LONG);
    snprintf(text + LONG, 32, "e-%d", LONG - 5);
    read_as_strtod(text);
    memset(text, '0', LONG);
    text[0] = '1';
    snprintf(text + LONG, 32, "e-%d", LONG - 3);
    read_as_strtod(text);
}

Test(number, the_rounding_mode_plays_no_part)
{
    static const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    static const char *const texts[] = {"0.1", "1e23", "8.5e-300", "4e-324",
                                        "123456789012345678901"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double wanted = strtod(texts[i], NULL), got = 0;
        for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
            if (fesetround(modes[m])) continue;
            ebb_status rc = ebb_str_to_double(ebb_str_from(texts[i]), &got);
            fesetround(FE_TONEAREST);
            cr_assert(rc == EBB_OK && bits_of(got) == bits_of(wanted), "%s", texts[i]);
        }
    }
}

/* ---- doubles: writing -------------------------------------------------------------------------- */

static ebb_str text_of(ebb_builder *b, double d)
{
    ebb_builder_reset(b);
    cr_assert(ebb_builder_double(b, d));
    return ebb_builder_view(b);
}

/* The digits that count, and the exponent of the first, out of any text of a double. */
static unsigned digits_in(const char *text, char *digits)
{
    unsigned n = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (n == 0 && *text == '0')) continue;
        digits[n++] = *text;
        zeros = *text == '0' ? zeros + 1 : 0;
    }
    digits[n - zeros] = '\0';
    return n - zeros;
}

/* No text with fewer digits reads back as the same; of those with as many none is nearer. */
static void shortest(ebb_builder *b, double d)
{
    char mine[32], printed[40], digits[40], best[40];
    double back = 0;
    ebb_str s = text_of(b, d);
    cr_assert(ebb_str_to_double(s, &back) == EBB_OK && bits_of(back) == bits_of(d), "%a", d);
    snprintf(printed, sizeof printed, EBB_FMT, EBB_ARG(s));
    cr_assert_eq(bits_of(strtod(printed, NULL)), bits_of(d), "%a as %s", d, printed);
    unsigned count = digits_in(printed, mine), least = 1;
    for (; least < 17; least++) {
        snprintf(printed, sizeof printed, "%.*e", (int)least - 1, d);
        if (bits_of(strtod(printed, NULL)) == bits_of(d)) break;
    }
    snprintf(printed, sizeof printed, "%.*e", (int)least - 1, d);
    cr_assert(count <= least, "%a in %u digits instead of %u", d, count, least);
    digits_in(printed, digits);
    /* Where printf's nearest decimal does not read back, another of that length may. */
    snprintf(best, sizeof best, "%s", digits);
    if (count == least && bits_of(strtod(printed, NULL)) == bits_of(d))
        cr_assert_str_eq(mine, best, "%a", d);
}

#define WRITTEN(value, literal)                                                                    \
    do {                                                                                           \
        ebb_str s_ = text_of(&b, (value));                                                         \
        cr_assert(ebb_str_equal(s_, EBB_STR(literal)), EBB_FMT " instead of %s", EBB_ARG(s_),      \
                  literal);                                                                        \
    } while (0)

Test(number, how_doubles_are_laid_out)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b = ebb_builder_in(a);
    WRITTEN(0.0, "0");
    WRITTEN(-0.0, "-0");
    WRITTEN(1.0, "1");
    WRITTEN(-1.5, "-1.5");
    WRITTEN(0.1, "0.1");
    WRITTEN(100.0, "100");
    WRITTEN(123456.789, "123456.789");
    WRITTEN(0.000001, "0.000001");
    WRITTEN(0.0000001, "1e-7");
    WRITTEN(1.25e-7, "1.25e-7");
    WRITTEN(1e20, "100000000000000000000");
    WRITTEN(1e21, "1e+21");
    WRITTEN(1.5e21, "1.5e+21");
    WRITTEN(123456789012345680000.0, "123456789012345680000");
    WRITTEN(9007199254740993.0, "9007199254740992");
    WRITTEN(1e22, "1e+22");
    WRITTEN(1e23, "1e+23");
    WRITTEN(DBL_MAX, "1.7976931348623157e+308");
    WRITTEN(DBL_MIN, "2.2250738585072014e-308");
    WRITTEN(double_of(1), "5e-324");
    WRITTEN(-double_of(1), "-5e-324");
    WRITTEN(2.0 / 3, "0.6666666666666666");
    WRITTEN(9.5e-6, "0.0000095");
    WRITTEN(INFINITY, "inf");
    WRITTEN(-INFINITY, "-inf");
    WRITTEN((double)NAN, "nan");
    WRITTEN(-(double)NAN, "nan");
    ebb_arena_destroy(&a);
}

Test(number, doubles_are_written_in_the_fewest_digits_and_read_back)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b = ebb_builder_in(a);
    rng r = {4};
    for (unsigned long n = scaled(100000); n > 0; n--) {
        double d = double_of(rng_next(&r));
        if (isfinite(d) && d != 0) shortest(&b, d);
        shortest(&b, (double)(1 + rng_below(&r, 100000000)) / 1000.0);
    }
    for (int e = -1074; e < 1024; e++)
        for (uint64_t near = 0; near < 3; near++) {
            uint64_t bits = bits_of(ldexp(1, e)) + near - 1;
            if (bits && bits < UINT64_C(0x7ff) << 52) shortest(&b, double_of(bits));
        }
    for (int e = -320; e <= 308; e++) {
        char text[16];
        snprintf(text, sizeof text, "1e%d", e);
        shortest(&b, strtod(text, NULL));
    }
    ebb_arena_destroy(&a);
}

/* ---- locales ----------------------------------------------------------------------------------- */

Test(number, a_locale_with_a_comma_changes_nothing)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8"};
    const char *set = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !set; i++)
        set = setlocale(LC_ALL, names[i]);
    if (!set || *localeconv()->decimal_point != ',') cr_skip_test("no locale with a comma");
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b = ebb_builder_in(a);
    double d = 0;
    WRITTEN(1234.5, "1234.5");
    cr_assert(ebb_str_to_double(EBB_STR("1234.5"), &d) == EBB_OK && d == 1234.5);
    wrong_double(EBB_STR("1234,5"));
    ebb_arena_destroy(&a);
}
