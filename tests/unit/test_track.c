/*
 * tests/unit/test_track.c: ebb/track.h: fault injection and counting, on one arena, a profile, a thread or
 * the process; watchers that come and go while others allocate.
 */
#include "test.h"

#include <ebb/compat/malloc.h>
#include <ebb/ebb.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { KIB = 1 << 10, WATCHERS_MAX = 16 };

static char order[64];

static void note(void *letter)
{
    strncat(order, letter, sizeof order - strlen(order) - 1);
}

static ebb_fault *nth(ebb_watch whom, uint64_t n, bool on)
{
    ebb_fault_params params = EBB_FAULT_PARAMS_INIT;
    params.nth = n;
    params.from_nth_on = on;
    ebb_fault *f = ebb_fault_begin(whom, &params, NULL);
    cr_assert_not_null(f);
    return f;
}

static ebb_totals counted(ebb_tracker *c)
{
    ebb_totals s;
    ebb_tracker_get_totals(c, &s);
    return s;
}

/* ---- faults ------------------------------------------------------------------------------------ */

Test(track, the_nth_allocation_fails)
{
    for (uint64_t n = 1; n <= 20; n++) {
        ebb_arena *a = ebb_arena_create(NULL);
        ebb_fault *f = nth((ebb_watch){.arena = a}, n, false);
        for (uint64_t i = 1; i <= 30; i++)
            cr_assert_eq(ebb_alloc(a, 100) == NULL, i == n, "the %zuth", (size_t)i);
        cr_assert_eq(ebb_failed(a), EBB_E_MEMORY, "as if the system had refused");
        cr_assert_eq(ebb_fault_hits(f), 1u);
        cr_assert_eq(ebb_fault_seen(f), 30u);
        ebb_fault_end(&f);
        cr_assert_null(f);
        ebb_fault_end(&f);
        ebb_arena_destroy(&a);
    }
}

Test(track, and_all_after_it)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_fault *f = nth((ebb_watch){.arena = a}, 5, true);
    for (int i = 1; i <= 30; i++) cr_assert_eq(ebb_alloc(a, 10) == NULL, i >= 5);
    cr_assert_eq(ebb_fault_hits(f), 26u);
    ebb_fault_end(&f);
    cr_assert_not_null(ebb_alloc(a, 10));
    ebb_arena_destroy(&a);
}

Test(track, a_scope_sticks_and_a_try_jumps)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_fault *f = nth((ebb_watch){.arena = a}, 1, false);
    cr_assert_null(ebb_alloc(a, 10));
    cr_assert_null(ebb_alloc(a, 10));
    cr_assert_eq(ebb_failed(a), EBB_E_MEMORY);
    ebb_fault_end(&f);
    cr_assert_null(ebb_alloc(a, 10), "the failure stays");
    ebb_scope_end(&a);
}

Test(track, none_by_number)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_fault *f = nth((ebb_watch){.arena = a}, 0, true);
    for (int i = 0; i < 100; i++) cr_assert_not_null(ebb_alloc(a, 10));
    cr_assert_eq(ebb_fault_hits(f), 0u);
    cr_assert_eq(ebb_fault_seen(f), 100u);
    ebb_fault_end(&f);
    ebb_arena_destroy(&a);
}

/* Every way to ask is one allocation. */
Test(track, every_way_to_ask_is_seen)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *p = ebb_alloc(a, 100);
    ebb_fault *f = nth((ebb_watch){.arena = a}, 1, true);
    cr_assert_null(ebb_alloc(a, 1));
    cr_assert_null(ebb_alloc_aligned(a, 1, 64));
    cr_assert_null(ebb_zalloc(a, 1));
    cr_assert_null(ebb_alloc_optional(a, 1));
    cr_assert_null(ebb_new(a, long));
    cr_assert_null(ebb_new_array(a, long, 2));
    cr_assert_null(ebb_alloc_array(a, long, 2));
    cr_assert_null(ebb_dup(a, "x", 1));
    cr_assert_null(ebb_strdup(a, "x"));
    cr_assert_null(ebb_strndup(a, "x", 1));
    cr_assert_null(ebb_printf(a, "%d", 1));
    cr_assert_null(ebb_printf(a, "%01000d", 1));
    cr_assert_null(ebb_resize(a, NULL, 0, 10));
    cr_assert_null(ebb_resize(a, p, 100, 200));
    cr_assert_null(ebb_promote(a, "x", 2));
    {
        EBB_ENTER(a);
        cr_assert_null(ebb_hook_malloc(1));
        cr_assert_null(ebb_hook_calloc(1, 1));
        cr_assert_null(ebb_hook_strdup("x"));
    }
    cr_assert_eq(ebb_fault_seen(f), 18u);
    cr_assert_eq(ebb_fault_hits(f), 18u);
    cr_assert_eq(ebb_resize(a, p, 100, 50), (void *)p, "shrinking asks for nothing");
    cr_assert_eq(ebb_fault_seen(f), 18u);
    ebb_fault_end(&f);
    ebb_arena_destroy(&a);
}

