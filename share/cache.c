/*
 * share/cache.c: finding, taking in, taking out; a cache's life.
 */
#include "cache_internal.h"

#include <stdio.h>
#include <string.h>

const char ebb__no_text[1] = "", ebb__no_key[1] = "";

/* ---- the index ------------------------------------------------------------------------------- */

static slots *index_new(size_t count)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = "index of a cache";
    ebb_arena *room = ebb_arena_create(&params);
    slots *x = ebb_alloc(room, sizeof *x + count * sizeof x->slot[0]);
    if (!x) {
        ebb_arena_destroy(&room);
        return NULL;
    }
    memset((void *)x, 0, sizeof *x + count * sizeof x->slot[0]);
    x->room = room;
    x->mask = count - 1;
    return x;
}

static void index_free(slots *x)
{
    ebb_arena *room = x->room;
    ebb_scope_attach(room);
    ebb_arena_destroy(&room);
}

static void index_let_go(ebb__retired *r)
{
    index_free(EBB_CONTAINER(r, slots, retired));
}

static void index_add(slots *x, entry *e)
{
    size_t i = (e->hash >> 6) & x->mask;
    uintptr_t was;
    while (entry_of(was = atomic_load_explicit(&x->slot[i], memory_order_relaxed)))
        i = (i + 1) & x->mask;
    x->used += was == 0;
    atomic_store_explicit(&x->slot[i], (uintptr_t)e | (e->hash & TAG_MASK), memory_order_release);
}

static void index_remove(slots *x, const entry *e)
{
    size_t i = (e->hash >> 6) & x->mask;
    while (entry_of(atomic_load_explicit(&x->slot[i], memory_order_relaxed)) != e)
        i = (i + 1) & x->mask;
    atomic_store_explicit(&x->slot[i], TAKEN_OUT, memory_order_release);
}

/* Room for one more, half of the slots being free. An index that is full of what was taken out is
   made anew at its size. */
static bool index_reserve(part *p, outgoing *out)
{
    slots *old = atomic_load_explicit(&p->index, memory_order_relaxed);
    size_t count = old->mask + 1;
    if (2 * (old->used + 1) <= count) return true;
    while (count < 4 * (p->policy.len + 1)) count *= 2;
    slots *x = index_new(count);
    if (!x) return old->used + 2 <= old->mask; /* fuller than is good */
    for (size_t i = 0; i <= old->mask; i++) {
        entry *e = entry_of(atomic_load_explicit(&old->slot[i], memory_order_relaxed));
        if (e) index_add(x, e);
    }
    atomic_store_explicit(&p->index, x, memory_order_release);
    out->old = old;
    return true;
}

/* ---- entries --------------------------------------------------------------------------------- */

entry *ebb__entry_new(ebb_cache *c, ebb_key key, uint64_t hash, ebb_shared *s, int code)
{
    uint32_t ttl = code ? c->params.negative_ttl_ms : c->params.ttl_ms;
    entry *e = ebb__handle_new();
    if (!e) return NULL;
    memset(e, 0, sizeof *e);
    e->key = key;
    e->hash = hash;
    e->root = ebb_shared_get(s);
    e->shared = s;
    e->code = code;
    e->expires_ms = ttl ? clock_ms(c) + ttl : UINT64_MAX;
    return e;
}

void ebb__entry_free(entry *e)
{
    ebb_shared_drop(&e->shared);
    ebb__handle_free(e);
}

static void entry_let_go(ebb__retired *r)
{
    ebb__entry_free(EBB_CONTAINER(r, entry, retired));
}

void ebb__cache_retire(outgoing *out)
{
    if (out->old) ebb__epoch_retire(&out->old->retired, index_let_go, 0);
    out->old = NULL;
    while (out->first) {
        entry *e = out->first;
        out->first = e->retired.next ? EBB_CONTAINER(e->retired.next, entry, retired) : NULL;
        ebb__epoch_retire(&e->retired, entry_let_go, ebb_shared_bytes(e->shared));
    }
}

