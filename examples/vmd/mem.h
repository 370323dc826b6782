/*
 * examples/vmd/mem.h: where a request's memory comes from, so that one handler source serves both
 * modes.
 *
 *   ebb      all of it comes from the request's scope, and goes with it
 *   malloc   all of it is malloc's, and is given back by hand
 *
 * A handler says what it is done with, as good malloc code does: mem_free, mem_decref, mem_drop.
 * In ebb mode these do nothing, and a program that only ever runs on Ebb would not have them.
 * Allocation returns NULL on failure; in ebb mode it does not come to that, since handlers run
 * inside ebb_try.
 */
#ifndef VMD_MEM_H
#define VMD_MEM_H

#include <ebb/ebb.h>
#include <jansson.h>

typedef struct mem {
    ebb_arena *scope; /* NULL: malloc */
} mem;

void *mem_alloc(mem *m, size_t size);
void mem_free(mem *m, void *ptr);
void mem_decref(mem *m, json_t *value);

/*
 * For what is not memory but must be given back with the request, such as a counted reference:
 * hold(release, what) where it is taken, drop(release, what) where it is no longer needed. Ebb
 * releases it when the scope ends, malloc at the drop. False: out of memory, and it has been
 * released.
 */
bool mem_hold(mem *m, void (*release)(void *), void *what);
void mem_drop(mem *m, void (*release)(void *), void *what);

/* A text that grows: in ebb mode a builder of the scope, in malloc mode a block. Nothing is allocated
   before it is needed; that something could not be added is remembered, so it is enough to look once,
   at the end. */
typedef struct text {
    mem *mem;
    ebb_builder builder; /* ebb */
    char *ptr;           /* malloc, and the rest */
    size_t len, room;
    bool failed;
} text;

void text_begin(text *t, mem *m);
bool text_reserve(text *t, size_t more);
void text_add(text *t, const char *bytes, size_t len);
void text_put(text *t, const char *string);
void text_printf(text *t, const char *fmt, ...) EBB_PRINTF(2, 3);
void text_int(text *t, long long value);
/* @string as JSON, in quotes. */
void text_json(text *t, const char *string);
bool text_failed(const text *t);
ebb_str text_view(const text *t);
/* Bytes it has room for, beyond those in it, without asking for more. */
size_t text_room(const text *t);
void text_free(text *t);

#endif
