/*
 * arena/internal.h: the ground floor's own types. Read this first; the .c files are its chapters.
 *
 * Glossary
 *   slab     1 MiB of address space, aligned, cut into blocks of one class. slab.c
 *   class    a block size: HEAD (320..1024), EXT (256), BLOCK (4 KiB..512 KiB in quarter steps).
 *   span     one or more whole slabs for a single block above 512 KiB.
 *   block    what a slab is cut into. In use it is a head, an ext, a chunk or a large block.
 *   head     the first block of an arena; the control block (struct ebb_arena) is its top 64 bytes.
 *   chunk    a block that an arena bumps through after its head; its header is its top 64 bytes.
 *   large    a block that holds one object, with the same header.
 *   window   the free part of the current chunk or head: [floor, tip).
 *   record   an entry of the undo log: chunk, large, defer, adopt, hold. Newest first.
 *   hold     a record that is a list of cleanups whose storage is their owners'.
 *   depot    the shared store of free blocks, one per class. depot.c
 *   cache    a thread's own stacks of free blocks. thread.c
 *
 * A head, or a chunk, with an object growing at its floor:
 *
 *    lo               floor - open_len     floor                tip                       top
 *    | earlier, frozen | the open object ->  ........free.......  <- small objects | 64 bytes |
 *
 * Invariants (ebb_arena_validate checks them)
 *   lo <= floor <= tip <= top;  open_len <= floor - lo
 *   w.limit is floor - 1 (open), or a point between there and the window's top (open and armed, see
 *   sample.c), or at least EBB__CLOSED_MIN (closed)
 *   every control block in a HEAD slab stays a control block for ever: anyone may store to its
 * limit
 *   a free head has bits == 0, so a stale handle is told from a live one; and undo, parent, ext and
 *   open_len are 0 and lo is its own, so that beginning takes four stores
 *   TOUCHED is set whenever one of those five may differ, so that ending can see it at a glance
 */
#ifndef EBB_ARENA_INTERNAL_H
#define EBB_ARENA_INTERNAL_H

#include "../track/seam.h"
#include "os.h"

#include <ebb/arena.h>
#include <ebb/base.h>
#include <ebb/cleanup.h>
#include <ebb/profile.h>
#include <ebb/scope.h>
#include <ebb/source.h>

#include <stdatomic.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define COLD        __attribute__((cold, noinline))
#define CALLER      __builtin_return_address(0)

/* ---- classes --------------------------------------------------------------------------------- */

enum {
    HEAD_CLASSES = 4,
    EXT_CLASS = HEAD_CLASSES,
    BLOCK_CLASS = EXT_CLASS + 1, /* the first of them */
    BLOCK_CLASSES = 29,          /* 4 KiB, 5, 6, 7, 8, 10, ... 512 KiB */
    CLASSES = BLOCK_CLASS + BLOCK_CLASSES,
    BODY_STEPS = 8,    /* bodies take the powers of two: 4 KiB << step */
    CONTROL_SIZE = 64, /* struct ebb_arena, struct chunk */
    MAX_ALIGN = 2 << 20
};

#define BLOCK_MIN ((size_t)4096)
#define BLOCK_MAX ((size_t)512 << 10)

extern const uint32_t ebb__class_sizes[CLASSES];

static inline size_t class_size(unsigned k)
{
    return ebb__class_sizes[k];
}

static inline unsigned body_class(unsigned step)
{
    return BLOCK_CLASS + 4 * step;
}

/* ---- the undo log ---------------------------------------------------------------------------- */

/* A link to a record is its address with its kind in the low three bits; 0 ends the list. */
typedef uintptr_t link;
enum kind { CHUNK = 1, LARGE, DEFER, ADOPT, HOLD };

static inline enum kind kind_of(link l)
{
    return (enum kind)(l & 7);
}
static inline void *record_of(link l)
{
    return (void *)(l & ~(link)7);
}
static inline link link_to(void *record, enum kind kind)
{
    return (link)record | (link)kind;
}

/* Where a block came from, so that it goes back there. */
enum origin { FROM_CACHE, FROM_SPAN, FROM_SOURCE, FROM_STOCK };

