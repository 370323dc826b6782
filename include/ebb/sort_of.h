/*
 * ebb/sort_of.h: sorting, searching and choosing by an order of your own: a template, to be
 * included once for each order of a type.
 *
 *     #define EBB_SORT by_load, struct node           // name, type of an item
 *     #define EBB_LESS(a, b) ((a).load < (b).load)    // whether item a comes before item b
 *     #include <ebb/sort_of.h>
 *
 * gives the functions below, under that name, for arrays wherever they lie. The comparison is
 * compiled into them; it may look at its arguments more than once. It must be an order: of a, b at
 * most one comes before the other, and if a before b, b before c, then a before c (so beware of
 * NaN). With one that is none, sorting still ends, nothing is lost and nothing else is touched.
 * Vectors of a type with one natural order have these as functions of their own: ebb/vec_of.h.
 *
 *     void   by_load_sort(items, n)              equal items in any order
 *     bool   by_load_sort_stable(items, n, a)    equal items as they were; room for n/2 items, of
 *                                                the arena a, is handed back. false: no memory, and
 *                                                the array as it was; or a jump, inside ebb_try
 *     void   by_load_sort_first(items, n, k)     the k that come first, in order, at the front; the
 *                                                others behind them, in any order
 *     bool   by_load_is_sorted(items, n)
 *     size_t by_load_lower_bound(items, n, key)  of a sorted array: how many come before key
 *     size_t by_load_upper_bound(items, n, key)  and how many do not come after it
 *
 * The first k of a stream, without having all of it at once:
 *
 *     by_load_top best = by_load_top_of(room, k);       room: k items, borrowed while it is used
 *     while (...) by_load_top_offer(&best, item);       true: it is among the first k so far
 *     by_load_top_offer_n(&best, items, n);             n at once
 *     by_load_top_finish(&best);                        best.ptr[0 .. best.len) are in order; offer
 *                                                       nothing more
 *
 * For the k that come last turn the order round. Of items that are equal to the k-th any may be
 * kept.
 *
 * n may be 0, and the array then NULL. Nothing is allocated but by sort_stable.
 * Cost: sort and sort_stable, O(n log n) comparisons at worst, O(n) where all is in order already,
 * or the very reverse; sort is O(n log m) for m different items. sort_first, O(n + k log k) on
 * average, O(n log n) at worst. Bounds, log2 n + 1 comparisons without a branch to mispredict.
 * offer, one comparison for what is not among the first.
 * Threads: any; the array is the caller's meanwhile.
 *
 * By: quicksort with a median of three or of nine; partition by Lomuto's scheme without branches
 * (Lukas Bergdoll, ipnsort of Rust's library); equal items put aside and a heap where the pivots
 * are bad (Orson Peters, pdqsort). Stable: merging of natural runs in the order of powersort (J.
 * Ian Munro, Sebastian Wild), short ones filled up by insertion.
 */
#ifndef EBB_SORT_OF_H
#define EBB_SORT_OF_H

#include <ebb/sequence.h>

/* Items so small are moved about without branches; moving large ones costs more than comparing. */
#define EBB__SORT_IS_SMALL(size) ((size) <= 48)
#define EBB__SORT_FEW(size)      (EBB__SORT_IS_SMALL(size) ? 20u : 8u) /* are sorted at once */

#define EBB__SORT_NINTHER 128u /* from here on a median of nine is worth its comparisons */
#define EBB__SORT_TAIL    8u   /* so many behind what is in order are inserted one by one */
#define EBB__SORT_RUNS    66u  /* pending runs: their powers are different and below that */

/* What a run of items is, and how deep in the tree of merges it meets the run before it. */
typedef struct ebb__run {
    size_t begin, len;
    unsigned power;
} ebb__run;

static inline unsigned ebb__log2(size_t n)
{
    unsigned log = 0;
    while (n >>= 1) log++;
    return log;
}

/* The depth of the node, in a perfect tree over n items, between two runs: how many leading binary
   digits their middles, as parts of n, have in common. */
static inline unsigned ebb__run_power(size_t n, ebb__run a, ebb__run b)
{
    uint64_t scale = (((uint64_t)1 << 62) + n - 1) / n;
    uint64_t left = (uint64_t)(2 * a.begin + a.len) * scale;
    uint64_t right = (uint64_t)(2 * b.begin + b.len) * scale;
    unsigned power = 0;
    for (uint64_t differ = left ^ right; !(differ >> 63) && power < 63; differ <<= 1) power++;
    return power;
}

