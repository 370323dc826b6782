/*
 * tests/unit/test_share_threads.c: shared objects on many threads: counted, upgraded, replaced under
 * readers, entered under one content by all at once. Every object says when it ends by spoiling itself,
 * so whoever reads one too late sees it. ThreadSanitizer looks on where it is there. Bounded by
 * rounds; no thread sleeps or waits for time.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, KINDS = 8, SOUND = 12345, SPOILT = 54321 };

typedef struct thing {
    int kind, state;
    uint64_t serial;
} thing;

static ebb_root roots[2];
static ebb_canon *table;
static ebb_weak *weak[KINDS]; /* one for each kind of the first objects */
static _Atomic unsigned wrong, started;
static _Atomic uint64_t made, gone;
static ebb_profile patient = EBB_PROFILE("patient", .long_lived = true);

/* Scopes that have read, on their way to another thread. */
static struct parcel {
    ebb_arena *scope;
    const thing *read[2];
} * _Atomic parcels[4];

static void must(bool so)
{
    if (!so) atomic_fetch_add(&wrong, 1);
}

static void spoil(void *arg)
{
    thing *t = arg;
    must(t->state == SOUND);
    t->state = SPOILT;
    atomic_fetch_add(&gone, 1);
}

static ebb_shared *make(int kind)
{
    ebb_arena *a = ebb_shared_begin("thing");
    thing *t = ebb_new(a, thing);
    t->kind = kind;
    t->state = SOUND;
    t->serial = atomic_fetch_add(&made, 1);
    ebb_defer(a, spoil, t);
    return ebb_shared_seal(&a, t, NULL);
}

static void is_sound(const void *root, int kind)
{
    const thing *t = root;
    must(t->state == SOUND && (kind < 0 || t->kind == kind));
}

static bool is_kind(void *ctx, const void *root)
{
    return ((const thing *)root)->kind == *(int *)ctx;
}

/* ---- what a thread does, one thing at a time ------------------------------------------------- */

static void hold_and_drop(rng *r)
{
    ebb_shared *s = ebb_root_hold(&roots[rng_below(r, 2)], NULL);
    if (!s) return;
    ebb_shared *t = ebb_shared_hold(s);
    ebb_shared_drop(&s);
    is_sound(ebb_shared_get(t), -1);
    ebb_shared_drop(&t);
}

static void upgrade(rng *r)
{
    int kind = (int)rng_below(r, KINDS);
    ebb_shared *s = ebb_weak_upgrade(weak[kind]);
    if (!s) return;
    is_sound(ebb_shared_get(s), kind);
    ebb_weak *w = ebb_weak_of(s);
    ebb_shared_drop(&s);
    s = ebb_weak_upgrade(w);
    if (s) is_sound(ebb_shared_get(s), kind);
    ebb_shared_drop(&s);
    ebb_weak_drop(&w);
}

static void replace(rng *r)
{
    ebb_shared *s = rng_one_in(r, 8) ? NULL : make((int)rng_below(r, KINDS));
    must(ebb_root_set(&roots[rng_below(r, 2)], &s));
}

static void read_both(rng *r, ebb_profile *p)
{
    const thing *t[16];
    size_t n = 0;
    ebb_arena *a = ebb_scope_begin(p);
    while (n < 16 && !rng_one_in(r, 8)) {
        t[n] = ebb_root_get(&roots[rng_below(r, 2)], a, NULL);
        if (t[n]) is_sound(t[n++], -1);
        if (rng_one_in(r, 4)) sched_yield();
    }
    for (size_t i = 0; i < n; i++) is_sound(t[i], -1);
    ebb_scope_end(&a);
}

/* Begun and read on one thread, read on and ended on another. */
static void send_or_finish(rng *r)
{
    struct parcel *p = ebb_alloc(ebb_scope_begin(NULL), sizeof *p);
    p->scope = ebb_arena_of(p);
    for (int i = 0; i < 2; i++) p->read[i] = ebb_root_get(&roots[i], p->scope, NULL);
    ebb_arena *a = p->scope;
    must(ebb_scope_detach(&a) == p->scope);
    p = atomic_exchange(&parcels[rng_below(r, 4)], p);
    if (!p) return;
    a = p->scope;
    ebb_scope_attach(a);
    for (int i = 0; i < 2; i++)
        if (p->read[i]) is_sound(p->read[i], -1);
    ebb_scope_end(&a);
}

static void enter(rng *r)
{
    int kind = (int)rng_below(r, KINDS);
    uint64_t hash = ebb_hash_u64((uint64_t)kind, 0);
    ebb_shared *s = ebb_canon_find(table, hash, is_kind, &kind);
    if (!s) {
        s = make(kind);
        must(ebb_canon_put(table, hash, is_kind, &kind, &s));
    }
    is_sound(ebb_shared_get(s), kind);
    ebb_shared *t = ebb_canon_find(table, hash, is_kind, &kind);
    must(t == s); /* we hold it, so there can be no other */
    ebb_shared_drop(&t);
    ebb_shared_drop(&s);
}

