/*
 * share/shared.c: immutable objects and who holds them: counted, for a scope, weakly.
 *
 * A count is never taken up from 0, so an upgrade and the last drop can't both win. The arena is
 * ended by whoever drops last, when nobody else can reach it.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

/* Arbitrary; what a block is used for otherwise has pointers or nothing in their place. */
#define ALIVE UINT64_C(0x65626273616c6976)
#define ENDED UINT64_C(0x656262736e64ed00)

/* Above MOST references somebody forgets to drop. The count then stays where it is, far from both
   MOST and an overflow however many threads pass it at once, and the object is never ended. */
#define MOST  ((uint32_t)1 << 31)
#define STUCK ((uint64_t)MOST + (MOST >> 1))

enum { LOOK_BACK = 4 }; /* what a scope holds already is looked for among so many */

/* Held for a scope. In its arena. */
typedef struct keep {
    ebb_cleanup cleanup;
    ebb_shared *s;
} keep;

static os_lock_t lock = OS_LOCK_INIT; /* everything below */
static ebb_shared *all;
static uint64_t sealed, alive, bytes;
static bool prepared;

static _Atomic uint64_t blocks; /* of objects alive, and of those that have ended */

/* What is about to end on this thread, while another ends. */
static _Thread_local struct {
    ebb_shared *next;
    bool busy;
} ending __attribute__((tls_model("initial-exec")));

/* ---- fork ------------------------------------------------------------------------------------ */

static void before_fork(void)
{
    ebb__canon_lock_all();
    os_lock(&lock);
    ebb__epoch_lock();
}

static void after_fork(void)
{
    ebb__epoch_unlock();
    os_unlock(&lock);
    ebb__canon_unlock_all();
}

/* Who is in the list is sealed, so that nobody changes it. */
static void tell_all(ebb__live_put *put, void *ctx)
{
    os_lock(&lock);
    for (const ebb_shared *s = all; s; s = s->next) {
        figures f = ebb__figures(s->arena);
        put(ctx, &(ebb__live_thing){
                     .kind = EBB__LIVE_SHARED,
                     .name = ebb_arena_name(s->arena),
                     .address = s->arena,
                     .held = f.held,
                     .used = f.in_chunks + f.in_large,
                     .count = f.chunks,
                     .out = (uint32_t)atomic_load_explicit(&s->count, memory_order_relaxed),
                     .exact = true});
    }
    os_unlock(&lock);
}

/* What is registered later is called earlier, so the ground floor's handlers come first. */
void ebb__share_prepare(void)
{
    ebb__thread_get();
    os_lock(&lock);
    bool begins = !prepared;
    prepared = true;
    os_unlock(&lock);
    if (!begins) return;
    os_at_fork(before_fork, after_fork, after_fork);
    ebb__live_source(tell_all);
}

/* ---- building -------------------------------------------------------------------------------- */

ebb_arena *ebb_shared_begin(const char *name)
{
    ebb__share_prepare();
    return ebb__seal_begin(name);
}

static void enlist(ebb_shared *s)
{
    os_lock(&lock);
    s->next = all;
    s->previous = NULL;
    if (all) all->previous = s;
    all = s;
    sealed++;
    alive++;
    bytes += s->bytes;
    os_unlock(&lock);
}

static void unlist(ebb_shared *s)
{
    os_lock(&lock);
    if (s->previous) s->previous->next = s->next;
    else all = s->next;
    if (s->next) s->next->previous = s->previous;
    alive--;
    bytes -= s->bytes;
    os_unlock(&lock);
}

/* A request's: it ends before who reads the root does. */
static bool is_in_another_scope(const ebb_arena *a, const void *root)
{
    const ebb_arena *of = ebb_arena_of(root);
    return of && of != a && (of->bits & SCOPE);
}

static ebb_status may_seal(ebb_arena *a, const void *root)
{
    if (a == &ebb__dead) return EBB_E_MEMORY;
    if (a && !ebb__check_usable(a, "ebb_shared_seal")) return EBB_E_INVALID;
    const char *why = a ? ebb__seal_refuses(a) : "there is no arena, or it was sealed already";
    if (!why && ebb__epoch_is_in(a))
        why = "it has read from a root or a cache; build in ebb_shared_begin's arena";
    if (!why && !ebb_failed(a) && is_in_another_scope(a, root))
        why = "the root is not in it, but in a scope, which ends; build all in this arena";
    if (!why) return ebb_failed(a);
    ebb__report(EBB_MISUSE, "ebb_shared_seal", a, "%s", why);
    return EBB_E_INVALID;
}

static size_t bytes_of(const ebb_arena *a)
{
    return ebb__held(a) + 2 * class_size(EXT_CLASS);
}

