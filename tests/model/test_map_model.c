/*
 * tests/model/test_map_model.c: maps and sets (ebb/map_of.h) against a plain model: random programs over
 * keys of a small universe, so that each is put, found and removed many times; through all layouts and back
 * by clear; with allocations that fail, after which a map must be as it was.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <stdio.h>
#include <string.h>

enum { KEYS = 3000, TEXT = 24 };

#define EBB_MAP ints, uint64_t, uint64_t
#include <ebb/map_of.h>
#define EBB_MAP texts, ebb_str, uint64_t, str
#include <ebb/map_of.h>
#define EBB_MAP stables, uint64_t, uint64_t, int, stable
#include <ebb/map_of.h>

/* All keys collide: slow, and yet right. */
#define EBB_MAP             worst, uint64_t, uint64_t, user
#define EBB_HASH(key, seed) ((void)(key), (uint64_t)(seed))
#define EBB_EQ(a, b)        ((a) == (b))
#include <ebb/map_of.h>

typedef struct wide {
    uint64_t word[5];
} wide;
#define EBB_MAP wides, uint32_t, wide
#include <ebb/map_of.h>

#define EBB_SET members, uint64_t
#include <ebb/map_of.h>

/* ---- the model ------------------------------------------------------------------------------------------- */

typedef struct model {
    rng r;
    ebb_arena *a;
    size_t keys, len;
    bool in[KEYS];
    uint64_t val[KEYS];
    unsigned char seen[KEYS];
} model;

static char text[KEYS][TEXT];
static uint64_t number[KEYS];

/* From dense to spread keys, and texts of 0 to 20 bytes. */
static void make_keys(rng *r)
{
    for (size_t i = 0; i < KEYS; i++) {
        number[i] = i < KEYS / 3 ? i : i < KEYS / 2 ? i << 40 : (rng_next(r) << 12 | i);
        snprintf(text[i], TEXT, "%.*s%zu", (int)(i % 17), "abcdefghijklmnopq", i);
    }
    text[0][0] = '\0';
}

static ebb_str text_of(size_t i)
{
    return (ebb_str){text[i], strlen(text[i])};
}

static size_t index_of(uint64_t key)
{
    for (size_t i = 0; i < KEYS; i++)
        if (number[i] == key) return i;
    return KEYS;
}

static size_t index_of_text(ebb_str s)
{
    for (size_t i = 0; i < KEYS; i++)
        if (strlen(text[i]) == s.len && memcmp(text[i], s.ptr, s.len) == 0) return i;
    return KEYS;
}

static void forget(model *m)
{
    memset(m->in, 0, sizeof m->in);
    m->len = 0;
}

static void note_put(model *m, size_t k, uint64_t v)
{
    m->len += !m->in[k];
    m->in[k] = true;
    m->val[k] = v;
}

static void note_removed(model *m, size_t k)
{
    m->len -= m->in[k];
    m->in[k] = false;
}

