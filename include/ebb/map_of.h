/*
 * ebb/map_of.h: a map, or a set, of types of your own: a template, to be included once for each.
 *
 *     #define EBB_MAP ages, uint64_t, int             // name, key, value: integer, symbol, pointer
 *     #include <ebb/map_of.h>
 *
 *     #define EBB_MAP attrs, ebb_str, int, str        // strings, compared by their bytes
 *     #include <ebb/map_of.h>
 *
 *     #define EBB_MAP cells, struct at, cell *, user  // any key
 *     #define EBB_HASH(key, seed) ebb_hash_pair(ebb_hash_u64((key).x, seed), (key).y)
 *     #define EBB_EQ(a, b)        ((a).x == (b).x && (a).y == (b).y)
 *     #include <ebb/map_of.h>
 *
 *     #define EBB_SET seen, ebb_str, str              // no values; kinds as for EBB_MAP
 *     #include <ebb/map_of.h>
 *
 * gives a type `ages` and the functions below, under that name. A last argument, `stable`, after
 * the kind (which is then `int`, `str` or `user`), makes entries that never move, for who keeps
 * pointers to them; it costs an allocation an entry, and a cache miss a look-up.
 *
 * A map takes its memory from an arena and owns nothing: there is no fini. It may lie anywhere, and
 * be moved by assignment; of two copies only one may be used from then on. What it outgrows, its
 * arena hands out again. Threads: as its arena; look-ups alone, any number at once.
 *
 *     ages  ages_in(ebb_arena *a)          an empty map in a; allocates nothing yet
 *     V    *ages_find(&m, key)             its value; NULL: not there
 *     bool  ages_has(&m, key)
 *     V    *ages_put(&m, key, value)       put, or replace; NULL: no memory
 *     V    *ages_get_or_put(&m, key, &new) its value; what is new is zeroed; one search. NULL: no
 *                                          memory. &new (may be NULL) tells whether it is new
 *     bool  ages_remove(&m, key)           false: it was not there
 *     bool  ages_reserve(&m, count)        room for so many entries in all; false: no memory
 *     bool  ages_merge(&m, &other)         put all of other's; false: no memory, nothing changed
 *     void  ages_clear(&m)                 keeps its memory
 *     m.len                                entries now; to be read
 *
 *     for (ages_iter i = ages_each(&m); ages_next(&i);)
 *         use(i.key, i.val);               i.key is a copy, i.val points to the value
 *     ages_remove_at(&i)                   remove the entry that i is at; then go on with i
 *
 * A set has _in, _has, _put (bool: it is in now), _get_or_put (const K *: the key that is in),
 * _remove, _reserve, _merge, _clear, _each, _next, _remove_at; its iterator has .key alone.
 *
 * Failure: what grows returns NULL or false, or jumps inside ebb_try, as ebb_alloc does; the map is
 * then as it was.
 * Lifetime: a pointer to a value, and an iterator, are good until a new key is put or one is
 * removed (an iterator then ends, and reports misuse); of `stable`, values until their removal. The
 * bytes of a string key are borrowed by look-ups and kept by puts, not copied: they must live as
 * long as the map does; ebb_str_dup those that do not.
 * After ebb_arena_rewind a map that has grown since the mark is dead.
 * Order: of insertion, while there are no more than 32 entries; beyond that unspecified, and
 * another from run to run.
 * Seed: m.seed is made of the arena's address, which whoever sends the keys can't know where
 * addresses are randomised. Set it before the first put for one of your own. Keys that collide all
 * the same are found, slowly.
 * Cost: up to 32 entries are an array with tags, scanned by SIMD; more are a table of groups of 15
 * (ebb/group.h) at a load of 7/8 at most. Find: one hash, most often one group and one entry. Put:
 * the same, and growth by doubling. Memory: 17/16 of an entry at best, 2.3 times at worst, at 16
 * bytes an entry.
 */
#ifndef EBB_MAP_OF_H
#define EBB_MAP_OF_H

#include <ebb/arena.h>
#include <ebb/group.h>
#include <ebb/hash.h>
#include <ebb/storage.h>
#include <ebb/template.h>

#include <string.h>

