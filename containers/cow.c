/*
 * containers/cow.c: ebb/cow.h.
 *
 * The copy has room for its NUL from the beginning, and grows by half again; what it must move out
 * of stays as it is, since a copy of the struct, or what is being put in, may still show it.
 */
#include <ebb/cow.h>

#include "ascii.h"

#include <string.h>

static bool lies_within(ebb_str piece, const ebb_cow *c)
{
    return piece.len && (uintptr_t)piece.ptr - (uintptr_t)c->str.ptr < c->str.len;
}

/* Become a copy of the bytes, or a larger one, with room for `len` in all. */
static bool move(ebb_cow *c, size_t len)
{
    size_t roomy = c->ebb__cap + c->ebb__cap / 2, size = sum_of(len, 1);
    if (size < roomy) size = roomy;
    char *p = ebb_alloc_aligned(c->arena, size, 1);
    if (!p) return false;
    if (c->str.len) memcpy(p, c->str.ptr, c->str.len);
    p[c->str.len] = '\0';
    c->str.ptr = p;
    c->ebb__cap = size;
    return true;
}

static char *own_bytes(ebb_cow *c)
{
    return (char *)(uintptr_t)c->str.ptr;
}

char *ebb_cow_write(ebb_cow *c)
{
    if (ebb_cow_is_borrowed(c) && !move(c, c->str.len)) return NULL;
    return own_bytes(c);
}

const char *ebb_cow_text(ebb_cow *c)
{
    return ebb_cow_write(c);
}

/* Three parts in new bytes: what stands before, `with`, what stands behind. */
static bool splice_anew(ebb_cow *c, size_t from, size_t len, ebb_str with)
{
    ebb_str parts[] = {ebb_str_slice(c->str, 0, from), with,
                       ebb_str_slice(c->str, from + len, SIZE_MAX)};
    ebb_str s = ebb_str_join(c->arena, parts, sizeof parts / sizeof *parts, EBB_STR(""));
    if (!s.ptr) return false;
    c->str = s;
    c->ebb__cap = s.len + 1;
    return true;
}

static void splice_here(ebb_cow *c, size_t from, size_t len, ebb_str with)
{
    char *at = own_bytes(c) + from;
    memmove(at + with.len, at + len, c->str.len - from - len + 1);
    if (with.len) memcpy(at, with.ptr, with.len);
    c->str.len = c->str.len - len + with.len;
}

bool ebb_cow_replace(ebb_cow *c, size_t from, size_t len, ebb_str with)
{
    ebb_str out = ebb_str_slice(c->str, from, len);
    if (ebb_str_equal(out, with)) return true;
    from = from < c->str.len ? from : c->str.len;
    size_t kept = c->str.len - out.len;
    bool fits = !ebb_cow_is_borrowed(c) && with.len < c->ebb__cap - kept;
    if (!fits || lies_within(with, c)) return splice_anew(c, from, out.len, with);
    splice_here(c, from, out.len, with);
    return true;
}

static size_t count_of(ebb_str s, ebb_str what)
{
    size_t n = 0;
    ebb_str head;
    while (ebb_str_cut_str(&s, what, &head)) n++;
    return n ? n - 1 : 0;
}

static size_t length_with(const ebb_cow *c, size_t count, size_t what, size_t with)
{
    size_t kept = c->str.len - count * what;
    return with > (SIZE_MAX - kept) / count ? SIZE_MAX : kept + count * with;
}

bool ebb_cow_replace_all(ebb_cow *c, ebb_str what, ebb_str with)
{
    size_t count = count_of(c->str, what);
    if (count == 0 || ebb_str_equal(what, with)) return true;
    size_t len = length_with(c, count, what.len, with.len);
    if (len == SIZE_MAX) return ebb__alloc_overflow(c->arena) != NULL;
    char *p = ebb_alloc_aligned(c->arena, len + 1, 1), *to = p;
    if (!p) return false;
    ebb_str rest = c->str, head;
    while (ebb_str_cut_str(&rest, what, &head)) {
        if (head.len) memcpy(to, head.ptr, head.len);
        to += head.len;
        if (rest.ptr && with.len) memcpy(to, with.ptr, with.len);
        if (rest.ptr) to += with.len;
    }
    p[len] = '\0';
    c->str = (ebb_str){p, len};
    c->ebb__cap = len + 1;
    return true;
}

bool ebb_cow_append(ebb_cow *c, ebb_str s)
{
    if (s.len == 0) return true;
    bool fits = !ebb_cow_is_borrowed(c) && s.len < c->ebb__cap - c->str.len;
    if (!fits && !move(c, sum_of(c->str.len, s.len))) return false;
    char *to = own_bytes(c) + c->str.len;
    memcpy(to, s.ptr, s.len);
    to[s.len] = '\0';
    c->str.len += s.len;
    return true;
}

static bool has_upper(ebb_str s)
{
    for (; s.len >= WORD; s = ebb_str_slice(s, WORD, SIZE_MAX))
        if (case_bits(load_word(s.ptr), 'A', 'Z')) return true;
    for (size_t i = 0; i < s.len; i++)
        if (lower_byte(s.ptr[i]) != s.ptr[i]) return true;
    return false;
}

bool ebb_cow_lower(ebb_cow *c)
{
    if (!has_upper(c->str)) return true;
    char *p = ebb_cow_write(c);
    if (p) lower_bytes(p, p, c->str.len);
    return p != NULL;
}
