/*
 * tests/unit/test_arena_life.c: ebb/arena.h: create and its params, destroy, reset, trim, wipe.
 */
#define _GNU_SOURCE
#include "test.h"

#include <ebb/ebb.h>

#include <stdlib.h>
#include <string.h>

enum { KIB = 1 << 10, MIB = 1 << 20 };

static ebb_arena_stats stats_of(const ebb_arena *a)
{
    ebb_arena_stats s;
    ebb_arena_get_stats(a, &s);
    return s;
}

static char order[64];

static void note(void *letter)
{
    strncat(order, letter, sizeof order - strlen(order) - 1);
}

/* ---- create ------------------------------------------------------------------------------------ */

Test(arena_life, null_params_are_all_defaults)
{
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert_not_null(a);
    cr_assert_eq(ebb_failed(a), EBB_OK);
    cr_assert_null(ebb_arena_validate(a));
    cr_assert_null(ebb_arena_parent(a));
    cr_assert_str_eq(ebb_arena_name(a), "?");
    ebb_arena_destroy(&a);
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    a = ebb_arena_create(&params);
    cr_assert_eq(ebb_failed(a), EBB_OK);
    ebb_arena_destroy(&a);
}

static void create_without_memory(void *source)
{
    test_source *s = source;
    s->fail_all = true;
    if (ebb_source_set(&s->source) != EBB_OK) _Exit(1);
    ebb_arena *a = ebb_arena_create(NULL), *b = ebb_arena_create(NULL);
    if (!a || ebb_failed(a) != EBB_E_MEMORY || ebb_failed(b) != EBB_E_MEMORY) _Exit(2);
    if (ebb_alloc(a, 1) || ebb_zalloc(a, 0) || ebb_strdup(a, "x") || ebb_resize(a, NULL, 0, 8))
        _Exit(3);
    if (ebb_arena_set_label(a, "x") || ebb_arena_set_limit(a, 0, 1, 0)) _Exit(4);
    ebb_mark m = ebb_arena_mark(a);
    ebb_arena_rewind(a, m);
    ebb_recover(a);
    ebb_arena_reset(a);
    ebb_arena_trim(a);
    if (ebb_alloc(a, 1) || ebb_failed(a) != EBB_E_MEMORY) _Exit(5);
    if (ebb_arena_validate(a) || ebb_arena_describe(a, b)) _Exit(6);
    order[0] = '\0';
    if (ebb_defer(a, note, "d") || strcmp(order, "d") != 0) _Exit(7);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&b);
    if (a || b) _Exit(8);
}

Test(arena_life, without_memory_it_has_failed_already)
{
    static test_source s;
    test_source_init(&s);
    death d = in_child(create_without_memory, &s);
    cr_assert(lived(&d));
}

static void expect_invalid(const ebb_arena_params *params)
{
    ebb_arena *a = ebb_arena_create(params);
    cr_assert_not_null(a);
    cr_assert_eq(ebb_failed(a), EBB_E_INVALID);
    cr_assert_null(ebb_alloc(a, 1));
    cr_assert_null(ebb_alloc(a, 0));
    cr_assert_null(ebb_resize(a, NULL, 0, 10));
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
    cr_assert_null(a);
}

Test(arena_life, params_that_make_no_sense_have_failed_already)
{
    static _Alignas(64) char buffer[4096];
    static test_source s;
    test_source_init(&s);
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.buffer = buffer;
    params.buffer_size = 511;
    expect_invalid(&params);
    params.buffer_size = 0;
    expect_invalid(&params);
    params.buffer_size = sizeof buffer;
    params.source = &s.source;
    expect_invalid(&params);
    params = (ebb_arena_params)EBB_ARENA_PARAMS_INIT;
    params.buffer_only = true;
    expect_invalid(&params);
    ebb_source broken = {NULL, NULL, NULL, 0};
    params.buffer_only = false;
    params.source = &broken;
    expect_invalid(&params);
}