/* What may stand for the kind, and after it; 0 where there is nothing. */
#define EBB__KIND_0        1
#define EBB__KIND_int      1
#define EBB__KIND_str      2
#define EBB__KIND_user     3
#define EBB__STABLE_0      0
#define EBB__STABLE_stable 1

#endif /* EBB_MAP_OF_H */

/* Errors in a user's call are then told without the macros that the names are made with. */
#ifndef EBB__SHOW_TEMPLATE_WARNINGS
#pragma GCC system_header
#endif

/* ---- arguments ------------------------------------------------------------------------------- */

/* EBB__ERROR keeps what follows from being compiled, so that one line says what is wrong. */
#if defined(EBB_MAP) && !defined(EBB_SET)
#if EBB__COUNT(EBB_MAP) < 3 || EBB__COUNT(EBB_MAP) > 5
#error "EBB_MAP takes: name, key, value [, int or str or user [, stable]]"
#define EBB__ERROR
#else
#define EBB__N      EBB__ARG1(EBB_MAP)
#define EBB__K      EBB__ARG2(EBB_MAP)
#define EBB__V      EBB__ARG3(EBB_MAP)
#define EBB__KIND   EBB__PASTE(EBB__KIND_, EBB__ARG4(EBB_MAP))
#define EBB__STABLE EBB__PASTE(EBB__STABLE_, EBB__ARG5(EBB_MAP))
#endif
#elif defined(EBB_SET) && !defined(EBB_MAP)
#if EBB__COUNT(EBB_SET) < 2 || EBB__COUNT(EBB_SET) > 4
#error "EBB_SET takes: name, key [, int or str or user [, stable]]"
#define EBB__ERROR
#else
#define EBB__N      EBB__ARG1(EBB_SET)
#define EBB__K      EBB__ARG2(EBB_SET)
#define EBB__KIND   EBB__PASTE(EBB__KIND_, EBB__ARG3(EBB_SET))
#define EBB__STABLE EBB__PASTE(EBB__STABLE_, EBB__ARG4(EBB_SET))
#endif
#else
#error "define either EBB_MAP or EBB_SET before including ebb/map_of.h"
#define EBB__ERROR
#endif

#ifndef EBB__ERROR
#if EBB__KIND == 1
#define EBB__DO_HASH(key, seed) ebb_hash_u64(EBB__F(__word)(key), seed)
#define EBB__DO_EQ(a, b)        (EBB__F(__word)(a) == EBB__F(__word)(b))
#elif EBB__KIND == 2
#define EBB__DO_HASH(key, seed) ebb_hash_str(key, seed)
#define EBB__DO_EQ(a, b)        ebb__same_bytes(a, b)
#elif EBB__KIND == 3 && defined(EBB_HASH) && defined(EBB_EQ)
#define EBB__DO_HASH(key, seed) EBB_HASH(key, seed)
#define EBB__DO_EQ(a, b)        EBB_EQ(a, b)
#elif EBB__KIND == 3
#error "a map or set of kind user needs EBB_HASH(key, seed) and EBB_EQ(a, b)"
#define EBB__ERROR
#else
#error "the kind of a map or set is int, str or user"
#define EBB__ERROR
#endif
#endif

#ifndef EBB__ERROR

#define EBB__F(name) EBB__PASTE(EBB__N, name)
#define EBB__ENTRY   EBB__F(__entry)
#define EBB__SLOT    EBB__F(__slot)
#define EBB__ITER    EBB__F(_iter)
#define EBB__PLACE   EBB__F(__where)

#if EBB__KIND == 1
EBB__ASSERT(sizeof(EBB__K) <= sizeof(uint64_t),
            "a key of kind int is an integer, a symbol or a pointer; of others say str or user");

/* The key's bytes: what an integer or a pointer is compared by. */
static inline uint64_t EBB__F(__word)(EBB__K key)
{
    uint64_t word = 0;
    memcpy(&word, &key, sizeof key < sizeof word ? sizeof key : sizeof word);
    return word;
}
#endif

/* ---- types ----------------------------------------------------------------------------------- */

typedef struct EBB__ENTRY {
    EBB__K key;
#ifdef EBB__V
    EBB__V val;
#endif
} EBB__ENTRY;

#if EBB__STABLE
typedef EBB__ENTRY *EBB__SLOT;
#define EBB__AT(slot) (*(slot))
#else
typedef EBB__ENTRY EBB__SLOT;
#define EBB__AT(slot) (slot)
#endif

