/*
 * examples/vmd/attrs.c: a machine's metadata while it is being changed.
 *
 *   ebb      a map with an arena of its own, from a pool: up to 32 entries it is in order of
 *            insertion; going home empties it
 *   malloc   an array of pairs, looked through
 */
#include "vmd.h"

#include <stdlib.h>

#define EBB_MAP pair_map, ebb_str, const char *, str
#include <ebb/map_of.h>

struct attrs {
    bool is_map;
    ebb_arena *arena; /* ebb, and the next */
    pair_map map;
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

/* ---- ebb ------------------------------------------------------------------------------------- */

/* Whoever borrows it next attaches the arena to its own thread. */
static bool park(attrs *a)
{
    a->arena = ebb_scope_detach(&a->arena);
    return true;
}

static bool create(void *ctx, void *object)
{
    const ebb_arena_params params = {.name = "metadata"};
    attrs *a = object;
    (void)ctx;
    a->is_map = true;
    a->arena = ebb_arena_create(&params);
    a->map = pair_map_in(a->arena);
    if (ebb_failed(a->arena) == EBB_OK) return park(a);
    ebb_arena_destroy(&a->arena);
    return false;
}

static bool reset(void *ctx, void *object)
{
    attrs *a = object;
    (void)ctx;
    ebb_arena_reset(a->arena);
    a->map = pair_map_in(a->arena);
    return park(a);
}

static void destroy(void *ctx, void *object)
{
    attrs *a = object;
    (void)ctx;
    ebb_scope_attach(a->arena);
    ebb_arena_destroy(&a->arena);
}

ebb_pool_params attrs_pool(void)
{
    return (ebb_pool_params){
        .size = sizeof(attrs), .create = create, .reset = reset, .destroy = destroy};
}

/* ---- either ---------------------------------------------------------------------------------- */

attrs *attrs_begin(request *req, const vm *from, int *ret_status)
{
    attrs *a = borrow(req, POOL_METADATA, sizeof *a, ret_status);
    if (!a) return NULL;
    *ret_status = 507;
    if (a->is_map) ebb_scope_attach(a->arena);
    for (size_t i = 0; i < from->pairs; i++)
        if (!attrs_put(a, from->pair[i].key, from->pair[i].value)) return attrs_end(a), NULL;
    return a;
}

bool attrs_put(attrs *a, const char *key, const char *value)
{
    if (a->is_map) return pair_map_put(&a->map, ebb_str_from(key), value) != NULL;
    return put_in_array(a, key, value);
}

void attrs_remove(attrs *a, const char *key)
{
    if (a->is_map) pair_map_remove(&a->map, ebb_str_from(key));
    else remove_from_array(a, key);
}

size_t attrs_count(const attrs *a)
{
    return a->is_map ? a->map.len : a->count;
}

void attrs_copy(attrs *a, pair *to)
{
    if (!a->is_map) {
        memcpy(to, a->pair, a->count * sizeof *to);
        return;
    }
    for (pair_map_iter i = pair_map_each(&a->map); pair_map_next(&i);)
        *to++ = (pair){i.key.ptr, *i.val};
}

void attrs_end(attrs *a)
{
    give_home(POOL_METADATA, a);
}
