/*
 * tests/unit/test_compat_lua.c: ebb/compat/lua.h: Lua's states in an arena, and lua_Alloc alone.
 */
#include "test.h"

#include <ebb/compat/lua.h>
#include <ebb/ebb.h>

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

enum { KIB = 1 << 10, MIB = 1 << 20 };

static size_t held(const ebb_arena *a)
{
    ebb_arena_stats s;
    ebb_arena_get_stats(a, &s);
    return s.held;
}

/* ---- states ------------------------------------------------------------------------------------ */

static int open_libraries(lua_State *L)
{
    luaL_openlibs(L);
    return 0;
}

/* The status of the script, whose answer, or error, is left on top. */
static int run_rounds(lua_State *L, const char *script, unsigned long rounds)
{
    lua_pushcfunction(L, open_libraries);
    int status = lua_pcall(L, 0, 0, 0);
    if (!status) status = luaL_loadstring(L, script);
    if (status) return status;
    lua_pushinteger(L, (lua_Integer)rounds);
    return lua_pcall(L, 1, 1, 0);
}

static int run(lua_State *L, const char *script)
{
    return run_rounds(L, script, 0);
}

static const char sums[] = "local t = {}\n"
                           "for i = 1, 100 do t['key-' .. i] = {i, tostring(i)} end\n"
                           "local sum = 0\n"
                           "for _, v in pairs(t) do sum = sum + v[1] + #v[2] end\n"
                           "return sum";

Test(compat_lua, a_state_lies_in_its_arena)
{
    for (int i = 0; i < 20; i++) {
        ebb_arena *a = ebb_scope_begin(NULL);
        lua_State *L = ebb_lua_newstate(a);
        cr_assert_not_null(L);
        cr_assert_eq(ebb_arena_of(L), a);
        cr_assert_eq(run(L, sums), LUA_OK, "%s", lua_tostring(L, -1));
        cr_assert_eq(lua_tointeger(L, -1), 5050 + 192);
        if (i % 2) lua_close(L); /* allowed, not needed */
        cr_assert_null(ebb_arena_validate(a));
        ebb_scope_end(&a);
    }
}

static const char litter[] = "local sum, rounds = 0, ...\n"
                             "for i = 1, rounds do\n"
                             "  local t = {i, name = 'x' .. i % 1000, deep = {{}, {}}}\n"
                             "  sum = sum + t[1]\n"
                             "end\n"
                             "return sum";

Test(compat_lua, what_is_collected_is_used_again)
{
    if (!layout_is_plain()) cr_skip_test("strict arenas keep what was freed from reuse");
    static ebb_profile tight = EBB_PROFILE("tight", .hard = 256 << 10);
    ebb_arena *a = ebb_scope_begin(&tight);
    lua_State *L = ebb_lua_newstate(a);
    cr_assert_eq(run_rounds(L, litter, scaled(100000)), LUA_OK, "%s", lua_tostring(L, -1));
    cr_assert_null(ebb_arena_validate(a));
    ebb_scope_end(&a);
}

/* Where the collector is stopped, Lua still collects when it is refused memory. */
Test(compat_lua, a_stopped_collector_runs_at_the_limit)
{
    if (!layout_is_plain()) cr_skip_test("strict arenas keep what was freed from reuse");
    static ebb_profile tight = EBB_PROFILE("tight", .hard = 512 << 10);
    ebb_arena *a = ebb_scope_begin(&tight);
    lua_State *L = ebb_lua_newstate(a);
    lua_gc(L, LUA_GCSTOP);
    cr_assert_eq(run_rounds(L, litter, scaled(100000)), LUA_OK, "%s", lua_tostring(L, -1));
    cr_assert_eq(ebb_failed(a), EBB_OK);
    cr_assert_null(ebb_arena_validate(a));
    ebb_scope_end(&a);
}

static const char *const bombs[] = {
    "local t = {} while true do t[#t + 1] = {} end",
    "return ('x'):rep(1 << 30)",
    "local s = 'x' while true do s = s .. s end",
    "local t = {} while true do t[#t + 1] = ('x'):rep(1000 + #t) end",
    "local function deep(n) return 1 + deep(n + 1) end return deep(1)",
};

typedef struct bomb {
    const char *script;
    lua_State *L;
    int status;
    bool came_back;
} bomb;

static int explode(ebb_arena *a, void *arg)
{
    (void)a;
    bomb *b = arg;
    b->status = run(b->L, b->script);
    b->came_back = true;
    return 7;
}

