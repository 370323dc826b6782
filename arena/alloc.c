/*
 * arena/alloc.c: behind the inline path. The slow path, large blocks, resize, and the copies made
 * of them: dup, strings, printf, promote.
 *
 * The slow path is reached for two reasons: no room, or a closed window. If it is closed, whoever
 * had it closed is heard first; then the window is reopened if nobody minds, and the allocation is
 * made against the real floor either way.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

static bool power_of_two(size_t n)
{
    return n && !(n & (n - 1));
}

static uintptr_t align_up(uintptr_t p, size_t align)
{
    return (p + align - 1) & -(uintptr_t)align;
}

/* ---- room ------------------------------------------------------------------------------------ */

/* The inline path again, but against the real floor. */
static inline void *bump_plainly(ebb_arena *a, size_t size, size_t align)
{
    uintptr_t to = (a->w.tip - size) & -(uintptr_t)align;
    if (size > a->w.tip - a->floor || to < a->floor) return NULL;
    a->w.tip = to;
    return (void *)to;
}

static void *bump(ebb_arena *a, size_t size, size_t align)
{
    if (unlikely(a->bits & STRICT)) return ebb__strict_bump(a, size, align);
    return bump_plainly(a, size, align);
}

/* What a block must offer so that `size` bytes at `align` fit below its header. */
static size_t need_for(const ebb_arena *a, size_t size, size_t align)
{
    if (unlikely(a->bits & STRICT)) return size + ebb__strict_overhead(align);
    bool odd_base = a->ext && a->ext->source; /* only blocks of ours are aligned to a cache line */
    if (align > CONTROL_SIZE || odd_base) return size + align;
    return align_up(size, align);
}

static void *large(ebb_arena *a, size_t size, size_t align, ebb_status *ret_why)
{
    chunk *c = ebb__block_take(a, need_for(a, size, align) + CONTROL_SIZE, false, ret_why);
    if (!c) return NULL;
    c->kind = LARGE;
    c->before_marked = (a->bits & MARKED) != 0;
    c->u.object.ptr = align_up(c->lo, align);
    c->u.object.len = size;
    undo_push(a, c, LARGE);
    if (unlikely(a->bits & STRICT)) ebb__strict_large(c, false);
    return (void *)c->u.object.ptr;
}

/* There is no room in the window: a block of its own for what is large beside a body, else a
   chunk. */
static void *enlarge(ebb_arena *a, size_t size, size_t align, ebb_status *ret_why)
{
    size_t need = need_for(a, size, align);
    if (need > class_size(body_class(a->bits & BODY_MASK)) / 2)
        return large(a, size, align, ret_why);
    if (!ebb__push_chunk(a, need, ret_why)) return NULL;
    return bump(a, size, align);
}

static void *obtain_open(ebb_arena *a, size_t size, size_t align, enum mode mode)
{
    ebb_status why = EBB_E_INVALID;
    if (size > PTRDIFF_MAX - 2 * (size_t)MAX_ALIGN) return ebb__fail(a, EBB_E_MEMORY, mode);
    if (!power_of_two(align) || align > MAX_ALIGN) return ebb__fail(a, why, mode);
    void *p = bump(a, size, align);
    if (!p) p = enlarge(a, size, align, &why);
    return likely(p != NULL) ? p : ebb__fail(a, why, mode);
}

static bool failed_for_good(const ebb_arena *a)
{
    return (a->bits & FAILED_MASK) && (a->bits & STICKY);
}

/* A call by a stranger is refused, and leaves no trace in the holder's arena. */
static inline bool may_allocate(ebb_arena *a, const char *function)
{
    return (likely(a->bits & LIVE) || ebb__check_live(a, function)) &&
           (!(a->bits & STRICT) || ebb__strict_owner(a, function));
}

/* Some watchers want to hear when it is let go. */
static COLD void keep_life(ebb_arena *a, const ebb__event *e, void *ptr)
{
    ext *x = ebb__ext_get(a);
    if (x) ebb__lives_add(&x->lives, e, (uintptr_t)ptr, ++x->serial);
}

static void end_life(ebb_arena *a, const void *ptr)
{
    if (a->ext && a->ext->lives && ptr) ebb__lives_end(&a->ext->lives, (uintptr_t)ptr);
}

