/*
 * ebb/sequence.h: what vectors, queues and heaps (vec_of.h, smallvec_of.h, deque_of.h, heap_of.h)
 * stand on. Not for users.
 *
 * Their items lie in one piece of storage (ebb/storage.h), which grows by doubling. Growth is had
 * before anything is changed, so a sequence whose growth has failed, or jumped, is as it was.
 */
#ifndef EBB_SEQUENCE_H
#define EBB_SEQUENCE_H

#include <ebb/arena.h>
#include <ebb/storage.h>
#include <ebb/template.h>

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Make room in *s, which holds `len` items of `size` bytes, for `more`, or for `count` in all; by
   doubling, or no more than that. Fail as ebb_storage_grow, and if it can't be counted. */
EBB_API EBB_COLD bool ebb__items_grow(ebb_arena *a, ebb_storage *s, size_t len, size_t more,
                                      size_t size);
EBB_API EBB_COLD bool ebb__items_reserve(ebb_arena *a, ebb_storage *s, size_t len, size_t count,
                                         size_t size);

/* memmove; out of line, since a compiler that sees the length guesses at absurd ones, and warns. */
EBB_API void ebb__items_move(void *to, const void *from, size_t bytes);

/* Report that @function was asked for the item @i of a sequence, in @a, of @len. */
EBB_API EBB_COLD void ebb__out_of_range(const ebb_arena *a, const char *function, size_t i,
                                        size_t len);

/* n and a quarter, for who knows about how many there will be. */
static inline size_t ebb__with_headroom(size_t n)
{
    return n <= SIZE_MAX / 5 * 4 ? n + n / 4 : SIZE_MAX;
}

static inline ebb_storage ebb__items_storage(void *ptr, size_t cap, size_t size)
{
    ebb_storage s;
    s.ptr = ptr;
    s.size = cap * size;
    return s;
}

#ifdef __cplusplus
}
#endif
#endif /* EBB_SEQUENCE_H */
