/*
 * arena/arena.c: the life of an arena: start, finish, reset; the undo log; mark and rewind;
 * children; adoption.
 *
 * End, reset and rewind are all "pop the undo log to here". A record is popped before any memory
 * older than it is let go, and the window it had replaced is back in force by then, so a cleanup
 * may allocate and register more; what it registers is popped next.
 */
#include "internal.h"

#include <string.h>

/* ---- the window ------------------------------------------------------------------------------ */

void ebb__wipe(ebb_arena *a, uintptr_t from, uintptr_t to)
{
    if (likely(!(a->bits & WIPE)) || from >= to) return;
    ebb__strict_unpoison((void *)from, to - from);
    memset((void *)from, 0, to - from);
    __asm__ volatile("" ::: "memory"); /* nobody reads it again, and yet it must be written */
    ebb__strict_poison((void *)from, to - from);
}

/* Forget the objects of the current window, which ends at `top`. */
static void window_clear(ebb_arena *a, uintptr_t top)
{
    if (likely(!(a->bits & (STRICT | WIPE)))) return;
    if (a->bits & STRICT) ebb__strict_forget(a, a->w.tip, top, "ebb_arena");
    ebb__wipe(a, a->w.tip, top);
    ebb__wipe(a, a->lo, a->floor);
}

/* An empty head is the window again. */
static void window_to_head(ebb_arena *a)
{
    a->lo = head_lo(a);
    a->w.tip = head_top(a);
    a->open_len = 0;
    set_floor(a, a->lo);
}

/* ---- chunks ---------------------------------------------------------------------------------- */

/* Make `c`, owned by `a`, its current chunk. */
void ebb__adopt_chunk(ebb_arena *a, chunk *c)
{
    chunk_enter(a, c);
    if (unlikely(a->bits & STRICT)) ebb__strict_window(a);
}

/* A new current chunk with room for `need` bytes. Each is twice as large as the one before. */
bool ebb__push_chunk(ebb_arena *a, size_t need, ebb_status *ret_why)
{
    chunk *c = ebb__block_take(a, need + CONTROL_SIZE, true, ret_why);
    if (unlikely(!c)) return false;
    ebb__adopt_chunk(a, c);
    if ((a->bits & BODY_MASK) < BODY_STEPS - 1) a->bits++;
    return true;
}

/* ---- popping --------------------------------------------------------------------------------- */

static void pop_chunk(ebb_arena *a, chunk *c)
{
    window_clear(a, (uintptr_t)c);
    a->undo = c->next;
    a->w.tip = c->u.before.tip;
    a->lo = c->before_lo;
    a->open_len = c->before_open;
    a->bits |= THAWED; /* there may have been a mark since */
    set_floor(a, c->u.before.floor);
    ebb__block_give(a, c);
}

static void pop_large(ebb_arena *a, chunk *c)
{
    if (unlikely(a->bits & STRICT)) ebb__strict_large(c, true);
    ebb__wipe(a, c->u.object.ptr, c->u.object.ptr + c->u.object.len);
    a->undo = c->next;
    ebb__block_give(a, c);
}

static void pop_defer(ebb_arena *a, defer *d)
{
    void (*fn)(void *) = d->fn;
    void *arg = d->arg;
    a->undo = d->next;
    if (!fn) return;
    thread *t = ebb__thread_get();
    if (t) t->cleanups++;
    fn(arg);
    if (t) t->cleanups--;
}

/* The oldest of them are popped last; each may register more, which is popped before them. */
static void pop_cleanup(ebb_cleanup *c)
{
    thread *t = ebb__thread_get();
    cleanup_unlink(c);
    if (t) t->cleanups++;
    c->run(c);
    if (t) t->cleanups--;
}

/* The row at once, until one of them has begun or registered what goes before the rest. */
static void pop_hold(ebb_arena *a, hold *h)
{
    const link here = link_to(h, HOLD);
    if (!h->first) a->undo = h->next;
    while (h->first) {
        pop_cleanup(h->first);
        if (a->undo != here || (a->ext && a->ext->first_child)) return;
    }
}

