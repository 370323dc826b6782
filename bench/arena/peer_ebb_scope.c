/*
 * bench/arena/peer_ebb_scope.c: Ebb as a request handler uses it: one scope per request.
 */
#include "peer.h"

#include <ebb/ebb.h>

typedef ebb_arena *peer_handle;

typedef struct peer {
    ebb_profile *profile;
    peer_handle *live;
} peer;

static ebb_profile profiles[WORKLOADS] = {
    EBB_PROFILE("W1"), EBB_PROFILE("W2"), EBB_PROFILE("W3"), EBB_PROFILE("W4"), EBB_PROFILE("W8"),
};

static void peer_open(peer *p, workload w, size_t slots)
{
    (void)slots;
    p->profile = &profiles[w];
}

static void peer_close(peer *p)
{
    (void)p;
}

static inline peer_handle peer_begin(peer *p, size_t slot)
{
    (void)slot;
    return ebb_scope_begin(p->profile);
}

static inline void *peer_alloc(peer_handle *h, size_t size)
{
    return ebb_alloc(*h, size);
}

/* A root that is merely parked may be ended by any one thread: W6 needs no call to hand it over. */
static inline void peer_end(peer *p, peer_handle h)
{
    (void)p;
    ebb_scope_end(&h);
}

static inline void *peer_grow(peer_handle *h, void *old, size_t old_size, size_t size)
{
    return ebb_resize(*h, old, old_size, size);
}

/* A profile looks at every 17th scope: enough that its percentiles have come to rest. */
#define PEER_SETTLE 2500

#include "loops.h"

PEER_TABLE(peer_ebb_scope, "Ebb scope", NULL, run_w8, PEER_SLOTS_ALL, ebb_version, 0);
