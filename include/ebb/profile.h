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

/** What a profile has learned. */
typedef struct ebb_profile_stats {
    uint64_t samples; /**< scopes looked at: a sixteenth of those that ended, later a 64th */
    size_t used_p50, used_p95, used_max; /**< bytes used by a sampled scope, to an eighth */
    size_t head, body; /**< bytes of the first chunk, and of the one that an overflow takes */
} ebb_profile_stats;

/** Fill @ret_. Samples still held by threads are not counted yet. Threads: any. */
EBB_API void ebb_profile_get_stats(ebb_profile *p, ebb_profile_stats *ret_);

/**
 * Write what all profiles have learned to the file @path, whole or not at all (by a rename; it is
 * not synced, so the machine's crash may undo it). Fails: EBB_E_IO. Threads: any, and processes.
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
