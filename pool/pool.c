/*
 * pool/pool.c: a pool's life; the register of its objects and the shelf of those that are idle;
 * what is going on in it.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the register and the shelf -------------------------------------------------------------- */

static bool make_room(ebb_pool *p)
{
    const uint32_t first = 16;
    uint32_t count = p->register_room ? p->register_room * 2 : first;
    ebb_storage entries = {p->registry, p->register_room * sizeof *p->registry};
    ebb_storage shelf = {p->shelf, p->register_room * sizeof *p->shelf};
    size_t used = p->registered * sizeof *p->registry, shelved = p->shelf_count * sizeof *p->shelf;
    bool grown = ebb_storage_grow(p->arena, &entries, used, count * sizeof *p->registry);
    p->registry = entries.ptr;
    grown = grown && ebb_storage_grow(p->arena, &shelf, shelved, count * sizeof *p->shelf);
    p->shelf = shelf.ptr;
    if (grown) p->register_room = count;
    return grown;
}

/* What an object lies in: an arena of its own where none is kept, so that checks for arenas that
   have ended are checks for objects that have gone home. */
static bool take_memory(ebb_pool *p, entry *e)
{
    e->room.ptr = NULL;
    e->room.size = 0;
    if (!p->keeps_none) return ebb_storage_grow(p->arena, &e->room, 0, p->bytes);
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = p->name;
    e->own = arena_new(&params);
    e->room.ptr = e->own ? ebb_alloc(e->own, p->bytes) : NULL;
    if (e->room.ptr) return ebb_scope_attach(p->arena), true;
    ebb_arena_destroy(&e->own);
    return false;
}

bool ebb__register_add(ebb_pool *p, entry *ret_entry)
{
    ebb_scope_attach(p->arena);
    bool reused = p->first_free != 0;
    if (!reused && p->registered == p->register_room && !make_room(p)) return false;
    entry *e = &p->registry[reused ? p->first_free - 1 : p->registered];
    if (!reused) {
        memset(e, 0, sizeof *e);
        e->number = p->registered;
    }
    if (!take_memory(p, e)) return false;
    if (reused) p->first_free = e->next_free;
    else p->registered++;
    *ret_entry = *e;
    return true;
}

void ebb__register_drop(ebb_pool *p, uint32_t number, ebb_arena **ret_own)
{
    entry *e = &p->registry[number];
    ebb_scope_attach(p->arena);
    *ret_own = e->own;
    if (!e->own) ebb_storage_release(p->arena, &e->room);
    e->own = NULL;
    e->it = NULL;
    e->next_free = p->first_free;
    p->first_free = number + 1;
}

item *ebb__shelf_take(ebb_pool *p)
{
    if (p->shelf_count == 0) return NULL;
    uint32_t i = p->oldest_first ? 0 : p->shelf_count - 1;
    item *it = p->shelf[i];
    p->shelf_count--;
    memmove(p->shelf + i, p->shelf + i + 1, (p->shelf_count - i) * sizeof *p->shelf);
    if (p->shelf_count < p->idle_least) p->idle_least = p->shelf_count;
    return it;
}

void ebb__shelf_put(ebb_pool *p, item *it)
{
    p->shelf[p->shelf_count++] = it; /* it has as many places as the register */
}

/* ---- making a pool --------------------------------------------------------------------------- */

static const char *wrong_with(const ebb_pool_params *q)
{
    if (q->size == 0 || q->size > SIZE_MAX / 4) return "size is 0 or too large";
    if (q->align & (q->align - 1) || q->align > ALIGN_MOST)
        return "align is no power of two up to 4096";
    if (q->max_size > SIZE_MOST) return "max_size is above 2^31";
    return q->min_size > (q->max_size ? q->max_size : SIZE_MOST) ? "min_size is above max_size"
                                                                 : NULL;
}

static bool is_off(void)
{
    const char *value = getenv("EBB_POOL");
    return value && !strcmp(value, "off");
}

