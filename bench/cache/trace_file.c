/*
 * bench/cache/trace_file.c: a trace from a file, plain text: one request a line, its key, or
 * `key,size` where sizes in bytes are known. Keys are any text; the last comma parts them from the
 * size. Empty lines, and those that begin with '#', are passed over. Of a key's sizes the first
 * counts.
 */
#include "../harness/harness.h"
#include "sim.h"

#include <ebb/ebb.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EBB_MAP numbers, ebb_str, uint32_t, str
#include <ebb/map_of.h>

enum { LINE = 1 << 16 };

typedef struct reader {
    ebb_arena *a;
    numbers number; /* of each key, from 1 */
    const char *path;
    trace *t;
    size_t requests_max, keys_max, line;
    bool sized;
} reader;

__attribute__((noreturn)) static void refuse(const reader *r, const char *why)
{
    fprintf(stderr, "bench-cache-ratios: %s:%zu: %s\n", r->path, r->line, why);
    exit(2);
}

static uint32_t *grown(uint32_t *from, size_t count, size_t *max)
{
    if (count < *max) return from;
    *max = *max ? 2 * *max : 1024;
    uint32_t *to = realloc(from, *max * sizeof *to);
    if (!to) fprintf(stderr, "bench-cache-ratios: out of memory\n"), exit(1);
    return to;
}

/* Cut `key,size`; the first line says whether there are sizes. */
static uint32_t cut_size(reader *r, ebb_str *key)
{
    size_t at = key->len;
    while (at && key->ptr[at - 1] != ',') at--;
    char *end = NULL;
    unsigned long size = at ? strtoul(key->ptr + at, &end, 10) : 0;
    bool sized = at && end != key->ptr + at && end == key->ptr + key->len;
    if (r->t->count == 0) r->sized = sized;
    if (!r->sized) return 1;
    if (!sized || size == 0 || size > UINT32_MAX) refuse(r, "no size of 1 to 4294967295 bytes");
    key->len = at - 1;
    return (uint32_t)size;
}

static uint32_t number_of(reader *r, ebb_str key, uint32_t size)
{
    trace *t = r->t;
    uint32_t *known = numbers_find(&r->number, key);
    if (known) return *known;
    t->size = grown(t->size, t->keys, &r->keys_max);
    t->size[t->keys] = size;
    if (!numbers_put(&r->number, ebb_str_dup(r->a, key), (uint32_t)t->keys))
        refuse(r, "out of memory");
    return (uint32_t)t->keys++;
}

static void take_line(reader *r, char *line)
{
    trace *t = r->t;
    size_t len = strcspn(line, "\r\n");
    if (line[len] == '\0' && len + 1 >= LINE) refuse(r, "the line is too long");
    line[len] = '\0';
    ebb_str key = {line, len};
    if (!len || *line == '#') return;
    uint32_t size = cut_size(r, &key);
    uint32_t number = number_of(r, key, size);
    t->key = grown(t->key, t->count, &r->requests_max);
    t->key[t->count++] = number;
    if (t->count == UINT32_MAX) refuse(r, "more than 4294967294 requests");
}

void trace_read(trace *t, const char *path)
{
    static char line[LINE];
    const char *name = strrchr(path, '/');
    *t = (trace){.key = NULL};
    snprintf(t->name, sizeof t->name, "%s", name ? name + 1 : path);
    reader r = {.a = ebb_arena_create(NULL), .path = path, .t = t};
    r.number = numbers_in(r.a);
    FILE *f = fopen(path, "r");
    if (!f) refuse(&r, "can't be opened");
    while (fgets(line, sizeof line, f)) r.line++, take_line(&r, line);
    if (ferror(f)) refuse(&r, "can't be read");
    fclose(f);
    if (!t->count) refuse(&r, "there is no request in it");
    if (!r.sized) free(t->size), t->size = NULL;
    t->space = t->keys;
    ebb_arena_destroy(&r.a);
}
