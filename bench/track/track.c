/*
 * bench/track/track.c: what tracking costs an allocation, and a stack. `./run bench track` calls it; by
 * hand:
 *
 *     bench-track ROUNDS [WORKLOAD]    raw samples (bench/harness/harness.h)
 *     bench-track --count WORKLOAD     instructions, under callgrind
 *
 * The loops are those of bench/arena: W1, an arena reset after 1000 blocks of 16 bytes; W2, a scope with
 * 200 blocks of mixed sizes; W3, a scope with 8 of 32. Contestants are one loop with a tracker of each
 * level, of the whole process, and without one: before the first ("never") and, where instructions are
 * counted, after the last ("off again"). A tracker begins in the untimed operations that come before
 * each timed batch, since what is measured is an allocation, not the tracker's beginning.
 */
#include "stack.h"

#include "../arena/inputs.h"
#include "../harness/harness.h"

#include <ebb/ebb.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- levels ---------------------------------------------------------------------------------- */

enum { NOT_TRACKED = -1, LEVELS = EBB_TRACK_FULL + 1 };

static ebb_tracker *tracker;
static int tracked = NOT_TRACKED;

/* Let the process be tracked at this level, or not; nothing if it is already. */
static void track_at(int level)
{
    if (level == tracked) return;
    tracked = level;
    ebb_tracker_end(&tracker);
    if (level == NOT_TRACKED) return;
    ebb_tracker_params how = {.level = (ebb_track_level)level};
    tracker = ebb_tracker_begin("bench", (ebb_watch){0}, &how, NULL);
    if (tracker) return;
    fprintf(stderr, "bench: no tracker of level %d\n", level);
    exit(1);
}

/* ---- loops ----------------------------------------------------------------------------------- */

typedef struct contestant {
    int level;
    ebb_arena *arena;
    ebb_profile *profile;
} contestant;

static inline void touch(void *block)
{
    *(unsigned *)block = 1;
    __asm__ volatile("" : : "r"(block));
}

static BENCH_NOINLINE void run_w1(void *state, size_t ops)
{
    contestant *c = state;
    track_at(c->level);
    for (size_t op = 0; op < ops; op++) {
        for (unsigned i = 0; i < W1_BLOCKS; i++) touch(ebb_alloc(c->arena, W1_SIZE));
        ebb_arena_reset(c->arena);
    }
}

static BENCH_NOINLINE void run_w2(void *state, size_t ops)
{
    contestant *c = state;
    track_at(c->level);
    for (size_t op = 0; op < ops; op++) {
        ebb_arena *a = ebb_scope_begin(c->profile);
        const uint32_t *sizes = inputs.requests[op % W2_REQUESTS];
        for (size_t i = 0; i < W2_BLOCKS; i++) touch(ebb_alloc(a, sizes[i]));
        ebb_scope_end(&a);
    }
}

static BENCH_NOINLINE void run_w3(void *state, size_t ops)
{
    contestant *c = state;
    track_at(c->level);
    for (size_t op = 0; op < ops; op++) {
        ebb_arena *a = ebb_scope_begin(c->profile);
        for (unsigned i = 0; i < W3_BLOCKS; i++) touch(ebb_alloc(a, W3_SIZE));
        ebb_scope_end(&a);
    }
}

/* A profile looks at every 16th scope: enough that its percentiles have come to rest. */
enum { SETTLE = 2500, LEARNT = 8, WORKLOAD_COUNT = 3 };

static ebb_profile profiles[] = {EBB_PROFILE("W1"), EBB_PROFILE("W2"), EBB_PROFILE("W3")};

static const struct loop {
    const char *name;
    bench_run *run;
    size_t counted; /* operations whose instructions are counted */
} loops[WORKLOAD_COUNT] = {{"W1", run_w1, 200}, {"W2", run_w2, 512}, {"W3", run_w3, 5000}};

/* ---- contestants ----------------------------------------------------------------------------- */

static const char *const level_names[LEVELS] = {
    [EBB_TRACK_SITES] = "sites", [EBB_TRACK_SAMPLE] = "sample", [EBB_TRACK_FULL] = "full"};

enum { CONTESTANTS = LEVELS + 2 };

static bench_entry entry_of(int loop, const char *name, int level)
{
    contestant *c = bench_need(sizeof *c);
    c->level = level;
    c->profile = &profiles[loop];
    if (loops[loop].run == run_w1) c->arena = ebb_arena_create(NULL);
    return (bench_entry){.name = name, .run = loops[loop].run, .state = c, .settle = SETTLE};
}

/* In this order instructions are counted: the first has never seen a tracker. */
static size_t enter_all(bench_entry *entries, int loop)
{
    size_t n = 0;
    entries[n++] = entry_of(loop, "never", NOT_TRACKED);
    for (int level = 0; level < LEVELS; level++)
        entries[n++] = entry_of(loop, level_names[level], level);
    return n;
}

/* Long against the clock, short against a machine's moods. */
static const double BATCH_NS = 1.5e6;

static void measure(size_t rounds, const char *only)
{
    bench_entry entries[CONTESTANTS];
    for (int w = 0; w < WORKLOAD_COUNT; w++) {
        if (only && strcmp(loops[w].name, only) != 0) continue;
        bench_plan plan = {loops[w].name, rounds, BATCH_NS};
        size_t n = enter_all(entries, w);
        entries[0].name = "off"; /* others take turns with it */
        bench_measure(entries, n, &plan);
        track_at(NOT_TRACKED);
    }
    if (!only || !strcmp(only, "stack")) stack_measure(&(bench_plan){"stack", rounds, BATCH_NS});
}

static void count(const char *only)
{
    bench_entry entries[CONTESTANTS];
    for (int w = 0; w < WORKLOAD_COUNT; w++) {
        if (strcmp(loops[w].name, only) != 0) continue;
        size_t n = enter_all(entries, w);
        /* What the profile has learned by now is all it learns. */
        entries[0].run(entries[0].state, (size_t)LEARNT * SETTLE);
        entries[n++] = entry_of(w, "off again", NOT_TRACKED);
        bench_count_instructions(entries, n, only, loops[w].counted);
    }
}

int main(int argc, char **argv)
{
    const char *only = argc == 3 ? argv[2] : NULL;
    bool counts = only && !strcmp(argv[1], "--count");
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    if (!counts && !rounds) {
        fprintf(stderr, "usage: bench-track ROUNDS [WORKLOAD] | --count WORKLOAD\n");
        return 2;
    }
    bench_pin(0);
    inputs_draw();
    if (counts) count(only);
    else measure(rounds, only);
    return 0;
}
