/*
 * bench/workloads/frame.h: the head of a frame, written the same way by all.
 *
 *     | version | type | length, big-endian 4 | id 16 | 0 0 |
 */
#ifndef BENCH_WORKLOADS_FRAME_H
#define BENCH_WORKLOADS_FRAME_H

#include "work.h"

#include <string.h>

static inline void put_head(uint8_t *to, const message_in *in)
{
    enum { VERSION = 1, AT_LENGTH = 2, AT_ID = 6, AT_END = 22 };
    to[0] = VERSION;
    to[1] = in->type;
    for (int i = 0; i < 4; i++)
        to[AT_LENGTH + i] = (uint8_t)(in->len >> (24 - 8 * i)); /* one bswap */
    memcpy(to + AT_ID, in->id, ID_SIZE);
    memset(to + AT_END, 0, FRAME_HEAD - AT_END);
}

#endif /* BENCH_WORKLOADS_FRAME_H */
