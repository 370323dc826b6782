/*
 * containers/bitset.c: ebb/bitset.h, but for what its header inlines.
 *
 * Invariants: words <= ebb__room, the words up to `words` are initialised, and what lies beyond
 * them counts as 0. So a set may have more words than another and be equal to it.
 */
#include "../arena/internal.h"

#include <ebb/bitset.h>
#include <ebb/sequence.h>

#include <string.h>

enum { BITS = 64 };

#define ALL UINT64_MAX

/* ---- room ------------------------------------------------------------------------------------ */

static size_t words_for(size_t n)
{
    return n / BITS + (n % BITS != 0);
}

static bool use(ebb_bitset *s, ebb_storage storage)
{
    s->word = storage.ptr;
    s->ebb__room = storage.size / sizeof *s->word;
    return true;
}

static ebb_storage storage_of(const ebb_bitset *s)
{
    return ebb__items_storage(s->word, s->ebb__room, sizeof *s->word);
}

static void extend_to(ebb_bitset *s, size_t words)
{
    if (words <= s->words) return;
    memset(s->word + s->words, 0, (words - s->words) * sizeof *s->word);
    s->words = words;
}

static bool grow(ebb_bitset *s, size_t words)
{
    ebb_storage storage = storage_of(s);
    if (words > s->ebb__room) {
        size_t more = words - s->words;
        if (!ebb__items_grow(s->arena, &storage, s->words, more, sizeof *s->word)) return false;
        use(s, storage);
    }
    extend_to(s, words);
    return true;
}

bool ebb_bitset_reserve(ebb_bitset *s, size_t n)
{
    ebb_storage storage = storage_of(s);
    size_t words = words_for(n);
    if (words <= s->ebb__room) return true;
    return ebb__items_reserve(s->arena, &storage, s->words, words, sizeof *s->word) &&
           use(s, storage);
}

bool ebb__bitset_put_beyond(ebb_bitset *s, size_t i)
{
    if (!grow(s, i / BITS + 1)) return false;
    s->word[i / BITS] |= (uint64_t)1 << i % BITS;
    return true;
}

void ebb_bitset_clear(ebb_bitset *s)
{
    s->words = 0;
}

void ebb_bitset_release(ebb_bitset *s)
{
    ebb_storage storage = storage_of(s);
    ebb_storage_release(s->arena, &storage);
    *s = ebb_bitset_in(s->arena);
}

/* ---- ranges ---------------------------------------------------------------------------------- */

/* The bits of word w that lie in [from, to), which is not empty and has some of them. */
static uint64_t mask_of(size_t w, size_t from, size_t to)
{
    uint64_t mask = ALL;
    if (w == from / BITS) mask &= ALL << from % BITS;
    if (w == (to - 1) / BITS) mask &= ALL >> (BITS - 1 - (to - 1) % BITS);
    return mask;
}

bool ebb_bitset_put_range(ebb_bitset *s, size_t from, size_t to)
{
    if (from >= to) return true;
    if (!grow(s, words_for(to))) return false;
    for (size_t w = from / BITS; w < words_for(to); w++) s->word[w] |= mask_of(w, from, to);
    return true;
}

void ebb_bitset_remove_range(ebb_bitset *s, size_t from, size_t to)
{
    if (from >= to) return;
    size_t end = words_for(to) < s->words ? words_for(to) : s->words;
    for (size_t w = from / BITS; w < end; w++) s->word[w] &= ~mask_of(w, from, to);
}

/* ---- two sets -------------------------------------------------------------------------------- */

static size_t less_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The words up to the last that is not 0. */
static size_t words_used(const ebb_bitset *s)
{
    size_t n = s->words;
    while (n > 0 && s->word[n - 1] == 0) n--;
    return n;
}

bool ebb_bitset_or(ebb_bitset *s, const ebb_bitset *other)
{
    size_t n = words_used(other);
    if (!grow(s, n)) return false;
    for (size_t w = 0; w < n; w++) s->word[w] |= other->word[w];
    return true;
}

bool ebb_bitset_xor(ebb_bitset *s, const ebb_bitset *other)
{
    size_t n = words_used(other);
    if (!grow(s, n)) return false;
    for (size_t w = 0; w < n; w++) s->word[w] ^= other->word[w];
    return true;
}

void ebb_bitset_and(ebb_bitset *s, const ebb_bitset *other)
{
    s->words = less_of(s->words, other->words);
    for (size_t w = 0; w < s->words; w++) s->word[w] &= other->word[w];
}

void ebb_bitset_and_not(ebb_bitset *s, const ebb_bitset *other)
{
    size_t n = less_of(s->words, other->words);
    for (size_t w = 0; w < n; w++) s->word[w] &= ~other->word[w];
}

bool ebb_bitset_equal(const ebb_bitset *s, const ebb_bitset *t)
{
    size_t n = words_used(s);
    return n == words_used(t) && (n == 0 || memcmp(s->word, t->word, n * sizeof *s->word) == 0);
}

bool ebb_bitset_is_subset(const ebb_bitset *s, const ebb_bitset *t)
{
    size_t n = words_used(s);
    if (n > t->words) return false;
    for (size_t w = 0; w < n; w++)
        if (s->word[w] & ~t->word[w]) return false;
    return true;
}

bool ebb_bitset_intersects(const ebb_bitset *s, const ebb_bitset *t)
{
    size_t n = less_of(s->words, t->words);
    for (size_t w = 0; w < n; w++)
        if (s->word[w] & t->word[w]) return true;
    return false;
}

/* ---- questions ------------------------------------------------------------------------------- */

/* Ones counted in parallel, by halves, in 12 operations: without a flag for newer machines the
   compiler would call a function. (Henry S. Warren, Hacker's Delight.) */
static size_t ones(uint64_t x)
{
    x -= x >> 1 & ALL / 3;
    x = (x & ALL / 5) + (x >> 2 & ALL / 5);
    x = (x + (x >> 4)) & ALL / 17;
    return (size_t)(x * (ALL / 255) >> 56);
}

size_t ebb_bitset_count(const ebb_bitset *s)
{
    size_t n = 0;
    for (size_t w = 0; w < s->words; w++) n += ones(s->word[w]);
    return n;
}

bool ebb_bitset_is_empty(const ebb_bitset *s)
{
    return words_used(s) == 0;
}

static unsigned lowest(uint64_t x)
{
    return (unsigned)__builtin_ctzll(x);
}

size_t ebb_bitset_find(const ebb_bitset *s, size_t from)
{
    size_t w = from / BITS;
    if (w >= s->words) return EBB_NOT_FOUND;
    uint64_t bits = s->word[w] & ALL << from % BITS;
    while (!bits) {
        if (++w == s->words) return EBB_NOT_FOUND;
        bits = s->word[w];
    }
    return w * BITS + lowest(bits);
}

size_t ebb_bitset_find_absent(const ebb_bitset *s, size_t from)
{
    size_t w = from / BITS;
    if (w >= s->words) return from;
    uint64_t absent = ~s->word[w] & ALL << from % BITS;
    while (!absent) {
        if (++w == s->words) return w * BITS;
        absent = ~s->word[w];
    }
    return w * BITS + lowest(absent);
}
