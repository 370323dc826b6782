/*
 * bench/arena/threads.c: W5 and W6. See threads.h.
 *
 * Two workers live as long as a measurement, each pinned to a CPU of its own, so that the caches which
 * allocators keep per thread are warm, as a server's are. What they do comes as jobs.
 */
#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

enum { WORKERS = 2, CACHE_LINE = 64, SPINS_BEFORE_YIELD = 4096 };

/* Operations before any is timed: peers that learn have learned by then, see peer.h. */
enum { SETTLE_OPS = 2500, TRIAL_OPS = 500 };

/* Length of a batch: long against the hundred nanoseconds of reading a thread's clock. */
static const double BATCH_NS = 4e6;

/* ---- workers --------------------------------------------------------------------------------- */

typedef void job_fn(void *arg);

typedef struct worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    job_fn *job; /* NULL: idle */
    void *arg;
    unsigned cpu;
    bool stop;
} worker;

static void *work(void *arg)
{
    worker *w = arg;
    bench_pin(w->cpu);
    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        if (!w->job) {
            pthread_cond_wait(&w->changed, &w->lock);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        w->job(w->arg);
        pthread_mutex_lock(&w->lock);
        w->job = NULL;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void worker_start(worker *w, unsigned cpu)
{
    *w = (worker){.cpu = cpu};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    if (pthread_create(&w->thread, NULL, work, w)) abort();
}

static void worker_give(worker *w, job_fn *job, void *arg)
{
    pthread_mutex_lock(&w->lock);
    w->job = job;
    w->arg = arg;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void worker_await(worker *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->job) pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static void worker_stop(worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
}

static void spin_once(unsigned *spins)
{
    bench_pause();
    if (++*spins % SPINS_BEFORE_YIELD == 0) sched_yield();
}

/* ---- state made on the thread that uses it --------------------------------------------------- */

typedef struct opening {
    const peer_ops *peer;
    size_t slots;
    void *state;
} opening;

static void job_open(void *arg)
{
    opening *o = arg;
    o->state = o->peer->open(W2, o->slots);
}

static void job_close(void *arg)
{
    opening *o = arg;
    o->peer->close(o->state);
}

static void on_worker(worker *w, job_fn *job, void *arg)
{
    worker_give(w, job, arg);
    worker_await(w);
}

/* ---- W5 -------------------------------------------------------------------------------------- */

/* One thread's share of a batch. They start together, or the first would for a while run alone. */
typedef struct batch {
    const opening *of;
    size_t ops;
    atomic_int *arrived;
    int parties;
    double cpu_ns;
} batch;

static void job_batch(void *arg)
{
    batch *b = arg;
    unsigned spins = 0;
    atomic_fetch_add(b->arrived, 1);
    while (atomic_load(b->arrived) < b->parties) spin_once(&spins);
    double start = bench_cpu_ns();
    b->of->peer->run[W2](b->of->state, b->ops);
    b->cpu_ns = bench_cpu_ns() - start;
}

/* CPU time per operation, with the first @parties of @workers at work. */
static double run_batches(worker *workers, const opening *open, size_t ops, int parties)
{
    atomic_int arrived = 0;
    batch batches[WORKERS];
    double cpu = 0;
    for (int i = 0; i < parties; i++) {
        batches[i] = (batch){&open[i], ops, &arrived, parties, 0};
        worker_give(&workers[i], job_batch, &batches[i]);
    }
    for (int i = 0; i < parties; i++) {
        worker_await(&workers[i]);
        cpu += batches[i].cpu_ns;
    }
    return cpu / ((double)ops * parties);
}

/* The mean of each alone: the two may differ, and the comparison must be with the same two. */
static double run_alone(worker *workers, const opening *open, size_t ops)
{
    double cpu = 0;
    for (int i = 0; i < WORKERS; i++) cpu += run_batches(&workers[i], &open[i], ops, 1);
    return cpu / WORKERS;
}

typedef struct contest {
    opening open[WORKERS];
    size_t ops;
    double *first, *second; /* samples */
} contest;

static size_t fit_ops(double ns_per_op)
{
    double fit = BATCH_NS / ns_per_op;
    return fit < 1 ? 1 : (size_t)fit;
}

static void scaling_open(contest *c, worker *workers, const peer_ops *peer, size_t rounds)
{
    for (int i = 0; i < WORKERS; i++) {
        c->open[i] = (opening){peer, 1, NULL};
        on_worker(&workers[i], job_open, &c->open[i]);
    }
    run_batches(workers, c->open, SETTLE_OPS, WORKERS);
    c->ops = fit_ops(run_batches(workers, c->open, TRIAL_OPS, 1));
    c->first = bench_need(rounds * sizeof(double));
    c->second = bench_need(rounds * sizeof(double));
}

static void scaling_close(contest *c, worker *workers, size_t rounds)
{
    const char *name = c->open[0].peer->name;
    bench_print_samples("W5/1", name, c->first, rounds);
    bench_print_samples("W5/2", name, c->second, rounds);
    for (int i = 0; i < WORKERS; i++) on_worker(&workers[i], job_close, &c->open[i]);
    free(c->first);
    free(c->second);
}

void threads_measure_scaling(const peer_ops *const *peers, size_t count, size_t rounds)
{
    worker workers[WORKERS];
    bench_random random = {5};
    contest *contests = bench_need(count * sizeof *contests);
    size_t *order = bench_need(count * sizeof *order);
    for (unsigned i = 0; i < WORKERS; i++) worker_start(&workers[i], i);
    for (size_t i = 0; i < count; i++) scaling_open(&contests[i], workers, peers[i], rounds);
    for (size_t round = 0; round < rounds; round++) {
        bench_shuffle(order, count, &random);
        for (size_t i = 0; i < count; i++) {
            contest *c = &contests[order[i]];
            c->first[round] = run_alone(workers, c->open, c->ops);
            c->second[round] = run_batches(workers, c->open, c->ops, WORKERS);
        }
    }
    for (size_t i = 0; i < count; i++) scaling_close(&contests[i], workers, rounds);
    for (int i = 0; i < WORKERS; i++) worker_stop(&workers[i]);
    free(order);
    free(contests);
}

/* ---- W6 -------------------------------------------------------------------------------------- */

enum { RING = 16, HALF = RING / 2 };

/* The message is the slot's number, and that is the counter itself: requests made and ended so far. Who
   has to wait waits for half a ring, so that stopping the watch is rare. The watch is the wall clock,
   which is read in user space: asking the kernel for a thread's CPU time every few requests would cost
   more than they do. Each worker has a CPU to itself, so at work the two clocks agree. */
typedef struct ring {
    const opening *of;
    size_t ops;
    double maker_ns, ender_ns;
    _Alignas(CACHE_LINE) atomic_size_t made;
    _Alignas(CACHE_LINE) atomic_size_t ended;
} ring;

/* Wait, off the watch, until @counter has reached @least; return the time at which that began. */
static double await_counter(atomic_size_t *counter, size_t least, double *spent, double since)
{
    unsigned spins = 0;
    *spent += bench_clock_ns() - since;
    while (atomic_load_explicit(counter, memory_order_acquire) < least) spin_once(&spins);
    return bench_clock_ns();
}

static void job_make(void *arg)
{
    ring *r = arg;
    const peer_ops *peer = r->of->peer;
    double spent = 0, since = bench_clock_ns();
    size_t ended = 0; /* as last seen */
    for (size_t i = 0; i < r->ops; i++) {
        if (i - ended == RING) ended = atomic_load_explicit(&r->ended, memory_order_acquire);
        if (i - ended == RING) {
            since = await_counter(&r->ended, i - HALF, &spent, since);
            ended = i - HALF;
        }
        peer->make(r->of->state, i % RING, inputs.requests[i % W2_REQUESTS], W2_BLOCKS);
        atomic_store_explicit(&r->made, i + 1, memory_order_release);
    }
    r->maker_ns = spent + bench_clock_ns() - since;
}

static void job_end(void *arg)
{
    ring *r = arg;
    double spent = 0, since = bench_clock_ns();
    size_t made = 0; /* as last seen */
    for (size_t i = 0; i < r->ops; i++) {
        if (i == made) made = atomic_load_explicit(&r->made, memory_order_acquire);
        if (i == made) {
            size_t least = i + HALF < r->ops ? i + HALF : r->ops;
            since = await_counter(&r->made, least, &spent, since);
            made = least;
        }
        r->of->peer->end(r->of->state, i % RING);
        atomic_store_explicit(&r->ended, i + 1, memory_order_release);
    }
    r->ender_ns = spent + bench_clock_ns() - since;
}

static double run_handoff(worker *workers, const opening *open, size_t ops)
{
    ring r = {.of = open, .ops = ops};
    worker_give(&workers[1], job_end, &r);
    worker_give(&workers[0], job_make, &r);
    worker_await(&workers[0]);
    worker_await(&workers[1]);
    return (r.maker_ns + r.ender_ns) / (double)ops;
}

static void handoff_open(contest *c, worker *workers, const peer_ops *peer, size_t rounds)
{
    c->open[0] = (opening){peer, RING, NULL};
    on_worker(&workers[0], job_open, &c->open[0]);
    run_handoff(workers, c->open, SETTLE_OPS);
    c->ops = fit_ops(run_handoff(workers, c->open, TRIAL_OPS));
    c->first = bench_need(rounds * sizeof(double));
}

static void handoff_close(contest *c, worker *workers, size_t rounds)
{
    bench_print_samples("W6", c->open[0].peer->name, c->first, rounds);
    on_worker(&workers[0], job_close, &c->open[0]);
    free(c->first);
}

void threads_measure_handoff(const peer_ops *const *peers, size_t count, size_t rounds)
{
    worker workers[WORKERS];
    bench_random random = {6};
    contest *contests = bench_need(count * sizeof *contests);
    size_t *order = bench_need(count * sizeof *order);
    for (unsigned i = 0; i < WORKERS; i++) worker_start(&workers[i], i);
    for (size_t i = 0; i < count; i++) handoff_open(&contests[i], workers, peers[i], rounds);
    for (size_t round = 0; round < rounds; round++) {
        bench_shuffle(order, count, &random);
        for (size_t i = 0; i < count; i++) {
            contest *c = &contests[order[i]];
            c->first[round] = run_handoff(workers, c->open, c->ops);
        }
    }
    for (size_t i = 0; i < count; i++) handoff_close(&contests[i], workers, rounds);
    for (int i = 0; i < WORKERS; i++) worker_stop(&workers[i]);
    free(order);
    free(contests);
}
