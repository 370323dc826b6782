/*
 * tests/unit/test_arena_alloc.c: ebb/arena.h: the allocation family, resize, promote, whose memory it is.
 */
#define _GNU_SOURCE
#include "test.h"

#include <ebb/ebb.h>

#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { KIB = 1 << 10, MIB = 1 << 20 };

static ebb_arena_stats stats_of(const ebb_arena *a)
{
    ebb_arena_stats s;
    ebb_arena_get_stats(a, &s);
    return s;
}

/* What the compiler can't see through: a size that is not known when the test is compiled. */
static size_t variable(size_t n)
{
    volatile size_t v = n;
    return v;
}

/* ---- sizes and alignments ---------------------------------------------------------------------- */

Test(arena_alloc, objects_are_aligned_apart_and_stay_as_they_were)
{
    enum { N = 3000 };
    static struct {
        char *p;
        size_t n;
    } o[N];
    ebb_arena *a = ebb_arena_create(NULL);
    rng r = {7};
    for (size_t i = 0; i < N; i++) {
        o[i].n = rng_one_in(&r, 100) ? rng_below(&r, 200 * KIB) : rng_below(&r, 500);
        o[i].p = ebb_alloc(a, o[i].n);
        cr_assert_not_null(o[i].p);
        cr_assert(is_aligned(o[i].p, EBB_ALIGN_DEFAULT));
        pattern_fill(o[i].p, o[i].n, i);
    }
    for (size_t i = 0; i < N; i++)
        cr_assert_eq(pattern_check(o[i].p, o[i].n, i), o[i].n, "object %zu", i);
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

/* The inline path has one form for constants below 64 KiB and another for the rest. */
Test(arena_alloc, constant_and_variable_sizes_do_the_same)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.size = 600 * KIB;
    ebb_arena *a = ebb_arena_create(&params);
#define BOTH(n)                                                                                    \
    do {                                                                                           \
        char *p = ebb_alloc(a, n), *q = ebb_alloc(a, variable(n));                                 \
        cr_assert(p &&q &&is_aligned(p, EBB_ALIGN_DEFAULT) && is_aligned(q, EBB_ALIGN_DEFAULT));   \
        pattern_fill(p, n, 1);                                                                     \
        pattern_fill(q, n, 2);                                                                     \
        cr_assert_eq(pattern_check(p, n, 1), (size_t)(n));                                         \
    } while (0)
    BOTH(1);
    BOTH(15);
    BOTH(16);
    BOTH(17);
    BOTH(65535);
    BOTH(65536);
    BOTH(65537);
#undef BOTH
    ebb_arena_destroy(&a);
}

Test(arena_alloc, every_alignment_up_to_2_mib)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (int round = 0; round < 3; round++) {
        for (size_t align = 1; align <= 2 * MIB; align *= 2) {
            const size_t sizes[] = {0, 1, 7, 64, 1000, 70 * KIB};
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                char *p = ebb_alloc_aligned(a, sizes[i], align);
                cr_assert(p && is_aligned(p, align), "%zu bytes at %zu", sizes[i], align);
                memset(p, 1, sizes[i]);
            }
        }
        cr_assert_null(ebb_arena_validate(a));
        ebb_arena_reset(a);
    }
    ebb_arena_destroy(&a);
}

Test(arena_alloc, bytes_pack_at_alignment_1)
{
    if (!layout_is_plain()) cr_skip_test("red zones lie between");
    ebb_arena *a = ebb_arena_create(NULL);
    size_t used = stats_of(a).used;
    for (int i = 0; i < 5; i++) ebb_alloc_aligned(a, 3, 1);
    ebb_strdup(a, "abc");
    ebb_strndup(a, "abcdef", 2);
    ebb_printf(a, "%d", 12345);
    cr_assert_eq(stats_of(a).used - used, 5u * 3 + 4 + 3 + 6);
    ebb_arena_destroy(&a);
}

/* Where such an address happens to lie in the window it may as well be given. */
Test(arena_alloc, an_alignment_above_2_mib_is_invalid_or_kept)
{
    const size_t wrong[] = {4 * MIB, (size_t)1 << 32, SIZE_MAX / 2 + 1};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ebb_arena *a = ebb_arena_create(NULL);
        void *p = ebb_alloc_aligned(a, 8, wrong[i]);
        cr_assert(p ? is_aligned(p, wrong[i]) : ebb_failed(a) == EBB_E_INVALID);
        p = ebb_alloc_aligned(a, 3000, wrong[i]);
        cr_assert(p ? is_aligned(p, wrong[i]) : ebb_failed(a) == EBB_E_INVALID);
        cr_assert_not_null(ebb_alloc(a, 8));
        cr_assert_null(ebb_arena_validate(a));
        ebb_arena_destroy(&a);
    }
}

