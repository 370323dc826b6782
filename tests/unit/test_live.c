/*
 * tests/unit/test_live.c: ebb/live.h: what is seen of this thread's arenas, of others', and of the layers
 * above; while others go on; without memory; and as text.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { KIB = 1 << 10 };

static ebb_profile profile = EBB_PROFILE("GET /vms");

static ebb_arena_stats stats_of(const ebb_arena *a)
{
    ebb_arena_stats s;
    ebb_arena_get_stats(a, &s);
    return s;
}

/* What is so of any look. */
static bool is_sound(const ebb_live *l)
{
    for (size_t i = 0; i < l->count; i++) {
        const ebb_live_node *n = &l->node[i];
        bool kind = (unsigned)n->kind <= EBB_LIVE_NAMES, name = memchr(n->name, 0, sizeof n->name);
        bool parent = n->parent == SIZE_MAX || n->parent < i;
        if (!kind || !name || !parent || !n->address || (!n->exact && n->used)) return false;
        if (parent && n->parent != SIZE_MAX && l->node[n->parent].kind > EBB_LIVE_SCOPE)
            return false;
    }
    return true;
}

static const ebb_live_node *at(const ebb_live *l, const void *address)
{
    const ebb_live_node *found = NULL;
    for (size_t i = 0; i < l->count; i++) {
        if (l->node[i].address != address) continue;
        cr_assert_null(found, "it is there twice");
        found = &l->node[i];
    }
    return found;
}

static const ebb_live_node *named(const ebb_live *l, ebb_live_kind kind, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->node[i].kind == kind && !strcmp(l->node[i].name, name)) return &l->node[i];
    return NULL;
}

static ebb_live *look(ebb_arena *into)
{
    ebb_live *l = ebb_live_look(into);
    cr_assert_not_null(l);
    cr_assert(is_sound(l));
    cr_assert_eq(l->missed, 0u);
    return l;
}

static bool is_child_of(const ebb_live *l, const void *child, const void *parent)
{
    const ebb_live_node *n = at(l, child);
    return n && n->parent != SIZE_MAX && l->node[n->parent].address == parent;
}

static bool is_exactly(const ebb_live *l, const ebb_arena *a, const ebb_arena_stats *s)
{
    const ebb_live_node *n = at(l, a);
    return n && n->exact && n->held == s->held && n->used == s->used && n->count == s->chunks;
}

static ebb_arena *named_arena(const char *name)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = name;
    return ebb_arena_create(&params);
}

/* ---- this thread's ----------------------------------------------------------------------------- */

Test(live, the_family_of_the_arena_is_exact)
{
    ebb_arena *a = named_arena("root"), *b = ebb_scope_begin_in(a, &profile),
              *c = ebb_scope_begin_in(b, NULL), *d = ebb_scope_begin_in(a, &profile),
              *e = ebb_scope_begin_in(d, NULL), *f = ebb_scope_begin_in(e, NULL);
    ebb_alloc(a, 3000);
    ebb_alloc(b, 200 * KIB);
    ebb_alloc(c, 100);
    ebb_arena_set_label(c, "labelled");
    ebb_arena *const all[] = {a, b, c, d, e, f};
    ebb_arena_stats s[6];
    for (int i = 0; i < 6; i++) s[i] = stats_of(all[i]);
    ebb_live *l = look(c);
    for (int i = 0; i < 6; i++) cr_assert(is_exactly(l, all[i], &s[i]), "%d", i);
    cr_assert(is_child_of(l, b, a) && is_child_of(l, c, b) && is_child_of(l, d, a));
    cr_assert(is_child_of(l, e, d) && is_child_of(l, f, e));
    cr_assert_eq(at(l, a)->parent, SIZE_MAX);
    cr_assert_eq(at(l, a)->kind, EBB_LIVE_ARENA);
    cr_assert_eq(at(l, b)->kind, EBB_LIVE_SCOPE);
    cr_assert_str_eq(at(l, a)->name, "root");
    cr_assert_str_eq(at(l, b)->name, "GET /vms");
    cr_assert_str_eq(at(l, c)->name, "labelled");
    ebb_memory_stats m;
    ebb_memory_get_stats(&m);
    cr_assert_eq(l->reserved_bytes, m.reserved);
    cr_assert(l->idle_bytes <= l->reserved_bytes);
    for (int i = 5; i > 0; i--) ebb_scope_end(&(ebb_arena *){all[i]});
    ebb_arena_destroy(&a);
}

