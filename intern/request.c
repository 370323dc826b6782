/*
 * intern/request.c: a request's table: what is new to the shared one, kept in the request's arena.
 *
 * It is asked first: a text that has a local symbol keeps it, whatever comes into the shared table
 * meanwhile. A text that is in the shared table can't become local, since nothing leaves that one.
 * So within the request a text never has two symbols.
 *
 * Rewinding
 *   The arena may be rewound past part of what the table has allocated. All it allocates come as
 *   generations: room for texts, and larger arrays if those are full; each begins with the state of
 *   the table before it, and a cleanup that brings this state back. Records pop newest first, so
 *   the table always refers to memory that is still there. What fits into an older generation
 *   survives a rewind; that is harmless. After one, new symbols get another tag, for their places
 *   are used again.
 *
 *    generation: | state before | slots | records | texts .................. |
 *
 * Slots are an open hash table, at most half full: upper half of the hash, and the place plus 1.
 */
#include "find.h"

enum { HITS, MISSES };
enum { FIRST_SLOTS = 16, FIRST_TEXTS = 256, SEEN = 8 };

typedef struct slot {
    uint32_t hash, place; /* the place plus 1; 0: free */
} slot;

/* What a rewind has to bring back. */
typedef struct state {
    slot *slots;
    const record **records; /* by place; half as many as slots */
    uint32_t capacity;      /* slots: 0 or a power of two */
    uint32_t count;
    char *fill, *end; /* room for texts */
    size_t bytes;     /* of records */
    size_t held;      /* of generations */
} state;

typedef struct generation {
    request *of;
    state before;
} generation;

struct request {
    ebb_symtab head;
    ebb_arena *arena;
    state now;
    uint64_t seen[SEEN]; /* a bit for each of 512 parts of the hash: none there if it is not set */
    uint64_t *counts;    /* hits, misses: written also by those who only ask */
    uint64_t count_of[2];
    uint64_t refused;
    ebb_status failed;
    ebb_sym tag; /* LOCAL_SYM and the tag, in place */
};

/* ---- tags ------------------------------------------------------------------------------------ */

/* Tags go round; a thread takes some at a time, so that requests share no cache line. */
static ebb_sym next_tag(void)
{
    enum { TAGS_TAKEN = 16 };
    static _Atomic uint32_t taken;
    static _Thread_local uint32_t next, left;
    if (left == 0) {
        next = atomic_fetch_add_explicit(&taken, TAGS_TAKEN, memory_order_relaxed);
        left = TAGS_TAKEN;
    }
    left--;
    return LOCAL_SYM | (next++ % LOCAL_TAGS) << LOCAL_BITS;
}

/* ---- making ---------------------------------------------------------------------------------- */

ebb_symtab *ebb_symtab_over(ebb_arena *arena, ebb_symtab *over)
{
    if (over->request) {
        ebb__report(EBB_MISUSE, "ebb_symtab_over", arena,
                    "the table below is a request's too; use that one, or the shared one below it");
        return NULL;
    }
    request *r = ebb_alloc_aligned(arena, sizeof *r, _Alignof(request));
    if (!r) return NULL;
    memset(r, 0, sizeof *r);
    r->head.shared = over->shared;
    r->head.request = r;
    r->arena = arena;
    r->counts = r->count_of;
    r->tag = next_tag();
    return &r->head;
}

/* ---- looking up ------------------------------------------------------------------------------ */

