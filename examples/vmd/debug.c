/*
 * examples/vmd/debug.c: GET /debug/ebb, Ebb's page about this process. Questions that take some
 * seconds wait without a thread of libmicrohttpd's: the connection is suspended, and resumed by one
 * thread that looks after all of them.
 */
#include "vmd.h"

#include <microhttpd.h>
#include <pthread.h>
#include <time.h>

enum { WAITING_MOST = 16 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool running, stopping;
    int count;
    struct {
        struct MHD_Connection *connection;
        uint64_t due;
    } one[WAITING_MOST];
} waiting = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- waiting --------------------------------------------------------------------------------- */

/* With the lock held: let those go that are due, or all. When the next is due; 0: there is none. */
static uint64_t resume_due(bool all)
{
    uint64_t now = ebb_clock_ns(), next = 0;
    for (int i = waiting.count - 1; i >= 0; i--) {
        uint64_t due = waiting.one[i].due;
        if (all || due <= now) {
            MHD_resume_connection(waiting.one[i].connection);
            waiting.one[i] = waiting.one[--waiting.count];
        } else if (!next || due < next) {
            next = due;
        }
    }
    return next;
}

static void *look_after(void *unused)
{
    const uint64_t second = 1000000000;
    (void)unused;
    pthread_mutex_lock(&waiting.lock);
    while (!waiting.stopping) {
        uint64_t next = resume_due(false);
        struct timespec until = {(time_t)(next / second), (long)(next % second)};
        if (next) pthread_cond_timedwait(&waiting.changed, &waiting.lock, &until);
        else pthread_cond_wait(&waiting.changed, &waiting.lock);
    }
    resume_due(true);
    pthread_mutex_unlock(&waiting.lock);
    return NULL;
}

bool debug_begin(void)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&waiting.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    waiting.running = pthread_create(&waiting.thread, NULL, look_after, NULL) == 0;
    return waiting.running;
}

void debug_end(void)
{
    if (!waiting.running) return;
    pthread_mutex_lock(&waiting.lock);
    waiting.stopping = true;
    pthread_cond_signal(&waiting.changed);
    pthread_mutex_unlock(&waiting.lock);
    pthread_join(waiting.thread, NULL);
}

bool debug_wait(request *req)
{
    pthread_mutex_lock(&waiting.lock);
    bool ok = waiting.count < WAITING_MOST && !waiting.stopping;
    if (ok) {
        MHD_suspend_connection(req->connection);
        waiting.one[waiting.count].connection = req->connection;
        waiting.one[waiting.count++].due = req->debug.due_ns;
        pthread_cond_signal(&waiting.changed);
    }
    pthread_mutex_unlock(&waiting.lock);
    return ok;
}

/* ---- answering ------------------------------------------------------------------------------- */

static int done(request *req)
{
    req->type = req->debug.content_type;
    req->made = req->debug.body;
    return req->debug.status;
}

/* libmicrohttpd has taken the query apart. */
static enum MHD_Result put_argument(void *to, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    (void)kind;
    ebb_builder_printf(to, "%s=%s&", name, value ? value : "");
    return MHD_YES;
}

static ebb_str query_of(request *req)
{
    ebb_builder b = ebb_builder_in(req->mem.scope);
    MHD_get_connection_values(req->connection, MHD_GET_ARGUMENT_KIND, put_argument, &b);
    return ebb_builder_finish(&b);
}

int debug_page(request *req)
{
    const union MHD_ConnectionInfo *client =
        MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const char *host = MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, "Host");
    if (!req->mem.scope) return reply_error(req, 404, "there is no scope to look at");
    ebb_debug_request ask = {.query = query_of(req), .peer = client ? client->client_addr : NULL};
    if (host) ask.host = ebb_str_from(host);
    req->debug = ebb_debug_begin(&ask, req->mem.scope);
    return done(req);
}

int debug_answer(request *req)
{
    req->debug = ebb_debug_finish(&req->debug, req->mem.scope);
    return done(req);
}