Test(arena_life, the_first_chunk_fits_the_size_expected)
{
    if (!layout_is_plain()) cr_skip_test("red zones take room too");
    const size_t sizes[] = {1,    100,  256,      400,       960,       961,
                            3000, 4032, 60 * KIB, 500 * KIB, 600 * KIB, 3 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
        params.size = sizes[i];
        ebb_arena *a = ebb_arena_create(&params);
        for (size_t used = 0; used + 16 <= sizes[i]; used += 16)
            cr_assert_not_null(ebb_alloc(a, 16));
        cr_assert(stats_of(a).chunks <= 2, "%zu bytes took %u chunks", sizes[i],
                  stats_of(a).chunks);
        cr_assert_eq(stats_of(a).large, 0u);
        ebb_arena_destroy(&a);
    }
}

Test(arena_life, a_size_that_cannot_be_had_is_only_a_hint)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 63, SIZE_MAX / 2 + 1, SIZE_MAX / 2};
    for (size_t i = 0; i < 4; i++) {
        params.size = sizes[i];
        ebb_arena *a = ebb_arena_create(&params);
        cr_assert_not_null(ebb_alloc(a, 100));
        cr_assert_null(ebb_arena_validate(a));
        ebb_arena_destroy(&a);
    }
}

Test(arena_life, the_name_is_shown)
{
    static const char name[] = "session pool";
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = name;
    ebb_arena *a = ebb_arena_create(&params);
    cr_assert_eq((const void *)ebb_arena_name(a), (const void *)name, "kept, not copied");
    ebb_arena_destroy(&a);
}

Test(arena_life, a_created_arena_is_not_sticky_unless_it_says_so)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    for (int sticky = 0; sticky < 2; sticky++) {
        params.sticky = sticky;
        ebb_arena *a = ebb_arena_create(&params);
        cr_assert_null(ebb_alloc(a, SIZE_MAX / 2));
        cr_assert_eq(ebb_failed(a), EBB_E_MEMORY);
        cr_assert_eq(ebb_alloc(a, 10) == NULL, sticky);
        cr_assert_eq(ebb_failed(a), EBB_E_MEMORY, "remembered either way");
        ebb_arena_destroy(&a);
    }
}

Test(arena_life, an_arena_that_began_failed_cannot_be_recovered)
{
    static char buffer[600];
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.buffer = buffer;
    params.buffer_size = 500;
    params.buffer_only = true;
    ebb_arena *a = ebb_arena_create(&params);
    ebb_recover(a);
    cr_assert_eq(ebb_failed(a), EBB_E_INVALID);
    cr_assert_null(ebb_alloc(a, 1));
    ebb_arena_reset(a);
    cr_assert_eq(ebb_failed(a), EBB_E_INVALID);
    cr_assert_null(ebb_alloc(a, 1));
    ebb_arena_destroy(&a);
}

/* ---- over a buffer ----------------------------------------------------------------------------- */

static bool inside(const char *buffer, size_t size, const void *ptr, size_t n)
{
    const char *p = ptr;
    return p >= buffer && n <= size && p <= buffer + size - n;
}

static ebb_arena *over(void *buffer, size_t size, bool only)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.buffer = buffer;
    params.buffer_size = size;
    params.buffer_only = only;
    return ebb_arena_create(&params);
}

Test(arena_life, a_buffer_is_used_first)
{
    static _Alignas(64) char buffer[4096];
    ebb_arena *a = over(buffer, sizeof buffer, false);
    cr_assert(inside(buffer, sizeof buffer, a, 64), "the control block too");
    size_t in = 0;
    char *p;
    while (inside(buffer, sizeof buffer, p = ebb_alloc(a, 50), 50)) {
        in += 64;
        pattern_fill(p, 50, in);
        cr_assert(in <= sizeof buffer);
    }
    cr_assert_not_null(p);
    if (layout_is_plain()) cr_assert(in >= sizeof buffer - 512, "only %zu of it", in);
    for (int i = 0; i < 1000; i++) cr_assert_not_null(memset(ebb_alloc(a, 100), i, 100));
    cr_assert_eq(ebb_failed(a), EBB_OK);
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
    memset(buffer, 0, sizeof buffer); /* the caller's again, under any tool */
}

