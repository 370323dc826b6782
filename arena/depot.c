/*
 * arena/depot.c: the shared store of free blocks, one shelf per class, each under a lock of its
 * own.
 *
 * Threads take and give half-batches. A shelf is a LIFO list ("hot"); below it are slabs with free
 * blocks that decay has taken off the list ("cold"), and a slab being carved for the first time.
 *
 * Decay. Each shelf remembers the least it held since the last look. Half of that was never needed
 * and becomes cold: its pages are offered to the system, and a slab that is free as a whole goes
 * back. That happens inside a take or give, at most once a second by the coarse clock, so an idle
 * process does nothing. Memory of a user's source is not advised, only whole slabs of it go back.
 */
#include "internal.h"

#include <string.h>

enum { DECAY_MS = 1000, STOCK_BLOCKS = 16 };

#define DEFAULT_CAP      ((size_t)256 << 20)
#define SPAN_SLACK_SHIFT 2 /* a recycled span may be a quarter larger than asked */

typedef struct shelf {
    os_lock_t lock;
    void *hot;
    size_t count, low; /* blocks in hot; the least since `looked` */
    uint64_t looked;
    slab *cold; /* slabs with blocks in their free map */
    slab *carving;
    size_t cold_bytes;
} shelf;

static shelf shelves[CLASSES];
static struct {
    os_lock_t lock;
    chunk *list; /* newest first */
    size_t count, low;
    uint64_t looked;
} spans = {.lock = OS_LOCK_INIT};
static struct {
    os_lock_t lock;
    void *block[STOCK_BLOCKS];
    unsigned count;
} stock = {.lock = OS_LOCK_INIT};

static _Atomic size_t idle_bytes; /* hot blocks of BLOCK classes, and spans */
static _Atomic size_t cap = DEFAULT_CAP;

void **ebb__free_link(unsigned klass, void *block)
{
    if (klass < HEAD_CLASSES) return (void **)(void *)&((ebb_arena *)block)->parent;
    if (klass == EXT_CLASS) return (void **)(void *)&((ext *)block)->next;
    return (void **)(void *)&((chunk *)block)->next;
}

static bool over_cap(void)
{
    return atomic_load_explicit(&idle_bytes, memory_order_relaxed) >
           atomic_load_explicit(&cap, memory_order_relaxed);
}

static void count_idle(unsigned klass, size_t more, size_t less)
{
    if (klass < BLOCK_CLASS) return;
    atomic_fetch_add_explicit(&idle_bytes, (more - less) * class_size(klass), memory_order_relaxed);
}

/* ---- cold blocks ----------------------------------------------------------------------------- */

static uintptr_t base_of(unsigned klass, void *block)
{
    uintptr_t p = (uintptr_t)block;
    return klass == EXT_CLASS ? p : p + CONTROL_SIZE - class_size(klass);
}

static void cold_link(shelf *h, slab *s)
{
    s->previous = NULL;
    s->next = h->cold;
    if (h->cold) h->cold->previous = s;
    h->cold = s;
}

static void cold_unlink(shelf *h, slab *s)
{
    if (s->previous) s->previous->next = s->next;
    else h->cold = s->next;
    if (s->next) s->next->previous = s->previous;
}

static void offer_pages(uintptr_t base, size_t size)
{
    const uintptr_t page = 4096;
    uintptr_t from = (base + page - 1) & -page, to = (base + size) & -page;
    if (to > from) os_discard((void *)from, to - from, true);
}

/* Take a free block off the hands of the shelf for good, until the shelf runs dry. */
static void make_cold(shelf *h, unsigned klass, void *block)
{
    uintptr_t base = base_of(klass, block);
    slab *s = ebb__slab_of(base);
    uint32_t i = (uint32_t)((base - s->base) / s->block_size);
    if (ebb__slab_can_advise(s)) offer_pages(base, s->block_size);
    if (s->free_count == 0) cold_link(h, s);
    s->free[i / 64] |= (uint64_t)1 << (i % 64);
    s->free_count++;
    h->cold_bytes += s->block_size;
    if (s->free_count < s->capacity) return;
    h->cold_bytes -= (size_t)s->block_size * s->capacity;
    cold_unlink(h, s);
    if (h->carving == s) h->carving = NULL;
    ebb__slab_free(s);
}

static void *take_cold(shelf *h)
{
    slab *s = h->cold;
    if (!s) return NULL;
    unsigned w = 0;
    while (!s->free[w]) w++;
    unsigned i = w * 64 + (unsigned)__builtin_ctzll(s->free[w]);
    s->free[w] &= s->free[w] - 1;
    if (--s->free_count == 0) cold_unlink(h, s);
    h->cold_bytes -= s->block_size;
    return block_handle(s->klass, s->base + (uintptr_t)i * s->block_size);
}

