/*
 * track/tracker.c: trackers: what they watch, and how closely. For how it is counted, see ledger.c;
 * for whom reports are made, report.c.
 */
#include "tracker.h"

#include <stdlib.h>

enum { SAMPLE_BYTES = 512 << 10 };

static unsigned of_system; /* trackers that hear of malloc; under the watchers' lock */

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
    if (t->level == EBB_TRACK_SITES) t->watcher.on_alloc = ebb__ledger_alloc;
    t->watcher.on_life = ebb__ledger_life;
    t->watcher.system = p->system;
    t->serial = ebb__ledger_serial();
    t->began_ns = ebb__clock_exact_ns();
    t->began_ms = ebb__clock_coarse_ms();
}

/* malloc is watched while there is a tracker that wants it. False: it can't be. */
static bool system_begin(void)
{
    ebb__watchers_lock();
    bool ok = of_system > 0 || ebb__system_watch();
    if (ok) of_system++;
    ebb__watchers_unlock();
    return ok;
}

static void system_end(void)
{
    ebb__watchers_lock();
    if (--of_system == 0) ebb__system_unwatch();
    ebb__watchers_unlock();
}

ebb_tracker *ebb_tracker_begin(const char *name, ebb_watch whom, const ebb_tracker_params *how,
                               ebb_status *ret_why)
{
    static const ebb_tracker_params defaults = EBB_TRACKER_PARAMS_INIT;
    const ebb_tracker_params *p = how ? how : &defaults;
    if (p->level < EBB_TRACK_SITES || p->level > EBB_TRACK_FULL)
        return nothing(ret_why, EBB_E_INVALID);
    ebb_tracker *t = calloc(1, sizeof *t);
    if (!t) return nothing(ret_why, EBB_E_MEMORY);
    if (p->system && !system_begin()) {
        free(t);
        return nothing(ret_why, EBB_E_UNSUPPORTED);
    }
    t->watcher = ebb__watcher_for(whom, ebb__ledger_event);
    prepare(t, name, p);
    if (ebb__watcher_add(&t->watcher)) return t;
    if (p->system) system_end();
    free(t);
    return nothing(ret_why, EBB_E_EXHAUSTED);
}

void ebb_tracker_end(ebb_tracker **handle)
{
    ebb_tracker *t = *handle;
    *handle = NULL;
    if (!t) return;
    if (t == ebb_tracker_of_process()) {
        ebb__watcher_misuse(
            "ebb_tracker_end",
            "this tracker is the process's, which EBB_TRACK or EBB_REPORT has begun: "
            "its report is made at the exit; end those that you begin");
        return;
    }
    ebb__watcher_remove(&t->watcher);
    if (t->watcher.system) system_end();
    ebb__ledgers_leave(t);
    free(t);
}
