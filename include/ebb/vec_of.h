/*
 * ebb/vec_of.h: a vector of a type of your own: a template, to be included once for each.
 *
 *     #define EBB_VEC nodes, struct node              // name, type of an item
 *     #include <ebb/vec_of.h>
 *
 *     #define EBB_VEC jobs, struct job                // with an order, so that it can be sorted
 *     #define EBB_LESS(a, b) ((a).deadline < (b).deadline)
 *     #include <ebb/vec_of.h>
 *
 * gives a type `nodes` and the functions below, under that name. For lists whose length is not
 * known before. Of those that are mostly short, ebb/smallvec_of.h keeps the first few in the struct
 * itself; where items come and go at both ends, ebb/deque_of.h; a known number of items is an
 * ebb_new_array.
 *
 * A vector takes its memory from an arena and owns nothing: there is no fini. It may lie anywhere,
 * and be moved by assignment; of two copies only one may be used from then on. What it outgrows,
 * its arena hands out again. Items are copied as bytes are, and aligned no further than malloc
 * does. Threads: as its arena; reading, any number at once.
 *
 *     nodes nodes_in(ebb_arena *a)         an empty vector in a; allocates nothing yet
 *     v.ptr, v.len                         the items and how many; ptr is NULL before the first
 *     T    *nodes_at(&v, i)                item i; out of range is misuse, reported (ptr[i] is not)
 *     T    *nodes_last(&v)                 NULL: it is empty
 *
 *     T    *nodes_push(&v, item)           behind the last. NULL: no memory
 *     bool  nodes_append(&v, items, n)     n at once; they may be its own. false: no memory
 *     T    *nodes_extend(&v, n)            n more, not initialised; the first. NULL: no memory
 *     T    *nodes_insert(&v, i, item)      before item i, or last where i is len. NULL: no memory
 *     bool  nodes_insert_n(&v, i, items, n)  n at once, not its own. false: no memory
 *
 *     bool  nodes_pop(&v, &item)           take the last (&item may be NULL); false: it is empty
 *     void  nodes_remove(&v, i)            those behind it move up
 *     void  nodes_remove_n(&v, i, n)       n from i on
 *     void  nodes_remove_swap(&v, i)       the last takes its place
 *     void  nodes_truncate(&v, n)          leaves at most n
 *     void  nodes_clear(&v)                leaves none, keeps the memory
 *
 *     bool  nodes_reserve(&v, n)           room for n items in all, no more. false: no memory
 *     bool  nodes_reserve_headroom(&v, n)  for n and a quarter, where n is a guess
 *     nodes nodes_move(&v)                 the vector; what is left at v is empty
 *     void  nodes_settle(&v)               it has grown for the last time: give back what is spare
 *     void  nodes_release(&v)              leaves none, gives the memory back to the arena
 *
 * and where EBB_LESS(a, b) says whether item a comes before item b (it may look at either twice):
 *
 *     void   nodes_sort(&v)                equal items in any order
 *     bool   nodes_sort_stable(&v)         equal items as they were. false: no memory, as it was
 *     void   nodes_sort_first(&v, k)       the k that come first, in order; the others behind them
 *     bool   nodes_is_sorted(&v)
 *     size_t nodes_lower_bound(&v, key)    of a sorted one: how many come before key
 *     size_t nodes_upper_bound(&v, key)    and how many do not come after it
 *     T     *nodes_search(&v, key)         the first that is equal; NULL: none is
 *     T     *nodes_insert_sorted(&v, item) where it belongs, behind its equals. NULL: no memory
 *
 * A key is an item of which only what EBB_LESS looks at is set. More than one order for a type:
 * ebb/sort_of.h, for arrays.
 *
 * Failure: what grows returns NULL or false, or jumps inside ebb_try, as ebb_alloc does; the vector
 * is then as it was.
 * Lifetime: a pointer to an item is good until the vector grows, or an item before it is inserted
 * or removed.
 * After ebb_arena_rewind a vector that has grown since the mark is dead.
 * Cost: push, O(1) over many, 8 instructions where there is room; it grows to twice its size, in
 * place if it is the one object that grows at the arena's floor, else by copying. From 4 KiB on it
 * has a block of its own, and what it outgrows goes back to the thread's cache. Sorting:
 * ebb/sort_of.h.
 */
