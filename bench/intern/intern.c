/*
 * bench/intern/intern.c: texts to symbols, against those who do the same. Runs alone:
 *
 *     bench-intern [--rounds N] [--only WORKLOAD] [--count WORKLOAD]      the last one under callgrind
 *
 * Workloads: names of 3 to 30 bytes, asked for by Zipf's law (the k-th most frequent 1/k as often as
 * the first), all of them there: 50,000 on one thread and on two at once (bench/harness/two.h),
 * and 500.
 */
#include "intern.h"

#include "../harness/asked.h"
#include "../harness/two.h"

#include <ebb/ebb.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if BENCH_HAVE_GLIB
#include <glib.h>
#endif
#if BENCH_HAVE_UTHASH
#include <uthash.h>
#endif

#define COUNT(x) (sizeof(x) / sizeof *(x))

enum { NAMES = 50000, FEW = 500, ASKED = 1 << 16, NAME_MAX_LENGTH = 30 };

/* ---- texts ----------------------------------------------------------------------------------- */

typedef struct corpus {
    word *names;
    size_t count;
    word *asked[2]; /* for each thread */
} corpus;

static corpus many, few;

/* Names as configurations and protocols have them: syllables, parted by '-', '_' and '.'. */
static size_t draw_name(char *to, bench_random *r, size_t nth)
{
    static const char *const parts[] = {"con",   "tent", "len", "ser",  "ver",   "host", "port",
                                        "id",    "max",  "min", "re",   "quest", "time", "out",
                                        "cache", "key",  "val", "ue",   "na",    "me",   "us",
                                        "er",    "in",   "dex", "data", "base",  "node", "x"};
    static const char seams[] = "--__..";
    size_t len = 0, want = 3 + bench_random_next(r) % 16;
    while (len < want) {
        const char *part = parts[bench_random_next(r) % COUNT(parts)];
        if (len && bench_random_next(r) % 3 == 0) to[len++] = seams[bench_random_next(r) % 6];
        len += (size_t)sprintf(to + len, "%s", part);
    }
    if (nth % 2) len += (size_t)sprintf(to + len, "%zu", nth % 1000);
    return len < NAME_MAX_LENGTH ? len : NAME_MAX_LENGTH;
}

static int by_text(const void *a, const void *b)
{
    const word *x = a, *y = b;
    return strcmp(x->ptr, y->ptr);
}

/* Different ones, in no order. */
static void draw_names(corpus *c, size_t count, bench_random *r)
{
    c->names = bench_need(count * sizeof *c->names);
    while (c->count < count) {
        for (size_t i = c->count; i < count; i++) {
            char *name = bench_need(2 * NAME_MAX_LENGTH);
            size_t len = draw_name(name, r, i);
            name[len] = '\0';
            c->names[i] = (word){name, len};
        }
        qsort(c->names, count, sizeof *c->names, by_text);
        size_t kept = 0;
        for (size_t i = 0; i < count; i++)
            if (!kept || by_text(&c->names[kept - 1], &c->names[i])) c->names[kept++] = c->names[i];
        c->count = kept;
    }
    for (size_t i = count; i > 1; i--) {
        size_t j = bench_random_next(r) % i;
        word swap = c->names[i - 1];
        c->names[i - 1] = c->names[j];
        c->names[j] = swap;
    }
}

/* The rank of a name: the inverse of the harmonic sum, drawn exactly. */
static size_t draw_rank(const double *sums, size_t count, bench_random *r)
{
    double at = bench_random_unit(r) * sums[count - 1];
    size_t low = 0, high = count - 1;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (sums[mid] < at) low = mid + 1;
        else high = mid;
    }
    return low;
}

static word *draw_asked(const corpus *c, bench_random *r)
{
    double *sums = bench_need(c->count * sizeof *sums);
    for (size_t i = 0; i < c->count; i++) sums[i] = (i ? sums[i - 1] : 0) + 1.0 / (double)(i + 1);
    word *asked = bench_need(ASKED * sizeof *asked);
    char *bytes = bench_need((size_t)ASKED * (NAME_MAX_LENGTH + 1));
    for (size_t i = 0; i < ASKED; i++) {
        word t = c->names[draw_rank(sums, c->count, r)];
        memcpy(bytes, t.ptr, t.len + 1);
        asked[i] = (word){bytes, t.len};
        bytes += t.len + 1;
    }
    free(sums);
    return asked;
}