Test(arena_alloc, a_size_of_0_is_not_null)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (int i = 0; i < 100; i++) {
        cr_assert_not_null(ebb_alloc(a, 0));
        cr_assert_not_null(ebb_alloc(a, variable(0)));
        cr_assert_not_null(ebb_alloc_aligned(a, 0, 4096));
        cr_assert_not_null(ebb_zalloc(a, 0));
        cr_assert_not_null(ebb_alloc_optional(a, 0));
        cr_assert_not_null(ebb_new_array(a, long, 0));
        cr_assert_not_null(ebb_alloc_array(a, long, 0));
        cr_assert_not_null(ebb_dup(a, "", 0));
        cr_assert_not_null(ebb_resize(a, NULL, 0, 0));
        cr_assert_not_null(ebb_strndup(a, "", 0));
    }
    cr_assert_eq(ebb_failed(a), EBB_OK);
    ebb_arena_destroy(&a);
}

Test(arena_alloc, a_size_of_0_in_a_full_window_is_not_null)
{
    if (!layout_is_plain()) cr_skip_test("red zones never let it come so close");
    static _Alignas(64) char buffer[1024];
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.buffer = buffer;
    params.buffer_size = sizeof buffer;
    ebb_arena *a = ebb_arena_create(&params);
    for (uintptr_t p = (uintptr_t)buffer + 1;
         p > (uintptr_t)buffer && p < (uintptr_t)buffer + sizeof buffer;)
        p = (uintptr_t)ebb_alloc_aligned(a, 1, 1);
    for (int i = 0; i < 10; i++) cr_assert_not_null(ebb_alloc(a, variable(0)));
    cr_assert_eq(ebb_failed(a), EBB_OK);
    ebb_arena_destroy(&a);
}

Test(arena_alloc, sizes_that_cannot_be_fail)
{
    const size_t sizes[] = {
        SIZE_MAX,         SIZE_MAX - 1,     SIZE_MAX - 15, SIZE_MAX - 63,       SIZE_MAX - 4096,
        SIZE_MAX / 2 + 2, SIZE_MAX / 2 + 1, SIZE_MAX / 2,  SIZE_MAX / 2 - 4096, SIZE_MAX / 4 * 3};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ebb_arena *a = ebb_arena_create(NULL);
        size_t n = variable(sizes[i]);
        cr_assert_null(ebb_alloc(a, n));
        cr_assert_eq(ebb_failed(a), EBB_E_MEMORY);
        cr_assert_null(ebb_zalloc(a, n));
        cr_assert_null(ebb_alloc_optional(a, n));
        for (size_t align = 1; align <= 2 * MIB; align *= 8)
            cr_assert_null(ebb_alloc_aligned(a, n, align));
        cr_assert_null(ebb_resize(a, NULL, 0, n));
        char *p = ebb_resize(a, NULL, 0, 10);
        cr_assert_null(ebb_resize(a, p, 10, n));
        cr_assert_null(ebb_alloc_array(a, char, n));
        cr_assert_not_null(ebb_alloc(a, 100));
        cr_assert_null(ebb_arena_validate(a));
        ebb_arena_destroy(&a);
    }
}

