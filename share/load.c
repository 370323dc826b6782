/*
 * share/load.c: a key that is missed by many is loaded by one of them.
 *
 * Who finds neither an entry nor a flight makes the flight, and loads: a thread in ebb_cache_load,
 * or whoever holds a ticket. Others queue up at the flight. When it is settled all of them get what
 * came of it; when its loader leaves without settling it (ebb_raise, a thread's exit, the end of a
 * ticket's scope) the first thread that waits becomes the loader.
 *
 * A thread that waits says for which flight, and a flight which thread loads it: who is about to
 * wait follows these, and if they lead to itself waiting would never end.
 */
#include "cache_internal.h"

#include <string.h>

/* A thread that loads or waits. */
typedef struct caller {
    flight *waits_for;
} caller;

static _Thread_local caller me;
static os_lock_t waits = OS_LOCK_INIT; /* all `waits_for`, all `loader` */

enum waiter_state { WAITING, DONE, LOADS };

typedef struct waiter {
    struct waiter *next;
    flight *flight; /* while it waits */
    ebb_key key;    /* by which it would load */
    enum waiter_state state;
    bool counts; /* its scope lives long */
    int code;
    const void *root;
    ebb_shared *held; /* a reference for it, where the value was not taken in, or it counts */
    caller *caller;   /* who blocks on `cond`; NULL: a ticket */
    os_cond_t cond;
    ebb_cache_notice notice;
} waiter;

/* Lies in a handle. */
struct flight {
    flight *next;
    ebb_cache *cache;
    ebb_key key; /* the loader's */
    uint64_t hash;
    caller *loader; /* NULL: a ticket */
    ebb_arena *into;
    waiter *first, **last;
    uint64_t began_ns;
    ebb_cleanup guard; /* tied to what ends when the loader leaves */
    bool is_spoilt;    /* removed meanwhile: not to be taken in */
};
_Static_assert(sizeof(flight) <= HANDLE_SIZE, "a flight lies in a handle");

struct ebb_ticket {
    ebb_cleanup hold;
    ebb_cache *cache;
    ebb_arena *arena;
    ebb_key key;
    uint64_t hash;
    flight *flight; /* that it is to settle, */
    waiter waiter;  /* or NULL: it waits */
};

/* ---- flights, with the part's lock held ------------------------------------------------------ */

static flight *flight_find(const part *p, ebb_key key, uint64_t hash)
{
    flight *f = p->flights;
    while (f && (f->hash != hash || !same_key(f->key, key) || f->is_spoilt)) f = f->next;
    return f;
}

static flight *flight_new(ebb_cache *c, ebb_key key, uint64_t hash, caller *loader)
{
    part *p = part_of(c, hash);
    flight *f = ebb__handle_new();
    if (!f) return NULL;
    memset(f, 0, sizeof *f);
    f->cache = c;
    f->key = key;
    f->hash = hash;
    f->loader = loader;
    f->last = &f->first;
    f->began_ns = os_clock_ns();
    f->next = p->flights;
    p->flights = f;
    return f;
}

static void flight_unlink(part *p, flight *f)
{
    flight **at = &p->flights;
    while (*at != f) at = &(*at)->next;
    *at = f->next;
}

size_t ebb__flights_count(const part *p)
{
    size_t n = 0;
    for (const flight *f = p->flights; f; f = f->next) n++;
    return n;
}

void ebb__flights_spoil(part *p, const ebb_key *key)
{
    for (flight *f = p->flights; f; f = f->next)
        if (!key || same_key(f->key, *key)) f->is_spoilt = true;
}

static void enqueue(part *p, flight *f, waiter *w)
{
    w->next = NULL;
    w->flight = f;
    w->state = WAITING;
    *f->last = w;
    f->last = &w->next;
    p->waiting++;
}

static void dequeue(part *p, flight *f, waiter *w)
{
    waiter **at = &f->first;
    while (*at != w) at = &(*at)->next;
    *at = w->next;
    if (!w->next) f->last = at;
    p->waiting--;
}

