/*
 * containers/batch_scalar.c: the body of ebb/batch.h in plain C: for machines without a better one,
 * and what the others are compared with. See batch.h.
 */
#include "batch.h"

/* ---- columns --------------------------------------------------------------------------------- */

static double f32_sum(const float *p, size_t n)
{
    double lane[SUM_LANES] = {0};
    for (size_t i = 0; i < n; i++) lane[i % SUM_LANES] += (double)p[i];
    return lanes_fold(lane);
}

static double f64_sum(const double *p, size_t n)
{
    double lane[SUM_LANES] = {0};
    for (size_t i = 0; i < n; i++) lane[i % SUM_LANES] += p[i];
    return lanes_fold(lane);
}

static int64_t i32_sum(const int32_t *p, size_t n)
{
    uint64_t sum = 0; /* unsigned: beyond 2^32 values it is modulo 2^64 */
    for (size_t i = 0; i < n; i++) sum += (uint64_t)(int64_t)p[i];
    return (int64_t)sum;
}

static u64_halves u64_sum(const uint64_t *p, size_t n)
{
    u64_halves sum = {0, 0};
    for (size_t i = 0; i < n; i++) {
        sum.low += (uint32_t)p[i];
        sum.high += p[i] >> 32;
    }
    return sum;
}

/* Four chains, since a chain's next comparison waits for its last. Each is false where p[i] is NaN,
   which therefore is passed over. */
#define EXTREME(T, name, op, start)                                                                \
    static T name(const T *p, size_t n)                                                            \
    {                                                                                              \
        T a = start, b = a, c = a, d = a;                                                          \
        size_t i = 0;                                                                              \
        for (; n - i >= 4; i += 4) {                                                               \
            a = p[i] op a ? p[i] : a;                                                              \
            b = p[i + 1] op b ? p[i + 1] : b;                                                      \
            c = p[i + 2] op c ? p[i + 2] : c;                                                      \
            d = p[i + 3] op d ? p[i + 3] : d;                                                      \
        }                                                                                          \
        for (; i < n; i++) a = p[i] op a ? p[i] : a;                                               \
        a = b op a ? b : a;                                                                        \
        c = d op c ? d : c;                                                                        \
        return c op a ? c : a;                                                                     \
    }

#define COLUMN(name, T, SUM, LEAST, GREATEST)                                                      \
    EXTREME(T, name##_min, <, GREATEST)                                                            \
    EXTREME(T, name##_max, >, LEAST)                                                               \
    INLINE size_t name##_find_by(const T *p, size_t n, const ebb_##name##_test *test,              \
                                 ebb_compare compare)                                              \
    {                                                                                              \
        size_t i = 0;                                                                              \
        while (i < n && !name##_passes(p[i], test, compare)) i++;                                  \
        return i;                                                                                  \
    }                                                                                              \
    static size_t name##_find(const T *p, size_t n, const ebb_##name##_test *test)                 \
    {                                                                                              \
        RETURN_BY_COMPARE(test->compare, n, name##_find_by, p, n, test);                           \
    }                                                                                              \
    INLINE size_t name##_count_by(const T *p, size_t n, const ebb_##name##_test *test,             \
                                  ebb_compare compare)                                             \
    {                                                                                              \
        size_t count = 0;                                                                          \
        for (size_t i = 0; i < n; i++) count += name##_passes(p[i], test, compare);                \
        return count;                                                                              \
    }                                                                                              \
    static size_t name##_count(const T *p, size_t n, const ebb_##name##_test *test)                \
    {                                                                                              \
        RETURN_BY_COMPARE(test->compare, 0, name##_count_by, p, n, test);                          \
    }                                                                                              \
    /* Every index is written, and kept if it passes: no branch to mispredict. */                  \
    INLINE size_t name##_filter_by(const T *p, size_t n, const ebb_##name##_test *test,            \
                                   uint32_t *out, ebb_compare compare)                             \
    {                                                                                              \
        size_t count = 0;                                                                          \
        for (size_t i = 0; i < n; i++) {                                                           \
            out[count] = (uint32_t)i;                                                              \
            count += name##_passes(p[i], test, compare);                                           \
        }                                                                                          \
        return count;                                                                              \
    }                                                                                              \
    static size_t name##_filter(const T *p, size_t n, const ebb_##name##_test *test,               \
                                uint32_t *out)                                                     \
    {                                                                                              \
        RETURN_BY_COMPARE(test->compare, 0, name##_filter_by, p, n, test, out);                    \
    }
COLUMN_TYPES(COLUMN)
#undef COLUMN
#undef EXTREME

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

static bool is_continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* The second byte says whether a character is overlong, a surrogate, or above U+10FFFF: table 3-7
   of the Unicode Standard. */
static bool is_second_byte(unsigned char lead, unsigned char c)
{
    switch (lead) {
    case 0xe0: return c >= 0xa0 && c <= 0xbf;
    case 0xed: return c >= 0x80 && c <= 0x9f;
    case 0xf0: return c >= 0x90 && c <= 0xbf;
    case 0xf4: return c >= 0x80 && c <= 0x8f;
    default: return is_continuation(c);
    }
}

/* The length of the character that begins at p, which is not ASCII; 0 if it is not well-formed. */
static size_t character_length(const unsigned char *p, size_t n)
{
    if (p[0] < 0xc2 || p[0] > 0xf4) return 0;
    size_t length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n < length || !is_second_byte(p[0], p[1])) return 0;
    for (size_t i = 2; i < length; i++)
        if (!is_continuation(p[i])) return 0;
    return length;
}

static const uint64_t ASCII_WORD = 0x8080808080808080; /* bits that no ASCII byte has */

static size_t skip_ascii(const unsigned char *p, size_t i, size_t n)
{
    for (uint64_t word; n - i >= sizeof word; i += sizeof word) {
        memcpy(&word, p + i, sizeof word);
        if (word & ASCII_WORD) break;
    }
    while (i < n && p[i] < 0x80) i++;
    return i;
}

size_t ebb__utf8_error_from(const unsigned char *p, size_t from, size_t n)
{
    for (size_t i = from; i < n;) {
        if (p[i] < 0x80) {
            i = skip_ascii(p, i, n);
            continue;
        }
        size_t length = character_length(p + i, n - i);
        if (length == 0) return i;
        i += length;
    }
    return n;
}

static size_t utf8_error(const unsigned char *p, size_t n)
{
    return ebb__utf8_error_from(p, 0, n);
}

/* ---- sets of bytes --------------------------------------------------------------------------- */

static size_t byteset_find(const ebb_byteset *set, const unsigned char *p, size_t n)
{
    size_t i = 0;
    while (i < n && !ebb_byteset_has(set, p[i])) i++;
    return i;
}

const batch_body ebb__batch_scalar = BATCH_BODY(EBB_SIMD_SCALAR);
