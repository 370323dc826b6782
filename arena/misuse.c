/*
 * arena/misuse.c: telling the user what was done wrong; status texts; the check level.
 *
 * A report is one line: function("object"): what happened, who did what before, what to do. Sites
 * are code addresses (`addr2line -e program ADDRESS`, or gdb's `info symbol`).
 */
#include "internal.h"

#include "../track/seam.h"
#include "../track/seam_process.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_LENGTH = 512 };

/* Kept so that a core dump shows why. */
EBB_API char ebb__last_misuse[LINE_MAX_LENGTH];

static os_lock_t lock = OS_LOCK_INIT; /* the handler and its context, and the text above */
static ebb_misuse_fn *handler;
static void *handler_ctx;
static _Atomic int level = EBB_CHECKS_CHEAP;

const char *ebb_version(void)
{
#define TEXT(x)          #x
#define VERSION(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)
    return VERSION(EBB_VERSION_MAJOR, EBB_VERSION_MINOR, EBB_VERSION_PATCH);
#undef VERSION
#undef TEXT
}

uint64_t ebb_clock_ns(void)
{
    return os_clock_ns();
}

/* ---- statuses -------------------------------------------------------------------------------- */

const char *ebb_status_text(int status)
{
    switch (status) {
#define CASE(name, code, text)                                                                     \
    case code: return text;
        EBB_STATUSES(CASE)
#undef CASE
    default: return "unknown status";
    }
}

const char *ebb_status_name(int status)
{
    switch (status) {
#define CASE(name, code, text)                                                                     \
    case code: return #name;
        EBB_STATUSES(CASE)
#undef CASE
    default: return "?";
    }
}

/* ---- reports --------------------------------------------------------------------------------- */

void ebb_on_misuse(ebb_misuse_fn *fn, void *ctx)
{
    os_lock(&lock);
    handler = fn;
    handler_ctx = ctx;
    os_unlock(&lock);
}

static void default_handler(const ebb_misuse *what)
{
    char line[LINE_MAX_LENGTH + 8];
    snprintf(line, sizeof line, "ebb: %s\n", what->text);
    os_print_line(line);
    if (what->severity == EBB_MISUSE) abort();
}

/* What an ended scope is called nobody knows any more. */
static const char *object_name(const ebb_arena *a)
{
    return a && (a->bits & (LIVE | ADOPTED | SEALED)) ? ebb_arena_name(a) : "?";
}

static void report(ebb_misuse *what, const char *fmt, va_list args)
{
    char text[LINE_MAX_LENGTH];
    if (what->severity == EBB_MENDED && ebb__checks_level() == EBB_CHECKS_OFF) return;
    what->text = text;
    int n = snprintf(text, sizeof text, "%s(\"%s\"): ", what->function, what->object);
    if (n > 0 && (size_t)n < sizeof text) vsnprintf(text + n, sizeof text - (size_t)n, fmt, args);
    os_lock(&lock);
    ebb_misuse_fn *fn = handler;
    void *ctx = handler_ctx;
    memcpy(ebb__last_misuse, text, sizeof text);
    os_unlock(&lock);
    if (fn) fn(ctx, what);
    else default_handler(what);
    what->text = NULL; /* it lies here */
}

void ebb__report(ebb_severity severity, const char *function, const ebb_arena *a, const char *fmt,
                 ...)
{
    ebb_misuse what = {severity, function, object_name(a), NULL};
    va_list args;
    va_start(args, fmt);
    report(&what, fmt, args);
    va_end(args);
}

void ebb__report_named(ebb_severity severity, const char *function, const char *name,
                       const char *fmt, ...)
{
    ebb_misuse what = {severity, function, name, NULL};
    va_list args;
    va_start(args, fmt);
    report(&what, fmt, args);
    va_end(args);
}

void ebb__watcher_misuse(const char *function, const char *text)
{
    ebb__report(EBB_MISUSE, function, NULL, "%s", text);
}

static void report_ended(const ebb_arena *a, const char *function)
{
    const thread *who = (const thread *)a->w.tip;
    ebb__report(
        EBB_MISUSE, function, a,
        "already ended at %p on thread %u (%s); null every copy of the handle, or let one owner "
        "end it",
        (void *)a->floor, who ? who->id : 0, who && who->name[0] ? who->name : "?");
}

/* Whether `a` may be used; if not, it has been reported. */
bool ebb__check_live(const ebb_arena *a, const char *function)
{
    if (likely(a->bits & LIVE)) return true;
    if (a->bits & ADOPTED) {
        const ebb_arena *by = a->parent;
        while (by->bits & ADOPTED) by = by->parent;
        ebb__report(EBB_MISUSE, function, a, "was adopted by \"%s\"; use that arena instead",
                    ebb_arena_name(by));
    } else if (a->bits & SEALED) {
        ebb__report(EBB_MISUSE, function, a,
                    "sealed, so it changes no more and ends with its last reference; build what is "
                    "new in an arena of its own");
    } else {
        report_ended(a, function);
    }
    return false;
}

/* Whether this thread may use `a` now: it is live, and if strict, held here (or by nobody). At the
   validating level it must also be sound. */
bool ebb__check_usable(ebb_arena *a, const char *function)
{
    if (unlikely(!(a->bits & LIVE))) return ebb__check_live(a, function);
    if (likely(!(a->bits & STRICT))) return true;
    if (!ebb__strict_owner(a, function)) return false;
    const char *broken = ebb__checks_level() >= EBB_CHECKS_VALIDATE ? ebb_arena_validate(a) : NULL;
    if (broken) ebb__report(EBB_MISUSE, function, a, "%s", broken);
    return true;
}

/* ---- the level ------------------------------------------------------------------------------- */

void ebb_checks_set(ebb_checks to)
{
    ebb__thread_get();
    atomic_store_explicit(&level, (int)to, memory_order_relaxed);
    if (to >= EBB_CHECKS_STRICT || ebb__tools_active())
        atomic_fetch_or_explicit(&ebb__begin_flags, BEGIN_STRICT, memory_order_relaxed);
    else
        atomic_fetch_and_explicit(&ebb__begin_flags, ~(uint32_t)BEGIN_STRICT, memory_order_relaxed);
}

ebb_checks ebb_checks_get(void)
{
    ebb__thread_get(); /* the first use of the library reads the environment */
    return (ebb_checks)atomic_load_explicit(&level, memory_order_relaxed);
}

int ebb__checks_level(void)
{
    return atomic_load_explicit(&level, memory_order_relaxed);
}

/* At the first use of the library; ebb_checks_set comes later and wins. */
void ebb__checks_init(void)
{
    const char *value = getenv("EBB_CHECKS");
    if (ebb__tools_active())
        atomic_fetch_or_explicit(&ebb__begin_flags, BEGIN_STRICT, memory_order_relaxed);
    if (!value || !*value) return;
    if (value[0] < '0' || value[0] > '3' || value[1]) {
        ebb__print_wrong("EBB_CHECKS", value, "0, 1, 2 or 3");
        return;
    }
    atomic_store_explicit(&level, value[0] - '0', memory_order_relaxed);
    if (value[0] >= '2')
        atomic_fetch_or_explicit(&ebb__begin_flags, BEGIN_STRICT, memory_order_relaxed);
}

void ebb__misuse_lock(void)
{
    os_lock(&lock);
}

void ebb__misuse_unlock(void)
{
    os_unlock(&lock);
}
