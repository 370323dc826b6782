/*
 * arena/fail.c: failure, the reserve, and leaving from any depth.
 *
 * A failure is remembered in the arena; a sticky arena's window closes with it. Inside an ebb_try
 * whose arena is the failing one or an ancestor, it is then turned into a jump: lexical scopes and
 * children begun inside are ended first, while the frames that hold their handles are still there,
 * then longjmp.
 */
#include "internal.h"

#include <setjmp.h>
#include <stdlib.h>

struct try_frame {
    jmp_buf env;
    ebb_arena *arena;
    try_frame *outer;
    ebb__lexical *lexical; /* what was innermost, and current, when it began */
    ebb_arena *current;
    uint32_t cleanups; /* how many were running: a cleanup does not jump out of itself */
    uint64_t id;       /* thread number and a count: later tries of a thread have larger ones */
    int code;
    bool outermost; /* of the tries on this arena: its IN_TRY bit goes with it */
};

ebb_arena ebb__dead = {.w = {0, EBB__CLOSED}, .bits = LIVE | STICKY | 1 << FAILED_SHIFT};

/* ---- remembering ----------------------------------------------------------------------------- */

void ebb__set_failed(ebb_arena *a, ebb_status why)
{
    if (a == &ebb__dead) return;
    if (!(a->bits & FAILED_MASK)) {
        unsigned code = why == EBB_E_MEMORY ? 1 : why == EBB_E_LIMIT ? 2 : 3;
        if (code == 3) {
            ext *e = ebb__ext_get(a);
            if (e) e->failed = (int8_t)why;
            else code = 1;
        }
        a->bits |= code << FAILED_SHIFT;
    }
    if (a->bits & STICKY) __atomic_store_n(&a->w.limit, EBB__CLOSED_BY_OWNER, __ATOMIC_RELAXED);
}

ebb_status ebb_failed(const ebb_arena *a)
{
    switch ((a->bits & FAILED_MASK) >> FAILED_SHIFT) {
    case 0: return EBB_OK;
    case 1: return EBB_E_MEMORY;
    case 2: return EBB_E_LIMIT;
    default: return (ebb_status)a->ext->failed;
    }
}

/* ---- the reserve ----------------------------------------------------------------------------- */

static size_t reserve_of(const ebb_arena *a)
{
    enum { DEFAULT_RESERVE = 1024 };
    return a->ext && a->ext->reserve ? a->ext->reserve : DEFAULT_RESERVE;
}

/* A block of the stock becomes the current chunk, whatever the limits say. */
bool ebb__open_stock(ebb_arena *a)
{
    if (a->ext && (a->ext->buffer_only || a->ext->source)) return false;
    chunk *c = ebb__stock_take();
    if (!c) return false;
    c->size = BLOCK_MIN;
    c->lo = (uintptr_t)c + CONTROL_SIZE - BLOCK_MIN;
    c->klass = BLOCK_CLASS;
    c->origin = FROM_STOCK;
    ebb__count_block(a, c);
    if (a->bits & LIMITED) ebb__charge_anyway(a, c->size);
    ebb__adopt_chunk(a, c);
    return true;
}

void ebb_recover(ebb_arena *a)
{
    if (a == &ebb__dead || !ebb__check_usable(a, "ebb_recover") || !(a->bits & FAILED_MASK)) return;
    if (a->ext && a->ext->hopeless) return;
    size_t reserve = reserve_of(a);
    if (a->w.tip - a->floor < reserve) {
        ebb_status why = EBB_E_MEMORY;
        bool large = reserve > BLOCK_MIN - CONTROL_SIZE;
        if (!large || !ebb__push_chunk(a, reserve, &why)) ebb__open_stock(a);
    }
    a->bits &= ~(uint32_t)FAILED_MASK;
    ebb__reopen(a);
}

/* ---- try and raise --------------------------------------------------------------------------- */

/* Nobody knows whose child an arena without memory would have been: the innermost try answers. */
static try_frame *frame_for(const thread *t, const ebb_arena *a)
{
    if (a == &ebb__dead) return t->try_top;
    for (try_frame *f = t->try_top; f; f = f->outer)
        for (const ebb_arena *x = a; x; x = x->parent)
            if (x == f->arena) return f;
    return NULL;
}

