/* tests/unit/test_pool.c: object pools, one promise of ebb/pool.h after the other. */
#include "support.h"
#include "test.h"

#include <ebb/ebb.h>

#include <stdlib.h>
#include <string.h>

struct thing {
    int made, resets;
    char text[100];
};

#define EBB_POOL things, struct thing
#include <ebb/pool_of.h>

static int created, reset, destroyed, spoiled;
static bool can_create, can_reset, is_valid;
static ebb_profile profile = EBB_PROFILE("pools");

static bool create(void *ctx, void *object)
{
    struct thing *t = object;
    (void)ctx;
    if (!can_create) return false;
    spoiled += t->made || t->resets || t->text[0];
    t->made = ++created;
    return true;
}

static bool clear(void *ctx, void *object)
{
    struct thing *t = object;
    (void)ctx;
    t->resets++;
    t->text[0] = '\0';
    reset++;
    return can_reset;
}

static bool validate(void *ctx, void *object)
{
    (void)ctx, (void)object;
    return is_valid;
}

static void destroy(void *ctx, void *object)
{
    (void)ctx, (void)object;
    destroyed++;
}

static things begin(uint32_t min, uint32_t max)
{
    ebb_pool_params how = {.name = "things",
                           .min_size = min,
                           .max_size = max,
                           .create = create,
                           .reset = clear,
                           .validate = validate,
                           .destroy = destroy};
    created = reset = destroyed = spoiled = 0;
    can_create = can_reset = is_valid = true;
    return things_create(&how, NULL);
}

static ebb_pool_stats stats_of(things p)
{
    ebb_pool_stats s;
    ebb_pool_get_stats(p.pool, &s);
    cr_assert_eq(s.exist, s.idle + s.in_use);
    return s;
}

/* And nothing is left. */
static void end(things *p)
{
    things_destroy(p);
    cr_assert_null(p->pool);
    cr_assert_eq(created, destroyed);
    cr_assert_eq(spoiled, 0, "create was given what was not zeroed");
}

Test(pool, the_least_is_made_beforehand_and_no_more_than_the_most)
{
    things p = begin(3, 5);
    ebb_arena *a = ebb_scope_begin(&profile);
    ebb_status why = EBB_OK;
    cr_assert_eq(created, 3);
    for (int i = 0; i < 5; i++) cr_assert_not_null(things_acquire(p, a, &why));
    cr_assert_eq(created, 5);
    cr_assert_null(things_acquire(p, a, &why));
    cr_assert_eq(why, EBB_E_EXHAUSTED);
    cr_assert_eq(ebb_failed(a), EBB_OK, "exhaustion is not the scope's failure");
    cr_assert_eq(stats_of(p).in_use, 5);
    cr_assert_eq(stats_of(p).exhausted, 1);
    ebb_scope_end(&a);
    cr_assert_eq(stats_of(p).idle, 5);
    cr_assert_eq(reset, 5);
    end(&p);
}

Test(pool, objects_come_home_with_their_scope_newest_first)
{
    things p = begin(0, 4);
    ebb_arena *a = ebb_scope_begin(&profile);
    struct thing *first = things_acquire(p, a, NULL), *second = things_acquire(p, a, NULL);
    strcpy(first->text, "left by the request");
    ebb_scope_end(&a);
    a = ebb_scope_begin(&profile);
    cr_assert_eq(things_acquire(p, a, NULL), first, "the last to come home is the first to go");
    cr_assert_str_eq(first->text, "");
    cr_assert_eq(things_acquire(p, a, NULL), second);
    cr_assert_eq(created, 2);
    ebb_scope_end(&a);
    end(&p);
}

/* Of a pool that has nothing to ask its objects, once the thread keeps some of them: all but the
   first of a scope are tied to it in line. */
Test(pool, all_of_a_scope_come_home_with_it)
{
    enum { ROUNDS = 20, AT_ONCE = 16, MOST = 64 };
    const ebb_pool_params how = {.name = "plain", .size = 64, .min_size = MOST, .max_size = MOST};
    ebb_pool *p = ebb_pool_create(&how, NULL);
    ebb_pool_stats s;
    for (int round = 0; round < ROUNDS; round++) {
        ebb_arena *a = ebb_scope_begin(&profile);
        for (int i = 0; i < AT_ONCE; i++) cr_assert_not_null(ebb_pool_acquire(p, a, NULL));
        ebb_scope_end(&a);
        ebb_pool_get_stats(p, &s);
        cr_assert_eq(s.in_use, 0, "round %d", round);
    }
    ebb_pool_destroy(&p);
}

