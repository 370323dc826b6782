/*
 * ebb/cache.h: objects found by a key, shared between requests, and dropped when there is no room.
 *
 *     static int load_tenant(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
 *     {
 *         struct tenant *t = ebb_new(into, struct tenant);      // built in an arena of its own,
 *         ...                                                   // which is sealed afterwards
 *         *ret_root = t;
 *         return 0;
 *     }
 *
 *     ebb_cache_params how = {.name = "tenants", .max_bytes = 64 << 20, .ttl_ms = 60000};
 *     ebb_cache *tenants = ebb_cache_create(&how, NULL);
 *     ...
 *     EBB_SCOPE(a, &request);
 *     const void *found;
 *     ebb_cache_load_params load = {.fn = load_tenant, .deadline_ns = UINT64_MAX};
 *     int rc = ebb_cache_load(tenants, a, ebb_key_str(name), &load, &found);
 *     if (rc != 0) return error(rc);
 *     const struct tenant *t = found;                           // valid until the scope ends
 *
 * Values are objects of ebb/share.h: immutable, each in an arena of its own. A scope that finds one
 * may read it until it ends, whatever happens to the cache meanwhile; it counts nothing, but says
 * once that it reads (see ebb_root). A hit takes no lock.
 *
 * If many miss the same key at once, one of them loads it, and the others wait for that.
 *
 * A value may be evicted while scopes read it: it is then out of the cache at once, and its memory
 * goes when they have ended. Until then it is deferred, and counted as that; max_deferred bounds
 * it.
 *
 * Fork: the child has a copy of the cache; loads of other threads are not in it, and are begun
 * anew: a ticket of the forking thread that waited for one has the duty now, which nobody tells it
 * (an eventfd is the parent's too), so ask by ebb_ticket_take. Scopes of other threads that were
 * reading never end there, so what is given up after the fork waits in the child for good: a child
 * that goes on for long is better made by exec.
 *
 * Not for what only one request needs, nor for what must be the newest at each look: an entry is as
 * old as its load. What you have at hand, you put there by ebb_cache_claim and ebb_cache_fulfil.
 */
#ifndef EBB_CACHE_H
#define EBB_CACHE_H

#include "intern.h"
#include "share.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A cache. Synchronized: any thread may call any function of it at once, but for destroy. */
typedef struct ebb_cache ebb_cache;

/* ---- keys ------------------------------------------------------------------------------------ */

/** What a value is found by: a text, or a number. The keys of one cache are of one sort, that of
    the first that is loaded; a symbol is a number. */
typedef struct ebb_key {
    const char *ptr; /**< private: NULL: a number */
    uint64_t n;      /**< private: its value, or the length of the text */
} ebb_key;

extern EBB_API const char ebb__no_text[1], ebb__no_key[1];

/** A text as a key. Its bytes, which may be any, are borrowed by the call that is given the key;
    what is loaded has a copy. */
static inline ebb_key ebb_key_str(ebb_str text)
{
    ebb_key key;
    key.ptr = text.len ? text.ptr : ebb__no_text;
    key.n = text.len;
    return key;
}

/** A number as a key. */
static inline ebb_key ebb_key_u64(uint64_t number)
{
    ebb_key key;
    key.ptr = NULL;
    key.n = number;
    return key;
}

/** A symbol as a key. One that is local to a request means nothing to others: loads and claims
    refuse it (promote it first, see ebb_sym_promote), and nothing is found under it. */
static inline ebb_key ebb_key_sym(ebb_sym sym)
{
    ebb_key key;
    key.ptr = ebb_sym_is_local(sym) ? ebb__no_key : NULL;
    key.n = ebb_sym_is_local(sym) ? 0 : sym;
    return key;
}

/** Return the number; 0 for a text. */
static inline uint64_t ebb_key_number(ebb_key key)
{
    return key.ptr ? 0 : key.n;
}

/** Return the text; an empty one for a number. */
static inline ebb_str ebb_key_text(ebb_key key)
{
    ebb_str text;
    text.ptr = key.ptr;
    text.len = key.ptr ? (size_t)key.n : 0;
    return text;
}

/* ---- a cache's life -------------------------------------------------------------------------- */

