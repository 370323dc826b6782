/*
 * bench/pool/pool.c: pools of objects and of buffers, against those who do the same. Runs alone:
 *
 *     bench-pool [--rounds N] [--only WORKLOAD] [--count WORKLOAD]      the last one under callgrind
 *
 * Objects have 256 bytes; each contestant's pool is warm, and whoever has one writes a word to it.
 * With two threads a figure is the CPU time of both by the number of operations; hand-off is the
 * wall time of an object that one thread acquires, passes through a bounded ring and the other
 * releases. Waiters: four threads to a CPU and two objects, each held for some microseconds; the
 * longest wait over the median one (no unit), and the time from a release to the waiter's going on.
 *
 * GLib's GSlice forwards to malloc from 2.76 on; the version is printed.
 */
#include "peers.h"

#include "../harness/asked.h"

#include <ebb/ebb.h>

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if BENCH_HAVE_GLIB
#include <glib.h>
#endif
#if BENCH_HAVE_APR
#include <apr_general.h>
#include <apr_reslist.h>
#endif
#if BENCH_HAVE_EVENT
#include <event2/buffer.h>
#endif

#define COUNT(x) (sizeof(x) / sizeof *(x))

enum { POOLED = 1024 }; /* where a pool is filled beforehand */

/* ---- contestants ----------------------------------------------------------------------------- */

static void *nothing(void)
{
    static char stand_in;
    return &stand_in;
}

static void *ebb_make(void)
{
    ebb_pool_params how = EBB_POOL_PARAMS_INIT;
    how.size = OBJECT_SIZE;
    how.min_size = POOLED;
    return ebb_pool_create(&how, NULL);
}

PEER_LOOPS(ebb, ebb_pool_acquire(p, NULL, NULL), ebb_pool_release(p, (void *)(uintptr_t)o))
PEER_LOOPS(libc, malloc(OBJECT_SIZE), free((void *)(uintptr_t)o))

static void *(*mi_malloc)(size_t);
static void (*mi_free)(void *);

/* Linked, it would take malloc over for all. */
static void *mi_make(void)
{
    void *lib = dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);
    void *m = lib ? dlsym(lib, "mi_malloc") : NULL, *f = lib ? dlsym(lib, "mi_free") : NULL;
    if (!m || !f) {
        fprintf(stderr, "not here: mimalloc (%s)\n", dlerror());
        return NULL;
    }
    memcpy(&mi_malloc, &m, sizeof m);
    memcpy(&mi_free, &f, sizeof f);
    return lib;
}

PEER_LOOPS(mi, mi_malloc(OBJECT_SIZE), mi_free((void *)(uintptr_t)o))

typedef struct list {
    pthread_mutex_t lock;
    void *first;
} list;

static void list_put(list *l, void *o)
{
    pthread_mutex_lock(&l->lock);
    *(void **)o = l->first;
    l->first = o;
    pthread_mutex_unlock(&l->lock);
}

static void *list_get(list *l)
{
    pthread_mutex_lock(&l->lock);
    void *o = l->first;
    if (o) l->first = *(void **)o;
    pthread_mutex_unlock(&l->lock);
    return o ? o : bench_need(OBJECT_SIZE);
}

static void *list_make(void)
{
    list *l = bench_need(sizeof *l);
    pthread_mutex_init(&l->lock, NULL);
    for (int i = 0; i < POOLED; i++) list_put(l, bench_need(OBJECT_SIZE));
    return l;
}

PEER_LOOPS(list, list_get(p), list_put(p, (void *)(uintptr_t)o))

#if BENCH_HAVE_GLIB
static void *queue_make(void)
{
    GAsyncQueue *q = g_async_queue_new();
    for (int i = 0; i < POOLED; i++) g_async_queue_push(q, bench_need(OBJECT_SIZE));
    return q;
}

PEER_LOOPS(slice, g_slice_alloc(OBJECT_SIZE), g_slice_free1(OBJECT_SIZE, (void *)(uintptr_t)o))
PEER_LOOPS(queue, g_async_queue_pop(p), g_async_queue_push(p, (void *)(uintptr_t)o))
#endif

#if BENCH_HAVE_APR
static apr_status_t apr_make_one(void **ret, void *ctx, apr_pool_t *pool)
{
    (void)ctx, (void)pool;
    *ret = bench_need(OBJECT_SIZE);
    return APR_SUCCESS;
}

