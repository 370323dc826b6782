/*
 * ebb/share.h: immutable objects that many requests read at once: a configuration, a routing
 * table, a parsed template.
 *
 *     ebb_arena *a = ebb_shared_begin("routes");            // an arena like any other
 *     struct routes *r = parse_routes(a, text);             // a whole graph, built in it
 *     ebb_shared *routes = r ? ebb_shared_seal(&a, r, NULL) : NULL;
 *     if (!routes) ebb_arena_destroy(&a);                   // nothing is shared yet
 *
 *     const struct routes *now = ebb_shared_get(routes);    // read by any thread, without a lock
 *     ebb_shared_drop(&routes);                             // the last one ends it all
 *
 * Who holds a reference keeps the object alive: ebb_shared_hold and ebb_shared_drop count it;
 * ebb_shared_hold_for counts it for a scope, which drops it when it ends. What is replaced now
 * and then while everybody reads it, such as the configuration in force, lies in an ebb_root:
 * reading that counts nothing and waits for nobody.
 *
 * Fork: the child has the parent's objects with their counts; what other threads held is never
 * dropped there, nor do their scopes end, so what is replaced in a root may wait for ever.
 *
 * For what is the same for many and never changes once it is built. Not for what is only one
 * request's (its arena), nor for what is changed in place (that wants a lock). What is looked
 * up by a key and may be dropped when memory is short is a cache's: ebb/cache.h.
 */
#ifndef EBB_SHARE_H
#define EBB_SHARE_H

#include "arena.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A sealed object, its graph and its count. Synchronized: any thread that holds a reference
    may use it. What ebb_shared_get returns is Frozen. */
typedef struct ebb_shared ebb_shared;

/* ---- building -------------------------------------------------------------------------------- */

/**
 * Return an arena to build a shared object in. Keeps @name (NULL: "?"), for reports, as long as
 * the object lives. The arena is sticky, so that ebb_shared_seal can tell that all was there.
 * At EBB_CHECKS=2 it takes whole pages of its own, which ebb_shared_seal makes read-only: a
 * write to a sealed object then stops the program where it happens (what was adopted is
 * protected only if it was built in such an arena too). As any arena with a source of its own it
 * is then not found by ebb_arena_of, and does not serve the hooks of compat/malloc.h.
 * Lifetime: until ebb_shared_seal, or ebb_arena_destroy to abandon it.
 * Fails: as ebb_arena_create it never returns NULL; out of memory it has failed. Threads: any.
 */
EBB_API EBB_MUST_USE EBB_NONNULL_RESULT ebb_arena *ebb_shared_begin(const char *name);

/**
 * Seal *@a: nothing can be allocated in it any more, and nothing in it may be written. Return the
 * first reference to it, with @root (in *@a, or static; NULL: ebb_root_get can't tell it from an
 * empty root) as what ebb_shared_get returns, and null *@a. What was deferred in *@a (ebb_defer,
 * and what it holds of others) is done when the last reference is dropped, by the thread that does
 * so. Allocating from the arena through a copy of the handle is misuse from now on, and reported.
 * Fails: NULL, *@a as it was, and *@ret_why (may be NULL): what ebb_failed(*@a) says, or
 * EBB_E_MEMORY; EBB_E_INVALID, with a misuse report, if it is a scope or lies in a caller's
 * buffer, has open children, is running a try, or is current, has read from a root without
 * having been made by ebb_shared_begin, or if *@a is NULL, or @root lies in some other scope, which
 * would end before its readers.
 * Cost: O(chunks). Threads: the holder of *@a.
 */
EBB_API ebb_shared *ebb_shared_seal(ebb_arena **a, const void *root, ebb_status *ret_why);

/* ---- reading and holding --------------------------------------------------------------------- */

/** Return the root. Valid while the reference is. Cost: a load. Threads: who has a reference. */
EBB_API const void *ebb_shared_get(const ebb_shared *s);

/** Return the bytes that @s keeps from others: its arena's chunks and large blocks, exactly,
    and 512 for its count and its arena's bookkeeping. Threads: who has a reference. */
EBB_API size_t ebb_shared_bytes(const ebb_shared *s);

