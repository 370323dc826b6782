/*
 * track/seam.h: how a watcher hears of allocations. Includes nothing of ours, so that it may stand
 * below the arenas it watches.
 *
 * A watcher is asked on the slow path of arenas whose window is closed, or which a sample has
 * stopped (arena/window.c, arena/sample.c). Its callbacks must not allocate from an arena, nor
 * begin or end one, nor add or remove a watcher; they may be called from many threads at once, and
 * from a signal's handler inside themselves.
 */
#ifndef EBB_TRACK_SEAM_H
#define EBB_TRACK_SEAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EBB__WATCHERS_MAX = 16 };

/* What a watcher hears of. */
enum {
    EBB__EVENT_ALLOC, /* an allocation of `size` bytes is about to be made */
    EBB__EVENT_GROW,  /* something is about to grow to `size` bytes */
    EBB__EVENT_BEGIN, /* an arena is about to get its first block */
    EBB__EVENT_SYSTEM /* malloc, or one of its family, has allocated `size` bytes */
};

/* The profile of malloc's events; arenas that have none say 0. */
enum { EBB__SYSTEM_PROFILE = 0xfff, EBB__PROFILE_IDS = 0x1000 };

typedef struct ebb__event {
    int kind;
    unsigned profile; /* the id of the arena's */
    size_t size;
    size_t padding;   /* of an allocation: bytes lost to alignment, if they are known */
    const void *site; /* the call, a code address */
    /* For those that hear of a sample alone: whether this is in it, and how probable that was. */
    int sampled;
    double chance;
    /* Answers: the slots of those that want to hear of its end, and its stack (stack.c). */
    uint32_t lives;
    const void *stack;
} ebb__event;

/* An allocation that somebody wants to hear the end of. */
typedef struct ebb__life {
    uintptr_t ptr;
    size_t size;
    uint64_t birth; /* ns */
    const void *stack;
    uint32_t born; /* the arena's serial */
    uint16_t profile, lives;
} ebb__life;

typedef struct ebb__watcher ebb__watcher;
struct ebb__watcher {
    /* Return true to make the allocation fail as if there were no memory. */
    bool (*on_event)(ebb__watcher *w, ebb__event *e);
    /* May be NULL; else an allocation in any arena may be told by this instead, where nobody else
       listens. Nothing is refused, and nothing wanted of its end. */
    void (*on_alloc)(ebb__watcher *w, unsigned profile, size_t size, size_t padding,
                     const void *site);
    /* What it has put its slot into `lives` for: it was made, or (death is not 0) let go. */
    void (*on_life)(ebb__watcher *w, const ebb__life *l, uint64_t death);
    void *arena;      /* NULL: any */
    void *profile;    /* NULL: any */
    bool this_thread; /* the thread that adds it */
    bool system;      /* malloc's, too */
    size_t every;     /* hear of a sample, one in so many bytes or more often; 0: of everything */
    void *thread;     /* atomic; the three below are filled in when it is added */
    unsigned profile_id;
    unsigned slot; /* below EBB__WATCHERS_MAX; no other active one has it */
};

/* False: EBB__WATCHERS_MAX are active, or there is no memory. The watcher is kept until removed. */
bool ebb__watcher_add(ebb__watcher *w);
/* When this returns, no thread is inside the callback, and none will be. */
void ebb__watcher_remove(ebb__watcher *w);

/* What is held while watchers are added, removed, and while the process forks. */
void ebb__watchers_lock(void);
void ebb__watchers_unlock(void);
/* This thread has it, or waits for it, and has been interrupted by a signal. */
bool ebb__watchers_held(void);

/* ---- lives: what an arena keeps of those in ebb__event.lives; lives.c ------------------------ */

/* All of one arena. NULL: none. Its holder's. */
typedef struct ebb__lives ebb__lives;

/* Call on_life of the watchers in these slots. */
void ebb__lives_tell(const ebb__life *l, uint64_t death);
/* What was allocated at `ptr`, as `e` says. */
void ebb__lives_add(ebb__lives **lives, const ebb__event *e, uintptr_t ptr, uint32_t born);
/* What is at `ptr` was let go, if it is known. */
void ebb__lives_end(ebb__lives **lives, uintptr_t ptr);
/* And all that was born after `born`. */
void ebb__lives_end_after(ebb__lives **lives, uint32_t born);

