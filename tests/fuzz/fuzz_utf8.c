/*
 * tests/fuzz/fuzz_utf8.c: any bytes as UTF-8: each body finds the error that plain code finds, wherever
 * in memory the bytes lie.
 */
#include "fuzz.h"

#include "batch.h"

enum { OFFSETS = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t wanted = plain_utf8_error(data, size);
    for (size_t offset = 0; offset < OFFSETS && offset <= size; offset++) {
        char *copy = fuzz_copy(data + offset, size - offset);
        if (offset > 0) wanted = plain_utf8_error(data + offset, size - offset);
        for (BODIES(simd)) {
            FUZZ_CHECK(ebb_utf8_find_error(str_of(copy, size - offset)) == wanted);
            FUZZ_CHECK(ebb_utf8_valid(str_of(copy, size - offset)) == (wanted == size - offset));
        }
        free(copy);
    }
    return 0;
}
