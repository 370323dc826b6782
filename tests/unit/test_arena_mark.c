/*
 * tests/unit/test_arena_mark.c: ebb/arena.h: mark and rewind, EBB_TEMP, cleanups, adopt, what is seen.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <string.h>

enum { KIB = 1 << 10, MIB = 1 << 20 };

static ebb_arena_stats stats_of(const ebb_arena *a)
{
    ebb_arena_stats s;
    ebb_arena_get_stats(a, &s);
    return s;
}

static char order[256];

static void note(void *letter)
{
    strncat(order, letter, sizeof order - strlen(order) - 1);
}

/* Byte counts mean something only where there are no red zones. */
static void expect_used(const ebb_arena *a, size_t used)
{
    static int plain = -1;
    if (plain < 0) plain = layout_is_plain();
    if (plain) cr_assert_eq(stats_of(a).used, used, "%zu, not %zu", stats_of(a).used, used);
}

/* ---- mark and rewind --------------------------------------------------------------------------- */

Test(arena_mark, from_an_empty_arena)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_mark m = ebb_arena_mark(a);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 500; i++) memset(ebb_alloc(a, 100), 1, 100);
        memset(ebb_alloc(a, 3 * MIB), 1, 3 * MIB);
        ebb_arena_rewind(a, m);
        expect_used(a, 0);
        cr_assert_eq(stats_of(a).chunks, 1u);
        cr_assert_eq(stats_of(a).large, 0u);
        cr_assert_null(ebb_arena_validate(a));
    }
    ebb_arena_destroy(&a);
}

Test(arena_mark, older_objects_stay_and_newer_ones_go)
{
    enum { N = 200 };
    ebb_arena *a = ebb_arena_create(NULL);
    char *p[N];
    for (size_t i = 0; i < N; i++) pattern_fill(p[i] = ebb_alloc(a, i * 7), i * 7, i);
    for (int round = 0; round < 5; round++) {
        size_t used = stats_of(a).used;
        ebb_mark m = ebb_arena_mark(a);
        for (size_t i = 0; i < 100 * (size_t)round; i++) memset(ebb_alloc(a, i * 3), 0xee, i * 3);
        memset(ebb_alloc(a, 90 * KIB), 0xee, 90 * KIB);
        ebb_arena_rewind(a, m);
        expect_used(a, used);
        for (size_t i = 0; i < N; i++) cr_assert_eq(pattern_check(p[i], i * 7, i), i * 7);
        cr_assert_null(ebb_arena_validate(a));
    }
    ebb_arena_destroy(&a);
}

Test(arena_mark, marks_nest_to_any_depth)
{
    enum { DEPTH = 60 };
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_mark m[DEPTH];
    size_t used[DEPTH];
    char *p[DEPTH];
    for (size_t i = 0; i < DEPTH; i++) {
        used[i] = stats_of(a).used;
        m[i] = ebb_arena_mark(a);
        pattern_fill(p[i] = ebb_alloc(a, 90 * i), 90 * i, i);
        if (i % 20 == 7) memset(ebb_alloc(a, 200 * KIB), 0xee, 200 * KIB);
    }
    for (size_t i = DEPTH; i-- > 0;) {
        ebb_arena_rewind(a, m[i]);
        expect_used(a, used[i]);
        cr_assert_null(ebb_arena_validate(a));
        for (size_t k = 0; k < i; k++) cr_assert_eq(pattern_check(p[k], 90 * k, k), 90 * k);
        memset(ebb_alloc(a, 500), 0xdd, 500);
    }
    ebb_arena_destroy(&a);
}

Test(arena_mark, rewinding_to_an_older_mark_skips_those_between)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = ebb_strdup(a, "kept");
    size_t used = stats_of(a).used;
    ebb_mark outer = ebb_arena_mark(a);
    for (int i = 0; i < 20; i++) {
        ebb_alloc(a, 2000);
        ebb_mark inner = ebb_arena_mark(a);
        (void)inner;
    }
    ebb_arena_rewind(a, outer);
    expect_used(a, used);
    cr_assert_str_eq(p, "kept");
    ebb_arena_destroy(&a);
}

