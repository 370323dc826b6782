/*
 * containers/batch_neon.c: the body of ebb/batch.h for AArch64, which always has NEON. See batch.h.
 */
#include "batch.h"

#if BATCH_HAS_NEON

#include "batch_rows.h"

#include <arm_neon.h>

#define TARGET

enum { LANES_32 = 4, LANES_64 = 2 };

/* ---- comparisons ----------------------------------------------------------------------------- */

/* All ones where x passes. No comparison is true of NaN. */
#define PASSING(name, VEC, MASK, suffix, and_suffix)                                               \
    INLINE MASK name##_passing(VEC x, VEC low, VEC high, ebb_compare compare)                      \
    {                                                                                              \
        switch (compare) {                                                                         \
        case EBB_LT: return vcltq_##suffix(x, low);                                                \
        case EBB_LE: return vcleq_##suffix(x, low);                                                \
        case EBB_GT: return vcgtq_##suffix(x, low);                                                \
        case EBB_GE: return vcgeq_##suffix(x, low);                                                \
        case EBB_EQ: return vceqq_##suffix(x, low);                                                \
        case EBB_BETWEEN: break;                                                                   \
        }                                                                                          \
        return vandq_##and_suffix(vcgeq_##suffix(x, low), vcleq_##suffix(x, high));                \
    }
PASSING(f32, float32x4_t, uint32x4_t, f32, u32)
PASSING(f64, float64x2_t, uint64x2_t, f64, u64)
PASSING(i32, int32x4_t, uint32x4_t, s32, u32)
PASSING(u64, uint64x2_t, uint64x2_t, u64, u64)
#undef PASSING

/* A bit for each of eight values, which are all ones or zero in `a` and `b`. */
INLINE uint32_t mask_of(uint32x4_t a, uint32x4_t b)
{
    static const uint16_t bit[FILTER_GROUP] = {1, 2, 4, 8, 16, 32, 64, 128};
    uint16x8_t all = vcombine_u16(vmovn_u32(a), vmovn_u32(b));
    return vaddvq_u16(vandq_u16(all, vld1q_u16(bit)));
}

