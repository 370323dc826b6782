/*
 * tests/unit/test_builder.c: ebb/builder.h. What numbers look like: test_number.c; random programs:
 * tests/model/test_builder_model.c.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KIB = 1 << 10, MIB = 1 << 20 };

#define HOLDS(b, literal)                                                                          \
    cr_assert(ebb_str_equal(ebb_builder_view(b), EBB_STR(literal)), EBB_FMT " instead of %s",      \
              EBB_ARG(ebb_builder_view(b)), literal)

static size_t used(const ebb_arena *a)
{
    ebb_arena_stats s;
    ebb_arena_get_stats(a, &s);
    return s.used;
}

static ebb_fault *failing(ebb_arena *a)
{
    ebb_fault_params all = {.nth = 1, .from_nth_on = true};
    ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a}, &all, NULL);
    cr_assert(f != NULL);
    return f;
}

/* ---- appending --------------------------------------------------------------------------------- */

Test(builder, every_kind_of_piece)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b = ebb_builder_in(a);
    ebb_str parts[] = {EBB_STR("x"), EBB_STR(""), EBB_STR("yz")};
    cr_assert(ebb_builder_append(&b, EBB_STR("str ")));
    cr_assert(ebb_builder_bytes(&b, "b\0 ", 3));
    cr_assert(ebb_builder_text(&b, "text "));
    cr_assert(ebb_builder_char(&b, 'c'));
    cr_assert(ebb_builder_fill(&b, '-', 3));
    cr_assert(ebb_builder_printf(&b, "%05.1f|", 2.5));
    cr_assert(ebb_builder_i64(&b, -12));
    cr_assert(ebb_builder_u64(&b, 34));
    cr_assert(ebb_builder_hex(&b, 0xab, 4));
    cr_assert(ebb_builder_double(&b, 0.5));
    cr_assert(ebb_builder_json(&b, EBB_STR("\"")));
    cr_assert(ebb_builder_json_part(&b, EBB_STR("\n")));
    cr_assert(ebb_builder_url(&b, EBB_STR("a b")));
    cr_assert(ebb_builder_join(&b, parts, 3, EBB_STR(", ")));
    char *p = ebb_builder_extend(&b, 2);
    cr_assert_not_null(p);
    memcpy(p, "!!", 2);
    ebb_str s = ebb_builder_finish(&b);
    cr_assert(
        ebb_str_equal(s, EBB_STR("str b\0 text c---002.5|-123400ab0.5\"\\\"\"\\na%20bx, , yz!!")),
        EBB_FMT, EBB_ARG(s));
    cr_assert_eq(s.ptr[s.len], '\0');
    ebb_arena_destroy(&a);
}

/* Every length that the inline path tells apart, variable and constant, at every fill. */
Test(builder, pieces_of_every_length)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b = ebb_builder_in(a);
    char piece[100], all[8000];
    for (size_t size = 0; size < sizeof piece; size++) {
        size_t n = 0;
        ebb_builder_reset(&b);
        for (int i = 0; i < 70; i++) {
            pattern_fill(piece, size, size * 100 + (size_t)i);
            cr_assert(ebb_builder_bytes(&b, piece, size));
            memcpy(all + n, piece, size);
            n += size;
        }
        cr_assert(ebb_str_equal(ebb_builder_view(&b), (ebb_str){all, n}), "%zu", size);
    }
    ebb_builder_reset(&b);
    for (int i = 0; i < 30; i++) cr_assert(ebb_builder_append(&b, EBB_STR("constant")));
    cr_assert(ebb_builder_len(&b) == 240 && memcmp(b.ptr + 232, "constant", 8) == 0);
    ebb_arena_destroy(&a);
}

Test(builder, nothing_is_taken_before_the_first_byte)
{
    ebb_arena *a = ebb_arena_create(NULL);
    size_t before = used(a);
    ebb_builder b = ebb_builder_in(a);
    cr_assert(ebb_builder_append(&b, EBB_STR("")) && ebb_builder_json_part(&b, EBB_STR("")));
    cr_assert(ebb_builder_append(&b, (ebb_str){NULL, 0}) && ebb_builder_printf(&b, "%s", ""));
    ebb_str s = ebb_builder_finish(&b);
    cr_assert(s.ptr && s.len == 0 && *s.ptr == '\0');
    (void)before;
    ebb_arena_destroy(&a);
}

