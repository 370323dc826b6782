/*
 * ebb/arena.h: the arena. Everything in Ebb allocates from one; a scope (scope.h) is one that has a
 * profile, a beginning and an end.
 *
 * An arena hands out memory by moving a pointer and takes it all back at once. Nothing is freed one
 * by one. Three ways to handle failure, free to mix:
 *
 *   check each call   if (!(p = ebb_alloc(a, n))) ...
 *   check once        scopes are sticky: after the first failure every later allocation fails too,
 *                     so `if (ebb_failed(a))` at the end covers them all. Created arenas are sticky
 *                     if their params say so.
 *   jump              inside ebb_try(a, task, arg) allocation never returns NULL: the failure comes
 *                     back as ebb_try's result, every cleanup run.
 *
 * An arena is Handoff: whoever holds it may use it, one thread at a time. Nothing here locks.
 *
 * Where an object lies is not promised: small ones come down from the top of a chunk, the one being
 * grown by ebb_resize grows up from its floor, large ones get a block of their own.
 */
#ifndef EBB_ARENA_H
#define EBB_ARENA_H

#include <stdarg.h>
#include <string.h>

#include "base.h"
#include "source.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An arena. Handoff. Opaque but for the two words that the inline path reads. */
typedef struct ebb_arena ebb_arena;

/** A limit on memory shared between arenas, threads and other budgets. Synchronized. */
typedef struct ebb_budget ebb_budget;

/* ---- life ------------------------------------------------------------------------------------ */

/** How an arena is to be. Start from EBB_ARENA_PARAMS_INIT; 0 always means "the default". */
typedef struct ebb_arena_params {
    const char *name; /**< shown by reports and gdb; kept, so usually a literal */
    size_t size;      /**< bytes expected; the first chunk is chosen to fit. A hint */
    void *buffer;     /**< used before any other memory, at any alignment; must outlive the arena */
    size_t buffer_size;       /**< at least 512; about 320 of it go to the control block */
    size_t soft, hard;        /**< limits in held bytes, see ebb_arena_set_limit */
    size_t reserve;           /**< bytes that ebb_recover opens after a failure; 0: 1 KiB */
    ebb_budget *budget;       /**< charged for what is held; kept */
    const ebb_source *source; /**< all objects of this arena lie there; kept until destroy */
    bool buffer_only; /**< when the buffer is full fail (EBB_E_MEMORY), else take chunks as usual */
    bool wipe;        /**< zero what was used, on destroy, reset, rewind and shrink */
    bool sticky;      /**< after a failure fail until ebb_recover, as scopes do */
} ebb_arena_params;

/* clang-format off */
#ifdef __cplusplus
#define EBB_ARENA_PARAMS_INIT {}
#else
#define EBB_ARENA_PARAMS_INIT {0}
#endif
/* clang-format on */

/**
 * Make an arena; NULL @params: all defaults. Destroy it with ebb_arena_destroy.
 * Fails: never returns NULL. If there is no memory, or @params make no sense, the arena has failed
 * already: every allocation returns NULL and ebb_failed tells why. Such an arena can't be
 * recovered. With a buffer the control block lies in it too, so nothing else is taken until it is
 * full. What such arenas, and those with a source of their own, can't: be found by ebb_arena_of,
 * serve the hooks of compat/malloc.h, open a reserve; and one with a buffer can't be adopted.
 * Cost: as a scope's beginning, tens of instructions. Threads: any; the caller holds it.
 */
EBB_API EBB_MUST_USE EBB_NONNULL_RESULT ebb_arena *ebb_arena_create(const ebb_arena_params *params);

/**
 * Destroy *@a: run its cleanups newest first, let go of its memory, null the handle.
 * Lifetime: every pointer that came from it is dead when this returns.
 * Fails: never. Children still open are ended first, and reported.
 * Cost: O(undo records: chunks, large blocks, cleanups, adoptions). Threads: the holder.
 */
EBB_API void ebb_arena_destroy(ebb_arena **a);

/**
 * Empty @a for the next use: run its cleanups newest first, forget all objects, clear a failure.
 * Its first chunk is kept if that was all it needed, else the next use begins with one that fits;
 * the rest goes to the thread's cache. Marks taken before are dead. Children still open are ended
 * first, and reported.
 * Cost: O(undo records). Threads: the holder.
 */
