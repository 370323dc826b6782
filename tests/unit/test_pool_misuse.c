/*
 * tests/unit/test_pool_misuse.c: what users of a pool do wrong, and what they hear: which call noticed, in
 * which pool, where the object was acquired and where it went home, and where the wrong call is.
 *
 * A site is the address that a call returns to. So that a test can tell whose it is, each function that
 * calls is in a section of its own.
 */
#define _GNU_SOURCE
#include "test.h"

#include <ebb/ebb.h>
#include <ebb/pool.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A function in a section of its own, and whether the text has an address in it. The empty asm keeps the
   call from being a jump, which would leave no trace. */
#define SITE(name, result, params, call)                                                           \
    extern const char __start_site_##name[], __stop_site_##name[];                                 \
    __attribute__((noinline, section("site_" #name))) static result name params                    \
    {                                                                                              \
        call;                                                                                      \
        __asm__ volatile("" ::: "memory");                                                         \
    }                                                                                              \
    static bool says_##name(const char *text)                                                      \
    {                                                                                              \
        return has_address(text, __start_site_##name, __stop_site_##name);                         \
    }

static bool has_address(const char *text, const char *start, const char *stop)
{
    for (const char *at = strstr(text, "0x"); at; at = strstr(at + 2, "0x")) {
        uintptr_t site = (uintptr_t)strtoull(at, NULL, 16);
        if (site >= (uintptr_t)start && site <= (uintptr_t)stop) return true;
    }
    return false;
}

SITE(borrow, void, (ebb_pool * p, ebb_arena *a, void **ret), *ret = ebb_pool_acquire(p, a, NULL))
SITE(borrow_by, void, (ebb_pool * p, ebb_arena *a, void **ret),
     *ret = ebb_pool_acquire_by(p, a, UINT64_MAX, NULL))
SITE(give_back, void, (ebb_pool * p, void *object), ebb_pool_release(p, object))
SITE(give_back_again, void, (ebb_pool * p, void *object), ebb_pool_release(p, object))
SITE(throw_away, void, (ebb_pool * p, void *object), ebb_pool_discard(p, object))
SITE(keep, void, (ebb_pool * p, void *object, void **ret), *ret = ebb_pool_detach(p, object))
SITE(pass_on, void, (ebb_pool * p, void *object, bool *ret), *ret = ebb_pool_move(p, object, NULL))
SITE(refer, void, (ebb_pool * p, void *object, ebb_pool_ref *ret),
     *ret = ebb_pool_ref_to(p, object))

static ebb_profile post = EBB_PROFILE("POST /vms");

static ebb_pool *new_pool(const char *name, uint32_t max)
{
    ebb_pool_params params = {.name = name, .size = 200, .max_size = max};
    ebb_pool *p = ebb_pool_create(&params, NULL);
    cr_assert_not_null(p);
    return p;
}

static void *borrowed(ebb_pool *p, ebb_arena *a)
{
    void *object = NULL;
    borrow(p, a, &object);
    cr_assert_not_null(object);
    return object;
}

/* It was not put there twice: nobody is lent what another has. */
static void none_is_there_twice(ebb_pool *p, uint32_t max)
{
    void *object[8];
    for (uint32_t i = 0; i < max; i++) {
        cr_assert_not_null(object[i] = ebb_pool_acquire(p, NULL, NULL));
        for (uint32_t k = 0; k < i; k++) cr_assert_neq(object[i], object[k]);
    }
    cr_assert_null(ebb_pool_acquire(p, NULL, NULL));
    for (uint32_t i = 0; i < max; i++) ebb_pool_release(p, object[i]);
}

/* ---- given back twice -------------------------------------------------------------------------- */

static void twice(uint32_t max)
{
    reports r;
    ebb_pool *p = new_pool("database", max);
    void *object = borrowed(p, NULL);
    give_back(p, object);
    reports_start(&r);
    give_back_again(p, object);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_release(\"database\")", "is not out"), "%s",
              r.all);
    cr_assert(says_borrow(r.text), "%s", r.text);
    cr_assert(says_give_back(r.text), "%s", r.text);
    cr_assert(says_give_back_again(r.text), "%s", r.text);
    reports_start(&r);
    none_is_there_twice(p, max);
    ebb_pool_destroy(&p);
    cr_assert_eq(reports_total(&r), 0u, "%s", r.all);
    reports_stop();
}

Test(pool_misuse, a_double_return)
{
    for (uint32_t max = 1; max <= 8; max++) twice(max);
}

Test(pool_misuse, a_double_return_where_nothing_is_kept)
{
    /* A tool is told by poison, and says so itself. */
    if (!layout_is_plain()) cr_skip_test("the tool says so itself");
    setenv("EBB_POOL", "off", 1);
    reports r;
    ebb_pool *p = new_pool("database", 2);
    void *object = borrowed(p, NULL);
    give_back(p, object);
    reports_start(&r);
    give_back_again(p, object);
    cr_assert_eq(r.misuse, 1u, "%s", r.all);
    reports_stop();
    ebb_pool_destroy(&p);
}

struct back {
    ebb_pool *pool;
    void *object;
};

static void return_it(void *arg)
{
    struct back *b = arg;
    give_back(b->pool, b->object);
}

Test(pool_misuse, a_double_return_on_two_threads)
{
    reports r;
    ebb_pool *p = new_pool("database", 4);
    struct back b = {p, borrowed(p, NULL)};
    on_thread(return_it, &b);
    reports_start(&r);
    give_back_again(p, b.object);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_release", "is not out"), "%s", r.all);
    cr_assert(says_borrow(r.text) && says_give_back(r.text) && says_give_back_again(r.text));
    reports_stop();
    none_is_there_twice(p, 4);
    ebb_pool_destroy(&p);
}

Test(pool_misuse, a_return_by_hand_and_by_the_scope_is_no_misuse)
{
    reports r;
    reports_start(&r);
    ebb_pool *p = new_pool("database", 3);
    ebb_arena *a = ebb_scope_begin(&post);
    void *first = borrowed(p, a), *second = borrowed(p, a);
    give_back(p, first);
    ebb_scope_end(&a);
    (void)second;
    ebb_pool_release(p, NULL);
    ebb_pool_discard(p, NULL);
    none_is_there_twice(p, 3);
    ebb_pool_destroy(&p);
    cr_assert_eq(reports_total(&r), 0u, "%s", r.all);
    reports_stop();
}

/* ---- given back too late ----------------------------------------------------------------------- */

Test(pool_misuse, a_return_after_the_scope_has_ended)
{
    reports r;
    ebb_pool *p = new_pool("database", 4);
    ebb_arena *a = ebb_scope_begin(&post);
    void *object = borrowed(p, a);
    ebb_scope_end(&a);
    reports_start(&r);
    give_back(p, object);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_release(\"database\")", "is not out"), "%s",
              r.all);
    cr_assert(says_borrow(r.text) && says_give_back(r.text) && strstr(r.text, "scope"), "%s",
              r.text);
    reports_stop();
    none_is_there_twice(p, 4);
    ebb_pool_destroy(&p);
}

/* Strict: what went home last is lent last, so that a stale return meets an idle object. */
Test(pool_misuse, a_stale_return_while_others_are_out)
{
    reports r;
    ebb_checks_set(EBB_CHECKS_STRICT);
    ebb_pool *p = new_pool("database", 4);
    void *object[4];
    for (int i = 0; i < 4; i++) object[i] = borrowed(p, NULL);
    for (int i = 0; i < 4; i++) give_back(p, object[i]);
    void *other = borrowed(p, NULL);
    cr_assert_neq(other, object[3]);
    reports_start(&r);
    give_back_again(p, object[3]);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_release", "is not out"), "%s", r.all);
    cr_assert(says_give_back(r.text) && says_give_back_again(r.text), "%s", r.text);
    reports_stop();
    ebb_pool_release(p, other);
    ebb_pool_destroy(&p);
}

/* A reference tells the present loan from the later ones of the same object. */
Test(pool_misuse, a_stale_reference)
{
    ebb_pool *p = new_pool("database", 1);
    void *object = borrowed(p, NULL);
    ebb_pool_ref ref = ebb_pool_ref_to(p, object), later;
    cr_assert_eq(ebb_pool_ref_get(p, ref), object);
    give_back(p, object);
    cr_assert_null(ebb_pool_ref_get(p, ref));
    cr_assert_eq(borrowed(p, NULL), object, "the only one");
    cr_assert_null(ebb_pool_ref_get(p, ref));
    later = ebb_pool_ref_to(p, object);
    cr_assert_eq(ebb_pool_ref_get(p, later), object);
    throw_away(p, object);
    cr_assert_null(ebb_pool_ref_get(p, later));
    object = borrowed(p, NULL);
    cr_assert(!ebb_pool_ref_get(p, ref) && !ebb_pool_ref_get(p, later), "of another in its place");
    give_back(p, object);
    ebb_pool_trim(p);
    cr_assert(!ebb_pool_ref_get(p, ref) && !ebb_pool_ref_get(p, later));
    cr_assert_null(ebb_pool_ref_get(p, (ebb_pool_ref){.object = NULL}));
    ebb_pool_destroy(&p);
}

/* ---- given to the wrong one -------------------------------------------------------------------- */

Test(pool_misuse, the_wrong_pool)
{
    reports r;
    ebb_pool *p = new_pool("database", 2), *q = new_pool("parsers", 2);
    void *object = borrowed(p, NULL);
    reports_start(&r);
    give_back(q, object);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_release(\"parsers\")", "\"database\""), "%s",
              r.all);
    cr_assert(says_borrow(r.text) && says_give_back(r.text), "%s", r.text);
    reports_start(&r);
    throw_away(q, object);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_discard(\"parsers\")", "\"database\""));
    cr_assert(says_borrow(r.text) && says_throw_away(r.text), "%s", r.text);
    reports_start(&r);
    give_back(p, object);
    cr_assert_eq(reports_total(&r), 0u, "it was left alone: %s", r.all);
    ebb_pool_destroy(&p);
    ebb_pool_destroy(&q);
    reports_stop();
}

