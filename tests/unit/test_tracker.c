/*
 * tests/unit/test_tracker.c: ebb/track.h: where allocations are made, as reports, differences,
 * texts and allowances; from many threads, with many sites, and without memory.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* What follows each call keeps compilers from making one of two. */
#define HERE(n) __asm__ volatile("# %0" ::"i"(n) : "memory")

static _Thread_local void *volatile kept;

__attribute__((noinline)) static void ask_little(ebb_arena *a)
{
    kept = ebb_alloc(a, 16);
    HERE(1);
}

__attribute__((noinline)) static void ask_much(ebb_arena *a)
{
    kept = ebb_alloc(a, 4000);
    HERE(2);
}

static ebb_tracker *track(const char *name, ebb_watch whom)
{
    ebb_status why = EBB_OK;
    ebb_tracker *t = ebb_tracker_begin(name, whom, NULL, &why);
    cr_assert_not_null(t, "%s", ebb_status_text(why));
    return t;
}

static ebb_report *report(ebb_tracker *t, ebb_arena *into)
{
    ebb_report *r = ebb_tracker_report(t, into);
    cr_assert_not_null(r);
    return r;
}

/* ---- reports --------------------------------------------------------------------------------- */

Test(tracker, each_place_has_its_count)
{
    ebb_arena *a = ebb_arena_create(NULL), *into = ebb_arena_create(NULL);
    ebb_tracker *t = track("places", (ebb_watch){.arena = a});
    for (int i = 0; i < 7; i++) ask_little(a);
    ask_much(a);
    ebb_report *r = report(t, into);
    cr_assert_str_eq(r->name, "places");
    cr_assert_eq(r->totals.count, 8u);
    cr_assert_eq(r->totals.bytes, 7 * 16 + 4000u);
    cr_assert_eq(r->totals.dropped, 0u);
    cr_assert_eq(r->site_count, 2u);
    cr_assert(r->site[0].count == 1 && r->site[0].bytes == 4000);
    cr_assert(r->site[1].count == 7 && r->site[1].bytes == 7 * 16);
    ebb_report_sort(r, EBB_BY_COUNT);
    cr_assert(r->site[0].count == 7 && r->site[1].count == 1);
    ebb_tracker_end(&t);
    cr_assert_null(t);
    ask_little(a);
    cr_assert_eq(r->totals.count, 8u, "a report stays as it is");
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&into);
}

Test(tracker, scopes_are_counted_where_they_begin)
{
    static ebb_profile profile = EBB_PROFILE("tracked");
    ebb_tracker *t = track(NULL, (ebb_watch){.profile = &profile});
    for (int i = 0; i < 5; i++) {
        ebb_arena *a = ebb_scope_begin(&profile);
        ask_little(a);
        ebb_scope_end(&a);
    }
    ebb_arena *other = ebb_scope_begin(NULL);
    ask_little(other);
    ebb_totals all;
    ebb_tracker_get_totals(t, &all);
    cr_assert(all.begins == 5 && all.count == 5 && all.bytes == 80);
    cr_assert_str_eq(report(t, other)->name, "?");
    ebb_tracker_end(&t);
    ebb_scope_end(&other);
}

Test(tracker, trackers_overlap_as_they_like)
{
    ebb_arena *a = ebb_arena_create(NULL), *into = ebb_arena_create(NULL);
    ebb_tracker *outer = track("outer", (ebb_watch){.arena = a});
    ask_little(a);
    ebb_tracker *inner = track("inner", (ebb_watch){.arena = a});
    ask_little(a);
    ebb_tracker_end(&outer);
    ebb_tracker *late = track("late", (ebb_watch){.arena = a}); /* in the place of the first */
    ask_much(a);
    cr_assert_eq(report(inner, into)->totals.count, 2u);
    cr_assert_eq(report(inner, into)->site_count, 2u);
    cr_assert_eq(report(late, into)->totals.bytes, 4000u);
    cr_assert_eq(report(late, into)->site_count, 1u);
    ebb_tracker_end(&inner);
    ebb_tracker_end(&late);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&into);
}

Test(tracker, a_difference_is_what_came_between)
{
    ebb_arena *a = ebb_arena_create(NULL), *into = ebb_arena_create(NULL);
    ebb_tracker *t = track("difference", (ebb_watch){.arena = a});
    ask_little(a);
    ask_much(a);
    ebb_report *before = report(t, into);
    ask_little(a);
    ask_little(a);
    ebb_report *d = ebb_report_diff(report(t, into), before, into);
    cr_assert_eq(d->totals.count, 2u);
    cr_assert_eq(d->totals.bytes, 32u);
    cr_assert_eq(d->totals.by_class[5], 2u);
    cr_assert_eq(d->site_count, 1u);
    cr_assert(d->site[0].count == 2 && d->site[0].bytes == 32);
    ebb_report *none = ebb_report_diff(before, before, into);
    cr_assert(none->totals.count == 0 && none->site_count == 0);
    ebb_tracker_end(&t);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&into);
}