static int look_inside(ebb_arena *a, void *arg)
{
    (void)a;
    *(ebb_live **)arg = ebb_live_look(*(ebb_arena **)((void **)arg + 1));
    return 0;
}

Test(live, what_this_thread_is_in_is_exact_and_what_it_has_parked_is_not)
{
    ebb_arena *into = ebb_arena_create(NULL), *entered = ebb_scope_begin(&profile),
              *tried = ebb_arena_create(NULL), *parked = ebb_scope_begin(&profile);
    void *arg[2] = {NULL, into};
    EBB_SCOPE(lexical, &profile);
    EBB_ENTER(entered);
    ebb_alloc(parked, 10000);
    cr_assert_eq(ebb_try(tried, look_inside, arg), 0);
    const ebb_live *l = arg[0];
    cr_assert(l && is_sound(l));
    cr_assert(at(l, into)->exact && at(l, entered)->exact && at(l, tried)->exact);
    cr_assert(at(l, lexical)->exact);
    cr_assert(!at(l, parked)->exact);
    cr_assert_eq(at(l, parked)->held, stats_of(parked).held);
    ebb_scope_leave(NULL);
    ebb_scope_end(&entered);
    ebb_scope_end(&parked);
    ebb_arena_destroy(&tried);
    ebb_arena_destroy(&into);
}

Test(live, what_has_ended_is_not_there)
{
    ebb_arena *a = ebb_arena_create(NULL), *b = ebb_scope_begin(&profile);
    const void *was = b;
    cr_assert_not_null(at(look(a), was));
    ebb_scope_end(&b);
    cr_assert_null(at(look(a), was));
    ebb_arena_destroy(&a);
}

Test(live, a_deep_family_needs_no_deep_stack)
{
    enum { DEPTH = 20000 };
    unsigned long depth = scaled(DEPTH);
    ebb_arena *root = ebb_arena_create(NULL), *a = root;
    for (unsigned long i = 0; i < depth; i++) {
        a = ebb_scope_begin_in(a, &profile);
        ebb_scope_keep_open(a);
    }
    ebb_live *l = look(root);
    cr_assert(l->count >= depth + 1);
    cr_assert(at(l, a)->exact);
    cr_assert_not_null(ebb_live_format(l, EBB_FORMAT_TEXT, root, NULL).ptr);
    leaves_some(); /* such a family's end does */
}

/* ---- others' ----------------------------------------------------------------------------------- */

typedef struct other {
    ebb_arena *created, *scope, *child, *adopter, *buffered;
    char *name;
} other;

static char buffer_of_other[4096];

static void begin_there(void *arg)
{
    other *o = arg;
    o->name = strdup("a name on the heap");
    o->created = named_arena(o->name);
    ebb_alloc(o->created, 3000);
    ebb_alloc(o->created, 300 * KIB);
    ebb_alloc(o->created, 3 << 20);
    memset(o->name, 'x', strlen(o->name)); /* who would follow it sees this */
    o->scope = ebb_scope_begin(&profile);
    o->child = ebb_scope_begin_in(o->scope, NULL);
    ebb_alloc(o->child, 5000);
    ebb_arena_set_label(o->child, "child of another thread");
    ebb_arena *given = ebb_arena_create(NULL), *deeper = ebb_arena_create(NULL);
    ebb_alloc(given, 20000);
    ebb_alloc(deeper, 20000);
    o->adopter = named_arena("adopter");
    ebb_arena_adopt(given, &deeper);
    ebb_arena_adopt(o->adopter, &given);
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.buffer = buffer_of_other;
    params.buffer_size = sizeof buffer_of_other;
    o->buffered = ebb_arena_create(&params);
}

