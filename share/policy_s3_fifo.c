/*
 * share/policy_s3_fifo.c: S3-FIFO. See policy.h.
 *
 *     new keys ------------> [ small, a tenth ] --hit twice--> [ main ] <--+
 *                                   |                            |  |     | hit: once more,
 *     remembered keys --+           v                            v  +-----+ with one count less
 *            |          |        evicted                      evicted
 *            |          +-- [ ghosts ] <--'
 *            +--------------------------------------------> main
 */
#include "policy.h"

#include <string.h>

enum {
    SMALL,
    MAIN,
    SMALL_SHARE = 10, /* the small queue may take one part in ten */
    MARK_MOST = 3,    /* a mark is two bits */
    MARK_MAIN = 2,    /* hits in the small queue that lead to the main one */
    SLOTS = 8,        /* ghosts in a bucket */
    FIRST_BUCKETS = 4
};

/* ---- ghosts ---------------------------------------------------------------------------------- */

/* A slot is a tag and, in its low half, the time it was remembered. The clock begins where zeroed
   slots have long been forgotten. */
static const uint32_t CLOCK_FIRST = (uint32_t)1 << 31;

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

/* Whether the key has left less than @span evictions ago; it is then forgotten. */
static bool take_ghost(const ebb__ghosts *g, uint32_t tag, size_t span)
{
    bucket *b = bucket_of(g, tag);
    for (size_t i = 0; i < SLOTS; i++)
        if (b->slot[i] >> 32 == tag && age(g, b->slot[i]) < span) {
            b->slot[i] = 0;
            return true;
        }
    return false;
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

/* Half as many slots again as ghosts: few buckets then overflow. It is no failure if there is no memory:
   what the buckets can't hold is forgotten early. */
static void remember(ebb__policy *p, uint32_t tag)
{
    ebb__ghosts *g = &p->s3.ghosts;
    if (g->buckets * SLOTS / 3 * 2 < p->s3.main.len) make_ghosts(p->home, g, 2 * g->buckets);
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
    return (p->max_entries && p->s3.small.len >= p->max_entries / SMALL_SHARE) ||
           (p->max_bytes && p->s3.small_bytes >= p->max_bytes / SMALL_SHARE);
}

/* ---- the policy ------------------------------------------------------------------------------ */

static bool init(ebb__policy *p)
{
    p->s3.ghosts.now = CLOCK_FIRST;
    atomic_init(&p->full, MARK_MOST);
    return make_ghosts(p->home, &p->s3.ghosts, FIRST_BUCKETS);
}

static void fini(ebb__policy *p)
{
    ebb_storage_release(p->home, &p->s3.ghosts.room);
}

static void insert(ebb__policy *p, ebb__policy_node *node)
{
    bool was_here = take_ghost(&p->s3.ghosts, node->tag, p->s3.main.len);
    atomic_store_explicit(&node->mark, 0, memory_order_relaxed);
    enter(p, node, was_here ? MAIN : SMALL);
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
    if (hits < (small ? (uint32_t)MARK_MAIN : 1)) return false;
    leave(p, node);
    enter(p, node, MAIN);
    atomic_store_explicit(&node->mark, small ? 0 : hits - 1, memory_order_relaxed);
    return true;
}

/* Readers go on marking meanwhile: after as many turns as all marks could have given, no mark counts. */
static ebb__policy_node *victim(ebb__policy *p, ebb__policy_pinned *pinned, void *ctx)
{
    size_t turns = (MARK_MOST + 1) * p->len, held = 2 * p->len;
    for (;;) {
        ebb_list *from = small_is_next(p) ? &p->s3.small : &p->s3.main;
        ebb__policy_node *node = EBB_LIST_ITEM(from->first, ebb__policy_node, at);
        if (turns && spare(p, node)) {
            turns--;
            continue;
        }
        bool held_now = pinned && pinned(ctx, node);
        if (held_now && held-- == 0) return NULL;
        leave(p, node);
        if (held_now) {
            enter(p, node, MAIN);
            continue;
        }
        if (node->queue == SMALL) remember(p, node->tag);
        return node;
    }
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
