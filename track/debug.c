/*
 * track/debug.c: the live page of ebb/debug.h: who asks, what for, and the answer.
 */
#include "format.h"
#include "seam_process.h"

#include <ebb/debug.h>
#include <ebb/live.h>

#include <string.h>

static ebb_str text_of(const char *text)
{
    return (ebb_str){text, strlen(text)};
}

static bool is(ebb_str s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

static ebb_debug_reply wrong(int status, const char *why)
{
    return (ebb_debug_reply){status, "text/plain; charset=utf-8", text_of(why), 0, NULL};
}

/* ---- who asks -------------------------------------------------------------------------------- */

/* As many bytes as there is a host before the port. */
static size_t host_length(ebb_str host)
{
    size_t n = 0;
    if (host.len && host.ptr[0] == '[') {
        while (n < host.len && host.ptr[n] != ']') n++;
        return n < host.len ? n + 1 : n;
    }
    while (n < host.len && host.ptr[n] != ':') n++;
    return n;
}

static bool is_port(ebb_str s)
{
    if (s.len == 0) return true;
    for (size_t i = 1; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9') return false;
    return s.ptr[0] == ':' && s.len > 1;
}

/* 127.0.0.0/8 in digits; a name that only begins so, such as 127.0.0.1.example, is not this one. */
static bool is_loopback_number(ebb_str s)
{
    if (s.len < 4 || memcmp(s.ptr, "127.", 4) != 0) return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] != '.' && (s.ptr[i] < '0' || s.ptr[i] > '9')) return false;
    return true;
}

static bool names_this_machine(ebb_str host)
{
    size_t n = host_length(host);
    ebb_str name = {host.ptr, n}, port = {host.ptr + n, host.len - n};
    return is_port(port) &&
           (is(name, "localhost") || is(name, "[::1]") || is_loopback_number(name));
}

static const char *refusal(const ebb_debug_request *r)
{
    if (r->allow_remote) return NULL;
    if (!r->peer || !ebb__peer_is_local(r->peer)) return "only this machine is answered\n";
    if (r->host.ptr && !names_this_machine(r->host))
        return "the Host is not this machine: ask for localhost, 127.0.0.1 or [::1]\n";
    return NULL;
}

/* ---- what for -------------------------------------------------------------------------------- */

enum { MOST_SECONDS = 300 };

typedef struct question {
    ebb_format format;
    bool page; /* no format was asked for */
    uint64_t seconds, bytes;
    ebb_track_level level;
    bool level_named;
} question;

static const struct {
    const char *name, *type;
    ebb_format format;
} formats[] = {
    {"text", "text/plain; charset=utf-8", EBB_FORMAT_TEXT},
    {"json", "application/json", EBB_FORMAT_JSON},
    {"html", "text/html; charset=utf-8", EBB_FORMAT_HTML},
    {"pprof", "application/octet-stream", EBB_FORMAT_PPROF},
    {"folded", "text/plain; charset=utf-8", EBB_FORMAT_FOLDED},
    {"openmetrics", "application/openmetrics-text; version=1.0.0; charset=utf-8",
     EBB_FORMAT_OPENMETRICS},
};
enum { FORMATS = sizeof formats / sizeof *formats };

static const char *type_of(ebb_format format)
{
    int i = 0;
    while (formats[i].format != format) i++;
    return formats[i].type;
}

static const char *read_format(question *q, ebb_str value)
{
    for (int i = 0; i < FORMATS; i++) {
        if (!is(value, formats[i].name)) continue;
        q->format = formats[i].format;
        q->page = false;
        return NULL;
    }
    return "format is one of text, json, html, pprof, folded and openmetrics\n";
}

static const char *read_level(question *q, ebb_str value)
{
    static const char *const names[] = {"sites", "sample", "full"};
    for (int i = 0; i < 3; i++) {
        if (!is(value, names[i])) continue;
        q->level = (ebb_track_level)i;
        q->level_named = true;
        return NULL;
    }
    return "level is one of sites, sample and full\n";
}

static bool read_number(ebb_str s, uint64_t most, uint64_t *ret_)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') return false;
        n = 10 * n + (uint64_t)(s.ptr[i] - '0');
        if (n > most) return false;
    }
    *ret_ = n;
    return n > 0;
}

static const char *read_argument(question *q, ebb_str name, ebb_str value)
{
    const uint64_t gib = (uint64_t)1 << 30;
    if (is(name, "format")) return read_format(q, value);
    if (is(name, "level")) return read_level(q, value);
    if (is(name, "seconds"))
        return read_number(value, MOST_SECONDS, &q->seconds) ? NULL : "seconds is 1 to 300\n";
    if (is(name, "bytes"))
        return read_number(value, gib, &q->bytes) ? NULL : "bytes is 1 to 1073741824\n";
    return "there are format, seconds, level and bytes\n";
}

