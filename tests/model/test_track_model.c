/*
 * tests/model/test_track_model.c: what trackers count against what random programs did: allocations,
 * growths, marks, rewinds, resets, children, adoption, with every step on whichever thread comes next,
 * so that arenas are handed over all the time and what is made on one thread is let go on another.
 *
 * The model keeps, for each arena, the allocations that have not been let go, with their sizes and when
 * they were made. What has grown is a new allocation, and the old one is let go.
 *
 * Seeds are fixed; a failure prints its own. EBB_TEST_SCALE divides the number of steps.
 */
#include "test.h"

#include <ebb/ebb.h>
#include <ebb/track.h>

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { ARENAS = 6, OBJECTS = 400, MARKS = 4, WORKERS = 3, KINDS = 3 };

static ebb_profile profiles[KINDS] = {EBB_PROFILE("track model 0"), EBB_PROFILE("track model 1"),
                                      EBB_PROFILE("track model 2")};

typedef struct object {
    char *ptr;
    size_t size;
    unsigned born;
    bool adopted; /* grown, its old place is let go only with its arena */
} object;

typedef struct node {
    ebb_arena *arena; /* NULL: this place is free */
    unsigned clock;
    object object[OBJECTS];
    int objects;
    struct {
        ebb_mark mark;
        unsigned clock;
    } mark[MARKS];
    int marks;
} node;

typedef struct sums {
    uint64_t count, bytes, begins;
} sums;

typedef struct program {
    uint64_t seed;
    rng random;
    unsigned long step;
    node node[ARENAS];
    sums all, kind[KINDS];
    uint64_t live_count, live_bytes;
} program;

static _Thread_local program *p; /* of whoever makes the step */

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "seed %" PRIu64 ", step %lu, line %d: %s\n", p->seed, p->step,         \
                    __LINE__, #x);                                                                 \
            fflush(stderr);                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static size_t pick(size_t below)
{
    return rng_below(&p->random, below);
}

/* ---- what is counted --------------------------------------------------------------------------- */

static int kind_of(const node *n)
{
    return (int)(n - p->node) % KINDS;
}

static void counted(const node *n, size_t size)
{
    p->all.count++;
    p->all.bytes += size;
    p->kind[kind_of(n)].count++;
    p->kind[kind_of(n)].bytes += size;
}

static void made(node *n, void *ptr, size_t size)
{
    MUST(ptr != NULL);
    n->object[n->objects++] = (object){ptr, size, ++n->clock, false};
    p->live_count++;
    p->live_bytes += size;
}

static void let_go(node *n, int i)
{
    p->live_count--;
    p->live_bytes -= n->object[i].size;
    n->object[i] = n->object[--n->objects];
}

static void let_go_after(node *n, unsigned clock)
{
    for (int i = n->objects - 1; i >= 0; i--)
        if (n->object[i].born > clock) let_go(n, i);
}

/* ---- steps ------------------------------------------------------------------------------------- */

static size_t pick_size(void)
{
    size_t r = pick(1000);
    return r < 900 ? 1 + pick(300) : r < 990 ? 1 + pick(6000) : 1 + pick(300000);
}

static void begin(node *n)
{
    memset(n, 0, sizeof *n);
    n->arena = ebb_scope_begin(&profiles[kind_of(n)]);
    p->all.begins++;
    p->kind[kind_of(n)].begins++;
}

static void *allocated(node *n, size_t *size)
{
    static const char text[300] = "";
    switch (pick(6)) {
    case 0: return ebb_zalloc(n->arena, *size);
    case 1: return ebb_alloc_aligned(n->arena, *size, (size_t)1 << pick(10));
    case 2: return ebb_dup(n->arena, text, *size = *size < sizeof text ? *size : sizeof text);
    case 3: return *size = 2, ebb_strdup(n->arena, "x");
    case 4: return *size = 6, ebb_printf(n->arena, "%05d", (int)pick(1000));
    default: return ebb_alloc(n->arena, *size);
    }
}

static void step_alloc(node *n)
{
    size_t size = pick_size();
    void *ptr = allocated(n, &size);
    counted(n, size);
    made(n, ptr, size);
}

static void step_grow(node *n)
{
    if (n->objects == 0) return;
    int i = pick(3) ? n->objects - 1 : (int)pick((size_t)n->objects);
    object old = n->object[i];
    if (old.adopted) return;
    size_t size = old.size + 1 + pick(pick(4) ? 20 : 5000);
    char *ptr = ebb_resize(n->arena, old.ptr, old.size, size);
    counted(n, size);
    let_go(n, i);
    made(n, ptr, size);
}

static void step_mark(node *n)
{
    if (n->marks == MARKS) return;
    n->mark[n->marks].mark = ebb_arena_mark(n->arena);
    n->mark[n->marks++].clock = n->clock;
}

