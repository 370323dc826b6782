/*
 * tests/unit/test_arena_failure.c: ebb/arena.h: failure handled in three ways; try and raise. The second
 * half has a test for each row of the table in the design's section on failure.
 */
#include "test.h"

#include <ebb/compat/malloc.h>
#include <ebb/ebb.h>

#include <stdlib.h>
#include <string.h>

enum { KIB = 1 << 10, MIB = 1 << 20, TOO_MUCH = 64 << 20 };

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

/* A scope in which TOO_MUCH fails with EBB_E_LIMIT, at any check level. */
static ebb_arena *limited(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert(ebb_arena_set_limit(a, 0, MIB, 0));
    return a;
}

/* ---- check each call, check once --------------------------------------------------------------- */

Test(arena_failure, nothing_has_failed_at_first)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert_eq(ebb_failed(a), EBB_OK);
    ebb_scope_end(&a);
}

Test(arena_failure, scopes_are_sticky)
{
    ebb_arena *a = limited();
    char *p = ebb_strdup(a, "before");
    cr_assert_null(ebb_alloc(a, TOO_MUCH));
    for (size_t n = 0; n < 100; n++) cr_assert_null(ebb_alloc(a, n), "a hole of %zu bytes", n);
    cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
    cr_assert_str_eq(p, "before");
    ebb_scope_end(&a);
}

Test(arena_failure, the_first_failure_is_the_one_remembered)
{
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert(ebb_arena_set_limit(a, 0, MIB, 0));
    cr_assert_null(ebb_alloc(a, TOO_MUCH));
    cr_assert_null(ebb_alloc(a, SIZE_MAX / 2));
    cr_assert_null(ebb_alloc_aligned(a, 2 * MIB, (size_t)1 << 40));
    cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
    ebb_arena_destroy(&a);
}

Test(arena_failure, shrinking_and_validating_go_on_after_a_failure)
{
    ebb_arena *a = limited();
    char *p = memset(ebb_resize(a, NULL, 0, 100), 'p', 100);
    cr_assert_null(ebb_alloc(a, TOO_MUCH));
    cr_assert_eq(ebb_resize(a, p, 100, 50), (void *)p);
    cr_assert_null(ebb_resize(a, p, 50, 60));
    cr_assert_eq(bytes_check(p, 'p', 50), 50u);
    cr_assert_null(ebb_arena_validate(a));
    ebb_scope_end(&a);
}

/* ---- recover ----------------------------------------------------------------------------------- */

Test(arena_failure, recover_clears_and_opens_the_reserve_above_the_limit)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert(ebb_arena_set_limit(a, 0, 8 * KIB, 2 * KIB));
    while (ebb_alloc(a, 64)) {
    }
    ebb_recover(a);
    cr_assert_eq(ebb_failed(a), EBB_OK);
    size_t got = 0;
    for (; ebb_alloc(a, 64); got += 64) {
    }
    if (layout_is_plain()) cr_assert(got >= 2 * KIB - 64, "%zu", got);
    cr_assert(got >= 512 && got <= 8 * KIB);
    cr_assert_eq(ebb_failed(a), EBB_E_LIMIT, "used up");
    cr_assert_null(ebb_arena_validate(a));
    ebb_scope_end(&a);
}

Test(arena_failure, the_default_reserve_is_1_kib)
{
    if (!layout_is_plain()) cr_skip_test("red zones take room too");
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert(ebb_arena_set_limit(a, 0, 8 * KIB, 0));
    while (ebb_alloc(a, 16)) {
    }
    ebb_recover(a);
    for (int i = 0; i < 64; i++) cr_assert_not_null(ebb_alloc(a, 16));
    ebb_scope_end(&a);
}

Test(arena_failure, a_reserve_larger_than_a_block_of_the_stock)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert(ebb_arena_set_limit(a, 0, MIB, 20 * KIB));
    cr_assert_null(ebb_alloc(a, TOO_MUCH));
    ebb_recover(a);
    char *p = ebb_alloc(a, 18 * KIB);
    cr_assert_not_null(p);
    memset(p, 1, 18 * KIB);
    ebb_scope_end(&a);
}

