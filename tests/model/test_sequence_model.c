/*
 * tests/model/test_sequence_model.c: vectors, small vectors, queues and heaps (ebb/vec_of.h,
 * ebb/smallvec_of.h, ebb/deque_of.h, ebb/heap_of.h) against plain arrays: random programs of several in one
 * arena, so that they take the floor, and what the others outgrew, from one another; with allocations that
 * fail, after which a sequence must be as it was; with marks, under which new ones are made and forgotten.
 * Bitsets and lists have their models in tests/unit.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <stdlib.h>
#include <string.h>

typedef struct wide {
    uint64_t word[5];
} wide;

#define EBB_VEC        words, uint64_t
#define EBB_LESS(a, b) ((a) < (b))
#include <ebb/vec_of.h>
#define EBB_VEC        wides, wide
#define EBB_LESS(a, b) ((a).word[0] < (b).word[0])
#include <ebb/vec_of.h>
#define EBB_VEC        letters, unsigned char
#define EBB_LESS(a, b) ((a) < (b))
#include <ebb/vec_of.h>
#define EBB_SMALLVEC   few_words, uint64_t, 5
#define EBB_LESS(a, b) ((a) < (b))
#include <ebb/smallvec_of.h>
#define EBB_SMALLVEC   few_wides, wide, 1
#define EBB_LESS(a, b) ((a).word[0] < (b).word[0])
#include <ebb/smallvec_of.h>
#define EBB_DEQUE word_queue, uint64_t
#include <ebb/deque_of.h>
#define EBB_DEQUE wide_queue, wide
#include <ebb/deque_of.h>
#define EBB_HEAP       word_heap, uint64_t
#define EBB_LESS(a, b) ((a) < (b))
#include <ebb/heap_of.h>
#define EBB_HEAP       wide_heap, wide
#define EBB_LESS(a, b) ((a).word[0] < (b).word[0])
#include <ebb/heap_of.h>

enum { SEQUENCES = 5, MOST = 3000, PIECE = 60 };

/* What a sequence should hold: a number for each item. */
typedef struct plain {
    uint64_t val[MOST];
    size_t len;
} plain;

typedef struct model {
    rng r;
    ebb_arena *a;
    plain p[SEQUENCES], under_mark;
    size_t most; /* above it, items are taken away: so that there are programs of small ones, too */
} model;

#define WORD(v)         ((uint64_t)(v))
#define LETTER(v)       ((unsigned char)(v))
#define WIDE(v)         wide_of(v)
#define EQUAL(x, v)     ((x) == WORD(v))
#define LETTER_IS(x, v) ((x) == LETTER(v))
#define WIDE_IS(x, v)   ((x).word[0] == (v) && (x).word[1] == ~(uint64_t)(v) && (x).word[4] == (v))
#define PTR_FIELD(v)    ((v)->ptr)

static wide wide_of(uint64_t v)
{
    return (wide){{v, ~v, v, 7 * v, v}};
}

