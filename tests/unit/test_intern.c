/*
 * tests/unit/test_intern.c: symbols, shared tables and requests' tables, as ebb/intern.h promises.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static ebb_str S(const char *text)
{
    return ebb_str_from(text);
}

static bool is(ebb_str s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.ptr, text, s.len + 1) == 0;
}

static ebb_symtab *make(ebb_symtab_params p)
{
    ebb_status why = EBB_OK;
    ebb_symtab *t = ebb_symtab_create(&p, &why);
    cr_assert(t != NULL, "%s", ebb_status_text(why));
    return t;
}

static ebb_symtab *plain(void)
{
    return make((ebb_symtab_params)EBB_SYMTAB_PARAMS_INIT);
}

/* ---- a shared table ---------------------------------------------------------------------------- */

Test(intern, one_text_one_symbol)
{
    ebb_symtab *t = plain();
    char copy[] = "content";
    ebb_sym a = ebb_intern(t, S("content")), b = ebb_intern(t, S(copy));
    cr_assert(a != 0);
    cr_assert_eq(a, b);
    cr_assert_neq(a, ebb_intern(t, S("Content")));
    cr_assert_eq(ebb_intern_find(t, S("content")), a);
    cr_assert_eq(ebb_intern_find(t, S("contents")), 0u);
    cr_assert(!ebb_sym_is_local(a));
    cr_assert(is(ebb_sym_str(t, a), "content"));
    cr_assert(ebb_sym_str(t, a).ptr != copy);
    cr_assert(is(ebb_sym_str(t, 0), ""));
    cr_assert_null(ebb_symtab_validate(t));
    ebb_symtab_destroy(&t);
    cr_assert_null(t);
    ebb_symtab_destroy(&t);
}

Test(intern, every_length_is_its_own)
{
    enum { LENGTHS = 700 };
    static char text[LENGTHS];
    static ebb_sym sym[LENGTHS];
    ebb_symtab *t = plain();
    memset(text, 'x', sizeof text);
    for (size_t n = 0; n < LENGTHS; n++) sym[n] = ebb_intern(t, (ebb_str){text, n});
    for (size_t n = 0; n < LENGTHS; n++) {
        cr_assert(sym[n] != 0);
        cr_assert_eq(ebb_intern(t, (ebb_str){text, n}), sym[n]);
        ebb_str s = ebb_sym_str(t, sym[n]);
        cr_assert(s.len == n && s.ptr[n] == '\0' && memcmp(s.ptr, text, n) == 0);
        for (size_t at = 0; at < n; at += n / 5 + 1) { /* and a byte anywhere makes another */
            text[at] = 'y';
            cr_assert_eq(ebb_intern_find(t, (ebb_str){text, n}), 0u);
            text[at] = 'x';
        }
    }
    cr_assert_null(ebb_symtab_validate(t));
    ebb_symtab_destroy(&t);
}

Test(intern, growth_moves_nothing)
{
    enum { TEXTS = 20000 };
    static ebb_sym sym[TEXTS];
    static const char *ptr[TEXTS];
    ebb_symtab *t = plain();
    char text[32];
    for (int i = 0; i < TEXTS; i++) {
        snprintf(text, sizeof text, "name-%d", i);
        sym[i] = ebb_intern(t, S(text));
        ptr[i] = ebb_sym_str(t, sym[i]).ptr;
        cr_assert(sym[i] >= EBB_WORDS_END);
    }
    for (int i = 0; i < TEXTS; i++) {
        snprintf(text, sizeof text, "name-%d", i);
        cr_assert_eq(ebb_intern(t, S(text)), sym[i]);
        cr_assert(ebb_sym_str(t, sym[i]).ptr == ptr[i] && is(ebb_sym_str(t, sym[i]), text));
    }
    ebb_symtab_stats s;
    ebb_symtab_get_stats(t, &s);
    cr_assert_eq(s.entries, (size_t)TEXTS);
    cr_assert_eq(s.misses, (uint64_t)TEXTS);
    cr_assert_eq(s.hits, (uint64_t)TEXTS);
    cr_assert(s.bytes > TEXTS * 14u && s.bytes < TEXTS * 23u && s.held > s.bytes);
    cr_assert(s.longest <= 4);
    cr_assert_null(ebb_symtab_validate(t));
    ebb_symtab_destroy(&t);
}

/* ---- odd texts --------------------------------------------------------------------------------- */

Test(intern, the_empty_text_has_a_symbol)
{
    ebb_symtab *t = plain();
    cr_assert_eq(ebb_intern_find(t, (ebb_str){NULL, 0}), 0u);
    ebb_sym e = ebb_intern(t, (ebb_str){NULL, 0});
    cr_assert(e != 0 && e == ebb_intern(t, S("")));
    cr_assert(is(ebb_sym_str(t, e), ""));
    ebb_symtab_destroy(&t);
}

Test(intern, what_is_not_utf8_is_a_text_too)
{
    ebb_symtab *t = plain();
    ebb_sym a = ebb_intern(t, S("\xff\xfe\x80")), b = ebb_intern(t, S("\xff\xfe\x81"));
    cr_assert(a && b && a != b);
    cr_assert(is(ebb_sym_str(t, a), "\xff\xfe\x80"));
    ebb_symtab_destroy(&t);
}