Test(arena_life, nothing_else_is_taken_until_the_buffer_is_full)
{
    static test_source s;
    test_source_init(&s);
    static _Alignas(64) char buffer[4096];
    ebb_source_set(&s.source);
    ebb_arena *warm = ebb_arena_create(NULL);
    size_t before = s.allocs;
    ebb_arena *a = over(buffer, sizeof buffer, false);
    for (int i = 0; i < 10; i++) ebb_alloc(a, 100);
    cr_assert_eq(s.allocs, before);
    cr_assert(stats_of(a).held <= sizeof buffer);
    cr_assert_eq(stats_of(a).chunks, 1u);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&warm);
}

Test(arena_life, with_buffer_only_the_buffer_is_all)
{
    static _Alignas(64) char buffer[8192];
    ebb_arena *a = over(buffer, sizeof buffer, true);
    cr_assert_null(ebb_alloc(a, sizeof buffer));
    cr_assert_null(ebb_alloc(a, 10 * MIB));
    cr_assert_null(ebb_resize(a, NULL, 0, sizeof buffer));
    int n = 0;
    for (char *p; (p = ebb_alloc_aligned(a, 100, 1)); n++) {
        cr_assert(inside(buffer, sizeof buffer, p, 100));
        memset(p, n, 100);
    }
    cr_assert_eq(ebb_failed(a), EBB_E_MEMORY);
    ebb_recover(a);
    cr_assert_null(ebb_alloc(a, 100), "there is no reserve beyond it either");
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_reset(a);
    int again = 0;
    while (ebb_alloc_aligned(a, 100, 1)) again++;
    cr_assert_eq(n, again);
    ebb_arena_destroy(&a);
    memset(buffer, 0, sizeof buffer);
}

Test(arena_life, the_least_buffer_may_lie_anywhere)
{
    static char raw[512 + 64];
    for (size_t skew = 0; skew < 64; skew++) {
        memset(raw, 0x3c, sizeof raw);
        ebb_arena *a = over(raw + skew, 512, true);
        cr_assert_eq(ebb_failed(a), EBB_OK);
        if (layout_is_plain()) cr_assert_not_null(ebb_alloc(a, 64), "at %zu", skew);
        for (char *p; (p = ebb_alloc(a, 3));) {
            cr_assert(inside(raw + skew, 512, p, 3));
            cr_assert(is_aligned(p, EBB_ALIGN_DEFAULT));
            memset(p, 1, 3);
        }
        ebb_arena_destroy(&a);
        cr_assert_eq(bytes_check(raw, 0x3c, skew), skew, "before the buffer");
        cr_assert_eq(bytes_check(raw + skew + 512, 0x3c, 64 - skew), 64 - skew, "behind it");
    }
}

Test(arena_life, extras_work_over_a_buffer_too)
{
    static _Alignas(64) char buffer[4096];
    ebb_arena *a = over(buffer, sizeof buffer, true);
    cr_assert(ebb_arena_set_label(a, "on the stack"));
    cr_assert_str_eq(ebb_arena_name(a), "on the stack");
    cr_assert(ebb_scope_set_data(a, buffer));
    cr_assert_eq(ebb_scope_data(a), (void *)buffer);
    cr_assert(ebb_defer(a, note, "a"));
    cr_assert(ebb_arena_set_limit(a, 0, 64 * KIB, 0));
    ebb_arena *child = ebb_scope_begin_in(a, NULL);
    cr_assert_not_null(ebb_alloc(child, 100));
    ebb_scope_end(&child);
    ebb_arena_destroy(&a);
    cr_assert_str_eq(order, "a");
}

/* ---- with a source of its own ------------------------------------------------------------------ */