static void take_out(part *p, entry *e, outgoing *out)
{
    index_remove(atomic_load_explicit(&p->index, memory_order_relaxed), e);
    p->negative -= e->code != 0;
    e->retired.next = out->first ? &out->first->retired : NULL;
    out->first = e;
}

static void remove_entry(part *p, entry *e, outgoing *out)
{
    ebb__policy_remove(&p->policy, &e->node);
    take_out(p, e, out);
}

/* The entry of a key, if it has not expired; one that has is taken out. */
entry *ebb__entry_current(ebb_cache *c, part *p, ebb_key key, uint64_t hash, outgoing *out)
{
    entry *e = index_find(atomic_load_explicit(&p->index, memory_order_relaxed), hash, key);
    if (!e || !has_expired(c, e)) return e;
    p->expirations++;
    remove_entry(p, e, out);
    return NULL;
}

static size_t cost_of(const entry *e)
{
    return ebb_shared_bytes(e->shared) + HANDLE_COST;
}

bool ebb__entry_put(part *p, entry *e, outgoing *out)
{
    size_t bytes = cost_of(e);
    if (p->policy.max_bytes && bytes > p->policy.max_bytes) return false;
    while (ebb__policy_is_over(&p->policy, 1, bytes)) {
        ebb__policy_node *victim = ebb__policy_victim(&p->policy, NULL, NULL);
        if (!victim) return false;
        take_out(p, EBB_CONTAINER(victim, entry, node), out);
        p->evictions++;
    }
    if (!index_reserve(p, out)) return false;
    ebb__policy_insert(&p->policy, &e->node, e->hash, bytes);
    index_add(atomic_load_explicit(&p->index, memory_order_relaxed), e);
    p->negative += e->code != 0;
    return true;
}

/* ---- room ------------------------------------------------------------------------------------ */

static bool is_over(part *p, size_t bytes)
{
    os_lock(&p->lock);
    bool over = ebb__policy_is_over(&p->policy, 1, bytes);
    os_unlock(&p->lock);
    return over;
}

static bool too_much_is_read(const ebb_cache *c)
{
    if (ebb__epoch_bytes() <= c->params.max_deferred) return false;
    ebb__epoch_collect();
    return ebb__epoch_bytes() > c->params.max_deferred;
}

/* At most once a second. */
static void report_oldest(ebb_cache *c)
{
    const uint64_t pause = 1000;
    uint64_t now = os_clock_ms(), last = atomic_load(&c->reported_ms);
    ebb__epoch_stats s;
    if (now - last < pause || !atomic_compare_exchange_strong(&c->reported_ms, &last, now)) return;
    ebb__epoch_get_stats(&s);
    if (s.oldest)
        ebb__report_named(
            EBB_MENDED, "ebb_cache_load", c->name,
            "%zu bytes that were given up may still be read, by \"%s\" for longest; end "
            "that scope, or mark its profile long_lived",
            s.bytes, s.oldest);
}

/* Readers end without telling: look again every millisecond. */
static ebb_status wait_for_readers(const ebb_cache *c, uint64_t deadline_ns)
{
    const uint64_t step_ns = 1000000;
    ebb_status why = EBB_OK;
    os_lock_t lock;
    os_cond_t never;
    os_lock_init(&lock);
    os_cond_init(&never);
    os_lock(&lock);
    while (why == EBB_OK && too_much_is_read(c)) {
        uint64_t now = os_clock_ns();
        if (now >= deadline_ns) why = EBB_E_TIMEOUT;
        else os_cond_wait(&never, &lock, deadline_ns - now < step_ns ? deadline_ns : now + step_ns);
    }
    os_unlock(&lock);
    os_cond_destroy(&never);
    return why;
}

