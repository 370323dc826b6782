/*
 * ebb/cow.h: a string that is borrowed until it is written to, and then copied into an arena.
 *
 * For what is mostly passed on as it came and now and then changed: a header value, a path to be
 * normalised, a line to be redacted. The first write copies; later ones go to the copy. Not for
 * growing piece by piece: that is builder.h.
 *
 * A plain struct, of the arena's thread (Handoff, with its arena); it owns nothing to be freed. A
 * copy of the struct shares the bytes: after one of the two has been written to, use that one only.
 * A rewind takes the copy away, if that was made after the mark; begin again then.
 */
#ifndef EBB_COW_H
#define EBB_COW_H

#include "str.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A string, borrowed or its own. `str` is for reading; valid until the next write. */
typedef struct ebb_cow {
    ebb_str str;
    size_t ebb__cap; /* bytes of the copy, its NUL included; 0: borrowed */
    ebb_arena *arena;
} ebb_cow;

/** Begin with @s, kept until the first write. Allocates nothing. Keeps @a. */
static inline ebb_cow ebb_cow_of(ebb_arena *a, ebb_str s)
{
    ebb_cow c = {s, 0, a};
    return c;
}

/** Return whether nothing has been written: `str` still shows the bytes it began with. */
static inline bool ebb_cow_is_borrowed(const ebb_cow *c)
{
    return c->ebb__cap == 0;
}

/*
 * Rules of the family: what is put in is borrowed until return, and may be a piece of the string
 * itself. Once copied, the string is NUL-terminated; the copy is in scope.
 * Fails: false or NULL, as ebb_alloc, or by a jump inside ebb_try; the string is then unchanged.
 * Threads: the holder of the arena.
 */

/** Return the bytes for writing, `str.len` of them, copying first if they are borrowed. Not NULL,
    but on failure. */
EBB_API char *ebb_cow_write(ebb_cow *c);

/** Put @with in the place of the @len bytes at @from; both are cut to what there is. Does not copy
    where that changes nothing. Cost: O(length). */
EBB_API bool ebb_cow_replace(ebb_cow *c, size_t from, size_t len, ebb_str with);

/** Put @with in the place of every occurrence of @what, found from left to right. Does not copy
    where there is none; an empty @what has none. Cost: O(length), one allocation. */
EBB_API bool ebb_cow_replace_all(ebb_cow *c, ebb_str what, ebb_str with);

/** Append @s. Cost: amortised O(its length) once copied. */
EBB_API bool ebb_cow_append(ebb_cow *c, ebb_str s);

/** Make A-Z to a-z. Does not copy where there is none. */
EBB_API bool ebb_cow_lower(ebb_cow *c);

/** Return the string NUL-terminated, copying if it is borrowed. NULL: failure. */
EBB_API const char *ebb_cow_text(ebb_cow *c);

#ifdef __cplusplus
}
#endif
#endif /* EBB_COW_H */
