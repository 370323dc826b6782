/*
 * tests/unit/test_track_levels.c: what each level of a tracker shows: stacks, lifetimes, samples, kinds
 * of arenas; where stacks can't be followed; signals that interrupt. That the counts are right, tests/model/test_track_model.c sees.
 */
#include "test.h"

#include <ebb/compat/malloc.h>
#include <ebb/ebb.h>
#include <ebb/track.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>

static _Thread_local void *volatile kept;

/* What follows each call keeps compilers from making one of two, and from leaving by a jump. */
#define HERE(n) __asm__ volatile("# %0" ::"i"(n) : "memory")

__attribute__((noinline)) static void innermost(ebb_arena *a)
{
    kept = ebb_alloc(a, 32);
    HERE(1);
}

__attribute__((noinline)) static void middle(ebb_arena *a)
{
    innermost(a);
    HERE(2);
}

__attribute__((noinline)) static void by_one_way(ebb_arena *a)
{
    middle(a);
    HERE(3);
}

__attribute__((noinline)) static void by_another(ebb_arena *a)
{
    middle(a);
    HERE(4);
}

static ebb_tracker *track(ebb_watch whom, ebb_track_level level, size_t every)
{
    const ebb_tracker_params how = {.level = level, .sample_bytes = every};
    ebb_status why = EBB_OK;
    ebb_tracker *t = ebb_tracker_begin("levels", whom, &how, &why);
    cr_assert_not_null(t, "%s", ebb_status_text(why));
    return t;
}

static ebb_totals totals_of(ebb_tracker *t)
{
    ebb_totals now;
    ebb_tracker_get_totals(t, &now);
    return now;
}

static ebb_report *report_of(ebb_tracker *t, ebb_arena *into)
{
    ebb_report *r = ebb_tracker_report(t, into);
    cr_assert_not_null(r);
    return r;
}

/* ---- stacks ------------------------------------------------------------------------------------ */

Test(track_levels, each_way_to_a_call_is_a_site)
{
    ebb_arena *a = ebb_arena_create(NULL), *into = ebb_arena_create(NULL);
    ebb_tracker *t = track((ebb_watch){.arena = a}, EBB_TRACK_FULL, 0);
    for (volatile int i = 0; i < 3; i++) by_one_way(a); /* not unrolled */
    by_another(a);
    ebb_report *r = report_of(t, into);
    cr_assert_eq(r->site_count, 2u, "%s", ebb_report_text(r, 10, into).ptr);
    const ebb_site *more = &r->site[0], *less = &r->site[1];
    cr_assert(more->count == 3 && less->count == 1);
    cr_assert(more->depth >= 4 && less->depth >= 4, "%u, %u", more->depth, less->depth);
    cr_assert_eq(more->stack[0], more->address);
    cr_assert(more->stack[0] == less->stack[0] && more->stack[1] == less->stack[1]);
    cr_assert_neq(more->stack[2], less->stack[2]);
    const char *text = ebb_report_text(r, 10, into).ptr;
    const char *in = strstr(text, "innermost"), *mid = in ? strstr(in, " < middle") : NULL;
    cr_assert(in && mid && strstr(mid, " < by_one_way"), "%s", text);
    ebb_tracker_end(&t);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&into);
}

/* The library's own frames between are left out, and those of its containers are not. */
Test(track_levels, stacks_lead_through_the_library)
{
    ebb_arena *a = ebb_arena_create(NULL), *into = ebb_arena_create(NULL);
    ebb_tracker *t = track((ebb_watch){.arena = a}, EBB_TRACK_FULL, 0);
    kept = ebb_printf(a, "%d", 1);
    ebb_builder b = ebb_builder_in(a);
    for (int i = 0; i < 100; i++) ebb_builder_append(&b, EBB_STR("some text"));
    ebb_report *r = report_of(t, into);
    const char *text = ebb_report_text(r, 10, into).ptr;
    cr_assert(strstr(text, "stacks_lead_through_the_library"), "%s", text);
    uint64_t growths = 0;
    for (size_t i = 0; i < r->site_count; i++) growths += r->site[i].growths;
    cr_assert(growths > 0 && growths < r->totals.count);
    ebb_tracker_end(&t);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&into);
}

