/*
 * tests/unit/test_share.c: ebb/share.h: objects that many read, who holds them, and when they end.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 100 };

typedef struct config {
    int number;
    char *text;
    struct config *more; /* in another chunk */
} config;

static int ended; /* configs */

static void note_end(void *arg)
{
    ended += *(int *)arg ? 1 : 0;
}

static ebb_arena *build(int number, size_t more, config **ret_)
{
    ebb_arena *a = ebb_shared_begin("config");
    config *c = ebb_new(a, config);
    c->number = number;
    c->text = ebb_printf(a, "number %d", number);
    c->more = ebb_alloc(a, more + sizeof(config));
    ebb_defer(a, note_end, &c->number);
    *ret_ = c;
    return a;
}

static ebb_shared *make(int number)
{
    config *c;
    ebb_arena *a = build(number, 5000, &c);
    ebb_shared *s = ebb_shared_seal(&a, c, NULL);
    cr_assert_not_null(s);
    cr_assert_null(a);
    return s;
}

static const config *config_of(const ebb_shared *s)
{
    return ebb_shared_get(s);
}

static ebb_share_stats stats(void)
{
    ebb_share_stats s;
    ebb_share_get_stats(&s);
    return s;
}

static void none_is_alive(void)
{
    ebb_share_stats s = stats();
    cr_assert_eq(s.alive, 0u);
    cr_assert_eq(s.bytes, 0u);
    cr_assert_eq(s.weak, 0u);
    cr_assert_eq(s.deferred, 0u);
    cr_assert_eq(s.deferred_bytes, 0u);
    cr_assert_eq(s.readers, 0u);
    cr_assert_null(s.oldest);
    cr_assert_eq(ebb_share_list(NULL, 0), 0u);
}

/* ---- building -------------------------------------------------------------------------------- */

Test(share, is_what_was_built_until_the_last_drop)
{
    ebb_shared *s = make(7);
    cr_assert_eq(config_of(s)->number, 7);
    cr_assert_str_eq(config_of(s)->text, "number 7");
    cr_assert_null(ebb_shared_validate(s));
    ebb_shared *t = ebb_shared_hold(s);
    cr_assert_eq(t, s);
    ebb_shared_drop(&s);
    cr_assert_null(s);
    cr_assert_eq(ended, 0);
    cr_assert_eq(config_of(t)->number, 7);
    ebb_shared_drop(&t);
    cr_assert_eq(ended, 1);
    ebb_shared_drop(&t);
    none_is_alive();
}

Test(share, bytes_are_those_of_the_sealed_arena)
{
    config *c;
    ebb_arena *a = build(1, 300000, &c);
    ebb_arena_stats before;
    ebb_arena_get_stats(a, &before);
    ebb_shared *s = ebb_shared_seal(&a, c, NULL);
    cr_assert_eq(ebb_shared_bytes(s), before.held + 512);
    cr_assert_eq(stats().bytes, before.held + 512);
    ebb_share_info info[2];
    cr_assert_eq(ebb_share_list(info, 2), 1u);
    cr_assert_str_eq(info[0].name, "config");
    cr_assert_eq(info[0].bytes, ebb_shared_bytes(s));
    cr_assert_eq(info[0].held, 1u);
    ebb_shared_drop(&s);
    none_is_alive();
}

Test(share, abandoned_it_was_never_there)
{
    config *c;
    ebb_arena *a = build(1, 10, &c);
    ebb_arena_destroy(&a);
    cr_assert_eq(ended, 1);
    cr_assert_eq(stats().sealed, 0u);
    none_is_alive();
}

Test(share, what_was_adopted_is_part_of_it)
{
    config *c;
    ebb_arena *a = build(1, 10, &c), *part = ebb_scope_begin(NULL);
    c->more = ebb_new(part, config);
    c->more->number = 2;
    ebb_defer(part, note_end, &c->more->number);
    ebb_arena_adopt(a, &part);
    ebb_shared *s = ebb_shared_seal(&a, c, NULL);
    cr_assert_null(ebb_shared_validate(s));
    cr_assert_eq(config_of(s)->more->number, 2);
    ebb_shared_drop(&s);
    cr_assert_eq(ended, 2);
    none_is_alive();
}

