/*
 * ebb/source.h: where memory comes from, and how much of it the process keeps.
 *
 * Ebb takes memory from a source in slabs of 1 MiB, cuts them into chunks and recycles those
 * through per-thread caches and a shared depot. By default the source is mmap. A program that wants
 * its slabs from elsewhere (huge pages, a NUMA node, mimalloc: see ebb/mimalloc.h) sets a source of
 * its own for the process; a program that wants one arena's objects elsewhere (shared memory, a
 * static block) gives that arena a source in its ebb_arena_params: all its objects and chunks then
 * lie there, and only its control block and what belongs to it, 576 bytes, with the process's.
 */
#ifndef EBB_SOURCE_H
#define EBB_SOURCE_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The size and alignment of what a process-wide source is asked for, or a multiple of it. */
#define EBB_SLAB_SIZE ((size_t)1 << 20)

/**
 * A provider of memory. Synchronized when process-wide; as its arena is, when given to one arena.
 * It may not call back into an arena that uses it.
 */
typedef struct ebb_source {
    /** Return @size bytes aligned to @align (a power of two), or NULL. Contents are undefined. */
    void *(*alloc)(void *ctx, size_t size, size_t align);
    /** Take back what alloc returned, with the same @size. */
    void (*free)(void *ctx, void *ptr, size_t size);
    /** Passed to both; kept as long as the source is in use. */
    void *ctx;
    /** The largest alignment alloc can honour, a power of two; 0: any. */
    size_t max_align;
} ebb_source;

/**
 * Take slabs from @source from now on; NULL: from mmap again. Slabs already taken stay where they
 * are, and each goes back to the source that it came from, but for slabs of control blocks, which
 * never go back. Keeps @source, and its code, for the whole process.
 * Fails: EBB_E_INVALID if a function is missing, EBB_E_UNSUPPORTED if max_align is below
 * EBB_SLAB_SIZE. Threads: any.
 */
EBB_API ebb_status ebb_source_set(const ebb_source *source);

/** What the process holds. A snapshot: exact when no other thread allocates. */
typedef struct ebb_memory_stats {
    size_t reserved; /**< bytes of address space taken from sources */
    size_t slabs;    /**< number of slabs in use, of all kinds */
    size_t depot;    /**< bytes of idle chunks and large blocks in the shared depot */
    size_t returned; /**< of those, bytes whose pages were offered back to the system */
    size_t requests; /**< times a source was asked */
    size_t refusals; /**< times a source said no */
} ebb_memory_stats;

/** Fill @ret_ with the process's figures. Cost: one pass over the size classes. Threads: any. */
EBB_API void ebb_memory_get_stats(ebb_memory_stats *ret_);

/**
 * Let the depot keep at most @bytes idle (default 256 MiB); what comes back above that is returned
 * to the system at once; 0: keep nothing. Per-thread caches (at most 256 KiB each) are not counted.
 * Threads: any.
 */
EBB_API void ebb_memory_set_cap(size_t bytes);

/**
 * Offer the system what nobody uses: the idle buffers of the process's pool (ebb/bufpool.h; pools
 * of yours have ebb_pool_trim), this thread's cache, and the depot. Whole idle slabs go back;
 * pages of slabs in part use are offered (MADV_FREE), so resident memory falls when it is needed.
 * Without this call idle memory goes back slowly, as later requests pass through the depot; an idle
 * process keeps what it has. Caches of other threads stay. Cost: O(idle chunks), with system calls.
 * Threads: any.
 */
EBB_API void ebb_trim(void);

#ifdef __cplusplus
}
#endif
#endif /* EBB_SOURCE_H */
