/*
 * track/format.h: what a report is as a document, one writer for each format. All of them write to
 * pages (out.h), so that a document is whole before anybody gets it; what fails is noted there.
 */
#ifndef EBB_TRACK_FORMAT_H
#define EBB_TRACK_FORMAT_H

#include "out.h"
#include "tracker.h"

/* A report of what profiles have learned alone, without a tracker: EBB_TRACK=scopes. */
#define EBB__LEVEL_SCOPES ((ebb_track_level)(EBB_TRACK_FULL + 1))

/* As text, with the first @most sites; report.c. */
void ebb__report_put(ebb__out *o, const ebb_report *r, size_t most);
void ebb__format_json(ebb__out *o, const ebb_report *r);
void ebb__format_html(ebb__out *o, const ebb_report *r);
void ebb__format_live_html(ebb__out *o); /* it asks for the figures by itself */
void ebb__format_pprof(ebb__out *o, const ebb_report *r);
void ebb__format_folded(ebb__out *o, const ebb_report *r);
/* All of them by name, and the text. False: `format` is none of a report's. */
bool ebb__format(ebb__out *o, const ebb_report *r, ebb_format format);

/* What of the process is in its reports: a JSON array of what profiles have learned, a JSON object
   of what is alive, and the former for a person, a line each. */
void ebb__json_profiles(ebb__out *o);
void ebb__json_live(ebb__out *o);
void ebb__text_profiles(ebb__out *o);

/* The name of a site's kind; "?": it has none. */
const char *ebb__kind_name(const ebb_report *r, const ebb_site *s);
/* Nanoseconds since 1970. */
uint64_t ebb__unix_ns(void);

#endif /* EBB_TRACK_FORMAT_H */