Test(share, what_has_failed_is_not_sealed)
{
    ebb_arena *a = ebb_shared_begin("config");
    ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a}, &(ebb_fault_params){.nth = 1}, NULL);
    cr_assert_null(ebb_new(a, config));
    ebb_fault_end(&f);
    ebb_status why = EBB_OK;
    cr_assert_null(ebb_shared_seal(&a, NULL, &why));
    cr_assert_eq(why, EBB_E_MEMORY);
    cr_assert_not_null(a);
    ebb_arena_destroy(&a);
    none_is_alive();
}

static void refuses(ebb_arena *a, const char *because)
{
    reports r;
    ebb_status why = EBB_OK;
    ebb_arena *handle = a;
    reports_start(&r);
    cr_assert_null(ebb_shared_seal(&handle, NULL, &why));
    cr_assert_eq(why, EBB_E_INVALID);
    cr_assert_eq(handle, a);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_shared_seal", because));
    reports_stop();
}

static int refuses_in_try(ebb_arena *a, void *arg)
{
    (void)arg;
    refuses(a, "ebb_try");
    return 0;
}

Test(share, what_is_not_an_arena_of_its_own_is_not_sealed)
{
    static char buffer[4096];
    ebb_root root = EBB_ROOT_INIT;
    ebb_arena *scope = ebb_scope_begin(NULL), *a = ebb_shared_begin("it");
    refuses(scope, "scope");
    refuses(NULL, "no arena");
    ebb_scope_end(&scope);
    ebb_arena *child = ebb_scope_begin_in(a, NULL);
    refuses(a, "children");
    ebb_scope_end(&child);
    cr_assert_eq(ebb_try(a, refuses_in_try, NULL), 0);
    ebb_arena *before = ebb_scope_enter(a);
    refuses(a, "current");
    ebb_scope_leave(before);
    ebb_arena_destroy(&a);
    ebb_arena_params p = EBB_ARENA_PARAMS_INIT;
    p.buffer = buffer;
    p.buffer_size = sizeof buffer;
    a = ebb_arena_create(&p);
    refuses(a, "buffer");
    ebb_arena_destroy(&a);
    a = ebb_arena_create(NULL);
    cr_assert_null(ebb_root_get(&root, a, NULL));
    refuses(a, "root");
    ebb_arena_destroy(&a);
    none_is_alive();
}

/* The commonest slip: one object of the graph, the first, is allocated in the request's scope. */
Test(share, a_root_in_a_scope_is_not_sealed)
{
    reports r;
    ebb_status why = EBB_OK;
    ebb_arena *scope = ebb_scope_begin(NULL), *a = ebb_shared_begin("it"), *child;
    config *mine = ebb_new(scope, config);
    reports_start(&r);
    cr_assert_null(ebb_shared_seal(&a, mine, &why));
    cr_assert_eq(why, EBB_E_INVALID);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_shared_seal(\"it\")", "in a scope"), "%s", r.all);
    reports_start(&r);
    child = ebb_scope_begin_in(a, NULL);
    config *adopted = ebb_new(child, config);
    ebb_arena_adopt(a, &child);
    ebb_shared *s = ebb_shared_seal(&a, adopted, &why);
    cr_assert(s && reports_total(&r) == 0, "what was adopted is in it: %s", r.all);
    reports_stop();
    ebb_shared_drop(&s);
    ebb_scope_end(&scope);
    none_is_alive();
}

Test(share, an_arena_of_any_kind_can_be_sealed)
{
    ebb_arena *a = ebb_arena_create(NULL);
    int *n = ebb_new(a, int);
    *n = 5;
    ebb_shared *s = ebb_shared_seal(&a, n, NULL);
    cr_assert_eq(*(const int *)ebb_shared_get(s), 5);
    ebb_shared_drop(&s);
    none_is_alive();
}

/* ---- sealed ---------------------------------------------------------------------------------- */

static void one_report(reports *r)
{
    cr_assert(reports_one(r, EBB_MISUSE, "sealed", "changes no more"));
    reports_start(r);
}