Test(arena_alloc, an_address_smaller_than_the_size_does_not_wrap)
{
    const uintptr_t more_than_there_is = (uintptr_t)1 << 45; /* Memcheck puts us at a low address */
    ebb_arena *a = ebb_arena_create(NULL);
    uintptr_t p = (uintptr_t)ebb_alloc(a, 1);
    for (size_t more = 0; more < 100; more++) {
        if (p > more_than_there_is) cr_assert_null(ebb_alloc_optional(a, p - 50 + more));
        cr_assert_null(ebb_alloc_optional(a, (size_t)0 - 100 + more));
    }
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

Test(arena_alloc, products_that_overflow_fail)
{
    struct odd {
        char c[24];
    };
    const size_t counts[] = {SIZE_MAX / 24 + 1, SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 8};
    for (size_t i = 0; i < 4; i++) {
        ebb_arena *a = ebb_arena_create(NULL);
        size_t n = variable(counts[i]);
        cr_assert_null(ebb_new_array(a, struct odd, n));
        cr_assert_eq(ebb_failed(a), EBB_E_MEMORY);
        cr_assert_null(ebb_alloc_array(a, struct odd, n));
        cr_assert_not_null(ebb_alloc(a, 1), "a created arena is not sticky");
        ebb_arena_destroy(&a);
    }
}

Test(arena_alloc, more_than_4_gib)
{
    if (!layout_is_plain()) cr_skip_test("too much for this tool");
    if (TESTS_ASAN || TESTS_TSAN) cr_skip_test("shadow memory of gigabytes takes minutes");
    const size_t n = (size_t)5 << 30;
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = ebb_alloc_optional(a, n);
    if (!p) cr_skip_test("not enough address space");
    p[0] = 'a';
    p[n / 2] = 'b';
    p[n - 1] = 'c';
    char *q = ebb_alloc(a, 100);
    cr_assert(q + 100 <= p || q >= p + n);
    cr_assert_eq(ebb_arena_of(p + n / 2), a);
    cr_assert_eq(ebb_arena_of(p + n - 1), a);
    cr_assert(stats_of(a).held >= n);
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

/* ---- zeroed ------------------------------------------------------------------------------------ */

struct pair {
    long a;
    char b;
};

Test(arena_alloc, what_is_promised_zeroed_is_zeroed)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n < 5000; n = n * 2 + 1) {
            char *p = ebb_zalloc(a, n);
            cr_assert(is_aligned(p, EBB_ALIGN_DEFAULT));
            cr_assert_eq(bytes_check(p, 0, n), n);
            memset(p, 0xff, n);
            long *array = ebb_new_array(a, long, n);
            cr_assert(is_aligned(array, _Alignof(long)));
            cr_assert_eq(bytes_check(array, 0, n * sizeof *array), n * sizeof *array);
            memset(array, 0xff, n * sizeof *array);
            struct pair *one = ebb_new(a, struct pair);
            cr_assert_eq(bytes_check(one, 0, sizeof *one), sizeof *one);
            memset(one, 0xff, sizeof *one);
        }
        ebb_arena_reset(a); /* the next round gets used memory */
    }
    ebb_arena_destroy(&a);
}

Test(arena_alloc, typed_allocation_has_the_types_alignment)
{
    struct wide {
        _Alignas(128) char c;
    };
    ebb_arena *a = ebb_arena_create(NULL);
    for (int i = 0; i < 50; i++) {
        ebb_alloc_aligned(a, 1, 1);
        cr_assert(is_aligned(ebb_new(a, struct wide), 128));
        ebb_alloc_aligned(a, 1, 1);
        cr_assert(is_aligned(ebb_new_array(a, struct wide, 3), 128));
        ebb_alloc_aligned(a, 1, 1);
        cr_assert(is_aligned(ebb_alloc_array(a, double, 3), _Alignof(double)));
    }
    ebb_arena_destroy(&a);
}

/* ---- copies ------------------------------------------------------------------------------------ */

Test(arena_alloc, dup_copies_bytes)
{
    char data[3000];
    pattern_fill(data, sizeof data, 3);
    ebb_arena *a = ebb_arena_create(NULL);
    for (size_t n = 0; n <= sizeof data; n += 37) {
        char *p = ebb_dup(a, data, n);
        cr_assert(is_aligned(p, EBB_ALIGN_DEFAULT));
        cr_assert_neq(p, data);
        cr_assert_eq(pattern_check(p, n, 3), n);
    }
    ebb_arena_destroy(&a);
}

Test(arena_alloc, strings_are_copied_with_their_nul)
{
    char text[2000];
    memset(text, 'x', sizeof text);
    ebb_arena *a = ebb_arena_create(NULL);
    for (size_t n = 0; n < sizeof text; n += 13) {
        text[n] = '\0';
        cr_assert_str_eq(ebb_strdup(a, text), text);
        text[n] = 'x';
    }
    char *p = ebb_strdup(a, "mine");
    p[0] = 'M';
    cr_assert_str_eq(p, "Mine", "it is the caller's to change");
    ebb_arena_destroy(&a);
}

