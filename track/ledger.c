/*
 * track/ledger.c: counting allocations, on the thread that makes them.
 *
 * Each thread counts in a ledger of its own, one for each tracker that it meets, with plain loads
 * and stores; sum.c adds up all ledgers. So no two threads wait for each other, but when a thread
 * meets a tracker for the first time, or its table of sites grows: that is under a lock, as is a
 * report.
 *
 * Ledgers are type-stable: one that a thread has left, or whose tracker has ended, is taken up by
 * another. They are pages of the system's, not malloc's, since the allocation that is counted may
 * be a signal's handler's, or malloc's own.
 *
 * Invariants
 *   A ledger's counts are written by the thread that has taken it alone, while it is not busy.
 *   A ledger counts for the tracker whose serial it bears. Of the active trackers each has a slot
 *   of its own, so what a desk has in a slot is this tracker's, or an ended one's.
 *   What can't be counted in a ledger (no memory, or a handler that interrupts its owner) is
 *   counted in the tracker, by locked additions.
 */
#include "tracker.h"

#include "stack.h"

#include <string.h>

typedef ebb__ledger ledger;
typedef ebb__table table;
typedef ebb__cell cell;

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

ebb__ledger *ebb__ledgers; /* under the lock, which is the watchers' */

static uint64_t serials;
static bool prepared;

static _Thread_local struct {
    uint64_t serial;
    ledger *ledger;
} desk[EBB__WATCHERS_MAX] __attribute__((tls_model("initial-exec")));

/* ---- counts, which others read --------------------------------------------------------------- */

