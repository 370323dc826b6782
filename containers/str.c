/*
 * containers/str.c: views of bytes (ebb/str.h). Numbers are in parse.c.
 *
 * An empty string may have a NULL pointer, which the functions of string.h do not take: none is
 * called for no bytes.
 */
#define _GNU_SOURCE /* memmem, memrchr */
#include <ebb/str.h>

#include "ascii.h"

#include <stdio.h>
#include <string.h>

static const ebb_str none = {NULL, 0};

/* ---- making ---------------------------------------------------------------------------------- */

/* Room for `len` bytes and a NUL, which is written. */
static char *text_in(ebb_arena *a, size_t len)
{
    if (len == SIZE_MAX) return (char *)ebb__alloc_overflow(a);
    char *p = (char *)ebb_alloc_aligned(a, len + 1, 1);
    if (p) p[len] = '\0';
    return p;
}

static char *put(char *to, ebb_str s)
{
    if (s.len) memcpy(to, s.ptr, s.len);
    return to + s.len;
}

ebb_str ebb_str_dup(ebb_arena *a, ebb_str s)
{
    char *p = text_in(a, s.len);
    if (!p) return none;
    put(p, s);
    return (ebb_str){p, s.len};
}

ebb_str ebb_str_vprintf(ebb_arena *a, const char *fmt, va_list args)
{
    char small[256]; /* most texts: formatted once, then copied */
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, fmt, args);
    char *p = NULL;
    if (n < 0) {
        /* The arena is to fail with what ebb_vprintf fails with. */
        p = ebb_vprintf(a, fmt, again);
    } else if ((p = text_in(a, (size_t)n)) != NULL) {
        if ((size_t)n < sizeof small) memcpy(p, small, (size_t)n);
        else vsnprintf(p, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    return p ? (ebb_str){p, n < 0 ? strlen(p) : (size_t)n} : none;
}

ebb_str ebb_str_printf(ebb_arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    ebb_str s = ebb_str_vprintf(a, fmt, args);
    va_end(args);
    return s;
}

ebb_str ebb_str_join(ebb_arena *a, const ebb_str *parts, size_t count, ebb_str separator)
{
    size_t len = joined_length(parts, count, separator);
    char *p = text_in(a, len), *at = p;
    if (!p) return none;
    for (size_t i = 0; i < count; i++) {
        if (i) at = put(at, separator);
        at = put(at, parts[i]);
    }
    return (ebb_str){p, len};
}

ebb_str ebb_str_lower(ebb_arena *a, ebb_str s)
{
    char *p = text_in(a, s.len);
    if (!p) return none;
    lower_bytes(p, s.ptr, s.len);
    return (ebb_str){p, s.len};
}

ebb_str ebb_str_upper(ebb_arena *a, ebb_str s)
{
    char *p = text_in(a, s.len);
    if (!p) return none;
    upper_bytes(p, s.ptr, s.len);
    return (ebb_str){p, s.len};
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* Cut at index `at`, where `skip` bytes separate; there is no such place: all is the last field. */
static bool cut_at(ebb_str *rest, size_t at, size_t skip, ebb_str *ret_head)
{
    if (!rest->ptr) return false;
    ebb_str s = *rest;
    *rest = at == EBB_NOT_FOUND ? none : ebb_str_slice(s, at + skip, SIZE_MAX);
    *ret_head = ebb_str_slice(s, 0, at);
    return true;
}

bool ebb_str_cut(ebb_str *rest, char separator, ebb_str *ret_head)
{
    return cut_at(rest, ebb_str_find_char(*rest, separator), 1, ret_head);
}

bool ebb_str_cut_str(ebb_str *rest, ebb_str separator, ebb_str *ret_head)
{
    size_t at = separator.len ? ebb_str_find(*rest, separator) : EBB_NOT_FOUND;
    return cut_at(rest, at, separator.len, ret_head);
}

bool ebb_str_cut_any(ebb_str *rest, ebb_str separators, ebb_str *ret_head)
{
    bool separates[UCHAR_MAX + 1] = {false};
    size_t at = 0;
    for (size_t i = 0; i < separators.len; i++) separates[(unsigned char)separators.ptr[i]] = true;
    while (at < rest->len && !separates[(unsigned char)rest->ptr[at]]) at++;
    return cut_at(rest, at < rest->len ? at : EBB_NOT_FOUND, 1, ret_head);
}

ebb_str *ebb_str_split(ebb_arena *a, ebb_str s, char separator, size_t *ret_count)
{
    size_t count = 0, n = 0;
    ebb_str rest = s, field;
    while (ebb_str_cut(&rest, separator, &field)) count++;
    ebb_str *fields = ebb_alloc_array(a, ebb_str, count);
    if (!fields) return NULL;
    for (rest = s; ebb_str_cut(&rest, separator, &field);) fields[n++] = field;
    *ret_count = count;
    return fields;
}

ebb_str ebb_str_trim_start(ebb_str s)
{
    size_t n = 0;
    while (n < s.len && is_space(s.ptr[n])) n++;
    return ebb_str_slice(s, n, SIZE_MAX);
}

ebb_str ebb_str_trim_end(ebb_str s)
{
    while (s.len && is_space(s.ptr[s.len - 1])) s.len--;
    return s;
}

ebb_str ebb_str_trim(ebb_str s)
{
    return ebb_str_trim_end(ebb_str_trim_start(s));
}

/* ---- looking --------------------------------------------------------------------------------- */

bool ebb_str_equal_nocase(ebb_str s, ebb_str t)
{
    return s.len == t.len && same_nocase(s.ptr, t.ptr, s.len);
}

int ebb_str_compare(ebb_str s, ebb_str t)
{
    size_t n = s.len < t.len ? s.len : t.len;
    int order = n ? memcmp(s.ptr, t.ptr, n) : 0;
    return order ? order : (s.len > t.len) - (s.len < t.len);
}

static size_t index_in(ebb_str s, const void *found)
{
    return found ? (size_t)((const char *)found - s.ptr) : EBB_NOT_FOUND;
}

size_t ebb_str_find_char(ebb_str s, char c)
{
    return s.len ? index_in(s, memchr(s.ptr, c, s.len)) : EBB_NOT_FOUND;
}

size_t ebb_str_find_last_char(ebb_str s, char c)
{
    return s.len ? index_in(s, memrchr(s.ptr, c, s.len)) : EBB_NOT_FOUND;
}

size_t ebb_str_find(ebb_str s, ebb_str what)
{
    if (what.len == 0) return 0;
    if (what.len > s.len) return EBB_NOT_FOUND;
    return index_in(s, memmem(s.ptr, s.len, what.ptr, what.len));
}
