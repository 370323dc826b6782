/*
 * share/policy.h: which entry of a cache goes when there is no room. For the cache, and for the
 * bench that replays traces through this very code; not for users, who choose a policy by name.
 *
 * The cache's entry embeds an ebb__policy_node. A policy never allocates for a node, and holds no
 * lock: all calls but `touch` are made under the lock of the cache (or of its shard) that owns the
 * policy. `touch` is made by readers on any thread with no lock at all, at the same time as all
 * others; it writes to the node only as long as its mark has something to learn, so the line of a
 * hot entry stays shared between the readers' caches.
 *
 *     insert --> [ the policy's queues ] --> victim --> what it remembers of it (S3-FIFO's ghosts)
 *                         |
 *                         +--> remove: expired, invalidated; nothing is remembered
 *
 * S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: "FIFO queues are all you need for cache eviction", SOSP
 * 2023). New keys enter a small queue; those hit there pass to the main one, the others leave, and
 * are remembered for as many evictions as the main queue has entries. What is asked for again by
 * then enters the main queue at once. The main queue is a clock with counts up to 3.
 *
 * Ours differs in two points, both of which the bench has shown to be worth it. One hit is enough
 * to pass, not two. And the small queue is not always a tenth: if what has just left the small
 * queue is asked for again, a longer one would have had it; if it has just left the main queue, a
 * longer main queue would. Each such hit moves the border a little, until both are worth the same.
 * (The idea is ARC's: Megiddo and Modha, FAST 2003; the paper's own S3-FIFO-D is akin.)
 *
 * LRU by stamp. An exact LRU moves an entry at each hit, under a lock. Here a hit writes the number
 * of the present tick into the node, at most once a tick; a tick is over when as many nodes have
 * been touched or inserted as 1/32 of the entries. Nodes lie in a queue per tick, and are moved to
 * that of their stamp only when they come up for eviction. The order is that of an LRU but for
 * those of one tick; the bench shows it beside an exact one.
 *
 * Invariants
 *   a node is in at most one policy, and in one of its queues
 *   len and bytes are the sums over the nodes that are in
 *   a node's mark may change at any moment; all else of it, under the lock; its tag is atomic since
 *   who touches a node that has left may read it while it enters again
 */
#ifndef EBB_SHARE_POLICY_H
#define EBB_SHARE_POLICY_H

#include <ebb/list.h>
#include <ebb/storage.h>

#include <stdatomic.h>

typedef struct ebb__policy ebb__policy;

/* Part of an entry. Zeroed memory is a node that is in no policy. */
typedef struct ebb__policy_node {
    ebb_link at;
    size_t bytes;          /* what it takes of max_bytes; as given to insert */
    _Atomic uint32_t tag;  /* of its key's hash: by it the key is remembered */
    uint32_t queue;        /* which; the policy's own */
    _Atomic uint32_t mark; /* S3-FIFO: hits, up to 3. LRU: the tick of the last hit */
} ebb__policy_node;

/* Whether @node must stay, because it is in use. It may not call the policy. */
typedef bool ebb__policy_pinned(void *ctx, const ebb__policy_node *node);

/* One policy's functions. Whoever calls uses the functions below. */
typedef struct ebb__policy_kind {
    const char *name;
    bool (*init)(ebb__policy *);
    void (*fini)(ebb__policy *);
    void (*insert)(ebb__policy *, ebb__policy_node *);
    void (*mark)(ebb__policy *, ebb__policy_node *, uint32_t was);
    ebb__policy_node *(*victim)(ebb__policy *, ebb__policy_pinned *, void *ctx);
    void (*remove)(ebb__policy *, ebb__policy_node *);
    void (*recount)(ebb__policy *, ebb__policy_node *, size_t bytes);
    const char *(*check)(const ebb__policy *);
} ebb__policy_kind;

extern const ebb__policy_kind ebb__policy_s3_fifo, ebb__policy_lru;

/* What went out lately: tags in buckets of eight, each with the time it went. */
typedef struct ebb__ghosts {
    ebb_storage room;
    size_t buckets;
    uint32_t now; /* goes on with each eviction that is remembered; wraps */
} ebb__ghosts;

