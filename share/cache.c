/*
 * share/cache.c: the table, its entries and how they go; a cache's life. See cache.h.
 */
#include "cache.h"

#include <ebb/scope.h>

#include <string.h>

enum { FIRST_BITS = 6, WORD_BITS = 64 };

/* A quarter of a cache that is limited in bytes may be waiting for readers to end; of one that is
   not, as much as a large machine's service can spare. */
static const size_t DEFERRED_PART = 4, DEFERRED_MOST = (size_t)64 << 20;

const char ebb__no_text[1] = "", ebb__no_key[1] = "";

/* ---- memory ---------------------------------------------------------------------------------- */

void *ebb__cache_obtain(ebb_cache *c, size_t size)
{
    ebb_scope_attach(c->home);
    return ebb__obtain(c->home, size, LINE, MODE_OPTIONAL, CALLER);
}

static bool room_grow(ebb_cache *c, ebb_storage *room, size_t size)
{
    ebb_scope_attach(c->home);
    return ebb_storage_grow(c->home, room, 0, size);
}

static void room_release(ebb_cache *c, ebb_storage *room)
{
    ebb_scope_attach(c->home);
    if (room->ptr) ebb_storage_release(c->home, room);
}

entry *ebb__entry_new(ebb_cache *c, const probe *p)
{
    entry *e = c->spare_entries;
    if (e) c->spare_entries = EBB_CONTAINER(e->retired.next, entry, retired);
    else e = ebb__cache_obtain(c, sizeof *e);
    if (!e) return NULL;
    memset(e, 0, sizeof *e);
    e->cache = c;
    e->id = p->id;
    e->hash = p->hash;
    e->text = ebb_key_text(p->key);
    c->out++;
    if (!p->key.ptr) return e;
    if (takes_room(e) && !room_grow(c, &e->room, e->text.len)) {
        ebb__entry_free(c, e);
        return NULL;
    }
    char *text = takes_room(e) ? e->room.ptr : e->near;
    memcpy(text, p->key.ptr, e->text.len);
    e->text.ptr = text;
    return e;
}

void ebb__entry_free(ebb_cache *c, entry *e)
{
    if (takes_room(e)) room_release(c, &e->room);
    e->retired.next = c->spare_entries ? &c->spare_entries->retired : NULL;
    c->spare_entries = e;
    c->out--;
}

size_t ebb__entry_bytes(const entry *e)
{
    return sizeof *e + (takes_room(e) ? e->room.size : 0) +
           (e->value ? ebb_shared_bytes(e->value) : 0);
}

/* ---- letting go ------------------------------------------------------------------------------ */

void ebb__cache_release(ebb_cache *c)
{
    os_lock(&c->lock);
    bool last = --c->out == 0;
    os_unlock(&c->lock);
    if (!last) return;
    ebb_arena *home = c->home;
    ebb_scope_attach(home);
    ebb_arena_destroy(&home);
}

static void entry_let_go(ebb__retired *r)
{
    entry *e = EBB_CONTAINER(r, entry, retired);
    ebb_cache *c = e->cache;
    ebb_shared_drop(&e->value);
    os_lock(&c->lock);
    ebb__entry_free(c, e);
    c->out++; /* until it is certain that this was not the last */
    os_unlock(&c->lock);
    ebb__cache_release(c);
}

static void table_let_go(ebb__retired *r)
{
    table *t = EBB_CONTAINER(r, table, retired);
    ebb_cache *c = t->cache;
    ebb_storage room = t->room;
    os_lock(&c->lock);
    room_release(c, &room);
    os_unlock(&c->lock);
    ebb__cache_release(c);
}

void ebb__cache_retire(ebb__retired *gone)
{
    for (ebb__retired *r = gone, *next; r; r = next) {
        next = r->next;
        ebb__epoch_retire(r, r->let_go, r->bytes);
    }
}

static void put_gone(ebb__retired *r, ebb__retired **gone)
{
    r->next = *gone;
    *gone = r;
}

void ebb__entry_put_gone(entry *e, ebb__retired **gone)
{
    e->retired.let_go = entry_let_go;
    e->retired.bytes = ebb__entry_bytes(e);
    put_gone(&e->retired, gone);
}

