/*
 * bench/cache/policies.c: what the library's policies are compared with, behind the same interface.
 *
 *   FIFO        nothing is learned from hits
 *   CLOCK       FIFO, but what was hit gets another turn (Corbato, 1968)
 *   LRU         exact: each hit moves the entry, which would need a lock
 *   SIEVE       Zhang, Yang, Yue, Vigfusson, Rashmi: "SIEVE is simpler than LRU", NSDI 2024
 *   ARC         Megiddo, Modha: "ARC: a self-tuning, low overhead replacement cache", FAST 2003
 *   S3-FIFO 10%  as published: a small queue of a tenth, two hits to leave it for the main one
 *   W-TinyLFU   Einziger, Friedman, Manes: "TinyLFU", ACM ToS 2017; a window of 1 %, as published
 *
 * Their state is freed with the process.
 */
#include "../harness/harness.h"
#include "sim.h"

#include <ebb/hash.h>

#include <stdlib.h>
#include <string.h>

static const uint32_t LEARN_ALL = UINT32_MAX; /* as `full`: each hit is reported */

enum { LISTS = 3 };
typedef struct state {
    ebb_list list[LISTS];
    size_t bytes[LISTS];
    ebb__policy_node *hand; /* SIEVE */
    struct ghosts *ghosts;  /* ARC */
    struct sketch *sketch;  /* W-TinyLFU */
    double target;          /* ARC: of the first list, in entries */
} state;

static state *state_of(const ebb__policy *p)
{
    return p->own;
}

static ebb__policy_node *node_of(ebb_link *l)
{
    return l ? EBB_CONTAINER(l, ebb__policy_node, at) : NULL;
}

static void enter(ebb__policy *p, ebb__policy_node *node, uint32_t queue)
{
    node->queue = queue;
    ebb_list_push_back(&state_of(p)->list[queue], &node->at);
    state_of(p)->bytes[queue] += node->bytes;
}

static void leave(ebb__policy *p, ebb__policy_node *node)
{
    ebb_list_remove(&state_of(p)->list[node->queue], &node->at);
    state_of(p)->bytes[node->queue] -= node->bytes;
}

static ebb__policy_node *first(const ebb__policy *p, uint32_t queue)
{
    return node_of(state_of(p)->list[queue].first);
}

static ebb__policy_node *take(ebb__policy *p, ebb__policy_node *node)
{
    leave(p, node);
    return node;
}

static uint32_t mark_of(const ebb__policy_node *node)
{
    return atomic_load_explicit(&node->mark, memory_order_relaxed);
}

static void set_mark(ebb__policy_node *node, uint32_t mark)
{
    atomic_store_explicit(&node->mark, mark, memory_order_relaxed);
}

/* What a part of the whole may take, in the unit that is limited. */
static bool part_is_over(const ebb__policy *p, uint32_t queue, double part)
{
    const state *s = state_of(p);
    return (p->max_entries && (double)s->list[queue].len > part * (double)p->max_entries) ||
           (p->max_bytes && (double)s->bytes[queue] > part * (double)p->max_bytes);
}

static bool make_state(ebb__policy *p, uint32_t full)
{
    p->own = bench_need(sizeof(state));
    atomic_init(&p->full, full);
    return true;
}

static void fini(ebb__policy *p)
{
    free(p->own);
}

static void insert(ebb__policy *p, ebb__policy_node *node)
{
    set_mark(node, 0);
    enter(p, node, 0);
}

static void mark_once(ebb__policy *p, ebb__policy_node *node, uint32_t was)
{
    (void)p, (void)was;
    set_mark(node, 1);
}

static const char *check(const ebb__policy *p)
{
    ebb__policy_sum sum = {0, 0};
    for (int i = 0; i < LISTS; i++) {
        const char *wrong = ebb__policy_check_list(&state_of(p)->list[i], &sum);
        if (wrong) return wrong;
    }
    return ebb__policy_check_sum(p, &sum);
}

/* Traces give a key one size. */
static void recount(ebb__policy *p, ebb__policy_node *node, size_t bytes)
{
    state_of(p)->bytes[node->queue] += bytes - node->bytes;
}

