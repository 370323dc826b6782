/*
 * tests/unit/test_cleanup.c: ebb/cleanup.h: cleanups in their owners' storage.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <string.h>

struct thing {
    char letter;
    ebb_cleanup cleanup;
    ebb_arena *again; /* tie another thing to it when run */
    struct thing *other;
};

static char order[256];

static void note_letter(char letter)
{
    size_t n = strlen(order);
    if (n + 1 < sizeof order) order[n] = letter;
}

static void note(ebb_cleanup *c)
{
    struct thing *t = EBB_CONTAINER(c, struct thing, cleanup);
    note_letter(t->letter);
    if (t->again) cr_assert(ebb_cleanup_add(t->again, &t->other->cleanup, note));
}

static void note_deferred(void *letter)
{
    note_letter(*(char *)letter);
}

static void tie(ebb_arena *a, struct thing *t, char letter)
{
    *t = (struct thing){.letter = letter};
    cr_assert(ebb_cleanup_add(a, &t->cleanup, note));
}

Test(cleanup, runs_newest_first_among_all_cleanups)
{
    struct thing t[4];
    ebb_arena *a = ebb_scope_begin(NULL);
    tie(a, &t[0], 'a');
    tie(a, &t[1], 'b');
    ebb_defer(a, note_deferred, (char[]){'c'});
    tie(a, &t[2], 'd');
    ebb_alloc(a, 100000);
    tie(a, &t[3], 'e');
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_stats s;
    ebb_arena_get_stats(a, &s);
    cr_assert_eq(s.cleanups, 5u);
    ebb_scope_end(&a);
    cr_assert_str_eq(order, "edcba");
    for (int i = 0; i < 4; i++) cr_assert_null(t[i].cleanup.back);
}

Test(cleanup, removed_from_anywhere_it_is_not_run)
{
    enum { N = 5 };
    for (int gone = 0; gone < N; gone++) {
        struct thing t[N];
        ebb_arena *a = ebb_scope_begin(NULL);
        memset(order, 0, sizeof order);
        for (int i = 0; i < N; i++) tie(a, &t[i], (char)('a' + i));
        ebb_cleanup_remove(&t[gone].cleanup);
        ebb_cleanup_remove(&t[gone].cleanup);
        ebb_scope_end(&a);
        char expected[N + 1] = "edcba";
        memmove(expected + N - 1 - gone, expected + N - gone, (size_t)gone + 1);
        cr_assert_str_eq(order, expected);
    }
}

Test(cleanup, given_back_a_million_times_takes_nothing)
{
    struct thing t;
    ebb_arena *a = ebb_scope_begin(NULL);
    tie(a, &t, 'x');
    ebb_cleanup_remove(&t.cleanup);
    ebb_arena_stats before, after;
    ebb_arena_get_stats(a, &before);
    for (int i = 0; i < 1000000; i++) {
        cr_assert(ebb_cleanup_add(a, &t.cleanup, note));
        ebb_cleanup_remove(&t.cleanup);
    }
    ebb_arena_get_stats(a, &after);
    cr_assert_eq(before.used, after.used);
    ebb_scope_end(&a);
    cr_assert_str_eq(order, "");
}

Test(cleanup, rewind_and_reset_run_what_is_newer)
{
    struct thing t[3];
    ebb_arena *a = ebb_arena_create(NULL);
    tie(a, &t[0], 'a');
    ebb_mark m = ebb_arena_mark(a);
    tie(a, &t[1], 'b');
    ebb_cleanup_remove(&t[1].cleanup);
    tie(a, &t[1], 'b');
    ebb_arena_rewind(a, m);
    cr_assert_str_eq(order, "b");
    tie(a, &t[2], 'c');
    ebb_arena_rewind(a, m);
    cr_assert_str_eq(order, "bc");
    ebb_arena_reset(a);
    cr_assert_str_eq(order, "bca");
    tie(a, &t[0], 'd');
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
    cr_assert_str_eq(order, "bcad");
}

Test(cleanup, may_register_more)
{
    struct thing t[3] = {{.letter = 'a'}, {.letter = 'b'}, {.letter = 'c'}};
    ebb_arena *a = ebb_scope_begin(NULL);
    t[1].again = a;
    t[1].other = &t[2];
    cr_assert(ebb_cleanup_add(a, &t[0].cleanup, note));
    cr_assert(ebb_cleanup_add(a, &t[1].cleanup, note));
    ebb_scope_end(&a);
    cr_assert_str_eq(order, "bca");
}

Test(cleanup, moves_with_an_adopted_child)
{
    struct thing t[3];
    ebb_arena *a = ebb_scope_begin(NULL), *child = ebb_scope_begin_in(a, NULL);
    tie(a, &t[0], 'a');
    tie(child, &t[1], 'b');
    tie(child, &t[2], 'c');
    ebb_arena_adopt(a, &child);
    cr_assert_str_eq(order, "");
    ebb_cleanup_remove(&t[1].cleanup);
    ebb_scope_end(&a);
    cr_assert_str_eq(order, "ca");
}

/* The record of a row costs a few bytes; where they can't be had the caller is told, and no more. */
Test(cleanup, failure_registers_nothing_and_does_not_stick)
{
    struct thing t = {.letter = 'x'};
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a}, &(ebb_fault_params){.nth = 1}, NULL);
    cr_assert(!ebb_cleanup_add(a, &t.cleanup, note));
    cr_assert_eq(ebb_fault_hits(f), 1u);
    ebb_fault_end(&f);
    cr_assert_eq(ebb_failed(a), EBB_OK);
    cr_assert_null(t.cleanup.back);
    cr_assert(ebb_cleanup_add(a, &t.cleanup, note));
    ebb_scope_end(&a);
    cr_assert_str_eq(order, "x");
}

Test(cleanup, tied_twice_is_misuse)
{
    struct thing t;
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin(NULL);
    reports r;
    reports_start(&r);
    tie(a, &t, 'a');
    cr_assert(!ebb_cleanup_add(b, &t.cleanup, note));
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_cleanup_add", "tied to an arena already"));
    reports_stop();
    ebb_scope_end(&b);
    ebb_scope_end(&a);
    cr_assert_str_eq(order, "a");
}

/* ---- pins ---------------------------------------------------------------------------------- */

Test(cleanup, pins_stay_over_rewinds_and_run_last)
{
    struct thing t[3] = {{.letter = 'p'}, {.letter = 'q'}};
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_mark m = ebb_arena_mark(a);
    cr_assert(ebb_cleanup_pin(a, &t[0].cleanup, note));
    cr_assert(ebb_cleanup_pin(a, &t[1].cleanup, note));
    tie(a, &t[2], 'a');
    ebb_arena_rewind(a, m);
    cr_assert_str_eq(order, "a");
    ebb_arena_reset(a);
    cr_assert_str_eq(order, "aqp");
    cr_assert(ebb_cleanup_pin(a, &t[0].cleanup, note));
    ebb_scope_end(&a);
    cr_assert_str_eq(order, "aqpp");
}

Test(cleanup, pins_of_an_adopted_child_run_with_the_adopter)
{
    struct thing t = {.letter = 'p'};
    ebb_arena *a = ebb_scope_begin(NULL), *child = ebb_scope_begin_in(a, NULL);
    cr_assert(ebb_cleanup_pin(child, &t.cleanup, note));
    ebb_arena_adopt(a, &child);
    cr_assert_str_eq(order, "");
    ebb_scope_end(&a);
    cr_assert_str_eq(order, "p");
}
