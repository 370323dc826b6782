/*
 * bench/workloads/plain_schedule.h: a part of plain.h.
 *
 * For each machine: nodes are filtered by what they have left, by data centre and by who is excluded; each
 * gets the score cpu/need + mem/need; the best is taken, three more are kept, and what the best has left
 * is less by the need.
 *
 * Calibrated, 35 each: 4 texts of the configuration; 13 for its metadata; 4 for the locality (data centre,
 * zone, a list of one excluded node); 3 for candidates, scores and a sorted copy; 1 for the alternatives;
 * 5 for the decision (strategy, parts, node, strategy again, reason); 3 for the topology; 2 for the
 * strategy's label and a clone of it. Sizes are known. Faithful: structs are taken one by one, metadata is
 * a hash table with chains, lists double, alternatives have their names.
 */
typedef struct pair {
    ebb_str key, value;
    struct pair *next; /* faithful */
} pair;

typedef struct table {
    size_t count;
    pair **bucket; /* faithful; else NULL, and the pairs are behind */
    pair pairs[];
} table;

enum { BUCKETS = 16, PARTS = 5 };

typedef struct topology {
    ebb_str datacentre, zone;
} topology;

typedef struct request {
    const machine_in *in;
    ebb_str name, path, tenant, address;
    table *metadata;
    ebb_str datacentre, zone, *excluded;
} request;

typedef struct candidate {
    double score;
    size_t node;
} candidate;

typedef struct decision {
    ebb_str strategy, node, copy, reason, label, clone;
    size_t *alternative;       /* calibrated */
    ebb_str *alternative_name; /* faithful */
    size_t alternatives;
    double score;
    topology *topology;
} decision;

typedef struct left {
    double cpu, mem;
} left;

/* ---- what was asked for -------------------------------------------------------------------------- */

static table *dense_table(memory *m, const metadata_in *from)
{
    table *t = take(m, sizeof *t + METADATA * sizeof(pair));
    t->count = METADATA;
    t->bucket = NULL;
    for (size_t i = 0; i < METADATA; i++)
        t->pairs[i] = (pair){text_of(m, from[i].key), text_of(m, from[i].value), NULL};
    return t;
}

static size_t bucket_of(ebb_str key)
{
    size_t hash = 5381;
    for (size_t i = 0; i < key.len; i++) hash = hash * 33 + (unsigned char)key.ptr[i];
    return hash % BUCKETS;
}

static table *chained_table(memory *m, const metadata_in *from)
{
    table *t = take(m, sizeof *t);
    t->count = METADATA;
    t->bucket = take(m, BUCKETS * sizeof *t->bucket);
    memset(t->bucket, 0, BUCKETS * sizeof *t->bucket);
    for (size_t i = 0; i < METADATA; i++) {
        pair **at = &t->bucket[bucket_of(from[i].key)], *p = take(m, sizeof *p);
        *p = (pair){text_of(m, from[i].key), text_of(m, from[i].value), *at};
        *at = p;
    }
    return t;
}

static void drop_pair(memory *m, pair *p)
{
    drop_text(m, p->key);
    drop_text(m, p->value);
}

static void drop_table(memory *m, table *t)
{
    for (size_t i = 0; !t->bucket && i < t->count; i++) drop_pair(m, &t->pairs[i]);
    for (size_t b = 0; t->bucket && b < BUCKETS; b++)
        for (pair *p = t->bucket[b], *next; p; p = next) {
            next = p->next;
            drop_pair(m, p);
            drop(m, p);
        }
    if (t->bucket) drop(m, t->bucket);
    drop(m, t);
}

static void request_begin(memory *m, const machine_in *in, bool faithful, request *ret_)
{
    ret_->in = in;
    ret_->name = text_of(m, in->name);
    ret_->path = text_of(m, in->path);
    ret_->tenant = text_of(m, in->tenant);
    ret_->address = text_of(m, in->address);
    ret_->metadata = faithful ? chained_table(m, in->metadata) : dense_table(m, in->metadata);
    ret_->datacentre = text_of(m, in->datacentre);
    ret_->zone = text_of(m, in->zone);
    ret_->excluded = take(m, sizeof *ret_->excluded);
    ret_->excluded[0] = text_of(m, in->excluded);
}

static void request_end(memory *m, request *r)
{
    drop_text(m, r->name);
    drop_text(m, r->path);
    drop_text(m, r->tenant);
    drop_text(m, r->address);
    drop_table(m, r->metadata);
    drop_text(m, r->datacentre);
    drop_text(m, r->zone);
    drop_text(m, r->excluded[0]);
    drop(m, r->excluded);
}