#define POLICY(title, init_, insert_, mark_, victim_, remove_)                                     \
    {                                                                                              \
        .name = title, .init = init_, .fini = fini, .insert = insert_, .mark = mark_,              \
        .victim = victim_, .remove = remove_, .recount = recount, .check = check                   \
    }

/* ---- FIFO, CLOCK, LRU ------------------------------------------------------------------------ */

static bool init_deaf(ebb__policy *p)
{
    return make_state(p, 0);
}

static bool init_bit(ebb__policy *p)
{
    return make_state(p, 1);
}

static bool init_all(ebb__policy *p)
{
    return make_state(p, LEARN_ALL);
}

static ebb__policy_node *oldest(ebb__policy *p, ebb__policy_pinned *pinned, void *ctx)
{
    (void)pinned, (void)ctx;
    return take(p, first(p, 0));
}

static ebb__policy_node *clock_victim(ebb__policy *p, ebb__policy_pinned *pinned, void *ctx)
{
    for (; mark_of(first(p, 0)); insert(p, take(p, first(p, 0)))) continue;
    return oldest(p, pinned, ctx);
}

static void move_back(ebb__policy *p, ebb__policy_node *node, uint32_t was)
{
    (void)was;
    enter(p, take(p, node), 0);
}

static const ebb__policy_kind fifo = POLICY("FIFO", init_deaf, insert, mark_once, oldest, leave);
static const ebb__policy_kind clock_kind =
    POLICY("CLOCK", init_bit, insert, mark_once, clock_victim, leave);
static const ebb__policy_kind lru =
    POLICY("LRU, exact", init_all, insert, move_back, oldest, leave);

/* ---- SIEVE ----------------------------------------------------------------------------------- */

static void sieve_remove(ebb__policy *p, ebb__policy_node *node)
{
    state *s = state_of(p);
    if (s->hand == node) s->hand = node_of(node->at.next);
    leave(p, node);
}

static ebb__policy_node *sieve_victim(ebb__policy *p, ebb__policy_pinned *pinned, void *ctx)
{
    (void)pinned, (void)ctx;
    state *s = state_of(p);
    for (;;) {
        if (!s->hand) s->hand = first(p, 0);
        ebb__policy_node *node = s->hand;
        if (!mark_of(node)) {
            sieve_remove(p, node);
            return node;
        }
        set_mark(node, 0);
        s->hand = node_of(node->at.next);
    }
}

static const ebb__policy_kind sieve =
    POLICY("SIEVE", init_bit, insert, mark_once, sieve_victim, sieve_remove);

/* ---- ARC ------------------------------------------------------------------------------------- */

/* The ghosts of both lists, oldest first, found by their tags: exact but for
   tags that are alike. */
typedef struct ghost {
    ebb_link at;
    struct ghost *next; /* in its bucket */
    uint32_t tag, list;
} ghost;

enum { BUCKETS = 1 << 16 };
typedef struct ghosts {
    ebb_list list[LISTS];
    ghost *bucket[BUCKETS];
} ghosts;

static void drop_ghost(ghosts *g, ghost *gone)
{
    ghost **at = &g->bucket[gone->tag % BUCKETS];
    while (*at != gone) at = &(*at)->next;
    *at = gone->next;
    ebb_list_remove(&g->list[gone->list], &gone->at);
    free(gone);
}

static void add_ghost(ghosts *g, uint32_t tag, uint32_t list)
{
    ghost *to = bench_need(sizeof *to), **at = &g->bucket[tag % BUCKETS];
    *to = (ghost){.tag = tag, .list = list, .next = *at};
    *at = to;
    ebb_list_push_back(&g->list[list], &to->at);
}

static ghost *find_ghost(const ghosts *g, uint32_t tag)
{
    ghost *it = g->bucket[tag % BUCKETS];
    while (it && it->tag != tag) it = it->next;
    return it;
}

static bool arc_init(ebb__policy *p)
{
    make_state(p, LEARN_ALL);
    state_of(p)->ghosts = bench_need(sizeof(ghosts));
    return true;
}

static void arc_fini(ebb__policy *p)
{
    ghosts *g = state_of(p)->ghosts;
    for (int i = 0; i < LISTS; i++)
        while (g->list[i].first) drop_ghost(g, EBB_CONTAINER(g->list[i].first, ghost, at));
    free(g);
    fini(p);
}