Test(arena_alloc, strndup_copies_at_most_so_much)
{
    const char unended[5] = {'e', 'b', 'b', 'e', 'd'};
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert_str_eq(ebb_strndup(a, "ebbing", 3), "ebb");
    cr_assert_str_eq(ebb_strndup(a, "ebbing", 0), "");
    cr_assert_str_eq(ebb_strndup(a, "ebbing", 6), "ebbing");
    cr_assert_str_eq(ebb_strndup(a, "ebbing", 1000), "ebbing");
    cr_assert_str_eq(ebb_strndup(a, "ebbing", SIZE_MAX), "ebbing");
    cr_assert_str_eq(ebb_strndup(a, unended, sizeof unended), "ebbed");
    ebb_arena_destroy(&a);
}

Test(arena_alloc, printf_formats_texts_of_any_length)
{
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert_str_eq(ebb_printf(a, "%s-%d/%c%%", "vm", -7, 'x'), "vm--7/x%");
    cr_assert_str_eq(ebb_printf(a, "%s", ""), "");
    for (int n = 1; n < 6000; n += n < 300 ? 1 : 97) {
        char *p = ebb_printf(a, "%0*d", n, 7);
        cr_assert_eq(strlen(p), (size_t)n);
        cr_assert_eq(bytes_check(p, '0', (size_t)n - 1), (size_t)n - 1);
        cr_assert_eq(p[n - 1], '7');
    }
    ebb_arena_destroy(&a);
}

EBB_PRINTF(2, 3) static char *through_vprintf(ebb_arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *p = ebb_vprintf(a, fmt, args);
    va_end(args);
    return p;
}

Test(arena_alloc, vprintf_does_the_same)
{
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert_str_eq(through_vprintf(a, "%s %d", "short", 1), "short 1");
    char *p = through_vprintf(a, "%0*d %s", 1000, 5, "end");
    cr_assert_eq(strlen(p), 1004u);
    cr_assert_str_eq(p + 999, "5 end");
    ebb_arena_destroy(&a);
}

/* There is no multibyte form of this character in the C locale. */
Test(arena_alloc, a_conversion_error_is_invalid)
{
    setlocale(LC_ALL, "C");
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert_null(ebb_printf(a, "%lc", (wint_t)0x20ac));
    cr_assert_eq(ebb_failed(a), EBB_E_INVALID);
    ebb_arena_destroy(&a);
}

Test(arena_alloc, copies_fail_as_alloc_does)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert_null(ebb_alloc(a, SIZE_MAX / 2));
    cr_assert_null(ebb_strdup(a, "x"));
    cr_assert_null(ebb_strndup(a, "x", 1));
    cr_assert_null(ebb_dup(a, "x", 1));
    cr_assert_null(ebb_printf(a, "%d", 1));
    cr_assert_null(ebb_printf(a, "%01000d", 1));
    cr_assert_null(ebb_promote(a, "x", 2));
    cr_assert_null(ebb_new(a, struct pair));
    cr_assert_null(ebb_new_array(a, int, 3));
    cr_assert_null(ebb_alloc_optional(a, 1));
    cr_assert_null(ebb_resize(a, NULL, 0, 1));
    ebb_scope_end(&a);
}

/* ---- resize ------------------------------------------------------------------------------------ */

Test(arena_alloc, resize_of_null_allocates)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (size_t n = 0; n < 3 * MIB; n = n * 3 + 1) {
        char *p = ebb_resize(a, NULL, 0, n);
        cr_assert(p && is_aligned(p, EBB_ALIGN_DEFAULT));
        memset(p, 1, n);
    }
    ebb_arena_destroy(&a);
}

/* The contents survive every step, whatever else is allocated in between. */
static void grow_in_steps(size_t to, size_t step, size_t between)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = NULL;
    for (size_t n = 0; n < to; n += step) {
        p = ebb_resize(a, p, n, n + step);
        cr_assert(p && is_aligned(p, EBB_ALIGN_DEFAULT));
        for (size_t i = 0; i < step; i++) p[n + i] = (char)((n + i) * 7);
        if (between) memset(ebb_alloc(a, between), 0xee, between);
    }
    for (size_t i = 0; i < to; i++) cr_assert_eq(p[i], (char)(i * 7), "byte %zu of %zu", i, to);
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

Test(arena_alloc, growing_in_steps_keeps_the_contents)
{
    grow_in_steps(1, 1, 0);
    grow_in_steps(20000, 1, 0);
    grow_in_steps(20000, 1, 24);
    grow_in_steps(300 * 1000, 1000, 100);
    grow_in_steps(5 * MIB, 64 * KIB, 3000);
    grow_in_steps(8 * MIB, MIB, 0);
}