Test(arena_mark, the_same_mark_may_be_used_again)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_alloc(a, 100);
    size_t used = stats_of(a).used;
    ebb_mark m = ebb_arena_mark(a);
    for (int i = 0; i < 50; i++) {
        for (int k = 0; k < i; k++) ebb_alloc(a, 1000);
        ebb_arena_rewind(a, m);
        ebb_arena_rewind(a, m);
        expect_used(a, used);
        cr_assert_null(ebb_arena_validate(a));
    }
    ebb_arena_destroy(&a);
}

Test(arena_mark, a_mark_freezes_the_growing_object)
{
    if (!layout_is_plain()) cr_skip_test("every growth copies under this tool");
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = memset(ebb_resize(a, NULL, 0, 40), 'p', 40);
    size_t used = stats_of(a).used;
    ebb_mark m = ebb_arena_mark(a);
    char *copy = ebb_resize(a, p, 40, 60);
    cr_assert_neq(copy, p);
    cr_assert_eq(bytes_check(copy, 'p', 40), 40u);
    memset(copy, 'c', 60);
    ebb_arena_rewind(a, m);
    expect_used(a, used);
    cr_assert_eq(bytes_check(p, 'p', 40), 40u, "what was there at the mark is there again");
    cr_assert_eq(ebb_resize(a, p, 40, 80), (void *)p, "and it has thawed");
    ebb_arena_destroy(&a);
}

Test(arena_mark, shrinking_a_frozen_object_gives_nothing_back)
{
    if (!layout_is_plain()) cr_skip_test("every growth copies under this tool");
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = memset(ebb_resize(a, NULL, 0, 100), 'p', 100);
    size_t used = stats_of(a).used;
    ebb_mark m = ebb_arena_mark(a);
    cr_assert_eq(ebb_resize(a, p, 100, 10), (void *)p);
    expect_used(a, used);
    memset(ebb_resize(a, NULL, 0, 50), 'q', 50);
    ebb_arena_rewind(a, m);
    expect_used(a, used);
    cr_assert_eq(bytes_check(p, 'p', 10), 10u);
    ebb_arena_destroy(&a);
}

/* The object thaws at the first rewind, grows and even moves; the mark must still hold. */
Test(arena_mark, a_thawed_object_may_move_and_its_mark_be_used_again)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *before = ebb_strdup(a, "before");
    char *p = memset(ebb_resize(a, NULL, 0, 40), 'p', 40);
    size_t used = stats_of(a).used;
    ebb_mark m = ebb_arena_mark(a);
    for (size_t to = 100; to < 64 * KIB; to *= 3) {
        ebb_arena_rewind(a, m);
        expect_used(a, used);
        cr_assert_null(ebb_arena_validate(a));
        char *q = ebb_resize(a, p, 40, to);
        cr_assert_eq(bytes_check(q, 'p', 40), 40u);
        memset(q + 40, 'x', to - 40);
        for (int i = 0; i < 10; i++) memset(ebb_alloc(a, 300), 0xee, 300);
        if (q != p || !layout_is_plain()) break; /* moved: what lies at p is not ours any more */
    }
    ebb_arena_rewind(a, m);
    expect_used(a, used);
    cr_assert_null(ebb_arena_validate(a));
    cr_assert_str_eq(before, "before");
    ebb_arena_destroy(&a);
}

Test(arena_mark, rewind_over_an_open_object_that_moved_to_a_new_chunk)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *text = ebb_strdup(a, "text");
    for (int round = 0; round < 4; round++) {
        size_t used = stats_of(a).used;
        ebb_mark m = ebb_arena_mark(a);
        char *p = NULL;
        for (size_t n = 0; n < 100 * KIB; n += 500) {
            p = ebb_resize(a, p, n, n + 500);
            memset(p + n, round, 500);
            if (n % 3000 == 0) ebb_alloc(a, 100);
        }
        cr_assert_eq(bytes_check(p, (unsigned char)round, 100 * KIB), (size_t)100 * KIB);
        ebb_arena_rewind(a, m);
        expect_used(a, used);
        cr_assert_null(ebb_arena_validate(a));
        cr_assert_str_eq(text, "text");
        char *open = ebb_resize(a, NULL, 0, 30); /* the next round begins over an open one */
        memset(open, 1, 30);
    }
    ebb_arena_destroy(&a);
}