static void tell(waiter *w)
{
    if (w->caller) os_cond_signal(&w->cond);
    if (w->notice.fn) w->notice.fn(w->notice.ctx);
    if (w->notice.has_eventfd) os_event_write(w->notice.eventfd);
}

/* It waits no longer. */
static void release(part *p, flight *f, waiter *w, enum waiter_state state)
{
    dequeue(p, f, w);
    w->state = state;
    if (w->caller) {
        os_lock(&waits);
        w->caller->waits_for = NULL;
        if (state == LOADS) f->loader = w->caller;
        os_unlock(&waits);
    }
    if (state == LOADS) f->key = w->key;
    tell(w);
}

/* Whether waiting for f would wait for this thread. If not it is noted that it does. */
static bool closes_a_ring(flight *f)
{
    bool ring = false;
    os_lock(&waits);
    for (const flight *g = f; g && g->loader && !ring; g = g->loader->waits_for)
        ring = g->loader == &me;
    if (!ring) me.waits_for = f;
    os_unlock(&waits);
    return ring;
}

/* ---- without it ------------------------------------------------------------------------------ */

/* Its loader has left. */
static void abandon(flight *f)
{
    part *p = part_of(f->cache, f->hash);
    ebb_arena *into = f->into;
    f->into = NULL;
    if (into && ebb_scope_current() == into) ebb_scope_leave(NULL);
    if (into) ebb_scope_attach(into);
    ebb_arena_destroy(&into);
    os_lock(&p->lock);
    for (waiter *w = f->first, *next; w; w = next) {
        next = w->next;
        if (!w->caller) release(p, f, w, DONE); /* a ticket: its holder claims again */
    }
    waiter *heir = f->first;
    if (heir) release(p, f, heir, LOADS);
    else flight_unlink(p, f);
    os_unlock(&p->lock);
    if (!heir) ebb__handle_free(f);
}

static void loader_left(ebb_cleanup *guard)
{
    abandon(EBB_CONTAINER(guard, flight, guard));
}

/* A value, or a failure to be remembered, in an arena with the key's text. NULL: *code says why. */
static ebb_shared *seal(ebb_arena **into, ebb_key *key, const void *root, int *code)
{
    ebb_status why = EBB_OK;
    if (key->ptr) {
        char *text = ebb_failed(*into) ? NULL : ebb_alloc(*into, key->n ? (size_t)key->n : 1);
        if (text && key->n) memcpy(text, key->ptr, (size_t)key->n);
        key->ptr = text;
        if (!text) why = ebb_failed(*into) ? ebb_failed(*into) : EBB_E_MEMORY;
    }
    ebb_shared *s = why == EBB_OK ? ebb_shared_seal(into, root, &why) : NULL;
    if (!s) *code = why;
    return s;
}

/* What is to be taken in; NULL: nothing, or there is no memory for it, which harms nobody. */
static entry *entry_for(flight *f, int *code, const void *root, ebb_shared **ret_value)
{
    ebb_cache *c = f->cache;
    ebb_key key = f->key;
    ebb_shared *s = NULL;
    if (*code == 0) {
        s = *ret_value = seal(&f->into, &key, root, code);
    } else if (*code > 0 && c->params.negative_ttl_ms) {
        int ignored;
        ebb_arena *a = ebb_shared_begin(c->name);
        s = seal(&a, &key, NULL, &ignored);
        if (!s) ebb_arena_destroy(&a);
    }
    if (!s) return NULL;
    entry *e = ebb__entry_new(c, key, f->hash, *ret_value ? ebb_shared_hold(s) : s, *code);
    if (!e && !*ret_value) ebb_shared_drop(&s);
    if (!e && *ret_value) atomic_fetch_sub(&s->strong, 1); /* the one just added */
    return e;
}

