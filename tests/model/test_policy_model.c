/*
 * tests/model/test_policy_model.c: the policies (share/policy.h) in random programs. The model
 * knows what is in, and its sums; and for LRU the order, which must be that of an exact one but for
 * what one tick blurs. Memory fails now and then, which may cost memory of evictions, never an
 * entry.
 */
#include "test.h"

#include "../../share/policy.h"

#include <ebb/ebb.h>

#include <stdio.h>

enum { KEYS = 2000, MAX_BYTES = 500, STEPS = 1000000 };

typedef struct item {
    ebb__policy_node node;
    bool here, pinned;
    unsigned long used; /* the step of the last hit */
} item;

typedef struct model {
    rng r;
    uint64_t seed;
    test_source source;
    ebb_arena *home;
    ebb__policy p;
    item item[KEYS];
    size_t len, bytes, pins;
    unsigned long step;
} model;

static bool is_pinned(void *ctx, const ebb__policy_node *node)
{
    (void)ctx;
    return EBB_CONTAINER(node, item, node)->pinned;
}

#define HOLDS(m, x)                                                                                \
    do {                                                                                           \
        if (!(x))                                                                                  \
            fprintf(stderr, "seed %llu, step %lu\n", (unsigned long long)(m)->seed, (m)->step);    \
        cr_assert(x);                                                                              \
    } while (0)

static void out(model *m, item *it)
{
    HOLDS(m, it->here);
    it->here = false;
    m->len--;
    m->bytes -= it->node.bytes;
}

static item *evict(model *m)
{
    ebb__policy_node *node = ebb__policy_victim(&m->p, is_pinned, NULL);
    if (!node) {
        HOLDS(m, m->len == m->pins);
        return NULL;
    }
    item *it = EBB_CONTAINER(node, item, node);
    HOLDS(m, !it->pinned);
    out(m, it);
    return it;
}

static void look_up(model *m, item *it)
{
    it->used = m->step;
    if (it->here) {
        ebb__policy_touch(&m->p, &it->node);
        return;
    }
    size_t bytes = 1 + rng_below(&m->r, MAX_BYTES);
    while (ebb__policy_is_over(&m->p, 1, bytes))
        if (!evict(m)) break;
    uint64_t hash = ebb_hash_u64((uint64_t)(it - m->item), m->seed);
    ebb__policy_insert(&m->p, &it->node, hash, bytes);
    it->here = true;
    m->len++;
    m->bytes += bytes;
}

static void drop(model *m, item *it)
{
    if (!it->here) return;
    m->pins -= it->pinned;
    it->pinned = false;
    ebb__policy_remove(&m->p, &it->node);
    out(m, it);
}

static void pin(model *m, item *it)
{
    if (!it->here) return;
    m->pins += it->pinned ? (size_t)-1 : 1;
    it->pinned = !it->pinned;
}

static void recount(model *m, item *it)
{
    if (!it->here) return;
    size_t bytes = 1 + rng_below(&m->r, MAX_BYTES);
    m->bytes += bytes - it->node.bytes;
    ebb__policy_recount(&m->p, &it->node, bytes);
}

static void resize(model *m)
{
    size_t entries = rng_below(&m->r, 4) ? 1 + rng_below(&m->r, KEYS / 2) : 0;
    size_t bytes =
        entries && rng_below(&m->r, 2) ? 0 : MAX_BYTES * (1 + rng_below(&m->r, KEYS / 4));
    ebb__policy_resize(&m->p, entries, bytes);
    while (ebb__policy_is_over(&m->p, 0, 0))
        if (!evict(m)) break;
}

static void check(model *m)
{
    const char *wrong = ebb__policy_check(&m->p);
    if (wrong) fprintf(stderr, "%s\n", wrong);
    HOLDS(m, !wrong && m->p.len == m->len && m->p.bytes == m->bytes);
}

