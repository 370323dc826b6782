/*
 * pool/lend.c: what happens to an object on its way out and home.
 *
 *    out    pop, or supply (shelf, create) -> validate -> tie to the scope
 *    home   untie -> reset -> push, or stow (who waits, shelf), or unmake
 */
#include "internal.h"

#include <string.h>

static void put_to_sleep(const item *it)
{
    if (unlikely(pool_of(it)->poisons)) ebb__strict_poison(object_of(it), pool_of(it)->size);
}

static void wake(const item *it)
{
    if (unlikely(pool_of(it)->poisons)) ebb__strict_unpoison(object_of(it), pool_of(it)->size);
}

/* ---- making and unmaking --------------------------------------------------------------------- */

static item *item_in(ebb_pool *p, const entry *e)
{
    uintptr_t mask = p->align - 1;
    uintptr_t object = ((uintptr_t)e->room.ptr + ITEM_SIZE + mask) & ~mask;
    item *it = item_of((void *)object);
    memset(it, 0, ITEM_SIZE + p->size);
    it->number = e->number;
    it->sign = sign_of(it);
    set_state(it, p, IDLE);
    return it;
}

/* Made on another thread, perhaps. */
static void end_own(ebb_arena *own)
{
    if (own) ebb_scope_attach(own);
    ebb_arena_destroy(&own);
}

static void *give_up(ebb_pool *p, uint32_t number, ebb_status *ret_why)
{
    ebb_arena *own = NULL;
    os_lock(&p->lock);
    ebb__register_drop(p, number, &own);
    ebb__pool_free_place(p);
    os_unlock(&p->lock);
    end_own(own);
    return refused(EBB_E_REFUSED, ret_why);
}

item *ebb__pool_make(ebb_pool *p, ebb_status *ret_why)
{
    entry e;
    os_lock(&p->lock);
    bool has_room = ebb__register_add(p, &e);
    if (!has_room) ebb__pool_free_place(p);
    os_unlock(&p->lock);
    if (!has_room) return refused(EBB_E_MEMORY, ret_why);
    item *it = item_in(p, &e);
    if (p->create && !p->create(p->ctx, object_of(it))) return give_up(p, e.number, ret_why);
    os_lock(&p->lock);
    p->registry[e.number].it = it;
    p->counts.created++;
    ebb__pool_note(p);
    os_unlock(&p->lock);
    return it;
}

void ebb__pool_unmake(ebb_pool *p, item *it)
{
    ebb_arena *own = NULL;
    wake(it);
    if (p->destroy) p->destroy(p->ctx, object_of(it));
    os_lock(&p->lock);
    p->counts.destroyed++;
    if (where_is(it) == DETACHED) p->detached--;
    else p->doomed--, ebb__pool_free_place(p);
    set_state(it, p, IDLE); /* for who releases it yet again */
    ebb__register_drop(p, it->number, &own);
    os_unlock(&p->lock);
    end_own(own);
}

void ebb__pool_uncount(ebb_pool *p)
{
    os_lock(&p->lock);
    p->acquired--;
    os_unlock(&p->lock);
}

/* ---- supply ---------------------------------------------------------------------------------- */

void ebb__pool_note(ebb_pool *p)
{
    uint32_t away = p->exist - p->shelf_count;
    if (away > p->high_water) p->high_water = away;
}

item *ebb__pool_from_shelf(ebb_pool *p)
{
    item *it = ebb__shelf_take(p);
    magazine *m = it ? ebb__magazine_here(p) : NULL;
    if (m) ebb__magazine_fill(p, m);
    ebb__pool_note(p);
    return it;
}

/* A new one is made before those in other threads' magazines are fetched, or who acquires on one
   thread and releases on another would fetch them again and again. */
supply ebb__pool_supply(ebb_pool *p)
{
    supply s = {ebb__pool_from_shelf(p), false};
    if (!s.it && p->exist < p->max_size) {
        p->exist++;
        s.place = true;
    } else if (!s.it && ebb__magazines_idle(p)) {
        ebb__magazines_gather(p);
        s.it = ebb__pool_from_shelf(p);
    }
    return s;
}

