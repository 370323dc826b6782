/*
 * tests/unit/test_pool_threads.c: pools that many threads use at once: every way to borrow, wait, take,
 * leave and give back, on the same and on other threads; the order of who waits; deadlines; threads that
 * exit; fork. ThreadSanitizer looks on where it is there: an object's bytes are written by its holders
 * with nothing but the pool between them.
 *
 * Rounds are bounded; a hang is ended by an alarm.
 */
#define _GNU_SOURCE
#include "test.h"

#include <ebb/ebb.h>
#include <ebb/pool.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8, TOO_LONG_S = 120 };

#define MS         UINT64_C(1000000)
#define FOR_EVER_S 60

typedef struct thing {
    _Atomic uint32_t holder; /* 0: nobody */
    uint64_t uses, resets;   /* plain: whoever holds it writes them */
    bool alive;
} thing;

static _Atomic unsigned wrong, alive, numbers;
static char first_wrong[160];

/* Assertions belong on the main thread: the others leave word. */
static void is_wrong(int line, const char *what)
{
    if (atomic_fetch_add(&wrong, 1) == 0)
        snprintf(first_wrong, sizeof first_wrong, "line %d: %s", line, what);
}

#define MUST(x) ((x) ? (void)0 : is_wrong(__LINE__, #x))

static void all_is_well(void)
{
    cr_assert_eq(atomic_load(&wrong), 0u, "%s", first_wrong);
}

static uint64_t in_ms(uint64_t ms)
{
    return ebb_clock_ns() + ms * MS;
}

static uint64_t late(void)
{
    return in_ms(FOR_EVER_S * 1000);
}

static bool make(void *ctx, void *object)
{
    (void)ctx;
    ((thing *)object)->alive = true;
    atomic_fetch_add(&alive, 1);
    return true;
}

/* A moment after its holder let it go, on the same thread or another. */
static bool clean(void *ctx, void *object)
{
    thing *t = object;
    (void)ctx;
    MUST(t->alive);
    atomic_store_explicit(&t->holder, 0, memory_order_relaxed);
    t->resets++;
    return t->resets % 64 != 0;
}

static void unmake(void *ctx, void *object)
{
    thing *t = object;
    (void)ctx;
    MUST(t->alive);
    t->alive = false;
    atomic_fetch_sub(&alive, 1);
}

static ebb_pool *new_pool(uint32_t min, uint32_t max)
{
    ebb_pool_params p = {.name = "threads",
                         .size = sizeof(thing),
                         .min_size = min,
                         .max_size = max,
                         .create = make,
                         .reset = clean,
                         .destroy = unmake};
    alarm(TOO_LONG_S);
    ebb_pool *pool = ebb_pool_create(&p, NULL);
    cr_assert_not_null(pool);
    return pool;
}

static thing *use(void *object)
{
    static _Thread_local uint32_t me;
    thing *t = object;
    if (!t) return NULL;
    if (!me) me = atomic_fetch_add(&numbers, 1) + 1;
    MUST(atomic_exchange_explicit(&t->holder, me, memory_order_relaxed) == 0);
    MUST(t->alive);
    t->uses++;
    return t;
}

static ebb_pool_stats stats(ebb_pool *p)
{
    ebb_pool_stats s;
    ebb_pool_get_stats(p, &s);
    return s;
}

static void await_waiting(ebb_pool *p, uint32_t n)
{
    while (stats(p).waiting < n) sched_yield();
}

/* All is home, nobody waits, and all that may exist can be had. */
static void end_pool(ebb_pool **p)
{
    ebb_pool_stats s = stats(*p);
    cr_assert_eq(s.in_use, 0u);
    cr_assert_eq(s.waiting, 0u);
    cr_assert_eq(s.idle, s.exist);
    cr_assert_eq(s.acquired, s.released);
    cr_assert_eq(s.created - s.destroyed, (uint64_t)s.exist);
    ebb_arena *a = ebb_scope_begin(NULL);
    for (uint32_t i = 0; i < s.max_size; i++)
        cr_assert_not_null(use(ebb_pool_acquire(*p, a, NULL)));
    ebb_status why = EBB_OK;
    cr_assert_null(ebb_pool_acquire(*p, a, &why));
    cr_assert_eq(why, EBB_E_EXHAUSTED);
    ebb_scope_end(&a);
    ebb_pool_destroy(p);
    cr_assert_eq(atomic_load(&alive), 0u);
    all_is_well();
}

/* ---- every path at once ------------------------------------------------------------------------ */

enum { POOLS = 3, SLOTS = 6 };

/* Things and scopes that any thread may put down for any other to take up. */
static struct {
    ebb_pool *pool[POOLS];
    _Atomic(thing *) loose[POOLS][SLOTS];
    _Atomic(ebb_arena *) scope[SLOTS];
    unsigned long rounds;
} all;

static void borrow_some(rng *r)
{
    ebb_pool *p = all.pool[rng_below(r, POOLS)];
    ebb_arena *a = ebb_scope_begin(NULL);
    for (size_t n = 1 + rng_below(r, 3); n > 0; n--) {
        thing *t = use(ebb_pool_acquire(p, a, NULL));
        if (t && rng_one_in(r, 4)) ebb_pool_release(p, t);
        else if (t && rng_one_in(r, 50)) ebb_pool_discard(p, t);
    }
    ebb_scope_end(&a);
}

static void borrow_by(rng *r)
{
    ebb_pool *p = all.pool[rng_below(r, POOLS)];
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_status why = EBB_OK;
    uint64_t by = rng_one_in(r, 3) ? late() : ebb_clock_ns() + rng_below(r, 100000);
    thing *t = use(ebb_pool_acquire_by(p, a, by, &why));
    MUST(t || (why == EBB_E_TIMEOUT && ebb_clock_ns() >= by));
    ebb_scope_end(&a);
}