static void reports_no_earlier(const ebb_report *later, const ebb_report *earlier, ebb_arena *into)
{
    reports r;
    reports_start(&r);
    cr_assert_null(ebb_report_diff(later, earlier, into));
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_report_diff", "earlier"));
    reports_stop();
}

/* Numbers below zero would be a report of 2^64 allocations, and a kind that is not there be written
   to. */
Test(tracker, a_difference_needs_an_earlier_report_of_the_same_tracker)
{
    ebb_arena *a = ebb_arena_create(NULL), *into = ebb_arena_create(NULL);
    ebb_tracker *t = track("one", (ebb_watch){.arena = a}), *other;
    ebb_report *nothing = report(t, into);
    ask_little(a);
    ebb_report *little = report(t, into);
    other = track("other", (ebb_watch){.arena = a});
    ask_much(a);
    ask_much(a);
    ebb_report *much = report(t, into);
    reports_no_earlier(nothing, much, into);
    reports_no_earlier(little, much, into);
    reports_no_earlier(report(other, into), little, into);
    ebb_tracker_params full = {.level = EBB_TRACK_FULL};
    ebb_tracker_end(&other);
    other = ebb_tracker_begin("full", (ebb_watch){.arena = a}, &full, NULL);
    reports_no_earlier(much, report(other, into), into);
    cr_assert_null(ebb_arena_validate(into));
    ebb_tracker_end(&other);
    ebb_tracker_end(&t);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&into);
}

static ebb_profile arenas = EBB_PROFILE("arenas"); /* as what has no profile is called */

/* The later report has a kind of the same name before it. */
Test(tracker, a_difference_tells_kinds_of_one_name_apart)
{
    ebb_arena *into = ebb_arena_create(NULL), *other = ebb_arena_create(NULL);
    ebb_tracker *t = track("two kinds", (ebb_watch)EBB_WATCH_INIT);
    ebb_arena *scope = ebb_scope_begin(&arenas);
    for (int i = 0; i < 4; i++) ask_much(scope);
    ebb_report *before = report(t, into);
    ask_much(scope);
    ask_little(other);
    ebb_report *d = ebb_report_diff(report(t, into), before, into);
    cr_assert(d && d->kind_count == 2);
    cr_assert(d->kind[1].count == 1 && d->kind[1].bytes == 4000);
    ebb_tracker_end(&t);
    ebb_scope_end(&scope);
    ebb_arena_destroy(&other);
    ebb_arena_destroy(&into);
}

/* As where there was no memory for one, or the environment asks for none. */
Test(tracker, no_tracker_has_seen_nothing)
{
    ebb_arena *into = ebb_arena_create(NULL);
    ebb_tracker *none = NULL;
    ebb_totals totals;
    memset(&totals, 1, sizeof totals);
    ebb_tracker_get_totals(none, &totals);
    cr_assert(totals.count == 0 && totals.by_class[EBB_TRACK_CLASSES - 1] == 0);
    cr_assert_null(ebb_tracker_report(none, into));
    const char *over = ebb_tracker_over(none, &(ebb_allowance){.count = 1}, into);
    cr_assert(over && strstr(over, "no tracker"), "a test must not pass by testing nothing");
    ebb_tracker_end(&none);
    ebb_arena_destroy(&into);
}

__attribute__((noinline)) static void ask_for_copies(ebb_arena *a)
{
    char text[300];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    kept = ebb_strdup(a, "text");
    kept = ebb_strndup(a, "text", 2);
    kept = ebb_dup(a, "text", 4);
    kept = ebb_promote(a, text, 4);
    kept = ebb_printf(a, "%d", 4);
    kept = ebb_printf(a, "%s", text);
    kept = ebb_resize(a, kept, 300, 600);
    HERE(3);
}

Test(tracker, copies_are_their_callers)
{
    ebb_arena *a = ebb_arena_create(NULL), *into = ebb_arena_create(NULL);
    ebb_tracker *t = track("copies", (ebb_watch){.arena = a});
    ask_for_copies(a);
    ebb_report *r = report(t, into);
    cr_assert_eq(r->site_count, 7u);
    for (size_t i = 0; i < r->site_count; i++) {
        uintptr_t from = (uintptr_t)ask_for_copies, at = (uintptr_t)r->site[i].address;
        cr_assert(at > from && at - from < 2000, "%zx", (size_t)(at - from));
    }
    ebb_tracker_end(&t);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&into);
}

