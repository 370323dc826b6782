/*
 * bench/arena/mimalloc_common.h: loading mimalloc. For the files that measure it; each has pointers of its own.
 */
#ifndef BENCH_ARENA_MIMALLOC_COMMON_H
#define BENCH_ARENA_MIMALLOC_COMMON_H

#include "loaded.h"
#include <stdio.h>

static void *mimalloc;

static inline const char *mimalloc_load(void)
{
    mimalloc = dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);
    return mimalloc ? NULL : load_error();
}

/* As mimalloc_load, and its malloc, realloc and free to the function pointers at these addresses. */
static inline const char *mimalloc_load_malloc(void *ret_malloc, void *ret_realloc, void *ret_free)
{
    const char *why = mimalloc_load();
    if (why) return why;
    int found = load_symbol(mimalloc, "mi_malloc", ret_malloc) &&
                load_symbol(mimalloc, "mi_realloc", ret_realloc) &&
                load_symbol(mimalloc, "mi_free", ret_free);
    return found ? NULL : load_error();
}

static inline const char *mimalloc_version(void)
{
    static char text[32];
    int (*number)(void) = NULL;
    if (!load_symbol(mimalloc, "mi_version", &number)) return "?";
    snprintf(text, sizeof text, "%d.%d.%d", number() / 100, number() / 10 % 10, number() % 10);
    return text;
}

#endif /* BENCH_ARENA_MIMALLOC_COMMON_H */
