/*
 * share/cache_count.c: hits and misses, counted where no other processor looks; and the list of all
 * caches, for threads that exit and processes that fork.
 *
 * A thread has a desk with a cell for each cache that it uses; it alone writes there. A cell
 * belongs to its cache, and is taken over by another thread when its own has ended. A desk knows
 * the cache by its serial number too, so that what it remembers of a destroyed one is never
 * followed.
 */
#include "cache.h"

enum { DESKS_AT_ONCE = 64 };

static const desk no_desk;
_Thread_local const desk *ebb__cache_desk __attribute__((tls_model("initial-exec"))) = &no_desk;
static _Thread_local desk *own; /* the same, to be written; NULL: none yet */

static os_lock_t lock = OS_LOCK_INIT; /* what follows; outside of all caches' locks */
static ebb_cache *all;
static uint64_t last_serial, numbers; /* numbers: a bit for each that is taken */
static desk *spare, *fresh, *fresh_end;
static bool prepared;

_Static_assert(CELLS == 64, "numbers are the bits of a word");

/* ---- desks ----------------------------------------------------------------------------------- */

static void leave_cells(const desk *d)
{
    for (ebb_cache *c = all; c; c = c->next) {
        if (c->number >= CELLS || d->of[c->number].serial != c->serial) continue;
        atomic_store_explicit(&d->of[c->number].cell->owner, NULL, memory_order_release);
    }
}

static void thread_exit(void)
{
    desk *d = own;
    if (!d) return;
    own = NULL;
    ebb__cache_desk = &no_desk;
    os_lock(&lock);
    leave_cells(d);
    d->next_free = spare;
    spare = d;
    os_unlock(&lock);
}

static desk *carve(void)
{
    if (spare) {
        desk *d = spare;
        spare = d->next_free;
        *d = no_desk;
        return d;
    }
    if (fresh == fresh_end) {
        fresh = os_reserve(sizeof(desk) * DESKS_AT_ONCE, os_page_size());
        fresh_end = fresh ? fresh + DESKS_AT_ONCE : NULL;
    }
    return fresh ? fresh++ : NULL;
}

static desk *desk_here(void)
{
    if (own || !ebb__thread_get()) return own;
    os_lock(&lock);
    own = carve();
    os_unlock(&lock);
    if (own) ebb__cache_desk = own;
    return own;
}

/* ---- cells ----------------------------------------------------------------------------------- */

static cell *cell_for(ebb_cache *c, const desk *d)
{
    cell *mine = c->cells;
    while (mine && atomic_load_explicit(&mine->owner, memory_order_acquire)) mine = mine->next;
    if (!mine) {
        mine = ebb__cache_obtain(c, sizeof *mine);
        if (!mine) return NULL;
        *mine = (cell){.next = c->cells};
        c->cells = mine;
    }
    atomic_store_explicit(&mine->owner, d, memory_order_relaxed);
    return mine;
}

COLD void ebb__cache_count_slowly(ebb_cache *c, bool hit)
{
    desk *d = c->number < CELLS ? desk_here() : NULL;
    cell *mine = NULL;
    if (d) {
        os_lock(&c->lock);
        mine = cell_for(c, d);
        os_unlock(&c->lock);
    }
    if (!mine) {
        atomic_fetch_add_explicit(hit ? &c->hits : &c->misses, 1, memory_order_relaxed);
        return;
    }
    d->of[c->number].serial = c->serial;
    d->of[c->number].cell = mine;
    count_up(hit ? &mine->hits : &mine->misses);
}

/* ---- fork ------------------------------------------------------------------------------------ */

static void before_fork(void)
{
    os_lock(&lock);
    for (ebb_cache *c = all; c; c = c->next) os_lock(&c->lock);
    ebb__waits_lock();
}

static void after_fork(void)
{
    ebb__waits_unlock();
    for (ebb_cache *c = all; c; c = c->next) os_unlock(&c->lock);
    os_unlock(&lock);
}

static void after_fork_in_child(void)
{
    ebb__waits_reset();
    for (ebb_cache *c = all; c; c = c->next) {
        os_lock_init(&c->lock);
        ebb__flights_forked(c);
    }
    os_lock_init(&lock);
}

/* ---- all caches ------------------------------------------------------------------------------ */

/* What is out and not in the table; but for the cache and the table itself. Its values are shared
   objects, which tell of themselves. */
static void tell(ebb_cache *c, ebb__live_put *put, void *ctx)
{
    ebb__live_thing t = {.kind = EBB__LIVE_CACHE, .name = c->name, .address = c, .exact = true};
    os_lock(&c->lock);
    figures f = ebb__figures(c->home);
    t.held = f.held;
    t.used = f.in_chunks + f.in_large;
    t.count = c->policy.len;
    t.out = c->out - c->policy.len - 2;
    put(ctx, &t);
    put(ctx, &(ebb__live_thing){.kind = EBB__LIVE_PART, .address = c->home, .parent = c});
    os_unlock(&c->lock);
}

static void tell_all(ebb__live_put *put, void *ctx)
{
    os_lock(&lock);
    for (ebb_cache *c = all; c; c = c->next) tell(c, put, ctx);
    os_unlock(&lock);
}

static COLD void prepare(void)
{
    ebb__thread_get(); /* the ground floor's own handlers come before */
    os_lock(&lock);
    bool first = !prepared;
    prepared = true;
    os_unlock(&lock);
    if (!first) return;
    os_at_fork(before_fork, after_fork, after_fork_in_child);
    ebb__at_thread_exit(thread_exit);
    ebb__live_source(tell_all);
}

void ebb__cache_enlist(ebb_cache *c)
{
    prepare();
    os_lock(&lock);
    c->serial = ++last_serial;
    c->number = ~numbers ? (uint32_t)__builtin_ctzll(~numbers) : CELLS;
    if (c->number < CELLS) numbers |= (uint64_t)1 << c->number;
    c->next = all;
    c->back = &all;
    if (all) all->back = &c->next;
    all = c;
    os_unlock(&lock);
}

void ebb__cache_unlist(ebb_cache *c)
{
    os_lock(&lock);
    if (c->number < CELLS) numbers &= ~((uint64_t)1 << c->number);
    *c->back = c->next;
    if (c->next) c->next->back = c->back;
    c->back = NULL;
    os_unlock(&lock);
}
