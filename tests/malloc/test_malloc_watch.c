/*
 * tests/malloc/test_malloc_watch.c: libebb-malloc, by a program that is linked with it. What is
 * counted is what this thread calls while it watches. For what else may stand before it or behind
 * it see check and difficult.c.
 */
#define _GNU_SOURCE
#include "test.h"

#include "../../track/seam.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static _Thread_local struct {
    unsigned count;
    size_t size;
    const void *site;
} seen;

static void on_call(size_t size, const void *site)
{
    seen.count++;
    seen.size = size;
    seen.site = site;
}

static void watch_by(void (*on)(size_t, const void *))
{
    if (!ebb__malloc_watch(on)) cr_skip_test("another malloc stands in front");
    memset(&seen, 0, sizeof seen);
}

/* A size that no compiler knows. */
static size_t unknown(size_t size)
{
    __asm__ volatile("" : "+r"(size));
    return size;
}

Test(malloc_watch, a_sanitizers_malloc_stands_in_front)
{
    bool here = ebb__malloc_watch(on_call);
    ebb__malloc_watch(NULL);
    cr_assert_eq(here, !TESTS_ASAN && !TESTS_TSAN);
}

/* ---- the family ------------------------------------------------------------------------------ */

/* Each caller lies in a section of its own, whose ends the linker knows. */
#define CALLER(name, EXPRESSION)                                                                   \
    extern const char __start_in_##name[], __stop_in_##name[];                                     \
    static __attribute__((noinline, section("in_" #name))) void *call_##name(                      \
        size_t n, size_t size, void *old)                                                          \
    {                                                                                              \
        void *q = NULL, *p = ((void)n, (void)old, EXPRESSION);                                     \
        __asm__ volatile("" : "+r"(p), "+r"(q));                                                   \
        return p;                                                                                  \
    }

CALLER(malloc, malloc(size))
CALLER(calloc, calloc(n, size))
CALLER(realloc, realloc(old, size))
CALLER(reallocarray, reallocarray(old, n, size))
CALLER(aligned_alloc, aligned_alloc(n, size))
CALLER(memalign, memalign(n, size))
CALLER(posix_memalign, posix_memalign(&q, n, size) ? NULL : q)
CALLER(valloc, valloc(size))
CALLER(pvalloc, pvalloc(size))

#define ROW(name, n, size, align, told)                                                            \
    {                                                                                              \
#name, call_##name, __start_in_##name, __stop_in_##name, n, size, align, told              \
    }

enum { PAGE = 4096 };

static const struct family {
    const char *name;
    void *(*call)(size_t n, size_t size, void *old);
    const char *from, *to;
    size_t n, size, align, told;
} family[] = {
    ROW(malloc, 0, 100, 16, 100),
    ROW(malloc, 0, 0, 1, 0),
    ROW(malloc, 0, 1 << 20, 16, 1 << 20),
    ROW(calloc, 3, 50, 16, 150),
    ROW(realloc, 0, 200, 16, 200),
    ROW(reallocarray, 3, 70, 16, 210),
    ROW(aligned_alloc, PAGE, 2 * PAGE, PAGE, 2 * PAGE),
    ROW(memalign, 2048, 100, 2048, 100),
    ROW(posix_memalign, 1024, 90, 1024, 90),
    ROW(valloc, 0, 110, PAGE, 110),
    ROW(pvalloc, 0, 120, PAGE, 120),
};
/* All but pvalloc, the last, which Memcheck has not. */
static int family_count(void)
{
    return (int)(sizeof family / sizeof *family) - under_valgrind();
}

static void expect_told(const struct family *f, void *old)
{
    unsigned before = seen.count;
    char *p = f->call(unknown(f->n), unknown(f->size), old);
    unsigned told = seen.count - before;
    const char *site = seen.site;
    cr_assert(p && is_aligned(p, f->align), "%s", f->name);
    cr_assert_eq(told, 1u, "%s: told %u times", f->name, told);
    cr_assert_eq(seen.size, f->told, "%s: told %zu", f->name, seen.size);
    cr_assert(site > f->from && site <= f->to, "%s", f->name);
    memset(p, 1, f->told);
    free(p);
    cr_assert_eq(seen.count, before + 1, "free is not told");
}

Test(malloc_watch, every_call_is_told_with_its_size_and_its_place)
{
    watch_by(on_call);
    for (int i = 0; i < family_count(); i++) expect_told(&family[i], NULL);
    ebb__malloc_watch(NULL);
}

Test(malloc_watch, a_block_that_moves_is_one_allocation_of_its_new_size)
{
    for (int i = 0; i < family_count(); i++) {
        bool moves = family[i].call == call_realloc || family[i].call == call_reallocarray;
        if (!moves) continue;
        char *old = malloc(10), *kept;
        memcpy(old, "012345678", 10);
        watch_by(on_call);
        expect_told(&family[i], old);
        kept = family[i].call(10, 10, NULL);
        ebb__malloc_watch(NULL);
        free(kept);
    }
}

Test(malloc_watch, who_watches_no_more_is_not_told)
{
    watch_by(on_call);
    ebb__malloc_watch(NULL);
    for (int i = 0; i < family_count(); i++)
        free(family[i].call(family[i].n, family[i].size, NULL));
    cr_assert_eq(seen.count, 0u);
}

Test(malloc_watch, watching_itself_is_not_told)
{
    watch_by(on_call);
    cr_assert(ebb__malloc_watch(on_call));
    cr_assert_eq(seen.count, 0u);
    free(malloc(unknown(10)));
    cr_assert_eq(seen.count, 1u);
    ebb__malloc_watch(NULL);
}

/* ---- what a caller may rely on --------------------------------------------------------------- */

/* Memcheck's malloc fails without a word. */
static bool refused(const void *p)
{
    bool told = errno == ENOMEM || under_valgrind();
    errno = 0;
    return !p && told;
}

Test(malloc_watch, what_fails_fails_as_ever_and_is_not_told)
{
    size_t huge = unknown(SIZE_MAX / 2), half = unknown(SIZE_MAX / 2 + 2);
    void *untouched = &huge, *old = malloc(10);
    watch_by(on_call);
    errno = 0;
    cr_assert(refused(malloc(huge)));
    cr_assert(refused(calloc(half, unknown(2))), "an overflow");
    cr_assert(refused(call_realloc(0, huge, old)));
    cr_assert(refused(call_reallocarray(half, 2, old)), "an overflow");
    cr_assert_eq(posix_memalign(&untouched, unknown(24), 10), EINVAL);
    cr_assert_eq(posix_memalign(&untouched, 64, huge), ENOMEM);
    cr_assert_eq(untouched, (void *)&huge);
    cr_assert(refused(aligned_alloc(64, huge)));
    ebb__malloc_watch(NULL);
    cr_assert_eq(seen.count, 0u);
    free(old);
}

Test(malloc_watch, an_overflow_fails_where_nobody_watches_too)
{
    size_t half = unknown(SIZE_MAX / 2 + 2);
    char *old = malloc(10);
    errno = 0;
    cr_assert(refused(call_reallocarray(half, 2, old)));
    cr_assert(refused(calloc(half, unknown(2))));
    old[9] = 1;
    free(old);
}

static void spoils_errno(size_t size, const void *site)
{
    on_call(size, site);
    errno = EDOM;
}

Test(malloc_watch, errno_is_what_malloc_left)
{
    watch_by(spoils_errno);
    for (int i = 0; i < family_count(); i++) {
        errno = EBADF;
        void *p = family[i].call(family[i].n, family[i].size, NULL);
        cr_assert_eq(errno, EBADF, "%s: %d", family[i].name, errno);
        free(p);
        cr_assert_eq(errno, EBADF, "free after %s", family[i].name);
    }
    ebb__malloc_watch(NULL);
    cr_assert_eq(seen.count, (unsigned)family_count());
}

/* ---- inside itself --------------------------------------------------------------------------- */

static void allocates(size_t size, const void *site)
{
    on_call(size, site);
    void *p = realloc(calloc(2, unknown(10)), unknown(1000));
    free(p);
    free(strdup("more"));
}

Test(malloc_watch, what_the_watcher_allocates_is_not_told)
{
    watch_by(allocates);
    free(malloc(unknown(10)));
    cr_assert_eq(seen.count, 1u);
    free(malloc(unknown(20)));
    cr_assert_eq(seen.count, 2u);
    cr_assert_eq(seen.size, 20u);
    ebb__malloc_watch(NULL);
}

static void interrupts(size_t size, const void *site)
{
    on_call(size, site);
    raise(SIGUSR1);
}

static volatile sig_atomic_t handled;

static void handler(int number)
{
    (void)number;
    handled++;
    free(malloc(unknown(30)));
}

Test(malloc_watch, a_handler_that_comes_in_the_midst_may_allocate)
{
    signal(SIGUSR1, handler);
    watch_by(interrupts);
    free(malloc(unknown(10)));
    int inside = handled;
    unsigned told = seen.count;
    ebb__malloc_watch(on_call);
    raise(SIGUSR1);
    ebb__malloc_watch(NULL);
    cr_assert(inside == 1 && told == 1);
    cr_assert(handled == 2 && seen.count == 2 && seen.size == 30, "outside it is told");
}

static void ticks(int number)
{
    (void)number;
    handled++;
}

Test(malloc_watch, none_is_lost_to_signals)
{
    unsigned rounds = (unsigned)scaled(200000);
    signal(SIGALRM, ticks);
    struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    watch_by(on_call);
    setitimer(ITIMER_REAL, &often, NULL);
    for (unsigned i = 0; i < rounds; i++) free(malloc(unknown(10)));
    setitimer(ITIMER_REAL, &never, NULL);
    ebb__malloc_watch(NULL);
    cr_assert_eq(seen.count, rounds);
    cr_assert(rounds < 100000 || handled > 0);
}

/* ---- threads and processes ------------------------------------------------------------------- */

enum { THREADS = 8, ODD_SIZE = 7777 };

static atomic_ulong total;
static atomic_bool stop;

static void on_any(size_t size, const void *site)
{
    (void)site;
    if (size == ODD_SIZE) atomic_fetch_add(&total, 1);
}

static void *take_many(void *rounds)
{
    for (size_t i = 0; i < *(size_t *)rounds; i++) free(malloc(unknown(ODD_SIZE)));
    return NULL;
}

static void *take_until(void *arg)
{
    while (!atomic_load(&stop)) free(realloc(calloc(3, unknown(100)), unknown(700)));
    return arg;
}

static void start(pthread_t *thread, void *(*fn)(void *), void *arg)
{
    for (int i = 0; i < THREADS; i++) cr_assert_eq(pthread_create(&thread[i], NULL, fn, arg), 0);
}

static void finish(pthread_t *thread)
{
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
}

Test(malloc_watch, every_threads_calls_are_told)
{
    pthread_t thread[THREADS];
    size_t rounds = scaled(50000);
    watch_by(on_any);
    start(thread, take_many, &rounds);
    finish(thread);
    ebb__malloc_watch(NULL);
    cr_assert_eq(atomic_load(&total), THREADS * rounds);
}

Test(malloc_watch, watchers_come_and_go_meanwhile)
{
    pthread_t thread[THREADS];
    watch_by(on_any);
    start(thread, take_until, NULL);
    for (unsigned long i = 0; i < scaled(20000); i++) {
        ebb__malloc_watch(NULL);
        if (!ebb__malloc_watch(i % 2 ? on_any : on_call)) abort();
    }
    atomic_store(&stop, true);
    finish(thread);
    ebb__malloc_watch(NULL);
}

static void in_forked(void *unused)
{
    (void)unused;
    unsigned before = seen.count;
    char *p = strdup("a child's"); /* by a call in the C library, which is told too */
    if (!p || seen.count != before + 1 || seen.size != 10) abort();
    free(p);
}

Test(malloc_watch, a_child_is_told_of_its_own)
{
    pthread_t thread[THREADS];
    if (under_valgrind()) cr_skip_test("what threads had is lost in the child");
    watch_by(on_call);
    start(thread, take_until, NULL);
    for (int i = 0; i < 4; i++) {
        death d = in_child(in_forked, NULL);
        cr_assert(lived(&d), "%s", d.err);
    }
    atomic_store(&stop, true);
    finish(thread);
    ebb__malloc_watch(NULL);
}

/* ---- other callers --------------------------------------------------------------------------- */

static bool is_in(const void *site, const char *library)
{
    Dl_info who;
    return dladdr(site, &who) && strstr(who.dli_fname, library);
}

Test(malloc_watch, a_library_opened_later_is_told_of)
{
    void *lib = dlopen(TESTS_USER, RTLD_NOW | RTLD_LOCAL);
    cr_assert_not_null(lib, "%s", dlerror());
    void *(*take)(size_t);
    *(void **)(&take) = dlsym(lib, "user_take");
    watch_by(on_call);
    void *p = take(321);
    ebb__malloc_watch(NULL);
    cr_assert(seen.count == 1 && seen.size == 321);
    cr_assert(is_in(seen.site, "malloc-user"));
    free(p);
    dlclose(lib);
}

#if TESTS_HAVE_CPP
char *user_new(size_t size);
void user_delete(char *p);

Test(malloc_watch, so_is_what_cpp_takes)
{
    if (under_valgrind()) cr_skip_test("Memcheck has a new of its own");
    watch_by(on_call);
    char *p = user_new(54321);
    ebb__malloc_watch(NULL);
    cr_assert(seen.count == 1 && seen.size == 54321);
    cr_assert(is_in(seen.site, "libstdc++"), "the call is operator new's");
    user_delete(p);
}
#endif
