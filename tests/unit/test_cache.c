/* tests/unit/test_cache.c: the cache, one promise of ebb/cache.h after the other. */
#include "support.h"
#include "test.h"

#include <ebb/ebb.h>

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { FAILURE = 7, MS = 1000000 };

static ebb_profile profile = EBB_PROFILE("readers");
static ebb_profile patient = EBB_PROFILE("patient", .long_lived = true);
static int loads;

static int make(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    uint64_t *value = ebb_new(into, uint64_t);
    loads++;
    if (ctx) return *(int *)ctx;
    *value = 10 * ebb_key_number(key) + ebb_key_text(key).len;
    *ret_root = value;
    return 0;
}

static const ebb_cache_load_params plainly = {.fn = make, .deadline_ns = UINT64_MAX};

static ebb_cache *cache_of(ebb_cache_params how)
{
    if (!how.max_entries && !how.max_bytes) how.max_entries = 100;
    how.name = "numbers";
    ebb_cache *c = ebb_cache_create(&how, NULL);
    cr_assert_not_null(c);
    return c;
}

static uint64_t value_of(const void *root)
{
    return root ? *(const uint64_t *)root : 0;
}

static uint64_t load(ebb_cache *c, ebb_arena *a, uint64_t n)
{
    const void *root = NULL;
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_u64(n), &plainly, &root), 0);
    return value_of(root);
}

static ebb_cache_stats stats(ebb_cache *c)
{
    ebb_cache_stats s;
    ebb_cache_get_stats(c, &s);
    return s;
}

static void done(ebb_cache *c)
{
    ebb_cache_destroy(&c);
    ebb_share_collect();
    ebb_share_stats s;
    ebb_share_get_stats(&s);
    cr_assert_eq(s.alive, 0);
    cr_assert_eq(s.deferred, 0);
    cr_assert_eq(s.readers, 0);
}

Test(cache, a_loaded_value_is_found)
{
    ebb_cache *c = cache_of((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile);
    cr_assert_null(ebb_cache_find(c, a, ebb_key_u64(4)));
    cr_assert_eq(load(c, a, 4), 40);
    cr_assert_eq(load(c, a, 4), 40);
    cr_assert_eq(loads, 1);
    cr_assert_eq(value_of(ebb_cache_find(c, a, ebb_key_u64(4))), 40);
    cr_assert_eq(value_of(ebb_cache_peek(c, a, ebb_key_u64(4))), 40);
    cr_assert_eq(stats(c).hits, 2);
    cr_assert_eq(stats(c).misses, 2);
    cr_assert_eq(stats(c).loads, 1);
    cr_assert_eq(stats(c).entries, 1);
    cr_assert_str_eq(ebb_cache_name(c), "numbers");
    ebb_scope_end(&a);
    done(c);
}

Test(cache, texts_of_any_length_are_keys)
{
    ebb_cache *c = cache_of((ebb_cache_params){0});
    char text[200];
    memset(text, 'x', sizeof text);
    for (int round = 0; round < 2; round++)
        for (size_t n = 0; n <= sizeof text; n++) {
            ebb_arena *a = ebb_scope_begin(&profile);
            const void *root = NULL;
            cr_assert_eq(ebb_cache_load(c, a, ebb_key_str((ebb_str){text, n}), &plainly, &root), 0);
            cr_assert_eq(value_of(root), n);
            ebb_scope_end(&a);
        }
    cr_assert_eq(stats(c).entries, 100);
    done(c);
}

Test(cache, the_table_grows)
{
    ebb_cache *c = cache_of((ebb_cache_params){.max_entries = 5000});
    for (int round = 0; round < 2; round++)
        for (uint64_t n = 0; n < 5000; n++) {
            ebb_arena *a = ebb_scope_begin(&profile);
            cr_assert_eq(load(c, a, n), 10 * n);
            ebb_scope_end(&a);
        }
    cr_assert_eq(loads, 5000);
    done(c);
}

Test(cache, what_is_found_stays_until_the_scope_ends)
{
    ebb_cache *c = cache_of((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile);
    const void *root = NULL;
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_u64(1), &plainly, &root), 0);
    ebb_mark m = ebb_arena_mark(a);
    ebb_arena_rewind(a, m);
    cr_assert(ebb_cache_remove(c, ebb_key_u64(1)));
    cr_assert(!ebb_cache_remove(c, ebb_key_u64(1)));
    cr_assert_null(ebb_cache_find(c, a, ebb_key_u64(1)));
    cr_assert(ebb_share_collect() > 0);
    cr_assert(stats(c).deferred_bytes > 0);
    cr_assert_eq(value_of(root), 10);
    ebb_cache_destroy(&c);
    cr_assert_eq(value_of(root), 10);
    ebb_scope_end(&a);
    cr_assert_eq(ebb_share_collect(), 0);
}