Test(pool, all_pools_are_listed_newest_first_with_what_is_out)
{
    ebb_pool_info seen[2];
    cr_assert_eq(ebb_pool_list(NULL, 0), 0);
    things older = begin(1, 4), newer = begin(0, 4);
    ebb_arena *a = ebb_scope_begin(&profile);
    things_acquire(older, a, NULL);
    things_acquire(older, a, NULL);
    things_detach(older, things_acquire(older, a, NULL));
    cr_assert_eq(ebb_pool_list(seen, 1), 2, "there are more than fit");
    cr_assert_eq(ebb_pool_list(seen, 2), 2);
    cr_assert_str_eq(seen[1].name, "things");
    cr_assert(seen[0].exist == 0 && seen[0].out == 0);
    cr_assert(seen[1].exist == 2 && seen[1].out == 3, "%u, %u", seen[1].exist, seen[1].out);
    ebb_scope_end(&a);
    things_destroy(&newer);
    cr_assert_eq(ebb_pool_list(seen, 2), 1);
    cr_assert_eq(seen[0].out, 1);
    leaves_some(); /* what is detached keeps its pool from being destroyed */
}

Test(pool, a_rewind_sends_home_what_was_acquired_since)
{
    things p = begin(0, 4);
    ebb_arena *a = ebb_scope_begin(&profile);
    struct thing *kept = things_acquire(p, a, NULL);
    ebb_mark m = ebb_arena_mark(a);
    things_acquire(p, a, NULL);
    ebb_arena_rewind(a, m);
    cr_assert_eq(stats_of(p).in_use, 1);
    strcpy(kept->text, "still mine");
    ebb_scope_end(&a);
    end(&p);
}

Test(pool, release_moves_and_detach)
{
    things p = begin(0, 2);
    ebb_arena *a = ebb_scope_begin(&profile), *b = ebb_scope_begin(&profile);
    struct thing *t = things_acquire(p, a, NULL), *u = things_acquire(p, a, NULL);
    cr_assert(things_move(p, t, b));
    cr_assert_eq(things_detach(p, u), u);
    cr_assert_eq(stats_of(p).exist, 1);
    cr_assert_eq(stats_of(p).detached, 1);
    ebb_scope_end(&a);
    cr_assert_eq(stats_of(p).in_use, 1, "one has moved on, one is for itself");
    cr_assert_not_null(things_acquire(p, b, NULL), "its place is free");
    cr_assert_null(things_acquire(p, b, NULL));
    things_release(p, u);
    cr_assert_eq(destroyed, 1, "there is no place for it any more");
    things_release(p, t);
    cr_assert_eq(things_acquire(p, b, NULL), t);
    ebb_scope_end(&b);
    end(&p);
}

Test(pool, without_a_scope_it_is_out_until_released)
{
    things p = begin(0, 2);
    struct thing *t = things_acquire(p, NULL, NULL);
    ebb_arena *a = ebb_scope_begin(&profile);
    cr_assert(things_move(p, t, a));
    cr_assert(things_move(p, t, NULL));
    ebb_scope_end(&a);
    cr_assert_eq(stats_of(p).in_use, 1);
    things_release(p, t);
    things_release(p, NULL);
    end(&p);
}

Test(pool, hooks_that_say_no)
{
    things p = begin(1, 2);
    ebb_arena *a = ebb_scope_begin(&profile);
    ebb_status why = EBB_OK;
    is_valid = false;
    cr_assert_not_null(things_acquire(p, a, &why), "another is made in its place");
    cr_assert_eq(destroyed, 1);
    cr_assert_eq(created, 2);
    can_create = false;
    cr_assert_null(things_acquire(p, a, &why));
    cr_assert_eq(why, EBB_E_REFUSED);
    can_create = true;
    cr_assert_not_null(things_acquire(p, a, &why), "the place of what failed is free again");
    can_reset = false;
    ebb_scope_end(&a);
    cr_assert_eq(stats_of(p).exist, 0);
    cr_assert_eq(stats_of(p).discarded, 3);
    end(&p);
}

Test(pool, trim_and_set_max)
{
    things p = begin(2, 10);
    ebb_arena *a = ebb_scope_begin(&profile);
    for (int i = 0; i < 8; i++) things_acquire(p, a, NULL);
    cr_assert(ebb_pool_set_max(p.pool, 4));
    cr_assert_null(things_acquire(p, a, NULL));
    ebb_scope_end(&a);
    cr_assert_eq(stats_of(p).exist, 4, "the others were destroyed as they came home");
    cr_assert_eq(ebb_pool_trim(p.pool), 2);
    cr_assert_eq(stats_of(p).idle, 2);
    cr_assert_eq(ebb_pool_trim(p.pool), 0);
    end(&p);
}

Test(pool, a_reference_tells_this_loan_from_the_next)
{
    things p = begin(0, 2);
    struct thing *t = things_acquire(p, NULL, NULL);
    ebb_pool_ref ref = ebb_pool_ref_to(p.pool, t);
    cr_assert_eq(ebb_pool_ref_get(p.pool, ref), t);
    things_release(p, t);
    cr_assert_null(ebb_pool_ref_get(p.pool, ref));
    cr_assert_eq(things_acquire(p, NULL, NULL), t);
    cr_assert_null(ebb_pool_ref_get(p.pool, ref), "the same object, another loan");
    things_discard(p, t);
    cr_assert_null(ebb_pool_ref_get(p.pool, ref));
    end(&p);
}

