/*
 * track/live_format.c: the live tree as text for a person, as JSON, and as OpenMetrics.
 */
#include "format.h"
#include "live.h"
#include "seam.h"

#include <inttypes.h>
#include <string.h>

const char *ebb__live_kind_name(ebb_live_kind kind)
{
    static const char *const name[] = {"arena", "scope", "shared", "pool", "cache", "names"};
    return (unsigned)kind <= EBB_LIVE_NAMES ? name[kind] : "?";
}

/* ---- names ----------------------------------------------------------------------------------- */

/* How many bytes a character has that may be shown as it is; 0: it may not. Of UTF-8: nothing below
   U+00A0, and not what turns the direction of a line or ends it. */
static size_t shown_length(const unsigned char *p, size_t size)
{
    if (p[0] < 0x80) return p[0] >= ' ' && p[0] != 0x7f && p[0] != '\\' && p[0] != '"';
    size_t n = p[0] >= 0xc2 && p[0] < 0xe0   ? 2
               : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    if (n == 0 || n > size) return 0;
    uint32_t code = p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (p[i] >> 6 != 2) return 0;
        code = code << 6 | (p[i] & 0x3fu);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    bool none = code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000);
    return none || ebb__char_steers(code) ? 0 : n;
}

void ebb__out_name(ebb__out *o, const char *name, size_t most)
{
    size_t left = strnlen(name, most);
    for (const unsigned char *p = (const unsigned char *)name; left > 0;) {
        size_t n = shown_length(p, left);
        if (n) ebb__out_bytes(o, p, n);
        else if (*p == '\\' || *p == '"') ebb__out_printf(o, "\\%c", *p);
        else ebb__out_printf(o, "\\x%02x", *p);
        n = n ? n : 1;
        p += n;
        left -= n;
    }
}

/* ---- text ------------------------------------------------------------------------------------ */

enum { SHOWN = 3 /* of many alike */, INDENT_MOST = 20 };

static void put_bytes(ebb__out *o, uint64_t bytes, const char *what)
{
    char text[EBB__SIZE_TEXT];
    ebb__size_text(bytes, text);
    if (bytes < 1024) ebb__out_printf(o, "%s%s", text, what);
    else ebb__out_printf(o, "%s (%" PRIu64 ")%s", text, bytes, what);
}

static const char *counted(ebb_live_kind kind)
{
    static const char *const what[] = {"chunks",  "chunks",  "chunks",
                                       "objects", "entries", "symbols"};
    return (unsigned)kind <= EBB_LIVE_NAMES ? what[kind] : "?";
}

static const char *outside(ebb_live_kind kind)
{
    if (kind == EBB_LIVE_SHARED) return "references";
    return kind == EBB_LIVE_CACHE ? "given up" : "out";
}

static size_t depth_of(const ebb_live *l, size_t i)
{
    size_t depth = 0;
    for (; l->node[i].parent < i && depth < INDENT_MOST; i = l->node[i].parent) depth++;
    return depth;
}

static void put_indent(ebb__out *o, const ebb_live *l, size_t i)
{
    for (size_t n = depth_of(l, i); n > 0; n--) ebb__out_text(o, "  ");
}

static void put_node(ebb__out *o, const ebb_live *l, size_t i)
{
    const ebb_live_node *n = &l->node[i];
    put_indent(o, l, i);
    ebb__out_printf(o, "%s \"", ebb__live_kind_name(n->kind));
    ebb__out_name(o, n->name, sizeof n->name);
    ebb__out_printf(o, "\" at %p: %s", n->address, n->exact ? "" : "about ");
    put_bytes(o, n->held, " held");
    if (n->exact) ebb__out_text(o, ", ");
    if (n->exact) put_bytes(o, n->used, " used");
    ebb__out_printf(o, ", %" PRIu64 " %s", n->count, counted(n->kind));
    if (n->kind >= EBB_LIVE_SHARED && n->kind != EBB_LIVE_NAMES)
        ebb__out_printf(o, ", %" PRIu64 " %s", n->out, outside(n->kind));
    ebb__out_text(o, "\n");
}

static bool is_leaf(const ebb_live *l, size_t i)
{
    return i + 1 >= l->count || l->node[i + 1].parent != i;
}

static bool are_alike(const ebb_live_node *a, const ebb_live_node *b)
{
    return a->kind == b->kind && a->parent == b->parent &&
           !strncmp(a->name, b->name, sizeof a->name);
}

/* Behind a leaf: how many alike follow, none with children. */
static size_t alike_after(const ebb_live *l, size_t i)
{
    size_t n = i + 1;
    if (!is_leaf(l, i)) return 0;
    while (n < l->count && are_alike(&l->node[i], &l->node[n]) && is_leaf(l, n)) n++;
    return n - i - 1;
}