static void pop_adopted(ebb_arena *a, ebb_arena *child)
{
    a->undo = child->lo;
    child->bits = (child->bits & ~(uint32_t)ADOPTED) | LIVE;
    child->lo = window_lo(child);
    ebb__arena_finish(child, NULL);
}

static void pop(ebb_arena *a)
{
    void *record = record_of(a->undo);
    switch (kind_of(a->undo)) {
    case CHUNK: pop_chunk(a, record); break;
    case LARGE: pop_large(a, record); break;
    case DEFER: pop_defer(a, record); break;
    case ADOPT: pop_adopted(a, tombstone_of(a->undo)); break;
    case HOLD: pop_hold(a, record); break;
    }
    a->bits |= MARKED; /* for all we know a mark refers to what is newest now */
}

/* An arena that lives on without a block it had remembers its peak, in its ext. */
static void pop_and_remember(ebb_arena *a)
{
    enum kind kind = kind_of(a->undo);
    if (kind == CHUNK || kind == LARGE) ebb__ext_get(a);
    pop(a);
}

void ebb__pop_to(ebb_arena *a, link stop)
{
    while (a->undo != stop) pop_and_remember(a);
}

/* ---- start and finish ------------------------------------------------------------------------ */

/* A free head says who ended it, and where, to whoever comes with a stale handle. */
static void head_release(ebb_arena *a, bool foreign, void *site)
{
    unsigned klass = (a->bits & HEAD_MASK) >> HEAD_SHIFT;
    bool strict = a->bits & STRICT;
    __atomic_store_n(&a->w.limit, EBB__CLOSED, __ATOMIC_RELAXED);
    a->bits = 0;
    a->open_len = 0;
    a->parent = NULL;
    a->w.tip = (uintptr_t)ebb__self;
    a->floor = (uintptr_t)site;
    if (foreign) return;
    if (unlikely(strict) && ebb__quarantine(klass, a)) return;
    ebb__cache_push(klass, a);
}

/* Everything that ending means, but for the checks that the API makes first. */
void ebb__arena_finish(ebb_arena *a, void *site)
{
    __atomic_store_n(&a->w.limit, EBB__CLOSED_BY_OWNER, __ATOMIC_RELAXED);
    a->bits |= ENDING;
    for (;;) { /* a cleanup may have begun children, or registered more */
        if (a->ext && a->ext->first_child) ebb__end_children(a, 0, "ebb_scope_end");
        if (a->undo) pop(a);
        else if (ebb__pins(a)) pop_cleanup(ebb__pins(a));
        else break;
    }
    window_clear(a, head_top(a));
    if (a->ext && a->ext->lives) ebb__lives_end_after(&a->ext->lives, 0);
    if (unlikely(a->bits & STRICT)) ebb__strict_end(a);
    bool foreign = in_buffer(a);
    a->lo = head_lo(a);
    if (a->bits & LIMITED) ebb__uncharge(a, head_size(a));
    if (a->ext) {
        if (a->ext->budget) ebb__budget_detach(a->ext->budget);
        ebb__unlink_child(a);
        ebb__ext_free(a);
    }
    head_release(a, foreign, site);
}

/* ---- create, destroy, reset, trim ------------------------------------------------------------ */

static ebb_arena *create_in_buffer(const ebb_arena_params *p)
{
    uintptr_t top = ((uintptr_t)p->buffer + p->buffer_size) & -(uintptr_t)CONTROL_SIZE;
    ebb_arena *a = (ebb_arena *)(top - CONTROL_SIZE);
    ext *e = (ext *)(void *)((char *)a - sizeof(ext));
    memset(e, 0, sizeof *e);
    memset(a, 0, sizeof *a);
    e->embedded = true;
    e->buffer_only = p->buffer_only;
    e->buffer = (uintptr_t)p->buffer;
    e->held = e->peak = top - e->buffer;
    a->ext = e;
    a->bits = LIVE | TOUCHED;
    a->lo = a->floor = e->buffer;
    a->w.tip = head_top(a);
    a->w.limit = a->floor - 1;
    return a;
}

