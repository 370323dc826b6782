/*
 * arena/storage.c: bins for what containers outgrow.
 */
#include "internal.h"

#include <ebb/storage.h>

bool ebb_storage_grow(ebb_arena *a, ebb_storage *s, size_t used, size_t size)
{
    (void)used;
    if (size <= s->size) return true;
    void *p = ebb_resize(a, s->ptr, s->size, size);
    if (!p) return false;
    s->ptr = p;
    s->size = size;
    return true;
}

void ebb_storage_release(ebb_arena *a, ebb_storage *s)
{
    if (s->ptr) ebb__give_back(a, s->ptr, s->size);
    *s = (ebb_storage){NULL, 0};
}
