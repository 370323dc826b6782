/*
 * bench/workloads/layers_messages.c: what is to be sent is grouped first; then frames are written one behind
 * the other into a buffer of the process's pool, room for which is made once, and each body is copied once.
 * Tags and metrics are words.
 */
#include "frame.h"
#include "layers.h"

#define EBB_VEC group, const message_in *
#include <ebb/vec_of.h>

typedef struct groups {
    group of[PRIORITIES];
    size_t bytes, dropped;
} groups;

static groups grouped(ebb_arena *a, const input *in)
{
    groups g = {.bytes = 0};
    for (size_t p = 0; p < PRIORITIES; p++) {
        g.of[p] = group_in(a);
        group_reserve_headroom(&g.of[p], MESSAGES / PRIORITIES);
    }
    for (size_t i = 0; i < MESSAGES; i++) {
        const message_in *m = &in->messages[i];
        if (m->age > AGE_MOST || m->len > MESSAGE_MOST) {
            g.dropped++;
            continue;
        }
        group_push(&g.of[m->priority], m);
        g.bytes += FRAME_HEAD + m->len;
    }
    return g;
}

static void send(ebb_buf *b, unsigned priority, const group *of)
{
    ebb_str metric = ebb_sym_str(layers_names, W_METRIC_LOW + priority);
    for (size_t i = 0; i < of->len; i++) {
        const message_in *m = of->ptr[i];
        char *to = b->ptr + b->len;
        put_head((uint8_t *)to, m);
        memcpy(to + FRAME_HEAD, m->body, m->len);
        b->len += FRAME_HEAD + m->len;
        deliver_frame(priority, to, FRAME_HEAD + m->len, metric);
    }
}

void layers_messages(const input *in, bool faithful)
{
    static ebb_profile profile = EBB_PROFILE("messages, all layers");
    (void)faithful;
    EBB_SCOPE(a, &profile);
    groups g = grouped(a, in);
    ebb_buf *b = ebb_bufpool_large(a, NULL);
    if (!b || !ebb_buf_reserve(b, g.bytes) || ebb_failed(a))
        layers_fail("no memory for a batch of messages");
    for (unsigned p = PRIORITIES; p-- > 0;) send(b, p, &g.of[p]);
    deliver_dropped(g.dropped);
}
