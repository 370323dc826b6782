/*
 * bench/arena/mimalloc_common.h: loading mimalloc. For the two files that measure it; each has pointers of
 * its own.
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

static inline const char *mimalloc_version(void)
{
    static char text[32];
    int (*number)(void) = NULL;
    if (!load_symbol(mimalloc, "mi_version", &number)) return "?";
    snprintf(text, sizeof text, "%d.%d.%d", number() / 100, number() / 10 % 10, number() % 10);
    return text;
}

#endif /* BENCH_ARENA_MIMALLOC_COMMON_H */
