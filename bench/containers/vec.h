/*
 * bench/containers/vec.h: inputs and contestants of bench-vec, shared by its C and C++ halves.
 */
#ifndef BENCH_CONTAINERS_VEC_H
#define BENCH_CONTAINERS_VEC_H

#include "../harness/harness.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    LISTS = 4096,    /* short lists */
    SHORT = 8,       /* their most items */
    LONGER = 24,     /* of those that may outgrow it */
    SMALL = 1000,    /* items of an array */
    LARGE = 100000,  /* of a large one */
    HUGE = 1000000,  /* of a very large one */
    INPUTS = 512,    /* arrays of SMALL, so that no branch is learnt by heart */
    IN_FLIGHT = 100, /* in a queue */
    FEW = 16,        /* different keys; and how many are chosen */
    REQUEST = 64     /* lists made within a scope */
};

/* Sorted by its key; 32 bytes. */
typedef struct record {
    uint64_t key;
    char rest[24];
} record;

typedef struct vec_inputs {
    size_t len[LISTS], longer_len[LISTS];
    uint64_t random[HUGE]; /* arrays of SMALL are taken out of it */
    uint64_t few_keys[LARGE];
    uint64_t ascending[HUGE]; /* even numbers */
    uint64_t work[HUGE];
    record records[LARGE], record_work[LARGE];
} vec_inputs;

extern vec_inputs *bench_vec;

/* A contestant. An operation is one list, one array, or one look-up; @i tells which. */
typedef struct vec_peer {
    const char *workload, *name;
    void (*run)(size_t i);
} vec_peer;

extern const vec_peer bench_vec_peers[];
extern const size_t bench_vec_count;

/* The compiler must believe that it is looked at. */
static inline void keep(const volatile void *p)
{
    __asm__ volatile("" : : "r"(p) : "memory");
}

static inline void keep_value(uint64_t value)
{
    __asm__ volatile("" : : "r"(value));
}

/* The i-th array of SMALL items. */
static inline const uint64_t *small_input(size_t i)
{
    return bench_vec->random + i % INPUTS * SMALL;
}

#ifdef __cplusplus
}
#endif
#endif /* BENCH_CONTAINERS_VEC_H */
