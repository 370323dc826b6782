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

/* A thread merges its samples every 64th end. */
enum { ENDS_PER_MERGE = 64 };

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

Test(profile, a_sixteenth_of_the_ends_is_looked_at)
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
        if (memcmp(&s, &want[i], sizeof s) != 0) _Exit(10 + i);
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
