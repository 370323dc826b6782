/*
 * tests/model/test_pool_model.c: random programs over several pools and many arenas, on several threads
 * in turn, against a plain model: a table of objects, and for each arena a list of what came to it.
 *
 * Checked all along: who gets what, and when nobody may; the bytes of what is out stay as its holder
 * left them, and what is lent is as create or reset left it; reset is run once on every way home, newest
 * first within an arena, and before anybody else gets the object; who waits is served in the order of
 * arrival, and nobody waits while there is something; what can't be had changes nothing; hooks refuse and
 * allocations fail at random; references; counts after every step.
 *
 * The model learns what was made and destroyed from the hooks, and says what must have come of it. Only
 * one thread is at work at a time, so that everything can be predicted. Seeds are fixed; a failure prints
 * its own. EBB_TEST_SCALE divides the number of steps.
 */
#include "test.h"

#include <ebb/ebb.h>
#include <ebb/pool.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    POOLS = 4,
    OBJECTS = 64,
    ARENAS = 9,
    MARKS = 3,
    WAITS = 12,
    REFS = 32,
    WORKERS = 3,
    BURST = 150,
    PROGRAM = 15000,
    LARGEST = 300,
    ENTRIES = POOLS * (OBJECTS + WAITS),
    NOBODY = -1
};

/* COMING: the library has been told to take it home. LOST: it must be destroyed before it returns. */
enum state { HOME, OUT, DETACHED, COMING, LOST };

typedef struct object {
    unsigned char *ptr; /* NULL: this place is free */
    enum state state;
    uint64_t bytes; /* seed of what is in it */
    uint64_t loan;  /* number of its last loan */
    int arena;      /* whose it is, or NOBODY */
    bool alone;     /* coming: it was detached, and has a place no more */
    bool good;      /* just made, or validated since it was idle */
} object;

typedef struct waiter {
    ebb_pool_wait *wait; /* NULL: this place is free */
    uint64_t ticket;
    int arena;
    bool ready, was_idle, leaving; /* was_idle: ready at once; leaving: its arena is ending */
    struct pool *pool;
} waiter;

typedef struct pool {
    ebb_pool *pool;
    ebb_pool_params params;
    uint32_t max_size, promised, most_out, most; /* promised: places, before max_size went down */
    object object[OBJECTS];
    waiter waiter[WAITS];
    uint64_t created, destroyed, discarded, lent, home, waited, cancelled, timed_out;
    bool refuses; /* create says no now and then */
} pool;

/* What came to an arena, in this order; it goes in the reverse order. */
typedef struct entry {
    int pool, object, waiter; /* object or waiter is NOBODY */
} entry;

typedef struct arena {
    ebb_arena *arena; /* NULL: this place is free */
    int worker;       /* which may use it; NOBODY: parked */
    bool created;
    entry entry[ENTRIES];
    int count;
    ebb_mark mark[MARKS];
    int marked[MARKS], marks;
} arena;

static struct {
    uint64_t seed, step; /* printed when something is wrong */
    char wrong[200];
    rng random;
    int worker;
    pool pool[POOLS];
    arena arena[ARENAS];
    struct {
        pool *pool;
        int object;
        uint64_t loan;
        ebb_pool_ref ref;
    } ref[REFS];
    uint64_t loans, tickets, bytes;
    bool bypass;        /* EBB_POOL=off: nothing is kept */
    const arena *going; /* what is coming home, newest first, when an arena ends */
    int going_to, going_at;
    uint64_t made, refused; /* by create, ever */
    bool discarding, shrinking, ending;
    pthread_t thread;
    ebb_fault *fault[WORKERS];
    uint64_t faults;
} m;

/* Hooks and workers are not where an assertion may fail: the first thing wrong is kept. */
static void is_wrong(int line, const char *what)
{
    if (m.wrong[0]) return;
    snprintf(m.wrong, sizeof m.wrong, "seed %" PRIu64 ", step %" PRIu64 ", line %d: %s", m.seed,
             m.step, line, what);
    fprintf(stderr, "%s\n", m.wrong);
}

#define MUST(x) ((x) ? (void)0 : is_wrong(__LINE__, #x))

static size_t below(size_t n)
{
    return rng_below(&m.random, n);
}

static bool one_in(size_t n)
{
    return rng_one_in(&m.random, n);
}

static uint64_t faults(void)
{
    uint64_t n = m.faults;
    for (int i = 0; i < WORKERS; i++)
        if (m.fault[i]) n += ebb_fault_hits(m.fault[i]);
    return n;
}

/* ---- objects ----------------------------------------------------------------------------------- */

static void paint(pool *p, object *o)
{
    o->bytes = ++m.bytes;
    pattern_fill(o->ptr, p->params.size, o->bytes);
}

static bool is_painted(const pool *p, const object *o)
{
    return pattern_check(o->ptr, p->params.size, o->bytes) == p->params.size;
}

static object *object_at(pool *p, const void *ptr)
{
    for (int i = 0; i < OBJECTS; i++)
        if (p->object[i].ptr == ptr) return &p->object[i];
    return NULL;
}