/* What set_max had left over has gone, just now perhaps: the magazines may be open again. */
static void settle_if_fits(ebb_pool *p)
{
    if (p->exist - p->doomed == p->max_size) ebb__magazines_settle(p);
}

void ebb__pool_free_place(ebb_pool *p)
{
    p->exist--;
    settle_if_fits(p);
    if (!p->first_wait || p->exist >= p->max_size) return;
    p->exist++;
    ebb__wait_grant(p, NULL);
}

bool ebb__pool_stow(ebb_pool *p, item *it)
{
    p->released++;
    if (p->keeps_none || is_surplus(p)) {
        p->doomed++;
        settle_if_fits(p);
        return false;
    }
    if (p->first_wait) ebb__wait_grant(p, it);
    else ebb__shelf_put(p, it);
    return true;
}

/* ---- home ------------------------------------------------------------------------------------ */

static bool is_time_to_look(ebb_pool *p)
{
    if (!p->idle_ms) return false;
    uint64_t before = atomic_load_explicit(&p->looked_ms, memory_order_relaxed);
    return os_clock_ms() - before >= p->idle_ms;
}

/* Objects that nobody has needed for a while, to be destroyed once the lock is free. */
static unsigned take_stale(ebb_pool *p, item **ret_stale)
{
    if (!is_time_to_look(p)) return 0;
    uint32_t least = p->idle_least, staying = p->exist - p->doomed, n = 0;
    atomic_store_explicit(&p->looked_ms, os_clock_ms(), memory_order_relaxed);
    p->idle_least = p->shelf_count;
    while (n < SHRINK_MOST && n < least && n < p->shelf_count && staying - n > p->min_size) n++;
    memcpy(ret_stale, p->shelf, n * sizeof *p->shelf);
    memmove(p->shelf, p->shelf + n, (p->shelf_count - n) * sizeof *p->shelf);
    p->shelf_count -= n;
    p->doomed += n;
    return n;
}

static void unmake_all(ebb_pool *p, item *const *items, unsigned n)
{
    for (unsigned i = 0; i < n; i++) ebb__pool_unmake(p, items[i]);
}

/* The older half to the shelf; what has just come is warm, and stays. */
static bool tuck_in(ebb_pool *p, magazine *m, item *it)
{
    uint32_t most = m->most;
    ebb__magazine_spill(p, m, m->only_gives ? 0 : most / 2);
    uint32_t n = m->count;
    m->item[n] = it;
    atomic_store_explicit(&m->count, n + 1, memory_order_relaxed);
    return true;
}

/* The magazine is full, closed or not there. */
static COLD void stow_slowly(ebb_pool *p, item *it)
{
    item *stale[SHRINK_MOST];
    ebb__desk_prepare();
    os_lock(&p->lock);
    magazine *m = p->first_wait || is_surplus(p) ? NULL : ebb__magazine_here(p);
    bool kept = m && m->most ? tuck_in(p, m, it) : ebb__pool_stow(p, it);
    unsigned n = take_stale(p, stale);
    os_unlock(&p->lock);
    if (!kept) ebb__pool_unmake(p, it);
    unmake_all(p, stale, n);
}

void ebb__pool_put_back(ebb_pool *p, item *it)
{
    if (!magazine_push(p, it)) stow_slowly(p, it);
}

static COLD void throw_away(ebb_pool *p, item *it)
{
    os_lock(&p->lock);
    p->released++;
    p->counts.discarded++;
    if (where_is(it) != DETACHED) p->doomed++;
    settle_if_fits(p);
    os_unlock(&p->lock);
    ebb__pool_unmake(p, it);
}

/* There is something to do on the way. */
static COLD void reset_and_stow(ebb_pool *p, item *it)
{
    if (p->reset && !p->reset(p->ctx, object_of(it))) {
        throw_away(p, it);
        return;
    }
    put_to_sleep(it);
    if (is_time_to_look(p)) stow_slowly(p, it);
    else ebb__pool_put_back(p, it);
}

static inline void send_home(ebb_pool *p, item *it, void *site)
{
    set_state(it, p, IDLE);
    atomic_store_explicit(&it->home_or_holder, site, memory_order_relaxed);
    if (unlikely(p->looks_home)) reset_and_stow(p, it);
    else if (unlikely(!magazine_push(p, it))) stow_slowly(p, it);
}

