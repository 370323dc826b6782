/*
 * bench/arena/inputs.h: what the contestants are asked for. Drawn once from a fixed seed, the same for
 * all of them and for every run.
 */
#ifndef BENCH_ARENA_INPUTS_H
#define BENCH_ARENA_INPUTS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    W1_BLOCKS = 1000, /* allocations between two resets */
    W1_SIZE = 16,
    W2_BLOCKS = 200,
    W2_REQUESTS = 2048, /* so many that a branch predictor can hardly learn them by heart */
    W3_BLOCKS = 8,
    W3_SIZE = 32,
    W4_BLOCKS = 20000,
    W4_BYTES = 2 << 20,
    W8_BYTES = 64 << 10,
    W8_FIRST = 16, /* bytes a growing string begins with */
    MOST_BLOCKS = W4_BLOCKS
};

/** The workloads that are a loop on one thread. W5 to W7 are made of them, see threads.h, live.h. */
typedef enum workload { W1, W2, W3, W4, W8, WORKLOADS } workload;

typedef struct inputs {
    uint32_t requests[W2_REQUESTS][W2_BLOCKS];
    uint32_t unit[W4_BLOCKS]; /* 2 MiB in all: the tree of a compiler's unit, say */
    char text[W8_BYTES];
    size_t blocks[WORKLOADS]; /* most allocations of one operation */
    size_t room[WORKLOADS];   /* most bytes of one operation, each block rounded up to 16 */
    size_t asked;             /* mean bytes of a W2 request */
} inputs_table;

extern inputs_table inputs;

/** Draw them. Once, before anything else. */
void inputs_draw(void);

#ifdef __cplusplus
}
#endif
#endif /* BENCH_ARENA_INPUTS_H */
