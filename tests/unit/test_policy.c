/*
 * tests/unit/test_policy.c: which entry goes (share/policy.h), in cases small enough to be followed
 * by hand.
 */
#include "test.h"

#include "../../share/policy.h"

#include <ebb/ebb.h>

enum { MOST = 4096 };

typedef struct item {
    ebb__policy_node node;
    int key;
    bool pinned;
} item;

typedef struct cache {
    ebb_arena *home;
    ebb__policy p;
    item item[MOST];
} cache;

static const ebb__policy_kind *const kinds[] = {&ebb__policy_s3_fifo, &ebb__policy_lru};
enum { KINDS = sizeof kinds / sizeof *kinds };

static bool is_pinned(void *ctx, const ebb__policy_node *node)
{
    (void)ctx;
    return EBB_CONTAINER(node, item, node)->pinned;
}

static cache *make(const ebb__policy_kind *kind, size_t entries, size_t bytes)
{
    static cache c;
    c.home = ebb_arena_create(NULL);
    cr_assert(ebb__policy_init(&c.p, kind, c.home, entries, bytes));
    for (int i = 0; i < MOST; i++) c.item[i] = (item){.key = i};
    return &c;
}

static void end(cache *c)
{
    cr_assert_null(ebb__policy_check(&c->p));
    ebb__policy_fini(&c->p);
    ebb_arena_destroy(&c->home);
}

/* The key of who goes; -1: nobody. */
static int evict(cache *c)
{
    ebb__policy_node *node = ebb__policy_victim(&c->p, is_pinned, NULL);
    return node ? EBB_CONTAINER(node, item, node)->key : -1;
}

static void put(cache *c, int key, size_t bytes)
{
    ebb__policy_insert(&c->p, &c->item[key].node, ebb_hash_u64((uint64_t)key, 1), bytes);
}

/* As a cache does on a miss. The key of the last who went; -1: nobody had to. */
static int miss(cache *c, int key)
{
    int gone = -1;
    while (ebb__policy_is_over(&c->p, 1, 1)) {
        gone = evict(c);
        cr_assert(gone >= 0);
    }
    put(c, key, 1);
    return gone;
}

static void hit(cache *c, int key, int times)
{
    for (; times > 0; times--) ebb__policy_touch(&c->p, &c->item[key].node);
}

Test(policy, evicts_in_order_of_insertion_what_nobody_asks_for)
{
    for (int k = 0; k < KINDS; k++) {
        cache *c = make(kinds[k], 10, 0);
        for (int i = 0; i < 10; i++) cr_assert_eq(miss(c, i), -1);
        for (int i = 10; i < 100; i++) cr_assert_eq(miss(c, i), i - 10);
        cr_assert_eq(c->p.len, 10);
        end(c);
    }
}

Test(policy, keeps_what_is_hit)
{
    for (int k = 0; k < KINDS; k++) {
        cache *c = make(kinds[k], 10, 0);
        miss(c, 0);
        for (int i = 1; i < 1000; i++) {
            hit(c, 0, 2);
            cr_assert_neq(miss(c, i), 0);
        }
        end(c);
    }
}

Test(policy, an_lru_evicts_in_order_of_the_last_hit)
{
    cache *c = make(&ebb__policy_lru, 10, 0);
    for (int i = 0; i < 10; i++) miss(c, i);
    static const int order[] = {3, 1, 4, 5, 9, 2, 6, 8, 7, 0};
    for (int i = 0; i < 10; i++) hit(c, order[i], 1);
    for (int i = 0; i < 10; i++) cr_assert_eq(evict(c), order[i]);
    cr_assert_eq(evict(c), -1);
    end(c);
}

Test(policy, s3_fifo_lets_a_scan_pass_by_the_main_queue)
{
    cache *c = make(&ebb__policy_s3_fifo, 100, 0);
    for (int i = 0; i < 90; i++) {
        miss(c, i);
        hit(c, i, 2);
    }
    for (int i = 1000; i < 1010; i++) miss(c, i);
    for (int i = 1010; i < 3000; i++) cr_assert(miss(c, i) >= 1000);
    end(c);
}

Test(policy, s3_fifo_remembers_what_has_left_the_small_queue)
{
    cache *c = make(&ebb__policy_s3_fifo, 100, 0);
    for (int i = 0; i < 90; i++) {
        miss(c, i);
        hit(c, i, 2);
    }
    for (int i = 1000; i < 1100; i++) miss(c, i);
    cr_assert_eq(miss(c, 1100), 1090);
    miss(c, 1090); /* again: into the main queue, where no scan reaches it */
    for (int i = 1101; i < 1220; i++) cr_assert_neq(miss(c, i), 1090);
    miss(c, 1100); /* was remembered, but too many have left since */
    bool gone = false;
    for (int i = 1500; i < 1600; i++) gone |= miss(c, i) == 1100;
    cr_assert(gone);
    end(c);
}