Test(arena_mark, a_failure_stays)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_mark m = ebb_arena_mark(a);
    cr_assert_null(ebb_alloc(a, SIZE_MAX / 2));
    ebb_arena_rewind(a, m);
    cr_assert_eq(ebb_failed(a), EBB_E_MEMORY);
    cr_assert_null(ebb_alloc(a, 1));
    ebb_scope_end(&a);
}

Test(arena_mark, children_begun_since_are_ended_and_reported)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_arena *older = ebb_scope_begin_in(a, NULL);
    ebb_defer(older, note, "o");
    ebb_mark m = ebb_arena_mark(a);
    ebb_arena *first = ebb_scope_begin_in(a, NULL), *second = ebb_scope_begin_in(a, NULL);
    ebb_defer(first, note, "1");
    ebb_defer(second, note, "2");
    ebb_arena_rewind(a, m);
    cr_assert_str_eq(order, "21");
    cr_assert_eq(r.mended, 2u);
    cr_assert_eq(r.misuse, 0u);
    cr_assert_not_null(strstr(r.all, "ebb_arena_rewind"), "%s", r.all);
    cr_assert_eq(stats_of(a).children, 1u);
    cr_assert_not_null(ebb_alloc(older, 100), "those from before go on");
    ebb_scope_end(&older);
    ebb_scope_end(&a);
    cr_assert_eq(reports_total(&r), 2u);
    reports_stop();
}

Test(arena_mark, a_child_that_ended_by_itself_is_no_trouble)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_mark m = ebb_arena_mark(a);
    ebb_arena *child = ebb_scope_begin_in(a, NULL);
    ebb_scope_end(&child);
    ebb_arena_rewind(a, m);
    child = ebb_scope_begin_in(a, NULL);
    ebb_scope_end(&child);
    ebb_scope_end(&a);
}

Test(arena_mark, a_mark_that_is_no_longer_valid_is_reported)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_mark outer = ebb_arena_mark(a);
    ebb_defer(a, note, "x");
    ebb_mark inner = ebb_arena_mark(a);
    ebb_arena_rewind(a, outer);
    char *p = ebb_strdup(a, "after");
    ebb_arena_rewind(a, inner);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_arena_rewind", "no longer valid"));
    cr_assert_str_eq(p, "after", "and nothing was done");
    ebb_arena_destroy(&a);
    reports_stop();
}

Test(arena_mark, a_mark_of_another_arena_is_reported)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_arena_create(NULL), *b = ebb_arena_create(NULL);
    ebb_defer(b, note, "x");
    ebb_mark m = ebb_arena_mark(b);
    ebb_arena_rewind(a, m);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_arena_rewind", NULL));
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&b);
    reports_stop();
}

/* ---- EBB_TEMP ---------------------------------------------------------------------------------- */

static int leave_by_return(ebb_arena *a, int n)
{
    EBB_TEMP(a);
    memset(ebb_alloc(a, 3000), 1, 3000);
    if (n > 3) return n;
    return leave_by_return(a, n + 1);
}

Test(arena_mark, temp_forgets_at_the_closing_brace_however_reached)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = ebb_strdup(a, "kept");
    size_t used = stats_of(a).used;
    for (int i = 0; i < 6; i++) {
        EBB_TEMP(a);
        memset(ebb_alloc(a, 5000), 1, 5000);
        if (i == 1) continue;
        if (i == 4) break;
    }
    expect_used(a, used);
    cr_assert_eq(leave_by_return(a, 0), 4);
    expect_used(a, used);
    {
        EBB_TEMP(a);
        EBB_TEMP(a); /* two in one block */
        ebb_alloc(a, 700);
        goto out;
    }
out:
    expect_used(a, used);
    cr_assert_str_eq(p, "kept");
    ebb_arena_destroy(&a);
}

#define TWICE_TEMP(a)                                                                              \
    EBB_TEMP(a);                                                                                   \
    EBB_TEMP(a)

Test(arena_mark, temp_may_be_used_twice_by_one_macro)
{
    ebb_arena *a = ebb_arena_create(NULL);
    {
        TWICE_TEMP(a);
        ebb_alloc(a, 10);
    }
    expect_used(a, 0);
    ebb_arena_destroy(&a);
}

/* ---- cleanups ---------------------------------------------------------------------------------- */

