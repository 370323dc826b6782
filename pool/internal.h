/*
 * pool/internal.h: what a pool is made of. pool.c is its life, lend.c what happens to an object on
 * its way out and home, magazine.c what a thread keeps, wait.c the queue.
 *
 *    acquire <- magazine (the thread's own) <- shelf (the depot, locked) <- create
 *    release -> magazine                    -> who waits -> shelf        -> destroy
 *
 * Invariants, whenever the pool's lock is free
 *   somebody waits: the shelf is empty, no place is free
 *   somebody waits, or more exist than may: all magazines are closed, so that who sends an object
 *   home comes to the lock
 *   exist <= max_size, but for what set_max has left over
 *   an object is in one place: a magazine, the shelf, set aside for a wait, or out
 *
 * A magazine belongs to its thread, which takes no lock: it says `busy` at its desk, and then looks
 * at its desk for the magazine. Who has the pool's lock may close it, by taking it from the desk,
 * and look into it once the thread is not busy; in between it passes a barrier through all threads
 * (os_barrier_all), so that one of the two sees the other. The price is the closer's alone. The
 * scheme is that of an asymmetric Dekker lock (David Dice, Hui Huang and Mingyao Yang, "Asymmetric
 * Dekker Synchronization", 2001).
 *
 * Locks: a pool's, and inside it the arena's of the ground floor. The list of pools and desks has
 * one of its own, taken before a pool's.
 */
#ifndef EBB_POOL_INTERNAL_H
#define EBB_POOL_INTERNAL_H

#include "../arena/internal.h"

#include <ebb/pool.h>
#include <ebb/storage.h>

enum {
    ITEM_SIZE = 64,      /* the header of an object, and what neighbours are kept apart by */
    MAGAZINE_MOST = 128, /* objects of a magazine */
    MAGAZINE_FIRST = 8,  /* where it begins */
    POOLS_MOST = 256,    /* pools that have magazines: 2 KiB for each thread that uses any */
    SHRINK_MOST = 16,    /* objects that one caller destroys because they were idle */
    ALIGN_MOST = 4096,
    PAGE_LEAST = 4096 /* of any system: what is mapped in it at all is mapped to its ends */
};
#define SIZE_MOST ((uint32_t)1 << 31)

/* ---- objects --------------------------------------------------------------------------------- */

/* Lies right before the object. */
typedef struct item {
    ebb_cleanup hold;        /* out: of its scope, if it has one */
    _Atomic uintptr_t state; /* the pool's address and, in its low bits, where the item is */
    _Atomic uint64_t loan;   /* which is, or was, the last: no two of a pool's have one number */
    void *_Atomic site;      /* where that was acquired */
    void *_Atomic home_or_holder; /* idle: who sent it home. Out: its arena, or NULL */
    uint32_t number;              /* its place in the register */
    uint32_t sign;                /* that this is an item: see sign_of */
} item;
_Static_assert(sizeof(item) <= ITEM_SIZE, "the header of an object is one cache line");

/* Low bits of the state. */
enum { IDLE = 0, OUT = 1, DETACHED = 3 /* out, and for itself */ };

/* What the pool knows of an object aside from the object. */
typedef struct entry {
    item *it; /* NULL: none, or one that is just being made */
    uint32_t number;
    ebb_storage room; /* what it lies in */
    ebb_arena *own;   /* or this, where nothing is kept */
    uint32_t next_free;
    uint64_t seen;    /* the loan that get_stats saw, */
    uint64_t seen_ms; /* and when */
} entry;

/* ---- magazines ------------------------------------------------------------------------------- */

typedef struct magazine {
    _Atomic uint32_t count, most; /* most: grows with use */
    _Atomic uint64_t acquired; /* from `first` on, which no other magazine has; numbers the loans */
    uint64_t first, filled, spilled; /* by the shelf, and to it */
    uint64_t visited, pushed;        /* acquired, and sent home, when it last came by the shelf */
    bool only_gives, only_takes;     /* since then: all that it has, or can have, goes at once */
    struct magazine *next;           /* of its pool, in use or not */
    struct desk *desk;               /* whose; NULL: nobody's */
    item *item[MAGAZINE_MOST];
} magazine;

