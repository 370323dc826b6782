/*
 * tests/unit/test_profile.c: ebb/profile.h: what profiles learn, and the file they are kept in.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KIB = 1 << 10, MIB = 1 << 20 };

/* A thread merges its samples at least every 68th end while they are few. */
enum { ENDS_PER_MERGE = 68 };

static ebb_arena_stats stats_of(const ebb_arena *a)
{
    ebb_arena_stats s;
    ebb_arena_get_stats(a, &s);
    return s;
}

static ebb_profile_stats learned(ebb_profile *p)
{
    ebb_profile_stats s;
    ebb_profile_get_stats(p, &s);
    return s;
}

static void run(ebb_profile *p, int scopes, size_t bytes)
{
    for (int i = 0; i < scopes; i++) {
        ebb_arena *a = ebb_scope_begin(p);
        for (size_t n = 0; n < bytes; n += 16) ebb_alloc(a, 16);
        ebb_scope_end(&a);
    }
}

/* ---- learning ---------------------------------------------------------------------------------- */

Test(profile, a_new_one_has_learned_nothing)
{
    static ebb_profile p = EBB_PROFILE("new");
    ebb_profile_stats s = learned(&p);
    cr_assert(s.samples == 0 && s.used_p50 == 0 && s.used_p95 == 0 && s.used_max == 0);
    cr_assert(s.head >= 320 && s.head <= 1024);
    cr_assert(s.body >= 4096);
    ebb_arena *a = ebb_scope_begin(&p);
    cr_assert_eq(stats_of(a).held, s.head);
    for (int i = 0; i < 100; i++) ebb_alloc(a, 16);
    if (layout_is_plain()) cr_assert_eq(stats_of(a).held, s.head + s.body);
    ebb_scope_end(&a);
}

Test(profile, the_initialiser_takes_fields)
{
    static ebb_profile p =
        EBB_PROFILE("fields", .hard = 1 << 20, .reserve = 4096, .percentile = 90);
    cr_assert_str_eq(p.name, "fields");
    cr_assert(p.hard == 1 << 20 && p.reserve == 4096 && p.percentile == 90 && p.soft == 0 &&
              !p.wipe);
}

Test(profile, one_end_in_seventeen_is_looked_at)
{
    static ebb_profile p = EBB_PROFILE("counted");
    run(&p, 64 * 16, 100);
    uint64_t n = learned(&p).samples;
    cr_assert(n >= 60 && n <= 64, "%zu", (size_t)n);
}

Test(profile, it_learns_how_large_its_scopes_are)
{
    if (!layout_is_plain()) cr_skip_test("red zones take room too");
    static ebb_profile p = EBB_PROFILE("sizes");
    run(&p, 64 * 20, 3200);
    ebb_profile_stats s = learned(&p);
    cr_assert_eq(s.used_max, 3200u);
    cr_assert(s.used_p50 >= 3200 && s.used_p50 <= 3200 + 3200 / 8);
    cr_assert_eq(s.used_p95, 3200u, "no more than the most");
    cr_assert_eq(s.head, 320u, "no head holds it, so the smallest");
    cr_assert_eq(s.body, 4096u, "the smallest that holds the rest");
    ebb_arena *a = ebb_scope_begin(&p);
    for (size_t n = 0; n < 3200; n += 16) ebb_alloc(a, 16);
    cr_assert_eq(stats_of(a).chunks, 2u);
    ebb_scope_end(&a);
}

Test(profile, small_scopes_fit_their_heads)
{
    if (!layout_is_plain()) cr_skip_test("red zones take room too");
    const size_t used[] = {16, 240, 256, 272, 448, 704, 960};
    const size_t heads[] = {320, 320, 320, 512, 512, 768, 1024};
    const char *const names[] = {"16", "240", "256", "272", "448", "704", "960"};
    static ebb_profile p[7];
    for (int i = 0; i < 7; i++) {
        p[i].name = names[i];
        run(&p[i], 64 * 20, used[i]);
        cr_assert_eq(learned(&p[i]).head, heads[i], "%zu bytes: %zu", used[i], learned(&p[i]).head);
        ebb_arena *a = ebb_scope_begin(&p[i]);
        for (size_t n = 0; n < used[i]; n += 16) ebb_alloc(a, 16);
        cr_assert_eq(stats_of(a).chunks, 1u);
        ebb_scope_end(&a);
    }
}

Test(profile, the_percentile_says_how_many_should_fit)
{
    if (!layout_is_plain()) cr_skip_test("red zones take room too");
    static ebb_profile most = EBB_PROFILE("most", .percentile = 95);
    static ebb_profile half = EBB_PROFILE("half", .percentile = 50);
    static ebb_profile odd = EBB_PROFILE("odd", .percentile = 200), usual = EBB_PROFILE("usual");
    ebb_profile *all[] = {&most, &half, &odd, &usual};
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < 16 * 300; i++)
            run(all[k], 1, i / 16 % 10 < 6 ? 200 : i / 16 % 10 < 9 ? 600 : 900);
    cr_assert_eq(learned(&half).head, 320u);
    cr_assert_eq(learned(&usual).head, 768u, "75 is the default");
    cr_assert_eq(learned(&odd).head, 768u, "also for what is above 100");
    cr_assert_eq(learned(&most).head, 1024u);
}