static int index_of(const pool *p, const object *o)
{
    return (int)(o - p->object);
}

static uint32_t count_in(const pool *p, enum state state)
{
    uint32_t n = 0;
    for (int i = 0; i < OBJECTS; i++) n += p->object[i].ptr && p->object[i].state == state;
    return n;
}

/* Those that count in max_size. */
static uint32_t exist(const pool *p)
{
    return count_in(p, HOME) + count_in(p, OUT) + count_in(p, COMING);
}

/* ---- waiters ----------------------------------------------------------------------------------- */

static uint32_t count_waiters(const pool *p, bool ready)
{
    uint32_t n = 0;
    for (int i = 0; i < WAITS; i++) n += p->waiter[i].wait && p->waiter[i].ready == ready;
    return n;
}

static waiter *new_waiter(pool *p)
{
    for (int i = 0; i < WAITS; i++)
        if (!p->waiter[i].wait) return &p->waiter[i];
    return NULL;
}

/* Called by the library, with the pool locked: it is this one's turn, so all who came before and still
   wait are about to leave. */
static void has_been_told(void *ctx)
{
    waiter *w = ctx;
    MUST(!w->ready && w->ticket);
    for (int i = 0; i < WAITS; i++) {
        const waiter *other = &w->pool->waiter[i];
        if (!other->wait || other == w || other->ready || other->leaving) continue;
        MUST(other->ticket > w->ticket);
    }
    w->ready = true;
    w->pool->waited++;
}

/* ---- hooks ------------------------------------------------------------------------------------- */

static bool is_zero(const void *ptr, size_t n)
{
    return bytes_check(ptr, 0, n) == n;
}

static bool create(void *ctx, void *ptr)
{
    pool *p = ctx;
    MUST(pthread_equal(pthread_self(), m.thread));
    MUST(is_zero(ptr, p->params.size));
    MUST(is_aligned(ptr, p->params.align ? p->params.align : _Alignof(max_align_t)));
    MUST(!object_at(p, ptr));
    if (p->refuses && one_in(3)) {
        m.refused++;
        memset(ptr, 0xee, p->params.size);
        return false;
    }
    object *o = object_at(p, NULL);
    MUST(o);
    if (!o) return false;
    *o = (object){.ptr = ptr, .state = HOME, .arena = NOBODY, .good = true};
    paint(p, o);
    p->created++;
    m.made++;
    MUST(exist(p) <= p->max_size || exist(p) <= p->promised);
    return true;
}

/* What comes home of the arena that is ending is the newest of those that have a reset to tell of it. */
static void must_be_newest(const pool *p, const object *o)
{
    while (m.going && m.going_at > m.going_to) {
        const entry *e = &m.going->entry[--m.going_at];
        const pool *of = &m.pool[e->pool];
        if (e->object == NOBODY || !of->params.reset) continue;
        MUST(of == p && &of->object[e->object] == o);
        return;
    }
    MUST(!m.going);
}

static bool reset(void *ctx, void *ptr)
{
    pool *p = ctx;
    object *o = object_at(p, ptr);
    MUST(pthread_equal(pthread_self(), m.thread));
    MUST(o && o->state == COMING && is_painted(p, o));
    if (!o) return false;
    if (m.going) must_be_newest(p, o);
    paint(p, o);
    bool good = !one_in(12);
    o->state = good ? HOME : LOST;
    o->arena = NOBODY;
    p->discarded += !good;
    return good;
}

static bool validate(void *ctx, void *ptr)
{
    pool *p = ctx;
    object *o = object_at(p, ptr);
    MUST(pthread_equal(pthread_self(), m.thread));
    MUST(o && o->state == HOME && is_painted(p, o));
    if (!o) return true;
    o->good = !one_in(12);
    if (o->good) return true;
    o->state = LOST;
    p->discarded++;
    return false;
}

/* Who may be destroyed: what is no good any more, what is idle, what is coming and has no place. */
static void destroy(void *ctx, void *ptr)
{
    pool *p = ctx;
    object *o = object_at(p, ptr);
    MUST(pthread_equal(pthread_self(), m.thread));
    MUST(o && o->state != OUT && o->state != DETACHED);
    if (!o) return;
    if (o->state == COMING) MUST(m.discarding || o->alone || !p->params.reset);
    if (o->state == COMING && m.going && p->params.reset) must_be_newest(p, o);
    if (o->state == HOME)
        MUST(m.shrinking || m.bypass || m.discarding || p->params.idle_ms ||
             exist(p) + count_waiters(p, true) > p->max_size);
    if (o->state == HOME && (m.shrinking || p->params.idle_ms) && !m.ending && !m.bypass &&
        !m.discarding)
        MUST(exist(p) + count_waiters(p, true) > p->params.min_size);
    MUST(is_painted(p, o));
    p->discarded += o->alone && o->state != LOST && !m.discarding;
    memset(ptr, 0xdd, p->params.size);
    memset(o, 0, sizeof *o);
    p->destroyed++;
}

