/*
 * examples/vmd/mem.h: where a request's memory comes from, so that one handler source serves both modes.
 *
 *   ebb      everything comes from the request's scope; mem_free does nothing, the scope's end does it
 *   malloc   everything is malloc's, and is freed by hand
 *
 * A handler calls mem_free on whatever it is done with, as good malloc code does. Failure is NULL; in ebb
 * mode it does not come to that, since handlers run inside ebb_try.
 */
#ifndef VMD_MEM_H
#define VMD_MEM_H

#include <ebb/ebb.h>
#include <stddef.h>

typedef struct mem {
    ebb_arena *scope; /* NULL: malloc */
} mem;

void *mem_alloc(mem *m, size_t size);
char *mem_printf(mem *m, const char *fmt, ...) EBB_PRINTF(2, 3);
void mem_free(mem *m, void *ptr);

/* A text that grows. Nothing is allocated until the first byte; failed remembers what could not be added. */
typedef struct text {
    mem *mem;
    char *ptr;
    size_t len, room;
    bool failed;
} text;

void text_add(text *t, const char *bytes, size_t len);
void text_printf(text *t, const char *fmt, ...) EBB_PRINTF(2, 3);
void text_free(text *t);

#endif