/* The top 64 bytes of a chunk or large block. A CHUNK remembers the window that it replaced. */
typedef struct chunk {
    link next;               /* the record before it. Free, in the depot: the list's link */
    struct ebb_arena *owner; /* NULL while the block is free; any thread may ask */
    uintptr_t lo;            /* base of the block */
    size_t size;             /* of the whole block, this header included */
    union {
        struct {
            uintptr_t tip, floor;
        } before; /* CHUNK */
        struct {
            uintptr_t ptr, len;
        } object; /* LARGE */
    } u;
    uintptr_t before_lo;
    uint32_t before_open;
    uint8_t klass, origin, kind;
    uint8_t before_marked; /* the MARKED bit of the record below, see bits */
} chunk;
_Static_assert(sizeof(chunk) == CONTROL_SIZE, "a chunk header is one cache line");

typedef struct defer {
    link next;
    void (*fn)(void *); /* NULL: cancelled */
    void *arg;
    void *site;
} defer;

/* Cleanups in storage of their owners can leave again, so they are not in the log itself, to whose
   records marks refer, but in a list that one record of the log begins. */
typedef struct hold {
    link next;
    ebb_cleanup *first; /* newest */
} hold;

/* ---- the arena ------------------------------------------------------------------------------- */

/* bits */
enum {
    BODY_MASK = 0x0007, /* step of the next body */
    HEAD_SHIFT = 3,     /* class of the head */
    HEAD_MASK = 0x0018,
    LIVE = 0x0020,
    SCOPE = 0x0040,   /* begun, not created */
    FAILED_SHIFT = 7, /* 0 no, 1 MEMORY, 2 LIMIT, 3 see ext */
    FAILED_MASK = 0x0180,
    STICKY = 0x0200,
    MARKED = 0x0400,  /* a mark may refer to the newest record, so it can't be let go early */
    IN_TRY = 0x0800,  /* it is the arena of an ebb_try that is running */
    LIMITED = 0x1000, /* it or an ancestor counts held bytes */
    WIPE = 0x2000,
    STRICT = 0x4000,   /* framed objects, owner checks; the window stays closed */
    ADOPTED = 0x8000,  /* a tombstone: parent is the adopter, lo the link of its ADOPT record */
    TOUCHED = 0x10000, /* see the invariants */
    ENDING =
        0x40000, /* its log is being popped for good: it may not be ended again, or handed on */
    SEALED = 0x80000,  /* not LIVE: its objects are, but nothing may be done to it. seal.c */
    THAWED = 0x20000,  /* the open object is older than a mark: its place is not given back */
    PROFILE_SHIFT = 20 /* above: the profile's id */
};

/* Values of w.limit that mean closed. The owner closes with one of its own, so that when it reopens
   by compare-exchange it can't undo a close that another thread stored meanwhile. */
#define EBB__CLOSED          UINTPTR_MAX
#define EBB__CLOSED_BY_OWNER (UINTPTR_MAX - 1)
#define EBB__CLOSED_MIN      EBB__CLOSED_BY_OWNER

typedef struct ext ext;

struct ebb_arena {
    ebb__window w;            /* public, ABI: tip, limit. Free: tip is the thread that ended it */
    uintptr_t floor, lo;      /* real floor, base of the current chunk. Free: floor is the site */
    link undo;                /* newest first */
    struct ebb_arena *parent; /* or adopter. Free, in the depot: the list's link */
    ext *ext;                 /* NULL until something needs it */
    uint32_t open_len;        /* reserved length of the object at the floor; 0: none */
    uint32_t bits;            /* state, below, and the profile's id, above PROFILE_SHIFT */
};
_Static_assert(sizeof(struct ebb_arena) == CONTROL_SIZE, "the control block is one cache line");

/* An ADOPT record is the `lo` of the arena that was adopted. */
static inline ebb_arena *tombstone_of(link l)
{
    return (ebb_arena *)((uintptr_t)record_of(l) - offsetof(ebb_arena, lo));
}

