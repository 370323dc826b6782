/*
 * ebb/batch.h: whole columns of numbers, and whole texts of bytes, at once: sum, least and
 * greatest, which rows pass a test, the best k; valid UTF-8, the next byte out of a set.
 *
 * For those who have their data as arrays of plain numbers (a load per node, a deadline per job)
 * and ask one question of all of it. Not for structs with a number in each, nor for a handful of
 * values, where a loop of your own is as fast.
 *
 * The work is done by AVX2 or NEON instructions where the machine has them, else by plain C. Which
 * is found out once, when the program runs, and never changes an answer: what is returned is the
 * same in every bit. For that to be possible, order is defined:
 *
 *   ties    of equal values the one with the lower index is first, and so the one that is returned.
 *           -0.0 and 0.0 are equal.
 *   NaN     passes no test, and loses against every number: it is the least or the greatest only
 *           where all are NaN, and of the best k it comes last.
 *   sums    of floats and doubles are doubles added in sixteen lanes: value i goes to lane i % 16,
 *           in the order of i; then lane j + 8 is added to lane j, j + 4 to j, j + 2, j + 1. A sum
 *           that is NaN is always the same NaN.
 *
 * A column is n values side by side, at their natural alignment; it is borrowed. Where n is 0 it
 * may be NULL. Nothing before the first or behind the last is read.
 * Nothing here fails unless its comment says so. Threads: any; a column must not change meanwhile.
 * Cost: O(n), unless said otherwise.
 */
#ifndef EBB_BATCH_H
#define EBB_BATCH_H

#include "arena.h"
#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- instructions ---------------------------------------------------------------------------- */

/** What does the work. */
typedef enum ebb_simd {
    EBB_SIMD_AUTO = 0, /**< the best that this machine has */
    EBB_SIMD_SCALAR,   /**< plain C */
    EBB_SIMD_AVX2,     /**< x86-64 with AVX2, BMI1 and POPCNT: 2013 and later */
    EBB_SIMD_NEON      /**< every AArch64 */
} ebb_simd;

/**
 * Let @simd do the work in the whole process from now on; calls under way finish as they began.
 * For measuring, and to look for the cause of a wrong answer; answers are the same with each.
 * The environment variable EBB_SIMD=auto, scalar, avx2 or neon says what a process starts with; a
 * wrong value, or what the machine lacks, is named on stderr once and ignored.
 * Fails: false, and nothing changes, if this machine or this build of the library can't.
 */
EBB_API bool ebb_simd_set(ebb_simd simd);

/** Return what does the work; never EBB_SIMD_AUTO. */
EBB_API ebb_simd ebb_simd_get(void);

/* ---- tests of a value ------------------------------------------------------------------------ */

typedef enum ebb_compare {
    EBB_LT,     /**< x < low */
    EBB_LE,     /**< x <= low */
    EBB_GT,     /**< x > low */
    EBB_GE,     /**< x >= low */
    EBB_EQ,     /**< x == low */
    EBB_BETWEEN /**< low <= x and x <= high */
} ebb_compare;

/*
 * ebb_f32_test and its like say which values are wanted; they are made by
 *     ebb_f32_lt(bound) _le _gt _ge _eq         x < bound, x <= bound, ...
 *     ebb_f32_between(low, high)                low <= x and x <= high
 * and so for f64 (double), i32 (int32_t) and u64 (uint64_t). A bound that is NaN lets nothing pass.
 */
#define EBB__TEST_BY(name, verb, T, compare)                                                       \
    static inline ebb_##name##_test ebb_##name##_##verb(T bound)                                   \
    {                                                                                              \
        ebb_##name##_test made = {compare, bound, bound};                                          \
        return made;                                                                               \
    }
#define EBB__TESTS(name, T)                                                                        \
    typedef struct ebb_##name##_test {                                                             \
        ebb_compare compare;                                                                       \
        T low, high;                                                                               \
    } ebb_##name##_test;                                                                           \
    EBB__TEST_BY(name, lt, T, EBB_LT)                                                              \
    EBB__TEST_BY(name, le, T, EBB_LE)                                                              \
    EBB__TEST_BY(name, gt, T, EBB_GT)                                                              \
    EBB__TEST_BY(name, ge, T, EBB_GE)                                                              \
    EBB__TEST_BY(name, eq, T, EBB_EQ)                                                              \
    static inline ebb_##name##_test ebb_##name##_between(T low, T high)                            \
    {                                                                                              \
        ebb_##name##_test made = {EBB_BETWEEN, low, high};                                         \
        return made;                                                                               \
    }