static void count_load(part *p, const flight *f, int code)
{
    unsigned bin = 0;
    for (uint64_t us = (os_clock_ns() - f->began_ns) / 1000;
         us > 1 && bin < EBB_CACHE_LOAD_BINS - 1; us /= 2)
        bin++;
    p->loads++;
    p->load_us[bin]++;
    p->failures += code != 0;
}

/* What came of the load, to all who wait for it. */
static void deliver(part *p, flight *f, int code, ebb_shared *value, bool is_in)
{
    while (f->first) {
        waiter *w = f->first;
        w->code = code;
        w->root = value ? ebb_shared_get(value) : NULL;
        bool holds = value && w->caller && (!is_in || w->counts);
        w->held = holds ? ebb_shared_hold(value) : NULL;
        release(p, f, w, DONE);
    }
}

/* The value for `a`, which reads, or counts; *value is dropped. */
static const void *keep_for(ebb_arena *a, ebb_shared **value, bool is_in, int *code)
{
    const void *root = ebb_shared_get(*value);
    if (!is_in || ebb__is_long_lived(a)) root = ebb_shared_hold_for(*value, a);
    ebb_shared_drop(value);
    if (!root) *code = EBB_E_MEMORY;
    return root;
}

/* The load has ended with `code`. Return that, or what else went wrong. */
static int settle(flight *f, ebb_arena *a, int code, uint64_t deadline_ns, const void **root)
{
    ebb_cache *c = f->cache;
    part *p = part_of(c, f->hash);
    outgoing out = {NULL, NULL};
    ebb_shared *value = NULL;
    if (code == 0 && !*root) code = EBB_E_INVALID;
    entry *e = entry_for(f, &code, *root, &value);
    ebb_status room = e ? ebb__cache_room(c, p, ebb_shared_bytes(e->shared), deadline_ns) : EBB_OK;
    if (room != EBB_OK && room != EBB_E_LIMIT && code == 0) code = room;
    os_lock(&p->lock);
    bool is_in = e && room == EBB_OK && !f->is_spoilt && ebb__entry_put(p, e, &out);
    flight_unlink(p, f);
    count_load(p, f, code);
    p->bypassed += code == 0 && !is_in;
    deliver(p, f, code, code == 0 ? value : NULL, is_in);
    os_unlock(&p->lock);
    ebb__cache_retire(&out);
    if (e && !is_in) ebb__entry_free(e);
    ebb_arena *into = f->into;
    ebb_arena_destroy(&into);
    ebb__handle_free(f);
    *root = value && code == 0 ? keep_for(a, &value, is_in, &code) : NULL;
    ebb_shared_drop(&value);
    return code;
}

/* ---- a thread loads -------------------------------------------------------------------------- */

/* What ebb_cache_load was called with. */
typedef struct call {
    ebb_cache *cache;
    ebb_arena *arena;
    ebb_key key;
    uint64_t hash;
    const ebb_cache_load_params *how;
} call;

static ebb_profile loading = EBB_PROFILE("load of a cache");

/* A lexical scope ends however fn leaves, and with it ends this thread's duty. */
static int run(flight *f, const call *it, const void **ret_root)
{
    const void *root = NULL;
    ebb__lexical frame;
    ebb_arena *guard = ebb__lexical_begin(&frame, &loading);
    f->into = ebb_shared_begin(it->cache->name);
    bool guarded = ebb_cleanup_add(guard, &f->guard, loader_left);
    int code = guarded ? 0 : EBB_E_MEMORY;
    if (guarded) {
        ebb_arena *before = ebb_scope_enter(f->into);
        code = it->how->fn(it->how->ctx, f->into, it->key, &root);
        ebb_scope_leave(before);
        ebb_cleanup_remove(&f->guard);
    }
    ebb__lexical_end(&frame);
    code = settle(f, it->arena, code, it->how->deadline_ns, &root);
    if (code == 0) *ret_root = root;
    return code;
}

