/*
 * track/format_json.c: a report as JSON, all there is of it. The keys are described in
 * docs/guide/13-tracking.md; "ebb" is the version, which changes if what a key means does.
 *
 * Code addresses are not repeated: "frames" has each frame once, and the stacks of sites are
 * indexes into it.
 */
#include "format.h"
#include "frames.h"
#include "seam_process.h"

#include <string.h>

enum { VERSION = 1 };

typedef unsigned long long number;

/* ---- keys ------------------------------------------------------------------------------------ */

/* A key of ours needs no escape. A comma is before it, but after a bracket. */
static void put_key(ebb__out *o, const char *key)
{
    char last = o->len ? o->ptr[o->len - 1] : '{';
    ebb__out_printf(o, "%s\"%s\":", last == '{' || last == '[' ? "" : ",", key);
}

static void put_number(ebb__out *o, const char *key, number n)
{
    put_key(o, key);
    ebb__out_number(o, n);
}

static void put_text(ebb__out *o, const char *key, const char *text)
{
    put_key(o, key);
    if (text) ebb__out_json(o, text, strlen(text));
    else ebb__out_text(o, "null");
}

/* Before each item of an array but the first. */
static void put_comma(ebb__out *o, size_t i)
{
    if (i) ebb__out_text(o, ",");
}

/* ---- parts ----------------------------------------------------------------------------------- */

static const char *level_name(ebb_track_level level)
{
    switch (level) {
    case EBB_TRACK_SITES: return "sites";
    case EBB_TRACK_SAMPLE: return "sample";
    case EBB_TRACK_FULL: return "full";
    }
    return "scopes";
}

static void put_head(ebb__out *o, const ebb_report *r)
{
    const uint64_t ns_per_ms = 1000000;
    put_number(o, "ebb", VERSION);
    put_text(o, "name", r->name ? r->name : "?");
    put_text(o, "level", level_name(r->level));
    put_number(o, "sample_bytes", r->sample_bytes);
    put_number(o, "written_ms", ebb__unix_ns() / ns_per_ms);
    put_number(o, "duration_ns", r->duration_ns);
    put_text(o, "program", ebb__process_name());
    put_number(o, "pid", ebb__process_number());
}

static void put_totals(ebb__out *o, const ebb_totals *t)
{
    put_key(o, "totals");
    ebb__out_text(o, "{");
    put_number(o, "count", t->count);
    put_number(o, "bytes", t->bytes);
    put_number(o, "begins", t->begins);
    put_number(o, "dropped", t->dropped);
    put_number(o, "system_count", t->system_count);
    put_number(o, "system_bytes", t->system_bytes);
    put_number(o, "samples", t->samples);
    put_number(o, "live_count", t->live_count);
    put_number(o, "live_bytes", t->live_bytes);
    ebb__out_text(o, "}");
}

/* The largest size of each class; the last has none. */
static void put_classes(ebb__out *o)
{
    put_key(o, "classes");
    ebb__out_text(o, "[0");
    for (int i = 1; i < EBB_TRACK_CLASSES - 1; i++) ebb__out_printf(o, ",%llu", 1ull << (i - 1));
    ebb__out_text(o, ",null]");
}

static void put_kind(ebb__out *o, const ebb_report_kind *k)
{
    ebb__out_text(o, "{");
    put_text(o, "name", k->name ? k->name : "?");
    put_key(o, "system");
    ebb__out_text(o, k->is_system ? "true" : "false");
    put_number(o, "count", k->count);
    put_number(o, "bytes", k->bytes);
    put_number(o, "begins", k->begins);
    put_number(o, "padding", k->padding);
    put_key(o, "by_class");
    ebb__out_text(o, "[");
    for (int i = 0; i < EBB_TRACK_CLASSES; i++) {
        put_comma(o, (size_t)i);
        ebb__out_number(o, k->by_class[i]);
    }
    ebb__out_text(o, "]}");
}

