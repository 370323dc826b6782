/*
 * bench/harness/two.c: the second thread sleeps until it is called; then both warm up, meet, and are
 * timed.
 */
#include "two.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { TWO = 2, BATCHES = 4 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t called;
    const bench_entry *job; /* NULL: none */
    double ns;
    _Atomic int ready, finished;
} partner = {.lock = PTHREAD_MUTEX_INITIALIZER, .called = PTHREAD_COND_INITIALIZER};

static double one_of_two(const bench_entry *e, void *state)
{
    e->run(state, e->settle);
    atomic_fetch_add(&partner.ready, 1);
    while (atomic_load(&partner.ready) < TWO) bench_pause();
    double start = bench_cpu_ns();
    e->run(state, BATCHES * e->settle);
    return bench_cpu_ns() - start;
}

__attribute__((noreturn)) static void *assist(void *arg)
{
    (void)arg;
    bench_pin(1);
    for (;;) {
        pthread_mutex_lock(&partner.lock);
        while (!partner.job) pthread_cond_wait(&partner.called, &partner.lock);
        const bench_entry *e = partner.job;
        partner.job = NULL;
        pthread_mutex_unlock(&partner.lock);
        partner.ns = one_of_two(e, e->partner);
        atomic_store_explicit(&partner.finished, 1, memory_order_release);
    }
}

void bench_two_begin(void)
{
    pthread_t thread;
    if (bench_cpus() > 1 && pthread_create(&thread, NULL, assist, NULL)) exit(1);
    bench_pin(0);
}

static double time_both(const bench_entry *e)
{
    atomic_store(&partner.ready, 0);
    atomic_store(&partner.finished, 0);
    pthread_mutex_lock(&partner.lock);
    partner.job = e;
    pthread_cond_signal(&partner.called);
    pthread_mutex_unlock(&partner.lock);
    double ns = one_of_two(e, e->state);
    while (!atomic_load_explicit(&partner.finished, memory_order_acquire)) bench_pause();
    return (ns + partner.ns) / (TWO * BATCHES * (double)e->settle);
}

void bench_two_measure(bench_entry *entries, size_t n, const bench_plan *plan)
{
    bench_random random = {1};
    size_t *order = bench_need(n * sizeof *order);
    for (size_t i = 0; i < n; i++) {
        entries[i].samples = bench_need(plan->rounds * sizeof(double));
        time_both(&entries[i]);
    }
    for (size_t round = 0; round < plan->rounds; round++) {
        bench_shuffle(order, n, &random);
        for (size_t i = 0; i < n; i++)
            entries[order[i]].samples[round] = time_both(&entries[order[i]]);
    }
    for (size_t i = 0; i < n; i++)
        bench_print_samples(plan->workload, entries[i].name, entries[i].samples, plan->rounds);
}
