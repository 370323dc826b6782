/*
 * ebb/cleanup.h: tie a thing of your own to an arena, by a record that lies in the thing itself.
 *
 * ebb_defer is shorter to write and fits most cleanups. This is for things that are borrowed by the
 * request and may be given back before it ends, by the thousand and in any order: a connection, a
 * pool's object, a reference. Leaving is O(1) and takes nothing from the arena. Ebb's own pools,
 * shared objects and caches are tied to their scopes by it.
 *
 *     struct connection { int fd; ebb_cleanup cleanup; };
 *     static void hang_up(ebb_cleanup *c) { ... EBB_CONTAINER(c, struct connection, cleanup) ... }
 *     if (!ebb_cleanup_add(a, &conn->cleanup, hang_up)) ...
 */
#ifndef EBB_CLEANUP_H
#define EBB_CLEANUP_H

#include "arena.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A cleanup tied to an arena, or to none. Its storage is the caller's. As its arena: Handoff. */
typedef struct ebb_cleanup ebb_cleanup;
struct ebb_cleanup {
    ebb_cleanup *next;          /**< private: the one tied before it */
    ebb_cleanup **back;         /**< private: what points here; NULL: tied to no arena */
    void (*run)(ebb_cleanup *); /**< what will be called; @c is tied to no arena by then */
};

/* clang-format off */
#ifdef __cplusplus
#define EBB_CLEANUP_INIT {}
#else
#define EBB_CLEANUP_INIT {0}
#endif
/* clang-format on */

/**
 * Call @run(@c) when @a ends, is reset, or is rewound past this moment: newest first among all
 * cleanups of @a, ebb_defer's included, and before any memory older than this call is let go. @run
 * may allocate from @a, register more, and free or reuse *@c.
 * Keeps @c until then, or until ebb_cleanup_remove. Moves with @a when another arena adopts it.
 * Fails: false, with nothing registered, where @a has failed, or has no memory for the 16 bytes
 * that the first of a row of cleanups takes. This neither sticks nor jumps. A @c already tied is
 * misuse.
 * Cost: constant, some ten instructions. Threads: the holder of @a.
 */
EBB_API bool ebb_cleanup_add(ebb_arena *a, ebb_cleanup *c, void (*run)(ebb_cleanup *));

/**
 * As ebb_cleanup_add, but a rewind leaves @c: @run(@c) when @a ends or is reset, after all its
 * other cleanups and before its memory is let go. For what the whole scope may go on using whatever
 * it rewinds, as what it found in a cache. Keeps @c until then, or until ebb_cleanup_remove. Moves
 * with @a when another arena adopts it.
 * Fails: false, with nothing registered, if @a had no bookkeeping block yet and none can be had.
 * Cost: constant; 256 bytes for an arena's first. Threads: the holder of @a.
 */
EBB_API bool ebb_cleanup_pin(ebb_arena *a, ebb_cleanup *c, void (*run)(ebb_cleanup *c));

/**
 * Untie @c from its arena: it won't be called. One tied to no arena is left alone.
 * Fails: never. Cost: constant. Threads: the holder of the arena that @c is tied to.
 */
EBB_API void ebb_cleanup_remove(ebb_cleanup *c);

#ifdef __cplusplus
}
#endif
#endif /* EBB_CLEANUP_H */