/* Hear those who closed the window; false: nothing may be allocated. */
static inline bool admitted(ebb_arena *a, ebb__event *e, ebb_status *ret_why)
{
    bool wanted;
    *ret_why = EBB_E_MEMORY;
    atomic_thread_fence(memory_order_acquire); /* who closed it did something before */
    if (ebb__ask(a, e, &wanted)) return false;
    if (!wanted) ebb__reopen(a);
    return true;
}

static ebb__event event_of(const ebb_arena *a, int kind, size_t size, const void *site)
{
    ebb__event e = {.kind = kind, .profile = profile_of(a), .size = size, .site = site};
    return e;
}

/* Of an allocation that the window has room for: what alignment costs. */
static size_t padding_of(const ebb_arena *a, size_t size, size_t align)
{
    return size < a->w.tip ? (a->w.tip - size) & (align - 1) : 0;
}

/* Some of those who closed it want more than to hear of it, or it is not they. */
static __attribute__((noinline)) void *obtain_asking(ebb_arena *a, size_t size, size_t align,
                                                     enum mode mode, void *site)
{
    ebb_status why;
    if (a != &ebb__dead && !may_allocate(a, "ebb_alloc")) return NULL;
    if (failed_for_good(a)) return ebb__fail(a, ebb_failed(a), mode);
    ebb__event e = event_of(a, EBB__EVENT_ALLOC, size, site);
    e.padding = padding_of(a, size, align);
    if (!admitted(a, &e, &why)) return ebb__fail(a, why, mode);
    void *p = obtain_open(a, size, align, mode);
    if (e.lives && p) keep_life(a, &e, p);
    return p;
}

/* Not cold, or it would be compiled for size: what is tracked comes here. In short where there is
   one watcher, and nothing else keeps the window closed. */
static __attribute__((noinline)) void *obtain_closed(ebb_arena *a, size_t size, size_t align,
                                                     enum mode mode, void *site)
{
    const uint32_t unusual = STRICT | ADOPTED | FAILED_MASK;
    atomic_thread_fence(memory_order_acquire); /* as in admitted */
    if (likely((a->bits & (LIVE | unusual)) == LIVE) &&
        tell_only_watcher(a, size, padding_of(a, size, align), site)) {
        void *p = likely(power_of_two(align)) ? bump_plainly(a, size, align) : NULL;
        return likely(p != NULL) ? p : obtain_open(a, size, align, mode);
    }
    return obtain_asking(a, size, align, mode, site);
}

/* A sample is taken, or was until a moment ago. */
static COLD void *obtain_armed(ebb_arena *a, size_t size, size_t align, enum mode mode, void *site)
{
    ebb__event e = event_of(a, EBB__EVENT_ALLOC, size, site);
    if (power_of_two(align) && ebb__sample_hit(a, size, align, &e.chance)) ebb__tell_sample(a, &e);
    void *p = obtain_open(a, size, align, mode);
    if (EBB__LOAD_RELAXED(&a->w.limit) < EBB__CLOSED_MIN) ebb__arm(a);
    return p;
}

static bool is_armed(const ebb_arena *a, uintptr_t limit)
{
    return limit != a->floor - 1 || (begin_flags() & BEGIN_SAMPLED);
}

void *ebb__obtain(ebb_arena *a, size_t size, size_t align, enum mode mode, void *site)
{
    uintptr_t limit = EBB__LOAD_RELAXED(&a->w.limit);
    if (limit >= EBB__CLOSED_MIN) return obtain_closed(a, size, align, mode, site);
    if (unlikely(is_armed(a, limit))) return obtain_armed(a, size, align, mode, site);
    return obtain_open(a, size, align, mode);
}

/* Bytes that do not come out of the window: a growth, or what was outgrown before. */
void ebb__sample_other(ebb_arena *a, size_t size, const void *site)
{
    ebb__event e = event_of(a, EBB__EVENT_GROW, size, site);
    if (ebb__sample_draw(size, &e.chance)) ebb__tell_sample(a, &e);
}

