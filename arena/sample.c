/*
 * arena/sample.c: which allocations are in the sample, for watchers that want to hear of one in so
 * many bytes.
 *
 * Samples are the points of a Poisson process along the bytes that are allocated, so that each byte
 * has the same chance whatever the sizes are, and no pattern of the program's can fall into step
 * with it. Such a process has no memory: how far the next point is does not depend on when that is
 * asked. So nothing is carried from one allocation, window or thread to the next. When a window
 * opens, the distance to the next point is drawn; if the point lies within, the window's limit is
 * put there, and the window is armed: the allocation that would pass the limit takes the slow path,
 * is told, and the window is armed anew. All others take the fast path, at no cost at all. Where
 * bytes come from elsewhere (a block of its own, a growth, what a bin gives, a closed window) the
 * chance that they contain a point is drawn on the spot.
 *
 * An allocation of n bytes is in the sample with the chance 1 - exp(-n / every), so its weight in
 * an estimate is one over that (Horvitz and Thompson 1952). If several watchers want samples, all
 * hear of what the one with the least distance does; the weights say how that was drawn.
 */
#include "internal.h"

_Atomic size_t ebb__sample_every;

/* The libraries' own would need libm. For 0 < x <= 1; by x = m 2^e and the series of atanh. */
static double log_of(double x)
{
    const double ln2 = 0.693147180559945309;
    union {
        double d;
        uint64_t u;
    } m = {x};
    int e = (int)(m.u >> 52) - 1022; /* m in [0.5, 1) */
    m.u = (m.u & ~(0xfffull << 52)) | 1022ull << 52;
    if (m.d < 0.70710678118654752) m.d *= 2, e--;
    double s = (m.d - 1) / (m.d + 1), square = s * s, sum = 0;
    for (int k = 17; k > 0; k -= 2) sum = sum * square + 1.0 / k;
    return 2 * s * sum + e * ln2;
}

/* 1 - exp(-x), for x >= 0. */
static double chance_of(double x)
{
    enum { TERMS = 18 };
    if (x > 40) return 1;
    int halvings = 0; /* exp(-x) is exp(-x / 2^k), squared k times */
    while (x > 0.5) x /= 2, halvings++;
    double p = 0; /* 1 - exp(-x): x - x^2/2! + ..., which loses nothing for small x */
    for (int k = TERMS; k > 0; k--) p = x / k * (1 - p);
    for (; halvings > 0; halvings--) p = p * (2 - p);
    return p;
}

/* xorshift64* (Vigna 2016), a thread's own. Above 0, below 1. */
static double uniform(thread *t)
{
    const double two_to_minus_52 = 1.0 / 4503599627370496.0;
    uint64_t x = t->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    t->random = x;
    return ((double)((x * 0x2545f4914f6cdd1du) >> 12) + 0.5) * two_to_minus_52;
}

void ebb__sample_seed(thread *t, uint64_t number)
{
    const uint64_t odd = 0x9e3779b97f4a7c15u;
    uint64_t z = (number + 1) * odd; /* splitmix64's finisher, so that neighbours differ */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    t->random = (z ^ (z >> 31)) | 1;
}

bool ebb__sample_draw(size_t size, double *ret_chance)
{
    thread *t = ebb__thread_get();
    size_t every = atomic_load_explicit(&ebb__sample_every, memory_order_relaxed);
    if (!t || !every || !size) return false;
    double u = uniform(t), x = (double)size / (double)every;
    if (u >= x) return false; /* the chance is at most x */
    *ret_chance = chance_of(x);
    return u < *ret_chance;
}

/* The limit of a window that is opened now: its floor's, or a point of the process within it. */
uintptr_t ebb__sample_limit(const ebb_arena *a)
{
    thread *t = ebb__thread_get();
    size_t every = atomic_load_explicit(&ebb__sample_every, memory_order_relaxed);
    double window = (double)(a->w.tip - a->floor);
    if (!t || !every) return a->floor - 1;
    double u = uniform(t);
    if (u * (double)every >= window) return a->floor - 1; /* -log(1 - u) is more than u */
    double distance = -log_of(1 - u) * (double)every;
    if (distance >= window) return a->floor - 1;
    return a->w.tip - (uintptr_t)distance - 1;
}

/* Whether an allocation from an open window is in the sample. Where it does not fit into what is
   left of that, its bytes come from elsewhere. */
bool ebb__sample_hit(const ebb_arena *a, size_t size, size_t align, double *ret_chance)
{
    uintptr_t limit = EBB__LOAD_RELAXED(&a->w.limit), tip = a->w.tip;
    uintptr_t to = (tip - size) & -(uintptr_t)align;
    if (size > tip - a->floor || to < a->floor) return ebb__sample_draw(size, ret_chance);
    /* What took bytes without asking has passed the point: this one has a chance of its own. */
    if (tip <= limit) return ebb__sample_draw(tip - to, ret_chance);
    size_t every = atomic_load_explicit(&ebb__sample_every, memory_order_relaxed);
    if (limit < a->floor || to > limit || !every) return false;
    *ret_chance = chance_of((double)(tip - to) / (double)every);
    return true;
}