Test(policy, remembers_nothing_of_what_was_removed)
{
    cache *c = make(&ebb__policy_s3_fifo, 10, 0);
    for (int i = 0; i < 10; i++) {
        miss(c, i);
        hit(c, i, 2);
    }
    miss(c, 20);
    ebb__policy_remove(&c->p, &c->item[20].node);
    miss(c, 20);
    cr_assert_eq(miss(c, 21), 20);
    end(c);
}

Test(policy, passes_over_what_is_pinned)
{
    for (int k = 0; k < KINDS; k++) {
        cache *c = make(kinds[k], 10, 0);
        for (int i = 0; i < 10; i++) {
            miss(c, i);
            c->item[i].pinned = i != 7;
        }
        cr_assert_eq(evict(c), 7);
        cr_assert_eq(evict(c), -1);
        cr_assert_eq(c->p.len, 9);
        c->item[2].pinned = false;
        cr_assert_eq(evict(c), 2);
        end(c);
    }
}

Test(policy, counts_entries_and_bytes)
{
    for (int k = 0; k < KINDS; k++) {
        cache *c = make(kinds[k], 100, 1000);
        for (int i = 0; i < 10; i++) put(c, i, 90);
        cr_assert_eq(c->p.bytes, 900);
        cr_assert(!ebb__policy_is_over(&c->p, 1, 100) && ebb__policy_is_over(&c->p, 1, 101));
        cr_assert(ebb__policy_is_over(&c->p, 91, 0) && ebb__policy_is_over(&c->p, 0, SIZE_MAX));
        ebb__policy_recount(&c->p, &c->item[3].node, 190);
        cr_assert_eq(c->p.bytes, 1000);
        cr_assert(ebb__policy_is_over(&c->p, 0, 1));
        ebb__policy_resize(&c->p, 5, 0);
        int left = 0;
        for (; ebb__policy_is_over(&c->p, 0, 0); left++) cr_assert(evict(c) >= 0);
        cr_assert(left == 5 && c->p.len == 5);
        end(c);
    }
}

Test(policy, s3_fifo_bounds_the_small_queue_in_bytes)
{
    cache *c = make(&ebb__policy_s3_fifo, 0, 1000);
    for (int i = 0; i < 9; i++) {
        put(c, i, 100);
        hit(c, i, 2);
    }
    put(c, 10, 95);
    put(c, 11, 5);
    cr_assert_eq(evict(c), 10);
    end(c);
}

Test(policy, touches_after_it_has_left_change_nothing)
{
    for (int k = 0; k < KINDS; k++) {
        cache *c = make(kinds[k], 10, 0);
        for (int i = 0; i < 10; i++) miss(c, i);
        ebb__policy_remove(&c->p, &c->item[4].node);
        hit(c, 4, 100);
        cr_assert_eq(c->p.len, 9);
        cr_assert_null(ebb__policy_check(&c->p));
        miss(c, 4);
        cr_assert_eq(miss(c, 20), 0);
        end(c);
    }
}

/* ---- with readers ------------------------------------------------------------------------------
   */

enum { READERS = 4 };
static _Atomic bool over;

static void *read_on(void *arg)
{
    cache *c = arg;
    for (uint32_t i = 1; !atomic_load_explicit(&over, memory_order_relaxed);) {
        i = i * 1664525u + 1013904223u;
        ebb__policy_touch(&c->p, &c->item[(i >> 16) % 64].node);
    }
    return NULL;
}

Test(policy, evicts_while_others_touch)
{
    for (int k = 0; k < KINDS; k++) {
        cache *c = make(kinds[k], 64, 0);
        pthread_t reader[READERS];
        atomic_store(&over, false);
        for (int i = 0; i < 64; i++) miss(c, i);
        for (int i = 0; i < READERS; i++)
            cr_assert_eq(pthread_create(&reader[i], NULL, read_on, c), 0);
        unsigned long rounds = scaled(100000);
        for (unsigned long n = 0; n < rounds; n++) miss(c, evict(c));
        atomic_store(&over, true);
        for (int i = 0; i < READERS; i++) pthread_join(reader[i], NULL);
        cr_assert_eq(c->p.len, 64);
        end(c);
    }
}
