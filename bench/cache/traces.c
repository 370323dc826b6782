/*
 * bench/cache/traces.c: the traces that are made. See sim.h; trace_file.c reads one.
 *
 * Each is a function of a random stream and two parameters, so that it is the same on each machine.
 * The held-out set has other seeds and other parameters than the set by which anything was chosen.
 */
#include "../harness/harness.h"
#include "sim.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPACE = 50000, REQUESTS = 1000000 };

/* ---- Zipf's law ------------------------------------------------------------------------------ */

typedef struct zipf {
    double *sums;
    size_t count;
} zipf;

static zipf zipf_make(size_t count, double alpha)
{
    zipf z = {bench_need(count * sizeof *z.sums), count};
    for (size_t i = 0; i < count; i++)
        z.sums[i] = (i ? z.sums[i - 1] : 0) + pow((double)(i + 1), -alpha);
    return z;
}

static size_t zipf_draw(const zipf *z, bench_random *r)
{
    double at = bench_random_unit(r) * z->sums[z->count - 1];
    size_t low = 0, high = z->count - 1;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (z->sums[mid] < at) low = mid + 1;
        else high = mid;
    }
    return low;
}

/* ---- the kinds of trace ---------------------------------------------------------------------- */

typedef struct maker {
    bench_random r;
    double a, b; /* parameters; what they are is said at each kind */
    uint32_t *key;
} maker;

/* a: the exponent. */
static void make_zipf(maker *m)
{
    zipf z = zipf_make(SPACE, m->a);
    for (size_t i = 0; i < REQUESTS; i++) m->key[i] = (uint32_t)zipf_draw(&z, &m->r);
    free(z.sums);
}

/* Zipf over half of the keys; now and then a piece of the other half is read in order, as by a job
   at night. @start: where the scan begins, given where the last one ended. */
static void make_mixed(maker *m, uint32_t (*start)(maker *m, uint32_t last))
{
    enum { SCAN = SPACE / 10, HALF = SPACE / 2 };
    zipf z = zipf_make(HALF, m->a);
    uint32_t at = 0;
    double begin = m->b / (1 - m->b) / SCAN;
    for (size_t i = 0; i < REQUESTS;) {
        m->key[i++] = (uint32_t)zipf_draw(&z, &m->r);
        if (bench_random_unit(&m->r) > begin) continue;
        at = start(m, at);
        for (size_t n = 0; n < SCAN && i < REQUESTS; n++) m->key[i++] = HALF + at++ % HALF;
    }
    free(z.sums);
}

static uint32_t anywhere(maker *m, uint32_t last)
{
    (void)last;
    return (uint32_t)(bench_random_next(&m->r) % SPACE);
}

static uint32_t further_on(maker *m, uint32_t last)
{
    (void)m;
    return last;
}

/* a: the exponent. b: the part of the requests that belongs to scans. */
static void make_scans(maker *m)
{
    make_mixed(m, anywhere);
}

/* The same, but each scan goes on where the last one ended, so that together they are a loop. */
static void make_zipf_and_loop(maker *m)
{
    make_mixed(m, further_on);
}

/* Round and round. a: the part of the keys that is in the loop. */
static void make_loop(maker *m)
{
    uint32_t length = (uint32_t)(m->a * SPACE);
    for (size_t i = 0; i < REQUESTS; i++) m->key[i] = (uint32_t)(i % length);
}

/* Zipf over a working set; with each request, with some probability one of the set is replaced by
   another key. a: the part of the keys in the set. b: replacements per request. */
static void make_shifting(maker *m)
{
    static const double alpha = 0.8;
    size_t count = (size_t)(m->a * SPACE);
    zipf z = zipf_make(count, alpha);
    uint32_t *set = bench_need(count * sizeof *set);
    for (size_t i = 0; i < count; i++) set[i] = (uint32_t)i;
    uint32_t next = (uint32_t)count;
    for (size_t i = 0; i < REQUESTS; i++) {
        m->key[i] = set[zipf_draw(&z, &m->r)];
        if (bench_random_unit(&m->r) <= m->b)
            set[bench_random_next(&m->r) % count] = next++ % SPACE;
    }
    free(set);
    free(z.sums);
}

