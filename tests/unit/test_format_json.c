/*
 * tests/unit/test_format_json.c: reports as JSON, read back by a reader of others.
 */
#include "test.h"

#include "format_report.h"

#include <jansson.h>

static json_t *parse(ebb_str s)
{
    json_error_t e;
    json_t *doc = json_loadb(s.ptr, s.len, JSON_REJECT_DUPLICATES, &e);
    cr_assert_not_null(doc, "%s at %d: %.*s", e.text, e.position, (int)s.len, s.ptr);
    return doc;
}

static json_t *report_of(const made *m, ebb_arena *a)
{
    ebb_str s = format(m, EBB_FORMAT_JSON, a);
    cr_assert_not_null(s.ptr);
    cr_assert_eq(s.ptr[s.len], '\0');
    return parse(s);
}

static json_int_t number(const json_t *o, const char *key)
{
    const json_t *n = json_object_get(o, key);
    cr_assert(json_is_integer(n), "%s", key);
    return json_integer_value(n);
}

static const char *text(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

/* Its keys are these, no more, no less. */
static bool has_keys(const json_t *o, const char *const *keys)
{
    size_t n = 0;
    for (; keys[n]; n++)
        if (!json_object_get(o, keys[n])) return fprintf(stderr, "no %s\n", keys[n]), false;
    return json_object_size(o) == n;
}
#define KEYS(o, ...) has_keys(o, (const char *const[]){__VA_ARGS__, NULL})

Test(format_json, every_key_is_there_and_no_other)
{
    made m;
    make(&m, "name");
    ebb_arena *a = ebb_arena_create(NULL);
    json_t *d = report_of(&m, a);
    cr_assert(KEYS(d, "ebb", "name", "level", "sample_bytes", "written_ms", "duration_ns",
                   "program", "pid", "totals", "classes", "kinds", "frames", "sites", "timeline",
                   "profiles", "live"));
    cr_assert(KEYS(json_object_get(d, "totals"), "count", "bytes", "begins", "dropped",
                   "system_count", "system_bytes", "samples", "live_count", "live_bytes"));
    cr_assert(KEYS(json_array_get(json_object_get(d, "kinds"), 0), "name", "system", "count",
                   "bytes", "begins", "padding", "by_class"));
    cr_assert(KEYS(json_array_get(json_object_get(d, "frames"), 0), "function", "file", "line",
                   "address"));
    cr_assert(KEYS(json_array_get(json_object_get(d, "sites"), 0), "kind", "stack", "count",
                   "bytes", "growths", "samples", "live_count", "live_bytes", "lived_ns"));
    cr_assert(KEYS(json_object_get(d, "timeline"), "width_ns", "count", "bytes", "begins"));
    json_decref(d);
    ebb_arena_destroy(&a);
}

Test(format_json, the_figures_are_the_reports)
{
    made m;
    make(&m, "name");
    ebb_arena *a = ebb_arena_create(NULL);
    json_t *d = report_of(&m, a), *kinds = json_object_get(d, "kinds");
    cr_assert_eq(number(d, "ebb"), 1);
    cr_assert_str_eq(text(d, "level"), "full");
    cr_assert_eq(number(d, "duration_ns"), 5000000000);
    cr_assert(number(d, "written_ms") > 1500000000000);
    cr_assert(number(d, "pid") > 0 && *text(d, "program"));
    cr_assert_eq(number(json_object_get(d, "totals"), "bytes"), 1000);
    json_t *classes = json_object_get(d, "classes"), *second = json_array_get(kinds, 1);
    cr_assert_eq(json_array_size(classes), (size_t)EBB_TRACK_CLASSES);
    cr_assert_eq(json_integer_value(json_array_get(classes, 0)), 0);
    cr_assert_eq(json_integer_value(json_array_get(classes, 1)), 1);
    cr_assert_eq(json_integer_value(json_array_get(classes, 5)), 16);
    cr_assert_eq(json_integer_value(json_array_get(classes, 30)), 1 << 29);
    cr_assert(json_is_null(json_array_get(classes, 31)));
    cr_assert(json_is_true(json_object_get(second, "system")));
    json_t *by_class = json_object_get(second, "by_class");
    cr_assert_eq(json_array_size(by_class), (size_t)EBB_TRACK_CLASSES);
    cr_assert_eq(json_integer_value(json_array_get(by_class, 31)), 3);
    json_t *site = json_array_get(json_object_get(d, "sites"), 0);
    cr_assert(number(site, "bytes") == 900 && number(site, "growths") == 2);
    cr_assert(number(site, "live_bytes") == 400 && number(site, "lived_ns") == 12345);
    json_t *bytes = json_object_get(json_object_get(d, "timeline"), "bytes");
    cr_assert_eq(json_array_size(bytes), 2u);
    cr_assert_eq(json_integer_value(json_array_get(bytes, 1)), 200);
    json_decref(d);
    ebb_arena_destroy(&a);
}

static const json_t *frame_of(const json_t *d, size_t site, size_t i)
{
    const json_t *stack =
        json_object_get(json_array_get(json_object_get(d, "sites"), site), "stack");
    json_int_t n = json_integer_value(json_array_get(stack, i));
    return json_array_get(json_object_get(d, "frames"), (size_t)n);
}

static size_t depth_of(const json_t *d, size_t site)
{
    return json_array_size(
        json_object_get(json_array_get(json_object_get(d, "sites"), site), "stack"));
}

Test(format_json, stacks_are_frames_with_those_inlined)
{
    made m;
    make(&m, "name");
    m.other[0] = m.stack[2]; /* an address that is in two stacks */
    m.site[1].address = m.other[0];
    ebb_arena *a = ebb_arena_create(NULL);
    json_t *d = report_of(&m, a);
    bool named = text(frame_of(d, 0, 0), "function") != NULL;
    size_t extra = named ? 1 : 0;
    cr_assert_eq(depth_of(d, 0), 3 + extra);
    cr_assert_eq(depth_of(d, 1), 1u);
    cr_assert_eq(depth_of(d, 2), 1u, "a site without a stack is its address");
    cr_assert_eq(json_array_size(json_object_get(d, "frames")), 3 + extra, "each is there once");
    cr_assert_eq(frame_of(d, 0, 2 + extra), frame_of(d, 1, 0));
    if (!named) cr_skip_test("no debug information is read");
    const char *const wanted[] = {"in_leaf", "inlined", "in_middle", "in_root"};
    for (size_t i = 0; i < 4; i++) {
        cr_assert_str_eq(text(frame_of(d, 0, i), "function"), wanted[i]);
        cr_assert_not_null(strstr(text(frame_of(d, 0, i), "file"), "format_report.h"));
        cr_assert(number(frame_of(d, 0, i), "line") > 10);
    }
    json_decref(d);
    ebb_arena_destroy(&a);
}

static _Thread_local void *volatile kept;

__attribute__((noinline)) static void ask(ebb_arena *a)
{
    kept = ebb_new_array(a, int, 10);
    HERE(10);
}

Test(format_json, the_librarys_own_inline_functions_are_left_out)
{
    ebb_arena *a = ebb_arena_create(NULL), *into = ebb_arena_create(NULL);
    ebb_tracker *t = ebb_tracker_begin("own", (ebb_watch){.arena = a}, NULL, NULL);
    ask(a);
    ebb_report *r = ebb_tracker_report(t, into);
    cr_assert_not_null(r);
    json_t *d = parse(ebb_report_format(r, EBB_FORMAT_JSON, into, NULL));
    const json_t *f = frame_of(d, 0, 0);
    bool named = json_is_string(json_object_get(f, "file"));
    if (named) {
        cr_assert_str_eq(text(f, "function"), "ask");
        for (size_t i = 0; i < json_array_size(json_object_get(d, "frames")); i++) {
            const char *file = text(json_array_get(json_object_get(d, "frames"), i), "file");
            cr_assert(!file || !strstr(file, "ebb/arena.h"), "%s", file);
        }
    }
    json_decref(d);
    ebb_tracker_end(&t);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&into);
}

