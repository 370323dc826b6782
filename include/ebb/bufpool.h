/*
 * ebb/bufpool.h: pools of byte buffers: borrowed for a request, home when it ends.
 *
 *     ebb_buf *b = ebb_bufpool_small(a, NULL);       // 1 KiB of the process's own pool
 *     if (!b || !ebb_buf_append(b, head, head_len)) return 503;
 *     ...
 *     write(fd, b->ptr, b->len);                     // at the end of a's scope it goes home
 *
 *     ebb_builder text = ebb_buf_builder(b);         // the same storage, with the builder's calls
 *     ebb_builder_printf(&text, "%d", n);
 *     ebb_str answer = ebb_buf_finish(b, &text);     // in the buffer, and as long as it
 *
 * For what is written, sent and forgotten: answers, frames, rows on their way out. Not for what is
 * to stay: a builder in the scope's own arena (ebb/builder.h) leaves no copy to be made, and is as
 * fast for a few hundred bytes. A buffer pays where the bytes are many, since its pages are warm,
 * and where they outlive the scope (ebb_buf_move, ebb_buf_detach).
 *
 * A pool has size classes, each four times the one before; each class is an object pool
 * (ebb/pool.h), from which come the magazines of threads, the reports of what is released twice,
 * and EBB_POOL=off. A buffer grows as it is written, and belongs to the class that it was lent
 * from.
 *
 * So that one large answer does not make every buffer large, a class keeps a histogram of how many
 * bytes were really used, in which old uses fade. A buffer above twice the 95th percentile of it,
 * and above the size of its class, is let go when it comes home. (That a percentile of use should
 * say what a pool keeps is the idea of Aliaksandr Valialkin's bytebufferpool; it calibrates once in
 * 42,000 calls, and by the class.)
 *
 * Memory: the pool's own, counted in no arena's and no budget's, whoever grows it. Growing neither
 * sticks nor jumps: it says false, and the buffer is as it was. A buffer costs some 500 bytes more
 * than its capacity.
 */
#ifndef EBB_BUFPOOL_H
#define EBB_BUFPOOL_H

#include "builder.h"
#include "pool.h"

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A pool of buffers. Synchronized: any thread may call any function of it at once, but for
    destroy. */
typedef struct ebb_bufpool ebb_bufpool;

/** A buffer that is lent. `ptr` holds `len` bytes, and has room for `cap`; the bytes behind `len`
    are what somebody left there. You may write into them, and set `len` up to `cap`. While a
    builder has it, both are 0. Once it is home both are 0 too, so that the first append to it then
    is reported, until it is lent again: what is kept for longer is kept as an ebb_buf_ref.
    Handoff: of the thread that holds its scope. */
typedef struct ebb_buf {
    char *ptr; /**< changes as it grows */
    size_t len, cap;
    /* private */
    size_t ebb__peak, ebb__lent; /* most used before it was cleared; capacity when lent */
    size_t ebb__bytes;           /* capacity, whatever `cap` says */
    ebb_arena *ebb__arena;
    void *ebb__class;
    uint32_t ebb__random;
    bool ebb__building, ebb__spoilt; /* a builder has it; one has failed */
} ebb_buf;

/** What a pool is to be like: EBB_BUFPOOL_PARAMS_INIT, or zeroes, which mean what the comments
    say. */
typedef struct ebb_bufpool_params {
    const char *name;   /**< for reports and statistics; copied, up to 31 bytes; NULL: "buffers" */
    size_t size;        /**< of the smallest class; 0: 1 KiB */
    size_t largest;     /**< the largest class has at least this; 0: as the smallest, so that there
                             is one class. At most EBB_BUFPOOL_CLASSES there are */
    uint32_t min_count; /**< buffers of the smallest class made beforehand */
    uint32_t max_count; /**< of each class, idle and lent; 0: 2^31 */
    size_t max_bytes;   /**< while all its buffers, lent ones included, have more capacity than this
                             in all, those that come home are let go; 0: no bound */
    uint32_t idle_ms;   /**< as of ebb_pool_params */
} ebb_bufpool_params;

/* clang-format off */
#ifdef __cplusplus
#define EBB_BUFPOOL_PARAMS_INIT {}
#else
#define EBB_BUFPOOL_PARAMS_INIT {0}
#endif
/* clang-format on */

/** The most classes of a pool: 1 KiB to 4 GiB. */
#define EBB_BUFPOOL_CLASSES 12

/* ---- a pool's life --------------------------------------------------------------------------- */

/**
 * Return a new pool. @params NULL: all zeroes.
 * Lifetime: until ebb_bufpool_destroy; copies *@params.
 * Fails: NULL, nothing left behind, and *@ret_why (may be NULL): EBB_E_INVALID (largest below size,
 * or more classes than there may be, or min_count above max_count; said in a misuse report) or
 * EBB_E_MEMORY.
 * Cost: min_count buffers are made.
 */
