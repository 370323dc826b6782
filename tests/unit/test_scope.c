/*
 * tests/unit/test_scope.c: ebb/scope.h: life, current, holder; lexical scopes; threads and fork.
 */
#include "test.h"

#include <ebb/compat/malloc.h>
#include <ebb/ebb.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KIB = 1 << 10, MIB = 1 << 20 };

static ebb_arena_stats stats_of(const ebb_arena *a)
{
    ebb_arena_stats s;
    ebb_arena_get_stats(a, &s);
    return s;
}

static char order[256];

static void note(void *letter)
{
    strncat(order, letter, sizeof order - strlen(order) - 1);
}

static ebb_profile post = EBB_PROFILE("POST /vms");

/* ---- begin and end ----------------------------------------------------------------------------- */

Test(scope, begins_as_a_root)
{
    ebb_arena *a = ebb_scope_begin(&post);
    cr_assert_not_null(a);
    cr_assert_null(ebb_arena_parent(a));
    cr_assert_str_eq(ebb_arena_name(a), "POST /vms");
    cr_assert_null(ebb_scope_current(), "beginning makes nothing current");
    cr_assert_null(ebb_scope_data(a));
    cr_assert_null(ebb_arena_validate(a));
    ebb_scope_end(&a);
    cr_assert_null(a);
}

Test(scope, a_null_profile_is_anonymous)
{
    for (int i = 0; i < 100; i++) {
        ebb_arena *a = ebb_scope_begin(NULL);
        memset(ebb_alloc(a, 100), 1, 100);
        ebb_scope_end(&a);
    }
}

static void begin_without_memory(void *source)
{
    test_source *s = source;
    s->fail_all = true;
    ebb_source_set(&s->source);
    ebb_arena *a = ebb_scope_begin(&post), *b = ebb_scope_begin(NULL);
    ebb_arena *c = ebb_scope_begin_in(a, NULL);
    if (!a || !b || !c) _Exit(1);
    if (ebb_failed(a) != EBB_E_MEMORY || ebb_alloc(a, 1) || ebb_alloc(c, 0)) _Exit(2);
    if (ebb_scope_set_data(a, a) || ebb_scope_data(a)) _Exit(3);
    ebb_scope_keep_open(c);
    ebb_arena *previous = ebb_scope_enter(a);
    if (ebb_hook_malloc(10)) _Exit(4);
    ebb_scope_leave(previous);
    ebb_arena *d = ebb_scope_detach(&b);
    ebb_scope_attach(d);
    ebb_arena_adopt(a, &c);
    if (b || c) _Exit(5);
    ebb_scope_end(&a);
    ebb_scope_end(&d);
    if (a || d) _Exit(6);
    {
        EBB_SCOPE(e, NULL);
        if (ebb_alloc(e, 1)) _Exit(7);
    }
    s->fail_all = false;
    a = ebb_scope_begin(&post);
    if (ebb_failed(a) || !ebb_alloc(a, 5000)) _Exit(8);
    ebb_scope_end(&a);
}

Test(scope, without_memory_it_has_failed_already)
{
    static test_source s;
    test_source_init(&s);
    death d = in_child(begin_without_memory, &s);
    cr_assert(lived(&d));
}

Test(scope, end_nulls_its_handle_first)
{
    for (int i = 0; i < 40; i++) {
        ebb_arena *a = ebb_scope_begin(NULL);
        struct {
            ebb_arena *scope;
        } *call = ebb_alloc(a, sizeof *call);
        call->scope = a;
        for (int k = 0; k < i; k++) ebb_alloc(a, 300);
        ebb_scope_end(&call->scope);
    }
    ebb_arena *none = NULL;
    ebb_scope_end(&none);
}

static void look_at_handle(void *handle)
{
    note(*(ebb_arena **)handle ? "?" : "0");
}

Test(scope, the_handle_is_null_while_cleanups_run)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_defer(a, look_at_handle, &a);
    ebb_scope_end(&a);
    cr_assert_str_eq(order, "0");
}

