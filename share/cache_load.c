/*
 * share/cache_load.c: loads, those who wait for them, and the tickets of event loops.
 *
 * A key that is being loaded has a flight. Whoever else wants it waits there: with a condition of
 * its own, or as a ticket that is told. When the load ends, each waiter is given the outcome with
 * the lock held; a value then needs no count, since the waiter announced before the value could be
 * retired.
 *
 * The loader runs below a lexical scope of its own, so that a raise that passes it ends that scope,
 * whose cleanup hands the flight to one who waits: first to a thread that is blocked, else to a
 * ticket.
 *
 * Who waits for whom: a flight is owned by a thread, and a thread that is blocked waits for a
 * flight. Before one blocks, the chain from its flight is followed; if it leads back, waiting would
 * never end. The graph spans all caches, so it has a lock of its own, inside the caches'.
 */
#include "cache.h"

#include <ebb/scope.h>

#include <string.h>

enum { ROOM_POLL_NS = 500 * 1000 /* between two looks whether readers have ended */ };

typedef struct outcome {
    int code;
    const void *root;
    ebb_shared *held; /* a reference, for a scope that counts */
} outcome;

enum state { WAITING, LOADS, OVER };

typedef struct waiter {
    struct waiter *next;
    enum state state;
    bool counts;
    outcome got;
    const thread *who;
    os_cond_t *cond; /* NULL: a ticket */
    ebb_cache_notice notice;
    struct flight *on;
    struct waiter *next_blocked; /* of all caches' */
} waiter;

typedef struct flight {
    ebb_cache *cache;
    struct flight *next, **back; /* back NULL: doomed, or over */
    const thread *owner;         /* with the graph's lock */
    waiter *first, **last;
    entry *entry; /* that it will be; has the key */
    uint64_t began_ns;
} flight;

struct ebb_ticket {
    ebb_cleanup hold;
    waiter wait; /* state LOADS: `wait.on` is its to load */
    ebb_cache *cache;
    ebb_arena *arena, *into;
};

/* A load, from its caller's side. */
typedef struct request {
    ebb_cache *cache;
    ebb_arena *arena;
    probe probe;
    const ebb_cache_load_params *how;
    bool counts;
    outcome got;
} request;

/* ---- who waits for whom ---------------------------------------------------------------------- */

static os_lock_t graph = OS_LOCK_INIT;
static waiter *blocked;

void ebb__waits_lock(void)
{
    os_lock(&graph);
}

void ebb__waits_unlock(void)
{
    os_unlock(&graph);
}

void ebb__waits_reset(void)
{
    os_lock_init(&graph);
    blocked = NULL; /* nobody waits while it forks */
}

static const flight *waited_for_by(const thread *t)
{
    for (const waiter *w = blocked; w; w = w->next_blocked)
        if (w->who == t) return w->on;
    return NULL;
}

static bool leads_to(const flight *f, const thread *t)
{
    for (; f; f = waited_for_by(f->owner))
        if (f->owner == t) return true;
    return false;
}

static bool is_awaited(const thread *t)
{
    os_lock(&graph);
    const waiter *w = blocked;
    while (w && w->on->owner != t) w = w->next_blocked;
    os_unlock(&graph);
    return w != NULL;
}

/* false: it would close a ring. */
static bool graph_enter(waiter *w, const flight *f)
{
    os_lock(&graph);
    bool ring = leads_to(f, w->who);
    if (!ring) {
        w->next_blocked = blocked;
        blocked = w;
    }
    os_unlock(&graph);
    return !ring;
}

static void graph_leave(waiter *w)
{
    os_lock(&graph);
    waiter **at = &blocked;
    while (*at != w) at = &(*at)->next_blocked;
    *at = w->next_blocked;
    os_unlock(&graph);
}

/* A blocked waiter leaves the graph at the moment that it becomes the owner. */
static void graph_own(flight *f, waiter *w)
{
    if (w->cond) graph_leave(w);
    os_lock(&graph);
    f->owner = w->who;
    os_unlock(&graph);
}

/* ---- flights, with the lock ------------------------------------------------------------------ */

static flight **list_of(ebb_cache *c, const probe *p)
{
    return &c->flights[p->hash & (FLIGHT_LISTS - 1)];
}

static flight *flight_of(ebb_cache *c, const probe *p)
{
    flight *f = *list_of(c, p);
    while (f && !is_for(f->entry, p)) f = f->next;
    return f;
}

