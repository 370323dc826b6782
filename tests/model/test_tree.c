/*
 * tests/model/test_tree.c: random families of arenas against a plain model. test_model.c is about what
 * lies inside one arena; this is about what they are to each other: parents and children, adoption,
 * detachment, limits and budgets, failure, marks over all that, and the hooks' blocks.
 *
 * The model knows each arena's parent, children in the order of their birth, objects, pending cleanups
 * and budget. Checked all along: contents, whose memory it is, the order in which cleanups run, how many
 * open children are reported, that `charged` is the sum of what a subtree holds, and that a budget's
 * `used` is the sum of what is charged to it.
 *
 * Seeds are fixed; a failure prints its own. EBB_TEST_SCALE divides the number of steps.
 */
#include "test.h"

#include <ebb/compat/malloc.h>
#include <ebb/ebb.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 14, OBJECTS = 80, CLEANUPS = 40, BUDGETS = 3, LOG = 1000, BUFFER = 2048 };

typedef struct object {
    char *ptr;
    size_t size;
    uint64_t seed;
    unsigned born; /* by its node's clock; moved or resized: born again */
    bool hooks;    /* a block of the hooks, so it may be freed */
} object;

typedef struct node {
    ebb_arena *arena; /* NULL: this place is free */
    int parent;       /* -1: a root */
    unsigned clock;   /* counts everything that is born here */
    unsigned born;    /* by its parent's clock */
    object object[OBJECTS];
    int objects;
    struct {
        int number;
        unsigned born;
    } cleanup[CLEANUPS];
    int cleanups;
    ebb_mark mark;
    unsigned marked; /* the clock at the mark; 0: there is none */
    int budget;      /* -1: none of its own */
    bool created, limited, in_buffer, has_source, keep_open, failed;
    char *buffer;
} node;

typedef struct family {
    uint64_t seed;
    rng random;
    unsigned long step;
    node node[NODES];
    ebb_budget *budget[BUDGETS];
    test_source source;
    int next_cleanup, ran[LOG], ran_count, expected[LOG], expected_count;
    uint64_t next_seed;
    unsigned reports_expected;
    reports reports;
} family;

static family *f;

static void fail_at(const char *what, int line)
{
    fprintf(stderr, "seed %" PRIu64 ", step %lu, line %d: %s\n%s", f->seed, f->step, line, what,
            f->reports.all);
    fflush(stderr);
    abort();
}

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) fail_at(#x, __LINE__);                                                           \
    } while (0)

static size_t pick(size_t below)
{
    return rng_below(&f->random, below);
}

static bool one_in(size_t n)
{
    return rng_one_in(&f->random, n);
}

/* ---- looking ----------------------------------------------------------------------------------- */

static ebb_arena_stats stats_of(const node *n)
{
    ebb_arena_stats s;
    ebb_arena_get_stats(n->arena, &s);
    return s;
}

static int index_of(const node *n)
{
    return (int)(n - f->node);
}

static bool is_below(int i, int top)
{
    for (; i >= 0; i = f->node[i].parent)
        if (i == top) return true;
    return false;
}

static size_t held_below(int top)
{
    size_t held = 0;
    for (int i = 0; i < NODES; i++)
        if (f->node[i].arena && is_below(i, top)) held += stats_of(&f->node[i]).held;
    return held;
}

static uint32_t children_of(int parent)
{
    uint32_t count = 0;
    for (int i = 0; i < NODES; i++) count += f->node[i].arena && f->node[i].parent == parent;
    return count;
}

static void check_objects(const node *n)
{
    for (int i = 0; i < n->objects; i++) {
        const object *o = &n->object[i];
        MUST(pattern_check(o->ptr, o->size, o->seed) == o->size);
        if (o->size == 0 || n->in_buffer || n->has_source) continue;
        MUST(ebb_arena_of(o->ptr) == n->arena);
        MUST(ebb_arena_of(o->ptr + o->size - 1) == n->arena);
    }
}

