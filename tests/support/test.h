/*
 * tests/support/test.h: how a unit test is written: with Criterion, or where Criterion can't run, with
 * the part of it that these tests use.
 *
 * Criterion maps memory at addresses that ThreadSanitizer forbids, so under TSan (EBB_PLAIN_TESTS) the
 * tests are run by the few lines below: each in a forked child, one TAP line each, like Criterion.
 *
 * Assertions belong on the test's main thread: other threads leave what they saw in a variable.
 */
#ifndef EBB_TESTS_SUPPORT_TEST_H
#define EBB_TESTS_SUPPORT_TEST_H

#include "support.h"

#if !defined(EBB_PLAIN_TESTS)
#include <criterion/criterion.h>

/* Criterion's, with a look at what is left behind it. */
#undef Test
#define Test(suite_, name_)                                                                        \
    static void suite_##_##name_##_body(void);                                                     \
    CR_TEST_BASE(suite_, name_, .sentinel_ = 0)                                                    \
    {                                                                                              \
        suite_##_##name_##_body();                                                                 \
        cr_assert(nothing_is_left());                                                              \
    }                                                                                              \
    static void suite_##_##name_##_body(void)
#else
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PLAIN_FAILED = 1, PLAIN_SKIPPED = 77 };

struct plain_test {
    const char *suite, *name;
    void (*fn)(void);
    struct plain_test *next;
};
static struct plain_test *plain_first, **plain_last = &plain_first;

#define Test(suite_, name_)                                                                        \
    static void suite_##_##name_(void);                                                            \
    __attribute__((constructor)) static void register_##suite_##_##name_(void)                     \
    {                                                                                              \
        static struct plain_test t = {#suite_, #name_, suite_##_##name_, NULL};                    \
        *plain_last = &t;                                                                          \
        plain_last = &t.next;                                                                      \
    }                                                                                              \
    static void suite_##_##name_(void)

#define cr_assert(x, ...)                                                                          \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x);                        \
            _Exit(PLAIN_FAILED);                                                                   \
        }                                                                                          \
    } while (0)
#define cr_assert_eq(a, b, ...)     cr_assert((a) == (b))
#define cr_assert_neq(a, b, ...)    cr_assert((a) != (b))
#define cr_assert_null(a, ...)      cr_assert((a) == NULL)
#define cr_assert_not_null(a, ...)  cr_assert((a) != NULL)
#define cr_assert_str_eq(a, b, ...) cr_assert(strcmp((a), (b)) == 0)
#define cr_skip_test(...)           _Exit(PLAIN_SKIPPED)

static bool plain_run(const struct plain_test *t, int number)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        t->fn();
        cr_assert(nothing_is_left());
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) return false;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : PLAIN_FAILED;
    printf("%s %d - %s::%s%s\n", code == 0 || code == PLAIN_SKIPPED ? "ok" : "not ok", number,
           t->suite, t->name, code == PLAIN_SKIPPED ? " # SKIP" : "");
    return code == 0 || code == PLAIN_SKIPPED;
}

int main(int argc, char **argv)
{
    int n = 0, failed = 0;
    for (struct plain_test *t = plain_first; t; t = t->next) n++;
    printf("1..%d\n", n);
    n = 0;
    for (struct plain_test *t = plain_first; t; t = t->next) {
        if (argc > 1 && strcmp(argv[1], t->name) != 0) continue;
        failed += !plain_run(t, ++n);
    }
    return failed != 0;
}
#endif

#endif /* EBB_TESTS_SUPPORT_TEST_H */
