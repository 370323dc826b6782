/*
 * bench/track/stack.c: a stack of 20 frames, captured by Ebb and its peers. See stack.h.
 *
 * All run at the bottom of the same recursion, which keeps frame pointers. `floor` follows those with
 * no look where they lead. libunwind is opened: linked, it would take the place of glibc's unwinder for
 * all. It is asked by its fast, cached way (unw_backtrace).
 */
#include "stack.h"

#include <ebb/ebb.h>

#include <dlfcn.h>
#include <execinfo.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* In libebb, but not among what it exports; a library without it leaves NULL here. */
unsigned ebb__stack_capture(const void *site, const void **ret_, unsigned most);
#pragma weak ebb__stack_capture

enum { DEEP = 20 };

typedef unsigned capture(const void *site, const void **ret_, unsigned most);

static int (*unw_backtrace)(void **ret_, int most);

static unsigned by_floor(const void *site, const void **ret_, unsigned most)
{
    const uintptr_t *frame = __builtin_frame_address(0);
    (void)site;
    for (unsigned i = 0; i < most; i++) {
        ret_[i] = (const void *)frame[1];
        frame = (const uintptr_t *)frame[0];
    }
    return most;
}

static unsigned by_glibc(const void *site, const void **ret_, unsigned most)
{
    (void)site;
    return (unsigned)backtrace((void **)(uintptr_t)ret_, (int)most);
}

static unsigned by_libunwind(const void *site, const void **ret_, unsigned most)
{
    (void)site;
    return (unsigned)unw_backtrace((void **)(uintptr_t)ret_, (int)most);
}

/* As a function of the library's that is called by a user: its return address is the site. */
static BENCH_NOINLINE unsigned api(capture *by, const void **ret_)
{
    unsigned n = by(__builtin_return_address(0), ret_, DEEP);
    __asm__ volatile("" : : "r"(ret_) : "memory");
    return n;
}

/* `least`: fewer frames would be another job. */
static BENCH_NOINLINE void bottom(capture *by, size_t ops, unsigned *least)
{
    const void *frames[DEEP];
    while (ops--) {
        unsigned n = api(by, frames);
        if (n < *least) *least = n;
    }
}

static BENCH_NOINLINE void recurse(unsigned deeper, capture *by, size_t ops, unsigned *least)
{
    if (deeper) recurse(deeper - 1, by, ops, least);
    else bottom(by, ops, least);
    __asm__ volatile(""); /* no jump in place of the call */
}

typedef struct contestant {
    capture *by;
    unsigned least;
} contestant;

static void run(void *state, size_t ops)
{
    contestant *c = state;
    recurse(DEEP, c->by, ops, &c->least);
}

static void open_libunwind(void)
{
    void *lib = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
    void *found = lib ? dlsym(lib, "unw_backtrace") : NULL;
    if (found) memcpy(&unw_backtrace, &found, sizeof found);
    else printf("missing\tlibunwind\t%s\n", dlerror());
}

void stack_measure(const bench_plan *plan)
{
    enum { MOST = 4 };
    static contestant of[MOST];
    static const char *const names[MOST] = {"ebb", "floor", "glibc backtrace()", "libunwind"};
    open_libunwind();
    /* Of a thread that has had no scope Ebb does not know where its stack ends. */
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_scope_end(&a);
    capture *const by[MOST] = {ebb__stack_capture, by_floor, by_glibc,
                               unw_backtrace ? by_libunwind : NULL};
    bench_entry entries[MOST];
    size_t n = 0;
    if (!ebb__stack_capture) printf("missing\tebb\tthe library captures no stacks\n");
    for (int i = 0; i < MOST; i++) {
        of[i] = (contestant){by[i], DEEP};
        if (by[i]) entries[n++] = (bench_entry){.name = names[i], .run = run, .state = &of[i]};
    }
    bench_measure(entries, n, plan);
    for (int i = 0; i < MOST; i++)
        if (of[i].by && of[i].least < DEEP) printf("frames\t%s\t%u\n", names[i], of[i].least);
}