static void check_node(const node *n)
{
    const char *broken = ebb_arena_validate(n->arena);
    if (broken) fail_at(broken, __LINE__);
    ebb_arena_stats s = stats_of(n);
    MUST(ebb_arena_parent(n->arena) == (n->parent < 0 ? NULL : f->node[n->parent].arena));
    MUST(s.children == children_of(index_of(n)));
    MUST(s.cleanups == (uint32_t)n->cleanups);
    MUST(s.used <= s.held && s.held <= s.peak);
    MUST((s.failed != EBB_OK) == n->failed);
    if (n->limited || n->budget >= 0) MUST(s.charged == held_below(index_of(n)));
    check_objects(n);
}

static size_t budget_used(int b)
{
    ebb_budget_stats s;
    ebb_budget_get_stats(f->budget[b], &s);
    return s.used;
}

/* The last budget is part of the first. Their quantum is 1, so no more than a byte of credit each lies
   about. */
static void check_budget(int b)
{
    size_t sum = b == 0 ? budget_used(BUDGETS - 1) : 0, used = budget_used(b);
    for (int i = 0; i < NODES; i++)
        if (f->node[i].arena && f->node[i].budget == b) sum += stats_of(&f->node[i]).charged;
    MUST(used == sum || used == sum + 1);
}

static void check_all(void)
{
    for (int i = 0; i < NODES; i++)
        if (f->node[i].arena) check_node(&f->node[i]);
    for (int b = 0; b < BUDGETS; b++) check_budget(b);
}

/* ---- cleanups, and what ends ------------------------------------------------------------------- */

static void run_cleanup(void *number)
{
    MUST(f->ran_count < LOG);
    f->ran[f->ran_count++] = (int)(intptr_t)number;
}

static void expect_cleanups_after(node *n, unsigned born)
{
    while (n->cleanups > 0 && n->cleanup[n->cleanups - 1].born > born)
        f->expected[f->expected_count++] = n->cleanup[--n->cleanups].number;
}

static node *youngest_child(int parent, unsigned born_after)
{
    node *best = NULL;
    for (int i = 0; i < NODES; i++) {
        node *n = &f->node[i];
        if (!n->arena || n->parent != parent || n->born <= born_after) continue;
        if (!best || n->born > best->born) best = n;
    }
    return best;
}

static void expect_end(node *n);

static void expect_children_end(node *n, unsigned born_after)
{
    for (node *c; (c = youngest_child(index_of(n), born_after));) {
        f->reports_expected += !c->keep_open;
        expect_end(c);
    }
}

/* What ends with it does so youngest first, and before it. */
static void expect_end(node *n)
{
    expect_children_end(n, 0);
    expect_cleanups_after(n, 0);
    n->arena = NULL;
}

static void must_have_happened(void)
{
    MUST(f->ran_count == f->expected_count);
    MUST(memcmp(f->ran, f->expected, (size_t)f->ran_count * sizeof *f->ran) == 0);
    f->ran_count = f->expected_count = 0;
    MUST(f->reports.misuse == 0);
    MUST(f->reports.mended == f->reports_expected);
}

/* ---- objects ----------------------------------------------------------------------------------- */

static bool may_fail(const node *n)
{
    if (n->in_buffer) return true;
    for (int i = index_of(n); i >= 0; i = f->node[i].parent)
        if (f->node[i].limited || f->node[i].budget >= 0) return true;
    return false;
}

/* Scopes are sticky, created arenas here are not. */
static bool must_fail(const node *n)
{
    return n->failed && !n->created;
}

static void note_failure(node *n)
{
    MUST(must_fail(n) || may_fail(n));
    MUST(ebb_failed(n->arena) != EBB_OK);
    n->failed = true;
}

static void remember(node *n, char *ptr, size_t size, bool hooks)
{
    object *o = &n->object[n->objects++];
    *o = (object){ptr, size, f->next_seed++, ++n->clock, hooks};
    pattern_fill(ptr, size, o->seed);
}

static size_t pick_size(void)
{
    if (one_in(40)) return pick(300000);
    return one_in(8) ? pick(5000) : pick(200);
}

static void step_alloc(node *n)
{
    size_t size = pick_size();
    if (n->objects == OBJECTS) return;
    char *p = one_in(3) ? ebb_resize(n->arena, NULL, 0, size) : ebb_alloc(n->arena, size);
    if (!p) {
        note_failure(n);
        return;
    }
    MUST(!must_fail(n));
    remember(n, p, size, false);
}

