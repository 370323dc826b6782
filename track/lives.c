/*
 * track/lives.c: the allocations of one arena whose end somebody wants to hear of, in the order in
 * which they were made, for trackers that look at everything.
 *
 *     newest block -> | header | life | life | ... |  -> older blocks, all full
 *
 * An arena's allocations go together, at its end or reset, or those after a mark, at a rewind: they
 * are the newest, and are told by the arena's serial. A single one goes where something grows, or
 * is given back. That is looked for among the newest, and its place left empty; what is further
 * down, or an adopted arena's, stays until the arena lets it go, as its memory does.
 *
 * Only the holder of the arena comes here. Blocks are shared by all threads, under the watchers'
 * lock; what can't be had is not kept, and so is never seen to live or to end.
 */
#include "seam.h"

#include <string.h>

enum { BLOCK = 1024, POOL = 256 << 10, SEARCHED = 4096 };

/* An arena's handle is its newest block. */
struct ebb__lives {
    ebb__lives *older; /* or the free list's link */
    uint64_t count;
    ebb__life life[];
};
typedef ebb__lives block;

enum { LIVES = (BLOCK - sizeof(block)) / sizeof(ebb__life) };

static block *free_blocks; /* this and the next two: under the lock */
static char *pool_next, *pool_end;

static block *block_from_pool(void)
{
    if (pool_next == pool_end) {
        pool_next = ebb__pages_take(POOL);
        pool_end = pool_next ? pool_next + POOL : NULL;
        if (!pool_next) return NULL;
    }
    block *b = (block *)(void *)pool_next;
    pool_next += BLOCK;
    return b;
}

static block *block_take(void)
{
    if (ebb__watchers_held()) return NULL;
    ebb__watchers_lock();
    block *b = free_blocks;
    if (b) free_blocks = b->older;
    else b = block_from_pool();
    ebb__watchers_unlock();
    return b;
}

static void block_give(block *b)
{
    if (ebb__watchers_held()) return; /* lost, rather than to wait for oneself */
    ebb__watchers_lock();
    b->older = free_blocks;
    free_blocks = b;
    ebb__watchers_unlock();
}

void ebb__lives_add(ebb__lives **lives, const ebb__event *e, uintptr_t ptr, uint32_t born)
{
    block *b = *lives;
    if (!b || b->count == LIVES) {
        block *fresh = block_take();
        if (!fresh) return;
        fresh->older = b;
        fresh->count = 0;
        *lives = b = fresh;
    }
    ebb__life *l = &b->life[b->count++];
    *l = (ebb__life){.ptr = ptr,
                     .size = e->size,
                     .birth = ebb__clock_exact_ns(),
                     .stack = e->stack,
                     .born = born,
                     .profile = (uint16_t)e->profile,
                     .lives = (uint16_t)e->lives};
    ebb__lives_tell(l, 0);
}

static void end(ebb__life *l, uint64_t death)
{
    if (l->lives) ebb__lives_tell(l, death);
    l->lives = 0;
}

void ebb__lives_end(ebb__lives **lives, uintptr_t ptr)
{
    int looks = SEARCHED;
    for (block *b = *lives; b; b = b->older) {
        for (uint64_t i = b->count; i-- > 0 && looks-- > 0;) {
            if (b->life[i].ptr != ptr) continue;
            end(&b->life[i], ebb__clock_exact_ns());
            return;
        }
        if (looks <= 0) return;
    }
}

void ebb__lives_end_after(ebb__lives **lives, uint32_t born)
{
    uint64_t now = ebb__clock_exact_ns();
    for (block *b = *lives; b; b = *lives) {
        while (b->count && b->life[b->count - 1].born > born) end(&b->life[--b->count], now);
        if (b->count) return;
        *lives = b->older;
        block_give(b);
    }
}
