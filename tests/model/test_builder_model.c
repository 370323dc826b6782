/*
 * Random programs of several builders in one arena, against byte buffers of malloc.
 *
 * The model knows of each builder its bytes and whether it has failed, of each finished string its
 * bytes, and of each mark all of that. Builders are appended to, truncated, finished and reset by
 * turns, so that they take the arena's floor from one another; other objects come down meanwhile;
 * marks are made and rewound to while builders are open, where copies of their structs are put back.
 * A call that fails must leave the bytes as they were, and fail the builder.
 *
 * Seeds are fixed; a failure prints its own. EBB_TEST_SCALE divides the number of steps.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUILDERS = 5, STRINGS = 24, MARKS = 4, MOST = 6000, PIECE = 400 };

/* A builder's bytes, as they should be. */
typedef struct plain {
    char *bytes;
    size_t len;
    bool failed;
} plain;

typedef struct state {
    ebb_builder b[BUILDERS];
    plain p[BUILDERS];
    ebb_str s[STRINGS]; /* finished, NUL-terminated */
    plain t[STRINGS];
    size_t strings;
} state;

typedef struct snapshot {
    ebb_mark mark;
    state state;
} snapshot;

typedef struct program {
    uint64_t seed;
    unsigned long step;
    rng r;
    ebb_arena *a;
    bool refuses; /* allocation may fail in this program */
    unsigned long failures;
    state now;
    snapshot marks[MARKS];
    size_t depth;
} program;

static program *running;

static void fail_at(const char *what, int line)
{
    fprintf(stderr, "seed %" PRIu64 ", step %lu, line %d: %s\n", running->seed, running->step, line,
            what);
    fflush(stderr);
    abort();
}

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) fail_at(#x, __LINE__);                                                           \
    } while (0)

static size_t pick(size_t below)
{
    return rng_below(&running->r, below);
}

/* ---- the plain side ---------------------------------------------------------------------------- */

static void plain_set(plain *p, const char *bytes, size_t len)
{
    char *fresh = malloc(len + 1);
    if (!fresh) abort();
    if (len) memcpy(fresh, bytes, len);
    free(p->bytes);
    p->bytes = fresh;
    p->len = len;
}

static void plain_append(plain *p, const char *bytes, size_t len)
{
    char *grown = realloc(p->bytes, p->len + len + 1);
    if (!grown) abort();
    if (len) memcpy(grown + p->len, bytes, len);
    p->bytes = grown;
    p->len += len;
}

static void state_free(state *s)
{
    for (size_t i = 0; i < BUILDERS; i++) free(s->p[i].bytes);
    for (size_t i = 0; i < STRINGS; i++) free(s->t[i].bytes);
    memset(s, 0, sizeof *s);
}

static void plain_copy(plain *to, const plain *from)
{
    plain_set(to, from->bytes, from->len);
    to->failed = from->failed;
}

static void state_copy(state *to, const state *from)
{
    state_free(to);
    memcpy(to->b, from->b, sizeof to->b);
    memcpy(to->s, from->s, sizeof to->s);
    to->strings = from->strings;
    for (size_t i = 0; i < BUILDERS; i++) plain_copy(&to->p[i], &from->p[i]);
    for (size_t i = 0; i < from->strings; i++) plain_copy(&to->t[i], &from->t[i]);
}

/* ---- what must hold ---------------------------------------------------------------------------- */

static void verify_builder(size_t i)
{
    const ebb_builder *b = &running->now.b[i];
    const plain *p = &running->now.p[i];
    MUST(ebb_builder_len(b) == p->len);
    MUST(p->len == 0 || memcmp(b->ptr, p->bytes, p->len) == 0);
    MUST((ebb_builder_failed(b) != EBB_OK) == p->failed);
}