Test(profile, it_follows_a_program_that_changes)
{
    if (!layout_is_plain()) cr_skip_test("red zones take room too");
    static ebb_profile p = EBB_PROFILE("changing");
    run(&p, 16 * 3000, 200);
    cr_assert_eq(learned(&p).head, 320u);
    run(&p, 16 * 30000, 900);
    cr_assert_eq(learned(&p).head, 1024u);
}

Test(profile, scopes_of_more_profiles_than_can_learn_are_anonymous)
{
    enum { N = 1100 };
    static ebb_profile p[N];
    static char names[N][16];
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "p%d", i);
        p[i].name = names[i];
        ebb_arena *a = ebb_scope_begin(&p[i]);
        cr_assert_eq(ebb_failed(a), EBB_OK);
        cr_assert_not_null(ebb_alloc(a, 5000));
        if (i < 1000) cr_assert_str_eq(ebb_arena_name(a), names[i]);
        ebb_scope_end(&a);
        (void)learned(&p[i]);
    }
    cr_assert_eq(learned(&p[N - 1]).samples, 0u);
}

static void run_there(void *p)
{
    run(p, 64 * 4, 500);
}

Test(profile, threads_learn_together)
{
    static ebb_profile p = EBB_PROFILE("shared");
    for (int i = 0; i < 4; i++) on_thread(run_there, &p);
    uint64_t n = learned(&p).samples;
    cr_assert(n >= 4 * 13 && n <= 4 * 16, "a thread that exits leaves its samples: %zu", (size_t)n);
}

static void *run_many(void *p)
{
    run(p, (int)scaled(20000), 300);
    return NULL;
}

Test(profile, threads_may_learn_at_once)
{
    static ebb_profile p = EBB_PROFILE("at once");
    pthread_t t[4];
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, run_many, &p);
    for (int i = 0; i < 100; i++) (void)learned(&p);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    cr_assert(learned(&p).samples <= 4 * (scaled(20000) / 16 + 1));
}

/* ---- what is wasted ---------------------------------------------------------------------------- */

/* The first end of a thread is looked at. So what a scope of `profile` that `fill` fills adds. */
typedef struct job {
    ebb_profile *profile;
    void (*fill)(ebb_arena *a);
    ebb_arena_stats before; /* its end */
} job;

static void end_one(void *arg)
{
    job *j = arg;
    ebb_arena *a = ebb_scope_begin(j->profile);
    j->fill(a);
    j->before = stats_of(a);
    ebb_scope_end(&a);
}

static ebb_profile_ledger difference(ebb_profile_ledger a, ebb_profile_ledger b)
{
    return (ebb_profile_ledger){
        a.samples - b.samples, a.held - b.held,     a.used - b.used,
        a.tails - b.tails,     a.idle - b.idle,     a.abandoned - b.abandoned,
        a.headers - b.headers, a.chunks - b.chunks, a.large - b.large};
}

static ebb_profile_ledger ledger_of(ebb_profile *p, void (*fill)(ebb_arena *a))
{
    job j = {p, fill, {0}};
    ebb_profile_ledger before = learned(p).sum;
    on_thread(end_one, &j);
    ebb_profile_ledger l = difference(learned(p).sum, before);
    cr_assert_eq(l.samples, 1u);
    cr_assert_eq(l.held, j.before.held);
    cr_assert_eq(l.used + l.abandoned, j.before.used);
    cr_assert_eq(l.held, l.used + l.tails + l.idle + l.abandoned + l.headers);
    cr_assert_eq(l.chunks, j.before.chunks);
    cr_assert_eq(l.large, j.before.large);
    return l;
}

static void fill_head(ebb_arena *a)
{
    ebb_alloc(a, 160);
}

/* A head of 1 KiB with 960 bytes, then a body of 16 KiB with 16320, then one of 32 KiB. */
static void fill_three(ebb_arena *a)
{
    ebb_alloc(a, 800);
    ebb_alloc(a, 8000);
    ebb_alloc(a, 8160);
    ebb_alloc(a, 4000);
}

static void fill_large(ebb_arena *a)
{
    ebb_alloc(a, 100000);
}

Test(profile, the_ledger_of_one_scope)
{
    static ebb_profile p = EBB_PROFILE("ledger"), q = EBB_PROFILE("three"),
                       r = EBB_PROFILE("one large"); /* each begins as if new */
    if (!layout_is_plain()) cr_skip_test("red zones take room too");
    ebb_profile_ledger l = ledger_of(&p, fill_head);
    cr_assert(l.held == 1024 && l.used == 160 && l.idle == 800 && l.tails == 0 && l.headers == 64);
    l = ledger_of(&q, fill_three);
    cr_assert_eq(l.chunks, 3u);
    cr_assert_eq(l.used, 800u + 8000 + 8160 + 4000);
    cr_assert_eq(l.tails, 16320u - 8000 - 8160);
    cr_assert_eq(l.idle, (960u - 800) + (32768 - 64 - 4000));
    cr_assert_eq(l.headers, 3u * 64);
    l = ledger_of(&r, fill_large);
    cr_assert(l.large == 1 && l.used == 100000);
    cr_assert_eq(l.headers, 64 + (l.held - 1024 - 100000), "what lies behind the object");
}