Test(scope, end_runs_cleanups_newest_first)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_defer(a, note, "a");
    ebb_alloc(a, 100 * KIB);
    ebb_defer(a, note, "b");
    ebb_scope_end(&a);
    cr_assert_str_eq(order, "ba");
}

Test(scope, memory_is_used_again_by_the_next)
{
    if (!layout_is_plain()) cr_skip_test("blocks are held back under this tool");
    ebb_arena *a = ebb_scope_begin(&post);
    void *p = ebb_alloc(a, 50);
    ebb_scope_end(&a);
    a = ebb_scope_begin(&post);
    cr_assert_eq(ebb_alloc(a, 50), p, "the head on top of the stack");
    ebb_scope_end(&a);
}

/* ---- children ---------------------------------------------------------------------------------- */

Test(scope, children_end_with_their_parent_youngest_first_and_reported)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_scope_begin(&post), *child[5];
    ebb_defer(a, note, "p");
    const char *names[] = {"0", "1", "2", "3", "4"};
    for (int i = 0; i < 5; i++) {
        child[i] = ebb_scope_begin_in(a, NULL);
        ebb_defer(child[i], note, (void *)(uintptr_t)names[i]);
    }
    ebb_scope_end(&child[2]);
    cr_assert_str_eq(order, "2");
    cr_assert_eq(stats_of(a).children, 4u);
    ebb_scope_end(&a);
    cr_assert_str_eq(order, "24310p");
    cr_assert_eq(r.mended, 4u);
    cr_assert_eq(r.misuse, 0u);
    cr_assert_not_null(strstr(r.text, "ebb_scope_end(\"POST /vms\")"), "%s", r.text);
    reports_stop();
}

Test(scope, grandchildren_end_too)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin_in(a, NULL);
    ebb_arena *c = ebb_scope_begin_in(b, NULL);
    ebb_defer(c, note, "c");
    ebb_defer(b, note, "b");
    ebb_defer(a, note, "a");
    ebb_scope_end(&a);
    cr_assert_str_eq(order, "cba");
    cr_assert_eq(r.mended, 2u);
    reports_stop();
}

Test(scope, one_meant_to_stay_open_is_not_reported)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_scope_begin(NULL), *child = ebb_scope_begin_in(a, NULL);
    ebb_defer(child, note, "c");
    ebb_scope_keep_open(child);
    ebb_scope_keep_open(a); /* nothing to a root */
    ebb_scope_end(&a);
    cr_assert_str_eq(order, "c");
    cr_assert_eq(reports_total(&r), 0u, "%s", r.all);
    reports_stop();
}

Test(scope, wipe_is_inherited)
{
    if (!layout_is_plain()) cr_skip_test("what was freed is poisoned under this tool");
    static ebb_profile secret = EBB_PROFILE("secret", .wipe = true);
    ebb_arena *a = ebb_scope_begin(&secret), *b = ebb_scope_begin_in(a, NULL);
    char *p = memset(ebb_alloc(b, 100), 0x5e, 100);
    cr_assert_eq(ebb_resize(b, p, 100, 10), (void *)p);
    cr_assert_eq(bytes_check(p + 10, 0, 90), 90u);
    ebb_scope_end(&b);
    ebb_scope_end(&a);
}

Test(scope, a_profile_that_wipes)
{
    if (!layout_is_plain()) cr_skip_test("what was freed is poisoned under this tool");
    static ebb_profile secret = EBB_PROFILE("secret", .wipe = true);
    ebb_arena *a = ebb_scope_begin(&secret);
    char *p = memset(ebb_alloc(a, 100), 0x5e, 100);
    ebb_mark m = ebb_arena_mark(a);
    char *q = memset(ebb_alloc(a, 100), 0x5e, 100);
    ebb_arena_rewind(a, m);
    cr_assert_eq(bytes_check(q, 0, 100), 100u);
    ebb_scope_end(&a);
    cr_assert_eq(bytes_check(p, 0, 100), 100u); /* the head is still there, if nobody's */
}

