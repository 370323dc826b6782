/*
 * arena/strict.c: the strict layout, and the tools that see through it.
 *
 * In a strict arena every object is framed, so that its neighbours are known and its end is
 * guarded:
 *
 *     tip -> | frame: size, span, number, magic | object ... | guard, 16 at least | older frame
 *
 * The chain is walked from the tip up to the window's top when objects are forgotten: their guards
 * are checked, their bytes filled (or poisoned for ASan and Memcheck), and their blocks kept from
 * reuse for a while. An arena is strict for its whole life, or not at all; its window stays closed.
 * Objects never grow in place here: a pointer kept across a growth is a bug that only luck hides.
 *
 * The ASan functions are weak, so one library serves programs built with ASan and without. Memcheck
 * is told from other Valgrind tools by its own request, or instruction counts would measure this
 * file.
 */
#include "internal.h"

#include <string.h>

#if defined(EBB_HAVE_VALGRIND) && EBB_HAVE_VALGRIND
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND                       0
#define VALGRIND_GET_VBITS(p, bits, n)            ((void)(p), (void)(bits), 0)
#define VALGRIND_MAKE_MEM_NOACCESS(p, n)          ((void)(p), (void)(n))
#define VALGRIND_MAKE_MEM_UNDEFINED(p, n)         ((void)(p), (void)(n))
#define VALGRIND_MAKE_MEM_DEFINED(p, n)           ((void)(p), (void)(n))
#define VALGRIND_CREATE_MEMPOOL(pool, rz, zeroed) ((void)(pool))
#define VALGRIND_MEMPOOL_ALLOC(pool, p, n)        ((void)(pool), (void)(p), (void)(n))
#define VALGRIND_MEMPOOL_FREE(pool, p)            ((void)(pool), (void)(p))
#endif

__attribute__((weak)) void __asan_poison_memory_region(void const volatile *, size_t);
__attribute__((weak)) void __asan_unpoison_memory_region(void const volatile *, size_t);

enum { FRAME_ALIGN = 8, GUARD = 16, QUARANTINE_BLOCKS = 512 };
enum { FRESH = 0xcd, FORGOTTEN = 0xdd, GUARD_FILL = 0xfb };

#define QUARANTINE_BYTES ((size_t)16 << 20)
#define MAGIC_LIVE       ((uintptr_t)0x0bb0fa4e)
#define MAGIC_RETIRED    ((uintptr_t)0x0bb0dead)

typedef struct frame {
    size_t size;     /* of the object */
    size_t span;     /* from here to the next older frame, or to the window's top */
    uint32_t number; /* in its arena, from 0 */
    uint32_t unused;
    uintptr_t magic;
} frame;

static bool asan, memcheck;
static char
    pool; /* one for all arenas, as Memcheck's anchor: adoption moves objects between them */

static frame *frame_of(const void *object)
{
    return (frame *)((uintptr_t)object - sizeof(frame));
}

static char *object_of(frame *f)
{
    return (char *)(f + 1);
}

/* ---- tools -------------------------------------------------------------------------------------
   */

void ebb__tools_detect(void)
{
    asan = __asan_poison_memory_region != NULL && __asan_unpoison_memory_region != NULL;
    unsigned char byte = 0, bits = 0;
    memcheck = RUNNING_ON_VALGRIND && VALGRIND_GET_VBITS(&byte, &bits, 1) == 1;
    if (memcheck) VALGRIND_CREATE_MEMPOOL(&pool, 0, 0);
}

bool ebb__tools_active(void)
{
    return asan || memcheck;
}

void ebb__strict_poison(const void *ptr, size_t size)
{
    if (asan) __asan_poison_memory_region(ptr, size);
    if (memcheck) VALGRIND_MAKE_MEM_NOACCESS(ptr, size);
}

void ebb__strict_unpoison(const void *ptr, size_t size)
{
    if (asan) __asan_unpoison_memory_region(ptr, size);
    if (memcheck) VALGRIND_MAKE_MEM_DEFINED(ptr, size);
}

static void fill(void *ptr, int byte, size_t size)
{
    if (!ebb__tools_active()) memset(ptr, byte, size);
}

/* ---- allocation --------------------------------------------------------------------------------
   */

size_t ebb__strict_overhead(size_t align)
{
    size_t a = align < FRAME_ALIGN ? FRAME_ALIGN : align;
    return sizeof(frame) + GUARD + 2 * a;
}

