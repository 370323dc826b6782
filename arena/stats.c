/*
 * arena/stats.c: what can be seen of one arena: its figures, a description for a person, its
 * soundness. All of it is derived from the undo log; nothing is counted on the hot path.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

typedef struct window {
    uintptr_t lo, floor, tip;
} window;

/* A block whose window ends at `top`. */
static void add_window(figures *f, window w, uintptr_t top, size_t block, size_t *ret_free)
{
    f->in_chunks += (w.floor - w.lo) + (top - w.tip);
    *ret_free += w.tip - w.floor;
    f->headers += block - (top - w.lo);
    f->held += block;
    f->chunks++;
}

static void add_large(figures *f, const chunk *c)
{
    f->in_large += c->u.object.len;
    f->headers += c->size - c->u.object.len;
    f->held += c->size;
    f->large++;
}

static uint32_t count_of(const ebb_cleanup *c)
{
    uint32_t n = 0;
    for (; c; c = c->next) n++;
    return n;
}

static void add_up(const ebb_arena *a, figures *f, size_t *ret_newest)
{
    window w = {window_lo(a), a->floor, a->w.tip};
    size_t *free_part = ret_newest;
    for (link l = a->undo; l; l = *(link *)record_of(l)) {
        chunk *c = record_of(l);
        switch (kind_of(l)) {
        case CHUNK:
            add_window(f, w, (uintptr_t)c, c->size, free_part);
            w = (window){c->before_lo, c->u.before.floor, c->u.before.tip};
            free_part = &f->tails;
            break;
        case LARGE: add_large(f, c); break;
        case DEFER: f->cleanups += ((defer *)record_of(l))->fn != NULL; break;
        case ADOPT: add_up(tombstone_of(l), f, &f->tails); break;
        case HOLD: f->cleanups += count_of(((hold *)record_of(l))->first); break;
        }
    }
    add_window(f, w, head_top(a), head_size(a), ret_newest);
    f->abandoned += ebb__bins_bytes(a);
}

figures ebb__figures(const ebb_arena *a)
{
    figures f = {0};
    add_up(a, &f, &f.idle);
    const ext *e = a->ext;
    f.peak = e && e->peak > f.held ? e->peak : f.held;
    return f;
}

size_t ebb__used(const ebb_arena *a)
{
    figures f = ebb__figures(a);
    return f.in_chunks + f.in_large;
}

size_t ebb__held(const ebb_arena *a)
{
    return ebb__figures(a).held;
}

/* Adopted arenas are part of `held`, but their children are not in our list. */
size_t ebb__held_tree(const ebb_arena *a)
{
    size_t held = ebb__held(a);
    for (link l = a->undo; l; l = *(link *)record_of(l)) {
        if (kind_of(l) != ADOPT) continue;
        const ebb_arena *t = tombstone_of(l);
        held += ebb__held_tree(t) - ebb__held(t);
    }
    if (!a->ext) return held;
    for (ebb_arena *c = a->ext->first_child; c; c = c->ext->next) held += ebb__held_tree(c);
    return held;
}

void ebb_arena_get_stats(const ebb_arena *a, ebb_arena_stats *ret_)
{
    memset(ret_, 0, sizeof *ret_);
    if (a != &ebb__dead) {
        figures f = ebb__figures(a);
        const ext *e = a->ext;
        ret_->held = f.held;
        ret_->used = f.in_chunks + f.in_large;
        ret_->peak = f.peak;
        ret_->charged = e && e->counts ? e->charged : 0;
        ret_->chunks = f.chunks;
        ret_->large = f.large;
        ret_->cleanups = f.cleanups;
        ret_->children = e ? e->children : 0;
        ret_->soft_crossed = e ? e->soft_crossed : 0;
    }
    ret_->failed = ebb_failed(a);
}

/* ---- names ----------------------------------------------------------------------------------- */

bool ebb_arena_set_label(ebb_arena *a, const char *label)
{
    if (a == &ebb__dead || !ebb__check_usable(a, "ebb_arena_set_label")) return false;
    ext *e = ebb__ext_get(a);
    if (!e) return false;
    snprintf(e->label, sizeof e->label, "%s", label);
    e->labelled = true;
    return true;
}

