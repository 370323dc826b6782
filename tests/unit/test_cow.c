/*
 * tests/unit/test_cow.c: ebb/cow.h.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <string.h>

static const char borrowed[] = "Some/Path/Of/A/File";

#define IS(c, literal)                                                                             \
    cr_assert(ebb_str_equal((c)->str, EBB_STR(literal)), EBB_FMT " instead of %s",                 \
              EBB_ARG((c)->str), literal)

static ebb_cow begin(ebb_arena *a)
{
    return ebb_cow_of(a, (ebb_str){borrowed, sizeof borrowed - 1});
}

Test(cow, nothing_is_copied_before_a_write)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_cow c = begin(a);
    ebb_fault_params all = {.nth = 1, .from_nth_on = true};
    ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a}, &all, NULL);
    cr_assert(ebb_cow_is_borrowed(&c) && c.str.ptr == borrowed);
    cr_assert(ebb_cow_append(&c, EBB_STR("")));
    cr_assert(ebb_cow_replace(&c, 0, 4, EBB_STR("Some")) && ebb_cow_replace(&c, 3, 0, EBB_STR("")));
    cr_assert(ebb_cow_replace_all(&c, EBB_STR("xyz"), EBB_STR("!")));
    cr_assert(ebb_cow_replace_all(&c, EBB_STR(""), EBB_STR("!")));
    cr_assert(ebb_cow_replace_all(&c, EBB_STR("a"), EBB_STR("a")));
    ebb_cow lower = ebb_cow_of(a, EBB_STR("already lower, with 8s and [\xc4]"));
    cr_assert(ebb_cow_lower(&lower) && ebb_cow_is_borrowed(&lower));
    cr_assert(ebb_cow_is_borrowed(&c) && ebb_fault_seen(f) == 0);
    ebb_fault_end(&f);
    ebb_arena_destroy(&a);
}

Test(cow, the_first_write_copies_and_later_ones_go_to_the_copy)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_cow c = begin(a);
    char *p = ebb_cow_write(&c);
    cr_assert(p && p != borrowed && p == c.str.ptr && !ebb_cow_is_borrowed(&c));
    p[0] = 'T';
    cr_assert_eq(ebb_cow_write(&c), p);
    cr_assert(ebb_cow_lower(&c) && c.str.ptr == p);
    IS(&c, "tome/path/of/a/file");
    cr_assert_str_eq(ebb_cow_text(&c), "tome/path/of/a/file");
    cr_assert_str_eq(borrowed, "Some/Path/Of/A/File");
    ebb_arena_destroy(&a);
}

Test(cow, text_is_terminated)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_cow c = ebb_cow_of(a, (ebb_str){borrowed, 4});
    cr_assert_str_eq(ebb_cow_text(&c), "Some");
    ebb_cow none = ebb_cow_of(a, (ebb_str){NULL, 0});
    cr_assert_str_eq(ebb_cow_text(&none), "");
    cr_assert_not_null(ebb_cow_write(&none));
    ebb_arena_destroy(&a);
}

Test(cow, replace_at_every_place)
{
    ebb_arena *a = ebb_arena_create(NULL);
    static const char text[] = "0123456789", with[] = "abcdefgh";
    for (size_t own = 0; own < 3; own++)
        for (size_t from = 0; from < 12; from++)
            for (size_t len = 0; len < 12; len++)
                for (size_t n = 0; n < 9; n++) {
                    ebb_cow c = ebb_cow_of(a, ebb_str_from(text));
                    if (own) ebb_cow_write(&c);
                    if (own == 2) {
                        ebb_cow_append(&c, EBB_STR("xxxxxxxxxxxxxxxx"));
                        ebb_cow_replace(&c, 10, 16, EBB_STR(""));
                    }
                    ebb_str in = ebb_str_from(text), put = {with, n};
                    ebb_str want = ebb_str_concat(
                        a, ebb_str_slice(in, 0, from), put,
                        ebb_str_slice(ebb_str_slice(in, from, SIZE_MAX), len, SIZE_MAX));
                    cr_assert(ebb_cow_replace(&c, from, len, put));
                    cr_assert(ebb_str_equal(c.str, want));
                    cr_assert_str_eq(ebb_cow_text(&c), want.ptr);
                    ebb_arena_reset(a);
                }
    ebb_arena_destroy(&a);
}

Test(cow, a_piece_of_itself_may_be_put_in)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_cow c = begin(a);
    cr_assert(ebb_cow_replace(&c, 0, 4, ebb_str_slice(c.str, 5, 4)));
    IS(&c, "Path/Path/Of/A/File");
    cr_assert(ebb_cow_append(&c, EBB_STR("0123456789")));
    cr_assert(ebb_cow_replace(&c, 2, 3, ebb_str_slice(c.str, 0, 9)));
    IS(&c, "PaPath/PathPath/Of/A/File0123456789");
    for (int i = 0; i < 5; i++) cr_assert(ebb_cow_append(&c, c.str));
    cr_assert(c.str.len == 35u << 5 && ebb_cow_text(&c)[c.str.len] == '\0');
    for (size_t i = 0; i < c.str.len; i++) cr_assert_eq(c.str.ptr[i], c.str.ptr[i % 35]);
    cr_assert(ebb_cow_replace_all(&c, ebb_str_slice(c.str, 0, 2), ebb_str_slice(c.str, 33, 2)));
    cr_assert(ebb_str_starts(c.str, EBB_STR("8989th/89th89th/Of")));
    ebb_arena_destroy(&a);
}

Test(cow, also_where_there_is_room_for_it)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_cow c = ebb_cow_of(a, EBB_STR("0123456789abcdef"));
    const char *at = ebb_cow_write(&c);
    cr_assert(ebb_cow_replace(&c, 8, 8, EBB_STR("")) && c.str.ptr == at);
    cr_assert(ebb_cow_replace(&c, 1, 2, ebb_str_slice(c.str, 4, 4)));
    IS(&c, "0456734567");
    ebb_cow d = ebb_cow_of(a, EBB_STR("0123456789"));
    at = ebb_cow_write(&d);
    cr_assert(ebb_cow_replace(&d, 2, 8, EBB_STR("")) && ebb_cow_append(&d, EBB_STR("ab")));
    cr_assert(d.str.ptr == at, "in place");
    cr_assert_str_eq(ebb_cow_text(&d), "01ab");
    ebb_arena_destroy(&a);
}

Test(cow, the_nul_has_room_too)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (size_t n = 0; n < 9; n++) {
        char *guard = ebb_strdup(a, "guard");
        ebb_cow c = ebb_cow_of(a, EBB_STR("0123456789"));
        cr_assert_not_null(ebb_cow_write(&c));
        cr_assert(ebb_cow_replace(&c, 0, 4, EBB_STR("")));
        cr_assert(ebb_cow_replace(&c, 3, 1, (ebb_str){"abcdefgh", n}));
        cr_assert_str_eq(guard, "guard");
        cr_assert_eq(strlen(ebb_cow_text(&c)), 5 + n);
        for (size_t i = 0; i < n; i++) cr_assert(ebb_cow_append(&c, EBB_STR("+")));
        cr_assert_str_eq(guard, "guard");
        cr_assert_eq(strlen(ebb_cow_text(&c)), 5 + 2 * n);
    }
    ebb_arena_destroy(&a);
}

Test(cow, replace_all_goes_from_left_to_right)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_cow c = ebb_cow_of(a, EBB_STR("aaaa"));
    cr_assert(ebb_cow_replace_all(&c, EBB_STR("aa"), EBB_STR("ba")));
    IS(&c, "baba");
    cr_assert(ebb_cow_replace_all(&c, EBB_STR("a"), EBB_STR("")));
    IS(&c, "bb");
    cr_assert(ebb_cow_replace_all(&c, EBB_STR("b"), EBB_STR("<b>")));
    IS(&c, "<b><b>");
    cr_assert(ebb_cow_replace_all(&c, EBB_STR("<b><b>"), EBB_STR("")));
    IS(&c, "");
    cr_assert(ebb_cow_append(&c, EBB_STR("x")));
    IS(&c, "x");
    ebb_arena_destroy(&a);
}

Test(cow, failure_changes_nothing)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_cow c = begin(a);
    ebb_str huge = {"x", SIZE_MAX};
    ebb_fault_params all = {.nth = 1, .from_nth_on = true};
    for (int own = 0; own < 2; own++) {
        ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a}, &all, NULL);
        ebb_cow before = c;
        if (!own) cr_assert(!ebb_cow_write(&c) && !ebb_cow_text(&c) && !ebb_cow_lower(&c));
        cr_assert(!ebb_cow_append(&c, EBB_STR("x")));
        cr_assert(!ebb_cow_replace(&c, 0, 1, EBB_STR("longer")));
        cr_assert(!ebb_cow_replace_all(&c, EBB_STR("/"), EBB_STR("//")));
        ebb_fault_end(&f);
        cr_assert(!ebb_cow_append(&c, huge) && !ebb_cow_replace(&c, 0, 0, huge));
        cr_assert(!ebb_cow_replace_all(&c, EBB_STR("/"), huge));
        cr_assert(c.str.ptr == before.str.ptr && c.str.len == before.str.len);
        IS(&c, "Some/Path/Of/A/File");
        cr_assert_not_null(ebb_cow_write(&c));
    }
    ebb_arena_destroy(&a);
}