Test(compat_lua, a_bomb_is_an_error_of_lua_and_no_jump)
{
    static ebb_profile tight = EBB_PROFILE("tight", .hard = 1 << 20);
    for (unsigned i = 0; i < sizeof bombs / sizeof *bombs; i++) {
        ebb_arena *a = ebb_scope_begin(&tight);
        ebb_arena *its = ebb_scope_begin_in(a, NULL);
        bomb b = {.script = bombs[i], .L = ebb_lua_newstate(its)};
        cr_assert_not_null(b.L);
        cr_assert_eq(ebb_try(a, explode, &b), 7);
        cr_assert(b.came_back);
        cr_assert(b.status == LUA_ERRMEM || b.status == LUA_ERRRUN, "%u: %d", i, b.status);
        cr_assert_not_null(strstr(lua_tostring(b.L, -1), "memory"), "%s", lua_tostring(b.L, -1));
        cr_assert(ebb_failed(a) == EBB_OK && ebb_failed(its) == EBB_OK);
        cr_assert_null(ebb_arena_validate(its));
        ebb_scope_end(&its);
        cr_assert_not_null(ebb_alloc(a, 500 * KIB)); /* all of it is there again */
        ebb_scope_end(&a);
    }
}

Test(compat_lua, every_failure_is_a_status)
{
    unsigned runs = 0;
    EBB_EACH_FAILURE (f, .this_thread = true) {
        runs++;
        ebb_arena *a = ebb_scope_begin(NULL);
        lua_State *L = ebb_failed(a) ? NULL : ebb_lua_newstate(a);
        int status = L ? run(L, sums) : LUA_ERRMEM;
        if (!ebb_fault_hits(f)) cr_assert_eq(status, LUA_OK);
        cr_assert(status == LUA_OK || status == LUA_ERRMEM, "%d: %s", status,
                  L ? lua_tostring(L, -1) : "no state");
        if (L && status == LUA_OK) cr_assert_eq(lua_tointeger(L, -1), 5050 + 192);
        if (L && runs % 2) lua_close(L);
        cr_assert_null(ebb_arena_validate(a));
        ebb_scope_end(&a);
    }
    cr_assert(runs > 100, "%u", runs);
}

/* ---- lua_Alloc alone --------------------------------------------------------------------------- */

enum { BLOCKS = 200, MOST = 20000 };

typedef struct model {
    ebb_arena *arena;
    struct {
        unsigned char *ptr, fill;
        size_t size;
    } block[BLOCKS];
    rng random;
} model;

static size_t draw(model *m, size_t below)
{
    return rng_below(&m->random, below);
}

/* Mostly small; 0 frees. */
static size_t draw_size(model *m)
{
    static const size_t most[] = {64, 64, 600, 600, 4100, MOST};
    return draw(m, 5) ? draw(m, most[draw(m, sizeof most / sizeof *most)]) : 0;
}

static void change(model *m, size_t i)
{
    size_t size = draw_size(m), old = m->block[i].size, kept = old < size ? old : size;
    unsigned char *was = m->block[i].ptr;
    unsigned char *p = ebb_hook_sized(m->arena, was, was ? old : draw(m, 9), size);
    cr_assert_eq(p != NULL, size != 0);
    cr_assert_eq((uintptr_t)p % 16, 0u);
    cr_assert_eq(bytes_check(p, m->block[i].fill, was ? kept : 0), was ? kept : 0);
    m->block[i].fill = (unsigned char)draw(m, 256);
    if (p) memset(p, m->block[i].fill, size);
    m->block[i].ptr = p;
    m->block[i].size = size;
}

static void check_blocks(const model *m)
{
    for (unsigned i = 0; i < BLOCKS; i++)
        if (m->block[i].ptr)
            cr_assert_eq(bytes_check(m->block[i].ptr, m->block[i].fill, m->block[i].size),
                         m->block[i].size);
    const char *broken = ebb_arena_validate(m->arena);
    cr_assert_null(broken, "%s", broken);
}

static void change_many(ebb_arena *a, uint64_t seed)
{
    static model m;
    m = (model){.arena = a, .random = {seed}};
    for (unsigned i = 0; i < scaled(20000); i++) {
        change(&m, draw(&m, BLOCKS));
        if (i % 1000 == 0) check_blocks(&m);
    }
    check_blocks(&m);
    for (unsigned i = 0; i < BLOCKS; i++) ebb_hook_sized(a, m.block[i].ptr, m.block[i].size, 0);
    cr_assert_null(ebb_arena_validate(a));
}

