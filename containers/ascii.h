/*
 * containers/ascii.h: case and space of ASCII bytes, eight at a time, whatever the byte order; and
 * lengths that may overflow. For the string containers; nothing is public.
 *
 * The bytes of a word are looked at side by side: sums of seven bits never carry into a neighbour
 * (Warren, Hacker's Delight, chapter 6). Bytes of 0x80 and above are no letters.
 */
#ifndef EBB_CONTAINERS_ASCII_H
#define EBB_CONTAINERS_ASCII_H

#include <ebb/str.h>

#include <limits.h>
#include <string.h>

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))
enum { WORD = sizeof(uint64_t) };

static inline uint64_t load_word(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

static inline void store_word(char *p, uint64_t w)
{
    memcpy(p, &w, sizeof w);
}

/* 0x20, the bit of case, in each byte from `first` to `last`. */
static inline uint64_t case_bits(uint64_t w, unsigned char first, unsigned char last)
{
    uint64_t low = w & EACH_BYTE(0x7f);
    uint64_t at_least = low + EACH_BYTE(0x80u - first), above = low + EACH_BYTE(0x7fu - last);
    return ((at_least ^ above) & ~w & EACH_BYTE(0x80)) >> 2;
}

static inline uint64_t lower_word(uint64_t w)
{
    return w ^ case_bits(w, 'A', 'Z');
}

static inline char lower_byte(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c ^ 0x20) : c;
}

/* `to` may be `from`. */
static inline void flip_case(char *to, const char *from, size_t n, char first, char last)
{
    for (; n >= WORD; n -= WORD, from += WORD, to += WORD) {
        uint64_t w = load_word(from);
        store_word(to, w ^ case_bits(w, (unsigned char)first, (unsigned char)last));
    }
    for (; n > 0; n--, from++, to++)
        *to = *from >= first && *from <= last ? (char)(*from ^ 0x20) : *from;
}

static inline void lower_bytes(char *to, const char *from, size_t n)
{
    flip_case(to, from, n, 'A', 'Z');
}

static inline void upper_bytes(char *to, const char *from, size_t n)
{
    flip_case(to, from, n, 'a', 'z');
}

static inline bool same_nocase(const char *p, const char *q, size_t n)
{
    for (; n >= WORD; n -= WORD, p += WORD, q += WORD)
        if (lower_word(load_word(p)) != lower_word(load_word(q))) return false;
    for (; n > 0; n--)
        if (lower_byte(*p++) != lower_byte(*q++)) return false;
    return true;
}

/* Space, \t, \n, \v, \f, \r. */
static inline bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Sums that stay at SIZE_MAX: more than can be had, so that allocating it fails. */
static inline size_t sum_of(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

static inline size_t joined_length(const ebb_str *parts, size_t count, ebb_str separator)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len = sum_of(sum_of(len, i ? separator.len : 0), parts[i].len);
    return len;
}

#endif /* EBB_CONTAINERS_ASCII_H */
