/*
 * examples/vmd/configs.c: what tenants may have and what nodes have, as it was last put there. Its
 * source is a text of JSON; requests want it read and checked, again and again:
 *
 *   ebb      a cache of objects that are shared: a request finds one and reads it until its scope
 *            ends, without a lock and without counting
 *   malloc   a table of what was read, copied from under a lock
 *
 * Synchronized; nothing is allocated from a request under a lock.
 */
#include "vmd.h"

#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS = 1024, NODE = 0, TENANT = 1 };

/* Of a tenant's symbol or a node's number. */
typedef uint64_t key;

static key key_of(int kind, uint32_t number)
{
    return (key)kind << 32 | number;
}

/* ---- the texts ------------------------------------------------------------------------------- */

typedef struct source {
    struct source *next;
    key key;
    char *text; /* NULL: none was put */
    size_t len;
    bool is_read; /* malloc, and the next */
    config read;
} source;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static source *sources[BUCKETS];
static ebb_cache *cache;

/* The one of @k, made if it is not there; NULL: no memory. Under the lock. */
static source *source_of(key k)
{
    source **at = &sources[ebb_hash_u64(k, 0) % BUCKETS];
    while (*at && (*at)->key != k) at = &(*at)->next;
    if (*at) return *at;
    *at = calloc(1, sizeof **at);
    if (*at) (*at)->key = k;
    return *at;
}

/* ---- reading one ----------------------------------------------------------------------------- */

/* What holds where nothing was put. */
static config usual(key k)
{
    if (k >> 32 == TENANT) return (config){CPUS_MOST, MEMORY_MOST};
    return (config){.cpus = 16 + (int)(k * 7 % 5) * 16,
                    .memory_mb = 32768 + (int)(k * 11 % 7) * 16384};
}

/* NULL, or what is wrong. What is not mentioned stays as it is in *@to. */
static const char *read_config(json_t *body, config *to)
{
    json_error_t error;
    config c = *to;
    if (json_unpack_ex(body, &error, 0, "{s?i, s?i}", "cpus", &c.cpus, "memory_mb", &c.memory_mb))
        return "cpus and memory_mb must be integers";
    const char *wrong = wrong_size(c.cpus, c.memory_mb);
    if (!wrong) *to = c;
    return wrong;
}

/* False: no memory. The text was checked when it was put. */
static bool parse(const char *bytes, size_t len, config *to)
{
    json_t *body = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
    if (!body) return false;
    read_config(body, to);
    if (!opt.ebb) json_decref(body);
    return true;
}

/* A copy of the text of @k, by malloc; *ret_len 0: none. False: no memory. */
static bool copy_text(key k, char **ret_text, size_t *ret_len)
{
    pthread_mutex_lock(&lock);
    source *s = source_of(k);
    *ret_len = s ? s->len : 0;
    *ret_text = *ret_len ? malloc(*ret_len) : NULL;
    if (*ret_text) memcpy(*ret_text, s->text, *ret_len);
    pthread_mutex_unlock(&lock);
    return s && (!*ret_len || *ret_text);
}

/* ---- ebb ------------------------------------------------------------------------------------- */

static int read_text(key k, config *to)
{
    char *bytes;
    size_t len;
    *to = usual(k);
    if (!copy_text(k, &bytes, &len)) return EBB_E_MEMORY;
    bool good = !len || parse(bytes, len, to);
    free(bytes);
    return good ? 0 : EBB_E_MEMORY;
}

static ebb_profile reading = EBB_PROFILE("read a configuration");

/* The tree that jansson makes goes with a scope of its own; what is kept is the object alone. */
static int load(void *ctx, ebb_arena *into, ebb_key k, const void **ret_root)
{
    (void)ctx;
    config *c = ebb_new(into, config);
    if (!c) return EBB_E_MEMORY;
    ebb_arena *scope = ebb_scope_begin(&reading), *before = ebb_scope_enter(scope);
    int rc = read_text(ebb_key_number(k), c);
    ebb_scope_leave(before);
    ebb_scope_end(&scope);
    *ret_root = c;
    return rc;
}

static bool find(mem *m, key k, config *ret_config)
{
    static const ebb_cache_load_params how = {.fn = load, .deadline_ns = UINT64_MAX};
    const void *found;
    if (ebb_cache_load(cache, m->scope, ebb_key_u64(k), &how, &found) != 0) return false;
    *ret_config = *(const config *)found;
    return true;
}

/* ---- malloc ---------------------------------------------------------------------------------- */

/* With the lock held: reading is seldom. */
static bool look_up(key k, config *ret_config)
{
    source *s = source_of(k);
    if (!s) return false;
    if (!s->is_read) {
        s->read = usual(k);
        s->is_read = !s->len || parse(s->text, s->len, &s->read);
    }
    *ret_config = s->read;
    return s->is_read;
}

static bool look_up_locked(key k, config *ret_config)
{
    pthread_mutex_lock(&lock);
    bool found = look_up(k, ret_config);
    pthread_mutex_unlock(&lock);
    return found;
}

