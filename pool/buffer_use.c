/*
 * pool/buffer_use.c: how many bytes the users of a class of buffers really needed.
 *
 * A histogram with four bins to each power of two, so that a bin's edge is at most a quarter above
 * what fell into it. When its weight is FULL, all bins are halved: a use counts half after about
 * as many more. That a percentile of sizes that were used says what a pool keeps is the idea of
 * valyala/bytebufferpool.
 */
#include "buffer.h"

enum {
    FULL = 8192,
    PRIOR = 64, /* so that the first large use alone does not count for all: four do */
    LEAST_SHIFT = 6,
    SUB_SHIFT = 2,
    SUBS = 1 << SUB_SHIFT
};

static unsigned bin_of(size_t bytes)
{
    if (bytes < (size_t)1 << LEAST_SHIFT) return 0;
    unsigned e = 63 - (unsigned)__builtin_clzll(bytes);
    unsigned bin =
        ((e - LEAST_SHIFT) << SUB_SHIFT) + ((unsigned)(bytes >> (e - SUB_SHIFT)) & (SUBS - 1));
    return bin < USE_BINS ? bin : USE_BINS - 1;
}

/* All in the bin are below it. */
static size_t edge_of(unsigned bin)
{
    unsigned e = LEAST_SHIFT + (bin >> SUB_SHIFT), sub = bin & (SUBS - 1);
    return (size_t)(SUBS + 1 + sub) << (e - SUB_SHIFT);
}

static void fade(use *u)
{
    uint32_t total = 0;
    for (unsigned i = 0; i < USE_BINS; i++) {
        uint32_t half = atomic_load_explicit(&u->weight[i], memory_order_relaxed) / 2;
        atomic_fetch_sub_explicit(&u->weight[i], half, memory_order_relaxed);
        total += half;
    }
    atomic_store_explicit(&u->total, total, memory_order_relaxed);
}

/* From the top: the first bin that, with those above it, has more than a twentieth. */
static size_t find_percentile(const use *u)
{
    enum { TWENTIETH = 20 }; /* 5 of 100 are above */
    uint32_t sum = 0, above = 0;
    unsigned i = USE_BINS;
    for (unsigned k = 0; k < USE_BINS; k++)
        sum += atomic_load_explicit(&u->weight[k], memory_order_relaxed);
    while (i > 0 && above * TWENTIETH <= sum)
        above += atomic_load_explicit(&u->weight[--i], memory_order_relaxed);
    return edge_of(i);
}

void ebb__use_init(use *u, size_t expected)
{
    atomic_store_explicit(&u->weight[bin_of(expected - 1)], PRIOR, memory_order_relaxed);
    atomic_store_explicit(&u->total, PRIOR, memory_order_relaxed);
    atomic_store_explicit(&u->percentile, find_percentile(u), memory_order_relaxed);
}

void ebb__use_add(use *u, size_t bytes, uint32_t weight)
{
    atomic_fetch_add_explicit(&u->weight[bin_of(bytes)], weight, memory_order_relaxed);
    uint32_t total = atomic_fetch_add_explicit(&u->total, weight, memory_order_relaxed) + weight;
    if (atomic_exchange_explicit(&u->busy, 1, memory_order_acquire)) return;
    if (total >= FULL) fade(u);
    atomic_store_explicit(&u->percentile, find_percentile(u), memory_order_relaxed);
    atomic_store_explicit(&u->busy, 0, memory_order_release);
}
