/*
 * bench/arena/peer_pmr.cc: std::pmr::monotonic_buffer_resource, made and destroyed per request, over
 * new and delete. It is called past its virtual table, which its users would not manage.
 */
#include "peer.h"

#include "pmr_common.h"
#include <new>

namespace
{

typedef direct_resource *peer_handle;

/* Where a slot's resource lies, so that making one costs no allocation. */
struct place {
    alignas(direct_resource) unsigned char bytes[sizeof(direct_resource)];
};

typedef struct peer {
    place *places;
    peer_handle *live;
} peer;

static void peer_open(peer *p, workload w, size_t slots)
{
    (void)w;
    p->places = static_cast<place *>(bench_need(slots * sizeof(place)));
    memset(static_cast<void *>(p->places), 1, slots * sizeof(place));
}

static void peer_close(peer *p)
{
    free(p->places);
}

static inline peer_handle peer_begin(peer *p, size_t slot)
{
    return new (p->places[slot].bytes) direct_resource;
}

static inline void *peer_alloc(peer_handle *h, size_t size)
{
    return (*h)->take(size);
}

static inline void peer_end(peer *p, peer_handle h)
{
    (void)p;
    h->~direct_resource();
}

BENCH_NOINLINE static void run_w8(void *state, size_t ops)
{
    peer *p = static_cast<peer *>(state);
    for (size_t op = 0; op < ops; op++) {
        direct_resource *h = peer_begin(p, 0);
        grow_pmr_string(h);
        peer_end(p, h);
    }
}

#define PEER_OWN_W8
#include "loops.h"

} // namespace

PEER_TABLE(peer_pmr, "std::pmr monotonic", NULL, run_w8, PEER_SLOTS_ALL, NULL, 0);
