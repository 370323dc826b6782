/*
 * ebb/heap_of.h: a priority queue: a template, to be included once for each.
 *
 *     #define EBB_HEAP timers, struct timer           // name, type of an item
 *     #define EBB_LESS(a, b) ((a).due < (b).due)      // whether item a comes before item b
 *     #include <ebb/heap_of.h>
 *
 * gives a type `timers` and the functions below, under that name. For what is added all the time
 * and taken in order: timers, jobs by priority, the merging of sorted streams. Not for putting
 * what is there already in order, once, nor for the best k of many: ebb/sort_of.h does either
 * faster.
 *
 * A heap takes its memory from an arena and owns nothing: there is no fini. It may lie anywhere,
 * and be moved by assignment; of two copies only one may be used from then on. Threads: as its
 * arena.
 *
 *     timers   timers_in(ebb_arena *a)     an empty heap in a; allocates nothing yet
 *     h.ptr, h.len                         the items and how many; the first in order is ptr[0],
 *                                          the others are in no order that one could use
 *     const T *timers_first(&h)            NULL: it is empty
 *     bool     timers_push(&h, item)       false: no memory
 *     bool     timers_append(&h, items, n) n at once, not its own. false: no memory
 *     bool     timers_pop(&h, &item)       take the first (&item may be NULL); false: it is empty
 *     void     timers_replace(&h, item)    the first by another: pop and push in one; of an empty
 *                                          heap it is misuse, and reported
 *     bool     timers_reserve(&h, n)       room for n items in all, no more. false: no memory
 *     bool     timers_reserve_headroom(&h, n)  for n and a quarter, where n is a guess
 *     void     timers_clear(&h)            leaves none, keeps the memory
 *     void     timers_release(&h)          leaves none, gives the memory back to the arena
 *
 * Who must find an item again, to take it out or to move it, has each told where it lies, by
 *
 *     #define EBB_MOVED(item, i) ((item).place = (i))     before the include; i is a size_t
 *
 *     void     timers_update(&h, i)        ptr[i] was changed: put it where it belongs now
 *     void     timers_remove(&h, i)        take ptr[i] out
 *
 * Failure: what grows returns false, or jumps inside ebb_try, as ebb_alloc does; the heap is then
 * as it was.
 * Lifetime: a pointer to an item is good until the heap is changed.
 * Order: of items that are equal any may be first. Who needs the order of insertion puts a counter
 * into the item, and compares that last.
 * After ebb_arena_rewind a heap that has grown since the mark is dead.
 * Cost: push, O(1) on average and O(log n) at worst; pop, O(log n); append, O(n) where there are at
 * least as many new ones as old. Each item has four below it, which lie side by side: half as deep
 * as with two.
 */
#ifndef EBB_HEAP_OF_H
#define EBB_HEAP_OF_H

#include <ebb/sequence.h>

#define EBB__HEAP_BELOW 4 /* items below each */

#endif /* EBB_HEAP_OF_H */

/* Errors in a user's call are then told without the macros that the names are made with. */
#ifndef EBB__SHOW_TEMPLATE_WARNINGS
#pragma GCC system_header
#endif

#ifndef EBB_HEAP
#error "define EBB_HEAP before including ebb/heap_of.h"
#elif EBB__COUNT(EBB_HEAP) != 2
#error "EBB_HEAP takes: name, type of an item"
#elif !defined(EBB_LESS)
#error "EBB_HEAP needs EBB_LESS(a, b): whether item a comes before item b"
#else

#define EBB__N       EBB__ARG1(EBB_HEAP)
#define EBB__F(name) EBB__PASTE(EBB__N, name)
#define EBB__ITEM    EBB__F(_item)

typedef EBB__ARG2(EBB_HEAP) EBB__ITEM;

EBB__ASSERT(EBB_ALIGNOF(EBB__ITEM) <= EBB_ALIGN_DEFAULT,
            "an item is aligned no further than malloc does");

