/*
 * bench/pool/dpdk.c: DPDK's mempool, with its per-thread caches, on ordinary pages and without devices.
 * Where its environment can't start, it says so and does not take part.
 */
#include "peers.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mempool.h>
#include <stdio.h>

static void *get(struct rte_mempool *m)
{
    void *o = NULL;
    return rte_mempool_get(m, &o) ? NULL : o;
}

PEER_LOOPS(dpdk, get(p), rte_mempool_put(p, (void *)(uintptr_t)o))

static void *make(void)
{
    enum { OBJECTS = 8191, CACHE = 256 };
    static char *args[] = {
        "bench",         "--no-huge", "--no-pci", "--no-telemetry", "--no-shconf",
        "--log-level=1", "-m",        "64",       "--lcores=0",     NULL};
    if (rte_eal_init(sizeof args / sizeof *args - 1, args) < 0) {
        fprintf(stderr, "not here: DPDK mempool (rte_eal_init: %s)\n", rte_strerror(rte_errno));
        return NULL;
    }
    void *m = rte_mempool_create("objects", OBJECTS, OBJECT_SIZE, CACHE, 0, NULL, NULL, NULL, NULL,
                                 SOCKET_ID_ANY, 0);
    if (!m) fprintf(stderr, "not here: DPDK mempool (%s)\n", rte_strerror(rte_errno));
    return m;
}

static void begin_thread(void)
{
    rte_thread_register();
}

const peer bench_dpdk = PEER("DPDK mempool", dpdk, make, begin_thread);
