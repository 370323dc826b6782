/*
 * track/format_process.c: what a report tells of the process beside what a tracker has counted.
 */
#include "format.h"

void ebb__json_profiles(ebb__out *o)
{
    ebb__out_text(o, "[]");
}

void ebb__json_live(ebb__out *o)
{
    ebb__out_text(o, "{\"nodes\":[]}");
}

void ebb__text_profiles(ebb__out *o)
{
    (void)o;
}