Test(track, cleanups_keep_their_promise)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_fault *f = nth((ebb_watch){.arena = a}, 1, true);
    for (int i = 0; i < 5; i++) cr_assert(ebb_defer(a, note, "d"));
    cr_assert_str_eq(order, "");
    ebb_fault_end(&f);
    ebb_scope_end(&a);
    cr_assert_str_eq(order, "ddddd");
}

Test(track, the_first_chunk_of_a_scope_fails_too)
{
    static ebb_profile p = EBB_PROFILE("watched");
    ebb_fault *f = nth((ebb_watch){.profile = &p}, 1, false);
    ebb_arena *a = ebb_scope_begin(&p);
    cr_assert_not_null(a);
    cr_assert_eq(ebb_failed(a), EBB_E_MEMORY);
    cr_assert_null(ebb_alloc(a, 1));
    ebb_scope_end(&a);
    a = ebb_scope_begin(&p);
    cr_assert_eq(ebb_failed(a), EBB_OK);
    ebb_scope_end(&a);
    ebb_fault_end(&f);
}

Test(track, a_probability_of_0_and_of_1)
{
    for (int p = 0; p < 2; p++) {
        ebb_arena *a = ebb_arena_create(NULL);
        ebb_fault_params params = {.probability = p};
        ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a}, &params, NULL);
        for (int i = 0; i < 100; i++) cr_assert_eq(ebb_alloc(a, 1) == NULL, p);
        ebb_fault_end(&f);
        ebb_arena_destroy(&a);
    }
}

static uint64_t hits_pattern(double probability, uint64_t seed, unsigned *ret_hits)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_fault_params params = {.probability = probability, .seed = seed};
    ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a}, &params, NULL);
    uint64_t pattern = 0;
    *ret_hits = 0;
    for (int i = 0; i < 2000; i++) {
        bool hit = ebb_alloc(a, 1) == NULL;
        *ret_hits += hit;
        pattern = pattern * 31 + hit;
    }
    cr_assert_eq(ebb_fault_hits(f), (uint64_t)*ret_hits);
    ebb_fault_end(&f);
    ebb_arena_destroy(&a);
    return pattern;
}

Test(track, a_probability_and_its_seed_can_be_repeated)
{
    unsigned n, again, other;
    uint64_t first = hits_pattern(0.1, 42, &n);
    cr_assert(n > 120 && n < 280, "%u of 2000", n);
    cr_assert_eq(hits_pattern(0.1, 42, &again), first);
    cr_assert_neq(hits_pattern(0.1, 43, &other), first);
    hits_pattern(0.5, 1, &n);
    cr_assert(n > 850 && n < 1150, "%u of 2000", n);
}

Test(track, without_parameters_none_fails)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_fault *f = ebb_fault_begin((ebb_watch){.arena = a}, NULL, NULL), *none = NULL;
    cr_assert_not_null(f);
    cr_assert_not_null(ebb_alloc(a, 1));
    cr_assert(ebb_fault_seen(f) == 1 && ebb_fault_hits(f) == 0);
    cr_assert(ebb_fault_seen(none) == 0 && ebb_fault_hits(none) == 0);
    ebb_fault_end(&f);
    ebb_fault_end(&f);
    ebb_arena_destroy(&a);
}