EBB_API void ebb_arena_reset(ebb_arena *a);

/** Let go of @a's unused chunks. Objects stay. Cost: O(chunks let go). Threads: the holder. */
EBB_API void ebb_arena_trim(ebb_arena *a);

/* ---- allocation ------------------------------------------------------------------------------ */

/*
 * Rules of the family: the result is in scope (until the arena ends, is reset, or rewinds past the
 * allocation); a size of 0 gives a pointer that is not NULL, nor unique, nor to be read; sizes and
 * products are checked for overflow; failure is NULL and remembered (see ebb_failed), or a jump
 * inside ebb_try.
 * Threads: the holder. Cost: a size known at compile time, 7 instructions and one branch inline.
 */

/** Allocate @size bytes, aligned as malloc does, not zeroed. */
EBB_ALLOC_SIZE(2) EBB_INLINE void *ebb_alloc(ebb_arena *a, size_t size);

/** Allocate @size bytes aligned to @align, not zeroed. @align is a power of two up to 2 MiB. Any
    other may be refused (EBB_E_INVALID), or give an unspecified alignment. */
EBB_ALLOC_SIZE(2) EBB_INLINE void *ebb_alloc_aligned(ebb_arena *a, size_t size, size_t align);

/** Allocate @size zeroed bytes, aligned as malloc does. */
EBB_ALLOC_SIZE(2) EBB_INLINE void *ebb_zalloc(ebb_arena *a, size_t size);

/** Try to allocate @size bytes: NULL leaves no trace; it neither sticks nor jumps. */
EBB_ALLOC_SIZE(2) EBB_INLINE void *ebb_alloc_optional(ebb_arena *a, size_t size);

/** ebb_new(a, T): a zeroed T, as T *. */
#define ebb_new(a, T) ((T *)ebb__zalloc_aligned((a), sizeof(T), EBB_ALIGNOF(T)))

/** ebb_new_array(a, T, n): n zeroed Ts, as T *. */
#define ebb_new_array(a, T, n) ((T *)ebb__new_array((a), (n), sizeof(T), EBB_ALIGNOF(T)))

/** ebb_alloc_array(a, T, n): n Ts, not zeroed, as T *. */
#define ebb_alloc_array(a, T, n) ((T *)ebb__alloc_array((a), (n), sizeof(T), EBB_ALIGNOF(T)))

/** Copy @size bytes at @data (borrowed) into @a, aligned as malloc does. */
EBB_API EBB_ALLOC_SIZE(3) void *ebb_dup(ebb_arena *a, const void *data, size_t size);

/** Copy the string @text (borrowed) into @a. */
EBB_API char *ebb_strdup(ebb_arena *a, const char *text);

/** Copy at most @max bytes of @text (borrowed), and a NUL, into @a. */
EBB_API char *ebb_strndup(ebb_arena *a, const char *text, size_t max);

/** Format into @a as printf does. A conversion error is EBB_E_INVALID. */
EBB_API char *ebb_printf(ebb_arena *a, const char *fmt, ...) EBB_PRINTF(2, 3);

/** Format into @a as vprintf does; @args is used up. */
EBB_API char *ebb_vprintf(ebb_arena *a, const char *fmt, va_list args) EBB_PRINTF(2, 0);

/**
 * Change the size of @ptr, which came from @a with @old_size bytes (NULL with 0: allocate). One
 * object of an arena at a time grows in place: the one that this function made or moved last.
 * Another that has to move takes its place, unless it is less than twice as large; then it is
 * copied at each growth. The old copy of what has moved is no longer yours. A move reserves half as
 * much again. Shrinking never moves, and gives bytes back only at the end of the object that grows.
 * After ebb_arena_mark, the growing object moves on its next growth, and that copy dies with the
 * mark. The caller keeps the size. Alignment after a move is as ebb_alloc's, whatever it was
 * before. The result for a @new_size of 0 may be passed on to the next call. On failure @ptr is
 * untouched. Cost: O(1) in place.
 */
