/*
 * bench/arena/malloc_like.h: a contestant made of malloc, realloc and free. No include guard: included
 * once per file, after defining peer_malloc, peer_realloc and peer_free.
 *
 * Who frees by hand must know what to free. Here that is an array of pointers, the cheapest there is.
 */
typedef struct peer_handle {
    void **blocks;
    size_t count;
} peer_handle;

typedef struct peer {
    void **blocks;
    size_t most; /* blocks of one request */
    peer_handle *live;
} peer;

static void peer_open(peer *p, workload w, size_t slots)
{
    size_t bytes = slots * inputs.blocks[w] * sizeof(void *);
    p->most = inputs.blocks[w];
    p->blocks = (void **)bench_need(bytes);
    memset((void *)p->blocks, 1, bytes);
}

static void peer_close(peer *p)
{
    free(p->blocks);
}

static inline peer_handle peer_begin(peer *p, size_t slot)
{
    return (peer_handle){p->blocks + slot * p->most, 0};
}

static inline void *peer_alloc(peer_handle *h, size_t size)
{
    return h->blocks[h->count++] = peer_malloc(size);
}

static inline void peer_end(peer *p, peer_handle h)
{
    (void)p;
    for (size_t i = 0; i < h.count; i++) peer_free(h.blocks[i]);
}

static inline void *peer_grow(peer_handle *h, void *old, size_t old_size, size_t size)
{
    (void)old_size;
    h->count = 1;
    return h->blocks[0] = peer_realloc(old, size);
}

#include "loops.h"
