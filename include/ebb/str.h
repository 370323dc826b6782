/*
 * ebb/str.h: views of bytes: take them apart, search, compare, read numbers from them.
 *
 * An ebb_str is a pointer and a length, passed by value; it owns nothing and lives as long as the
 * bytes it shows. Taking a piece of one copies nothing. What makes new bytes takes an arena, and
 * ends them with a NUL that the length does not count, so that `.ptr` can be given to C.
 *
 * For text from outside: any byte may occur, NUL included, and no function here stops at one but
 * those that take a C string. Not for building: that is builder.h; nor for Unicode: "case" and
 * "space" are ASCII's, and other bytes are left as they are.
 *
 * The empty string has length 0, whatever its pointer; {NULL, 0} is one, and every function takes
 * it. Nothing here depends on the locale.
 */
#ifndef EBB_STR_H
#define EBB_STR_H

#include "arena.h"

#ifdef __cplusplus
extern "C" {
#endif

/** EBB_STR("literal"): an ebb_str, its length known when compiled. Static. */
#ifdef __cplusplus
#define EBB_STR(literal)                                                                           \
    ebb_str                                                                                        \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }
#else
#define EBB_STR(literal) ((ebb_str){"" literal, sizeof(literal) - 1})
#endif

/* clang-format off */
/** EBB_STR_INIT("literal"): the same as an initialiser, for static variables. */
#define EBB_STR_INIT(literal) {"" literal, sizeof(literal) - 1}
/* clang-format on */

/**
 * printf(EBB_FMT "\n", EBB_ARG(s)): show an ebb_str. EBB_ARG is two arguments, so it evaluates @s
 * twice: give it a variable. As printf does, it stops at a NUL, and at INT_MAX bytes.
 */
#define EBB_FMT    "%.*s"
#define EBB_ARG(s) ebb__str_precision((s).len), ebb__str_chars((s).ptr)

/* ---- making ---------------------------------------------------------------------------------- */

/** Return a view of the C string @text; NULL gives the empty string. Keeps @text. */
static inline ebb_str ebb_str_from(const char *text);

/** Copy @s (borrowed) into @a, NUL-terminated. Fails: {NULL, 0}, as ebb_alloc. */
EBB_API ebb_str ebb_str_dup(ebb_arena *a, ebb_str s);

/** Format into @a as printf does. Fails: {NULL, 0}, as ebb_printf. */
EBB_API ebb_str ebb_str_printf(ebb_arena *a, const char *fmt, ...) EBB_PRINTF(2, 3);

/** Format into @a as vprintf does; @args is used up. Fails: {NULL, 0}, as ebb_printf. */
EBB_API ebb_str ebb_str_vprintf(ebb_arena *a, const char *fmt, va_list args) EBB_PRINTF(2, 0);

/**
 * Join @count @parts (borrowed) into @a with @separator between them, in one allocation.
 * Fails: {NULL, 0}, as ebb_alloc; also when the lengths together overflow. Cost: O(length).
 */
EBB_API ebb_str ebb_str_join(ebb_arena *a, const ebb_str *parts, size_t count, ebb_str separator);

/** ebb_str_concat(a, s, t, ...): join strings with nothing between them, in one allocation; one or
    more ebb_strs. Fails as ebb_str_join. */
#ifndef __cplusplus
#define ebb_str_concat(a, ...)                                                                     \
    ebb_str_join((a), (const ebb_str[]){__VA_ARGS__},                                              \
                 sizeof((const ebb_str[]){__VA_ARGS__}) / sizeof(ebb_str), EBB_STR(""))
#endif

/** Copy @s (borrowed) into @a with ASCII's A-Z as a-z; other bytes as they are. Fails as
    ebb_str_dup. */
EBB_API ebb_str ebb_str_lower(ebb_arena *a, ebb_str s);

/** Copy @s (borrowed) into @a with ASCII's a-z as A-Z; other bytes as they are. Fails as
    ebb_str_dup. */
EBB_API ebb_str ebb_str_upper(ebb_arena *a, ebb_str s);

/* ---- pieces: views into the same bytes, nothing is copied ------------------------------------ */

/** Return the bytes of @s from @from on, at most @len of them; what lies outside is left out, so
    that any two numbers will do. */
static inline ebb_str ebb_str_slice(ebb_str s, size_t from, size_t len);

/**
 * Take the next field off *@rest: what lies before the next @separator, or all if there is none.
 *
 *     for (ebb_str rest = line, field; ebb_str_cut(&rest, ',', &field);) ...
 *
 * n separators make n + 1 fields, some of which may be empty; so "" has one, and after the last
 * *@rest is {NULL, 0}, which has none.
 * Fails: false when there is no field left; *@ret_head is then untouched.
 */
EBB_API bool ebb_str_cut(ebb_str *rest, char separator, ebb_str *ret_head);

/** As ebb_str_cut, at the next occurrence of the whole string @separator. An empty one occurs
    nowhere. */
EBB_API bool ebb_str_cut_str(ebb_str *rest, ebb_str separator, ebb_str *ret_head);

/** As ebb_str_cut, at the next byte that is one of @separators. */
EBB_API bool ebb_str_cut_any(ebb_str *rest, ebb_str separators, ebb_str *ret_head);

/**
 * Return the fields of @s, as ebb_str_cut finds them, as an array in @a; their number in
 * *@ret_count. The fields keep the bytes of @s.
 * Fails: NULL, as ebb_alloc. Cost: two passes, one allocation.
 */
