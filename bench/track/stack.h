/*
 * bench/track/stack.h: what it costs to capture a stack of 20 frames.
 */
#ifndef BENCH_TRACK_STACK_H
#define BENCH_TRACK_STACK_H

#include "../harness/harness.h"

/** Time Ebb's capture, where the library has one, beside its peers, and print their samples. */
void stack_measure(const bench_plan *plan);

#endif /* BENCH_TRACK_STACK_H */