static void draw(corpus *c, size_t count)
{
    bench_random r = {count};
    draw_names(c, count, &r);
    for (size_t i = 0; i < COUNT(c->asked); i++) c->asked[i] = draw_asked(c, &r);
}

/* ---- Ebb ------------------------------------------------------------------------------------- */

static ebb_symtab *table_with(uint64_t seed)
{
    ebb_symtab_params p = EBB_SYMTAB_PARAMS_INIT;
    static const ebb_words *const sets[] = {&ebb_vm_status, &ebb_node_status, &ebb_http_headers};
    p.words = sets;
    p.word_sets = COUNT(sets);
    p.seed = seed;
    ebb_symtab *t = ebb_symtab_create(&p, NULL);
    if (!t) exit(1);
    return t;
}

static void *ebb_make(void)
{
    return table_with(0);
}

static void *ebb_make_seeded(void)
{
    return table_with(0x9e3779b97f4a7c15u);
}

typedef struct request {
    ebb_symtab *shared, *own;
} request;

static void *ebb_make_request(void)
{
    request *r = bench_need(sizeof *r);
    r->shared = table_with(0);
    r->own = ebb_symtab_over(ebb_scope_begin(NULL), r->shared);
    if (!r->own) exit(1);
    return r;
}

static void ebb_put(void *table, word t)
{
    if (!ebb_intern(table, (ebb_str){t.ptr, t.len})) exit(1);
}

/* What a request meets is in the shared table, but for a few names. */
static void ebb_put_request(void *table, word t)
{
    enum { LOCAL_ONE_IN = 5000 };
    static unsigned n;
    request *r = table;
    ebb_put(++n % LOCAL_ONE_IN ? r->shared : r->own, t);
}

LOOK_UP(ebb_look_up_request, request, ebb_intern(table->own, (ebb_str){t.ptr, t.len}))
LOOK_UP(ebb_look_up, ebb_symtab, ebb_intern(table, (ebb_str){t.ptr, t.len}))

/* What none can do without: two threads that share a core, as virtual ones may, show here. */
static void *nothing(void)
{
    return NULL;
}

static void put_nothing(void *table, word t)
{
    (void)table, (void)t;
}

LOOK_UP(hash_alone, void, ebb_hash_long(t.ptr, t.len, 0))

/* ---- peers in C ------------------------------------------------------------------------------ */

#if BENCH_HAVE_GLIB
static void glib_put(void *table, word t)
{
    (void)table;
    g_intern_string(t.ptr);
}

LOOK_UP(glib_intern, void, (uintptr_t)g_intern_string(t.ptr))
LOOK_UP(glib_quark, void, g_quark_from_string(t.ptr))
#endif

#if BENCH_HAVE_UTHASH
typedef struct ut_name {
    UT_hash_handle hh;
    uint32_t number;
} ut_name;

typedef struct ut_table {
    pthread_mutex_t lock;
    ut_name *names;
} ut_table;

