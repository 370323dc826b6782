/*
 * bench/cache/hits.h: what the contestants of bench-cache-hits share: keys, and the way through
 * them.
 *
 * Keys are asked for in the order in which they lie; texts are copies, so that nobody can compare
 * addresses. All are there: what is measured is the hit alone, with all that a reader needs so that
 * what it gets stays valid as that contestant promises.
 */
#ifndef BENCH_CACHE_HITS_H
#define BENCH_CACHE_HITS_H

#include <stddef.h>
#include <stdint.h>

/* A number, or a text with its NUL for those who need one. */
typedef struct ask {
    const char *ptr; /* NULL: a number */
    uint64_t n;      /* it, or the length */
} ask;

enum { APART = 128 /* neighbouring lines are fetched in pairs */ };

/* A walk round what is asked for; each thread has its own. */
typedef struct walk {
    const ask *asks;
    size_t count, at;
    uint64_t sum; /* of what came back, so that nothing is left out */
    char apart[APART];
} walk;

static inline ask walk_next(walk *w)
{
    ask k = w->asks[w->at];
    w->at = w->at + 1 < w->count ? w->at + 1 : 0;
    return k;
}

typedef struct contestant {
    const char *name;
    void *(*make)(size_t entries, int texts);
    void (*put)(void *cache, ask key, uint64_t *value); /* both stay */
    void (*look_up)(void *cache, walk *w, size_t ops);
} contestant;

/* The way to write a look_up without a call between the loop and the cache. */
#define LOOK_UP(function, cache_type, expression)                                                  \
    static void function(void *cache_, walk *w, size_t ops)                                        \
    {                                                                                              \
        cache_type *c = cache_;                                                                    \
        for (; ops > 0; ops--) {                                                                   \
            ask key = walk_next(w);                                                                \
            w->sum += (expression);                                                                \
        }                                                                                          \
    }

extern const contestant bench_peers[];
extern const size_t bench_peer_count;

#endif /* BENCH_CACHE_HITS_H */
