/*
 * bench/cache/run.c: one policy, one trace, one size. See sim.h.
 */
#include "../harness/harness.h"
#include "sim.h"

#include <ebb/ebb.h>

#include <stdio.h>
#include <stdlib.h>

typedef struct item {
    ebb__policy_node node;
    bool here;
} item;

typedef struct simulation {
    ebb__policy p;
    item *item;
    const trace *t;
} simulation;

static size_t size_of(const trace *t, uint32_t key)
{
    return t->size ? t->size[key] : 1;
}

static bool admit(simulation *s, uint32_t key)
{
    size_t bytes = size_of(s->t, key);
    if (s->p.max_bytes && bytes > s->p.max_bytes) return false;
    while (ebb__policy_is_over(&s->p, 1, bytes)) {
        ebb__policy_node *gone = ebb__policy_victim(&s->p, NULL, NULL);
        EBB_CONTAINER(gone, item, node)->here = false;
    }
    ebb__policy_insert(&s->p, &s->item[key].node, ebb_hash_u64(key, 1), bytes);
    return true;
}

static ratio as_points(double hits, double hit_bytes, const trace *t)
{
    static const double points = 100;
    double bytes = 0;
    for (size_t i = 0; i < t->count; i++) bytes += (double)size_of(t, t->key[i]);
    return (ratio){points * hits / (double)t->count, points * hit_bytes / bytes};
}

ratio sim_run(const ebb__policy_kind *kind, const trace *t, limits max)
{
    ebb_arena *home = ebb_arena_create(NULL);
    simulation s = {.item = bench_need(t->keys * sizeof(item)), .t = t};
    if (!ebb__policy_init(&s.p, kind, home, max.entries, max.bytes)) exit(1);
    double hits = 0, bytes = 0;
    for (size_t i = 0; i < t->count; i++) {
        item *it = &s.item[t->key[i]];
        if (!it->here) {
            it->here = admit(&s, t->key[i]);
            continue;
        }
        hits++;
        bytes += (double)size_of(t, t->key[i]);
        ebb__policy_touch(&s.p, &it->node);
    }
    const char *wrong = ebb__policy_check(&s.p);
    if (wrong) fprintf(stderr, "bench-cache-ratios: %s: %s\n", kind->name, wrong), exit(1);
    ebb__policy_fini(&s.p);
    ebb_arena_destroy(&home);
    free(s.item);
    return as_points(hits, bytes, t);
}

/* ---- the optimum ----------------------------------------------------------------------------- */

/* A heap of the keys that are in, the latest next use first. Those whose key has been used since
   are stale, and are dropped when they come up. */
typedef struct use {
    uint32_t next, key;
} use;

typedef struct heap {
    use *use;
    size_t count;
} heap;

static void push(heap *h, use u)
{
    size_t at = h->count++;
    for (; at && h->use[(at - 1) / 2].next < u.next; at = (at - 1) / 2)
        h->use[at] = h->use[(at - 1) / 2];
    h->use[at] = u;
}

static void pop(heap *h)
{
    use u = h->use[--h->count];
    size_t at = 0;
    for (size_t kid; (kid = 2 * at + 1) < h->count; at = kid) {
        if (kid + 1 < h->count && h->use[kid + 1].next > h->use[kid].next) kid++;
        if (h->use[kid].next <= u.next) break;
        h->use[at] = h->use[kid];
    }
    h->use[at] = u;
}

/* For each request, the number of the next one of the same key; the count where there is none. */
static uint32_t *next_uses(const trace *t)
{
    uint32_t *next = bench_need(t->count * sizeof *next);
    uint32_t *last = bench_need(t->keys * sizeof *last);
    for (size_t k = 0; k < t->keys; k++) last[k] = (uint32_t)t->count;
    for (size_t i = t->count; i-- > 0;) {
        next[i] = last[t->key[i]];
        last[t->key[i]] = (uint32_t)i;
    }
    free(last);
    return next;
}

typedef struct oracle {
    const trace *t;
    heap heap;
    uint32_t *due; /* of each key that is in: its next use; else 0 */
    limits max, used;
} oracle;

static bool is_over(const oracle *o, size_t bytes)
{
    return (o->max.entries && o->used.entries + 1 > o->max.entries) ||
           (o->max.bytes && o->used.bytes + bytes > o->max.bytes);
}

/* Make room by dropping what is needed later than @next. False: there is nothing such. */
static bool make_room(oracle *o, size_t bytes, uint32_t next)
{
    while (is_over(o, bytes)) {
        if (!o->heap.count) return false;
        use top = o->heap.use[0];
        bool is_stale = o->due[top.key] != top.next;
        if (!is_stale && top.next <= next) return false;
        pop(&o->heap);
        if (is_stale) continue;
        o->due[top.key] = 0;
        o->used.entries--;
        o->used.bytes -= size_of(o->t, top.key);
    }
    return true;
}

ratio sim_min(const trace *t, limits max)
{
    uint32_t *next = next_uses(t);
    oracle o = {.t = t, .max = max};
    o.heap.use = bench_need((t->count + 1) * sizeof(use));
    o.due = bench_need(t->keys * sizeof *o.due);
    double hits = 0, bytes = 0;
    for (size_t i = 0; i < t->count; i++) {
        uint32_t key = t->key[i];
        size_t size = size_of(t, key);
        bool here = o.due[key] == i && i > 0;
        hits += here;
        bytes += here ? (double)size : 0;
        if (!here) {
            if (next[i] == t->count || !make_room(&o, size, next[i])) continue;
            o.used.entries++;
            o.used.bytes += size;
        }
        o.due[key] = next[i];
        push(&o.heap, (use){next[i], key});
    }
    free(next);
    free(o.heap.use);
    free(o.due);
    return as_points(hits, bytes, t);
}