static void put_rest(ebb__out *o, const ebb_live *l, size_t first, size_t count)
{
    uint64_t held = 0;
    for (size_t i = first; i < first + count; i++) held += l->node[i].held;
    put_indent(o, l, first);
    ebb__out_printf(o, "%zu more of %s \"", count, ebb__live_kind_name(l->node[first].kind));
    ebb__out_name(o, l->node[first].name, sizeof l->node[first].name);
    ebb__out_text(o, "\": ");
    put_bytes(o, held, " held\n");
}

static void put_summary(ebb__out *o, const ebb_live *l)
{
    static const char *const things[] = {"arenas", "scopes", "shared objects",
                                         "pools",  "caches", "tables of names"};
    size_t of[EBB_LIVE_NAMES + 1] = {0};
    for (size_t i = 0; i < l->count; i++)
        if ((unsigned)l->node[i].kind <= EBB_LIVE_NAMES) of[l->node[i].kind]++;
    ebb__out_text(o, "alive: ");
    for (unsigned k = 0; k <= EBB_LIVE_NAMES; k++)
        ebb__out_printf(o, "%s%zu %s", k ? ", " : "", of[k], things[k]);
    ebb__out_text(o, "\n");
    put_bytes(o, l->reserved_bytes, " reserved, ");
    put_bytes(o, l->idle_bytes, " idle\n");
    if (l->missed) ebb__out_printf(o, "%zu more, for which there was no memory\n", l->missed);
}