static ebb_arena *create_on_heap(const ebb_arena_params *p)
{
    unsigned klass = 0;
    while (klass < HEAD_CLASSES - 1 && p->size + CONTROL_SIZE > class_size(klass)) klass++;
    if (p->size + CONTROL_SIZE > class_size(klass) || p->source) klass = 0;
    ebb_arena *a = ebb__thread_get() ? ebb__cache_pop(klass) : NULL;
    if (!a) return NULL;
    arena_start(a, klass << HEAD_SHIFT | LIVE);
    return a;
}

/* The body to begin with: the smallest step that holds what is expected. */
static unsigned step_for(size_t size)
{
    unsigned step = 0;
    while (step < BODY_STEPS - 1 && class_size(body_class(step)) < size + CONTROL_SIZE) step++;
    return step;
}

static bool create_extras(ebb_arena *a, const ebb_arena_params *p)
{
    if (!p->name && !p->source && !p->soft && !p->hard && !p->reserve && !p->budget) return true;
    ext *e = ebb__ext_get(a);
    if (!e) return false;
    ebb__name_set(e, p->name);
    e->source = p->source;
    e->reserve = p->reserve;
    if (p->source) a->w.tip = head_top(a);
    if (!p->soft && !p->hard && !p->budget) return true;
    ebb_profile limits = {.soft = p->soft, .hard = p->hard, .budget = p->budget};
    ebb__limits_set(a, &limits);
    e->reserve = p->reserve;
    ebb__limits_begin(a);
    return true;
}

static bool params_make_sense(const ebb_arena_params *p)
{
    if (p->buffer && (p->buffer_size < 512 || p->source)) return false;
    if (!p->buffer && p->buffer_only) return false;
    return !p->source || (p->source->alloc && p->source->free);
}

/* More than any body holds was announced: have it now, in one piece. */
static void create_large(ebb_arena *a, size_t size)
{
    ebb_status why;
    if (size + CONTROL_SIZE > BLOCK_MAX && size <= PTRDIFF_MAX && !in_buffer(a))
        ebb__push_chunk(a, size, &why);
}

ebb_arena *ebb_arena_create(const ebb_arena_params *params)
{
    static const ebb_arena_params defaults = EBB_ARENA_PARAMS_INIT;
    const ebb_arena_params *p = params ? params : &defaults;
    bool sound = params_make_sense(p);
    ebb__thread_get();
    ebb_arena *a = sound && p->buffer ? create_in_buffer(p) : create_on_heap(p);
    if (!a) return &ebb__dead;
    a->bits |= step_for(p->size) | (p->wipe ? WIPE : 0u) | (p->sticky ? STICKY : 0u);
    ebb_status why = sound ? EBB_OK : EBB_E_INVALID;
    if (sound && !create_extras(a, p)) why = EBB_E_MEMORY;
    if (unlikely(atomic_load_explicit(&ebb__begin_flags, memory_order_relaxed)))
        if (!ebb__begin_observed(a, CALLER)) why = EBB_E_MEMORY;
    if (why == EBB_OK) {
        create_large(a, p->size);
        return a;
    }
    a->bits |= STICKY;
    ebb__set_failed(a, why);
    if (!sound && a->ext) a->ext->hopeless = true;
    return a;
}

void ebb_arena_destroy(ebb_arena **handle)
{
    ebb_arena *a = *handle;
    *handle = NULL;
    if (!a || a == &ebb__dead || !ebb__check_live(a, "ebb_arena_destroy")) return;
    if (a->bits & SCOPE) {
        ebb__report(EBB_MISUSE, "ebb_arena_destroy", a,
                    "made by ebb_scope_begin; use ebb_scope_end");
        return;
    }
    ebb__end_scope(a, "ebb_arena_destroy", CALLER);
}

/* The oldest record is a chunk that the next use can begin with. */
static bool keeps(const ebb_arena *a, const chunk *c)
{
    return kind_of(a->undo) == CHUNK && c->next == 0 && c->origin != FROM_STOCK &&
           !(a->bits & (STRICT | WIPE));
}

/* Pop all but the oldest chunk, and that too if it was not enough. */
static void reset_log(ebb_arena *a)
{
    unsigned chunks = 0;
    size_t used = ebb__used(a);
    while (a->undo) {
        chunk *c = record_of(a->undo);
        if (keeps(a, c) && chunks == 0) return;
        chunks += kind_of(a->undo) == CHUNK;
        pop_and_remember(a);
    }
    unsigned step = step_for(used + used / 8);
    if (chunks > 1) a->bits = (a->bits & ~(uint32_t)BODY_MASK) | step;
}

