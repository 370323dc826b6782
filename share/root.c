/*
 * share/root.c: a place for a reference that is replaced while others read it.
 */
#include "internal.h"

/* A reference that was replaced, until nobody can be reading it. Lies in a handle. */
typedef struct replaced {
    ebb__retired retired;
    ebb_shared *shared;
} replaced;
_Static_assert(sizeof(replaced) <= HANDLE_SIZE, "it lies in a handle");

static ebb_shared *now(ebb_root *root)
{
    return __atomic_load_n(&root->ebb__now, __ATOMIC_ACQUIRE);
}

static void let_go(ebb__retired *r)
{
    replaced *old = EBB_CONTAINER(r, replaced, retired);
    ebb_shared_drop(&old->shared);
    ebb__handle_free(old);
}

static COLD const void *count(ebb_root *root, ebb_arena *a, ebb_status *ret_why)
{
    ebb_shared *s = ebb_root_hold(root);
    const void *held = s ? ebb_shared_hold_for(s, a) : NULL;
    bool failed = s ? !held : now(root) != NULL;
    if (ret_why) *ret_why = failed ? EBB_E_MEMORY : EBB_OK;
    ebb_shared_drop(&s);
    return held;
}

const void *ebb_root_get(ebb_root *root, ebb_arena *a, ebb_status *ret_why)
{
    if (unlikely(!ebb__pins(a)) && ebb__is_long_lived(a)) return count(root, a, ret_why);
    if (unlikely(!ebb__epoch_enter(a))) {
        if (ret_why) *ret_why = EBB_E_MEMORY;
        return NULL;
    }
    const ebb_shared *s = now(root);
    if (ret_why) *ret_why = EBB_OK;
    return s ? s->root : NULL;
}

ebb_shared *ebb_root_hold(ebb_root *root)
{
    ebb__reader *r = ebb__epoch_begin();
    if (!r) return NULL;
    ebb_shared *s = now(root);
    if (s) s = ebb_shared_hold(s);
    ebb__epoch_end(r);
    return s;
}

bool ebb_root_set(ebb_root *root, ebb_shared **s)
{
    ebb_shared *to = s ? *s : NULL;
    replaced *old = ebb__handle_new(); /* before anything has changed */
    if (!old) return false;
    if (s) *s = NULL;
    old->shared = __atomic_exchange_n(&root->ebb__now, to, __ATOMIC_ACQ_REL);
    if (old->shared) ebb__epoch_retire(&old->retired, let_go, ebb_shared_bytes(old->shared));
    else ebb__handle_free(old);
    return true;
}
