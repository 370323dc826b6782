/*
 * share/shared.c: building, sealing, counting, ending.
 */
#include "internal.h"

#include <ebb/pool.h>

static _Atomic uint64_t sealed, alive, alive_bytes, weak_only;

/* ---- handles --------------------------------------------------------------------------------- */

static os_lock_t handles_lock = OS_LOCK_INIT;
static ebb_pool *_Atomic handles; /* the process's */

static COLD ebb_pool *handles_begin(void)
{
    const ebb_pool_params params = {.name = "shared objects", .size = HANDLE_SIZE};
    os_lock(&handles_lock);
    ebb_pool *p = atomic_load(&handles);
    if (!p) p = ebb_pool_create(&params, NULL);
    atomic_store(&handles, p);
    os_unlock(&handles_lock);
    return p;
}

void *ebb__handle_new(void)
{
    ebb_pool *p = atomic_load_explicit(&handles, memory_order_acquire);
    if (!p) p = handles_begin();
    return p ? ebb_pool_acquire(p, NULL, NULL) : NULL;
}

void ebb__handle_free(void *handle)
{
    ebb_pool_release(atomic_load_explicit(&handles, memory_order_relaxed), handle);
}

/* ---- pages of its own ------------------------------------------------------------------------ */

/* At the beginning of what the system gave; what the arena got lies `offset` further on. */
struct page {
    struct page *next;
    size_t size, offset;
};

/* What an arena that will be protected takes its memory from. Goes when the arena has ended and
   given back all pages. */
typedef struct quarry {
    ebb_source source;
    struct page *pages;
    ebb_cleanup pin;
    bool is_over;
} quarry;
_Static_assert(sizeof(quarry) <= HANDLE_SIZE, "a quarry lies in a handle");

static void *take_pages(void *ctx, size_t size, size_t align)
{
    quarry *q = ctx;
    size_t page = os_page_size(), offset = align > page ? align : page;
    size_t all = offset + ((size + page - 1) & ~(page - 1));
    struct page *p = size > SIZE_MAX / 2 ? NULL : os_reserve(all, offset);
    if (!p) return NULL;
    *p = (struct page){q->pages, all, offset};
    q->pages = p;
    return (char *)p + offset;
}

static void give_pages(void *ctx, void *ptr, size_t size)
{
    quarry *q = ctx;
    struct page **at = &q->pages;
    (void)size;
    while ((char *)*at + (*at)->offset != ptr) at = &(*at)->next;
    struct page *p = *at;
    *at = p->next;
    os_release(p, p->size);
    if (q->is_over && !q->pages) ebb__handle_free(q);
}

static void quarry_end(ebb_cleanup *pin)
{
    quarry *q = EBB_CONTAINER(pin, quarry, pin);
    q->is_over = true;
    if (!q->pages) ebb__handle_free(q);
}

static void protect(const quarry *q, bool writable)
{
    for (struct page *p = q->pages; p; p = p->next)
        os_protect((char *)p + p->offset, p->size - p->offset, writable);
}

static quarry *quarry_of(const ebb_arena *a)
{
    const ebb_source *source = a->ext ? a->ext->source : NULL;
    return source && source->alloc == take_pages ? source->ctx : NULL;
}

ebb_arena *ebb_shared_begin(const char *name)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = name ? name : "?";
    quarry *q = ebb_checks_get() >= EBB_CHECKS_STRICT ? ebb__handle_new() : NULL;
    if (q) {
        *q = (quarry){.source = {take_pages, give_pages, q, 0}};
        params.source = &q->source;
    }
    ebb_arena *a = ebb_arena_create(&params);
    if (q && !ebb_cleanup_pin(a, &q->pin, quarry_end)) quarry_end(&q->pin);
    return a;
}

/* ---- sealing --------------------------------------------------------------------------------- */

static ebb_shared *refuse(ebb_status why, ebb_status *ret_why)
{
    if (ret_why) *ret_why = why;
    return NULL;
}

static void fill(ebb_shared *s, ebb_arena *a, const void *root)
{
    *s = (ebb_shared){.strong = 1, .weak = 1, .arena = a, .root = root, .quarry = quarry_of(a)};
    s->bytes = ebb__held(a) + HANDLE_COST;
    atomic_fetch_add(&sealed, 1);
    atomic_fetch_add(&alive, 1);
    atomic_fetch_add(&alive_bytes, s->bytes);
    if (s->quarry) protect(s->quarry, false);
}

ebb_shared *ebb_shared_seal(ebb_arena **a, const void *root, ebb_status *ret_why)
{
    if (ebb_failed(*a)) return refuse(ebb_failed(*a), ret_why);
    if (!ebb__check_usable(*a, "ebb_shared_seal")) return refuse(EBB_E_INVALID, ret_why);
    const char *wrong = ebb__why_not_sealed(*a);
    if (wrong) {
        ebb__report(EBB_MISUSE, "ebb_shared_seal", *a, "%s", wrong);
        return refuse(EBB_E_INVALID, ret_why);
    }
    ebb_shared *s = ebb__handle_new();
    if (!s || !ebb__seal(*a)) {
        if (s) ebb__handle_free(s);
        return refuse(EBB_E_MEMORY, ret_why);
    }
    fill(s, *a, root);
    *a = NULL;
    return s;
}

