/*
 * containers/builder.c: ebb/builder.h, but for the parts that its header inlines and for escaping
 * (escape.c).
 *
 * Invariant: ebb__top > end, and the storage at `ptr` ends at ebb__top; or ebb__top == end, and
 * there is no room: nothing was appended yet, or a call has failed. So the inline path asks one
 * question, "size < top - end", and a failed builder always goes the slow way. What is appended is
 * written behind `end`, which moves last: until then nothing has happened.
 */
#include "builder.h"

#include "number.h"

#include <ebb/storage.h>

#include <stdio.h>
#include <string.h>

/* What a builder takes first: half of the window, but no less than a cache line, which holds most
   keys, paths and header lines. What does not fit is an answer; from then on it doubles. Finishing
   gives back what was too much. */
enum { FIRST_LEAST = 64, FIRST_MOST = 256, SECOND = 1024 };

/* ---- room ------------------------------------------------------------------------------------ */

static size_t cap_of(const ebb_builder *b)
{
    return (size_t)(b->ebb__top - b->ptr);
}

static void fail(ebb_builder *b, ebb_status why)
{
    b->ebb__failed = why;
    b->ebb__top = b->end;
}

/* Inside ebb_try the arena jumps, and does not come back: so the builder has failed until it has
   what it asked for. Bytes behind `end`, which a caller may have written already, move along. */
static bool grow(ebb_builder *b, size_t size)
{
    size_t len = ebb_builder_len(b), cap = cap_of(b);
    if (b->ebb__failed) return false;
    fail(b, EBB_E_MEMORY);
    char *p = ebb_resize(b->arena, b->ptr, cap, size);
    if (!p) {
        ebb_status why = ebb_failed(b->arena);
        if (why != EBB_OK) b->ebb__failed = why;
        return false;
    }
    b->ptr = p;
    b->end = p + len;
    b->ebb__top = p + size;
    b->ebb__failed = EBB_OK;
    return true;
}

/* The free bytes of the arena's window, if the builder's storage ends where they begin, or does not
   exist yet. A closed window has none. */
static size_t room_behind(const ebb_builder *b)
{
    const ebb__window *w = (const ebb__window *)(const void *)b->arena;
    uintptr_t floor = EBB__LOAD_RELAXED(&w->limit) + 1;
    bool here = cap_of(b) == 0 || (uintptr_t)b->ebb__top == floor;
    return here && floor && floor < w->tip ? w->tip - floor : 0;
}

static size_t first_size(size_t room)
{
    size_t half = room / 2;
    return half < FIRST_LEAST ? FIRST_LEAST : half > FIRST_MOST ? FIRST_MOST : half;
}

/* Rather to the window's end than out of it. A large piece is mostly followed by a small one. */
bool ebb__builder_grow(ebb_builder *b, size_t used, size_t more)
{
    size_t need = sum_of(sum_of(used, more), 1), cap = cap_of(b), room = room_behind(b);
    size_t size = cap == 0 ? first_size(room) : cap < SECOND ? SECOND : sum_of(cap, cap);
    size_t here = sum_of(cap, room);
    if (size > here && here >= need) size = here;
    return grow(b, size < need ? sum_of(need, need / 8) : size);
}

bool ebb_builder_reserve(ebb_builder *b, size_t size)
{
    if (size < ebb__builder_left(b)) return true;
    return grow(b, sum_of(sum_of(ebb_builder_len(b), size), 1));
}

