/*
 * containers/batch_vector.h: the loops over a column, written once for every type and every machine
 * with vectors. Included by batch_avx2.c and batch_neon.c, which say before:
 *
 *     NAME, T          f32, float
 *     TARGET           what the machine's functions are marked with
 *     LEAST, GREATEST  what min and max begin from
 *     VECTOR           some values side by side, of which there are LANES
 *     NAME_splat(x)    all lanes x
 *     NAME_load(p), NAME_store(p, v)
 *     NAME_lesser(x, so_far), NAME_greater(x, so_far)   so_far where x is NaN
 *     NAME_mask(p, low, high, compare)    of FILTER_GROUP values at p, a bit for each that passes
 *
 * What doesn't fill a vector at the end is done one by one: nothing is read but the column.
 */
#define OWN(verb) EBB__PASTE(NAME, EBB__PASTE(_, verb))
#define TEST      EBB__PASTE(ebb_, OWN(test))

/* ---- least and greatest ---------------------------------------------------------------------- */

/* Four chains, since a lane's next comparison waits for its last. */
#define EXTREME(verb, better, op, start)                                                           \
    TARGET static T OWN(verb)(const T *p, size_t n)                                                \
    {                                                                                              \
        VECTOR a = OWN(splat)(start), b = a, c = a, d = a;                                         \
        T lane[LANES], found = start;                                                              \
        size_t i = 0;                                                                              \
        for (; n - i >= 4 * LANES; i += 4 * LANES) {                                               \
            a = OWN(better)(OWN(load)(p + i), a);                                                  \
            b = OWN(better)(OWN(load)(p + i + LANES), b);                                          \
            c = OWN(better)(OWN(load)(p + i + 2 * LANES), c);                                      \
            d = OWN(better)(OWN(load)(p + i + 3 * LANES), d);                                      \
        }                                                                                          \
        for (; n - i >= LANES; i += LANES) a = OWN(better)(OWN(load)(p + i), a);                   \
        OWN(store)(lane, OWN(better)(OWN(better)(a, b), OWN(better)(c, d)));                       \
        for (size_t j = 0; j < LANES; j++) found = lane[j] op found ? lane[j] : found;             \
        for (; i < n; i++) found = p[i] op found ? p[i] : found;                                   \
        return found;                                                                              \
    }
EXTREME(min, lesser, <, GREATEST)
EXTREME(max, greater, >, LEAST)
#undef EXTREME

/* ---- tests ----------------------------------------------------------------------------------- */

enum { OWN(mask_bits) = 4 * FILTER_GROUP };

TARGET INLINE uint32_t OWN(mask4)(const T *p, VECTOR low, VECTOR high, ebb_compare compare)
{
    uint32_t a = OWN(mask)(p, low, high, compare);
    uint32_t b = OWN(mask)(p + FILTER_GROUP, low, high, compare);
    uint32_t c = OWN(mask)(p + 2 * FILTER_GROUP, low, high, compare);
    uint32_t d = OWN(mask)(p + 3 * FILTER_GROUP, low, high, compare);
    return a | b << FILTER_GROUP | c << 2 * FILTER_GROUP | d << 3 * FILTER_GROUP;
}

TARGET INLINE size_t OWN(find_by)(const T *p, size_t n, const TEST *test, ebb_compare compare)
{
    VECTOR low = OWN(splat)(test->low), high = OWN(splat)(test->high);
    size_t i = 0;
    for (; n - i >= OWN(mask_bits); i += OWN(mask_bits)) {
        uint32_t mask = OWN(mask4)(p + i, low, high, compare);
        if (mask) return i + (size_t)__builtin_ctz(mask);
    }
    for (; n - i >= FILTER_GROUP; i += FILTER_GROUP) {
        uint32_t mask = OWN(mask)(p + i, low, high, compare);
        if (mask) return i + (size_t)__builtin_ctz(mask);
    }
    while (i < n && !OWN(passes)(p[i], test, compare)) i++;
    return i;
}

TARGET static size_t OWN(find)(const T *p, size_t n, const TEST *test)
{
    RETURN_BY_COMPARE(test->compare, n, OWN(find_by), p, n, test);
}

TARGET INLINE size_t OWN(count_by)(const T *p, size_t n, const TEST *test, ebb_compare compare)
{
    VECTOR low = OWN(splat)(test->low), high = OWN(splat)(test->high);
    size_t i = 0, count = 0;
    for (; n - i >= OWN(mask_bits); i += OWN(mask_bits))
        count += (size_t)__builtin_popcount(OWN(mask4)(p + i, low, high, compare));
    for (; i < n; i++) count += OWN(passes)(p[i], test, compare);
    return count;
}

TARGET static size_t OWN(count)(const T *p, size_t n, const TEST *test)
{
    RETURN_BY_COMPARE(test->compare, 0, OWN(count_by), p, n, test);
}

/* Write the indices of the group at p + i, those that pass first, from *out on, and move it behind
   them. The whole group is written, which fits: either there is room for n, and no more have passed
   than were looked at, or there is room for one group more than pass. */
TARGET INLINE void OWN(put_group)(uint32_t **out, size_t i, uint32_t mask)
{
    indices_store(*out, (uint32_t)i, mask);
    *out += __builtin_popcount(mask);
}

TARGET INLINE size_t OWN(filter_by)(const T *p, size_t n, const TEST *test, uint32_t *rows,
                                    ebb_compare compare)
{
    VECTOR low = OWN(splat)(test->low), high = OWN(splat)(test->high);
    uint32_t *out = rows;
    size_t i = 0;
    for (; n - i >= OWN(mask_bits); i += OWN(mask_bits)) {
        uint32_t a = OWN(mask)(p + i, low, high, compare);
        uint32_t b = OWN(mask)(p + i + FILTER_GROUP, low, high, compare);
        uint32_t c = OWN(mask)(p + i + 2 * FILTER_GROUP, low, high, compare);
        uint32_t d = OWN(mask)(p + i + 3 * FILTER_GROUP, low, high, compare);
        if (!(a | b | c | d)) continue; /* the rule where little passes */
        OWN(put_group)(&out, i, a);
        OWN(put_group)(&out, i + FILTER_GROUP, b);
        OWN(put_group)(&out, i + 2 * FILTER_GROUP, c);
        OWN(put_group)(&out, i + 3 * FILTER_GROUP, d);
    }
    for (; n - i >= FILTER_GROUP; i += FILTER_GROUP)
        OWN(put_group)(&out, i, OWN(mask)(p + i, low, high, compare));
    for (; i < n; i++)
        if (OWN(passes)(p[i], test, compare)) *out++ = (uint32_t)i;
    return (size_t)(out - rows);
}

TARGET static size_t OWN(filter)(const T *p, size_t n, const TEST *test, uint32_t *out)
{
    RETURN_BY_COMPARE(test->compare, 0, OWN(filter_by), p, n, test, out);
}

#undef OWN
#undef TEST
#undef NAME
#undef T
#undef LEAST
#undef GREATEST
#undef VECTOR
#undef LANES
