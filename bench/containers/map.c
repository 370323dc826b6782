/*
 * bench/containers/map.c: maps against what C and C++ programs use.
 *
 *     bench-map [--rounds N] [--only WORKLOAD]      or --bytes
 *
 * A request makes a map, puts 20 keys, looks for 60, two thirds of which are there, and ends it; Ebb's
 * scope is part of it. A table holds 10,000 or 1,000,000 random integers and their values; an operation
 * on it is one key. Filling begins with an empty table and lets it grow. With --bytes it prints instead
 * what Ebb's tables hold for each entry.
 */
#include "map.h"

#include "../harness/asked.h"

#include <ebb/ebb.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if BENCH_HAVE_GLIB
#include <glib.h>
#endif
#if BENCH_HAVE_APR
#include <apr_general.h>
#include <apr_hash.h>
#include <apr_pools.h>
#include <apr_strings.h>
#include <apr_tables.h>
#endif
#if BENCH_HAVE_UTHASH
#include <uthash.h>
#endif

#define COUNT(array) (sizeof(array) / sizeof *(array))

map_inputs *bench_map;

/* ---- inputs ---------------------------------------------------------------------------------- */

static const char *const header[NAMES] = {"accept",
                                          "accept-charset",
                                          "accept-encoding",
                                          "accept-language",
                                          "authorization",
                                          "cache-control",
                                          "connection",
                                          "content-length",
                                          "content-type",
                                          "cookie",
                                          "date",
                                          "expect",
                                          "forwarded",
                                          "from",
                                          "host",
                                          "if-match",
                                          "if-modified-since",
                                          "if-none-match",
                                          "max-forwards",
                                          "origin",
                                          "pragma",
                                          "proxy-authorization",
                                          "range",
                                          "referer",
                                          "te",
                                          "user-agent",
                                          "upgrade",
                                          "via",
                                          "warning",
                                          "x-request-id",
                                          "x-forwarded-for",
                                          "x-real-ip",
                                          "etag",
                                          "location",
                                          "server",
                                          "set-cookie",
                                          "vary",
                                          "transfer-encoding",
                                          "dnt",
                                          "keep-alive"};

/* Bytes of their own, so that no contestant can compare addresses. */
static const char *copy_of(const char *text)
{
    char *p = bench_need(strlen(text) + 1);
    return strcpy(p, text);
}

static void fill_request(size_t r, bench_random *random)
{
    map_inputs *m = bench_map;
    size_t order[NAMES];
    for (size_t i = 0; i < NAMES; i++) order[i] = i;
    bench_shuffle(order, NAMES, random);
    for (size_t i = 0; i < KEYS; i++) {
        m->key[r][i] = bench_random_next(random) >> bench_random_next(random) % 32;
        m->name[r][i] = copy_of(header[order[i]]);
        m->name_len[r][i] = strlen(m->name[r][i]);
    }
    for (size_t i = 0; i < LOOKS; i++) {
        size_t pick = bench_random_next(random) % KEYS;
        bool hit = i % 3 != 0;
        m->look[r][i] = hit ? m->key[r][pick] : bench_random_next(random);
        m->look_name[r][i] = copy_of(header[order[hit ? pick : KEYS + pick]]);
        m->look_len[r][i] = strlen(m->look_name[r][i]);
    }
}

static void fill_inputs(void)
{
    bench_random random = {7};
    bench_map = bench_need(sizeof *bench_map);
    for (size_t r = 0; r < REQUESTS; r++) fill_request(r, &random);
    for (size_t i = 0; i < HUGE; i++) {
        bench_map->in[i] = bench_random_next(&random);
        bench_map->out[i] = bench_random_next(&random);
    }
}

/* In which `count` keys are looked for. */
static void fill_order(size_t count)
{
    bench_random random = {11};
    size_t *order = bench_need(count * sizeof *order);
    for (size_t i = 0; i < count; i++) order[i] = i;
    bench_shuffle(order, count, &random);
    for (size_t i = 0; i < count; i++) bench_map->order[i] = (uint32_t)order[i];
    free(order);
}

