/*
 * tests/misuse/test_misuse.c: what users do wrong, and what they hear: which call noticed, on which
 * object, who did what before, and what to do.
 */
#define _GNU_SOURCE
#include "test.h"

#include <ebb/compat/malloc.h>
#include <ebb/ebb.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ebb_profile post = EBB_PROFILE("POST /vms");

static char order[64];

static void note(void *letter)
{
    strncat(order, letter, sizeof order - strlen(order) - 1);
}

/* This thread's number and name, as a report writes them. */
static const char *me(void)
{
    static char text[64];
    char name[16] = "";
    pthread_getname_np(pthread_self(), name, sizeof name);
    snprintf(text, sizeof text, "(%s)", name);
    return text;
}

/* ---- ended twice, or by the wrong name ---------------------------------------------------------- */

Test(misuse, a_double_end_through_a_copy)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_scope_begin(&post), *copy = a;
    ebb_scope_end(&a);
    ebb_scope_end(&copy);
    cr_assert_null(copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_scope_end", "already ended at 0x"));
    cr_assert_not_null(strstr(r.text, me()), "%s", r.text);
    ebb_arena *b = ebb_scope_begin(&post), *c = ebb_scope_begin(&post);
    cr_assert_neq(b, c, "the head was not pushed twice");
    ebb_scope_end(&b);
    ebb_scope_end(&c);
    reports_stop();
}

static void begin_and_end(void *handle)
{
    pthread_setname_np(pthread_self(), "worker-2");
    ebb_arena *a = *(ebb_arena **)handle;
    if (!a) *(ebb_arena **)handle = a = ebb_scope_begin(&post);
    else ebb_scope_attach(a);
    ebb_scope_end(&a);
}

Test(misuse, who_ended_it_is_named)
{
    reports r;
    reports_start(&r);
    ebb_arena *stale = NULL;
    on_thread(begin_and_end, &stale);
    ebb_scope_end(&stale);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_scope_end", "(worker-2)"));
    reports_stop();
}

/* At level 1 the head may be another scope's by then; at level 2 it is held back for a while. */
Test(misuse, a_late_double_end_is_told_by_the_strict_checks)
{
    ebb_checks_set(EBB_CHECKS_STRICT);
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_scope_begin(&post), *copy = a;
    ebb_scope_end(&a);
    for (int i = 0; i < 100; i++) {
        ebb_arena *b = ebb_scope_begin(&post);
        ebb_alloc(b, 100);
        ebb_scope_end(&b);
    }
    ebb_scope_end(&copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_scope_end", "already ended"));
    reports_stop();
}

Test(misuse, a_double_destroy_through_a_copy)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_arena_create(NULL), *copy = a;
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_arena_destroy", "already ended at 0x"));
    reports_stop();
}

Test(misuse, the_wrong_word_for_the_end)
{
    reports r;
    reports_start(&r);
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = "main pool";
    ebb_arena *a = ebb_arena_create(&params), *b = ebb_scope_begin(&post), *copy = a;
    ebb_scope_end(&copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_scope_end(\"main pool\")", "use ebb_arena_destroy"));
    reports_start(&r);
    copy = b;
    ebb_arena_destroy(&copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_arena_destroy(\"POST /vms\")", "use ebb_scope_end"));
    cr_assert(ebb_alloc(a, 8) && ebb_alloc(b, 8), "neither was done");
    reports_start(&r);
    ebb_arena_destroy(&a);
    ebb_scope_end(&b);
    cr_assert_eq(reports_total(&r), 0u, "%s", r.all);
    reports_stop();
}

/* ---- used after its end ------------------------------------------------------------------------ */

static int task(ebb_arena *a, void *arg)
{
    (void)a;
    (void)arg;
    return 1;
}

