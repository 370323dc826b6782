/*
 * bench/arena/peer.h: one contestant: Ebb, the floor, or a peer.
 *
 * Each lives in a file of its own, which says how that library begins a request, allocates and ends it,
 * in the way its own manual recommends, and then includes loops.h, which makes the workloads out of
 * that. So every contestant runs the same source, compiled with its own calls inlined as its users
 * would have them.
 *
 * "kept" in a name: the arena is made once and emptied between requests, with room for the largest; what
 * a user who knows his sizes would do. Without it: made and destroyed per request.
 */
#ifndef BENCH_ARENA_PEER_H
#define BENCH_ARENA_PEER_H

#include "../harness/harness.h"
#include "inputs.h"

#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct peer_ops {
    const char *name;
    /* NULL: ready; else why it can't take part. Loads the library where that is needed. */
    const char *(*missing)(void);
    /* State for one thread, for workload @w, with @slots requests alive at a time. */
    void *(*open)(workload w, size_t slots);
    void (*close)(void *state);
    bench_run *run[WORKLOADS]; /* NULL: it has nothing to do that with */
    /* Make a request in @slot, end it, perhaps on another thread. NULL: can't be. */
    void (*make)(void *state, size_t slot, const uint32_t *sizes, size_t count);
    void (*end)(void *state, size_t slot);
    /* As make, with every byte written, so that all of it is resident. */
    void (*fill)(void *state, size_t slot, const uint32_t *sizes, size_t count);
    const char *(*version)(void);
    int mallocs_unseen; /* 1: every allocation is a call of a malloc, one that can't be counted */
    size_t settle;      /* operations until it has learned what it learns; 0: it doesn't */
} peer_ops;

extern const peer_ops peer_floor, peer_ebb_scope, peer_ebb_arena, peer_apr, peer_apr_kept,
    peer_obstack, peer_obstack_kept, peer_pmr, peer_pmr_kept, peer_talloc, peer_mi_heap,
    peer_mimalloc, peer_jemalloc, peer_glibc;

#ifdef __cplusplus
}
#endif
#endif /* BENCH_ARENA_PEER_H */
