/*
 * tests/unit/test_batch.c: ebb/batch.h: what each function promises, in every body that this machine has.
 */
#include "test.h"

#include "batch.h"

#include <ebb/ebb.h>

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- bodies ---------------------------------------------------------------------------------- */

Test(batch, one_body_is_chosen)
{
    ebb_simd first = ebb_simd_get();
    cr_assert_neq(first, EBB_SIMD_AUTO);
    cr_assert(ebb_simd_set(EBB_SIMD_SCALAR));
    cr_assert_eq(ebb_simd_get(), EBB_SIMD_SCALAR);
    cr_assert(ebb_simd_set(EBB_SIMD_AUTO));
    if (!getenv("EBB_SIMD")) cr_assert_eq(ebb_simd_get(), first);
}

Test(batch, a_body_that_is_not_here_changes_nothing)
{
#if defined(__aarch64__)
    const ebb_simd missing = EBB_SIMD_AVX2;
#else
    const ebb_simd missing = EBB_SIMD_NEON;
#endif
    cr_assert(ebb_simd_set(EBB_SIMD_SCALAR));
    cr_assert(!ebb_simd_set(missing));
    cr_assert(!ebb_simd_set((ebb_simd)99));
    cr_assert(!ebb_simd_set((ebb_simd)-1));
    cr_assert_eq(ebb_simd_get(), EBB_SIMD_SCALAR);
}

static void ask_with(void *value)
{
    setenv("EBB_SIMD", value, 1);
    ebb_simd first = ebb_simd_get();
    if (ebb_simd_get() != first) _Exit(99);
    _Exit((int)first);
}

Test(batch, the_environment_chooses)
{
    death d = in_child(ask_with, (void *)"scalar");
    cr_assert(!d.signalled && d.code == EBB_SIMD_SCALAR && d.err[0] == '\0');
    d = in_child(ask_with, (void *)"auto");
    ebb_simd best = (ebb_simd)d.code;
    cr_assert(!d.signalled && best != EBB_SIMD_AUTO && d.err[0] == '\0');
    d = in_child(ask_with, (void *)"");
    cr_assert(d.code == (int)best && d.err[0] == '\0');
}

Test(batch, a_wrong_environment_is_named_once)
{
    const char *wrong[] = {"avx9", "Scalar", "scalar ", "neon"};
    death d = in_child(ask_with, (void *)"auto");
    int best = d.code;
    for (size_t i = 0; i < COUNT(wrong) - (best == EBB_SIMD_NEON); i++) {
        d = in_child(ask_with, (void *)wrong[i]);
        cr_assert(!d.signalled && d.code == best);
        const char *line = strstr(d.err, "EBB_SIMD=");
        cr_assert_not_null(line);
        cr_assert(strstr(line, wrong[i]) && !strstr(line + 1, "EBB_SIMD="));
    }
}

static void *sum_on_thread(void *wrong)
{
    float column[100];
    for (int i = 0; i < 100; i++) column[i] = (float)i;
    for (int i = 0; i < 1000; i++)
        if (ebb_f32_sum(column, 100) != 4950.0) atomic_store((atomic_bool *)wrong, true);
    return NULL;
}

Test(batch, threads_may_choose_and_use_at_once)
{
    pthread_t thread[4];
    atomic_bool wrong = false;
    for (size_t i = 0; i < COUNT(thread); i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, sum_on_thread, &wrong), 0);
    for (int i = 0; i < 1000; i++) ebb_simd_set(i % 2 ? EBB_SIMD_SCALAR : EBB_SIMD_AUTO);
    for (size_t i = 0; i < COUNT(thread); i++) pthread_join(thread[i], NULL);
    cr_assert(!wrong);
}

/* ---- nothing in, something clear out --------------------------------------------------------- */