Test(intern, a_nul_inside_is_refused_unless_binary)
{
    ebb_str odd = {"a\0b", 3}, other = {"a\0c", 3};
    ebb_symtab *t = plain(), *b = make((ebb_symtab_params){.binary = true});
    ebb_arena *arena = ebb_scope_begin(NULL);
    ebb_symtab *r = ebb_symtab_over(arena, t), *rb = ebb_symtab_over(arena, b);
    cr_assert_eq(ebb_intern(t, odd), 0u);
    cr_assert_eq(ebb_symtab_failed(t), EBB_E_INVALID);
    cr_assert_eq(ebb_intern_find(t, odd), 0u);
    cr_assert_eq(ebb_intern(r, odd), 0u);
    cr_assert_eq(ebb_symtab_failed(r), EBB_E_INVALID);
    ebb_sym x = ebb_intern(b, odd), y = ebb_intern(rb, other);
    cr_assert(x && y && x != y && ebb_sym_is_local(y));
    cr_assert_eq(ebb_intern(rb, odd), x);
    cr_assert(ebb_sym_str(b, x).len == 3 && memcmp(ebb_sym_str(b, x).ptr, "a\0b", 4) == 0);
    ebb_scope_end(&arena);
    ebb_symtab_destroy(&t);
    ebb_symtab_destroy(&b);
}

/* Such a text need not even exist: its length alone says no. */
Test(intern, a_length_beyond_all_is_refused)
{
    ebb_symtab *t = plain(), *f = make((ebb_symtab_params){.fold_case = true});
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_symtab *r = ebb_symtab_over(a, t);
    ebb_symtab *tables[] = {t, f, r};
    size_t lengths[] = {EBB_SYM_LENGTH_MAX + 1, (size_t)1 << 32, SIZE_MAX - 8, SIZE_MAX};
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 4; k++) {
            cr_assert_eq(ebb_intern(tables[i], (ebb_str){"x", lengths[k]}), 0u);
            cr_assert_eq(ebb_symtab_failed(tables[i]), EBB_E_RANGE);
            cr_assert_eq(ebb_intern_find(tables[i], (ebb_str){"x", lengths[k]}), 0u);
        }
    }
    ebb_scope_end(&a);
    ebb_symtab_destroy(&t);
    ebb_symtab_destroy(&f);
}

Test(intern, long_texts_have_segments_of_their_own)
{
    enum { LONG = 300000 };
    ebb_symtab *t = plain();
    static char text[LONG];
    ebb_sym sym[5];
    for (int i = 0; i < 5; i++) {
        memset(text, 'a' + i, LONG);
        sym[i] = ebb_intern(t, (ebb_str){text, (size_t)(LONG - i * 70000)});
        cr_assert(sym[i] != 0 && ebb_intern(t, S("between")) != 0);
    }
    for (int i = 0; i < 5; i++) {
        ebb_str s = ebb_sym_str(t, sym[i]);
        cr_assert(s.len == (size_t)(LONG - i * 70000) && s.ptr[s.len] == '\0');
        cr_assert(s.ptr[0] == 'a' + i && s.ptr[s.len - 1] == 'a' + i);
    }
    cr_assert_null(ebb_symtab_validate(t));
    ebb_symtab_destroy(&t);
}

/* ---- case -------------------------------------------------------------------------------------- */

static void mix_case(char *text, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        bool letter = text[i] >= 'a' && text[i] <= 'z';
        if (letter && (seed >> i % 60 & 1)) text[i] = (char)(text[i] - 'a' + 'A');
    }
}

Test(intern, folded_case_is_one_symbol_of_any_length)
{
    enum { LONGEST = 1100 };
    static char lower[LONGEST + 1], mixed[LONGEST + 1];
    ebb_symtab *t = make((ebb_symtab_params){.fold_case = true, .seed = 3});
    ebb_arena *a = ebb_scope_begin(NULL);
    for (size_t n = 0; n <= LONGEST; n += n < 40 ? 1 : 53) {
        for (size_t i = 0; i < n; i++)
            lower[i] = (char)(i % 3 ? 'a' + (int)(i % 26) : '0' + (int)(n % 10));
        memcpy(mixed, lower, n);
        mix_case(mixed, n, 0x5a5a9c9c3e3e7878u);
        ebb_symtab *r = ebb_symtab_over(a, t);
        ebb_sym mine = ebb_intern(r, (ebb_str){mixed, n});
        cr_assert(ebb_sym_is_local(mine) && ebb_intern(r, (ebb_str){lower, n}) == mine);
        ebb_sym sym = ebb_intern(t, (ebb_str){mixed, n});
        cr_assert(sym && ebb_intern(t, (ebb_str){lower, n}) == sym);
        cr_assert_eq(ebb_intern_find(t, (ebb_str){lower, n}), sym);
        cr_assert(memcmp(ebb_sym_str(t, sym).ptr, lower, n) == 0);
        cr_assert(memcmp(ebb_sym_str(r, mine).ptr, lower, n) == 0);
        cr_assert_eq(ebb_sym_promote(r, mine), sym);
    }
    cr_assert_null(ebb_symtab_validate(t));
    ebb_scope_end(&a);
    ebb_symtab_destroy(&t);
}

Test(intern, folding_is_ascii_alone)
{
    ebb_symtab *t = make((ebb_symtab_params){.fold_case = true});
    char text[9] = "........", other[9] = "........";
    for (int c = 1; c < 256; c++) {
        memset(text, c, 8);
        bool upper = c >= 'A' && c <= 'Z';
        memset(other, upper ? c + 32 : c, 8);
        cr_assert(is(ebb_sym_str(t, ebb_intern(t, S(text))), other));
    }
    ebb_symtab_stats s;
    ebb_symtab_get_stats(t, &s);
    cr_assert_eq(s.entries, (size_t)(255 - 26));
    ebb_symtab_destroy(&t);
}

/* ---- words ------------------------------------------------------------------------------------- */

