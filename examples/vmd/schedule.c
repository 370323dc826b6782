/*
 * examples/vmd/schedule.c: place a batch of machines on nodes. For each: filter the nodes that
 * have room, score them, take the few best, name alternatives, and say why.
 *
 * A batch works on a copy of its own of what the nodes have left, so it changes nothing, and two
 * servers agree on every answer.
 */
#include "schedule.h"

#include <stdlib.h>

/* ---- nodes ----------------------------------------------------------------------------------- */

static void add_node(text *t, unsigned node)
{
    text_printf(t, "\"node-%03u\"", node);
}

/* ---- filter, score, sort --------------------------------------------------------------------- */

/* How full a node would be, or how empty if the batch is to be spread. */
static int score_of(const batch *b, unsigned node, const wanted *w)
{
    config all = b->all[node], left = b->left[node];
    int cpus = (left.cpus - w->size.cpus) * PER_MILLE / all.cpus;
    int memory = (int)((long long)(left.memory_mb - w->size.memory_mb) * PER_MILLE / all.memory_mb);
    int empty = (cpus + memory) / 2;
    return b->spread ? empty : PER_MILLE - empty;
}

static void find_candidates(batch *b, const wanted *w)
{
    b->fit = b->no_cpus = b->no_memory = b->same_group = 0;
    for (unsigned node = 0; node < opt.nodes; node++) {
        if (w->zone >= 0 && w->zone != (int)(node % ZONES)) continue;
        if (w->group && group_is_on(w->group, node)) b->same_group++;
        else if (b->left[node].cpus < w->size.cpus) b->no_cpus++;
        else if (b->left[node].memory_mb < w->size.memory_mb) b->no_memory++;
        else {
            b->node[b->fit] = node;
            b->score[b->fit++] = score_of(b, node, w);
        }
    }
    ebb_i32_top(b->score, (size_t)b->fit, 1 + ALTERNATIVES, b->best); /* of equals the first */
}

/* ---- the answer for one machine -------------------------------------------------------------- */

static void add_alternatives(text *t, const choice *best, int count)
{
    text_put(t, ",\"alternatives\":[");
    for (int i = 1; i < count; i++) {
        text_put(t, i > 1 ? ",{\"node\":" : "{\"node\":");
        add_node(t, best[i].node);
        text_put(t, ",\"score\":");
        text_int(t, best[i].score);
        text_put(t, "}");
    }
    text_put(t, "]");
}

void add_choices(text *t, const char *name, const choice *best, int count)
{
    text_put(t, "{\"vm\":");
    text_json(t, name);
    text_put(t, ",\"node\":");
    if (count) add_node(t, best[0].node);
    else text_put(t, "null");
    add_alternatives(t, best, count);
    text_put(t, ",\"reason\":");
}

static void add_reason(text *t, const batch *b)
{
    if (!b->fit) {
        text_printf(t, "\"none of %d nodes has room: ", b->no_cpus + b->no_memory + b->same_group);
    } else {
        int score = b->score[b->best[0]];
        text_printf(t, "\"the %s of %d that have room, %d.%d %%; ",
                    b->spread ? "emptiest" : "fullest", b->fit, score / 10, score % 10);
    }
    text_printf(t, "%d lack cpus, %d lack memory", b->no_cpus, b->no_memory);
    if (b->same_group) text_printf(t, ", %d have one of its group", b->same_group);
    text_put(t, "\"");
}

bool has_room(const batch *b, unsigned node, const wanted *w)
{
    return b->left[node].cpus >= w->size.cpus && b->left[node].memory_mb >= w->size.memory_mb;
}

void take_room(batch *b, unsigned node, const wanted *w)
{
    b->left[node].cpus -= w->size.cpus;
    b->left[node].memory_mb -= w->size.memory_mb;
}

