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
 * up than to clear. Not for plain memory, which an arena hands out faster (ebb/arena.h); buffers
 * that are worth keeping have a pool of their own (ebb/bufpool.h). ebb/pool_of.h makes the calls
 * typed.
 *
 * Of max_size objects each one is idle in the pool, or in use: lent to a scope, or to nobody's
 * scope (arena NULL) until it is released by hand, or set aside for who waits. Each call says what
 * it wants when none is idle and no more may be made: to fail at once, to wait until a deadline, or
 * to be told. Who waits is served in the order of arrival, and is handed the object; nobody
 * overtakes. Exhaustion never makes a scope fail.
 *
 * Idle objects wait in magazines, one per thread, over a depot that all share (Jeff Bonwick and
 * Jonathan Adams, "Magazines and Vmem", USENIX 2001); a magazine grows while its thread comes to
 * the depot often. Before anybody fails or waits, idle objects are fetched back from all magazines,
 * so none is ever stranded in a thread that does not need it.
 *
 * With EBB_POOL=off in the environment when a pool is created it keeps nothing: each acquire makes
 * an object, each release resets and destroys it, for AddressSanitizer and Valgrind, which then see
 * the use of one that has gone home. What is idle in a pool is poisoned for both in any case.
 * max_size and waiting are as ever; nothing is made beforehand.
 *
 * Memory: the pool's own, counted in no arena's and no budget's; an object costs 64 to 128 bytes
 * more than its size. The first 256 pools of a process have magazines; others take their lock.
 *
 * Fork: the child has copies of the pools with what is idle in them, and of the objects that are
 * out those of the forking thread. Mind what an object stands for: a socket is then shared by two
 * processes. Other threads' waits are not in the child.
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
 * What a pool is to be like: EBB_POOL_PARAMS_INIT, or zeroes, which mean what the comments say.
 *
 * Each hook may be NULL. They get @ctx and the object, and are called with no lock held by the
 * thread that creates the pool, acquires, releases, ends the scope, lowers the maximum, trims or
 * destroys; on several threads at once, each for another object. They may use anything of Ebb but
 * this pool (which is in the middle of something) and must not leave by ebb_raise or longjmp.
 */
typedef struct ebb_pool_params {
    const char *name;  /**< for reports and statistics; copied, up to 47 bytes; NULL: "?" */
    size_t size;       /**< bytes of an object; at least 1 */
    size_t align;      /**< a power of two up to 4096, or 0; all have at least 64 */
    uint32_t min_size; /**< made by ebb_pool_create; shrinking leaves so many, idle and in use */
    uint32_t max_size; /**< at most so many exist, idle and in use; 0: 2^31 */
    uint32_t idle_ms;  /**< what lay in the depot unused for about so long is destroyed, a few at a
                            time, by who sends an object home; 0: only ebb_pool_trim does that */
    void *ctx;         /**< kept for the hooks */
    /** Make the object of zeroed memory. false: it can't; destroy is not called. NULL: zeroes will
        do. */
    bool (*create)(void *ctx, void *object);
    /** On its way home, whatever was done with it: let go of what the request left in it. false: it
        is no good any more, and is destroyed. NULL: the next one finds it as it was left. */
    bool (*reset)(void *ctx, void *object);
    /** Idle till now, and about to be lent: is it still good? false: it is destroyed, and another
        taken or made in its place. Not asked about a fresh one, nor about one that is handed
        straight to who waits. */
    bool (*validate)(void *ctx, void *object);
    /** Unmake it: at trimming and destroying, and after a false of reset or validate. */
    void (*destroy)(void *ctx, void *object);
} ebb_pool_params;

/* clang-format off */
#ifdef __cplusplus
#define EBB_POOL_PARAMS_INIT {}
#else
#define EBB_POOL_PARAMS_INIT {0}
#endif
/* clang-format on */