Test(cache, a_long_lived_scope_counts)
{
    ebb_cache *c = cache_of((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&patient);
    const void *root = NULL;
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_u64(1), &plainly, &root), 0);
    const void *again = ebb_cache_find(c, a, ebb_key_u64(1));
    cr_assert_eq(again, root);
    ebb_cache_clear(c);
    cr_assert_eq(ebb_share_collect(), 0);
    cr_assert_eq(value_of(root), 10);
    ebb_scope_end(&a);
    done(c);
}

Test(cache, so_does_one_that_has_read_a_root_before)
{
    ebb_cache *c = cache_of((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&patient), *built = ebb_shared_begin("root");
    uint64_t *value = ebb_new(built, uint64_t);
    ebb_root root = EBB_ROOT_INIT;
    ebb_shared *s = ebb_shared_seal(&built, value, NULL);
    cr_assert(ebb_root_set(&root, &s));
    cr_assert_eq(ebb_root_get(&root, a, NULL), value);
    cr_assert_eq(load(c, a, 1), 10);
    cr_assert_eq(value_of(ebb_cache_find(c, a, ebb_key_u64(1))), 10);
    cr_assert_eq(value_of(ebb_cache_peek(c, a, ebb_key_u64(1))), 10);
    ebb_scope_end(&a);
    cr_assert(ebb_root_set(&root, &s));
    done(c);
}

/* ---- limits ---------------------------------------------------------------------------------- */

Test(cache, it_holds_no_more_than_its_limits)
{
    ebb_cache *c = cache_of((ebb_cache_params){.max_bytes = 20000});
    for (uint64_t n = 0; n < 1000; n++) {
        ebb_arena *a = ebb_scope_begin(&profile);
        load(c, a, n);
        ebb_scope_end(&a);
        cr_assert(stats(c).bytes <= 20000);
    }
    ebb_cache_stats s = stats(c);
    cr_assert(s.entries > 10);
    cr_assert_eq(s.evictions + s.entries, 1000);
    done(c);
}

Test(cache, what_is_too_large_is_bypassed)
{
    ebb_cache *c = cache_of((ebb_cache_params){.max_bytes = 300});
    ebb_arena *a = ebb_scope_begin(&profile);
    cr_assert_eq(load(c, a, 1), 10);
    cr_assert_eq(stats(c).entries, 0);
    cr_assert_eq(stats(c).bypassed, 1);
    ebb_scope_end(&a);
    done(c);
}

/* A scope reads, and one value is evicted under it: that is too much. */
static int load_while_held_back(ebb_when_full when, const void **ret_root)
{
    ebb_cache *c =
        cache_of((ebb_cache_params){.max_entries = 1, .max_deferred = 1, .when_full = when});
    ebb_arena *old = ebb_scope_begin(&profile), *a = ebb_scope_begin(NULL);
    const ebb_cache_load_params soon = {.fn = make, .deadline_ns = ebb_clock_ns() + 5 * MS};
    load(c, old, 1);
    load(c, old, 2);
    ebb_share_collect(); /* so that the next is younger */
    int code = ebb_cache_load(c, a, ebb_key_u64(3), &soon, ret_root);
    cr_assert_eq(stats(c).held_back, 1);
    cr_assert_str_eq(stats(c).held_back_by, "readers");
    cr_assert_eq(stats(c).bypassed, when == EBB_FULL_BYPASS);
    cr_assert_eq(stats(c).evictions, when == EBB_FULL_ADMIT ? 2 : 1);
    if (code == 0) cr_assert_eq(value_of(*ret_root), 30);
    ebb_scope_end(&a);
    ebb_scope_end(&old);
    done(c);
    return code;
}

Test(cache, when_full_says_what_becomes_of_it)
{
    const void *root = NULL;
    cr_assert_eq(load_while_held_back(EBB_FULL_ADMIT, &root), 0);
    cr_assert_eq(load_while_held_back(EBB_FULL_BYPASS, &root), 0);
    cr_assert_eq(load_while_held_back(EBB_FULL_FAIL, &root), EBB_E_EXHAUSTED);
    cr_assert_eq(load_while_held_back(EBB_FULL_WAIT, &root), EBB_E_TIMEOUT);
}

Test(cache, who_holds_back_most_does_not_wait)
{
    ebb_cache *c = cache_of(
        (ebb_cache_params){.max_entries = 1, .max_deferred = 1, .when_full = EBB_FULL_WAIT});
    ebb_arena *a = ebb_scope_begin(&profile);
    const void *root = NULL;
    load(c, a, 1);
    load(c, a, 2);
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_u64(3), &plainly, &root), EBB_E_EXHAUSTED);
    ebb_scope_end(&a);
    done(c);
}

/* ---- time ------------------------------------------------------------------------------------ */

static uint64_t fake_ms(void *ctx)
{
    return *(uint64_t *)ctx;
}

