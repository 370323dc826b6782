/*
 * track/html.c: a report as one page that needs no network. The report's JSON is in it as it is: it
 * has no '<', so nothing in it ends the script that holds it.
 */
#include "format.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Ebb</title></head>\n"
    "<body>\n<script type=\"application/json\" id=\"report\">";
static const char tail[] = "</script>\n</body>\n</html>\n";

void ebb__format_html(ebb__out *o, const ebb_report *r)
{
    ebb__out_text(o, head);
    ebb__format_json(o, r);
    ebb__out_text(o, tail);
}