/**
 * Return a new pool with @params->min_size idle objects.
 * Lifetime: until ebb_pool_destroy; copies *@params, keeps its ctx.
 * Fails: NULL, nothing left behind, and *@ret_why (may be NULL): EBB_E_INVALID (size 0 or too
 * large, align, min_size above max_size; said in a misuse report), EBB_E_MEMORY, EBB_E_REFUSED
 * (create said no).
 * Cost: min_size creates.
 */
EBB_API ebb_pool *ebb_pool_create(const ebb_pool_params *params, ebb_status *ret_why);

/**
 * Destroy all objects and the pool, and null the handle. All must be home, and nobody be waiting:
 * else that is misuse, reported with how many are out (detached ones included), who holds the
 * oldest and where it was acquired. The handle is nulled all the same; the pool lives on, and what
 * is out goes home to it. (To make threads that wait leave, give them deadlines.) To use a copy of
 * the handle of a destroyed pool is misuse that this function and ebb_pool_release report, as long
 * as its memory is not taken by something else; other calls do not notice.
 * Threads: no other may be using the pool.
 */
EBB_API void ebb_pool_destroy(ebb_pool **pool);

/**
 * Destroy idle objects, those in other threads' magazines included, until @pool has min_size.
 * Return how many. Cost: a lock, and the destroys.
 */
EBB_API size_t ebb_pool_trim(ebb_pool *pool);

/**
 * From now on at most @max_size objects may exist. Fewer than there are: the idle ones are
 * destroyed at once, the others as they come home. More: who waits is served.
 * Fails: false, nothing changed, and a misuse report, where @max_size is 0, below min_size or above
 * 2^31.
 */
EBB_API bool ebb_pool_set_max(ebb_pool *pool, uint32_t max_size);

/* ---- borrowing ------------------------------------------------------------------------------- */

/**
 * Return an object for @a: in scope, it goes home when @a ends, is reset, or rewinds past this
 * moment, unless it was released before. @a NULL: it is out until ebb_pool_release.
 * Its bytes are as create or reset left them.
 * Fails: NULL, and *@ret_why (may be NULL): EBB_E_EXHAUSTED (all are in use), EBB_E_REFUSED (create
 * said no, and none is idle), EBB_E_MEMORY, what ebb_failed(@a) says if @a has failed and sticks to
 * it, or EBB_E_INVALID, with a misuse report: @a has ended. @a is as it was: this neither sticks
 * nor jumps.
 * Cost: constant, from the thread's magazine; else a lock, or a create.
 * Threads: the holder of @a.
 */
EBB_API void *ebb_pool_acquire(ebb_pool *pool, ebb_arena *a, ebb_status *ret_why);

/**
 * As ebb_pool_acquire, but when all are out wait for one, behind those who wait already, until
 * ebb_clock_ns() reaches @deadline_ns; UINT64_MAX: for ever; a deadline that has passed: not at
 * all.
 * Fails: as ebb_pool_acquire, but EBB_E_TIMEOUT in place of EBB_E_EXHAUSTED. For a scope that can't
 * have one it does not wait.
 * Threads: the holder of @a. Blocks: event loops want ebb_pool_acquire_async.
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
    int eventfd; /**< if has_eventfd: 1 is written to it as 8 bytes; that it is full is no matter */
    bool has_eventfd;
} ebb_pool_notice;

/**
 * Ask for an object for @a without blocking. If one is idle, or may be made, it is set aside:
 * return EBB_OK, and nobody is told. Else queue up behind who waits already: return
 * EBB_E_EXHAUSTED; when an object comes home it is set aside, and *@notice (copied; NULL: none, ask
 * by ebb_pool_take) says so, once. In both cases *@ret_wait is what ebb_pool_take wants.
 * Lifetime: *@ret_wait is in scope of @a: with it goes the place in the queue, or the object that
 * was set aside. After ebb_pool_take has not said EBB_E_EXHAUSTED, or ebb_pool_wait_cancel, it is
 * gone. Where @a is adopted, it moves to who adopts it.
 * Fails: EBB_E_MEMORY, ebb_failed(@a) if @a sticks to it, or EBB_E_INVALID, with a misuse report:
 * @a is NULL, or has ended. *@ret_wait is then NULL, and @a as it was.
 * Threads: the holder of @a.
 */
