/*
 * tests/model/test_cache_model.c: random programs over a cache and several scopes, against a plain
 * model: for each key the version that was loaded last, whether it may still be there, and until
 * when.
 *
 * Which of the entries are evicted is the policy's to say; the model knows what must not be there
 * (what was removed, replaced, or has expired), what must be there where there is room for all, and
 * what each scope has found, which must read the same until that scope ends. The clock is the
 * test's.
 *
 * Then eight threads at once over every path, bounded: their values say which key they are of.
 *
 * Seeds are fixed; a failure prints its own. EBB_TEST_SCALE divides the number of steps.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    KEYS = 300,
    SCOPES = 6,
    FOUND = 64,
    PROGRAM = 4000,
    TTL = 500,
    FAILURE_TTL = 50,
    THREADS = 8
};

typedef struct value {
    uint64_t key, version;
    char more[200];
} value;

typedef struct scope {
    ebb_arena *arena;
    const value *found[FOUND];
    value was[FOUND];
    int count;
    ebb_ticket *ticket;
    uint64_t ticket_key, ticket_version;
} scope;

static struct {
    uint64_t seed, now, version;
    rng random;
    ebb_cache *cache;
    bool roomy, texts;
    uint64_t at[KEYS]; /* version that may be there; 0: none */
    int code[KEYS];    /* it is a failure */
    uint64_t until[KEYS];
    bool evictable[KEYS]; /* it may have been kept out, for want of memory */
    scope scope[SCOPES];
    ebb_fault *fault;
} m;

static ebb_profile plain = EBB_PROFILE("model"),
                   patient = EBB_PROFILE("patient", .long_lived = true);

#define MUST(x) cr_assert((x), "seed %" PRIu64 ", line %d: %s", m.seed, __LINE__, #x)

static uint64_t clock_ms(void *ctx)
{
    (void)ctx;
    return m.now;
}

static char texts[KEYS][64];

static ebb_key key_of(uint64_t k)
{
    return m.texts ? ebb_key_str((ebb_str){texts[k], strlen(texts[k])}) : ebb_key_u64(k);
}

static void make_texts(void)
{
    for (size_t k = 0; k < KEYS; k++)
        snprintf(texts[k], sizeof texts[k], "%zu%s", k,
                 k % 7 == 0 ? "-and-some-more-so-that-it-takes-room-of-its-own" : "");
}

/* ---- values ---------------------------------------------------------------------------------- */

typedef struct wish {
    uint64_t key, version;
    int code;
    bool made;
} wish;

static const value *build(ebb_arena *into, uint64_t key, uint64_t version)
{
    value *v = ebb_new(into, value);
    if (!v) return NULL;
    v->key = key;
    v->version = version;
    return v;
}

static int make(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    wish *w = ctx;
    (void)key;
    w->made = true;
    if (w->code) return w->code;
    *ret_root = build(into, w->key, w->version);
    return 0;
}

static void remember(scope *s, const void *root, uint64_t key)
{
    const value *v = root;
    MUST(v->key == key && v->version == m.at[key] && !m.code[key]);
    if (s->count == FOUND) return;
    s->was[s->count] = *v;
    s->found[s->count++] = v;
}

static void check_found(const scope *s)
{
    for (int i = 0; i < s->count; i++) MUST(memcmp(s->found[i], &s->was[i], sizeof(value)) == 0);
}

static bool is_there(uint64_t key)
{
    return m.at[key] && m.now < m.until[key];
}

