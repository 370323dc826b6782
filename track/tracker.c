/*
 * track/tracker.c: counting allocations by the place of the call. For whom reports are made, see
 * report.c.
 *
 * Each thread counts in a ledger of its own, one for each tracker that it meets, with plain loads
 * and stores; a report adds up all ledgers. So no two threads wait for each other, but when a
 * thread meets a tracker for the first time, or its table of sites grows: that is under a lock, as
 * is a report.
 *
 * Ledgers are type-stable: one that a thread has left, or whose tracker has ended, is taken up by
 * another. They are pages of the system's, not malloc's, since the allocation that is counted may
 * be a signal's handler's.
 *
 * Invariants
 *   A ledger's counts are written by the thread that has taken it alone, while it is not busy.
 *   A ledger counts for the tracker whose serial it bears. Of the active trackers each has a slot
 *   of its own, so what a desk has in a slot is this tracker's, or an ended one's.
 *   What can't be counted in a ledger (no memory, or a handler that interrupts its owner) is
 *   counted in the tracker, by locked additions.
 */
#include "tracker.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_TABLE = 4096 /* bytes */ };

typedef struct cell {
    _Atomic uintptr_t site; /* 0: free */
    _Atomic uint64_t count, bytes;
} cell;

typedef struct table {
    size_t size; /* bytes */
    uint32_t capacity, used, shift;
    cell cell[];
} table;

/* Allocations are counted by class, and bytes by site: `bytes` are those of what has none. */
typedef struct sums {
    _Atomic uint64_t begins, dropped, bytes, by_class[EBB_TRACK_CLASSES];
} sums;

typedef struct ledger {
    struct ledger *next; /* all there ever were */
    uint64_t serial;     /* of its tracker; 0: none */
    bool taken;          /* by a thread */
    bool busy;           /* its thread is in the middle of it */
    table *table;        /* NULL: none yet. Changes under the lock */
    sums sums;
} ledger;

struct ebb_tracker {
    ebb__watcher watcher; /* the first member */
    const char *name;
    uint64_t serial; /* no other tracker ever has it */
    sums rest;
};

static ledger *all; /* under the lock, which is the watchers' */
static uint64_t serials;
static bool prepared;

static _Thread_local struct {
    uint64_t serial;
    ledger *ledger;
} desk[EBB__WATCHERS_MAX] __attribute__((tls_model("initial-exec")));
/* ---- a ledger's life ------------------------------------------------------------------------- */

static void ledger_clear(ledger *l)
{
    memset((void *)&l->sums, 0, sizeof l->sums);
    if (!l->table) return;
    memset((void *)l->table->cell, 0, l->table->capacity * sizeof(cell));
    l->table->used = 0;
}

/* One that counts for `serial` already, so that what is in it stays; else one that nobody needs. */
static ledger *ledger_left(uint64_t serial)
{
    ledger *best = NULL;
    for (ledger *l = all; l; l = l->next) {
        if (l->taken) continue;
        if (l->serial == serial) return l;
        if (l->serial == 0) best = l;
    }
    return best;
}

static ledger *ledger_new(void)
{
    ledger *l = ebb__pages_take(sizeof *l);
    if (!l) return NULL;
    l->next = all;
    all = l;
    return l;
}

/* This thread's; NULL: it can't be had now. */
static __attribute__((cold, noinline)) ledger *ledger_for(const ebb_tracker *t)
{
    unsigned slot = t->watcher.slot;
    if (ebb__watchers_held()) return NULL;
    ebb__watchers_lock();
    ledger *l = desk[slot].ledger;
    if (!l) l = ledger_left(t->serial);
    if (!l) l = ledger_new();
    if (l && l->serial != t->serial) ledger_clear(l);
    if (l) {
        l->serial = t->serial;
        l->taken = true;
        desk[slot].ledger = l;
        desk[slot].serial = t->serial;
    }
    ebb__watchers_unlock();
    return l;
}

static void thread_exit(void)
{
    ebb__watchers_lock();
    for (int i = 0; i < EBB__WATCHERS_MAX; i++) {
        if (desk[i].ledger) desk[i].ledger->taken = false;
        desk[i].ledger = NULL;
        desk[i].serial = 0;
    }
    ebb__watchers_unlock();
}

/* ---- sites ----------------------------------------------------------------------------------- */

