/*
 * bench/arena/peer_floor.c: the floor: a pointer moved down through memory that is always enough, with no
 * limit to check and nothing to begin or end. No allocator can be faster; the distance to it is what an
 * allocator costs.
 */
#include "peer.h"

#include <stdint.h>

typedef struct peer_handle {
    uintptr_t tip;
} peer_handle;

typedef struct peer {
    char *memory;
    size_t stride; /* from one slot's memory to the next */
    peer_handle *live;
} peer;

enum { ALIGN = 16, PAGE = 4096, LINES_APART = 5 * 64 };

static void peer_open(peer *p, workload w, size_t slots)
{
    /* Not a power of two: slots that lie so far apart would fight for the same sets of the cache. */
    p->stride = ((inputs.room[w] + PAGE) & ~(size_t)(PAGE - 1)) + LINES_APART;
    p->memory = (char *)bench_need(p->stride * slots);
    memset(p->memory, 1, p->stride * slots);
}

static void peer_close(peer *p)
{
    free(p->memory);
}

static inline peer_handle peer_begin(peer *p, size_t slot)
{
    return (peer_handle){(uintptr_t)p->memory + p->stride * (slot + 1)};
}

static inline void *peer_alloc(peer_handle *h, size_t size)
{
    h->tip = (h->tip - size) & ~(uintptr_t)(ALIGN - 1);
    return (void *)h->tip;
}

static inline void peer_end(peer *p, peer_handle h)
{
    (void)p, (void)h;
}

/* A string's floor is one that has its final size from the start. */
static inline void *peer_grow(peer_handle *h, void *old, size_t old_size, size_t size)
{
    (void)old_size, (void)size;
    return old ? old : peer_alloc(h, W8_BYTES);
}

#include "loops.h"

PEER_TABLE(peer_floor, "floor", NULL, run_w8, PEER_SLOTS_ALL, NULL, 0);
