/*
 * tests/unit/test_deque.c: ebb/deque_of.h.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <string.h>

#define EBB_DEQUE queue, int
#include <ebb/deque_of.h>

static bool holds(const queue *q, int first, int last)
{
    if (q->len != (size_t)(last - first + 1)) return false;
    for (size_t i = 0; i < q->len; i++)
        if (*queue_at(q, i) != first + (int)i) return false;
    return true;
}

/* A full ring whose first item is at slot `turn`. */
static queue turned(ebb_arena *a, size_t size, size_t turn)
{
    queue q = queue_in(a);
    cr_assert(queue_reserve(&q, size) && q.ebb__cap == size);
    for (size_t i = 0; i < turn; i++)
        cr_assert(queue_push_back(&q, -1) && queue_pop_front(&q, NULL));
    for (int i = 0; i < (int)size; i++) cr_assert(*queue_push_back(&q, i) == i);
    return q;
}

Test(deque, an_empty_one)
{
    ebb_arena *a = ebb_arena_create(NULL);
    queue q = queue_in(a);
    size_t n = 7;
    cr_assert(!queue_pop_front(&q, NULL) && !queue_pop_back(&q, NULL));
    cr_assert(!queue_first(&q) && !queue_last(&q) && !queue_run(&q, 0, &n) && n == 0);
    cr_assert(queue_append(&q, NULL, 0) && queue_reserve(&q, 0));
    queue_drop_front(&q, 3);
    queue_release(&q);
    cr_assert_eq(q.ebb__cap, 0u);
    ebb_arena_destroy(&a);
}

Test(deque, first_in_first_out)
{
    ebb_arena *a = ebb_arena_create(NULL);
    queue q = queue_in(a);
    int in = 0, out = 0, item;
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < round % 11; i++) cr_assert(queue_push_back(&q, in++) != NULL);
        for (int i = 0; i < round % 9 && queue_pop_front(&q, &item); i++) cr_assert_eq(item, out++);
        cr_assert(holds(&q, out, in - 1));
    }
    ebb_arena_destroy(&a);
}

Test(deque, both_ends)
{
    ebb_arena *a = ebb_arena_create(NULL);
    queue q = queue_in(a);
    for (int i = 0; i < 100; i++)
        cr_assert(*queue_push_front(&q, -i - 1) == -i - 1 && *queue_push_back(&q, i) == i);
    cr_assert(holds(&q, -100, 99) && *queue_first(&q) == -100 && *queue_last(&q) == 99);
    for (int i = 99, item; i >= 0; i--) {
        cr_assert(queue_pop_back(&q, &item) && item == i);
        cr_assert(queue_pop_front(&q, &item) && item == -i - 1);
    }
    cr_assert_eq(q.len, 0u);
    ebb_arena_destroy(&a);
}

Test(deque, growth_joins_what_was_wrapped)
{
    for (size_t size = 1; size < 20; size++)
        for (size_t turn = 0; turn < size; turn++)
            for (size_t more = 1; more < 3 * size; more++) {
                ebb_arena *a = ebb_arena_create(NULL);
                queue q = turned(a, size, turn);
                cr_assert(queue_reserve(&q, size + more) && holds(&q, 0, (int)size - 1));
                for (size_t i = 0; i < more; i++)
                    cr_assert(queue_push_back(&q, (int)(size + i)) != NULL);
                cr_assert(holds(&q, 0, (int)(size + more) - 1));
                ebb_arena_destroy(&a);
            }
}

Test(deque, appending_and_dropping_many)
{
    static int some[500];
    for (int i = 0; i < 500; i++) some[i] = i;
    for (size_t turn = 0; turn < 40; turn++) {
        ebb_arena *a = ebb_arena_create(NULL);
        queue q = turned(a, 40, turn);
        queue_drop_front(&q, 25);
        cr_assert(queue_append(&q, some + 40, 25) && q.ebb__cap == 40 && holds(&q, 25, 64));
        cr_assert(queue_append(&q, some + 65, 300) && holds(&q, 25, 364));
        queue_drop_front(&q, 339);
        cr_assert(holds(&q, 364, 364));
        queue_drop_front(&q, 1);
        cr_assert(q.len == 0 && queue_push_front(&q, 1));
        ebb_arena_destroy(&a);
    }
}

Test(deque, runs_are_all_of_it)
{
    for (size_t turn = 0; turn < 16; turn++) {
        ebb_arena *a = ebb_arena_create(NULL);
        queue q = turned(a, 16, turn);
        size_t runs = 0, n;
        for (size_t i = 0; i < q.len; i += n, runs++) {
            const int *p = queue_run(&q, i, &n);
            cr_assert(p && n > 0 && i + n <= q.len);
            for (size_t j = 0; j < n; j++) cr_assert_eq(p[j], (int)(i + j));
        }
        cr_assert_eq(runs, turn ? 2u : 1u);
        ebb_arena_destroy(&a);
    }
}

Test(deque, a_failed_growth_changes_nothing)
{
    for (size_t turn = 0; turn < 16; turn++) {
        ebb_arena *a = ebb_arena_create(NULL);
        queue q = turned(a, 16, turn), was = q;
        static const int some[100];
        ebb_fault_params all = {.nth = 1, .from_nth_on = true};
        ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a}, &all, NULL);
        cr_assert(!queue_push_back(&q, 1) && !queue_push_front(&q, 1));
        cr_assert(!queue_append(&q, some, 100) && !queue_reserve(&q, 17));
        cr_assert(!queue_reserve_headroom(&q, SIZE_MAX) && !queue_append(&q, some, SIZE_MAX));
        cr_assert(holds(&q, 0, 15) && memcmp(&q, &was, sizeof q) == 0);
        ebb_fault_end(&f);
        cr_assert(!queue_append(&q, some, SIZE_MAX) && holds(&q, 0, 15));
        ebb_arena_destroy(&a);
    }
}

static int push_for_ever(ebb_arena *a, void *q)
{
    (void)a;
    for (int i = 0; queue_push_back(q, i); i++) continue;
    return EBB_OK;
}

Test(deque, a_jump_out_of_a_growth_changes_nothing)
{
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert(ebb_arena_set_limit(a, 0, 64 << 10, 0));
    queue q = queue_in(a);
    cr_assert_eq(ebb_try(a, push_for_ever, &q), EBB_E_LIMIT);
    cr_assert(q.len > 1000 && holds(&q, 0, (int)q.len - 1));
    ebb_arena_destroy(&a);
}

Test(deque, an_index_out_of_range_is_reported)
{
    ebb_arena *a = ebb_arena_create(NULL);
    queue q = turned(a, 4, 2);
    reports r;
    reports_start(&r);
    cr_assert_null(queue_at(&q, 4));
    cr_assert(reports_one(&r, EBB_MISUSE, "queue_at", "index 4, but the length is 4"));
    reports_stop();
    ebb_arena_destroy(&a);
}