#endif /* EBB_SORT_OF_H */

/* Errors in a user's call are then told without the macros that the names are made with. */
#ifndef EBB__SHOW_TEMPLATE_WARNINGS
#pragma GCC system_header
#endif

#ifndef EBB_SORT
#error "define EBB_SORT before including ebb/sort_of.h"
#elif EBB__COUNT(EBB_SORT) != 2
#error "EBB_SORT takes: name, type of an item"
#elif !defined(EBB_LESS)
#error "EBB_SORT needs EBB_LESS(a, b): whether item a comes before item b"
#else

#define EBB__N       EBB__ARG1(EBB_SORT)
#define EBB__F(name) EBB__PASTE(EBB__N, name)
#define EBB__ITEM    EBB__F(_item)
#define EBB__TOP     EBB__F(_top)
#define EBB__PART    EBB__F(__part)
#define EBB__FEW     EBB__SORT_FEW(sizeof(EBB__ITEM))

typedef EBB__ARG2(EBB_SORT) EBB__ITEM;

static inline bool EBB__F(__less)(const EBB__ITEM *a, const EBB__ITEM *b)
{
    return EBB_LESS(*a, *b);
}

static inline void EBB__F(__swap)(EBB__ITEM *a, EBB__ITEM *b)
{
    EBB__ITEM was = *a;
    *a = *b;
    *b = was;
}

/* ---- what is in order already ---------------------------------------------------------------- */

/* How many items from the first on are in order. */
static inline size_t EBB__F(__ordered)(const EBB__ITEM *p, size_t n)
{
    size_t i = n > 0;
    while (i < n && !EBB__F(__less)(&p[i], &p[i - 1])) i++;
    return i;
}

static inline size_t EBB__F(__reversed)(const EBB__ITEM *p, size_t n)
{
    size_t i = n > 0;
    while (i < n && EBB__F(__less)(&p[i], &p[i - 1])) i++;
    return i;
}

static inline void EBB__F(__reverse)(EBB__ITEM *p, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) EBB__F(__swap)(&p[i], &p[n - 1 - i]);
}

static inline bool EBB__F(_is_sorted)(const EBB__ITEM *items, size_t n)
{
    return EBB__F(__ordered)(items, n) == n;
}

/* ---- few items ------------------------------------------------------------------------------- */

/* Insert those from `sorted` on into those before, behind their equals. */
static inline void EBB__F(__insert)(EBB__ITEM *p, size_t n, size_t sorted)
{
    for (size_t i = sorted; i < n; i++) {
        EBB__ITEM item = p[i];
        size_t to = i;
        for (; to > 0 && EBB__F(__less)(&item, &p[to - 1]); to--) p[to] = p[to - 1];
        p[to] = item;
    }
}

/* One of two, without a branch, which compilers would make of ?: even where it is a coin's toss. */
static inline const EBB__ITEM *EBB__F(__pick)(bool second, const EBB__ITEM *a, const EBB__ITEM *b)
{
    uintptr_t differ = ((uintptr_t)a ^ (uintptr_t)b) & (0 - (uintptr_t)second);
    return (const EBB__ITEM *)((uintptr_t)a ^ differ);
}

/* Four into `to`, by five comparisons. */
static inline void EBB__F(__sort_four)(const EBB__ITEM *p, EBB__ITEM *to)
{
    bool ab = EBB__F(__less)(&p[1], &p[0]), cd = EBB__F(__less)(&p[3], &p[2]);
    const EBB__ITEM *a = p + ab, *b = p + !ab, *c = p + 2 + cd, *d = p + 2 + !cd;
    bool ca = EBB__F(__less)(c, a), db = EBB__F(__less)(d, b);
    const EBB__ITEM *x = EBB__F(__pick)(ca, EBB__F(__pick)(db, b, c), a); /* the middle ones, in */
    const EBB__ITEM *y = EBB__F(__pick)(db, EBB__F(__pick)(ca, c, b), d); /* order of appearance */
    bool yx = EBB__F(__less)(y, x);
    to[0] = *EBB__F(__pick)(ca, a, c);
    to[1] = *EBB__F(__pick)(yx, x, y);
    to[2] = *EBB__F(__pick)(yx, y, x);
    to[3] = *EBB__F(__pick)(db, d, b);
}