/** How the entry to go is chosen when there is no room. */
typedef enum ebb_policy {
    EBB_POLICY_S3_FIFO, /**< default: what is asked for once goes soon; scans do little harm */
    EBB_POLICY_LRU      /**< what was not asked for longest */
} ebb_policy;

/** What becomes of a new value when there is no room, and what makes room can't be given back yet,
    since scopes may still be reading max_deferred bytes of it. */
typedef enum ebb_when_full {
    EBB_FULL_ADMIT,  /**< default: take it in all the same: more memory is held for a while */
    EBB_FULL_BYPASS, /**< do not take it in; the loading scopes have it, until they end */
    EBB_FULL_WAIT, /**< wait for readers to end, until the load's deadline: EBB_E_TIMEOUT; if it is
                          the loading scope itself that has been reading longest, EBB_E_EXHAUSTED.
                          ebb_cache_fulfil does not wait, and bypasses */
    EBB_FULL_FAIL  /**< fail with EBB_E_EXHAUSTED */
} ebb_when_full;

/** What a cache is to be like. Zeroes mean what the comments say. */
typedef struct ebb_cache_params {
    const char *name;    /**< for reports and statistics; copied, up to 47 bytes; NULL: "?" */
    size_t max_entries;  /**< 0: no limit; the two limits may not both be 0 */
    size_t max_bytes;    /**< of values with all their chunks, keys and entries; 0: no limit */
    size_t max_deferred; /**< bytes given up that scopes may still be reading (of the whole process)
                              above which when_full applies, and the statistics name the scope that
                              has been reading longest; 0: a quarter of max_bytes, or 64 MiB */
    ebb_policy policy;
    ebb_when_full when_full;
    uint32_t ttl_ms;          /**< a value is good for so long; 0: for ever */
    uint32_t negative_ttl_ms; /**< a loader's code above 0 ("no such tenant") is remembered for so
                                   long, and returned to who loads that key again; 0: not at all */
    uint64_t (*clock_ms)(void *ctx); /**< what those are measured by; NULL: the system's */
    void *clock_ctx;
} ebb_cache_params;

/* clang-format off */
#ifdef __cplusplus
#define EBB_CACHE_PARAMS_INIT {}
#else
#define EBB_CACHE_PARAMS_INIT {0}
#endif
/* clang-format on */

/**
 * Return a new, empty cache. Copies *@params, keeps its clock_ctx.
 * Lifetime: until ebb_cache_destroy.
 * Fails: NULL, and *@ret_why (may be NULL): EBB_E_INVALID, with a misuse report: no limit at all,
 * an unknown policy or when_full; EBB_E_MEMORY.
 */
EBB_API ebb_cache *ebb_cache_create(const ebb_cache_params *params, ebb_status *ret_why);

/**
 * Empty and destroy it, and null the handle. What scopes have found in it stays theirs until they
 * end. Loads must be over, and nobody wait for one (a ticket whose load is over may still be
 * taken): else that is misuse, reported with how many there are and what one of them is named; the
 * handle is nulled all the same, and the cache lives on. A second time through a copy of the handle
 * is misuse too.
 * Threads: no other may be using the cache.
 */
EBB_API void ebb_cache_destroy(ebb_cache **c);

/* ---- finding --------------------------------------------------------------------------------- */

/**
 * Return the root of the value of @key, valid until @a ends or is reset (a rewind leaves it); NULL:
 * there is none, or only a remembered failure; it has expired; the key is of the other sort, or a
 * request's own symbol; @a has no memory to say that it reads, or has ended (misuse). This neither
 * sticks nor jumps.
 * Cost: a hash and a look-up, without a lock; the first of a scope some 20 ns more. A scope whose
 * profile is `long_lived` counts the value instead, as ebb_shared_hold_for does.
 * Threads: the holder of @a.
 */
EBB_API const void *ebb_cache_find(ebb_cache *c, ebb_arena *a, ebb_key key);

/** As ebb_cache_find, but this look counts neither as a hit or miss nor for the policy. */
EBB_API const void *ebb_cache_peek(ebb_cache *c, ebb_arena *a, ebb_key key);