struct ebb__policy {
    const ebb__policy_kind *kind;
    _Atomic uint32_t full;         /* a mark of this value has nothing to learn from a hit */
    size_t len, bytes;             /* of the nodes that are in */
    size_t max_entries, max_bytes; /* 0: no limit */
    ebb_arena *home;               /* of what the policy itself needs */
    union {
        struct {
            ebb_list small, main;
            size_t small_bytes;
            double share; /* of the limits, that the small queue may take */
            ebb__ghosts of_small, of_main;
        } s3;
        struct {
            ebb_storage room; /* of the ring of queues, and of what readers write */
            uint32_t oldest;  /* the tick of the ring's oldest queue */
            _Atomic uint32_t quantum, sample;
        } lru;
        void *own; /* of a policy that is not the library's */
    };
};

/**
 * Make *@p an empty policy of @kind, for a cache of at most @max_entries and @max_bytes (0: no such
 * limit). Keeps @home, whose holder is whoever has the policy's lock.
 * Fails: false, no memory in @home; *@p is then nothing.
 */
bool ebb__policy_init(ebb__policy *p, const ebb__policy_kind *kind, ebb_arena *home,
                      size_t max_entries, size_t max_bytes);

/** Give back what *@p took from its arena. Nodes that are in are let be: they are dead to it. */
void ebb__policy_fini(ebb__policy *p);

/**
 * Take @node in: its key has this @hash (all 64 bits good), and it counts for @bytes. There should
 * be room: see ebb__policy_is_over. Keeps @node until it is a victim, or removed.
 * Fails: never. Without memory for it S3-FIFO remembers fewer evictions, and chooses less well.
 */
void ebb__policy_insert(ebb__policy *p, ebb__policy_node *node, uint64_t hash, size_t bytes);

/**
 * Note a hit of @node. It may just have left the policy; its memory must still be there.
 * Cost: two loads and a branch, and once or thrice a store; LRU: a call once a tick.
 * Threads: any, with no lock.
 */
static inline void ebb__policy_touch(ebb__policy *p, ebb__policy_node *node)
{
    uint32_t was = atomic_load_explicit(&node->mark, memory_order_relaxed);
    if (EBB_LIKELY(was == atomic_load_explicit(&p->full, memory_order_relaxed))) return;
    p->kind->mark(p, node, was);
}

/** Take @node out, and remember nothing of it. It must be in. Never fails. */
void ebb__policy_remove(ebb__policy *p, ebb__policy_node *node);

/**
 * Choose a node to evict that is not @pinned (NULL: none is), take it out, and return it; NULL: all
 * are pinned, or there is none. A node found pinned is passed over as if it had been hit.
 * Cost: O(1) amortised; O(len) where all, or nearly all, are pinned.
 */
ebb__policy_node *ebb__policy_victim(ebb__policy *p, ebb__policy_pinned *pinned, void *ctx);

/** Return whether the limits would be passed with @entries and @bytes more. */
static inline bool ebb__policy_is_over(const ebb__policy *p, size_t entries, size_t bytes)
{
    return (p->max_entries && (entries > p->max_entries || p->len > p->max_entries - entries)) ||
           (p->max_bytes && (bytes > p->max_bytes || p->bytes > p->max_bytes - bytes));
}

/** Change what @node, which is in, counts for. */
void ebb__policy_recount(ebb__policy *p, ebb__policy_node *node, size_t bytes);

/** Change the limits. What is too much then stays until it is evicted: ebb__policy_is_over(p, 0,
    0). */
void ebb__policy_resize(ebb__policy *p, size_t max_entries, size_t max_bytes);

/** Return what is wrong with *@p, static, or NULL. For tests. Cost: O(len). */
const char *ebb__policy_check(const ebb__policy *p);

/* For the checks of policies: what the queues seen so far hold. */
typedef struct ebb__policy_sum {
    size_t len, bytes;
} ebb__policy_sum;
const char *ebb__policy_check_list(const ebb_list *list, ebb__policy_sum *sum);
const char *ebb__policy_check_sum(const ebb__policy *p, const ebb__policy_sum *sum);

#endif /* EBB_SHARE_POLICY_H */