Test(arena_alloc, one_object_grows_in_place_while_small_ones_come_down)
{
    if (!layout_is_plain()) cr_skip_test("every growth copies under this tool");
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.size = 64 * KIB;
    ebb_arena *a = ebb_arena_create(&params);
    ebb_alloc(a, 2000); /* out of the head, into the chunk */
    char *start = ebb_resize(a, NULL, 0, 8), *p = start;
    for (size_t n = 8; n < 20 * KIB; n += 8) {
        ebb_alloc(a, 8);
        p = ebb_resize(a, p, n, n + 8);
        cr_assert_eq(p, start, "moved at %zu", n);
    }
    ebb_arena_destroy(&a);
}

Test(arena_alloc, an_empty_builder_owns_nothing)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *empty[20];
    for (int i = 0; i < 20; i++) cr_assert_not_null(empty[i] = ebb_resize(a, NULL, 0, 0));
    for (int i = 0; i < 20; i++) {
        empty[i] = ebb_resize(a, empty[i], 0, 50);
        memset(empty[i], i, 50);
    }
    for (int i = 0; i < 20; i++) cr_assert_eq(bytes_check(empty[i], (unsigned char)i, 50), 50u);
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

/* A second one at least twice as large takes over; the first then copies. */
Test(arena_alloc, a_second_object_takes_over_if_it_is_much_larger)
{
    if (!layout_is_plain()) cr_skip_test("every growth copies under this tool");
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.size = 100 * KIB;
    ebb_arena *a = ebb_arena_create(&params);
    ebb_alloc(a, 2000);
    char *small = ebb_resize(a, NULL, 0, 100), *large = ebb_resize(a, NULL, 0, 1000);
    memset(small, 's', 100);
    memset(large, 'l', 1000);
    cr_assert_eq(ebb_resize(a, large, 1000, 3000), (void *)large, "now it grows in place");
    char *moved = ebb_resize(a, small, 100, 200);
    cr_assert_neq(moved, small);
    cr_assert_eq(bytes_check(moved, 's', 100), 100u);
    cr_assert_eq(bytes_check(small, 's', 100), 100u, "the old copy stays readable");
    cr_assert_eq(ebb_resize(a, large, 3000, 5000), (void *)large, "and goes on to");
    ebb_arena_destroy(&a);
}

Test(arena_alloc, the_old_copy_stays_readable_until_the_end)
{
    if (!layout_is_plain()) cr_skip_test("it is poisoned under this tool");
    ebb_arena *a = ebb_arena_create(NULL);
    char *old[50];
    for (size_t i = 0; i < 50; i++) {
        pattern_fill(old[i] = ebb_alloc(a, 100), 100, i);
        cr_assert_neq(ebb_resize(a, old[i], 100, 400), (void *)old[i]);
        memset(ebb_alloc(a, 300), 0xee, 300);
    }
    for (size_t i = 0; i < 50; i++) cr_assert_eq(pattern_check(old[i], 100, i), 100u);
    ebb_arena_destroy(&a);
}

Test(arena_alloc, a_move_reserves_half_as_much_again)
{
    if (!layout_is_plain()) cr_skip_test("every growth copies under this tool");
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.size = 100 * KIB;
    ebb_arena *a = ebb_arena_create(&params);
    ebb_alloc(a, 2000);
    char *p = ebb_resize(a, ebb_alloc(a, 1000), 1000, 2000);
    size_t used = stats_of(a).used;
    cr_assert_eq(ebb_resize(a, p, 2000, 3000), (void *)p);
    cr_assert_eq(stats_of(a).used, used, "that much was reserved");
    ebb_arena_destroy(&a);
}

Test(arena_alloc, growing_costs_a_logarithm_of_copies)
{
    if (!layout_is_plain()) cr_skip_test("every growth copies under this tool");
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = NULL;
    int moves = 0;
    for (size_t n = 0; n < 256 * KIB; n += 16) {
        char *q = ebb_resize(a, p, n, n + 16);
        ebb_alloc(a, 16);
        moves += q != p;
        p = q;
    }
    cr_assert(moves < 40, "%d moves", moves);
    ebb_arena_destroy(&a);
}

