/* tests/unit/test_bufpool.c: buffer pools, one promise of ebb/bufpool.h after the other. */
#include "support.h"
#include "test.h"

#include <ebb/ebb.h>

#include <stdlib.h>
#include <string.h>

static ebb_profile profile = EBB_PROFILE("buffers");

static ebb_bufpool *begin(size_t size, size_t largest)
{
    ebb_bufpool_params how = {.name = "test", .size = size, .largest = largest};
    return ebb_bufpool_create(&how, NULL);
}

static ebb_bufpool_stats stats_of(ebb_bufpool *p)
{
    ebb_bufpool_stats s;
    ebb_bufpool_get_stats(p, &s);
    return s;
}

static void end(ebb_bufpool **p)
{
    ebb_bufpool_stats s = stats_of(*p);
    cr_assert_eq(s.acquired, s.released);
    if (!getenv("EBB_POOL"))
        cr_assert_eq(s.released, s.kept + s.outsized + s.over_limit + s.unfinished);
    ebb_bufpool_trim(*p);
    cr_assert_eq(stats_of(*p).bytes, 0, "every byte is accounted for");
    ebb_bufpool_destroy(p);
    cr_assert_null(*p);
}

static bool fill(ebb_buf *b, size_t size)
{
    static const char piece[100] = "0123456789";
    for (; size > sizeof piece; size -= sizeof piece)
        if (!ebb_buf_append(b, piece, sizeof piece)) return false;
    return ebb_buf_append(b, piece, size);
}

Test(bufpool, the_class_fits_what_is_asked_for)
{
    ebb_bufpool *p = begin(1024, 16384);
    ebb_arena *a = ebb_scope_begin(&profile);
    const size_t asked[] = {0, 1, 1024, 1025, 4096, 4097, 16384},
                 got[] = {1024, 1024, 1024, 4096, 4096, 16384, 16384};
    cr_assert_eq(stats_of(p).class_count, 3);
    for (int i = 0; i < 7; i++) {
        ebb_buf *b = ebb_bufpool_acquire(p, a, asked[i], NULL);
        cr_assert_eq(b->cap, got[i]);
        cr_assert_eq(b->len, 0);
    }
    cr_assert(ebb_bufpool_acquire(p, a, 100000, NULL)->cap >= 100000, "grown at once");
    ebb_scope_end(&a);
    end(&p);
}

Test(bufpool, a_buffer_comes_home_with_its_scope_and_is_lent_again_empty)
{
    ebb_bufpool *p = begin(1024, 0);
    ebb_arena *a = ebb_scope_begin(&profile);
    ebb_buf *b = ebb_bufpool_acquire(p, a, 10, NULL);
    cr_assert(ebb_buf_append(b, "left", 4));
    ebb_scope_end(&a);
    cr_assert_eq(stats_of(p).released, 1);
    a = ebb_scope_begin(&profile);
    ebb_mark m = ebb_arena_mark(a);
    ebb_buf *again = ebb_bufpool_acquire(p, a, 10, NULL);
    cr_assert_eq(again->len, 0);
    ebb_arena_rewind(a, m);
    cr_assert_eq(stats_of(p).released, 2, "a rewind sends it home");
    ebb_buf_release(ebb_bufpool_acquire(p, a, 10, NULL));
    ebb_buf_release(NULL);
    cr_assert_eq(stats_of(p).released, 3);
    ebb_scope_end(&a);
    end(&p);
}

Test(bufpool, what_is_appended_stays_through_growth)
{
    ebb_bufpool *p = begin(64, 0);
    ebb_buf *b = ebb_bufpool_acquire(p, NULL, 0, NULL);
    for (unsigned i = 0; i < 100000; i++) cr_assert(ebb_buf_append(b, &i, sizeof i));
    cr_assert_eq(b->len, 100000 * sizeof(unsigned));
    for (unsigned i = 0; i < 100000; i++)
        cr_assert(!memcmp(b->ptr + i * sizeof i, (char *)&i, sizeof i));
    cr_assert(stats_of(p).bytes >= b->cap);
    cr_assert_eq(stats_of(p).grown, 13);
    cr_assert(!ebb_buf_reserve(b, SIZE_MAX), "the sum overflows");
    cr_assert(!ebb_buf_reserve(b, SIZE_MAX / 2));
    cr_assert_eq(b->len, 100000 * sizeof(unsigned));
    ebb_buf_release(b);
    end(&p);
}