static apr_status_t apr_unmake_one(void *o, void *ctx, apr_pool_t *pool)
{
    (void)ctx, (void)pool;
    free(o);
    return APR_SUCCESS;
}

static apr_reslist_t *apr_list_of(int count)
{
    static apr_pool_t *pool;
    apr_reslist_t *r = NULL;
    if (!pool && (apr_initialize() || apr_pool_create(&pool, NULL))) exit(1);
    if (apr_reslist_create(&r, count, count, count, 0, apr_make_one, apr_unmake_one, NULL, pool))
        exit(1);
    return r;
}

static void *apr_make(void)
{
    return apr_list_of(POOLED);
}

static void *apr_get(apr_reslist_t *r)
{
    void *o = NULL;
    if (apr_reslist_acquire(r, &o)) exit(1);
    return o;
}

PEER_LOOPS(apr, apr_get(p), apr_reslist_release(p, (void *)(uintptr_t)o))
#endif

static const peer peers[] = {
    PEER("ebb", ebb, ebb_make, NULL),         PEER("glibc malloc", libc, nothing, NULL),
    PEER("mimalloc", mi, mi_make, NULL),      PEER("mutex + free list", list, list_make, NULL),
#if BENCH_HAVE_GLIB
    PEER("GSlice", slice, nothing, NULL),     PEER("GAsyncQueue", queue, queue_make, NULL),
#endif
#if BENCH_HAVE_APR
    PEER("apr_reslist", apr, apr_make, NULL),
#endif
};

/* ---- entrants -------------------------------------------------------------------------------- */

typedef struct entrant {
    const peer *who;
    void *pool;
} entrant;

enum { MOST = 16 };
static entrant entrants[MOST];
static size_t entrant_count;

static void enter(const peer *who)
{
    void *pool = who->make();
    if (pool) entrants[entrant_count++] = (entrant){who, pool};
}

/* ---- the ring -------------------------------------------------------------------------------- */

enum { RING = 256, SPINS = 2000 };

struct ring {
    _Alignas(64) _Atomic size_t put;
    size_t taken_seen;
    _Alignas(64) _Atomic size_t taken;
    size_t put_seen;
    _Alignas(64) void *of[RING];
};

static void wait_a_little(unsigned *spins)
{
    if (++*spins % SPINS) bench_pause();
    else sched_yield();
}

void ring_put(ring *r, void *object)
{
    size_t at = atomic_load_explicit(&r->put, memory_order_relaxed);
    for (unsigned spins = 0; at - r->taken_seen == RING; wait_a_little(&spins))
        r->taken_seen = atomic_load_explicit(&r->taken, memory_order_acquire);
    r->of[at % RING] = object;
    atomic_store_explicit(&r->put, at + 1, memory_order_release);
}

void *ring_take(ring *r)
{
    size_t at = atomic_load_explicit(&r->taken, memory_order_relaxed);
    for (unsigned spins = 0; at == r->put_seen; wait_a_little(&spins))
        r->put_seen = atomic_load_explicit(&r->put, memory_order_acquire);
    void *object = r->of[at % RING];
    atomic_store_explicit(&r->taken, at + 1, memory_order_release);
    return object;
}

/* ---- two threads ----------------------------------------------------------------------------- */

enum { TWO = 2, TWO_OPS = 1 << 18, HANDED = 1 << 17 };

/* One second thread for all; once the first is pinned, no other CPU can be had. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t called;
    void (*job)(entrant *); /* NULL: none */
    entrant *e;
} partner = {.lock = PTHREAD_MUTEX_INITIALIZER, .called = PTHREAD_COND_INITIALIZER};
static _Atomic int ready, finished;
static double partner_ns;
static ring between;

__attribute__((noreturn)) static void *assist(void *arg)
{
    bool known[MOST] = {false};
    (void)arg;
    bench_pin(1);
    for (;;) {
        pthread_mutex_lock(&partner.lock);
        while (!partner.job) pthread_cond_wait(&partner.called, &partner.lock);
        void (*job)(entrant *) = partner.job;
        entrant *e = partner.e;
        partner.job = NULL;
        pthread_mutex_unlock(&partner.lock);
        if (e->who->thread && !known[e - entrants]) e->who->thread();
        known[e - entrants] = true;
        job(e);
        atomic_store_explicit(&finished, 1, memory_order_release);
    }
}

