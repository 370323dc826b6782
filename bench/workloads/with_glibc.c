/*
 * bench/workloads/with_glibc.c: the C library's malloc. Nothing in this process replaces it.
 */
#include <gnu/libc-version.h>
#include <stdlib.h>

#define peer_malloc  malloc
#define peer_realloc realloc
#define peer_free    free

#include "malloc.h"
#include "plain.h"

const contestant with_glibc = {
    "malloc (glibc)", NULL, gnu_get_libc_version, {proposals, schedule, messages}};
