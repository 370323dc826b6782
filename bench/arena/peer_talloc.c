/*
 * bench/arena/peer_talloc.c: talloc, one talloc_pool per request, large enough for a usual one with
 * talloc's header before each block; all of it goes with the pool.
 */
#include "peer.h"

#include <stdio.h>
#include <talloc.h>

typedef void *peer_handle;

typedef struct peer {
    size_t pool;
    peer_handle *live;
} peer;

/* Bytes that talloc 2.4 puts before a block, and what rounding may add. */
enum { HEADER = 96 + 16 };

static void peer_open(peer *p, workload w, size_t slots)
{
    (void)slots;
    size_t asked = w == W2 ? inputs.asked : inputs.room[w];
    p->pool = asked + inputs.blocks[w] * HEADER;
}

static void peer_close(peer *p)
{
    (void)p;
}

static inline peer_handle peer_begin(peer *p, size_t slot)
{
    (void)slot;
    return talloc_pool(NULL, p->pool);
}

static inline void *peer_alloc(peer_handle *h, size_t size)
{
    return talloc_size(*h, size);
}

static inline void peer_end(peer *p, peer_handle h)
{
    (void)p;
    talloc_free(h);
}

static inline void *peer_grow(peer_handle *h, void *old, size_t old_size, size_t size)
{
    (void)old_size;
    return talloc_realloc_size(*h, old, size);
}

#include "loops.h"

static const char *version(void)
{
    static char text[32];
    snprintf(text, sizeof text, "%d.%d", talloc_version_major(), talloc_version_minor());
    return text;
}

PEER_TABLE(peer_talloc, "talloc pool", NULL, run_w8, PEER_SLOTS_ALL, version, 0);