static uint32_t slot_hash(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static uint64_t seen_bit(uint64_t hash)
{
    return (uint64_t)1 << (hash >> 8 & 63);
}

static unsigned seen_word(uint64_t hash)
{
    return hash & (SEEN - 1);
}

static inline bool may_have(const request *r, uint64_t hash)
{
    return unlikely((r->seen[seen_word(hash)] & seen_bit(hash)) != 0);
}

/* Where may_have says so. */
static const record *find_local(const request *r, const key *k)
{
    if (r->now.capacity == 0) return NULL;
    uint32_t mask = r->now.capacity - 1;
    for (uint32_t at = (uint32_t)k->hash & mask;; at = (at + 1) & mask) {
        slot here = r->now.slots[at];
        if (here.place == 0) return NULL;
        if (here.hash != slot_hash(k->hash)) continue;
        const record *found = r->now.records[here.place - 1];
        if (ebb__key_is(k, found)) return found;
    }
}

static const record *find_mine(const request *r, const key *k)
{
    return may_have(r, k->hash) ? find_local(r, k) : NULL;
}

ebb_sym ebb__request_find(const request *r, const key *k)
{
    const record *found = find_mine(r, k);
    ebb_sym sym = found ? found->sym : ebb__shared_find(r->head.shared, k);
    r->counts[sym ? HITS : MISSES]++;
    return sym;
}

const record *ebb__request_record(const request *r, ebb_sym sym)
{
    uint32_t place = sym & LOCAL_PLACE;
    const record *found = place < r->now.count ? r->now.records[place] : NULL;
    return found && found->sym == sym ? found : NULL;
}

const record *ebb__request_nth(const request *r, uint32_t n)
{
    return n < r->now.count ? r->now.records[n] : NULL;
}

/* ---- generations ----------------------------------------------------------------------------- */

static void place_slot(state *s, slot what, uint32_t from)
{
    uint32_t mask = s->capacity - 1, at = from & mask;
    while (s->slots[at].place) at = (at + 1) & mask;
    s->slots[at] = what;
}

/* None before it was put where it is because of a later one, so clearing is enough. */
static void forget_slots(state *s)
{
    for (uint32_t i = 0; i < s->capacity; i++)
        if (s->slots[i].place > s->count) s->slots[i].place = 0;
}

static void bring_back(void *arg)
{
    const generation *g = arg;
    request *r = g->of;
    bool shorter = r->now.count > g->before.count;
    bool same = r->now.slots == g->before.slots;
    r->now = g->before;
    if (shorter) r->tag = next_tag();
    if (shorter && same) forget_slots(&r->now);
}

/* Larger arrays, with all that is in the ones before. */
static void take_arrays(const shared *s, state *to, char *at, uint32_t capacity)
{
    state from = *to;
    to->slots = (slot *)(void *)at;
    to->records = (const record **)(void *)(at + capacity * sizeof(slot));
    to->capacity = capacity;
    memset(to->slots, 0, capacity * sizeof(slot));
    if (from.count > 0) memcpy(to->records, from.records, from.count * sizeof *from.records);
    for (uint32_t i = 0; i < from.count; i++) {
        const record *r = from.records[i];
        uint64_t hash = hash_text(record_text(r), r->len, s->seed);
        place_slot(to, (slot){slot_hash(hash), i + 1}, (uint32_t)hash);
    }
}

static size_t arrays_size(uint32_t capacity)
{
    return capacity * sizeof(slot) + capacity / 2 * sizeof(record *);
}

/* Half as much again as there is, so that there are few generations. */
static size_t texts_wanted(const state *s, size_t need)
{
    size_t want = s->bytes / 2 < FIRST_TEXTS ? FIRST_TEXTS : s->bytes / 2 & ~(size_t)(GRANULE - 1);
    return want < need ? need : want;
}

/* Room for one more text of `need` bytes; false, or a jump, and nothing has changed. */
static bool make_room(request *r, size_t need)
{
    state to = r->now;
    uint32_t capacity = 0;
    size_t texts = need > (size_t)(to.end - to.fill) ? texts_wanted(&to, need) : 0;
    if (to.count == to.capacity / 2) capacity = to.capacity ? to.capacity * 2 : FIRST_SLOTS;
    if (!texts && !capacity) return true;
    size_t head = sizeof(generation) + arrays_size(capacity);
    generation *g = ebb_alloc(r->arena, head + texts);
    if (!g) return false;
    g->of = r;
    g->before = r->now;
    to.held += head + texts;
    if (capacity) take_arrays(r->head.shared, &to, (char *)(g + 1), capacity);
    if (texts) {
        to.fill = (char *)g + head;
        to.end = to.fill + texts;
    }
    if (!ebb_defer(r->arena, bring_back, g)) return false;
    r->now = to;
    return true;
}

/* ---- putting --------------------------------------------------------------------------------- */

ebb_sym ebb__request_refuse(request *r, ebb_status why)
{
    r->failed = why;
    r->refused++;
    return 0;
}

ebb_status ebb__request_failed(const request *r)
{
    return r->failed;
}

static ebb_sym append(request *r, const key *k, size_t size)
{
    state *s = &r->now;
    record *to = (record *)(void *)s->fill;
    to->sym = r->tag | s->count;
    to->len = (uint32_t)k->len;
    ebb__key_copy(k, s->fill + sizeof *to);
    s->fill += size;
    s->bytes += size;
    s->records[s->count++] = to;
    place_slot(s, (slot){slot_hash(k->hash), s->count}, (uint32_t)k->hash);
    r->seen[seen_word(k->hash)] |= seen_bit(k->hash);
    return to->sym;
}

static COLD ebb_sym put_local(request *r, const key *k)
{
    ebb_status why = ebb__key_refused(r->head.shared, k);
    if (why != EBB_OK) return ebb__request_refuse(r, why);
    if (r->now.count > LOCAL_PLACE) return ebb__request_refuse(r, EBB_E_LIMIT);
    size_t size = record_size(k->len);
    if (make_room(r, size)) return append(r, k, size);
    why = ebb_failed(r->arena);
    return ebb__request_refuse(r, why != EBB_OK ? why : EBB_E_MEMORY);
}

/* Neither here nor in the shared table. */
static COLD ebb_sym put_missing(request *r, ebb_str text, uint64_t hash)
{
    key k = {text.ptr, text.len, hash, false};
    r->counts[MISSES]++;
    return put_local(r, &k);
}

ebb_sym ebb__request_intern_key(request *r, const key *k)
{
    ebb_sym sym = ebb__request_find(r, k);
    return sym ? sym : put_local(r, k);
}

static __attribute__((noinline)) ebb_sym intern_slowly(request *r, ebb_str text, uint64_t hash)
{
    key k = {text.ptr, text.len, hash, false};
    return ebb__request_intern_key(r, &k);
}

/* The short way: surely not local, and shared. */
ebb_sym ebb__request_intern(request *r, ebb_str text, uint64_t hash)
{
    if (may_have(r, hash)) return intern_slowly(r, text, hash);
    ebb_sym sym = find_shared(r->head.shared, text.ptr, text.len, hash);
    if (unlikely(!sym)) return put_missing(r, text, hash);
    r->counts[HITS]++;
    return sym;
}

/* ---- seeing ---------------------------------------------------------------------------------- */

static uint32_t longest(const request *r)
{
    uint32_t run = 0, most = 0;
    for (uint32_t i = 0; i < 2 * r->now.capacity; i++) { /* twice: a run may go round the end */
        run = r->now.slots[i & (r->now.capacity - 1)].place ? run + 1 : 0;
        if (run > most) most = run;
    }
    return most * (uint32_t)sizeof(slot) / LINE + 1;
}

void ebb__request_get_stats(const request *r, ebb_symtab_stats *ret_)
{
    ret_->entries = r->now.count;
    ret_->bytes = r->now.bytes;
    ret_->held = r->now.held + sizeof *r;
    ret_->hits = r->counts[HITS];
    ret_->misses = r->counts[MISSES];
    ret_->refused = r->refused;
    ret_->longest = longest(r);
}

const char *ebb__request_check(const request *r)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < r->now.count; i++) {
        const record *at = r->now.records[i];
        uint64_t hash = hash_text(record_text(at), at->len, r->head.shared->seed);
        key k = {record_text(at), at->len, hash, false};
        if ((at->sym & LOCAL_PLACE) != i) return "a local text has another's symbol";
        if (find_mine(r, &k) != at) return "a local text is not found, or is there twice";
        bytes += record_size(at->len);
    }
    return bytes == r->now.bytes ? NULL : "the bytes of local texts are miscounted";
}