static void outgrow(ebb_arena *a)
{
    ebb_storage s = {NULL, 0};
    cr_assert(ebb_storage_grow(a, &s, 0, 2000));
    ebb_alloc(a, 16);
    ebb_storage_release(a, &s);
}

static void outgrow_and_take(ebb_arena *a)
{
    ebb_storage s = {NULL, 0};
    outgrow(a);
    cr_assert(ebb_storage_grow(a, &s, 0, 1500));
}

static void outgrow_and_rewind(ebb_arena *a)
{
    ebb_mark m = ebb_arena_mark(a);
    outgrow(a);
    ebb_arena_rewind(a, m);
}

Test(profile, what_containers_abandon_is_in_the_ledger)
{
    static ebb_profile p = EBB_PROFILE("abandons");
    if (!layout_is_plain()) cr_skip_test("red zones take room too");
    cr_assert_eq(ledger_of(&p, outgrow).abandoned, 2000u);
    cr_assert_eq(ledger_of(&p, outgrow_and_take).abandoned, 0u);
    cr_assert_eq(ledger_of(&p, outgrow_and_rewind).abandoned, 0u);
}

static void adopt_one(ebb_arena *a)
{
    ebb_arena *child = ebb_arena_create(NULL);
    ebb_alloc(child, 100);
    ebb_arena_adopt(a, &child);
}

Test(profile, what_adopted_arenas_have_free_is_a_tail)
{
    static ebb_profile p = EBB_PROFILE("adopts");
    if (!layout_is_plain()) cr_skip_test("red zones take room too");
    ebb_profile_ledger l = ledger_of(&p, adopt_one);
    cr_assert(l.held == 1024 + 320 && l.chunks == 2);
    cr_assert_eq(l.tails, 320u - 64 - 112);
    cr_assert_eq(l.idle, 960u);
}

static void hold_for_a_while(ebb_arena *a)
{
    ebb_mark m = ebb_arena_mark(a);
    ebb_alloc(a, 300000);
    ebb_arena_rewind(a, m);
}

Test(profile, the_most_held_is_remembered)
{
    static ebb_profile p = EBB_PROFILE("peaks");
    ebb_profile_ledger l = ledger_of(&p, hold_for_a_while);
    cr_assert(l.held < 300000);
    ebb_profile_stats s = learned(&p);
    cr_assert(s.held_max >= 300000 && s.held_p50 == s.held_max && s.held_p95 == s.held_max);
}

/* ---- how many ---------------------------------------------------------------------------------- */

static void run_a_thousand(void *p)
{
    run(p, 1000, 100);
}

static void run_three(void *p)
{
    run(p, 3, 100);
}

Test(profile, ends_are_estimated_and_told_when_a_thread_exits)
{
    static ebb_profile p = EBB_PROFILE("ends");
    on_thread(run_a_thousand, &p);
    cr_assert_eq(learned(&p).ended, 1000u, "of one kind alone they are exact: %zu",
                 (size_t)learned(&p).ended);
    for (int i = 0; i < 10; i++) on_thread(run_three, &p);
    cr_assert_eq(learned(&p).ended, 1030u, "threads that live short: %zu",
                 (size_t)learned(&p).ended);
}

static ebb_profile outer = EBB_PROFILE("outer"), inner = EBB_PROFILE("inner");

static void by_turns(void *arg)
{
    for (int i = 0; i < *(int *)arg; i++) {
        ebb_arena *a = ebb_scope_begin(&outer), *b = ebb_scope_begin_in(a, &inner);
        ebb_alloc(b, 700);
        ebb_scope_end(&b);
        ebb_scope_end(&a);
    }
}

Test(profile, scopes_that_end_by_turns_are_all_looked_at)
{
    int n = 8000;
    on_thread(by_turns, &n);
    ebb_profile_stats o = learned(&outer), i = learned(&inner);
    cr_assert(o.samples > 50 && i.samples > 50, "%zu and %zu", (size_t)o.samples,
              (size_t)i.samples);
    cr_assert(o.ended > 7600 && o.ended < 8400, "%zu", (size_t)o.ended);
    cr_assert(i.ended > 7600 && i.ended < 8400, "%zu", (size_t)i.ended);
}

static ebb_profile limited = EBB_PROFILE("limited", .soft = 4 * KIB, .hard = 64 * KIB);

static void *pass_limits(void *arg)
{
    for (int i = 0; i < *(int *)arg; i++) {
        ebb_arena *a = ebb_scope_begin(&limited);
        ebb_alloc(a, 6000);
        if (i % 4 == 0) ebb_alloc(a, 300 * KIB);
        ebb_scope_end(&a);
    }
    return NULL;
}