static void show(void *ptr, size_t size)
{
    if (asan) __asan_unpoison_memory_region(ptr, size);
    if (memcheck) VALGRIND_MEMPOOL_ALLOC(&pool, ptr, size);
    fill(ptr, FRESH, size);
}

static void hide(void *ptr, size_t size)
{
    fill(ptr, FORGOTTEN, size);
    if (asan) __asan_poison_memory_region(ptr, size);
    if (memcheck) VALGRIND_MEMPOOL_FREE(&pool, ptr);
}

void *ebb__strict_bump(ebb_arena *a, size_t size, size_t align)
{
    if (align < FRAME_ALIGN) align = FRAME_ALIGN;
    size_t least = sizeof(frame) + size + GUARD;
    uintptr_t top = a->w.tip;
    if (least > top - a->floor) return NULL;
    uintptr_t ptr = (top - size - GUARD) & -(uintptr_t)align;
    uintptr_t at = (ptr - sizeof(frame));
    if (ptr < a->floor + sizeof(frame)) return NULL;
    frame *f = (frame *)at;
    ebb__strict_unpoison(f, sizeof *f);
    f->size = size;
    f->span = top - at;
    f->number = a->ext->frames++;
    f->magic = MAGIC_LIVE;
    show((void *)ptr, size);
    fill((void *)(ptr + size), GUARD_FILL, top - ptr - size);
    a->w.tip = at;
    return (void *)ptr;
}

/* A new window: nothing in it is anybody's yet. */
void ebb__strict_window(ebb_arena *a)
{
    ebb__strict_poison((void *)a->lo, a->w.tip - a->lo);
}

/* A large block holds one object and no frame; what lies behind it guards it. */
void ebb__strict_large(chunk *c, bool forget)
{
    void *ptr = (void *)c->u.object.ptr;
    if (forget) {
        hide(ptr, c->u.object.len);
        return;
    }
    ebb__strict_poison((void *)c->lo, (uintptr_t)c - c->lo);
    show(ptr, c->u.object.len);
}

/* ---- forgetting --------------------------------------------------------------------------------
   */

static bool guard_is_whole(frame *f)
{
    if (ebb__tools_active()) return true; /* they see a write past the end when it happens */
    const unsigned char *end = (unsigned char *)f + f->span;
    for (const unsigned char *p = (unsigned char *)object_of(f) + f->size; p < end; p++)
        if (*p != GUARD_FILL) return false;
    return true;
}

static const char *frame_check(frame *f, uintptr_t to)
{
    if (f->magic != MAGIC_LIVE && f->magic != MAGIC_RETIRED)
        return "an object's frame was overwritten (a write before its beginning, or far past "
               "its neighbour's end)";
    if (f->span < sizeof *f + f->size || (uintptr_t)f + f->span > to)
        return "an object's frame was overwritten";
    if (!guard_is_whole(f)) return "an object was written past its end";
    return NULL;
}

/* Check the objects between two tips of one window; NULL: they are sound. */
const char *ebb__strict_check(const ebb_arena *a, uintptr_t from, uintptr_t to)
{
    (void)a;
    while (from < to) {
        frame *f = (frame *)from;
        const char *broken = frame_check(f, to);
        if (broken) return broken;
        from += f->span;
    }
    return NULL;
}

/* The objects between two tips of one window are no more. */
void ebb__strict_forget(ebb_arena *a, uintptr_t from, uintptr_t to, const char *function)
{
    while (from < to) {
        frame *f = (frame *)from;
        const char *broken = frame_check(f, to);
        if (broken) {
            ebb__report(EBB_MISUSE, function, a,
                        "%s: %zu bytes at %p; run under AddressSanitizer to "
                        "see the write",
                        broken, f->size, (void *)object_of(f));
            break;
        }
        uintptr_t next = from + f->span;
        if (f->magic == MAGIC_LIVE) hide(object_of(f), f->size);
        f->magic = MAGIC_RETIRED;
        ebb__strict_poison(f, next - (uintptr_t)f);
        from = next;
    }
}

