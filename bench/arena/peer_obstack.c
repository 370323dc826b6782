/*
 * bench/arena/peer_obstack.c: glibc's obstack, begun and freed per request, with its default chunks.
 */
#include "peer.h"

#include <obstack.h>

#define obstack_chunk_alloc malloc
#define obstack_chunk_free  free

typedef struct obstack peer_handle;

typedef struct peer {
    peer_handle *live;
} peer;

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
    struct obstack h;
    obstack_init(&h);
    return h;
}

static inline void *peer_alloc(peer_handle *h, size_t size)
{
    return obstack_alloc(h, (int)size);
}

static inline void peer_end(peer *p, peer_handle h)
{
    (void)p;
    obstack_free(&h, NULL);
}

BENCH_NOINLINE static void run_w8(void *state, size_t ops)
{
    (void)state;
    for (size_t op = 0; op < ops; op++) {
        struct obstack h;
        obstack_init(&h);
        for (size_t len = 0; len < W8_BYTES; len++) obstack_1grow(&h, inputs.text[len]);
        char *s = obstack_finish(&h);
        __asm__ volatile("" : : "r"(s) : "memory");
        obstack_free(&h, NULL);
    }
}

#define PEER_OWN_W8
#include "loops.h"

PEER_TABLE(peer_obstack, "obstack", NULL, run_w8, PEER_SLOTS_ALL, NULL, 0);
