/*
 * share/internal.h: what a shared object is made of.
 *
 * The graph lies in an arena that is sealed; beside it, in a pool and never read-only, its handle
 * with the counts. A handle is a weak reference too: it stays until the object has ended and no
 * weak reference is left. All strong ones together count as one weak one.
 */
#ifndef EBB_SHARE_INTERNAL_H
#define EBB_SHARE_INTERNAL_H

#include "epoch.h"

#include <ebb/share.h>

struct quarry;

struct ebb_shared {
    _Atomic uint64_t strong, weak;
    ebb_arena *arena;
    const void *root;
    size_t bytes;
    struct quarry *quarry; /* of the pages that it lies in, where they are protected */
};

enum { HANDLE_SIZE = 128, HANDLE_COST = 192 }; /* with the pool's header */
_Static_assert(sizeof(ebb_shared) <= HANDLE_SIZE, "a handle is two cache lines");

/* HANDLE_SIZE bytes for a handle, or what else is small and outlives scopes. NULL: no memory. */
void *ebb__handle_new(void);
void ebb__handle_free(void *handle);

/* One more reference, unless there is none any more. */
bool ebb__shared_revive(ebb_shared *s);

#endif /* EBB_SHARE_INTERNAL_H */
