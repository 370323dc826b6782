/*
 * Fail the n-th request to the source, for n = 1, 2, ... until the scenario no longer reaches n; then the
 * same for the n-th allocation of an arena. After each failure arenas must be sound, cleanups must have run
 * once, and what the scenario was given must be whole.
 *
 * Each run of the first kind has a process of its own, so that nothing is cached.
 */
#include "test.h"

#include <ebb/compat/malloc.h>
#include <ebb/ebb.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef void scenario(void);

static test_source source;
static int cleanups_expected, cleanups_run;

static void cleanup(void *arg)
{
    (void)arg;
    cleanups_run++;
}

static void defer(ebb_arena *a)
{
    cleanups_expected++;
    ebb_defer(a, cleanup, NULL); /* where it can't be registered it has run */
}

static void sound(ebb_arena *a)
{
    const char *broken = ebb_arena_validate(a);
    if (!broken) return;
    fprintf(stderr, "unsound: %s\n", broken);
    abort();
}

/* Whatever is not NULL can be written to its end. */
static void *use(void *p, size_t size)
{
    if (p) memset(p, 0x3c, size);
    return p;
}

/* ---- scenarios --------------------------------------------------------------------------------- */

static void created(void)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = "created";
    params.hard = 8 << 20;
    params.size = 700000;
    ebb_arena *a = ebb_arena_create(&params);
    use(ebb_alloc(a, 100), 100);
    use(ebb_alloc(a, 100000), 100000);
    defer(a);
    sound(a);
    ebb_arena_reset(a);
    use(ebb_alloc(a, 2000000), 2000000);
    ebb_arena_set_label(a, "labelled");
    sound(a);
    ebb_arena_destroy(&a);
}

static void scoped(void)
{
    static ebb_profile profile = EBB_PROFILE("scoped", .hard = 4 << 20);
    ebb_arena *a = ebb_scope_begin(&profile);
    for (int i = 0; i < 2000; i++) use(ebb_alloc(a, (size_t)i % 600), (size_t)i % 600);
    defer(a);
    bool kept = ebb_scope_set_data(a, &profile);
    if (ebb_scope_data(a) != (kept ? (void *)&profile : NULL)) abort();
    sound(a);
    if (ebb_failed(a)) ebb_recover(a);
    char *reply = ebb_printf(a, "failed: %d", (int)ebb_failed(a));
    if (reply && strncmp(reply, "failed:", 7) != 0) abort();
    sound(a);
    ebb_scope_end(&a);
}

static void family(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_arena *b = ebb_scope_begin_in(a, NULL), *c = ebb_scope_begin_in(b, NULL);
    use(ebb_alloc(c, 70000), 70000);
    defer(b);
    defer(c);
    ebb_arena_adopt(b, &c);
    sound(b);
    ebb_arena *away = ebb_scope_detach(&b);
    use(ebb_alloc(away, 5000), 5000);
    sound(a);
    sound(away);
    ebb_scope_end(&away);
    ebb_scope_end(&a);
}

static void grown(void)
{
    ebb_arena *a = ebb_arena_create(NULL);
    unsigned char *p = NULL;
    size_t size = 0;
    for (size_t next = 8; next < 3000000; next *= 2) {
        unsigned char *q = ebb_resize(a, p, size, next);
        if (!q) { /* the old one is untouched */
            for (size_t i = 0; i < size; i++)
                if (p[i] != 0x3c) abort();
            continue;
        }
        p = use(q, next);
        size = next;
        sound(a);
    }
    ebb_arena_destroy(&a);
}

static int task(ebb_arena *a, void *arg)
{
    (void)arg;
    EBB_SCOPE(inner, NULL);
    defer(inner);
    for (int i = 0; i < 100; i++) memset(ebb_alloc(inner, 30000), 1, 30000); /* never NULL */
    ebb_arena *child = ebb_scope_begin_in(a, NULL);
    defer(child);
    memset(ebb_alloc(child, 1000000), 1, 1000000);
    return 7;
}

static void tried(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    int result = ebb_try(a, task, NULL);
    if (result != 7 && result != EBB_E_MEMORY) abort();
    if (ebb_scope_current() != NULL) abort();
    if (result == 7) { /* the child is still open; not a report's business here */
        ebb_arena_stats s;
        ebb_arena_get_stats(a, &s);
        if (s.children != 1) abort();
    }
    sound(a);
    ebb_scope_end(&a);
}

