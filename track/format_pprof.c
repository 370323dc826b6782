/*
 * track/format_pprof.c: a report as profile.proto (github.com/google/pprof), not compressed: what
 * `go tool pprof` and others read.
 *
 * A message within another is written to pages of its own first, since its length stands before it.
 * Names are numbers in a table of strings; functions, places in the code and files mapped are
 * messages that others refer to by number, from 1 on.
 */
#include "format.h"
#include "frames.h"
#include "seam_process.h"

#include <string.h>

/* ---- the wire -------------------------------------------------------------------------------- */

static void put_varint(ebb__out *o, uint64_t n)
{
    unsigned char bytes[10];
    size_t len = 0;
    for (; n >= 0x80; n >>= 7) bytes[len++] = (unsigned char)(n | 0x80);
    bytes[len++] = (unsigned char)n;
    ebb__out_bytes(o, bytes, len);
}

/* 0 is what a field is that is not there. */
static void put_number(ebb__out *o, unsigned field, uint64_t n)
{
    enum { VARINT = 0 };
    if (n == 0) return;
    put_varint(o, field << 3 | VARINT);
    put_varint(o, n);
}

static void put_bytes(ebb__out *o, unsigned field, const void *bytes, size_t size)
{
    enum { LENGTH_DELIMITED = 2 };
    put_varint(o, field << 3 | LENGTH_DELIMITED);
    put_varint(o, size);
    ebb__out_bytes(o, bytes, size);
}

/* A part that is whole goes into what it is a part of, and its pages are used again. */
static void put_part(ebb__out *o, unsigned field, ebb__out *part)
{
    if (part->failed) o->failed = true;
    put_bytes(o, field, part->ptr, part->len);
    part->len = 0;
}

/* ---- numbers for things ---------------------------------------------------------------------- */

/* Open addressing; never more than half full. */
typedef struct entry {
    uint64_t key;
    size_t at;       /* a string: where its bytes are */
    uint32_t number; /* from 1; 0: a free slot */
} entry;

typedef struct table {
    entry *slot;
    size_t slots;
    uint32_t used;
} table;

typedef struct mapping {
    uintptr_t start, end;
    uint64_t offset;
    uint32_t path;
    bool used, has_nameless; /* of its places one has no name: pprof may know it */
} mapping;

enum { MAPPINGS = 1024, FIRST_SLOTS = 1 << 12 };

typedef struct writer {
    ebb__out *o;
    ebb__out part, inner; /* messages, and messages in those */
    ebb__out text;        /* the strings, in order, a NUL behind each */
    table strings, functions;
    ebb__frames frames;
    mapping *mapping; /* room for MAPPINGS; NULL: no memory */
    uint32_t mappings;
} writer;