static void hold_for_a_scope(rng *r)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    const thing *t[4];
    for (int i = 0; i < 4; i++) {
        ebb_shared *s = make((int)rng_below(r, KINDS));
        must(ebb_shared_hold_for(s, a));
        t[i] = ebb_shared_get(s);
        if (rng_one_in(r, 2)) must(ebb_root_set(&roots[0], &s));
        ebb_shared_drop(&s);
    }
    for (int i = 0; i < 4; i++) is_sound(t[i], -1);
    ebb_scope_end(&a);
}

static void *work(void *arg)
{
    rng r = {(uint64_t)(uintptr_t)arg};
    atomic_fetch_add(&started, 1);
    while (atomic_load(&started) < THREADS) sched_yield();
    for (unsigned long n = scaled(40000); n > 0; n--) {
        switch (rng_below(&r, 10)) {
        case 0: hold_and_drop(&r); break;
        case 1: upgrade(&r); break;
        case 2: replace(&r); break;
        case 3: read_both(&r, &patient); break;
        case 4: send_or_finish(&r); break;
        case 5: enter(&r); break;
        case 6: hold_for_a_scope(&r); break;
        default: read_both(&r, NULL); break;
        }
    }
    return NULL;
}

static void clear(ebb_root *root)
{
    ebb_shared *none = NULL;
    must(ebb_root_set(root, &none));
}

static void finish_parcels(void)
{
    for (int i = 0; i < 4; i++) {
        struct parcel *p = atomic_exchange(&parcels[i], NULL);
        ebb_arena *a = p ? p->scope : NULL;
        if (a) ebb_scope_attach(a);
        ebb_scope_end(&a);
    }
}

Test(share_threads, nobody_sees_what_has_ended)
{
    pthread_t thread[THREADS];
    table = ebb_canon_create();
    ebb_shared *first[KINDS];
    for (int i = 0; i < KINDS; i++) {
        first[i] = make(i);
        weak[i] = ebb_weak_of(first[i]);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, work, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < KINDS; i++) { /* while others upgrade */
        sched_yield();
        ebb_shared_drop(&first[i]);
    }
    for (size_t i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    clear(&roots[0]);
    clear(&roots[1]);
    finish_parcels();
    ebb_canon_destroy(&table);
    for (int i = 0; i < KINDS; i++) ebb_weak_drop(&weak[i]);
    cr_assert_eq(ebb_share_collect(), 0u);
    cr_assert_eq(atomic_load(&wrong), 0u);
    cr_assert_eq(atomic_load(&made), atomic_load(&gone));
    ebb_share_stats s;
    ebb_share_get_stats(&s);
    cr_assert_eq(s.alive + s.bytes + s.weak + s.deferred + s.readers, 0u);
}

/* ---- one object, one counter ----------------------------------------------------------------- */

static void *count(void *arg)
{
    ebb_shared *s = arg;
    atomic_fetch_add(&started, 1);
    while (atomic_load(&started) < THREADS) sched_yield();
    for (unsigned long n = scaled(200000); n > 0; n--) {
        ebb_shared *t = ebb_shared_hold(s);
        ebb_shared_drop(&t);
    }
    ebb_shared_drop(&s);
    return NULL;
}

Test(share_threads, the_last_of_many_to_drop_ends_it)
{
    pthread_t thread[THREADS];
    ebb_shared *s = make(0);
    for (int i = 0; i < THREADS; i++) pthread_create(&thread[i], NULL, count, ebb_shared_hold(s));
    ebb_shared_drop(&s);
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    cr_assert_eq(atomic_load(&gone), 1u);
    cr_assert_eq(atomic_load(&wrong), 0u);
}

/* ---- fork ------------------------------------------------------------------------------------ */

static _Atomic bool forked;

static void *busy(void *arg)
{
    rng r = {(uint64_t)(uintptr_t)arg};
    while (!atomic_load(&forked)) {
        replace(&r);
        enter(&r);
        read_both(&r, NULL);
    }
    return NULL;
}

/* The child's own: what other threads were reading is not its to wait for. */
static void share_in_child(void *arg)
{
    rng r = {7};
    (void)arg;
    for (int i = 0; i < 20; i++) {
        replace(&r);
        enter(&r);
        read_both(&r, &patient);
        hold_and_drop(&r);
    }
    ebb_share_collect();
    if (atomic_load(&wrong)) abort();
}

Test(share_threads, a_forked_child_finds_all_locks_free)
{
    pthread_t thread[3];
    table = ebb_canon_create();
    for (size_t i = 0; i < 3; i++)
        pthread_create(&thread[i], NULL, busy, (void *)(uintptr_t)(i + 1));
    for (unsigned long n = scaled(200); n > 0; n--) {
        death d = in_child(share_in_child, NULL);
        cr_assert(lived(&d));
    }
    atomic_store(&forked, true);
    for (int i = 0; i < 3; i++) pthread_join(thread[i], NULL);
    clear(&roots[0]);
    clear(&roots[1]);
    ebb_canon_destroy(&table);
    ebb_share_collect();
    cr_assert_eq(atomic_load(&wrong), 0u);
    cr_assert_eq(atomic_load(&made), atomic_load(&gone));
}
