/*
 * track/stack.c: stacks of calls: walked by frame pointers, interned.
 *
 * A frame that was made with a frame pointer begins with two words: the caller's frame pointer, and
 * the return address. The walk begins in the library, whose own frames are skipped until the one
 * that returns to the site; it goes on while the pointers rise, are aligned, and stay on the
 * thread's stack, so whatever a function without frame pointers has left in that register leads
 * nowhere, or to a wrong frame, but never to memory that can't be read.
 *
 * Stacks are kept in pages that are never given back. A look-up takes no lock: the table's entries
 * are written once, from NULL; a table that was outgrown stays, since a reader may be in it (all of
 * them together are as large as the one in use). An insertion is under the watchers' lock.
 */
#include "stack.h"

#include <stdatomic.h>
#include <string.h>

/* ---- the walk -------------------------------------------------------------------------------- */

typedef struct frame {
    struct frame *caller;
    const void *back;
} frame;

/* Above the last, and with room for a frame below the end: one comparison for both. */
static inline bool is_frame(uintptr_t at, uintptr_t below, uintptr_t most)
{
    return at - below - 1 < most - below && at % sizeof(void *) == 0;
}

/* What a wrong frame pointer leads to may be a red zone of AddressSanitizer's, which is no harm. */
__attribute__((noinline, no_sanitize("address"))) unsigned ebb__stack_capture(const void *site,
                                                                              const void **ret_,
                                                                              unsigned most)
{
    enum { OURS = 24 }; /* frames of the library's between here and the call */
    unsigned n = 0, skipped = 0;
    const frame *f = __builtin_frame_address(0);
    uintptr_t end = ebb__stack_end((uintptr_t)f), last = end - sizeof(frame);
    ret_[n++] = site;
    if (!end) return n;
    while (f->back != site) {
        if (++skipped == OURS || !is_frame((uintptr_t)f->caller, (uintptr_t)f, last)) return n;
        f = f->caller;
    }
    while (n < most && is_frame((uintptr_t)f->caller, (uintptr_t)f, last)) {
        f = f->caller;
        ret_[n++] = f->back;
    }
    return n > 1 && !ret_[n - 1] ? n - 1 : n; /* the outermost may return nowhere */
}

/* ---- interning ------------------------------------------------------------------------------- */

enum { FIRST_TABLE = 64 << 10, POOL = 256 << 10 };

typedef struct table {
    size_t size; /* bytes */
    uint32_t mask;
    const ebb__stack *_Atomic entry[];
} table;

static table *_Atomic the_table;
static uint32_t used; /* this and the next two: under the lock */
static char *pool_next, *pool_end;

/* By multiplication, two words at a time (after Lemire and Kaser 2014, and wyhash). */
static uint64_t hash_of(const void *const *address, unsigned depth)
{
    uint64_t h = depth;
    for (unsigned i = 0; i < depth; i++) {
        uint64_t x = (h ^ (uintptr_t)address[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h = x ^ (x >> 29);
    }
    return h;
}

static bool same(const ebb__stack *s, uint64_t hash, const void *const *address, unsigned depth)
{
    return s->hash == hash && s->depth == depth &&
           memcmp(s->address, address, depth * sizeof *address) == 0;
}

/* The entry where it is, or should be. */
static const ebb__stack *_Atomic *entry_of(table *t, uint64_t hash, const void *const *address,
                                           unsigned depth)
{
    for (uint64_t i = hash;; i++) {
        const ebb__stack *_Atomic *e = &t->entry[i & t->mask];
        const ebb__stack *s = atomic_load_explicit(e, memory_order_acquire);
        if (!s || same(s, hash, address, depth)) return e;
    }
}

static table *table_new(size_t size)
{
    table *t = ebb__pages_take(size);
    uint32_t capacity = 1;
    if (!t) return NULL;
    while (sizeof *t + 2 * (size_t)capacity * sizeof *t->entry <= size) capacity *= 2;
    t->size = size;
    t->mask = capacity - 1;
    return t;
}

/* With the lock held. NULL: no memory. */
static table *table_with_room(void)
{
    table *t = atomic_load_explicit(&the_table, memory_order_relaxed);
    if (t && used < (t->mask + 1) / 4 * 3) return t;
    table *larger = table_new(t ? 2 * t->size : FIRST_TABLE);
    if (!larger) return NULL;
    for (uint32_t i = 0; t && i <= t->mask; i++) {
        const ebb__stack *s = atomic_load_explicit(&t->entry[i], memory_order_relaxed);
        if (!s) continue;
        atomic_store_explicit(entry_of(larger, s->hash, s->address, s->depth), s,
                              memory_order_relaxed);
    }
    atomic_store_explicit(&the_table, larger, memory_order_release);
    return larger;
}

static ebb__stack *stack_new(uint64_t hash, const void *const *address, unsigned depth)
{
    size_t size = sizeof(ebb__stack) + depth * sizeof *address;
    if ((size_t)(pool_end - pool_next) < size) {
        char *p = ebb__pages_take(POOL);
        if (!p) return NULL;
        pool_next = p;
        pool_end = p + POOL;
    }
    ebb__stack *s = (ebb__stack *)(void *)pool_next;
    pool_next += size;
    s->hash = hash;
    s->depth = depth;
    memcpy(s->address, address, depth * sizeof *address);
    return s;
}

static const ebb__stack *insert(uint64_t hash, const void *const *address, unsigned depth)
{
    table *t = table_with_room();
    if (!t) return NULL;
    const ebb__stack *_Atomic *e = entry_of(t, hash, address, depth);
    const ebb__stack *s = atomic_load_explicit(e, memory_order_relaxed);
    if (s) return s;
    s = stack_new(hash, address, depth);
    if (!s) return NULL;
    atomic_store_explicit(e, s, memory_order_release);
    used++;
    return s;
}

const ebb__stack *ebb__stack_intern(const void *const *address, unsigned depth)
{
    uint64_t hash = hash_of(address, depth);
    table *t = atomic_load_explicit(&the_table, memory_order_acquire);
    const ebb__stack *s = NULL;
    if (t) s = atomic_load_explicit(entry_of(t, hash, address, depth), memory_order_acquire);
    if (s || ebb__watchers_held()) return s;
    ebb__watchers_lock();
    s = insert(hash, address, depth);
    ebb__watchers_unlock();
    return s;
}