/* Every call, on a handle that is dead. A result of NULL or false is what "does nothing" looks like. */
static bool use(int which, ebb_arena *a, ebb_mark m)
{
    static ebb_budget *budget;
    ebb_arena *handle = a, *none = NULL;
    if (!budget) budget = ebb_budget_create(NULL, NULL);
    switch (which) {
    case 0: return ebb_alloc(a, 8) == NULL;
    case 1: return ebb_zalloc(a, 8) == NULL;
    case 2: return ebb_alloc_optional(a, 8) == NULL;
    case 3: return ebb_alloc_aligned(a, 8, 64) == NULL;
    case 4: return ebb_strdup(a, "x") == NULL;
    case 5: return ebb_strndup(a, "x", 1) == NULL;
    case 6: return ebb_printf(a, "%d", 1) == NULL;
    case 7: return ebb_dup(a, "x", 1) == NULL;
    case 8: return ebb_resize(a, NULL, 0, 8) == NULL;
    case 9: return ebb_promote(a, "x", 1) == NULL;
    case 10: return !ebb_defer(a, note, "d");
    case 11: return !ebb_arena_set_limit(a, 0, 1 << 20, 0);
    case 12: return !ebb_arena_set_label(a, "x");
    case 13: return !ebb_scope_set_data(a, a);
    case 14: return !ebb_scope_charge(a, budget);
    case 15: return ebb_try(a, task, NULL) != 1;
    case 16: return ebb_failed(none = ebb_scope_begin_in(a, NULL)) != EBB_OK;
    case 17: return ebb_arena_reset(a), true;
    case 18: return ebb_arena_trim(a), true;
    case 19: return ebb_arena_rewind(a, m), true;
    case 20: return m = ebb_arena_mark(a), true;
    case 21: return (none = ebb_scope_detach(&handle)), true;
    case 22: return ebb_scope_attach(a), true;
    case 23: return (none = ebb_scope_enter(a)), ebb_scope_current() == NULL;
    case 24: return ebb_scope_end(&handle), handle == NULL;
    case 25: return ebb_recover(a), true;
    case 26: return !ebb_defer_cancel(a, note, "never");
    default: return false;
    }
}

enum { USES = 27, FIRST_THAT_MAY_ONLY_READ = 25 };

Test(misuse, every_call_on_an_ended_scope_is_reported_and_does_nothing)
{
    for (int which = 0; which < USES; which++) {
        reports r;
        ebb_arena *a = ebb_scope_begin(&post), *stale = a;
        ebb_mark m = ebb_arena_mark(a);
        ebb_scope_end(&a);
        reports_start(&r);
        cr_assert(use(which, stale, m), "call %d did something", which);
        cr_assert_eq(r.misuse, 1u, "call %d: %u reports: %s", which, r.misuse, r.all);
        cr_assert_not_null(strstr(r.text, "already ended"), "call %d: %s", which, r.text);
        reports_stop();
    }
}

Test(misuse, a_child_that_outlives_its_parent)
{
    for (int which = 0; which < USES; which++) {
        reports r;
        ebb_arena *a = ebb_scope_begin(&post), *child = ebb_scope_begin_in(a, NULL);
        ebb_mark m = ebb_arena_mark(child);
        ebb_scope_keep_open(child);
        ebb_scope_end(&a);
        reports_start(&r);
        cr_assert(use(which, child, m), "call %d did something", which);
        cr_assert_eq(r.misuse, 1u, "call %d: %u reports: %s", which, r.misuse, r.all);
        cr_assert_not_null(strstr(r.text, "already ended"), "call %d: %s", which, r.text);
        reports_stop();
    }
}

Test(misuse, an_adopted_arena_names_its_adopter)
{
    for (int which = 0; which < USES; which++) {
        reports r;
        ebb_arena *a = ebb_scope_begin(&post), *child = ebb_scope_begin(NULL), *stale = child;
        ebb_mark m = ebb_arena_mark(child);
        ebb_arena_adopt(a, &child);
        reports_start(&r);
        cr_assert(use(which, stale, m), "call %d did something", which);
        cr_assert_eq(r.misuse, 1u, "call %d: %u reports: %s", which, r.misuse, r.all);
        cr_assert(strstr(r.text, "adopted by \"POST /vms\""), "call %d: %s", which, r.text);
        reports_start(&r);
        ebb_scope_end(&a);
        cr_assert_eq(reports_total(&r), 0u, "%s", r.all);
        reports_stop();
    }
}

Test(misuse, asking_about_an_ended_arena_is_harmless)
{
    ebb_arena *a = ebb_scope_begin(&post), *stale = a;
    ebb_scope_set_data(a, a);
    ebb_scope_end(&a);
    ebb_arena_stats s;
    cr_assert_not_null(ebb_arena_validate(stale));
    cr_assert_str_eq(ebb_arena_name(stale), "?");
    cr_assert_null(ebb_arena_parent(stale));
    cr_assert_null(ebb_scope_data(stale));
    ebb_arena_get_stats(stale, &s);
    (void)ebb_failed(stale);
}

