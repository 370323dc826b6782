/*
 * track/stack.h: the stacks of calls, and where they are kept: each once, for the process's life.
 */
#ifndef EBB_TRACK_STACK_H
#define EBB_TRACK_STACK_H

#include "seam.h"

enum { EBB__STACK_MOST = 64 };

typedef struct ebb__stack {
    uint64_t hash;
    uint32_t depth;
    const void *address[]; /* behind each call; the innermost first */
} ebb__stack;

/* Fill @ret_ with @site and what it was called from, as far as frame pointers lead, and the
   thread's own stack goes. Return how many: at least 1. @site is a return address of a caller's. */
unsigned ebb__stack_capture(const void *site, const void **ret_, unsigned most);

/* The one there is with these addresses. NULL: no memory, or not now. */
const ebb__stack *ebb__stack_intern(const void *const *address, unsigned depth);

#endif /* EBB_TRACK_STACK_H */