/* ---- nodes ------------------------------------------------------------------------------------------ */

static inline bool same(ebb_str a, ebb_str b)
{
    return a.len == b.len && !memcmp(a.ptr, b.ptr, a.len);
}

static inline bool fits(const request *r, const node_in *node, const left *has)
{
    return has->cpu >= r->in->cpu && has->mem >= r->in->mem &&
           same(node->datacentre, r->datacentre) && !same(node->id, r->excluded[0]);
}

static inline double score_of(const request *r, const left *has)
{
    return has->cpu / r->in->cpu + has->mem / r->in->mem;
}

/* The best few to the front. */
static void sort_first(candidate *all, size_t count, size_t few)
{
    for (size_t i = 0; i < few && i < count; i++) {
        size_t best = i;
        for (size_t k = i + 1; k < count; k++)
            if (all[k].score > all[best].score) best = k;
        candidate c = all[best];
        memmove(&all[i + 1], &all[i], (best - i) * sizeof *all); /* equals keep their order */
        all[i] = c;
    }
}

static candidate *candidates_of(memory *m, const request *r, const node_in *nodes, const left *has,
                                size_t *ret_count)
{
    size_t *fit = take(m, NODES * sizeof *fit), count = 0;
    for (size_t i = 0; i < NODES; i++)
        if (fits(r, &nodes[i], &has[i])) fit[count++] = i;
    double *score = take(m, NODES * sizeof *score);
    for (size_t i = 0; i < count; i++) score[i] = score_of(r, &has[fit[i]]);
    candidate *sorted = take(m, NODES * sizeof *sorted);
    for (size_t i = 0; i < count; i++) sorted[i] = (candidate){score[i], fit[i]};
    if (FREES) {
        drop(m, fit);
        drop(m, score);
    }
    *ret_count = count;
    return sorted;
}

static candidate *candidates_in_list(memory *m, const request *r, const node_in *nodes,
                                     const left *has, size_t *ret_count)
{
    list fit = {NULL, 0, 0};
    for (size_t i = 0; i < NODES; i++)
        if (fits(r, &nodes[i], &has[i]))
            *(candidate *)list_add(m, &fit, sizeof(candidate)) =
                (candidate){score_of(r, &has[i]), i};
    *ret_count = fit.count;
    if (!fit.count) return take(m, 1);
    candidate *sorted = take(m, fit.count * sizeof *sorted);
    memcpy(sorted, fit.items, fit.count * sizeof *sorted);
    if (FREES) drop(m, fit.items);
    return sorted;
}

/* ---- what comes of it -------------------------------------------------------------------------------- */

static ebb_str reason_of(memory *m, const ebb_str *part)
{
    size_t len = 0;
    for (size_t i = 0; i < PARTS; i++) len += part[i].len;
    char *to = take_bytes(m, len + 1), *at = to;
    for (size_t i = 0; i < PARTS; i++) {
        memcpy(at, part[i].ptr, part[i].len);
        at += part[i].len;
    }
    *at = '\0';
    return (ebb_str){to, len};
}

static ebb_str reason_in_steps(memory *m, const ebb_str *part)
{
    size_t len = 0, room = 16;
    char *to = take_bytes(m, room);
    for (size_t i = 0; i < PARTS; i++) {
        while (len + part[i].len >= room) {
            to = resize(m, to, room, 2 * room);
            room *= 2;
        }
        memcpy(to + len, part[i].ptr, part[i].len);
        len += part[i].len;
    }
    to[len] = '\0';
    return (ebb_str){to, len};
}

static topology *topology_of(memory *m, ebb_str datacentre, ebb_str zone)
{
    topology *t = take(m, sizeof *t);
    *t = (topology){text_of(m, datacentre), text_of(m, zone)};
    return t;
}

static void keep_alternatives(memory *m, const node_in *nodes, const candidate *others,
                              bool faithful, decision *d)
{
    d->alternative = faithful ? NULL : take(m, ALTERNATIVES * sizeof *d->alternative);
    d->alternative_name = faithful ? take(m, ALTERNATIVES * sizeof *d->alternative_name) : NULL;
    for (size_t i = 0; i < d->alternatives; i++) {
        if (faithful) d->alternative_name[i] = text_of(m, nodes[others[i].node].id);
        else d->alternative[i] = others[i].node;
    }
}

