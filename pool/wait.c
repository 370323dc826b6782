/*
 * pool/wait.c: the queue of those for whom there was nothing. While somebody is in it all magazines
 * are closed, so that whoever gives an object up comes to the lock and hands it to the first.
 */
#include "internal.h"

#include <string.h>

/* ---- the queue, with the lock held ----------------------------------------------------------- */

static void enqueue(ebb_pool *p, ebb_pool_wait *w)
{
    w->state = WAITING;
    w->began_ns = os_clock_ns();
    w->next = NULL;
    *p->last_wait = w;
    p->last_wait = &w->next;
    p->waiting++;
}

static void dequeue(ebb_pool *p, ebb_pool_wait *w)
{
    ebb_pool_wait **at = &p->first_wait;
    while (*at != w) at = &(*at)->next;
    *at = w->next;
    if (!w->next) p->last_wait = at;
    if (--p->waiting == 0) ebb__magazines_settle(p);
}

static void count_wait(ebb_pool *p, uint64_t ns)
{
    p->counts.waits++;
    p->counts.wait_us[us_bin(ns, EBB_POOL_WAIT_BINS)]++;
}

void ebb__wait_grant(ebb_pool *p, item *it)
{
    ebb_pool_wait *w = p->first_wait;
    dequeue(p, w);
    w->state = it ? HAS_ITEM : HAS_PLACE;
    w->it = it;
    p->aside++;
    count_wait(p, os_clock_ns() - w->began_ns);
    if (w->cond) os_cond_signal(w->cond);
    if (w->notice.fn) w->notice.fn(w->notice.ctx);
    if (w->notice.has_eventfd) os_event_write(w->notice.eventfd);
}

void ebb__wait_forget_others(ebb_pool *p)
{
    for (ebb_pool_wait *w = p->first_wait, *next; w; w = next) {
        next = w->next;
        if (w->thread == ebb__self) continue;
        dequeue(p, w);
        w->state = OVER; /* its scope may have been handed to this thread */
    }
}

/* Nobody overtakes: while somebody waits there is nothing. The first to wait closes the magazines,
   and only then knows that there is nothing in them. */
static supply last_chance(ebb_pool *p)
{
    supply s = ebb__pool_supply(p);
    if (s.it || s.place || p->first_wait) return s;
    ebb__magazines_close(p);
    s.it = ebb__pool_from_shelf(p);
    if (s.it) ebb__magazines_settle(p);
    return s;
}

/* What there is, or a place in the queue. */
static void ask(ebb_pool *p, ebb_pool_wait *w)
{
    supply s = last_chance(p);
    w->pool = p;
    w->thread = ebb__self;
    if (!s.it && !s.place) {
        enqueue(p, w);
        return;
    }
    w->state = s.it ? HAS_ITEM : HAS_PLACE;
    w->it = s.it;
    w->was_idle = s.it != NULL;
    p->aside++;
}

/* What was set aside is somebody's now: to be made, if it is a place. Unlocks. */
static item *cash(ebb_pool *p, ebb_pool_wait *w, ebb_status *ret_why)
{
    bool place = w->state == HAS_PLACE;
    w->state = OVER;
    p->aside--;
    uint64_t loan = ++p->acquired;
    os_unlock(&p->lock);
    item *it = place ? ebb__pool_make(p, ret_why) : w->it;
    if (it) it->loan = loan;
    else ebb__pool_uncount(p);
    return it && w->was_idle && p->validate ? ebb__pool_validated(p, it, ret_why) : it;
}

/* ---- blocking -------------------------------------------------------------------------------- */

item *ebb__wait_for(ebb_pool *p, uint64_t deadline_ns, ebb_status *ret_why)
{
    os_cond_t cond;
    ebb_pool_wait w;
    memset(&w, 0, sizeof w);
    w.cond = &cond;
    os_cond_init(&cond);
    os_lock(&p->lock);
    ask(p, &w);
    while (w.state == WAITING)
        if (!os_cond_wait(&cond, &p->lock, deadline_ns) && w.state == WAITING) break;
    if (w.state == WAITING) {
        dequeue(p, &w);
        p->counts.timed_out++;
        os_unlock(&p->lock);
        os_cond_destroy(&cond);
        return refused(EBB_E_TIMEOUT, ret_why);
    }
    item *it = cash(p, &w, ret_why);
    os_cond_destroy(&cond);
    return it;
}