/* The frame of an object of `a`; NULL if it has none: a large block's, or not in the map. */
static frame *frame_in(const ebb_arena *a, const void *ptr)
{
    slab *s = ebb__slab_of((uintptr_t)ptr);
    if (!s || ebb_arena_of(ptr) != a) return NULL;
    size_t size = s->block_size ? s->block_size : s->size;
    uintptr_t at = ((uintptr_t)ptr - s->base) % size;
    const chunk *c = (chunk *)((uintptr_t)ptr - at + size - CONTROL_SIZE);
    if (at < sizeof(frame) || (s->kind != SLAB_HEAD && c->kind == LARGE)) return NULL;
    frame *f = frame_of(ptr);
    return f->magic == MAGIC_LIVE ? f : NULL;
}

/* Whether an object of `a` is still one, as far as can be told without a frame. */
bool ebb__strict_is_live(const ebb_arena *a, const void *ptr)
{
    return frame_in(a, ptr) || !ebb__slab_of((uintptr_t)ptr) || ebb__large_of(a, ptr, SIZE_MAX);
}

/* Objects made so far are older than a mark, and a rewind may bring them back as they are now. */
void ebb__strict_mark(ebb_arena *a)
{
    a->ext->old_frames = a->ext->frames;
}

/* An object has moved, or was given back: it is not to be used again. */
void ebb__strict_retire(ebb_arena *a, void *ptr)
{
    frame *f = frame_in(a, ptr);
    if (!f || f->number < a->ext->old_frames) return;
    f->magic = MAGIC_RETIRED;
    hide(ptr, f->size);
}

void ebb__strict_resized(ebb_arena *a, void *ptr, size_t size)
{
    frame *f = frame_in(a, ptr);
    if (!f || size > f->size) return;
    char *end = object_of(f) + size;
    fill(end, GUARD_FILL, f->size - size);
    if (asan) __asan_poison_memory_region(end, f->size - size);
    if (memcheck) VALGRIND_MAKE_MEM_NOACCESS(end, f->size - size);
    f->size = size;
}

/* ---- life --------------------------------------------------------------------------------------
   */

void ebb__strict_begin(ebb_arena *a)
{
    ext *e = ebb__ext_get(a);
    if (!e) return; /* then it is simply not strict */
    a->bits |= STRICT;
    e->owner = ebb__thread_get();
    ebb__strict_window(a);
    ebb__close(a);
}

/* Whatever memory goes back to a caller goes back readable. */
void ebb__strict_end(ebb_arena *a)
{
    if (in_buffer(a)) ebb__strict_unpoison((void *)a->ext->buffer, (uintptr_t)a - a->ext->buffer);
}

bool ebb__strict_owner(ebb_arena *a, const char *function)
{
    thread *self = ebb__thread_get(), *owner = a->ext->owner;
    if (!owner) a->ext->owner = owner = self; /* parked or detached: whoever comes first */
    if (owner == self) return true;
    ebb__report(EBB_MISUSE, function, a,
                "held by thread %u (%s), used on thread %u (%s); detach there, "
                "attach here",
                owner->id, owner->name, self->id, self->name);
    return false;
}

/* ---- quarantine --------------------------------------------------------------------------------
   */

static os_lock_t lock = OS_LOCK_INIT;
static struct {
    unsigned klass;
    void *block;
} ring[QUARANTINE_BLOCKS];
static size_t ring_first, ring_count, ring_bytes;

static void evict(void)
{
    unsigned klass = ring[ring_first].klass;
    void *block = ring[ring_first].block;
    ring_first = (ring_first + 1) % QUARANTINE_BLOCKS;
    ring_count--;
    ring_bytes -= class_size(klass);
    ebb__cache_push(klass, block);
}

/* Keep a block from being used again for a while. */
bool ebb__quarantine(unsigned klass, void *block)
{
    os_lock(&lock);
    while (ring_count == QUARANTINE_BLOCKS || (ring_count && ring_bytes > QUARANTINE_BYTES))
        evict();
    size_t at = (ring_first + ring_count++) % QUARANTINE_BLOCKS;
    ring[at].klass = klass;
    ring[at].block = block;
    ring_bytes += class_size(klass);
    os_unlock(&lock);
    return true;
}

void ebb__quarantine_drain(void)
{
    os_lock(&lock);
    while (ring_count) evict();
    os_unlock(&lock);
}

void ebb__quarantine_lock(void)
{
    os_lock(&lock);
}

void ebb__quarantine_unlock(void)
{
    os_unlock(&lock);
}
