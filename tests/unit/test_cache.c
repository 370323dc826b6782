/* tests/unit/test_cache.c: caches, one promise of ebb/cache.h after the other. Threads are in
   test_cache_threads.c. */
#include "support.h"
#include "test.h"

#include <ebb/ebb.h>

#include <string.h>

struct value {
    uint64_t number;
    char text[100];
};

static int loads, answer;
static uint64_t now_ms;
static ebb_profile profile = EBB_PROFILE("finders");
static ebb_profile patient = EBB_PROFILE("patient", .long_lived = true);

static uint64_t clock_ms(void *ctx)
{
    (void)ctx;
    return now_ms;
}

static int load(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    struct value *v = ebb_new(into, struct value);
    (void)ctx;
    cr_assert_eq(ebb_scope_current(), into);
    loads++;
    if (!v) return EBB_E_MEMORY;
    v->number = ebb_key_number(key);
    *ret_root = v;
    return answer;
}

static const ebb_cache_load_params how = {.fn = load, .deadline_ns = UINT64_MAX};

static ebb_cache *begin(ebb_cache_params p)
{
    p.name = "values";
    p.clock_ms = clock_ms;
    if (!p.max_entries && !p.max_bytes) p.max_entries = 100;
    loads = answer = 0;
    now_ms = 1000;
    ebb_cache *c = ebb_cache_create(&p, NULL);
    cr_assert_not_null(c);
    return c;
}

static ebb_cache_stats stats(ebb_cache *c)
{
    ebb_cache_stats s;
    ebb_cache_get_stats(c, &s);
    return s;
}

static uint64_t number_of(const void *root)
{
    return root ? ((const struct value *)root)->number : UINT64_MAX;
}

static int get(ebb_cache *c, ebb_arena *a, uint64_t key, uint64_t *ret_number)
{
    const void *root = NULL;
    int code = ebb_cache_load(c, a, ebb_key_u64(key), &how, &root);
    *ret_number = number_of(root);
    return code;
}

/* And nothing is left. */
static void end(ebb_cache **c)
{
    ebb_share_stats s;
    ebb_cache_destroy(c);
    cr_assert_null(*c);
    cr_assert_eq(ebb_share_collect(), 0);
    ebb_share_get_stats(&s);
    cr_assert_eq(s.alive, 0);
    cr_assert_eq(s.readers, 0);
}

Test(cache, a_key_is_loaded_once)
{
    ebb_cache *c = begin((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile);
    uint64_t n;
    cr_assert_null(ebb_cache_find(c, a, ebb_key_u64(7)));
    cr_assert_eq(get(c, a, 7, &n), 0);
    cr_assert_eq(n, 7);
    cr_assert_eq(get(c, a, 7, &n), 0);
    cr_assert_eq(loads, 1);
    cr_assert_eq(number_of(ebb_cache_find(c, a, ebb_key_u64(7))), 7);
    ebb_scope_end(&a);
    cr_assert_eq(stats(c).hits, 2);
    cr_assert_eq(stats(c).misses, 2);
    cr_assert_eq(stats(c).entries, 1);
    cr_assert_eq(stats(c).loads, 1);
    cr_assert(stats(c).bytes > sizeof(struct value));
    end(&c);
}

Test(cache, texts_numbers_and_symbols)
{
    ebb_cache *c = begin((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile);
    const char *texts[] = {"", "a", "eight by", "with\0nul", "long enough to be hashed by a call"};
    const size_t lens[] = {0, 1, 8, 8, 34};
    const void *found[5];
    for (int i = 0; i < 5; i++) {
        char copy[64];
        memcpy(copy, texts[i], lens[i]);
        ebb_key key = ebb_key_str((ebb_str){copy, lens[i]});
        cr_assert_eq(ebb_cache_load(c, a, key, &how, &found[i]), 0);
        memset(copy, 'x', sizeof copy); /* it has been copied */
    }
    cr_assert_eq(loads, 5);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(ebb_cache_find(c, a, ebb_key_str((ebb_str){texts[i], lens[i]})), found[i]);
    cr_assert_null(ebb_cache_find(c, a, ebb_key_str(EBB_STR("with"))));
    ebb_scope_end(&a);
    end(&c);
}

Test(cache, a_request_s_own_symbol_is_refused)
{
    reports r;
    ebb_cache *c = begin((ebb_cache_params){0});
    ebb_symtab *shared = ebb_symtab_create(NULL, NULL);
    ebb_arena *a = ebb_scope_begin(&profile);
    ebb_symtab *t = ebb_symtab_over(a, shared);
    ebb_sym local = ebb_intern(t, EBB_STR("mine")), common = ebb_intern(shared, EBB_STR("ours"));
    const void *root;
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_sym(common), &how, &root), 0);
    reports_start(&r);
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_sym(local), &how, &root), EBB_E_INVALID);
    reports_one(&r, EBB_MISUSE, "ebb_cache_load", "promote");
    reports_stop();
    ebb_scope_end(&a);
    ebb_symtab_destroy(&shared);
    end(&c);
}

