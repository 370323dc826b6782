/*
 * tests/unit/test_compat_malloc.c: ebb/compat/malloc.h: malloc-shaped hooks over the current scope.
 */
#include "test.h"

#include <ebb/compat/malloc.h>
#include <ebb/ebb.h>

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { KIB = 1 << 10, MIB = 1 << 20 };

static ebb_arena_stats stats_of(const ebb_arena *a)
{
    ebb_arena_stats s;
    ebb_arena_get_stats(a, &s);
    return s;
}

static size_t variable(size_t n)
{
    volatile size_t v = n;
    return v;
}

/* ---- the heap ---------------------------------------------------------------------------------- */

Test(compat_malloc, without_a_scope_blocks_are_the_heaps)
{
    char *p = ebb_hook_malloc(100), *q = ebb_hook_calloc(10, 10), *r = ebb_hook_strdup("text");
    cr_assert(p && q && r);
    cr_assert(!ebb_arena_of(p) && !ebb_arena_of(q) && !ebb_arena_of(r));
    cr_assert_eq(bytes_check(q, 0, 100), 100u);
    cr_assert_str_eq(r, "text");
    p = ebb_hook_realloc(p, 5000);
    memset(p, 1, 5000);
    cr_assert_eq(ebb_hook_size(p), 0u);
    free(p); /* ordinary malloc blocks */
    ebb_hook_free(q);
    ebb_hook_free(r);
    ebb_hook_free(NULL);
}

Test(compat_malloc, sizes_of_0_are_not_null)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    for (int in = 0; in < 2; in++) {
        EBB_ENTER(in ? a : NULL);
        void *p = ebb_hook_malloc(0), *q = ebb_hook_calloc(0, 8), *r = ebb_hook_calloc(8, 0);
        void *s = ebb_hook_realloc(NULL, 0), *t = ebb_hook_realloc(ebb_hook_malloc(10), 0);
        cr_assert(p && q && r && s && t);
        ebb_hook_free(p);
        ebb_hook_free(q);
        ebb_hook_free(r);
        ebb_hook_free(s);
        ebb_hook_free(t);
    }
    ebb_scope_end(&a);
}

Test(compat_malloc, heap_products_that_overflow_are_null)
{
    if (TESTS_ASAN || TESTS_TSAN) cr_skip_test("the sanitizer ends the program for it");
    cr_assert_null(ebb_hook_calloc(variable(SIZE_MAX), 2));
    cr_assert_null(ebb_hook_calloc(variable(SIZE_MAX / 2 + 1), variable(2)));
}

/* ---- in a scope -------------------------------------------------------------------------------- */

Test(compat_malloc, blocks_come_from_the_current_scope)
{
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin(NULL);
    EBB_ENTER(a);
    for (size_t n = 0; n < MIB; n = n * 2 + 3) {
        char *p = ebb_hook_malloc(n);
        cr_assert(p && is_aligned(p, EBB_ALIGN_DEFAULT));
        cr_assert_eq(ebb_arena_of(p), a);
        cr_assert_eq(ebb_hook_size(p), n);
        memset(p, 1, n);
        char *q = ebb_hook_calloc(n, 1);
        cr_assert_eq(bytes_check(q, 0, n), n);
        cr_assert_eq(ebb_hook_size(q), n);
    }
    char *s = ebb_hook_strdup("text");
    cr_assert_str_eq(s, "text");
    cr_assert_eq(ebb_hook_size(s), 5u);
    {
        EBB_ENTER(b);
        cr_assert_eq(ebb_arena_of(ebb_hook_malloc(1)), b);
    }
    cr_assert_eq(ebb_arena_of(ebb_hook_malloc(1)), a);
    ebb_scope_leave(NULL);
    ebb_scope_end(&a);
    ebb_scope_end(&b);
}

Test(compat_malloc, calloc_zeroes_used_memory)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    {
        EBB_ENTER(a);
        for (int i = 0; i < 50; i++) {
            char *p = ebb_hook_calloc(5, 100);
            cr_assert_eq(bytes_check(p, 0, 500), 500u);
            memset(p, 0xff, 500);
            ebb_hook_free(p);
        }
    }
    ebb_scope_end(&a);
}

Test(compat_malloc, a_block_has_a_header_of_16_bytes)
{
    if (!layout_is_plain()) cr_skip_test("red zones take room too");
    ebb_arena *a = ebb_scope_begin(NULL);
    {
        EBB_ENTER(a);
        size_t used = stats_of(a).used;
        ebb_hook_malloc(32);
        cr_assert_eq(stats_of(a).used, used + 48);
    }
    ebb_scope_end(&a);
}

