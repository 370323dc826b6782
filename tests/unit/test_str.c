/*
 * tests/unit/test_str.c: ebb/str.h: pieces, searches, comparisons. Numbers: test_number.c.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const ebb_str nothing = {NULL, 0};
static const ebb_str ready_made = EBB_STR_INIT("ready made");

#define SAME(s, literal) cr_assert(ebb_str_equal((s), EBB_STR(literal)), #s)

static bool terminated(ebb_str s)
{
    return s.ptr && s.ptr[s.len] == '\0';
}

/* ---- making ------------------------------------------------------------------------------------ */

Test(str, literals_know_their_length)
{
    cr_assert_eq(EBB_STR("a\0b").len, 3u);
    cr_assert_eq(EBB_STR("").len, 0u);
    cr_assert(ready_made.len == 10 && memcmp(ready_made.ptr, "ready made", 10) == 0);
    cr_assert_eq(ebb_str_from("four").len, 4u);
    cr_assert_eq(ebb_str_from(NULL).len, 0u);
}

Test(str, printing_shows_it)
{
    char text[32];
    ebb_str s = ebb_str_slice(EBB_STR("abcdef"), 1, 3);
    snprintf(text, sizeof text, "<" EBB_FMT ">", EBB_ARG(s));
    cr_assert_str_eq(text, "<bcd>");
    snprintf(text, sizeof text, "<" EBB_FMT ">", EBB_ARG(nothing));
    cr_assert_str_eq(text, "<>");
    cr_assert_eq(ebb__str_precision((size_t)INT_MAX + 1), INT_MAX);
    cr_assert_eq(ebb__str_precision(SIZE_MAX), INT_MAX);
}

Test(str, dup_copies_and_terminates)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_str s = EBB_STR("with\0nul"), t = ebb_str_dup(a, s);
    cr_assert(t.ptr != s.ptr && terminated(t) && ebb_str_equal(s, t));
    t = ebb_str_dup(a, nothing);
    cr_assert(t.len == 0 && terminated(t), "the empty string has a NUL, too");
    ebb_arena_destroy(&a);
}

Test(str, printf_formats)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_str s = ebb_str_printf(a, "%d-%s", 17, "x");
    SAME(s, "17-x");
    cr_assert(terminated(s));
    s = ebb_str_printf(a, "a%cb", 0);
    SAME(s, "a\0b");
    s = ebb_str_printf(a, "%1000d", 5);
    cr_assert(s.len == 1000 && terminated(s) && s.ptr[999] == '5' && s.ptr[0] == ' ');
    for (int n = 250; n < 260; n++) cr_assert_eq(ebb_str_printf(a, "%*d", n, 5).len, (size_t)n);
    ebb_arena_destroy(&a);
}

Test(str, join_and_concat_allocate_once)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_str parts[] = {EBB_STR("a"), nothing, EBB_STR("bc")};
    ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch){.arena = a}, NULL, NULL);
    ebb_str s = ebb_str_join(a, parts, 3, EBB_STR(", ")), t = ebb_str_concat(a, s, EBB_STR("!"));
    ebb_totals stats;
    ebb_tracker_get_totals(c, &stats);
    ebb_tracker_end(&c);
    SAME(s, "a, , bc");
    SAME(t, "a, , bc!");
    cr_assert(terminated(s) && terminated(t));
    cr_assert_eq(stats.count, 2u);
    cr_assert_eq(ebb_str_join(a, parts, 0, EBB_STR(",")).len, 0u);
    SAME(ebb_str_concat(a, EBB_STR("one")), "one");
    SAME(ebb_str_concat(a, nothing, EBB_STR("x"), nothing, EBB_STR("y")), "xy");
    ebb_arena_destroy(&a);
}

Test(str, case_is_folded_for_ascii_alone)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char all[256 + 11], lower[sizeof all], upper[sizeof all];
    for (size_t i = 0; i < sizeof all; i++) {
        char c = all[i] = (char)i;
        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        upper[i] = c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
    }
    for (size_t from = 0; from < 24; from++) {
        ebb_str s = {all + from, sizeof all - from};
        ebb_str l = ebb_str_lower(a, s), u = ebb_str_upper(a, s);
        cr_assert(terminated(l) && ebb_str_equal(l, (ebb_str){lower + from, s.len}));
        cr_assert(terminated(u) && ebb_str_equal(u, (ebb_str){upper + from, s.len}));
        cr_assert(ebb_str_equal_nocase(s, l) && ebb_str_equal_nocase(l, u));
    }
    cr_assert_eq(ebb_str_lower(a, nothing).len, 0u);
    ebb_arena_destroy(&a);
}

