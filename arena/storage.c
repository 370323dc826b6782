/*
 * arena/storage.c: bins for what containers outgrow (ebb/storage.h), and for what the hooks of
 * compat/malloc.h free.
 *
 * A block in a bin is a hole in the arena's memory that nobody owns; its first words link it. A bin
 * holds what is at least as large as its power of two. Bins belong to their arena alone, are found
 * through its ext, and are forgotten when it is reset, rewound or adopted: their blocks, and the
 * bins themselves, may be newer than the mark. A block of its own goes back to the cache instead.
 *
 * Who tells the size of a block when it is freed (compat/sized.c) needs no search: sizes are
 * rounded to a few, and the holes of each are a list. From one list to another nothing goes, but
 * where there would be no memory else.
 *
 * While the window is closed nothing is taken from a bin, so that whoever closed it sees every
 * allocation; strict arenas use no bins, so that what was outgrown stays poisoned.
 */
#include "internal.h"

#include <ebb/storage.h>

#include <string.h>

enum {
    LEAST = 6,     /* log2 of the smallest worth keeping: a cache line */
    FIRST = 1024,  /* bytes worth an ext and bins where there are none yet */
    SEARCHED = 4,  /* blocks of a bin that may be too small, looked at before a larger bin */
    UNLINKED = 256 /* undo records walked to let go of a block of its own */
};

/* Storage from here on has a block of its own, which goes back to the cache when it is outgrown. */
#define OWN_BLOCK (BLOCK_MIN - CONTROL_SIZE)
/* From here on pages are moved instead of bytes. Below that copying is faster, since the depot
   keeps what was outgrown, with its pages; see docs/ARCHITECTURE.md. */
#define WORTH_MOVING ((size_t)64 << 20)

static unsigned log2_of(size_t size)
{
    return 63 - (unsigned)__builtin_clzll(size);
}

/* Where a block of `size` bytes waits. */
static unsigned bin_of(size_t size)
{
    unsigned i = log2_of(size) - LEAST;
    return i < BINS ? i : BINS - 1;
}

static struct bins *bins_for(ebb_arena *a, size_t size)
{
    struct bins *b = a->ext ? a->ext->bins : NULL;
    if (b || size < FIRST) return b;
    ext *e = ebb__ext_get(a);
    if (!e) return NULL;
    e->bins = b = ebb_alloc_optional(a, sizeof *b);
    return b ? memset(b, 0, sizeof *b) : NULL;
}

/* ---- taking ---------------------------------------------------------------------------------- */

static hole *take_first_fit(hole **at, size_t size, unsigned looks)
{
    for (; *at && looks > 0; at = &(*at)->next, looks--) {
        hole *h = *at;
        if (h->size < size) continue;
        *at = h->next;
        return h;
    }
    return NULL;
}

/* From the bin where some may be large enough, or from the next, where all are. Those further up
   would waste more than they save. */
void *ebb__bin_take(ebb_arena *a, size_t size, size_t *ret_size)
{
    struct bins *b = a->ext ? a->ext->bins : NULL;
    if (!b || !ebb__uses_bins(a)) return NULL;
    if (size < (size_t)1 << LEAST) size = (size_t)1 << LEAST;
    unsigned i = bin_of(size);
    hole *h = take_first_fit(&b->bin[i], size, SEARCHED);
    if (!h && i + 1 < BINS) h = take_first_fit(&b->bin[i + 1], size, 1);
    if (!h) return NULL;
    b->bytes -= h->size;
    *ret_size = h->size;
    return h;
}

/* ---- giving ---------------------------------------------------------------------------------- */

/* Unlink the record of a block of its own, unless a mark may refer to it, or it is far down. */
static bool unlink_large(ebb_arena *a, chunk *c)
{
    link own = link_to(c, LARGE), *at = &a->undo;
    chunk *above = NULL;
    for (int i = 0; *at != own; i++) {
        if (!*at || i == UNLINKED) return false;
        above = kind_of(*at) == CHUNK || kind_of(*at) == LARGE ? record_of(*at) : NULL;
        at = record_of(*at);
    }
    bool newest = at == &a->undo;
    if (newest ? (a->bits & MARKED) != 0 : !above || above->before_marked) return false;
    *at = c->next;
    if (above) above->before_marked = c->before_marked;
    else if (c->before_marked) a->bits |= MARKED;
    return true;
}

