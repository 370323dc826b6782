/*
 * arena/window.c: closing and reopening, and the watchers for whose sake windows are closed.
 *
 * Who may store what to w.limit
 *   anyone, any time     EBB__CLOSED, once ebb__begin_flags says that there is a watcher, and a
 *                        barrier through all threads has followed
 *   the owner            EBB__CLOSED_BY_OWNER by exchange, then floor - 1 by compare-exchange from
 *                        it
 *   the owner            floor - 1, or a sample's point, plainly, where it begins, or finds the
 *                        window open and moves the floor; then it reads ebb__begin_flags, and
 *                        closes if there is a watcher
 *
 * The exchange reads the closer's value, so what the closer wrote before (a new watcher) is seen by
 * the look that follows; a close that comes after the exchange makes the compare-exchange fail. A
 * plain store can undo a close that came just before it. But that close came after the barrier, so
 * the store did too, and so did the look that follows it in the program, which sees the flag. A
 * locked instruction for each body and each growth would do as well; it cost a tenth of a request.
 * Without such a barrier (Linux before 4.14) a close may wait for the arena's next chunk.
 */
#include "internal.h"

enum { SLOTS = EBB__WATCHERS_MAX };
#define ALL_SLOTS ((uint32_t)((1ull << SLOTS) - 1))

_Atomic uint32_t ebb__begin_flags;

static os_lock_t lock = OS_LOCK_INIT;
static _Thread_local volatile bool held __attribute__((tls_model("initial-exec")));
static ebb__watcher *_Atomic slots[SLOTS];
static _Atomic uint32_t used; /* a bit for each slot that has one */
_Atomic bool ebb__barriers;
ebb__watcher *_Atomic ebb__only_watcher;

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
    uintptr_t expected = EBB__CLOSED_BY_OWNER, limit = ebb__sample_limit(a);
    __atomic_compare_exchange_n(&a->w.limit, &expected, limit, false, __ATOMIC_RELEASE,
                                __ATOMIC_RELAXED);
}

/* The window, which is open, waits for the next point of the sample, if there is one to be. */
void ebb__arm(ebb_arena *a)
{
    __atomic_store_n(&a->w.limit, ebb__sample_limit(a), __ATOMIC_RELAXED);
    __asm__ volatile("" ::: "memory");
    if (unlikely(begin_flags() & BEGIN_WATCHED)) ebb__close(a);
}

/* The floor of an open window has moved, while there is something unusual. */
COLD void ebb__floor_moved(ebb_arena *a)
{
    if (begin_flags() & ~(uint32_t)BEGIN_SAMPLED) ebb__close(a);
    else ebb__arm(a);
}

/* ---- watchers -------------------------------------------------------------------------------- */

/* What a watcher watches whose thread has exited: no thread. Its record may be another's by now. */
static char gone;

static const void *thread_of(const ebb__watcher *w)
{
    return __atomic_load_n(&w->thread, __ATOMIC_RELAXED);
}

static bool is_here(const ebb__watcher *w)
{
    const void *t = thread_of(w);
    return !t || t == ebb__self;
}

static bool concerns(const ebb__watcher *w, const ebb_arena *a)
{
    if (w->arena && w->arena != a) return false;
    if (w->profile_id && w->profile_id != profile_of(a)) return false;
    return is_here(w);
}

/* Between the two no watcher that this thread has found is freed. As it is asked at each allocation
   of a watched arena, it says so without a locked instruction: who removes a watcher sends a
   barrier through all threads, and then waits for those that are asking. */
static inline thread *ask_begin(uint32_t *ret_before)
{
    thread *t = ebb__self;
    if (unlikely(t == &ebb__no_thread)) t = ebb__thread_get();
    if (likely(t != NULL) && likely(atomic_load_explicit(&ebb__barriers, memory_order_relaxed))) {
        *ret_before = asking_begin(t);
        return t;
    }
    if (!t) t = &ebb__no_thread; /* which many may share */
    *ret_before = atomic_fetch_add_explicit(&t->asking, 1, memory_order_seq_cst);
    return t;
}

static inline void ask_end(thread *t, uint32_t before)
{
    if (likely(t != &ebb__no_thread))
        atomic_store_explicit(&t->asking, before, memory_order_release);
    else atomic_fetch_sub_explicit(&t->asking, 1, memory_order_release);
}