#ifndef EBB_VEC_OF_H
#define EBB_VEC_OF_H

#include <ebb/sequence.h>

#endif /* EBB_VEC_OF_H */

/* Errors in a user's call are then told without the macros that the names are made with. */
#ifndef EBB__SHOW_TEMPLATE_WARNINGS
#pragma GCC system_header
#endif

#ifndef EBB_VEC
#error "define EBB_VEC before including ebb/vec_of.h"
#elif EBB__COUNT(EBB_VEC) != 2
#error "EBB_VEC takes: name, type of an item"
#else

#ifdef EBB_LESS
#define EBB__ORDERED 1
#define EBB_SORT     EBB__PASTE(EBB__ARG1(EBB_VEC), __array), EBB__ARG2(EBB_VEC)
#include <ebb/sort_of.h>
#endif

#define EBB__N       EBB__ARG1(EBB_VEC)
#define EBB__F(name) EBB__PASTE(EBB__N, name)
#define EBB__ITEM    EBB__F(_item)

typedef EBB__ARG2(EBB_VEC) EBB__ITEM;

typedef struct EBB__N {
    EBB__ITEM *ptr;
    size_t len;
    size_t ebb__cap;
    ebb_arena *arena;
} EBB__N;

static inline EBB__N EBB__F(_in)(ebb_arena *a)
{
    EBB__N v;
    v.ptr = NULL;
    v.len = v.ebb__cap = 0;
    v.arena = a;
    return v;
}

static inline EBB__ITEM *EBB__F(__items)(const EBB__N *v)
{
    return v->ptr;
}

static inline ebb_storage EBB__F(__storage)(const EBB__N *v)
{
    return ebb__items_storage(v->ptr, v->ebb__cap, sizeof(EBB__ITEM));
}

static inline bool EBB__F(__use)(EBB__N *v, ebb_storage s)
{
    v->ptr = (EBB__ITEM *)s.ptr;
    v->ebb__cap = s.size / sizeof(EBB__ITEM);
    return true;
}

/* For so many more than there are. */
EBB_COLD static bool EBB__F(__grow)(EBB__N *v, size_t more)
{
    ebb_storage s = EBB__F(__storage)(v);
    return ebb__items_grow(v->arena, &s, v->len, more, sizeof(EBB__ITEM)) && EBB__F(__use)(v, s);
}

EBB_COLD static bool EBB__F(__grow_to)(EBB__N *v, size_t count)
{
    ebb_storage s = EBB__F(__storage)(v);
    return ebb__items_reserve(v->arena, &s, v->len, count, sizeof(EBB__ITEM)) &&
           EBB__F(__use)(v, s);
}

static inline void EBB__F(_release)(EBB__N *v)
{
    ebb_storage s = EBB__F(__storage)(v);
    ebb_storage_release(v->arena, &s);
    *v = EBB__F(_in)(v->arena);
}

static inline void EBB__F(_settle)(EBB__N *v)
{
    ebb_storage s = EBB__F(__storage)(v);
    if (v->len == 0) {
        EBB__F(_release)(v);
        return;
    }
    ebb_storage_settle(v->arena, &s, v->len * sizeof(EBB__ITEM));
    EBB__F(__use)(v, s);
}

#include <ebb/vec_calls.h>

#endif /* the arguments are right */

#undef EBB__ORDERED
#undef EBB__N
#undef EBB__F
#undef EBB__ITEM
#undef EBB_VEC
#undef EBB_LESS
