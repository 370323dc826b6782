/*
 * bench/harness/harness.c: clocks, calibration and rounds. See harness.h.
 */
#include "harness.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#if BENCH_HAVE_CALLGRIND
#include <valgrind/callgrind.h>
#endif

/* ---- clocks and CPUs ------------------------------------------------------------------------- */

static double clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

double bench_clock_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

double bench_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t bench_faults(void)
{
    struct rusage use;
    getrusage(RUSAGE_THREAD, &use);
    return (uint64_t)use.ru_minflt;
}

unsigned bench_cpus(void)
{
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof all, &all)) return 1;
    return (unsigned)CPU_COUNT(&all);
}

void bench_pin(unsigned nth)
{
    cpu_set_t all, one;
    if (sched_getaffinity(0, sizeof all, &all)) return;
    CPU_ZERO(&one);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &all)) continue;
        if (nth-- > 0) continue;
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
        return;
    }
}

void bench_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* ---- random numbers -------------------------------------------------------------------------- */

/* splitmix64, by Sebastiano Vigna, public domain. */
uint64_t bench_random_next(bench_random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double bench_random_unit(bench_random *r)
{
    return ((double)(bench_random_next(r) >> 11) + 1.0) * 0x1p-53;
}

void bench_shuffle(size_t *order, size_t count, bench_random *r)
{
    for (size_t i = 0; i < count; i++) order[i] = i;
    for (size_t i = count; i > 1; i--) {
        size_t j = bench_random_next(r) % i, kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}

/* ---- output ---------------------------------------------------------------------------------- */

void *bench_need(size_t size)
{
    void *p = calloc(1, size);
    if (p) return p;
    fprintf(stderr, "bench: out of memory\n");
    exit(1);
}

void bench_print_samples(const char *workload, const char *name, const double *ns, size_t count)
{
    printf("samples\t%s\t%s\t", workload, name);
    for (size_t i = 0; i < count; i++) printf("%s%.6g", i ? " " : "", ns[i]);
    printf("\n");
}

/* ---- timing ---------------------------------------------------------------------------------- */

/* A batch is timed to about this share of its final length before its operations are counted. */
static const double CALIBRATE_SHARE = 0.25;

/* Untimed operations before a timed batch, as a share of it. */
enum { WARM_DIVISOR = 8 };

static void settle(const bench_entry *e)
{
    if (e->settle) e->run(e->state, e->settle);
}

static void calibrate(bench_entry *e, double batch_ns)
{
    size_t ops = 1;
    for (;;) {
        double start = bench_clock_ns();
        e->run(e->state, ops);
        double took = bench_clock_ns() - start;
        if (took >= batch_ns * CALIBRATE_SHARE) {
            double fit = (double)ops * batch_ns / took;
            e->ops = fit < 1 ? 1 : (size_t)fit;
            return;
        }
        ops *= 2;
    }
}

static double time_batch(bench_entry *e)
{
    e->run(e->state, e->ops / WARM_DIVISOR + 1);
    uint64_t faults = bench_faults();
    double start = bench_clock_ns();
    e->run(e->state, e->ops);
    double took = bench_clock_ns() - start;
    e->faults += (double)(bench_faults() - faults);
    return took / (double)e->ops;
}

static void run_rounds(bench_entry *entries, size_t count, const bench_plan *plan)
{
    bench_random random = {1};
    size_t *order = bench_need(count * sizeof *order);
    for (size_t round = 0; round < plan->rounds; round++) {
        bench_shuffle(order, count, &random);
        for (size_t i = 0; i < count; i++) {
            bench_entry *e = &entries[order[i]];
            e->samples[round] = time_batch(e);
        }
    }
    free(order);
}

void bench_measure(bench_entry *entries, size_t count, const bench_plan *plan)
{
    for (size_t i = 0; i < count; i++) {
        settle(&entries[i]);
        entries[i].samples = bench_need(plan->rounds * sizeof(double));
        calibrate(&entries[i], plan->batch_ns);
        time_batch(&entries[i]); /* the first one may still fault memory in */
        entries[i].faults = 0;
    }
    run_rounds(entries, count, plan);
    for (size_t i = 0; i < count; i++) {
        bench_entry *e = &entries[i];
        bench_print_samples(plan->workload, e->name, e->samples, plan->rounds);
        double ops = (double)e->ops * (double)plan->rounds;
        printf("faults\t%s\t%s\t%.6g\n", plan->workload, e->name, e->faults / ops);
        free(e->samples);
    }
}

/* ---- counting -------------------------------------------------------------------------------- */

#if BENCH_HAVE_CALLGRIND

int bench_under_valgrind(void)
{
    return RUNNING_ON_VALGRIND != 0;
}

void bench_count_instructions(bench_entry *entries, size_t count, const char *workload, size_t ops)
{
    for (size_t i = 0; i < count; i++) {
        bench_entry *e = &entries[i];
        settle(e);
        e->run(e->state, ops);
        CALLGRIND_ZERO_STATS;
        CALLGRIND_TOGGLE_COLLECT;
        e->run(e->state, ops);
        CALLGRIND_TOGGLE_COLLECT;
        CALLGRIND_DUMP_STATS_AT(e->name);
        printf("ops\t%s\t%s\t%zu\n", workload, e->name, ops);
    }
}

#else

int bench_under_valgrind(void)
{
    return 0;
}

void bench_count_instructions(bench_entry *entries, size_t count, const char *workload, size_t ops)
{
    (void)entries, (void)count, (void)workload, (void)ops;
    fprintf(stderr, "bench: built without valgrind/callgrind.h\n");
    exit(1);
}

#endif

void bench_count_mallocs(bench_entry *entries, size_t count, const char *workload, size_t ops)
{
    for (size_t i = 0; i < count; i++) {
        bench_entry *e = &entries[i];
        settle(e);
        e->run(e->state, ops);
        uint64_t before = bench_malloc_calls;
        e->run(e->state, ops);
        double calls = (double)(bench_malloc_calls - before) / (double)ops + (double)e->unseen;
        printf("mallocs\t%s\t%s\t%.6g\n", workload, e->name, calls);
    }
}
