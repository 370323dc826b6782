/*
 * track/seam.h: how a watcher hears of allocations. Includes nothing of ours, so that it may stand
 * below the arenas it watches.
 *
 * A watcher is asked on the slow path of arenas whose window is closed (arena/window.c). Its
 * callback must not allocate from an arena, nor begin or end one, nor add or remove a watcher; it
 * may be called from many threads at once, and from a signal's handler inside itself.
 */
#ifndef EBB_TRACK_SEAM_H
#define EBB_TRACK_SEAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EBB__WATCHERS_MAX = 16 };

/* What a watcher hears of. */
enum {
    EBB__EVENT_ALLOC, /* an allocation of `size` bytes, or a growth to that size */
    EBB__EVENT_BEGIN  /* an arena is about to get its first block */
};

typedef struct ebb__event {
    int kind;
    size_t size;
    const void *site; /* the call, a code address */
} ebb__event;

typedef struct ebb__watcher ebb__watcher;
struct ebb__watcher {
    /* Return true to make the allocation fail as if there were no memory. */
    bool (*on_event)(ebb__watcher *w, const ebb__event *e);
    void *arena;      /* NULL: any */
    void *profile;    /* NULL: any */
    bool this_thread; /* the thread that adds it */
    void *thread;     /* the two below are filled in when it is added */
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

/* Zeroed pages from the system, for what must be had without malloc. NULL: no memory. */
void *ebb__pages_take(size_t size);
void ebb__pages_give(void *pages, size_t size);

/* Call fn on each thread that exits. Once for each fn, and for good. */
void ebb__at_thread_exit(void (*fn)(void));

/* A number of bytes for a person: "1.2 KiB". */
enum { EBB__SIZE_TEXT = 16 };
void ebb__size_text(uint64_t bytes, char ret_text[EBB__SIZE_TEXT]);

/* Report a misuse of a watcher as any other (ebb_on_misuse). */
void ebb__watcher_misuse(const char *function, const char *text);

#endif /* EBB_TRACK_SEAM_H */
