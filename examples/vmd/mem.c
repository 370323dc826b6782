/* examples/vmd/mem.c: see mem.h. */
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>

void *mem_alloc(mem *m, size_t size)
{
    return m->scope ? ebb_alloc(m->scope, size) : malloc(size);
}

void mem_free(mem *m, void *ptr)
{
    if (!m->scope) free(ptr);
}

void mem_decref(mem *m, json_t *value)
{
    if (!m->scope) json_decref(value);
}

bool mem_hold(mem *m, void (*release)(void *), void *what)
{
    return !m->scope || ebb_defer(m->scope, release, what);
}

void mem_drop(mem *m, void (*release)(void *), void *what)
{
    if (!m->scope) release(what);
}

/* ---- text ------------------------------------------------------------------------------------ */

static char *resize(text *t, size_t room)
{
    ebb_arena *scope = t->mem->scope;
    return scope ? ebb_resize(scope, t->ptr, t->room, room) : realloc(t->ptr, room);
}

bool text_reserve(text *t, size_t more)
{
    enum { LEAST_ROOM = 512 };
    if (t->failed) return false;
    if (more <= t->room - t->len) return true;
    size_t room = t->len + (more > t->room ? more : t->room);
    if (room < LEAST_ROOM) room = LEAST_ROOM;
    char *ptr = resize(t, room);
    t->failed = !ptr;
    if (!ptr) return false;
    t->ptr = ptr;
    t->room = room;
    return true;
}

void text_add(text *t, const char *bytes, size_t len)
{
    if (!text_reserve(t, len)) return;
    memcpy(t->ptr + t->len, bytes, len);
    t->len += len;
}

void text_printf(text *t, const char *fmt, ...)
{
    char line[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof line) t->failed = true; /* no line of ours is that long */
    else text_add(t, line, (size_t)n);
}

void text_free(text *t)
{
    mem_free(t->mem, t->ptr);
    *t = (text){.mem = t->mem};
}
