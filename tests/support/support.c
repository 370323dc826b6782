/*
 * tests/support/support.c: see support.h.
 */
#define _GNU_SOURCE
#include "support.h"

#include <ebb/bufpool.h>
#include <ebb/pool.h>
#include <ebb/share.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

/* ---- how the library runs here ----------------------------------------------------------------- */

bool layout_is_plain(void)
{
    ebb_arena *a = ebb_arena_create(NULL);
    char *first = ebb_alloc_aligned(a, 1, 1);
    char *second = ebb_alloc_aligned(a, 1, 1);
    bool plain = first == second + 1;
    ebb_arena_destroy(&a);
    return plain;
}

bool under_valgrind(void)
{
    return RUNNING_ON_VALGRIND != 0;
}

/* Sanitizers make everything about so much slower. */
enum { SANITIZED = 8 };

unsigned long scaled(unsigned long rounds)
{
    const char *value = getenv("EBB_TEST_SCALE");
    unsigned long by = value ? strtoul(value, NULL, 10) : 1;
    if (by == 0) by = 1;
    if (TESTS_ASAN || TESTS_TSAN) by *= SANITIZED;
    return rounds > by ? rounds / by : 1;
}

/* ---- misuse reports ---------------------------------------------------------------------------- */

static void reports_add(void *ctx, const ebb_misuse *what)
{
    reports *r = ctx;
    pthread_mutex_lock(&r->lock);
    if (what->severity == EBB_MENDED) r->mended++;
    else r->misuse++;
    snprintf(r->function, sizeof r->function, "%s", what->function);
    snprintf(r->object, sizeof r->object, "%s", what->object);
    snprintf(r->text, sizeof r->text, "%s", what->text);
    size_t n = strlen(r->all);
    snprintf(r->all + n, sizeof r->all - n, "%s\n", what->text);
    pthread_mutex_unlock(&r->lock);
}

void reports_start(reports *r)
{
    memset(r, 0, sizeof *r);
    pthread_mutex_init(&r->lock, NULL);
    ebb_on_misuse(reports_add, r);
}

void reports_stop(void)
{
    ebb_on_misuse(NULL, NULL);
}

bool reports_one(reports *r, ebb_severity severity, const char *word, const char *word2)
{
    bool count = severity == EBB_MENDED ? r->mended == 1 && r->misuse == 0
                                        : r->misuse == 1 && r->mended == 0;
    bool ok = count && strstr(r->text, word) && (!word2 || strstr(r->text, word2));
    if (!ok)
        fprintf(stderr,
                "expected one %s report with \"%s\" and \"%s\"; got %u mended, %u misuse:\n%s",
                severity == EBB_MENDED ? "mended" : "misuse", word, word2 ? word2 : "", r->mended,
                r->misuse, r->all);
    return ok;
}

unsigned reports_total(reports *r)
{
    return r->mended + r->misuse;
}

/* ---- source ------------------------------------------------------------------------------------ */

static bool refuses(test_source *s)
{
    if (s->fail_all) return true;
    return s->fail_nth && --s->fail_nth == 0;
}

static bool map_block(source_block *b, size_t size, size_t align, unsigned skew)
{
    size_t least = align < 4096 ? 4096 : align;
    b->mapped_size = size + 2 * least + skew;
    b->mapped = mmap(NULL, b->mapped_size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (b->mapped == MAP_FAILED) return false;
    b->ptr = (char *)(((uintptr_t)b->mapped + least - 1) & -(uintptr_t)least) + skew;
    b->size = size;
    b->align = align;
    b->freed = false;
    return true;
}

static void *source_alloc(void *ctx, size_t size, size_t align)
{
    test_source *s = ctx;
    void *p = NULL;
    pthread_mutex_lock(&s->lock);
    s->allocs++;
    if (size == 0 || align == 0 || (align & (align - 1))) s->wrong_requests++;
    size_t i = 0;
    while (i < s->count && s->block[i].mapped) i++;
    if (!refuses(s) && i < SOURCE_BLOCKS && map_block(&s->block[i], size, align, s->skew)) {
        p = s->block[i].ptr;
        if (i == s->count) s->count++;
        s->live++;
        s->live_bytes += size;
    } else {
        s->refusals++;
    }
    pthread_mutex_unlock(&s->lock);
    return p;
}

static void source_free(void *ctx, void *ptr, size_t size)
{
    test_source *s = ctx;
    pthread_mutex_lock(&s->lock);
    s->frees++;
    size_t i = 0;
    while (i < s->count && (s->block[i].ptr != ptr || !s->block[i].mapped || s->block[i].freed))
        i++;
    if (i == s->count || s->block[i].size != size) {
        s->wrong_frees++;
    } else {
        s->block[i].freed = true;
        s->live--;
        s->live_bytes -= size;
        if (!s->keep) {
            munmap(s->block[i].mapped, s->block[i].mapped_size);
            s->block[i].mapped = NULL;
        }
    }
    pthread_mutex_unlock(&s->lock);
}

void test_source_init(test_source *s)
{
    memset(s, 0, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    s->source.alloc = source_alloc;
    s->source.free = source_free;
    s->source.ctx = s;
}

void test_source_fini(test_source *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->block[i].mapped) munmap(s->block[i].mapped, s->block[i].mapped_size);
    pthread_mutex_destroy(&s->lock);
}

void test_source_fail_nth(test_source *s, size_t n)
{
    pthread_mutex_lock(&s->lock);
    s->fail_nth = n;
    pthread_mutex_unlock(&s->lock);
}

bool test_source_has(test_source *s, const void *ptr, size_t size)
{
    bool has = false;
    uintptr_t p = (uintptr_t)ptr;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->count && !has; i++) {
        uintptr_t b = (uintptr_t)s->block[i].ptr;
        bool out = s->block[i].mapped && !s->block[i].freed;
        has = out && p >= b && p - b <= s->block[i].size && size <= s->block[i].size - (p - b);
    }
    pthread_mutex_unlock(&s->lock);
    return has;
}