/* ---- what must hold after each step ------------------------------------------------------------ */

/* What is set aside for who was told and did not take yet is an object or a place; neither is idle, and
   the pool may count it as it likes. */
static void check_counts(pool *p)
{
    ebb_pool_stats s;
    ebb_pool_get_stats(p->pool, &s);
    uint32_t aside = count_waiters(p, true), home = count_in(p, HOME), out = count_in(p, OUT);
    MUST(s.idle <= home && s.idle + aside >= home);
    MUST(s.exist >= home + out && s.exist <= home + out + aside);
    MUST(s.in_use == s.exist - s.idle && s.in_use >= out && s.in_use <= out + aside);
    MUST(s.detached == count_in(p, DETACHED));
    MUST(s.waiting >= count_waiters(p, false) && s.waiting <= count_waiters(p, false) + aside);
    MUST(s.min_size == p->params.min_size && s.max_size == p->max_size);
    MUST(s.created == p->created && s.destroyed == p->destroyed);
    MUST(s.discarded == p->discarded && s.timed_out == p->timed_out);
    if (out > p->most_out) p->most_out = out;
    if (s.exist > p->most) p->most = s.exist;
    MUST(s.high_water >= p->most_out && s.high_water <= p->most + 1);
    MUST(s.acquired >= p->lent && s.released >= p->home && s.cancelled == p->cancelled);
    MUST(s.acquired - s.released == p->lent - p->home);
    MUST(s.acquired - s.released == out + s.detached);
    if (count_waiters(p, false)) MUST(s.idle == 0 && s.exist >= s.max_size);
    if (m.bypass || exist(p) > p->max_size) MUST(s.idle == 0);
    uint64_t waits = 0;
    for (int i = 0; i < EBB_POOL_WAIT_BINS; i++) waits += s.wait_us[i];
    MUST(s.waits == waits && s.waits == p->waited);
}

static void check_objects(pool *p)
{
    for (int i = 0; i < OBJECTS; i++) {
        object *o = &p->object[i];
        if (!o->ptr) continue;
        MUST(o->state != LOST && o->state != COMING);
        o->good = false;
        if (o->state == OUT || o->state == DETACHED) MUST(is_painted(p, o));
    }
}

static void check_pool(pool *p)
{
    check_counts(p);
    if (one_in(8)) check_objects(p);
}

/* ---- on the way home --------------------------------------------------------------------------- */

static void remove_entry(arena *a, int at)
{
    memmove(&a->entry[at], &a->entry[at + 1], sizeof(entry) * (size_t)(a->count - at - 1));
    a->count--;
    for (int i = 0; i < a->marks; i++) a->marked[i] -= a->marked[i] > at;
}

static void untie(int where, const pool *p, int obj, int wait)
{
    if (where == NOBODY) return;
    arena *a = &m.arena[where];
    for (int i = a->count - 1; i >= 0; i--) {
        const entry *e = &a->entry[i];
        if (&m.pool[e->pool] != p || e->object != obj || e->waiter != wait) continue;
        remove_entry(a, i);
        return;
    }
    is_wrong(__LINE__, "the model has lost it");
}

static void tie(int where, const pool *p, int obj, int wait)
{
    if (where == NOBODY) return;
    arena *a = &m.arena[where];
    a->entry[a->count++] = (entry){(int)(p - m.pool), obj, wait};
}

static void is_coming(pool *p, object *o)
{
    p->home++;
    o->alone = o->state == DETACHED;
    o->good = false;
    o->state = COMING;
}

/* The library has returned. */
static void has_come(pool *p)
{
    for (int i = 0; i < OBJECTS; i++) {
        object *o = &p->object[i];
        o->alone = false;
        if (!o->ptr || o->state == OUT || o->state == DETACHED || o->state == HOME) continue;
        MUST(o->state == COMING && !p->params.reset && !m.discarding);
        o->state = HOME;
        o->arena = NOBODY;
    }
}

static void send_home(arena *a, int to)
{
    for (int i = to; i < a->count; i++) {
        pool *p = &m.pool[a->entry[i].pool];
        if (a->entry[i].object != NOBODY) is_coming(p, &p->object[a->entry[i].object]);
        else p->waiter[a->entry[i].waiter].leaving = true;
    }
    m.going = a;
    m.going_at = a->count;
    m.going_to = to;
}

/* All that came after entry `to` has gone. */
static void have_gone(arena *a, int to)
{
    while (m.going_at > to) {
        const entry *e = &a->entry[--m.going_at];
        MUST(e->object == NOBODY || !m.pool[e->pool].params.reset);
    }
    m.going = NULL;
    for (; a->count > to; a->count--) {
        const entry *e = &a->entry[a->count - 1];
        if (e->waiter == NOBODY) continue;
        waiter *w = &m.pool[e->pool].waiter[e->waiter];
        w->pool->cancelled++;
        memset(w, 0, sizeof *w);
    }
    for (int i = 0; i < POOLS; i++) {
        has_come(&m.pool[i]);
        check_pool(&m.pool[i]);
    }
}

