/*
 * tests/unit/test_compat_cmark.c: ebb/compat/cmark.h: documents in the current scope, and what is done
 * where there is not enough memory for one.
 */
#include "test.h"

#include <ebb/compat/cmark.h>
#include <ebb/ebb.h>

#include <stdlib.h>
#include <string.h>

static const char text[] = "# Nodes\n\n"
                           "- **node-001** has `4` cpus & [more](http://example.org/)\n"
                           "- *node-002* is\n  > quoted\n\n"
                           "1. one\n2. two\n\n```\ncode\n```\n";

/* The HTML of the text; all but that is freed. */
static char *render(const char *markdown, cmark_mem *mem)
{
    cmark_parser *p = cmark_parser_new_with_mem(CMARK_OPT_DEFAULT, mem);
    cmark_parser_feed(p, markdown, strlen(markdown));
    cmark_node *doc = cmark_parser_finish(p);
    cmark_parser_free(p);
    char *html = cmark_render_html(doc, CMARK_OPT_DEFAULT);
    cmark_node_free(doc);
    return html;
}

/* As cmark does it alone; malloc's. */
static char *expected(const char *markdown)
{
    return render(markdown, cmark_get_default_mem_allocator());
}

static char *long_text(void)
{
    enum { TIMES = 300 };
    char *markdown = malloc(TIMES * sizeof text);
    cr_assert_not_null(markdown);
    *markdown = '\0';
    for (size_t i = 0; i < TIMES; i++) memcpy(markdown + i * (sizeof text - 1), text, sizeof text);
    return markdown;
}

Test(compat_cmark, a_document_lies_in_the_current_scope)
{
    char *right = expected(text);
    for (int i = 0; i < 20; i++) {
        ebb_arena *a = ebb_scope_begin(NULL);
        {
            EBB_ENTER(a);
            cmark_parser *p = cmark_parser_new_with_mem(CMARK_OPT_DEFAULT, ebb_cmark_mem());
            cmark_parser_feed(p, text, sizeof text - 1);
            cmark_node *doc = cmark_parser_finish(p);
            cr_assert_eq(ebb_arena_of(doc), a);
            char *html = cmark_render_html(doc, CMARK_OPT_DEFAULT);
            cr_assert_eq(ebb_arena_of(html), a);
            cr_assert_str_eq(html, right);
            if (i % 2) { /* allowed, not needed */
                cmark_node_free(doc);
                cmark_parser_free(p);
                ebb_cmark_mem()->free(html);
            }
        }
        cr_assert_eq(ebb_failed(a), EBB_OK);
        cr_assert_null(ebb_arena_validate(a));
        ebb_scope_end(&a);
    }
    free(right);
}

Test(compat_cmark, outside_it_lies_on_the_heap)
{
    char *right = expected(text), *html = render(text, ebb_cmark_mem());
    cr_assert_null(ebb_arena_of(html));
    cr_assert_str_eq(html, right);
    ebb_arena *a = ebb_scope_begin(NULL);
    {
        EBB_ENTER(a);
        ebb_cmark_mem()->free(html); /* whatever is current */
    }
    ebb_scope_end(&a);
    free(right);
}

Test(compat_cmark, one_that_does_not_fit_is_the_scopes_failure_and_no_end_of_the_process)
{
    static ebb_profile tight = EBB_PROFILE("tight", .hard = 256 << 10);
    char *markdown = long_text(), *right = expected(markdown);
    ebb_arena *a = ebb_scope_begin(&tight);
    {
        EBB_ENTER(a);
        char *html = render(markdown, ebb_cmark_mem());
        cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
        cr_assert_null(ebb_arena_of(html)); /* the heap's */
        cr_assert_str_eq(html, right);      /* and whole */
        ebb_cmark_mem()->free(html);
    }
    cr_assert_null(ebb_arena_validate(a));
    ebb_scope_end(&a);
    free(right);
    free(markdown);
}

static int render_in_try(ebb_arena *a, void *arg)
{
    EBB_ENTER(a);
    ebb_cmark_mem()->free(render(arg, ebb_cmark_mem()));
    return 7;
}