static COLD void take_in(ebb_pool *p, item *it, void *site);

static void come_home(ebb_cleanup *c)
{
    item *it = EBB_CONTAINER(c, item, hold);
    if (unlikely(where_is(it) == DETACHED)) take_in(pool_of(it), it, NULL);
    else send_home(pool_of(it), it, NULL);
}

/* ---- out ------------------------------------------------------------------------------------- */

ebb_status ebb__pool_refuses(ebb_arena *a, const char *function)
{
    if (a == &ebb__dead) return EBB_E_MEMORY;
    if (!a)
        ebb__report(EBB_MISUSE, function, NULL, "it needs a scope: what it returns ends with it");
    if (!a || !ebb__check_usable(a, function)) return EBB_E_INVALID;
    return a->bits & STICKY ? ebb_failed(a) : EBB_OK;
}

/* EBB_OK: what @c lies in is tied to @a, so that it comes home with it. */
static ebb_status tie(ebb_cleanup *c, ebb_arena *a, const char *function)
{
    ebb_status why = ebb__pool_refuses(a, function);
    if (why != EBB_OK || hold_add(a, c)) return why;
    c->back = NULL;
    why = ebb_failed(a);
    return why ? why : EBB_E_MEMORY;
}

static inline void *lent(ebb_pool *p, item *it, ebb_arena *a, void *site)
{
    set_sites(it, site, a);
    set_state(it, p, OUT);
    return object_of(it);
}

COLD void *ebb__pool_lend(ebb_pool *p, item *it, ebb_arena *a, void *site, ebb_status *ret_why)
{
    it->hold.run = come_home;
    ebb_status why = a ? tie(&it->hold, a, "ebb_pool_acquire") : EBB_OK;
    if (why == EBB_OK) {
        wake(it);
        return lent(p, it, a, site);
    }
    put_to_sleep(it);
    ebb__pool_put_back(p, it);
    return refused(why, ret_why);
}

/* The newest record of a is one that cleanups hang on, and there is nothing to be checked. */
static inline bool is_easily_tied(const ebb_arena *a)
{
    return (a->bits & (LIVE | STRICT | MARKED | FAILED_MASK)) == LIVE && kind_of(a->undo) == HOLD;
}

static item *counted(ebb_pool *p, item *it)
{
    if (it) it->loan = ++p->acquired;
    return it;
}

/* There is a place for it. If it can't be made, what idles in magazines is better than nothing. */
static item *make(ebb_pool *p, bool *ret_fresh, ebb_status *ret_why)
{
    ebb_status why = EBB_OK;
    item *it = ebb__pool_make(p, &why);
    *ret_fresh = it != NULL;
    os_lock(&p->lock);
    if (!it && ebb__magazines_idle(p)) ebb__magazines_gather(p);
    it = counted(p, it ? it : ebb__pool_from_shelf(p));
    os_unlock(&p->lock);
    return it ? it : refused(why, ret_why);
}

/* Take what is there, or make one. EBB_E_EXHAUSTED: neither may be. */
static item *get(ebb_pool *p, bool *ret_fresh, ebb_status *ret_why)
{
    ebb__desk_prepare();
    os_lock(&p->lock);
    supply s = ebb__pool_supply(p);
    counted(p, s.it);
    if (!s.it && !s.place) p->counts.exhausted++;
    os_unlock(&p->lock);
    if (s.place) return make(p, ret_fresh, ret_why);
    return s.it ? s.it : refused(EBB_E_EXHAUSTED, ret_why);
}

static bool is_good(const ebb_pool *p, item *it)
{
    wake(it);
    return p->validate(p->ctx, object_of(it));
}

/* One that is no good any more goes, but who acquires keeps its place, for what the shelf has or a
   fresh one. */
static item *take_instead(ebb_pool *p, item *it, bool *ret_fresh, ebb_status *ret_why)
{
    os_lock(&p->lock);
    p->exist++;
    os_unlock(&p->lock);
    throw_away(p, it);
    os_lock(&p->lock);
    it = counted(p, ebb__pool_from_shelf(p));
    if (it) ebb__pool_free_place(p);
    os_unlock(&p->lock);
    return it ? it : make(p, ret_fresh, ret_why);
}