#define COLOURS(X) X(W_RED, "red") X(W_GREEN, "green") X(W_BLUE, "blue") X(W_NONE, "")
#define SHADES(X)  X(W_DARK, "dark") X(W_PALE, "pale") X(W_GREEN2, "green")
#define SHOUTS(X)  X(W_STOP, "STOP")
#define CLOSE(X)   X(W_NEAR, "near")
EBB_WORDS_DECLARE(colours, 0x1000, COLOURS);
EBB_WORDS_DEFINE(colours, 0x1000, COLOURS);
EBB_WORDS_DECLARE(shades, 0x1040, SHADES);
EBB_WORDS_DEFINE(shades, 0x1040, SHADES);
EBB_WORDS_DECLARE(shouts, 0xffc0, SHOUTS);
EBB_WORDS_DEFINE(shouts, 0xffc0, SHOUTS);
EBB_WORDS_DECLARE(close_by, 0x1000, CLOSE);
EBB_WORDS_DEFINE(close_by, 0x1000, CLOSE);

static int number_of(ebb_sym sym)
{
    switch (sym) {
    case W_RED: return 1;
    case EBB_VM_RUNNING: return 2;
    case EBB_HTTP_TRACESTATE: return 3;
    case W_STOP: return 4;
    default: return 0;
    }
}

static const ebb_words *const every_set[] = {&colours, &ebb_vm_status, &ebb_node_status,
                                             &ebb_http_headers, &shouts};

static ebb_symtab *with_words(uint64_t seed)
{
    return make((ebb_symtab_params){.words = every_set, .word_sets = 5, .seed = seed});
}

Test(intern, words_are_constants)
{
    for (uint64_t seed = 0; seed < 3; seed++) {
        ebb_symtab *t = with_words(seed);
        ebb_arena *a = ebb_scope_begin(NULL);
        ebb_symtab *r = ebb_symtab_over(a, t);
        cr_assert_eq(number_of(ebb_intern(t, S("red"))), 1);
        cr_assert_eq(number_of(ebb_intern(r, S("running"))), 2);
        cr_assert_eq(number_of(ebb_intern_find(t, S("tracestate"))), 3);
        cr_assert_eq(number_of(ebb_intern(r, S("STOP"))), 4);
        cr_assert_eq(number_of(ebb_intern(t, S("stop"))), 0);
        cr_assert_eq(ebb_intern(t, S("")), (ebb_sym)W_NONE);
        cr_assert(is(ebb_sym_str(t, W_GREEN), "green") && is(ebb_sym_str(t, W_NONE), ""));
        cr_assert(is(ebb_sym_str(r, EBB_NODE_INITIALIZING), "initializing"));
        cr_assert(is(ebb_sym_str(r, EBB_HTTP_X_FORWARDED_FOR), "x-forwarded-for"));
        cr_assert_eq(ebb_sym_promote(r, W_BLUE), (ebb_sym)W_BLUE);
        cr_assert_null(ebb_symtab_validate(t));
        ebb_symtab_stats s;
        ebb_symtab_get_stats(t, &s);
        cr_assert_eq(s.words, (size_t)(4 + 6 + 6 + 1) + ebb_http_headers.count);
        cr_assert_eq(s.entries, (size_t)1);
        ebb_scope_end(&a);
        ebb_symtab_destroy(&t);
    }
}

Test(intern, words_know_their_set)
{
    cr_assert(EBB_WORDS_HAS(colours, W_RED) && EBB_WORDS_HAS(colours, W_NONE));
    cr_assert(!EBB_WORDS_HAS(colours, W_RED - 1) && !EBB_WORDS_HAS(colours, W_NONE + 1));
    cr_assert(!EBB_WORDS_HAS(colours, 0) && !EBB_WORDS_HAS(colours, UINT32_MAX));
    cr_assert(EBB_WORDS_HAS(ebb_vm_status, EBB_VM_FAILED) && EBB_VM_FAILED < 0x1000);
    cr_assert_eq((int)ebb_vm_status.base, EBB_VM_CREATING);
    cr_assert_eq(ebb_node_status.count, 6u);
    cr_assert_str_eq(ebb_node_status.name, "ebb_node_status");
    cr_assert(EBB_HTTP_TRACESTATE < 0x1000);
}

static void cannot_have(ebb_symtab_params p, ebb_status status, const char *word)
{
    const char *which = NULL;
    ebb_status why = EBB_OK;
    p.ret_word = &which;
    cr_assert_null(ebb_symtab_create(&p, &why));
    cr_assert_eq(why, status);
    cr_assert(word ? which && strcmp(which, word) == 0 : !which);
    cr_assert_null(ebb_symtab_create(&p, NULL));
}

Test(intern, word_sets_that_do_not_go_together)
{
    const ebb_words odd = {.name = "odd", .base = 0x1001, .count = 1};
    const ebb_words wide = {.name = "wide", .base = 0xffc0, .count = 65};
    const ebb_words *both[] = {&colours, &shades}, *over[] = {&colours, &close_by};
    const ebb_words *loud[] = {&shouts}, *odd_one[] = {&odd}, *wide_one[] = {&wide};
    const ebb_words *twice[] = {&colours, &colours};
    cannot_have((ebb_symtab_params){.words = both, .word_sets = 2}, EBB_E_DUPLICATE, "green");
    cannot_have((ebb_symtab_params){.words = over, .word_sets = 2}, EBB_E_DUPLICATE, NULL);
    cannot_have((ebb_symtab_params){.words = twice, .word_sets = 2}, EBB_E_DUPLICATE, NULL);
    cannot_have((ebb_symtab_params){.words = loud, .word_sets = 1, .fold_case = true},
                EBB_E_INVALID, "STOP");
    cannot_have((ebb_symtab_params){.words = odd_one, .word_sets = 1}, EBB_E_RANGE, NULL);
    cannot_have((ebb_symtab_params){.words = wide_one, .word_sets = 1}, EBB_E_RANGE, NULL);
    cannot_have((ebb_symtab_params){.words = both, .word_sets = 33}, EBB_E_RANGE, NULL);
    cannot_have((ebb_symtab_params){.max_bytes = ((size_t)1 << 30) + 1}, EBB_E_RANGE, NULL);
}