static inline uint64_t get(const _Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

static inline uint32_t get32(const _Atomic uint32_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

static inline void set32(_Atomic uint32_t *n, uint32_t value)
{
    atomic_store_explicit(n, value, memory_order_relaxed);
}

/* Written by its owner alone, so no locked instruction is needed. */
static inline void add(_Atomic uint64_t *to, uint64_t n)
{
    atomic_store_explicit(to, get(to) + n, memory_order_relaxed);
}

/* ---- a ledger's life ------------------------------------------------------------------------- */

static void ledger_clear(ledger *l)
{
    if (l->table) memset((void *)l->table->cell, 0, l->table->capacity * sizeof(cell));
    if (l->table) l->table->used = 0;
    memset((void *)l->kind, 0, get32(&l->kinds) * sizeof *l->kind);
    l->kinds = 0;
    l->now = 0;
    l->moment_ms = EBB__MOMENT_MS;
    memset((void *)l->moment, 0, sizeof l->moment);
    memset((void *)&l->all, 0, sizeof l->all);
    memset((void *)&l->noted, 0, sizeof l->noted);
    l->dropped = 0;
}

/* One that counts for `serial` already, so that what is in it stays; else one that nobody needs. */
static ledger *ledger_left(uint64_t serial)
{
    ledger *best = NULL;
    for (ledger *l = ebb__ledgers; l; l = l->next) {
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
    l->kind = ebb__pages_take(EBB__KINDS * sizeof *l->kind);
    if (!l->kind) {
        ebb__pages_give(l, sizeof *l);
        return NULL;
    }
    l->next = ebb__ledgers;
    ebb__ledgers = l;
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
        l->began_ms = t->began_ms;
        l->taken = true;
        desk[slot].ledger = l;
        desk[slot].serial = t->serial;
    }
    ebb__watchers_unlock();
    return l;
}

static inline ledger *ledger_of(const ebb_tracker *t)
{
    unsigned slot = t->watcher.slot;
    return likely(desk[slot].serial == t->serial) ? desk[slot].ledger : ledger_for(t);
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

uint64_t ebb__ledger_serial(void)
{
    ebb__watchers_lock();
    uint64_t serial = ++serials;
    bool first = !prepared;
    prepared = true;
    ebb__watchers_unlock();
    if (first) ebb__at_thread_exit(thread_exit);
    return serial;
}

void ebb__ledgers_leave(const ebb_tracker *t)
{
    ebb__watchers_lock();
    for (ledger *l = ebb__ledgers; l; l = l->next)
        if (l->serial == t->serial) l->serial = 0;
    ebb__watchers_unlock();
}

/* ---- sites ----------------------------------------------------------------------------------- */

enum { FIRST_TABLE = 8192 /* bytes */ };

/* Fibonacci hashing (Knuth, TAOCP 3, 6.4). */
static inline uint64_t hash_of(uint64_t key)
{
    return key * UINT64_C(0x9e3779b97f4a7c15);
}

static inline cell *cell_of(table *t, uint64_t key)
{
    uint32_t i = (uint32_t)(hash_of(key) >> t->shift);
    for (;; i++) {
        cell *c = &t->cell[i & (t->capacity - 1)];
        uint64_t at = atomic_load_explicit(&c->key, memory_order_relaxed);
        if (at == key || at == 0) return c;
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

/* False: no memory, or not now. */
static __attribute__((cold, noinline)) bool table_grow(ledger *l)
{
    if (ebb__watchers_held()) return false;
    table *old = l->table, *t = table_new(old ? 2 * old->size : FIRST_TABLE);
    if (!t) return false;
    for (uint32_t i = 0; old && i < old->capacity; i++) {
        uint64_t key = atomic_load_explicit(&old->cell[i].key, memory_order_relaxed);
        if (!key) continue;
        memcpy((void *)cell_of(t, key), (void *)&old->cell[i], sizeof(cell));
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

/* NULL: there is none, and no memory for one. A growth in the middle of a site's first count would
   lose it: first the room, then the site. */
static __attribute__((cold, noinline)) cell *site_new(ledger *l, uint64_t key)
{
    if (!l->table && !table_grow(l)) return NULL;
    if (is_full(l->table) && !table_grow(l)) return NULL;
    cell *c = cell_of(l->table, key);
    l->table->used++;
    atomic_store_explicit(&c->key, key, memory_order_relaxed);
    return c;
}

static inline cell *site_of(ledger *l, uint64_t key)
{
    cell *c = likely(l->table != NULL) ? cell_of(l->table, key) : NULL;
    if (likely(c && atomic_load_explicit(&c->key, memory_order_relaxed) == key)) return c;
    return site_new(l, key);
}

/* ---- the timeline ---------------------------------------------------------------------------- */

/* *to += plus - less, each. */
static void moment_add(ebb__moment *to, const ebb__moment *plus, const ebb__moment *less)
{
    add(&to->count, get(&plus->count) - get(&less->count));
    add(&to->bytes, get(&plus->bytes) - get(&less->bytes));
    add(&to->begins, get(&plus->begins) - get(&less->begins));
}

/* Each two become one. */
static void moments_double(ledger *l)
{
    static const ebb__moment none;
    for (int i = 0; i < EBB__MOMENTS; i++) {
        ebb__moment *from = &l->moment[i], *to = &l->moment[i / 2];
        if (from == to) continue; /* the first */
        moment_add(to, from, &none);
        moment_add(from, &none, from);
    }
    set32(&l->moment_ms, 2 * get32(&l->moment_ms));
}

/* What came since the last look was then: that is when the scope began that it is in. */
static __attribute__((noinline)) void moment_note(ledger *l)
{
    ebb__moment *m = &l->moment[get32(&l->now)];
    moment_add(m, &l->all, &l->noted);
    moment_add(&l->noted, &l->all, &l->noted);
    uint64_t since = ebb__clock_coarse_ms() - l->began_ms;
    while (since / get32(&l->moment_ms) >= EBB__MOMENTS) moments_double(l);
    set32(&l->now, (uint32_t)(since / get32(&l->moment_ms)));
}

/* ---- counting -------------------------------------------------------------------------------- */

static unsigned class_of(size_t size)
{
    if (unlikely(size - 1 > SIZE_MAX / 2)) return size ? EBB_TRACK_CLASSES - 1 : 0;
    unsigned above = 64 - (unsigned)__builtin_clzll(2 * size - 1);
    return above < EBB_TRACK_CLASSES ? above : EBB_TRACK_CLASSES - 1;
}

static unsigned kind_index(unsigned profile)
{
    return profile < EBB__KINDS - 1 ? profile : EBB__KINDS - 1;
}

enum { LOOK_AGAIN = 256 }; /* allocations, where no scope begins */

/* NULL: no memory. */
static __attribute__((noinline)) const void *stack_of(ebb__event *e)
{
    const void *address[EBB__STACK_MOST];
    if (e->stack) return e->stack;
    unsigned depth = ebb__stack_capture(e->site, address, EBB__STACK_MOST);
    e->stack = ebb__stack_intern(address, depth);
    return e->stack;
}

typedef struct amount {
    uint64_t count, bytes;
} amount;

static inline amount amount_of(const ebb_tracker *t, const ebb__event *e)
{
    amount a = {1, e->size};
    if (likely(t->level != EBB_TRACK_SAMPLE)) return a;
    a.count = (uint64_t)(EBB__FRACTION / e->chance + 0.5);
    a.bytes = (uint64_t)((double)e->size / e->chance + 0.5);
    return a;
}

static inline ebb__kind_sums *kind_of(ledger *l, const ebb__event *e)
{
    unsigned i = kind_index(e->profile);
    if (i >= get32(&l->kinds)) set32(&l->kinds, i + 1);
    return &l->kind[i];
}

/* The kind's bytes are those of its sites, and of what has no site. */
static inline void count_site(ebb_tracker *t, ledger *l, ebb__event *e, amount a)
{
    /* Where it was called from, as this tracker wants to know it. */
    const void *place = likely(t->level == EBB_TRACK_SITES) ? e->site : stack_of(e);
    cell *c = place ? site_of(l, ebb__key_of(place, kind_index(e->profile))) : NULL;
    if (unlikely(!c)) {
        add(&l->dropped, 1);
        add(&kind_of(l, e)->bytes, a.bytes);
        return;
    }
    add(&c->count, a.count);
    add(&c->bytes, a.bytes);
    if (e->kind == EBB__EVENT_GROW) add(&c->growths, a.count);
    if (likely(t->level == EBB_TRACK_SITES)) return;
    if (t->level == EBB_TRACK_SAMPLE) add(&c->samples, 1);
    else if (e->kind != EBB__EVENT_SYSTEM) e->lives |= UINT32_C(1) << t->watcher.slot;
}

static inline void count_here(ebb_tracker *t, ledger *l, ebb__event *e)
{
    ebb__kind_sums *k = kind_of(l, e);
    if (unlikely(e->kind == EBB__EVENT_BEGIN)) {
        moment_note(l);
        add(&k->begins, 1);
        add(&l->all.begins, 1);
        return;
    }
    amount a = amount_of(t, e);
    add(&k->by_class[class_of(e->size)], a.count);
    if (unlikely(e->padding)) add(&k->padding, e->padding);
    add(&l->all.bytes, a.bytes);
    add(&l->all.count, a.count);
    if (get(&l->all.count) - get(&l->noted.count) >= LOOK_AGAIN) moment_note(l);
    count_site(t, l, e, a);
}

static void add_locked(_Atomic uint64_t *to, uint64_t n)
{
    atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

static __attribute__((cold, noinline)) void count_aside(ebb_tracker *t, const ebb__event *e)
{
    if (e->kind == EBB__EVENT_BEGIN) {
        add_locked(&t->rest.sums.begins, 1);
        return;
    }
    amount a = amount_of(t, e);
    ebb__kind_sums *s = e->kind == EBB__EVENT_SYSTEM ? &t->rest.system : &t->rest.sums;
    add_locked(&s->bytes, a.bytes);
    add_locked(&s->by_class[class_of(e->size)], a.count);
    add_locked(&t->rest.dropped, 1);
}

bool ebb__ledger_event(ebb__watcher *w, ebb__event *e)
{
    ebb_tracker *t = (ebb_tracker *)(void *)w;
    ledger *l = ledger_of(t);
    if (unlikely(!l || l->busy)) {
        count_aside(t, e);
        return false;
    }
    l->busy = true;
    atomic_signal_fence(memory_order_seq_cst);
    count_here(t, l, e);
    atomic_signal_fence(memory_order_seq_cst);
    l->busy = false;
    return false;
}

static __attribute__((noinline)) void alloc_generally(ebb__watcher *w, unsigned profile,
                                                      size_t size, size_t padding, const void *site)
{
    ebb__event e = {.kind = EBB__EVENT_ALLOC,
                    .profile = profile,
                    .size = size,
                    .padding = padding,
                    .site = site};
    ebb__ledger_event(w, &e);
}

static __attribute__((noinline)) void note_and_leave(ledger *l)
{
    moment_note(l);
    atomic_signal_fence(memory_order_seq_cst);
    l->busy = false;
}

/* Of an allocation whose kind is known, and whose site is where its hash says. What is called from
   here is called last, so that the ordinary way saves no registers. */
void ebb__ledger_alloc(ebb__watcher *w, unsigned profile, size_t size, size_t padding,
                       const void *site)
{
    const ebb_tracker *t = (const ebb_tracker *)(void *)w;
    unsigned slot = t->watcher.slot;
    ledger *l = desk[slot].ledger;
    if (unlikely(desk[slot].serial != t->serial || l->busy)) {
        alloc_generally(w, profile, size, padding, site);
        return;
    }
    l->busy = true;
    atomic_signal_fence(memory_order_seq_cst);
    uint64_t key = ebb__key_of(site, profile);
    cell *c = l->table ? &l->table->cell[hash_of(key) >> l->table->shift] : NULL;
    if (unlikely(!c || get(&c->key) != key || !site) || unlikely(profile >= get32(&l->kinds))) {
        l->busy = false;
        alloc_generally(w, profile, size, padding, site);
        return;
    }
    ebb__kind_sums *k = &l->kind[profile];
    add(&k->by_class[class_of(size)], 1);
    if (padding) add(&k->padding, padding);
    add(&c->count, 1);
    add(&c->bytes, size);
    add(&l->all.bytes, size);
    uint64_t count = get(&l->all.count) + 1;
    atomic_store_explicit(&l->all.count, count, memory_order_relaxed);
    if (unlikely(count - get(&l->noted.count) >= LOOK_AGAIN)) {
        note_and_leave(l);
        return;
    }
    atomic_signal_fence(memory_order_seq_cst);
    l->busy = false;
}

/* ---- lives ----------------------------------------------------------------------------------- */

/* Modulo 2^64: those that end here may have been made elsewhere. */
static void live_here(ledger *l, const ebb__life *life, uint64_t death)
{
    cell *c = site_of(l, ebb__key_of(life->stack, kind_index(life->profile)));
    if (!c) return;
    add(&c->live_count, death ? UINT64_MAX : 1);
    add(&c->live_bytes, death ? 0 - (uint64_t)life->size : life->size);
    if (death) add(&c->lived_ns, death - life->birth);
}

void ebb__ledger_life(ebb__watcher *w, const ebb__life *life, uint64_t death)
{
    ebb_tracker *t = (ebb_tracker *)(void *)w;
    if (life->birth <= t->began_ns) return; /* another tracker's, which had this slot */
    ledger *l = ledger_of(t);
    if (l && !l->busy) {
        l->busy = true;
        atomic_signal_fence(memory_order_seq_cst);
        live_here(l, life, death);
        atomic_signal_fence(memory_order_seq_cst);
        l->busy = false;
        return;
    }
    add_locked(&t->rest.live_count, death ? UINT64_MAX : 1);
    add_locked(&t->rest.live_bytes, death ? 0 - (uint64_t)life->size : life->size);
}
