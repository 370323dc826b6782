/*
 * track/frames.h: the frames of all code addresses that a report names, each address looked up once
 * for a document, since a look-up takes long. They have numbers, by which formats refer to them.
 */
#ifndef EBB_TRACK_FRAMES_H
#define EBB_TRACK_FRAMES_H

#include "tracker.h"

/* One address: its frames are `count` from `first` on, innermost first; at least one, which without
   a name stands for the address. */
typedef struct ebb__place {
    const void *address; /* NULL: a free slot */
    uint32_t number;     /* in the order in which they were found, from 0 */
    uint32_t first, count;
} ebb__place;

/* A frame and the address it is of. */
typedef struct ebb__named {
    ebb__frame frame;
    const void *address;
} ebb__named;

typedef struct ebb__frames {
    ebb__place *slot; /* by hash of the address */
    ebb__named *frame;
    size_t slots, room; /* how many there is room for: powers of two */
    uint32_t places, count;
    bool failed; /* no memory: what was not found then is nowhere */
} ebb__frames;

/* Look up every address of every site of @r. The innermost of a stack is without the library's own
   inline functions that the call is inlined in. */
void ebb__frames_init(ebb__frames *f, const ebb_report *r);
void ebb__frames_free(ebb__frames *f);

/* The frames of an address that a site of @r has; NULL: there was no memory. */
const ebb__place *ebb__frames_find(const ebb__frames *f, const void *address);

/* The stack of a site, innermost first: a site without one is its address. */
const void *const *ebb__site_stack(const ebb_site *s, uint32_t *ret_depth);

#endif /* EBB_TRACK_FRAMES_H */
