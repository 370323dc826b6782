/*
 * share/canon.c: a table in which each content has one object. Sixteen parts, each with a lock and
 * a map from hashes to chains of weak references; a chain has more than one link only where two
 * contents have one hash. The user's comparison runs without the lock, with the candidate held.
 */
#include "internal.h"

typedef struct candidate {
    struct candidate *next;
    ebb_weak *weak;
} candidate;
_Static_assert(sizeof(candidate) <= HANDLE_SIZE, "a candidate lies in a handle");

#define EBB_MAP chains, uint64_t, candidate *
#include <ebb/map_of.h>

enum { PARTS = 16, PART_SHIFT = 60 };

typedef struct part {
    _Alignas(64) os_lock_t lock;
    ebb_arena *arena;
    chains chains;
    uint64_t version;      /* changes of chains so far */
    size_t entries, swept; /* swept: entries left by the last sweep */
} part;

struct ebb_canon {
    ebb_arena *arena;
    part part[PARTS];
};

/* ---- life ------------------------------------------------------------------------------------ */

static bool part_begin(part *p, const char *name)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = name;
    os_lock_init(&p->lock);
    p->arena = ebb_arena_create(&params);
    p->chains = chains_in(p->arena);
    return ebb_failed(p->arena) == EBB_OK;
}

ebb_canon *ebb_canon_create(const char *name)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = name ? name : "?";
    ebb_arena *a = ebb_arena_create(&params);
    ebb_canon *c = ebb_alloc_aligned(a, sizeof *c, _Alignof(ebb_canon));
    if (!c) {
        ebb_arena_destroy(&a);
        return NULL;
    }
    memset(c, 0, sizeof *c);
    c->arena = a;
    bool sound = true;
    for (int i = 0; i < PARTS; i++) sound = part_begin(&c->part[i], params.name) && sound;
    if (!sound) ebb_canon_destroy(&c);
    return c;
}

static void candidate_free(candidate *one)
{
    ebb_weak_drop(&one->weak);
    ebb__handle_free(one);
}

static void part_end(part *p)
{
    ebb_scope_attach(p->arena);
    for (chains_iter i = chains_each(&p->chains); chains_next(&i);)
        for (candidate *one = *i.val, *next; one; one = next) {
            next = one->next;
            candidate_free(one);
        }
    ebb_arena_destroy(&p->arena);
}

void ebb_canon_destroy(ebb_canon **canon)
{
    ebb_canon *c = *canon;
    *canon = NULL;
    if (!c) return;
    for (int i = 0; i < PARTS; i++) part_end(&c->part[i]);
    ebb_arena *a = c->arena;
    ebb_scope_attach(a);
    ebb_arena_destroy(&a);
}

/* ---- under a part's lock --------------------------------------------------------------------- */

/* Take the dead out of a chain. */
static void prune(part *p, candidate **chain)
{
    while (*chain) {
        candidate *one = *chain;
        ebb_shared *s = (ebb_shared *)(void *)one->weak;
        if (atomic_load_explicit(&s->strong, memory_order_relaxed) > 0) {
            chain = &one->next;
            continue;
        }
        *chain = one->next;
        p->entries--;
        p->version++;
        candidate_free(one);
    }
}

/* When there are twice as many as were alive the last time. */
static void sweep(part *p)
{
    const size_t least = 64;
    if (p->entries < least || p->entries < 2 * p->swept) return;
    for (chains_iter i = chains_each(&p->chains); chains_next(&i);) {
        prune(p, i.val);
        if (!*i.val) chains_remove_at(&i);
    }
    p->swept = p->entries;
}

/* A reference to the first that lives, from the *at-th of the chain on; *at becomes its place. */
static ebb_shared *living(const part *p, uint64_t hash, size_t *at)
{
    candidate *const *chain = chains_find(&p->chains, hash);
    const candidate *one = chain ? *chain : NULL;
    for (size_t i = 0; one; one = one->next, i++) {
        ebb_shared *s = i >= *at ? ebb_weak_upgrade(one->weak) : NULL;
        *at = s ? i : *at;
        if (s) return s;
    }
    return NULL;
}

/* ---- finding and entering -------------------------------------------------------------------- */

static part *part_of(ebb_canon *c, uint64_t hash)
{
    return &c->part[hash >> PART_SHIFT];
}

/* What @is says true of; NULL: there is none, and the part is left locked. If the chains change
   meanwhile it begins anew, for the place in the chain is then another. */
static ebb_shared *find_or_lock(part *p, uint64_t hash, ebb_canon_fn *is, void *ctx)
{
    size_t at = 0;
    uint64_t version = 0;
    for (;; at++) {
        os_lock(&p->lock);
        if (at > 0 && version != p->version) at = 0;
        version = p->version;
        ebb_shared *s = living(p, hash, &at);
        if (!s) return NULL;
        os_unlock(&p->lock);
        if (is(ctx, s->root)) return s;
        ebb_shared_drop(&s);
    }
}

ebb_shared *ebb_canon_find(ebb_canon *c, uint64_t hash, ebb_canon_fn *is, void *ctx)
{
    part *p = part_of(c, hash);
    ebb_shared *s = find_or_lock(p, hash, is, ctx);
    if (!s) os_unlock(&p->lock);
    return s;
}

static bool enter(part *p, uint64_t hash, candidate *one)
{
    ebb_scope_attach(p->arena);
    sweep(p);
    candidate **chain = chains_get_or_put(&p->chains, hash, NULL);
    if (!chain) return false;
    one->next = *chain;
    *chain = one;
    p->entries++;
    p->version++;
    return true;
}

bool ebb_canon_put(ebb_canon *c, uint64_t hash, ebb_canon_fn *is, void *ctx, ebb_shared **s)
{
    part *p = part_of(c, hash);
    candidate *one = ebb__handle_new();
    if (!one) return false;
    *one = (candidate){NULL, ebb_weak_of(*s)};
    ebb_shared *there = find_or_lock(p, hash, is, ctx);
    bool entered = !there && enter(p, hash, one);
    if (!there) os_unlock(&p->lock);
    if (!entered) candidate_free(one);
    if (!there) return entered;
    ebb_shared_drop(s);
    *s = there;
    return true;
}
