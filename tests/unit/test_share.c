/* tests/unit/test_share.c: shared objects, one promise of ebb/share.h after the other. */
#include "support.h"
#include "test.h"

#include <ebb/ebb.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct config {
    int number;
    const char *text;
};

static int ended;
static ebb_profile profile = EBB_PROFILE("readers");
static ebb_profile patient = EBB_PROFILE("patient", .long_lived = true);

static void count_end(void *arg)
{
    (void)arg;
    ended++;
}

static ebb_shared *make(int number)
{
    ebb_arena *a = ebb_shared_begin("config");
    struct config *c = ebb_new(a, struct config);
    c->number = number;
    c->text = ebb_printf(a, "number %d", number);
    cr_assert(ebb_defer(a, count_end, NULL));
    ebb_shared *s = ebb_shared_seal(&a, c, NULL);
    cr_assert_not_null(s);
    cr_assert_null(a);
    return s;
}

static int number_of(const void *config)
{
    return config ? ((const struct config *)config)->number : -1;
}

static ebb_share_stats stats(void)
{
    ebb_share_stats s;
    ebb_share_get_stats(&s);
    return s;
}

static void nothing_is_left(void)
{
    cr_assert_eq(ebb_share_collect(), 0);
    cr_assert_eq(stats().alive, 0);
    cr_assert_eq(stats().bytes, 0);
    cr_assert_eq(stats().weak, 0);
    cr_assert_eq(stats().readers, 0);
}

Test(share, the_last_to_drop_it_ends_it)
{
    ended = 0;
    ebb_shared *s = make(1), *t = ebb_shared_hold(s);
    cr_assert_eq(t, s);
    cr_assert_str_eq(((const struct config *)ebb_shared_get(s))->text, "number 1");
    cr_assert(ebb_shared_bytes(s) > 192);
    cr_assert_eq(stats().bytes, ebb_shared_bytes(s));
    ebb_shared_drop(&s);
    cr_assert_null(s);
    cr_assert_eq(ended, 0);
    ebb_shared_drop(&t);
    cr_assert_eq(ended, 1);
    ebb_shared_drop(&t);
    nothing_is_left();
}

Test(share, a_scope_holds_until_it_ends)
{
    ended = 0;
    ebb_shared *s = make(2);
    ebb_arena *a = ebb_scope_begin(&profile);
    const void *root = ebb_shared_hold_for(s, a);
    cr_assert_eq(number_of(root), 2);
    ebb_mark m = ebb_arena_mark(a);
    cr_assert_not_null(ebb_shared_hold_for(s, a));
    ebb_shared_drop(&s);
    ebb_arena_rewind(a, m);
    cr_assert_eq(ended, 0);
    cr_assert_eq(number_of(root), 2);
    ebb_scope_end(&a);
    cr_assert_eq(ended, 1);
    nothing_is_left();
}

Test(share, nothing_is_allocated_in_what_is_sealed)
{
    ebb_arena *a = ebb_shared_begin("config"), *copy = a;
    int *one = ebb_new(a, int);
    ebb_shared *s = ebb_shared_seal(&a, one, NULL);
    cr_assert_null(ebb_alloc(copy, 8));
    cr_assert_eq(ebb_failed(copy), EBB_E_UNSUPPORTED);
    ebb_shared_drop(&s);
    nothing_is_left();
}

Test(share, what_can_t_be_sealed)
{
    reports r;
    ebb_status why = EBB_OK;
    ebb_arena *a = ebb_shared_begin("config"), *child = ebb_scope_begin_in(a, &profile);
    reports_start(&r);
    cr_assert_null(ebb_shared_seal(&a, NULL, &why));
    reports_one(&r, EBB_MISUSE, "ebb_shared_seal", "it has children");
    reports_stop();
    cr_assert_eq(why, EBB_E_INVALID);
    cr_assert_not_null(a);
    reports_start(&r);
    cr_assert_null(ebb_shared_seal(&child, NULL, &why));
    reports_one(&r, EBB_MISUSE, "ebb_shared_seal", "it is a scope");
    reports_stop();
    ebb_scope_end(&child);
    ebb_arena_destroy(&a);
    nothing_is_left();
}

Test(share, a_weak_reference_upgrades_or_fails)
{
    ebb_shared *s = make(3);
    ebb_weak *w = ebb_weak_of(s);
    ebb_shared *t = ebb_weak_upgrade(w);
    cr_assert_eq(t, s);
    ebb_shared_drop(&s);
    cr_assert_eq(number_of(ebb_shared_get(t)), 3);
    ebb_shared_drop(&t);
    cr_assert_null(ebb_weak_upgrade(w));
    cr_assert_eq(stats().weak, 1);
    ebb_weak_drop(&w);
    cr_assert_null(w);
    nothing_is_left();
}

