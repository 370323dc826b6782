/*
 * tests/unit/test_list.c: ebb/list.h.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <string.h>

enum { ITEMS = 40 };

typedef struct item {
    int id;
    ebb_link link;
} item;

static item items[ITEMS];

static int id_of(ebb_link *l)
{
    return EBB_CONTAINER(l, item, link)->id;
}

/* Forth and back. */
static bool holds(const ebb_list *list, const int *ids, size_t n)
{
    size_t i = 0;
    for (ebb_link *l = list->first; l; l = l->next)
        if (i >= n || id_of(l) != ids[i++]) return false;
    if (i != n || list->len != n) return false;
    for (ebb_link *l = list->last; l; l = l->prev)
        if (i == 0 || id_of(l) != ids[--i]) return false;
    return i == 0;
}

#define HOLDS(list, ...)                                                                           \
    cr_assert(holds(list, (int[]){__VA_ARGS__}, sizeof((int[]){__VA_ARGS__}) / sizeof(int)))

static ebb_link *link_of(int id)
{
    items[id].id = id;
    return &items[id].link;
}

Test(list, in_and_out)
{
    ebb_list list = EBB_LIST_INIT;
    cr_assert(!ebb_list_pop_front(&list) && !ebb_list_pop_back(&list) && !list.first);
    ebb_list_push_back(&list, link_of(2));
    ebb_list_push_back(&list, link_of(3));
    ebb_list_push_front(&list, link_of(1));
    ebb_list_insert(&list, link_of(4), link_of(3));
    ebb_list_insert(&list, link_of(5), NULL);
    ebb_list_insert(&list, link_of(6), list.first);
    HOLDS(&list, 6, 1, 2, 4, 3, 5);
    ebb_list_remove(&list, link_of(2));
    ebb_list_remove(&list, link_of(6));
    ebb_list_remove(&list, link_of(5));
    HOLDS(&list, 1, 4, 3);
    cr_assert(id_of(ebb_list_pop_back(&list)) == 3 && id_of(ebb_list_pop_front(&list)) == 1);
    HOLDS(&list, 4);
    ebb_list_remove(&list, link_of(4));
    cr_assert(!list.first && !list.last && list.len == 0);
}

Test(list, zeroed_memory_is_an_empty_list_that_may_be_moved)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_list *list = ebb_new(a, ebb_list), moved;
    for (int i = 0; i < 3; i++) ebb_list_push_back(list, link_of(i));
    moved = *list;
    memset(list, 0xee, sizeof *list);
    ebb_list_push_back(&moved, link_of(3));
    HOLDS(&moved, 0, 1, 2, 3);
    ebb_arena_destroy(&a);
}

Test(list, a_cleared_link_can_be_asked)
{
    ebb_list list = EBB_LIST_INIT;
    for (int i = 0; i < 3; i++) ebb_link_clear(link_of(i));
    for (int i = 0; i < 3; i++) {
        cr_assert(!ebb_list_has(&list, link_of(i)));
        ebb_list_push_front(&list, link_of(i));
        cr_assert(ebb_list_has(&list, link_of(i)));
    }
    for (int i = 0; i < 3; i++) {
        ebb_list_remove(&list, link_of(i));
        cr_assert(!ebb_list_has(&list, link_of(i)));
    }
}

Test(list, taking_out_twice_is_reported)
{
    ebb_list list = EBB_LIST_INIT, other = EBB_LIST_INIT;
    for (int i = 0; i < 3; i++) ebb_list_push_back(&list, link_of(i));
    ebb_list_push_back(&other, link_of(3));
    reports r;
    reports_start(&r);
    ebb_list_remove(&list, link_of(1));
    cr_assert_eq(reports_total(&r), 0u);
    ebb_list_remove(&list, link_of(1));
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_list_remove", "not in this list"));
    ebb_list_remove(&list, link_of(3));
    ebb_list_remove(&other, link_of(0));
    cr_assert_eq(reports_total(&r), 3u);
    reports_stop();
    HOLDS(&list, 0, 2);
    HOLDS(&other, 3);
}

Test(list, removing_while_walking)
{
    ebb_list list = EBB_LIST_INIT;
    for (int i = 0; i < 6; i++) ebb_list_push_back(&list, link_of(i));
    for (ebb_link *l = list.first, *next; l; l = next) {
        next = l->next;
        if (id_of(l) % 2 == 0) ebb_list_remove(&list, l);
    }
    HOLDS(&list, 1, 3, 5);
}

Test(list, joining)
{
    ebb_list list = EBB_LIST_INIT, other = EBB_LIST_INIT, none = EBB_LIST_INIT;
    ebb_list_append(&list, &none);
    cr_assert(!list.first && list.len == 0);
    for (int i = 0; i < 2; i++) ebb_list_push_back(&other, link_of(i));
    ebb_list_append(&list, &other);
    HOLDS(&list, 0, 1);
    cr_assert(!other.first && !other.last && other.len == 0);
    for (int i = 2; i < 5; i++) ebb_list_push_back(&other, link_of(i));
    ebb_list_append(&list, &other);
    ebb_list_append(&list, &none);
    HOLDS(&list, 0, 1, 2, 3, 4);
}

/* Two lists against two arrays. */
typedef struct model {
    ebb_list list;
    int ids[ITEMS];
    size_t n;
} model;

static size_t place_of(const model *m, int id)
{
    size_t i = 0;
    while (i < m->n && m->ids[i] != id) i++;
    return i;
}

static void put(model *m, size_t at, int id)
{
    ebb_link *next = at < m->n ? link_of(m->ids[at]) : NULL;
    ebb_list_insert(&m->list, link_of(id), next);
    memmove(m->ids + at + 1, m->ids + at, (m->n - at) * sizeof *m->ids);
    m->ids[at] = id;
    m->n++;
}

static void take(model *m, size_t at)
{
    ebb_list_remove(&m->list, link_of(m->ids[at]));
    m->n--;
    memmove(m->ids + at, m->ids + at + 1, (m->n - at) * sizeof *m->ids);
}

static void join(model *m, model *other)
{
    ebb_list_append(&m->list, &other->list);
    memcpy(m->ids + m->n, other->ids, other->n * sizeof *m->ids);
    m->n += other->n;
    other->n = 0;
}

Test(list, model)
{
    static model m[2];
    rng r = {1};
    for (unsigned long step = 0; step < scaled(1000000); step++) {
        int id = (int)rng_below(&r, ITEMS);
        size_t in = place_of(&m[0], id) < m[0].n ? 0 : place_of(&m[1], id) < m[1].n ? 1 : 2;
        size_t to = rng_below(&r, 2);
        if (in == 2) put(&m[to], rng_below(&r, m[to].n + 1), id);
        else take(&m[in], place_of(&m[in], id));
        if (rng_one_in(&r, 300)) join(&m[to], &m[!to]);
        if (step % 16 == 0)
            for (int i = 0; i < 2; i++) cr_assert(holds(&m[i].list, m[i].ids, m[i].n));
    }
}