__attribute__((noinline)) static void deep(ebb_arena *a, int depth)
{
    if (depth == 0) innermost(a);
    else deep(a, depth - 1);
    HERE(5);
}

Test(track_levels, what_is_too_deep_is_cut)
{
    ebb_arena *a = ebb_arena_create(NULL), *into = ebb_arena_create(NULL);
    ebb_tracker *t = track((ebb_watch){.arena = a}, EBB_TRACK_FULL, 0);
    deep(a, 300);
    ebb_report *r = report_of(t, into);
    cr_assert(r->site_count == 1 && r->site[0].depth == 64, "%u", r->site[0].depth);
    ebb_tracker_end(&t);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&into);
}

static ebb_arena *shared;
static ucontext_t before, inside;

static void on_another_stack(void)
{
    by_one_way(shared);
    swapcontext(&inside, &before);
}

/* A coroutine's stack is not the thread's, and nobody knows where it ends. */
Test(track_levels, on_another_stack_there_is_at_least_the_call)
{
    static char stack[64 << 10];
    ebb_arena *into = ebb_arena_create(NULL);
    shared = ebb_arena_create(NULL);
    ebb_tracker *t = track((ebb_watch){.arena = shared}, EBB_TRACK_FULL, 0);
    by_one_way(shared);
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = sizeof stack;
    makecontext(&inside, on_another_stack, 0);
    swapcontext(&before, &inside);
    by_one_way(shared);
    ebb_report *r = report_of(t, into);
    cr_assert_eq(r->totals.count, 3u);
    for (size_t i = 0; i < r->site_count; i++) cr_assert(r->site[i].depth >= 1);
    ebb_tracker_end(&t);
    ebb_arena_destroy(&shared);
    ebb_arena_destroy(&into);
}

/* Whatever is in the frame pointer, it leads nowhere that can't be read. */
#if defined(__x86_64__)
__attribute__((noinline)) static void with_frame_pointer(ebb_arena *a, uintptr_t value)
{
    __asm__ volatile("mov %%rsp, %%rbx\n\t"
                     "add $-128, %%rsp\n\t" /* below it the compiler may keep something */
                     "and $-16, %%rsp\n\t"
                     "push %%rbp\n\t"
                     "sub $8, %%rsp\n\t"
                     "mov %1, %%rbp\n\t"
                     "mov %0, %%rdi\n\t"
                     "call *%2\n\t"
                     "add $8, %%rsp\n\t"
                     "pop %%rbp\n\t"
                     "mov %%rbx, %%rsp"
                     :
                     : "r"(a), "r"(value), "r"(innermost)
                     : "rbx", "rdi", "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory",
                       "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
}

Test(track_levels, a_broken_chain_of_frames_is_left)
{
    ebb_arena *a = ebb_arena_create(NULL), *into = ebb_arena_create(NULL);
    ebb_tracker *t = track((ebb_watch){.arena = a}, EBB_TRACK_FULL, 0);
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (under_valgrind()) cr_skip_test("Memcheck sees that what is there was never written");
    const uintptr_t values[] = {0,
                                1,
                                8,
                                16,
                                here + 1,
                                here - 64,
                                UINTPTR_MAX,
                                UINTPTR_MAX - 15,
                                here + 64,
                                (uintptr_t)1 << 46,
                                (uintptr_t)&here};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) with_frame_pointer(a, values[i]);
    cr_assert_eq(totals_of(t).count, sizeof values / sizeof *values);
    cr_assert_eq(totals_of(t).dropped, 0u);
    ebb_tracker_end(&t);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&into);
}
#endif

/* ---- lifetimes --------------------------------------------------------------------------------- */

