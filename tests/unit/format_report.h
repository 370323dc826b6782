/*
 * tests/unit/format_report.h: a report made by hand, so that every figure in it is known; for
 * test_format.c and test_format_json.c.
 */
#ifndef EBB_TESTS_FORMAT_REPORT_H
#define EBB_TESTS_FORMAT_REPORT_H

#include <ebb/ebb.h>
#include <ebb/track.h>

#include <stdio.h>
#include <string.h>

/* What follows each call keeps compilers from making one of two, or a jump of the last. */
#define HERE(n) __asm__ volatile("# %0" ::"i"(n) : "memory")

__attribute__((noinline)) static const void *here(void)
{
    const void *address = __builtin_return_address(0);
    HERE(1);
    return address;
}

__attribute__((noinline)) static const void *in_leaf(void)
{
    const void *address = here();
    HERE(2);
    return address;
}

__attribute__((noinline)) static const void *in_root(void)
{
    const void *address = here();
    HERE(3);
    return address;
}

static inline __attribute__((always_inline)) const void *inlined(void)
{
    const void *address = here();
    HERE(4);
    return address;
}

__attribute__((noinline)) static const void *in_middle(void)
{
    const void *address = inlined();
    HERE(5);
    return address;
}

__attribute__((noinline, unused)) static void in_two_places(const void *ret_[2])
{
    ret_[0] = here();
    HERE(6);
    ret_[1] = here();
    HERE(7);
}

/* Names that break what is written carelessly, and what a format without an escape of its own is to
   make of them. */
typedef struct hostile {
    const char *name, *as_utf8;
} hostile;

static const hostile hostiles[] = {
    {"\"", "\""},
    {"\\", "\\"},
    {"\\\"},{\"a\":[", "\\\"},{\"a\":["},
    {"</script><script>alert(1)</script>", "</script><script>alert(1)</script>"},
    {"<!--<script>", "<!--<script>"},
    {"]]>&amp;'", "]]>&amp;'"},
    {"line\nfeed\r\n", "line\nfeed\r\n"},
    {"\x01\x1b[31m\x7f", "\x01\x1b[31m\x7f"},
    {"a;b;c 12", "a;b;c 12"},
    {" 1\n2 ", " 1\n2 "},
    {"", ""},
    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8a", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8a"},
    {"\xe2\x80\xa8 \xe2\x80\xa9 \xc2\x9b", "\xe2\x80\xa8 \xe2\x80\xa9 \xc2\x9b"},
    {"\xff", "\xef\xbf\xbd"},
    {"a\xc0\xaf", "a\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xe0\x80\xaf.", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd."},
    {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xf0\x9f\x8c", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
};
enum { HOSTILES = sizeof hostiles / sizeof hostiles[0], SITES = 3, KINDS = 2, MOMENTS = 2 };

typedef struct made {
    ebb_report report;
    ebb_site site[SITES];
    ebb_report_kind kind[KINDS];
    ebb_report_moment moment[MOMENTS];
    const void *stack[3], *other[1];
} made;

static inline void make(made *m, const char *name)
{
    memset(m, 0, sizeof *m);
    m->stack[0] = in_leaf();
    m->stack[1] = in_middle();
    m->stack[2] = in_root();
    m->other[0] = in_leaf();
    m->kind[0] = (ebb_report_kind){name, false, 10, 1000, 5, 0, {[4] = 10}, 0};
    m->kind[1] = (ebb_report_kind){"malloc", true, 3, 300, 0, 0, {[31] = 3}, 1};
    m->site[0] = (ebb_site){m->stack[0], m->stack, 3, 0, 7, 900, 2, 0, 4, 400, 12345};
    m->site[1] = (ebb_site){m->other[0], m->other, 1, 1, 3, 300, 0, 0, 1, 100, 0};
    m->site[2] = (ebb_site){m->other[0], NULL, 0, 0, 3, 100, 0, 0, 0, 0, 0};
    m->moment[0] = (ebb_report_moment){8, 800, 4};
    m->moment[1] = (ebb_report_moment){2, 200, 1};
    m->report = (ebb_report){.name = name,
                             .level = EBB_TRACK_FULL,
                             .duration_ns = 5000000000u,
                             .totals = {.count = 10, .bytes = 1000, .begins = 5},
                             .site_count = SITES,
                             .kind_count = KINDS,
                             .moment_count = MOMENTS,
                             .site = m->site,
                             .kind = m->kind,
                             .moment_ns = 1000000000u,
                             .moment = m->moment};
}

static inline ebb_str format(const made *m, ebb_format f, ebb_arena *into)
{
    ebb_status why = EBB_OK;
    ebb_str s = ebb_report_format(&m->report, f, into, &why);
    if (!s.ptr) fprintf(stderr, "format %d: %s\n", (int)f, ebb_status_text(why));
    return s;
}

#endif /* EBB_TESTS_FORMAT_REPORT_H */
