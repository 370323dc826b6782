/*
 * bench/workloads/with_arena.c: the same code in a scope for each batch, and nothing else of Ebb.
 */
#include "work.h"

#include <ebb/scope.h>

#include <stdlib.h>

enum { FREES = 0 };

typedef struct memory {
    ebb_arena *a;
} memory;

static memory memory_begin(work w)
{
    static ebb_profile of[WORKS] = {EBB_PROFILE("proposals"), EBB_PROFILE("schedule"),
                                    EBB_PROFILE("messages")};
    return (memory){ebb_scope_begin(&of[w])};
}

/* One look at the end is enough: a scope that has failed stays failed. */
static void memory_end(memory *m)
{
    if (ebb_failed(m->a)) abort();
    ebb_scope_end(&m->a);
}

static inline void *take(memory *m, size_t size)
{
    return ebb_alloc(m->a, size);
}

static inline void *take_bytes(memory *m, size_t size)
{
    return ebb_alloc_aligned(m->a, size, 1);
}

static inline void *resize(memory *m, void *p, size_t old, size_t size)
{
    return ebb_resize(m->a, p, old, size);
}

static inline void drop(memory *m, void *p)
{
    (void)m, (void)p;
}

#include "plain.h"

const contestant with_arena = {"Ebb, arenas", NULL, ebb_version, {proposals, schedule, messages}};
