/*
 * tests/unit/test_source.c: ebb/source.h: the process-wide source, the figures, cap and trim.
 *
 * Sources given to the library for the whole process are static: it keeps them.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <string.h>

enum { KIB = 1 << 10, MIB = 1 << 20 };

static test_source s;

/* Have an arena take `size` bytes in blocks of their own and in chunks, and let it go. */
static void churn(size_t size)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (size_t got = 0; got < size; got += 256 * KIB) {
        memset(ebb_alloc(a, 200 * KIB), 1, 200 * KIB);
        for (int i = 0; i < 56; i++) memset(ebb_alloc(a, KIB), 1, KIB);
    }
    ebb_arena_destroy(&a);
}

static ebb_memory_stats stats(void)
{
    ebb_memory_stats m;
    ebb_memory_get_stats(&m);
    return m;
}

/* ---- which sources are accepted ---------------------------------------------------------------- */

Test(source, one_without_a_function_is_invalid)
{
    test_source_init(&s);
    static ebb_source no_alloc, no_free;
    no_alloc = no_free = s.source;
    no_alloc.alloc = NULL;
    no_free.free = NULL;
    cr_assert_eq(ebb_source_set(&no_alloc), EBB_E_INVALID);
    cr_assert_eq(ebb_source_set(&no_free), EBB_E_INVALID);
    churn(4 * MIB);
    cr_assert_eq(s.allocs, 0u);
}

Test(source, one_that_cannot_align_slabs_is_unsupported)
{
    test_source_init(&s);
    s.source.max_align = EBB_SLAB_SIZE / 2;
    cr_assert_eq(ebb_source_set(&s.source), EBB_E_UNSUPPORTED);
    churn(4 * MIB);
    cr_assert_eq(s.allocs, 0u);
    s.source.max_align = EBB_SLAB_SIZE;
    cr_assert_eq(ebb_source_set(&s.source), EBB_OK);
    s.source.max_align = 0;
    cr_assert_eq(ebb_source_set(&s.source), EBB_OK);
}

/* ---- what a source is asked -------------------------------------------------------------------- */

Test(source, slabs_come_from_it_whole_and_aligned)
{
    test_source_init(&s);
    cr_assert_eq(ebb_source_set(&s.source), EBB_OK);
    ebb_arena *a = ebb_arena_create(NULL);
    char *small = ebb_alloc(a, 100), *body = ebb_alloc(a, 3000), *large = ebb_alloc(a, 400 * KIB);
    char *span = ebb_alloc(a, 5 * MIB);
    cr_assert(test_source_has(&s, small, 100));
    cr_assert(test_source_has(&s, body, 3000));
    cr_assert(test_source_has(&s, large, 400 * KIB));
    cr_assert(test_source_has(&s, span, 5 * MIB));
    cr_assert(s.allocs > 0);
    cr_assert_eq(s.wrong_requests, 0u);
    for (size_t i = 0; i < s.count; i++) {
        cr_assert_eq(s.block[i].size % EBB_SLAB_SIZE, 0u);
        cr_assert_eq(s.block[i].align, EBB_SLAB_SIZE);
    }
    memset(span, 7, 5 * MIB);
    ebb_arena_destroy(&a);
}

Test(source, null_means_mmap_again_and_slabs_go_home)
{
    if (!layout_is_plain()) cr_skip_test("blocks are held back under this tool");
    test_source_init(&s);
    cr_assert_eq(ebb_source_set(&s.source), EBB_OK);
    churn(8 * MIB);
    size_t taken = s.allocs;
    cr_assert(taken > 0);
    cr_assert_eq(ebb_source_set(NULL), EBB_OK);
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_alloc(a, 16 * MIB);
    cr_assert_eq(s.allocs, taken, "asked although it is no longer set");
    ebb_trim();
    cr_assert(s.frees > 0, "no slab came back");
    cr_assert_eq(s.wrong_frees, 0u);
    ebb_arena_destroy(&a);
}

Test(source, one_that_misaligns_counts_as_a_refusal)
{
    test_source_init(&s);
    churn(KIB);
    s.skew = 4096;
    cr_assert_eq(ebb_source_set(&s.source), EBB_OK);
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert_null(ebb_alloc(a, 3 * MIB));
    cr_assert_eq(ebb_failed(a), EBB_E_MEMORY);
    cr_assert_eq(s.live, 0u, "what is of no use is given back");
    cr_assert_eq(s.wrong_frees, 0u);
    ebb_arena_destroy(&a);
}

