/*
 * containers/batch_avx2.c: the body of ebb/batch.h for x86-64 with AVX2. See batch.h.
 *
 * The functions are marked with what they need, and the rest of the library is compiled without it:
 * nothing here runs before batch.c has seen that the machine can.
 */
#include "batch.h"

#if BATCH_HAS_AVX2

#include "batch_rows.h"

#include <immintrin.h>

#define TARGET __attribute__((target("avx2,bmi,popcnt")))

/* ---- comparisons ----------------------------------------------------------------------------- */

/* A lane's highest bit is what movemask takes. With _OQ NaN compares as false, and quietly. */
#define FLOAT_MASK(name, suffix, T, VEC)                                                           \
    TARGET INLINE uint32_t name(const T *p, VEC low, VEC high, ebb_compare compare)                \
    {                                                                                              \
        VEC x = _mm256_loadu_##suffix(p), passes = _mm256_setzero_##suffix();                      \
        switch (compare) {                                                                         \
        case EBB_LT: passes = _mm256_cmp_##suffix(x, low, _CMP_LT_OQ); break;                      \
        case EBB_LE: passes = _mm256_cmp_##suffix(x, low, _CMP_LE_OQ); break;                      \
        case EBB_GT: passes = _mm256_cmp_##suffix(x, low, _CMP_GT_OQ); break;                      \
        case EBB_GE: passes = _mm256_cmp_##suffix(x, low, _CMP_GE_OQ); break;                      \
        case EBB_EQ: passes = _mm256_cmp_##suffix(x, low, _CMP_EQ_OQ); break;                      \
        case EBB_BETWEEN:                                                                          \
            passes = _mm256_and_##suffix(_mm256_cmp_##suffix(x, low, _CMP_GE_OQ),                  \
                                         _mm256_cmp_##suffix(x, high, _CMP_LE_OQ));                \
            break;                                                                                 \
        }                                                                                          \
        return (uint32_t)_mm256_movemask_##suffix(passes);                                         \
    }
FLOAT_MASK(f32_mask, ps, float, __m256)
FLOAT_MASK(f64_half_mask, pd, double, __m256d)
#undef FLOAT_MASK

/* There is greater and equal; the rest are their negations. */
#define INTEGER_PASSES(name, epi)                                                                  \
    TARGET INLINE __m256i name(__m256i x, __m256i low, __m256i high, ebb_compare compare)          \
    {                                                                                              \
        const __m256i all = _mm256_set1_epi8(-1);                                                  \
        switch (compare) {                                                                         \
        case EBB_LT: return _mm256_cmpgt_##epi(low, x);                                            \
        case EBB_LE: return _mm256_xor_si256(_mm256_cmpgt_##epi(x, low), all);                     \
        case EBB_GT: return _mm256_cmpgt_##epi(x, low);                                            \
        case EBB_GE: return _mm256_xor_si256(_mm256_cmpgt_##epi(low, x), all);                     \
        case EBB_EQ: return _mm256_cmpeq_##epi(x, low);                                            \
        case EBB_BETWEEN:                                                                          \
            return _mm256_xor_si256(                                                               \
                _mm256_or_si256(_mm256_cmpgt_##epi(low, x), _mm256_cmpgt_##epi(x, high)), all);    \
        }                                                                                          \
        return _mm256_setzero_si256();                                                             \
    }
INTEGER_PASSES(i32_passing, epi32)
INTEGER_PASSES(i64_passing, epi64)
#undef INTEGER_PASSES

TARGET INLINE __m256i load_integers(const void *p)
{
    return _mm256_loadu_si256(p);
}

TARGET INLINE uint32_t i32_mask(const int32_t *p, __m256i low, __m256i high, ebb_compare compare)
{
    __m256i passes = i32_passing(load_integers(p), low, high, compare);
    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(passes));
}

/* Vectors of u64 are held less 2^63, since only the signed comparison exists. */
TARGET INLINE __m256i u64_flip(__m256i v)
{
    return _mm256_xor_si256(v, _mm256_set1_epi64x(INT64_MIN));
}

TARGET INLINE __m256i u64_load(const uint64_t *p)
{
    return u64_flip(load_integers(p));
}

TARGET INLINE uint32_t u64_half_mask(const uint64_t *p, __m256i low, __m256i high,
                                     ebb_compare compare)
{
    __m256i passes = i64_passing(u64_load(p), low, high, compare);
    return (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(passes));
}

enum { LANES_32 = 8, LANES_64 = 4 };

TARGET INLINE uint32_t f64_mask(const double *p, __m256d low, __m256d high, ebb_compare compare)
{
    uint32_t second = f64_half_mask(p + LANES_64, low, high, compare);
    return f64_half_mask(p, low, high, compare) | second << LANES_64;
}

TARGET INLINE uint32_t u64_mask(const uint64_t *p, __m256i low, __m256i high, ebb_compare compare)
{
    uint32_t second = u64_half_mask(p + LANES_64, low, high, compare);
    return u64_half_mask(p, low, high, compare) | second << LANES_64;
}

/* Write the indices base + position of the mask's set bits, and what is behind them. */
TARGET INLINE void indices_store(uint32_t *out, uint32_t base, uint32_t mask)
{
    __m256i row = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)mask_rows[mask]));
    _mm256_storeu_si256((void *)out, _mm256_add_epi32(row, _mm256_set1_epi32((int)base)));
}

