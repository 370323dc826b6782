/*
 * The order of the live tree against a plain model. What is told here is made up: things and parts at
 * random addresses, told twice or by two, below others, below what is not there, below themselves, in
 * rings; blocks of any of them. Real arenas give most of that only while other threads race.
 *
 * track/live.c is compiled in, and asks the functions below in place of the library's.
 *
 * The model looks everything up by walking through all. Of a look it wants: each thing once; its bytes and
 * blocks, if it is not exact, those of all that are part of it, too; parents before children, each the one
 * that was told, unless that is not there or a ring had to be cut: once for each ring.
 */
#include "test.h"

#include "../../track/live.h"
#include "../../track/seam.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 60, BLOCKS = 200 };

typedef struct block {
    const void *owner;
    size_t size;
    bool is_chunk;
} block;

static struct {
    ebb__live_thing thing[MOST];
    char name[MOST][8];
    size_t count;
    block block[BLOCKS];
    size_t block_count;
    size_t pages, refuse_from; /* taken and not given; refuse this request and all after it */
    size_t requests;
} told;

static char place[MOST][64]; /* whose addresses things have */

/* ---- in place of the library's ----------------------------------------------------------------- */

void ebb__live_arenas(void *into, ebb__live_put *put, void *ctx)
{
    (void)into;
    for (size_t i = 0; i < told.count / 2; i++) put(ctx, &told.thing[i]);
}

void ebb__live_others(ebb__live_put *put, void *ctx)
{
    for (size_t i = told.count / 2; i < told.count; i++) put(ctx, &told.thing[i]);
}

void ebb__live_blocks(ebb__live_put_block *put, void *ctx)
{
    for (size_t i = 0; i < told.block_count; i++)
        put(ctx, told.block[i].owner, told.block[i].size, told.block[i].is_chunk);
}

void *ebb__pages_take(size_t size)
{
    if (++told.requests >= told.refuse_from) return NULL;
    told.pages++;
    return calloc(1, size);
}

void ebb__pages_give(void *pages, size_t size)
{
    memset(pages, 0xdd, size);
    told.pages--;
    free(pages);
}

/* ---- what is told ------------------------------------------------------------------------------ */

static void make_up(rng *r)
{
    told.count = rng_below(r, MOST);
    size_t places = 1 + rng_below(r, MOST);
    for (size_t i = 0; i < told.count; i++) {
        snprintf(told.name[i], sizeof told.name[i], "n%zu", rng_below(r, 5));
        bool part = rng_one_in(r, 4), exact = rng_one_in(r, 3);
        const void *parent = rng_one_in(r, 3) ? NULL : place[rng_below(r, places)];
        told.thing[i] =
            (ebb__live_thing){.kind = part ? EBB__LIVE_PART : (int)rng_below(r, EBB__LIVE_PART),
                              .name = told.name[i],
                              .address = place[rng_below(r, places)],
                              .parent = parent,
                              .held = rng_below(r, 3000),
                              .used = exact ? rng_below(r, 3000) : 0,
                              .count = rng_below(r, 10),
                              .exact = exact && !part};
    }
    told.block_count = rng_below(r, BLOCKS);
    for (size_t i = 0; i < told.block_count; i++)
        told.block[i] =
            (block){place[rng_below(r, places)], rng_below(r, 100000), rng_one_in(r, 2)};
}

/* ---- the model --------------------------------------------------------------------------------- */

/* What is known of an address: the first part, else the first exact thing, else the first. */
static const ebb__live_thing *known_at(const void *address)
{
    const ebb__live_thing *best = NULL;
    for (size_t i = 0; i < told.count; i++) {
        const ebb__live_thing *t = &told.thing[i];
        if (t->address != address) continue;
        bool part = t->kind == EBB__LIVE_PART;
        if (!best) best = t;
        else if (best->kind != EBB__LIVE_PART && (part || (t->exact && !best->exact))) best = t;
    }
    return best;
}

/* The thing that an address belongs to. */
static const ebb__live_thing *thing_of(const void *address)
{
    const ebb__live_thing *t = address ? known_at(address) : NULL;
    for (size_t i = 0; t && t->kind == EBB__LIVE_PART && i < MOST; i++)
        t = t->parent ? known_at(t->parent) : NULL;
    return t && t->kind != EBB__LIVE_PART ? t : NULL;
}

/* Of a part what counts is what was known of it when it turned out to be one: as it seemed, its first
   block. */
static size_t held_first(const void *address)
{
    const ebb__live_thing *best = NULL;
    for (size_t i = 0; i < told.count; i++) {
        const ebb__live_thing *t = &told.thing[i];
        if (t->address != address) continue;
        if (t->kind == EBB__LIVE_PART) return best ? best->held : t->held;
        if (!best || (t->exact && !best->exact)) best = t;
    }
    return 0;
}

