/*
 * share/policy_lru.c: LRU by stamp. See policy.h.
 *
 *     ring:  [ oldest ] [ ] [ ] ... [ this tick ]      each a queue of nodes
 *                |                       ^
 *                +--- touched since -----+  filed anew, when it comes up for eviction
 *                +--- not touched: evicted
 *
 * Ticks are compared by their difference, so that they may wrap. A node filed under a tick that is
 * older than the ring's oldest lies in the oldest's queue.
 */
#include "policy.h"

#include <string.h>

enum {
    RING = 64,      /* queues: ticks that are told apart */
    PER_CACHE = 32, /* ticks in which as many nodes are touched as there are entries */
    SAMPLE = 8,   /* of a large cache's nodes one in so many is counted: readers share the count */
    LARGE = 1024, /* entries */
    LINE = 64
};

/* What readers write lies apart from what they read. */
typedef struct ring {
    ebb_list queue[RING];
    char apart[LINE];
    _Atomic uint32_t touched; /* in this tick, of those that are counted */
    char apart_too[LINE];
} ring;

static ring *ring_of(const ebb__policy *p)
{
    return p->lru.room.ptr;
}

static ebb_list *queue_of(const ebb__policy *p, uint32_t tick)
{
    uint32_t oldest = p->lru.oldest;
    if ((int32_t)(tick - oldest) < 0) tick = oldest;
    return &ring_of(p)->queue[tick % RING];
}

/* The queue of the oldest tick becomes the head of the next one's. */
static void drop_oldest(ebb__policy *p)
{
    ebb_list *from = queue_of(p, p->lru.oldest), *to = queue_of(p, p->lru.oldest + 1);
    ebb_list_append(from, to);
    *to = *from;
    *from = (ebb_list)EBB_LIST_INIT;
    p->lru.oldest++;
}

/* Ticks pass by hits alone; after RING merges all is in one queue, that has but to be moved. */
static uint32_t catch_up(ebb__policy *p)
{
    uint32_t now = atomic_load_explicit(&p->full, memory_order_relaxed);
    for (int n = 0; n < RING && now - p->lru.oldest >= RING; n++) drop_oldest(p);
    if (now - p->lru.oldest >= RING) {
        ebb_list all = *queue_of(p, p->lru.oldest);
        *queue_of(p, p->lru.oldest) = (ebb_list)EBB_LIST_INIT;
        p->lru.oldest = now - RING + 1;
        *queue_of(p, p->lru.oldest) = all;
    }
    return now;
}

static bool init(ebb__policy *p)
{
    atomic_init(&p->full, 1);
    p->lru.oldest = 1;
    if (!ebb_storage_grow(p->home, &p->lru.room, 0, sizeof(ring))) return false;
    memset(p->lru.room.ptr, 0, sizeof(ring));
    return true;
}

static void fini(ebb__policy *p)
{
    ebb_storage_release(p->home, &p->lru.room);
}

/* Count a node that is touched for the first time in this tick; who is too many ends it. */
static void count_touch(ebb__policy *p, const ebb__policy_node *node, uint32_t now)
{
    uint32_t lot = atomic_load_explicit(&node->tag, memory_order_relaxed);
    if (lot & atomic_load_explicit(&p->lru.sample, memory_order_relaxed)) return;
    _Atomic uint32_t *count = &ring_of(p)->touched;
    uint32_t touched = 1 + atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    if (touched <= atomic_load_explicit(&p->lru.quantum, memory_order_relaxed)) return;
    if (atomic_compare_exchange_strong_explicit(&p->full, &now, now + 1, memory_order_relaxed,
                                                memory_order_relaxed))
        atomic_store_explicit(count, 0, memory_order_relaxed);
}

static void mark(ebb__policy *p, ebb__policy_node *node, uint32_t was)
{
    (void)was;
    uint32_t now = atomic_load_explicit(&p->full, memory_order_relaxed);
    atomic_store_explicit(&node->mark, now, memory_order_relaxed);
    count_touch(p, node, now);
}

static void file(ebb__policy *p, ebb__policy_node *node, uint32_t tick)
{
    node->queue = tick;
    ebb_list_push_back(queue_of(p, tick), &node->at);
}

static void leave(ebb__policy *p, ebb__policy_node *node)
{
    ebb_list_remove(queue_of(p, node->queue), &node->at);
}

static void set_quantum(ebb__policy *p)
{
    uint32_t sample = p->len < LARGE ? 1 : SAMPLE;
    size_t quantum = p->len / PER_CACHE / sample;
    if (quantum > INT32_MAX) quantum = INT32_MAX;
    atomic_store_explicit(&p->lru.quantum, (uint32_t)quantum, memory_order_relaxed);
    atomic_store_explicit(&p->lru.sample, sample - 1, memory_order_relaxed);
}

static void insert(ebb__policy *p, ebb__policy_node *node)
{
    uint32_t now = catch_up(p);
    set_quantum(p);
    atomic_store_explicit(&node->mark, now, memory_order_relaxed);
    file(p, node, now);
    count_touch(p, node, now);
}

/* The first of the oldest queue that is not empty; there is one. */
static ebb__policy_node *first(ebb__policy *p)
{
    while (!queue_of(p, p->lru.oldest)->first) p->lru.oldest++;
    return EBB_CONTAINER(queue_of(p, p->lru.oldest)->first, ebb__policy_node, at);
}

/* Readers go on stamping meanwhile, but what they have stamped now is not older than `now`. Who has
   met as many pinned nodes in a row as there are has met all. */
static ebb__policy_node *victim(ebb__policy *p, ebb__policy_pinned *pinned, void *ctx)
{
    uint32_t now = catch_up(p);
    for (size_t held = 0; held <= p->len;) {
        ebb__policy_node *node = first(p);
        uint32_t stamp = atomic_load_explicit(&node->mark, memory_order_relaxed);
        if ((int32_t)(stamp - now) > 0) stamp = now;
        bool touched = (int32_t)(stamp - node->queue) > 0;
        bool stays = touched || (pinned && pinned(ctx, node));
        leave(p, node);
        if (!stays) return node;
        file(p, node, touched ? stamp : now);
        held = touched ? 0 : held + 1;
    }
    return NULL;
}

static void recount(ebb__policy *p, ebb__policy_node *node, size_t bytes)
{
    (void)p, (void)node, (void)bytes;
}

static const char *check(const ebb__policy *p)
{
    ebb__policy_sum sum = {0, 0};
    const char *wrong = NULL;
    for (uint32_t i = 0; !wrong && i < RING; i++)
        wrong = ebb__policy_check_list(queue_of(p, p->lru.oldest + i), &sum);
    return wrong ? wrong : ebb__policy_check_sum(p, &sum);
}

const ebb__policy_kind ebb__policy_lru = {
    .name = "LRU by stamp",
    .init = init,
    .fini = fini,
    .insert = insert,
    .mark = mark,
    .victim = victim,
    .remove = leave,
    .recount = recount,
    .check = check,
};
