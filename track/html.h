/*
 * track/html.h: the report's page, as tools/embed makes it from track/html/. Three pieces: up to
 * the end of its policy, from there up to where the JSON goes, and what follows that.
 */
#ifndef EBB_TRACK_HTML_H
#define EBB_TRACK_HTML_H

#include <stddef.h>

extern const size_t ebb__page_policy_size, ebb__page_body_size, ebb__page_tail_size;
extern const unsigned char ebb__page_policy[], ebb__page_body[], ebb__page_tail[];

#endif /* EBB_TRACK_HTML_H */
