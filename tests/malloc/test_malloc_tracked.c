/*
 * tests/malloc/test_malloc_tracked.c: trackers that count malloc too (ebb_tracker_params.system), in a
 * program that is linked with libebb-malloc.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <stdlib.h>
#include <string.h>

static ebb_tracker *begin_or_skip(ebb_watch whom, ebb_track_level level)
{
    ebb_status why = EBB_OK;
    ebb_tracker_params how = {.level = level, .system = true};
    ebb_tracker *t = ebb_tracker_begin("before", whom, &how, &why);
    if (!t && why == EBB_E_UNSUPPORTED) cr_skip_test("another malloc stands in front");
    cr_assert_not_null(t);
    return t;
}

static __attribute__((noinline)) void take_three(void)
{
    void *p = malloc(100), *q = calloc(3, 50);
    __asm__ volatile("" : "+r"(p), "+r"(q));
    p = realloc(p, 1000);
    __asm__ volatile("" : "+r"(p));
    free(p);
    free(q);
}

Test(malloc_tracked, it_counts_beside_arenas)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_tracker *t = begin_or_skip((ebb_watch){.this_thread = true}, EBB_TRACK_SITES);
    take_three();
    ebb_alloc(a, 10);
    ebb_totals seen;
    ebb_tracker_get_totals(t, &seen);
    take_three();
    ebb_tracker_end(&t);
    cr_assert_eq(seen.system_count, 3u);
    cr_assert_eq(seen.system_bytes, 1250u);
    cr_assert(seen.count == 1 && seen.bytes == 10);
    ebb_arena_destroy(&a);
}

Test(malloc_tracked, who_does_not_ask_is_not_told)
{
    ebb_tracker *both = begin_or_skip((ebb_watch){.this_thread = true}, EBB_TRACK_SITES);
    ebb_tracker *alone = ebb_tracker_begin("alone", (ebb_watch){.this_thread = true}, NULL, NULL);
    cr_assert_not_null(alone);
    take_three();
    ebb_totals seen, unseen;
    ebb_tracker_get_totals(alone, &unseen);
    ebb_tracker_get_totals(both, &seen);
    ebb_tracker_end(&alone);
    take_three();
    ebb_totals later;
    ebb_tracker_get_totals(both, &later);
    ebb_tracker_end(&both);
    cr_assert_eq(unseen.system_count, 0u);
    cr_assert(later.system_count >= seen.system_count + 3);
}

static const ebb_report_kind *kind_of(const ebb_report *r, const ebb_site *s)
{
    return &r->kind[s->kind];
}

static void expect_sites(ebb_track_level level)
{
    ebb_arena *mine = ebb_arena_create(NULL);
    ebb_tracker *t = begin_or_skip((ebb_watch){.this_thread = true}, level);
    take_three();
    ebb_report *r = ebb_tracker_report(t, mine);
    ebb_tracker_end(&t);
    cr_assert_not_null(r);
    uint64_t sites = 0, bytes = 0;
    for (size_t i = 0; i < r->site_count; i++) {
        const ebb_site *s = &r->site[i];
        if (!kind_of(r, s)->is_system) continue;
        cr_assert_str_eq(kind_of(r, s)->name, "malloc");
        sites++;
        bytes += s->bytes;
    }
    ebb_arena_destroy(&mine);
    cr_assert_eq(sites, 3u);
    cr_assert_eq(bytes, 1250u);
}

Test(malloc_tracked, its_places_are_a_kind_of_their_own)
{
    expect_sites(EBB_TRACK_SITES);
}

Test(malloc_tracked, with_stacks_too)
{
    expect_sites(EBB_TRACK_FULL);
}

static void take_on_another(void *unused)
{
    (void)unused;
    take_three();
}

Test(malloc_tracked, a_thread_is_watched_alone)
{
    ebb_tracker *t = begin_or_skip((ebb_watch){.this_thread = true}, EBB_TRACK_SITES);
    ebb_totals before, after;
    ebb_tracker_get_totals(t, &before);
    on_thread(take_on_another, NULL);
    ebb_tracker_get_totals(t, &after);
    ebb_tracker_end(&t);
    /* Making a thread takes memory here, but not the sizes that it takes itself. */
    cr_assert(after.system_count < before.system_count + 3);
}

Test(malloc_tracked, an_allowance_limits_it)
{
    ebb_arena *mine = ebb_arena_create(NULL);
    ebb_tracker *t = begin_or_skip((ebb_watch){.this_thread = true}, EBB_TRACK_SITES);
    take_three();
    const char *over =
        ebb_tracker_over(t, &(ebb_allowance){.count = 1000, .system_count = 2}, mine);
    cr_assert_not_null(over);
    cr_assert_null(ebb_tracker_over(t, &(ebb_allowance){.count = 1000, .system_count = 100}, mine));
    ebb_tracker_end(&t);
    ebb_arena_destroy(&mine);
}
