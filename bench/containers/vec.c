/*
 * bench/containers/vec.c: vectors, sorts, heaps and queues against what C and C++ programs use.
 *
 *     bench-vec [--rounds N] [--only WORKLOAD]
 *
 * Lists are filled item by item and added up; Ebb makes a scope for every 64 of them, the peers make
 * and free each. Arrays to be sorted are copied first, which is part of the figure for all. Figures
 * are for a whole list or array, or for one look-up.
 */
#include "vec.h"

#include "../harness/asked.h"

#include <ebb/ebb.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if BENCH_HAVE_GLIB
#include <glib.h>
#endif

#define COUNT(array) (sizeof(array) / sizeof *(array))

vec_inputs *bench_vec;

/* ---- inputs ---------------------------------------------------------------------------------- */

static void fill_inputs(void)
{
    bench_random random = {7};
    vec_inputs *in = bench_vec = bench_need(sizeof *bench_vec);
    for (size_t i = 0; i < LISTS; i++) {
        in->len[i] = 1 + bench_random_next(&random) % SHORT;
        in->longer_len[i] = 1 + bench_random_next(&random) % LONGER;
    }
    for (size_t i = 0; i < HUGE; i++) {
        in->random[i] = bench_random_next(&random);
        in->ascending[i] = 2 * i;
        in->work[i] = 0;
    }
    for (size_t i = 0; i < LARGE; i++) {
        in->few_keys[i] = bench_random_next(&random) % FEW;
        in->records[i] = (record){.key = bench_random_next(&random)};
        in->record_work[i] = in->records[i];
    }
}

/* ---- Ebb: lists ------------------------------------------------------------------------------ */

#define EBB_SMALLVEC small, uint64_t, 8
#include <ebb/smallvec_of.h>

static ebb_profile list_request = EBB_PROFILE("lists"), array_request = EBB_PROFILE("arrays");
static ebb_arena *request;

static ebb_arena *scope_of(size_t i, size_t every, ebb_profile *profile)
{
    if (!request || i % every == 0) {
        ebb_scope_end(&request);
        request = ebb_scope_begin(profile);
    }
    return request;
}

static inline void ebb_small(ebb_arena *a, size_t n)
{
    small v = small_in(a);
    for (size_t k = 0; k < n; k++) small_push(&v, k);
    keep(&v);
    uint64_t sum = 0;
    const uint64_t *p = small_ptr(&v);
    for (size_t k = 0; k < v.len; k++) sum += p[k];
    keep_value(sum);
}

static void ebb_short(size_t i)
{
    ebb_small(scope_of(i, REQUEST, &list_request), bench_vec->len[i % LISTS]);
}

static void ebb_longer(size_t i)
{
    ebb_small(scope_of(i, REQUEST, &list_request), bench_vec->longer_len[i % LISTS]);
}

static inline void ebb_fill(ebb_arena *a, size_t n)
{
    ebb_vec_u64 v = ebb_vec_u64_in(a);
    for (size_t k = 0; k < n; k++) ebb_vec_u64_push(&v, k);
    keep(&v);
    uint64_t sum = 0;
    for (size_t k = 0; k < v.len; k++) sum += v.ptr[k];
    keep_value(sum);
}

static void ebb_vec_short(size_t i)
{
    ebb_fill(scope_of(i, REQUEST, &list_request), bench_vec->len[i % LISTS]);
}

static void ebb_fill_small(size_t i)
{
    ebb_fill(scope_of(i, 1, &array_request), SMALL);
}

static void ebb_fill_huge(size_t i)
{
    ebb_fill(scope_of(i, 1, &array_request), HUGE);
}

/* ---- Ebb: arrays ----------------------------------------------------------------------------- */

#define EBB_SORT       up, uint64_t
#define EBB_LESS(a, b) ((a) < (b))
#include <ebb/sort_of.h>

#define EBB_SORT       by_key, record
#define EBB_LESS(a, b) ((a).key < (b).key)
#include <ebb/sort_of.h>

#define EBB_HEAP       queue, uint64_t
#define EBB_LESS(a, b) ((a) < (b))
#include <ebb/heap_of.h>

#define EBB_DEQUE fifo, uint64_t
#include <ebb/deque_of.h>