Test(pool_misuse, no_object_of_any_pool)
{
    static _Alignas(64) char bytes[512];
    char *heap = malloc(512);
    reports r;
    ebb_pool *p = new_pool("database", 2);
    char *places[] = {bytes + 256, bytes + 264, heap + 256};
    memset(bytes, 0x5a, sizeof bytes);
    memset(heap, 0x5a, 512);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        reports_start(&r);
        give_back(p, places[i]);
        cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_release(\"database\")", "no pool's"), "%s",
                  r.all);
        cr_assert(says_give_back(r.text), "%s", r.text);
    }
    reports_stop();
    cr_assert_eq(bytes_check(bytes, 0x5a, sizeof bytes), sizeof bytes, "and left alone");
    none_is_there_twice(p, 2);
    ebb_pool_destroy(&p);
    free(heap);
}

/* Nothing before the page may be looked at. */
Test(pool_misuse, the_start_of_a_mapping)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    reports r;
    ebb_pool *p = new_pool("database", 2);
    char *map = mmap(NULL, 2 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(map != MAP_FAILED && !munmap(map, page));
    reports_start(&r);
    give_back(p, map + page);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_release(\"database\")", "no pool's"), "%s",
              r.all);
    reports_start(&r);
    give_back(p, (void *)1); /* nothing is read at all where no object can lie */
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_release(\"database\")", "no pool's"), "%s",
              r.all);
    reports_stop();
    munmap(map + page, page);
    none_is_there_twice(p, 2);
    ebb_pool_destroy(&p);
}

