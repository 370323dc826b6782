/*
 * track/symbols.c: code addresses to functions and lines, by libbacktrace, which reads the debug
 * information of the program, of its libraries, and of separate files by build-id or debuglink.
 * Slow; for reports, never where allocations are counted.
 */
#include "tracker.h"

#include <stdatomic.h>
#include <string.h>

#if EBB_HAVE_BACKTRACE
#include <backtrace.h>

typedef struct found {
    ebb__frame *frame;
    int count, most;
} found;

/* What can't be read is not there. */
static void on_error(void *data, const char *message, int number)
{
    (void)data, (void)message, (void)number;
}

static int on_frame(void *data, uintptr_t pc, const char *file, int line, const char *function)
{
    found *f = data;
    (void)pc;
    if (!function && !file) return 0;
    if (f->count < f->most) f->frame[f->count++] = (ebb__frame){function, file, line};
    return 0;
}

static void on_symbol(void *data, uintptr_t pc, const char *name, uintptr_t value, uintptr_t size)
{
    found *f = data;
    (void)pc, (void)value, (void)size;
    if (name) f->frame[f->count++] = (ebb__frame){name, NULL, 0};
}

/* One for the process; libbacktrace has no way to let go of one, and locks it by itself. */
static struct backtrace_state *state_get(void)
{
    static struct backtrace_state *_Atomic the_state;
    struct backtrace_state *s = atomic_load(&the_state), *none = NULL;
    if (s) return s;
    s = backtrace_create_state(NULL, 1, on_error, NULL);
    return atomic_compare_exchange_strong(&the_state, &none, s) ? s : none;
}

int ebb__symbol_frames(const void *address, ebb__frame *ret_, int most)
{
    found f = {ret_, 0, most};
    struct backtrace_state *s = state_get();
    uintptr_t call = (uintptr_t)address - 1; /* the address is behind the call */
    if (!s) return 0;
    backtrace_pcinfo(s, call, on_frame, on_error, &f);
    if (f.count == 0) backtrace_syminfo(s, call, on_symbol, on_error, &f);
    return f.count;
}
#else
int ebb__symbol_frames(const void *address, ebb__frame *ret_, int most)
{
    (void)address, (void)ret_, (void)most;
    return 0;
}
#endif

const char *ebb__file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool ebb__frame_is_ours(const ebb__frame *f)
{
    static const char folder[] = "ebb/";
    if (!f->file) return false;
    const char *name = ebb__file_name(f->file);
    size_t before = (size_t)(name - f->file), n = sizeof folder - 1;
    return before >= n && !memcmp(name - n, folder, n) && strstr(name, ".h");
}