static uint64_t *work_copy(const uint64_t *from, size_t n)
{
    return memcpy(bench_vec->work, from, n * sizeof *from);
}

static record *record_copy(void)
{
    return memcpy(bench_vec->record_work, bench_vec->records, sizeof bench_vec->records);
}

static void ebb_sort_few(size_t i)
{
    up_sort(work_copy(bench_vec->random + i % LISTS * FEW, FEW), FEW);
}

static void ebb_sort_small(size_t i)
{
    up_sort(work_copy(small_input(i), SMALL), SMALL);
}

static void ebb_sort_large(size_t i)
{
    (void)i;
    up_sort(work_copy(bench_vec->random, LARGE), LARGE);
}

static void ebb_sort_keys(size_t i)
{
    (void)i;
    up_sort(work_copy(bench_vec->few_keys, LARGE), LARGE);
}

static void ebb_sort_ascending(size_t i)
{
    (void)i;
    up_sort(work_copy(bench_vec->ascending, LARGE), LARGE);
}

static void ebb_sort_records(size_t i)
{
    (void)i;
    by_key_sort(record_copy(), LARGE);
}

static void ebb_stable_small(size_t i)
{
    ebb_arena *a = scope_of(i, 1, &array_request);
    keep_value(up_sort_stable(work_copy(small_input(i), SMALL), SMALL, a));
}

static void ebb_stable_large(size_t i)
{
    ebb_arena *a = scope_of(i, 1, &array_request);
    keep_value(up_sort_stable(work_copy(bench_vec->random, LARGE), LARGE, a));
}

static void ebb_stable_records(size_t i)
{
    ebb_arena *a = scope_of(i, 1, &array_request);
    keep_value(by_key_sort_stable(record_copy(), LARGE, a));
}

static void ebb_choose(size_t i)
{
    (void)i;
    up_sort_first(work_copy(bench_vec->random, LARGE), LARGE, FEW);
}

static void ebb_choose_many(size_t i)
{
    (void)i;
    up_sort_first(work_copy(bench_vec->random, LARGE), LARGE, LARGE / 4);
}

static void ebb_read_only(size_t i)
{
    uint64_t room[FEW];
    up_top top = up_top_of(room, FEW);
    (void)i;
    up_top_offer_n(&top, bench_vec->random, LARGE);
    up_top_finish(&top);
    keep(room);
}

static void ebb_stream(size_t i)
{
    uint64_t room[FEW];
    up_top top = up_top_of(room, FEW);
    (void)i;
    for (size_t k = 0; k < LARGE; k++) up_top_offer(&top, bench_vec->random[k]);
    up_top_finish(&top);
    keep(room);
}

static void ebb_find_small(size_t i)
{
    keep_value(
        up_lower_bound(bench_vec->ascending, SMALL, bench_vec->random[i % HUGE] % (2 * SMALL)));
}

static void ebb_find_huge(size_t i)
{
    keep_value(
        up_lower_bound(bench_vec->ascending, HUGE, bench_vec->random[i % HUGE] % (2 * HUGE)));
}

static inline void ebb_heap(ebb_arena *a, const uint64_t *in, size_t n)
{
    queue h = queue_in(a);
    uint64_t sum = 0, item;
    for (size_t k = 0; k < n; k++) queue_push(&h, in[k]);
    while (queue_pop(&h, &item)) sum += item;
    keep_value(sum);
}

static void ebb_heap_small(size_t i)
{
    ebb_heap(scope_of(i, 1, &array_request), small_input(i), SMALL);
}

static void ebb_heap_large(size_t i)
{
    ebb_heap(scope_of(i, 1, &array_request), bench_vec->random, LARGE);
}

static void ebb_fifo(size_t i)
{
    fifo q = fifo_in(scope_of(i, 1, &array_request));
    uint64_t sum = 0, item = 0;
    for (size_t k = 0; k < SMALL; k++) {
        fifo_push_back(&q, k);
        if (k >= IN_FLIGHT && fifo_pop_front(&q, &item)) sum += item;
    }
    keep_value(sum);
}