static void call_partner(void (*job)(entrant *), entrant *e)
{
    atomic_store(&ready, 0);
    atomic_store(&finished, 0);
    pthread_mutex_lock(&partner.lock);
    partner.job = job;
    partner.e = e;
    pthread_cond_signal(&partner.called);
    pthread_mutex_unlock(&partner.lock);
}

static void wait_for_partner(void)
{
    while (!atomic_load_explicit(&finished, memory_order_acquire)) sched_yield();
}

static void begin_together(void)
{
    atomic_fetch_add(&ready, 1);
    for (unsigned spins = 0; atomic_load(&ready) < TWO;) wait_a_little(&spins);
}

static double one_of_two(entrant *e)
{
    e->who->pair(e->pool, TWO_OPS / 8);
    begin_together();
    double start = bench_cpu_ns();
    e->who->pair(e->pool, TWO_OPS);
    return bench_cpu_ns() - start;
}

static void second_of_two(entrant *e)
{
    partner_ns = one_of_two(e);
}

static double time_both(entrant *e)
{
    call_partner(second_of_two, e);
    double ns = one_of_two(e);
    wait_for_partner();
    return (ns + partner_ns) / (TWO * (double)TWO_OPS);
}

static void consume(entrant *e)
{
    begin_together();
    e->who->consume(e->pool, &between, HANDED);
}

static double time_hand_off(entrant *e)
{
    call_partner(consume, e);
    begin_together();
    double start = bench_clock_ns();
    e->who->produce(e->pool, &between, HANDED);
    wait_for_partner();
    return (bench_clock_ns() - start) / HANDED;
}

static void measure_two(const char *workload, double (*time)(entrant *), size_t rounds)
{
    bench_random random = {1};
    size_t order[MOST];
    double *ns = bench_need(MOST * rounds * sizeof *ns);
    for (size_t i = 0; i < entrant_count; i++) time(&entrants[i]);
    for (size_t round = 0; round < rounds; round++) {
        bench_shuffle(order, entrant_count, &random);
        for (size_t i = 0; i < entrant_count; i++)
            ns[order[i] * rounds + round] = time(&entrants[order[i]]);
    }
    for (size_t i = 0; i < entrant_count; i++)
        bench_print_samples(workload, entrants[i].who->name, ns + i * rounds, rounds);
    free(ns);
}

/* ---- for a scope ----------------------------------------------------------------------------- */

enum { A_SCOPE = 4 }; /* objects of each scope; a figure is by the object */

static ebb_profile request = EBB_PROFILE("bench");

static BENCH_NOINLINE void ebb_scope_run(void *pool, size_t n)
{
    for (; n >= A_SCOPE; n -= A_SCOPE) {
        ebb_arena *a = ebb_scope_begin(&request);
        for (int i = 0; i < A_SCOPE; i++) *(void *volatile *)ebb_pool_acquire(pool, a, NULL) = a;
        ebb_scope_end(&a);
    }
}

/* What one writes who has no pool that knows of scopes. */
#define SCOPE_LOOP(tag, GET, PUT)                                                                  \
    static BENCH_NOINLINE void tag(void *pool, size_t n)                                           \
    {                                                                                              \
        for ((void)pool; n >= A_SCOPE; n -= A_SCOPE) {                                             \
            ebb_arena *a = ebb_scope_begin(&request);                                              \
            for (int i = 0; i < A_SCOPE; i++) {                                                    \
                void *o = (GET);                                                                   \
                *(void *volatile *)o = a;                                                          \
                ebb_defer(a, PUT, o);                                                              \
            }                                                                                      \
            ebb_scope_end(&a);                                                                     \
        }                                                                                          \
    }

static void mi_free_one(void *o)
{
    mi_free(o);
}

SCOPE_LOOP(libc_scope_run, malloc(OBJECT_SIZE), free)
SCOPE_LOOP(mi_scope_run, mi_malloc(OBJECT_SIZE), mi_free_one)

/* ---- buffers --------------------------------------------------------------------------------- */

enum { PIECE = 100, PIECES = 3 };
static const char piece[PIECE] = "a piece of an answer";