/* ---- arenas ------------------------------------------------------------------------------------ */

static arena *some_arena(void)
{
    arena *a = &m.arena[below(ARENAS)];
    if (a->arena && a->worker == NOBODY) ebb_scope_attach(a->arena);
    if (a->arena && a->worker == NOBODY) a->worker = m.worker;
    if (a->arena) return a->worker == m.worker ? a : NULL;
    memset(a, 0, sizeof *a);
    a->worker = m.worker;
    a->created = one_in(2);
    a->arena = a->created ? ebb_arena_create(NULL) : ebb_scope_begin(NULL);
    return a;
}

static void end_arena(arena *a)
{
    send_home(a, 0);
    if (a->created) ebb_arena_destroy(&a->arena);
    else ebb_scope_end(&a->arena);
    have_gone(a, 0);
    memset(a, 0, sizeof *a);
}

static void end(void)
{
    arena *a = some_arena();
    if (a) end_arena(a);
}

static void reset_arena(void)
{
    arena *a = some_arena();
    if (!a) return;
    send_home(a, 0);
    ebb_arena_reset(a->arena);
    a->marks = 0;
    have_gone(a, 0);
}

static void mark(void)
{
    arena *a = some_arena();
    if (!a || a->marks == MARKS) return;
    a->marked[a->marks] = a->count;
    a->mark[a->marks++] = ebb_arena_mark(a->arena);
}

static void rewind_one(void)
{
    arena *a = some_arena();
    if (!a || !a->marks) return;
    int i = (int)below((size_t)a->marks), to = a->marked[i];
    send_home(a, to);
    ebb_arena_rewind(a->arena, a->mark[i]);
    a->marks = i;
    have_gone(a, to);
}

static void allocate(void)
{
    arena *a = some_arena();
    if (!a) return;
    if (ebb_failed(a->arena) && one_in(2)) ebb_recover(a->arena);
    (void)ebb_alloc(a->arena, below(one_in(10) ? 9000 : 200));
}

/* What came to the child comes home where the child was taken in. */
static void adopt(void)
{
    arena *into = some_arena(), *child = some_arena();
    if (!into || !child || into == child) return;
    int where = (int)(into - m.arena);
    ebb_arena_adopt(into->arena, &child->arena);
    for (int i = 0; i < child->count; i++) {
        entry e = child->entry[i];
        into->entry[into->count++] = e;
        if (e.object != NOBODY) m.pool[e.pool].object[e.object].arena = where;
        else m.pool[e.pool].waiter[e.waiter].arena = where;
    }
    memset(child, 0, sizeof *child);
}

static void park(void)
{
    arena *a = some_arena();
    if (!a || a->created) return;
    ebb_arena *parked = ebb_scope_detach(&a->arena);
    a->arena = parked;
    a->worker = NOBODY;
}

/* ---- borrowing --------------------------------------------------------------------------------- */

static pool *some_pool(void)
{
    return &m.pool[below(POOLS)];
}

static void note_ref(pool *p, object *o)
{
    size_t i = below(REFS);
    m.ref[i].pool = p;
    m.ref[i].object = index_of(p, o);
    m.ref[i].loan = o->loan;
    m.ref[i].ref = ebb_pool_ref_to(p->pool, o->ptr);
    MUST(m.ref[i].ref.object == o->ptr);
}

static void was_lent(pool *p, void *ptr, int where, bool was_idle)
{
    object *o = object_at(p, ptr);
    MUST(o && o->state == HOME && is_painted(p, o));
    if (!o) return;
    if (was_idle && p->params.validate) MUST(o->good);
    o->state = OUT;
    o->arena = where;
    o->loan = ++m.loans;
    paint(p, o);
    tie(where, p, index_of(p, o), NOBODY);
    p->lent++;
    if (one_in(4)) note_ref(p, o);
}

typedef struct moment {
    uint64_t made, refused, faults;
    bool queue; /* somebody waits */
    uint32_t home, exist, aside;
} moment;

static moment look(const pool *p)
{
    return (moment){m.made,
                    m.refused,
                    faults(),
                    count_waiters(p, false) > 0,
                    count_in(p, HOME),
                    exist(p),
                    count_waiters(p, true)};
}

/* Nothing came: was that right? */
static void check_refusal(const pool *p, const moment *b, ebb_status why, const ebb_arena *a)
{
    switch (why) {
    case EBB_E_EXHAUSTED:
    case EBB_E_TIMEOUT: MUST(b->home <= b->aside && b->exist + b->aside >= p->max_size); break;
    case EBB_E_REFUSED: MUST(m.refused > b->refused); break;
    case EBB_E_MEMORY: MUST(faults() > b->faults || (a && ebb_failed(a))); break;
    default: is_wrong(__LINE__, ebb_status_name(why));
    }
}

static void check_success(const pool *p, const moment *b)
{
    MUST(!b->queue);
    MUST(m.made - b->made <= 1);
    MUST(b->home > 0 || m.made > b->made);
    MUST(exist(p) <= p->max_size || exist(p) <= p->promised || m.made == b->made);
}