static bool is_watched(void)
{
    const uint32_t either = BEGIN_WATCHED | BEGIN_SAMPLED;
    return atomic_load_explicit(&ebb__begin_flags, memory_order_acquire) & either;
}

/* Those that want a sample hear of everything that has no size, and of what is in the sample. */
static bool hears(const ebb__watcher *w, ebb__event *e)
{
    enum { UNDECIDED, IN, OUT };
    if (!w->every || e->kind == EBB__EVENT_BEGIN) return true;
    if (e->sampled == UNDECIDED) e->sampled = ebb__sample_draw(e->size, &e->chance) ? IN : OUT;
    return e->sampled == IN;
}

static bool watches_a_thread(const ebb__watcher *w)
{
    const void *t = thread_of(w);
    return t && t != &gone;
}

/* Call `hears` (may be NULL) for each watcher that is concerned; return whether any may want to see
   this arena's next allocation, too. One that watches a thread keeps every arena closed, since any
   may come to that thread. */
static inline __attribute__((always_inline)) bool each_watcher(const ebb_arena *a, ebb__event *e,
                                                               bool *ret_refused)
{
    bool wanted = false;
    uint32_t before;
    thread *t = ask_begin(&before);
    uint32_t mask = atomic_load_explicit(&used, memory_order_seq_cst);
    for (; mask; mask &= mask - 1) {
        ebb__watcher *w = atomic_load_explicit(&slots[__builtin_ctz(mask)], memory_order_seq_cst);
        if (!w) continue;
        bool mine = concerns(w, a);
        wanted |= !w->every && (mine || watches_a_thread(w));
        if (!mine || !e || (unlikely(w->every) && !hears(w, e))) continue;
        if (w->on_event(w, e)) *ret_refused = true;
    }
    ask_end(t, before);
    return wanted;
}

bool ebb__watched(const ebb_arena *a)
{
    return is_watched() && each_watcher(a, NULL, NULL);
}

bool ebb__ask(const ebb_arena *a, ebb__event *e, bool *ret_wanted)
{
    bool refused = false;
    *ret_wanted = is_watched() && each_watcher(a, e, &refused);
    return refused;
}

/* Call fn for each watcher in these slots. */
static void each_in(uint32_t mask, void (*fn)(ebb__watcher *w, void *ctx), void *ctx)
{
    uint32_t before;
    thread *t = ask_begin(&before);
    for (mask &= atomic_load_explicit(&used, memory_order_seq_cst); mask; mask &= mask - 1) {
        ebb__watcher *w = atomic_load_explicit(&slots[__builtin_ctz(mask)], memory_order_seq_cst);
        if (w) fn(w, ctx);
    }
    ask_end(t, before);
}

typedef struct told {
    const ebb_arena *arena;
    ebb__event *event;
} told;

static void tell_one(ebb__watcher *w, void *ctx)
{
    const told *t = ctx;
    if (w->every && concerns(w, t->arena)) w->on_event(w, t->event);
}

void ebb__tell_sample(const ebb_arena *a, ebb__event *e)
{
    told t = {a, e};
    each_in(ALL_SLOTS, tell_one, &t);
}

static void tell_system(ebb__watcher *w, void *ctx)
{
    ebb__event *e = ctx;
    if (w->system && is_here(w) && hears(w, e)) w->on_event(w, e);
}

void ebb__system_event(size_t size, const void *site)
{
    ebb__event e = {
        .kind = EBB__EVENT_SYSTEM, .profile = EBB__SYSTEM_PROFILE, .size = size, .site = site};
    if (is_watched()) each_in(ALL_SLOTS, tell_system, &e);
}

typedef struct lived {
    const ebb__life *life;
    uint64_t death;
} lived;

static void tell_life(ebb__watcher *w, void *ctx)
{
    const lived *l = ctx;
    if (w->on_life) w->on_life(w, l->life, l->death);
}

void ebb__lives_tell(const ebb__life *life, uint64_t death)
{
    lived l = {life, death};
    each_in(life->lives, tell_life, &l);
}

static bool is_of_all(const ebb__watcher *w)
{
    return w->on_alloc && !w->every && !w->arena && !w->profile_id && !w->thread;
}