Test(arena_mark, cleanups_run_newest_first_and_once)
{
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert(ebb_defer(a, note, "a"));
    ebb_alloc(a, 10 * KIB);
    cr_assert(ebb_defer(a, note, "b"));
    ebb_mark m = ebb_arena_mark(a);
    cr_assert(ebb_defer(a, note, "c"));
    ebb_alloc(a, 10 * KIB);
    cr_assert(ebb_defer(a, note, "d"));
    cr_assert_eq(stats_of(a).cleanups, 4u);
    ebb_arena_rewind(a, m);
    cr_assert_str_eq(order, "dc");
    ebb_arena_rewind(a, m);
    cr_assert_str_eq(order, "dc");
    cr_assert_eq(stats_of(a).cleanups, 2u);
    ebb_arena_reset(a);
    cr_assert_str_eq(order, "dcba");
    ebb_arena_destroy(&a);
    cr_assert_str_eq(order, "dcba");
}

static ebb_arena *busy;

static void defer_more(void *letter)
{
    note(letter);
    ebb_defer(busy, note, "x");
    ebb_defer(busy, note, "y");
    memset(ebb_alloc(busy, 10 * KIB), 1, 10 * KIB);
}

Test(arena_mark, what_a_cleanup_defers_runs_next)
{
    busy = ebb_arena_create(NULL);
    ebb_defer(busy, note, "a");
    ebb_mark m = ebb_arena_mark(busy);
    ebb_defer(busy, note, "b");
    ebb_defer(busy, defer_more, "c");
    ebb_arena_rewind(busy, m);
    cr_assert_str_eq(order, "cyxb");
    cr_assert_null(ebb_arena_validate(busy));
    ebb_defer(busy, defer_more, "d");
    ebb_arena *a = busy;
    ebb_arena_destroy(&a);
    cr_assert_str_eq(order, "cyxbdyxa");
}

typedef struct watched {
    char *object;
    size_t size;
    uint64_t seed;
    bool intact;
} watched;

static void look_at(void *arg)
{
    watched *w = arg;
    w->intact = pattern_check(w->object, w->size, w->seed) == w->size;
}

Test(arena_mark, a_cleanup_runs_before_any_older_memory_is_let_go)
{
    enum { N = 40 };
    static watched w[N];
    ebb_arena *a = ebb_arena_create(NULL);
    for (size_t i = 0; i < N; i++) {
        w[i].size = i % 10 == 9 ? 200 * KIB : 400;
        w[i].object = ebb_alloc(a, w[i].size);
        w[i].seed = i;
        pattern_fill(w[i].object, w[i].size, i);
        ebb_defer(a, look_at, &w[i]);
    }
    ebb_arena_destroy(&a);
    for (size_t i = 0; i < N; i++) cr_assert(w[i].intact, "object %zu", i);
}

Test(arena_mark, a_cleanup_that_cannot_be_registered_runs_at_once)
{
    static _Alignas(64) char buffer[1024];
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.buffer = buffer;
    params.buffer_size = sizeof buffer;
    params.buffer_only = true;
    ebb_arena *a = ebb_arena_create(&params);
    while (ebb_alloc_aligned(a, 1, 1)) {
    }
    cr_assert(!ebb_defer(a, note, "x"));
    cr_assert_str_eq(order, "x");
    ebb_arena_destroy(&a);
    cr_assert_str_eq(order, "x", "and not again");
}

Test(arena_mark, a_cleanup_registers_after_a_failure_from_the_reserve)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert(ebb_arena_set_limit(a, 0, stats_of(a).held, 0));
    while (ebb_alloc(a, 8)) {
    }
    cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
    for (int i = 0; i < 20; i++) cr_assert(ebb_defer(a, note, "x"));
    cr_assert_str_eq(order, "");
    cr_assert_eq(ebb_failed(a), EBB_E_LIMIT, "still");
    cr_assert_null(ebb_alloc(a, 8), "still");
    ebb_scope_end(&a);
    cr_assert_eq(strlen(order), 20u);
}

Test(arena_mark, a_cleanup_costs_32_bytes)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_defer(a, note, "a");
    size_t used = stats_of(a).used;
    ebb_defer(a, note, "b");
    expect_used(a, used + 32);
    ebb_arena_destroy(&a);
}

