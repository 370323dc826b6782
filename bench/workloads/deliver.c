/*
 * bench/workloads/deliver.c: takes what is handed on. Untimed, for a digest of every byte of it; timed,
 * it looks at the lengths.
 */
#include "work.h"

#include <ebb/hash.h>

bool deliver_everything;
void (*deliver_watch)(void);
static uint64_t digest;
static volatile size_t seen;

static void add(const void *bytes, size_t len)
{
    if (deliver_watch) deliver_watch();
    deliver_watch = NULL;
    digest = ebb_hash_str((ebb_str){bytes, len}, digest + len);
}

void deliver_text(ebb_str text)
{
    add(text.ptr, text.len);
}

void deliver_proposal(const uint8_t id[ID_SIZE], ebb_str name, unsigned status)
{
    seen = id[0] + name.len + status;
    if (!deliver_everything) return;
    add(id, ID_SIZE);
    deliver_text(name);
    add(&status, sizeof status);
}

void deliver_placement(const placement *p)
{
    seen = p->node.len + p->reason.len;
    if (!deliver_everything) return;
    deliver_text(p->machine);
    deliver_text(p->node);
    deliver_text(p->strategy);
    deliver_text(p->reason);
    deliver_text(p->label);
    add(&p->score, sizeof p->score);
    for (size_t i = 0; i < p->alternatives; i++) deliver_text(p->alternative[i]);
}

void deliver_frame(unsigned priority, const void *frame, size_t len, ebb_str metric)
{
    seen = priority + len + metric.len;
    if (!deliver_everything) return;
    add(&priority, sizeof priority);
    add(frame, len);
    deliver_text(metric);
}

void deliver_dropped(size_t count)
{
    seen = count;
    if (deliver_everything) add(&count, sizeof count);
}

uint64_t deliver_digest(void)
{
    uint64_t was = digest;
    digest = 0;
    return was;
}
