/*
 * bench/pool/peers.h: a contestant, and the loops that are compiled for each.
 */
#ifndef BENCH_POOL_PEERS_H
#define BENCH_POOL_PEERS_H

#include "../harness/harness.h"

#include <stddef.h>

enum { OBJECT_SIZE = 256, BURST = 32 };

/* A bounded ring between one producer and one consumer, the same for all. */
typedef struct ring ring;
void ring_put(ring *r, void *object);
void *ring_take(ring *r);

typedef struct peer {
    const char *name;
    void *(*make)(void);  /* NULL returned: it can't be had here */
    void (*thread)(void); /* said on each further thread before use */
    bench_run *pair, *burst;
    void (*produce)(void *pool, ring *r, size_t n);
    void (*consume)(void *pool, ring *r, size_t n);
} peer;

/* GET and PUT are expressions of `p`, and of the object `o`. */
#define PEER_LOOPS(tag, GET, PUT)                                                                  \
    static BENCH_NOINLINE void tag##_pair(void *p, size_t n)                                       \
    {                                                                                              \
        for ((void)p; n--;) {                                                                      \
            char *volatile *o = (char *volatile *)(GET);                                           \
            *o = NULL;                                                                             \
            PUT;                                                                                   \
        }                                                                                          \
    }                                                                                              \
    static BENCH_NOINLINE void tag##_burst(void *p, size_t n)                                      \
    {                                                                                              \
        char *volatile *of[BURST];                                                                 \
        for ((void)p; n >= BURST; n -= BURST) {                                                    \
            for (int i = 0; i < BURST; i++) *(of[i] = (char *volatile *)(GET)) = NULL;             \
            for (int i = 0; i < BURST; i++) {                                                      \
                char *volatile *o = of[i];                                                         \
                PUT;                                                                               \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static BENCH_NOINLINE void tag##_produce(void *p, ring *r, size_t n)                           \
    {                                                                                              \
        for ((void)p; n--;) {                                                                      \
            char *volatile *o = (char *volatile *)(GET);                                           \
            *o = NULL;                                                                             \
            ring_put(r, (void *)(uintptr_t)o);                                                     \
        }                                                                                          \
    }                                                                                              \
    static BENCH_NOINLINE void tag##_consume(void *p, ring *r, size_t n)                           \
    {                                                                                              \
        for ((void)p; n--;) {                                                                      \
            char *volatile *o = ring_take(r);                                                      \
            *o = NULL;                                                                             \
            PUT;                                                                                   \
        }                                                                                          \
    }

#define PEER(text, tag, make, thread)                                                              \
    {                                                                                              \
        text, make, thread, tag##_pair, tag##_burst, tag##_produce, tag##_consume                  \
    }

#if BENCH_HAVE_DPDK
extern const peer bench_dpdk;
#endif

#endif /* BENCH_POOL_PEERS_H */
