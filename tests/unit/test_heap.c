/*
 * tests/unit/test_heap.c: ebb/heap_of.h.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <string.h>

#define EBB_HEAP       queue, int
#define EBB_LESS(a, b) ((a) < (b))
#include <ebb/heap_of.h>

typedef struct timer {
    int due;
    size_t place;
} timer;
#define EBB_HEAP           timers, timer *
#define EBB_LESS(a, b)     ((a)->due < (b)->due)
#define EBB_MOVED(item, i) ((item)->place = (i))
#include <ebb/heap_of.h>

static void check_order(const queue *h)
{
    for (size_t i = 1; i < h->len; i++) cr_assert(h->ptr[i] >= h->ptr[(i - 1) / 4]);
}

static void drain(queue *h, int from, int to)
{
    for (int item = 0; from <= to; from++) {
        cr_assert_eq(*queue_first(h), from);
        cr_assert(queue_pop(h, from % 2 ? &item : NULL) && (from % 2 == 0 || item == from));
        check_order(h);
    }
    cr_assert(h->len == 0 && !queue_first(h) && !queue_pop(h, NULL));
}

Test(heap, comes_out_in_order)
{
    for (int n = 0; n < 200; n++) {
        ebb_arena *a = ebb_arena_create(NULL);
        queue h = queue_in(a);
        for (int i = 0; i < n; i++) {
            cr_assert(queue_push(&h, i * 61 % 211 * 1000 + i));
            check_order(&h);
        }
        for (int before = -1, item; queue_pop(&h, &item); before = item) {
            cr_assert(item > before);
            check_order(&h);
        }
        cr_assert_eq(h.len, 0u);
        ebb_arena_destroy(&a);
    }
}

Test(heap, many_at_once)
{
    static int some[300];
    for (int i = 0; i < 300; i++) some[i] = (i * 7 + 3) % 300;
    for (size_t first = 0; first <= 300; first++) {
        ebb_arena *a = ebb_arena_create(NULL);
        queue h = queue_in(a);
        cr_assert(queue_append(&h, some, first));
        check_order(&h);
        cr_assert(queue_append(&h, some + first, 300 - first) && h.len == 300);
        check_order(&h);
        drain(&h, 0, 299);
        ebb_arena_destroy(&a);
    }
}

Test(heap, replacing_the_first)
{
    ebb_arena *a = ebb_arena_create(NULL);
    queue h = queue_in(a);
    cr_assert(queue_append(&h, (int[]){3, 1, 2}, 3));
    queue_replace(&h, 4);
    drain(&h, 2, 4);
    reports r;
    reports_start(&r);
    queue_replace(&h, 1);
    queue_remove(&h, 0);
    queue_update(&h, 7);
    cr_assert_eq(reports_total(&r), 3u);
    reports_stop();
    ebb_arena_destroy(&a);
}

static void check_places(const timers *h)
{
    for (size_t i = 0; i < h->len; i++) {
        cr_assert_eq(h->ptr[i]->place, i);
        cr_assert(i == 0 || h->ptr[i]->due >= h->ptr[(i - 1) / 4]->due);
    }
}

Test(heap, items_know_where_they_are)
{
    enum { N = 100 };
    static timer t[N];
    ebb_arena *a = ebb_arena_create(NULL);
    timers h = timers_in(a);
    rng r = {1};
    timer *all[N];
    for (size_t i = 0; i < N; i++) {
        t[i].due = (int)rng_below(&r, 1000);
        all[i] = &t[i];
    }
    cr_assert(timers_append(&h, all, N / 2));
    for (size_t i = N / 2; i < N; i++) cr_assert(timers_push(&h, &t[i]));
    for (int n = 0; n < 2000; n++) {
        timer *one = &t[rng_below(&r, N)];
        if (rng_one_in(&r, 2)) {
            one->due = (int)rng_below(&r, 1000);
            timers_update(&h, one->place);
        } else {
            timers_remove(&h, one->place);
            one->due = (int)rng_below(&r, 1000);
            check_places(&h);
            cr_assert(timers_push(&h, one));
        }
        check_places(&h);
    }
    timer *first;
    cr_assert(timers_pop(&h, &first));
    check_places(&h);
    ebb_arena_destroy(&a);
}

Test(heap, a_failed_growth_changes_nothing)
{
    ebb_arena *a = ebb_arena_create(NULL);
    queue h = queue_in(a);
    cr_assert(queue_reserve(&h, 64) && h.ebb__cap == 64);
    for (int i = 64; i > 0; i--) cr_assert(queue_push(&h, i));
    queue was = h;
    static const int some[100];
    ebb_fault_params all = {.nth = 1, .from_nth_on = true};
    ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a}, &all, NULL);
    cr_assert(!queue_push(&h, 0) && !queue_append(&h, some, 100) && !queue_append(&h, some, 1));
    cr_assert(!queue_reserve(&h, 65) && !queue_reserve_headroom(&h, SIZE_MAX));
    cr_assert_eq(memcmp(&h, &was, sizeof h), 0);
    ebb_fault_end(&f);
    cr_assert(!queue_append(&h, some, SIZE_MAX) && queue_reserve_headroom(&h, 100));
    cr_assert(h.ebb__cap >= 125u);
    drain(&h, 1, 64);
    queue_clear(&h);
    queue_release(&h);
    queue_release(&h);
    cr_assert(queue_push(&h, 1));
    ebb_arena_destroy(&a);
}

static int push_for_ever(ebb_arena *a, void *h)
{
    (void)a;
    for (int i = 0; queue_push(h, i); i--) continue;
    return EBB_OK;
}

Test(heap, a_jump_out_of_a_growth_changes_nothing)
{
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert(ebb_arena_set_limit(a, 0, 64 << 10, 0));
    queue h = queue_in(a);
    cr_assert_eq(ebb_try(a, push_for_ever, &h), EBB_E_LIMIT);
    cr_assert(h.len > 1000);
    check_order(&h);
    drain(&h, 1 - (int)h.len, 0);
    ebb_arena_destroy(&a);
}