ebb_shared *ebb_shared_seal(ebb_arena **handle, const void *root, ebb_status *ret_why)
{
    ebb_arena *a = *handle;
    ebb_status why = may_seal(a, root);
    ebb_shared *s = why == EBB_OK ? ebb__cache_pop(EXT_CLASS) : NULL;
    if (!s) {
        if (ret_why) *ret_why = why != EBB_OK ? why : EBB_E_MEMORY;
        return NULL;
    }
    ebb__seal(a);
    *handle = NULL;
    s->root = root;
    s->mark = ALIVE;
    s->arena = a;
    s->bytes = bytes_of(a);
    atomic_init(&s->count, ONE_HOLDER);
    atomic_init(&s->weak, 1);
    atomic_fetch_add_explicit(&blocks, 1, memory_order_relaxed);
    enlist(s);
    return s;
}

/* ---- counting -------------------------------------------------------------------------------- */

static COLD bool report_ended(const char *function)
{
    ebb__report_named(EBB_MISUSE, function, "?",
                      "the object has ended: more references were dropped than held; hold it for "
                      "whoever drops it");
    return false;
}

/* 2^31 are held, or a count below 0 has been repaired by nobody. */
static COLD void stick(ebb_shared *s, uint32_t held, const char *function)
{
    atomic_store_explicit(&s->count, STUCK, memory_order_relaxed);
    if (held != MOST) return;
    ebb__report(EBB_MISUSE, function, s->arena,
                "held 2^31 times: drops are missing; it will never end");
}

bool ebb__shared_check(const ebb_shared *s, const char *function)
{
    return likely(s->mark == ALIVE) || report_ended(function);
}

bool ebb__shared_add(ebb_shared *s, uint64_t what, const char *function)
{
    if (unlikely(s->mark != ALIVE)) return report_ended(function);
    uint32_t held = (uint32_t)atomic_fetch_add_explicit(&s->count, what, memory_order_relaxed);
    if (unlikely(held >= MOST)) stick(s, held, function);
    return true;
}

bool ebb__shared_let_go(ebb_shared *s, uint64_t what, const char *function)
{
    if (unlikely(s->mark != ALIVE)) return report_ended(function);
    uint32_t held = (uint32_t)atomic_fetch_sub_explicit(&s->count, what, memory_order_acq_rel);
    if (unlikely(held >= MOST)) stick(s, held, function);
    return held == 1;
}

bool ebb__shared_try_hold(ebb_shared *s)
{
    uint64_t now = atomic_load_explicit(&s->count, memory_order_relaxed);
    while ((uint32_t)now != 0)
        if (atomic_compare_exchange_weak_explicit(&s->count, &now, now + ONE_HOLDER,
                                                  memory_order_acquire, memory_order_relaxed)) {
            if (unlikely((uint32_t)now >= MOST)) stick(s, (uint32_t)now, "ebb_weak_upgrade");
            return true;
        }
    return false;
}

/* An object that is alive has one itself. */
static COLD void report_weak(ebb_shared *s)
{
    atomic_fetch_add_explicit(&s->weak, 1, memory_order_relaxed);
    ebb__report(EBB_MISUSE, "ebb_weak_drop", s->mark == ALIVE ? s->arena : NULL,
                "more weak references were dropped than there were; get one for whoever drops it");
}

static void weak_let_go(ebb_shared *s)
{
    uint32_t held = atomic_fetch_sub_explicit(&s->weak, 1, memory_order_acq_rel);
    if (likely(held > 1)) return;
    if (unlikely(held == 0) || unlikely(s->mark == ALIVE)) {
        report_weak(s);
        return;
    }
    atomic_fetch_sub_explicit(&blocks, 1, memory_order_relaxed);
    ebb__cache_push(EXT_CLASS, s);
}

static void end_one(ebb_shared *s)
{
    ebb_arena *a = s->arena;
    s->mark = ENDED;
    ebb__unseal(a);
    ebb_arena_destroy(&a);
    weak_let_go(s);
}

/* Others that end because one does wait for their turn: a chain may be long, a stack is not. */
static void end_listed(ebb_shared *list)
{
    if (!list) return;
    ebb_shared **tail = &ending.next;
    while (*tail) tail = &(*tail)->next;
    *tail = list;
    if (ending.busy) return;
    ending.busy = true;
    for (ebb_shared *s; (s = ending.next);) {
        ending.next = s->next;
        end_one(s);
    }
    ending.busy = false;
}

void ebb__shared_end_later(ebb_shared *s, ebb_shared **list)
{
    unlist(s);
    s->next = *list;
    *list = s;
}

void ebb__shared_end_all(ebb_shared *list)
{
    end_listed(list);
}

void ebb__shared_end(ebb_shared *s)
{
    unlist(s);
    s->next = NULL;
    end_listed(s);
}

ebb_shared *ebb_shared_hold(ebb_shared *s)
{
    return ebb__shared_add(s, ONE_HOLDER, "ebb_shared_hold") ? s : NULL;
}

void ebb_shared_drop(ebb_shared **handle)
{
    ebb_shared *s = *handle;
    *handle = NULL;
    if (s && ebb__shared_let_go(s, ONE_HOLDER, "ebb_shared_drop")) ebb__shared_end(s);
}

const void *ebb_shared_get(const ebb_shared *s)
{
    return s->root;
}

size_t ebb_shared_bytes(const ebb_shared *s)
{
    return s->bytes;
}