static void window_restart(ebb_arena *a)
{
    if (!a->undo) {
        window_clear(a, head_top(a));
        window_to_head(a);
        return;
    }
    chunk *c = record_of(a->undo);
    c->u.before.tip = head_top(a);
    c->u.before.floor = c->before_lo = head_lo(a);
    c->before_open = 0;
    a->w.tip = (uintptr_t)c;
    a->open_len = 0;
    set_floor(a, a->lo);
}

void ebb_arena_reset(ebb_arena *a)
{
    if (a == &ebb__dead || !ebb__check_usable(a, "ebb_arena_reset")) return;
    if (a->bits & ENDING) {
        ebb__report(EBB_MISUSE, "ebb_arena_reset", a, "ending: called from a cleanup of it");
        return;
    }
    if (a->ext && a->ext->first_child) ebb__end_children(a, 0, "ebb_arena_reset");
    if (a->ext) a->ext->bins = NULL;
    if (a->undo) reset_log(a);
    while (ebb__pins(a)) pop_cleanup(ebb__pins(a));
    if (a->ext && a->ext->lives) ebb__lives_end_after(&a->ext->lives, 0);
    window_restart(a);
    a->bits &= ~(uint32_t)MARKED;
    if (unlikely(a->bits & FAILED_MASK) && !(a->ext && a->ext->hopeless)) {
        a->bits &= ~(uint32_t)FAILED_MASK;
        ebb__reopen(a);
    }
}

void ebb_arena_trim(ebb_arena *a)
{
    if (a == &ebb__dead || !ebb__check_usable(a, "ebb_arena_trim")) return;
    while (kind_of(a->undo) == CHUNK && !(a->bits & MARKED) && a->floor == a->lo &&
           a->w.tip == (uintptr_t)record_of(a->undo)) {
        chunk *c = record_of(a->undo);
        bool marked = c->before_marked;
        ebb__ext_get(a);
        pop_chunk(a, c);
        if (marked) a->bits |= MARKED;
    }
}

/* ---- mark and rewind ------------------------------------------------------------------------- */

ebb_mark ebb_arena_mark(ebb_arena *a)
{
    ebb_mark m = {0, 0, 0, 0, 0};
    if (a == &ebb__dead || !ebb__check_usable(a, "ebb_arena_mark")) return m;
    if (unlikely(a->bits & STRICT)) ebb__strict_mark(a);
    m.ebb__tip = a->w.tip;
    m.ebb__floor = a->floor;
    m.ebb__undo = a->undo;
    m.ebb__open_len = a->open_len;
    m.ebb__serial = a->ext ? a->ext->serial : 0;
    a->open_len = 0;
    a->bits |= MARKED;
    return m;
}

/* Whether the log still has the record that was newest when the mark was made. */
static bool mark_is_valid(const ebb_arena *a, const ebb_mark *m)
{
    if (!m->ebb__tip) return false;
    for (link l = a->undo; l != m->ebb__undo; l = *(link *)record_of(l))
        if (!l) return false;
    return true;
}

/* Whether the mark can be of the window that is in force now: else it is another arena's, or from
   before a reset. A chunk's end is not looked for, since that would be a walk. */
static bool is_in_window(const ebb_arena *a, const ebb_mark *m)
{
    uintptr_t top = a->lo == head_lo(a) ? head_top(a) : UINTPTR_MAX;
    return m->ebb__floor >= a->lo && m->ebb__floor <= m->ebb__tip && m->ebb__tip <= top;
}

static void mark_is_wrong(const ebb_arena *a)
{
    ebb__report(EBB_MISUSE, "ebb_arena_rewind", a,
                "the mark is no longer valid: the arena was reset or rewound past it, or it is "
                "another arena's; take a new mark");
}

