/*
 * share/policy_s3_fifo.c: S3-FIFO. See policy.h.
 *
 *     new keys -------------> [ small ] --hit------> [ main ] <--+
 *                                 |                  |  |     | hit: once more,
 *                              evicted               |  +-----+ with one count less
 *                                 v               evicted
 *     asked for again <--- [ ghosts of small ]       v
 *       into main                             [ ghosts of main ] ---> asked for again: into small
 *
 * Each queue has a table of ghosts, with a clock that counts what left the queue. A ghost that is
 * asked for within a hundredth of the cache's entries is one which the queue would have held, had
 * it been that much longer.
 */
#include "policy.h"

#include <string.h>

enum {
    SMALL,
    MAIN,
    MARK_MOST = 3, /* a mark is two bits */
    NEAR = 100,    /* a part of the entries: who returns that soon has just been missed */
    STEP_UP = 3,   /* entries by which the small queue then grows, */
    STEP_DOWN = 4, /* or shrinks: who stays in the main queue is of use for longer */
    SLOTS = 8,     /* ghosts in a bucket */
    FIRST_BUCKETS = 4
};
/* The small queue's part: where it begins, as published, and between which it moves. */
static const double share_first = 0.1, share_least = 0.01, share_most = 0.6;

/* ---- ghosts ---------------------------------------------------------------------------------- */

/* A slot is a tag and, in its low half, the time it was remembered. The clock begins where zeroed
   slots have long been forgotten. */
static const uint32_t CLOCK_FIRST = (uint32_t)1 << 31;
static const uint32_t NEVER = UINT32_MAX;

typedef struct bucket {
    uint64_t slot[SLOTS];
} bucket;

static bucket *bucket_of(const ebb__ghosts *g, uint32_t tag)
{
    return (bucket *)g->room.ptr + ((uint64_t)tag * g->buckets >> 32);
}

static uint32_t age(const ebb__ghosts *g, uint64_t slot)
{
    return g->now - (uint32_t)slot;
}

/* The oldest of the bucket gives way, be it still remembered or not. */
static void put_ghost(const ebb__ghosts *g, uint64_t ghost)
{
    bucket *b = bucket_of(g, (uint32_t)(ghost >> 32));
    size_t oldest = 0;
    for (size_t i = 1; i < SLOTS; i++)
        if (age(g, b->slot[i]) > age(g, b->slot[oldest])) oldest = i;
    b->slot[oldest] = ghost;
}

/* How many evictions ago the key has left, if less than @span; it is then forgotten. Else NEVER. */
static uint32_t take_ghost(const ebb__ghosts *g, uint32_t tag, size_t span)
{
    bucket *b = bucket_of(g, tag);
    for (size_t i = 0; i < SLOTS; i++) {
        uint32_t ago = age(g, b->slot[i]);
        if (b->slot[i] >> 32 != tag || ago >= span) continue;
        b->slot[i] = 0;
        return ago;
    }
    return NEVER;
}

static bool make_ghosts(ebb_arena *home, ebb__ghosts *g, size_t buckets)
{
    ebb__ghosts larger = {.buckets = buckets, .now = g->now};
    if (buckets > SIZE_MAX / sizeof(bucket)) return false;
    if (!ebb_storage_grow(home, &larger.room, 0, buckets * sizeof(bucket))) return false;
    memset(larger.room.ptr, 0, buckets * sizeof(bucket));
    const bucket *old = g->room.ptr;
    for (size_t i = 0; i < g->buckets * SLOTS; i++) {
        uint64_t ghost = old[i / SLOTS].slot[i % SLOTS];
        if (ghost) put_ghost(&larger, ghost);
    }
    if (g->room.ptr) ebb_storage_release(home, &g->room);
    *g = larger;
    return true;
}

/* Half as many slots again as ghosts: few buckets then overflow. It is no failure if there is no
   memory: what the buckets can't hold is forgotten early. */
static void remember(ebb_arena *home, ebb__ghosts *g, uint32_t tag, size_t span)
{
    if (g->buckets * SLOTS / 3 * 2 < span) make_ghosts(home, g, 2 * g->buckets);
    g->now++;
    put_ghost(g, (uint64_t)tag << 32 | g->now);
}

/* ---- queues ---------------------------------------------------------------------------------- */

static void enter(ebb__policy *p, ebb__policy_node *node, uint32_t queue)
{
    node->queue = queue;
    ebb_list_push_back(queue == SMALL ? &p->s3.small : &p->s3.main, &node->at);
    if (queue == SMALL) p->s3.small_bytes += node->bytes;
}

static void leave(ebb__policy *p, ebb__policy_node *node)
{
    ebb_list_remove(node->queue == SMALL ? &p->s3.small : &p->s3.main, &node->at);
    if (node->queue == SMALL) p->s3.small_bytes -= node->bytes;
}

