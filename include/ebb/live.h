/*
 * ebb/live.h: what is alive now: arenas and scopes as the tree they form, pools, caches and tables
 * of names, with their bytes, counts and owners, at any moment, in the shipped binary.
 *
 *     ebb_live *l = ebb_live_look(a);
 *     if (l) fputs(ebb_live_format(l, EBB_FORMAT_TEXT, a, NULL).ptr, stderr);
 *
 * Nothing is counted for it: a look walks what is there. Other threads go on meanwhile. It is exact
 * where it can be known that nobody changes what is looked at: for the families (an arena, what is
 * above it, and all below that) of the arena that it is made to, of the current one, and of the
 * EBB_SCOPEs and tries that this thread is in; for pools, caches, tables and shared objects. Of all
 * other arenas, those that this thread has merely parked included, blocks are seen as they happened
 * to be, so that figures may be those of a moment before, and one that begins or ends meanwhile may
 * be missed; but never is a figure of no arena shown. Such arenas over a caller's buffer are not
 * seen, and of those with a source of their own nothing but the first block.
 *
 * Not for a signal's handler: it takes locks.
 */
#ifndef EBB_LIVE_H
#define EBB_LIVE_H

#include "arena.h"
#include "str.h"
#include "track.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ebb_live_kind {
    EBB_LIVE_ARENA, /**< made by ebb_arena_create */
    EBB_LIVE_SCOPE,
    EBB_LIVE_SHARED, /**< a sealed arena: shared objects */
    EBB_LIVE_POOL,
    EBB_LIVE_CACHE,
    EBB_LIVE_NAMES /**< a table of symbols */
} ebb_live_kind;

/** One thing that is alive. */
typedef struct ebb_live_node {
    ebb_live_kind kind;
    char name[48];       /**< as it was; bytes of any kind, cut at 47 */
    const void *address; /**< a shared object's: its arena's */
    size_t parent;       /**< index of the arena that it is a child of; SIZE_MAX: none. Parents come
                             before their children */
    size_t held, used; /**< bytes: as ebb_arena_stats has it; `used` of what is not exact is 0. The
                             arenas that a pool, a cache or a table lies in are no nodes of their
                             own, but counted here. A buffer and a cached value have one */
    uint64_t count;    /**< an arena's chunks; a pool's objects, detached ones too; a cache's
                             entries; symbols */
    uint64_t out;      /**< a pool's objects that are lent or detached; a cache's entries that were
                             taken out and may be read still, or are not yet in it; references to a
                             shared object; else 0 */
    bool exact;        /**< nobody can have changed it while it was looked at */
} ebb_live_node;

/** What there was at one look. A value. */
typedef struct ebb_live {
    size_t count;
    ebb_live_node *node;
    size_t missed; /**< things that were there, and for which there was no memory */
    size_t reserved_bytes, idle_bytes; /**< as ebb_memory_stats has it */
} ebb_live;

/**
 * Look at everything that is alive; in scope of @into.
 * Fails: NULL: no memory; neither sticks nor jumps.
 * Cost: O(blocks ever carved, and what there is of the rest). Meanwhile no slab can be taken from
 * the system or given back, and each pool, cache and table is locked while it is its turn.
 * Threads: the holder of @into.
 */
EBB_API ebb_live *ebb_live_look(ebb_arena *into);

/**
 * Return @l as EBB_FORMAT_TEXT (a tree for a person), EBB_FORMAT_JSON or EBB_FORMAT_OPENMETRICS
 * (of all that has one kind and name the sums, and what the profiles have counted by now); in scope
 * of @into, a NUL is behind it.
 * Fails: {NULL, 0}, with *@ret_why (if not NULL) EBB_E_MEMORY or EBB_E_UNSUPPORTED; neither sticks
 * nor jumps. Threads: the holder of @into.
 */
EBB_API ebb_str ebb_live_format(const ebb_live *l, ebb_format format, ebb_arena *into,
                                ebb_status *ret_why);

#ifdef __cplusplus
}
#endif
#endif /* EBB_LIVE_H */