Test(arena_failure, recovering_what_has_not_failed_does_nothing)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_alloc(a, 100);
    ebb_arena_stats before = stats_of(a);
    for (int i = 0; i < 100; i++) ebb_recover(a);
    cr_assert_eq(stats_of(a).held, before.held);
    cr_assert_eq(stats_of(a).used, before.used);
    ebb_scope_end(&a);
}

/* The stock has 16 blocks; whoever comes then has no reserve, and whoever ends gives it back. */
Test(arena_failure, when_the_stock_is_used_up_the_next_allocation_fails_again)
{
    enum { N = 40 };
    ebb_arena *a[N];
    int served = 0;
    for (int round = 0; round < 2; round++) {
        served = 0;
        for (int i = 0; i < N; i++) {
            a[i] = ebb_scope_begin(NULL);
            cr_assert(ebb_arena_set_limit(a[i], 0, stats_of(a[i]).held, 2 * KIB));
            while (ebb_alloc(a[i], 8)) {
            }
            ebb_recover(a[i]);
            cr_assert_eq(ebb_failed(a[i]), EBB_OK);
            char *p = ebb_alloc(a[i], 1000);
            if (p) memset(p, i, 1000);
            served += p != NULL;
            cr_assert_eq(ebb_failed(a[i]), p ? EBB_OK : EBB_E_LIMIT);
        }
        cr_assert_eq(served, 16);
        for (int i = 0; i < N; i++) ebb_scope_end(&a[i]);
    }
}

/* A chunk of the stock is not one to be kept for the next use. */
Test(arena_failure, a_reset_gives_the_reserve_back)
{
    enum { N = 40 };
    ebb_arena *a[N];
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.sticky = true;
    params.hard = KIB;
    for (int i = 0; i < N; i++) {
        a[i] = ebb_arena_create(&params);
        while (ebb_alloc(a[i], 8)) {
        }
        ebb_recover(a[i]);
        cr_assert_not_null(ebb_alloc(a[i], 900), "the %dth has no reserve", i);
        ebb_arena_reset(a[i]);
        cr_assert_eq(ebb_failed(a[i]), EBB_OK);
    }
    for (int i = 0; i < N; i++) ebb_arena_destroy(&a[i]);
}

/* ---- try --------------------------------------------------------------------------------------- */

typedef struct seen {
    ebb_arena *arena, *other;
    int calls, code;
    void *result;
} seen;

static int answer(ebb_arena *a, void *arg)
{
    seen *s = arg;
    s->arena = a;
    s->calls++;
    return s->code;
}

Test(arena_failure, try_returns_the_tasks_result)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    const int codes[] = {0, 1, 404, -2, -77, 2147483647, -2147483647 - 1};
    for (int i = 0; i < 7; i++) {
        seen s = {.code = codes[i]};
        cr_assert_eq(ebb_try(a, answer, &s), codes[i]);
        cr_assert_eq(s.arena, a);
        cr_assert_eq(s.calls, 1);
        cr_assert_eq(ebb_failed(a), EBB_OK);
    }
    ebb_scope_end(&a);
}

static int fail_deeply(ebb_arena *a, int depth)
{
    char local[200];
    memset(local, depth, sizeof local);
    if (depth > 0) return fail_deeply(a, depth - 1) + local[7];
    ebb_alloc(a, TOO_MUCH);
    order[0] = '!'; /* never: the failure has jumped */
    return 1;
}

static int fail_at_depth(ebb_arena *a, void *depth)
{
    return fail_deeply(a, *(int *)depth);
}

Test(arena_failure, a_failure_comes_back_from_any_depth)
{
    for (int depth = 0; depth < 300; depth += 50) {
        ebb_arena *a = limited();
        cr_assert_eq(ebb_try(a, fail_at_depth, &depth), EBB_E_LIMIT);
        cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
        ebb_scope_end(&a);
    }
    cr_assert_str_eq(order, "");
}