Test(builder, its_own_bytes_can_be_appended)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b = ebb_builder_in(a);
    ebb_builder_append(&b, EBB_STR("ab"));
    for (int i = 0; i < 12; i++) {
        cr_assert(ebb_builder_append(&b, ebb_builder_view(&b)));
        if (i == 5) memset(ebb_alloc(a, 300), 1, 300);
    }
    cr_assert_eq(ebb_builder_len(&b), 2u << 12);
    for (size_t i = 0; i < ebb_builder_len(&b); i++) cr_assert_eq(b.ptr[i], "ab"[i % 2]);
    cr_assert(
        ebb_builder_append(&b, ebb_str_slice(ebb_builder_view(&b), ebb_builder_len(&b) - 1, 1)));
    cr_assert_eq(b.ptr[ebb_builder_len(&b) - 1], 'b');
    ebb_arena_destroy(&a);
}

Test(builder, printf_of_any_length)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (int n = 0; n < 300; n++) {
        ebb_builder b = ebb_builder_in(a);
        ebb_builder_append(&b, EBB_STR("begin"));
        cr_assert(ebb_builder_printf(&b, "%*d", n, 7));
        cr_assert(ebb_builder_len(&b) == 5 + (size_t)(n ? n : 1) &&
                  b.ptr[ebb_builder_len(&b) - 1] == '7');
        cr_assert(memcmp(b.ptr, "begin", 5) == 0);
    }
    ebb_arena_destroy(&a);
}

/* ---- JSON -------------------------------------------------------------------------------------- */

static void json(ebb_str in, ebb_str out)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b = ebb_builder_in(a);
    cr_assert(ebb_builder_json(&b, in));
    ebb_str quoted = ebb_str_concat(a, EBB_STR("\""), out, EBB_STR("\""));
    cr_assert(ebb_str_equal(ebb_builder_view(&b), quoted), EBB_FMT " instead of " EBB_FMT,
              EBB_ARG(ebb_builder_view(&b)), EBB_ARG(quoted));
    ebb_fault *f = failing(a);
    cr_assert(ebb_builder_reserve(&b, 0), "there is room for the NUL");
    ebb_fault_end(&f);
    ebb_builder_reset(&b);
    cr_assert(ebb_builder_json_part(&b, in));
    cr_assert(ebb_str_equal(ebb_builder_view(&b), out));
    ebb_arena_destroy(&a);
}

#define JSON(in, out) json(EBB_STR(in), EBB_STR(out))
#define FFFD          "\xef\xbf\xbd"