Test(cache, what_a_scope_found_stays)
{
    ebb_cache *c = begin((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile);
    const void *root;
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_u64(5), &how, &root), 0);
    cr_assert(ebb_cache_remove(c, ebb_key_u64(5)));
    cr_assert_not(ebb_cache_remove(c, ebb_key_u64(5)));
    ebb_share_collect();
    cr_assert_eq(number_of(root), 5);
    cr_assert_null(ebb_cache_find(c, a, ebb_key_u64(5)));
    ebb_cache_destroy(&c);
    ebb_share_collect();
    cr_assert_eq(number_of(root), 5, "not even the cache's end takes it away");
    ebb_scope_end(&a);
    cr_assert_eq(ebb_share_collect(), 0);
}

Test(cache, it_holds_no_more_than_it_may)
{
    ebb_cache *c = begin((ebb_cache_params){.max_entries = 10});
    uint64_t n;
    for (uint64_t i = 0; i < 1000; i++) {
        ebb_arena *a = ebb_scope_begin(&profile);
        cr_assert_eq(get(c, a, i, &n), 0);
        cr_assert_eq(n, i);
        ebb_scope_end(&a);
        cr_assert(stats(c).entries <= 10);
    }
    cr_assert_eq(stats(c).entries, 10);
    cr_assert_eq(stats(c).evictions, 990);
    end(&c);
}

Test(cache, bytes_are_counted)
{
    ebb_cache *c = begin((ebb_cache_params){.max_bytes = 100000, .max_deferred = 1 << 20});
    uint64_t n;
    for (uint64_t i = 0; i < 1000; i++) {
        ebb_arena *a = ebb_scope_begin(&profile);
        get(c, a, i, &n);
        ebb_scope_end(&a);
        cr_assert(stats(c).bytes <= 100000);
    }
    cr_assert(stats(c).entries > 20);
    end(&c);
}

Test(cache, values_expire)
{
    ebb_cache *c = begin((ebb_cache_params){.ttl_ms = 50});
    ebb_arena *a = ebb_scope_begin(&profile);
    uint64_t n;
    get(c, a, 1, &n);
    now_ms += 49;
    cr_assert_not_null(ebb_cache_find(c, a, ebb_key_u64(1)));
    now_ms += 1;
    cr_assert_null(ebb_cache_find(c, a, ebb_key_u64(1)));
    get(c, a, 1, &n);
    cr_assert_eq(loads, 2);
    cr_assert_eq(stats(c).expirations, 1);
    ebb_scope_end(&a);
    end(&c);
}

Test(cache, failures_are_returned_and_remembered_if_so_wished)
{
    ebb_cache *c = begin((ebb_cache_params){.negative_ttl_ms = 20});
    ebb_arena *a = ebb_scope_begin(&profile);
    uint64_t n;
    answer = 404;
    cr_assert_eq(get(c, a, 1, &n), 404);
    answer = 0;
    cr_assert_eq(get(c, a, 1, &n), 404, "remembered");
    cr_assert_eq(loads, 1);
    cr_assert_eq(stats(c).negative, 1);
    cr_assert_eq(stats(c).negative_hits, 1);
    now_ms += 20;
    cr_assert_eq(get(c, a, 1, &n), 0);
    answer = EBB_E_IO;
    cr_assert_eq(get(c, a, 2, &n), EBB_E_IO);
    answer = 0;
    cr_assert_eq(get(c, a, 2, &n), 0, "what went wrong with the system is not remembered");
    cr_assert_eq(stats(c).failures, 2);
    ebb_scope_end(&a);
    end(&c);
}