Test(share, what_a_root_had_stays_while_a_scope_reads)
{
    ended = 0;
    ebb_root root = EBB_ROOT_INIT;
    ebb_shared *s = make(4), *t = make(5), *none = NULL;
    ebb_status why = EBB_E_MEMORY;
    ebb_arena *a = ebb_scope_begin(&profile);
    cr_assert_null(ebb_root_get(&root, a, &why));
    cr_assert_eq(why, EBB_OK);
    cr_assert(ebb_root_set(&root, &s));
    cr_assert_null(s);
    const void *old = ebb_root_get(&root, a, NULL);
    cr_assert(ebb_root_set(&root, &t));
    ebb_share_collect();
    cr_assert_eq(ended, 0);
    cr_assert_eq(number_of(old), 4);
    cr_assert_eq(number_of(ebb_root_get(&root, a, NULL)), 5);
    cr_assert_eq(stats().deferred, 1);
    cr_assert_str_eq(stats().oldest, "readers");
    ebb_scope_end(&a);
    ebb_share_collect();
    cr_assert_eq(ended, 1);
    cr_assert(ebb_root_set(&root, &none));
    nothing_is_left();
}

Test(share, a_rewind_leaves_what_was_read)
{
    ebb_root root = EBB_ROOT_INIT;
    ebb_shared *s = make(6);
    ebb_root_set(&root, &s);
    ebb_arena *a = ebb_scope_begin(&profile);
    ebb_mark m = ebb_arena_mark(a);
    const void *old = ebb_root_get(&root, a, NULL);
    ebb_arena_rewind(a, m);
    ebb_root_set(&root, NULL);
    ebb_share_collect();
    cr_assert_eq(number_of(old), 6);
    ebb_scope_end(&a);
    nothing_is_left();
}

Test(share, a_long_lived_scope_counts)
{
    ended = 0;
    ebb_root root = EBB_ROOT_INIT;
    ebb_shared *s = make(7), *t = make(8);
    ebb_root_set(&root, &s);
    ebb_arena *a = ebb_scope_begin(&patient);
    const void *old = ebb_root_get(&root, a, NULL);
    cr_assert_eq(stats().readers, 0);
    ebb_root_set(&root, &t);
    ebb_root_set(&root, NULL);
    ebb_share_collect();
    cr_assert_eq(ended, 1, "what it did not read is gone");
    cr_assert_eq(number_of(old), 7);
    ebb_scope_end(&a);
    cr_assert_eq(ended, 2);
    nothing_is_left();
}

static bool has_number(void *ctx, const void *root)
{
    return number_of(root) == *(int *)ctx;
}

Test(share, each_content_has_one_object)
{
    ebb_canon *c = ebb_canon_create("configs");
    int nine = 9, ten = 10;
    ebb_shared *s = make(9), *again = make(9), *other = make(10);
    cr_assert_null(ebb_canon_find(c, 77, has_number, &nine));
    cr_assert(ebb_canon_put(c, 77, has_number, &nine, &s));
    cr_assert(ebb_canon_put(c, 77, has_number, &ten, &other)); /* of the same hash */
    cr_assert(ebb_canon_put(c, 77, has_number, &nine, &again));
    cr_assert_eq(again, s);
    ebb_shared_drop(&again);
    again = ebb_canon_find(c, 77, has_number, &ten);
    cr_assert_eq(again, other);
    ebb_shared_drop(&again);
    ebb_shared_drop(&other);
    cr_assert_null(ebb_canon_find(c, 77, has_number, &ten), "the table does not keep it");
    ebb_shared_drop(&s);
    ebb_canon_destroy(&c);
    nothing_is_left();
}

Test(share, a_canonical_table_forgets_the_dead)
{
    ebb_canon *c = ebb_canon_create("configs");
    for (int i = 0; i < 10000; i++) {
        ebb_shared *s = make(i);
        cr_assert(ebb_canon_put(c, (uint64_t)i * 0x9e3779b97f4a7c15u, has_number, &i, &s));
        ebb_shared_drop(&s);
    }
    cr_assert(stats().weak < 3000);
    ebb_canon_destroy(&c);
    nothing_is_left();
}

Test(share, dropping_more_than_was_held_is_told)
{
    reports r;
    ebb_shared *s = make(11);
    ebb_weak *w = ebb_weak_of(s); /* so that its place stays */
    ebb_shared *copy = s;
    ebb_shared_drop(&s);
    reports_start(&r);
    ebb_shared_drop(&copy);
    reports_one(&r, EBB_MISUSE, "ebb_shared_drop", "dropped more often");
    reports_stop();
    ebb_weak_drop(&w);
    nothing_is_left();
}

Test(share, a_write_to_a_sealed_object_stops_the_program)
{
    ebb_checks_set(EBB_CHECKS_STRICT);
    ebb_shared *s = make(12);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        ((struct config *)(uintptr_t)ebb_shared_get(s))->number = 13;
        _exit(0);
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(!WIFEXITED(status) || WEXITSTATUS(status) != 0, "it was written to");
    cr_assert_eq(number_of(ebb_shared_get(s)), 12);
    ebb_shared_drop(&s);
    nothing_is_left();
}

Test(share, one_that_was_never_sealed)
{
    ebb_checks_set(EBB_CHECKS_STRICT);
    ebb_arena *a = ebb_shared_begin("abandoned");
    cr_assert_not_null(ebb_alloc(a, 100000));
    ebb_arena_destroy(&a);
    nothing_is_left();
}
