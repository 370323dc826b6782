/*
 * ebb/compat/jansson.h: jansson (2.4 or later) allocating from the thread's current scope.
 *
 *     ebb_jansson_install();                      // once, before any other jansson call
 *     ...
 *     EBB_ENTER(a);                               // in a handler
 *     json_t *doc = json_loadb(body, len, 0, &e); // from a; json_decref is allowed, not needed
 *
 * A value made inside one scope must not be stored in a value that outlives it; nor may a value
 * made outside be changed inside, since what it grows by would die with the scope. Strings that
 * jansson returns (json_dumps) lie in the scope too: leave them to its end, or give them to
 * ebb_hook_free, never to free. jansson reports an allocation failure as whatever it was doing
 * ("syntax" even): ask ebb_failed(a) first.
 */
#ifndef EBB_COMPAT_JANSSON_H
#define EBB_COMPAT_JANSSON_H

#include <jansson.h>

#include "malloc.h"

/** Point jansson's allocator hooks at the malloc-shaped ones. Threads: before others use
    jansson. */
static inline void ebb_jansson_install(void)
{
    json_set_alloc_funcs(ebb_hook_malloc, ebb_hook_free);
}

#endif /* EBB_COMPAT_JANSSON_H */
