/*
 * examples/vmd/groups.c: which nodes the groups of a batch are on already.
 *
 *   ebb      a group's name is a symbol of the request's own table, over the one that all share, so
 *            that names that clients make up go with the request; its nodes are a small vector
 *   malloc   a list of groups, each with an array of nodes
 */
#include "vmd.h"

#include <stdlib.h>

#define EBB_SMALLVEC nodes, unsigned
#include <ebb/smallvec_of.h>

#define EBB_MAP group_map, ebb_sym, group *
#include <ebb/map_of.h>

struct group {
    nodes nodes; /* ebb */
    /* malloc, and the rest */
    group *next;
    unsigned *node;
    size_t count, room;
    char name[];
};

struct groups {
    mem *mem;
    ebb_symtab *names; /* ebb, and the next */
    group_map map;
    group *first; /* malloc */
};

groups *groups_begin(mem *m)
{
    groups *all = mem_alloc(m, sizeof *all);
    if (!all) return NULL;
    *all = (groups){.mem = m};
    if (!m->scope) return all;
    all->names = ebb_symtab_over(m->scope, names);
    all->map = group_map_in(m->scope);
    return all;
}

/* ---- ebb ------------------------------------------------------------------------------------- */

static group *get_by_symbol(groups *all, const char *name)
{
    ebb_sym sym = ebb_intern(all->names, ebb_str_from(name));
    group **at = sym ? group_map_get_or_put(&all->map, sym, NULL) : NULL;
    if (!at) return NULL;
    if (!*at) {
        *at = ebb_new(all->mem->scope, group);
        if (*at) (*at)->nodes = nodes_in(all->mem->scope);
    }
    return *at;
}

/* ---- malloc ---------------------------------------------------------------------------------- */

static group *get_by_name(groups *all, const char *name)
{
    group *g = all->first;
    while (g && strcmp(g->name, name) != 0) g = g->next;
    if (g) return g;
    size_t n = strlen(name) + 1;
    g = calloc(1, sizeof *g + n);
    if (!g) return NULL;
    memcpy(g->name, name, n);
    g->next = all->first;
    all->first = g;
    return g;
}

static bool add_to_array(group *g, unsigned node)
{
    if (g->count == g->room) {
        size_t room = g->room ? 2 * g->room : 8;
        unsigned *grown = realloc(g->node, room * sizeof *grown);
        if (!grown) return false;
        g->node = grown;
        g->room = room;
    }
    g->node[g->count++] = node;
    return true;
}

/* ---- either ---------------------------------------------------------------------------------- */

group *groups_get(groups *all, const char *name)
{
    return all->mem->scope ? get_by_symbol(all, name) : get_by_name(all, name);
}

bool group_is_on(group *g, unsigned node)
{
    const unsigned *on = g->nodes.arena ? nodes_ptr(&g->nodes) : g->node;
    size_t n = g->nodes.arena ? g->nodes.len : g->count;
    for (size_t i = 0; i < n; i++)
        if (on[i] == node) return true;
    return false;
}

bool group_add(group *g, unsigned node)
{
    return g->nodes.arena ? nodes_push(&g->nodes, node) != NULL : add_to_array(g, node);
}

void groups_end(groups *all)
{
    mem *m = all->mem;
    while (!m->scope && all->first) {
        group *g = all->first;
        all->first = g->next;
        free(g->node);
        free(g);
    }
    mem_free(m, all);
}
