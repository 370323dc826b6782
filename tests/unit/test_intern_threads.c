/*
 * tests/unit/test_intern_threads.c: one shared table, many threads: some put the same texts in different
 * orders while it grows, some look up, walk, keep requests' tables over it, fork. What one of them was
 * told must hold for all. ThreadSanitizer looks on where it is there. No thread sleeps or waits for time.
 */
#include "test.h"

#include <ebb/ebb.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXTS = 6000, LONGEST = 64, WRITERS = 3, READERS = 3 };

static struct {
    ebb_symtab *table;
    char text[TEXTS][LONGEST];
    _Atomic ebb_sym sym[TEXTS]; /* what anybody was told first */
    _Atomic unsigned wrong, started, writing;
} all;

static void must(bool so)
{
    if (!so) atomic_fetch_add(&all.wrong, 1);
}

static ebb_str text(size_t i)
{
    return ebb_str_from(all.text[i]);
}

static void start(void)
{
    atomic_fetch_add(&all.started, 1);
    while (atomic_load(&all.started) < WRITERS + READERS) sched_yield();
}

/* All that were ever told the symbol of a text were told the same. */
static void told(size_t i, ebb_sym sym)
{
    ebb_sym none = 0;
    if (!atomic_compare_exchange_strong(&all.sym[i], &none, sym)) must(none == sym);
}

static void *writer(void *arg)
{
    size_t n = *(size_t *)arg, step = n == 0 ? 1 : n == 1 ? 7 : TEXTS - 1; /* odd orders */
    start();
    for (size_t k = 0, i = n; k < TEXTS; k++, i = (i + step) % TEXTS) {
        ebb_sym sym = ebb_intern(all.table, text(i));
        must(sym != 0 && !ebb_sym_is_local(sym));
        told(i, sym);
        must(ebb_intern_find(all.table, text(i)) == sym);
    }
    atomic_fetch_sub(&all.writing, 1);
    return NULL;
}

static void read_some(rng *r)
{
    for (int k = 0; k < 200; k++) {
        size_t i = rng_below(r, TEXTS);
        ebb_sym before = atomic_load(&all.sym[i]), sym = ebb_intern_find(all.table, text(i));
        if (before) must(sym == before);
        if (!sym) continue;
        told(i, sym);
        ebb_str s = ebb_sym_str(all.table, sym);
        must(s.len == strlen(all.text[i]) && memcmp(s.ptr, all.text[i], s.len + 1) == 0);
    }
}

/* Whatever others do meanwhile, the request sees one symbol for a text. */
static void one_request(rng *r)
{
    enum { ASKED = 40 };
    ebb_sym mine[ASKED];
    size_t which[ASKED];
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_symtab *t = ebb_symtab_over(a, all.table);
    for (int k = 0; k < ASKED; k++) {
        which[k] = rng_below(r, TEXTS);
        mine[k] = ebb_intern(t, text(which[k]));
        must(mine[k] != 0);
        if (rng_one_in(r, 4)) told(which[k], ebb_sym_promote(t, mine[k]));
    }
    for (int k = 0; k < ASKED; k++) {
        must(ebb_intern(t, text(which[k])) == mine[k]);
        must(strcmp(ebb_sym_str(t, mine[k]).ptr, all.text[which[k]]) == 0);
    }
    must(!ebb_symtab_validate(t));
    ebb_scope_end(&a);
}

/* It may meet a text a moment before that can be looked up. */
static void walk_once(void)
{
    for (ebb_symtab_iter i = ebb_symtab_each(all.table); ebb_symtab_next(&i);) {
        ebb_sym found = ebb_intern_find(all.table, i.str);
        must(!found || found == i.sym);
    }
}

static void fork_once(void)
{
    pid_t child = fork();
    if (child == 0) _exit(ebb_intern(all.table, ebb_str_from("only in the child")) ? 0 : 1);
    int status = -1;
    waitpid(child, &status, 0);
    must(status == 0);
}