/* ---- C peers --------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int by_record_key(const void *a, const void *b)
{
    uint64_t x = ((const record *)a)->key, y = ((const record *)b)->key;
    return (x > y) - (x < y);
}

static void c_sort_few(size_t i)
{
    qsort(work_copy(bench_vec->random + i % LISTS * FEW, FEW), FEW, sizeof(uint64_t), by_value);
}

static void c_sort_small(size_t i)
{
    qsort(work_copy(small_input(i), SMALL), SMALL, sizeof(uint64_t), by_value);
}

static void c_sort_large(size_t i)
{
    (void)i;
    qsort(work_copy(bench_vec->random, LARGE), LARGE, sizeof(uint64_t), by_value);
}

static void c_sort_keys(size_t i)
{
    (void)i;
    qsort(work_copy(bench_vec->few_keys, LARGE), LARGE, sizeof(uint64_t), by_value);
}

static void c_sort_ascending(size_t i)
{
    (void)i;
    qsort(work_copy(bench_vec->ascending, LARGE), LARGE, sizeof(uint64_t), by_value);
}

static void c_sort_records(size_t i)
{
    (void)i;
    qsort(record_copy(), LARGE, sizeof(record), by_record_key);
}

static void c_find_small(size_t i)
{
    uint64_t key = bench_vec->random[i % HUGE] % (2 * SMALL);
    keep(bsearch(&key, bench_vec->ascending, SMALL, sizeof key, by_value));
}

static void c_find_huge(size_t i)
{
    uint64_t key = bench_vec->random[i % HUGE] % (2 * HUGE);
    keep(bsearch(&key, bench_vec->ascending, HUGE, sizeof key, by_value));
}

#if BENCH_HAVE_GLIB
static inline void glib_fill(size_t n)
{
    GArray *v = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    for (uint64_t k = 0; k < n; k++) g_array_append_val(v, k);
    keep(v);
    uint64_t sum = 0;
    for (guint k = 0; k < v->len; k++) sum += g_array_index(v, uint64_t, k);
    keep_value(sum);
    g_array_free(v, TRUE);
}

static void glib_short(size_t i)
{
    glib_fill(bench_vec->len[i % LISTS]);
}

static void glib_longer(size_t i)
{
    glib_fill(bench_vec->longer_len[i % LISTS]);
}

static void glib_fill_small(size_t i)
{
    (void)i;
    glib_fill(SMALL);
}

static void glib_fill_huge(size_t i)
{
    (void)i;
    glib_fill(HUGE);
}

static void glib_fifo(size_t i)
{
    GQueue q = G_QUEUE_INIT;
    uint64_t sum = 0;
    (void)i;
    for (uintptr_t k = 0; k < SMALL; k++) {
        g_queue_push_tail(&q, (gpointer)k);
        if (k >= IN_FLIGHT) sum += (uintptr_t)g_queue_pop_head(&q);
    }
    keep_value(sum);
    g_queue_clear(&q);
}
#endif

static const vec_peer peers[] = {
    {"1-8 items, 8 inside", "ebb", ebb_short},
    {"1-8 items, 8 inside", "ebb_vec", ebb_vec_short},
    {"1-24 items, 8 inside", "ebb", ebb_longer},
    {"1-8 items, vector", "ebb", ebb_vec_short},
    {"push 1,000", "ebb", ebb_fill_small},
    {"push 1,000,000", "ebb", ebb_fill_huge},
    {"sort 16", "ebb", ebb_sort_few},
    {"sort 1,000", "ebb", ebb_sort_small},
    {"sort 100,000", "ebb", ebb_sort_large},
    {"sort, 16 keys", "ebb", ebb_sort_keys},
    {"sort, in order", "ebb", ebb_sort_ascending},
    {"sort records", "ebb", ebb_sort_records},
    {"stable 1,000", "ebb", ebb_stable_small},
    {"stable 100,000", "ebb", ebb_stable_large},
    {"stable records", "ebb", ebb_stable_records},
    {"first 16 of 100,000", "ebb", ebb_choose},
    {"first 25,000", "ebb", ebb_choose_many},
    {"first 16, read only", "ebb", ebb_read_only},
    {"first 16, read only", "ebb, one by one", ebb_stream},
    {"find in 1,000", "ebb", ebb_find_small},
    {"find in 1,000,000", "ebb", ebb_find_huge},
    {"heap 1,000", "ebb", ebb_heap_small},
    {"heap 100,000", "ebb", ebb_heap_large},
    {"queue, 100 in it", "ebb", ebb_fifo},
    {"sort 16", "qsort", c_sort_few},
    {"sort 1,000", "qsort", c_sort_small},
    {"sort 100,000", "qsort", c_sort_large},
    {"sort, 16 keys", "qsort", c_sort_keys},
    {"sort, in order", "qsort", c_sort_ascending},
    {"sort records", "qsort", c_sort_records},
    {"find in 1,000", "bsearch", c_find_small},
    {"find in 1,000,000", "bsearch", c_find_huge},
#if BENCH_HAVE_GLIB
    {"1-8 items, vector", "GArray", glib_short},
    {"1-24 items, 8 inside", "GArray", glib_longer},
    {"push 1,000", "GArray", glib_fill_small},
    {"push 1,000,000", "GArray", glib_fill_huge},
    {"queue, 100 in it", "GQueue", glib_fifo},
#endif
};

/* ---- measuring ------------------------------------------------------------------------------- */