/* What few arenas need: limits, names, relations. A block of EXT_CLASS. */
struct ext {
    ebb_arena *first_child, *next, *previous; /* siblings: next is older */
    size_t soft, hard, reserve;
    size_t charged; /* held by it and its descendants, while LIMITED */
    ebb_budget *budget;
    const ebb_source *source;
    struct bins *bins; /* storage.c */
    ebb__lives *lives; /* those whose end somebody wants to hear of; lives.c of track/ */
    ebb_cleanup *pins; /* run after the log is empty: what a rewind leaves */
    void *data;
    const char *name;
    void *owner;                 /* the thread that holds it, when STRICT */
    size_t held, peak;           /* own blocks, since there is an ext */
    uintptr_t buffer;            /* base of the caller's buffer */
    uint32_t frames, old_frames; /* STRICT: framed so far; those that a mark may bring back */
    ebb_arena *outer_root;       /* EBB_SCOPE first inside a try: the next older such, or first */
    uint64_t try_id;             /* innermost ebb_try at its beginning; 0: none */
    uint32_t serial, born; /* children begun so far, and lives; the parent's at its own beginning */
    uint32_t children, soft_crossed;
    int8_t failed; /* status, when the two bits can't say it */
    bool counts;   /* charged is kept: it has a limit or a budget */
    bool keep_open, buffer_only, embedded;
    bool long_lived; /* what it reads of roots and caches it counts */
    bool hopeless;   /* made of parameters that make no sense: never recovers */
    bool labelled;   /* the label is one; else a copy of the name, for who may not follow that */
    char label[48];
};
_Static_assert(sizeof(ext) <= 256, "an ext fits EXT_CLASS");

/* The control block, and the ext below it, are at the top of a caller's buffer. */
static inline bool in_buffer(const ebb_arena *a)
{
    return a->ext && a->ext->embedded;
}

static inline uintptr_t head_lo(const ebb_arena *a)
{
    if (unlikely(in_buffer(a))) return a->ext->buffer;
    return (uintptr_t)a + CONTROL_SIZE - class_size((a->bits & HEAD_MASK) >> HEAD_SHIFT);
}

/* Where the head's first object ends. With a source of its own an arena uses none of its head. */
static inline uintptr_t head_top(const ebb_arena *a)
{
    if (likely(!a->ext)) return (uintptr_t)a;
    if (a->ext->source) return head_lo(a);
    return (uintptr_t)a - (a->ext->embedded ? sizeof(ext) : 0);
}

/* Where the current window ends, and the objects begin. */
static inline uintptr_t window_top(const ebb_arena *a)
{
    for (link l = a->undo; l; l = *(link *)record_of(l))
        if (kind_of(l) == CHUNK) return (uintptr_t)record_of(l);
    return head_top(a);
}

/* Where the current window's block begins: `lo`, but for a tombstone, whose `lo` is a link. */
static inline uintptr_t window_lo(const ebb_arena *a)
{
    for (link l = a->undo; l; l = *(link *)record_of(l))
        if (kind_of(l) == CHUNK) return ((chunk *)record_of(l))->lo;
    return head_lo(a);
}

static inline size_t head_size(const ebb_arena *a)
{
    if (unlikely(in_buffer(a))) return (uintptr_t)a + CONTROL_SIZE - a->ext->buffer;
    return class_size((a->bits & HEAD_MASK) >> HEAD_SHIFT);
}

/* The arena that nobody owns and that has failed: what begin returns when there is no memory. */
extern ebb_arena ebb__dead;

/* ---- slabs ----------------------------------------------------------------------------------- */

enum slab_kind { SLAB_HEAD = 1, SLAB_EXT, SLAB_BLOCK, SLAB_SPAN };

typedef struct slab {
    uintptr_t base;
    size_t size;         /* a multiple of EBB_SLAB_SIZE; more than one only for spans */
    uint32_t block_size; /* 0 for spans */
    uint32_t capacity;
    _Atomic uint32_t carved; /* blocks ever handed out; read by those who walk HEAD slabs */
    uint32_t free_count;     /* blocks in `free`, given up by the depot */
    uint8_t kind, klass;
    const ebb_source *source; /* NULL: mmap */
    struct slab *next,
        *previous; /* in its class's list of slabs with free blocks, or a free list */
    struct slab *_Atomic next_head; /* all HEAD slabs, newest first; never shrinks */
    uint64_t free[4];               /* 256 blocks of 4 KiB at most */
} slab;

/* ---- threads --------------------------------------------------------------------------------- */

/* An array rather than a list: popping does not have to read the block, whose last owner may have
   written it a moment ago (a list cost two more store-to-load forwardings, 2 ns of a request's 10).
   */
