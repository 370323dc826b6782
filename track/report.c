/*
 * track/report.c: what trackers have seen, as values and as text. Everything is in the arena that
 * the caller names, by ebb_alloc_optional: a report that can't be had is no failure of that
 * arena's.
 */
#include "tracker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reports --------------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
    const ebb_site *x = a, *y = b;
    return (x->address > y->address) - (x->address < y->address);
}

static int by_bytes(const void *a, const void *b)
{
    const ebb_site *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return by_address(a, b);
}

static int by_count(const void *a, const void *b)
{
    const ebb_site *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return by_address(a, b);
}

static void sort(ebb_site *site, size_t count, int (*by)(const void *, const void *))
{
    if (count > 1) qsort(site, count, sizeof *site, by);
}

void ebb_report_sort(ebb_report *r, ebb_site_order order)
{
    sort(r->site, r->site_count, order == EBB_BY_COUNT ? by_count : by_bytes);
}

/* Add up those of one address. Return how many are left, by address. */
static size_t merge(ebb_site *site, size_t count)
{
    size_t n = 0;
    sort(site, count, by_address);
    for (size_t i = 0; i < count; i++) {
        if (n && site[n - 1].address == site[i].address) {
            site[n - 1].count += site[i].count;
            site[n - 1].bytes += site[i].bytes;
        } else {
            site[n++] = site[i];
        }
    }
    return n;
}

static ebb_report *report_new(ebb_arena *into, const char *name, size_t sites)
{
    size_t most = sizeof(ebb_report) + sites * sizeof(ebb_site) + sizeof(ebb_report_kind);
    ebb_report *r = ebb_alloc_optional(into, most);
    if (!r) return NULL;
    memset(r, 0, most);
    r->name = name;
    r->kind = (ebb_report_kind *)(void *)(r + 1);
    r->kind->name = "all";
    r->kind_count = 1;
    r->site = (ebb_site *)(void *)(r->kind + 1);
    return r;
}

ebb_report *ebb_tracker_report(ebb_tracker *t, ebb_arena *into)
{
    ebb__found f;
    if (!ebb__tracker_find(t, &f)) return NULL;
    size_t n = merge(f.site, f.count);
    ebb_report *r = report_new(into, ebb__tracker_name(t), n);
    if (r) {
        r->totals = f.totals;
        r->site_count = n;
        if (n) memcpy(r->site, f.site, n * sizeof *f.site);
        ebb_report_sort(r, EBB_BY_BYTES);
        for (size_t i = 0; i < n; i++) r->site[i].depth = 1;
        for (size_t i = 0; i < n; i++) r->site[i].stack = (const void *const *)&r->site[i].address;
    }
    ebb__found_free(&f);
    return r;
}

/* ---- differences ----------------------------------------------------------------------------- */

static void subtract(ebb_totals *t, const ebb_totals *less)
{
    t->count -= less->count;
    t->bytes -= less->bytes;
    t->begins -= less->begins;
    t->dropped -= less->dropped;
    for (int i = 0; i < EBB_TRACK_CLASSES; i++) t->by_class[i] -= less->by_class[i];
}

/* As if added: a site that is in both has the earlier's counts taken from it, modulo 2^64. */
static size_t put_both(ebb_site *to, const ebb_report *later, const ebb_report *earlier)
{
    size_t n = later->site_count;
    if (n) memcpy(to, later->site, n * sizeof *to);
    for (size_t i = 0; i < earlier->site_count; i++) {
        const ebb_site *s = &earlier->site[i];
        to[n++] = (ebb_site){.address = s->address, .count = 0 - s->count, .bytes = 0 - s->bytes};
    }
    return merge(to, n);
}

