/*
 * Random programs against a plain model.
 *
 * The model knows, for each arena, which objects are alive and what bytes they hold, which cleanups are
 * pending in which order, and which marks may be rewound to. A mark keeps a copy of all that; a rewind
 * restores it, and with it the number of bytes in use. After each step the arena must be sound, objects
 * must not overlap, and every byte must be what the model says.
 *
 * Seeds are fixed; a failure prints its own. EBB_TEST_SCALE divides the number of steps.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_OBJECTS = 160, MOST_MARKS = 8, MOST_CLEANUPS = 40, MOST_SIZE = 1 << 20, SAMPLE = 64 };

typedef struct object {
    unsigned char *ptr;
    size_t size;
    unsigned char seed;
} object;

typedef struct state {
    object objects[MOST_OBJECTS];
    int count;
    int cleanups[MOST_CLEANUPS]; /* numbers, oldest first; negative: cancelled */
    int cleanup_count;
} state;

typedef struct snapshot {
    ebb_mark mark;
    state state;
    size_t used;
    bool exact; /* no older object has grown in its own block since */
} snapshot;

typedef struct model {
    ebb_arena *arena;
    state now;
    snapshot marks[MOST_MARKS];
    int depth;
} model;

typedef struct program {
    uint64_t seed;
    rng random;
    unsigned long step;
    model root;
    int next_cleanup;
    int ran[MOST_CLEANUPS]; /* in the order in which they ran, since last looked at */
    int ran_count;
    bool bytes_counted;
} program;

static program *running; /* cleanups have one argument only */

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
    return rng_below(&running->random, below);
}

/* ---- contents ---------------------------------------------------------------------------------- */

static unsigned char byte_at(const object *o, size_t i)
{
    return (unsigned char)(o->seed + i * 31 + (i >> 8));
}

static void fill(object *o, size_t from)
{
    for (size_t i = from; i < o->size; i++) o->ptr[i] = byte_at(o, i);
}

/* All of a small object; both ends and a sample of a large one. */
static void verify(const object *o)
{
    if (o->size <= 512) {
        for (size_t i = 0; i < o->size; i++) MUST(o->ptr[i] == byte_at(o, i));
        return;
    }
    for (size_t i = 0; i < SAMPLE; i++) {
        MUST(o->ptr[i] == byte_at(o, i));
        MUST(o->ptr[o->size - 1 - i] == byte_at(o, o->size - 1 - i));
        size_t at = pick(o->size);
        MUST(o->ptr[at] == byte_at(o, at));
    }
}

static void verify_all(const model *m)
{
    const char *broken = ebb_arena_validate(m->arena);
    if (broken) fail_at(broken, __LINE__);
    for (int i = 0; i < m->now.count; i++) verify(&m->now.objects[i]);
}

static bool overlap(const object *a, const object *b)
{
    return a->ptr < b->ptr + b->size && b->ptr < a->ptr + a->size;
}

static void must_not_overlap(const model *m, const object *fresh)
{
    for (int i = 0; i < m->now.count; i++)
        if (&m->now.objects[i] != fresh) MUST(!overlap(&m->now.objects[i], fresh));
}

static size_t used(const ebb_arena *a)
{
    ebb_arena_stats s;
    ebb_arena_get_stats(a, &s);
    MUST(s.used <= s.held);
    return s.used;
}

/* ---- steps ------------------------------------------------------------------------------------- */

/* Mostly small, sometimes a page or more, rarely up to a mebibyte. */
static size_t pick_size(void)
{
    size_t r = pick(1000);
    if (r < 50) return 0;
    if (r < 900) return pick(300);
    if (r < 990) return pick(6000);
    return r < 999 ? pick(100000) : pick(MOST_SIZE);
}

static void remember(model *m, void *ptr, size_t size)
{
    object *o = &m->now.objects[m->now.count++];
    *o = (object){ptr, size, (unsigned char)pick(256)};
    must_not_overlap(m, o);
    fill(o, 0);
}

static bool full(const model *m)
{
    return m->now.count == MOST_OBJECTS;
}

