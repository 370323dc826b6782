/*
 * track/html.c: a report as a page that needs nothing else. The page is the same for all reports,
 * and draws itself from the one JSON document in it. Its policy, near its top, allows the scripts
 * it carries, by their hashes, and nothing else: no network, no script that a name smuggles in.
 */
#include "html.h"

#include "format.h"
#include "out.h"

/* The live page asks its own server, and no other. */
static const char live_policy[] = "; connect-src 'self'";
/* In place of a report: where to ask for one, relative to the page, and how often. */
static const char live_source[] = "{\"ebb\":1,\"poll\":\"?format=json\",\"every_ms\":2000}";

void ebb__format_html(ebb__out *o, const ebb_report *r)
{
    ebb__out_bytes(o, ebb__page_policy, ebb__page_policy_size);
    ebb__out_bytes(o, ebb__page_body, ebb__page_body_size);
    ebb__format_json(o, r);
    ebb__out_bytes(o, ebb__page_tail, ebb__page_tail_size);
}

void ebb__format_live_html(ebb__out *o)
{
    ebb__out_bytes(o, ebb__page_policy, ebb__page_policy_size);
    ebb__out_text(o, live_policy);
    ebb__out_bytes(o, ebb__page_body, ebb__page_body_size);
    ebb__out_text(o, live_source);
    ebb__out_bytes(o, ebb__page_tail, ebb__page_tail_size);
}
