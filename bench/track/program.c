/*
 * bench/track/program.c: a whole program to be watched: so many requests (handlers.h), handled on Ebb or
 * on malloc.
 *
 *     bench-track-program ebb|malloc|counted REQUESTS
 *
 * `counted` is malloc with a tracker that counts it, for which libebb-malloc must be preloaded; exit
 * status 3: it is not. Two lines are printed: a sum of all answers, the same for all; and at the very
 * end the most memory that the process had, in KiB.
 */
#include "../harness/harness.h"

#include <ebb/ebb.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t sum_of(const char *bytes, size_t len)
{
    uint64_t sum = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < len; i++) sum = (sum ^ (unsigned char)bytes[i]) * 1099511628211u;
    return sum;
}

static int hex_of(const char *two)
{
    char text[] = {two[0], two[1], '\0'};
    return (int)strtol(text, NULL, 16);
}

static void *need(void *p)
{
    if (!p) abort();
    return p;
}

/* ---- on Ebb ---------------------------------------------------------------------------------- */

typedef ebb_arena memory;
#define NAMED(name)            scope_##name
#define TAKE(m, bytes)         need(ebb_alloc(m, bytes))
#define GROW(m, p, old, bytes) need(ebb_resize(m, p, old, bytes))
#define FREES                  0
#include "handlers.h"
#undef NAMED
#undef TAKE
#undef GROW
#undef FREES

/* ---- on malloc ------------------------------------------------------------------------------- */

#define NAMED(name)            libc_##name
#define TAKE(m, bytes)         ((void)(m), need(malloc(bytes)))
#define GROW(m, p, old, bytes) ((void)(m), need(realloc(p, bytes)))
#define DROP(m, p)             ((void)(m), free(p))
#define FREES                  1
#include "handlers.h"

/* ---- requests -------------------------------------------------------------------------------- */

enum { QUERIES = 64, FIELDS_LEAST = 20, FIELDS_MORE = 40, VALUE_LEAST = 4, VALUE_MORE = 40 };
enum { QUERY_SIZE = (FIELDS_LEAST + FIELDS_MORE) * (VALUE_LEAST + VALUE_MORE + 16) };

static char queries[QUERIES][QUERY_SIZE];

static void draw_query(char *at, bench_random *r)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789+-_.\"";
    size_t fields = FIELDS_LEAST + bench_random_next(r) % FIELDS_MORE;
    for (size_t i = 0; i < fields; i++) {
        char first = (char)('a' + bench_random_next(r) % 12);
        at += sprintf(at, "%s%cfield%zu=", i ? "&" : "", first, i);
        size_t len = VALUE_LEAST + bench_random_next(r) % VALUE_MORE;
        for (size_t k = 0; k < len; k++)
            *at++ = letters[bench_random_next(r) % (sizeof letters - 1)];
    }
    *at = '\0';
}

static ebb_profile request = EBB_PROFILE("request");

static uint64_t on_ebb(const char *query)
{
    ebb_arena *a = ebb_scope_begin(&request);
    uint64_t sum = scope_handle(a, query);
    ebb_scope_end(&a);
    return sum;
}

static uint64_t on_malloc(const char *query)
{
    return libc_handle(NULL, query);
}

static uint64_t serve(uint64_t (*handle)(const char *query), size_t requests)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < requests; i++) sum += handle(queries[i % QUERIES]) * (i + 1);
    return sum;
}

/* Static: it must not be there to be freed, for all others to be as they are without it. */
static void count_malloc(void)
{
    ebb_status why = EBB_OK;
    ebb_tracker_params how = {.system = true};
    if (ebb_tracker_begin("malloc", (ebb_watch){0}, &how, &why)) return;
    exit(why == EBB_E_UNSUPPORTED ? 3 : 1);
}

/* Not by getrusage: that remembers what the process had been before it became this program. Late,
   since reports are written at the exit. */
__attribute__((destructor(101))) static void print_peak(void)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "VmHWM:", 6)) printf("peak\t%ld\n", strtol(line + 6, NULL, 10));
    if (status) fclose(status);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    size_t requests = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    bool ebb = requests && !strcmp(argv[1], "ebb"),
         counted = requests && !strcmp(argv[1], "counted");
    if (!ebb && !counted && !(requests && !strcmp(argv[1], "malloc"))) {
        fprintf(stderr, "usage: bench-track-program ebb|malloc|counted REQUESTS\n");
        return 2;
    }
    bench_random r = {1};
    for (int i = 0; i < QUERIES; i++) draw_query(queries[i], &r);
    if (counted) count_malloc();
    printf("%" PRIu64 "\n", serve(ebb ? on_ebb : on_malloc, requests));
    return 0;
}
