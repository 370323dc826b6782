/*
 * share/canon.c: one object for each content. A hash table of weak references in parts, each with a
 * lock, with linear probing. An entry whose object has ended is passed over, taken by the next one
 * entered on its way, or dropped when its part grows.
 *
 * Whoever looks holds the object before it is compared, so that it can't end meanwhile. If it is
 * not the one, that hold is dropped; should it be the last by then, the object ends after the part
 * is unlocked, since its cleanups may come here.
 *
 * Invariant: at most three quarters of a part's slots are used, so every search finds a free one.
 */
#include "internal.h"

#include <ebb/storage.h>

#include <string.h>

enum { PARTS = 16, PART_SHIFT = 60, LEAST_SLOTS = 16 };

typedef struct slot {
    uint64_t hash;
    ebb_shared *s; /* held weakly; NULL: free */
} slot;

typedef struct part {
    _Alignas(64) os_lock_t lock;
    ebb_storage room;
    size_t slots, used; /* slots: a power of two, or 0 */
} part;

struct ebb_canon {
    part part[PARTS];
    os_lock_t lock; /* of the arena, within a part's */
    ebb_arena *arena;
    ebb_canon *next, *previous;
};

static os_lock_t lock = OS_LOCK_INIT; /* the list; before a part's */
static ebb_canon *all;

/* ---- life ------------------------------------------------------------------------------------ */

void ebb__canon_lock_all(void)
{
    os_lock(&lock);
    for (ebb_canon *c = all; c; c = c->next) {
        for (int i = 0; i < PARTS; i++) os_lock(&c->part[i].lock);
        os_lock(&c->lock);
    }
}

void ebb__canon_unlock_all(void)
{
    for (ebb_canon *c = all; c; c = c->next) {
        os_unlock(&c->lock);
        for (int i = 0; i < PARTS; i++) os_unlock(&c->part[i].lock);
    }
    os_unlock(&lock);
}

static void enlist(ebb_canon *c)
{
    os_lock(&lock);
    c->next = all;
    if (all) all->previous = c;
    all = c;
    os_unlock(&lock);
}

static void unlist(ebb_canon *c)
{
    os_lock(&lock);
    if (c->previous) c->previous->next = c->next;
    else all = c->next;
    if (c->next) c->next->previous = c->previous;
    os_unlock(&lock);
}

ebb_canon *ebb_canon_create(void)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = "ebb_canon";
    params.size = sizeof(ebb_canon) + CONTROL_SIZE;
    ebb__share_prepare();
    ebb_arena *a = ebb_arena_create(&params);
    ebb_canon *c = ebb_failed(a) ? NULL : ebb_alloc_aligned(a, sizeof *c, _Alignof(ebb_canon));
    if (!c) {
        ebb_arena_destroy(&a);
        return NULL;
    }
    memset(c, 0, sizeof *c);
    c->arena = a;
    os_lock_init(&c->lock);
    for (int i = 0; i < PARTS; i++) os_lock_init(&c->part[i].lock);
    enlist(c);
    return c;
}

static void forget(ebb_shared *s)
{
    ebb_weak *w = (ebb_weak *)(void *)s;
    ebb_weak_drop(&w);
}

void ebb_canon_destroy(ebb_canon **handle)
{
    ebb_canon *c = *handle;
    *handle = NULL;
    if (!c) return;
    unlist(c);
    for (int i = 0; i < PARTS; i++) {
        const slot *at = c->part[i].room.ptr;
        for (size_t n = c->part[i].slots; n > 0; n--, at++)
            if (at->s) forget(at->s);
    }
    ebb_arena *a = c->arena;
    ebb_scope_attach(a);
    ebb_arena_destroy(&a);
}

/* ---- searching ------------------------------------------------------------------------------- */

typedef struct query {
    uint64_t hash;
    ebb_canon_fn *is;
    void *ctx;
    ebb_shared *loose; /* to be ended when the part is unlocked */
} query;

static part *part_of(ebb_canon *c, uint64_t hash)
{
    return &c->part[hash >> PART_SHIFT];
}

