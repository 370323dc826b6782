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

void text_begin(text *t, mem *m)
{
    *t = (text){.mem = m};
    if (m->scope) t->builder = ebb_builder_in(m->scope);
}

static bool block_reserve(text *t, size_t more)
{
    enum { LEAST_ROOM = 512 };
    if (t->failed) return false;
    if (more <= t->room - t->len) return true;
    size_t room = t->len + (more > t->room ? more : t->room);
    if (room < LEAST_ROOM) room = LEAST_ROOM;
    char *ptr = realloc(t->ptr, room);
    t->failed = !ptr;
    if (!ptr) return false;
    t->ptr = ptr;
    t->room = room;
    return true;
}

bool text_reserve(text *t, size_t more)
{
    return t->mem->scope ? ebb_builder_reserve(&t->builder, more) : block_reserve(t, more);
}

void text_add(text *t, const char *bytes, size_t len)
{
    if (t->mem->scope) {
        ebb_builder_bytes(&t->builder, bytes, len);
    } else if (block_reserve(t, len)) {
        memcpy(t->ptr + t->len, bytes, len);
        t->len += len;
    }
}

void text_put(text *t, const char *string)
{
    text_add(t, string, strlen(string));
}

void text_printf(text *t, const char *fmt, ...)
{
    char line[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (n < 0) t->failed = true;
    else text_add(t, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

void text_int(text *t, long long value)
{
    char digits[24], *p = digits + sizeof digits;
    unsigned long long left = value < 0 ? -(unsigned long long)value : (unsigned long long)value;
    if (t->mem->scope) {
        ebb_builder_i64(&t->builder, value);
        return;
    }
    do *--p = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0) *--p = '-';
    text_add(t, p, (size_t)(digits + sizeof digits - p));
}

static void escape(text *t, unsigned char c)
{
    static const char with_letter[] = "\b\t\n\f\r\"\\", letter[] = "btnfr\"\\";
    const char *found = strchr(with_letter, c);
    if (found) text_printf(t, "\\%c", letter[found - with_letter]);
    else text_printf(t, "\\u%04x", c);
}

void text_json(text *t, const char *string)
{
    if (t->mem->scope) {
        ebb_builder_json(&t->builder, ebb_str_from(string));
        return;
    }
    text_put(t, "\"");
    for (const char *plain = string;; string++) {
        unsigned char c = (unsigned char)*string;
        if (c >= ' ' && c != '"' && c != '\\') continue;
        text_add(t, plain, (size_t)(string - plain));
        if (!c) break;
        escape(t, c);
        plain = string + 1;
    }
    text_put(t, "\"");
}

bool text_failed(const text *t)
{
    return t->failed || (t->mem->scope && ebb_builder_failed(&t->builder) != EBB_OK);
}

ebb_str text_view(const text *t)
{
    return t->mem->scope ? ebb_builder_view(&t->builder) : (ebb_str){t->ptr, t->len};
}

size_t text_room(const text *t)
{
    return t->room - t->len;
}

void text_free(text *t)
{
    if (!t->mem->scope) free(t->ptr);
    text_begin(t, t->mem);
}
