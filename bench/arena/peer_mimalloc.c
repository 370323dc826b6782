/*
 * bench/arena/peer_mimalloc.c: mimalloc's malloc and free.
 */
#include "peer.h"

#include "mimalloc_common.h"

static void *(*peer_malloc)(size_t);
static void *(*peer_realloc)(void *, size_t);
static void (*peer_free)(void *);

static const char *missing(void)
{
    return mimalloc_load_malloc(&peer_malloc, &peer_realloc, &peer_free);
}

#include "malloc_like.h"

PEER_TABLE(peer_mimalloc, "mimalloc malloc", missing, run_w8, PEER_SLOTS_ALL, mimalloc_version, 1);