Test(bufpool, one_large_use_does_not_make_buffers_large_but_habit_does)
{
    ebb_bufpool *p = begin(1024, 0);
    ebb_bufpool_class k = stats_of(p).of[0];
    cr_assert_eq(k.percentile, 1024);
    cr_assert_eq(k.keeps, 2048);
    for (int i = 0; i < 3; i++) {
        ebb_buf *b = ebb_bufpool_acquire(p, NULL, 0, NULL);
        cr_assert(fill(b, 60000));
        ebb_buf_release(b);
        cr_assert_eq(stats_of(p).outsized, (uint64_t)i + 1);
    }
    for (int i = 0; i < 10; i++) {
        ebb_buf *b = ebb_bufpool_acquire(p, NULL, 0, NULL);
        cr_assert(fill(b, 60000));
        ebb_buf_release(b);
    }
    ebb_bufpool_stats s = stats_of(p);
    cr_assert_eq(s.outsized, 3, "%u", (unsigned)s.outsized);
    cr_assert_eq(s.of[0].percentile, 65536);
    cr_assert_eq(s.of[0].keeps, 131072);
    end(&p);
}

Test(bufpool, old_habits_fade)
{
    if (getenv("EBB_POOL")) return; /* nothing is kept then */
    ebb_bufpool *p = begin(1024, 0);
    for (int i = 0; i < 20000; i++) {
        ebb_buf *b = ebb_bufpool_acquire(p, NULL, 0, NULL);
        cr_assert(fill(b, 8000));
        ebb_buf_release(b);
    }
    cr_assert_eq(stats_of(p).of[0].percentile, 8192);
    for (int i = 0; i < 60000; i++) {
        ebb_buf *b = ebb_bufpool_acquire(p, NULL, 0, NULL);
        cr_assert(fill(b, 100));
        ebb_buf_release(b);
    }
    ebb_bufpool_stats s = stats_of(p);
    cr_assert(s.of[0].percentile <= 128, "%zu", s.of[0].percentile);
    if (!getenv("EBB_POOL")) cr_assert_eq(s.outsized, 4, "three at first, and one in the end");
    cr_assert(s.bytes <= 1024);
    end(&p);
}

Test(bufpool, what_was_cleared_has_been_used)
{
    ebb_bufpool *p = begin(1024, 0);
    for (int i = 0; i < 20; i++) {
        ebb_buf *b = ebb_bufpool_acquire(p, NULL, 0, NULL);
        cr_assert(fill(b, 30000));
        ebb_buf_clear(b);
        cr_assert_eq(b->len, 0);
        ebb_buf_release(b);
    }
    cr_assert_eq(stats_of(p).of[0].percentile, 32768);
    end(&p);
}

Test(bufpool, no_more_bytes_are_kept_than_may_be)
{
    if (getenv("EBB_POOL")) return; /* nothing is kept then */
    ebb_bufpool_params how = {.size = 1024, .max_bytes = 2048};
    ebb_bufpool *p = ebb_bufpool_create(&how, NULL);
    ebb_arena *a = ebb_scope_begin(&profile);
    for (int i = 0; i < 5; i++) cr_assert_not_null(ebb_bufpool_acquire(p, a, 0, NULL));
    cr_assert_eq(stats_of(p).bytes, 5 * 1024);
    ebb_scope_end(&a);
    ebb_bufpool_stats s = stats_of(p);
    cr_assert_eq(s.over_limit, 3);
    cr_assert_eq(s.kept, 2);
    cr_assert_eq(s.bytes, 2048);
    cr_assert_eq(s.high_water, 5 * 1024);
    end(&p);
}

Test(bufpool, exhaustion_is_told_and_does_not_stick)
{
    if (getenv("EBB_POOL")) return; /* nothing is kept then */
    ebb_bufpool_params how = {.min_count = 1, .max_count = 2};
    ebb_bufpool *p = ebb_bufpool_create(&how, NULL);
    ebb_arena *a = ebb_scope_begin(&profile);
    ebb_status why = EBB_OK;
    cr_assert_eq(stats_of(p).bytes, 1024, "made beforehand");
    for (int i = 0; i < 2; i++) cr_assert_not_null(ebb_bufpool_acquire(p, a, 0, &why));
    cr_assert_null(ebb_bufpool_acquire(p, a, 0, &why));
    cr_assert_eq(why, EBB_E_EXHAUSTED);
    cr_assert_eq(ebb_failed(a), EBB_OK);
    ebb_scope_end(&a);
    ebb_bufpool_destroy(&p);
}