EBB__TESTS(f32, float)
EBB__TESTS(f64, double)
EBB__TESTS(i32, int32_t)
EBB__TESTS(u64, uint64_t)
#undef EBB__TESTS
#undef EBB__TEST_BY

/* ---- sums ------------------------------------------------------------------------------------ */

/** Return the sum of @n values, in the order given above; 0.0 for none. Floats are added as
    doubles, so that a million of them lose nothing that a float could hold. */
EBB_API double ebb_f32_sum(const float *column, size_t n);
EBB_API double ebb_f64_sum(const double *column, size_t n);

/** Return the sum of @n values; 0 for none. Exact up to 2^32 values, which can't overflow; beyond
    that it is the sum modulo 2^64. */
EBB_API int64_t ebb_i32_sum(const int32_t *column, size_t n);

/**
 * Store the sum of @n values in *@ret_sum; 0 for none.
 * Fails: false, *@ret_sum untouched, if it is above UINT64_MAX.
 */
EBB_API EBB_MUST_USE bool ebb_u64_sum(const uint64_t *column, size_t n, uint64_t *ret_sum);

/* ---- least and greatest ---------------------------------------------------------------------- */

/** Return the index of the least value, the first of equals; 0 where all are NaN. None: @n. */
EBB_API size_t ebb_f32_argmin(const float *column, size_t n);
EBB_API size_t ebb_f64_argmin(const double *column, size_t n);
EBB_API size_t ebb_i32_argmin(const int32_t *column, size_t n);
EBB_API size_t ebb_u64_argmin(const uint64_t *column, size_t n);

/** Return the index of the greatest value, the first of equals; 0 where all are NaN. None: @n. */
EBB_API size_t ebb_f32_argmax(const float *column, size_t n);
EBB_API size_t ebb_f64_argmax(const double *column, size_t n);
EBB_API size_t ebb_i32_argmax(const int32_t *column, size_t n);
EBB_API size_t ebb_u64_argmax(const uint64_t *column, size_t n);

/** Return the least value: the one at argmin, bit for bit. None: what every value is at most,
    which is infinity, or the type's greatest value, so that parts can be put together. */
EBB_API float ebb_f32_min(const float *column, size_t n);
EBB_API double ebb_f64_min(const double *column, size_t n);
EBB_API int32_t ebb_i32_min(const int32_t *column, size_t n);
EBB_API uint64_t ebb_u64_min(const uint64_t *column, size_t n);

/** Return the greatest value: the one at argmax, bit for bit. None: what every value is at least,
    which is minus infinity, or the type's least value. */
EBB_API float ebb_f32_max(const float *column, size_t n);
EBB_API double ebb_f64_max(const double *column, size_t n);
EBB_API int32_t ebb_i32_max(const int32_t *column, size_t n);
EBB_API uint64_t ebb_u64_max(const uint64_t *column, size_t n);

/* ---- what passes a test ---------------------------------------------------------------------- */

/** Return the index of the first value that passes @test. None: @n. */
EBB_API size_t ebb_f32_find(const float *column, size_t n, ebb_f32_test test);
EBB_API size_t ebb_f64_find(const double *column, size_t n, ebb_f64_test test);
EBB_API size_t ebb_i32_find(const int32_t *column, size_t n, ebb_i32_test test);
EBB_API size_t ebb_u64_find(const uint64_t *column, size_t n, ebb_u64_test test);

/** Return how many values pass @test. */
EBB_API size_t ebb_f32_count(const float *column, size_t n, ebb_f32_test test);
EBB_API size_t ebb_f64_count(const double *column, size_t n, ebb_f64_test test);
EBB_API size_t ebb_i32_count(const int32_t *column, size_t n, ebb_i32_test test);
EBB_API size_t ebb_u64_count(const uint64_t *column, size_t n, ebb_u64_test test);

/* What the functions below return for a column of more than UINT32_MAX values, whose indices would
   not fit; nothing has been written then. */
#define EBB_TOO_MANY SIZE_MAX

/**
 * Write the indices of the values that pass @test to @ret_rows, rising, and return how many.
 * @ret_rows has room for @n: what lies behind the indices may have been written over.
 * Fails: EBB_TOO_MANY.
 */
EBB_API size_t ebb_f32_filter(const float *column, size_t n, ebb_f32_test test, uint32_t *ret_rows);
EBB_API size_t ebb_f64_filter(const double *column, size_t n, ebb_f64_test test,
                              uint32_t *ret_rows);
EBB_API size_t ebb_i32_filter(const int32_t *column, size_t n, ebb_i32_test test,
                              uint32_t *ret_rows);
