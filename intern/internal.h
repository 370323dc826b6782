/*
 * intern/internal.h: how symbols and their texts lie. Read this first.
 *
 * Glossary
 *   record    {sym, len, text, NUL}: what a symbol stands for; 4-aligned; never moves or changes.
 *   granule   4 bytes, the unit that records are placed by.
 *   segment   a piece of memory that records fill one after the other. It belongs to one shard; a
 *             long text has one of its own; a set of words is one, in the program's constants.
 *   location  of a record: its segment's number, then its granule in there. That is its symbol,
 *             too, unless it is a word's.
 *   bucket    one cache line of the index: 12 locations, and 8 bits of each one's hash.
 *   shard     a sixteenth of the texts, by the top bits of their hash: an index of its own, a lock
 *             for those who insert.
 *
 * Symbols
 *      0                        none
 *      0x40 .. 0xffff           words: the constants of the program
 *      0x10000 .. 0x7fffffff    texts of a shared table: locations
 *      1 | 11 bits | 20 bits    a request's texts: the tag of the table, the place in it
 *
 * A look-up: hash -> root[shard] -> bucket -> record. Root and segment directory stay in the first
 * cache, so it costs two lines that may be far: a bucket and a record.
 *
 * Why look-ups need no lock
 *   Nothing that was published changes. An insertion writes the record, then the location, then the
 *   tag byte, with release; a look-up reads tags with acquire. Growth builds another index and
 *   publishes it in root; the old one is left as it was, for those who are in it, until the table
 *   is destroyed (each is twice the one before, so all of them together are no more than the last).
 *   Who finds nothing in an old one just misses what came a moment later.
 *
 * Locks: a shard's, then the table's memory's, then the arena's own. To seal and to validate: all
 * shards', in order. Who wants one passes the table's gate first; a fork closes it, and waits until
 * nobody is inside (taking all locks of all tables would be more than tools can follow).
 */
#ifndef EBB_INTERN_INTERNAL_H
#define EBB_INTERN_INTERNAL_H

#include "../arena/internal.h"

#include <ebb/intern.h>

#include <stdatomic.h>

enum {
    SHARD_BITS = 4,
    SHARDS = 1 << SHARD_BITS,
    BUCKET_SLOTS = 12,
    BUCKET_FULL = 9, /* grow when the mean bucket has more: a tenth of them overflow then */
    FIRST_BUCKETS = 2,
    INDEX_MOST = 28, /* symbols don't suffice for so many texts */
    STRIPES = 32,
    GRANULE = 4,
    LOCAL_BITS = 20,
    LOCAL_TAGS = 1 << (31 - LOCAL_BITS),
    LINE = 64,
    APART = 2 * LINE /* neighbouring lines are fetched in pairs */
};

#define LOCAL_SYM   ((ebb_sym)1 << 31)
#define LOCAL_PLACE (((ebb_sym)1 << LOCAL_BITS) - 1)

/* ---- records --------------------------------------------------------------------------------- */

typedef ebb__record record;

static inline const char *record_text(const record *r)
{
    return (const char *)(r + 1);
}

/* Of the record of a text of `len` bytes: with the NUL, in whole granules. */
static inline size_t record_size(size_t len)
{
    return (sizeof(record) + len + 1 + GRANULE - 1) & ~(size_t)(GRANULE - 1);
}

static inline ebb_str record_str(const record *r)
{
    return (ebb_str){record_text(r), r->len};
}

/* ---- the shared table ------------------------------------------------------------------------ */

typedef struct bucket {
    _Atomic uint64_t tags[2]; /* a byte for each slot, 0: free; the last 4 bytes are never used */
    _Atomic uint32_t location[BUCKET_SLOTS];
} bucket;
_Static_assert(sizeof(bucket) == LINE, "a bucket is one cache line");

/* What those who insert into a shard know. Its lock guards all of it. */
typedef struct shard {
    _Alignas(APART) os_lock_t lock;
    char *fill, *end; /* the free part of its open segment */
    uint32_t segment; /* its number */
    uint32_t longest; /* see ebb_symtab_stats */
    size_t next_size; /* of the next segment */
    size_t entries;   /* in the index, words included */
    uint64_t refused;
    const bucket *index[INDEX_MOST]; /* by log2 of their buckets; outgrown but for the last. For
                                        leak checkers, which can't follow root */
} shard;

/* Written without a read-modify-write: exact as long as no two threads have the same. */
typedef struct stripe {
    _Alignas(APART) _Atomic uint64_t hits;
    _Atomic uint64_t misses;
} stripe;

typedef struct segment {
    const char *_Atomic base;
    _Atomic uint32_t used; /* granules filled */
} segment;

