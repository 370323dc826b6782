/*
 * track/out.h: text and bytes that are written piece by piece, of a length nobody knows before.
 * They lie in pages of the system's: an arena that is watched must not be allocated from, and is
 * asked once, at the end. What can't be had makes the rest of the writing do nothing; the end
 * tells.
 */
#ifndef EBB_TRACK_OUT_H
#define EBB_TRACK_OUT_H

#include <ebb/arena.h>
#include <ebb/base.h>
#include <ebb/str.h>

typedef struct ebb__out {
    char *ptr;
    size_t len, size;
    bool failed; /* no memory */
} ebb__out;

void ebb__out_bytes(ebb__out *o, const void *bytes, size_t size);
void ebb__out_text(ebb__out *o, const char *text);
void ebb__out_number(ebb__out *o, unsigned long long n);
void ebb__out_printf(ebb__out *o, const char *fmt, ...) EBB_PRINTF(2, 3); /* 511 bytes at most */

/* Whether a character would steer who shows it: a control, or what turns or ends a line. */
bool ebb__char_steers(uint32_t c);
/* The next character from *@at on, which is before @end; what is no UTF-8 is U+FFFD, byte by byte:
   overlong forms and surrogates are none. */
uint32_t ebb__utf8_next(const char **at, const char *end);
/* A character as UTF-8. */
void ebb__out_char(ebb__out *o, uint32_t c);
/* Bytes as UTF-8: what is none becomes U+FFFD. */
void ebb__out_utf8(ebb__out *o, const char *bytes, size_t size);
/* A JSON string with its quotes. Safe in HTML's <script>, too: no '<' is in it. What is no UTF-8
   becomes U+FFFD. */
void ebb__out_json(ebb__out *o, const char *bytes, size_t size);

/* All of it in @into, a NUL behind it; the pages are gone. {NULL, 0}: no memory. */
ebb_str ebb__out_finish(ebb__out *o, ebb_arena *into);
/* All of it in the file @path, whole or not at all; the pages are gone. EBB_E_MEMORY, or EBB_E_IO:
   errno says why. */
ebb_status ebb__out_save(ebb__out *o, const char *path);
void ebb__out_free(ebb__out *o);

#endif /* EBB_TRACK_OUT_H */