/*
 * In one piece of storage, dense:  | 32 tags | slots ...              |
 *                      or a table: | groups x 16 | groups x 15 slots  |  but for the last few
 */
typedef struct EBB__N {
    ebb_arena *arena;
    size_t len;
    uint64_t seed;
    uint8_t *ebb__tags;
    EBB__SLOT *ebb__slots;
    size_t ebb__mask; /* groups - 1; 0: dense */
    size_t ebb__slot_count;
    size_t ebb__room;  /* entries that may be added before it must grow */
    size_t ebb__bytes; /* of the storage, which begins with the tags; 0: none yet */
} EBB__N;

typedef struct EBB__ITER {
    EBB__K key;
#ifdef EBB__V
    EBB__V *val;
#endif
    EBB__N *ebb__map;
    const uint8_t *ebb__tags; /* these two as they were when it last went on */
    size_t ebb__len;
    size_t ebb__group;
    EBB__SLOT *ebb__slots; /* of the group */
    uint32_t ebb__left;    /* its entries still to come, as bits */
    unsigned ebb__lane;
} EBB__ITER;

/* Where an entry is, or its tag. slot NULL: nowhere. */
typedef struct EBB__PLACE {
    uint8_t *tag;
    EBB__SLOT *slot;
} EBB__PLACE;

static inline EBB__N EBB__F(_in)(ebb_arena *a)
{
    EBB__N m;
    memset(&m, 0, sizeof m);
    m.arena = a;
    m.seed = (uint64_t)(uintptr_t)a * EBB__HASH_B;
    m.ebb__tags = ebb__no_tags;
    return m;
}

EBB__ASSERT(sizeof(EBB__SLOT) <= 1u << 24, "an entry has at most 16 MiB; keep a pointer to it");

/* Slot i of a few. By bytes in 32 bits: gcc widens what counts zeros by an instruction else. */
static inline EBB__SLOT *EBB__F(__nth)(EBB__SLOT *slots, unsigned i)
{
    return (EBB__SLOT *)(void *)((char *)slots + (uint32_t)(i * (uint32_t)sizeof *slots));
}

static inline EBB__PLACE EBB__F(__place)(uint8_t *tags, EBB__SLOT *slots, unsigned i)
{
    EBB__PLACE at;
    at.tag = tags + i;
    at.slot = EBB__F(__nth)(slots, i);
    return at;
}

static inline EBB__PLACE EBB__F(__nowhere)(void)
{
    EBB__PLACE at = {NULL, NULL};
    return at;
}

/* ---- finding --------------------------------------------------------------------------------- */

static inline EBB__PLACE EBB__F(__find_dense)(const EBB__N *m, EBB__K key, uint64_t hash)
{
    for (uint32_t found = ebb__dense_match(m->ebb__tags, hash); found; found &= found - 1) {
        unsigned i = ebb__lowest_bit(found);
        if (EBB_LIKELY(EBB__DO_EQ(EBB__AT(*EBB__F(__nth)(m->ebb__slots, i)).key, key)))
            return EBB__F(__place)(m->ebb__tags, m->ebb__slots, i);
    }
    return EBB__F(__nowhere)();
}

static inline EBB__PLACE EBB__F(__find_in_group)(const EBB__N *m, size_t g, EBB__K key,
                                                 uint64_t hash)
{
    uint8_t *group = m->ebb__tags + g * EBB__GROUP_SIZE;
    EBB__SLOT *slots = m->ebb__slots + g * EBB__GROUP;
    for (uint32_t found = ebb__group_match(group, hash); found; found &= found - 1) {
        unsigned i = ebb__lowest_bit(found);
        if (EBB_LIKELY(EBB__DO_EQ(EBB__AT(*EBB__F(__nth)(slots, i)).key, key)))
            return EBB__F(__place)(group, slots, i);
    }
    return EBB__F(__nowhere)();
}

static inline bool EBB__F(__goes_on)(const EBB__N *m, size_t g, uint64_t hash)
{
    uint8_t overflow = m->ebb__tags[g * EBB__GROUP_SIZE + EBB__GROUP];
    return overflow >> ebb__hash_overflow(hash) & 1;
}

