/*
 * arena/block.c: blocks for an arena: from the caches, as a span, from a source of its own; charged
 * to whoever counts what it holds. And its ext.
 */
#include "internal.h"

#include <string.h>

#define QUARTERS(size) (size), (size) / 4 * 5, (size) / 4 * 6, (size) / 4 * 7
const uint32_t ebb__class_sizes[CLASSES] = {320,
                                            512,
                                            768,
                                            1024, /* heads: eight 32-byte objects fill the first */
                                            256,  /* ext */
                                            QUARTERS(4096),
                                            QUARTERS(8192),
                                            QUARTERS(16384),
                                            QUARTERS(32768),
                                            QUARTERS(65536),
                                            QUARTERS(131072),
                                            QUARTERS(262144),
                                            524288};

/* The smallest BLOCK class of at least `total` bytes; CLASSES when none is that large. */
unsigned ebb__class_fit(size_t total)
{
    if (total <= BLOCK_MIN) return BLOCK_CLASS;
    if (total > BLOCK_MAX) return CLASSES;
    unsigned top = 63 - (unsigned)__builtin_clzll(total - 1); /* 2^top < total <= 2^(top+1) */
    unsigned quarter = (unsigned)((total - 1) >> (top - 2)) & 3;
    return BLOCK_CLASS + 4 * (top - 12) + quarter + 1;
}

static chunk *from_source(const ebb_source *source, size_t total)
{
    size_t align =
        source->max_align && source->max_align < CONTROL_SIZE ? source->max_align : CONTROL_SIZE;
    size_t size = (total + CONTROL_SIZE - 1) & -(size_t)CONTROL_SIZE;
    uintptr_t base = (uintptr_t)source->alloc(source->ctx, size, align);
    if (!base) return NULL;
    chunk *c = (chunk *)(base + size - CONTROL_SIZE);
    if (base & (_Alignof(chunk) - 1)) {
        source->free(source->ctx, (void *)base, size);
        return NULL;
    }
    c->lo = base;
    c->size = size;
    c->origin = FROM_SOURCE;
    return c;
}

static chunk *from_cache(unsigned klass)
{
    chunk *c = ebb__cache_pop(klass);
    if (c) chunk_from_cache(c, klass);
    return c;
}

static chunk *from_span(size_t total, bool exactly)
{
    chunk *c = ebb__span_take(total, exactly);
    if (c) c->origin = FROM_SPAN;
    return c;
}

static chunk *take(const ebb_source *source, unsigned klass, size_t total, bool exactly)
{
    if (unlikely(source != NULL))
        return from_source(source, klass < CLASSES ? class_size(klass) : total);
    return likely(klass < CLASSES) ? from_cache(klass) : from_span(total, exactly);
}

static size_t size_to_charge(unsigned klass, size_t total)
{
    if (klass < CLASSES) return class_size(klass);
    return (total + EBB_SLAB_SIZE - 1) & ~(EBB_SLAB_SIZE - 1);
}

/* Charge for `klass`, or for the largest class below it that the limits admit and `least`
   allows. */
static ebb_status charge_class(ebb_arena *a, unsigned *klass, unsigned least, size_t total)
{
    for (;; --*klass) {
        ebb_status why = ebb__charge(a, size_to_charge(*klass, total));
        if (why == EBB_OK || *klass <= least || *klass >= CLASSES) return why;
    }
}

/*
 * A block of at least `total` bytes, header included, for `a`. A body may be of the arena's next
 * body class if that is larger. NULL: nothing has changed, and *ret_why says why.
 */
chunk *ebb__block_take(ebb_arena *a, size_t total, bool body, ebb_status *ret_why)
{
    unsigned klass = body_class(a->bits & BODY_MASK);
    if (!body || total > class_size(klass)) klass = ebb__class_fit(total);
    *ret_why = EBB_E_MEMORY;
    if (unlikely(a->ext && a->ext->buffer_only)) return NULL;
    if (unlikely(a->bits & LIMITED)) {
        *ret_why = charge_class(a, &klass, ebb__class_fit(total), total);
        if (*ret_why != EBB_OK) {
            ebb__profile_refused(a);
            return NULL;
        }
    }
    chunk *c = take(a->ext ? a->ext->source : NULL, klass, total, a->bits & LIMITED);
    if (unlikely(!c)) {
        if (a->bits & LIMITED) ebb__uncharge(a, size_to_charge(klass, total));
        *ret_why = EBB_E_MEMORY;
        return NULL;
    }
    if (unlikely((a->bits & LIMITED) && c->size != size_to_charge(klass, total))) {
        ebb__uncharge(a,
                      size_to_charge(klass, total)); /* a source's blocks are as large as asked */
        ebb__charge_anyway(a, c->size);
    }
    ebb__count_block(a, c);
    return c;
}

/* A block is `a`'s from now on. */
void ebb__count_block(ebb_arena *a, chunk *c)
{
    __atomic_store_n(&c->owner, a, __ATOMIC_RELAXED);
    ext *e = a->ext;
    if (!e) return;
    e->held += c->size;
    if (e->held > e->peak) e->peak = e->held;
}

void ebb__block_give(ebb_arena *a, chunk *c)
{
    if (a->ext) a->ext->held -= c->size;
    if (unlikely(a->bits & LIMITED)) ebb__uncharge(a, c->size);
    __atomic_store_n(&c->owner, NULL, __ATOMIC_RELAXED);
    if (likely(c->origin == FROM_CACHE)) {
        if (unlikely(a->bits & STRICT) && ebb__quarantine(c->klass, c)) return;
        ebb__cache_push(c->klass, c);
    } else if (c->origin == FROM_SPAN) {
        ebb__span_give(c);
    } else if (c->origin == FROM_STOCK) {
        ebb__stock_give(c);
    } else {
        const ebb_source *source = a->ext->source;
        ebb__strict_unpoison((void *)c->lo, c->size);
        source->free(source->ctx, (void *)c->lo, c->size);
    }
}

/* ---- ext ------------------------------------------------------------------------------------- */

/* In pieces, since for a whole one compilers write `rep stos`, which takes 30 cycles to begin. */
static inline void ext_clear(ext *e)
{
    enum { PIECE = 64 };
    _Static_assert(offsetof(ext, label) <= 3 * PIECE && sizeof *e >= 3 * PIECE, "but the label");
    char *from = (char *)e;
    memset(from, 0, PIECE);
    memset(from + PIECE, 0, PIECE);
    memset(from + 2 * PIECE, 0, PIECE);
    e->label[0] = '\0';
}

ext *ebb__ext_get(ebb_arena *a)
{
    if (likely(a->ext != NULL)) return a->ext;
    if (a == &ebb__dead) return NULL;
    ext *e = ebb__cache_pop(EXT_CLASS);
    if (!e) return NULL;
    ext_clear(e);
    e->held = head_size(a);
    for (link l = a->undo; l; l = *(link *)record_of(l))
        if (kind_of(l) == CHUNK || kind_of(l) == LARGE) e->held += ((chunk *)record_of(l))->size;
    e->peak = e->held;
    a->ext = e;
    a->bits |= TOUCHED;
    return e;
}

void ebb__ext_free(ebb_arena *a)
{
    ext *e = a->ext;
    a->ext = NULL;
    if (e && !e->embedded) ebb__cache_push(EXT_CLASS, e);
}
