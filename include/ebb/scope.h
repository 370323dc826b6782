/*
 * ebb/scope.h: the life of a request.
 *
 *     ebb_arena *a = ebb_scope_begin(&post_vms);   // the request begins
 *     struct vm *vm = ebb_new(a, struct vm);       // whatever it needs
 *     ebb_scope_end(&a);                           // all of it goes out at once
 *
 * Three things are kept apart:
 *
 *   life      begin, begin_in, end   An event loop may have thousands open; parking one needs no
 *                                    call, and what begins next is not its child.
 *   current   enter, leave           Which scope the allocator hooks of other libraries use on
 *                                    this thread (compat/malloc.h). Nothing else reads it.
 *   holder    detach, attach         Which thread may touch it.
 *
 * Within one function EBB_SCOPE does begin, enter, leave and end by itself.
 */
#ifndef EBB_SCOPE_H
#define EBB_SCOPE_H

#include "arena.h"
#include "profile.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- life ------------------------------------------------------------------------------------ */

/**
 * Begin a scope, a root; NULL @profile: an anonymous one. It is sticky (see ebb_failed).
 * Fails: never NULL; without memory it has failed already. Cost: 34 instructions in steady state
 * (x86-64, gcc 12); with a limit, or as a child, some 600 with its end; no lock, no atomic
 * read-modify-write. Threads: any; the caller holds it.
 */
EBB_API EBB_MUST_USE EBB_NONNULL_RESULT ebb_arena *ebb_scope_begin(ebb_profile *profile);

/**
 * Begin a child of @parent: it ends with its parent at the latest, charges its parent's limits, and
 * inherits wipe. Its failure is its own. Threads: the holder of @parent; the child stays on that
 * thread until it is detached.
 */
EBB_API EBB_MUST_USE EBB_NONNULL_RESULT ebb_arena *ebb_scope_begin_in(ebb_arena *parent,
                                                                      ebb_profile *profile);

/**
 * End *@a: run its cleanups newest first, let go of its memory, null the handle (first: the
 * variable may lie inside the scope).
 * Lifetime: every pointer that came from it is dead when this returns.
 * Fails: never. Children still open are ended first, youngest first, and reported. Misuse: a scope
 * that has ended, is current on this thread, is the arena of a running ebb_try, or was made by
 * ebb_arena_create.
 * Cost: O(undo records); one that never left its first chunk, 41 instructions.
 * Threads: the holder; a parked or detached root, any one thread.
 */
EBB_API void ebb_scope_end(ebb_arena **a);

/** Let @a stay open until its parent ends, without a report. Nothing to a root. */
EBB_API void ebb_scope_keep_open(ebb_arena *a);

/**
 * Keep @data with @a, a scope or any arena, for whoever meets it later; false if out of memory.
 */
EBB_API bool ebb_scope_set_data(ebb_arena *a, void *data);

/** Return what ebb_scope_set_data kept; NULL at first. */
EBB_API void *ebb_scope_data(const ebb_arena *a);

/**
 * Charge what @a holds, and what it will hold, to @budget instead of its present one; NULL: to
 * none. Any arena, not only a scope. For a tenant that is known only once the headers are parsed.
 * If that passes the limit, the next allocation that needs a chunk fails, not this. Fails: false if
 * out of memory; nothing has changed.
 */
EBB_API bool ebb_scope_charge(ebb_arena *a, ebb_budget *budget);

/* ---- current --------------------------------------------------------------------------------- */

/** Make @a (NULL: the heap) current on this thread; return what was, to be given to leave. */
EBB_API EBB_MUST_USE ebb_arena *ebb_scope_enter(ebb_arena *a);

/** Make @previous, what enter returned, current again. It must still be open; if it is not, and
    that can be told, it is reported, and the heap is current. */
EBB_API void ebb_scope_leave(ebb_arena *previous);

/** Return the scope that hooks on this thread allocate from; NULL: the heap. */
EBB_API ebb_arena *ebb_scope_current(void);

/* ---- holder ---------------------------------------------------------------------------------- */

/**
 * Get *@a ready for another thread: make it a root if it is a child (it leaves its ancestors'
 * limits, and keeps their budget), null the handle, return it. Misuse: it is current.
 * Put it in a queue (whose hand-over must synchronise, as any does), and let the receiver attach
 * it. A root that is merely parked may also be handed over and ended without this.
 */
EBB_API EBB_MUST_USE ebb_arena *ebb_scope_detach(ebb_arena **a);

/** Take hold of @a on this thread: so that the owner checks know (EBB_CHECKS_STRICT); else it costs
    and changes nothing. A root that comes here only to be ended needs none. */
EBB_API void ebb_scope_attach(ebb_arena *a);

/* ---- lexical --------------------------------------------------------------------------------- */

#if EBB_HAS_SCOPE

/**
 * EBB_SCOPE(name, profile): a declaration. Begins a scope, a child of the innermost EBB_SCOPE or
 * ebb_try arena around it on this thread, else a root; makes it current; declares `ebb_arena *const
 * name`. Leaves and ends it at the closing brace, however that is reached: return, break, goto, or
 * a raise through it. May not cross a fiber switch, nor be left by a longjmp of your own. If the
 * thread exits (pthread_exit) with one open, it is ended then, and reported.
 */
#define EBB_SCOPE(name, profile)                                                                   \
    ebb__lexical EBB__JOIN(ebb__lexical_, name)                                                    \
        __attribute__((cleanup(ebb__lexical_end), unused));                                        \
    ebb_arena *const name __attribute__((unused)) =                                                \
        ebb__lexical_begin(&EBB__JOIN(ebb__lexical_, name), (profile))

/** EBB_ENTER(a): a declaration; a is current on this thread until the closing brace. */
#define EBB_ENTER(a)                                                                               \
    ebb_arena *EBB__UNIQUE(ebb__entered_) __attribute__((cleanup(ebb__entered_leave), unused)) =   \
        ebb_scope_enter(a)

#endif /* EBB_HAS_SCOPE */

/* ---- what the macros above expand to --------------------------------------------------------- */

typedef struct ebb__lexical {
    ebb_arena *arena;           /* the scope */
    ebb_arena *previous;        /* current before it */
    struct ebb__lexical *outer; /* the lexical scope around it on this thread */
} ebb__lexical;

EBB_API ebb_arena *ebb__lexical_begin(ebb__lexical *frame, ebb_profile *profile);
EBB_API void ebb__lexical_end(ebb__lexical *frame);

static inline void ebb__entered_leave(ebb_arena **previous)
{
    ebb_scope_leave(*previous);
}

#ifdef __cplusplus
}
#endif
#endif /* EBB_SCOPE_H */
