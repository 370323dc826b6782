/*
 * tests/unit/test_arena_limit.c: ebb/arena.h: limits of an arena and its descendants; budgets, nested and
 * shared between threads; ebb_scope_charge.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <stdatomic.h>
#include <string.h>

enum { KIB = 1 << 10, MIB = 1 << 20 };

static ebb_arena_stats stats_of(const ebb_arena *a)
{
    ebb_arena_stats s;
    ebb_arena_get_stats(a, &s);
    return s;
}

static ebb_budget_stats budget_stats(const ebb_budget *b)
{
    ebb_budget_stats s;
    ebb_budget_get_stats(b, &s);
    return s;
}

/* Allocate until it fails; how many bytes were got. */
static size_t fill(ebb_arena *a, size_t piece)
{
    size_t got = 0;
    for (void *p; (p = ebb_alloc(a, piece)); got += piece) memset(p, 1, piece);
    return got;
}

/* ---- limits ------------------------------------------------------------------------------------ */

Test(arena_limit, an_allocation_that_would_pass_hard_fails)
{
    const size_t limits[] = {KIB, 5000, 32 * KIB, 100 * 1000, MIB, 5 * MIB};
    for (size_t i = 0; i < 6; i++) {
        ebb_arena *a = ebb_arena_create(NULL);
        cr_assert(ebb_arena_set_limit(a, 0, limits[i], 0));
        fill(a, 100);
        cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
        cr_assert(stats_of(a).held <= limits[i], "%zu of %zu", stats_of(a).held, limits[i]);
        cr_assert_eq(stats_of(a).charged, stats_of(a).held);
        cr_assert_null(ebb_alloc(a, limits[i]));
        cr_assert(stats_of(a).held <= limits[i]);
        ebb_arena_destroy(&a);
    }
}

Test(arena_limit, near_the_limit_smaller_chunks_are_taken)
{
    for (size_t limit = 12 * KIB; limit < 600 * KIB; limit += 7777) {
        ebb_arena *a = ebb_arena_create(NULL);
        cr_assert(ebb_arena_set_limit(a, 0, limit, 0));
        fill(a, 100);
        cr_assert(stats_of(a).held + 5 * KIB > limit, "%zu of %zu", stats_of(a).held, limit);
        ebb_arena_destroy(&a);
    }
}

Test(arena_limit, large_blocks_and_growth_count_too)
{
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert(ebb_arena_set_limit(a, 0, MIB, 0));
    cr_assert_not_null(ebb_alloc(a, 400 * KIB));
    cr_assert_not_null(ebb_alloc(a, 400 * KIB));
    cr_assert_null(ebb_alloc(a, 400 * KIB));
    cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
    ebb_arena_reset(a);
    char *p = NULL;
    for (size_t n = 0;; n += 1000) {
        char *q = ebb_resize(a, p, n, n + 1000);
        if (!q) break;
        p = q;
        cr_assert(n < MIB);
    }
    cr_assert(stats_of(a).charged <= MIB);
    ebb_arena_destroy(&a);
}

Test(arena_limit, what_goes_away_is_uncharged)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert(ebb_arena_set_limit(a, 0, 5 * MIB, 0));
    for (int i = 0; i < 50; i++) {
        ebb_mark m = ebb_arena_mark(a);
        cr_assert_not_null(ebb_alloc(a, 2 * MIB));
        for (int k = 0; k < 200; k++) cr_assert_not_null(ebb_alloc(a, 1000));
        ebb_arena *child = ebb_scope_begin_in(a, NULL);
        cr_assert_not_null(ebb_alloc(child, 500 * KIB));
        ebb_scope_end(&child);
        ebb_arena_rewind(a, m);
        cr_assert_eq(stats_of(a).charged, stats_of(a).held);
    }
    ebb_scope_end(&a);
}

