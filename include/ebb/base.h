/*
 * ebb/base.h: the words every other header uses: statuses, strings, misuse, checks.
 *
 * Rules that hold for every function of Ebb unless its comment says otherwise:
 *   - A pointer argument is not NULL. `end`, `destroy`, `adopt` and `detach` take the address of a
 *     handle, null it first, and do nothing when it is NULL already.
 *   - One cause of failure returns NULL or false; two or more return a negative ebb_status. An
 *     out-parameter (`ret_...`) is untouched on failure, but for `ret_why`, which is set then.
 *   - Ownership words: "borrows" (until return), "keeps" (until X dies), "copies", "takes", "in
 *     scope" (until that scope ends, is reset, or rewinds past it), "static" (the whole process).
 *   - Thread words, one per type: "Handoff" (one thread at a time may touch it), "Confined" (only
 *     the thread that made it), "Frozen" (immutable, any), "Synchronized" (any, at once).
 *
 * Everywhere: no function is async-signal-safe. After fork the child may use the arenas that the
 * forking thread held; those of other threads are lost to it, as their threads are. The library,
 * and a library that holds an ebb_profile or a source, can't be unloaded.
 *
 * Compiles as C11 and as C++11. Feature macros are always 0 or 1 and never change a public layout.
 */
#ifndef EBB_BASE_H
#define EBB_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EBB_VERSION_MAJOR 0
#define EBB_VERSION_MINOR 1
#define EBB_VERSION_PATCH 0

/* ---- compiler seams -------------------------------------------------------------------------- */

#if defined(__GNUC__)
#define EBB_GNUC 1
#else
#define EBB_GNUC 0
#endif

/* 1 where declarations that clean up after themselves exist: EBB_SCOPE, EBB_ENTER, EBB_TEMP. */
#define EBB_HAS_SCOPE EBB_GNUC

#if EBB_GNUC
#define EBB_API               __attribute__((visibility("default")))
#define EBB_NORETURN          __attribute__((noreturn))
#define EBB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define EBB_LIKELY(x)         __builtin_expect(!!(x), 1)
#define EBB_MUST_USE          __attribute__((warn_unused_result))
#define EBB_COLD              __attribute__((cold, noinline))
#define EBB_INLINE            static inline __attribute__((always_inline))
#define EBB_ALLOC_SIZE(n)     __attribute__((alloc_size(n)))
#define EBB_NONNULL_RESULT    __attribute__((returns_nonnull))
#else
#define EBB_API
#define EBB_NORETURN
#define EBB_PRINTF(fmt, args)
#define EBB_LIKELY(x) (x)
#define EBB_MUST_USE
#define EBB_COLD
#define EBB_ALLOC_SIZE(n)
#define EBB_INLINE static inline
#define EBB_NONNULL_RESULT
#endif

