/*
 * share/epoch.h: when what readers may be looking at can be let go of.
 *
 * A scope that is going to read what others may take away meanwhile announces the epoch, once; its
 * record hangs on it as a pin, so that rewinding leaves it, and handing the scope to another thread
 * changes nothing. What is taken away is retired with the epoch of that moment, and let go of when
 * each announced epoch is later. (Keir Fraser, "Practical Lock-Freedom", 2004; the scope in place
 * of the thread is ours.)
 *
 * A reader's announcement costs no fence: who collects passes a barrier through all threads before
 * it looks who reads. Where the system has no such barrier both use a fence.
 */
#ifndef EBB_SHARE_EPOCH_H
#define EBB_SHARE_EPOCH_H

#include "../arena/internal.h"

typedef struct ebb__reader {
    ebb_cleanup pin;          /* of its scope */
    _Atomic uint64_t epoch;   /* announced; 0: it does not read */
    const char *_Atomic name; /* of the scope's profile */
    struct ebb__reader *next; /* all that were ever made, newest first */
    struct ebb__reader *next_free;
} ebb__reader;

/* Lies in what is retired. */
typedef struct ebb__retired {
    struct ebb__retired *next;
    void (*let_go)(struct ebb__retired *); /* on any thread, with no lock held */
    uint64_t epoch;
    size_t bytes;
} ebb__retired;

void ebb__epoch_leave(ebb_cleanup *pin);
bool ebb__epoch_announce(ebb_arena *a);

/* From here on what `a` reads stays, until it ends or is reset. False: it has no memory for it. */
static inline bool ebb__epoch_enter(ebb_arena *a)
{
    const ebb_cleanup *pin = ebb__pins(a);
    if (likely(pin && pin->run == ebb__epoch_leave)) return true;
    return ebb__epoch_announce(a);
}

/* Without a scope: read between the two. NULL: no memory. */
ebb__reader *ebb__epoch_begin(void);
void ebb__epoch_end(ebb__reader *r);

/* Nobody who begins to read from now on can find r's. */
void ebb__epoch_retire(ebb__retired *r, void (*let_go)(ebb__retired *), size_t bytes);
/* Let go of what nobody can be reading. Return how many are left. */
size_t ebb__epoch_collect(void);

typedef struct ebb__epoch_stats {
    size_t readers, retired, bytes;
    const char *oldest; /* the name of who has read longest; NULL: nobody */
} ebb__epoch_stats;

void ebb__epoch_get_stats(ebb__epoch_stats *ret_stats);
size_t ebb__epoch_bytes(void); /* retired; cheap */
/* Whether nobody has been reading longer than `a`, which reads: waiting for others is in vain. */
bool ebb__epoch_is_oldest(const ebb_arena *a);

/* Whether what a's scopes read is to be counted, since they live long. */
static inline bool ebb__is_long_lived(const ebb_arena *a)
{
    const ebb_profile *p = a->bits & SCOPE ? ebb__profile_by_id(a->bits >> PROFILE_SHIFT) : NULL;
    return p && p->long_lived;
}

#endif /* EBB_SHARE_EPOCH_H */