EBB_API ebb_status ebb_pool_acquire_async(ebb_pool *pool, ebb_arena *a,
                                          const ebb_pool_notice *notice, ebb_pool_wait **ret_wait);

/**
 * Take what was set aside for *@wait for its arena, as ebb_pool_acquire does (a rewind past this
 * moment sends it home), and null *@wait.
 * Fails: NULL, and *@ret_why (may be NULL): EBB_E_EXHAUSTED: nothing yet, *@wait goes on waiting.
 * Any other: *@wait is over and nulled, and what was set aside goes to the next: EBB_E_REFUSED (a
 * free place was set aside, and create said no), EBB_E_MEMORY or ebb_failed of its arena;
 * EBB_E_INVALID: *@wait is NULL, or was another thread's before a fork; or, with a misuse report, a
 * copy of one that was taken or cancelled in the same scope.
 * Threads: the holder of its arena.
 */
EBB_API void *ebb_pool_take(ebb_pool_wait **wait, ebb_status *ret_why);

/** Leave the queue, and null *@wait; what was set aside goes to the next. A copy of one that was
    taken or cancelled is misuse. Threads: the holder of its arena. */
EBB_API void ebb_pool_wait_cancel(ebb_pool_wait **wait);

/* ---- giving back ----------------------------------------------------------------------------- */

/**
 * Send @object home before its scope ends. NULL is ignored. What is not out, or is another pool's,
 * is misuse, and is reported with where it was acquired and where it was released before. So is a
 * pointer that no pool handed out: to tell, at most 64 bytes before it are read, in the page that
 * it points to or in an arena. That the same object has been lent again meanwhile is not told by
 * this, but by a reference (ebb_pool_ref).
 * Lifetime: @object is dead.
 * Cost: constant, and the reset; a lock when somebody waits, or the magazine is full.
 * Threads: the holder of its scope; any, if it was acquired for none.
 */
EBB_API void ebb_pool_release(ebb_pool *pool, void *object);

/** As ebb_pool_release, for an object that is no good any more: it is destroyed at once, without
    being reset, and its place is free for another, first of all for who waits. */
EBB_API void ebb_pool_discard(ebb_pool *pool, void *object);

/**
 * Lend @object to @to instead, from this moment of @to on; NULL: to nobody's scope (see
 * ebb_pool_acquire).
 * Fails: false, nothing changed: @to has no memory, or has failed and sticks to it; or, with a
 * misuse report: it has ended, or @object is not out. This neither sticks nor jumps.
 * Threads: the holder of both scopes.
 */
EBB_API bool ebb_pool_move(ebb_pool *pool, void *object, ebb_arena *to);

/**
 * Take @object out of the pool and out of its scope: it no longer counts in max_size, and another
 * may be made in its place, first of all for who waits. For what turned out to be needed for long.
 * Return @object; NULL: it is not out (misuse). One that is detached already leaves its scope, if
 * it was moved to one.
 * Lifetime: until ebb_pool_discard, or until ebb_pool_release, or the end of a scope that it is
 * moved to, which take it in again if there is a free place, and else discard it. References to it
 * go on; ebb_pool_destroy and ebb_pool_each_out count it as out.
 * Threads: as ebb_pool_release.
 */
EBB_API void *ebb_pool_detach(ebb_pool *pool, void *object);

/* ---- references ------------------------------------------------------------------------------ */

/** A loan of an object, told from the later loans of the same object. */
typedef struct ebb_pool_ref {
    void *object;
    uint64_t loan;   /**< private */
    uint32_t number; /**< private */
} ebb_pool_ref;

