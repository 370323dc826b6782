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
    const char *why = mimalloc_load();
    if (why) return why;
    bool found = load_symbol(mimalloc, "mi_malloc", &peer_malloc) &&
                 load_symbol(mimalloc, "mi_realloc", &peer_realloc) &&
                 load_symbol(mimalloc, "mi_free", &peer_free);
    return found ? NULL : load_error();
}

const contestant with_mimalloc = {
    "malloc (mimalloc)", missing, mimalloc_version, {proposals, schedule, messages}};
