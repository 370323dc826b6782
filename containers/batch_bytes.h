/*
 * containers/batch_bytes.h: the loops over bytes, written once for every machine with vectors.
 * Included by batch_avx2.c and batch_neon.c, which say before what TARGET is, and for `bytes`, of
 * which a vector has BYTES:
 *
 *     bytes_load(p), bytes_splat(c), bytes_table(p)     a table of 16 is repeated as often as fits
 *     bytes_lookup(table, index)    0 where bit 7 of the index is set; else it must be below 16
 *     bytes_and, bytes_or, bytes_xor, bytes_less(a, b)  a - b, at least 0
 *     bytes_high_nibble(v)
 *     bytes_before(now, last, n)    the bytes n places before those of `now`, which `last` precedes
 *     bytes_any(v), bytes_any_high(v)    is any not 0, or at least 0x80
 *     bytes_first(v)                where the first is that is not 0, of which there is one
 */

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

/*
 * After Keiser and Lemire, "Validating UTF-8 In Less Than One Instruction Per Byte" (Software:
 * Practice and Experience 51, 2021). Two bytes side by side show nearly all that can be wrong. Each
 * kind of error is a bit; three tables, one for each of the first three nibbles of the pair, say
 * which kinds that nibble allows. A kind that all three allow has happened. But for one: two
 * continuation bytes are right where they are the second and third, or third and fourth, of a
 * character, which is looked up by comparing with the bytes two and three places before.
 */
enum {
    TOO_SHORT = 1 << 0,    /* a lead, then no continuation */
    TOO_LONG = 1 << 1,     /* ASCII, then a continuation */
    OVERLONG_3 = 1 << 2,   /* E0, then 80..9F */
    TOO_LARGE = 1 << 3,    /* F4, then 90..BF, or F5..FF */
    SURROGATE = 1 << 4,    /* ED, then A0..BF */
    OVERLONG_2 = 1 << 5,   /* C0 or C1 */
    OVERLONG_4 = 1 << 6,   /* F0, then 80..8F; the same bit as F5..FF, then 80..8F */
    CONTINUATIONS = 1 << 7 /* two of them: right or wrong, as must be */
};

enum {
    ANY_LOW =
        TOO_SHORT | TOO_LONG | CONTINUATIONS, /* what a first byte's low nibble can't rule out */
    LOW_TOO_LARGE = ANY_LOW | TOO_LARGE | OVERLONG_4,
    SECOND_80 = TOO_LONG | OVERLONG_2 | CONTINUATIONS | OVERLONG_3 | OVERLONG_4,
    SECOND_90 = TOO_LONG | OVERLONG_2 | CONTINUATIONS | OVERLONG_3 | TOO_LARGE,
    SECOND_A0 = TOO_LONG | OVERLONG_2 | CONTINUATIONS | SURROGATE | TOO_LARGE
};

/* clang-format off */
static const uint8_t first_high[16] = {
    TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
    CONTINUATIONS, CONTINUATIONS, CONTINUATIONS, CONTINUATIONS,
    TOO_SHORT | OVERLONG_2, TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE,
    TOO_SHORT | TOO_LARGE | OVERLONG_4};
static const uint8_t first_low[16] = {
    ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4, ANY_LOW | OVERLONG_2, ANY_LOW, ANY_LOW,
    ANY_LOW | TOO_LARGE, LOW_TOO_LARGE, LOW_TOO_LARGE, LOW_TOO_LARGE,
    LOW_TOO_LARGE, LOW_TOO_LARGE, LOW_TOO_LARGE, LOW_TOO_LARGE,
    LOW_TOO_LARGE, LOW_TOO_LARGE | SURROGATE, LOW_TOO_LARGE, LOW_TOO_LARGE};
static const uint8_t second_high[16] = {
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
    SECOND_80, SECOND_90, SECOND_A0, SECOND_A0,
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT};
/* clang-format on */

typedef struct utf8_tables {
    bytes first_high, first_low, second_high;
} utf8_tables;

/* Not 0 where `now`, which follows `last`, goes wrong. */
TARGET INLINE bytes utf8_errors(const utf8_tables *t, bytes now, bytes last)
{
    bytes before = bytes_before(now, last, 1);
    bytes kinds =
        bytes_and(bytes_and(bytes_lookup(t->first_high, bytes_high_nibble(before)),
                            bytes_lookup(t->first_low, bytes_and(before, bytes_splat(0x0f)))),
                  bytes_lookup(t->second_high, bytes_high_nibble(now)));
    /* At least 0x80 after a lead of three or four bytes, two places before, or of four, three. */
    bytes third = bytes_less(bytes_before(now, last, 2), bytes_splat(0xe0 - 0x80));
    bytes fourth = bytes_less(bytes_before(now, last, 3), bytes_splat(0xf0 - 0x80));
    bytes must = bytes_and(bytes_or(third, fourth), bytes_splat(CONTINUATIONS));
    return bytes_xor(must, kinds);
}

