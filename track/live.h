/*
 * track/live.h: what live.c has found, and live_format.c and profiles.c write.
 */
#ifndef EBB_TRACK_LIVE_H
#define EBB_TRACK_LIVE_H

#include "out.h"

#include <ebb/live.h>

/* As ebb_live_look, in pages; NULL: there is no memory. `into` may be NULL. */
ebb_live *ebb__live_find(ebb_arena *into);
void ebb__live_free(ebb_live *l);

/* Put indices into ascending order, in place; `before` tells two apart that are not the same. */
typedef bool ebb__before_fn(const void *ctx, size_t x, size_t y);
void ebb__sort_indices(size_t *index, size_t count, ebb__before_fn *before, const void *ctx);

/* A name as a person may see it, and a terminal, and as no other name is written: a backslash is
   before backslashes and quotes; what is no UTF-8, and characters that control or turn the text,
   are \xNN by the byte. */
void ebb__out_name(ebb__out *o, const char *name, size_t most);

const char *ebb__live_kind_name(ebb_live_kind kind);

/* The families of metrics that profiles have; no end. */
void ebb__metrics_profiles(ebb__out *o);
/* HELP and TYPE of a family; `unit` may be NULL. */
void ebb__metric_begin(ebb__out *o, const char *name, const char *type, const char *unit,
                       const char *help);
/* The value of a label, with its quotes. */
void ebb__metric_label(ebb__out *o, const char *name, size_t most);

#endif /* EBB_TRACK_LIVE_H */
