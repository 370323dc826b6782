/*
 * tests/unit/test_debug.c: ebb/debug.h: who is answered, what may be asked, and that nothing is left
 * behind by who does not come back.
 */
#define _GNU_SOURCE
#include "test.h"

#include <ebb/debug.h>
#include <ebb/ebb.h>
#include <ebb/track.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_storage address;

static const struct sockaddr *from4(const char *text)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&address;
    memset(&address, 0, sizeof address);
    in->sin_family = AF_INET;
    cr_assert_eq(inet_pton(AF_INET, text, &in->sin_addr), 1);
    return (const struct sockaddr *)&address;
}

static const struct sockaddr *from6(const char *text)
{
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)&address;
    memset(&address, 0, sizeof address);
    in->sin6_family = AF_INET6;
    cr_assert_eq(inet_pton(AF_INET6, text, &in->sin6_addr), 1);
    return (const struct sockaddr *)&address;
}

static ebb_debug_reply ask_as(ebb_arena *a, const struct sockaddr *peer, const char *host,
                              const char *query)
{
    ebb_debug_request r = {.query = {query, strlen(query)}, .peer = peer};
    if (host) r.host = (ebb_str){host, strlen(host)};
    return ebb_debug_begin(&r, a);
}

static ebb_debug_reply ask(ebb_arena *a, const char *query)
{
    return ask_as(a, from4("127.0.0.1"), "localhost:8080", query);
}

static bool says(const ebb_debug_reply *r, const char *text)
{
    return r->body.ptr && memmem(r->body.ptr, r->body.len, text, strlen(text)) != NULL;
}

/* ---- who asks ---------------------------------------------------------------------------------- */

Test(debug, only_this_machine_is_answered)
{
    ebb_arena *a = ebb_arena_create(NULL);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    const struct sockaddr odd = {.sa_family = AF_UNSPEC};
    cr_assert_eq(ask_as(a, from4("127.0.0.1"), NULL, "").status, 200);
    cr_assert_eq(ask_as(a, from4("127.9.8.7"), NULL, "").status, 200);
    cr_assert_eq(ask_as(a, from6("::1"), NULL, "").status, 200);
    cr_assert_eq(ask_as(a, from6("::ffff:127.0.0.1"), NULL, "").status, 200);
    cr_assert_eq(ask_as(a, (const struct sockaddr *)&un, NULL, "").status, 200);
    cr_assert_eq(ask_as(a, from4("128.0.0.1"), NULL, "").status, 403);
    cr_assert_eq(ask_as(a, from4("10.0.0.1"), NULL, "").status, 403);
    cr_assert_eq(ask_as(a, from6("::2"), NULL, "").status, 403);
    cr_assert_eq(ask_as(a, from6("::ffff:10.0.0.1"), NULL, "").status, 403);
    cr_assert_eq(ask_as(a, &odd, NULL, "").status, 403);
    cr_assert_eq(ask_as(a, NULL, NULL, "").status, 403);
    ebb_arena_destroy(&a);
}

Test(debug, only_by_a_name_of_this_machine)
{
    static const char *const good[] = {"localhost", "localhost:1", "127.0.0.1", "127.0.0.1:65535",
                                       "127.1.2.3", "[::1]",       "[::1]:80"};
    static const char *const bad[] = {"",
                                      "example.com",
                                      "localhost.example.com",
                                      "127.0.0.1.example.com",
                                      "localhost:80x",
                                      "localhost:",
                                      "[::1",
                                      "[::2]",
                                      "[::1].example.com",
                                      "::1",
                                      "127.example.com",
                                      "10.0.0.1",
                                      "LOCALHOST."};
    ebb_arena *a = ebb_arena_create(NULL);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_assert_eq(ask_as(a, from4("127.0.0.1"), good[i], "").status, 200, "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(ask_as(a, from4("127.0.0.1"), bad[i], "").status, 403, "%s", bad[i]);
    ebb_arena_destroy(&a);
}

Test(debug, strangers_are_answered_where_that_is_allowed)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_debug_request r = {.peer = NULL, .host = {"example.com", 11}, .allow_remote = true};
    cr_assert_eq(ebb_debug_begin(&r, a).status, 200);
    ebb_arena_destroy(&a);
}

/* ---- what for ---------------------------------------------------------------------------------- */

