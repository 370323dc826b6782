/*
 * tests/misuse/test_planted.c: planted memory errors, each of which must be caught: by AddressSanitizer,
 * by Memcheck, or with neither by the strict checks. Which of them is looking is decided by how this
 * program was built and is run; the plants are the same.
 *
 *   AddressSanitizer  the bad access ends the program with "use-after-poison"
 *   Memcheck          the bad access is counted as an error
 *   strict checks     what is read is not what was written; a write past an end is reported later
 */
#include "test.h"

#include <ebb/compat/malloc.h>
#include <ebb/ebb.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif
#endif
#ifndef VALGRIND_COUNT_ERRORS
#define RUNNING_ON_VALGRIND   0
#define VALGRIND_COUNT_ERRORS 0
#endif

enum { KIB = 1 << 10, MIB = 1 << 20, MARK = 0x5e };

enum { CAUGHT = 10, NOT_CAUGHT = 11 };

/* ---- plants ------------------------------------------------------------------------------------ */

/* A plant does everything right up to its last step, and returns where the bad access would be; the byte
   there was MARK, or never written. Nothing is NULL here that should not be. */
typedef char *plant(void);

static char *marked(ebb_arena *a, size_t size)
{
    return memset(ebb_alloc(a, size), MARK, size);
}

static char *after_end(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    char *p = marked(a, 100);
    ebb_scope_end(&a);
    return p + 50;
}

static char *after_end_in_a_chunk(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    marked(a, 900);
    char *p = marked(a, 1900);
    ebb_scope_end(&a);
    return p + 1899;
}

static char *after_end_in_a_large_block(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    char *p = marked(a, 200 * KIB);
    ebb_scope_end(&a);
    return p + 100 * KIB;
}

static char *after_end_in_a_span(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    char *p = marked(a, 3 * MIB);
    ebb_scope_end(&a);
    return p + MIB;
}

static char *after_destroy(void)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = marked(a, 100);
    ebb_arena_destroy(&a);
    return p;
}

static char *after_reset(void)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = marked(a, 100);
    marked(a, 50);
    ebb_arena_reset(a);
    return p + 99;
}

static char *after_rewind(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    marked(a, 40);
    ebb_mark m = ebb_arena_mark(a);
    char *p = marked(a, 40);
    marked(a, 40);
    ebb_arena_rewind(a, m);
    return p;
}

static char *after_rewind_over_chunks(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    marked(a, 40);
    ebb_mark m = ebb_arena_mark(a);
    char *p = NULL;
    for (int i = 0; i < 200; i++) {
        char *q = marked(a, 300);
        if (i == 100) p = q;
    }
    ebb_arena_rewind(a, m);
    return p;
}

static char *after_rewind_in_a_large_block(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_mark m = ebb_arena_mark(a);
    char *p = marked(a, 200 * KIB);
    ebb_arena_rewind(a, m);
    return p;
}

static char *after_temp(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    char *p;
    {
        EBB_TEMP(a);
        p = marked(a, 100);
    }
    return p;
}

static char *a_rewind_took_its_grown_copy(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    char *p = memset(ebb_resize(a, NULL, 0, 40), MARK, 40);
    ebb_mark m = ebb_arena_mark(a);
    char *grown = ebb_resize(a, p, 40, 80);
    memset(grown, MARK, 80);
    ebb_arena_rewind(a, m);
    return grown;
}

static char *kept_across_a_growth(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    char *p = marked(a, 40);
    marked(a, 40);
    char *grown = ebb_resize(a, p, 40, 200);
    memset(grown, MARK, 200);
    return p;
}

static char *beyond_what_was_shrunk(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    char *p = marked(a, 100);
    p = ebb_resize(a, p, 100, 10);
    return p + 60;
}

static char *a_child_that_its_parent_ended(void)
{
    ebb_arena *a = ebb_scope_begin(NULL), *child = ebb_scope_begin_in(a, NULL);
    ebb_scope_keep_open(child);
    char *p = marked(child, 100);
    ebb_scope_end(&a);
    return p;
}

