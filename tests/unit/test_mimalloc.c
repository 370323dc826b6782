/*
 * tests/unit/test_mimalloc.c: ebb/mimalloc.h: slabs from mimalloc, and nothing else from it. Linked with
 * libebb and libebb-mimalloc; test_malloc_is_libc.c is the same look from a program with libebb alone.
 */
#define _GNU_SOURCE
#include "test.h"

#include <ebb/ebb.h>
#include <ebb/mimalloc.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum { KIB = 1 << 10, MIB = 1 << 20 };

typedef bool in_region_fn(const void *);

/* mimalloc's own word for it; NULL if the library is not open. */
static in_region_fn *mimalloc_knows(void)
{
    void *lib = dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_NOLOAD);
    in_region_fn *fn = NULL;
    if (lib) *(void **)(&fn) = dlsym(lib, "mi_is_in_heap_region");
    return fn;
}

static const ebb_source *source_or_skip(void)
{
    const ebb_source *source = ebb_mimalloc_source();
    if (!source) cr_skip_test("libmimalloc.so.2 is not installed");
    return source;
}

Test(mimalloc, slabs_come_from_it)
{
    if (TESTS_ASAN || TESTS_TSAN)
        cr_skip_test("a sanitizer keeps mimalloc from knowing its own regions");
    const ebb_source *source = source_or_skip();
    cr_assert_eq(ebb_mimalloc_source(), source, "static");
    cr_assert_eq(ebb_source_set(source), EBB_OK);
    in_region_fn *knows = mimalloc_knows();
    cr_assert_not_null(knows);
    ebb_arena *a = ebb_scope_begin(NULL);
    char *small = ebb_alloc(a, 100), *body = ebb_alloc(a, 3000), *large = ebb_alloc(a, 3 * MIB);
    /* It keeps no books of what lies above 20 TiB, where a sanitizer's shadow drives it. */
    if (!TESTS_ASAN && !TESTS_TSAN) cr_assert(knows(small) && knows(body) && knows(large));
    pattern_fill(small, 100, 1);
    pattern_fill(large, 3 * MIB, 2);
    cr_assert_eq(pattern_check(small, 100, 1), 100u);
    cr_assert_eq(pattern_check(large, 3 * MIB, 2), (size_t)3 * MIB);
    ebb_scope_end(&a);
    ebb_trim();
    for (int i = 0; i < 20; i++) {
        a = ebb_scope_begin(NULL);
        for (int k = 0; k < 100; k++) memset(ebb_alloc(a, 5 * KIB), 1, 5 * KIB);
        ebb_scope_end(&a);
    }
    ebb_trim();
}

static void work(void *unused)
{
    (void)unused;
    ebb_arena *a = ebb_scope_begin(NULL);
    for (int k = 0; k < 300; k++) memset(ebb_alloc(a, 3 * KIB), 1, 3 * KIB);
    ebb_scope_end(&a);
}

Test(mimalloc, threads_may_share_it)
{
    cr_assert_eq(ebb_source_set(source_or_skip()), EBB_OK);
    for (int i = 0; i < 20; i++) on_thread(work, NULL);
    work(NULL);
}

Test(mimalloc, the_programs_malloc_stays_what_it_was)
{
    const ebb_source *source = source_or_skip();
    cr_assert_eq(ebb_source_set(source), EBB_OK);
    work(NULL);
    Dl_info who = {0};
    void *address = dlsym(RTLD_DEFAULT, "malloc");
    cr_assert(address && dladdr(address, &who));
    cr_assert_null(strstr(who.dli_fname, "mimalloc"), "%s", who.dli_fname);
    if (!TESTS_ASAN && !TESTS_TSAN)
        cr_assert_not_null(strstr(who.dli_fname, "libc.so"), "%s", who.dli_fname);
    in_region_fn *knows = mimalloc_knows();
    cr_assert_not_null(knows);
    void *p = malloc(100), *q = calloc(1000, 1000), *r = strdup("text");
    cr_assert(!knows(p) && !knows(q) && !knows(r));
    free(p);
    free(q);
    free(r);
}