Test(arena_limit, no_limit_means_no_limit)
{
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert(ebb_arena_set_limit(a, 0, 8 * KIB, 0));
    cr_assert_null(ebb_alloc(a, 100 * KIB));
    cr_assert(ebb_arena_set_limit(a, 0, 0, 0));
    cr_assert_not_null(ebb_alloc(a, 3 * MIB));
    ebb_arena_destroy(&a);
}

Test(arena_limit, a_limit_below_what_is_held_lets_only_the_window_be_used)
{
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert_not_null(ebb_alloc(a, 50 * KIB));
    cr_assert(ebb_arena_set_limit(a, 0, 1, 0));
    cr_assert_null(ebb_alloc(a, 100 * KIB));
    cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
    ebb_arena_destroy(&a);
}

Test(arena_limit, passing_soft_is_counted_each_time_from_below)
{
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert(ebb_arena_set_limit(a, 100 * KIB, 0, 0));
    ebb_mark m = ebb_arena_mark(a);
    for (uint32_t i = 1; i <= 3; i++) {
        cr_assert_eq(stats_of(a).soft_crossed, i - 1);
        ebb_alloc(a, 90 * KIB);
        ebb_alloc(a, 90 * KIB);
        ebb_alloc(a, 90 * KIB);
        cr_assert_eq(stats_of(a).soft_crossed, i);
        ebb_arena_rewind(a, m);
    }
    cr_assert_eq(ebb_failed(a), EBB_OK, "an event, no failure");
    ebb_alloc(a, 90 * KIB);
    ebb_alloc(a, 90 * KIB);
    cr_assert_eq(stats_of(a).soft_crossed, 4u);
    cr_assert(ebb_arena_set_limit(a, 50 * KIB, 0, 0));
    cr_assert_eq(stats_of(a).soft_crossed, 5u, "set below what is held");
    ebb_arena_destroy(&a);
}

Test(arena_limit, descendants_count)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert(ebb_arena_set_limit(a, 0, 4 * MIB, 0));
    ebb_arena *b = ebb_scope_begin_in(a, NULL), *c = ebb_scope_begin_in(b, NULL);
    cr_assert_not_null(ebb_alloc(c, 1500 * KIB));
    cr_assert(stats_of(a).charged >= 1500 * KIB);
    cr_assert_eq(stats_of(a).charged, stats_of(a).held + stats_of(b).held + stats_of(c).held);
    cr_assert_null(ebb_alloc_optional(a, 2500 * KIB));
    cr_assert_null(ebb_alloc_optional(b, 2500 * KIB));
    ebb_scope_end(&c);
    cr_assert_not_null(ebb_alloc_optional(b, 2500 * KIB));
    ebb_scope_end(&b);
    cr_assert_eq(stats_of(a).charged, stats_of(a).held);
    ebb_scope_end(&a);
}

/* A limit that is set late counts what the descendants hold already. */
Test(arena_limit, descendants_from_before_the_limit_count_too)
{
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin_in(a, NULL),
              *c = ebb_scope_begin_in(b, NULL);
    ebb_alloc(c, 1500 * KIB);
    cr_assert(ebb_arena_set_limit(a, 0, 4 * MIB, 0));
    cr_assert_eq(stats_of(a).charged, stats_of(a).held + stats_of(b).held + stats_of(c).held);
    cr_assert_null(ebb_alloc_optional(c, 2500 * KIB));
    ebb_scope_end(&c);
    cr_assert_not_null(ebb_alloc_optional(b, 2500 * KIB));
    ebb_scope_end(&b);
    cr_assert_eq(stats_of(a).charged, stats_of(a).held);
    ebb_scope_end(&a);
}

