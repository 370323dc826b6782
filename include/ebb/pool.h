/*
 * ebb/pool.h: pools of objects that are dear to make: borrowed for a request, home when it ends.
 *
 *     static bool connect_to(void *ctx, void *object) { struct db *d = object; ... }
 *     static bool clear(void *ctx, void *object) { ... }     // before anybody else gets it
 *     static void hang_up(void *ctx, void *object) { ... }
 *
 *     ebb_pool_params how = {.name = "database", .size = sizeof(struct db), .max_size = 20,
 *                            .create = connect_to, .reset = clear, .destroy = hang_up};
 *     ebb_pool *databases = ebb_pool_create(&how, NULL);
 *     ...
 *     EBB_SCOPE(a, &query);
 *     struct db *d = ebb_pool_acquire(databases, a, NULL);   // the scope's, until it ends
 *     if (!d) return 503;
 *
 * For connections, parsers, compressors, contexts of a cipher, large tables: what costs more to set
 * up than to clear. Not for plain memory, which an arena hands out faster (ebb/arena.h); buffers that
 * are worth keeping have a pool of their own (ebb/bufpool.h). ebb/pool_of.h makes the calls typed.
 *
 * Of max_size objects each one is idle in the pool, or out: lent to a scope, or to nobody's scope
 * (arena NULL) until it is released by hand. Each call says what it wants when none is idle and no
 * more may be made: to fail at once, to wait until a deadline, or to be told. Who waits is served in
 * the order of arrival, and is handed the object; nobody overtakes. Exhaustion never makes a scope
 * fail.
 *
 * Idle objects wait in magazines, one per thread, over a depot that all share (Jeff Bonwick and
 * Jonathan Adams, "Magazines and Vmem", USENIX 2001); a magazine grows while its thread comes to the
 * depot often. Before anybody fails or waits, idle objects are fetched back from all magazines, so
 * none is ever stranded in a thread that does not need it.
 *
 * With EBB_POOL=off in the environment nothing is kept: each acquire makes an object, each release
 * destroys it, for AddressSanitizer and Valgrind, which then see the use of one that has gone home.
 * What is idle in a pool is poisoned for both in any case. max_size and waiting are as ever.
 */
#ifndef EBB_POOL_H
#define EBB_POOL_H

#include "arena.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A pool. Synchronized: any thread may call any function of it at once, but for destroy. */
typedef struct ebb_pool ebb_pool;

/* ---- a pool's life --------------------------------------------------------------------------- */

/**
 * What a pool is to be like. Zeroed fields mean what their comments say.
 *
 * The hooks get @ctx and the object. They are called with no lock held, by the thread that acquires,
 * releases, ends the scope, trims or destroys, and may use other pools; not this one. A hook must not
 * leave by ebb_raise or longjmp.
 */
typedef struct ebb_pool_params {
    const char *name;  /**< for reports and statistics; copied; NULL: "?" */
    size_t size;       /**< bytes of an object; at least 1 */
    size_t align;      /**< a power of two, up to 4096; 0: as malloc does */
    uint32_t min_size; /**< made by ebb_pool_create, and what shrinking leaves */
    uint32_t max_size; /**< at most so many exist, idle and out; 0: 2^31 */
    uint32_t idle_ms;  /**< what lay idle for about so long is destroyed, a few at a time, when
                            somebody uses the pool; 0: only ebb_pool_trim does that */
    void *ctx;         /**< kept for the hooks */
    /** Make the object of zeroed memory. false: it can't; destroy won't be called. */
    bool (*create)(void *ctx, void *object);
    /** On its way home, whatever was done with it: let go of what the request left in it. false:
        it is no good any more, and is destroyed. */
    bool (*reset)(void *ctx, void *object);
    /** Idle till now, about to be lent: is it still good? false: it is destroyed, and another taken
        or made in its place. */
    bool (*validate)(void *ctx, void *object);
    void (*destroy)(void *ctx, void *object);
} ebb_pool_params;

/**
 * Return a new pool with @params->min_size idle objects.
 * Lifetime: until ebb_pool_destroy; copies *@params, keeps its ctx.
 * Fails: NULL, nothing left behind, and *@ret_why (may be NULL): EBB_E_INVALID (size 0 or too large,
 * align, min_size above max_size; said in a misuse report), EBB_E_MEMORY, EBB_E_REFUSED (create said
 * no).
 * Cost: min_size creates.
 */