Test(track_levels, what_is_let_go_has_lived)
{
    ebb_arena *a = ebb_arena_create(NULL), *into = ebb_arena_create(NULL);
    ebb_tracker *t = track((ebb_watch){.arena = a}, EBB_TRACK_FULL, 0);
    innermost(a);
    ebb_report *r = report_of(t, into);
    cr_assert(r->totals.live_count == 1 && r->totals.live_bytes == 32);
    cr_assert(r->site[0].live_count == 1 && r->site[0].lived_ns == 0);
    ebb_arena_reset(a);
    r = report_of(t, into);
    cr_assert(r->totals.live_count == 0 && r->totals.live_bytes == 0);
    cr_assert(r->site[0].live_count == 0 && r->site[0].lived_ns > 0);
    cr_assert_eq(r->totals.count, 1u);
    ebb_tracker_end(&t);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&into);
}

Test(track_levels, what_the_hooks_free_is_let_go)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_arena *outer = ebb_scope_enter(a);
    ebb_tracker *t = track((ebb_watch){.arena = a}, EBB_TRACK_FULL, 0);
    void *first = ebb_hook_malloc(100), *second = ebb_hook_malloc(50);
    cr_assert_eq(totals_of(t).live_count, 2u);
    ebb_hook_free(first);
    cr_assert_eq(totals_of(t).live_count, 1u);
    second = ebb_hook_realloc(second, 500);
    cr_assert_eq(totals_of(t).live_count, 1u);
    ebb_hook_free(second);
    cr_assert(totals_of(t).live_count == 0 && totals_of(t).live_bytes == 0);
    ebb_tracker_end(&t);
    ebb_scope_leave(outer);
    ebb_arena_destroy(&a);
}

/* One that comes after another, in its place, does not hear the end of what that one had counted. */
Test(track_levels, lives_of_an_ended_tracker_are_nobodys)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_tracker *t = track((ebb_watch){.arena = a}, EBB_TRACK_FULL, 0);
    innermost(a);
    ebb_tracker_end(&t);
    t = track((ebb_watch){.arena = a}, EBB_TRACK_FULL, 0);
    ebb_arena_reset(a);
    cr_assert(totals_of(t).live_count == 0 && totals_of(t).live_bytes == 0);
    innermost(a);
    cr_assert_eq(totals_of(t).live_count, 1u);
    ebb_tracker_end(&t);
    ebb_arena_destroy(&a);
}

/* ---- samples ----------------------------------------------------------------------------------- */

Test(track_levels, the_rest_of_a_sample_takes_the_fast_path)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_tracker *t = track((ebb_watch){.arena = a}, EBB_TRACK_SAMPLE, (size_t)1 << 40);
    innermost(a);
    ebb_arena_stats s;
    ebb_arena_get_stats(a, &s);
    const char *text = ebb_arena_describe(a, a);
    if (layout_is_plain()) cr_assert(strstr(text, "window open"), "%s", text);
    ebb_tracker_end(&t);
    ebb_arena_destroy(&a);
}

/* One byte: everything is in it, and estimates are counts. */
Test(track_levels, a_sample_of_everything_is_exact)
{
    ebb_arena *a = ebb_arena_create(NULL), *into = ebb_arena_create(NULL);
    ebb_tracker *t = track((ebb_watch){.arena = a}, EBB_TRACK_SAMPLE, 1);
    for (int i = 0; i < 1000; i++) by_one_way(a);
    ebb_report *r = report_of(t, into);
    cr_assert(r->totals.count == 1000 && r->totals.samples == 1000);
    cr_assert(r->totals.bytes == 32000 && r->totals.by_class[6] == 1000);
    cr_assert_eq(r->site[0].count, 1000u);
    cr_assert(r->site[0].depth >= 3);
    cr_assert_eq(r->sample_bytes, 1u);
    ebb_tracker_end(&t);
    for (int i = 0; i < 1000; i++) by_one_way(a);
    cr_assert_null(ebb_arena_validate(a));
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&into);
}

