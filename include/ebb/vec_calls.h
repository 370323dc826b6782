/*
 * ebb/vec_calls.h: the functions that vectors (vec_of.h) and small vectors (smallvec_of.h) have in
 * common; each of them includes it, after having said how items are reached and how there come to
 * be more. Not for users. What the functions do, those two say.
 */
#ifndef EBB__SHOW_TEMPLATE_WARNINGS
#pragma GCC system_header
#endif

EBB__ASSERT(EBB_ALIGNOF(EBB__ITEM) <= EBB_ALIGN_DEFAULT,
            "an item is aligned no further than malloc does");

/* Whether it is so of the index i; if not that has been reported. */
static inline bool EBB__F(__check)(const EBB__N *v, bool is_so, size_t i, const char *function)
{
    if (EBB_LIKELY(is_so)) return true;
    ebb__out_of_range(v->arena, function, i, v->len);
    return false;
}

/* ---- reading --------------------------------------------------------------------------------- */

static inline EBB__ITEM *EBB__F(_at)(const EBB__N *v, size_t i)
{
    if (!EBB__F(__check)(v, i < v->len, i, EBB__TEXT(EBB__F(_at)))) return NULL;
    return EBB__F(__items)(v) + i;
}

static inline EBB__ITEM *EBB__F(_last)(const EBB__N *v)
{
    return v->len ? EBB__F(__items)(v) + v->len - 1 : NULL;
}

/* ---- adding ---------------------------------------------------------------------------------- */

static inline EBB__ITEM *EBB__F(_push)(EBB__N *v, EBB__ITEM item)
{
    if (!EBB_LIKELY(v->len < v->ebb__cap) && !EBB__F(__grow)(v, 1)) return NULL;
    size_t len = v->len;
    EBB__ITEM *to = EBB__F(__items)(v) + len;
    *to = item;
    v->len = len + 1; /* last, since *to may be of its type */
    return to;
}

static inline EBB__ITEM *EBB__F(_extend)(EBB__N *v, size_t n)
{
    bool fits = n <= v->ebb__cap - v->len && v->ebb__cap;
    if (!EBB_LIKELY(fits) && !EBB__F(__grow)(v, n)) return NULL;
    v->len += n;
    return EBB__F(__items)(v) + v->len - n;
}

static inline bool EBB__F(_append)(EBB__N *v, const EBB__ITEM *items, size_t n)
{
    size_t own = ((uintptr_t)items - (uintptr_t)EBB__F(__items)(v)) / sizeof(EBB__ITEM);
    bool is_own = own < v->len; /* then they move along */
    if (n == 0) return true;
    if (!EBB_LIKELY(n <= v->ebb__cap - v->len) && !EBB__F(__grow)(v, n)) return false;
    EBB__ITEM *to = EBB__F(__items)(v);
    memcpy(to + v->len, is_own ? to + own : items, n * sizeof *items);
    v->len += n;
    return true;
}

/* Where n items are to be written; NULL: nothing has changed. */
static inline EBB__ITEM *EBB__F(__open_gap)(EBB__N *v, size_t i, size_t n)
{
    size_t behind = v->len - i;
    if (!EBB__F(_extend)(v, n)) return NULL;
    EBB__ITEM *at = EBB__F(__items)(v) + i;
    ebb__items_move(at + n, at, behind * sizeof *at);
    return at;
}

static inline EBB__ITEM *EBB__F(_insert)(EBB__N *v, size_t i, EBB__ITEM item)
{
    if (!EBB__F(__check)(v, i <= v->len, i, EBB__TEXT(EBB__F(_insert)))) return NULL;
    EBB__ITEM *at = EBB__F(__open_gap)(v, i, 1);
    if (at) *at = item;
    return at;
}

static inline bool EBB__F(_insert_n)(EBB__N *v, size_t i, const EBB__ITEM *items, size_t n)
{
    if (!EBB__F(__check)(v, i <= v->len, i, EBB__TEXT(EBB__F(_insert_n)))) return false;
    EBB__ITEM *at = EBB__F(__open_gap)(v, i, n);
    if (at && n) memcpy(at, items, n * sizeof *at);
    return at != NULL;
}

