/*
 * tests/model/test_bufpool_model.c: random programs over one buffer pool and many scopes, against a plain
 * model: for each buffer that is out its bytes, in memory of their own, and whose it is.
 *
 * Checked all along: what was written stays, through growth, builders, moves and detaching, and nobody
 * else's writing shows; what fails changes nothing; counts agree; idle bytes stay within max_bytes. Some
 * runs have every twentieth allocation or so refused. The seed is fixed, and printed where it fails.
 * EBB_TEST_SCALE divides the number of steps.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <stdlib.h>
#include <string.h>

enum { SCOPES = 6, OUT = 40, LARGEST = 20000, STEPS = 250000, MAX_BYTES = 100000, NOBODY = -1 };

typedef struct loan {
    ebb_buf *b; /* NULL: free */
    int scope;
    size_t len;
    char bytes[LARGEST + 1];
} loan;

static loan out[OUT];
static ebb_arena *scopes[SCOPES];
static uint64_t seed;
static ebb_profile profile = EBB_PROFILE("model");

static unsigned draw(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

static void check(const loan *l)
{
    cr_assert(l->b->len == l->len && l->b->len <= l->b->cap, "seed %llu", (unsigned long long)seed);
    cr_assert(!memcmp(l->b->ptr, l->bytes, l->len), "seed %llu", (unsigned long long)seed);
}

static loan *any(void)
{
    loan *l = &out[draw(OUT)];
    return l->b ? l : NULL;
}

static void acquire(ebb_bufpool *p, bool may_fail)
{
    loan *l = &out[draw(OUT)];
    if (l->b) return;
    size_t at_least = draw(4) ? draw(1000) : draw(LARGEST);
    l->scope = (int)draw(SCOPES + 1) - 1;
    l->b = ebb_bufpool_acquire(p, l->scope == NOBODY ? NULL : scopes[l->scope], at_least, NULL);
    l->len = 0;
    cr_assert(l->b || may_fail);
    if (!l->b) return;
    cr_assert(l->b->cap >= at_least);
    check(l);
}

static size_t some_bytes(char *to, size_t room)
{
    size_t n = draw(8) ? draw(200) : draw(5000);
    if (n > room) n = room;
    memset(to, (int)('a' + draw(26)), n);
    return n;
}

static void append(loan *l, bool may_fail)
{
    size_t n = some_bytes(l->bytes + l->len, LARGEST - l->len);
    bool ok = ebb_buf_append(l->b, l->bytes + l->len, n);
    cr_assert(ok || may_fail);
    if (ok) l->len += n;
    check(l);
}

static void build(loan *l, bool may_fail)
{
    ebb_builder text = ebb_buf_builder(l->b);
    bool ok = true;
    for (unsigned i = draw(5); ok && i > 0; i--) {
        size_t n = some_bytes(l->bytes + l->len, LARGEST - l->len);
        ok = ebb_builder_bytes(&text, l->bytes + l->len, n);
        if (ok) l->len += n;
    }
    if (ok && draw(20) == 0) { /* the request forgets it */
        ebb_buf_release(l->b);
        l->b = NULL;
        return;
    }
    ebb_str s = ebb_buf_finish(l->b, &text);
    cr_assert(s.ptr || may_fail);
    if (s.ptr) cr_assert(s.ptr[s.len] == '\0' && s.len == l->len);
    check(l);
}

static void pass_on(loan *l, bool may_fail)
{
    int to = (int)draw(SCOPES + 1) - 1;
    if (draw(4) == 0) {
        cr_assert(ebb_buf_detach(l->b) == l->b);
        l->scope = NOBODY;
    } else if (ebb_buf_move(l->b, to == NOBODY ? NULL : scopes[to])) {
        l->scope = to;
    } else {
        cr_assert(may_fail);
    }
    check(l);
}

static void end_scope(int i)
{
    for (loan *l = out; l < out + OUT; l++) {
        if (!l->b || l->scope != i) continue;
        check(l);
        l->b = NULL;
    }
    ebb_scope_end(&scopes[i]);
}

static void step(ebb_bufpool *p, bool may_fail)
{
    unsigned what = draw(20);
    loan *l = any();
    if (what < 6) acquire(p, may_fail);
    else if (what == 6 && draw(4) == 0) {
        int i = (int)draw(SCOPES);
        end_scope(i);
        scopes[i] = ebb_scope_begin(&profile);
    } else if (!l) return;
    else if (what < 11) append(l, may_fail);
    else if (what < 14) build(l, may_fail);
    else if (what < 15) ebb_buf_clear(l->b), l->len = 0;
    else if (what < 17) pass_on(l, may_fail);
    else {
        check(l);
        ebb_buf_release(l->b);
        l->b = NULL;
    }
}

static void counts_agree(ebb_bufpool *p)
{
    ebb_bufpool_stats s;
    size_t lent = 0, count = 0;
    ebb_bufpool_get_stats(p, &s);
    for (const loan *l = out; l < out + OUT; l++)
        if (l->b) lent += l->b->cap, count++;
    cr_assert(s.acquired - s.released == count, "seed %llu", (unsigned long long)seed);
    cr_assert(s.bytes >= lent && s.bytes - lent <= MAX_BYTES, "seed %llu",
              (unsigned long long)seed);
    cr_assert(s.bytes <= s.high_water);
}

static void program(uint64_t from, bool may_fail)
{
    const char *scale = getenv("EBB_TEST_SCALE");
    unsigned steps = STEPS / (scale && atoi(scale) > 0 ? (unsigned)atoi(scale) : 1);
    ebb_bufpool_params how = {.size = 256, .largest = 4096, .max_bytes = MAX_BYTES};
    ebb_bufpool *p = ebb_bufpool_create(&how, NULL);
    seed = from;
    for (int i = 0; i < SCOPES; i++) scopes[i] = ebb_scope_begin(&profile);
    for (unsigned i = 0; i < steps; i++) {
        ebb_fault_params one = {.nth = 1};
        ebb_fault *f = may_fail && draw(20) == 0
                           ? ebb_fault_begin((ebb_watch){.this_thread = true}, &one, NULL)
                           : NULL;
        step(p, f != NULL || may_fail);
        if (f) ebb_fault_end(&f);
        if (i % 64 == 0) counts_agree(p);
    }
    for (int i = 0; i < SCOPES; i++) end_scope(i);
    for (loan *l = out; l < out + OUT; l++) {
        if (l->b) ebb_buf_release(l->b);
        l->b = NULL;
    }
    counts_agree(p);
    ebb_bufpool_destroy(&p);
}

Test(bufpool_model, random_programs)
{
    for (uint64_t s = 1; s <= 4; s++) program(s, false);
}

Test(bufpool_model, random_programs_where_allocations_fail)
{
    for (uint64_t s = 11; s <= 14; s++) program(s, true);
}
