/*
 * arena/scope.c: begin and end, on the shortest path there is; then the rest of a scope's life.
 */
#include "internal.h"

/* ---- begin ----------------------------------------------------------------------------------- */

/* Strict arenas and watched ones start closed. */
COLD bool ebb__begin_observed(ebb_arena *a, void *site)
{
    uint32_t flags = atomic_load_explicit(&ebb__begin_flags, memory_order_acquire);
    if (flags & BEGIN_STRICT) ebb__strict_begin(a);
    if (!(flags & (BEGIN_WATCHED | BEGIN_SAMPLED))) return true;
    ebb__event e = {.kind = EBB__EVENT_BEGIN, .profile = profile_of(a), .site = site};
    bool wanted;
    if (flags & BEGIN_WATCHED) ebb__close(a);
    else if (!(a->bits & STRICT)) ebb__arm(a);
    return !ebb__ask(a, &e, &wanted);
}

/* A head of class `klass`, or a smaller one if there is none. */
static ebb_arena *any_head(unsigned klass, unsigned *ret_klass)
{
    for (;; klass--) {
        ebb_arena *a = ebb__cache_pop(klass);
        *ret_klass = klass;
        if (a || klass == 0) return a;
    }
}

static unsigned head_of(uint32_t start)
{
    return (start & HEAD_MASK) >> HEAD_SHIFT;
}

static uint32_t with_head(uint32_t start, unsigned head)
{
    return (start & ~(uint32_t)HEAD_MASK) | head << HEAD_SHIFT;
}

static COLD ebb_arena *begin_slowly(ebb_profile *p, ebb_arena *parent, void *site)
{
    if (!ebb__thread_get()) return &ebb__dead;
    ebb_profile *sizes = ebb__profile_register(p) ? p : &ebb__anonymous;
    if (!ebb__profile_register(sizes)) return &ebb__dead;
    uint32_t word = __atomic_load_n(&sizes->ebb__start, __ATOMIC_RELAXED) | ebb__profile_bits(p);
    unsigned head = head_of(word);
    if (p->hard && p->hard < class_size(head)) head = 0;
    ebb_arena *a = any_head(head, &head);
    if (!a) return &ebb__dead;
    arena_start(a, with_head(word, head));
    a->parent = parent;
    bool sound = true;
    if (unlikely(atomic_load_explicit(&ebb__begin_flags, memory_order_relaxed)))
        sound = ebb__begin_observed(a, site);
    if ((a->bits & LIMITED) && !ebb__limits_set(a, p)) sound = false;
    if (!parent) ebb__limits_begin(a);
    if (!sound) ebb__set_failed(a, EBB_E_MEMORY);
    return a;
}

static COLD ebb_arena *begin_closed(ebb_arena *a, void *site)
{
    if (!ebb__begin_observed(a, site)) ebb__set_failed(a, EBB_E_MEMORY);
    return a;
}

ebb_arena *ebb_scope_begin(ebb_profile *p)
{
    if (!p) p = &ebb__anonymous;
    uint32_t word = __atomic_load_n(&p->ebb__start, __ATOMIC_RELAXED);
    stack *s = &ebb__self->stack[head_of(word)];
    uint32_t n = s->count;
    if (unlikely(n == 0 || (word & (LIVE | LIMITED)) != LIVE)) return begin_slowly(p, NULL, CALLER);
    ebb_arena *a = s->slot[s->count = n - 1];
    arena_start(a, word);
    if (unlikely(atomic_load_explicit(&ebb__begin_flags, memory_order_relaxed)))
        return begin_closed(a, CALLER);
    return a;
}

ebb_arena *ebb_scope_begin_in(ebb_arena *parent, ebb_profile *p)
{
    if (parent == &ebb__dead || !ebb__check_usable(parent, "ebb_scope_begin_in")) return &ebb__dead;
    if (!ebb__ext_get(parent)) return &ebb__dead;
    ebb_arena *a = begin_slowly(p ? p : &ebb__anonymous, parent, CALLER);
    if (a == &ebb__dead) return a;
    if (!ebb__ext_get(a)) {
        a->parent = NULL;
        a->bits &= ~(uint32_t)LIMITED;
        ebb__arena_finish(a, CALLER);
        return &ebb__dead;
    }
    ebb__link_child(a, parent);
    a->ext->try_id = ebb__try_id(ebb__self);
    a->bits |= parent->bits & WIPE;
    ebb__limits_begin(a);
    return a;
}

/* ---- end ------------------------------------------------------------------------------------- */