Test(arena_mark, a_cancelled_cleanup_does_not_run)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char x[] = "x", y[] = "y", z[] = "z";
    ebb_defer(a, note, x);
    ebb_defer(a, note, y);
    ebb_defer(a, note, z);
    cr_assert(ebb_defer_cancel(a, note, y));
    cr_assert_eq(stats_of(a).cleanups, 2u);
    cr_assert(!ebb_defer_cancel(a, note, y), "it is gone");
    cr_assert(!ebb_defer_cancel(a, look_at, x), "another function");
    cr_assert_str_eq(order, "");
    ebb_arena_destroy(&a);
    cr_assert_str_eq(order, "zx");
}

Test(arena_mark, cancel_forgets_the_newest_of_equals)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char x[] = "x";
    ebb_defer(a, note, x);
    ebb_defer(a, note, "-");
    ebb_defer(a, note, x);
    cr_assert(ebb_defer_cancel(a, note, x));
    ebb_arena_destroy(&a);
    cr_assert_str_eq(order, "-x");
}

Test(arena_mark, cancel_across_chunks_and_marks)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char x[] = "x";
    ebb_defer(a, note, x);
    ebb_mark m = ebb_arena_mark(a);
    ebb_alloc(a, 100 * KIB);
    ebb_defer(a, note, "y");
    cr_assert(ebb_defer_cancel(a, note, x));
    ebb_arena_rewind(a, m);
    ebb_arena_destroy(&a);
    cr_assert_str_eq(order, "y");
}

/* ---- adopt ------------------------------------------------------------------------------------- */

Test(arena_mark, adopt_takes_objects_and_nulls_the_handle)
{
    ebb_arena *into = ebb_arena_create(NULL), *child = ebb_arena_create(NULL);
    enum { N = 100 };
    char *p[N];
    for (size_t i = 0; i < N; i++) {
        size_t n = i % 25 == 24 ? 300 * KIB : i * 5;
        pattern_fill(p[i] = ebb_alloc(child, n), n, i);
    }
    char *open = memset(ebb_resize(child, NULL, 0, 60), 'o', 60);
    size_t used = stats_of(into).used + stats_of(child).used;
    size_t held = stats_of(into).held + stats_of(child).held;
    ebb_arena_adopt(into, &child);
    cr_assert_null(child);
    expect_used(into, used);
    cr_assert_eq(stats_of(into).held, held);
    for (int i = 0; i < 300; i++) memset(ebb_alloc(into, 100), 0xee, 100);
    for (size_t i = 0; i < N; i++) {
        size_t n = i % 25 == 24 ? 300 * KIB : i * 5;
        cr_assert_eq(pattern_check(p[i], n, i), n);
        cr_assert_eq(ebb_arena_of(p[i]), into);
    }
    cr_assert_eq(bytes_check(open, 'o', 60), 60u);
    cr_assert_null(ebb_arena_validate(into));
    ebb_arena_adopt(into, &child); /* a null handle */
    ebb_arena_destroy(&into);
    cr_assert_null(ebb_arena_of(p[0]));
}

Test(arena_mark, the_adopted_open_object_is_frozen)
{
    if (!layout_is_plain()) cr_skip_test("every growth copies under this tool");
    ebb_arena *into = ebb_arena_create(NULL), *child = ebb_arena_create(NULL);
    char *open = memset(ebb_resize(child, NULL, 0, 60), 'o', 60);
    ebb_arena_adopt(into, &child);
    char *grown = ebb_resize(into, open, 60, 90);
    cr_assert_neq(grown, open);
    cr_assert_eq(bytes_check(grown, 'o', 60), 60u);
    ebb_arena_destroy(&into);
}

Test(arena_mark, adopted_cleanups_wait_as_if_made_just_now)
{
    ebb_arena *into = ebb_arena_create(NULL), *child = ebb_scope_begin_in(into, NULL);
    ebb_defer(child, note, "1");
    ebb_defer(into, note, "a");
    ebb_defer(child, note, "2");
    ebb_arena_adopt(into, &child);
    ebb_defer(into, note, "b");
    cr_assert_eq(stats_of(into).cleanups, 4u);
    cr_assert_eq(stats_of(into).children, 0u);
    ebb_arena_destroy(&into);
    cr_assert_str_eq(order, "b21a");
}