Test(arena_life, all_bytes_come_from_the_arenas_source)
{
    static test_source s;
    test_source_init(&s);
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.source = &s.source;
    ebb_arena *a = ebb_arena_create(&params);
    rng r = {1};
    for (int i = 0; i < 2000; i++) {
        size_t size = rng_one_in(&r, 50) ? rng_below(&r, MIB) : rng_below(&r, 300);
        size_t align = (size_t)1 << rng_below(&r, 13);
        char *p = ebb_alloc_aligned(a, size, align);
        cr_assert(is_aligned(p, align));
        cr_assert(test_source_has(&s, p, size));
        cr_assert_null(ebb_arena_of(p));
        memset(p, i, size);
    }
    char *grown = ebb_resize(a, NULL, 0, 10);
    for (size_t n = 10; n < 100 * KIB; n += 1000) grown = ebb_resize(a, grown, n, n + 1000);
    cr_assert(test_source_has(&s, grown, 100 * KIB));
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
    cr_assert_eq(s.live, 0u);
    cr_assert_eq(s.wrong_frees, 0u);
    cr_assert_eq(s.wrong_requests, 0u);
}

Test(arena_life, a_source_of_little_alignment_will_do)
{
    for (size_t max_align = 8; max_align <= 64; max_align *= 2) {
        static test_source s;
        test_source_init(&s);
        s.source.max_align = max_align;
        s.skew = (unsigned)max_align;
        ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
        params.source = &s.source;
        ebb_arena *a = ebb_arena_create(&params);
        for (size_t align = 1; align <= 2 * MIB; align *= 2) {
            char *p = ebb_alloc_aligned(a, 33, align);
            cr_assert(is_aligned(p, align));
            cr_assert(test_source_has(&s, p, 33));
            memset(p, 1, 33);
        }
        for (size_t i = 0; i < s.count; i++) cr_assert(s.block[i].align <= max_align);
        ebb_arena_destroy(&a);
        cr_assert_eq(s.live, 0u);
        test_source_fini(&s);
    }
}

Test(arena_life, a_source_that_refuses_fails_the_allocation)
{
    static test_source s;
    test_source_init(&s);
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.source = &s.source;
    ebb_arena *a = ebb_arena_create(&params);
    s.fail_all = true;
    cr_assert_null(ebb_alloc(a, 100));
    cr_assert_eq(ebb_failed(a), EBB_E_MEMORY);
    s.fail_all = false;
    cr_assert_not_null(ebb_alloc(a, 100));
    ebb_arena_destroy(&a);
    cr_assert_eq(s.live, 0u);
}

Test(arena_life, a_refused_block_is_not_charged)
{
    static test_source s;
    test_source_init(&s);
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.source = &s.source;
    params.hard = MIB;
    ebb_arena *a = ebb_arena_create(&params);
    size_t charged = stats_of(a).charged;
    s.fail_all = true;
    for (int i = 0; i < 100; i++) cr_assert_null(ebb_alloc(a, 100 * KIB));
    cr_assert_eq(ebb_failed(a), EBB_E_MEMORY);
    cr_assert_eq(stats_of(a).charged, charged);
    s.fail_all = false;
    cr_assert_not_null(ebb_alloc(a, 500 * KIB));
    ebb_arena_destroy(&a);
}

Test(arena_life, a_source_that_breaks_its_promise_of_alignment_is_refused)
{
    static test_source s;
    test_source_init(&s);
    s.skew = 4;
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.source = &s.source;
    ebb_arena *a = ebb_arena_create(&params);
    cr_assert_null(ebb_alloc(a, 100));
    cr_assert_eq(ebb_failed(a), EBB_E_MEMORY);
    cr_assert_eq(s.live, 0u, "what is of no use is given back");
    ebb_arena_destroy(&a);
}

Test(arena_life, reset_and_trim_with_a_source_of_its_own)
{
    static test_source s;
    test_source_init(&s);
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.source = &s.source;
    ebb_arena *a = ebb_arena_create(&params);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) memset(ebb_alloc(a, 1000), 1, 1000);
        ebb_arena_reset(a);
        cr_assert_null(ebb_arena_validate(a));
    }
    ebb_arena_trim(a);
    cr_assert_eq(s.live, 0u, "nothing is used, so nothing is kept");
    cr_assert_not_null(memset(ebb_alloc(a, 10), 1, 10));
    ebb_arena_destroy(&a);
    cr_assert_eq(s.live, 0u);
    cr_assert_eq(s.wrong_frees, 0u);
}