static double at_least_one(size_t over, size_t under)
{
    double share = (double)over / (double)(under ? under : 1);
    return share > 1 ? share : 1;
}

/* The cache's size in entries is what it holds when it is full. */
static void arc_insert(ebb__policy *p, ebb__policy_node *node)
{
    state *s = state_of(p);
    ghosts *g = s->ghosts;
    ghost *was = find_ghost(g, node->tag);
    double most = (double)p->len;
    if (was) {
        size_t recent = g->list[0].len, frequent = g->list[1].len;
        if (was->list == 0) s->target += at_least_one(frequent, recent);
        else s->target -= at_least_one(recent, frequent);
        s->target = s->target < 0 ? 0 : s->target > most ? most : s->target;
        drop_ghost(g, was);
    }
    enter(p, node, was ? 1 : 0);
    while (g->list[0].first && s->list[0].len + g->list[0].len > p->len)
        drop_ghost(g, EBB_CONTAINER(g->list[0].first, ghost, at));
    while (g->list[1].first && g->list[0].len + g->list[1].len > p->len)
        drop_ghost(g, EBB_CONTAINER(g->list[1].first, ghost, at));
}

static void arc_hit(ebb__policy *p, ebb__policy_node *node, uint32_t was)
{
    (void)was;
    enter(p, take(p, node), 1);
}

static ebb__policy_node *arc_victim(ebb__policy *p, ebb__policy_pinned *pinned, void *ctx)
{
    (void)pinned, (void)ctx;
    state *s = state_of(p);
    uint32_t from = s->list[0].len && (double)s->list[0].len >= s->target ? 0 : 1;
    if (!s->list[from].len) from = !from;
    ebb__policy_node *node = take(p, first(p, from));
    add_ghost(s->ghosts, node->tag, from);
    return node;
}

static const ebb__policy_kind arc = {
    .name = "ARC",
    .init = arc_init,
    .fini = arc_fini,
    .insert = arc_insert,
    .mark = arc_hit,
    .victim = arc_victim,
    .remove = leave,
    .recount = recount,
    .check = check,
};

/* ---- S3-FIFO as published -------------------------------------------------------------------- */

enum { SMALL = 0, MAIN = 1, MARK_MOST = 3, MARK_MAIN = 2 };
static const double small_part = 0.1;

static bool s3_init(ebb__policy *p)
{
    arc_init(p);
    atomic_store(&p->full, MARK_MOST);
    return true;
}

static void s3_insert(ebb__policy *p, ebb__policy_node *node)
{
    ghosts *g = state_of(p)->ghosts;
    ghost *was = find_ghost(g, node->tag);
    if (was) drop_ghost(g, was);
    set_mark(node, 0);
    enter(p, node, was ? MAIN : SMALL);
}

static void s3_hit(ebb__policy *p, ebb__policy_node *node, uint32_t was)
{
    (void)p;
    set_mark(node, was + 1);
}

static void s3_remember(ebb__policy *p, uint32_t tag)
{
    ghosts *g = state_of(p)->ghosts;
    add_ghost(g, tag, 0);
    while (g->list[0].len > state_of(p)->list[MAIN].len + 1)
        drop_ghost(g, EBB_CONTAINER(g->list[0].first, ghost, at));
}

static ebb__policy_node *s3_victim(ebb__policy *p, ebb__policy_pinned *pinned, void *ctx)
{
    (void)pinned, (void)ctx;
    for (;;) {
        bool small = first(p, SMALL) && (!first(p, MAIN) || part_is_over(p, SMALL, small_part));
        ebb__policy_node *node = take(p, first(p, small ? SMALL : MAIN));
        uint32_t hits = mark_of(node);
        if (small ? hits < MARK_MAIN : !hits) {
            if (small) s3_remember(p, node->tag);
            return node;
        }
        set_mark(node, small ? 0 : hits - 1);
        enter(p, node, MAIN);
    }
}

static const ebb__policy_kind s3_published = {
    .name = "S3-FIFO 10%",
    .init = s3_init,
    .fini = arc_fini,
    .insert = s3_insert,
    .mark = s3_hit,
    .victim = s3_victim,
    .remove = leave,
    .recount = recount,
    .check = check,
};

/* ---- W-TinyLFU ------------------------------------------------------------------------------- */

