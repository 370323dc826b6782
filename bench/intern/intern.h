/*
 * bench/intern/intern.h: what the contestants of bench-intern share: the texts, and the way through
 * them.
 *
 * The texts to be looked up lie one after the other in the order in which they are asked, as a parser
 * would meet them, each with its NUL for those who need one. They are copies: nobody can compare
 * addresses.
 */
#ifndef BENCH_INTERN_H
#define BENCH_INTERN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct word {
    const char *ptr;
    size_t len;
} word;

/* Neighbouring lines are fetched in pairs. */
enum { APART = 128 };

/* A walk round the texts asked for; each thread has its own, and its cache lines. */
typedef struct walk {
    const word *texts;
    size_t count, at;
    uint64_t sum; /* of what came back, so that nothing is left out */
    char apart[APART];
} walk;

static inline word walk_next(walk *w)
{
    word t = w->texts[w->at];
    w->at = w->at + 1 < w->count ? w->at + 1 : 0;
    return t;
}

typedef struct contestant {
    const char *name;
    void *(*make)(void);
    void (*put)(void *table, word t);                  /* while it is filled; the text stays */
    void (*look_up)(void *table, walk *w, size_t ops); /* all of them are there */
    int threads;                                       /* how many it can serve at once */
} contestant;

/* The way to write a look_up without a call between the loop and the table. */
#define LOOK_UP(function, table_type, expression)                                                  \
    static void function(void *table_, walk *w, size_t ops)                                        \
    {                                                                                              \
        table_type *table = (table_type *)table_;                                                  \
        (void)table;                                                                               \
        for (; ops > 0; ops--) {                                                                   \
            word t = walk_next(w);                                                                 \
            w->sum += (uint64_t)(expression);                                                      \
        }                                                                                          \
    }

extern const contestant bench_cpp_contestants[];
extern const size_t bench_cpp_count;

#ifdef __cplusplus
}
#endif
#endif /* BENCH_INTERN_H */