enum { UTF8_BLOCK = 64, UTF8_VECTORS = UTF8_BLOCK / BYTES };

TARGET INLINE bool block_is_ascii(const unsigned char *p)
{
    bytes all = bytes_load(p);
    for (size_t i = 1; i < UTF8_VECTORS; i++) all = bytes_or(all, bytes_load(p + i * BYTES));
    return !bytes_any_high(all);
}

/* Whether the block at p, which follows *last, goes wrong; *last is then what follows. */
TARGET INLINE bool block_is_wrong(const utf8_tables *t, const unsigned char *p, bytes *last)
{
    bytes errors = bytes_splat(0);
    for (size_t i = 0; i < UTF8_VECTORS; i++) {
        bytes now = bytes_load(p + i * BYTES);
        errors = bytes_or(errors, utf8_errors(t, now, *last));
        *last = now;
    }
    return bytes_any(errors);
}

/* Walk blocks until one goes wrong: true, and where that begins, which may be the end. What is left
   after the last whole one is looked at with zeros behind it, so that a character that is cut off
   shows. */
TARGET static bool utf8_goes_wrong(const unsigned char *p, size_t n, size_t *ret_at)
{
    const utf8_tables t = {bytes_table(first_high), bytes_table(first_low),
                           bytes_table(second_high)};
    bytes last = bytes_splat(0);
    size_t at = 0;
    for (; n - at >= UTF8_BLOCK; at += UTF8_BLOCK) {
        *ret_at = at;
        if (block_is_wrong(&t, p + at, &last)) return true;
        /* ASCII comes in runs. What follows one is looked at by the line above. */
        if (bytes_any_high(last)) continue;
        while (n - at >= 2 * UTF8_BLOCK && block_is_ascii(p + at + UTF8_BLOCK)) at += UTF8_BLOCK;
    }
    unsigned char rest[UTF8_BLOCK] = {0};
    memcpy(rest, p + at, n - at);
    *ret_at = at;
    return block_is_wrong(&t, rest, &last);
}

/* Below this the plain loop is done before the tables are loaded. */
enum { UTF8_SHORT = 24, CHARACTER_MOST = 4 };

TARGET static size_t utf8_error(const unsigned char *p, size_t n)
{
    if (n < UTF8_SHORT) return ebb__utf8_error_from(p, 0, n);
    size_t at;
    if (!utf8_goes_wrong(p, n, &at)) return n;
    /* What goes wrong in this block may have begun in the one before. */
    size_t from = at;
    for (size_t back = 1; back < CHARACTER_MOST && back <= at; back++)
        if (p[at - back] >= 0xc0) from = at - back;
    return ebb__utf8_error_from(p, from, n);
}

/* ---- sets of bytes --------------------------------------------------------------------------- */

typedef struct byteset_tables {
    bytes half[2], bit;
} byteset_tables;

/* clang-format off */
static const uint8_t bit_of_nibble[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
/* clang-format on */

/* Not 0 where a byte is in the set. There is one look-up for each half of the bytes; for a byte of
   the other half it gives 0. The universal algorithm of Wojciech Mula's "SIMDized check which bytes
   are in a set" (2018). */
TARGET INLINE bytes byteset_hits(const byteset_tables *t, bytes v)
{
    bytes index = bytes_and(v, bytes_splat(0x8f));
    bytes rows = bytes_or(bytes_lookup(t->half[0], index),
                          bytes_lookup(t->half[1], bytes_xor(index, bytes_splat(0x80))));
    return bytes_and(rows, bytes_lookup(t->bit, bytes_high_nibble(v)));
}

TARGET INLINE size_t byteset_find_in(const byteset_tables *t, const unsigned char *p, size_t n)
{
    for (size_t i = 0;; i += BYTES) {
        if (n - i < BYTES) i = n - BYTES; /* some are looked at again */
        bytes hits = byteset_hits(t, bytes_load(p + i));
        if (bytes_any(hits)) return i + bytes_first(hits);
        if (n - i == BYTES) return n;
    }
}

/* Below this the plain loop is done before the tables are loaded. */
enum { BYTESET_SHORT = 8 };

TARGET static size_t byteset_find(const ebb_byteset *set, const unsigned char *p, size_t n)
{
    if (n < BYTESET_SHORT) {
        size_t i = 0;
        while (i < n && !ebb_byteset_has(set, p[i])) i++;
        return i;
    }
    const byteset_tables t = {{bytes_table(set->ebb__half[0]), bytes_table(set->ebb__half[1])},
                              bytes_table(bit_of_nibble)};
    if (n >= BYTES) return byteset_find_in(&t, p, n);
    unsigned char padded[BYTES] = {0};
    memcpy(padded, p, n);
    size_t found = byteset_find_in(&t, padded, BYTES);
    return found < n ? found : n;
}
