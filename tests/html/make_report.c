/*
 * make_report FILE: an HTTP service as its memory sees it, in small: two kinds of requests, tracked in
 * full, and the report saved as a page. tests/html/check.mjs opens it.
 */
#include <ebb/builder.h>
#include <ebb/scope.h>
#include <ebb/track.h>

#include <stdio.h>

static ebb_profile list = EBB_PROFILE("GET /vms");
static ebb_profile create = EBB_PROFILE("POST /vms");

static __attribute__((noinline)) void render_row(ebb_arena *a, ebb_builder *b, int n)
{
    ebb_builder_text(b, ebb_printf(a, "machine %d", n));
}

static __attribute__((noinline)) void list_vms(int rows)
{
    EBB_SCOPE(a, &list);
    ebb_builder b = ebb_builder_in(a);
    for (int i = 0; i < rows; i++) render_row(a, &b, i);
}

static __attribute__((noinline)) void create_vm(int fields)
{
    EBB_SCOPE(a, &create);
    for (int i = 0; i < fields; i++) ebb_zalloc(a, 24 + 8 * (size_t)i);
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    ebb_tracker_params how = {.level = EBB_TRACK_FULL};
    ebb_tracker *t = ebb_tracker_begin("small service", (ebb_watch){0}, &how, NULL);
    if (!t) return 1;
    for (int i = 0; i < 200; i++) {
        list_vms(20 + i % 40);
        create_vm(1 + i % 9);
    }
    ebb_arena *mine = ebb_arena_create(NULL);
    ebb_report *r = ebb_tracker_report(t, mine);
    ebb_status saved = r ? ebb_report_save(r, EBB_FORMAT_HTML, argv[1]) : EBB_E_MEMORY;
    ebb_arena_destroy(&mine);
    ebb_tracker_end(&t);
    if (saved) fprintf(stderr, "make_report: %d\n", (int)saved);
    return saved ? 1 : 0;
}
