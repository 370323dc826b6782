/*
 * bench/arena/peer_pmr_kept.cc: std::pmr::monotonic_buffer_resource over a buffer that fits the largest
 * request, released between requests, which keeps the buffer.
 */
#include "peer.h"

#include "pmr_common.h"
#include <new>

namespace
{

typedef direct_resource *peer_handle;

typedef struct peer {
    void *buffer;
    direct_resource *resource;
    peer_handle *live;
} peer;

enum { BUFFER_SLACK = 4096 };

static void peer_open(peer *p, workload w, size_t slots)
{
    (void)slots;
    size_t size = inputs.room[w] + BUFFER_SLACK;
    p->buffer = bench_need(size);
    p->resource = new direct_resource(p->buffer, size);
}

static void peer_close(peer *p)
{
    delete p->resource;
    free(p->buffer);
}

static inline peer_handle peer_begin(peer *p, size_t slot)
{
    (void)slot;
    return p->resource;
}

static inline void *peer_alloc(peer_handle *h, size_t size)
{
    return (*h)->take(size);
}

static inline void peer_end(peer *p, peer_handle h)
{
    (void)p;
    h->release();
}

BENCH_NOINLINE static void run_w8(void *state, size_t ops)
{
    peer *p = static_cast<peer *>(state);
    for (size_t op = 0; op < ops; op++) {
        grow_pmr_string(p->resource);
        p->resource->release();
    }
}

#define PEER_OWN_W8
#include "loops.h"

} // namespace

PEER_TABLE(peer_pmr_kept, "std::pmr, kept", NULL, run_w8, PEER_SLOTS_KEPT, NULL, 0);
