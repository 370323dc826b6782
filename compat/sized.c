/*
 * compat/sized.c: for libraries that say how large the block was that they resize or free (Lua):
 * ebb_hook_sized of ebb/compat/malloc.h.
 *
 * No block carries a header. Sizes are rounded: up to 512 bytes to
 * multiples of 16, then to quarters of a power of two; what is larger has a block of its own, which
 * goes back to the thread's cache when it is let go. Each size has its list of holes
 * (arena/storage.c), so the short ways are a pop and a push.
 *
 * Nothing here jumps, and nothing makes the arena fail.
 */
#include "../arena/internal.h"

#include <ebb/compat/malloc.h>

#include <string.h>

enum {
    STEP = 16,
    FINE = 512,   /* up to here by steps */
    FINE_LOG = 9, /* its log2 */
    ROUGH = 3584, /* up to here by quarters of a power of two */
    FINE_LISTS = FINE / STEP
};

static size_t round_fine(size_t size)
{
    return (size + STEP - 1) & ~(size_t)(STEP - 1);
}

/* That `size`, not 0 and at most ROUGH, belongs to, and what that is rounded to. */
static unsigned list_of(size_t size, size_t *ret_rounded)
{
    if (likely(size <= FINE)) {
        *ret_rounded = round_fine(size);
        return (unsigned)((size - 1) / STEP);
    }
    unsigned log = 63 - (unsigned)__builtin_clzll(size - 1);
    unsigned quarter = (unsigned)((size - 1) >> (log - 2)) & 3;
    *ret_rounded = (size_t)(quarter + 5) << (log - 2);
    return FINE_LISTS + (log - FINE_LOG) * 4 + quarter;
}
_Static_assert(FINE_LISTS + (11 - FINE_LOG) * 4 + 2 == LISTS - 1, "the list of ROUGH is the last");

/* ---- making ---------------------------------------------------------------------------------- */

/* From that list, or from one of those behind it, up to `most`, whose holes are larger. */
static void *take(ebb_arena *a, unsigned list, unsigned most)
{
    hole **lists = ebb__lists(a);
    if (!lists || !ebb__uses_bins(a)) return NULL;
    while (!lists[list] && list < most) list++;
    return lists[list] ? ebb__list_pop(a->ext->bins, list) : NULL;
}

/* What does not come out of the window a sample would miss. */
static void *tell(ebb_arena *a, void *p, size_t size, void *site)
{
    if (unlikely(begin_flags() & BEGIN_SAMPLED) && p) ebb__sample_other(a, size, site);
    return p;
}

static void *make_large(ebb_arena *a, size_t size, void *site)
{
    bool open = EBB__LOAD_RELAXED(&a->w.limit) < EBB__CLOSED_MIN;
    if (!open || (a->ext && a->ext->buffer_only))
        return ebb__obtain(a, size, EBB_ALIGN_DEFAULT, MODE_OPTIONAL, site);
    size_t got;
    return tell(a, ebb__obtain_block(a, size, &got, MODE_OPTIONAL), size, site);
}

static __attribute__((noinline)) void *make_slowly(ebb_arena *a, size_t size, void *site)
{
    if (size > ROUGH) return make_large(a, size, site);
    size_t rounded;
    unsigned list = list_of(size, &rounded);
    void *p = take(a, list, list);
    if (p) return tell(a, p, size, site);
    /* A strict arena guards the end of what was asked for. */
    p = ebb__obtain(a, a->bits & STRICT ? size : rounded, EBB_ALIGN_DEFAULT, MODE_OPTIONAL, site);
    return p ? p : take(a, list, LISTS - 1);
}

/* Most are small; many die young, and leave a hole for the next of their size. */
static inline void *make(ebb_arena *a, size_t size, void *site)
{
    if (unlikely(size > FINE)) return make_slowly(a, size, site);
    hole **lists = ebb__lists(a);
    unsigned list = (unsigned)((size - 1) / STEP);
    if (lists && lists[list]) {
        if (unlikely(begin_flags() || !ebb__uses_bins(a))) return make_slowly(a, size, site);
        return ebb__list_pop(a->ext->bins, list);
    }
    void *p = ebb__bump(a, round_fine(size), EBB_ALIGN_DEFAULT);
    return likely(p != NULL) ? p : make_slowly(a, size, site);
}

/* ---- letting go ------------------------------------------------------------------------------ */

static __attribute__((noinline)) void let_go_slowly(ebb_arena *a, void *ptr, size_t size)
{
    size_t rounded = size;
    unsigned list = size <= ROUGH ? list_of(size, &rounded) : LISTS;
    if (list < LISTS && ebb__list_give(a, ptr, list, rounded)) return;
    ebb__bin_give(a, ptr, a->bits & STRICT ? size : rounded);
}

static inline void let_go(ebb_arena *a, void *ptr, size_t size)
{
    bool usual =
        size <= FINE && ebb__lists(a) && !a->ext->lives && ebb__uses_bins(a) && !(a->bits & WIPE);
    if (unlikely(!usual)) let_go_slowly(a, ptr, size);
    else ebb__list_push(a->ext->bins, ptr, (unsigned)((size - 1) / STEP), round_fine(size));
}

/* ---- changing size --------------------------------------------------------------------------- */

/* It is large enough where it is. */
static bool fits(ebb_arena *a, void *ptr, size_t old_size, size_t size)
{
    size_t had, wanted;
    if (a->bits & STRICT) return false;
    if (old_size <= ROUGH && size <= ROUGH)
        return list_of(old_size, &had) == list_of(size, &wanted);
    if (old_size <= ROUGH || size <= ROUGH) return false;
    return size <= old_size || size <= ebb__usable(a, ptr, old_size);
}

/* Lua, for one, counts on it that making smaller does not fail. */
static __attribute__((noinline)) void *resize(ebb_arena *a, void *ptr, size_t old_size, size_t size,
                                              void *site)
{
    if (fits(a, ptr, old_size, size)) return ptr;
    void *to = make(a, size, site);
    if (!to) return size < old_size ? ptr : NULL;
    memcpy(to, ptr, old_size < size ? old_size : size);
    let_go(a, ptr, old_size);
    return to;
}

void *ebb_hook_sized(void *arena, void *ptr, size_t old_size, size_t size)
{
    ebb_arena *a = arena;
    bool had = ptr && old_size; /* without a block Lua gives the new one's kind as its size */
    if (!had) return size ? make(a, size, CALLER) : NULL;
    if (size) return resize(a, ptr, old_size, size, CALLER);
    let_go(a, ptr, old_size);
    return NULL;
}