Test(track, a_probability_out_of_range_is_refused)
{
    const double wrong[] = {-0.1, 1.1, 1e300, -1e300, __builtin_nan(""), __builtin_inf()};
    for (int i = 0; i < 6; i++) {
        ebb_fault_params params = {.probability = wrong[i]};
        ebb_status why = EBB_OK;
        cr_assert_null(ebb_fault_begin((ebb_watch)EBB_WATCH_INIT, &params, &why));
        cr_assert_eq(why, EBB_E_RANGE);
        cr_assert_null(ebb_fault_begin((ebb_watch)EBB_WATCH_INIT, &params, NULL));
    }
}

Test(track, sixteen_may_watch)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_fault_params params = EBB_FAULT_PARAMS_INIT;
    for (int round = 0; round < 3; round++) {
        ebb_fault *f[WATCHERS_MAX / 2];
        ebb_tracker *c[WATCHERS_MAX / 2];
        ebb_status why = EBB_OK;
        for (int i = 0; i < WATCHERS_MAX / 2; i++) {
            cr_assert_not_null(f[i] = ebb_fault_begin((ebb_watch){.arena = a}, &params, &why));
            cr_assert_not_null(c[i] = ebb_tracker_begin(NULL, (ebb_watch){.arena = a}, NULL, &why));
        }
        cr_assert_eq(why, EBB_OK, "untouched by success");
        cr_assert_null(ebb_fault_begin((ebb_watch){.arena = a}, &params, &why));
        cr_assert_eq(why, EBB_E_EXHAUSTED);
        why = EBB_OK;
        cr_assert_null(ebb_tracker_begin(NULL, (ebb_watch){.arena = a}, NULL, &why));
        cr_assert_eq(why, EBB_E_EXHAUSTED);
        ebb_alloc(a, 100);
        for (int i = 0; i < WATCHERS_MAX / 2; i++) {
            cr_assert_eq(ebb_fault_seen(f[i]), 1u);
            cr_assert_eq(counted(c[i]).count, 1u);
            ebb_fault_end(&f[i]);
            ebb_tracker_end(&c[i]);
        }
    }
    ebb_arena_destroy(&a);
}

/* ---- whom -------------------------------------------------------------------------------------- */

static void allocate_there(void *a)
{
    ebb_arena *mine = *(ebb_arena **)a ? *(ebb_arena **)a : ebb_arena_create(NULL);
    if (*(ebb_arena **)a) ebb_scope_attach(mine);
    for (int i = 0; i < 10; i++) ebb_alloc(mine, 8);
    if (*(ebb_arena **)a) ebb_scope_end(&mine);
    else ebb_arena_destroy(&mine);
}

Test(track, one_arena_is_watched)
{
    ebb_arena *a = ebb_arena_create(NULL), *b = ebb_arena_create(NULL);
    ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch){.arena = a}, NULL, NULL);
    for (int i = 0; i < 7; i++) ebb_alloc(a, 1);
    for (int i = 0; i < 9; i++) ebb_alloc(b, 1);
    cr_assert_eq(counted(c).count, 7u);
    ebb_arena_reset(a);
    ebb_alloc(a, 1);
    cr_assert_eq(counted(c).count, 8u, "also after a reset");
    ebb_tracker_end(&c);
    ebb_arena_destroy(&a);
    ebb_arena_destroy(&b);
}

Test(track, one_profile_is_watched)
{
    static ebb_profile p = EBB_PROFILE("one"), q = EBB_PROFILE("other");
    ebb_arena *before = ebb_scope_begin(&p);
    ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch){.profile = &p}, NULL, NULL);
    ebb_arena *after = ebb_scope_begin(&p), *other = ebb_scope_begin(&q);
    ebb_arena *child = ebb_scope_begin_in(other, &p);
    for (int i = 0; i < 3; i++) ebb_alloc(before, 1);
    for (int i = 0; i < 5; i++) ebb_alloc(after, 1);
    for (int i = 0; i < 7; i++) ebb_alloc(other, 1);
    for (int i = 0; i < 11; i++) ebb_alloc(child, 1);
    cr_assert_eq(counted(c).count, 3u + 5 + 11);
    ebb_tracker_end(&c);
    ebb_scope_end(&child);
    ebb_scope_end(&other);
    ebb_scope_end(&before);
    ebb_scope_end(&after);
}

