/*
 * tests/unit/test_sort.c: ebb/sort_of.h: against qsort, over the shapes that sorts stumble on.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <stdlib.h>
#include <string.h>

#define EBB_SORT       up, uint32_t
#define EBB_LESS(a, b) ((a) < (b))
#include <ebb/sort_of.h>

/* Numbered, to tell equals apart, and large, to be sorted by other ways. */
typedef struct card {
    uint32_t key, number;
} card;
#define EBB_SORT       cards, card
#define EBB_LESS(a, b) ((a).key < (b).key)
#include <ebb/sort_of.h>

typedef struct page {
    uint32_t key, number;
    unsigned char rest[120];
} page;
#define EBB_SORT       pages, page
#define EBB_LESS(a, b) ((a).key < (b).key)
#include <ebb/sort_of.h>

/* No order at all: a stream of coins. */
static rng coins = {3};
#define EBB_SORT       chaos, uint32_t
#define EBB_LESS(a, b) ((void)(a), (void)(b), rng_one_in(&coins, 2))
#include <ebb/sort_of.h>

static size_t compared;
#define EBB_SORT       counted, uint32_t
#define EBB_LESS(a, b) (compared++, (a) < (b))
#include <ebb/sort_of.h>

/* One that invents its keys while it is asked, so that each pivot is as bad as can be. (M. Douglas
   McIlroy, A Killer Adversary for Quicksort.) */
static const uint32_t gas = UINT32_MAX;
static uint32_t *killer_value, killer_solid, killer_candidate;
static bool killer_less(uint32_t a, uint32_t b)
{
    compared++;
    if (killer_value[a] == gas && killer_value[b] == gas)
        killer_value[a == killer_candidate ? a : b] = killer_solid++;
    if (killer_value[a] == gas) killer_candidate = a;
    else if (killer_value[b] == gas) killer_candidate = b;
    return killer_value[a] < killer_value[b];
}
#define EBB_SORT       killed, uint32_t
#define EBB_LESS(a, b) killer_less(a, b)
#include <ebb/sort_of.h>

enum { MOST = 6000 };
static uint32_t in[MOST], wanted[MOST], got[MOST];

typedef enum shape {
    RANDOM,
    FEW_KEYS,
    ALL_EQUAL,
    ASCENDING,
    DESCENDING,
    ORGAN_PIPE,
    SAW,
    NEARLY,
    TAIL,
    RUNS,
    REVERSED_RUNS,
    TWO_HALVES,
    SHAPES
} shape;