static char *adopted_by_one_that_ended(void)
{
    ebb_arena *a = ebb_scope_begin(NULL), *child = ebb_scope_begin(NULL);
    char *p = marked(child, 100);
    ebb_arena_adopt(a, &child);
    ebb_scope_end(&a);
    return p;
}

static char *returned_from_a_lexical_scope(void)
{
    EBB_SCOPE(a, NULL);
    return marked(a, 100);
}

static int keep_and_raise(ebb_arena *a, void *ret_)
{
    EBB_SCOPE(inner, NULL);
    *(char **)ret_ = marked(inner, 100);
    ebb_raise(a, 1);
}

static char *kept_across_a_raise(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    char *p = NULL;
    if (ebb_try(a, keep_and_raise, &p) != 1) abort();
    return p;
}

static char *a_hooks_block_after_free(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    EBB_ENTER(a);
    char *p = memset(ebb_hook_malloc(100), MARK, 100);
    ebb_hook_free(p);
    return p + 50;
}

static void end_there(void *a)
{
    ebb_arena *mine = a;
    ebb_scope_attach(mine);
    ebb_scope_end(&mine);
}

static char *ended_by_another_thread(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    char *p = marked(a, 100);
    on_thread(end_there, ebb_scope_detach(&a));
    return p;
}

static char *with_a_source_of_its_own(void)
{
    static test_source s;
    test_source_init(&s);
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.source = &s.source;
    ebb_arena *a = ebb_arena_create(&params);
    marked(a, 10);
    ebb_mark m = ebb_arena_mark(a);
    char *p = marked(a, 100);
    ebb_arena_rewind(a, m);
    return p;
}

static char *over_a_buffer_after_reset(void)
{
    static _Alignas(64) char buffer[4096];
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.buffer = buffer;
    params.buffer_size = sizeof buffer;
    ebb_arena *a = ebb_arena_create(&params);
    char *p = marked(a, 100);
    ebb_arena_reset(a);
    return p;
}

static const struct {
    const char *name;
    plant *fn;
} stale[] = {
#define PLANT(fn)                                                                                  \
    {                                                                                              \
#fn, fn                                                                                    \
    }
    PLANT(after_end),
    PLANT(after_end_in_a_chunk),
    PLANT(after_end_in_a_large_block),
    PLANT(after_end_in_a_span),
    PLANT(after_destroy),
    PLANT(after_reset),
    PLANT(after_rewind),
    PLANT(after_rewind_over_chunks),
    PLANT(after_rewind_in_a_large_block),
    PLANT(after_temp),
    PLANT(a_rewind_took_its_grown_copy),
    PLANT(kept_across_a_growth),
    PLANT(beyond_what_was_shrunk),
    PLANT(a_child_that_its_parent_ended),
    PLANT(adopted_by_one_that_ended),
    PLANT(returned_from_a_lexical_scope),
    PLANT(kept_across_a_raise),
    PLANT(a_hooks_block_after_free),
    PLANT(ended_by_another_thread),
    PLANT(with_a_source_of_its_own),
    PLANT(over_a_buffer_after_reset),
};

/* ---- out of bounds: what the tools see, and strict checks only when it is written to ------------- */

static char *past_the_end(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    marked(a, 100);
    char *p = marked(a, 100);
    return p + 100;
}

static char *past_an_odd_end(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    marked(a, 100);
    char *p = marked(a, 13);
    return p + 13;
}

static char *past_the_end_of_the_first(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    return marked(a, 48) + 48;
}

static char *past_the_nul(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_strdup(a, "first");
    return ebb_strdup(a, "text") + 5;
}

static char *past_the_end_of_a_grown_object(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    char *p = ebb_resize(a, NULL, 0, 10);
    p = ebb_resize(a, p, 10, 50);
    return p + 50;
}

static char *past_the_end_of_an_aligned_object(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_alloc_aligned(a, 100, 256);
    return (char *)ebb_alloc_aligned(a, 100, 256) + 100;
}

static char *in_an_object_of_0(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_alloc(a, 16);
    return ebb_alloc(a, 0);
}