static bool may_end(ebb_arena *a, const char *function)
{
    if (!ebb__check_usable(a, function)) return false;
    if (unlikely(ebb__self->current == a) && ebb__checks_level() >= EBB_CHECKS_CHEAP) {
        ebb__report(EBB_MISUSE, function, a,
                    "still current on this thread; use EBB_ENTER, or call "
                    "ebb_scope_leave first");
        return false;
    }
    if (unlikely(a->bits & ENDING)) {
        ebb__report(EBB_MISUSE, function, a, "ended by a cleanup of its own; return instead");
        return false;
    }
    if (unlikely(a->bits & IN_TRY)) {
        ebb__report(EBB_MISUSE, function, a,
                    "inside its own ebb_try; end it after that has returned");
        return false;
    }
    return true;
}

void ebb__end_scope(ebb_arena *a, const char *function, void *site)
{
    if (!may_end(a, function)) return;
    thread *t = ebb__thread_get();
    if (t && (a->bits & SCOPE) && --t->until_sample == 0) {
        ebb__profile_sample(t, a);
    }
    ebb__arena_finish(a, site);
}

/* Let go of a body if that is all there is to undo, and the cache has room for it; false: it is
   not that, and nothing has changed. */
static inline bool pop_lone_body(thread *t, ebb_arena *a)
{
    const unsigned usual = LIVE | SCOPE | TOUCHED;
    const unsigned odd = STRICT | WIPE | ADOPTED | LIMITED | IN_TRY;
    if ((a->bits & (usual | odd)) != usual || a->ext || kind_of(a->undo) != CHUNK) return false;
    chunk *c = record_of(a->undo);
    if (c->next || c->origin != FROM_CACHE || !has_room(t, c->klass)) return false;
    a->undo = 0;
    a->open_len = 0;
    a->lo = c->before_lo;
    a->bits &= ~(uint32_t)TOUCHED;
    __atomic_store_n(&c->owner, NULL, __ATOMIC_RELAXED);
    stack_push(t, c->klass, c);
    return true;
}

static __attribute__((noinline)) void end_slowly(ebb_arena *a, void *site)
{
    if (a == &ebb__dead || !ebb__check_live(a, "ebb_scope_end")) return;
    if (!(a->bits & SCOPE)) {
        ebb__report(EBB_MISUSE, "ebb_scope_end", a,
                    "made by ebb_arena_create; use ebb_arena_destroy");
        return;
    }
    /* One that is parked may be ended by whoever comes. */
    if ((a->bits & STRICT) && !a->parent) a->ext->owner = NULL;
    ebb__end_scope(a, "ebb_scope_end", site);
}

void ebb_scope_end(ebb_arena **handle)
{
    ebb_arena *a = *handle;
    *handle = NULL;
    if (!a) return;
    thread *t = ebb__self;
    if (unlikely(a->bits & TOUCHED) && t->current != a && t->until_sample > 1) pop_lone_body(t, a);
    const unsigned plain = LIVE | SCOPE, odd = TOUCHED | STRICT | WIPE | ADOPTED | LIMITED | IN_TRY;
    stack *s = &t->stack[(a->bits & HEAD_MASK) >> HEAD_SHIFT];
    uint32_t n = s->count;
    /* Nothing to undo, nothing unusual, not one to be looked at: the head is all there is. */
    if (unlikely((a->bits & (plain | odd)) != plain || n >= s->most || t->current == a ||
                 t->until_sample == 1)) {
        end_slowly(a, CALLER);
        return;
    }
    t->until_sample--;
    __atomic_store_n(&a->w.limit, EBB__CLOSED, __ATOMIC_RELAXED);
    a->bits = 0;
    a->w.tip = (uintptr_t)t;
    a->floor = (uintptr_t)CALLER;
    s->slot[n] = a;
    s->count = n + 1;
}

void ebb_scope_keep_open(ebb_arena *a)
{
    if (a->ext) a->ext->keep_open = true; /* every child has one */
}

bool ebb_scope_set_data(ebb_arena *a, void *data)
{
    if (a == &ebb__dead || !ebb__check_usable(a, "ebb_scope_set_data")) return false;
    ext *e = ebb__ext_get(a);
    if (e) e->data = data;
    return e != NULL;
}

void *ebb_scope_data(const ebb_arena *a)
{
    return (a->bits & LIVE) && a->ext ? a->ext->data : NULL;
}

/* ---- current --------------------------------------------------------------------------------- */

ebb_arena *ebb_scope_enter(ebb_arena *a)
{
    thread *t = ebb__thread_get();
    if (!t) return NULL;
    ebb_arena *previous = t->current;
    if (a && a != &ebb__dead && !ebb__check_usable(a, "ebb_scope_enter")) return previous;
    t->current = a;
    return previous;
}

void ebb_scope_leave(ebb_arena *previous)
{
    thread *t = ebb__thread_get();
    if (!t) return;
    t->current = NULL;
    if (!previous || previous == &ebb__dead || ebb__check_live(previous, "ebb_scope_leave"))
        t->current = previous;
}