static uint32_t value_of(shape s, size_t i, size_t n, rng *r)
{
    uint32_t at = (uint32_t)i;
    switch (s) {
    case RANDOM: return (uint32_t)rng_next(r);
    case FEW_KEYS: return (uint32_t)rng_below(r, 5);
    case ALL_EQUAL: return 7;
    case ASCENDING: return at / 3;
    case DESCENDING: return (uint32_t)n - at;
    case ORGAN_PIPE: return (uint32_t)(i < n / 2 ? i : n - i);
    case SAW: return at % 17;
    case NEARLY: return rng_one_in(r, 30) ? (uint32_t)rng_below(r, n) : at;
    case TAIL: return i + 5 < n ? at : (uint32_t)rng_below(r, n);
    case RUNS: return at % 97 * 100 + at / 97;
    case REVERSED_RUNS: return (97 - at % 97) * 100 + at / 97;
    default: return (uint32_t)(i < n / 2 ? 2 * i : 2 * (i - n / 2) + 1);
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static void make(shape s, size_t n, rng *r)
{
    for (size_t i = 0; i < n; i++) in[i] = value_of(s, i, n, r);
    memcpy(wanted, in, n * sizeof *in);
    qsort(wanted, n, sizeof *wanted, by_value);
    memcpy(got, in, n * sizeof *in);
}

#define SAME(n) (memcmp(got, wanted, (n) * sizeof *got) == 0)

/* All small lengths, and some about where the ways of sorting change. */
static size_t next_length(size_t n)
{
    return n < 70 ? n + 1 : n * 3 / 2 + 7;
}

#define EACH_INPUT(s, n)                                                                           \
    for (shape s = RANDOM; s < SHAPES; s++)                                                        \
        for (size_t n = 0; n <= MOST; n = next_length(n))

Test(sort, in_order)
{
    rng r = {1};
    EACH_INPUT(s, n)
    {
        make(s, n, &r);
        up_sort(got, n);
        cr_assert(SAME(n) && up_is_sorted(got, n), "shape %d, %zu items", s, n);
    }
}

Test(sort, stable)
{
    ebb_arena *a = ebb_arena_create(NULL);
    rng r = {2};
    static card c[MOST];
    EACH_INPUT(s, n)
    {
        make(s, n, &r);
        for (size_t i = 0; i < n; i++) c[i] = (card){in[i], (uint32_t)i};
        cr_assert(cards_sort_stable(c, n, a));
        for (size_t i = 0; i < n; i++)
            cr_assert(c[i].key == wanted[i] && in[c[i].number] == c[i].key &&
                          (i == 0 || c[i - 1].key < c[i].key || c[i - 1].number < c[i].number),
                      "shape %d, %zu items", s, n);
        cr_assert(up_sort_stable(got, n, a) && SAME(n));
    }
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

Test(sort, large_items)
{
    ebb_arena *a = ebb_arena_create(NULL);
    rng r = {4};
    static page p[MOST];
    EACH_INPUT(s, n)
    for (int stable = 0; stable < 2; stable++) {
        make(s, n, &r);
        for (size_t i = 0; i < n; i++) p[i] = (page){in[i], (uint32_t)i, {(unsigned char)i}};
        if (stable) cr_assert(pages_sort_stable(p, n, a));
        else pages_sort(p, n);
        for (size_t i = 0; i < n; i++)
            cr_assert(p[i].key == wanted[i] && in[p[i].number] == p[i].key &&
                          p[i].rest[0] == (unsigned char)p[i].number,
                      "shape %d, %zu items", s, n);
    }
    ebb_arena_destroy(&a);
}

Test(sort, the_first_of_an_array)
{
    rng r = {5};
    EACH_INPUT(s, n)
    for (int i = 0; i < 4; i++) {
        make(s, n, &r);
        size_t k = rng_below(&r, n + n / 8 + 2);
        up_sort_first(got, n, k);
        cr_assert(SAME(k < n ? k : n), "shape %d, %zu of %zu", s, k, n);
        up_sort(got, n);
        cr_assert(SAME(n), "shape %d, %zu of %zu: something is lost", s, k, n);
    }
}

Test(sort, the_first_of_a_stream)
{
    rng r = {6};
    static uint32_t room[300];
    EACH_INPUT(s, n)
    {
        make(s, n, &r);
        size_t k = rng_below(&r, 300);
        up_top top = up_top_of(room, k);
        size_t taken = 0;
        size_t half = rng_one_in(&r, 2) ? n / 2 : k / 2 < n ? k / 2 : 0;
        for (size_t i = 0; i < half; i++) taken += up_top_offer(&top, in[i]);
        cr_assert(top.len == (k < half ? k : half) && taken >= top.len);
        up_top_offer_n(&top, in + half, (n - half) / 2);
        for (size_t i = half + (n - half) / 2; i < n; i++) up_top_offer(&top, in[i]);
        cr_assert(top.len == (k < n ? k : n));
        up_top_finish(&top);
        cr_assert_eq(memcmp(top.ptr, wanted, top.len * sizeof *wanted), 0);
    }
}

Test(sort, bounds)
{
    rng r = {7};
    for (size_t n = 0; n < 200; n++) {
        make(FEW_KEYS, n, &r);
        for (uint32_t key = 0; key < 6; key++) {
            size_t low = 0, high = 0;
            while (low < n && wanted[low] < key) low++;
            while (high < n && wanted[high] <= key) high++;
            cr_assert_eq(up_lower_bound(wanted, n, key), low);
            cr_assert_eq(up_upper_bound(wanted, n, key), high);
        }
    }
    cr_assert(up_lower_bound(NULL, 0, 1) == 0 && up_is_sorted(NULL, 0));
}

Test(sort, without_an_order_nothing_is_lost_and_nothing_else_touched)
{
    ebb_arena *a = ebb_arena_create(NULL);
    rng r = {8};
    for (size_t n = 0; n + 2 < MOST; n = next_length(n))
        for (int way = 0; way < 3; way++) {
            make(RANDOM, n + 2, &r);
            if (way == 0) chaos_sort(got + 1, n);
            else if (way == 1) cr_assert(chaos_sort_stable(got + 1, n, a));
            else chaos_sort_first(got + 1, n, n / 3);
            cr_assert(got[0] == in[0] && got[n + 1] == in[n + 1]);
            up_sort(got, n + 2);
            cr_assert(SAME(n + 2));
        }
    ebb_arena_destroy(&a);
}

Test(sort, a_failed_stable_sort_leaves_the_array_as_it_was)
{
    ebb_arena *a = ebb_arena_create(NULL);
    rng r = {9};
    for (shape s = RANDOM; s < SHAPES; s++) {
        make(s, 1000, &r);
        ebb_fault_params all = {.nth = 1, .from_nth_on = true};
        ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a}, &all, NULL);
        bool done = up_sort_stable(got, 1000, a);
        cr_assert(done ? SAME(1000) : memcmp(got, in, sizeof *in * 1000) == 0);
        ebb_fault_end(&f);
    }
    ebb_arena_destroy(&a);
}

Test(sort, a_stable_sort_gives_its_room_back)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_arena_stats once, often;
    rng r = {11};
    for (int i = 0; i < 50; i++) {
        make(RANDOM, 800, &r);
        cr_assert(up_sort_stable(got, 800, a));
        if (i == 0) ebb_arena_get_stats(a, &once);
    }
    ebb_arena_get_stats(a, &often);
    cr_assert(!layout_is_plain() || often.used <= once.used + 1024, "%zu", often.used);
    ebb_arena_destroy(&a);
}