Test(scope, a_thousand_children)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    static ebb_arena *child[1000];
    for (size_t i = 0; i < 1000; i++)
        pattern_fill(ebb_alloc(child[i] = ebb_scope_begin_in(a, NULL), 50), 50, i);
    cr_assert_eq(stats_of(a).children, 1000u);
    cr_assert_null(ebb_arena_validate(a));
    rng r = {4};
    for (size_t n = 1000; n > 0; n--) {
        size_t i = rng_below(&r, n);
        ebb_scope_end(&child[i]);
        child[i] = child[n - 1];
        if (n % 100 == 0) cr_assert_null(ebb_arena_validate(a));
    }
    cr_assert_eq(stats_of(a).children, 0u);
    ebb_scope_end(&a);
}

/* ---- data -------------------------------------------------------------------------------------- */

Test(scope, data_is_kept)
{
    int x = 0, y = 0;
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_arena_create(NULL);
    cr_assert_null(ebb_scope_data(a));
    cr_assert(ebb_scope_set_data(a, &x));
    cr_assert(ebb_scope_set_data(b, &y));
    cr_assert_eq(ebb_scope_data(a), (void *)&x);
    cr_assert_eq(ebb_scope_data(b), (void *)&y);
    cr_assert(ebb_scope_set_data(a, NULL));
    cr_assert_null(ebb_scope_data(a));
    ebb_scope_end(&a);
    ebb_arena_destroy(&b);
    a = ebb_scope_begin(NULL);
    cr_assert(ebb_scope_set_data(a, &x));
    ebb_scope_end(&a);
    a = ebb_scope_begin(NULL);
    cr_assert_null(ebb_scope_data(a), "none of the last one's");
    ebb_scope_end(&a);
}

/* ---- parked ------------------------------------------------------------------------------------ */

Test(scope, ten_thousand_may_be_parked)
{
    enum { N = 10000 };
    unsigned long n = scaled(N) < 100 ? 100 : scaled(N);
    ebb_arena **a = calloc(n, sizeof *a);
    char **p = calloc(n * 3, sizeof *p);
    rng r = {11};
    for (unsigned long i = 0; i < n; i++) {
        a[i] = ebb_scope_begin(i % 3 ? &post : NULL);
        cr_assert_null(ebb_arena_parent(a[i]), "what is parked is nobody's parent");
    }
    for (size_t k = 0; k < 3; k++)
        for (unsigned long i = 0; i < n; i++)
            pattern_fill(p[i * 3 + k] = ebb_alloc(a[i], 40 + k * 100), 40 + k * 100, i * 3 + k);
    for (unsigned long left = n; left > 0; left--) {
        unsigned long i = rng_below(&r, left);
        for (size_t k = 0; k < 3; k++)
            cr_assert_eq(pattern_check(p[i * 3 + k], 40 + k * 100, i * 3 + k), 40 + k * 100);
        ebb_scope_end(&a[i]);
        a[i] = a[left - 1];
        for (size_t k = 0; k < 3; k++) p[i * 3 + k] = p[(left - 1) * 3 + k];
        if (i == left - 1) continue;
        for (size_t k = 0; k < 3; k++) /* its patterns have the old place's seeds */
            pattern_fill(p[i * 3 + k], 40 + k * 100, i * 3 + k);
    }
    free(a);
    free(p);
}

