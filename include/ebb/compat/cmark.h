/*
 * ebb/compat/cmark.h: cmark allocating from the thread's current scope.
 *
 *     EBB_ENTER(a);                                                 // in a handler
 *     cmark_parser *p = cmark_parser_new_with_mem(options, ebb_cmark_mem());
 *     cmark_parser_feed(p, text, size);
 *     cmark_node *doc = cmark_parser_finish(p);
 *     char *html = cmark_render_html(doc, options);                 // in a, as all of it
 *     if (ebb_failed(a)) {                                          // there was not enough
 *         ebb_cmark_mem()->free(html);                              // before the scope ends
 *         cmark_node_free(doc);
 *         cmark_parser_free(p);
 *         ...
 *     }
 *
 * As long as the scope has not failed nothing needs to be freed: the tree, and what was rendered,
 * go with it. cmark_parser_free and cmark_node_free are allowed. Strings that cmark renders lie in
 * the scope too: give them to this allocator's free, or to nobody, never to free itself.
 *
 * Failure. cmark has no way to be refused memory: it writes to what its allocator returns, and its
 * own allocators abort the process. So when the scope can give no more, it has failed (ebb_failed),
 * and what cmark asks for from then on is the heap's, which lets it come to its end. The document
 * is then whole but not to be used: who asked for it is told that it was too large. Only in that
 * case must the parser, the tree and what was rendered be freed by hand, while the scope is there,
 * or the heap's part is lost. Ask ebb_failed before ebb_recover, and before anything in an ebb_try
 * that may jump. A limit is passed by what the document still needs, so bound the length of the
 * text as well: a byte of it costs some 30 bytes; of the worst text that was found, 280.
 *
 * Where even the heap has no memory there is nothing that cmark could be given. Then, and only
 * then, this leaves across cmark's frames by ebb_raise(current scope, EBB_E_MEMORY): cmark has no
 * locks and no state besides its memory, of which the heap's part is then lost. Without an ebb_try
 * around it, that is misuse, which ends the process as cmark itself would have. (cmark also
 * ends it where one of its buffers passes 1 GiB, whatever the allocator; texts below 128 MiB can't
 * come to that.)
 */
#ifndef EBB_COMPAT_CMARK_H
#define EBB_COMPAT_CMARK_H

#include <cmark.h>
#include <stdlib.h>
#include <string.h>

#include "../arena.h"
#include "../scope.h"
#include "malloc.h"

/* Before each block one word: how many bytes it has with this, and whether they are the heap's.
   What cmark keeps in blocks is pointers and integers, which need no more alignment than that. */
typedef size_t ebb__cmark_head;
#define EBB__CMARK_HEAP (~(SIZE_MAX >> 1))

/* What is larger is used again when it is freed: texts that grew. Of the rest, nodes and such,
   there are many, and most live as long as the document. */
#define EBB__CMARK_LARGE 256

/* The scope can give no more, or there is none. */
static inline ebb__cmark_head *ebb__cmark_outside(ebb_arena *a, size_t size)
{
    void *p = a ? ebb_hook_malloc(size) : NULL; /* so that it has failed, if it has no more */
    size_t heap = p ? 0 : EBB__CMARK_HEAP;
    if (!p) p = malloc(size);
    if (!p && a) ebb_raise(a, EBB_E_MEMORY);
    if (!p) abort();
    *(ebb__cmark_head *)p = size | heap;
    return (ebb__cmark_head *)p;
}

static inline void *ebb__cmark_make(size_t size)
{
    ebb_arena *a = ebb_scope_current();
    size_t whole = size + sizeof(ebb__cmark_head);
    void *p = NULL;
    if (whole < size) whole = PTRDIFF_MAX;
    if (a && whole < EBB__CMARK_LARGE) p = ebb__bump(a, whole, sizeof(ebb__cmark_head));
    if (a && !p) p = ebb_hook_sized(a, NULL, 0, whole);
    if (!EBB_LIKELY(p != NULL)) return ebb__cmark_outside(a, whole) + 1;
    *(ebb__cmark_head *)p = whole;
    return (ebb__cmark_head *)p + 1;
}

static inline void *ebb__cmark_calloc(size_t count, size_t size)
{
    size_t bytes = size && count > SIZE_MAX / size ? SIZE_MAX : count * size;
    return memset(ebb__cmark_make(bytes), 0, bytes);
}

/* Another scope than the current one may be another thread's: its blocks wait for its end. */
static inline void ebb__cmark_free(void *ptr)
{
    if (!ptr) return;
    ebb__cmark_head *head = (ebb__cmark_head *)ptr - 1;
    ebb_arena *a = NULL;
    if (*head & EBB__CMARK_HEAP) {
        free(head);
    } else if (*head >= EBB__CMARK_LARGE) {
        a = ebb_arena_of(head);
        if (a && a == ebb_scope_current()) ebb_hook_sized(a, head, *head, 0);
    }
}

static inline void *ebb__cmark_realloc(void *ptr, size_t size)
{
    size_t old = ptr ? (((ebb__cmark_head *)ptr)[-1] & ~EBB__CMARK_HEAP) - sizeof(size_t) : 0;
    void *to = ebb__cmark_make(size);
    if (ptr) memcpy(to, ptr, old < size ? old : size);
    ebb__cmark_free(ptr);
    return to;
}

/**
 * Return the allocator for cmark_parser_new_with_mem and cmark_node_new_with_mem. Static; each
 * source file that includes this has its own, and cmark puts no node of one below a node of
 * another.
 * Lifetime: each block is in the scope that is current when it is asked for, a larger one in place
 * of it, too; where none is current it is the heap's, to be freed. What it allocates never fails;
 * see above for what is done instead. Threads: any; a document is of who holds its scope.
 */
static inline cmark_mem *ebb_cmark_mem(void)
{
    static cmark_mem ebb__cmark_mem = {ebb__cmark_calloc, ebb__cmark_realloc, ebb__cmark_free};
    return &ebb__cmark_mem;
}

#endif /* EBB_COMPAT_CMARK_H */