/* What is in `html` between the tags of its script. */
static ebb_str script_of(ebb_str html)
{
    const char *from = strstr(html.ptr, "<script type=\"application/json\"");
    cr_assert_not_null(from);
    from = strchr(from, '>') + 1;
    const char *to = strstr(from, "</script>");
    cr_assert_not_null(to);
    return (ebb_str){from, (size_t)(to - from)};
}

Test(format_json, hostile_names_come_back_as_they_were)
{
    for (size_t i = 0; i < HOSTILES; i++) {
        made m;
        make(&m, hostiles[i].name);
        ebb_arena *a = ebb_arena_create(NULL);
        json_t *d = report_of(&m, a);
        cr_assert_str_eq(text(d, "name"), hostiles[i].as_utf8);
        const json_t *kind = json_array_get(json_object_get(d, "kinds"), 0);
        cr_assert_str_eq(text(kind, "name"), hostiles[i].as_utf8);
        json_decref(d);
        d = parse(script_of(format(&m, EBB_FORMAT_HTML, a)));
        cr_assert_str_eq(text(d, "name"), hostiles[i].as_utf8);
        json_decref(d);
        ebb_arena_destroy(&a);
    }
}

Test(format_json, what_would_end_a_script_or_steer_a_terminal_is_escaped)
{
    for (size_t i = 0; i < HOSTILES; i++) {
        made m;
        make(&m, hostiles[i].name);
        ebb_arena *a = ebb_arena_create(NULL);
        ebb_str s = format(&m, EBB_FORMAT_JSON, a);
        cr_assert(ebb_utf8_valid(s));
        cr_assert_null(strchr(s.ptr, '<'));
        cr_assert_null(strstr(s.ptr, "\xe2\x80\xa8"));
        cr_assert_null(strstr(s.ptr, "\xe2\x80\xa9"));
        for (size_t k = 0; k + 1 < s.len; k++)
            cr_assert((unsigned char)s.ptr[k] >= ' ' && s.ptr[k] != 0x7f, "%zu of %s", k, s.ptr);
        ebb_arena_destroy(&a);
    }
}

