/*
 * Write what ebb/live.h and the reports' parts have to say, in the format asked for, with names from hell.
 *
 *     formats text|json|metrics|profiles|lines
 */
#include "../../track/format.h"

#include <ebb/ebb.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const hostile[] = {
    "plain",
    "\"},{\"kind\":\"x",
    "back\\slash\\",
    "line\nbreak\r\t",
    "\x1b[31mred",
    "\xff\xfe no UTF-8",
    "\xff\xfd no UTF-8",
    "\xe2\x80\xaeturned",
    "</script><b>",
    "caf\xc3\xa9 \xe6\xb1\xa0",
    "{}# EOF\n",
    "",
    "\\xff\\xfe no UTF-8",
    "a name that is much longer than what a node has room for, \xc3\xa9"};
enum { HOSTILE = sizeof hostile / sizeof *hostile, SCOPES = 17 * 100 };

static ebb_profile profile[HOSTILE];

/* Some learn, some are wasteful, some are refused. */
static void run(int i)
{
    profile[i] = (ebb_profile){.name = hostile[i], .soft = 8192, .hard = i % 3 ? 0 : 65536};
    for (int n = 0; n < SCOPES; n++) {
        ebb_arena *a = ebb_scope_begin(&profile[i]);
        ebb_storage s = {NULL, 0};
        for (int k = 0; k < i; k++) ebb_alloc(a, 700);
        if (!ebb_storage_grow(a, &s, 0, 1500)) exit(2);
        ebb_alloc(a, 16);
        ebb_storage_release(a, &s);
        if (n % 100 == 0) ebb_alloc(a, 100000);
        ebb_scope_end(&a);
    }
}

static int write_out(ebb_str text)
{
    if (text.ptr) fwrite(text.ptr, 1, text.len, stdout);
    return text.ptr ? 0 : 3;
}

static int write_part(void (*put)(ebb__out *), ebb_arena *a)
{
    ebb__out o = {0};
    put(&o);
    return write_out(ebb__out_finish(&o, a));
}

static int write_live(ebb_format format, ebb_arena *a)
{
    ebb_live *l = ebb_live_look(a);
    return l ? write_out(ebb_live_format(l, format, a, NULL)) : 3;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    ebb_arena *of[HOSTILE], *a = ebb_arena_create(NULL);
    for (int i = 0; i < HOSTILE; i++) {
        ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
        params.name = hostile[i];
        of[i] = ebb_arena_create(&params);
        run(i);
    }
    int rc = 1;
    if (!strcmp(what, "text")) rc = write_live(EBB_FORMAT_TEXT, a);
    if (!strcmp(what, "metrics")) rc = write_live(EBB_FORMAT_OPENMETRICS, a);
    if (!strcmp(what, "json")) rc = write_part(ebb__json_live, a);
    if (!strcmp(what, "profiles")) rc = write_part(ebb__json_profiles, a);
    if (!strcmp(what, "lines")) rc = write_part(ebb__text_profiles, a);
    for (int i = 0; i < HOSTILE; i++) ebb_arena_destroy(&of[i]);
    ebb_arena_destroy(&a);
    return rc;
}