static size_t comparisons(shape s, size_t n, bool stable)
{
    ebb_arena *a = ebb_arena_create(NULL);
    rng r = {10};
    make(s, n, &r);
    compared = 0;
    if (stable) cr_assert(counted_sort_stable(got, n, a));
    else counted_sort(got, n);
    cr_assert(SAME(n));
    ebb_arena_destroy(&a);
    return compared;
}

Test(sort, what_is_in_order_costs_a_comparison_an_item)
{
    static const shape cheap[] = {ALL_EQUAL, ASCENDING, DESCENDING, TAIL};
    for (size_t i = 0; i < sizeof cheap / sizeof *cheap; i++)
        for (int stable = 0; stable < 2; stable++) {
            size_t n = comparisons(cheap[i], MOST, stable);
            cr_assert(n < 2 * MOST + 200 || (cheap[i] == TAIL && n < 8 * MOST), "%zu", n);
        }
    cr_assert(comparisons(TWO_HALVES, MOST, true) < 4 * MOST, "two runs");
    cr_assert(comparisons(FEW_KEYS, MOST, false) < 8 * MOST, "few different keys");
}

Test(sort, nothing_costs_more_than_n_log_n)
{
    for (shape s = RANDOM; s < SHAPES; s++)
        for (int stable = 0; stable < 2; stable++)
            cr_assert(comparisons(s, MOST, stable) < MOST * 20, "shape %d", s);
}

Test(sort, not_even_the_worst_there_is)
{
    static uint32_t value[MOST];
    for (int first = 0; first < 2; first++) {
        killer_value = value;
        killer_solid = killer_candidate = 0;
        compared = 0;
        for (uint32_t i = 0; i < MOST; i++) value[i] = gas, got[i] = i;
        if (first) killed_sort_first(got, MOST, MOST / 2);
        else killed_sort(got, MOST);
        for (size_t i = 1; i < (first ? MOST / 2 : MOST); i++)
            cr_assert(value[got[i - 1]] < value[got[i]]);
        cr_assert(compared < MOST * 80, "%zu", compared);
    }
}