static void flight_unlink(flight *f)
{
    if (!f->back) return;
    *f->back = f->next;
    if (f->next) f->next->back = f->back;
    f->back = NULL;
}

static void flight_free(flight *f)
{
    ebb_cache *c = f->cache;
    flight_unlink(f);
    f->next = c->spare_flights;
    c->spare_flights = f;
    c->flying--;
}

/* All that ending it will need is had now. NULL: no memory. */
static flight *flight_new(ebb_cache *c, const probe *p)
{
    flight *f = c->spare_flights ? c->spare_flights : ebb__cache_obtain(c, sizeof *f);
    if (!f) return NULL;
    if (f == c->spare_flights) c->spare_flights = f->next;
    *f = (flight){.cache = c, .owner = ebb__self, .entry = ebb__entry_new(c, p)};
    c->flying++;
    f->last = &f->first;
    f->began_ns = os_clock_ns();
    if (!f->entry) {
        flight_free(f);
        return NULL;
    }
    flight **list = list_of(c, p);
    f->next = *list;
    f->back = list;
    if (f->next) f->next->back = &f->next;
    *list = f;
    atomic_store_explicit(&c->sort, p->key.ptr ? TEXTS : NUMBERS, memory_order_relaxed);
    return f;
}

void ebb__flights_doom(ebb_cache *c, const probe *p)
{
    for (size_t i = 0; i < FLIGHT_LISTS; i++)
        for (flight *f = c->flights[i], *next; f; f = next) {
            next = f->next;
            if (!p || is_for(f->entry, p)) flight_unlink(f);
        }
}

void ebb__flights_report(ebb_cache *c)
{
    char key[NEAR_TEXT + 1] = "";
    unsigned long long number = 0;
    os_lock(&c->lock);
    size_t flying = c->flying, waiting = c->waiting;
    for (size_t i = 0; i < FLIGHT_LISTS; i++) {
        const flight *f = c->flights[i];
        if (!f) continue;
        size_t n = takes_room(f->entry) ? NEAR_TEXT : f->entry->text.len;
        if (n) memcpy(key, f->entry->text.ptr, n);
        number = f->entry->id;
    }
    bool texts = atomic_load_explicit(&c->sort, memory_order_relaxed) == TEXTS;
    os_unlock(&c->lock);
    if (texts)
        ebb__report_named(EBB_MISUSE, "ebb_cache_destroy", c->name,
                          "%zu loads are under way (of \"%s\"), and %zu wait; end them first",
                          flying, key, waiting);
    else
        ebb__report_named(EBB_MISUSE, "ebb_cache_destroy", c->name,
                          "%zu loads are under way (of %llu), and %zu wait; end them first", flying,
                          number, waiting);
}

/* ---- waiters, with the lock ------------------------------------------------------------------ */

static void join(flight *f, waiter *w)
{
    w->state = WAITING;
    w->on = f;
    w->next = NULL;
    *f->last = w;
    f->last = &w->next;
    f->cache->waiting++;
}

static void part(flight *f, waiter *w)
{
    waiter **at = &f->first;
    while (*at != w) at = &(*at)->next;
    *at = w->next;
    if (!w->next) f->last = at;
    f->cache->waiting--;
}

static void tell(waiter *w, enum state state)
{
    w->state = state;
    if (w->cond) os_cond_signal(w->cond);
    if (w->notice.fn) w->notice.fn(w->notice.ctx);
    if (w->notice.has_eventfd) os_event_write(w->notice.eventfd);
}

static outcome outcome_of(int code, const entry *e, bool counts)
{
    outcome o = {code, code == 0 ? e->root : NULL, NULL};
    if (code == 0 && counts) o.held = ebb_shared_hold(e->value);
    return o;
}

static void serve(flight *f, int code)
{
    while (f->first) {
        waiter *w = f->first;
        part(f, w);
        if (w->cond) graph_leave(w);
        w->got = outcome_of(code, f->entry, w->counts);
        w->on = NULL;
        tell(w, OVER);
    }
}

/* Its owner has left it: a thread that is blocked takes it over, else a ticket, else nobody. */
static void pass_on(flight *f)
{
    waiter *w = f->first;
    while (w && !w->cond) w = w->next;
    if (!w) w = f->first;
    if (!w) {
        ebb__entry_free(f->cache, f->entry);
        flight_free(f);
        return;
    }
    part(f, w);
    graph_own(f, w);
    tell(w, LOADS);
}