/* ---- for a scope ----------------------------------------------------------------------------- */

static void drop_kept(ebb_cleanup *c)
{
    ebb_shared *s = EBB_CONTAINER(c, keep, cleanup)->s;
    if (ebb__shared_let_go(s, ONE_SCOPE, "ebb_shared_hold_for")) ebb__shared_end(s);
}

static bool keeps_already(const ebb_arena *a, const ebb_shared *s)
{
    if (kind_of(a->undo) != HOLD) return false;
    const ebb_cleanup *c = ((hold *)record_of(a->undo))->first;
    for (int i = 0; c && i < LOOK_BACK; c = c->next, i++)
        if (c->run == drop_kept && ((const keep *)(const void *)c)->s == s) return true;
    return false;
}

bool ebb_shared_hold_for(ebb_shared *s, ebb_arena *a)
{
    if (a == &ebb__dead || !ebb__check_usable(a, "ebb_shared_hold_for")) return false;
    if (keeps_already(a, s)) return true;
    keep *k = ebb_alloc_optional(a, sizeof *k);
    if (!k || !ebb__shared_add(s, ONE_SCOPE, "ebb_shared_hold_for")) return false;
    k->s = s;
    k->cleanup.run = drop_kept;
    if (hold_add(a, &k->cleanup)) return true;
    if (ebb__shared_let_go(s, ONE_SCOPE, "ebb_shared_hold_for")) ebb__shared_end(s);
    return false;
}

const char *ebb_shared_validate(const ebb_shared *s)
{
    if (s->mark != ALIVE) return "the object has ended, or never was one";
    uint64_t count = atomic_load_explicit(&s->count, memory_order_relaxed);
    if ((uint32_t)count == 0) return "nobody holds it";
    if (count >> 32 > (uint32_t)count) return "more scopes hold it than there are references";
    if (atomic_load_explicit(&s->weak, memory_order_relaxed) == 0)
        return "its control block is free";
    if (s->bytes != bytes_of(s->arena)) return "its bytes have changed";
    return ebb__seal_check(s->arena);
}

/* ---- weak ------------------------------------------------------------------------------------ */

/* A weak reference is the control block, as one that may not look at the object. */
static ebb_shared *block_of(ebb_weak *w)
{
    return (ebb_shared *)(void *)w;
}

ebb_weak *ebb_weak_of(ebb_shared *s)
{
    if (unlikely(s->mark != ALIVE)) return report_ended("ebb_weak_of"), NULL;
    uint32_t others = atomic_fetch_add_explicit(&s->weak, 1, memory_order_relaxed);
    if (likely(others < MOST)) return (ebb_weak *)(void *)s;
    atomic_fetch_sub_explicit(&s->weak, 1, memory_order_relaxed);
    ebb__report(EBB_MISUSE, "ebb_weak_of", s->arena, "2^31 weak references: drops are missing");
    return NULL;
}

ebb_shared *ebb_weak_upgrade(ebb_weak *w)
{
    ebb_shared *s = block_of(w);
    return ebb__shared_try_hold(s) ? s : NULL;
}

void ebb_weak_drop(ebb_weak **handle)
{
    ebb_weak *w = *handle;
    *handle = NULL;
    if (w) weak_let_go(block_of(w));
}

/* ---- what is going on ------------------------------------------------------------------------ */

void ebb_share_get_stats(ebb_share_stats *ret_stats)
{
    ebb__epoch_stats e;
    ebb__epoch_get_stats(&e);
    os_lock(&lock);
    *ret_stats = (ebb_share_stats){.sealed = sealed, .alive = alive, .bytes = bytes};
    for (const ebb_shared *s = all; s; s = s->next)
        ret_stats->held_by_scopes += atomic_load_explicit(&s->count, memory_order_relaxed) >> 32;
    uint64_t have = atomic_load_explicit(&blocks, memory_order_relaxed);
    ret_stats->weak = have > alive ? have - alive : 0;
    os_unlock(&lock);
    ret_stats->deferred = e.retired;
    ret_stats->deferred_bytes = e.bytes;
    ret_stats->readers = e.readers;
    ret_stats->oldest = e.oldest;
}

static void show(const ebb_shared *s, ebb_share_info *ret_)
{
    uint64_t count = atomic_load_explicit(&s->count, memory_order_relaxed);
    snprintf(ret_->name, sizeof ret_->name, "%s", ebb_arena_name(s->arena));
    ret_->bytes = s->bytes;
    ret_->held = (uint32_t)count;
    ret_->scopes = (uint32_t)(count >> 32);
    ret_->weak = atomic_load_explicit(&s->weak, memory_order_relaxed) - 1;
}

size_t ebb_share_list(ebb_share_info *ret_, size_t most)
{
    size_t n = 0;
    os_lock(&lock);
    for (const ebb_shared *s = all; s; s = s->next, n++)
        if (n < most) show(s, &ret_[n]);
    os_unlock(&lock);
    return n;
}

size_t ebb_share_collect(void)
{
    return ebb__epoch_collect();
}
