/*
 * tests/model/test_share_model.c: random programs with shared objects, against a plain model that
 * counts by hand: references, scopes that hold, rewind and reset, weak references, objects that hold
 * objects, roots that are replaced under readers, canonical objects. An object may never end while
 * the model has a reference to it, and must have ended once it has none and nothing waits.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OBJECTS = 128,
    REFS = 48,
    SCOPES = 6,
    MARKS = 4,
    HOLDS = 64,
    PINS = 64,
    WEAKS = 24,
    ROOTS = 2,
    WAITING = 512,
    DEPS = 3,
    KINDS = 8
};
static const uint64_t SEED = 20240611;

struct object {
    ebb_shared *s;
    int refs, weak; /* as the model counts: roots, scopes, garbage, other objects included */
    bool used, ended;
    int dep[DEPS], deps;
    int *body; /* what was built: its own number */
};

struct scope {
    ebb_arena *a;
    bool patient, reads;
    uint64_t since; /* the epoch when it first read */
    int hold[HOLDS], holds;
    int pin[PINS], pins;
    ebb_mark mark[MARKS];
    int marked[MARKS], marks;
};

static struct object obj[OBJECTS];
static struct scope scope[SCOPES];
static int ref[REFS];    /* objects, -1: none */
static int weaks[WEAKS]; /* the same */
static ebb_weak *weak_handle[WEAKS];
static ebb_root root[ROOTS];
static int in_root[ROOTS];
static struct {
    int object;
    uint64_t stamp;
} garbage[WAITING];
static int waiting;
static uint64_t epoch = 1;
static ebb_canon *table;
static int canonical[KINDS]; /* entered, and alive; -1: none */
static rng r;
static unsigned long step;
static ebb_profile patient = EBB_PROFILE("patient", .long_lived = true);

static void fail(const char *what)
{
    fprintf(stderr, "share model: seed %llu, step %lu: %s\n", (unsigned long long)SEED, step, what);
    exit(1);
}

static void must(bool so, const char *what)
{
    if (!so) fail(what);
}

static int any(int n)
{
    return (int)rng_below(&r, (size_t)n);
}

/* ---- the model's counts ---------------------------------------------------------------------- */

static void take(int i)
{
    obj[i].refs++;
}

static void let_go(int i)
{
    struct object *o = &obj[i];
    must(o->refs > 0, "the model let go twice");
    if (--o->refs > 0) return;
    for (int k = 0; k < KINDS; k++)
        if (canonical[k] == i) canonical[k] = -1;
    while (o->deps > 0) let_go(o->dep[--o->deps]);
}

static bool is_watched(uint64_t stamp)
{
    for (int i = 0; i < SCOPES; i++)
        if (scope[i].a && scope[i].reads && scope[i].since <= stamp) return true;
    return false;
}

/* What nobody can be reading may have ended. */
static void give_up(void)
{
    int n = 0;
    for (int i = 0; i < waiting; i++) {
        if (is_watched(garbage[i].stamp)) garbage[n++] = garbage[i];
        else let_go(garbage[i].object);
    }
    waiting = n;
}

/* And now it has. */
static void settle(void)
{
    give_up();
    must(ebb_share_collect() == (size_t)waiting, "more or less waits than should");
}

static void check(void)
{
    give_up();
    for (int i = 0; i < OBJECTS; i++) {
        struct object *o = &obj[i];
        if (!o->used) continue;
        must(o->refs == 0 || !o->ended, "an object ended that is held");
        must(o->refs == 0 || *o->body == i, "an object has changed");
    }
}

/* With nothing in between: exact. */
static void check_all(void)
{
    ebb_share_stats s;
    uint64_t alive = 0, weak = 0, readers = 0;
    settle();
    for (int i = 0; i < OBJECTS; i++) {
        struct object *o = &obj[i];
        if (!o->used) continue;
        must((o->refs == 0) == o->ended, "an object did not end");
        must(!o->refs || !ebb_shared_validate(o->s), "an object is not sound");
        alive += o->refs > 0;
        if (o->refs == 0 && o->weak == 0) o->used = false;
    }
    for (int i = 0; i < SCOPES; i++) readers += scope[i].a && scope[i].reads;
    ebb_share_get_stats(&s);
    for (int i = 0; i < OBJECTS; i++) weak += obj[i].used && obj[i].refs == 0;
    must(s.alive == alive, "alive");
    must(s.weak >= weak, "weak"); /* the table keeps some more */
    must(s.readers == readers, "readers");
    must(s.deferred == (uint64_t)waiting, "deferred");
    must(ebb_share_list(NULL, 0) == alive, "the list");
}

static int pick_ref(void)
{
    for (int tries = 0; tries < 8; tries++) {
        int i = any(REFS);
        if (ref[i] >= 0) return i;
    }
    return -1;
}

static int free_in(const int *list, int n)
{
    for (int i = 0; i < n; i++)
        if (list[i] < 0) return i;
    return -1;
}

/* ---- what can be done ------------------------------------------------------------------------ */

static void note_end(void *arg)
{
    obj[*(int *)arg].ended = true;
}

