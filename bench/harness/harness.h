/*
 * bench/harness/harness.h: what every measuring program shares: clocks, rounds in which contestants
 * take turns, instruction counts, and the lines by which results reach `bench/run`.
 *
 * Fairness first. All contestants of a workload run in one process, on one CPU, in short batches of
 * about equal time, in an order shuffled anew each round from a fixed seed, so that a slow moment of
 * the machine, or a cache left dirty by a neighbour, falls on all alike. Before each timed batch the
 * contestant runs a little untimed, to have its own memory in the caches again.
 *
 * Nothing is averaged here. Every sample is printed, one line per contestant, fields separated by
 * tabs; `bench/run` does the arithmetic:
 *
 *     samples   WORKLOAD  NAME  ns ns ns ...      per operation
 *     faults    WORKLOAD  NAME  n                 page faults per operation, steady state
 *     mallocs   WORKLOAD  NAME  n                 calls of malloc per operation (counting build only)
 *     ops       WORKLOAD  NAME  n                 operations inside a callgrind dump of that name
 */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A contestant's loop must stay a function of its own: inlined into the harness it would be another
   loop, aligned otherwise, in every build. */
#if defined(__clang__)
#define BENCH_NOINLINE __attribute__((noinline))
#else
#define BENCH_NOINLINE __attribute__((noinline, noclone))
#endif

typedef void bench_run(void *state, size_t ops);

/** One contestant in one workload. */
typedef struct bench_entry {
    const char *name;
    bench_run *run;
    void *state;
    void *partner;   /* what `run` is called with by a second thread; see two.h */
    size_t settle;   /* operations to be run before anything is measured */
    size_t unseen;   /* calls of malloc per operation that can't be counted, but are known */
    size_t ops;      /* per timed batch, from calibration */
    double *samples; /* ns per operation, one per round */
    double faults;   /* in all timed batches */
} bench_entry;

/** How much is measured. */
typedef struct bench_plan {
    const char *workload;
    size_t rounds;
    double batch_ns; /* what a timed batch should last */
} bench_plan;

/** Time entries against each other and print their samples. */
void bench_measure(bench_entry *entries, size_t count, const bench_plan *plan);

/** Run each entry, warm, for @ops operations between dumps of callgrind, which must be running. */
void bench_count_instructions(bench_entry *entries, size_t count, const char *workload, size_t ops);

/** True if this process runs under valgrind --tool=callgrind, as far as can be told. */
int bench_under_valgrind(void);

/** Calls of malloc so far; only the counting build has it, elsewhere its address is null. */
extern uint64_t bench_malloc_calls __attribute__((weak));

/** Run each entry @ops times, warm, and print its calls of malloc. */
void bench_count_mallocs(bench_entry *entries, size_t count, const char *workload, size_t ops);

double bench_clock_ns(void);  /* wall */
double bench_cpu_ns(void);    /* of this thread */
uint64_t bench_faults(void);  /* minor page faults of this thread */
void bench_pin(unsigned nth); /* to the nth CPU this process may use */
unsigned bench_cpus(void);
void bench_pause(void);

/** A repeatable stream of random numbers. */
typedef struct bench_random {
    uint64_t state;
} bench_random;
uint64_t bench_random_next(bench_random *r);
double bench_random_unit(bench_random *r); /* above 0, at most 1 */
void bench_shuffle(size_t *order, size_t count, bench_random *r);

void bench_print_samples(const char *workload, const char *name, const double *ns, size_t count);

/** Allocate or exit: a measuring program without memory has nothing to say. */
void *bench_need(size_t size);

#ifdef __cplusplus
}
#endif
#endif /* BENCH_HARNESS_H */
