/*
 * bench/cache/hits_peers.c: caches as programs have them: a table and a list under a mutex, the
 * same in shards, a table under a read-write lock. What they give is good as long as nobody evicts
 * it; those that are `counted` hold the value meanwhile, so that it is good until it is dropped, as
 * Ebb's is.
 *
 * The hand-written table is the best that could be made of each: chains in one allocation's order,
 * the hash kept, Ebb's own hash. GLib's is there as programs that have GLib would write it.
 */
#include "../harness/harness.h"
#include "hits.h"

#include <ebb/ebb.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if BENCH_HAVE_GLIB
#include <glib.h>
#endif

/* ---- a table in shards ----------------------------------------------------------------------- */

typedef struct entry {
    struct entry *next;
    uint64_t hash;
    ask key;
    uint64_t *value;
    ebb_link used; /* most recently used first */
    _Atomic uint32_t mark;
    _Atomic uint32_t readers;
} entry;

enum { SHARDS = 64 };
typedef struct shard {
    pthread_mutex_t lock;
    pthread_rwlock_t gate;
    entry **bucket;
    size_t mask;
    ebb_list used;
    char apart[APART];
} shard;

typedef struct table {
    size_t shards;
    shard shard[SHARDS];
} table;

static void *make_shards(size_t shards, size_t entries)
{
    table *t = bench_need(sizeof *t);
    t->shards = shards;
    for (size_t i = 0; i < shards; i++) {
        shard *s = &t->shard[i];
        size_t buckets = 1;
        while (buckets < 2 * entries / shards) buckets *= 2;
        s->bucket = bench_need(buckets * sizeof *s->bucket);
        s->mask = buckets - 1;
        pthread_mutex_init(&s->lock, NULL);
        pthread_rwlock_init(&s->gate, NULL);
    }
    return t;
}

static void *make_one(size_t entries, int texts)
{
    (void)texts;
    return make_shards(1, entries);
}

static void *make_many(size_t entries, int texts)
{
    (void)texts;
    return make_shards(SHARDS, entries);
}

static inline uint64_t hash_of(ask key)
{
    return key.ptr ? ebb_hash_str((ebb_str){key.ptr, key.n}, 1) : ebb_hash_u64(key.n, 1);
}

static inline shard *shard_of(table *t, uint64_t hash)
{
    return &t->shard[(hash >> 32) & (t->shards - 1)];
}

static inline bool is_key(const entry *e, ask key)
{
    return key.n == e->key.n && (!key.ptr || memcmp(key.ptr, e->key.ptr, key.n) == 0);
}

static inline entry *find(const shard *s, uint64_t hash, ask key)
{
    entry *e = s->bucket[hash & s->mask];
    while (e->hash != hash || !is_key(e, key)) e = e->next;
    return e;
}

static void put(void *cache, ask key, uint64_t *value)
{
    uint64_t hash = hash_of(key);
    shard *s = shard_of(cache, hash);
    entry *e = bench_need(sizeof *e), **to = &s->bucket[hash & s->mask];
    *e = (entry){.next = *to, .hash = hash, .key = key, .value = value};
    *to = e;
    ebb_list_push_front(&s->used, &e->used);
}

static inline uint64_t drop(entry *e)
{
    uint64_t value = *e->value;
    atomic_fetch_sub_explicit(&e->readers, 1, memory_order_release);
    return value;
}

/* ---- LRU under a mutex ----------------------------------------------------------------------- */

static inline entry *find_and_move(shard *s, uint64_t hash, ask key)
{
    entry *e = find(s, hash, key);
    if (s->used.first != &e->used) {
        ebb_list_remove(&s->used, &e->used);
        ebb_list_push_front(&s->used, &e->used);
    }
    return e;
}

static inline uint64_t lru_get(table *t, ask key)
{
    uint64_t hash = hash_of(key);
    shard *s = shard_of(t, hash);
    pthread_mutex_lock(&s->lock);
    uint64_t value = *find_and_move(s, hash, key)->value;
    pthread_mutex_unlock(&s->lock);
    return value;
}

