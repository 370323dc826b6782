/* examples/vmd/mem.c: see mem.h. */
#include "mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *mem_alloc(mem *m, size_t size)
{
    return m->scope ? ebb_alloc(m->scope, size) : malloc(size);
}

char *mem_printf(mem *m, const char *fmt, ...)
{
    va_list args;
    char *p = NULL;
    va_start(args, fmt);
    if (m->scope) p = ebb_vprintf(m->scope, fmt, args);
    else if (vasprintf(&p, fmt, args) < 0) p = NULL;
    va_end(args);
    return p;
}

void mem_free(mem *m, void *ptr)
{
    if (!m->scope) free(ptr);
}

static bool text_reserve(text *t, size_t more)
{
    enum { FIRST_ROOM = 256 };
    if (t->failed) return false;
    if (t->len + more <= t->room) return true;
    size_t room = t->room ? t->room * 2 : FIRST_ROOM;
    while (room < t->len + more) room *= 2;
    char *p =
        t->mem->scope ? ebb_resize(t->mem->scope, t->ptr, t->room, room) : realloc(t->ptr, room);
    if (!p) return !(t->failed = true);
    t->ptr = p;
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
    char small[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof small) t->failed = true; /* no line of ours is that long */
    else text_add(t, small, (size_t)n);
}

void text_free(text *t)
{
    mem_free(t->mem, t->ptr);
    t->ptr = NULL;
    t->len = t->room = 0;
}
