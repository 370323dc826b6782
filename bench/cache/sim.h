/*
 * bench/cache/sim.h: traces, and what keeps how much of them. Shared by the parts of
 * bench-cache-ratios.
 *
 * A trace is a row of keys, numbered densely from 0 in order of appearance. Each key has a node,
 * and a policy is driven as the cache drives it: touch on a hit; on a miss victims until there is
 * room, then insert. The library's policies run in the code that ships (share/policy*.c), the
 * others behind the same interface (policies.c), and the optimum by looking ahead (min.c).
 */
#ifndef BENCH_CACHE_SIM_H
#define BENCH_CACHE_SIM_H

#include "../../share/policy.h"

#include <stddef.h>
#include <stdint.h>

typedef struct trace {
    char name[64];
    uint32_t *key;  /* of each request */
    size_t count;   /* of requests */
    uint32_t *size; /* of each key; NULL: all count 1 */
    size_t keys;    /* that appear */
    size_t space;   /* that could; a cache's size is given as a share of it */
    bool is_loop;
} trace;

/* Shares of all requests, in points; and of all bytes asked for. */
typedef struct ratio {
    double hits, bytes;
} ratio;

/* A cache's limits; 0: none. */
typedef struct limits {
    size_t entries, bytes;
} limits;

ratio sim_run(const ebb__policy_kind *kind, const trace *t, limits max);
/* The optimum of Belady, "A study of replacement algorithms for a virtual-storage computer" (1966),
   for a cache that need not keep what it has just loaded: no policy can do better. With sizes or a
   limit of bytes it is a guide, no bound. */
ratio sim_min(const trace *t, limits max);

extern const ebb__policy_kind *const sim_kinds[];
extern const size_t sim_kind_count;

/* The nth synthetic trace of a set: those that parameters were chosen by, and those held out. */
enum { SET_TUNED, SET_HELD_OUT, SETS };
extern const size_t trace_count;
extern const uint64_t trace_seeds[SETS];
void trace_make(trace *t, int set, size_t nth);
/* From a file: one request a line, its key or `key,size`. Exits with a message if it can't be read.
   */
void trace_read(trace *t, const char *path);
void trace_free(trace *t);

#endif /* BENCH_CACHE_SIM_H */
