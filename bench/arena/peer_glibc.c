/*
 * bench/arena/peer_glibc.c: the C library's own malloc and free. Nothing in this process replaces them.
 */
#include "peer.h"

#include <gnu/libc-version.h>

#define peer_malloc  malloc
#define peer_realloc realloc
#define peer_free    free

#include "malloc_like.h"

PEER_TABLE(peer_glibc, "glibc malloc", NULL, run_w8, PEER_SLOTS_ALL, gnu_get_libc_version, 0);