ebb_status ebb__cache_room(ebb_cache *c, part *p, size_t bytes, uint64_t deadline_ns)
{
    if (!is_over(p, bytes) || !too_much_is_read(c)) return EBB_OK;
    report_oldest(c);
    switch (c->params.when_full) {
    case EBB_FULL_BYPASS: return EBB_E_LIMIT;
    case EBB_FULL_WAIT: return wait_for_readers(c, deadline_ns);
    case EBB_FULL_FAIL: return EBB_E_EXHAUSTED;
    default: return EBB_OK;
    }
}

/* ---- finding --------------------------------------------------------------------------------- */

bool ebb__cache_takes(const ebb_cache *c, ebb_key key, const char *function)
{
    if (likely(key.ptr != ebb__no_key)) return true;
    ebb__report_named(
        EBB_MISUSE, function, c->name,
        "the key is a symbol of a request's own table (%#x); ebb_sym_promote it first",
        (unsigned)key.n);
    return false;
}

static void count_miss(part *p)
{
    atomic_fetch_add_explicit(&p->misses, 1, memory_order_relaxed);
}

/* A scope that lives long: the value is held for it. */
static COLD const void *find_and_count(ebb_cache *c, ebb_arena *a, ebb_key key, bool counts)
{
    uint64_t hash = hash_of(c, key);
    part *p = part_of(c, hash);
    ebb__reader *r = ebb__is_long_lived(a) ? ebb__epoch_begin() : NULL;
    if (!r) return NULL;
    entry *e = index_find(atomic_load_explicit(&p->index, memory_order_acquire), hash, key);
    bool hit = e && e->root && !has_expired(c, e);
    const void *root = hit ? ebb_shared_hold_for(e->shared, a) : NULL;
    if (hit && counts) {
        ebb__policy_touch(&p->policy, &e->node);
        ebb__epoch_count(r, &c->stripe[0].hits);
    }
    ebb__epoch_end(r);
    if (!hit && counts) count_miss(p);
    return root;
}

static _Atomic uint64_t *sink_of(ebb_cache *c, const ebb__reader *r)
{
    return &c->stripe[((uintptr_t)r >> STRIPE_SHIFT) % STRIPES].hits;
}

const void *ebb_cache_find(ebb_cache *c, ebb_arena *a, ebb_key key)
{
    if (unlikely(key.ptr == ebb__no_key) && !ebb__cache_takes(c, key, "ebb_cache_find"))
        return NULL;
    ebb__reader *r = ebb__epoch_enter(a);
    if (unlikely(!r)) return find_and_count(c, a, key, true);
    uint64_t hash = hash_of(c, key);
    part *p = part_of(c, hash);
    entry *e = index_find(atomic_load_explicit(&p->index, memory_order_acquire), hash, key);
    if (unlikely(!e) || unlikely(!e->root) || unlikely(has_expired(c, e))) {
        count_miss(p);
        return NULL;
    }
    ebb__policy_touch(&p->policy, &e->node);
    ebb__epoch_count(r, sink_of(c, r));
    return e->root;
}

const void *ebb_cache_peek(ebb_cache *c, ebb_arena *a, ebb_key key)
{
    if (!ebb__cache_takes(c, key, "ebb_cache_peek")) return NULL;
    if (!ebb__epoch_enter(a)) return find_and_count(c, a, key, false);
    uint64_t hash = hash_of(c, key);
    const part *p = part_of(c, hash);
    const entry *e = index_find(atomic_load_explicit(&p->index, memory_order_acquire), hash, key);
    return e && !has_expired(c, e) ? e->root : NULL;
}

/* ---- taking out ------------------------------------------------------------------------------ */

bool ebb_cache_remove(ebb_cache *c, ebb_key key)
{
    outgoing out = {NULL, NULL};
    if (!ebb__cache_takes(c, key, "ebb_cache_remove")) return false;
    uint64_t hash = hash_of(c, key);
    part *p = part_of(c, hash);
    os_lock(&p->lock);
    entry *e = ebb__entry_current(c, p, key, hash, &out);
    if (e) remove_entry(p, e, &out);
    p->removals += e != NULL;
    ebb__flights_spoil(p, &key);
    os_unlock(&p->lock);
    ebb__cache_retire(&out);
    return e != NULL;
}

