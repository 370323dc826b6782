/* share/epoch.c: see epoch.h. Locks: `lock`, inside nothing and with nothing inside it. */
#include "epoch.h"

enum { BATCH = 64, LEAVES = 256 };

static _Atomic uint64_t now = 1;
static os_lock_t lock = OS_LOCK_INIT; /* the records' room and free list, and what is retired */
static ebb_arena *room;
static ebb__reader *_Atomic readers; /* only grows */
static ebb__reader *free_readers;
static _Atomic size_t reader_count;
static ebb__retired *retired;
static _Atomic size_t retired_count, retired_bytes;
static _Atomic int collecting;
static _Atomic bool asymmetric, prepared;

static _Thread_local ebb__reader *mine; /* free ones */
static _Thread_local uint32_t leaves;

/* ---- records --------------------------------------------------------------------------------- */

static void before_fork(void)
{
    os_lock(&lock);
}

static void after_fork(void)
{
    os_unlock(&lock);
}

/* Scopes of threads that are not in this process never end: their records would hold all back. But
   which are whose is not known; so what they hold back, they hold back. */
static void after_fork_in_child(void)
{
    os_lock_reset(&lock);
    atomic_store(&collecting, 0);
}

static void thread_exit(void)
{
    os_lock(&lock);
    while (mine) {
        ebb__reader *r = mine;
        mine = r->next_free;
        r->next_free = free_readers;
        free_readers = r;
    }
    os_unlock(&lock);
}

static COLD void prepare(void)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = "readers";
    ebb_arena *a = ebb_arena_create(&params);
    os_lock(&lock);
    bool first = !prepared;
    if (first) {
        room = a;
        atomic_store(&asymmetric, os_barrier_all());
        atomic_store(&prepared, true);
    }
    os_unlock(&lock);
    if (!first) {
        ebb_arena_destroy(&a);
        return;
    }
    os_at_fork(before_fork, after_fork, after_fork_in_child);
    ebb__at_thread_exit(thread_exit);
}

static COLD ebb__reader *reader_new(void)
{
    if (!atomic_load(&prepared)) prepare();
    os_lock(&lock);
    ebb__reader *r = free_readers;
    if (r) {
        free_readers = r->next_free;
    } else {
        ebb_scope_attach(room);
        r = ebb_alloc_aligned(room, (sizeof *r + 63) & ~(size_t)63, 64);
        if (r) {
            *r = (ebb__reader){.next = atomic_load(&readers)};
            atomic_store_explicit(&readers, r, memory_order_release);
            reader_count++;
        }
    }
    os_unlock(&lock);
    return r;
}

/* ---- reading --------------------------------------------------------------------------------- */

ebb__reader *ebb__epoch_begin(void)
{
    ebb__reader *r = mine;
    if (likely(r != NULL)) mine = r->next_free;
    else r = reader_new();
    if (!r) return NULL;
    uint64_t epoch = atomic_load_explicit(&now, memory_order_acquire);
    atomic_store_explicit(&r->name, NULL, memory_order_relaxed);
    atomic_store_explicit(&r->epoch, epoch, memory_order_relaxed);
    if (atomic_load_explicit(&asymmetric, memory_order_relaxed))
        atomic_signal_fence(memory_order_seq_cst);
    else atomic_thread_fence(memory_order_seq_cst);
    return r;
}

void ebb__epoch_end(ebb__reader *r)
{
    atomic_store_explicit(&r->epoch, 0, memory_order_release);
    r->next_free = mine;
    mine = r;
    bool waits = atomic_load_explicit(&retired_count, memory_order_relaxed) > 0;
    if (unlikely(waits) && ++leaves % LEAVES == 0) ebb__epoch_collect();
}

void ebb__epoch_leave(ebb_cleanup *pin)
{
    ebb__epoch_end(EBB_CONTAINER(pin, ebb__reader, pin));
}

/* The newest pin is found at a glance; others have been pinned since. */
static bool has_announced(const ebb_arena *a)
{
    const ebb_cleanup *pin = ebb__pins(a);
    while (pin && pin->run != ebb__epoch_leave) pin = pin->next;
    return pin != NULL;
}

