/*
 * bench/arena/peer_apr_kept.c: an APR pool made once and cleared.
 */
#include "peer.h"

#include "apr_common.h"

typedef apr_pool_t *peer_handle;

typedef struct peer {
    apr_allocator_t *allocator;
    apr_pool_t *pool;
    peer_handle *live;
} peer;

static void peer_open(peer *p, workload w, size_t slots)
{
    (void)w, (void)slots;
    if (apr_allocator_create(&p->allocator) != APR_SUCCESS) abort();
    if (apr_pool_create_ex(&p->pool, NULL, NULL, p->allocator) != APR_SUCCESS) abort();
    apr_allocator_owner_set(p->allocator, p->pool);
}

static void peer_close(peer *p)
{
    apr_pool_destroy(p->pool);
}

static inline peer_handle peer_begin(peer *p, size_t slot)
{
    (void)slot;
    return p->pool;
}

static inline void *peer_alloc(peer_handle *h, size_t size)
{
    return apr_palloc(*h, size);
}

static inline void peer_end(peer *p, peer_handle h)
{
    (void)p;
    apr_pool_clear(h);
}

#define PEER_OWN_W8
#include "loops.h"

PEER_TABLE(peer_apr_kept, "APR pool, kept", apr_missing, NULL, PEER_SLOTS_KEPT, apr_version_text,
           0);