/* Up to `c`, which is left out of both; all of it if there is none. */
static ebb_str cut(ebb_str *rest, char c)
{
    const char *at = rest->len ? memchr(rest->ptr, c, rest->len) : NULL;
    ebb_str head = {rest->ptr, at ? (size_t)(at - rest->ptr) : rest->len};
    size_t taken = head.len + (at != NULL);
    *rest = (ebb_str){taken ? rest->ptr + taken : rest->ptr, rest->len - taken};
    return head;
}

/* What would not do what it says. */
static const char *what_does_not_fit(const question *q)
{
    if (q->seconds && q->format == EBB_FORMAT_OPENMETRICS)
        return "openmetrics are of now, not of seconds\n";
    if (!q->seconds && (q->level_named || q->bytes))
        return "level and bytes are of what is counted: say for how many seconds\n";
    if (q->bytes && q->level != EBB_TRACK_SAMPLE) return "bytes are of a sample\n";
    return NULL;
}

/* NULL, or what is wrong. */
static const char *read_query(question *q, ebb_str query)
{
    *q = (question){EBB_FORMAT_HTML, true, 0, 0, EBB_TRACK_SAMPLE, false};
    while (query.len) {
        ebb_str value = cut(&query, '&'), name = cut(&value, '=');
        const char *why = name.len ? read_argument(q, name, value) : NULL;
        if (why) return why;
    }
    if (q->page && q->seconds) q->page = false; /* an HTML report */
    return what_does_not_fit(q);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static ebb_debug_reply answer(ebb_str body, ebb_format format)
{
    if (!body.ptr) return wrong(507, "out of memory\n");
    return (ebb_debug_reply){200, type_of(format), body, 0, NULL};
}

static ebb_debug_reply answer_live(ebb_format format, ebb_arena *a)
{
    ebb_live *l = ebb_live_look(a);
    return answer(l ? ebb_live_format(l, format, a, NULL) : (ebb_str){NULL, 0}, format);
}

/* What the process's tracker has seen, if it has one; else what there is without. */
static ebb_debug_reply answer_report(ebb_format format, ebb_arena *a)
{
    ebb_tracker *t = ebb_tracker_of_process();
    ebb_report none = {.name = "now", .level = EBB__LEVEL_SCOPES}, *r = &none;
    if (!t && format != EBB_FORMAT_JSON)
        return wrong(400, "nothing is tracked: say for how many seconds, as in &seconds=5, or "
                          "start the program with EBB_TRACK\n");
    if (t) r = ebb_tracker_report(t, a);
    return answer(r ? ebb_report_format(r, format, a, NULL) : (ebb_str){NULL, 0}, format);
}

static ebb_debug_reply answer_page(ebb_arena *a)
{
    ebb__out o = {NULL, 0, 0, false};
    ebb__format_live_html(&o);
    return answer(ebb__out_finish(&o, a), EBB_FORMAT_HTML);
}

/* ---- over some time -------------------------------------------------------------------------- */

struct ebb__debug {
    ebb_tracker *tracker; /* NULL: it has been finished */
    ebb_format format;
};

static void stop(void *arg)
{
    struct ebb__debug *d = arg;
    ebb_tracker_end(&d->tracker);
}

static ebb_debug_reply begin_counting(const question *q, ebb_arena *a)
{
    const ebb_tracker_params how = {.level = q->level, .sample_bytes = q->bytes};
    ebb_status why = EBB_E_MEMORY;
    struct ebb__debug *d = ebb_alloc_optional(a, sizeof *d);
    if (!d) return wrong(507, "out of memory\n");
    d->format = q->format;
    d->tracker = ebb_tracker_begin("some seconds", (ebb_watch)EBB_WATCH_INIT, &how, &why);
    if (!d->tracker)
        return wrong(503, why == EBB_E_EXHAUSTED ? "too many are counting already\n"
                                                 : "out of memory\n");
    if (!ebb_defer(a, stop, d)) return wrong(507, "out of memory\n");
    uint64_t due = ebb_clock_ns() + q->seconds * 1000000000u;
    return (ebb_debug_reply){0, NULL, {NULL, 0}, due, d};
}

ebb_debug_reply ebb_debug_finish(ebb_debug_reply *begun, ebb_arena *a)
{
    struct ebb__debug *d = begun->ebb__pending;
    begun->due_ns = 0;
    begun->ebb__pending = NULL;
    if (!d || !d->tracker)
        return wrong(500, "nothing to finish: nothing was begun, or it is finished\n");
    ebb_report *r = ebb_tracker_report(d->tracker, a);
    ebb_tracker_end(&d->tracker);
    return answer(r ? ebb_report_format(r, d->format, a, NULL) : (ebb_str){NULL, 0}, d->format);
}

ebb_debug_reply ebb_debug_begin(const ebb_debug_request *r, ebb_arena *a)
{
    question q;
    const char *why = refusal(r);
    if (why) return wrong(403, why);
    why = read_query(&q, r->query);
    if (why) return wrong(400, why);
    if (q.seconds) return begin_counting(&q, a);
    if (q.page) return answer_page(a);
    bool live = q.format == EBB_FORMAT_TEXT || q.format == EBB_FORMAT_OPENMETRICS;
    return live ? answer_live(q.format, a) : answer_report(q.format, a);
}
