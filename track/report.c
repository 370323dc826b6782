/*
 * track/report.c: what trackers have seen, as values and as text. Everything is in the arena that
 * the caller names, by ebb_alloc_optional: a report that can't be had is no failure of that
 * arena's.
 */
#include "format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- sites ----------------------------------------------------------------------------------- */

/* What tells one from another. Stacks are the same if they lie at one place, but for those of one
   address, which are the report's own. */
static int by_place(const void *a, const void *b)
{
    const ebb_site *x = a, *y = b;
    if (x->address != y->address) return x->address > y->address ? 1 : -1;
    if (x->kind != y->kind) return x->kind > y->kind ? 1 : -1;
    if (x->depth != y->depth) return x->depth > y->depth ? 1 : -1;
    return x->depth > 1 ? (x->stack > y->stack) - (x->stack < y->stack) : 0;
}

static int by_bytes(const void *a, const void *b)
{
    const ebb_site *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return by_place(a, b);
}

static int by_count(const void *a, const void *b)
{
    const ebb_site *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return by_place(a, b);
}

static int by_live_bytes(const void *a, const void *b)
{
    const ebb_site *x = a, *y = b;
    if (x->live_bytes != y->live_bytes) return x->live_bytes < y->live_bytes ? 1 : -1;
    return by_place(a, b);
}

static void sort(ebb_site *site, size_t count, int (*by)(const void *, const void *))
{
    if (count > 1) qsort(site, count, sizeof *site, by);
}

void ebb_report_sort(ebb_report *r, ebb_site_order order)
{
    sort(r->site, r->site_count,
         order == EBB_BY_COUNT        ? by_count
         : order == EBB_BY_LIVE_BYTES ? by_live_bytes
                                      : by_bytes);
}

/* *to += times * what, modulo 2^64: -1 is UINT64_MAX. */
static void site_add(ebb_site *to, const ebb_site *what, uint64_t times)
{
    to->count += times * what->count;
    to->bytes += times * what->bytes;
    to->growths += times * what->growths;
    to->samples += times * what->samples;
    to->live_count += times * what->live_count;
    to->live_bytes += times * what->live_bytes;
    to->lived_ns += times * what->lived_ns;
}

/* Add up those of one place. Return how many are left, by place. */
static size_t merge(ebb_site *site, size_t count)
{
    size_t n = 0;
    sort(site, count, by_place);
    for (size_t i = 0; i < count; i++) {
        if (n && by_place(&site[n - 1], &site[i]) == 0) site_add(&site[n - 1], &site[i], 1);
        else site[n++] = site[i];
    }
    return n;
}

/* ---- reports --------------------------------------------------------------------------------- */

/* With room for so much, all of it in one piece; nothing is in it yet. */
static ebb_report *report_new(ebb_arena *into, size_t sites, size_t kinds, size_t moments)
{
    size_t size = sizeof(ebb_report) + sites * (sizeof(ebb_site) + sizeof(void *)) +
                  kinds * sizeof(ebb_report_kind) + moments * sizeof(ebb_report_moment);
    ebb_report *r = ebb_alloc_optional(into, size);
    if (!r) return NULL;
    memset(r, 0, size);
    r->site = (ebb_site *)(void *)(r + 1);
    r->kind = (ebb_report_kind *)(void *)(r->site + sites);
    r->moment = (ebb_report_moment *)(void *)(r->kind + kinds);
    return r;
}

/* Behind all else: the stacks of sites that are known by one address. */
static const void **addresses_of(ebb_report *r, size_t moments)
{
    return (const void **)(void *)(r->moment + moments);
}

static void give_stacks(ebb_report *r, const void **address)
{
    for (size_t i = 0; i < r->site_count; i++) {
        ebb_site *s = &r->site[i];
        if (s->depth > 1) continue;
        address[i] = s->address;
        s->stack = &address[i];
    }
}

static size_t kinds_found(const ebb__found *f)
{
    size_t n = 0;
    for (unsigned i = 0; i < EBB__KINDS; i++) n += f->kind[i].name != NULL;
    return n;
}

/* Those that there are, one behind the other; *ret_index: where each has come. */
static void copy_kinds(ebb_report *r, const ebb__found *f, uint32_t *ret_index)
{
    for (unsigned i = 0; i < EBB__KINDS; i++) {
        ret_index[i] = (uint32_t)r->kind_count;
        if (!f->kind[i].name) continue;
        r->kind[r->kind_count] = f->kind[i];
        r->kind[r->kind_count++].ebb__id = i;
    }
}

static void fill(ebb_report *r, const ebb__found *f)
{
    uint32_t index[EBB__KINDS];
    copy_kinds(r, f, index);
    for (size_t i = 0; i < f->count; i++) {
        r->site[i] = f->site[i].site;
        r->site[i].kind = index[f->site[i].kind];
    }
    r->totals = f->totals;
    r->moment_count = f->moments;
    r->moment_ns = f->moment_ms * 1000000;
    memcpy(r->moment, f->moment, f->moments * sizeof *f->moment);
    r->site_count = merge(r->site, f->count);
    give_stacks(r, addresses_of(r, f->moments));
    ebb_report_sort(r, EBB_BY_BYTES);
}

