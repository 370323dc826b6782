/*
 * ebb/deque_of.h: a queue with two ends, in a ring: a template, to be included once for each type.
 *
 *     #define EBB_DEQUE jobs, struct job              // name, type of an item
 *     #include <ebb/deque_of.h>
 *
 * gives a type `jobs` and the functions below, under that name. For what comes in at one end and
 * goes out at the other: work still to be done, the last n of something. Not for what grows at one
 * end only (ebb/vec_of.h, whose items are an array), nor between threads.
 *
 *              first      first + len
 *     | ....... | items .. | ......... |     or:   | .. items | ........ | items .. |
 *     0                               cap          0         wrapped    first      cap
 *
 * A queue takes its memory from an arena and owns nothing: there is no fini. It may lie anywhere,
 * and be moved by assignment; of two copies only one may be used from then on. Threads: as its
 * arena.
 *
 *     jobs  jobs_in(ebb_arena *a)          an empty queue in a; allocates nothing yet
 *     q.len                                how many items; to be read
 *     T    *jobs_at(&q, i)                 item i from the front; out of range is misuse, reported
 *     T    *jobs_first(&q)                 NULL: it is empty
 *     T    *jobs_last(&q)                  NULL: it is empty
 *     T    *jobs_run(&q, i, &n)            the items from i on that lie side by side, n of them;
 *                                          NULL with n = 0: there is no item i
 *
 *     T    *jobs_push_back(&q, item)       NULL: no memory
 *     T    *jobs_push_front(&q, item)      NULL: no memory
 *     bool  jobs_append(&q, items, n)      n at the back at once, not its own. false: no memory
 *     bool  jobs_pop_front(&q, &item)      take one (&item may be NULL); false: it is empty
 *     bool  jobs_pop_back(&q, &item)
 *     void  jobs_drop_front(&q, n)         n, or as many as there are, at once
 *     void  jobs_clear(&q)                 leaves none, keeps the memory
 *
 *     bool  jobs_reserve(&q, n)            room for n items in all, no more. false: no memory
 *     bool  jobs_reserve_headroom(&q, n)   for n and a quarter, where n is a guess
 *     void  jobs_release(&q)               leaves none, gives the memory back to the arena
 *
 * Failure: what grows returns NULL or false, or jumps inside ebb_try, as ebb_alloc does; the queue
 * is then as it was.
 * Lifetime: a pointer to an item is good until the queue grows.
 * After ebb_arena_rewind a queue that has grown since the mark is dead.
 * Cost: push and pop, O(1) at either end; it grows to twice its size.
 */
#ifndef EBB_DEQUE_OF_H
#define EBB_DEQUE_OF_H

#include <ebb/sequence.h>

#endif /* EBB_DEQUE_OF_H */

/* Errors in a user's call are then told without the macros that the names are made with. */
#ifndef EBB__SHOW_TEMPLATE_WARNINGS
#pragma GCC system_header
#endif

#ifndef EBB_DEQUE
#error "define EBB_DEQUE before including ebb/deque_of.h"
#elif EBB__COUNT(EBB_DEQUE) != 2
#error "EBB_DEQUE takes: name, type of an item"
#else

#define EBB__N       EBB__ARG1(EBB_DEQUE)
#define EBB__F(name) EBB__PASTE(EBB__N, name)
#define EBB__ITEM    EBB__F(_item)

typedef EBB__ARG2(EBB_DEQUE) EBB__ITEM;

EBB__ASSERT(EBB_ALIGNOF(EBB__ITEM) <= EBB_ALIGN_DEFAULT,
            "an item is aligned no further than malloc does");

/* first < cap, or both are 0. */
typedef struct EBB__N {
    EBB__ITEM *ebb__ptr;
    size_t len;
    size_t ebb__first, ebb__cap;
    ebb_arena *arena;
} EBB__N;

static inline EBB__N EBB__F(_in)(ebb_arena *a)
{
    EBB__N q;
    q.ebb__ptr = NULL;
    q.len = q.ebb__first = q.ebb__cap = 0;
    q.arena = a;
    return q;
}

