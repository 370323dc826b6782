/*
 * Random scopes, each looked at when it ends: what a profile's ledger says of one must add up, and
 * agree with what the arena said of itself just before.
 *
 * The first end of a thread is looked at, so each scope has a thread of its own. In half of the
 * programs, which do nothing but allocate, the free bytes of each window are noted, too, from the two
 * public words of the arena, at the moment when a newer chunk replaces it.
 *
 * Seeds are fixed; a failure prints its own. EBB_TEST_SCALE divides the number of programs.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <inttypes.h>
#include <stdio.h>

enum { SLOTS = 6, DEPTH = 4 };

typedef struct program {
    uint64_t seed;
    rng random;
    ebb_arena *a;
    ebb_storage slot[SLOTS];
    void *grown;
    size_t grown_size;
    ebb_mark mark[DEPTH];
    int depth;
    /* what is noted */
    ebb_arena_stats stats;
    uint64_t tails, idle;
    bool only_allocates;
} program;

static ebb_profile profile = EBB_PROFILE("model");

static size_t pick(program *p, size_t below)
{
    return rng_below(&p->random, below);
}

static size_t any_size(program *p)
{
    switch (pick(p, 8)) {
    case 0: return pick(p, 5000);
    case 1: return pick(p, 40000);
    default: return pick(p, 300);
    }
}

/* ---- all that changes what an arena holds ------------------------------------------------------ */

static void adopt(program *p)
{
    ebb_arena *child = ebb_arena_create(NULL);
    ebb_storage s = {NULL, 0};
    for (size_t n = pick(p, 5); n > 0; n--) ebb_alloc(child, any_size(p));
    if (ebb_storage_grow(child, &s, 0, 1500 + pick(p, 2000)) && pick(p, 2)) {
        ebb_alloc(child, 16);
        ebb_storage_release(child, &s);
    }
    ebb_arena_adopt(p->a, &child);
}

/* What a rewind takes back is not to be used again. */
static void rewind_one(program *p)
{
    p->depth--;
    ebb_arena_rewind(p->a, p->mark[p->depth]);
    for (int i = 0; i < SLOTS; i++) p->slot[i] = (ebb_storage){NULL, 0};
    p->grown = NULL;
    p->grown_size = 0;
}

static void storage(program *p)
{
    ebb_storage *s = &p->slot[pick(p, SLOTS)];
    if (pick(p, 3) == 0) ebb_storage_release(p->a, s);
    else if (!ebb_storage_grow(p->a, s, s->size, s->size + 1 + any_size(p))) *s = (ebb_storage){0};
}

static void grow(program *p)
{
    size_t to = pick(p, 2) ? p->grown_size + pick(p, 2000) : pick(p, p->grown_size + 1);
    void *at = ebb_resize(p->a, p->grown, p->grown_size, to);
    if (!at) return;
    p->grown = at;
    p->grown_size = to;
}

static void nothing(void *arg)
{
    (void)arg;
}

static void step(program *p)
{
    switch (pick(p, 16)) {
    case 0: adopt(p); break;
    case 1:
    case 2:
    case 3: storage(p); break;
    case 4:
    case 5: grow(p); break;
    case 6: ebb_defer(p->a, nothing, NULL); break;
    case 7:
        if (p->depth < DEPTH) p->mark[p->depth++] = ebb_arena_mark(p->a);
        break;
    case 8:
        if (p->depth > 0) rewind_one(p);
        break;
    case 9: ebb_arena_trim(p->a); break;
    case 10:
        if (pick(p, 8)) break;
        ebb_arena_reset(p->a);
        p->depth = 1; /* its storage is forgotten, too */
        p->mark[0] = ebb_arena_mark(p->a);
        rewind_one(p);
        break;
    default: ebb_alloc_aligned(p->a, any_size(p), (size_t)1 << pick(p, 7)); break;
    }
}

/* ---- allocations alone ------------------------------------------------------------------------- */

static size_t free_in(const ebb_arena *a)
{
    const ebb__window *w = (const ebb__window *)(const void *)a;
    return w->tip - (w->limit + 1);
}

static void allocate(program *p)
{
    size_t before = free_in(p->a);
    uint32_t chunks = p->stats.chunks;
    ebb_alloc_aligned(p->a, any_size(p), (size_t)1 << pick(p, 7));
    ebb_arena_get_stats(p->a, &p->stats);
    if (p->stats.chunks == chunks) return;
    *(chunks == 1 ? &p->idle : &p->tails) += before;
}

/* ---- one program ------------------------------------------------------------------------------- */

static void run(void *arg)
{
    program *p = arg;
    p->a = ebb_scope_begin(&profile);
    ebb_arena_get_stats(p->a, &p->stats);
    for (size_t n = pick(p, 60); n > 0; n--) {
        if (p->only_allocates) allocate(p);
        else step(p);
    }
    if (p->only_allocates) p->idle += free_in(p->a);
    ebb_arena_get_stats(p->a, &p->stats);
    ebb_scope_end(&p->a);
}

static void must(bool is_so, const char *what, uint64_t seed)
{
    if (!is_so) fprintf(stderr, "seed %" PRIu64 ": not so: %s\n", seed, what);
    cr_assert(is_so);
}

#define MUST(x) must((x), #x, p.seed)

static void run_and_compare(uint64_t seed, bool only_allocates)
{
    program p = {.seed = seed, .random = {seed}, .only_allocates = only_allocates};
    ebb_profile_stats before, after;
    ebb_profile_get_stats(&profile, &before);
    on_thread(run, &p);
    ebb_profile_get_stats(&profile, &after);
    const ebb_profile_ledger *x = &before.sum, *y = &after.sum;
    MUST(y->samples == x->samples + 1);
    MUST(after.ended == before.ended + 1);
    MUST(y->held == y->used + y->tails + y->idle + y->abandoned + y->headers);
    MUST(y->held - x->held == p.stats.held);
    MUST(y->used + y->abandoned - x->used - x->abandoned == p.stats.used);
    MUST(y->chunks - x->chunks == p.stats.chunks);
    MUST(y->large - x->large == p.stats.large);
    if (!only_allocates) return;
    MUST(y->abandoned == x->abandoned);
    MUST(y->tails - x->tails == p.tails);
    MUST(y->idle - x->idle == p.idle);
}

Test(waste_model, it_adds_up_whatever_is_done)
{
    unsigned long n = scaled(3000);
    for (uint64_t seed = 1; seed <= n; seed++) run_and_compare(seed, false);
}

Test(waste_model, what_is_free_is_told_by_where_it_is)
{
    if (!layout_is_plain()) cr_skip_test("the windows are closed");
    unsigned long n = scaled(3000);
    for (uint64_t seed = 1; seed <= n; seed++) run_and_compare(seed, true);
}