static char *past_the_end_of_a_hooks_block(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    EBB_ENTER(a);
    ebb_hook_malloc(10);
    return (char *)ebb_hook_malloc(30) + 30;
}

static const struct {
    const char *name;
    plant *fn;
} beyond[] = {
    PLANT(past_the_end),
    PLANT(past_an_odd_end),
    PLANT(past_the_end_of_the_first),
    PLANT(past_the_nul),
    PLANT(past_the_end_of_a_grown_object),
    PLANT(past_the_end_of_an_aligned_object),
    PLANT(in_an_object_of_0),
    PLANT(past_the_end_of_a_hooks_block),
};

/* Only the tools guard these: behind a large object is the rest of its block. */
static char *past_the_end_of_a_large_object(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    return marked(a, 100 * KIB + 1) + 100 * KIB + 1;
}

static char *in_the_unused_window(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    marked(a, 2000);
    return marked(a, 16) - 200;
}

static const struct {
    const char *name;
    plant *fn;
} outside[] = {
    PLANT(past_the_end_of_a_large_object),
    PLANT(in_the_unused_window),
};
#undef PLANT

/* ---- looking on -------------------------------------------------------------------------------- */

typedef struct job {
    plant *fn;
    bool write;
} job;

/* In a child: commit the error. A tool ends the child, or counts; else the strict checks have their say. */
static void commit(void *arg)
{
    const job *j = arg;
    volatile char *p = j->fn();
    unsigned long before = VALGRIND_COUNT_ERRORS;
    char was = 0;
    if (j->write) *p = MARK;
    else was = *p;
    if (was == 1) fputc('?', stderr); /* so that the read is not in vain */
    if (RUNNING_ON_VALGRIND) _Exit(VALGRIND_COUNT_ERRORS > before ? CAUGHT : NOT_CAUGHT);
    _Exit(was == MARK ? NOT_CAUGHT : CAUGHT);
}

static bool tool_is_looking(void)
{
    return TESTS_ASAN || RUNNING_ON_VALGRIND;
}

/* Memcheck's own exit code wins over the child's where there were errors. */
enum { MEMCHECK_ERRORS = 99 };

static bool is_caught(plant *fn, bool write)
{
    job j = {fn, write};
    death d = in_child(commit, &j);
    bool caught = !d.signalled && (d.code == CAUGHT || d.code == MEMCHECK_ERRORS);
    if (TESTS_ASAN) caught = strstr(d.err, "AddressSanitizer: use-after-poison") != NULL;
    if (!caught) fprintf(stderr, "%s %d: %s\n", d.signalled ? "signal" : "code", d.code, d.err);
    return caught;
}

static void be_strict(void)
{
    if (!tool_is_looking()) ebb_checks_set(EBB_CHECKS_STRICT);
}

Test(planted, a_read_of_what_is_gone_is_caught)
{
    be_strict();
    for (size_t i = 0; i < sizeof stale / sizeof *stale; i++)
        cr_assert(is_caught(stale[i].fn, false), "%s", stale[i].name);
}

Test(planted, a_write_to_what_is_gone_is_caught)
{
    if (!tool_is_looking()) cr_skip_test("needs AddressSanitizer or Memcheck");
    for (size_t i = 0; i < sizeof stale / sizeof *stale; i++)
        cr_assert(is_caught(stale[i].fn, true), "%s", stale[i].name);
}

Test(planted, an_access_out_of_bounds_is_caught)
{
    if (!tool_is_looking()) cr_skip_test("needs AddressSanitizer or Memcheck");
    for (int write = 0; write < 2; write++) {
        for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++)
            cr_assert(is_caught(beyond[i].fn, write), "%s", beyond[i].name);
        for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
            cr_assert(is_caught(outside[i].fn, write), "%s", outside[i].name);
    }
}

/* The plants leave their scope open; it is this one's holder that ends it. */
static ebb_arena *left_open(const char *p)
{
    ebb_arena *a = ebb_arena_of(p - 1);
    return a ? a : ebb_arena_of(p);
}

