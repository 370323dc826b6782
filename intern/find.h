/*
 * intern/find.h: the way of a hit: hash, bucket, record. In a header, so that it is compiled into
 * each of the two functions that begin it (table.c, request.c) without a call between.
 */
#ifndef EBB_INTERN_FIND_H
#define EBB_INTERN_FIND_H

#include "internal.h"

#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

static inline uint64_t hash_text(const char *p, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(p, n, seed);
}

static inline uint64_t load64(const char *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

static inline uint32_t load32(const char *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* By lengths as XXH3 parts them: the branches of the hash foretell these. */
static inline bool same_bytes(const char *a, const char *b, size_t n)
{
    if (n > 16) return memcmp(a, b, n) == 0;
    if (n >= 8) return ((load64(a) ^ load64(b)) | (load64(a + n - 8) ^ load64(b + n - 8))) == 0;
    if (n >= 4) return ((load32(a) ^ load32(b)) | (load32(a + n - 4) ^ load32(b + n - 4))) == 0;
    return n == 0 || (a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1]);
}

static inline bool key_is(const key *k, const record *r)
{
    return r->len == k->len && same_bytes(record_text(r), k->ptr, k->len);
}

/* The top bit of each byte of `word` that equals the byte of `tags`; exactly those. After "Bit
   Twiddling Hacks", Sean Anderson, haszero. */
static inline uint64_t equal_bytes(uint64_t word, uint64_t tags)
{
    const uint64_t low = 0x7f7f7f7f7f7f7f7fu;
    uint64_t x = word ^ tags;
    return ~(((x & low) + low) | x | low);
}

/* A match in the second word is one bit below where it would be in the first. */
static inline uint64_t bucket_matches(uint64_t first, uint64_t second, uint64_t tag)
{
    uint64_t tags = tag * 0x0101010101010101u;
    return equal_bytes(first, tags) | equal_bytes(second, tags) >> 1;
}

static inline unsigned match_slot(uint64_t matches)
{
    unsigned bit = (unsigned)__builtin_ctzll(matches);
    return bit / 8 + 8 * (~bit & 1);
}

/* Slots fill in order, so a bucket is full when its last is. */
static inline bool bucket_is_full(uint64_t second)
{
    return (second >> (BUCKET_SLOTS - 8 - 1) * 8 & 0xff) != 0;
}

static inline void count(_Atomic uint64_t *counter)
{
    uint64_t n = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, n + 1, memory_order_relaxed);
}

/* Number of this thread among those that look up; 0: it has none yet. */
extern _Thread_local uint32_t ebb__stripe __attribute__((tls_model("initial-exec")));
uint32_t ebb__stripe_new(void);

static inline stripe *stripe_of(const shared *s)
{
    uint32_t n = ebb__stripe;
    if (unlikely(n == 0)) n = ebb__stripe_new();
    return &s->stripes[n % STRIPES];
}

/* The record of `k`, by `is`, which has the same type as key_is; NULL: none. `ret_lines`: how many
   buckets were looked at. */
static inline const record *find_record(const shared *s, const key *k,
                                        bool (*is)(const key *, const record *),
                                        unsigned *ret_lines)
{
    uintptr_t root = atomic_load_explicit(&s->root[shard_of(k->hash)], memory_order_acquire);
    const bucket *buckets = root_buckets(root);
    size_t mask = root_mask(root), at = home_of(k->hash, mask);
    uint64_t tag = tag_of(k->hash);
    for (*ret_lines = 1;; at = (at + 1) & mask, ++*ret_lines) {
        const bucket *b = &buckets[at];
        uint64_t first = atomic_load_explicit(&b->tags[0], memory_order_acquire);
        uint64_t second = atomic_load_explicit(&b->tags[1], memory_order_acquire);
        uint64_t matches = bucket_matches(first, second, tag);
        for (; matches; matches &= matches - 1) {
            const _Atomic uint32_t *slot = &b->location[match_slot(matches)];
            const record *r = record_at(s, atomic_load_explicit(slot, memory_order_relaxed));
            if (is(k, r)) return r;
        }
        if (!bucket_is_full(second)) return NULL;
    }
}

/* The symbol of a text that is as it is kept; 0: none. Counted, behind a branch: were the counter
   chosen by a conditional move, each look-up would have to wait for the record of the one before.
   The parts of a key, so that they stay in registers. */
static inline ebb_sym find_shared(const shared *s, const char *ptr, size_t len, uint64_t hash)
{
    unsigned lines;
    key k = {ptr, len, hash, false};
    const record *r = find_record(s, &k, key_is, &lines);
    stripe *counts = stripe_of(s);
    if (unlikely(!r)) {
        count(&counts->misses);
        return 0;
    }
    count(&counts->hits);
    return r->sym;
}

#endif /* EBB_INTERN_FIND_H */