EBB_API ebb_bufpool *ebb_bufpool_create(const ebb_bufpool_params *params, ebb_status *ret_why);

/**
 * Destroy all buffers and the pool, and null the handle. As with ebb_pool_destroy all must be home:
 * else that is misuse, reported for each class with who holds the oldest; nothing is destroyed
 * then, and what is out still goes home to it. A second time through a copy of the handle is misuse
 * too.
 * Threads: no other may be using the pool.
 */
EBB_API void ebb_bufpool_destroy(ebb_bufpool **bufpool);

/** Destroy idle buffers, those in other threads' magazines included: all but min_count of the
    smallest class. Return how many. Cost: a lock a class, and the destroys. */
EBB_API size_t ebb_bufpool_trim(ebb_bufpool *bufpool);

/**
 * Return the pool of the whole process: classes of 1, 4, 16 and 64 KiB, any number of buffers,
 * 64 MiB kept. The first call makes it; ebb_trim trims it. static, until
 * ebb_bufpool_shared_destroy.
 * Fails: NULL: no memory. Threads: any.
 */
EBB_API ebb_bufpool *ebb_bufpool_shared(void);

/** Destroy the pool of the process, as ebb_bufpool_destroy does, for leak checkers; nothing, if
    there is none. The next call of ebb_bufpool_shared makes another, even where this one was
    refused. Threads: no other may be using it, nor be in ebb_trim. */
EBB_API void ebb_bufpool_shared_destroy(void);

/* ---- borrowing ------------------------------------------------------------------------------- */

/**
 * Return an empty buffer with capacity for @at_least bytes, of the smallest class that has them;
 * above the largest class, one of that which grows now. In scope of @a: it goes home when @a ends,
 * is reset, or rewinds past this moment, unless it was released before. @a NULL: it is out until
 * ebb_buf_release.
 * Fails: NULL, and *@ret_why (may be NULL): EBB_E_EXHAUSTED (max_count of that class are out),
 * EBB_E_MEMORY, what ebb_failed(@a) says if @a sticks to it, or EBB_E_INVALID, with a misuse
 * report: @a has ended. @a is as it was: this neither sticks nor jumps.
 * Cost: constant, from the thread's magazine; else a lock, or making one.
 * Threads: the holder of @a.
 */
EBB_API ebb_buf *ebb_bufpool_acquire(ebb_bufpool *bufpool, ebb_arena *a, size_t at_least,
                                     ebb_status *ret_why);

/** As ebb_bufpool_acquire, of 1 KiB, from ebb_bufpool_shared(); EBB_E_MEMORY also where that could
    not be made. */
EBB_API ebb_buf *ebb_bufpool_small(ebb_arena *a, ebb_status *ret_why);

/** As ebb_bufpool_small, of 64 KiB. */
EBB_API ebb_buf *ebb_bufpool_large(ebb_arena *a, ebb_status *ret_why);

/**
 * Send @b home before its scope ends. NULL is ignored. What is not out, or no buffer, is misuse,
 * reported as by ebb_pool_release. That it has been lent again meanwhile is not told by this, but
 * by a reference (ebb_buf_ref).
 * Lifetime: @b and its bytes are dead. Cost: constant.
 * Threads: the holder of its scope; any, if it was acquired for none.
 */
EBB_API void ebb_buf_release(ebb_buf *b);

/**
 * Lend @b to @to instead, from this moment of @to on; NULL: to nobody's scope.
 * Fails: false, nothing changed: as ebb_pool_move.
 * Threads: the holder of both scopes.
 */
EBB_API bool ebb_buf_move(ebb_buf *b, ebb_arena *to);

/**
 * Take @b out of its scope and of the pool's max_count, to be kept for long. Return @b; NULL: it is
 * not out (misuse).
 * Lifetime: until ebb_buf_release, or the end of a scope that it is moved to, before the pool is
 * destroyed.
 * Threads: as ebb_buf_release.
 */
EBB_API ebb_buf *ebb_buf_detach(ebb_buf *b);

/* ---- references ------------------------------------------------------------------------------ */

/** A loan of a buffer, told from the later loans of the same buffer. */
typedef struct ebb_buf_ref {
    ebb_buf *buf;
    uint64_t ebb__loan; /* private */
    uint32_t ebb__number, ebb__class;
} ebb_buf_ref;

/** Return a reference to the present loan of @b, detached or not; of what is not out (misuse), one
    to nothing. It holds nothing, and may be copied and forgotten. Threads: as ebb_buf_release. */
EBB_API ebb_buf_ref ebb_buf_ref_to(ebb_buf *b);

/**
 * Return the buffer if @ref's loan still lasts; NULL if it has gone home to @bufpool since, whoever
 * has it now, or was destroyed. As ebb_pool_ref_get; of a buffer of ebb_bufpool_small or
 * ebb_bufpool_large give ebb_bufpool_shared().
 * Cost: a lock. Threads: any; but that it lasts is certain only to who holds its scope.
 */
