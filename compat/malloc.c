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
    size_t pad; /* bytes behind them that are its too, so that all can be given back */
} block;
_Static_assert(sizeof(block) == EBB_ALIGN_DEFAULT, "the caller's bytes stay aligned");

static block *block_of(const void *ptr)
{
    return (block *)((uintptr_t)ptr - sizeof(block));
}

static size_t whole(const block *b)
{
    return sizeof *b + b->size + b->pad;
}

/* What is freed is mostly a buffer that grew, or what a parser held for a while; the next such is
   made in its place. */
static block *from_bin(ebb_arena *a, size_t size)
{
    size_t got;
    block *b = ebb__bin_take(a, size + sizeof *b, &got);
    if (b) b->pad = got - sizeof *b - size;
    return b;
}

static block *from_window(ebb_arena *a, size_t size, void *site)
{
    uintptr_t above = a->w.tip;
    block *b = ebb__bump(a, size + sizeof *b, EBB_ALIGN_DEFAULT);
    if (unlikely(!b)) b = ebb__obtain(a, size + sizeof *b, EBB_ALIGN_DEFAULT, MODE_STICK, site);
    if (unlikely(!b)) return NULL;
    size_t pad = above - ((uintptr_t)(b + 1) + size); /* in another chunk: anything */
    b->pad = pad < EBB_ALIGN_DEFAULT ? pad : 0;
    return b;
}

static void *allocate(ebb_arena *a, size_t size, void *site)
{
    /* free could not tell such memory from the heap's. */
    if (unlikely(a->ext && (a->ext->embedded || a->ext->source)))
        return ebb__fail(a, EBB_E_UNSUPPORTED, MODE_STICK);
    if (unlikely(size > PTRDIFF_MAX)) return ebb__fail(a, EBB_E_MEMORY, MODE_STICK);
    block *b = unlikely(a->ext && a->ext->bins) ? from_bin(a, size) : NULL;
    if (!b) b = from_window(a, size, site);
    if (unlikely(!b)) return NULL;
    b->size = size;
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
    if (owner == ebb__self->current) ebb__bin_give(owner, block_of(ptr), whole(block_of(ptr)));
}

/* Into a hole of a bin; NULL: none would do, or it may yet grow where it is. */
static block *move_to_bin(ebb_arena *a, block *b, size_t size)
{
    block *to = size > b->size && !ebb__is_open(a, b) ? from_bin(a, size) : NULL;
    if (!to) return NULL;
    memcpy(to + 1, b + 1, b->size);
    ebb__bin_give(a, b, whole(b));
    return to;
}

static block *resize(ebb_arena *a, block *b, size_t size, void *site)
{
    bool gives_back = !ebb__is_open(a, b) && !(a->bits & STRICT) && a == ebb__self->current;
    size_t had = whole(b);
    block *to = ebb__resize(a, b, sizeof *b + b->size, sizeof *b + size, MODE_STICK, site);
    if (!to) return NULL;
    if (to != b && gives_back) ebb__bin_give(a, b, had);
    to->pad = 0;
    return to;
}

void *ebb_hook_realloc(void *ptr, size_t size)
{
    ebb_arena *owner = ptr ? ebb_arena_of(ptr) : NULL;
    if (!ptr) return ebb_hook_malloc(size);
    if (!owner) return realloc(ptr, size ? size : 1);
    if (size > PTRDIFF_MAX) return ebb__fail(owner, EBB_E_MEMORY, MODE_STICK);
    block *b = owner == ebb__self->current ? move_to_bin(owner, block_of(ptr), size) : NULL;
    if (!b) b = resize(owner, block_of(ptr), size, CALLER);
    if (!b) return NULL;
    b->size = size;
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
