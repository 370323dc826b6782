/*
 * bench/workloads/print.h: names of machines, printed the same way by all who print them.
 */
#ifndef BENCH_WORKLOADS_PRINT_H
#define BENCH_WORKLOADS_PRINT_H

#include "work.h"

#include <string.h>

/* "vm-%u" of a number below 100,000,000, and a NUL, into NAME_MOST bytes, all of which may be written; the
   length. */
static inline size_t print_name(char *to, uint32_t machine)
{
    enum { HEAD = 3, DIGITS = 8 };
    char digits[2 * DIGITS] = {0};
    size_t at = DIGITS;
    do digits[--at] = (char)('0' + machine % 10);
    while (machine /= 10);
    memcpy(to, "vm-", HEAD);
    memcpy(to + HEAD, digits + at, DIGITS); /* of one size, whatever there is behind them */
    size_t len = HEAD + DIGITS - at;
    to[len] = '\0';
    return len;
}

#endif /* BENCH_WORKLOADS_PRINT_H */