static void verify_all(void)
{
    const char *broken = ebb_arena_validate(running->a);
    if (broken) fail_at(broken, __LINE__);
    for (size_t i = 0; i < BUILDERS; i++) verify_builder(i);
    for (size_t i = 0; i < running->now.strings; i++) {
        ebb_str s = running->now.s[i];
        MUST(s.len == running->now.t[i].len && s.ptr[s.len] == '\0');
        MUST(memcmp(s.ptr, running->now.t[i].bytes, s.len) == 0);
    }
}

/* A call that appends `len` bytes has said `ok`. */
static void appended(size_t i, bool ok, const char *bytes, size_t len)
{
    plain *p = &running->now.p[i];
    if (ok) {
        MUST(!p->failed);
        plain_append(p, bytes, len);
    } else {
        MUST(running->refuses);
        running->failures += !p->failed;
        p->failed = true;
    }
    verify_builder(i);
}

/* ---- pieces ------------------------------------------------------------------------------------ */

static ebb_str random_piece(char *to)
{
    size_t len = pick(4) ? pick(40) : pick(PIECE);
    bool odd = pick(3) == 0;
    for (size_t i = 0; i < len; i++) to[i] = (char)(odd ? rng_next(&running->r) : ' ' + pick(95));
    return (ebb_str){to, len};
}

/* Escaped by the plainest code there is; the UTF-8 of what is appended here is ASCII. */
static size_t plain_json(char *to, ebb_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '"' || c == '\\') n += (size_t)sprintf(to + n, "\\%c", c);
        else if (c == '\n') n += (size_t)sprintf(to + n, "\\n");
        else if (c == '\t') n += (size_t)sprintf(to + n, "\\t");
        else if (c == '\r') n += (size_t)sprintf(to + n, "\\r");
        else if (c == '\b') n += (size_t)sprintf(to + n, "\\b");
        else if (c == '\f') n += (size_t)sprintf(to + n, "\\f");
        else if ((unsigned char)c < 0x20) n += (size_t)sprintf(to + n, "\\u%04x", c);
        else to[n++] = c;
    }
    return n;
}

static size_t plain_url(char *to, ebb_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        bool kept = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c && strchr("-._~", c));
        n += (size_t)sprintf(to + n, kept ? "%c" : "%%%02X", c);
    }
    return n;
}

typedef void step_fn(size_t i);

static ebb_builder *builder(size_t i)
{
    return &running->now.b[i];
}

static void step_append(size_t i)
{
    char bytes[PIECE];
    ebb_str s = random_piece(bytes);
    appended(i, ebb_builder_append(builder(i), s), s.ptr, s.len);
}

static void step_own(size_t i)
{
    ebb_str view = ebb_builder_view(builder(i));
    ebb_str s = ebb_str_slice(view, pick(view.len + 1), pick(50));
    char kept[50];
    if (s.len) memcpy(kept, s.ptr, s.len);
    appended(i, ebb_builder_append(builder(i), s), kept, s.len);
}

static void step_char(size_t i)
{
    char c = (char)pick(256);
    appended(i, ebb_builder_char(builder(i), c), &c, 1);
}

static void step_fill(size_t i)
{
    char bytes[PIECE];
    size_t len = pick(PIECE);
    memset(bytes, 'f', PIECE);
    appended(i, ebb_builder_fill(builder(i), 'f', len), bytes, len);
}

static void step_number(size_t i)
{
    char text[32];
    uint64_t u = rng_next(&running->r) >> pick(64);
    bool ok;
    int n;
    switch (pick(4)) {
    case 0:
        n = snprintf(text, sizeof text, "%" PRIu64, u);
        ok = ebb_builder_u64(builder(i), u);
        break;
    case 1:
        n = snprintf(text, sizeof text, "%" PRId64, (int64_t)u);
        ok = ebb_builder_i64(builder(i), (int64_t)u);
        break;
    case 2:
        n = snprintf(text, sizeof text, "%012" PRIx64, u);
        ok = ebb_builder_hex(builder(i), u, 12);
        break;
    default:
        n = snprintf(text, sizeof text, "%u.5", (unsigned)u);
        ok = ebb_builder_double(builder(i), (unsigned)u + 0.5);
    }
    appended(i, ok, text, (size_t)n);
}

