/*
 * share/internal.h: what a shared object is made of. shared.c counts it, root.c swaps it while
 * others read, canon.c finds it by what is in it, epoch.c knows who may be reading.
 *
 * The control block lies apart from the arena, whose pages may be read-only. It outlives the object
 * while there are weak references: all the counted ones together are one of those.
 *
 * Invariants
 *   count == 0 is for ever: nobody holds an object again that has ended
 *   the root and the arena are as at sealing until count has become 0
 *
 * Locks: a part of a canonical table, then the list of objects; the epoch's; then the arena's.
 */
#ifndef EBB_SHARE_INTERNAL_H
#define EBB_SHARE_INTERNAL_H

#include "epoch.h"

#include <ebb/share.h>

/* The low half of a count is how many hold the object, the high half how many of those are scopes,
   for the statistics. */
#define ONE_HOLDER ((uint64_t)1)
#define ONE_SCOPE  (((uint64_t)1 << 32) + ONE_HOLDER)

struct ebb_shared {
    const void *root;
    ebb_shared *next, *previous; /* of all that are alive; next: of those about to end */
    uint64_t mark;               /* ALIVE or ENDED, so that a stale handle is told */
    ebb_arena *arena;
    size_t bytes;
    /* written by all who hold and drop; what is above is only read */
    _Alignas(64) _Atomic uint64_t count;
    _Atomic uint32_t weak;
};
_Static_assert(sizeof(ebb_shared) <= 256, "a shared object's control block fits EXT_CLASS");

/* false: it has ended, which has been reported. */
bool ebb__shared_check(const ebb_shared *s, const char *function);

/* One or two halves more. false: it has ended, which has been reported. */
bool ebb__shared_add(ebb_shared *s, uint64_t what, const char *function);

/* Take away a reference. true: it was the last, and ebb__shared_end must follow, with no lock held
   that a cleanup of the user's may take; or ebb__shared_end_later, and ebb__shared_end_all then. */
bool ebb__shared_let_go(ebb_shared *s, uint64_t what, const char *function);
void ebb__shared_end(ebb_shared *s);
void ebb__shared_end_later(ebb_shared *s, ebb_shared **list);
void ebb__shared_end_all(ebb_shared *list);

/* One more, if it has not ended. */
bool ebb__shared_try_hold(ebb_shared *s);

/* An object to which the caller has a weak reference has ended. */
static inline bool has_ended(ebb_shared *s)
{
    return (uint32_t)atomic_load_explicit(&s->count, memory_order_relaxed) == 0;
}

/* Before the first use of a lock of share/. */
void ebb__share_prepare(void);

/* canon.c; around fork */
void ebb__canon_lock_all(void);
void ebb__canon_unlock_all(void);

#endif /* EBB_SHARE_INTERNAL_H */