static void abandon(flight *f)
{
    ebb_cache *c = f->cache;
    os_lock(&c->lock);
    pass_on(f);
    os_unlock(&c->lock);
}

/* ---- fork ------------------------------------------------------------------------------------ */

/* Whoever else waited is not in this process; who does here has a ticket. Nobody is told, since an
   eventfd is the parent's too. */
static void inherit(flight *f)
{
    for (waiter *w = f->first, *next; w; w = next) {
        next = w->next;
        if (w->who != ebb__self) part(f, w);
    }
    if (f->owner == ebb__self) return;
    waiter *heir = f->first;
    if (heir) {
        part(f, heir);
        f->owner = heir->who;
        heir->state = LOADS;
        return;
    }
    flight_unlink(f);
    f->cache->flying--; /* it never ends; its memory goes with the cache's */
    f->cache->out--;
}

void ebb__flights_forked(ebb_cache *c)
{
    for (size_t i = 0; i < FLIGHT_LISTS; i++)
        for (flight *f = c->flights[i], *next; f; f = next) {
            next = f->next;
            inherit(f);
        }
}

/* ---- ending a load --------------------------------------------------------------------------- */

static void count_load(ebb_cache *c, const flight *f, int code)
{
    c->stats.loads++;
    c->stats.failures += code != 0;
    c->stats.load_us[us_bin(os_clock_ns() - f->began_ns, EBB_CACHE_LOAD_BINS)]++;
}

static bool is_held_back(ebb_cache *c)
{
    if (likely(ebb__epoch_bytes() <= c->params.max_deferred)) return false;
    os_unlock(&c->lock); /* what goes may be this cache's */
    ebb__epoch_collect();
    os_lock(&c->lock);
    return ebb__epoch_bytes() > c->params.max_deferred;
}

static void note_held_back(ebb_cache *c)
{
    ebb__epoch_stats s;
    ebb__epoch_get_stats(&s);
    c->stats.held_back++;
    c->stats.held_back_by = s.oldest;
}

/* Somebody who waits for this thread may be the very reader that holds back what it would wait for.
   So who waits for this load has the value at once; and if others wait for this thread, it does not
   wait. */
static int wait_for_room(flight *f, const request *q)
{
    ebb_cache *c = f->cache;
    os_cond_t never;
    int code = EBB_OK;
    os_cond_init(&never);
    while (code == EBB_OK && is_held_back(c)) {
        uint64_t time = os_clock_ns();
        serve(f, EBB_OK);
        if (time >= q->how->deadline_ns) code = EBB_E_TIMEOUT;
        else if (ebb__epoch_is_oldest(q->arena) || is_awaited(ebb__self)) code = EBB_E_EXHAUSTED;
        else os_cond_wait(&never, &c->lock, time + ROOM_POLL_NS);
    }
    os_cond_destroy(&never);
    return code;
}

/* Whether it may be taken in, and what becomes of the load. @q NULL: it can't wait. */
static bool may_enter(flight *f, const request *q, int *code)
{
    ebb_cache *c = f->cache;
    const entry *e = f->entry;
    size_t bytes = ebb__entry_bytes(e);
    if (c->params.max_bytes && bytes > c->params.max_bytes) return false;
    if (!ebb__policy_is_over(&c->policy, 1, bytes) || !is_held_back(c)) return true;
    note_held_back(c);
    switch (c->params.when_full) {
    case EBB_FULL_ADMIT: return true;
    case EBB_FULL_BYPASS: return false;
    case EBB_FULL_FAIL: *code = EBB_E_EXHAUSTED; return false;
    case EBB_FULL_WAIT: break;
    }
    if (q) *code = wait_for_room(f, q);
    return q && *code == EBB_OK;
}

static uint64_t expiry(const ebb_cache *c, uint32_t ttl_ms)
{
    return ttl_ms ? ebb__cache_now(c) + ttl_ms : UINT64_MAX;
}

/* The lock may be given up for a while; the flight is doomed if its back is NULL afterwards. */
static void settle(flight *f, const request *q, int *code, ebb__retired **gone)
{
    ebb_cache *c = f->cache;
    entry *e = f->entry;
    bool value = *code == 0, failure = *code > 0 && c->params.negative_ttl_ms;
    bool fits = value && may_enter(f, q, code);
    bool kept = f->back && ((fits && *code == 0) || failure);
    if (failure) e->code = *code;
    e->expires = expiry(c, failure ? c->params.negative_ttl_ms : c->params.ttl_ms);
    if (kept) ebb__cache_admit(c, e, gone);
    else if (value) ebb__entry_put_gone(e, gone);
    c->stats.bypassed += value && !kept && *code == 0;
    serve(f, *code);
    if (!kept && !value) ebb__entry_free(c, e);
}