Test(intern, many_sets)
{
    enum { SETS = EBB_WORDS_SETS_MAX };
    static struct {
        ebb__record head;
        char text[8];
    } word[SETS];
    static ebb_words set[SETS];
    const ebb_words *sets[SETS];
    for (uint32_t i = 0; i < SETS; i++) {
        word[i].head.sym = 0x1000 + i * 64;
        snprintf(word[i].text, sizeof word[i].text, "word%02u", (unsigned)i);
        word[i].head.len = 6;
        set[i] = (ebb_words){"set", 0x1000 + i * 64, 1, &word[i].head, NULL};
        sets[i] = &set[i];
    }
    ebb_symtab *t = make((ebb_symtab_params){.words = sets, .word_sets = SETS, .seed = 9});
    ebb_sym next = ebb_intern(t, S("more"));
    cr_assert(next >= EBB_WORDS_END && is(ebb_sym_str(t, next), "more"));
    for (uint32_t i = 0; i < SETS; i++) {
        cr_assert_eq(ebb_intern(t, S(word[i].text)), word[i].head.sym);
        cr_assert(is(ebb_sym_str(t, word[i].head.sym), word[i].text));
    }
    cr_assert_null(ebb_symtab_validate(t));
    ebb_symtab_destroy(&t);
}

/* ---- literals ---------------------------------------------------------------------------------- */

#define L16 "0123456789abcdef"
#define L64 L16 L16 L16 L16

static void literals(ebb_symtab *t)
{
    cr_assert_eq(ebb_intern_lit(t, ""), ebb_intern(t, S("")));
    cr_assert_eq(ebb_intern_lit(t, "a"), ebb_intern(t, S("a")));
    cr_assert_eq(ebb_intern_lit(t, "abc"), ebb_intern(t, S("abc")));
    cr_assert_eq(ebb_intern_lit(t, "abcd"), ebb_intern(t, S("abcd")));
    cr_assert_eq(ebb_intern_lit(t, "Host"), ebb_intern(t, S("Host")));
    cr_assert_eq(ebb_intern_lit(t, L16), ebb_intern(t, S(L16)));
    cr_assert_eq(ebb_intern_lit(t, L16 "!"), ebb_intern(t, S(L16 "!")));
    cr_assert_eq(ebb_intern_lit(t, L64 L64), ebb_intern(t, S(L64 L64)));
    cr_assert_eq(ebb_intern_lit(t, L64 L64 "!"), ebb_intern(t, S(L64 L64 "!")));
    cr_assert(ebb_intern_lit(t, "only as a literal") != 0);
    cr_assert_null(ebb_symtab_validate(t));
}

Test(intern, literals_are_texts)
{
    ebb_symtab *a = plain(), *b = make((ebb_symtab_params){.seed = 7});
    ebb_symtab *c = make((ebb_symtab_params){.fold_case = true});
    ebb_arena *arena = ebb_scope_begin(NULL);
    ebb_symtab *r = ebb_symtab_over(arena, a);
    ebb_sym sym = ebb_intern_lit(r, "local literal");
    cr_assert(ebb_sym_is_local(sym) && ebb_intern(r, S("local literal")) == sym);
    literals(r);
    literals(a);
    literals(b);
    literals(c);
    cr_assert_eq(ebb_intern_lit(c, "HOST"), ebb_intern_lit(c, "host"));
    ebb_scope_end(&arena);
    ebb_symtab_destroy(&a);
    ebb_symtab_destroy(&b);
    ebb_symtab_destroy(&c);
}

Test(intern, a_literals_hash_is_the_librarys)
{
    char text[300];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)(i * 37 + 11);
    for (size_t n = 0; n < sizeof text - 3; n++)
        cr_assert_eq(ebb__fold_hash(text + n % 3, n), ebb_hash_long(text + n % 3, n, 0));
}

/* ---- caps -------------------------------------------------------------------------------------- */

Test(intern, the_cap_on_entries)
{
    ebb_symtab *t = make((ebb_symtab_params){.max_entries = 3, .words = every_set, .word_sets = 2});
    ebb_sym a = ebb_intern(t, S("a")), b = ebb_intern(t, S("b")), c = ebb_intern(t, S("c"));
    cr_assert(a && b && c);
    cr_assert_eq(ebb_symtab_failed(t), EBB_OK);
    cr_assert_eq(ebb_intern(t, S("d")), 0u);
    cr_assert_eq(ebb_symtab_failed(t), EBB_E_LIMIT);
    cr_assert_eq(ebb_intern(t, S("b")), b);
    cr_assert_eq(ebb_intern(t, S("red")), (ebb_sym)W_RED);
    ebb_symtab_stats s;
    ebb_symtab_get_stats(t, &s);
    cr_assert(s.entries == 3 && s.refused == 1);
    cr_assert_null(ebb_symtab_validate(t));
    ebb_symtab_destroy(&t);
}

