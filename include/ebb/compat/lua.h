/*
 * ebb/compat/lua.h: Lua 5.4 with its memory in an arena.
 *
 *     lua_State *L = ebb_lua_newstate(a);   // a fresh state in the request's scope
 *     ...                                   // load, lua_pcall: as ever
 *     ebb_scope_end(&a);                    // and the state is gone; lua_close is not needed
 *
 * What the state's collector frees is used again by the state, so a long script stays within what
 * it needs at a time. Lua says how large its blocks are, so none carries a header.
 *
 * Failure: where the arena can give no more (its limit, a budget, the machine) Lua's allocator
 * answers NULL, as Lua expects: Lua collects its garbage, asks again, and raises "not enough
 * memory", which the lua_pcall around it returns. The arena remembers nothing (ebb_failed stays
 * EBB_OK), and nothing ever jumps to an ebb_try from here: Lua's frames are on the stack. For the
 * same reason call no function of Ebb's that may jump from inside a lua_pcall that is inside an
 * ebb_try on that arena or an ancestor of it: put what Lua answers into variables first. Without a
 * lua_pcall around it Lua ends the process, as ever. After an error the state still has the memory
 * it took; in a scope of its own (ebb_scope_begin_in), which is ended first, that is free again
 * when the error is answered.
 *
 * Not closing a state leaves its __gc methods uncalled: files that a script opened stay open. Close
 * it, in the arena's life, if you give scripts anything that must be finished.
 *
 * A limit on memory is half of what a script from outside needs; see docs/guide/18-lua-and-cmark.md
 * for the limit on time, and for what to leave out of its libraries.
 */
#ifndef EBB_COMPAT_LUA_H
#define EBB_COMPAT_LUA_H

#ifdef __cplusplus
extern "C" {
#endif

#include <lua.h>

#include "../arena.h"
#include "malloc.h"

/**
 * Return a new state without libraries, whose memory is @a's (keeps it while the state is used).
 * Its lua_Alloc is ebb_hook_sized; who wants to count, say, wraps that, and calls lua_newstate.
 * Lifetime: in scope. The scope's end runs nothing of Lua's; after it even lua_close is a use of
 * what has ended. Fails: NULL, as lua_newstate; @a is not made to fail. Threads: the holder of @a,
 * who alone may run the state.
 */
static inline EBB_MUST_USE lua_State *ebb_lua_newstate(ebb_arena *a)
{
    return lua_newstate(ebb_hook_sized, a);
}

#ifdef __cplusplus
}
#endif

#endif /* EBB_COMPAT_LUA_H */
