/*
 * track/tracker.c: trackers: what they watch, and how closely. For how it is counted, see ledger.c;
 * for whom reports are made, report.c.
 */
#include "tracker.h"

#include <stdlib.h>

enum { SAMPLE_BYTES = 512 << 10 };

static ebb_tracker *nothing(ebb_status *ret_why, ebb_status why)
{
    if (ret_why) *ret_why = why;
    return NULL;
}

ebb__watcher ebb__watcher_for(ebb_watch whom, bool (*on_event)(ebb__watcher *, ebb__event *))
{
    ebb__watcher w = {.on_event = on_event,
                      .arena = whom.arena,
                      .profile = whom.profile,
                      .this_thread = whom.this_thread};
    return w;
}

static void prepare(ebb_tracker *t, const char *name, const ebb_tracker_params *p)
{
    t->name = name ? name : "?";
    t->level = p->level;
    if (p->level == EBB_TRACK_SAMPLE)
        t->watcher.every = p->sample_bytes ? p->sample_bytes : SAMPLE_BYTES;
    t->watcher.on_life = ebb__ledger_life;
    t->watcher.system = p->system;
    t->serial = ebb__ledger_serial();
    t->began_ns = ebb__clock_exact_ns();
    t->began_ms = ebb__clock_coarse_ms();
}

ebb_tracker *ebb_tracker_begin(const char *name, ebb_watch whom, const ebb_tracker_params *how,
                               ebb_status *ret_why)
{
    static const ebb_tracker_params defaults = EBB_TRACKER_PARAMS_INIT;
    const ebb_tracker_params *p = how ? how : &defaults;
    if (p->level < EBB_TRACK_SITES || p->level > EBB_TRACK_FULL)
        return nothing(ret_why, EBB_E_INVALID);
    if (p->system && !ebb__system_watch()) return nothing(ret_why, EBB_E_UNSUPPORTED);
    ebb_tracker *t = calloc(1, sizeof *t);
    if (!t) return nothing(ret_why, EBB_E_MEMORY);
    t->watcher = ebb__watcher_for(whom, ebb__ledger_event);
    prepare(t, name, p);
    if (ebb__watcher_add(&t->watcher)) return t;
    free(t);
    return nothing(ret_why, EBB_E_EXHAUSTED);
}

void ebb_tracker_end(ebb_tracker **handle)
{
    ebb_tracker *t = *handle;
    *handle = NULL;
    if (!t) return;
    ebb__watcher_remove(&t->watcher);
    ebb__ledgers_leave(t);
    free(t);
}
