/*
 * intern/shared.c: putting texts into a shared table: room, caps, growth, publication. See
 * internal.h for the layout, and for why those who look up need not wait.
 *
 * Whatever fails, fails before anything is published: caps are reserved first and given back, an
 * index that has grown stays grown, a segment that was begun waits for the next text.
 */
#include "find.h"

#include <ebb/scope.h>

/* ---- memory ---------------------------------------------------------------------------------- */

/* From the table's arena, aligned to a pair of cache lines. The arena is whoever's has its lock. */
void *ebb__shared_alloc(shared *s, size_t size, ebb_status *ret_why)
{
    os_lock(&s->memory_lock);
    ebb_scope_attach(s->arena);
    void *p = ebb_alloc_aligned(s->arena, size, APART);
    if (!p) *ret_why = ebb_failed(s->arena);
    os_unlock(&s->memory_lock);
    return p;
}

/* A new segment; its number, or UINT32_MAX. */
static uint32_t segment_new(shared *s, size_t size, char **ret_base, ebb_status *ret_why)
{
    char *base = ebb__shared_alloc(s, size, ret_why);
    if (!base) return UINT32_MAX;
    os_lock(&s->memory_lock);
    uint32_t n = atomic_load_explicit(&s->segment_count, memory_order_relaxed);
    if (n < s->segments_max) {
        atomic_store_explicit(&s->segments[n].base, base, memory_order_relaxed);
        atomic_store_explicit(&s->segment_count, n + 1, memory_order_release);
    }
    os_unlock(&s->memory_lock);
    *ret_base = base;
    if (n < s->segments_max) return n;
    *ret_why = EBB_E_LIMIT;
    return UINT32_MAX;
}

/* A text that would leave much of a segment empty behind it has one of its own. */
static bool is_large(const shared *s, size_t size)
{
    return size > s->segment_size / 4;
}

static bool open_segment(shared *s, shard *d, size_t size, ebb_status *ret_why)
{
    char *base;
    size_t total = d->next_size - LINE; /* a block's header takes that */
    if (total < size) total = size;
    uint32_t n = segment_new(s, total, &base, ret_why);
    if (n == UINT32_MAX) return false;
    d->segment = n;
    d->fill = base;
    d->end = base + total;
    d->next_size = d->next_size * 2 <= s->segment_size ? d->next_size * 2 : s->segment_size;
    return true;
}

/* Room for a record of `size` bytes, and its location. */
static char *room(shared *s, shard *d, size_t size, uint32_t *ret_location, ebb_status *ret_why)
{
    char *at;
    if (is_large(s, size)) {
        uint32_t n = segment_new(s, size, &at, ret_why);
        *ret_location = n << s->shift;
        return n == UINT32_MAX ? NULL : at;
    }
    if (size > (size_t)(d->end - d->fill) && !open_segment(s, d, size, ret_why)) return NULL;
    at = d->fill;
    const segment *g = &s->segments[d->segment];
    uint32_t granule = atomic_load_explicit(&g->used, memory_order_relaxed);
    *ret_location = d->segment << s->shift | granule;
    d->fill += size;
    return at;
}

/* ---- the index ------------------------------------------------------------------------------- */

static uint64_t with_byte(uint64_t word, unsigned byte, uint64_t value)
{
    return word | value << byte * 8;
}

static unsigned used_slots(const bucket *b)
{
    uint64_t word[2] = {atomic_load_explicit(&b->tags[0], memory_order_relaxed),
                        atomic_load_explicit(&b->tags[1], memory_order_relaxed)};
    unsigned n = 0;
    while (n < BUCKET_SLOTS && (word[n / 8] >> n % 8 * 8 & 0xff)) n++;
    return n;
}

/* Put a location where a look-up of `hash` finds it; return how many lines that takes. */
static uint32_t place(bucket *buckets, size_t mask, uint64_t hash, uint32_t location)
{
    size_t at = home_of(hash, mask);
    uint32_t lines = 1;
    unsigned slot;
    while ((slot = used_slots(&buckets[at])) == BUCKET_SLOTS) {
        at = (at + 1) & mask;
        lines++;
    }
    bucket *b = &buckets[at];
    _Atomic uint64_t *tags = &b->tags[slot / 8];
    uint64_t word = atomic_load_explicit(tags, memory_order_relaxed);
    atomic_store_explicit(&b->location[slot], location, memory_order_relaxed);
    atomic_store_explicit(tags, with_byte(word, slot % 8, tag_of(hash)), memory_order_release);
    return lines;
}

