/*
 * bench/workloads/work.h: three pieces of work that services do again and again, what comes in and
 * what is handed on, and who does them: bench/README.md says how they were composed.
 *
 *     proposals   a batch of 1,000 changes to be agreed on is decoded and applied
 *     schedule    a batch of 100 machines is given a node each
 *     messages    a batch of 100 messages to peers is framed and grouped
 *
 * Each is there twice. `plain` is what one writes on malloc, compiled for glibc's, for mimalloc's,
 * and, with the frees left out, for an Ebb scope. `layers` is written for Ebb with all that it has.
 * All see the same input and hand on the same bytes, of which a digest is taken in a run of its own.
 */
#ifndef BENCH_WORKLOADS_WORK_H
#define BENCH_WORKLOADS_WORK_H

#include <ebb/str.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ID_SIZE = 16 };

/* ---- what comes in --------------------------------------------------------------------------- */

enum { PROPOSALS = 1000, STATUSES = 6, NAME_MOST = 16 };

/* A worker says what it is doing, or a machine what state it is in; the latter have a name. */
typedef struct proposal_in {
    uint8_t id[ID_SIZE];
    uint32_t machine;
    uint8_t status; /* below STATUSES */
    bool is_machine, is_named;
} proposal_in;

enum { MACHINES = 100, NODES = 16, METADATA = 6, ALTERNATIVES = 3 };

typedef struct metadata_in {
    ebb_str key, value;
} metadata_in;

typedef struct machine_in {
    ebb_str name, path, tenant, address, strategy;
    ebb_str datacentre, zone, excluded;
    metadata_in metadata[METADATA];
    double cpu, mem;
} machine_in;

typedef struct node_in {
    ebb_str id, datacentre, zone;
    double cpu, mem; /* free, before the first batch */
} node_in;

enum {
    MESSAGES = 100,
    PRIORITIES = 4,
    FRAME_HEAD = 24,
    MESSAGE_MOST = 10 << 20, /* bytes */
    AGE_MOST = 30000         /* ms */
};

typedef struct message_in {
    uint8_t id[ID_SIZE];
    uint8_t type, priority;
    uint32_t len, age; /* bytes; ms */
    const uint8_t *body;
} message_in;

typedef struct input {
    proposal_in proposals[PROPOSALS];
    machine_in machines[MACHINES];
    node_in nodes[NODES];
    message_in messages[MESSAGES];
} input;

/** `calibrated`: such that plain C makes the counts of calls that are given for it; `faithful`: with
    a name for each proposal, and messages that are too old or too long. */
void input_make(input *in, bool faithful);

extern const ebb_str priority_word[PRIORITIES];

/* ---- what is handed on ----------------------------------------------------------------------- */

/* In a file of its own, so that no compiler knows that nobody looks. */

/** A proposal that was applied. @name may be empty; @status: as it came, and STATUSES more for a machine. */
void deliver_proposal(const uint8_t id[ID_SIZE], ebb_str name, unsigned status);

typedef struct placement {
    ebb_str machine, node, strategy, reason, label;
    double score;
    ebb_str alternative[ALTERNATIVES];
    size_t alternatives;
} placement;

void deliver_placement(const placement *p);

/** A frame to be sent, and what is counted for it. */
void deliver_frame(unsigned priority, const void *frame, size_t len, ebb_str metric);
void deliver_dropped(size_t count);

/** While true, what only lies in memory is shown as well, by deliver_text. */
extern bool deliver_everything;
void deliver_text(ebb_str text);

/** Called once, if it is not NULL, when the first thing of a batch is shown: all of the batch is in memory. */
extern void (*deliver_watch)(void);

/** The digest of what was delivered since the last call. */
uint64_t deliver_digest(void);

/* ---- who does it ----------------------------------------------------------------------------- */

typedef enum work { WORK_PROPOSALS, WORK_SCHEDULE, WORK_MESSAGES, WORKS } work;

/** One memory. */
typedef struct contestant {
    const char *name;
    const char *(*missing)(void); /* prepares it; why it is not here; NULL: it is */
    const char *(*version)(void);
    void (*run[WORKS])(const input *in, bool faithful); /* a batch */
} contestant;

extern const contestant with_floor, with_glibc, with_mimalloc, with_arena, with_layers;

/** Calls of malloc and its kin by the contestant, where the build counts them. */
extern uint64_t work_calls;

#endif /* BENCH_WORKLOADS_WORK_H */
