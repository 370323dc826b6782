/*
 * bench/arena/threads.h: the workloads of two threads.
 */
#ifndef BENCH_ARENA_THREADS_H
#define BENCH_ARENA_THREADS_H

#include "peer.h"

/**
 * W5: W2 on one thread, then on two at once, for each of @peers in turn, @rounds times. Prints CPU time
 * per request as workloads "W5/1" and "W5/2"; the rounds of the two belong together.
 */
void threads_measure_scaling(const peer_ops *const *peers, size_t count, size_t rounds);

/**
 * W6: requests made on one thread and ended on another, a bounded ring between them. Prints the time
 * both spend at work, per request, as "W6". Waiting for the other thread is not counted.
 */
void threads_measure_handoff(const peer_ops *const *peers, size_t count, size_t rounds);

#endif /* BENCH_ARENA_THREADS_H */