/* ---- what the arenas' side does for trackers ------------------------------------------------- */

/* Zeroed pages from the system, for what must be had without malloc. NULL: no memory. */
void *ebb__pages_take(size_t size);
void ebb__pages_give(void *pages, size_t size);

/* Milliseconds of a coarse clock, nanoseconds of an exact one. */
uint64_t ebb__clock_coarse_ms(void);
uint64_t ebb__clock_exact_ns(void);

/* The name of a profile, static; of id 0, and of ids that nobody has: NULL. */
const char *ebb__profile_name(unsigned id);

/* One past the highest address of the stack that `inside` lies on, if that is the running thread's
   and can be found; else 0. */
uintptr_t ebb__stack_end(uintptr_t inside);

/* Call fn on each thread that exits. Once for each fn, and for good. */
void ebb__at_thread_exit(void (*fn)(void));

/* ---- the C library's malloc ------------------------------------------------------------------ */

/* In libebb-malloc (watch_malloc/): call @on after each allocation of malloc's family, with the
   size asked for and the place behind the call; NULL: no more. What @on allocates it is not told.
   False: another malloc stands in front of libebb-malloc, so that it sees nothing. */
bool ebb__malloc_watch(void (*on)(size_t size, const void *site));

/* Let ebb__system_event be called for malloc's calls; false: this process has no libebb-malloc, or
   one that sees nothing. May be called again. */
bool ebb__system_watch(void);
void ebb__system_unwatch(void);

/* A call of malloc or its kin, on this thread. May come at any time, a signal's handler's too. */
void ebb__system_event(size_t size, const void *site);

/* A number of bytes for a person: "1.2 KiB". */
enum { EBB__SIZE_TEXT = 16 };
void ebb__size_text(uint64_t bytes, char ret_text[EBB__SIZE_TEXT]);

/* ---- what is alive --------------------------------------------------------------------------- */

/* In the order of ebb_live_kind. */
enum {
    EBB__LIVE_ARENA,
    EBB__LIVE_SCOPE,
    EBB__LIVE_SHARED,
    EBB__LIVE_POOL,
    EBB__LIVE_CACHE,
    EBB__LIVE_NAMES,
    EBB__LIVE_PART /* an arena that is no thing of its own, but part of the one at `parent` */
};

typedef struct ebb__live_thing {
    int kind;
    const char *name; /* until the callback returns */
    const void *address;
    const void *parent; /* an address, which need not be alive any more; NULL: none */
    size_t held, used;  /* of an arena that is not exact: its first block's, and 0 */
    uint64_t count, out;
    bool exact; /* nobody can have changed it while it was looked at */
} ebb__live_thing;

/* Is told what there is, one by one, with locks held: it must not call Ebb, but for pages. */
typedef void ebb__live_put(void *ctx, const ebb__live_thing *thing);
typedef void ebb__live_lister(ebb__live_put *put, void *ctx);
typedef void ebb__live_put_block(void *ctx, const void *owner, size_t size, bool is_chunk);

/* Let `list` be asked for what is alive. By the layers above arenas, when they are first used; once
   for each, and for good. */
void ebb__live_source(ebb__live_lister *list);
/* All arenas: those that this thread is known to hold, `into`'s family first, exactly; then all,
   these once more, as they seem to be. */
void ebb__live_arenas(void *into, ebb__live_put *put, void *ctx);
/* What those have asked for who said so by ebb__live_source. */
void ebb__live_others(ebb__live_put *put, void *ctx);
/* The blocks of all arenas but for heads, with the arena that each belongs to: an address, which
   need not be alive. */
void ebb__live_blocks(ebb__live_put_block *put, void *ctx);

/* Report a misuse of a watcher as any other (ebb_on_misuse). */
void ebb__watcher_misuse(const char *function, const char *text);

/* ---- the process ----------------------------------------------------------------------------- */

/* Called once, when the process first uses Ebb, by the thread that does, with no lock held. */
void ebb__env_start(void);

#endif /* EBB_TRACK_SEAM_H */