Test(batch, an_empty_column_is_clear)
{
    for (BODIES(simd)) {
        uint64_t sum = 7;
        uint32_t row = 9;
        cr_assert(ebb_f32_sum(NULL, 0) == 0 && !signbit(ebb_f32_sum(NULL, 0)));
        cr_assert(ebb_f64_sum(NULL, 0) == 0 && ebb_i32_sum(NULL, 0) == 0);
        cr_assert(ebb_u64_sum(NULL, 0, &sum) && sum == 0);
        cr_assert(ebb_f32_argmin(NULL, 0) == 0 && ebb_f64_argmax(NULL, 0) == 0);
        cr_assert(ebb_i32_argmin(NULL, 0) == 0 && ebb_u64_argmax(NULL, 0) == 0);
        cr_assert(ebb_f32_min(NULL, 0) == HUGE_VALF && ebb_f32_max(NULL, 0) == -HUGE_VALF);
        cr_assert(ebb_f64_min(NULL, 0) == HUGE_VAL && ebb_f64_max(NULL, 0) == -HUGE_VAL);
        cr_assert(ebb_i32_min(NULL, 0) == INT32_MAX && ebb_i32_max(NULL, 0) == INT32_MIN);
        cr_assert(ebb_u64_min(NULL, 0) == UINT64_MAX && ebb_u64_max(NULL, 0) == 0);
        cr_assert(ebb_f32_find(NULL, 0, ebb_f32_ge(0)) == 0);
        cr_assert(ebb_u64_count(NULL, 0, ebb_u64_ge(0)) == 0);
        cr_assert(ebb_i32_filter(NULL, 0, ebb_i32_ge(0), &row) == 0 && row == 9);
        cr_assert(ebb_f64_top(NULL, 0, 16, &row) == 0 && ebb_f64_bottom(NULL, 0, 16, &row) == 0);
        cr_assert(ebb_utf8_valid(str_of(NULL, 0)) && ebb_utf8_find_error(str_of(NULL, 0)) == 0);
        ebb_byteset all = {{{0}}};
        ebb_byteset_add(&all, 0, 255);
        cr_assert_eq(ebb_byteset_find(&all, str_of(NULL, 0)), 0u);
    }
}

/* ---- sums ------------------------------------------------------------------------------------ */

Test(batch, floats_are_added_as_doubles)
{
    static float column[1 << 20];
    for (size_t i = 0; i < COUNT(column); i++) column[i] = i == 0 ? 0x1p24f : 1.0f;
    for (BODIES(simd)) cr_assert_eq(ebb_f32_sum(column, COUNT(column)), 0x1p24 + 0x1p20 - 1);
}

/* Values that cancel only in the order that is promised. */
Test(batch, lanes_are_added_in_a_fixed_order)
{
    double column[18] = {0};
    column[0] = 1e100, column[8] = -1e100; /* folded first */
    column[4] = 1.0, column[17] = 2.0;     /* 17 goes to lane 1 */
    column[1] = 1e100, column[16] = 0;
    column[9] = -1e100;
    for (BODIES(simd)) cr_assert_eq(ebb_f64_sum(column, 17), 1.0);
    /* 1e100 + 2 in lane 1 loses the 2 before lane 9 comes. */
    for (BODIES(simd)) cr_assert_eq(ebb_f64_sum(column, 18), 1.0);
    column[1] = column[9] = 0;
    for (BODIES(simd)) cr_assert_eq(ebb_f64_sum(column, 18), 3.0);
}

Test(batch, a_sum_that_is_nan_is_always_the_same_nan)
{
    double column[20] = {0}, wanted = NAN, sum;
    column[3] = -(double)NAN;
    float f32[20] = {0};
    f32[2] = HUGE_VALF, f32[10] = -HUGE_VALF;
    for (BODIES(simd)) {
        sum = ebb_f64_sum(column, 20);
        cr_assert_eq(memcmp(&sum, &wanted, sizeof sum), 0);
        sum = ebb_f32_sum(f32, 20);
        cr_assert_eq(memcmp(&sum, &wanted, sizeof sum), 0);
    }
}

