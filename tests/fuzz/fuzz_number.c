/*
 * tests/fuzz/fuzz_number.c: any bytes as numbers: what is read must be what the C library reads, and
 * what is written must read back.
 */
#include <ebb/ebb.h>

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) abort();                                                                         \
    } while (0)

static uint64_t bits_of(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

/* strtod takes more than Ebb does: space before it, hexadecimal, nan(...). */
static bool is_for_both(const char *text, size_t len)
{
    return strlen(text) == len && len > 0 && !isspace((unsigned char)*text) &&
           !strpbrk(text, "xX(");
}

static void read_double(ebb_str s, const char *text)
{
    char *end = NULL;
    double mine = 77, theirs = strtod(text, &end);
    ebb_status rc = ebb_str_to_double(s, &mine);
    MUST(rc == EBB_OK || bits_of(mine) == bits_of(77));
    if (!is_for_both(text, s.len)) return;
    if (end != text + s.len) MUST(rc == EBB_E_SYNTAX);
    else if (isinf(theirs) && rc != EBB_OK) MUST(rc == EBB_E_RANGE && !strpbrk(text, "fF"));
    else if (isnan(theirs)) MUST(rc == EBB_OK && isnan(mine));
    else MUST(rc == EBB_OK && bits_of(mine) == bits_of(theirs));
}

static void read_integers(ebb_str s, const char *text)
{
    char *end = NULL;
    int64_t mine = 77;
    ebb_status rc = ebb_str_to_i64(s, &mine);
    MUST(rc == EBB_OK || mine == 77);
    if (!is_for_both(text, s.len)) return;
    errno = 0;
    long long theirs = strtoll(text, &end, 10);
    if (end != text + s.len) MUST(rc == EBB_E_SYNTAX);
    else if (errno == ERANGE) MUST(rc == EBB_E_RANGE);
    else MUST(rc == EBB_OK && mine == theirs);
}

static void write_double(ebb_arena *a, double d)
{
    double back = 0;
    ebb_builder b = ebb_builder_in(a);
    MUST(ebb_builder_double(&b, d));
    ebb_str s = ebb_builder_finish(&b);
    MUST(ebb_str_to_double(s, &back) == EBB_OK);
    MUST(isnan(d) ? isnan(back) : bits_of(back) == bits_of(d));
    MUST(isnan(d) || bits_of(strtod(s.ptr, NULL)) == bits_of(d));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ebb_arena *a = ebb_scope_begin(NULL);
    ebb_str s = ebb_str_dup(a, (ebb_str){(const char *)data, size});
    uint64_t u = 0;
    int64_t i = 0;
    double d = 0;
    read_double(s, s.ptr);
    read_integers(s, s.ptr);
    if (ebb_str_hex_to_u64(s, &u) == EBB_OK && u <= INT64_MAX) MUST(!ebb_str_hex_to_i64(s, &i));
    if (size >= sizeof d) {
        memcpy(&d, data, sizeof d);
        write_double(a, d);
    }
    ebb_scope_end(&a);
    return 0;
}
