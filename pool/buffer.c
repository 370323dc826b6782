/*
 * pool/buffer.c: buffer pools. Each class is an object pool, whose objects are the ebb_bufs; the
 * bytes of a buffer are the one growing object of an arena of its own, so that a string builder
 * can stand on them as on any arena, and what a buffer outgrows goes back at once.
 *
 * Invariants
 *   bufpool->bytes is the sum of ebb__bytes, what there is room for, over all ebb_bufs there are
 *   out, and no builder has it: cap == ebb__bytes
 *   idle, or a builder has it: len and cap are 0, so that an append comes here and is refused
 *   idle: peak is 0, lent == ebb__bytes, no builder has it
 */
#include "buffer.h"

#include <stdio.h>
#include <string.h>

enum { SIZE_FIRST = 1024, CLASS_STEP = 4, SAMPLED = 16 /* one of so many uses is counted */ };

static buffer_class *class_of(const ebb_buf *b)
{
    return b->ebb__class;
}

/* It does not know its own storage, or not for certain. */
static bool is_lost(const ebb_buf *b)
{
    return b->ebb__building || b->ebb__spoilt;
}

/* ---- how many bytes there are ---------------------------------------------------------------- */

static void count_more(ebb_bufpool *p, size_t bytes)
{
    size_t now = atomic_fetch_add_explicit(&p->bytes, bytes, memory_order_relaxed) + bytes;
    size_t most = atomic_load_explicit(&p->high_water, memory_order_relaxed);
    while (now > most &&
           !atomic_compare_exchange_weak_explicit(&p->high_water, &most, now, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

static void count_one(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* The capacity that it has now, in the place where it is now. */
static void settle_on(ebb_buf *b, char *ptr, size_t cap)
{
    ebb_bufpool *p = class_of(b)->of;
    if (cap > b->ebb__bytes) {
        count_more(p, cap - b->ebb__bytes);
        count_one(&p->grown);
    } else {
        atomic_fetch_sub_explicit(&p->bytes, b->ebb__bytes - cap, memory_order_relaxed);
    }
    b->ptr = ptr;
    b->cap = b->ebb__bytes = cap;
}

/* ---- hooks of the object pool ---------------------------------------------------------------- */

static bool make(void *ctx, void *object)
{
    buffer_class *k = ctx;
    ebb_buf *b = object;
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = k->of->name;
    params.size = k->size;
    b->ebb__arena = arena_new(&params);
    b->ptr = b->ebb__arena ? ebb_resize(b->ebb__arena, NULL, 0, k->size) : NULL;
    if (!b->ptr) {
        ebb_arena_destroy(&b->ebb__arena);
        return false;
    }
    b->ebb__bytes = b->ebb__lent = k->size;
    b->ebb__class = k;
    b->ebb__random = (uint32_t)((uintptr_t)b >> 6) | 1;
    count_more(k->of, k->size);
    if (k->of->poisons) ebb__strict_poison(b->ptr, k->size);
    return true;
}

static void unmake(void *ctx, void *object)
{
    const buffer_class *k = ctx;
    ebb_buf *b = object;
    if (k->of->poisons && !is_lost(b)) ebb__strict_unpoison(b->ptr, b->ebb__bytes);
    atomic_fetch_sub_explicit(&k->of->bytes, b->ebb__bytes, memory_order_relaxed);
    ebb_scope_attach(b->ebb__arena);
    ebb_arena_destroy(&b->ebb__arena);
}

/* Fewer than all uses are counted, since all threads count in one place, but each that grew: it
   stands for itself, and a sampled one for all the others. The generator is Marsaglia's xorshift
   ("Xorshift RNGs", 2003), so that what alternates is not seen as all the same. */
static void note_use(buffer_class *k, ebb_buf *b)
{
    size_t used = b->len > b->ebb__peak ? b->len : b->ebb__peak;
    if (used > b->ebb__bytes) used = b->ebb__bytes;
    if (b->ebb__bytes > b->ebb__lent) {
        ebb__use_add(&k->used, used, 1);
        return;
    }
    uint32_t x = b->ebb__random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    b->ebb__random = x;
    if (x % SAMPLED == 0) ebb__use_add(&k->used, used, SAMPLED);
}

static size_t keeps_up_to(const buffer_class *k)
{
    size_t twice = 2 * atomic_load_explicit(&k->used.percentile, memory_order_relaxed);
    return twice > k->size ? twice : k->size;
}

/* The counter that says why it is not kept. NULL: it is. */
static _Atomic uint64_t *reason_to_drop(const buffer_class *k, const ebb_buf *b)
{
    ebb_bufpool *p = k->of;
    if (is_lost(b)) return &p->unfinished;
    if (b->ebb__bytes > k->size && b->ebb__bytes > keeps_up_to(k)) return &p->outsized;
    size_t bytes = atomic_load_explicit(&p->bytes, memory_order_relaxed);
    return bytes > p->max_bytes ? &p->over_limit : NULL;
}

static bool come_home(void *ctx, void *object)
{
    buffer_class *k = ctx;
    ebb_buf *b = object;
    if (!is_lost(b)) note_use(k, b);
    _Atomic uint64_t *why = reason_to_drop(k, b);
    if (unlikely(why != NULL)) {
        count_one(why);
        return false;
    }
    b->len = b->cap = b->ebb__peak = 0;
    b->ebb__lent = b->ebb__bytes;
    if (unlikely(k->of->poisons)) ebb__strict_poison(b->ptr, b->ebb__bytes);
    return true;
}

/* ---- a pool's life --------------------------------------------------------------------------- */

static const char *wrong_with(const ebb_bufpool_params *q, size_t size)
{
    size_t top = size;
    if (size > SIZE_MAX / 8 || q->largest > SIZE_MAX / 8) return "size or largest is too large";
    if (q->largest && q->largest < size) return "largest is below size";
    if (q->max_count && q->min_count > q->max_count) return "min_count is above max_count";
    for (unsigned n = 1; top < q->largest; top *= CLASS_STEP)
        if (++n > EBB_BUFPOOL_CLASSES) return "there are too many classes from size to largest";
    return NULL;
}

static bool add_class(ebb_bufpool *p, const ebb_bufpool_params *q, size_t size, ebb_status *ret_why)
{
    buffer_class *k = &p->class[p->count];
    char name[48];
    ebb_pool_params of = EBB_POOL_PARAMS_INIT;
    snprintf(name, sizeof name, "%s %zu", p->name, size);
    k->of = p;
    k->size = size;
    ebb__use_init(&k->used, size);
    of.name = name;
    of.size = sizeof(ebb_buf);
    of.min_size = p->count == 0 ? q->min_count : 0;
    of.max_size = q->max_count;
    of.idle_ms = q->idle_ms;
    of.ctx = k;
    of.create = make;
    of.reset = come_home;
    of.destroy = unmake;
    k->pool = ebb_pool_create(&of, ret_why);
    if (k->pool) p->count++;
    return k->pool != NULL;
}

static void end(ebb_bufpool *p)
{
    ebb_arena *a = p->arena;
    ebb_scope_attach(a);
    ebb_arena_destroy(&a);
}

static bool add_classes(ebb_bufpool *p, const ebb_bufpool_params *q, size_t size,
                        ebb_status *ret_why)
{
    do {
        if (!add_class(p, q, size, ret_why)) return false;
        size *= CLASS_STEP;
    } while (p->class[p->count - 1].size < q->largest);
    return true;
}

static ebb_bufpool *bufpool_in(ebb_arena *a, const ebb_bufpool_params *q)
{
    ebb_bufpool *p = ebb_alloc_aligned(a, sizeof *p, _Alignof(ebb_bufpool));
    if (!p) return NULL;
    memset(p, 0, sizeof *p);
    p->arena = a;
    p->max_bytes = q->max_bytes ? q->max_bytes : SIZE_MAX;
    p->poisons = ebb__tools_active();
    snprintf(p->name, sizeof p->name, "%s", q->name ? q->name : "buffers");
    return p;
}

ebb_bufpool *ebb_bufpool_create(const ebb_bufpool_params *params, ebb_status *ret_why)
{
    static const ebb_bufpool_params defaults = EBB_BUFPOOL_PARAMS_INIT;
    const ebb_bufpool_params *q = params ? params : &defaults;
    size_t size = q->size ? q->size : SIZE_FIRST;
    const char *wrong = wrong_with(q, size);
    if (wrong) {
        ebb__report_named(EBB_MISUSE, "ebb_bufpool_create", q->name ? q->name : "buffers", "%s",
                          wrong);
        return refused(EBB_E_INVALID, ret_why);
    }
    ebb_arena_params of = EBB_ARENA_PARAMS_INIT;
    of.name = "buffer pool";
    ebb_arena *a = arena_new(&of);
    ebb_bufpool *p = a ? bufpool_in(a, q) : NULL;
    if (p && add_classes(p, q, size, ret_why)) return p;
    for (unsigned i = 0; p && i < p->count; i++) ebb_pool_destroy(&p->class[i].pool);
    ebb_arena_destroy(&a);
    return refused(EBB_E_MEMORY, ret_why);
}

/* Classes that have some out refuse, and say why. Then all live on. */
static bool is_refused(const ebb_bufpool *p)
{
    bool refused = false;
    for (unsigned i = 0; i < p->count; i++) {
        ebb_pool *of = p->class[i].pool;
        ebb_pool_stats s;
        ebb_pool_get_stats(of, &s);
        if (s.in_use == 0 && s.detached == 0) continue;
        ebb_pool_destroy(&of);
        refused = true;
    }
    return refused;
}

void ebb_bufpool_destroy(ebb_bufpool **bufpool)
{
    ebb_bufpool *p = *bufpool;
    *bufpool = NULL;
    if (p && !ebb_arena_of(p)) {
        ebb__report_named(EBB_MISUSE, "ebb_bufpool_destroy", "?",
                          "%p was destroyed already; null every copy of the handle", (void *)p);
        return;
    }
    if (!p || is_refused(p)) return;
    for (unsigned i = 0; i < p->count; i++) ebb_pool_destroy(&p->class[i].pool);
    end(p);
}

size_t ebb_bufpool_trim(ebb_bufpool *p)
{
    size_t n = 0;
    for (unsigned i = 0; i < p->count; i++) n += ebb_pool_trim(p->class[i].pool);
    return n;
}

/* ---- the process's own ----------------------------------------------------------------------- */

enum { SMALL = 1 << 10, LARGE_SIZE = 64 << 10, SHARED_KEEPS = 64 << 20 };

static ebb_bufpool *_Atomic shared;
static _Atomic bool trims_shared;

static void trim_shared(void)
{
    ebb_bufpool *p = atomic_load_explicit(&shared, memory_order_acquire);
    if (p) ebb_bufpool_trim(p);
}

static COLD ebb_bufpool *make_shared(void)
{
    ebb_bufpool_params how = EBB_BUFPOOL_PARAMS_INIT;
    ebb_bufpool *there = NULL;
    how.name = "shared buffers";
    how.size = SMALL;
    how.largest = LARGE_SIZE;
    how.max_bytes = SHARED_KEEPS;
    ebb_bufpool *p = ebb_bufpool_create(&how, NULL);
    if (!atomic_exchange(&trims_shared, true)) ebb__at_trim(trim_shared);
    if (!p || atomic_compare_exchange_strong(&shared, &there, p)) return p;
    ebb_bufpool_destroy(&p);
    return there;
}

ebb_bufpool *ebb_bufpool_shared(void)
{
    ebb_bufpool *p = atomic_load_explicit(&shared, memory_order_acquire);
    return likely(p != NULL) ? p : make_shared();
}

void ebb_bufpool_shared_destroy(void)
{
    ebb_bufpool *p = atomic_exchange(&shared, NULL);
    ebb_bufpool_destroy(&p);
}

/* ---- out and home ---------------------------------------------------------------------------- */

static buffer_class *class_for(ebb_bufpool *p, size_t at_least)
{
    buffer_class *k = p->class;
    for (const buffer_class *last = k + p->count - 1; k < last && k->size < at_least;) k++;
    return k;
}

static ebb_buf *acquire(ebb_bufpool *p, ebb_arena *a, size_t at_least, void *site,
                        ebb_status *ret_why)
{
    buffer_class *k = class_for(p, at_least);
    ebb_status why = EBB_OK;
    ebb_buf *b = ebb__pool_acquire_at(k->pool, a, site, &why);
    /* What its create refuses is memory. */
    if (unlikely(!b)) return refused(why == EBB_E_REFUSED ? EBB_E_MEMORY : why, ret_why);
    if (unlikely(p->poisons)) ebb__strict_unpoison(b->ptr, b->ebb__bytes);
    b->cap = b->ebb__bytes;
    if (likely(at_least <= b->cap) || ebb_buf_reserve(b, at_least)) return b;
    ebb__pool_release_at(k->pool, b, site);
    return refused(EBB_E_MEMORY, ret_why);
}

ebb_buf *ebb_bufpool_acquire(ebb_bufpool *p, ebb_arena *a, size_t at_least, ebb_status *ret_why)
{
    return acquire(p, a, at_least, CALLER, ret_why);
}

ebb_buf *ebb_bufpool_small(ebb_arena *a, ebb_status *ret_why)
{
    ebb_bufpool *p = ebb_bufpool_shared();
    return p ? acquire(p, a, SMALL, CALLER, ret_why) : refused(EBB_E_MEMORY, ret_why);
}

ebb_buf *ebb_bufpool_large(ebb_arena *a, ebb_status *ret_why)
{
    ebb_bufpool *p = ebb_bufpool_shared();
    return p ? acquire(p, a, LARGE_SIZE, CALLER, ret_why) : refused(EBB_E_MEMORY, ret_why);
}

/* Its header, if it is a buffer that is out; NULL: it is not, which has been reported. What is not
   out may be poisoned, so only what lies before it is looked at. */
static inline item *loan_of(const ebb_buf *b, const char *function, void *site)
{
    item *it = item_of(b);
    if (likely(has_header(b)) && likely(it->sign == sign_of(it)) && likely(is_out(it)) &&
        likely(pool_of(it)->create == make))
        return it;
    const ebb_pool *of = ebb__pool_owner(b);
    ebb__pool_not_out(of && of->create == make ? of : NULL, b, function, site);
    return NULL;
}

void ebb_buf_release(ebb_buf *b)
{
    const item *it = b ? loan_of(b, "ebb_buf_release", CALLER) : NULL;
    if (it) ebb__pool_release_at(pool_of(it), b, CALLER);
}

bool ebb_buf_move(ebb_buf *b, ebb_arena *to)
{
    item *it = loan_of(b, "ebb_buf_move", CALLER);
    return it && ebb__pool_move(it, to, "ebb_buf_move");
}

ebb_buf *ebb_buf_detach(ebb_buf *b)
{
    item *it = loan_of(b, "ebb_buf_detach", CALLER);
    if (it) ebb__pool_detach(pool_of(it), it);
    return it ? b : NULL;
}

/* ---- references ------------------------------------------------------------------------------ */

ebb_buf_ref ebb_buf_ref_to(ebb_buf *b)
{
    ebb_buf_ref ref = {NULL, 0, 0, 0};
    const item *it = loan_of(b, "ebb_buf_ref_to", CALLER);
    if (!it) return ref;
    ref.buf = b;
    ref.ebb__loan = atomic_load_explicit(&it->loan, memory_order_relaxed);
    ref.ebb__number = it->number;
    ref.ebb__class = (uint32_t)(class_of(b) - class_of(b)->of->class);
    return ref;
}

ebb_buf *ebb_buf_ref_get(ebb_bufpool *p, ebb_buf_ref ref)
{
    ebb_pool_ref in_class = {ref.buf, ref.ebb__loan, ref.ebb__number};
    return ref.ebb__class < p->count ? ebb_pool_ref_get(p->class[ref.ebb__class].pool, in_class)
                                     : NULL;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

bool ebb_buf_reserve(ebb_buf *b, size_t size)
{
    size_t need;
    if (!loan_of(b, "ebb_buf_reserve", CALLER)) return false;
    if (is_lost(b) || __builtin_add_overflow(b->len, size, &need)) return false;
    if (need <= b->cap) return true;
    size_t twice = b->cap <= SIZE_MAX / 2 ? 2 * b->cap : SIZE_MAX;
    ebb_scope_attach(b->ebb__arena);
    size_t cap = need > twice ? need : twice;
    char *ptr = ebb_resize(b->ebb__arena, b->ptr, b->cap, cap);
    if (!ptr) return false;
    settle_on(b, ptr, cap);
    return true;
}

/* ---- with the string builder ----------------------------------------------------------------- */

/* What is over, or never was. EBB_OK: but has not failed, until something is appended. */
static ebb_builder builder_of_none(ebb_status why)
{
    ebb_builder text = ebb_builder_in(&ebb__dead);
    text.ebb__failed = why;
    return text;
}

ebb_builder ebb_buf_builder(ebb_buf *b)
{
    if (!loan_of(b, "ebb_buf_builder", CALLER)) return builder_of_none(EBB_E_INVALID);
    if (b->ebb__spoilt) return builder_of_none(EBB_E_MEMORY);
    if (b->ebb__building) {
        ebb__report_named(EBB_MISUSE, "ebb_buf_builder", class_of(b)->of->name,
                          "a builder has the buffer at %p already; ebb_buf_finish that first",
                          (void *)b);
        return builder_of_none(EBB_E_INVALID);
    }
    ebb_scope_attach(b->ebb__arena);
    ebb_builder text = ebb_builder_in(b->ebb__arena);
    text.ptr = b->ptr;
    text.end = b->ptr + b->len;
    text.ebb__top = b->ptr + b->ebb__bytes;
    ebb_buf_clear(b);
    b->cap = 0;
    b->ebb__building = true;
    return text;
}

/* A builder that has failed no longer knows its capacity, only what it has written: so the buffer
   is left with that, can't grow, and is let go when it comes home. */
static void give_up_on(ebb_buf *b, const ebb_builder *text)
{
    b->ebb__spoilt = true;
    b->len = ebb_builder_len(text);
    if (text->ptr != b->ptr) settle_on(b, text->ptr, b->len);
    b->cap = b->len;
}

static COLD void report_stranger(const ebb_buf *b)
{
    ebb__report_named(EBB_MISUSE, "ebb_buf_finish", class_of(b)->of->name,
                      "the builder is not the buffer's at %p, or was finished already; get it from "
                      "ebb_buf_builder, and finish it once, by this call",
                      (const void *)b);
}

ebb_str ebb_buf_finish(ebb_buf *b, ebb_builder *text)
{
    ebb_builder t = *text;
    ebb_str none = {NULL, 0};
    if (t.arena == &ebb__dead || !loan_of(b, "ebb_buf_finish", CALLER)) return none;
    if (!b->ebb__building || t.arena != b->ebb__arena || !t.ptr) {
        report_stranger(b);
        return none;
    }
    *text = builder_of_none(t.ebb__failed);
    b->ebb__building = false;
    if (t.ebb__failed != EBB_OK) {
        give_up_on(b, &t);
        return none;
    }
    b->len = ebb_builder_len(&t);
    settle_on(b, t.ptr, (size_t)(t.ebb__top - t.ptr));
    if (!ebb_buf_reserve(b, 1)) return none;
    b->ptr[b->len] = '\0';
    return ebb_buf_view(b);
}

/* ---- what is going on ------------------------------------------------------------------------ */

static void add_stats(buffer_class *k, ebb_bufpool_stats *s)
{
    ebb_bufpool_class *c = &s->of[s->class_count++];
    c->size = k->size;
    c->percentile = atomic_load_explicit(&k->used.percentile, memory_order_relaxed);
    c->keeps = keeps_up_to(k);
    ebb_pool_get_stats(k->pool, &c->pool);
    s->acquired += c->pool.acquired;
    s->released += c->pool.released;
    if (!k->pool->keeps_none) s->kept += c->pool.released - c->pool.discarded;
}

void ebb_bufpool_get_stats(ebb_bufpool *p, ebb_bufpool_stats *ret_stats)
{
    ebb_bufpool_stats s;
    memset(&s, 0, sizeof s);
    for (unsigned i = 0; i < p->count; i++) add_stats(&p->class[i], &s);
    s.outsized = atomic_load_explicit(&p->outsized, memory_order_relaxed);
    s.over_limit = atomic_load_explicit(&p->over_limit, memory_order_relaxed);
    s.unfinished = atomic_load_explicit(&p->unfinished, memory_order_relaxed);
    s.grown = atomic_load_explicit(&p->grown, memory_order_relaxed);
    s.bytes = atomic_load_explicit(&p->bytes, memory_order_relaxed);
    s.high_water = atomic_load_explicit(&p->high_water, memory_order_relaxed);
    *ret_stats = s;
}

void ebb_bufpool_each_out(ebb_bufpool *p, void (*fn)(void *ctx, const void *buf, const void *site),
                          void *ctx)
{
    for (unsigned i = 0; i < p->count; i++) ebb_pool_each_out(p->class[i].pool, fn, ctx);
}