static void acquire(void)
{
    pool *p = some_pool();
    arena *a = one_in(5) ? NULL : some_arena();
    ebb_status why = EBB_OK;
    moment b = look(p);
    bool waits = one_in(20), failed = a && ebb_failed(a->arena);
    uint64_t by = one_in(2) ? 0 : ebb_clock_ns() + below(60000);
    ebb_arena *to = a ? a->arena : NULL;
    m.shrinking = p->params.idle_ms;
    void *ptr =
        waits ? ebb_pool_acquire_by(p->pool, to, by, &why) : ebb_pool_acquire(p->pool, to, &why);
    m.shrinking = false;
    if (ptr) {
        check_success(p, &b);
        was_lent(p, ptr, a ? (int)(a - m.arena) : NOBODY, true);
    } else {
        check_refusal(p, &b, why, to);
        MUST(why != (waits ? EBB_E_EXHAUSTED : EBB_E_TIMEOUT));
        p->timed_out += why == EBB_E_TIMEOUT;
    }
    if (a && !failed) MUST(!ebb_failed(a->arena));
    check_pool(p);
}

static void acquire_async(void)
{
    pool *p = some_pool();
    arena *a = some_arena();
    waiter *w = new_waiter(p);
    if (!a || !w) return;
    moment b = look(p);
    ebb_pool_notice how = {.fn = has_been_told, .ctx = w};
    *w = (waiter){.ticket = ++m.tickets, .arena = (int)(a - m.arena), .pool = p};
    ebb_pool_wait *wait = NULL;
    ebb_status rc = ebb_pool_acquire_async(p->pool, a->arena, &how, &wait);
    MUST(!w->ready && (wait != NULL) == (rc == EBB_OK || rc == EBB_E_EXHAUSTED));
    w->wait = wait;
    w->ready = w->was_idle = rc == EBB_OK;
    if (rc == EBB_OK) MUST(!b.queue);
    else check_refusal(p, &b, rc, a->arena);
    if (!wait) w->ticket = 0;
    else tie(w->arena, p, NOBODY, (int)(w - p->waiter));
    check_pool(p);
}

/* One of this worker's waits. */
static waiter *some_waiter(pool *p)
{
    waiter *w = &p->waiter[below(WAITS)];
    if (!w->wait) return NULL;
    return m.arena[w->arena].worker == m.worker ? w : NULL;
}

static void wait_is_over(pool *p, waiter *w)
{
    untie(w->arena, p, NOBODY, (int)(w - p->waiter));
    memset(w, 0, sizeof *w);
}

static void take(void)
{
    pool *p = some_pool();
    waiter *w = some_waiter(p);
    if (!w) return;
    bool ready = w->ready, was_idle = w->was_idle;
    moment b = look(p);
    ebb_status why = EBB_OK;
    int where = w->arena;
    ebb_pool_wait *wait = w->wait;
    w->leaving = true;
    void *ptr = ebb_pool_take(&wait, &why);
    w->leaving = false;
    if (!ready) {
        MUST(!ptr && why == EBB_E_EXHAUSTED && wait == w->wait && !w->ready);
        return;
    }
    MUST(!wait);
    wait_is_over(p, w);
    if (ptr) was_lent(p, ptr, where, was_idle);
    else MUST(why != EBB_E_EXHAUSTED);
    if (!ptr) check_refusal(p, &b, why, m.arena[where].arena);
    check_pool(p);
}

static void cancel(void)
{
    pool *p = some_pool();
    waiter *w = some_waiter(p);
    if (!w) return;
    ebb_pool_wait *wait = w->wait;
    w->leaving = true;
    ebb_pool_wait_cancel(&wait);
    MUST(!wait);
    p->cancelled++;
    wait_is_over(p, w);
    check_pool(p);
}

/* ---- giving back ------------------------------------------------------------------------------- */

/* One that this worker may give back. */
static object *some_object(pool *p)
{
    size_t at = below(OBJECTS);
    for (size_t i = 0; i < OBJECTS; i++) {
        object *o = &p->object[(at + i) % OBJECTS];
        if (!o->ptr || (o->state != OUT && o->state != DETACHED)) continue;
        if (o->arena == NOBODY || m.arena[o->arena].worker == m.worker) return o;
    }
    return NULL;
}

static void let_go(pool *p, object *o)
{
    if (o->arena != NOBODY) untie(o->arena, p, index_of(p, o), NOBODY);
    o->arena = NOBODY;
}

static void release(void)
{
    pool *p = some_pool();
    object *o = some_object(p);
    if (!o) return;
    void *ptr = o->ptr;
    let_go(p, o);
    is_coming(p, o);
    m.shrinking = p->params.idle_ms;
    ebb_pool_release(p->pool, ptr);
    m.shrinking = false;
    has_come(p);
    check_pool(p);
}