Test(misuse, a_hook_on_a_scope_that_ended_while_current_by_another_thread)
{
    reports r;
    ebb_arena *a = ebb_scope_begin(&post);
    EBB_ENTER(a);
    ebb_arena *copy = a;
    on_thread(begin_and_end, &copy);
    reports_start(&r);
    cr_assert_null(ebb_hook_malloc(10));
    cr_assert(r.misuse >= 1 && strstr(r.text, "ended"), "%s", r.all);
    ebb_scope_leave(NULL);
    reports_stop();
}

/* ---- current ----------------------------------------------------------------------------------- */

Test(misuse, a_forgotten_leave)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_scope_begin(&post), *copy = a;
    ebb_arena *previous = ebb_scope_enter(a);
    ebb_scope_end(&copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_scope_end(\"POST /vms\")", "still current"));
    cr_assert_not_null(strstr(r.text, "EBB_ENTER"), "%s", r.text);
    cr_assert_not_null(ebb_alloc(a, 100), "it was not ended");
    cr_assert_eq(ebb_scope_current(), a);
    ebb_scope_leave(previous);
    ebb_scope_end(&a);
    cr_assert_eq(reports_total(&r), 1u);
    reports_stop();
}

Test(misuse, a_forgotten_leave_around_a_created_arena)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_arena_create(NULL), *copy = a;
    ebb_arena *previous = ebb_scope_enter(a);
    ebb_arena_destroy(&copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_arena_destroy", "still current"));
    ebb_scope_leave(previous);
    ebb_arena_destroy(&a);
    reports_stop();
}

Test(misuse, detaching_what_is_current)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_scope_begin(&post), *copy = a;
    ebb_arena *previous = ebb_scope_enter(a);
    ebb_arena *same = ebb_scope_detach(&copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_scope_detach(\"POST /vms\")", "current"));
    (void)same;
    ebb_scope_leave(previous);
    ebb_scope_attach(a);
    ebb_scope_end(&a);
    reports_stop();
}

static int end_inside_its_try(ebb_arena *a, void *unused)
{
    (void)unused;
    ebb_arena *copy = a;
    ebb_scope_end(&copy);
    return 3;
}

Test(misuse, an_end_inside_its_own_try)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_scope_begin(&post);
    cr_assert_eq(ebb_try(a, end_inside_its_try, NULL), 3);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_scope_end(\"POST /vms\")", "ebb_try"));
    cr_assert_not_null(ebb_alloc(a, 10));
    ebb_scope_end(&a);
    reports_stop();
}

/* ---- open children ----------------------------------------------------------------------------- */

static ebb_profile part = EBB_PROFILE("part of it");

Test(misuse, open_children_are_ended_reported_and_it_goes_on)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_scope_begin(&post), *child = ebb_scope_begin_in(a, &part);
    ebb_defer(child, note, "c");
    ebb_defer(a, note, "p");
    ebb_scope_end(&a);
    cr_assert(reports_one(&r, EBB_MENDED, "ebb_scope_end(\"POST /vms\")", "\"part of it\""));
    cr_assert_not_null(strstr(r.text, "ebb_scope_keep_open"), "%s", r.text);
    cr_assert_str_eq(order, "cp");
    reports_stop();
}

static void leave_open_by_default(void *unused)
{
    (void)unused;
    ebb_arena *a = ebb_scope_begin(&post), *child = ebb_scope_begin_in(a, &part);
    ebb_alloc(child, 10);
    ebb_scope_end(&a);
    fputs("went on\n", stderr);
}

Test(misuse, open_children_never_abort)
{
    death d = in_child(leave_open_by_default, NULL);
    cr_assert(lived(&d));
    cr_assert(strstr(d.err, "part of it") && strstr(d.err, "went on"), "%s", d.err);
}

/* ---- the wrong thread (strict) ------------------------------------------------------------------ */

typedef struct elsewhere {
    ebb_arena *arena;
    ebb_mark mark;
    int which;
    bool did_nothing;
} elsewhere;

static void use_elsewhere(void *arg)
{
    elsewhere *e = arg;
    pthread_setname_np(pthread_self(), "stranger");
    e->did_nothing = use(e->which, e->arena, e->mark);
}