/* NULL: all. */
static size_t remove_some(part *p, bool (*is)(void *, ebb_key, const void *), void *ctx)
{
    outgoing out = {NULL, NULL};
    size_t n = 0;
    os_lock(&p->lock);
    slots *x = atomic_load_explicit(&p->index, memory_order_relaxed);
    for (size_t i = 0; i <= x->mask; i++) {
        entry *e = entry_of(atomic_load_explicit(&x->slot[i], memory_order_relaxed));
        if (!e || (is && (!e->root || !is(ctx, e->key, e->root)))) continue;
        remove_entry(p, e, &out);
        n++;
    }
    p->removals += n;
    if (!is) ebb__flights_spoil(p, NULL);
    os_unlock(&p->lock);
    ebb__cache_retire(&out);
    return n;
}

void ebb_cache_clear(ebb_cache *c)
{
    for (unsigned i = 0; i < c->parts; i++) remove_some(&c->part[i], NULL, NULL);
}

size_t ebb_cache_invalidate(ebb_cache *c, bool (*is)(void *ctx, ebb_key key, const void *root),
                            void *ctx)
{
    size_t n = 0;
    for (unsigned i = 0; i < c->parts; i++) n += remove_some(&c->part[i], is, ctx);
    return n;
}

/* ---- life ------------------------------------------------------------------------------------ */

static const char *wrong_with(const ebb_cache_params *q)
{
    if (!q->max_entries && !q->max_bytes) return "it has no limit: set max_entries or max_bytes";
    if (q->policy != EBB_POLICY_S3_FIFO && q->policy != EBB_POLICY_LRU) return "unknown policy";
    return (unsigned)q->when_full > EBB_FULL_FAIL ? "unknown when_full" : NULL;
}

/* So many that each is large enough to be fair to its keys. */
static unsigned parts_for(const ebb_cache_params *q)
{
    const size_t entries = 1024, bytes = (size_t)4 << 20; /* of a part, at least */
    unsigned n = PARTS_MOST;
    while (n > 1 && ((q->max_entries && q->max_entries / n < entries) ||
                     (q->max_bytes && q->max_bytes / n < bytes)))
        n /= 2;
    return n;
}

static size_t share(size_t most, unsigned parts)
{
    return most / parts + (most % parts != 0);
}

static bool part_begin(ebb_cache *c, part *p)
{
    const size_t first = 64;
    const ebb_cache_params *q = &c->params;
    const ebb__policy_kind *kind =
        q->policy == EBB_POLICY_LRU ? &ebb__policy_lru : &ebb__policy_s3_fifo;
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = c->name;
    os_lock_init(&p->lock);
    p->room = ebb_arena_create(&params);
    atomic_store(&p->index, index_new(first));
    return p->index && ebb__policy_init(&p->policy, kind, p->room, share(q->max_entries, c->parts),
                                        share(q->max_bytes, c->parts));
}

static void cache_free(ebb_cache *c)
{
    for (unsigned i = 0; i < c->parts; i++) {
        part *p = &c->part[i];
        if (p->index) index_free(atomic_load(&p->index));
        if (p->room) ebb_scope_attach(p->room);
        ebb_arena_destroy(&p->room);
    }
    ebb_arena *a = c->arena;
    ebb_scope_attach(a);
    ebb_arena_destroy(&a);
}