/* ---- destroy ----------------------------------------------------------------------------------- */

Test(arena_life, destroy_nulls_the_handle_and_ignores_a_null_one)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_arena_destroy(&a);
    cr_assert_null(a);
    ebb_arena_destroy(&a);
    cr_assert_null(a);
}

struct owner {
    ebb_arena *self;
    char rest[5000];
};

Test(arena_life, the_handle_may_lie_inside_the_arena)
{
    for (int i = 0; i < 50; i++) {
        ebb_arena *a = ebb_arena_create(NULL);
        struct owner *o = ebb_new(a, struct owner);
        o->self = a;
        for (int k = 0; k < i; k++) ebb_alloc(a, 500);
        ebb_arena_destroy(&o->self);
    }
}

Test(arena_life, destroy_runs_cleanups_newest_first)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_defer(a, note, "a");
    ebb_alloc(a, 100 * KIB);
    ebb_defer(a, note, "b");
    ebb_alloc(a, 3000);
    ebb_defer(a, note, "c");
    ebb_arena_destroy(&a);
    cr_assert_str_eq(order, "cba");
}

Test(arena_life, destroy_ends_children_first_and_reports_them)
{
    reports r;
    reports_start(&r);
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = "pool";
    ebb_arena *a = ebb_arena_create(&params);
    ebb_arena *first = ebb_scope_begin_in(a, NULL), *second = ebb_scope_begin_in(a, NULL);
    ebb_defer(a, note, "p");
    ebb_defer(first, note, "1");
    ebb_defer(second, note, "2");
    ebb_arena_destroy(&a);
    cr_assert_str_eq(order, "21p");
    cr_assert_eq(r.mended, 2u);
    cr_assert_eq(r.misuse, 0u);
    cr_assert_not_null(strstr(r.text, "pool"), "%s", r.text);
    reports_stop();
}

/* ---- reset ------------------------------------------------------------------------------------- */

Test(arena_life, reset_forgets_objects_and_runs_cleanups)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (int round = 0; round < 4; round++) {
        order[0] = '\0';
        ebb_defer(a, note, "a");
        for (int i = 0; i < 100; i++) ebb_alloc(a, 700);
        ebb_alloc(a, 3 * MIB);
        char *grown = ebb_resize(a, ebb_resize(a, NULL, 0, 10), 10, 50);
        memset(grown, 1, 50);
        ebb_defer(a, note, "b");
        ebb_arena_reset(a);
        cr_assert_str_eq(order, "ba");
        cr_assert_eq(stats_of(a).used, 0u);
        cr_assert_eq(stats_of(a).large, 0u);
        cr_assert_eq(stats_of(a).cleanups, 0u);
        cr_assert_null(ebb_arena_validate(a));
    }
    ebb_arena_destroy(&a);
    cr_assert_str_eq(order, "ba", "once only");
}

Test(arena_life, reset_clears_a_failure)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.sticky = true;
    ebb_arena *a = ebb_arena_create(&params);
    cr_assert_null(ebb_alloc(a, SIZE_MAX / 2));
    cr_assert_null(ebb_alloc(a, 1));
    ebb_arena_reset(a);
    cr_assert_eq(ebb_failed(a), EBB_OK);
    cr_assert_not_null(ebb_alloc(a, 1));
    ebb_arena_destroy(&a);
}

Test(arena_life, reset_keeps_memory)
{
    if (!layout_is_plain()) cr_skip_test("blocks are held back under this tool");
    ebb_arena *a = ebb_arena_create(NULL);
    size_t empty = stats_of(a).held;
    for (int i = 0; i < 3; i++) ebb_alloc(a, 1000);
    size_t held = stats_of(a).held;
    cr_assert(held > empty);
    ebb_arena_reset(a);
    cr_assert_eq(stats_of(a).held, held, "its first chunk is kept if that was all");
    uint32_t chunks = 0;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 100; i++) ebb_alloc(a, 1000);
        chunks = stats_of(a).chunks;
        ebb_arena_reset(a);
    }
    cr_assert(chunks <= 2, "a round still takes %u chunks", chunks);
    ebb_arena_destroy(&a);
}