Test(compat_malloc, the_newest_block_gives_its_bytes_back)
{
    if (!layout_is_plain()) cr_skip_test("nothing is used again under this tool");
    ebb_arena *a = ebb_scope_begin(NULL);
    {
        EBB_ENTER(a);
        ebb_alloc(a, 10);
        size_t used = stats_of(a).used;
        void *p = ebb_hook_malloc(100);
        ebb_hook_free(p);
        cr_assert_eq(stats_of(a).used, used);
        void *q = ebb_hook_malloc(100);
        cr_assert_eq(p, q);
        void *r = ebb_hook_malloc(100);
        size_t both = stats_of(a).used;
        ebb_hook_free(q);
        cr_assert_eq(stats_of(a).used, both, "any other waits for the end");
        ebb_hook_free(r);
        cr_assert(stats_of(a).used < both);
    }
    ebb_scope_end(&a);
}

Test(compat_malloc, a_loop_of_malloc_and_free_needs_no_memory)
{
    if (!layout_is_plain()) cr_skip_test("nothing is used again under this tool");
    ebb_arena *a = ebb_scope_begin(NULL);
    {
        EBB_ENTER(a);
        for (int i = 0; i < 10000; i++) ebb_hook_free(memset(ebb_hook_malloc(200), i, 200));
        cr_assert_eq(stats_of(a).chunks, 1u);
        for (size_t i = 0; i < 10000; i++) ebb_hook_free(ebb_hook_malloc(i * 7 % 100));
        cr_assert_eq(stats_of(a).chunks, 1u);
    }
    ebb_scope_end(&a);
}

Test(compat_malloc, freed_blocks_do_no_harm_in_any_order)
{
    enum { N = 200 };
    ebb_arena *a = ebb_scope_begin(NULL);
    EBB_ENTER(a);
    rng r = {8};
    for (int round = 0; round < 20; round++) {
        char *p[N];
        size_t n[N];
        for (size_t i = 0; i < N; i++) {
            n[i] = rng_below(&r, 300);
            p[i] = ebb_hook_malloc(n[i]);
            pattern_fill(p[i], n[i], i);
        }
        for (size_t left = N; left > 0; left--) {
            size_t i = rng_below(&r, left);
            cr_assert_eq(pattern_check(p[i], n[i], i), n[i]);
            ebb_hook_free(p[i]);
            char *fresh = ebb_hook_malloc(rng_below(&r, 200));
            memset(fresh, 0xee, ebb_hook_size(fresh));
            if (rng_one_in(&r, 2)) ebb_hook_free(fresh);
            if (i == left - 1) continue;
            p[i] = p[left - 1];
            n[i] = n[left - 1];
            pattern_fill(p[i], n[i], i); /* the old place's seed */
        }
        cr_assert_null(ebb_arena_validate(a));
    }
    ebb_scope_leave(NULL);
    ebb_scope_end(&a);
}

/* ---- realloc ----------------------------------------------------------------------------------- */

Test(compat_malloc, realloc_grows_and_shrinks_with_its_contents)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    for (int in = 0; in < 2; in++) {
        EBB_ENTER(in ? a : NULL);
        char *p = NULL;
        size_t size = 0;
        rng r = {2};
        for (int i = 0; i < 500; i++) {
            size_t to = rng_one_in(&r, 20) ? rng_below(&r, 100 * KIB) : rng_below(&r, 2000);
            p = ebb_hook_realloc(p, to);
            cr_assert(p && is_aligned(p, EBB_ALIGN_DEFAULT));
            size_t kept = size < to ? size : to;
            cr_assert_eq(pattern_check(p, kept, 6), kept);
            pattern_fill(p, to, 6);
            size = to;
            cr_assert_eq(ebb_hook_size(p), in ? size : 0);
            ebb_hook_free(ebb_hook_malloc(rng_below(&r, 100)));
        }
        ebb_hook_free(p);
    }
    cr_assert_null(ebb_arena_validate(a));
    ebb_scope_end(&a);
}

Test(compat_malloc, one_growing_block_grows_in_place)
{
    if (!layout_is_plain()) cr_skip_test("every growth copies under this tool");
    ebb_arena *a = ebb_scope_begin(NULL);
    {
        EBB_ENTER(a);
        char *p = NULL;
        int moves = 0;
        for (size_t n = 1; n < 100 * KIB; n += 50) {
            char *q = ebb_hook_realloc(p, n);
            moves += q != p;
            p = q;
        }
        cr_assert(moves < 30, "%d moves", moves);
    }
    ebb_scope_end(&a);
}

Test(compat_malloc, a_new_size_of_0_keeps_a_block_of_0)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    {
        EBB_ENTER(a);
        char *p = ebb_hook_malloc(100);
        p = ebb_hook_realloc(p, 0);
        cr_assert_not_null(p);
        cr_assert_eq(ebb_hook_size(p), 0u);
        p = ebb_hook_realloc(p, 50);
        memset(p, 1, 50);
        ebb_hook_free(p);
    }
    ebb_scope_end(&a);
}

/* ---- whose a block is -------------------------------------------------------------------------- */

