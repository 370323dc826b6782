/*
 * tests/model/test_intern_model.c: random programs over a shared table and several requests' tables,
 * against a plain model: an array that says which text has which symbol, in the shared table and in
 * each request.
 *
 * Checked all along: one text has one symbol within a request, whatever becomes shared meanwhile; its
 * text comes back, NUL and all; a rewind takes nothing that was there before its mark; what can't be
 * had (a cap, a NUL, injected failures, a sealed table) changes nothing; the counts; validation; walks.
 *
 * Seeds are fixed; a failure prints its own. EBB_TEST_SCALE divides the number of steps.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS = 3000, REQUESTS = 4, MARKS = 3, LONGEST = 400, PROGRAM = 5000 };

/* A request, and what it must know. marked: the texts that were local at each mark. */
typedef struct request {
    ebb_arena *arena; /* NULL: not begun */
    ebb_symtab *table;
    ebb_sym local[TEXTS];
    size_t count;
    ebb_mark mark[MARKS];
    ebb_sym marked[MARKS][TEXTS];
    int marks;
    bool created; /* not begun: so it does not stick */
} request;

static struct {
    uint64_t seed; /* of the program, printed when it fails */
    rng random;
    char bytes[TEXTS][LONGEST + 1];
    ebb_str text[TEXTS];
    int same_as[TEXTS]; /* the first text that is the same to this table */
    ebb_symtab_params params;
    ebb_symtab *shared;
    ebb_sym sym[TEXTS];
    size_t entries, bytes_used;
    bool sealed;
    request request[REQUESTS];
    ebb_fault *fault;
} m;

#define MUST(x) cr_assert((x), "seed %" PRIu64 ", line %d: %s", m.seed, __LINE__, #x)

/* ---- texts ------------------------------------------------------------------------------------- */

static size_t draw_length(void)
{
    if (rng_one_in(&m.random, 30)) return rng_below(&m.random, LONGEST + 1);
    return rng_below(&m.random, rng_one_in(&m.random, 3) ? 40 : 12);
}

static void draw_text(int i)
{
    static const char some[] = "abAB\0zZ@[`{\xc3\xff";
    size_t n = draw_length();
    for (size_t k = 0; k < n; k++) {
        m.bytes[i][k] = some[rng_below(&m.random, sizeof some - 1)];
        if (!m.bytes[i][k] && !rng_one_in(&m.random, 8)) m.bytes[i][k] = 'q';
    }
    if (i && rng_one_in(&m.random, 4)) { /* another one in other letters, or the same again */
        n = m.text[i - 1].len;
        for (size_t k = 0; k < n; k++) {
            char c = m.text[i - 1].ptr[k];
            bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
            m.bytes[i][k] = letter && rng_one_in(&m.random, 2) ? (char)(c ^ 32) : c;
        }
    }
    m.text[i] = (ebb_str){m.bytes[i], n};
}

