/*
 * share/cache.h: what a cache is made of. Who uses one reads ebb/cache.h.
 *
 *     table --> slot --> entry --> entry          chains, newest first: read without a lock
 *                          |
 *                          +--> value (ebb_shared), or the code of a remembered failure
 *     flights: a key that is being loaded --> those who wait for it
 *
 * Readers announce an epoch (epoch.h) and follow the chains. All that changes them holds the
 * cache's lock. What is unlinked keeps its `next`, so that whoever stands on it finds on, and is
 * retired once the lock has been given up, since letting go of others' garbage may come back here.
 *
 * While the table grows, an entry moves to a new chain under the feet of readers. They can then
 * miss what is there, but never find what isn't: who misses looks whether `moves` has changed, and
 * then asks again with the lock.
 *
 * Locks: a cache's, and inside it that of who waits for whom (cache_load.c). No lock is held when a
 * loader runs.
 *
 * Invariants
 *   an entry in a chain is in the policy, and the other way round
 *   a flight is among its cache's until it is over or doomed; doomed, nothing of it is taken in
 *   `out` counts the entries, tables and tickets that are not back in the cache's own memory, plus
 *   1 for the cache: at 0 that memory goes
 */
#ifndef EBB_SHARE_CACHE_H
#define EBB_SHARE_CACHE_H

#include "internal.h"
#include "policy.h"

#include <ebb/cache.h>
#include <ebb/hash.h>

enum {
    LINE = 64,         /* bytes that travel together between processors */
    NEAR_TEXT = 40,    /* longer keys have room of their own */
    FLIGHT_LISTS = 64, /* a power of two */
    CELLS = 64,        /* caches whose hits a thread counts by itself */
    NAME_SIZE = 48
};

/* The third line is read only for texts and where values expire. */
typedef struct entry {
    ebb__retired retired; /* its `next` lists those to be retired, and the spare */
    struct ebb_cache *cache;
    ebb_shared *value; /* NULL: a failure */
    int code;          /* of the failure; 0: none */
    uint64_t hash;     /* by which it finds its slot */
    /* what a reader needs */
    struct entry *_Atomic next __attribute__((aligned(LINE)));
    uint64_t id; /* a number, or a text's hash */
    const void *root;
    ebb__policy_node node; /* ends with its mark, in this line */
    uint64_t expires;      /* in clock_ms; UINT64_MAX: never */
    ebb_str text;          /* ptr NULL: a number */
    union {
        char near[NEAR_TEXT];
        ebb_storage room; /* of a longer text */
    };
} entry;

_Static_assert(offsetof(entry, next) == LINE, "what readers don't need is one line");
_Static_assert(offsetof(entry, expires) == 2 * LINE, "a hit of a number reads one line");
_Static_assert(sizeof(entry) == 3 * LINE, "a hit of a short text reads two");

static inline bool takes_room(const entry *e)
{
    return e->text.len > NEAR_TEXT;
}

typedef struct table {
    ebb__retired retired;
    struct ebb_cache *cache;
    ebb_storage room;
    uint32_t shift; /* 64 less the bits of a slot's number */
    entry *_Atomic slot[];
} table;

/* Hits and misses as one thread counts them; only it writes. */
typedef struct cell {
    _Atomic uint64_t hits, misses;
    const void *_Atomic owner; /* its desk; NULL: free */
    struct cell *next;
} cell;

typedef struct desk {
    struct {
        uint64_t serial; /* of the cache; 0: none */
        cell *cell;
    } of[CELLS];
    struct desk *next_free;
} desk;

enum sort { NO_SORT, NUMBERS, TEXTS };