ebb_arena *ebb_scope_current(void)
{
    return ebb__self->current;
}

/* ---- holder ---------------------------------------------------------------------------------- */

static ebb_budget *budget_above(const ebb_arena *a)
{
    for (a = a->parent; a; a = a->parent)
        if (a->ext && a->ext->budget) return a->ext->budget;
    return NULL;
}

/* A child becomes a root: its bytes leave the ancestors, but not the budget that they shared. */
static void orphan(ebb_arena *a)
{
    ebb_arena *parent = a->parent;
    size_t held = ebb__held_tree(a);
    ebb_budget *budget = a->ext->budget ? NULL : budget_above(a);
    if (parent->bits & LIMITED) ebb__uncharge(parent, held);
    ebb__unlink_child(a);
    a->parent = NULL;
    ebb__mark_subtree(a);
    if (budget) ebb_scope_charge(a, budget);
}

ebb_arena *ebb_scope_detach(ebb_arena **handle)
{
    ebb_arena *a = *handle;
    *handle = NULL;
    if (!a || a == &ebb__dead || !ebb__check_usable(a, "ebb_scope_detach")) return a;
    if (ebb__self->current == a)
        ebb__report(EBB_MISUSE, "ebb_scope_detach", a,
                    "still current on this thread; leave it first");
    if (a->parent) orphan(a);
    if (a->bits & STRICT) a->ext->owner = NULL;
    return a;
}

void ebb_scope_attach(ebb_arena *a)
{
    if (a == &ebb__dead || !ebb__check_live(a, "ebb_scope_attach")) return;
    if (a->bits & STRICT) a->ext->owner = ebb__thread_get();
}

/* ---- lexical --------------------------------------------------------------------------------- */

static ebb_arena *lexical_arena(const ebb__lexical *frame)
{
    return frame ? frame->arena : NULL;
}

static ebb_arena *lexical_parent(const thread *t)
{
    return ebb__try_is_inside(t) ? ebb__try_arena(t) : lexical_arena(t->lexical);
}

/* Those that are no child of another lexical scope: the first, and each first one inside a try. */
static void push_lexical_root(thread *t, ebb_arena *a)
{
    if (a == &ebb__dead) return;
    if (a->ext) a->ext->outer_root = t->lexical_root; /* one without is the first */
    t->lexical_root = a;
}

static ebb_arena *outer_root(const ebb_arena *root)
{
    return root->ext ? root->ext->outer_root : NULL;
}

ebb_arena *ebb__lexical_begin(ebb__lexical *frame, ebb_profile *profile)
{
    thread *t = ebb__thread_get();
    ebb_arena *parent = t ? lexical_parent(t) : NULL;
    frame->arena = parent ? ebb_scope_begin_in(parent, profile) : ebb_scope_begin(profile);
    if (!t) return frame->arena;
    frame->previous = t->current;
    frame->outer = t->lexical;
    t->lexical = frame;
    t->current = frame->arena;
    if (!parent || parent != lexical_arena(frame->outer)) push_lexical_root(t, frame->arena);
    return frame->arena;
}

void ebb__lexical_end(ebb__lexical *frame)
{
    thread *t = ebb__self;
    ebb_arena *a = frame->arena;
    if (t == &ebb__no_thread) return;
    if (t->lexical != frame) {
        ebb__report(EBB_MISUSE, "EBB_SCOPE", a,
                    "left out of order, or on another thread or fiber than "
                    "entered; use ebb_scope_begin and ebb_scope_end there");
        return;
    }
    t->lexical = frame->outer;
    t->current = frame->previous;
    if (t->lexical_root == a) t->lexical_root = outer_root(a);
    if (a == &ebb__dead || !ebb__check_live(a, "EBB_SCOPE")) return;
    ebb__end_scope(a, "EBB_SCOPE", CALLER);
}

static void end_left_open(const thread *t, ebb_arena *a)
{
    ebb__report(EBB_MENDED, "thread exit", a,
                "EBB_SCOPE still open on thread %u (%s) has been ended; "
                "return from the function instead of exiting the thread",
                t->id, t->name);
    ebb__arena_finish(a, CALLER);
}

/* The frames may be gone from the stack by now, but all lexical scopes are below these roots. */
void ebb__thread_exit_scopes(thread *t)
{
    ebb_arena *root = t->lexical_root, *outer;
    t->current = NULL;
    t->lexical = NULL;
    t->lexical_root = NULL;
    ebb__thread_exit_tries(t);
    for (; root && (root->bits & LIVE); root = outer) {
        outer = outer_root(root);
        end_left_open(t, root);
    }
}