static bucket *index_new(shared *s, size_t buckets, ebb_status *ret_why)
{
    bucket *b = ebb__shared_alloc(s, buckets * sizeof *b, ret_why);
    return b ? memset(b, 0, buckets * sizeof *b) : NULL;
}

static void publish(shared *s, unsigned number, const bucket *buckets, size_t mask)
{
    uintptr_t log2 = (uintptr_t)__builtin_popcountll(mask);
    s->shard[number].index[log2] = buckets;
    atomic_store_explicit(&s->root[number], (uintptr_t)buckets | log2, memory_order_release);
}

static void move_bucket(const shared *s, shard *d, const bucket *from, bucket *to, size_t mask)
{
    for (unsigned i = 0, n = used_slots(from); i < n; i++) {
        uint32_t location = atomic_load_explicit(&from->location[i], memory_order_relaxed);
        const record *r = record_at(s, location);
        uint64_t hash = hash_text(record_text(r), r->len, s->seed);
        uint32_t lines = place(to, mask, hash, location);
        if (lines > d->longest) d->longest = lines;
    }
}

static bool grow(shared *s, unsigned number, ebb_status *ret_why)
{
    shard *d = &s->shard[number];
    uintptr_t root = atomic_load_explicit(&s->root[number], memory_order_relaxed);
    size_t mask = root_mask(root) * 2 + 1;
    bucket *to = index_new(s, mask + 1, ret_why);
    if (!to) return false;
    d->longest = 1;
    for (size_t i = 0; i <= mask / 2; i++) move_bucket(s, d, &root_buckets(root)[i], to, mask);
    publish(s, number, to, mask);
    return true;
}

static bool index_room(shared *s, unsigned number, ebb_status *ret_why)
{
    uintptr_t root = atomic_load_explicit(&s->root[number], memory_order_relaxed);
    size_t most = (root_mask(root) + 1) * BUCKET_FULL;
    return s->shard[number].entries < most || grow(s, number, ret_why);
}

static void index_put(shared *s, uint64_t hash, uint32_t location)
{
    shard *d = &s->shard[shard_of(hash)];
    uintptr_t root = atomic_load_explicit(&s->root[shard_of(hash)], memory_order_relaxed);
    size_t mask = root_mask(root);
    uint32_t lines = place(root_buckets(root), mask, hash, location);
    if (lines > d->longest) d->longest = lines;
    d->entries++;
}

ebb_status ebb__shared_first_indexes(shared *s)
{
    ebb_status why = EBB_OK;
    for (unsigned i = 0; i < SHARDS; i++) {
        const bucket *b = index_new(s, FIRST_BUCKETS, &why);
        if (!b) return why;
        publish(s, i, b, FIRST_BUCKETS - 1);
        s->shard[i].longest = 1;
    }
    return EBB_OK;
}

/* ---- caps ------------------------------------------------------------------------------------ */

