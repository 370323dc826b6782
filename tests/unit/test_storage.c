/*
 * tests/unit/test_storage.c: ebb/storage.h: what containers outgrow is handed out again.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <string.h>

enum { KIB = 1 << 10, MIB = 1 << 20 };

static size_t held(const ebb_arena *a)
{
    ebb_arena_stats s;
    ebb_arena_get_stats(a, &s);
    return s.held;
}

static ebb_storage some(ebb_arena *a, size_t size)
{
    ebb_storage s = {NULL, 0};
    cr_assert(ebb_storage_grow(a, &s, 0, size));
    cr_assert(s.ptr && s.size >= size && is_aligned(s.ptr, EBB_ALIGN_DEFAULT));
    memset(s.ptr, 0xa5, s.size);
    return s;
}

/* Something newer, so that the window can't take back what is older. */
static void fence(ebb_arena *a)
{
    memset(ebb_alloc(a, 16), 1, 16);
}

Test(storage, growing_keeps_the_bytes)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_storage s = {NULL, 0};
    size_t used = 0;
    for (size_t size = 1; size < 3 * MIB; size += size / 3 + 7) {
        cr_assert(ebb_storage_grow(a, &s, used, size));
        cr_assert(s.size >= size);
        cr_assert_eq(pattern_check(s.ptr, used, 9), used);
        pattern_fill(s.ptr, used = s.size, 9);
        if (size % 3 == 0) memset(ebb_alloc(a, 24), 1, 24);
        cr_assert_null(ebb_arena_validate(a));
    }
    ebb_arena_destroy(&a);
}

Test(storage, large_enough_is_left_alone)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_storage s = some(a, 100), before = s;
    cr_assert(ebb_storage_grow(a, &s, 100, 50) && ebb_storage_grow(a, &s, 100, 100));
    cr_assert(s.ptr == before.ptr && s.size == before.size);
    ebb_arena_destroy(&a);
}

Test(storage, none_can_be_released)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_storage none = {NULL, 0};
    ebb_storage_release(a, &none);
    cr_assert_null(none.ptr);
    ebb_arena_destroy(&a);
}

Test(storage, what_was_released_is_handed_out_again)
{
    if (!layout_is_plain()) cr_skip_test("strict arenas keep what was released from reuse");
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_storage s = some(a, 2000);
    fence(a);
    void *old = s.ptr;
    ebb_storage_release(a, &s);
    cr_assert(s.ptr == NULL && s.size == 0);
    ebb_storage t = some(a, 1500);
    cr_assert_eq(t.ptr, old);
    cr_assert(t.size >= 2000u, "all of it");
    ebb_arena_destroy(&a);
}

Test(storage, many_that_grow_hold_little_more_than_the_last_of_each)
{
    if (!layout_is_plain()) cr_skip_test("strict arenas keep what was released from reuse");
    enum { N = 16, STEPS = 10 };
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_storage s[N] = {{NULL, 0}};
    size_t last = 0;
    for (int i = 0; i < N; i++)
        for (size_t size = last = 64; size <= (64u << STEPS); size *= 2)
            cr_assert(ebb_storage_grow(a, &s[i], s[i].size, last = size));
    cr_assert(held(a) <= N * last * 3 / 2, "%zu held for %zu", held(a), N * last);
    ebb_arena_destroy(&a);
}

Test(storage, a_block_of_its_own_is_let_go_of)
{
    ebb_arena *a = ebb_arena_create(NULL);
    memset(ebb_alloc(a, 16), 1, 16);
    size_t before = held(a);
    ebb_storage s = some(a, 300 * KIB), t = some(a, 200 * KIB);
    if (!layout_is_plain()) cr_skip_test("strict arenas keep what was released from reuse");
    ebb_storage_release(a, &s); /* not the newest */
    cr_assert(held(a) <= before + 230 * KIB);
    ebb_storage_release(a, &t);
    cr_assert_eq(held(a), before);
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

/* Far above what is copied: the pages themselves are moved, but for the last one. */
static void grow_beyond(ebb_arena *a, ebb_storage *s)
{
    enum { STEP = 4096 };
    const size_t used = ((size_t)64 << 20) + 100, more = (size_t)128 << 20;
    cr_assert(ebb_storage_grow(a, s, 0, used));
    memset(s->ptr, 0, used);
    for (size_t i = 0; i < used; i += STEP) memcpy((char *)s->ptr + i, &i, sizeof i);
    memset((char *)s->ptr + used - 100, 0x5a, 100);
    cr_assert(ebb_storage_grow(a, s, used, more));
    for (size_t i = 0; i + STEP < used; i += STEP)
        cr_assert_eq(memcmp((char *)s->ptr + i, &i, sizeof i), 0);
    for (size_t i = used - 100; i < used; i++) cr_assert_eq(((char *)s->ptr)[i], 0x5a);
    memset((char *)s->ptr + used, 1, more - used);
}

Test(storage, the_largest_are_moved_by_page)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (int i = 0; i < 2; i++) {
        ebb_storage s = {NULL, 0};
        grow_beyond(a, &s);
        cr_assert_null(ebb_arena_validate(a));
        ebb_storage_release(a, &s);
    }
    ebb_arena_destroy(&a);
    ebb_trim();
}

