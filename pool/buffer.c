/*
 * pool/buffer.c: buffers: builders with an arena of their own, in object pools, one for each size.
 *
 * How much is really used is told by a histogram of lengths in quarter steps of powers of two, to
 * which each buffer adds every sixteenth time it goes home. Counts are halved now and then, so that
 * old ones fade. It is written by many threads with relaxed stores: a count that is lost is no
 * matter.
 */
#include "../arena/internal.h"

#include <ebb/bufpool.h>
#include <stdio.h>
#include <string.h>

enum {
    BINS = 128,        /* four for each power of two */
    LOOK_MASK = 15,    /* every sixteenth use is looked at */
    THINK_MASK = 63,   /* every so many looks the percentile is found anew */
    FADE_LOOKS = 1024, /* and every so many counts are halved */
    KEEP_TIMES = 2     /* of the percentile: what is kept */
};
#define LEAST_SIZE ((size_t)256)
#define MOST_SIZE  ((size_t)1 << 30)

typedef struct ebb__bufs {
    ebb_pool *pool;
    size_t size;
    const char *name;
    _Atomic size_t kept_most, used_p95;
    _Atomic uint64_t outsized;
    _Atomic uint32_t looks, count[BINS];
} bufs;

struct ebb_bufpool {
    ebb_arena *arena;
    unsigned sizes;
    bufs size[EBB_BUFPOOL_SIZES];
    char name[48];
};

/* ---- what is really used --------------------------------------------------------------------- */

static unsigned bin_of(size_t n)
{
    if (n < 4) return (unsigned)n;
    unsigned power = 63 - (unsigned)__builtin_clzll(n);
    unsigned bin = power * 4 + (unsigned)(n >> (power - 2) & 3);
    return bin < BINS ? bin : BINS - 1;
}

/* The largest length of a bin. */
static size_t top_of(unsigned bin)
{
    if (bin < 8) return bin;
    return ((size_t)(bin % 4 + 5) << (bin / 4 - 2)) - 1;
}

static void think(bufs *of)
{
    uint64_t all = 0, seen = 0;
    unsigned bin = 0;
    for (unsigned i = 0; i < BINS; i++)
        all += atomic_load_explicit(&of->count[i], memory_order_relaxed);
    while (bin < BINS - 1) {
        seen += atomic_load_explicit(&of->count[bin], memory_order_relaxed);
        if (seen * 100 >= all * 95) break;
        bin++;
    }
    size_t p95 = top_of(bin), keep = KEEP_TIMES * p95;
    atomic_store_explicit(&of->used_p95, p95, memory_order_relaxed);
    atomic_store_explicit(&of->kept_most, keep > of->size ? keep : of->size, memory_order_relaxed);
}

static void fade(bufs *of)
{
    for (unsigned i = 0; i < BINS; i++) {
        uint32_t n = atomic_load_explicit(&of->count[i], memory_order_relaxed);
        atomic_store_explicit(&of->count[i], n / 2, memory_order_relaxed);
    }
}

static COLD void look(bufs *of, size_t used)
{
    atomic_fetch_add_explicit(&of->count[bin_of(used)], 1, memory_order_relaxed);
    uint32_t looks = atomic_fetch_add_explicit(&of->looks, 1, memory_order_relaxed) + 1;
    if (looks % FADE_LOOKS == 0) fade(of);
    if ((looks & THINK_MASK) == 0 || looks <= THINK_MASK) think(of);
}

/* ---- a buffer, as its pool sees it ----------------------------------------------------------- */

/* Memory of its size, at the arena's floor. */
static bool begin(ebb_buf *b, bufs *of)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = of->name;
    ebb_arena *a = ebb_arena_create(&params);
    b->text = ebb_builder_in(a);
    b->ebb__of = of;
    if (ebb_builder_reserve(&b->text, of->size)) return true;
    ebb_arena_destroy(&a);
    return false;
}

static void take_over(const ebb_buf *b)
{
    if (unlikely(b->text.arena->bits & STRICT)) ebb_scope_attach(b->text.arena);
}

static void finish(ebb_buf *b)
{
    ebb_arena *a = b->text.arena;
    take_over(b);
    ebb_arena_destroy(&a);
}

static bool create(void *ctx, void *object)
{
    return begin(object, ctx);
}

static void destroy(void *ctx, void *object)
{
    (void)ctx;
    finish(object);
}

