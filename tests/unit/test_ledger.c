/*
 * tests/unit/test_ledger.c: what trackers do when the system has no pages for their own memory, and how
 * their timeline grows with time. The linker puts this file's functions in the place of the library's
 * for pages and for the clock (see meson.build).
 */
#include "test.h"

#include <ebb/ebb.h>
#include <ebb/track.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void *__real_ebb__pages_take(size_t size);
void *__wrap_ebb__pages_take(size_t size);
uint64_t __wrap_ebb__clock_coarse_ms(void);

static unsigned long requests, fail_from; /* 0: none */
static uint64_t now_ms;

void *__wrap_ebb__pages_take(size_t size)
{
    requests++;
    return fail_from && requests >= fail_from ? NULL : __real_ebb__pages_take(size);
}

uint64_t __wrap_ebb__clock_coarse_ms(void)
{
    return now_ms;
}

static void *volatile kept;

/* Each a call of its own. */
#define PLACE(n)                                                                                   \
    do {                                                                                           \
        kept = ebb_alloc(a, 10 + (n));                                                             \
        __asm__ volatile("# %0" ::"i"(n) : "memory");                                              \
    } while (0)
#define PLACES(n)                                                                                  \
    do {                                                                                           \
        PLACE(n);                                                                                  \
        PLACE(n + 1);                                                                              \
        PLACE(n + 2);                                                                              \
        PLACE(n + 3);                                                                              \
        PLACE(n + 4);                                                                              \
        PLACE(n + 5);                                                                              \
        PLACE(n + 6);                                                                              \
        PLACE(n + 7);                                                                              \
    } while (0)

/* From more places than the first table holds. */
static void ask_everywhere(ebb_arena *a)
{
    PLACES(0);
    PLACES(10);
    PLACES(20);
    PLACES(30);
    PLACES(40);
    PLACES(50);
    PLACES(60);
    PLACES(70);
}

enum { ASKED = 64, BYTES = 64 * 10 + 8 * (0 + 10 + 20 + 30 + 40 + 50 + 60 + 70) + 8 * 28 };

static ebb_tracker *track(ebb_track_level level)
{
    const ebb_tracker_params how = {.level = level, .sample_bytes = 1};
    ebb_tracker *t = ebb_tracker_begin("ledger", (ebb_watch){.this_thread = true}, &how, NULL);
    cr_assert_not_null(t);
    return t;
}

/* ---- memory ------------------------------------------------------------------------------------ */

static uint64_t counted_at_sites(const ebb_report *r)
{
    uint64_t n = 0;
    for (size_t i = 0; i < r->site_count; i++) n += r->site[i].count;
    return n;
}

static void must_tell_what_it_dropped(ebb_tracker *t, uint64_t count)
{
    static char buffer[1 << 18];
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.buffer = buffer;
    params.buffer_size = sizeof buffer;
    ebb_totals now;
    fail_from = 0;
    ebb_tracker_get_totals(t, &now);
    cr_assert_eq(now.count, count);
    cr_assert_eq(now.bytes, (uint64_t)BYTES);
    ebb_arena *into = ebb_arena_create(&params);
    ebb_report *r = ebb_tracker_report(t, into);
    cr_assert_not_null(r);
    cr_assert_eq(counted_at_sites(r) + r->totals.dropped, count);
    cr_assert_eq(r->totals.bytes, now.bytes);
    if (r->totals.dropped)
        cr_assert(strstr(ebb_report_text(r, 1, into).ptr, "it is not known where"));
    ebb_arena_destroy(&into);
}

typedef struct trial {
    ebb_track_level level;
    unsigned long nth;
} trial;

enum { ALL_GRANTED = 3 };

/* In a process of its own, since pages once had are kept. */
static void try_without(void *arg)
{
    const trial *r = arg;
    ebb_tracker *t = track(r->level);
    ebb_totals now;
    requests = 0;
    fail_from = r->nth;
    ebb_arena *a = ebb_arena_create(NULL);
    ask_everywhere(a);
    bool refused = requests >= r->nth;
    ebb_tracker_get_totals(t, &now);
    if (r->nth == 1) cr_assert_eq(now.dropped, (uint64_t)ASKED); /* not even a ledger */
    must_tell_what_it_dropped(t, ASKED);
    fail_from = r->nth;
    ebb_arena_destroy(&a);
    ebb_tracker_get_totals(t, &now);
    cr_assert(r->level != EBB_TRACK_FULL || (now.live_count == 0 && now.live_bytes == 0));
    ebb_tracker_end(&t);
    if (!refused) _exit(ALL_GRANTED);
}