static void set_params(ebb_pool *p, const ebb_pool_params *q)
{
    p->align = q->align > ITEM_SIZE ? q->align : ITEM_SIZE;
    p->size = q->size;
    p->bytes = (ITEM_SIZE + q->size + 2 * p->align) & ~(size_t)(ITEM_SIZE - 1);
    p->min_size = q->min_size;
    p->max_size = q->max_size ? q->max_size : SIZE_MOST;
    p->idle_ms = q->idle_ms;
    p->ctx = q->ctx;
    p->create = q->create;
    p->reset = q->reset;
    p->validate = q->validate;
    p->destroy = q->destroy;
    p->keeps_none = is_off();
    p->oldest_first = ebb_checks_get() >= EBB_CHECKS_STRICT;
    p->poisons = ebb__tools_active();
    p->looks_out = p->validate || p->poisons;
    p->looks_home = p->reset || p->poisons || p->idle_ms;
    p->has_magazines = !p->keeps_none && !p->oldest_first && os_barrier_all();
    snprintf(p->name, sizeof p->name, "%s", q->name ? q->name : "?");
}

static bool make_first(ebb_pool *p, ebb_status *ret_why)
{
    for (uint32_t i = 0; i < p->min_size && !p->keeps_none; i++) {
        os_lock(&p->lock);
        p->exist++;
        os_unlock(&p->lock);
        item *it = ebb__pool_make(p, ret_why);
        if (!it) return false;
        os_lock(&p->lock);
        ebb__shelf_put(p, it);
        os_unlock(&p->lock);
        if (p->poisons) ebb__strict_poison(object_of(it), p->size);
    }
    return true;
}

static ebb_pool *pool_in(ebb_arena *a, const ebb_pool_params *params)
{
    ebb_pool *p = ebb_alloc_aligned(a, sizeof *p, _Alignof(ebb_pool));
    if (!p) return NULL;
    memset(p, 0, sizeof *p);
    p->arena = a;
    p->last_wait = &p->first_wait;
    atomic_store_explicit(&p->looked_ms, os_clock_ms(), memory_order_relaxed);
    os_lock_init(&p->lock);
    set_params(p, params);
    return p;
}

/* One idle object beyond `least`, to be destroyed. */
static item *surplus(ebb_pool *p, uint32_t least)
{
    os_lock(&p->lock);
    item *it = p->exist - p->doomed > least ? ebb__shelf_take(p) : NULL;
    if (it) p->doomed++;
    if (it && !is_surplus(p)) ebb__magazines_settle(p);
    os_unlock(&p->lock);
    return it;
}

static size_t unmake_down_to(ebb_pool *p, uint32_t least)
{
    size_t n = 0;
    for (item *it; (it = surplus(p, least)) != NULL; n++) ebb__pool_unmake(p, it);
    return n;
}

static void end(ebb_pool *p)
{
    unmake_down_to(p, 0);
    ebb__pool_unlist(p); /* takes the magazines from all desks, so it comes last */
    ebb_arena *a = p->arena;
    ebb_scope_attach(a);
    ebb_arena_destroy(&a);
}

ebb_pool *ebb_pool_create(const ebb_pool_params *params, ebb_status *ret_why)
{
    static const ebb_pool_params nothing = EBB_POOL_PARAMS_INIT;
    if (!params) params = &nothing;
    const char *wrong = wrong_with(params), *name = params->name ? params->name : "?";
    if (wrong) {
        ebb__report_named(EBB_MISUSE, "ebb_pool_create", name, "%s", wrong);
        return refused(EBB_E_INVALID, ret_why);
    }
    ebb_arena_params of = EBB_ARENA_PARAMS_INIT;
    of.name = name;
    ebb_arena *a = arena_new(&of);
    ebb_pool *p = a ? pool_in(a, params) : NULL;
    if (!p) {
        ebb_arena_destroy(&a);
        return refused(EBB_E_MEMORY, ret_why);
    }
    ebb__pool_enlist(p);
    if (make_first(p, ret_why)) return p;
    end(p);
    return NULL;
}