struct ebb_cache {
    /* read by all, written seldom */
    table *_Atomic table;
    _Atomic uint32_t sort;
    uint32_t number; /* of the cell in a thread's desk; CELLS: none */
    uint64_t serial, seed;
    bool timed;             /* something may expire */
    _Atomic uint64_t moves; /* odd: the table is growing */
    /* with the lock */
    os_lock_t lock __attribute__((aligned(LINE)));
    ebb__policy policy;
    ebb_arena *home; /* all that the cache itself needs; used with the lock */
    entry *spare_entries;
    struct flight *spare_flights;
    struct flight *flights[FLIGHT_LISTS];
    cell *cells;
    size_t out, flying, waiting;
    ebb_cache_params params;
    ebb_cache_stats stats;         /* but for what is counted elsewhere */
    _Atomic uint64_t hits, misses; /* of threads without a cell */
    ebb_cache *next, **back;       /* all caches */
    char name[NAME_SIZE];
};

/* ---- keys ------------------------------------------------------------------------------------ */

typedef struct probe {
    ebb_key key;
    uint64_t id, hash;
} probe;

static inline probe probe_of(const ebb_cache *c, ebb_key key)
{
    probe p = {key, key.n, 0};
    if (key.ptr) p.id = p.hash = ebb_hash_str(ebb_key_text(key), c->seed);
    else p.hash = ebb_hash_u64(key.n, c->seed);
    return p;
}

static inline bool is_for(const entry *e, const probe *p)
{
    return e->id == p->id && (!p->key.ptr || ebb__same_bytes(e->text, ebb_key_text(p->key)));
}

/* A request's own symbol is of none. */
static inline bool is_of_sort(const ebb_cache *c, ebb_key key)
{
    uint32_t sort = atomic_load_explicit(&c->sort, memory_order_relaxed);
    return key.ptr ? sort == TEXTS && key.ptr != ebb__no_key : sort == NUMBERS;
}

/* ---- cache.c, with the lock unless said otherwise -------------------------------------------- */

uint64_t ebb__cache_now(const ebb_cache *c);
void *ebb__cache_obtain(ebb_cache *c, size_t size);
entry *ebb__entry_new(ebb_cache *c, const probe *p); /* NULL: no memory */
void ebb__entry_free(ebb_cache *c, entry *e);
/* What is there and has not expired. What has is put on `gone`. */
entry *ebb__cache_seek(ebb_cache *c, const probe *p, ebb__retired **gone);
void ebb__cache_admit(ebb_cache *c, entry *e, ebb__retired **gone);
void ebb__entry_put_gone(entry *e, ebb__retired **gone);
size_t ebb__entry_bytes(const entry *e);
/* Without it: nobody new finds these. */
void ebb__cache_retire(ebb__retired *gone);
/* Without it: one less is out. */
void ebb__cache_release(ebb_cache *c);

/* ---- cache_count.c: without the lock --------------------------------------------------------- */

extern _Thread_local const desk *ebb__cache_desk __attribute__((tls_model("initial-exec")));

void ebb__cache_count_slowly(ebb_cache *c, bool hit);
void ebb__cache_enlist(ebb_cache *c);
void ebb__cache_unlist(ebb_cache *c);

static inline void count_up(_Atomic uint64_t *n)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static inline void cache_count(ebb_cache *c, bool hit)
{
    const desk *d = ebb__cache_desk;
    if (unlikely(c->number >= CELLS || d->of[c->number].serial != c->serial)) {
        ebb__cache_count_slowly(c, hit);
        return;
    }
    cell *mine = d->of[c->number].cell;
    count_up(hit ? &mine->hits : &mine->misses);
}

/* ---- cache_load.c ---------------------------------------------------------------------------- */

/* Without it: destroyed with loads in flight, which is misuse. */
void ebb__flights_report(ebb_cache *c);
/* With the lock: what is being loaded now is not taken in; @p NULL: none of it is. */
void ebb__flights_doom(ebb_cache *c, const probe *p);
/* In a forked child: what other threads load is in their process; a ticket of this one that waited
   for it has the duty now. */
void ebb__flights_forked(ebb_cache *c);

/* How a scope is to have what it is given. */
enum manner { CANNOT, READS, COUNTS };
enum manner ebb__cache_manner(ebb_arena *a, const char *function);

/* Around fork: who waits for whom. */
void ebb__waits_lock(void);
void ebb__waits_unlock(void);
void ebb__waits_reset(void);

#endif /* EBB_SHARE_CACHE_H */
