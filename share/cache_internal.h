/*
 * share/cache_internal.h: what a cache is made of. cache.c finds, takes in and takes out; load.c
 * makes sure that a key is loaded once.
 *
 * part      a sixteenth of the cache, or all of a small one: a lock, an index, a policy, flights
 * index     slots of entries by linear probing, half empty; readers take no lock, so an entry that
 * is taken out, and an index that is outgrown, is retired by the epoch (epoch.h) entry     a key,
 * and its value or a remembered failure flight    a load under way, and who waits for it
 *
 * Invariants, whenever a part's lock is free
 *   an entry that is in the index is in the policy, and the other way round
 *   a key has at most one entry and one flight; who finds neither makes the flight
 *   a flight has a loader (a thread, or a ticket) until it is settled; who waits is in its queue
 *
 * Locks: a part's, then `waits` (load.c), then those of the ground floor. The user's functions, but
 * for invalidate's, run with none.
 */
#ifndef EBB_SHARE_CACHE_INTERNAL_H
#define EBB_SHARE_CACHE_INTERNAL_H

#include "internal.h"
#include "policy.h"

#include <ebb/cache.h>
#include <ebb/hash.h>

enum {
    PARTS_MOST = 16,
    PART_SHIFT = 60, /* of a hash: its part */
    TAG_MASK = 63,   /* of a hash, and of an entry's address, which has none of these bits */
    STRIPES = 8,     /* of the count of hits */
    STRIPE_SHIFT = 7 /* of a reader's address */
};

/* Lies in a handle. What look-ups read comes first. */
typedef struct entry {
    ebb_key key; /* a text lies in the value's arena */
    uint64_t hash;
    const void *root;    /* NULL: a failure is remembered */
    uint64_t expires_ms; /* UINT64_MAX: never */
    ebb_shared *shared;  /* a reference */
    int code;
    ebb__policy_node node;
    ebb__retired retired;
} entry;
_Static_assert(sizeof(entry) <= HANDLE_SIZE, "an entry lies in a handle");

/* A slot is an entry's address and a tag, 0 if nothing was ever there, or TAKEN_OUT. */
typedef struct slots {
    ebb__retired retired;
    ebb_arena *room;
    size_t mask;
    size_t used; /* slots that are not 0 */
    _Atomic uintptr_t slot[];
} slots;
#define TAKEN_OUT ((uintptr_t)1)

typedef struct flight flight;

typedef struct part {
    _Alignas(64) slots *_Atomic index;
    ebb__policy policy;
    _Alignas(64) os_lock_t lock;
    ebb_arena *room; /* the policy's */
    flight *flights;
    size_t negative, waiting;
    _Atomic uint64_t misses;
    uint64_t negative_hits, loads, failures, evictions, expirations, removals, bypassed;
    uint64_t load_us[EBB_CACHE_LOAD_BINS];
} part;

typedef struct stripe {
    _Alignas(64) _Atomic uint64_t hits;
} stripe;

struct ebb_cache {
    part *part;
    unsigned parts; /* a power of two */
    uint64_t seed;
    bool ages; /* values or failures expire */
    ebb_cache_params params;
    char name[48];
    ebb_arena *arena;
    ebb__retired retired;
    _Atomic uint64_t reported_ms; /* when the oldest reader was last named */
    stripe stripe[STRIPES];
};

static inline entry *entry_of(uintptr_t slot)
{
    return (entry *)(slot & ~(uintptr_t)TAG_MASK);
}

static inline uint64_t hash_of(const ebb_cache *c, ebb_key key)
{
    if (!key.ptr) return ebb_hash_u64(key.n, c->seed);
    return ebb_hash_str(ebb_key_text(key), c->seed);
}

static inline part *part_of(const ebb_cache *c, uint64_t hash)
{
    return &c->part[(hash >> PART_SHIFT) & (c->parts - 1)];
}

static inline bool same_key(ebb_key a, ebb_key b)
{
    if (!a.ptr) return !b.ptr && a.n == b.n;
    return b.ptr && ebb__same_bytes(ebb_key_text(a), ebb_key_text(b));
}

static inline entry *index_find(const slots *x, uint64_t hash, ebb_key key)
{
    for (size_t i = (hash >> 6) & x->mask;; i = (i + 1) & x->mask) {
        uintptr_t slot = atomic_load_explicit(&x->slot[i], memory_order_acquire);
        if (slot == 0) return NULL;
        entry *e = entry_of(slot);
        if ((slot & TAG_MASK) != (hash & TAG_MASK) || !e) continue;
        if (likely(e->hash == hash) && likely(same_key(e->key, key))) return e;
    }
}

static inline uint64_t clock_ms(const ebb_cache *c)
{
    return c->params.clock_ms ? c->params.clock_ms(c->params.clock_ctx) : os_clock_ms();
}

static inline bool has_expired(const ebb_cache *c, const entry *e)
{
    return unlikely(e->expires_ms != UINT64_MAX) && clock_ms(c) >= e->expires_ms;
}

/* cache.c. What is taken out is gathered in a list, and retired when no lock is held. */
typedef struct outgoing {
    entry *first;
    slots *old; /* one that was outgrown */
} outgoing;

void ebb__cache_retire(outgoing *out);
entry *ebb__entry_new(ebb_cache *c, ebb_key key, uint64_t hash, ebb_shared *s, int code);
void ebb__entry_free(entry *e);
/* With the part's lock held. */
entry *ebb__entry_current(ebb_cache *c, part *p, ebb_key key, uint64_t hash, outgoing *out);
bool ebb__entry_put(part *p, entry *e, outgoing *out);
/* Whether there is room, or may be made; if not what is to be done about it. EBB_OK: take it in;
   EBB_E_LIMIT: bypass; else: fail. With no lock held. */
ebb_status ebb__cache_room(ebb_cache *c, part *p, size_t bytes, uint64_t deadline_ns);
bool ebb__cache_takes(const ebb_cache *c, ebb_key key, const char *function);

/* load.c, with the lock held */
void ebb__flights_spoil(part *p, const ebb_key *key); /* NULL: all */
size_t ebb__flights_count(const part *p);

#endif /* EBB_SHARE_CACHE_INTERNAL_H */