Test(arena_limit, every_limit_on_the_way_up_counts)
{
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin_in(a, NULL);
    cr_assert(ebb_arena_set_limit(a, 0, 4 * MIB, 0));
    cr_assert(ebb_arena_set_limit(b, 0, MIB, 0));
    cr_assert_null(ebb_alloc_optional(b, 2 * MIB));
    cr_assert_eq(stats_of(a).charged, stats_of(a).held + stats_of(b).held, "nothing is left of it");
    cr_assert_not_null(ebb_alloc_optional(b, 500 * KIB));
    cr_assert_not_null(ebb_alloc_optional(a, 2 * MIB));
    cr_assert(ebb_arena_set_limit(b, 0, 16 * MIB, 0));
    cr_assert_null(ebb_alloc_optional(b, 3 * MIB));
    cr_assert_eq(stats_of(b).charged, stats_of(b).held);
    ebb_scope_end(&b);
    ebb_scope_end(&a);
}

static ebb_profile small = EBB_PROFILE("small", .hard = 64 << 10, .soft = 16 << 10);

Test(arena_limit, a_profiles_limits_hold_for_each_of_its_scopes)
{
    for (int i = 0; i < 20; i++) {
        ebb_arena *a = ebb_scope_begin(&small);
        cr_assert_not_null(ebb_alloc(a, 10 * KIB));
        fill(a, 500);
        cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
        cr_assert(stats_of(a).held <= 64 * KIB);
        cr_assert(stats_of(a).held > 48 * KIB);
        cr_assert_eq(stats_of(a).soft_crossed, 1u);
        ebb_scope_end(&a);
    }
}

Test(arena_limit, params_set_limits_too)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.soft = 16 * KIB;
    params.hard = 64 * KIB;
    params.reserve = 3 * KIB;
    params.sticky = true;
    ebb_arena *a = ebb_arena_create(&params);
    fill(a, 500);
    cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
    cr_assert(stats_of(a).held <= 64 * KIB);
    cr_assert_eq(stats_of(a).soft_crossed, 1u);
    ebb_recover(a);
    if (layout_is_plain()) cr_assert(fill(a, 100) >= 3 * KIB - 100);
    ebb_arena_destroy(&a);
}

Test(arena_limit, a_child_whose_first_block_does_not_fit_has_failed)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert(ebb_arena_set_limit(a, 0, stats_of(a).held, 0));
    ebb_arena *child = ebb_scope_begin_in(a, NULL);
    cr_assert_not_null(child);
    cr_assert_eq(ebb_failed(child), EBB_E_LIMIT);
    cr_assert_null(ebb_alloc(child, 1));
    cr_assert_eq(ebb_failed(a), EBB_OK);
    ebb_scope_end(&child);
    cr_assert_eq(stats_of(a).charged, stats_of(a).held);
    ebb_scope_end(&a);
}

/* ---- budgets ----------------------------------------------------------------------------------- */

static ebb_budget *budget(ebb_budget *parent, size_t soft, size_t hard, size_t quantum)
{
    ebb_budget_params params = EBB_BUDGET_PARAMS_INIT;
    params.name = "tenant";
    params.soft = soft;
    params.hard = hard;
    params.quantum = quantum;
    return ebb_budget_create(parent, &params);
}

static ebb_arena *charged_to(ebb_budget *b)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.budget = b;
    return ebb_arena_create(&params);
}

Test(arena_limit, a_budget_counts_what_is_held)
{
    ebb_budget *b = ebb_budget_create(NULL, NULL);
    cr_assert_not_null(b);
    ebb_budget_stats s = budget_stats(b);
    cr_assert(s.used == 0 && s.peak == 0 && s.soft == 0 && s.hard == 0 && s.refused == 0);
    ebb_arena *a = charged_to(b), *c = charged_to(b);
    cr_assert_not_null(ebb_alloc(a, 3 * MIB));
    cr_assert_not_null(ebb_alloc(c, 100));
    s = budget_stats(b);
    cr_assert(s.used >= stats_of(a).held + stats_of(c).held);
    cr_assert(s.used <= stats_of(a).held + stats_of(c).held + 64 * KIB, "and a quantum");
    cr_assert(s.peak >= s.used);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&c);
    cr_assert(budget_stats(b).used <= 64 * KIB);
    cr_assert(budget_stats(b).peak >= 3 * MIB);
    ebb_budget_destroy(&b);
    cr_assert_null(b);
    ebb_budget_destroy(&b);
}

