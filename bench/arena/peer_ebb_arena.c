/*
 * bench/arena/peer_ebb_arena.c: Ebb with an arena kept and reset, for loops that need no scope.
 */
#include "peer.h"

#include <ebb/ebb.h>

typedef ebb_arena *peer_handle;

typedef struct peer {
    ebb_arena *arena;
    peer_handle *live;
} peer;

static void peer_open(peer *p, workload w, size_t slots)
{
    (void)w, (void)slots;
    p->arena = ebb_arena_create(NULL);
}

static void peer_close(peer *p)
{
    ebb_arena_destroy(&p->arena);
}

static inline peer_handle peer_begin(peer *p, size_t slot)
{
    (void)slot;
    return p->arena;
}

static inline void *peer_alloc(peer_handle *h, size_t size)
{
    return ebb_alloc(*h, size);
}

static inline void peer_end(peer *p, peer_handle h)
{
    (void)p;
    ebb_arena_reset(h);
}

static inline void *peer_grow(peer_handle *h, void *old, size_t old_size, size_t size)
{
    return ebb_resize(*h, old, old_size, size);
}

#include "loops.h"

PEER_TABLE(peer_ebb_arena, "Ebb arena, reset", NULL, run_w8, PEER_SLOTS_KEPT, ebb_version, 0);