Test(misuse, use_from_the_wrong_thread_is_reported_on_every_call)
{
    pthread_setname_np(pthread_self(), "acceptor"); /* as the library first meets it */
    ebb_checks_set(EBB_CHECKS_STRICT);
    for (int which = 0; which < FIRST_THAT_MAY_ONLY_READ; which++) {
        if (which == 22) continue; /* attach is how the holder changes */
        if (which == 24) continue; /* a root that is parked may be ended by anyone */
        reports r;
        elsewhere e = {.arena = ebb_scope_begin(&post), .which = which};
        ebb_alloc(e.arena, 8);
        e.mark = ebb_arena_mark(e.arena);
        reports_start(&r);
        on_thread(use_elsewhere, &e);
        cr_assert_eq(r.misuse, 1u, "call %d: %u reports: %s", which, r.misuse, r.all);
        cr_assert(strstr(r.text, "(acceptor)") && strstr(r.text, "(stranger)"), "call %d: %s",
                  which, r.text);
        cr_assert(strstr(r.text, "detach there, attach here"), "call %d: %s", which, r.text);
        cr_assert(e.did_nothing, "call %d did something", which);
        cr_assert_not_null(ebb_alloc(e.arena, 8));
        ebb_scope_end(&e.arena);
        cr_assert_eq(reports_total(&r), 1u, "call %d: %s", which, r.all);
        reports_stop();
    }
}

static void try_there(void *arg)
{
    elsewhere *e = arg;
    e->did_nothing = ebb_alloc(e->arena, 8) == NULL;
}

Test(misuse, what_was_detached_belongs_to_who_comes_first)
{
    ebb_checks_set(EBB_CHECKS_STRICT);
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_scope_begin(&post);
    elsewhere e = {.arena = ebb_scope_detach(&a)};
    on_thread(try_there, &e);
    cr_assert(!e.did_nothing);
    cr_assert_eq(reports_total(&r), 0u, "%s", r.all);
    cr_assert_null(ebb_alloc(e.arena, 8), "now it is that thread's");
    cr_assert_eq(reports_total(&r), 1u);
    ebb_scope_attach(e.arena);
    cr_assert_not_null(ebb_alloc(e.arena, 8));
    ebb_scope_end(&e.arena);
    reports_stop();
}

Test(misuse, without_the_strict_checks_nobody_looks_at_threads)
{
    if (!layout_is_plain()) cr_skip_test("a tool makes every arena strict");
    reports r;
    reports_start(&r);
    elsewhere e = {.arena = ebb_scope_begin(&post)};
    on_thread(try_there, &e);
    cr_assert(!e.did_nothing);
    cr_assert_eq(reports_total(&r), 0u);
    ebb_scope_end(&e.arena);
    reports_stop();
}

/* ---- lexical scopes ---------------------------------------------------------------------------- */

Test(misuse, lexical_scopes_left_out_of_order)
{
    reports r;
    reports_start(&r);
    ebb__lexical outer, inner; /* as a switch of fibers between two EBB_SCOPEs would do */
    ebb_arena *a = ebb__lexical_begin(&outer, &post), *b = ebb__lexical_begin(&inner, &part);
    ebb__lexical_end(&outer);
    cr_assert(reports_one(&r, EBB_MISUSE, "EBB_SCOPE(\"POST /vms\")", "out of order"));
    cr_assert(ebb_alloc(a, 8) && ebb_alloc(b, 8));
    ebb__lexical_end(&inner);
    ebb__lexical_end(&outer);
    cr_assert_eq(reports_total(&r), 1u);
    reports_stop();
}

/* ---- the line ---------------------------------------------------------------------------------- */

/* function("object"): what, who before, what to do; on one line. */
Test(misuse, every_report_is_one_line_that_begins_with_the_call_and_its_object)
{
    reports r;
    reports_start(&r);
    for (int which = 0; which < USES; which++) {
        ebb_arena *a = ebb_scope_begin(&post), *stale = a;
        ebb_mark m = ebb_arena_mark(a);
        ebb_scope_end(&a);
        use(which, stale, m);
        char begin[160];
        snprintf(begin, sizeof begin, "%s(\"%s\"): ", r.function, r.object);
        cr_assert_eq(strncmp(r.text, begin, strlen(begin)), 0, "%s", r.text);
        cr_assert_null(strchr(r.text, '\n'), "%s", r.text);
        cr_assert_not_null(strchr(r.text, ';'), "what to do is missing: %s", r.text);
    }
    reports_stop();
}

