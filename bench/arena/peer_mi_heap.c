/*
 * bench/arena/peer_mi_heap.c: mimalloc's first-class heaps, one per request, destroyed as a whole. A heap
 * belongs to the thread that made it, so W6 is not for them.
 */
#include "peer.h"

#include "mimalloc_common.h"

typedef struct mi_heap_s *peer_handle;

typedef struct peer {
    peer_handle *live;
} peer;

static peer_handle (*heap_new)(void);
static void *(*heap_malloc)(peer_handle, size_t);
static void *(*heap_realloc)(peer_handle, void *, size_t);
static void (*heap_destroy)(peer_handle);

static const char *missing(void)
{
    const char *why = mimalloc_load();
    if (why) return why;
    int found = load_symbol(mimalloc, "mi_heap_new", &heap_new) &&
                load_symbol(mimalloc, "mi_heap_malloc", &heap_malloc) &&
                load_symbol(mimalloc, "mi_heap_realloc", &heap_realloc) &&
                load_symbol(mimalloc, "mi_heap_destroy", &heap_destroy);
    return found ? NULL : load_error();
}

static void peer_open(peer *p, workload w, size_t slots)
{
    (void)p, (void)w, (void)slots;
}

static void peer_close(peer *p)
{
    (void)p;
}

static inline peer_handle peer_begin(peer *p, size_t slot)
{
    (void)p, (void)slot;
    return heap_new();
}

static inline void *peer_alloc(peer_handle *h, size_t size)
{
    return heap_malloc(*h, size);
}

static inline void peer_end(peer *p, peer_handle h)
{
    (void)p;
    heap_destroy(h);
}

static inline void *peer_grow(peer_handle *h, void *old, size_t old_size, size_t size)
{
    (void)old_size;
    return heap_realloc(*h, old, size);
}

#include "loops.h"

PEER_TABLE(peer_mi_heap, "mimalloc mi_heap", missing, run_w8, PEER_SLOTS_CONFINED, mimalloc_version,
           1);