static void end_there(void *arg)
{
    other *o = arg;
    ebb_scope_end(&o->child);
    ebb_scope_end(&o->scope);
    ebb_arena_destroy(&o->created);
    ebb_arena_destroy(&o->adopter);
    ebb_arena_destroy(&o->buffered);
    free(o->name);
}

static bool seems(const ebb_live *l, const ebb_arena *a)
{
    const ebb_live_node *n = at(l, a);
    ebb_arena_stats s = stats_of(a);
    return n && !n->exact && n->held == s.held && n->used == 0 && n->count == s.chunks;
}

Test(live, arenas_of_other_threads_are_seen_with_their_blocks)
{
    other o;
    on_thread(begin_there, &o);
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_live *l = look(a);
    cr_assert(seems(l, o.created) && seems(l, o.scope) && seems(l, o.child));
    cr_assert(seems(l, o.adopter), "with what it has adopted");
    cr_assert(is_child_of(l, o.child, o.scope));
    cr_assert_str_eq(at(l, o.created)->name, "a name on the heap");
    cr_assert_str_eq(at(l, o.child)->name, "child of another thread");
    cr_assert_str_eq(at(l, o.scope)->name, "GET /vms");
    cr_assert_null(at(l, o.buffered));
    end_there(&o);
    ebb_arena_destroy(&a);
}

/* ---- the layers above -------------------------------------------------------------------------- */

Test(live, pools_are_seen_with_what_is_out)
{
    ebb_pool_params params = EBB_POOL_PARAMS_INIT;
    params.name = "conns";
    params.size = 100;
    params.min_size = 10;
    ebb_pool *pool = ebb_pool_create(&params, NULL);
    ebb_bufpool *bufpool =
        ebb_bufpool_create(&(ebb_bufpool_params){.name = "bufs", .min_count = 2}, NULL);
    ebb_arena *a = ebb_arena_create(NULL);
    for (int i = 0; i < 3; i++) cr_assert_not_null(ebb_pool_acquire(pool, a, NULL));
    void *kept = ebb_pool_detach(pool, ebb_pool_acquire(pool, a, NULL));
    cr_assert_not_null(ebb_bufpool_acquire(bufpool, a, 10, NULL));
    ebb_live *l = look(a);
    const ebb_live_node *n = at(l, pool);
    cr_assert_not_null(n);
    cr_assert_eq(n->kind, EBB_LIVE_POOL);
    cr_assert_str_eq(n->name, "conns");
    cr_assert_eq(n->count, 10u);
    cr_assert_eq(n->out, 4u);
    cr_assert(n->exact && n->held >= 10u * 100 && n->used <= n->held);
    cr_assert_null(named(l, EBB_LIVE_ARENA, "conns"), "its arena is part of it");
    size_t of_buffers = 0;
    for (size_t i = 0; i < l->count; i++) of_buffers += l->node[i].kind == EBB_LIVE_POOL;
    cr_assert_eq(of_buffers, 2u);
    ebb_pool_discard(pool, kept);
    ebb_arena_destroy(&a);
    ebb_pool_destroy(&pool);
    ebb_bufpool_destroy(&bufpool);
}

Test(live, shared_objects_are_seen_with_who_holds_them)
{
    ebb_arena *a = ebb_arena_create(NULL), *building = ebb_shared_begin("routes");
    void *root = ebb_alloc(building, 10000);
    ebb_arena_stats s = stats_of(building);
    const void *address = building;
    ebb_shared *shared = ebb_shared_seal(&building, root, NULL);
    cr_assert(ebb_shared_hold_for(shared, a));
    ebb_live *l = look(a);
    const ebb_live_node *n = at(l, address);
    cr_assert_not_null(n);
    cr_assert_eq(n->kind, EBB_LIVE_SHARED);
    cr_assert_str_eq(n->name, "routes");
    cr_assert(n->exact && n->held == s.held && n->out == 2);
    ebb_shared_drop(&shared);
    ebb_arena_reset(a);
    cr_assert_null(at(look(a), address));
    ebb_arena_destroy(&a);
}

static int load(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    (void)ctx;
    (void)key;
    *ret_root = ebb_strdup(into, "value");
    return 0;
}