Test(intern, the_cap_on_bytes_is_exact)
{
    ebb_symtab *t = make((ebb_symtab_params){.max_bytes = 1000});
    char text[16];
    int n = 0;
    do snprintf(text, sizeof text, "x%06d", n++);
    while (ebb_intern(t, S(text)));
    cr_assert_eq(n - 1, 1000 / 16); /* 7 bytes, a NUL, 8 that go with them */
    cr_assert_eq(ebb_symtab_failed(t), EBB_E_LIMIT);
    cr_assert_eq(ebb_intern(t, S("0123456789")), 0u);
    ebb_symtab_stats s;
    ebb_symtab_get_stats(t, &s);
    cr_assert(s.bytes == 992 && s.refused == 2);
    ebb_symtab_destroy(&t);
    t = make((ebb_symtab_params){.max_bytes = 1 << 20});
    static char large[1 << 20];
    memset(large, 'l', sizeof large);
    cr_assert_eq(ebb_intern(t, (ebb_str){large, sizeof large}), 0u);
    cr_assert_eq(ebb_symtab_failed(t), EBB_E_LIMIT);
    cr_assert(ebb_intern(t, (ebb_str){large, sizeof large - 16}) != 0);
    cr_assert_null(ebb_symtab_validate(t));
    ebb_symtab_destroy(&t);
}

/* The directory of segments is made for the worst that fits under the cap. */
static void fill_with(size_t cap, size_t least, size_t most)
{
    ebb_symtab *t = make((ebb_symtab_params){.max_bytes = cap});
    char *text = calloc(1, most + 1);
    rng r = {cap + least};
    size_t bytes = 0;
    for (unsigned long long n = 0;; n++) {
        size_t len = least + rng_below(&r, most - least + 1);
        memset(text, 'f', len);
        text[snprintf(text, least, "%016llx", n)] = 'f';
        if (!ebb_intern(t, (ebb_str){text, len})) break;
        bytes += (len + 12) & ~(size_t)3; /* 9 bytes that go with it, rounded up to 4 */
    }
    cr_assert_eq(ebb_symtab_failed(t), EBB_E_LIMIT);
    cr_assert(bytes > cap - most - 12 && bytes <= cap, "%zu of %zu", bytes, cap);
    cr_assert_null(ebb_symtab_validate(t));
    free(text);
    ebb_symtab_destroy(&t);
}

Test(intern, a_cap_can_be_filled_with_texts_of_any_length)
{
    fill_with(1 << 20, 60, 70);
    fill_with(4 << 20, 16384, 16390); /* a little more than a quarter of a segment */
    fill_with(4 << 20, 16300, 16376); /* a little less */
    fill_with(4 << 20, 40000, 70000);
    fill_with(4 << 20, 24, 20000);
}

/* ---- sealing, walking -------------------------------------------------------------------------- */

Test(intern, sealed_takes_nothing_new)
{
    ebb_symtab *t = with_words(0);
    ebb_sym a = ebb_intern(t, S("a"));
    ebb_arena *arena = ebb_scope_begin(NULL);
    ebb_symtab *r = ebb_symtab_over(arena, t);
    ebb_symtab_seal(t);
    ebb_symtab_seal(t);
    cr_assert_eq(ebb_intern(t, S("a")), a);
    cr_assert_eq(ebb_intern(t, S("b")), 0u);
    cr_assert_eq(ebb_symtab_failed(t), EBB_E_UNSUPPORTED);
    ebb_sym b = ebb_intern(r, S("b"));
    cr_assert(ebb_sym_is_local(b));
    cr_assert_eq(ebb_sym_promote(r, b), 0u);
    cr_assert_eq(ebb_symtab_failed(r), EBB_E_UNSUPPORTED);
    ebb_symtab_stats s;
    ebb_symtab_get_stats(t, &s);
    cr_assert(s.sealed && s.entries == 1);
    cr_assert_null(ebb_symtab_validate(t));
    char *text;
    ebb_str view = ebb_sym_str(t, a);
    memcpy(&text, &view.ptr, sizeof text); /* what nobody may do */
    *text = 'x';
    cr_assert_str_eq(ebb_symtab_validate(t), "was written to after it was sealed");
    *text = 'a';
    cr_assert_null(ebb_symtab_validate(t));
    text[1] = '!';
    cr_assert_str_eq(ebb_symtab_validate(t), "was written to after it was sealed");
    ebb_scope_end(&arena);
    ebb_symtab_destroy(&t);
}

Test(intern, sums_tell_tables_apart)
{
    ebb_symtab *a = with_words(0), *b = with_words(0);
    uint64_t empty = ebb_symtab_checksum(a);
    cr_assert_eq(empty, ebb_symtab_checksum(b));
    (void)!ebb_intern(a, S("x"));
    cr_assert_neq(ebb_symtab_checksum(a), empty);
    (void)!ebb_intern(b, S("x"));
    cr_assert_eq(ebb_symtab_checksum(a), ebb_symtab_checksum(b));
    ebb_symtab_destroy(&a);
    ebb_symtab_destroy(&b);
}

Test(intern, a_walk_sees_each_once)
{
    enum { TEXTS = 3000 };
    static unsigned char seen[TEXTS];
    ebb_symtab *t = with_words(0);
    char text[100];
    size_t words = 0, others = 0;
    for (int i = 0; i < TEXTS; i++) {
        snprintf(text, sizeof text, "%d%.*s", i, i % 70,
                 "......................................................................");
        cr_assert(ebb_intern(t, S(text)) != 0);
    }
    for (ebb_symtab_iter i = ebb_symtab_each(t); ebb_symtab_next(&i);) {
        cr_assert_eq(ebb_intern_find(t, i.str), i.sym);
        cr_assert(ebb_sym_str(t, i.sym).ptr == i.str.ptr);
        if (i.sym < EBB_WORDS_END) {
            words++;
            continue;
        }
        seen[atoi(i.str.ptr)]++;
        others++;
    }
    cr_assert_eq(words, (size_t)(4 + 6 + 6 + 1) + ebb_http_headers.count);
    cr_assert_eq(others, (size_t)TEXTS);
    for (int i = 0; i < TEXTS; i++) cr_assert_eq(seen[i], 1);
    ebb_symtab_destroy(&t);
}