Test(arena_life, reset_ends_children_and_reports_them)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_arena *child = ebb_scope_begin_in(a, NULL);
    ebb_defer(child, note, "c");
    ebb_arena_reset(a);
    cr_assert_str_eq(order, "c");
    cr_assert(reports_one(&r, EBB_MENDED, "ebb_arena_reset", "child"));
    cr_assert_eq(stats_of(a).children, 0u);
    ebb_arena_destroy(&a);
    cr_assert_eq(reports_total(&r), 1u);
    reports_stop();
}

Test(arena_life, marks_from_before_a_reset_are_dead)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_defer(a, note, "x");
    ebb_mark m = ebb_arena_mark(a);
    ebb_arena_reset(a);
    char *p = ebb_strdup(a, "new");
    ebb_arena_rewind(a, m);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_arena_rewind", "no longer valid"));
    cr_assert_str_eq(p, "new");
    ebb_arena_destroy(&a);
    reports_stop();
}

Test(arena_life, an_empty_arena_may_be_reset)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (int i = 0; i < 3; i++) ebb_arena_reset(a);
    cr_assert_not_null(ebb_alloc(a, 10));
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

static ebb_arena *busy;

static void work_in_cleanup(void *letter)
{
    note(letter);
    memset(ebb_alloc(busy, 20 * KIB), 1, 20 * KIB);
    for (int i = 0; i < 100; i++) memset(ebb_alloc(busy, 100), 1, 100);
}

Test(arena_life, cleanups_may_allocate_while_the_arena_is_reset_or_destroyed)
{
    busy = ebb_arena_create(NULL);
    for (int i = 0; i < 3; i++) {
        ebb_defer(busy, work_in_cleanup, "a");
        for (int k = 0; k < 50; k++) ebb_alloc(busy, 1000);
        ebb_defer(busy, work_in_cleanup, "b");
        if (i == 2) break;
        ebb_arena_reset(busy);
        cr_assert_null(ebb_arena_validate(busy));
        cr_assert_eq(stats_of(busy).used, 0u);
    }
    ebb_arena *a = busy; /* the handle is nulled before the cleanups run */
    ebb_arena_destroy(&a);
    cr_assert_str_eq(order, "bababa");
}

/* ---- trim -------------------------------------------------------------------------------------- */

Test(arena_life, trim_lets_go_of_unused_chunks)
{
    if (!layout_is_plain()) cr_skip_test("blocks are held back under this tool");
    ebb_arena *a = ebb_arena_create(NULL);
    size_t empty = stats_of(a).held;
    for (int i = 0; i < 3; i++) ebb_alloc(a, 1000);
    size_t most = stats_of(a).held;
    ebb_arena_reset(a);
    cr_assert(stats_of(a).held > empty);
    ebb_arena_trim(a);
    cr_assert_eq(stats_of(a).held, empty);
    cr_assert_eq(stats_of(a).chunks, 1u);
    cr_assert(stats_of(a).peak >= most);
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

Test(arena_life, trim_leaves_objects_alone)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *p[300];
    for (size_t i = 0; i < 300; i++) pattern_fill(p[i] = ebb_alloc(a, 100 + i), 100 + i, i);
    size_t used = stats_of(a).used;
    ebb_arena_trim(a);
    cr_assert_eq(stats_of(a).used, used);
    for (size_t i = 0; i < 300; i++) cr_assert_eq(pattern_check(p[i], 100 + i, i), 100 + i);
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

Test(arena_life, an_announced_size_may_be_trimmed)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.size = 3 * MIB;
    ebb_arena *a = ebb_arena_create(&params);
    cr_assert(stats_of(a).held >= 3 * MIB);
    ebb_arena_trim(a);
    cr_assert(stats_of(a).held <= KIB);
    cr_assert(stats_of(a).peak >= 3 * MIB);
    cr_assert_not_null(ebb_alloc(a, 100));
    ebb_arena_destroy(&a);
}