static char kept_as(char c)
{
    return m.params.fold_case && c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_kept_as(ebb_str kept, ebb_str text)
{
    if (kept.len != text.len || kept.ptr[kept.len] != '\0') return false;
    for (size_t i = 0; i < text.len; i++)
        if (kept.ptr[i] != kept_as(text.ptr[i])) return false;
    return true;
}

static bool same(ebb_str a, ebb_str b)
{
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (kept_as(a.ptr[i]) != kept_as(b.ptr[i])) return false;
    return true;
}

static void draw_texts(void)
{
    static int first_of[LONGEST + 1][TEXTS], count_of[LONGEST + 1];
    memset(count_of, 0, sizeof count_of);
    for (int i = 0; i < TEXTS; i++) {
        draw_text(i);
        size_t len = m.text[i].len;
        m.same_as[i] = i;
        for (int k = 0; k < count_of[len]; k++) {
            if (!same(m.text[first_of[len][k]], m.text[i])) continue;
            m.same_as[i] = first_of[len][k];
            break;
        }
        if (m.same_as[i] == i) first_of[len][count_of[len]++] = i;
    }
}

static bool has_nul(int i)
{
    return m.text[i].len && memchr(m.text[i].ptr, 0, m.text[i].len);
}

static size_t cost(int i)
{
    return (8 + m.text[i].len + 1 + 3) & ~(size_t)3;
}

/* ---- tables ------------------------------------------------------------------------------------ */

static void end_request(request *r)
{
    if (r->arena && r->created) ebb_arena_destroy(&r->arena);
    if (r->arena) ebb_scope_end(&r->arena);
    memset(r, 0, sizeof *r);
}

static void new_shared(void)
{
    static const ebb_words *const sets[] = {&ebb_vm_status, &ebb_http_headers};
    for (int i = 0; i < REQUESTS; i++) end_request(&m.request[i]);
    ebb_symtab_destroy(&m.shared);
    m.params = (ebb_symtab_params)EBB_SYMTAB_PARAMS_INIT;
    m.params.seed = rng_one_in(&m.random, 2) ? rng_next(&m.random) : 0;
    m.params.fold_case = rng_one_in(&m.random, 3);
    m.params.binary = rng_one_in(&m.random, 2);
    m.params.words = sets;
    m.params.word_sets = 2;
    if (rng_one_in(&m.random, 3)) m.params.max_entries = 1 + rng_below(&m.random, TEXTS);
    if (rng_one_in(&m.random, 3)) m.params.max_bytes = 1 + rng_below(&m.random, TEXTS * 20);
    m.shared = ebb_symtab_create(&m.params, NULL);
    MUST(m.shared);
    draw_texts();
    memset(m.sym, 0, sizeof m.sym);
    m.entries = m.bytes_used = 0;
    m.sealed = false;
}

static request *some_request(void)
{
    request *r = &m.request[rng_below(&m.random, REQUESTS)];
    if (r->arena) return r;
    r->created = rng_one_in(&m.random, 2);
    r->arena = r->created ? ebb_arena_create(NULL) : ebb_scope_begin(NULL);
    r->table = ebb_symtab_over(r->arena, m.shared);
    if (!r->table) end_request(r);
    return r->table ? r : NULL;
}

/* ---- the shared table -------------------------------------------------------------------------- */

static uint64_t faults(void)
{
    return m.fault ? ebb_fault_hits(m.fault) : 0;
}

/* What must come of putting the i-th text into the shared table, which does not have it. */
static ebb_status expected(int i)
{
    if (!m.params.binary && has_nul(i)) return EBB_E_INVALID;
    if (m.sealed) return EBB_E_UNSUPPORTED;
    if (m.params.max_entries && m.entries == m.params.max_entries) return EBB_E_LIMIT;
    if (m.params.max_bytes && m.bytes_used + cost(i) > m.params.max_bytes) return EBB_E_LIMIT;
    return EBB_OK;
}

/* `sym` came of putting it there, `why` tells what went wrong if it is 0. */
static void has_come(int i, ebb_sym sym, ebb_status why, uint64_t faults_before)
{
    if (m.sym[i]) {
        MUST(sym == m.sym[i]);
        return;
    }
    ebb_status expect = expected(i);
    if (!sym) {
        MUST(expect == EBB_OK ? why == EBB_E_MEMORY && faults() > faults_before : why == expect);
        return;
    }
    MUST(expect == EBB_OK && !ebb_sym_is_local(sym) && sym >= EBB_WORDS_END);
    m.sym[i] = sym;
    m.entries++;
    m.bytes_used += cost(i);
}

static int some_text(ebb_str *ret_text)
{
    size_t range = rng_one_in(&m.random, 2) ? TEXTS : 50;
    int i = (int)rng_below(&m.random, range);
    *ret_text = m.text[i];
    return m.same_as[i];
}

static void put_shared(void)
{
    ebb_str text;
    int i = some_text(&text);
    uint64_t before = faults();
    ebb_sym sym = ebb_intern(m.shared, text);
    has_come(i, sym, ebb_symtab_failed(m.shared), before);
}

static void find_shared(void)
{
    ebb_str text;
    int i = some_text(&text);
    MUST(ebb_intern_find(m.shared, text) == m.sym[i]);
}

/* ---- requests ---------------------------------------------------------------------------------- */

static ebb_sym known(const request *r, int i)
{
    return r->local[i] ? r->local[i] : m.sym[i];
}

static void put_local(void)
{
    ebb_str text;
    request *r = some_request();
    int i = some_text(&text);
    if (!r) return;
    uint64_t before = faults();
    ebb_sym sym = ebb_intern(r->table, text), was = known(r, i);
    if (was) {
        MUST(sym == was);
    } else if (sym) {
        MUST(ebb_sym_is_local(sym) && (m.params.binary || !has_nul(i)));
        for (int k = 0; k < 3; k++) MUST(r->local[rng_below(&m.random, TEXTS)] != sym);
        r->local[i] = sym;
        r->count++;
        MUST(is_kept_as(ebb_sym_str(r->table, sym), text));
    } else if (!m.params.binary && has_nul(i)) {
        MUST(ebb_symtab_failed(r->table) == EBB_E_INVALID);
    } else {
        MUST(ebb_symtab_failed(r->table) == EBB_E_MEMORY &&
             (faults() > before || ebb_failed(r->arena)));
    }
}

static void find_local(void)
{
    ebb_str text;
    request *r = some_request();
    int i = some_text(&text);
    if (r) MUST(ebb_intern_find(r->table, text) == known(r, i));
}

static void show(void)
{
    ebb_str text;
    request *r = some_request();
    int i = some_text(&text);
    if (m.sym[i]) MUST(is_kept_as(ebb_sym_str(m.shared, m.sym[i]), text));
    if (!r) return;
    if (m.sym[i]) MUST(ebb_sym_str(r->table, m.sym[i]).ptr == ebb_sym_str(m.shared, m.sym[i]).ptr);
    if (r->local[i]) MUST(is_kept_as(ebb_sym_str(r->table, r->local[i]), text));
}

static void promote(void)
{
    ebb_str text;
    request *r = some_request();
    int i = some_text(&text);
    if (!r || !known(r, i)) return;
    uint64_t before = faults();
    ebb_sym up = ebb_sym_promote(r->table, known(r, i));
    if (!r->local[i]) MUST(up == m.sym[i]);
    has_come(i, up, ebb_symtab_failed(r->table), before);
    MUST(ebb_intern(r->table, text) == known(r, i)); /* and the request sees no other */
}

static void mark(void)
{
    request *r = some_request();
    if (!r || r->marks == MARKS) return;
    memcpy(r->marked[r->marks], r->local, sizeof r->local);
    r->mark[r->marks++] = ebb_arena_mark(r->arena);
}

/* What is older than the mark is there; what came later may be, if it found room. */
static void rewind_one(void)
{
    request *r = some_request();
    if (!r || r->marks == 0) return;
    int to = (int)rng_below(&m.random, (size_t)r->marks);
    ebb_arena_rewind(r->arena, r->mark[to]);
    (void)ebb_alloc_optional(r->arena, 300); /* somebody else's now */
    r->marks = to;
    r->count = 0;
    for (int i = 0; i < TEXTS; i++) {
        if (m.same_as[i] != i || !r->local[i]) continue;
        ebb_sym now = ebb_intern_find(r->table, m.text[i]), before = r->marked[to][i];
        MUST(before ? now == before : now == r->local[i] || now == m.sym[i]);
        r->local[i] = now == r->local[i] ? now : 0;
        r->count += r->local[i] != 0;
    }
}

static void end(void)
{
    end_request(&m.request[rng_below(&m.random, REQUESTS)]);
}

/* ---- all at once ------------------------------------------------------------------------------- */

static void walk_over(const ebb_symtab *t, const ebb_sym *expect, size_t count)
{
    size_t seen = 0, words = 0;
    for (ebb_symtab_iter i = ebb_symtab_each(t); ebb_symtab_next(&i);) {
        MUST(ebb_intern_find(t, i.str) == i.sym);
        if (i.sym < EBB_WORDS_END) words++;
        else seen++;
    }
    MUST(seen == count);
    for (int i = 0; i < TEXTS; i++) seen -= expect[i] != 0;
    MUST(seen == 0 && (words == 0 || words == ebb_vm_status.count + ebb_http_headers.count));
}

static void check_all(void)
{
    ebb_symtab_stats s;
    ebb_symtab_get_stats(m.shared, &s);
    MUST(s.entries == m.entries && s.bytes == m.bytes_used && s.sealed == m.sealed);
    MUST(!ebb_symtab_validate(m.shared));
    walk_over(m.shared, m.sym, m.entries);
    for (int k = 0; k < REQUESTS; k++) {
        const request *r = &m.request[k];
        if (!r->table) continue;
        ebb_symtab_get_stats(r->table, &s);
        MUST(s.entries == r->count && !ebb_symtab_validate(r->table));
        walk_over(r->table, r->local, r->count);
        MUST(!ebb_arena_validate(r->arena));
    }
}

static void fail_for_a_while(void)
{
    ebb_fault_params p = {.probability = 0.2, .seed = rng_next(&m.random)};
    if (m.fault) ebb_fault_end(&m.fault);
    else m.fault = ebb_fault_begin((ebb_watch){.this_thread = true}, &p, NULL);
}

static void seal(void)
{
    if (!rng_one_in(&m.random, 10)) return;
    ebb_symtab_seal(m.shared);
    m.sealed = true;
}

static const struct {
    void (*do_it)(void);
    unsigned weight;
} deeds[] = {{put_shared, 200}, {find_shared, 150}, {put_local, 300}, {find_local, 150},
             {show, 150},       {promote, 60},      {mark, 8},        {rewind_one, 4},
             {end, 6},          {check_all, 1},     {seal, 1},        {fail_for_a_while, 2}};

static void step(void)
{
    static const unsigned all = 200 + 150 + 300 + 150 + 150 + 60 + 8 + 4 + 6 + 1 + 1 + 2;
    size_t at = rng_below(&m.random, all);
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
        if (at < deeds[i].weight) {
            deeds[i].do_it();
            return;
        }
        at -= deeds[i].weight;
    }
}

static void run(uint64_t seed, unsigned long steps)
{
    m.seed = seed;
    m.random = (rng){seed};
    for (unsigned long n = 0; n < steps; n++) {
        if (n % PROGRAM == 0) {
            if (m.fault) ebb_fault_end(&m.fault);
            new_shared();
        }
        step();
    }
    if (m.fault) ebb_fault_end(&m.fault);
    check_all();
    for (int i = 0; i < REQUESTS; i++) end_request(&m.request[i]);
    ebb_symtab_destroy(&m.shared);
}

Test(intern_model, random_programs)
{
    unsigned long steps = scaled(1000000);
    for (uint64_t seed = 1; seed <= 4; seed++) run(seed, steps / 4);
}
