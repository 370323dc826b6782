/*
 * bench/harness/asked.h: what a measuring program is asked for by its arguments, and what it set out to
 * reach. Both go through `bench/run`, which has the arithmetic; here nothing is judged.
 */
#ifndef BENCH_HARNESS_ASKED_H
#define BENCH_HARNESS_ASKED_H

#include <stdbool.h>
#include <stddef.h>

typedef struct bench_asked {
    size_t rounds;
    const char *only; /* the workloads that have this in their names; NULL: all */
    const char
        *count; /* count instructions, under callgrind: of what, each program says; or NULL */
} bench_asked;

/** Read --rounds N, --only WORDS and --count WHAT into @asked. To anything else: say so, and exit. */
void bench_read_asked(bench_asked *asked, int argc, char **argv);

bool bench_is_asked(const bench_asked *asked, const char *workload);

/** In @workload, @name takes at least @ratio times as long as Ebb; or, where @name is NULL, Ebb takes
    at most @ns. */
typedef struct bench_goal {
    const char *workload, *name;
    double ratio, ns;
} bench_goal;

/** One line each, fields separated by tabs: goal WORKLOAD NAME RATIO NS; a NAME of - is none. */
void bench_print_goals(const bench_goal *goals, size_t count);

/** Of all samples of @workload, where they are not ns: unit WORKLOAD UNIT. */
void bench_print_unit(const char *workload, const char *unit);

#endif /* BENCH_HARNESS_ASKED_H */