static void put_tree(ebb__out *o, const ebb_live *l)
{
    put_summary(o, l);
    for (size_t i = 0; i < l->count; i++) {
        size_t alike = alike_after(l, i);
        if (alike <= SHOWN) {
            put_node(o, l, i);
            continue;
        }
        for (size_t n = 0; n < SHOWN; n++) put_node(o, l, i + n);
        put_rest(o, l, i + SHOWN, alike + 1 - SHOWN);
        i += alike;
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_json_node(ebb__out *o, const ebb_live_node *n)
{
    ebb__out_printf(o, "{\"kind\":\"%s\",\"name\":", ebb__live_kind_name(n->kind));
    ebb__out_json(o, n->name, strnlen(n->name, sizeof n->name));
    ebb__out_printf(o, ",\"address\":\"0x%" PRIxPTR "\",\"parent\":", (uintptr_t)n->address);
    if (n->parent == SIZE_MAX) ebb__out_text(o, "-1");
    else ebb__out_number(o, n->parent);
    ebb__out_printf(
        o, ",\"held\":%zu,\"used\":%zu,\"count\":%" PRIu64 ",\"out\":%" PRIu64 ",\"exact\":%s}",
        n->held, n->used, n->count, n->out, n->exact ? "true" : "false");
}

static void put_json(ebb__out *o, const ebb_live *l)
{
    ebb__out_text(o, "{\"nodes\":[");
    for (size_t i = 0; i < l->count; i++) {
        if (i) ebb__out_text(o, ",\n");
        put_json_node(o, &l->node[i]);
    }
    ebb__out_printf(o, "],\"missed\":%zu,\"reserved_bytes\":%zu,\"idle_bytes\":%zu}", l->missed,
                    l->reserved_bytes, l->idle_bytes);
}

void ebb__json_live(ebb__out *o)
{
    ebb_live *l = ebb__live_find(NULL);
    if (l) put_json(o, l);
    else o->failed = true;
    ebb__live_free(l);
}

/* ---- OpenMetrics ----------------------------------------------------------------------------- */

void ebb__metric_begin(ebb__out *o, const char *name, const char *type, const char *unit,
                       const char *help)
{
    ebb__out_printf(o, "# TYPE %s %s\n", name, type);
    if (unit) ebb__out_printf(o, "# UNIT %s %s\n", name, unit);
    ebb__out_printf(o, "# HELP %s %s\n", name, help);
}

/* Names are written as for a person first, so that they are UTF-8, and two are never one. */
void ebb__metric_label(ebb__out *o, const char *name, size_t most)
{
    ebb__out text = {0};
    ebb__out_name(&text, name, most);
    ebb__out_text(o, "\"");
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\') ebb__out_text(o, "\\");
        ebb__out_bytes(o, &text.ptr[i], 1);
    }
    ebb__out_text(o, "\"");
    if (text.failed) o->failed = true;
    ebb__out_free(&text);
}

/* What has one kind and name is one series. */
typedef struct series {
    const ebb_live_node *first;
    uint64_t things, held, used, count, out;
} series;

static bool is_one_series(const ebb_live_node *a, const ebb_live_node *b)
{
    return a->kind == b->kind && !strncmp(a->name, b->name, sizeof a->name);
}

static bool series_before(const void *ctx, size_t x, size_t y)
{
    const ebb_live *l = ctx;
    const ebb_live_node *a = &l->node[x], *b = &l->node[y];
    if (a->kind != b->kind) return a->kind < b->kind;
    int names = strncmp(a->name, b->name, sizeof a->name);
    return names ? names < 0 : x < y;
}

static void add_node(series *s, const ebb_live_node *n)
{
    s->things++;
    s->held += n->held;
    s->used += n->used;
    s->count += n->count;
    s->out += n->out;
}

/* Each series' sums, in pages as large as `index`; return how many. */
static size_t sum_up(const ebb_live *l, const size_t *index, series *ret_)
{
    size_t n = 0;
    for (size_t i = 0; i < l->count; i++) {
        const ebb_live_node *node = &l->node[index[i]];
        if (n == 0 || !is_one_series(ret_[n - 1].first, node)) ret_[n++] = (series){.first = node};
        add_node(&ret_[n - 1], node);
    }
    return n;
}

static const struct {
    const char *name, *unit, *help;
    size_t offset;
} gauges[] = {
    {"ebb_live_things", NULL, "How many of a kind and name are alive.", offsetof(series, things)},
    {"ebb_live_held_bytes", "bytes", "Bytes of blocks that they hold.", offsetof(series, held)},
    {"ebb_live_used_bytes", "bytes", "Bytes handed out of those, where that is known.",
     offsetof(series, used)},
    {"ebb_live_items", NULL,
     "Chunks of arenas, objects of pools, entries of caches, symbols of tables.",
     offsetof(series, count)},
    {"ebb_live_out", NULL,
     "Objects out of pools, what caches have given up, references to shared objects.",
     offsetof(series, out)},
};

static void put_gauge(ebb__out *o, size_t which, const series *s, size_t count)
{
    ebb__metric_begin(o, gauges[which].name, "gauge", gauges[which].unit, gauges[which].help);
    for (; count > 0; count--, s++) {
        uint64_t value;
        memcpy(&value, (const char *)s + gauges[which].offset, sizeof value);
        ebb__out_printf(o, "%s{kind=\"%s\",name=", gauges[which].name,
                        ebb__live_kind_name(s->first->kind));
        ebb__metric_label(o, s->first->name, sizeof s->first->name);
        ebb__out_printf(o, "} %" PRIu64 "\n", value);
    }
}

static void put_series(ebb__out *o, const ebb_live *l)
{
    size_t bytes = l->count * (sizeof(size_t) + sizeof(series));
    series *s = l->count ? ebb__pages_take(bytes) : NULL;
    size_t *index = (size_t *)(void *)(s + l->count), n = 0;
    if (!s && l->count) o->failed = true;
    if (s) {
        for (size_t i = 0; i < l->count; i++) index[i] = i;
        ebb__sort_indices(index, l->count, series_before, l);
        n = sum_up(l, index, s);
    }
    for (size_t i = 0; i < sizeof gauges / sizeof *gauges; i++) put_gauge(o, i, s, n);
    if (s) ebb__pages_give(s, bytes);
}

static void put_process(ebb__out *o, const char *name, const char *unit, const char *help,
                        size_t value)
{
    ebb__metric_begin(o, name, "gauge", unit, help);
    ebb__out_printf(o, "%s %zu\n", name, value);
}

static void put_metrics(ebb__out *o, const ebb_live *l)
{
    put_series(o, l);
    put_process(o, "ebb_live_missed", NULL, "Things for which the look had no memory.", l->missed);
    put_process(o, "ebb_reserved_bytes", "bytes", "Address space in use.", l->reserved_bytes);
    put_process(o, "ebb_idle_bytes", "bytes", "Free memory kept for reuse.", l->idle_bytes);
    ebb__metrics_profiles(o);
    ebb__out_text(o, "# EOF\n");
}

/* ---- all of them ----------------------------------------------------------------------------- */

static bool put_live(ebb__out *o, const ebb_live *l, ebb_format format)
{
    switch (format) {
    case EBB_FORMAT_TEXT: put_tree(o, l); return true;
    case EBB_FORMAT_JSON: put_json(o, l); return true;
    case EBB_FORMAT_OPENMETRICS: put_metrics(o, l); return true;
    default: return false;
    }
}

ebb_str ebb_live_format(const ebb_live *l, ebb_format format, ebb_arena *into, ebb_status *ret_why)
{
    ebb__out o = {0};
    ebb_str text = {NULL, 0};
    bool known = put_live(&o, l, format);
    if (known) text = ebb__out_finish(&o, into);
    if (!text.ptr && ret_why) *ret_why = known ? EBB_E_MEMORY : EBB_E_UNSUPPORTED;
    return text;
}