static void table_put_gone(table *t, ebb__retired **gone)
{
    t->retired.let_go = table_let_go;
    t->retired.bytes = t->room.size;
    put_gone(&t->retired, gone);
}

/* ---- the table ------------------------------------------------------------------------------- */

static table *now(const ebb_cache *c)
{
    return atomic_load_explicit(&c->table, memory_order_acquire);
}

static entry *step(entry *_Atomic const *from)
{
    return atomic_load_explicit(from, memory_order_acquire);
}

static entry *look(const table *t, const probe *p)
{
    entry *e = step(&t->slot[p->hash >> t->shift]);
    while (e && unlikely(!is_for(e, p))) e = step(&e->next);
    return e;
}

/* Without the lock, by who has announced. */
static entry *look_again(ebb_cache *c, const probe *p)
{
    os_lock(&c->lock);
    entry *e = look(now(c), p);
    os_unlock(&c->lock);
    return e;
}

static inline entry *find(ebb_cache *c, const probe *p)
{
    if (unlikely(!is_of_sort(c, p->key))) return NULL;
    uint64_t moves = atomic_load_explicit(&c->moves, memory_order_acquire);
    entry *e = look(now(c), p);
    if (likely(e != NULL)) return e;
    uint64_t moves_now = atomic_load_explicit(&c->moves, memory_order_acquire);
    return unlikely((moves & 1) || moves != moves_now) ? look_again(c, p) : NULL;
}

static void link_entry(table *t, entry *e)
{
    entry *_Atomic *slot = &t->slot[e->hash >> t->shift];
    entry *first = atomic_load_explicit(slot, memory_order_relaxed);
    atomic_store_explicit(&e->next, first, memory_order_release);
    atomic_store_explicit(slot, e, memory_order_release);
}

static void unlink_entry(table *t, const entry *e)
{
    entry *_Atomic *at = &t->slot[e->hash >> t->shift];
    for (entry *x = step(at); x != e; x = step(at)) at = &x->next;
    atomic_store_explicit(at, step(&e->next), memory_order_release);
}

static table *table_new(ebb_cache *c, uint32_t bits)
{
    ebb_storage room = {NULL, 0};
    size_t size = sizeof(table) + (sizeof(entry *) << bits);
    if (!room_grow(c, &room, size)) return NULL;
    table *t = room.ptr;
    memset(t, 0, size);
    t->cache = c;
    t->room = room;
    t->shift = WORD_BITS - bits;
    c->out++;
    return t;
}

static void move_all(table *from, table *to)
{
    size_t slots = (size_t)1 << (WORD_BITS - from->shift);
    for (size_t i = 0; i < slots; i++)
        for (entry *e = step(&from->slot[i]), *next; e; e = next) {
            next = step(&e->next);
            link_entry(to, e);
        }
}

/* Twice the slots when there are as many entries; if there is no memory the chains get longer. */
static void grow(ebb_cache *c, ebb__retired **gone)
{
    table *old = now(c), *larger;
    uint32_t bits = WORD_BITS - old->shift;
    if (c->policy.len < (size_t)1 << bits || bits + 1 >= WORD_BITS / 2) return;
    larger = table_new(c, bits + 1);
    if (!larger) return;
    atomic_fetch_add(&c->moves, 1);
    move_all(old, larger);
    atomic_store(&c->table, larger);
    atomic_fetch_add(&c->moves, 1);
    table_put_gone(old, gone);
}

/* ---- taking in and out ----------------------------------------------------------------------- */

uint64_t ebb__cache_now(const ebb_cache *c)
{
    if (!c->timed) return 0;
    return c->params.clock_ms ? c->params.clock_ms(c->params.clock_ctx) : os_clock_ms();
}

static bool has_expired(const ebb_cache *c, const entry *e)
{
    return c->timed && e->expires != UINT64_MAX && ebb__cache_now(c) >= e->expires;
}

static void take_out(ebb_cache *c, entry *e, ebb__retired **gone)
{
    unlink_entry(now(c), e);
    if (e->code) c->stats.negative--;
    ebb__entry_put_gone(e, gone);
}