/* Every allocation may fail where there is a limit; then it must be the limit, and nothing changed. */
static void *checked(model *m, void *p, size_t align)
{
    if (!p) {
        MUST(ebb_failed(m->arena) == EBB_E_LIMIT || ebb_failed(m->arena) == EBB_E_MEMORY);
        ebb_recover(m->arena);
        MUST(ebb_failed(m->arena) == EBB_OK);
        return NULL;
    }
    MUST((uintptr_t)p % align == 0);
    return p;
}

static void step_alloc(model *m)
{
    size_t size = pick_size(), align = (size_t)1 << pick(pick(20) ? 7 : 13);
    if (full(m)) return;
    void *p = checked(m, ebb_alloc_aligned(m->arena, size, align), align);
    if (p) remember(m, p, size);
}

static void step_zalloc(model *m)
{
    size_t size = pick_size();
    if (full(m)) return;
    unsigned char *p = checked(m, ebb_zalloc(m->arena, size), 16);
    if (!p) return;
    for (size_t i = 0; i < size; i += size / 32 + 1) MUST(p[i] == 0);
    remember(m, p, size);
}

static void step_text(model *m)
{
    char small[64];
    if (full(m)) return;
    int n = snprintf(small, sizeof small, "%lu", running->step);
    char *p = pick(2) ? ebb_strdup(m->arena, small) : ebb_printf(m->arena, "%lu", running->step);
    if (!checked(m, p, 1)) return;
    MUST(strcmp(p, small) == 0);
    remember(m, p, (size_t)n + 1);
}

static void step_optional(model *m)
{
    size_t size = pick_size();
    if (full(m)) return;
    void *p = ebb_alloc_optional(m->arena, size);
    MUST(ebb_failed(m->arena) == EBB_OK);
    if (p) remember(m, p, size);
}

static void step_too_large(model *m)
{
    size_t before = used(m->arena);
    MUST(ebb_alloc(m->arena, SIZE_MAX / 2 - pick(4096)) == NULL);
    MUST(ebb_failed(m->arena) == EBB_E_MEMORY);
    MUST(used(m->arena) == before);
    ebb_recover(m->arena);
}

/* An empty builder: an object that begins at no bytes. */
static void step_builder(model *m)
{
    if (full(m)) return;
    size_t size = pick(2) ? 0 : pick(40);
    void *p = checked(m, ebb_resize(m->arena, NULL, 0, size), 16);
    if (p) remember(m, p, size);
}

static size_t pick_new_size(const object *o)
{
    switch (pick(6)) {
    case 0: return o->size + 1;
    case 1: return o->size + pick(64);
    case 2: return o->size * 2 + 1 < MOST_SIZE ? o->size * 2 + 1 : o->size;
    case 3: return o->size ? pick(o->size) : 0;
    case 4: return 0;
    default: return o->size + pick(5000);
    }
}

/* Bytes given up are given up for good, also where a rewind brings the object back. */
static void shrink_in_marks(model *m, const unsigned char *ptr, size_t size)
{
    for (int i = 0; i < m->depth; i++)
        for (int k = 0; k < m->marks[i].state.count; k++) {
            object *o = &m->marks[i].state.objects[k];
            if (o->ptr == ptr && o->size > size) o->size = size;
        }
}

static void step_resize(model *m)
{
    if (m->now.count == 0) return;
    object *o = &m->now.objects[pick(4) ? (size_t)m->now.count - 1 : pick((size_t)m->now.count)];
    size_t size = pick_new_size(o), old = o->size;
    unsigned char *p = ebb_resize(m->arena, o->ptr, old, size);
    if (!p) {
        checked(m, p, 1);
        return;
    }
    if (size <= old) {
        MUST(p == o->ptr);
        shrink_in_marks(m, p, size);
    }
    if (size > old && p == o->ptr)
        for (int i = 0; i < m->depth; i++) m->marks[i].exact = false;
    o->ptr = p;
    o->size = size;
    must_not_overlap(m, o);
    verify(&(object){p, size < old ? size : old, o->seed});
    fill(o, old < size ? old : size);
}

static void run_cleanup(void *arg)
{
    program *p = running;
    MUST(p->ran_count < MOST_CLEANUPS);
    p->ran[p->ran_count++] = (int)(intptr_t)arg;
}

