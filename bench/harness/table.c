/*
 * bench/harness/table.c: samples as a table. See table.h.
 */
#include "table.h"

#include "harness.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME = 64, SAMPLES = 1024, ROWS = 256, LINE = 1 << 16 };

typedef struct row {
    char workload[NAME], name[NAME];
    double median, best;
} row;

static row rows[ROWS];
static size_t row_count;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool read_row(const char *line, row *r)
{
    double ns[SAMPLES];
    size_t n = 0;
    int at = 0;
    if (sscanf(line, "samples\t%63[^\t]\t%63[^\t]\t%n", r->workload, r->name, &at) < 2)
        return false;
    for (char *end; n < SAMPLES; n++) {
        ns[n] = strtod(line + at, &end);
        if (end == line + at) break;
        at = (int)(end - line);
    }
    if (n == 0) return false;
    qsort(ns, n, sizeof *ns, by_value);
    r->best = ns[0];
    r->median = n % 2 ? ns[n / 2] : (ns[n / 2 - 1] + ns[n / 2]) / 2;
    return true;
}

static const row *find_row(const char *workload, const char *name)
{
    for (size_t i = 0; i < row_count; i++)
        if (!strcmp(rows[i].workload, workload) && !strcmp(rows[i].name, name)) return &rows[i];
    return NULL;
}

static void print_rows(void)
{
    printf("%-24s %-24s %11s %11s %8s\n", "workload", "contestant", "median ns", "best ns",
           "to Ebb");
    for (size_t i = 0; i < row_count; i++) {
        const row *r = &rows[i], *ebb = find_row(r->workload, "ebb");
        if (i && strcmp(r->workload, rows[i - 1].workload) != 0) printf("\n");
        printf("%-24s %-24s %11.2f %11.2f %8.2f\n", r->workload, r->name, r->median, r->best,
               ebb ? r->median / ebb->median : 0);
    }
}

static void print_goal(const bench_goal *g)
{
    const row *ebb = find_row(g->workload, "ebb");
    const row *peer = g->name ? find_row(g->workload, g->name) : ebb;
    if (!ebb || !peer) return;
    if (g->name) {
        double ratio = peer->median / ebb->median;
        printf("%-8s %s: %.2f times as fast as %s; the goal is %.2f\n",
               ratio >= g->ratio ? "reached" : "MISSED", g->workload, ratio, g->name, g->ratio);
    } else {
        printf("%-8s %s: %.1f ns; the goal is %.1f\n", ebb->median <= g->ns ? "reached" : "MISSED",
               g->workload, ebb->median, g->ns);
    }
}

/* The samples go through a file without a name, so that whoever measures need not know. */
static FILE *caught_output(void (*measure)(void *arg), void *arg)
{
    FILE *samples = tmpfile();
    int out = dup(STDOUT_FILENO);
    if (!samples || out < 0) exit(1);
    fflush(stdout);
    dup2(fileno(samples), STDOUT_FILENO);
    measure(arg);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    close(out);
    rewind(samples);
    return samples;
}

void bench_print_table(void (*measure)(void *arg), void *arg, const bench_goal *goals, size_t count)
{
    static char line[LINE];
    FILE *samples = caught_output(measure, arg);
    while (row_count < ROWS && fgets(line, sizeof line, samples))
        row_count += read_row(line, &rows[row_count]);
    fclose(samples);
    print_rows();
    if (count) printf("\n");
    for (size_t i = 0; i < count; i++) print_goal(&goals[i]);
}
