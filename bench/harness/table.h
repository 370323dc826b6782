/*
 * bench/harness/table.h: for a program that is run by hand: its samples as a table.
 */
#ifndef BENCH_HARNESS_TABLE_H
#define BENCH_HARNESS_TABLE_H

#include <stddef.h>

/** What was set out to be reached: in @workload, @name takes at least @ratio times as long as Ebb,
    or, where @name is NULL, Ebb takes at most @ns. */
typedef struct bench_goal {
    const char *workload, *name;
    double ratio, ns;
} bench_goal;

/**
 * Run measure(@arg) and print, instead of its samples: workload, contestant, median ns, best ns, and
 * the median as a ratio to that of the contestant called "ebb", which each workload has; below it,
 * which of the @count goals were reached.
 */
void bench_print_table(void (*measure)(void *arg), void *arg, const bench_goal *goals,
                       size_t count);

#endif /* BENCH_HARNESS_TABLE_H */