/* Fibonacci hashing (Knuth, TAOCP 3, 6.4). */
static cell *cell_of(table *t, uintptr_t site)
{
    uint32_t i = (uint32_t)((uint64_t)site * UINT64_C(0x9e3779b97f4a7c15) >> t->shift);
    for (;; i++) {
        cell *c = &t->cell[i & (t->capacity - 1)];
        uintptr_t at = atomic_load_explicit(&c->site, memory_order_relaxed);
        if (at == site || at == 0) return c;
    }
}

static table *table_new(size_t size)
{
    table *t = ebb__pages_take(size);
    if (!t) return NULL;
    uint32_t bits = 0;
    while (sizeof *t + ((size_t)2 << bits) * sizeof(cell) <= size) bits++;
    t->size = size;
    t->capacity = (uint32_t)1 << bits;
    t->shift = 64 - bits;
    return t;
}

static void cell_add(cell *c, uint64_t count, uint64_t bytes)
{
    uint64_t n = atomic_load_explicit(&c->count, memory_order_relaxed) + count;
    uint64_t b = atomic_load_explicit(&c->bytes, memory_order_relaxed) + bytes;
    atomic_store_explicit(&c->count, n, memory_order_relaxed);
    atomic_store_explicit(&c->bytes, b, memory_order_relaxed);
}

/* False: no memory, or not now. */
static __attribute__((cold, noinline)) bool table_grow(ledger *l)
{
    if (ebb__watchers_held()) return false;
    table *old = l->table, *t = table_new(old ? 2 * old->size : FIRST_TABLE);
    if (!t) return false;
    for (uint32_t i = 0; old && i < old->capacity; i++) {
        uintptr_t site = atomic_load_explicit(&old->cell[i].site, memory_order_relaxed);
        if (!site) continue;
        cell *c = cell_of(t, site);
        cell_add(c, old->cell[i].count, old->cell[i].bytes);
        atomic_store_explicit(&c->site, site, memory_order_relaxed);
        t->used++;
    }
    ebb__watchers_lock();
    l->table = t;
    ebb__watchers_unlock();
    if (old) ebb__pages_give(old, old->size);
    return true;
}

static bool is_full(const table *t)
{
    return t->used >= t->capacity / 4 * 3;
}

/* Counts what a growth in the middle of it would lose: first the room, then the site. */
static bool site_add(ledger *l, uintptr_t site, size_t size)
{
    if (!l->table && !table_grow(l)) return false;
    cell *c = cell_of(l->table, site);
    if (atomic_load_explicit(&c->site, memory_order_relaxed) == 0) {
        if (is_full(l->table)) {
            if (!table_grow(l)) return false;
            c = cell_of(l->table, site);
        }
        l->table->used++;
        atomic_store_explicit(&c->site, site, memory_order_relaxed);
    }
    cell_add(c, 1, size);
    return true;
}

/* ---- counting -------------------------------------------------------------------------------- */

static unsigned class_of(size_t size)
{
    if (size == 0) return 0;
    unsigned bits = size == 1 ? 0 : 64 - (unsigned)__builtin_clzll(size - 1);
    return bits + 1 < EBB_TRACK_CLASSES ? bits + 1 : EBB_TRACK_CLASSES - 1;
}