/* Merge the halves of n items into `to`, from both ends to the middle: two chains of comparisons
   that do not wait for one another. Where there is no order they miss each other. */
static inline void EBB__F(__merge_halves)(const EBB__ITEM *p, size_t n, EBB__ITEM *to)
{
    const EBB__ITEM *l = p, *r = p + n / 2, *l_last = r - 1, *r_last = p + n - 1;
    for (size_t i = 0; i < n / 2; i++) {
        bool right = EBB__F(__less)(r, l), left = EBB__F(__less)(r_last, l_last);
        to[i] = *EBB__F(__pick)(right, l, r);
        to[n - 1 - i] = *EBB__F(__pick)(left, r_last, l_last);
        r += right;
        l += !right;
        l_last -= left;
        r_last -= !left;
    }
    if (n % 2) {
        bool right = l > l_last;
        to[n / 2] = *EBB__F(__pick)(right, l, r);
        r += right;
        l += !right;
    }
    if (l != l_last + 1 || r != r_last + 1) memcpy(to, p, n * sizeof *p);
}

/* n items, at least 4, in order into `to`. */
static inline void EBB__F(__sort_into)(const EBB__ITEM *p, size_t n, EBB__ITEM *to)
{
    size_t sorted = n < 8 ? 4 : 8;
    if (n < 8) {
        EBB__F(__sort_four)(p, to);
    } else {
        EBB__ITEM four[8];
        EBB__F(__sort_four)(p, four);
        EBB__F(__sort_four)(p + 4, four + 4);
        EBB__F(__merge_halves)(four, 8, to);
    }
    memcpy(to + sorted, p + sorted, (n - sorted) * sizeof *p);
    EBB__F(__insert)(to, n, sorted);
}

/* At most EBB__FEW, equal items as they were. */
static inline void EBB__F(__sort_few)(EBB__ITEM *p, size_t n)
{
    if (EBB__SORT_IS_SMALL(sizeof *p) && n >= 8) {
        EBB__ITEM half[EBB__FEW];
        EBB__F(__sort_into)(p, n / 2, half);
        EBB__F(__sort_into)(p + n / 2, n - n / 2, half + n / 2);
        EBB__F(__merge_halves)(half, n, p);
    } else {
        EBB__F(__insert)(p, n, 1);
    }
}

/* ---- a heap whose first is the last in order ------------------------------------------------- */

/* Put `item` at i or, as long as one of the two below comes after it, further down. */
static inline void EBB__F(__sift)(EBB__ITEM *p, size_t n, size_t i, EBB__ITEM item)
{
    for (size_t below = 2 * i + 1; below < n; below = 2 * i + 1) {
        if (below + 1 < n) below += EBB__F(__less)(&p[below], &p[below + 1]);
        if (!EBB__F(__less)(&item, &p[below])) break;
        p[i] = p[below];
        i = below;
    }
    p[i] = item;
}

static inline void EBB__F(__make_heap)(EBB__ITEM *p, size_t n)
{
    for (size_t i = n / 2; i-- > 0;) EBB__F(__sift)(p, n, i, p[i]);
}

static inline void EBB__F(__sort_heap)(EBB__ITEM *p, size_t n)
{
    while (n-- > 1) {
        EBB__ITEM last = p[n];
        p[n] = p[0];
        EBB__F(__sift)(p, n, 0, last);
    }
}

/* The first k of n are those that come first, a heap. */
static inline void EBB__F(__choose_by_heap)(EBB__ITEM *p, size_t n, size_t k)
{
    EBB__F(__make_heap)(p, k);
    for (size_t i = k; i < n; i++) {
        if (EBB_LIKELY(!EBB__F(__less)(&p[i], &p[0]))) continue;
        EBB__ITEM item = p[i];
        p[i] = p[0];
        EBB__F(__sift)(p, k, 0, item);
    }
}

/* ---- dividing -------------------------------------------------------------------------------- */