/* Where, in the ring, item i is or would be; i <= cap. */
static inline size_t EBB__F(__slot)(const EBB__N *q, size_t i)
{
    size_t slot = q->ebb__first + i; /* both are at most cap, so that can't overflow */
    return slot < q->ebb__cap ? slot : slot - q->ebb__cap;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static inline size_t EBB__F(__wrapped)(const EBB__N *q)
{
    size_t before_end = q->ebb__cap - q->ebb__first;
    return q->len > before_end ? q->len - before_end : 0;
}

/* The storage has what was in the old one, at the same places: join what was wrapped to the rest,
   by moving the fewer. */
static inline bool EBB__F(__use)(EBB__N *q, ebb_storage s)
{
    EBB__ITEM *p = (EBB__ITEM *)s.ptr;
    size_t cap = s.size / sizeof *p, wrapped = EBB__F(__wrapped)(q), at_end = q->len - wrapped;
    if (wrapped && wrapped <= at_end && wrapped <= cap - q->ebb__cap) {
        memcpy(p + q->ebb__cap, p, wrapped * sizeof *p);
    } else if (wrapped) {
        memmove(p + cap - at_end, p + q->ebb__first, at_end * sizeof *p);
        q->ebb__first = cap - at_end;
    }
    q->ebb__ptr = p;
    q->ebb__cap = cap;
    return true;
}

/* How many slots, from the first in memory on, hold items. */
static inline size_t EBB__F(__slots_used)(const EBB__N *q)
{
    return EBB__F(__wrapped)(q) ? q->ebb__cap : q->ebb__first + q->len;
}

EBB_COLD static bool EBB__F(__grow_to)(EBB__N *q, size_t count)
{
    ebb_storage s = ebb__items_storage(q->ebb__ptr, q->ebb__cap, sizeof(EBB__ITEM));
    return ebb__items_reserve(q->arena, &s, EBB__F(__slots_used)(q), count, sizeof(EBB__ITEM)) &&
           EBB__F(__use)(q, s);
}

/* For so many more than there is room for, which is not enough. */
EBB_COLD static bool EBB__F(__grow)(EBB__N *q, size_t more)
{
    ebb_storage s = ebb__items_storage(q->ebb__ptr, q->ebb__cap, sizeof(EBB__ITEM));
    size_t used = EBB__F(__slots_used)(q), lacking = more - (q->ebb__cap - q->len);
    return ebb__items_grow(q->arena, &s, used, q->ebb__cap - used + lacking, sizeof(EBB__ITEM)) &&
           EBB__F(__use)(q, s);
}

static inline bool EBB__F(_reserve)(EBB__N *q, size_t n)
{
    return n <= q->ebb__cap || EBB__F(__grow_to)(q, n);
}

static inline bool EBB__F(_reserve_headroom)(EBB__N *q, size_t n)
{
    return EBB__F(_reserve)(q, ebb__with_headroom(n));
}

static inline void EBB__F(_clear)(EBB__N *q)
{
    q->len = q->ebb__first = 0;
}

static inline void EBB__F(_release)(EBB__N *q)
{
    ebb_storage s = ebb__items_storage(q->ebb__ptr, q->ebb__cap, sizeof(EBB__ITEM));
    ebb_storage_release(q->arena, &s);
    *q = EBB__F(_in)(q->arena);
}

/* ---- reading --------------------------------------------------------------------------------- */

static inline EBB__ITEM *EBB__F(_at)(const EBB__N *q, size_t i)
{
    if (EBB_LIKELY(i < q->len)) return q->ebb__ptr + EBB__F(__slot)(q, i);
    ebb__out_of_range(q->arena, EBB__TEXT(EBB__F(_at)), i, q->len);
    return NULL;
}

static inline EBB__ITEM *EBB__F(_first)(const EBB__N *q)
{
    return q->len ? q->ebb__ptr + q->ebb__first : NULL;
}

static inline EBB__ITEM *EBB__F(_last)(const EBB__N *q)
{
    return q->len ? q->ebb__ptr + EBB__F(__slot)(q, q->len - 1) : NULL;
}

static inline EBB__ITEM *EBB__F(_run)(const EBB__N *q, size_t i, size_t *ret_n)
{
    if (i >= q->len) {
        *ret_n = 0;
        return NULL;
    }
    size_t slot = EBB__F(__slot)(q, i), to_end = q->ebb__cap - slot;
    *ret_n = q->len - i < to_end ? q->len - i : to_end;
    return q->ebb__ptr + slot;
}

/* ---- adding ---------------------------------------------------------------------------------- */

static inline EBB__ITEM *EBB__F(_push_back)(EBB__N *q, EBB__ITEM item)
{
    if (!EBB_LIKELY(q->len < q->ebb__cap) && !EBB__F(__grow)(q, 1)) return NULL;
    size_t len = q->len;
    EBB__ITEM *to = q->ebb__ptr + EBB__F(__slot)(q, len);
    *to = item;
    q->len = len + 1; /* last, since *to may be of its type */
    return to;
}

static inline EBB__ITEM *EBB__F(_push_front)(EBB__N *q, EBB__ITEM item)
{
    if (!EBB_LIKELY(q->len < q->ebb__cap) && !EBB__F(__grow)(q, 1)) return NULL;
    q->ebb__first = (q->ebb__first ? q->ebb__first : q->ebb__cap) - 1;
    q->len++;
    q->ebb__ptr[q->ebb__first] = item;
    return q->ebb__ptr + q->ebb__first;
}

static inline bool EBB__F(_append)(EBB__N *q, const EBB__ITEM *items, size_t n)
{
    if (n == 0) return true;
    if (n > q->ebb__cap - q->len && !EBB__F(__grow)(q, n)) return false;
    size_t slot = EBB__F(__slot)(q, q->len), to_end = q->ebb__cap - slot;
    size_t here = n < to_end ? n : to_end;
    memcpy(q->ebb__ptr + slot, items, here * sizeof *items);
    if (n > here) memcpy(q->ebb__ptr, items + here, (n - here) * sizeof *items);
    q->len += n;
    return true;
}

/* ---- removing -------------------------------------------------------------------------------- */

static inline void EBB__F(_drop_front)(EBB__N *q, size_t n)
{
    if (n >= q->len) {
        EBB__F(_clear)(q);
        return;
    }
    q->ebb__first = EBB__F(__slot)(q, n);
    q->len -= n;
}

static inline bool EBB__F(_pop_front)(EBB__N *q, EBB__ITEM *ret_first)
{
    if (q->len == 0) return false;
    if (ret_first) *ret_first = q->ebb__ptr[q->ebb__first];
    size_t next = q->ebb__first + 1; /* a branch: whoever pops next does not wait for it */
    if (EBB_LIKELY(next != q->ebb__cap)) q->ebb__first = next;
    else q->ebb__first = 0;
    q->len--;
    return true;
}

static inline bool EBB__F(_pop_back)(EBB__N *q, EBB__ITEM *ret_last)
{
    if (q->len == 0) return false;
    q->len--;
    if (ret_last) *ret_last = q->ebb__ptr[EBB__F(__slot)(q, q->len)];
    return true;
}

#endif /* the arguments are right */

#undef EBB__N
#undef EBB__F
#undef EBB__ITEM
#undef EBB_DEQUE