/* Whatever request for memory is refused, and all after it. */
static void must_go_on_without(ebb_track_level level)
{
    enum { MOST = 40 };
    trial r = {level, 1};
    death d = in_child(try_without, &r);
    for (; lived(&d) && r.nth < MOST; d = in_child(try_without, &r)) r.nth++;
    cr_assert(!d.signalled && d.code == ALL_GRANTED, "request %lu: %s", r.nth, d.err);
    cr_assert(r.nth > 3);
}

Test(ledger, sites_without_memory_are_told)
{
    must_go_on_without(EBB_TRACK_SITES);
}

Test(ledger, stacks_and_lives_without_memory_are_told)
{
    must_go_on_without(EBB_TRACK_FULL);
}

Test(ledger, samples_without_memory_are_told)
{
    must_go_on_without(EBB_TRACK_SAMPLE);
}

Test(ledger, a_report_without_pages_is_none)
{
    ebb_tracker *t = track(EBB_TRACK_SITES);
    ebb_arena *a = ebb_arena_create(NULL);
    ask_everywhere(a);
    fail_from = 1;
    requests = 0;
    cr_assert_null(ebb_tracker_report(t, a));
    fail_from = 0;
    cr_assert_not_null(ebb_tracker_report(t, a));
    cr_assert_eq(ebb_failed(a), EBB_OK);
    ebb_tracker_end(&t);
    ebb_arena_destroy(&a);
}

/* ---- time -------------------------------------------------------------------------------------- */

/* A scope each 10 ms, for so long. */
static void pass_time(uint64_t ms)
{
    static ebb_profile profile = EBB_PROFILE("tick");
    for (uint64_t end = now_ms + ms; now_ms < end; now_ms += 10) {
        ebb_arena *a = ebb_scope_begin(&profile);
        kept = ebb_alloc(a, 100);
        ebb_scope_end(&a);
    }
}

static void must_be_even(const ebb_report *r, uint64_t ticks)
{
    uint64_t begins = 0, count = 0, bytes = 0, each = r->moment_ns / 10000000;
    for (size_t i = 0; i < r->moment_count; i++) {
        const ebb_report_moment *m = &r->moment[i];
        begins += m->begins, count += m->count, bytes += m->bytes;
        if (i + 1 < r->moment_count)
            cr_assert(m->begins + 1 >= each && m->begins <= each + 1, "moment %d of %d: %d, not %d",
                      (int)i, (int)r->moment_count, (int)m->begins, (int)each);
    }
    cr_assert(begins == ticks && count == ticks && bytes == 100 * ticks);
}

/* Seconds, minutes, an hour. Reports are made on another thread, whose arenas are not counted. */
typedef struct look {
    ebb_tracker *tracker;
    uint64_t ticks;
} look;

static void look_at(void *arg)
{
    const look *l = arg;
    ebb_arena *into = ebb_arena_create(NULL);
    ebb_report *r = ebb_tracker_report(l->tracker, into);
    cr_assert_not_null(r);
    cr_assert(r->moment_count <= 128 && r->moment_ns % 16000000 == 0);
    must_be_even(r, l->ticks);
    ebb_arena_destroy(&into);
}

static void look_for_the_end(void *arg)
{
    const look *l = arg;
    ebb_arena *into = ebb_arena_create(NULL);
    ebb_report *r = ebb_tracker_report(l->tracker, into);
    cr_assert_not_null(r);
    cr_assert(r->moment_count > 64 && r->moment_count <= 128);
    cr_assert_eq(r->moment[r->moment_count - 1].begins, 0u);
    ebb_arena_destroy(&into);
}

Test(ledger, the_timeline_is_as_long_as_the_tracker)
{
    const uint64_t lengths[] = {500, 1500, 60000, 600000, 3000000};
    now_ms = 12345;
    look l = {track(EBB_TRACK_SITES), 0};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        l.ticks += lengths[i] / 10;
        pass_time(lengths[i]);
        on_thread(look_at, &l);
    }
    now_ms += 100000000; /* and then nothing */
    on_thread(look_for_the_end, &l);
    ebb_tracker_end(&l.tracker);
}
