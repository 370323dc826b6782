/*
 * track/fault.c: the fault injector of ebb/track.h. It allocates from no arena, since it may be
 * watching that: its own memory is the heap's.
 */
#include "tracker.h"

#include <stdatomic.h>
#include <stdlib.h>

static void tell(ebb_status *ret_why, ebb_status why)
{
    if (ret_why) *ret_why = why;
}

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

static bool fault_event(ebb__watcher *w, ebb__event *e)
{
    (void)e;
    ebb_fault *f = (ebb_fault *)(void *)w; /* its first member */
    uint64_t n = atomic_fetch_add_explicit(&f->seen, 1, memory_order_relaxed) + 1;
    if (!is_hit(f, n)) return false;
    atomic_fetch_add_explicit(&f->hits, 1, memory_order_relaxed);
    return true;
}

ebb_fault *ebb_fault_begin(ebb_watch whom, const ebb_fault_params *params, ebb_status *ret_why)
{
    static const ebb_fault_params none = EBB_FAULT_PARAMS_INIT;
    const double two_to_64 = 18446744073709551616.0;
    if (!params) params = &none;
    if (!(params->probability >= 0 && params->probability <= 1)) {
        tell(ret_why, EBB_E_RANGE);
        return NULL;
    }
    ebb_fault *f = calloc(1, sizeof *f);
    if (!f) {
        tell(ret_why, EBB_E_MEMORY);
        return NULL;
    }
    f->watcher = ebb__watcher_for(whom, fault_event);
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
    return f ? atomic_load_explicit(&f->hits, memory_order_relaxed) : 0;
}

uint64_t ebb_fault_seen(const ebb_fault *f)
{
    return f ? atomic_load_explicit(&f->seen, memory_order_relaxed) : 0;
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