/* Each that is no good is destroyed, and a fresh one is not asked about; so this ends. */
COLD item *ebb__pool_validated(ebb_pool *p, item *it, ebb_status *ret_why)
{
    bool fresh = false;
    while (it && !fresh && !is_good(p, it)) it = take_instead(p, it, &fresh, ret_why);
    return it;
}

static COLD item *take_slowly(ebb_pool *p, item *it, ebb_status *ret_why)
{
    bool fresh = false;
    if (!it) it = get(p, &fresh, ret_why);
    return it && p->validate && !fresh ? ebb__pool_validated(p, it, ret_why) : it;
}

static COLD void *acquire_slowly(ebb_pool *p, item *it, ebb_arena *a, void *site,
                                 ebb_status *ret_why)
{
    it = take_slowly(p, it, ret_why);
    return it ? ebb__pool_lend(p, it, a, site, ret_why) : NULL;
}

static inline void *acquire_at(ebb_pool *p, ebb_arena *a, void *site, ebb_status *ret_why)
{
    item *it;
    if (unlikely(!magazine_pop(p, &it))) return acquire_slowly(p, NULL, a, site, ret_why);
    if (unlikely(p->looks_out)) return acquire_slowly(p, it, a, site, ret_why);
    if (!a) return lent(p, it, a, site);
    if (unlikely(!is_easily_tied(a))) return ebb__pool_lend(p, it, a, site, ret_why);
    it->hold.run = come_home;
    cleanup_link(&((hold *)record_of(a->undo))->first, &it->hold);
    return lent(p, it, a, site);
}

void *ebb_pool_acquire(ebb_pool *p, ebb_arena *a, ebb_status *ret_why)
{
    return acquire_at(p, a, CALLER, ret_why);
}

void *ebb__pool_acquire_at(ebb_pool *p, ebb_arena *a, void *site, ebb_status *ret_why)
{
    return acquire_at(p, a, site, ret_why);
}

void *ebb_pool_acquire_by(ebb_pool *p, ebb_arena *a, uint64_t deadline_ns, ebb_status *ret_why)
{
    ebb_status why = EBB_OK;
    item *it = NULL;
    if (!magazine_pop(p, &it) || p->looks_out) it = take_slowly(p, it, &why);
    if (!it && why == EBB_E_EXHAUSTED) {
        why = a ? ebb__pool_refuses(a, "ebb_pool_acquire_by") : EBB_OK; /* rather than in vain */
        if (why == EBB_OK) it = ebb__wait_for(p, deadline_ns, &why);
    }
    return it ? ebb__pool_lend(p, it, a, CALLER, ret_why) : refused(why, ret_why);
}

/* ---- by hand --------------------------------------------------------------------------------- */

const ebb_pool *ebb__pool_owner(const void *object)
{
    const item *it = item_of(object);
    bool is_item = has_header(object) && it->sign == sign_of(it);
    return is_item && ebb__pool_is_known(pool_of(it)) ? pool_of(it) : NULL;
}

COLD void ebb__pool_not_out(const ebb_pool *p, const void *object, const char *function, void *site)
{
    const ebb_pool *of = ebb__pool_owner(object);
    const item *it = item_of(object);
    const char *name = !p ? "?" : ebb__pool_is_known(p) ? p->name : "destroyed";
    if (of && of == p)
        ebb__report_named(
            EBB_MISUSE, function, name,
            "the object at %p is not out: acquired at %p, it went home at %p (nil: with "
            "its scope); this call is at %p",
            object, it->site, it->home_or_holder, site);
    else if (of)
        ebb__report_named(
            EBB_MISUSE, function, name,
            "the object at %p is of the pool \"%s\", acquired at %p; this call is at %p", object,
            of->name, it->site, site);
    else
        ebb__report_named(EBB_MISUSE, function, name,
                          "%p is no pool's object, or its pool is gone; this call is at %p", object,
                          site);
}

/* Out, and perhaps detached. NULL: neither, which has been reported. */
static item *loan_of(ebb_pool *p, const void *object, const char *function, void *site)
{
    item *it = item_of(object);
    if (has_header(object) && pool_of(it) == p && is_out(it)) return it;
    ebb__pool_not_out(p, object, function, site);
    return NULL;
}

