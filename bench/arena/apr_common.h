/*
 * bench/arena/apr_common.h: starting APR, and its version. For the two files that measure it.
 */
#ifndef BENCH_ARENA_APR_COMMON_H
#define BENCH_ARENA_APR_COMMON_H

#include <apr_allocator.h>
#include <apr_general.h>
#include <apr_pools.h>
#include <apr_version.h>
#include <stdio.h>

static inline const char *apr_missing(void)
{
    return apr_initialize() == APR_SUCCESS ? NULL : "apr_initialize failed";
}

static inline const char *apr_version_text(void)
{
    static char text[32];
    apr_version_t v;
    apr_version(&v);
    snprintf(text, sizeof text, "%d.%d.%d", v.major, v.minor, v.patch);
    return text;
}

#endif /* BENCH_ARENA_APR_COMMON_H */