static bool is_it(query *q, ebb_shared *s)
{
    if (!ebb__shared_try_hold(s)) return false;
    if (q->is(q->ctx, s->root)) return true;
    if (ebb__shared_let_go(s, ONE_HOLDER, "ebb_canon_find")) ebb__shared_end_later(s, &q->loose);
    return false;
}

/* The object, held; or NULL, and *ret_to is where it may be entered, NULL if there is no table. */
static ebb_shared *search(const part *p, query *q, slot **ret_to)
{
    slot *slots = p->room.ptr;
    *ret_to = NULL;
    for (size_t i = q->hash; p->slots; i++) {
        slot *at = &slots[i & (p->slots - 1)];
        if (!*ret_to && (!at->s || has_ended(at->s))) *ret_to = at;
        if (!at->s) return NULL;
        if (at->hash == q->hash && is_it(q, at->s)) return at->s;
    }
    return NULL;
}

ebb_shared *ebb_canon_find(ebb_canon *c, uint64_t hash, ebb_canon_fn *is, void *ctx)
{
    query q = {hash, is, ctx, NULL};
    part *p = part_of(c, hash);
    slot *to;
    os_lock(&p->lock);
    ebb_shared *found = search(p, &q, &to);
    os_unlock(&p->lock);
    ebb__shared_end_all(q.loose);
    return found;
}

/* ---- entering -------------------------------------------------------------------------------- */

static slot *free_slot(slot *slots, size_t count, uint64_t hash)
{
    size_t i = hash;
    while (slots[i & (count - 1)].s) i++;
    return &slots[i & (count - 1)];
}

static size_t alive_in(const part *p)
{
    const slot *slots = p->room.ptr;
    size_t n = 0;
    for (size_t i = 0; i < p->slots; i++) n += slots[i].s && !has_ended(slots[i].s);
    return n;
}

static void move(part *p, slot *to, size_t count)
{
    const slot *slots = p->room.ptr;
    p->used = 0;
    for (size_t i = 0; i < p->slots; i++) {
        if (!slots[i].s) continue;
        if (has_ended(slots[i].s)) {
            forget(slots[i].s);
            continue;
        }
        *free_slot(to, count, slots[i].hash) = slots[i];
        p->used++;
    }
}

/* At least half of the slots free, those taken by what has ended cleared. */
static bool rebuild(ebb_canon *c, part *p)
{
    size_t alive = alive_in(p), count = LEAST_SLOTS;
    ebb_storage room = {NULL, 0};
    while (count < 2 * (alive + 1)) count *= 2;
    os_lock(&c->lock);
    ebb_scope_attach(c->arena);
    bool ok = ebb_storage_grow(c->arena, &room, 0, count * sizeof(slot));
    if (ok) {
        memset(room.ptr, 0, count * sizeof(slot));
        move(p, room.ptr, count);
        ebb_storage_release(c->arena, &p->room);
        p->room = room;
        p->slots = count;
    }
    os_unlock(&c->lock);
    return ok;
}

static bool enter(ebb_canon *c, part *p, slot *to, uint64_t hash, ebb_shared *s)
{
    bool is_new = !to || !to->s;
    if (is_new && (p->used + 1) * 4 > p->slots * 3) {
        if (!rebuild(c, p)) return false;
        to = free_slot(p->room.ptr, p->slots, hash);
    }
    if (!ebb_weak_of(s)) return false;
    if (to->s) forget(to->s);
    else p->used++;
    *to = (slot){hash, s};
    return true;
}

bool ebb_canon_put(ebb_canon *c, uint64_t hash, ebb_canon_fn *is, void *ctx, ebb_shared **s)
{
    query q = {hash, is, ctx, NULL};
    part *p = part_of(c, hash);
    slot *to;
    os_lock(&p->lock);
    ebb_shared *found = search(p, &q, &to);
    bool ok = found || enter(c, p, to, hash, *s);
    os_unlock(&p->lock);
    ebb__shared_end_all(q.loose);
    if (!found) return ok;
    ebb_shared_drop(s);
    *s = found;
    return true;
}

size_t ebb_canon_len(ebb_canon *c)
{
    size_t n = 0;
    for (int i = 0; i < PARTS; i++) {
        os_lock(&c->part[i].lock);
        n += c->part[i].used;
        os_unlock(&c->part[i].lock);
    }
    return n;
}