/* Beyond the group that a hash belongs to, which was full; by steps of 1, 2, 3 ..., which come by
   every group. */
EBB_COLD static EBB__PLACE EBB__F(__find_onward)(const EBB__N *m, EBB__K key, uint64_t hash)
{
    EBB__PLACE at = {NULL, NULL};
    size_t g = ebb__hash_group(hash, m->ebb__mask);
    for (size_t step = 1; step <= m->ebb__mask && EBB__F(__goes_on)(m, g, hash); step++) {
        g = (g + step) & m->ebb__mask;
        at = EBB__F(__find_in_group)(m, g, key, hash);
        if (at.slot) break;
    }
    return at;
}

static inline EBB__PLACE EBB__F(__find_in_table)(const EBB__N *m, EBB__K key, uint64_t hash)
{
    size_t g = ebb__hash_group(hash, m->ebb__mask);
    EBB__PLACE at = EBB__F(__find_in_group)(m, g, key, hash);
    if (EBB_LIKELY(at.slot != NULL) || EBB_LIKELY(!EBB__F(__goes_on)(m, g, hash))) return at;
    return EBB__F(__find_onward)(m, key, hash);
}

static inline EBB__PLACE EBB__F(__find)(const EBB__N *m, EBB__K key, uint64_t hash)
{
    if (m->ebb__mask) return EBB__F(__find_in_table)(m, key, hash);
    return EBB__F(__find_dense)(m, key, hash);
}

/* ---- adding ---------------------------------------------------------------------------------- */

/* A slot of the table for a key that is not in it; there is room. */
static inline EBB__SLOT *EBB__F(__add_to_table)(EBB__N *m, uint64_t hash)
{
    size_t g = ebb__hash_group(hash, m->ebb__mask);
    for (size_t step = 1;; step++) {
        uint8_t *group = m->ebb__tags + g * EBB__GROUP_SIZE;
        uint32_t empty = ebb__group_empty(group);
        if (EBB_LIKELY(empty != 0)) {
            unsigned i = ebb__lowest_bit(empty);
            group[i] = ebb__hash_tag(hash);
            return m->ebb__slots + g * EBB__GROUP + i;
        }
        group[EBB__GROUP] |= (uint8_t)(1u << ebb__hash_overflow(hash));
        g = (g + step) & m->ebb__mask;
    }
}

static inline uint32_t EBB__F(__in_group)(const EBB__N *m, size_t group)
{
    if (!m->ebb__mask) return (uint32_t)(((uint64_t)1 << m->len) - 1);
    return ebb__group_used(m->ebb__tags + group * EBB__GROUP_SIZE);
}

/* Copy all entries into `to`, an empty table with room for them. */
static inline void EBB__F(__copy_all)(EBB__N *to, const EBB__N *m)
{
    for (size_t g = 0; g <= m->ebb__mask; g++)
        for (uint32_t left = EBB__F(__in_group)(m, g); left; left &= left - 1) {
            const EBB__SLOT *s = m->ebb__slots + g * EBB__GROUP + ebb__lowest_bit(left);
            *EBB__F(__add_to_table)(to, EBB__DO_HASH(EBB__AT(*s).key, to->seed)) = *s;
        }
}

static inline ebb_storage EBB__F(__storage)(const EBB__N *m)
{
    ebb_storage s;
    s.ptr = m->ebb__bytes ? m->ebb__tags : NULL;
    s.size = m->ebb__bytes;
    return s;
}

static inline void EBB__F(__use)(EBB__N *m, ebb_storage s, size_t tags)
{
    m->ebb__tags = (uint8_t *)s.ptr;
    m->ebb__slots = (EBB__SLOT *)(void *)(m->ebb__tags + tags);
    m->ebb__bytes = s.size;
}

static inline void EBB__F(__empty_table)(EBB__N *m)
{
    size_t groups = m->ebb__mask + 1, missing = groups * EBB__GROUP - m->ebb__slot_count;
    uint8_t *last = m->ebb__tags + (groups - 1) * EBB__GROUP_SIZE;
    memset(m->ebb__tags, 0, groups * EBB__GROUP_SIZE);
    memset(last + EBB__GROUP - missing, EBB__NO_SLOT, missing);
    m->len = 0;
    m->ebb__room = ebb__slots_hold(m->ebb__slot_count);
}

