/*
 * track/system.c: where libebb-malloc meets libebb: whether it is in this process, and whom it
 * tells.
 *
 * The core is never linked with it. Its one function is a weak reference here: the loader fills it
 * in where the program brings libebb-malloc along, and leaves NULL where it does not.
 */
#include "seam.h"

#pragma weak ebb__malloc_watch

bool ebb__system_watch(void)
{
    return ebb__malloc_watch && ebb__malloc_watch(ebb__system_event);
}

void ebb__system_unwatch(void)
{
    if (ebb__malloc_watch) ebb__malloc_watch(NULL);
}
