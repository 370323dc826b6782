/* tests/unit/test_bufpool.c: pools of buffers. */
#include "support.h"
#include "test.h"

#include <ebb/ebb.h>

#include <string.h>

static ebb_profile profile = EBB_PROFILE("writers");

static ebb_bufpool *begin(uint32_t most)
{
    const ebb_bufpool_params how = {.name = "answers", .max_size = most};
    ebb_bufpool *b = ebb_bufpool_create(&how, NULL);
    cr_assert_not_null(b);
    return b;
}

static ebb_bufpool_stats stats(ebb_bufpool *b, size_t bytes)
{
    ebb_bufpool_stats s;
    ebb_bufpool_get_stats(b, bytes, &s);
    return s;
}

static void fill(ebb_buf *b, size_t bytes)
{
    cr_assert(ebb_builder_fill(&b->text, 'x', bytes));
    cr_assert_eq(ebb_builder_len(&b->text), bytes);
}

Test(bufpool, a_buffer_is_a_builder_that_comes_home_empty)
{
    ebb_bufpool *b = begin(0);
    ebb_arena *a = ebb_scope_begin(&profile);
    ebb_buf *one = ebb_bufpool_acquire(b, a, 100, NULL);
    ebb_builder_append(&one->text, EBB_STR("{\"id\":"));
    ebb_builder_u64(&one->text, 7);
    cr_assert_eq(ebb_builder_len(&one->text), 7);
    cr_assert_eq(memcmp(one->text.ptr, "{\"id\":7", 7), 0);
    const char *memory = one->text.ptr;
    ebb_scope_end(&a);
    a = ebb_scope_begin(&profile);
    ebb_buf *again = ebb_bufpool_acquire(b, a, 1024, NULL);
    cr_assert_eq(again->text.ptr, memory);
    cr_assert_eq(ebb_builder_len(&again->text), 0);
    ebb_scope_end(&a);
    ebb_bufpool_destroy(&b);
}

Test(bufpool, of_the_smallest_size_that_has_room)
{
    ebb_bufpool *b = begin(0);
    const size_t asked[] = {0, 1024, 1025, 4096, 5000, 65536, 300000};
    const size_t sizes[] = {1024, 1024, 4096, 4096, 16384, 65536, 65536};
    for (int i = 0; i < 7; i++) {
        ebb_buf *one = ebb_bufpool_acquire(b, NULL, asked[i], NULL);
        cr_assert_eq(stats(b, asked[i]).size, sizes[i]);
        cr_assert_eq(stats(b, asked[i]).pool.in_use, 1);
        char *before = one->text.ptr;
        fill(one, asked[i]);
        cr_assert_eq(one->text.ptr, before, "it had the room");
        ebb_buf_release(&one);
        cr_assert_null(one);
    }
    ebb_buf *none = NULL;
    ebb_buf_release(&none);
    ebb_bufpool_destroy(&b);
}

Test(bufpool, exhaustion_and_moving_are_those_of_pools)
{
    ebb_bufpool *b = begin(1);
    ebb_status why = EBB_OK;
    ebb_arena *a = ebb_scope_begin(&profile), *c = ebb_scope_begin(&profile);
    ebb_buf *one = ebb_bufpool_acquire(b, a, 10, NULL);
    cr_assert_null(ebb_bufpool_acquire(b, c, 10, &why));
    cr_assert_eq(why, EBB_E_EXHAUSTED);
    cr_assert_null(ebb_bufpool_acquire_by(b, c, 10, 0, &why));
    cr_assert_eq(why, EBB_E_TIMEOUT);
    cr_assert_not_null(ebb_bufpool_acquire(b, c, 5000, &why), "another size");
    cr_assert(ebb_buf_move(one, c));
    ebb_scope_end(&a);
    fill(one, 500);
    ebb_pool_wait *wait;
    a = ebb_scope_begin(&profile);
    cr_assert_eq(ebb_pool_acquire_async(ebb_bufpool_size(b, 10), a, NULL, &wait), EBB_E_EXHAUSTED);
    ebb_scope_end(&c);
    one = ebb_buf_from(ebb_pool_take(&wait, NULL));
    fill(one, 500);
    ebb_scope_end(&a);
    ebb_bufpool_destroy(&b);
}