static void window_to_mark(ebb_arena *a, const ebb_mark *m)
{
    if (unlikely(a->bits & STRICT))
        ebb__strict_forget(a, a->w.tip, m->ebb__tip, "ebb_arena_rewind");
    ebb__wipe(a, a->w.tip, m->ebb__tip);
    ebb__wipe(a, m->ebb__floor, a->floor);
    a->w.tip = m->ebb__tip;
    a->open_len = m->ebb__open_len;
    a->bits |= THAWED;
    set_floor(a, m->ebb__floor);
}

void ebb_arena_rewind(ebb_arena *a, ebb_mark m)
{
    if (a == &ebb__dead || !ebb__check_usable(a, "ebb_arena_rewind")) return;
    if (a->undo != m.ebb__undo && !mark_is_valid(a, &m)) {
        mark_is_wrong(a);
        return;
    }
    if (a->ext && a->ext->first_child) ebb__end_children(a, m.ebb__serial, "ebb_arena_rewind");
    if (a->ext) a->ext->bins = NULL;
    ebb__pop_to(a, m.ebb__undo);
    if (a->ext) a->ext->bins = NULL; /* a cleanup may have made them */
    if (!is_in_window(a, &m)) {
        mark_is_wrong(a);
        return;
    }
    if (a->ext && a->ext->lives) ebb__lives_end_after(&a->ext->lives, m.ebb__serial);
    window_to_mark(a, &m);
    if (unlikely(a->bits & STRICT)) ebb__strict_mark(a);
}

/* ---- children -------------------------------------------------------------------------------- */

void ebb__unlink_child(ebb_arena *a)
{
    ext *e = a->ext;
    ebb_arena *parent = a->parent;
    if (!parent || (a->bits & ADOPTED) || !parent->ext || !e->born) return;
    if (e->previous) e->previous->ext->next = e->next;
    else parent->ext->first_child = e->next;
    if (e->next) e->next->ext->previous = e->previous;
    parent->ext->children--;
    e->next = e->previous = NULL;
    e->born = 0;
}

/* End the children begun after serial `after`, youngest first. */
void ebb__end_children(ebb_arena *a, uint32_t after, const char *function)
{
    ebb_arena *child;
    while ((child = a->ext->first_child) && child->ext->born > after) {
        if (!child->ext->keep_open)
            ebb__report(
                EBB_MENDED, function, a,
                "child scope \"%s\" was still open and has been ended; end it first, or say "
                "ebb_scope_keep_open",
                ebb_arena_name(child));
        if (ebb__self->current == child) ebb__self->current = NULL;
        ebb__arena_finish(child, CALLER);
    }
}

void ebb__link_child(ebb_arena *a, ebb_arena *parent)
{
    ext *e = a->ext, *pe = parent->ext;
    a->parent = parent;
    e->next = pe->first_child;
    e->previous = NULL;
    if (e->next) e->next->ext->previous = a;
    pe->first_child = a;
    pe->children++;
    e->born = ++pe->serial;
}

/* Oldest first, so that their order stays. With no memory for an ext they stay where they are. */
static void move_children(ebb_arena *into, ebb_arena *from)
{
    if (!from->ext || !from->ext->first_child || !ebb__ext_get(into)) return;
    ebb_arena *oldest = from->ext->first_child;
    while (oldest->ext->next) oldest = oldest->ext->next;
    for (ebb_arena *c = oldest, *newer; c; c = newer) {
        newer = c->ext->previous;
        ebb__unlink_child(c);
        ebb__link_child(c, into);
        ebb__mark_subtree(c);
    }
}

/* LIMITED tells the slow path to charge: it holds for whole subtrees. */
void ebb__mark_subtree(ebb_arena *a)
{
    bool limited = (a->ext && a->ext->counts) || (a->parent && (a->parent->bits & LIMITED));
    a->bits = (a->bits & ~(uint32_t)LIMITED) | (limited ? LIMITED : 0u);
    for (link l = a->undo; l; l = *(link *)record_of(l))
        if (kind_of(l) == ADOPT) ebb__mark_subtree(tombstone_of(l));
    if (!a->ext) return;
    for (ebb_arena *c = a->ext->first_child; c; c = c->ext->next) ebb__mark_subtree(c);
}

/* ---- adopt ----------------------------------------------------------------------------------- */

