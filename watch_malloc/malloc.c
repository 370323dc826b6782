/*
 * watch_malloc/malloc.c: libebb-malloc, which stands in front of the C library's malloc and tells
 * whoever watches. For a tracker that is to count malloc's calls beside Ebb's. A program gets it by
 * being linked with it, or run with it in LD_PRELOAD; libebb is never linked with it, so that who
 * wants no part in this keeps malloc untouched.
 *
 * Nothing is allocated here. Each call goes on to the next definition in the order of the
 * libraries, whosever that is: the C library's, mimalloc's. Not for a program in which another
 * malloc comes before this one, as a sanitizer's and Memcheck's do: the calls don't come here then,
 * and ebb__malloc_watch says so.
 *
 * Invariants
 *   While nobody watches, a call costs a load and a branch not taken before it goes on.
 *   Whoever watches is told of each call that came from outside: not of what the next definition
 *   calls of the family for itself, nor of what the watcher calls, nor a signal's handler that
 *   interrupts either.
 *   errno is what the next definition left.
 *   No lock is held and nothing depends on constructors, so any call is good at any time: before
 *   main, in a child after fork, while threads and the process exit.
 */
#define _GNU_SOURCE
#include "../track/seam.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED    __attribute__((visibility("default")))
#define NOINLINE    __attribute__((noinline))
#define COLD        __attribute__((noinline, cold))
#define PER_THREAD  static _Thread_local __attribute__((tls_model("initial-exec")))
#define unlikely(x) __builtin_expect(!!(x), 0)

/* In an exported function: the place behind its call. */
#define SITE __builtin_return_address(0)

/* ---- the next definitions -------------------------------------------------------------------- */

typedef void *malloc_fn(size_t);
typedef void *calloc_fn(size_t, size_t);
typedef void *realloc_fn(void *, size_t);
typedef void free_fn(void *);
typedef void *aligned_fn(size_t, size_t);
typedef int posix_fn(void **, size_t, size_t);

static malloc_fn first_malloc, first_valloc, first_pvalloc;
static calloc_fn first_calloc;
static realloc_fn first_realloc;
static free_fn first_free;
static aligned_fn first_aligned_alloc, first_memalign;
static posix_fn first_posix_memalign;

/* Each is first a function of ours, that looks all of them up; so the way to the next definition
   has no test whether it is known. Many threads may look at once: they find the same. */
static struct {
    malloc_fn *_Atomic malloc, *_Atomic valloc, *_Atomic pvalloc;
    calloc_fn *_Atomic calloc;
    realloc_fn *_Atomic realloc;
    free_fn *_Atomic free;
    aligned_fn *_Atomic aligned_alloc, *_Atomic memalign;
    posix_fn *_Atomic posix_memalign;
} next = {first_malloc, first_valloc,        first_pvalloc,  first_calloc,        first_realloc,
          first_free,   first_aligned_alloc, first_memalign, first_posix_memalign};

#define NEXT(name) atomic_load_explicit(&next.name, memory_order_relaxed)

/* This thread is in dlsym, which may call the family itself. */
PER_THREAD bool looking;

/* The next definition of what is so called. There is always one: this library can't be loaded
   without a C library. */
static void *found(const char *name)
{
    void *fn = dlsym(RTLD_NEXT, name);
    if (!fn) abort();
    return fn;
}

/* POSIX lets a data pointer carry a function's address; C does not, but for a copy of its bytes. */
#define SET(name, address)                                                                         \
    do {                                                                                           \
        void *address_ = (address);                                                                \
        __typeof__(NEXT(name)) fn_;                                                                \
        memcpy(&fn_, &address_, sizeof fn_);                                                       \
        atomic_store_explicit(&next.name, fn_, memory_order_release);                              \
    } while (0)

/* All are found before any is set, so that dlsym gets all its blocks from one place; and those that
   take a block are set before those that give one. False: not now, for dlsym is the caller. */