/* The same program for each instance. TO and FROM: a model's key and a map's; VAL and IS: its value. */
#define PROGRAM(map, TO, FROM, VAL, IS)                                                            \
    static void map##_check(model *m, map *x)                                                      \
    {                                                                                              \
        size_t n = 0;                                                                              \
        cr_assert_eq(x->len, m->len);                                                              \
        memset(m->seen, 0, sizeof m->seen);                                                        \
        for (map##_iter i = map##_each(x); map##_next(&i); n++) {                                  \
            size_t k = FROM(i.key);                                                                \
            cr_assert(k < KEYS && m->in[k] && !m->seen[k] && IS(*i.val, m->val[k]));               \
            m->seen[k] = 1;                                                                        \
        }                                                                                          \
        cr_assert_eq(n, m->len);                                                                   \
    }                                                                                              \
    static void map##_put_one(model *m, map *x, size_t k)                                          \
    {                                                                                              \
        uint64_t v = rng_next(&m->r);                                                              \
        size_t before = x->len;                                                                    \
        if (rng_one_in(&m->r, 2)) {                                                                \
            bool is_new = false;                                                                   \
            __typeof__(map##_put(x, TO(k), VAL(v))) p = map##_get_or_put(x, TO(k), &is_new);       \
            if (p) {                                                                               \
                cr_assert_eq(is_new, !m->in[k]);                                                   \
                cr_assert(is_new ? IS(*p, 0) : IS(*p, m->val[k]));                                 \
                *p = VAL(v);                                                                       \
                note_put(m, k, v);                                                                 \
            } else {                                                                               \
                cr_assert(x->len == before && !m->in[k]);                                          \
            }                                                                                      \
        } else if (map##_put(x, TO(k), VAL(v))) {                                                  \
            note_put(m, k, v);                                                                     \
        } else {                                                                                   \
            cr_assert(x->len == before && !m->in[k]);                                              \
        }                                                                                          \
    }                                                                                              \
    static void map##_remove_some(model *m, map *x, size_t one_in)                                 \
    {                                                                                              \
        for (map##_iter i = map##_each(x); map##_next(&i);)                                        \
            if (rng_one_in(&m->r, one_in)) {                                                       \
                note_removed(m, FROM(i.key));                                                      \
                map##_remove_at(&i);                                                               \
            }                                                                                      \
        map##_check(m, x);                                                                         \
    }                                                                                              \
    static void map##_merge_some(model *m, map *x)                                                 \
    {                                                                                              \
        map other = map##_in(m->a);                                                                \
        static bool had[KEYS];                                                                     \
        static uint64_t val[KEYS];                                                                 \
        memset(had, 0, sizeof had);                                                                \
        for (size_t n = rng_below(&m->r, 60); n > 0; n--) {                                        \
            size_t k = rng_below(&m->r, m->keys);                                                  \
            uint64_t v = rng_next(&m->r);                                                          \
            if (map##_put(&other, TO(k), VAL(v))) had[k] = true, val[k] = v;                       \
        }                                                                                          \
        if (map##_merge(x, &other))                                                                \
            for (size_t k = 0; k < KEYS; k++)                                                      \
                if (had[k]) note_put(m, k, val[k]);                                                \
        map##_check(m, x);                                                                         \
    }                                                                                              \
    static void map##_seldom(model *m, map *x)                                                     \
    {                                                                                              \
        switch (rng_below(&m->r, 8)) {                                                             \
        case 0: map##_remove_some(m, x, 1 + rng_below(&m->r, 4)); break;                           \
        case 1: map##_merge_some(m, x); break;                                                     \
        case 2: (void)map##_reserve(x, rng_below(&m->r, 2 * m->keys)); break;                      \
        case 3:                                                                                    \
            map##_clear(x);                                                                        \
            forget(m);                                                                             \
            break;                                                                                 \
        case 4:                                                                                    \
            ebb_arena_reset(m->a);                                                                 \
            *x = map##_in(m->a);                                                                   \
            x->seed = rng_next(&m->r);                                                             \
            forget(m);                                                                             \
            m->keys = 1 + rng_below(&m->r, rng_one_in(&m->r, 2) ? 40 : KEYS);                      \
            break;                                                                                 \
        default: map##_check(m, x); break;                                                         \
        }                                                                                          \
    }                                                                                              \
    static void map##_step(model *m, map *x)                                                       \
    {                                                                                              \
        size_t k = rng_below(&m->r, m->keys);                                                      \
        switch (rng_below(&m->r, 8)) {                                                             \
        case 0:                                                                                    \
        case 1:                                                                                    \
        case 2: map##_put_one(m, x, k); break;                                                     \
        case 3:                                                                                    \
        case 4:                                                                                    \
            cr_assert_eq(map##_remove(x, TO(k)), m->in[k]);                                        \
            note_removed(m, k);                                                                    \
            break;                                                                                 \
        default: {                                                                                 \
            __typeof__(map##_find(x, TO(k))) p = map##_find(x, TO(k));                             \
            cr_assert_eq(p != NULL, m->in[k]);                                                     \
            cr_assert(!p || IS(*p, m->val[k]));                                                    \
            cr_assert_eq(map##_has(x, TO(k)), m->in[k]);                                           \
        }                                                                                          \
        }                                                                                          \
        if (rng_one_in(&m->r, 4000)) map##_seldom(m, x);                                           \
    }                                                                                              \
    static void map##_program(uint64_t seed, unsigned long steps, double failing)                  \
    {                                                                                              \
        static model m;                                                                            \
        memset(&m, 0, sizeof m);                                                                   \
        m.r.state = seed;                                                                          \
        m.keys = 200;                                                                              \
        make_keys(&m.r);                                                                           \
        m.a = ebb_arena_create(NULL);                                                              \
        map x = map##_in(m.a);                                                                     \
        ebb_fault_params params = {.probability = failing, .seed = seed};                          \
        ebb_fault *f =                                                                             \
            failing > 0 ? ebb_fault_begin((ebb_watch){.arena = m.a}, &params, NULL) : NULL;        \
        for (unsigned long n = 0; n < steps; n++) map##_step(&m, &x);                              \
        map##_check(&m, &x);                                                                       \
        const char *broken = ebb_arena_validate(m.a);                                              \
        cr_assert(!broken, "seed %d: %s", (int)seed, broken);                                      \
        ebb_fault_end(&f);                                                                         \
        ebb_arena_destroy(&m.a);                                                                   \
    }                                                                                              \
    Test(map_model, map)                                                                           \
    {                                                                                              \
        for (uint64_t seed = 1; seed <= 4; seed++) map##_program(seed, scaled(250000), 0);         \
    }                                                                                              \
    Test(map_model, map##_failing)                                                                 \
    {                                                                                              \
        for (uint64_t seed = 1; seed <= 2; seed++) map##_program(seed, scaled(100000), 0.3);       \
    }

#define NUMBER(k)   number[k]
#define PLAIN(v)    (v)
#define EQUAL(a, b) ((a) == (b))
#define SMALL(k)    ((uint32_t)(k)*2654435761u)
#define WIDE(v)     ((wide){{(v), ~(v), (v), 7 * (v), (v)}})
#define WIDE_IS(a, v)                                                                              \
    ((a).word[0] == (v) && ((v) == 0 || ((a).word[1] == ~(uint64_t)(v) && (a).word[4] == (v))))

static size_t index_of_small(uint32_t key)
{
    for (size_t i = 0; i < KEYS; i++)
        if (SMALL(i) == key) return i;
    return KEYS;
}

PROGRAM(ints, NUMBER, index_of, PLAIN, EQUAL)
PROGRAM(texts, text_of, index_of_text, PLAIN, EQUAL)
PROGRAM(stables, NUMBER, index_of, PLAIN, EQUAL)
PROGRAM(wides, SMALL, index_of_small, WIDE, WIDE_IS)

/* ---- what only some are ---------------------------------------------------------------------------------- */

Test(map_model, a_merge_makes_room_first)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (uint64_t n = 1; n < 40; n++) {
        ints x = ints_in(a), other = ints_in(a);
        for (uint64_t k = 0; k < n; k++)
            cr_assert(ints_put(&x, k, k) && ints_put(&other, k + n / 2, k));
        char *behind = memset(ebb_alloc(a, 64), 0x77, 64);
        cr_assert(ints_merge(&x, &other) && x.len == n + n / 2);
        cr_assert(x.ebb__room <= x.ebb__slot_count + EBB__DENSE_MOST, "%zu", x.ebb__room);
        cr_assert_eq(bytes_check(behind, 0x77, 64), 64u);
    }
    ebb_arena_destroy(&a);
}

Test(map_model, colliding_keys_are_kept_apart)
{
    ebb_arena *a = ebb_arena_create(NULL);
    worst x = worst_in(a);
    for (uint64_t k = 0; k < 700; k++) cr_assert(worst_put(&x, k, k * k) != NULL);
    for (uint64_t k = 0; k < 700; k += 3) cr_assert(worst_remove(&x, k));
    for (uint64_t k = 0; k < 1000; k++) {
        uint64_t *p = worst_find(&x, k);
        cr_assert_eq(p != NULL, k < 700 && k % 3 != 0);
        cr_assert(!p || *p == k * k);
    }
    ebb_arena_destroy(&a);
}

/* For ever half full, and each key gone soon: what removed entries leave behind must not fill it. */
Test(map_model, a_table_in_long_use_keeps_its_size)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ints x = ints_in(a);
    enum { LEN = 1400 }; /* not much less than it holds */
    for (uint64_t k = 0; k < LEN; k++) cr_assert(ints_put(&x, k, k) != NULL);
    size_t slots = x.ebb__slot_count;
    for (uint64_t k = LEN; k < LEN + scaled(300000); k++) {
        cr_assert(ints_remove(&x, k - LEN));
        cr_assert(ints_put(&x, k, k) != NULL);
    }
    cr_assert(x.len == LEN && x.ebb__slot_count == slots, "%zu slots, then %zu", slots,
              x.ebb__slot_count);
    ebb_arena_destroy(&a);
}

Test(map_model, values_of_a_stable_map_stay_where_they_are)
{
    static uint64_t *at[KEYS];
    ebb_arena *a = ebb_arena_create(NULL);
    stables x = stables_in(a);
    for (uint64_t k = 0; k < KEYS; k++) cr_assert((at[k] = stables_put(&x, k, k)) != NULL);
    for (uint64_t k = 0; k < KEYS; k += 2) cr_assert(stables_remove(&x, k));
    for (uint64_t k = 1; k < KEYS; k += 2) cr_assert(stables_find(&x, k) == at[k] && *at[k] == k);
    ebb_arena_destroy(&a);
}

Test(map_model, small_maps_keep_the_order_of_insertion)
{
    ebb_arena *a = ebb_arena_create(NULL);
    texts x = texts_in(a);
    rng r = {5};
    make_keys(&r);
    for (size_t k = 0; k < 32; k++) cr_assert(texts_put(&x, text_of(k * 3 % 32), k) != NULL);
    for (size_t k = 0; k < 32; k += 5) cr_assert(texts_remove(&x, text_of(k * 3 % 32)));
    uint64_t next = 0;
    for (texts_iter i = texts_each(&x); texts_next(&i); next++) {
        next += next % 5 == 0;
        cr_assert_eq(*i.val, next);
    }
    ebb_arena_destroy(&a);
}

Test(map_model, a_set_is_a_set)
{
    static bool in[KEYS];
    ebb_arena *a = ebb_arena_create(NULL);
    members x = members_in(a), other = members_in(a);
    rng r = {11};
    size_t len = 0;
    for (unsigned long n = 0; n < scaled(200000); n++) {
        uint64_t k = rng_below(&r, KEYS);
        bool is_new = false;
        switch (rng_below(&r, 4)) {
        case 0: cr_assert_eq(*members_get_or_put(&x, k, &is_new), k); break;
        case 1: cr_assert(members_put(&x, k)); break;
        default:
            cr_assert_eq(members_remove(&x, k), in[k]);
            len -= in[k], in[k] = false;
            continue;
        }
        len += !in[k];
        in[k] = true;
        cr_assert(members_has(&x, k) && x.len == len);
    }
    for (uint64_t k = 0; k < 50; k++) cr_assert(members_put(&other, k));
    cr_assert(members_merge(&x, &other));
    for (uint64_t k = 0; k < KEYS; k++) cr_assert_eq(members_has(&x, k), in[k] || k < 50);
    ebb_arena_destroy(&a);
}

static void put_while_iterating(void *unused)
{
    (void)unused;
    ebb_arena *a = ebb_arena_create(NULL);
    ints x = ints_in(a);
    for (uint64_t k = 0; k < 10; k++) (void)ints_put(&x, k, k);
    for (ints_iter i = ints_each(&x); ints_next(&i);) (void)ints_put(&x, i.key + 100, 0);
}

Test(map_model, a_stale_iterator_is_reported)
{
    death d = in_child(put_while_iterating, NULL);
    cr_assert(died_saying(&d, "ints_next", "changed"), "%s", d.err);
}

static int too_much(ebb_arena *a, void *arg)
{
    ints *x = arg;
    (void)a;
    for (uint64_t k = 0; k < UINT64_MAX; k++) (void)ints_put(x, k, k);
    return 0;
}

Test(map_model, inside_a_try_it_jumps_and_is_unchanged)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.hard = 100000;
    ebb_arena *a = ebb_arena_create(&params);
    ints x = ints_in(a);
    cr_assert_eq(ebb_try(a, too_much, &x), EBB_E_LIMIT);
    cr_assert(x.len > 1000);
    for (uint64_t k = 0; k < x.len; k++) cr_assert_eq(*ints_find(&x, k), k);
    ebb_arena_destroy(&a);
}

Test(map_model, more_than_memory_is_refused)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ints x = ints_in(a);
    cr_assert(ints_put(&x, 1, 2) != NULL);
    cr_assert(!ints_reserve(&x, SIZE_MAX) && !ints_reserve(&x, SIZE_MAX / 64));
    cr_assert_eq(*ints_find(&x, 1), 2u);
    ebb_arena_destroy(&a);
}