static inline uint64_t lru_get_counted(table *t, ask key)
{
    uint64_t hash = hash_of(key);
    shard *s = shard_of(t, hash);
    pthread_mutex_lock(&s->lock);
    entry *e = find_and_move(s, hash, key);
    atomic_fetch_add_explicit(&e->readers, 1, memory_order_relaxed);
    pthread_mutex_unlock(&s->lock);
    return drop(e);
}

LOOK_UP(lru_look_up, table, lru_get(c, key))
LOOK_UP(lru_look_up_counted, table, lru_get_counted(c, key))

/* ---- a table under read-write locks ---------------------------------------------------------- */

/* A clock's bit in the place of the list, which readers could not move. */
static inline void set_mark(entry *e)
{
    if (!atomic_load_explicit(&e->mark, memory_order_relaxed))
        atomic_store_explicit(&e->mark, 1, memory_order_relaxed);
}

static inline uint64_t gate_get(table *t, ask key)
{
    uint64_t hash = hash_of(key);
    shard *s = shard_of(t, hash);
    pthread_rwlock_rdlock(&s->gate);
    entry *e = find(s, hash, key);
    set_mark(e);
    uint64_t value = *e->value;
    pthread_rwlock_unlock(&s->gate);
    return value;
}

static inline uint64_t gate_get_counted(table *t, ask key)
{
    uint64_t hash = hash_of(key);
    shard *s = shard_of(t, hash);
    pthread_rwlock_rdlock(&s->gate);
    entry *e = find(s, hash, key);
    set_mark(e);
    atomic_fetch_add_explicit(&e->readers, 1, memory_order_relaxed);
    pthread_rwlock_unlock(&s->gate);
    return drop(e);
}

LOOK_UP(gate_look_up, table, gate_get(c, key))
LOOK_UP(gate_look_up_counted, table, gate_get_counted(c, key))

/* ---- GLib ------------------------------------------------------------------------------------ */

#if BENCH_HAVE_GLIB
typedef struct gcache {
    GMutex lock;
    GHashTable *link; /* of each key, in the queue */
    GQueue used;
    int texts;
} gcache;

typedef struct gentry {
    ask key;
    uint64_t *value;
} gentry;

static void *g_make(size_t entries, int texts)
{
    (void)entries;
    gcache *c = bench_need(sizeof *c);
    g_mutex_init(&c->lock);
    g_queue_init(&c->used);
    c->texts = texts;
    c->link = texts ? g_hash_table_new(g_str_hash, g_str_equal)
                    : g_hash_table_new(g_int64_hash, g_int64_equal);
    return c;
}

static void g_put(void *cache, ask key, uint64_t *value)
{
    gcache *c = cache;
    gentry *e = bench_need(sizeof *e);
    *e = (gentry){key, value};
    g_queue_push_head(&c->used, e);
    gpointer text = g_strdup(key.ptr); /* NULL of NULL */
    g_hash_table_insert(c->link, c->texts ? text : &e->key.n, c->used.head);
}

static uint64_t g_get(gcache *c, ask key)
{
    g_mutex_lock(&c->lock);
    gconstpointer at = c->texts ? (gconstpointer)key.ptr : &key.n;
    GList *link = g_hash_table_lookup(c->link, at);
    g_queue_unlink(&c->used, link);
    g_queue_push_head_link(&c->used, link);
    uint64_t value = *((gentry *)link->data)->value;
    g_mutex_unlock(&c->lock);
    return value;
}

LOOK_UP(g_look_up, gcache, g_get(c, key))
#endif

const contestant bench_peers[] = {
    {"LRU, mutex", make_one, put, lru_look_up},
    {"LRU, mutex, counted", make_one, put, lru_look_up_counted},
    {"LRU, 64 mutexes", make_many, put, lru_look_up},
    {"LRU, 64 mutexes, counted", make_many, put, lru_look_up_counted},
    {"64 rwlocks", make_many, put, gate_look_up},
    {"64 rwlocks, counted", make_many, put, gate_look_up_counted},
#if BENCH_HAVE_GLIB
    {"GHashTable, GQueue, mutex", g_make, g_put, g_look_up},
#endif
};
const size_t bench_peer_count = sizeof bench_peers / sizeof *bench_peers;