Test(cache, values_and_failures_expire)
{
    uint64_t ms = 5;
    int fails = FAILURE;
    const void *root = NULL;
    ebb_cache *c = cache_of((ebb_cache_params){
        .ttl_ms = 100, .negative_ttl_ms = 10, .clock_ms = fake_ms, .clock_ctx = &ms});
    const ebb_cache_load_params badly = {.fn = make, .ctx = &fails, .deadline_ns = UINT64_MAX};
    ebb_arena *a = ebb_scope_begin(&profile);
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_u64(1), &badly, &root), FAILURE);
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_u64(1), &badly, &root), FAILURE);
    cr_assert_eq(loads, 1);
    cr_assert_eq(stats(c).negative, 1);
    cr_assert_eq(stats(c).negative_hits, 1);
    cr_assert_null(ebb_cache_find(c, a, ebb_key_u64(1)));
    ms += 10;
    cr_assert_eq(load(c, a, 1), 10);
    cr_assert_eq(stats(c).negative, 0);
    ms += 99;
    cr_assert_not_null(ebb_cache_find(c, a, ebb_key_u64(1)));
    ms += 1;
    cr_assert_null(ebb_cache_find(c, a, ebb_key_u64(1)));
    cr_assert_eq(stats(c).entries, 0);
    cr_assert_eq(stats(c).expirations, 2);
    ebb_scope_end(&a);
    done(c);
}

Test(cache, failures_are_not_remembered_unasked)
{
    int fails = FAILURE;
    const void *root = NULL;
    ebb_cache *c = cache_of((ebb_cache_params){0});
    const ebb_cache_load_params badly = {.fn = make, .ctx = &fails, .deadline_ns = UINT64_MAX};
    ebb_arena *a = ebb_scope_begin(&profile);
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_u64(1), &badly, &root), FAILURE);
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_u64(1), &badly, &root), FAILURE);
    cr_assert_eq(loads, 2);
    cr_assert_null(root);
    cr_assert_eq(stats(c).failures, 2);
    ebb_scope_end(&a);
    done(c);
}

static bool is_even(void *ctx, ebb_key key, const void *root)
{
    (void)ctx;
    return ebb_key_number(key) % 2 == 0 && value_of(root) % 20 == 0;
}

Test(cache, what_a_predicate_chooses_is_taken_out)
{
    ebb_cache *c = cache_of((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile);
    for (uint64_t n = 0; n < 10; n++) load(c, a, n);
    cr_assert_eq(ebb_cache_invalidate(c, is_even, NULL), 5);
    for (uint64_t n = 0; n < 10; n++)
        cr_assert_eq(ebb_cache_peek(c, a, ebb_key_u64(n)) != NULL, n % 2 == 1);
    ebb_cache_clear(c);
    cr_assert_eq(stats(c).entries, 0);
    cr_assert_eq(stats(c).removals, 10);
    ebb_scope_end(&a);
    done(c);
}

/* ---- loaders --------------------------------------------------------------------------------- */

static ebb_cache *the_cache;
static ebb_arena *request;
static int seen;

static int load_itself(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    const void *root;
    (void)ctx;
    seen = ebb_cache_load(the_cache, request, key, &plainly, &root);
    return make(NULL, into, key, ret_root);
}

Test(cache, a_loader_that_needs_its_own_key_is_told)
{
    the_cache = cache_of((ebb_cache_params){0});
    request = ebb_scope_begin(&profile);
    const ebb_cache_load_params self = {.fn = load_itself, .deadline_ns = UINT64_MAX};
    const void *root = NULL;
    cr_assert_eq(ebb_cache_load(the_cache, request, ebb_key_u64(3), &self, &root), 0);
    cr_assert_eq(seen, EBB_E_CYCLE);
    cr_assert_eq(value_of(root), 30);
    ebb_scope_end(&request);
    done(the_cache);
}

static int raise_code(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    (void)ctx, (void)key, (void)ret_root;
    ebb_raise(ebb_key_number(key) ? request : into, FAILURE);
}

static int load_and_raise(ebb_arena *a, void *arg)
{
    const ebb_cache_load_params how = {.fn = raise_code, .deadline_ns = UINT64_MAX};
    const void *root;
    seen = -1;
    seen = ebb_cache_load(the_cache, a, ebb_key_u64(*(uint64_t *)arg), &how, &root);
    return 0;
}

Test(cache, a_loader_may_leave_by_a_raise)
{
    the_cache = cache_of((ebb_cache_params){0});
    request = ebb_scope_begin(&profile);
    uint64_t key = 0; /* of the loader's own arena: the load fails */
    cr_assert_eq(ebb_try(request, load_and_raise, &key), 0);
    cr_assert_eq(seen, FAILURE);
    key = 1; /* of the request: it is gone */
    cr_assert_eq(ebb_try(request, load_and_raise, &key), FAILURE);
    cr_assert_eq(seen, -1);
    cr_assert_eq(stats(the_cache).loading, 0);
    cr_assert_eq(load(the_cache, request, 1), 10);
    ebb_scope_end(&request);
    done(the_cache);
}

static int run_out(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    (void)ctx, (void)key;
    *ret_root = ebb_alloc(into, SIZE_MAX / 2);
    return 0;
}

Test(cache, a_loader_without_memory_fails)
{
    ebb_cache *c = cache_of((ebb_cache_params){.negative_ttl_ms = 1000});
    ebb_arena *a = ebb_scope_begin(&profile);
    const ebb_cache_load_params how = {.fn = run_out, .deadline_ns = UINT64_MAX};
    const void *root = NULL;
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_u64(1), &how, &root), EBB_E_MEMORY);
    cr_assert_eq(stats(c).entries, 0); /* the tenant may exist all the same */
    cr_assert_eq(load(c, a, 1), 10);
    ebb_scope_end(&a);
    done(c);
}