enum { MOST = 16, ROUNDS = 40 };

static const double BATCH_NS = 5e5;

static void run_ops(void *state, size_t ops)
{
    static size_t i; /* goes on, so that all inputs are met */
    const vec_peer *p = state;
    for (size_t end = i + ops; i < end; i++) p->run(i);
}

static size_t enter(bench_entry *entries, size_t n, const char *workload, const vec_peer *from,
                    size_t count)
{
    for (size_t i = 0; i < count && n < MOST; i++)
        if (strcmp(from[i].workload, workload) == 0)
            entries[n++] = (bench_entry){.name = from[i].name,
                                         .run = run_ops,
                                         .state = (void *)(uintptr_t)&from[i],
                                         .settle = 3};
    return n;
}

static void measure_workload(const bench_asked *o, const char *workload)
{
    bench_plan plan = {workload, o->rounds, BATCH_NS};
    bench_entry entries[MOST] = {{0}};
    if (!bench_is_asked(o, workload)) return;
    size_t n = enter(entries, 0, workload, peers, COUNT(peers));
#if BENCH_HAVE_CPP
    n = enter(entries, n, workload, bench_vec_peers, bench_vec_count);
#endif
    bench_measure(entries, n, &plan);
}

static void measure(const bench_asked *o)
{
    for (size_t i = 0; i < COUNT(peers) && strcmp(peers[i].name, "qsort") != 0; i++)
        if (strcmp(peers[i].name, "ebb") == 0) measure_workload(o, peers[i].workload);
    ebb_scope_end(&request);
}

static void print_goals(void)
{
    const bench_goal goals[] = {
        {"1-8 items, 8 inside", "absl", 0.9, 0},
        {"1-8 items, 8 inside", "LLVM", 0.9, 0},
        {"1-24 items, 8 inside", "absl", 1.0, 0},
        {"1-8 items, vector", "std", 1.0, 0},
        {"push 1,000", "std", 1.0, 0},
        {"push 1,000,000", "std", 1.0, 0},
        {"sort 16", "std", 1.0, 0},
        {"sort 1,000", "std", 1.0, 0},
        {"sort 100,000", "std", 1.0, 0},
        {"sort, 16 keys", "std", 1.0, 0},
        {"sort, in order", "std", 1.0, 0},
        {"sort records", "std", 1.0, 0},
        {"stable 1,000", "std", 1.0, 0},
        {"stable 100,000", "std", 1.0, 0},
        {"stable records", "std", 1.0, 0},
        {"first 16 of 100,000", "std", 1.0, 0},
        {"first 25,000", "std", 1.0, 0},
        {"first 16, read only", "std", 1.0, 0},
        {"find in 1,000", "std", 1.0, 0},
        {"find in 1,000,000", "std", 1.0, 0},
        {"heap 1,000", "std", 1.0, 0},
        {"heap 100,000", "std", 1.0, 0},
        {"queue, 100 in it", "std", 1.0, 0},
    };
    bench_print_goals(goals, COUNT(goals));
}

int main(int argc, char **argv)
{
    bench_asked o = {.rounds = ROUNDS};
    bench_read_asked(&o, argc, argv);
    fill_inputs();
    bench_pin(0);
    measure(&o);
    print_goals();
    return 0;
}