/* Become a table with room for `count` entries. */
static inline bool EBB__F(__to_table)(EBB__N *m, size_t count)
{
    const size_t most = SIZE_MAX / 8 / (sizeof(EBB__SLOT) + 2); /* whose table can be counted */
    size_t groups = count < most ? ebb__groups_for(count, sizeof(EBB__SLOT)) : 0;
    size_t slots = groups ? ebb__slots_of(groups, sizeof(EBB__SLOT)) : 0;
    size_t bytes = groups ? groups * EBB__GROUP_SIZE + slots * sizeof(EBB__SLOT) : SIZE_MAX;
    ebb_storage s = {NULL, 0}, old = EBB__F(__storage)(m);
    if (!ebb_storage_grow(m->arena, &s, 0, bytes)) return false;
    EBB__N to = *m;
    EBB__F(__use)(&to, s, groups * EBB__GROUP_SIZE);
    to.ebb__mask = groups - 1;
    to.ebb__slot_count = slots;
    EBB__F(__empty_table)(&to);
    EBB__F(__copy_all)(&to, m);
    to.len = m->len;
    to.ebb__room -= m->len;
    ebb_storage_release(m->arena, &old);
    *m = to;
    return true;
}

/* By copy, and by the inline path: it is small, and grows twice at most. */
static inline bool EBB__F(__grow_dense)(EBB__N *m, size_t count)
{
    ebb_storage s, old = EBB__F(__storage)(m);
    s.size = EBB__DENSE_MOST + count * sizeof(EBB__SLOT);
    s.ptr = ebb_alloc(m->arena, s.size);
    if (!s.ptr) return false;
    memcpy(s.ptr, m->ebb__tags, EBB__DENSE_MOST);
    EBB__SLOT *slots = m->ebb__slots;
    EBB__F(__use)(m, s, EBB__DENSE_MOST);
    if (m->len) memcpy(m->ebb__slots, slots, m->len * sizeof *slots);
    m->ebb__room = count - m->len;
    ebb_storage_release(m->arena, &old);
    return true;
}

/* More room than there is. A table that is full of what removed entries left behind, rather than of
   entries, is made anew at its size. */
EBB_COLD static bool EBB__F(__grow)(EBB__N *m)
{
    const size_t first = 8;
    size_t full = ebb__slots_hold(m->ebb__slot_count);
    if (m->ebb__mask) return EBB__F(__to_table)(m, m->len <= full / 8 * 7 ? full : full + 1);
    if (m->len == EBB__DENSE_MOST) return EBB__F(__to_table)(m, 2 * EBB__DENSE_MOST);
    return EBB__F(__grow_dense)(m, m->len < first ? first : EBB__DENSE_MOST);
}

/* A slot for a key that is not there; there is room. */
static inline EBB__SLOT *EBB__F(__take_slot)(EBB__N *m, uint64_t hash)
{
    size_t i = m->len++;
    m->ebb__room--;
    if (m->ebb__mask) return EBB__F(__add_to_table)(m, hash);
    m->ebb__tags[i] = ebb__hash_tag(hash);
    return m->ebb__slots + i;
}

/* A new entry for a key that is not there; NULL: nothing has changed. */
static inline EBB__ENTRY *EBB__F(__add)(EBB__N *m, EBB__K key, uint64_t hash)
{
    if (!EBB_LIKELY(m->ebb__room > 0) && !EBB__F(__grow)(m)) return NULL;
#if EBB__STABLE
    EBB__ENTRY *e = (EBB__ENTRY *)ebb_alloc_aligned(m->arena, sizeof *e, EBB_ALIGNOF(EBB__ENTRY));
    if (!e) return NULL;
    *EBB__F(__take_slot)(m, hash) = e;
#else
    EBB__ENTRY *e = EBB__F(__take_slot)(m, hash);
#endif
    e->key = key;
    return e;
}

static inline EBB__ENTRY *EBB__F(__find_entry)(const EBB__N *m, EBB__K key, uint64_t hash)
{
    EBB__SLOT *s = EBB__F(__find)(m, key, hash).slot;
    return s ? &EBB__AT(*s) : NULL;
}

/* ---- the map --------------------------------------------------------------------------------- */