/* ---- many places ----------------------------------------------------------------------------- */

#define ONE(a)                                                                                     \
    kept = ebb_alloc(a, 8);                                                                        \
    HERE(__COUNTER__);
#define FOUR(a)    ONE(a) ONE(a) ONE(a) ONE(a)
#define SIXTEEN(a) FOUR(a) FOUR(a) FOUR(a) FOUR(a)
#define MANY(a)    SIXTEEN(a) SIXTEEN(a) SIXTEEN(a) SIXTEEN(a)
enum { PLACES = 4 * 64 };

__attribute__((noinline)) static void ask_everywhere(ebb_arena *a)
{
    MANY(a) MANY(a) MANY(a) MANY(a)
}

static void check_many(ebb_tracker *t, uint64_t times)
{
    ebb_arena *into = ebb_arena_create(NULL);
    ebb_report *r = report(t, into);
    cr_assert_eq(r->totals.count, times * PLACES);
    cr_assert_eq(r->totals.bytes, times * PLACES * 8);
    cr_assert_eq(r->totals.dropped, 0u);
    cr_assert_eq(r->site_count, (size_t)PLACES, "%zu", r->site_count);
    for (size_t i = 0; i < PLACES; i++)
        cr_assert(r->site[i].count == times && r->site[i].bytes == times * 8);
    ebb_arena_destroy(&into);
}

Test(tracker, a_table_grows_with_its_places)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_tracker *t = track("many", (ebb_watch){.arena = a});
    for (int i = 0; i < 3; i++) ask_everywhere(a);
    check_many(t, 3);
    ebb_tracker_end(&t);
    t = track("again", (ebb_watch){.arena = a}); /* nothing is left of the first */
    ask_everywhere(a);
    check_many(t, 1);
    ebb_tracker_end(&t);
    ebb_arena_destroy(&a);
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { THREADS = 6, TIMES = 40 };

static void *work(void *arg)
{
    static ebb_profile profile = EBB_PROFILE("worker");
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        ebb_arena *a = ebb_scope_begin(&profile);
        ask_everywhere(a);
        ebb_scope_end(&a);
    }
    return NULL;
}

static void work_at_once(void)
{
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++) cr_assert(!pthread_create(&thread[i], NULL, work, NULL));
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
}

/* The second lot takes over what the first has left, with what is in it. */
Test(tracker, what_threads_have_counted_stays_when_they_end)
{
    ebb_tracker *t = track("threads", (ebb_watch)EBB_WATCH_INIT);
    work_at_once();
    work_at_once();
    ebb_totals all;
    ebb_tracker_get_totals(t, &all);
    cr_assert_eq(all.begins, 2u * THREADS * TIMES);
    check_many(t, 2 * THREADS * TIMES);
    ebb_tracker_end(&t);
}

static long pages_mapped(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) cr_skip_test("there is no /proc");
    cr_assert_eq(fscanf(f, "%ld", &pages), 1);
    fclose(f);
    return pages;
}

static void ask_on_threads(int count)
{
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        cr_assert(!pthread_create(&thread, NULL, work, NULL));
        pthread_join(thread, NULL);
    }
}

Test(tracker, threads_that_come_and_go_take_no_more_and_more)
{
    enum { FEW = 8, MANY_MORE = 200 };
    ebb_tracker *t = track("short-lived", (ebb_watch)EBB_WATCH_INIT);
    ask_on_threads(FEW);
    long before = pages_mapped();
    ask_on_threads(MANY_MORE);
    long more = pages_mapped() - before;
    /* Valgrind and ThreadSanitizer map pages of their own for each thread. */
    if (!under_valgrind() && !TESTS_TSAN) cr_assert(more < MANY_MORE, "%ld pages", more);
    check_many(t, (FEW + MANY_MORE) * TIMES);
    ebb_tracker_end(&t);
}