/* Every way to ask for memory. */
static int ask(ebb_arena *a, void *which)
{
    volatile size_t huge = SIZE_MAX / 2; /* else the compiler warns of what is meant */
    switch (*(int *)which) {
    case 0: ebb_alloc(a, huge); break;
    case 1: ebb_zalloc(a, huge); break;
    case 2: ebb_alloc_aligned(a, huge, 1); break;
    case 3: (void)ebb_new_array(a, long, huge); break;
    case 4: (void)ebb_alloc_array(a, long, huge); break;
    case 5:
        if (ebb_resize(a, NULL, 0, huge)) return 99;
        break;
    case 6: ebb_dup(a, "", huge); break;
    case 7: ebb_promote(a, "", huge); break;
    case 8:
        if (ebb_resize(a, ebb_alloc(a, 8), 8, huge)) return 99;
        break;
    default: return -100;
    }
    return 98;
}

Test(arena_failure, every_way_to_ask_jumps)
{
    for (int which = 0;; which++) {
        ebb_arena *a = ebb_arena_create(NULL);
        int rc = ebb_try(a, ask, &which);
        ebb_arena_destroy(&a);
        if (rc == -100) break;
        cr_assert_eq(rc, EBB_E_MEMORY, "way %d", which);
    }
}

static int raise_code(ebb_arena *a, void *code)
{
    ebb_raise(a, *(int *)code);
}

Test(arena_failure, what_is_raised_comes_back)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    const int codes[] = {1, 404, EBB_E_SYNTAX, -1000};
    for (int i = 0; i < 4; i++) {
        int code = codes[i];
        cr_assert_eq(ebb_try(a, raise_code, &code), code);
        cr_assert_eq(ebb_failed(a), EBB_OK, "a raise is no failure");
        cr_assert_not_null(ebb_alloc(a, 10));
    }
    ebb_scope_end(&a);
}

static int open_scopes_then_raise(ebb_arena *a, void *arg)
{
    seen *s = arg;
    EBB_SCOPE(outer, NULL);
    ebb_defer(outer, note, "o");
    cr_assert_eq(ebb_arena_parent(outer), a);
    {
        EBB_SCOPE(inner, NULL);
        ebb_defer(inner, note, "i");
        ebb_arena *child = ebb_scope_begin_in(a, NULL), *grand = ebb_scope_begin_in(child, NULL);
        ebb_defer(child, note, "c");
        ebb_defer(grand, note, "g");
        s->other = ebb_scope_begin(NULL);
        ebb_defer(s->other, note, "r");
        ebb_raise(a, 5);
    }
}

Test(arena_failure, what_was_begun_inside_is_ended_and_cleaned_up)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_scope_begin(NULL);
    seen s = {0};
    cr_assert_eq(ebb_try(a, open_scopes_then_raise, &s), 5);
    cr_assert_eq(strlen(order), 4u, "%s", order);
    cr_assert(strchr(order, 'o') && strchr(order, 'i') && strchr(order, 'c') && strchr(order, 'g'));
    cr_assert(strchr(order, 'i') < strchr(order, 'o'), "%s", order);
    cr_assert(strchr(order, 'g') < strchr(order, 'c'), "%s", order);
    cr_assert_eq(stats_of(a).children, 0u);
    cr_assert_null(ebb_scope_current());
    cr_assert_not_null(ebb_alloc(s.other, 10), "a root begun inside has a holder of its own");
    ebb_scope_end(&s.other);
    cr_assert_null(ebb_arena_validate(a));
    ebb_scope_end(&a);
    reports_stop();
}

static int raise_below_older_children(ebb_arena *a, void *arg)
{
    ebb_arena *older = arg;
    ebb_arena *inside = ebb_scope_begin_in(older, NULL); /* below a child that began outside */
    ebb_defer(inside, note, "i");
    ebb_raise(a, 5);
}

Test(arena_failure, children_begun_before_the_try_go_on)
{
    ebb_arena *a = ebb_scope_begin(NULL), *older = ebb_scope_begin_in(a, NULL);
    ebb_defer(older, note, "o");
    char *p = ebb_strdup(older, "older");
    cr_assert_eq(ebb_try(a, raise_below_older_children, older), 5);
    cr_assert_str_eq(order, "i");
    cr_assert_str_eq(p, "older");
    cr_assert_not_null(ebb_alloc(older, 100));
    ebb_scope_end(&older);
    cr_assert_eq(stats_of(a).children, 0u);
    ebb_scope_end(&a);
}

static int enter_and_raise(ebb_arena *a, void *unused)
{
    (void)unused;
    EBB_SCOPE(s, NULL);
    EBB_ENTER(a);
    ebb_arena *previous = ebb_scope_enter(s);
    (void)previous;
    ebb_raise(a, 9);
}

