/*
 * tests/malloc/next.c: a library that stands behind libebb-malloc, and makes it difficult: its
 * dlsym calls the family before it answers, and the calloc that it answers calls malloc by its
 * name.
 */
#define _GNU_SOURCE
#include "next.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { TOO_MUCH = 100000 };

char *next_kept[2];
bool next_wrong;

static void get_some(void)
{
    size_t half = SIZE_MAX / 2;
    __asm__ volatile("" : "+r"(half));
    char *p = malloc(10), *q = calloc(4, 5), *r = malloc(TOO_MUCH);
    for (int i = 0; i < 20; i++) next_wrong |= !q || q[i];
    next_wrong |= !p || r || calloc(half, 3);
    memcpy(p, "012345678", 10);
    next_kept[0] = realloc(p, 50);
    next_wrong |= !next_kept[0] || memcmp(next_kept[0], "012345678", 10) != 0;
    next_kept[1] = realloc(NULL, 20);
    free(q);
}

static void *by_malloc(size_t count, size_t size)
{
    void *p = malloc(count * size);
    return p ? memset(p, 0, count * size) : NULL;
}

static void *(*libcs_dlsym(void))(void *, const char *)
{
    static const char *const versions[] = {"GLIBC_2.34", "GLIBC_2.17", "GLIBC_2.2.5"};
    void *found = NULL, *(*fn)(void *, const char *);
    for (int i = 0; !found && i < 3; i++) found = dlvsym(RTLD_NEXT, "dlsym", versions[i]);
    if (!found) abort();
    memcpy(&fn, &found, sizeof fn);
    return fn;
}

void *dlsym(void *handle, const char *name)
{
    static bool begun;
    static void *(*real)(void *, const char *);
    void *(*replaced)(size_t, size_t) = by_malloc, *answer;
    if (!real) real = libcs_dlsym();
    if (!begun) {
        begun = true;
        get_some();
    }
    if (strcmp(name, "calloc") != 0) return real(handle, name);
    memcpy(&answer, &replaced, sizeof answer);
    return answer;
}