COLD bool ebb__epoch_announce(ebb_arena *a)
{
    if (has_announced(a)) return true;
    ebb__reader *r = ebb__epoch_begin();
    if (!r) return false;
    const ebb_profile *p = a->bits & SCOPE ? ebb__profile_by_id(a->bits >> PROFILE_SHIFT) : NULL;
    atomic_store_explicit(&r->name, p ? p->name : NULL, memory_order_relaxed);
    if (ebb_cleanup_pin(a, &r->pin, ebb__epoch_leave)) return true;
    ebb__epoch_end(r);
    return false;
}

/* ---- retiring -------------------------------------------------------------------------------- */

void ebb__epoch_retire(ebb__retired *r, void (*let_go)(ebb__retired *), size_t bytes)
{
    r->let_go = let_go;
    r->bytes = bytes;
    os_lock(&lock);
    r->epoch = atomic_load(&now);
    r->next = retired;
    retired = r;
    os_unlock(&lock);
    atomic_fetch_add(&retired_bytes, bytes);
    size_t n = atomic_fetch_add(&retired_count, 1) + 1, batch = atomic_load(&reader_count) / 4;
    if (n % (batch > BATCH ? batch : BATCH) == 0) ebb__epoch_collect();
}

/* The earliest that is announced. */
static uint64_t earliest(void)
{
    uint64_t least = UINT64_MAX;
    for (const ebb__reader *r = atomic_load_explicit(&readers, memory_order_acquire); r;
         r = r->next) {
        uint64_t epoch = atomic_load_explicit(&r->epoch, memory_order_acquire);
        if (epoch && epoch < least) least = epoch;
    }
    return least;
}

static ebb__retired *take_retired(void)
{
    os_lock(&lock);
    ebb__retired *all = retired;
    retired = NULL;
    os_unlock(&lock);
    return all;
}

static void put_retired_back(ebb__retired *first, ebb__retired *last)
{
    if (!first) return;
    os_lock(&lock);
    last->next = retired;
    retired = first;
    os_unlock(&lock);
}

static void let_go(ebb__retired *r)
{
    atomic_fetch_sub(&retired_count, 1);
    atomic_fetch_sub(&retired_bytes, r->bytes);
    r->let_go(r);
}

size_t ebb__epoch_collect(void)
{
    if (atomic_exchange(&collecting, 1)) return atomic_load(&retired_count);
    ebb__retired *all = take_retired(), *kept = NULL, *last = NULL, *gone = NULL;
    atomic_fetch_add(&now, 1);
    if (!atomic_load(&asymmetric) || !os_barrier_all()) atomic_thread_fence(memory_order_seq_cst);
    uint64_t least = earliest();
    while (all) {
        ebb__retired *r = all, **to = r->epoch < least ? &gone : &kept;
        all = r->next;
        if (to == &kept && !kept) last = r;
        r->next = *to;
        *to = r;
    }
    put_retired_back(kept, last);
    atomic_store(&collecting, 0);
    while (gone) {
        ebb__retired *r = gone;
        gone = r->next;
        let_go(r);
    }
    return atomic_load(&retired_count);
}

/* ---- what is going on ------------------------------------------------------------------------ */

size_t ebb__epoch_bytes(void)
{
    return atomic_load_explicit(&retired_bytes, memory_order_relaxed);
}

bool ebb__epoch_is_oldest(const ebb_arena *a)
{
    const ebb_cleanup *pin = ebb__pins(a);
    while (pin && pin->run != ebb__epoch_leave) pin = pin->next;
    const ebb__reader *r = pin ? EBB_CONTAINER(pin, const ebb__reader, pin) : NULL;
    return r && atomic_load_explicit(&r->epoch, memory_order_relaxed) <= earliest();
}

void ebb__epoch_get_stats(ebb__epoch_stats *ret_stats)
{
    ebb__epoch_stats s = {.retired = atomic_load(&retired_count),
                          .bytes = atomic_load(&retired_bytes)};
    uint64_t least = UINT64_MAX;
    for (const ebb__reader *r = atomic_load_explicit(&readers, memory_order_acquire); r;
         r = r->next) {
        uint64_t epoch = atomic_load_explicit(&r->epoch, memory_order_acquire);
        const char *name = atomic_load_explicit(&r->name, memory_order_relaxed);
        s.readers += epoch != 0;
        if (!epoch || epoch >= least) continue;
        least = epoch;
        s.oldest = name ? name : "an arena";
    }
    *ret_stats = s;
}