/* ---- loading and ordering -------------------------------------------------------------------- */

/* vminps and vmaxps give their second operand where either is NaN. */
#define FLOATS(name, T, VEC, suffix)                                                               \
    TARGET INLINE VEC name##_splat(T x)                                                            \
    {                                                                                              \
        return _mm256_set1_##suffix(x);                                                            \
    }                                                                                              \
    TARGET INLINE VEC name##_load(const T *p)                                                      \
    {                                                                                              \
        return _mm256_loadu_##suffix(p);                                                           \
    }                                                                                              \
    TARGET INLINE void name##_store(T *p, VEC v)                                                   \
    {                                                                                              \
        _mm256_storeu_##suffix(p, v);                                                              \
    }                                                                                              \
    TARGET INLINE VEC name##_lesser(VEC x, VEC so_far)                                             \
    {                                                                                              \
        return _mm256_min_##suffix(x, so_far);                                                     \
    }                                                                                              \
    TARGET INLINE VEC name##_greater(VEC x, VEC so_far)                                            \
    {                                                                                              \
        return _mm256_max_##suffix(x, so_far);                                                     \
    }
FLOATS(f32, float, __m256, ps)
FLOATS(f64, double, __m256d, pd)
#undef FLOATS

TARGET INLINE __m256i i32_splat(int32_t x)
{
    return _mm256_set1_epi32(x);
}

TARGET INLINE __m256i i32_load(const int32_t *p)
{
    return load_integers(p);
}

TARGET INLINE void i32_store(int32_t *p, __m256i v)
{
    _mm256_storeu_si256((void *)p, v);
}

TARGET INLINE __m256i i32_lesser(__m256i x, __m256i so_far)
{
    return _mm256_min_epi32(x, so_far);
}

TARGET INLINE __m256i i32_greater(__m256i x, __m256i so_far)
{
    return _mm256_max_epi32(x, so_far);
}

TARGET INLINE __m256i u64_splat(uint64_t x)
{
    return u64_flip(_mm256_set1_epi64x((long long)x));
}

TARGET INLINE void u64_store(uint64_t *p, __m256i v)
{
    _mm256_storeu_si256((void *)p, u64_flip(v));
}

TARGET INLINE __m256i u64_lesser(__m256i x, __m256i so_far)
{
    return _mm256_blendv_epi8(so_far, x, _mm256_cmpgt_epi64(so_far, x));
}

TARGET INLINE __m256i u64_greater(__m256i x, __m256i so_far)
{
    return _mm256_blendv_epi8(so_far, x, _mm256_cmpgt_epi64(x, so_far));
}

/* clang-format off */
#define NAME     f32
#define T        float
#define VECTOR   __m256
#define LANES    LANES_32
#define LEAST    (-HUGE_VALF)
#define GREATEST HUGE_VALF
#include "batch_vector.h"

#define NAME     f64
#define T        double
#define VECTOR   __m256d
#define LANES    LANES_64
#define LEAST    (-HUGE_VAL)
#define GREATEST HUGE_VAL
#include "batch_vector.h"

#define NAME     i32
#define T        int32_t
#define VECTOR   __m256i
#define LANES    LANES_32
#define LEAST    INT32_MIN
#define GREATEST INT32_MAX
#include "batch_vector.h"

#define NAME     u64
#define T        uint64_t
#define VECTOR   __m256i
#define LANES    LANES_64
#define LEAST    0
#define GREATEST UINT64_MAX
#include "batch_vector.h"
/* clang-format on */

/* ---- sums ------------------------------------------------------------------------------------ */

TARGET INLINE __m256d f32_as_doubles(const float *p)
{
    return _mm256_cvtps_pd(_mm_loadu_ps(p));
}

TARGET INLINE __m256d f64_as_doubles(const double *p)
{
    return _mm256_loadu_pd(p);
}