static void step_resize(node *n)
{
    if (n->objects == 0) return;
    object *o = &n->object[pick((size_t)n->objects)];
    if (o->hooks) return;
    size_t size = one_in(3) ? pick(o->size + 1) : o->size + pick(2000);
    char *p = ebb_resize(n->arena, o->ptr, o->size, size);
    if (!p) {
        note_failure(n);
        return;
    }
    MUST(size <= o->size || !must_fail(n));
    size_t kept = size < o->size ? size : o->size;
    MUST(pattern_check(p, kept, o->seed) == kept);
    *o = (object){p, size, o->seed, ++n->clock, false};
    pattern_fill(p, size, o->seed);
}

static void step_hook(node *n)
{
    if (n->in_buffer || n->has_source) return;
    EBB_ENTER(n->arena);
    size_t size = pick(600);
    object *o = n->objects ? &n->object[pick((size_t)n->objects)] : NULL;
    if (!o || !o->hooks) {
        if (n->objects == OBJECTS) return;
        char *p = ebb_hook_malloc(size);
        if (p) remember(n, p, size, true);
        else note_failure(n);
        return;
    }
    MUST(ebb_hook_size(o->ptr) == o->size);
    if (one_in(2)) {
        ebb_hook_free(o->ptr);
        *o = n->object[--n->objects];
        return;
    }
    char *p = ebb_hook_realloc(o->ptr, size);
    if (!p) {
        note_failure(n);
        return;
    }
    size_t kept = size < o->size ? size : o->size;
    MUST(pattern_check(p, kept, o->seed) == kept);
    *o = (object){p, size, o->seed, ++n->clock, true};
    pattern_fill(p, size, o->seed);
}

static void step_promote(node *n)
{
    if (n->objects == 0 || n->parent < 0 || n->in_buffer || n->has_source) return;
    node *up = &f->node[n->parent];
    const object *o = &n->object[pick((size_t)n->objects)];
    if (up->objects == OBJECTS || o->size == 0) return;
    MUST(ebb_promote(n->arena, o->ptr, o->size) == (void *)o->ptr);
    char *p = ebb_promote(up->arena, o->ptr, o->size);
    if (!p) {
        note_failure(up);
        return;
    }
    MUST(p != o->ptr && pattern_check(p, o->size, o->seed) == o->size);
    remember(up, p, o->size, false);
}

static void step_defer(node *n)
{
    if (n->cleanups == CLEANUPS) return;
    int number = ++f->next_cleanup;
    if (!ebb_defer(n->arena, run_cleanup, (void *)(intptr_t)number)) {
        MUST(may_fail(n) && f->ran_count == 1 && f->ran[0] == number); /* it has run at once */
        f->ran_count = 0;
        return;
    }
    n->cleanup[n->cleanups].number = number;
    n->cleanup[n->cleanups++].born = ++n->clock;
}

static void step_recover(node *n)
{
    ebb_recover(n->arena);
    n->failed = false;
    MUST(ebb_failed(n->arena) == EBB_OK);
}

/* ---- life -------------------------------------------------------------------------------------- */

static node *free_place(void)
{
    for (int i = 0; i < NODES; i++)
        if (!f->node[i].arena) return &f->node[i];
    return NULL;
}

static void start(node *n, ebb_arena *a, int parent)
{
    char *buffer = n->buffer;
    memset(n, 0, sizeof *n);
    n->buffer = buffer;
    n->arena = a;
    n->parent = parent;
    n->budget = -1;
    if (parent >= 0) n->born = ++f->node[parent].clock;
    n->failed = ebb_failed(a) != EBB_OK;
}

static void begin_root(node *n)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    size_t kind = pick(6), budget = pick(BUDGETS);
    if (kind < 2) {
        start(n, ebb_scope_begin(NULL), -1);
        return;
    }
    params.wipe = one_in(3);
    if (kind == 3) {
        params.buffer = n->buffer;
        params.buffer_size = BUFFER;
        params.buffer_only = one_in(2);
    }
    if (kind == 4) params.source = &f->source.source;
    if (kind == 5) params.budget = f->budget[budget];
    start(n, ebb_arena_create(&params), -1);
    n->created = true;
    n->in_buffer = kind == 3;
    n->has_source = kind == 4;
    if (kind == 5) n->budget = (int)budget;
    MUST(!n->failed || kind == 5);
}