static int free_object(void)
{
    for (int i = 0; i < OBJECTS; i++)
        if (!obj[i].used) return i;
    return -1;
}

static void hold_deps(struct object *o, ebb_arena *a)
{
    for (int k = any(DEPS + 1); k > 0; k--) {
        int from = pick_ref();
        if (from < 0 || !ebb_shared_hold_for(obj[ref[from]].s, a)) continue;
        take(ref[from]);
        o->dep[o->deps++] = ref[from];
    }
}

static int build(void)
{
    int i = free_object();
    if (i < 0) return -1;
    struct object *o = &obj[i];
    *o = (struct object){.used = true, .refs = 1};
    ebb_arena *a = ebb_shared_begin("object");
    if (rng_one_in(&r, 2)) ebb_alloc(a, rng_below(&r, 20000));
    o->body = ebb_new(a, int);
    *o->body = i;
    ebb_defer(a, note_end, o->body);
    hold_deps(o, a);
    o->s = ebb_shared_seal(&a, o->body, NULL);
    must(o->s != NULL, "sealing failed");
    return i;
}

static void do_build(void)
{
    int to = free_in(ref, REFS);
    if (to >= 0) ref[to] = build();
}

static void do_hold(void)
{
    int from = pick_ref(), to = free_in(ref, REFS);
    if (from < 0 || to < 0) return;
    must(ebb_shared_hold(obj[ref[from]].s) == obj[ref[from]].s, "hold");
    ref[to] = ref[from];
    take(ref[to]);
}

static void do_drop(void)
{
    int from = pick_ref();
    if (from < 0) return;
    ebb_shared *s = obj[ref[from]].s;
    let_go(ref[from]);
    ref[from] = -1;
    ebb_shared_drop(&s);
}

static struct scope *pick_scope(void)
{
    struct scope *s = &scope[any(SCOPES)];
    if (s->a) return s;
    *s = (struct scope){.patient = rng_one_in(&r, 4)};
    s->a = ebb_scope_begin(s->patient ? &patient : NULL);
    return s;
}

static void unhold(struct scope *s, int down_to)
{
    while (s->holds > down_to) let_go(s->hold[--s->holds]);
}

static void let_all_go(struct scope *s)
{
    unhold(s, 0);
    while (s->pins > 0) let_go(s->pin[--s->pins]);
    s->marks = 0;
    s->reads = false;
}

static void do_end(void)
{
    struct scope *s = pick_scope();
    if (rng_one_in(&r, 3)) {
        ebb_arena_reset(s->a);
        let_all_go(s);
        return;
    }
    ebb_scope_end(&s->a);
    let_all_go(s);
}

static void do_mark(void)
{
    struct scope *s = pick_scope();
    if (s->marks == MARKS) return;
    s->mark[s->marks] = ebb_arena_mark(s->a);
    s->marked[s->marks++] = s->holds;
}

static void do_rewind(void)
{
    struct scope *s = pick_scope();
    if (s->marks == 0) return;
    s->marks = 1 + any(s->marks); /* it can be used again; newer ones can't */
    ebb_arena_rewind(s->a, s->mark[s->marks - 1]);
    unhold(s, s->marked[s->marks - 1]);
}

static void do_hold_for(void)
{
    struct scope *s = pick_scope();
    int from = pick_ref();
    ebb_fault *f = NULL;
    if (from < 0 || s->holds == HOLDS) return;
    if (rng_one_in(&r, 16))
        f = ebb_fault_begin((ebb_watch){.arena = s->a}, &(ebb_fault_params){.nth = 1}, NULL);
    bool ok = ebb_shared_hold_for(obj[ref[from]].s, s->a);
    must(ok || (f && ebb_fault_hits(f) > 0), "hold_for failed");
    ebb_fault_end(&f);
    if (!ok) return;
    take(ref[from]);
    s->hold[s->holds++] = ref[from];
}

static void do_alloc(void)
{
    ebb_alloc(pick_scope()->a, rng_below(&r, 3000));
}

static void do_weak(void)
{
    int from = pick_ref(), to = free_in(weaks, WEAKS);
    if (from < 0) return;
    if (to < 0 || rng_one_in(&r, 3)) {
        to = any(WEAKS);
        if (weaks[to] < 0) return;
        ebb_weak_drop(&weak_handle[to]);
        obj[weaks[to]].weak--;
        weaks[to] = -1;
        return;
    }
    weaks[to] = ref[from];
    obj[weaks[to]].weak++;
    weak_handle[to] = ebb_weak_of(obj[weaks[to]].s);
}

static void do_upgrade(void)
{
    int from = any(WEAKS), to = free_in(ref, REFS);
    if (weaks[from] < 0 || to < 0) return;
    settle();
    ebb_shared *s = ebb_weak_upgrade(weak_handle[from]);
    must((s != NULL) == (obj[weaks[from]].refs > 0), "upgrade");
    if (!s) return;
    ref[to] = weaks[from];
    take(ref[to]);
}