/* ---- a request's table ------------------------------------------------------------------------- */

Test(intern, what_is_new_stays_in_the_request)
{
    ebb_symtab *t = plain();
    ebb_sym known = ebb_intern(t, S("known"));
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin(NULL);
    ebb_symtab *r = ebb_symtab_over(a, t), *q = ebb_symtab_over(b, t);
    cr_assert_eq(ebb_intern(r, S("known")), known);
    cr_assert_eq(ebb_intern_find(r, S("mine")), 0u);
    ebb_sym mine = ebb_intern(r, S("mine"));
    cr_assert(ebb_sym_is_local(mine) && ebb_intern(r, S("mine")) == mine);
    cr_assert(is(ebb_sym_str(r, mine), "mine") && is(ebb_sym_str(r, known), "known"));
    cr_assert_eq(ebb_intern_find(r, S("mine")), mine);
    cr_assert_eq(ebb_intern_find(q, S("mine")), 0u);
    cr_assert_eq(ebb_intern_find(t, S("mine")), 0u);
    cr_assert_neq(ebb_intern(q, S("mine")), mine);
    ebb_symtab_stats s;
    ebb_symtab_get_stats(r, &s);
    cr_assert(s.entries == 1 && s.hits == 3 && s.misses == 2 && s.refused == 0);
    cr_assert_null(ebb_symtab_validate(r));
    ebb_scope_end(&a);
    ebb_scope_end(&b);
    ebb_symtab_get_stats(t, &s);
    cr_assert_eq(s.entries, (size_t)1);
    ebb_symtab_destroy(&t);
}

Test(intern, a_local_answer_holds_for_the_request)
{
    ebb_symtab *t = plain();
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_symtab *r = ebb_symtab_over(a, t);
    ebb_sym mine = ebb_intern(r, S("word"));
    ebb_sym other = ebb_intern(t, S("word")); /* as another thread would */
    cr_assert(!ebb_sym_is_local(other));
    cr_assert_eq(ebb_intern(r, S("word")), mine);
    cr_assert_eq(ebb_sym_promote(r, mine), other);
    cr_assert_eq(ebb_intern(r, S("word")), mine);
    cr_assert_eq(ebb_intern_find(r, S("word")), mine);
    ebb_sym up = ebb_sym_promote(r, ebb_intern(r, S("fresh")));
    cr_assert(up && !ebb_sym_is_local(up) && is(ebb_sym_str(t, up), "fresh"));
    ebb_symtab *later = ebb_symtab_over(a, t);
    cr_assert_eq(ebb_intern(later, S("word")), other);
    cr_assert_eq(ebb_sym_promote(r, other), other);
    cr_assert_eq(ebb_sym_promote(r, 0), 0u);
    ebb_scope_end(&a);
    ebb_symtab_destroy(&t);
}

Test(intern, a_request_may_have_many)
{
    enum { TEXTS = 5000 };
    static ebb_sym sym[TEXTS];
    static const char *ptr[TEXTS];
    ebb_symtab *t = plain();
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_symtab *r = ebb_symtab_over(a, t);
    char text[300];
    for (int i = 0; i < TEXTS; i++) {
        snprintf(text, sizeof text, "%d%*s", i, i % 100, "");
        sym[i] = ebb_intern(r, S(text));
        ptr[i] = ebb_sym_str(r, sym[i]).ptr;
    }
    int n = 0;
    for (ebb_symtab_iter i = ebb_symtab_each(r); ebb_symtab_next(&i); n++)
        cr_assert(i.sym == sym[n] && i.str.ptr == ptr[n] && atoi(i.str.ptr) == n);
    cr_assert_eq(n, TEXTS);
    for (int i = 0; i < TEXTS; i++) {
        snprintf(text, sizeof text, "%d%*s", i, i % 100, "");
        cr_assert(ebb_intern(r, S(text)) == sym[i] && is(ebb_sym_str(r, sym[i]), text));
    }
    ebb_symtab_stats s;
    ebb_arena_stats in;
    ebb_symtab_get_stats(r, &s);
    ebb_arena_get_stats(a, &in);
    cr_assert(in.used >= s.held && s.held > s.bytes && s.bytes > TEXTS * 40);
    cr_assert_null(ebb_symtab_validate(r));
    ebb_scope_end(&a);
    ebb_symtab_destroy(&t);
}

Test(intern, a_rewind_takes_back_what_was_allocated_since)
{
    ebb_symtab *t = plain();
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_symtab *r = ebb_symtab_over(a, t);
    char text[32];
    static ebb_sym before[200], after[2000];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) {
            snprintf(text, sizeof text, "before-%d", i);
            before[i] = ebb_intern(r, S(text));
        }
        ebb_mark m = ebb_arena_mark(a);
        for (int i = 0; i < 2000; i++) {
            snprintf(text, sizeof text, "after-%d", i);
            after[i] = ebb_intern(r, S(text));
            cr_assert(after[i] != 0);
        }
        ebb_arena_rewind(a, m);
        (void)!ebb_zalloc(a, 100000); /* somebody else's now */
        for (int i = 0; i < 200; i++) {
            snprintf(text, sizeof text, "before-%d", i);
            cr_assert(ebb_intern(r, S(text)) == before[i] && is(ebb_sym_str(r, before[i]), text));
        }
        cr_assert_null(ebb_symtab_validate(r));
        snprintf(text, sizeof text, "again-%d", round);
        for (int i = 0; i < 2000; i++) cr_assert_neq(ebb_intern(r, S(text)), after[i]);
    }
    ebb_scope_end(&a);
    ebb_symtab_destroy(&t);
}