Test(arena_alloc, shrinking_never_moves)
{
    ebb_arena *a = ebb_arena_create(NULL);
    const size_t sizes[] = {1, 100, 3000, 100 * KIB, 3 * MIB};
    for (size_t i = 0; i < 5; i++) {
        char *made = ebb_alloc(a, sizes[i]), *grown = ebb_resize(a, NULL, 0, sizes[i]);
        pattern_fill(made, sizes[i], 1);
        pattern_fill(grown, sizes[i], 2);
        for (size_t n = sizes[i]; n > 0; n /= 2) {
            cr_assert_eq(ebb_resize(a, made, n, n / 2), (void *)made);
            cr_assert_eq(ebb_resize(a, grown, n, n / 2), (void *)grown);
            cr_assert_eq(pattern_check(made, n / 2, 1), n / 2);
            cr_assert_eq(pattern_check(grown, n / 2, 2), n / 2);
        }
        cr_assert_null(ebb_arena_validate(a));
    }
    ebb_arena_destroy(&a);
}

Test(arena_alloc, shrinking_the_open_object_gives_bytes_back)
{
    if (!layout_is_plain()) cr_skip_test("every growth copies under this tool");
    ebb_arena *a = ebb_arena_create(NULL);
    size_t used = stats_of(a).used;
    char *p = ebb_resize(a, NULL, 0, 200);
    cr_assert_eq(ebb_resize(a, p, 200, 10), (void *)p);
    cr_assert_eq(stats_of(a).used, used + 10);
    cr_assert_eq(ebb_resize(a, p, 10, 0), (void *)p);
    cr_assert_eq(stats_of(a).used, used);
    ebb_arena_destroy(&a);
}

Test(arena_alloc, a_result_of_size_0_may_be_passed_on)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = ebb_resize(a, NULL, 0, 100), *q = ebb_alloc(a, 100);
    p = ebb_resize(a, p, 100, 0);
    q = ebb_resize(a, q, 100, 0);
    cr_assert(p && q);
    p = ebb_resize(a, p, 0, 300);
    q = ebb_resize(a, q, 0, 300);
    memset(p, 'p', 300);
    memset(q, 'q', 300);
    cr_assert_eq(bytes_check(p, 'p', 300), 300u);
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

Test(arena_alloc, on_failure_the_object_is_untouched)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *open = ebb_resize(a, NULL, 0, 100), *plain = ebb_alloc(a, 100),
         *large = ebb_alloc(a, 100 * KIB);
    pattern_fill(open, 100, 1);
    pattern_fill(plain, 100, 2);
    pattern_fill(large, 100 * KIB, 3);
    cr_assert(ebb_arena_set_limit(a, 0, stats_of(a).held, 0));
    cr_assert_null(ebb_resize(a, open, 100, MIB));
    cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
    cr_assert_null(ebb_resize(a, plain, 100, MIB));
    cr_assert_null(ebb_resize(a, large, 100 * KIB, 9 * MIB));
    cr_assert_eq(pattern_check(open, 100, 1), 100u);
    cr_assert_eq(pattern_check(plain, 100, 2), 100u);
    cr_assert_eq(pattern_check(large, 100 * KIB, 3), (size_t)100 * KIB);
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

Test(arena_alloc, an_over_aligned_object_moves_to_the_usual_alignment)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = ebb_alloc_aligned(a, 100, 4096);
    pattern_fill(p, 100, 1);
    char *text = ebb_strdup(a, "odd");
    p = ebb_resize(a, p, 100, 1000);
    text = ebb_resize(a, text, 4, 200);
    cr_assert(is_aligned(p, EBB_ALIGN_DEFAULT) && is_aligned(text, EBB_ALIGN_DEFAULT));
    cr_assert_eq(pattern_check(p, 100, 1), 100u);
    cr_assert_str_eq(text, "odd");
    ebb_arena_destroy(&a);
}

Test(arena_alloc, a_large_block_grows_within_its_own)
{
    if (!layout_is_plain()) cr_skip_test("every growth copies under this tool");
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = ebb_alloc(a, 9000);
    pattern_fill(p, 9000, 1);
    cr_assert_eq(stats_of(a).large, 1u);
    cr_assert_eq(ebb_resize(a, p, 9000, 9100), (void *)p);
    cr_assert_eq(pattern_check(p, 9000, 1), 9000u);
    p = ebb_resize(a, p, 9100, 50000);
    cr_assert_eq(pattern_check(p, 9000, 1), 9000u);
    ebb_arena_destroy(&a);
}

