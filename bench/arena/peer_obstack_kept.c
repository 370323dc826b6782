/*
 * bench/arena/peer_obstack_kept.c: an obstack whose one chunk fits the largest request, freed back to its
 * first object.
 */
#include "peer.h"

#include <obstack.h>

#define obstack_chunk_alloc malloc
#define obstack_chunk_free  free

typedef struct obstack *peer_handle;

typedef struct peer {
    struct obstack stack;
    void *first;
    peer_handle *live;
} peer;

enum { CHUNK_SLACK = 4096 };

static void peer_open(peer *p, workload w, size_t slots)
{
    (void)slots;
    obstack_begin(&p->stack, (int)(inputs.room[w] + CHUNK_SLACK));
    p->first = obstack_alloc(&p->stack, 0);
}

static void peer_close(peer *p)
{
    obstack_free(&p->stack, NULL);
}

static inline peer_handle peer_begin(peer *p, size_t slot)
{
    (void)slot;
    return &p->stack;
}

static inline void *peer_alloc(peer_handle *h, size_t size)
{
    return obstack_alloc(*h, (int)size);
}

static inline void peer_end(peer *p, peer_handle h)
{
    obstack_free(h, p->first);
    p->first = obstack_alloc(h, 0);
}

BENCH_NOINLINE static void run_w8(void *state, size_t ops)
{
    struct obstack *h = &((peer *)state)->stack;
    for (size_t op = 0; op < ops; op++) {
        for (size_t len = 0; len < W8_BYTES; len++) obstack_1grow(h, inputs.text[len]);
        char *s = obstack_finish(h);
        __asm__ volatile("" : : "r"(s) : "memory");
        obstack_free(h, s);
    }
}

#define PEER_OWN_W8
#include "loops.h"

PEER_TABLE(peer_obstack_kept, "obstack, kept", NULL, run_w8, PEER_SLOTS_KEPT, NULL, 0);