/* ---- removing -------------------------------------------------------------------------------- */

static inline bool EBB__F(_pop)(EBB__N *v, EBB__ITEM *ret_last)
{
    if (v->len == 0) return false;
    v->len--;
    if (ret_last) *ret_last = EBB__F(__items)(v)[v->len];
    return true;
}

static inline void EBB__F(__close_gap)(EBB__N *v, size_t i, size_t n)
{
    EBB__ITEM *at = EBB__F(__items)(v) + i;
    v->len -= n;
    ebb__items_move(at, at + n, (v->len - i) * sizeof *at);
}

static inline void EBB__F(_remove)(EBB__N *v, size_t i)
{
    if (EBB__F(__check)(v, i < v->len, i, EBB__TEXT(EBB__F(_remove)))) EBB__F(__close_gap)(v, i, 1);
}

static inline void EBB__F(_remove_n)(EBB__N *v, size_t i, size_t n)
{
    const char *function = EBB__TEXT(EBB__F(_remove_n));
    size_t most = i < v->len ? v->len - i : 0;
    if (n && EBB__F(__check)(v, n <= most, i + n - 1, function)) EBB__F(__close_gap)(v, i, n);
}

static inline void EBB__F(_remove_swap)(EBB__N *v, size_t i)
{
    if (!EBB__F(__check)(v, i < v->len, i, EBB__TEXT(EBB__F(_remove_swap)))) return;
    EBB__ITEM *items = EBB__F(__items)(v);
    items[i] = items[--v->len];
}

static inline void EBB__F(_truncate)(EBB__N *v, size_t n)
{
    if (n < v->len) v->len = n;
}

static inline void EBB__F(_clear)(EBB__N *v)
{
    v->len = 0;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static inline bool EBB__F(_reserve)(EBB__N *v, size_t n)
{
    return n <= v->ebb__cap || EBB__F(__grow_to)(v, n);
}

static inline bool EBB__F(_reserve_headroom)(EBB__N *v, size_t n)
{
    return EBB__F(_reserve)(v, ebb__with_headroom(n));
}

static inline EBB__N EBB__F(_move)(EBB__N *v)
{
    EBB__N moved = *v;
    *v = EBB__F(_in)(v->arena);
    return moved;
}

/* ---- order ----------------------------------------------------------------------------------- */

#ifdef EBB__ORDERED
static inline void EBB__F(_sort)(EBB__N *v)
{
    EBB__F(__array_sort)(EBB__F(__items)(v), v->len);
}

static inline bool EBB__F(_sort_stable)(EBB__N *v)
{
    return EBB__F(__array_sort_stable)(EBB__F(__items)(v), v->len, v->arena);
}

static inline void EBB__F(_sort_first)(EBB__N *v, size_t k)
{
    EBB__F(__array_sort_first)(EBB__F(__items)(v), v->len, k);
}

static inline bool EBB__F(_is_sorted)(const EBB__N *v)
{
    return EBB__F(__array_is_sorted)(EBB__F(__items)(v), v->len);
}

static inline size_t EBB__F(_lower_bound)(const EBB__N *v, EBB__ITEM key)
{
    return EBB__F(__array_lower_bound)(EBB__F(__items)(v), v->len, key);
}

static inline size_t EBB__F(_upper_bound)(const EBB__N *v, EBB__ITEM key)
{
    return EBB__F(__array_upper_bound)(EBB__F(__items)(v), v->len, key);
}

static inline EBB__ITEM *EBB__F(_search)(const EBB__N *v, EBB__ITEM key)
{
    size_t i = EBB__F(_lower_bound)(v, key);
    EBB__ITEM *at = EBB__F(__items)(v) + i;
    return i < v->len && !EBB__F(__array__less)(&key, at) ? at : NULL;
}

static inline EBB__ITEM *EBB__F(_insert_sorted)(EBB__N *v, EBB__ITEM item)
{
    return EBB__F(_insert)(v, EBB__F(_upper_bound)(v, item), item);
}
#endif
