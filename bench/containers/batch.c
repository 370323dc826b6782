/*
 * bench/containers/batch.c: the measuring program of ebb/batch.h.
 *
 *     bench-batch [--rounds N] [--only WORKLOAD]
 *
 * prints raw samples (bench/harness/harness.h); `./run bench containers` makes tables of them. An
 * operation is one question asked of a column of 100,000 values, of a text of 64 KiB, or of a text of 20
 * bytes. "scalar" is Ebb's own body in plain C, compiled as the rest.
 */
#include "batch.h"

#include "../harness/asked.h"

#include <ebb/ebb.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if BENCH_HAVE_GLIB
#include <glib.h>
#endif

#define COUNT(array) (sizeof(array) / sizeof *(array))

columns *bench_columns;
volatile uint64_t bench_sink;

/* ---- columns --------------------------------------------------------------------------------- */

static void fill_columns(void)
{
    bench_random r = {7};
    bench_columns = bench_need(sizeof *bench_columns);
    for (size_t i = 0; i < VALUES; i++) {
        bench_columns->f32[i] = (float)bench_random_unit(&r);
        bench_columns->f64[i] = bench_random_unit(&r);
        bench_columns->i32[i] = (int32_t)bench_random_next(&r);
        bench_columns->u64[i] = bench_random_next(&r);
    }
}

/* A contestant in Ebb's best body and the same in its scalar one. */
#define BOTH(name, expression)                                                                     \
    static void name(size_t ops)                                                                   \
    {                                                                                              \
        const columns *c = bench_columns;                                                          \
        uint32_t *rows = bench_columns->rows;                                                      \
        (void)c, (void)rows;                                                                       \
        while (ops-- > 0) bench_sink = (uint64_t)(expression);                                     \
    }                                                                                              \
    static void name##_best(void *state, size_t ops)                                               \
    {                                                                                              \
        (void)state;                                                                               \
        ebb_simd_set(EBB_SIMD_AUTO);                                                               \
        name(ops);                                                                                 \
    }                                                                                              \
    static void name##_scalar(void *state, size_t ops)                                             \
    {                                                                                              \
        (void)state;                                                                               \
        ebb_simd_set(EBB_SIMD_SCALAR);                                                             \
        name(ops);                                                                                 \
    }

static uint64_t u64_sum(void)
{
    uint64_t sum = 0;
    return ebb_u64_sum(bench_columns->u64, VALUES, &sum) ? sum : 1;
}

BOTH(argmax_f32, ebb_f32_argmax(c->f32, VALUES))
BOTH(argmax_f64, ebb_f64_argmax(c->f64, VALUES))
BOTH(argmax_i32, ebb_i32_argmax(c->i32, VALUES))
BOTH(argmax_u64, ebb_u64_argmax(c->u64, VALUES))
BOTH(top_f32, ebb_f32_top(c->f32, VALUES, BEST, rows))
BOTH(top_many_f32, ebb_f32_top(c->f32, VALUES, VALUES / 10, rows))
BOTH(top_u64, ebb_u64_top(c->u64, VALUES, BEST, rows))
BOTH(filter_half, ebb_f32_filter(c->f32, VALUES, ebb_f32_gt(0.5f), rows))
BOTH(filter_few, ebb_f32_filter(c->f32, VALUES, ebb_f32_gt(0.99f), rows))
BOTH(filter_f64, ebb_f64_filter(c->f64, VALUES, ebb_f64_between(0.25, 0.75), rows))
BOTH(filter_u64, ebb_u64_filter(c->u64, VALUES, ebb_u64_lt(UINT64_MAX / 2), rows))
BOTH(count_f32, ebb_f32_count(c->f32, VALUES, ebb_f32_gt(0.5f)))
BOTH(sum_f32, ebb_f32_sum(c->f32, VALUES))
BOTH(sum_f64, ebb_f64_sum(c->f64, VALUES))
BOTH(sum_u64, u64_sum())

/* The loop that one writes without thinking: the index is kept along. */
static void argmax_loop(void *state, size_t ops)
{
    const float *p = bench_columns->f32;
    (void)state;
    while (ops-- > 0) {
        size_t best = 0;
        for (size_t i = 1; i < VALUES; i++)
            if (p[i] > p[best]) best = i;
        bench_sink = best;
    }
}

/* ---- text ------------------------------------------------------------------------------------ */