Test(track, one_thread_is_watched_whatever_the_arena)
{
    ebb_arena *a = ebb_scope_begin(NULL), *none = NULL;
    ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch){.this_thread = true}, NULL, NULL);
    for (int i = 0; i < 4; i++) ebb_alloc(a, 1);
    cr_assert_eq(counted(c).count, 4u);
    on_thread(allocate_there, &none);
    ebb_arena *handed = ebb_scope_detach(&a);
    on_thread(allocate_there, &handed);
    cr_assert_eq(counted(c).count, 4u, "what other threads do is theirs");
    a = ebb_arena_create(NULL);
    ebb_alloc(a, 1);
    cr_assert_eq(counted(c).count, 5u);
    ebb_tracker_end(&c);
    ebb_arena_destroy(&a);
}

static void watch_own_thread(void *tracker)
{
    *(ebb_tracker **)tracker =
        ebb_tracker_begin(NULL, (ebb_watch){.this_thread = true}, NULL, NULL);
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_alloc(a, 1);
    ebb_scope_end(&a);
}

/* What the library keeps of a thread serves a later one, which is another all the same. */
Test(track, a_thread_that_is_gone_is_watched_no_more)
{
    enum { LATER = 8 };
    ebb_tracker *c = NULL;
    ebb_arena *none = NULL;
    on_thread(watch_own_thread, &c);
    cr_assert_eq(counted(c).count, 1u);
    for (int i = 0; i < LATER; i++) on_thread(allocate_there, &none);
    cr_assert_eq(counted(c).count, 1u);
    ebb_tracker_end(&c);
}

Test(track, the_process_is_watched)
{
    ebb_arena *a = ebb_scope_begin(NULL), *none = NULL;
    ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch)EBB_WATCH_INIT, NULL, NULL);
    ebb_alloc(a, 1);
    ebb_arena *b = ebb_arena_create(NULL);
    ebb_alloc(b, 1);
    on_thread(allocate_there, &none);
    cr_assert_eq(counted(c).count, 12u);
    ebb_tracker_end(&c);
    ebb_alloc(a, 1);
    ebb_scope_end(&a);
    ebb_arena_destroy(&b);
}

Test(track, a_process_watch_sees_arenas_over_buffers_begun_later)
{
    static _Alignas(64) char buffer[2048];
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.buffer = buffer;
    params.buffer_size = sizeof buffer;
    ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch)EBB_WATCH_INIT, NULL, NULL);
    ebb_arena *a = ebb_arena_create(&params);
    for (int i = 0; i < 3; i++) ebb_alloc(a, 10);
    cr_assert_eq(counted(c).count, 3u);
    ebb_tracker_end(&c);
    ebb_arena_destroy(&a);
}

Test(track, all_fields_that_are_set_must_match)
{
    static ebb_profile p = EBB_PROFILE("one");
    ebb_arena *a = ebb_scope_begin(&p), *b = ebb_scope_begin(&p), *c = ebb_scope_begin(NULL);
    ebb_tracker *both = ebb_tracker_begin(
        NULL, (ebb_watch){.arena = a, .profile = &p, .this_thread = true}, NULL, NULL);
    ebb_tracker *never =
        ebb_tracker_begin(NULL, (ebb_watch){.arena = c, .profile = &p}, NULL, NULL);
    ebb_alloc(a, 1);
    ebb_alloc(b, 1);
    ebb_alloc(c, 1);
    cr_assert_eq(counted(both).count, 1u);
    cr_assert_eq(counted(never).count, 0u);
    ebb_tracker_end(&both);
    ebb_tracker_end(&never);
    ebb_scope_end(&a);
    ebb_scope_end(&b);
    ebb_scope_end(&c);
}

Test(track, two_watchers_hear_of_the_same_allocation)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch){.arena = a}, NULL, NULL);
    ebb_fault *f = nth((ebb_watch){.arena = a}, 2, false),
              *g = nth((ebb_watch){.arena = a}, 3, false);
    for (int i = 1; i <= 5; i++) cr_assert_eq(ebb_alloc(a, 1) == NULL, i == 2 || i == 3);
    cr_assert_eq(counted(c).count, 5u);
    ebb_fault_end(&f);
    ebb_tracker_end(&c);
    cr_assert_not_null(ebb_alloc(a, 1));
    cr_assert_eq(ebb_fault_seen(g), 6u, "who stays goes on");
    ebb_fault_end(&g);
    ebb_arena_destroy(&a);
}