/* End the load of @f with @code, or with @value, which is taken. */
static outcome finish(flight *f, int code, ebb_shared *value, const request *q, bool counts)
{
    ebb_cache *c = f->cache;
    ebb__retired *gone = NULL;
    os_lock(&c->lock);
    count_load(c, f, code);
    f->entry->value = value;
    f->entry->root = value ? ebb_shared_get(value) : NULL;
    entry *e = f->entry;
    settle(f, q, &code, &gone);
    outcome o = code == 0 ? outcome_of(code, e, counts) : (outcome){code, NULL, NULL};
    flight_free(f);
    os_unlock(&c->lock);
    ebb__cache_retire(gone);
    return o;
}

/* What was given becomes the scope's. */
static int give(ebb_arena *a, outcome *got, const void **ret_root)
{
    if (got->code != 0) return got->code;
    if (got->held) {
        bool held = ebb_shared_hold_for(got->held, a);
        ebb_shared_drop(&got->held);
        if (!held) return ebb_failed(a) ? ebb_failed(a) : EBB_E_MEMORY;
    }
    *ret_root = got->root;
    return 0;
}

/* ---- running a loader ------------------------------------------------------------------------ */

typedef struct run {
    ebb_cleanup guard;
    flight *flight; /* NULL: it is over */
    ebb_arena *into;
    const request *request;
    const void *root;
} run;

static void left_by_a_raise(ebb_cleanup *c)
{
    run *r = EBB_CONTAINER(c, run, guard);
    if (!r->flight) return;
    ebb_arena_destroy(&r->into);
    abandon(r->flight);
}

static int call(ebb_arena *into, void *arg)
{
    run *r = arg;
    const request *q = r->request;
    EBB_ENTER(into);
    return q->how->fn(q->how->ctx, into, q->probe.key, &r->root);
}

/* The program's own codes are above 0, failures of Ebb's below; a value that can't be sealed is
   one. */
static ebb_shared *seal(ebb_arena **into, const void *root, int *code)
{
    ebb_status why = EBB_OK;
    if (*code == 0 && !root) {
        ebb__report(EBB_MISUSE, "a loader", *into,
                    "it says 0, but made nothing: *ret_root is NULL");
        *code = EBB_E_INVALID;
    }
    ebb_shared *s = *code == 0 ? ebb_shared_seal(into, root, &why) : NULL;
    if (why != EBB_OK) *code = why;
    if (*into) ebb_arena_destroy(into);
    return s;
}

static outcome load_guarded(const request *q, flight *f, ebb_arena *guard)
{
    run r = {.flight = f, .request = q};
    if (!ebb_cleanup_pin(guard, &r.guard, left_by_a_raise)) {
        abandon(f);
        return (outcome){EBB_E_MEMORY, NULL, NULL};
    }
    r.into = ebb_shared_begin(q->cache->name);
    int code = ebb_try(r.into, call, &r);
    r.flight = NULL;
    ebb_shared *value = seal(&r.into, r.root, &code);
    outcome o = finish(f, code, value, q, q->counts);
    ebb_cleanup_remove(&r.guard);
    return o;
}

static outcome load_here(const request *q, flight *f)
{
    EBB_SCOPE(guard, NULL);
    return load_guarded(q, f, guard);
}

/* ---- ebb_cache_load -------------------------------------------------------------------------- */

static bool is_refused(ebb_cache *c, ebb_key key, const char *function)
{
    const char *why = NULL;
    uint32_t sort = atomic_load_explicit(&c->sort, memory_order_relaxed);
    if (key.ptr == ebb__no_key)
        why = "the key is a symbol local to a request, which means nothing to others: promote it";
    else if (sort != NO_SORT && !is_of_sort(c, key))
        why = "the key is a number and those of this cache are texts, or the other way round";
    if (why) ebb__report_named(EBB_MISUSE, function, c->name, "%s", why);
    return why != NULL;
}

/* With the lock: an entry is what is wanted. */
static outcome outcome_found(ebb_cache *c, entry *e, bool counts)
{
    ebb__policy_touch(&c->policy, &e->node);
    c->stats.negative_hits += e->code != 0;
    return outcome_of(e->code, e, counts);
}