/**
 * Return one more reference to @s, to be dropped. Threads: who has a reference now.
 * Fails: NULL, where @s has ended, which is misuse, and reported unless another has taken its
 * place. More than 2^31 references are misuse too: the object is then kept for ever.
 * Cost: an atomic addition.
 */
EBB_API ebb_shared *ebb_shared_hold(ebb_shared *s);

/**
 * Drop a reference, and null *@s; NULL: nothing. The last one ends the object: its cleanups run,
 * newest first, on this thread, and its memory is let go; all that came from it is then dead. An
 * object whose cleanups drop the last reference to another ends before that does, so a long chain
 * takes no deep stack. Dropping more than were held is misuse, reported as ebb_shared_hold does.
 * Cost: an atomic subtraction.
 */
EBB_API void ebb_shared_drop(ebb_shared **s);

/**
 * Hold @s for @a: return true, and it is valid until @a ends, is reset, or rewinds past this
 * moment. Holding again what is among the last few things that @a holds takes nothing.
 * Fails: false, nothing held: @a has no memory (48 bytes at most) or has failed; or, with a misuse
 * report, @s or @a has ended. This neither sticks nor jumps. Cost: an atomic addition, and a
 * subtraction when it ends.
 * Threads: the holder of @a, who has a reference now.
 */
EBB_API EBB_MUST_USE bool ebb_shared_hold_for(ebb_shared *s, ebb_arena *a);

/** Check what can be checked of @s; NULL: sound; else what is wrong, static. Threads: who has a
    reference. Cost: O(chunks). */
EBB_API const char *ebb_shared_validate(const ebb_shared *s);

/* ---- weak references ------------------------------------------------------------------------- */

/** A reference that does not keep the object alive. Synchronized. */
typedef struct ebb_weak ebb_weak;

/** Return a weak reference to @s, to be dropped. While there is one, 256 bytes outlive the
    object. Fails: NULL, with a misuse report: @s has ended, or there are 2^31.
    Threads: who has a reference. Cost: an atomic addition. */
EBB_API ebb_weak *ebb_weak_of(ebb_shared *s);

/** Return a reference to what @w refers to, to be dropped; NULL: it has ended. @w stays. Cost: an
    atomic exchange, more if others do the same. Threads: who has the weak reference. */
EBB_API ebb_shared *ebb_weak_upgrade(ebb_weak *w);

/** Drop it, and null *@w; NULL: nothing. Dropping more than there were is misuse, and reported
    unless another object has taken the place of one that has ended. */
EBB_API void ebb_weak_drop(ebb_weak **w);

/* ---- roots ----------------------------------------------------------------------------------- */

/**
 * A place for a reference that is replaced while others read it. Its storage is yours; zeroed, or
 * EBB_ROOT_INIT, it is empty. Synchronized.
 *
 * Readers count nothing: a scope that reads a root (or a cache) says once that it may be
 * looking, and what is replaced is dropped only when every scope that said so before has ended
 * (epoch-based reclamation: Keir Fraser, "Practical Lock-Freedom", 2004). A scope that lives
 * for long so holds back whatever is replaced meanwhile; mark its profile `long_lived`, and it
 * counts instead.
 */
typedef struct ebb_root {
    ebb_shared *ebb__now; /* private; atomic */
} ebb_root;

/* clang-format off */
#ifdef __cplusplus
#define EBB_ROOT_INIT {}
#else
#define EBB_ROOT_INIT {0}
#endif
/* clang-format on */

/**
 * Return ebb_shared_get of what @root has now, valid until @a ends or is reset (a rewind leaves
 * it), whatever is set meanwhile; NULL: it is empty, or *@ret_why (may be NULL) is not EBB_OK: @a
 * had no memory to say that it reads (this neither sticks nor jumps), or it has ended, which is
 * misuse and reported. Two calls may return different objects, if one is set in between.
 * Cost: a few loads, after @a's first; never waits. Threads: the holder of @a.
 */
EBB_API const void *ebb_root_get(ebb_root *root, ebb_arena *a, ebb_status *ret_why);

/** Return a reference to what @root has now, to be dropped; NULL: it is empty, or *@ret_why
    (may be NULL) is not EBB_OK. For those without a scope, and for what is to outlive it. Never
    waits. */
