/*
 * ebb/builder.h: build a string piece by piece in an arena.
 *
 *     ebb_builder b = ebb_builder_in(a);
 *     ebb_builder_append(&b, EBB_STR("{\"id\":"));
 *     ebb_builder_u64(&b, id);
 *     ebb_builder_append(&b, EBB_STR("}"));
 *     ebb_str answer = ebb_builder_finish(&b);       {NULL, 0} if anything above has failed
 *
 * For answers, keys, messages, bodies that come in pieces. Not where all pieces are at hand:
 * ebb_str_concat and ebb_str_join allocate once, and know the length before.
 *
 *     ptr            end                  top               one at a time grows in place, at the
 *     | bytes so far | room, and a NUL's  |                 arena's floor; small objects of the
 *                                                           same arena go on coming down meanwhile
 *
 * A builder is a plain struct, of the arena's thread (Handoff, with its arena); leaving it
 * unfinished leaks nothing. Failure is sticky: after the first, nothing is appended, so no hole can
 * be in what was built, and `finish` tells. That holds for a jump out of ebb_try, too.
 *
 * Any number of builders may be open in one arena. The one that grows at the floor grows in place;
 * the others move when they grow, which is correct and costs a copy.
 *
 * Marks: an open builder made before a mark may be appended to after it. Rewinding then takes away
 * what it had to move to. Take a copy of the struct beside the mark, and put it back beside the
 * rewind: it goes on from there, unless it was truncated below that, reset or finished meanwhile.
 */
#ifndef EBB_BUILDER_H
#define EBB_BUILDER_H

#include "str.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A string being built. `ptr` and `end` are for reading: the bytes so far, not NUL-terminated, are
    between them, valid until the next call that appends. */
typedef struct ebb_builder {
    char *ptr, *end;
    char *ebb__top; /* of the storage; above `end`, for the NUL; equal to it: no byte, or failed */
    ebb_arena *arena;
    ebb_status ebb__failed;
} ebb_builder;

/** Begin a string in @a. Takes nothing until the first byte. Keeps @a. */
static inline ebb_builder ebb_builder_in(ebb_arena *a);

/*
 * Rules of the family: what is appended is borrowed until return, and must not be bytes of this
 * builder, but for ebb_builder_append and ebb_builder_bytes, which allow it.
 * Fails: false, as ebb_alloc, or by a jump inside ebb_try; the bytes so far are then unchanged, and
 * every later call fails too, until ebb_builder_reset.
 * Cost: amortised O(bytes appended).
 * Threads: the holder of the arena.
 */

/** Append @s. Inline for what fits: of up to 16 bytes, without a call. */
static inline bool ebb_builder_append(ebb_builder *b, ebb_str s);

/** Append @size bytes at @data. */
static inline bool ebb_builder_bytes(ebb_builder *b, const void *data, size_t size);

/** Append the C string @text. */
static inline bool ebb_builder_text(ebb_builder *b, const char *text);

/** Append the byte @c. */
static inline bool ebb_builder_char(ebb_builder *b, char c);

/** Append @size times the byte @c. */
EBB_API bool ebb_builder_fill(ebb_builder *b, char c, size_t size);

/** Format as printf does, by the rules of the locale. A conversion error is EBB_E_INVALID. */
EBB_API bool ebb_builder_printf(ebb_builder *b, const char *fmt, ...) EBB_PRINTF(2, 3);

/** Format as vprintf does; @args is used up. */
EBB_API bool ebb_builder_vprintf(ebb_builder *b, const char *fmt, va_list args) EBB_PRINTF(2, 0);

/** Append @value in decimal. */
EBB_API bool ebb_builder_i64(ebb_builder *b, int64_t value);

/** Append @value in decimal. */
EBB_API bool ebb_builder_u64(ebb_builder *b, uint64_t value);

/** Append @value in lower-case hexadecimal with zeros before it up to @digits; no 0x. */
EBB_API bool ebb_builder_hex(ebb_builder *b, uint64_t value, unsigned digits);

/**
 * Append @value with the fewest digits that read back as the same double, the nearest to it of
 * those: 0.1, 100, 1e+21, -0. With an exponent below 1e-6 and from 1e21 on, as JavaScript writes
 * it. Not finite: inf, -inf, nan (which ebb_str_to_double reads, and JSON has no word for). Does
 * not depend on the locale.
 */
EBB_API bool ebb_builder_double(ebb_builder *b, double value);

/**
 * Append @s as a JSON string, in quotes (RFC 8259): escaped are the quote, the backslash and
 * control characters; other UTF-8 is copied. What is not UTF-8 becomes U+FFFD, one for each maximal
 * part of a sequence (Unicode 15, section 3.9), so that the result is valid whatever @s is.
 * Cost: 16 bytes at a time where nothing is to be escaped (SSE2; 8 elsewhere).
 */
EBB_API bool ebb_builder_json(ebb_builder *b, ebb_str s);

/** As ebb_builder_json, but without the quotes: for a part of a JSON string. */
EBB_API bool ebb_builder_json_part(ebb_builder *b, ebb_str s);

/** Append @s percent-encoded (RFC 3986) as a part of a URL: all but A-Z a-z 0-9 - . _ ~ as %XX. */
EBB_API bool ebb_builder_url(ebb_builder *b, ebb_str s);

/** Append @count @parts with @separator between them. */
EBB_API bool ebb_builder_join(ebb_builder *b, const ebb_str *parts, size_t count,
                              ebb_str separator);