ebb_report *ebb_report_diff(const ebb_report *later, const ebb_report *earlier, ebb_arena *into)
{
    size_t most = later->site_count + earlier->site_count;
    ebb_report *r = report_new(into, later->name, most);
    if (!r) return NULL;
    r->totals = later->totals;
    subtract(&r->totals, &earlier->totals);
    size_t n = put_both(r->site, later, earlier);
    for (size_t i = 0; i < n; i++)
        if (r->site[i].count) r->site[r->site_count++] = r->site[i];
    ebb_report_sort(r, EBB_BY_BYTES);
    return r;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* Written twice: to measure it, and into its place. */
typedef struct writer {
    char *to; /* NULL: to be measured */
    size_t len;
} writer;

static void put(writer *w, const char *text)
{
    for (; *text; text++, w->len++) {
        unsigned char c = (unsigned char)*text;
        if (w->to) w->to[w->len] = c < ' ' || c == 0x7f ? '?' : (char)c;
    }
}

static void put_line_end(writer *w)
{
    if (w->to) w->to[w->len] = '\n';
    w->len++;
}

static void put_number(writer *w, unsigned long long n, int width)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%*llu", width, n);
    put(w, digits);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void put_frame(writer *w, const ebb__frame *f)
{
    put(w, f->function ? f->function : "?");
    if (!f->file) return;
    put(w, " (");
    put(w, last_part(f->file));
    put(w, ":");
    put_number(w, (unsigned long long)f->line, 0);
    put(w, ")");
}

/* The library's own inline functions, of include/ebb. */
static bool is_ours(const ebb__frame *f)
{
    static const char folder[] = "ebb/";
    if (!f->file) return false;
    const char *name = last_part(f->file);
    size_t before = (size_t)(name - f->file), n = sizeof folder - 1;
    return before >= n && !memcmp(name - n, folder, n) && strstr(name, ".h");
}

static void put_place(writer *w, const void *address)
{
    enum { FRAMES = 8 };
    ebb__frame frame[FRAMES];
    int n = ebb__symbol_frames(address, frame, FRAMES), first = 0;
    while (first + 1 < n && is_ours(&frame[first])) first++;
    for (int i = first; i < n; i++) {
        if (i > first) put(w, ", in ");
        put_frame(w, &frame[i]);
    }
    if (n > 0) return;
    char text[32];
    snprintf(text, sizeof text, "%p", address);
    put(w, text);
}

static void put_head(writer *w, const ebb_report *r)
{
    put(w, r->name);
    put(w, ": ");
    put_number(w, r->totals.count, 0);
    put(w, " allocations, ");
    put_number(w, r->totals.bytes, 0);
    put(w, " bytes, ");
    put_number(w, r->totals.begins, 0);
    put(w, " scopes");
    if (r->totals.dropped) {
        put(w, "; of ");
        put_number(w, r->totals.dropped, 0);
        put(w, " it is not known where");
    }
    put_line_end(w);
}

static void put_report(writer *w, const ebb_report *r, size_t most)
{
    enum { WIDTH = 12 };
    put_head(w, r);
    for (size_t i = 0; i < r->site_count && i < most; i++) {
        put_number(w, r->site[i].count, WIDTH);
        put_number(w, r->site[i].bytes, WIDTH);
        put(w, "  ");
        put_place(w, r->site[i].address);
        put_line_end(w);
    }
    if (r->site_count <= most) return;
    put_number(w, r->site_count - most, WIDTH);
    put(w, " more places");
    put_line_end(w);
}

/* Has the last line end in its NUL's place, if it is to be part of a sentence. */
ebb_str ebb_report_text(const ebb_report *r, size_t most, ebb_arena *into)
{
    writer w = {NULL, 0};
    ebb_str text = {"", 0};
    put_report(&w, r, most);
    w.to = ebb_alloc_optional(into, w.len + 1);
    if (!w.to) return text;
    text.ptr = w.to;
    text.len = w.len;
    w.len = 0;
    put_report(&w, r, most);
    w.to[w.len] = '\0';
    return text;
}

/* ---- allowances ------------------------------------------------------------------------------ */

const char *ebb_tracker_over(ebb_tracker *t, const ebb_allowance *most, ebb_arena *into)
{
    enum { SHOWN = 20 };
    ebb_totals now;
    ebb_tracker_get_totals(t, &now);
    bool over = now.count > most->count || (most->bytes && now.bytes > most->bytes);
    if (!over) return NULL;
    ebb_report *r = ebb_tracker_report(t, into);
    ebb_str text = {"", 0};
    if (r) text = ebb_report_text(r, SHOWN, into);
    return text.len ? text.ptr : "more than is allowed; and there is no memory to say where";
}