Test(pool, waiting_without_blocking)
{
    things p = begin(0, 1);
    ebb_arena *a = ebb_scope_begin(&profile), *b = ebb_scope_begin(&profile);
    ebb_pool_wait *one, *two, *now;
    ebb_status why = EBB_OK;
    cr_assert_eq(ebb_pool_acquire_async(p.pool, a, NULL, &now), EBB_OK);
    struct thing *t = things_take(p, &now, &why);
    cr_assert_not_null(t);
    cr_assert_null(now);
    cr_assert_eq(ebb_pool_acquire_async(p.pool, b, NULL, &one), EBB_E_EXHAUSTED);
    cr_assert_eq(ebb_pool_acquire_async(p.pool, a, NULL, &two), EBB_E_EXHAUSTED);
    cr_assert_null(things_take(p, &one, &why));
    cr_assert_eq(why, EBB_E_EXHAUSTED);
    cr_assert_eq(stats_of(p).waiting, 2);
    things_release(p, t);
    cr_assert_null(things_take(p, &two, &why), "first come, first served");
    ebb_scope_end(&b);
    cr_assert_eq(things_take(p, &two, &why), t, "who left gave it to the next");
    ebb_scope_end(&a);
    cr_assert_eq(stats_of(p).waiting, 0);
    cr_assert_eq(stats_of(p).cancelled, 1);
    end(&p);
}

Test(pool, a_deadline_that_has_passed)
{
    things p = begin(0, 1);
    ebb_status why = EBB_OK;
    struct thing *t = things_acquire_by(p, NULL, 0, &why);
    cr_assert_not_null(t);
    cr_assert_null(things_acquire_by(p, NULL, 0, &why));
    cr_assert_eq(why, EBB_E_TIMEOUT);
    things_release(p, t);
    end(&p);
}

Test(pool, returning_what_is_not_out_is_told_with_both_sites)
{
    things p = begin(0, 4), q = begin(0, 4);
    reports r;
    struct thing *t = things_acquire(p, NULL, NULL);
    reports_start(&r);
    things_release(q, t);
    cr_assert(reports_one(&r, EBB_MISUSE, "is of the pool \"things\"", "acquired at 0x"));
    reports_start(&r);
    things_release(p, t);
    things_release(p, t);
    cr_assert(reports_one(&r, EBB_MISUSE, "is not out", "went home at 0x"));
    reports_stop();
    things_destroy(&q);
    things_destroy(&p);
}

Test(pool, destroying_it_with_objects_out_is_told_with_who_has_them)
{
    things p = begin(0, 4), copy = p;
    reports r;
    ebb_arena *a = ebb_scope_begin(&profile);
    things_acquire(p, a, NULL);
    reports_start(&r);
    things_destroy(&p);
    cr_assert(reports_one(&r, EBB_MISUSE, "1 objects are out", "pools"));
    reports_stop();
    cr_assert_null(p.pool);
    ebb_scope_end(&a);
    end(&copy);
}

Test(pool, parameters_that_make_no_sense)
{
    const ebb_pool_params wrong[] = {{.size = 0},
                                     {.size = SIZE_MAX},
                                     {.size = 8, .align = 3},
                                     {.size = 8, .align = 8192},
                                     {.size = 8, .min_size = 3, .max_size = 2}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        reports r;
        ebb_status why = EBB_OK;
        reports_start(&r);
        cr_assert_null(ebb_pool_create(&wrong[i], &why));
        cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_create", ""));
        reports_stop();
        cr_assert_eq(why, EBB_E_INVALID);
    }
}

Test(pool, a_typed_pool_needs_no_parameters)
{
    ebb_status why = EBB_OK;
    things p = things_create(NULL, &why);
    cr_assert_not_null(p.pool);
    struct thing *t = things_acquire(p, NULL, &why);
    cr_assert(t && t->made == 0 && t->text[0] == '\0');
    things_release(p, t);
    things_destroy(&p);
}

Test(pool, objects_are_aligned_and_zeroed)
{
    for (size_t align = 1; align <= 4096; align *= 2) {
        const ebb_pool_params how = {.size = 100, .align = align, .max_size = 3};
        ebb_pool *p = ebb_pool_create(&how, NULL);
        for (int i = 0; i < 3; i++) {
            char *object = ebb_pool_acquire(p, NULL, NULL);
            cr_assert_eq((uintptr_t)object % (align < 64 ? 64 : align), 0);
            for (int k = 0; k < 100; k++) cr_assert_eq(object[k], 0);
            memset(object, 0xff, 100);
            ebb_pool_discard(p, object);
        }
        ebb_pool_destroy(&p);
    }
}

Test(pool, nothing_is_kept_when_pooling_is_off)
{
    setenv("EBB_POOL", "off", 1);
    things p = begin(2, 3);
    unsetenv("EBB_POOL");
    cr_assert_eq(created, 0);
    struct thing *t = things_acquire(p, NULL, NULL);
    struct thing *u = things_acquire(p, NULL, NULL);
    things_release(p, t);
    cr_assert_eq(reset, 1);
    cr_assert_eq(destroyed, 1);
    things_release(p, u);
    cr_assert_eq(stats_of(p).exist, 0);
    end(&p);
}