EBB_API ebb_str *ebb_str_split(ebb_arena *a, ebb_str s, char separator, size_t *ret_count);

/** Return @s without ASCII white space (space, \t \n \v \f \r) at both ends. */
EBB_API ebb_str ebb_str_trim(ebb_str s);

/** Return @s without ASCII white space at its start. */
EBB_API ebb_str ebb_str_trim_start(ebb_str s);

/** Return @s without ASCII white space at its end. */
EBB_API ebb_str ebb_str_trim_end(ebb_str s);

/* ---- looking --------------------------------------------------------------------------------- */

/** Return whether @s and @t have the same bytes. */
static inline bool ebb_str_equal(ebb_str s, ebb_str t);

/** Return whether @s and @t have the same bytes when A-Z count as a-z. */
EBB_API bool ebb_str_equal_nocase(ebb_str s, ebb_str t);

/** Return below, equal to or above 0 as @s sorts before, with or after @t: by the first byte that
    differs, unsigned; else the shorter one first. */
EBB_API int ebb_str_compare(ebb_str s, ebb_str t);

/** Return whether @s begins with @prefix. Every string begins with the empty one. */
static inline bool ebb_str_starts(ebb_str s, ebb_str prefix);

/** Return whether @s ends with @suffix. Every string ends with the empty one. */
static inline bool ebb_str_ends(ebb_str s, ebb_str suffix);

/** Return the index of the first @c in @s, or EBB_NOT_FOUND. Cost: memchr's. */
EBB_API size_t ebb_str_find_char(ebb_str s, char c);

/** Return the index of the last @c in @s, or EBB_NOT_FOUND. */
EBB_API size_t ebb_str_find_last_char(ebb_str s, char c);

/** Return the index of the first @what in @s, or EBB_NOT_FOUND. The empty string is at 0. Cost:
    O(length of both). */
EBB_API size_t ebb_str_find(ebb_str s, ebb_str what);

/* ---- numbers --------------------------------------------------------------------------------- */

/*
 * Rules of the family: all of @s is the number, with no space around it; anything else, the empty
 * string and an embedded NUL included, is EBB_E_SYNTAX. What is written as it should be but does
 * not fit is EBB_E_RANGE. On failure *@ret_ is untouched. A sign, + or -, may stand before it.
 */

/** Read a decimal integer. */
EBB_API ebb_status ebb_str_to_i64(ebb_str s, int64_t *ret_);

/** Read a decimal integer; one below 0 is EBB_E_RANGE. */
EBB_API ebb_status ebb_str_to_u64(ebb_str s, uint64_t *ret_);

/** Read a hexadecimal integer, of either case, with or without 0x; of a sign and a magnitude, so
    ffffffffffffffff is EBB_E_RANGE. */
EBB_API ebb_status ebb_str_hex_to_i64(ebb_str s, int64_t *ret_);

/** Read a hexadecimal integer, of either case, with or without 0x. */
EBB_API ebb_status ebb_str_hex_to_u64(ebb_str s, uint64_t *ret_);

/**
 * Read a decimal number such as 12, -0.5, .5, 3., 6e-7, or inf, infinity, nan in either case: the
 * double nearest to it, the even one of two that are equally near, in whatever rounding mode.
 * EBB_E_RANGE: its absolute value rounds to more than DBL_MAX. One too small is no error: it gives
 * the nearest, which may be 0. No hexadecimal.
 * Cost: O(length); below 20 significant digits some twenty multiplications' worth.
 */
EBB_API ebb_status ebb_str_to_double(ebb_str s, double *ret_);

/* ---- inline bodies --------------------------------------------------------------------------- */

static inline int ebb__str_precision(size_t len)
{
    const int most = (int)(~0u >> 1);
    return len < (size_t)most ? (int)len : most;
}

/* printf may not be given NULL, though it is to print nothing of it. */
static inline const char *ebb__str_chars(const char *ptr)
{
    return ptr ? ptr : "";
}

static inline ebb_str ebb_str_from(const char *text)
{
    ebb_str s = {text, text ? strlen(text) : 0};
    return s;
}

static inline ebb_str ebb_str_slice(ebb_str s, size_t from, size_t len)
{
    if (from >= s.len) from = s.len;
    if (len > s.len - from) len = s.len - from;
    if (from) s.ptr += from;
    s.len = len;
    return s;
}

/* Of no bytes nothing is asked: their pointers may be NULL. */
static inline bool ebb__str_same(const char *p, const char *q, size_t n)
{
    return n == 0 || memcmp(p, q, n) == 0;
}

static inline bool ebb_str_equal(ebb_str s, ebb_str t)
{
    return s.len == t.len && ebb__str_same(s.ptr, t.ptr, s.len);
}

static inline bool ebb_str_starts(ebb_str s, ebb_str prefix)
{
    return prefix.len <= s.len && ebb__str_same(s.ptr, prefix.ptr, prefix.len);
}

static inline bool ebb_str_ends(ebb_str s, ebb_str suffix)
{
    size_t from = s.len - suffix.len;
    return suffix.len <= s.len &&
           (suffix.len == 0 || ebb__str_same(s.ptr + from, suffix.ptr, suffix.len));
}

#ifdef __cplusplus
}

/* No compound literals in C++; an array does as well. */
template <typename... Strings> inline ebb_str ebb_str_concat(ebb_arena *a, Strings... s)
{
    const ebb_str parts[] = {s...};
    return ebb_str_join(a, parts, sizeof...(s), EBB_STR(""));
}
#endif
#endif /* EBB_STR_H */
