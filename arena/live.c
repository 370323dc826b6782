/*
 * arena/live.c: what is alive, for those who show it (track/live.c): all arenas, and the layers
 * that have said that they have something to tell.
 *
 * Why it is safe to look at the arenas of other threads
 *
 *   Control blocks and exts are type-stable: slabs of heads and of exts are never unmapped nor
 *   become anything else, so both may be read at any time, if with whatever is in them just then.
 *   An arena in a caller's buffer lies in no such slab, and is only seen if this thread holds it.
 *
 *   What is read there is never followed into memory that may go: not the undo log, not a chunk,
 *   not `ext->name`, which is the user's (ext->label has a copy of it). `ext` is, since it is NULL
 *   or an ext. A profile's name is static. `parent` is handed on as an address and looked up among
 *   those that were found; nobody reads there.
 *
 *   A word is read whole. Who it belongs to is read before and after the rest, so that what one
 *   arena left and another began is not mixed up; an arena for which that fails three times begins
 *   and ends faster than one can look, and is left out. Only if block and ext both go to others and
 *   come back in between, and to a scope of the same profile, a label may be that of one of those.
 *
 *   Its chunks are found from the other side: blocks in slabs say whose they are. Slabs are
 *   unmapped, discarded and given back to a source with the slabs' lock held, and so they are
 *   walked. The owner that a header names is compared, never followed: in a block that was carved
 *   but not yet begun with there may be anything. Above 64 MiB a block's pages may move elsewhere
 *   (os_move_pages), but not the page with the header.
 *
 * Whom this thread holds is not written anywhere, so that parking and handing over need no call.
 * What is known is: the arena to which the look is made; the current one, as hooks allocate from it
 * here; EBB_SCOPEs and the arenas of tries, whose frames are on this stack. And their families: a
 * child is on its parent's thread until it is detached. These are looked at as their holder does.
 * Not those whose owner check names this thread: another may end one of them without a word.
 *
 * To a compiler and to TSan these reads are races. The owner's stores are whole words at their
 * places, which every compiler writes in one piece; atomic ones would be the same instructions in a
 * hundred places. So it is the reader that is marked.
 */
#include "internal.h"

#define RACES __attribute__((noinline, no_sanitize("thread")))
/* One load. Not an atomic one: to those TSan of clang sees even here. */
#define GLANCE(x) (*(const volatile __typeof__(x) *)&(x))

/* ---- this thread's --------------------------------------------------------------------------- */

static void put_own(const ebb_arena *a, ebb__live_put *put, void *ctx)
{
    figures f = ebb__figures(a);
    const ebb__live_thing t = {.kind = a->bits & SCOPE ? EBB__LIVE_SCOPE : EBB__LIVE_ARENA,
                               .name = ebb_arena_name(a),
                               .address = a,
                               .parent = a->parent,
                               .held = f.held,
                               .used = f.in_chunks + f.in_large,
                               .count = f.chunks,
                               .exact = true};
    put(ctx, &t);
}

/* The one after `a` in its family, parents first; NULL: it was the last. No recursion, since
   families may be as deep as the user likes. */
static const ebb_arena *next_of_family(const ebb_arena *a, const ebb_arena *root)
{
    if (a->ext && a->ext->first_child) return a->ext->first_child;
    while (a != root && !a->ext->next) a = a->parent;
    return a == root ? NULL : a->ext->next;
}

/* What is put twice is taken once. */
static void put_family(const ebb_arena *a, ebb__live_put *put, void *ctx)
{
    if (!a || a == &ebb__dead || !(a->bits & LIVE)) return;
    while (a->parent) a = a->parent;
    for (const ebb_arena *x = a; x; x = next_of_family(x, a)) put_own(x, put, ctx);
}

static void put_own_families(const ebb_arena *into, ebb__live_put *put, void *ctx)
{
    const thread *t = ebb__self;
    put_family(into, put, ctx);
    put_family(t->current, put, ctx);
    for (const ebb__lexical *l = t->lexical; l; l = l->outer) put_family(l->arena, put, ctx);
    for (uint32_t i = 0; i < t->tried_count && i < TRIED; i++) put_family(t->tried[i], put, ctx);
}

/* ---- others' --------------------------------------------------------------------------------- */

typedef struct glance {
    uint32_t bits;
    const ebb_arena *parent;
    const ext *ext;
} glance;

static RACES glance glance_at(const ebb_arena *a)
{
    atomic_thread_fence(memory_order_acquire); /* after what was read before */
    return (glance){GLANCE(a->bits), GLANCE(a->parent), GLANCE(a->ext)};
}