static void discard(void)
{
    pool *p = some_pool();
    object *o = some_object(p);
    if (!o) return;
    void *ptr = o->ptr;
    let_go(p, o);
    is_coming(p, o);
    p->discarded++;
    m.discarding = true;
    ebb_pool_discard(p->pool, ptr);
    has_come(p);
    m.discarding = false;
    MUST(!object_at(p, ptr));
    check_pool(p);
}

static void detach(void)
{
    pool *p = some_pool();
    object *o = some_object(p);
    if (!o || o->state != OUT || count_in(p, DETACHED) > 5) return;
    let_go(p, o);
    o->state = DETACHED;
    MUST(ebb_pool_detach(p->pool, o->ptr) == o->ptr);
    check_pool(p);
}

static void move(void)
{
    pool *p = some_pool();
    object *o = some_object(p);
    arena *to = one_in(5) ? NULL : some_arena();
    if (!o) return;
    uint64_t before = faults();
    if (!ebb_pool_move(p->pool, o->ptr, to ? to->arena : NULL)) {
        MUST(to && (ebb_failed(to->arena) || faults() > before));
        return;
    }
    let_go(p, o);
    o->arena = to ? (int)(to - m.arena) : NOBODY;
    tie(o->arena, p, index_of(p, o), NOBODY);
    check_pool(p);
}

/* ---- the pools --------------------------------------------------------------------------------- */

static void trim(void)
{
    pool *p = some_pool();
    ebb_pool_stats s;
    ebb_pool_get_stats(p->pool, &s);
    uint64_t before = p->destroyed;
    uint32_t spare = s.exist > s.min_size ? s.exist - s.min_size : 0;
    m.shrinking = true;
    size_t n = ebb_pool_trim(p->pool);
    m.shrinking = false;
    MUST(n == p->destroyed - before);
    MUST(n == (s.idle < spare ? s.idle : spare));
    check_pool(p);
}

static void set_max(void)
{
    pool *p = some_pool();
    uint32_t least = p->params.min_size ? p->params.min_size : 1;
    uint32_t max = least + (uint32_t)below(OBJECTS / 2 - least);
    uint32_t before = p->max_size;
    p->max_size = max;
    p->promised = exist(p) + count_waiters(p, true);
    m.shrinking = max < before;
    MUST(ebb_pool_set_max(p->pool, max));
    m.shrinking = false;
    if (exist(p) > max) MUST(count_in(p, HOME) <= count_waiters(p, true));
    check_pool(p);
}

static void check_refs(void)
{
    for (int i = 0; i < REFS; i++) {
        if (!m.ref[i].pool) continue;
        const object *o = &m.ref[i].pool->object[m.ref[i].object];
        bool lasts = o->ptr == m.ref[i].ref.object && o->loan == m.ref[i].loan && o->state == OUT;
        if (o->ptr && o->state == DETACHED) continue;
        if (lasts && o->arena != NOBODY && m.arena[o->arena].worker != m.worker) continue;
        void *now = ebb_pool_ref_get(m.ref[i].pool->pool, m.ref[i].ref);
        MUST(now == (lasts ? o->ptr : NULL));
    }
}

typedef struct seen {
    pool *pool;
    uint32_t count;
    uint64_t loan;
} seen;

static void see(void *ctx, const void *ptr, const void *site)
{
    seen *s = ctx;
    const object *o = object_at(s->pool, ptr);
    MUST(site && o);
    s->count += o && (o->state == OUT || o->state == DETACHED);
}

static void each_out(void)
{
    seen s = {.pool = some_pool()};
    ebb_pool_each_out(s.pool->pool, see, &s);
    MUST(s.count == count_in(s.pool, OUT) + count_in(s.pool, DETACHED));
}

static void refuse_for_a_while(void)
{
    pool *p = some_pool();
    p->refuses = !p->refuses;
}

static void fail_for_a_while(void)
{
    ebb_fault_params p = {.probability = 0.2, .seed = rng_next(&m.random)};
    ebb_fault **f = &m.fault[m.worker];
    if (*f) {
        m.faults += ebb_fault_hits(*f);
        ebb_fault_end(f);
    } else {
        *f = ebb_fault_begin((ebb_watch){.this_thread = true}, &p, NULL);
    }
}

static uint32_t draw_max(void)
{
    return 1 + (uint32_t)below(one_in(2) ? 4 : OBJECTS / 2);
}

static void new_pool(pool *p)
{
    memset(p, 0, sizeof *p);
    p->max_size = draw_max();
    p->params = (ebb_pool_params){.name = "model", .ctx = p, .create = create, .destroy = destroy};
    p->params.size = 1 + below(LARGEST);
    p->params.align = one_in(2) ? 0 : (size_t)1 << below(10);
    p->params.max_size = p->max_size;
    p->params.min_size = one_in(2) ? 0 : (uint32_t)below(p->max_size + 1);
    p->params.idle_ms = one_in(3) ? 1 : 0;
    p->params.reset = one_in(4) ? NULL : reset;
    p->params.validate = one_in(2) ? NULL : validate;
    ebb_status why = EBB_OK;
    p->pool = ebb_pool_create(&p->params, &why);
    MUST(p->pool);
    if (!p->pool) return;
    if (!m.bypass) MUST(count_in(p, HOME) == p->params.min_size);
    check_pool(p);
}