static void step_defer(model *m)
{
    if (m->now.cleanup_count == MOST_CLEANUPS) return;
    int number = ++running->next_cleanup;
    if (!ebb_defer(m->arena, run_cleanup, (void *)(intptr_t)number)) { /* the stock is used up */
        MUST(running->ran_count == 1 && running->ran[0] == number);
        running->ran_count = 0;
        return;
    }
    m->now.cleanups[m->now.cleanup_count++] = number;
}

/* Cancelled in every copy that a mark keeps, too: it will not run, whatever is rewound to. */
static void cancel_in(state *s, int number)
{
    for (int i = 0; i < s->cleanup_count; i++)
        if (s->cleanups[i] == number) s->cleanups[i] = -number;
}

static void step_cancel(model *m)
{
    if (m->now.cleanup_count == 0) return;
    int number = m->now.cleanups[pick((size_t)m->now.cleanup_count)];
    bool pending = number > 0;
    MUST(ebb_defer_cancel(m->arena, run_cleanup, (void *)(intptr_t)abs(number)) == pending);
    if (!pending) return;
    cancel_in(&m->now, number);
    for (int i = 0; i < m->depth; i++) cancel_in(&m->marks[i].state, number);
}

/* What has run must be what was pending above `keep`, newest first. */
static void must_have_run(const state *s, int keep)
{
    int n = 0;
    for (int i = s->cleanup_count - 1; i >= keep; i--) {
        if (s->cleanups[i] < 0) continue;
        MUST(n < running->ran_count && running->ran[n] == s->cleanups[i]);
        n++;
    }
    MUST(n == running->ran_count);
    running->ran_count = 0;
}

static void step_mark(model *m)
{
    if (m->depth == MOST_MARKS) return;
    snapshot *s = &m->marks[m->depth++];
    s->mark = ebb_arena_mark(m->arena);
    s->state = m->now;
    s->used = used(m->arena);
    s->exact = true;
}

static void step_rewind(model *m)
{
    if (m->depth == 0) return;
    int to = (int)pick((size_t)m->depth);
    const snapshot *s = &m->marks[to];
    ebb_arena_rewind(m->arena, s->mark);
    must_have_run(&m->now, s->state.cleanup_count);
    m->now = s->state;
    if (s->exact) MUST(used(m->arena) == s->used);
    m->depth = pick(2) ? to : to + 1; /* the same mark may be used again */
    verify_all(m);
}

static void step_reset(model *m)
{
    ebb_arena_reset(m->arena);
    must_have_run(&m->now, 0);
    m->now.count = m->now.cleanup_count = m->depth = 0;
    MUST(used(m->arena) == 0);
    verify_all(m);
}

static void step_trim(model *m)
{
    size_t before = used(m->arena);
    ebb_arena_trim(m->arena);
    MUST(used(m->arena) == before);
}

static void step_promote(model *m)
{
    if (m->now.count == 0 || full(m)) return;
    const object *o = &m->now.objects[pick((size_t)m->now.count)];
    if (o->size == 0) return; /* may lie at another object's beginning */
    MUST(ebb_promote(m->arena, o->ptr, o->size) == (void *)o->ptr);
    MUST(ebb_arena_of(o->ptr) == m->arena);
}

static void a_few_steps(model *m, int n);

/* A child lives for a while; then it ends, or the parent adopts it. */
static void step_child(model *m)
{
    static model child; /* too large for a stack; a child has no children here */
    if (m == &child) return;
    memset(&child, 0, sizeof child);
    child.arena = ebb_scope_begin_in(m->arena, NULL);
    MUST(ebb_arena_parent(child.arena) == m->arena);
    if (ebb_failed(child.arena)) ebb_recover(child.arena);
    a_few_steps(&child, (int)pick(30));
    verify_all(&child);
    bool fits = m->now.count + child.now.count <= MOST_OBJECTS &&
                m->now.cleanup_count + child.now.cleanup_count <= MOST_CLEANUPS;
    if (pick(2) || !fits) {
        ebb_scope_end(&child.arena);
        must_have_run(&child.now, 0);
        return;
    }
    ebb_arena_adopt(m->arena, &child.arena);
    for (int i = 0; i < child.now.count; i++) {
        object *o = &m->now.objects[m->now.count++];
        *o = child.now.objects[i];
        must_not_overlap(m, o);
    }
    for (int i = 0; i < child.now.cleanup_count; i++)
        m->now.cleanups[m->now.cleanup_count++] = child.now.cleanups[i];
}