/* A mark may refer to what trim would like to let go. */
Test(arena_life, trim_between_mark_and_rewind)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = ebb_strdup(a, "before");
    for (int i = 0; i < 20; i++) {
        ebb_mark outer = ebb_arena_mark(a);
        for (int k = 0; k < 60 * i; k++) ebb_alloc(a, 100);
        ebb_mark inner = ebb_arena_mark(a);
        for (int k = 0; k < 60 * i; k++) ebb_alloc(a, 100);
        ebb_arena_trim(a);
        ebb_arena_rewind(a, inner);
        ebb_arena_trim(a);
        cr_assert_null(ebb_arena_validate(a));
        ebb_arena_rewind(a, inner);
        ebb_arena_trim(a);
        ebb_arena_rewind(a, outer);
        ebb_arena_trim(a);
        cr_assert_null(ebb_arena_validate(a));
        cr_assert_str_eq(p, "before");
    }
    ebb_arena_destroy(&a);
}

/* An empty chunk that a mark refers to stays, also when newer records have come and gone. */
Test(arena_life, trim_leaves_an_empty_chunk_that_a_mark_needs)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = ebb_resize(a, NULL, 0, 3000);
    cr_assert_eq(ebb_resize(a, p, 3000, 0), (void *)p);
    ebb_mark m = ebb_arena_mark(a);
    for (int i = 0; i < 3; i++) {
        ebb_defer(a, note, "d");
        ebb_alloc(a, 300 * KIB);
        ebb_arena_rewind(a, m);
        ebb_arena_trim(a);
        cr_assert_null(ebb_arena_validate(a));
    }
    ebb_arena_rewind(a, m);
    cr_assert_eq(reports_total(&r), 0u, "%s", r.all);
    cr_assert_str_eq(order, "ddd");
    ebb_arena_destroy(&a);
    reports_stop();
}

/* ---- wipe -------------------------------------------------------------------------------------- */

enum { SECRET = 0x5e };

/* A run of them: an address may have one. */
static bool has_secret(const void *ptr, size_t size)
{
    static const char run[] = {SECRET, SECRET, SECRET, SECRET, SECRET,
                               SECRET, SECRET, SECRET, SECRET};
    return memmem(ptr, size, run, sizeof run) != NULL;
}

static void expect_wiped(test_source *s)
{
    for (size_t i = 0; i < s->count; i++)
        cr_assert(!has_secret(s->block[i].ptr, s->block[i].size), "in block %zu", i);
}

static ebb_arena *wiping(test_source *s)
{
    test_source_init(s);
    s->keep = true;
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.source = &s->source;
    params.wipe = true;
    return ebb_arena_create(&params);
}

static char *secret(ebb_arena *a, size_t size)
{
    return memset(ebb_alloc(a, size), SECRET, size);
}

/* Freed memory is poisoned under ASan, so it can't be looked at there. */
#define SKIP_IF_POISONED()                                                                         \
    if (!layout_is_plain()) cr_skip_test("what was freed is poisoned under this tool")

Test(arena_life, wipe_zeroes_on_destroy)
{
    SKIP_IF_POISONED();
    static test_source s;
    ebb_arena *a = wiping(&s);
    for (int i = 0; i < 200; i++) secret(a, 100);
    secret(a, 700 * KIB);
    char *p = memset(ebb_resize(a, NULL, 0, 500), SECRET, 500);
    p = ebb_resize(a, p, 500, 60 * KIB);
    memset(p, SECRET, 60 * KIB);
    ebb_arena_destroy(&a);
    expect_wiped(&s);
    test_source_fini(&s);
}

Test(arena_life, wipe_zeroes_on_reset)
{
    SKIP_IF_POISONED();
    static test_source s;
    ebb_arena *a = wiping(&s);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) secret(a, 100);
        secret(a, 300 * KIB);
        memset(ebb_resize(a, NULL, 0, 500), SECRET, 500);
        ebb_arena_reset(a);
        expect_wiped(&s);
    }
    ebb_arena_destroy(&a);
    test_source_fini(&s);
}