enum { STACK_SLOTS = 63 };
typedef struct stack {
    uint32_t count, most; /* most: 0 in the sentinel */
    void *slot[STACK_SLOTS];
} stack;
_Static_assert(sizeof(stack) == 512, "a class's stack is found by a shift");

typedef struct try_frame try_frame;

enum { CREDITS = 8, SAMPLES = 16, TRIED = 8 };

/* What an arena holds, and what of that is of use; stats.c. A window that is no longer allocated
   from has a tail; those of arenas that were adopted have nothing else. */
typedef struct figures {
    size_t held;      /* the sum of the five below */
    size_t in_chunks; /* handed out; from this the sizes of chunks are learned */
    size_t in_large;  /* handed out, in blocks of their own */
    size_t idle;      /* free, in the newest window and in the head */
    size_t tails;     /* free, in all others */
    size_t headers;   /* of blocks, and what lies between a large object and the end of its block */
    size_t abandoned; /* of what was handed out: at least so much waits in bins */
    size_t peak;      /* of held, as far as is known */
    uint32_t chunks, large, cleanups;
} figures;

/* A scope that was looked at when it ended. */
typedef struct sample {
    uint16_t profile;
    uint32_t weight; /* for so many ends it stands */
    figures of;
} sample;

typedef struct credit {
    ebb_budget *budget;
    uint32_t generation;
    size_t bytes;
} credit;

typedef struct thread {
    stack stack[CLASSES];
    size_t cached; /* bytes of BLOCK classes in the stacks */
    ebb_arena *current;
    ebb__lexical *lexical;   /* innermost EBB_SCOPE */
    ebb_arena *lexical_root; /* newest of those that all others are below; see ext.outer_root */
    try_frame *try_top;
    uint32_t until_sample; /* scopes to end here until one is looked at, */
    uint32_t interval;     /* counted from so many; 0: none has been yet */
    uint32_t id;
    uint32_t try_count;
    uint32_t tried_count;    /* tries now running */
    ebb_arena *tried[TRIED]; /* the outermost of their arenas */
    uint32_t sample_count;
    uint16_t last_profile; /* that was looked at; 0: none was */
    uint32_t cleanups;     /* running one inside another; unwinding counts as one */
    sample sample[SAMPLES];
    credit credit[CREDITS];
    uint64_t random;               /* see sample.c */
    uintptr_t stack_lo, stack_end; /* as far as is known: 0, 0 */
    uint32_t stack_misses;
    _Atomic uint32_t asking; /* watchers; see window.c */
    struct thread *next;     /* all threads */
    char name[16];
} thread;

/* This thread's state; never NULL: before first use, and where none can be had, a shared sentinel
   whose stacks are empty and have no room, so that the fast paths need no extra test. */
extern _Thread_local thread *ebb__self __attribute__((tls_model("initial-exec")));
extern thread ebb__no_thread;

/* What begin must look at: nonzero sends it down the slow path. */
enum { BEGIN_WATCHED = 1, BEGIN_STRICT = 2, BEGIN_SAMPLED = 4 };
extern _Atomic uint32_t ebb__begin_flags;

/* What a thread keeps of blocks, heads and exts aside. */
#define CACHE_BYTES ((size_t)256 << 10)

static inline void stack_push(thread *t, unsigned klass, void *block)
{
    stack *s = &t->stack[klass];
    s->slot[s->count++] = block;
    if (klass >= BLOCK_CLASS) t->cached += class_size(klass);
}

static inline void *stack_pop(thread *t, unsigned klass)
{
    stack *s = &t->stack[klass];
    if (klass >= BLOCK_CLASS) t->cached -= class_size(klass);
    return s->slot[--s->count];
}

static inline bool has_room(const thread *t, unsigned klass)
{
    size_t bytes = klass >= BLOCK_CLASS ? class_size(klass) : 0;
    return t->stack[klass].count < t->stack[klass].most && t->cached + bytes <= CACHE_BYTES;
}

/* Of `bins`, the one that counts what took so long: 0 below 2 us, i below 2^(i+1) us, the last: all
   else. */
static inline unsigned us_bin(uint64_t ns, unsigned bins)
{
    unsigned bin = 0;
    for (uint64_t us = ns / 1000; us > 1 && bin < bins - 1; us /= 2) bin++;
    return bin;
}

/* ---- chapters -------------------------------------------------------------------------------- */