Test(scope, small_parked_scopes_are_small)
{
    if (!layout_is_plain()) cr_skip_test("red zones take room too");
    enum { N = 10000 };
    static ebb_profile tiny = EBB_PROFILE("tiny");
    for (int i = 0; i < 2000; i++) { /* let it learn */
        ebb_arena *a = ebb_scope_begin(&tiny);
        for (int k = 0; k < 8; k++) ebb_alloc(a, 30);
        ebb_scope_end(&a);
    }
    static ebb_arena *a[N];
    for (int i = 0; i < N; i++) {
        a[i] = ebb_scope_begin(&tiny);
        for (int k = 0; k < 8; k++) ebb_alloc(a[i], 30);
        cr_assert_eq(stats_of(a[i]).held, 320u);
    }
    for (int i = 0; i < N; i++) ebb_scope_end(&a[i]);
}

/* ---- current ----------------------------------------------------------------------------------- */

Test(scope, enter_returns_what_was_and_leave_restores_it)
{
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin(NULL);
    cr_assert_null(ebb_scope_current());
    ebb_arena *before = ebb_scope_enter(a);
    cr_assert_null(before);
    cr_assert_eq(ebb_scope_current(), a);
    ebb_arena *between = ebb_scope_enter(b);
    cr_assert_eq(between, a);
    cr_assert_eq(ebb_scope_current(), b);
    ebb_arena *heap = ebb_scope_enter(NULL);
    cr_assert_eq(heap, b);
    cr_assert_null(ebb_scope_current(), "the heap");
    ebb_scope_leave(heap);
    ebb_scope_leave(between);
    cr_assert_eq(ebb_scope_current(), a);
    ebb_scope_leave(before);
    cr_assert_null(ebb_scope_current());
    ebb_scope_end(&a);
    ebb_scope_end(&b);
}

static void see_current(void *arg)
{
    *(ebb_arena **)arg = ebb_scope_current();
}

Test(scope, current_is_each_threads_own)
{
    ebb_arena *a = ebb_scope_begin(NULL), *there = a;
    EBB_ENTER(a);
    on_thread(see_current, &there);
    cr_assert_null(there);
    cr_assert_eq(ebb_scope_current(), a);
    ebb_scope_leave(NULL);
    ebb_scope_end(&a);
}

Test(scope, leaving_to_one_that_has_ended_is_reported)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin(NULL);
    ebb_arena *none = ebb_scope_enter(a), *previous = ebb_scope_enter(b);
    (void)none;
    ebb_scope_end(&a);
    ebb_scope_leave(previous);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_scope_leave", "ended"));
    cr_assert_null(ebb_scope_current(), "the heap is current");
    void *p = ebb_hook_malloc(10);
    cr_assert(p && !ebb_arena_of(p));
    free(p);
    ebb_scope_end(&b);
    reports_stop();
}

static int enter_and_return(ebb_arena *a, int n)
{
    EBB_ENTER(a);
    cr_assert_eq(ebb_scope_current(), a);
    if (n) return n;
    return 0;
}

#define TWICE_ENTER(a, b)                                                                          \
    EBB_ENTER(a);                                                                                  \
    EBB_ENTER(b)

Test(scope, enter_lasts_to_the_closing_brace)
{
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin(NULL);
    {
        EBB_ENTER(a);
        {
            EBB_ENTER(b);
            EBB_ENTER(a);
            EBB_ENTER(NULL);
            cr_assert_null(ebb_scope_current());
        }
        cr_assert_eq(ebb_scope_current(), a);
        for (int i = 0; i < 3; i++) {
            EBB_ENTER(b);
            if (i == 1) break;
        }
        cr_assert_eq(ebb_scope_current(), a);
        cr_assert_eq(enter_and_return(b, 1), 1);
        cr_assert_eq(ebb_scope_current(), a);
    }
    cr_assert_null(ebb_scope_current());
    {
        TWICE_ENTER(a, b);
        cr_assert_eq(ebb_scope_current(), b);
    }
    cr_assert_null(ebb_scope_current());
    ebb_scope_end(&a);
    ebb_scope_end(&b);
}

/* ---- lexical ----------------------------------------------------------------------------------- */

#if EBB_HAS_SCOPE