EBB_API EBB_MUST_USE void *ebb_resize(ebb_arena *a, void *ptr, size_t old_size, size_t new_size);

/**
 * Return @ptr itself if it lies in @to or in an ancestor of @to (an arena with a source of its own
 * does not know, and copies), else a copy of its @size bytes in @to, aligned as malloc does. For
 * the one value that must outlive its scope: copies one object, not what it points to. Memory that
 * is not an arena's (a literal, the heap) is copied too.
 */
EBB_API void *ebb_promote(ebb_arena *to, const void *ptr, size_t size);

/* ---- cleanups -------------------------------------------------------------------------------- */

/**
 * Run @fn(@arg) when @a ends, is reset, or rewinds past here; newest first; once. @fn may allocate
 * from @a and defer more; what it defers runs next. @fn must not end @a. Inside a cleanup a failed
 * allocation returns NULL and is remembered; it never jumps, but to an ebb_try begun in the
 * cleanup.
 * Fails: false when the cleanup can't be registered; @fn has then run already, so nothing leaks.
 * After a failure of @a it still registers, from the reserve. Cost: one 32-byte allocation.
 */
EBB_API bool ebb_defer(ebb_arena *a, void (*fn)(void *), void *arg);

/** Forget the newest cleanup (@fn, @arg) without running it; false: there is none. Cost:
    O(records). */
EBB_API bool ebb_defer_cancel(ebb_arena *a, void (*fn)(void *), void *arg);

/* ---- failure --------------------------------------------------------------------------------- */

/** Return the first failure since @a began, was reset or recovered; EBB_OK if there was none. In an
    arena that is not sticky, allocation goes on after it; the failure stays to be asked for. */
EBB_API ebb_status ebb_failed(const ebb_arena *a);

/**
 * Clear @a's failure and open its reserve, so that the error reply can be built. The reserve comes
 * from a small stock of the process (16 blocks of 4 KiB), above the hard limit; when the stock is
 * used up, or the reserve is, the next allocation fails again. Does nothing if @a has not failed,
 * or never had any memory: for that case an error reply must be static, or be made over a buffer on
 * the stack.
 */
EBB_API void ebb_recover(ebb_arena *a);

typedef int ebb_task(ebb_arena *a, void *arg);

/**
 * Run @task(@a, @arg). While it runs, allocation from @a or its descendants never returns NULL: a
 * failure, or an ebb_raise, ends every lexical scope (EBB_SCOPE) and every child scope of @a begun
 * inside, runs their cleanups, restores the current scope, and returns from here.
 * Returns the task's result, a negative ebb_status, or the raised code. @a itself is not rewound
 * and its cleanups stay pending: the error text may lie in it. If @a has failed already, that
 * failure is returned and @task does not run. What is not undone: EBB_TEMP (the memory stays until
 * @a ends), cleanup attributes of your own, locks, files: give those to ebb_defer. As with longjmp,
 * foreign frames in between never know. The task's own negative result looks like a failure: let
 * it return none. What returns bool (ebb_defer, ebb_scope_set_data, ...) or is optional still tells
 * by its result. Tries nest; a failure goes to the innermost whose arena
 * is the failing one or an ancestor of it; one of a scope that never got memory goes to the
 * innermost there is. Roots begun inside (ebb_scope_begin) are not ended: they
 * have holders of their own. Local variables changed inside the task live in its frame and are
 * gone; those of the caller are safe. Not across a fiber switch. In C++ only if no frame in between
 * has destructors.
 */
EBB_API EBB_MUST_USE int ebb_try(ebb_arena *a, ebb_task *task, void *arg);

/**
 * Leave, from any depth, for the innermost running ebb_try whose arena is @a or an ancestor of it,
 * which returns @code, an ebb_status or a number of yours. @a does not become failed.
 * Misuse: @code 0, no such ebb_try on this thread, or out of a cleanup; if the misuse handler
 * returns, the process aborts, since there is nowhere to go.
 */
EBB_API EBB_NORETURN void ebb_raise(ebb_arena *a, int code);

/* ---- mark and rewind ------------------------------------------------------------------------- */

