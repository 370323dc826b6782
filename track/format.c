/*
 * track/format.c: reports as documents, in an arena or a file.
 */
#include "format.h"

#include <string.h>
#include <time.h>

enum { TEXT_SITES = 20 };

const char *ebb__kind_name(const ebb_report *r, const ebb_site *s)
{
    const char *name = s->kind < r->kind_count ? r->kind[s->kind].name : NULL;
    return name ? name : "?";
}

uint64_t ebb__unix_ns(void)
{
    struct timespec now = {0, 0};
    timespec_get(&now, TIME_UTC);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool ebb__format(ebb__out *o, const ebb_report *r, ebb_format format)
{
    switch (format) {
    case EBB_FORMAT_TEXT: ebb__report_put(o, r, TEXT_SITES); return true;
    case EBB_FORMAT_JSON: ebb__format_json(o, r); return true;
    case EBB_FORMAT_HTML: ebb__format_html(o, r); return true;
    case EBB_FORMAT_PPROF: ebb__format_pprof(o, r); return true;
    case EBB_FORMAT_FOLDED: ebb__format_folded(o, r); return true;
    case EBB_FORMAT_OPENMETRICS: break;
    }
    return false;
}

ebb_str ebb_report_format(const ebb_report *r, ebb_format format, ebb_arena *into,
                          ebb_status *ret_why)
{
    ebb__out o = {NULL, 0, 0, false};
    ebb_str none = {NULL, 0};
    if (!ebb__format(&o, r, format)) {
        if (ret_why) *ret_why = EBB_E_UNSUPPORTED;
        return none;
    }
    ebb_str all = ebb__out_finish(&o, into);
    if (!all.ptr && ret_why) *ret_why = EBB_E_MEMORY;
    return all;
}

ebb_status ebb_report_save(const ebb_report *r, ebb_format format, const char *path)
{
    ebb__out o = {NULL, 0, 0, false};
    if (!ebb__format(&o, r, format)) return EBB_E_UNSUPPORTED;
    return ebb__out_save(&o, path);
}