Test(builder, json_escapes_what_it_must)
{
    JSON("", "");
    JSON("plain text, long enough for blocks of sixteen bytes / and <more>",
         "plain text, long enough for blocks of sixteen bytes / and <more>");
    JSON("\"\\\b\f\n\r\t", "\\\"\\\\\\b\\f\\n\\r\\t");
    JSON("\0\1\x1f\x7f", "\\u0000\\u0001\\u001f\x7f");
    JSON("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x8a",
         "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x8a");
    JSON(
        "\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
        "\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
}

Test(builder, json_replaces_what_is_not_utf8)
{
    JSON("a\xffz", "a" FFFD "z");
    JSON("\x80", FFFD);
    JSON("\xc0\x80", FFFD FFFD); /* overlong */
    JSON("\xc1\xbf", FFFD FFFD);
    JSON("\xe0\x9f\xbf", FFFD FFFD FFFD);
    JSON("\xf0\x8f\xbf\xbf", FFFD FFFD FFFD FFFD);
    JSON("\xed\xa0\x80", FFFD FFFD FFFD); /* a surrogate */
    JSON("\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD);
    JSON("\xf5\x80\x80\x80", FFFD FFFD FFFD FFFD);
    JSON("\xe2\x82", FFFD); /* cut off: one for what belongs together */
    JSON("\xe2\x82x", FFFD "x");
    JSON("\xf0\x9f\x8cx", FFFD "x");
    JSON("\xf0\x9f\x8c\xf0\x9f\x8c\x8a", FFFD "\xf0\x9f\x8c\x8a");
    JSON("\xc3", FFFD);
    JSON("\xe2\"", FFFD "\\\"");
}

/* What is to be escaped at every place of every length, among what is not. */
Test(builder, json_at_every_place)
{
    enum { LONGEST = 70 };
    static const char special[] = "\"\\\n\x01\xff";
    char in[LONGEST], out[6 * LONGEST];
    for (size_t len = 1; len <= LONGEST; len++)
        for (size_t at = 0; at < len; at++) {
            char c = special[(at + len) % (sizeof special - 1)];
            const char *escaped = c == '"'    ? "\\\""
                                  : c == '\\' ? "\\\\"
                                  : c == '\n' ? "\\n"
                                  : c == 1    ? "\\u0001"
                                              : FFFD;
            memset(in, 'x', len);
            in[at] = c;
            int n = snprintf(out, sizeof out, "%.*s%s%.*s", (int)at, in, escaped,
                             (int)(len - at - 1), in + at + 1);
            json((ebb_str){in, len}, (ebb_str){out, (size_t)n});
        }
}

Test(builder, json_of_nothing_but_controls_grows_as_it_must)
{
    enum { N = 5000 };
    static char in[N];
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b = ebb_builder_in(a);
    cr_assert(ebb_builder_json(&b, (ebb_str){in, N}));
    cr_assert_eq(ebb_builder_len(&b), 6u * N + 2);
    for (size_t i = 0; i < N; i++) cr_assert_eq(memcmp(b.ptr + 1 + 6 * i, "\\u0000", 6), 0);
    ebb_arena_destroy(&a);
}

/* ---- URLs -------------------------------------------------------------------------------------- */

Test(builder, url_keeps_the_unreserved_alone)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b = ebb_builder_in(a);
    char all[256], text[4];
    for (int i = 0; i < 256; i++) all[i] = (char)i;
    cr_assert(ebb_builder_url(&b, (ebb_str){all, 256}));
    const char *at = b.ptr;
    for (int i = 0; i < 256; i++) {
        bool kept =
            i && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", i);
        snprintf(text, sizeof text, kept ? "%c" : "%%%02X", (unsigned)i);
        cr_assert_eq(memcmp(at, text, strlen(text)), 0, "%d", i);
        at += strlen(text);
    }
    cr_assert_eq(at, b.ptr + ebb_builder_len(&b));
    cr_assert(ebb_builder_url(&b, EBB_STR("")) && ebb_builder_url(&b, (ebb_str){NULL, 0}));
    ebb_arena_destroy(&a);
}

/* ---- room -------------------------------------------------------------------------------------- */

Test(builder, what_was_reserved_neither_moves_nor_fails)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b = ebb_builder_in(a);
    cr_assert(ebb_builder_reserve(&b, 5000));
    char *at = b.ptr;
    ebb_fault *f = failing(a);
    cr_assert(ebb_builder_fill(&b, 'x', 4999) && ebb_builder_char(&b, 'y'));
    cr_assert(b.ptr == at && ebb_builder_len(&b) == 5000);
    cr_assert(ebb_builder_reserve(&b, 0));
    ebb_builder other = b; /* what does not fit is not put where the NUL belongs */
    cr_assert(!ebb_builder_char(&other, 'z'));
    other = b;
    cr_assert(!ebb_builder_bytes(&other, "z", 1));
    ebb_str s = ebb_builder_finish(&b);
    cr_assert(s.ptr == at && s.len == 5000, "finishing takes nothing");
    ebb_fault_end(&f);
    ebb_arena_destroy(&a);
}

Test(builder, truncate_forgets_the_end)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b = ebb_builder_in(a);
    ebb_builder_append(&b, EBB_STR("abcdef"));
    ebb_builder_truncate(&b, 9);
    HOLDS(&b, "abcdef");
    ebb_builder_truncate(&b, 3);
    HOLDS(&b, "abc");
    ebb_builder_char(&b, 'x');
    HOLDS(&b, "abcx");
    ebb_builder_truncate(&b, 0);
    HOLDS(&b, "");
    cr_assert_eq(ebb_builder_finish(&b).len, 0u);
    ebb_arena_destroy(&a);
}

Test(builder, it_grows_in_place_while_small_objects_come_down)
{
    if (!layout_is_plain()) cr_skip_test("nothing grows in place in strict arenas");
    ebb_arena_params params = {.size = 200 * KIB};
    ebb_arena *a = ebb_arena_create(&params);
    memset(ebb_alloc(a, 2000), 1, 2000); /* out of the head, into a chunk that fits */
    ebb_builder b = ebb_builder_in(a);
    ebb_builder_char(&b, 'x');
    char *at = b.ptr;
    for (int i = 0; i < 10000; i++) {
        ebb_builder_append(&b, EBB_STR("0123456789"));
        if (i % 16 == 0) memset(ebb_alloc(a, 16), 1, 16);
    }
    cr_assert_eq(b.ptr, at);
    ebb_arena_destroy(&a);
}