static void *reader(void *arg)
{
    rng r = {*(size_t *)arg + 17};
    ebb_symtab_stats s;
    start();
    for (int round = 0; atomic_load(&all.writing) > 0 || round < 3; round++) {
        read_some(&r);
        one_request(&r);
        if (round % 16 == 0) walk_once();
        if (round % 64 == 0) must(!ebb_symtab_validate(all.table));
        if (round % 32 == 0) ebb_symtab_get_stats(all.table, &s);
        if (round % 128 == 0 && !TESTS_TSAN) fork_once();
    }
    return NULL;
}

static void run(ebb_symtab_params p)
{
    static size_t number[WRITERS + READERS];
    pthread_t thread[WRITERS + READERS];
    memset(all.sym, 0, sizeof all.sym);
    all.table = ebb_symtab_create(&p, NULL);
    atomic_store(&all.started, 0);
    atomic_store(&all.writing, WRITERS);
    for (size_t i = 0; i < TEXTS; i++)
        snprintf(all.text[i], LONGEST, "%zx-%.*s", i * 77, (int)(i % 50),
                 "..................................................");
    for (size_t n = 0; n < WRITERS + READERS; n++) {
        number[n] = n;
        cr_assert(!pthread_create(&thread[n], NULL, n < WRITERS ? writer : reader, &number[n]));
    }
    for (size_t n = 0; n < WRITERS + READERS; n++) pthread_join(thread[n], NULL);
    cr_assert_eq(atomic_load(&all.wrong), 0u);
    cr_assert_null(ebb_symtab_validate(all.table));
    ebb_symtab_stats s;
    ebb_symtab_get_stats(all.table, &s);
    cr_assert_eq(s.entries, (size_t)(size_t)TEXTS);
    for (size_t i = 0; i < TEXTS; i++)
        cr_assert_eq(ebb_intern(all.table, text(i)), atomic_load(&all.sym[i]));
    ebb_symtab_destroy(&all.table);
}

Test(intern_threads, readers_writers_and_growth)
{
    for (unsigned long n = scaled(60); n > 0; n--) run((ebb_symtab_params)EBB_SYMTAB_PARAMS_INIT);
}

Test(intern_threads, with_a_seed_and_folded_case)
{
    for (unsigned long n = scaled(60); n > 0; n--)
        run((ebb_symtab_params){.seed = n, .fold_case = true});
}

/* ---- a cap that all reach at once -------------------------------------------------------------- */

enum { CAP = 1000 };

static void *fill(void *arg)
{
    size_t n = *(size_t *)arg, got = 0;
    char name[32];
    for (size_t i = 0; i < CAP; i++) {
        snprintf(name, sizeof name, "%zu of %zu", i, n);
        if (ebb_intern(all.table, ebb_str_from(name))) got++;
        else must(ebb_symtab_failed(all.table) == EBB_E_LIMIT);
    }
    *(size_t *)arg = got;
    return NULL;
}

Test(intern_threads, a_cap_is_exact)
{
    pthread_t thread[WRITERS];
    size_t number[WRITERS], sum = 0;
    all.table = ebb_symtab_create(&(ebb_symtab_params){.max_entries = CAP}, NULL);
    for (size_t n = 0; n < WRITERS; n++) {
        number[n] = n;
        cr_assert(!pthread_create(&thread[n], NULL, fill, &number[n]));
    }
    for (size_t n = 0; n < WRITERS; n++) {
        pthread_join(thread[n], NULL);
        sum += number[n];
    }
    ebb_symtab_stats s;
    ebb_symtab_get_stats(all.table, &s);
    cr_assert(sum == CAP && s.entries == CAP && s.refused == (WRITERS - 1) * CAP);
    cr_assert_eq(atomic_load(&all.wrong), 0u);
    cr_assert_null(ebb_symtab_validate(all.table));
    ebb_symtab_destroy(&all.table);
}