/* The old size may be anything up to what was asked for: the rest is not the caller's any more. */
Test(arena_alloc, an_interior_pointer_is_not_taken_for_a_large_block)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = ebb_alloc(a, 64 * KIB);
    pattern_fill(p + 4096, 8000, 1);
    char *q = ebb_resize(a, p + 4096, 8000, 12000);
    cr_assert_neq(q, p + 4096);
    cr_assert_eq(pattern_check(q, 8000, 1), 8000u);
    ebb_arena_destroy(&a);
}

/* ---- optional ---------------------------------------------------------------------------------- */

Test(arena_alloc, optional_allocates_like_alloc)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    for (size_t n = 0; n < MIB; n = n * 2 + 1) {
        char *p = ebb_alloc_optional(a, n);
        cr_assert(p && is_aligned(p, EBB_ALIGN_DEFAULT));
        memset(p, 1, n);
    }
    ebb_scope_end(&a);
}

Test(arena_alloc, the_null_of_optional_leaves_no_trace)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert(ebb_arena_set_limit(a, 0, 64 * KIB, 0));
    ebb_arena_stats before = stats_of(a), after;
    cr_assert_null(ebb_alloc_optional(a, MIB));
    cr_assert_null(ebb_alloc_optional(a, variable(SIZE_MAX)));
    after = stats_of(a);
    cr_assert_eq(ebb_failed(a), EBB_OK);
    cr_assert_eq(after.used, before.used);
    cr_assert_eq(after.held, before.held);
    cr_assert_eq(after.charged, before.charged);
    cr_assert_not_null(ebb_alloc(a, 100));
    ebb_scope_end(&a);
}

/* ---- promote ----------------------------------------------------------------------------------- */

Test(arena_alloc, promote_returns_what_lives_long_enough_as_it_is)
{
    ebb_arena *top = ebb_scope_begin(NULL), *middle = ebb_scope_begin_in(top, NULL);
    ebb_arena *low = ebb_scope_begin_in(middle, NULL);
    char *p = ebb_strdup(top, "top"), *q = ebb_strdup(middle, "middle"),
         *large = ebb_alloc(top, 3 * MIB);
    cr_assert_eq(ebb_promote(top, p, 4), (void *)p);
    cr_assert_eq(ebb_promote(middle, p, 4), (void *)p);
    cr_assert_eq(ebb_promote(low, p, 4), (void *)p);
    cr_assert_eq(ebb_promote(low, q, 7), (void *)q);
    cr_assert_eq(ebb_promote(low, large + MIB, 10), (void *)(large + MIB));
    ebb_scope_end(&low);
    ebb_scope_end(&middle);
    ebb_scope_end(&top);
}

Test(arena_alloc, promote_copies_what_does_not)
{
    ebb_arena *top = ebb_scope_begin(NULL), *low = ebb_scope_begin_in(top, NULL);
    ebb_arena *stranger = ebb_scope_begin(NULL);
    static const char literal[] = "literal";
    char stack[] = "stack", *heap = strdup("heap");
    char *up = ebb_promote(top, ebb_strdup(low, "low"), 4);
    char *over = ebb_promote(top, ebb_strdup(stranger, "stranger"), 9);
    char *a = ebb_promote(top, literal, sizeof literal), *b = ebb_promote(top, stack, 6);
    char *c = ebb_promote(top, heap, 5);
    cr_assert(a != literal && b != stack && c != heap);
    free(heap);
    ebb_scope_end(&low);
    ebb_scope_end(&stranger);
    memset(stack, 0, sizeof stack);
    cr_assert_str_eq(up, "low");
    cr_assert_str_eq(over, "stranger");
    cr_assert_str_eq(a, "literal");
    cr_assert_str_eq(b, "stack");
    cr_assert_str_eq(c, "heap");
    cr_assert(is_aligned(up, EBB_ALIGN_DEFAULT) && is_aligned(c, EBB_ALIGN_DEFAULT));
    ebb_scope_end(&top);
}

Test(arena_alloc, promote_knows_a_callers_buffer)
{
    static _Alignas(64) char buffer[4096];
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.buffer = buffer;
    params.buffer_size = sizeof buffer;
    ebb_arena *a = ebb_arena_create(&params), *child = ebb_scope_begin_in(a, NULL);
    char *p = ebb_strdup(a, "here");
    cr_assert_eq(ebb_promote(a, p, 5), (void *)p);
    cr_assert_eq(ebb_promote(child, p, 5), (void *)p);
    cr_assert_str_eq(ebb_promote(a, ebb_strdup(child, "up"), 3), "up");
    ebb_scope_end(&child);
    ebb_arena_destroy(&a);
}