/* A block of its own, all of it, whatever room there is in the window, which is open. */
void *ebb__obtain_block(ebb_arena *a, size_t size, size_t *ret_size, enum mode mode)
{
    ebb_status why = EBB_E_MEMORY;
    void *p = size <= PTRDIFF_MAX / 2 ? large(a, size, EBB_ALIGN_DEFAULT, &why) : NULL;
    if (!p) return ebb__fail(a, why, mode);
    *ret_size = ebb__usable(a, p, size);
    return p;
}

/* For the library's own records: 8-aligned, whoever closed the window, whatever has failed; from
   the stock if need be. NULL: not even that. */
void *ebb__obtain_record(ebb_arena *a, size_t size)
{
    ebb_status why;
    void *p = bump(a, size, sizeof(void *));
    if (likely(p != NULL)) return p;
    if (!ebb__push_chunk(a, need_for(a, size, sizeof(void *)), &why) && !ebb__open_stock(a))
        return NULL;
    return bump(a, size, sizeof(void *));
}

/* The ordinary overflow in one piece: an open window of an arena with nothing unusual, a small
   size, and a body in the thread's cache. NULL: it is not that, and nothing has changed. */
static inline void *overflow(ebb_arena *a, size_t size, size_t align)
{
    unsigned klass = body_class(a->bits & BODY_MASK);
    bool usual = !a->ext && !(a->bits & (STRICT | LIMITED)) && !begin_flags() &&
                 EBB__LOAD_RELAXED(&a->w.limit) == a->floor - 1 && align <= CONTROL_SIZE &&
                 power_of_two(align) && size + align <= class_size(klass) / 2;
    thread *t = ebb__self;
    if (!usual || t->stack[klass].count == 0) return NULL;
    chunk *c = stack_pop(t, klass);
    chunk_from_cache(c, klass);
    __atomic_store_n(&c->owner, a, __ATOMIC_RELAXED);
    chunk_enter(a, c);
    if ((a->bits & BODY_MASK) < BODY_STEPS - 1) a->bits++;
    a->w.tip = (a->w.tip - size) & -(uintptr_t)align;
    return (void *)a->w.tip;
}

void *ebb__alloc_slow(ebb_arena *a, size_t size, size_t align)
{
    if (EBB__LOAD_RELAXED(&a->w.limit) >= EBB__CLOSED_MIN)
        return obtain_closed(a, size, align, MODE_JUMP, CALLER);
    void *p = overflow(a, size, align);
    return likely(p != NULL) ? p : ebb__obtain(a, size, align, MODE_JUMP, CALLER);
}

void *ebb__alloc_optional_slow(ebb_arena *a, size_t size, size_t align)
{
    return ebb__obtain(a, size, align, MODE_OPTIONAL, CALLER);
}

void *ebb__alloc_overflow(ebb_arena *a)
{
    return ebb__obtain(a, SIZE_MAX, 1, MODE_JUMP, CALLER);
}

/* ---- resize ---------------------------------------------------------------------------------- */

/* The large block whose object `ptr` is, if that is `a`'s; only worth asking for large objects. */
chunk *ebb__large_of(const ebb_arena *a, const void *ptr, size_t old_size)
{
    if (old_size < BLOCK_MIN / 4) return NULL;
    slab *s = ebb__slab_of((uintptr_t)ptr);
    if (!s || (s->kind != SLAB_BLOCK && s->kind != SLAB_SPAN)) return NULL;
    size_t size = s->kind == SLAB_SPAN ? s->size : s->block_size;
    uintptr_t i = ((uintptr_t)ptr - s->base) / size;
    chunk *c = (chunk *)(s->base + (i + 1) * size - CONTROL_SIZE);
    bool is = c->kind == LARGE && __atomic_load_n(&c->owner, __ATOMIC_RELAXED) == a;
    return is && c->u.object.ptr == (uintptr_t)ptr ? c : NULL;
}

/* It is open, and no mark that is still valid needs its bytes. */
static bool may_give_back(const ebb_arena *a, const void *ptr)
{
    return ebb__is_open(a, ptr) && !(a->bits & THAWED);
}

/* Put the open object's end at `end`, which is at or above its beginning. */
static void open_end(ebb_arena *a, uintptr_t end)
{
    a->open_len = (uint32_t)(a->open_len + (end - a->floor));
    if (end < a->floor) ebb__wipe(a, end, a->floor);
    set_floor(a, end);
}