/* ---- misuse ------------------------------------------------------------------------------------ */

Test(intern, a_stale_symbol_is_told)
{
    reports rep;
    ebb_symtab *t = plain();
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_sym stale = ebb_intern(ebb_symtab_over(a, t), S("gone"));
    ebb_scope_end(&a);
    a = ebb_scope_begin(NULL);
    ebb_symtab *r = ebb_symtab_over(a, t);
    cr_assert_neq(ebb_intern(r, S("here")), stale);
    reports_start(&rep);
    cr_assert(is(ebb_sym_str(r, stale), ""));
    cr_assert(reports_one(&rep, EBB_MISUSE, "ebb_sym_str",
                          "local to an ended scope; use ebb_sym_promote"));
    reports_start(&rep);
    cr_assert_eq(ebb_sym_promote(r, stale), 0u);
    cr_assert(reports_one(&rep, EBB_MISUSE, "local to an ended scope", "ebb_sym_promote"));
    reports_start(&rep);
    cr_assert(is(ebb_sym_str(t, ebb_intern(r, S("here"))), ""));
    cr_assert(reports_one(&rep, EBB_MISUSE, "local to a request", "ebb_sym_promote"));
    reports_stop();
    ebb_scope_end(&a);
    ebb_symtab_destroy(&t);
}

Test(intern, a_symbol_of_nobody_is_told)
{
    reports rep;
    ebb_symtab *t = with_words(0);
    ebb_sym odd[] = {1,
                     EBB_WORDS_END + (200 << 16),

                     0x3f,
                     W_NONE + 1,
                     0x1080,
                     EBB_WORDS_END,
                     0x10001,
                     0x7fffffff,
                     ebb_intern(t, S("x")) + 1,
                     ebb_intern(t, S("a longer text")) + 1};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        reports_start(&rep);
        cr_assert(is(ebb_sym_str(t, odd[i]), ""));
        cr_assert(reports_one(&rep, EBB_MISUSE, "ebb_sym_str", "no symbol of this table"));
    }
    reports_stop();
    ebb_symtab_destroy(&t);
}

Test(intern, tables_taken_for_the_other_kind)
{
    reports rep;
    ebb_symtab *t = make((ebb_symtab_params){.name = "hosts"});
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_symtab *r = ebb_symtab_over(a, t), *copy = r;
    reports_start(&rep);
    cr_assert_null(ebb_symtab_over(a, r));
    cr_assert(reports_one(&rep, EBB_MISUSE, "ebb_symtab_over", "request's too"));
    reports_start(&rep);
    ebb_symtab_destroy(&copy);
    cr_assert(
        reports_one(&rep, EBB_MISUSE, "ebb_symtab_destroy(\"hosts\")", "ends with its scope"));
    reports_start(&rep);
    ebb_symtab_seal(r);
    cr_assert(reports_one(&rep, EBB_MISUSE, "ebb_symtab_seal", "seal the shared one"));
    reports_stop();
    cr_assert(ebb_intern(r, S("x")) && ebb_intern(t, S("y")));
    ebb_scope_end(&a);
    ebb_symtab_destroy(&t);
}

/* ---- failures ---------------------------------------------------------------------------------- */

Test(intern, a_table_cannot_be_made_without_memory)
{
    int refused = 0;
    EBB_EACH_FAILURE (f, .this_thread = true) {
        ebb_status why = EBB_OK;
        ebb_symtab_params p = {.words = every_set, .word_sets = 5};
        ebb_symtab *t = ebb_symtab_create(&p, &why);
        cr_assert((t != NULL) == (ebb_fault_hits(f) == 0));
        if (!t) cr_assert_eq(why, EBB_E_MEMORY);
        refused += !t;
        ebb_symtab_destroy(&t);
    }
    cr_assert(refused > 5);
}

Test(intern, a_refused_text_leaves_the_table_as_it_was)
{
    int runs = 0;
    EBB_EACH_FAILURE (f, .this_thread = true) {
        ebb_symtab *t = ebb_symtab_create(NULL, NULL);
        unsigned refused = 0;
        char text[32];
        for (int i = 0; t && i < 1500; i++) {
            snprintf(text, sizeof text, "name %d", i);
            ebb_sym sym = ebb_intern(t, S(text));
            if (sym) continue;
            cr_assert_eq(ebb_symtab_failed(t), EBB_E_MEMORY);
            refused++;
            cr_assert_eq(ebb_intern_find(t, S(text)), 0u);
            cr_assert(ebb_intern(t, S(text)) != 0);
        }
        if (!t) continue;
        cr_assert_eq(refused, (unsigned)ebb_fault_hits(f));
        cr_assert_null(ebb_symtab_validate(t));
        ebb_symtab_destroy(&t);
        runs++;
    }
    cr_assert(runs > 20);
}

Test(intern, a_request_without_memory)
{
    ebb_symtab *t = plain();
    int refused = 0;
    EBB_EACH_FAILURE (f, .this_thread = true) {
        ebb_arena *a = ebb_arena_create(NULL);
        ebb_symtab *r = ebb_symtab_over(a, t);
        char text[32];
        for (int i = 0; r && i < 300; i++) {
            snprintf(text, sizeof text, "name %d", i);
            ebb_sym sym = ebb_intern(r, S(text));
            if (sym) continue;
            cr_assert_eq(ebb_symtab_failed(r), EBB_E_MEMORY);
            refused++;
            cr_assert_eq(ebb_intern_find(r, S(text)), 0u);
            cr_assert_null(ebb_symtab_validate(r));
            cr_assert(ebb_intern(r, S(text)) != 0);
        }
        if (r) cr_assert_null(ebb_symtab_validate(r));
        ebb_arena_destroy(&a);
    }
    cr_assert(refused > 5);
    ebb_symtab_destroy(&t);
}