Test(profile, limits_are_counted_exactly)
{
    int n = (int)scaled(2000) / 4 * 4;
    pthread_t t[2];
    for (int i = 0; i < 2; i++) pthread_create(&t[i], NULL, pass_limits, &n);
    for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
    ebb_profile_stats s = learned(&limited);
    cr_assert_eq(s.soft_crossed, 2u * (unsigned)n);
    cr_assert_eq(s.refused, 2u * (unsigned)n / 4);
    static ebb_profile child = EBB_PROFILE("child");
    ebb_arena *a = ebb_scope_begin(&limited), *b = ebb_scope_begin_in(a, &child);
    cr_assert_null(ebb_alloc_optional(b, 300 * KIB));
    ebb_scope_end(&b);
    ebb_scope_end(&a);
    cr_assert_eq(learned(&child).refused, 1u, "who asked is told, whoever's limit it was");
    cr_assert_eq(learned(&limited).refused, s.refused);
}

/* ---- all of them, and their text --------------------------------------------------------------- */

Test(profile, all_that_have_begun_are_listed)
{
    static ebb_profile a = EBB_PROFILE("a"), b = EBB_PROFILE("b"), again = EBB_PROFILE("a");
    ebb_profile *all[8];
    run(&a, 1, 10);
    run(&b, 1, 10);
    run(&again, 1, 10);
    size_t n = ebb_profile_list(NULL, 0);
    cr_assert_eq(n, 3u, "the anonymous one too, and one of each name: %zu", n);
    cr_assert_eq(ebb_profile_list(all, 8), n);
    cr_assert_str_eq(all[0]->name, "anonymous");
    cr_assert(all[1] == &a && all[2] == &b);
    all[2] = NULL;
    cr_assert_eq(ebb_profile_list(all, 2), n);
    cr_assert_null(all[2]);
}

Test(profile, the_histogram_has_what_was_looked_at)
{
    static ebb_profile p = EBB_PROFILE("bars"), none = EBB_PROFILE("no bars");
    if (!layout_is_plain()) cr_skip_test("red zones take room too");
    run(&p, 400, 200);
    run(&p, 400, 5000);
    ebb_profile_bar bar[EBB_PROFILE_BARS];
    size_t n = ebb_profile_get_histogram(&p, bar, EBB_PROFILE_BARS), sum = 0;
    cr_assert_eq(n, 2u);
    cr_assert_eq(ebb_profile_get_histogram(&p, NULL, 0), n);
    for (size_t i = 0; i < n; i++) sum += bar[i].count;
    cr_assert_eq(sum, learned(&p).samples);
    cr_assert(bar[0].upto >= 208 && bar[0].upto < 208 + 208 / 8);
    cr_assert(bar[1].upto >= 5008 && bar[1].upto < 5008 + 5008 / 8);
    cr_assert_eq(ebb_profile_get_histogram(&none, bar, 3), 0u);
}

static bool advises(ebb_profile *p, const char *words)
{
    ebb_profile_advice advice[EBB_PROFILE_ADVICE_MOST];
    bool found = false;
    size_t n = ebb_profile_get_advice(p, advice, EBB_PROFILE_ADVICE_MOST);
    cr_assert(n <= EBB_PROFILE_ADVICE_MOST);
    cr_assert_eq(ebb_profile_get_advice(p, NULL, 0), n);
    for (size_t i = 0; i < n; i++) found = found || strstr(advice[i].text, words);
    return found;
}

static size_t advice_count(ebb_profile *p)
{
    return ebb_profile_get_advice(p, NULL, 0);
}

static void run_filled(ebb_profile *p, int scopes, void (*fill)(ebb_arena *a))
{
    for (int i = 0; i < scopes; i++) {
        ebb_arena *a = ebb_scope_begin(p);
        fill(a);
        ebb_scope_end(&a);
    }
}

enum { PLENTY = 17 * 100 };

Test(profile, who_does_well_gets_no_advice)
{
    static ebb_profile p = EBB_PROFILE("does well"), young = EBB_PROFILE("young");
    run(&p, PLENTY, 200);
    cr_assert_eq(advice_count(&p), 0u);
    static ebb_profile changed = EBB_PROFILE("has changed");
    run(&changed, 17 * 60, 200);
    run(&changed, 17 * 100, 900);
    if (layout_is_plain()) cr_assert_eq(advice_count(&changed), 0u, "it has learned better");
    run_filled(&young, 17 * 32, outgrow);
    cr_assert_eq(advice_count(&young), 0u, "too few were looked at");
}

Test(profile, abandoned_storage_is_advised_against)
{
    static ebb_profile p = EBB_PROFILE("abandons often");
    if (!layout_is_plain()) cr_skip_test("red zones take room too");
    run_filled(&p, PLENTY, outgrow);
    cr_assert(advises(&p, "abandoned container storage: 2000 bytes a scope"));
    cr_assert(advises(&p, "reserve"));
}

static int turn;

static void one_in_ten_is_larger(ebb_arena *a)
{
    size_t bytes = ++turn % 10 == 0 ? 900 : 200;
    for (size_t n = 0; n < bytes; n += 16) ebb_alloc(a, 16);
}

static void one_in_five_is_larger(ebb_arena *a)
{
    size_t bytes = ++turn % 5 == 0 ? 14000 : 6000;
    for (size_t n = 0; n < bytes; n += 16) ebb_alloc(a, 16);
}