static void step_rewind(node *n)
{
    if (n->marks == 0) return;
    int to = (int)pick((size_t)n->marks);
    ebb_arena_rewind(n->arena, n->mark[to].mark);
    let_go_after(n, n->mark[to].clock);
    n->marks = to;
}

static void step_reset(node *n)
{
    ebb_arena_reset(n->arena);
    let_go_after(n, 0);
    n->marks = 0;
}

static void step_end(node *n)
{
    ebb_scope_end(&n->arena);
    let_go_after(n, 0);
}

/* What was the other's is made anew here, by the model's clock. */
static void step_adopt(node *n)
{
    node *other = &p->node[pick(ARENAS)];
    if (other == n || !other->arena || n->objects + other->objects > OBJECTS) return;
    ebb_arena_adopt(n->arena, &other->arena);
    n->clock++;
    for (int i = 0; i < other->objects; i++) {
        n->object[n->objects] = other->object[i];
        n->object[n->objects].adopted = true;
        n->object[n->objects++].born = n->clock;
    }
}

static void step(void)
{
    node *n = &p->node[pick(ARENAS)];
    size_t r = pick(1000);
    p->step++;
    if (!n->arena) begin(n);
    else if (n->objects == OBJECTS) step_end(n);
    else if (r < 600) step_alloc(n);
    else if (r < 800) step_grow(n);
    else if (r < 860) step_mark(n);
    else if (r < 920) step_rewind(n);
    else if (r < 930) step_reset(n);
    else if (r < 960) step_adopt(n);
    else step_end(n);
}

static void end_all(void)
{
    for (int i = 0; i < ARENAS; i++)
        if (p->node[i].arena) step_end(&p->node[i]);
}

/* ---- checks ------------------------------------------------------------------------------------ */

static void must_be(const ebb_totals *t, const sums *s)
{
    MUST(t->count == s->count);
    MUST(t->bytes == s->bytes);
    MUST(t->begins == s->begins);
    MUST(t->dropped == 0);
}

/* The kinds and the sites add up to the totals, and each kind is what the model says. */
static void must_add_up(const ebb_report *r)
{
    sums kinds = {0}, sites = {0}, moments = {0};
    for (size_t i = 0; i < r->kind_count; i++) {
        const ebb_report_kind *k = &r->kind[i];
        for (int m = 0; m < KINDS; m++) {
            if (strcmp(k->name, profiles[m].name) != 0) continue;
            MUST(k->count == p->kind[m].count && k->bytes == p->kind[m].bytes);
            MUST(k->begins == p->kind[m].begins);
        }
        kinds.count += k->count, kinds.bytes += k->bytes, kinds.begins += k->begins;
    }
    for (size_t i = 0; i < r->site_count; i++)
        sites.count += r->site[i].count, sites.bytes += r->site[i].bytes;
    for (size_t i = 0; i < r->moment_count; i++)
        moments.count += r->moment[i].count, moments.bytes += r->moment[i].bytes,
            moments.begins += r->moment[i].begins;
    must_be(&r->totals, &kinds);
    MUST(sites.count == r->totals.count && sites.bytes == r->totals.bytes);
    MUST(moments.count == r->totals.count && moments.bytes == r->totals.bytes);
    MUST(moments.begins == r->totals.begins);
}

static ebb_tracker *track(ebb_track_level level, size_t every)
{
    const ebb_tracker_params how = {.level = level, .sample_bytes = every};
    ebb_tracker *t = ebb_tracker_begin("model", (ebb_watch)EBB_WATCH_INIT, &how, NULL);
    cr_assert_not_null(t);
    return t;
}

static void look(ebb_tracker *sites, ebb_tracker *full)
{
    ebb_totals t;
    ebb_tracker_get_totals(sites, &t);
    must_be(&t, &p->all);
    ebb_tracker_get_totals(full, &t);
    must_be(&t, &p->all);
    MUST(t.live_count == p->live_count);
    MUST(t.live_bytes == p->live_bytes);
}

/* Its own arena begins, too. */
static void look_closely(ebb_tracker *t)
{
    static char buffer[1 << 20];
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.buffer = buffer;
    params.buffer_size = sizeof buffer;
    ebb_arena *into = ebb_arena_create(&params);
    p->all.begins++;
    ebb_report *r = ebb_tracker_report(t, into);
    MUST(r != NULL);
    must_add_up(r);
    p->all.count++; /* it, itself */
    p->all.bytes = r->totals.bytes;
    ebb_totals now;
    ebb_tracker_get_totals(t, &now);
    p->all.bytes = now.bytes;
    ebb_arena_destroy(&into);
}

/* ---- programs whose steps go round the threads --------------------------------------------------- */

typedef struct turn {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int whose; /* -1: nobody's any more */
    program *program;
    unsigned long left;
} turn;

