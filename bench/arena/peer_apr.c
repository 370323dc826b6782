/*
 * bench/arena/peer_apr.c: APR pools, one child pool per request, as httpd does. The allocator beneath is
 * the bench's own and keeps all it gets, so no other pool's lock is in the way; only where two threads
 * share it (W6) has it a lock at all. Blocks are aligned to 8, as APR's are.
 */
#include "peer.h"

#include "apr_common.h"
#include <apr_thread_mutex.h>

typedef apr_pool_t *peer_handle;

typedef struct peer {
    apr_allocator_t *allocator;
    apr_pool_t *root;
    peer_handle *live;
} peer;

static void peer_open(peer *p, workload w, size_t slots)
{
    (void)w;
    apr_thread_mutex_t *lock = NULL;
    if (apr_allocator_create(&p->allocator) != APR_SUCCESS) abort();
    if (apr_pool_create_ex(&p->root, NULL, NULL, p->allocator) != APR_SUCCESS) abort();
    apr_allocator_owner_set(p->allocator, p->root);
    if (slots == 1) return;
    if (apr_thread_mutex_create(&lock, APR_THREAD_MUTEX_DEFAULT, p->root) != APR_SUCCESS) abort();
    apr_allocator_mutex_set(p->allocator, lock);
}

static void peer_close(peer *p)
{
    apr_pool_destroy(p->root);
}

static inline peer_handle peer_begin(peer *p, size_t slot)
{
    (void)slot;
    apr_pool_t *pool = NULL;
    if (apr_pool_create_ex(&pool, p->root, NULL, NULL) != APR_SUCCESS) abort();
    return pool;
}

static inline void *peer_alloc(peer_handle *h, size_t size)
{
    return apr_palloc(*h, size);
}

static inline void peer_end(peer *p, peer_handle h)
{
    (void)p;
    apr_pool_destroy(h);
}

#define PEER_OWN_W8
#include "loops.h"

PEER_TABLE(peer_apr, "APR pool", apr_missing, NULL, PEER_SLOTS_ALL, apr_version_text, 0);
