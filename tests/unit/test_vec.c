/*
 * tests/unit/test_vec.c: ebb/vec_of.h, ebb/vec.h and ebb/smallvec_of.h.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <string.h>

typedef struct node {
    int rank;
    char name[12];
} node;

#define EBB_VEC        nodes, node
#define EBB_LESS(a, b) ((a).rank < (b).rank)
#include <ebb/vec_of.h>

#define EBB_VEC ints, int
#include <ebb/vec_of.h>

#define EBB_SMALLVEC   tags, int, 4
#define EBB_LESS(a, b) ((a) < (b))
#include <ebb/smallvec_of.h>

#define EBB_SMALLVEC plain_tags, char
#include <ebb/smallvec_of.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The same for both kinds. ITEMS: where the items are. */
#define HAS(v, items, ...)                                                                         \
    do {                                                                                           \
        const int wanted[] = {__VA_ARGS__};                                                        \
        cr_assert_eq((v)->len, COUNT(wanted));                                                     \
        for (size_t at = 0; at < COUNT(wanted); at++) cr_assert_eq((items)[at], wanted[at]);       \
    } while (0)

/* ---- what vectors and small vectors have in common --------------------------------------------- */

#define COMMON_TESTS(vec, PTR)                                                                     \
    static void vec##_fill(vec *v, int n)                                                          \
    {                                                                                              \
        for (int i = 0; i < n; i++) cr_assert(*vec##_push(v, i) == i);                             \
    }                                                                                              \
                                                                                                   \
    Test(vec, vec##_what_is_pushed_is_there)                                                       \
    {                                                                                              \
        ebb_arena *a = ebb_arena_create(NULL);                                                     \
        vec v = vec##_in(a);                                                                       \
        cr_assert(v.len == 0 && vec##_last(&v) == NULL && !vec##_pop(&v, NULL));                   \
        vec##_fill(&v, 1000);                                                                      \
        cr_assert(v.len == 1000 && *vec##_last(&v) == 999);                                        \
        for (int i = 0; i < 1000; i++) cr_assert(*vec##_at(&v, (size_t)i) == i);                   \
        for (int i = 1000, item; i-- > 1;) cr_assert(vec##_pop(&v, &item) && item == i);           \
        cr_assert(vec##_pop(&v, NULL) && v.len == 0);                                              \
        ebb_arena_destroy(&a);                                                                     \
    }                                                                                              \
                                                                                                   \
    Test(vec, vec##_inserting_and_removing)                                                        \
    {                                                                                              \
        ebb_arena *a = ebb_arena_create(NULL);                                                     \
        vec v = vec##_in(a);                                                                       \
        cr_assert(*vec##_insert(&v, 0, 3) == 3 && vec##_insert(&v, 0, 1));                         \
        cr_assert(vec##_insert(&v, 2, 4) && vec##_insert(&v, 1, 2));                               \
        HAS(&v, PTR(&v), 1, 2, 3, 4);                                                              \
        cr_assert(vec##_insert_n(&v, 1, (int[]){7, 8, 9}, 3));                                     \
        cr_assert(vec##_insert_n(&v, 7, NULL, 0) && vec##_insert_n(&v, 0, NULL, 0));               \
        HAS(&v, PTR(&v), 1, 7, 8, 9, 2, 3, 4);                                                     \
        vec##_remove(&v, 0);                                                                       \
        vec##_remove(&v, 5);                                                                       \
        HAS(&v, PTR(&v), 7, 8, 9, 2, 3);                                                           \
        vec##_remove_swap(&v, 1);                                                                  \
        HAS(&v, PTR(&v), 7, 3, 9, 2);                                                              \
        vec##_remove_swap(&v, 3);                                                                  \
        vec##_remove_n(&v, 1, 0);                                                                  \
        vec##_remove_n(&v, 1, 2);                                                                  \
        HAS(&v, PTR(&v), 7);                                                                       \
        vec##_truncate(&v, 2);                                                                     \
        cr_assert_eq(v.len, 1u);                                                                   \
        vec##_truncate(&v, 0);                                                                     \
        cr_assert_eq(v.len, 0u);                                                                   \
        ebb_arena_destroy(&a);                                                                     \
    }                                                                                              \
                                                                                                   \
    Test(vec, vec##_appending_its_own)                                                             \
    {                                                                                              \
        ebb_arena *a = ebb_arena_create(NULL);                                                     \
        vec v = vec##_in(a);                                                                       \
        cr_assert(vec##_append(&v, NULL, 0) && vec##_append(&v, (int[]){1, 2, 3}, 3));             \
        for (int i = 0; i < 8; i++) {                                                              \
            void *other = ebb_alloc(a, 16);                                                        \
            size_t half = v.len / 2, rest = v.len - half;                                          \
            cr_assert(other &&vec##_append(&v, PTR(&v) + half, rest));                             \
            cr_assert(memcmp(PTR(&v) + v.len - rest, PTR(&v) + half, rest * sizeof(int)) == 0);    \
        }                                                                                          \
        ebb_arena_destroy(&a);                                                                     \
    }                                                                                              \
                                                                                                   \
    Test(vec, vec##_extending)                                                                     \
    {                                                                                              \
        ebb_arena *a = ebb_arena_create(NULL);                                                     \
        vec v = vec##_in(a);                                                                       \
        cr_assert(vec##_extend(&v, 0) != NULL && v.len == 0);                                      \
        int *p = vec##_extend(&v, 100);                                                            \
        cr_assert(p == PTR(&v) && v.len == 100);                                                   \
        for (int i = 0; i < 100; i++) p[i] = i;                                                    \
        cr_assert(vec##_extend(&v, 3) == PTR(&v) + 100 && *vec##_at(&v, 99) == 99);                \
        ebb_arena_destroy(&a);                                                                     \
    }                                                                                              \
                                                                                                   \
    Test(vec, vec##_reserve_is_exact_and_headroom_a_quarter)                                       \
    {                                                                                              \
        ebb_arena *a = ebb_arena_create(NULL);                                                     \
        vec v = vec##_in(a), w = vec##_in(a);                                                      \
        cr_assert(vec##_reserve(&v, 100) && vec##_reserve(&v, 50));                                \
        cr_assert(v.len == 0 && v.ebb__cap == 100);                                                \
        int *before = PTR(&v);                                                                     \
        vec##_fill(&v, 100);                                                                       \
        cr_assert(PTR(&v) == before);                                                              \
        cr_assert(vec##_reserve_headroom(&w, 100) && w.ebb__cap == 125);                           \
        cr_assert(!vec##_reserve_headroom(&w, SIZE_MAX) && !vec##_reserve(&w, SIZE_MAX / 4 + 2));  \
        ebb_arena_destroy(&a);                                                                     \
    }                                                                                              \
                                                                                                   \
    Test(vec, vec##_moving_leaves_nothing_behind)                                                  \
    {                                                                                              \
        for (int n = 0; n < 20; n++) {                                                             \
            ebb_arena *a = ebb_arena_create(NULL);                                                 \
            vec v = vec##_in(a);                                                                   \
            vec##_fill(&v, n);                                                                     \
            vec w = vec##_move(&v);                                                                \
            cr_assert(v.len == 0 && w.len == (size_t)n);                                           \
            vec##_fill(&v, 30);                                                                    \
            for (int i = 0; i < n; i++) cr_assert_eq(PTR(&w)[i], i);                               \
            ebb_arena_destroy(&a);                                                                 \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    Test(vec, vec##_settling_and_releasing)                                                        \
    {                                                                                              \
        for (int n = 0; n < 3000; n = n * 2 + 1) {                                                 \
            ebb_arena *a = ebb_arena_create(NULL);                                                 \
            vec v = vec##_in(a);                                                                   \
            vec##_fill(&v, 2 * n);                                                                 \
            vec##_truncate(&v, (size_t)n);                                                         \
            vec##_settle(&v);                                                                      \
            vec##_settle(&v);                                                                      \
            memset(ebb_alloc(a, 64), 0xee, 64);                                                    \
            cr_assert_eq(v.len, (size_t)n);                                                        \
            for (int i = 0; i < n; i++) cr_assert_eq(PTR(&v)[i], i);                               \
            cr_assert(vec##_push(&v, n) && *vec##_last(&v) == n);                                  \
            vec##_release(&v);                                                                     \
            vec##_release(&v);                                                                     \
            cr_assert_eq(v.len, 0u);                                                               \
            vec##_fill(&v, 10);                                                                    \
            vec##_clear(&v);                                                                       \
            cr_assert(v.len == 0 && v.ebb__cap >= 10);                                             \
            cr_assert_null(ebb_arena_validate(a));                                                 \
            ebb_arena_destroy(&a);                                                                 \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    Test(vec, vec##_a_failed_growth_changes_nothing)                                               \
    {                                                                                              \
        ebb_arena *a = ebb_arena_create(NULL);                                                     \
        vec v = vec##_in(a);                                                                       \
        vec##_fill(&v, 100);                                                                       \
        vec##_settle(&v);                                                                          \
        vec was = v;                                                                               \
        ebb_fault_params all = {.nth = 1, .from_nth_on = true};                                    \
        ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a}, &all, NULL);                       \
        static const int some[200];                                                                \
        cr_assert(!vec##_push(&v, 1) && !vec##_append(&v, some, 200) && !vec##_extend(&v, 9));     \
        cr_assert(!vec##_insert(&v, 5, 1) && !vec##_insert_n(&v, 0, some, 7));                     \
        cr_assert(!vec##_reserve(&v, 1000) && !vec##_reserve_headroom(&v, 101));                   \
        cr_assert(!vec##_extend(&v, SIZE_MAX) && !vec##_extend(&v, SIZE_MAX / 2));                 \
        cr_assert_eq(memcmp(&v, &was, sizeof v), 0);                                               \
        for (int i = 0; i < 100; i++) cr_assert_eq(PTR(&v)[i], i);                                 \
        ebb_fault_end(&f);                                                                         \
        cr_assert(!vec##_extend(&v, SIZE_MAX) && v.len == 100);                                    \
        ebb_arena_destroy(&a);                                                                     \
    }                                                                                              \
                                                                                                   \
    static int vec##_push_for_ever(ebb_arena *a, void *vector)                                     \
    {                                                                                              \
        (void)a;                                                                                   \
        for (int i = 0; vec##_push(vector, i); i++) continue;                                      \
        return EBB_OK;                                                                             \
    }                                                                                              \
                                                                                                   \
    Test(vec, vec##_a_jump_out_of_a_growth_changes_nothing)                                        \
    {                                                                                              \
        ebb_arena *a = ebb_arena_create(NULL);                                                     \
        cr_assert(ebb_arena_set_limit(a, 0, 64 << 10, 0));                                         \
        vec v = vec##_in(a);                                                                       \
        cr_assert_eq(ebb_try(a, vec##_push_for_ever, &v), EBB_E_LIMIT);                            \
        cr_assert(v.len == v.ebb__cap && v.len > 1000);                                            \
        for (size_t i = 0; i < v.len; i++) cr_assert_eq(PTR(&v)[i], (int)i);                       \
        ebb_arena_destroy(&a);                                                                     \
    }                                                                                              \
                                                                                                   \
    Test(vec, vec##_an_index_out_of_range_is_reported)                                             \
    {                                                                                              \
        ebb_arena *a = ebb_arena_create(NULL);                                                     \
        vec v = vec##_in(a);                                                                       \
        vec##_fill(&v, 3);                                                                         \
        reports r;                                                                                 \
        reports_start(&r);                                                                         \
        cr_assert_null(vec##_at(&v, 3));                                                           \
        cr_assert(reports_one(&r, EBB_MISUSE, #vec "_at", "index 3, but the length is 3"));        \
        cr_assert_null(vec##_insert(&v, 4, 1));                                                    \
        cr_assert(!vec##_insert_n(&v, SIZE_MAX, (int[]){1}, 1));                                   \
        vec##_remove(&v, 3);                                                                       \
        vec##_remove_swap(&v, SIZE_MAX);                                                           \
        vec##_remove_n(&v, 1, 3);                                                                  \
        vec##_remove_n(&v, 3, 1);                                                                  \
        vec##_remove_n(&v, 1, SIZE_MAX);                                                           \
        cr_assert_eq(reports_total(&r), 8u);                                                       \
        reports_stop();                                                                            \
        HAS(&v, PTR(&v), 0, 1, 2);                                                                 \
        ebb_arena_destroy(&a);                                                                     \
    }

#define PTR_OF(v) ((v)->ptr)
COMMON_TESTS(ints, PTR_OF)
COMMON_TESTS(tags, tags_ptr)

/* ---- vectors ------------------------------------------------------------------------------------- */

Test(vec, an_empty_one_takes_nothing)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_fault_params none = {.nth = 0};
    ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a}, &none, NULL);
    ints v = ints_in(a);
    ints_release(&v);
    ints_settle(&v);
    ints_clear(&v);
    cr_assert(ints_append(&v, NULL, 0) && ints_reserve(&v, 0) && v.ptr == NULL);
    tags t = tags_in(a);
    tags_fill(&t, 4);
    tags_settle(&t);
    cr_assert_eq(ebb_fault_seen(f), 0u);
    ebb_fault_end(&f);
    ebb_arena_destroy(&a);
}

Test(vec, one_that_grows_alone_grows_in_place)
{
    if (!layout_is_plain()) cr_skip_test("nothing grows in place in strict arenas");
    ebb_arena_params params = {.size = 64 << 10};
    ebb_arena *a = ebb_arena_create(&params);
    ints v = ints_in(a);
    ints_fill(&v, 200);
    const int *at = v.ptr;
    memset(ebb_alloc(a, 24), 1, 24);
    ints_fill(&v, 600);
    cr_assert_eq(v.ptr, at);
    ebb_arena_destroy(&a);
}

Test(vec, growth_is_seldom)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_fault_params none = {.nth = 0};
    ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a}, &none, NULL);
    ints v = ints_in(a);
    tags t = tags_in(a);
    ints_fill(&v, 100000);
    cr_assert(ebb_fault_seen(f) < 20, "%d allocations", (int)ebb_fault_seen(f));
    tags_fill(&t, 100000);
    cr_assert(ebb_fault_seen(f) < 40, "%d allocations", (int)ebb_fault_seen(f));
    ebb_fault_end(&f);
    ebb_arena_destroy(&a);
}

Test(vec, headroom_that_can_not_be_counted_is_refused)
{
    ebb_arena *a = ebb_arena_create(NULL);
    plain_tags v = plain_tags_in(a);
    const size_t wraps_to_4 = SIZE_MAX / 5 * 4 + 4;
    cr_assert(!plain_tags_reserve_headroom(&v, wraps_to_4));
    ebb_arena_destroy(&a);
}

static int ranked(ebb_arena *a, size_t n, bool stable)
{
    nodes v = nodes_in(a);
    rng r = {n};
    for (size_t i = 0; i < n; i++) {
        node *added = nodes_push(&v, (node){(int)rng_below(&r, 50), ""});
        cr_assert(added != NULL);
        memcpy(added->name, &i, sizeof i);
    }
    if (stable) cr_assert(nodes_sort_stable(&v));
    else nodes_sort(&v);
    cr_assert(nodes_is_sorted(&v));
    for (size_t i = 1, before, now; stable && i < n; i++) {
        memcpy(&before, v.ptr[i - 1].name, sizeof before);
        memcpy(&now, v.ptr[i].name, sizeof now);
        cr_assert(v.ptr[i - 1].rank < v.ptr[i].rank || before < now);
    }
    return 0;
}

Test(vec, those_with_an_order_are_sorted)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (size_t n = 0; n < 500; n = n * 3 / 2 + 1) ranked(a, n, false), ranked(a, n, true);
    ebb_arena_destroy(&a);
}

Test(vec, and_searched)
{
    ebb_arena *a = ebb_arena_create(NULL);
    nodes v = nodes_in(a);
    node key = {4, ""};
    cr_assert(nodes_lower_bound(&v, key) == 0 && nodes_search(&v, key) == NULL);
    static const int ranks[] = {5, 1, 4, 9, 4};
    for (size_t i = 0; i < COUNT(ranks); i++) {
        node n = {ranks[i], ""};
        n.name[0] = (char)('a' + i);
        cr_assert(nodes_insert_sorted(&v, n) != NULL);
    }
    cr_assert(nodes_lower_bound(&v, key) == 1 && nodes_upper_bound(&v, key) == 3);
    cr_assert(nodes_search(&v, key) == v.ptr + 1 && v.ptr[1].name[0] == 'c', "behind its equals");
    key.rank = 10;
    cr_assert(nodes_search(&v, key) == NULL && nodes_lower_bound(&v, key) == 5);
    nodes_sort_first(&v, 2);
    cr_assert(v.ptr[0].rank == 1 && v.ptr[1].rank == 4);
    ebb_arena_destroy(&a);
}

Test(vec, ready_made_ones)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_vec_bytes bytes = ebb_vec_bytes_in(a);
    cr_assert(ebb_vec_bytes_append(&bytes, (const uint8_t *)"abc", 3) && bytes.len == 3);
    ebb_vec_ptr ptrs = ebb_vec_ptr_in(a);
    cr_assert(*ebb_vec_ptr_push(&ptrs, a) == a);
    ebb_vec_u64 numbers = ebb_vec_u64_in(a);
    for (uint64_t i = 100; i-- > 0;) cr_assert(ebb_vec_u64_push(&numbers, i * i) != NULL);
    ebb_vec_u64_sort(&numbers);
    cr_assert(ebb_vec_u64_search(&numbers, 81) == numbers.ptr + 9);
    ebb_vec_str names = ebb_vec_str_in(a);
    cr_assert(ebb_vec_str_push(&names, EBB_STR("b")) && ebb_vec_str_push(&names, EBB_STR("ab")));
    cr_assert(ebb_vec_str_sort_stable(&names) && ebb_str_equal(names.ptr[1], EBB_STR("b")));
    ebb_arena_destroy(&a);
}

/* ---- small vectors ------------------------------------------------------------------------------- */

Test(vec, a_small_vector_can_be_copied_and_moved_about)
{
    ebb_arena *a = ebb_arena_create(NULL);
    tags v = tags_in(a);
    tags_fill(&v, 3);
    tags copy = v;
    cr_assert(tags_push(&copy, 7) && tags_ptr(&copy) != tags_ptr(&v));
    cr_assert(tags_push(&v, 8) != NULL);
    HAS(&copy, tags_ptr(&copy), 0, 1, 2, 7);
    HAS(&v, tags_ptr(&v), 0, 1, 2, 8);
    tags *moved = ebb_new_array(a, tags, 2);
    cr_assert(moved != NULL);
    memcpy(&moved[1], &v, sizeof v);
    memset(&v, 0xee, sizeof v);
    tags_fill(&moved[1], 4);
    memcpy(&moved[0], &moved[1], sizeof v);
    HAS(&moved[0], tags_ptr(&moved[0]), 0, 1, 2, 8, 0, 1, 2, 3);
    ebb_arena_destroy(&a);
}

Test(vec, a_small_vector_comes_back_in_when_it_settles)
{
    ebb_arena *a = ebb_arena_create(NULL);
    tags v = tags_in(a);
    tags_fill(&v, 9);
    cr_assert((char *)tags_ptr(&v) < (char *)&v || (char *)tags_ptr(&v) > (char *)(&v + 1));
    tags_truncate(&v, 3);
    tags_settle(&v);
    cr_assert((char *)tags_ptr(&v) > (char *)&v && (char *)tags_ptr(&v) < (char *)(&v + 1));
    HAS(&v, tags_ptr(&v), 0, 1, 2);
    tags_fill(&v, 7);
    tags_truncate(&v, 5);
    tags_settle(&v);
    HAS(&v, tags_ptr(&v), 0, 1, 2, 0, 1);
    ebb_arena_destroy(&a);
}

Test(vec, a_small_vector_of_eight_bytes_unless_said_otherwise)
{
    ebb_arena *a = ebb_arena_create(NULL);
    plain_tags v = plain_tags_in(a);
    for (char c = 'a'; c <= 'h'; c++) cr_assert(plain_tags_push(&v, c) != NULL);
    cr_assert(v.ebb__cap == 8 && memcmp(plain_tags_ptr(&v), "abcdefgh", 8) == 0);
    cr_assert(plain_tags_push(&v, 'i') && v.ebb__cap > 8);
    cr_assert_eq(memcmp(plain_tags_ptr(&v), "abcdefghi", 9), 0);
    cr_assert(sizeof v == 3 * sizeof(size_t) + 8);
    ebb_arena_destroy(&a);
}

Test(vec, a_small_vector_has_an_order)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (int n = 0; n < 40; n++) {
        tags v = tags_in(a);
        for (int i = 0; i < n; i++) cr_assert(tags_push(&v, i * 7 % 40) != NULL);
        tags_sort(&v);
        cr_assert(tags_is_sorted(&v) && v.len == (size_t)n);
        cr_assert(!n || tags_search(&v, 0) == tags_ptr(&v));
        cr_assert(tags_sort_stable(&v) && tags_insert_sorted(&v, 5) && tags_is_sorted(&v));
    }
    ebb_arena_destroy(&a);
}