/* Half as much again, for an object that has shown that it grows. */
static size_t with_reserve(size_t size)
{
    return size + size / 2;
}

/* Open an object of `size` bytes at the floor, with as much of `want` as there is room for. */
static void *open_here(ebb_arena *a, size_t size, size_t want)
{
    uintptr_t ptr = align_up(a->floor, EBB_ALIGN_DEFAULT);
    if (ptr > a->w.tip || a->w.tip - ptr < size) return NULL;
    size_t room = a->w.tip - ptr;
    if (want > room) want = size;
    if (want == 0 || want > UINT32_MAX) return NULL;
    a->open_len = (uint32_t)want;
    a->bits = (a->bits & ~(uint32_t)THAWED) | TOUCHED;
    set_floor(a, ptr + want);
    return (void *)ptr;
}

/* Let go of a chunk that lies just below the newest one, if nothing is left in it. */
static void drop_if_empty(ebb_arena *a, chunk *newest)
{
    if (kind_of(newest->next) != CHUNK || newest->before_marked) return;
    chunk *c = record_of(newest->next);
    bool empty = newest->u.before.tip == (uintptr_t)c && newest->u.before.floor == c->lo;
    if (!empty) return;
    newest->next = c->next;
    newest->u.before.tip = c->u.before.tip;
    newest->u.before.floor = c->u.before.floor;
    newest->before_lo = c->before_lo;
    newest->before_open = c->before_open;
    newest->before_marked = c->before_marked;
    ebb__ext_get(a);
    ebb__block_give(a, c);
}

/* Move to the floor of a new chunk. */
static void *open_in_new_chunk(ebb_arena *a, void *ptr, size_t old, size_t size,
                               ebb_status *ret_why)
{
    bool gives_back = may_give_back(a, ptr);
    if (with_reserve(size) > UINT32_MAX) return large(a, size, EBB_ALIGN_DEFAULT, ret_why);
    size_t align = EBB_ALIGN_DEFAULT;
    bool fits = ebb__push_chunk(a, with_reserve(size) + align, ret_why) ||
                ebb__push_chunk(a, size + align, ret_why);
    if (!fits) return NULL;
    chunk *c = record_of(a->undo);
    void *to = open_here(a, size, with_reserve(size));
    if (old) memcpy(to, ptr, old < size ? old : size);
    if (gives_back) {
        ebb__wipe(a, (uintptr_t)ptr, c->u.before.floor);
        c->u.before.floor = (uintptr_t)ptr;
        c->before_open = 0;
        drop_if_empty(a, c);
    }
    return to;
}

/* An object that begins to grow takes the floor unless another, not much smaller, grows there. */
static bool takes_floor(const ebb_arena *a, size_t size)
{
    return a->open_len == 0 || size / 2 >= a->open_len;
}

static void *grow_by_copy(ebb_arena *a, void *ptr, size_t old, size_t size, ebb_status *ret_why)
{
    void *to;
    if (unlikely(a->bits & STRICT) || !takes_floor(a, size)) {
        to = bump(a, size, EBB_ALIGN_DEFAULT);
        if (!to) to = enlarge(a, size, EBB_ALIGN_DEFAULT, ret_why);
    } else {
        to = open_here(a, size, ptr ? with_reserve(size) : size);
        if (!to) return open_in_new_chunk(a, ptr, old, size, ret_why);
    }
    if (to && old) memcpy(to, ptr, old < size ? old : size);
    if (unlikely(a->bits & STRICT) && to && ptr) ebb__strict_retire(a, ptr);
    return to;
}

static void *grow(ebb_arena *a, void *ptr, size_t old, size_t size, ebb_status *ret_why)
{
    if (ebb__is_open(a, ptr)) {
        if (size <= a->open_len) return ptr;
        size_t more = size - a->open_len;
        if (more <= a->w.tip - a->floor && size <= UINT32_MAX) {
            open_end(a, a->floor + more);
            return ptr;
        }
        return open_in_new_chunk(a, ptr, old, size, ret_why);
    }
    chunk *c = ebb__large_of(a, ptr, old);
    if (c && size <= (uintptr_t)c - c->u.object.ptr && !(a->bits & STRICT)) {
        c->u.object.len = size;
        return ptr;
    }
    return grow_by_copy(a, ptr, old, size, ret_why);
}