char *ebb_builder_extend(ebb_builder *b, size_t size)
{
    char *to = ebb__builder_room(b, size);
    if (to) b->end += size;
    return to;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static bool is_own(const ebb_builder *b, const char *ptr)
{
    return b->ptr && (uintptr_t)ptr - (uintptr_t)b->ptr < ebb_builder_len(b);
}

bool ebb__builder_append(ebb_builder *b, const char *ptr, size_t size)
{
    if (size == 0) return b->ebb__failed == EBB_OK;
    bool own = is_own(b, ptr);
    size_t at = own ? (size_t)(ptr - b->ptr) : 0;
    char *to = ebb__builder_room(b, size);
    if (!to) return false;
    memcpy(to, own ? b->ptr + at : ptr, size);
    b->end += size;
    return true;
}

bool ebb__builder_append_char(ebb_builder *b, char c)
{
    return ebb__builder_append(b, &c, 1);
}

bool ebb_builder_fill(ebb_builder *b, char c, size_t size)
{
    char *to = ebb_builder_extend(b, size);
    if (to) memset(to, c, size);
    return to != NULL;
}

bool ebb_builder_join(ebb_builder *b, const ebb_str *parts, size_t count, ebb_str separator)
{
    if (!ebb__builder_room(b, joined_length(parts, count, separator))) return false;
    for (size_t i = 0; i < count; i++) {
        if (i) ebb_builder_append(b, separator);
        ebb_builder_append(b, parts[i]);
    }
    return true;
}

/* ---- formats --------------------------------------------------------------------------------- */

bool ebb_builder_vprintf(ebb_builder *b, const char *fmt, va_list args)
{
    va_list again;
    if (b->ebb__failed) return false;
    va_copy(again, args);
    size_t room = ebb__builder_left(b);
    int n = vsnprintf(b->end, room, fmt, args);
    bool fits = n >= 0 && (size_t)n < room;
    if (n < 0) {
        fail(b, EBB_E_INVALID);
    } else if (!fits && ebb__builder_room(b, (size_t)n)) {
        fits = true;
        vsnprintf(b->end, (size_t)n + 1, fmt, again);
    }
    if (fits) b->end += n;
    va_end(again);
    return fits;
}

bool ebb_builder_printf(ebb_builder *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    bool ok = ebb_builder_vprintf(b, fmt, args);
    va_end(args);
    return ok;
}

bool ebb_builder_u64(ebb_builder *b, uint64_t value)
{
    char *to = ebb__builder_room(b, U64_TEXT);
    if (to) b->end += ebb__u64_text(to, value);
    return to != NULL;
}

bool ebb_builder_i64(ebb_builder *b, int64_t value)
{
    char *to = ebb__builder_room(b, 1 + U64_TEXT);
    if (!to) return false;
    bool negative = value < 0;
    uint64_t magnitude = negative ? 0 - (uint64_t)value : (uint64_t)value;
    if (negative) *to = '-';
    b->end += negative + ebb__u64_text(to + negative, magnitude);
    return true;
}

bool ebb_builder_hex(ebb_builder *b, uint64_t value, unsigned digits)
{
    enum { BITS_A_DIGIT = 4 };
    unsigned needed = (64 + 3 - (unsigned)__builtin_clzll(value | 1)) / BITS_A_DIGIT;
    if (digits < needed) digits = needed;
    char *to = ebb_builder_extend(b, digits);
    for (unsigned i = digits; to && i-- > 0; value >>= BITS_A_DIGIT)
        to[i] = "0123456789abcdef"[value & 0xf];
    return to != NULL;
}

bool ebb_builder_double(ebb_builder *b, double value)
{
    char *to = ebb__builder_room(b, DOUBLE_TEXT);
    if (to) b->end += ebb__double_text(to, value);
    return to != NULL;
}

/* ---- the end --------------------------------------------------------------------------------- */

ebb_str ebb_builder_finish(ebb_builder *b)
{
    if (b->ebb__failed) return (ebb_str){NULL, 0};
    if (cap_of(b) == 0) return EBB_STR("");
    ebb_str s = ebb_builder_view(b);
    *b->end = '\0';
    ebb_storage_settle(b->arena, &(ebb_storage){b->ptr, cap_of(b)}, s.len + 1);
    *b = ebb_builder_in(b->arena);
    return s;
}