static void step_printf(size_t i)
{
    char text[PIECE];
    int width = (int)pick(PIECE - 1), value = (int)pick(1000);
    int n = snprintf(text, sizeof text, "%-*d|", width, value);
    if (n >= (int)sizeof text) return;
    appended(i, ebb_builder_printf(builder(i), "%-*d|", width, value), text, (size_t)n);
}

static void step_json(size_t i)
{
    char bytes[PIECE], escaped[6 * PIECE + 2];
    ebb_str s = random_piece(bytes);
    for (size_t k = 0; k < s.len; k++) bytes[k] &= 0x7f;
    escaped[0] = '"';
    size_t n = plain_json(escaped + 1, s);
    escaped[n + 1] = '"';
    if (pick(2)) appended(i, ebb_builder_json(builder(i), s), escaped, n + 2);
    else appended(i, ebb_builder_json_part(builder(i), s), escaped + 1, n);
}

static void step_url(size_t i)
{
    char bytes[PIECE], escaped[3 * PIECE + 1];
    ebb_str s = random_piece(bytes);
    size_t n = plain_url(escaped, s);
    appended(i, ebb_builder_url(builder(i), s), escaped, n);
}

static void step_join(size_t i)
{
    char bytes[3][PIECE], all[4 * PIECE];
    ebb_str parts[3];
    size_t count = pick(4), n = 0;
    for (size_t k = 0; k < count; k++) {
        parts[k] = random_piece(bytes[k]);
        if (k) all[n++] = ';';
        memcpy(all + n, parts[k].ptr, parts[k].len);
        n += parts[k].len;
    }
    appended(i, ebb_builder_join(builder(i), parts, count, EBB_STR(";")), all, n);
}

static void step_extend(size_t i)
{
    char bytes[PIECE];
    ebb_str s = random_piece(bytes);
    char *to = ebb_builder_extend(builder(i), s.len);
    if (to) memcpy(to, s.ptr, s.len);
    appended(i, to != NULL, s.ptr, s.len);
}

/* ---- other steps ------------------------------------------------------------------------------- */

static void step_reserve(size_t i)
{
    size_t room = pick(2000);
    bool ok = ebb_builder_reserve(builder(i), room);
    appended(i, ok, "", 0);
    if (!ok) return;
    char *at = builder(i)->ptr;
    for (; room >= 8; room -= 8)
        appended(i, ebb_builder_append(builder(i), EBB_STR("reserved")), "reserved", 8);
    MUST(builder(i)->ptr == at);
}

/* Not below a mark's length: the copy that it keeps shows these bytes. */
static size_t least_length(size_t i)
{
    size_t least = 0;
    for (size_t d = 0; d < running->depth; d++) {
        size_t len = running->marks[d].state.p[i].len;
        least = len > least ? len : least;
    }
    return least;
}

static void step_truncate(size_t i)
{
    plain *p = &running->now.p[i];
    size_t len = pick(p->len + 10);
    if (len < least_length(i)) return;
    ebb_builder_truncate(builder(i), len);
    if (len < p->len) p->len = len;
    verify_builder(i);
}

static void step_reset(size_t i)
{
    if (running->depth || (!running->now.p[i].failed && pick(8))) return;
    ebb_builder_reset(builder(i));
    running->now.p[i].len = 0;
    running->now.p[i].failed = false;
    if (ebb_failed(running->a)) ebb_recover(running->a);
    verify_builder(i);
}

static bool is_in_a_mark(size_t i)
{
    for (size_t d = 0; d < running->depth; d++)
        if (running->marks[d].state.b[i].ptr) return true;
    return false;
}

