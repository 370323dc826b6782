/*
 * track/tracker.h: what trackers and their reports share.
 */
#ifndef EBB_TRACK_TRACKER_H
#define EBB_TRACK_TRACKER_H

#include "seam.h"

#include <ebb/track.h>

ebb__watcher ebb__watcher_for(ebb_watch whom, bool (*on_event)(ebb__watcher *, const ebb__event *));

const char *ebb__tracker_name(const ebb_tracker *t);

/* Everything at one moment; the sites are each thread's, in no order, and may be there several
   times. They lie in pages of their own, which go by ebb__found_free. False: no memory. */
typedef struct ebb__found {
    ebb_totals totals;
    size_t count, pages; /* bytes of those */
    ebb_site *site;
} ebb__found;
bool ebb__tracker_find(ebb_tracker *t, ebb__found *ret_found);
void ebb__found_free(ebb__found *f);

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
