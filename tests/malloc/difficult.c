/*
 * tests/malloc/difficult.c: libebb-malloc before a library that makes it difficult (next.c).
 * Without Criterion, which would call that library's dlsym too.
 */
#include "next.h"

#include "../../track/seam.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned told;

static void on_call(size_t size, const void *site)
{
    (void)size, (void)site;
    told++;
}

static int wrong(const char *what)
{
    fprintf(stderr, "not so: %s\n", what);
    return 1;
}

/* What is freed and moved here came from libebb-malloc itself; what comes after that does not. */
static int early_blocks(void)
{
    char *p = realloc(next_kept[0], 100000);
    if (!p || memcmp(p, "012345678", 10) != 0) return wrong("an early block moves");
    p[99999] = 1;
    p = realloc(p, 200000);
    free(p);
    free(next_kept[1]);
    return p ? 0 : wrong("and moves on");
}

static int nested_call(void)
{
    if (!ebb__malloc_watch(on_call)) return wrong("calls come here");
    char *p = calloc(10, 10);
    unsigned once = told;
    free(malloc(10));
    ebb__malloc_watch(NULL);
    free(p);
    if (once != 1) return wrong("calloc is told once, though it calls malloc");
    return told == 2 ? 0 : wrong("and malloc is told after it");
}

int main(void)
{
    if (!next_kept[0] || next_wrong) return wrong("dlsym has got what it asked for");
    return early_blocks() || nested_call();
}