static void step_begin(node *parent)
{
    node *n = free_place();
    if (!n) return;
    if (one_in(4)) {
        begin_root(n);
        return;
    }
    ebb_arena *a = ebb_scope_begin_in(parent->arena, NULL);
    start(n, a, index_of(parent));
    if (n->failed) MUST(may_fail(parent) && ebb_failed(a) == EBB_E_LIMIT);
}

static void step_end(node *n)
{
    ebb_arena *a = n->arena;
    bool created = n->created;
    expect_end(n);
    if (created) ebb_arena_destroy(&a);
    else ebb_scope_end(&a);
    must_have_happened();
}

static void step_keep_open(node *n)
{
    ebb_scope_keep_open(n->arena);
    if (n->parent >= 0) n->keep_open = true;
}

static void step_reset(node *n)
{
    expect_children_end(n, 0);
    expect_cleanups_after(n, 0);
    ebb_arena_reset(n->arena);
    must_have_happened();
    n->objects = 0;
    n->marked = 0;
    n->failed = false;
}

static void step_mark(node *n)
{
    n->mark = ebb_arena_mark(n->arena);
    n->marked = ++n->clock;
}

/* What has moved or shrunk since is nobody's business after a rewind. */
static void step_rewind(node *n)
{
    if (!n->marked) return;
    expect_children_end(n, n->marked);
    expect_cleanups_after(n, n->marked);
    ebb_arena_rewind(n->arena, n->mark);
    must_have_happened();
    int kept = 0;
    for (int i = 0; i < n->objects; i++)
        if (n->object[i].born < n->marked) n->object[kept++] = n->object[i];
    n->objects = kept;
}

/* ---- relations --------------------------------------------------------------------------------- */

static int nearest_budget(const node *n)
{
    for (int i = index_of(n); i >= 0; i = f->node[i].parent)
        if (f->node[i].budget >= 0) return f->node[i].budget;
    return -1;
}

static void step_detach(node *n)
{
    ebb_arena *a = n->arena, *same = ebb_scope_detach(&a);
    MUST(a == NULL && same == n->arena);
    ebb_scope_attach(same);
    n->budget = nearest_budget(n);
    n->parent = -1;
    n->born = 0;
}

static void move_children(node *into, node *from)
{
    for (unsigned after = 0;;) {
        node *oldest = NULL;
        for (int i = 0; i < NODES; i++) {
            node *c = &f->node[i];
            bool is = c->arena && c->parent == index_of(from) && c->born > after;
            if (is && (!oldest || c->born < oldest->born)) oldest = c;
        }
        if (!oldest) return;
        after = oldest->born;
        oldest->parent = index_of(into);
        oldest->born = ++into->clock;
    }
}

/* Where the adopter is one with a memory of its own, whose memory an object is can't be told the same way. */
static bool may_adopt(const node *into, const node *child)
{
    if (is_below(index_of(into), index_of(child)) || child->in_buffer) return false;
    if (child->has_source || into->in_buffer || into->has_source) return false;
    return into->objects + child->objects <= OBJECTS &&
           into->cleanups + child->cleanups <= CLEANUPS;
}

static void step_adopt(node *into)
{
    node *child = &f->node[pick(NODES)];
    if (!child->arena || !may_adopt(into, child)) return;
    ebb_arena *handle = child->arena;
    ebb_arena_adopt(into->arena, &handle);
    MUST(handle == NULL);
    for (int i = 0; i < child->objects; i++) {
        into->object[into->objects] = child->object[i];
        into->object[into->objects++].born = ++into->clock;
    }
    for (int i = 0; i < child->cleanups; i++) {
        into->cleanup[into->cleanups].number = child->cleanup[i].number;
        into->cleanup[into->cleanups++].born = ++into->clock;
    }
    move_children(into, child);
    into->failed |= child->failed;
    child->arena = NULL;
    must_have_happened();
}

static void step_limit(node *n)
{
    size_t hard = one_in(3) ? 0 : stats_of(n).held + pick(200000);
    MUST(ebb_arena_set_limit(n->arena, pick(100000), hard, pick(3000)));
    n->limited = true;
}

static void step_charge(node *n)
{
    int b = (int)pick(BUDGETS + 1) - 1;
    MUST(ebb_scope_charge(n->arena, b < 0 ? NULL : f->budget[b]));
    n->limited = true; /* it counts from now on, whoever is charged */
    n->budget = b;
}

