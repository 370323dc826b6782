/*
 * ebb/compat/malloc.h: malloc-shaped hooks over the thread's current scope.
 *
 * For libraries that take allocator hooks without a context pointer (jansson, cJSON, libxml2, ...).
 * Inside EBB_ENTER(a), or between ebb_scope_enter and ebb_scope_leave, they allocate from that
 * scope; outside they use the C library's heap. A block carries its size in a 16-byte header when
 * it lies in an arena; heap blocks carry nothing and are ordinary malloc blocks.
 *
 * free and realloc find out by address, in a few loads, whose a block is:
 *   - the heap's: it goes to free or realloc, whatever scope is current;
 *   - the current scope's: its bytes are used again by later calls of these functions, so it is as
 *     dead as after the C library's free; a small one (under 64 bytes), unless it is the newest,
 *     waits for the end;
 *   - another scope's: free leaves it to that scope's end; realloc keeps it in that scope.
 * An arena over a caller's buffer, or with a source of its own, can't be told from the heap by
 * address, so while such an arena is current the hooks return NULL and the arena's failure is
 * EBB_E_UNSUPPORTED.
 *
 * Failure: NULL, and the scope remembers it (ebb_failed; but for ebb_hook_sized): a library may
 * report its own error and hide the cause. Hooks never jump to an ebb_try: foreign frames are on
 * the stack. realloc, free and size are for blocks that these functions returned, not for what
 * ebb_alloc or ebb_hook_sized did. A block of another scope may be passed to free from any thread,
 * and to realloc by that scope's holder. Not for blocks that outlive the request (a library's
 * caches): make those outside EBB_ENTER.
 */
#ifndef EBB_COMPAT_MALLOC_H
#define EBB_COMPAT_MALLOC_H

#include "../base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** malloc from the current scope, or from the heap when there is none. Size 0: not NULL. */
EBB_API void *ebb_hook_malloc(size_t size);

/** calloc likewise; a product that overflows is NULL, and the scope has failed. */
EBB_API void *ebb_hook_calloc(size_t count, size_t size);

/** realloc likewise; on failure the old block is untouched. A new size of 0 keeps a block of 0. */
EBB_API void *ebb_hook_realloc(void *ptr, size_t size);

/** free likewise; NULL is ignored. */
EBB_API void ebb_hook_free(void *ptr);

/** strdup likewise. */
EBB_API char *ebb_hook_strdup(const char *text);

/** Return how many bytes the arena block @ptr was asked for; 0 if it is the heap's. */
EBB_API size_t ebb_hook_size(const void *ptr);

/**
 * For libraries whose hook has a context, and says how large the block was: make (@ptr NULL, and
 * @old_size anything), resize, or free (@size 0, which returns NULL) a block of @arena, an
 * ebb_arena * (keeps). This is a lua_Alloc. Blocks are aligned as malloc's, and carry no header, so
 * they are for this function alone, as other hooks' blocks are not for it. What is freed is used
 * again by blocks of about the same size, unless the arena is strict or watched.
 * Lifetime: in scope, or until it is resized, smaller too, or freed. @old_size is what it was last
 * asked for, not 0.
 * Fails: NULL, and unlike the others without a trace: the arena is not made to fail. The old block
 * is untouched then; making one smaller never fails. Any arena will do, whatever is current.
 * Cost: a dozen instructions for most; O(bytes) where a block moves. Threads: the holder of @arena.
 */
EBB_API void *ebb_hook_sized(void *arena, void *ptr, size_t old_size, size_t size);

#ifdef __cplusplus
}
#endif
#endif /* EBB_COMPAT_MALLOC_H */