Test(misuse, a_long_name_does_not_break_the_line)
{
    static char name[2000];
    memset(name, 'n', sizeof name - 1);
    reports r;
    reports_start(&r);
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = name;
    ebb_arena *a = ebb_arena_create(&params), *copy = a;
    ebb_scope_end(&copy);
    cr_assert_eq(r.misuse, 1u);
    ebb_arena_destroy(&a);
    reports_stop();
}

#if !TESTS_ASAN && !TESTS_TSAN
extern char ebb__last_misuse[];

/* Where a core dump shows it. */
Test(misuse, the_last_report_stays_in_a_variable)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_scope_begin(&post), *copy = a;
    ebb_scope_end(&a);
    ebb_scope_end(&copy);
    cr_assert_str_eq(ebb__last_misuse, r.text);
    reports_stop();
}
#endif

static void end_elsewhere(void *scope)
{
    ebb_scope_end(scope);
}

Test(misuse, a_parked_root_may_be_ended_elsewhere_where_checks_are_strict_too)
{
    ebb_checks_set(EBB_CHECKS_STRICT);
    ebb_arena *a = ebb_scope_begin(&post);
    ebb_alloc(a, 8);
    reports r;
    reports_start(&r);
    on_thread(end_elsewhere, &a);
    cr_assert_null(a);
    cr_assert_eq(reports_total(&r), 0u, "%s", r.all);
    reports_stop();
}

/* ---- from within a cleanup ---------------------------------------------------------------------- */

static ebb_arena *ending, *stray;

static void end_it(void *unused)
{
    (void)unused;
    ebb_arena *copy = ending;
    ebb_scope_end(&copy);
}

static void reset_it(void *unused)
{
    (void)unused;
    ebb_arena_reset(ending);
}

static void begin_a_child(void *unused)
{
    (void)unused;
    stray = ebb_scope_begin_in(ending, NULL);
    ebb_alloc(stray, 100);
}

Test(misuse, a_cleanup_that_ends_or_resets_what_is_ending)
{
    void (*const wrong[])(void *) = {end_it, reset_it};
    for (size_t i = 0; i < 2; i++) {
        reports r;
        ending = ebb_scope_begin(&post);
        ebb_arena *a = ending;
        ebb_defer(a, wrong[i], NULL);
        reports_start(&r);
        ebb_scope_end(&a);
        cr_assert(reports_one(&r, EBB_MISUSE, "cleanup", NULL), "%s", r.all);
        reports_stop();
        ebb_arena *b = ebb_scope_begin(&post), *c = ebb_scope_begin(&post);
        cr_assert_neq(b, c, "its head was handed out twice");
        ebb_scope_end(&b);
        ebb_scope_end(&c);
    }
}

Test(misuse, a_child_begun_by_a_cleanup_ends_with_its_parent)
{
    reports r;
    ending = ebb_scope_begin(&post);
    ebb_arena *a = ending;
    ebb_defer(a, begin_a_child, NULL);
    reports_start(&r);
    ebb_scope_end(&a);
    cr_assert(reports_one(&r, EBB_MENDED, "child", NULL), "%s", r.all);
    ebb_arena *copy = stray;
    ebb_scope_end(&copy);
    cr_assert_eq(r.misuse, 1u, "it has ended: %s", r.all);
    reports_stop();
}

/* ---- marks of others ---------------------------------------------------------------------------- */

Test(misuse, a_mark_of_another_arena)
{
    reports r;
    ebb_arena *a = ebb_arena_create(NULL), *b = ebb_arena_create(NULL);
    char *text = ebb_strdup(a, "a's");
    ebb_mark m = ebb_arena_mark(a);
    reports_start(&r);
    ebb_arena_rewind(b, m);
    cr_assert_eq(r.misuse, 1u, "%s", r.all);
    reports_stop();
    for (int i = 0; i < 20; i++) memset(ebb_alloc(b, 16), 'b', 16);
    cr_assert_str_eq(text, "a's");
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&b);
}

Test(misuse, a_child_that_is_current_when_its_parent_ends)
{
    reports r;
    ebb_arena *a = ebb_scope_begin(&post), *child = ebb_scope_begin_in(a, NULL);
    ebb_arena *none = ebb_scope_enter(child);
    (void)none;
    reports_start(&r);
    ebb_scope_end(&a);
    cr_assert_null(ebb_scope_current());
    reports_stop();
}