static size_t room_of(const ebb_buf *b)
{
    return b->text.ptr ? (size_t)(b->text.ebb__top - b->text.ptr) : 0;
}

/* It is emptied. One that was finished as a string, has failed, or is too large begins anew. */
static bool reset(void *ctx, void *object)
{
    ebb_buf *b = object;
    bufs *of = ctx;
    if (unlikely((b->ebb__uses++ & LOOK_MASK) == 0)) look(of, ebb_builder_len(&b->text));
    ebb_builder_reset(&b->text);
    size_t room = room_of(b), keep = atomic_load_explicit(&of->kept_most, memory_order_relaxed);
    bool outsized = room > keep + keep / 4; /* it grows by steps */
    if (likely(room > of->size && !outsized) && likely(!ebb_failed(b->text.arena))) return true;
    if (outsized) atomic_fetch_add_explicit(&of->outsized, 1, memory_order_relaxed);
    finish(b);
    ebb_buf anew = {.ebb__uses = b->ebb__uses};
    bool sound = begin(&anew, of);
    if (!sound) anew.text = ebb_builder_in(ebb_arena_create(NULL)); /* for destroy */
    *b = anew;
    return sound;
}

/* ---- a pool ---------------------------------------------------------------------------------- */

static bool size_begin(ebb_bufpool *b, const ebb_bufpool_params *q, size_t size,
                       ebb_status *ret_why)
{
    bufs *of = &b->size[b->sizes];
    char name[64];
    of->size = size;
    of->name = b->name;
    atomic_store(&of->kept_most, size);
    snprintf(name, sizeof name, "%s, %zu bytes", b->name, size);
    const ebb_pool_params params = {.name = name,
                                    .size = sizeof(ebb_buf),
                                    .min_size = q->min_size,
                                    .max_size = q->max_size,
                                    .idle_ms = q->idle_ms,
                                    .ctx = of,
                                    .create = create,
                                    .reset = reset,
                                    .destroy = destroy};
    of->pool = ebb_pool_create(&params, ret_why);
    b->sizes += of->pool != NULL;
    return of->pool != NULL;
}

static const char *wrong_with(size_t least, size_t most)
{
    if (least < LEAST_SIZE || (least & (least - 1))) return "least is no power of two from 256 on";
    if (most > MOST_SIZE) return "most is above 1 GiB";
    size_t size = least;
    for (unsigned n = 1; n < EBB_BUFPOOL_SIZES && size < most; n++) size *= 4;
    return size < most ? "more than 8 sizes lie between least and most" : NULL;
}

static ebb_bufpool *refuse(ebb_bufpool *b, ebb_status why, ebb_status *ret_why)
{
    if (b) ebb_bufpool_destroy(&b);
    if (ret_why) *ret_why = why;
    return NULL;
}

ebb_bufpool *ebb_bufpool_create(const ebb_bufpool_params *params, ebb_status *ret_why)
{
    size_t least = params->least ? params->least : 1024;
    size_t most = params->most ? params->most : (size_t)64 << 10;
    const char *name = params->name ? params->name : "?", *wrong = wrong_with(least, most);
    if (wrong) {
        ebb__report_named(EBB_MISUSE, "ebb_bufpool_create", name, "%s", wrong);
        return refuse(NULL, EBB_E_INVALID, ret_why);
    }
    ebb_arena_params of = EBB_ARENA_PARAMS_INIT;
    of.name = name;
    ebb_arena *a = ebb_arena_create(&of);
    ebb_bufpool *b = ebb_new(a, ebb_bufpool);
    if (!b) {
        ebb_arena_destroy(&a);
        return refuse(NULL, EBB_E_MEMORY, ret_why);
    }
    b->arena = a;
    snprintf(b->name, sizeof b->name, "%s", name);
    bool last = false;
    for (size_t size = least; !last; size *= 4) {
        ebb_status why = EBB_E_MEMORY;
        last = size >= most;
        if (!size_begin(b, params, size, &why))
            return refuse(b, why == EBB_E_REFUSED ? EBB_E_MEMORY : why, ret_why);
    }
    return b;
}

