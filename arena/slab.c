/*
 * arena/slab.c: slabs, and the map from an address to its slab.
 *
 * mmap gives regions of 64 MiB (less when the system refuses), cut into slabs in order; a source of
 * the user's gives slabs one at a time. A slab whose blocks are all free goes back to a list of
 * free slabs after its pages were given up, or to the user's source. HEAD slabs never go back:
 * others may store to the control blocks in them at any time (internal.h, third invariant).
 *
 * The map has two levels over 47 bits of address: root[8192] -> leaf[16384] -> slab. Entries appear
 * before a slab's first block is handed out and vanish after its last came back, so a reader that
 * holds a live pointer always finds it; for any other address it finds NULL or some slab, and
 * dereferences nothing of the user's.
 */
#include "internal.h"

#include <string.h>

enum {
    SLAB_BITS = 20,
    LEAF_BITS = 14,
    ROOT_BITS = 13,
    ADDRESS_BITS = SLAB_BITS + LEAF_BITS + ROOT_BITS
};

#define REGION_SIZE ((size_t)64 << 20)
#define META_SIZE   ((size_t)64 << 10)

typedef slab *_Atomic entry;

static entry *_Atomic root[1 << ROOT_BITS];
static slab *_Atomic heads; /* all HEAD slabs, newest first */

static os_lock_t lock = OS_LOCK_INIT; /* everything below */
static uintptr_t region_next, region_end;
static slab *free_slabs; /* mapped, ours, one slab each; pages given up */
static slab *free_descriptors;
static char *meta_next, *meta_end;
static const ebb_source *process_source;
static size_t reserved_bytes, live_slabs, requests, refusals;

/* ---- the map --------------------------------------------------------------------------------- */

slab *ebb__slab_of(uintptr_t address)
{
    if (unlikely(address >> ADDRESS_BITS)) return NULL;
    entry *leaf =
        atomic_load_explicit(&root[address >> (SLAB_BITS + LEAF_BITS)], memory_order_acquire);
    if (!leaf) return NULL;
    size_t i = (address >> SLAB_BITS) & ((1u << LEAF_BITS) - 1);
    return atomic_load_explicit(&leaf[i], memory_order_acquire);
}

static bool map_leaves_ready(uintptr_t base, size_t size)
{
    uintptr_t last = base + size - 1;
    if (last >> ADDRESS_BITS) return false;
    for (uintptr_t r = base >> (SLAB_BITS + LEAF_BITS); r <= last >> (SLAB_BITS + LEAF_BITS); r++) {
        if (atomic_load_explicit(&root[r], memory_order_relaxed)) continue;
        entry *leaf = os_reserve(sizeof(entry) << LEAF_BITS, 4096);
        if (!leaf) return false;
        atomic_store_explicit(&root[r], leaf, memory_order_release);
    }
    return true;
}

