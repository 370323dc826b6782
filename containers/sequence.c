/*
 * containers/sequence.c: what the templates of vectors, queues and heaps, and the inline functions
 * of lists, need of the library: growth that is counted with care, and reports of misuse.
 */
#include "../arena/internal.h"

#include <ebb/list.h>
#include <ebb/sequence.h>

/* The first storage of a sequence: a cache line, or a few items if they are large. */
enum { FIRST_BYTES = 64, FIRST_ITEMS = 4, FIRST_MOST = 1024 };

static size_t first_count(size_t size)
{
    if (size <= FIRST_BYTES / FIRST_ITEMS) return FIRST_BYTES / size;
    return size <= FIRST_MOST / FIRST_ITEMS ? FIRST_ITEMS : 1;
}

/* By the inline path. An arena without an ext has no bins, so nothing waits there to be taken. */
static bool take_first(ebb_arena *a, ebb_storage *s, size_t bytes)
{
    s->ptr = ebb_alloc(a, bytes);
    s->size = s->ptr ? bytes : 0;
    return s->ptr != NULL;
}

bool ebb__items_reserve(ebb_arena *a, ebb_storage *s, size_t len, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) bytes = SIZE_MAX;
    if (!s->ptr && bytes <= FIRST_MOST && !a->ext) return take_first(a, s, bytes);
    return ebb_storage_grow(a, s, len * size, bytes);
}

bool ebb__items_grow(ebb_arena *a, ebb_storage *s, size_t len, size_t more, size_t size)
{
    size_t count, doubled = s->size / size * 2;
    if (__builtin_add_overflow(len, more, &count)) count = SIZE_MAX;
    if (count < doubled) count = doubled;
    if (count < first_count(size)) count = first_count(size);
    return ebb__items_reserve(a, s, len, count, size);
}

void ebb__items_move(void *to, const void *from, size_t bytes)
{
    memmove(to, from, bytes);
}

void ebb__out_of_range(const ebb_arena *a, const char *function, size_t i, size_t len)
{
    ebb__report(EBB_MISUSE, function, a, "index %zu, but the length is %zu; compare before", i,
                len);
}

void ebb__list_broken(const char *function)
{
    ebb__report(
        EBB_MISUSE, function, NULL,
        "the link is not in this list: taken out before, or in another one; a link that was "
        "cleared can be asked by ebb_list_has");
}