static void remove_entry(ebb_cache *c, entry *e, ebb__retired **gone)
{
    ebb__policy_remove(&c->policy, &e->node);
    take_out(c, e, gone);
}

entry *ebb__cache_seek(ebb_cache *c, const probe *p, ebb__retired **gone)
{
    entry *e = is_of_sort(c, p->key) ? look(now(c), p) : NULL;
    if (!e || !has_expired(c, e)) return e;
    remove_entry(c, e, gone);
    c->stats.expirations++;
    return NULL;
}

static void evict_for(ebb_cache *c, size_t bytes, ebb__retired **gone)
{
    ebb_scope_attach(c->home);
    while (ebb__policy_is_over(&c->policy, 1, bytes)) {
        ebb__policy_node *node = ebb__policy_victim(&c->policy, NULL, NULL);
        if (!node) return;
        take_out(c, EBB_CONTAINER(node, entry, node), gone);
        c->stats.evictions++;
    }
}

void ebb__cache_admit(ebb_cache *c, entry *e, ebb__retired **gone)
{
    size_t bytes = ebb__entry_bytes(e);
    evict_for(c, bytes, gone);
    ebb_scope_attach(c->home);
    ebb__policy_insert(&c->policy, &e->node, e->hash, bytes);
    link_entry(now(c), e);
    if (e->code) c->stats.negative++;
    grow(c, gone);
}

/* ---- finding --------------------------------------------------------------------------------- */

enum manner ebb__cache_manner(ebb_arena *a, const char *function)
{
    if (ebb__epoch_enter(a, function)) return READS;
    return ebb__is_long_lived(a) ? COUNTS : CANNOT;
}

/* By who has announced. */
static COLD entry *drop_expired(ebb_cache *c, const probe *p)
{
    ebb__retired *gone = NULL;
    os_lock(&c->lock);
    entry *e = ebb__cache_seek(c, p, &gone);
    os_unlock(&c->lock);
    ebb__cache_retire(gone);
    return e;
}

static inline entry *find_live(ebb_cache *c, const probe *p)
{
    entry *e = find(c, p);
    return e && unlikely(c->timed) && has_expired(c, e) ? drop_expired(c, p) : e;
}

/* The scope lives for long: it counts what it finds. */
static COLD const void *find_counted(ebb_cache *c, ebb_arena *a, const probe *p, bool peek)
{
    ebb__reader *r = ebb__epoch_begin();
    if (!r) return NULL;
    entry *e = find_live(c, p);
    bool held = e && e->value && ebb_shared_hold_for(e->value, a);
    const void *root = held ? ebb_shared_get(e->value) : NULL;
    if (e && !peek) ebb__policy_touch(&c->policy, &e->node);
    if (!peek) cache_count(c, root != NULL);
    ebb__epoch_end(r);
    return root;
}

static COLD const void *find_first(ebb_cache *c, ebb_arena *a, const probe *p, bool peek)
{
    enum manner how = ebb__cache_manner(a, peek ? "ebb_cache_peek" : "ebb_cache_find");
    if (how == CANNOT) return NULL;
    if (how == COUNTS) return find_counted(c, a, p, peek);
    return peek ? ebb_cache_peek(c, a, p->key) : ebb_cache_find(c, a, p->key);
}

/* A hit that nothing is the matter with; the rest is looked for again, by find_rest. One for each
   sort, with no probe made of the key: that, and the branches, cost as much as the look. */
static inline entry *hit_number(const ebb_cache *c, uint64_t n)
{
    const table *t = now(c);
    entry *e = step(&t->slot[ebb_hash_u64(n, c->seed) >> t->shift]);
    while (e && unlikely(e->id != n)) e = step(&e->next);
    return e;
}

static COLD bool is_long_text(const entry *e, ebb_str text)
{
    return ebb__same_bytes(e->text, text);
}

static inline bool is_text(const entry *e, ebb_str text)
{
    if (e->text.len != text.len) return false;
    if (unlikely(text.len < 4 || text.len > 16)) return is_long_text(e, text);
    return ebb__same_bytes((ebb_str){e->near, text.len}, text);
}

