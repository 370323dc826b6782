/*
 * bench/cache/hits.c: what a hit costs, on one thread and on two at once. Runs alone:
 *
 *     bench-cache-hits              raw samples (bench/harness/harness.h)
 *     --rounds N, --only WORKLOAD
 *
 * 10,000 entries, all there, asked for by Zipf's law with exponent 1; keys are numbers, or texts of
 * 8 to 16 bytes. Ebb's look-ups are made by requests of 16 each, scope and announcement included;
 * there is a row for requests of one. For two threads see bench/harness/two.h.
 */
#include "hits.h"

#include "../harness/asked.h"
#include "../harness/two.h"

#include <ebb/cache.h>
#include <ebb/ebb.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(x) (sizeof(x) / sizeof *(x))

enum { ENTRIES = 10000, ASKED = 1 << 16, PER_REQUEST = 16, TEXT = 24 };

/* ---- keys ------------------------------------------------------------------------------------ */

static ask keys[2][ENTRIES]; /* numbers, texts */
static ask *asked[2][2];     /* of each, for each thread */
static uint64_t values[ENTRIES];

static void make_keys(bench_random *r)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        values[i] = i;
        keys[0][i] = (ask){NULL, bench_random_next(r)};
        char *text = bench_need(TEXT);
        int len = snprintf(text, TEXT, "%.*s-%05zu", (int)(2 + i % 9), "tenant-nodes", i);
        keys[1][i] = (ask){text, (uint64_t)len};
    }
}

static size_t draw_rank(const double *sums, bench_random *r)
{
    double at = bench_random_unit(r) * sums[ENTRIES - 1];
    size_t low = 0, high = ENTRIES - 1;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (sums[mid] < at) low = mid + 1;
        else high = mid;
    }
    return low;
}

static ask *draw_asked(const ask *from, const double *sums, bench_random *r)
{
    ask *to = bench_need(ASKED * sizeof *to);
    char *bytes = bench_need((size_t)ASKED * TEXT);
    for (size_t i = 0; i < ASKED; i++) {
        to[i] = from[draw_rank(sums, r)];
        if (!to[i].ptr) continue;
        memcpy(bytes, to[i].ptr, to[i].n + 1);
        to[i].ptr = bytes;
        bytes += to[i].n + 1;
    }
    return to;
}

static void draw(void)
{
    bench_random r = {ENTRIES};
    double *sums = bench_need(ENTRIES * sizeof *sums);
    for (size_t i = 0; i < ENTRIES; i++) sums[i] = (i ? sums[i - 1] : 0) + 1.0 / (double)(i + 1);
    make_keys(&r);
    for (int kind = 0; kind < 2; kind++)
        for (int who = 0; who < 2; who++) asked[kind][who] = draw_asked(keys[kind], sums, &r);
    free(sums);
}

/* ---- Ebb ------------------------------------------------------------------------------------- */

static ebb_profile request = EBB_PROFILE("bench request");

static inline ebb_key key_of(ask key)
{
    return key.ptr ? ebb_key_str((ebb_str){key.ptr, key.n}) : ebb_key_u64(key.n);
}

static void *ebb_make_with(size_t entries, ebb_policy policy)
{
    ebb_cache_params how = EBB_CACHE_PARAMS_INIT;
    how.name = "bench";
    how.max_entries = entries;
    how.policy = policy;
    ebb_cache *c = ebb_cache_create(&how, NULL);
    if (!c) exit(1);
    return c;
}

static void *ebb_make(size_t entries, int texts)
{
    (void)texts;
    return ebb_make_with(entries, EBB_POLICY_S3_FIFO);
}

static void *ebb_make_lru(size_t entries, int texts)
{
    (void)texts;
    return ebb_make_with(entries, EBB_POLICY_LRU);
}

static int load(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    (void)key;
    uint64_t *to = ebb_new(into, uint64_t);
    if (!to) return EBB_E_MEMORY;
    *to = *(uint64_t *)ctx;
    *ret_root = to;
    return 0;
}