/* ---- without blocking ------------------------------------------------------------------------ */

/* Its place in the queue, or what was set aside for it, goes to the next. */
static void forsake(ebb_pool_wait *w)
{
    ebb_pool *p = w->pool;
    bool kept = true;
    os_lock(&p->lock);
    if (w->state == WAITING) dequeue(p, w);
    else if (w->state != OVER) p->aside--;
    if (w->state == HAS_PLACE) ebb__pool_free_place(p);
    if (w->state == HAS_ITEM) {
        kept = ebb__pool_stow(p, w->it);
        p->released--; /* it was not acquired */
    }
    w->state = OVER;
    p->counts.cancelled++;
    os_unlock(&p->lock);
    if (!kept) ebb__pool_unmake(p, w->it);
}

static void scope_ended(ebb_cleanup *c)
{
    forsake(EBB_CONTAINER(c, ebb_pool_wait, hold));
}

static ebb_pool_wait *wait_in(ebb_arena *a)
{
    ebb_pool_wait *w = ebb__obtain(a, sizeof *w, _Alignof(ebb_pool_wait), MODE_OPTIONAL, CALLER);
    if (!w) return NULL;
    memset(w, 0, sizeof *w);
    w->state = OVER;
    return ebb_cleanup_add(a, &w->hold, scope_ended) ? w : NULL;
}

ebb_status ebb_pool_acquire_async(ebb_pool *p, ebb_arena *a, const ebb_pool_notice *notice,
                                  ebb_pool_wait **ret_wait)
{
    *ret_wait = NULL;
    ebb_status why = ebb__pool_refuses(a, "ebb_pool_acquire_async");
    ebb_pool_wait *w = why == EBB_OK ? wait_in(a) : NULL;
    if (!w) return why ? why : EBB_E_MEMORY;
    w->arena = a;
    w->site = CALLER;
    if (notice) w->notice = *notice;
    ebb__desk_prepare();
    os_lock(&p->lock);
    ask(p, w);
    enum wait_state state = w->state;
    if (state == WAITING) p->counts.exhausted++;
    os_unlock(&p->lock);
    *ret_wait = w;
    return state == WAITING ? EBB_E_EXHAUSTED : EBB_OK;
}

/* A copy of a handle that was taken or cancelled. Its pool may be gone. */
static bool is_stale(const ebb_pool_wait *w, const char *function)
{
    if (likely(w->hold.back != NULL)) return false;
    ebb__report_named(EBB_MISUSE, function, "?",
                      "%p was taken or cancelled already; null every copy of the handle",
                      (const void *)w);
    return true;
}

/* Another thread's, before a fork. */
static void *gone_with_its_thread(ebb_pool_wait *w, ebb_status *ret_why)
{
    os_unlock(&w->pool->lock);
    ebb_cleanup_remove(&w->hold);
    return refused(EBB_E_INVALID, ret_why);
}

void *ebb_pool_take(ebb_pool_wait **wait, ebb_status *ret_why)
{
    ebb_pool_wait *w = *wait;
    *wait = NULL;
    if (!w || is_stale(w, "ebb_pool_take")) return refused(EBB_E_INVALID, ret_why);
    ebb_pool *p = w->pool;
    os_lock(&p->lock);
    if (w->state == OVER) return gone_with_its_thread(w, ret_why);
    if (w->state == WAITING) {
        os_unlock(&p->lock);
        *wait = w;
        return refused(EBB_E_EXHAUSTED, ret_why);
    }
    item *it = cash(p, w, ret_why);
    ebb_arena *a = w->arena; /* or who has adopted it since, and the wait with it */
    while (a->bits & ADOPTED) a = a->parent;
    ebb_cleanup_remove(&w->hold);
    return it ? ebb__pool_lend(p, it, a, w->site, ret_why) : NULL;
}

void ebb_pool_wait_cancel(ebb_pool_wait **wait)
{
    ebb_pool_wait *w = *wait;
    *wait = NULL;
    if (!w || is_stale(w, "ebb_pool_wait_cancel")) return;
    ebb_cleanup_remove(&w->hold);
    forsake(w);
}