Test(profile, a_size_that_would_fit_nearly_all_is_told)
{
    static ebb_profile p = EBB_PROFILE("small head"), q = EBB_PROFILE("small body");
    static ebb_profile mended = EBB_PROFILE("mended", .percentile = 95);
    if (!layout_is_plain()) cr_skip_test("red zones take room too");
    run_filled(&p, PLENTY, one_in_ten_is_larger);
    cr_assert(advises(&p, "a 1.0 KiB head would fit 95 % of the scopes: .percentile = 95"));
    run_filled(&q, PLENTY * 2, one_in_five_is_larger);
    cr_assert(advises(&q, "a 16.0 KiB body would fit 95 % of the scopes: .percentile = 95"));
    run_filled(&mended, PLENTY, one_in_ten_is_larger);
    cr_assert_eq(advice_count(&mended), 0u);
}

/* All would fit a body of 4 KiB, but for what the last one leaves of it. */
static void leave_tails(ebb_arena *a)
{
    ebb_alloc(a, 1200);
    ebb_alloc(a, 1200);
    ebb_alloc(a, 1850);
}

Test(profile, tails_are_told)
{
    static ebb_profile p = EBB_PROFILE("leaves tails");
    if (!layout_is_plain()) cr_skip_test("red zones take room too");
    run_filled(&p, PLENTY, leave_tails);
    cr_assert(advises(&p, "tails: 1"));
}

static void mostly_small(ebb_arena *a)
{
    size_t bytes = ++turn % 3 == 0 ? 40000 : 1200;
    for (size_t n = 0; n < bytes; n += 16) ebb_alloc(a, 16);
}

Test(profile, two_kinds_of_one_name_are_told)
{
    static ebb_profile p = EBB_PROFILE("two kinds");
    if (!layout_is_plain()) cr_skip_test("red zones take room too");
    run_filled(&p, PLENTY, mostly_small);
    cr_assert(advises(&p, "give the large ones a profile of their own"));
}

Test(profile, a_description_is_for_a_person)
{
    static ebb_profile p = EBB_PROFILE("GET /vms"), fresh = EBB_PROFILE("fresh");
    if (!layout_is_plain()) cr_skip_test("red zones take room too");
    run_filled(&p, PLENTY, outgrow);
    ebb_arena *in = ebb_arena_create(NULL);
    const char *text = ebb_profile_describe(&p, in);
    cr_assert_not_null(text);
    static const char *const words[] = {
        "profile \"GET /vms\"", "scopes ended", "looked at",  "use up to: ", "hold up to: ",
        "begin with ",          "chunks",       "abandoned ", "reserve\n"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        cr_assert(strstr(text, words[i]), "\"%s\" is not in\n%s", words[i], text);
    text = ebb_profile_describe(&fresh, in);
    cr_assert_str_eq(text, "profile \"fresh\": about 0 scopes ended, 0 looked at\n");
    run_filled(&limited, 1, fill_large);
    text = ebb_profile_describe(&limited, in);
    cr_assert(strstr(text, "blocks refused 1 times") && strstr(text, "refused: 1 blocks"), "%s",
              text);
    ebb_arena_destroy(&in);
}

Test(profile, a_description_without_memory_is_null)
{
    static ebb_profile p = EBB_PROFILE("no room");
    char buffer[512];
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.buffer = buffer;
    params.buffer_size = sizeof buffer;
    params.buffer_only = true;
    ebb_arena *in = ebb_arena_create(&params);
    while (ebb_alloc_optional(in, 8)) {
    }
    cr_assert_null(ebb_profile_describe(&p, in));
    cr_assert_eq(ebb_failed(in), EBB_E_MEMORY);
    ebb_arena_destroy(&in);
}

/* ---- the file ---------------------------------------------------------------------------------- */

static char folder[256], path[280], other[280];

static void make_folder(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/ebb-test-XXXXXX", base && *base ? base : P_tmpdir);
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/profiles", folder);
    snprintf(other, sizeof other, "%s/other", folder);
}

static void remove_folder(void)
{
    unlink(path);
    unlink(other);
    cr_assert_eq(rmdir(folder), 0, "something was left behind");
}

static size_t read_file(const char *from, char *to, size_t size)
{
    FILE *f = fopen(from, "rb");
    cr_assert_not_null(f);
    size_t n = fread(to, 1, size, f);
    fclose(f);
    return n;
}

static void write_file(const char *to, const char *bytes, size_t size)
{
    FILE *f = fopen(to, "wb");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(bytes, 1, size, f), size);
    cr_assert_eq(fclose(f), 0);
}

static const char *names[] = {"POST /vms",        "",          "100% sure",
                              "\xc3\xa4\xc3\xb6", "tab\there", "plain"};
enum { NAMES = 6 };
static ebb_profile kinds[NAMES];

static void learn_all(void)
{
    for (int i = 0; i < NAMES; i++) {
        kinds[i].name = names[i];
        run(&kinds[i], ENDS_PER_MERGE * 3, 100 + 150 * (size_t)i);
    }
}

/* What the file has, and what follows from it. */
static bool same_sizes(const ebb_profile_stats *a, const ebb_profile_stats *b)
{
    return a->samples == b->samples && a->used_p50 == b->used_p50 && a->used_p95 == b->used_p95 &&
           a->used_max == b->used_max && a->head == b->head && a->body == b->body;
}