static bool is_odd(void *ctx, ebb_key key, const void *root)
{
    (void)ctx;
    cr_assert_eq(ebb_key_number(key), number_of(root));
    return ebb_key_number(key) % 2;
}

Test(cache, clear_invalidate_and_peek)
{
    ebb_cache *c = begin((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile);
    uint64_t n;
    for (uint64_t i = 0; i < 50; i++) get(c, a, i, &n);
    cr_assert_eq(ebb_cache_invalidate(c, is_odd, NULL), 25);
    cr_assert_null(ebb_cache_peek(c, a, ebb_key_u64(3)));
    cr_assert_eq(number_of(ebb_cache_peek(c, a, ebb_key_u64(4))), 4);
    ebb_cache_clear(c);
    cr_assert_eq(stats(c).entries, 0);
    cr_assert_eq(stats(c).removals, 50);
    ebb_scope_end(&a);
    end(&c);
}

Test(cache, a_long_lived_scope_counts)
{
    ebb_cache *c = begin((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&patient);
    ebb_share_stats s;
    uint64_t n;
    cr_assert_eq(get(c, a, 9, &n), 0);
    const void *root = ebb_cache_find(c, a, ebb_key_u64(9));
    ebb_share_get_stats(&s);
    cr_assert_eq(s.readers, 0);
    ebb_cache_clear(c);
    cr_assert_eq(ebb_share_collect(), 0, "it holds nothing back");
    cr_assert_eq(number_of(root), 9);
    ebb_scope_end(&a);
    end(&c);
}

/* ---- loads in loads -------------------------------------------------------------------------- */

static ebb_cache *inner;
static ebb_arena *outer;

static int load_itself(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    const ebb_cache_load_params again = {.fn = load_itself, .ctx = ctx, .deadline_ns = UINT64_MAX};
    (void)into;
    return ebb_cache_load(inner, outer, key, &again, ret_root);
}

Test(cache, a_load_that_needs_itself_is_an_error)
{
    const void *root;
    const ebb_cache_load_params params = {.fn = load_itself, .deadline_ns = UINT64_MAX};
    inner = begin((ebb_cache_params){0});
    outer = ebb_scope_begin(&profile);
    cr_assert_eq(ebb_cache_load(inner, outer, ebb_key_u64(1), &params, &root), EBB_E_CYCLE);
    cr_assert_eq(stats(inner).loading, 0);
    ebb_scope_end(&outer);
    end(&inner);
}

static int leave(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    (void)into, (void)key, (void)ret_root;
    ebb_raise(ctx, 55);
}

static int load_and_raise(ebb_arena *a, void *ctx)
{
    const void *root;
    const ebb_cache_load_params params = {.fn = leave, .ctx = a, .deadline_ns = UINT64_MAX};
    return ebb_cache_load(ctx, a, ebb_key_u64(1), &params, &root);
}

Test(cache, a_loader_that_leaves_by_raise_leaves_nothing)
{
    ebb_cache *c = begin((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile);
    uint64_t n;
    cr_assert_eq(ebb_try(a, load_and_raise, c), 55);
    cr_assert_eq(stats(c).loading, 0);
    cr_assert_null(ebb_scope_current());
    cr_assert_eq(get(c, a, 1, &n), 0);
    ebb_scope_end(&a);
    end(&c);
}

/* ---- tickets --------------------------------------------------------------------------------- */

Test(cache, a_ticket_is_fulfilled_by_its_holder)
{
    ebb_cache *c = begin((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile), *b = ebb_scope_begin(&profile);
    ebb_ticket *mine, *other;
    cr_assert_eq(ebb_cache_claim(c, a, ebb_key_str(EBB_STR("k")), NULL, &mine), EBB_OK);
    cr_assert_eq(ebb_cache_claim(c, b, ebb_key_str(EBB_STR("k")), NULL, &other), EBB_E_EXHAUSTED);
    cr_assert_null(ebb_ticket_arena(other));
    struct value *v = ebb_new(ebb_ticket_arena(mine), struct value);
    v->number = 3;
    cr_assert_eq(stats(c).waiting, 1);
    cr_assert_eq(number_of(ebb_cache_fulfil(&mine, 0, v, NULL)), 3);
    cr_assert_null(mine);
    cr_assert_eq(stats(c).waiting, 0);
    cr_assert_eq(number_of(ebb_cache_find(c, b, ebb_key_str(EBB_STR("k")))), 3);
    cr_assert_eq(ebb_cache_claim(c, b, ebb_key_str(EBB_STR("k")), NULL, &other), EBB_E_DUPLICATE);
    ebb_scope_end(&a);
    ebb_scope_end(&b);
    end(&c);
}

Test(cache, a_ticket_ends_with_its_scope)
{
    ebb_cache *c = begin((ebb_cache_params){0});
    ebb_arena *a = ebb_scope_begin(&profile), *b = ebb_scope_begin(&profile);
    ebb_ticket *mine, *other;
    int code = 0;
    ebb_cache_claim(c, a, ebb_key_u64(1), NULL, &mine);
    ebb_cache_claim(c, b, ebb_key_u64(1), NULL, &other);
    ebb_scope_end(&a);
    cr_assert_eq(stats(c).loading, 0);
    cr_assert_eq(stats(c).waiting, 0, "it is told to claim again");
    ebb_ticket_cancel(&other);
    cr_assert_eq(ebb_cache_claim(c, b, ebb_key_u64(1), NULL, &other), EBB_OK);
    cr_assert_null(ebb_cache_fulfil(&other, 77, NULL, &code));
    cr_assert_eq(code, 77);
    ebb_scope_end(&b);
    end(&c);
}

Test(cache, misuse_is_told)
{
    reports r;
    ebb_cache *c = begin((ebb_cache_params){0}), *copy = c;
    ebb_arena *a = ebb_scope_begin(&profile);
    ebb_ticket *t, *none = NULL;
    ebb_cache_claim(c, a, ebb_key_u64(1), NULL, &t);
    reports_start(&r);
    ebb_cache_destroy(&c);
    reports_one(&r, EBB_MISUSE, "ebb_cache_destroy", "1 loads");
    reports_start(&r);
    cr_assert_null(ebb_cache_fulfil(&none, 0, NULL, NULL));
    reports_one(&r, EBB_MISUSE, "ebb_cache_fulfil", "no load");
    reports_start(&r);
    cr_assert_null(ebb_cache_create(&(ebb_cache_params){.name = "x"}, NULL));
    reports_one(&r, EBB_MISUSE, "ebb_cache_create", "no limit");
    reports_stop();
    ebb_scope_end(&a);
    end(&copy);
}

Test(cache, too_much_that_is_still_read)
{
    static const struct {
        ebb_when_full what;
        int code;
    } cases[] = {{EBB_FULL_ADMIT, 0},
                 {EBB_FULL_BYPASS, 0},
                 {EBB_FULL_WAIT, EBB_E_TIMEOUT},
                 {EBB_FULL_FAIL, EBB_E_EXHAUSTED}};
    for (int i = 0; i < 4; i++) {
        reports r;
        ebb_cache *c = begin(
            (ebb_cache_params){.max_entries = 4, .max_deferred = 1000, .when_full = cases[i].what});
        const ebb_cache_load_params now = {.fn = load, .deadline_ns = 0};
        ebb_arena *a = ebb_scope_begin(&profile);
        const void *root = NULL, *first;
        int code = 0;
        reports_start(&r);
        ebb_cache_load(c, a, ebb_key_u64(0), &now, &first);
        for (uint64_t k = 1; k < 30; k++) code = ebb_cache_load(c, a, ebb_key_u64(k), &now, &root);
        reports_one(&r, EBB_MENDED, "may still be read", "finders");
        reports_stop();
        cr_assert_eq(code, cases[i].code);
        if (code == 0) cr_assert_eq(number_of(root), 29);
        cr_assert_eq(stats(c).bypassed > 0, cases[i].what == EBB_FULL_BYPASS);
        cr_assert_eq(number_of(first), 0);
        ebb_scope_end(&a);
        end(&c);
    }
}