static int have_delivered(waiter *w, ebb_arena *a, const void **ret_root)
{
    const void *root = w->root;
    if (w->code == 0 && w->held) root = keep_for(a, &w->held, false, &w->code);
    if (w->code == 0) *ret_root = root;
    return w->code;
}

/* Locked by the caller, unlocked here. */
static int wait_for(flight *f, const call *it, const void **ret_root)
{
    part *p = part_of(it->cache, it->hash);
    waiter w;
    if (closes_a_ring(f)) {
        os_unlock(&p->lock);
        return EBB_E_CYCLE;
    }
    memset(&w, 0, sizeof w);
    w.caller = &me;
    w.key = it->key;
    w.counts = ebb__is_long_lived(it->arena);
    os_cond_init(&w.cond);
    enqueue(p, f, &w);
    while (w.state == WAITING)
        if (!os_cond_wait(&w.cond, &p->lock, it->how->deadline_ns) && w.state == WAITING) {
            w.code = EBB_E_TIMEOUT;
            release(p, f, &w, DONE);
        }
    os_unlock(&p->lock);
    os_cond_destroy(&w.cond);
    return w.state == LOADS ? run(f, it, ret_root) : have_delivered(&w, it->arena, ret_root);
}

/* With the lock held: what is there now. True: *code and *ret_root say it. */
static bool is_there(const call *it, outgoing *out, int *code, const void **ret_root)
{
    part *p = part_of(it->cache, it->hash);
    entry *e = ebb__entry_current(it->cache, p, it->key, it->hash, out);
    if (!e) return false;
    const void *root = e->root;
    *code = e->code;
    p->negative_hits += e->code != 0;
    if (root && ebb__is_long_lived(it->arena)) root = ebb_shared_hold_for(e->shared, it->arena);
    if (e->code == 0 && !root) *code = EBB_E_MEMORY;
    if (*code == 0) *ret_root = root;
    return true;
}

static int load(const call *it, const void **ret_root)
{
    part *p = part_of(it->cache, it->hash);
    outgoing out = {NULL, NULL};
    int code = EBB_E_MEMORY;
    os_lock(&p->lock);
    bool there = is_there(it, &out, &code, ret_root);
    flight *f = there ? NULL : flight_find(p, it->key, it->hash);
    if (f) {
        code = wait_for(f, it, ret_root);
        ebb__cache_retire(&out);
        return code;
    }
    if (!there) f = flight_new(it->cache, it->key, it->hash, &me);
    os_unlock(&p->lock);
    ebb__cache_retire(&out);
    return f ? run(f, it, ret_root) : code;
}

/* Whether `a` may be given what others may take away: it reads, or it counts. */
static bool may_read(ebb_arena *a)
{
    return ebb__epoch_enter(a) || ebb__is_long_lived(a);
}

int ebb_cache_load(ebb_cache *c, ebb_arena *a, ebb_key key, const ebb_cache_load_params *how,
                   const void **ret_root)
{
    if (!ebb__cache_takes(c, key, "ebb_cache_load")) return EBB_E_INVALID;
    const void *found = ebb_cache_find(c, a, key);
    if (found) {
        *ret_root = found;
        return 0;
    }
    if (!may_read(a)) return EBB_E_MEMORY;
    const call it = {c, a, key, hash_of(c, key), how};
    return load(&it, ret_root);
}

/* ---- a ticket -------------------------------------------------------------------------------- */

static void ticket_end(ebb_ticket *t)
{
    part *p = part_of(t->cache, t->hash);
    flight *f = t->flight;
    t->flight = NULL;
    if (f) {
        abandon(f);
        return;
    }
    os_lock(&p->lock);
    if (t->waiter.state == WAITING) dequeue(p, t->waiter.flight, &t->waiter);
    t->waiter.state = DONE;
    os_unlock(&p->lock);
}

static void scope_ended(ebb_cleanup *c)
{
    ticket_end(EBB_CONTAINER(c, ebb_ticket, hold));
}

