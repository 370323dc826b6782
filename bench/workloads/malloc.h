/*
 * bench/workloads/malloc.h: a memory that is a malloc; included after peer_malloc, peer_realloc and
 * peer_free, by one file each. Whoever uses malloc has to look at each result.
 */
#include "work.h"

#include <stdio.h>
#include <stdlib.h>

enum { FREES = 1 };

typedef struct memory {
    char none;
} memory;

static inline memory memory_begin(work w)
{
    (void)w;
    return (memory){0};
}

static inline void memory_end(memory *m)
{
    (void)m;
}

__attribute__((cold, noreturn)) static void no_memory(void)
{
    fprintf(stderr, "bench: out of memory\n");
    exit(1);
}

static inline void *checked(void *p)
{
#if BENCH_COUNTS
    work_calls++;
#endif
    if (!p) no_memory();
    return p;
}

static inline void *take(memory *m, size_t size)
{
    (void)m;
    return checked(peer_malloc(size));
}

static inline void *take_bytes(memory *m, size_t size)
{
    return take(m, size);
}

static inline void *resize(memory *m, void *p, size_t old, size_t size)
{
    (void)m, (void)old;
    return checked(peer_realloc(p, size));
}

static inline void drop(memory *m, void *p)
{
    (void)m;
    peer_free(p);
}