static void add(_Atomic uint64_t *to, uint64_t n)
{
    atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static void count_here(ledger *l, const ebb__event *e)
{
    if (e->kind == EBB__EVENT_BEGIN) {
        add(&l->sums.begins, 1);
        return;
    }
    add(&l->sums.by_class[class_of(e->size)], 1);
    if (site_add(l, (uintptr_t)e->site, e->size)) return;
    add(&l->sums.dropped, 1);
    add(&l->sums.bytes, e->size);
}

static void add_locked(_Atomic uint64_t *to, uint64_t n)
{
    atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

static __attribute__((cold, noinline)) void count_aside(sums *s, const ebb__event *e)
{
    if (e->kind == EBB__EVENT_BEGIN) {
        add_locked(&s->begins, 1);
        return;
    }
    add_locked(&s->bytes, e->size);
    add_locked(&s->by_class[class_of(e->size)], 1);
    add_locked(&s->dropped, 1);
}

static bool on_event(ebb__watcher *w, const ebb__event *e)
{
    ebb_tracker *t = (ebb_tracker *)(void *)w;
    ledger *l = desk[w->slot].serial == t->serial ? desk[w->slot].ledger : ledger_for(t);
    if (!l || l->busy) {
        count_aside(&t->rest, e);
        return false;
    }
    l->busy = true;
    atomic_signal_fence(memory_order_seq_cst);
    count_here(l, e);
    atomic_signal_fence(memory_order_seq_cst);
    l->busy = false;
    return false;
}

/* ---- trackers -------------------------------------------------------------------------------- */

static void tell(ebb_status *ret_why, ebb_status why)
{
    if (ret_why) *ret_why = why;
}

ebb__watcher ebb__watcher_for(ebb_watch whom, bool (*on_event_)(ebb__watcher *, const ebb__event *))
{
    ebb__watcher w = {.on_event = on_event_,
                      .arena = whom.arena,
                      .profile = whom.profile,
                      .this_thread = whom.this_thread};
    return w;
}

static uint64_t next_serial(bool *ret_first)
{
    ebb__watchers_lock();
    uint64_t serial = ++serials;
    *ret_first = !prepared;
    prepared = true;
    ebb__watchers_unlock();
    return serial;
}

ebb_tracker *ebb_tracker_begin(const char *name, ebb_watch whom, const ebb_tracker_params *how,
                               ebb_status *ret_why)
{
    (void)how;
    bool first;
    ebb_tracker *t = calloc(1, sizeof *t);
    if (!t) {
        tell(ret_why, EBB_E_MEMORY);
        return NULL;
    }
    t->watcher = ebb__watcher_for(whom, on_event);
    t->name = name ? name : "?";
    t->serial = next_serial(&first);
    if (first) ebb__at_thread_exit(thread_exit);
    if (ebb__watcher_add(&t->watcher)) return t;
    free(t);
    tell(ret_why, EBB_E_EXHAUSTED);
    return NULL;
}

void ebb_tracker_end(ebb_tracker **handle)
{
    ebb_tracker *t = *handle;
    *handle = NULL;
    if (!t) return;
    ebb__watcher_remove(&t->watcher);
    ebb__watchers_lock();
    for (ledger *l = all; l; l = l->next)
        if (l->serial == t->serial) l->serial = 0;
    ebb__watchers_unlock();
    free(t);
}

const char *ebb__tracker_name(const ebb_tracker *t)
{
    return t->name;
}

/* ---- adding up ------------------------------------------------------------------------------- */

static uint64_t get(const _Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

static void add_sums(ebb_totals *to, const sums *s)
{
    to->begins += get(&s->begins);
    to->dropped += get(&s->dropped);
    to->bytes += get(&s->bytes);
    for (int i = 0; i < EBB_TRACK_CLASSES; i++) {
        uint64_t n = get(&s->by_class[i]);
        to->by_class[i] += n;
        to->count += n;
    }
}

static void add_sites(ebb_totals *to, const table *t)
{
    for (uint32_t i = 0; t && i < t->capacity; i++) to->bytes += get(&t->cell[i].bytes);
}

/* With the lock held. Return how many sites there may be. */
static size_t sum_up(const ebb_tracker *t, ebb_totals *ret_totals)
{
    size_t most = 0;
    memset(ret_totals, 0, sizeof *ret_totals);
    add_sums(ret_totals, &t->rest);
    for (const ledger *l = all; l; l = l->next) {
        if (l->serial != t->serial) continue;
        add_sums(ret_totals, &l->sums);
        add_sites(ret_totals, l->table);
        if (l->table) most += l->table->capacity;
    }
    return most;
}

void ebb_tracker_get_totals(ebb_tracker *t, ebb_totals *ret_totals)
{
    ebb__watchers_lock();
    sum_up(t, ret_totals);
    ebb__watchers_unlock();
}

static size_t copy_sites(const table *t, ebb_site *to)
{
    size_t n = 0;
    for (uint32_t i = 0; t && i < t->capacity; i++) {
        const cell *c = &t->cell[i];
        uintptr_t site = atomic_load_explicit(&c->site, memory_order_relaxed);
        if (site)
            to[n++] = (ebb_site){
                .address = (const void *)site, .count = get(&c->count), .bytes = get(&c->bytes)};
    }
    return n;
}

bool ebb__tracker_find(ebb_tracker *t, ebb__found *f)
{
    memset(f, 0, sizeof *f);
    ebb__watchers_lock();
    f->pages = sum_up(t, &f->totals) * sizeof *f->site;
    if (f->pages) f->site = ebb__pages_take(f->pages);
    for (const ledger *l = all; l && f->site; l = l->next)
        if (l->serial == t->serial) f->count += copy_sites(l->table, f->site + f->count);
    ebb__watchers_unlock();
    return f->site || !f->pages;
}

void ebb__found_free(ebb__found *f)
{
    if (f->site) ebb__pages_give(f->site, f->pages);
    f->site = NULL;
}