static int make_nothing(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    (void)ctx, (void)key, (void)ret_root;
    seen = ebb_scope_current() == into;
    return 0;
}

Test(cache, a_loader_that_makes_nothing_is_reported)
{
    reports r;
    ebb_cache *c = cache_of((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile), *before = ebb_scope_current();
    const ebb_cache_load_params how = {.fn = make_nothing, .deadline_ns = UINT64_MAX};
    const void *root = NULL;
    reports_start(&r);
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_u64(1), &how, &root), EBB_E_INVALID);
    cr_assert(reports_one(&r, EBB_MISUSE, "ret_root", "loader"));
    reports_stop();
    cr_assert(seen);
    cr_assert_eq(ebb_scope_current(), before);
    ebb_scope_end(&a);
    done(c);
}

Test(cache, nothing_is_lost_when_memory_is_short)
{
    ebb_cache *c = cache_of((ebb_cache_params){0});
    uint64_t n = 0;
    EBB_EACH_FAILURE (f, .arena = NULL) {
        ebb_arena *a = ebb_scope_begin(&profile);
        const void *root = NULL;
        char text[80];
        memset(text, 'a' + (int)(n++ % 26), sizeof text);
        int code = ebb_cache_load(c, a, ebb_key_str((ebb_str){text, sizeof text}), &plainly, &root);
        cr_assert(code == EBB_E_MEMORY ? !root : value_of(root) == sizeof text);
        ebb_scope_end(&a);
        cr_assert_eq(stats(c).loading, 0);
    }
    done(c);
}

/* ---- scopes that may not, and roots that end --------------------------------------------------- */

Test(cache, a_scope_that_has_ended_finds_nothing)
{
    if (!layout_is_plain()) cr_skip_test("the tool says so itself");
    reports r;
    const void *root = NULL;
    ebb_ticket *t = NULL;
    ebb_cache *c = cache_of((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile), *copy = a;
    cr_assert_eq(load(c, a, 1), 10);
    ebb_scope_end(&a);
    reports_start(&r);
    cr_assert_null(ebb_cache_find(c, copy, ebb_key_u64(1)));
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_cache_find", "already ended"), "%s", r.all);
    reports_start(&r);
    cr_assert_null(ebb_cache_peek(c, copy, ebb_key_u64(1)));
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_cache_peek", "already ended"), "%s", r.all);
    reports_start(&r);
    cr_assert_eq(ebb_cache_load(c, copy, ebb_key_u64(1), &plainly, &root), EBB_E_INVALID);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_cache_load", "already ended"), "%s", r.all);
    reports_start(&r);
    cr_assert_eq(ebb_cache_claim(c, copy, ebb_key_u64(2), NULL, &t), EBB_E_INVALID);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_cache_claim", "already ended"), "%s", r.all);
    reports_stop();
    done(c);
}

static int make_elsewhere(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    (void)into, (void)key;
    *ret_root = ebb_new(ctx, uint64_t);
    return 0;
}

/* It would be gone with the request that loaded it, and others would read it. */
Test(cache, a_value_in_the_requests_scope_is_refused)
{
    reports r;
    int code = 0;
    const void *root = NULL;
    ebb_ticket *t;
    ebb_cache *c = cache_of((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile);
    const ebb_cache_load_params how = {.fn = make_elsewhere, .ctx = a, .deadline_ns = UINT64_MAX};
    reports_start(&r);
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_u64(1), &how, &root), EBB_E_INVALID);
    cr_assert(!root && reports_one(&r, EBB_MISUSE, "numbers", "in a scope"), "%s", r.all);
    reports_start(&r);
    cr_assert_eq(ebb_cache_claim(c, a, ebb_key_u64(1), NULL, &t), EBB_OK);
    cr_assert_null(ebb_cache_fulfil(&t, 0, ebb_new(a, uint64_t), &code));
    cr_assert(code == EBB_E_INVALID && reports_one(&r, EBB_MISUSE, "numbers", "in a scope"));
    reports_stop();
    cr_assert_eq(load(c, a, 1), 10);
    ebb_scope_end(&a);
    done(c);
}

/* ---- keys ------------------------------------------------------------------------------------ */