/* Lanes 0..3 of the sum are in a, 4..7 in b, and so on. */
#define FLOAT_SUM(name, T)                                                                         \
    TARGET static double name##_sum(const T *p, size_t n)                                          \
    {                                                                                              \
        __m256d a = _mm256_setzero_pd(), b = a, c = a, d = a;                                      \
        double lane[SUM_LANES];                                                                    \
        size_t i = 0;                                                                              \
        for (; n - i >= SUM_LANES; i += SUM_LANES) {                                               \
            a = _mm256_add_pd(a, name##_as_doubles(p + i));                                        \
            b = _mm256_add_pd(b, name##_as_doubles(p + i + LANES_64));                             \
            c = _mm256_add_pd(c, name##_as_doubles(p + i + 2 * LANES_64));                         \
            d = _mm256_add_pd(d, name##_as_doubles(p + i + 3 * LANES_64));                         \
        }                                                                                          \
        _mm256_storeu_pd(lane, a);                                                                 \
        _mm256_storeu_pd(lane + LANES_64, b);                                                      \
        _mm256_storeu_pd(lane + 2 * LANES_64, c);                                                  \
        _mm256_storeu_pd(lane + 3 * LANES_64, d);                                                  \
        for (; i < n; i++) lane[i % SUM_LANES] += (double)p[i];                                    \
        return lanes_fold(lane);                                                                   \
    }
FLOAT_SUM(f32, float)
FLOAT_SUM(f64, double)
#undef FLOAT_SUM

TARGET INLINE uint64_t lanes_sum(__m256i v)
{
    uint64_t lane[LANES_64];
    _mm256_storeu_si256((void *)lane, v);
    return lane[0] + lane[1] + lane[2] + lane[3];
}

TARGET INLINE __m256i i32_widened(const int32_t *p)
{
    return _mm256_cvtepi32_epi64(_mm_loadu_si128((const void *)p));
}

TARGET static int64_t i32_sum(const int32_t *p, size_t n)
{
    __m256i a = _mm256_setzero_si256(), b = a;
    size_t i = 0;
    for (; n - i >= 2 * LANES_64; i += 2 * LANES_64) {
        a = _mm256_add_epi64(a, i32_widened(p + i));
        b = _mm256_add_epi64(b, i32_widened(p + i + LANES_64));
    }
    uint64_t sum = lanes_sum(_mm256_add_epi64(a, b));
    for (; i < n; i++) sum += (uint64_t)(int64_t)p[i];
    return (int64_t)sum;
}

TARGET static u64_halves u64_sum(const uint64_t *p, size_t n)
{
    const __m256i low_half = _mm256_set1_epi64x(UINT32_MAX);
    __m256i low = _mm256_setzero_si256(), high = low;
    size_t i = 0;
    for (; n - i >= LANES_64; i += LANES_64) {
        __m256i x = load_integers(p + i);
        low = _mm256_add_epi64(low, _mm256_and_si256(x, low_half));
        high = _mm256_add_epi64(high, _mm256_srli_epi64(x, 32));
    }
    u64_halves sum = {lanes_sum(low), lanes_sum(high)};
    for (; i < n; i++) {
        sum.low += (uint32_t)p[i];
        sum.high += p[i] >> 32;
    }
    return sum;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

typedef __m256i bytes;
enum { BYTES = 32 };

TARGET INLINE bytes bytes_load(const unsigned char *p)
{
    return load_integers(p);
}

TARGET INLINE bytes bytes_splat(int c)
{
    return _mm256_set1_epi8((char)c);
}

TARGET INLINE bytes bytes_table(const uint8_t *p)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)p));
}

TARGET INLINE bytes bytes_lookup(bytes table, bytes index)
{
    return _mm256_shuffle_epi8(table, index);
}

TARGET INLINE bytes bytes_and(bytes a, bytes b)
{
    return _mm256_and_si256(a, b);
}

TARGET INLINE bytes bytes_or(bytes a, bytes b)
{
    return _mm256_or_si256(a, b);
}

TARGET INLINE bytes bytes_xor(bytes a, bytes b)
{
    return _mm256_xor_si256(a, b);
}

TARGET INLINE bytes bytes_less(bytes a, bytes b)
{
    return _mm256_subs_epu8(a, b);
}

TARGET INLINE bytes bytes_high_nibble(bytes v)
{
    return _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(0x0f));
}

/* The shift is done in each half alone, so the half before comes from a permutation. */
#define bytes_before(now, last, n)                                                                 \
    _mm256_alignr_epi8(now, _mm256_permute2x128_si256(last, now, 0x21), 16 - (n))

TARGET INLINE bool bytes_any(bytes v)
{
    return !_mm256_testz_si256(v, v);
}

TARGET INLINE bool bytes_any_high(bytes v)
{
    return _mm256_movemask_epi8(v) != 0;
}

TARGET INLINE size_t bytes_first(bytes v)
{
    uint32_t zero = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, _mm256_setzero_si256()));
    return (size_t)__builtin_ctz(~zero);
}

#include "batch_bytes.h"

const batch_body ebb__batch_avx2 = BATCH_BODY(EBB_SIMD_AVX2);

#endif