/* In a process that has learned nothing. */
static void load_and_compare(void *expected)
{
    ebb_profile_stats *want = expected;
    const char *why = "untouched";
    ebb_arena *a = ebb_arena_create(NULL);
    static ebb_profile early = {.name = "plain"}; /* this one has begun before the file is read */
    ebb_arena *b = ebb_scope_begin(&early);
    ebb_scope_end(&b);
    if (ebb_profile_load(path, a, &why) != EBB_OK) _Exit(1);
    if (strcmp(why, "untouched") != 0) _Exit(2);
    static ebb_profile fresh[NAMES];
    for (int i = 0; i < NAMES; i++) {
        fresh[i].name = names[i];
        ebb_profile_stats s = learned(&fresh[i]);
        if (i == NAMES - 1) s = learned(&early);
        if (!same_sizes(&s, &want[i])) _Exit(10 + i);
        b = ebb_scope_begin(i == NAMES - 1 ? &early : &fresh[i]);
        if (stats_of(b).held != want[i].head) _Exit(20 + i);
        ebb_scope_end(&b);
    }
    ebb_arena_destroy(&a);
}

static void save_all(void *ret_)
{
    ebb_profile_stats *s = ret_;
    learn_all();
    if (ebb_profile_save(path) != EBB_OK) _Exit(1);
    for (int i = 0; i < NAMES; i++) s[i] = learned(&kinds[i]);
    FILE *f = fopen(other, "wb");
    if (!f || fwrite(s, sizeof *s, NAMES, f) != NAMES || fclose(f) != 0) _Exit(2);
}

Test(profile, what_was_saved_is_loaded_by_the_next_process)
{
    make_folder();
    static ebb_profile_stats s[NAMES];
    death d = in_child(save_all, s);
    cr_assert(lived(&d));
    cr_assert_eq(read_file(other, (char *)s, sizeof s), sizeof s);
    for (int i = 0; i < NAMES; i++) cr_assert(s[i].samples >= 10);
    d = in_child(load_and_compare, s);
    cr_assert(lived(&d));
    remove_folder();
}

Test(profile, what_was_loaded_is_saved_again)
{
    make_folder();
    static char one[64 * KIB], two[64 * KIB];
    learn_all();
    cr_assert_eq(ebb_profile_save(path), EBB_OK);
    size_t n = read_file(path, one, sizeof one);
    ebb_arena *a = ebb_arena_create(NULL);
    cr_assert_eq(ebb_profile_load(path, a, NULL), EBB_OK);
    cr_assert_eq(ebb_profile_save(path), EBB_OK);
    cr_assert_eq(read_file(path, two, sizeof two), n);
    cr_assert_eq(memcmp(one, two, n), 0);
    ebb_arena_destroy(&a);
    remove_folder();
}

static void load_then_save_elsewhere(void *unused)
{
    (void)unused;
    ebb_arena *a = ebb_arena_create(NULL);
    if (ebb_profile_load(path, a, NULL) != EBB_OK || ebb_profile_load(path, a, NULL) != EBB_OK)
        _Exit(1);
    if (ebb_profile_save(other) != EBB_OK) _Exit(2);
}

Test(profile, profiles_not_begun_yet_are_not_lost_on_the_way)
{
    make_folder();
    static char one[64 * KIB], two[64 * KIB];
    static ebb_profile_stats stats[NAMES];
    death d = in_child(save_all, stats); /* so that this process has begun none of them */
    cr_assert(lived(&d));
    size_t n = read_file(path, one, sizeof one);
    d = in_child(load_then_save_elsewhere, NULL);
    cr_assert(lived(&d));
    cr_assert_eq(read_file(other, two, sizeof two), n);
    cr_assert_eq(memcmp(one, two, n), 0);
    remove_folder();
}

Test(profile, two_of_one_name_share_a_line)
{
    make_folder();
    static char text[64 * KIB];
    static ebb_profile a = EBB_PROFILE("twin"), b = EBB_PROFILE("twin");
    run(&a, ENDS_PER_MERGE * 4, 200);
    run(&b, ENDS_PER_MERGE * 4, 900);
    cr_assert_eq(ebb_profile_save(path), EBB_OK);
    size_t n = read_file(path, text, sizeof text - 1);
    text[n] = '\0';
    char *first = strstr(text, "\ntwin ");
    cr_assert_not_null(first, "%s", text);
    cr_assert_null(strstr(first + 1, "\ntwin "), "%s", text);
    remove_folder();
}

Test(profile, a_save_that_cannot_be_leaves_the_old_file)
{
    make_folder();
    static char text[64 * KIB];
    learn_all();
    cr_assert_eq(ebb_profile_save(path), EBB_OK);
    size_t n = read_file(path, text, sizeof text);
    struct rlimit little, before;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    little = before;
    little.rlim_cur = 20; /* bytes: the disk is full */
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &little), 0);
    ebb_status full = ebb_profile_save(path);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    cr_assert_eq(full, EBB_E_IO);
    static char again[64 * KIB];
    cr_assert_eq(read_file(path, again, sizeof again), n);
    cr_assert_eq(memcmp(text, again, n), 0);
    cr_assert_eq(ebb_profile_save("no/such/folder/profiles"), EBB_E_IO);
    cr_assert_eq(ebb_profile_save(folder), EBB_E_IO, "onto a folder");
    char longest[5000];
    memset(longest, 'x', sizeof longest);
    longest[4999] = '\0';
    cr_assert_eq(ebb_profile_save(longest), EBB_E_IO);
    remove_folder();
}