static COLD bool look_up(void)
{
    enum { REALLOC, FREE, MALLOC, CALLOC, ALIGNED, MEMALIGN, POSIX, VALLOC, PVALLOC, NAMES };
    static const char *const names[NAMES] = {"realloc",        "free",          "malloc",
                                             "calloc",         "aligned_alloc", "memalign",
                                             "posix_memalign", "valloc",        "pvalloc"};
    void *fn[NAMES];
    if (looking) return false;
    int kept = errno;
    looking = true;
    for (int i = 0; i < NAMES; i++) fn[i] = found(names[i]);
    SET(realloc, fn[REALLOC]);
    SET(free, fn[FREE]);
    SET(malloc, fn[MALLOC]);
    SET(calloc, fn[CALLOC]);
    SET(aligned_alloc, fn[ALIGNED]);
    SET(memalign, fn[MEMALIGN]);
    SET(posix_memalign, fn[POSIX]);
    SET(valloc, fn[VALLOC]);
    SET(pvalloc, fn[PVALLOC]);
    looking = false;
    errno = kept;
    return true;
}

/* Early, so that it is not in a signal's handler that malloc is first called. */
__attribute__((constructor)) static void start(void)
{
    look_up();
}

/* ---- what dlsym is given --------------------------------------------------------------------- */

/* Blocks for dlsym while it looks the next definitions up. They are never taken back; their bytes
   are zero, since they are given out once. */
enum { EARLY = 8 << 10, ALIGN = 16 };
static _Alignas(ALIGN) char early[EARLY];
static _Atomic size_t early_used;

static bool is_early(const void *ptr)
{
    return (uintptr_t)ptr - (uintptr_t)early < EARLY;
}

static COLD void *early_take(size_t size)
{
    size_t whole = ALIGN + ((size + ALIGN - 1) & ~(size_t)(ALIGN - 1));
    size_t at = size < EARLY ? atomic_fetch_add(&early_used, whole) : EARLY;
    if (at > EARLY - whole || whole > EARLY) {
        errno = ENOMEM;
        return NULL;
    }
    memcpy(early + at, &size, sizeof size);
    return early + at + ALIGN;
}

static COLD void *early_move(void *ptr, size_t size)
{
    size_t old;
    memcpy(&old, (char *)ptr - ALIGN, sizeof old);
    void *to = NEXT(malloc)(size);
    if (to) memcpy(to, ptr, old < size ? old : size);
    return to;
}

static inline void *move(void *ptr, size_t size)
{
    return unlikely(is_early(ptr)) ? early_move(ptr, size) : NEXT(realloc)(ptr, size);
}

/* ---- the first calls ------------------------------------------------------------------------- */

static void *first_malloc(size_t size)
{
    return look_up() ? NEXT(malloc)(size) : early_take(size);
}

static void *first_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (look_up()) return NEXT(calloc)(count, size);
    if (__builtin_mul_overflow(count, size, &bytes)) bytes = SIZE_MAX;
    return early_take(bytes);
}

static void *first_realloc(void *ptr, size_t size)
{
    return look_up() ? NEXT(realloc)(ptr, size) : early_take(size);
}

static void first_free(void *ptr)
{
    if (look_up()) NEXT(free)(ptr);
}

static void *first_aligned_alloc(size_t align, size_t size)
{
    return look_up() ? NEXT(aligned_alloc)(align, size) : NULL;
}

static void *first_memalign(size_t align, size_t size)
{
    return look_up() ? NEXT(memalign)(align, size) : NULL;
}

static int first_posix_memalign(void **ret_, size_t align, size_t size)
{
    return look_up() ? NEXT(posix_memalign)(ret_, align, size) : ENOMEM;
}

static void *first_valloc(size_t size)
{
    return look_up() ? NEXT(valloc)(size) : NULL;
}

static void *first_pvalloc(size_t size)
{
    return look_up() ? NEXT(pvalloc)(size) : NULL;
}

/* ---- who watches ----------------------------------------------------------------------------- */

typedef void watch_fn(size_t size, const void *site);

static watch_fn *_Atomic watcher; /* NULL: nobody */

/* This thread is in the family, or in the watcher: what it calls now is not a call from outside. */
PER_THREAD bool inside;
/* This thread asks whether its calls come here. */
PER_THREAD bool asking, answered;

#define IS_WATCHED unlikely(atomic_load_explicit(&watcher, memory_order_relaxed) != NULL)

/* Around a call of the next definition; what comes out of the first goes into the second. */
static bool enter(void)
{
    bool outer = !inside;
    answered |= asking;
    inside = true;
    atomic_signal_fence(memory_order_seq_cst);
    return outer;
}