static void step_finish(size_t i)
{
    state *now = &running->now;
    plain *p = &now->p[i];
    if (now->strings == STRINGS || is_in_a_mark(i)) return;
    ebb_str s = ebb_builder_finish(builder(i));
    if (p->failed) {
        MUST(!s.ptr && s.len == 0 && ebb_builder_failed(builder(i)) != EBB_OK);
        return;
    }
    MUST(s.ptr && s.len == p->len);
    now->s[now->strings] = s;
    plain_copy(&now->t[now->strings++], p);
    p->len = 0;
    verify_builder(i);
}

static void step_object(size_t i)
{
    size_t size = 1 + pick(pick(10) ? 100 : 3000);
    void *p = ebb_alloc(running->a, size);
    if (p) memset(p, (int)i, size);
    else MUST(running->refuses);
}

static void step_mark(size_t i)
{
    (void)i;
    if (running->depth == MARKS) return;
    snapshot *s = &running->marks[running->depth++];
    s->mark = ebb_arena_mark(running->a);
    state_copy(&s->state, &running->now);
}

static void step_rewind(size_t i)
{
    (void)i;
    if (running->depth == 0) return;
    size_t to = pick(running->depth);
    ebb_arena_rewind(running->a, running->marks[to].mark);
    state_copy(&running->now, &running->marks[to].state);
    running->depth = pick(3) ? to : to + 1;
    verify_all();
}

/* ---- programs ---------------------------------------------------------------------------------- */

static const struct {
    step_fn *fn;
    unsigned weight;
} steps[] = {
    {step_append, 300}, {step_own, 20},      {step_char, 100}, {step_fill, 20},   {step_number, 60},
    {step_printf, 30},  {step_json, 40},     {step_url, 30},   {step_join, 20},   {step_extend, 20},
    {step_reserve, 6},  {step_truncate, 20}, {step_reset, 15}, {step_finish, 12}, {step_object, 60},
    {step_mark, 4},     {step_rewind, 4},
};

static step_fn *pick_step(void)
{
    const size_t n = sizeof steps / sizeof *steps;
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++) sum += steps[i].weight;
    size_t at = pick(sum), i = 0;
    for (; at >= steps[i].weight; i++) at -= steps[i].weight;
    return steps[i].fn;
}

static void start_anew(void)
{
    ebb_arena_reset(running->a);
    state_free(&running->now);
    for (size_t i = 0; i < BUILDERS; i++) {
        running->now.b[i] = ebb_builder_in(running->a);
        plain_set(&running->now.p[i], "", 0);
    }
    running->depth = 0;
}

static bool is_large(void)
{
    for (size_t i = 0; i < BUILDERS; i++)
        if (running->now.p[i].len > MOST) return true;
    return running->now.strings == STRINGS;
}

static void run_program(uint64_t seed, unsigned long length, ebb_arena *a, bool refuses)
{
    static program p;
    memset(&p, 0, sizeof p);
    p.seed = p.r.state = seed;
    p.a = a;
    p.refuses = refuses;
    running = &p;
    start_anew();
    for (; p.step < length; p.step++) {
        pick_step()(pick(BUILDERS));
        if (p.step % 64 == 0) verify_all();
        if (is_large() && p.depth == 0) start_anew();
        else if (is_large()) step_rewind(0);
    }
    verify_all();
    state_free(&p.now);
    for (size_t i = 0; i < MARKS; i++) state_free(&p.marks[i].state);
    ebb_arena_destroy(&a);
}

static ebb_arena *make(uint64_t seed)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.size = seed % 3 == 0 ? 100000 : seed % 3 == 1 ? 600 : 0;
    params.wipe = seed % 5 == 0;
    return ebb_arena_create(&params);
}

#define A_MILLION 1000000ul