EBB_API size_t ebb_u64_filter(const uint64_t *column, size_t n, ebb_u64_test test,
                              uint32_t *ret_rows);

/**
 * Return the indices of the values that pass @test, rising, allocated in @a (in scope), and their
 * number in *@ret_count. Never NULL for want of values that pass.
 * Fails: NULL as ebb_alloc, or by a jump inside ebb_try, *@ret_count untouched; a column of more
 * than UINT32_MAX values is more than any arena has room for.
 * Cost: O(@n), twice: what passes is counted first, so that no more than that is allocated.
 * Threads: the holder of @a.
 */
EBB_API uint32_t *ebb_f32_filter_in(ebb_arena *a, const float *column, size_t n, ebb_f32_test test,
                                    size_t *ret_count);
EBB_API uint32_t *ebb_f64_filter_in(ebb_arena *a, const double *column, size_t n, ebb_f64_test test,
                                    size_t *ret_count);
EBB_API uint32_t *ebb_i32_filter_in(ebb_arena *a, const int32_t *column, size_t n,
                                    ebb_i32_test test, size_t *ret_count);
EBB_API uint32_t *ebb_u64_filter_in(ebb_arena *a, const uint64_t *column, size_t n,
                                    ebb_u64_test test, size_t *ret_count);

/* ---- the best k ------------------------------------------------------------------------------ */

/**
 * Write the indices of the @k greatest values to @ret_rows, the greatest first, and return how
 * many: @k, or @n if that is less. @ret_rows has room for that many.
 * Fails: EBB_TOO_MANY.
 * Cost: O(n), and O(log k) for each value that is among the best k so far: about k ln(n/k) of them
 * where order is random, all of them where the column rises.
 */
EBB_API size_t ebb_f32_top(const float *column, size_t n, size_t k, uint32_t *ret_rows);
EBB_API size_t ebb_f64_top(const double *column, size_t n, size_t k, uint32_t *ret_rows);
EBB_API size_t ebb_i32_top(const int32_t *column, size_t n, size_t k, uint32_t *ret_rows);
EBB_API size_t ebb_u64_top(const uint64_t *column, size_t n, size_t k, uint32_t *ret_rows);

/** The same for the @k least, the least first. */
EBB_API size_t ebb_f32_bottom(const float *column, size_t n, size_t k, uint32_t *ret_rows);
EBB_API size_t ebb_f64_bottom(const double *column, size_t n, size_t k, uint32_t *ret_rows);
EBB_API size_t ebb_i32_bottom(const int32_t *column, size_t n, size_t k, uint32_t *ret_rows);
EBB_API size_t ebb_u64_bottom(const uint64_t *column, size_t n, size_t k, uint32_t *ret_rows);

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

/** Return whether @text is well-formed UTF-8 as Unicode and RFC 3629 define it: no overlong form,
    no surrogate, nothing above U+10FFFF, nothing cut off. NUL is a character like another, and
    empty text is well-formed. */
EBB_API bool ebb_utf8_valid(ebb_str text);

/** Return where the first character that is not well-formed begins: all before it is, and is whole.
    None: @text.len. */
EBB_API size_t ebb_utf8_find_error(ebb_str text);

/* ---- sets of bytes --------------------------------------------------------------------------- */

/** A set of bytes, ready to be looked for. A plain value: copy it, make it static, share it. In
    @ebb__half[c >> 7][c & 15], bit (c >> 4) & 7 tells whether byte c is in it. All zero: empty. */
typedef struct ebb_byteset {
    uint8_t ebb__half[2][16];
} ebb_byteset;

/** Return the set of all bytes that occur in @bytes; a NUL among them counts like another. */
EBB_API ebb_byteset ebb_byteset_of(ebb_str bytes);

/** Add every byte from @first to @last, both included; none if @last is before @first. */
EBB_API void ebb_byteset_add(ebb_byteset *set, unsigned char first, unsigned char last);

/** Return the set of all bytes that are not in @set. */
EBB_API ebb_byteset ebb_byteset_invert(const ebb_byteset *set);

/** Return whether @byte is in @set. */
static inline bool ebb_byteset_has(const ebb_byteset *set, unsigned char byte)
{
    return (set->ebb__half[byte >> 7][byte & 15] >> (byte >> 4 & 7)) & 1;
}

/** Return the index of the first byte of @text that is in @set, as strcspn does. None: @text.len.
    For the first that is not in it, as strspn, look for the inverted set. */
EBB_API size_t ebb_byteset_find(const ebb_byteset *set, ebb_str text);

#ifdef __cplusplus
}
#endif
#endif /* EBB_BATCH_H */