typedef struct shared shared;
typedef struct request request;

struct ebb_symtab {
    shared *shared;
    request *request; /* NULL: the shared table itself */
};

struct shared {
    ebb_symtab head;
    uint64_t seed;
    segment *segments;
    stripe *stripes;
    uint32_t shift; /* log2 of the granules that a segment's number stands for */
    uint32_t segments_max;
    bool fold, binary;
    bool any_hash; /* hashes of literals don't hold here: there is a seed */
    uint32_t sets;
    const ebb_words *set[EBB_WORDS_SETS_MAX];
    uint8_t set_at[EBB_WORDS_END / 64]; /* by the symbol's upper bits: number of the set, plus 1 */
    uint16_t *word_at[EBB_WORDS_SETS_MAX]; /* granule of each word of the set */

    /* Address of the buckets, and log2 of their number in the low bits. */
    _Alignas(LINE) _Atomic uintptr_t root[SHARDS];

    _Alignas(LINE) _Atomic size_t bytes;
    _Atomic size_t entries;
    _Atomic uint32_t inside; /* threads that have passed the gate */
    _Atomic bool closed;     /* the gate */
    size_t max_bytes, max_entries;
    _Atomic bool sealed;
    uint64_t sum; /* when it was sealed */
    size_t words;
    os_lock_t memory_lock; /* guards the arena and the next two */
    ebb_arena *arena;
    _Atomic uint32_t segment_count; /* read by those who walk */
    size_t segment_size;            /* the most that one has, but for a text of its own */
    shared *next, *previous;        /* all shared tables, for fork */
    shard shard[SHARDS];
};

static inline bucket *root_buckets(uintptr_t root)
{
    return (bucket *)(root & ~(uintptr_t)(LINE - 1));
}

static inline size_t root_mask(uintptr_t root)
{
    return ((size_t)1 << (root & (LINE - 1))) - 1;
}

static inline const record *record_at(const shared *s, uint32_t location)
{
    const segment *g = &s->segments[location >> s->shift];
    const char *base = atomic_load_explicit(&g->base, memory_order_relaxed);
    size_t granule = location & (((uint32_t)1 << s->shift) - 1);
    return (const record *)(const void *)(base + granule * GRANULE);
}

static inline unsigned shard_of(uint64_t hash)
{
    return (unsigned)(hash >> (64 - SHARD_BITS));
}

/* Never 0. */
static inline uint64_t tag_of(uint64_t hash)
{
    uint64_t tag = hash & 0xff;
    return tag + !tag;
}

/* The bits between the tag's and the shard's. */
static inline size_t home_of(uint64_t hash, size_t mask)
{
    return (size_t)(hash >> 8) & mask;
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* What is looked for. A long text in a table that folds case comes unfolded; all others as they are
   kept. */
typedef struct key {
    const char *ptr;
    size_t len;
    uint64_t hash;
    bool fold;
} key;

/* ---- chapters -------------------------------------------------------------------------------- */

/* key.c */
enum { FOLDED_MAX = 256 };
uint64_t ebb__key_hash(const char *p, size_t n, uint64_t seed);
key ebb__key_folded(const shared *s, ebb_str text, char buffer[FOLDED_MAX]);
bool ebb__key_is(const key *k, const record *r);
void ebb__key_copy(const key *k, char *to);
ebb_status ebb__key_refused(const shared *s, const key *k);

/* shared.c */
ebb_sym ebb__shared_find(const shared *s, const key *k);
ebb_sym ebb__shared_put(shared *s, const key *k, ebb_status *ret_why);
ebb_status ebb__shared_put_word(shared *s, unsigned set, uint32_t i, uint32_t granule);
ebb_status ebb__shared_first_indexes(shared *s);
void ebb__shared_enter(shared *s);
void ebb__shared_leave(shared *s);
void ebb__shared_lock_all(shared *s);
void ebb__shared_unlock_all(shared *s);
void *ebb__shared_alloc(shared *s, size_t size, ebb_status *ret_why);

/* request.c */
ebb_sym ebb__request_intern(request *r, ebb_str text, uint64_t hash);
ebb_sym ebb__request_intern_key(request *r, const key *k);
ebb_sym ebb__request_find(const request *r, const key *k);
ebb_sym ebb__request_refuse(request *r, ebb_status why); /* 0 */
ebb_status ebb__request_failed(const request *r);
const record *ebb__request_record(const request *r, ebb_sym sym);
const record *ebb__request_nth(const request *r, uint32_t n); /* NULL: there are fewer */
void ebb__request_get_stats(const request *r, ebb_symtab_stats *ret_);
const char *ebb__request_check(const request *r);

#endif /* EBB_INTERN_INTERNAL_H */
