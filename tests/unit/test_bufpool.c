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

Test(bufpool, ebb_trim_reaches_those_of_the_process)
{
    ebb_trim();
    cr_assert_eq(ebb_pool_list(NULL, 0), 0, "and makes none");
    ebb_arena *a = ebb_scope_begin(&profile);
    ebb_buf *kept = ebb_bufpool_small(a, NULL);
    for (int i = 0; i < 3; i++) cr_assert_not_null(ebb_bufpool_large(a, NULL));
    cr_assert(ebb_buf_append(kept, "kept", 4) && ebb_buf_move(kept, NULL));
    ebb_scope_end(&a);
    ebb_trim();
    cr_assert_eq(stats_of(ebb_bufpool_shared()).bytes, 1024, "but for what is out");
    cr_assert(!memcmp(kept->ptr, "kept", 4));
    ebb_buf_release(kept);
    ebb_trim();
    cr_assert_eq(stats_of(ebb_bufpool_shared()).bytes, 0);
    ebb_bufpool_shared_destroy();
    ebb_trim();
    ebb_buf_release(ebb_bufpool_small(NULL, NULL));
    ebb_trim();
    cr_assert_eq(stats_of(ebb_bufpool_shared()).bytes, 0, "made again");
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
SITE(pass_on, void, (ebb_buf * b, bool *ret), *ret = ebb_buf_move(b, NULL))
SITE(keep, void, (ebb_buf * b, ebb_buf **ret), *ret = ebb_buf_detach(b))
SITE(refer, void, (ebb_buf * b, ebb_buf_ref *ret), *ret = ebb_buf_ref_to(b))
SITE(make_room, void, (ebb_buf * b, bool *ret), *ret = ebb_buf_reserve(b, 1))
SITE(build, void, (ebb_buf * b, ebb_builder *ret), *ret = ebb_buf_builder(b))

Test(bufpool, a_second_release_is_reported_with_all_sites)
{
    if (getenv("EBB_POOL")) return; /* it is gone then, which a tool would see */
    ebb_bufpool *p = begin(1024, 0);
    ebb_buf *b;
    reports r;
    borrow(p, &b);
    give_back(b);
    reports_start(&r);
    give_back_again(b);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_buf_release(\"test 1024\")", "is not out"), "%s",
              r.all);
    cr_assert(says_borrow(r.text) && says_give_back(r.text) && says_give_back_again(r.text), "%s",
              r.text);
    reports_stop();
    end(&p);
}

/* Every call tells, with its own name and place. */
Test(bufpool, what_is_not_out_can_not_be_handled)
{
    if (getenv("EBB_POOL")) return; /* it is gone then, which a tool would see */
    ebb_bufpool *p = begin(1024, 0);
    ebb_buf *b, *kept = NULL;
    ebb_buf_ref ref = {.buf = NULL};
    ebb_builder text;
    bool ok = true;
    reports r;
    borrow(p, &b);
    kept = ref.buf = b;
    give_back(b);
    reports_start(&r);
    pass_on(b, &ok);
    cr_assert(!ok && reports_one(&r, EBB_MISUSE, "ebb_buf_move(\"test 1024\")", "is not out"));
    cr_assert(says_borrow(r.text) && says_give_back(r.text) && says_pass_on(r.text), "%s", r.text);
    reports_start(&r);
    keep(b, &kept);
    cr_assert(!kept && reports_one(&r, EBB_MISUSE, "ebb_buf_detach(\"test 1024\")", "is not out"));
    cr_assert(says_borrow(r.text) && says_give_back(r.text) && says_keep(r.text), "%s", r.text);
    reports_start(&r);
    refer(b, &ref);
    cr_assert(!ref.buf && reports_one(&r, EBB_MISUSE, "ebb_buf_ref_to", "is not out"));
    cr_assert(says_refer(r.text), "%s", r.text);
    reports_start(&r);
    make_room(b, &ok);
    cr_assert(!ok && reports_one(&r, EBB_MISUSE, "ebb_buf_reserve", "is not out"));
    cr_assert(says_make_room(r.text), "%s", r.text);
    reports_start(&r);
    build(b, &text);
    cr_assert(!ebb_builder_text(&text, "x"));
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_buf_builder", "is not out") && says_build(r.text));
    cr_assert_null(ebb_buf_finish(b, &text).ptr);
    reports_stop();
    end(&p);
}

/* The inline call has no room there, and so comes to one that looks. */
Test(bufpool, what_is_appended_to_a_stale_buffer_is_told)
{
    if (getenv("EBB_POOL") || !layout_is_plain()) cr_skip_test("a tool says so itself");
    ebb_bufpool *p = begin(1024, 0);
    ebb_buf *b = ebb_bufpool_acquire(p, NULL, 0, NULL);
    reports r;
    cr_assert(ebb_buf_append(b, "mine", 4));
    ebb_buf_release(b);
    reports_start(&r);
    cr_assert(!ebb_buf_append(b, "late", 4));
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_buf_reserve", "is not out"), "%s", r.all);
    cr_assert_eq(ebb_buf_view(b).len, 0);
    reports_stop();
    ebb_buf *next = ebb_bufpool_acquire(p, NULL, 0, NULL);
    cr_assert(next->len == 0 && next->cap == 1024);
    ebb_buf_release(next);
    end(&p);
}