/* Where a thread has its magazines, by the number of the pool. Those that are closed are not there;
   at POOLS_MOST, the number of pools that came too late, there is never one. */
typedef struct desk {
    _Atomic uint32_t busy;
    ebb_arena *room;
    struct desk *next;
    magazine *_Atomic slot[POOLS_MOST + 1];
} desk;

extern _Thread_local desk *ebb__desk __attribute__((tls_model("initial-exec")));

/* ---- waiting --------------------------------------------------------------------------------- */

enum wait_state { WAITING, HAS_ITEM, HAS_PLACE, OVER };

struct ebb_pool_wait {
    ebb_cleanup hold; /* asynchronous: of its scope */
    ebb_pool *pool;
    ebb_arena *arena;
    ebb_pool_wait *next;
    enum wait_state state;
    item *it;
    bool was_idle; /* so that it is to be validated */
    void *thread;  /* that asked */
    uint64_t began_ns;
    os_cond_t *cond;        /* who blocks; NULL: nobody */
    ebb_pool_notice notice; /* else */
    void *site;
};

/* ---- the pool -------------------------------------------------------------------------------- */

struct ebb_pool {
    /* read by all, written seldom */
    uint32_t number;    /* of its magazines in a desk */
    size_t size, align; /* of an object */
    size_t bytes;       /* of the storage it needs, in whatever place that lies */
    void *ctx;
    bool (*create)(void *, void *);
    bool (*reset)(void *, void *);
    bool (*validate)(void *, void *);
    void (*destroy)(void *, void *);
    bool looks_out, looks_home; /* a hook, a tool or the clock is to be asked on the way */
    bool keeps_none;            /* EBB_POOL=off */
    bool has_magazines;
    bool oldest_first; /* strict: reuse as late as can be */
    bool poisons;      /* a tool is there to see it */
    char name[48];

    _Alignas(64) os_lock_t lock; /* guards all below */
    ebb_arena *arena;
    uint32_t min_size, max_size;
    uint32_t exist;  /* objects that count in max_size, those that are being made too */
    uint32_t doomed; /* of them: taken off the shelf to be destroyed */
    uint32_t aside;  /* of them: set aside for a wait, or handed to it */
    uint32_t detached, shelf_count, high_water, waiting;
    uint32_t registered, register_room, first_free; /* first_free: number + 1 */
    entry *registry;
    item **shelf; /* as large as the register; the oldest first */
    ebb_pool_wait *first_wait, **last_wait;
    magazine *magazines;
    uint32_t magazine_count;
    uint32_t idle_ms, idle_least; /* the fewest on the shelf since `looked_ms` */
    _Atomic uint64_t looked_ms;
    uint64_t acquired, released; /* without a magazine */
    ebb_pool_stats counts;       /* the fields that are counted one by one */
    ebb_pool *next;              /* all pools */
};

static inline void *object_of(const item *it)
{
    return (char *)(uintptr_t)it + ITEM_SIZE;
}

static inline item *item_of(const void *object)
{
    return (item *)((uintptr_t)object - ITEM_SIZE);
}

/* Whether the header may be read of what somebody says is an object: no object lies at such an
   address, or the header is in the page that the address is in, or else in a slab. */
static inline bool has_header(const void *object)
{
    uintptr_t at = (uintptr_t)object;
    if (unlikely(at % ITEM_SIZE)) return false;
    return likely(at % PAGE_LEAST) || ebb__slab_of((uintptr_t)item_of(object));
}

/* What nothing but an item of this very place has, but for one chance in 2^32. */
static inline uint32_t sign_of(const item *it)
{
    const uint32_t odd = 0x9e3779b1; /* 2^32 by the golden ratio: spreads the address */
    return ((uint32_t)((uintptr_t)it / ITEM_SIZE) + 1) * odd;
}

static inline uintptr_t state_of(const ebb_pool *p, uintptr_t where)
{
    return (uintptr_t)p | where;
}

