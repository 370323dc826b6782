/*
 * track/tracker.h: what trackers, their ledgers and their reports share.
 */
#ifndef EBB_TRACK_TRACKER_H
#define EBB_TRACK_TRACKER_H

#include "seam.h"

#include <ebb/track.h>

#include <stdatomic.h>

ebb__watcher ebb__watcher_for(ebb_watch whom, bool (*on_event)(ebb__watcher *, ebb__event *));

/* ---- ledger.c: a thread's counts ------------------------------------------------------------- */

enum {
    EBB__KINDS = 1025,   /* profiles' ids, and malloc's last */
    EBB__MOMENTS = 128,  /* of a timeline; each is */
    EBB__MOMENT_MS = 16, /* so long at first, and twice as long when they are used up */
    EBB__FRACTION = 256  /* a sample's estimates are counted in parts */
};

typedef struct ebb__kind_sums {
    _Atomic uint64_t bytes, begins, padding, by_class[EBB_TRACK_CLASSES];
} ebb__kind_sums;

typedef struct ebb__moment {
    _Atomic uint64_t count, bytes, begins;
} ebb__moment;

/* What a site's key says: what was called from where, in arenas of which kind. 0: none. */
static inline uint64_t ebb__key_of(const void *place, unsigned kind)
{
    return (uint64_t)(uintptr_t)place | (uint64_t)kind << 48;
}

/* One cache line. */
typedef struct ebb__cell {
    _Atomic uint64_t key, count, bytes, growths, samples;
    _Atomic uint64_t live_count, live_bytes; /* made and let go here; below 0 where others' go */
    _Atomic uint64_t lived_ns;
} ebb__cell;

typedef struct ebb__table {
    size_t size; /* bytes */
    uint32_t capacity, used, shift;
    _Alignas(64) ebb__cell cell[];
} ebb__table;

typedef struct ebb__ledger {
    struct ebb__ledger *next;        /* all there ever were */
    uint64_t serial;                 /* of its tracker; 0: none */
    uint64_t began_ms;               /* its tracker */
    bool taken;                      /* by a thread */
    bool busy;                       /* its thread is in the middle of it */
    ebb__table *table;               /* NULL: none yet. Changes under the lock, as the next does */
    ebb__kind_sums *kind;            /* EBB__KINDS of them */
    _Atomic uint32_t kinds;          /* one past the last that is not empty */
    _Atomic uint32_t moment_ms, now; /* how long each is, and which one is written to */
    ebb__moment all, noted;          /* so far, and of that what is in `moment` already */
    ebb__moment moment[EBB__MOMENTS];
    _Atomic uint64_t dropped;
} ebb__ledger;

struct ebb_tracker {
    ebb__watcher watcher; /* the first member */
    const char *name;
    uint64_t serial; /* no other tracker ever has it */
    uint64_t began_ns, began_ms;
    ebb_track_level level;
    struct {
        _Atomic uint64_t dropped, live_count, live_bytes;
        ebb__kind_sums sums, system;
    } rest; /* what no ledger could be had for, by locked additions */
};

extern ebb__ledger *ebb__ledgers; /* all, under the watchers' lock */
bool ebb__ledger_event(ebb__watcher *w, ebb__event *e);
/* The same of an allocation, for trackers of sites. */
void ebb__ledger_alloc(ebb__watcher *w, unsigned profile, size_t size, size_t padding,
                       const void *site);
void ebb__ledger_life(ebb__watcher *w, const ebb__life *l, uint64_t death);
uint64_t ebb__ledger_serial(void); /* a new tracker's */
void ebb__ledgers_leave(const ebb_tracker *t);

/* ---- sum.c: everything at one moment --------------------------------------------------------- */

/* The sites are each thread's, in no order, and may be there several times. All of it lies in
   pages, which go by ebb__found_free. */
typedef struct ebb__site_found {
    const void *place; /* by the tracker's level: an address, or a stack */
    unsigned kind;
    ebb_site site;
} ebb__site_found;

typedef struct ebb__found {
    ebb_totals totals;
    size_t count, size; /* of the sites; bytes of what they lie in */
    ebb__site_found *site;
    ebb_report_kind *kind; /* EBB__KINDS of them, named where there is anything */
    uint64_t moment_ms;
    size_t moments;
    ebb_report_moment moment[EBB__MOMENTS];
} ebb__found;

bool ebb__tracker_find(ebb_tracker *t, ebb__found *ret_found); /* false: no memory */
void ebb__found_free(ebb__found *f);

/* ---- symbols.c ------------------------------------------------------------------------------- */

/* One frame of a code address; from the innermost. */
typedef struct ebb__frame {
    const char *function, *file; /* either may be NULL: not known; static */
    int line;
} ebb__frame;

/* Fill up to @most of @ret_ with the frames that the call before @address is in: more than one
   where functions were inlined. Return how many; 0: nothing is known. */
int ebb__symbol_frames(const void *address, ebb__frame *ret_, int most);

/* Whether a frame is one of the library's own inline functions, of include/ebb: whoever asks what
   allocates means what called that. */
bool ebb__frame_is_ours(const ebb__frame *f);
/* A path's last part. */
const char *ebb__file_name(const char *path);

#endif /* EBB_TRACK_TRACKER_H */