static int by_value(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static uint64_t some_value(model *m)
{
    return rng_next(&m->r) & (rng_one_in(&m->r, 2) ? 0x3f : 0xff);
}

/* ---- the plain side ---------------------------------------------------------------------------------------- */

static void plain_insert(plain *p, size_t i, const uint64_t *val, size_t n)
{
    memmove(p->val + i + n, p->val + i, (p->len - i) * sizeof *val);
    memcpy(p->val + i, val, n * sizeof *val);
    p->len += n;
}

static void plain_remove(plain *p, size_t i, size_t n)
{
    p->len -= n;
    memmove(p->val + i, p->val + i + n, (p->len - i) * sizeof *p->val);
}

static void plain_sort(plain *p, size_t from)
{
    qsort(p->val + from, p->len - from, sizeof *p->val, by_value);
}

static size_t plain_least(const plain *p)
{
    size_t least = 0;
    for (size_t i = 1; i < p->len; i++)
        if (p->val[i] < p->val[least]) least = i;
    return least;
}

static bool has_room(const model *m, const plain *p, size_t n)
{
    return p->len + n <= m->most;
}

/* ---- the same frame for each ------------------------------------------------------------------------------- */

/* STEP does something to sequence x and its plain one, CHECK compares them. */
#define FRAME(seq)                                                                                 \
    static void seq##_under_a_mark(model *m, seq *all)                                             \
    {                                                                                              \
        seq held[SEQUENCES];                                                                       \
        memcpy(held, all, sizeof held);                                                            \
        ebb_mark mark = ebb_arena_mark(m->a);                                                      \
        seq x = seq##_in(m->a);                                                                    \
        m->under_mark.len = 0;                                                                     \
        for (size_t n = rng_below(&m->r, 100); n > 0; n--) {                                       \
            seq##_step(m, &x, &m->under_mark);                                                     \
            seq##_check(&x, &m->under_mark);                                                       \
        }                                                                                          \
        ebb_arena_rewind(m->a, mark);                                                              \
        cr_assert_eq(memcmp(held, all, sizeof held), 0);                                           \
        for (size_t i = 0; i < SEQUENCES; i++) seq##_check(&all[i], &m->p[i]);                     \
    }                                                                                              \
    static void seq##_seldom(model *m, seq *all, size_t i)                                         \
    {                                                                                              \
        switch (rng_below(&m->r, 8)) {                                                             \
        case 0:                                                                                    \
            ebb_arena_reset(m->a);                                                                 \
            for (size_t n = 0; n < SEQUENCES; n++) {                                               \
                all[n] = seq##_in(m->a);                                                           \
                m->p[n].len = 0;                                                                   \
            }                                                                                      \
            m->most = rng_one_in(&m->r, 2) ? MOST : 8 + rng_below(&m->r, 60);                      \
            break;                                                                                 \
        case 1:                                                                                    \
        case 2: seq##_under_a_mark(m, all); break;                                                 \
        case 3:                                                                                    \
            seq##_release(&all[i]);                                                                \
            m->p[i].len = 0;                                                                       \
            break;                                                                                 \
        case 4:                                                                                    \
            seq##_clear(&all[i]);                                                                  \
            m->p[i].len = 0;                                                                       \
            break;                                                                                 \
        case 5: (void)seq##_reserve(&all[i], rng_below(&m->r, m->most)); break;                    \
        case 6: (void)seq##_reserve_headroom(&all[i], rng_below(&m->r, m->most)); break;           \
        default: (void)ebb_alloc_optional(m->a, 40); break;                                        \
        }                                                                                          \
    }                                                                                              \
    static void seq##_program(uint64_t seed, unsigned long steps, double failing)                  \
    {                                                                                              \
        static model m;                                                                            \
        static seq all[SEQUENCES];                                                                 \
        memset(&m, 0, sizeof m);                                                                   \
        m.r.state = seed;                                                                          \
        m.most = 200;                                                                              \
        m.a = ebb_arena_create(NULL);                                                              \
        for (size_t i = 0; i < SEQUENCES; i++) all[i] = seq##_in(m.a);                             \
        ebb_fault_params params = {.probability = failing, .seed = seed};                          \
        ebb_fault *f =                                                                             \
            failing > 0 ? ebb_fault_begin((ebb_watch){.arena = m.a}, &params, NULL) : NULL;        \
        for (unsigned long n = 0; n < steps; n++) {                                                \
            size_t i = rng_below(&m.r, SEQUENCES);                                                 \
            seq##_step(&m, &all[i], &m.p[i]);                                                      \
            if (rng_one_in(&m.r, 50)) seq##_check(&all[i], &m.p[i]);                               \
            if (rng_one_in(&m.r, 500)) seq##_seldom(&m, all, i);                                   \
        }                                                                                          \
        for (size_t i = 0; i < SEQUENCES; i++) seq##_check(&all[i], &m.p[i]);                      \
        const char *broken = ebb_arena_validate(m.a);                                              \
        cr_assert(!broken, "seed %d: %s", (int)seed, broken);                                      \
        ebb_fault_end(&f);                                                                         \
        ebb_arena_destroy(&m.a);                                                                   \
    }                                                                                              \
    Test(sequence_model, seq)                                                                      \
    {                                                                                              \
        for (uint64_t seed = 1; seed <= 4; seed++) seq##_program(seed, scaled(250000), 0);         \
    }                                                                                              \
    Test(sequence_model, seq##_failing)                                                            \
    {                                                                                              \
        for (uint64_t seed = 1; seed <= 4; seed++) seq##_program(seed, scaled(50000), 0.4);        \
    }

/* ---- vectors ----------------------------------------------------------------------------------------------- */

/* VAL and IS: an item for a number, and whether an item is that; PTR: where the items are. */
#define VEC_PROGRAM(vec, ITEM, VAL, IS, PTR)                                                       \
    static void vec##_check(const vec *x, const plain *p)                                          \
    {                                                                                              \
        cr_assert_eq(x->len, p->len);                                                              \
        for (size_t i = 0; i < p->len; i++) cr_assert(IS(PTR(x)[i], p->val[i]));                   \
    }                                                                                              \
    static void vec##_add_many(model *m, vec *x, plain *p, size_t i)                               \
    {                                                                                              \
        static ITEM item[PIECE];                                                                   \
        uint64_t val[PIECE];                                                                       \
        size_t n = rng_below(&m->r, PIECE), last = p->len;                                         \
        if (!has_room(m, p, n)) return;                                                            \
        for (size_t k = 0; k < n; k++) item[k] = VAL(val[k] = some_value(m));                      \
        switch (rng_below(&m->r, 4)) {                                                             \
        case 0:                                                                                    \
            if (vec##_append(x, item, n)) plain_insert(p, last, val, n);                           \
            break;                                                                                 \
        case 1:                                                                                    \
            if (vec##_insert_n(x, i, item, n)) plain_insert(p, i, val, n);                         \
            break;                                                                                 \
        case 2:                                                                                    \
            n = n < last - i ? n : last - i;                                                       \
            memcpy(val, p->val + i, n * sizeof *val);                                              \
            if (vec##_append(x, PTR(x) + i, n)) plain_insert(p, last, val, n);                     \
            break;                                                                                 \
        default: {                                                                                 \
            ITEM *to = vec##_extend(x, n);                                                         \
            if (!to) break;                                                                        \
            memcpy(to, item, n * sizeof *to);                                                      \
            plain_insert(p, last, val, n);                                                         \
        }                                                                                          \
        }                                                                                          \
    }                                                                                              \
    static void vec##_add(model *m, vec *x, plain *p, size_t i)                                    \
    {                                                                                              \
        uint64_t v = some_value(m);                                                                \
        if (!has_room(m, p, 1)) return;                                                            \
        if (rng_one_in(&m->r, 3)) {                                                                \
            const ITEM *at = vec##_insert(x, i, VAL(v));                                           \
            if (at) plain_insert(p, i, &v, 1);                                                     \
            cr_assert(!at || (at == PTR(x) + i && IS(*at, v)));                                    \
        } else {                                                                                   \
            const ITEM *at = vec##_push(x, VAL(v));                                                \
            if (at) plain_insert(p, p->len, &v, 1);                                                \
            cr_assert(!at || (at == PTR(x) + p->len - 1 && IS(*at, v)));                           \
        }                                                                                          \
    }                                                                                              \
    static void vec##_take(model *m, vec *x, plain *p, size_t i)                                   \
    {                                                                                              \
        ITEM item = VAL(0);                                                                        \
        size_t n = rng_below(&m->r, p->len - i + 1), before = p->len;                              \
        switch (rng_below(&m->r, 5)) {                                                             \
        case 0:                                                                                    \
            vec##_remove(x, i);                                                                    \
            plain_remove(p, i, 1);                                                                 \
            break;                                                                                 \
        case 1:                                                                                    \
            vec##_remove_swap(x, i);                                                               \
            p->val[i] = p->val[--p->len];                                                          \
            break;                                                                                 \
        case 2:                                                                                    \
            n = n < PIECE ? n : PIECE;                                                             \
            vec##_remove_n(x, i, n);                                                               \
            plain_remove(p, i, n);                                                                 \
            break;                                                                                 \
        case 3:                                                                                    \
            vec##_truncate(x, before > PIECE && !rng_one_in(&m->r, 20) ? before - 9 : i);          \
            p->len = x->len;                                                                       \
            break;                                                                                 \
        default: cr_assert(vec##_pop(x, &item) && IS(item, p->val[before - 1])); p->len--;         \
        }                                                                                          \
    }                                                                                              \
    static void vec##_rearrange(model *m, vec *x, plain *p)                                        \
    {                                                                                              \
        size_t k = rng_below(&m->r, p->len + 3);                                                   \
        vec moved;                                                                                 \
        switch (rng_below(&m->r, 5)) {                                                             \
        case 0:                                                                                    \
            vec##_sort(x);                                                                         \
            plain_sort(p, 0);                                                                      \
            break;                                                                                 \
        case 1:                                                                                    \
            if (vec##_sort_stable(x)) plain_sort(p, 0);                                            \
            break;                                                                                 \
        case 2:                                                                                    \
            vec##_sort_first(x, k);                                                                \
            plain_sort(p, 0);                                                                      \
            for (size_t i = 0; i < k && i < p->len; i++) cr_assert(IS(PTR(x)[i], p->val[i]));      \
            vec##_sort(x);                                                                         \
            break;                                                                                 \
        case 3:                                                                                    \
            moved = vec##_move(x);                                                                 \
            cr_assert_eq(x->len, 0u);                                                              \
            *x = moved;                                                                            \
            break;                                                                                 \
        default: vec##_settle(x);                                                                  \
        }                                                                                          \
        vec##_check(x, p);                                                                         \
    }                                                                                              \
    static void vec##_step(model *m, vec *x, plain *p)                                             \
    {                                                                                              \
        size_t i = rng_below(&m->r, p->len + 1);                                                   \
        switch (rng_below(&m->r, 16)) {                                                            \
        case 0:                                                                                    \
        case 1: vec##_add_many(m, x, p, i); break;                                                 \
        case 2:                                                                                    \
            if (rng_one_in(&m->r, 10)) vec##_rearrange(m, x, p);                                   \
            break;                                                                                 \
        case 3:                                                                                    \
        case 4:                                                                                    \
        case 5:                                                                                    \
        case 6:                                                                                    \
            if (i < p->len) vec##_take(m, x, p, i);                                                \
            else cr_assert(i > 0 || !vec##_last(x));                                               \
            break;                                                                                 \
        case 7:                                                                                    \
            if (i < p->len) cr_assert(vec##_at(x, i) == PTR(x) + i && IS(PTR(x)[i], p->val[i]));   \
            break;                                                                                 \
        default: vec##_add(m, x, p, i);                                                            \
        }                                                                                          \
    }                                                                                              \
    FRAME(vec)

VEC_PROGRAM(words, uint64_t, WORD, EQUAL, PTR_FIELD)
VEC_PROGRAM(wides, wide, WIDE, WIDE_IS, PTR_FIELD)
VEC_PROGRAM(letters, unsigned char, LETTER, LETTER_IS, PTR_FIELD)
VEC_PROGRAM(few_words, uint64_t, WORD, EQUAL, few_words_ptr)
VEC_PROGRAM(few_wides, wide, WIDE, WIDE_IS, few_wides_ptr)

/* ---- queues ------------------------------------------------------------------------------------------------ */

#define QUEUE_PROGRAM(queue, ITEM, VAL, IS)                                                        \
    static void queue##_check(const queue *x, const plain *p)                                      \
    {                                                                                              \
        size_t n;                                                                                  \
        cr_assert_eq(x->len, p->len);                                                              \
        for (size_t i = 0; i < p->len; i += n) {                                                   \
            const ITEM *run = queue##_run(x, i, &n);                                               \
            cr_assert(run &&n > 0 && queue##_at(x, i) == run);                                     \
            for (size_t k = 0; k < n; k++) cr_assert(IS(run[k], p->val[i + k]));                   \
        }                                                                                          \
        cr_assert(!queue##_run(x, p->len, &n) && n == 0);                                          \
    }                                                                                              \
    static void queue##_add(model *m, queue *x, plain *p)                                          \
    {                                                                                              \
        static ITEM item[PIECE];                                                                   \
        uint64_t val[PIECE] = {some_value(m)};                                                     \
        size_t n = rng_below(&m->r, PIECE);                                                        \
        if (!has_room(m, p, n + 1)) return;                                                        \
        switch (rng_below(&m->r, 8)) {                                                             \
        case 0:                                                                                    \
            for (size_t k = 0; k < n; k++) item[k] = VAL(val[k] = some_value(m));                  \
            if (queue##_append(x, item, n)) plain_insert(p, p->len, val, n);                       \
            break;                                                                                 \
        case 1:                                                                                    \
        case 2:                                                                                    \
        case 3:                                                                                    \
            if (queue##_push_front(x, VAL(val[0]))) plain_insert(p, 0, val, 1);                    \
            break;                                                                                 \
        default:                                                                                   \
            if (queue##_push_back(x, VAL(val[0]))) plain_insert(p, p->len, val, 1);                \
        }                                                                                          \
    }                                                                                              \
    static void queue##_take(model *m, queue *x, plain *p)                                         \
    {                                                                                              \
        ITEM item = VAL(0);                                                                        \
        size_t n = rng_below(&m->r, PIECE);                                                        \
        if (rng_one_in(&m->r, 12)) {                                                               \
            queue##_drop_front(x, n);                                                              \
            plain_remove(p, 0, n < p->len ? n : p->len);                                           \
        } else if (rng_one_in(&m->r, 3)) {                                                         \
            cr_assert_eq(queue##_pop_back(x, &item), p->len > 0);                                  \
            cr_assert(p->len == 0 || IS(item, p->val[p->len - 1]));                                \
            if (p->len) p->len--;                                                                  \
        } else {                                                                                   \
            cr_assert_eq(queue##_pop_front(x, &item), p->len > 0);                                 \
            cr_assert(p->len == 0 || IS(item, p->val[0]));                                         \
            if (p->len) plain_remove(p, 0, 1);                                                     \
        }                                                                                          \
    }                                                                                              \
    static void queue##_step(model *m, queue *x, plain *p)                                         \
    {                                                                                              \
        if (rng_below(&m->r, 20) < 11) queue##_add(m, x, p);                                       \
        else queue##_take(m, x, p);                                                                \
        cr_assert(p->len == 0 ? !queue##_first(x) : IS(*queue##_first(x), p->val[0]));             \
        cr_assert(p->len == 0 ? !queue##_last(x) : IS(*queue##_last(x), p->val[p->len - 1]));      \
    }                                                                                              \
    FRAME(queue)

QUEUE_PROGRAM(word_queue, uint64_t, WORD, EQUAL)
QUEUE_PROGRAM(wide_queue, wide, WIDE, WIDE_IS)

/* ---- heaps ------------------------------------------------------------------------------------------------- */

/* The plain one is in no order: only what is in it counts. */
#define HEAP_PROGRAM(heap, ITEM, VAL, IS, KEY)                                                     \
    static void heap##_check(const heap *x, const plain *p)                                        \
    {                                                                                              \
        static plain sorted, held;                                                                 \
        cr_assert_eq(x->len, p->len);                                                              \
        sorted.len = held.len = p->len;                                                            \
        memcpy(sorted.val, p->val, p->len * sizeof *p->val);                                       \
        for (size_t i = 0; i < x->len; i++) {                                                      \
            held.val[i] = KEY(x->ptr[i]);                                                          \
            cr_assert(IS(x->ptr[i], held.val[i]) &&                                                \
                      held.val[(i + 3) / 4 - (i > 0)] <= held.val[i]);                             \
        }                                                                                          \
        plain_sort(&sorted, 0);                                                                    \
        plain_sort(&held, 0);                                                                      \
        cr_assert_eq(memcmp(sorted.val, held.val, p->len * sizeof *p->val), 0);                    \
    }                                                                                              \
    static size_t heap##_find(const plain *p, uint64_t val)                                        \
    {                                                                                              \
        size_t i = 0;                                                                              \
        while (p->val[i] != val) i++;                                                              \
        return i;                                                                                  \
    }                                                                                              \
    static void heap##_add(model *m, heap *x, plain *p)                                            \
    {                                                                                              \
        static ITEM item[PIECE];                                                                   \
        uint64_t val[PIECE] = {some_value(m)};                                                     \
        size_t n = rng_below(&m->r, PIECE);                                                        \
        if (!has_room(m, p, n + 1)) return;                                                        \
        if (rng_one_in(&m->r, 12)) {                                                               \
            for (size_t k = 0; k < n; k++) item[k] = VAL(val[k] = some_value(m));                  \
            if (heap##_append(x, item, n)) plain_insert(p, p->len, val, n);                        \
        } else if (heap##_push(x, VAL(val[0]))) {                                                  \
            plain_insert(p, p->len, val, 1);                                                       \
        }                                                                                          \
    }                                                                                              \
    static void heap##_change(model *m, heap *x, plain *p)                                         \
    {                                                                                              \
        uint64_t val = some_value(m);                                                              \
        size_t i = rng_below(&m->r, p->len), at = heap##_find(p, KEY(x->ptr[i]));                  \
        switch (rng_below(&m->r, 3)) {                                                             \
        case 0:                                                                                    \
            heap##_remove(x, i);                                                                   \
            plain_remove(p, at, 1);                                                                \
            break;                                                                                 \
        case 1:                                                                                    \
            x->ptr[i] = VAL(val);                                                                  \
            heap##_update(x, i);                                                                   \
            p->val[at] = val;                                                                      \
            break;                                                                                 \
        default: p->val[plain_least(p)] = val; heap##_replace(x, VAL(val));                        \
        }                                                                                          \
    }                                                                                              \
    static void heap##_step(model *m, heap *x, plain *p)                                           \
    {                                                                                              \
        ITEM item = VAL(0);                                                                        \
        size_t what = rng_below(&m->r, 20);                                                        \
        if (what < 11) {                                                                           \
            heap##_add(m, x, p);                                                                   \
        } else if (what < 13 && p->len) {                                                          \
            heap##_change(m, x, p);                                                                \
        } else if (heap##_pop(x, &item)) {                                                         \
            size_t least = plain_least(p);                                                         \
            cr_assert(IS(item, p->val[least]));                                                    \
            p->val[least] = p->val[--p->len];                                                      \
        }                                                                                          \
    }                                                                                              \
    FRAME(heap)

#define ITSELF(x)   (x)
#define FIRST_OF(x) ((x).word[0])
HEAP_PROGRAM(word_heap, uint64_t, WORD, EQUAL, ITSELF)
HEAP_PROGRAM(wide_heap, wide, WIDE, WIDE_IS, FIRST_OF)