static BENCH_NOINLINE void ebb_buffer_run(void *pool, size_t n)
{
    while (n--) {
        ebb_buf *b = ebb_bufpool_acquire(pool, NULL, 0, NULL);
        for (int i = 0; i < PIECES; i++) ebb_buf_append(b, piece, PIECE);
        ebb_buf_release(b);
    }
}

static BENCH_NOINLINE void ebb_builder_run(void *pool, size_t n)
{
    while (n--) {
        ebb_buf *b = ebb_bufpool_acquire(pool, NULL, 0, NULL);
        ebb_builder text = ebb_buf_builder(b);
        for (int i = 0; i < PIECES; i++) ebb_builder_bytes(&text, piece, PIECE);
        ebb_buf_finish(b, &text);
        ebb_buf_release(b);
    }
}

/* The compiler must not see through what is written and freed. */
#define MALLOC_BUFFER(tag, GET, PUT)                                                               \
    static BENCH_NOINLINE void tag(void *pool, size_t n)                                           \
    {                                                                                              \
        for ((void)pool; n--;) {                                                                   \
            char *b = (GET);                                                                       \
            for (int i = 0; i < PIECES; i++) {                                                     \
                memcpy(b + i * PIECE, piece, PIECE);                                               \
                __asm__ volatile("" : : "r"(b) : "memory");                                        \
            }                                                                                      \
            PUT(b);                                                                                \
        }                                                                                          \
    }

MALLOC_BUFFER(libc_buffer_run, malloc(1024), free)
MALLOC_BUFFER(mi_buffer_run, mi_malloc(1024), mi_free)

#if BENCH_HAVE_GLIB
static BENCH_NOINLINE void gstring_run(void *pool, size_t n)
{
    for ((void)pool; n--;) {
        GString *s = g_string_sized_new(1000);
        for (int i = 0; i < PIECES; i++) g_string_append_len(s, piece, PIECE);
        g_string_free(s, TRUE);
    }
}
#endif

#if BENCH_HAVE_EVENT
static BENCH_NOINLINE void evbuffer_run(void *pool, size_t n)
{
    for ((void)pool; n--;) {
        struct evbuffer *b = evbuffer_new();
        for (int i = 0; i < PIECES; i++) evbuffer_add(b, piece, PIECE);
        evbuffer_free(b);
    }
}
#endif

/* ---- waiters --------------------------------------------------------------------------------- */

enum { FEW = 2, WAITERS_A_CPU = 4, MOST_WAITERS = 32, WAITS = 1 << 16 };
static const double HELD_NS = 20e3, ROUND_NS = 150e6;

typedef struct queue_of {
    const char *name;
    void *(*make)(void);
    void *(*get)(void *);
    void (*put)(void *, void *);
} queue_of;

static void *ebb_few(void)
{
    ebb_pool_params how = EBB_POOL_PARAMS_INIT;
    how.size = OBJECT_SIZE;
    how.min_size = how.max_size = FEW;
    return ebb_pool_create(&how, NULL);
}

static void *ebb_wait(void *p)
{
    return ebb_pool_acquire_by(p, NULL, UINT64_MAX, NULL);
}

static void ebb_put(void *p, void *o)
{
    ebb_pool_release(p, o);
}

#if BENCH_HAVE_GLIB
static void *queue_few(void)
{
    GAsyncQueue *q = g_async_queue_new();
    for (int i = 0; i < FEW; i++) g_async_queue_push(q, bench_need(OBJECT_SIZE));
    return q;
}

static void *queue_wait(void *p)
{
    return g_async_queue_pop(p);
}

static void queue_put(void *p, void *o)
{
    g_async_queue_push(p, o);
}
#endif

#if BENCH_HAVE_APR
static void *apr_few(void)
{
    return apr_list_of(FEW);
}

static void *apr_wait(void *p)
{
    return apr_get(p);
}

static void apr_put(void *p, void *o)
{
    apr_reslist_release(p, o);
}
#endif

static const queue_of queues[] = {
    {"ebb", ebb_few, ebb_wait, ebb_put},
#if BENCH_HAVE_GLIB
    {"GAsyncQueue", queue_few, queue_wait, queue_put},
#endif
#if BENCH_HAVE_APR
    {"apr_reslist", apr_few, apr_wait, apr_put},
#endif
};

