/*
 * track/env.c: a report of the whole process, without a line of code: what the environment asks
 * for, begun when the process first uses Ebb, and written when it exits. See ebb/track.h.
 *
 * Invariants
 *   What is asked for is written once, before `ready` is set, and changes no more.
 *   Where the environment asks for nothing, no memory is taken and nothing is left running: the
 *   first use may be anywhere, in a signal's handler too.
 */
#include "format.h"
#include "seam.h"
#include "seam_process.h"

#include <ebb/scope.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static struct {
    char *report;     /* EBB_REPORT, a copy; NULL: none */
    bool text;        /* to stderr, though `report` has not asked for it */
    unsigned process; /* that was asked: its children by fork are others */
} asked;
static _Atomic bool ready;
static ebb_tracker *_Atomic the_tracker; /* NULL: `scopes` */
static ebb_arena *_Atomic early; /* for the first report: begun before the tracker, so not in it */

/* ---- EBB_TRACK ------------------------------------------------------------------------------- */

typedef enum wanted { UNSAID, OFF, SCOPES, TRACKED } wanted;

static bool read_bytes(const char *text, size_t *ret_)
{
    static const char units[] = "kmg";
    enum { UNIT_BITS = 10, BASE = 10 };
    char *end;
    if (*text < '0' || *text > '9') return false;
    errno = 0;
    unsigned long long n = strtoull(text, &end, BASE);
    const char *unit = *end ? strchr(units, *end) : NULL;
    unsigned shift = unit ? UNIT_BITS * (unsigned)(unit - units + 1) : 0;
    if (errno || n == 0 || n > SIZE_MAX >> shift || (unit ? end[1] : *end)) return false;
    *ret_ = (size_t)n << shift;
    return true;
}

/* UNSAID: it is none of these. */
static wanted read_track(const char *text, ebb_tracker_params *how)
{
    static const char sample[] = "sample:";
    if (!strcmp(text, "off")) return OFF;
    if (!strcmp(text, "scopes")) return SCOPES;
    if (!strcmp(text, "sites")) how->level = EBB_TRACK_SITES;
    else if (!strcmp(text, "full")) how->level = EBB_TRACK_FULL;
    else how->level = EBB_TRACK_SAMPLE;
    if (how->level != EBB_TRACK_SAMPLE || !strcmp(text, "sample")) return TRACKED;
    bool good = !strncmp(text, sample, sizeof sample - 1) &&
                read_bytes(text + sizeof sample - 1, &how->sample_bytes);
    return good ? TRACKED : UNSAID;
}

static const char *value_of(const char *name)
{
    const char *value = ebb__environment(name);
    return value && *value ? value : NULL;
}

static bool is_set(const char *name)
{
    const char *value = value_of(name);
    if (!value || !strcmp(value, "0")) return false;
    if (!strcmp(value, "1")) return true;
    ebb__print_wrong(name, value, "0 or 1");
    return false;
}

static wanted ask_track(ebb_tracker_params *how)
{
    const char *value = value_of("EBB_TRACK");
    bool full = is_set("EBB_TRACK_ALLOCATION_SITES");
    wanted what = value ? read_track(value, how) : UNSAID;
    if (value && what == UNSAID)
        ebb__print_wrong("EBB_TRACK", value, "off, scopes, sites, sample, sample:BYTES or full");
    if (what != UNSAID) return what;
    how->level = full ? EBB_TRACK_FULL : EBB_TRACK_SITES;
    return full ? TRACKED : UNSAID;
}

/* ---- EBB_REPORT ------------------------------------------------------------------------------ */

/* One of those between commas. */
typedef struct item {
    ebb_format format;
    const char *path; /* NULL: to stderr */
    size_t length;    /* of the path */
} item;