/* Of the bits, those that an arena keeps while it lives. */
static bool is_same(const glance *x, const glance *y)
{
    const uint32_t kept = LIVE | ADOPTED | SCOPE | HEAD_MASK | ~(uint32_t)0 << PROFILE_SHIFT;
    return !((x->bits ^ y->bits) & kept) && x->parent == y->parent && x->ext == y->ext;
}

static bool is_ext(const ext *e)
{
    const slab *s = ebb__slab_of((uintptr_t)e);
    return s && s->kind == SLAB_EXT && ((uintptr_t)e - s->base) % s->block_size == 0;
}

static RACES void copy_label(const ext *e, char ret_label[sizeof e->label])
{
    size_t n = 0;
    char c;
    while (n < sizeof e->label - 1 && (c = GLANCE(e->label[n]))) ret_label[n++] = c;
    ret_label[n] = '\0';
}

/* False: it is nobody's, or cannot be caught. */
static bool catch (const ebb_arena *a, glance *ret_, char ret_label[sizeof ret_->ext->label])
{
    enum { TRIES = 3 };
    for (int i = 0; i < TRIES; i++) {
        *ret_ = glance_at(a);
        if (!(ret_->bits & (LIVE | ADOPTED))) return false;
        ret_label[0] = '\0';
        if (ret_->ext && is_ext(ret_->ext)) copy_label(ret_->ext, ret_label);
        const glance again = glance_at(a);
        if (is_same(ret_, &again)) return true;
    }
    return false;
}

static const char *name_of(const glance *g, const char *label)
{
    if (label[0]) return label;
    const ebb_profile *p = ebb__profile_by_id(g->bits >> PROFILE_SHIFT);
    return p && p->name ? p->name : "?";
}

typedef struct telling {
    ebb__live_put *put;
    ebb__live_put_block *put_block;
    void *ctx;
} telling;

static void put_head(void *ctx, ebb_arena *a, size_t size)
{
    const telling *to = ctx;
    glance g;
    char label[sizeof g.ext->label];
    if (!catch (a, &g, label)) return;
    ebb__live_thing t = {.kind = g.bits & SCOPE ? EBB__LIVE_SCOPE : EBB__LIVE_ARENA,
                         .name = name_of(&g, label),
                         .address = a,
                         .parent = g.parent,
                         .held = size,
                         .count = 1};
    if (g.bits & ADOPTED) t.kind = EBB__LIVE_PART;
    to->put(to->ctx, &t);
}

void ebb__live_arenas(void *into, ebb__live_put *put, void *ctx)
{
    telling to = {put, NULL, ctx};
    put_own_families(into, put, ctx);
    ebb__each_head(put_head, &to);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static RACES bool is_chunk(const chunk *c)
{
    return GLANCE(c->kind) == CHUNK;
}

static void put_blocks(void *ctx, const slab *s)
{
    const telling *to = ctx;
    if (s->kind != SLAB_BLOCK && s->kind != SLAB_SPAN) return;
    bool span = s->kind == SLAB_SPAN;
    size_t size = span ? s->size : s->block_size;
    uint32_t n = span ? 1 : atomic_load_explicit(&s->carved, memory_order_acquire);
    for (uint32_t i = 0; i < n; i++) {
        const chunk *c = (const chunk *)(s->base + (i + 1) * size - CONTROL_SIZE);
        const void *owner = __atomic_load_n(&c->owner, __ATOMIC_RELAXED);
        if (owner) to->put_block(to->ctx, owner, size, is_chunk(c));
    }
}

void ebb__live_blocks(ebb__live_put_block *put, void *ctx)
{
    telling to = {NULL, put, ctx};
    ebb__each_slab(put_blocks, &to);
}

/* ---- the layers above ------------------------------------------------------------------------ */

enum { LISTERS_MOST = 8 };
static ebb__live_lister *_Atomic listers[LISTERS_MOST];

/* Without a lock, so that a fork can't come in between. */
void ebb__live_source(ebb__live_lister *list)
{
    for (int i = 0; i < LISTERS_MOST; i++) {
        ebb__live_lister *expected = NULL;
        if (atomic_compare_exchange_strong(&listers[i], &expected, list) || expected == list)
            return;
    }
}

void ebb__live_others(ebb__live_put *put, void *ctx)
{
    for (int i = 0; i < LISTERS_MOST; i++) {
        ebb__live_lister *list = atomic_load_explicit(&listers[i], memory_order_acquire);
        if (list) list(put, ctx);
    }
}