/* thread.c */
thread *ebb__thread_get(void); /* NULL: out of memory */
void *ebb__cache_pop(unsigned klass);
void ebb__cache_push(unsigned klass, void *block);
void ebb__cache_flush(thread *t);
void ebb__process_init(void);
unsigned ebb__thread_id(const thread *t);
/* Call fn at each ebb_trim, before anything else. Once for each fn, and for good. */
void ebb__at_trim(void (*fn)(void));
/* Whoever was asking a watcher when this was called, has its answer. */
void ebb__threads_asked(void);
/* `t` exits: who watches it watches nobody any more. */
void ebb__watchers_forget(const thread *t);

/* depot.c */
unsigned ebb__depot_take(unsigned klass, unsigned want, void **ret_list);
void ebb__depot_give(unsigned klass, void *list, unsigned count);
void ebb__depot_trim(void);
chunk *ebb__span_take(size_t size, bool exactly);
void ebb__span_give(chunk *c);
void ebb__depot_lock_all(void);
void ebb__depot_unlock_all(void);
void *ebb__stock_take(void);
void ebb__stock_give(void *block);
void ebb__depot_init(void);

/* The link that a free block in the depot carries, wherever its class keeps it. */
void **ebb__free_link(unsigned klass, void *block);
/* A block is named by its top 64 bytes (head, chunk), an ext by its base. */
static inline void *block_handle(unsigned klass, uintptr_t base)
{
    return (void *)(klass == EXT_CLASS ? base : base + class_size(klass) - CONTROL_SIZE);
}

/* slab.c */
slab *ebb__slab_new(unsigned klass);
slab *ebb__slab_new_span(size_t size);
void ebb__slab_free(slab *s);
slab *ebb__slab_of(uintptr_t address);
void ebb__close_all_heads(void);
void ebb__each_head(void (*fn)(void *ctx, ebb_arena *a, size_t size), void *ctx);
void ebb__each_slab(void (*fn)(void *ctx, const slab *s), void *ctx);
void ebb__slab_get_stats(ebb_memory_stats *ret_);
bool ebb__slab_can_advise(const slab *s);
void ebb__slab_lock(void);
void ebb__slab_unlock(void);

/* block.c: blocks for an arena, charged */
chunk *ebb__block_take(ebb_arena *a, size_t total, bool body, ebb_status *ret_why);
void ebb__block_give(ebb_arena *a, chunk *c);
unsigned ebb__class_fit(size_t total);
void ebb__count_block(ebb_arena *a, chunk *c);
ext *ebb__ext_get(ebb_arena *a);
void ebb__ext_free(ebb_arena *a);

static inline unsigned profile_of(const ebb_arena *a)
{
    return a->bits >> PROFILE_SHIFT;
}

/* A free control block becomes a live arena with an empty head. It is nobody else's by now, but for
   its limit; what is not stored here is as the invariant says. */
static inline void arena_start(ebb_arena *a, uint32_t bits)
{
    a->w.tip = (uintptr_t)a;
    a->floor = a->lo;
    a->bits = bits;
    __atomic_store_n(&a->w.limit, a->lo - 1, __ATOMIC_RELAXED);
    /* Only then are the flags read that say whether it is watched: see window.c. */
    __asm__ volatile("" ::: "memory");
}

/* A record of any kind begins with its link. */
static inline void undo_push(ebb_arena *a, void *record, enum kind kind)
{
    *(link *)record = a->undo;
    a->undo = link_to(record, kind);
    a->bits = (a->bits & ~(uint32_t)MARKED) | TOUCHED;
}

bool ebb__hold_begin(ebb_arena *a); /* cleanup.c */

static inline void cleanup_link(ebb_cleanup **list, ebb_cleanup *c)
{
    c->next = *list;
    c->back = list;
    if (c->next) c->next->back = &c->next;
    *list = c;
}

static inline void cleanup_unlink(ebb_cleanup *c)
{
    *c->back = c->next;
    if (c->next) c->next->back = c->back;
    c->back = NULL;
}

/* ebb_cleanup_add for those who have checked the arena. A mark may refer to the newest hold, and
   what is added now must not stay when that mark is rewound to. */