static inline bool EBB__F(_has)(const EBB__N *m, EBB__K key)
{
    return EBB__F(__find)(m, key, EBB__DO_HASH(key, m->seed)).slot != NULL;
}

static inline bool EBB__F(_reserve)(EBB__N *m, size_t count)
{
    if (count <= m->len || count - m->len <= m->ebb__room) return true;
    if (count > EBB__DENSE_MOST || m->ebb__mask) return EBB__F(__to_table)(m, count);
    return EBB__F(__grow_dense)(m, count);
}

static inline void EBB__F(_clear)(EBB__N *m)
{
    if (m->ebb__mask) {
        EBB__F(__empty_table)(m);
    } else if (m->len) {
        memset(m->ebb__tags, 0, EBB__DENSE_MOST);
        m->ebb__room += m->len;
    }
    m->len = 0;
}

/* Those behind it move down, so that their order stays. */
static inline void EBB__F(__remove_dense)(EBB__N *m, EBB__PLACE at)
{
    size_t after = m->len - (size_t)(at.tag - m->ebb__tags) - 1;
    memmove(at.tag, at.tag + 1, after);
    at.tag[after] = 0;
    memmove(at.slot, at.slot + 1, after * sizeof *at.slot);
    m->ebb__room++;
}

/* A group that has overflowed sends searches onward for ever, so its place is not counted as room:
   a table that is used for long is made anew before all of its groups do. */
static inline void EBB__F(__remove_from_table)(EBB__N *m, EBB__PLACE at)
{
    size_t lane = (size_t)(at.tag - m->ebb__tags) % EBB__GROUP_SIZE;
    *at.tag = 0;
    m->ebb__room += at.tag[EBB__GROUP - lane] == 0;
}

static inline void EBB__F(__remove)(EBB__N *m, EBB__PLACE at)
{
    if (m->ebb__mask) EBB__F(__remove_from_table)(m, at);
    else EBB__F(__remove_dense)(m, at);
    m->len--;
}

static inline bool EBB__F(_remove)(EBB__N *m, EBB__K key)
{
    EBB__PLACE at = EBB__F(__find)(m, key, EBB__DO_HASH(key, m->seed));
    if (at.slot) EBB__F(__remove)(m, at);
    return at.slot != NULL;
}

#ifdef EBB__V
static inline EBB__V *EBB__F(_find)(const EBB__N *m, EBB__K key)
{
    EBB__ENTRY *e = EBB__F(__find_entry)(m, key, EBB__DO_HASH(key, m->seed));
    return e ? &e->val : NULL;
}

static inline EBB__V *EBB__F(_get_or_put)(EBB__N *m, EBB__K key, bool *ret_new)
{
    uint64_t hash = EBB__DO_HASH(key, m->seed);
    EBB__ENTRY *e = EBB__F(__find_entry)(m, key, hash);
    bool is_new = !e;
    if (is_new) {
        e = EBB__F(__add)(m, key, hash);
        if (!e) return NULL;
        memset(&e->val, 0, sizeof e->val);
    }
    if (ret_new) *ret_new = is_new;
    return &e->val;
}

static inline EBB__V *EBB__F(_put)(EBB__N *m, EBB__K key, EBB__V val)
{
    uint64_t hash = EBB__DO_HASH(key, m->seed);
    EBB__ENTRY *e = EBB__F(__find_entry)(m, key, hash);
    if (!e) e = EBB__F(__add)(m, key, hash);
    if (!e) return NULL;
    e->val = val;
    return &e->val;
}
#else
static inline const EBB__K *EBB__F(_get_or_put)(EBB__N *m, EBB__K key, bool *ret_new)
{
    uint64_t hash = EBB__DO_HASH(key, m->seed);
    const EBB__ENTRY *e = EBB__F(__find_entry)(m, key, hash);
    bool is_new = !e;
    if (is_new) e = EBB__F(__add)(m, key, hash);
    if (!e) return NULL;
    if (ret_new) *ret_new = is_new;
    return &e->key;
}

static inline bool EBB__F(_put)(EBB__N *m, EBB__K key)
{
    return EBB__F(_get_or_put)(m, key, NULL) != NULL;
}
#endif

/* ---- iteration ------------------------------------------------------------------------------- */