static void budgeted(void)
{
    ebb_budget_params params = EBB_BUDGET_PARAMS_INIT;
    params.hard = 1 << 20;
    ebb_budget *outer = ebb_budget_create(NULL, &params);
    ebb_budget *inner = outer ? ebb_budget_create(outer, &params) : NULL;
    ebb_arena *a = ebb_scope_begin(NULL);
    bool charged = inner && ebb_scope_charge(a, inner);
    for (int i = 0; i < 300; i++) use(ebb_alloc_optional(a, 10000), 10000);
    ebb_budget_stats s = {0, 0, 0, 0, 0, 0};
    if (inner) ebb_budget_get_stats(inner, &s);
    if (s.used > params.hard || (charged && s.used == 0)) abort();
    sound(a);
    ebb_scope_end(&a);
    ebb_budget_destroy(&inner);
    ebb_budget_destroy(&outer);
}

static void hooked(void)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    EBB_ENTER(a);
    char *p = ebb_hook_malloc(10);
    for (size_t n = 20; n < 2000000; n *= 3) {
        char *q = ebb_hook_realloc(p, n);
        if (q) p = use(q, n);
    }
    ebb_hook_free(p);
    ebb_hook_free(ebb_hook_calloc(100, 100));
    sound(a);
    ebb_scope_leave(NULL);
    ebb_scope_end(&a);
}

static void profiled(void)
{
    char path[] = "/tmp/ebb-oom-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0) abort();
    close(fd);
    static ebb_profile profile = EBB_PROFILE("profiled");
    for (int i = 0; i < 200; i++) {
        ebb_arena *a = ebb_scope_begin(&profile);
        use(ebb_alloc(a, 3000), 3000);
        ebb_scope_end(&a);
    }
    ebb_arena *a = ebb_arena_create(NULL);
    const char *why = NULL;
    if (ebb_profile_save(path) == EBB_OK) {
        ebb_status status = ebb_profile_load(path, a, &why);
        if (status != EBB_OK && status != EBB_E_MEMORY) abort();
    }
    ebb_arena_destroy(&a);
    unlink(path);
}

/* What few arenas need: labels, data, relations; each is refused or done, never half. */
static void decorated(void)
{
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin_in(a, NULL);
    bool named = ebb_arena_set_label(a, "a label"), kept = ebb_scope_set_data(b, a);
    bool limited = ebb_arena_set_limit(a, 0, 1 << 20, 0);
    if (named && strcmp(ebb_arena_name(a), "a label") != 0) abort();
    if (ebb_scope_data(b) != (kept ? (void *)a : NULL)) abort();
    while (ebb_alloc_optional(b, 50000)) {
    }
    ebb_arena_stats s;
    ebb_arena_get_stats(a, &s);
    if (limited && s.charged > 1 << 20) abort();
    defer(a);
    if (ebb_defer_cancel(a, cleanup, NULL)) cleanups_expected--;
    ebb_arena_describe(a, b);
    ebb_scope_keep_open(b);
    sound(a);
    ebb_scope_end(&a);
}

/* A rewind takes back all there was since the mark, whatever part of it could not be had. */
static void marked(void)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *kept = use(ebb_alloc(a, 3000), 3000);
    ebb_arena_stats before, after;
    ebb_mark m = ebb_arena_mark(a);
    ebb_arena_get_stats(a, &before);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 50; i++) use(ebb_alloc(a, i * 100), i * 100);
        ebb_arena *child = ebb_scope_begin(NULL);
        use(ebb_alloc(child, 100000), 100000);
        defer(child);
        defer(a);
        ebb_arena_adopt(a, &child);
        use(ebb_resize(a, NULL, 0, 400000), 400000);
        ebb_arena_rewind(a, m);
        ebb_arena_get_stats(a, &after);
        if (after.used != before.used || after.large != before.large) abort();
        sound(a);
    }
    if (kept && kept[2999] != 0x3c) abort();
    ebb_arena_destroy(&a);
}

static void copied(void)
{
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin_in(a, NULL);
    static char text[6000];
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 20; i++) {
        char *p = ebb_strdup(b, text), *q = ebb_printf(b, "%s", text),
             *r = ebb_strndup(b, text, 5000);
        if (p && strcmp(p, text) != 0) abort();
        if (q && strcmp(q, text) != 0) abort();
        if (r && strlen(r) != 5000) abort();
        char *up = p ? ebb_promote(a, p, sizeof text) : NULL;
        if (up && strcmp(up, text) != 0) abort();
        long *zero = ebb_new_array(b, long, 500);
        for (int k = 0; zero && k < 500; k++)
            if (zero[k]) abort();
        if (ebb_failed(b)) ebb_recover(b);
    }
    sound(b);
    ebb_scope_end(&b);
    ebb_scope_end(&a);
}