static inline EBB__ITEM *EBB__F(__median)(EBB__ITEM *a, EBB__ITEM *b, EBB__ITEM *c)
{
    bool ab = EBB__F(__less)(a, b), bc = EBB__F(__less)(b, c), ac = EBB__F(__less)(a, c);
    EBB__ITEM *of_bc = ab == bc ? b : c;
    return ab == ac ? of_bc : a;
}

/* Put what is likely to lie in the middle first. */
static inline void EBB__F(__choose_pivot)(EBB__ITEM *p, size_t n)
{
    size_t part = n / 8;
    EBB__ITEM *mid = p + n / 2, *last = p + n - 1, *pivot;
    if (n < EBB__SORT_NINTHER) {
        pivot = EBB__F(__median)(p, mid, last);
    } else {
        EBB__ITEM *low = EBB__F(__median)(p, p + part, p + 2 * part);
        EBB__ITEM *high = EBB__F(__median)(last - 2 * part, last - part, last);
        pivot = EBB__F(__median)(low, EBB__F(__median)(mid - part, mid, mid + part), high);
    }
    EBB__F(__swap)(p, pivot);
}

/* Whether it belongs before the pivot; with those that are equal, or without them. */
static inline bool EBB__F(__goes_left)(const EBB__ITEM *item, const EBB__ITEM *pivot, bool equal)
{
    return equal ? !EBB__F(__less)(pivot, item) : EBB__F(__less)(item, pivot);
}

/*
 * Divide n items, at least 2, by the first, and return where that comes to lie.
 *
 *     | go left | do not | gap | to be seen |      the first item waits outside; each step moves
 *     0         left     gap   i                   one into the gap, and one to `left`
 */
static inline size_t EBB__F(__divide)(EBB__ITEM *p, size_t n, bool equal)
{
    EBB__ITEM pivot = p[0], first = p[1], *q = p + 1;
    size_t left = 0, gap = 0;
    for (size_t i = 1; i < n - 1; i++) {
        bool goes_left = EBB__F(__goes_left)(&q[i], &pivot, equal);
        q[gap] = q[left];
        q[left] = q[i];
        gap = i;
        left += goes_left;
    }
    q[gap] = q[left];
    q[left] = first;
    left += EBB__F(__goes_left)(&first, &pivot, equal);
    p[0] = p[left];
    p[left] = pivot;
    return left;
}

/* Part of an array. None in it comes before *before, which lies outside; NULL: nothing is known. */
typedef struct EBB__PART {
    EBB__ITEM *ptr;
    size_t len;
    const EBB__ITEM *before;
} EBB__PART;

/* Divide a part into two, one on each side of what is in its place now. Where the pivot equals the
   one before, so do all that go left, which are done. */
static inline void EBB__F(__split)(EBB__PART *part, EBB__PART *ret_right)
{
    EBB__ITEM *p = part->ptr;
    size_t n = part->len, at;
    EBB__F(__choose_pivot)(p, n);
    if (part->before && !EBB__F(__less)(part->before, p)) {
        at = EBB__F(__divide)(p, n, true);
        part->len = 0;
    } else {
        at = EBB__F(__divide)(p, n, false);
        part->len = at;
    }
    ret_right->before = p + at;
    ret_right->ptr = p + at + 1;
    ret_right->len = n - at - 1;
}

/* ---- sorting --------------------------------------------------------------------------------- */

static inline void EBB__F(__sort_by_heap)(EBB__ITEM *p, size_t n)
{
    EBB__F(__make_heap)(p, n);
    EBB__F(__sort_heap)(p, n);
}

/* The smaller side by recursion, so that its depth is below log2 n. */
static void EBB__F(__sort_part)(EBB__PART part, unsigned splits)
{
    while (part.len > EBB__FEW && splits-- > 0) {
        EBB__PART right;
        EBB__F(__split)(&part, &right);
        bool left_first = part.len < right.len;
        EBB__F(__sort_part)(left_first ? part : right, splits);
        if (left_first) part = right;
    }
    if (part.len <= EBB__FEW) EBB__F(__sort_few)(part.ptr, part.len);
    else EBB__F(__sort_by_heap)(part.ptr, part.len);
}

