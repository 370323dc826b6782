/*
 * bench/workloads/with_mimalloc.c: mimalloc's malloc, loaded, since linked it would be everybody's.
 */
#include "../arena/mimalloc_common.h"

static void *(*peer_malloc)(size_t);
static void *(*peer_realloc)(void *, size_t);
static void (*peer_free)(void *);

#include "malloc.h"
#include "plain.h"

static const char *missing(void)
{
    return mimalloc_load_malloc(&peer_malloc, &peer_realloc, &peer_free);
}

const contestant with_mimalloc = {
    "malloc (mimalloc)", missing, mimalloc_version, {proposals, schedule, messages}};
