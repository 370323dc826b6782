/*
 * arena/process.c: what track/ asks of the process that it reports on: its name and number, its
 * environment and its standard error; and files that are there whole or not at all.
 */
#include "internal.h"

#include "../track/seam_process.h"

#include <errno.h>

unsigned ebb__process_number(void)
{
    return (unsigned)os_process();
}

const char *ebb__process_name(void)
{
    return os_program();
}

typedef struct each {
    void (*fn)(void *ctx, const ebb__code *c);
    void *ctx;
} each;

static void on_code(void *ctx, uintptr_t start, uintptr_t end, uint64_t offset, const char *path)
{
    const each *e = ctx;
    e->fn(e->ctx, &(ebb__code){start, end, offset, path});
}

void ebb__each_code(void (*fn)(void *ctx, const ebb__code *c), void *ctx)
{
    os_each_code(on_code, &(each){fn, ctx});
}

const char *ebb__environment(const char *name)
{
    return os_environment(name);
}

void ebb__print(const char *text)
{
    os_print_line(text);
}

/* What comes from outside is shown without what would steer a terminal. */
static void put_shown(char *to, size_t size, const char *value)
{
    size_t n = 0;
    for (; value[n] && n + 1 < size; n++) {
        unsigned char c = (unsigned char)value[n];
        to[n] = c < ' ' || c == 0x7f ? '?' : (char)c;
    }
    to[n] = '\0';
}

void ebb__print_wrong(const char *variable, const char *value, const char *may_be)
{
    enum { SHOWN = 61 };
    char line[256], shown[SHOWN];
    put_shown(shown, sizeof shown, value);
    snprintf(line, sizeof line, "ebb: %s=%s is not %s; ignored\n", variable, shown, may_be);
    os_print_line(line);
}

bool ebb__peer_is_local(const void *address)
{
    return os_address_is_local(address);
}

/* ---- whole files ----------------------------------------------------------------------------- */

/* A name of its own for each file of each process: others may be at it. */
static bool begin_beside(ebb__file *f)
{
    static _Atomic unsigned files;
    unsigned number = atomic_fetch_add_explicit(&files, 1, memory_order_relaxed);
    int n = snprintf(f->temporary, sizeof f->temporary, "%s.%u.%u.new", f->path,
                     ebb__process_number(), number);
    if (n < 0 || (size_t)n >= sizeof f->temporary) {
        errno = ENAMETOOLONG;
        return false;
    }
    f->to = fopen(f->temporary, "wbx");
    return f->to != NULL;
}

/* One of this process's number may have been killed, and left its files. */
bool ebb__file_begin(ebb__file *f, const char *path)
{
    enum { TRIES = 1000 };
    f->path = path;
    if (os_is_no_file(path)) {
        f->temporary[0] = '\0';
        f->to = fopen(path, "wb");
        return f->to != NULL;
    }
    for (int i = 0; i < TRIES; i++) {
        if (begin_beside(f)) return true;
        if (errno != EEXIST) return false;
    }
    return false;
}

bool ebb__file_end(ebb__file *f, bool good)
{
    if (fclose(f->to) != 0) good = false;
    if (!f->temporary[0]) return good;
    if (good && rename(f->temporary, f->path) == 0) return true;
    int why = errno;
    remove(f->temporary);
    errno = why;
    return false;
}
