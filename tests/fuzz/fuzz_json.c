/*
 * tests/fuzz/fuzz_json.c: any bytes as a JSON string: the result must be UTF-8 without anything that
 * is to be escaped, and must read back as the bytes it was made of, where those were UTF-8.
 */
#include <ebb/ebb.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) abort();                                                                         \
    } while (0)

/* The length of the character at `p`, by decoding it and encoding what that gave; 0: none. */
static size_t character_at(const uint8_t *p, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = *p < 0x80 ? 1 : *p >> 5 == 6 ? 2 : *p >> 4 == 14 ? 3 : *p >> 3 == 30 ? 4 : 0;
    if (n == 0 || n > left) return 0;
    uint32_t c = n == 1 ? *p : *p & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (p[i] >> 6 != 2) return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    bool surrogate = c >= 0xd800 && c < 0xe000;
    return c < least[n] || surrogate || c > 0x10ffff ? 0 : n;
}

static bool is_utf8(ebb_str s)
{
    for (size_t i = 0, n; i < s.len; i += n)
        if ((n = character_at((const uint8_t *)s.ptr + i, s.len - i)) == 0) return false;
    return true;
}

static char unescape(const char *p, size_t *ret_len)
{
    static const char names[] = "btnfr\"\\", letters[] = "\b\t\n\f\r\"\\";
    uint64_t value = 0;
    *ret_len = 2;
    if (p[1] != 'u') {
        const char *known = strchr(names, p[1]);
        MUST(p[1] && known);
        return letters[known - names];
    }
    *ret_len = 6;
    MUST(ebb_str_hex_to_u64((ebb_str){p + 2, 4}, &value) == EBB_OK && value < 0x20);
    return (char)value;
}

static ebb_str read_back(ebb_arena *a, ebb_str s)
{
    char *to = ebb_alloc(a, s.len + 1);
    size_t n = 0;
    for (size_t i = 0, len; i < s.len; i += len) {
        MUST((unsigned char)s.ptr[i] >= 0x20 && s.ptr[i] != '"');
        len = 1;
        to[n++] = s.ptr[i] == '\\' ? unescape(s.ptr + i, &len) : s.ptr[i];
    }
    return (ebb_str){to, n};
}

static void check(ebb_arena *a, ebb_str in, size_t before)
{
    ebb_builder b = ebb_builder_in(a);
    MUST(ebb_builder_fill(&b, ' ', before) && ebb_builder_json(&b, in));
    ebb_str out = ebb_str_slice(ebb_builder_finish(&b), before, SIZE_MAX);
    MUST(out.len >= 2 && out.ptr[0] == '"' && out.ptr[out.len - 1] == '"' && is_utf8(out));
    ebb_str back = read_back(a, ebb_str_slice(out, 1, out.len - 2));
    if (is_utf8(in)) MUST(ebb_str_equal(back, in));
    else MUST(ebb_str_find(back, EBB_STR("\xef\xbf\xbd")) != EBB_NOT_FOUND);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_str in = {(const char *)data, size};
    check(a, in, 0);
    check(a, in, size % 64); /* so that room ends at every place */
    ebb_scope_end(&a);
    return 0;
}