Test(format_json, a_name_may_be_very_long)
{
    enum { LONG = 1 << 20 };
    static char name[LONG + 1];
    memset(name, '"', LONG);
    made m;
    make(&m, name);
    ebb_arena *a = ebb_arena_create(NULL);
    json_t *d = report_of(&m, a);
    cr_assert_eq(strlen(text(d, "name")), (size_t)LONG);
    json_decref(d);
    ebb_arena_destroy(&a);
}

Test(format_json, levels_have_names)
{
    static const char *const names[] = {"sites", "sample", "full"};
    ebb_arena *a = ebb_arena_create(NULL);
    for (int i = 0; i < 3; i++) {
        made m;
        make(&m, "name");
        m.report.level = (ebb_track_level)i;
        json_t *d = report_of(&m, a);
        cr_assert_str_eq(text(d, "level"), names[i]);
        json_decref(d);
    }
    ebb_arena_destroy(&a);
}

Test(format_json, an_empty_report_is_a_document_too)
{
    ebb_arena *a = ebb_arena_create(NULL);
    const ebb_report none = {.name = NULL};
    json_t *d = parse(ebb_report_format(&none, EBB_FORMAT_JSON, a, NULL));
    cr_assert_str_eq(text(d, "name"), "?");
    cr_assert_eq(json_array_size(json_object_get(d, "sites")), 0u);
    json_decref(d);
    ebb_arena_destroy(&a);
}
