/*
 * ebb/debug.h: a running program's memory as a page, for any server to mount, as at /debug/ebb.
 *
 *     GET /debug/ebb                            a page that refreshes itself
 *     GET /debug/ebb?format=json                what it shows, and what profiles have learned
 *     GET /debug/ebb?format=openmetrics         for a monitoring system
 *     GET /debug/ebb?format=text                the live tree, for a person with curl
 *     GET /debug/ebb?format=pprof&seconds=5     what is allocated in the next five seconds, for
 *                                               `go tool pprof`; also html, json, folded, text
 *
 * In a handler:
 *
 *     ebb_debug_request ask = {.query = query, .host = host, .peer = address_of_client};
 *     ebb_debug_reply answer = ebb_debug_begin(&ask, scope);
 *     if (answer.due_ns) {                  // seconds were asked for: come back then, or at once
 *         wait_until(answer.due_ns);        // for less; the server's way to wait
 *         answer = ebb_debug_finish(&answer, scope);
 *     }
 *     respond(answer.status, answer.content_type, answer.body);
 *
 * Who may ask. What is shown is what a program does: names of its requests, its functions, its
 * addresses, which help an attacker; and each question costs. So only this machine is answered, by
 * the address the connection comes from, and only where the request names this machine as its
 * Host, or a page that the user looks at elsewhere could ask through the user's own browser (by
 * DNS rebinding). A server behind a proxy on the same machine must keep strangers out at the
 * proxy, since all of them come from here. Set allow_remote if who may ask is known otherwise.
 */
#ifndef EBB_DEBUG_H
#define EBB_DEBUG_H

#include "arena.h"
#include "str.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sockaddr; /* the system's */

/** A GET request. Everything is borrowed. */
typedef struct ebb_debug_request {
    ebb_str query; /**< what is behind the '?', as it came */
    ebb_str
        host; /**< its Host header; {NULL, 0}: it has none, and is answered as if it were right */
    const struct sockaddr *peer; /**< where it comes from; NULL: not known, and so not answered */
    bool allow_remote;           /**< answer whoever asks */
} ebb_debug_request;

/** An answer, or when it is to be had. */
typedef struct ebb_debug_reply {
    int status;               /**< HTTP's: 200; 400, 403, 500, 503 or 507, and the body says why; 0:
                                   it is not to be had yet */
    const char *content_type; /**< static */
    ebb_str body;             /**< in scope of the arena, or static */
    uint64_t due_ns;          /**< 0: this is it; else ebb_debug_finish gives it, by ebb_clock_ns */
    struct ebb__debug *ebb__pending;
} ebb_debug_reply;

/**
 * Answer @r, or begin to count what the seconds asked for bring. The counting ends with
 * ebb_debug_finish, or with the scope @a, whichever comes first.
 * Fails: never; what is wrong is the answer. A page is some 170 KB, for which @a has to have room:
 * 507 says that its limit has not, or that there is no memory. Neither sticks nor jumps.
 * Cost: as ebb_live_look and ebb_report_format; while it counts, a sample of what is allocated
 * (`&bytes=N`, one in so many bytes), unless `&level=sites` or `&level=full` is asked for. Those
 * without seconds are refused, as is what is not known.
 * Threads: the holder of @a.
 */
EBB_API ebb_debug_reply ebb_debug_begin(const ebb_debug_request *r, ebb_arena *a);

/**
 * Return what was counted since @begun, which came from ebb_debug_begin with the same @a and a
 * due_ns that is not 0. It may be called before that is due, and shows what there is. Once: *@begun
 * is then no longer due, and what is not due is answered with 500. Threads: the holder of @a.
 */
EBB_API ebb_debug_reply ebb_debug_finish(ebb_debug_reply *begun, ebb_arena *a);

#ifdef __cplusplus
}
#endif
#endif /* EBB_DEBUG_H */
