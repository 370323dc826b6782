/*
 * track/live.c: ebb_live_look: what there is, gathered and put into the order of a tree. How it is
 * found without stopping anybody is arena/live.c's matter.
 *
 * First everything is taken down as it is told: things, and arenas that are part of one (adopted,
 * or a pool's own). A table finds them by address. Then the blocks of arenas whose holder is
 * another are added up, each to the thing whose it is in the end. Then parents are resolved among
 * what was found, and the tree is written out, parents first, brothers by kind, name and size.
 *
 * What was told at different moments may not fit together: a parent may be gone, or be below its
 * own child since. The first makes a root; a ring is cut open at some place.
 *
 * It is all in pages of the system's: locks are held while it is told, so nothing of Ebb can be
 * asked for memory.
 */
#include "live.h"
#include "seam.h"

#include <string.h>

_Static_assert((int)EBB_LIVE_ARENA == (int)EBB__LIVE_ARENA, "kinds are in one order");
_Static_assert((int)EBB_LIVE_NAMES == (int)EBB__LIVE_NAMES, "kinds are in one order");

enum { NOT_FOUND = 0, HOPS = 64 /* of one who is part of another, in a ring perhaps */ };
#define FIRST_ROOM ((size_t)512)
#define NONE       SIZE_MAX

typedef struct item {
    ebb_live_node node; /* its parent comes last */
    const void *parent;
    bool part, done;              /* done: told by another too, or written */
    size_t up, first_child, next; /* places, or NONE */
    size_t index;                 /* in the result */
} item;

typedef struct found {
    item *item;
    size_t count, room;
    size_t missed;
    size_t *table; /* places by address, 1 more; 0: free */
    size_t mask;
} found;

static bool is_thing(const item *i)
{
    return !i->part && !i->done;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void *give(void *pages, size_t size)
{
    if (pages) ebb__pages_give(pages, size);
    return NULL;
}

static bool make_room(found *f)
{
    if (f->count < f->room) return true;
    size_t room = f->room ? 2 * f->room : FIRST_ROOM;
    item *to = ebb__pages_take(room * sizeof *to);
    if (!to) return false;
    if (f->count) memcpy(to, f->item, f->count * sizeof *to);
    give(f->item, f->room * sizeof *to);
    f->item = to;
    f->room = room;
    return true;
}

static void found_free(found *f)
{
    f->item = give(f->item, f->room * sizeof *f->item);
    if (f->table) f->table = give(f->table, (f->mask + 1) * sizeof *f->table);
}

/* ---- taking down ----------------------------------------------------------------------------- */

static void take_down(void *ctx, const ebb__live_thing *t)
{
    found *f = ctx;
    if (!make_room(f)) {
        f->missed += t->kind != EBB__LIVE_PART;
        return;
    }
    item *i = &f->item[f->count++];
    *i = (item){.parent = t->parent, .part = t->kind == EBB__LIVE_PART};
    i->up = i->first_child = i->next = NONE;
    i->node = (ebb_live_node){.kind = i->part ? EBB_LIVE_ARENA : (ebb_live_kind)t->kind,
                              .address = t->address,
                              .held = t->held,
                              .used = t->used,
                              .count = t->count,
                              .out = t->out,
                              .exact = t->exact};
    size_t n = t->name ? strnlen(t->name, sizeof i->node.name - 1) : 0;
    if (n) memcpy(i->node.name, t->name, n);
}

/* ---- the table ------------------------------------------------------------------------------- */

/* Fibonacci hashing (Knuth, TAOCP 3, 6.4). What is told of lies a line apart at least. */
static size_t *slot_of(const found *f, const void *address)
{
    uint64_t hash = ((uint64_t)(uintptr_t)address >> 6) * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = (size_t)(hash >> 32);; i++) {
        size_t *s = &f->table[i & f->mask];
        if (*s == NOT_FOUND || f->item[*s - 1].node.address == address) return s;
    }
}