Test(compat_malloc, a_heap_block_goes_to_the_heap_whatever_is_current)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    char *p = ebb_hook_malloc(100), *q = malloc(100);
    memset(p, 'p', 100);
    {
        EBB_ENTER(a);
        p = ebb_hook_realloc(p, 1000);
        cr_assert_null(ebb_arena_of(p));
        cr_assert_eq(bytes_check(p, 'p', 100), 100u);
        ebb_hook_free(p);
        ebb_hook_free(q);
    }
    ebb_scope_end(&a);
}

Test(compat_malloc, a_scopes_block_stays_with_it_whatever_is_current)
{
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin(NULL);
    char *p, *newest;
    {
        EBB_ENTER(a);
        p = memset(ebb_hook_malloc(100), 'p', 100);
        newest = memset(ebb_hook_malloc(100), 'n', 100);
    }
    for (int i = 0; i < 2; i++) {
        EBB_ENTER(i ? b : NULL);
        size_t used = stats_of(a).used;
        ebb_hook_free(newest);
        cr_assert_eq(stats_of(a).used, used, "it is left to that scope's end");
        p = ebb_hook_realloc(p, 500u * (unsigned)(i + 1));
        cr_assert_eq(ebb_arena_of(p), a, "it stays in that scope");
        cr_assert_eq(bytes_check(p, 'p', 100), 100u);
    }
    ebb_scope_end(&a);
    ebb_scope_end(&b);
}

static void free_it(void *p)
{
    ebb_hook_free(p);
}

Test(compat_malloc, a_block_of_another_scope_may_be_freed_on_any_thread)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    {
        EBB_ENTER(a);
        char *p = ebb_hook_malloc(100);
        on_thread(free_it, p);
    }
    cr_assert_null(ebb_arena_validate(a));
    ebb_scope_end(&a);
}

Test(compat_malloc, blocks_of_an_adopted_scope_are_the_adopters)
{
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin(NULL);
    char *p;
    {
        EBB_ENTER(b);
        p = memset(ebb_hook_malloc(100), 'p', 100);
    }
    ebb_arena_adopt(a, &b);
    EBB_ENTER(a);
    p = ebb_hook_realloc(p, 300);
    cr_assert_eq(bytes_check(p, 'p', 100), 100u);
    cr_assert_eq(ebb_arena_of(p), a);
    ebb_hook_free(p);
    cr_assert_null(ebb_arena_validate(a));
    ebb_scope_leave(NULL);
    ebb_scope_end(&a);
}

/* ---- failure ----------------------------------------------------------------------------------- */

Test(compat_malloc, failure_is_null_and_remembered)
{
    for (int way = 0; way < 6; way++) {
        ebb_arena *a = ebb_scope_begin(NULL);
        {
            EBB_ENTER(a);
            char *p = memset(ebb_hook_malloc(100), 'p', 100);
            cr_assert(ebb_arena_set_limit(a, 0, 64 * KIB, 0));
            switch (way) {
            case 0: cr_assert_null(ebb_hook_malloc(MIB)); break;
            case 1: cr_assert_null(ebb_hook_calloc(KIB, KIB)); break;
            case 2: cr_assert_null(ebb_hook_realloc(p, MIB)); break;
            case 3: cr_assert_null(ebb_hook_malloc(variable(SIZE_MAX))); break;
            case 4: cr_assert_null(ebb_hook_calloc(variable(SIZE_MAX / 2), 3)); break;
            default: cr_assert_null(ebb_hook_realloc(p, variable(SIZE_MAX - 5))); break;
            }
            cr_assert_eq(ebb_failed(a), way < 3 ? EBB_E_LIMIT : EBB_E_MEMORY);
            cr_assert_eq(bytes_check(p, 'p', 100), 100u, "the old block is untouched");
            cr_assert_eq(ebb_hook_size(p), 100u);
            cr_assert_null(ebb_hook_malloc(1), "scopes are sticky");
            ebb_hook_free(p);
        }
        ebb_scope_end(&a);
    }
}

Test(compat_malloc, an_arena_that_cannot_be_told_from_the_heap_is_refused)
{
    static _Alignas(64) char buffer[4096];
    static test_source s;
    test_source_init(&s);
    ebb_arena_params over = EBB_ARENA_PARAMS_INIT, from = EBB_ARENA_PARAMS_INIT;
    over.buffer = buffer;
    over.buffer_size = sizeof buffer;
    from.source = &s.source;
    for (int i = 0; i < 2; i++) {
        ebb_arena *a = ebb_arena_create(i ? &over : &from);
        {
            EBB_ENTER(a);
            cr_assert_null(ebb_hook_malloc(10));
            cr_assert_null(ebb_hook_calloc(1, 10));
            cr_assert_null(ebb_hook_strdup("x"));
            cr_assert_null(ebb_hook_realloc(NULL, 10));
            cr_assert_eq(ebb_failed(a), EBB_E_UNSUPPORTED);
        }
        ebb_arena_destroy(&a);
    }
}