Test(source, objects_survive_a_change_of_source)
{
    test_source_init(&s);
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = ebb_alloc(a, 3 * MIB);
    pattern_fill(p, 3 * MIB, 1);
    cr_assert_eq(ebb_source_set(&s.source), EBB_OK);
    char *q = ebb_alloc(a, 3 * MIB);
    pattern_fill(q, 3 * MIB, 2);
    cr_assert(test_source_has(&s, q, 3 * MIB));
    cr_assert_eq(ebb_source_set(NULL), EBB_OK);
    cr_assert_eq(pattern_check(p, 3 * MIB, 1), (size_t)3 * MIB);
    cr_assert_eq(pattern_check(q, 3 * MIB, 2), (size_t)3 * MIB);
    ebb_arena_destroy(&a);
    ebb_trim();
    if (!layout_is_plain()) return;
    cr_assert(!test_source_has(&s, q, 1), "each slab goes back where it came from");
}

/* ---- figures ----------------------------------------------------------------------------------- */

Test(source, reserved_slabs_and_requests_grow_with_use)
{
    ebb_memory_stats before = stats();
    ebb_arena *a = ebb_arena_create(NULL);
    memset(ebb_alloc(a, 10 * MIB), 1, 10 * MIB);
    ebb_memory_stats after = stats();
    cr_assert(after.reserved >= before.reserved + 10 * MIB);
    cr_assert(after.slabs >= before.slabs + 10);
    cr_assert(after.requests > before.requests);
    cr_assert_eq(after.refusals, before.refusals);
    ebb_arena_destroy(&a);
}

Test(source, a_refusal_is_counted)
{
    test_source_init(&s);
    churn(KIB);
    s.fail_all = true;
    ebb_source_set(&s.source);
    ebb_memory_stats before = stats();
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert_null(ebb_alloc(a, 3 * MIB));
    ebb_memory_stats after = stats();
    cr_assert(s.refusals > 0);
    cr_assert_eq(after.refusals - before.refusals, s.refusals);
    cr_assert_eq(after.requests - before.requests, s.allocs);
    ebb_arena_destroy(&a);
}

Test(source, idle_memory_is_in_the_depot)
{
    if (!layout_is_plain()) cr_skip_test("blocks are held back under this tool");
    ebb_arena *a = ebb_arena_create(NULL);
    memset(ebb_alloc(a, 20 * MIB), 1, 20 * MIB);
    size_t busy = stats().depot;
    ebb_arena_destroy(&a);
    cr_assert(stats().depot >= busy + 20 * MIB);
}

static void churn_on_thread(void *size)
{
    churn(*(size_t *)size);
}

/* A thread that exits leaves its cache to the depot, so all of it is idle there then. */
Test(source, what_a_thread_had_cached_goes_to_the_depot_when_it_exits)
{
    if (!layout_is_plain()) cr_skip_test("blocks are held back under this tool");
    size_t size = 8 * MIB;
    churn(KIB);
    size_t before = stats().depot;
    on_thread(churn_on_thread, &size);
    cr_assert(stats().depot >= before + size);
}

/* What is not in the depot after the last arena has ended is this thread's cache. */
Test(source, a_thread_keeps_at_most_256_kib)
{
    if (!layout_is_plain()) cr_skip_test("blocks are held back under this tool");
    churn(16 * MIB);
    size_t full = stats().depot;
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_arena_stats held;
    for (int i = 0; i < 4000; i++) memset(ebb_alloc(a, KIB), 1, KIB);
    ebb_arena_get_stats(a, &held);
    size_t without = stats().depot;
    ebb_arena_destroy(&a);
    cr_assert(stats().depot + 256 * KIB >= without + held.held - 1024);
    cr_assert(stats().depot + 256 * KIB >= full);
}

/* ---- cap and trim ------------------------------------------------------------------------------ */

Test(source, above_the_cap_memory_is_returned_at_once)
{
    if (!layout_is_plain()) cr_skip_test("blocks are held back under this tool");
    test_source_init(&s);
    ebb_source_set(&s.source);
    ebb_memory_set_cap(8 * MIB);
    churn(64 * MIB);
    cr_assert(stats().depot - stats().returned <= 8 * MIB, "%zu idle", stats().depot);
    cr_assert(s.live_bytes <= 20 * MIB, "%zu kept", s.live_bytes);
    cr_assert_eq(s.wrong_frees, 0u);
}