/** A position in an arena. Valid until that arena ends, is reset, or rewinds to an older mark. */
typedef struct ebb_mark {
    uintptr_t ebb__tip, ebb__floor, ebb__undo;
    uint32_t ebb__open_len, ebb__serial;
} ebb_mark;

/** Remember where @a is. The object being grown is frozen: growing it copies. Cost: a few
    stores. */
EBB_API EBB_MUST_USE ebb_mark ebb_arena_mark(ebb_arena *a);

/**
 * Forget everything allocated since @mark: run the cleanups registered since, newest first;
 * children begun since are ended, and reported. Adoptions since the mark are undone with it. A
 * failure stays. The same mark may be used again. Misuse: a mark that is no longer valid, if it can
 * be told.
 * Cost: O(records since the mark).
 */
EBB_API void ebb_arena_rewind(ebb_arena *a, ebb_mark mark);

/** EBB_TEMP(a): a declaration; what is allocated from a below it is forgotten at the closing
    brace. */
#if EBB_HAS_SCOPE
#define EBB_TEMP(a)                                                                                \
    ebb__temp EBB__UNIQUE(ebb__temp_) __attribute__((cleanup(ebb__temp_end), unused)) =            \
        ebb__temp_begin(a)
#endif

/* ---- relations ------------------------------------------------------------------------------- */

/**
 * Make everything of *@child part of @into, and null the handle: its objects live, and its cleanups
 * wait, as if they had been made in @into just now; its open children become @into's. O(1) but
 * for those, and never fails: if @into is then above
 * its limit, its next allocation fails. A failure of the child sticks to @into.
 * Misuse: @into is *@child or below it; the child is current, or inside an ebb_try.
 */
EBB_API void ebb_arena_adopt(ebb_arena *into, ebb_arena **child);

/**
 * Return the arena whose memory @ptr is in, for any address: a few loads, @ptr is not dereferenced.
 * NULL: not Ebb's, or free, or of an arena over a caller's buffer or with a source of its own. For
 * adopted memory, the adopter. Threads: any, for memory that is not being freed meanwhile.
 */
EBB_API ebb_arena *ebb_arena_of(const void *ptr);

/** Return the parent of @a; NULL for a root. */
EBB_API ebb_arena *ebb_arena_parent(const ebb_arena *a);

/* ---- limits ---------------------------------------------------------------------------------- */

/**
 * Limit the bytes @a and its descendants hold, counted in whole chunks: ebb_arena_set_limit(a, 0, 1
 * << 20, 0) is a hard limit of 1 MiB. Passing @soft is counted in the stats; an allocation that
 * would pass @hard fails with EBB_E_LIMIT. 0: no limit. @reserve is what ebb_recover sees to be
 * free, 0: 1 KiB; above the limit 4032 bytes at most. Near the limit smaller chunks are taken.
 * Above the hard limit can lie only: the reserve, records of cleanups, what was adopted or was held
 * before, and the first block (320 to 1024 bytes) of an arena, which has then failed already.
 * Fails: false if there is no memory for the bookkeeping.
 */
EBB_API bool ebb_arena_set_limit(ebb_arena *a, size_t soft, size_t hard, size_t reserve);

/** How a budget is to be. Start from EBB_BUDGET_PARAMS_INIT. */
typedef struct ebb_budget_params {
    const char *name; /**< shown by reports; kept */
    size_t soft;      /**< counted when passed; 0: none */
    size_t hard;      /**< 0: none. As for ebb_arena_set_limit, and ebb_scope_charge may pass it */
    size_t quantum;   /**< credit a thread draws at a time; 0: 64 KiB, or hard/64 if that is less */
} ebb_budget_params;

/* clang-format off */
#ifdef __cplusplus
#define EBB_BUDGET_PARAMS_INIT {}
#else
#define EBB_BUDGET_PARAMS_INIT {0}
#endif
/* clang-format on */

/**
 * Make a budget, part of @parent if that is not NULL: what is charged here is charged there too.
 * Threads draw credit in quanta, so up to quantum x threads bytes below the limit may be out of a
 * thread's reach while others hold them as unused credit. NULL @params: all defaults, which only
 * count. A scope that begins when there is nothing left has failed already. Fails: NULL when there
 * is no memory.
 */