Test(arena_life, wipe_zeroes_on_rewind)
{
    SKIP_IF_POISONED();
    static test_source s;
    ebb_arena *a = wiping(&s);
    char *kept = memset(ebb_alloc(a, 100), 'k', 100);
    char *open = memset(ebb_resize(a, NULL, 0, 100), 'o', 100);
    for (int round = 0; round < 3; round++) {
        ebb_mark m = ebb_arena_mark(a);
        for (int i = 0; i < 20 * round; i++) secret(a, 100);
        memset(ebb_resize(a, NULL, 0, 50), SECRET, 50);
        if (round == 2) secret(a, 300 * KIB);
        ebb_arena_rewind(a, m);
        expect_wiped(&s);
    }
    cr_assert_eq(bytes_check(kept, 'k', 100), 100u);
    cr_assert_eq(bytes_check(open, 'o', 100), 100u);
    ebb_arena_destroy(&a);
    test_source_fini(&s);
}

Test(arena_life, wipe_zeroes_on_shrink)
{
    SKIP_IF_POISONED();
    static test_source s;
    ebb_arena *a = wiping(&s);
    char *open = memset(ebb_resize(a, NULL, 0, 300), SECRET, 300);
    char *closed = secret(a, 300), *large = secret(a, 100 * KIB);
    cr_assert_eq(ebb_resize(a, open, 300, 4), (void *)open);
    cr_assert_eq(ebb_resize(a, closed, 300, 4), (void *)closed);
    cr_assert_eq(ebb_resize(a, large, 100 * KIB, 4), (void *)large);
    expect_wiped(&s);
    cr_assert_eq(bytes_check(open, SECRET, 4), 4u);
    cr_assert_eq(bytes_check(closed, SECRET, 4), 4u);
    cr_assert_eq(bytes_check(large, SECRET, 4), 4u);
    ebb_arena_destroy(&a);
    test_source_fini(&s);
}

Test(arena_life, wipe_zeroes_what_a_move_left_behind_by_the_end)
{
    SKIP_IF_POISONED();
    static test_source s;
    ebb_arena *a = wiping(&s);
    char *p = NULL;
    for (size_t n = 0; n < 200 * KIB; n += 777) {
        p = ebb_resize(a, p, n, n + 777);
        memset(p + n, SECRET, 777);
        ebb_alloc(a, 20);
    }
    ebb_arena_destroy(&a);
    expect_wiped(&s);
    test_source_fini(&s);
}

Test(arena_life, without_wipe_nothing_is_zeroed_behind_the_owners_back)
{
    SKIP_IF_POISONED();
    static test_source s;
    test_source_init(&s);
    s.keep = true;
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.source = &s.source;
    ebb_arena *a = ebb_arena_create(&params);
    secret(a, 3000);
    ebb_arena_destroy(&a);
    bool found = false;
    for (size_t i = 0; i < s.count; i++) found |= has_secret(s.block[i].ptr, s.block[i].size);
    cr_assert(found, "this test could not see a wipe that is missing");
    test_source_fini(&s);
}

Test(arena_life, wipe_over_a_buffer)
{
    static _Alignas(64) char buffer[8192];
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.buffer = buffer;
    params.buffer_size = sizeof buffer;
    params.wipe = params.buffer_only = true;
    ebb_arena *a = ebb_arena_create(&params);
    secret(a, 1000);
    memset(ebb_resize(a, NULL, 0, 1000), SECRET, 1000);
    ebb_arena_destroy(&a);
    cr_assert(!has_secret(buffer, sizeof buffer));
}

Test(arena_life, what_a_wiping_arena_adopts_is_wiped)
{
    SKIP_IF_POISONED();
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.wipe = true;
    ebb_arena *into = ebb_arena_create(&params), *child = ebb_arena_create(NULL);
    const char *p = secret(child, 100);
    ebb_arena_adopt(into, &child);
    ebb_arena_destroy(&into);
    cr_assert(!has_secret(p, 100));
}