/* ---- requests: Ebb --------------------------------------------------------------------------- */

static ebb_profile int_request = EBB_PROFILE("integer keys"), str_request = EBB_PROFILE("names");

static void ebb_ints(size_t r)
{
    ebb_arena *a = ebb_scope_begin(&int_request);
    ebb_map_u64_ptr m = ebb_map_u64_ptr_in(a);
    for (size_t i = 0; i < KEYS; i++)
        keep(ebb_map_u64_ptr_put(&m, bench_map->key[r][i], bench_map));
    for (size_t i = 0; i < LOOKS; i++) keep(ebb_map_u64_ptr_find(&m, bench_map->look[r][i]));
    ebb_scope_end(&a);
}

static void ebb_strs(size_t r)
{
    const map_inputs *in = bench_map;
    ebb_arena *a = ebb_scope_begin(&str_request);
    ebb_map_str_ptr m = ebb_map_str_ptr_in(a);
    for (size_t i = 0; i < KEYS; i++)
        keep(ebb_map_str_ptr_put(&m, (ebb_str){in->name[r][i], in->name_len[r][i]}, bench_map));
    for (size_t i = 0; i < LOOKS; i++)
        keep(ebb_map_str_ptr_find(&m, (ebb_str){in->look_name[r][i], in->look_len[r][i]}));
    ebb_scope_end(&a);
}

/* ---- requests: C peers ----------------------------------------------------------------------- */

#if BENCH_HAVE_GLIB
static void glib_ints(size_t r)
{
    GHashTable *t = g_hash_table_new(g_int64_hash, g_int64_equal);
    for (size_t i = 0; i < KEYS; i++) g_hash_table_insert(t, &bench_map->key[r][i], bench_map);
    for (size_t i = 0; i < LOOKS; i++) keep(g_hash_table_lookup(t, &bench_map->look[r][i]));
    g_hash_table_destroy(t);
}

static void glib_strs(size_t r)
{
    const map_inputs *in = bench_map;
    GHashTable *t = g_hash_table_new(g_str_hash, g_str_equal);
    for (size_t i = 0; i < KEYS; i++)
        g_hash_table_insert(t, (gpointer)(uintptr_t)in->name[r][i], bench_map);
    for (size_t i = 0; i < LOOKS; i++) keep(g_hash_table_lookup(t, in->look_name[r][i]));
    g_hash_table_destroy(t);
}
#endif

#if BENCH_HAVE_APR
static apr_pool_t *pool;

static void apr_ints(size_t r)
{
    apr_hash_t *t = apr_hash_make(pool);
    for (size_t i = 0; i < KEYS; i++) apr_hash_set(t, &bench_map->key[r][i], 8, bench_map);
    for (size_t i = 0; i < LOOKS; i++) keep(apr_hash_get(t, &bench_map->look[r][i], 8));
    apr_pool_clear(pool);
}

static void apr_hash_strs(size_t r)
{
    const map_inputs *in = bench_map;
    apr_hash_t *t = apr_hash_make(pool);
    for (size_t i = 0; i < KEYS; i++)
        apr_hash_set(t, in->name[r][i], (apr_ssize_t)in->name_len[r][i], bench_map);
    for (size_t i = 0; i < LOOKS; i++)
        keep(apr_hash_get(t, in->look_name[r][i], (apr_ssize_t)in->look_len[r][i]));
    apr_pool_clear(pool);
}

static void apr_table_strs(size_t r)
{
    const map_inputs *in = bench_map;
    apr_table_t *t = apr_table_make(pool, KEYS);
    for (size_t i = 0; i < KEYS; i++) apr_table_addn(t, in->name[r][i], in->name[r][i]);
    for (size_t i = 0; i < LOOKS; i++) keep(apr_table_get(t, in->look_name[r][i]));
    apr_pool_clear(pool);
}
#endif