static void told(void *ctx)
{
    atomic_fetch_add((_Atomic unsigned *)ctx, 1);
}

/* One at a time: a second wait in the arms of the first would lock up with others who do so. */
static void borrow_async(rng *r)
{
    ebb_pool *p = all.pool[rng_below(r, POOLS)];
    _Atomic unsigned notices = 0;
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_pool_notice how = {.fn = told, .ctx = &notices};
    ebb_pool_wait *w = NULL;
    ebb_status rc = ebb_pool_acquire_async(p, a, &how, &w), why = EBB_OK;
    MUST(w && (rc == EBB_OK || rc == EBB_E_EXHAUSTED));
    size_t patience = rng_below(r, 200);
    while (w && rc == EBB_E_EXHAUSTED && patience-- > 0 && !atomic_load(&notices)) sched_yield();
    bool ready = rc == EBB_OK || atomic_load(&notices);
    thing *t = rng_one_in(r, 3) ? NULL : use(ebb_pool_take(&w, &why));
    MUST(t || !ready || why == EBB_OK);
    if (w && rng_one_in(r, 2)) ebb_pool_wait_cancel(&w);
    ebb_scope_end(&a);
    MUST(atomic_load(&notices) <= 1);
}

static void put_down(rng *r)
{
    size_t i = rng_below(r, POOLS);
    thing *t = use(ebb_pool_acquire(all.pool[i], NULL, NULL));
    if (t) t = atomic_exchange(&all.loose[i][rng_below(r, SLOTS)], t);
    if (t) ebb_pool_release(all.pool[i], t);
}

static void take_up(rng *r)
{
    size_t i = rng_below(r, POOLS);
    thing *t = atomic_exchange(&all.loose[i][rng_below(r, SLOTS)], NULL);
    if (!t) return;
    t->uses++;
    if (rng_one_in(r, 8)) {
        MUST(ebb_pool_detach(all.pool[i], t) == t);
        t->uses++;
    }
    ebb_pool_release(all.pool[i], t);
}

static void hand_over(rng *r)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    for (size_t n = 1 + rng_below(r, 3); n > 0; n--)
        (void)use(ebb_pool_acquire(all.pool[rng_below(r, POOLS)], a, NULL));
    if (rng_one_in(r, 2)) {
        ebb_pool_wait *w = NULL; /* goes with the scope, wherever that ends */
        (void)ebb_pool_acquire_async(all.pool[rng_below(r, POOLS)], a, NULL, &w);
    }
    ebb_arena *out = ebb_scope_detach(&a);
    a = atomic_exchange(&all.scope[rng_below(r, SLOTS)], out);
    if (a) ebb_scope_end(&a);
}

static void end_anothers(rng *r)
{
    ebb_arena *a = atomic_exchange(&all.scope[rng_below(r, SLOTS)], NULL);
    if (!a) return;
    ebb_scope_attach(a);
    ebb_scope_end(&a);
}

static void none_of(void *ctx, const void *object, const void *site)
{
    (void)ctx;
    MUST(object && site);
}

static void govern(rng *r)
{
    size_t i = rng_below(r, POOLS);
    switch (rng_below(r, 4)) {
    case 0: ebb_pool_trim(all.pool[i]); break;
    case 1: (void)stats(all.pool[i]); break;
    case 2: ebb_pool_each_out(all.pool[i], none_of, NULL); break;
    default: MUST(ebb_pool_set_max(all.pool[i], 3 + (uint32_t)rng_below(r, 30)));
    }
}

static void *everything(void *arg)
{
    rng r = {(uint64_t)(size_t)arg + 1};
    for (unsigned long n = 0; n < all.rounds; n++) {
        switch (rng_below(&r, 16)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4: borrow_some(&r); break;
        case 5:
        case 6: borrow_by(&r); break;
        case 7:
        case 8: borrow_async(&r); break;
        case 9: put_down(&r); break;
        case 10:
        case 11: take_up(&r); break;
        case 12: hand_over(&r); break;
        case 13:
        case 14: end_anothers(&r); break;
        default:
            if (rng_one_in(&r, 8)) govern(&r);
        }
    }
    return NULL;
}

static void pick_up_the_rest(void)
{
    for (size_t k = 0; k < SLOTS; k++) {
        ebb_arena *a = atomic_load(&all.scope[k]);
        ebb_scope_end(&a);
        for (size_t i = 0; i < POOLS; i++)
            ebb_pool_release(all.pool[i], atomic_load(&all.loose[i][k]));
    }
}

/* What is put down while nobody takes it up must not keep the others waiting for ever: the main thread
   goes on picking things up until all have ended. */
static _Atomic unsigned running;