/* Whether it was nearly in order, or the very reverse, and now is in order. */
static inline bool EBB__F(__sort_ordered)(EBB__ITEM *p, size_t n)
{
    size_t run = EBB__F(__ordered)(p, n);
    if (n - run <= EBB__SORT_TAIL) {
        EBB__F(__insert)(p, n, run);
        return true;
    }
    if (run > 1 || EBB__F(__reversed)(p, n) < n) return false;
    EBB__F(__reverse)(p, n);
    return true;
}

static inline void EBB__F(_sort)(EBB__ITEM *items, size_t n)
{
    EBB__PART all = {items, n, NULL};
    if (!EBB__F(__sort_ordered)(items, n)) EBB__F(__sort_part)(all, 2 * ebb__log2(n));
}

/* Divide only where the k-th is. */
static inline void EBB__F(_sort_first)(EBB__ITEM *items, size_t n, size_t k)
{
    EBB__PART part = {items, n, NULL};
    size_t wanted = k < n ? k : n;
    unsigned splits = 2 * ebb__log2(n);
    while (wanted < part.len && wanted > part.len / 16 && part.len > EBB__FEW && splits-- > 0) {
        EBB__PART right;
        EBB__F(__split)(&part, &right);
        size_t left = (size_t)(right.ptr - part.ptr);
        if (wanted < left) continue;
        wanted -= left;
        part = right;
    }
    if (wanted && wanted < part.len) EBB__F(__choose_by_heap)(part.ptr, part.len, wanted);
    EBB__F(_sort)(items, k < n ? k : n);
}

/* ---- sorting, equal items as they were ------------------------------------------------------- */

/* Merge p[0..left) and p[left..left + right), from the front; the former has been copied. */
static inline void EBB__F(__merge_up)(EBB__ITEM *p, size_t left, size_t right,
                                      const EBB__ITEM *copy)
{
    const EBB__ITEM *l = copy, *l_end = copy + left, *r = p + left, *r_end = r + right;
    while (l < l_end && r < r_end) {
        bool take_right = EBB__F(__less)(r, l);
        *p++ = *EBB__F(__pick)(take_right, l, r);
        r += take_right;
        l += !take_right;
    }
    memcpy(p, l, (size_t)(l_end - l) * sizeof *l);
}

/* The same from the back, the latter having been copied. */
static inline void EBB__F(__merge_down)(EBB__ITEM *p, size_t left, size_t right,
                                        const EBB__ITEM *copy)
{
    const EBB__ITEM *l = p + left, *r = copy + right;
    EBB__ITEM *to = p + left + right;
    while (l > p && r > copy) {
        bool take_left = EBB__F(__less)(r - 1, l - 1);
        l -= take_left;
        r -= !take_left;
        *--to = *EBB__F(__pick)(take_left, r, l);
    }
    memcpy(p, copy, (size_t)(r - copy) * sizeof *r);
}

static inline void EBB__F(__merge)(EBB__ITEM *p, size_t left, size_t right, EBB__ITEM *room)
{
    if (!EBB__F(__less)(&p[left], &p[left - 1])) return;
    if (left <= right) {
        memcpy(room, p, left * sizeof *p);
        EBB__F(__merge_up)(p, left, right, room);
    } else {
        memcpy(room, p + left, right * sizeof *p);
        EBB__F(__merge_down)(p, left, right, room);
    }
}

/* The next run, in order when it is returned. */
static inline ebb__run EBB__F(__next_run)(EBB__ITEM *p, size_t n, size_t begin)
{
    EBB__ITEM *q = p + begin;
    size_t rest = n - begin, few = rest < EBB__FEW ? rest : EBB__FEW;
    ebb__run run = {begin, EBB__F(__ordered)(q, rest), 0};
    if (run.len == 1) {
        run.len = EBB__F(__reversed)(q, rest);
        EBB__F(__reverse)(q, run.len);
    }
    if (run.len < few) {
        EBB__F(__sort_few)(q, few);
        run.len = few;
    }
    return run;
}

static inline void EBB__F(__sort_runs)(EBB__ITEM *p, size_t n, EBB__ITEM *room)
{
    ebb__run run[EBB__SORT_RUNS], next = EBB__F(__next_run)(p, n, 0);
    size_t pending = 0;
    run[0] = next;
    for (size_t at = run[0].len;; at += next.len) {
        if (at < n) next = EBB__F(__next_run)(p, n, at);
        unsigned power = at < n ? ebb__run_power(n, run[pending], next) : 0;
        for (; pending > 0 && run[pending].power >= power; pending--) {
            ebb__run *into = &run[pending - 1];
            EBB__F(__merge)(p + into->begin, into->len, run[pending].len, room);
            into->len += run[pending].len;
        }
        if (at >= n) return;
        run[++pending] = next;
        run[pending].power = power;
    }
}

