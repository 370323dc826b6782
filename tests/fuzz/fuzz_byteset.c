/*
 * tests/fuzz/fuzz_byteset.c: any text and any set of bytes: each body finds the byte that plain code
 * finds. The first byte of the input says how long the set is that follows; the rest is the text.
 */
#include "fuzz.h"

#include "batch.h"

static size_t plain_find(const uint8_t *set, size_t set_size, const uint8_t *p, size_t n, bool in)
{
    size_t i = 0;
    while (i < n && (set_size && memchr(set, p[i], set_size)) != in) i++;
    return i;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    size_t set_size = data[0] < size - 1 ? data[0] : size - 1, n = size - 1 - set_size;
    const uint8_t *bytes = data + 1, *text = bytes + set_size;
    ebb_byteset set = ebb_byteset_of(str_of(bytes, set_size)), rest = ebb_byteset_invert(&set);
    char *copy = fuzz_copy(text, n);
    for (BODIES(simd)) {
        FUZZ_CHECK(ebb_byteset_find(&set, str_of(copy, n)) ==
                   plain_find(bytes, set_size, text, n, true));
        FUZZ_CHECK(ebb_byteset_find(&rest, str_of(copy, n)) ==
                   plain_find(bytes, set_size, text, n, false));
    }
    free(copy);
    return 0;
}