static void map_set(slab *s, slab *value)
{
    for (uintptr_t p = s->base; p < s->base + s->size; p += EBB_SLAB_SIZE) {
        entry *leaf =
            atomic_load_explicit(&root[p >> (SLAB_BITS + LEAF_BITS)], memory_order_relaxed);
        size_t i = (p >> SLAB_BITS) & ((1u << LEAF_BITS) - 1);
        atomic_store_explicit(&leaf[i], value, memory_order_release);
    }
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static slab *descriptor_new(void)
{
    slab *s = free_descriptors;
    if (s) {
        free_descriptors = s->next;
    } else {
        if ((size_t)(meta_end - meta_next) < sizeof *s) {
            char *p = os_reserve(META_SIZE, 4096);
            if (!p) return NULL;
            meta_next = p;
            meta_end = p + META_SIZE;
        }
        s = (slab *)(void *)meta_next;
        meta_next += (sizeof *s + 15) & ~(size_t)15;
    }
    memset(s, 0, sizeof *s);
    return s;
}

static void descriptor_free(slab *s)
{
    s->next = free_descriptors;
    free_descriptors = s;
}

/* ---- address space --------------------------------------------------------------------------- */

static bool region_new(void)
{
    for (size_t size = REGION_SIZE; size >= EBB_SLAB_SIZE; size /= 4) {
        void *p = os_reserve(size, EBB_SLAB_SIZE);
        if (!p) continue;
        region_next = (uintptr_t)p;
        region_end = region_next + size;
        reserved_bytes += size;
        return true;
    }
    return false;
}

static uintptr_t space_from_mmap(size_t size)
{
    if (size == EBB_SLAB_SIZE) {
        if (region_next == region_end && !region_new()) return 0;
        uintptr_t base = region_next;
        region_next += EBB_SLAB_SIZE;
        return base;
    }
    void *p = os_reserve(size, EBB_SLAB_SIZE);
    if (p) reserved_bytes += size;
    return (uintptr_t)p;
}

static uintptr_t space_from_source(const ebb_source *source, size_t size)
{
    void *p = source->alloc(source->ctx, size, EBB_SLAB_SIZE);
    if (!p) return 0;
    if ((uintptr_t)p & (EBB_SLAB_SIZE - 1)) { /* a source that breaks its promise */
        source->free(source->ctx, p, size);
        return 0;
    }
    reserved_bytes += size;
    return (uintptr_t)p;
}

static void space_back(slab *s)
{
    reserved_bytes -= s->size;
    if (s->source) s->source->free(s->source->ctx, (void *)s->base, s->size);
    else os_release((void *)s->base, s->size);
}

/* ---- slabs ----------------------------------------------------------------------------------- */

static slab *slab_fresh(size_t size)
{
    slab *s = descriptor_new();
    if (!s) return NULL;
    requests++;
    s->source = process_source;
    s->size = size;
    s->base = s->source ? space_from_source(s->source, size) : space_from_mmap(size);
    if (s->base && map_leaves_ready(s->base, size)) return s;
    refusals++;
    if (s->base) space_back(s);
    descriptor_free(s);
    return NULL;
}

static slab *slab_take(size_t size)
{
    slab *s = free_slabs;
    if (size != EBB_SLAB_SIZE || process_source || !s) return slab_fresh(size);
    free_slabs = s->next;
    uintptr_t base = s->base;
    memset(s, 0, sizeof *s);
    s->base = base;
    s->size = size;
    return s;
}

slab *ebb__slab_new(unsigned klass)
{
    os_lock(&lock);
    slab *s = slab_take(EBB_SLAB_SIZE);
    if (s) {
        s->klass = (uint8_t)klass;
        s->kind = klass < HEAD_CLASSES ? SLAB_HEAD : klass == EXT_CLASS ? SLAB_EXT : SLAB_BLOCK;
        s->block_size = (uint32_t)class_size(klass);
        s->capacity = (uint32_t)(EBB_SLAB_SIZE / s->block_size);
        live_slabs++;
        map_set(s, s);
        if (s->kind == SLAB_HEAD) {
            atomic_store_explicit(&s->next_head, atomic_load_explicit(&heads, memory_order_relaxed),
                                  memory_order_relaxed);
            atomic_store_explicit(&heads, s, memory_order_release);
        }
    }
    os_unlock(&lock);
    return s;
}

slab *ebb__slab_new_span(size_t size)
{
    os_lock(&lock);
    slab *s = slab_take(size);
    if (s) {
        s->kind = SLAB_SPAN;
        live_slabs += size / EBB_SLAB_SIZE;
        map_set(s, s);
    }
    os_unlock(&lock);
    return s;
}

void ebb__slab_free(slab *s)
{
    os_lock(&lock);
    map_set(s, NULL);
    ebb__strict_unpoison((void *)s->base, s->size);
    live_slabs -= s->size / EBB_SLAB_SIZE;
    if (!s->source && s->size == EBB_SLAB_SIZE) {
        os_discard((void *)s->base, s->size, false);
        s->next = free_slabs;
        free_slabs = s;
    } else {
        space_back(s);
        descriptor_free(s);
    }
    os_unlock(&lock);
}

bool ebb__slab_can_advise(const slab *s)
{
    return s->source == NULL;
}

/* Blocks not yet carved are zero, and begin to be owned by storing their limit: no need to
   visit. */
void ebb__close_all_heads(void)
{
    slab *s = atomic_load_explicit(&heads, memory_order_acquire);
    for (; s; s = atomic_load_explicit(&s->next_head, memory_order_acquire)) {
        uint32_t n = atomic_load_explicit(&s->carved, memory_order_acquire);
        for (uint32_t i = 0; i < n; i++)
            ebb__close(block_handle(s->klass, s->base + (uintptr_t)i * s->block_size));
    }
}

/* Those not yet carved were never anybody's. */
void ebb__each_head(void (*fn)(void *ctx, ebb_arena *a, size_t size), void *ctx)
{
    slab *s = atomic_load_explicit(&heads, memory_order_acquire);
    for (; s; s = atomic_load_explicit(&s->next_head, memory_order_acquire)) {
        uint32_t n = atomic_load_explicit(&s->carved, memory_order_acquire);
        for (uint32_t i = 0; i < n; i++)
            fn(ctx, block_handle(s->klass, s->base + (uintptr_t)i * s->block_size), s->block_size);
    }
}

static void each_in_leaf(entry *leaf, void (*fn)(void *ctx, const slab *s), void *ctx)
{
    const slab *before = NULL; /* a span is there for each of its parts */
    for (size_t i = 0; leaf && i < (size_t)1 << LEAF_BITS; i++) {
        const slab *s = atomic_load_explicit(&leaf[i], memory_order_relaxed);
        if (s && s != before) fn(ctx, s);
        before = s;
    }
}

/* With the lock held: none appears or goes meanwhile. One that lies in two leaves comes twice. */
void ebb__each_slab(void (*fn)(void *ctx, const slab *s), void *ctx)
{
    os_lock(&lock);
    for (size_t r = 0; r < (size_t)1 << ROOT_BITS; r++)
        each_in_leaf(atomic_load_explicit(&root[r], memory_order_relaxed), fn, ctx);
    os_unlock(&lock);
}

/* ---- the process's figures ------------------------------------------------------------------- */

void ebb__slab_get_stats(ebb_memory_stats *ret_)
{
    os_lock(&lock);
    ret_->reserved = reserved_bytes;
    ret_->slabs = live_slabs;
    ret_->requests = requests;
    ret_->refusals = refusals;
    os_unlock(&lock);
}

ebb_status ebb_source_set(const ebb_source *source)
{
    if (source && (!source->alloc || !source->free)) return EBB_E_INVALID;
    if (source && source->max_align && source->max_align < EBB_SLAB_SIZE) return EBB_E_UNSUPPORTED;
    os_lock(&lock);
    process_source = source;
    os_unlock(&lock);
    return EBB_OK;
}

void ebb__slab_lock(void)
{
    os_lock(&lock);
}

void ebb__slab_unlock(void)
{
    os_unlock(&lock);
}
