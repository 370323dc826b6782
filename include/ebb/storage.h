/*
 * ebb/storage.h: storage that a container outgrows, and that its arena hands out again. For those
 * who write containers; who only uses them never sees it.
 *
 * What a container outgrows can't go back to the arena's window, so it would lie idle until the
 * end: about as much again as the container holds. Here it waits in a bin of the arena, by size,
 * and the next container that grows takes it from there.
 */
#ifndef EBB_STORAGE_H
#define EBB_STORAGE_H

#include <ebb/arena.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A piece of an arena, aligned as malloc does. {NULL, 0} is none. In scope. */
typedef struct ebb_storage {
    void *ptr;
    size_t size;
} ebb_storage;

/**
 * Make *@s at least @size bytes large, keeping its first @used bytes. If it must move, the old
 * place is released: pointers into it are dead (strict arenas and the sanitizers catch their use).
 * How much to grow by is the caller's to say; what it gets may be larger still. Does nothing if *@s
 * is large enough already.
 * Fails: false, as ebb_alloc, or by a jump inside ebb_try; *@s and its bytes are then unchanged.
 * Cost: O(1) in place, at the arena's floor or in a block of its own; else O(@used).
 * Threads: the holder of @a.
 */
EBB_API EBB_MUST_USE bool ebb_storage_grow(ebb_arena *a, ebb_storage *s, size_t used, size_t size);

/**
 * Give *@s back to @a for the next ebb_storage_grow, and null it. What is too small to be worth it,
 * and what a mark may still need, waits for the arena's end.
 * Lifetime: its bytes are dead. Never fails. Cost: O(1). Threads: the holder of @a.
 */
EBB_API void ebb_storage_release(ebb_arena *a, ebb_storage *s);

/**
 * Cut *@s to its first @used bytes and let it be: it has grown for the last time. What it had more
 * goes back where that is possible, and at the arena's floor another may grow in its stead.
 * Never fails. Cost: O(1). Threads: the holder of @a.
 */
EBB_API void ebb_storage_settle(ebb_arena *a, ebb_storage *s, size_t used);

/* Report that @function's iterator is of a container, in @a, that has changed since. */
EBB_API EBB_COLD void ebb__stale_iterator(const ebb_arena *a, const char *function);

#ifdef __cplusplus
}
#endif
#endif /* EBB_STORAGE_H */
