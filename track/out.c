/*
 * track/out.c: see out.h. The pages double, so that each byte is copied about once.
 */
#include "out.h"

#include "seam.h"
#include "seam_process.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FIRST = 64 << 10, REPLACEMENT = 0xfffd };

/* ---- room ------------------------------------------------------------------------------------ */

void ebb__out_free(ebb__out *o)
{
    if (o->ptr) ebb__pages_give(o->ptr, o->size);
    o->ptr = NULL;
    o->len = o->size = 0;
}

static bool grow(ebb__out *o, size_t more)
{
    size_t size = o->size ? o->size : FIRST;
    while (size - o->len <= more && size <= SIZE_MAX / 4) size *= 2;
    char *to = size - o->len > more ? ebb__pages_take(size) : NULL;
    if (!to) return false;
    if (o->len) memcpy(to, o->ptr, o->len);
    if (o->ptr) ebb__pages_give(o->ptr, o->size);
    o->ptr = to;
    o->size = size;
    return true;
}

void ebb__out_bytes(ebb__out *o, const void *bytes, size_t size)
{
    if (o->failed || size == 0) return;
    if (o->size - o->len <= size && !grow(o, size)) {
        o->failed = true;
        return;
    }
    memcpy(o->ptr + o->len, bytes, size);
    o->len += size;
}

/* ---- text ------------------------------------------------------------------------------------ */

void ebb__out_text(ebb__out *o, const char *text)
{
    ebb__out_bytes(o, text, strlen(text));
}

void ebb__out_number(ebb__out *o, unsigned long long n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", n);
    ebb__out_bytes(o, digits, (size_t)len);
}

void ebb__out_printf(ebb__out *o, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (len < 0) len = 0;
    ebb__out_bytes(o, text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
}

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

/* How many bytes a character has that begins with `first`; 0: none does. */
static size_t length_by(unsigned char first)
{
    if (first < 0x80) return 1;
    if (first < 0xc2)
        return 0; /* a byte from a character's midst, or the start of an overlong one */
    if (first < 0xe0) return 2;
    if (first < 0xf0) return 3;
    return first < 0xf5 ? 4 : 0;
}

static bool is_character(uint32_t c, size_t length)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    return c >= least[length] && c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
}

bool ebb__char_steers(uint32_t c)
{
    bool controls = c < ' ' || (c >= 0x7f && c < 0xa0);
    bool turns = (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e ||
                 c == 0x200f || c == 0x061c;
    return controls || turns || c == 0x2028 || c == 0x2029;
}

uint32_t ebb__utf8_next(const char **at, const char *end)
{
    const unsigned char *p = (const unsigned char *)*at;
    size_t n = length_by(*p), left = (size_t)(end - *at);
    ++*at;
    if (n == 1) return *p;
    if (n == 0 || n > left) return REPLACEMENT;
    uint32_t c = *p & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (p[i] >> 6 != 2) return REPLACEMENT;
        c = c << 6 | (p[i] & 0x3fu);
    }
    if (!is_character(c, n)) return REPLACEMENT;
    *at += n - 1;
    return c;
}

void ebb__out_char(ebb__out *o, uint32_t c)
{
    static const unsigned char mark[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    char bytes[4];
    for (size_t i = n - 1; i > 0; i--, c >>= 6) bytes[i] = (char)(0x80 | (c & 0x3f));
    bytes[0] = (char)(mark[n] | c);
    ebb__out_bytes(o, bytes, n);
}

void ebb__out_utf8(ebb__out *o, const char *bytes, size_t size)
{
    const char *at = bytes, *end = bytes + size;
    while (at < end) ebb__out_char(o, ebb__utf8_next(&at, end));
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* '<' would end a <script>, or hide its end; the separators end a line of JavaScript; and control
   characters, those of 8 bits included, would steer the terminal of who looks at the file. */
static bool is_escaped(uint32_t c)
{
    return c < ' ' || c == '<' || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

static void put_json_char(ebb__out *o, uint32_t c)
{
    if (c == '"' || c == '\\') ebb__out_printf(o, "\\%c", (int)c);
    else if (c == '\n') ebb__out_text(o, "\\n");
    else if (c == '\t') ebb__out_text(o, "\\t");
    else if (is_escaped(c)) ebb__out_printf(o, "\\u%04x", (unsigned)c);
    else ebb__out_char(o, c);
}

void ebb__out_json(ebb__out *o, const char *bytes, size_t size)
{
    const char *at = bytes, *end = bytes + size;
    ebb__out_text(o, "\"");
    while (at < end) put_json_char(o, ebb__utf8_next(&at, end));
    ebb__out_text(o, "\"");
}

/* ---- the end --------------------------------------------------------------------------------- */

ebb_str ebb__out_finish(ebb__out *o, ebb_arena *into)
{
    ebb_str all = {NULL, 0};
    char *to = o->failed ? NULL : ebb_alloc_optional(into, o->len + 1);
    if (to) {
        if (o->len) memcpy(to, o->ptr, o->len);
        to[o->len] = '\0';
        all.ptr = to;
        all.len = o->len;
    }
    ebb__out_free(o);
    return all;
}

static ebb_status save(const ebb__out *o, const char *path)
{
    ebb__file f;
    if (o->failed) return EBB_E_MEMORY;
    if (!ebb__file_begin(&f, path)) return EBB_E_IO;
    bool good = !o->len || fwrite(o->ptr, 1, o->len, f.to) == o->len;
    return ebb__file_end(&f, good) ? EBB_OK : EBB_E_IO;
}

ebb_status ebb__out_save(ebb__out *o, const char *path)
{
    ebb_status status = save(o, path);
    int why = errno;
    ebb__out_free(o);
    errno = why;
    return status;
}
