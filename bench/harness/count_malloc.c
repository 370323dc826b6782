/*
 * bench/harness/count_malloc.c: counts every call of malloc and its kin in the process, those of
 * shared libraries included, by standing in front of glibc's. Linked into the counting build alone;
 * no figure in time comes from there.
 */
#include "harness.h"

#include <errno.h>
#include <stdlib.h>

uint64_t bench_malloc_calls;

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void *memalign(size_t align, size_t size);

static void count(void)
{
    __atomic_fetch_add(&bench_malloc_calls, 1, __ATOMIC_RELAXED);
}

void *malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    count();
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    count();
    return __libc_realloc(p, size);
}

void *memalign(size_t align, size_t size)
{
    count();
    return __libc_memalign(align, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    return memalign(align, size);
}

int posix_memalign(void **ret_, size_t align, size_t size)
{
    void *p = memalign(align, size);
    if (!p) return ENOMEM;
    *ret_ = p;
    return 0;
}