#if BENCH_HAVE_UTHASH
typedef struct ut_entry {
    uint64_t key;
    const char *name;
    uint64_t val;
    UT_hash_handle hh;
} ut_entry;

static void ut_ints(size_t r)
{
    ut_entry entry[KEYS], *t = NULL, *found;
    for (size_t i = 0; i < KEYS; i++) {
        entry[i].key = bench_map->key[r][i];
        HASH_ADD(hh, t, key, sizeof(uint64_t), &entry[i]);
    }
    for (size_t i = 0; i < LOOKS; i++) {
        HASH_FIND(hh, t, &bench_map->look[r][i], sizeof(uint64_t), found);
        keep(found);
    }
    HASH_CLEAR(hh, t);
}

static void ut_strs(size_t r)
{
    const map_inputs *in = bench_map;
    ut_entry entry[KEYS], *t = NULL, *found;
    for (size_t i = 0; i < KEYS; i++) {
        entry[i].name = in->name[r][i];
        HASH_ADD_KEYPTR(hh, t, entry[i].name, in->name_len[r][i], &entry[i]);
    }
    for (size_t i = 0; i < LOOKS; i++) {
        HASH_FIND(hh, t, in->look_name[r][i], in->look_len[r][i], found);
        keep(found);
    }
    HASH_CLEAR(hh, t);
}
#endif

static const request_peer int_peers[] = {
    {"ebb", ebb_ints},
#if BENCH_HAVE_GLIB
    {"GHashTable", glib_ints},
#endif
#if BENCH_HAVE_APR
    {"apr_hash, kept pool", apr_ints},
#endif
#if BENCH_HAVE_UTHASH
    {"uthash", ut_ints},
#endif
};

static const request_peer str_peers[] = {
    {"ebb", ebb_strs},
#if BENCH_HAVE_GLIB
    {"GHashTable", glib_strs},
#endif
#if BENCH_HAVE_APR
    {"apr_hash, kept pool", apr_hash_strs},
    {"apr_table, kept pool", apr_table_strs},
#endif
#if BENCH_HAVE_UTHASH
    {"uthash", ut_strs},
#endif
};

/* ---- tables: Ebb ----------------------------------------------------------------------------- */

typedef struct ebb_table {
    ebb_arena *a;
    ebb_map_u64_u64 m;
} ebb_table;

static void *ebb_fresh(void)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_table *t = ebb_new(a, ebb_table);
    t->a = a;
    t->m = ebb_map_u64_u64_in(a);
    return t;
}

static void ebb_fill(void *table, size_t count)
{
    ebb_table *t = table;
    for (size_t i = 0; i < count; i++) keep(ebb_map_u64_u64_put(&t->m, bench_map->in[i], i));
}

static uint64_t ebb_ask(void *table, question q, size_t count)
{
    ebb_table *t = table;
    uint64_t sum = 0;
    switch (q) {
    case HIT:
        for (size_t i = 0; i < count; i++)
            keep(ebb_map_u64_u64_find(&t->m, bench_map->in[bench_map->order[i]]));
        break;
    case MISS:
        for (size_t i = 0; i < count; i++) keep(ebb_map_u64_u64_find(&t->m, bench_map->out[i]));
        break;
    case ITERATE:
        for (ebb_map_u64_u64_iter i = ebb_map_u64_u64_each(&t->m); ebb_map_u64_u64_next(&i);)
            sum += *i.val;
        break;
    default:
        for (size_t i = 0; i < count; i++)
            sum += ebb_map_u64_u64_remove(&t->m, bench_map->in[bench_map->order[i]]);
    }
    return sum;
}

static void ebb_done(void *table)
{
    ebb_arena *a = ((ebb_table *)table)->a;
    ebb_arena_destroy(&a);
}

/* ---- tables: C peers ------------------------------------------------------------------------- */

#if BENCH_HAVE_GLIB
static void *glib_fresh(void)
{
    return g_hash_table_new(g_direct_hash, g_direct_equal);
}

static void glib_fill(void *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        g_hash_table_insert(table, (gpointer)bench_map->in[i], (gpointer)i);
}