static inline entry *hit_text(const ebb_cache *c, ebb_str text)
{
    uint64_t hash = ebb_hash_str(text, c->seed);
    const table *t = now(c);
    entry *e = step(&t->slot[hash >> t->shift]);
    while (e && unlikely(e->id != hash || !is_text(e, text))) e = step(&e->next);
    return e;
}

static __attribute__((noinline)) const void *find_rest(ebb_cache *c, ebb_arena *a, ebb_key key)
{
    probe p = probe_of(c, key);
    if (!ebb__epoch_is_in(a)) return find_first(c, a, &p, false);
    entry *e = find_live(c, &p);
    cache_count(c, e && e->root);
    if (!e) return NULL;
    ebb__policy_touch(&c->policy, &e->node);
    return e->root;
}

const void *ebb_cache_find(ebb_cache *c, ebb_arena *a, ebb_key key)
{
    if (unlikely(!ebb__epoch_is_in(a) || c->timed || !is_of_sort(c, key)))
        return find_rest(c, a, key);
    entry *e = key.ptr ? hit_text(c, ebb_key_text(key)) : hit_number(c, key.n);
    if (unlikely(!e)) return find_rest(c, a, key);
    cache_count(c, e->root != NULL);
    ebb__policy_touch(&c->policy, &e->node);
    return e->root;
}

const void *ebb_cache_peek(ebb_cache *c, ebb_arena *a, ebb_key key)
{
    probe p = probe_of(c, key);
    if (unlikely(!ebb__epoch_is_in(a))) return find_first(c, a, &p, true);
    const entry *e = find_live(c, &p);
    return e ? e->root : NULL;
}

/* ---- taking out ------------------------------------------------------------------------------ */

bool ebb_cache_remove(ebb_cache *c, ebb_key key)
{
    probe p = probe_of(c, key);
    ebb__retired *gone = NULL;
    os_lock(&c->lock);
    entry *e = ebb__cache_seek(c, &p, &gone);
    if (e) remove_entry(c, e, &gone);
    c->stats.removals += e != NULL;
    ebb__flights_doom(c, &p);
    os_unlock(&c->lock);
    ebb__cache_retire(gone);
    return e != NULL;
}

typedef bool ask_fn(void *ctx, ebb_key key, const void *root);

static ebb_key key_of(const entry *e)
{
    return e->text.ptr ? ebb_key_str(e->text) : ebb_key_u64(e->id);
}

static size_t remove_if(ebb_cache *c, ask_fn *is, void *ctx, ebb__retired **gone)
{
    table *t = now(c);
    size_t slots = (size_t)1 << (WORD_BITS - t->shift), n = 0;
    for (size_t i = 0; i < slots; i++)
        for (entry *e = step(&t->slot[i]), *next; e; e = next) {
            next = step(&e->next);
            if (is && (e->code || !is(ctx, key_of(e), e->root))) continue;
            remove_entry(c, e, gone);
            n++;
        }
    c->stats.removals += n;
    ebb__flights_doom(c, NULL);
    return n;
}

size_t ebb_cache_invalidate(ebb_cache *c, ask_fn *is, void *ctx)
{
    ebb__retired *gone = NULL;
    os_lock(&c->lock);
    size_t n = remove_if(c, is, ctx, &gone);
    os_unlock(&c->lock);
    ebb__cache_retire(gone);
    return n;
}

void ebb_cache_clear(ebb_cache *c)
{
    ebb_cache_invalidate(c, NULL, NULL);
}

/* ---- a cache's life -------------------------------------------------------------------------- */

static const char *why_not(const ebb_cache_params *p)
{
    if (!p->max_entries && !p->max_bytes) return "it has no limit: give max_entries or max_bytes";
    if ((unsigned)p->policy > EBB_POLICY_LRU) return "an unknown policy";
    return (unsigned)p->when_full > EBB_FULL_FAIL ? "an unknown when_full" : NULL;
}

static void set_name(ebb_cache *c, const char *name)
{
    if (!name) name = "?";
    size_t n = strlen(name);
    memcpy(c->name, name, n < NAME_SIZE ? n : NAME_SIZE - 1);
}