/* Objects may begin a page. */
Test(pool_misuse, an_object_that_begins_a_page)
{
    reports r;
    reports_start(&r);
    ebb_pool_params params = {.name = "pages", .size = 4096, .align = 4096, .max_size = 2};
    ebb_pool *p = ebb_pool_create(&params, NULL);
    ebb_arena *a = ebb_scope_begin(&post);
    void *object = borrowed(p, a);
    cr_assert(is_aligned(object, 4096));
    give_back(p, object);
    cr_assert_not_null(ebb_pool_detach(p, object = borrowed(p, a)));
    throw_away(p, object);
    cr_assert_eq(reports_total(&r), 0u, "%s", r.all);
    ebb_scope_end(&a);
    reports_stop();
    none_is_there_twice(p, 2);
    ebb_pool_destroy(&p);
}

Test(pool_misuse, no_object_at_all)
{
    reports r;
    ebb_pool *p = new_pool("database", 2);
    void *kept = &kept;
    bool moved = true;
    ebb_pool_ref ref = {.object = &ref};
    reports_start(&r);
    keep(p, NULL, &kept);
    cr_assert(!kept && reports_one(&r, EBB_MISUSE, "ebb_pool_detach", "no pool's"), "%s", r.all);
    reports_start(&r);
    pass_on(p, NULL, &moved);
    cr_assert(!moved && reports_one(&r, EBB_MISUSE, "ebb_pool_move", "no pool's"), "%s", r.all);
    reports_start(&r);
    refer(p, NULL, &ref);
    cr_assert(!ref.object && reports_one(&r, EBB_MISUSE, "ebb_pool_ref_to", "no pool's"));
    reports_stop();
    ebb_pool_destroy(&p);
}

