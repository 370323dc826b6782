/*
 * bench/workloads/input.c: what comes in, the same for all, made from fixed seeds.
 */
#include "work.h"

#include "../harness/harness.h"

#include <stdio.h>
#include <string.h>

const ebb_str priority_word[PRIORITIES] = {EBB_STR_INIT("low"), EBB_STR_INIT("normal"),
                                           EBB_STR_INIT("high"), EBB_STR_INIT("urgent")};

static uint32_t below(bench_random *r, uint32_t n)
{
    return (uint32_t)(bench_random_next(r) % n);
}

static void make_id(uint8_t id[ID_SIZE], bench_random *r)
{
    uint64_t words[2] = {bench_random_next(r), bench_random_next(r)};
    memcpy(id, words, ID_SIZE);
}

/* Texts of inputs live as long as the process. */
static ebb_str text(const char *format, unsigned i)
{
    enum { MOST = 64 };
    char *to = bench_need(MOST);
    int n = snprintf(to, MOST, format, i);
    return (ebb_str){to, (size_t)n};
}

/* Two of ten are of machines. */
static void make_proposals(input *in, bool faithful)
{
    enum { OF = 10, OF_MACHINES = 2, KNOWN = 5000 };
    bench_random r = {11};
    for (size_t i = 0; i < PROPOSALS; i++) {
        proposal_in *p = &in->proposals[i];
        make_id(p->id, &r);
        p->machine = below(&r, KNOWN);
        p->status = (uint8_t)below(&r, STATUSES);
        p->is_machine = i % OF < OF_MACHINES;
        p->is_named = p->is_machine || faithful;
    }
}

static void make_nodes(input *in, bench_random *r)
{
    enum { CENTRES = 2, ZONES = 4 };
    for (unsigned i = 0; i < NODES; i++) {
        in->nodes[i] = (node_in){.id = text("node-%02u.cluster.example", i),
                                 .datacentre = text("dc-frankfurt-%u", i % CENTRES),
                                 .zone = text("zone-%u", i / CENTRES % ZONES),
                                 .cpu = 64 + 4 * below(r, 17),
                                 .mem = 256 + 16 * below(r, 17)};
    }
}

static const char *const keys[METADATA] = {"environment", "team", "cost-center",
                                           "release",     "tier", "backup"};

static void make_machine(machine_in *m, unsigned i, const input *in, bench_random *r)
{
    const node_in *near = &in->nodes[below(r, NODES)];
    *m = (machine_in){.name = text("vm-%u", below(r, 10000)),
                      .path = text("/var/lib/machines/images/debian-12-%u.qcow2", i),
                      .tenant = text("tenant-%u", below(r, 40)),
                      .address = text("10.20.3.%u:5900", i),
                      .strategy = EBB_STR("best_fit"),
                      .datacentre = near->datacentre,
                      .zone = near->zone,
                      .excluded = in->nodes[below(r, NODES)].id,
                      .cpu = 1 + below(r, 4),
                      .mem = 2 + 2 * below(r, 8)};
    for (size_t k = 0; k < METADATA; k++)
        m->metadata[k] = (metadata_in){ebb_str_from(keys[k]), text("value-%u", below(r, 500))};
}

static void make_machines(input *in)
{
    bench_random r = {12};
    make_nodes(in, &r);
    for (unsigned i = 0; i < MACHINES; i++) make_machine(&in->machines[i], i, in, &r);
}

/* Bodies of 64 to 511 bytes; of the faithful, four are too old, and one says that it is too long. */
static void make_messages(input *in, bool faithful)
{
    enum { LEAST = 64, SPREAD = 448, TYPES = 5, EVERY = 25, TOO_LONG = 77 };
    bench_random r = {13};
    for (size_t i = 0; i < MESSAGES; i++) {
        message_in *m = &in->messages[i];
        make_id(m->id, &r);
        m->type = (uint8_t)below(&r, TYPES);
        m->priority = (uint8_t)below(&r, PRIORITIES);
        m->age = below(&r, AGE_MOST);
        m->len = LEAST + below(&r, SPREAD);
        uint8_t *body = bench_need(m->len);
        for (size_t k = 0; k < m->len; k++) body[k] = (uint8_t)bench_random_next(&r);
        m->body = body;
        if (faithful && i % EVERY == 3) m->age = AGE_MOST + 1;
        if (faithful && i == TOO_LONG) m->len = MESSAGE_MOST + 1;
    }
}

void input_make(input *in, bool faithful)
{
    make_proposals(in, faithful);
    make_machines(in);
    make_messages(in, faithful);
}