Test(storage, but_not_where_a_mark_refers_to_it)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_storage s = some(a, 300 * KIB);
    ebb_mark m = ebb_arena_mark(a);
    ebb_storage t = some(a, 200 * KIB);
    ebb_storage_release(a, &s);
    memset(ebb_alloc(a, 400 * KIB), 1, 400 * KIB);
    cr_assert_null(ebb_arena_validate(a));
    (void)t;
    reports r;
    reports_start(&r);
    ebb_arena_rewind(a, m);
    cr_assert_eq(reports_total(&r), 0u, "the mark is still valid: %s", r.all);
    reports_stop();
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

Test(storage, nor_where_it_is_the_newest_record_of_a_mark)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_storage s = some(a, 300 * KIB);
    ebb_mark m = ebb_arena_mark(a);
    ebb_storage_release(a, &s);
    reports r;
    reports_start(&r);
    ebb_arena_rewind(a, m);
    cr_assert_eq(reports_total(&r), 0u, "the mark is still valid: %s", r.all);
    reports_stop();
    ebb_arena_destroy(&a);
}

Test(storage, a_rewind_forgets_what_was_released)
{
    ebb_arena *a = ebb_arena_create(NULL);
    memset(ebb_alloc(a, 100), 1, 100);
    ebb_mark m = ebb_arena_mark(a);
    ebb_storage s = some(a, 1100);
    fence(a);
    ebb_storage_release(a, &s);
    ebb_arena_rewind(a, m);
    char *live = ebb_alloc(a, 1500);
    pattern_fill(live, 1500, 3);
    some(a, 1000);
    cr_assert_eq(pattern_check(live, 1500, 3), 1500u);
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

Test(storage, so_does_a_reset)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (int round = 0; round < 3; round++) {
        ebb_storage s = some(a, 1100);
        fence(a);
        ebb_storage_release(a, &s);
        ebb_arena_reset(a);
        char *live = ebb_alloc(a, 1500);
        pattern_fill(live, 1500, 3);
        some(a, 1000);
        cr_assert_eq(pattern_check(live, 1500, 3), 1500u);
        ebb_arena_reset(a);
    }
    ebb_arena_destroy(&a);
}

Test(storage, a_failed_growth_changes_nothing)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_storage s = some(a, 500), before = s;
    cr_assert(ebb_arena_set_limit(a, 0, 64 * KIB, 0));
    cr_assert(!ebb_storage_grow(a, &s, 500, MIB));
    cr_assert(s.ptr == before.ptr && s.size == before.size);
    cr_assert_eq(bytes_check(s.ptr, 0xa5, s.size), s.size);
    cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
    cr_assert(!ebb_storage_grow(a, &s, 500, SIZE_MAX));
    ebb_arena_destroy(&a);
}

Test(storage, a_failed_arena_takes_back_and_hands_out_nothing)
{
    ebb_scope_end(&(ebb_arena *){ebb_scope_begin(NULL)});
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_storage s = some(a, 2000);
    fence(a);
    cr_assert_null(ebb_alloc(a, SIZE_MAX / 2));
    ebb_storage_release(a, &s);
    cr_assert(!ebb_storage_grow(a, &s, 0, 64));
    ebb_scope_end(&a);
}

Test(storage, every_allocation_is_seen_by_a_watcher)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_storage s = some(a, 2000);
    fence(a);
    ebb_storage_release(a, &s);
    ebb_fault_params each = {.nth = 1};
    ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a}, &each, NULL);
    cr_assert(f != NULL);
    cr_assert(!ebb_storage_grow(a, &s, 0, 1000));
    ebb_fault_end(&f);
    ebb_arena_destroy(&a);
}