static void put(uint64_t key, uint64_t version, int code)
{
    m.at[key] = version;
    m.code[key] = code;
    m.until[key] = m.now + (code ? FAILURE_TTL : TTL);
    m.evictable[key] = !m.roomy;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void step_find(scope *s, uint64_t key)
{
    bool peek = rng_one_in(&m.random, 4);
    const void *root = peek ? ebb_cache_peek(m.cache, s->arena, key_of(key))
                            : ebb_cache_find(m.cache, s->arena, key_of(key));
    if (root) MUST(is_there(key));
    else MUST(!is_there(key) || m.code[key] || m.evictable[key] || m.fault);
    if (root) remember(s, root, key);
}

/* Whether it was taken in is not known: the scope had no memory to hold it. */
static void forget(uint64_t key)
{
    ebb_cache_remove(m.cache, key_of(key));
    m.at[key] = 0;
    for (int i = 0; i < SCOPES; i++)
        if (m.scope[i].ticket_key == key) m.scope[i].ticket_version = 0;
}

static void step_load(scope *s, uint64_t key)
{
    const void *root = NULL;
    wish w = {key, ++m.version, rng_one_in(&m.random, 8) ? 3 : 0, false};
    const ebb_cache_load_params how = {.fn = make, .ctx = &w, .deadline_ns = UINT64_MAX};
    bool could_be = is_there(key), must_be = could_be && !m.evictable[key];
    int was = m.code[key], code = ebb_cache_load(m.cache, s->arena, key_of(key), &how, &root);
    MUST((code == 0) == (root != NULL));
    if (code < 0) {
        MUST(code == EBB_E_CYCLE || (m.fault && code == EBB_E_MEMORY));
        if (!m.fault) MUST(!w.made);
        if (w.made) forget(key);
        return;
    }
    MUST(w.made ? !must_be : could_be && code == was);
    if (w.made) {
        MUST(code == w.code);
        put(key, w.version, w.code);
    }
    if (root) remember(s, root, key);
}

static void step_remove(uint64_t key)
{
    bool was = ebb_cache_remove(m.cache, key_of(key));
    if (was) MUST(is_there(key));
    else MUST(!is_there(key) || m.evictable[key]);
    m.at[key] = 0;
    for (int i = 0; i < SCOPES; i++)
        if (m.scope[i].ticket_key == key) m.scope[i].ticket_version = 0;
}

static void forget_all(void)
{
    memset(m.at, 0, sizeof m.at);
    for (int i = 0; i < SCOPES; i++) m.scope[i].ticket_version = 0;
}

static bool is_third(void *ctx, ebb_key key, const void *root)
{
    const value *v = root;
    (void)key;
    ++*(size_t *)ctx;
    MUST(v->version == m.at[v->key]);
    return v->key % 3 == 0;
}

static void step_invalidate(void)
{
    size_t asked = 0;
    ebb_cache_invalidate(m.cache, is_third, &asked);
    for (uint64_t k = 0; k < KEYS; k += 3)
        if (!m.code[k]) m.at[k] = 0;
    for (int i = 0; i < SCOPES; i++) m.scope[i].ticket_version = 0;
}

static void step_claim(scope *s, uint64_t key)
{
    if (s->ticket) return;
    ebb_status is = ebb_cache_claim(m.cache, s->arena, key_of(key), NULL, &s->ticket);
    if (is == EBB_E_DUPLICATE) MUST(is_there(key));
    if (is == EBB_OK) MUST(!is_there(key) || m.evictable[key]);
    MUST((s->ticket != NULL) == (is == EBB_OK || is == EBB_E_EXHAUSTED));
    if (!s->ticket) return;
    s->ticket_key = key;
    s->ticket_version = ++m.version;
}

static void step_fulfil(scope *s)
{
    if (!s->ticket) return;
    uint64_t key = s->ticket_key, version = s->ticket_version;
    const void *root = NULL;
    int code = rng_one_in(&m.random, 4) ? 3 : 0;
    if (!ebb_ticket_arena(s->ticket)) {
        if (ebb_ticket_take(&s->ticket, &root) == 0) MUST(((const value *)root)->key == key);
        return;
    }
    const value *v = build(ebb_ticket_arena(s->ticket), key, version);
    if (!v) return;
    root = ebb_cache_fulfil(&s->ticket, code, v, &code);
    MUST(root == (code ? NULL : v));
    if (code >= 0 && version) put(key, version, code);
    else forget(key);
}

static void step_end(scope *s)
{
    check_found(s);
    ebb_scope_end(&s->arena);
    s->ticket = NULL;
    s->count = 0;
    s->arena = ebb_scope_begin(rng_one_in(&m.random, 5) ? &patient : &plain);
}

static void step(void)
{
    scope *s = &m.scope[rng_below(&m.random, SCOPES)];
    uint64_t key = rng_below(&m.random, rng_one_in(&m.random, 2) ? KEYS : KEYS / 10);
    switch (rng_below(&m.random, 32)) {
    case 0: step_remove(key); break;
    case 1: step_claim(s, key); break;
    case 2: step_fulfil(s); break;
    case 3: step_end(s); break;
    case 4: m.now += rng_below(&m.random, 20); break;
    case 5: check_found(s); break;
    case 6:
        if (!rng_one_in(&m.random, 50)) break;
        if (rng_one_in(&m.random, 2)) step_invalidate();
        else ebb_cache_clear(m.cache), forget_all();
        break;
    case 7:
    case 8:
    case 9:
    case 10: step_find(s, key); break;
    default: step_load(s, key); break;
    }
}

static void program(uint64_t seed, bool failures)
{
    memset(&m, 0, sizeof m);
    m.seed = m.random.state = seed;
    m.now = 1;
    m.roomy = rng_one_in(&m.random, 3) && !failures;
    m.texts = rng_one_in(&m.random, 2);
    ebb_cache_params how = {
        .name = "model", .ttl_ms = TTL, .negative_ttl_ms = FAILURE_TTL, .clock_ms = clock_ms};
    how.policy = rng_one_in(&m.random, 2) ? EBB_POLICY_LRU : EBB_POLICY_S3_FIFO;
    how.max_entries = m.roomy ? KEYS : 1 + rng_below(&m.random, KEYS);
    if (!m.roomy && rng_one_in(&m.random, 2)) how.max_bytes = 2000 + rng_below(&m.random, 100000);
    how.max_deferred = (size_t)1 << 40;
    m.cache = ebb_cache_create(&how, NULL);
    for (int i = 0; i < SCOPES; i++) m.scope[i].arena = ebb_scope_begin(&plain);
    if (failures)
        m.fault = ebb_fault_begin((ebb_watch){0},
                                  &(ebb_fault_params){.probability = 0.02, .seed = seed}, NULL);
    for (int i = 0; i < PROGRAM; i++) step();
    if (m.fault) ebb_fault_end(&m.fault);
    ebb_cache_stats st;
    ebb_cache_get_stats(m.cache, &st);
    MUST(st.entries <= how.max_entries && (!how.max_bytes || st.bytes <= how.max_bytes));
    for (int i = 0; i < SCOPES; i++) {
        check_found(&m.scope[i]);
        ebb_scope_end(&m.scope[i].arena);
    }
    ebb_cache_destroy(&m.cache);
    ebb_share_collect();
    ebb_share_stats ss;
    ebb_share_get_stats(&ss);
    MUST(ss.alive == 0 && ss.deferred == 0 && ss.readers == 0);
}

Test(cache_model, random_programs)
{
    make_texts();
    for (unsigned long i = 0; i < scaled(250); i++) program(1000 + i, false);
}

Test(cache_model, random_programs_with_failures)
{
    make_texts();
    for (unsigned long i = 0; i < scaled(50); i++) program(5000 + i, true);
}

/* ---- threads --------------------------------------------------------------------------------- */

static _Atomic uint64_t wrong, given_up;
static ebb_cache *shared_cache;

typedef struct worker {
    rng random;
    ebb_arena *arena;
} worker;

static int make_or_fail(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    worker *w = ctx;
    size_t chance = rng_below(&w->random, 40);
    if (chance == 0) return 3;
    if (chance == 1) ebb_raise(w->arena, 4);
    const void *other;
    if (chance < 5) { /* rings of waits may arise */
        const ebb_cache_load_params how = {.fn = make_or_fail, .ctx = w, .deadline_ns = UINT64_MAX};
        ebb_cache_load(shared_cache, w->arena, ebb_key_u64(rng_below(&w->random, KEYS)), &how,
                       &other);
    }
    *ret_root = build(into, ebb_key_number(key), 1);
    return 0;
}

static void check(const void *root, uint64_t key)
{
    if (((const value *)root)->key != key) wrong++;
}

static int stress_load(ebb_arena *a, void *arg)
{
    worker *w = arg;
    const void *root = NULL;
    uint64_t key = rng_below(&w->random, KEYS);
    bool hurry = rng_one_in(&w->random, 4);
    const ebb_cache_load_params how = {
        .fn = make_or_fail, .ctx = w, .deadline_ns = hurry ? ebb_clock_ns() + 10000 : UINT64_MAX};
    int code = ebb_cache_load(shared_cache, a, ebb_key_u64(key), &how, &root);
    if (code == 0) check(root, key);
    else given_up++;
    return 0;
}

/* A duty that was passed on to it is abandoned with its scope. */
static void stress_claim(worker *w, uint64_t key)
{
    ebb_ticket *t;
    const void *root = NULL;
    ebb_status is = ebb_cache_claim(shared_cache, w->arena, ebb_key_u64(key), NULL, &t);
    if (is == EBB_OK && !rng_one_in(&w->random, 4)) {
        const value *v = build(ebb_ticket_arena(t), key, 1);
        root = ebb_cache_fulfil(&t, 0, v, NULL);
        if (root) check(root, key); /* NULL: what makes room is held back, EBB_FULL_FAIL */
    } else if (is == EBB_E_EXHAUSTED && rng_one_in(&w->random, 2)) {
        if (ebb_ticket_take(&t, &root) == 0) check(root, key);
    }
}

static bool one_in_ten(void *ctx, ebb_key key, const void *root)
{
    (void)ctx;
    check(root, ebb_key_number(key));
    return ebb_key_number(key) % 10 == 0;
}

static void stress_step(worker *w)
{
    uint64_t key = rng_below(&w->random, KEYS);
    size_t what = rng_below(&w->random, 100);
    if (what < 40) {
        const void *root = ebb_cache_find(shared_cache, w->arena, ebb_key_u64(key));
        if (root) check(root, key);
    } else if (what < 80) {
        (void)!ebb_try(w->arena, stress_load, w);
    } else if (what < 90) {
        stress_claim(w, key);
    } else if (what < 98) {
        ebb_cache_remove(shared_cache, ebb_key_u64(key));
    } else if (what < 99) {
        ebb_cache_invalidate(shared_cache, one_in_ten, NULL);
    } else {
        ebb_cache_clear(shared_cache);
    }
}

static void *stress(void *arg)
{
    worker w = {.random = {(uintptr_t)arg * 77 + 5}};
    for (unsigned long i = 0; i < scaled(3000); i++) {
        w.arena = ebb_scope_begin(rng_one_in(&w.random, 6) ? &patient : &plain);
        for (size_t n = rng_below(&w.random, 10); n-- > 0;) stress_step(&w);
        ebb_scope_end(&w.arena);
    }
    return NULL;
}

static void stress_with(ebb_when_full when, ebb_policy policy)
{
    pthread_t t[THREADS];
    ebb_cache_params how = {
        .name = "stress", .max_entries = KEYS / 2, .ttl_ms = 20, .negative_ttl_ms = 1};
    how.max_deferred = 20000;
    how.when_full = when;
    how.policy = policy;
    shared_cache = ebb_cache_create(&how, NULL);
    for (size_t i = 0; i < THREADS; i++) pthread_create(&t[i], NULL, stress, (void *)(i + 1));
    for (size_t i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    cr_assert_eq(wrong, 0);
    ebb_cache_stats st;
    ebb_cache_get_stats(shared_cache, &st);
    cr_assert_eq(st.loading, 0);
    cr_assert_eq(st.waiting, 0);
    cr_assert(st.entries <= KEYS / 2);
    ebb_cache_destroy(&shared_cache);
    ebb_share_collect();
    ebb_share_stats ss;
    ebb_share_get_stats(&ss);
    cr_assert_eq(ss.alive, 0);
    cr_assert_eq(ss.readers, 0);
}

Test(cache_model, eight_threads_that_admit)
{
    stress_with(EBB_FULL_ADMIT, EBB_POLICY_S3_FIFO);
}

Test(cache_model, eight_threads_that_bypass)
{
    stress_with(EBB_FULL_BYPASS, EBB_POLICY_LRU);
}

Test(cache_model, eight_threads_that_wait)
{
    stress_with(EBB_FULL_WAIT, EBB_POLICY_S3_FIFO);
}

Test(cache_model, eight_threads_that_fail)
{
    stress_with(EBB_FULL_FAIL, EBB_POLICY_LRU);
}
