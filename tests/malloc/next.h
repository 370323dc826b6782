/*
 * tests/malloc/next.h: see next.c.
 */
#ifndef EBB_TESTS_MALLOC_NEXT_H
#define EBB_TESTS_MALLOC_NEXT_H

#include <stdbool.h>

/* What dlsym got while it looked for the next definitions, and has not freed. */
extern char *next_kept[2];
/* It did not get what it should have. */
extern bool next_wrong;

#endif /* EBB_TESTS_MALLOC_NEXT_H */