/* Two have told of one: who says that it is part of a thing knows best, then who is exact. */
static void settle(item *first, item *second)
{
    second->done = true;
    if (second->part && !first->part) {
        first->part = true;
        first->parent = second->parent;
    } else if (second->node.exact && !first->node.exact && !first->part) {
        first->node = second->node;
        first->parent = second->parent;
    }
}

static bool index_all(found *f)
{
    size_t slots = FIRST_ROOM;
    while (slots < 2 * f->count) slots *= 2;
    f->table = ebb__pages_take(slots * sizeof *f->table);
    if (!f->table) return false;
    f->mask = slots - 1;
    for (size_t i = 0; i < f->count; i++) {
        size_t *s = slot_of(f, f->item[i].node.address);
        if (*s != NOT_FOUND) settle(&f->item[*s - 1], &f->item[i]);
        else *s = i + 1;
    }
    return true;
}

/* The thing at an address, or that the arena there is part of; NULL: there is none. */
static item *thing_at(const found *f, const void *address)
{
    for (int hops = 0; address && hops < HOPS; hops++) {
        size_t place = *slot_of(f, address);
        if (place == NOT_FOUND) return NULL;
        item *i = &f->item[place - 1];
        if (!i->part) return i;
        address = i->parent;
    }
    return NULL;
}

/* ---- what they hold -------------------------------------------------------------------------- */

static void add_block(void *ctx, const void *owner, size_t size, bool is_chunk)
{
    item *i = thing_at(ctx, owner);
    if (!i || i->node.exact) return;
    i->node.held += size;
    i->node.count += is_chunk;
}

static void add_parts(found *f)
{
    for (size_t n = 0; n < f->count; n++) {
        const item *i = &f->item[n];
        if (i->part && !i->done) add_block(f, i->parent, i->node.held, true);
    }
}

/* ---- order ----------------------------------------------------------------------------------- */

static bool sift_one(size_t *index, size_t *at, size_t count, ebb__before_fn *before,
                     const void *ctx)
{
    size_t child = 2 * *at + 1;
    if (child >= count) return false;
    if (child + 1 < count && before(ctx, index[child], index[child + 1])) child++;
    if (!before(ctx, index[*at], index[child])) return false;
    size_t x = index[*at];
    index[*at] = index[child];
    index[child] = x;
    *at = child;
    return true;
}

static void sift(size_t *index, size_t at, size_t count, ebb__before_fn *before, const void *ctx)
{
    while (sift_one(index, &at, count, before, ctx)) {
    }
}

/* Heapsort (J. W. J. Williams, 1964): qsort may ask malloc for memory. */
void ebb__sort_indices(size_t *index, size_t count, ebb__before_fn *before, const void *ctx)
{
    for (size_t i = count / 2; i-- > 0;) sift(index, i, count, before, ctx);
    while (count > 1) {
        size_t x = index[--count];
        index[count] = index[0];
        index[0] = x;
        sift(index, 0, count, before, ctx);
    }
}

static bool comes_before(const void *ctx, size_t x, size_t y)
{
    const found *f = ctx;
    const ebb_live_node *a = &f->item[x].node, *b = &f->item[y].node;
    if (a->kind != b->kind) return a->kind < b->kind;
    int names = strcmp(a->name, b->name);
    if (names) return names < 0;
    return a->held != b->held ? a->held > b->held : a->address < b->address;
}

/* Brothers are linked in front of each other, so the last comes first. NONE's are roots. */
static void link_under(found *f, size_t *roots, size_t place)
{
    item *i = &f->item[place];
    size_t *list = i->up == NONE ? roots : &f->item[i->up].first_child;
    i->next = *list;
    *list = place;
}

static void resolve_parents(found *f)
{
    for (size_t n = 0; n < f->count; n++) {
        item *i = &f->item[n];
        const item *up = is_thing(i) ? thing_at(f, i->parent) : NULL;
        if (up) i->up = (size_t)(up - f->item);
    }
}

