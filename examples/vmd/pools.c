/*
 * examples/vmd/pools.c: what is dear to make, or large, and wanted by many requests one after the
 * other.
 *
 *   ebb      borrowed from a pool for the scope; what a request does not give back itself, goes home
 *            when the scope ends, also when that was left by a jump
 *   malloc   made by malloc, and freed
 *
 * How many of each there may be is --pool's to say. When all are in use, or there may be none, who
 * needs one is told to come again (503), and nothing has happened.
 */
#include "vmd.h"

#include <stdlib.h>

pool_size pool_sizes[POOLS] = {
    {"proposals", 1000, 100},   {"configs", 500, 50},       {"metadata", 200, 20},
    {"small-buffers", 500, 50}, {"large-buffers", 100, 10},
};

static ebb_pool *pools[POOL_SMALL_BUFFERS]; /* of objects */
static ebb_bufpool *buffers[POOLS];         /* the last two */

enum { SMALL = 1 << 10, LARGE = 64 << 10 };

/* ---- life ------------------------------------------------------------------------------------ */

static bool is_buffers(pool_kind kind)
{
    return kind >= POOL_SMALL_BUFFERS;
}

/* To a pool 0 is no bound. */
static uint32_t most(pool_kind kind)
{
    return pool_sizes[kind].max ? pool_sizes[kind].max : 1;
}

static bool begin_buffers(pool_kind kind, size_t size)
{
    const ebb_bufpool_params params = {.name = pool_sizes[kind].name,
                                       .size = size,
                                       .min_count = pool_sizes[kind].min,
                                       .max_count = most(kind)};
    buffers[kind] = ebb_bufpool_create(&params, NULL);
    return buffers[kind] != NULL;
}

static bool begin(pool_kind kind, ebb_pool_params params)
{
    params.name = pool_sizes[kind].name;
    params.min_size = pool_sizes[kind].min;
    params.max_size = most(kind);
    pools[kind] = ebb_pool_create(&params, NULL);
    return pools[kind] != NULL;
}

bool pools_begin(void)
{
    if (!opt.ebb) return true;
    return begin(POOL_PROPOSALS, (ebb_pool_params){.size = sizeof(proposal)}) &&
           begin(POOL_CONFIGS, (ebb_pool_params){.size = sizeof(vm_spec)}) &&
           begin(POOL_METADATA, attrs_pool()) && begin_buffers(POOL_SMALL_BUFFERS, SMALL) &&
           begin_buffers(POOL_LARGE_BUFFERS, LARGE);
}

void pools_end(void)
{
    for (pool_kind kind = 0; kind < POOLS; kind++)
        if (is_buffers(kind)) ebb_bufpool_destroy(&buffers[kind]);
        else ebb_pool_destroy(&pools[kind]);
}

/* ---- borrowing ------------------------------------------------------------------------------- */

static int refused(request *req, pool_kind kind, ebb_status why)
{
    if (why != EBB_E_EXHAUSTED) return 507;
    return reply_error(req, 503, "all %u %s are in use, try again", pool_sizes[kind].max,
                       pool_sizes[kind].name);
}

void *borrow(request *req, pool_kind kind, size_t size, int *ret_status)
{
    ebb_status why = EBB_E_MEMORY;
    void *what = NULL;
    if (!pool_sizes[kind].max) why = EBB_E_EXHAUSTED;
    else if (opt.ebb) what = ebb_pool_acquire(pools[kind], req->mem.scope, &why);
    else what = calloc(1, size);
    if (!what) *ret_status = refused(req, kind, why);
    return what;
}

void give_home(pool_kind kind, void *what)
{
    if (opt.ebb) ebb_pool_release(pools[kind], what);
    else free(what);
}

ebb_buf *borrow_buffer(request *req, size_t size, int *ret_status)
{
    pool_kind kind = size <= SMALL ? POOL_SMALL_BUFFERS : POOL_LARGE_BUFFERS;
    ebb_status why;
    ebb_buf *b = ebb_bufpool_acquire(buffers[kind], req->mem.scope, size, &why);
    if (!b) *ret_status = refused(req, kind, why);
    return b;
}

/* ---- statistics ------------------------------------------------------------------------------ */

static void add(text *t, pool_kind kind, const char *what, unsigned long long value)
{
    text_printf(t, "vmd_pool_%s{pool=\"%s\"} %llu\n", what, pool_sizes[kind].name, value);
}

static ebb_pool_stats stats_of(pool_kind kind)
{
    ebb_pool_stats s;
    ebb_bufpool_stats all;
    if (!is_buffers(kind)) {
        ebb_pool_get_stats(pools[kind], &s);
        return s;
    }
    ebb_bufpool_get_stats(buffers[kind], &all);
    return all.of[0].pool;
}

void pools_metrics(text *t)
{
    for (pool_kind kind = 0; kind < POOLS; kind++) {
        ebb_pool_stats s = stats_of(kind);
        add(t, kind, "max", s.max_size);
        add(t, kind, "available", s.idle);
        add(t, kind, "in_use", s.in_use);
        add(t, kind, "high_water", s.high_water);
        add(t, kind, "created_total", s.created);
        add(t, kind, "discarded_total", s.discarded);
        add(t, kind, "exhausted_total", s.exhausted);
    }
}