/* ---- EBB_EACH_FAILURE -------------------------------------------------------------------------- */

Test(track, each_failure_fails_every_allocation_once)
{
    int runs = 0;
    EBB_EACH_FAILURE (f, .this_thread = true) {
        runs++;
        ebb_arena *a = ebb_scope_begin(NULL);
        int got = 0;
        for (int i = 0; i < 5; i++) got += ebb_alloc(a, 50) != NULL;
        if (runs == 1) cr_assert(got == 0 && ebb_failed(a) == EBB_E_MEMORY, "the first chunk");
        else cr_assert_eq(got, runs <= 6 ? runs - 2 : 5);
        cr_assert_eq(ebb_fault_hits(f), runs <= 6 ? 1u : 0u);
        ebb_scope_end(&a);
    }
    cr_assert_eq(runs, 7, "1 chunk, 5 allocations, and a run in which none was hit");
}

Test(track, each_failure_of_one_arena)
{
    ebb_arena *a = ebb_arena_create(NULL);
    int runs = 0, failures = 0;
    EBB_EACH_FAILURE (f, .arena = a) {
        runs++;
        ebb_arena_reset(a);
        failures += !ebb_alloc(a, 1);
        failures += !ebb_alloc(a, 1);
        failures += !ebb_resize(a, NULL, 0, 10);
        cr_assert_eq(ebb_fault_hits(f) == 1, runs <= 3);
    }
    cr_assert_eq(runs, 4);
    cr_assert_eq(failures, 3);
    cr_assert_not_null(ebb_alloc(a, 1), "the injector is gone");
    ebb_arena_destroy(&a);
}

Test(track, each_failure_may_be_left_by_break)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (int i = 0; i < 3 * WATCHERS_MAX; i++) {
        EBB_EACH_FAILURE (f, .arena = a) {
            cr_assert_null(ebb_alloc(a, 1));
            break;
        }
        cr_assert_not_null(ebb_alloc(a, 1), "the injector is gone");
    }
    ebb_arena_destroy(&a);
}

Test(track, each_failure_without_a_watcher_is_reported)
{
    reports r;
    reports_start(&r);
    ebb_tracker *c[WATCHERS_MAX];
    for (int i = 0; i < WATCHERS_MAX; i++)
        c[i] = ebb_tracker_begin(NULL, (ebb_watch)EBB_WATCH_INIT, NULL, NULL);
    int runs = 0;
    EBB_EACH_FAILURE (f, .arena = NULL) {
        runs++;
    }
    cr_assert_eq(runs, 0);
    cr_assert(reports_one(&r, EBB_MISUSE, "EBB_EACH_FAILURE", NULL));
    for (int i = 0; i < WATCHERS_MAX; i++) ebb_tracker_end(&c[i]);
    reports_stop();
}

/* ---- counting ---------------------------------------------------------------------------------- */

Test(track, sizes_fall_into_classes)
{
    static const struct {
        size_t size;
        int class;
    } sizes[] = {
        {0, 0},      {1, 1},      {2, 2},        {3, 3},
        {4, 3},      {5, 4},      {8, 4},        {9, 5},
        {16, 5},     {17, 6},     {1024, 11},    {1025, 12},
        {65536, 17}, {65537, 18}, {1 << 20, 21}, {(1 << 20) + 1, 22},
    };
    ebb_arena *a = ebb_arena_create(NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch){.arena = a}, NULL, NULL);
        ebb_alloc_aligned(a, sizes[i].size, 1);
        ebb_totals s = counted(c);
        cr_assert_eq(s.count, 1u);
        cr_assert_eq(s.bytes, sizes[i].size);
        for (int k = 0; k < EBB_TRACK_CLASSES; k++)
            cr_assert_eq(s.by_class[k], k == sizes[i].class ? 1u : 0u, "%zu bytes", sizes[i].size);
        ebb_tracker_end(&c);
        cr_assert_null(c);
        ebb_tracker_end(&c);
    }
    ebb_arena_destroy(&a);
}

