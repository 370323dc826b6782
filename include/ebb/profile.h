/*
 * ebb/profile.h: what one kind of request is like, declared once, learned as it runs.
 *
 *     static ebb_profile post_vms = EBB_PROFILE("POST /vms", .hard = 1 << 20, .reserve = 2048);
 *
 * A profile tells scopes of its kind how large their first chunks should be. It learns that from a
 * sample of the scopes that end, and can be saved to and loaded from a small text file, so that a
 * restarted program begins warm. It is also where limits common to a kind of request are set.
 */
#ifndef EBB_PROFILE_H
#define EBB_PROFILE_H

#include "arena.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A kind of request. Static: it must live as long as the process. Synchronized once a scope has
 * begun with it; set the public fields before that. At most 1022 of them learn; scopes of any more
 * keep their limits and wipe, but begin with the sizes, and the name, of an anonymous one, as those
 * do that begin without a profile. Two of one name share their line in the saved file.
 */
typedef struct ebb_profile {
    const char *name;   /**< shown by reports, key of the saved file; a literal, at most 95 bytes */
    size_t soft, hard;  /**< limits of each scope in held bytes, see ebb_arena_set_limit; 0: none */
    ebb_budget *budget; /**< charged by each scope; NULL: none */
    uint32_t reserve;   /**< bytes that ebb_recover opens; 0: 1 KiB; see ebb_arena_set_limit */
    uint8_t percentile; /**< of scopes, that the learned sizes should fit; 0 or above 100: 75 */
    bool wipe;          /**< zero what was used when it ends, resets, rewinds or shrinks */
    bool long_lived;    /**< what its scopes read of roots and caches (ebb/share.h) they count, so
                              that they hold back nothing that is replaced meanwhile */
    uint32_t ebb__start; /* what a scope begins with, learned; 0: not begun yet */
    uint32_t ebb__reserved2;
    struct ebb_profile *ebb__twin; /* another of the same name */
} ebb_profile;

/** EBB_PROFILE("name", .field = value, ...): a static initialiser. */
/* clang-format off */
#if defined(__cplusplus) && __cplusplus < 202002L
#define EBB_PROFILE(...) {__VA_ARGS__} /* no designators before C++20: values in order */
#else
#define EBB_PROFILE(...) {.name = __VA_ARGS__}
#endif
/* clang-format on */

/* ---- what a profile has learned -------------------------------------------------------------- */

/*
 * Nothing is counted while a scope runs. One end in 17 is looked at, later one in 67, and what is
 * there to be seen is added up: what the scope held, and what of that was of use. What its objects
 * asked for is not there any more, so the padding between them counts as used.
 */

/**
 * Sums over the scopes looked at in this process; divided by `samples`, the mean of a scope. held
 * is used + tails + idle + abandoned + headers, exactly.
 */
typedef struct ebb_profile_ledger {
    uint64_t samples;
    uint64_t held;      /**< bytes of chunks and large blocks at the end, those adopted included */
    uint64_t used;      /**< of those, handed out: objects, their padding, records of cleanups */
    uint64_t tails;     /**< free at the ends of chunks that newer ones have replaced, and in
                             adopted arenas */
    uint64_t idle;      /**< free in the newest chunk, and in the first */
    uint64_t abandoned; /**< what containers have outgrown and nothing has taken up again: at least
                             so much, since pieces below 64 bytes and those from before a rewind
                             are not known */
    uint64_t headers;   /**< 64 bytes of each block, and what a large one has behind its object */
    uint64_t chunks, large; /**< how many; the first chunk included */
} ebb_profile_ledger;