static inline EBB__ITER EBB__F(_each)(EBB__N *m)
{
    EBB__ITER i;
    memset(&i, 0, sizeof i);
    i.ebb__map = m;
    i.ebb__tags = m->ebb__tags;
    i.ebb__len = m->len;
    i.ebb__slots = m->ebb__slots;
    i.ebb__left = EBB__F(__in_group)(m, 0);
    return i;
}

static inline bool EBB__F(__is_stale)(const EBB__ITER *i, const char *function)
{
    const EBB__N *m = i->ebb__map;
    if (EBB_LIKELY(i->ebb__len == m->len && i->ebb__tags == m->ebb__tags)) return false;
    ebb__stale_iterator(m->arena, function);
    return true;
}

static inline bool EBB__F(_next)(EBB__ITER *i)
{
    const EBB__N *m = i->ebb__map;
    if (EBB__F(__is_stale)(i, EBB__TEXT(EBB__F(_next)))) return false;
    while (!i->ebb__left) {
        if (i->ebb__group >= m->ebb__mask) return false;
        i->ebb__slots += EBB__GROUP;
        i->ebb__left = EBB__F(__in_group)(m, ++i->ebb__group);
    }
    i->ebb__lane = ebb__lowest_bit(i->ebb__left);
    i->ebb__left &= i->ebb__left - 1;
    EBB__ENTRY *e = &EBB__AT(*EBB__F(__nth)(i->ebb__slots, i->ebb__lane));
    i->key = e->key;
#ifdef EBB__V
    i->val = &e->val;
#endif
    return true;
}

static inline void EBB__F(_remove_at)(EBB__ITER *i)
{
    EBB__N *m = i->ebb__map;
    if (EBB__F(__is_stale)(i, EBB__TEXT(EBB__F(_remove_at)))) return;
    EBB__PLACE at;
    at.tag = m->ebb__tags + i->ebb__group * EBB__GROUP_SIZE + i->ebb__lane;
    at.slot = i->ebb__slots + i->ebb__lane;
    EBB__F(__remove)(m, at);
    i->ebb__len--;
    if (!m->ebb__mask) i->ebb__left >>= 1;
}

/* ---- merging --------------------------------------------------------------------------------- */

static inline size_t EBB__F(__count_new)(const EBB__N *m, EBB__N *other)
{
    size_t count = 0;
    for (EBB__ITER i = EBB__F(_each)(other); EBB__F(_next)(&i);) count += !EBB__F(_has)(m, i.key);
    return count;
}

/* There is room for it, and where entries are stable one to spare. */
static inline void EBB__F(__merge_one)(EBB__N *m, const EBB__ITER *i, EBB__ENTRY **spare)
{
    uint64_t hash = EBB__DO_HASH(i->key, m->seed);
    EBB__SLOT *s = EBB__F(__find)(m, i->key, hash).slot;
    if (!s) {
        s = EBB__F(__take_slot)(m, hash);
#if EBB__STABLE
        *s = (*spare)++;
#endif
        EBB__AT(*s).key = i->key;
    }
    (void)spare;
#ifdef EBB__V
    EBB__AT(*s).val = *i->val;
#endif
}

/* All memory is had before anything is put, so what fails leaves the map as it was. */
static inline bool EBB__F(_merge)(EBB__N *m, EBB__N *other)
{
    size_t fresh = EBB__F(__count_new)(m, other);
    EBB__ENTRY *spare = NULL;
    if (!EBB__F(_reserve)(m, m->len + fresh)) return false;
#if EBB__STABLE
    spare = ebb_alloc_array(m->arena, EBB__ENTRY, fresh);
    if (!spare) return false;
#endif
    for (EBB__ITER i = EBB__F(_each)(other); EBB__F(_next)(&i);) EBB__F(__merge_one)(m, &i, &spare);
    return true;
}

#endif /* EBB__ERROR */

#undef EBB__ERROR
#undef EBB__N
#undef EBB__K
#undef EBB__V
#undef EBB__KIND
#undef EBB__STABLE
#undef EBB__DO_HASH
#undef EBB__DO_EQ
#undef EBB__F
#undef EBB__ENTRY
#undef EBB__SLOT
#undef EBB__ITER
#undef EBB__PLACE
#undef EBB__AT
#undef EBB_MAP
#undef EBB_SET
#undef EBB_HASH
#undef EBB_EQ
