/*
 * pool/magazine.c: what a thread keeps of a pool for itself, and how others get at it. Also the
 * list of all pools, a thread's exit, and fork.
 */
#include "internal.h"

#include <string.h>

static desk no_desk;
_Thread_local desk *ebb__desk __attribute__((tls_model("initial-exec"))) = &no_desk;

static os_lock_t all_lock = OS_LOCK_INIT; /* the two lists, and the slots of all desks */
static ebb_pool *all;
static desk *desks;
static bool prepared;

/* ---- desks ----------------------------------------------------------------------------------- */

void ebb__desk_prepare(void)
{
    if (ebb__desk != &no_desk) return;
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = "pools of a thread";
    ebb_arena *room = arena_new(&params);
    desk *d = room ? ebb_new(room, desk) : NULL;
    if (!d) {
        ebb_arena_destroy(&room);
        return;
    }
    d->room = room;
    os_lock(&all_lock);
    d->next = desks;
    desks = d;
    os_unlock(&all_lock);
    ebb__desk = d;
}

static magazine *magazine_at(const ebb_pool *p, const desk *d)
{
    magazine *m = p->magazines;
    while (m && m->desk != d) m = m->next;
    return m;
}

static void leave_magazine(ebb_pool *p, desk *d)
{
    os_lock(&p->lock);
    magazine *m = magazine_at(p, d);
    if (m) {
        ebb__magazine_spill(p, m, 0);
        m->desk = NULL;
        p->magazine_count--;
    }
    os_unlock(&p->lock);
}

static void thread_exit(void)
{
    desk *d = ebb__desk;
    if (d == &no_desk) return;
    ebb__desk = &no_desk;
    os_lock(&all_lock);
    for (ebb_pool *p = all; p; p = p->next) leave_magazine(p, d);
    desk **at = &desks;
    while (*at != d) at = &(*at)->next;
    *at = d->next;
    os_unlock(&all_lock);
    ebb_arena *room = d->room;
    ebb_arena_destroy(&room);
}

/* ---- a magazine ------------------------------------------------------------------------------ */

/* Its share of half the pool, so that what idles in magazines is never most of it. */
static uint32_t share_of(const ebb_pool *p)
{
    uint32_t share = p->max_size / 2 / (p->magazine_count ? p->magazine_count : 1);
    return share < 2 ? 0 : share < MAGAZINE_MOST ? share : MAGAZINE_MOST;
}

static void show(const ebb_pool *p, magazine *m, bool open)
{
    magazine *_Atomic *slot = m->desk ? &m->desk->slot[p->number] : NULL;
    if (slot) atomic_store_explicit(slot, open ? m : NULL, memory_order_release);
}

static bool are_open(const ebb_pool *p)
{
    return !p->first_wait && !is_surplus(p);
}

/* One that a thread has left, or a new one. */
static magazine *magazine_take(ebb_pool *p)
{
    const unsigned loans = 40; /* bits: of the numbers, what is a magazine's own */
    magazine *m = magazine_at(p, NULL);
    if (m) return m;
    ebb_scope_attach(p->arena);
    m = ebb_alloc_aligned(p->arena, sizeof *m, 64);
    if (!m) return NULL;
    memset(m, 0, sizeof *m);
    m->first = (p->magazines ? p->magazines->first : 0) + ((uint64_t)1 << loans);
    atomic_init(&m->acquired, m->first);
    m->next = p->magazines;
    p->magazines = m;
    return m;
}

/* Grow if the thread has come back before it used what it had four times over. */
static void visit(ebb_pool *p, magazine *m)
{
    uint64_t used = m->acquired - m->visited;
    uint64_t pushed = m->acquired - m->first + m->count + m->spilled - m->filled;
    uint32_t share = share_of(p), most = m->most;
    m->only_gives = used == 0;
    m->only_takes = pushed == m->pushed;
    m->pushed = pushed;
    if (most == 0) most = MAGAZINE_FIRST;
    else if (used < 4 * (uint64_t)most) most *= 2;
    m->most = most < share ? most : share;
    m->visited = m->acquired;
}

magazine *ebb__magazine_here(ebb_pool *p)
{
    desk *d = ebb__desk;
    if (!p->has_magazines || d == &no_desk) return NULL;
    magazine *m = magazine_at(p, d);
    if (!m) {
        m = magazine_take(p);
        if (!m) return NULL;
        m->desk = d;
        m->most = 0;
        p->magazine_count++;
        show(p, m, are_open(p));
    }
    visit(p, m);
    return m;
}

void ebb__magazine_fill(ebb_pool *p, magazine *m)
{
    uint32_t n = m->count, before = n, up_to = m->only_takes ? m->most : m->most / 2;
    while (n < up_to && p->shelf_count > 0) m->item[n++] = ebb__shelf_take(p);
    m->filled += n - before;
    atomic_store_explicit(&m->count, n, memory_order_relaxed);
}

