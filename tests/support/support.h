/*
 * tests/support/support.h: what the tests share, whatever they are run by: recorded misuse reports, a
 * source that counts and fails, children whose death is looked at, patterns, repeatable randomness.
 *
 * Nothing here looks into the library: what a test needs to know it asks through the public headers.
 */
#ifndef EBB_TESTS_SUPPORT_H
#define EBB_TESTS_SUPPORT_H

#include <ebb/arena.h>
#include <ebb/base.h>
#include <ebb/source.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__has_feature)
#define TESTS_CLANG_HAS(x) __has_feature(x)
#else
#define TESTS_CLANG_HAS(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || TESTS_CLANG_HAS(address_sanitizer)
#define TESTS_ASAN 1
#else
#define TESTS_ASAN 0
#endif
#if defined(__SANITIZE_THREAD__) || TESTS_CLANG_HAS(thread_sanitizer)
#define TESTS_TSAN 1
#else
#define TESTS_TSAN 0
#endif

/* ---- how the library runs here ----------------------------------------------------------------- */

/* Bytes are packed: neither a tool nor a check level has put red zones between objects. */
bool layout_is_plain(void);

/* Run by Valgrind, whatever its tool. */
bool under_valgrind(void);

/* Divide the number of rounds by EBB_TEST_SCALE, and again under a sanitizer; at least 1. */
unsigned long scaled(unsigned long rounds);

/* ---- misuse reports ---------------------------------------------------------------------------- */

/* The reports since reports_start. Any thread may add one. */
typedef struct reports {
    pthread_mutex_t lock;
    unsigned mended, misuse;
    char function[64], object[64], text[600]; /* of the last */
    char all[4096];                           /* all texts, a line each, as far as there is room */
} reports;

void reports_start(reports *r);
void reports_stop(void);
/* Exactly one report of that severity since the start, and its text has all of these words. */
bool reports_one(reports *r, ebb_severity severity, const char *word, const char *word2);
unsigned reports_total(reports *r);

/* ---- a source that counts, and fails on request ------------------------------------------------ */

enum { SOURCE_BLOCKS = 4096 };

typedef struct source_block {
    char *ptr; /* what alloc returned */
    size_t size, align;
    char *mapped;
    size_t mapped_size;
    bool freed;
} source_block;

typedef struct test_source {
    ebb_source source; /* what Ebb is given */
    pthread_mutex_t lock;
    size_t allocs, frees, refusals; /* calls */
    size_t live, live_bytes;        /* blocks out */
    size_t wrong_frees;             /* of what was not out, or of another size */
    size_t wrong_requests;          /* an alignment that is not a power of two, or a size of 0 */
    size_t fail_nth;                /* refuse the n-th request from when it was set; 0: none */
    bool fail_all;
    bool keep;     /* leave freed blocks mapped, so that their bytes can be looked at */
    unsigned skew; /* bytes by which blocks miss a larger alignment than asked for */
    source_block block[SOURCE_BLOCKS];
    size_t count;
} test_source;

void test_source_init(test_source *s);
/* Unmap whatever is still mapped. */
void test_source_fini(test_source *s);
void test_source_fail_nth(test_source *s, size_t n);
/* Whether all of [ptr, ptr + size) is in a block that is out. */
bool test_source_has(test_source *s, const void *ptr, size_t size);

/* ---- what is left ------------------------------------------------------------------------------ */

/* When a test returns no pool and no shared object may be left, or it has failed; they are named on
   stderr. test.h asks. */
bool nothing_is_left(void);
/* This test leaves some on purpose. */
void leaves_some(void);

/* ---- children ---------------------------------------------------------------------------------- */

typedef struct death {
    bool signalled;
    int code;        /* exit code, or signal */
    char err[16384]; /* what it wrote to stderr, as far as there is room */
} death;

/* Run fn(arg) in a forked child and see how that ends; a return from fn is exit code 0. */
death in_child(void (*fn)(void *arg), void *arg);
/* It ended with an abort, after having written all of these words. */
bool died_saying(const death *d, const char *word, const char *word2);
/* fn ran to its end. */
bool lived(const death *d);

/* ---- threads ----------------------------------------------------------------------------------- */

/* Run fn(arg) on a thread of its own and wait for it. */
void on_thread(void (*fn)(void *arg), void *arg);

/* ---- patterns and randomness ------------------------------------------------------------------- */

/* Fill with, and check for, bytes that depend on the seed and their place. */
void pattern_fill(void *ptr, size_t size, uint64_t seed);
/* The index of the first byte that is not as it was filled; size if there is none. */
size_t pattern_check(const void *ptr, size_t size, uint64_t seed);
/* The index of the first byte that is not `byte`; size if there is none. */
size_t bytes_check(const void *ptr, unsigned char byte, size_t size);

typedef struct rng {
    uint64_t state;
} rng;

uint64_t rng_next(rng *r);
/* In [0, n), n > 0. */
size_t rng_below(rng *r, size_t n);
/* True once in n times. */
bool rng_one_in(rng *r, size_t n);

bool is_aligned(const void *ptr, size_t align);

#endif /* EBB_TESTS_SUPPORT_H */