Test(tracker, reports_are_made_while_others_allocate)
{
    ebb_arena *into = ebb_arena_create(NULL);
    ebb_tracker *t = track("meanwhile", (ebb_watch)EBB_WATCH_INIT);
    pthread_t thread[THREADS];
    uint64_t last = 0;
    for (int i = 0; i < THREADS; i++) cr_assert(!pthread_create(&thread[i], NULL, work, NULL));
    for (int i = 0; i < 200; i++) {
        ebb_totals now;
        ebb_tracker_get_totals(t, &now);
        cr_assert(now.count >= last);
        last = now.count;
        ebb_tracker *other = track("other", (ebb_watch)EBB_WATCH_INIT);
        report(t, into);
        ebb_tracker_end(&other);
        ebb_arena_reset(into);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    ebb_tracker_end(&t);
    ebb_arena_destroy(&into);
}

/* ---- text ------------------------------------------------------------------------------------ */

Test(tracker, a_text_names_functions_and_lines)
{
    ebb_arena *a = ebb_arena_create(NULL), *into = ebb_arena_create(NULL);
    ebb_tracker *t = track("with\na \033[31mname", (ebb_watch){.arena = a});
    ask_little(a);
    ask_much(a);
    ask_much(a);
    const char *text = ebb_report_text(report(t, into), 10, into).ptr;
    cr_assert_eq(strncmp(text, "with?a ?[31mname: 3 allocations, 8016 bytes, 0 scopes\n", 54), 0,
                 "%s", text);
    const char *first = strstr(text, "2        8000  "), *second = strstr(text, "1          16  ");
    cr_assert(first && second && first < second, "%s", text);
    if (strstr(text, "0x")) cr_skip_test("no debug information is read");
    cr_assert(strstr(text, "ask_much (test_tracker.c:"), "%s", text);
    cr_assert(strstr(text, "ask_little (test_tracker.c:"), "%s", text);
    cr_assert_null(strstr(text, "arena.h"), "%s", text);
    const char *shorter = ebb_report_text(report(t, into), 1, into).ptr;
    cr_assert(!strstr(shorter, "ask_little") && strstr(shorter, "1 more places\n"), "%s", shorter);
    ebb_tracker_end(&t);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&into);
}

/* Of eight bits, and what turns the direction of a line, as UTF-8; and what is no UTF-8. */
Test(tracker, a_text_steers_no_terminal)
{
    ebb_arena *a = ebb_arena_create(NULL), *into = ebb_arena_create(NULL);
    ebb_tracker *t = track("caf\xc3\xa9 \xc2\x9b"
                           "31m \xe2\x80\xae \x9b"
                           "2J",
                           (ebb_watch){.arena = a});
    const char *text = ebb_report_text(report(t, into), 10, into).ptr;
    const char *shown = "caf\xc3\xa9 ?31m ? \xef\xbf\xbd"
                        "2J: 0 allocations";
    cr_assert_eq(strncmp(text, shown, strlen(shown)), 0, "%s", text);
    ebb_tracker_end(&t);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&into);
}

Test(tracker, an_allowance_names_who_went_beyond_it)
{
    ebb_arena *a = ebb_arena_create(NULL), *into = ebb_arena_create(NULL);
    ebb_tracker *t = track("allowed", (ebb_watch){.arena = a});
    cr_assert_null(ebb_tracker_over(t, &(ebb_allowance){.count = 0}, into));
    ask_little(a);
    ask_little(a);
    cr_assert_null(ebb_tracker_over(t, &(ebb_allowance){.count = 2}, into));
    cr_assert_null(ebb_tracker_over(t, &(ebb_allowance){.count = 2, .bytes = 32}, into));
    const char *over = ebb_tracker_over(t, &(ebb_allowance){.count = 1}, into);
    cr_assert(over && strstr(over, "allowed: 2 allocations, 32 bytes"), "%s", over);
    cr_assert_not_null(ebb_tracker_over(t, &(ebb_allowance){.count = 2, .bytes = 31}, into));
    ebb_tracker_end(&t);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&into);
}

/* ---- no memory ------------------------------------------------------------------------------- */

Test(tracker, a_report_without_memory_is_none)
{
    ebb_arena *a = ebb_arena_create(NULL), *into = ebb_arena_create(NULL);
    ebb_tracker *t = track("poor", (ebb_watch){.arena = a});
    ask_everywhere(a);
    ebb_report *had = report(t, into);
    EBB_EACH_FAILURE (f, .arena = into) {
        ebb_report *r = ebb_tracker_report(t, into);
        ebb_report *d = ebb_report_diff(had, had, into);
        ebb_str text = ebb_report_text(had, 3, into);
        const char *over = ebb_tracker_over(t, &(ebb_allowance){.count = 1}, into);
        bool hit = ebb_fault_hits(f) > 0;
        cr_assert(hit || (r && d && text.len));
        cr_assert(over && (hit || !strstr(over, "no memory")));
        cr_assert_eq(ebb_failed(into), EBB_OK);
    }
    ebb_tracker_end(&t);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&into);
}
