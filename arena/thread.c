/*
 * arena/thread.c: what a thread keeps for itself: stacks of free blocks, and its place in the world
 * (current scope, lexical scopes, tries). Also the process's start, fork, and a thread's exit.
 *
 * Bounds: BLOCK classes share 256 KiB; heads and exts have their own counts. Above a bound half of
 * the class's stack goes to the depot. No lock is taken while a stack can serve.
 *
 * Fork: the locks are held across it in the order in which they nest, so the child finds the depot
 * whole. Caches of threads that the child does not have are lost to it: at most 256 KiB each.
 */
#include "internal.h"

#include <string.h>

enum { BLOCKS_MOST = 32 };

thread ebb__no_thread;
_Thread_local thread *ebb__self __attribute__((tls_model("initial-exec"))) = &ebb__no_thread;

static os_lock_t lock = OS_LOCK_INIT; /* the two lists */
static thread *all_threads, *free_threads;
static char *pool_next, *pool_end;

/* ---- batches --------------------------------------------------------------------------------- */

static unsigned most_of(unsigned klass)
{
    if (klass < BLOCK_CLASS) return STACK_SLOTS;
    size_t n = CACHE_BYTES / class_size(klass);
    return n > BLOCKS_MOST ? BLOCKS_MOST : n ? (unsigned)n : 1;
}

/* Move the `n` oldest blocks of a stack to the depot: the newest are the warmest. */
static void spill(thread *t, unsigned klass, unsigned n)
{
    stack *s = &t->stack[klass];
    if (n == 0) return;
    for (unsigned i = 0; i < n; i++)
        *ebb__free_link(klass, s->slot[i]) = i + 1 < n ? s->slot[i + 1] : NULL;
    ebb__depot_give(klass, s->slot[0], n);
    memmove(s->slot, s->slot + n, (s->count - n) * sizeof s->slot[0]);
    s->count -= n;
    if (klass >= BLOCK_CLASS) t->cached -= n * class_size(klass);
}

/* ---- the cache ------------------------------------------------------------------------------- */

/* Half a stack, but no more than half of what the thread may still cache. */
static unsigned refill_count(const thread *t, unsigned klass)
{
    unsigned want = (most_of(klass) + 1) / 2;
    if (klass < BLOCK_CLASS) return want;
    size_t fit = (CACHE_BYTES - t->cached) / 2 / class_size(klass);
    return want < fit ? want : fit ? (unsigned)fit : 1;
}

static COLD void *refill(unsigned klass)
{
    thread *t = ebb__thread_get();
    void *list = NULL;
    if (ebb__depot_take(klass, t ? refill_count(t, klass) : 1, &list) == 0) return NULL;
    void *block = list;
    list = *ebb__free_link(klass, block);
    *ebb__free_link(klass, block) = NULL;
    while (list) {
        void *next = *ebb__free_link(klass, list);
        *ebb__free_link(klass, list) = NULL;
        stack_push(t, klass, list);
        list = next;
    }
    return block;
}

void *ebb__cache_pop(unsigned klass)
{
    thread *t = ebb__self;
    return likely(t->stack[klass].count > 0) ? stack_pop(t, klass) : refill(klass);
}

/* The BLOCK class that holds most of the cached bytes. */
static unsigned fattest(const thread *t)
{
    unsigned best = BLOCK_CLASS;
    for (unsigned k = BLOCK_CLASS; k < CLASSES; k++)
        if (t->stack[k].count * class_size(k) > t->stack[best].count * class_size(best)) best = k;
    return best;
}

static COLD void push_slowly(unsigned klass, void *block)
{
    thread *t = ebb__thread_get();
    if (t) {
        const stack *s = &t->stack[klass];
        unsigned crowded = s->count == s->most ? klass : fattest(t);
        spill(t, crowded, (t->stack[crowded].count + 1) / 2);
        if (has_room(t, klass)) {
            stack_push(t, klass, block);
            return;
        }
    }
    *ebb__free_link(klass, block) = NULL;
    ebb__depot_give(klass, block, 1);
}

void ebb__cache_push(unsigned klass, void *block)
{
    thread *t = ebb__self;
    if (unlikely(!has_room(t, klass))) {
        push_slowly(klass, block);
        return;
    }
    stack_push(t, klass, block);
}

void ebb__cache_flush(thread *t)
{
    for (unsigned k = 0; k < CLASSES; k++) spill(t, k, t->stack[k].count);
}

/* ---- what layers above want to hear ---------------------------------------------------------- */

/* Few, and never taken back. */
enum { HOOKS_MOST = 8 };
typedef struct hooks {
    void (*fn[HOOKS_MOST])(void);
    _Atomic unsigned count;
} hooks;

static hooks exits; /* a thread's, after its scopes have ended */
static hooks trims;

static void hook_add(hooks *h, void (*fn)(void))
{
    ebb__thread_get();
    os_lock(&lock);
    unsigned n = atomic_load_explicit(&h->count, memory_order_relaxed);
    h->fn[n] = fn;
    atomic_store_explicit(&h->count, n + 1, memory_order_release);
    os_unlock(&lock);
}