Test(arena_failure, the_current_scope_is_restored)
{
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin(NULL);
    cr_assert_eq(ebb_try(a, enter_and_raise, NULL), 9);
    cr_assert_null(ebb_scope_current());
    {
        EBB_ENTER(b);
        cr_assert_eq(ebb_try(a, enter_and_raise, NULL), 9);
        cr_assert_eq(ebb_scope_current(), b);
    }
    ebb_scope_end(&a);
    ebb_scope_end(&b);
}

static int try_inner(ebb_arena *a, void *arg)
{
    int code = 3;
    int rc = ebb_try(a, raise_code, &code);
    *(int *)arg = rc;
    ebb_raise(a, 4);
}

Test(arena_failure, tries_on_one_arena_nest)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    int inner = 0;
    cr_assert_eq(ebb_try(a, try_inner, &inner), 4);
    cr_assert_eq(inner, 3);
    int code = 6;
    cr_assert_eq(ebb_try(a, raise_code, &code), 6, "and one after them");
    ebb_scope_end(&a);
}

static int recurse(ebb_arena *a, void *depth)
{
    int n = *(int *)depth;
    EBB_SCOPE(s, NULL);
    ebb_defer(s, note, "s");
    if (n == 0) ebb_raise(a, 100);
    n--;
    int rc = ebb_try(a, recurse, &n);
    cr_assert(rc > 0);
    ebb_raise(a, rc + 1);
}

Test(arena_failure, a_raise_may_go_up_try_by_try)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    int depth = 20;
    cr_assert_eq(ebb_try(a, recurse, &depth), 120);
    cr_assert_eq(strlen(order), 21u);
    cr_assert_eq(stats_of(a).children, 0u);
    ebb_scope_end(&a);
}

static int locals_of_the_task(ebb_arena *a, void *arg)
{
    int *callers = arg;
    for (int i = 0; i < 10; i++) ++*callers;
    ebb_raise(a, 1);
}

Test(arena_failure, the_callers_variables_are_safe)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    int mine = 32;
    cr_assert_eq(ebb_try(a, locals_of_the_task, &mine), 1);
    cr_assert_eq(mine, 42);
    ebb_scope_end(&a);
}

static void try_on_thread(void *result)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    int code = *(int *)result;
    *(int *)result = ebb_try(a, raise_code, &code) * 10;
    ebb_scope_end(&a);
}

static int while_another_thread_tries(ebb_arena *a, void *code)
{
    on_thread(try_on_thread, code);
    ebb_raise(a, *(int *)code + 1);
}

Test(arena_failure, threads_have_tries_of_their_own)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    int code = 7;
    cr_assert_eq(ebb_try(a, while_another_thread_tries, &code), 71);
    ebb_scope_end(&a);
}

/* EBB_TEMP is not undone; the memory stays until the arena ends. */
static int raise_through_temp(ebb_arena *a, void *unused)
{
    (void)unused;
    EBB_TEMP(a);
    ebb_strdup(a, "left");
    ebb_raise(a, 2);
}

Test(arena_failure, a_raise_through_temp_leaves_its_memory)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    size_t used = stats_of(a).used;
    cr_assert_eq(ebb_try(a, raise_through_temp, NULL), 2);
    cr_assert(stats_of(a).used > used);
    cr_assert_null(ebb_arena_validate(a));
    ebb_scope_end(&a);
}

/* ---- the table: what is settled ---------------------------------------------------------------- */

static int error_text_then_raise(ebb_arena *a, void *arg)
{
    ebb_defer(a, note, "d");
    *(char **)arg = ebb_printf(a, "line %d", 7);
    ebb_raise(a, EBB_E_SYNTAX);
}

Test(arena_failure, row_the_arena_of_a_try_is_not_rewound)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    char *text = NULL;
    cr_assert_eq(ebb_try(a, error_text_then_raise, &text), EBB_E_SYNTAX);
    cr_assert_str_eq(text, "line 7");
    cr_assert_str_eq(order, "");
    cr_assert_eq(stats_of(a).cleanups, 1u);
    ebb_scope_end(&a);
    cr_assert_str_eq(order, "d");
}