Test(debug, each_format_is_what_it_is_called)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_debug_reply page = ask(a, ""), json = ask(a, "format=json");
    ebb_debug_reply text = ask(a, "format=text"), metrics = ask(a, "&format=openmetrics&");
    cr_assert(page.status == 200 && strstr(page.content_type, "text/html"));
    cr_assert(says(&page, "\"poll\":\"?format=json\""));
    cr_assert(json.status == 200 && !strcmp(json.content_type, "application/json"));
    cr_assert(says(&json, "\"live\":{") && says(&json, "\"profiles\":["));
    cr_assert(text.status == 200 && strstr(text.content_type, "text/plain"));
    cr_assert(metrics.status == 200 && says(&metrics, "# EOF\n"));
    cr_assert(strstr(metrics.content_type, "openmetrics"));
    ebb_arena_destroy(&a);
}

Test(debug, what_is_wrong_is_named)
{
    static const char *const wrong[][2] = {{"format=xml", "format is one of"},
                                           {"format", "format is one of"},
                                           {"seconds=0", "seconds is"},
                                           {"seconds=301", "seconds is"},
                                           {"seconds=5x", "seconds is"},
                                           {"seconds=", "seconds is"},
                                           {"seconds=99999999999999999999", "sec"},
                                           {"bytes=-1", "bytes is"},
                                           {"level=some", "level is one of"},
                                           {"colour=red", "there are format"},
                                           {"format=pprof", "nothing is tracked"},
                                           {"format=openmetrics&seconds=1", "of now"},
                                           {"format=json&level=full", "seconds"},
                                           {"format=text&bytes=4096", "seconds"},
                                           {"seconds=1&level=sites&bytes=1", "of a sample"}};
    ebb_arena *a = ebb_arena_create(NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ebb_debug_reply r = ask(a, wrong[i][0]);
        cr_assert(r.status == 400 && r.due_ns == 0, "%s: %d", wrong[i][0], r.status);
        cr_assert(says(&r, wrong[i][1]), "%s: %s", wrong[i][0], r.body.ptr);
    }
    ebb_arena_destroy(&a);
}

/* ---- over some time ---------------------------------------------------------------------------- */

static void *volatile kept;

Test(debug, what_comes_meanwhile_is_shown)
{
    ebb_arena *a = ebb_arena_create(NULL);
    uint64_t before = ebb_clock_ns();
    ebb_debug_reply r = ask(a, "format=folded&seconds=2&level=full");
    cr_assert(r.due_ns >= before + 2000000000u && r.due_ns < before + 100 * UINT64_C(1000000000));
    ebb_arena *other = ebb_arena_create(NULL);
    kept = ebb_alloc(other, 12345);
    ebb_arena_destroy(&other);
    ebb_debug_reply end = ebb_debug_finish(&r, a); /* before it is due */
    cr_assert(end.status == 200 && end.due_ns == 0);
    cr_assert(says(&end, " 12345\n"), "%s", end.body.ptr);
    ebb_debug_reply again = ebb_debug_finish(&r, a), at_once = ask(a, "format=text");
    cr_assert(again.status == 500 && says(&again, "nothing to finish"));
    again = ebb_debug_finish(&at_once, a);
    cr_assert(again.status == 500 && says(&again, "nothing to finish"));
    ebb_arena_destroy(&a);
}

/* Sixteen can watch. */
Test(debug, who_does_not_come_back_leaves_nothing)
{
    enum { MOST = 16 };
    ebb_arena *a[MOST], *late = ebb_arena_create(NULL);
    for (int i = 0; i < MOST; i++) {
        a[i] = ebb_arena_create(NULL);
        cr_assert_neq(ask(a[i], "seconds=300&format=pprof").due_ns, 0u);
    }
    cr_assert_eq(ask(late, "seconds=300").status, 503);
    ebb_arena_destroy(&a[7]);
    ebb_debug_reply r = ask(late, "seconds=300");
    cr_assert_neq(r.due_ns, 0u);
    cr_assert_eq(ebb_debug_finish(&r, late).status, 200);
    for (int i = 0; i < MOST; i++) ebb_arena_destroy(&a[i]);
    ebb_arena_destroy(&late);
}

Test(debug, without_memory_it_says_so)
{
    static const char *const queries[] = {"", "format=json", "format=text", "format=openmetrics",
                                          "seconds=1"};
    ebb_arena *a = ebb_arena_create(NULL);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        EBB_EACH_FAILURE (f, .arena = a) {
            ebb_debug_reply r = ask(a, queries[i]);
            if (r.due_ns) r = ebb_debug_finish(&r, a);
            cr_assert(r.status == (ebb_fault_hits(f) ? 507 : 200) || r.status == 200, "%d",
                      r.status);
            cr_assert(r.body.len > 0);
            cr_assert_eq(ebb_failed(a), EBB_OK);
        }
    }
    ebb_arena_destroy(&a);
}