typedef struct waiter {
    const queue_of *of;
    void *pool;
    double until, *wait, *wake;
    size_t waits, wakes;
} waiter;

/* The object carries when it was released; a wait began before that, or it was none. */
static void *wait_again_and_again(void *arg)
{
    waiter *w = arg;
    for (double now = bench_clock_ns(); now < w->until;) {
        double asked = now;
        double *o = w->of->get(w->pool);
        now = bench_clock_ns();
        if (w->waits < WAITS) w->wait[w->waits++] = now - asked;
        if (*o > asked && w->wakes < WAITS) w->wake[w->wakes++] = now - *o;
        for (double held = now + HELD_NS; now < held; now = bench_clock_ns()) {
        }
        *o = now;
        w->of->put(w->pool, o);
        now = bench_clock_ns();
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(double *ns, size_t n)
{
    qsort(ns, n, sizeof *ns, by_value);
    return n ? ns[n / 2] : 0;
}

static void gather_waits(waiter *w, unsigned count, double *ret_ratio, double *ret_wake)
{
    double *wait = bench_need((size_t)count * WAITS * sizeof *wait);
    double *wake = bench_need((size_t)count * WAITS * sizeof *wake);
    size_t waits = 0, wakes = 0;
    for (unsigned i = 0; i < count; i++) {
        memcpy(wait + waits, w[i].wait, w[i].waits * sizeof *wait);
        memcpy(wake + wakes, w[i].wake, w[i].wakes * sizeof *wake);
        waits += w[i].waits;
        wakes += w[i].wakes;
    }
    double median = median_of(wait, waits);
    *ret_ratio = median > 0 ? wait[waits - 1] / median : 0;
    *ret_wake = median_of(wake, wakes);
    free(wait);
    free(wake);
}

static void run_waiters(const queue_of *q, void *pool, unsigned count, double *ret_ratio,
                        double *ret_wake)
{
    pthread_t thread[MOST_WAITERS];
    static waiter w[MOST_WAITERS];
    for (unsigned i = 0; i < count; i++) {
        double *wait = w[i].wait ? w[i].wait : bench_need(WAITS * sizeof(double));
        double *wake = w[i].wake ? w[i].wake : bench_need(WAITS * sizeof(double));
        w[i] = (waiter){q, pool, bench_clock_ns() + ROUND_NS, wait, wake, 0, 0};
        if (pthread_create(&thread[i], NULL, wait_again_and_again, &w[i])) exit(1);
    }
    for (unsigned i = 0; i < count; i++) pthread_join(thread[i], NULL);
    gather_waits(w, count, ret_ratio, ret_wake);
}

static void measure_waiters(size_t rounds, unsigned cpus)
{
    static const char longest[] = "waiters: longest/median";
    unsigned count = cpus * WAITERS_A_CPU < MOST_WAITERS ? cpus * WAITERS_A_CPU : MOST_WAITERS;
    double *ratio = bench_need(COUNT(queues) * rounds * sizeof *ratio);
    double *wake = bench_need(COUNT(queues) * rounds * sizeof *wake);
    void *pools[COUNT(queues)];
    for (size_t i = 0; i < COUNT(queues); i++) pools[i] = queues[i].make();
    for (size_t round = 0; round < rounds; round++)
        for (size_t i = 0; i < COUNT(queues); i++)
            run_waiters(&queues[i], pools[i], count, &ratio[i * rounds + round],
                        &wake[i * rounds + round]);
    bench_print_unit(longest, "times");
    for (size_t i = 0; i < COUNT(queues); i++)
        bench_print_samples(longest, queues[i].name, ratio + i * rounds, rounds);
    for (size_t i = 0; i < COUNT(queues); i++)
        bench_print_samples("waiters: wake-up", queues[i].name, wake + i * rounds, rounds);
    free(ratio);
    free(wake);
}

/* ---- workloads ------------------------------------------------------------------------------- */

enum { ROUNDS = 40, WAIT_SHARE = 4, COUNTED = 100000 };
static const double BATCH_NS = 2e6;

static void run_entries(const char *workload, bench_entry *entries, size_t n, const bench_asked *o)
{
    bench_plan plan = {workload, o->rounds, BATCH_NS};
    if (!bench_is_asked(o, workload)) return;
    if (o->count) bench_count_instructions(entries, n, workload, COUNTED);
    else bench_measure(entries, n, &plan);
}

static void measure_alone(const bench_asked *o)
{
    bench_entry pair[MOST] = {{0}}, burst[MOST] = {{0}};
    for (size_t i = 0; i < entrant_count; i++) {
        const entrant *e = &entrants[i];
        pair[i] = (bench_entry){
            .name = e->who->name, .run = e->who->pair, .state = e->pool, .settle = COUNTED};
        burst[i] = pair[i];
        burst[i].run = e->who->burst;
    }
    run_entries("pair", pair, entrant_count, o);
    run_entries("bursts of 32", burst, entrant_count, o);
}

static void measure_scopes(const bench_asked *o)
{
    bench_entry entries[] = {
        {.name = "ebb", .run = ebb_scope_run, .state = ebb_make(), .settle = COUNTED},
        {.name = "glibc malloc, ebb_defer", .run = libc_scope_run, .settle = COUNTED},
        {.name = "mimalloc, ebb_defer", .run = mi_scope_run, .settle = COUNTED},
    };
    run_entries("for a scope, by object", entries, COUNT(entries) - (mi_malloc ? 0 : 1), o);
}

static void measure_buffers(const bench_asked *o)
{
    bench_entry entries[MOST] = {
        {.name = "ebb", .run = ebb_buffer_run},
        {.name = "ebb, a builder on it", .run = ebb_builder_run},
        {.name = "glibc malloc 1 KiB", .run = libc_buffer_run},
#if BENCH_HAVE_GLIB
        {.name = "GString", .run = gstring_run},
#endif
#if BENCH_HAVE_EVENT
        {.name = "evbuffer", .run = evbuffer_run},
#endif
    };
    size_t n = 0;
    void *pool = ebb_bufpool_create(NULL, NULL);
    while (entries[n].run) n++;
    if (mi_malloc) entries[n++] = (bench_entry){.name = "mimalloc 1 KiB", .run = mi_buffer_run};
    for (size_t i = 0; i < n; i++) {
        entries[i].state = pool;
        entries[i].settle = COUNTED;
    }
    run_entries("buffer of 3 x 100 B", entries, n, o);
}

static void measure_threads(const bench_asked *o, unsigned cpus)
{
    if (o->count || cpus < TWO) return;
    if (bench_is_asked(o, "pair, 2 threads")) measure_two("pair, 2 threads", time_both, o->rounds);
    if (bench_is_asked(o, "hand-off")) measure_two("hand-off", time_hand_off, o->rounds);
}

static void measure(const bench_asked *o, unsigned cpus)
{
    /* Before the first thread is pinned, since its threads inherit that. */
    if (!o->count && bench_is_asked(o, "waiters"))
        measure_waiters((o->rounds + WAIT_SHARE - 1) / WAIT_SHARE, cpus);
    bench_pin(0);
    measure_alone(o);
    measure_scopes(o);
    measure_buffers(o);
    measure_threads(o, cpus);
}

int main(int argc, char **argv)
{
    bench_asked o = {.rounds = ROUNDS};
    unsigned cpus = bench_cpus();
    const bench_goal goals[] = {{"pair", NULL, 0, 3},
                                {"pair, 2 threads", NULL, 0, 3},
                                {"hand-off", NULL, 0, 14},
                                {"pair", "mimalloc", 1, 0},
                                {"waiters: wake-up", "apr_reslist", 1, 0}};
    bench_read_asked(&o, argc, argv);
    if (o.count) o.only = o.count;
#if BENCH_HAVE_GLIB
    printf("note\tGLib %u.%u.%u: GSlice %s\n", glib_major_version, glib_minor_version,
           glib_micro_version,
           glib_minor_version < 76 ? "has magazines of its own" : "forwards to malloc");
#endif
    pthread_t second;
    if (cpus > 1 && pthread_create(&second, NULL, assist, NULL)) return 1;
    for (size_t i = 0; i < COUNT(peers); i++) enter(&peers[i]);
#if BENCH_HAVE_DPDK
    enter(&bench_dpdk);
#else
    printf("missing\tDPDK mempool\tbuilt without libdpdk\n");
#endif
    measure(&o, cpus);
    bench_print_goals(goals, COUNT(goals));
    return 0;
}