static entry *first_of(const table *t, uint64_t key)
{
    return &t->slot[(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (t->slots - 1)];
}

static entry *next_of(const table *t, entry *e)
{
    return e + 1 == t->slot + t->slots ? t->slot : e + 1;
}

static bool table_grow(table *t)
{
    table to = {NULL, t->slots ? 2 * t->slots : FIRST_SLOTS, t->used};
    to.slot = ebb__pages_take(to.slots * sizeof(entry));
    if (!to.slot) return false;
    for (size_t i = 0; i < t->slots; i++) {
        if (!t->slot[i].number) continue;
        entry *e = first_of(&to, t->slot[i].key);
        while (e->number) e = next_of(&to, e);
        *e = t->slot[i];
    }
    if (t->slot) ebb__pages_give(t->slot, t->slots * sizeof(entry));
    *t = to;
    return true;
}

static bool has_room(writer *w, table *t)
{
    if (2 * ((size_t)t->used + 1) <= t->slots || table_grow(t)) return true;
    w->o->failed = true;
    return false;
}

static uint64_t hash_of(const char *p, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* The number of a string, from 0; that of "" is 0. It is written first, then looked for. */
static uint32_t string_of(writer *w, const char *name)
{
    size_t at = w->text.len;
    ebb__out_utf8(&w->text, name, strlen(name));
    ebb__out_bytes(&w->text, "", 1);
    if (w->text.failed || !has_room(w, &w->strings)) return 0;
    const char *text = w->text.ptr;
    uint64_t key = hash_of(text + at, w->text.len - at);
    entry *e = first_of(&w->strings, key);
    for (; e->number; e = next_of(&w->strings, e)) {
        if (e->key != key || strcmp(text + e->at, text + at) != 0) continue;
        w->text.len = at;
        return e->number - 1;
    }
    *e = (entry){key, at, ++w->strings.used};
    return e->number - 1;
}

enum { FUNCTION_ID = 1, FUNCTION_NAME, FUNCTION_SYSTEM_NAME, FUNCTION_FILE };
enum {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE,
    PROFILE_MAPPING,
    PROFILE_LOCATION,
    PROFILE_FUNCTION,
    PROFILE_STRING,
    PROFILE_TIME = 9,
    PROFILE_DURATION,
    PROFILE_PERIOD_TYPE,
    PROFILE_PERIOD,
    PROFILE_COMMENT,
    PROFILE_DEFAULT_TYPE
};

/* The number of a function, which is written when it is first met: in between other messages, since
   their order does not matter. */
static uint32_t function_of(writer *w, const ebb__frame *f)
{
    uint32_t file = f->file ? string_of(w, f->file) : 0;
    uint32_t name = string_of(w, f->function ? f->function : "?");
    uint64_t key = (uint64_t)name << 32 | file;
    if (!has_room(w, &w->functions)) return 0;
    entry *e = first_of(&w->functions, key);
    while (e->number && e->key != key) e = next_of(&w->functions, e);
    if (e->number) return e->number;
    *e = (entry){key, 0, ++w->functions.used};
    put_number(&w->inner, FUNCTION_ID, e->number);
    put_number(&w->inner, FUNCTION_NAME, name);
    put_number(&w->inner, FUNCTION_SYSTEM_NAME, name);
    put_number(&w->inner, FUNCTION_FILE, file);
    put_part(w->o, PROFILE_FUNCTION, &w->inner);
    return e->number;
}

/* ---- files that are mapped ------------------------------------------------------------------- */

static void add_mapping(void *ctx, const ebb__code *c)
{
    writer *w = ctx;
    if (w->mappings == MAPPINGS) return;
    w->mapping[w->mappings++] =
        (mapping){c->start, c->end, c->offset, string_of(w, c->path), false, false};
}

static uint32_t mapping_of(writer *w, uintptr_t address, bool has_name)
{
    for (uint32_t i = 0; i < w->mappings; i++) {
        mapping *m = &w->mapping[i];
        if (address < m->start || address >= m->end) continue;
        m->used = true;
        if (!has_name) m->has_nameless = true;
        return i + 1;
    }
    return 0;
}

/* The first is taken for the program, so that is there in any case. */
static void put_mappings(writer *w)
{
    enum {
        ID = 1,
        START,
        LIMIT,
        OFFSET,
        PATH,
        HAS_FUNCTIONS = 7,
        HAS_FILES,
        HAS_LINES,
        HAS_INLINE
    };
    for (uint32_t i = 0; i < w->mappings; i++) {
        const mapping *m = &w->mapping[i];
        if (i && !m->used) continue;
        put_number(&w->part, ID, i + 1);
        put_number(&w->part, START, m->start);
        put_number(&w->part, LIMIT, m->end);
        put_number(&w->part, OFFSET, m->offset);
        put_number(&w->part, PATH, m->path);
        for (unsigned has = HAS_FUNCTIONS; has <= HAS_INLINE; has++)
            put_number(&w->part, has, !m->has_nameless);
        put_part(w->o, PROFILE_MAPPING, &w->part);
    }
}

/* ---- places ---------------------------------------------------------------------------------- */

/* Without a name it has no line: who reads it then looks for one by the address. */
static void put_lines(writer *w, const ebb__place *p)
{
    enum { LINE_FUNCTION = 1, LINE_NUMBER, LOCATION_LINE = 4 };
    for (uint32_t i = 0; i < p->count; i++) {
        const ebb__frame *f = &w->frames.frame[p->first + i].frame;
        if (!f->function && !f->file) continue;
        uint32_t function = function_of(w, f);
        put_number(&w->inner, LINE_FUNCTION, function);
        put_number(&w->inner, LINE_NUMBER, f->line > 0 ? (uint64_t)f->line : 0);
        put_part(&w->part, LOCATION_LINE, &w->inner);
    }
}

static void put_locations(writer *w)
{
    enum { ID = 1, MAPPING, ADDRESS };
    for (size_t i = 0; i < w->frames.slots; i++) {
        const ebb__place *p = &w->frames.slot[i];
        if (!p->address) continue;
        uintptr_t call = (uintptr_t)p->address - 1; /* the address is behind the call */
        const ebb__frame *f = &w->frames.frame[p->first].frame;
        put_number(&w->part, ID, p->number + 1);
        put_number(&w->part, MAPPING, mapping_of(w, call, f->function || f->file));
        put_number(&w->part, ADDRESS, call);
        put_lines(w, p);
        put_part(w->o, PROFILE_LOCATION, &w->part);
    }
}

/* ---- samples --------------------------------------------------------------------------------- */

static void put_type(writer *w, unsigned field, const char *type, const char *unit)
{
    enum { TYPE = 1, UNIT };
    put_number(&w->part, TYPE, string_of(w, type));
    put_number(&w->part, UNIT, string_of(w, unit));
    put_part(w->o, field, &w->part);
}

static void put_sample_types(writer *w, const ebb_report *r)
{
    put_type(w, PROFILE_SAMPLE_TYPE, "allocations", "count");
    put_type(w, PROFILE_SAMPLE_TYPE, "alloc_space", "bytes");
    if (r->level != EBB_TRACK_FULL) return;
    put_type(w, PROFILE_SAMPLE_TYPE, "inuse_objects", "count");
    put_type(w, PROFILE_SAMPLE_TYPE, "inuse_space", "bytes");
}

static void put_sample(writer *w, const ebb_report *r, const ebb_site *s)
{
    enum { SAMPLE_LOCATION = 1, SAMPLE_VALUE, SAMPLE_LABEL, LABEL_KEY = 1, LABEL_STRING };
    uint32_t depth;
    const void *const *stack = ebb__site_stack(s, &depth);
    for (uint32_t i = 0; i < depth; i++) {
        const ebb__place *p = ebb__frames_find(&w->frames, stack[i]);
        if (p) put_varint(&w->inner, p->number + 1);
    }
    put_part(&w->part, SAMPLE_LOCATION, &w->inner);
    put_varint(&w->inner, s->count);
    put_varint(&w->inner, s->bytes);
    if (r->level == EBB_TRACK_FULL) {
        put_varint(&w->inner, s->live_count);
        put_varint(&w->inner, s->live_bytes);
    }
    put_part(&w->part, SAMPLE_VALUE, &w->inner);
    put_number(&w->inner, LABEL_KEY, string_of(w, "kind"));
    put_number(&w->inner, LABEL_STRING, string_of(w, ebb__kind_name(r, s)));
    put_part(&w->part, SAMPLE_LABEL, &w->inner);
    put_part(w->o, PROFILE_SAMPLE, &w->part);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void put_head(writer *w, const ebb_report *r)
{
    put_sample_types(w, r);
    put_number(w->o, PROFILE_TIME, ebb__unix_ns() - r->duration_ns);
    put_number(w->o, PROFILE_DURATION, r->duration_ns);
    if (r->sample_bytes) {
        put_type(w, PROFILE_PERIOD_TYPE, "space", "bytes");
        put_number(w->o, PROFILE_PERIOD, r->sample_bytes);
    }
    put_number(w->o, PROFILE_COMMENT, string_of(w, r->name ? r->name : "?"));
    put_number(w->o, PROFILE_DEFAULT_TYPE, string_of(w, "alloc_space"));
}

static void put_strings(writer *w)
{
    if (w->text.failed) w->o->failed = true;
    if (w->o->failed) return;
    for (size_t at = 0, len; at < w->text.len; at += len + 1) {
        len = strlen(w->text.ptr + at);
        put_bytes(w->o, PROFILE_STRING, w->text.ptr + at, len);
    }
}

static void writer_free(writer *w)
{
    table *const both[] = {&w->strings, &w->functions};
    for (int i = 0; i < 2; i++)
        if (both[i]->slot) ebb__pages_give(both[i]->slot, both[i]->slots * sizeof(entry));
    if (w->mapping) ebb__pages_give(w->mapping, MAPPINGS * sizeof *w->mapping);
    ebb__frames_free(&w->frames);
    ebb__out_free(&w->part);
    ebb__out_free(&w->inner);
    ebb__out_free(&w->text);
}

void ebb__format_pprof(ebb__out *o, const ebb_report *r)
{
    writer w = {.o = o};
    ebb__frames_init(&w.frames, r);
    w.mapping = ebb__pages_take(MAPPINGS * sizeof *w.mapping);
    if (w.frames.failed || !w.mapping) o->failed = true;
    string_of(&w, "");
    if (!o->failed) {
        ebb__each_code(add_mapping, &w);
        put_head(&w, r);
        for (size_t i = 0; i < r->site_count; i++) put_sample(&w, r, &r->site[i]);
        put_locations(&w);
        put_mappings(&w);
        put_strings(&w);
    }
    writer_free(&w);
}