static inline uintptr_t where_is(const item *it)
{
    return atomic_load_explicit(&it->state, memory_order_relaxed) & DETACHED;
}

static inline ebb_pool *pool_of(const item *it)
{
    uintptr_t state = atomic_load_explicit(&it->state, memory_order_relaxed);
    return (ebb_pool *)(state & ~(uintptr_t)DETACHED);
}

static inline bool is_out(const item *it)
{
    return where_is(it) != IDLE;
}

static inline void set_sites(item *it, void *site, void *holder)
{
    atomic_store_explicit(&it->site, site, memory_order_relaxed);
    atomic_store_explicit(&it->home_or_holder, holder, memory_order_relaxed);
}

static inline void set_state(item *it, const ebb_pool *p, uintptr_t where)
{
    atomic_store_explicit(&it->state, state_of(p, where), memory_order_relaxed);
}

static inline bool is_surplus(const ebb_pool *p)
{
    return p->exist - p->doomed > p->max_size;
}

static inline void *refused(ebb_status why, ebb_status *ret_why)
{
    if (ret_why) *ret_why = why;
    return NULL;
}

/* NULL: no memory. An arena that never got any would jump to whatever ebb_try is running, so out
   of the middle of a pool. */
static inline ebb_arena *arena_new(const ebb_arena_params *params)
{
    ebb_arena *a = ebb_arena_create(params);
    if (unlikely(ebb_failed(a))) ebb_arena_destroy(&a);
    return a;
}

/* ---- magazine.c ------------------------------------------------------------------------------ */