static void held_by(const ebb__live_thing *t, size_t *ret_held, uint64_t *ret_count)
{
    *ret_held = t->held;
    *ret_count = t->count;
    if (t->exact) return;
    for (size_t i = 0; i < told.block_count; i++) {
        if (thing_of(told.block[i].owner) != t) continue;
        *ret_held += told.block[i].size;
        *ret_count += told.block[i].is_chunk;
    }
    for (size_t p = 0; p < MOST; p++) {
        const ebb__live_thing *part = known_at(place[p]);
        if (!part || part->kind != EBB__LIVE_PART || thing_of(part->parent) != t) continue;
        *ret_held += held_first(place[p]);
        *ret_count += 1;
    }
}

static const ebb__live_thing *parent_of(const ebb__live_thing *t)
{
    const ebb__live_thing *up = thing_of(t->parent);
    return up == t ? NULL : up;
}

static bool is_in_ring(const ebb__live_thing *t)
{
    const ebb__live_thing *up = parent_of(t);
    for (size_t i = 0; up && up != t && i < MOST; i++) up = parent_of(up);
    return up == t;
}

static size_t rings(void)
{
    size_t n = 0;
    for (size_t p = 0; p < MOST; p++) {
        const ebb__live_thing *t = known_at(place[p]);
        if (!t || t->kind == EBB__LIVE_PART || !is_in_ring(t)) continue;
        const ebb__live_thing *least = t; /* each ring is counted at its least */
        for (const ebb__live_thing *x = parent_of(t); x != t; x = parent_of(x))
            if (x->address < least->address) least = x;
        n += least == t;
    }
    return n;
}

static size_t things(void)
{
    size_t n = 0;
    for (size_t p = 0; p < MOST; p++) {
        const ebb__live_thing *t = known_at(place[p]);
        n += t && t->kind != EBB__LIVE_PART;
    }
    return n;
}

/* ---- one look ---------------------------------------------------------------------------------- */

static uint64_t seed;

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) fprintf(stderr, "seed %" PRIu64 ": not so: %s\n", seed, #x);                     \
        cr_assert(x);                                                                              \
    } while (0)

/* Return whether its parent was cut off. */
static bool compare(const ebb_live *l, size_t i)
{
    const ebb_live_node *n = &l->node[i];
    const ebb__live_thing *t = known_at(n->address);
    size_t held;
    uint64_t count;
    MUST(t && t->kind == (int)n->kind && !strcmp(t->name, n->name));
    held_by(t, &held, &count);
    MUST(n->held == held && n->count == count && n->used == t->used && n->exact == t->exact);
    for (size_t k = 0; k < i; k++) MUST(l->node[k].address != n->address);
    const ebb__live_thing *up = parent_of(t);
    if (n->parent == SIZE_MAX) return up != NULL;
    MUST(n->parent < i && up && l->node[n->parent].address == up->address);
    return false;
}

/* Those above one another in the list are in order, and the tree in one piece. */
static void compare_order(const ebb_live *l)
{
    for (size_t i = 1; i < l->count; i++) {
        size_t up = i - 1;
        while (up != SIZE_MAX && up != l->node[i].parent) up = l->node[up].parent;
        MUST(up == l->node[i].parent);
    }
}

static void look(void)
{
    rng r = {seed};
    make_up(&r);
    told.requests = 0;
    told.refuse_from = SIZE_MAX;
    ebb_live *l = ebb__live_find(NULL);
    MUST(l && l->missed == 0 && l->count == things());
    size_t cut = 0;
    for (size_t i = 0; i < l->count; i++) cut += compare(l, i);
    MUST(cut == rings());
    compare_order(l);
    ebb__live_free(l);
    MUST(told.pages == 0);
}

Test(live_model, the_tree_is_what_was_told)
{
    unsigned long n = scaled(4000);
    for (seed = 1; seed <= n; seed++) look();
}

/* Without pages nothing is left behind. */
Test(live_model, nothing_is_lost_without_pages)
{
    for (seed = 1; seed <= 50; seed++) {
        rng r = {seed};
        make_up(&r);
        told.requests = 0;
        told.refuse_from = 1 + rng_below(&r, 5);
        ebb_live *l = ebb__live_find(NULL);
        if (l) ebb__live_free(l);
        MUST(told.pages == 0);
    }
}

static bool is_less(const void *ctx, size_t x, size_t y)
{
    (void)ctx;
    return x < y;
}

Test(live_model, indices_are_sorted)
{
    enum { N = 100 };
    for (seed = 1; seed <= 300; seed++) {
        rng r = {seed};
        size_t index[N], n = rng_below(&r, N);
        for (size_t i = 0; i < n; i++) index[i] = i;
        for (size_t i = 1; i < n; i++) {
            size_t k = rng_below(&r, i + 1), x = index[i];
            index[i] = index[k];
            index[k] = x;
        }
        ebb__sort_indices(index, n, is_less, NULL);
        for (size_t i = 0; i < n; i++) MUST(index[i] == i);
    }
}
