/*
 * ebb/bitset.h: a set of small integers, a bit for each: rows that match, ids that are taken, nodes
 * that have been visited.
 *
 *     ebb_bitset seen = ebb_bitset_in(a);
 *     if (!ebb_bitset_put(&seen, id)) ...                       no memory
 *     for (size_t i = ebb_bitset_first(&seen); i != EBB_NOT_FOUND; i = ebb_bitset_next(&seen, i))
 *         visit(i);                                             in ascending order
 *
 * It takes an eighth of a byte for each integer up to the greatest ever put, so it is for dense
 * ones; a few out of many are an ebb_set_u64 (ebb/map.h).
 *
 * A bitset takes its memory from an arena and owns nothing: there is no fini. It may lie anywhere,
 * and be moved by assignment; of two copies only one may be used from then on. After
 * ebb_arena_rewind one that has grown since the mark is dead.
 * Threads: as its arena; reading, any number at once.
 *
 * What grows fails as ebb_alloc does: false, or a jump inside ebb_try; the set is then as it was.
 * What only asks or takes out never fails: beyond what was ever put there is nothing.
 */
#ifndef EBB_BITSET_H
#define EBB_BITSET_H

#include "arena.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The set. `word` is for reading, too: integer i is bit i % 64 of word[i / 64], i < 64 * words;
    beyond that nothing is in it. */
typedef struct ebb_bitset {
    uint64_t *word;
    size_t words;
    ebb_arena *arena;
    size_t ebb__room; /* in words */
} ebb_bitset;

/** An empty set in @a. Takes nothing until something is put. Keeps @a. */
static inline ebb_bitset ebb_bitset_in(ebb_arena *a);

/** Make room for 0 to @n - 1 in all, so that putting those can't fail. Fails: false. */
EBB_API bool ebb_bitset_reserve(ebb_bitset *s, size_t n);

/* ---- one ------------------------------------------------------------------------------------- */

/** Return whether @i is in @s. */
static inline bool ebb_bitset_has(const ebb_bitset *s, size_t i);

/** Put @i in. Fails: false. Cost: 9 instructions where there is room; it grows by doubling. */
static inline bool ebb_bitset_put(ebb_bitset *s, size_t i);

/** Take @i out; it need not be in. */
static inline void ebb_bitset_remove(ebb_bitset *s, size_t i);

/* ---- many ------------------------------------------------------------------------------------ */

/** Put @from to @to - 1 in. Fails: false. Cost: O((@to - @from) / 64). */
EBB_API bool ebb_bitset_put_range(ebb_bitset *s, size_t from, size_t to);

/** Take @from to @to - 1 out. Cost: as above. */
EBB_API void ebb_bitset_remove_range(ebb_bitset *s, size_t from, size_t to);

/** Take all out; keeps the memory. Cost: O(1). */
EBB_API void ebb_bitset_clear(ebb_bitset *s);

/** Leave none, and give the memory back to the arena. */
EBB_API void ebb_bitset_release(ebb_bitset *s);

/** Put all of @other (borrowed) in, too. Fails: false. Cost, of this and those below: O(words). */
EBB_API bool ebb_bitset_or(ebb_bitset *s, const ebb_bitset *other);

/** Leave what is in @other (borrowed), too. */
EBB_API void ebb_bitset_and(ebb_bitset *s, const ebb_bitset *other);

/** Take out what is in @other (borrowed). */
EBB_API void ebb_bitset_and_not(ebb_bitset *s, const ebb_bitset *other);

/** Leave what is in one of @s and @other (borrowed) alone. Fails: false. */
EBB_API bool ebb_bitset_xor(ebb_bitset *s, const ebb_bitset *other);

/* ---- questions ------------------------------------------------------------------------------- */

/** Return how many are in @s. */
EBB_API size_t ebb_bitset_count(const ebb_bitset *s);

/** Return whether none is in @s. */
EBB_API bool ebb_bitset_is_empty(const ebb_bitset *s);

/** Return whether the same are in @s and @t. */
EBB_API bool ebb_bitset_equal(const ebb_bitset *s, const ebb_bitset *t);

/** Return whether all of @s are in @t. */
EBB_API bool ebb_bitset_is_subset(const ebb_bitset *s, const ebb_bitset *t);

/** Return whether some of @s are in @t. */
EBB_API bool ebb_bitset_intersects(const ebb_bitset *s, const ebb_bitset *t);

/** Return the least that is in @s and not below @from; EBB_NOT_FOUND: there is none. */
EBB_API size_t ebb_bitset_find(const ebb_bitset *s, size_t from);

/** Return the least that is not in @s, nor below @from: a free number. */
EBB_API size_t ebb_bitset_find_absent(const ebb_bitset *s, size_t from);

/** Return the least in @s; EBB_NOT_FOUND: it is empty. */
static inline size_t ebb_bitset_first(const ebb_bitset *s);

/** Return the least in @s above @i; EBB_NOT_FOUND: there is none. Meanwhile any may be put and
    taken out; what is put above @i is still to come. */
static inline size_t ebb_bitset_next(const ebb_bitset *s, size_t i);

/* ---- below here nothing is for reading but the curious --------------------------------------- */

EBB_API EBB_COLD bool ebb__bitset_put_beyond(ebb_bitset *s, size_t i);

static inline ebb_bitset ebb_bitset_in(ebb_arena *a)
{
    ebb_bitset s;
    s.word = NULL;
    s.words = s.ebb__room = 0;
    s.arena = a;
    return s;
}

static inline bool ebb_bitset_has(const ebb_bitset *s, size_t i)
{
    return i / 64 < s->words && (s->word[i / 64] >> i % 64 & 1);
}

static inline bool ebb_bitset_put(ebb_bitset *s, size_t i)
{
    if (!EBB_LIKELY(i / 64 < s->words)) return ebb__bitset_put_beyond(s, i);
    s->word[i / 64] |= (uint64_t)1 << i % 64;
    return true;
}

static inline void ebb_bitset_remove(ebb_bitset *s, size_t i)
{
    if (i / 64 < s->words) s->word[i / 64] &= ~((uint64_t)1 << i % 64);
}

static inline size_t ebb_bitset_first(const ebb_bitset *s)
{
    return ebb_bitset_find(s, 0);
}

static inline size_t ebb_bitset_next(const ebb_bitset *s, size_t i)
{
    return i == EBB_NOT_FOUND ? EBB_NOT_FOUND : ebb_bitset_find(s, i + 1);
}

#ifdef __cplusplus
}
#endif
#endif /* EBB_BITSET_H */