/* The name may be freed with the arena, so those who look at other threads' arenas read a copy. */
void ebb__name_set(ext *e, const char *name)
{
    size_t n = name ? strnlen(name, sizeof e->label - 1) : 0;
    e->name = name;
    if (n) memcpy(e->label, name, n);
    e->label[n] = '\0';
}

const char *ebb_arena_name(const ebb_arena *a)
{
    if (a->bits & (LIVE | ADOPTED | SEALED)) {
        if (a->ext && a->ext->labelled && a->ext->label[0]) return a->ext->label;
        if (a->ext && a->ext->name) return a->ext->name;
        const ebb_profile *p = ebb__profile_by_id(profile_of(a));
        if (p && p->name) return p->name;
    }
    return "?";
}

char *ebb_arena_describe(const ebb_arena *of, ebb_arena *in)
{
    ebb_arena_stats s;
    ebb_arena_get_stats(of, &s);
    const char *kind = of->bits & SCOPE ? "scope" : "arena";
    return ebb_printf(in,
                      "%s \"%s\" at %p: %zu bytes used of %zu held (peak %zu)\n"
                      "  chunks %u, large blocks %u, cleanups %u, open children %u\n"
                      "  %s%s, window %s%s%s\n",
                      kind, ebb_arena_name(of), (const void *)of, s.used, s.held, s.peak, s.chunks,
                      s.large, s.cleanups, s.children, of->parent ? "child of " : "a root",
                      of->parent ? ebb_arena_name(of->parent) : "",
                      EBB__LOAD_RELAXED(&of->w.limit) >= EBB__CLOSED_MIN ? "closed" : "open",
                      s.failed ? ", failed: " : "", s.failed ? ebb_status_text(s.failed) : "");
}

/* ---- soundness ------------------------------------------------------------------------------- */

static const char *window_check(const ebb_arena *a, uintptr_t lo, uintptr_t floor, uintptr_t tip,
                                uintptr_t top)
{
    if (lo > floor || floor > tip || tip > top) return "a window's ends are out of order";
    return a->bits & STRICT ? ebb__strict_check(a, tip, top) : NULL;
}

static const char *log_check(const ebb_arena *a)
{
    uintptr_t lo = a->lo, floor = a->floor, tip = a->w.tip;
    for (link l = a->undo; l; l = *(link *)record_of(l)) {
        const chunk *c = record_of(l);
        if (kind_of(l) < CHUNK || kind_of(l) > HOLD)
            return "a record of the undo log is overwritten";
        if (kind_of(l) != CHUNK && kind_of(l) != LARGE) continue;
        if (c->owner != a) return "a chunk belongs to another arena";
        if (c->kind != kind_of(l)) return "a chunk's header is overwritten";
        if (kind_of(l) == LARGE) continue;
        const char *broken = window_check(a, lo, floor, tip, (uintptr_t)c);
        if (broken) return broken;
        lo = c->before_lo;
        floor = c->u.before.floor;
        tip = c->u.before.tip;
    }
    return window_check(a, lo, floor, tip, head_top(a));
}

static const char *children_check(const ebb_arena *a)
{
    uint32_t n = 0;
    const ebb_arena *newer = NULL;
    for (const ebb_arena *c = a->ext->first_child; c; c = c->ext->next, n++) {
        if (!(c->bits & LIVE)) return "an open child has ended";
        if (c->parent != a) return "a child has another parent";
        if (c->ext->previous != newer) return "the list of children is overwritten";
        if (newer && newer->ext->born <= c->ext->born) return "children are out of order";
        newer = c;
    }
    return n == a->ext->children ? NULL : "the count of children is wrong";
}

const char *ebb_arena_validate(const ebb_arena *a)
{
    if (a == &ebb__dead) return NULL;
    if (!(a->bits & LIVE)) return "the arena has ended";
    uintptr_t limit = EBB__LOAD_RELAXED(&a->w.limit);
    bool armed = limit >= a->floor && limit < window_top(a);
    if (limit != a->floor - 1 && !armed && limit < EBB__CLOSED_MIN)
        return "the window's limit is not its floor";
    if (a->open_len > a->floor - a->lo) return "the open object is longer than what lies below it";
    const char *broken = log_check(a);
    if (!broken) broken = ebb__bins_check(a);
    if (!broken && a->ext) broken = children_check(a);
    return broken;
}
