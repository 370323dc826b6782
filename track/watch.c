/*
 * track/watch.c: the two watchers of ebb/track.h, a fault injector and a counter of allocations.
 * Neither allocates from an arena that it may be watching: their own memory is the heap's.
 */
#include "seam.h"

#include <ebb/track.h>

#include <stdatomic.h>
#include <stdlib.h>

static void tell(ebb_status *ret_why, ebb_status why)
{
    if (ret_why) *ret_why = why;
}

static ebb__watcher watcher_for(ebb_watch whom,
                                bool (*on_event)(ebb__watcher *, int, const void *, size_t, void *))
{
    ebb__watcher w = {.on_event = on_event,
                      .arena = whom.arena,
                      .profile = whom.profile,
                      .this_thread = whom.this_thread};
    return w;
}

/* ---- faults ---------------------------------------------------------------------------------- */

struct ebb_fault {
    ebb__watcher watcher;
    ebb_fault_params params;
    uint64_t threshold; /* probability, of 2^64 */
    _Atomic uint64_t seen, hits;
};

/* splitmix64 (Steele, Lea, Flood 2014) of the seed and the allocation's number: the same allocation
   fails in every run, whichever thread makes it. */
static uint64_t mixed(uint64_t seed, uint64_t n)
{
    uint64_t z = seed + n * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool is_hit(const ebb_fault *f, uint64_t n)
{
    const ebb_fault_params *p = &f->params;
    if (p->nth && (n == p->nth || (p->from_nth_on && n > p->nth))) return true;
    if (p->probability >= 1) return true;
    return p->probability > 0 && mixed(p->seed, n) < f->threshold;
}

static bool fault_event(ebb__watcher *w, int event, const void *arena, size_t size, void *site)
{
    (void)event, (void)arena, (void)size, (void)site;
    ebb_fault *f = (ebb_fault *)(void *)w; /* its first member */
    uint64_t n = atomic_fetch_add_explicit(&f->seen, 1, memory_order_relaxed) + 1;
    if (!is_hit(f, n)) return false;
    atomic_fetch_add_explicit(&f->hits, 1, memory_order_relaxed);
    return true;
}

ebb_fault *ebb_fault_begin(ebb_watch whom, const ebb_fault_params *params, ebb_status *ret_why)
{
    const double two_to_64 = 18446744073709551616.0;
    if (!(params->probability >= 0 && params->probability <= 1)) {
        tell(ret_why, EBB_E_RANGE);
        return NULL;
    }
    ebb_fault *f = calloc(1, sizeof *f);
    if (!f) {
        tell(ret_why, EBB_E_MEMORY);
        return NULL;
    }
    f->watcher = watcher_for(whom, fault_event);
    f->params = *params;
    if (params->probability < 1) f->threshold = (uint64_t)(params->probability * two_to_64);
    if (ebb__watcher_add(&f->watcher)) return f;
    free(f);
    tell(ret_why, EBB_E_EXHAUSTED);
    return NULL;
}

void ebb_fault_end(ebb_fault **handle)
{
    ebb_fault *f = *handle;
    *handle = NULL;
    if (!f) return;
    ebb__watcher_remove(&f->watcher);
    free(f);
}

uint64_t ebb_fault_hits(const ebb_fault *f)
{
    return atomic_load_explicit(&f->hits, memory_order_relaxed);
}

uint64_t ebb_fault_seen(const ebb_fault *f)
{
    return atomic_load_explicit(&f->seen, memory_order_relaxed);
}

/* One round of EBB_EACH_FAILURE is over, or the first is about to begin. */
bool ebb__fault_next(ebb_fault **f, ebb_watch whom)
{
    ebb_fault_params params = {.nth = 1};
    if (*f) {
        bool hit = ebb_fault_hits(*f) > 0;
        params.nth = (*f)->params.nth + 1;
        ebb_fault_end(f);
        if (!hit) return false;
    }
    *f = ebb_fault_begin(whom, &params, NULL);
    if (!*f)
        ebb__watcher_misuse("EBB_EACH_FAILURE",
                            "no watcher can be added (sixteen are active, or there "
                            "is no memory); end others first");
    return *f != NULL;
}

/* ---- counting -------------------------------------------------------------------------------- */

struct ebb_counter {
    ebb__watcher watcher;
    _Atomic uint64_t count, bytes, by_class[EBB_COUNTER_CLASSES];
};

static unsigned class_of(size_t size)
{
    if (size == 0) return 0;
    unsigned bits = size == 1 ? 0 : 64 - (unsigned)__builtin_clzll(size - 1);
    return bits + 1 < EBB_COUNTER_CLASSES ? bits + 1 : EBB_COUNTER_CLASSES - 1;
}

static bool counter_event(ebb__watcher *w, int event, const void *arena, size_t size, void *site)
{
    (void)arena, (void)site;
    ebb_counter *c = (ebb_counter *)(void *)w; /* its first member */
    if (event != EBB__EVENT_ALLOC) return false;
    atomic_fetch_add_explicit(&c->count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->bytes, size, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->by_class[class_of(size)], 1, memory_order_relaxed);
    return false;
}

ebb_counter *ebb_counter_begin(ebb_watch whom, ebb_status *ret_why)
{
    ebb_counter *c = calloc(1, sizeof *c);
    if (!c) {
        tell(ret_why, EBB_E_MEMORY);
        return NULL;
    }
    c->watcher = watcher_for(whom, counter_event);
    if (ebb__watcher_add(&c->watcher)) return c;
    free(c);
    tell(ret_why, EBB_E_EXHAUSTED);
    return NULL;
}

void ebb_counter_get_stats(const ebb_counter *c, ebb_counter_stats *ret_)
{
    ret_->count = atomic_load_explicit(&c->count, memory_order_relaxed);
    ret_->bytes = atomic_load_explicit(&c->bytes, memory_order_relaxed);
    for (int i = 0; i < EBB_COUNTER_CLASSES; i++)
        ret_->by_class[i] = atomic_load_explicit(&c->by_class[i], memory_order_relaxed);
}

void ebb_counter_end(ebb_counter **handle)
{
    ebb_counter *c = *handle;
    *handle = NULL;
    if (!c) return;
    ebb__watcher_remove(&c->watcher);
    free(c);
}