static void huge_lengths(ebb_arena *a, ebb_str huge)
{
    ebb_str parts[] = {huge, huge};
    cr_assert_null(ebb_str_dup(a, huge).ptr);
    cr_assert_null(ebb_str_lower(a, huge).ptr);
    cr_assert_null(ebb_str_upper(a, huge).ptr);
    cr_assert_null(ebb_str_join(a, parts, 2, nothing).ptr);
    cr_assert_null(ebb_str_join(a, parts, 1, huge).ptr);
    cr_assert_null(ebb_str_join(a, parts, 2, huge).ptr);
    cr_assert_eq(ebb_failed(a), EBB_E_MEMORY);
}

Test(str, a_length_that_cant_be_had_fails_before_a_byte_is_read)
{
    ebb_arena *a = ebb_arena_create(NULL);
    huge_lengths(a, (ebb_str){"x", SIZE_MAX});
    huge_lengths(a, (ebb_str){"x", SIZE_MAX - 1});
    huge_lengths(a, (ebb_str){"x", SIZE_MAX / 2});
    huge_lengths(a, (ebb_str){"x", PTRDIFF_MAX});
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

Test(str, more_than_4_gib_is_a_string_like_another)
{
    if (TESTS_ASAN || TESTS_TSAN || under_valgrind()) cr_skip_test("maps 5 GiB");
    const size_t size = ((size_t)4 << 30) + 4096;
    char *p = calloc(1, size); /* never touched pages are the zero page */
    if (!p) cr_skip_test("no address space");
    ebb_str s = {p, size};
    p[size - 2] = 'x';
    cr_assert_eq(ebb_str_find_last_char(s, 'x'), size - 2);
    cr_assert_eq(ebb_str_slice(s, size - 2, SIZE_MAX).len, 2u);
    cr_assert_eq(ebb_str_compare(s, ebb_str_slice(s, 0, 1)), 1);
    free(p);
}

/* ---- pieces ------------------------------------------------------------------------------------ */

Test(str, slices_are_cut_to_what_there_is)
{
    ebb_str s = EBB_STR("abcdef");
    SAME(ebb_str_slice(s, 2, 3), "cde");
    SAME(ebb_str_slice(s, 2, SIZE_MAX), "cdef");
    SAME(ebb_str_slice(s, 6, 1), "");
    SAME(ebb_str_slice(s, 7, 1), "");
    SAME(ebb_str_slice(s, SIZE_MAX, SIZE_MAX), "");
    SAME(ebb_str_slice(s, 0, 0), "");
    cr_assert_eq(ebb_str_slice(s, SIZE_MAX, 1).ptr, s.ptr + 6);
    cr_assert_null(ebb_str_slice(nothing, 3, 3).ptr);
}

typedef bool cutter(ebb_str *rest, ebb_str *field);

static bool by_comma(ebb_str *rest, ebb_str *field)
{
    return ebb_str_cut(rest, ',', field);
}
static bool by_crlf(ebb_str *rest, ebb_str *field)
{
    return ebb_str_cut_str(rest, EBB_STR("\r\n"), field);
}
static bool by_any(ebb_str *rest, ebb_str *field)
{
    return ebb_str_cut_any(rest, EBB_STR(" ,\0"), field);
}
static bool by_nothing(ebb_str *rest, ebb_str *field)
{
    return ebb_str_cut_str(rest, EBB_STR(""), field);
}

/* The fields, each in brackets. */
static ebb_str fields_of(ebb_arena *a, cutter *cut, ebb_str s)
{
    ebb_str all = EBB_STR(""), field = EBB_STR("untouched");
    for (ebb_str rest = s; cut(&rest, &field);)
        all = ebb_str_concat(a, all, EBB_STR("["), field, EBB_STR("]"));
    return all;
}

Test(str, n_separators_make_n_plus_one_fields)
{
    ebb_arena *a = ebb_arena_create(NULL);
    SAME(fields_of(a, by_comma, EBB_STR("a,bc,,d")), "[a][bc][][d]");
    SAME(fields_of(a, by_comma, EBB_STR(",")), "[][]");
    SAME(fields_of(a, by_comma, EBB_STR("a,")), "[a][]");
    SAME(fields_of(a, by_comma, EBB_STR("abc")), "[abc]");
    SAME(fields_of(a, by_comma, EBB_STR("")), "[]");
    SAME(fields_of(a, by_comma, nothing), "");
    SAME(fields_of(a, by_crlf, EBB_STR("a\r\n\r\nb\rc\r\n")), "[a][][b\rc][]");
    SAME(fields_of(a, by_crlf, EBB_STR("\r")), "[\r]");
    SAME(fields_of(a, by_any, EBB_STR("a b,c\0d")), "[a][b][c][d]");
    SAME(fields_of(a, by_any, EBB_STR(" ")), "[][]");
    SAME(fields_of(a, by_nothing, EBB_STR("ab")), "[ab]");
    ebb_arena_destroy(&a);
}

Test(str, a_cut_that_fails_leaves_the_field)
{
    ebb_str rest = nothing, field = EBB_STR("kept");
    cr_assert(!ebb_str_cut(&rest, ',', &field) && !ebb_str_cut_any(&rest, EBB_STR(","), &field));
    cr_assert(!ebb_str_cut_str(&rest, EBB_STR(","), &field));
    SAME(field, "kept");
}

Test(str, the_rest_may_be_the_head)
{
    ebb_str s = EBB_STR("a,b");
    cr_assert(ebb_str_cut(&s, ',', &s));
    SAME(s, "a");
}

Test(str, split_gives_the_same_fields_as_an_array)
{
    ebb_arena *a = ebb_arena_create(NULL);
    size_t n = 99;
    ebb_str s = EBB_STR("x,,yz");
    ebb_str *f = ebb_str_split(a, s, ',', &n);
    cr_assert(f && n == 3 && f[2].ptr == s.ptr + 3);
    SAME(f[0], "x");
    SAME(f[1], "");
    SAME(f[2], "yz");
    cr_assert(ebb_str_split(a, EBB_STR(""), ',', &n) && n == 1);
    cr_assert(ebb_str_split(a, nothing, ',', &n) && n == 0);
    n = 42;
    ebb_fault_params first = {.nth = 1};
    ebb_fault *fault = ebb_fault_begin((ebb_watch){.arena = a}, &first, NULL);
    cr_assert(!ebb_str_split(a, s, ',', &n) && n == 42);
    ebb_fault_end(&fault);
    ebb_arena_destroy(&a);
}

Test(str, trim_takes_off_ascii_space_alone)
{
    SAME(ebb_str_trim(EBB_STR(" \t\n\v\f\ra b\r\n ")), "a b");
    SAME(ebb_str_trim_start(EBB_STR("  a ")), "a ");
    SAME(ebb_str_trim_end(EBB_STR("  a ")), "  a");
    SAME(ebb_str_trim(EBB_STR("   ")), "");
    SAME(ebb_str_trim(nothing), "");
    SAME(ebb_str_trim(EBB_STR("\0 a\0")), "\0 a\0");
    SAME(ebb_str_trim(EBB_STR("\xa0\x85\x1f\x0e\x08")), "\xa0\x85\x1f\x0e\x08");
}

/* ---- looking ----------------------------------------------------------------------------------- */

Test(str, equal_compares_bytes)
{
    cr_assert(ebb_str_equal(EBB_STR("a\0b"), EBB_STR("a\0b")));
    cr_assert(!ebb_str_equal(EBB_STR("a\0b"), EBB_STR("a\0c")));
    cr_assert(!ebb_str_equal(EBB_STR("a"), EBB_STR("ab")));
    cr_assert(ebb_str_equal(nothing, EBB_STR("")));
    cr_assert(!ebb_str_equal_nocase(EBB_STR("abcdefgh[x"), EBB_STR("abcdefgh{x")));
    cr_assert(!ebb_str_equal_nocase(EBB_STR("abcdefg@"), EBB_STR("abcdefg`")));
    cr_assert(!ebb_str_equal_nocase(EBB_STR("ab"), EBB_STR("abc")));
    cr_assert(ebb_str_equal_nocase(EBB_STR("Content-Length"), EBB_STR("cONTENT-lENGTH")));
    cr_assert(ebb_str_equal_nocase(nothing, EBB_STR("")));
}

Test(str, compare_is_an_order_of_unsigned_bytes)
{
    ebb_str rising[] = {EBB_STR(""),     EBB_STR("\0"),   EBB_STR("\0a"), EBB_STR("A"),
                        EBB_STR("a"),    EBB_STR("ab"),   EBB_STR("abc"), EBB_STR("b"),
                        EBB_STR("\x7f"), EBB_STR("\x80"), EBB_STR("\xff")};
    int n = sizeof rising / sizeof *rising;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) {
            int order = ebb_str_compare(rising[i], rising[k]);
            cr_assert_eq((order > 0) - (order < 0), (i > k) - (i < k));
        }
    cr_assert_eq(ebb_str_compare(nothing, EBB_STR("")), 0);
}