static bool reserve(_Atomic size_t *used, size_t n, size_t most)
{
    size_t was = atomic_load_explicit(used, memory_order_relaxed);
    do {
        if (n > most || was > most - n) return false;
    } while (!atomic_compare_exchange_weak_explicit(used, &was, was + n, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

static void give_up(_Atomic size_t *used, size_t n)
{
    atomic_fetch_sub_explicit(used, n, memory_order_relaxed);
}

/* ---- insertion ------------------------------------------------------------------------------- */

static const record *find_any(const shared *s, const key *k)
{
    unsigned lines;
    return find_record(s, k, ebb__key_is, &lines);
}

static void write_record(char *at, const key *k, ebb_sym sym)
{
    record *r = (record *)(void *)at;
    r->sym = sym;
    r->len = (uint32_t)k->len;
    ebb__key_copy(k, at + sizeof *r);
}

/* Within the caps: the record, its place, and only then the index. */
static ebb_sym insert(shared *s, const key *k, size_t size, ebb_status *ret_why)
{
    uint32_t location;
    unsigned n = shard_of(k->hash);
    if (!index_room(s, n, ret_why)) return 0;
    char *at = room(s, &s->shard[n], size, &location, ret_why);
    if (!at) return 0;
    write_record(at, k, location);
    segment *g = &s->segments[location >> s->shift];
    uint32_t used = atomic_load_explicit(&g->used, memory_order_relaxed);
    /* Those who walk over the segment must see the record whole. */
    atomic_store_explicit(&g->used, used + (uint32_t)(size / GRANULE), memory_order_release);
    index_put(s, k->hash, location);
    return location;
}

static ebb_sym insert_capped(shared *s, const key *k, ebb_status *ret_why)
{
    size_t size = record_size(k->len);
    *ret_why = EBB_E_LIMIT;
    if (!reserve(&s->entries, 1, s->max_entries)) return 0;
    if (reserve(&s->bytes, size, s->max_bytes)) {
        ebb_sym sym = insert(s, k, size, ret_why);
        if (sym) return sym;
        give_up(&s->bytes, size);
    }
    give_up(&s->entries, 1);
    return 0;
}

/* Counted. */
ebb_sym ebb__shared_find(const shared *s, const key *k)
{
    if (!k->fold) return find_shared(s, k->ptr, k->len, k->hash);
    const record *r = find_any(s, k);
    count(r ? &stripe_of(s)->hits : &stripe_of(s)->misses);
    return r ? r->sym : 0;
}

static ebb_sym put_locked(shared *s, const key *k, ebb_status *ret_why)
{
    const record *r = find_any(s, k); /* somebody may have been faster */
    if (r) return r->sym;
    *ret_why = ebb__key_refused(s, k);
    if (*ret_why == EBB_OK && atomic_load_explicit(&s->sealed, memory_order_relaxed))
        *ret_why = EBB_E_UNSUPPORTED;
    ebb_sym sym = *ret_why == EBB_OK ? insert_capped(s, k, ret_why) : 0;
    if (!sym) s->shard[shard_of(k->hash)].refused++;
    return sym;
}

/* The symbol of a text that was not there a moment ago. */
ebb_sym ebb__shared_put(shared *s, const key *k, ebb_status *ret_why)
{
    shard *d = &s->shard[shard_of(k->hash)];
    ebb__shared_enter(s);
    os_lock(&d->lock);
    ebb_sym sym = put_locked(s, k, ret_why);
    os_unlock(&d->lock);
    ebb__shared_leave(s);
    return sym;
}

/* The i-th word of a set, whose record is already where it will be. While the table is made. */
ebb_status ebb__shared_put_word(shared *s, unsigned set, uint32_t i, uint32_t granule)
{
    uint32_t location = set << s->shift | granule;
    const record *r = record_at(s, location);
    ebb_status why = EBB_OK;
    uint64_t hash =
        s->any_hash ? hash_text(record_text(r), r->len, s->seed) : s->set[set]->ebb__hash(i);
    key k = {record_text(r), r->len, hash, false};
    if (find_any(s, &k)) return EBB_E_DUPLICATE;
    if (!index_room(s, shard_of(hash), &why)) return why;
    index_put(s, hash, location);
    return EBB_OK;
}

/* ---- locks ----------------------------------------------------------------------------------- */

/* Sequentially consistent: either the fork sees this thread inside, or this thread sees the gate
   closed. */
void ebb__shared_enter(shared *s)
{
    for (;;) {
        atomic_fetch_add(&s->inside, 1);
        if (likely(!atomic_load(&s->closed))) return;
        atomic_fetch_sub(&s->inside, 1);
        while (atomic_load(&s->closed)) os_yield();
    }
}

void ebb__shared_leave(shared *s)
{
    atomic_fetch_sub_explicit(&s->inside, 1, memory_order_release);
}

void ebb__shared_lock_all(shared *s)
{
    ebb__shared_enter(s);
    for (unsigned i = 0; i < SHARDS; i++) os_lock(&s->shard[i].lock);
}

void ebb__shared_unlock_all(shared *s)
{
    for (unsigned i = SHARDS; i-- > 0;) os_unlock(&s->shard[i].lock);
    ebb__shared_leave(s);
}