static inline bool EBB__F(_sort_stable)(EBB__ITEM *items, size_t n, ebb_arena *a)
{
    ebb_storage room = {NULL, 0};
    size_t run = EBB__F(__ordered)(items, n);
    if (n <= EBB__FEW || n - run <= EBB__SORT_TAIL) {
        if (n - run <= EBB__SORT_TAIL) EBB__F(__insert)(items, n, run);
        else EBB__F(__sort_few)(items, n);
        return true;
    }
    if (!ebb_storage_grow(a, &room, 0, n / 2 * sizeof *items)) return false;
    EBB__F(__sort_runs)(items, n, (EBB__ITEM *)room.ptr);
    ebb_storage_release(a, &room);
    return true;
}

/* ---- searching ------------------------------------------------------------------------------- */

/* n where it is so, else 0; by a mask, as in __pick. */
static inline size_t EBB__F(__if)(bool is_so, size_t n)
{
    return n & (0 - (size_t)is_so);
}

static inline size_t EBB__F(_lower_bound)(const EBB__ITEM *items, size_t n, EBB__ITEM key)
{
    const EBB__ITEM *p = items;
    for (; n > 1; n -= n / 2) p += EBB__F(__if)(EBB__F(__less)(&p[n / 2 - 1], &key), n / 2);
    return (size_t)(p - items) + (n && EBB__F(__less)(p, &key));
}

static inline size_t EBB__F(_upper_bound)(const EBB__ITEM *items, size_t n, EBB__ITEM key)
{
    const EBB__ITEM *p = items;
    for (; n > 1; n -= n / 2) p += EBB__F(__if)(!EBB__F(__less)(&key, &p[n / 2 - 1]), n / 2);
    return (size_t)(p - items) + (n && !EBB__F(__less)(&key, p));
}

/* ---- the first of a stream ------------------------------------------------------------------- */

/* Full, it is a heap, and ebb__heap its first, the last in order; before, as it comes. */
typedef struct EBB__TOP {
    EBB__ITEM *ptr;
    size_t len, k;
    const EBB__ITEM *ebb__heap;
} EBB__TOP;

static inline EBB__TOP EBB__F(_top_of)(EBB__ITEM *room, size_t k)
{
    EBB__TOP top = {room, 0, k, NULL};
    return top;
}

/* It belongs in, or there is still room. */
static inline bool EBB__F(__top_take)(EBB__TOP *top, EBB__ITEM item)
{
    if (top->len == top->k) {
        if (top->k) EBB__F(__sift)(top->ptr, top->k, 0, item);
        return top->k > 0;
    }
    top->ptr[top->len++] = item;
    if (top->len < top->k) return true;
    EBB__F(__make_heap)(top->ptr, top->k);
    top->ebb__heap = top->ptr;
    return true;
}

static inline bool EBB__F(_top_offer)(EBB__TOP *top, EBB__ITEM item)
{
    if (EBB_LIKELY(top->ebb__heap && !EBB__F(__less)(&item, top->ebb__heap))) return false;
    return EBB__F(__top_take)(top, item);
}

static inline void EBB__F(_top_offer_n)(EBB__TOP *top, const EBB__ITEM *items, size_t n)
{
    size_t i = 0;
    while (i < n && !top->ebb__heap && EBB__F(__top_take)(top, items[i])) i++;
    const EBB__ITEM *last = top->ebb__heap;
    for (; last && i < n; i++)
        if (!EBB_LIKELY(!EBB__F(__less)(&items[i], last)))
            EBB__F(__sift)(top->ptr, top->k, 0, items[i]);
}

static inline void EBB__F(_top_finish)(EBB__TOP *top)
{
    EBB__F(_sort)(top->ptr, top->len);
}

#endif /* the arguments are right */

#undef EBB__N
#undef EBB__F
#undef EBB__ITEM
#undef EBB__TOP
#undef EBB__PART
#undef EBB__FEW
#undef EBB_SORT
#undef EBB_LESS