Test(track, the_last_class_holds_everything_above)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch){.arena = a}, NULL, NULL);
    ebb_alloc_optional(a, (size_t)1 << 29);
    cr_assert_eq(counted(c).by_class[EBB_TRACK_CLASSES - 2], 1u);
    ebb_alloc_optional(a, ((size_t)1 << 29) + 1);
    volatile size_t huge = SIZE_MAX; /* else the compiler warns of what is meant */
    ebb_alloc_optional(a, huge / 2);
    ebb_alloc_optional(a, huge);
    cr_assert_eq(counted(c).by_class[EBB_TRACK_CLASSES - 1], 3u);
    ebb_tracker_end(&c);
    ebb_arena_destroy(&a);
}

Test(track, what_was_asked_adds_up)
{
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch){.arena = a}, NULL, NULL);
    size_t bytes = 0;
    for (size_t i = 0; i < 500; i++) {
        ebb_alloc(a, i);
        bytes += i;
    }
    ebb_strdup(a, "four");
    char *p = ebb_resize(a, NULL, 0, 10);
    p = ebb_resize(a, p, 10, 30);
    (void)p;
    ebb_totals s = counted(c);
    cr_assert_eq(s.count, 503u);
    cr_assert_eq(s.bytes, bytes + 5 + 10 + 30);
    uint64_t sum = 0;
    for (int k = 0; k < EBB_TRACK_CLASSES; k++) sum += s.by_class[k];
    cr_assert_eq(sum, s.count);
    ebb_tracker_end(&c);
    ebb_arena_destroy(&a);
}

Test(track, without_watchers_the_window_is_open_again)
{
    if (!layout_is_plain()) cr_skip_test("the window stays closed under this tool");
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_alloc(a, 1);
    const uintptr_t *window = (const uintptr_t *)(const void *)a; /* public: tip, limit */
    cr_assert(window[1] < window[0]);
    ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch){.arena = a}, NULL, NULL);
    cr_assert_eq(window[1] > window[0], true, "closed");
    ebb_alloc(a, 1);
    cr_assert(window[1] > window[0], "closed while watched");
    ebb_tracker_end(&c);
    ebb_alloc(a, 1);
    cr_assert(window[1] < window[0], "open again at the next allocation");
    ebb_arena_destroy(&a);
}

/* ---- while others allocate --------------------------------------------------------------------- */

enum { OWNERS = 3, LIVE = 64 };

typedef struct stress {
    _Atomic bool stop;
    _Atomic uint64_t wrong, done;
    ebb_profile *profile;
} stress;

/* One scope's life: every object gets a pattern and is checked at the end. An owner that was handed memory
   outside its chunk would have overwritten a neighbour's, or the chunk's own header. */
static uint64_t live_a_while(rng *r, ebb_profile *profile)
{
    char *p[LIVE];
    size_t n[LIVE];
    uint64_t wrong = 0, count = 0;
    bool created = rng_one_in(r, 3);
    ebb_arena *a = created ? ebb_arena_create(NULL) : ebb_scope_begin(profile);
    for (size_t i = 0; i < LIVE; i++) {
        n[count] = rng_one_in(r, 30) ? rng_below(r, 20 * KIB) : rng_below(r, 300);
        p[count] = rng_one_in(r, 4) ? ebb_resize(a, NULL, 0, n[count]) : ebb_alloc(a, n[count]);
        if (!p[count]) continue;
        if (n[count] && ebb_arena_of(p[count] + n[count] - 1) != a) wrong++;
        pattern_fill(p[count], n[count], (uintptr_t)p[count]);
        count++;
    }
    for (size_t i = 0; i < count; i++) wrong += pattern_check(p[i], n[i], (uintptr_t)p[i]) != n[i];
    wrong += ebb_arena_validate(a) != NULL;
    if (rng_one_in(r, 2)) ebb_arena_reset(a);
    wrong += ebb_arena_validate(a) != NULL;
    if (created) ebb_arena_destroy(&a);
    else ebb_scope_end(&a);
    return wrong;
}

static void *own(void *arg)
{
    stress *s = arg;
    rng r = {(uintptr_t)&r};
    while (!atomic_load(&s->stop)) {
        atomic_fetch_add(&s->wrong, live_a_while(&r, s->profile));
        atomic_fetch_add(&s->done, 1);
    }
    return NULL;
}

