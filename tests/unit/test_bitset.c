/*
 * tests/unit/test_bitset.c: ebb/bitset.h.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <string.h>

enum { MOST = 300 };

Test(bitset, nothing_is_in_an_empty_one)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_bitset s = ebb_bitset_in(a), t = ebb_bitset_in(a);
    cr_assert(!ebb_bitset_has(&s, 0) && !ebb_bitset_has(&s, SIZE_MAX));
    cr_assert(ebb_bitset_count(&s) == 0 && ebb_bitset_is_empty(&s));
    cr_assert(ebb_bitset_first(&s) == EBB_NOT_FOUND && ebb_bitset_find_absent(&s, 5) == 5);
    ebb_bitset_remove(&s, 3);
    ebb_bitset_remove_range(&s, 0, SIZE_MAX);
    ebb_bitset_and(&s, &t);
    ebb_bitset_and_not(&s, &t);
    cr_assert(ebb_bitset_or(&s, &t) && ebb_bitset_xor(&s, &t) && ebb_bitset_put_range(&s, 9, 9));
    cr_assert(ebb_bitset_equal(&s, &t) && ebb_bitset_is_subset(&s, &t));
    cr_assert(!ebb_bitset_intersects(&s, &t) && s.word == NULL);
    ebb_bitset_release(&s);
    ebb_arena_destroy(&a);
}

Test(bitset, each_is_where_it_was_put)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (size_t i = 0; i < MOST; i++) {
        ebb_bitset s = ebb_bitset_in(a);
        cr_assert(ebb_bitset_put(&s, i) && ebb_bitset_put(&s, i));
        for (size_t j = 0; j < MOST; j++) cr_assert_eq(ebb_bitset_has(&s, j), j == i);
        cr_assert(ebb_bitset_count(&s) == 1 && ebb_bitset_first(&s) == i);
        cr_assert(ebb_bitset_next(&s, i) == EBB_NOT_FOUND &&
                  ebb_bitset_find(&s, i + 1) == EBB_NOT_FOUND);
        cr_assert(ebb_bitset_find_absent(&s, i) == i + 1);
        cr_assert(ebb_bitset_find_absent(&s, 0) == (i ? 0u : 1u));
        ebb_bitset_remove(&s, i);
        cr_assert(ebb_bitset_is_empty(&s));
    }
    ebb_arena_destroy(&a);
}

Test(bitset, ranges)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (size_t from = 0; from < 200; from += 7)
        for (size_t to = 0; to < 260; to += 5) {
            ebb_bitset s = ebb_bitset_in(a), t = ebb_bitset_in(a);
            cr_assert(ebb_bitset_put_range(&s, from, to) && ebb_bitset_put_range(&t, 0, 256));
            ebb_bitset_remove_range(&t, from, to);
            for (size_t i = 0; i < 256; i++) {
                cr_assert_eq(ebb_bitset_has(&s, i), i >= from && i < to);
                cr_assert_eq(ebb_bitset_has(&t, i), i < from || i >= to);
            }
            cr_assert_eq(ebb_bitset_count(&s), to > from ? to - from : 0);
            ebb_bitset_release(&s);
            ebb_bitset_release(&t);
        }
    ebb_arena_destroy(&a);
}

Test(bitset, full_words)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_bitset s = ebb_bitset_in(a);
    cr_assert(ebb_bitset_put_range(&s, 0, 256));
    cr_assert(ebb_bitset_find_absent(&s, 0) == 256 && ebb_bitset_find_absent(&s, 256) == 256);
    cr_assert(ebb_bitset_find_absent(&s, 1000) == 1000 && ebb_bitset_count(&s) == 256);
    ebb_arena_destroy(&a);
}

/* What was cleared or cut off must not come back when the set grows again. */
Test(bitset, what_is_gone_stays_gone)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_bitset s = ebb_bitset_in(a), small = ebb_bitset_in(a);
    cr_assert(ebb_bitset_put_range(&s, 0, 1000) && ebb_bitset_put(&small, 5));
    ebb_bitset_clear(&s);
    cr_assert(ebb_bitset_put(&s, 999) && ebb_bitset_count(&s) == 1);
    cr_assert(ebb_bitset_put_range(&s, 0, 1000));
    ebb_bitset_and(&s, &small);
    cr_assert(ebb_bitset_put(&s, 900) && ebb_bitset_count(&s) == 2);
    cr_assert(ebb_bitset_has(&s, 5) && ebb_bitset_has(&s, 900));
    ebb_arena_destroy(&a);
}

Test(bitset, a_reserved_one_does_not_fail)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_bitset s = ebb_bitset_in(a);
    cr_assert(ebb_bitset_put(&s, 3) && ebb_bitset_reserve(&s, 10000));
    ebb_fault_params all = {.nth = 1, .from_nth_on = true};
    ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a}, &all, NULL);
    for (size_t i = 0; i < 10000; i += 77) cr_assert(ebb_bitset_put(&s, i));
    cr_assert(ebb_bitset_has(&s, 3) && ebb_fault_seen(f) == 0);
    ebb_bitset was = s, large = ebb_bitset_in(a);
    size_t count = ebb_bitset_count(&s);
    cr_assert(!ebb_bitset_put(&s, 1 << 20) && !ebb_bitset_put(&s, SIZE_MAX));
    cr_assert(!ebb_bitset_put_range(&s, 5, SIZE_MAX) && !ebb_bitset_reserve(&s, SIZE_MAX));
    ebb_fault_end(&f);
    cr_assert(!ebb_bitset_put(&s, SIZE_MAX) && !ebb_bitset_put_range(&s, 7, SIZE_MAX));
    cr_assert(ebb_bitset_put(&large, 1 << 20));
    f = ebb_fault_begin((ebb_watch){.arena = a}, &all, NULL);
    cr_assert(!ebb_bitset_or(&s, &large) && !ebb_bitset_xor(&s, &large));
    ebb_fault_end(&f);
    cr_assert(memcmp(&s, &was, sizeof s) == 0 && ebb_bitset_count(&s) == count);
    ebb_arena_destroy(&a);
}