/* Watchers are the heap's, but arenas may fail while they look on. */
static void watched(void)
{
    ebb_tracker *c = ebb_tracker_begin(NULL, (ebb_watch){.this_thread = true}, NULL, NULL);
    ebb_arena *a = ebb_scope_begin(NULL);
    for (int i = 0; i < 20; i++) use(ebb_alloc(a, 30000), 30000);
    sound(a);
    ebb_tracker_end(&c);
    if (!ebb_failed(a)) use(ebb_alloc(a, 100000), 100000);
    sound(a);
    ebb_scope_end(&a);
}

/* A text that is refused is not there, and may come again. */
static void named(void)
{
    static const ebb_words *const sets[] = {&ebb_vm_status};
    ebb_symtab_params p = {.words = sets, .word_sets = 1};
    ebb_symtab *t = ebb_symtab_create(&p, NULL);
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_symtab *r = t ? ebb_symtab_over(a, t) : NULL;
    for (int i = 0; r && i < 400; i++) {
        char text[40];
        int n = snprintf(text, sizeof text, "a name of some length, number %d", i);
        ebb_str name = {text, (size_t)n};
        ebb_sym sym = ebb_intern(i % 2 ? r : t, name);
        if (ebb_intern_find(r, name) != sym || (!sym && ebb_intern_find(t, name))) abort();
        ebb_sym up = sym && i % 5 == 0 ? ebb_sym_promote(r, sym) : 0;
        if (up && ebb_intern_find(t, name) != up) abort();
    }
    if (r && ebb_symtab_validate(r)) abort();
    if (t && ebb_symtab_validate(t)) abort();
    sound(a);
    ebb_scope_end(&a);
    ebb_symtab_destroy(&t);
}

static bool is_text(void *ctx, const void *root)
{
    return strcmp(ctx, root) == 0;
}

static ebb_shared *share(const char *text, size_t size, ebb_shared *with)
{
    ebb_arena *a = ebb_shared_begin("shared");
    char *copy = ebb_strdup(a, text);
    use(ebb_alloc(a, size), size);
    defer(a);
    bool ok = !with || ebb_shared_hold_for(with, a);
    ebb_shared *s = ok ? ebb_shared_seal(&a, copy, NULL) : NULL;
    ebb_arena_destroy(&a);
    if (s && ebb_shared_validate(s)) abort();
    return s;
}

/* What can't be shared, held, put or set stays its holder's. */
static void shared(void)
{
    static ebb_profile patient = EBB_PROFILE("patient", .long_lived = true);
    ebb_root root = EBB_ROOT_INIT;
    ebb_canon *c = ebb_canon_create();
    ebb_arena *a = ebb_scope_begin(NULL), *b = ebb_scope_begin(&patient);
    for (int i = 0; i < 24; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i % 16);
        ebb_shared *s = share(text, (size_t)i * 100, NULL), *t = s ? share("over", 10, s) : NULL;
        const uint64_t hash = (uint64_t)(i % 16) << 58 | (uint64_t)(i % 16);
        if (s && c && ebb_canon_put(c, hash, is_text, text, &s)) {
            ebb_shared *same = ebb_canon_find(c, hash, is_text, text);
            if (same != s) abort();
            ebb_shared_drop(&same);
        }
        if (s && ebb_shared_hold_for(s, a) && !is_text(text, ebb_shared_get(s))) abort();
        if (!ebb_root_set(&root, &s)) ebb_shared_drop(&s);
        const char *in_a = ebb_root_get(&root, a, NULL), *in_b = ebb_root_get(&root, b, NULL);
        if (in_a && in_b && in_a != in_b) abort();
        ebb_shared_drop(&t);
    }
    ebb_shared *none = NULL;
    ebb_scope_end(&a);
    ebb_scope_end(&b);
    ebb_canon_destroy(&c);
    if (!ebb_root_set(&root, &none)) abort(); /* there is what the others have just given back */
    ebb_share_stats left;
    ebb_share_get_stats(&left);
    if (left.alive + left.weak + left.deferred + left.readers > 0) abort();
}

