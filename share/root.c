/*
 * share/root.c: places whose object is replaced while others read it. A root holds one reference; a
 * replaced one becomes garbage (epoch.h), which holds it on until no reader can have seen it there.
 *
 * A scope that lives long would hold back all that is replaced in its time. It counts: it is a
 * reader for just as long as it takes to hold the object, which a pin then drops when it ends. What
 * it has pinned already it recognises by its address, which nothing else can have meanwhile.
 */
#include "internal.h"

/* Both are blocks of EXT_CLASS, so that they outlast the rewinds of an arena, and all arenas. */
typedef struct pinned {
    ebb_cleanup cleanup;
    ebb_shared *s;
} pinned;

typedef struct replaced {
    ebb__retired garbage;
    ebb_shared *s;
} replaced;

static ebb_shared *now_in(ebb_root *root)
{
    return __atomic_load_n(&root->ebb__now, __ATOMIC_SEQ_CST);
}

static const void *say(ebb_status *ret_why, ebb_status why, const void *result)
{
    if (ret_why) *ret_why = why;
    return result;
}

/* ---- counting readers ------------------------------------------------------------------------ */

static void drop_pinned(ebb_cleanup *c)
{
    pinned *p = EBB_CONTAINER(c, pinned, cleanup);
    ebb_shared *s = p->s;
    ebb__cache_push(EXT_CLASS, p);
    if (ebb__shared_let_go(s, ONE_SCOPE, "ebb_root_get")) ebb__shared_end(s);
}

static bool has_pinned(const ebb_arena *a, const ebb_shared *s)
{
    for (const ebb_cleanup *c = ebb__pins(a); c; c = c->next)
        if (c->run == drop_pinned && ((const pinned *)(const void *)c)->s == s) return true;
    return false;
}

/* `s` can't end before this returns. */
static bool pin(ebb_shared *s, ebb_arena *a)
{
    pinned *p = ebb__cache_pop(EXT_CLASS);
    if (!p) return false;
    p->s = s;
    p->cleanup.back = NULL;
    if (!ebb_cleanup_pin(a, &p->cleanup, drop_pinned)) {
        ebb__cache_push(EXT_CLASS, p);
        return false;
    }
    ebb__shared_add(s, ONE_SCOPE, "ebb_root_get");
    return true;
}

static COLD const void *get_counted(ebb_root *root, ebb_arena *a, ebb_status *ret_why)
{
    ebb_shared *s = now_in(root);
    if (!s) return say(ret_why, EBB_OK, NULL);
    if (has_pinned(a, s)) return say(ret_why, EBB_OK, s->root);
    ebb__reader *r = ebb__is_long_lived(a) ? ebb__epoch_begin() : NULL;
    if (!r) return say(ret_why, ebb__epoch_refuses(a), NULL);
    s = now_in(root);
    bool is_valid = !s || has_pinned(a, s) || pin(s, a);
    const void *result = s && is_valid ? s->root : NULL;
    ebb__epoch_end(r);
    return say(ret_why, is_valid ? EBB_OK : EBB_E_MEMORY, result);
}

/* ---- roots ----------------------------------------------------------------------------------- */

const void *ebb_root_get(ebb_root *root, ebb_arena *a, ebb_status *ret_why)
{
    if (unlikely(!ebb__epoch_enter(a, "ebb_root_get"))) return get_counted(root, a, ret_why);
    const ebb_shared *s = now_in(root);
    return say(ret_why, EBB_OK, likely(s != NULL) ? s->root : NULL);
}

ebb_shared *ebb_root_hold(ebb_root *root, ebb_status *ret_why)
{
    ebb__reader *r = ebb__epoch_begin();
    say(ret_why, r ? EBB_OK : EBB_E_MEMORY, NULL);
    if (!r) return NULL;
    ebb_shared *s = now_in(root);
    if (s) ebb__shared_add(s, ONE_HOLDER, "ebb_root_hold");
    ebb__epoch_end(r);
    return s;
}

static void drop_replaced(ebb__retired *g)
{
    replaced *r = EBB_CONTAINER(g, replaced, garbage);
    ebb_shared *s = r->s;
    ebb__cache_push(EXT_CLASS, r);
    if (ebb__shared_let_go(s, ONE_HOLDER, "ebb_root_set")) ebb__shared_end(s);
}

bool ebb_root_set(ebb_root *root, ebb_shared **s)
{
    if (*s && !ebb__shared_check(*s, "ebb_root_set")) return false;
    replaced *r = ebb__cache_pop(EXT_CLASS);
    if (!r) return false;
    ebb_shared *old = __atomic_exchange_n(&root->ebb__now, *s, __ATOMIC_SEQ_CST);
    *s = NULL;
    r->s = old;
    if (old) ebb__epoch_retire(&r->garbage, drop_replaced, old->bytes);
    else ebb__cache_push(EXT_CLASS, r);
    return true;
}