/* Where checks are strict a hand-over must be told. */
static void take_over(void)
{
    for (int i = 0; i < ARENAS; i++)
        if (p->node[i].arena) ebb_scope_attach(p->node[i].arena);
}

static void *worker(void *arg)
{
    static _Atomic int names;
    turn *t = arg;
    int me = names++ % WORKERS;
    pthread_mutex_lock(&t->lock);
    while (t->whose >= 0) {
        if (t->whose != me) {
            pthread_cond_wait(&t->changed, &t->lock);
            continue;
        }
        p = t->program;
        take_over();
        for (size_t n = 1 + pick(20); n > 0 && t->left > 0; n--, t->left--) step();
        t->whose = t->left ? (int)pick(WORKERS) : -1;
        pthread_cond_broadcast(&t->changed);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

static void run_round(program *of, unsigned long steps)
{
    turn t = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, of, steps};
    pthread_t thread[WORKERS];
    for (int i = 0; i < WORKERS; i++) cr_assert(!pthread_create(&thread[i], NULL, worker, &t));
    for (int i = 0; i < WORKERS; i++) pthread_join(thread[i], NULL);
    p = of;
}

Test(track_model, exact_levels_count_what_was_done_wherever_it_was)
{
    static program one;
    const unsigned long rounds = scaled(100);
    for (unsigned long seed = 1; seed <= rounds; seed++) {
        memset(&one, 0, sizeof one);
        one.seed = one.random.state = seed;
        p = &one;
        ebb_tracker *sites = track(EBB_TRACK_SITES, 0), *full = track(EBB_TRACK_FULL, 0);
        for (int i = 0; i < 5; i++) {
            run_round(&one, 400);
            look(sites, full);
        }
        take_over();
        end_all();
        look(sites, full);
        MUST(p->live_count == 0 && p->live_bytes == 0);
        look_closely(seed % 2 ? sites : full);
        ebb_tracker_end(&sites);
        ebb_tracker_end(&full);
    }
}

/* ---- threads at the same time -------------------------------------------------------------------- */

static void *run_alone(void *arg)
{
    p = arg;
    while (p->step < scaled(100000)) step();
    end_all();
    return NULL;
}

static sums run_together(program *programs)
{
    pthread_t thread[WORKERS];
    sums all = {0, 0, 0};
    for (int i = 0; i < WORKERS; i++) {
        memset(&programs[i], 0, sizeof programs[i]);
        programs[i].seed = programs[i].random.state = 1000 + (uint64_t)i;
        cr_assert(!pthread_create(&thread[i], NULL, run_alone, &programs[i]));
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(thread[i], NULL);
        all.count += programs[i].all.count;
        all.bytes += programs[i].all.bytes;
        all.begins += programs[i].all.begins;
    }
    p = &programs[0];
    return all;
}

static program programs[WORKERS];

Test(track_model, exact_levels_count_threads_at_the_same_time)
{
    ebb_tracker *sites = track(EBB_TRACK_SITES, 0), *full = track(EBB_TRACK_FULL, 0);
    sums all = run_together(programs);
    ebb_totals t;
    ebb_tracker_get_totals(sites, &t);
    must_be(&t, &all);
    ebb_tracker_get_totals(full, &t);
    must_be(&t, &all);
    MUST(t.live_count == 0 && t.live_bytes == 0);
    ebb_tracker_end(&sites);
    ebb_tracker_end(&full);
}

/* Five standard errors: one run in a million goes beyond; the seeds are fixed, so none does. */
static void must_estimate(const ebb_totals *t, const sums *s, size_t every)
{
    double error = (double)every * sqrt((double)t->samples);
    fprintf(stderr, "# %" PRIu64 " samples: bytes off by %.2f standard errors at most\n",
            t->samples, fabs((double)t->bytes - (double)s->bytes) / error);
    MUST(t->samples > 100);
    MUST(fabs((double)t->bytes - (double)s->bytes) < 5 * error);
    MUST(t->begins == s->begins);
}

Test(track_model, samples_estimate_what_was_done)
{
    const size_t every = 4096;
    ebb_tracker *sample = track(EBB_TRACK_SAMPLE, every);
    sums all = run_together(programs);
    ebb_totals t;
    ebb_tracker_get_totals(sample, &t);
    must_estimate(&t, &all, every);
    ebb_tracker_end(&sample);
}

Test(track_model, samples_estimate_the_same_where_windows_are_closed)
{
    const size_t every = 4096;
    ebb_tracker *sample = track(EBB_TRACK_SAMPLE, every), *sites = track(EBB_TRACK_SITES, 0);
    sums all = run_together(programs);
    ebb_totals t;
    ebb_tracker_get_totals(sample, &t);
    must_estimate(&t, &all, every);
    ebb_tracker_get_totals(sites, &t);
    must_be(&t, &all);
    ebb_tracker_end(&sample);
    ebb_tracker_end(&sites);
}