Test(compat_cmark, nothing_jumps_out_of_it_at_a_limit)
{
    static ebb_profile tight = EBB_PROFILE("tight", .hard = 256 << 10);
    char *markdown = long_text();
    ebb_arena *a = ebb_scope_begin(&tight);
    cr_assert_eq(ebb_try(a, render_in_try, markdown), 7);
    cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
    ebb_scope_end(&a);
    free(markdown);
}

Test(compat_cmark, every_failure_leaves_a_whole_document)
{
    char *right = expected(text);
    unsigned runs = 0;
    EBB_EACH_FAILURE (f, .this_thread = true) {
        runs++;
        ebb_arena *a = ebb_scope_begin(NULL);
        {
            EBB_ENTER(a);
            char *html = render(text, ebb_cmark_mem());
            cr_assert_str_eq(html, right);
            ebb_cmark_mem()->free(html);
        }
        cr_assert_null(ebb_arena_validate(a));
        ebb_scope_end(&a);
    }
    cr_assert(runs > 20, "%u", runs);
    free(right);
}

/* From the n-th on all are refused: the document begins in the scope and ends on the heap. */
Test(compat_cmark, it_may_move_to_the_heap_anywhere)
{
    char *right = expected(text);
    bool refused = true;
    for (uint64_t n = 1; refused; n++) {
        ebb_arena *a = ebb_scope_begin(NULL);
        ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a},
                                       &(ebb_fault_params){.nth = n, .from_nth_on = true}, NULL);
        {
            EBB_ENTER(a);
            char *html = render(text, ebb_cmark_mem());
            cr_assert_str_eq(html, right);
            ebb_cmark_mem()->free(html);
        }
        refused = ebb_fault_hits(f) > 0;
        ebb_fault_end(&f);
        cr_assert_eq(ebb_failed(a), refused ? EBB_E_MEMORY : EBB_OK);
        cr_assert_null(ebb_arena_validate(a));
        ebb_scope_end(&a);
    }
    free(right);
}

static int ask_for_too_much(ebb_arena *a, void *arg)
{
    EBB_ENTER(a);
    char *p = ebb_cmark_mem()->calloc(1, 100);
    p[99] = 1;
    *(bool *)arg = true;
    p = ebb_cmark_mem()->realloc(p, SIZE_MAX / 4);
    *p = 1; /* never reached */
    return 7;
}

Test(compat_cmark, where_the_heap_has_none_either_it_is_a_raise)
{
    bool began = false;
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert_eq(ebb_try(a, ask_for_too_much, &began), EBB_E_MEMORY);
    cr_assert(began);
    cr_assert_eq(ebb_failed(a), EBB_E_MEMORY);
    cr_assert_null(ebb_scope_current());
    ebb_scope_end(&a);
}

Test(compat_cmark, blocks_keep_their_bytes_when_they_grow)
{
    cmark_mem *mem = ebb_cmark_mem();
    ebb_arena *a = ebb_scope_begin(NULL), *other = ebb_scope_begin(NULL);
    {
        EBB_ENTER(a);
        unsigned char *p = mem->calloc(3, 7);
        cr_assert_eq(bytes_check(p, 0, 21), 21u);
        memset(p, 5, 21);
        size_t size = 21;
        for (; size < 100000; size = size * 3 / 2) {
            p = mem->realloc(p, size * 3 / 2);
            cr_assert_eq((uintptr_t)p % 8, 0u);
            cr_assert_eq(bytes_check(p, 5, size), size);
            memset(p, 5, size * 3 / 2);
        }
        mem->free(mem->realloc(NULL, 0));
        mem->free(NULL);
        EBB_ENTER(other);
        mem->free(p); /* left to its scope */
        EBB_ENTER(a);
        cr_assert_neq(mem->calloc(1, size), p);
    }
    cr_assert_null(ebb_arena_validate(a));
    ebb_scope_end(&a);
    ebb_scope_end(&other);
}
