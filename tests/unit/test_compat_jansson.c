/*
 * tests/unit/test_compat_jansson.c: ebb/compat/jansson.h: documents in the current scope, on real input.
 */
#include "test.h"

#include <ebb/compat/jansson.h>
#include <ebb/ebb.h>

#include <stdlib.h>
#include <string.h>

static const char text[] =
    "{\"name\":\"web-1\",\"cpus\":4,\"tags\":[\"a\",\"b\",{\"deep\":[1,2.5,null,true]}],"
    "\"note\":\"caf\\u00e9\"}";

Test(compat_jansson, a_document_lies_in_the_current_scope)
{
    ebb_jansson_install();
    for (int i = 0; i < 50; i++) {
        ebb_arena *a = ebb_scope_begin(NULL);
        {
            EBB_ENTER(a);
            json_error_t e;
            json_t *doc = json_loads(text, 0, &e);
            cr_assert_not_null(doc, "%s", e.text);
            cr_assert_eq(ebb_arena_of(doc), a);
            const char *name;
            int cpus;
            cr_assert_eq(json_unpack(doc, "{s:s, s:i}", "name", &name, "cpus", &cpus), 0);
            cr_assert_str_eq(name, "web-1");
            cr_assert_eq(cpus, 4);
            cr_assert_eq(ebb_arena_of(name), a);
            char *out = json_dumps(doc, JSON_COMPACT | JSON_SORT_KEYS);
            cr_assert_eq(ebb_arena_of(out), a);
            cr_assert_not_null(strstr(out, "\"deep\":[1,2.5,null,true]"), "%s", out);
            ebb_hook_free(out);
            if (i % 2) json_decref(doc); /* allowed, not needed */
        }
        cr_assert_null(ebb_arena_validate(a));
        ebb_scope_end(&a);
    }
}

Test(compat_jansson, outside_it_lies_on_the_heap)
{
    ebb_jansson_install();
    json_t *doc = json_loads(text, 0, NULL);
    cr_assert_not_null(doc);
    cr_assert_null(ebb_arena_of(doc));
    ebb_arena *a = ebb_scope_begin(NULL);
    {
        EBB_ENTER(a);
        cr_assert_eq(json_array_size(json_object_get(doc, "tags")), 3u);
        json_decref(doc); /* goes to the heap, whatever is current */
    }
    ebb_scope_end(&a);
}

Test(compat_jansson, a_document_that_does_not_fit_is_the_scopes_failure)
{
    ebb_jansson_install();
    static ebb_profile tight = EBB_PROFILE("tight", .hard = 8 << 10);
    static char large[64 << 10];
    strcpy(large, "[");
    for (int i = 0; i < 3000; i++) strcat(large, "\"item\",");
    strcat(large, "0]");
    ebb_arena *a = ebb_scope_begin(&tight);
    {
        EBB_ENTER(a);
        json_error_t e;
        cr_assert_null(json_loads(large, 0, &e));
        cr_assert_eq(ebb_failed(a), EBB_E_LIMIT);
    }
    cr_assert_null(ebb_arena_validate(a));
    ebb_scope_end(&a);
}

Test(compat_jansson, every_failure_leaves_the_scope_sound)
{
    ebb_jansson_install();
    unsigned runs = 0;
    EBB_EACH_FAILURE (f, .this_thread = true) {
        runs++;
        ebb_arena *a = ebb_scope_begin(NULL);
        {
            EBB_ENTER(a);
            json_t *doc = json_loads(text, 0, NULL);
            char *out = doc ? json_dumps(doc, 0) : NULL;
            cr_assert_eq(ebb_fault_hits(f) == 0, out != NULL);
        }
        cr_assert_eq(ebb_failed(a), ebb_fault_hits(f) ? EBB_E_MEMORY : EBB_OK);
        cr_assert_null(ebb_arena_validate(a));
        ebb_scope_end(&a);
    }
    cr_assert(runs > 20, "%u", runs);
}
