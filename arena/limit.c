/*
 * arena/limit.c: limits of an arena, and budgets shared between arenas and threads.
 *
 * What counts is held bytes: whole chunks, large blocks and heads. An arena that counts (it has a
 * limit or a budget) keeps `charged`, its own and its descendants'. LIMITED, set on whole subtrees,
 * sends block.c here; arenas without it pay nothing.
 *
 * A budget's `used` includes the credit that threads have drawn in quanta but not used, so most
 * charges touch no shared line. What other threads hold as credit, a quantum at most, is out of
 * reach until they draw it down, return it or exit.
 */
#include "internal.h"

#include <string.h>

struct ebb_budget {
    _Atomic size_t used, peak;
    _Atomic uint64_t soft_crossed, refused;
    _Atomic uint32_t users;      /* arenas and child budgets that charge it */
    _Atomic uint32_t generation; /* counts destructions, so that old credit is known as such */
    size_t soft, hard, quantum;
    ebb_budget *parent; /* or the free-list link */
    const char *name;
};
_Static_assert(sizeof(struct ebb_budget) <= 256, "a budget fits an EXT block");

#define DEFAULT_QUANTUM ((size_t)64 << 10)
enum { QUANTA_PER_LIMIT = 64 };

static os_lock_t lock = OS_LOCK_INIT;
static ebb_budget *free_budgets; /* type-stable: threads may still name a destroyed one */

/* ---- shared part ----------------------------------------------------------------------------- */

static void note_peak(ebb_budget *b, size_t used)
{
    size_t peak = atomic_load_explicit(&b->peak, memory_order_relaxed);
    while (used > peak && !atomic_compare_exchange_weak_explicit(
                              &b->peak, &peak, used, memory_order_relaxed, memory_order_relaxed)) {
    }
}

static void note_taken(ebb_budget *b, size_t before, size_t after)
{
    note_peak(b, after);
    if (b->soft && before <= b->soft && after > b->soft)
        atomic_fetch_add_explicit(&b->soft_crossed, 1, memory_order_relaxed);
}

