/*
 * examples/vmd/schedule.c: place a batch of virtual machines on nodes: filter those that fit, score, sort,
 * choose the best, keep three alternatives, say why, and take what was placed off the node.
 *
 * The batch works on its own copy of the nodes' capacity, so a request changes nothing and two servers
 * agree on every answer.
 */
#include "vmd.h"

#include <stdlib.h>
#include <string.h>

enum { ALTERNATIVES = 3, ZONES = 4 };

typedef struct node {
    char *name;
    int zone, cpus, memory_mb;
} node;

typedef struct candidate {
    const node *node;
    double score;
} candidate;

typedef struct wanted {
    char *name, *zone;
    int cpus, memory_mb;
} wanted;

/* ---- nodes ------------------------------------------------------------------------------------- */

static node *nodes_copy(mem *m, unsigned count)
{
    node *nodes = mem_alloc(m, count * sizeof *nodes);
    for (unsigned i = 0; nodes && i < count; i++)
        nodes[i] = (node){.name = mem_printf(m, "node-%03u", i),
                          .zone = (int)(i % ZONES),
                          .cpus = 16 + (int)(i * 7 % 5) * 16,
                          .memory_mb = 32768 + (int)(i * 11 % 7) * 16384};
    return nodes;
}

static void nodes_free(mem *m, node *nodes, unsigned count)
{
    for (unsigned i = 0; i < count; i++) mem_free(m, nodes[i].name);
    mem_free(m, nodes);
}

/* ---- one machine ------------------------------------------------------------------------------- */

static bool fits(const node *n, const wanted *w)
{
    if (n->cpus < w->cpus || n->memory_mb < w->memory_mb) return false;
    return !w->zone[0] || atoi(w->zone) == n->zone;
}

static int best_first(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return strcmp(x->node->name, y->node->name);
}

static candidate *candidates(mem *m, const node *nodes, const wanted *w, size_t *ret_count)
{
    candidate *c = mem_alloc(m, opt.nodes * sizeof *c);
    size_t n = 0;
    for (unsigned i = 0; c && i < opt.nodes; i++) {
        if (!fits(&nodes[i], w)) continue;
        c[n].node = &nodes[i];
        c[n++].score = (double)nodes[i].cpus / w->cpus + (double)nodes[i].memory_mb / w->memory_mb;
    }
    if (c) qsort(c, n, sizeof *c, best_first);
    *ret_count = n;
    return c;
}

static json_t *alternatives(const candidate *c, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 1; i < count && i <= ALTERNATIVES; i++)
        json_array_append_new(list, json_string(c[i].node->name));
    return list;
}

static json_t *place(mem *m, node *nodes, const wanted *w)
{
    size_t count;
    candidate *c = candidates(m, nodes, w, &count);
    if (!c) return NULL;
    char *reason = count
                       ? mem_printf(m, "best of %zu that fit %d cpus and %d MB: score %.3f", count,
                                    w->cpus, w->memory_mb, c[0].score)
                       : mem_printf(m, "no node%s%s has %d cpus and %d MB left",
                                    w->zone[0] ? " in zone " : "", w->zone, w->cpus, w->memory_mb);
    json_t *placed =
        json_pack("{s:s, s:s*, s:o, s:s}", "vm", w->name, "node", count ? c[0].node->name : NULL,
                  "alternatives", alternatives(c, count), "reason", reason ? reason : "");
    if (count) {
        node *chosen = &nodes[c[0].node - nodes];
        chosen->cpus -= w->cpus;
        chosen->memory_mb -= w->memory_mb;
    }
    mem_free(m, reason);
    mem_free(m, c);
    return placed;
}

/* ---- the batch --------------------------------------------------------------------------------- */

static const char *read_wanted(mem *m, json_t *item, wanted *w)
{
    const char *name, *zone = "";
    json_error_t error;
    if (json_unpack_ex(item, &error, 0, "{s:s, s:i, s:i, s?s}", "name", &name, "cpus", &w->cpus,
                       "memory_mb", &w->memory_mb, "zone", &zone))
        return "each of vms needs a name, cpus and memory_mb; zone is a string";
    if (strlen(name) == 0 || strlen(name) > NAME_MAX_LENGTH || strlen(zone) > NAME_MAX_LENGTH)
        return "a name or zone is empty or too long";
    if (w->cpus < 1 || w->memory_mb < 1) return "cpus and memory_mb must be positive";
    w->name = mem_printf(m, "%s", name);
    w->zone = mem_printf(m, "%s", zone);
    return w->name && w->zone ? NULL : "out of memory";
}

static void wanted_free(mem *m, wanted *w)
{
    mem_free(m, w->name);
    mem_free(m, w->zone);
}

static int place_all(request *req, json_t *vms, node *nodes)
{
    json_t *placed = json_array(), *item;
    size_t i;
    json_array_foreach(vms, i, item)
    {
        wanted w = {NULL, NULL, 0, 0};
        const char *wrong = read_wanted(&req->mem, item, &w);
        if (!wrong) json_array_append_new(placed, place(&req->mem, nodes, &w));
        wanted_free(&req->mem, &w);
        if (!wrong) continue;
        json_decref(placed);
        return reply_error(req, 422, "vms[%zu]: %s", i, wrong);
    }
    return reply_json(req, 200, json_pack("{s:o}", "placements", placed));
}

int schedule(request *req, json_t *body)
{
    json_t *vms = json_object_get(body, "vms");
    if (!json_is_array(vms)) return reply_error(req, 422, "vms must be an array");
    if (json_array_size(vms) == 0 || json_array_size(vms) > BATCH_MAX)
        return reply_error(req, 422, "vms must have 1 to %d entries", BATCH_MAX);
    node *nodes = nodes_copy(&req->mem, opt.nodes);
    if (!nodes) return 507;
    int status = place_all(req, vms, nodes);
    nodes_free(&req->mem, nodes, opt.nodes);
    return status;
}