Test(profile, a_file_that_cannot_be_read_is_an_io_error)
{
    make_folder();
    ebb_arena *a = ebb_arena_create(NULL);
    const char *why = NULL;
    cr_assert_eq(ebb_profile_load(path, a, &why), EBB_E_IO);
    cr_assert(why && strstr(why, path), "%s", why);
    cr_assert_eq(ebb_arena_of(why), a, "a text made in the arena given");
    why = NULL;
    cr_assert_eq(ebb_profile_load(folder, a, &why), EBB_E_IO);
    cr_assert_not_null(why);
    cr_assert_eq(ebb_profile_load(path, a, NULL), EBB_E_IO);
    ebb_arena_destroy(&a);
    remove_folder();
}

/* ---- damage ------------------------------------------------------------------------------------ */

typedef struct damage {
    unsigned refused, loaded, wrong;
} damage;

/* Load a damaged file: refused with a reason and nothing changed, or loaded. */
static void load_damaged(const char *bytes, size_t size, damage *d)
{
    ebb_profile_stats before[NAMES], after[NAMES];
    for (int i = 0; i < NAMES; i++) before[i] = learned(&kinds[i]);
    write_file(other, bytes, size);
    ebb_arena *a = ebb_arena_create(NULL);
    const char *why = NULL;
    ebb_status status = ebb_profile_load(other, a, &why);
    for (int i = 0; i < NAMES; i++) after[i] = learned(&kinds[i]);
    if (status == EBB_OK) {
        d->loaded++;
    } else {
        d->refused++;
        bool told = why && strstr(why, other) && strchr(why, ':');
        d->wrong += status != EBB_E_SYNTAX || !told || memcmp(before, after, sizeof before) != 0;
    }
    ebb_arena_destroy(&a);
}

static size_t good_file(char *text, size_t size)
{
    make_folder();
    learn_all();
    cr_assert_eq(ebb_profile_save(path), EBB_OK);
    size_t n = read_file(path, text, size);
    cr_assert(n > 100 && n < size);
    return n;
}

Test(profile, every_truncated_file_is_refused)
{
    static char text[16 * KIB];
    size_t n = good_file(text, sizeof text);
    damage d = {0};
    for (size_t k = 0; k < n; k++) load_damaged(text, k, &d);
    cr_assert_eq(d.refused, n);
    cr_assert_eq(d.wrong, 0u);
    load_damaged(text, n, &d);
    cr_assert_eq(d.loaded, 1u);
    remove_folder();
}

Test(profile, every_single_damaged_byte_is_noticed)
{
    static char text[16 * KIB];
    size_t n = good_file(text, sizeof text);
    damage d = {0};
    static const unsigned char flips[] = {1, 2, 8, 0x10, 0x20, 0x80, 0xff};
    unsigned long step = scaled(1000) < 1000 ? 37 : 1;
    for (size_t k = 0; k < n; k += step)
        for (size_t i = 0; i < sizeof flips; i++) {
            text[k] = (char)(text[k] ^ flips[i]);
            load_damaged(text, n, &d);
            text[k] = (char)(text[k] ^ flips[i]);
        }
    cr_assert_eq(d.loaded, 0u);
    cr_assert_eq(d.wrong, 0u);
    remove_folder();
}

Test(profile, added_and_missing_bytes_and_lines_are_noticed)
{
    static char text[16 * KIB], bad[32 * KIB];
    size_t n = good_file(text, sizeof text);
    damage d = {0};
    unsigned tried = 0;
    for (size_t k = 0; k < n; k += 7, tried += 2) {
        memcpy(bad, text, k);
        memcpy(bad + k, text + k + 1, n - k - 1);
        load_damaged(bad, n - 1, &d);
        bad[k] = k % 2 ? '7' : '\n';
        memcpy(bad + k + 1, text + k, n - k);
        load_damaged(bad, n + 1, &d);
    }
    cr_assert_eq(d.refused, tried);
    cr_assert_eq(d.wrong, 0u);
    remove_folder();
}

/* What a checksum can't catch: files made by hand, whose last line is right. */
static uint64_t fnv1a(const char *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
    return h;
}

static ebb_status load_forged(const char *lines, unsigned count, const char **ret_why, ebb_arena *a)
{
    static char text[64 * KIB];
    size_t n = (size_t)snprintf(text, sizeof text, "ebb-profiles 1\n%s", lines);
    n += (size_t)snprintf(text + n, sizeof text - n, "end %u %016llx\n", count,
                          (unsigned long long)fnv1a(text, n));
    write_file(other, text, n);
    return ebb_profile_load(other, a, ret_why);
}