Test(cache, wrong_keys_and_limits_are_refused)
{
    reports r;
    const void *root = NULL;
    ebb_cache *c = cache_of((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile);
    ebb_symtab *names = ebb_symtab_create(NULL, NULL), *own = ebb_symtab_over(a, names);
    ebb_sym shared = ebb_intern(names, (ebb_str){"shared", 6});
    ebb_sym local = ebb_intern(own, (ebb_str){"local", 5});
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_sym(shared), &plainly, &root), 0);
    cr_assert_eq(ebb_cache_find(c, a, ebb_key_sym(shared)), root);
    reports_start(&r);
    cr_assert_null(ebb_cache_find(c, a, ebb_key_sym(local)));
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_sym(local), &plainly, &root), EBB_E_INVALID);
    cr_assert(reports_one(&r, EBB_MISUSE, "numbers", "promote"));
    reports_start(&r);
    cr_assert_null(ebb_cache_find(c, a, ebb_key_str((ebb_str){"text", 4})));
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_str((ebb_str){"text", 4}), &plainly, &root),
                 EBB_E_INVALID);
    cr_assert(reports_one(&r, EBB_MISUSE, "numbers", "texts"));
    ebb_status why = EBB_OK;
    reports_start(&r);
    cr_assert_null(ebb_cache_create(&(ebb_cache_params){.name = "endless"}, &why));
    cr_assert_eq(why, EBB_E_INVALID);
    cr_assert(reports_one(&r, EBB_MISUSE, "endless", "limit"));
    reports_start(&r);
    cr_assert(!ebb_cache_create(NULL, NULL) && reports_one(&r, EBB_MISUSE, "\"?\"", "limit"));
    reports_stop();
    ebb_scope_end(&a);
    ebb_symtab_destroy(&names);
    done(c);
}

/* ---- tickets --------------------------------------------------------------------------------- */

static int told;

static void tell(void *ctx)
{
    (void)ctx;
    told++;
}

static const ebb_cache_notice notice = {.fn = tell};

static const void *fulfil(ebb_ticket **t, uint64_t value)
{
    uint64_t *made = ebb_new(ebb_ticket_arena(*t), uint64_t);
    *made = value;
    return ebb_cache_fulfil(t, 0, made, NULL);
}

Test(cache, an_event_loop_claims_and_fulfils)
{
    ebb_cache *c = cache_of((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile), *b = ebb_scope_begin(&patient);
    ebb_ticket *mine, *waits;
    const void *root = NULL;
    cr_assert_eq(ebb_cache_claim(c, a, ebb_key_u64(1), NULL, &mine), EBB_OK);
    cr_assert_eq(ebb_cache_claim(c, b, ebb_key_u64(1), &notice, &waits), EBB_E_EXHAUSTED);
    cr_assert_null(ebb_ticket_arena(waits));
    cr_assert_eq(ebb_ticket_take(&waits, &root), EBB_E_EXHAUSTED);
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_u64(1), &plainly, &root), EBB_E_CYCLE);
    const void *made = fulfil(&mine, 123);
    cr_assert_eq(told, 1);
    cr_assert_null(mine);
    cr_assert_eq(value_of(made), 123);
    cr_assert_eq(ebb_cache_find(c, a, ebb_key_u64(1)), made);
    cr_assert_eq(ebb_cache_claim(c, a, ebb_key_u64(1), NULL, &mine), EBB_E_DUPLICATE);
    cr_assert_null(mine);
    ebb_cache_clear(c);
    ebb_scope_end(&a);
    cr_assert_eq(ebb_ticket_take(&waits, &root), 0);
    cr_assert_eq(value_of(root), 123);
    cr_assert_null(waits);
    ebb_scope_end(&b);
    done(c);
}

