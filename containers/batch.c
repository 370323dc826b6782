/*
 * containers/batch.c: ebb/batch.h: which body does the work, and the public functions over it. See
 * batch.h for how the files of batch belong together.
 *
 * The chosen body is one pointer to constant data. Threads that find it unset at once all come to
 * the same body, so nothing is locked.
 */
#include "batch.h"

#include "../arena/os.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- which body ------------------------------------------------------------------------------ */

static _Atomic(const batch_body *) chosen; /* NULL: not yet */

static bool machine_has_avx2(void)
{
#if BATCH_HAS_AVX2
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("popcnt");
#else
    return false;
#endif
}

/* NULL: this machine or this build can't. */
static const batch_body *body_of(ebb_simd simd)
{
    switch (simd) {
    case EBB_SIMD_SCALAR: return &ebb__batch_scalar;
    case EBB_SIMD_AVX2:
#if BATCH_HAS_AVX2
        if (machine_has_avx2()) return &ebb__batch_avx2;
#endif
        return NULL;
    case EBB_SIMD_NEON:
#if BATCH_HAS_NEON
        return &ebb__batch_neon;
#else
        return NULL;
#endif
    case EBB_SIMD_AUTO: break;
    default: return NULL;
    }
    if (BATCH_HAS_NEON) return body_of(EBB_SIMD_NEON);
    return body_of(machine_has_avx2() ? EBB_SIMD_AVX2 : EBB_SIMD_SCALAR);
}

static const batch_body *body_by_name(const char *name)
{
    static const char *const names[] = {
        [EBB_SIMD_AUTO] = "auto",
        [EBB_SIMD_SCALAR] = "scalar",
        [EBB_SIMD_AVX2] = "avx2",
        [EBB_SIMD_NEON] = "neon",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return body_of((ebb_simd)i);
    return NULL;
}

static void complain(const char *value)
{
    char line[128];
    snprintf(line, sizeof line,
             "ebb: EBB_SIMD=%.40s is not auto, scalar, avx2 or neon, or not here; ignored\n",
             value);
    os_print_line(line);
}

/* The environment is asked once; whoever comes first complains. */
EBB_COLD static const batch_body *choose(void)
{
    const char *value = getenv("EBB_SIMD");
    const batch_body *body = value && *value ? body_by_name(value) : NULL;
    bool wrong = value && *value && !body;
    if (!body) body = body_of(EBB_SIMD_AUTO);
    const batch_body *none = NULL;
    if (!atomic_compare_exchange_strong(&chosen, &none, body)) return none;
    if (wrong) complain(value);
    return body;
}

static inline const batch_body *chosen_body(void)
{
    const batch_body *body = atomic_load_explicit(&chosen, memory_order_relaxed);
    return EBB_LIKELY(body != NULL) ? body : choose();
}

bool ebb_simd_set(ebb_simd simd)
{
    const batch_body *body = body_of(simd);
    if (body) atomic_store_explicit(&chosen, body, memory_order_relaxed);
    return body != NULL;
}

ebb_simd ebb_simd_get(void)
{
    return chosen_body()->simd;
}

/* ---- sums ------------------------------------------------------------------------------------ */

double ebb_f32_sum(const float *column, size_t n)
{
    return chosen_body()->f32.sum(column, n);
}

double ebb_f64_sum(const double *column, size_t n)
{
    return chosen_body()->f64.sum(column, n);
}

int64_t ebb_i32_sum(const int32_t *column, size_t n)
{
    return chosen_body()->i32.sum(column, n);
}

bool ebb_u64_sum(const uint64_t *column, size_t n, uint64_t *ret_sum)
{
    const batch_body *body = chosen_body();
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i += HALVES_MOST) {
        u64_halves part = body->u64.sum(column + i, n - i < HALVES_MOST ? n - i : HALVES_MOST);
        if (part.high > UINT32_MAX) return false;
        if (__builtin_add_overflow(sum, part.high << 32, &sum)) return false;
        if (__builtin_add_overflow(sum, part.low, &sum)) return false;
    }
    *ret_sum = sum;
    return true;
}

/* ---- columns --------------------------------------------------------------------------------- */

/* clang-format off */
#define NAME      f32
#define T         float
#define LEAST     (-HUGE_VALF)
#define GREATEST  HUGE_VALF
#define IS_NAN(x) ((x) != (x))
#include "batch_typed.h"

#define NAME      f64
#define T         double
#define LEAST     (-HUGE_VAL)
#define GREATEST  HUGE_VAL
#define IS_NAN(x) ((x) != (x))
#include "batch_typed.h"

#define NAME      i32
#define T         int32_t
#define LEAST     INT32_MIN
#define GREATEST  INT32_MAX
#define IS_NAN(x) ((void)(x), false)
#include "batch_typed.h"

#define NAME      u64
#define T         uint64_t
#define LEAST     0
#define GREATEST  UINT64_MAX
#define IS_NAN(x) ((void)(x), false)
#include "batch_typed.h"
/* clang-format on */

/* ---- bytes ----------------------------------------------------------------------------------- */

bool ebb_utf8_valid(ebb_str text)
{
    return ebb_utf8_find_error(text) == text.len;
}

size_t ebb_utf8_find_error(ebb_str text)
{
    return chosen_body()->utf8_error((const unsigned char *)text.ptr, text.len);
}

ebb_byteset ebb_byteset_of(ebb_str bytes)
{
    ebb_byteset set = {{{0}}};
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        ebb_byteset_add(&set, c, c);
    }
    return set;
}

void ebb_byteset_add(ebb_byteset *set, unsigned char first, unsigned char last)
{
    for (unsigned c = first; c <= last; c++)
        set->ebb__half[c >> 7][c & 15] |= (uint8_t)(1u << (c >> 4 & 7));
}

ebb_byteset ebb_byteset_invert(const ebb_byteset *set)
{
    ebb_byteset inverted;
    for (size_t i = 0; i < sizeof inverted.ebb__half[0]; i++) {
        inverted.ebb__half[0][i] = (uint8_t)~set->ebb__half[0][i];
        inverted.ebb__half[1][i] = (uint8_t)~set->ebb__half[1][i];
    }
    return inverted;
}

size_t ebb_byteset_find(const ebb_byteset *set, ebb_str text)
{
    return chosen_body()->byteset_find(set, (const unsigned char *)text.ptr, text.len);
}
