/*
 * tests/fuzz/fuzz_report.c: any bytes as the name of a tracker and of a kind of scope: JSON must be
 * JSON, UTF-8 and harmless in HTML, and read back as the name; a line of folded stacks must stay
 * one.
 */
#include "fuzz.h"

#include <ebb/ebb.h>
#include <ebb/track.h>

/* ---- JSON, as its grammar has it --------------------------------------------------------------- */

typedef struct reader {
    const char *at;
    char *text; /* of the last string */
    size_t len;
} reader;

static void put(reader *r, uint32_t c)
{
    if (c >= 0x800) {
        r->text[r->len++] = (char)(0xe0 | c >> 12);
        r->text[r->len++] = (char)(0x80 | (c >> 6 & 0x3f));
        c = 0x80 | (c & 0x3f);
    } else if (c >= 0x80) {
        r->text[r->len++] = (char)(0xc0 | c >> 6);
        c = 0x80 | (c & 0x3f);
    }
    r->text[r->len++] = (char)c;
}

static uint32_t escaped(reader *r)
{
    static const char names[] = "bfnrt\"\\/", values[] = "\b\f\n\r\t\"\\/";
    uint64_t code = 0;
    char c = *r->at++;
    if (c != 'u') {
        const char *known = c ? strchr(names, c) : NULL;
        FUZZ_CHECK(known != NULL);
        return (unsigned char)values[known - names];
    }
    FUZZ_CHECK(ebb_str_hex_to_u64((ebb_str){r->at, 4}, &code) == EBB_OK);
    r->at += 4;
    return (uint32_t)code;
}

static void string(reader *r)
{
    FUZZ_CHECK(*r->at == '"');
    r->len = 0;
    for (r->at++; *r->at != '"';) {
        unsigned char c = (unsigned char)*r->at++;
        FUZZ_CHECK(c >= ' ' && c != '<' && c != 0x7f);
        if (c == '\\') put(r, escaped(r));
        else r->text[r->len++] = (char)c;
    }
    r->at++;
}

static void value(reader *r);

static void list(reader *r, char end)
{
    if (*++r->at != end) {
        for (;; r->at++) {
            if (end == '}') {
                string(r);
                FUZZ_CHECK(*r->at++ == ':');
            }
            value(r);
            if (*r->at != ',') break;
        }
    }
    FUZZ_CHECK(*r->at++ == end);
}

static void value(reader *r)
{
    size_t digits = strspn(r->at, "-.0123456789");
    size_t letters = strspn(r->at, "aeflnrstu");
    if (*r->at == '{' || *r->at == '[') list(r, *r->at == '{' ? '}' : ']');
    else if (*r->at == '"') string(r);
    else if (digits) r->at += digits;
    else {
        FUZZ_CHECK(letters == 4 || letters == 5);
        r->at += letters;
    }
}

/* ---- the formats ------------------------------------------------------------------------------- */

static void check_json(ebb_str s, ebb_str name, ebb_arena *a)
{
    static const char before[] = "{\"ebb\":1,\"name\":";
    reader r = {s.ptr, ebb_alloc(a, s.len + 1), 0};
    FUZZ_CHECK(r.text && ebb_utf8_valid(s));
    value(&r);
    FUZZ_CHECK(*r.at == '\n' && r.at + 1 == s.ptr + s.len);
    FUZZ_CHECK(memcmp(s.ptr, before, sizeof before - 1) == 0);
    r.at = s.ptr + sizeof before - 1;
    string(&r);
    ebb_str back = {r.text, r.len};
    if (ebb_utf8_valid(name)) FUZZ_CHECK(ebb_str_equal(back, name));
    else FUZZ_CHECK(ebb_str_find(back, EBB_STR("\xef\xbf\xbd")) != EBB_NOT_FOUND);
}

static void check_folded(ebb_str s)
{
    static const char end[] = " 123\n";
    size_t n = sizeof end - 1;
    FUZZ_CHECK(ebb_utf8_valid(s) && s.len > n);
    FUZZ_CHECK(memcmp(s.ptr + s.len - n, end, n) == 0);
    for (size_t i = 0; i + 1 < s.len; i++)
        FUZZ_CHECK((unsigned char)s.ptr[i] >= ' ' && s.ptr[i] != ';' && s.ptr[i] != 0x7f);
    FUZZ_CHECK(ebb_str_find(s, EBB_STR("\xe2\x80\xa8")) == EBB_NOT_FOUND);
    FUZZ_CHECK(ebb_str_find(s, EBB_STR("\xe2\x80\xa9")) == EBB_NOT_FOUND);
}

static void check_page(ebb_str s)
{
    const char *end = strstr(s.ptr, "</script>");
    size_t scripts = 0, ends = 0;
    FUZZ_CHECK(end != NULL);
    for (const char *at = s.ptr; (at = strstr(at, "<script")) != NULL; at++) scripts++;
    for (const char *at = s.ptr; (at = strstr(at, "</script")) != NULL; at++) ends++;
    FUZZ_CHECK(scripts == ends);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    char *name = ebb_strndup(a, (const char *)data, size);
    FUZZ_CHECK(name != NULL);
    ebb_site site = {.bytes = 123};
    ebb_report_kind kind = {.name = name};
    ebb_report r = {.name = name, .site_count = 1, .kind_count = 1, .site = &site, .kind = &kind};
    check_json(ebb_report_format(&r, EBB_FORMAT_JSON, a, NULL), ebb_str_from(name), a);
    check_folded(ebb_report_format(&r, EBB_FORMAT_FOLDED, a, NULL));
    check_page(ebb_report_format(&r, EBB_FORMAT_HTML, a, NULL));
    ebb_scope_end(&a);
    return 0;
}