Test(source, below_the_cap_memory_is_kept)
{
    if (!layout_is_plain()) cr_skip_test("blocks are held back under this tool");
    test_source_init(&s);
    ebb_source_set(&s.source);
    churn(64 * MIB);
    size_t asked = s.allocs;
    churn(64 * MIB);
    cr_assert_eq(s.allocs, asked, "the second time everything was there");
    cr_assert_eq(s.frees, 0u);
}

Test(source, with_a_cap_of_nothing_all_still_works)
{
    ebb_memory_set_cap(0);
    for (int i = 0; i < 5; i++) churn(4 * MIB);
    ebb_memory_set_cap((size_t)256 * MIB);
    for (int i = 0; i < 5; i++) churn(4 * MIB);
    cr_assert_eq(stats().refusals, 0u);
}

Test(source, trim_gives_back_what_nobody_uses)
{
    if (!layout_is_plain()) cr_skip_test("blocks are held back under this tool");
    test_source_init(&s);
    ebb_source_set(&s.source);
    ebb_arena *kept = ebb_arena_create(NULL);
    char *p = ebb_alloc(kept, 3000);
    pattern_fill(p, 3000, 5);
    churn(32 * MIB);
    size_t before = s.live_bytes, slabs = stats().slabs;
    ebb_trim();
    cr_assert(s.live_bytes + 28 * MIB <= before, "%zu of %zu stayed", s.live_bytes, before);
    cr_assert(stats().slabs + 28 <= slabs);
    cr_assert_eq(s.wrong_frees, 0u);
    cr_assert_eq(pattern_check(p, 3000, 5), 3000u, "objects stay");
    ebb_arena_destroy(&kept);
    churn(8 * MIB);
    cr_assert_eq(s.wrong_frees, 0u);
}

Test(source, trimming_nothing_is_harmless)
{
    ebb_trim();
    ebb_trim();
    churn(MIB);
    ebb_trim();
    ebb_trim();
    churn(MIB);
}

typedef struct parked {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int step;
} parked;

static void step_to(parked *p, int step)
{
    pthread_mutex_lock(&p->lock);
    p->step = step;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static void wait_for(parked *p, int step)
{
    pthread_mutex_lock(&p->lock);
    while (p->step < step) pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

static void *cache_something(void *arg)
{
    parked *p = arg;
    churn(MIB);
    step_to(p, 1);
    wait_for(p, 2);
    churn(64 * KIB); /* what it has cached still serves */
    return NULL;
}

Test(source, trim_leaves_other_threads_caches_alone)
{
    parked p = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    pthread_t t;
    cr_assert_eq(pthread_create(&t, NULL, cache_something, &p), 0);
    wait_for(&p, 1);
    ebb_trim();
    step_to(&p, 2);
    pthread_join(t, NULL);
    ebb_trim();
    churn(MIB);
}

/* ---- steady state ------------------------------------------------------------------------------ */

Test(source, steady_work_asks_for_nothing)
{
    if (!layout_is_plain()) cr_skip_test("blocks are held back under this tool");
    static ebb_profile p = EBB_PROFILE("steady");
    ebb_memory_stats before = {0};
    for (int i = 0; i < 3000; i++) {
        ebb_arena *a = ebb_scope_begin(&p);
        for (int k = 0; k < 100; k++) ebb_alloc(a, (size_t)(k * 7 % 500));
        ebb_alloc(a, 40 * KIB);
        ebb_scope_end(&a);
        if (i == 999) before = stats();
    }
    cr_assert_eq(stats().requests, before.requests);
}

Test(source, large_blocks_are_recycled)
{
    if (!layout_is_plain()) cr_skip_test("blocks are held back under this tool");
    ebb_memory_stats before = {0};
    for (int i = 0; i < 100; i++) {
        ebb_arena *a = ebb_arena_create(NULL);
        *(char *)ebb_alloc(a, 3 * MIB + (size_t)(i % 3) * 1000) = 1;
        ebb_arena_destroy(&a);
        if (i == 2) before = stats();
    }
    cr_assert_eq(stats().requests, before.requests);
}