static int put_for_ever(ebb_arena *a, void *s)
{
    (void)a;
    for (size_t i = 0; ebb_bitset_put(s, i); i += 40) continue;
    return EBB_OK;
}

Test(bitset, a_jump_out_of_a_growth_changes_nothing)
{
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert(ebb_arena_set_limit(a, 0, 64 << 10, 0));
    ebb_bitset s = ebb_bitset_in(a);
    cr_assert_eq(ebb_try(a, put_for_ever, &s), EBB_E_LIMIT);
    size_t n = 0;
    for (size_t i = ebb_bitset_first(&s); i != EBB_NOT_FOUND; i = ebb_bitset_next(&s, i), n++)
        cr_assert_eq(i, n * 40);
    cr_assert(n > 1000);
    ebb_arena_destroy(&a);
}

/* ---- against an array of flags ------------------------------------------------------------------- */

typedef struct model {
    ebb_bitset set;
    bool in[MOST];
} model;

static void check(const model *m)
{
    size_t n = 0, next = ebb_bitset_first(&m->set);
    for (size_t i = 0; i < MOST; i++) {
        cr_assert_eq(ebb_bitset_has(&m->set, i), m->in[i]);
        if (!m->in[i]) continue;
        cr_assert_eq(next, i);
        next = ebb_bitset_next(&m->set, i);
        n++;
    }
    cr_assert(next == EBB_NOT_FOUND && ebb_bitset_count(&m->set) == n);
    cr_assert_eq(ebb_bitset_is_empty(&m->set), n == 0);
}

static void check_two(const model *m, const model *t)
{
    bool equal = true, subset = true, meet = false;
    for (size_t i = 0; i < MOST; i++) {
        equal &= m->in[i] == t->in[i];
        subset &= !m->in[i] || t->in[i];
        meet |= m->in[i] && t->in[i];
    }
    cr_assert_eq(ebb_bitset_equal(&m->set, &t->set), equal);
    cr_assert_eq(ebb_bitset_is_subset(&m->set, &t->set), subset);
    cr_assert_eq(ebb_bitset_intersects(&m->set, &t->set), meet);
}

static void combine(model *m, const model *t, size_t how)
{
    bool ok = true;
    if (how == 0) ok = ebb_bitset_or(&m->set, &t->set);
    if (how == 1) ebb_bitset_and(&m->set, &t->set);
    if (how == 2) ebb_bitset_and_not(&m->set, &t->set);
    if (how == 3) ok = ebb_bitset_xor(&m->set, &t->set);
    if (!ok) return;
    for (size_t i = 0; i < MOST; i++) {
        bool x = m->in[i], y = t->in[i];
        m->in[i] = how == 0 ? x || y : how == 1 ? x && y : how == 2 ? x && !y : x != y;
    }
}

static void fill(model *m, size_t from, size_t to, bool in)
{
    if (in && !ebb_bitset_put_range(&m->set, from, to)) return;
    if (!in) ebb_bitset_remove_range(&m->set, from, to);
    for (size_t i = from; i < to; i++) m->in[i] = in;
}

static void step(model *m, model *t, rng *r)
{
    size_t i = rng_below(r, MOST), j = rng_below(r, MOST);
    switch (rng_below(r, 12)) {
    case 0:
    case 1:
    case 2:
    case 3: m->in[i] |= ebb_bitset_put(&m->set, i); break;
    case 4:
    case 5:
        ebb_bitset_remove(&m->set, i);
        m->in[i] = false;
        break;
    case 6: fill(m, i, j, true); break;
    case 7: fill(m, i, j, false); break;
    case 8: combine(m, t, rng_below(r, 4)); break;
    case 9: check_two(m, t); break;
    case 10: check(m); break;
    default:
        if (!rng_one_in(r, 10)) break;
        if (rng_one_in(r, 2)) ebb_bitset_clear(&m->set);
        else ebb_bitset_release(&m->set);
        memset(m->in, 0, sizeof m->in);
    }
}

static void run_model(uint64_t seed, unsigned long steps, double failing)
{
    ebb_arena *a = ebb_arena_create(NULL);
    static model m[2];
    rng r = {seed};
    memset(m, 0, sizeof m);
    m[0].set = m[1].set = ebb_bitset_in(a);
    ebb_fault_params params = {.probability = failing, .seed = seed};
    ebb_fault *f = failing > 0 ? ebb_fault_begin((ebb_watch){.arena = a}, &params, NULL) : NULL;
    for (unsigned long n = 0; n < steps; n++) {
        size_t one = n & 1;
        step(&m[one], &m[!one], &r);
    }
    check(&m[0]);
    check(&m[1]);
    const char *broken = ebb_arena_validate(a);
    cr_assert(!broken, "seed %d: %s", (int)seed, broken);
    ebb_fault_end(&f);
    ebb_arena_destroy(&a);
}

Test(bitset, model)
{
    for (uint64_t seed = 1; seed <= 4; seed++) run_model(seed, scaled(250000), 0);
}

Test(bitset, model_failing)
{
    for (uint64_t seed = 1; seed <= 20; seed++) run_model(seed, scaled(20000), 0.5);
}