EBB_API ebb_pool *ebb_pool_create(const ebb_pool_params *params, ebb_status *ret_why);

/**
 * Destroy all objects and the pool. All must be home, and nobody be waiting: else that is misuse,
 * reported with who holds the oldest and where it was acquired, and the pool stays as it was.
 * Threads: no other may be using the pool.
 */
EBB_API void ebb_pool_destroy(ebb_pool **pool);

/**
 * Destroy idle objects, those in other threads' magazines included, until @pool has min_size.
 * Return how many. Cost: a lock, and the destroys.
 */
EBB_API size_t ebb_pool_trim(ebb_pool *pool);

/**
 * From now on at most @max_size objects may exist. Fewer than there are: the idle ones are destroyed
 * at once, the others as they come home. More: who waits is served.
 * Fails: false, reported as misuse, nothing changed: 0, below min_size or above 2^31.
 */
EBB_API bool ebb_pool_set_max(ebb_pool *pool, uint32_t max_size);

/* ---- borrowing ------------------------------------------------------------------------------- */

/**
 * Return an object for @a: in scope, it goes home when @a ends, is reset, or rewinds past this
 * moment, unless it was released before. @a NULL: it is out until ebb_pool_release.
 * Its bytes are as create or reset left them.
 * Fails: NULL, and *@ret_why (may be NULL): EBB_E_EXHAUSTED (all are out), EBB_E_MEMORY, EBB_E_REFUSED
 * (create said no). @a is as it was: this neither sticks nor jumps.
 * Cost: constant, from the thread's magazine; else a lock, or a create.
 * Threads: the holder of @a.
 */
EBB_API void *ebb_pool_acquire(ebb_pool *pool, ebb_arena *a, ebb_status *ret_why);

/**
 * As ebb_pool_acquire, but when all are out wait for one, behind those who wait already, until
 * ebb_clock_ns() reaches @deadline_ns; UINT64_MAX: for ever.
 * Fails: EBB_E_TIMEOUT in place of EBB_E_EXHAUSTED.
 */
EBB_API void *ebb_pool_acquire_by(ebb_pool *pool, ebb_arena *a, uint64_t deadline_ns,
                                  ebb_status *ret_why);

/** A place in the queue of a pool, for those who must not block. In scope of its arena. */
typedef struct ebb_pool_wait ebb_pool_wait;

/** How to tell that an object has been set aside. Both may be used. */
typedef struct ebb_pool_notice {
    /** Called on the thread that gave the object up, with the pool locked: wake your loop (set a
        flag, write to a pipe, uv_async_send) and return. It must not call Ebb. NULL: none. */
    void (*fn)(void *ctx);
    void *ctx;
    int eventfd; /**< 1 is written to it as 8 bytes; ignored if has_eventfd is false */
    bool has_eventfd;
} ebb_pool_notice;

/**
 * Ask for an object for @a without blocking. One is idle or can be made: return EBB_OK, and
 * *@ret_wait is ready to be taken. Else queue up behind who waits already: return EBB_E_EXHAUSTED
 * and *@ret_wait; when an object comes home it is set aside for it, and *@notice (copied) says so.
 * Lifetime: *@ret_wait is in scope of @a: with it goes the place in the queue, or the object that was
 * set aside. After ebb_pool_take or ebb_pool_wait_cancel it is gone.
 * Fails: EBB_E_MEMORY, EBB_E_REFUSED, with *@ret_wait NULL and @a as it was.
 * Threads: the holder of @a, which is not NULL.
 */
EBB_API ebb_status ebb_pool_acquire_async(ebb_pool *pool, ebb_arena *a,
                                          const ebb_pool_notice *notice, ebb_pool_wait **ret_wait);

/**
 * Take what was set aside for *@wait, for its arena, and null *@wait.
 * Fails: NULL, and *@ret_why (may be NULL): EBB_E_EXHAUSTED, nothing yet: *@wait goes on waiting;
 * EBB_E_MEMORY or EBB_E_REFUSED (create said no, where it was a free place that was set aside): *@wait
 * is over and nulled.
 * Threads: the holder of its arena.
 */
EBB_API void *ebb_pool_take(ebb_pool_wait **wait, ebb_status *ret_why);

/** Leave the queue; what was set aside goes to the next. Threads: the holder of its arena. */
EBB_API void ebb_pool_wait_cancel(ebb_pool_wait **wait);

/* ---- giving back ----------------------------------------------------------------------------- */

