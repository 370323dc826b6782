/*
 * bench/harness/two.h: the same operations on two threads at once.
 *
 * A figure is the CPU time of both by the number of their operations: a wait asleep is not counted,
 * nor is what a shared machine takes away.
 */
#ifndef BENCH_HARNESS_TWO_H
#define BENCH_HARNESS_TWO_H

#include "harness.h"

/** Make the second thread, on the second CPU this process may use, and pin this one to the first.
    Before this thread is pinned: no other CPU can be had afterwards. With one CPU there is none. */
void bench_two_begin(void);

/** Like bench_measure, with each entry's run called on both threads, on its state here and on its
    partner there. A batch is four times what the entry wants to settle. */
void bench_two_measure(bench_entry *entries, size_t count, const bench_plan *plan);

#endif /* BENCH_HARNESS_TWO_H */
