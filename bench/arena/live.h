/*
 * bench/arena/live.h: W7, the memory that many open requests hold.
 */
#ifndef BENCH_ARENA_LIVE_H
#define BENCH_ARENA_LIVE_H

#include "peer.h"

/**
 * Hold LIVE_REQUESTS requests of workload @w (W2 or W3) of @peer, every byte written, and print resident
 * bytes per byte asked for, as "W7/W2" or "W7/W3". One contestant per process: memory that another has
 * given back to its own lists would be counted, or reused.
 */
void live_weigh(const peer_ops *peer, workload w);

#endif /* BENCH_ARENA_LIVE_H */