#define MASK_32(name, T, VEC, suffix)                                                              \
    INLINE uint32_t name##_mask(const T *p, VEC low, VEC high, ebb_compare compare)                \
    {                                                                                              \
        return mask_of(name##_passing(vld1q_##suffix(p), low, high, compare),                      \
                       name##_passing(vld1q_##suffix(p + LANES_32), low, high, compare));          \
    }
MASK_32(f32, float, float32x4_t, f32)
MASK_32(i32, int32_t, int32x4_t, s32)
#undef MASK_32

#define MASK_64(name, T, VEC, suffix)                                                              \
    INLINE uint32x4_t name##_narrow(const T *p, VEC low, VEC high, ebb_compare compare)            \
    {                                                                                              \
        return vcombine_u32(                                                                       \
            vmovn_u64(name##_passing(vld1q_##suffix(p), low, high, compare)),                      \
            vmovn_u64(name##_passing(vld1q_##suffix(p + LANES_64), low, high, compare)));          \
    }                                                                                              \
    INLINE uint32_t name##_mask(const T *p, VEC low, VEC high, ebb_compare compare)                \
    {                                                                                              \
        return mask_of(name##_narrow(p, low, high, compare),                                       \
                       name##_narrow(p + 2 * LANES_64, low, high, compare));                       \
    }
MASK_64(f64, double, float64x2_t, f64)
MASK_64(u64, uint64_t, uint64x2_t, u64)
#undef MASK_64

/* Write the indices base + position of the mask's set bits, and what is behind them. */
INLINE void indices_store(uint32_t *out, uint32_t base, uint32_t mask)
{
    uint16x8_t row = vmovl_u8(vcreate_u8(mask_rows[mask]));
    uint32x4_t first = vdupq_n_u32(base);
    vst1q_u32(out, vaddw_u16(first, vget_low_u16(row)));
    vst1q_u32(out + LANES_32, vaddw_u16(first, vget_high_u16(row)));
}

/* ---- loading and ordering -------------------------------------------------------------------- */

/* By comparison and selection, since NEON's minimum of a number and NaN is NaN. */
#define COLUMN(name, T, VEC, suffix)                                                               \
    INLINE VEC name##_splat(T x)                                                                   \
    {                                                                                              \
        return vdupq_n_##suffix(x);                                                                \
    }                                                                                              \
    INLINE VEC name##_load(const T *p)                                                             \
    {                                                                                              \
        return vld1q_##suffix(p);                                                                  \
    }                                                                                              \
    INLINE void name##_store(T *p, VEC v)                                                          \
    {                                                                                              \
        vst1q_##suffix(p, v);                                                                      \
    }                                                                                              \
    INLINE VEC name##_lesser(VEC x, VEC so_far)                                                    \
    {                                                                                              \
        return vbslq_##suffix(vcltq_##suffix(x, so_far), x, so_far);                               \
    }                                                                                              \
    INLINE VEC name##_greater(VEC x, VEC so_far)                                                   \
    {                                                                                              \
        return vbslq_##suffix(vcgtq_##suffix(x, so_far), x, so_far);                               \
    }
COLUMN(f32, float, float32x4_t, f32)
COLUMN(f64, double, float64x2_t, f64)
COLUMN(i32, int32_t, int32x4_t, s32)
COLUMN(u64, uint64_t, uint64x2_t, u64)
#undef COLUMN

/* clang-format off */
#define NAME     f32
#define T        float
#define VECTOR   float32x4_t
#define LANES    LANES_32
#define LEAST    (-HUGE_VALF)
#define GREATEST HUGE_VALF
#include "batch_vector.h"

#define NAME     f64
#define T        double
#define VECTOR   float64x2_t
#define LANES    LANES_64
#define LEAST    (-HUGE_VAL)
#define GREATEST HUGE_VAL
#include "batch_vector.h"

#define NAME     i32
#define T        int32_t
#define VECTOR   int32x4_t
#define LANES    LANES_32
#define LEAST    INT32_MIN
#define GREATEST INT32_MAX
#include "batch_vector.h"

#define NAME     u64
#define T        uint64_t
#define VECTOR   uint64x2_t
#define LANES    LANES_64
#define LEAST    0
#define GREATEST UINT64_MAX
#include "batch_vector.h"
/* clang-format on */

/* ---- sums ------------------------------------------------------------------------------------ */

INLINE float64x2_t f32_as_doubles(const float *p)
{
    return vcvt_f64_f32(vld1_f32(p));
}

INLINE float64x2_t f64_as_doubles(const double *p)
{
    return vld1q_f64(p);
}

#define FLOAT_SUM(name, T)                                                                         \
    static double name##_sum(const T *p, size_t n)                                                 \
    {                                                                                              \
        float64x2_t sum[SUM_LANES / LANES_64];                                                     \
        double lane[SUM_LANES];                                                                    \
        size_t i = 0;                                                                              \
        for (size_t j = 0; j < SUM_LANES / LANES_64; j++) sum[j] = vdupq_n_f64(0);                 \
        for (; n - i >= SUM_LANES; i += SUM_LANES)                                                 \
            for (size_t j = 0; j < SUM_LANES / LANES_64; j++)                                      \
                sum[j] = vaddq_f64(sum[j], name##_as_doubles(p + i + j * LANES_64));               \
        for (size_t j = 0; j < SUM_LANES / LANES_64; j++) vst1q_f64(lane + j * LANES_64, sum[j]);  \
        for (; i < n; i++) lane[i % SUM_LANES] += (double)p[i];                                    \
        return lanes_fold(lane);                                                                   \
    }
FLOAT_SUM(f32, float)
FLOAT_SUM(f64, double)
#undef FLOAT_SUM

static int64_t i32_sum(const int32_t *p, size_t n)
{
    int64x2_t wide = vdupq_n_s64(0);
    size_t i = 0;
    for (; n - i >= LANES_32; i += LANES_32) wide = vpadalq_s32(wide, vld1q_s32(p + i));
    uint64_t sum = (uint64_t)vaddvq_s64(wide);
    for (; i < n; i++) sum += (uint64_t)(int64_t)p[i];
    return (int64_t)sum;
}

static u64_halves u64_sum(const uint64_t *p, size_t n)
{
    uint64x2_t low = vdupq_n_u64(0), high = low;
    size_t i = 0;
    for (; n - i >= LANES_64; i += LANES_64) {
        uint64x2_t x = vld1q_u64(p + i);
        low = vaddw_u32(low, vmovn_u64(x));
        high = vaddw_u32(high, vshrn_n_u64(x, 32));
    }
    u64_halves sum = {vaddvq_u64(low), vaddvq_u64(high)};
    for (; i < n; i++) {
        sum.low += (uint32_t)p[i];
        sum.high += p[i] >> 32;
    }
    return sum;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

typedef uint8x16_t bytes;
enum { BYTES = 16 };

INLINE bytes bytes_load(const unsigned char *p)
{
    return vld1q_u8(p);
}

INLINE bytes bytes_splat(int c)
{
    return vdupq_n_u8((uint8_t)c);
}

INLINE bytes bytes_table(const uint8_t *p)
{
    return vld1q_u8(p);
}

INLINE bytes bytes_lookup(bytes table, bytes index)
{
    return vqtbl1q_u8(table, index);
}

INLINE bytes bytes_and(bytes a, bytes b)
{
    return vandq_u8(a, b);
}

INLINE bytes bytes_or(bytes a, bytes b)
{
    return vorrq_u8(a, b);
}

INLINE bytes bytes_xor(bytes a, bytes b)
{
    return veorq_u8(a, b);
}

INLINE bytes bytes_less(bytes a, bytes b)
{
    return vqsubq_u8(a, b);
}

INLINE bytes bytes_high_nibble(bytes v)
{
    return vshrq_n_u8(v, 4);
}

#define bytes_before(now, last, n) vextq_u8(last, now, 16 - (n))

INLINE bool bytes_any(bytes v)
{
    return vmaxvq_u8(v) != 0;
}

INLINE bool bytes_any_high(bytes v)
{
    return vmaxvq_u8(v) >= 0x80;
}

/* Four bits of each byte's comparison, side by side in 64. */
INLINE size_t bytes_first(bytes v)
{
    uint8x8_t nibbles = vshrn_n_u16(vreinterpretq_u16_u8(vtstq_u8(v, v)), 4);
    return (size_t)__builtin_ctzll(vget_lane_u64(vreinterpret_u64_u8(nibbles), 0)) / 4;
}

#include "batch_bytes.h"

const batch_body ebb__batch_neon = BATCH_BODY(EBB_SIMD_NEON);

#endif