Test(pool_misuse, an_object_that_was_destroyed)
{
    /* A tool is told by poison, and says so itself. */
    if (!layout_is_plain()) cr_skip_test("the tool says so itself");
    reports r;
    ebb_pool *p = new_pool("database", 2);
    void *object = borrowed(p, NULL);
    throw_away(p, object);
    reports_start(&r);
    give_back(p, object);
    cr_assert_eq(r.misuse, 1u, "%s", r.all);
    cr_assert(says_give_back(r.text), "%s", r.text);
    reports_stop();
    none_is_there_twice(p, 2);
    ebb_pool_destroy(&p);
}

/* ---- every other call on what is not out ------------------------------------------------------- */

Test(pool_misuse, what_is_not_out_cant_be_handled)
{
    reports r;
    ebb_pool *p = new_pool("database", 2);
    void *object = borrowed(p, NULL), *kept = &kept;
    give_back(p, object);
    bool moved = true;
    ebb_pool_ref ref = {.object = &ref};
    reports_start(&r);
    throw_away(p, object);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_discard", "is not out"), "%s", r.all);
    cr_assert(says_borrow(r.text) && says_give_back(r.text) && says_throw_away(r.text));
    reports_start(&r);
    keep(p, object, &kept);
    cr_assert(!kept && reports_one(&r, EBB_MISUSE, "ebb_pool_detach", "is not out"), "%s", r.all);
    cr_assert(says_borrow(r.text) && says_give_back(r.text) && says_keep(r.text));
    reports_start(&r);
    pass_on(p, object, &moved);
    cr_assert(!moved && reports_one(&r, EBB_MISUSE, "ebb_pool_move", "is not out"), "%s", r.all);
    cr_assert(says_borrow(r.text) && says_give_back(r.text) && says_pass_on(r.text));
    reports_start(&r);
    refer(p, object, &ref);
    cr_assert(!ref.object && reports_one(&r, EBB_MISUSE, "ebb_pool_ref_to", "is not out"));
    cr_assert(says_borrow(r.text) && says_give_back(r.text) && says_refer(r.text));
    reports_stop();
    none_is_there_twice(p, 2);
    ebb_pool_destroy(&p);
}

Test(pool_misuse, a_scope_that_has_ended)
{
    if (!layout_is_plain()) cr_skip_test("the tool says so itself");
    reports r;
    ebb_pool *p = new_pool("database", 2);
    ebb_arena *a = ebb_scope_begin(&post), *copy = a;
    ebb_status why = EBB_OK;
    ebb_scope_end(&a);
    reports_start(&r);
    cr_assert_null(ebb_pool_acquire(p, copy, &why));
    cr_assert_eq(why, EBB_E_INVALID);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_acquire", "already ended"), "%s", r.all);
    ebb_pool_wait *w = NULL;
    reports_start(&r);
    cr_assert_eq(ebb_pool_acquire_async(p, copy, NULL, &w), EBB_E_INVALID);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_acquire_async", "already ended"), "%s", r.all);
    void *object = borrowed(p, NULL);
    reports_start(&r);
    cr_assert(!ebb_pool_move(p, object, copy));
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_move", "already ended"), "%s", r.all);
    reports_stop();
    ebb_pool_release(p, object);
    none_is_there_twice(p, 2);
    ebb_pool_destroy(&p);
}