static uint64_t glib_ask(void *table, question q, size_t count)
{
    uint64_t sum = 0;
    gpointer value;
    GHashTableIter i;
    switch (q) {
    case HIT:
        for (size_t n = 0; n < count; n++)
            keep(g_hash_table_lookup(table, (gpointer)bench_map->in[bench_map->order[n]]));
        break;
    case MISS:
        for (size_t n = 0; n < count; n++)
            keep(g_hash_table_lookup(table, (gpointer)bench_map->out[n]));
        break;
    case ITERATE:
        g_hash_table_iter_init(&i, table);
        while (g_hash_table_iter_next(&i, NULL, &value)) sum += (uintptr_t)value;
        break;
    default:
        for (size_t n = 0; n < count; n++)
            sum +=
                (uint64_t)g_hash_table_remove(table, (gpointer)bench_map->in[bench_map->order[n]]);
    }
    return sum;
}

static void glib_done(void *table)
{
    g_hash_table_destroy(table);
}
#endif

#if BENCH_HAVE_UTHASH
typedef struct ut_table {
    ut_entry *head, *entry;
} ut_table;

static void *ut_fresh(void)
{
    ut_table *t = bench_need(sizeof *t);
    *t = (ut_table){NULL, NULL};
    return t;
}

static void ut_fill(void *table, size_t count)
{
    ut_table *t = table;
    t->entry = bench_need(count * sizeof *t->entry);
    for (size_t i = 0; i < count; i++) {
        ut_entry *e = &t->entry[i];
        e->key = bench_map->in[i];
        e->val = i;
        HASH_ADD(hh, t->head, key, sizeof(uint64_t), e);
    }
}

static uint64_t ut_ask(void *table, question q, size_t count)
{
    ut_table *t = table;
    ut_entry *found;
    uint64_t sum = 0;
    if (q == ITERATE) {
        for (const ut_entry *e = t->head; e; e = e->hh.next) sum += e->val;
        return sum;
    }
    for (size_t i = 0; i < count; i++) {
        const uint64_t *key = q == MISS ? &bench_map->out[i] : &bench_map->in[bench_map->order[i]];
        HASH_FIND(hh, t->head, key, sizeof *key, found);
        keep(found);
        if (q == REMOVE) HASH_DEL(t->head, found);
    }
    return sum;
}

static void ut_done(void *table)
{
    ut_table *t = table;
    HASH_CLEAR(hh, t->head);
    free(t->entry);
    free(t);
}
#endif

static const table_peer table_peers[] = {
    {"ebb", ebb_fresh, ebb_fill, ebb_ask, ebb_done},
#if BENCH_HAVE_GLIB
    {"GHashTable", glib_fresh, glib_fill, glib_ask, glib_done},
#endif
#if BENCH_HAVE_UTHASH
    {"uthash", ut_fresh, ut_fill, ut_ask, ut_done},
#endif
};

/* ---- measuring ------------------------------------------------------------------------------- */

/* A huge table takes its turn once in so many rounds. */
enum { MOST = 16, ROUNDS = 40, HUGE_SHARE = 8 };

static const double BATCH_NS = 5e5;

static void run_request(void *state, size_t ops)
{
    const request_peer *p = state;
    for (size_t i = 0; i < ops; i++) p->run(i % REQUESTS);
}

static size_t enter(bench_entry *entries, size_t n, const request_peer *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        entries[n++] = (bench_entry){.name = from[i].name,
                                     .run = run_request,
                                     .state = (void *)(uintptr_t)&from[i],
                                     .settle = 4000};
    return n;
}

static void measure_requests(const bench_asked *o)
{
    bench_plan plan = {"request, 20 integers", o->rounds, BATCH_NS};
    bench_entry ints[MOST] = {{0}}, strs[MOST] = {{0}};
    size_t n = enter(ints, 0, int_peers, COUNT(int_peers));
    size_t k = enter(strs, 0, str_peers, COUNT(str_peers));
#if BENCH_HAVE_CPP
    n = enter(ints, n, bench_int_peers, bench_int_count);
    k = enter(strs, k, bench_str_peers, bench_str_count);
#endif
    if (bench_is_asked(o, plan.workload)) bench_measure(ints, n, &plan);
    plan.workload = "request, 20 names";
    if (bench_is_asked(o, plan.workload)) bench_measure(strs, k, &plan);
}