static void load_number(ebb_cache *c, ebb_arena *a, uint64_t number)
{
    ebb_cache_load_params how = {load, NULL, UINT64_MAX};
    const void *root;
    cr_assert_eq(ebb_cache_load(c, a, ebb_key_u64(number), &how, &root), 0);
}

Test(live, caches_are_seen_with_what_they_have_given_up)
{
    ebb_cache *c =
        ebb_cache_create(&(ebb_cache_params){.name = "tenants", .max_entries = 100}, NULL);
    ebb_arena *a = ebb_scope_begin(NULL);
    for (uint64_t i = 0; i < 5; i++) load_number(c, a, i);
    ebb_live *l = look(a);
    const ebb_live_node *n = at(l, c);
    cr_assert_not_null(n);
    cr_assert_eq(n->kind, EBB_LIVE_CACHE);
    cr_assert_str_eq(n->name, "tenants");
    cr_assert(n->exact && n->count == 5 && n->out == 0 && n->held > 0);
    cr_assert_null(named(l, EBB_LIVE_ARENA, "cache"), "its arena is part of it");
    size_t values = 0;
    for (size_t i = 0; i < l->count; i++) values += l->node[i].kind == EBB_LIVE_SHARED;
    cr_assert_eq(values, 5u);
    cr_assert(ebb_cache_remove(c, ebb_key_u64(3)));
    n = at(look(a), c);
    cr_assert(n->count == 4 && n->out == 1, "the scope may be reading it");
    ebb_scope_end(&a);
    ebb_cache_destroy(&c);
}

Test(live, tables_of_names_are_seen)
{
    ebb_symtab *t = ebb_symtab_create(&(ebb_symtab_params){.name = "headers"}, NULL);
    ebb_arena *a = ebb_arena_create(NULL);
    for (int i = 0; i < 7; i++)
        cr_assert(ebb_intern(t, ebb_str_from(ebb_printf(a, "header %d", i))) != 0);
    ebb_live *l = look(a);
    const ebb_live_node *n = named(l, EBB_LIVE_NAMES, "headers");
    cr_assert_not_null(n);
    cr_assert(n->exact && n->count == 7 && n->out == 0);
    ebb_symtab_stats s;
    ebb_symtab_get_stats(t, &s);
    cr_assert(n->held >= s.bytes);
    cr_assert_null(named(l, EBB_LIVE_ARENA, "headers"), "its arena is part of it");
    ebb_symtab_destroy(&t);
    cr_assert_null(named(look(a), EBB_LIVE_NAMES, "headers"));
    ebb_arena_destroy(&a);
}

/* ---- while others go on ------------------------------------------------------------------------ */

static atomic_bool stop;
static atomic_int busy; /* those that hold something by now */

/* One head after the other is a scope's, then an arena's. */
static void alternate(rng *r)
{
    for (size_t n = rng_below(r, 100); n > 0; n--) {
        ebb_arena *a = ebb_scope_begin(NULL), *b = named_arena("busy");
        ebb_scope_end(&a);
        ebb_arena_destroy(&b);
    }
}

static void one_round(rng *r, ebb_arena **kept)
{
    ebb_arena *a = ebb_scope_begin(&profile);
    for (size_t n = rng_below(r, 30); n > 0; n--) ebb_alloc(a, rng_below(r, 2000));
    if (rng_one_in(r, 4)) ebb_arena_set_label(a, "label");
    if (rng_one_in(r, 4)) ebb_alloc(a, rng_below(r, 300 * KIB));
    ebb_arena *b = ebb_scope_begin_in(a, NULL);
    ebb_alloc(b, rng_below(r, 5000));
    if (rng_one_in(r, 2)) ebb_arena_adopt(a, &b);
    else ebb_scope_end(&b);
    ebb_arena **place = &kept[rng_below(r, 8)];
    if (*place) ebb_scope_end(place);
    *place = a;
    alternate(r);
    if (rng_one_in(r, 16)) ebb_trim();
}

static void *be_busy(void *seed)
{
    rng r = {*(uint64_t *)seed};
    ebb_arena *kept[8] = {NULL};
    one_round(&r, kept);
    atomic_fetch_add(&busy, 1);
    while (!atomic_load(&stop)) one_round(&r, kept);
    for (int i = 0; i < 8; i++)
        if (kept[i]) ebb_scope_end(&kept[i]);
    return NULL;
}

