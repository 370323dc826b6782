/*
 * tests/model/test_batch_model.c: ebb/batch.h against code as plain as can be, with random columns: every
 * length and place in memory, many equals, NaN of all kinds, infinities, zeros of both signs. Each body
 * must answer as the plain code does, in every bit.
 *
 * Seeds are fixed; a failure prints its own. EBB_TEST_SCALE divides the number of rounds.
 */
#include "test.h"

#include "batch.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHORT = 150, LONG = 9000, ROOM = LONG + 64, OPERATIONS = 10 };

/* ---- columns --------------------------------------------------------------------------------- */

/* Few values, so that many are equal. */
static float few_f32(rng *r)
{
    static const float values[] = {0.0f, -0.0f, 1, -1, HUGE_VALF, -HUGE_VALF, 0x1p-149f, 3.5f, NAN};
    return values[rng_below(r, sizeof values / sizeof *values)];
}

/* Any bits at all: NaN of both signs and with all payloads, but for those that signal. */
static float any_f32(rng *r)
{
    uint32_t bits = (uint32_t)rng_next(r);
    float x;
    if ((bits & 0x7f800000) == 0x7f800000) bits |= 0x00400000;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double any_f64(rng *r)
{
    uint64_t bits = rng_next(r);
    double x;
    if ((bits & 0x7ff0000000000000) == 0x7ff0000000000000) bits |= 0x0008000000000000;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float random_f32(rng *r, size_t kind)
{
    if (kind == 0) return few_f32(r);
    if (kind == 1) return any_f32(r);
    if (kind == 2) return rng_one_in(r, 2) ? NAN : -(float)NAN;
    return (float)rng_below(r, 1 << 20) / 1024;
}

static double random_f64(rng *r, size_t kind)
{
    return kind == 1 ? any_f64(r) : (double)random_f32(r, kind);
}

static int32_t random_i32(rng *r, size_t kind)
{
    static const int32_t values[] = {INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX - 1, INT32_MAX};
    if (kind == 0) return values[rng_below(r, 7)];
    if (kind == 1) return (int32_t)rng_next(r);
    return kind == 2 ? INT32_MIN : (int32_t)rng_below(r, 1000);
}

static uint64_t random_u64(rng *r, size_t kind)
{
    static const uint64_t values[] = {0,          1,         INT64_MAX, (uint64_t)INT64_MAX + 1,
                                      UINT64_MAX, UINT32_MAX};
    if (kind == 0) return values[rng_below(r, 6)];
    if (kind == 1) return rng_next(r);
    return kind == 2 ? UINT64_MAX : rng_below(r, 1000);
}

static bool same_bits(const void *a, const void *b, size_t size)
{
    return memcmp(a, b, size) == 0;
}

static double plain_sum(const double *p, size_t n)
{
    double lane[16] = {0};
    for (size_t i = 0; i < n; i++) lane[i % 16] += p[i];
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t j = 0; j < half; j++) lane[j] += lane[j + half];
    return lane[0] == lane[0] ? lane[0] : (double)NAN;
}

/* ---- the plain code, and the comparison ------------------------------------------------------ */

#define CHECK(x)                                                                                   \
    if (!(x)) return #x

/* The plain top sorts all of it. qsort's comparison has no argument. */
static const void *sorted_column;

#define MODEL(name, T, IS_NAN)                                                                     \
    static int name##_by_rank(const void *a, const void *b, bool least_first)                      \
    {                                                                                              \
        uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;                               \
        T x = ((const T *)sorted_column)[i], y = ((const T *)sorted_column)[j];                    \
        if (IS_NAN(x) || IS_NAN(y)) {                                                              \
            if (!IS_NAN(x)) return -1;                                                             \
            if (!IS_NAN(y)) return 1;                                                              \
        } else if (x != y) {                                                                       \
            return (x < y) == least_first ? -1 : 1;                                                \
        }                                                                                          \
        return i < j ? -1 : 1;                                                                     \
    }                                                                                              \
    static int name##_greatest_first(const void *a, const void *b)                                 \
    {                                                                                              \
        return name##_by_rank(a, b, false);                                                        \
    }                                                                                              \
    static int name##_least_first(const void *a, const void *b)                                    \
    {                                                                                              \
        return name##_by_rank(a, b, true);                                                         \
    }                                                                                              \
    static const uint32_t *name##_ranked(const T *p, size_t n, bool least_first)                   \
    {                                                                                              \
        static uint32_t rank[ROOM];                                                                \
        sorted_column = p;                                                                         \
        for (uint32_t i = 0; i < n; i++) rank[i] = i;                                              \
        qsort(rank, n, sizeof *rank, least_first ? name##_least_first : name##_greatest_first);    \
        return rank;                                                                               \
    }                                                                                              \
    static bool name##_wanted(T x, const ebb_##name##_test *t)                                     \
    {                                                                                              \
        bool equal = x == t->low, less = x<t->low, more = x> t->low;                               \
        bool in = (equal || more) && (x < t->high || x == t->high);                                \
        const bool answers[] = {less, less || equal, more, more || equal, equal, in};              \
        return answers[t->compare];                                                                \
    }                                                                                              \
    static const char *name##_check_tests(const T *p, size_t n, ebb_##name##_test test)            \
    {                                                                                              \
        static uint32_t wanted[ROOM], rows[ROOM];                                                  \
        size_t count = 0;                                                                          \
        for (uint32_t i = 0; i < n; i++)                                                           \
            if (name##_wanted(p[i], &test)) wanted[count++] = i;                                   \
        rows[n] = 0xabcdef01;                                                                      \
        CHECK(ebb_##name##_find(p, n, test) == (count ? wanted[0] : n));                           \
        CHECK(ebb_##name##_count(p, n, test) == count);                                            \
        CHECK(ebb_##name##_filter(p, n, test, rows) == count);                                     \
        CHECK(same_bits(rows, wanted, count * sizeof *rows));                                      \
        CHECK(rows[n] == 0xabcdef01);                                                              \
        return NULL;                                                                               \
    }                                                                                              \
    static const char *name##_check_ranks(const T *p, size_t n, size_t k)                          \
    {                                                                                              \
        static uint32_t rows[ROOM];                                                                \
        size_t most = k < n ? k : n;                                                               \
        rows[most] = 0xabcdef01;                                                                   \
        const uint32_t *rank = name##_ranked(p, n, false);                                         \
        CHECK(ebb_##name##_top(p, n, k, rows) == most);                                            \
        CHECK(same_bits(rows, rank, most * sizeof *rows));                                         \
        T extreme = ebb_##name##_max(p, n);                                                        \
        CHECK(ebb_##name##_argmax(p, n) == (n ? rank[0] : 0));                                     \
        CHECK(n == 0 || same_bits(&extreme, &p[rank[0]], sizeof extreme));                         \
        rank = name##_ranked(p, n, true);                                                          \
        CHECK(ebb_##name##_bottom(p, n, k, rows) == most);                                         \
        CHECK(same_bits(rows, rank, most * sizeof *rows));                                         \
        extreme = ebb_##name##_min(p, n);                                                          \
        CHECK(ebb_##name##_argmin(p, n) == (n ? rank[0] : 0));                                     \
        CHECK(n == 0 || same_bits(&extreme, &p[rank[0]], sizeof extreme));                         \
        CHECK(rows[most] == 0xabcdef01);                                                           \
        return NULL;                                                                               \
    }                                                                                              \
    static const char *name##_round(rng *r, size_t n)                                              \
    {                                                                                              \
        static T memory[ROOM];                                                                     \
        T *p = memory + rng_below(r, 16);                                                          \
        size_t kind = rng_below(r, 4), k = rng_below(r, 20);                                       \
        if (rng_one_in(r, 8)) k = rng_below(r, n + 2);                                             \
        for (size_t i = 0; i < n; i++) p[i] = random_##name(r, kind);                              \
        ebb_##name##_test test = {(ebb_compare)rng_below(r, 6), random_##name(r, kind), 0};        \
        test.high = n && rng_one_in(r, 2) ? p[rng_below(r, n)] : random_##name(r, kind);           \
        const char *wrong = NULL;                                                                  \
        for (BODIES(simd)) {                                                                       \
            if (!wrong) wrong = name##_check_tests(p, n, test);                                    \
            if (!wrong) wrong = name##_check_ranks(p, n, k);                                       \
            if (!wrong) wrong = name##_check_sum(p, n);                                            \
        }                                                                                          \
        return wrong;                                                                              \
    }

static const char *f64_check_sum(const double *p, size_t n)
{
    double sum = ebb_f64_sum(p, n), wanted = plain_sum(p, n);
    CHECK(same_bits(&sum, &wanted, sizeof sum));
    return NULL;
}

static const char *f32_check_sum(const float *p, size_t n)
{
    static double wide[ROOM];
    for (size_t i = 0; i < n; i++) wide[i] = (double)p[i];
    double sum = ebb_f32_sum(p, n), wanted = plain_sum(wide, n);
    CHECK(same_bits(&sum, &wanted, sizeof sum));
    return NULL;
}

static const char *i32_check_sum(const int32_t *p, size_t n)
{
    int64_t wanted = 0;
    for (size_t i = 0; i < n; i++) wanted += p[i];
    CHECK(ebb_i32_sum(p, n) == wanted);
    return NULL;
}

static const char *u64_check_sum(const uint64_t *p, size_t n)
{
    uint64_t wanted = 0, sum = 12345;
    bool fits = true;
    for (size_t i = 0; i < n; i++) fits = !__builtin_add_overflow(wanted, p[i], &wanted) && fits;
    CHECK(ebb_u64_sum(p, n, &sum) == fits);
    CHECK(sum == (fits ? wanted : 12345));
    return NULL;
}

#define NAN_OF_FLOATS(x)   ((x) != (x))
#define NAN_OF_INTEGERS(x) ((void)(x), false)
MODEL(f32, float, NAN_OF_FLOATS)
MODEL(f64, double, NAN_OF_FLOATS)
MODEL(i32, int32_t, NAN_OF_INTEGERS)
MODEL(u64, uint64_t, NAN_OF_INTEGERS)

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Mostly good text, of few or of many kinds of characters, in which something may be spoilt. */
static void random_text(rng *r, unsigned char *p, size_t n)
{
    static const uint32_t reach[] = {0x80, 0x800, 0x10000, 0x110000};
    size_t kinds = 1 + rng_below(r, 4), ascii = 1 + rng_below(r, 60);
    for (size_t i = 0; i < n;) {
        unsigned char one[4];
        size_t kind = rng_below(r, ascii) ? 0 : rng_below(r, kinds);
        uint32_t code = (uint32_t)rng_below(r, reach[kind]);
        if (code >= 0xd800 && code < 0xe000 && !rng_one_in(r, 100)) code = 'x';
        size_t length = put_character(one, code);
        if (length > n - i) length = n - i; /* cut off */
        memcpy(p + i, one, length);
        i += length;
    }
    if (n && rng_one_in(r, 3)) p[rng_below(r, n)] = (unsigned char)rng_next(r);
}

static const char *bytes_round(rng *r, size_t n)
{
    static unsigned char memory[ROOM];
    unsigned char *p = memory + rng_below(r, 64);
    ebb_byteset set = {{{0}}};
    random_text(r, p, n);
    for (size_t i = rng_below(r, 6); i > 0; i--) {
        unsigned char first = (unsigned char)rng_next(r);
        ebb_byteset_add(&set, first, rng_one_in(r, 5) ? (unsigned char)(first | 7) : first);
    }
    size_t error = plain_utf8_error(p, n), at = 0;
    while (at < n && !ebb_byteset_has(&set, p[at])) at++;
    for (BODIES(simd)) {
        CHECK(ebb_utf8_find_error(str_of(p, n)) == error);
        CHECK(ebb_utf8_valid(str_of(p, n)) == (error == n));
        CHECK(ebb_byteset_find(&set, str_of(p, n)) == at);
    }
    return NULL;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

typedef const char *round_fn(rng *r, size_t n);

static void rounds(round_fn *one, const char *what, unsigned long count)
{
    for (unsigned long seed = 1; seed <= scaled(count); seed++) {
        rng r = {seed};
        size_t n = rng_below(&r, rng_one_in(&r, 200) ? LONG : SHORT);
        const char *wrong = one(&r, n);
        if (wrong) fprintf(stderr, "%s, seed %lu, n %zu: %s\n", what, seed, n, wrong);
        cr_assert(!wrong);
    }
}

/* Each round is OPERATIONS calls in each body. */
enum { ROUNDS = 1000000 / OPERATIONS / 4 };

Test(batch_model, f32)
{
    rounds(f32_round, "f32", ROUNDS);
}

Test(batch_model, f64)
{
    rounds(f64_round, "f64", ROUNDS);
}

Test(batch_model, i32)
{
    rounds(i32_round, "i32", ROUNDS);
}

Test(batch_model, u64)
{
    rounds(u64_round, "u64", ROUNDS);
}

Test(batch_model, bytes)
{
    rounds(bytes_round, "bytes", 300000);
}
