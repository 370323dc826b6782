/*
 * examples/vmd/http.c: a request's life under libmicrohttpd.
 *
 *   headers in    a scope begins (or a block is malloc'ed) and holds the request
 *   body pieces   are collected in it
 *   body whole    the handler runs, inside ebb_try, with the scope current for jansson
 *   completed     answered, or given up by the client: the scope ends, and with it everything
 *
 * The reply's bytes lie in the scope and are sent from there: libmicrohttpd is done with them
 * when it says that the request is completed.
 */
#include "vmd.h"

#include <ebb/compat/jansson.h>
#include <ebb/track.h>

#include <arpa/inet.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

counters counted;
static ebb_budget *budget;         /* ebb mode's: what all scopes hold */
static _Atomic size_t body_charge; /* malloc mode's: see charge */

/* ---- a request's memory ---------------------------------------------------------------------- */

static request *request_begin(route *r)
{
    ebb_arena *scope = opt.ebb ? ebb_scope_begin(&r->profile) : NULL;
    if (scope) ebb_recover(scope); /* had it no memory, the reserve must do for an answer */
    request *req = scope ? ebb_new(scope, request) : calloc(1, sizeof *req);
    if (!req) {
        ebb_scope_end(&scope);
        return NULL;
    }
    req->mem.scope = scope;
    text_begin(&req->body, &req->mem);
    text_begin(&req->reply, &req->mem);
    req->route = r;
    counted.live++;
    return req;
}

static void request_end(request *req)
{
    counted.live--;
    atomic_fetch_sub(&body_charge, req->charged);
    if (req->mem.scope) {
        ebb_scope_end(&req->mem.scope); /* the handle lies in what ends: it is nulled first */
        return;
    }
    text_free(&req->body);
    text_free(&req->reply);
    free(req->owned);
    free(req);
}

/* malloc has no scopes to hold to a budget. What can be counted by hand without slowing it down
   is the bodies, times what they roughly become. */
static bool charge(request *req, size_t bytes)
{
    enum { BECOMES = 8 };
    if (req->mem.scope || !opt.budget) return true;
    size_t more = bytes * BECOMES;
    if (atomic_fetch_add(&body_charge, more) + more > opt.budget) {
        atomic_fetch_sub(&body_charge, more);
        return false;
    }
    req->charged += more;
    return true;
}

size_t budget_used(void)
{
    if (!budget) return body_charge;
    ebb_budget_stats s;
    ebb_budget_get_stats(budget, &s);
    return s.used;
}

/* ---- the body -------------------------------------------------------------------------------- */

static void make_room(request *req, size_t more)
{
    size_t room = text_room(&req->body);
    if (text_view(&req->body).len + more > opt.max_body) req->refused = 413;
    else if (more > room && !charge(req, more - room)) req->refused = 507;
    else if (!text_reserve(&req->body, more)) req->refused = 507;
}

/* One allocation will do, if the client says how much it is going to send. */
static void expect_body(request *req, struct MHD_Connection *connection)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    if (length) make_room(req, strtoull(length, NULL, 10));
}

/* What is refused is still read to its end, or the client might not get to see the answer. */
static void take_piece(request *req, const char *data, size_t size)
{
    if (!req->refused) make_room(req, size);
    if (!req->refused) text_add(&req->body, data, size);
}

/* ---- answering ------------------------------------------------------------------------------- */

static int run_handler(ebb_arena *scope, void *arg)
{
    EBB_ENTER(scope); /* until the brace jansson allocates from it */
    int status = handle(arg);
    return ebb_failed(scope) ? ebb_failed(scope) : status; /* a hook's failure does not jump */
}

/* No memory, or over a limit. Whatever reply was begun is left to the scope's end, or freed. */
static int refuse(request *req, int status, const char *why)
{
    if (req->mem.scope) ebb_recover(req->mem.scope);
    text_free(&req->reply);
    text_printf(&req->reply, "{\"error\":\"%s\"}\n", why);
    return status;
}