/* People come, ask for what is theirs some times, and leave; in between all ask for what is common.
   a: people at a time. b: requests of each, on average. */
static void make_sessions(maker *m)
{
    enum { COMMON = SPACE / 10 };
    static const double common = 0.3, alpha = 0.9;
    size_t people = (size_t)m->a;
    zipf z = zipf_make(COMMON, alpha);
    uint32_t *here = bench_need(people * sizeof *here), next = 0;
    for (size_t i = 0; i < people; i++) here[i] = COMMON + next++;
    for (size_t i = 0; i < REQUESTS; i++) {
        if (bench_random_unit(&m->r) < common) {
            m->key[i] = (uint32_t)zipf_draw(&z, &m->r);
            continue;
        }
        size_t who = bench_random_next(&m->r) % people;
        m->key[i] = here[who];
        if (bench_random_unit(&m->r) < 1 / m->b) here[who] = COMMON + next++ % (SPACE - COMMON);
    }
    free(here);
    free(z.sums);
}

/* ---- the sets -------------------------------------------------------------------------------- */

typedef struct recipe {
    const char *name;
    void (*make)(maker *m);
    double a, b;
    bool is_loop;
} recipe;

enum { TRACES = 8 };
static const recipe recipes[SETS][TRACES] = {
    {{"Zipf 0.7", make_zipf, 0.7, 0, false},
     {"Zipf 1.0", make_zipf, 1.0, 0, false},
     {"Zipf 1.2", make_zipf, 1.2, 0, false},
     {"Zipf 0.9, scans", make_scans, 0.9, 0.25, false},
     {"Zipf 0.9 and a loop", make_zipf_and_loop, 0.9, 0.25, true},
     {"loop of 20 %", make_loop, 0.2, 0, true},
     {"shifting set of 10 %", make_shifting, 0.1, 0.02, false},
     {"sessions, 1500", make_sessions, 1500, 8, false}},
    {{"Zipf 0.75", make_zipf, 0.75, 0, false},
     {"Zipf 0.95", make_zipf, 0.95, 0, false},
     {"Zipf 1.15", make_zipf, 1.15, 0, false},
     {"Zipf 1.0, scans", make_scans, 1.0, 0.4, false},
     {"Zipf 1.0 and a loop", make_zipf_and_loop, 1.0, 0.4, true},
     {"loop of 15 %", make_loop, 0.15, 0, true},
     {"shifting set of 6 %", make_shifting, 0.06, 0.01, false},
     {"sessions, 2500", make_sessions, 2500, 5, false}},
};
const size_t trace_count = TRACES;

const uint64_t trace_seeds[SETS] = {20231023, 19661966};

/* Number the keys in order of appearance. */
static void make_dense(trace *t)
{
    uint32_t *number = bench_need(t->space * sizeof *number); /* 0: not seen yet */
    for (size_t i = 0; i < t->count; i++) {
        uint32_t *n = &number[t->key[i]];
        if (!*n) *n = (uint32_t)++t->keys;
        t->key[i] = *n - 1;
    }
    free(number);
}

void trace_make(trace *t, int set, size_t nth)
{
    const recipe *from = &recipes[set][nth];
    *t = (trace){.count = REQUESTS, .space = SPACE, .is_loop = from->is_loop};
    snprintf(t->name, sizeof t->name, "%s", from->name);
    t->key = bench_need(REQUESTS * sizeof *t->key);
    maker m = {{trace_seeds[set] + nth}, from->a, from->b, t->key};
    from->make(&m);
    make_dense(t);
}

void trace_free(trace *t)
{
    free(t->key);
    free(t->size);
    *t = (trace){.key = NULL};
}