/* One thread alone has all the credit there is: it can use the budget to the end. */
Test(arena_limit, one_thread_can_use_all_of_a_budget)
{
    for (size_t quantum = 1; quantum < 256 * KIB; quantum *= 40) {
        ebb_budget *b = budget(NULL, 0, MIB, quantum);
        ebb_arena *a = charged_to(b);
        fill(a, 500);
        cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
        cr_assert(stats_of(a).held <= MIB);
        cr_assert(stats_of(a).held + 5 * KIB > MIB, "%zu at quantum %zu", stats_of(a).held,
                  quantum);
        cr_assert(budget_stats(b).refused > 0);
        cr_assert(budget_stats(b).used <= MIB && budget_stats(b).peak <= MIB);
        ebb_arena_destroy(&a);
        ebb_budget_destroy(&b);
    }
}

Test(arena_limit, soft_of_a_budget_is_counted)
{
    ebb_budget *b = budget(NULL, 500 * KIB, 0, 4 * KIB);
    for (uint64_t i = 1; i <= 3; i++) {
        ebb_arena *a = charged_to(b);
        ebb_alloc(a, 400 * KIB);
        cr_assert_eq(budget_stats(b).soft_crossed, i - 1);
        ebb_alloc(a, 400 * KIB);
        cr_assert_eq(budget_stats(b).soft_crossed, i);
        ebb_arena_destroy(&a);
    }
    cr_assert_eq(budget_stats(b).soft, 500u * KIB);
    ebb_budget_destroy(&b);
}

Test(arena_limit, what_is_charged_to_a_budget_is_charged_to_its_parent)
{
    ebb_budget *process = budget(NULL, 0, 2 * MIB, 1);
    ebb_budget *tenant = budget(process, 0, MIB, 1), *other = budget(process, 0, 8 * MIB, 1);
    ebb_arena *a = charged_to(tenant), *c = charged_to(other);
    cr_assert_not_null(ebb_alloc(a, 500 * KIB));
    cr_assert(budget_stats(process).used >= 500 * KIB);
    cr_assert_null(ebb_alloc(a, 700 * KIB), "the tenant's limit");
    cr_assert_eq(budget_stats(tenant).refused > 0, true);
    size_t left = 2 * MIB - budget_stats(process).used;
    cr_assert_null(ebb_alloc(c, 3 * MIB), "the process's limit");
    cr_assert(budget_stats(process).refused > 0);
    cr_assert_eq(2 * MIB - budget_stats(process).used, left, "nothing is left of a refused charge");
    cr_assert_not_null(ebb_alloc(c, 800 * KIB));
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&c);
    ebb_budget_destroy(&tenant);
    ebb_budget_destroy(&other);
    cr_assert_eq(budget_stats(process).used, 0u, "unused credit comes back at the latest now");
    ebb_budget_destroy(&process);
}

/* An arena that is in a tree and has a budget charges both. */
Test(arena_limit, children_charge_their_parents_budget)
{
    ebb_budget *b = budget(NULL, 0, MIB, 1);
    ebb_arena *a = charged_to(b), *child = ebb_scope_begin_in(a, NULL);
    cr_assert_not_null(ebb_alloc(child, 500 * KIB));
    cr_assert(budget_stats(b).used >= 500 * KIB);
    cr_assert_null(ebb_alloc(child, 600 * KIB));
    cr_assert_eq(ebb_failed(child), EBB_E_LIMIT);
    ebb_scope_end(&child);
    cr_assert_eq(budget_stats(b).used, stats_of(a).held);
    ebb_arena_destroy(&a);
    ebb_budget_destroy(&b);
}