/* Each copy of the handle is told, and takes nothing from the cache. */
Test(cache, a_ticket_that_is_over_is_told)
{
    reports r;
    int code = 0;
    const void *root = NULL;
    ebb_ticket *t;
    ebb_cache *c = cache_of((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile);
    cr_assert_eq(ebb_cache_claim(c, a, ebb_key_u64(1), NULL, &t), EBB_OK);
    ebb_ticket *copy[] = {t, t, t, t};
    cr_assert_eq(value_of(fulfil(&t, 5)), 5);
    reports_start(&r);
    cr_assert_null(ebb_ticket_arena(copy[0]));
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_ticket_arena", "already"), "%s", r.all);
    reports_start(&r);
    cr_assert_null(ebb_cache_fulfil(&copy[1], 0, &code, &code));
    cr_assert(code == EBB_E_INVALID && reports_one(&r, EBB_MISUSE, "ebb_cache_fulfil", "already"));
    reports_start(&r);
    cr_assert(ebb_ticket_take(&copy[2], &root) == EBB_E_INVALID && !root && !copy[2]);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_ticket_take", "already"), "%s", r.all);
    reports_start(&r);
    ebb_ticket_cancel(&copy[3]);
    cr_assert(!copy[3] && reports_one(&r, EBB_MISUSE, "ebb_ticket_cancel", "already"), "%s", r.all);
    reports_stop();
    cr_assert_eq(value_of(ebb_cache_find(c, a, ebb_key_u64(1))), 5);
    cr_assert_not_null(ebb_arena_of(c), "the cache is there, whoever gave up what it had not");
    ebb_scope_end(&a);
    done(c);
}

Test(cache, an_eventfd_says_once_that_a_load_is_over)
{
    ebb_cache *c = cache_of((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile), *b = ebb_scope_begin(&profile);
    int fd = eventfd(0, EFD_NONBLOCK);
    const ebb_cache_notice by_fd = {.eventfd = fd, .has_eventfd = true};
    ebb_ticket *mine, *waits;
    const void *root = NULL;
    uint64_t times = 0;
    cr_assert_eq(ebb_cache_claim(c, a, ebb_key_u64(1), NULL, &mine), EBB_OK);
    cr_assert_eq(ebb_cache_claim(c, b, ebb_key_u64(1), &by_fd, &waits), EBB_E_EXHAUSTED);
    cr_assert_eq(read(fd, &times, sizeof times), -1, "nothing yet");
    fulfil(&mine, 123);
    cr_assert_eq(read(fd, &times, sizeof times), (ssize_t)sizeof times);
    cr_assert_eq(times, 1);
    cr_assert_eq(ebb_ticket_take(&waits, &root), 0);
    cr_assert_eq(value_of(root), 123);
    ebb_scope_end(&a);
    ebb_scope_end(&b);
    cr_assert_eq(read(fd, &times, sizeof times), -1, "nor again");
    close(fd);
    done(c);
}

Test(cache, who_fulfils_does_not_wait_for_room)
{
    ebb_cache *c = cache_of(
        (ebb_cache_params){.max_entries = 1, .max_deferred = 1, .when_full = EBB_FULL_WAIT});
    ebb_arena *old = ebb_scope_begin(&profile), *a = ebb_scope_begin(NULL);
    ebb_ticket *t;
    int code = FAILURE;
    load(c, old, 1);
    load(c, old, 2);
    cr_assert_eq(ebb_cache_claim(c, a, ebb_key_u64(3), NULL, &t), EBB_OK);
    uint64_t *value = ebb_new(ebb_ticket_arena(t), uint64_t);
    *value = 30;
    cr_assert_eq(ebb_cache_fulfil(&t, 0, value, &code), value);
    cr_assert_eq(code, 0);
    cr_assert_eq(stats(c).bypassed, 1);
    cr_assert_null(ebb_cache_peek(c, a, ebb_key_u64(3)));
    ebb_scope_end(&a);
    ebb_scope_end(&old);
    done(c);
}

Test(cache, an_abandoned_claim_passes_to_who_waits)
{
    ebb_cache *c = cache_of((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile), *b = ebb_scope_begin(&profile);
    ebb_ticket *mine, *waits;
    const void *root = NULL;
    cr_assert_eq(ebb_cache_claim(c, a, ebb_key_u64(1), NULL, &mine), EBB_OK);
    cr_assert_not_null(ebb_ticket_arena(mine));
    cr_assert_eq(ebb_cache_claim(c, b, ebb_key_u64(1), &notice, &waits), EBB_E_EXHAUSTED);
    ebb_scope_end(&a);
    cr_assert_eq(told, 1);
    cr_assert_eq(ebb_ticket_take(&waits, &root), EBB_E_DUPLICATE);
    cr_assert_eq(value_of(fulfil(&waits, 5)), 5);
    cr_assert_eq(stats(c).loading, 0);
    cr_assert_eq(ebb_cache_claim(c, b, ebb_key_u64(2), NULL, &mine), EBB_OK);
    ebb_ticket_cancel(&mine);
    cr_assert_eq(ebb_cache_claim(c, b, ebb_key_u64(2), NULL, &mine), EBB_OK);
    int code = 0;
    cr_assert_null(ebb_cache_fulfil(&mine, FAILURE, NULL, &code));
    cr_assert_eq(code, FAILURE);
    ebb_scope_end(&b);
    done(c);
}

Test(cache, a_load_is_not_taken_in_once_its_key_is_removed)
{
    ebb_cache *c = cache_of((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile);
    for (int how = 0; how < 2; how++) {
        ebb_ticket *stale, *fresh;
        cr_assert_eq(ebb_cache_claim(c, a, ebb_key_u64(1), NULL, &stale), EBB_OK);
        if (how == 0) ebb_cache_remove(c, ebb_key_u64(1));
        else ebb_cache_clear(c);
        cr_assert_eq(ebb_cache_claim(c, a, ebb_key_u64(1), NULL, &fresh), EBB_OK);
        cr_assert_eq(value_of(fulfil(&fresh, 2)), 2);
        cr_assert_eq(value_of(fulfil(&stale, 1)), 1);
        cr_assert_eq(value_of(ebb_cache_find(c, a, ebb_key_u64(1))), 2);
        ebb_cache_remove(c, ebb_key_u64(1));
    }
    cr_assert_eq(stats(c).bypassed, 2);
    ebb_scope_end(&a);
    done(c);
}

Test(cache, destroying_it_under_a_load_is_reported)
{
    reports r;
    ebb_cache *c = cache_of((ebb_cache_params){0}), *again = c;
    ebb_arena *a = ebb_scope_begin(&profile);
    ebb_ticket *t;
    cr_assert_eq(ebb_cache_claim(c, a, ebb_key_u64(77), NULL, &t), EBB_OK);
    reports_start(&r);
    ebb_cache_destroy(&c);
    cr_assert(reports_one(&r, EBB_MISUSE, "1 loads", "77"));
    reports_stop();
    cr_assert_null(c);
    ebb_scope_end(&a);
    done(again);
}

Test(cache, destroying_it_twice_is_reported)
{
    if (!layout_is_plain()) cr_skip_test("the tool says so itself");
    reports r;
    ebb_cache *c = cache_of((ebb_cache_params){0}), *copy = c;
    done(c);
    reports_start(&r);
    ebb_cache_destroy(&copy);
    cr_assert_null(copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_cache_destroy", "already"), "%s", r.all);
    reports_stop();
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { THREADS = 8 };

static _Atomic int loading_now, loaded, failures, raised;

static int make_slowly(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    if (__atomic_add_fetch((int *)&loading_now, 1, __ATOMIC_SEQ_CST) != 1) return -1000;
    usleep(20000);
    loaded++;
    loading_now--;
    if (ctx) return *(int *)ctx;
    uint64_t *value = ebb_new(into, uint64_t);
    *value = 10 * ebb_key_number(key);
    *ret_root = value;
    return 0;
}

static void *load_on_thread(void *arg)
{
    const ebb_cache_load_params *how = arg;
    ebb_arena *a = ebb_scope_begin(&profile);
    const void *root = NULL;
    int code = ebb_cache_load(the_cache, a, ebb_key_u64(9), how, &root);
    failures += code == FAILURE ? 1 : code != 0 || value_of(root) != 90 ? 1000 : 0;
    ebb_scope_end(&a);
    return NULL;
}

static void run_threads(void *(*fn)(void *), void *arg)
{
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&t[i], NULL, fn, arg);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
}

Test(cache, one_loads_and_the_others_wait)
{
    int fails = FAILURE;
    ebb_cache_load_params how = {.fn = make_slowly, .deadline_ns = UINT64_MAX};
    the_cache = cache_of((ebb_cache_params){.negative_ttl_ms = 100000});
    run_threads(load_on_thread, &how);
    cr_assert_eq(loaded, 1);
    cr_assert_eq(failures, 0);
    ebb_cache_clear(the_cache);
    how.ctx = &fails;
    run_threads(load_on_thread, &how);
    cr_assert_eq(loaded, 2);
    cr_assert_eq(failures, THREADS);
    done(the_cache);
}

static int raise_at_first(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    usleep(10000);
    if (__atomic_fetch_add((int *)&raised, 1, __ATOMIC_SEQ_CST) < THREADS / 2)
        ebb_raise(ctx ? ctx : into, FAILURE);
    return make_slowly(NULL, into, key, ret_root);
}

static int load_in_try(ebb_arena *a, void *arg)
{
    const void *root = NULL;
    const ebb_cache_load_params how = {.fn = raise_at_first, .ctx = a, .deadline_ns = UINT64_MAX};
    (void)arg;
    int code = ebb_cache_load(the_cache, a, ebb_key_u64(9), &how, &root);
    return code != 0 || value_of(root) != 90 ? -1000 : 0;
}

static void *try_on_thread(void *arg)
{
    ebb_arena *a = ebb_scope_begin(&profile);
    int code = ebb_try(a, load_in_try, arg);
    failures += code == FAILURE ? 1 : code != 0 ? 1000 : 0;
    ebb_scope_end(&a);
    return NULL;
}

Test(cache, who_waits_takes_over_after_a_raise)
{
    the_cache = cache_of((ebb_cache_params){0});
    run_threads(try_on_thread, NULL);
    cr_assert_eq(loaded, 1);
    cr_assert_eq(failures, THREADS / 2);
    done(the_cache);
}

static pthread_barrier_t both;
static _Atomic int cycles, round_trips;

static int load_other(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    const void *root;
    pthread_barrier_wait(&both);
    uint64_t other = 3 - ebb_key_number(key);
    int code = ebb_cache_load(the_cache, ctx, ebb_key_u64(other), &plainly, &root);
    cycles += code == EBB_E_CYCLE;
    round_trips += code == 0;
    return make(NULL, into, key, ret_root);
}

static void *load_crosswise(void *arg)
{
    ebb_arena *a = ebb_scope_begin(&profile);
    const ebb_cache_load_params how = {.fn = load_other, .ctx = a, .deadline_ns = UINT64_MAX};
    const void *root;
    failures += ebb_cache_load(the_cache, a, ebb_key_u64(*(uint64_t *)arg), &how, &root) != 0;
    ebb_scope_end(&a);
    return NULL;
}

Test(cache, a_ring_of_waits_is_an_error)
{
    pthread_t t[2];
    uint64_t key[2] = {1, 2};
    the_cache = cache_of((ebb_cache_params){0});
    pthread_barrier_init(&both, NULL, 2);
    for (int i = 0; i < 2; i++) pthread_create(&t[i], NULL, load_crosswise, &key[i]);
    for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
    cr_assert_eq(cycles, 1);
    cr_assert_eq(round_trips, 1);
    cr_assert_eq(failures, 0);
    done(the_cache);
}

static void load_in_vain(void *arg)
{
    const void *root = NULL;
    const ebb_cache_load_params soon = {.fn = make, .deadline_ns = ebb_clock_ns() + 2 * MS};
    ebb_arena *a = ebb_scope_begin(&profile);
    *(int *)arg = ebb_cache_load(the_cache, a, ebb_key_u64(1), &soon, &root);
    ebb_scope_end(&a);
}

Test(cache, each_waits_no_longer_than_it_wants)
{
    int code = 0;
    ebb_ticket *t;
    the_cache = cache_of((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile);
    cr_assert_eq(ebb_cache_claim(the_cache, a, ebb_key_u64(1), NULL, &t), EBB_OK);
    on_thread(load_in_vain, &code);
    cr_assert_eq(code, EBB_E_TIMEOUT);
    cr_assert_eq(stats(the_cache).waiting, 0);
    ebb_scope_end(&a);
    done(the_cache);
}

/* ---- fork ------------------------------------------------------------------------------------ */

static pthread_barrier_t step;

static int make_in_steps(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    pthread_barrier_wait(&step);
    pthread_barrier_wait(&step);
    return make(ctx, into, key, ret_root);
}

/* What is in the cache is there; the other thread is not, nor what it was loading. */
static void look_in_child(void *arg)
{
    const uint64_t long_enough = 20000;
    const ebb_cache_load_params soon = {.fn = make,
                                        .deadline_ns = ebb_clock_ns() + long_enough * MS};
    const void *root = NULL;
    ebb_arena *a = arg;
    if (value_of(ebb_cache_find(the_cache, a, ebb_key_u64(1))) != 10) _exit(1);
    if (ebb_cache_load(the_cache, a, ebb_key_u64(9), &soon, &root) != 0) _exit(2);
    if (value_of(root) != 90 || stats(the_cache).loading != 0) _exit(3);
    ebb_scope_end(&a);
    ebb_cache_destroy(&the_cache);
    if (the_cache) _exit(4);
}

/* Who waits for another thread's load has the duty in the child, where nobody else waits. */
static void take_over_in_child(void *arg)
{
    ebb_ticket *t = arg;
    const void *root = NULL;
    if (ebb_ticket_take(&t, &root) != EBB_E_DUPLICATE) _exit(1);
    if (stats(the_cache).waiting != 0 || stats(the_cache).loading != 1) _exit(2);
    if (value_of(fulfil(&t, 3)) != 3) _exit(3);
    if (value_of(ebb_cache_find(the_cache, request, ebb_key_u64(9))) != 3) _exit(4);
    ebb_scope_end(&request);
    ebb_cache_destroy(&the_cache); /* dies, if somebody seems to wait */
}

Test(cache, a_forked_child_takes_over_what_it_waited_for)
{
    if (TESTS_TSAN) cr_skip_test("ThreadSanitizer does not follow a fork of many threads");
    ebb_cache_load_params how = {.fn = make_in_steps, .deadline_ns = UINT64_MAX};
    pthread_t thread, waiter;
    ebb_ticket *t;
    the_cache = cache_of((ebb_cache_params){0});
    request = ebb_scope_begin(&profile);
    pthread_barrier_init(&step, NULL, 2);
    cr_assert(!pthread_create(&thread, NULL, load_on_thread, &how));
    pthread_barrier_wait(&step);
    cr_assert(!pthread_create(&waiter, NULL, load_on_thread, &how));
    while (stats(the_cache).waiting == 0) usleep(1000);
    cr_assert_eq(ebb_cache_claim(the_cache, request, ebb_key_u64(9), NULL, &t), EBB_E_EXHAUSTED);
    death d = in_child(take_over_in_child, t);
    pthread_barrier_wait(&step);
    pthread_join(thread, NULL);
    pthread_join(waiter, NULL);
    cr_assert(lived(&d), "%d %s", d.code, d.err);
    cr_assert_eq(failures, 0);
    ebb_scope_end(&request);
    done(the_cache);
}

Test(cache, a_forked_child_loads_what_another_thread_was_loading)
{
    if (TESTS_TSAN) cr_skip_test("ThreadSanitizer does not follow a fork of many threads");
    ebb_cache_load_params how = {.fn = make_in_steps, .deadline_ns = UINT64_MAX};
    pthread_t thread;
    the_cache = cache_of((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile);
    cr_assert_eq(load(the_cache, a, 1), 10);
    pthread_barrier_init(&step, NULL, 2);
    cr_assert(!pthread_create(&thread, NULL, load_on_thread, &how));
    pthread_barrier_wait(&step);
    death d = in_child(look_in_child, a);
    pthread_barrier_wait(&step);
    pthread_join(thread, NULL);
    cr_assert(lived(&d), "%d %s", d.code, d.err);
    cr_assert_eq(failures, 0);
    ebb_scope_end(&a);
    done(the_cache);
}
