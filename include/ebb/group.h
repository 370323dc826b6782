/*
 * ebb/group.h: tags of hashes compared sixteen at a time; what the tables of map_of.h stand on. Not
 * for users.
 *
 * A table's entries lie in groups of 15. A group has 16 bytes: a tag for each entry, 0 where there
 * is none, 1 where there can be none, and eight overflow bits. An entry that finds its group full
 * sets the bit that its hash picks, and goes to the next group of its probe sequence; so a search
 * that does not find its bit set ends there, and removing needs no tombstone. The scheme is Joaquin
 * M. Lopez Munoz's, of Boost's unordered_flat_map; comparing tags by SIMD is from Google's
 * SwissTable (abseil).
 */
#ifndef EBB_GROUP_H
#define EBB_GROUP_H

#include <ebb/base.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#endif

#define EBB__GROUP      15u /* entries of a group */
#define EBB__GROUP_SIZE 16u /* its tags and overflow bits */
#define EBB__GROUP_ALL  0x7fffu
#define EBB__NO_SLOT    1u  /* the tag of a place that the storage is too small for */
#define EBB__TAG_LEAST  2u  /* of an entry */
#define EBB__DENSE_MOST 32u /* entries of the layout that has tags only: two comparisons */

#ifdef __cplusplus
extern "C" {
#endif

/* What the tags of an empty map are; never written to. */
extern EBB_API uint8_t ebb__no_tags[EBB__DENSE_MOST];

/* Which of 16 bytes equal `byte`, as bits. */
static inline uint32_t ebb__bytes_equal(const uint8_t *p, uint8_t byte)
{
#if defined(__SSE2__)
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)byte)));
#elif defined(__ARM_NEON) && defined(__aarch64__)
    static const uint8_t bit[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t equal = vandq_u8(vceqq_u8(vld1q_u8(p), vdupq_n_u8(byte)), vld1q_u8(bit));
    return vaddv_u8(vget_low_u8(equal)) | (uint32_t)vaddv_u8(vget_high_u8(equal)) << 8;
#else
    uint32_t equal = 0;
    for (unsigned i = 0; i < 16; i++) equal |= (uint32_t)(p[i] == byte) << i;
    return equal;
#endif
}

/* A hash's tag; which of the group's overflow bits is its; in which of the groups it begins. */
static inline uint8_t ebb__hash_tag(uint64_t hash)
{
    uint8_t tag = (uint8_t)hash;
    return tag < EBB__TAG_LEAST ? EBB__TAG_LEAST : tag;
}

static inline unsigned ebb__hash_overflow(uint64_t hash)
{
    return hash >> 8 & 7;
}

static inline size_t ebb__hash_group(uint64_t hash, size_t mask)
{
    return (size_t)(hash >> 16) & mask;
}

/* Which of 16 tags are that of `hash`, as bits. */
static inline uint32_t ebb__tags_match(const uint8_t *tags, uint64_t hash)
{
#if defined(__SSE2__)
    /* In all bytes, then the least: a shorter way, where each look-up waits, than in one byte. */
    __m128i tag = _mm_cvtsi32_si128((int)((uint32_t)(uint8_t)hash * 0x01010101u));
    tag = _mm_max_epu8(_mm_shuffle_epi32(tag, 0), _mm_set1_epi8(EBB__TAG_LEAST));
    __m128i all = _mm_loadu_si128((const __m128i *)(const void *)tags);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(all, tag));
#else
    return ebb__bytes_equal(tags, ebb__hash_tag(hash));
#endif
}

static inline uint32_t ebb__group_match(const uint8_t *group, uint64_t hash)
{
    return ebb__tags_match(group, hash) & EBB__GROUP_ALL;
}

static inline uint32_t ebb__group_empty(const uint8_t *group)
{
    return ebb__bytes_equal(group, 0) & EBB__GROUP_ALL;
}

/* Which have entries. */
static inline uint32_t ebb__group_used(const uint8_t *group)
{
#if defined(__SSE2__)
    __m128i all = _mm_loadu_si128((const __m128i *)(const void *)group);
    __m128i least = _mm_max_epu8(all, _mm_set1_epi8(EBB__TAG_LEAST));
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(all, least)) & EBB__GROUP_ALL;
#else
    uint32_t none = ebb__bytes_equal(group, 0) | ebb__bytes_equal(group, EBB__NO_SLOT);
    return ~none & EBB__GROUP_ALL;
#endif
}

static inline uint32_t ebb__dense_match(const uint8_t *tags, uint64_t hash)
{
    return ebb__tags_match(tags, hash) | ebb__tags_match(tags + 16, hash) << 16;
}

static inline unsigned ebb__lowest_bit(uint32_t bits)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_ctz(bits);
#else
    unsigned n = 0;
    while (!(bits >> n & 1)) n++;
    return n;
#endif
}

/* How many entries so many slots hold at a load of seven eighths. */
static inline size_t ebb__slots_hold(size_t slots)
{
    return slots / 8 * 7;
}

/* Slots of so many groups. A table that would fill pages to the byte leaves a few out, for the
   header of the block that it lies in, so as not to need a block of the next size. */
static inline size_t ebb__slots_of(size_t groups, size_t slot_size)
{
    enum { PAGE = 4096, HEADER = 64 };
    bool full_pages = groups * (EBB__GROUP_SIZE + EBB__GROUP * slot_size) % PAGE == 0;
    size_t left_out = full_pages ? (HEADER + slot_size - 1) / slot_size : 0;
    return groups * EBB__GROUP - (left_out < EBB__GROUP ? left_out : 0);
}

/* Groups, a power of two, that hold `count` entries. */
static inline size_t ebb__groups_for(size_t count, size_t slot_size)
{
    size_t groups = 4;
    while (ebb__slots_hold(ebb__slots_of(groups, slot_size)) < count) groups *= 2;
    return groups;
}

#ifdef __cplusplus
}
#endif
#endif /* EBB_GROUP_H */
