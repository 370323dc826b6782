/*
 * examples/vmd/http.c: a request's life under libmicrohttpd.
 *
 *   headers in    a scope begins (or a block is malloc'ed) and holds the request
 *   body pieces   are collected in it
 *   body whole    the handler runs, inside ebb_try, with the scope current for jansson
 *   completed     answered or given up by the client: the scope ends, and with it everything
 *
 * The reply's bytes lie in the scope and are sent from there: libmicrohttpd is done with them when it says
 * that the request is completed.
 */
#include "vmd.h"

#include <ebb/compat/jansson.h>

#include <arpa/inet.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ebb_profile profile = EBB_PROFILE("vmd request", .reserve = 1024);
static _Atomic size_t in_use; /* malloc mode's budget */

/* ---- a request's memory ------------------------------------------------------------------------ */

static request *request_begin(void)
{
    ebb_arena *scope = opt.ebb ? ebb_scope_begin(&profile) : NULL;
    if (scope && ebb_failed(scope))
        ebb_recover(scope); /* over the budget: a small answer must do */
    request *req = scope ? ebb_new(scope, request) : calloc(1, sizeof *req);
    if (!req) {
        ebb_scope_end(&scope);
        return NULL;
    }
    req->mem.scope = scope;
    req->body.mem = req->reply.mem = &req->mem;
    counted.live++;
    return req;
}

static void request_end(request *req)
{
    counted.live--;
    atomic_fetch_sub(&in_use, req->charged);
    if (req->mem.scope) {
        ebb_scope_end(&req->mem.scope); /* the handle lies in the scope: it is nulled first */
        return;
    }
    text_free(&req->body);
    text_free(&req->reply);
    free(req);
}

/* In malloc mode the budget counts bodies, and guesses what they become. */
static bool charge(request *req, size_t bytes)
{
    enum { BECOMES = 8 };
    if (req->mem.scope || !opt.budget) return true;
    if (atomic_fetch_add(&in_use, bytes * BECOMES) + bytes * BECOMES > opt.budget) {
        atomic_fetch_sub(&in_use, bytes * BECOMES);
        return false;
    }
    req->charged += bytes * BECOMES;
    return true;
}

static void take_piece(request *req, const char *data, size_t size)
{
    if (req->body.len + size > opt.max_body) req->too_large = true;
    if (!charge(req, size)) req->over_budget = true;
    if (!req->too_large && !req->over_budget) text_add(&req->body, data, size);
}

/* ---- answering --------------------------------------------------------------------------------- */

static int run_handler(ebb_arena *scope, void *arg)
{
    request *req = arg;
    EBB_ENTER(scope);
    return handle(req);
}

/* Out of memory or over a limit, in either mode: one fixed text, which needs none. */
static int refuse(request *req, int status, const char *why)
{
    if (req->mem.scope) ebb_recover(req->mem.scope);
    req->reply = (text){.mem = &req->mem};
    text_printf(&req->reply, "{\"error\":\"%s\"}\n", why);
    return status;
}

static int answer(request *req)
{
    if (req->too_large) return refuse(req, 413, "the body is too large");
    if (req->over_budget || req->body.failed) return refuse(req, 507, "over the memory budget");
    int status = req->mem.scope ? ebb_try(req->mem.scope, run_handler, req) : handle(req);
    if (status < 0) return refuse(req, 507, ebb_status_text(status));
    if (status == 507 && req->reply.len == 0) return refuse(req, 507, "out of memory");
    return status;
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, request *req)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(req->reply.len, req->reply.ptr, MHD_RESPMEM_PERSISTENT);
    if (!response) return MHD_NO;
    bool plain = !strcmp(req->path, "/metrics");
    MHD_add_response_header(response, "Content-Type",
                            plain ? "text/plain; version=0.0.4" : "application/json");
    enum MHD_Result queued = MHD_queue_response(connection, (unsigned)req->status, response);
    MHD_destroy_response(response);
    return queued;
}

/* ---- libmicrohttpd's side ----------------------------------------------------------------------- */

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **context)
{
    (void)cls, (void)version;
    request *req = *context;
    if (!req) {
        *context = req = request_begin();
        return req ? MHD_YES : MHD_NO;
    }
    if (*size) {
        take_piece(req, data, *size);
        *size = 0;
        return MHD_YES;
    }
    req->method = method;
    req->path = url;
    req->status = answer(req);
    counted.requests++;
    if (req->status >= 400) counted.bad++;
    return send_reply(connection, req);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode why)
{
    (void)cls, (void)connection, (void)why;
    if (*context) request_end(*context);
    *context = NULL;
}

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* Before any thread exists, so that all of them block what the first one waits for. */
static sigset_t catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t block, before;
    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    sigaddset(&block, SIGINT);
    sigprocmask(SIG_BLOCK, &block, &before);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    return before;
}

/* Never on any other address: there is no authentication here. */
static const struct sockaddr *loopback(void)
{
    static struct sockaddr_in address;
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)opt.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return (const struct sockaddr *)&address;
}

int serve(void)
{
    ebb_budget_params params = {.name = "all requests", .hard = opt.budget, .quantum = 16 << 10};
    profile.hard = opt.max_request;
    if (opt.ebb) {
        ebb_jansson_install();
        if (opt.budget) profile.budget = ebb_budget_create(NULL, &params);
    }
    sigset_t waiting = catch_signals();
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, (uint16_t)opt.port, NULL, NULL, on_request, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_THREAD_POOL_SIZE, opt.threads,
        MHD_OPTION_CONNECTION_TIMEOUT, opt.idle, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u,
        MHD_OPTION_SOCK_ADDR, loopback(), MHD_OPTION_END);
    if (!daemon) {
        fprintf(stderr, "vmd: can't listen on port %u\n", opt.port);
        return 1;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    printf("vmd: listening on 127.0.0.1:%u, memory=%s\n", info->port, opt.ebb ? "ebb" : "malloc");
    fflush(stdout);
    while (!stopped) sigsuspend(&waiting);
    MHD_stop_daemon(daemon);
    state_clear();
    if (profile.budget) ebb_budget_destroy(&profile.budget);
    return 0;
}
