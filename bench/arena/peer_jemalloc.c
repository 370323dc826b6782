/*
 * bench/arena/peer_jemalloc.c: jemalloc's malloc and free. Its thread-local storage is large for a library
 * that is loaded late; `bench/run` makes room by a tunable of the loader.
 */
#include "peer.h"

#include "loaded.h"
#include <stdio.h>

static void *(*peer_malloc)(size_t);
static void *(*peer_realloc)(void *, size_t);
static void (*peer_free)(void *);
static int (*control)(const char *, void *, size_t *, void *, size_t);

static const char *missing(void)
{
    void *library = dlopen("libjemalloc.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!library) return load_error();
    int found = load_symbol(library, "malloc", &peer_malloc) &&
                load_symbol(library, "realloc", &peer_realloc) &&
                load_symbol(library, "free", &peer_free) &&
                load_symbol(library, "mallctl", &control);
    return found ? NULL : load_error();
}

static const char *version(void)
{
    static char text[32];
    const char *full = "?";
    size_t size = sizeof full;
    control("version", (void *)&full, &size, NULL, 0);
    snprintf(text, sizeof text, "%.*s", (int)strcspn(full, "-"), full);
    return text;
}

#include "malloc_like.h"

PEER_TABLE(peer_jemalloc, "jemalloc malloc", missing, run_w8, PEER_SLOTS_ALL, version, 1);
