/* track/format.h: reports as documents. */
#ifndef EBB_TRACK_FORMAT_H
#define EBB_TRACK_FORMAT_H

#include <ebb/track.h>

#include "out.h"

void ebb__format_json(ebb__out *o, const ebb_report *r);
void ebb__format_html(ebb__out *o, const ebb_report *r);
void ebb__format_live_html(ebb__out *o); /* asks for its JSON again and again */

#endif /* EBB_TRACK_FORMAT_H */
