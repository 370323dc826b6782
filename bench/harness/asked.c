/*
 * bench/harness/asked.c: arguments and goals. See asked.h.
 */
#include "asked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_one(bench_asked *asked, const char *name, const char *value)
{
    if (strcmp(name, "--rounds") == 0) return (asked->rounds = strtoull(value, NULL, 10)) > 0;
    if (strcmp(name, "--only") == 0) return (asked->only = value) != NULL;
    if (strcmp(name, "--count") == 0) return (asked->count = value) != NULL;
    return false;
}

void bench_read_asked(bench_asked *asked, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && read_one(asked, argv[i], argv[i + 1])) continue;
        fprintf(stderr,
                "%s: not understood: %s\n%s [--rounds N] [--only WORKLOAD] [--count WHAT]\n",
                argv[0], argv[i], argv[0]);
        exit(2);
    }
}

bool bench_is_asked(const bench_asked *asked, const char *workload)
{
    return !asked->only || strstr(workload, asked->only);
}

void bench_print_goals(const bench_goal *goals, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("goal\t%s\t%s\t%g\t%g\n", goals[i].workload, goals[i].name ? goals[i].name : "-",
               goals[i].ratio, goals[i].ns);
}

void bench_print_unit(const char *workload, const char *unit)
{
    printf("unit\t%s\t%s\n", workload, unit);
}