Test(scope, lexical_begins_enters_leaves_and_ends)
{
    {
        EBB_SCOPE(a, &post);
        cr_assert_str_eq(ebb_arena_name(a), "POST /vms");
        cr_assert_eq(ebb_scope_current(), a);
        cr_assert_null(ebb_arena_parent(a), "the outermost is a root");
        ebb_defer(a, note, "a");
        {
            EBB_SCOPE(b, NULL);
            cr_assert_eq(ebb_arena_parent(b), a);
            cr_assert_eq(ebb_scope_current(), b);
            ebb_defer(b, note, "b");
        }
        cr_assert_str_eq(order, "b");
        cr_assert_eq(ebb_scope_current(), a);
        EBB_SCOPE(c, NULL);
        EBB_SCOPE(d, NULL);
        cr_assert_eq(ebb_arena_parent(c), a);
        cr_assert_eq(ebb_arena_parent(d), c);
        ebb_defer(c, note, "c");
        ebb_defer(d, note, "d");
    }
    cr_assert_str_eq(order, "bdca");
    cr_assert_null(ebb_scope_current());
}

static int leave_in_some_way(int way)
{
    for (int i = 0; i < 3; i++) {
        EBB_SCOPE(a, NULL);
        ebb_defer(a, note, "x");
        if (way == 0) return 10;
        if (way == 1) break;
        if (way == 2) goto out;
        if (way == 3) continue;
    }
out:
    return way;
}

Test(scope, lexical_ends_however_its_brace_is_reached)
{
    cr_assert_eq(leave_in_some_way(0), 10);
    cr_assert_str_eq(order, "x");
    leave_in_some_way(1);
    leave_in_some_way(2);
    cr_assert_str_eq(order, "xxx");
    leave_in_some_way(3);
    cr_assert_str_eq(order, "xxxxxx");
    cr_assert_null(ebb_scope_current());
}

Test(scope, enter_and_begin_make_no_lexical_parent)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    {
        EBB_ENTER(a);
        EBB_SCOPE(b, NULL);
        cr_assert_null(ebb_arena_parent(b));
    }
    {
        EBB_SCOPE(b, NULL);
        cr_assert_not_null(b);
        ebb_arena *c = ebb_scope_begin(NULL);
        cr_assert_null(ebb_arena_parent(c), "begin makes a root wherever it is called");
        ebb_scope_end(&c);
    }
    ebb_scope_end(&a);
}

static int scope_in_try(ebb_arena *a, void *unused)
{
    (void)unused;
    EBB_SCOPE(b, NULL);
    cr_assert_eq(ebb_arena_parent(b), a, "the try's arena is innermost");
    EBB_SCOPE(c, NULL);
    cr_assert_eq(ebb_arena_parent(c), b);
    return 1;
}

Test(scope, the_innermost_scope_or_try_around_it_is_the_parent)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    cr_assert_eq(ebb_try(a, scope_in_try, NULL), 1);
    {
        EBB_SCOPE(outer, NULL);
        cr_assert_eq(ebb_try(a, scope_in_try, NULL), 1);
        EBB_SCOPE(after, NULL);
        cr_assert_eq(ebb_arena_parent(after), outer);
    }
    ebb_scope_end(&a);
}

static void see_lexical_parent(void *arg)
{
    EBB_SCOPE(a, NULL);
    *(ebb_arena **)arg = ebb_arena_parent(a);
}

Test(scope, lexical_scopes_are_each_threads_own)
{
    EBB_SCOPE(a, NULL);
    ebb_arena *there = a;
    on_thread(see_lexical_parent, &there);
    cr_assert_null(there);
}

static void exit_with_scopes_open(void *unused)
{
    (void)unused;
    EBB_SCOPE(a, &post);
    ebb_defer(a, note, "a");
    EBB_SCOPE(b, NULL);
    ebb_defer(b, note, "b");
    pthread_exit(NULL);
}