/* The oldest go: the newest are warm. */
void ebb__magazine_spill(ebb_pool *p, magazine *m, uint32_t keep)
{
    uint32_t n = m->count, gone = n > keep ? n - keep : 0;
    for (uint32_t i = 0; i < gone; i++) ebb__shelf_put(p, m->item[i]);
    memmove(m->item, m->item + gone, (n - gone) * sizeof m->item[0]);
    m->spilled += gone;
    atomic_store_explicit(&m->count, n - gone, memory_order_relaxed);
}

/* ---- all magazines of a pool ----------------------------------------------------------------- */

uint32_t ebb__magazines_idle(const ebb_pool *p)
{
    uint32_t n = 0;
    for (const magazine *m = p->magazines; m; m = m->next)
        n += atomic_load_explicit(&m->count, memory_order_relaxed);
    return n;
}

void ebb__magazines_settle(ebb_pool *p)
{
    bool open = are_open(p);
    for (magazine *m = p->magazines; m; m = m->next) show(p, m, open);
}

void ebb__magazines_close(ebb_pool *p)
{
    if (!p->magazines) return;
    for (magazine *m = p->magazines; m; m = m->next) show(p, m, false);
    os_barrier_all();
    for (magazine *m = p->magazines; m; m = m->next) {
        while (m->desk && atomic_load_explicit(&m->desk->busy, memory_order_acquire)) os_yield();
        ebb__magazine_spill(p, m, 0);
    }
}

void ebb__magazines_gather(ebb_pool *p)
{
    ebb__magazines_close(p);
    ebb__magazines_settle(p);
}

/* ---- fork ------------------------------------------------------------------------------------ */

static void before_fork(void)
{
    os_lock(&all_lock);
    for (ebb_pool *p = all; p; p = p->next) os_lock(&p->lock);
}

static void after_fork(void)
{
    for (ebb_pool *p = all; p; p = p->next) os_unlock(&p->lock);
    os_unlock(&all_lock);
}

/* Magazines of threads that are not in this process. One whose thread was just inside is lost. */
static void inherit(ebb_pool *p)
{
    for (magazine *m = p->magazines; m; m = m->next) {
        if (!m->desk || m->desk == ebb__desk) continue;
        if (!m->desk->busy) ebb__magazine_spill(p, m, 0);
        m->count = 0;
        m->desk = NULL;
        p->magazine_count--;
    }
    ebb__wait_forget_others(p);
}

static void after_fork_in_child(void)
{
    for (ebb_pool *p = all; p; p = p->next) {
        inherit(p);
        os_lock_init(&p->lock);
    }
    desks = ebb__desk == &no_desk ? NULL : ebb__desk;
    if (desks) desks->next = NULL;
    os_lock_init(&all_lock);
}

/* ---- all pools ------------------------------------------------------------------------------- */

static bool is_taken(uint32_t number)
{
    for (const ebb_pool *p = all; p; p = p->next)
        if (p->number == number) return true;
    return false;
}

static void tell_all(ebb__live_put *put, void *ctx)
{
    os_lock(&all_lock);
    for (ebb_pool *p = all; p; p = p->next) ebb__pool_tell(p, put, ctx);
    os_unlock(&all_lock);
}

void ebb__pool_enlist(ebb_pool *p)
{
    os_lock(&all_lock);
    bool first = !prepared;
    prepared = true;
    while (p->number < POOLS_MOST && is_taken(p->number)) p->number++;
    if (p->number == POOLS_MOST) p->has_magazines = false;
    p->next = all;
    all = p;
    os_unlock(&all_lock);
    if (!first) return;
    os_at_fork(before_fork, after_fork, after_fork_in_child);
    ebb__at_thread_exit(thread_exit);
    ebb__live_source(tell_all);
}

void ebb__pool_unlist(ebb_pool *p)
{
    os_lock(&all_lock);
    ebb_pool **at = &all;
    while (*at != p) at = &(*at)->next;
    *at = p->next;
    for (desk *d = desks; d; d = d->next) atomic_store(&d->slot[p->number], NULL);
    os_unlock(&all_lock);
}

size_t ebb_pool_list(ebb_pool_info *ret_, size_t most)
{
    size_t n = 0;
    os_lock(&all_lock);
    for (ebb_pool *p = all; p; p = p->next, n++)
        if (n < most) ebb__pool_show(p, &ret_[n]);
    os_unlock(&all_lock);
    return n;
}

bool ebb__pool_is_known(const ebb_pool *p)
{
    os_lock(&all_lock);
    const ebb_pool *q = all;
    while (q && q != p) q = q->next;
    os_unlock(&all_lock);
    return q != NULL;
}