static ebb_cache *cache_in(ebb_arena *a, const ebb_cache_params *q)
{
    const size_t deferred = (size_t)64 << 20;
    unsigned parts = parts_for(q);
    ebb_cache *c = ebb_alloc_aligned(a, sizeof *c, _Alignof(ebb_cache));
    part *p = ebb_alloc_aligned(a, parts * sizeof *p, _Alignof(part));
    if (!c || !p) return NULL;
    memset((void *)c, 0, sizeof *c);
    memset((void *)p, 0, parts * sizeof *p);
    c->arena = a;
    c->part = p;
    c->parts = parts;
    c->params = *q;
    if (!q->max_deferred) c->params.max_deferred = q->max_bytes ? q->max_bytes / 4 : deferred;
    c->seed = ebb_hash_u64((uint64_t)(uintptr_t)c, os_clock_ns());
    snprintf(c->name, sizeof c->name, "%s", q->name ? q->name : "?");
    c->params.name = c->name;
    return c;
}

static ebb_cache *refuse(ebb_status why, ebb_status *ret_why)
{
    if (ret_why) *ret_why = why;
    return NULL;
}

ebb_cache *ebb_cache_create(const ebb_cache_params *params, ebb_status *ret_why)
{
    const char *wrong = wrong_with(params), *name = params->name ? params->name : "?";
    if (wrong) {
        ebb__report_named(EBB_MISUSE, "ebb_cache_create", name, "%s", wrong);
        return refuse(EBB_E_INVALID, ret_why);
    }
    ebb_arena_params of = EBB_ARENA_PARAMS_INIT;
    of.name = name;
    ebb_arena *a = ebb_arena_create(&of);
    ebb_cache *c = cache_in(a, params);
    if (!c) {
        ebb_arena_destroy(&a);
        return refuse(EBB_E_MEMORY, ret_why);
    }
    bool sound = true;
    for (unsigned i = 0; i < c->parts; i++) sound = part_begin(c, &c->part[i]) && sound;
    if (sound) return c;
    cache_free(c);
    return refuse(EBB_E_MEMORY, ret_why);
}

static void cache_let_go(ebb__retired *r)
{
    cache_free(EBB_CONTAINER(r, ebb_cache, retired));
}

/* Scopes that have found something count their hits in it when they end: it goes when they have. */
void ebb_cache_destroy(ebb_cache **cache)
{
    ebb_cache *c = *cache;
    size_t loads = 0, waits = 0;
    *cache = NULL;
    if (!c) return;
    for (unsigned i = 0; i < c->parts; i++) {
        loads += ebb__flights_count(&c->part[i]);
        waits += c->part[i].waiting;
    }
    if (loads) {
        ebb__report_named(EBB_MISUSE, "ebb_cache_destroy", c->name,
                          "%zu loads are under way, and %zu wait for them; end those first", loads,
                          waits);
        return;
    }
    ebb_cache_clear(c);
    ebb__epoch_retire(&c->retired, cache_let_go, 0);
    ebb__epoch_collect();
}

/* ---- what is going on ------------------------------------------------------------------------ */

static void add_part(part *p, ebb_cache_stats *s)
{
    os_lock(&p->lock);
    s->entries += p->policy.len;
    s->bytes += p->policy.bytes;
    s->negative += p->negative;
    s->loading += ebb__flights_count(p);
    s->waiting += p->waiting;
    s->misses += p->misses;
    s->negative_hits += p->negative_hits;
    s->loads += p->loads;
    s->failures += p->failures;
    for (int i = 0; i < EBB_CACHE_LOAD_BINS; i++) s->load_us[i] += p->load_us[i];
    s->evictions += p->evictions;
    s->expirations += p->expirations;
    s->removals += p->removals;
    s->bypassed += p->bypassed;
    os_unlock(&p->lock);
}

void ebb_cache_get_stats(ebb_cache *c, ebb_cache_stats *ret_stats)
{
    ebb_cache_stats s = {.deferred_bytes = ebb__epoch_bytes()};
    for (unsigned i = 0; i < c->parts; i++) add_part(&c->part[i], &s);
    for (int i = 0; i < STRIPES; i++) s.hits += atomic_load(&c->stripe[i].hits);
    *ret_stats = s;
}

const char *ebb_cache_name(const ebb_cache *c)
{
    return c->name;
}