Test(share, a_sealed_arena_refuses_all_that_would_change_it)
{
    config *c;
    reports r;
    ebb_arena *a = build(1, 10000, &c), *sealed = a;
    ebb_mark m = ebb_arena_mark(a);
    void *grown = ebb_resize(a, NULL, 0, 100);
    ebb_shared *s = ebb_shared_seal(&a, c, NULL);
    reports_start(&r);
    cr_assert_null(ebb_alloc(sealed, 8));
    one_report(&r);
    cr_assert_null(ebb_alloc(sealed, 1 << 20));
    one_report(&r);
    cr_assert_null(ebb_alloc_optional(sealed, 8));
    one_report(&r);
    cr_assert_null(ebb_resize(sealed, grown, 100, 150));
    one_report(&r);
    cr_assert(!ebb_defer(sealed, note_end, &c->number));
    one_report(&r);
    ebb_cleanup tie = EBB_CLEANUP_INIT;
    cr_assert(!ebb_cleanup_add(sealed, &tie, NULL));
    one_report(&r);
    ebb_arena_rewind(sealed, m);
    one_report(&r);
    ebb_arena_reset(sealed);
    one_report(&r);
    ebb_arena *child = ebb_scope_begin_in(sealed, NULL);
    cr_assert(ebb_failed(child) != EBB_OK);
    one_report(&r);
    a = sealed;
    ebb_arena_destroy(&a);
    one_report(&r);
    a = sealed;
    cr_assert_null(ebb_shared_seal(&a, c, NULL));
    one_report(&r);
    ebb_arena *other = ebb_arena_create(NULL);
    ebb_arena_adopt(other, &a);
    one_report(&r);
    reports_stop();
    ebb_arena_destroy(&other);
    cr_assert_null(ebb_shared_validate(s));
    cr_assert_str_eq(config_of(s)->text, "number 1");
    cr_assert_eq(ebb_arena_of(c), sealed);
    cr_assert_str_eq(ebb_arena_name(sealed), "config");
    ebb_shared_drop(&s);
    cr_assert_eq(ended, 1);
    none_is_alive();
}

enum { CAUGHT = 42 };

static void caught(int signal)
{
    (void)signal;
    _Exit(CAUGHT);
}

static void write_to(void *arg)
{
    signal(SIGSEGV, caught);
    signal(SIGBUS, caught);
    *(volatile char *)arg = 1;
}

static bool dies(const void *where)
{
    void *at;
    memcpy(&at, &where, sizeof at);
    death d = in_child(write_to, at);
    return !d.signalled && d.code == CAUGHT;
}

/* What lies where: small objects, one in a block of its own, the object that grew, what was
   adopted. */
Test(share, strictly_checked_it_is_read_only)
{
    if (under_valgrind())
        cr_skip_test("Memcheck takes what only read-only pages refer to for lost");
    ebb_checks_set(EBB_CHECKS_STRICT);
    config *c, *d;
    ebb_arena *a = build(1, 10, &c), *part = build(2, 10, &d);
    char *large = ebb_alloc(a, 200000), *grown = ebb_resize(a, NULL, 0, 64);
    memset(large, 7, 200000);
    memset(grown, 8, 64);
    ebb_arena_adopt(a, &part);
    ebb_shared *s = ebb_shared_seal(&a, c, NULL);
    cr_assert_null(ebb_shared_validate(s));
    cr_assert(dies(c));
    cr_assert(dies(c->text));
    cr_assert(dies(large));
    cr_assert(dies(large + 199999));
    cr_assert(dies(grown));
    cr_assert(dies(d));
    cr_assert_eq(large[199999] + grown[63], 15);
    ebb_shared_drop(&s);
    cr_assert_eq(ended, 2);
    none_is_alive();
}

static void drop_it(void *arg)
{
    ebb_shared *s = arg;
    ebb_shared_drop(&s);
}

Test(share, strictly_checked_it_ends_on_any_thread)
{
    ebb_checks_set(EBB_CHECKS_VALIDATE);
    ebb_shared *s = make(3);
    cr_assert_null(ebb_shared_validate(s));
    on_thread(drop_it, s);
    cr_assert_eq(ended, 1);
    none_is_alive();
}

/* ---- holding --------------------------------------------------------------------------------- */