Test(arena_mark, a_rewind_undoes_the_adoptions_since)
{
    ebb_arena *into = ebb_arena_create(NULL), *older = ebb_arena_create(NULL);
    char *kept = ebb_strdup(older, "kept");
    ebb_defer(older, note, "o");
    ebb_arena_adopt(into, &older);
    size_t used = stats_of(into).used;
    ebb_mark m = ebb_arena_mark(into);
    for (int i = 0; i < 3; i++) {
        ebb_arena *child = ebb_arena_create(NULL);
        ebb_defer(child, note, i == 0 ? "0" : i == 1 ? "1" : "2");
        memset(ebb_alloc(child, 50 * KIB), 1, 50 * KIB);
        ebb_arena_adopt(into, &child);
        ebb_alloc(into, 700);
    }
    ebb_arena_rewind(into, m);
    cr_assert_str_eq(order, "210");
    expect_used(into, used);
    cr_assert_str_eq(kept, "kept");
    cr_assert_null(ebb_arena_validate(into));
    ebb_arena_destroy(&into);
    cr_assert_str_eq(order, "210o");
}

Test(arena_mark, adopted_arenas_may_have_adopted)
{
    ebb_arena *a = ebb_arena_create(NULL), *b = ebb_arena_create(NULL), *c = ebb_arena_create(NULL);
    char *deep = ebb_strdup(c, "deep");
    ebb_defer(c, note, "c");
    ebb_defer(b, note, "b");
    ebb_arena_adopt(b, &c);
    ebb_arena_adopt(a, &b);
    cr_assert_eq(ebb_arena_of(deep), a);
    cr_assert_eq(ebb_promote(a, deep, 5), (void *)deep);
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_reset(a);
    cr_assert_str_eq(order, "cb");
    ebb_arena_destroy(&a);
}

Test(arena_mark, the_adopteds_children_move_too)
{
    reports r;
    reports_start(&r);
    ebb_arena *into = ebb_scope_begin(NULL), *child = ebb_scope_begin(NULL);
    ebb_arena *grandchild = ebb_scope_begin_in(child, NULL);
    char *p = ebb_strdup(grandchild, "grand");
    ebb_defer(grandchild, note, "g");
    ebb_arena_adopt(into, &child);
    cr_assert_not_null(ebb_alloc(grandchild, 5000));
    cr_assert_str_eq(p, "grand");
    cr_assert_eq(ebb_arena_of(p), grandchild);
    cr_assert_eq(ebb_arena_parent(grandchild), into);
    cr_assert_null(ebb_arena_validate(into));
    cr_assert_null(ebb_arena_validate(grandchild));
    ebb_scope_end(&into);
    cr_assert_str_eq(order, "g");
    cr_assert_eq(r.mended, 1u);
    cr_assert_eq(r.misuse, 0u);
    reports_stop();
}

Test(arena_mark, an_adopteds_child_may_still_end_by_itself)
{
    reports r;
    reports_start(&r);
    ebb_arena *into = ebb_scope_begin(NULL), *child = ebb_scope_begin(NULL);
    ebb_arena *grandchild = ebb_scope_begin_in(child, NULL);
    ebb_arena_adopt(into, &child);
    ebb_scope_end(&grandchild);
    ebb_scope_end(&into);
    cr_assert_eq(reports_total(&r), 0u, "%s", r.all);
    reports_stop();
}

Test(arena_mark, a_failure_of_the_adopted_sticks_to_the_adopter)
{
    ebb_arena *into = ebb_scope_begin(NULL), *child = ebb_scope_begin(NULL);
    cr_assert_null(ebb_alloc(child, SIZE_MAX / 2));
    ebb_arena_adopt(into, &child);
    cr_assert_eq(ebb_failed(into), EBB_E_MEMORY);
    cr_assert_null(ebb_alloc(into, 1));
    ebb_scope_end(&into);
}

Test(arena_mark, adoption_over_the_limit_lets_the_next_allocation_fail)
{
    ebb_arena *into = ebb_scope_begin(NULL), *child = ebb_scope_begin(NULL);
    memset(ebb_alloc(child, 100 * KIB), 1, 100 * KIB);
    cr_assert(ebb_arena_set_limit(into, 0, 32 * KIB, 0));
    ebb_arena_adopt(into, &child);
    cr_assert_eq(ebb_failed(into), EBB_OK, "not this");
    cr_assert_eq(stats_of(into).charged, stats_of(into).held);
    cr_assert_null(ebb_alloc(into, 4 * KIB), "but what needs a chunk");
    cr_assert_eq(ebb_failed(into), EBB_E_LIMIT);
    ebb_scope_end(&into);
}

