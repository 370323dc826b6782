/*
 * bench/containers/map.h: inputs and contestants of bench-map, shared by its C and C++ halves.
 */
#ifndef BENCH_CONTAINERS_MAP_H
#define BENCH_CONTAINERS_MAP_H

#include "../harness/harness.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { REQUESTS = 512, KEYS = 20, LOOKS = 60, NAMES = 40, LARGE = 10000, HUGE = 1000000 };

/* Requests: keys put, and keys looked for, a third of which are not there. */
typedef struct map_inputs {
    uint64_t key[REQUESTS][KEYS], look[REQUESTS][LOOKS];
    const char *name[REQUESTS][KEYS], *look_name[REQUESTS][LOOKS];
    size_t name_len[REQUESTS][KEYS], look_len[REQUESTS][LOOKS];
    /* Tables: keys in order of insertion, an order to look for them, keys that are not there. */
    uint64_t in[HUGE], out[HUGE];
    uint32_t order[HUGE];
} map_inputs;

extern map_inputs *bench_map;

/* What a table is asked; an operation is one key. */
typedef enum question { INSERT, HIT, MISS, ITERATE, REMOVE, QUESTIONS } question;

/* A table under test: `fresh` makes one empty, `fill` puts all keys, `ask` asks of one that is full. */
typedef struct table_peer {
    const char *name;
    void *(*fresh)(void);
    void (*fill)(void *table, size_t count);
    uint64_t (*ask)(void *table, question q, size_t count);
    void (*done)(void *table);
} table_peer;

typedef struct request_peer {
    const char *name;
    void (*run)(size_t request);
} request_peer;

extern const request_peer bench_int_peers[], bench_str_peers[];
extern const table_peer bench_table_peers[];
extern const size_t bench_int_count, bench_str_count, bench_table_count;

/* The compiler must believe that it is looked at. */
static inline void keep(const volatile void *p)
{
    __asm__ volatile("" : : "r"(p) : "memory");
}

#ifdef __cplusplus
}
#endif
#endif /* BENCH_CONTAINERS_MAP_H */