/* A table is made and asked everything once a round, in turn with the others; not by the harness, since
   what is asked last empties it. */
static void ask_all(const table_peer *p, size_t count, double *ns)
{
    void *table = p->fresh();
    double before = bench_clock_ns();
    p->fill(table, count);
    ns[INSERT] = (bench_clock_ns() - before) / (double)count;
    for (question q = HIT; q < QUESTIONS; q++) {
        before = bench_clock_ns();
        uint64_t sum = p->ask(table, q, count);
        ns[q] = (bench_clock_ns() - before) / (double)count;
        keep(&sum);
    }
    p->done(table);
}

static void measure_tables(const bench_asked *o, const char *label, size_t count, size_t rounds)
{
    static const char *const asked[QUESTIONS] = {"insert", "hit", "miss", "iterate", "remove"};
    const table_peer *peers[MOST];
    size_t n = 0;
    if (!bench_is_asked(o, label)) return;
    for (size_t i = 0; i < COUNT(table_peers); i++) peers[n++] = &table_peers[i];
#if BENCH_HAVE_CPP
    for (size_t i = 0; i < bench_table_count; i++) peers[n++] = &bench_table_peers[i];
#endif
    double *ns = bench_need(n * rounds * QUESTIONS * sizeof *ns),
           *one = bench_need(rounds * sizeof *one);
    fill_order(count);
    for (size_t r = 0; r < rounds; r++)
        for (size_t i = 0; i < n; i++)
            ask_all(peers[(i + r) % n], count, ns + (((i + r) % n) * rounds + r) * QUESTIONS);
    for (question q = INSERT; q < QUESTIONS; q++)
        for (size_t i = 0; i < n; i++) {
            char workload[64];
            snprintf(workload, sizeof workload, "%s: %s", label, asked[q]);
            for (size_t r = 0; r < rounds; r++) one[r] = ns[(i * rounds + r) * QUESTIONS + q];
            bench_print_samples(workload, peers[i]->name, one, rounds);
        }
    free(ns);
    free(one);
}

static void measure(const bench_asked *o)
{
    const bench_goal goals[] = {
        {"request, 20 integers", NULL, 0, 250},
        {"request, 20 names", NULL, 0, 600},
    };
    measure_requests(o);
    measure_tables(o, "10,000", LARGE, o->rounds);
    measure_tables(o, "1,000,000", HUGE, (o->rounds + HUGE_SHARE - 1) / HUGE_SHARE);
    bench_print_goals(goals, COUNT(goals));
}

/* What each entry of a full table costs, with all that was outgrown. */
static int print_bytes(void)
{
    static const size_t counts[] = {LARGE, HUGE};
    for (size_t i = 0; i < COUNT(counts); i++) {
        ebb_arena_stats s;
        ebb_table *t = ebb_fresh();
        ebb_fill(t, counts[i]);
        ebb_arena_get_stats(t->a, &s);
        printf("%zu entries of 16 bytes: %.1f bytes each held, %.1f at most\n", counts[i],
               (double)s.held / (double)counts[i], (double)s.peak / (double)counts[i]);
        ebb_done(t);
    }
    return 0;
}

int main(int argc, char **argv)
{
    bench_asked o = {.rounds = ROUNDS};
    bool bytes = argc == 2 && strcmp(argv[1], "--bytes") == 0;
    if (!bytes) bench_read_asked(&o, argc, argv);
#if BENCH_HAVE_APR
    apr_initialize();
    apr_pool_create(&pool, NULL);
#endif
    fill_inputs();
    bench_pin(0);
    if (bytes) return print_bytes();
    measure(&o);
    return 0;
}