Test(profile, forged_lines_are_refused_by_number)
{
    make_folder();
    static const struct {
        const char *lines;
        const char *where;
    } bad[] = {
        {"x\n", ":2:"},
        {"x 1\n", ":2:"},
        {"x 1 1\n", ":2:"},
        {"x 1 1 5:1 4:1\n", ":2:"},  /* out of order */
        {"x 1 1 5:1 5:1\n", ":2:"},  /* twice */
        {"x 1 1 5:0\n", ":2:"},      /* empty */
        {"x 1 1 999999:1\n", ":2:"}, /* no such bucket */
        {"x 1 1 5:99999\n", ":2:"},  /* overfull */
        {"x 1 1 5:\n", ":2:"},
        {"x 1 1 5\n", ":2:"},
        {"x 1 1 5:1 \n", ":2:"},
        {"x 99999999999999999999999999 1 5:1\n", ":2:"},
        {"x 1 99999999999999999999999999 5:1\n", ":2:"},
        {"x -1 1 5:1\n", ":2:"},
        {"x%zz 1 1 5:1\n", ":2:"},
        {"x%0 1 1 5:1\n", ":2:"},
        {"x%00 1 1 5:1\n", ":2:"},
        {"good 1 1 5:1\nx 1 1 5:1 4:1\n", ":3:"},
        {"good 1 1 5:1\n\n", ":3:"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ebb_arena *a = ebb_arena_create(NULL);
        const char *why = NULL;
        cr_assert_eq(load_forged(bad[i].lines, 1, &why, a), EBB_E_SYNTAX, "taken: %s",
                     bad[i].lines);
        cr_assert(why && strstr(why, bad[i].where), "\"%s\" for %s", why, bad[i].lines);
        ebb_arena_destroy(&a);
    }
    ebb_arena *a = ebb_arena_create(NULL);
    static char long_name[300];
    memset(long_name, 'n', 200);
    strcpy(long_name + 200, " 1 1 5:1\n");
    cr_assert_eq(load_forged(long_name, 1, NULL, a), EBB_E_SYNTAX);
    cr_assert_eq(load_forged("good 1 1 5:1\n", 1, NULL, a), EBB_OK);
    cr_assert_eq(load_forged("good 1 1 5:1\n", 2, NULL, a), EBB_E_SYNTAX, "one is missing");
    cr_assert_eq(load_forged("", 0, NULL, a), EBB_OK, "nothing was learned");
    ebb_arena_destroy(&a);
    remove_folder();
}

Test(profile, too_many_profiles_are_refused)
{
    make_folder();
    static char lines[40 * KIB];
    size_t n = 0;
    for (int i = 0; i < 1500; i++)
        n += (size_t)snprintf(lines + n, sizeof lines - n, "p%d 1 1 5:1\n", i);
    ebb_arena *a = ebb_arena_create(NULL);
    const char *why = NULL;
    ebb_status status = load_forged(lines, 1500, &why, a);
    cr_assert(status == EBB_E_SYNTAX || status == EBB_E_MEMORY);
    cr_assert_not_null(why);
    ebb_arena_destroy(&a);
    remove_folder();
}

Test(profile, random_bytes_are_refused)
{
    make_folder();
    static char bytes[4096];
    rng r = {5};
    damage d = {0};
    for (int i = 0; i < 300; i++) {
        size_t n = rng_below(&r, sizeof bytes), start = i % 2 ? 15 : 0;
        memcpy(bytes, "ebb-profiles 1\n", 15);
        for (size_t k = start; k < n; k++) bytes[k] = (char)rng_next(&r);
        load_damaged(bytes, n, &d);
    }
    cr_assert_eq(d.refused, 300u);
    cr_assert_eq(d.wrong, 0u);
    remove_folder();
}

static void *save_often(void *failures)
{
    for (int i = 0; i < 200; i++) *(int *)failures += ebb_profile_save(path) != EBB_OK;
    return NULL;
}

Test(profile, any_number_may_save_at_once)
{
    make_folder();
    learn_all();
    enum { SAVERS = 4 };
    pthread_t thread[SAVERS];
    int failures[SAVERS] = {0};
    cr_assert_eq(ebb_profile_save(path), EBB_OK);
    for (int i = 0; i < SAVERS; i++) pthread_create(&thread[i], NULL, save_often, &failures[i]);
    for (int i = 0; i < 200; i++) {
        ebb_arena *a = ebb_arena_create(NULL);
        ebb_status s = ebb_profile_load(path, a, NULL);
        cr_assert(s == EBB_OK, "%s", ebb_status_name(s));
        ebb_arena_destroy(&a);
    }
    for (int i = 0; i < SAVERS; i++) {
        pthread_join(thread[i], NULL);
        cr_assert_eq(failures[i], 0);
    }
    remove_folder();
}

Test(profile, those_too_many_to_learn_keep_their_limits)
{
    enum { MANY = 1100 };
    static ebb_profile profile[MANY];
    for (int i = 0; i < MANY; i++) {
        static char name[MANY][16];
        snprintf(name[i], sizeof name[i], "many %d", i);
        profile[i] = (ebb_profile){.name = name[i], .hard = 64 * KIB};
        ebb_arena *a = ebb_scope_begin(&profile[i]);
        cr_assert_null(ebb_alloc(a, 200 * KIB), "%d", i);
        cr_assert_eq(ebb_failed(a), EBB_E_LIMIT, "%d", i);
        ebb_scope_end(&a);
    }
}