static void step_trim(node *n)
{
    size_t used = stats_of(n).used;
    ebb_arena_trim(n->arena);
    MUST(stats_of(n).used == used);
}

/* ---- programs ---------------------------------------------------------------------------------- */

static const struct {
    void (*fn)(node *);
    unsigned weight;
} steps[] = {
    {step_alloc, 200},  {step_resize, 50}, {step_hook, 80},   {step_promote, 20},
    {step_defer, 60},   {step_begin, 90},  {step_end, 40},    {step_reset, 3},
    {step_mark, 25},    {step_rewind, 20}, {step_detach, 12}, {step_adopt, 40},
    {step_limit, 25},   {step_charge, 15}, {step_trim, 5},    {step_keep_open, 8},
    {step_recover, 15},
};

static void step(void)
{
    unsigned sum = 0;
    const size_t count = sizeof steps / sizeof *steps;
    for (size_t i = 0; i < count; i++) sum += steps[i].weight;
    size_t r = pick(sum), i = 0;
    for (; r >= steps[i].weight; i++) r -= steps[i].weight;
    node *n = &f->node[pick(NODES)];
    if (n->arena) steps[i].fn(n);
    else if (one_in(4)) begin_root(n);
    f->step++;
    if (f->step % 32 == 0) check_all();
}

static void family_begin(uint64_t seed)
{
    memset(f, 0, sizeof *f);
    f->seed = f->random.state = seed;
    reports_start(&f->reports);
    test_source_init(&f->source);
    for (int i = 0; i < NODES; i++) f->node[i].buffer = aligned_alloc(64, BUFFER);
    for (size_t b = 0; b < BUDGETS; b++) {
        ebb_budget_params params = EBB_BUDGET_PARAMS_INIT;
        params.quantum = 1;
        params.hard = b == 0 ? 0 : 2000000 * b;
        f->budget[b] = ebb_budget_create(b == BUDGETS - 1 ? f->budget[0] : NULL, &params);
    }
}

/* The budget that is part of another goes first. */
static void family_end(void)
{
    check_all();
    for (int i = 0; i < NODES; i++) {
        while (f->node[i].arena && f->node[i].parent >= 0) step_detach(&f->node[i]);
        if (f->node[i].arena) step_end(&f->node[i]);
    }
    MUST(f->source.live == 0 && f->source.wrong_frees == 0);
    for (int b = BUDGETS - 1; b >= 0; b--) {
        MUST(budget_used(b) <= (b == 0 ? 2 : 1));
        ebb_budget_destroy(&f->budget[b]);
    }
    for (int i = 0; i < NODES; i++) free(f->node[i].buffer);
    test_source_fini(&f->source);
    MUST(f->reports.misuse == 0);
    reports_stop();
}

enum { STEPS = 4000 };

static void run_families(uint64_t first_seed, unsigned long steps_in_all)
{
    static family all;
    f = &all;
    for (unsigned long i = 0; i < scaled(steps_in_all / STEPS); i++) {
        family_begin(first_seed + i);
        while (f->step < STEPS) step();
        family_end();
    }
}

Test(tree, plain)
{
    run_families(1, 1000000);
}

Test(tree, window_closed)
{
    ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch){.this_thread = true}, NULL, NULL);
    run_families(10001, 400000);
    ebb_tracker_end(&c);
}

static _Atomic bool stop;

static void *toggle(void *unused)
{
    (void)unused;
    while (!atomic_load(&stop)) {
        ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch)EBB_WATCH_INIT, NULL, NULL);
        ebb_tracker_end(&c);
    }
    return NULL;
}

Test(tree, window_toggled_by_another_thread)
{
    pthread_t t;
    cr_assert_eq(pthread_create(&t, NULL, toggle, NULL), 0);
    run_families(20001, 400000);
    atomic_store(&stop, true);
    pthread_join(t, NULL);
}

Test(tree, strict)
{
    ebb_checks_set(EBB_CHECKS_STRICT);
    run_families(30001, 200000);
}

Test(tree, validating)
{
    ebb_checks_set(EBB_CHECKS_VALIDATE);
    run_families(40001, 100000);
}