static void do_set(void)
{
    int i = any(ROOTS), from = rng_one_in(&r, 6) ? -1 : pick_ref();
    if (waiting == WAITING) settle();
    if (waiting == WAITING) return;
    ebb_shared *s = from < 0 ? NULL : obj[ref[from]].s;
    must(ebb_root_set(&root[i], &s) && !s, "set");
    if (in_root[i] >= 0) {
        garbage[waiting].object = in_root[i];
        garbage[waiting++].stamp = epoch++;
    }
    in_root[i] = from < 0 ? -1 : ref[from]; /* the reference went there */
    if (from >= 0) ref[from] = -1;
}

static bool has_pinned(const struct scope *s, int i)
{
    for (int k = 0; k < s->pins; k++)
        if (s->pin[k] == i) return true;
    return false;
}

static void do_get(void)
{
    struct scope *s = pick_scope();
    int i = any(ROOTS), now = in_root[i];
    if (s->patient && s->pins == PINS) return;
    const int *body = ebb_root_get(&root[i], s->a, NULL);
    must(now < 0 ? !body : body && *body == now, "get");
    if (s->patient && now >= 0 && !has_pinned(s, now)) {
        take(now);
        s->pin[s->pins++] = now;
    }
    if (s->patient || s->reads) return;
    s->reads = true;
    s->since = epoch;
}

static void do_root_hold(void)
{
    int i = any(ROOTS), to = free_in(ref, REFS);
    if (to < 0) return;
    ebb_shared *s = ebb_root_hold(&root[i], NULL);
    must(in_root[i] < 0 ? !s : s == obj[in_root[i]].s, "root hold");
    ref[to] = in_root[i];
    if (s) take(ref[to]);
}

static bool is_one(void *ctx, const void *body)
{
    return *(const int *)body == *(int *)ctx;
}

/* Kind k is whatever object was entered for it. */
static void do_canon(void)
{
    int k = any(KINDS), to = free_in(ref, REFS), from = pick_ref();
    uint64_t hash = ebb_hash_u64((uint64_t)(k / 2), 0); /* two kinds share one */
    if (to < 0) return;
    settle();
    int want = canonical[k];
    ebb_shared *s = want < 0 ? NULL : ebb_canon_find(table, hash, is_one, &want);
    must(want < 0 || s == obj[want].s, "canon find");
    if (s) {
        ref[to] = want;
        take(want);
        return;
    }
    if (from < 0) return;
    for (int other = 0; other < KINDS; other++)
        if (canonical[other] == ref[from]) return;
    want = ref[from];
    s = obj[want].s;
    must(ebb_canon_put(table, hash, is_one, &want, &s) && s == obj[want].s, "canon put");
    canonical[k] = want;
}

/* By turns much is held, and little. */
static void act(void)
{
    if ((step >> 10 & 1) && any(2)) {
        do_drop();
        return;
    }
    switch (any(20)) {
    case 0:
    case 1:
    case 2: do_build(); break;
    case 3: do_hold(); break;
    case 4:
    case 5:
    case 6: do_drop(); break;
    case 7: do_end(); break;
    case 8: do_mark(); break;
    case 9: do_rewind(); break;
    case 10:
    case 11: do_hold_for(); break;
    case 12: do_alloc(); break;
    case 13: do_weak(); break;
    case 14: do_upgrade(); break;
    case 15: do_set(); break;
    case 16:
    case 17: do_get(); break;
    case 18: do_root_hold(); break;
    default: do_canon(); break;
    }
}

static void begin(void)
{
    for (int i = 0; i < REFS; i++) ref[i] = -1;
    for (int i = 0; i < WEAKS; i++) weaks[i] = -1;
    for (int i = 0; i < ROOTS; i++) in_root[i] = -1;
    for (int i = 0; i < KINDS; i++) canonical[i] = -1;
    table = ebb_canon_create();
    r.state = SEED;
}

static void finish(void)
{
    ebb_shared *none = NULL;
    for (int i = 0; i < SCOPES; i++) {
        ebb_scope_end(&scope[i].a);
        let_all_go(&scope[i]);
    }
    for (int i = 0; i < ROOTS; i++) must(ebb_root_set(&root[i], &none), "set");
    for (int i = 0; i < REFS; i++) {
        if (ref[i] < 0) continue;
        ebb_shared *s = obj[ref[i]].s;
        ebb_shared_drop(&s);
    }
    for (int i = 0; i < WEAKS; i++) ebb_weak_drop(&weak_handle[i]);
    ebb_canon_destroy(&table);
    must(ebb_share_collect() == 0, "something waits for nobody");
    ebb_share_stats s;
    ebb_share_get_stats(&s);
    must(s.alive + s.bytes + s.weak + s.deferred + s.readers == 0, "something is left");
}

static void run(unsigned long steps)
{
    begin();
    for (step = 0; step < steps; step++) {
        act();
        check();
        if (rng_one_in(&r, 64)) check_all();
    }
    finish();
}

Test(share_model, random_programs)
{
    run(scaled(1000000));
}

Test(share_model, random_programs_strictly_checked)
{
    ebb_checks_set(EBB_CHECKS_STRICT);
    run(scaled(50000));
}