static void *runs(void *arg)
{
    everything(arg);
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static void sweep(rng *r)
{
    while (atomic_load(&running)) {
        take_up(r);
        end_anothers(r);
        sched_yield();
    }
}

static void run_everything(unsigned long rounds)
{
    pthread_t thread[THREADS];
    rng r = {99};
    all.rounds = rounds;
    atomic_store(&running, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        cr_assert(!pthread_create(&thread[i], NULL, runs, (void *)i));
    sweep(&r);
    for (size_t i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    pick_up_the_rest();
}

Test(pool_threads, every_path_at_once)
{
    all.pool[0] = new_pool(0, 2);
    all.pool[1] = new_pool(3, 8);
    all.pool[2] = new_pool(0, 200);
    run_everything(scaled(60000));
    all_is_well();
    unsigned left = 0;
    for (size_t i = 0; i < POOLS; i++) left += stats(all.pool[i]).exist;
    cr_assert_eq(atomic_load(&alive), left);
    for (size_t i = 0; i < POOLS; i++) {
        ebb_pool_stats s = stats(all.pool[i]);
        cr_assert(s.in_use == 0 && s.waiting == 0 && s.detached == 0 && s.idle == s.exist);
        cr_assert_eq(s.acquired, s.released);
        ebb_pool_destroy(&all.pool[i]);
    }
    cr_assert_eq(atomic_load(&alive), 0u);
    all_is_well();
}

/* ---- the order of who waits -------------------------------------------------------------------- */

static struct {
    ebb_pool *pool;
    _Atomic unsigned turn, done;
    unsigned got[THREADS + 1];
} line;

static void *stand_in_line(void *arg)
{
    size_t me = (size_t)arg;
    ebb_arena *a = ebb_scope_begin(NULL);
    thing *t = use(ebb_pool_acquire_by(line.pool, a, late(), NULL));
    MUST(t);
    line.got[atomic_fetch_add(&line.turn, 1)] = (unsigned)me;
    ebb_scope_end(&a);
    return NULL;
}

static void one_line(void)
{
    pthread_t thread[THREADS];
    thing *held = use(ebb_pool_acquire(line.pool, NULL, NULL));
    cr_assert_not_null(held);
    atomic_store(&line.turn, 0);
    for (size_t i = 0; i < THREADS; i++) {
        cr_assert(!pthread_create(&thread[i], NULL, stand_in_line, (void *)i));
        await_waiting(line.pool, (uint32_t)i + 1);
    }
    ebb_pool_release(line.pool, held);
    for (size_t i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    for (unsigned i = 0; i < THREADS; i++) cr_assert_eq(line.got[i], i);
}

Test(pool_threads, first_come_first_served)
{
    line.pool = new_pool(0, 1);
    for (unsigned long n = scaled(200); n > 0; n--) one_line();
    end_pool(&line.pool);
}

/* Blocked and asynchronous in one queue: the odd ones are asynchronous. */
static void ready(void *ctx)
{
    line.got[atomic_fetch_add(&line.turn, 1)] = (unsigned)(size_t)ctx;
}

Test(pool_threads, one_queue_for_all_ways_to_wait)
{
    pthread_t thread[THREADS];
    ebb_pool_wait *w[THREADS] = {NULL};
    ebb_arena *a = ebb_scope_begin(NULL);
    line.pool = new_pool(0, 1);
    thing *t = use(ebb_pool_acquire(line.pool, NULL, NULL));
    for (size_t i = 0; i < THREADS; i++) {
        ebb_pool_notice how = {.fn = ready, .ctx = (void *)i};
        if (i % 2 == 0) cr_assert(!pthread_create(&thread[i], NULL, stand_in_line, (void *)i));
        else cr_assert_eq(ebb_pool_acquire_async(line.pool, a, &how, &w[i]), EBB_E_EXHAUSTED);
        await_waiting(line.pool, (uint32_t)i + 1);
    }
    ebb_pool_release(line.pool, t);
    for (size_t i = 1; i < THREADS; i += 2) {
        while (!(t = ebb_pool_take(&w[i], NULL))) sched_yield();
        ebb_pool_release(line.pool, use(t));
    }
    for (size_t i = 0; i < THREADS; i += 2) pthread_join(thread[i], NULL);
    for (unsigned i = 0; i < THREADS; i++) cr_assert_eq(line.got[i], i);
    ebb_scope_end(&a);
    end_pool(&line.pool);
}

/* A waiter is handed the object: who asks at once, again and again, never comes first. */
static struct {
    ebb_pool *pool;
    _Atomic unsigned held, asked,
        got; /* the round whose object is out, whose waiter is waiting, is served */
    _Atomic bool over;
} hog;

static void *grab(void *arg)
{
    (void)arg;
    while (!atomic_load(&hog.over)) {
        unsigned round = atomic_load(&hog.asked);
        thing *t = ebb_pool_acquire(hog.pool, NULL, NULL);
        if (!t) continue;
        use(t);
        MUST(atomic_load(&hog.got) >= round);
        ebb_pool_release(hog.pool, t);
    }
    return NULL;
}

static void *wait_rounds(void *arg)
{
    unsigned long rounds = *(unsigned long *)arg;
    for (unsigned n = 1; n <= rounds; n++) {
        while (atomic_load(&hog.held) < n) sched_yield();
        thing *t = use(ebb_pool_acquire_by(hog.pool, NULL, late(), NULL));
        MUST(t);
        atomic_store(&hog.got, n);
        ebb_pool_release(hog.pool, t);
    }
    return NULL;
}

Test(pool_threads, nobody_overtakes)
{
    unsigned long rounds = scaled(2000);
    pthread_t waiting, grabbing;
    hog.pool = new_pool(0, 1);
    cr_assert(!pthread_create(&waiting, NULL, wait_rounds, &rounds));
    cr_assert(!pthread_create(&grabbing, NULL, grab, NULL));
    for (unsigned n = 1; n <= rounds; n++) {
        thing *held = use(ebb_pool_acquire_by(hog.pool, NULL, late(), NULL));
        cr_assert_not_null(held);
        atomic_store(&hog.held, n);
        await_waiting(hog.pool, 1);
        atomic_store(&hog.asked, n);
        ebb_pool_release(hog.pool, held);
        while (atomic_load(&hog.got) < n) sched_yield();
    }
    atomic_store(&hog.over, true);
    pthread_join(waiting, NULL);
    pthread_join(grabbing, NULL);
    end_pool(&hog.pool);
}

/* ---- nobody is forgotten ----------------------------------------------------------------------- */

static struct {
    ebb_pool *pool;
    unsigned long rounds;
} crowd;

static void *jostle(void *arg)
{
    rng r = {(uint64_t)(size_t)arg + 5};
    for (unsigned long n = 0; n < crowd.rounds; n++) {
        thing *t = use(ebb_pool_acquire_by(crowd.pool, NULL, UINT64_MAX, NULL));
        MUST(t);
        if (rng_one_in(&r, 4)) sched_yield();
        if (!t) continue;
        if (rng_one_in(&r, 16)) ebb_pool_discard(crowd.pool, t);
        else ebb_pool_release(crowd.pool, t);
    }
    return NULL;
}

static void run_all(void *(*fn)(void *), size_t threads)
{
    pthread_t thread[THREADS];
    for (size_t i = 0; i < threads; i++)
        cr_assert(!pthread_create(&thread[i], NULL, fn, (void *)i));
    for (size_t i = 0; i < threads; i++) pthread_join(thread[i], NULL);
}

Test(pool_threads, all_are_woken_who_wait_for_ever)
{
    crowd.rounds = scaled(20000);
    for (uint32_t max = 1; max <= THREADS; max = max * 2 + 1) {
        crowd.pool = new_pool(0, max);
        run_all(jostle, THREADS);
        end_pool(&crowd.pool);
    }
}

/* Deadlines that pass at the moment when an object comes: it goes to one of the two, or on. */
static void *hesitate(void *arg)
{
    rng r = {(uint64_t)(size_t)arg + 7};
    for (unsigned long n = 0; n < crowd.rounds; n++) {
        uint64_t by = ebb_clock_ns() + rng_below(&r, 40000);
        ebb_status why = EBB_OK;
        thing *t = use(ebb_pool_acquire_by(crowd.pool, NULL, by, &why));
        MUST(t || (why == EBB_E_TIMEOUT && ebb_clock_ns() >= by));
        if (t && rng_one_in(&r, 2)) sched_yield();
        ebb_pool_release(crowd.pool, t);
    }
    return NULL;
}

Test(pool_threads, a_deadline_may_meet_an_object)
{
    crowd.rounds = scaled(20000);
    crowd.pool = new_pool(0, 2);
    run_all(hesitate, THREADS);
    end_pool(&crowd.pool);
}

/* Waits that leave, by cancel, by the end of their scope, and with what was set aside for them. */
static void *change_minds(void *arg)
{
    rng r = {(uint64_t)(size_t)arg + 11};
    for (unsigned long n = 0; n < crowd.rounds; n++) {
        ebb_arena *a = ebb_scope_begin(NULL);
        ebb_pool_wait *w = NULL;
        MUST(ebb_pool_acquire_async(crowd.pool, a, NULL, &w) <= EBB_OK && w);
        for (size_t k = rng_below(&r, 4); k > 0; k--) sched_yield();
        if (rng_one_in(&r, 3)) (void)use(ebb_pool_take(&w, NULL));
        if (w && rng_one_in(&r, 2)) ebb_pool_wait_cancel(&w);
        ebb_scope_end(&a);
    }
    return NULL;
}

Test(pool_threads, who_waits_may_leave)
{
    crowd.rounds = scaled(30000);
    for (uint32_t max = 1; max <= THREADS; max *= 2) {
        crowd.pool = new_pool(0, max);
        run_all(change_minds, THREADS);
        end_pool(&crowd.pool);
    }
}

/* There are as many as all together ever hold, so nobody may be told that all are out, wherever the
   others keep what they have just let go. */
enum { MINE = 8 };

static void *hold_my_share(void *arg)
{
    rng r = {(uint64_t)(size_t)arg + 13};
    for (unsigned long n = 0; n < crowd.rounds; n++) {
        thing *t[MINE];
        size_t some = 1 + rng_below(&r, MINE);
        for (size_t i = 0; i < some; i++)
            MUST((t[i] = use(ebb_pool_acquire(crowd.pool, NULL, NULL))));
        for (size_t i = 0; i < some; i++) ebb_pool_release(crowd.pool, t[i]);
    }
    return NULL;
}

Test(pool_threads, nobody_goes_without_while_there_is_one)
{
    crowd.rounds = scaled(100000);
    crowd.pool = new_pool(0, THREADS * MINE);
    run_all(hold_my_share, THREADS);
    end_pool(&crowd.pool);
}

/* ---- deadlines --------------------------------------------------------------------------------- */

static struct {
    ebb_pool *pool;
    _Atomic bool over;
    uint64_t deadline, returned;
} dl;

static void *wait_until(void *arg)
{
    ebb_status why = EBB_OK;
    (void)arg;
    dl.deadline = in_ms(60);
    MUST(!ebb_pool_acquire_by(dl.pool, NULL, dl.deadline, &why) && why == EBB_E_TIMEOUT);
    dl.returned = ebb_clock_ns();
    atomic_store(&dl.over, true);
    return NULL;
}

/* Meanwhile others come, time out and leave behind it, and what there is changes: no reason to begin
   the time again. */
Test(pool_threads, a_deadline_is_not_begun_again)
{
    pthread_t thread;
    dl.pool = new_pool(0, 1);
    thing *t = use(ebb_pool_acquire(dl.pool, NULL, NULL));
    cr_assert(!pthread_create(&thread, NULL, wait_until, NULL));
    for (uint64_t end = in_ms(10000); !atomic_load(&dl.over) && ebb_clock_ns() < end;) {
        ebb_arena *a = ebb_scope_begin(NULL);
        ebb_pool_wait *w = NULL;
        cr_assert_eq(ebb_pool_acquire_async(dl.pool, a, NULL, &w), EBB_E_EXHAUSTED);
        cr_assert_null(ebb_pool_acquire_by(dl.pool, a, in_ms(1), NULL));
        ebb_scope_end(&a);
        cr_assert(ebb_pool_set_max(dl.pool, 1));
    }
    pthread_join(thread, NULL);
    cr_assert(dl.returned >= dl.deadline && dl.returned < dl.deadline + 5000 * MS);
    ebb_pool_release(dl.pool, t);
    end_pool(&dl.pool);
}

Test(pool_threads, a_deadline_in_the_past)
{
    ebb_pool *p = new_pool(0, 1);
    ebb_status why = EBB_OK;
    thing *t = use(ebb_pool_acquire_by(p, NULL, 0, NULL));
    cr_assert_not_null(t, "there is one: no need to wait");
    cr_assert_null(ebb_pool_acquire_by(p, NULL, 0, &why));
    cr_assert_eq(why, EBB_E_TIMEOUT);
    cr_assert_null(ebb_pool_acquire_by(p, NULL, ebb_clock_ns() - 1, &why));
    ebb_pool_release(p, t);
    end_pool(&p);
}

/* ---- an event loop ----------------------------------------------------------------------------- */

static void *lend_and_take_back(void *arg)
{
    ebb_pool *p = arg;
    for (unsigned long n = scaled(3000); n > 0; n--) {
        thing *t = use(ebb_pool_acquire_by(p, NULL, late(), NULL));
        MUST(t);
        ebb_pool_release(p, t);
    }
    return NULL;
}

static thing *take_by_event(ebb_pool *p, ebb_arena *a, int fd)
{
    ebb_pool_wait *w = NULL;
    ebb_pool_notice how = {.eventfd = fd, .has_eventfd = true};
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    uint64_t n = 0;
    if (ebb_pool_acquire_async(p, a, &how, &w) == EBB_E_EXHAUSTED) {
        MUST(poll(&ready, 1, FOR_EVER_S * 1000) == 1);
        MUST(read(fd, &n, sizeof n) == (ssize_t)sizeof n && n == 1);
    }
    return use(ebb_pool_take(&w, NULL));
}

struct parcel {
    ebb_pool *pool;
    thing *thing;
};

static void send_it_home(void *arg)
{
    struct parcel *b = arg;
    ebb_pool_release(b->pool, b->thing);
}

Test(pool_threads, an_eventfd_says_once_that_there_is_something)
{
    ebb_pool *p = new_pool(0, 1);
    ebb_arena *a = ebb_scope_begin(NULL);
    int fd = eventfd(0, EFD_NONBLOCK);
    ebb_pool_notice how = {.eventfd = fd, .has_eventfd = true};
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    uint64_t n = 0;
    cr_assert(fd >= 0);
    for (unsigned long k = scaled(200); k > 0; k--) {
        ebb_pool_wait *w = NULL;
        struct parcel b = {p, use(ebb_pool_acquire(p, NULL, NULL))};
        ebb_status rc = ebb_pool_acquire_async(p, a, &how, &w);
        cr_assert(b.thing && rc == EBB_E_EXHAUSTED && poll(&readable, 1, 0) == 0);
        on_thread(send_it_home, &b);
        cr_assert_eq(poll(&readable, 1, FOR_EVER_S * 1000), 1);
        cr_assert(read(fd, &n, sizeof n) == (ssize_t)sizeof n && n == 1);
        thing *t = use(ebb_pool_take(&w, NULL));
        cr_assert_not_null(t);
        ebb_pool_release(p, t);
    }
    close(fd);
    ebb_scope_end(&a);
    end_pool(&p);
}

Test(pool_threads, an_event_loop_is_told_by_its_eventfd)
{
    ebb_pool *p = new_pool(0, 1);
    pthread_t thread;
    int fd = eventfd(0, EFD_NONBLOCK);
    uint64_t n;
    cr_assert(fd >= 0 && !pthread_create(&thread, NULL, lend_and_take_back, p));
    for (unsigned long k = scaled(3000); k > 0; k--) {
        ebb_arena *a = ebb_scope_begin(NULL);
        cr_assert_not_null(take_by_event(p, a, fd));
        ebb_scope_end(&a);
    }
    pthread_join(thread, NULL);
    cr_assert(read(fd, &n, sizeof n) < 0 && errno == EAGAIN, "once for each");
    close(fd);
    end_pool(&p);
}

/* ---- threads that exit ------------------------------------------------------------------------- */

enum { EACH = 20 };

static struct {
    ebb_pool *pool;
    thing *held[THREADS][EACH];
} leavers;

/* With full magazines, and with loans. */
static void *hold_and_leave(void *arg)
{
    size_t me = (size_t)arg;
    thing *t[EACH];
    for (int k = 0; k < 50; k++) {
        for (int i = 0; i < EACH; i++) t[i] = use(ebb_pool_acquire(leavers.pool, NULL, NULL));
        for (int i = 0; i < EACH; i++) MUST(t[i]);
        for (int i = 0; i < EACH; i++) ebb_pool_release(leavers.pool, t[i]);
    }
    for (int i = 0; i < EACH; i += 2)
        leavers.held[me][i] = use(ebb_pool_acquire(leavers.pool, NULL, NULL));
    return NULL;
}

Test(pool_threads, a_thread_may_exit_while_holding)
{
    leavers.pool = new_pool(0, THREADS * (EACH + 4)); /* nobody has to go without */
    for (unsigned long n = scaled(50); n > 0; n--) {
        run_all(hold_and_leave, THREADS);
        ebb_pool_stats s = stats(leavers.pool);
        cr_assert_eq(s.in_use, (uint32_t)(THREADS * EACH / 2));
        cr_assert_eq(s.idle, s.exist - s.in_use);
        for (int i = 0; i < THREADS; i++)
            for (int k = 0; k < EACH; k += 2) ebb_pool_release(leavers.pool, leavers.held[i][k]);
    }
    end_pool(&leavers.pool);
}

/* A thread that lives on with a full magazine strands nothing. */
static struct {
    pthread_barrier_t step;
    ebb_pool *pool;
} keeper;

static void *keep_a_magazine(void *arg)
{
    ebb_pool_stats s = stats(keeper.pool);
    thing *t[4];
    (void)arg;
    for (uint32_t i = 0; i < s.max_size; i++) t[i] = use(ebb_pool_acquire(keeper.pool, NULL, NULL));
    for (uint32_t i = 0; i < s.max_size; i++) ebb_pool_release(keeper.pool, t[i]);
    pthread_barrier_wait(&keeper.step);
    pthread_barrier_wait(&keeper.step);
    return NULL;
}

Test(pool_threads, nothing_is_stranded_in_a_magazine)
{
    for (uint32_t max = 1; max <= 4; max++) {
        pthread_t thread;
        thing *t[4];
        keeper.pool = new_pool(0, max);
        pthread_barrier_init(&keeper.step, NULL, 2);
        cr_assert(!pthread_create(&thread, NULL, keep_a_magazine, NULL));
        pthread_barrier_wait(&keeper.step);
        for (uint32_t i = 0; i < max; i++)
            cr_assert_not_null(t[i] = use(ebb_pool_acquire(keeper.pool, NULL, NULL)));
        for (uint32_t i = 0; i < max; i++) ebb_pool_release(keeper.pool, t[i]);
        pthread_barrier_wait(&keeper.step);
        pthread_join(thread, NULL);
        end_pool(&keeper.pool);
    }
}

/* Pools come and go under threads that stay: a new one must not be taken for an old one. */
static struct {
    pthread_barrier_t step;
    ebb_pool *pool;
    unsigned long rounds;
} series;

static void *use_each(void *arg)
{
    thing *t[3];
    (void)arg;
    for (unsigned long n = 0; n < series.rounds; n++) {
        pthread_barrier_wait(&series.step);
        for (int k = 0; k < 10; k++) {
            for (int i = 0; i < 3; i++) t[i] = use(ebb_pool_acquire(series.pool, NULL, NULL));
            for (int i = 0; i < 3; i++) ebb_pool_release(series.pool, t[i]);
        }
        pthread_barrier_wait(&series.step);
    }
    return NULL;
}

Test(pool_threads, pools_come_and_go)
{
    enum { USERS = 4 };
    pthread_t thread[USERS];
    series.rounds = scaled(500);
    pthread_barrier_init(&series.step, NULL, USERS + 1);
    for (size_t i = 0; i < USERS; i++) cr_assert(!pthread_create(&thread[i], NULL, use_each, NULL));
    for (unsigned long n = 0; n < series.rounds; n++) {
        series.pool = new_pool((uint32_t)(n % 3), (uint32_t)(3 * USERS + n % 5));
        pthread_barrier_wait(&series.step);
        pthread_barrier_wait(&series.step);
        end_pool(&series.pool);
    }
    for (size_t i = 0; i < USERS; i++) pthread_join(thread[i], NULL);
}

/* Threads exit while other pools are made and destroyed. */
static _Atomic bool leaving_is_over;

static void use_and_leave(void *arg)
{
    ebb_pool_release(arg, use(ebb_pool_acquire(arg, NULL, NULL)));
}

static void *make_and_destroy(void *arg)
{
    (void)arg;
    while (!atomic_load(&leaving_is_over)) {
        ebb_pool_params p = {
            .size = sizeof(thing), .create = make, .reset = clean, .destroy = unmake};
        ebb_pool *pool = ebb_pool_create(&p, NULL);
        MUST(pool);
        ebb_pool_release(pool, use(ebb_pool_acquire(pool, NULL, NULL)));
        ebb_pool_destroy(&pool);
    }
    return NULL;
}

Test(pool_threads, threads_exit_while_pools_come_and_go)
{
    pthread_t maker;
    ebb_pool *p = new_pool(0, 10);
    cr_assert(!pthread_create(&maker, NULL, make_and_destroy, NULL));
    for (unsigned long n = scaled(1000); n > 0; n--) on_thread(use_and_leave, p);
    atomic_store(&leaving_is_over, true);
    pthread_join(maker, NULL);
    end_pool(&p);
}

/* ---- fork -------------------------------------------------------------------------------------- */

static int wait_for(pid_t child)
{
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    return status;
}

/* What the forking thread had in hand, and all that lies in the pool, is the child's too. */
static int in_the_child(ebb_pool *p, thing *held, uint32_t max)
{
    thing *t[8];
    alarm(20);
    ebb_pool_release(p, held);
    for (uint32_t i = 0; i < max; i++)
        if (!(t[i] = use(ebb_pool_acquire(p, NULL, NULL)))) return 1;
    if (ebb_pool_acquire(p, NULL, NULL)) return 2;
    for (uint32_t i = 0; i < max; i++) ebb_pool_release(p, t[i]);
    ebb_pool_destroy(&p);
    return atomic_load(&alive) == 0 && atomic_load(&wrong) == 0 ? 0 : 3;
}

Test(pool_threads, fork_while_idle)
{
    pthread_t thread;
    keeper.pool = new_pool(1, 4);
    pthread_barrier_init(&keeper.step, NULL, 2);
    cr_assert(!pthread_create(&thread, NULL, keep_a_magazine, NULL));
    pthread_barrier_wait(&keeper.step);
    thing *held = use(ebb_pool_acquire(keeper.pool, NULL, NULL));
    pid_t child = fork();
    if (child == 0) _exit(in_the_child(keeper.pool, held, 4));
    cr_assert_eq(wait_for(child), 0);
    ebb_pool_release(keeper.pool, held);
    pthread_barrier_wait(&keeper.step);
    pthread_join(thread, NULL);
    end_pool(&keeper.pool);
}

static _Atomic bool forked_enough;

static void *be_busy(void *arg)
{
    while (!atomic_load(&forked_enough)) {
        thing *t = use(ebb_pool_acquire(arg, NULL, NULL));
        if (t) ebb_pool_release(arg, t);
    }
    return NULL;
}

/* What others hold at that moment is lost to the child; but it is not stuck. */
static int get_by(ebb_pool *p)
{
    alarm(20);
    for (int i = 0; i < 100; i++) {
        void *t = ebb_pool_acquire_by(p, NULL, in_ms(1), NULL);
        if (t) ebb_pool_release(p, t);
    }
    (void)stats(p);
    (void)ebb_pool_trim(p);
    return 0;
}

Test(pool_threads, fork_while_others_are_busy)
{
    enum { BUSY = 3 };
    pthread_t thread[BUSY];
    if (TESTS_TSAN) cr_skip_test("ThreadSanitizer does not follow a fork of many threads");
    ebb_pool *p = new_pool(0, 8);
    for (size_t i = 0; i < BUSY; i++) cr_assert(!pthread_create(&thread[i], NULL, be_busy, p));
    for (unsigned long n = scaled(200); n > 0; n--) {
        pid_t child = fork();
        if (child == 0) _exit(get_by(p));
        cr_assert_eq(wait_for(child), 0);
    }
    atomic_store(&forked_enough, true);
    for (size_t i = 0; i < BUSY; i++) pthread_join(thread[i], NULL);
    end_pool(&p);
}

/* ---- fork while somebody waits ----------------------------------------------------------------- */

static struct {
    pthread_barrier_t step;
    ebb_pool *pool;
    ebb_arena *passed_on; /* with waits that another thread began, */
    ebb_pool_wait *asked; /* this one of them */
} queue;

static void *wait_elsewhere(void *arg)
{
    ebb_pool_wait *w = NULL, *mine = NULL;
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin(NULL);
    (void)arg;
    MUST(ebb_pool_acquire_async(queue.pool, a, NULL, &mine) == EBB_E_EXHAUSTED);
    MUST(ebb_pool_acquire_async(queue.pool, b, NULL, &w) == EBB_E_EXHAUSTED);
    MUST(ebb_pool_acquire_async(queue.pool, b, NULL, &queue.asked) == EBB_E_EXHAUSTED);
    queue.passed_on = ebb_scope_detach(&b);
    pthread_barrier_wait(&queue.step);
    pthread_barrier_wait(&queue.step);
    ebb_scope_end(&a);
    return NULL;
}

/* Those who waited on other threads are not here: the first of this one's is served. */
static int serve_mine(thing *held, ebb_pool_wait *mine, ebb_arena *a)
{
    ebb_status why = EBB_OK;
    alarm(20);
    ebb_scope_attach(queue.passed_on);
    if (ebb_pool_take(&queue.asked, &why) || queue.asked || why != EBB_E_INVALID) return 3;
    ebb_scope_end(&queue.passed_on);
    ebb_pool_release(queue.pool, held);
    thing *t = use(ebb_pool_take(&mine, NULL));
    if (!t) return 1;
    ebb_scope_end(&a);
    ebb_pool_destroy(&queue.pool);
    return atomic_load(&alive) == 0 && atomic_load(&wrong) == 0 ? 0 : 2;
}

Test(pool_threads, fork_while_others_wait)
{
    pthread_t thread;
    queue.pool = new_pool(0, 1);
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_pool_wait *mine = NULL;
    thing *held = use(ebb_pool_acquire(queue.pool, NULL, NULL));
    pthread_barrier_init(&queue.step, NULL, 2);
    cr_assert(!pthread_create(&thread, NULL, wait_elsewhere, NULL));
    pthread_barrier_wait(&queue.step);
    cr_assert_eq(ebb_pool_acquire_async(queue.pool, a, NULL, &mine), EBB_E_EXHAUSTED);
    pid_t child = fork();
    if (child == 0) _exit(serve_mine(held, mine, a));
    cr_assert_eq(wait_for(child), 0);
    pthread_barrier_wait(&queue.step);
    pthread_join(thread, NULL);
    ebb_scope_end(&queue.passed_on);
    ebb_pool_release(queue.pool, held);
    cr_assert_not_null(use(ebb_pool_take(&mine, NULL)));
    ebb_scope_end(&a);
    end_pool(&queue.pool);
}

/* ---- more pools than a thread has magazines for ------------------------------------------------ */

enum { MANY = 300 };

static ebb_pool *many[MANY];

static void *use_many(void *arg)
{
    rng r = {(uint64_t)(size_t)arg + 3};
    for (unsigned long n = scaled(20000); n > 0; n--) {
        ebb_arena *a = ebb_scope_begin(NULL);
        for (size_t k = rng_below(&r, 4); k > 0; k--)
            (void)use(ebb_pool_acquire(many[rng_below(&r, MANY)], a, NULL));
        ebb_scope_end(&a);
    }
    return NULL;
}

Test(pool_threads, many_pools)
{
    for (size_t i = 0; i < MANY; i++) many[i] = new_pool(0, 1 + (uint32_t)(i % 9));
    run_all(use_many, 4);
    for (size_t i = 0; i < MANY; i++) {
        ebb_pool_stats s = stats(many[i]);
        cr_assert(s.in_use == 0 && s.idle == s.exist && s.acquired == s.released);
    }
    for (size_t i = 0; i < MANY; i++) ebb_pool_destroy(&many[(i * 7) % MANY]);
    cr_assert_eq(atomic_load(&alive), 0u);
    all_is_well();
}

/* ---- what lies idle ---------------------------------------------------------------------------- */

static void *be_idle(void *arg)
{
    thing *t[20];
    for (int i = 0; i < 20; i++) t[i] = ebb_pool_acquire(arg, NULL, NULL);
    for (int i = 0; i < 20; i++) ebb_pool_release(arg, t[i]);
    return NULL;
}

enum { PEAK = 20, MAGAZINE = 8 };

static void lend_one_until(ebb_pool *p, uint32_t exist, uint64_t end)
{
    while (stats(p).exist > exist && ebb_clock_ns() < end) {
        thing *t = ebb_pool_acquire(p, NULL, NULL);
        ebb_pool_release(p, t);
        usleep(1000);
    }
}

/* A peak of twenty; afterwards one object is enough, and what its thread has in its magazine. */
static void shrink(uint32_t min, uint32_t most)
{
    ebb_pool_params params = {.name = "threads",
                              .size = sizeof(thing),
                              .min_size = min,
                              .max_size = PEAK,
                              .idle_ms = 20,
                              .create = make,
                              .destroy = unmake};
    ebb_pool *p = ebb_pool_create(&params, NULL);
    pthread_t thread;
    cr_assert(!pthread_create(&thread, NULL, be_idle, p));
    pthread_join(thread, NULL);
    cr_assert_eq(stats(p).exist, (uint32_t)PEAK);
    lend_one_until(p, most, in_ms(20000));
    lend_one_until(p, 0, in_ms(100));
    cr_assert(stats(p).exist >= min && stats(p).exist <= most);
    int used = 0; /* it stays, but for a thread that was held up in the midst */
    for (int i = 0; i < 100; i++) used += be_idle(p) == NULL && stats(p).exist == PEAK;
    cr_assert(used > 50, "%d", used);
    ebb_pool_destroy(&p);
    cr_assert_eq(atomic_load(&alive), 0u);
}

Test(pool_threads, a_pool_shrinks_to_what_is_used)
{
    shrink(2, 2 + MAGAZINE);
    shrink(14, 14);
}

/* ---- hooks that use another pool --------------------------------------------------------------- */

typedef struct outer {
    thing *inner; /* borrowed as long as this one lives */
} outer;

static ebb_pool *inner_pool;

static bool make_outer(void *ctx, void *object)
{
    outer *o = object;
    (void)ctx;
    o->inner = use(ebb_pool_acquire(inner_pool, NULL, NULL));
    return o->inner != NULL;
}

static bool clean_outer(void *ctx, void *object)
{
    outer *o = object;
    ebb_arena *a = ebb_scope_begin(NULL);
    thing *t = use(ebb_pool_acquire(inner_pool, a, NULL));
    (void)ctx;
    o->inner->uses++;
    ebb_scope_end(&a);
    return t == NULL || o->inner->uses % 16 != 0;
}

static bool ask_outer(void *ctx, void *object)
{
    outer *o = object;
    (void)ctx;
    return o->inner->uses++ % 32 != 0;
}

static void unmake_outer(void *ctx, void *object)
{
    (void)ctx;
    ebb_pool_release(inner_pool, ((outer *)object)->inner);
}

static void *use_outer(void *arg)
{
    rng r = {(uint64_t)(size_t)arg + 1};
    for (unsigned long n = scaled(20000); n > 0; n--) {
        ebb_arena *a = ebb_scope_begin(NULL);
        for (size_t k = rng_below(&r, 4); k > 0; k--) {
            outer *o = ebb_pool_acquire_by(crowd.pool, a, in_ms(1), NULL);
            if (o) o->inner->uses++;
        }
        if (rng_one_in(&r, 100)) ebb_pool_trim(crowd.pool);
        ebb_scope_end(&a);
    }
    return NULL;
}

Test(pool_threads, hooks_may_use_another_pool)
{
    ebb_pool_params params = {.name = "outer",
                              .size = sizeof(outer),
                              .max_size = 12,
                              .create = make_outer,
                              .reset = clean_outer,
                              .validate = ask_outer,
                              .destroy = unmake_outer};
    inner_pool = new_pool(0, 16);
    crowd.pool = ebb_pool_create(&params, NULL);
    run_all(use_outer, THREADS);
    cr_assert_eq(stats(crowd.pool).in_use, 0u);
    cr_assert_eq(stats(inner_pool).in_use, stats(crowd.pool).exist);
    ebb_pool_destroy(&crowd.pool);
    end_pool(&inner_pool);
}

/* ---- the last words of a thread ---------------------------------------------------------------- */

static pthread_key_t early, late_key;
static ebb_pool *last_pool;

static void last_words(void *value)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    thing *t = use(ebb_pool_acquire(last_pool, a, NULL));
    MUST(t);
    ebb_scope_end(&a);
    ebb_pool_release(last_pool, value);
}

/* Other libraries' data of the thread may go after Ebb's, and give back what they have borrowed. */
static void *speak(void *arg)
{
    (void)arg;
    MUST(!pthread_setspecific(early, use(ebb_pool_acquire(last_pool, NULL, NULL))));
    MUST(!pthread_setspecific(late_key, use(ebb_pool_acquire(last_pool, NULL, NULL))));
    return NULL;
}

Test(pool_threads, a_threads_last_words_may_use_a_pool)
{
    pthread_t thread;
    cr_assert(!pthread_key_create(&early, last_words));
    last_pool = new_pool(0, 6);
    cr_assert(!pthread_key_create(&late_key, last_words));
    for (unsigned long n = scaled(500); n > 0; n--) {
        cr_assert(!pthread_create(&thread, NULL, speak, NULL));
        pthread_join(thread, NULL);
    }
    end_pool(&last_pool);
}