Test(builder, it_takes_the_rest_of_the_window_rather_than_move)
{
    if (!layout_is_plain()) cr_skip_test("nothing grows in place in strict arenas");
    for (size_t free = 100; free < 3000; free += 37) {
        static char buffer[16 * KIB];
        ebb_arena_params params = {.buffer = buffer, .buffer_size = sizeof buffer};
        ebb_arena *a = ebb_arena_create(&params);
        ebb_builder b = ebb_builder_in(a);
        char *low = ebb_alloc_aligned(a, 1, 1);
        memset(ebb_alloc(a, (size_t)(low - buffer) - free), 1, 16);
        cr_assert(ebb_builder_char(&b, 'x'));
        char *at = b.ptr;
        while (ebb_builder_len(&b) < free - 40) cr_assert(ebb_builder_char(&b, 'x'));
        cr_assert_eq(b.ptr, at, "%zu", free);
        ebb_arena_destroy(&a);
    }
}

Test(builder, finish_gives_back_what_was_not_used)
{
    if (!layout_is_plain()) cr_skip_test("strict arenas keep it");
    ebb_arena *a = ebb_arena_create(NULL);
    size_t before = used(a);
    ebb_builder b = ebb_builder_in(a);
    ebb_builder_reserve(&b, 5000);
    ebb_builder_append(&b, EBB_STR("twelve bytes"));
    ebb_str s = ebb_builder_finish(&b);
    cr_assert_eq(s.len, 12u);
    cr_assert(used(a) <= before + 13 + EBB_ALIGN_DEFAULT);
    ebb_arena_destroy(&a);
}

Test(builder, the_next_one_has_the_floor)
{
    if (!layout_is_plain()) cr_skip_test("nothing grows in place in strict arenas");
    ebb_arena_params params = {.size = 64 * KIB};
    ebb_arena *a = ebb_arena_create(&params);
    memset(ebb_alloc(a, 2000), 1, 2000);
    ebb_builder b = ebb_builder_in(a);
    ebb_str first = EBB_STR("");
    for (int n = 0; n < 4; n++) {
        for (int i = 0; i < 50; i++) ebb_builder_append(&b, EBB_STR("0123456789"));
        ebb_str s = ebb_builder_finish(&b);
        if (n)
            cr_assert((size_t)(s.ptr - first.ptr) == (size_t)n * 512, "packed, one after another");
        else first = s;
        cr_assert_null(b.ptr);
    }
    ebb_arena_destroy(&a);
}

Test(builder, a_finished_string_stays)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b = ebb_builder_in(a);
    ebb_str all[100];
    for (int i = 0; i < 100; i++) {
        ebb_builder_printf(&b, "%d:", i);
        ebb_builder_fill(&b, (char)('a' + i % 26), (size_t)i * 7);
        all[i] = ebb_builder_finish(&b);
        cr_assert_null(ebb_arena_validate(a));
    }
    for (int i = 0; i < 100; i++) {
        cr_assert(atoi(all[i].ptr) == i && strlen(all[i].ptr) == all[i].len);
        for (size_t k = all[i].len - (size_t)i * 7; k < all[i].len; k++)
            cr_assert_eq(all[i].ptr[k], (char)('a' + i % 26));
    }
    ebb_arena_destroy(&a);
}