/* What these threads have made, and not a mixture. One that is just being made or labelled may have no
   name yet, or the beginning of one. */
static bool is_known(const ebb_live_node *n)
{
    static const char *const scopes[] = {"GET /vms", "label", "anonymous"};
    if (n->kind == EBB_LIVE_ARENA)
        return !strcmp(n->name, "?") || !strncmp(n->name, "busy", strlen(n->name));
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++)
        if (!strncmp(n->name, scopes[i], strlen(n->name))) return true;
    return false;
}

Test(live, others_go_on_meanwhile)
{
    enum { BUSY = 3 };
    pthread_t t[BUSY];
    uint64_t seed[BUSY] = {1, 2, 3};
    unsigned long looks = scaled(400), seen = 0;
    atomic_store(&stop, false);
    for (int i = 0; i < BUSY; i++) pthread_create(&t[i], NULL, be_busy, &seed[i]);
    while (atomic_load(&busy) < BUSY) sched_yield();
    ebb_arena *a = named_arena("busy");
    bool sound = true, are_known = true, exact = true;
    for (unsigned long n = 0; n < looks; n++) {
        ebb_arena_stats s = stats_of(a);
        ebb_live *l = ebb_live_look(a);
        sound = sound && l && is_sound(l);
        exact = exact && l && is_exactly(l, a, &s);
        for (size_t i = 0; l && i < l->count; i++) are_known = are_known && is_known(&l->node[i]);
        seen += l ? l->count : 0;
        ebb_arena_reset(a);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < BUSY; i++) pthread_join(t[i], NULL);
    cr_assert(sound && are_known && exact, "%d %d %d", sound, are_known, exact);
    cr_assert(seen > looks);
    ebb_arena_destroy(&a);
}

/* ---- without memory ---------------------------------------------------------------------------- */

static ebb_arena *full_arena(char *buffer, size_t size)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.buffer = buffer;
    params.buffer_size = size;
    params.buffer_only = true;
    params.sticky = true;
    ebb_arena *a = ebb_arena_create(&params);
    while (ebb_alloc_optional(a, 8)) {
    }
    return a;
}

Test(live, without_memory_there_is_no_look_and_nothing_else_changes)
{
    char buffer[1024];
    ebb_arena *a = full_arena(buffer, sizeof buffer), *b = ebb_arena_create(NULL);
    ebb_arena_stats before = stats_of(a);
    cr_assert_null(ebb_live_look(a));
    ebb_live *l = look(b);
    static const ebb_format formats[] = {EBB_FORMAT_TEXT, EBB_FORMAT_JSON, EBB_FORMAT_OPENMETRICS};
    for (int i = 0; i < 3; i++) {
        ebb_status why = EBB_OK;
        cr_assert_null(ebb_live_format(l, formats[i], a, &why).ptr);
        cr_assert_eq(why, EBB_E_MEMORY);
        cr_assert_null(ebb_live_format(l, formats[i], a, NULL).ptr);
    }
    ebb_arena_stats after = stats_of(a);
    cr_assert_eq(memcmp(&before, &after, sizeof after), 0);
    cr_assert_eq(ebb_failed(a), EBB_OK);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&b);
}

Test(live, every_allocation_may_fail)
{
    ebb_arena *a = ebb_arena_create(NULL);
    unsigned failures = 0;
    EBB_EACH_FAILURE (f, .arena = a) {
        ebb_live *l = ebb_live_look(a);
        ebb_str text = l ? ebb_live_format(l, EBB_FORMAT_JSON, a, NULL) : (ebb_str){NULL, 0};
        failures += !text.ptr;
        cr_assert_eq(ebb_failed(a), EBB_OK);
    }
    cr_assert_eq(failures, 2u);
    ebb_arena_destroy(&a);
}

static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f) {
        if (fscanf(f, "%lu", &pages) != 1) pages = 0;
        fclose(f);
    }
    return pages * 4096;
}