static void watch_for_a_moment(rng *r, ebb_profile *profile)
{
    ebb_watch whom = EBB_WATCH_INIT;
    if (rng_one_in(r, 2)) whom.profile = profile;
    if (rng_one_in(r, 8)) whom.this_thread = true;
    ebb_fault_params params = {.probability = rng_one_in(r, 2) ? 0.01 : 0};
    ebb_tracker *c = rng_one_in(r, 2) ? ebb_tracker_begin(NULL, whom, NULL, NULL) : NULL;
    ebb_fault *f = rng_one_in(r, 2) ? ebb_fault_begin(whom, &params, NULL) : NULL;
    for (size_t spin = rng_below(r, 3000); spin > 0; spin--) __asm__ volatile("");
    ebb_tracker_end(&c);
    ebb_fault_end(&f);
}

Test(track, watchers_come_and_go_while_others_allocate)
{
    static ebb_profile p = EBB_PROFILE("stressed");
    static stress s;
    s.profile = &p;
    pthread_t t[OWNERS];
    for (int i = 0; i < OWNERS; i++) cr_assert_eq(pthread_create(&t[i], NULL, own, &s), 0);
    rng r = {99};
    for (unsigned long i = 0; i < scaled(20000) || atomic_load(&s.done) < 10; i++)
        watch_for_a_moment(&r, &p);
    atomic_store(&s.stop, true);
    for (int i = 0; i < OWNERS; i++) pthread_join(t[i], NULL);
    cr_assert_eq(s.wrong, 0u, "seed 99");
}

/* A watcher that has begun misses nothing: what an arena allocates after that is counted. */
Test(track, a_watcher_takes_effect_at_the_next_allocation)
{
    static ebb_profile p = EBB_PROFILE("stressed");
    static stress s;
    s.profile = &p;
    pthread_t t;
    cr_assert_eq(pthread_create(&t, NULL, own, &s), 0);
    ebb_arena *mine = ebb_scope_begin(NULL);
    for (unsigned long i = 0; i < scaled(3000); i++) {
        ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch){.arena = mine}, NULL, NULL);
        ebb_alloc(mine, 8);
        cr_assert_eq(counted(c).count, 1u);
        ebb_tracker_end(&c);
        ebb_arena *later = ebb_scope_begin(&p);
        c = ebb_tracker_begin(NULL, (ebb_watch){.profile = &p, .this_thread = true}, NULL, NULL);
        ebb_alloc(later, 8);
        cr_assert_eq(counted(c).count, 1u);
        ebb_tracker_end(&c);
        ebb_scope_end(&later);
        if (i % 100 == 0) ebb_arena_reset(mine);
    }
    atomic_store(&s.stop, true);
    pthread_join(t, NULL);
    ebb_scope_end(&mine);
}

typedef struct handshake {
    _Atomic int phase;
    _Atomic uint64_t missed;
} handshake;

/* The owner begins scopes in a loop; a watcher that has returned from begin must see every scope that
   begins after that, and every allocation in it, on whatever thread. */
static void *begin_and_allocate(void *arg)
{
    handshake *h = arg;
    for (int turn = 1; atomic_load(&h->phase) >= 0; turn++) {
        ebb_arena *a = ebb_scope_begin(NULL);
        ebb_alloc(a, 8);
        ebb_scope_end(&a);
        int expected = 1;
        if (!atomic_compare_exchange_strong(&h->phase, &expected, 2)) continue;
        a = ebb_scope_begin(NULL); /* exactly these are what is counted */
        for (int i = 0; i < 3; i++) ebb_alloc(a, 77777);
        ebb_scope_end(&a);
        atomic_store(&h->phase, 3);
        while (atomic_load(&h->phase) == 3) {
        }
    }
    return NULL;
}

Test(track, no_scope_that_begins_escapes_a_watcher)
{
    static handshake h;
    pthread_t t;
    cr_assert_eq(pthread_create(&t, NULL, begin_and_allocate, &h), 0);
    for (unsigned long i = 0; i < scaled(3000); i++) {
        ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch)EBB_WATCH_INIT, NULL, NULL);
        atomic_store(&h.phase, 1);
        while (atomic_load(&h.phase) != 3) {
        }
        cr_assert_eq(counted(c).by_class[18], 3u, "round %lu", i); /* 65537..131072 */
        ebb_tracker_end(&c);
        atomic_store(&h.phase, 0);
    }
    atomic_store(&h.phase, -1);
    pthread_join(t, NULL);
}
