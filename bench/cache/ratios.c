/*
 * bench/cache/ratios.c: how often each policy has what is asked for. Runs alone:
 *
 *     bench-cache-ratios                 the synthetic traces, at 1, 5, 10 and 25 % of the keys
 *     bench-cache-ratios --trace FILE    a trace of yours
 *     --sizes LIST                       other sizes
 *
 * Sizes are parted by commas: `500` is entries, `64K` (M, G) bytes, `5%` a part of the keys, or of
 * their bytes where the file gives them. One line for each result, fields parted by tabs:
 *
 *     set    SET  seed
 *     ratio  SET  TRACE  is-loop  SIZE  POLICY  hits in points  bytes hit in points
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const set_names[SETS] = {"tuned", "held out"};

typedef struct options {
    const char *file, *sizes;
} options;

/* ---- sizes ----------------------------------------------------------------------------------- */

static double bytes_of(const trace *t)
{
    double bytes = 0;
    for (size_t i = 0; i < t->keys; i++) bytes += t->size ? t->size[i] : 1;
    return bytes;
}

/* False: what it says is no size. */
static bool read_size(const char *text, const trace *t, limits *ret_max)
{
    static const char units[] = "KMG";
    enum { STEP = 10 };
    char *unit;
    double n = strtod(text, &unit);
    const char *known = *unit ? strchr(units, *unit) : NULL;
    if (!(n > 0)) return false;
    *ret_max = (limits){0, 0};
    if (known) ret_max->bytes = (size_t)(n * (double)((size_t)1 << STEP * (known - units + 1)));
    else if (*unit == '%' && t->size) ret_max->bytes = (size_t)(n / 100 * bytes_of(t));
    else if (*unit == '%') ret_max->entries = (size_t)(n / 100 * (double)t->space);
    else if (*unit == '\0') ret_max->entries = (size_t)n;
    return ret_max->entries || ret_max->bytes;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void print_ratio(const char *set, const trace *t, const char *size, const char *policy,
                        ratio r)
{
    printf("ratio\t%s\t%s\t%d\t%s\t%s\t%.4f\t%.4f\n", set, t->name, t->is_loop, size, policy,
           r.hits, r.bytes);
}

static void run_size(const char *set, const trace *t, const char *size)
{
    limits max;
    if (!read_size(size, t, &max)) {
        fprintf(stderr, "bench-cache-ratios: %s: no size of a cache\n", size);
        exit(2);
    }
    print_ratio(set, t, size, "MIN", sim_min(t, max));
    for (size_t i = 0; i < sim_kind_count; i++)
        print_ratio(set, t, size, sim_kinds[i]->name, sim_run(sim_kinds[i], t, max));
    fflush(stdout);
}

static void run_trace(const char *set, const trace *t, const char *sizes)
{
    char *list = strdup(sizes), *rest = list;
    if (!list) exit(1);
    for (char *size; (size = strtok_r(rest, ",", &rest));) run_size(set, t, size);
    free(list);
}

static void run_synthetic(const options *o)
{
    for (int set = 0; set < SETS; set++) {
        printf("set\t%s\t%llu\n", set_names[set], (unsigned long long)trace_seeds[set]);
        for (size_t i = 0; i < trace_count; i++) {
            trace t;
            trace_make(&t, set, i);
            run_trace(set_names[set], &t, o->sizes);
            trace_free(&t);
        }
    }
}

static void run_file(const options *o)
{
    trace t;
    trace_read(&t, o->file);
    printf("file\t%s\t%zu\t%zu\t%.0f\n", t.name, t.count, t.keys, bytes_of(&t));
    run_trace("file", &t, o->sizes);
    trace_free(&t);
}

int main(int argc, char **argv)
{
    options o = {.sizes = "1%,5%,10%,25%"};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0 && i + 1 < argc) o.file = argv[++i];
        else if (strcmp(argv[i], "--sizes") == 0 && i + 1 < argc) o.sizes = argv[++i];
        else return fprintf(stderr, "bench-cache-ratios [--trace FILE] [--sizes LIST]\n"), 2;
    }
    if (o.file) run_file(&o);
    else run_synthetic(&o);
    return 0;
}