/* With the lock. True: the load is the request's own now. */
static bool block(request *q, flight *f)
{
    ebb_cache *c = q->cache;
    os_cond_t cond;
    waiter w = {.counts = q->counts, .who = ebb__self, .cond = &cond, .on = f};
    if (!graph_enter(&w, f)) {
        q->got.code = EBB_E_CYCLE;
        return false;
    }
    os_cond_init(&cond);
    join(f, &w);
    while (w.state == WAITING)
        if (!os_cond_wait(&cond, &c->lock, q->how->deadline_ns) && w.state == WAITING) break;
    os_cond_destroy(&cond);
    if (w.state == WAITING) {
        part(f, &w);
        graph_leave(&w);
        w.got.code = EBB_E_TIMEOUT;
    }
    q->got = w.got;
    return w.state == LOADS;
}

/* What is there by now, or what another's load comes to; a flight: load it. */
static flight *meet(request *q)
{
    ebb_cache *c = q->cache;
    ebb__retired *gone = NULL;
    os_lock(&c->lock);
    entry *e = ebb__cache_seek(c, &q->probe, &gone);
    flight *f = e ? NULL : flight_of(c, &q->probe);
    if (e) {
        q->got = outcome_found(c, e, q->counts);
    } else if (!f) {
        f = flight_new(c, &q->probe);
        if (!f) q->got.code = EBB_E_MEMORY;
    } else if (!block(q, f)) {
        f = NULL;
    }
    os_unlock(&c->lock);
    ebb__cache_retire(gone);
    return f;
}

int ebb_cache_load(ebb_cache *c, ebb_arena *a, ebb_key key, const ebb_cache_load_params *how,
                   const void **ret_root)
{
    if (is_refused(c, key, "ebb_cache_load")) return EBB_E_INVALID;
    if (a != &ebb__dead && !ebb__check_usable(a, "ebb_cache_load")) return EBB_E_INVALID;
    const void *root = ebb_cache_find(c, a, key);
    if (root) {
        *ret_root = root;
        return 0;
    }
    enum manner manner = ebb__thread_get() ? ebb__cache_manner(a, "ebb_cache_load") : CANNOT;
    if (manner == CANNOT) return ebb__epoch_refuses(a);
    request q = {
        .cache = c, .arena = a, .probe = probe_of(c, key), .how = how, .counts = manner == COUNTS};
    flight *f = meet(&q);
    if (f) q.got = load_here(&q, f);
    return give(a, &q.got, ret_root);
}

/* ---- tickets --------------------------------------------------------------------------------- */

static void forsake(ebb_ticket *t)
{
    ebb_cache *c = t->cache;
    os_lock(&c->lock);
    enum state state = t->wait.state;
    t->wait.state = OVER;
    if (state == WAITING) part(t->wait.on, &t->wait);
    if (state == LOADS) pass_on(t->wait.on);
    os_unlock(&c->lock);
    if (t->into) ebb_arena_destroy(&t->into);
    ebb_shared_drop(&t->wait.got.held);
    ebb__cache_release(c);
}

static void scope_ended(ebb_cleanup *c)
{
    forsake(EBB_CONTAINER(c, ebb_ticket, hold));
}

static void ticket_end(ebb_ticket *t)
{
    ebb_cleanup_remove(&t->hold);
    ebb__cache_release(t->cache);
}

/* A copy of a handle that is over. Its cache may be gone. */
static bool is_stale(const ebb_ticket *t, const char *function)
{
    if (likely(t->hold.back != NULL)) return false;
    ebb__report_named(EBB_MISUSE, function, "?",
                      "%p was fulfilled, taken or cancelled already; null every copy of the handle",
                      (const void *)t);
    return true;
}

static ebb_ticket *ticket_in(ebb_cache *c, ebb_arena *a, const ebb_cache_notice *notice)
{
    ebb_ticket *t = ebb__check_usable(a, "ebb_cache_claim")
                        ? ebb__obtain(a, sizeof *t, _Alignof(ebb_ticket), MODE_OPTIONAL, CALLER)
                        : NULL;
    if (!t) return NULL;
    memset(t, 0, sizeof *t);
    t->cache = c;
    t->arena = a;
    t->wait.state = OVER;
    t->wait.who = ebb__self;
    if (notice) t->wait.notice = *notice;
    return ebb_cleanup_add(a, &t->hold, scope_ended) ? t : NULL;
}