/* One that no root is above is in a ring, or below one. Make some place of the ring a root. */
static size_t cut_ring(found *f, size_t place)
{
    item *all = f->item;
    size_t slow = all[place].up, fast = all[slow].up;
    while (slow != fast) { /* Floyd's: in a ring the faster meets the slower */
        slow = all[slow].up;
        fast = all[all[fast].up].up;
    }
    size_t *at = &all[all[slow].up].first_child;
    while (*at != slow) at = &all[*at].next;
    *at = all[slow].next;
    all[slow].up = NONE;
    return slow;
}

/* ---- the result ------------------------------------------------------------------------------ */

static void write_one(const found *f, item *i, ebb_live *to)
{
    ebb_live_node *n = &to->node[to->count];
    *n = i->node;
    n->parent = i->up == NONE ? SIZE_MAX : f->item[i->up].index;
    i->index = to->count++;
    i->done = true;
}

/* `place`, a root, and all below it, parents first. Without a stack: children are taken from their
   parents' lists, and `up` leads back. */
static void write_tree(const found *f, size_t place, ebb_live *to)
{
    while (place != NONE) {
        item *i = &f->item[place];
        if (!i->done) write_one(f, i, to);
        size_t child = i->first_child;
        if (child != NONE) i->first_child = f->item[child].next;
        place = child != NONE ? child : i->up;
    }
}

/* In place of the table, which nobody needs any more: it has room for twice as many. */
static size_t *in_order(found *f, size_t things)
{
    size_t *index = f->table, n = 0;
    for (size_t i = 0; i < f->count; i++)
        if (is_thing(&f->item[i])) index[n++] = i;
    ebb__sort_indices(index, things, comes_before, f);
    return index;
}

static void write_all(found *f, ebb_live *to, size_t things)
{
    size_t roots = NONE;
    const size_t *index = in_order(f, things);
    for (size_t n = things; n-- > 0;) link_under(f, &roots, index[n]);
    for (size_t next; roots != NONE; roots = next) {
        next = f->item[roots].next;
        write_tree(f, roots, to);
    }
    for (size_t n = 0; n < things; n++)
        if (!f->item[index[n]].done) write_tree(f, cut_ring(f, index[n]), to);
}

static size_t bytes_for(size_t things)
{
    return sizeof(ebb_live) + things * sizeof(ebb_live_node);
}

static ebb_live *result_of(found *f)
{
    size_t things = 0;
    for (size_t i = 0; i < f->count; i++) things += is_thing(&f->item[i]);
    ebb_live *l = ebb__pages_take(bytes_for(things));
    if (!l) return NULL;
    ebb_memory_stats memory;
    ebb_memory_get_stats(&memory);
    *l = (ebb_live){.node = (ebb_live_node *)(void *)(l + 1),
                    .missed = f->missed,
                    .reserved_bytes = memory.reserved,
                    .idle_bytes = memory.depot};
    write_all(f, l, things);
    return l;
}

ebb_live *ebb__live_find(ebb_arena *into)
{
    found f = {0};
    ebb__live_arenas(into, take_down, &f);
    ebb__live_others(take_down, &f);
    ebb_live *l = NULL;
    if (index_all(&f)) {
        add_parts(&f);
        ebb__live_blocks(add_block, &f);
        resolve_parents(&f);
        l = result_of(&f);
    }
    found_free(&f);
    return l;
}

void ebb__live_free(ebb_live *l)
{
    if (l) ebb__pages_give(l, bytes_for(l->count));
}

ebb_live *ebb_live_look(ebb_arena *into)
{
    ebb_live *l = ebb__live_find(into), *mine = NULL;
    if (l) mine = ebb_alloc_optional(into, bytes_for(l->count));
    if (mine) {
        memcpy(mine, l, bytes_for(l->count));
        mine->node = (ebb_live_node *)(void *)(mine + 1);
    }
    ebb__live_free(l);
    return mine;
}