Test(scope, a_thread_that_exits_with_one_open_ends_it_reported)
{
    reports r;
    reports_start(&r);
    on_thread(exit_with_scopes_open, NULL);
    cr_assert_str_eq(order, "ba");
    cr_assert(r.mended >= 1 && r.misuse == 0, "%s", r.all);
    cr_assert_not_null(strstr(r.all, "POST /vms"), "%s", r.all);
    cr_assert_not_null(strstr(r.all, "thread"), "%s", r.all);
    reports_stop();
}

static int exit_from_a_task(ebb_arena *a, void *unused)
{
    (void)a;
    exit_with_scopes_open(unused);
    return 0;
}

static void exit_inside_a_try(void *arg)
{
    ebb_arena **a = arg;
    *a = ebb_scope_begin(&post);
    int never = ebb_try(*a, exit_from_a_task, NULL);
    (void)never;
}

Test(scope, also_where_a_try_is_around_it)
{
    reports r;
    reports_start(&r);
    ebb_arena *parked;
    on_thread(exit_inside_a_try, &parked);
    cr_assert_str_eq(order, "ba");
    cr_assert(r.mended >= 1 && r.misuse == 0, "%s", r.all);
    ebb_scope_end(&parked); /* which no thread is inside of any more */
    cr_assert_eq(r.misuse, 0, "%s", r.all);
    reports_stop();
}

#endif

/* ---- holder ------------------------------------------------------------------------------------ */

static void end_it(void *a)
{
    ebb_arena *mine = a;
    ebb_scope_end(&mine);
}

Test(scope, a_parked_root_may_be_ended_by_another_thread)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    for (int i = 0; i < 100; i++) ebb_alloc(a, 500);
    ebb_alloc(a, MIB);
    ebb_defer(a, note, "a");
    if (!layout_is_plain()) a = ebb_scope_detach(&(ebb_arena *){a}); /* the owner checks are on */
    on_thread(end_it, a);
    cr_assert_str_eq(order, "a");
}

static void attach_use_and_end(void *p)
{
    ebb_arena *a = p;
    ebb_scope_attach(a);
    memset(ebb_alloc(a, 10 * KIB), 1, 10 * KIB);
    ebb_defer(a, note, "t");
    ebb_scope_end(&a);
}

Test(scope, detach_and_attach_hand_over)
{
    reports r;
    reports_start(&r);
    for (int level = EBB_CHECKS_OFF; level <= EBB_CHECKS_VALIDATE; level++) {
        ebb_checks_set((ebb_checks)level);
        order[0] = '\0';
        ebb_arena *a = ebb_scope_begin(NULL);
        ebb_alloc(a, 1000);
        ebb_arena *handed = ebb_scope_detach(&a);
        cr_assert_null(a);
        cr_assert_not_null(handed);
        on_thread(attach_use_and_end, handed);
        cr_assert_str_eq(order, "t");
    }
    cr_assert_eq(reports_total(&r), 0u, "%s", r.all);
    ebb_arena *none = NULL;
    cr_assert_null(ebb_scope_detach(&none));
    reports_stop();
}

Test(scope, detach_makes_a_child_a_root)
{
    reports r;
    reports_start(&r);
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin_in(a, NULL),
              *c = ebb_scope_begin_in(b, NULL);
    char *p = ebb_strdup(b, "alive");
    ebb_arena *root = ebb_scope_detach(&b);
    cr_assert_null(ebb_arena_parent(root));
    cr_assert_eq(stats_of(a).children, 0u);
    cr_assert_eq(ebb_arena_parent(c), root, "with its own children");
    ebb_scope_end(&a);
    cr_assert_str_eq(p, "alive");
    cr_assert_not_null(ebb_alloc(c, 100));
    ebb_scope_end(&c);
    on_thread(attach_use_and_end, root);
    cr_assert_eq(reports_total(&r), 0u, "%s", r.all);
    reports_stop();
}