static void ebb_put(void *cache, ask key, uint64_t *value)
{
    ebb_cache_load_params how = {.fn = load, .ctx = value, .deadline_ns = UINT64_MAX};
    const void *found;
    EBB_SCOPE(a, &request);
    if (ebb_cache_load(cache, a, key_of(key), &how, &found)) exit(1);
}

static inline void ask_in_scope(ebb_cache *c, walk *w, size_t n)
{
    EBB_SCOPE(a, &request);
    for (; n > 0; n--) {
        const uint64_t *found = ebb_cache_find(c, a, key_of(walk_next(w)));
        w->sum += *found;
    }
}

static void ebb_look_up(void *cache, walk *w, size_t ops)
{
    for (; ops >= PER_REQUEST; ops -= PER_REQUEST) ask_in_scope(cache, w, PER_REQUEST);
    ask_in_scope(cache, w, ops);
}

static void ebb_look_up_single(void *cache, walk *w, size_t ops)
{
    for (; ops > 0; ops--) ask_in_scope(cache, w, 1);
}

static void ebb_look_up_long(void *cache, walk *w, size_t ops)
{
    ask_in_scope(cache, w, ops);
}

static const contestant ours[] = {
    {"ebb", ebb_make, ebb_put, ebb_look_up},
    {"ebb, one scope for all", ebb_make, ebb_put, ebb_look_up_long},
    {"ebb, a scope for each", ebb_make, ebb_put, ebb_look_up_single},
    {"ebb, LRU", ebb_make_lru, ebb_put, ebb_look_up},
};

/* ---- one contestant at work ------------------------------------------------------------------ */

typedef struct entrant {
    const contestant *who;
    void *cache;
    walk walk;
} entrant;

static BENCH_NOINLINE void run_one(void *state, size_t ops)
{
    entrant *e = state;
    e->who->look_up(e->cache, &e->walk, ops);
}

/* ---- workloads ------------------------------------------------------------------------------- */

/* One for each thread, on one cache. */
static entrant *enter(const contestant *who, int kind)
{
    entrant *both = bench_need(2 * sizeof *both);
    void *cache = who->make(ENTRIES, kind);
    for (size_t i = 0; i < ENTRIES; i++) who->put(cache, keys[kind][i], &values[i]);
    for (int i = 0; i < 2; i++)
        both[i] = (entrant){who, cache, {.asks = asked[kind][i], .count = ASKED}};
    return both;
}

typedef struct workload {
    const char *name;
    int kind, threads;
} workload;

static const workload workloads[] = {
    {"numbers, 1 thread", 0, 1},
    {"texts, 1 thread", 1, 1},
    {"numbers, 2 threads", 0, 2},
    {"texts, 2 threads", 1, 2},
};

enum { MOST = 16, ROUNDS = 30 };
static const double BATCH_NS = 4e6; /* once round what is asked for, or more */

static size_t gather(const contestant *from, size_t count, int kind, bench_entry *entries, size_t n)
{
    for (size_t i = 0; i < count; i++) {
        entrant *both = enter(&from[i], kind);
        entries[n++] = (bench_entry){.name = from[i].name,
                                     .run = run_one,
                                     .state = &both[0],
                                     .partner = &both[1],
                                     .settle = ASKED};
    }
    return n;
}

static void measure(const workload *w, size_t rounds)
{
    bench_entry entries[MOST] = {{0}};
    size_t n = gather(ours, COUNT(ours), w->kind, entries, 0);
    n = gather(bench_peers, bench_peer_count, w->kind, entries, n);
    bench_plan plan = {w->name, rounds, BATCH_NS};
    if (w->threads == 1) bench_measure(entries, n, &plan);
    else bench_two_measure(entries, n, &plan);
}

int main(int argc, char **argv)
{
    bench_asked o = {.rounds = ROUNDS};
    bench_read_asked(&o, argc, argv);
    draw();
    unsigned cpus = bench_cpus();
    bench_two_begin();
    for (size_t i = 0; i < COUNT(workloads); i++)
        if (bench_is_asked(&o, workloads[i].name) && (unsigned)workloads[i].threads <= cpus)
            measure(&workloads[i], o.rounds);
    return 0;
}
