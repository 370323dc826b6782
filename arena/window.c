/*
 * arena/window.c: closing and reopening, and the watchers for whose sake windows are closed.
 *
 * Who may store what to w.limit
 *   anyone, any time     EBB__CLOSED, once ebb__begin_flags says that there is a watcher, and a
 *                        barrier through all threads has followed
 *   the owner            EBB__CLOSED_BY_OWNER by exchange, then floor - 1 by compare-exchange from
 *                        it
 *   the owner            floor - 1 plainly, where it begins, or finds the window open and moves the
 *                        floor; then it reads ebb__begin_flags, and closes if there is a watcher
 *
 * The exchange reads the closer's value, so what the closer wrote before (a new watcher) is seen by
 * the look that follows; a close that comes after the exchange makes the compare-exchange fail. A
 * plain store can undo a close that came just before it. But that close came after the barrier, so
 * the store did too, and so did the look that follows it in the program, which sees the flag. A
 * locked instruction for each body and each growth would do as well; it cost a tenth of a request.
 * Without such a barrier (Linux before 4.14) a close may wait for the arena's next chunk.
 */
#include "internal.h"

#include "../track/seam.h"

enum { SLOTS = EBB__WATCHERS_MAX };

_Atomic uint32_t ebb__begin_flags;

static os_lock_t lock = OS_LOCK_INIT;
static struct {
    ebb__watcher *_Atomic watcher;
    _Atomic uint32_t users; /* threads that may be inside its callback */
} slots[SLOTS];

/* ---- closing --------------------------------------------------------------------------------- */

void ebb__close(ebb_arena *a)
{
    __atomic_store_n(&a->w.limit, EBB__CLOSED, __ATOMIC_RELEASE);
}

static bool failed_for_good(const ebb_arena *a)
{
    return (a->bits & FAILED_MASK) && (a->bits & STICKY);
}

static bool stays_closed(const ebb_arena *a)
{
    return !(a->bits & LIVE) || (a->bits & (STRICT | ADOPTED)) || failed_for_good(a) ||
           ebb__watched(a);
}

/* Open the window again, unless there is a reason to keep it closed. Owner only. */
void ebb__reopen(ebb_arena *a)
{
    __atomic_exchange_n(&a->w.limit, EBB__CLOSED_BY_OWNER, __ATOMIC_ACQ_REL);
    if (stays_closed(a)) return;
    uintptr_t expected = EBB__CLOSED_BY_OWNER;
    __atomic_compare_exchange_n(&a->w.limit, &expected, a->floor - 1, false, __ATOMIC_RELEASE,
                                __ATOMIC_RELAXED);
}

/* ---- watchers -------------------------------------------------------------------------------- */

static bool concerns(const ebb__watcher *w, const ebb_arena *a)
{
    if (w->arena && w->arena != a) return false;
    if (w->profile_id && w->profile_id != profile_of(a)) return false;
    return !w->thread || w->thread == ebb__self;
}

/* Whether some watcher may want to see this arena's next allocation. One that watches a thread
   keeps every arena closed, since any may come to that thread. */
bool ebb__watched(const ebb_arena *a)
{
    if (!(atomic_load_explicit(&ebb__begin_flags, memory_order_acquire) & BEGIN_WATCHED))
        return false;
    for (int i = 0; i < SLOTS; i++) {
        if (!atomic_load_explicit(&slots[i].watcher, memory_order_acquire)) continue;
        bool wants = false;
        atomic_fetch_add_explicit(&slots[i].users, 1, memory_order_seq_cst);
        ebb__watcher *w = atomic_load_explicit(&slots[i].watcher, memory_order_seq_cst);
        if (w) wants = w->thread || concerns(w, a);
        atomic_fetch_sub_explicit(&slots[i].users, 1, memory_order_release);
        if (wants) return true;
    }
    return false;
}

bool ebb__ask(ebb_arena *a, int event, size_t size, void *site)
{
    bool refused = false;
    if (!(atomic_load_explicit(&ebb__begin_flags, memory_order_acquire) & BEGIN_WATCHED))
        return false;
    for (int i = 0; i < SLOTS; i++) {
        if (!atomic_load_explicit(&slots[i].watcher, memory_order_acquire)) continue;
        atomic_fetch_add_explicit(&slots[i].users, 1, memory_order_seq_cst);
        ebb__watcher *w = atomic_load_explicit(&slots[i].watcher, memory_order_seq_cst);
        if (w && concerns(w, a) && w->on_event(w, event, a, size, site)) refused = true;
        atomic_fetch_sub_explicit(&slots[i].users, 1, memory_order_release);
    }
    return refused;
}

static void any_left(void)
{
    for (int i = 0; i < SLOTS; i++)
        if (atomic_load_explicit(&slots[i].watcher, memory_order_relaxed)) return;
    atomic_fetch_and_explicit(&ebb__begin_flags, ~(uint32_t)BEGIN_WATCHED, memory_order_relaxed);
}

static void close_watched(const ebb__watcher *w)
{
    bool barrier = os_barrier_all();
    if (w->arena) {
        ebb__close(w->arena);
        return;
    }
    /* Twice where the system has no such barrier: a beginning that raced with the first walk is
       over by the second, but for one interrupted between two instructions all that while. */
    if (!barrier) ebb__close_all_heads();
    ebb__close_all_heads();
}

bool ebb__watcher_add(ebb__watcher *w)
{
    if (w->profile) {
        ebb_profile *p = w->profile;
        if (!ebb__profile_register(p)) return false;
        w->profile_id = __atomic_load_n(&p->ebb__start, __ATOMIC_RELAXED) >> PROFILE_SHIFT;
    }
    if (w->this_thread) w->thread = ebb__thread_get();
    int i = 0;
    os_lock(&lock);
    while (i < SLOTS && atomic_load_explicit(&slots[i].watcher, memory_order_relaxed)) i++;
    if (i < SLOTS) {
        atomic_store_explicit(&slots[i].watcher, w, memory_order_seq_cst);
        atomic_fetch_or_explicit(&ebb__begin_flags, BEGIN_WATCHED, memory_order_seq_cst);
    }
    os_unlock(&lock);
    if (i == SLOTS) return false;
    close_watched(w);
    return true;
}

void ebb__watcher_remove(ebb__watcher *w)
{
    os_lock(&lock);
    for (int i = 0; i < SLOTS; i++) {
        if (atomic_load_explicit(&slots[i].watcher, memory_order_relaxed) != w) continue;
        atomic_store_explicit(&slots[i].watcher, NULL, memory_order_seq_cst);
        while (atomic_load_explicit(&slots[i].users, memory_order_seq_cst)) os_yield();
    }
    any_left();
    os_unlock(&lock);
}

void ebb__watchers_lock(void)
{
    os_lock(&lock);
}

void ebb__watchers_unlock(void)
{
    os_unlock(&lock);
}

/* In a forked child nobody else is inside a callback, whatever other threads were doing. */
void ebb__watchers_forked(void)
{
    for (int i = 0; i < SLOTS; i++) atomic_store_explicit(&slots[i].users, 0, memory_order_relaxed);
}