/* With the lock. */
static ebb_status claim(ebb_ticket *t, const probe *p, ebb__retired **gone)
{
    ebb_cache *c = t->cache;
    if (ebb__cache_seek(c, p, gone)) return EBB_E_DUPLICATE;
    flight *f = flight_of(c, p);
    if (f) {
        join(f, &t->wait);
        return EBB_E_EXHAUSTED;
    }
    t->wait.on = flight_new(c, p);
    if (!t->wait.on) return EBB_E_MEMORY;
    t->wait.state = LOADS;
    return EBB_OK;
}

ebb_status ebb_cache_claim(ebb_cache *c, ebb_arena *a, ebb_key key, const ebb_cache_notice *notice,
                           ebb_ticket **ret_ticket)
{
    *ret_ticket = NULL;
    if (is_refused(c, key, "ebb_cache_claim")) return EBB_E_INVALID;
    enum manner manner = ebb__thread_get() ? ebb__cache_manner(a, "ebb_cache_claim") : CANNOT;
    ebb_ticket *t = manner == CANNOT ? NULL : ticket_in(c, a, notice);
    if (!t) return ebb__epoch_refuses(a);
    t->wait.counts = manner == COUNTS;
    probe p = probe_of(c, key);
    ebb__retired *gone = NULL;
    os_lock(&c->lock);
    c->out++; /* the ticket may outlive the cache */
    ebb_status is = claim(t, &p, &gone);
    os_unlock(&c->lock);
    ebb__cache_retire(gone);
    if (is != EBB_OK && is != EBB_E_EXHAUSTED) ticket_end(t);
    else *ret_ticket = t;
    return is;
}

static enum state state_of(const ebb_ticket *t)
{
    os_lock(&t->cache->lock);
    enum state state = t->wait.state;
    os_unlock(&t->cache->lock);
    return state;
}

ebb_arena *ebb_ticket_arena(ebb_ticket *t)
{
    if (is_stale(t, "ebb_ticket_arena") || state_of(t) != LOADS) return NULL;
    if (!t->into) t->into = ebb_shared_begin(t->cache->name);
    return t->into;
}

/* The arena that has it now: who has adopted its own has adopted the ticket. */
static ebb_arena *arena_of(const ebb_ticket *t)
{
    ebb_arena *a = t->arena;
    while (a->bits & ADOPTED) a = a->parent;
    return a;
}

static int fulfil(ebb_ticket *t, int code, const void *root, const void **ret_root)
{
    if (!t->into) t->into = ebb_shared_begin(t->cache->name);
    ebb_shared *value = seal(&t->into, root, &code);
    outcome got = finish(t->wait.on, code, value, NULL, t->wait.counts);
    t->wait.state = OVER;
    ticket_end(t);
    return give(arena_of(t), &got, ret_root);
}

const void *ebb_cache_fulfil(ebb_ticket **ticket, int code, const void *root, int *ret_code)
{
    ebb_ticket *t = *ticket;
    *ticket = NULL;
    int is = EBB_E_INVALID;
    const void *found = NULL;
    bool stale = !t || is_stale(t, "ebb_cache_fulfil");
    if (!stale && state_of(t) == LOADS) {
        is = fulfil(t, code, root, &found);
    } else if (!stale) {
        ebb__report_named(EBB_MISUSE, "ebb_cache_fulfil", t->cache->name, "%s",
                          "the ticket waits for another's load; it has nothing to fulfil");
        ebb_ticket_cancel(&t);
    }
    if (ret_code) *ret_code = is;
    return found;
}

int ebb_ticket_take(ebb_ticket **ticket, const void **ret_root)
{
    ebb_ticket *t = *ticket;
    if (!t || is_stale(t, "ebb_ticket_take")) {
        *ticket = NULL;
        return EBB_E_INVALID;
    }
    enum state state = state_of(t);
    if (state == WAITING) return EBB_E_EXHAUSTED;
    if (state == LOADS) return EBB_E_DUPLICATE;
    *ticket = NULL;
    ticket_end(t);
    return give(arena_of(t), &t->wait.got, ret_root);
}

void ebb_ticket_cancel(ebb_ticket **ticket)
{
    ebb_ticket *t = *ticket;
    *ticket = NULL;
    if (!t || is_stale(t, "ebb_ticket_cancel")) return;
    ebb_cleanup_remove(&t->hold);
    forsake(t);
}