uint64_t ebb__try_id(const thread *t)
{
    return t->try_top ? t->try_top->id : 0;
}

bool ebb__try_is_inside(const thread *t)
{
    return t->try_top && t->try_top->lexical == t->lexical;
}

ebb_arena *ebb__try_arena(const thread *t)
{
    return t->try_top->arena;
}

/* Whether a child that began under try `id` began inside frame `f`, which is still active here. */
static bool begun_inside(const try_frame *f, uint64_t id)
{
    return id >> 32 == f->id >> 32 && id >= f->id;
}

static void end_begun_inside(const try_frame *f, ebb_arena *a)
{
    if (!a->ext) return;
    ebb_arena *next;
    for (ebb_arena *c = a->ext->first_child; c; c = next) {
        next = c->ext->next;
        if (begun_inside(f, c->ext->try_id)) ebb__arena_finish(c, CALLER);
        else end_begun_inside(f, c);
    }
}

/* The frames are gone from the stack of a thread that exits inside a try, so the arenas are noted
   in its record too. */
static void note_tried(thread *t, ebb_arena *a)
{
    if (t->tried_count < TRIED) t->tried[t->tried_count] = a;
    t->tried_count++;
}

void ebb__thread_exit_tries(thread *t)
{
    for (uint32_t i = 0; i < t->tried_count && i < TRIED; i++)
        t->tried[i]->bits &= ~(uint32_t)IN_TRY;
    t->tried_count = 0;
    t->try_top = NULL;
}

static void leave(thread *t, try_frame *f)
{
    t->try_top = f->outer;
    t->tried_count--;
    if (f->outermost) f->arena->bits &= ~(uint32_t)IN_TRY;
}

static EBB_NORETURN void unwind(thread *t, try_frame *f, int code)
{
    t->cleanups++;
    while (t->try_top != f) leave(t, t->try_top);
    leave(t, f);
    while (t->lexical != f->lexical) ebb__lexical_end(t->lexical);
    end_begun_inside(f, f->arena);
    t->current = f->current;
    t->cleanups = f->cleanups;
    f->code = code;
    longjmp(f->env, 1);
}

/* Note a failure; then NULL, or a jump. */
void *ebb__fail(ebb_arena *a, ebb_status why, enum mode mode)
{
    if (mode == MODE_OPTIONAL) return NULL;
    ebb__set_failed(a, why);
    thread *t = ebb__self;
    if (mode == MODE_STICK) return NULL;
    try_frame *f = t->try_top ? frame_for(t, a) : NULL;
    if (f && f->cleanups == t->cleanups) unwind(t, f, why);
    return NULL;
}

static int run(thread *t, try_frame *f, ebb_task *task, void *arg)
{
    if (setjmp(f->env)) return f->code;
    int result = task(f->arena, arg);
    leave(t, f);
    return result;
}

int ebb_try(ebb_arena *a, ebb_task *task, void *arg)
{
    thread *t = ebb__thread_get();
    if (a != &ebb__dead && !ebb__check_usable(a, "ebb_try")) return EBB_E_INVALID;
    ebb_status failed = t ? ebb_failed(a) : EBB_E_MEMORY;
    if (failed != EBB_OK) return failed;
    try_frame f = {.arena = a,
                   .outer = t->try_top,
                   .lexical = t->lexical,
                   .current = t->current,
                   .cleanups = t->cleanups};
    f.id = (uint64_t)t->id << 32 | ++t->try_count;
    f.outermost = !(a->bits & IN_TRY);
    a->bits |= IN_TRY;
    t->try_top = &f;
    note_tried(t, a);
    return run(t, &f, task, arg);
}

void ebb_raise(ebb_arena *a, int code)
{
    thread *t = ebb__self;
    try_frame *f = frame_for(t, a);
    if (f && code != 0 && f->cleanups == t->cleanups) unwind(t, f, code);
    const char *why = code == 0 ? "code 0 would look like success; raise another"
                      : f || t->cleanups
                          ? "a cleanup may not leave by a raise; return instead"
                          : "no ebb_try on this thread for this arena or one above it";
    ebb__report(EBB_MISUSE, "ebb_raise", a, "%s", why);
    abort(); /* documented: there is nowhere to go */
}