static void *carve(shelf *h, unsigned klass)
{
    slab *s = h->carving;
    if (!s || atomic_load_explicit(&s->carved, memory_order_relaxed) == s->capacity) {
        s = ebb__slab_new(klass);
        if (!s) return NULL;
        h->carving = s;
    }
    uint32_t i = atomic_load_explicit(&s->carved, memory_order_relaxed);
    void *block = block_handle(klass, s->base + (uintptr_t)i * s->block_size);
    if (klass < HEAD_CLASSES) {
        memset(block, 0, CONTROL_SIZE);
        ((ebb_arena *)block)->lo = base_of(klass, block);
        ebb__close(block);
    }
    atomic_store_explicit(&s->carved, i + 1, memory_order_release);
    return block;
}

/* ---- decay ----------------------------------------------------------------------------------- */

/* Make the `n` oldest hot blocks cold: they are the last of the list. */
static void cool(shelf *h, unsigned klass, size_t n)
{
    if (n == 0) return;
    void **at = &h->hot;
    for (size_t keep = h->count - n; keep > 0; keep--) at = ebb__free_link(klass, *at);
    void *block = *at;
    *at = NULL;
    h->count -= n;
    count_idle(klass, 0, n);
    while (block) {
        void *next = *ebb__free_link(klass, block);
        make_cold(h, klass, block);
        block = next;
    }
}

static void decay(shelf *h, unsigned klass)
{
    if (klass < BLOCK_CLASS) return;
    if (over_cap()) cool(h, klass, h->count);
    uint64_t now = os_clock_ms();
    if (now - h->looked < DECAY_MS) return;
    h->looked = now;
    if (h->low > h->count) h->low = h->count;
    cool(h, klass, (h->low + 1) / 2);
    h->low = h->count;
}

/* ---- take and give --------------------------------------------------------------------------- */

/* One chunk only: what has not been needed before may not be needed again. But heads by the batch,
   so that those of different threads are not neighbours: that cost two threads 6 % each. */
static void *take_fresh(shelf *h, unsigned klass, unsigned want, unsigned *ret_got)
{
    void *list = NULL, *block = klass < HEAD_CLASSES ? NULL : take_cold(h);
    if (klass >= HEAD_CLASSES) want = 1;
    for (; *ret_got < want; block = NULL) {
        if (!block) block = carve(h, klass);
        if (!block) break;
        *ebb__free_link(klass, block) = list;
        list = block;
        ++*ret_got;
    }
    return list;
}

unsigned ebb__depot_take(unsigned klass, unsigned want, void **ret_list)
{
    shelf *h = &shelves[klass];
    unsigned got = 0;
    void *list = NULL;
    os_lock(&h->lock);
    while (got < want && h->hot) {
        void *block = h->hot;
        h->hot = *ebb__free_link(klass, block);
        *ebb__free_link(klass, block) = list;
        list = block;
        got++;
    }
    h->count -= got;
    count_idle(klass, 0, got);
    if (h->count < h->low) h->low = h->count;
    if (got == 0) list = take_fresh(h, klass, want, &got);
    decay(h, klass);
    os_unlock(&h->lock);
    *ret_list = list;
    return got;
}

void ebb__depot_give(unsigned klass, void *list, unsigned count)
{
    shelf *h = &shelves[klass];
    void *last = list;
    while (*ebb__free_link(klass, last)) last = *ebb__free_link(klass, last);
    os_lock(&h->lock);
    *ebb__free_link(klass, last) = h->hot;
    h->hot = list;
    h->count += count;
    count_idle(klass, count, 0);
    decay(h, klass);
    os_unlock(&h->lock);
}

/* ---- spans ----------------------------------------------------------------------------------- */

static chunk *span_recycle(size_t size, size_t slack)
{
    chunk *best = NULL;
    link *at_best = NULL;
    for (link *at = (link *)(void *)&spans.list; *at; at = &((chunk *)*at)->next) {
        chunk *c = (chunk *)*at;
        if (c->size < size || c->size > size + slack) continue;
        if (best && best->size <= c->size) continue;
        best = c;
        at_best = at;
    }
    if (!best) return NULL;
    *at_best = best->next;
    if (--spans.count < spans.low) spans.low = spans.count;
    atomic_fetch_sub_explicit(&idle_bytes, best->size, memory_order_relaxed);
    return best;
}