/* ---- whose memory ------------------------------------------------------------------------------ */

Test(arena_alloc, any_byte_of_an_object_leads_to_its_arena)
{
    enum { N = 20 };
    ebb_arena *a[N];
    char *small[N], *large[N], *span[N];
    for (int i = 0; i < N; i++) {
        a[i] = i % 2 ? ebb_arena_create(NULL) : ebb_scope_begin(NULL);
        small[i] = ebb_alloc(a[i], 100);
        large[i] = ebb_alloc(a[i], 100 * KIB);
        span[i] = ebb_alloc(a[i], 3 * MIB);
    }
    for (int i = 0; i < N; i++) {
        for (size_t k = 0; k < 100; k++) cr_assert_eq(ebb_arena_of(small[i] + k), a[i]);
        for (size_t k = 0; k < 100 * KIB; k += 999) cr_assert_eq(ebb_arena_of(large[i] + k), a[i]);
        for (size_t k = 0; k < 3 * MIB; k += 9999) cr_assert_eq(ebb_arena_of(span[i] + k), a[i]);
    }
    for (int i = 0; i < N; i++) {
        if (i % 2) ebb_arena_destroy(&a[i]);
        else ebb_scope_end(&a[i]);
    }
}

Test(arena_alloc, any_other_address_leads_to_none)
{
    static int global;
    int local;
    void *heap = malloc(10);
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_alloc(a, 3 * MIB);
    const void *others[] = {NULL,
                            (void *)1,
                            (void *)UINTPTR_MAX,
                            (void *)(UINTPTR_MAX / 2),
                            &global,
                            &local,
                            heap,
                            "literal",
                            (void *)(uintptr_t)test_source_init,
                            (void *)((uintptr_t)1 << 47),
                            (void *)(((uintptr_t)1 << 47) - 1)};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        cr_assert_null(ebb_arena_of(others[i]));
    rng r = {3};
    for (int i = 0; i < 100000; i++) {
        ebb_arena *of = ebb_arena_of((void *)(uintptr_t)rng_next(&r));
        cr_assert(of == NULL || of == a);
    }
    free(heap);
    ebb_arena_destroy(&a);
}

Test(arena_alloc, free_memory_leads_to_none)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *small = ebb_alloc(a, 10), *body = ebb_alloc(a, 3000), *large = ebb_alloc(a, 100 * KIB);
    char *span = ebb_alloc(a, 3 * MIB);
    ebb_arena_destroy(&a);
    cr_assert_null(ebb_arena_of(small));
    cr_assert_null(ebb_arena_of(body));
    cr_assert_null(ebb_arena_of(large));
    cr_assert_null(ebb_arena_of(span));
    ebb_trim();
    cr_assert_null(ebb_arena_of(small));
    cr_assert_null(ebb_arena_of(body));
    cr_assert_null(ebb_arena_of(large));
    cr_assert_null(ebb_arena_of(span + MIB));
}

Test(arena_alloc, every_address_of_our_slabs_may_be_asked_about)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *head = ebb_alloc(a, 1), *body = ebb_alloc(a, 3000);
    ebb_scope_set_data(a, a);
    uintptr_t slabs[] = {(uintptr_t)head & -EBB_SLAB_SIZE, (uintptr_t)body & -EBB_SLAB_SIZE};
    for (int s = 0; s < 2; s++)
        for (uintptr_t k = 0; k < EBB_SLAB_SIZE; k += 61) {
            ebb_arena *of = ebb_arena_of((void *)(slabs[s] + k));
            cr_assert(of == NULL || of == a);
        }
    ebb_arena_destroy(&a);
}

static void ask_there(void *p)
{
    void **q = p;
    q[1] = ebb_arena_of(q[0]);
}

Test(arena_alloc, arena_of_works_from_any_thread)
{
    ebb_arena *a = ebb_arena_create(NULL);
    void *q[2] = {ebb_alloc(a, 5000), NULL};
    on_thread(ask_there, q);
    cr_assert_eq(q[1], (void *)a);
    ebb_arena_destroy(&a);
}