static void release_all(pool *p)
{
    for (int i = 0; i < OBJECTS; i++) {
        object *o = &p->object[i];
        if (!o->ptr || (o->state != OUT && o->state != DETACHED)) continue;
        is_coming(p, o);
        ebb_pool_release(p->pool, o->ptr);
        has_come(p);
    }
    check_pool(p);
}

static void destroy_all(void)
{
    m.worker = 0;
    m.thread = pthread_self();
    for (int i = 0; i < WORKERS; i++)
        if (m.fault[i]) ebb_fault_end(&m.fault[i]);
    for (int i = 0; i < ARENAS; i++) {
        if (!m.arena[i].arena) continue;
        ebb_scope_attach(m.arena[i].arena);
        end_arena(&m.arena[i]);
    }
    m.shrinking = m.ending = true;
    for (int i = 0; i < POOLS; i++) {
        pool *p = &m.pool[i];
        release_all(p);
        ebb_pool_destroy(&p->pool);
        MUST(!p->pool && p->created == p->destroyed && exist(p) == 0);
    }
    m.shrinking = false;
}

/* ---- a program --------------------------------------------------------------------------------- */

static const struct {
    void (*do_it)(void);
    unsigned weight;
} deeds[] = {{acquire, 300},
             {acquire_async, 60},
             {take, 120},
             {cancel, 10},
             {release, 220},
             {discard, 15},
             {detach, 10},
             {move, 40},
             {end, 25},
             {reset_arena, 10},
             {mark, 25},
             {rewind_one, 20},
             {allocate, 40},
             {adopt, 8},
             {park, 20},
             {trim, 4},
             {set_max, 5},
             {check_refs, 10},
             {each_out, 5},
             {refuse_for_a_while, 3},
             {fail_for_a_while, 3}};

static void one_step(void)
{
    unsigned all = 0;
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) all += deeds[i].weight;
    size_t at = below(all), i = 0;
    for (; at >= deeds[i].weight; i++) at -= deeds[i].weight;
    deeds[i].do_it();
    m.step++;
}

/* The workers are there all the time, with their magazines; one of them is at work. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t turn;
    int whose; /* NOBODY: the main thread's */
    unsigned long steps;
    bool over;
    pthread_t thread[WORKERS];
} stage;

static void work(unsigned long steps)
{
    m.thread = pthread_self();
    for (unsigned long n = 0; n < steps && !m.wrong[0]; n++) one_step();
}

static void *worker(void *arg)
{
    int me = (int)(size_t)arg;
    pthread_mutex_lock(&stage.lock);
    while (!stage.over) {
        if (stage.whose == me) {
            work(stage.steps);
            stage.whose = NOBODY;
            pthread_cond_broadcast(&stage.turn);
        }
        pthread_cond_wait(&stage.turn, &stage.lock);
    }
    pthread_mutex_unlock(&stage.lock);
    return NULL;
}

static void let_work(int whose, unsigned long steps)
{
    pthread_mutex_lock(&stage.lock);
    m.worker = stage.whose = whose;
    stage.steps = steps;
    pthread_cond_broadcast(&stage.turn);
    while (stage.whose != NOBODY) pthread_cond_wait(&stage.turn, &stage.lock);
    pthread_mutex_unlock(&stage.lock);
}

static void start_workers(void)
{
    pthread_mutex_init(&stage.lock, NULL);
    pthread_cond_init(&stage.turn, NULL);
    stage.whose = NOBODY;
    stage.over = false;
    for (size_t i = 0; i < WORKERS; i++)
        cr_assert(!pthread_create(&stage.thread[i], NULL, worker, (void *)i));
}

static void stop_workers(void)
{
    pthread_mutex_lock(&stage.lock);
    stage.over = true;
    pthread_cond_broadcast(&stage.turn);
    pthread_mutex_unlock(&stage.lock);
    for (size_t i = 0; i < WORKERS; i++) pthread_join(stage.thread[i], NULL);
}

static void program(uint64_t seed, unsigned long steps)
{
    bool bypass = m.bypass;
    memset(&m, 0, sizeof m);
    m.seed = seed;
    m.random = (rng){seed};
    m.bypass = bypass;
    m.thread = pthread_self();
    for (int i = 0; i < POOLS; i++) new_pool(&m.pool[i]);
    start_workers();
    while (steps > 0 && !m.wrong[0]) {
        unsigned long n = 1 + below(2 * BURST);
        if (n > steps) n = steps;
        let_work((int)below(WORKERS), n);
        steps -= n;
    }
    bool stay = one_in(2); /* with full magazines while the pools are destroyed */
    if (!stay) stop_workers();
    if (!m.wrong[0]) destroy_all();
    if (stay) stop_workers();
    cr_assert(!m.wrong[0], "%s", m.wrong);
}