typedef struct EBB__N {
    EBB__ITEM *ptr;
    size_t len;
    size_t ebb__cap;
    ebb_arena *arena;
} EBB__N;

static inline EBB__N EBB__F(_in)(ebb_arena *a)
{
    EBB__N h;
    h.ptr = NULL;
    h.len = h.ebb__cap = 0;
    h.arena = a;
    return h;
}

static inline bool EBB__F(__less)(const EBB__ITEM *a, const EBB__ITEM *b)
{
    return EBB_LESS(*a, *b);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static inline bool EBB__F(__use)(EBB__N *h, ebb_storage s)
{
    h->ptr = (EBB__ITEM *)s.ptr;
    h->ebb__cap = s.size / sizeof(EBB__ITEM);
    return true;
}

EBB_COLD static bool EBB__F(__grow)(EBB__N *h, size_t more)
{
    ebb_storage s = ebb__items_storage(h->ptr, h->ebb__cap, sizeof(EBB__ITEM));
    return ebb__items_grow(h->arena, &s, h->len, more, sizeof(EBB__ITEM)) && EBB__F(__use)(h, s);
}

static inline bool EBB__F(_reserve)(EBB__N *h, size_t n)
{
    ebb_storage s = ebb__items_storage(h->ptr, h->ebb__cap, sizeof(EBB__ITEM));
    if (n <= h->ebb__cap) return true;
    return ebb__items_reserve(h->arena, &s, h->len, n, sizeof(EBB__ITEM)) && EBB__F(__use)(h, s);
}

static inline bool EBB__F(_reserve_headroom)(EBB__N *h, size_t n)
{
    return EBB__F(_reserve)(h, ebb__with_headroom(n));
}

static inline void EBB__F(_clear)(EBB__N *h)
{
    h->len = 0;
}

static inline void EBB__F(_release)(EBB__N *h)
{
    ebb_storage s = ebb__items_storage(h->ptr, h->ebb__cap, sizeof(EBB__ITEM));
    ebb_storage_release(h->arena, &s);
    *h = EBB__F(_in)(h->arena);
}

/* ---- order ----------------------------------------------------------------------------------- */

/* ptr[i] is a hole, into which an item is put, here or after the hole has moved. */
static inline void EBB__F(__place)(EBB__N *h, size_t i, const EBB__ITEM *item)
{
    h->ptr[i] = *item;
#ifdef EBB_MOVED
    EBB_MOVED(h->ptr[i], i);
#endif
}

static inline size_t EBB__F(__hole_up)(EBB__N *h, size_t i, const EBB__ITEM *item)
{
    while (i > 0) {
        size_t above = (i - 1) / EBB__HEAP_BELOW;
        if (!EBB__F(__less)(item, &h->ptr[above])) break;
        EBB__F(__place)(h, i, &h->ptr[above]);
        i = above;
    }
    return i;
}

/* Of `count` items side by side the one that comes first; of four by a mask, since no branch can
   foresee which it is. */
static inline size_t EBB__F(__first_of)(const EBB__N *h, size_t from, size_t count)
{
    const EBB__ITEM *p = h->ptr + from;
    size_t first = 0;
    if (EBB_LIKELY(count == EBB__HEAP_BELOW)) {
        size_t a = EBB__F(__less)(&p[1], &p[0]), b = 2 + (size_t)EBB__F(__less)(&p[3], &p[2]);
        return from + a + ((b - a) & (0 - (size_t)EBB__F(__less)(&p[b], &p[a])));
    }
    for (size_t i = 1; i < count; i++) first = EBB__F(__less)(&p[i], &p[first]) ? i : first;
    return from + first;
}

static inline size_t EBB__F(__hole_down)(EBB__N *h, size_t i, const EBB__ITEM *item)
{
    for (size_t below; (below = EBB__HEAP_BELOW * i + 1) < h->len;) {
        size_t count = h->len - below;
        if (EBB_LIKELY(count >= EBB__HEAP_BELOW)) count = EBB__HEAP_BELOW;
        size_t first = EBB__F(__first_of)(h, below, count);
        if (!EBB__F(__less)(&h->ptr[first], item)) break;
        EBB__F(__place)(h, i, &h->ptr[first]);
        i = first;
    }
    return i;
}

static inline void EBB__F(__settle_down)(EBB__N *h, size_t i, EBB__ITEM item)
{
    EBB__F(__place)(h, EBB__F(__hole_down)(h, i, &item), &item);
}

static inline void EBB__F(__settle_anywhere)(EBB__N *h, size_t i, EBB__ITEM item)
{
    size_t up = EBB__F(__hole_up)(h, i, &item);
    if (up != i) EBB__F(__place)(h, up, &item);
    else EBB__F(__settle_down)(h, i, item);
}

/* ---- the heap -------------------------------------------------------------------------------- */

static inline bool EBB__F(__in_range)(const EBB__N *h, size_t i, const char *function)
{
    if (EBB_LIKELY(i < h->len)) return true;
    ebb__out_of_range(h->arena, function, i, h->len);
    return false;
}

static inline const EBB__ITEM *EBB__F(_first)(const EBB__N *h)
{
    return h->len ? h->ptr : NULL;
}

static inline bool EBB__F(_push)(EBB__N *h, EBB__ITEM item)
{
    if (!EBB_LIKELY(h->len < h->ebb__cap) && !EBB__F(__grow)(h, 1)) return false;
    size_t i = h->len++;
    EBB__F(__place)(h, EBB__F(__hole_up)(h, i, &item), &item);
    return true;
}

/* Few are put in one by one; for many it is less work to put all in order from the bottom up. */
static inline bool EBB__F(_append)(EBB__N *h, const EBB__ITEM *items, size_t n)
{
    if (n > h->ebb__cap - h->len && !EBB__F(__grow)(h, n)) return false;
    if (n < h->len) {
        for (size_t i = 0; i < n; i++) (void)EBB__F(_push)(h, items[i]);
        return true;
    }
    for (size_t i = 0; i < n; i++) EBB__F(__place)(h, h->len + i, &items[i]);
    h->len += n;
    for (size_t i = h->len / EBB__HEAP_BELOW + 1; i-- > 0;)
        if (i < h->len) EBB__F(__settle_down)(h, i, h->ptr[i]);
    return true;
}

static inline void EBB__F(_update)(EBB__N *h, size_t i)
{
    if (!EBB__F(__in_range)(h, i, EBB__TEXT(EBB__F(_update)))) return;
    EBB__F(__settle_anywhere)(h, i, h->ptr[i]);
}

static inline void EBB__F(_remove)(EBB__N *h, size_t i)
{
    if (!EBB__F(__in_range)(h, i, EBB__TEXT(EBB__F(_remove)))) return;
    h->len--;
    if (i < h->len) EBB__F(__settle_anywhere)(h, i, h->ptr[h->len]);
}

static inline bool EBB__F(_pop)(EBB__N *h, EBB__ITEM *ret_first)
{
    if (h->len == 0) return false;
    if (ret_first) *ret_first = h->ptr[0];
    h->len--;
    if (h->len) EBB__F(__settle_down)(h, 0, h->ptr[h->len]);
    return true;
}

static inline void EBB__F(_replace)(EBB__N *h, EBB__ITEM item)
{
    if (!EBB__F(__in_range)(h, 0, EBB__TEXT(EBB__F(_replace)))) return;
    EBB__F(__settle_down)(h, 0, item);
}

#endif /* the arguments are right */

#undef EBB__N
#undef EBB__F
#undef EBB__ITEM
#undef EBB_HEAP
#undef EBB_LESS
#undef EBB_MOVED