static char ascii[TEXT + 1], mixed[TEXT + 1], greek[TEXT + 1],
    short_text[SHORT_TEXTS][SHORT_TEXT + 1];

static size_t put(char *p, uint32_t code)
{
    if (code < 0x80) return p[0] = (char)code, 1;
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length; i-- > 1; code >>= 6) p[i] = (char)(0x80 | (code & 0x3f));
    p[0] = (char)((0xf00u >> length) | code);
    return length;
}

/* Words of ASCII, of Greek, of Chinese, and single emoji, in the proportions given. */
static void fill_text(char *text, size_t greek_in_8, size_t chinese_in_8)
{
    bench_random r = {11};
    size_t at = 0;
    while (at < TEXT - 64) {
        size_t pick = bench_random_next(&r) % 8, letters = 2 + bench_random_next(&r) % 8;
        uint32_t from = pick < greek_in_8 ? 0x3b1 : pick < greek_in_8 + chinese_in_8 ? 0x4e00 : 'a';
        for (size_t i = 0; i < letters; i++)
            at += put(text + at, from + (uint32_t)(bench_random_next(&r) % 24));
        if (chinese_in_8 && bench_random_next(&r) % 16 == 0) at += put(text + at, 0x1f600);
        text[at++] = ' ';
    }
    memset(text + at, 'x', TEXT - at);
}

static void fill_texts(void)
{
    bench_random r = {13};
    fill_text(ascii, 0, 0);
    fill_text(greek, 8, 0);
    fill_text(mixed, 2, 2);
    for (size_t i = 0; i < SHORT_TEXTS; i++)
        for (size_t j = 0; j < SHORT_TEXT; j++)
            short_text[i][j] = (char)('a' + bench_random_next(&r) % 26);
}

static ebb_str text_of(const char *p)
{
    return (ebb_str){p, TEXT};
}

/* What a JSON writer must escape, and a set of one byte; in none of the texts. */
static const char escaped[] =
    "\"\\\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20\21\22\23\24\25\26\27\30"
    "\31\32\33\34\35\36\37";
static ebb_byteset escaped_set, one_set;

static uint64_t short_ebb(size_t (*one)(ebb_str))
{
    uint64_t sum = 0;
    for (size_t i = 0; i < SHORT_TEXTS; i++) sum += one((ebb_str){short_text[i], SHORT_TEXT});
    return sum;
}

static size_t find_escaped(ebb_str s)
{
    return ebb_byteset_find(&escaped_set, s);
}

BOTH(utf8_ascii, ebb_utf8_valid(text_of(ascii)))
BOTH(utf8_greek, ebb_utf8_valid(text_of(greek)))
BOTH(utf8_mixed, ebb_utf8_valid(text_of(mixed)))
BOTH(utf8_short, short_ebb(ebb_utf8_find_error))
BOTH(set_long, find_escaped(text_of(ascii)))
BOTH(set_short, short_ebb(find_escaped))
BOTH(set_one, ebb_byteset_find(&one_set, text_of(ascii)))

#define PEER(name, expression)                                                                     \
    static void name(void *state, size_t ops)                                                      \
    {                                                                                              \
        (void)state;                                                                               \
        while (ops-- > 0) bench_sink = (uint64_t)(expression);                                     \
    }

static uint64_t short_strcspn(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < SHORT_TEXTS; i++) sum += strcspn(short_text[i], escaped);
    return sum;
}

PEER(strcspn_long, strcspn(ascii, escaped))
PEER(strcspn_short, short_strcspn())
PEER(strcspn_one, strcspn(ascii, "\n"))
PEER(memchr_one, (uintptr_t)memchr(ascii, '\n', TEXT))

#if BENCH_HAVE_GLIB
static uint64_t short_glib(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < SHORT_TEXTS; i++)
        sum += (uint64_t)g_utf8_validate(short_text[i], SHORT_TEXT, NULL);
    return sum;
}

PEER(glib_ascii, g_utf8_validate(ascii, TEXT, NULL))
PEER(glib_greek, g_utf8_validate(greek, TEXT, NULL))
PEER(glib_mixed, g_utf8_validate(mixed, TEXT, NULL))
PEER(glib_short, short_glib())
#endif

/* ---- workloads ------------------------------------------------------------------------------- */