static ebb_arena *made(void)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_arena_set_label(a, "the child");
    return a;
}

static int adopt_in_its_try(ebb_arena *a, void *into)
{
    ebb_arena *same = a;
    ebb_arena_adopt(into, &same);
    return 7;
}

Test(arena_mark, an_adoption_that_cannot_be_is_reported_and_not_done)
{
    reports r;
    ebb_arena *into = ebb_arena_create(NULL), *a = made(), *handle = a;
    ebb_arena *below = ebb_scope_begin_in(a, NULL);
    reports_start(&r);
    ebb_arena_adopt(a, &handle);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_arena_adopt(\"the child\")", "child itself"));
    reports_start(&r);
    handle = a;
    ebb_arena_adopt(below, &handle);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_arena_adopt", "below it"));
    ebb_scope_end(&below);
    reports_start(&r);
    handle = a;
    {
        EBB_ENTER(a);
        ebb_arena_adopt(into, &handle);
    }
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_arena_adopt", "current"));
    reports_start(&r);
    cr_assert_eq(ebb_try(a, adopt_in_its_try, into), 7);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_arena_adopt", "ebb_try"));
    cr_assert_not_null(ebb_strdup(a, "still its own"));
    cr_assert_null(ebb_arena_validate(a));
    cr_assert_null(ebb_arena_validate(into));
    ebb_arena_destroy(&into);
    ebb_arena_destroy(&a);
    reports_stop();
}

Test(arena_mark, one_over_a_buffer_cannot_be_adopted)
{
    static _Alignas(64) char buffer[2048];
    reports r;
    reports_start(&r);
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.buffer = buffer;
    params.buffer_size = sizeof buffer;
    ebb_arena *into = ebb_arena_create(NULL), *a = ebb_arena_create(&params), *handle = a;
    ebb_arena_adopt(into, &handle);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_arena_adopt", "buffer"));
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&into);
    reports_stop();
}

Test(arena_mark, one_with_a_source_of_its_own_gives_its_memory_back_there)
{
    static test_source s;
    test_source_init(&s);
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.source = &s.source;
    ebb_arena *into = ebb_arena_create(NULL), *child = ebb_arena_create(&params);
    char *p = ebb_strdup(child, "there");
    ebb_arena_adopt(into, &child);
    cr_assert_str_eq(p, "there");
    cr_assert(test_source_has(&s, p, 6));
    ebb_arena_destroy(&into);
    cr_assert_eq(s.live, 0u);
    cr_assert_eq(s.wrong_frees, 0u);
}

/* ---- what is seen ------------------------------------------------------------------------------ */

Test(arena_mark, parents)
{
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin_in(a, NULL);
    ebb_arena *c = ebb_scope_begin_in(b, NULL);
    cr_assert_null(ebb_arena_parent(a));
    cr_assert_eq(ebb_arena_parent(b), a);
    cr_assert_eq(ebb_arena_parent(c), b);
    ebb_scope_end(&c);
    ebb_scope_end(&b);
    ebb_scope_end(&a);
}

static ebb_profile listing = EBB_PROFILE("GET /vms");

Test(arena_mark, names)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = "params";
    ebb_arena *a = ebb_arena_create(&params), *s = ebb_scope_begin(&listing),
              *n = ebb_arena_create(NULL);
    cr_assert_str_eq(ebb_arena_name(a), "params");
    cr_assert_str_eq(ebb_arena_name(s), "GET /vms");
    cr_assert_str_eq(ebb_arena_name(n), "?");
    char label[] = "a label";
    cr_assert(ebb_arena_set_label(a, label));
    cr_assert(ebb_arena_set_label(s, label));
    memset(label, 'z', sizeof label - 1);
    cr_assert_str_eq(ebb_arena_name(a), "a label", "copied");
    cr_assert_str_eq(ebb_arena_name(s), "a label");
    char longest[100];
    memset(longest, 'l', sizeof longest);
    longest[99] = '\0';
    cr_assert(ebb_arena_set_label(a, longest));
    cr_assert_eq(strlen(ebb_arena_name(a)), 47u);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&n);
    ebb_scope_end(&s);
}

