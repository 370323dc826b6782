/*
 * tests/unit/test_base.c: ebb/base.h: statuses, misuse reports, check levels.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- statuses ---------------------------------------------------------------------------------- */

Test(base, status_codes_are_frozen)
{
    cr_assert_eq(EBB_OK, 0);
    cr_assert_eq(EBB_E_MEMORY, -1);
    cr_assert_eq(EBB_E_LIMIT, -2);
    cr_assert_eq(EBB_E_EXHAUSTED, -3);
    cr_assert_eq(EBB_E_TIMEOUT, -4);
    cr_assert_eq(EBB_E_DUPLICATE, -5);
    cr_assert_eq(EBB_E_SYNTAX, -6);
    cr_assert_eq(EBB_E_RANGE, -7);
    cr_assert_eq(EBB_E_CYCLE, -8);
    cr_assert_eq(EBB_E_INVALID, -9);
    cr_assert_eq(EBB_E_IO, -10);
    cr_assert_eq(EBB_E_UNSUPPORTED, -11);
    cr_assert_eq(EBB_E_REFUSED, -12);
}

Test(base, each_status_has_its_text_and_its_name)
{
#define SAME(name, code, text)                                                                     \
    cr_assert_str_eq(ebb_status_text(code), text);                                                 \
    cr_assert_str_eq(ebb_status_name(code), #name);
    EBB_STATUSES(SAME)
#undef SAME
}

Test(base, a_code_that_is_not_ours_has_a_text_too)
{
    const int strange[] = {1, 404, -13, -1000000, 2147483647, -2147483647 - 1};
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        cr_assert_str_eq(ebb_status_text(strange[i]), "unknown status");
        cr_assert_str_eq(ebb_status_name(strange[i]), "?");
    }
}

Test(base, status_texts_are_static)
{
    cr_assert_eq((const void *)ebb_status_text(-1), (const void *)ebb_status_text(-1));
    cr_assert_eq((const void *)ebb_status_name(-1), (const void *)ebb_status_name(-1));
}

Test(base, feature_macros_are_0_or_1)
{
    cr_assert(EBB_HAS_SCOPE == 0 || EBB_HAS_SCOPE == 1);
    cr_assert(EBB_GNUC == 0 || EBB_GNUC == 1);
}

Test(base, the_version_is_that_of_the_header)
{
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", EBB_VERSION_MAJOR, EBB_VERSION_MINOR,
             EBB_VERSION_PATCH);
    cr_assert_str_eq(ebb_version(), text);
}

/* ---- reports ----------------------------------------------------------------------------------- */

typedef struct heard {
    int count;
    ebb_severity severity;
    char function[64], object[64], text[600];
} heard;

static void hear(void *ctx, const ebb_misuse *what)
{
    heard *h = ctx;
    h->count++;
    h->severity = what->severity;
    strncat(h->function, what->function, sizeof h->function - 1);
    strncat(h->object, what->object, sizeof h->object - 1);
    strncat(h->text, what->text, sizeof h->text - 1);
}

static ebb_profile named = EBB_PROFILE("POST /vms");

static void leave_a_child_open(void *unused)
{
    (void)unused;
    ebb_arena *a = ebb_scope_begin(&named);
    ebb_arena *child = ebb_scope_begin_in(a, NULL);
    ebb_alloc(child, 1);
    ebb_scope_end(&a);
}

static void end_what_was_created(void *unused)
{
    (void)unused;
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = "main pool";
    ebb_arena *a = ebb_arena_create(&params);
    ebb_arena *copy = a;
    ebb_scope_end(&a);
    ebb_arena_destroy(&copy);
}

