/*
 * ebb/smallvec_of.h: a vector that keeps its first few items in the struct itself: a template, to
 * be included once for each type.
 *
 *     #define EBB_SMALLVEC tags, uint32_t, 4          // name, type of an item [, how many: 8]
 *     #include <ebb/smallvec_of.h>
 *
 * gives a type `tags` with the functions of ebb/vec_of.h under that name; EBB_LESS(a, b), if it is
 * defined, gives those for order, too. For lists that are nearly always short: as long as they are,
 * they take nothing from the arena. Not for arrays of them that are mostly empty, nor for those
 * that are mostly longer: ebb/vec_of.h is 32 bytes whatever it holds.
 *
 *     v.len                                how many items
 *     T *tags_ptr(&v)                      the items; never NULL
 *
 * There is no pointer to itself in it: it may be moved and copied by assignment. A copy of one
 * whose items are inside is a vector of its own; of copies of one that has outgrown the struct
 * only one may be used from then on. As long as its items are inside, tags_move copies them.
 *
 * Lifetime: a pointer to an item is good until the vector grows or is moved, or an item before it
 * is inserted or removed.
 * Failure, threads, rewinding: as for a vector.
 * Cost: 24 bytes and the items inside. Asking where the items are is a comparison, so tags_ptr is
 * for before a loop. What no longer fits goes to the arena, as a vector does, and stays there until
 * tags_settle or tags_release.
 */
#ifndef EBB_SMALLVEC_OF_H
#define EBB_SMALLVEC_OF_H

#include <ebb/sequence.h>

#endif /* EBB_SMALLVEC_OF_H */

/* Errors in a user's call are then told without the macros that the names are made with. */
#ifndef EBB__SHOW_TEMPLATE_WARNINGS
#pragma GCC system_header
#endif

#ifndef EBB_SMALLVEC
#error "define EBB_SMALLVEC before including ebb/smallvec_of.h"
#elif EBB__COUNT(EBB_SMALLVEC) < 2 || EBB__COUNT(EBB_SMALLVEC) > 3
#error "EBB_SMALLVEC takes: name, type of an item [, how many are kept inside]"
#else

#ifdef EBB_LESS
#define EBB__ORDERED 1
#define EBB_SORT     EBB__PASTE(EBB__ARG1(EBB_SMALLVEC), __array), EBB__ARG2(EBB_SMALLVEC)
#include <ebb/sort_of.h>
#endif

#define EBB__N       EBB__ARG1(EBB_SMALLVEC)
#define EBB__F(name) EBB__PASTE(EBB__N, name)
#define EBB__ITEM    EBB__F(_item)
#if EBB__COUNT(EBB_SMALLVEC) == 3
#define EBB__INSIDE EBB__ARG3(EBB_SMALLVEC)
#else
#define EBB__INSIDE 8
#endif

typedef EBB__ARG2(EBB_SMALLVEC) EBB__ITEM;

/* The items are inside for as long as no more than that fit. */
typedef struct EBB__N {
    size_t len;
    size_t ebb__cap;
    ebb_arena *arena;
    union {
        EBB__ITEM *out;
        EBB__ITEM in[EBB__INSIDE];
    } ebb__at;
} EBB__N;

static inline EBB__N EBB__F(_in)(ebb_arena *a)
{
    EBB__N v;
    v.len = 0;
    v.ebb__cap = EBB__INSIDE;
    v.arena = a;
    return v;
}

static inline bool EBB__F(__is_inside)(const EBB__N *v)
{
    return v->ebb__cap <= EBB__INSIDE;
}

static inline EBB__ITEM *EBB__F(__items)(const EBB__N *v)
{
    return EBB__F(__is_inside)(v) ? (EBB__ITEM *)(uintptr_t)v->ebb__at.in : v->ebb__at.out;
}

static inline EBB__ITEM *EBB__F(_ptr)(const EBB__N *v)
{
    return EBB__F(__items)(v);
}

static inline ebb_storage EBB__F(__storage)(const EBB__N *v)
{
    if (EBB__F(__is_inside)(v)) return ebb__items_storage(NULL, 0, 0);
    return ebb__items_storage(v->ebb__at.out, v->ebb__cap, sizeof(EBB__ITEM));
}

/* The storage has the items already, unless they were inside. */
static inline bool EBB__F(__use)(EBB__N *v, ebb_storage s)
{
    if (EBB__F(__is_inside)(v)) memcpy(s.ptr, v->ebb__at.in, v->len * sizeof(EBB__ITEM));
    v->ebb__at.out = (EBB__ITEM *)s.ptr;
    v->ebb__cap = s.size / sizeof(EBB__ITEM);
    return true;
}

EBB_COLD static bool EBB__F(__grow_to)(EBB__N *v, size_t count)
{
    size_t kept = EBB__F(__is_inside)(v) ? 0 : v->len;
    ebb_storage s = EBB__F(__storage)(v);
    return ebb__items_reserve(v->arena, &s, kept, count, sizeof(EBB__ITEM)) && EBB__F(__use)(v, s);
}

/* For so many more than there are. */
EBB_COLD static bool EBB__F(__grow)(EBB__N *v, size_t more)
{
    size_t count = more <= SIZE_MAX - v->len ? v->len + more : SIZE_MAX;
    return EBB__F(__grow_to)(v, count / 2 < v->ebb__cap ? 2 * v->ebb__cap : count);
}

static inline void EBB__F(_release)(EBB__N *v)
{
    ebb_storage s = EBB__F(__storage)(v);
    ebb_storage_release(v->arena, &s);
    v->len = 0;
    v->ebb__cap = EBB__INSIDE;
}

static inline void EBB__F(_settle)(EBB__N *v)
{
    ebb_storage s = EBB__F(__storage)(v);
    if (EBB__F(__is_inside)(v)) return;
    if (v->len > EBB__INSIDE) {
        ebb_storage_settle(v->arena, &s, v->len * sizeof(EBB__ITEM));
        v->ebb__at.out = (EBB__ITEM *)s.ptr;
        v->ebb__cap = v->len;
        return;
    }
    memcpy(v->ebb__at.in, s.ptr, v->len * sizeof(EBB__ITEM));
    v->ebb__cap = EBB__INSIDE;
    ebb_storage_release(v->arena, &s);
}

#include <ebb/vec_calls.h>

#endif /* the arguments are right */

#undef EBB__ORDERED
#undef EBB__N
#undef EBB__F
#undef EBB__ITEM
#undef EBB__INSIDE
#undef EBB_SMALLVEC
#undef EBB_LESS
