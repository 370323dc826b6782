/*
 * bench/workloads/with_floor.c: no memory at all: a pointer that moves through a static buffer, unchecked, and
 * from its beginning again for each batch. What is left is the work that all have to do.
 */
#include "work.h"

enum { FREES = 0, ROOM = 4 << 20 };

typedef struct memory {
    char *at;
} memory;

static memory memory_begin(work w)
{
    static _Alignas(16) char room[ROOM];
    (void)w;
    return (memory){room};
}

static void memory_end(memory *m)
{
    (void)m;
}

static inline void *take_bytes(memory *m, size_t size)
{
    char *p = m->at;
    m->at += size;
    return p;
}

static inline void *take(memory *m, size_t size)
{
    enum { ALIGN = 16 };
    m->at = (char *)(((uintptr_t)m->at + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1));
    return take_bytes(m, size);
}

static inline void *resize(memory *m, void *p, size_t old, size_t size);

static inline void drop(memory *m, void *p)
{
    (void)m, (void)p;
}

#include "plain.h"

static inline void *resize(memory *m, void *p, size_t old, size_t size)
{
    char *to = take(m, size);
    if (old) memcpy(to, p, old);
    return to;
}

const contestant with_floor = {"floor", NULL, NULL, {proposals, schedule, messages}};