/* With the lock held: what those that want a sample agree on. */
static void set_flags(void)
{
    uint32_t flags = 0;
    size_t every = 0, count = 0;
    ebb__watcher *last = NULL;
    for (uint32_t m = atomic_load_explicit(&used, memory_order_relaxed); m; m &= m - 1) {
        ebb__watcher *w = atomic_load_explicit(&slots[__builtin_ctz(m)], memory_order_relaxed);
        count++;
        last = w;
        flags |= w->every ? BEGIN_SAMPLED : BEGIN_WATCHED;
        if (w->every && (!every || w->every < every)) every = w->every;
    }
    atomic_store_explicit(&ebb__only_watcher, count == 1 && is_of_all(last) ? last : NULL,
                          memory_order_seq_cst);
    atomic_store_explicit(&ebb__sample_every, every, memory_order_relaxed);
    atomic_fetch_or_explicit(&ebb__begin_flags, flags, memory_order_seq_cst);
    atomic_fetch_and_explicit(&ebb__begin_flags, flags | BEGIN_STRICT, memory_order_seq_cst);
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
    ebb__watchers_lock();
    uint32_t free_slots = ~atomic_load_explicit(&used, memory_order_relaxed) & ALL_SLOTS;
    if (free_slots) {
        int i = __builtin_ctz(free_slots);
        if (os_barrier_all()) atomic_store_explicit(&ebb__barriers, true, memory_order_relaxed);
        w->slot = (unsigned)i;
        atomic_store_explicit(&slots[i], w, memory_order_seq_cst);
        atomic_fetch_or_explicit(&used, (uint32_t)1 << i, memory_order_seq_cst);
        set_flags();
    }
    ebb__watchers_unlock();
    if (!free_slots) return false;
    close_watched(w);
    return true;
}

void ebb__watcher_remove(ebb__watcher *w)
{
    ebb__watchers_lock();
    for (int i = 0; i < SLOTS; i++) {
        if (atomic_load_explicit(&slots[i], memory_order_relaxed) != w) continue;
        atomic_store_explicit(&slots[i], NULL, memory_order_seq_cst);
        atomic_fetch_and_explicit(&used, ~((uint32_t)1 << i), memory_order_seq_cst);
    }
    set_flags();
    ebb__watchers_unlock();
    os_barrier_all();
    ebb__threads_asked();
}

void ebb__watchers_forget(const thread *t)
{
    if (!is_watched()) return; /* one that is added now watches its own thread, not this one */
    ebb__watchers_lock();
    for (int i = 0; i < SLOTS; i++) {
        ebb__watcher *w = atomic_load_explicit(&slots[i], memory_order_relaxed);
        if (w && thread_of(w) == t) __atomic_store_n(&w->thread, (void *)&gone, __ATOMIC_RELAXED);
    }
    ebb__watchers_unlock();
}

uint64_t ebb__clock_coarse_ms(void)
{
    return os_clock_ms();
}

uint64_t ebb__clock_exact_ns(void)
{
    return os_clock_ns();
}

/* Looked up once a thread, and again now and then where it was on another stack at the time, as of
   a coroutine or a signal's handler. The main thread's grows downward. */
uintptr_t ebb__stack_end(uintptr_t inside)
{
    enum { TRY_AGAIN = 64 };
    thread *t = ebb__self;
    if (t == &ebb__no_thread) return 0;
    if (likely(inside - t->stack_lo < t->stack_end - t->stack_lo)) return t->stack_end;
    if (t->stack_end && ++t->stack_misses % TRY_AGAIN) return 0;
    if (!os_stack_find(inside, &t->stack_lo, &t->stack_end)) t->stack_lo = t->stack_end = 1;
    return inside - t->stack_lo < t->stack_end - t->stack_lo ? t->stack_end : 0;
}

void *ebb__pages_take(size_t size)
{
    return os_reserve(size, os_page_size());
}

void ebb__pages_give(void *pages, size_t size)
{
    os_release(pages, size);
}

void ebb__watchers_lock(void)
{
    held = true;
    os_lock(&lock);
}

void ebb__watchers_unlock(void)
{
    os_unlock(&lock);
    held = false;
}

bool ebb__watchers_held(void)
{
    return held;
}