Test(base, a_handler_gets_its_context_and_the_whole_report)
{
    heard h = {0};
    ebb_on_misuse(hear, &h);
    end_what_was_created(NULL);
    cr_assert_eq(h.count, 1);
    cr_assert_eq(h.severity, EBB_MISUSE);
    cr_assert_str_eq(h.function, "ebb_scope_end");
    cr_assert_str_eq(h.object, "main pool");
    cr_assert_eq(strncmp(h.text, "ebb_scope_end(\"main pool\"): ", 28), 0, "%s", h.text);
    cr_assert_not_null(strstr(h.text, "ebb_arena_destroy"), "%s", h.text);
}

Test(base, what_was_put_right_is_mended)
{
    heard h = {0};
    ebb_on_misuse(hear, &h);
    leave_a_child_open(NULL);
    cr_assert_eq(h.count, 1);
    cr_assert_eq(h.severity, EBB_MENDED);
    cr_assert_str_eq(h.object, "POST /vms");
}

static void count_report(void *ctx, const ebb_misuse *what)
{
    (void)what;
    ++*(int *)ctx;
}

Test(base, the_last_handler_set_is_the_one_asked)
{
    heard h = {0};
    int n = 0;
    ebb_on_misuse(hear, &h);
    ebb_on_misuse(count_report, &n);
    leave_a_child_open(NULL);
    cr_assert_eq(h.count, 0);
    cr_assert_eq(n, 1);
}

Test(base, by_default_misuse_is_printed_and_aborts)
{
    death d = in_child(end_what_was_created, NULL);
    cr_assert(died_saying(&d, "ebb_scope_end(\"main pool\")", "ebb_arena_destroy"));
}

Test(base, by_default_what_was_mended_is_printed_and_goes_on)
{
    death d = in_child(leave_a_child_open, NULL);
    cr_assert(lived(&d));
    cr_assert_not_null(strstr(d.err, "POST /vms"), "%s", d.err);
    char *line_end = strchr(d.err, '\n');
    cr_assert(line_end && line_end[1] == '\0', "one line, not: %s", d.err);
}

static void restore_the_default(void *unused)
{
    int n = 0;
    ebb_on_misuse(count_report, &n);
    ebb_on_misuse(NULL, NULL);
    end_what_was_created(unused);
}

Test(base, null_restores_the_default_handler)
{
    death d = in_child(restore_the_default, NULL);
    cr_assert(died_saying(&d, "ebb_scope_end", NULL));
}

Test(base, if_the_handler_returns_the_call_has_done_nothing)
{
    int n = 0;
    ebb_on_misuse(count_report, &n);
    ebb_arena *a = ebb_arena_create(NULL), *copy = a;
    char *p = ebb_strdup(a, "still here");
    ebb_scope_end(&copy);
    cr_assert_eq(n, 1);
    cr_assert_str_eq(p, "still here");
    cr_assert_not_null(ebb_alloc(a, 100));
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
    cr_assert_eq(n, 1);
}

static void report_from_here(void *unused)
{
    leave_a_child_open(unused);
}

Test(base, reports_come_from_any_thread)
{
    reports r;
    reports_start(&r);
    on_thread(report_from_here, NULL);
    cr_assert(reports_one(&r, EBB_MENDED, "POST /vms", NULL));
    reports_stop();
}

/* ---- check levels ------------------------------------------------------------------------------ */

Test(base, cheap_checks_are_the_default)
{
    if (getenv("EBB_CHECKS")) cr_skip_test("EBB_CHECKS is set");
    cr_assert_eq(ebb_checks_get(), EBB_CHECKS_CHEAP);
}

Test(base, a_level_set_is_in_force)
{
    for (int level = EBB_CHECKS_OFF; level <= EBB_CHECKS_VALIDATE; level++) {
        ebb_checks_set((ebb_checks)level);
        cr_assert_eq((int)ebb_checks_get(), level);
    }
}