#define PAIR(workload, name)                                                                       \
    {workload, "ebb", name##_best},                                                                \
    {                                                                                              \
        workload, "scalar", name##_scalar                                                          \
    }

static const contestant contestants[] = {
    PAIR("argmax f32", argmax_f32),
    {"argmax f32", "a loop with the index", argmax_loop},
    PAIR("argmax f64", argmax_f64),
    PAIR("argmax i32", argmax_i32),
    PAIR("argmax u64", argmax_u64),
    PAIR("top 16 f32", top_f32),
    PAIR("top 16 u64", top_u64),
    PAIR("top 10000 f32", top_many_f32),
    PAIR("filter f32 50 %", filter_half),
    PAIR("filter f32 1 %", filter_few),
    PAIR("filter f64 between", filter_f64),
    PAIR("filter u64 50 %", filter_u64),
    PAIR("count f32", count_f32),
    PAIR("sum f32", sum_f32),
    PAIR("sum f64", sum_f64),
    PAIR("sum u64", sum_u64),
    PAIR("UTF-8 ASCII 64 KiB", utf8_ascii),
    PAIR("UTF-8 mixed 64 KiB", utf8_mixed),
    PAIR("UTF-8 Greek 64 KiB", utf8_greek),
    PAIR("UTF-8 64 x 20 bytes", utf8_short),
    PAIR("33 bytes in 64 KiB", set_long),
    {"33 bytes in 64 KiB", "strcspn", strcspn_long},
    PAIR("33 bytes in 64 x 20", set_short),
    {"33 bytes in 64 x 20", "strcspn", strcspn_short},
    PAIR("1 byte in 64 KiB", set_one),
    {"1 byte in 64 KiB", "strcspn", strcspn_one},
    {"1 byte in 64 KiB", "memchr", memchr_one},
#if BENCH_HAVE_GLIB
    {"UTF-8 ASCII 64 KiB", "g_utf8_validate", glib_ascii},
    {"UTF-8 mixed 64 KiB", "g_utf8_validate", glib_mixed},
    {"UTF-8 Greek 64 KiB", "g_utf8_validate", glib_greek},
    {"UTF-8 64 x 20 bytes", "g_utf8_validate", glib_short},
#endif
};

/* 40 GB/s in 64 KiB. */
static const double ASCII_GOAL_NS = TEXT / 40.0;

static const double TIMES_SCALAR = 4;

enum { MOST = 8, ROUNDS = 40 };

static const double BATCH_NS = 5e5;

static size_t enter(bench_entry *entries, size_t n, const contestant *from, size_t count,
                    const char *workload)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(from[i].workload, workload) != 0) continue;
        entries[n++] = (bench_entry){.name = from[i].name, .run = from[i].run};
    }
    return n;
}

static void measure(const bench_asked *o)
{
    for (size_t i = 0; i < COUNT(contestants); i++) {
        const char *workload = contestants[i].workload;
        bench_entry entries[MOST] = {{0}};
        if (strcmp(contestants[i].name, "ebb") != 0) continue;
        if (!bench_is_asked(o, workload)) continue;
        size_t n = enter(entries, 0, contestants, COUNT(contestants), workload);
#if BENCH_HAVE_CPP
        n = enter(entries, n, bench_std_contestants, bench_std_count, workload);
#endif
        bench_plan plan = {workload, o->rounds, BATCH_NS};
        bench_measure(entries, n, &plan);
    }
}

static void print_goals(void)
{
    const bench_goal goals[] = {
        {"argmax f32", "scalar", TIMES_SCALAR, 0},
        {"top 16 f32", "scalar", TIMES_SCALAR, 0},
        {"filter f32 50 %", "scalar", TIMES_SCALAR, 0},
        {"filter f32 1 %", "scalar", TIMES_SCALAR, 0},
        {"UTF-8 ASCII 64 KiB", NULL, 0, ASCII_GOAL_NS},
    };
    bench_print_goals(goals, COUNT(goals));
}

int main(int argc, char **argv)
{
    bench_asked o = {.rounds = ROUNDS};
    bench_read_asked(&o, argc, argv);
    fill_columns();
    fill_texts();
    escaped_set = ebb_byteset_of((ebb_str){escaped, sizeof escaped - 1});
    one_set = ebb_byteset_of((ebb_str){"\n", 1});
    bench_pin(0);
    measure(&o);
    print_goals();
    return 0;
}