Test(compat_lua, blocks_keep_their_bytes_whatever_their_sizes)
{
    static char buffer[256 << 10];
    const ebb_arena_params kinds[] = {
        EBB_ARENA_PARAMS_INIT,
        {.wipe = true},
        {.hard = 64 << 20},
        {.buffer = buffer, .buffer_size = sizeof buffer},
    };
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        ebb_arena *a = ebb_arena_create(&kinds[i]);
        change_many(a, i + 1);
        ebb_arena_reset(a);
        change_many(a, i + 10);
        ebb_arena_destroy(&a);
    }
}

Test(compat_lua, so_they_do_while_tracked)
{
    for (ebb_track_level level = EBB_TRACK_SITES; level <= EBB_TRACK_FULL; level++) {
        ebb_arena *a = ebb_arena_create(NULL);
        const ebb_tracker_params how = {.level = level, .sample_bytes = 4096};
        ebb_tracker *t = ebb_tracker_begin("lua", (ebb_watch){.arena = a}, &how, NULL);
        cr_assert_not_null(t);
        change_many(a, 1);
        ebb_totals seen;
        ebb_tracker_get_totals(t, &seen);
        cr_assert(seen.count > 0);
        if (level == EBB_TRACK_FULL) cr_assert_eq(seen.live_count, 0u);
        ebb_tracker_end(&t);
        change_many(a, 2);
        ebb_arena_destroy(&a);
    }
}

typedef struct handed {
    ebb_arena *arena;
    void *ptr, *later;
} handed;

static void free_elsewhere(void *arg)
{
    handed *h = arg;
    ebb_scope_attach(h->arena);
    h->later = ebb_hook_sized(h->arena, NULL, 0, 40); /* nobody wants to hear of it */
    ebb_hook_sized(h->arena, h->later, 40, 0);
    ebb_hook_sized(h->arena, h->ptr, 100, 0); /* of this somebody does */
}

Test(compat_lua, who_follows_a_thread_hears_of_what_others_free)
{
    const ebb_tracker_params how = {.level = EBB_TRACK_FULL};
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_hook_sized(a, ebb_hook_sized(a, NULL, 0, 40), 40, 0); /* from now on there are lists */
    ebb_tracker *t = ebb_tracker_begin("mine", (ebb_watch){.this_thread = true}, &how, NULL);
    handed h = {.arena = a, .ptr = ebb_hook_sized(a, NULL, 0, 100)};
    ebb_totals seen;
    ebb_tracker_get_totals(t, &seen);
    cr_assert(h.ptr && seen.live_count == 1);
    on_thread(free_elsewhere, &h);
    cr_assert_not_null(h.later);
    ebb_tracker_get_totals(t, &seen);
    cr_assert_eq(seen.live_count, 0u);
    ebb_tracker_end(&t);
    ebb_scope_attach(a);
    ebb_arena_destroy(&a);
}

Test(compat_lua, so_they_do_under_strict_checks)
{
    ebb_checks_set(EBB_CHECKS_STRICT);
    ebb_arena *a = ebb_arena_create(NULL);
    change_many(a, 3);
    ebb_arena_destroy(&a);
}

Test(compat_lua, the_same_again_takes_no_more)
{
    if (!layout_is_plain()) cr_skip_test("strict arenas keep what was freed from reuse");
    ebb_arena *a = ebb_scope_begin(NULL);
    change_many(a, 1);
    size_t before = held(a);
    change_many(a, 1);
    cr_assert_eq(held(a), before);
    ebb_scope_end(&a);
}

Test(compat_lua, a_freed_block_is_the_next_of_its_size)
{
    if (!layout_is_plain()) cr_skip_test("strict arenas keep what was freed from reuse");
    static const size_t sizes[] = {1, 16, 17, 500, 512, 513, 640, 641, 1024, 1025, 2047, 3584};
    ebb_arena *a = ebb_scope_begin(NULL);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *p = ebb_hook_sized(a, NULL, 0, sizes[i]), *wall = ebb_hook_sized(a, NULL, 0, 16);
        cr_assert(p && wall);
        ebb_hook_sized(a, p, sizes[i], 0);
        cr_assert_eq(ebb_hook_sized(a, NULL, 5, sizes[i]), p, "%zu", sizes[i]);
    }
    cr_assert_null(ebb_arena_validate(a));
    ebb_scope_end(&a);
}