/* It sticks to its failure, whatever it holds already. */
Test(pool_misuse, a_scope_that_has_failed)
{
    ebb_pool *p = new_pool("database", 2);
    ebb_arena *a = ebb_scope_begin(&post);
    ebb_status why = EBB_OK;
    void *first = borrowed(p, a), *second = borrowed(p, NULL);
    cr_assert_null(ebb_alloc(a, SIZE_MAX / 2));
    cr_assert(!ebb_pool_move(p, second, a));
    cr_assert(ebb_pool_move(p, first, NULL));
    uint64_t began = ebb_clock_ns();
    cr_assert_null(ebb_pool_acquire_by(p, a, began + UINT64_C(60000000000), &why));
    cr_assert_eq(why, ebb_failed(a));
    cr_assert(ebb_clock_ns() - began < UINT64_C(30000000000), "it waits for what it may not have");
    ebb_pool_release(p, first);
    ebb_pool_release(p, second);
    ebb_scope_end(&a);
    ebb_pool_destroy(&p);
}

/* ---- a place in the queue that is over -------------------------------------------------------- */

Test(pool_misuse, a_wait_that_is_over)
{
    reports r;
    ebb_pool_stats s;
    ebb_status why = EBB_OK;
    ebb_pool *p = new_pool("database", 1);
    ebb_arena *a = ebb_scope_begin(&post);
    ebb_pool_wait *w = NULL;
    cr_assert_eq(ebb_pool_acquire_async(p, a, NULL, &w), EBB_OK);
    ebb_pool_wait *copy = w, *copy2 = w;
    cr_assert_not_null(ebb_pool_take(&w, NULL));
    reports_start(&r);
    cr_assert_null(ebb_pool_take(&copy, &why));
    cr_assert_eq(why, EBB_E_INVALID);
    cr_assert_null(copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_take", "already"), "%s", r.all);
    reports_start(&r);
    ebb_pool_wait_cancel(&copy2);
    cr_assert_null(copy2);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_wait_cancel", "already"), "%s", r.all);
    reports_stop();
    ebb_pool_get_stats(p, &s);
    cr_assert_eq(s.cancelled, 0u);
    ebb_scope_end(&a);
    none_is_there_twice(p, 1);
    ebb_pool_destroy(&p);
}

Test(pool_misuse, a_wait_for_nobodys_scope)
{
    reports r;
    ebb_pool *p = new_pool("database", 1);
    ebb_pool_wait *w = NULL;
    reports_start(&r);
    cr_assert_eq(ebb_pool_acquire_async(p, NULL, NULL, &w), EBB_E_INVALID);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_acquire_async", "scope"), "%s", r.all);
    reports_stop();
    ebb_pool_destroy(&p);
}

/* ---- a pool's end ------------------------------------------------------------------------------ */

typedef void lend_fn(ebb_pool *p, ebb_arena *a, void **ret);

static void destroy_with_one_out(lend_fn *lend, bool (*says)(const char *))
{
    reports r;
    ebb_pool *p = new_pool("database", 4), *copy = p;
    ebb_arena *a = ebb_scope_begin(&post);
    void *object = NULL;
    lend(p, a, &object);
    cr_assert_not_null(object);
    reports_start(&r);
    ebb_pool_destroy(&copy);
    cr_assert_null(copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_destroy(\"database\")", "\"POST /vms\""), "%s",
              r.all);
    cr_assert(says(r.text), "%s", r.text);
    reports_start(&r);
    memset(object, 1, 200);
    ebb_scope_end(&a);
    none_is_there_twice(p, 4);
    ebb_pool_destroy(&p);
    cr_assert_eq(reports_total(&r), 0u, "%s", r.all);
    reports_stop();
}

Test(pool_misuse, destroyed_with_an_object_out)
{
    destroy_with_one_out(borrow, says_borrow);
    destroy_with_one_out(borrow_by, says_borrow_by);
}

Test(pool_misuse, destroyed_with_a_detached_object)
{
    reports r;
    ebb_pool *p = new_pool("database", 4), *copy = p;
    void *object = ebb_pool_detach(p, borrowed(p, NULL));
    reports_start(&r);
    ebb_pool_destroy(&copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_destroy", "detached"), "%s", r.all);
    cr_assert(says_borrow(r.text), "%s", r.text);
    reports_stop();
    ebb_pool_discard(p, object);
    ebb_pool_destroy(&p);
}

Test(pool_misuse, destroyed_while_somebody_waits)
{
    reports r;
    ebb_pool *p = new_pool("database", 1), *copy = p;
    ebb_arena *a = ebb_scope_begin(&post);
    ebb_pool_wait *w = NULL;
    void *object = borrowed(p, NULL);
    cr_assert_eq(ebb_pool_acquire_async(p, a, NULL, &w), EBB_E_EXHAUSTED);
    ebb_pool_release(p, object);
    reports_start(&r);
    ebb_pool_destroy(&copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_destroy", "wait"), "%s", r.all);
    reports_stop();
    cr_assert_eq(ebb_pool_take(&w, NULL), object);
    ebb_scope_end(&a);
    ebb_pool_destroy(&p);
}

Test(pool_misuse, destroyed_twice)
{
    if (!layout_is_plain()) cr_skip_test("the tool says so itself");
    reports r;
    ebb_pool *p = new_pool("database", 1), *copy = p, *copy2 = p;
    void *object = borrowed(p, NULL);
    give_back(p, object);
    ebb_pool_destroy(&p);
    reports_start(&r);
    ebb_pool_destroy(&copy);
    cr_assert_null(copy);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_destroy", "already"), "%s", r.all);
    reports_start(&r);
    give_back(copy2, object);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_release(\"destroyed\")", "pool is gone"), "%s",
              r.all);
    reports_stop();
}

static void leave_one_out(void *arg)
{
    (void)arg;
    ebb_pool *p = new_pool("database", 1);
    borrowed(p, NULL);
    ebb_pool_destroy(&p);
}

Test(pool_misuse, who_has_no_handler_dies_saying_why)
{
    death d = in_child(leave_one_out, NULL);
    cr_assert(died_saying(&d, "ebb_pool_destroy(\"database\")", "acquired at 0x"), "%s", d.err);
}

/* ---- parameters -------------------------------------------------------------------------------- */

static void must_be_refused(ebb_pool_params params)
{
    reports r;
    ebb_status why = EBB_OK;
    params.name = "odd";
    reports_start(&r);
    cr_assert_null(ebb_pool_create(&params, &why));
    cr_assert_eq(why, EBB_E_INVALID);
    cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_create(\"odd\")", ""), "%s", r.all);
    reports_start(&r);
    cr_assert_null(ebb_pool_create(&params, NULL));
    reports_stop();
}

Test(pool_misuse, parameters_that_make_no_sense)
{
    must_be_refused((ebb_pool_params){.size = 0});
    must_be_refused((ebb_pool_params){.size = SIZE_MAX});
    must_be_refused((ebb_pool_params){.size = SIZE_MAX / 2});
    must_be_refused((ebb_pool_params){.size = 8, .align = 24});
    must_be_refused((ebb_pool_params){.size = 8, .align = 8192});
    must_be_refused((ebb_pool_params){.size = 8, .min_size = 2, .max_size = 1});
    must_be_refused((ebb_pool_params){.size = 8, .max_size = ((uint32_t)1 << 31) + 1});
    must_be_refused((ebb_pool_params){.size = 8, .min_size = UINT32_MAX});
    reports r;
    ebb_status why = EBB_OK;
    reports_start(&r);
    cr_assert_null(ebb_pool_create(NULL, &why));
    cr_assert(why == EBB_E_INVALID && reports_one(&r, EBB_MISUSE, "ebb_pool_create", "size is 0"));
    reports_stop();
}

Test(pool_misuse, a_size_that_does_not_exist_is_out_of_memory)
{
    ebb_status why = EBB_OK;
    ebb_pool_params params = {.size = SIZE_MAX / 8, .min_size = 1};
    cr_assert_null(ebb_pool_create(&params, &why));
    cr_assert_eq(why, EBB_E_MEMORY);
    params.min_size = 0;
    ebb_pool *p = ebb_pool_create(&params, &why);
    cr_assert_not_null(p);
    cr_assert_null(ebb_pool_acquire(p, NULL, &why));
    cr_assert_eq(why, EBB_E_MEMORY);
    ebb_pool_destroy(&p);
}

Test(pool_misuse, a_maximum_that_makes_no_sense)
{
    reports r;
    ebb_pool_params params = {.name = "odd", .size = 8, .min_size = 2, .max_size = 4};
    ebb_pool *p = ebb_pool_create(&params, NULL);
    uint32_t odd[] = {0, 1, ((uint32_t)1 << 31) + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        reports_start(&r);
        cr_assert(!ebb_pool_set_max(p, odd[i]));
        cr_assert(reports_one(&r, EBB_MISUSE, "ebb_pool_set_max(\"odd\")", ""), "%s", r.all);
    }
    reports_stop();
    none_is_there_twice(p, 4);
    ebb_pool_destroy(&p);
}

/* ---- no memory at all -------------------------------------------------------------------------- */

static struct {
    ebb_pool *objects;
    ebb_bufpool *buffers;
} poor;

/* Nothing of a pool jumps, not even where an arena of its own never gets its first block. */
static int go_without(ebb_arena *a, void *arg)
{
    ebb_status why[4] = {EBB_OK, EBB_OK, EBB_OK, EBB_OK};
    ebb_pool_params params = {.size = 8};
    ebb_pool_stats s;
    (void)arg;
    if (ebb_pool_create(&params, &why[0]) || ebb_bufpool_create(NULL, &why[1])) return 1;
    if (ebb_pool_acquire(poor.objects, a, &why[2])) return 2;
    if (ebb_bufpool_acquire(poor.buffers, a, 0, &why[3])) return 3;
    for (int i = 0; i < 4; i++)
        if (why[i] != EBB_E_MEMORY) return 4;
    ebb_pool_get_stats(poor.objects, &s);
    return s.exist == 0 ? 42 : 5;
}

static void use_up_memory(void)
{
    static test_source source;
    test_source_init(&source);
    source.fail_all = true;
    if (ebb_source_set(&source.source) != EBB_OK) _exit(1);
    for (;;) { /* they stay open */
        ebb_arena *a = ebb_scope_begin(NULL);
        for (size_t size = 100000; size > 10; size /= 2)
            while (ebb_alloc_optional(a, size)) {
            }
        if (ebb_failed(a)) return;
    }
}

static void do_without(void *arg)
{
    (void)arg;
    ebb_pool_params params = {.name = "large", .size = 100000};
    poor.objects = ebb_pool_create(&params, NULL);
    poor.buffers = ebb_bufpool_create(NULL, NULL);
    ebb_arena *a = ebb_arena_create(NULL);
    use_up_memory();
    int is = ebb_try(a, go_without, NULL);
    if (is != 42) _exit(10 + is);
}

/* In a child, since it leaves the process without memory. */
Test(pool_misuse, without_memory_nothing_jumps)
{
    death d = in_child(do_without, NULL);
    cr_assert(lived(&d), "%d", d.code);
}

/* ---- who holds it ------------------------------------------------------------------------------ */

static void seen(void *ctx, const void *object, const void *site)
{
    char *text = ctx;
    (void)object;
    snprintf(text + strlen(text), 64, "%p ", site);
}

Test(pool_misuse, who_holds_what_can_be_asked)
{
    char text[256] = "";
    ebb_pool_stats s;
    ebb_pool *p = new_pool("database", 4);
    void *first = borrowed(p, NULL), *second = NULL;
    ebb_pool_get_stats(p, &s);
    borrow_by(p, NULL, &second);
    ebb_pool_get_stats(p, &s);
    snprintf(text, sizeof text, "%p", s.longest_site);
    cr_assert(says_borrow(text) && !says_borrow_by(text), "%s", text);
    text[0] = '\0';
    ebb_pool_each_out(p, seen, text);
    cr_assert(says_borrow(text) && says_borrow_by(text), "%s", text);
    ebb_pool_release(p, first);
    ebb_pool_release(p, second);
    ebb_pool_get_stats(p, &s);
    cr_assert_null(s.longest_site);
    ebb_pool_destroy(&p);
}