static void raise_nothing(void *unused)
{
    (void)unused;
    ebb_arena *a = ebb_scope_begin(NULL);
    int code = 0;
    if (ebb_try(a, raise_code, &code) == 0) _Exit(3);
}

Test(arena_failure, row_raise_of_0_is_misuse)
{
    death d = in_child(raise_nothing, NULL);
    cr_assert(died_saying(&d, "ebb_raise", "code 0"));
}

static void allocate_too_much(void *arena)
{
    note(ebb_alloc(arena, TOO_MUCH) ? "?" : "n");
}

static int raise_over_a_greedy_cleanup(ebb_arena *a, void *unused)
{
    (void)unused;
    EBB_SCOPE(s, NULL);
    ebb_defer(s, allocate_too_much, a);
    ebb_defer(s, allocate_too_much, s);
    ebb_raise(a, 3);
}

Test(arena_failure, row_allocation_while_unwinding_returns_null)
{
    ebb_arena *a = limited();
    cr_assert_eq(ebb_try(a, raise_over_a_greedy_cleanup, NULL), 3);
    cr_assert_str_eq(order, "nn");
    cr_assert_eq(ebb_failed(a), EBB_E_LIMIT, "and is remembered");
    ebb_scope_end(&a);
}

static int end_a_child_with_a_greedy_cleanup(ebb_arena *a, void *unused)
{
    (void)unused;
    ebb_arena *child = ebb_scope_begin_in(a, NULL);
    ebb_defer(child, note, "1");
    ebb_defer(child, allocate_too_much, a);
    ebb_scope_end(&child);
    note("2");
    return 6;
}

Test(arena_failure, row_a_cleanup_never_jumps_out_of_an_end)
{
    ebb_arena *a = limited();
    cr_assert_eq(ebb_try(a, end_a_child_with_a_greedy_cleanup, NULL), 6);
    cr_assert_str_eq(order, "n12");
    cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
    ebb_scope_end(&a);
}

static void try_in_cleanup(void *arena)
{
    int depth = 3;
    note(ebb_try(arena, fail_at_depth, &depth) == EBB_E_LIMIT ? "t" : "?");
}

Test(arena_failure, row_but_a_cleanup_may_try_for_itself)
{
    ebb_arena *a = limited(), *b = ebb_scope_begin(NULL);
    ebb_defer(b, try_in_cleanup, a);
    ebb_scope_end(&b);
    cr_assert_str_eq(order, "t");
    ebb_scope_end(&a);
}

static int fail_child(ebb_arena *a, void *arg)
{
    seen *s = arg;
    s->calls++;
    ebb_alloc(s->other, TOO_MUCH);
    s->calls++;
    (void)a;
    return 11;
}

static int inner_try_on_child(ebb_arena *a, void *arg)
{
    seen *s = arg;
    s->code = ebb_try(s->other, fail_child, s);
    (void)a;
    return 12;
}

Test(arena_failure, row_the_innermost_try_of_the_failing_arena_or_an_ancestor_catches)
{
    ebb_arena *a = ebb_scope_begin(NULL), *child = ebb_scope_begin_in(a, NULL);
    ebb_arena_set_limit(child, 0, MIB, 0);
    seen s = {.other = child};
    cr_assert_eq(ebb_try(a, fail_child, &s), EBB_E_LIMIT, "an ancestor's");
    cr_assert_eq(s.calls, 1);
    ebb_scope_end(&child);
    child = ebb_scope_begin_in(a, NULL);
    ebb_arena_set_limit(child, 0, MIB, 0);
    s = (seen){.other = child};
    cr_assert_eq(ebb_try(a, inner_try_on_child, &s), 12, "the inner one caught it");
    cr_assert_eq(s.code, EBB_E_LIMIT);
    ebb_scope_end(&child);
    ebb_scope_end(&a);
}

static int nested_unrelated(ebb_arena *a, void *arg)
{
    seen *s = arg;
    (void)a;
    return ebb_try(s->arena, fail_child, s) == 11 ? 13 : -1;
}

