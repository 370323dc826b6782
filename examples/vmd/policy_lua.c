/*
 * examples/vmd/policy_lua.c: POST /schedule?policy=lua: a tenant's own policy, a script that comes
 * with the request. policy.lua is one.
 *
 * Each request has a Lua state of its own, which begins and ends with it:
 *
 *   ebb      in a scope of its own below the request's, whose limit is thus the script's; it is not
 *            closed: the scope ends
 *   malloc   by malloc, counted by hand up to the same limit; lua_close frees block by block
 *
 * Whatever a script does, it is answered with an error that says what, and the server goes on:
 *
 *   memory   Lua's allocator answers NULL. It never jumps, nor does anything that is called from
 *            Lua: what the script answers is put into a run, and the reply is written afterwards.
 *   time     instructions are counted by a hook, which can't be caught by pcall, and the thread's
 *            time is looked at now and then: an instruction may copy all the memory there is
 *   C        No hook runs while Lua's own libraries work, nor in __gc and message handlers. So what
 *            may take for ever there is left out (patterns, table.move, metatables, xpcall,
 *            coroutines) or bounded (string.rep, insert, remove and sort of tables)
 *   the rest of the server: no files, no modules, no bytecode, no clock, no random numbers
 */
#include "schedule.h"

#ifdef VMD_LUA

#include <ebb/compat/lua.h>

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    LOOK_EVERY = 2000,      /* instructions */
    SECONDS_MOST = 2,       /* of the thread's time */
    COLLECT_FROM_KIB = 256, /* few scripts come so far; a collector costs the others 3 % */
    REPEATS_MOST = 1 << 16,
    ENTRIES_MOST = 1 << 16,
    REASON_MOST = 256
};

typedef struct run {
    ebb_arena *scope; /* ebb */
    size_t used;      /* malloc */
    size_t refused;   /* bytes that were asked for last, and not given */
    bool too_much;    /* then: by the request's own limit, not for want of the server's memory */
    long long left;   /* instructions */
    time_t until;     /* of the thread's clock */
    bool late, no_memory, collects;
    json_t *script;
    batch *batch;
    /* The machine, and what the script answers. */
    json_t *vm;
    const wanted *wanted;
    choice best[1 + ALTERNATIVES];
    int count;
    ebb_str reason; /* on Lua's stack */
} run;

/* ---- memory ---------------------------------------------------------------------------------- */

static void *heap_alloc(run *r, void *ptr, size_t old, size_t size)
{
    if (!ptr) old = 0;
    if (size == 0) {
        free(ptr);
    } else if (size > old && opt.max_request && r->used + (size - old) > opt.max_request) {
        return NULL;
    } else {
        ptr = realloc(ptr, size);
        if (!ptr) return NULL;
    }
    r->used = r->used - old + size;
    return size ? ptr : NULL;
}

/* As far as can be told. */
static bool is_too_much(const run *r, size_t more)
{
    enum { CHUNK = 64 << 10 };
    size_t held = r->used;
    if (r->scope) {
        ebb_arena_stats s;
        ebb_arena_get_stats(ebb_arena_parent(r->scope), &s);
        held = s.charged + more + CHUNK; /* blocks are rounded up, by as much again at most */
    }
    return opt.max_request && held + more > opt.max_request;
}

/* A refusal stands only if no later one is granted: Lua collects, and asks again. */
static void *policy_alloc(void *context, void *ptr, size_t old, size_t size)
{
    run *r = context;
    void *p = r->scope ? ebb_hook_sized(r->scope, ptr, old, size) : heap_alloc(r, ptr, old, size);
    if (!ptr) old = 0;
    if (size > old) r->refused = p ? 0 : size;
    if (r->refused && !p && size) r->too_much = is_too_much(r, size - old);
    return p;
}

/* ---- time ------------------------------------------------------------------------------------ */

static run *run_of(lua_State *L)
{
    return *(run **)lua_getextraspace(L);
}

static time_t thread_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec;
}

static void on_count(lua_State *L, lua_Debug *info)
{
    (void)info;
    run *r = run_of(L);
    r->left -= LOOK_EVERY;
    if (!r->collects && lua_gc(L, LUA_GCCOUNT) > COLLECT_FROM_KIB) {
        r->collects = true;
        lua_gc(L, LUA_GCRESTART);
    }
    r->late = r->left <= 0 || thread_seconds() > r->until;
    if (!r->late) return;
    lua_pushnil(L); /* what it says is not looked at */
    lua_error(L);
}