static int intern_until_full(ebb_arena *a, void *arg)
{
    (void)a;
    char text[32];
    for (int i = 0;; i++) {
        snprintf(text, sizeof text, "in a try %d", i);
        if (!ebb_intern(arg, S(text))) return 1;
    }
}

Test(intern, in_a_try_a_request_jumps)
{
    ebb_symtab *t = plain();
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_symtab *r = ebb_symtab_over(a, t);
    ebb_arena_set_limit(a, 0, 30000, 0);
    cr_assert_eq(ebb_try(a, intern_until_full, r), EBB_E_LIMIT);
    cr_assert_null(ebb_symtab_validate(r));
    ebb_symtab_stats s;
    ebb_symtab_get_stats(r, &s);
    cr_assert(s.entries > 100);
    cr_assert_eq(ebb_intern(r, S("in a try 7")) & 0xfffff, 7u);
    ebb_scope_end(&a);
    ebb_symtab_destroy(&t);
}

Test(intern, a_budget_is_charged)
{
    ebb_budget_params bp = {.hard = 256 << 10, .quantum = 4096};
    ebb_budget *b = ebb_budget_create(NULL, &bp);
    ebb_symtab *t = make((ebb_symtab_params){.budget = b});
    char text[64];
    int n = 0;
    do snprintf(text, sizeof text, "a name of some length %d", n++);
    while (ebb_intern(t, S(text)));
    cr_assert_eq(ebb_symtab_failed(t), EBB_E_LIMIT);
    cr_assert(n > 1000 && ebb_intern(t, S("a name of some length 17")) != 0);
    cr_assert_null(ebb_symtab_validate(t));
    ebb_symtab_destroy(&t);
    ebb_budget_destroy(&b);
}

Test(intern, memory_is_from_the_source_and_goes_back)
{
    static test_source src;
    test_source_init(&src);
    ebb_symtab *t = make((ebb_symtab_params){.source = &src.source});
    char text[32];
    for (int i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "%d", i);
        ebb_sym sym = ebb_intern(t, S(text));
        cr_assert(test_source_has(&src, ebb_sym_str(t, sym).ptr, strlen(text) + 1));
    }
    cr_assert(src.live > 0);
    ebb_symtab_destroy(&t);
    cr_assert(src.live == 0 && src.wrong_frees == 0 && src.wrong_requests == 0);
    test_source_fini(&src);
}

/* ---- chosen collisions ------------------------------------------------------------------------- */

/* Texts of one length that all want the same line of an index without a seed. */
static size_t colliding(char (*ret_texts)[12], size_t want)
{
    size_t n = 0;
    for (unsigned i = 0; n < want; i++) {
        char text[12];
        snprintf(text, sizeof text, "k%09x", i);
        uint64_t h = ebb_hash_long(text, 10, 0);
        if (h >> 60 == 0 && (h >> 8 & 0x3ff) == 0) memcpy(ret_texts[n++], text, sizeof text);
    }
    return n;
}

static uint32_t longest_with(char (*texts)[12], size_t n, uint64_t seed)
{
    ebb_symtab *t = make((ebb_symtab_params){.seed = seed});
    ebb_symtab_stats s;
    for (size_t i = 0; i < n; i++) cr_assert(ebb_intern(t, S(texts[i])) != 0);
    cr_assert_null(ebb_symtab_validate(t));
    ebb_symtab_get_stats(t, &s);
    cr_assert_eq(s.entries, n);
    ebb_symtab_destroy(&t);
    return s.longest;
}

Test(intern, chosen_collisions_are_right_and_with_a_seed_harmless)
{
    enum { KEYS = 400 };
    static char texts[KEYS][12];
    size_t n = colliding(texts, KEYS);
    cr_assert(longest_with(texts, n, 0) >= KEYS / 12);
    for (uint64_t seed = 1; seed <= 5; seed++) cr_assert(longest_with(texts, n, seed) <= 3);
}

/* ---- processes and threads --------------------------------------------------------------------- */

static int exit_of(pid_t child)
{
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

Test(intern, a_forked_child_goes_on)
{
    ebb_symtab *t = plain(), *u = plain();
    ebb_sym a = ebb_intern(t, S("a"));
    pid_t child = fork();
    if (child == 0) {
        bool good = ebb_intern(t, S("a")) == a && ebb_intern(t, S("b")) && ebb_intern(u, S("c"));
        ebb_symtab_destroy(&t);
        ebb_symtab_destroy(&u);
        _exit(good ? 0 : 1);
    }
    cr_assert_eq(exit_of(child), 0);
    cr_assert_eq(ebb_intern_find(t, S("b")), 0u);
    cr_assert(ebb_intern(t, S("d")) != 0);
    ebb_symtab_destroy(&t);
    child = fork(); /* one of the two is no more */
    if (child == 0) _exit(ebb_intern(u, S("e")) ? 0 : 1);
    cr_assert_eq(exit_of(child), 0);
    ebb_symtab_destroy(&u);
}

static void fails_here(void *arg)
{
    ebb_symtab *t = arg;
    if (ebb_symtab_failed(t) != EBB_OK || ebb_intern(t, S("too many"))) abort();
    if (ebb_symtab_failed(t) != EBB_E_LIMIT) abort();
}

Test(intern, why_it_failed_is_the_threads_own)
{
    ebb_symtab *t = make((ebb_symtab_params){.max_entries = 1});
    cr_assert(ebb_intern(t, S("one")) != 0);
    on_thread(fails_here, t);
    cr_assert_eq(ebb_symtab_failed(t), EBB_OK);
    ebb_symtab_destroy(&t);
}