Test(base, nothing_that_was_mended_is_reported_when_checks_are_off)
{
    reports r;
    reports_start(&r);
    ebb_checks_set(EBB_CHECKS_OFF);
    leave_a_child_open(NULL);
    cr_assert_eq(reports_total(&r), 0u, "%s", r.all);
    ebb_checks_set(EBB_CHECKS_CHEAP);
    leave_a_child_open(NULL);
    cr_assert_eq(reports_total(&r), 1u);
    reports_stop();
}

Test(base, what_prevents_corruption_is_reported_even_when_checks_are_off)
{
    reports r;
    reports_start(&r);
    ebb_checks_set(EBB_CHECKS_OFF);
    ebb_arena *a = ebb_scope_begin(NULL), *copy = a;
    ebb_scope_end(&a);
    ebb_scope_end(&copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_scope_end", "already ended"));
    reports_stop();
}

static void use(void *arena)
{
    *(void **)arena = ebb_alloc(*(ebb_arena **)arena, 8);
}

/* The owner is checked on every call only at the strict level, and only for arenas that began in it. */
Test(base, arenas_already_open_keep_their_level)
{
    if (!layout_is_plain()) cr_skip_test("a tool makes every arena strict");
    reports r;
    reports_start(&r);
    ebb_arena *before = ebb_arena_create(NULL);
    ebb_checks_set(EBB_CHECKS_STRICT);
    ebb_arena *after = ebb_arena_create(NULL);
    void *p = before, *q = after;
    cr_assert_not_null(ebb_alloc(after, 8));
    on_thread(use, &p);
    cr_assert_eq(reports_total(&r), 0u, "%s", r.all);
    cr_assert_not_null(p);
    on_thread(use, &q);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_alloc", "thread"));
    cr_assert_null(q);
    ebb_checks_set(EBB_CHECKS_CHEAP);
    ebb_arena_destroy(&before);
    ebb_arena_destroy(&after);
    reports_stop();
}

static void expect_level(void *value)
{
    const char *text = value;
    setenv("EBB_CHECKS", text, 1);
    if (ebb_checks_get() != (ebb_checks)(text[0] - '0')) _Exit(1);
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_arena_destroy(&a);
    if (ebb_checks_get() != (ebb_checks)(text[0] - '0')) _Exit(2);
}

Test(base, the_environment_sets_the_first_level)
{
    char values[][2] = {"0", "1", "2", "3"};
    for (int i = 0; i < 4; i++) {
        death d = in_child(expect_level, values[i]);
        cr_assert(lived(&d), "EBB_CHECKS=%s", values[i]);
        cr_assert_str_eq(d.err, "");
    }
}

static void expect_level_set(void *unused)
{
    (void)unused;
    setenv("EBB_CHECKS", "3", 1);
    ebb_checks_set(EBB_CHECKS_OFF);
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_arena_destroy(&a);
    if (ebb_checks_get() != EBB_CHECKS_OFF) _Exit(1);
}

Test(base, a_call_wins_over_the_environment)
{
    death d = in_child(expect_level_set, NULL);
    cr_assert(lived(&d));
}

static void start_with_a_wrong_level(void *value)
{
    setenv("EBB_CHECKS", value, 1);
    for (int i = 0; i < 3; i++) {
        ebb_arena *a = ebb_arena_create(NULL);
        ebb_arena_destroy(&a);
    }
    if (ebb_checks_get() != EBB_CHECKS_CHEAP) _Exit(1);
}

Test(base, a_wrong_level_in_the_environment_is_named_once_and_ignored)
{
    char values[][8] = {"4", "banana", "-1", "22", "2 "};
    for (int i = 0; i < 5; i++) {
        death d = in_child(start_with_a_wrong_level, values[i]);
        cr_assert(lived(&d), "EBB_CHECKS=%s", values[i]);
        char *at = strstr(d.err, "EBB_CHECKS");
        cr_assert(at && strstr(at, values[i]), "%s", d.err);
        cr_assert_null(strstr(at + 1, "EBB_CHECKS"), "named twice: %s", d.err);
    }
}
