/*
 * bench/containers/str.h: what the two halves of the string benchmark share: the inputs, the same for
 * all, and how a contestant enters. str.c has the C ones, str_peers.cc the C++ ones.
 */
#ifndef BENCH_CONTAINERS_STR_H
#define BENCH_CONTAINERS_STR_H

#include "../harness/harness.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    PIECES = 1024,        /* of 8 to 16 bytes, one after another in a text */
    PIECES_A_STRING = 64, /* a header block, a small JSON answer */
    NUMBERS = 1024,
    NUMBERS_A_STRING = 32,
    BYTES_A_STRING = 65536,
    PROSE = 1024 /* bytes to be escaped, a quote or newline in about a hundred */
};

typedef struct piece {
    const char *ptr;
    size_t len;
} piece;

typedef struct inputs {
    piece pieces[PIECES];
    uint64_t integers[NUMBERS]; /* log-uniform */
    double doubles[NUMBERS];    /* half measurements with few digits, half random bits of [0, 1) */
    piece integer_texts[NUMBERS], double_texts[NUMBERS];
    char prose[PROSE + 1];
} inputs;

extern inputs bench_inputs;

/* What is computed must be used: contestants add lengths or values up here. */
extern uint64_t bench_sink;

enum workload {
    PIECES_BODY,
    PIECES_SMALL,
    LITERALS,
    BYTES,
    U64,
    DOUBLES,
    READ_U64,
    READ_DOUBLE,
    JSON,
    URL,
    CONCAT,
    WORKLOADS
};

typedef struct contestant {
    enum workload workload;
    const char *name;
    bench_run *run;
} contestant;

extern const contestant bench_cpp_contestants[];
extern const size_t bench_cpp_contestant_count;

#ifdef __cplusplus
}
#endif
#endif /* BENCH_CONTAINERS_STR_H */