static void *shrink(ebb_arena *a, void *ptr, size_t old, size_t size)
{
    if (size < old && may_give_back(a, ptr)) {
        open_end(a, (uintptr_t)ptr + size);
    } else if (size < old) {
        ebb__wipe(a, (uintptr_t)ptr + size, (uintptr_t)ptr + old);
        if (a->bits & STRICT) ebb__strict_resized(a, ptr, size);
    }
    return ptr;
}

static bool shrinks(const void *ptr, size_t old_size, size_t new_size)
{
    return ptr && new_size <= old_size;
}

static void *resize_open(ebb_arena *a, void *ptr, size_t old_size, size_t new_size, enum mode mode)
{
    ebb_status why = EBB_E_MEMORY;
    if (shrinks(ptr, old_size, new_size)) return shrink(a, ptr, old_size, new_size);
    if (new_size == 0) return obtain_open(a, 0, EBB_ALIGN_DEFAULT, mode);
    void *p = NULL;
    if (new_size <= PTRDIFF_MAX / 2) p = grow(a, ptr, ptr ? old_size : 0, new_size, &why);
    return likely(p != NULL) ? p : ebb__fail(a, why, mode);
}

static __attribute__((noinline)) void *resize_closed(ebb_arena *a, void *ptr, size_t old_size,
                                                     ebb__event *e, enum mode mode)
{
    ebb_status why;
    if (a != &ebb__dead && !may_allocate(a, "ebb_resize")) return NULL;
    if (shrinks(ptr, old_size, e->size)) return shrink(a, ptr, old_size, e->size);
    if (failed_for_good(a)) return ebb__fail(a, ebb_failed(a), mode);
    if (!admitted(a, e, &why)) return ebb__fail(a, why, mode);
    void *p = resize_open(a, ptr, old_size, e->size, mode);
    if (p) end_life(a, ptr);
    if (p && e->lives) keep_life(a, e, p);
    return p;
}

void *ebb__resize(ebb_arena *a, void *ptr, size_t old_size, size_t new_size, enum mode mode,
                  void *site)
{
    if (old_size == 0 && new_size > 0) ptr = NULL; /* owns nothing: its place may be another's */
    if (unlikely(EBB__LOAD_RELAXED(&a->w.limit) >= EBB__CLOSED_MIN)) {
        ebb__event e = event_of(a, ptr ? EBB__EVENT_GROW : EBB__EVENT_ALLOC, new_size, site);
        return resize_closed(a, ptr, old_size, &e, mode);
    }
    if (unlikely(begin_flags() & BEGIN_SAMPLED) && !shrinks(ptr, old_size, new_size))
        ebb__sample_other(a, new_size, site);
    return resize_open(a, ptr, old_size, new_size, mode);
}

void *ebb_resize(ebb_arena *a, void *ptr, size_t old_size, size_t new_size)
{
    return ebb__resize(a, ptr, old_size, new_size, MODE_JUMP, CALLER);
}

/* Take back an object of `size` bytes if it is the newest at either end; false: it stays. */
bool ebb__give_back(ebb_arena *a, void *ptr, size_t size)
{
    end_life(a, ptr);
    if (a->bits & STRICT) {
        ebb__strict_retire(a, ptr);
    } else if (may_give_back(a, ptr)) {
        open_end(a, (uintptr_t)ptr);
    } else if (a->w.tip == (uintptr_t)ptr && (uintptr_t)ptr + size <= window_top(a)) {
        ebb__wipe(a, (uintptr_t)ptr, (uintptr_t)ptr + size);
        a->w.tip = (uintptr_t)ptr + size;
    } else {
        return false;
    }
    return true;
}

/* What an object of `size` bytes may use without asking: all that lies behind it. */
size_t ebb__usable(ebb_arena *a, void *ptr, size_t size)
{
    if (a->bits & STRICT) return size;
    if (ebb__is_open(a, ptr)) return a->open_len;
    chunk *c = ebb__large_of(a, ptr, size);
    if (!c) return size;
    return c->u.object.len = (uintptr_t)c - c->u.object.ptr;
}