static bool read_item(const char *text, size_t length, item *ret_)
{
    static const struct {
        const char *name;
        ebb_format format;
    } known[] = {{"text", EBB_FORMAT_TEXT},
                 {"html", EBB_FORMAT_HTML},
                 {"pprof", EBB_FORMAT_PPROF},
                 {"folded", EBB_FORMAT_FOLDED},
                 {"json", EBB_FORMAT_JSON}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t n = strlen(known[i].name);
        if (length < n || memcmp(text, known[i].name, n) != 0) continue;
        *ret_ = (item){known[i].format, NULL, 0};
        if (length == n) return ret_->format == EBB_FORMAT_TEXT;
        if (text[n] != ':' || length == n + 1) continue;
        ret_->path = text + n + 1;
        ret_->length = length - n - 1;
        return true;
    }
    return false;
}

/* The next that is one; false: there are no more. Those that are none go to `wrong`, if any. */
static bool next_item(const char **at, item *ret_, void (*wrong)(const char *text, size_t length))
{
    while (*at && **at) {
        const char *text = *at;
        size_t length = strcspn(text, ",");
        *at = text + length + (text[length] == ',');
        if (read_item(text, length, ret_)) return true;
        if (wrong) wrong(text, length);
    }
    return false;
}

static void say_wrong(const char *text, size_t length)
{
    char shown[128];
    snprintf(shown, sizeof shown, "%.*s", (int)(length < sizeof shown ? length : sizeof shown - 1),
             text);
    ebb__print_wrong("EBB_REPORT", shown,
                     "text, or FORMAT:FILE with text, html, pprof, folded or json");
}