static inline bool hold_add(ebb_arena *a, ebb_cleanup *c)
{
    if (unlikely(kind_of(a->undo) != HOLD || (a->bits & MARKED)) && !ebb__hold_begin(a))
        return false;
    cleanup_link(&((hold *)record_of(a->undo))->first, c);
    return true;
}

/* What stays over rewinds, newest first. */
static inline ebb_cleanup *ebb__pins(const ebb_arena *a)
{
    return a->ext ? a->ext->pins : NULL;
}

void ebb__close(ebb_arena *a); /* window.c */
void ebb__floor_moved(ebb_arena *a);

static inline uint32_t begin_flags(void)
{
    return atomic_load_explicit(&ebb__begin_flags, memory_order_relaxed);
}

/* A barrier through all threads can be had; window.c, ask_begin. */
extern _Atomic bool ebb__barriers;
/* The one watcher there is, if it is told of all allocations by on_alloc; else NULL. */
extern ebb__watcher *_Atomic ebb__only_watcher;

/* This thread asks watchers, until it stores what is returned to `asking` again; window.c,
   ask_begin. */
static inline uint32_t asking_begin(thread *t)
{
    uint32_t before = atomic_load_explicit(&t->asking, memory_order_relaxed);
    atomic_store_explicit(&t->asking, before + 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    return before;
}

/* Tell the only watcher of an allocation. False: it is not so simple, and nobody has been told. */
static inline bool tell_only_watcher(const ebb_arena *a, size_t size, size_t padding,
                                     const void *site)
{
    thread *t = ebb__self;
    if (unlikely(t == &ebb__no_thread)) return false;
    if (unlikely(!atomic_load_explicit(&ebb__barriers, memory_order_relaxed))) return false;
    uint32_t before = asking_begin(t);
    ebb__watcher *w = atomic_load_explicit(&ebb__only_watcher, memory_order_seq_cst);
    if (likely(w != NULL)) w->on_alloc(w, profile_of(a), size, padding, site);
    atomic_store_explicit(&t->asking, before, memory_order_release);
    return w;
}

/* Move the floor. An open window stays open; one that somebody closed stays closed. A close that
   falls between the look and the store is lost, but not its closer: see window.c. One that was
   armed is armed anew, since its point may lie below the new floor. */
static inline void set_floor(ebb_arena *a, uintptr_t floor)
{
    uintptr_t open = a->floor - 1, limit = EBB__LOAD_RELAXED(&a->w.limit);
    a->floor = floor;
    if (unlikely(limit != open)) {
        if (limit < EBB__CLOSED_MIN) ebb__floor_moved(a);
        return;
    }
    __atomic_store_n(&a->w.limit, floor - 1, __ATOMIC_RELAXED);
    __asm__ volatile("" ::: "memory");
    if (unlikely(begin_flags())) ebb__floor_moved(a);
}

/* Blocks of a thread's cache know only that they are free. */
static inline void chunk_from_cache(chunk *c, unsigned klass)
{
    c->size = class_size(klass);
    c->lo = (uintptr_t)c + CONTROL_SIZE - c->size;
    c->klass = (uint8_t)klass;
    c->origin = FROM_CACHE;
}

/* `c`, which `a` owns, becomes the window; the one before waits in it. */
static inline void chunk_enter(ebb_arena *a, chunk *c)
{
    c->kind = CHUNK;
    c->before_marked = (a->bits & MARKED) != 0;
    undo_push(a, c, CHUNK);
    c->u.before.tip = a->w.tip;
    c->u.before.floor = a->floor;
    c->before_lo = a->lo;
    c->before_open = a->open_len;
    a->w.tip = (uintptr_t)c;
    a->lo = c->lo;
    a->open_len = 0;
    set_floor(a, c->lo);
}

/* arena.c */
void ebb__arena_finish(ebb_arena *a, void *site);
void ebb__pop_to(ebb_arena *a, link stop);
bool ebb__push_chunk(ebb_arena *a, size_t need, ebb_status *ret_why);
void ebb__end_children(ebb_arena *a, uint32_t after, const char *function);
void ebb__link_child(ebb_arena *a, ebb_arena *parent);
void ebb__unlink_child(ebb_arena *a);
void ebb__mark_subtree(ebb_arena *a);
size_t ebb__held_tree(const ebb_arena *a);

void ebb__adopt_chunk(ebb_arena *a, chunk *c);
void ebb__wipe(ebb_arena *a, uintptr_t from, uintptr_t to);

/* alloc.c */
enum mode { MODE_JUMP, MODE_STICK, MODE_OPTIONAL };
void *ebb__obtain(ebb_arena *a, size_t size, size_t align, enum mode mode, void *site);
void *ebb__resize(ebb_arena *a, void *ptr, size_t old_size, size_t new_size, enum mode mode,
                  void *site);
bool ebb__give_back(ebb_arena *a, void *ptr, size_t size);
void ebb__sample_other(ebb_arena *a, size_t size, const void *site);
size_t ebb__usable(ebb_arena *a, void *ptr, size_t size);
chunk *ebb__large_of(const ebb_arena *a, const void *ptr, size_t old_size);

/* `ptr` is the object that grows at the floor. */
static inline bool ebb__is_open(const ebb_arena *a, const void *ptr)
{
    return a->open_len && a->floor - a->open_len == (uintptr_t)ptr;
}

/* storage.c */
void *ebb__bin_take(ebb_arena *a, size_t size, size_t *ret_size);
void ebb__bin_give(ebb_arena *a, void *ptr, size_t size);
size_t ebb__bins_bytes(const ebb_arena *a);
const char *ebb__bins_check(const ebb_arena *a);
bool ebb__list_give(ebb_arena *a, void *ptr, unsigned list, size_t size);
void *ebb__obtain_block(ebb_arena *a, size_t size, size_t *ret_size, enum mode mode);
void *ebb__obtain_record(ebb_arena *a, size_t size);

/* Holes in an arena's memory: by size, and in lists of one size each for who says what sizes of
   its blocks are (compat/sized.c). */
enum { BINS = 16, LISTS = 43 };

typedef struct hole {
    struct hole *next;
    size_t size;
} hole;

struct bins {
    hole *bin[BINS];
    size_t bytes; /* of all of them, and of the lists */
    hole **list;  /* LISTS of them; NULL: none is used */
};

static inline bool ebb__uses_bins(const ebb_arena *a)
{
    return !(a->bits & STRICT) && EBB__LOAD_RELAXED(&a->w.limit) < EBB__CLOSED_MIN;
}

/* NULL: there are none. */
static inline hole **ebb__lists(const ebb_arena *a)
{
    return a->ext && a->ext->bins ? a->ext->bins->list : NULL;
}

/* From a list that is not empty. */
static inline void *ebb__list_pop(struct bins *b, unsigned list)
{
    hole *h = b->list[list];
    b->list[list] = h->next;
    b->bytes -= h->size;
    return h;
}

static inline void ebb__list_push(struct bins *b, void *ptr, unsigned list, size_t size)
{
    hole *h = ptr;
    h->size = size;
    h->next = b->list[list];
    b->list[list] = h;
    b->bytes += size;
}

/* window.c */
/* true: a watcher refuses. *@ret_wanted: one may want to hear of the next, too. */
bool ebb__ask(const ebb_arena *a, ebb__event *e, bool *ret_wanted);
/* It is in the sample: those that want one hear of it. */
void ebb__tell_sample(const ebb_arena *a, ebb__event *e);
bool ebb__watched(const ebb_arena *a);
void ebb__reopen(ebb_arena *a);
void ebb__arm(ebb_arena *a);

/* sample.c */
extern _Atomic size_t ebb__sample_every; /* 0: nobody wants one */
void ebb__sample_seed(thread *t, uint64_t number);
bool ebb__sample_draw(size_t size, double *ret_chance);
uintptr_t ebb__sample_limit(const ebb_arena *a);
bool ebb__sample_hit(const ebb_arena *a, size_t size, size_t align, double *ret_chance);

/* strict.c */
void *ebb__strict_bump(ebb_arena *a, size_t size, size_t align);
size_t ebb__strict_overhead(size_t align);
void ebb__strict_resized(ebb_arena *a, void *ptr, size_t size);
bool ebb__strict_is_live(const ebb_arena *a, const void *ptr);
void ebb__strict_retire(ebb_arena *a, void *ptr);
void ebb__strict_large(chunk *c, bool forget);
void ebb__strict_forget(ebb_arena *a, uintptr_t from, uintptr_t to, const char *function);
void ebb__strict_poison(const void *ptr, size_t size);
void ebb__strict_unpoison(const void *ptr, size_t size);
void ebb__strict_window(ebb_arena *a);
const char *ebb__strict_check(const ebb_arena *a, uintptr_t from, uintptr_t to);
bool ebb__strict_owner(ebb_arena *a, const char *function);
void ebb__strict_mark(ebb_arena *a);
void ebb__strict_begin(ebb_arena *a);
void ebb__strict_end(ebb_arena *a);
bool ebb__quarantine(unsigned klass, void *block);
void ebb__quarantine_drain(void);
void ebb__quarantine_lock(void);
void ebb__quarantine_unlock(void);
void ebb__tools_detect(void);
bool ebb__tools_active(void);

/* fail.c */
void *ebb__fail(ebb_arena *a, ebb_status why, enum mode mode);
void ebb__set_failed(ebb_arena *a, ebb_status why);
bool ebb__open_stock(ebb_arena *a);
bool ebb__try_is_inside(
    const thread *t); /* the innermost try began inside the innermost EBB_SCOPE */
ebb_arena *ebb__try_arena(const thread *t);
uint64_t ebb__try_id(const thread *t);

/* seal.c: arenas whose objects are shared, and change no more */
ebb_arena *ebb__seal_begin(const char *name);
const char *ebb__seal_refuses(const ebb_arena *a); /* why it can't be sealed; NULL: it can */
void ebb__seal(ebb_arena *a);
void ebb__unseal(ebb_arena *a); /* by whoever ends it now */
const char *ebb__seal_check(const ebb_arena *a);

/* limit.c */
ebb_status ebb__charge(ebb_arena *a, size_t bytes);
void ebb__charge_anyway(ebb_arena *a, size_t bytes);
void ebb__uncharge(ebb_arena *a, size_t bytes);
void ebb__credit_flush(thread *t);
void ebb__budget_attach(ebb_budget *b);
void ebb__budget_detach(ebb_budget *b);
void ebb__budget_charge_anyway(ebb_budget *b, size_t bytes);
void ebb__budget_uncharge(ebb_budget *b, size_t bytes);
bool ebb__limits_set(ebb_arena *a, const ebb_profile *p);
void ebb__limits_begin(ebb_arena *a);
void ebb__budget_lock(void);
void ebb__budget_unlock(void);

/* profile.c */
extern ebb_profile ebb__anonymous;
bool ebb__profile_register(ebb_profile *p);
uint32_t ebb__profile_bits(const ebb_profile *p);
ebb_profile *ebb__profile_by_id(unsigned id);
void ebb__profile_sample(thread *t, const ebb_arena *a);
void ebb__profile_merge(thread *t);
void ebb__profile_leave(thread *t); /* it exits */
/* The soft limit of `a` was passed; a block was refused to it. */
void ebb__profile_crossed(const ebb_arena *a);
void ebb__profile_refused(const ebb_arena *a);
/* The class, and the step, that hold what is used; HEAD_CLASSES: no head does. */
unsigned ebb__head_for(size_t used);
unsigned ebb__body_for(size_t used);
void ebb__profile_lock(void);
void ebb__profile_unlock(void);

/* scope.c */
bool ebb__begin_observed(ebb_arena *a, void *site); /* false: a watcher refuses it */
void ebb__thread_exit_scopes(thread *t);
void ebb__thread_exit_tries(thread *t);
void ebb__end_scope(ebb_arena *a, const char *function, void *site);

/* misuse.c */
void ebb__report(ebb_severity severity, const char *function, const ebb_arena *a, const char *fmt,
                 ...) EBB_PRINTF(4, 5);
/* About something that is no arena. */
void ebb__report_named(ebb_severity severity, const char *function, const char *name,
                       const char *fmt, ...) EBB_PRINTF(4, 5);
bool ebb__check_live(const ebb_arena *a, const char *function);
bool ebb__check_usable(ebb_arena *a, const char *function);
void ebb__checks_init(void);
void ebb__misuse_lock(void);
void ebb__misuse_unlock(void);
int ebb__checks_level(void); /* ebb_checks_get, without making sure that the environment was read */

/* stats.c */
void ebb__name_set(ext *e, const char *name);
figures ebb__figures(const ebb_arena *a);
size_t ebb__used(const ebb_arena *a);
size_t ebb__held(const ebb_arena *a);

#endif /* EBB_ARENA_INTERNAL_H */
