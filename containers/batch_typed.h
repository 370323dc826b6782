/*
 * containers/batch_typed.h: the public functions of ebb/batch.h that exist once per type. Included
 * by batch.c, which says before:
 *
 *     NAME, T          f32, float
 *     LEAST, GREATEST  as in batch.h
 *     IS_NAN(x)        false for integers
 */
#define PUBLIC(verb) EBB__PASTE(ebb_, EBB__PASTE(NAME, EBB__PASTE(_, verb)))
#define OWN(verb)    EBB__PASTE(NAME, EBB__PASTE(_, verb))

/* ---- least and greatest ---------------------------------------------------------------------- */

/* Blocks that stay in the first cache: the one that holds the extreme is read twice. */
enum { OWN(block) = (16 << 10) / sizeof(T) };

/* Which block rose above all before it, then the first in it that is as good. */
#define ARG_EXTREME(verb, extreme, op, start)                                                      \
    size_t PUBLIC(verb)(const T *column, size_t n)                                                 \
    {                                                                                              \
        const OWN(body) *body = &chosen_body()->NAME;                                              \
        T best = start;                                                                            \
        size_t from = 0;                                                                           \
        for (size_t i = 0; i < n; i += OWN(block)) {                                               \
            T found = body->extreme(column + i, n - i < OWN(block) ? n - i : OWN(block));          \
            if (found op best) {                                                                   \
                best = found;                                                                      \
                from = i;                                                                          \
            }                                                                                      \
        }                                                                                          \
        PUBLIC(test) same = PUBLIC(eq)(best);                                                      \
        size_t at = from + body->find(n ? column + from : column, n - from, &same);                \
        return at < n ? at : 0; /* 0: none at all, or all are NaN */                               \
    }
ARG_EXTREME(argmin, min, <, GREATEST)
ARG_EXTREME(argmax, max, >, LEAST)
#undef ARG_EXTREME

T PUBLIC(min)(const T *column, size_t n)
{
    return n ? column[PUBLIC(argmin)(column, n)] : GREATEST;
}

T PUBLIC(max)(const T *column, size_t n)
{
    return n ? column[PUBLIC(argmax)(column, n)] : LEAST;
}

/* ---- what passes a test ---------------------------------------------------------------------- */

size_t PUBLIC(find)(const T *column, size_t n, PUBLIC(test) test)
{
    return chosen_body()->NAME.find(column, n, &test);
}

size_t PUBLIC(count)(const T *column, size_t n, PUBLIC(test) test)
{
    return chosen_body()->NAME.count(column, n, &test);
}

size_t PUBLIC(filter)(const T *column, size_t n, PUBLIC(test) test, uint32_t *ret_rows)
{
    if (n > UINT32_MAX) return EBB_TOO_MANY;
    return chosen_body()->NAME.filter(column, n, &test, ret_rows);
}

uint32_t *PUBLIC(filter_in)(ebb_arena *a, const T *column, size_t n, PUBLIC(test) test,
                            size_t *ret_count)
{
    const OWN(body) *body = &chosen_body()->NAME;
    bool too_many = n > UINT32_MAX;
    size_t count = too_many ? SIZE_MAX : body->count(column, n, &test) + FILTER_SLACK;
    uint32_t *rows = ebb_alloc_array(a, uint32_t, count);
    if (!rows) return NULL;
    *ret_count = body->filter(column, n, &test, rows);
    return rows;
}

/* ---- the best k ------------------------------------------------------------------------------ */

/*
 * The indices of the best so far are a heap with the worst of them on top. A value that comes later
 * gets in only if it beats that one, which the body looks for; where values come in random order
 * that is soon rare. Then the heap is sorted in place, the worst going to the end.
 *
 * Of two equals the later is worse. NaN is worse than any number.
 */
#define BEST(verb, op, gets_in)                                                                    \
    static bool OWN(verb##_is_worse)(const T *column, uint32_t i, uint32_t j)                      \
    {                                                                                              \
        T x = column[i], y = column[j];                                                            \
        if (y op x) return true;                                                                   \
        if (x op y) return false;                                                                  \
        if (IS_NAN(x) != IS_NAN(y)) return IS_NAN(x);                                              \
        return i > j;                                                                              \
    }                                                                                              \
    static void OWN(verb##_sink)(const T *column, uint32_t *heap, size_t k, size_t at)             \
    {                                                                                              \
        uint32_t moved = heap[at];                                                                 \
        for (size_t child; (child = 2 * at + 1) < k; at = child) {                                 \
            if (child + 1 < k && OWN(verb##_is_worse)(column, heap[child + 1], heap[child]))       \
                child++;                                                                           \
            if (!OWN(verb##_is_worse)(column, heap[child], moved)) break;                          \
            heap[at] = heap[child];                                                                \
        }                                                                                          \
        heap[at] = moved;                                                                          \
    }                                                                                              \
    static void OWN(verb##_sort)(const T *column, uint32_t *heap, size_t k)                        \
    {                                                                                              \
        for (size_t left = k; left-- > 1;) {                                                       \
            uint32_t worst = heap[0];                                                              \
            heap[0] = heap[left];                                                                  \
            heap[left] = worst;                                                                    \
            OWN(verb##_sink)(column, heap, left, 0);                                               \
        }                                                                                          \
    }                                                                                              \
    static void OWN(verb##_rest)(const T *column, size_t n, size_t k, uint32_t *heap)              \
    {                                                                                              \
        const OWN(body) *body = &chosen_body()->NAME;                                              \
        for (size_t i = k; i < n; i++) {                                                           \
            T worst = column[heap[0]];                                                             \
            PUBLIC(test) better = PUBLIC(gets_in)(worst);                                          \
            if (IS_NAN(worst)) better = PUBLIC(between)(LEAST, GREATEST);                          \
            if (!OWN(passes)(column[i], &better, better.compare))                                  \
                i += body->find(column + i, n - i, &better);                                       \
            if (i == n) return;                                                                    \
            heap[0] = (uint32_t)i;                                                                 \
            OWN(verb##_sink)(column, heap, k, 0);                                                  \
        }                                                                                          \
    }                                                                                              \
    size_t PUBLIC(verb)(const T *column, size_t n, size_t k, uint32_t *ret_rows)                   \
    {                                                                                              \
        if (n > UINT32_MAX) return EBB_TOO_MANY;                                                   \
        if (k > n) k = n;                                                                          \
        if (k == 0) return 0;                                                                      \
        for (size_t i = 0; i < k; i++) ret_rows[i] = (uint32_t)i;                                  \
        for (size_t i = k / 2; i-- > 0;) OWN(verb##_sink)(column, ret_rows, k, i);                 \
        OWN(verb##_rest)(column, n, k, ret_rows);                                                  \
        OWN(verb##_sort)(column, ret_rows, k);                                                     \
        return k;                                                                                  \
    }
BEST(top, >, gt)
BEST(bottom, <, lt)
#undef BEST

#undef PUBLIC
#undef OWN
#undef NAME
#undef T
#undef LEAST
#undef GREATEST
#undef IS_NAN