static void run(unsigned long steps)
{
    for (uint64_t seed = 1; steps > 0; seed++) {
        unsigned long n = steps < PROGRAM ? steps : PROGRAM;
        program(seed, n);
        steps -= n;
    }
}

Test(pool_model, random_programs)
{
    run(scaled(1000000));
}

Test(pool_model, random_programs_where_nothing_is_kept)
{
    setenv("EBB_POOL", "off", 1);
    m.bypass = true;
    run(scaled(100000));
}

/* ---- each failure ------------------------------------------------------------------------------ */

static struct {
    int alive, made;
    bool failed; /* some call said that there is no memory */
} few;

static bool make_few(void *ctx, void *ptr)
{
    (void)ctx;
    memset(ptr, 1, 100);
    few.alive++;
    few.made++;
    return true;
}

static void unmake_few(void *ctx, void *ptr)
{
    (void)ctx;
    cr_assert_eq(bytes_check(ptr, 1, 100), (size_t)100);
    few.alive--;
}

/* Nothing came: then it was for want of memory, and the pool is as it was. */
static bool came(const void *what, ebb_status why, ebb_pool *p, const ebb_pool_stats *was)
{
    ebb_pool_stats s;
    if (what) return true;
    cr_assert_eq(why, EBB_E_MEMORY);
    few.failed = true;
    if (!p) return false;
    ebb_pool_get_stats(p, &s);
    cr_assert(s.in_use == was->in_use && s.detached == was->detached && s.waiting == was->waiting);
    cr_assert_eq(s.exist, s.idle + s.in_use);
    cr_assert_eq(s.acquired - s.released, was->acquired - was->released);
    return false;
}

static void wait_in_vain(ebb_pool *p, ebb_arena *a)
{
    ebb_pool_stats s;
    ebb_pool_wait *w = NULL;
    ebb_pool_get_stats(p, &s);
    ebb_status rc = ebb_pool_acquire_async(p, a, NULL, &w), why = EBB_OK;
    if (!came(w, rc, p, &s) || rc == EBB_E_EXHAUSTED) return;
    void *ptr = ebb_pool_take(&w, &why);
    cr_assert_null(w);
    if (!ptr) cr_assert_eq(why, EBB_E_MEMORY);
}

static void use_all(ebb_pool *p, ebb_arena *a, ebb_arena *b)
{
    enum { ALL = 40 };
    void *ptr[ALL];
    ebb_pool_stats s;
    for (int i = 0; i < ALL; i++) {
        ebb_status why = EBB_OK;
        ebb_pool_get_stats(p, &s);
        ptr[i] = ebb_pool_acquire(p, i % 3 ? a : NULL, &why);
        if (!came(ptr[i], why, p, &s)) continue;
        if (i % 5 == 0 && !ebb_pool_move(p, ptr[i], b)) few.failed = true;
        if (i % 7 == 0) cr_assert_eq(ebb_pool_detach(p, ptr[i]), ptr[i]);
    }
    wait_in_vain(p, a);
    wait_in_vain(p, b);
    for (int i = 0; i < ALL; i++)
        if (i % 2 || i % 3 == 0 || i % 7 == 0) ebb_pool_release(p, ptr[i]);
}

Test(pool_model, each_failure)
{
    unsigned runs = 0;
    EBB_EACH_FAILURE (f, .this_thread = true) {
        ebb_status why = EBB_OK;
        ebb_pool_params params = {
            .size = 100, .min_size = 3, .max_size = 40, .create = make_few, .destroy = unmake_few};
        few.failed = false;
        ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_arena_create(NULL);
        ebb_pool *p = ebb_pool_create(&params, &why);
        if (came(p, why, NULL, NULL)) use_all(p, a, b);
        ebb_scope_end(&a);
        ebb_arena_destroy(&b);
        ebb_pool_destroy(&p);
        cr_assert_eq(few.alive, 0);
        runs++;
    }
    cr_assert(runs > 20, "%u", runs);
}

/* ---- order ------------------------------------------------------------------------------------- */

/* What went home last is warm, however full the magazine is, and where there is none. */
Test(pool_model, the_newest_is_lent_first)
{
    enum { MOST = 40 };
    if (!layout_is_plain()) cr_skip_test("strict pools lend the oldest first");
    for (uint32_t max = 1; max <= MOST; max++) {
        ebb_pool_params params = {.size = 100, .max_size = max};
        ebb_pool *p = ebb_pool_create(&params, NULL);
        void *ptr[MOST];
        for (int round = 0; round < 20; round++) {
            for (uint32_t i = 0; i < max; i++) ptr[i] = ebb_pool_acquire(p, NULL, NULL);
            for (uint32_t i = 0; i < max; i++) ebb_pool_release(p, ptr[i]);
            void *again = ebb_pool_acquire(p, NULL, NULL);
            cr_assert_eq(again, ptr[max - 1], "%u", max);
            ebb_pool_release(p, again);
        }
        ebb_pool_destroy(&p);
    }
}