Test(arena_failure, row_an_unrelated_arena_gets_null_and_sticks)
{
    ebb_arena *a = ebb_scope_begin(NULL), *stranger = limited(), *third = ebb_scope_begin(NULL);
    seen s = {.other = stranger};
    cr_assert_eq(ebb_try(a, fail_child, &s), 11);
    cr_assert_eq(s.calls, 2);
    cr_assert_eq(ebb_failed(stranger), EBB_E_LIMIT);
    cr_assert_eq(ebb_failed(a), EBB_OK);
    ebb_scope_end(&stranger);
    stranger = limited();
    s = (seen){.other = stranger, .arena = third};
    cr_assert_eq(ebb_try(a, nested_unrelated, &s), 13);
    ebb_scope_end(&stranger);
    stranger = limited();
    s = (seen){.other = stranger, .arena = third};
    cr_assert_eq(ebb_try(stranger, nested_unrelated, &s), EBB_E_LIMIT,
                 "past an unrelated try inside");
    ebb_scope_end(&stranger);
    ebb_scope_end(&third);
    ebb_scope_end(&a);
}

Test(arena_failure, row_a_try_on_what_has_failed_returns_that_at_once)
{
    ebb_arena *a = limited();
    cr_assert_null(ebb_alloc(a, TOO_MUCH));
    seen s = {.code = 1};
    cr_assert_eq(ebb_try(a, answer, &s), EBB_E_LIMIT);
    cr_assert_eq(s.calls, 0);
    ebb_recover(a);
    cr_assert_eq(ebb_try(a, answer, &s), 1);
    ebb_scope_end(&a);
}

static int use_optional(ebb_arena *a, void *arg)
{
    *(bool *)arg = ebb_alloc_optional(a, TOO_MUCH) == NULL && ebb_alloc(a, 10) != NULL;
    return 14;
}

Test(arena_failure, row_optional_gives_null_and_nothing_else_changes)
{
    ebb_arena *a = limited();
    bool ok = false;
    cr_assert_eq(ebb_try(a, use_optional, &ok), 14);
    cr_assert(ok);
    cr_assert_eq(ebb_failed(a), EBB_OK);
    ebb_scope_end(&a);
}

static int use_hooks(ebb_arena *a, void *arg)
{
    EBB_ENTER(a);
    *(bool *)arg = ebb_hook_malloc(TOO_MUCH) == NULL;
    return 15;
}

Test(arena_failure, row_a_hook_inside_a_try_never_jumps)
{
    ebb_arena *a = limited();
    bool ok = false;
    cr_assert_eq(ebb_try(a, use_hooks, &ok), 15);
    cr_assert(ok);
    cr_assert_eq(ebb_failed(a), EBB_E_LIMIT, "but sticks");
    ebb_scope_end(&a);
}

Test(arena_failure, row_a_childs_failure_is_its_own)
{
    ebb_arena *a = ebb_scope_begin(NULL), *child = ebb_scope_begin_in(a, NULL);
    cr_assert(ebb_arena_set_limit(a, 0, MIB, 0));
    cr_assert_null(ebb_alloc(child, 2 * MIB), "it charges its parent's limits");
    cr_assert_eq(ebb_failed(child), EBB_E_LIMIT);
    cr_assert_null(ebb_alloc(child, 1));
    cr_assert_eq(ebb_failed(a), EBB_OK);
    cr_assert_not_null(ebb_alloc(a, 100));
    ebb_scope_end(&child);
    ebb_scope_end(&a);
}

Test(arena_failure, row_defer_after_a_failure_registers_from_the_reserve)
{
    ebb_arena *a = limited();
    while (ebb_alloc(a, KIB)) {
    }
    for (int i = 0; i < 5; i++) cr_assert(ebb_defer(a, note, "d"));
    cr_assert_str_eq(order, "");
    ebb_scope_end(&a);
    cr_assert_str_eq(order, "ddddd");
}

static int defer_after_failing(ebb_arena *a, void *arg)
{
    seen *s = arg;
    cr_assert_null(ebb_alloc(s->other, TOO_MUCH));
    s->calls = ebb_defer(s->other, note, "d");
    (void)a;
    return 16;
}

Test(arena_failure, row_defer_after_a_failure_inside_a_try)
{
    ebb_arena *a = ebb_scope_begin(NULL), *b = limited();
    seen s = {.other = b};
    cr_assert_eq(ebb_try(a, defer_after_failing, &s), 16);
    cr_assert_eq(s.calls, 1);
    ebb_scope_end(&b);
    cr_assert_str_eq(order, "d");
    ebb_scope_end(&a);
}

