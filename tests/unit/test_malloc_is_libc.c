/*
 * tests/unit/test_malloc_is_libc.c: a program linked with libebb alone keeps its own malloc.
 */
#define _GNU_SOURCE
#include "test.h"

#include <ebb/ebb.h>

#include <dlfcn.h>
#include <link.h>
#include <string.h>

static const char *const names[] = {"malloc",  "free",          "calloc",
                                    "realloc", "aligned_alloc", "posix_memalign"};

/* Under a sanitizer it is the sanitizer's. */
Test(malloc_is_libc, the_allocator_is_the_c_librarys)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_alloc(a, 100);
    ebb_scope_end(&a);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Dl_info who = {0};
        void *address = dlsym(RTLD_DEFAULT, names[i]);
        cr_assert(address && dladdr(address, &who), "%s", names[i]);
        cr_assert_null(strstr(who.dli_fname, "libebb"), "%s", who.dli_fname);
        cr_assert_null(strstr(who.dli_fname, "mimalloc"), "%s", who.dli_fname);
        if (TESTS_ASAN || TESTS_TSAN) continue;
        cr_assert_not_null(strstr(who.dli_fname, "libc.so"), "%s is %s's", names[i], who.dli_fname);
    }
}

static int look(struct dl_phdr_info *info, size_t size, void *found)
{
    (void)size;
    if (info->dlpi_name && strstr(info->dlpi_name, "mimalloc")) *(bool *)found = true;
    return 0;
}

Test(malloc_is_libc, mimalloc_is_not_even_loaded)
{
    bool found = false;
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_scope_end(&a);
    dl_iterate_phdr(look, &found);
    cr_assert(!found);
}