/* ---- counting -------------------------------------------------------------------------------- */

static void weak_drop(ebb_shared *s)
{
    if (atomic_fetch_sub_explicit(&s->weak, 1, memory_order_acq_rel) != 1) return;
    atomic_fetch_sub(&weak_only, 1);
    ebb__handle_free(s);
}

static COLD void end(ebb_shared *s)
{
    ebb_arena *a = s->arena;
    s->arena = NULL;
    if (s->quarry) protect(s->quarry, true);
    atomic_fetch_sub(&alive, 1);
    atomic_fetch_sub(&alive_bytes, s->bytes);
    atomic_fetch_add(&weak_only, 1);
    ebb_scope_attach(a);
    ebb_arena_destroy(&a);
    weak_drop(s);
}

const void *ebb_shared_get(const ebb_shared *s)
{
    return s->root;
}

size_t ebb_shared_bytes(const ebb_shared *s)
{
    return s->bytes;
}

static bool is_dead(const ebb_shared *s, uint64_t strong, const char *function)
{
    if (likely(strong > 0)) return false;
    ebb__report_named(EBB_MISUSE, function, "?",
                      "the shared object at %p has ended: it was dropped more often than held",
                      (const void *)s);
    return true;
}

ebb_shared *ebb_shared_hold(ebb_shared *s)
{
    uint64_t before = atomic_fetch_add_explicit(&s->strong, 1, memory_order_relaxed);
    if (!is_dead(s, before, "ebb_shared_hold")) return s;
    atomic_fetch_sub(&s->strong, 1);
    return NULL;
}

void ebb_shared_drop(ebb_shared **shared)
{
    ebb_shared *s = *shared;
    *shared = NULL;
    if (!s) return;
    uint64_t before = atomic_fetch_sub_explicit(&s->strong, 1, memory_order_acq_rel);
    if (is_dead(s, before, "ebb_shared_drop")) atomic_fetch_add(&s->strong, 1);
    else if (before == 1) end(s);
}

/* ---- for a scope ----------------------------------------------------------------------------- */

typedef struct held {
    ebb_cleanup hold;
    ebb_shared *shared;
} held;

static void drop_held(ebb_cleanup *c)
{
    held *h = EBB_CONTAINER(c, held, hold);
    ebb_shared_drop(&h->shared);
}

const void *ebb_shared_hold_for(ebb_shared *s, ebb_arena *a)
{
    if (a == &ebb__dead || !ebb__check_usable(a, "ebb_shared_hold_for")) return NULL;
    held *h =
        ebb_failed(a) ? NULL : ebb__obtain(a, sizeof *h, _Alignof(held), MODE_OPTIONAL, CALLER);
    if (!h) return NULL;
    *h = (held){.shared = s};
    if (!ebb_cleanup_add(a, &h->hold, drop_held)) return NULL;
    if (ebb_shared_hold(s)) return s->root;
    ebb_cleanup_remove(&h->hold);
    return NULL;
}

/* ---- weak references ------------------------------------------------------------------------- */

/* A weak reference is the handle by another name. */
static ebb_shared *handle_of(ebb_weak *w)
{
    return (ebb_shared *)(void *)w;
}

ebb_weak *ebb_weak_of(ebb_shared *s)
{
    atomic_fetch_add_explicit(&s->weak, 1, memory_order_relaxed);
    return (ebb_weak *)(void *)s;
}

bool ebb__shared_revive(ebb_shared *s)
{
    uint64_t strong = atomic_load_explicit(&s->strong, memory_order_relaxed);
    while (strong > 0)
        if (atomic_compare_exchange_weak_explicit(&s->strong, &strong, strong + 1,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}

ebb_shared *ebb_weak_upgrade(ebb_weak *w)
{
    return ebb__shared_revive(handle_of(w)) ? handle_of(w) : NULL;
}

void ebb_weak_drop(ebb_weak **w)
{
    ebb_shared *s = *w ? handle_of(*w) : NULL;
    *w = NULL;
    if (s) weak_drop(s);
}

/* ---- what is going on ------------------------------------------------------------------------ */

void ebb_share_get_stats(ebb_share_stats *ret_stats)
{
    ebb__epoch_stats e;
    ebb__epoch_get_stats(&e);
    *ret_stats = (ebb_share_stats){.sealed = atomic_load(&sealed),
                                   .alive = atomic_load(&alive),
                                   .bytes = atomic_load(&alive_bytes),
                                   .weak = atomic_load(&weak_only),
                                   .deferred = e.retired,
                                   .deferred_bytes = e.bytes,
                                   .readers = e.readers,
                                   .oldest = e.oldest};
}

size_t ebb_share_collect(void)
{
    return ebb__epoch_collect();
}