static void fill_up(ebb_arena *a, size_t size)
{
    while (ebb_hook_sized(a, NULL, 0, size)) continue;
}

Test(compat_lua, making_a_block_smaller_never_fails)
{
    static ebb_profile tight = EBB_PROFILE("tight", .hard = 64 << 10);
    static const size_t sizes[] = {20000, 3000, 500, 100, 10};
    for (unsigned i = 0; i + 1 < sizeof sizes / sizeof *sizes; i++) {
        ebb_arena *a = ebb_scope_begin(&tight);
        char *p = ebb_hook_sized(a, NULL, 0, sizes[i]);
        cr_assert_not_null(p);
        memset(p, 7, sizes[i]);
        for (size_t size = 8000; size; size /= 2) fill_up(a, size);
        cr_assert_null(ebb_hook_sized(a, p, sizes[i], 30000)); /* and is left as it was */
        for (unsigned j = i; j + 1 < sizeof sizes / sizeof *sizes; j++) {
            p = ebb_hook_sized(a, p, sizes[j], sizes[j + 1]);
            cr_assert_not_null(p);
            cr_assert_eq(bytes_check(p, 7, sizes[j + 1]), sizes[j + 1]);
        }
        cr_assert_eq(ebb_failed(a), EBB_OK);
        cr_assert_null(ebb_arena_validate(a));
        ebb_scope_end(&a);
    }
}

Test(compat_lua, a_larger_hole_serves_where_there_is_no_memory_else)
{
    if (!layout_is_plain()) cr_skip_test("strict arenas keep what was freed from reuse");
    static ebb_profile tight = EBB_PROFILE("tight", .hard = 64 << 10);
    ebb_arena *a = ebb_scope_begin(&tight);
    void *first = ebb_hook_sized(a, NULL, 0, 64), *p = ebb_hook_sized(a, NULL, 0, 500);
    ebb_hook_sized(a, first, 64, 0); /* from now on there are lists */
    for (size_t size = 8000; size; size /= 2) fill_up(a, size);
    cr_assert_null(ebb_hook_sized(a, NULL, 0, 40));
    ebb_hook_sized(a, p, 500, 0);
    cr_assert_eq(ebb_hook_sized(a, NULL, 0, 40), p);
    cr_assert_null(ebb_arena_validate(a));
    ebb_scope_end(&a);
}

Test(compat_lua, a_rewind_forgets_what_was_freed)
{
    ebb_arena *a = ebb_arena_create(NULL);
    void *old = ebb_hook_sized(a, NULL, 0, 100);
    for (int i = 0; i < 3; i++) {
        ebb_mark m = ebb_arena_mark(a);
        void *p = ebb_hook_sized(a, NULL, 0, 200), *q = ebb_hook_sized(a, NULL, 0, 6000);
        cr_assert(p && q);
        ebb_hook_sized(a, p, 200, 0);
        ebb_hook_sized(a, q, 6000, 0);
        ebb_arena_rewind(a, m);
        cr_assert_null(ebb_arena_validate(a));
    }
    memset(old, 1, 100);
    ebb_arena_destroy(&a);
}

Test(compat_lua, a_write_to_what_was_freed_is_found)
{
    if (!layout_is_plain()) cr_skip_test("strict arenas keep what was freed from reuse");
    ebb_arena *a = ebb_arena_create(NULL);
    void *p = ebb_hook_sized(a, NULL, 0, 64), *q = ebb_hook_sized(a, NULL, 0, 64);
    ebb_hook_sized(a, p, 64, 0);
    ebb_hook_sized(a, q, 64, 0);
    size_t saved = ((size_t *)p)[1];
    ((size_t *)p)[1] = 80;
    cr_assert_str_eq(ebb_arena_validate(a), "what a library freed has been written to");
    ((size_t *)p)[1] = saved;
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
}

Test(compat_lua, a_dead_arena_makes_no_state)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a},
                                   &(ebb_fault_params){.nth = 1, .from_nth_on = true}, NULL);
    cr_assert_null(ebb_lua_newstate(a));
    ebb_fault_end(&f);
    lua_State *L = ebb_lua_newstate(a);
    cr_assert_not_null(L);
    ebb_arena_destroy(&a);
}
