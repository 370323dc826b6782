/*
 * track/frames.c: see frames.h. The table is never more than half full.
 */
#include "frames.h"

#include <string.h>

enum { FIRST_SLOTS = 1 << 11, FIRST_FRAMES = 1 << 11, MOST = 32 /* frames of an address */ };

const void *const *ebb__site_stack(const ebb_site *s, uint32_t *ret_depth)
{
    bool has_one = s->depth && s->stack;
    *ret_depth = has_one ? s->depth : 1;
    return has_one ? s->stack : (const void *const *)&s->address;
}

/* ---- the table ------------------------------------------------------------------------------- */

/* Fibonacci hashing (Knuth, TAOCP 3, 6.4). */
static ebb__place *slot_of(ebb__place *slot, size_t slots, const void *address)
{
    uint64_t hash = (uint64_t)(uintptr_t)address * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = (size_t)(hash >> 32);; i++) {
        ebb__place *p = &slot[i & (slots - 1)];
        if (!p->address || p->address == address) return p;
    }
}

static bool grow_slots(ebb__frames *f)
{
    size_t slots = f->slots ? 2 * f->slots : FIRST_SLOTS;
    ebb__place *to = ebb__pages_take(slots * sizeof *to);
    if (!to) return false;
    for (size_t i = 0; i < f->slots; i++)
        if (f->slot[i].address) *slot_of(to, slots, f->slot[i].address) = f->slot[i];
    if (f->slot) ebb__pages_give(f->slot, f->slots * sizeof *to);
    f->slot = to;
    f->slots = slots;
    return true;
}

static bool grow_frames(ebb__frames *f)
{
    size_t room = f->room ? 2 * f->room : FIRST_FRAMES;
    ebb__named *to = ebb__pages_take(room * sizeof *to);
    if (!to) return false;
    if (f->count) memcpy(to, f->frame, f->count * sizeof *to);
    if (f->frame) ebb__pages_give(f->frame, f->room * sizeof *to);
    f->frame = to;
    f->room = room;
    return true;
}

void ebb__frames_free(ebb__frames *f)
{
    if (f->slot) ebb__pages_give(f->slot, f->slots * sizeof *f->slot);
    if (f->frame) ebb__pages_give(f->frame, f->room * sizeof *f->frame);
    memset(f, 0, sizeof *f);
}

/* ---- looking up ------------------------------------------------------------------------------ */

/* What is not known is one frame without a name. */
static uint32_t put_frames(ebb__named *to, const void *address, bool innermost)
{
    ebb__frame found[MOST];
    int n = ebb__symbol_frames(address, found, MOST), first = 0;
    if (n <= 0) {
        *to = (ebb__named){{NULL, NULL, 0}, address};
        return 1;
    }
    while (innermost && first + 1 < n && ebb__frame_is_ours(&found[first])) first++;
    for (int i = first; i < n; i++) to[i - first] = (ebb__named){found[i], address};
    return (uint32_t)(n - first);
}

static bool make_room(ebb__frames *f)
{
    if (2 * ((size_t)f->places + 1) > f->slots && !grow_slots(f)) return false;
    return (size_t)f->count + MOST <= f->room || grow_frames(f);
}

static void look_up(ebb__frames *f, const void *address, bool innermost)
{
    if (f->failed || !address || ebb__frames_find(f, address)) return;
    if (!make_room(f)) {
        f->failed = true;
        return;
    }
    ebb__place *p = slot_of(f->slot, f->slots, address);
    *p = (ebb__place){address, f->places++, f->count, 0};
    p->count = put_frames(f->frame + f->count, address, innermost);
    f->count += p->count;
}

/* First the innermost of all, so that what is left out there is left out wherever they are. */
void ebb__frames_init(ebb__frames *f, const ebb_report *r)
{
    memset(f, 0, sizeof *f);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < r->site_count; i++) {
            uint32_t depth;
            const void *const *stack = ebb__site_stack(&r->site[i], &depth);
            for (uint32_t k = 0; k < (pass ? depth : 1); k++) look_up(f, stack[k], k == 0);
        }
    }
}

const ebb__place *ebb__frames_find(const ebb__frames *f, const void *address)
{
    if (!f->slots || !address) return NULL;
    const ebb__place *p = slot_of(f->slot, f->slots, address);
    return p->address ? p : NULL;
}