/** Return a reference to the present loan of @object, detached or not; of what is not out (misuse),
    one to nothing. It holds nothing, and may be copied and forgotten.
    Threads: as ebb_pool_release. */
EBB_API ebb_pool_ref ebb_pool_ref_to(ebb_pool *pool, void *object);

/**
 * Return the object if @ref's loan still lasts; NULL if it has gone home since, whoever has it now,
 * or was destroyed. For code that keeps a pointer beyond its own request's steps, and is called
 * again where the scope may have ended, or the object been released. Moving and detaching it change
 * nothing.
 * Cost: a lock. Threads: any; but that it lasts is certain only to who holds its scope.
 */
EBB_API void *ebb_pool_ref_get(ebb_pool *pool, ebb_pool_ref ref);

/* ---- what is going on ------------------------------------------------------------------------ */

/** Waits are counted by length: wait_us[0] below 2 us, [i] below 2^(i+1) us, the last: all else. */
#define EBB_POOL_WAIT_BINS 24

typedef struct ebb_pool_stats {
    uint32_t min_size, max_size;
    uint32_t exist;      /**< and are being made; but for detached ones */
    uint32_t idle;       /**< of them, in the depot and in magazines */
    uint32_t in_use;     /**< the rest: lent, set aside, being made or unmade */
    uint32_t detached;   /**< not counted above */
    uint32_t high_water; /**< the most that were out of the depot at once; some of those may have
                              been idle in magazines */
    uint32_t waiting;    /**< in the queue now */
    uint64_t acquired; /**< and released, in whatever way; the difference is what is lent, detached
                              ones included */
    uint64_t released;
    uint64_t created, destroyed; /**< the difference is what exists, and what is detached */
    uint64_t discarded; /**< of the destroyed: no good, by validate, reset or ebb_pool_discard */
    uint64_t exhausted; /**< calls that failed or waited since all were out */
    uint64_t timed_out, cancelled;
    uint64_t waits; /**< that ended with an object */
    uint64_t wait_us[EBB_POOL_WAIT_BINS];
    const void *longest_site; /**< where the object was acquired that is out longest; NULL: none */
    uint64_t longest_ms;      /**< for at least so long; see ebb_pool_get_stats */
} ebb_pool_stats;

/**
 * Fill *@ret_stats. Counts that threads keep for themselves are added up while they go on, so that
 * they may be off by what happens meanwhile.
 * How long an object has been out is known from calls that come by the depot, and from this one:
 * longest_ms is never too large, and exact to the time between two calls of this function.
 * Cost: a lock, and O(objects). Threads: any.
 */
EBB_API void ebb_pool_get_stats(ebb_pool *pool, ebb_pool_stats *ret_stats);

/** Return the name, as copied. Lifetime: the pool's. Threads: any. */
EBB_API const char *ebb_pool_name(const ebb_pool *pool);

/** One pool, as ebb_pool_list shows it. */
typedef struct ebb_pool_info {
    char name[48];
    uint32_t exist; /**< objects, but for detached ones */
    uint32_t out;   /**< objects that are lent or detached */
} ebb_pool_info;

/** Fill up to @most of @ret_, newest first, with the pools that have not been destroyed, those of
    buffers included (one for each class): what a test shows when there should be none. @ret_ may be
    NULL where @most is 0. Return how many there are. Cost: O(objects). Threads: any. */
EBB_API size_t ebb_pool_list(ebb_pool_info *ret_, size_t most);

/** Call @fn for each object that is lent or detached, with where it was acquired (a code address),
    while the pool is locked: it must not call Ebb. For reports of your own. */
EBB_API void ebb_pool_each_out(ebb_pool *pool,
                               void (*fn)(void *ctx, const void *object, const void *site),
                               void *ctx);

#ifdef __cplusplus
}
#endif
#endif /* EBB_POOL_H */