EBB_API ebb_budget *ebb_budget_create(ebb_budget *parent, const ebb_budget_params *params);

/** Destroy *@b. Misuse while an arena or another budget still charges it. */
EBB_API void ebb_budget_destroy(ebb_budget **b);

/** What a budget says of itself; credit that threads have drawn and not used counts as used. */
typedef struct ebb_budget_stats {
    size_t used, peak, soft, hard;
    uint64_t soft_crossed; /**< times soft was passed from below */
    uint64_t refused;      /**< charges that would have passed hard */
} ebb_budget_stats;

/** Fill @ret_. Threads: any. */
EBB_API void ebb_budget_get_stats(const ebb_budget *b, ebb_budget_stats *ret_);

/* ---- seeing ---------------------------------------------------------------------------------- */

/** Copy @label (at most 47 bytes of it) as @a's name in reports and gdb; false if out of memory. */
EBB_API bool ebb_arena_set_label(ebb_arena *a, const char *label);

/** Return the name of @a: its label, its params' or its profile's name, or "?". In scope, or
    static. */
EBB_API const char *ebb_arena_name(const ebb_arena *a);

/** What can be known of one arena without keeping count on the hot path. */
typedef struct ebb_arena_stats {
    size_t held;     /**< bytes of chunks and large blocks it has, those adopted included */
    size_t used;     /**< of those, handed out: objects, their padding, records of cleanups */
    size_t peak;     /**< the most held since it began */
    size_t charged;  /**< held by it and its descendants; only where a limit or budget counts it */
    uint32_t chunks; /**< the head included */
    uint32_t large;  /**< blocks of their own */
    uint32_t cleanups;     /**< pending */
    uint32_t children;     /**< open child scopes */
    uint32_t soft_crossed; /**< times the soft limit was passed */
    ebb_status failed;     /**< as ebb_failed */
} ebb_arena_stats;

/** Fill @ret_. Cost: O(undo records). Threads: the holder. */
EBB_API void ebb_arena_get_stats(const ebb_arena *a, ebb_arena_stats *ret_);

/** Describe @of to a person in a few lines of text, made in @in; NULL as ebb_alloc. The one may
    be the other. */
EBB_API char *ebb_arena_describe(const ebb_arena *of, ebb_arena *in);

/**
 * Check every invariant of @a that can be checked; NULL: sound; else what is broken, static. For
 * tests and EBB_CHECKS_VALIDATE. Cost: O(undo records). Threads: the holder.
 */
EBB_API const char *ebb_arena_validate(const ebb_arena *a);

/* ---- the inline path: below here nothing is for reading but the curious ---------------------- */

/*
 * A pointer comes down from `tip`; `limit` is one below the lowest address it may reach. Whoever
 * wants to see, refuse or delay allocations stores UINTPTR_MAX to `limit`: then every call takes
 * the slow path, and the inline path needs no flag. These two words, the comparison and the slow
 * path's signature are frozen per soname.
 */
typedef struct ebb__window {
    uintptr_t tip, limit;
} ebb__window;

/* As malloc's: two words, which is 16 on 64-bit machines. */
#define EBB_ALIGN_DEFAULT (2 * sizeof(void *))

/* No address below 64 KiB is ever mapped, so for a constant below it `tip - size` can't wrap. */
#define EBB__NO_WRAP ((size_t)64 << 10)

EBB_API EBB_COLD void *ebb__alloc_slow(ebb_arena *a, size_t size, size_t align);
EBB_API EBB_COLD void *ebb__alloc_optional_slow(ebb_arena *a, size_t size, size_t align);
EBB_API EBB_COLD void *ebb__alloc_overflow(ebb_arena *a);

#if EBB_GNUC
#define EBB__SMALL_CONSTANT(n) (__builtin_constant_p((n) < EBB__NO_WRAP) && (n) < EBB__NO_WRAP)
#define EBB__LOAD_RELAXED(p)   __atomic_load_n((p), __ATOMIC_RELAXED)
/* Not a tail call, nor in a copy that several callers share (EBB_INLINE): the return address that
   the slow path sees is then the call site's own. */
