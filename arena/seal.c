/*
 * arena/seal.c: an arena in which nothing is allocated any more: what shared objects lie in.
 *
 * To the ground floor a sealed arena is one that has failed for good: its window is closed, and
 * nothing opens it again. So no path has to ask whether an arena is sealed.
 */
#include "internal.h"

/* What stands in the way; NULL: nothing. */
const char *ebb__why_not_sealed(const ebb_arena *a)
{
    if (a->bits & SCOPE) return "it is a scope; build in what ebb_shared_begin returns";
    if (a->bits & IN_TRY) return "it is running an ebb_try";
    if (!a->ext) return NULL;
    if (a->ext->first_child) return "it has children";
    return a->parent ? "it has a parent" : NULL;
}

/* False: it has no memory for its ext. */
bool ebb__seal(ebb_arena *a)
{
    ext *e = ebb__ext_get(a);
    if (!e) return false;
    a->bits |= STICKY;
    ebb__set_failed(a, EBB_E_UNSUPPORTED);
    e->hopeless = true;
    return true;
}
