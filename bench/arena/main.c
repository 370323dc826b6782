/*
 * bench/arena/main.c: the measuring program of the ground floor. `bench/run` calls it; by hand:
 *
 *     bench-arena-static WORKLOAD [ROUNDS [NAME]]      WORKLOAD: W1 to W6, W8; W7/W2 or W7/W3 with a NAME
 *
 * It prints samples, not averages: see harness.h for the lines. The same source is built four times:
 * with Ebb (and those peers that Debian has as archives) linked statically, with shared libraries, with
 * link-time optimisation, and with a malloc that counts its calls.
 */
#include "live.h"
#include "peer.h"
#include "threads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const peer_ops *const all_peers[] = {
    &peer_floor,   &peer_ebb_scope,    &peer_ebb_arena,
#if BENCH_HAVE_APR
    &peer_apr,     &peer_apr_kept,
#endif
    &peer_obstack, &peer_obstack_kept,
#if BENCH_HAVE_CPP
    &peer_pmr,     &peer_pmr_kept,
#endif
#if BENCH_HAVE_TALLOC
    &peer_talloc,
#endif
    &peer_mi_heap, &peer_mimalloc,     &peer_jemalloc,  &peer_glibc,
};

enum { PEERS = sizeof all_peers / sizeof *all_peers };

/* Those that were not built in. */
static const char *const not_built[] = {
#if !BENCH_HAVE_APR
    "APR pool",
    "APR pool, kept",
#endif
#if !BENCH_HAVE_CPP
    "std::pmr monotonic",
    "std::pmr, kept",
#endif
#if !BENCH_HAVE_TALLOC
    "talloc pool",
#endif
    NULL,
};

/* Length of a timed batch: long against the clock, short against a machine's moods. */
static const double BATCH_NS = 1.5e6;

enum { DEFAULT_ROUNDS = 20 };

/* Operations that warm an allocator up and are then counted, per workload. */
static const size_t counted_ops[WORKLOADS] = {
    [W1] = 200, [W2] = 512, [W3] = 5000, [W4] = 20, [W8] = 50};

static const char *const workload_names[WORKLOADS] = {"W1", "W2", "W3", "W4", "W8"};

static const peer_ops *present[PEERS];
static size_t present_count;

static void report_missing(const char *name, const char *why)
{
    printf("missing\t%s\t%s\n", name, why);
}

static void find_peers(const char *only)
{
    for (size_t i = 0; i < PEERS; i++) {
        const peer_ops *p = all_peers[i];
        if (only && strcmp(only, p->name)) continue;
        const char *why = p->missing ? p->missing() : NULL;
        if (why) {
            report_missing(p->name, why);
            continue;
        }
        if (p->version) printf("version\t%s\t%s\n", p->name, p->version());
        present[present_count++] = p;
    }
    for (size_t i = 0; not_built[i]; i++) report_missing(not_built[i], "not installed");
}

/* ---- W1 to W4, W8 ---------------------------------------------------------------------------- */

static size_t open_entries(workload w, bench_entry *entries)
{
    size_t count = 0;
    for (size_t i = 0; i < present_count; i++) {
        const peer_ops *p = present[i];
        if (!p->run[w]) continue;
        entries[count++] = (bench_entry){.name = p->name,
                                         .run = p->run[w],
                                         .state = p->open(w, 1),
                                         .settle = p->settle,
                                         .unseen = p->mallocs_unseen ? inputs.blocks[w] : 0};
    }
    return count;
}

static void close_entries(workload w, bench_entry *entries)
{
    size_t count = 0;
    for (size_t i = 0; i < present_count; i++)
        if (present[i]->run[w]) present[i]->close(entries[count++].state);
}

static void measure(workload w, size_t rounds)
{
    bench_entry entries[PEERS];
    const bench_plan plan = {workload_names[w], rounds, BATCH_NS};
    bench_pin(bench_cpus() - 1); /* the first one has the machine's interrupts more often */
    size_t count = open_entries(w, entries);
    if (bench_under_valgrind())
        bench_count_instructions(entries, count, plan.workload, counted_ops[w]);
    else if (&bench_malloc_calls)
        bench_count_mallocs(entries, count, plan.workload, counted_ops[w]);
    else bench_measure(entries, count, &plan);
    close_entries(w, entries);
}

/* ---- W5 to W7 -------------------------------------------------------------------------------- */

static void measure_threads(const char *name, size_t rounds)
{
    const peer_ops *able[PEERS];
    size_t count = 0;
    if (bench_cpus() < 2) {
        printf("impossible\t%s\tneeds two CPUs\n", name);
        return;
    }
    int handoff = strcmp(name, "W6") == 0;
    for (size_t i = 0; i < present_count; i++)
        if (!handoff || present[i]->make) able[count++] = present[i];
    if (handoff) threads_measure_handoff(able, count, rounds);
    else threads_measure_scaling(able, count, rounds);
}

static void weigh(workload w)
{
    if (present_count == 1 && present[0]->fill) live_weigh(present[0], w);
}

static int dispatch(const char *name, size_t rounds)
{
    for (unsigned w = 0; w < WORKLOADS; w++) {
        if (strcmp(name, workload_names[w])) continue;
        measure((workload)w, rounds);
        return 0;
    }
    if (!strcmp(name, "W5") || !strcmp(name, "W6")) return measure_threads(name, rounds), 0;
    if (!strcmp(name, "W7/W2")) return weigh(W2), 0;
    if (!strcmp(name, "W7/W3")) return weigh(W3), 0;
    fprintf(stderr, "bench: no workload %s\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "use: %s WORKLOAD [ROUNDS [NAME]]; better: ./run bench arena\n", argv[0]);
        return 2;
    }
    long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : DEFAULT_ROUNDS;
    inputs_draw();
    find_peers(argc > 3 ? argv[3] : NULL);
    return dispatch(argv[1], rounds > 0 ? (size_t)rounds : DEFAULT_ROUNDS);
}
