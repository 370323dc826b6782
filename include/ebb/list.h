/*
 * ebb/list.h: a doubly linked list whose links lie in the items themselves.
 *
 *     struct job {
 *         ebb_link queued;                              where it is in a list of jobs
 *         int id;
 *     };
 *     ebb_list waiting = EBB_LIST_INIT;
 *     ebb_list_push_back(&waiting, &job->queued);
 *     for (ebb_link *l = waiting.first; l; l = l->next)
 *         run(EBB_CONTAINER(l, struct job, queued));
 *
 * For items that lie where they are and must come and go in O(1), from the middle, too: parked
 * requests, least recently used entries, free lists. An item is in as many lists as it has links.
 * Not for what is only gathered and walked: a vector (ebb/vec_of.h) is faster at that.
 *
 * Nothing is allocated, so nothing fails. The list is three words without a pointer to itself: it
 * may be moved by assignment, and zeroed memory is an empty one. A link that is in no list has
 * whatever value; who wants to ask whether it is in one (ebb_list_has) first clears it
 * (ebb_link_clear).
 * Links and lists are of whoever holds the items: one thread at a time.
 *
 * Misuse that is noticed, and reported: taking out a link whose neighbours do not know of it, as
 * when it is taken out twice, or out of another list.
 * Cost: O(1), but for walking.
 */
#ifndef EBB_LIST_H
#define EBB_LIST_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A place in a list; a member of the item. */
typedef struct ebb_link {
    struct ebb_link *prev, *next;
} ebb_link;

/** A list. All is for reading. */
typedef struct ebb_list {
    ebb_link *first, *last;
    size_t len;
} ebb_list;

/* clang-format off */
/** An empty list, for initialising. */
#ifdef __cplusplus
#define EBB_LIST_INIT {nullptr, nullptr, 0}
#else
#define EBB_LIST_INIT {NULL, NULL, 0}
#endif
/* clang-format on */

EBB_API EBB_COLD void ebb__list_broken(const char *function);

/** Say of @l that it is in no list. */
static inline void ebb_link_clear(ebb_link *l)
{
    l->prev = l->next = NULL;
}

/** Return whether @l, which was cleared when it was made, is in @list, provided that it is in no
    other list. */
static inline bool ebb_list_has(const ebb_list *list, const ebb_link *l)
{
    return l->prev || l->next || list->first == l;
}

/** Put @l, which must be in no list, in before @next, or last where that is NULL. */
static inline void ebb_list_insert(ebb_list *list, ebb_link *l, ebb_link *next)
{
    ebb_link *prev = next ? next->prev : list->last;
    l->prev = prev;
    l->next = next;
    if (prev) prev->next = l;
    else list->first = l;
    if (next) next->prev = l;
    else list->last = l;
    list->len++;
}

/** Put @l behind the last. It must be in no list. */
static inline void ebb_list_push_back(ebb_list *list, ebb_link *l)
{
    ebb_list_insert(list, l, NULL);
}

/** Put @l before the first. It must be in no list. */
static inline void ebb_list_push_front(ebb_list *list, ebb_link *l)
{
    ebb_list_insert(list, l, list->first);
}

/* Whether the neighbours, or the list's ends, know of it. */
static inline bool ebb__list_knows(const ebb_list *list, const ebb_link *l)
{
    const ebb_link *before = l->prev ? l->prev->next : list->first;
    const ebb_link *behind = l->next ? l->next->prev : list->last;
    return before == l && behind == l;
}

/** Take @l out and clear it. Misuse, reported: it is not in @list. To go on behind it, read its
    `next` before. */
static inline void ebb_list_remove(ebb_list *list, ebb_link *l)
{
    if (!EBB_LIKELY(ebb__list_knows(list, l))) {
        ebb__list_broken("ebb_list_remove");
        return;
    }
    if (l->prev) l->prev->next = l->next;
    else list->first = l->next;
    if (l->next) l->next->prev = l->prev;
    else list->last = l->prev;
    list->len--;
    ebb_link_clear(l);
}

/** Take the first out and return it; NULL: there is none. */
static inline ebb_link *ebb_list_pop_front(ebb_list *list)
{
    ebb_link *l = list->first;
    if (l) ebb_list_remove(list, l);
    return l;
}

/** Take the last out and return it; NULL: there is none. */
static inline ebb_link *ebb_list_pop_back(ebb_list *list)
{
    ebb_link *l = list->last;
    if (l) ebb_list_remove(list, l);
    return l;
}

/** Move all of @other behind the last of @list; @other is then empty. */
static inline void ebb_list_append(ebb_list *list, ebb_list *other)
{
    if (!other->first) return;
    other->first->prev = list->last;
    if (list->last) list->last->next = other->first;
    else list->first = other->first;
    list->last = other->last;
    list->len += other->len;
    other->first = other->last = NULL;
    other->len = 0;
}

#ifdef __cplusplus
}
#endif
#endif /* EBB_LIST_H */