/* The newest first. */
static void hooks_run(hooks *h)
{
    unsigned n = atomic_load_explicit(&h->count, memory_order_acquire);
    while (n-- > 0) h->fn[n]();
}

void ebb__at_thread_exit(void (*fn)(void))
{
    hook_add(&exits, fn);
}

void ebb__at_trim(void (*fn)(void))
{
    hook_add(&trims, fn);
}

void ebb_trim(void)
{
    ebb__thread_get();
    hooks_run(&trims);
    ebb__quarantine_drain();
    if (ebb__self != &ebb__no_thread) ebb__cache_flush(ebb__self);
    ebb__depot_trim();
}

/* ---- threads --------------------------------------------------------------------------------- */

static void thread_unlist(thread *t)
{
    for (thread **at = &all_threads; *at; at = &(*at)->next) {
        if (*at != t) continue;
        *at = t->next;
        return;
    }
}

static void thread_exit(void *value)
{
    thread *t = value;
    ebb__thread_exit_scopes(t);
    hooks_run(&exits);
    ebb__watchers_forget(t);
    ebb__profile_leave(t);
    ebb__credit_flush(t);
    ebb__cache_flush(t);
    ebb__self = &ebb__no_thread;
    os_lock(&lock);
    thread_unlist(t);
    t->next = free_threads;
    free_threads = t;
    os_unlock(&lock);
}

/* Thread records are type-stable and never unmapped: a report may name a thread that is gone. */
static thread *thread_from_pool(void)
{
    const size_t size = (sizeof(thread) + 63) & ~(size_t)63, pool = (size_t)256 << 10;
    thread *t = free_threads;
    if (t) {
        free_threads = t->next;
        return t;
    }
    if ((size_t)(pool_end - pool_next) < size) {
        char *p = os_reserve(pool, 4096);
        if (!p) return NULL;
        pool_next = p;
        pool_end = p + pool;
    }
    t = (thread *)(void *)pool_next;
    pool_next += size;
    return t;
}

void ebb__threads_asked(void)
{
    os_lock(&lock);
    while (atomic_load_explicit(&ebb__no_thread.asking, memory_order_acquire)) os_yield();
    for (thread *t = all_threads; t; t = t->next)
        while (atomic_load_explicit(&t->asking, memory_order_acquire)) os_yield();
    os_unlock(&lock);
}

/* What the environment asks for, by the process's first thread; others that begin meanwhile are not
   kept waiting. Not within os_once: what is asked for uses the library. */
static void start_once(void)
{
    static _Atomic bool started;
    if (atomic_load_explicit(&started, memory_order_relaxed)) return;
    if (!atomic_exchange_explicit(&started, true, memory_order_relaxed)) ebb__env_start();
}

static COLD thread *thread_new(void)
{
    os_once(ebb__process_init);
    os_lock(&lock);
    static uint64_t numbers; /* a program's threads begin in the same order: its samples repeat */
    thread *t = thread_from_pool();
    uint64_t number = numbers++;
    if (t) {
        memset(t, 0, sizeof *t);
        t->next = all_threads;
        all_threads = t;
    }
    os_unlock(&lock);
    if (!t) return NULL;
    for (unsigned k = 0; k < CLASSES; k++) t->stack[k].most = most_of(k);
    t->until_sample = 1;
    t->id = os_thread_number();
    os_thread_name(t->name, sizeof t->name);
    ebb__sample_seed(t, number);
    os_thread_value_set(t);
    ebb__self = t;
    start_once();
    return t;
}

thread *ebb__thread_get(void)
{
    thread *t = ebb__self;
    return likely(t != &ebb__no_thread) ? t : thread_new();
}

unsigned ebb__thread_id(const thread *t)
{
    return t ? t->id : 0;
}

/* ---- the process ----------------------------------------------------------------------------- */

static void before_fork(void)
{
    os_lock(&lock);
    ebb__watchers_lock();
    ebb__profile_lock();
    ebb__budget_lock();
    ebb__quarantine_lock();
    ebb__depot_lock_all();
    ebb__misuse_lock();
}

static void after_fork_in_parent(void)
{
    ebb__misuse_unlock();
    ebb__depot_unlock_all();
    ebb__quarantine_unlock();
    ebb__budget_unlock();
    ebb__profile_unlock();
    ebb__watchers_unlock();
    os_unlock(&lock);
}

static void after_fork_in_child(void)
{
    thread *self = ebb__self;
    after_fork_in_parent();
    all_threads = NULL;
    atomic_store_explicit(&ebb__no_thread.asking, 0, memory_order_relaxed); /* others' */
    if (self == &ebb__no_thread) return;
    self->next = NULL;
    self->id = os_thread_number();
    all_threads = self;
}

void ebb__process_init(void)
{
    os_at_thread_exit(thread_exit);
    os_at_fork(before_fork, after_fork_in_parent, after_fork_in_child);
    ebb__tools_detect();
    ebb__checks_init();
    ebb__depot_init();
}