Test(share, a_scope_holds_it_until_it_ends)
{
    ebb_shared *s = make(4), *mine = s;
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert(ebb_shared_hold_for(s, a));
    ebb_shared_drop(&mine);
    cr_assert_eq(ended, 0);
    cr_assert_eq(stats().held_by_scopes, 1u);
    cr_assert_eq(config_of(s)->number, 4);
    ebb_scope_end(&a);
    cr_assert_eq(ended, 1);
    none_is_alive();
}

Test(share, a_scope_that_rewinds_lets_go_of_what_is_newer)
{
    ebb_shared *s = make(4), *t = make(5);
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert(ebb_shared_hold_for(s, a));
    ebb_mark m = ebb_arena_mark(a);
    cr_assert(ebb_shared_hold_for(t, a));
    ebb_shared *p = s, *q = t;
    ebb_shared_drop(&p);
    ebb_shared_drop(&q);
    ebb_arena_rewind(a, m);
    cr_assert_eq(ended, 1);
    cr_assert_eq(config_of(s)->number, 4);
    ebb_arena_reset(a);
    cr_assert_eq(ended, 2);
    ebb_scope_end(&a);
    none_is_alive();
}

Test(share, a_scope_that_holds_it_again_takes_nothing)
{
    ebb_shared *s = make(4), *t = make(5);
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert(ebb_shared_hold_for(s, a) && ebb_shared_hold_for(t, a));
    ebb_arena_stats before, after;
    ebb_arena_get_stats(a, &before);
    for (int i = 0; i < 1000; i++) cr_assert(ebb_shared_hold_for(i & 1 ? s : t, a));
    ebb_arena_get_stats(a, &after);
    cr_assert_eq(before.used, after.used);
    cr_assert_eq(stats().held_by_scopes, 2u);
    ebb_shared_drop(&s);
    ebb_shared_drop(&t);
    ebb_scope_end(&a);
    cr_assert_eq(ended, 2);
    none_is_alive();
}

Test(share, holding_for_a_scope_fails_without_a_trace)
{
    ebb_shared *s = make(4);
    ebb_arena *a = ebb_arena_create(NULL);
    int failures = 0;
    EBB_EACH_FAILURE (f, .arena = a) {
        bool ok = ebb_shared_hold_for(s, a);
        cr_assert_eq(ok, ebb_fault_hits(f) == 0);
        failures += !ok;
        cr_assert_eq(stats().held_by_scopes, ok ? 1u : 0u);
        cr_assert_eq(ebb_failed(a), EBB_OK);
        ebb_arena_reset(a);
    }
    cr_assert(failures > 0);
    ebb_arena_destroy(&a);
    cr_assert_eq(ended, 0);
    ebb_shared_drop(&s);
    none_is_alive();
}

/* A graph that refers to another object holds it for as long as it lives. */
Test(share, an_object_holds_others)
{
    ebb_shared *s = make(4), *inner = s;
    config *c;
    ebb_arena *a = build(5, 10, &c);
    cr_assert(ebb_shared_hold_for(s, a));
    ebb_shared *t = ebb_shared_seal(&a, c, NULL);
    ebb_shared_drop(&inner);
    cr_assert_eq(config_of(s)->number, 4);
    cr_assert_eq(ended, 0);
    ebb_shared_drop(&t);
    cr_assert_eq(ended, 2);
    none_is_alive();
}

Test(share, a_long_chain_takes_no_deep_stack)
{
    const int length = (int)scaled(200000);
    ebb_shared *s = NULL;
    for (int i = 0; i < length; i++) {
        ebb_arena *a = ebb_shared_begin("link");
        int *n = ebb_new(a, int);
        *n = 1;
        ebb_defer(a, note_end, n);
        if (s) cr_assert(ebb_shared_hold_for(s, a));
        ebb_shared_drop(&s);
        s = ebb_shared_seal(&a, n, NULL);
    }
    cr_assert_eq(ended, 0);
    cr_assert_eq(stats().alive, (uint64_t)length);
    ebb_shared_drop(&s);
    cr_assert_eq(ended, length);
    none_is_alive();
}