Test(bufpool, a_buffer_moves_and_is_detached)
{
    ebb_bufpool_params how = {.max_count = 1};
    ebb_bufpool *p = ebb_bufpool_create(&how, NULL);
    ebb_arena *a = ebb_scope_begin(&profile), *longer = ebb_scope_begin(&profile);
    ebb_buf *b = ebb_bufpool_acquire(p, a, 0, NULL);
    cr_assert(ebb_buf_append(b, "kept", 4));
    cr_assert(ebb_buf_move(b, longer));
    ebb_scope_end(&a);
    cr_assert(!memcmp(b->ptr, "kept", 4));
    cr_assert_eq(ebb_buf_detach(b), b);
    ebb_buf *other = ebb_bufpool_acquire(p, longer, 0, NULL);
    cr_assert_not_null(other, "it has given up its place");
    ebb_scope_end(&longer);
    cr_assert(!memcmp(b->ptr, "kept", 4));
    ebb_buf_release(b);
    cr_assert_eq(stats_of(p).of[0].pool.detached, 0);
    ebb_bufpool_destroy(&p);
}

Test(bufpool, a_builder_goes_on_in_the_buffer_and_grows_it)
{
    ebb_bufpool *p = begin(256, 0);
    ebb_arena *a = ebb_scope_begin(&profile);
    ebb_buf *b = ebb_bufpool_acquire(p, a, 0, NULL);
    cr_assert(ebb_buf_append(b, "GET ", 4));
    ebb_builder text = ebb_buf_builder(b);
    cr_assert(!ebb_buf_reserve(b, 1000), "the builder has it");
    size_t before = stats_of(p).bytes;
    for (int i = 0; i < 1000; i++) cr_assert(ebb_builder_printf(&text, "%04d", i));
    ebb_str s = ebb_buf_finish(b, &text);
    cr_assert_eq(s.len, 4004);
    cr_assert_eq(s.ptr, b->ptr);
    cr_assert_eq(s.ptr[s.len], '\0');
    cr_assert(!memcmp(s.ptr, "GET 00000001", 12));
    cr_assert(!memcmp(s.ptr + 4000, "0999", 4));
    cr_assert(stats_of(p).bytes > before, "its growth is the buffer's");
    cr_assert(ebb_buf_append(b, "!", 1));
    ebb_scope_end(&a);
    cr_assert_eq(stats_of(p).unfinished, 0);
    end(&p);
}

Test(bufpool, a_full_buffer_has_room_for_the_builders_nul)
{
    ebb_bufpool *p = begin(256, 0);
    ebb_buf *b = ebb_bufpool_acquire(p, NULL, 0, NULL);
    cr_assert(fill(b, 256));
    cr_assert_eq(b->cap, 256);
    ebb_builder text = ebb_buf_builder(b);
    ebb_str s = ebb_buf_finish(b, &text);
    cr_assert_eq(s.len, 256);
    cr_assert(b->cap > 256);
    ebb_buf_release(b);
    end(&p);
}

Test(bufpool, what_no_builder_finished_is_let_go)
{
    ebb_bufpool *p = begin(256, 0);
    ebb_arena *a = ebb_scope_begin(&profile);
    ebb_buf *b = ebb_bufpool_acquire(p, a, 0, NULL);
    ebb_builder text = ebb_buf_builder(b);
    for (int i = 0; i < 1000; i++) cr_assert(ebb_builder_printf(&text, "%04d", i));
    ebb_scope_end(&a);
    cr_assert_eq(stats_of(p).unfinished, 1);
    cr_assert_eq(stats_of(p).bytes, 0);
    end(&p);
}

Test(bufpool, the_process_has_small_and_large_ones)
{
    ebb_arena *a = ebb_scope_begin(&profile);
    ebb_buf *small = ebb_bufpool_small(a, NULL), *large = ebb_bufpool_large(a, NULL);
    cr_assert_eq(small->cap, 1024);
    cr_assert_eq(large->cap, 65536);
    cr_assert_eq(ebb_bufpool_shared(), ebb_bufpool_shared());
    ebb_scope_end(&a);
    ebb_bufpool_shared_destroy();
    ebb_bufpool_shared_destroy();
    cr_assert_not_null(ebb_bufpool_shared(), "made again");
    ebb_bufpool_shared_destroy();
}

/* ---- misuse and failure ---------------------------------------------------------------------- */