EBB_API ebb_buf *ebb_buf_ref_get(ebb_bufpool *bufpool, ebb_buf_ref ref);

/* ---- bytes ----------------------------------------------------------------------------------- */

/**
 * Make room for @size bytes behind b->len; growing doubles the capacity at least.
 * Lifetime: b->ptr may change; pointers to its bytes are then dead.
 * Fails: false: no memory, or the sum overflows, or a builder has it, or, with a misuse report, it
 * is not out; @b is unchanged.
 * Cost: amortised O(1) a byte.
 */
EBB_API bool ebb_buf_reserve(ebb_buf *b, size_t size);

/** Append @size bytes at @data (borrowed; not of this buffer; NULL if @size is 0). Fails as
    ebb_buf_reserve, where it has no room for them. */
static inline bool ebb_buf_append(ebb_buf *b, const void *data, size_t size)
{
    if (size > b->cap - b->len && !ebb_buf_reserve(b, size)) return false;
    if (size) memcpy(b->ptr + b->len, data, size);
    b->len += size;
    return true;
}

/** Begin again at length 0. What was used before counts as use. */
static inline void ebb_buf_clear(ebb_buf *b)
{
    if (b->len > b->ebb__peak) b->ebb__peak = b->len;
    b->len = 0;
}

/** Return a view of the bytes; until the buffer grows, is written to or goes home. */
static inline ebb_str ebb_buf_view(const ebb_buf *b)
{
    ebb_str s;
    s.ptr = b->ptr;
    s.len = b->len;
    return s;
}

/* ---- with the string builder ----------------------------------------------------------------- */

/**
 * Return a builder that goes on behind the bytes of @b, in its storage; when it grows, the buffer
 * does. Until ebb_buf_finish append by it alone: @b is as if it were empty, and refuses. Never end
 * it by ebb_builder_finish: the buffer then stays so, as when nobody finishes, and is let go when
 * it comes home.
 * In scope of @b. Where there is no memory to grow the builder fails; it never jumps.
 * Fails: a builder that has failed, where an earlier one has; or with a misuse report, where @b is
 * not out, or a builder has it.
 * Threads: the holder of @b's scope.
 */
EBB_API ebb_builder ebb_buf_builder(ebb_buf *b);

/**
 * Give what @text, from ebb_buf_builder(@b), has built to @b, and return a view of all its bytes,
 * which end with a NUL that the length does not count.
 * Lifetime: as ebb_buf_view. @text is over, but can still be asked whether it has failed.
 * Fails: {NULL, 0} when an append to @text has failed, or there was no memory for the NUL. @b then
 * has what was appended before; in the first case it grows no more, and is let go when it comes
 * home. With a misuse report, {NULL, 0} and nothing changed: @text is not the builder that @b has.
 * Threads: the holder of @b's scope.
 */
EBB_API ebb_str ebb_buf_finish(ebb_buf *b, ebb_builder *text);

/* ---- what is going on ------------------------------------------------------------------------ */

/** One class. */
typedef struct ebb_bufpool_class {
    size_t size;         /**< capacity of a fresh one */
    size_t percentile;   /**< bytes that 95 of 100 uses fit in: to a quarter of a power of two */
    size_t keeps;        /**< buffers up to this capacity are kept */
    ebb_pool_stats pool; /**< what its object pool counts */
} ebb_bufpool_class;

typedef struct ebb_bufpool_stats {
    uint64_t acquired, released; /**< of all classes; the difference is what is out */
    uint64_t kept;               /**< of the released */
    uint64_t outsized;           /**< let go: above what the class keeps */
    uint64_t over_limit;         /**< let go: above max_bytes */
    uint64_t unfinished;         /**< let go: a builder had it */
    uint64_t grown;              /**< times that one grew */
    size_t bytes, high_water;    /**< capacity of all buffers, idle and out; the most there was */
    unsigned class_count;
    ebb_bufpool_class of[EBB_BUFPOOL_CLASSES];
} ebb_bufpool_stats;

/** Fill *@ret_stats; how exact, see ebb_pool_get_stats. Cost: a lock and O(buffers) a class.
    Threads: any. */
EBB_API void ebb_bufpool_get_stats(ebb_bufpool *bufpool, ebb_bufpool_stats *ret_stats);

/** Call @fn for each buffer that is out, with where it was acquired, while its class is locked: it
    must not call Ebb; see ebb_pool_each_out. Threads: any. */
EBB_API void ebb_bufpool_each_out(ebb_bufpool *bufpool,
                                  void (*fn)(void *ctx, const void *buf, const void *site),
                                  void *ctx);

#ifdef __cplusplus
}
#endif
#endif /* EBB_BUFPOOL_H */