static void untie(item *it)
{
    if (it->hold.back) cleanup_unlink(&it->hold);
}

/* A detached one, into a free place if there is any. */
static COLD void take_in(ebb_pool *p, item *it, void *site)
{
    os_lock(&p->lock);
    bool fits = p->exist < p->max_size && !p->keeps_none;
    if (fits) {
        p->detached--;
        p->exist++;
        ebb__pool_note(p);
        set_state(it, p, IDLE);
    }
    os_unlock(&p->lock);
    if (fits) send_home(p, it, site);
    else throw_away(p, it);
}

static COLD void release_slowly(ebb_pool *p, void *object, void *site)
{
    item *it = object ? loan_of(p, object, "ebb_pool_release", site) : NULL;
    if (!it) return;
    untie(it);
    take_in(p, it, site);
}

static inline void release_at(ebb_pool *p, void *object, void *site)
{
    item *it = item_of(object);
    if (unlikely(!has_header(object)) ||
        unlikely(atomic_load_explicit(&it->state, memory_order_relaxed) != state_of(p, OUT))) {
        release_slowly(p, object, site);
        return;
    }
    untie(it);
    send_home(p, it, site);
}

void ebb_pool_release(ebb_pool *p, void *object)
{
    release_at(p, object, CALLER);
}

void ebb__pool_release_at(ebb_pool *p, void *object, void *site)
{
    release_at(p, object, site);
}

void ebb_pool_discard(ebb_pool *p, void *object)
{
    item *it = object ? loan_of(p, object, "ebb_pool_discard", CALLER) : NULL;
    if (!it) return;
    untie(it);
    if (where_is(it) != DETACHED) set_state(it, p, IDLE);
    atomic_store_explicit(&it->home_or_holder, CALLER, memory_order_relaxed);
    throw_away(p, it);
}

void ebb__pool_detach(ebb_pool *p, item *it)
{
    untie(it);
    it->home_or_holder = NULL;
    if (where_is(it) == DETACHED) return;
    os_lock(&p->lock);
    set_state(it, p, DETACHED);
    p->detached++;
    ebb__pool_free_place(p);
    os_unlock(&p->lock);
}

void *ebb_pool_detach(ebb_pool *p, void *object)
{
    item *it = loan_of(p, object, "ebb_pool_detach", CALLER);
    if (it) ebb__pool_detach(p, it);
    return it ? object : NULL;
}

bool ebb__pool_move(item *it, ebb_arena *to, const char *function)
{
    ebb_cleanup place = EBB_CLEANUP_INIT; /* in the new scope, before the old one is left */
    if (to && tie(&place, to, function) != EBB_OK) return false;
    untie(it);
    it->home_or_holder = to;
    if (!to) return true;
    ebb_cleanup **at = place.back;
    ebb_cleanup_remove(&place);
    cleanup_link(at, &it->hold);
    it->hold.run = come_home;
    return true;
}

bool ebb_pool_move(ebb_pool *p, void *object, ebb_arena *to)
{
    item *it = loan_of(p, object, "ebb_pool_move", CALLER);
    return it && ebb__pool_move(it, to, "ebb_pool_move");
}

/* ---- references ------------------------------------------------------------------------------ */

ebb_pool_ref ebb_pool_ref_to(ebb_pool *p, void *object)
{
    ebb_pool_ref ref = {NULL, 0, 0};
    const item *it = loan_of(p, object, "ebb_pool_ref_to", CALLER);
    if (!it) return ref;
    ref.object = object;
    ref.number = it->number;
    ref.loan = atomic_load_explicit(&it->loan, memory_order_relaxed);
    return ref;
}

void *ebb_pool_ref_get(ebb_pool *p, ebb_pool_ref ref)
{
    os_lock(&p->lock);
    const item *it = ref.object && ref.number < p->registered ? p->registry[ref.number].it : NULL;
    bool lasts = it && object_of(it) == ref.object && is_out(it) &&
                 atomic_load_explicit(&it->loan, memory_order_relaxed) == ref.loan;
    os_unlock(&p->lock);
    return lasts ? ref.object : NULL;
}