/** Make room for @size more bytes, exactly: appending them will neither fail nor move. */
EBB_API bool ebb_builder_reserve(ebb_builder *b, size_t size);

/**
 * Append @size bytes for the caller to write, such as what read() is to fill, and return where;
 * ebb_builder_truncate takes back what was too much. Fails: NULL. In scope until the next call that
 * appends.
 */
EBB_API char *ebb_builder_extend(ebb_builder *b, size_t size);

/** Forget all bytes but the first @len; if there are no more than that, none. */
static inline void ebb_builder_truncate(ebb_builder *b, size_t len);

/** Begin anew with the same memory, and forget a failure (the arena's is another matter). */
static inline void ebb_builder_reset(ebb_builder *b);

/** Return the first failure since the beginning or the last reset. */
static inline ebb_status ebb_builder_failed(const ebb_builder *b);

/** Return how many bytes there are so far. */
static inline size_t ebb_builder_len(const ebb_builder *b);

/** Return the bytes so far: not NUL-terminated, valid until the next call that appends. */
static inline ebb_str ebb_builder_view(const ebb_builder *b);

/**
 * Close the string and return it, NUL-terminated, in scope; the room that was not used goes back
 * to the arena where that is possible (at its floor), and another may grow in its stead. @b is then
 * empty, and begins another string if appended to.
 * Fails: {NULL, 0} if anything failed since the beginning or the last reset; @b stays failed. The
 * empty string is not NULL. Cost: O(1).
 */
EBB_API ebb_str ebb_builder_finish(ebb_builder *b);

/* ---- inline bodies --------------------------------------------------------------------------- */

EBB_API bool ebb__builder_append(ebb_builder *b, const char *ptr, size_t size);
EBB_API bool ebb__builder_append_char(ebb_builder *b, char c);

static inline ebb_builder ebb_builder_in(ebb_arena *a)
{
    ebb_builder b = {NULL, NULL, NULL, a, EBB_OK};
    return b;
}

/* Hidden: gcc else sees branches for sizes that it knows not to occur, and warns of them. */
#if EBB_GNUC
#define EBB__CONSTANT(n) __builtin_constant_p(n)
#define EBB__HIDE(p)     __asm__("" : "+r"(p))
#else
#define EBB__CONSTANT(n) 0
#define EBB__HIDE(p)     ((void)0)
#endif

/* 8 to 16 bytes, by two moves that overlap: a call of memcpy costs more than the copy. */
static inline void ebb__copy_8_to_16(char *to, const char *from, size_t size)
{
    uint64_t head, tail;
    EBB__HIDE(from);
    memcpy(&head, from, 8);
    memcpy(&tail, from + size - 8, 8);
    memcpy(to, &head, 8);
    memcpy(to + size - 8, &tail, 8);
}

/* Fewer than 8. */
static inline void ebb__copy_below_8(char *to, const char *from, size_t size)
{
    EBB__HIDE(from);
    if (size >= 4) {
        uint32_t head, tail;
        memcpy(&head, from, 4);
        memcpy(&tail, from + size - 4, 4);
        memcpy(to, &head, 4);
        memcpy(to + size - 4, &tail, 4);
    } else if (size) {
        char middle = from[size / 2], last = from[size - 1];
        to[0] = from[0];
        to[size / 2] = middle;
        to[size - 1] = last;
    }
}

/* A size known when compiled, up to a cache line, is the compiler's to copy. Addresses are compared
   as numbers: a builder with no byte has none. */
static inline bool ebb_builder_bytes(ebb_builder *b, const void *data, size_t size)
{
    const char *from = (const char *)data;
    char *to = b->end;
    bool small = EBB__CONSTANT(size) ? size <= 64 : size <= 16;
    if (!small || !EBB_LIKELY((uintptr_t)to + size < (uintptr_t)b->ebb__top))
        return ebb__builder_append(b, from, size);
    if (EBB__CONSTANT(size)) memcpy(to, from, size);
    else if (EBB_LIKELY(size - 8 <= 8)) ebb__copy_8_to_16(to, from, size);
    else ebb__copy_below_8(to, from, size);
    b->end = to + size;
    return true;
}

static inline bool ebb_builder_append(ebb_builder *b, ebb_str s)
{
    return ebb_builder_bytes(b, s.ptr, s.len);
}

static inline bool ebb_builder_text(ebb_builder *b, const char *text)
{
    return ebb_builder_bytes(b, text, strlen(text));
}

static inline bool ebb_builder_char(ebb_builder *b, char c)
{
    char *to = b->end;
    if (EBB_LIKELY((uintptr_t)to + 1 < (uintptr_t)b->ebb__top)) {
        b->end = to + 1;
        *to = c;
        return true;
    }
    return ebb__builder_append_char(b, c);
}

static inline void ebb_builder_truncate(ebb_builder *b, size_t len)
{
    if (len >= ebb_builder_len(b)) return;
    b->end = b->ptr + len;
    if (b->ebb__failed) b->ebb__top = b->end;
}

static inline void ebb_builder_reset(ebb_builder *b)
{
    b->end = b->ptr;
    b->ebb__failed = EBB_OK;
}

static inline ebb_status ebb_builder_failed(const ebb_builder *b)
{
    return b->ebb__failed;
}

static inline size_t ebb_builder_len(const ebb_builder *b)
{
    return (size_t)(b->end - b->ptr);
}

static inline ebb_str ebb_builder_view(const ebb_builder *b)
{
    ebb_str s = {b->ptr, ebb_builder_len(b)};
    return s;
}

#ifdef __cplusplus
}
#endif
#endif /* EBB_BUILDER_H */