Test(str, starts_and_ends)
{
    ebb_str s = EBB_STR("path/file.c");
    cr_assert(ebb_str_starts(s, EBB_STR("path/")) && !ebb_str_starts(s, EBB_STR("ath")));
    cr_assert(ebb_str_ends(s, EBB_STR(".c")) && !ebb_str_ends(s, EBB_STR(".h")));
    cr_assert(ebb_str_starts(s, s) && ebb_str_ends(s, s));
    cr_assert(ebb_str_starts(s, nothing) && ebb_str_ends(s, nothing));
    cr_assert(ebb_str_starts(nothing, nothing) && ebb_str_ends(nothing, nothing));
    cr_assert(!ebb_str_starts(EBB_STR("p"), s) && !ebb_str_ends(EBB_STR("c"), s));
    cr_assert(!ebb_str_starts(nothing, s) && !ebb_str_ends(nothing, s));
}

Test(str, find_gives_an_index_or_none)
{
    ebb_str s = EBB_STR("ab\0abc");
    cr_assert_eq(ebb_str_find_char(s, 'b'), 1u);
    cr_assert_eq(ebb_str_find_last_char(s, 'b'), 4u);
    cr_assert_eq(ebb_str_find_char(s, '\0'), 2u);
    cr_assert_eq(ebb_str_find_char(s, 'x'), EBB_NOT_FOUND);
    cr_assert_eq(ebb_str_find_last_char(s, 'x'), EBB_NOT_FOUND);
    cr_assert_eq(ebb_str_find(s, EBB_STR("abc")), 3u);
    cr_assert_eq(ebb_str_find(s, EBB_STR("b\0a")), 1u);
    cr_assert_eq(ebb_str_find(s, EBB_STR("abcd")), EBB_NOT_FOUND);
    cr_assert_eq(ebb_str_find(s, EBB_STR("ab\0abcd")), EBB_NOT_FOUND);
    cr_assert_eq(ebb_str_find(s, nothing), 0u);
    cr_assert_eq(ebb_str_find(nothing, nothing), 0u);
    cr_assert_eq(ebb_str_find(nothing, s), EBB_NOT_FOUND);
    cr_assert_eq(ebb_str_find_char(nothing, 'x'), EBB_NOT_FOUND);
    cr_assert_eq(ebb_str_find_last_char(nothing, 'x'), EBB_NOT_FOUND);
    SAME(ebb_str_slice(s, 0, ebb_str_find_char(s, 'x')), "ab\0abc");
}

/* ---- failures ---------------------------------------------------------------------------------- */

Test(str, what_makes_bytes_fails_as_the_arena_does)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_str parts[] = {EBB_STR("a"), EBB_STR("b")};
    ebb_fault_params all = {.nth = 1, .from_nth_on = true};
    ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a}, &all, NULL);
    cr_assert_null(ebb_str_dup(a, parts[0]).ptr);
    cr_assert_null(ebb_str_lower(a, parts[0]).ptr);
    cr_assert_null(ebb_str_upper(a, parts[0]).ptr);
    cr_assert_null(ebb_str_join(a, parts, 2, nothing).ptr);
    cr_assert_null(ebb_str_concat(a, parts[0], parts[1]).ptr);
    cr_assert_null(ebb_str_printf(a, "%d", 1).ptr);
    cr_assert_null(ebb_str_printf(a, "%300d", 1).ptr);
    cr_assert_eq(ebb_fault_hits(f), 7u);
    ebb_fault_end(&f);
    ebb_arena_destroy(&a);
}