Test(arena_failure, row_reset_clears_a_failure_and_rewind_keeps_it)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.sticky = true;
    params.hard = MIB;
    ebb_arena *a = ebb_arena_create(&params);
    ebb_mark m = ebb_arena_mark(a);
    cr_assert_null(ebb_alloc(a, TOO_MUCH));
    ebb_arena_rewind(a, m);
    cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
    cr_assert_null(ebb_alloc(a, 1));
    ebb_arena_reset(a);
    cr_assert_eq(ebb_failed(a), EBB_OK);
    cr_assert_not_null(ebb_alloc(a, 1));
    ebb_arena_destroy(&a);
}

/* ---- raise: misuse ----------------------------------------------------------------------------- */

static void raise_without_try(void *unused)
{
    (void)unused;
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_raise(a, 1);
}

static int raise_in_stranger(ebb_arena *a, void *stranger)
{
    (void)a;
    ebb_raise(stranger, 1);
}

static void raise_in_anothers_try(void *unused)
{
    (void)unused;
    ebb_arena *a = ebb_scope_begin(NULL), *stranger = ebb_scope_begin(NULL);
    if (ebb_try(a, raise_in_stranger, stranger) == 1) _Exit(3);
}

static void raise_on_thread(void *a)
{
    ebb_raise(a, 1);
}

static int raise_from_a_thread(ebb_arena *a, void *unused)
{
    (void)unused;
    on_thread(raise_on_thread, a);
    return 0;
}

static void raise_on_another_thread(void *unused)
{
    (void)unused;
    ebb_arena *a = ebb_scope_begin(NULL);
    if (ebb_try(a, raise_from_a_thread, NULL) == 1) _Exit(3);
}

static void raise_it(void *a)
{
    ebb_raise(a, 2);
}

static int raise_over_a_raising_cleanup(ebb_arena *a, void *unused)
{
    (void)unused;
    EBB_SCOPE(s, NULL);
    ebb_defer(s, raise_it, a);
    ebb_raise(a, 1);
}

static void raise_while_unwinding(void *unused)
{
    (void)unused;
    ebb_arena *a = ebb_scope_begin(NULL);
    if (ebb_try(a, raise_over_a_raising_cleanup, NULL) > 0) _Exit(3);
}

static int end_over_a_raising_cleanup(ebb_arena *a, void *unused)
{
    (void)unused;
    ebb_arena *child = ebb_scope_begin_in(a, NULL);
    ebb_defer(child, raise_it, a);
    ebb_scope_end(&child);
    return 1;
}

static void raise_out_of_a_cleanup(void *unused)
{
    (void)unused;
    ebb_arena *a = ebb_scope_begin(NULL);
    if (ebb_try(a, end_over_a_raising_cleanup, NULL) > 0) _Exit(3);
}

Test(arena_failure, a_raise_with_nowhere_to_go_aborts)
{
    death d = in_child(raise_without_try, NULL);
    cr_assert(died_saying(&d, "ebb_raise", "no ebb_try on this thread"));
    d = in_child(raise_in_anothers_try, NULL);
    cr_assert(died_saying(&d, "ebb_raise", "no ebb_try on this thread"));
    d = in_child(raise_on_another_thread, NULL);
    cr_assert(died_saying(&d, "ebb_raise", "no ebb_try on this thread"));
}

Test(arena_failure, a_raise_out_of_a_cleanup_aborts)
{
    death d = in_child(raise_while_unwinding, NULL);
    cr_assert(died_saying(&d, "ebb_raise", "cleanup"));
    d = in_child(raise_out_of_a_cleanup, NULL);
    cr_assert(died_saying(&d, "ebb_raise", "cleanup"));
}

static void ignore(void *ctx, const ebb_misuse *what)
{
    (void)ctx;
    (void)what;
}

static void raise_with_a_forgiving_handler(void *unused)
{
    ebb_on_misuse(ignore, NULL);
    raise_without_try(unused);
}

Test(arena_failure, a_raise_with_nowhere_to_go_aborts_even_if_the_handler_returns)
{
    death d = in_child(raise_with_a_forgiving_handler, NULL);
    cr_assert(died_saying(&d, "", NULL));
}