/* Little more address space, step by step: no look, then one that misses some, then all. */
static void look_with_little(void *arg)
{
    enum { SCOPES = 10000, STEPS = 48 };
    bool *seen = arg; /* none, some, all */
    ebb_arena *a = ebb_arena_create(NULL);
    static ebb_arena *scope[SCOPES];
    for (int i = 0; i < SCOPES; i++) scope[i] = ebb_scope_begin(&profile);
    if (!scope[0] || !ebb_alloc(a, 16 << 20)) _Exit(1);
    ebb_arena_reset(a);
    size_t now = address_space();
    for (rlim_t more = 0; more < STEPS; more++) {
        struct rlimit little = {now + more * 128 * KIB, RLIM_INFINITY};
        if (setrlimit(RLIMIT_AS, &little) != 0) _Exit(2);
        ebb_mark m = ebb_arena_mark(a);
        const ebb_live *l = ebb_live_look(a);
        if (l && !is_sound(l)) _Exit(3);
        if (l && l->count + l->missed < SCOPES) _Exit(4);
        seen[!l ? 0 : l->missed ? 1 : 2] = true;
        ebb_arena_rewind(a, m);
    }
    if (!seen[0] || !seen[1] || !seen[2]) _Exit(10 + seen[0] + 2 * seen[1] + 4 * seen[2]);
}

Test(live, where_pages_cannot_be_had_it_is_said_how_many_are_missing)
{
    if (TESTS_ASAN || TESTS_TSAN || under_valgrind()) cr_skip_test("they take all address space");
    bool seen[3] = {false, false, false};
    death d = in_child(look_with_little, seen);
    cr_assert(lived(&d), "%d %s", d.code, d.err);
}

/* ---- as text ----------------------------------------------------------------------------------- */

static ebb_str format(const ebb_live *l, ebb_format f, ebb_arena *into)
{
    ebb_status why = EBB_OK;
    ebb_str text = ebb_live_format(l, f, into, &why);
    cr_assert_not_null(text.ptr);
    cr_assert_eq(why, EBB_OK);
    cr_assert_eq(strlen(text.ptr), text.len, "a NUL is behind it, and none in it");
    return text;
}

Test(live, a_tree_is_indented_and_sizes_are_exact)
{
    ebb_arena *a = named_arena("config"), *b = ebb_scope_begin_in(a, &profile);
    ebb_alloc(a, 20000);
    ebb_arena_stats s = stats_of(a);
    const char *text = format(look(a), EBB_FORMAT_TEXT, a).ptr;
    cr_assert(strstr(text, "\narena \"config\" at "), "%s", text);
    cr_assert(strstr(text, "\n  scope \"GET /vms\" at "), "%s", text);
    cr_assert(strstr(text, ebb_printf(a, "(%zu) held", s.held)), "%s", text);
    cr_assert(strncmp(text, "alive: ", 7) == 0 && strstr(text, " reserved, "), "%s", text);
    ebb_scope_end(&b);
    ebb_arena_destroy(&a);
}

Test(live, many_alike_are_summed_up)
{
    enum { ALIKE = 10 };
    ebb_arena *a = ebb_arena_create(NULL), *scope[ALIKE];
    for (int i = 0; i < ALIKE; i++) scope[i] = ebb_scope_begin(&profile);
    const char *text = format(look(a), EBB_FORMAT_TEXT, a).ptr;
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, "\nscope \"GET /vms\"")); p++) n++;
    cr_assert_eq(n, 3u, "%s", text);
    cr_assert(strstr(text, "\n7 more of scope \"GET /vms\": "), "%s", text);
    for (int i = 0; i < ALIKE; i++) ebb_scope_end(&scope[i]);
    ebb_arena_destroy(&a);
}

static const char *const hostile[] = {
    "\"},{\"kind\":\"x",
    "back\\slash\\",
    "line\nbreak\r\t",
    "\x1b[31mred",
    "\xff\xfe no UTF-8",
    "\xe2\x80\xaeturned",
    "</script><b>",
    "caf\xc3\xa9 \xe6\xb1\xa0",
    "\xc2\x9b[31m",
    "{}# EOF\n",
    "a name that is much longer than what a node has room for, \xc3\xa9"};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