Test(bufpool, a_reference_tells_this_loan_from_the_next)
{
    if (getenv("EBB_POOL")) return; /* each loan is of another then */
    ebb_bufpool_params how = {.size = 1024, .largest = 4096, .max_count = 1};
    ebb_bufpool *p = ebb_bufpool_create(&how, NULL), *other = begin(1024, 0);
    ebb_arena *a = ebb_scope_begin(&profile), *longer = ebb_scope_begin(&profile);
    ebb_buf *b = ebb_bufpool_acquire(p, a, 4000, NULL);
    ebb_buf_ref ref = ebb_buf_ref_to(b);
    cr_assert_eq(ebb_buf_ref_get(p, ref), b);
    cr_assert_null(ebb_buf_ref_get(other, ref), "of another pool");
    cr_assert(fill(b, 10000) && ebb_buf_move(b, longer));
    cr_assert_eq(ebb_buf_detach(b), b);
    cr_assert_eq(ebb_buf_ref_get(p, ref), b, "grown, moved and detached it is the same loan");
    ebb_buf_release(b);
    cr_assert_null(ebb_buf_ref_get(p, ref));
    ebb_buf *next = ebb_bufpool_acquire(p, a, 4000, NULL);
    cr_assert_null(ebb_buf_ref_get(p, ref));
    cr_assert_eq(ebb_buf_ref_get(p, ebb_buf_ref_to(next)), next);
    cr_assert_null(ebb_buf_ref_get(p, (ebb_buf_ref){.buf = NULL}));
    ebb_scope_end(&a);
    ebb_scope_end(&longer);
    ebb_bufpool_destroy(&p);
    end(&other);
}

Test(bufpool, what_is_no_buffer_is_told_and_left_alone)
{
    static _Alignas(64) char bytes[512];
    char *heap = malloc(512);
    reports r;
    ebb_pool_params how = {.name = "parsers", .size = 100};
    ebb_pool *parsers = ebb_pool_create(&how, NULL);
    void *object = ebb_pool_acquire(parsers, NULL, NULL);
    void *wrong[] = {bytes + 256, bytes + 264, heap + 256, object, (void *)1};
    memset(bytes, 0x55, sizeof bytes); /* as if its state were "out" */
    memset(heap, 0x55, 512);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        reports_start(&r);
        give_back(wrong[i]);
        cr_assert(reports_one(&r, EBB_MISUSE, "ebb_buf_release",
                              wrong[i] == object ? "\"parsers\"" : "no pool's"));
        cr_assert(says_give_back(r.text), "%s", r.text);
    }
    reports_start(&r);
    cr_assert(!ebb_buf_move(NULL, NULL) &&
              reports_one(&r, EBB_MISUSE, "ebb_buf_move", "no pool's"));
    reports_stop();
    cr_assert_eq(bytes_check(bytes, 0x55, sizeof bytes), sizeof bytes);
    ebb_pool_release(parsers, object);
    ebb_pool_destroy(&parsers);
    free(heap);
}

Test(bufpool, one_builder_at_a_time_has_it)
{
    ebb_bufpool *p = begin(256, 0);
    ebb_arena *a = ebb_scope_begin(&profile);
    ebb_buf *b = ebb_bufpool_acquire(p, a, 0, NULL);
    reports r;
    cr_assert(ebb_buf_append(b, "a", 1));
    ebb_builder text = ebb_buf_builder(b), foreign = ebb_builder_in(a);
    cr_assert(ebb_builder_text(&text, "b") && ebb_builder_text(&foreign, "z"));
    cr_assert(!ebb_buf_append(b, "y", 1), "not beside the builder");
    ebb_buf_clear(b);
    cr_assert(!ebb_buf_append(b, "y", 1));
    reports_start(&r);
    ebb_builder second = ebb_buf_builder(b);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_buf_builder", "already"), "%s", r.all);
    cr_assert(!ebb_builder_text(&second, "x") && !ebb_buf_finish(b, &second).ptr);
    reports_start(&r);
    cr_assert_null(ebb_buf_finish(b, &foreign).ptr);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_buf_finish", "not the buffer's"), "%s", r.all);
    cr_assert(ebb_builder_text(&text, "c"));
    ebb_str s = ebb_buf_finish(b, &text);
    cr_assert(s.len == 3 && !memcmp(s.ptr, "abc", 4));
    cr_assert_eq(ebb_builder_failed(&text), EBB_OK);
    reports_start(&r);
    cr_assert(!ebb_builder_text(&text, "d") && !ebb_buf_finish(b, &text).ptr, "it is over");
    cr_assert_null(ebb_buf_finish(b, &foreign).ptr);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_buf_finish", "not the buffer's"), "%s", r.all);
    reports_stop();
    cr_assert(ebb_buf_append(b, "d", 1) && !memcmp(b->ptr, "abcd", 4));
    ebb_scope_end(&a);
    cr_assert_eq(stats_of(p).unfinished, 0);
    end(&p);
}

static void destroy_again(ebb_bufpool *p)
{
    reports r;
    reports_start(&r);
    ebb_bufpool_destroy(&p);
    cr_assert_null(p);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_bufpool_destroy", "already"), "%s", r.all);
    reports_stop();
}

Test(bufpool, it_is_destroyed_when_all_are_home_and_once)
{
    ebb_bufpool *p = begin(1024, 4096), *copy = p;
    ebb_buf *b = ebb_bufpool_acquire(p, NULL, 4096, NULL);
    reports r;
    reports_start(&r);
    ebb_bufpool_destroy(&p);
    cr_assert_eq(reports_total(&r), 1u);
    ebb_buf_release(ebb_bufpool_acquire(copy, NULL, 0, NULL));
    ebb_buf_release(b);
    p = copy;
    ebb_bufpool_destroy(&p);
    cr_assert_eq(reports_total(&r), 1u, "it lived on, as it was: %s", r.all);
    reports_stop();
    if (layout_is_plain()) destroy_again(copy);
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
