/*
 * bench/arena/live.c: W7. See live.h.
 */
#include "live.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LIVE_REQUESTS = 10000,
    WARM_REQUESTS = 2500 /* made and ended before, as in a server that has been up for a while */
};

static const uint32_t tiny[W3_BLOCKS] = {W3_SIZE, W3_SIZE, W3_SIZE, W3_SIZE,
                                         W3_SIZE, W3_SIZE, W3_SIZE, W3_SIZE};

/* Anonymous memory only: pages of code that happen to be touched now are nobody's request. */
static double resident_bytes(void)
{
    unsigned long total, resident, of_files;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%lu %lu %lu", &total, &resident, &of_files) != 3) {
        fprintf(stderr, "bench: /proc/self/statm can't be read\n");
        exit(1);
    }
    fclose(f);
    return (double)(resident - of_files) * (double)sysconf(_SC_PAGESIZE);
}

static size_t fill_all(const peer_ops *peer, void *state, workload w)
{
    size_t asked = 0;
    for (size_t i = 0; i < LIVE_REQUESTS; i++) {
        const uint32_t *sizes = w == W2 ? inputs.requests[i % W2_REQUESTS] : tiny;
        peer->fill(state, i, sizes, inputs.blocks[w]);
        for (size_t j = 0; j < inputs.blocks[w]; j++) asked += sizes[j];
    }
    return asked;
}

/* The state stays open: the process ends here, and what it holds with it. */
void live_weigh(const peer_ops *peer, workload w)
{
    void *state = peer->open(w, LIVE_REQUESTS);
    resident_bytes(); /* so that stdio's buffers are there already */
    double before = resident_bytes();
    peer->run[w](state, WARM_REQUESTS);
    size_t asked = fill_all(peer, state, w);
    double held = resident_bytes() - before;
    printf("weight\tW7/%s\t%s\t%.6g\n", w == W2 ? "W2" : "W3", peer->name, held / (double)asked);
}