/* ---- loading --------------------------------------------------------------------------------- */

/**
 * Make the value of @key in @into, an arena of its own, which is current meanwhile (for the hooks
 * of libraries), and set *@ret_root, which is not NULL and lies in @into or is static; return 0.
 * Or return what stands in the way: a code of yours, above 0, or a negative ebb_status. @into is
 * the cache's, to seal or to destroy; inside it allocation never returns NULL, as in ebb_try. @key
 * is borrowed. It is called with no lock held, and may find and load other keys, of this and other
 * caches, and take keys out, its own too. To leave for an ebb_try outside, it may ebb_raise: one of
 * those who wait then loads instead.
 */
typedef int ebb_cache_fn(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root);

typedef struct ebb_cache_load_params {
    ebb_cache_fn *fn;     /**< not NULL */
    void *ctx;            /**< borrowed, for fn */
    uint64_t deadline_ns; /**< on ebb_clock_ns: who waits for another's load, or for room, gives up
                               then; UINT64_MAX: never. fn itself is not interrupted */
} ebb_cache_load_params;

/**
 * Find the value of @key, or load it. Return 0, and *@ret_root, valid as for ebb_cache_find.
 * If another request is loading the key, wait for that, and have what it has: value or failure.
 * Fails: what fn returned, here or there; the code of a remembered failure; EBB_E_TIMEOUT;
 * EBB_E_MEMORY; EBB_E_CYCLE: this thread is loading this key already, or waiting would close a ring
 * of loads that wait for each other; EBB_E_EXHAUSTED (see ebb_when_full); EBB_E_INVALID, with a
 * misuse report: the key is a request's own symbol, or not of the cache's sort; @a has ended; or
 * what the loader made can't be sealed (see ebb_shared_seal), or is nothing. None of them sticks to
 * @a, nor jumps.
 * Threads: the holder of @a. Blocks where another loads: event loops want ebb_cache_claim.
 */
EBB_API int ebb_cache_load(ebb_cache *c, ebb_arena *a, ebb_key key,
                           const ebb_cache_load_params *how, const void **ret_root);

/* ---- loading without blocking ---------------------------------------------------------------- */

/** The duty to load a key, or a place among those who wait for it. In scope of its arena, at whose
    end, reset or rewind past its making it is given up. */
typedef struct ebb_ticket ebb_ticket;

/** How to tell who waits that the load is over. */
typedef struct ebb_cache_notice {
    /** Called on the thread that ended the load, with a part of the cache locked: wake your loop
        and return. It must not call Ebb. NULL: none. */
    void (*fn)(void *ctx);
    void *ctx;
    int eventfd; /**< if has_eventfd: 1 is written to it as 8 bytes */
    bool has_eventfd;
} ebb_cache_notice;

/**
 * Take on the load of @key. Return EBB_OK: it is yours to load: build in ebb_ticket_arena, then
 * ebb_cache_fulfil *@ret_ticket. If @a ends before that, the duty passes to one who waits.
 * EBB_E_DUPLICATE: there is a value by now: find it (a remembered failure: EBB_E_DUPLICATE too, and
 * ebb_cache_load returns its code). EBB_E_EXHAUSTED: another is loading; *@ret_ticket waits, and
 * @notice (copied; NULL: none) says once when there is news: see ebb_ticket_take.
 * ebb_ticket_cancel, or the scope's end, gives up waiting. A blocking load of the same key on the
 * thread that claimed it gets EBB_E_CYCLE. Where @a is adopted, the ticket moves to who adopts it.
 * Fails: EBB_E_MEMORY, ebb_failed(@a), or EBB_E_INVALID as for ebb_cache_load; *@ret_ticket is
 * NULL, as with EBB_E_DUPLICATE.
 * Threads: the holder of @a.
 */
EBB_API ebb_status ebb_cache_claim(ebb_cache *c, ebb_arena *a, ebb_key key,
                                   const ebb_cache_notice *notice, ebb_ticket **ret_ticket);

/** Return the arena to build in; it is the ticket's, and ends with it. NULL: the ticket waits, or
    what it waited for has come. As ebb_shared_begin, never NULL if the duty is the ticket's. Of a
    copy of a ticket that is over all calls are misuse, reported as long as its scope goes on.
    Threads: the holder of its scope. */