/* ---- what a script may call ------------------------------------------------------------------ */

/* What lua_pcall returned is no mistake of the script's. A buffer of Lua's that can't grow is an
   error like others, but then it was the last to ask; when there is no memory for a larger stack,
   a smaller one is asked for after that. */
static bool is_over(run *r, int status)
{
    if (status == LUA_ERRMEM || (status != LUA_OK && r->refused)) r->no_memory = true;
    return r->late || r->no_memory;
}

/* A script may catch its own mistakes, but not that it has used up its time or memory. */
static int policy_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    if (is_over(run_of(L), status)) lua_error(L);
    lua_pushboolean(L, status == LUA_OK);
    lua_insert(L, 1);
    return lua_gettop(L);
}

/* With the same arguments. */
static int call_original(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int bounded_rep(lua_State *L)
{
    if (luaL_checkinteger(L, 2) > REPEATS_MOST)
        return luaL_error(L, "string.rep repeats at most %d times here", REPEATS_MOST);
    return call_original(L);
}

/* The length of a table with holes may be anything. */
static int bounded_table(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (lua_rawlen(L, 1) > ENTRIES_MOST)
        return luaL_error(L, "a table may have at most %d entries here", ENTRIES_MOST);
    return call_original(L);
}

/* find(text, words, from, true): no patterns, which may take for ever; this is linear. */
static int plain_find(lua_State *L)
{
    size_t n, m;
    const char *in = luaL_checklstring(L, 1, &n), *words = luaL_checklstring(L, 2, &m);
    lua_Integer from = luaL_optinteger(L, 3, 1);
    if (!lua_toboolean(L, 4))
        return luaL_error(L, "string.find has no patterns here: its fourth argument must be true");
    if (from < 0) from = from < -(lua_Integer)n ? 1 : (lua_Integer)n + from + 1;
    if (from == 0) from = 1;
    const char *found = NULL;
    if ((size_t)from <= n + 1) found = memmem(in + from - 1, n - (size_t)from + 1, words, m);
    if (!found) return 0;
    lua_pushinteger(L, found - in + 1);
    lua_pushinteger(L, found - in + (lua_Integer)m);
    return 2;
}

/* Left out: NULL. What is put in a function's place can call that. */
static const luaL_Reg of_base[] = {{"collectgarbage", NULL},
                                   {"dofile", NULL},
                                   {"getmetatable", NULL},
                                   {"load", NULL},
                                   {"loadfile", NULL},
                                   {"pcall", policy_pcall},
                                   {"print", NULL},
                                   {"setmetatable", NULL},
                                   {"warn", NULL},
                                   {"xpcall", NULL},
                                   {NULL, NULL}};
static const luaL_Reg of_math[] = {{"random", NULL}, {"randomseed", NULL}, {NULL, NULL}};
static const luaL_Reg of_string[] = {
    {"dump", NULL}, {"find", plain_find}, {"gmatch", NULL}, {"gsub", NULL},       {"match", NULL},
    {"pack", NULL}, {"packsize", NULL},   {"unpack", NULL}, {"rep", bounded_rep}, {NULL, NULL}};
static const luaL_Reg of_table[] = {{"insert", bounded_table},
                                    {"move", NULL},
                                    {"remove", bounded_table},
                                    {"sort", bounded_table},
                                    {NULL, NULL}};

static void open_library(lua_State *L, const char *name, lua_CFunction open, const luaL_Reg *other)
{
    luaL_requiref(L, name, open, 1);
    for (; other->name; other++) {
        if (other->func) {
            lua_getfield(L, -1, other->name);
            lua_pushcclosure(L, other->func, 1);
        } else {
            lua_pushnil(L);
        }
        lua_setfield(L, -2, other->name);
    }
    lua_pop(L, 1);
}

/* ---- what a script is given ------------------------------------------------------------------ */

static void set_int(lua_State *L, const char *name, lua_Integer value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

static void set_left(lua_State *L, const config *left)
{
    set_int(L, "cpus_left", left->cpus);
    set_int(L, "memory_left", left->memory_mb);
}

static void push_nodes(lua_State *L, const batch *b)
{
    lua_createtable(L, (int)opt.nodes, 0);
    for (unsigned i = 0; i < opt.nodes; i++) {
        char name[16];
        lua_createtable(L, 0, 6);
        snprintf(name, sizeof name, "node-%03u", i);
        lua_pushstring(L, name);
        lua_setfield(L, -2, "name");
        snprintf(name, sizeof name, "zone-%u", i % ZONES);
        lua_pushstring(L, name);
        lua_setfield(L, -2, "zone");
        set_int(L, "cpus", b->all[i].cpus);
        set_int(L, "memory_mb", b->all[i].memory_mb);
        set_left(L, &b->left[i]);
        lua_rawseti(L, -2, i + 1);
    }
}

static void push_json(lua_State *L, json_t *value);

static void push_array(lua_State *L, json_t *array)
{
    size_t i;
    json_t *value;
    lua_createtable(L, (int)json_array_size(array), 0);
    json_array_foreach(array, i, value)
    {
        push_json(L, value);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_object(lua_State *L, json_t *object)
{
    const char *key;
    json_t *value;
    lua_createtable(L, 0, (int)json_object_size(object));
    json_object_foreach(object, key, value)
    {
        push_json(L, value);
        lua_setfield(L, -2, key);
    }
}

static void push_json(lua_State *L, json_t *value)
{
    luaL_checkstack(L, 4, "the machine is nested too deeply");
    switch (json_typeof(value)) {
    case JSON_OBJECT: push_object(L, value); break;
    case JSON_ARRAY: push_array(L, value); break;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER: lua_pushinteger(L, json_integer_value(value)); break;
    case JSON_REAL: lua_pushnumber(L, json_real_value(value)); break;
    case JSON_NULL: lua_pushnil(L); break;
    default: lua_pushboolean(L, json_is_true(value));
    }
}

/* ---- what it answers ------------------------------------------------------------------------- */

static lua_Integer integer_in(lua_State *L, const char *name, lua_Integer least, lua_Integer most)
{
    int is_integer;
    lua_getfield(L, -1, name);
    lua_Integer value = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || lua_type(L, -1) != LUA_TNUMBER || value < least || value > most)
        luaL_error(L, "the policy's answer: %s must be an integer from %I to %I", name,
                   (LUAI_UACINT)least, (LUAI_UACINT)most);
    lua_pop(L, 1);
    return value;
}

static void read_choices(lua_State *L, run *r, int at)
{
    if (lua_type(L, at) != LUA_TTABLE)
        luaL_error(L, "the policy must return the nodes to choose, and why, not a %s",
                   luaL_typename(L, at));
    size_t count = lua_rawlen(L, at);
    if (count > 1 + ALTERNATIVES) luaL_error(L, "the policy returned more than 4 nodes");
    for (r->count = 0; (size_t)r->count < count; r->count++) {
        if (lua_rawgeti(L, at, r->count + 1) != LUA_TTABLE)
            luaL_error(L, "the policy's answer: a node must be a table of index and score");
        choice *c = &r->best[r->count];
        c->node = (unsigned)integer_in(L, "index", 1, opt.nodes) - 1;
        c->score = (int)integer_in(L, "score", -PER_MILLE * PER_MILLE, PER_MILLE * PER_MILLE);
        lua_pop(L, 1);
    }
}

static void read_reason(lua_State *L, run *r, int at)
{
    size_t len;
    if (lua_type(L, at) != LUA_TSTRING)
        luaL_error(L, "the policy must return why as a string, not a %s", luaL_typename(L, at));
    const char *reason = lua_tolstring(L, at, &len);
    bool is_text =
        len <= REASON_MOST && strlen(reason) == len && ebb_utf8_valid((ebb_str){reason, len});
    if (!is_text) luaL_error(L, "the policy's reason must be UTF-8 of at most 256 bytes");
    r->reason = (ebb_str){reason, len};
}

/* ---- inside lua_pcall ------------------------------------------------------------------------ */

/* (run) -> the policy's function, the nodes */
static int begin(lua_State *L)
{
    run *r = lua_touserdata(L, 1);
    open_library(L, "_G", luaopen_base, of_base);
    open_library(L, "math", luaopen_math, of_math);
    open_library(L, "string", luaopen_string, of_string);
    open_library(L, "table", luaopen_table, of_table);
    lua_sethook(L, on_count, LUA_MASKCOUNT, LOOK_EVERY);
    const char *script = json_string_value(r->script);
    if (luaL_loadbufferx(L, script, json_string_length(r->script), "=policy", "t")) lua_error(L);
    lua_call(L, 0, 1);
    if (!lua_isfunction(L, -1))
        return luaL_error(L, "the policy must return a function, not a %s", luaL_typename(L, -1));
    push_nodes(L, r->batch);
    return 2;
}

/* (function, nodes, run) -> reason */
static int place(lua_State *L)
{
    run *r = lua_touserdata(L, 3);
    lua_pushvalue(L, 1);
    push_json(L, r->vm);
    lua_pushvalue(L, 2);
    lua_pushstring(L, r->batch->spread ? "spread" : "pack");
    lua_call(L, 3, 2);
    read_choices(L, r, 4);
    read_reason(L, r, 5);
    if (!r->count) return 1;
    unsigned node = r->best[0].node;
    if (!has_room(r->batch, node, r->wanted))
        return luaL_error(L, "the policy chose node %d, which has no room", (int)node + 1);
    take_room(r->batch, node, r->wanted);
    lua_rawgeti(L, 2, node + 1);
    if (lua_istable(L, -1)) set_left(L, &r->batch->left[node]);
    lua_settop(L, 5);
    return 1;
}

/* ---- outside --------------------------------------------------------------------------------- */

/* Any bytes may be in there: those that are not ASCII's are not repeated. */
static void copy_message(lua_State *L, char *to, size_t size)
{
    if (lua_type(L, -1) != LUA_TSTRING) {
        snprintf(to, size, "the policy raised an error that is a %s, not a string",
                 luaL_typename(L, -1));
        return;
    }
    snprintf(to, size, "%s", lua_tostring(L, -1));
    for (; *to; to++)
        if (*to < ' ' || *to > '~') *to = '?';
}

/* What is to be answered, where lua_pcall returned @status. */
static int explain(run *r, int status, lua_State *L, char *to, size_t size)
{
    if (!is_over(r, status)) copy_message(L, to, size);
    else if (r->no_memory && !r->too_much) return 507;
    else if (r->no_memory)
        snprintf(to, size,
                 "the policy needs more memory than the %zu bytes that a request may have",
                 opt.max_request);
    else if (r->left <= 0)
        snprintf(to, size, "the policy took more than %zu instructions", opt.policy_steps);
    else snprintf(to, size, "the policy took more than %d s", SECONDS_MOST);
    return 422;
}

/* Status 0: *@r has the answer. Else why not, in @to. */
static int place_one(run *r, lua_State *L, char *to, size_t size)
{
    lua_settop(L, 2);
    lua_pushcfunction(L, place);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_pushlightuserdata(L, r);
    int status = lua_pcall(L, 3, 1, 0);
    return status ? explain(r, status, L, to, size) : 0;
}

static int place_each(request *req, run *r, lua_State *L, json_t *vms, char *to, size_t size)
{
    size_t i;
    text *t = &req->reply;
    lua_pushcfunction(L, begin);
    lua_pushlightuserdata(L, r);
    int status = lua_pcall(L, 1, 2, 0);
    if (status) return explain(r, status, L, to, size);
    text_put(t, "{\"placements\":[");
    json_array_foreach(vms, i, r->vm)
    {
        wanted w;
        const char *wrong = read_wanted(r->vm, r->batch->groups, &w);
        r->wanted = &w;
        if (wrong) snprintf(to, size, "vms[%zu]: %s", i, wrong);
        status = wrong ? 422 : place_one(r, L, to, size);
        if (status) return status;
        text_put(t, i ? "," : "");
        add_choices(t, w.name, r->best, r->count);
        text_json(t, r->reason.ptr);
        text_put(t, "}");
    }
    text_put(t, "]}");
    return 0;
}

int place_by_policy(request *req, json_t *vms, batch *b, json_t *script)
{
    static ebb_profile policies = EBB_PROFILE("a policy");
    char why[256] = "";
    run r = {.script = script,
             .batch = b,
             .left = (long long)opt.policy_steps,
             .until = thread_seconds() + SECONDS_MOST};
    if (req->mem.scope) r.scope = ebb_scope_begin_in(req->mem.scope, &policies);
    lua_State *L = lua_newstate(policy_alloc, &r);
    int status = 507;
    if (L) {
        *(run **)lua_getextraspace(L) = &r;
        lua_gc(L, LUA_GCSTOP);
        status = place_each(req, &r, L, vms, why, sizeof why);
        if (!r.scope) lua_close(L);
    }
    if (r.scope) ebb_scope_end(&r.scope);
    if (status == 0) return reply_done(req, 200);
    text_free(&req->reply);
    return why[0] ? reply_error(req, status, "%s", why) : status;
}

#else

int place_by_policy(request *req, json_t *vms, batch *b, json_t *script)
{
    (void)vms, (void)b, (void)script;
    return reply_error(req, 501, "this vmd was built without Lua (liblua5.4-dev)");
}

#endif