static void *ut_make(void)
{
    ut_table *t = bench_need(sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

static void ut_put(void *table_, word t)
{
    ut_table *table = table_;
    ut_name *n = bench_need(sizeof *n);
    n->number = table->names ? HASH_COUNT(table->names) + 1 : 1;
    HASH_ADD_KEYPTR(hh, table->names, t.ptr, (unsigned)t.len, n);
}

static uint32_t ut_find(ut_table *table, word t)
{
    ut_name *n;
    pthread_mutex_lock(&table->lock);
    HASH_FIND(hh, table->names, t.ptr, (unsigned)t.len, n);
    pthread_mutex_unlock(&table->lock);
    return n->number;
}

LOOK_UP(ut_look_up, ut_table, ut_find(table, t))
#endif

enum { ANY = 64 };

static const contestant in_c[] = {
    {"ebb", ebb_make, ebb_put, ebb_look_up, ANY},
    {"ebb with a seed", ebb_make_seeded, ebb_put, ebb_look_up, ANY},
    {"ebb, a request's table", ebb_make_request, ebb_put_request, ebb_look_up_request, 1},
    {"hashing alone", nothing, put_nothing, hash_alone, ANY},
#if BENCH_HAVE_GLIB
    {"g_intern_string", nothing, glib_put, glib_intern, ANY},
    {"g_quark_from_string", nothing, glib_put, glib_quark, ANY},
#endif
#if BENCH_HAVE_UTHASH
    {"uthash, mutex", ut_make, ut_put, ut_look_up, ANY},
#endif
};

/* ---- one contestant at work ------------------------------------------------------------------ */

typedef struct entrant {
    const contestant *who;
    void *table;
    walk walk;
} entrant;

static BENCH_NOINLINE void run_one(void *state, size_t ops)
{
    entrant *e = state;
    e->who->look_up(e->table, &e->walk, ops);
}

/* ---- workloads ------------------------------------------------------------------------------- */

/* One for each thread, on one table. */
static entrant *enter(const contestant *who, const corpus *c)
{
    entrant *both = bench_need(2 * sizeof *both);
    void *table = who->make();
    for (size_t i = 0; i < c->count; i++) who->put(table, c->names[i]);
    for (int i = 0; i < 2; i++)
        both[i] = (entrant){who, table, {.texts = c->asked[i], .count = ASKED}};
    return both;
}

enum { MOST = 16, ROUNDS = 40, COUNTED = 100000 };

static const double BATCH_NS = 8e6; /* twice round the texts asked for, or more */

typedef struct workload {
    const char *name;
    const corpus *texts;
    int threads;
} workload;

static const workload workloads[] = {
    {"hit, 50k names", &many, 1},
    {"hit, 500 names", &few, 1},
    {"hit, 50k, 2 threads", &many, 2},
};

static size_t gather(const contestant *from, size_t count, const workload *w, bench_entry *entries,
                     size_t n)
{
    for (size_t i = 0; i < count; i++) {
        if (from[i].threads < w->threads) continue;
        entrant *both = enter(&from[i], w->texts);
        entries[n++] = (bench_entry){.name = from[i].name,
                                     .run = run_one,
                                     .state = &both[0],
                                     .partner = &both[1],
                                     .settle = ASKED};
    }
    return n;
}

static void measure_workload(const workload *w, const bench_asked *o)
{
    bench_entry entries[MOST] = {{0}};
    size_t n = gather(in_c, COUNT(in_c), w, entries, 0);
#if BENCH_HAVE_CPP
    n = gather(bench_cpp_contestants, bench_cpp_count, w, entries, n);
#endif
    if (o->count) {
        bench_count_instructions(entries, n, w->name, COUNTED);
        return;
    }
    bench_plan plan = {w->name, o->rounds, BATCH_NS};
    if (w->threads == 1) bench_measure(entries, n, &plan);
    else bench_two_measure(entries, n, &plan);
}

static void measure(const bench_asked *o, unsigned cpus)
{
    for (size_t i = 0; i < COUNT(workloads); i++) {
        const workload *w = &workloads[i];
        if (!bench_is_asked(o, w->name)) continue;
        if ((unsigned)w->threads <= cpus) measure_workload(w, o);
    }
}

/* DESIGN's figures: 22 ns on one thread, 25 on two. */
static void print_goals(void)
{
    const bench_goal goals[] = {
        {"hit, 50k names", NULL, 0, 22},
        {"hit, 50k, 2 threads", NULL, 0, 25},
    };
    bench_print_goals(goals, COUNT(goals));
}

int main(int argc, char **argv)
{
    bench_asked o = {.rounds = ROUNDS};
    unsigned cpus = bench_cpus();
    bench_read_asked(&o, argc, argv);
    if (o.count) o.only = o.count;
    draw(&many, NAMES);
    draw(&few, FEW);
    bench_two_begin();
    measure(&o, cpus);
    print_goals();
    return 0;
}
