/*
 * bench/workloads/layers_schedule.c: texts are views of what came in, which is there as long as the scope;
 * what is compared is a symbol; metadata lies in the request; candidates are in a scratch object of a pool,
 * and topologies are shared objects of a cache.
 */
#include "layers.h"

typedef struct attr {
    ebb_str key, value;
} attr;

#define EBB_SMALLVEC attrs, attr, METADATA
#include <ebb/smallvec_of.h>

typedef struct topology {
    ebb_sym datacentre, zone;
} topology;

typedef struct placing {
    const machine_in *in;
    ebb_sym datacentre, excluded, strategy;
    attrs metadata;
    const topology *topology;
    ebb_str reason;
    double score;
    uint32_t node[1 + ALTERNATIVES]; /* the best, then the next */
    size_t nodes;
} placing;

typedef struct candidate {
    double score;
    uint32_t node;
} candidate;

#define EBB_SORT       candidates, candidate
#define EBB_LESS(a, b) ((a).score > (b).score || ((a).score == (b).score && (a).node < (b).node))
#include <ebb/sort_of.h>

/* What is needed for a batch and for no longer. */
typedef struct scratch {
    double cpu[NODES], mem[NODES]; /* left */
    candidate fit[NODES];
} scratch;

#define EBB_POOL scratches, scratch
#include <ebb/pool_of.h>

static scratches pool;
static ebb_cache *topologies;

/* By the node's index. The texts are those of the symbols, which stay where they are. */
static struct {
    const input *of;
    ebb_sym id[NODES], datacentre[NODES], zone[NODES];
    ebb_str id_text[NODES], zone_text[NODES];
} nodes;

bool layers_schedule_make(void)
{
    const ebb_pool_params params = {.name = "scheduling", .min_size = 1, .max_size = 8};
    const ebb_cache_params cached = {.name = "topologies", .max_entries = 1000};
    pool = scratches_create(&params, NULL);
    topologies = ebb_cache_create(&cached, NULL);
    return pool.pool && topologies;
}

/* As when a node joins the cluster. */
static void know(const input *in)
{
    if (nodes.of == in) return;
    nodes.of = in;
    for (size_t i = 0; i < NODES; i++) {
        nodes.id[i] = ebb_intern(layers_names, in->nodes[i].id);
        nodes.datacentre[i] = ebb_intern(layers_names, in->nodes[i].datacentre);
        nodes.zone[i] = ebb_intern(layers_names, in->nodes[i].zone);
        nodes.id_text[i] = ebb_sym_str(layers_names, nodes.id[i]);
        nodes.zone_text[i] = ebb_sym_str(layers_names, nodes.zone[i]);
    }
}

/* ---- what was asked for -------------------------------------------------------------------------- */

static void begin(ebb_arena *a, ebb_symtab *names, const machine_in *in, placing *p)
{
    p->in = in;
    p->datacentre = ebb_intern(names, in->datacentre);
    p->excluded = ebb_intern(names, in->excluded);
    p->strategy = ebb_intern(names, in->strategy);
    p->metadata = attrs_in(a);
    for (size_t i = 0; i < METADATA; i++)
        attrs_push(&p->metadata, (attr){in->metadata[i].key, in->metadata[i].value});
}

/* ---- nodes ----------------------------------------------------------------------------------------- */

static size_t fitting(const placing *p, scratch *s)
{
    size_t count = 0;
    for (uint32_t i = 0; i < NODES; i++) {
        if (s->cpu[i] < p->in->cpu || s->mem[i] < p->in->mem) continue;
        if (nodes.datacentre[i] != p->datacentre || nodes.id[i] == p->excluded) continue;
        s->fit[count++] = (candidate){s->cpu[i] / p->in->cpu + s->mem[i] / p->in->mem, i};
    }
    return count;
}