static bool may_adopt(ebb_arena *into, ebb_arena *child)
{
    const char *why = NULL;
    for (ebb_arena *x = into; x && !why; x = x->parent)
        if (x == child) why = "the adopter is the child itself, or below it";
    if (ebb__self->current == child) why = "still current; leave it first, or use EBB_ENTER";
    if ((into->bits | child->bits) & ENDING) why = "ending: called from a cleanup of it";
    if (child->bits & IN_TRY) why = "inside an ebb_try; adopt it after that has returned";
    if (in_buffer(child)) why = "its memory is a caller's buffer; copy what should live on";
    if (why) ebb__report(EBB_MISUSE, "ebb_arena_adopt", child, "%s", why);
    return !why;
}

/* What the child and all below it hold is no longer charged where it was, but to `into`. */
static void move_charges(ebb_arena *into, ebb_arena *child)
{
    size_t held = 0;
    if ((child->bits | into->bits) & LIMITED) held = ebb__held_tree(child);
    if (child->bits & LIMITED) ebb__uncharge(child, held);
    if (child->ext) {
        if (child->ext->budget) ebb__budget_detach(child->ext->budget);
        child->ext->budget = NULL;
        child->ext->counts = false;
    }
    if (into->bits & LIMITED) ebb__charge_anyway(into, held);
}

static size_t held_with(const ebb_arena *into, const ebb_arena *child)
{
    return ebb__held(into) + ebb__held(child);
}

static void raise_peak(ebb_arena *a, size_t held)
{
    if (held > a->ext->peak) a->ext->peak = held;
}

void ebb_arena_adopt(ebb_arena *into, ebb_arena **handle)
{
    ebb_arena *child = *handle;
    *handle = NULL;
    if (!child || !ebb__check_live(into, "ebb_arena_adopt")) return;
    if (child == &ebb__dead) {
        ebb__set_failed(into, EBB_E_MEMORY);
        return;
    }
    if (!ebb__check_live(child, "ebb_arena_adopt") || !may_adopt(into, child)) return;
    if (into == &ebb__dead) { /* nowhere to live on: their time has come */
        ebb__arena_finish(child, CALLER);
        return;
    }
    ebb_status failed = ebb_failed(child);
    move_charges(into, child);
    if (into->ext) raise_peak(into, held_with(into, child));
    child->bits |= into->bits & WIPE;
    if (child->ext) ebb__unlink_child(child);
    if (unlikely(into->bits & child->bits & STRICT)) into->ext->frames += child->ext->frames;
    move_children(into, child);
    ebb__close(child);
    child->open_len = 0;
    child->parent = into;
    child->bits = (child->bits & ~(uint32_t)LIVE) | ADOPTED;
    undo_push(into, &child->lo, ADOPT);
    ebb__mark_subtree(child);
    if (failed != EBB_OK) ebb__set_failed(into, failed);
}

ebb_arena *ebb_arena_parent(const ebb_arena *a)
{
    return a->bits & LIVE ? a->parent : NULL;
}

/* ---- whose memory ---------------------------------------------------------------------------- */

ebb_arena *ebb_arena_of(const void *ptr)
{
    uintptr_t p = (uintptr_t)ptr;
    slab *s = ebb__slab_of(p);
    if (!s || s->kind == SLAB_EXT) return NULL;
    ebb_arena *a;
    if (s->kind == SLAB_HEAD) {
        uintptr_t i = (p - s->base) / s->block_size;
        if (i >= atomic_load_explicit(&s->carved, memory_order_acquire)) return NULL;
        a = (ebb_arena *)(s->base + (i + 1) * s->block_size - CONTROL_SIZE);
    } else {
        size_t size = s->kind == SLAB_SPAN ? s->size : s->block_size;
        uintptr_t i = (p - s->base) / size;
        if (s->kind != SLAB_SPAN && i >= atomic_load_explicit(&s->carved, memory_order_acquire))
            return NULL; /* never handed out: a source may have left anything there */
        chunk *c = (chunk *)(s->base + (i + 1) * size - CONTROL_SIZE);
        a = __atomic_load_n(&c->owner, __ATOMIC_RELAXED);
        if (!a) return NULL;
    }
    while (a->bits & ADOPTED) a = a->parent;
    return a->bits & (LIVE | SEALED) ? a : NULL;
}