/* New keys pass through a window of 1 %. Who would leave it takes the place of who would leave the
   main part only if it has been asked for more often, by a sketch of counts: four rows, of which
   the least counts, halved after ten requests for each entry. The main part is a segmented LRU. */
enum { WINDOW = 0, PROBATION = 1, SAFE = 2 };
enum { ROWS = 4, COUNT_MOST = 15, PER_ENTRY = 10 };
static const double window_part = 0.01, safe_part = 0.99 * 0.8;

typedef struct sketch {
    uint8_t *count;
    size_t width, seen;
} sketch;

static uint8_t *counter(const sketch *k, uint32_t tag, uint32_t row)
{
    return &k->count[row * k->width + ebb_hash_u64(tag, row) % k->width];
}

static uint32_t count_of(const sketch *k, uint32_t tag)
{
    uint32_t least = COUNT_MOST;
    for (uint32_t row = 0; row < ROWS; row++)
        if (*counter(k, tag, row) < least) least = *counter(k, tag, row);
    return least;
}

/* The table follows the number of entries, which is not known before where bytes are limited. */
static void widen(sketch *k, size_t entries)
{
    if (k->width >= 2 * entries) return;
    free(k->count);
    k->width = 4 * entries;
    k->count = bench_need(ROWS * k->width);
    k->seen = 0;
}

static void count_request(ebb__policy *p, uint32_t tag)
{
    sketch *k = state_of(p)->sketch;
    size_t entries = p->max_entries > p->len ? p->max_entries : p->len;
    widen(k, entries);
    for (uint32_t row = 0; row < ROWS; row++) {
        uint8_t *c = counter(k, tag, row);
        *c = (uint8_t)(*c + (*c < COUNT_MOST));
    }
    if (++k->seen < PER_ENTRY * entries) return;
    for (size_t i = 0; i < ROWS * k->width; i++) k->count[i] /= 2;
    k->seen /= 2;
}

static bool tiny_init(ebb__policy *p)
{
    make_state(p, LEARN_ALL);
    state_of(p)->sketch = bench_need(sizeof(sketch));
    return true;
}

static void tiny_fini(ebb__policy *p)
{
    free(state_of(p)->sketch->count);
    free(state_of(p)->sketch);
    fini(p);
}

static void tiny_insert(ebb__policy *p, ebb__policy_node *node)
{
    count_request(p, node->tag);
    while (part_is_over(p, WINDOW, window_part)) enter(p, take(p, first(p, WINDOW)), PROBATION);
    enter(p, node, WINDOW);
}

static void tiny_hit(ebb__policy *p, ebb__policy_node *node, uint32_t was)
{
    (void)was;
    count_request(p, node->tag);
    uint32_t to = node->queue == WINDOW ? WINDOW : SAFE;
    enter(p, take(p, node), to);
    while (part_is_over(p, SAFE, safe_part)) enter(p, take(p, first(p, SAFE)), PROBATION);
}

static ebb__policy_node *tiny_victim(ebb__policy *p, ebb__policy_pinned *pinned, void *ctx)
{
    (void)pinned, (void)ctx;
    state *s = state_of(p);
    ebb__policy_node *in = first(p, WINDOW);
    ebb__policy_node *out = first(p, s->list[PROBATION].first ? PROBATION : SAFE);
    if (!out || !in || !part_is_over(p, WINDOW, window_part)) return take(p, out ? out : in);
    if (count_of(s->sketch, in->tag) <= count_of(s->sketch, out->tag)) return take(p, in);
    enter(p, take(p, in), PROBATION);
    return take(p, out);
}

static const ebb__policy_kind tiny_lfu = {
    .name = "W-TinyLFU",
    .init = tiny_init,
    .fini = tiny_fini,
    .insert = tiny_insert,
    .mark = tiny_hit,
    .victim = tiny_victim,
    .remove = leave,
    .recount = recount,
    .check = check,
};

/* ---- all ------------------------------------------------------------------------------------- */

const ebb__policy_kind *const sim_kinds[] = {
    &ebb__policy_s3_fifo, &ebb__policy_lru, &s3_published, &lru,      &fifo,
    &clock_kind,          &sieve,           &arc,          &tiny_lfu,
};
const size_t sim_kind_count = sizeof sim_kinds / sizeof *sim_kinds;