#define EBB__KEEP_SITE(p) __asm__ volatile("" : "+r"(p))
#else
#define EBB__SMALL_CONSTANT(n) 0
#define EBB__LOAD_RELAXED(p)   (*(volatile uintptr_t *)(p))
#define EBB__KEEP_SITE(p)      ((void)0)
#endif

#define EBB__JOIN2(a, b) a##b
#define EBB__JOIN(a, b)  EBB__JOIN2(a, b)
#if EBB_GNUC
#define EBB__UNIQUE(prefix) EBB__JOIN(prefix, __COUNTER__)
#else
#define EBB__UNIQUE(prefix) EBB__JOIN(prefix, __LINE__)
#endif

/* *ret_to = from - size; true if that wraps, which a small constant can't. */
#if EBB_GNUC
#define EBB__SUB_WRAPS(from, size, ret_to)                                                         \
    (EBB__SMALL_CONSTANT(size) ? (*(ret_to) = (from) - (size), 0)                                  \
                               : __builtin_sub_overflow((from), (size), (ret_to)))
#else
#define EBB__SUB_WRAPS(from, size, ret_to) (*(ret_to) = (from) - (size), (size) > (from))
#endif

/* Move the tip down by size, then down to align; NULL if that is not above the limit. */
EBB_INLINE void *ebb__bump(ebb_arena *a, size_t size, size_t align)
{
    ebb__window *w = (ebb__window *)(void *)a;
    uintptr_t to;
    if (!EBB_LIKELY(!EBB__SUB_WRAPS(w->tip, size, &to))) return NULL;
    to &= 0 - (uintptr_t)align;
    if (!EBB_LIKELY(to > EBB__LOAD_RELAXED(&w->limit))) return NULL;
    w->tip = to;
    return (void *)to;
}

EBB_INLINE void *ebb_alloc_aligned(ebb_arena *a, size_t size, size_t align)
{
    void *p = ebb__bump(a, size, align);
    if (EBB_LIKELY(p != NULL)) return p;
    p = ebb__alloc_slow(a, size, align);
    EBB__KEEP_SITE(p);
    return p;
}

EBB_INLINE void *ebb_alloc(ebb_arena *a, size_t size)
{
    return ebb_alloc_aligned(a, size, EBB_ALIGN_DEFAULT);
}

EBB_INLINE void *ebb_alloc_optional(ebb_arena *a, size_t size)
{
    void *p = ebb__bump(a, size, EBB_ALIGN_DEFAULT);
    if (EBB_LIKELY(p != NULL)) return p;
    p = ebb__alloc_optional_slow(a, size, EBB_ALIGN_DEFAULT);
    EBB__KEEP_SITE(p);
    return p;
}

EBB_INLINE void *ebb__zalloc_aligned(ebb_arena *a, size_t size, size_t align)
{
    void *p = ebb_alloc_aligned(a, size, align);
    return EBB_LIKELY(p != NULL) ? memset(p, 0, size) : NULL;
}

EBB_INLINE void *ebb_zalloc(ebb_arena *a, size_t size)
{
    return ebb__zalloc_aligned(a, size, EBB_ALIGN_DEFAULT);
}

EBB_INLINE void *ebb__alloc_array(ebb_arena *a, size_t count, size_t size, size_t align)
{
    if (!EBB_LIKELY(count <= SIZE_MAX / size)) return ebb__alloc_overflow(a);
    return ebb_alloc_aligned(a, count * size, align);
}

EBB_INLINE void *ebb__new_array(ebb_arena *a, size_t count, size_t size, size_t align)
{
    void *p = ebb__alloc_array(a, count, size, align);
    return EBB_LIKELY(p != NULL) ? memset(p, 0, count * size) : NULL;
}

typedef struct ebb__temp {
    ebb_arena *arena;
    ebb_mark mark;
} ebb__temp;

static inline ebb__temp ebb__temp_begin(ebb_arena *a)
{
    ebb__temp t;
    t.arena = a;
    t.mark = ebb_arena_mark(a);
    return t;
}

static inline void ebb__temp_end(ebb__temp *t)
{
    ebb_arena_rewind(t->arena, t->mark);
}

#ifdef __cplusplus
}
#endif
#endif /* EBB_ARENA_H */