Test(builder, several_in_one_arena)
{
    enum { N = 7, ROUNDS = 3000 };
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b[N];
    for (int i = 0; i < N; i++) b[i] = ebb_builder_in(a);
    for (unsigned r = 0; r < ROUNDS; r++)
        for (unsigned i = 0; i < N; i++)
            for (unsigned k = 0; k <= i; k++) cr_assert(ebb_builder_char(&b[i], (char)(r + i)));
    for (unsigned i = 0; i < N; i++) {
        ebb_str s = ebb_builder_finish(&b[i]);
        cr_assert_eq(s.len, ROUNDS * (i + 1));
        for (size_t k = 0; k < s.len; k++) cr_assert_eq(s.ptr[k], (char)(k / (i + 1) + i));
    }
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

/* ---- failure ----------------------------------------------------------------------------------- */

static bool all_calls_fail(ebb_builder *b)
{
    ebb_str s = EBB_STR("x");
    return !ebb_builder_append(b, s) && !ebb_builder_append(b, EBB_STR("")) &&
           !ebb_builder_bytes(b, "0123456789abcdefghi", 19) && !ebb_builder_text(b, "x") &&
           !ebb_builder_char(b, 'x') && !ebb_builder_fill(b, 'x', 1) &&
           !ebb_builder_printf(b, "x") && !ebb_builder_i64(b, 1) && !ebb_builder_u64(b, 1) &&
           !ebb_builder_hex(b, 1, 1) && !ebb_builder_double(b, 1) && !ebb_builder_json(b, s) &&
           !ebb_builder_json_part(b, s) && !ebb_builder_json_part(b, EBB_STR("")) &&
           !ebb_builder_url(b, s) && !ebb_builder_join(b, &s, 1, s) &&
           !ebb_builder_join(b, NULL, 0, s) && !ebb_builder_reserve(b, 1) &&
           !ebb_builder_extend(b, 1);
}

Test(builder, failure_sticks_and_finish_tells)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b = ebb_builder_in(a);
    ebb_builder_append(&b, EBB_STR("before"));
    ebb_fault *f = failing(a);
    cr_assert(!ebb_builder_fill(&b, 'x', 5000));
    ebb_fault_end(&f);
    cr_assert_eq(ebb_builder_failed(&b), EBB_E_MEMORY);
    HOLDS(&b, "before");
    cr_assert(all_calls_fail(&b), "though the arena would give again");
    HOLDS(&b, "before");
    ebb_builder_truncate(&b, 2);
    cr_assert(all_calls_fail(&b), "also where there is room");
    HOLDS(&b, "be");
    cr_assert_null(ebb_builder_finish(&b).ptr);
    cr_assert_null(ebb_builder_finish(&b).ptr, "again");
    cr_assert(all_calls_fail(&b));
    ebb_builder_reset(&b);
    cr_assert_eq(ebb_builder_failed(&b), EBB_OK);
    cr_assert(ebb_builder_append(&b, EBB_STR("after")));
    cr_assert(ebb_builder_fill(&b, '!', 100));
    cr_assert_eq(ebb_builder_finish(&b).len, 105u);
    ebb_arena_destroy(&a);
}

Test(builder, the_arenas_failure_is_its_own)
{
    ebb_arena_params params = {.hard = 8 * KIB, .sticky = true};
    ebb_arena *a = ebb_arena_create(&params);
    ebb_builder b = ebb_builder_in(a);
    bool ok = true;
    for (int i = 0; i < 10000; i++) ok &= ebb_builder_append(&b, EBB_STR("0123456789"));
    cr_assert(!ok && ebb_builder_failed(&b) == EBB_E_LIMIT && ebb_failed(a) == EBB_E_LIMIT);
    cr_assert_null(ebb_builder_finish(&b).ptr);
    ebb_arena_destroy(&a);
}

Test(builder, an_arena_that_has_failed_gives_nothing)
{
    ebb_arena_params params = {.buffer = (char[16]){0}, .buffer_size = 16};
    ebb_arena *a = ebb_arena_create(&params);
    ebb_builder b = ebb_builder_in(a);
    cr_assert(ebb_failed(a) && !ebb_builder_append(&b, EBB_STR("x")));
    cr_assert(ebb_builder_failed(&b) && !ebb_builder_finish(&b).ptr);
    ebb_arena_destroy(&a);
}

Test(builder, lengths_that_cant_be_had)
{
    static const size_t huge[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 2, SIZE_MAX / 2, PTRDIFF_MAX};
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b = ebb_builder_in(a);
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++)
        for (int how = 0; how < 8; how++) {
            ebb_str s = {"x", huge[i]}, two[] = {s, s};
            ebb_builder_reset(&b);
            cr_assert(ebb_builder_append(&b, EBB_STR("abc")));
            bool ok = how == 0   ? ebb_builder_append(&b, s)
                      : how == 1 ? ebb_builder_fill(&b, 'x', s.len)
                      : how == 2 ? ebb_builder_reserve(&b, s.len)
                      : how == 3 ? ebb_builder_extend(&b, s.len) != NULL
                      : how == 4 ? ebb_builder_json(&b, s)
                      : how == 5 ? ebb_builder_url(&b, s)
                      : how == 6 ? ebb_builder_join(&b, two, 2, s)
                                 : ebb_builder_json_part(&b, s);
            cr_assert(!ok && ebb_builder_failed(&b) == EBB_E_MEMORY, "%d", how);
            HOLDS(&b, "abc");
        }
    ebb_arena_destroy(&a);
}