Test(share, one_drop_too_many_is_misuse)
{
    reports r;
    ebb_shared *s = make(1), *copy = s, *copy2 = s;
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_weak *w = ebb_weak_of(s); /* so that its place is not taken by another */
    ebb_shared_drop(&s);
    reports_start(&r);
    ebb_shared_drop(&copy);
    cr_assert_null(copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_shared_drop", "has ended"));
    reports_start(&r);
    cr_assert_null(ebb_shared_hold(copy2));
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_shared_hold", "has ended"));
    reports_start(&r);
    cr_assert(!ebb_shared_hold_for(copy2, a));
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_shared_hold_for", "has ended"));
    reports_start(&r);
    cr_assert_null(ebb_weak_of(copy2));
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_weak_of", "has ended"));
    ebb_root root = EBB_ROOT_INIT;
    reports_start(&r);
    cr_assert(!ebb_root_set(&root, &copy2));
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_root_set", "has ended"));
    cr_assert_null(ebb_root_hold(&root, NULL));
    reports_stop();
    cr_assert_not_null(ebb_shared_validate(copy2));
    ebb_weak_drop(&w);
    ebb_scope_end(&a);
    none_is_alive();
}

/* ---- weak references ------------------------------------------------------------------------- */

Test(share, weak_references_upgrade_while_it_lives)
{
    ebb_shared *s = make(1);
    ebb_weak *w = ebb_weak_of(s), *v = ebb_weak_of(s);
    ebb_shared *t = ebb_weak_upgrade(w);
    cr_assert_eq(t, s);
    ebb_shared_drop(&s);
    cr_assert_eq(ended, 0);
    cr_assert_eq(config_of(t)->number, 1);
    ebb_shared_drop(&t);
    cr_assert_eq(ended, 1);
    cr_assert_null(ebb_weak_upgrade(w));
    cr_assert_null(ebb_weak_upgrade(v));
    cr_assert_eq(stats().alive, 0u);
    cr_assert_eq(stats().weak, 1u);
    ebb_weak_drop(&w);
    cr_assert_null(w);
    cr_assert_eq(stats().weak, 1u);
    cr_assert_null(ebb_weak_upgrade(v));
    ebb_weak_drop(&v);
    ebb_weak_drop(&v);
    none_is_alive();
}

Test(share, one_weak_drop_too_many_is_misuse)
{
    reports r;
    ebb_shared *s = make(1);
    ebb_weak *w = ebb_weak_of(s), *copy = w, *other;
    ebb_weak_drop(&w);
    reports_start(&r);
    ebb_weak_drop(&copy);
    cr_assert_null(copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_weak_drop(\"config\")", "more weak"), "%s", r.all);
    cr_assert_null(ebb_shared_validate(s));
    other = copy = ebb_weak_of(s);
    ebb_shared_drop(&s);
    ebb_weak_drop(&other);
    reports_start(&r);
    if (layout_is_plain()) { /* else a tool says so itself */
        ebb_weak_drop(&copy);
        cr_assert(reports_one(&r, EBB_MISUSE, "ebb_weak_drop", "more weak"), "%s", r.all);
    }
    reports_stop();
    none_is_alive();
}

static ebb_weak *self;
static bool upgraded;

static void upgrade_self(void *arg)
{
    (void)arg;
    upgraded = ebb_weak_upgrade(self) != NULL;
}

Test(share, an_object_that_ends_is_not_held_again)
{
    ebb_arena *a = ebb_shared_begin(NULL);
    ebb_defer(a, upgrade_self, NULL);
    ebb_shared *s = ebb_shared_seal(&a, NULL, NULL);
    self = ebb_weak_of(s);
    upgraded = true;
    ebb_shared_drop(&s);
    cr_assert(!upgraded);
    ebb_weak_drop(&self);
    none_is_alive();
}

/* ---- roots ----------------------------------------------------------------------------------- */

static ebb_profile patient = EBB_PROFILE("patient", .long_lived = true);
static ebb_profile quick = EBB_PROFILE("quick");

static void set(ebb_root *root, int number)
{
    ebb_shared *s = number ? make(number) : NULL;
    cr_assert(ebb_root_set(root, &s));
    cr_assert_null(s);
}

static int number_in(ebb_root *root, ebb_arena *a)
{
    ebb_status why = EBB_E_IO;
    const config *c = ebb_root_get(root, a, &why);
    cr_assert_eq(why, EBB_OK);
    return c ? c->number : 0;
}

Test(share, a_root_has_what_was_set_last)
{
    ebb_root root = EBB_ROOT_INIT;
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert_eq(number_in(&root, a), 0);
    set(&root, 1);
    cr_assert_eq(number_in(&root, a), 1);
    ebb_scope_end(&a);
    set(&root, 2);
    cr_assert_eq(ended, 1);
    ebb_status why = EBB_E_IO;
    ebb_shared *s = ebb_root_hold(&root, &why);
    cr_assert_eq(why, EBB_OK);
    set(&root, 0);
    cr_assert_eq(ended, 1);
    cr_assert_eq(config_of(s)->number, 2);
    ebb_shared_drop(&s);
    cr_assert_eq(ended, 2);
    cr_assert_null(ebb_root_hold(&root, &why));
    cr_assert_eq(why, EBB_OK);
    none_is_alive();
}

Test(share, what_a_scope_read_stays_until_it_ends)
{
    ebb_root root = EBB_ROOT_INIT;
    set(&root, 1);
    ebb_arena *a = ebb_scope_begin(&quick), *b = ebb_scope_begin(NULL);
    const config *one = ebb_root_get(&root, a, NULL);
    set(&root, 2);
    ebb_mark m = ebb_arena_mark(a);
    const config *two = ebb_root_get(&root, a, NULL);
    cr_assert_eq(ebb_root_get(&root, b, NULL), two);
    ebb_arena_rewind(a, m);
    set(&root, 3);
    cr_assert_eq(one->number + two->number, 3);
    cr_assert_eq(ended, 0);
    ebb_share_stats s = stats();
    cr_assert_eq(s.deferred, 2u);
    cr_assert(s.deferred_bytes > 10000);
    cr_assert_eq(s.readers, 2u);
    cr_assert_str_eq(s.oldest, "quick");
    ebb_scope_end(&a);
    cr_assert_eq(ended, 1);
    cr_assert_eq(two->number, 2);
    ebb_arena_reset(b);
    cr_assert_eq(ended, 2);
    ebb_scope_end(&b);
    set(&root, 0);
    cr_assert_eq(ended, 3);
    none_is_alive();
}

static void end_scope(void *arg)
{
    ebb_arena *a = arg;
    ebb_scope_attach(a);
    ebb_scope_end(&a);
}

Test(share, a_scope_that_has_ended_does_not_read)
{
    if (!layout_is_plain()) cr_skip_test("the tool says so itself");
    reports r;
    ebb_root root = EBB_ROOT_INIT;
    ebb_status why = EBB_OK;
    ebb_shared *s = make(1);
    cr_assert(ebb_root_set(&root, &s));
    ebb_arena *a = ebb_scope_begin(NULL), *copy = a;
    ebb_scope_end(&a);
    reports_start(&r);
    cr_assert_null(ebb_root_get(&root, copy, &why));
    cr_assert_eq(why, EBB_E_INVALID);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_root_get", "already ended"), "%s", r.all);
    reports_stop();
    cr_assert(ebb_root_set(&root, &s));
    none_is_alive();
}

Test(share, a_scope_that_reads_may_end_elsewhere)
{
    ebb_root root = EBB_ROOT_INIT;
    set(&root, 1);
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert_eq(number_in(&root, a), 1);
    set(&root, 0);
    cr_assert_eq(ended, 0);
    on_thread(end_scope, ebb_scope_detach(&a));
    cr_assert_eq(ended, 1);
    none_is_alive();
}

Test(share, a_child_that_is_adopted_reads_on)
{
    ebb_root root = EBB_ROOT_INIT;
    set(&root, 1);
    ebb_arena *a = ebb_scope_begin(NULL), *child = ebb_scope_begin_in(a, NULL);
    const config *one = ebb_root_get(&root, child, NULL);
    ebb_arena_adopt(a, &child);
    set(&root, 0);
    cr_assert_eq(one->number, 1);
    cr_assert_eq(ended, 0);
    ebb_scope_end(&a);
    cr_assert_eq(ended, 1);
    none_is_alive();
}

Test(share, a_scope_that_lives_long_holds_back_only_what_it_read)
{
    ebb_root root = EBB_ROOT_INIT;
    set(&root, 1);
    ebb_arena *a = ebb_scope_begin(&patient);
    const config *one = ebb_root_get(&root, a, NULL);
    ebb_mark m = ebb_arena_mark(a);
    for (int i = 0; i < 1000; i++) cr_assert_eq(ebb_root_get(&root, a, NULL), one);
    cr_assert_eq(stats().held_by_scopes, 1u);
    cr_assert_eq(stats().readers, 0u);
    set(&root, 2);
    set(&root, 3);
    cr_assert_eq(ended, 1);
    cr_assert_eq(one->number, 1);
    cr_assert_eq(number_in(&root, a), 3);
    ebb_arena_rewind(a, m);
    set(&root, 0);
    cr_assert_eq(ended, 1);
    cr_assert_eq(one->number, 1);
    ebb_scope_end(&a);
    cr_assert_eq(ended, 3);
    none_is_alive();
}

/* What is being built may live for ever, so it counts what it reads. */
Test(share, an_object_being_built_holds_what_it_reads)
{
    ebb_root root = EBB_ROOT_INIT;
    set(&root, 1);
    config *c;
    ebb_arena *a = build(2, 10, &c);
    const config *one = ebb_root_get(&root, a, NULL);
    cr_assert_eq(stats().readers, 0u);
    ebb_shared *s = ebb_shared_seal(&a, c, NULL);
    set(&root, 0);
    cr_assert_eq(ended, 0);
    cr_assert_eq(one->number, 1);
    ebb_shared_drop(&s);
    cr_assert_eq(ended, 2);
    none_is_alive();
}

/* Hundreds of readers that end in no particular order, while things are replaced. */
Test(share, the_last_reader_to_leave_lets_go)
{
    enum { SCOPES = 300 };
    ebb_root root = EBB_ROOT_INIT;
    ebb_arena *a[SCOPES];
    rng r = {1};
    for (int i = 0; i < SCOPES; i++) {
        if (i % 3 == 0) set(&root, i + 1);
        a[i] = ebb_scope_begin(NULL);
        number_in(&root, a[i]);
    }
    set(&root, 0);
    for (int left = SCOPES; left > 0; left--) {
        size_t i = rng_below(&r, (size_t)left);
        ebb_scope_end(&a[i]);
        a[i] = a[left - 1];
    }
    cr_assert_eq(ended, SCOPES / 3);
    none_is_alive();
}

/* ---- canonical objects ----------------------------------------------------------------------- */

static bool has_number(void *ctx, const void *root)
{
    return ((const config *)root)->number == *(int *)ctx;
}

static ebb_shared *canonical(ebb_canon *c, int number)
{
    ebb_shared *s = make(number);
    cr_assert(ebb_canon_put(c, ebb_hash_u64((uint64_t)number, 0), has_number, &number, &s));
    return s;
}

static ebb_shared *find(ebb_canon *c, int number)
{
    return ebb_canon_find(c, ebb_hash_u64((uint64_t)number, 0), has_number, &number);
}

Test(share, the_same_content_is_the_same_object)
{
    ebb_canon *c = ebb_canon_create();
    cr_assert_null(find(c, 1));
    ebb_shared *s = canonical(c, 1), *t = canonical(c, 1), *u = canonical(c, 2);
    cr_assert_eq(s, t);
    cr_assert(u != s);
    cr_assert_eq(ended, 1);
    ebb_shared *f = find(c, 1);
    cr_assert_eq(f, s);
    cr_assert_eq(ebb_canon_len(c), 2u);
    ebb_shared_drop(&s);
    ebb_shared_drop(&t);
    ebb_shared_drop(&f);
    cr_assert_eq(ended, 2);
    cr_assert_null(find(c, 1));
    s = canonical(c, 1);
    cr_assert_eq(ebb_canon_len(c), 2u);
    ebb_shared_drop(&s);
    ebb_canon_destroy(&c);
    cr_assert_null(c);
    cr_assert_eq(config_of(u)->number, 2);
    ebb_shared_drop(&u);
    none_is_alive();
}

Test(share, a_table_of_what_has_ended_does_not_grow)
{
    ebb_canon *c = ebb_canon_create();
    for (int i = 1; i < 3000; i++) {
        ebb_shared *s = canonical(c, i);
        ebb_shared_drop(&s);
        cr_assert_null(find(c, i));
    }
    cr_assert(ebb_canon_len(c) <= 16 * 12);
    cr_assert(stats().weak <= 16 * 12);
    ebb_canon_destroy(&c);
    none_is_alive();
}

Test(share, one_hash_for_all_is_slow_but_right)
{
    enum { N = 100 };
    ebb_canon *c = ebb_canon_create();
    ebb_shared *s[N];
    for (int i = 0; i < N; i++) {
        int n = i + 1;
        s[i] = make(n);
        cr_assert(ebb_canon_put(c, 0, has_number, &n, &s[i]));
    }
    for (int i = 0; i < N; i += 2) ebb_shared_drop(&s[i]);
    for (int i = 0; i < N; i++) {
        int n = i + 1;
        ebb_shared *f = ebb_canon_find(c, 0, has_number, &n);
        cr_assert_eq(f, s[i]);
        ebb_shared_drop(&f);
    }
    for (int i = 1; i < N; i += 2) ebb_shared_drop(&s[i]);
    ebb_canon_destroy(&c);
    none_is_alive();
}

Test(share, a_table_that_can_not_grow_is_as_it_was)
{
    enum { N = 200 };
    ebb_canon *c = ebb_canon_create();
    ebb_shared *s[N];
    unsigned failures = 0;
    for (int i = 0; i < N; i++) {
        int n = i + 1;
        s[i] = make(n);
        EBB_EACH_FAILURE (f, .arena = NULL) {
            ebb_shared *before = s[i];
            bool ok = ebb_canon_put(c, ebb_hash_u64((uint64_t)n, 0), has_number, &n, &s[i]);
            cr_assert_eq(before, s[i]);
            failures += !ok;
            ebb_shared *t = find(c, n);
            cr_assert_eq(t, ok ? s[i] : NULL);
            ebb_shared_drop(&t);
            if (ok) break;
        }
    }
    cr_assert(failures > 0);
    for (int i = 0; i < N; i++) {
        ebb_shared *t = find(c, i + 1);
        cr_assert_eq(t, s[i]);
        ebb_shared_drop(&t);
        ebb_shared_drop(&s[i]);
    }
    ebb_canon_destroy(&c);
    none_is_alive();
}

/* ---- no memory at all ------------------------------------------------------------------------ */

/* Take the blocks that bookkeeping is made of until there are no more. */
static void use_up(void)
{
    static int data;
    for (;;) {
        ebb_arena *a = ebb_scope_begin(NULL);
        bool ok = ebb_scope_set_data(a, &data);
        if (!ok || ebb_scope_detach(&a) == NULL) return; /* it stays open */
    }
}

static void all_fail(void *arg)
{
    static test_source source;
    ebb_root root = EBB_ROOT_INIT;
    ebb_status why = EBB_OK;
    ebb_shared *s = make(1), *same = s;
    set(&root, 2);
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin(&patient);
    ebb_arena *built = ebb_shared_begin("built");
    const bool plain = layout_is_plain();
    test_source_init(&source);
    source.fail_all = true;
    cr_assert_eq(ebb_source_set(&source.source), EBB_OK);
    use_up();
    cr_assert(!ebb_root_set(&root, &s));
    cr_assert_eq(s, same);
    if (plain) { /* else a scope has what it needs from its beginning */
        cr_assert_null(ebb_root_get(&root, a, &why));
        cr_assert_eq(why, EBB_E_MEMORY);
    } else {
        cr_assert_not_null(ebb_root_get(&root, a, NULL));
    }
    why = EBB_OK;
    cr_assert_null(ebb_root_get(&root, b, &why));
    cr_assert_eq(why, EBB_E_MEMORY);
    why = EBB_OK;
    cr_assert_null(ebb_shared_seal(&built, NULL, &why));
    cr_assert_eq(why, EBB_E_MEMORY);
    cr_assert_not_null(built);
    ebb_share_stats now = stats();
    cr_assert_eq(now.alive, 2u);
    cr_assert_eq(now.readers, plain ? 0u : 1u);
    cr_assert_eq(now.deferred, 0u);
    *(bool *)arg = true;
}

/* In a child, since it leaves the process without memory. */
Test(share, without_memory_nothing_changes)
{
    bool done = false;
    death d = in_child(all_fail, &done);
    cr_assert(lived(&d));
}