EBB_API ebb_shared *ebb_root_hold(ebb_root *root, ebb_status *ret_why);

/**
 * Put *@s in @root in place of what it has, which is dropped once nobody can be reading it: by
 * the thread that ends the last scope that could, or by this one. Takes *@s, and nulls it; *@s
 * NULL empties the root, as must be done before its storage goes.
 * Fails: false, nothing changed: no memory to remember the old one by; or, with a misuse report,
 * *@s has ended. Threads: any.
 */
EBB_API EBB_MUST_USE bool ebb_root_set(ebb_root *root, ebb_shared **s);

/* ---- canonical objects ----------------------------------------------------------------------- */

/**
 * A table in which each content has one object: who is about to build what is there already
 * gets that. It does not keep its objects alive. Symbols, as all numbers, are good keys too:
 * their hash is the key's own, mixed (ebb_hash_u64). Synchronized.
 */
typedef struct ebb_canon ebb_canon;

/** Return an empty table. Fails: NULL, out of memory. */
EBB_API ebb_canon *ebb_canon_create(void);

/** Destroy it, and null *@c; its objects are those of who holds them. Threads: no other may be
    using it. */
EBB_API void ebb_canon_destroy(ebb_canon **c);

/** Whether the object with this root is the one that is looked for. Called with a part of the
    table locked: it must not use the table, nor drop references, nor leave by ebb_raise. */
typedef bool ebb_canon_fn(void *ctx, const void *root);

/** Return a reference to the object of @hash for which @is says true, to be dropped; NULL:
    there is none, or it has ended. @hash: of the content, good in all bits, as ebb_hash_str
    makes it. */
EBB_API ebb_shared *ebb_canon_find(ebb_canon *c, uint64_t hash, ebb_canon_fn *is, void *ctx);

/**
 * Enter *@s under @hash, unless @is finds one that is alive: then that takes its place. In both
 * cases *@s is afterwards a reference to the one and only; what it was before may have been
 * dropped.
 * Fails: false, nothing changed: out of memory; or, with a misuse report, *@s has ended.
 */
EBB_API EBB_MUST_USE bool ebb_canon_put(ebb_canon *c, uint64_t hash, ebb_canon_fn *is, void *ctx,
                                        ebb_shared **s);

/** Return how many objects @c has, those that have ended and were not missed yet included. */
EBB_API size_t ebb_canon_len(ebb_canon *c);

/* ---- what is going on ------------------------------------------------------------------------ */

/** Of the whole process. */
typedef struct ebb_share_stats {
    uint64_t sealed;         /**< objects, so far */
    uint64_t alive;          /**< of them, those that somebody holds */
    uint64_t bytes;          /**< of those alive */
    uint64_t held_by_scopes; /**< references that scopes took by ebb_shared_hold_for */
    uint64_t weak;           /**< objects that have ended, but for what weak references need */
    uint64_t deferred;       /**< given up, and waiting for scopes to end that may be reading it */
    uint64_t deferred_bytes;
    uint64_t readers;   /**< scopes that say they read */
    const char *oldest; /**< static: the profile's name of the one that holds back most, "?" if it
                             has none; NULL: nobody reads */
} ebb_share_stats;

/** One object, as ebb_share_list shows it. */
typedef struct ebb_share_info {
    char name[48];
    size_t bytes;
    uint32_t held;   /**< references, */
    uint32_t scopes; /**< those of scopes among them */
    uint32_t weak;   /**< weak ones */
} ebb_share_info;

/** Fill *@ret_stats. Exact when no other thread is at it. Cost: O(objects alive and scopes).
    Threads: any. */
EBB_API void ebb_share_get_stats(ebb_share_stats *ret_stats);

/** Fill up to @most of @ret_, newest first, with the objects that are alive: what a test shows
    when there should be none. Return how many there are. Threads: any. */
EBB_API size_t ebb_share_list(ebb_share_info *ret_, size_t most);

/** Drop at once what waits for readers that have gone, and run the cleanups of what so ends, on
    this thread. Happens by itself as more is given up. Return how many references still wait.
    Threads: any. */
EBB_API size_t ebb_share_collect(void);

#ifdef __cplusplus
}
#endif
#endif /* EBB_SHARE_H */