static int answer(request *req)
{
    if (req->refused == 413) return refuse(req, req->refused, "the body is too large");
    if (req->refused) return refuse(req, req->refused, ebb_status_text(EBB_E_LIMIT));
    int status = req->mem.scope ? ebb_try(req->mem.scope, run_handler, req) : handle(req);
    if (status < 0) return refuse(req, 507, ebb_status_text(status));
    if (req->type || req->debug.due_ns) return status;
    if (text_failed(&req->reply) || !text_view(&req->reply).len)
        return refuse(req, 507, ebb_status_text(EBB_E_MEMORY));
    return status;
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, request *req)
{
    static const char last_resort[] = "{\"error\":\"out of memory\"}\n";
    bool plain = req->status == 200 && req->route->plain == metrics;
    ebb_str reply = req->type ? req->made : text_view(&req->reply);
    if (!req->type && text_failed(&req->reply))
        reply = (ebb_str){last_resort, sizeof last_resort - 1};
    struct MHD_Response *response = MHD_create_response_from_buffer(
        reply.len, (void *)(uintptr_t)reply.ptr, MHD_RESPMEM_PERSISTENT);
    if (!response) return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                            req->type ? req->type
                            : plain   ? "text/plain; version=0.0.4"
                                      : "application/json");
    enum MHD_Result queued = MHD_queue_response(connection, (unsigned)req->status, response);
    MHD_destroy_response(response);
    return queued;
}

static void count_answer(int status)
{
    counted.requests++;
    if (status >= 500) counted.server_errors++;
    else if (status >= 400) counted.client_errors++;
}

/* ---- libmicrohttpd's side -------------------------------------------------------------------- */

const char *request_argument(request *req, const char *name)
{
    return MHD_lookup_connection_value(req->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* Called when the headers are in, then for each piece of the body, then once more. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **context)
{
    (void)cls, (void)version;
    request *req = *context;
    if (!req) {
        *context = req = request_begin(route_find(method, path));
        if (req) expect_body(req, connection);
        return req ? MHD_YES : MHD_NO;
    }
    if (*size) {
        take_piece(req, data, *size);
        *size = 0;
        return MHD_YES;
    }
    req->connection = connection;
    req->path = path;
    bool waited = req->debug.due_ns != 0;
    if (!waited) req->status = answer(req);
    if (!waited && req->debug.due_ns && debug_wait(req)) return MHD_YES; /* comes back then */
    if (req->debug.due_ns) req->status = debug_answer(req);
    count_answer(req->status);
    return send_reply(connection, req);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode why)
{
    (void)cls, (void)connection;
    if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK) counted.abandoned++;
    if (*context) request_end(*context);
    *context = NULL;
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

static struct MHD_Daemon *start(void)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, (uint16_t)opt.port, NULL, NULL,
        on_request, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
        MHD_OPTION_THREAD_POOL_SIZE, opt.threads, MHD_OPTION_CONNECTION_LIMIT, opt.connections,
        MHD_OPTION_CONNECTION_TIMEOUT, opt.idle, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u,
        MHD_OPTION_SOCK_ADDR, loopback(), MHD_OPTION_END);
}

/* ---- start and stop -------------------------------------------------------------------------- */

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

static void set_up_ebb(void)
{
    ebb_budget_params params = {.name = "all requests", .hard = opt.budget, .quantum = 16 << 10};
    ebb_jansson_install();
    if (opt.budget) budget = ebb_budget_create(NULL, &params);
    for (int i = 0; i < ROUTES; i++) {
        routes[i].profile.hard = opt.max_request;
        routes[i].profile.budget = budget;
    }
}

static ebb_fault *fail_some(void)
{
    ebb_fault_params params = {.probability = opt.fail ? 1.0 / opt.fail : 0, .seed = 1};
    return opt.fail ? ebb_fault_begin((ebb_watch)EBB_WATCH_INIT, &params, NULL) : NULL;
}

int serve(void)
{
    sigset_t waiting = catch_signals();
    if (!state_begin() || !pools_begin() || !configs_begin() || !debug_begin()) {
        fputs("vmd: out of memory\n", stderr);
        return 1;
    }
    if (opt.ebb) set_up_ebb();
    ebb_fault *fault = fail_some();
    struct MHD_Daemon *daemon = start();
    if (!daemon) {
        fprintf(stderr, "vmd: can't listen on port %u\n", opt.port);
        return 1;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    printf("vmd: listening on 127.0.0.1:%u, memory=%s\n", info->port, opt.ebb ? "ebb" : "malloc");
    fflush(stdout);
    while (!stopped) sigsuspend(&waiting);
    debug_end();
    MHD_stop_daemon(daemon);
    if (fault) ebb_fault_end(&fault);
    state_clear();
    configs_end();
    pools_end();
    if (budget) ebb_budget_destroy(&budget);
    return 0;
}