/* False: no memory. */
static bool place(text *t, batch *b, const wanted *w)
{
    choice best[1 + ALTERNATIVES];
    int count = 0;
    find_candidates(b, w);
    for (; count < b->fit && count <= ALTERNATIVES; count++)
        best[count] = (choice){b->node[b->best[count]], b->score[b->best[count]]};
    add_choices(t, w->name, best, count);
    add_reason(t, b);
    text_put(t, "}");
    if (!count) return true;
    take_room(b, best[0].node, w);
    return !w->group || group_add(w->group, best[0].node);
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

const char *read_wanted(json_t *item, groups *all, wanted *w)
{
    const char *zone = NULL, *of = NULL;
    json_error_t error;
    if (json_unpack_ex(item, &error, 0, "{s:s, s:i, s:i, s?s, s?s}", "name", &w->name, "cpus",
                       &w->size.cpus, "memory_mb", &w->size.memory_mb, "zone", &zone, "group", &of))
        return "needs a name, cpus and memory_mb; zone and group are strings";
    if (!w->name[0] || strlen(w->name) > NAME_MOST) return "name must be 1 to 64 bytes";
    if (w->size.cpus < 1 || w->size.memory_mb < 1) return "cpus and memory_mb must be positive";
    if (of && strlen(of) > NAME_MOST) return "group must be at most 64 bytes";
    w->zone = zone_of(zone);
    w->group = of ? groups_get(all, of) : NULL;
    if (of && !w->group) return "out of memory";
    return w->zone == -2 ? "zone must be zone-0 to zone-3" : NULL;
}

/* The first that is wrong takes the place of the reply. */
static int place_all(request *req, json_t *vms, batch *b)
{
    json_t *item;
    size_t i;
    text_put(&req->reply, "{\"placements\":[");
    json_array_foreach(vms, i, item)
    {
        wanted w;
        const char *wrong = read_wanted(item, b->groups, &w);
        if (wrong) return reply_error(req, 422, "vms[%zu]: %s", i, wrong);
        text_put(&req->reply, i ? "," : "");
        if (!place(&req->reply, b, &w)) return 507;
    }
    text_put(&req->reply, "]}");
    return reply_done(req, 200);
}

static const char *read_strategy(json_t *body, bool *ret_spread)
{
    const char *strategy = "pack";
    if (json_unpack(body, "{s?s}", "strategy", &strategy)) return "strategy must be a string";
    *ret_spread = !strcmp(strategy, "spread");
    return *ret_spread || !strcmp(strategy, "pack") ? NULL : "strategy must be pack or spread";
}

/* False: no memory. */
static bool read_nodes(request *req, batch *b)
{
    if (!configs_of_nodes(&req->mem, b->all)) return false;
    memcpy(b->left, b->all, opt.nodes * sizeof *b->all);
    return true;
}

/* ?policy=lua: *@ret_script is the body's. NULL, or what is wrong. */
static const char *read_policy(request *req, json_t *body, json_t **ret_script)
{
    const char *policy = request_argument(req, "policy");
    *ret_script = NULL;
    if (!policy) return NULL;
    if (strcmp(policy, "lua") != 0) return "policy must be lua";
    *ret_script = json_object_get(body, "policy");
    return json_is_string(*ret_script) ? NULL : "policy must be a string, a script of Lua";
}

int schedule(request *req, json_t *body)
{
    batch b = {.spread = false};
    json_t *script, *vms = json_object_get(body, "vms");
    const char *wrong = read_policy(req, body, &script);
    if (!wrong) wrong = read_strategy(body, &b.spread);
    if (wrong) return reply_error(req, 422, "%s", wrong);
    if (!json_is_array(vms)) return reply_error(req, 422, "vms must be an array");
    if (json_array_size(vms) == 0 || json_array_size(vms) > BATCH_MOST)
        return reply_error(req, 422, "vms must have 1 to %d entries", BATCH_MOST);
    b.all =
        mem_alloc(&req->mem, opt.nodes * (2 * sizeof *b.all + sizeof *b.node + sizeof *b.score));
    if (!b.all) return 507;
    b.groups = groups_begin(&req->mem);
    if (!b.groups) {
        mem_free(&req->mem, b.all);
        return 507;
    }
    b.left = b.all + opt.nodes;
    b.node = (unsigned *)(b.left + opt.nodes);
    b.score = (int32_t *)(b.node + opt.nodes);
    int status = 507;
    if (read_nodes(req, &b))
        status = script ? place_by_policy(req, vms, &b, script) : place_all(req, vms, &b);
    groups_end(b.groups);
    mem_free(&req->mem, b.all);
    return status;
}