Test(scope, the_same_thread_may_attach_again)
{
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_detach(&a);
    ebb_scope_attach(b);
    cr_assert_not_null(ebb_alloc(b, 10));
    ebb_scope_end(&b);
}

/* ---- threads ----------------------------------------------------------------------------------- */

enum { THREADS = 4, QUEUE = 64 };

typedef struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    ebb_arena *slot[QUEUE];
    size_t count;
    bool closed;
    unsigned long wrong, ended;
} queue;

static void queue_put(queue *q, ebb_arena *a)
{
    pthread_mutex_lock(&q->lock);
    while (q->count == QUEUE) pthread_cond_wait(&q->changed, &q->lock);
    q->slot[q->count++] = a;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

static ebb_arena *queue_get(queue *q)
{
    pthread_mutex_lock(&q->lock);
    while (q->count == 0 && !q->closed) pthread_cond_wait(&q->changed, &q->lock);
    ebb_arena *a = q->count ? q->slot[--q->count] : NULL;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
    return a;
}

typedef struct piece {
    struct piece *next;
    size_t size;
    char bytes[];
} piece;

static void *produce(void *arg)
{
    queue *q = arg;
    rng r = {(uintptr_t)&r};
    for (unsigned long i = 0; i < scaled(4000); i++) {
        ebb_arena *a = ebb_scope_begin(i % 2 ? &post : NULL);
        piece *list = NULL;
        for (size_t k = rng_below(&r, 20); k > 0; k--) {
            size_t n = rng_one_in(&r, 40) ? rng_below(&r, 200 * KIB) : rng_below(&r, 400);
            piece *p = ebb_alloc(a, sizeof *p + n);
            p->next = list;
            p->size = n;
            pattern_fill(p->bytes, n, n);
            list = p;
        }
        ebb_scope_set_data(a, list);
        queue_put(q, ebb_scope_detach(&a));
    }
    return NULL;
}

static void *consume(void *arg)
{
    queue *q = arg;
    unsigned long wrong = 0, ended = 0;
    for (ebb_arena *a; (a = queue_get(q)); ended++) {
        ebb_scope_attach(a);
        for (piece *p = ebb_scope_data(a); p; p = p->next)
            wrong += pattern_check(p->bytes, p->size, p->size) != p->size;
        memset(ebb_alloc(a, 100), 1, 100);
        wrong += ebb_arena_validate(a) != NULL;
        ebb_scope_end(&a);
    }
    pthread_mutex_lock(&q->lock);
    q->wrong += wrong;
    q->ended += ended;
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

Test(scope, scopes_travel_between_threads)
{
    static queue q = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    pthread_t from[THREADS], to[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&to[i], NULL, consume, &q);
    for (int i = 0; i < THREADS; i++) pthread_create(&from[i], NULL, produce, &q);
    for (int i = 0; i < THREADS; i++) pthread_join(from[i], NULL);
    pthread_mutex_lock(&q.lock);
    q.closed = true;
    pthread_cond_broadcast(&q.changed);
    pthread_mutex_unlock(&q.lock);
    for (int i = 0; i < THREADS; i++) pthread_join(to[i], NULL);
    cr_assert_eq(q.wrong, 0u);
    cr_assert_eq(q.ended, THREADS * scaled(4000));
}

static void come_and_go(void *unused)
{
    (void)unused;
    ebb_arena *a = ebb_scope_begin(&post);
    for (int i = 0; i < 50; i++) memset(ebb_alloc(a, 300), 1, 300);
    ebb_scope_end(&a);
}

Test(scope, threads_come_and_go_without_a_trace)
{
    ebb_memory_stats before = {0}, after;
    unsigned long n = scaled(500) < 20 ? 20 : scaled(500);
    for (unsigned long i = 0; i < n; i++) {
        on_thread(come_and_go, NULL);
        if (i == n / 2) ebb_memory_get_stats(&before);
    }
    ebb_memory_get_stats(&after);
    if (layout_is_plain()) cr_assert_eq(after.reserved, before.reserved);
}

/* ---- fork -------------------------------------------------------------------------------------- */

static void work_after_fork(void *p)
{
    ebb_arena *a = p;
    for (int i = 0; i < 1000; i++) memset(ebb_alloc(a, 500), 1, 500);
    ebb_scope_end(&a);
    for (int i = 0; i < 100; i++) come_and_go(NULL);
    on_thread(come_and_go, NULL);
    ebb_trim();
    if (order[0]) _Exit(1);
}

Test(scope, a_forked_child_may_use_what_its_thread_held)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    char *p = ebb_strdup(a, "before");
    death d = in_child(work_after_fork, a);
    cr_assert(lived(&d));
    cr_assert_str_eq(p, "before");
    cr_assert_not_null(ebb_alloc(a, 10000));
    ebb_scope_end(&a);
}

typedef struct busy {
    pthread_mutex_t lock;
    bool stop;
    void (*work)(void);
} busy;

static void *keep_busy(void *arg)
{
    busy *b = arg;
    for (bool stop = false; !stop;) {
        b->work();
        pthread_mutex_lock(&b->lock);
        stop = b->stop;
        pthread_mutex_unlock(&b->lock);
    }
    return NULL;
}

static void allocate_and_trim(void)
{
    ebb_arena *a = ebb_scope_begin(&post);
    ebb_alloc(a, 600 * KIB);
    for (int i = 0; i < 100; i++) ebb_alloc(a, 5000);
    ebb_scope_end(&a);
    ebb_trim();
}

static void watch_and_report(void)
{
    ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch)EBB_WATCH_INIT, NULL, NULL);
    ebb_arena *a = ebb_scope_begin(&post), *child = ebb_scope_begin_in(a, NULL);
    ebb_alloc(child, 10);
    ebb_scope_end(&a); /* reports the child */
    ebb_tracker_end(&c);
    ebb_budget *b = ebb_budget_create(NULL, NULL);
    ebb_budget_destroy(&b);
}

