/*
 * bench/containers/batch.h: what the two halves of bench-batch share: the inputs, and which contestant
 * runs in which workload.
 */
#ifndef BENCH_CONTAINERS_BATCH_H
#define BENCH_CONTAINERS_BATCH_H

#include "../harness/harness.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { VALUES = 100000, BEST = 16, TEXT = 64 << 10, SHORT_TEXT = 20, SHORT_TEXTS = 64 };

/* The values of a workload are drawn anew, with a fixed seed, for each of these. */
typedef struct columns {
    float f32[VALUES];
    double f64[VALUES];
    int32_t i32[VALUES];
    uint64_t u64[VALUES];
    uint32_t rows[VALUES];
} columns;

extern columns *bench_columns;

/* What is computed goes here, so that it is not left out. */
extern volatile uint64_t bench_sink;

typedef struct contestant {
    const char *workload, *name;
    bench_run *run;
} contestant;

extern const contestant bench_std_contestants[];
extern const size_t bench_std_count;

#ifdef __cplusplus
}
#endif
#endif /* BENCH_CONTAINERS_BATCH_H */