static bool take_one(ebb_budget *b, size_t bytes, bool anyway)
{
    size_t used = atomic_load_explicit(&b->used, memory_order_relaxed);
    do {
        if (!anyway && b->hard && (bytes > b->hard || used > b->hard - bytes)) return false;
    } while (!atomic_compare_exchange_weak_explicit(&b->used, &used, used + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    note_taken(b, used, used + bytes);
    return true;
}

static void give_until(ebb_budget *b, const ebb_budget *stop, size_t bytes)
{
    for (; b != stop; b = b->parent)
        atomic_fetch_sub_explicit(&b->used, bytes, memory_order_relaxed);
}

static bool take(ebb_budget *b, size_t bytes, bool anyway)
{
    for (ebb_budget *x = b; x; x = x->parent) {
        if (take_one(x, bytes, anyway)) continue;
        atomic_fetch_add_explicit(&x->refused, 1, memory_order_relaxed);
        give_until(b, x, bytes);
        return false;
    }
    return true;
}

/* ---- a thread's credit ----------------------------------------------------------------------- */

static bool is_stale(const credit *c)
{
    return c->budget &&
           c->generation != atomic_load_explicit(&c->budget->generation, memory_order_relaxed);
}

static void credit_return(credit *c)
{
    if (c->budget && !is_stale(c)) give_until(c->budget, NULL, c->bytes);
    memset(c, 0, sizeof *c);
}

static credit *credit_of(thread *t, ebb_budget *b)
{
    credit *spare = &t->credit[0];
    for (int i = 0; i < CREDITS; i++) {
        credit *c = &t->credit[i];
        if (c->budget == b && !is_stale(c)) return c;
        if (!c->budget || is_stale(c)) spare = c;
    }
    credit_return(spare);
    spare->budget = b;
    spare->generation = atomic_load_explicit(&b->generation, memory_order_relaxed);
    return spare;
}

static bool budget_charge(ebb_budget *b, size_t bytes)
{
    thread *t = ebb__thread_get();
    if (!t) return take(b, bytes, false);
    credit *c = credit_of(t, b);
    if (likely(c->bytes >= bytes)) {
        c->bytes -= bytes;
        return true;
    }
    size_t need = bytes - c->bytes, draw = need > b->quantum ? need : b->quantum;
    if (!take(b, draw, false)) {
        if (draw == need || !take(b, need, false)) return false;
        draw = need;
    }
    c->bytes += draw - bytes;
    return true;
}

void ebb__budget_charge_anyway(ebb_budget *b, size_t bytes)
{
    if (!budget_charge(b, bytes)) take(b, bytes, true);
}

void ebb__budget_uncharge(ebb_budget *b, size_t bytes)
{
    thread *t = ebb__thread_get();
    if (!t) {
        give_until(b, NULL, bytes);
        return;
    }
    credit *c = credit_of(t, b);
    c->bytes += bytes;
    if (c->bytes <= b->quantum) return;
    give_until(b, NULL, c->bytes - b->quantum / 2);
    c->bytes = b->quantum / 2;
}

void ebb__credit_flush(thread *t)
{
    for (int i = 0; i < CREDITS; i++) credit_return(&t->credit[i]);
}

/* ---- budgets --------------------------------------------------------------------------------- */

void ebb__budget_attach(ebb_budget *b)
{
    atomic_fetch_add_explicit(&b->users, 1, memory_order_relaxed);
}

void ebb__budget_detach(ebb_budget *b)
{
    atomic_fetch_sub_explicit(&b->users, 1, memory_order_release);
}

static ebb_budget *budget_storage(void)
{
    os_lock(&lock);
    ebb_budget *b = free_budgets;
    if (b) free_budgets = b->parent;
    os_unlock(&lock);
    if (b || !ebb__thread_get()) return b;
    b = ebb__cache_pop(EXT_CLASS);
    if (b) memset(b, 0, sizeof *b);
    return b;
}

ebb_budget *ebb_budget_create(ebb_budget *parent, const ebb_budget_params *params)
{
    static const ebb_budget_params defaults = EBB_BUDGET_PARAMS_INIT;
    const ebb_budget_params *p = params ? params : &defaults;
    ebb_budget *b = budget_storage();
    if (!b) return NULL;
    b->used = b->peak = 0;
    b->soft_crossed = b->refused = 0;
    b->users = 0;
    b->name = p->name;
    b->soft = p->soft;
    b->hard = p->hard;
    b->quantum = p->quantum ? p->quantum : DEFAULT_QUANTUM;
    if (!p->quantum && p->hard && p->hard / QUANTA_PER_LIMIT < b->quantum)
        b->quantum = p->hard / QUANTA_PER_LIMIT;
    b->parent = parent;
    if (parent) ebb__budget_attach(parent);
    return b;
}

void ebb_budget_destroy(ebb_budget **handle)
{
    ebb_budget *b = *handle;
    *handle = NULL;
    if (!b) return;
    if (atomic_load_explicit(&b->users, memory_order_acquire)) {
        ebb__report(
            EBB_MISUSE, "ebb_budget_destroy", NULL,
            "budget \"%s\" is still charged by an arena or by another budget; end those first",
            b->name ? b->name : "?");
        return;
    }
    if (b->parent) { /* what is left is threads' unused credit */
        give_until(b->parent, NULL, atomic_load_explicit(&b->used, memory_order_relaxed));
        ebb__budget_detach(b->parent);
    }
    atomic_fetch_add_explicit(&b->generation, 1, memory_order_relaxed);
    os_lock(&lock);
    b->parent = free_budgets;
    free_budgets = b;
    os_unlock(&lock);
}

void ebb_budget_get_stats(const ebb_budget *b, ebb_budget_stats *ret_)
{
    ret_->used = atomic_load_explicit(&b->used, memory_order_relaxed);
    ret_->peak = atomic_load_explicit(&b->peak, memory_order_relaxed);
    ret_->soft = b->soft;
    ret_->hard = b->hard;
    ret_->soft_crossed = atomic_load_explicit(&b->soft_crossed, memory_order_relaxed);
    ret_->refused = atomic_load_explicit(&b->refused, memory_order_relaxed);
}

void ebb__budget_lock(void)
{
    os_lock(&lock);
}

void ebb__budget_unlock(void)
{
    os_unlock(&lock);
}

/* ---- arenas ---------------------------------------------------------------------------------- */

static void note_crossed(const ebb_arena *a)
{
    a->ext->soft_crossed++;
    ebb__profile_crossed(a);
}

static void count(const ebb_arena *a, size_t bytes)
{
    ext *e = a->ext;
    size_t before = e->charged;
    e->charged += bytes;
    if (e->soft && before <= e->soft && e->charged > e->soft) note_crossed(a);
}

static bool charge_one(const ebb_arena *a, size_t bytes)
{
    const ext *e = a->ext;
    if (e->hard && (bytes > e->hard || e->charged > e->hard - bytes)) return false;
    if (e->budget && !budget_charge(e->budget, bytes)) return false;
    count(a, bytes);
    return true;
}

static void uncharge_until(ebb_arena *a, const ebb_arena *stop, size_t bytes)
{
    for (; a != stop; a = a->parent) {
        ext *e = a->ext;
        if (!e || !e->counts) continue;
        e->charged -= bytes;
        if (e->budget) ebb__budget_uncharge(e->budget, bytes);
    }
}

/* EBB_OK or EBB_E_LIMIT, and then nothing has changed. */
ebb_status ebb__charge(ebb_arena *a, size_t bytes)
{
    for (ebb_arena *x = a; x; x = x->parent) {
        if (!x->ext || !x->ext->counts || charge_one(x, bytes)) continue;
        uncharge_until(a, x, bytes);
        return EBB_E_LIMIT;
    }
    return EBB_OK;
}

void ebb__charge_anyway(ebb_arena *a, size_t bytes)
{
    for (; a; a = a->parent) {
        ext *e = a->ext;
        if (!e || !e->counts) continue;
        if (e->budget) ebb__budget_charge_anyway(e->budget, bytes);
        count(a, bytes);
    }
}

void ebb__uncharge(ebb_arena *a, size_t bytes)
{
    uncharge_until(a, NULL, bytes);
}

/* Take over the limits that `p` sets; false: no memory for them. */
bool ebb__limits_set(ebb_arena *a, const ebb_profile *p)
{
    ext *e = ebb__ext_get(a);
    if (!e) return false;
    e->soft = p->soft;
    e->hard = p->hard;
    e->reserve = p->reserve;
    e->budget = p->budget;
    if (e->budget) ebb__budget_attach(e->budget);
    e->counts = e->soft || e->hard || e->budget;
    return true;
}

/* An arena has just begun: its head is the first thing it holds. If there is no room even for that,
   it begins as one that has failed, so that a budget also stops those who only park. */
void ebb__limits_begin(ebb_arena *a)
{
    ebb__mark_subtree(a);
    if (!(a->bits & LIMITED) || ebb__charge(a, head_size(a)) == EBB_OK) return;
    ebb__profile_refused(a);
    ebb__charge_anyway(a, head_size(a));
    a->bits |= STICKY; /* one that is made is not, but this one must not go on */
    ebb__set_failed(a, EBB_E_LIMIT);
}

/* What it counted so far is nothing, if it did not count. */
static void start_counting(ebb_arena *a, ext *e)
{
    if (e->counts) return;
    e->charged = ebb__held_tree(a);
    e->counts = true;
    ebb__mark_subtree(a);
}

bool ebb_arena_set_limit(ebb_arena *a, size_t soft, size_t hard, size_t reserve)
{
    if (a == &ebb__dead || !ebb__check_usable(a, "ebb_arena_set_limit")) return false;
    ext *e = ebb__ext_get(a);
    if (!e) return false;
    start_counting(a, e);
    e->soft = soft;
    e->hard = hard;
    e->reserve = reserve;
    if (soft && e->charged > soft) note_crossed(a);
    return true;
}

bool ebb_scope_charge(ebb_arena *a, ebb_budget *budget)
{
    if (a == &ebb__dead || !ebb__check_usable(a, "ebb_scope_charge")) return false;
    ext *e = ebb__ext_get(a);
    if (!e) return false;
    start_counting(a, e);
    if (budget) {
        ebb__budget_attach(budget);
        ebb__budget_charge_anyway(budget, e->charged);
    }
    if (e->budget) {
        ebb__budget_uncharge(e->budget, e->charged);
        ebb__budget_detach(e->budget);
    }
    e->budget = budget;
    return true;
}
