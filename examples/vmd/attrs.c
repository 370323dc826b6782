/*
 * examples/vmd/attrs.c: a machine's metadata while it is being changed.
 *
 *   ebb      a map of the scope: up to 32 entries it is in order of insertion
 *   malloc   an array of pairs, looked through
 */
#include "vmd.h"

#include <stdlib.h>

#define EBB_MAP pair_map, ebb_str, const char *, str
#include <ebb/map_of.h>

struct attrs {
    mem *mem;
    pair_map map; /* ebb */
    size_t count; /* malloc, and the next */
    pair pair[2 * METADATA_MOST];
};

/* ---- malloc ---------------------------------------------------------------------------------- */

static size_t place_of(const attrs *a, const char *key)
{
    size_t i = 0;
    while (i < a->count && strcmp(a->pair[i].key, key) != 0) i++;
    return i;
}

static bool put_in_array(attrs *a, const char *key, const char *value)
{
    size_t i = place_of(a, key);
    if (i == sizeof a->pair / sizeof *a->pair) return false;
    a->pair[i] = (pair){key, value};
    a->count += i == a->count;
    return true;
}

static void remove_from_array(attrs *a, const char *key)
{
    size_t i = place_of(a, key);
    if (i == a->count) return;
    a->count--;
    memmove(&a->pair[i], &a->pair[i + 1], (a->count - i) * sizeof *a->pair);
}

/* ---- either ---------------------------------------------------------------------------------- */

attrs *attrs_begin(mem *m, const vm *from)
{
    attrs *a = mem_alloc(m, sizeof *a);
    if (!a) return NULL;
    a->mem = m;
    a->count = 0;
    if (m->scope) a->map = pair_map_in(m->scope);
    for (size_t i = 0; i < from->pairs; i++)
        if (!attrs_put(a, from->pair[i].key, from->pair[i].value)) return attrs_end(a), NULL;
    return a;
}

bool attrs_put(attrs *a, const char *key, const char *value)
{
    if (a->mem->scope) return pair_map_put(&a->map, ebb_str_from(key), value) != NULL;
    return put_in_array(a, key, value);
}

void attrs_remove(attrs *a, const char *key)
{
    if (a->mem->scope) pair_map_remove(&a->map, ebb_str_from(key));
    else remove_from_array(a, key);
}

size_t attrs_count(const attrs *a)
{
    return a->mem->scope ? a->map.len : a->count;
}

void attrs_copy(attrs *a, pair *to)
{
    if (!a->mem->scope) {
        memcpy(to, a->pair, a->count * sizeof *to);
        return;
    }
    for (pair_map_iter i = pair_map_each(&a->map); pair_map_next(&i);)
        *to++ = (pair){i.key.ptr, *i.val};
}

void attrs_end(attrs *a)
{
    mem_free(a->mem, a);
}
