/*
 * ebb/track.h: watching arenas from outside, in the shipped binary, at run time.
 *
 * A watcher closes the windows of the arenas it is interested in, so that their next allocation
 * takes the slow path, where it is asked. Arenas that nobody watches pay nothing. A watcher may
 * come and go while other threads allocate; it takes effect at each arena's next allocation.
 *
 * Two are here: a fault injector, which makes allocations fail to see what a program does about it,
 * and a counter of allocations by size.
 */
#ifndef EBB_TRACK_H
#define EBB_TRACK_H

#include "arena.h"
#include "profile.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Whom to watch: what matches every field that is set; all zero: every arena of the process. An
    arena over a caller's buffer that began before is found only by its own watch. */
typedef struct ebb_watch {
    ebb_arena *arena;     /**< this one; it must outlive the watcher */
    ebb_profile *profile; /**< scopes of this kind */
    bool this_thread;     /**< allocations made by the thread that calls begin */
} ebb_watch;

/* clang-format off */
#ifdef __cplusplus
#define EBB_WATCH_INIT {}
#define EBB_FAULT_PARAMS_INIT {}
#else
#define EBB_WATCH_INIT {0}
#define EBB_FAULT_PARAMS_INIT {0}
#endif
/* clang-format on */

/* ---- fault injection ------------------------------------------------------------------------- */

/** A fault injector. Synchronized. */
typedef struct ebb_fault ebb_fault;

/** Which allocations fail. Counted are those that match the watch, numbered from 1. */
typedef struct ebb_fault_params {
    uint64_t nth;       /**< fail this one; 0: none by number */
    bool from_nth_on;   /**< and all after it */
    double probability; /**< fail each with this probability, 0 to 1 */
    uint64_t seed;      /**< of the random numbers, so that a run can be repeated */
} ebb_fault_params;

/**
 * Begin to make allocations fail with EBB_E_MEMORY, as if the system had refused.
 * ebb_alloc_optional and the first chunk of a scope fail too. Cleanups (ebb_defer) keep their
 * promise.
 * Fails: NULL, with *@ret_why (if not NULL) EBB_E_MEMORY, EBB_E_RANGE (a probability outside 0..1)
 * or EBB_E_EXHAUSTED (sixteen watchers are active). Threads: any.
 */
EBB_API ebb_fault *ebb_fault_begin(ebb_watch whom, const ebb_fault_params *params,
                                   ebb_status *ret_why);

/** Stop and free *@f. Threads: any; waits for an allocation that is asking it right now. */
EBB_API void ebb_fault_end(ebb_fault **f);

/** Return how many allocations were made to fail. Threads: any. */
EBB_API uint64_t ebb_fault_hits(const ebb_fault *f);

/** Return how many allocations were seen. Threads: any. */
EBB_API uint64_t ebb_fault_seen(const ebb_fault *f);

/**
 * EBB_EACH_FAILURE(f, .arena = a, ...) { block }: run the block again and again, failing allocation
 * 1, then 2, ... of those that match the watch, until a run in which none was hit. Each run must
 * start from the same state. At least one field is named; `.arena = NULL` is the whole process. `f`
 * is an ebb_fault *, for use in the block: ebb_fault_hits(f) tells whether this run's failure has
 * happened. `break` is allowed. If no watcher can be added, that is reported as misuse: a test must
 * not pass by testing nothing. C only.
 */
#if EBB_HAS_SCOPE && !defined(__cplusplus)
#define EBB_EACH_FAILURE(f, ...)                                                                   \
    for (ebb_fault * f __attribute__((cleanup(ebb_fault_end))) = NULL;                             \
         ebb__fault_next(&f, (ebb_watch){__VA_ARGS__});)
#endif

EBB_API bool ebb__fault_next(ebb_fault **f, ebb_watch whom);

/* ---- counting -------------------------------------------------------------------------------- */

/** A counter of allocations by size. Synchronized. */
typedef struct ebb_counter ebb_counter;

/** Classes of sizes: 0, 1, 2, 3..4, 5..8, ... ; the last holds everything above 2^29. */
#define EBB_COUNTER_CLASSES 32

/** What a counter has seen. Class 0 counts size 0, class 1 size 1, class i > 1 sizes above 2^(i-2)
    up to 2^(i-1). */
typedef struct ebb_counter_stats {
    uint64_t count, bytes; /**< allocations, and the bytes they asked for */
    uint64_t by_class[EBB_COUNTER_CLASSES];
} ebb_counter_stats;

/** Begin to count. Fails as ebb_fault_begin. Threads: any. */
EBB_API ebb_counter *ebb_counter_begin(ebb_watch whom, ebb_status *ret_why);

/** Fill @ret_ with what was seen so far. Threads: any. */
EBB_API void ebb_counter_get_stats(const ebb_counter *c, ebb_counter_stats *ret_);

/** Stop and free *@c. Threads: any; waits for an allocation that is asking it right now. */
EBB_API void ebb_counter_end(ebb_counter **c);

#ifdef __cplusplus
}
#endif
#endif /* EBB_TRACK_H */