static void set_params(ebb_cache *c, const ebb_cache_params *params)
{
    c->params = *params;
    c->timed = params->ttl_ms || params->negative_ttl_ms;
    if (!c->params.max_deferred)
        c->params.max_deferred =
            params->max_bytes ? params->max_bytes / DEFERRED_PART : DEFERRED_MOST;
    set_name(c, params->name);
    c->params.name = c->name;
}

static ebb_cache *begin(ebb_arena *home, const ebb_cache_params *params)
{
    ebb_cache *c = ebb__obtain(home, sizeof *c, LINE, MODE_OPTIONAL, CALLER);
    if (!c) return NULL;
    memset(c, 0, sizeof *c);
    c->home = home;
    c->out = 1;
    c->seed = ebb_hash_u64((uintptr_t)c, os_clock_ns());
    os_lock_init(&c->lock);
    set_params(c, params);
    const ebb__policy_kind *kind =
        params->policy == EBB_POLICY_LRU ? &ebb__policy_lru : &ebb__policy_s3_fifo;
    if (!ebb__policy_init(&c->policy, kind, home, params->max_entries, params->max_bytes))
        return NULL;
    atomic_init(&c->table, table_new(c, FIRST_BITS));
    return now(c) ? c : NULL;
}

ebb_cache *ebb_cache_create(const ebb_cache_params *params, ebb_status *ret_why)
{
    static const ebb_cache_params nothing = EBB_CACHE_PARAMS_INIT;
    if (!params) params = &nothing;
    const char *wrong = why_not(params);
    if (wrong) {
        ebb__report_named(EBB_MISUSE, "ebb_cache_create", params->name ? params->name : "?", "%s",
                          wrong);
        if (ret_why) *ret_why = EBB_E_INVALID;
        return NULL;
    }
    ebb_arena_params of = EBB_ARENA_PARAMS_INIT;
    of.name = "cache";
    ebb_arena *home = ebb_arena_create(&of);
    ebb_cache *c = begin(home, params);
    if (!c) {
        ebb_arena_destroy(&home);
        if (ret_why) *ret_why = EBB_E_MEMORY;
        return NULL;
    }
    ebb__cache_enlist(c);
    return c;
}

/* As far as can be told: its memory is nobody's, or only a ticket keeps that. */
static bool is_destroyed(const ebb_cache *c)
{
    if (ebb_arena_of(c) && c->back) return false;
    ebb__report_named(EBB_MISUSE, "ebb_cache_destroy", "?",
                      "%p was destroyed already; null every copy of the handle", (const void *)c);
    return true;
}

void ebb_cache_destroy(ebb_cache **cache)
{
    ebb_cache *c = *cache;
    *cache = NULL;
    if (!c || is_destroyed(c)) return;
    os_lock(&c->lock);
    size_t flying = c->flying, waiting = c->waiting;
    os_unlock(&c->lock);
    if (flying || waiting) {
        ebb__flights_report(c);
        return;
    }
    ebb__cache_unlist(c);
    ebb_cache_clear(c);
    table *t = now(c);
    ebb__retired *gone = NULL;
    table_put_gone(t, &gone);
    ebb__cache_retire(gone);
    ebb__cache_release(c);
    ebb__epoch_collect();
}

/* ---- what is going on ------------------------------------------------------------------------ */

static void add_counts(ebb_cache *c, ebb_cache_stats *s)
{
    s->hits = atomic_load_explicit(&c->hits, memory_order_relaxed);
    s->misses = atomic_load_explicit(&c->misses, memory_order_relaxed);
    for (cell *x = c->cells; x; x = x->next) {
        s->hits += atomic_load_explicit(&x->hits, memory_order_relaxed);
        s->misses += atomic_load_explicit(&x->misses, memory_order_relaxed);
    }
}

void ebb_cache_get_stats(ebb_cache *c, ebb_cache_stats *ret_stats)
{
    os_lock(&c->lock);
    *ret_stats = c->stats;
    ret_stats->entries = c->policy.len;
    ret_stats->bytes = c->policy.bytes;
    ret_stats->loading = c->flying;
    ret_stats->waiting = c->waiting;
    add_counts(c, ret_stats);
    os_unlock(&c->lock);
    ret_stats->deferred_bytes = ebb__epoch_bytes();
}

const char *ebb_cache_name(const ebb_cache *c)
{
    return c->name;
}