Test(track_levels, the_finer_of_two_samples_serves_both)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_tracker *coarse = track((ebb_watch){.arena = a}, EBB_TRACK_SAMPLE, 1 << 20);
    ebb_tracker *fine = track((ebb_watch){.arena = a}, EBB_TRACK_SAMPLE, 1);
    for (int i = 0; i < 100; i++) innermost(a);
    cr_assert(totals_of(coarse).count == 100 && totals_of(fine).count == 100);
    ebb_tracker_end(&fine);
    for (int i = 0; i < 100; i++) innermost(a);
    cr_assert(totals_of(coarse).samples <= 110);
    ebb_tracker_end(&coarse);
    ebb_arena_destroy(&a);
}

/* ---- kinds ------------------------------------------------------------------------------------- */

static const ebb_report_kind *kind_named(const ebb_report *r, const char *name)
{
    for (size_t i = 0; i < r->kind_count; i++)
        if (strcmp(r->kind[i].name, name) == 0) return &r->kind[i];
    return NULL;
}

Test(track_levels, arenas_of_each_kind_have_their_own_figures)
{
    static ebb_profile get = EBB_PROFILE("GET /"), put = EBB_PROFILE("PUT /");
    ebb_arena *into = ebb_arena_create(NULL);
    ebb_tracker *t = track((ebb_watch){.this_thread = true}, EBB_TRACK_SITES, 0);
    for (volatile int i = 0; i < 3; i++) {
        ebb_arena *a = ebb_scope_begin(i ? &get : &put);
        innermost(a);
        kept = ebb_alloc_aligned(a, 33, 1);
        kept = ebb_alloc_aligned(a, 8, 8);
        ebb_scope_end(&a);
    }
    ebb_report *r = report_of(t, into);
    const ebb_report_kind *g = kind_named(r, "GET /"), *p = kind_named(r, "PUT /");
    cr_assert(g && g->count == 6 && g->begins == 2 && g->bytes == 2 * 73);
    cr_assert(p && p->count == 3 && p->begins == 1 && p->by_class[6] == 1);
    if (layout_is_plain()) cr_assert(p->padding == 7, "%d", (int)p->padding);
    for (size_t i = 0; i < r->site_count; i++)
        cr_assert_eq(r->site[i].count, r->kind[r->site[i].kind].begins);
    ebb_tracker_end(&t);
    ebb_arena_destroy(&into);
}

/* ---- the short way ------------------------------------------------------------------------------ */

enum { SHORT_KINDS = 3 };

static void work_of_sorts(ebb_profile *const kind[SHORT_KINDS], unsigned long rounds)
{
    rng r = {7};
    for (unsigned long i = 0; i < rounds; i++) {
        ebb_arena *a = ebb_scope_begin(kind[rng_below(&r, SHORT_KINDS)]);
        for (size_t n = rng_below(&r, 40); n > 0; n--) {
            size_t size = rng_below(&r, rng_one_in(&r, 20) ? 30000 : 60);
            kept = ebb_alloc_aligned(a, size, (size_t)1 << rng_below(&r, 7));
            HERE(5);
            if (rng_one_in(&r, 3)) innermost(a);
            if (rng_one_in(&r, 9)) by_another(a);
            if (rng_one_in(&r, 30)) ebb_arena_reset(a);
        }
        ebb_scope_end(&a);
    }
}

static void sums_agree(const ebb_report *r)
{
    uint64_t count = 0, bytes = 0, of_sites = 0;
    for (size_t i = 0; i < r->site_count; i++) of_sites += r->site[i].count;
    for (size_t i = 0; i < r->moment_count; i++) {
        count += r->moment[i].count;
        bytes += r->moment[i].bytes;
    }
    cr_assert(count == r->totals.count && bytes == r->totals.bytes && of_sites == count);
}