/* ---- programs ---------------------------------------------------------------------------------- */

typedef void step_fn(model *m);

static const struct {
    step_fn *fn;
    unsigned weight;
} steps[] = {
    {step_alloc, 300},  {step_zalloc, 30},  {step_text, 60},     {step_optional, 30},
    {step_builder, 40}, {step_resize, 200}, {step_defer, 40},    {step_cancel, 15},
    {step_mark, 40},    {step_rewind, 35},  {step_reset, 4},     {step_trim, 5},
    {step_child, 12},   {step_promote, 20}, {step_too_large, 2},
};

static step_fn *pick_step(void)
{
    static unsigned sum;
    const size_t n = sizeof steps / sizeof *steps;
    if (!sum)
        for (size_t i = 0; i < n; i++) sum += steps[i].weight;
    size_t r = pick(sum), i = 0;
    for (; r >= steps[i].weight; i++) r -= steps[i].weight;
    return steps[i].fn;
}

static void a_few_steps(model *m, int n)
{
    for (int i = 0; i < n; i++) {
        pick_step()(m);
        running->step++;
        if (running->step % 64 == 0) verify_all(m);
        if (full(m) && m->depth == 0) step_reset(m);
    }
}

static void run_program(uint64_t seed, unsigned long length, ebb_arena *a)
{
    static program p;
    memset(&p, 0, sizeof p);
    p.seed = p.random.state = seed;
    p.root.arena = a;
    running = &p;
    while (p.step < length) a_few_steps(&p.root, 16);
    verify_all(&p.root);
    ebb_arena *end = a;
    ebb_arena_destroy(&end);
    must_have_run(&p.root.now, 0);
}

/* Many programs of a few thousand steps each, a million steps in all. */
static void run_programs(uint64_t first_seed, unsigned long steps_in_all,
                         ebb_arena *(*make)(uint64_t seed))
{
    const unsigned long length = 5000;
    unsigned long programs = scaled(steps_in_all / length);
    for (unsigned long i = 0; i < programs; i++)
        run_program(first_seed + i, length, make(first_seed + i));
}

static ebb_arena *make_plain(uint64_t seed)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.size = seed % 3 == 0 ? 100000 : seed % 3 == 1 ? 600 : 0;
    params.wipe = seed % 5 == 0;
    params.sticky = seed % 2;
    return ebb_arena_create(&params);
}

/* Near a limit the smallest chunks that fit are taken. */
static ebb_arena *make_cramped(uint64_t seed)
{
    ebb_arena *a = make_plain(seed | 1);
    MUST(ebb_arena_set_limit(a, 0, 6000 + (size_t)(seed % 30) * 2000, 500));
    return a;
}

#define A_MILLION 1000000ul

Test(model, plain)
{
    run_programs(1, A_MILLION, make_plain);
}

Test(model, with_the_least_chunks)
{
    running = &(program){.seed = 0};
    run_programs(10001, A_MILLION, make_cramped);
}

Test(model, window_closed)
{
    ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch){.this_thread = true}, NULL, NULL);
    cr_assert(c != NULL);
    run_programs(20001, A_MILLION, make_plain);
    ebb_totals s;
    ebb_tracker_get_totals(c, &s);
    cr_assert(s.count > scaled(A_MILLION / 4));
    ebb_tracker_end(&c);
}

static _Atomic bool stop;

static void *toggle(void *arg)
{
    (void)arg;
    while (!stop) {
        ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch){.arena = NULL}, NULL, NULL);
        sched_yield();
        ebb_tracker_end(&c);
    }
    return NULL;
}

Test(model, window_toggled_by_another_thread)
{
    pthread_t other;
    stop = false;
    cr_assert(pthread_create(&other, NULL, toggle, NULL) == 0);
    run_programs(30001, A_MILLION, make_plain);
    stop = true;
    pthread_join(other, NULL);
}

Test(model, strict)
{
    ebb_checks_set(EBB_CHECKS_STRICT);
    run_programs(40001, A_MILLION / 4, make_plain);
}

Test(model, validating)
{
    ebb_checks_set(EBB_CHECKS_VALIDATE);
    run_programs(50001, A_MILLION / 10, make_cramped);
}