Test(arena_mark, stats_tell_what_can_be_known)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_arena_stats s = stats_of(a);
    cr_assert(s.chunks == 1 && s.large == 0 && s.cleanups == 0 && s.children == 0 &&
              s.charged == 0);
    cr_assert(s.held >= 320 && s.peak == s.held && s.failed == EBB_OK && s.soft_crossed == 0);
    expect_used(a, 0);
    ebb_alloc(a, 64);
    expect_used(a, 64);
    ebb_alloc(a, 100 * KIB);
    s = stats_of(a);
    cr_assert(s.large == 1 && s.used >= 100 * KIB + 64 && s.held >= s.used);
    for (int i = 0; i < 20; i++) ebb_alloc(a, 1000);
    cr_assert(stats_of(a).chunks > 1);
    ebb_arena *c = ebb_scope_begin_in(a, NULL), *d = ebb_scope_begin_in(a, NULL);
    cr_assert_eq(stats_of(a).children, 2u);
    ebb_scope_end(&c);
    ebb_scope_end(&d);
    cr_assert_eq(stats_of(a).children, 0u);
    cr_assert_null(ebb_alloc(a, SIZE_MAX / 2));
    cr_assert_eq(stats_of(a).failed, EBB_E_MEMORY);
    ebb_arena_destroy(&a);
}

Test(arena_mark, peak_is_the_most_ever_held)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_mark m = ebb_arena_mark(a);
    ebb_alloc(a, 3 * MIB);
    size_t most = stats_of(a).held;
    ebb_arena_rewind(a, m);
    cr_assert(stats_of(a).held < most);
    cr_assert_eq(stats_of(a).peak, most);
    ebb_alloc(a, 100 * KIB);
    cr_assert_eq(stats_of(a).peak, most);
    for (int i = 0; i < 40; i++) ebb_alloc(a, 100 * KIB);
    cr_assert_eq(stats_of(a).peak, stats_of(a).held);
    ebb_arena_destroy(&a);
}

Test(arena_mark, describe_tells_a_person)
{
    ebb_arena *a = ebb_scope_begin(&listing), *b = ebb_scope_begin_in(a, NULL),
              *c = ebb_arena_create(NULL);
    ebb_alloc(a, 1000);
    ebb_defer(a, note, "x");
    char *text = ebb_arena_describe(a, c);
    cr_assert_eq(ebb_arena_of(text), c);
    cr_assert(strstr(text, "GET /vms") && strstr(text, "scope") && strchr(text, '\n'), "%s", text);
    cr_assert_not_null(ebb_arena_describe(a, a), "the one may be the other");
    cr_assert_not_null(strstr(ebb_arena_describe(b, c), "GET /vms"), "a child names its parent");
    cr_assert_null(ebb_alloc(a, SIZE_MAX / 2));
    cr_assert_not_null(strstr(ebb_arena_describe(a, c), "out of memory"));
    cr_assert_null(ebb_arena_describe(c, a), "NULL as ebb_alloc");
    ebb_scope_end(&b);
    ebb_scope_end(&a);
    ebb_arena_destroy(&c);
}

Test(arena_mark, validate_says_what_is_broken)
{
    if (!layout_is_plain()) cr_skip_test("the tool would see the write itself");
    ebb_checks_set(EBB_CHECKS_STRICT);
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = ebb_alloc(a, 20), *q = ebb_alloc(a, 20);
    cr_assert_null(ebb_arena_validate(a));
    char was = q[20];
    q[20] = (char)(was + 1);
    cr_assert_not_null(ebb_arena_validate(a));
    cr_assert_not_null(strstr(ebb_arena_validate(a), "past its end"), "%s", ebb_arena_validate(a));
    q[20] = was;
    cr_assert_null(ebb_arena_validate(a));
    (void)p;
    ebb_arena_destroy(&a);
}

/* The window's two words are the public part of an arena. */
Test(arena_mark, validate_notices_an_overwritten_window)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_alloc(a, 100);
    ebb__window *w = (ebb__window *)(void *)a, sound = *w;
    w->tip = 4096;
    cr_assert_not_null(ebb_arena_validate(a));
    w->tip = sound.tip + 4096;
    cr_assert_not_null(ebb_arena_validate(a));
    *w = sound;
    w->limit = 12345;
    cr_assert_not_null(ebb_arena_validate(a));
    *w = sound;
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}