/* A tracker that is alone, and listens to all, hears of allocations by a way of its own. */
Test(track_levels, who_listens_alone_counts_as_with_others)
{
    static ebb_profile get = EBB_PROFILE("GET /"), put = EBB_PROFILE("PUT /");
    ebb_profile *const kind[SHORT_KINDS] = {&get, &put, NULL};
    ebb_arena *into = ebb_arena_create(NULL);
    ebb_report *seen[2];
    work_of_sorts(kind, 200); /* chunk sizes are learned by then */
    for (int other = 0; other < 2; other++) {
        ebb_tracker *one = track((ebb_watch)EBB_WATCH_INIT, EBB_TRACK_SITES, 0), *two = NULL;
        if (other) two = track((ebb_watch){.this_thread = true}, EBB_TRACK_SITES, 0);
        work_of_sorts(kind, scaled(3000));
        seen[other] = report_of(one, into);
        ebb_tracker_end(&one);
        if (two) ebb_tracker_end(&two);
        sums_agree(seen[other]);
    }
    cr_assert_eq(seen[0]->totals.count, seen[1]->totals.count);
    cr_assert_eq(seen[0]->totals.bytes, seen[1]->totals.bytes);
    cr_assert_eq(
        memcmp(seen[0]->totals.by_class, seen[1]->totals.by_class, sizeof seen[0]->totals.by_class),
        0);
    cr_assert_eq(seen[0]->kind_count, seen[1]->kind_count);
    for (size_t i = 0; i < seen[0]->kind_count; i++) {
        const ebb_report_kind *a = &seen[0]->kind[i], *b = kind_named(seen[1], a->name);
        cr_assert(b && a->count == b->count && a->bytes == b->bytes && a->begins == b->begins);
        /* but for what is learned meanwhile of where chunks end */
        uint64_t more = a->padding > b->padding ? a->padding - b->padding : b->padding - a->padding;
        if (layout_is_plain()) cr_assert(a->padding > 0 && more < a->padding / 20);
        cr_assert_eq(memcmp(a->by_class, b->by_class, sizeof a->by_class), 0);
    }
    cr_assert_eq(seen[0]->site_count, seen[1]->site_count);
    ebb_arena_destroy(&into);
}

/* ---- signals ----------------------------------------------------------------------------------- */

static ebb_arena *handlers;
static volatile sig_atomic_t interruptions;

/* The next is asked for when this one has done: where a handler takes longer than it is to the next,
   what it interrupts would never go on. */
static void on_alarm(int number)
{
    enum { MOST = 20000 };
    const struct itimerval next = {{0, 0}, {0, 200}};
    (void)number;
    by_another(handlers);
    if (++interruptions < MOST) setitimer(ITIMER_REAL, &next, NULL);
}

/* A handler that has an arena to itself may allocate from it wherever it interrupts. */
static void count_under_signals(ebb_track_level level)
{
    const struct itimerval first = {{0, 0}, {0, 200}}, never = {{0, 0}, {0, 0}};
    const int rounds = (int)scaled(200000);
    handlers = ebb_arena_create(NULL);
    ebb_tracker *t = track((ebb_watch)EBB_WATCH_INIT, level, 1);
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &first, NULL);
    ebb_arena *a = ebb_arena_create(NULL);
    for (int i = 0; i < rounds; i++) {
        by_one_way(a);
        if (i % 1000 == 0) ebb_arena_reset(a);
    }
    signal(SIGALRM, SIG_IGN);
    setitimer(ITIMER_REAL, &never, NULL);
    cr_assert_eq(totals_of(t).count, (uint64_t)rounds + (uint64_t)interruptions);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&handlers);
    ebb_tracker_end(&t);
}

Test(track_levels, signals_interrupt_sites)
{
    count_under_signals(EBB_TRACK_SITES);
}

Test(track_levels, signals_interrupt_samples)
{
    count_under_signals(EBB_TRACK_SAMPLE);
}

Test(track_levels, signals_interrupt_everything)
{
    count_under_signals(EBB_TRACK_FULL);
}

/* ---- misuse ------------------------------------------------------------------------------------ */

Test(track_levels, a_level_that_is_none_is_refused)
{
    ebb_status why = EBB_OK;
    ebb_tracker_params how = EBB_TRACKER_PARAMS_INIT;
    how.level = (ebb_track_level)7;
    cr_assert_null(ebb_tracker_begin("?", (ebb_watch)EBB_WATCH_INIT, &how, &why));
    cr_assert_eq(why, EBB_E_INVALID);
}