Test(batch, negative_zeros_add_up_to_zero)
{
    float column[3] = {-0.0f, -0.0f, -0.0f};
    for (BODIES(simd)) cr_assert(!signbit(ebb_f32_sum(column, 3)));
}

Test(batch, integers_are_added_exactly)
{
    static int32_t i32[100000];
    for (size_t i = 0; i < COUNT(i32); i++) i32[i] = INT32_MIN;
    for (BODIES(simd)) cr_assert_eq(ebb_i32_sum(i32, COUNT(i32)), (int64_t)INT32_MIN * 100000);
}

Test(batch, a_sum_beyond_64_bits_fails)
{
    for (BODIES(simd)) {
        uint64_t column[9] = {0}, sum = 77;
        column[0] = UINT64_MAX - 2, column[7] = 1, column[8] = 1;
        cr_assert(ebb_u64_sum(column, 9, &sum) && sum == UINT64_MAX);
        column[4] = 1;
        sum = 77;
        cr_assert(!ebb_u64_sum(column, 9, &sum) && sum == 77);
        for (int i = 0; i < 9; i++) column[i] = UINT64_MAX;
        cr_assert(!ebb_u64_sum(column, 9, &sum) && sum == 77);
        for (int i = 0; i < 9; i++) column[i] = UINT32_MAX;
        cr_assert(ebb_u64_sum(column, 9, &sum) && sum == 9 * (uint64_t)UINT32_MAX);
    }
}

/* ---- least and greatest ---------------------------------------------------------------------- */

Test(batch, of_equals_the_first_is_returned)
{
    int32_t i32[] = {3, 9, 1, 9, 1, 4, 4, 4, 9, 1};
    float zero[] = {1, -0.0f, 0.0f, -0.0f, 2};
    for (BODIES(simd)) {
        cr_assert(ebb_i32_argmax(i32, COUNT(i32)) == 1 && ebb_i32_max(i32, COUNT(i32)) == 9);
        cr_assert(ebb_i32_argmin(i32, COUNT(i32)) == 2 && ebb_i32_min(i32, COUNT(i32)) == 1);
        cr_assert(ebb_f32_argmin(zero, COUNT(zero)) == 1 && signbit(ebb_f32_min(zero, 5)));
        cr_assert(ebb_f32_argmin(zero + 2, 3) == 0 && !signbit(ebb_f32_min(zero + 2, 3)));
    }
}

Test(batch, equals_far_apart)
{
    static float column[100000];
    for (BODIES(simd)) {
        memset(column, 0, sizeof column);
        cr_assert_eq(ebb_f32_argmax(column, COUNT(column)), 0u);
        column[99999] = 5;
        cr_assert_eq(ebb_f32_argmax(column, COUNT(column)), 99999u);
        column[5000] = 5;
        cr_assert_eq(ebb_f32_argmax(column, COUNT(column)), 5000u);
        column[4999] = 5; /* in the same block */
        cr_assert_eq(ebb_f32_argmax(column, COUNT(column)), 4999u);
    }
}

Test(batch, nan_is_least_or_greatest_only_alone)
{
    double one[] = {NAN, NAN, 1, NAN, -2, NAN, NAN, NAN, NAN};
    double infinite[] = {NAN, HUGE_VAL, NAN, -HUGE_VAL, NAN};
    float none[40];
    for (int i = 0; i < 40; i++) none[i] = NAN;
    for (BODIES(simd)) {
        cr_assert(ebb_f64_argmax(one, COUNT(one)) == 2 && ebb_f64_argmin(one, COUNT(one)) == 4);
        cr_assert(ebb_f64_argmax(infinite, 5) == 1 && ebb_f64_argmin(infinite, 5) == 3);
        cr_assert(ebb_f64_argmin(infinite, 3) == 1 && ebb_f64_min(infinite, 2) == HUGE_VAL);
        cr_assert(ebb_f32_argmax(none, 40) == 0 && isnan(ebb_f32_max(none, 40)));
        cr_assert(ebb_f32_argmin(none, 40) == 0 && isnan(ebb_f32_min(none, 40)));
    }
}