static void span_free(chunk *c)
{
    atomic_fetch_sub_explicit(&idle_bytes, c->size, memory_order_relaxed);
    ebb__slab_free(ebb__slab_of(c->lo));
}

/* Let go of all but the `keep` newest. */
static void spans_cut(size_t keep)
{
    link *at = (link *)(void *)&spans.list;
    for (size_t i = 0; i < keep && *at; i++) at = &((chunk *)*at)->next;
    chunk *c = (chunk *)*at;
    *at = 0;
    while (c) {
        chunk *next = (chunk *)c->next;
        span_free(c);
        spans.count--;
        c = next;
    }
    if (spans.low > spans.count) spans.low = spans.count;
}

static void spans_decay(void)
{
    if (over_cap()) spans_cut(0);
    uint64_t now = os_clock_ms();
    if (now - spans.looked < DECAY_MS) return;
    spans.looked = now;
    spans_cut(spans.count - (spans.low + 1) / 2);
    spans.low = spans.count;
}

chunk *ebb__span_take(size_t size, bool exactly)
{
    size = (size + EBB_SLAB_SIZE - 1) & ~(EBB_SLAB_SIZE - 1);
    os_lock(&spans.lock);
    chunk *c = span_recycle(size, exactly ? 0 : size >> SPAN_SLACK_SHIFT);
    os_unlock(&spans.lock);
    if (c) return c;
    slab *s = ebb__slab_new_span(size);
    if (!s) return NULL;
    c = (chunk *)(s->base + size - CONTROL_SIZE);
    c->lo = s->base;
    c->size = size;
    return c;
}

void ebb__span_give(chunk *c)
{
    os_lock(&spans.lock);
    c->next = (link)spans.list;
    spans.list = c;
    spans.count++;
    atomic_fetch_add_explicit(&idle_bytes, c->size, memory_order_relaxed);
    spans_decay();
    os_unlock(&spans.lock);
}

/* ---- the stock: emergency blocks for reserves ------------------------------------------------ */

/* At process start, so that they exist when nothing else can be had. */
static void stock_fill(void)
{
    os_lock(&stock.lock);
    while (stock.count < STOCK_BLOCKS) {
        void *block;
        if (ebb__depot_take(BLOCK_CLASS, 1, &block) == 0) break;
        stock.block[stock.count++] = block;
    }
    os_unlock(&stock.lock);
}

void *ebb__stock_take(void)
{
    os_lock(&stock.lock);
    void *block = stock.count ? stock.block[--stock.count] : NULL;
    os_unlock(&stock.lock);
    return block;
}

void ebb__stock_give(void *block)
{
    os_lock(&stock.lock);
    stock.block[stock.count++] = block;
    os_unlock(&stock.lock);
}

/* Before anything is taken or given. */
void ebb__depot_init(void)
{
    for (unsigned k = 0; k < CLASSES; k++) os_lock_init(&shelves[k].lock);
    stock_fill();
}

/* ---- the whole depot ------------------------------------------------------------------------- */

void ebb__depot_trim(void)
{
    for (unsigned k = BLOCK_CLASS; k < CLASSES; k++) {
        shelf *h = &shelves[k];
        os_lock(&h->lock);
        cool(h, k, h->count);
        h->low = 0;
        os_unlock(&h->lock);
    }
    os_lock(&spans.lock);
    spans_cut(0);
    os_unlock(&spans.lock);
}

void ebb_memory_set_cap(size_t bytes)
{
    atomic_store_explicit(&cap, bytes, memory_order_relaxed);
}

void ebb_memory_get_stats(ebb_memory_stats *ret_)
{
    ebb__thread_get();
    ebb__slab_get_stats(ret_);
    ret_->depot = atomic_load_explicit(&idle_bytes, memory_order_relaxed);
    ret_->returned = 0;
    for (unsigned k = BLOCK_CLASS; k < CLASSES; k++) {
        os_lock(&shelves[k].lock);
        ret_->returned += shelves[k].cold_bytes;
        os_unlock(&shelves[k].lock);
    }
    ret_->depot += ret_->returned;
}

/* In the order in which they nest: the stock takes from a shelf, a shelf from the slabs. */
void ebb__depot_lock_all(void)
{
    os_lock(&stock.lock);
    for (unsigned k = 0; k < CLASSES; k++) os_lock(&shelves[k].lock);
    os_lock(&spans.lock);
    ebb__slab_lock();
}

void ebb__depot_unlock_all(void)
{
    ebb__slab_unlock();
    os_unlock(&spans.lock);
    for (unsigned k = CLASSES; k-- > 0;) os_unlock(&shelves[k].lock);
    os_unlock(&stock.lock);
}
