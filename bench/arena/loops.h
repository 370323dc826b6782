/*
 * bench/arena/loops.h: the workloads, as a template. No include guard: each contestant's file includes it
 * once, after defining
 *
 *     peer            its state for one thread, with a member `peer_handle *live`
 *     peer_handle     one request: small, copied freely
 *     peer_open       fill a zeroed peer for workload w
 *     peer_close      undo that
 *     peer_begin      begin the request that uses slot s
 *     peer_alloc      allocate; the handle may change, so its address is given
 *     peer_end        end it, from whatever thread
 *     peer_grow       as realloc, with the old size     (PEER_OWN_W8: defines run_w8 instead)
 *     PEER_SETTLE     operations until it has learned what it learns (optional)
 *
 * and after it PEER_TABLE. C11 and C++17.
 *
 * What a block is touched with is an `unsigned`: it aliases none of the pointers and size_t that arenas
 * keep their state in, so every inline path may keep its state in registers as far as it can.
 */
static inline void touch(void *block)
{
    *(unsigned *)block = 1;
    __asm__ volatile("" : : "r"(block));
}

static inline void touch_all(peer_handle *h, const uint32_t *sizes, size_t count)
{
    for (size_t i = 0; i < count; i++) touch(peer_alloc(h, sizes[i]));
}

BENCH_NOINLINE static void run_w1(void *state, size_t ops)
{
    peer *p = (peer *)state;
    for (size_t op = 0; op < ops; op++) {
        peer_handle h = peer_begin(p, 0);
        for (unsigned i = 0; i < W1_BLOCKS; i++) touch(peer_alloc(&h, W1_SIZE));
        peer_end(p, h);
    }
}

BENCH_NOINLINE static void run_w2(void *state, size_t ops)
{
    peer *p = (peer *)state;
    for (size_t op = 0; op < ops; op++) {
        peer_handle h = peer_begin(p, 0);
        touch_all(&h, inputs.requests[op % W2_REQUESTS], W2_BLOCKS);
        peer_end(p, h);
    }
}

BENCH_NOINLINE static void run_w3(void *state, size_t ops)
{
    peer *p = (peer *)state;
    for (size_t op = 0; op < ops; op++) {
        peer_handle h = peer_begin(p, 0);
        for (unsigned i = 0; i < W3_BLOCKS; i++) touch(peer_alloc(&h, W3_SIZE));
        peer_end(p, h);
    }
}

BENCH_NOINLINE static void run_w4(void *state, size_t ops)
{
    peer *p = (peer *)state;
    for (size_t op = 0; op < ops; op++) {
        peer_handle h = peer_begin(p, 0);
        touch_all(&h, inputs.unit, W4_BLOCKS);
        peer_end(p, h);
    }
}

#ifndef PEER_OWN_W8
BENCH_NOINLINE static char *grow_string(peer_handle *h, char *s, size_t *cap)
{
    size_t wider = *cap ? *cap * 2 : W8_FIRST;
    s = (char *)peer_grow(h, s, *cap, wider);
    *cap = wider;
    return s;
}

BENCH_NOINLINE static void run_w8(void *state, size_t ops)
{
    peer *p = (peer *)state;
    for (size_t op = 0; op < ops; op++) {
        peer_handle h = peer_begin(p, 0);
        char *s = NULL;
        size_t cap = 0;
        for (size_t len = 0; len < W8_BYTES; len++) {
            if (len == cap) s = grow_string(&h, s, &cap);
            s[len] = inputs.text[len];
        }
        __asm__ volatile("" : : "r"(s) : "memory");
        peer_end(p, h);
    }
}
#endif

static inline void make_slot(void *state, size_t slot, const uint32_t *sizes, size_t count)
{
    peer *p = (peer *)state;
    peer_handle h = peer_begin(p, slot);
    touch_all(&h, sizes, count);
    p->live[slot] = h;
}

static inline void fill_slot(void *state, size_t slot, const uint32_t *sizes, size_t count)
{
    peer *p = (peer *)state;
    peer_handle h = peer_begin(p, slot);
    for (size_t i = 0; i < count; i++) memset(peer_alloc(&h, sizes[i]), (int)i, sizes[i]);
    p->live[slot] = h;
}

static inline void end_slot(void *state, size_t slot)
{
    peer *p = (peer *)state;
    peer_end(p, p->live[slot]);
}

static void *open_peer(workload w, size_t slots)
{
    peer *p = (peer *)bench_need(sizeof *p);
    p->live = (peer_handle *)bench_need(slots * sizeof *p->live);
    memset((void *)p->live, 1, slots * sizeof *p->live); /* resident before anything is weighed */
    peer_open(p, w, slots);
    return p;
}

static void close_peer(void *state)
{
    peer *p = (peer *)state;
    peer_close(p);
    free(p->live);
    free(p);
}

#define PEER_SLOTS_ALL      make_slot, end_slot, fill_slot
#define PEER_SLOTS_CONFINED NULL, NULL, fill_slot
#define PEER_SLOTS_KEPT     NULL, NULL, NULL

#ifndef PEER_SETTLE
#define PEER_SETTLE 0
#endif

/* PEER_TABLE(id, name, missing, w8, slots, version, mallocs_unseen) */
#define PEER_TABLE(id, label, missing, w8, slots, version, unseen)                                 \
    const peer_ops id = {                                                                          \
        label, missing, open_peer, close_peer, {run_w1, run_w2, run_w3, run_w4, w8},               \
        slots, version, unseen,    PEER_SETTLE}