static void ignore(void *ctx, const ebb_misuse *what)
{
    (void)ctx;
    (void)what;
}

/* Everything whose lock another thread may have held. */
static void work_alone(void *unused)
{
    for (int i = 0; i < 50; i++) come_and_go(unused);
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_alloc(a, 3 * MIB);
    ebb_arena_destroy(&a);
    watch_and_report();
    ebb_trim();
}

/* Other threads are inside the library's locks at that moment, as often as not. */
static void fork_beside(void (*work)(void))
{
    if (TESTS_TSAN) cr_skip_test("ThreadSanitizer ends children forked beside threads");
    if (under_valgrind()) cr_skip_test("Memcheck calls leaked what the threads that are gone held");
    busy b = {PTHREAD_MUTEX_INITIALIZER, false, work};
    pthread_t t[2];
    bool all_lived = true;
    ebb_on_misuse(ignore, NULL);
    for (int i = 0; i < 2; i++) pthread_create(&t[i], NULL, keep_busy, &b);
    for (unsigned long i = 0; i < scaled(100) && all_lived; i++) {
        death d = in_child(work_alone, NULL);
        all_lived = lived(&d);
    }
    pthread_mutex_lock(&b.lock);
    b.stop = true;
    pthread_mutex_unlock(&b.lock);
    for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
    cr_assert(all_lived);
}

Test(scope, fork_while_others_allocate)
{
    fork_beside(allocate_and_trim);
}

Test(scope, fork_while_others_are_checked_strictly)
{
    ebb_checks_set(EBB_CHECKS_STRICT);
    fork_beside(allocate_and_trim);
}

/* Watchers are malloc's, and a sanitizer's malloc does not survive a fork beside threads that use it. */
Test(scope, fork_while_others_watch_and_report)
{
    if (TESTS_ASAN || TESTS_TSAN) cr_skip_test("the sanitizer's own malloc hangs in the child");
    fork_beside(watch_and_report);
}