static bool small_is_next(const ebb__policy *p)
{
    if (!p->s3.small.first || !p->s3.main.first) return p->s3.small.first;
    return (p->max_entries && (double)p->s3.small.len >= p->s3.share * (double)p->max_entries) ||
           (p->max_bytes && (double)p->s3.small_bytes >= p->s3.share * (double)p->max_bytes);
}

/* ---- the policy ------------------------------------------------------------------------------ */

static bool init(ebb__policy *p)
{
    p->s3.share = share_first;
    p->s3.of_small.now = p->s3.of_main.now = CLOCK_FIRST;
    atomic_init(&p->full, MARK_MOST);
    if (!make_ghosts(p->home, &p->s3.of_small, FIRST_BUCKETS)) return false;
    if (make_ghosts(p->home, &p->s3.of_main, FIRST_BUCKETS)) return true;
    ebb_storage_release(p->home, &p->s3.of_small.room);
    return false;
}

static void fini(ebb__policy *p)
{
    ebb_storage_release(p->home, &p->s3.of_small.room);
    ebb_storage_release(p->home, &p->s3.of_main.room);
}

static size_t near_span(const ebb__policy *p)
{
    return p->len / NEAR + 1;
}

static void move_border(ebb__policy *p, double entries)
{
    double share = p->s3.share + entries / (double)p->len;
    if (share < share_least) share = share_least;
    p->s3.share = share < share_most ? share : share_most;
}

static void insert(ebb__policy *p, ebb__policy_node *node)
{
    size_t near = near_span(p), main = p->s3.main.len;
    uint32_t ago = take_ghost(&p->s3.of_small, node->tag, main > near ? main : near);
    if (ago < near) move_border(p, STEP_UP);
    if (take_ghost(&p->s3.of_main, node->tag, near) != NEVER) move_border(p, -STEP_DOWN);
    atomic_store_explicit(&node->mark, 0, memory_order_relaxed);
    enter(p, node, ago == NEVER ? SMALL : MAIN);
}

/* Two hits at once may count as one. */
static void mark(ebb__policy *p, ebb__policy_node *node, uint32_t was)
{
    (void)p;
    atomic_store_explicit(&node->mark, was + 1, memory_order_relaxed);
}

/* Give @node, the first of its queue, another turn in the main one; false: its turns are over. */
static bool spare(ebb__policy *p, ebb__policy_node *node)
{
    uint32_t hits = atomic_load_explicit(&node->mark, memory_order_relaxed);
    bool small = node->queue == SMALL;
    if (hits == 0) return false;
    leave(p, node);
    enter(p, node, MAIN);
    atomic_store_explicit(&node->mark, small ? 0 : hits - 1, memory_order_relaxed);
    return true;
}

static void remember_victim(ebb__policy *p, const ebb__policy_node *node)
{
    if (node->queue == MAIN) remember(p->home, &p->s3.of_main, node->tag, near_span(p));
    else remember(p->home, &p->s3.of_small, node->tag, p->s3.main.len);
}

/* Readers go on marking meanwhile: after as many turns as all marks could have given, none counts.
   Pinned nodes pass to the end of the main queue; who has met as many in a row as there are nodes
   has met all of that queue, and goes on with the small one, be it its turn or not. */
static ebb__policy_node *victim(ebb__policy *p, ebb__policy_pinned *pinned, void *ctx)
{
    size_t turns = (MARK_MOST + 1) * p->len;
    for (size_t held = 0; held <= 2 * p->len;) {
        bool all_of_main = held > p->len && p->s3.small.first;
        ebb_list *from = small_is_next(p) || all_of_main ? &p->s3.small : &p->s3.main;
        ebb__policy_node *node = EBB_CONTAINER(from->first, ebb__policy_node, at);
        if (turns && spare(p, node)) {
            turns--;
            held = 0;
            continue;
        }
        bool stays = pinned && pinned(ctx, node);
        leave(p, node);
        if (!stays) {
            remember_victim(p, node);
            return node;
        }
        enter(p, node, MAIN);
        held++;
    }
    return NULL;
}

static void recount(ebb__policy *p, ebb__policy_node *node, size_t bytes)
{
    if (node->queue == SMALL) p->s3.small_bytes += bytes - node->bytes;
}

static const char *check(const ebb__policy *p)
{
    ebb__policy_sum sum = {0, 0};
    const char *wrong = ebb__policy_check_list(&p->s3.small, &sum);
    if (!wrong && sum.bytes != p->s3.small_bytes) wrong = "the small queue has lost count";
    if (!wrong) wrong = ebb__policy_check_list(&p->s3.main, &sum);
    return wrong ? wrong : ebb__policy_check_sum(p, &sum);
}

const ebb__policy_kind ebb__policy_s3_fifo = {
    .name = "S3-FIFO",
    .init = init,
    .fini = fini,
    .insert = insert,
    .mark = mark,
    .victim = victim,
    .remove = leave,
    .recount = recount,
    .check = check,
};