/* With a copy of the key's text behind it. It has no duty yet, and does not wait. */
static ebb_ticket *ticket_in(ebb_arena *a, ebb_key key)
{
    size_t text = key.ptr ? (size_t)key.n : 0;
    bool fits = ebb__check_usable(a, "ebb_cache_claim") && !ebb_failed(a) && text < SIZE_MAX / 2;
    ebb_ticket *t =
        fits ? ebb__obtain(a, sizeof *t + text, _Alignof(ebb_ticket), MODE_OPTIONAL, CALLER) : NULL;
    if (!t) return NULL;
    memset(t, 0, sizeof *t);
    t->waiter.state = DONE;
    t->arena = a;
    t->key = key;
    if (text) t->key.ptr = memcpy(t + 1, key.ptr, text);
    return ebb_cleanup_add(a, &t->hold, scope_ended) ? t : NULL;
}

static ebb_status take_on(ebb_ticket *t, outgoing *out)
{
    part *p = part_of(t->cache, t->hash);
    if (ebb__entry_current(t->cache, p, t->key, t->hash, out)) return EBB_E_DUPLICATE;
    flight *f = flight_find(p, t->key, t->hash);
    if (f) {
        enqueue(p, f, &t->waiter);
        return EBB_E_EXHAUSTED;
    }
    t->flight = flight_new(t->cache, t->key, t->hash, NULL);
    return t->flight ? EBB_OK : EBB_E_MEMORY;
}

ebb_status ebb_cache_claim(ebb_cache *c, ebb_arena *a, ebb_key key, const ebb_cache_notice *notice,
                           ebb_ticket **ret_ticket)
{
    outgoing out = {NULL, NULL};
    *ret_ticket = NULL;
    if (!ebb__cache_takes(c, key, "ebb_cache_claim")) return EBB_E_INVALID;
    ebb_ticket *t = may_read(a) ? ticket_in(a, key) : NULL;
    if (!t) return ebb_failed(a) ? ebb_failed(a) : EBB_E_MEMORY;
    t->cache = c;
    t->hash = hash_of(c, key);
    if (notice) t->waiter.notice = *notice;
    part *p = part_of(c, t->hash);
    os_lock(&p->lock);
    ebb_status why = take_on(t, &out);
    os_unlock(&p->lock);
    ebb__cache_retire(&out);
    if (why == EBB_OK) t->flight->into = ebb_shared_begin(c->name);
    if (why == EBB_OK || why == EBB_E_EXHAUSTED) *ret_ticket = t;
    else ebb_cleanup_remove(&t->hold);
    return why;
}

ebb_arena *ebb_ticket_arena(ebb_ticket *t)
{
    return t->flight ? t->flight->into : NULL;
}

const void *ebb_cache_fulfil(ebb_ticket **ticket, int code, const void *root, int *ret_code)
{
    ebb_ticket *t = *ticket;
    flight *f = t ? t->flight : NULL;
    *ticket = NULL;
    if (!f) {
        ebb__report_named(EBB_MISUSE, "ebb_cache_fulfil", t ? t->cache->name : "?",
                          "this ticket has no load to end: it waits, or was fulfilled already");
        if (ret_code) *ret_code = EBB_E_INVALID;
        return NULL;
    }
    ebb_arena *a = t->arena; /* or who has adopted it since, and the ticket with it */
    while (a->bits & ADOPTED) a = a->parent;
    ebb_cleanup_remove(&t->hold);
    t->flight = NULL;
    code = settle(f, a, code, 0, &root);
    if (ret_code) *ret_code = code;
    return code == 0 ? root : NULL;
}

void ebb_ticket_cancel(ebb_ticket **ticket)
{
    ebb_ticket *t = *ticket;
    *ticket = NULL;
    if (!t) return;
    ebb_cleanup_remove(&t->hold);
    ticket_end(t);
}