/* ---- copies ---------------------------------------------------------------------------------- */

static void *copy(ebb_arena *a, const void *data, size_t size, size_t align, void *site)
{
    uintptr_t to = (a->w.tip - size) & -(uintptr_t)align;
    if (likely(size <= a->w.tip && to > EBB__LOAD_RELAXED(&a->w.limit))) {
        a->w.tip = to;
        return memcpy((void *)to, data, size);
    }
    void *p = ebb__obtain(a, size, align, MODE_JUMP, site);
    return p && size ? memcpy(p, data, size) : p;
}

void *ebb_dup(ebb_arena *a, const void *data, size_t size)
{
    return copy(a, data, size, EBB_ALIGN_DEFAULT, CALLER);
}

char *ebb_strdup(ebb_arena *a, const char *text)
{
    return copy(a, text, strlen(text) + 1, 1, CALLER);
}

char *ebb_strndup(ebb_arena *a, const char *text, size_t max)
{
    size_t n = strnlen(text, max);
    char *p = n < SIZE_MAX ? ebb__obtain(a, n + 1, 1, MODE_JUMP, CALLER) : NULL;
    if (!p) return NULL;
    memcpy(p, text, n);
    p[n] = '\0';
    return p;
}

static char *print(ebb_arena *a, const char *fmt, va_list args, void *site)
{
    char small[256]; /* most texts: formatted once, then copied */
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, fmt, args);
    char *p = NULL;
    if (n < 0) {
        ebb__fail(a, EBB_E_INVALID, MODE_JUMP);
    } else if ((size_t)n < sizeof small) {
        p = copy(a, small, (size_t)n + 1, 1, site);
    } else {
        p = ebb__obtain(a, (size_t)n + 1, 1, MODE_JUMP, site);
        if (p) vsnprintf(p, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    return p;
}

char *ebb_vprintf(ebb_arena *a, const char *fmt, va_list args)
{
    return print(a, fmt, args, CALLER);
}

char *ebb_printf(ebb_arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *p = print(a, fmt, args, CALLER);
    va_end(args);
    return p;
}

/* Memory of an arena over a caller's buffer is not in the map, but such an arena knows its own. */
static bool is_in_buffer_of(const ebb_arena *a, const void *ptr)
{
    uintptr_t p = (uintptr_t)ptr;
    return in_buffer(a) && p >= a->ext->buffer && p < (uintptr_t)a;
}

void *ebb_promote(ebb_arena *to, const void *ptr, size_t size)
{
    const ebb_arena *owner = ebb_arena_of(ptr);
    for (const ebb_arena *a = to; a && a != &ebb__dead; a = a->parent)
        if (a == owner || is_in_buffer_of(a, ptr)) return (void *)(uintptr_t)ptr;
    return copy(to, ptr, size, EBB_ALIGN_DEFAULT, CALLER);
}

/* ---- cleanups -------------------------------------------------------------------------------- */

bool ebb_defer(ebb_arena *a, void (*fn)(void *), void *arg)
{
    defer *d = NULL;
    if (a != &ebb__dead) {
        if (!ebb__check_usable(a, "ebb_defer")) return false;
        d = ebb__obtain_record(a, sizeof *d);
    }
    if (!d) {
        fn(arg);
        return false;
    }
    d->fn = fn;
    d->arg = arg;
    d->site = CALLER;
    undo_push(a, d, DEFER);
    return true;
}

/* A mark may refer to the record, so it stays, as one that does nothing. */
static bool cancel(ebb_arena *a, void (*fn)(void *), void *arg)
{
    for (link l = a->undo; l; l = *(link *)record_of(l)) {
        defer *d = record_of(l);
        if (kind_of(l) == ADOPT && cancel(tombstone_of(l), fn, arg)) return true;
        if (kind_of(l) != DEFER || d->fn != fn || d->arg != arg) continue;
        d->fn = NULL;
        return true;
    }
    return false;
}

bool ebb_defer_cancel(ebb_arena *a, void (*fn)(void *), void *arg)
{
    if (a == &ebb__dead || !ebb__check_usable(a, "ebb_defer_cancel")) return false;
    return cancel(a, fn, arg);
}
