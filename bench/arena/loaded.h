/*
 * bench/arena/loaded.h: peers that are loaded rather than linked, because Debian's builds of them export
 * malloc and free: linked, they would replace everybody's. Their functions are called through pointers
 * in static storage, which costs what a call into any shared library costs.
 */
#ifndef BENCH_ARENA_LOADED_H
#define BENCH_ARENA_LOADED_H

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

/* Find @symbol in @library and store it to the function pointer at @ret_; false if it isn't there. */
static inline int load_symbol(void *library, const char *symbol, void *ret_)
{
    void *found = dlsym(library, symbol);
    if (!found) return 0;
    memcpy(ret_, &found, sizeof found); /* ISO C has no cast from a data to a function pointer */
    return 1;
}

static inline const char *load_error(void)
{
    const char *why = dlerror();
    return why ? why : "a symbol is missing";
}

#endif /* BENCH_ARENA_LOADED_H */