Test(arena_limit, a_budget_stops_those_who_only_park)
{
    enum { N = 200 };
    static ebb_profile parked = EBB_PROFILE("parked");
    ebb_budget *b = parked.budget = budget(NULL, 0, 10 * 1000, 1);
    ebb_arena *a[N];
    int sound = 0;
    for (int i = 0; i < N; i++) {
        a[i] = ebb_scope_begin(&parked);
        sound += ebb_failed(a[i]) == EBB_OK;
        if (ebb_failed(a[i])) cr_assert_eq(ebb_failed(a[i]), EBB_E_LIMIT);
    }
    cr_assert(sound >= 9 && sound <= 31, "%d have begun", sound);
    for (int i = 0; i < N; i++) ebb_scope_end(&a[i]);
    ebb_arena *after = ebb_scope_begin(&parked);
    cr_assert_eq(ebb_failed(after), EBB_OK);
    ebb_scope_end(&after);
    ebb_budget_destroy(&b);
}

Test(arena_limit, destroying_a_budget_in_use_is_misuse)
{
    reports r;
    reports_start(&r);
    ebb_budget *b = budget(NULL, 0, MIB, 0), *copy = b;
    ebb_arena *a = charged_to(b);
    ebb_budget_destroy(&copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_budget_destroy", "tenant"));
    ebb_arena_destroy(&a);
    reports_start(&r);
    ebb_budget *child = budget(b, 0, MIB, 0);
    copy = b;
    ebb_budget_destroy(&copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_budget_destroy", NULL));
    ebb_budget_destroy(&child);
    ebb_budget_destroy(&b);
    cr_assert_eq(reports_total(&r), 1u);
    reports_stop();
}

/* Threads may hold credit of a budget that is gone, whose storage another budget has taken. */
Test(arena_limit, old_credit_does_not_serve_a_new_budget)
{
    for (int i = 0; i < 100; i++) {
        ebb_budget *b = budget(NULL, 0, 200 * KIB, 64 * KIB);
        ebb_arena *a = charged_to(b);
        fill(a, 1000);
        cr_assert(stats_of(a).held <= 200 * KIB);
        ebb_arena_destroy(&a);
        ebb_budget_destroy(&b);
    }
}

Test(arena_limit, more_budgets_than_a_thread_can_hold_credit_of)
{
    enum { N = 50 };
    ebb_budget *b[N];
    ebb_arena *a[N];
    for (int i = 0; i < N; i++) a[i] = charged_to(b[i] = budget(NULL, 0, 300 * KIB, 16 * KIB));
    for (int round = 0; round < 10; round++)
        for (int i = 0; i < N; i++) cr_assert_not_null(ebb_alloc(a[i], 20 * KIB));
    for (int i = 0; i < N; i++) {
        cr_assert(budget_stats(b[i]).used >= stats_of(a[i]).held);
        cr_assert(budget_stats(b[i]).used <= stats_of(a[i]).held + 16 * KIB);
        ebb_arena_destroy(&a[i]);
    }
    for (int i = 0; i < N; i++) ebb_budget_destroy(&b[i]);
}

/* ---- budgets across threads -------------------------------------------------------------------- */

enum { THREADS = 4, QUANTUM = 16 * 1024, SHARED_HARD = 4 << 20 };

typedef struct crowd {
    ebb_budget *tenant;
    _Atomic unsigned got, refused, wrong;
} crowd;

static void *spend(void *arg)
{
    crowd *c = arg;
    rng r = {(uintptr_t)&r};
    for (unsigned long i = 0; i < scaled(2000); i++) {
        ebb_arena *a = charged_to(c->tenant);
        for (int k = 0; k < 10; k++) {
            if (ebb_alloc(a, rng_below(&r, 300 * KIB))) c->got++;
            else c->refused++;
            if (budget_stats(c->tenant).used > SHARED_HARD) c->wrong++;
        }
        ebb_arena_destroy(&a);
    }
    return NULL;
}

Test(arena_limit, threads_share_a_budget_and_never_pass_it)
{
    ebb_budget *process = budget(NULL, 0, SHARED_HARD, QUANTUM);
    crowd c = {.tenant = budget(process, 0, SHARED_HARD, QUANTUM)};
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++) cr_assert_eq(pthread_create(&t[i], NULL, spend, &c), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    cr_assert_eq(c.wrong, 0u);
    cr_assert(c.got > 0);
    cr_assert(budget_stats(c.tenant).peak <= SHARED_HARD);
    cr_assert(budget_stats(process).peak <= SHARED_HARD);
    cr_assert_eq(budget_stats(c.tenant).used, 0u, "threads that exit give their credit back");
    cr_assert_eq(budget_stats(process).used, 0u);
    ebb_budget_destroy(&c.tenant);
    ebb_budget_destroy(&process);
}

static void spend_and_keep(void *arg)
{
    void **q = arg;
    ebb_arena *a = charged_to(q[0]);
    ebb_alloc(a, 500 * KIB);
    q[1] = ebb_scope_detach(&a);
}

Test(arena_limit, what_one_thread_charged_another_may_let_go)
{
    ebb_budget *b = budget(NULL, 0, MIB, 1);
    void *q[2] = {b, NULL};
    for (int i = 0; i < 10; i++) {
        on_thread(spend_and_keep, q);
        cr_assert(budget_stats(b).used >= 500 * KIB);
        ebb_arena *a = q[1];
        ebb_scope_attach(a);
        ebb_scope_attach(a);
        cr_assert_eq(ebb_failed(a), EBB_OK);
        ebb_arena_destroy(&a);
    }
    cr_assert(budget_stats(b).used <= 1);
    ebb_budget_destroy(&b);
}

/* ---- ebb_scope_charge -------------------------------------------------------------------------- */

Test(arena_limit, charge_moves_what_is_held_and_what_will_be)
{
    ebb_budget *one = budget(NULL, 0, 4 * MIB, 1), *two = budget(NULL, 0, 4 * MIB, 1);
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert_not_null(ebb_alloc(a, 500 * KIB));
    cr_assert(ebb_scope_charge(a, one));
    cr_assert_eq(budget_stats(one).used, stats_of(a).held);
    cr_assert_not_null(ebb_alloc(a, 500 * KIB));
    cr_assert_eq(budget_stats(one).used, stats_of(a).held);
    cr_assert(ebb_scope_charge(a, two));
    cr_assert(budget_stats(one).used <= 1);
    cr_assert(budget_stats(two).used >= stats_of(a).held);
    cr_assert(ebb_scope_charge(a, NULL));
    cr_assert(budget_stats(two).used <= 1);
    cr_assert_not_null(ebb_alloc(a, 8 * MIB), "charged to none");
    ebb_budget_destroy(&one);
    ebb_budget_destroy(&two);
    ebb_scope_end(&a);
}

Test(arena_limit, a_charge_that_passes_the_limit_fails_the_next_allocation)
{
    ebb_budget *b = budget(NULL, 0, 100 * KIB, 1);
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert_not_null(ebb_alloc(a, 500 * KIB));
    cr_assert(ebb_scope_charge(a, b), "not this");
    cr_assert_eq(ebb_failed(a), EBB_OK);
    cr_assert_null(ebb_alloc(a, 50 * KIB));
    cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
    ebb_scope_end(&a);
    cr_assert(budget_stats(b).used <= 1);
    ebb_budget_destroy(&b);
}

Test(arena_limit, charging_a_parent_takes_its_children_along)
{
    ebb_budget *b = budget(NULL, 0, 8 * MIB, 1);
    ebb_arena *a = ebb_scope_begin(NULL), *child = ebb_scope_begin_in(a, NULL);
    cr_assert_not_null(ebb_alloc(child, MIB));
    cr_assert(ebb_scope_charge(a, b));
    cr_assert_eq(budget_stats(b).used, stats_of(a).held + stats_of(child).held);
    cr_assert_not_null(ebb_alloc(child, MIB));
    cr_assert_eq(budget_stats(b).used, stats_of(a).held + stats_of(child).held);
    ebb_scope_end(&child);
    cr_assert(budget_stats(b).used <= stats_of(a).held + 1);
    ebb_scope_end(&a);
    ebb_budget_destroy(&b);
}

/* ---- charges move ------------------------------------------------------------------------------ */

Test(arena_limit, adoption_moves_charges)
{
    ebb_budget *theirs = budget(NULL, 0, 8 * MIB, 1), *ours = budget(NULL, 0, 8 * MIB, 1);
    ebb_arena *into = charged_to(ours), *child = charged_to(theirs);
    cr_assert_not_null(ebb_alloc(child, MIB));
    ebb_arena_adopt(into, &child);
    cr_assert(budget_stats(theirs).used <= 1);
    cr_assert_eq(budget_stats(ours).used, stats_of(into).held);
    cr_assert_eq(stats_of(into).charged, stats_of(into).held);
    ebb_budget_destroy(&theirs);
    ebb_arena_destroy(&into);
    cr_assert(budget_stats(ours).used <= 1);
    ebb_budget_destroy(&ours);
}

Test(arena_limit, adopting_a_child_keeps_the_sum)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert(ebb_arena_set_limit(a, 0, 8 * MIB, 0));
    ebb_arena *child = ebb_scope_begin_in(a, NULL);
    cr_assert_not_null(ebb_alloc(child, MIB));
    size_t charged = stats_of(a).charged;
    ebb_arena_adopt(a, &child);
    cr_assert_eq(stats_of(a).charged, charged);
    cr_assert_eq(stats_of(a).held, charged);
    ebb_arena_reset(a);
    cr_assert_eq(stats_of(a).charged, stats_of(a).held);
    ebb_scope_end(&a);
}

Test(arena_limit, a_detached_child_keeps_its_budget_and_leaves_its_parents_limit)
{
    ebb_budget *b = budget(NULL, 0, 16 * MIB, 1);
    ebb_arena *a = charged_to(b), *child = ebb_scope_begin_in(a, NULL);
    cr_assert(ebb_arena_set_limit(a, 0, 4 * MIB, 0));
    cr_assert_not_null(ebb_alloc(child, MIB));
    ebb_arena *free_child = ebb_scope_detach(&child);
    cr_assert_eq(stats_of(a).charged, stats_of(a).held);
    cr_assert(budget_stats(b).used >= stats_of(a).held + stats_of(free_child).held, "inherited");
    cr_assert_not_null(ebb_alloc(free_child, 5 * MIB), "above its parent's limit");
    cr_assert_null(ebb_alloc(free_child, 9 * MIB), "not above the budget");
    ebb_arena_destroy(&a);
    ebb_scope_end(&free_child);
    cr_assert(budget_stats(b).used <= 1);
    ebb_budget_destroy(&b);
}

Test(arena_limit, a_recycled_block_of_its_own_does_not_pass_the_limit)
{
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert_not_null(ebb_alloc(a, 9 * MIB));
    ebb_arena_destroy(&a); /* 10 MiB are idle now */
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.hard = 9 * MIB + MIB / 2;
    a = ebb_arena_create(&params);
    (void)ebb_alloc(a, 8 * MIB);
    ebb_arena_stats s;
    ebb_arena_get_stats(a, &s);
    cr_assert(s.charged <= params.hard, "%zu", s.charged);
    ebb_arena_destroy(&a);
}

Test(arena_limit, one_that_begins_over_its_limit_hands_out_nothing)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.hard = 1;
    ebb_arena *a = ebb_arena_create(&params);
    cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
    cr_assert_null(ebb_alloc(a, 8));
    ebb_arena_destroy(&a);
}