static bool give_large(ebb_arena *a, void *ptr, size_t size)
{
    chunk *c = ebb__large_of(a, ptr, size);
    if (c) ebb__ext_get(a); /* it lives on without the block, and remembers its peak */
    if (!c || !unlink_large(a, c)) return false;
    ebb__wipe(a, (uintptr_t)ptr, (uintptr_t)ptr + size);
    ebb__block_give(a, c);
    return true;
}

/* Take back what is no longer needed, as well as can be; else it waits for the end. */
void ebb__bin_give(ebb_arena *a, void *ptr, size_t size)
{
    if (ebb__give_back(a, ptr, size) || give_large(a, ptr, size)) return;
    if (size < (size_t)1 << LEAST || !ebb__uses_bins(a)) return;
    struct bins *b = bins_for(a, size);
    if (!b) return;
    ebb__wipe(a, (uintptr_t)ptr, (uintptr_t)ptr + size);
    hole *h = ptr;
    h->size = size;
    h->next = b->bin[bin_of(size)];
    b->bin[bin_of(size)] = h;
    b->bytes += size;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static struct bins *bins_with_lists(ebb_arena *a)
{
    struct bins *b = bins_for(a, FIRST);
    if (!b) return NULL;
    b->list = ebb_alloc_optional(a, LISTS * sizeof *b->list);
    return b->list ? memset(b->list, 0, LISTS * sizeof *b->list), b : NULL;
}

/* The first to be given, or one of an arena that wipes, or that somebody follows. False: it is not
   wanted here, or there is no memory. */
bool ebb__list_give(ebb_arena *a, void *ptr, unsigned list, size_t size)
{
    if (!ebb__uses_bins(a) || (a->ext && a->ext->lives)) return false;
    struct bins *b = ebb__lists(a) ? a->ext->bins : bins_with_lists(a);
    if (!b) return false;
    ebb__wipe(a, (uintptr_t)ptr, (uintptr_t)ptr + size);
    ebb__list_push(b, ptr, list, size);
    return true;
}

/* Those of a list are of one size, which is at least a hole's own. */
static const char *check_list(const hole *h, size_t *bytes)
{
    for (size_t size = h ? h->size : 0; h; h = h->next) {
        if (h->size != size || size < sizeof *h) return "what a library freed has been written to";
        *bytes += size;
    }
    return NULL;
}

/* ---- looking --------------------------------------------------------------------------------- */

/* What waits in bins. Counted rather than walked: a walk follows what a bug may have written. */
size_t ebb__bins_bytes(const ebb_arena *a)
{
    return a->ext && a->ext->bins ? a->ext->bins->bytes : 0;
}

/* NULL: the holes are holes, as far as can be told. */
const char *ebb__bins_check(const ebb_arena *a)
{
    const struct bins *b = a->ext ? a->ext->bins : NULL;
    size_t bytes = 0;
    const char *broken = NULL;
    for (unsigned i = 0; b && b->list && !broken && i < LISTS; i++)
        broken = check_list(b->list[i], &bytes);
    if (broken) return broken;
    for (unsigned i = 0; b && i < BINS; i++)
        for (const hole *h = b->bin[i]; h; h = h->next) {
            if (h->size < (size_t)1 << (i + LEAST))
                return "storage that was released has been written to";
            bytes += h->size;
        }
    return bytes == ebb__bins_bytes(a) ? NULL : "the bytes of released storage are miscounted";
}

/* ---- storage --------------------------------------------------------------------------------- */

/* A block of the system's pages, which may be moved about. */
static bool is_span(const chunk *c)
{
    const slab *s = c->origin == FROM_SPAN ? ebb__slab_of(c->lo) : NULL;
    return s && s->kind == SLAB_SPAN && !s->source;
}

/* From one span to another: by page tables instead of bytes. False: nothing has happened. */
static bool move_pages(ebb_arena *a, const ebb_storage *s, size_t used, ebb_storage to)
{
    if (likely(used < WORTH_MOVING)) return false;
    chunk *old = ebb__large_of(a, s->ptr, s->size);
    chunk *into = old ? ebb__large_of(a, to.ptr, to.size) : NULL;
    size_t page = os_page_size(), whole = used & ~(page - 1);
    bool fit = into && is_span(old) && is_span(into) && !(a->bits & (STRICT | WIPE)) &&
               !(((uintptr_t)s->ptr | (uintptr_t)to.ptr) & (page - 1));
    if (!fit || !ebb__ext_get(a) || !unlink_large(a, old)) return false;
    if (!os_move_pages(to.ptr, s->ptr, whole)) whole = 0;
    memcpy((char *)to.ptr + whole, (char *)s->ptr + whole, used - whole);
    ebb__block_give(a, old);
    return true;
}

static bool move(ebb_arena *a, ebb_storage *s, size_t used, ebb_storage to)
{
    if (s->ptr && move_pages(a, s, used, to)) {
        *s = to;
        return true;
    }
    if (s->ptr) memcpy(to.ptr, s->ptr, used);
    ebb_storage_release(a, s);
    *s = to;
    return true;
}

static bool has_blocks(const ebb_arena *a)
{
    bool open = EBB__LOAD_RELAXED(&a->w.limit) < EBB__CLOSED_MIN;
    return open && !(a->ext && a->ext->buffer_only);
}

/* By the rules of ebb_resize: in place at the floor or in a block of its own, else a copy. */
static bool resize(ebb_arena *a, ebb_storage *s, size_t used, size_t size, void *site)
{
    bool old_is_gone = ebb__is_open(a, s->ptr) || (a->bits & STRICT);
    void *p = ebb__resize(a, s->ptr, used, size, MODE_JUMP, site);
    if (!p) return false;
    if (p != s->ptr && !old_is_gone) ebb_storage_release(a, s);
    s->ptr = p;
    s->size = ebb__usable(a, p, size);
    return true;
}

static bool is_stale(ebb_arena *a, const ebb_storage *s)
{
    if (likely(!(a->bits & STRICT)) || !s->ptr || ebb__strict_is_live(a, s->ptr)) return false;
    ebb__report(EBB_MISUSE, "ebb_storage_grow", a,
                "container used after a rewind past its last growth, or after its arena was reset; "
                "make it anew");
    return true;
}

bool ebb_storage_grow(ebb_arena *a, ebb_storage *s, size_t used, size_t size)
{
    if (size <= s->size) return true;
    if (is_stale(a, s)) return false;
    bool in_place = s->ptr && ebb__is_open(a, s->ptr) && size - s->size <= a->w.tip - a->floor;
    ebb_storage to = {NULL, size};
    if (!in_place) to.ptr = ebb__bin_take(a, size, &to.size);
    bool own = !to.ptr && !in_place && size >= OWN_BLOCK && has_blocks(a);
    if (own) to.ptr = ebb__obtain_block(a, size, &to.size, MODE_JUMP);
    if (to.ptr || own) {
        if (unlikely(begin_flags() & BEGIN_SAMPLED) && to.ptr) ebb__sample_other(a, size, CALLER);
        return to.ptr && move(a, s, used, to);
    }
    if (s->ptr && used) return resize(a, s, used, size, CALLER);
    to.ptr = ebb__obtain(a, size, EBB_ALIGN_DEFAULT, MODE_JUMP, CALLER);
    return to.ptr && move(a, s, 0, to);
}

void ebb_storage_release(ebb_arena *a, ebb_storage *s)
{
    ebb_storage old = *s;
    *s = (ebb_storage){NULL, 0};
    if (old.ptr && a != &ebb__dead) ebb__bin_give(a, old.ptr, old.size);
}

void ebb_storage_settle(ebb_arena *a, ebb_storage *s, size_t used)
{
    if (!s->ptr || a == &ebb__dead) return;
    if (used < s->size) s->ptr = ebb__resize(a, s->ptr, s->size, used, MODE_JUMP, CALLER);
    s->size = used;
    if (ebb__is_open(a, s->ptr)) a->open_len = 0;
}
