/*
 * containers/batch.h: what the bodies of ebb/batch.h have in common. For batch*.c alone.
 *
 *     batch.c          which body works; the public functions, made of the bodies' few
 *     batch_typed.h      the part of that which exists once per type
 *     batch_scalar.c   a body in plain C
 *     batch_avx2.c     a body in AVX2  } each says how its machine loads, compares and adds;
 *     batch_neon.c     a body in NEON  }
 *     batch_vector.h     the loops over columns, once per type and body
 *     batch_bytes.h      the loops over bytes, once per body
 *
 * A body is small, since every answer must have the same bits in all of them. What can differ
 * between bodies, such as which of -0.0 and 0.0 is the least of a block, never leaves batch.c.
 */
#ifndef EBB_CONTAINERS_BATCH_H
#define EBB_CONTAINERS_BATCH_H

#include <ebb/batch.h>
#include <ebb/template.h>

#include <math.h>
#include <string.h>

#if defined(__FAST_MATH__)
#error "ebb/batch.h defines what NaN and the order of additions do: compile it without -ffast-math"
#endif

#define INLINE static inline __attribute__((always_inline))

/* X(name, type, type of a sum, least, greatest). Least and greatest are what min and max begin
   from. */
#define COLUMN_TYPES(X)                                                                            \
    X(f32, float, double, -HUGE_VALF, HUGE_VALF)                                                   \
    X(f64, double, double, -HUGE_VAL, HUGE_VAL)                                                    \
    X(i32, int32_t, int64_t, INT32_MIN, INT32_MAX)                                                 \
    X(u64, uint64_t, u64_halves, 0, UINT64_MAX)

/* The sum of a column's low halves, and of its high ones: HALVES_MOST values overflow neither. */
typedef struct u64_halves {
    uint64_t low, high;
} u64_halves;

#define HALVES_MOST ((size_t)1 << 31)

/* What a body does with one type. */
#define COLUMN_BODY(name, T, SUM, LEAST, GREATEST)                                                 \
    typedef struct name##_body {                                                                   \
        SUM (*sum)(const T *p, size_t n);                                                          \
        T (*min)(const T *p, size_t n); /* NaN left out; GREATEST for none */                      \
        T (*max)(const T *p, size_t n); /* NaN left out; LEAST for none */                         \
        size_t (*find)(const T *p, size_t n, const ebb_##name##_test *test);                       \
        size_t (*count)(const T *p, size_t n, const ebb_##name##_test *test);                      \
        /* out has room for n, or for FILTER_SLACK more than pass. */                              \
        size_t (*filter)(const T *p, size_t n, const ebb_##name##_test *test, uint32_t *out);      \
    } name##_body;
COLUMN_TYPES(COLUMN_BODY)
#undef COLUMN_BODY

/* A vector body compares so many values at a time, and writes as many indices. */
enum { FILTER_GROUP = 8, FILTER_SLACK = FILTER_GROUP };

typedef struct batch_body {
    f32_body f32;
    f64_body f64;
    i32_body i32;
    u64_body u64;
    size_t (*utf8_error)(const unsigned char *p, size_t n);
    size_t (*byteset_find)(const ebb_byteset *set, const unsigned char *p, size_t n);
    ebb_simd simd;
} batch_body;

/* To be written in each body's file, after its functions. */
#define COLUMN_FUNCTIONS(name)                                                                     \
    {                                                                                              \
        name##_sum, name##_min, name##_max, name##_find, name##_count, name##_filter               \
    }
#define BATCH_BODY(simd)                                                                           \
    {                                                                                              \
        COLUMN_FUNCTIONS(f32), COLUMN_FUNCTIONS(f64), COLUMN_FUNCTIONS(i32),                       \
            COLUMN_FUNCTIONS(u64), utf8_error, byteset_find, simd                                  \
    }

extern const batch_body ebb__batch_scalar;
#if defined(__x86_64__)
#define BATCH_HAS_AVX2 1
extern const batch_body ebb__batch_avx2;
#else
#define BATCH_HAS_AVX2 0
#endif
#if defined(__aarch64__)
#define BATCH_HAS_NEON 1
extern const batch_body ebb__batch_neon;
#else
#define BATCH_HAS_NEON 0
#endif

/* Where the first ill-formed character of p[from, n) begins; all before `from` is whole. */
size_t ebb__utf8_error_from(const unsigned char *p, size_t from, size_t n);

/* ---- one value against a test ---------------------------------------------------------------- */

/* `compare` is a constant wherever this is called, so that nothing of the switch remains. */
#define PASSES(name, T, SUM, LEAST, GREATEST)                                                      \
    INLINE bool name##_passes(T x, const ebb_##name##_test *test, ebb_compare compare)             \
    {                                                                                              \
        switch (compare) {                                                                         \
        case EBB_LT: return x < test->low;                                                         \
        case EBB_LE: return x <= test->low;                                                        \
        case EBB_GT: return x > test->low;                                                         \
        case EBB_GE: return x >= test->low;                                                        \
        case EBB_EQ: return x == test->low;                                                        \
        /* Not &&, which would be a branch. */                                                     \
        case EBB_BETWEEN: return (test->low <= x) & (x <= test->high);                             \
        }                                                                                          \
        return false;                                                                              \
    }
COLUMN_TYPES(PASSES)
#undef PASSES

/* Return what `by` makes of the arguments, compiled once for each comparison; `none` for a value
   that is no comparison at all. */
#define RETURN_BY_COMPARE(compare, none, by, ...)                                                  \
    switch (compare) {                                                                             \
    case EBB_LT: return by(__VA_ARGS__, EBB_LT);                                                   \
    case EBB_LE: return by(__VA_ARGS__, EBB_LE);                                                   \
    case EBB_GT: return by(__VA_ARGS__, EBB_GT);                                                   \
    case EBB_GE: return by(__VA_ARGS__, EBB_GE);                                                   \
    case EBB_EQ: return by(__VA_ARGS__, EBB_EQ);                                                   \
    case EBB_BETWEEN: return by(__VA_ARGS__, EBB_BETWEEN);                                         \
    }                                                                                              \
    return (none)

/* ---- sums of doubles ------------------------------------------------------------------------- */

enum { SUM_LANES = 16 };

/* Add the lanes up in the order that ebb/batch.h promises. */
static inline double lanes_fold(double *lane)
{
    for (int half = SUM_LANES / 2; half > 0; half /= 2)
        for (int j = 0; j < half; j++) lane[j] += lane[j + half];
    /* Machines differ in which NaN comes of two, and of infinity less infinity. */
    return isnan(lane[0]) ? (double)NAN : lane[0];
}

#endif /* EBB_CONTAINERS_BATCH_H */
