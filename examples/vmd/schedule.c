/*
 * examples/vmd/schedule.c: place a batch of machines on nodes. For each: filter the nodes that
 * have room, score them, sort, take the best, name alternatives, and say why.
 *
 * A batch works on a copy of its own of what the nodes have left, so it changes nothing, and two
 * servers agree on every answer.
 */
#include "vmd.h"

#include <stdlib.h>

enum { ALTERNATIVES = 3, ZONES = 4, PER_MILLE = 1000 };

/* ---- nodes ----------------------------------------------------------------------------------- */

typedef struct room {
    int cpus, memory_mb;
} room;

/* A made-up inventory: 16 to 80 cpus, 32 to 128 GiB, in four zones. */
static room node_size(unsigned node)
{
    return (room){.cpus = 16 + (int)(node * 7 % 5) * 16,
                  .memory_mb = 32768 + (int)(node * 11 % 7) * 16384};
}

static json_t *node_name(unsigned node)
{
    return json_sprintf("node-%03u", node);
}

/* ---- filter, score, sort --------------------------------------------------------------------- */

typedef struct wanted {
    const char *name;
    room size;
    int zone; /* -1: any */
} wanted;

typedef struct candidate {
    unsigned node;
    int score;
} candidate;

/* What a batch works with. */
typedef struct batch {
    bool spread; /* rather than fill nodes up */
    room *left;  /* on each node */
    candidate *found;
    int fit, no_cpus, no_memory; /* of the last machine's zone */
} batch;

/* How full a node would be, or how empty if the batch is to be spread. */
static int score_of(const batch *b, unsigned node, const wanted *w)
{
    room all = node_size(node), left = b->left[node];
    int cpus = (left.cpus - w->size.cpus) * PER_MILLE / all.cpus;
    int memory = (int)((long long)(left.memory_mb - w->size.memory_mb) * PER_MILLE / all.memory_mb);
    int empty = (cpus + memory) / 2;
    return b->spread ? empty : PER_MILLE - empty;
}

static int best_first(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->score != y->score) return y->score - x->score;
    return x->node < y->node ? -1 : 1;
}

static void find_candidates(batch *b, const wanted *w)
{
    b->fit = b->no_cpus = b->no_memory = 0;
    for (unsigned node = 0; node < opt.nodes; node++) {
        if (w->zone >= 0 && w->zone != (int)(node % ZONES)) continue;
        if (b->left[node].cpus < w->size.cpus) b->no_cpus++;
        else if (b->left[node].memory_mb < w->size.memory_mb) b->no_memory++;
        else b->found[b->fit++] = (candidate){node, score_of(b, node, w)};
    }
    qsort(b->found, (size_t)b->fit, sizeof *b->found, best_first);
}

/* ---- the answer for one machine -------------------------------------------------------------- */

static json_t *alternatives(const batch *b)
{
    json_t *list = json_array();
    for (int i = 1; i < b->fit && i <= ALTERNATIVES; i++)
        if (json_array_append_new(list, json_pack("{s:o, s:i}", "node", node_name(b->found[i].node),
                                                  "score", b->found[i].score))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *reason(const batch *b)
{
    int others = b->no_cpus + b->no_memory;
    if (!b->fit)
        return json_sprintf("none of %d nodes has room: %d lack cpus, %d lack memory", others,
                            b->no_cpus, b->no_memory);
    const candidate *best = b->found;
    return json_sprintf("the %s of %d that have room, %d.%d %%; %d lack cpus, %d lack memory",
                        b->spread ? "emptiest" : "fullest", b->fit, best->score / 10,
                        best->score % 10, b->no_cpus, b->no_memory);
}

static json_t *place(batch *b, const wanted *w)
{
    find_candidates(b, w);
    json_t *answer = json_pack("{s:s, s:o?, s:o, s:o}", "vm", w->name, "node",
                               b->fit ? node_name(b->found->node) : NULL, "alternatives",
                               alternatives(b), "reason", reason(b));
    if (b->fit) {
        room *left = &b->left[b->found->node];
        left->cpus -= w->size.cpus;
        left->memory_mb -= w->size.memory_mb;
    }
    return answer;
}

/* ---- the batch ------------------------------------------------------------------------------- */

/* "zone-0" to "zone-3"; -1: any, -2: there is no such zone. */
static int zone_of(const char *name)
{
    if (!name) return -1;
    bool known =
        strlen(name) == 6 && !strncmp(name, "zone-", 5) && name[5] >= '0' && name[5] < '0' + ZONES;
    return known ? name[5] - '0' : -2;
}

/* NULL, or what is wrong with @item. */
static const char *read_wanted(json_t *item, wanted *w)
{
    const char *zone = NULL;
    json_error_t error;
    if (json_unpack_ex(item, &error, 0, "{s:s, s:i, s:i, s?s}", "name", &w->name, "cpus",
                       &w->size.cpus, "memory_mb", &w->size.memory_mb, "zone", &zone))
        return "needs a name, cpus and memory_mb; zone is a string";
    if (!w->name[0] || strlen(w->name) > NAME_MOST) return "name must be 1 to 64 bytes";
    if (w->size.cpus < 1 || w->size.memory_mb < 1) return "cpus and memory_mb must be positive";
    w->zone = zone_of(zone);
    return w->zone == -2 ? "zone must be zone-0 to zone-3" : NULL;
}

static int place_all(request *req, json_t *vms, batch *b)
{
    json_t *placements = json_array(), *item;
    size_t i;
    json_array_foreach(vms, i, item)
    {
        wanted w;
        const char *wrong = read_wanted(item, &w);
        if (!wrong && !json_array_append_new(placements, place(b, &w))) continue;
        mem_decref(&req->mem, placements);
        return wrong ? reply_error(req, 422, "vms[%zu]: %s", i, wrong) : 507;
    }
    return reply_json(req, 200, json_pack("{s:o}", "placements", placements));
}

static const char *read_strategy(json_t *body, bool *ret_spread)
{
    const char *strategy = "pack";
    if (json_unpack(body, "{s?s}", "strategy", &strategy)) return "strategy must be a string";
    *ret_spread = !strcmp(strategy, "spread");
    return *ret_spread || !strcmp(strategy, "pack") ? NULL : "strategy must be pack or spread";
}

int schedule(request *req, json_t *body)
{
    batch b = {.spread = false};
    json_t *vms = json_object_get(body, "vms");
    const char *wrong = read_strategy(body, &b.spread);
    if (wrong) return reply_error(req, 422, "%s", wrong);
    if (!json_is_array(vms)) return reply_error(req, 422, "vms must be an array");
    if (json_array_size(vms) == 0 || json_array_size(vms) > BATCH_MOST)
        return reply_error(req, 422, "vms must have 1 to %d entries", BATCH_MOST);
    b.left = mem_alloc(&req->mem, opt.nodes * (sizeof *b.left + sizeof *b.found));
    if (!b.left) return 507;
    b.found = (candidate *)(b.left + opt.nodes);
    for (unsigned node = 0; node < opt.nodes; node++) b.left[node] = node_size(node);
    int status = place_all(req, vms, &b);
    mem_free(&req->mem, b.left);
    return status;
}