static bool is_plain(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if ((*p < ' ' && *p != '\n') || *p == 0x7f || *p == 0x9b || *p == 0xff) return false;
    return !strstr(text, "\xe2\x80\xae");
}

static size_t count_of(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)); p++) n++;
    return n;
}

Test(live, hostile_names_stay_names)
{
    ebb_arena *a = ebb_arena_create(NULL), *of[HOSTILE];
    for (int i = 0; i < HOSTILE; i++) of[i] = named_arena(hostile[i]);
    ebb_live *l = look(a);
    for (int i = 0; i < HOSTILE; i++) cr_assert_eq(ebb_arena_name(of[i]), hostile[i]);
    for (int i = 0; i < HOSTILE; i++)
        cr_assert_eq(strncmp(at(l, of[i])->name, hostile[i], 47), 0, "as they were");
    const char *text = format(l, EBB_FORMAT_TEXT, a).ptr;
    cr_assert(is_plain(text), "%s", text);
    cr_assert_eq(count_of(text, "\narena \""), l->count, "a line each");
    cr_assert(strstr(text, "caf\xc3\xa9 \xe6\xb1\xa0") && strstr(text, "line\\x0abreak\\x0d\\x09"));
    cr_assert(strstr(text, "back\\\\slash") && strstr(text, "\\xff\\xfe no UTF-8"));
    const char *json = format(l, EBB_FORMAT_JSON, a).ptr;
    cr_assert_eq(count_of(json, "{\"kind\":\""), l->count, "%s", json);
    cr_assert(!strstr(json, "</script>") && !strstr(json, "\x1b"));
    const char *metrics = format(l, EBB_FORMAT_OPENMETRICS, a).ptr;
    cr_assert(is_plain(metrics), "%s", metrics);
    cr_assert_eq(count_of(metrics, "\nebb_live_things{"), HOSTILE + 1, "%s", metrics);
    cr_assert_eq(count_of(metrics, "\n# EOF\n"), 1u);
    cr_assert_str_eq(metrics + strlen(metrics) - 6, "# EOF\n");
    for (int i = 0; i < HOSTILE; i++) ebb_arena_destroy(&of[i]);
    ebb_arena_destroy(&a);
}

Test(live, metrics_are_sums_by_kind_and_name)
{
    static ebb_profile two = EBB_PROFILE("two");
    ebb_arena *a = named_arena("one"), *b = named_arena("two"), *c = named_arena("two"),
              *s = ebb_scope_begin(&two);
    ebb_alloc(b, 9000);
    size_t held = stats_of(b).held + stats_of(c).held;
    const char *text = format(look(a), EBB_FORMAT_OPENMETRICS, a).ptr;
    cr_assert(strstr(text, "\nebb_live_things{kind=\"arena\",name=\"two\"} 2\n"), "%s", text);
    cr_assert(strstr(text, "\nebb_live_things{kind=\"scope\",name=\"two\"} 1\n"), "%s", text);
    cr_assert(strstr(text, ebb_printf(a, "\nebb_live_held_bytes{kind=\"arena\",name=\"two\"} %zu\n",
                                      held)),
              "%s", text);
    cr_assert(strstr(text, "\nebb_profile_ended_total{profile=\"two\"} 0\n"), "%s", text);
    cr_assert(strstr(text, "\nebb_profile_scope_bytes{profile=\"two\",part=\"tails\"} 0\n"), "%s",
              text);
    ebb_scope_end(&s);
    ebb_arena_destroy(&c);
    ebb_arena_destroy(&b);
    ebb_arena_destroy(&a);
}

Test(live, other_formats_are_not_its)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_live *l = look(a);
    static const ebb_format formats[] = {EBB_FORMAT_HTML, EBB_FORMAT_PPROF, EBB_FORMAT_FOLDED};
    for (int i = 0; i < 3; i++) {
        ebb_status why = EBB_OK;
        cr_assert_null(ebb_live_format(l, formats[i], a, &why).ptr);
        cr_assert_eq(why, EBB_E_UNSUPPORTED);
    }
    ebb_arena_destroy(&a);
}