/* ---- destroying it --------------------------------------------------------------------------- */

static const char *holder_of(const item *it)
{
    const ebb_arena *a = it->home_or_holder;
    while (a && (a->bits & ADOPTED)) a = a->parent;
    return a ? ebb_arena_name(a) : "nobody's scope";
}

/* Of an entry whose object is out: since when that has been known. Not yet: UINT64_MAX. */
static uint64_t seen_since(const entry *e)
{
    return e->seen == atomic_load_explicit(&e->it->loan, memory_order_relaxed) ? e->seen_ms
                                                                               : UINT64_MAX;
}

/* The one that was seen out first; of those that were not seen, any. */
static const entry *oldest_out(const ebb_pool *p)
{
    const entry *oldest = NULL;
    for (uint32_t i = 0; i < p->registered; i++) {
        const entry *e = &p->registry[i];
        if (!e->it || !is_out(e->it)) continue;
        if (!oldest || seen_since(e) < seen_since(oldest)) oldest = e;
    }
    return oldest;
}

static bool may_end(ebb_pool *p)
{
    os_lock(&p->lock);
    ebb__magazines_gather(p);
    uint32_t out = p->exist + p->detached - p->shelf_count - p->aside;
    const entry *e = oldest_out(p);
    uint32_t waits = p->waiting + p->aside;
    const item *it = e ? e->it : NULL;
    os_unlock(&p->lock);
    if (it)
        ebb__report_named(
            EBB_MISUSE, "ebb_pool_destroy", p->name,
            "%u objects are out; the oldest was acquired at %p for \"%s\"%s. End their "
            "scopes or release them first; what is out still goes home to it",
            out, it->site, holder_of(it), where_is(it) == DETACHED ? " and detached" : "");
    else if (waits)
        ebb__report_named(EBB_MISUSE, "ebb_pool_destroy", p->name,
                          "%u still wait for an object; let them have it, or leave, first", waits);
    return !it && !waits;
}

void ebb_pool_destroy(ebb_pool **pool)
{
    ebb_pool *p = *pool;
    *pool = NULL;
    if (p && !ebb__pool_is_known(p))
        ebb__report_named(EBB_MISUSE, "ebb_pool_destroy", "?",
                          "%p was destroyed already; null every copy of the handle", (void *)p);
    else if (p && may_end(p)) end(p);
}

/* ---- capacity -------------------------------------------------------------------------------- */

static size_t shrink_to(ebb_pool *p, uint32_t least)
{
    os_lock(&p->lock);
    ebb__magazines_gather(p);
    for (magazine *m = p->magazines; m; m = m->next) m->most = 0; /* to grow anew */
    os_unlock(&p->lock);
    return unmake_down_to(p, least);
}

size_t ebb_pool_trim(ebb_pool *p)
{
    return shrink_to(p, p->min_size);
}

bool ebb_pool_set_max(ebb_pool *p, uint32_t max_size)
{
    if (max_size == 0 || max_size < p->min_size || max_size > SIZE_MOST) {
        ebb__report_named(EBB_MISUSE, "ebb_pool_set_max", p->name,
                          "%u is 0, below min_size (%u), or above 2^31", max_size, p->min_size);
        return false;
    }
    os_lock(&p->lock);
    p->max_size = max_size;
    while (p->first_wait && p->exist < max_size) {
        p->exist++;
        ebb__wait_grant(p, NULL);
    }
    ebb__magazines_settle(p);
    bool shrinks = is_surplus(p);
    os_unlock(&p->lock);
    if (shrinks) shrink_to(p, max_size);
    return true;
}

/* ---- what is going on ------------------------------------------------------------------------ */

