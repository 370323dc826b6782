/*
 * pool/buffer.h: what a buffer pool is made of. buffer.c is its life and what happens to a buffer;
 * buffer_use.c is how much was used, and what is therefore kept.
 */
#ifndef EBB_POOL_BUFFER_H
#define EBB_POOL_BUFFER_H

#include "internal.h"

#include <ebb/bufpool.h>

/* Four bins to a power of two, from 64 bytes on; the last takes all from 768 MiB up. */
enum { USE_BINS = 96 };

/* How many bytes the users of a class needed. Many threads add to it without a lock, and what they
   lose to each other is no matter: it is an estimate. */
typedef struct use {
    _Atomic uint32_t weight[USE_BINS];
    _Atomic uint32_t total;
    _Atomic uint32_t busy; /* somebody fades it, or looks for the percentile */
    _Atomic size_t percentile;
} use;

/* Begin as if some had used `expected` bytes each. */
void ebb__use_init(use *u, size_t expected);
/* One of `weight` uses alike took `bytes`. */
void ebb__use_add(use *u, size_t bytes, uint32_t weight);

typedef struct buffer_class {
    size_t size;
    ebb_bufpool *of;
    ebb_pool *pool;
    _Alignas(64) use used;
} buffer_class;

struct ebb_bufpool {
    ebb_arena *arena;
    size_t max_bytes;
    unsigned count;
    bool poisons; /* a tool is there to see it */
    char name[32];
    _Alignas(64) _Atomic size_t bytes; /* changes only when a buffer is made, grows or goes */
    _Atomic size_t high_water;
    _Atomic uint64_t outsized, over_limit, unfinished, grown;
    buffer_class class[EBB_BUFPOOL_CLASSES];
};

#endif /* EBB_POOL_BUFFER_H */
