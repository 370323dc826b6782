/*
 * bench/guard/guard.c: twelve operations whose instructions are counted, so that a change that makes one
 * of them dearer is seen whatever the machine is busy with. `bench/guard/check` runs this under callgrind
 * and compares; by itself it says nothing of use.
 *
 * All that could make a count differ from run to run is fixed here: sizes and keys are drawn from fixed
 * seeds, maps and tables are given theirs, the cache (whose seed nobody can give) has one entry, so that
 * nothing collides, and there is one thread. A profile looks at one end in 67 once it has seen enough,
 * and tells the others at each 16th look, so an operation is run for whole such rounds.
 */
#include "../arena/inputs.h"
#include "../harness/harness.h"

#include <ebb/cache.h>
#include <ebb/ebb.h>

#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum {
    ROUND = 67 * 16,    /* ends from one merge of what a profile learns to the next */
    SETTLE = 5 * ROUND, /* until it looks at one in 67, not one in 17 */
    BLOCKS = 100,
    CONSTANT = 16,
    SMALL = 32, /* bytes of a W3 block; at most of those of variable size */
    FEW = 8,
    BODY_BLOCK = 1500, /* more than any head has */
    PIECES = 64,
    PUSHES = 200,
    KEYS = 20,
    LOOKS = 60,
    NAMES = 500,
    LENT = 4,
    HITS = 16,
    TEXT = 32
};

static const uint64_t SEED = 0x9e3779b97f4a7c15u;

/* ---- inputs ---------------------------------------------------------------------------------- */

static struct {
    uint32_t size[BLOCKS];
    uint64_t key[KEYS], look[LOOKS];
    char text[NAMES][TEXT];
    ebb_str name[NAMES], look_name[LOOKS];
} in;

static void draw_names(bench_random *r)
{
    for (size_t i = 0; i < NAMES; i++) {
        int len = snprintf(in.text[i], TEXT, "%.*s-%zu", (int)(2 + bench_random_next(r) % 20),
                           "x-forwarded-tenant-nodes", i);
        in.name[i] = (ebb_str){in.text[i], (size_t)len};
    }
}

/* Two of three look-ups find something. */
static void draw(void)
{
    bench_random r = {SEED};
    inputs_draw();
    draw_names(&r);
    for (size_t i = 0; i < BLOCKS; i++) in.size[i] = 1 + (uint32_t)(bench_random_next(&r) % SMALL);
    for (size_t i = 0; i < KEYS; i++) in.key[i] = bench_random_next(&r);
    for (size_t i = 0; i < LOOKS; i++) {
        size_t pick = bench_random_next(&r) % KEYS + (i % 3 ? 0 : KEYS);
        in.look[i] = i % 3 ? in.key[pick] : bench_random_next(&r);
        in.look_name[i] = in.name[pick];
    }
}

static inline void touch(void *block)
{
    *(unsigned *)block = 1;
    __asm__ volatile("" : : "r"(block));
}

static inline void keep(const void *p)
{
    __asm__ volatile("" : : "r"(p) : "memory");
}

static void need(bool is)
{
    if (is) return;
    fprintf(stderr, "guard: an operation has failed\n");
    exit(1);
}

/* ---- the operations -------------------------------------------------------------------------- */