Test(batch, u64_is_unsigned)
{
    uint64_t column[] = {5, UINT64_MAX, 1, (uint64_t)1 << 63, 7, 0, INT64_MAX, 3, UINT64_MAX};
    uint32_t rows[9];
    for (BODIES(simd)) {
        cr_assert(ebb_u64_argmax(column, 9) == 1 && ebb_u64_argmin(column, 9) == 5);
        cr_assert_eq(ebb_u64_count(column, 9, ebb_u64_gt(INT64_MAX)), 3u);
        cr_assert_eq(ebb_u64_count(column, 9, ebb_u64_between(1, UINT64_MAX - 1)), 6u);
        cr_assert_eq(ebb_u64_top(column, 9, 4, rows), 4u);
        cr_assert(rows[0] == 1 && rows[1] == 8 && rows[2] == 3 && rows[3] == 6);
    }
}

/* ---- what passes ----------------------------------------------------------------------------- */

/* 1, 2, 3, 4, 5, 1, 2, ... in groups and a rest. */
#define COMPARISONS(name, T)                                                                       \
    static void name##_comparisons(void)                                                           \
    {                                                                                              \
        T column[75];                                                                              \
        for (size_t i = 0; i < 75; i++) column[i] = (T)(i % 5 + 1);                                \
        cr_assert_eq(ebb_##name##_count(column, 75, ebb_##name##_lt(3)), 30u);                     \
        cr_assert_eq(ebb_##name##_count(column, 75, ebb_##name##_le(3)), 45u);                     \
        cr_assert_eq(ebb_##name##_count(column, 75, ebb_##name##_gt(3)), 30u);                     \
        cr_assert_eq(ebb_##name##_count(column, 75, ebb_##name##_ge(3)), 45u);                     \
        cr_assert_eq(ebb_##name##_count(column, 75, ebb_##name##_eq(3)), 15u);                     \
        cr_assert_eq(ebb_##name##_count(column, 75, ebb_##name##_between(2, 4)), 45u);             \
        cr_assert_eq(ebb_##name##_count(column, 75, ebb_##name##_between(4, 2)), 0u);              \
        cr_assert_eq(ebb_##name##_find(column, 75, ebb_##name##_ge(4)), 3u);                       \
        cr_assert_eq(ebb_##name##_find(column, 75, ebb_##name##_gt(5)), 75u);                      \
    }
COMPARISONS(f32, float)
COMPARISONS(f64, double)
COMPARISONS(i32, int32_t)
COMPARISONS(u64, uint64_t)

Test(batch, each_comparison)
{
    for (BODIES(simd)) f32_comparisons(), f64_comparisons(), i32_comparisons(), u64_comparisons();
}

Test(batch, a_comparison_that_is_none_passes_nothing)
{
    int32_t column[40] = {0};
    uint32_t rows[40];
    ebb_i32_test none = ebb_i32_eq(0);
    none.compare = (ebb_compare)42;
    for (BODIES(simd)) {
        cr_assert(ebb_i32_find(column, 40, none) == 40 && ebb_i32_count(column, 40, none) == 0);
        cr_assert_eq(ebb_i32_filter(column, 40, none, rows), 0u);
    }
}

Test(batch, nan_passes_nothing)
{
    float column[64];
    for (int i = 0; i < 64; i++) column[i] = i % 2 ? NAN : (float)(i % 16);
    const ebb_f32_test by_nan[] = {
        ebb_f32_lt(NAN), ebb_f32_le(NAN),         ebb_f32_gt(NAN),         ebb_f32_ge(NAN),
        ebb_f32_eq(NAN), ebb_f32_between(0, NAN), ebb_f32_between(NAN, 99)};
    for (BODIES(simd)) {
        cr_assert_eq(ebb_f32_count(column, 64, ebb_f32_ge(-HUGE_VALF)), 32u);
        cr_assert_eq(ebb_f32_count(column, 64, ebb_f32_between(-99, 99)), 32u);
        for (size_t i = 0; i < COUNT(by_nan); i++)
            cr_assert_eq(ebb_f32_count(column, 64, by_nan[i]), 0u);
    }
}

Test(batch, every_mask_of_eight)
{
    for (BODIES(simd))
        for (unsigned mask = 0; mask < 256; mask++) {
            int32_t column[8];
            uint32_t rows[8], wanted[8];
            size_t count = 0;
            for (uint32_t i = 0; i < 8; i++) {
                column[i] = (int32_t)(mask >> i & 1);
                if (column[i]) wanted[count++] = i;
            }
            cr_assert_eq(ebb_i32_filter(column, 8, ebb_i32_eq(1), rows), count);
            cr_assert_eq(memcmp(rows, wanted, count * sizeof *rows), 0);
        }
}

Test(batch, more_than_indices_can_count_is_refused)
{
    if (SIZE_MAX == UINT32_MAX) cr_skip_test("no such column exists");
    size_t n = (size_t)UINT32_MAX + 1, count = 5;
    float value = 1;
    uint32_t row = 7;
    cr_assert_eq(ebb_f32_filter(&value, n, ebb_f32_gt(0), &row), EBB_TOO_MANY);
    cr_assert_eq(ebb_f32_top(&value, n, 1, &row), EBB_TOO_MANY);
    cr_assert_eq(ebb_f32_bottom(&value, n, 1, &row), EBB_TOO_MANY);
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert_null(ebb_f32_filter_in(a, &value, n, ebb_f32_gt(0), &count));
    cr_assert(row == 7 && count == 5);
    cr_assert_neq(ebb_failed(a), EBB_OK);
    ebb_arena_destroy(&a);
}

/* ---- in an arena ----------------------------------------------------------------------------- */

Test(batch, filter_in_takes_what_passes)
{
    static double column[50000];
    for (size_t i = 0; i < COUNT(column); i++) column[i] = i % 1000 ? 0 : 1;
    for (BODIES(simd)) {
        ebb_arena *a = ebb_arena_create(NULL);
        size_t count = 0;
        uint32_t *rows = ebb_f64_filter_in(a, column, COUNT(column), ebb_f64_gt(0), &count);
        cr_assert(rows && count == 50);
        for (uint32_t i = 0; i < 50; i++) cr_assert_eq(rows[i], i * 1000);
        ebb_arena_stats stats;
        ebb_arena_get_stats(a, &stats);
        cr_assert(!layout_is_plain() || stats.held < 4096);
        rows = ebb_f64_filter_in(a, column, COUNT(column), ebb_f64_lt(0), &count);
        cr_assert(rows && count == 0);
        rows = ebb_f64_filter_in(a, column, 7, ebb_f64_ge(0), &count);
        cr_assert(rows && count == 7 && rows[6] == 6);
        cr_assert_null(ebb_arena_validate(a));
        ebb_arena_destroy(&a);
    }
}

static const uint32_t all_rows[4096];

static int filter_all(ebb_arena *a, void *arg)
{
    const int32_t *column = (const int32_t *)all_rows;
    cr_assert_not_null(ebb_i32_filter_in(a, column, 4096, ebb_i32_eq(0), arg));
    return 0;
}

Test(batch, filter_in_fails_as_alloc_does)
{
    const int32_t *column = (const int32_t *)all_rows;
    size_t count = 99;
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_arena_set_limit(a, 0, 2048, 0);
    cr_assert_null(ebb_i32_filter_in(a, column, 4096, ebb_i32_eq(0), &count));
    cr_assert(count == 99 && ebb_failed(a) == EBB_E_LIMIT);
    ebb_recover(a);
    cr_assert_eq(ebb_try(a, filter_all, &count), EBB_E_LIMIT);
    cr_assert_eq(count, 99u);
    cr_assert_not_null(ebb_i32_filter_in(a, column, 4096, ebb_i32_eq(1), &count));
    cr_assert_eq(count, 0u);
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

/* ---- the best k ------------------------------------------------------------------------------ */

Test(batch, the_best_come_first_and_equals_in_order)
{
    float column[] = {1, 5, 3, 5, 2, 3, -1};
    uint32_t rows[8] = {0};
    for (BODIES(simd)) {
        cr_assert_eq(ebb_f32_top(column, 7, 4, rows), 4u);
        cr_assert(rows[0] == 1 && rows[1] == 3 && rows[2] == 2 && rows[3] == 5);
        cr_assert_eq(ebb_f32_bottom(column, 7, 3, rows), 3u);
        cr_assert(rows[0] == 6 && rows[1] == 0 && rows[2] == 4);
        rows[0] = 88;
        cr_assert(ebb_f32_top(column, 7, 0, rows) == 0 && rows[0] == 88);
        rows[7] = 88;
        cr_assert(ebb_f32_top(column, 7, 100, rows) == 7 && rows[7] == 88);
        cr_assert(rows[0] == 1 && rows[6] == 6);
    }
}

Test(batch, of_the_best_nan_comes_last)
{
    double column[] = {NAN, 3, NAN, -HUGE_VAL, NAN, HUGE_VAL, NAN, 3};
    uint32_t rows[8];
    for (BODIES(simd)) {
        cr_assert_eq(ebb_f64_top(column, 8, 8, rows), 8u);
        const uint32_t top[] = {5, 1, 7, 3, 0, 2, 4, 6}, bottom[] = {3, 1, 7, 5, 0, 2, 4, 6};
        cr_assert_eq(memcmp(rows, top, sizeof top), 0);
        cr_assert_eq(ebb_f64_top(column, 8, 5, rows), 5u);
        cr_assert_eq(memcmp(rows, top, 5 * sizeof *top), 0);
        cr_assert_eq(ebb_f64_bottom(column, 8, 8, rows), 8u);
        cr_assert_eq(memcmp(rows, bottom, sizeof bottom), 0);
        cr_assert_eq(ebb_f64_bottom(column, 8, 2, rows), 2u);
        cr_assert_eq(memcmp(rows, bottom, 2 * sizeof *bottom), 0);
    }
}

Test(batch, columns_that_rise_fall_and_stay)
{
    enum { N = 5000, K = 300 };
    static uint64_t rising[N], falling[N], level[N];
    uint32_t rows[K];
    for (uint64_t i = 0; i < N; i++) rising[i] = i, falling[i] = N - i, level[i] = 3;
    for (BODIES(simd)) {
        ebb_u64_top(rising, N, K, rows);
        for (uint32_t i = 0; i < K; i++) cr_assert_eq(rows[i], N - 1 - i);
        ebb_u64_top(falling, N, K, rows);
        for (uint32_t i = 0; i < K; i++) cr_assert_eq(rows[i], i);
        ebb_u64_top(level, N, K, rows);
        for (uint32_t i = 0; i < K; i++) cr_assert_eq(rows[i], i);
        ebb_u64_bottom(falling, N, K, rows);
        for (uint32_t i = 0; i < K; i++) cr_assert_eq(rows[i], N - 1 - i);
    }
}

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

enum { FRAME = 200 };

/* Whether the bytes are judged alike, wherever they lie among good ones. */
static bool judged_alike(const unsigned char *bytes, size_t n, size_t step)
{
    static unsigned char frame[FRAME];
    for (size_t at = 0; at + n <= FRAME; at += step) {
        memset(frame, 'a', FRAME);
        memcpy(frame + at, bytes, n);
        size_t wanted = plain_utf8_error(frame, FRAME);
        if (ebb_utf8_find_error(str_of(frame, FRAME)) != wanted) return false;
        if (ebb_utf8_valid(str_of(frame, FRAME)) != (wanted == FRAME)) return false;
        wanted = plain_utf8_error(frame, at + n); /* cut off behind them */
        if (ebb_utf8_find_error(str_of(frame, at + n)) != wanted) return false;
    }
    return true;
}

Test(batch, every_character_is_valid_but_surrogates)
{
    unsigned char text[4 * 1024];
    for (BODIES(simd))
        for (uint32_t code = 0, n; code < 0x110000; code += 1024) {
            n = 0;
            for (uint32_t i = code; i < code + 1024; i++) n += (uint32_t)put_character(text + n, i);
            bool surrogates = code >= 0xd800 && code < 0xe000;
            cr_assert_eq(ebb_utf8_valid(str_of(text, n)), !surrogates);
            if (surrogates) cr_assert_eq(ebb_utf8_find_error(str_of(text, n)), 0u);
        }
}

Test(batch, every_pair_of_bytes)
{
    for (BODIES(simd))
        for (unsigned pair = 0; pair < 0x10000; pair++) {
            unsigned char bytes[2] = {(unsigned char)(pair >> 8), (unsigned char)pair};
            cr_assert(judged_alike(bytes, 2, 61));
        }
}

/* Bytes at the edges of the classes. */
static const unsigned char edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                      0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
                                      0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff};

Test(batch, every_four_bytes_at_the_edges)
{
    size_t n = COUNT(edges), all = n * n * n * n;
    size_t step = scaled(100) < 100 ? 101 : 1; /* under a tool, some of them */
    for (BODIES(simd))
        for (size_t i = 0; i < all; i += step) {
            unsigned char bytes[4] = {edges[i % n], edges[i / n % n], edges[i / n / n % n],
                                      edges[i / n / n / n]};
            cr_assert(judged_alike(bytes, 4, 62));
        }
}

Test(batch, an_error_is_found_wherever_it_is)
{
    const char *wrong[] = {"\x80",
                           "\xc3",
                           "\xe2\x82",
                           "\xf0\x9f\x98",
                           "\xed\xa0\x80",
                           "\xc0\x80",
                           "\xf4\x90\x80\x80",
                           "\xff",
                           "\xe2\x82\xac\x80",
                           "\xc3\xa9\xc3"};
    for (BODIES(simd))
        for (size_t i = 0; i < COUNT(wrong); i++)
            cr_assert(judged_alike((const unsigned char *)wrong[i], strlen(wrong[i]), 1));
}

/* ---- sets of bytes --------------------------------------------------------------------------- */

Test(batch, a_set_has_what_was_put_in)
{
    ebb_byteset set = ebb_byteset_of(str_of("a\0\xff", 3));
    ebb_byteset_add(&set, '0', '9');
    ebb_byteset_add(&set, 'z', 'y'); /* none */
    ebb_byteset inverted = ebb_byteset_invert(&set);
    for (unsigned c = 0; c < 256; c++) {
        bool in = c == 'a' || c == 0 || c == 0xff || (c >= '0' && c <= '9');
        cr_assert_eq(ebb_byteset_has(&set, (unsigned char)c), in);
        cr_assert_eq(ebb_byteset_has(&inverted, (unsigned char)c), !in);
    }
}

Test(batch, every_byte_is_found_by_its_set_alone)
{
    char text[100];
    for (BODIES(simd))
        for (unsigned c = 0; c < 256; c++) {
            ebb_byteset set = {{{0}}};
            ebb_byteset_add(&set, (unsigned char)c, (unsigned char)c);
            for (unsigned i = 0; i < 100; i++) text[i] = (char)((c + 1 + i) & 255);
            cr_assert_eq(ebb_byteset_find(&set, str_of(text, 100)), 100u);
            for (size_t at = 0; at < 100; at += 9) {
                char kept = text[at];
                text[at] = (char)c;
                for (size_t n = at; n <= 100; n++)
                    cr_assert_eq(ebb_byteset_find(&set, str_of(text, n)), at);
                text[at] = kept;
            }
        }
}

/* ---- nothing is touched but what was given --------------------------------------------------- */

typedef struct room {
    guarded column, rows;
} room;

/* All functions of a type over n values at p, with room for n indices that ends at a guard. */
#define TOUCH(name, T)                                                                             \
    static void touch_##name(const void *p, size_t n, room *r)                                     \
    {                                                                                              \
        const ebb_##name##_test tests[] = {ebb_##name##_lt(1),      ebb_##name##_le(1),            \
                                           ebb_##name##_gt(1),      ebb_##name##_ge(0),            \
                                           ebb_##name##_eq((T)0.5), ebb_##name##_between(0, 1)};   \
        uint32_t *rows = (uint32_t *)(void *)r->rows.last - n;                                     \
        ebb_##name##_argmin(p, n);                                                                 \
        ebb_##name##_argmax(p, n);                                                                 \
        for (size_t i = 0; i < COUNT(tests); i++) {                                                \
            ebb_##name##_find(p, n, tests[i]);                                                     \
            ebb_##name##_count(p, n, tests[i]);                                                    \
            ebb_##name##_filter(p, n, tests[i], rows);                                             \
        }                                                                                          \
        ebb_##name##_top(p, n, n, rows);                                                           \
        size_t k = n < 3 ? n : 3;                                                                  \
        ebb_##name##_top(p, n, 3, (uint32_t *)(void *)r->rows.last - k);                           \
        ebb_##name##_bottom(p, n, 3, (uint32_t *)(void *)r->rows.first);                           \
    }
TOUCH(f32, float)
TOUCH(f64, double)
TOUCH(i32, int32_t)
TOUCH(u64, uint64_t)

static void touch_bytes(const char *p, size_t n)
{
    ebb_byteset set = ebb_byteset_of(str_of("\1\2\xff", 3));
    ebb_utf8_find_error(str_of(p, n));
    ebb_byteset_find(&set, str_of(p, n));
}

/* Either behind the guard in front, or up to the one behind. */
static const void *place(const guarded *g, size_t size, bool at_end)
{
    return at_end ? g->last - size : g->first;
}

static void touch_columns(size_t n, bool at_end, room *r)
{
    const void *four = place(&r->column, n * sizeof(float), at_end);
    const void *eight = place(&r->column, n * sizeof(double), at_end);
    uint64_t sum;
    touch_f32(four, n, r), touch_i32(four, n, r);
    touch_f64(eight, n, r), touch_u64(eight, n, r);
    ebb_f32_sum(four, n), ebb_i32_sum(four, n), ebb_f64_sum(eight, n);
    cr_assert(ebb_u64_sum(eight, n, &sum) && sum == 0);
}

Test(batch, nothing_outside_is_touched)
{
    enum { MOST = 300 };
    room r;
    cr_assert(guarded_init(&r.column, MOST * sizeof(double)));
    cr_assert(guarded_init(&r.rows, MOST * sizeof(uint32_t)));
    for (BODIES(simd))
        for (size_t n = 0; n <= MOST; n++) {
            touch_bytes(place(&r.column, n, false), n);
            touch_bytes(place(&r.column, n, true), n);
            touch_columns(n, false, &r);
            touch_columns(n, true, &r);
        }
    guarded_fini(&r.column);
    guarded_fini(&r.rows);
}

Test(batch, a_character_cut_off_at_the_end_is_not_read_on)
{
    static const unsigned char leads[] = {0xc3, 0xe0, 0xe2, 0xf0, 0xf4};
    guarded g;
    cr_assert(guarded_init(&g, 256));
    memset(g.first, 'a', (size_t)(g.last - g.first));
    for (BODIES(simd))
        for (size_t i = 0; i < COUNT(leads); i++)
            for (size_t n = 1; n <= 256; n++) {
                g.last[-1] = (char)leads[i];
                cr_assert_eq(ebb_utf8_find_error(str_of(g.last - n, n)), n - 1);
            }
    guarded_fini(&g);
}
