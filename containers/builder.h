/*
 * containers/builder.h: what the parts of the builder share. Nothing is public.
 */
#ifndef EBB_CONTAINERS_BUILDER_H
#define EBB_CONTAINERS_BUILDER_H

#include "ascii.h"

#include <ebb/builder.h>

/* Bytes that may be written; one is the NUL's. */
static inline size_t ebb__builder_left(const ebb_builder *b)
{
    return (size_t)(b->ebb__top - b->end);
}

/* Make room for `more` bytes and a NUL behind the first `used`, which are all that there are, or
   more; they are kept. */
bool ebb__builder_grow(ebb_builder *b, size_t used, size_t more);

/* Where `size` bytes may be written behind what there is; NULL: the builder has failed. */
static inline char *ebb__builder_room(ebb_builder *b, size_t size)
{
    bool there = size < ebb__builder_left(b) || ebb__builder_grow(b, ebb_builder_len(b), size);
    return there ? b->end : NULL;
}

#endif /* EBB_CONTAINERS_BUILDER_H */