void ebb_bufpool_destroy(ebb_bufpool **pool)
{
    ebb_bufpool *b = *pool;
    bool gone = true;
    *pool = NULL;
    if (!b) return;
    for (unsigned i = 0; i < b->sizes; i++) {
        ebb_pool_stats s;
        ebb_pool_get_stats(b->size[i].pool, &s);
        gone = gone && s.in_use == 0 && s.detached == 0 && s.waiting == 0;
        ebb_pool_destroy(&b->size[i].pool);
    }
    ebb_arena *a = b->arena;
    ebb_scope_attach(a);
    if (gone) ebb_arena_destroy(&a); /* else what is out goes home to it */
}

/* ---- borrowing ------------------------------------------------------------------------------- */

static bufs *size_for(ebb_bufpool *b, size_t bytes)
{
    unsigned i = 0;
    while (i + 1 < b->sizes && b->size[i].size < bytes) i++;
    return &b->size[i];
}

ebb_buf *ebb_buf_from(void *object)
{
    ebb_buf *b = object;
    if (b) take_over(b);
    return b;
}

static ebb_buf *with_room(ebb_buf *b, size_t at_least, ebb_status *ret_why)
{
    if (!b) return NULL;
    take_over(b);
    if (likely(at_least <= b->ebb__of->size) || ebb_builder_reserve(&b->text, at_least)) return b;
    ebb_pool_release(b->ebb__of->pool, b);
    if (ret_why) *ret_why = EBB_E_MEMORY;
    return NULL;
}

ebb_buf *ebb_bufpool_acquire(ebb_bufpool *b, ebb_arena *a, size_t at_least, ebb_status *ret_why)
{
    return with_room(ebb_pool_acquire(size_for(b, at_least)->pool, a, ret_why), at_least, ret_why);
}

ebb_buf *ebb_bufpool_acquire_by(ebb_bufpool *b, ebb_arena *a, size_t at_least, uint64_t deadline_ns,
                                ebb_status *ret_why)
{
    void *object = ebb_pool_acquire_by(size_for(b, at_least)->pool, a, deadline_ns, ret_why);
    return with_room(object, at_least, ret_why);
}

void ebb_buf_release(ebb_buf **buf)
{
    ebb_buf *b = *buf;
    *buf = NULL;
    if (b) ebb_pool_release(b->ebb__of->pool, b);
}

bool ebb_buf_move(ebb_buf *b, ebb_arena *to)
{
    return ebb_pool_move(b->ebb__of->pool, b, to);
}

ebb_pool *ebb_bufpool_size(ebb_bufpool *b, size_t bytes)
{
    return size_for(b, bytes)->pool;
}

void ebb_bufpool_get_stats(ebb_bufpool *b, size_t bytes, ebb_bufpool_stats *ret_stats)
{
    bufs *of = size_for(b, bytes);
    ebb_bufpool_stats s = {.size = of->size,
                           .used_p95 = atomic_load(&of->used_p95),
                           .kept_most = atomic_load(&of->kept_most),
                           .outsized = atomic_load(&of->outsized)};
    ebb_pool_get_stats(of->pool, &s.pool);
    *ret_stats = s;
}

/* ---- the process's --------------------------------------------------------------------------- */

static os_lock_t common_lock = OS_LOCK_INIT;
static ebb_bufpool *_Atomic common;

static COLD ebb_bufpool *common_begin(void)
{
    const ebb_bufpool_params params = {.name = "common buffers"};
    os_lock(&common_lock);
    ebb_bufpool *b = atomic_load(&common);
    if (!b) b = ebb_bufpool_create(&params, NULL);
    atomic_store(&common, b);
    os_unlock(&common_lock);
    return b;
}

ebb_bufpool *ebb_bufpool_common(void)
{
    ebb_bufpool *b = atomic_load_explicit(&common, memory_order_acquire);
    return b ? b : common_begin();
}

static ebb_buf *common_of(ebb_arena *a, size_t size, ebb_status *ret_why)
{
    ebb_bufpool *b = ebb_bufpool_common();
    if (b) return ebb_bufpool_acquire(b, a, size, ret_why);
    if (ret_why) *ret_why = EBB_E_MEMORY;
    return NULL;
}

ebb_buf *ebb_buf_small(ebb_arena *a, ebb_status *ret_why)
{
    return common_of(a, 1024, ret_why);
}

ebb_buf *ebb_buf_large(ebb_arena *a, ebb_status *ret_why)
{
    return common_of(a, (size_t)64 << 10, ret_why);
}