static void decision_begin(memory *m, const request *r, const node_in *nodes, const candidate *best,
                           bool faithful, decision *d)
{
    const node_in *node = &nodes[best->node];
    d->score = best->score;
    d->strategy = text_of(m, r->in->strategy);
    ebb_str *part = take(m, PARTS * sizeof *part);
    part[0] = d->strategy;
    part[1] = EBB_STR(" chose ");
    part[2] = d->node = text_of(m, node->id);
    part[3] = EBB_STR(" in ");
    part[4] = node->zone;
    d->copy = text_of(m, d->strategy);
    d->reason = faithful ? reason_in_steps(m, part) : reason_of(m, part);
    if (FREES) drop(m, part);
    d->topology = topology_of(m, node->datacentre, node->zone);
    d->label = text_of(m, d->strategy);
    d->clone = text_of(m, d->label);
}

static void decision_end(memory *m, decision *d)
{
    drop_text(m, d->strategy);
    drop_text(m, d->node);
    drop_text(m, d->copy);
    drop_text(m, d->reason);
    drop_text(m, d->topology->datacentre);
    drop_text(m, d->topology->zone);
    drop(m, d->topology);
    drop_text(m, d->label);
    drop_text(m, d->clone);
    for (size_t i = 0; d->alternative_name && i < d->alternatives; i++)
        drop_text(m, d->alternative_name[i]);
    if (d->alternative_name) drop(m, d->alternative_name);
    if (d->alternative) drop(m, d->alternative);
}

static void place(memory *m, const request *r, const node_in *nodes, left *has, bool faithful,
                  decision *d)
{
    size_t count;
    candidate *sorted = faithful ? candidates_in_list(m, r, nodes, has, &count)
                                 : candidates_of(m, r, nodes, has, &count);
    static const candidate none = {0, 0}; /* the batch is such that this is never so */
    sort_first(sorted, count, 1 + ALTERNATIVES);
    const candidate *best = count ? &sorted[0] : &none;
    d->alternatives = count > ALTERNATIVES ? ALTERNATIVES : count ? count - 1 : 0;
    keep_alternatives(m, nodes, best + 1, faithful, d);
    decision_begin(m, r, nodes, best, faithful, d);
    has[best->node].cpu -= r->in->cpu;
    has[best->node].mem -= r->in->mem;
    if (FREES) drop(m, sorted);
}

/* ---- handing on --------------------------------------------------------------------------------------- */

static void show_pair(const table *t, ebb_str key)
{
    for (size_t i = 0; !t->bucket && i < t->count; i++)
        if (same(t->pairs[i].key, key)) deliver_text(t->pairs[i].value);
    for (const pair *p = t->bucket ? t->bucket[bucket_of(key)] : NULL; p; p = p->next)
        if (same(p->key, key)) deliver_text(p->value);
}

static void show(const request *r, const decision *d)
{
    const ebb_str texts[] = {
        r->path,        r->tenant, r->address, r->datacentre,           r->zone,
        r->excluded[0], d->copy,   d->clone,   d->topology->datacentre, d->topology->zone};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) deliver_text(texts[i]);
    for (size_t i = 0; i < METADATA; i++) show_pair(r->metadata, r->in->metadata[i].key);
}

static void hand_on(const request *r, const node_in *nodes, const decision *d)
{
    placement p = {.machine = r->name,
                   .node = d->node,
                   .strategy = d->strategy,
                   .reason = d->reason,
                   .label = d->label,
                   .score = d->score,
                   .alternatives = d->alternatives};
    for (size_t i = 0; i < d->alternatives; i++)
        p.alternative[i] =
            d->alternative_name ? d->alternative_name[i] : nodes[d->alternative[i]].id;
    deliver_placement(&p);
    if (deliver_everything) show(r, d);
}

/* ---- a batch -------------------------------------------------------------------------------------------- */

typedef struct placing {
    request request;
    decision decision;
} placing;

static void schedule(const input *in, bool faithful)
{
    static placing kept[MACHINES];
    placing *all[MACHINES];
    left has[NODES];
    memory m = memory_begin(WORK_SCHEDULE);
    for (size_t i = 0; i < NODES; i++) has[i] = (left){in->nodes[i].cpu, in->nodes[i].mem};
    for (size_t i = 0; i < MACHINES; i++) {
        all[i] = faithful ? take(&m, sizeof *all[i]) : &kept[i];
        request_begin(&m, &in->machines[i], faithful, &all[i]->request);
        place(&m, &all[i]->request, in->nodes, has, faithful, &all[i]->decision);
    }
    for (size_t i = 0; i < MACHINES; i++) hand_on(&all[i]->request, in->nodes, &all[i]->decision);
    for (size_t i = 0; FREES && i < MACHINES; i++) {
        request_end(&m, &all[i]->request);
        decision_end(&m, &all[i]->decision);
        if (faithful) drop(&m, all[i]);
    }
    memory_end(&m);
}