/* Whether it asks for anything. */
static bool ask_report(bool *ret_text)
{
    const char *at = value_of("EBB_REPORT");
    item i;
    bool any = false, text = false;
    while (next_item(&at, &i, say_wrong)) {
        any = true;
        if (!i.path) text = true;
    }
    *ret_text = is_set("EBB_PRINT_ALLOCATIONS") && !text;
    return any || *ret_text;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* %p is the process's number. False: it is too long. */
static bool expand(const item *i, char *to, size_t size)
{
    size_t n = 0;
    for (const char *p = i->path; p < i->path + i->length; p++) {
        bool number = p[0] == '%' && p + 1 < i->path + i->length && p[1] == 'p';
        int more = number ? snprintf(to + n, size - n, "%u", ebb__process_number())
                          : snprintf(to + n, size - n, "%c", *p);
        if (more < 0 || (size_t)more >= size - n) return false;
        n += (size_t)more;
        p += number;
    }
    return true;
}

/* A child by fork has files of its own alone. */
static bool is_ours(const item *i)
{
    if (ebb__process_number() == asked.process) return true;
    for (size_t k = 0; k + 1 < i->length; k++)
        if (i->path[k] == '%' && i->path[k + 1] == 'p') return true;
    return false;
}

static ebb_status write_text(ebb__out *o)
{
    ebb__out_bytes(o, "", 1);
    ebb_status status = o->failed ? EBB_E_MEMORY : EBB_OK;
    if (!o->failed) ebb__print(o->ptr);
    ebb__out_free(o);
    return status;
}

static void say_failure(const item *i, ebb_status status, int why)
{
    char line[512];
    const char *text = status == EBB_E_IO ? strerror(why) : ebb_status_text(status);
    if (i->path)
        snprintf(line, sizeof line, "ebb: EBB_REPORT: %.*s can't be written: %s\n",
                 (int)(i->length < 400 ? i->length : 400), i->path, text);
    else snprintf(line, sizeof line, "ebb: EBB_REPORT: there is no text: %s\n", text);
    ebb__print(line);
}

static ebb_status write_item(const ebb_report *r, const item *i, bool aloud)
{
    char path[4096] = "";
    ebb__out o = {NULL, 0, 0, false};
    ebb_status status = EBB_E_IO;
    errno = ENAMETOOLONG;
    if (!i->path || expand(i, path, sizeof path)) {
        if (r->level == EBB__LEVEL_SCOPES && i->format == EBB_FORMAT_TEXT) ebb__text_profiles(&o);
        else ebb__format(&o, r, i->format);
        status = i->path ? ebb__out_save(&o, path) : write_text(&o);
    }
    if (aloud && status != EBB_OK) say_failure(i, status, errno);
    return status;
}

/* EBB_E_INVALID: there is nothing to write. */
static ebb_status write_items(const ebb_report *r, bool aloud)
{
    const char *at = asked.report;
    item i, text = {EBB_FORMAT_TEXT, NULL, 0};
    ebb_status first = EBB_OK;
    size_t count = 0;
    bool more = asked.text;
    for (i = text; more || next_item(&at, &i, NULL); more = false) {
        if (!is_ours(&i)) continue;
        ebb_status status = write_item(r, &i, aloud);
        if (first == EBB_OK) first = status;
        count++;
    }
    return count ? first : EBB_E_INVALID;
}

static ebb_arena *scope_take(void)
{
    ebb_arena *a = atomic_exchange(&early, NULL);
    if (a) ebb_scope_attach(a);
    return a ? a : ebb_scope_begin(NULL);
}

static ebb_status write_all(bool aloud)
{
    ebb_tracker *t = atomic_load(&the_tracker);
    ebb_report none = {.name = ebb__process_name(), .level = EBB__LEVEL_SCOPES};
    ebb_arena *a = scope_take();
    const ebb_report *r = t ? ebb_tracker_report(t, a) : &none;
    ebb_status status = r ? write_items(r, aloud) : EBB_E_MEMORY;
    if (!r && aloud) ebb__print("ebb: EBB_REPORT: out of memory; nothing is written\n");
    ebb_scope_end(&a);
    return status;
}

ebb_status ebb_track_write(void)
{
    ebb_checks_get(); /* the first use of the library reads the environment */
    return atomic_load(&ready) ? write_all(false) : EBB_E_INVALID;
}

static void at_exit(void)
{
    write_all(true);
}

/* ---- the beginning --------------------------------------------------------------------------- */

ebb_tracker *ebb_tracker_of_process(void)
{
    ebb_checks_get(); /* as above */
    return atomic_load(&the_tracker);
}

/* malloc too, where the program lets it be counted. */
static ebb_tracker *begin(ebb_tracker_params how, ebb_status *ret_why)
{
    const ebb_watch all = EBB_WATCH_INIT;
    how.system = true;
    ebb_tracker *t = ebb_tracker_begin(ebb__process_name(), all, &how, ret_why);
    if (t || *ret_why != EBB_E_UNSUPPORTED) return t;
    how.system = false;
    return ebb_tracker_begin(ebb__process_name(), all, &how, ret_why);
}

static void give_up(ebb_status why)
{
    char line[128];
    snprintf(line, sizeof line, "ebb: EBB_TRACK: %s; nothing is tracked\n", ebb_status_text(why));
    ebb__print(line);
}

static ebb_status start(wanted what, const ebb_tracker_params *how, bool text)
{
    const char *report = value_of("EBB_REPORT");
    ebb_status why = EBB_E_MEMORY;
    asked.text = text;
    asked.process = ebb__process_number();
    if (report) asked.report = strdup(report);
    if (report && !asked.report) return EBB_E_MEMORY;
    if (what != SCOPES) {
        ebb_arena *a = ebb_scope_begin(NULL);
        ebb_arena_set_label(a, "ebb report");
        atomic_store(&early, ebb_scope_detach(&a));
        ebb_tracker *t = begin(*how, &why);
        if (!t) return why;
        atomic_store(&the_tracker, t);
    }
    atomic_store(&ready, true);
    return atexit(at_exit) == 0 ? EBB_OK : EBB_E_MEMORY;
}

void ebb__env_start(void)
{
    ebb_tracker_params how = EBB_TRACKER_PARAMS_INIT;
    bool text;
    wanted what = ask_track(&how);
    bool report = ask_report(&text);
    if (what == OFF || (what == UNSAID && !report)) return;
    ebb_status why = start(what, &how, text || !report);
    if (why != EBB_OK) give_up(why);
}
