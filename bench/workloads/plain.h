/*
 * bench/workloads/plain.h: the work as one writes it on malloc. No include guard: included once by each
 * file that has a memory, after
 *
 *     memory                            a type: a batch's; by memory_begin(work) and memory_end(&m)
 *     void *take(memory *, size_t)      never NULL, as far as this code is told
 *     void *take_bytes(memory *, size_t)    the same, for what may lie anywhere
 *     void *resize(memory *, void *, size_t old, size_t new)
 *     void drop(memory *, void *)
 *     FREES                             0: drop does nothing, and is not even called
 *
 * What is written below for malloc's sake, remembering what to free and freeing it, goes where FREES is 0.
 * Nobody is handicapped: lengths are known and not counted again, numbers are printed by hand, sizes are
 * computed where they can be; what is a list in a service is one in `faithful` mode alone.
 */
#include <string.h>

static char *take_text(memory *m, ebb_str text)
{
    char *to = take_bytes(m, text.len + 1);
    memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
    return to;
}

static inline void drop_text(memory *m, ebb_str text)
{
    drop(m, (void *)(uintptr_t)text.ptr);
}

static inline ebb_str text_of(memory *m, ebb_str text)
{
    return (ebb_str){take_text(m, text), text.len};
}

/* A list that doubles. */
typedef struct list {
    void *items;
    size_t count, room;
} list;

static inline void *list_add(memory *m, list *l, size_t item)
{
    if (l->count == l->room) {
        size_t room = l->room ? 2 * l->room : 1;
        l->items = resize(m, l->items, l->room * item, room * item);
        l->room = room;
    }
    return (char *)l->items + l->count++ * item;
}

#include "plain_messages.h"
#include "plain_proposals.h"
#include "plain_schedule.h"