static void put_kinds(ebb__out *o, const ebb_report *r)
{
    put_key(o, "kinds");
    ebb__out_text(o, "[");
    for (size_t i = 0; i < r->kind_count; i++) {
        put_comma(o, i);
        put_kind(o, &r->kind[i]);
    }
    ebb__out_text(o, "]");
}

/* ---- frames and sites ------------------------------------------------------------------------ */

static void put_frames(ebb__out *o, const ebb__frames *f)
{
    put_key(o, "frames");
    ebb__out_text(o, "[");
    for (uint32_t i = 0; i < f->count; i++) {
        put_comma(o, i);
        const ebb__named *n = &f->frame[i];
        ebb__out_text(o, "{");
        put_text(o, "function", n->frame.function);
        put_text(o, "file", n->frame.file);
        put_number(o, "line", n->frame.line > 0 ? (number)n->frame.line : 0);
        put_key(o, "address");
        ebb__out_printf(o, "\"0x%llx\"}", (number)(uintptr_t)n->address);
    }
    ebb__out_text(o, "]");
}

static void put_stack(ebb__out *o, const ebb__frames *f, const ebb_site *s)
{
    uint32_t depth, shown = 0;
    const void *const *stack = ebb__site_stack(s, &depth);
    put_key(o, "stack");
    ebb__out_text(o, "[");
    for (uint32_t i = 0; i < depth; i++) {
        const ebb__place *p = ebb__frames_find(f, stack[i]);
        for (uint32_t k = 0; p && k < p->count; k++) {
            put_comma(o, shown++);
            ebb__out_number(o, p->first + k);
        }
    }
    ebb__out_text(o, "]");
}

static void put_site(ebb__out *o, const ebb__frames *f, const ebb_site *s)
{
    ebb__out_text(o, "{");
    put_number(o, "kind", s->kind);
    put_stack(o, f, s);
    put_number(o, "count", s->count);
    put_number(o, "bytes", s->bytes);
    put_number(o, "growths", s->growths);
    put_number(o, "samples", s->samples);
    put_number(o, "live_count", s->live_count);
    put_number(o, "live_bytes", s->live_bytes);
    put_number(o, "lived_ns", s->lived_ns);
    ebb__out_text(o, "}");
}

static void put_sites(ebb__out *o, const ebb_report *r)
{
    ebb__frames f;
    ebb__frames_init(&f, r);
    if (f.failed) o->failed = true;
    put_frames(o, &f);
    put_key(o, "sites");
    ebb__out_text(o, "[");
    for (size_t i = 0; i < r->site_count; i++) {
        put_comma(o, i);
        put_site(o, &f, &r->site[i]);
    }
    ebb__out_text(o, "]");
    ebb__frames_free(&f);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void put_moments(ebb__out *o, const char *key, const ebb_report *r, size_t field)
{
    put_key(o, key);
    ebb__out_text(o, "[");
    for (size_t i = 0; i < r->moment_count; i++) {
        uint64_t n;
        memcpy(&n, (const char *)&r->moment[i] + field, sizeof n);
        put_comma(o, i);
        ebb__out_number(o, n);
    }
    ebb__out_text(o, "]");
}

static void put_timeline(ebb__out *o, const ebb_report *r)
{
    put_key(o, "timeline");
    ebb__out_text(o, "{");
    put_number(o, "width_ns", r->moment_ns);
    put_moments(o, "count", r, offsetof(ebb_report_moment, count));
    put_moments(o, "bytes", r, offsetof(ebb_report_moment, bytes));
    put_moments(o, "begins", r, offsetof(ebb_report_moment, begins));
    ebb__out_text(o, "}");
}

void ebb__format_json(ebb__out *o, const ebb_report *r)
{
    ebb__out_text(o, "{");
    put_head(o, r);
    put_totals(o, &r->totals);
    put_classes(o);
    put_kinds(o, r);
    put_sites(o, r);
    put_timeline(o, r);
    put_key(o, "profiles");
    ebb__json_profiles(o);
    put_key(o, "live");
    ebb__json_live(o);
    ebb__out_text(o, "}\n");
}