/* See who is out, and remember since when. */
static void look(const ebb_pool *p, ebb_pool_stats *s)
{
    uint64_t now = os_clock_ms();
    for (uint32_t i = 0; i < p->registered; i++) {
        entry *e = &p->registry[i];
        if (!e->it || !is_out(e->it)) continue;
        uint64_t loan = atomic_load_explicit(&e->it->loan, memory_order_relaxed);
        if (e->seen != loan) {
            e->seen = loan;
            e->seen_ms = now;
        }
    }
    const entry *e = oldest_out(p);
    s->longest_site = e ? e->it->site : NULL;
    s->longest_ms = e ? now - e->seen_ms : 0;
}

/* Released follows from what is in them. In this order it can't come out below what is true. */
static void add_magazines(const ebb_pool *p, ebb_pool_stats *s)
{
    for (const magazine *m = p->magazines; m; m = m->next) {
        uint64_t count = atomic_load_explicit(&m->count, memory_order_acquire);
        uint64_t n = atomic_load_explicit(&m->acquired, memory_order_relaxed) - m->first;
        s->acquired += n;
        s->released += n + count + m->spilled - m->filled;
    }
}

void ebb_pool_get_stats(ebb_pool *p, ebb_pool_stats *ret_stats)
{
    os_lock(&p->lock);
    ebb_pool_stats s = p->counts;
    s.min_size = p->min_size;
    s.max_size = p->max_size;
    s.exist = p->exist;
    s.detached = p->detached;
    s.high_water = p->high_water;
    s.waiting = p->waiting;
    s.acquired = p->acquired;
    s.released = p->released;
    add_magazines(p, &s);
    look(p, &s);
    uint32_t idle = p->shelf_count + ebb__magazines_idle(p);
    s.idle = idle < s.exist ? idle : s.exist;
    s.in_use = s.exist - s.idle;
    os_unlock(&p->lock);
    *ret_stats = s;
}

const char *ebb_pool_name(const ebb_pool *p)
{
    return p->name;
}

/* With the lock held. */
static uint32_t count_out(const ebb_pool *p)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->registered; i++)
        n += p->registry[i].it && is_out(p->registry[i].it);
    return n;
}

void ebb__pool_show(ebb_pool *p, ebb_pool_info *ret_)
{
    memcpy(ret_->name, p->name, sizeof ret_->name);
    os_lock(&p->lock);
    ret_->exist = p->exist;
    ret_->out = count_out(p);
    os_unlock(&p->lock);
}

/* Arenas that are used with the lock alone. */
static void add_part(const ebb_arena *a, ebb__live_thing *t, ebb__live_put *put, void *ctx)
{
    figures f = ebb__figures(a);
    t->held += f.held;
    t->used += f.in_chunks + f.in_large;
    put(ctx, &(ebb__live_thing){.kind = EBB__LIVE_PART, .address = a, .parent = t->address});
}

/* To who looks at all that is alive. */
void ebb__pool_tell(ebb_pool *p, ebb__live_put *put, void *ctx)
{
    ebb__live_thing t = {.kind = EBB__LIVE_POOL, .name = p->name, .address = p, .exact = true};
    os_lock(&p->lock);
    t.count = p->exist + p->detached;
    t.out = count_out(p);
    add_part(p->arena, &t, put, ctx);
    for (uint32_t i = 0; i < p->registered; i++)
        if (p->registry[i].own) add_part(p->registry[i].own, &t, put, ctx);
    put(ctx, &t);
    os_unlock(&p->lock);
}

void ebb_pool_each_out(ebb_pool *p, void (*fn)(void *ctx, const void *object, const void *site),
                       void *ctx)
{
    os_lock(&p->lock);
    for (uint32_t i = 0; i < p->registered; i++) {
        const item *it = p->registry[i].it;
        if (it && is_out(it)) fn(ctx, object_of(it), it->site);
    }
    os_unlock(&p->lock);
}