/* Use one buffer of the smallest size so often, for so many bytes. */
static void use(ebb_bufpool *b, int times, size_t bytes)
{
    for (int i = 0; i < times; i++) {
        ebb_buf *one = ebb_bufpool_acquire(b, NULL, 10, NULL);
        fill(one, bytes);
        ebb_buf_release(&one);
    }
}

Test(bufpool, what_has_grown_beyond_use_is_not_kept)
{
    ebb_bufpool *b = begin(1);
    use(b, 1000, 700);
    cr_assert_eq(stats(b, 10).kept_most, 2 * 767, "767 is the top of the step that 700 is in");
    use(b, 1, 100000);
    cr_assert_eq(stats(b, 10).outsized, 1);
    ebb_buf *one = ebb_bufpool_acquire(b, NULL, 10, NULL);
    cr_assert((size_t)(one->text.ebb__top - one->text.ptr) < 2000);
    ebb_buf_release(&one);
    ebb_bufpool_destroy(&b);
}

Test(bufpool, what_is_used_is_kept_and_old_use_fades)
{
    ebb_bufpool *b = begin(1);
    use(b, 1000, 100000);
    cr_assert(stats(b, 10).kept_most >= 200000);
    cr_assert(stats(b, 10).outsized <= 2);
    use(b, 100000, 100);
    cr_assert(stats(b, 10).used_p95 < 200);
    cr_assert_eq(stats(b, 10).kept_most, 1024);
    ebb_buf *one = ebb_bufpool_acquire(b, NULL, 10, NULL);
    cr_assert((size_t)(one->text.ebb__top - one->text.ptr) < 2000);
    ebb_buf_release(&one);
    ebb_bufpool_destroy(&b);
}

Test(bufpool, ready_made)
{
    ebb_arena *a = ebb_scope_begin(&profile);
    ebb_buf *small = ebb_buf_small(a, NULL), *large = ebb_buf_large(a, NULL);
    fill(small, 1024);
    fill(large, 64 << 10);
    ebb_scope_end(&a);
    cr_assert_eq(stats(ebb_bufpool_common(), 1).pool.idle, 1);
    cr_assert_eq(stats(ebb_bufpool_common(), 64 << 10).pool.idle, 1);
}

Test(bufpool, a_finished_text_or_a_failure_begins_anew)
{
    ebb_bufpool *b = begin(1);
    ebb_buf *one = ebb_bufpool_acquire(b, NULL, 10, NULL);
    fill(one, 10);
    cr_assert_eq(ebb_builder_finish(&one->text).len, 10);
    ebb_buf_release(&one);
    one = ebb_bufpool_acquire(b, NULL, 10, NULL);
    fill(one, 1024);
    ebb_buf_release(&one);
    ebb_bufpool_destroy(&b);
}

Test(bufpool, no_memory_is_a_status)
{
    ebb_bufpool *b = NULL;
    EBB_EACH_FAILURE (f, .this_thread = true) {
        ebb_status why = EBB_OK;
        const ebb_bufpool_params how = {.name = "failing", .min_size = 1};
        b = ebb_bufpool_create(&how, &why);
        cr_assert(b || why == EBB_E_MEMORY);
        ebb_buf *one = b ? ebb_bufpool_acquire(b, NULL, 200000, &why) : NULL;
        cr_assert(one || why == EBB_E_MEMORY);
        ebb_buf_release(&one);
        ebb_bufpool_destroy(&b);
    }
}

Test(bufpool, parameters_that_make_no_sense)
{
    const ebb_bufpool_params wrong[] = {{.least = 1000},
                                        {.least = 128},
                                        {.least = 256, .most = 1 << 30},
                                        {.most = (size_t)1 << 31}};
    for (int i = 0; i < 4; i++) {
        reports r;
        ebb_status why = EBB_OK;
        reports_start(&r);
        cr_assert_null(ebb_bufpool_create(&wrong[i], &why));
        reports_one(&r, EBB_MISUSE, "ebb_bufpool_create", "");
        reports_stop();
        cr_assert_eq(why, EBB_E_INVALID);
    }
}