/* Calls whose return addresses are known to lie in them. */
#define SITE(name, result, params, call)                                                           \
    extern const char __start_site_##name[], __stop_site_##name[];                                 \
    __attribute__((noinline, section("site_" #name))) static result name params                    \
    {                                                                                              \
        call;                                                                                      \
        __asm__ volatile("" ::: "memory");                                                         \
    }                                                                                              \
    static bool says_##name(const char *text)                                                      \
    {                                                                                              \
        return has_address(text, __start_site_##name, __stop_site_##name);                         \
    }

static bool has_address(const char *text, const char *start, const char *stop)
{
    for (const char *at = strstr(text, "0x"); at; at = strstr(at + 2, "0x")) {
        uintptr_t site = (uintptr_t)strtoull(at, NULL, 16);
        if (site >= (uintptr_t)start && site <= (uintptr_t)stop) return true;
    }
    return false;
}

SITE(borrow, void, (ebb_bufpool * p, ebb_buf **ret), *ret = ebb_bufpool_acquire(p, NULL, 0, NULL))
SITE(give_back, void, (ebb_buf * b), ebb_buf_release(b))
SITE(give_back_again, void, (ebb_buf * b), ebb_buf_release(b))

Test(bufpool, a_second_release_is_reported_with_all_sites)
{
    ebb_bufpool *p = begin(1024, 0);
    ebb_buf *b;
    reports r;
    if (getenv("EBB_POOL")) return; /* it is gone then, which a tool would see */
    borrow(p, &b);
    give_back(b);
    reports_start(&r);
    give_back_again(b);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_release(\"test 1024\")", "is not out"), "%s",
              r.all);
    cr_assert(says_borrow(r.text) && says_give_back(r.text) && says_give_back_again(r.text), "%s",
              r.text);
    reports_stop();
    end(&p);
}

Test(bufpool, destroying_it_with_buffers_out_names_who_holds_them)
{
    ebb_bufpool *p = begin(1024, 4096);
    ebb_arena *a = ebb_scope_begin(&profile);
    reports r;
    reports_start(&r);
    ebb_buf *b = ebb_bufpool_acquire(p, a, 2000, NULL);
    ebb_bufpool_destroy(&p);
    leaves_some(); /* refused for good */
    cr_assert_null(p);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_destroy(\"test 4096\")", "for \"buffers\""),
              "%s", r.all);
    cr_assert(fill(b, 20000), "it lasts, and grows");
    ebb_scope_end(&a);
    cr_assert_eq(reports_total(&r), 1u);
    reports_stop();
}

Test(bufpool, parameters_that_make_no_sense_are_reported)
{
    const ebb_bufpool_params wrong[] = {{.size = 4096, .largest = 1024},
                                        {.min_count = 2, .max_count = 1},
                                        {.size = 1, .largest = (size_t)1 << 40},
                                        {.size = SIZE_MAX}};
    for (int i = 0; i < 4; i++) {
        ebb_status why = EBB_OK;
        reports r;
        reports_start(&r);
        cr_assert_null(ebb_bufpool_create(&wrong[i], &why));
        cr_assert_eq(why, EBB_E_INVALID);
        cr_assert_eq(reports_total(&r), 1u);
        reports_stop();
    }
}

/* Whatever allocation fails, nothing is left behind, and what there was is as it was. */
static bool try_all(void)
{
    ebb_bufpool *p = begin(256, 1024);
    bool ok = p != NULL;
    ebb_buf *b = ok ? ebb_bufpool_acquire(p, NULL, 1000, NULL) : NULL;
    ok = ok && b && ebb_buf_append(b, "abc", 3);
    ok = ok && ebb_buf_reserve(b, 600000);
    if (b) cr_assert(b->len == 0 || !memcmp(b->ptr, "abc", 3));
    if (ok) {
        ebb_builder text = ebb_buf_builder(b);
        ok = ebb_builder_fill(&text, 'x', 5000000);
        ok = ebb_buf_finish(b, &text).ptr != NULL && ok;
        cr_assert(!memcmp(b->ptr, "abc", 3));
    }
    if (b) ebb_buf_release(b);
    if (p) end(&p);
    return ok;
}

Test(bufpool, every_allocation_may_fail)
{
    int runs = 0;
    EBB_EACH_FAILURE (f, .this_thread = true) {
        bool ok = try_all();
        cr_assert(ok || ebb_fault_hits(f), "a magazine is not missed, all else is");
        runs++;
    }
    cr_assert(runs > 5);
}