Test(storage, what_has_settled_lets_another_have_the_floor)
{
    if (!layout_is_plain()) cr_skip_test("nothing grows in place in strict arenas");
    ebb_arena_params params = {.size = 64 * KIB};
    ebb_arena *a = ebb_arena_create(&params);
    memset(ebb_alloc(a, 2000), 1, 2000); /* out of the head */
    ebb_storage s = {ebb_resize(a, NULL, 0, 1000), 1000}, t = {NULL, 0};
    cr_assert(ebb_storage_grow(a, &s, 1000, 1500));
    pattern_fill(s.ptr, 1500, 5);
    ebb_storage_settle(a, &s, 600);
    cr_assert_eq(s.size, 600u);
    t.ptr = ebb_resize(a, NULL, 0, t.size = 100);
    cr_assert((char *)t.ptr >= (char *)s.ptr + 600 && (char *)t.ptr < (char *)s.ptr + 640);
    void *at = t.ptr;
    cr_assert(ebb_storage_grow(a, &t, 100, 5000) && t.ptr == at, "in place");
    memset(t.ptr, 1, t.size);
    cr_assert_eq(pattern_check(s.ptr, 600, 5), 600u);
    ebb_storage none = {NULL, 0};
    ebb_storage_settle(a, &none, 0);
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

static void use_stale(void *unused)
{
    (void)unused;
    ebb_checks_set(EBB_CHECKS_STRICT);
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_mark m = ebb_arena_mark(a);
    ebb_storage s = some(a, 100);
    ebb_arena_rewind(a, m);
    bool grown = ebb_storage_grow(a, &s, 100, 200);
    (void)grown;
}

Test(storage, use_after_a_rewind_is_reported_where_checks_are_strict)
{
    if (TESTS_ASAN || under_valgrind()) cr_skip_test("the tool reports the read itself");
    death d = in_child(use_stale, NULL);
    cr_assert(died_saying(&d, "ebb_storage_grow", "after a rewind"), "%s", d.err);
}

/* ---- against plain memory ---------------------------------------------------------------------- */

enum { SLOTS = 24 };

typedef struct model {
    ebb_arena *a;
    struct {
        ebb_storage s;
        size_t used;
        uint64_t seed;
    } slot[SLOTS];
    rng r;
} model;

static void check(model *m, size_t i)
{
    cr_assert_eq(pattern_check(m->slot[i].s.ptr, m->slot[i].used, m->slot[i].seed),
                 m->slot[i].used);
}

static void grow_one(model *m, size_t i)
{
    size_t size = m->slot[i].s.size + 1 + rng_below(&m->r, rng_one_in(&m->r, 50) ? 200 * KIB : 600);
    check(m, i);
    if (!ebb_storage_grow(m->a, &m->slot[i].s, m->slot[i].used, size)) return;
    cr_assert(m->slot[i].s.size >= size);
    check(m, i);
    m->slot[i].used = m->slot[i].s.size - rng_below(&m->r, size < 8 ? size : 8);
    m->slot[i].seed = rng_next(&m->r);
    pattern_fill(m->slot[i].s.ptr, m->slot[i].used, m->slot[i].seed);
}

static void forget_all(model *m)
{
    memset(m->slot, 0, sizeof m->slot);
}

static void step(model *m)
{
    size_t i = rng_below(&m->r, SLOTS);
    switch (rng_below(&m->r, 12)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: grow_one(m, i); break;
    case 5:
    case 6:
        check(m, i);
        ebb_storage_release(m->a, &m->slot[i].s);
        m->slot[i].used = 0;
        break;
    case 7: memset(ebb_alloc(m->a, 1 + i * 9), 0xee, 1 + i * 9); break;
    case 8: check(m, i); break;
    case 9:
        if (rng_one_in(&m->r, 40)) {
            ebb_arena_reset(m->a);
            forget_all(m);
        }
        break;
    default: break;
    }
}

/* What was made before a mark is not touched under it, but for being read. */
static void steps_under_a_mark(model *m)
{
    model older = *m;
    ebb_mark mark = ebb_arena_mark(m->a);
    forget_all(m);
    for (int i = 0; i < 30; i++) {
        size_t at = rng_below(&m->r, SLOTS);
        if (rng_one_in(&m->r, 3)) {
            ebb_storage_release(m->a, &m->slot[at].s);
            m->slot[at].used = 0;
        } else {
            grow_one(m, at);
        }
    }
    ebb_arena_rewind(m->a, mark);
    memcpy(m->slot, older.slot, sizeof m->slot);
}

static void run_model(uint64_t seed, unsigned long steps)
{
    model m = {.a = ebb_arena_create(NULL), .r = {seed}};
    for (unsigned long n = 0; n < steps; n++) {
        step(&m);
        if (n % 256 == 0) steps_under_a_mark(&m);
        if (n % 1024 == 0) {
            const char *broken = ebb_arena_validate(m.a);
            cr_assert(!broken, "seed %d, step %d: %s", (int)seed, (int)n, broken);
            for (size_t i = 0; i < SLOTS; i++) check(&m, i);
        }
    }
    ebb_arena_destroy(&m.a);
}

Test(storage, model)
{
    for (uint64_t seed = 1; seed <= 4; seed++) run_model(seed, scaled(100000));
}

Test(storage, model_with_strict_checks)
{
    ebb_checks_set(EBB_CHECKS_STRICT);
    for (uint64_t seed = 1; seed <= 2; seed++) run_model(seed, scaled(20000));
}
