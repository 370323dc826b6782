/*
 * compat/malloc.c: malloc-shaped hooks over the current scope (ebb/compat/malloc.h).
 *
 *     | size, pad | the caller's bytes ... |
 *
 * Whose a block is, its address tells (ebb_arena_of), so nothing of the kind is stored.
 */
#include "../arena/internal.h"

#include <ebb/compat/malloc.h>

#include <stdlib.h>
#include <string.h>

typedef struct block {
    size_t size;
    size_t pad; /* bytes between its end and what lay above, so that all can be given back */
} block;
_Static_assert(sizeof(block) == EBB_ALIGN_DEFAULT, "the caller's bytes stay aligned");

static block *block_of(const void *ptr)
{
    return (block *)((uintptr_t)ptr - sizeof(block));
}

static void *allocate(ebb_arena *a, size_t size, void *site)
{
    /* free could not tell such memory from the heap's. */
    if (unlikely(a->ext && (a->ext->embedded || a->ext->source)))
        return ebb__fail(a, EBB_E_UNSUPPORTED, MODE_STICK);
    if (unlikely(size > PTRDIFF_MAX)) return ebb__fail(a, EBB_E_MEMORY, MODE_STICK);
    uintptr_t above = a->w.tip;
    block *b = ebb__bump(a, size + sizeof *b, EBB_ALIGN_DEFAULT);
    if (unlikely(!b)) b = ebb__obtain(a, size + sizeof *b, EBB_ALIGN_DEFAULT, MODE_STICK, site);
    if (unlikely(!b)) return NULL;
    b->size = size;
    size_t pad = above - ((uintptr_t)(b + 1) + size); /* in another chunk: anything */
    b->pad = pad < EBB_ALIGN_DEFAULT ? pad : 0;
    return b + 1;
}

void *ebb_hook_malloc(size_t size)
{
    ebb_arena *a = ebb__self->current;
    return a ? allocate(a, size, CALLER) : malloc(size ? size : 1);
}

void *ebb_hook_calloc(size_t count, size_t size)
{
    ebb_arena *a = ebb__self->current;
    if (!a) return calloc(count ? count : 1, size ? size : 1);
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes)) bytes = SIZE_MAX;
    void *p = allocate(a, bytes, CALLER);
    return p ? memset(p, 0, bytes) : NULL;
}

void ebb_hook_free(void *ptr)
{
    ebb_arena *owner = ptr ? ebb_arena_of(ptr) : NULL;
    if (!owner) {
        free(ptr);
        return;
    }
    /* Another scope may be another thread's: its blocks wait for its end. */
    block *b = block_of(ptr);
    if (owner == ebb__self->current) ebb__give_back(owner, b, sizeof *b + b->size + b->pad);
}

void *ebb_hook_realloc(void *ptr, size_t size)
{
    ebb_arena *owner = ptr ? ebb_arena_of(ptr) : NULL;
    if (!ptr) return ebb_hook_malloc(size);
    if (!owner) return realloc(ptr, size ? size : 1);
    if (size > PTRDIFF_MAX) return ebb__fail(owner, EBB_E_MEMORY, MODE_STICK);
    block *b = block_of(ptr);
    b = ebb__resize(owner, b, sizeof *b + b->size, sizeof *b + size, MODE_STICK, CALLER);
    if (!b) return NULL;
    b->size = size;
    b->pad = 0;
    return b + 1;
}

char *ebb_hook_strdup(const char *text)
{
    size_t n = strlen(text) + 1;
    char *p = ebb_hook_malloc(n);
    return p ? memcpy(p, text, n) : NULL;
}

size_t ebb_hook_size(const void *ptr)
{
    return ebb_arena_of(ptr) ? block_of(ptr)->size : 0;
}