/* ---- what is left ------------------------------------------------------------------------------ */

static bool may_leave_some;

void leaves_some(void)
{
    may_leave_some = true;
}

static size_t show_pools(void)
{
    ebb_pool_info pool[8];
    size_t n = ebb_pool_list(pool, 8);
    for (size_t i = 0; i < n && i < 8; i++)
        fprintf(stderr, "left: the pool \"%s\", %u of %u objects are out\n", pool[i].name,
                pool[i].out, pool[i].exist);
    return n;
}

static size_t show_shared(void)
{
    ebb_share_info object[8];
    ebb_share_collect();
    size_t n = ebb_share_list(object, 8);
    for (size_t i = 0; i < n && i < 8; i++)
        fprintf(stderr, "left: the shared object \"%s\", %u references, %u of scopes\n",
                object[i].name, object[i].held, object[i].scopes);
    return n;
}

bool nothing_is_left(void)
{
    ebb_bufpool_shared_destroy();
    return may_leave_some || show_pools() + show_shared() == 0;
}

/* ---- children ---------------------------------------------------------------------------------- */

/* Coverage counters are written at exit; a child leaves by _exit, so it writes them itself. */
__attribute__((weak)) void __gcov_dump(void);

static void child_main(void (*fn)(void *), void *arg, int to)
{
    enum { PATIENCE = 60 }; /* seconds: a child that hangs is killed, and its test has failed */
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    alarm(PATIENCE);
    dup2(to, STDERR_FILENO);
    close(to);
    signal(SIGABRT, SIG_DFL);
    signal(SIGSEGV, SIG_DFL);
    fn(arg);
    if (__gcov_dump) __gcov_dump();
    _exit(0);
}

static void read_all(int from, char *to, size_t size)
{
    size_t n = 0;
    char rest[512];
    for (;;) {
        bool full = n == size - 1;
        ssize_t got = read(from, full ? rest : to + n, full ? sizeof rest : size - 1 - n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        if (!full) n += (size_t)got;
    }
    to[n] = '\0';
}

death in_child(void (*fn)(void *arg), void *arg)
{
    death d = {false, -1, ""};
    int ends[2], status = 0;
    fflush(NULL);
    if (pipe(ends) != 0) return d;
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        child_main(fn, arg, ends[1]);
    }
    close(ends[1]);
    if (pid > 0) read_all(ends[0], d.err, sizeof d.err);
    close(ends[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return d;
    d.signalled = WIFSIGNALED(status);
    d.code = d.signalled ? WTERMSIG(status) : WEXITSTATUS(status);
    return d;
}

bool died_saying(const death *d, const char *word, const char *word2)
{
    bool said = strstr(d->err, word) && (!word2 || strstr(d->err, word2));
    bool ok = d->signalled && d->code == SIGABRT && said;
    if (!ok)
        fprintf(stderr, "expected an abort with \"%s\" and \"%s\"; got %s %d, with:\n%s\n", word,
                word2 ? word2 : "", d->signalled ? "signal" : "exit code", d->code, d->err);
    return ok;
}

bool lived(const death *d)
{
    bool ok = !d->signalled && d->code == 0;
    if (!ok)
        fprintf(stderr, "expected a child to live; got %s %d, with:\n%s\n",
                d->signalled ? "signal" : "exit code", d->code, d->err);
    return ok;
}

/* ---- threads ----------------------------------------------------------------------------------- */

typedef struct job {
    void (*fn)(void *);
    void *arg;
} job;

static void *job_run(void *p)
{
    job *j = p;
    j->fn(j->arg);
    return NULL;
}

void on_thread(void (*fn)(void *arg), void *arg)
{
    pthread_t t;
    job j = {fn, arg};
    if (pthread_create(&t, NULL, job_run, &j) != 0) abort();
    pthread_join(t, NULL);
}

/* ---- patterns and randomness ------------------------------------------------------------------- */

/* One odd multiplier for both: neighbours differ in every byte. */
static uint64_t word_at(uint64_t seed, size_t i)
{
    return (seed + i + 1) * 0x9e3779b97f4a7c15u;
}

void pattern_fill(void *ptr, size_t size, uint64_t seed)
{
    char *to = ptr;
    for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
        uint64_t w = word_at(seed, i);
        memcpy(to + i, &w, size - i < sizeof w ? size - i : sizeof w);
    }
}

size_t pattern_check(const void *ptr, size_t size, uint64_t seed)
{
    const char *from = ptr;
    for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
        uint64_t w = word_at(seed, i);
        size_t n = size - i < sizeof w ? size - i : sizeof w;
        if (memcmp(from + i, &w, n) == 0) continue;
        for (size_t k = 0; k < n; k++)
            if (from[i + k] != ((const char *)&w)[k]) return i + k;
    }
    return size;
}

size_t bytes_check(const void *ptr, unsigned char byte, size_t size)
{
    const unsigned char *p = ptr;
    for (size_t i = 0; i < size; i++)
        if (p[i] != byte) return i;
    return size;
}

/* splitmix64 (Steele, Lea, Flood 2014). */
uint64_t rng_next(rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

size_t rng_below(rng *r, size_t n)
{
    return (size_t)(rng_next(r) % n);
}

bool rng_one_in(rng *r, size_t n)
{
    return rng_below(r, n) == 0;
}

bool is_aligned(const void *ptr, size_t align)
{
    return ((uintptr_t)ptr & (align - 1)) == 0;
}
