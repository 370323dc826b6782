/*
 * examples/vmd/vmd.h: the pieces of the control plane.
 *
 *   main.c      options, start, stop
 *   http.c      libmicrohttpd: a request's life, limits, the scope around it
 *   handlers.c  what each path does; knows nothing of HTTP but a status and a body
 *   schedule.c  placing virtual machines on nodes
 *   state.c     what outlives requests: the machines, and counters
 *   mem.c       where a request's memory comes from
 */
#ifndef VMD_H
#define VMD_H

#include "mem.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdint.h>

enum { NAME_MAX_LENGTH = 64, VALUE_MAX_LENGTH = 256, METADATA_MAX = 32, BATCH_MAX = 100 };

typedef struct options {
    bool ebb;
    unsigned port, threads, nodes, idle;
    size_t max_body, max_request, budget;
} options;

/* ---- requests ---- */

typedef struct request {
    mem mem;
    const char *method, *path; /* libmicrohttpd's, until the request is done */
    text body, reply;
    int status;
    size_t charged; /* malloc mode's count of bytes against the budget */
    bool too_large, over_budget;
} request;

/* Fill req->reply and return the HTTP status. */
int handle(request *req);
/* Replace whatever reply there is by {"error": text}. */
int reply_error(request *req, int status, const char *fmt, ...) EBB_PRINTF(3, 4);
/* Append a value as JSON; takes the reference. */
int reply_json(request *req, int status, json_t *value);

int schedule(request *req, json_t *body);

/* ---- state ---- */

typedef struct pair {
    const char *key, *value;
} pair;

typedef struct vm {
    struct vm *next_in_bucket, *next, *previous; /* in the order in which they were made */
    const char *name, *tenant, *status;
    char id[24];
    int cpus, memory_mb;
    int pairs;
    pair pair[METADATA_MAX];
} vm;

enum put_result { PUT_CREATED, PUT_REPLACED, PUT_TAKEN, PUT_NO_MEMORY };

/* Copy `v` and all that it points to. */
enum put_result state_put(const vm *v);
/* Call fn(vm, ctx) under the lock; false: there is none of that name. */
bool state_with(const char *name, void (*fn)(const vm *, void *), void *ctx);
/* The same for all, oldest first, at most `most` after skipping `skip`; returns how many there are. */
size_t state_each(size_t skip, size_t most, void (*fn)(const vm *, void *), void *ctx);
bool state_remove(const char *name);
void state_clear(void);

/* ---- counters ---- */

typedef struct counters {
    _Atomic uint64_t requests, bad, live;
} counters;
extern counters counted;
extern options opt;

/* ---- http ---- */

/* Serve until stop is called from a signal handler; 0, or 1 if it could not start. */
int serve(void);

#endif