ebb_report *ebb_tracker_report(ebb_tracker *t, ebb_arena *into)
{
    ebb__found f;
    if (!t || !ebb__tracker_find(t, &f)) return NULL;
    ebb_report *r = report_new(into, f.count, kinds_found(&f), f.moments);
    if (r) {
        r->name = t->name;
        r->level = t->level;
        r->sample_bytes = t->watcher.every;
        r->duration_ns = ebb__clock_exact_ns() - t->began_ns;
        fill(r, &f);
    }
    ebb__found_free(&f);
    return r;
}

/* ---- differences ----------------------------------------------------------------------------- */

/* What lives is the later's. */
static void subtract(ebb_totals *t, const ebb_totals *less)
{
    t->count -= less->count;
    t->bytes -= less->bytes;
    t->begins -= less->begins;
    t->dropped -= less->dropped;
    t->system_count -= less->system_count;
    t->system_bytes -= less->system_bytes;
    t->samples -= less->samples;
    for (int i = 0; i < EBB_TRACK_CLASSES; i++) t->by_class[i] -= less->by_class[i];
}

static void subtract_kind(ebb_report_kind *k, const ebb_report_kind *less)
{
    k->count -= less->count;
    k->bytes -= less->bytes;
    k->begins -= less->begins;
    k->padding -= less->padding;
    for (int i = 0; i < EBB_TRACK_CLASSES; i++) k->by_class[i] -= less->by_class[i];
}

/* Where the earlier's kind is in the later's; kind_count: it is not. */
static uint32_t kind_in(const ebb_report *later, const ebb_report_kind *k)
{
    uint32_t i = 0;
    while (i < later->kind_count && later->kind[i].ebb__id != k->ebb__id) i++;
    return i;
}

/* As far as the sums can tell: none of a tracker's ever falls. */
static bool may_be_earlier(const ebb_report *r, const ebb_report *later)
{
    if (r->level != later->level || r->sample_bytes != later->sample_bytes) return false;
    if (r->duration_ns > later->duration_ns) return false;
    for (size_t i = 0; i < r->kind_count; i++) {
        const ebb_report_kind *k = &r->kind[i];
        uint32_t at = kind_in(later, k);
        if (at == later->kind_count || k->count > later->kind[at].count ||
            k->begins > later->kind[at].begins)
            return false;
    }
    return true;
}

/* And as far as the sites can, once the earlier's counts are taken from them. */
static bool is_below_zero(const ebb_site *site, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (site[i].count > INT64_MAX) return true;
    return false;
}

static ebb_report *report_no_earlier(void)
{
    ebb__watcher_misuse("ebb_report_diff",
                        "what is taken away is no earlier report of the same tracker; the later "
                        "one comes first");
    return NULL;
}

/* As if added: a site that is in both has the earlier's counts taken from it, modulo 2^64. */
static size_t put_both(ebb_report *to, const ebb_report *later, const ebb_report *earlier)
{
    size_t n = later->site_count;
    if (n) memcpy(to->site, later->site, n * sizeof *to->site);
    for (size_t i = 0; i < earlier->site_count; i++) {
        const ebb_site *s = &earlier->site[i];
        ebb_site less = {.address = s->address, .stack = s->stack, .depth = s->depth};
        less.kind = kind_in(later, &earlier->kind[s->kind]);
        site_add(&less, s, UINT64_MAX);
        less.live_count = less.live_bytes = 0;
        to->site[n++] = less;
    }
    return merge(to->site, n);
}

ebb_report *ebb_report_diff(const ebb_report *later, const ebb_report *earlier, ebb_arena *into)
{
    size_t most = later->site_count + earlier->site_count, moments = later->moment_count;
    if (!may_be_earlier(earlier, later)) return report_no_earlier();
    ebb_report *r = report_new(into, most, later->kind_count, moments);
    if (!r) return NULL;
    const ebb_report shape = *r;
    *r = *later;
    r->site = shape.site;
    r->kind = shape.kind;
    r->moment = shape.moment;
    r->site_count = 0;
    memcpy(r->kind, later->kind, later->kind_count * sizeof *r->kind);
    memcpy(r->moment, later->moment, moments * sizeof *r->moment);
    subtract(&r->totals, &earlier->totals);
    for (size_t i = 0; i < earlier->kind_count; i++)
        subtract_kind(&r->kind[kind_in(later, &earlier->kind[i])], &earlier->kind[i]);
    size_t n = put_both(r, later, earlier);
    if (is_below_zero(r->site, n)) return report_no_earlier();
    for (size_t i = 0; i < n; i++)
        if (r->site[i].count) r->site[r->site_count++] = r->site[i];
    give_stacks(r, addresses_of(r, moments));
    ebb_report_sort(r, EBB_BY_BYTES);
    return r;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* What would steer a terminal is not passed on. */
static void put(ebb__out *o, const char *text)
{
    const char *end = text + strlen(text);
    while (text < end) {
        uint32_t c = ebb__utf8_next(&text, end);
        ebb__out_char(o, ebb__char_steers(c) ? '?' : c);
    }
}

static void put_line_end(ebb__out *o)
{
    ebb__out_text(o, "\n");
}

static void put_number(ebb__out *o, unsigned long long n, int width)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%*llu", width, n);
    put(o, digits);
}