static void run_programs(uint64_t first_seed, unsigned long in_all)
{
    const unsigned long length = 5000;
    unsigned long programs = scaled(in_all / length);
    for (unsigned long i = 0; i < programs; i++)
        run_program(first_seed + i, length, make(first_seed + i), false);
}

Test(builder_model, plain)
{
    run_programs(1, A_MILLION);
}

Test(builder_model, window_closed)
{
    ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch){.this_thread = true}, NULL, NULL);
    cr_assert(c != NULL);
    run_programs(10001, A_MILLION / 4);
    ebb_tracker_end(&c);
}

Test(builder_model, strict)
{
    ebb_checks_set(EBB_CHECKS_STRICT);
    run_programs(20001, A_MILLION / 10);
}

Test(builder_model, allocations_fail)
{
    const unsigned long length = 5000;
    unsigned long programs = scaled(A_MILLION / length), failures = 0;
    for (unsigned long i = 0; i < programs; i++) {
        ebb_arena *a = make(30001 + i);
        ebb_fault_params some = {.probability = i % 2 ? 0.02 : 0.3, .seed = i};
        ebb_fault *f = ebb_fault_begin((ebb_watch){.this_thread = true}, &some, NULL);
        cr_assert(f != NULL);
        run_program(30001 + i, length, a, true);
        failures += running->failures;
        ebb_fault_end(&f);
    }
    cr_assert(failures > programs, "failed %lu times", failures);
}

/* Near a limit the smallest chunks are taken, and the failure comes from there. */
Test(builder_model, at_a_limit)
{
    const unsigned long length = 5000;
    unsigned long programs = scaled(A_MILLION / 4 / length), failures = 0;
    for (unsigned long i = 0; i < programs; i++) {
        ebb_arena *a = make(40001 + i);
        cr_assert(ebb_arena_set_limit(a, 0, 8000 + (i % 20) * 1000, 0));
        run_program(40001 + i, length, a, true);
        failures += running->failures;
    }
    cr_assert(failures > programs, "failed %lu times", failures);
}

/* ---- every allocation of a scenario ------------------------------------------------------------ */

/* What is there is a beginning of what should be; what is finished is all of it. */
static void scenario(ebb_arena *a)
{
    static const char wanted[] = "name=\"J\\u0000rg\",120;one, two;x%20y;";
    ebb_builder b = ebb_builder_in(a), other = ebb_builder_in(a);
    ebb_str list[] = {EBB_STR("one"), EBB_STR("two")};
    for (int i = 0; i < 40; i++) {
        ebb_builder_append(&b, EBB_STR("name="));
        ebb_builder_json(&b, EBB_STR("J\0rg"));
        ebb_builder_printf(&b, ",%d", 12);
        ebb_builder_i64(&b, 0);
        ebb_builder_char(&b, ';');
        ebb_builder_join(&b, list, 2, EBB_STR(", "));
        ebb_builder_char(&b, ';');
        ebb_builder_url(&b, EBB_STR("x y"));
        ebb_builder_append(&b, EBB_STR(";"));
        ebb_builder_append(&other, EBB_STR("in between"));
    }
    bool failed = ebb_builder_failed(&b) != EBB_OK;
    size_t len = ebb_builder_len(&b), one = sizeof wanted - 1;
    for (size_t i = 0; i < len; i++) cr_assert_eq(b.ptr[i], wanted[i % one]);
    ebb_str s = ebb_builder_finish(&b);
    cr_assert_eq(s.ptr == NULL, failed);
    if (!failed) cr_assert_eq(s.len, 40 * one);
    cr_assert_null(ebb_arena_validate(a));
}

Test(builder_model, each_failure)
{
    ebb_arena *a = ebb_arena_create(NULL);
    unsigned runs = 0;
    EBB_EACH_FAILURE (f, .arena = a) {
        scenario(a);
        ebb_arena_reset(a);
        runs++;
    }
    cr_assert(runs > 5, "%u", runs);
    ebb_arena_destroy(&a);
}