static int append_until_it_jumps(ebb_arena *a, void *arg)
{
    (void)a;
    while (ebb_builder_append((ebb_builder *)arg, EBB_STR("0123456789abcdef"))) continue;
    return EBB_OK;
}

Test(builder, a_jump_leaves_it_failed_and_otherwise_unchanged)
{
    ebb_arena *a = ebb_arena_create(NULL); /* not sticky: it would give again */
    cr_assert(ebb_arena_set_limit(a, 0, 20 * KIB, 0));
    ebb_builder b = ebb_builder_in(a);
    cr_assert_eq(ebb_try(a, append_until_it_jumps, &b), EBB_E_LIMIT);
    cr_assert(ebb_builder_failed(&b) != EBB_OK && ebb_builder_len(&b) % 16 == 0 &&
              ebb_builder_len(&b) > 2000);
    for (size_t i = 0; i < ebb_builder_len(&b); i++)
        cr_assert_eq(b.ptr[i], "0123456789abcdef"[i % 16]);
    cr_assert(all_calls_fail(&b));
    cr_assert_null(ebb_builder_finish(&b).ptr);
    ebb_arena_destroy(&a);
}

static int json_that_jumps(ebb_arena *a, void *arg)
{
    static char controls[4000];
    (void)a;
    return ebb_builder_json((ebb_builder *)arg, (ebb_str){controls, sizeof controls});
}

Test(builder, a_jump_out_of_the_midst_of_escaping)
{
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert(ebb_arena_set_limit(a, 0, 12 * KIB, 0));
    ebb_builder b = ebb_builder_in(a);
    cr_assert(ebb_builder_append(&b, EBB_STR("kept")));
    cr_assert_eq(ebb_try(a, json_that_jumps, &b), EBB_E_LIMIT);
    HOLDS(&b, "kept");
    cr_assert_null(ebb_builder_finish(&b).ptr);
    ebb_arena_destroy(&a);
}

/* ---- marks ------------------------------------------------------------------------------------- */

Test(builder, an_open_builder_goes_on_after_a_mark_and_back_to_it)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder b = ebb_builder_in(a);
    ebb_builder_fill(&b, 'a', 100);
    ebb_mark m = ebb_arena_mark(a);
    ebb_builder kept = b;
    for (int round = 0; round < 3; round++) {
        ebb_builder_fill(&b, 'b', 5000);
        memset(ebb_alloc(a, 500), 1, 500);
        cr_assert(ebb_builder_len(&b) == 5100 && bytes_check(b.ptr, 'a', 100) == 100);
        ebb_arena_rewind(a, m);
        b = kept;
        cr_assert_null(ebb_arena_validate(a));
        cr_assert(ebb_builder_len(&b) == 100 && bytes_check(b.ptr, 'a', 100) == 100);
    }
    ebb_builder_fill(&b, 'c', 3000);
    ebb_str s = ebb_builder_finish(&b);
    cr_assert(s.len == 3100 && bytes_check(s.ptr, 'a', 100) == 100);
    cr_assert_eq(bytes_check(s.ptr + 100, 'c', 3000), 3000u);
    ebb_arena_destroy(&a);
}

Test(builder, what_was_made_after_a_mark_goes_with_it)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_builder older = ebb_builder_in(a);
    ebb_builder_append(&older, EBB_STR("older"));
    size_t before = used(a);
    for (int round = 0; round < 10; round++) {
        ebb_mark m = ebb_arena_mark(a);
        ebb_builder b = ebb_builder_in(a);
        ebb_builder_fill(&b, 'x', 3000);
        cr_assert_eq(ebb_builder_finish(&b).len, 3000u);
        ebb_arena_rewind(a, m);
    }
    cr_assert_eq(used(a), before);
    HOLDS(&older, "older");
    ebb_arena_destroy(&a);
}