/* A loop over an operation that is a scope of its own; its size known or not is what differs. */
#define OPERATION(name)                                                                            \
    static ebb_profile name##_profile = EBB_PROFILE(#name);                                        \
    static inline void name(ebb_arena *a, void *state, size_t op);                                 \
    static BENCH_NOINLINE void run_##name(void *state, size_t ops)                                 \
    {                                                                                              \
        for (size_t op = 0; op < ops; op++) {                                                      \
            ebb_arena *a = ebb_scope_begin(&name##_profile);                                       \
            name(a, state, op);                                                                    \
            ebb_scope_end(&a);                                                                     \
        }                                                                                          \
    }                                                                                              \
    static inline void name(ebb_arena *a, void *state, size_t op)

OPERATION(alloc_constant)
{
    (void)state, (void)op;
    for (size_t i = 0; i < BLOCKS; i++) touch(ebb_alloc(a, CONSTANT));
}

OPERATION(alloc_variable)
{
    (void)state, (void)op;
    for (size_t i = 0; i < BLOCKS; i++) touch(ebb_alloc(a, in.size[i]));
}

OPERATION(scope)
{
    (void)state, (void)op;
    for (size_t i = 0; i < FEW; i++) touch(ebb_alloc(a, SMALL));
}

OPERATION(request)
{
    (void)state;
    const uint32_t *size = inputs.requests[op % W2_REQUESTS];
    for (size_t i = 0; i < W2_BLOCKS; i++) touch(ebb_alloc(a, size[i]));
}

OPERATION(overflow)
{
    (void)state, (void)op;
    touch(ebb_alloc(a, SMALL));
    touch(ebb_alloc(a, BODY_BLOCK));
}

OPERATION(builder)
{
    (void)state, (void)op;
    ebb_builder b = ebb_builder_in(a);
    for (size_t i = 0; i < PIECES; i++) ebb_builder_append(&b, in.name[i]);
    keep(ebb_builder_finish(&b).ptr);
}

OPERATION(vector)
{
    (void)state, (void)op;
    ebb_vec_u64 v = ebb_vec_u64_in(a);
    for (size_t i = 0; i < PUSHES; i++) ebb_vec_u64_push(&v, i);
    keep(v.ptr);
}

OPERATION(map_numbers)
{
    (void)op;
    ebb_map_u64_ptr m = ebb_map_u64_ptr_in(a);
    m.seed = SEED;
    for (size_t i = 0; i < KEYS; i++) keep(ebb_map_u64_ptr_put(&m, in.key[i], state));
    for (size_t i = 0; i < LOOKS; i++) keep(ebb_map_u64_ptr_find(&m, in.look[i]));
}

OPERATION(map_names)
{
    (void)op;
    ebb_map_str_ptr m = ebb_map_str_ptr_in(a);
    m.seed = SEED;
    for (size_t i = 0; i < KEYS; i++) keep(ebb_map_str_ptr_put(&m, in.name[i], state));
    for (size_t i = 0; i < LOOKS; i++) keep(ebb_map_str_ptr_find(&m, in.look_name[i]));
}

OPERATION(pool)
{
    (void)op;
    for (size_t i = 0; i < LENT; i++) touch(ebb_pool_acquire(state, a, NULL));
}

OPERATION(cache)
{
    (void)op;
    for (size_t i = 0; i < HITS; i++) keep(ebb_cache_find(state, a, ebb_key_str(in.name[0])));
}

/* Needs no scope. */
static BENCH_NOINLINE void run_intern(void *state, size_t ops)
{
    for (size_t op = 0; op < ops; op++) {
        ebb_sym sym = ebb_intern(state, in.name[op % NAMES]);
        __asm__ volatile("" : : "r"(sym));
    }
}

/* ---- what they work on ----------------------------------------------------------------------- */

static ebb_symtab *make_table(void)
{
    ebb_symtab_params how = EBB_SYMTAB_PARAMS_INIT;
    how.seed = SEED;
    ebb_symtab *t = ebb_symtab_create(&how, NULL);
    need(t);
    for (size_t i = 0; i < NAMES; i++) need(ebb_intern(t, in.name[i]));
    return t;
}

static ebb_pool *make_pool(void)
{
    ebb_pool_params how = EBB_POOL_PARAMS_INIT;
    how.size = 256;
    how.min_size = LENT;
    ebb_pool *p = ebb_pool_create(&how, NULL);
    need(p);
    return p;
}

static int load(void *ctx, ebb_arena *into, ebb_key key, const void **ret_root)
{
    (void)ctx, (void)key;
    *ret_root = ebb_new(into, uint64_t);
    return *ret_root ? 0 : EBB_E_MEMORY;
}

static ebb_cache *make_cache(void)
{
    ebb_cache_params how = EBB_CACHE_PARAMS_INIT;
    how.max_entries = NAMES;
    ebb_cache *c = ebb_cache_create(&how, NULL);
    need(c);
    ebb_cache_load_params loading = {.fn = load, .deadline_ns = UINT64_MAX};
    const void *found;
    ebb_arena *a = ebb_scope_begin(NULL);
    need(!ebb_cache_load(c, a, ebb_key_str(in.name[0]), &loading, &found));
    ebb_scope_end(&a);
    return c;
}

/* What the counts depend on beside the sources. */
static void print_toolchain(void)
{
#if defined(__clang__)
    const char *compiler = "clang";
#else
    const char *compiler = "gcc";
#endif
#if defined(__x86_64__)
    const char *machine = "x86_64";
#elif defined(__aarch64__)
    const char *machine = "aarch64";
#else
    const char *machine = "other";
#endif
#if !defined(__OPTIMIZE__)
    compiler = "unoptimised";
#endif
    printf("for\t%s %s, %s, glibc %s\n", compiler, __VERSION__, machine, gnu_get_libc_version());
}

#define ROW(label, op, on)                                                                         \
    {                                                                                              \
        .name = label, .run = run_##op, .state = on, .settle = SETTLE                              \
    }

int main(void)
{
    print_toolchain();
    if (!bench_under_valgrind()) return 0;
    draw();
    bench_entry rows[] = {
        ROW("alloc, constant size", alloc_constant, NULL),
        ROW("alloc, variable size", alloc_variable, NULL),
        ROW("scope of 8 x 32 B", scope, NULL),
        ROW("request of 200 sizes", request, NULL),
        ROW("scope with a body", overflow, NULL),
        ROW("builder, 64 pieces", builder, NULL),
        ROW("vector, 200 pushes", vector, NULL),
        ROW("map, 20 numbers", map_numbers, &in),
        ROW("map, 20 names", map_names, &in),
        ROW("intern, a hit", intern, make_table()),
        ROW("pool, 4 objects", pool, make_pool()),
        ROW("cache, 16 hits", cache, make_cache()),
    };
    bench_count_instructions(rows, COUNT(rows), "guard", ROUND);
    return 0;
}