static bool look_up_nodes(config *ret_nodes)
{
    bool found = true;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; found && i < opt.nodes; i++)
        found = look_up(key_of(NODE, i), &ret_nodes[i]);
    pthread_mutex_unlock(&lock);
    return found;
}

/* ---- either ---------------------------------------------------------------------------------- */

static bool find_config(mem *m, key k, config *ret_config)
{
    return m->scope ? find(m, k, ret_config) : look_up_locked(k, ret_config);
}

bool config_of_tenant(mem *m, ebb_sym tenant, config *ret_config)
{
    return find_config(m, key_of(TENANT, tenant), ret_config);
}

bool configs_of_nodes(mem *m, config *ret_nodes)
{
    if (!m->scope) return look_up_nodes(ret_nodes);
    bool found = true;
    for (unsigned i = 0; found && i < opt.nodes; i++)
        found = find(m, key_of(NODE, i), &ret_nodes[i]);
    return found;
}

/* False: no memory, and nothing has changed. */
static bool put(key k, ebb_str body)
{
    char *copy = malloc(body.len);
    if (!copy) return false;
    memcpy(copy, body.ptr, body.len);
    pthread_mutex_lock(&lock);
    source *s = source_of(k);
    char *old = s ? s->text : copy;
    if (s) {
        s->text = copy;
        s->len = body.len;
        s->is_read = false;
    }
    pthread_mutex_unlock(&lock);
    free(old);
    if (cache && s) ebb_cache_remove(cache, ebb_key_u64(k)); /* what is being loaded, too */
    return s != NULL;
}

bool configs_begin(void)
{
    const ebb_cache_params params = {.name = "configurations", .max_entries = 100000};
    if (opt.ebb) cache = ebb_cache_create(&params, NULL);
    return !opt.ebb || cache;
}

void configs_end(void)
{
    ebb_cache_destroy(&cache);
    for (int i = 0; i < BUCKETS; i++)
        for (source *s; (s = sources[i]);) {
            sources[i] = s->next;
            free(s->text);
            free(s);
        }
}

void configs_metrics(text *t)
{
    ebb_cache_stats s;
    ebb_cache_get_stats(cache, &s);
    text_printf(t, "vmd_config_cache_entries %zu\nvmd_config_cache_bytes %zu\n", s.entries,
                s.bytes);
    text_printf(t, "vmd_config_cache_hits_total %llu\n", (unsigned long long)s.hits);
    text_printf(t, "vmd_config_cache_misses_total %llu\n", (unsigned long long)s.misses);
    text_printf(t, "vmd_config_cache_evictions_total %llu\n", (unsigned long long)s.evictions);
}

/* ---- routes ---------------------------------------------------------------------------------- */

static int reply_config(request *req, key k)
{
    config c;
    if (!find_config(&req->mem, k, &c)) return 507;
    text_put(&req->reply, "{\"cpus\":");
    text_int(&req->reply, c.cpus);
    text_put(&req->reply, ",\"memory_mb\":");
    text_int(&req->reply, c.memory_mb);
    text_put(&req->reply, "}");
    return reply_done(req, 200);
}

static int put_config(request *req, key k, json_t *body)
{
    config c = usual(k);
    const char *wrong = read_config(body, &c);
    if (wrong) return reply_error(req, 422, "%s", wrong);
    return put(k, text_view(&req->body)) ? reply_config(req, k) : 507;
}

/* node-NNN, as answers call it. */
static bool read_node(request *req, key *ret_key)
{
    const char *name = name_in(req);
    char *rest;
    if (!name || strncmp(name, "node-", 5) != 0 || strlen(name) != 8) return false;
    unsigned long node = strtoul(name + 5, &rest, 10);
    *ret_key = key_of(NODE, (uint32_t)node);
    return !*rest && name[5] >= '0' && name[5] <= '9' && node < opt.nodes;
}

static int no_such_node(request *req)
{
    return reply_error(req, 404, "the nodes are node-000 to node-%03u", opt.nodes - 1);
}

int get_node(request *req)
{
    key k;
    return read_node(req, &k) ? reply_config(req, k) : no_such_node(req);
}

int put_node(request *req, json_t *body)
{
    key k;
    return read_node(req, &k) ? put_config(req, k, body) : no_such_node(req);
}

int get_tenant(request *req)
{
    const char *name = name_in(req);
    if (!name) return reply_error(req, 400, "a name " NAME_RULE);
    return reply_config(req, key_of(TENANT, ebb_intern_find(names, ebb_str_from(name))));
}

int put_tenant(request *req, json_t *body)
{
    const char *name = name_in(req);
    if (!name) return reply_error(req, 400, "a name " NAME_RULE);
    ebb_sym tenant = ebb_intern(names, ebb_str_from(name));
    if (tenant) return put_config(req, key_of(TENANT, tenant), body);
    return reply_error(req, 507, "no more tenants can be kept");
}