static const struct {
    const char *name;
    scenario *run;
} scenarios[] = {
    {"created", created},     {"scoped", scoped},     {"family", family}, {"grown", grown},
    {"tried", tried},         {"budgeted", budgeted}, {"hooked", hooked}, {"profiled", profiled},
    {"decorated", decorated}, {"marked", marked},     {"copied", copied}, {"watched", watched},
    {"named", named},         {"shared", shared},
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

/* ---- the source fails -------------------------------------------------------------------------- */

enum { NOT_REACHED = 40, REACHED = 41 };

static void ignore(void *ctx, const ebb_misuse *what)
{
    (void)ctx;
    if (what->severity == EBB_MISUSE) abort();
}

/* In a fresh process: run it with the n-th request refused, and all after it if `on`. */
static int in_a_process(scenario *run, size_t n, bool on)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        test_source_init(&source);
        if (ebb_source_set(&source.source) != EBB_OK) abort();
        ebb_on_misuse(ignore, NULL);
        test_source_fail_nth(&source, n);
        for (size_t again = 0; again <= (on ? 1u : 0u); again++) {
            run();
            source.fail_all = on;
        }
        if (cleanups_run != cleanups_expected) abort();
        _exit(source.refusals ? REACHED : NOT_REACHED);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void each_request(bool on)
{
    enum { MOST_REQUESTS = 200 };
    for (size_t i = 0; i < SCENARIOS; i++) {
        size_t n = 1;
        for (int code = REACHED; code == REACHED; n++) {
            code = in_a_process(scenarios[i].run, n, on);
            cr_assert(code == REACHED || code == NOT_REACHED, "%s, request %zu", scenarios[i].name,
                      n);
            cr_assert(n < MOST_REQUESTS);
            if (on && n > 12) break; /* it never stops being refused */
        }
        cr_assert(n > 1);
    }
}

Test(oom, each_request_to_the_source_refused)
{
    each_request(false);
}

Test(oom, refused_from_some_point_on)
{
    each_request(true);
}

/* ---- arena allocations fail -------------------------------------------------------------------- */

Test(oom, each_allocation_refused)
{
    ebb_on_misuse(ignore, NULL);
    for (size_t i = 0; i < SCENARIOS; i++) {
        int runs = 0;
        EBB_EACH_FAILURE (f, .this_thread = true) {
            scenarios[i].run();
            cr_assert(cleanups_run == cleanups_expected);
            runs++;
            if (runs >= 300) break; /* thousands of equal allocations */
        }
        cr_assert(runs > 1, "%s", scenarios[i].name);
    }
}

Test(oom, allocations_refused_at_random)
{
    ebb_on_misuse(ignore, NULL);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        ebb_fault_params params = {.probability = 0.02, .seed = seed};
        ebb_fault *f = ebb_fault_begin((ebb_watch){.this_thread = true}, &params, NULL);
        cr_assert(f != NULL);
        for (size_t i = 0; i < SCENARIOS; i++) scenarios[i].run();
        ebb_fault_end(&f);
        cr_assert(cleanups_run == cleanups_expected, "seed %d", (int)seed);
    }
}

/* ---- nothing leaks ----------------------------------------------------------------------------- */

static size_t slabs_in_use(void)
{
    ebb_memory_stats m;
    ebb_trim();
    ebb_memory_get_stats(&m);
    return m.slabs;
}

/* A block lost in each failing run, of 256 bytes even, would show as a slab after so many. */
Test(oom, failures_lose_no_memory)
{
    ebb_on_misuse(ignore, NULL);
    const unsigned long runs = scaled(10000);
    const size_t slack = layout_is_plain() ? 0 : 1; /* what a tool holds back varies */
    for (size_t i = 0; i < SCENARIOS; i++) {
        if (scenarios[i].run == grown || scenarios[i].run == profiled) continue; /* too slow */
        ebb_fault_params params = {.probability = 0.05, .seed = i};
        ebb_fault *f = ebb_fault_begin((ebb_watch){.this_thread = true}, &params, NULL);
        for (unsigned long n = 0; n < runs; n++) scenarios[i].run();
        size_t before = slabs_in_use();
        for (unsigned long n = 0; n < runs; n++) scenarios[i].run();
        cr_assert(slabs_in_use() <= before + slack, "%s: %zu slabs, then %zu", scenarios[i].name,
                  before, slabs_in_use());
        cr_assert(ebb_fault_hits(f) > 0);
        ebb_fault_end(&f);
    }
}