Test(planted, a_write_past_the_end_is_reported_when_the_scope_ends)
{
    if (tool_is_looking()) cr_skip_test("the tool sees the write itself");
    be_strict();
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        reports r;
        reports_start(&r);
        char *p = beyond[i].fn();
        *p = (char)(*p + 1);
        ebb_arena *a = left_open(p);
        cr_assert_not_null(ebb_arena_validate(a), "%s", beyond[i].name);
        ebb_scope_end(&a);
        cr_assert(r.misuse == 1 && strstr(r.text, "past its end"), "%s: %s", beyond[i].name,
                  r.text);
        reports_stop();
    }
}

Test(planted, or_when_it_is_reset_or_rewound)
{
    if (tool_is_looking()) cr_skip_test("the tool sees the write itself");
    be_strict();
    for (int way = 0; way < 2; way++) {
        reports r;
        ebb_arena *a = ebb_arena_create(NULL);
        ebb_alloc(a, 20);
        ebb_mark m = ebb_arena_mark(a);
        volatile char *p = ebb_alloc(a, 20);
        p[20] = 'x';
        reports_start(&r);
        if (way) ebb_arena_reset(a);
        else ebb_arena_rewind(a, m);
        cr_assert(reports_one(&r, EBB_MISUSE, "past its end", "20 bytes"));
        reports_stop();
        ebb_arena_destroy(&a);
    }
}

/* There lies the object's frame, which the tools let the library read. */
Test(planted, a_write_before_the_beginning_is_reported)
{
    be_strict();
    reports r;
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_alloc(a, 20);
    volatile char *p = ebb_alloc(a, 20);
    p[-1] = 'x';
    cr_assert_not_null(ebb_arena_validate(a));
    reports_start(&r);
    ebb_scope_end(&a);
    cr_assert(reports_one(&r, EBB_MISUSE, "overwritten", NULL));
    reports_stop();
}

/* At level 3 the next end, reset, mark or rewind of the arena validates it. */
Test(planted, at_the_validating_level_a_mark_finds_it)
{
    if (tool_is_looking()) cr_skip_test("the tool sees the write itself");
    ebb_checks_set(EBB_CHECKS_VALIDATE);
    reports r;
    ebb_arena *a = ebb_scope_begin(NULL);
    volatile char *p = ebb_alloc(a, 20);
    char was = p[20];
    p[20] = 'x';
    reports_start(&r);
    ebb_mark m = ebb_arena_mark(a);
    (void)m;
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_arena_mark", "past its end"));
    p[20] = was;
    reports_stop();
    ebb_scope_end(&a);
}

/* Fresh memory is not what it was, so that a use before it is written shows. */
Test(planted, fresh_memory_has_a_pattern_of_its_own)
{
    if (tool_is_looking()) cr_skip_test("the tool looks after that");
    be_strict();
    for (int i = 0; i < 10; i++) {
        ebb_arena *a = ebb_scope_begin(NULL);
        unsigned char *p = ebb_alloc(a, 64), *q = ebb_alloc(a, 64);
        cr_assert_eq(bytes_check(p, p[0], 64), 64u);
        cr_assert(p[0] == q[0] && p[0] != 0 && p[0] != MARK);
        memset(p, MARK, 64);
        memset(q, MARK, 64);
        ebb_scope_end(&a);
    }
}

/* What is clean stays clean: the plants above but for their last step. */
Test(planted, the_plants_are_clean_up_to_their_last_step)
{
    be_strict();
    reports r;
    reports_start(&r);
    unsigned long before = VALGRIND_COUNT_ERRORS;
    for (size_t i = 0; i < sizeof stale / sizeof *stale; i++) {
        cr_assert_not_null(stale[i].fn());
        cr_assert_eq(reports_total(&r), 0u, "%s: %s", stale[i].name, r.all);
    }
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) cr_assert_not_null(beyond[i].fn());
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        cr_assert_not_null(outside[i].fn());
    cr_assert_eq(VALGRIND_COUNT_ERRORS, before);
    cr_assert_eq(reports_total(&r), 0u, "%s", r.all);
    reports_stop();
}