static void leave(bool outer, bool happened, size_t size, const void *site)
{
    if (!outer) return;
    watch_fn *on = atomic_load_explicit(&watcher, memory_order_relaxed);
    if (happened && on) {
        int kept = errno;
        on(size, site);
        errno = kept;
    }
    atomic_signal_fence(memory_order_seq_cst);
    inside = false;
}

/* Whether malloc is ours, for all: asked by calling it, since an address may be that of a place in
   the program that jumps to it. */
static bool calls_come_here(void)
{
    malloc_fn *volatile call = malloc;
    free_fn *volatile give = free;
    bool before = inside;
    inside = asking = true;
    answered = false;
    give(call(1));
    inside = before;
    asking = false;
    return answered;
}

EXPORTED bool ebb__malloc_watch(watch_fn *on)
{
    atomic_store_explicit(&watcher, on, memory_order_relaxed);
    if (!on || calls_come_here()) return true;
    atomic_store_explicit(&watcher, NULL, memory_order_relaxed);
    return false;
}

/* ---- calls that are watched ------------------------------------------------------------------ */

/* Functions of their own, so that the exported ones end with a jump where nobody watches. */

static NOINLINE void *told(malloc_fn *fn, size_t size, const void *site)
{
    bool outer = enter();
    void *p = fn(size);
    leave(outer, p != NULL, size, site);
    return p;
}

static NOINLINE void *told_zeroed(size_t count, size_t size, const void *site)
{
    bool outer = enter();
    void *p = NEXT(calloc)(count, size);
    leave(outer, p != NULL, count * size, site); /* there is one, so it has not overflowed */
    return p;
}

static NOINLINE void *told_aligned(aligned_fn *fn, size_t align, size_t size, const void *site)
{
    bool outer = enter();
    void *p = fn(align, size);
    leave(outer, p != NULL, size, site);
    return p;
}

static NOINLINE int told_posix(void **ret_, size_t align, size_t size, const void *site)
{
    bool outer = enter();
    int status = NEXT(posix_memalign)(ret_, align, size);
    leave(outer, status == 0, size, site);
    return status;
}

/* NULL need not be a failure: asked for 0 bytes, the next realloc may let go of the block. */
static NOINLINE void *told_moved(void *ptr, size_t size, const void *site)
{
    bool outer = enter();
    void *p = move(ptr, size);
    leave(outer, p != NULL, size, site);
    return p;
}

/* ---- the family ------------------------------------------------------------------------------ */

EXPORTED void *malloc(size_t size)
{
    return IS_WATCHED ? told(NEXT(malloc), size, SITE) : NEXT(malloc)(size);
}

EXPORTED void *calloc(size_t count, size_t size)
{
    return IS_WATCHED ? told_zeroed(count, size, SITE) : NEXT(calloc)(count, size);
}

EXPORTED void *realloc(void *ptr, size_t size)
{
    return IS_WATCHED ? told_moved(ptr, size, SITE) : move(ptr, size);
}

/* Not by the next reallocarray: the C library's calls realloc, and by its name, which is here. */
EXPORTED void *reallocarray(void *ptr, size_t count, size_t size)
{
    size_t bytes;
    if (unlikely(__builtin_mul_overflow(count, size, &bytes))) {
        errno = ENOMEM;
        return NULL;
    }
    return IS_WATCHED ? told_moved(ptr, bytes, SITE) : move(ptr, bytes);
}

EXPORTED void free(void *ptr)
{
    if (unlikely(is_early(ptr))) return;
    NEXT(free)(ptr);
}

EXPORTED void *aligned_alloc(size_t align, size_t size)
{
    return IS_WATCHED ? told_aligned(NEXT(aligned_alloc), align, size, SITE)
                      : NEXT(aligned_alloc)(align, size);
}

EXPORTED void *memalign(size_t align, size_t size)
{
    return IS_WATCHED ? told_aligned(NEXT(memalign), align, size, SITE)
                      : NEXT(memalign)(align, size);
}

EXPORTED int posix_memalign(void **ret_, size_t align, size_t size)
{
    return IS_WATCHED ? told_posix(ret_, align, size, SITE)
                      : NEXT(posix_memalign)(ret_, align, size);
}

EXPORTED void *valloc(size_t size)
{
    return IS_WATCHED ? told(NEXT(valloc), size, SITE) : NEXT(valloc)(size);
}

EXPORTED void *pvalloc(size_t size)
{
    return IS_WATCHED ? told(NEXT(pvalloc), size, SITE) : NEXT(pvalloc)(size);
}