/* Its thread goes in; NULL: there is none, or it is closed. To be left in either case. */
static inline magazine *magazine_enter(desk *d, const ebb_pool *p)
{
    atomic_store_explicit(&d->busy, 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    return atomic_load_explicit(&d->slot[p->number], memory_order_acquire);
}

static inline void magazine_leave(desk *d)
{
    atomic_store_explicit(&d->busy, 0, memory_order_release);
}

/* Numbered as a loan. False: there is none to be had here. */
static inline bool magazine_pop(const ebb_pool *p, item **ret_item)
{
    desk *d = ebb__desk;
    magazine *m = magazine_enter(d, p);
    uint32_t n = likely(m != NULL) ? atomic_load_explicit(&m->count, memory_order_relaxed) : 0;
    if (unlikely(n == 0)) {
        magazine_leave(d);
        return false;
    }
    item *it = m->item[n - 1];
    uint64_t loan = atomic_load_explicit(&m->acquired, memory_order_relaxed) + 1;
    atomic_store_explicit(&m->count, n - 1, memory_order_relaxed);
    atomic_store_explicit(&m->acquired, loan, memory_order_relaxed);
    atomic_store_explicit(&it->loan, loan, memory_order_relaxed);
    magazine_leave(d);
    *ret_item = it;
    return true;
}

static inline bool magazine_push(const ebb_pool *p, item *it)
{
    desk *d = ebb__desk;
    magazine *m = magazine_enter(d, p);
    uint32_t n = likely(m != NULL) ? atomic_load_explicit(&m->count, memory_order_relaxed) : 0;
    if (unlikely(!m) || unlikely(n >= atomic_load_explicit(&m->most, memory_order_relaxed))) {
        magazine_leave(d);
        return false;
    }
    m->item[n] = it;
    atomic_store_explicit(&m->count, n + 1, memory_order_relaxed);
    magazine_leave(d);
    return true;
}

/* Without a lock: this thread is to have a desk, if there is memory for it. */
void ebb__desk_prepare(void);
/* The others with the pool's lock held. This thread's magazine, made if need be; NULL: it does
   without. Notes the visit, by which it grows. */
magazine *ebb__magazine_here(ebb_pool *p);
void ebb__magazine_fill(ebb_pool *p, magazine *m);                 /* from the shelf: half of it */
void ebb__magazine_spill(ebb_pool *p, magazine *m, uint32_t keep); /* to the shelf */
void ebb__magazines_settle(ebb_pool *p); /* closed or open, as the invariants say */
/* All that idles in them, of all threads, to the shelf. */
void ebb__magazines_gather(ebb_pool *p);
/* The same for who is about to wait, or gives it up again by ebb__magazines_settle: they stay
   closed, so that nothing comes into them meanwhile. */
void ebb__magazines_close(ebb_pool *p);
uint32_t ebb__magazines_idle(const ebb_pool *p);

void ebb__pool_enlist(ebb_pool *p); /* gives it its number */
void ebb__pool_unlist(ebb_pool *p);
void ebb__pool_show(ebb_pool *p, ebb_pool_info *ret_);
void ebb__pool_tell(ebb_pool *p, ebb__live_put *put, void *ctx);
bool ebb__pool_is_known(const ebb_pool *p);

/* ---- pool.c: the register and the shelf, with the lock held ---------------------------------- */

/* A place with room for an object: a copy, since the register may move. False: no memory. */
bool ebb__register_add(ebb_pool *p, entry *ret_entry);
void ebb__register_drop(ebb_pool *p, uint32_t number, ebb_arena **ret_own);
item *ebb__shelf_take(ebb_pool *p);
void ebb__shelf_put(ebb_pool *p, item *it);

/* ---- lend.c ---------------------------------------------------------------------------------- */

void ebb__pool_uncount(ebb_pool *p); /* an acquire that came to nothing */
/* What there is for somebody who asks. Neither: all are out. */
typedef struct supply {
    item *it;
    bool place; /* leave to make one */
} supply;

/* With the lock held. */
supply ebb__pool_supply(ebb_pool *p);
/* With the lock held: an idle object goes to who waits first, or on the shelf. False: neither;
   unmake it. */
bool ebb__pool_stow(ebb_pool *p, item *it);
/* With the lock held: one that counted is no more, and who waits may make one in its place. */
void ebb__pool_free_place(ebb_pool *p);
/* Without the lock. A place has been taken for it; if it fails, that is given up. */
item *ebb__pool_make(ebb_pool *p, ebb_status *ret_why);
void ebb__pool_unmake(ebb_pool *p, item *it);
/* With the lock held: how many are away from the shelf may have grown. */
void ebb__pool_note(ebb_pool *p);
item *ebb__pool_from_shelf(ebb_pool *p);
/* Without it: it, or if it is no good any more another. */
item *ebb__pool_validated(ebb_pool *p, item *it, ebb_status *ret_why);
void ebb__pool_put_back(ebb_pool *p, item *it); /* was never lent: no reset */
void *ebb__pool_lend(ebb_pool *p, item *it, ebb_arena *a, void *site, ebb_status *ret_why);

/* As ebb_pool_acquire and ebb_pool_release, for those who stand between a pool and its user. */
void *ebb__pool_acquire_at(ebb_pool *p, ebb_arena *a, void *site, ebb_status *ret_why);
void ebb__pool_release_at(ebb_pool *p, void *object, void *site);
/* Whose object it is, or was before it was destroyed. NULL: no pool's that is there now. */
const ebb_pool *ebb__pool_owner(const void *object);
/* Report that @object is not out of @p; NULL: nor of any pool that it could be of. */
void ebb__pool_not_out(const ebb_pool *p, const void *object, const char *function, void *site);
/* Of what is out. */
bool ebb__pool_move(item *it, ebb_arena *to, const char *function);
void ebb__pool_detach(ebb_pool *p, item *it);
/* Why nothing can be had for @a; EBB_OK: it can. What is misuse has been reported. */
ebb_status ebb__pool_refuses(ebb_arena *a, const char *function);

/* ---- wait.c ---------------------------------------------------------------------------------- */

/* With the lock held: somebody waits. Hand the first an item, or a place (NULL). */
void ebb__wait_grant(ebb_pool *p, item *it);
/* With the lock held, in a forked child: other threads that waited are not in it. */
void ebb__wait_forget_others(ebb_pool *p);
/* Without it: an item, when one comes home before the deadline. */
item *ebb__wait_for(ebb_pool *p, uint64_t deadline_ns, ebb_status *ret_why);

#endif /* EBB_POOL_INTERNAL_H */
