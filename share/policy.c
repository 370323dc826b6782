/*
 * share/policy.c: what all policies have in common. See policy.h.
 */
#include "policy.h"

bool ebb__policy_init(ebb__policy *p, const ebb__policy_kind *kind, ebb_arena *home,
                      size_t max_entries, size_t max_bytes)
{
    *p = (ebb__policy){
        .kind = kind, .home = home, .max_entries = max_entries, .max_bytes = max_bytes};
    return kind->init(p);
}

void ebb__policy_fini(ebb__policy *p)
{
    p->kind->fini(p);
    p->len = p->bytes = 0;
}

/* Both halves, since the cache may have used either to find the shard. */
static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash ^ hash >> 32);
}

void ebb__policy_insert(ebb__policy *p, ebb__policy_node *node, uint64_t hash, size_t bytes)
{
    node->bytes = bytes;
    atomic_store_explicit(&node->tag, tag_of(hash), memory_order_relaxed);
    p->len++;
    p->bytes += bytes;
    p->kind->insert(p, node);
}

static void count_out(ebb__policy *p, const ebb__policy_node *node)
{
    p->len--;
    p->bytes -= node->bytes;
}

void ebb__policy_remove(ebb__policy *p, ebb__policy_node *node)
{
    p->kind->remove(p, node);
    count_out(p, node);
}

ebb__policy_node *ebb__policy_victim(ebb__policy *p, ebb__policy_pinned *pinned, void *ctx)
{
    ebb__policy_node *node = p->len ? p->kind->victim(p, pinned, ctx) : NULL;
    if (node) count_out(p, node);
    return node;
}

void ebb__policy_recount(ebb__policy *p, ebb__policy_node *node, size_t bytes)
{
    p->kind->recount(p, node, bytes);
    p->bytes += bytes - node->bytes;
    node->bytes = bytes;
}

void ebb__policy_resize(ebb__policy *p, size_t max_entries, size_t max_bytes)
{
    p->max_entries = max_entries;
    p->max_bytes = max_bytes;
}

const char *ebb__policy_check(const ebb__policy *p)
{
    return p->kind->check(p);
}

const char *ebb__policy_check_list(const ebb_list *list, ebb__policy_sum *sum)
{
    const ebb_link *prev = NULL;
    size_t len = 0;
    for (const ebb_link *l = list->first; l; prev = l, l = l->next, len++) {
        if (l->prev != prev) return "a node's neighbour does not know of it";
        sum->bytes += EBB_CONTAINER(l, ebb__policy_node, at)->bytes;
    }
    if (list->last != prev) return "a queue does not end with its last node";
    if (list->len != len) return "a queue has not as many nodes as it says";
    sum->len += len;
    return NULL;
}

const char *ebb__policy_check_sum(const ebb__policy *p, const ebb__policy_sum *sum)
{
    if (sum->len != p->len) return "the policy has not as many nodes as it says";
    return sum->bytes == p->bytes ? NULL : "the policy has not as many bytes as it says";
}