EBB_API ebb_arena *ebb_ticket_arena(ebb_ticket *t);

/**
 * End the load of *@ticket, and null it: @code 0, and @root, in the ticket's arena or static, is
 * the value; else a failure, as a loader's. Return the root, valid for the ticket's scope as
 * ebb_cache_find's; NULL: it was a failure, or went wrong. *@ret_code (may be NULL) is what
 * ebb_cache_load would have returned; EBB_E_INVALID also, where *@ticket is NULL, or (misuse)
 * waits, which gives it up. With EBB_FULL_WAIT it does not wait, and the value is not taken in.
 * Threads: the holder of its scope.
 */
EBB_API const void *ebb_cache_fulfil(ebb_ticket **ticket, int code, const void *root,
                                     int *ret_code);

/**
 * Ask what *@ticket has come to. EBB_E_EXHAUSTED: it goes on waiting. EBB_E_DUPLICATE: who was
 * loading has given up, and the duty is its own now: build in ebb_ticket_arena, and fulfil it. All
 * else is what ebb_cache_load would have returned there, *@ret_root included; *@ticket is over, and
 * nulled. EBB_E_INVALID also, where it is NULL.
 * Threads: the holder of its scope.
 */
EBB_API int ebb_ticket_take(ebb_ticket **ticket, const void **ret_root);

/** Give up *@ticket, and null it; NULL: nothing. A duty passes to one who waits. Threads: the
    holder of its scope. */
EBB_API void ebb_ticket_cancel(ebb_ticket **ticket);

/* ---- taking out ------------------------------------------------------------------------------ */

/** Take out the value of @key, or the failure that is remembered for it. A load that is under way
    ends for those who wait, but is not taken in. Who has found it reads on. Return whether there
    was one. */
EBB_API bool ebb_cache_remove(ebb_cache *c, ebb_key key);

/** Take out all, remembered failures too; as ebb_cache_remove for loads. */
EBB_API void ebb_cache_clear(ebb_cache *c);

/** Take out each value for which @is returns true. It is called with a part of the cache locked,
    and must not call Ebb. Return how many. Remembered failures stay. Loads under way will not be
    taken in: their values are not there to be asked about.
    Cost: O(entries). */
EBB_API size_t ebb_cache_invalidate(ebb_cache *c,
                                    bool (*is)(void *ctx, ebb_key key, const void *root),
                                    void *ctx);

/* ---- what is going on ------------------------------------------------------------------------ */

/** Loads are counted by length: load_us[0] below 2 us, [i] below 2^(i+1) us, the last: all else. */
#define EBB_CACHE_LOAD_BINS 24

typedef struct ebb_cache_stats {
    size_t entries, bytes; /**< bytes: as counted against max_bytes */
    size_t negative;       /**< of the entries: remembered failures */
    size_t loading;        /**< loads under way, those that will not be taken in included */
    size_t waiting;        /**< who waits for those */
    uint64_t hits;         /**< threads count for themselves: exact when none is at it */
    uint64_t misses;
    uint64_t negative_hits;   /**< loads that got a remembered failure */
    uint64_t loads, failures; /**< ended; failures of them */
    uint64_t load_us[EBB_CACHE_LOAD_BINS];
    uint64_t evictions, expirations, removals;
    uint64_t bypassed;     /**< values that were not taken in */
    size_t deferred_bytes; /**< of the process: given up, and perhaps still read */
    uint64_t held_back;    /**< times that max_deferred was passed */
    /** Static: the last time, what scope had been reading longest; NULL: never. */
    const char *held_back_by;
} ebb_cache_stats;

/** Fill *@ret_stats. Cost: a lock for each part. Threads: any. */
EBB_API void ebb_cache_get_stats(ebb_cache *c, ebb_cache_stats *ret_stats);

/** Return the name, as copied. Lifetime: the cache's. Threads: any. */
EBB_API const char *ebb_cache_name(const ebb_cache *c);

#ifdef __cplusplus
}
#endif
#endif /* EBB_CACHE_H */