/* Mostly keys of a small part, so that there are hits. */
static item *any(model *m)
{
    size_t among = rng_below(&m->r, 3) ? KEYS / 10 : KEYS;
    return &m->item[rng_below(&m->r, among)];
}

static void step(model *m)
{
    item *it = any(m);
    size_t what = rng_below(&m->r, 1000);
    if (what < 900) look_up(m, it);
    else if (what < 940) drop(m, it);
    else if (what < 970) pin(m, it);
    else if (what < 998) recount(m, it);
    else if (what < 999) resize(m);
    else check(m);
}

static void unpin_all(model *m)
{
    for (size_t i = 0; i < KEYS; i++) m->item[i].pinned = false;
    m->pins = 0;
}

static void begin(model *m, const ebb__policy_kind *kind, size_t entries)
{
    m->seed = 4711;
    m->r = (rng){m->seed};
    m->home = ebb_arena_create(&(ebb_arena_params){.source = &m->source.source});
    HOLDS(m, ebb__policy_init(&m->p, kind, m->home, entries, 0));
}

static void end(model *m)
{
    m->source.fail_all = false;
    unpin_all(m);
    while (evict(m)) continue;
    HOLDS(m, m->len == 0 && m->p.len == 0 && m->p.bytes == 0);
    ebb__policy_fini(&m->p);
    ebb_arena_destroy(&m->home);
    HOLDS(m, m->source.live == 0 && m->source.wrong_frees == 0);
    test_source_fini(&m->source);
}

static void run(const ebb__policy_kind *kind)
{
    static model m;
    test_source_init(&m.source);
    begin(&m, kind, KEYS / 4);
    unsigned long steps = scaled(STEPS);
    for (m.step = 1; m.step <= steps; m.step++) {
        if (rng_one_in(&m.r, 1000)) m.source.fail_all = !m.source.fail_all;
        step(&m);
    }
    check(&m);
    end(&m);
}

Test(policy_model, s3_fifo_in_random_programs)
{
    run(&ebb__policy_s3_fifo);
}

Test(policy_model, lru_in_random_programs)
{
    run(&ebb__policy_lru);
}

/* ---- the order of an LRU -----------------------------------------------------------------------
   */

static size_t older_than(const model *m, const item *it)
{
    size_t n = 0;
    for (size_t i = 0; i < KEYS; i++) n += m->item[i].here && m->item[i].used < it->used;
    return n;
}

/* Who goes is among the oldest: of those who were touched in one tick. */
Test(policy_model, lru_evicts_one_of_the_oldest)
{
    enum { ENTRIES = KEYS / 4, TICK = ENTRIES / 32 + 2 };
    static model m;
    test_source_init(&m.source);
    begin(&m, &ebb__policy_lru, ENTRIES);
    unsigned long steps = scaled(STEPS), worst = 0;
    for (m.step = 1; m.step <= steps; m.step++) {
        item *it = any(&m);
        if (!it->here && m.len == ENTRIES) {
            size_t older = older_than(&m, evict(&m));
            if (older > worst) worst = older;
        }
        look_up(&m, it);
    }
    if (worst > TICK) fprintf(stderr, "%lu were older\n", worst);
    HOLDS(&m, worst <= TICK);
    end(&m);
}

/* ---- no memory to begin with -------------------------------------------------------------------
   */

Test(policy_model, init_without_memory_leaves_nothing)
{
    static const ebb__policy_kind *const kinds[] = {&ebb__policy_s3_fifo, &ebb__policy_lru};
    static test_source source;
    for (int k = 0; k < 2; k++) {
        test_source_init(&source);
        ebb_arena *home = ebb_arena_create(&(ebb_arena_params){.source = &source.source});
        source.fail_all = true;
        ebb__policy p;
        while (ebb_alloc_optional(home, 64)) continue;
        cr_assert(!ebb__policy_init(&p, kinds[k], home, 100, 0));
        ebb_arena_destroy(&home);
        cr_assert_eq(source.live, 0);
        test_source_fini(&source);
    }
}