static void choose(placing *p, scratch *s)
{
    size_t count = fitting(p, s);
    if (!count) layers_fail("no node fits");
    p->nodes = count < 1 + ALTERNATIVES ? count : 1 + ALTERNATIVES;
    candidates_sort_first(s->fit, count, p->nodes);
    for (size_t i = 0; i < p->nodes; i++) p->node[i] = s->fit[i].node;
    p->score = s->fit[0].score;
    s->cpu[p->node[0]] -= p->in->cpu;
    s->mem[p->node[0]] -= p->in->mem;
}

/* ---- what comes of it ------------------------------------------------------------------------------- */

static int load_topology(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    const topology *wanted = ctx;
    (void)key;
    *ret_root = ebb_dup(into, wanted, sizeof *wanted);
    return 0;
}

static const topology *topology_of(ebb_arena *a, uint32_t node)
{
    topology wanted = {nodes.datacentre[node], nodes.zone[node]};
    ebb_cache_load_params load = {.fn = load_topology, .ctx = &wanted, .deadline_ns = UINT64_MAX};
    const void *found = NULL;
    ebb_key key = ebb_key_u64((uint64_t)wanted.datacentre << 32 | wanted.zone);
    if (ebb_cache_load(topologies, a, key, &load, &found) != 0) layers_fail("no topology");
    return found;
}

static ebb_str reason_of(ebb_arena *a, const placing *p)
{
    uint32_t best = p->node[0];
    return ebb_str_concat(a, ebb_sym_str(layers_names, p->strategy), EBB_STR(" chose "),
                          nodes.id_text[best], EBB_STR(" in "), nodes.zone_text[best]);
}

/* ---- handing on --------------------------------------------------------------------------------------- */

static void show(ebb_symtab *names, const placing *p)
{
    ebb_str strategy = ebb_sym_str(names, p->strategy);
    const ebb_str texts[] = {p->in->path,
                             p->in->tenant,
                             p->in->address,
                             ebb_sym_str(names, p->datacentre),
                             p->in->zone,
                             ebb_sym_str(names, p->excluded),
                             strategy,
                             strategy,
                             ebb_sym_str(names, p->topology->datacentre),
                             ebb_sym_str(names, p->topology->zone)};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) deliver_text(texts[i]);
    for (size_t i = 0; i < METADATA; i++) deliver_text(attrs_at((attrs *)&p->metadata, i)->value);
}

static void hand_on(ebb_symtab *names, const placing *p)
{
    ebb_str strategy = ebb_sym_str(names, p->strategy);
    placement out = {.machine = p->in->name,
                     .node = nodes.id_text[p->node[0]],
                     .strategy = strategy,
                     .reason = p->reason,
                     .label = strategy,
                     .score = p->score,
                     .alternatives = p->nodes - 1};
    for (size_t i = 1; i < p->nodes; i++) out.alternative[i - 1] = nodes.id_text[p->node[i]];
    deliver_placement(&out);
    if (deliver_everything) show(names, p);
}

/* ---- a batch ------------------------------------------------------------------------------------------- */

void layers_schedule(const input *in, bool faithful)
{
    static ebb_profile profile = EBB_PROFILE("schedule, all layers");
    (void)faithful;
    know(in);
    EBB_SCOPE(a, &profile);
    scratch *s = scratches_acquire(pool, a, NULL);
    ebb_symtab *names = ebb_symtab_over(a, layers_names);
    placing *all = ebb_alloc(a, MACHINES * sizeof *all);
    if (!s || !names || !all) layers_fail("no memory for a batch of machines");
    for (size_t i = 0; i < NODES; i++) {
        s->cpu[i] = in->nodes[i].cpu;
        s->mem[i] = in->nodes[i].mem;
    }
    for (size_t i = 0; i < MACHINES; i++) {
        begin(a, names, &in->machines[i], &all[i]);
        choose(&all[i], s);
        all[i].topology = topology_of(a, all[i].node[0]);
        all[i].reason = reason_of(a, &all[i]);
    }
    if (ebb_failed(a)) layers_fail("no memory for a batch of machines");
    for (size_t i = 0; i < MACHINES; i++) hand_on(names, &all[i]);
}
