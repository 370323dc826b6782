/*
 * ebb/bufpool.h: buffers that are borrowed for a request and keep their memory: for serializing
 * into, reading into, compressing into.
 *
 *     ebb_buf *out = ebb_buf_large(a, NULL);               // the scope's, until it ends
 *     if (!out) return 503;
 *     ebb_builder_append(&out->text, EBB_STR("{\"id\":"));
 *     ebb_builder_u64(&out->text, id);
 *     send(fd, out->text.ptr, ebb_builder_len(&out->text), 0);
 *     ebb_buf_release(&out);                               // or leave it to the scope's end
 *
 * A buffer is a string builder (ebb/builder.h) with memory of its own, which is there already: all
 * that a builder can do it can, and it grows as one does. When it goes home it is emptied and keeps
 * what it has grown to, unless that is more than twice what is really used of such buffers: the
 * 95th percentile, old uses counting less and less. One request in a thousand that needs a megabyte
 * so does not make every buffer a megabyte. (The idea is Aliaksandr Valialkin's, of bytebufferpool
 * for Go.)
 *
 * For what must outlive a step of the request, or would be moved about as it grows: 64 KiB that are
 * there cost nothing, in the arena they are taken anew each time. Not for small texts: a builder in
 * the scope's own arena is as fast.
 *
 * Buffers lie in object pools (ebb/pool.h), one for each size, and all that is said there holds.
 */
#ifndef EBB_BUFPOOL_H
#define EBB_BUFPOOL_H

#include "builder.h"
#include "pool.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Buffers of several sizes. Synchronized, but for destroy. */
typedef struct ebb_bufpool ebb_bufpool;

/** A buffer. Handoff, with the scope that it was acquired for. */
typedef struct ebb_buf {
    ebb_builder text; /**< to be used; empty at first. Its memory is the buffer's, not the scope's:
    a
                           failure does not jump out of ebb_try, see ebb_builder_failed */
    struct ebb__bufs *ebb__of;
    uint32_t ebb__uses;
} ebb_buf;

/** Sizes there may be: least, four times that, and so on, to most. */
#define EBB_BUFPOOL_SIZES 8

/** What a pool of buffers is to be like. */
typedef struct ebb_bufpool_params {
    const char *name;  /**< for reports; copied; NULL: "?" */
    size_t least;      /**< bytes of the smallest; a power of two from 256; 0: 1 KiB */
    size_t most;       /**< the largest has so many at least; 0: 64 KiB; at most 1 GiB */
    uint32_t min_size; /**< of each size made beforehand */
    uint32_t max_size; /**< of each size at most; 0: 2^31 */
    uint32_t idle_ms;  /**< as in ebb_pool_params */
} ebb_bufpool_params;

/* clang-format off */
#ifdef __cplusplus
#define EBB_BUFPOOL_PARAMS_INIT {}
#else
#define EBB_BUFPOOL_PARAMS_INIT {0}
#endif
/* clang-format on */

/** Return a new pool of buffers. Fails: NULL, and *@ret_why (may be NULL): EBB_E_INVALID, reported
    as misuse: more sizes than EBB_BUFPOOL_SIZES, least is wrong; EBB_E_MEMORY. */
EBB_API ebb_bufpool *ebb_bufpool_create(const ebb_bufpool_params *params, ebb_status *ret_why);

/** Destroy it; as ebb_pool_destroy, for each size. */
EBB_API void ebb_bufpool_destroy(ebb_bufpool **b);

/**
 * Return an empty buffer with room for @at_least bytes, of the smallest size that has it; what no
 * size has it grows to. In scope of @a, or until ebb_buf_release if @a is NULL; see
 * ebb_pool_acquire.
 * Fails: NULL, and *@ret_why, as ebb_pool_acquire; EBB_E_MEMORY if it can't grow to @at_least.
 * Threads: the holder of @a.
 */
EBB_API ebb_buf *ebb_bufpool_acquire(ebb_bufpool *b, ebb_arena *a, size_t at_least,
                                     ebb_status *ret_why);

/** As ebb_bufpool_acquire, but waits until @deadline_ns for one of that size; see
    ebb_pool_acquire_by. */
EBB_API ebb_buf *ebb_bufpool_acquire_by(ebb_bufpool *b, ebb_arena *a, size_t at_least,
                                        uint64_t deadline_ns, ebb_status *ret_why);

/** Send *@buf home, and null it. NULL is ignored. Threads: as ebb_pool_release. */
EBB_API void ebb_buf_release(ebb_buf **buf);

/** Lend @buf to @to instead; see ebb_pool_move. */
EBB_API bool ebb_buf_move(ebb_buf *buf, ebb_arena *to);

/** Return the pool of the buffers that have room for @bytes, for trimming, waiting without
    blocking, and statistics. It is the buffers' own: don't release or destroy by it. Its objects
    are ebb_buf. */
EBB_API ebb_pool *ebb_bufpool_size(ebb_bufpool *b, size_t bytes);

/** Return the buffer that was taken by ebb_pool_take(@wait) of ebb_bufpool_size. @object may be
    NULL. */
EBB_API ebb_buf *ebb_buf_from(void *object);

/** What a size is used for. */
typedef struct ebb_bufpool_stats {
    size_t size;       /**< bytes that one has from the beginning */
    size_t used_p95;   /**< of them used, by 95 in 100, lately; to a quarter; one in sixteen is
    looked
                            at */
    size_t kept_most;  /**< one that has grown larger gives its memory back when it goes home */
    uint64_t outsized; /**< that have done so */
    ebb_pool_stats pool;
} ebb_bufpool_stats;

/** Fill *@ret_stats for the size that has room for @bytes. */
EBB_API void ebb_bufpool_get_stats(ebb_bufpool *b, size_t bytes, ebb_bufpool_stats *ret_stats);

/**
 * Ready-made: a buffer of 1 KiB, or of 64 KiB, of pools of the process that are made at their first
 * use; as ebb_bufpool_acquire.
 */
EBB_API ebb_buf *ebb_buf_small(ebb_arena *a, ebb_status *ret_why);
EBB_API ebb_buf *ebb_buf_large(ebb_arena *a, ebb_status *ret_why);

/** Return the pool of those, for trimming, limits and statistics; NULL: out of memory. */
EBB_API ebb_bufpool *ebb_bufpool_common(void);

#ifdef __cplusplus
}
#endif
#endif /* EBB_BUFPOOL_H */