typedef struct ebb_profile_stats {
    uint64_t samples;                    /**< scopes looked at, those of a loaded file included */
    size_t used_p50, used_p95, used_max; /**< bytes used in chunks by a sampled scope, to an eighth;
                                              the file's included */
    size_t head, body; /**< bytes of the first chunk, and of the one that an overflow takes */
    size_t held_p50, held_p95, held_max; /**< bytes of chunks and large blocks at the end, or the
                                              most before that where it is known, to an eighth */
    uint64_t ended; /**< an estimate: each sample stands for the ends since the one before it on its
                         thread. Not those that end with their parent, or are adopted */
    uint64_t soft_crossed; /**< times the soft limit of one was passed; exact */
    uint64_t refused; /**< times a block was refused, by a limit of the scope or of one above it, or
                           by a budget; exact. What grows asks again for less before it fails */
    ebb_profile_ledger sum;
} ebb_profile_stats;

/** Fill @ret_. Samples still held by other threads, 16 each at most, are not counted yet. Threads:
    any. */
EBB_API void ebb_profile_get_stats(ebb_profile *p, ebb_profile_stats *ret_);

/** Bars of a histogram at most. */
#define EBB_PROFILE_BARS 193

typedef struct ebb_profile_bar {
    size_t upto;    /**< bytes used in chunks, up to so many, and above the bar before */
    uint32_t count; /**< of scopes looked at; all are halved when there are 4096 */
} ebb_profile_bar;

/** Fill up to @most of @ret_ with the bars that are not empty, ascending. @ret_ may be NULL where
    @most is 0. Return how many there are. Threads: any. */
EBB_API size_t ebb_profile_get_histogram(ebb_profile *p, ebb_profile_bar *ret_, size_t most);

/** Fill up to @most of @ret_ with the profiles that have begun, the oldest first, and one of each
    name. @ret_ may be NULL where @most is 0. Return how many there are. Threads: any. */
EBB_API size_t ebb_profile_list(ebb_profile **ret_, size_t most);

/** Pieces of advice at most. */
#define EBB_PROFILE_ADVICE_MOST 5

/** One line for a person. */
typedef struct ebb_profile_advice {
    char text[160];
} ebb_profile_advice;

/**
 * Fill up to @most of @ret_ with what could be done better, as far as the figures justify it: at
 * least 64 scopes of this process were looked at, and
 *
 *   a chunk size would fit 95 % of the scopes, but not the percentile that is aimed at, and of ten
 *   scopes at least one takes a chunk for it (of twenty, where a larger head would do);
 *   half the scopes use an eighth of what the largest twentieth do, and a quarter of what is held
 *   is idle, 2 KiB at least;
 *   tails are a tenth of what is held, 256 bytes at least;
 *   abandoned storage is a twentieth of it, 128 bytes at least;
 *   a block was refused (this whatever was looked at).
 *
 * Return how many there are. Threads: any.
 */
EBB_API size_t ebb_profile_get_advice(ebb_profile *p, ebb_profile_advice *ret_, size_t most);

/** Describe @of to a person in a few lines of text, the advice included, made in @in; NULL as
    ebb_alloc. Threads: the holder of @in. */
EBB_API char *ebb_profile_describe(ebb_profile *of, ebb_arena *in);

/* ---- the file -------------------------------------------------------------------------------- */

/**
 * Write what profiles have learned of sizes to the file @path, whole or not at all: it is written
 * beside it, to @path.PROCESS.NUMBER.new, and renamed (not synced, so the machine's crash may undo
 * it). A device, a pipe or a symbolic link there is not replaced, but written into, as far as that
 * goes. Samples still held by other threads, 16 each at most, are not written. Fails: EBB_E_IO,
 * errno says why. Threads: any, and processes.
 */
EBB_API ebb_status ebb_profile_save(const char *path);

/**
 * Read such a file; profiles of those names begin warm, those that have not begun yet included.
 * Fails: EBB_E_IO, EBB_E_SYNTAX, EBB_E_MEMORY; nothing has then been changed, and if @ret_why is
 * not NULL, *@ret_why is a text made in @in that names the line and what is wrong with it, or NULL
 * if @in is full.
 */
EBB_API EBB_MUST_USE ebb_status ebb_profile_load(const char *path, ebb_arena *in,
                                                 const char **ret_why);

#ifdef __cplusplus
}
#endif
#endif /* EBB_PROFILE_H */