static void put_frame(ebb__out *o, const ebb__frame *f)
{
    put(o, f->function ? f->function : "?");
    if (!f->file) return;
    put(o, " (");
    put(o, ebb__file_name(f->file));
    put(o, ":");
    put_number(o, (unsigned long long)f->line, 0);
    put(o, ")");
}

static void put_place(ebb__out *o, const void *address)
{
    enum { FRAMES = 8 };
    ebb__frame frame[FRAMES];
    int n = ebb__symbol_frames(address, frame, FRAMES), first = 0;
    while (first + 1 < n && ebb__frame_is_ours(&frame[first])) first++;
    for (int i = first; i < n; i++) {
        if (i > first) put(o, ", in ");
        put_frame(o, &frame[i]);
    }
    if (n > 0) return;
    char text[32];
    snprintf(text, sizeof text, "%p", address);
    put(o, text);
}

/* The call, what that was called from, and for arenas of which kind, if there are several. */
static void put_site(ebb__out *o, const ebb_report *r, const ebb_site *s)
{
    enum { CALLERS = 3 };
    put_place(o, s->address);
    for (uint32_t i = 1; i < s->depth && i <= CALLERS; i++) {
        put(o, " < ");
        put_place(o, s->stack[i]);
    }
    if (r->kind_count < 2) return;
    put(o, " [");
    put(o, r->kind[s->kind].name);
    put(o, "]");
}

static void put_head(ebb__out *o, const ebb_report *r)
{
    put(o, r->name);
    put(o, ": ");
    put_number(o, r->totals.count, 0);
    put(o, " allocations, ");
    put_number(o, r->totals.bytes, 0);
    put(o, " bytes, ");
    put_number(o, r->totals.begins, 0);
    put(o, " scopes");
    if (r->totals.system_count) {
        put(o, "; malloc: ");
        put_number(o, r->totals.system_count, 0);
        put(o, " calls, ");
        put_number(o, r->totals.system_bytes, 0);
        put(o, " bytes");
    }
    if (r->level == EBB_TRACK_SAMPLE) {
        put(o, "; estimates from ");
        put_number(o, r->totals.samples, 0);
        put(o, " samples");
    }
    if (r->level == EBB_TRACK_FULL) {
        put(o, "; alive: ");
        put_number(o, r->totals.live_count, 0);
        put(o, " allocations, ");
        put_number(o, r->totals.live_bytes, 0);
        put(o, " bytes");
    }
    if (r->totals.dropped) {
        put(o, "; of ");
        put_number(o, r->totals.dropped, 0);
        put(o, " it is not known where");
    }
    put_line_end(o);
}

void ebb__report_put(ebb__out *o, const ebb_report *r, size_t most)
{
    enum { WIDTH = 12 };
    put_head(o, r);
    for (size_t i = 0; i < r->site_count && i < most; i++) {
        put_number(o, r->site[i].count, WIDTH);
        put_number(o, r->site[i].bytes, WIDTH);
        put(o, "  ");
        put_site(o, r, &r->site[i]);
        put_line_end(o);
    }
    if (r->site_count <= most) return;
    put_number(o, r->site_count - most, WIDTH);
    put(o, " more places");
    put_line_end(o);
}

ebb_str ebb_report_text(const ebb_report *r, size_t most, ebb_arena *into)
{
    ebb__out o = {NULL, 0, 0, false};
    ebb__report_put(&o, r, most);
    ebb_str text = ebb__out_finish(&o, into);
    return text.ptr ? text : (ebb_str){"", 0};
}

/* ---- allowances ------------------------------------------------------------------------------ */

const char *ebb_tracker_over(ebb_tracker *t, const ebb_allowance *most, ebb_arena *into)
{
    enum { SHOWN = 20 };
    ebb_totals now;
    if (!t) return "there is no tracker: it could not begin, so nothing was counted";
    ebb_tracker_get_totals(t, &now);
    bool over = now.count > most->count || (most->bytes && now.bytes > most->bytes) ||
                now.system_count > most->system_count;
    if (!over) return NULL;
    ebb_report *r = ebb_tracker_report(t, into);
    ebb_str text = {"", 0};
    if (r) text = ebb_report_text(r, SHOWN, into);
    return text.len ? text.ptr : "more than is allowed; and there is no memory to say where";
}
