/*
 * share/epoch.h: who may still be looking at what has just been taken away. For what readers reach
 * without counting it: roots and caches. Not for what each reader holds by itself (ebb_shared).
 *
 *    a reader's scope                      who takes away
 *    enter: announce the epoch             unlink it, so that nobody new finds it
 *    read, as often as it likes            retire: stamp it with the epoch, begin the next
 *    ...                                   collect: let go of what is older than all announced
 *    end: announce nothing
 *
 * Invariants
 *   A reader that announced a later epoch than a stamp has not seen what bears it: it read the
 *   epoch after that was advanced, which was after the unlinking.
 *   One whose announcement the collector does not see, looks for what it reads after the collector
 *   has unlinked it: the announcement, that load, the unlinking, and the collector's look at the
 *   announcements are all sequentially consistent.
 *
 * So the unlinking, and a reader's load of what may be unlinked, must be sequentially consistent
 * (__ATOMIC_SEQ_CST; a load of that kind costs nothing more on x86). This is epoch-based
 * reclamation (Keir Fraser, "Practical Lock-Freedom", 2004), but for that an announcement belongs
 * to a scope and not to a thread: it moves with the scope from thread to thread, and lasts until
 * the scope ends or is reset.
 */
#ifndef EBB_SHARE_EPOCH_H
#define EBB_SHARE_EPOCH_H

#include "../arena/internal.h"

/* What is to be let go of, in the storage of whoever retires it. */
typedef struct ebb__retired ebb__retired;
struct ebb__retired {
    ebb__retired *next;
    uint64_t stamp;
    void (*let_go)(ebb__retired *g); /* called once, with no lock held; @g is free to go too */
    size_t bytes;
};

/* An announcement. Type-stable: who collects looks at all there ever were. */
typedef struct ebb__reader ebb__reader;
struct ebb__reader {
    _Alignas(64) _Atomic uint64_t epoch; /* 0: none */
    const char *_Atomic name;
    ebb_cleanup pin; /* of its scope, if it has one */
    ebb__reader *next, *next_free;
};

/* The cleanup of those that belong to a scope, by which they are found again. */
void ebb__epoch_leave(ebb_cleanup *pin);
bool ebb__epoch_announce(ebb_arena *a, const char *function);

/* Whether `a` counts what it reads, because it lives long. Asked seldom, since it takes a while. */
bool ebb__is_long_lived(const ebb_arena *a);

/* `a` has announced. */
static inline bool ebb__epoch_is_in(const ebb_arena *a)
{
    for (const ebb_cleanup *c = ebb__pins(a); c; c = c->next)
        if (likely(c->run == ebb__epoch_leave)) return true;
    return false;
}

/* What `a` finds from here on stays until it ends or is reset. false: it lives long, and counts;
   or there is no memory for it to say so; or it may not be used, which has been reported. */
static inline bool ebb__epoch_enter(ebb_arena *a, const char *function)
{
    return likely(ebb__epoch_is_in(a)) || ebb__epoch_announce(a, function);
}

/* Why one that does not live long could not enter. */
static inline ebb_status ebb__epoch_refuses(const ebb_arena *a)
{
    if (a != &ebb__dead && !(a->bits & LIVE)) return EBB_E_INVALID;
    return ebb_failed(a) ? ebb_failed(a) : EBB_E_MEMORY;
}

/* The same for a moment, and for those who have no scope. NULL: no memory. */
ebb__reader *ebb__epoch_begin(void);
void ebb__epoch_end(ebb__reader *r);

/* Call let_go(g) when nobody can be looking at it any more: it has been unlinked. Never fails. May
   call others' let_go, or this one, before it returns: hold no lock that they take. */
void ebb__epoch_retire(ebb__retired *g, void (*let_go)(ebb__retired *), size_t bytes);

/* Let go of all that can be. Return how many wait. */
size_t ebb__epoch_collect(void);

typedef struct ebb__epoch_stats {
    size_t retired, bytes, readers;
    const char *oldest; /* the profile's name of the reader that holds back most, static, or "?";
                           NULL: none */
} ebb__epoch_stats;
void ebb__epoch_get_stats(ebb__epoch_stats *ret_stats);
size_t ebb__epoch_bytes(void); /* retired; cheap */
/* Whether nobody has been reading longer than `a`, which reads: waiting for others is in vain. */
bool ebb__epoch_is_oldest(const ebb_arena *a);

/* Around fork. */
void ebb__epoch_lock(void);
void ebb__epoch_unlock(void);

#endif /* EBB_SHARE_EPOCH_H */