#ifdef __cplusplus
#define EBB_ALIGNOF(T) alignof(T)
extern "C" {
#else
#define EBB_ALIGNOF(T) _Alignof(T)
#endif

/** Return the version of the library that runs, such as "0.1.0", static. */
EBB_API const char *ebb_version(void);

/* ---- words that several headers share -------------------------------------------------------- */

/** EBB_CONTAINER(ptr, T, member): the T whose member @member is at @ptr, which is not NULL: of a
    link its item (ebb/list.h), of a cleanup what it lies in (ebb/cleanup.h). */
#define EBB_CONTAINER(ptr, T, member) ((T *)(void *)((char *)(ptr)-offsetof(T, member)))

/** No index: what looks for one returns it where there is none (ebb/str.h, ebb/bitset.h). It is
    above every index, so that a slice up to there is the whole string. */
#define EBB_NOT_FOUND SIZE_MAX

/* ---- status ---------------------------------------------------------------------------------- */

/* X(name, code, text). The codes are frozen; new ones are added at the end. */
#define EBB_STATUSES(X)                                                                            \
    X(EBB_OK, 0, "ok")                                                                             \
    X(EBB_E_MEMORY, -1, "out of memory")                                                           \
    X(EBB_E_LIMIT, -2, "memory limit or budget reached")                                           \
    X(EBB_E_EXHAUSTED, -3, "nothing left to hand out")                                             \
    X(EBB_E_TIMEOUT, -4, "deadline passed")                                                        \
    X(EBB_E_DUPLICATE, -5, "already there")                                                        \
    X(EBB_E_SYNTAX, -6, "malformed input")                                                         \
    X(EBB_E_RANGE, -7, "value out of range")                                                       \
    X(EBB_E_CYCLE, -8, "would form a cycle")                                                       \
    X(EBB_E_INVALID, -9, "invalid argument")                                                       \
    X(EBB_E_IO, -10, "input or output failed")                                                     \
    X(EBB_E_UNSUPPORTED, -11, "not supported here")                                                \
    X(EBB_E_REFUSED, -12, "refused by a function of the program")

/** What a call came to. Negative codes are failures; positive codes belong to the user. */
typedef enum ebb_status {
#define EBB__STATUS_ENUM(name, code, text) name = (code),
    EBB_STATUSES(EBB__STATUS_ENUM)
#undef EBB__STATUS_ENUM
} ebb_status;

/** Return the English text of @status, static; "unknown status" for a code that is not ours. */
EBB_API const char *ebb_status_text(int status);

/** Return the constant's name, such as "EBB_E_LIMIT", static; "?" for a code that is not ours. */
EBB_API const char *ebb_status_name(int status);

/* ---- time ------------------------------------------------------------------------------------ */

/** Return nanoseconds of the system's monotonic clock, in which deadlines are given; for one in
    50 ms: ebb_clock_ns() + 50 * 1000000. Cost: some 20 ns. Threads: any. */
EBB_API uint64_t ebb_clock_ns(void);

/* ---- strings --------------------------------------------------------------------------------- */

/** A view of bytes: not owned, not necessarily NUL-terminated. Passed and returned by value. The
    word of the layers above (names and containers); nothing on the ground floor takes one. */
typedef struct ebb_str {
    const char *ptr;
    size_t len;
} ebb_str;

/* ---- misuse ---------------------------------------------------------------------------------- */

/** How bad a report is. */
typedef enum ebb_severity {
    EBB_MENDED, /**< wrong, but put right: a child ended with its parent. Default: print, go on. */
    EBB_MISUSE  /**< a bug that can't be put right: a double end. Default: print, abort. */
} ebb_severity;

/** One report. All strings are borrowed by the handler until it returns. */
typedef struct ebb_misuse {
    ebb_severity severity;
    const char *function; /**< the call that noticed, such as "ebb_scope_end" */
    const char *object;   /**< name of the arena, profile or pool; "?" when it has none */
    const char *text;     /**< the whole line: function("object"): what, who before, what to do */
} ebb_misuse;

typedef void ebb_misuse_fn(void *ctx, const ebb_misuse *what);

/**
 * Send misuse reports to @fn with @ctx; NULL restores the default, which writes the line to stderr
 * and, for EBB_MISUSE, aborts. If @fn returns, the call that noticed does nothing further (an
 * allocation returns NULL), unless what it does is sound all the same. A handle that it was given
 * the address of has been nulled by then; what it named stays open.
 * Lifetime: keeps @ctx until the next call of this function.
 * Threads: any; reports may come from any thread, so @fn must be ready for that. The last report's
 * text also stays in the variable `ebb__last_misuse`, where a core dump shows it.
 */
EBB_API void ebb_on_misuse(ebb_misuse_fn *fn, void *ctx);

/**
 * How much is checked at run time, in the same binary. Each level includes those before it.
 *
 * AddressSanitizer and Valgrind's Memcheck need no level and no special build: in a program built
 * with the one or run under the other every arena has the strict layout by itself, and the tool
 * sees a read after end, reset or rewind, and an access past an object, where it happens.
 */
typedef enum ebb_checks {
    EBB_CHECKS_OFF = 0, /**< only what would corrupt memory: a handle that has ended or was adopted
                                (until a new scope takes its place: STRICT keeps that from being
                                soon), end and destroy mixed up, a raise with nowhere to go */
    EBB_CHECKS_CHEAP = 1,   /**< default: whatever begin, end, enter and leave can see for free */
    EBB_CHECKS_STRICT = 2,  /**< owner thread on every call, red zones, freed bytes filled and held
                                back for a while; about 10x slower, layout differs */
    EBB_CHECKS_VALIDATE = 3 /**< also ebb_arena_validate at every end, reset, mark and rewind */
} ebb_checks;

/**
 * Set the level for arenas that begin from now on (arenas already open keep theirs).
 * The environment variable EBB_CHECKS=0..3 sets the level a process starts with; a wrong value is
 * named on stderr once and ignored. Threads: any.
 */
EBB_API void ebb_checks_set(ebb_checks level);

/** Return the level in force. Threads: any. */
EBB_API ebb_checks ebb_checks_get(void);

#ifdef __cplusplus
}
#endif
#endif /* EBB_BASE_H */