/**
 * Send @object home before its scope ends. NULL is ignored. What is not out, is another pool's, or
 * no pool's is misuse, and is reported with where it was acquired and where it was released before.
 * Lifetime: @object is dead.
 * Cost: constant, and the reset; a lock when somebody waits, or the magazine is full.
 * Threads: the holder of its scope; any, if it was acquired for none.
 */
EBB_API void ebb_pool_release(ebb_pool *pool, void *object);

/** As ebb_pool_release, for an object that is no good any more: it is destroyed, and its place is
    free for another. */
EBB_API void ebb_pool_discard(ebb_pool *pool, void *object);

/**
 * Make the scope that @object was lent to @to, which may be NULL (see ebb_pool_acquire).
 * Fails: false, nothing changed: @to has no memory, or @object is not out (misuse).
 * Threads: the holder of both scopes.
 */
EBB_API bool ebb_pool_move(ebb_pool *pool, void *object, ebb_arena *to);

/**
 * Take @object out of the pool and out of its scope: it no longer counts in max_size, and another may
 * be made in its place. For what turned out to be needed for long. Return @object.
 * Lifetime: until ebb_pool_discard, or ebb_pool_release, which takes it in again if there is a free
 * place, and else discards it. ebb_pool_destroy counts it as out. Threads: as ebb_pool_release.
 */
EBB_API void *ebb_pool_detach(ebb_pool *pool, void *object);

/* ---- references ------------------------------------------------------------------------------ */

/** A loan of an object, told from the later loans of the same object. */
typedef struct ebb_pool_ref {
    void *object;
    uint32_t generation; /**< private */
} ebb_pool_ref;

/** Return a reference to the present loan of @object. Threads: as ebb_pool_release. */
EBB_API ebb_pool_ref ebb_pool_ref_to(const ebb_pool *pool, void *object);

/**
 * Return the object if @ref's loan still lasts; NULL if it has gone home since, whoever has it now.
 * For those who keep a pointer where the scope may end without their knowing.
 * Threads: as ebb_pool_release. @pool must be alive.
 */
EBB_API void *ebb_pool_ref_get(const ebb_pool *pool, ebb_pool_ref ref);

/* ---- what is going on ------------------------------------------------------------------------ */

/** Waits are counted by length: wait_us[0] below 2 us, [i] below 2^(i+1) us, the last: all else. */
#define EBB_POOL_WAIT_BINS 24

typedef struct ebb_pool_stats {
    uint32_t min_size, max_size;
    uint32_t exist;      /**< idle and out, but for detached ones */
    uint32_t idle;       /**< of them; those in magazines too */
    uint32_t in_use;     /**< the rest: out */
    uint32_t detached;   /**< out, not counted above */
    uint32_t high_water; /**< the most that were out of the depot at once: out, or in magazines */
    uint32_t waiting;    /**< in the queue now */
    uint64_t acquired, released;
    uint64_t created, destroyed; /**< hooks, or what they would have been */
    uint64_t discarded;  /**< of the destroyed: no good, by validate, reset or ebb_pool_discard */
    uint64_t exhausted;  /**< calls that failed or waited since all were out */
    uint64_t timed_out, cancelled;
    uint64_t waits;      /**< that ended with an object */
    uint64_t wait_us[EBB_POOL_WAIT_BINS];
    const void *longest_site; /**< where the object was acquired that is out longest; NULL: none */
    uint64_t longest_ms; /**< for at least so long; see ebb_pool_get_stats */
} ebb_pool_stats;

/**
 * Fill *@ret_stats. Counts that threads keep for themselves are added up while they go on, so that
 * they may be off by what happens meanwhile.
 * How long an object has been out is known from calls that come by the depot, and from this one:
 * longest_ms is never too large, and exact to the time between two calls of this function.
 * Cost: a lock, and O(objects). Threads: any.
 */
EBB_API void ebb_pool_get_stats(ebb_pool *pool, ebb_pool_stats *ret_stats);

/** Return the name, as copied. */
EBB_API const char *ebb_pool_name(const ebb_pool *pool);

/** Call @fn for each object that is out, oldest loan first, with where it was acquired (a code
    address), while the pool is locked: it must not call Ebb. For reports of your own. */
EBB_API void ebb_pool_each_out(ebb_pool *pool,
                               void (*fn)(void *ctx, const void *object, const void *site),
                               void *ctx);

#ifdef __cplusplus
}
#endif
#endif /* EBB_POOL_H */
