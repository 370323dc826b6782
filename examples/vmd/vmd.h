/*
 * examples/vmd/vmd.h: the pieces of the control plane.
 *
 *   main.c      options
 *   http.c      libmicrohttpd: a request's life and limits, the scope around it
 *   handlers.c  routes, and what each does; of HTTP it knows a status and a body
 *   schedule.c  placing machines on nodes
 *   policy_lua.c  the same by a tenant's own script
 *   report.c    the cluster as a page
 *   groups.c    which nodes the groups of a batch are on already
 *   attrs.c     changing a machine's metadata
 *   configs.c   what tenants may have and nodes have, read once and shared
 *   log.c       changes, written down before they are answered
 *   pools.c     what requests borrow
 *   metrics.c   counters, as Prometheus reads them
 *   debug.c     Ebb's own page
 *   state.c     what outlives requests: the machines
 *   mem.c       where a request's memory comes from
 */
#ifndef VMD_H
#define VMD_H

#include "mem.h"

#include <ebb/debug.h>

#include <stdatomic.h>

enum { NAME_MOST = 64, VALUE_MOST = 256, METADATA_MOST = 32, BATCH_MOST = 100, PAGE_MOST = 100 };
enum { CPUS_MOST = 256, MEMORY_MOST = 1 << 22 }; /* of a machine, or a node */

typedef struct options {
    bool ebb;
    unsigned port, threads, connections, nodes, idle, fail;
    size_t max_body, max_request, budget, max_vms, policy_steps;
} options;
extern options opt;

/* ---- requests -------------------------------------------------------------------------------- */

typedef struct request request;

/* A path that ends in '/' stands for itself with a name after it. One of the two functions is
   set. */
typedef struct route {
    const char *method, *path;
    int (*plain)(request *);
    int (*with_json)(request *, json_t *body);
    ebb_profile profile;
} route;

struct request {
    mem mem;
    route *route;
    struct MHD_Connection *connection;
    const char *path; /* libmicrohttpd's, until the request is done */
    text body, reply;
    const char *type; /* the reply's; NULL: JSON, from `reply`, else as in the next */
    ebb_str made;
    char *owned;           /* malloc mode: `made`, if it is to be freed */
    ebb_debug_reply debug; /* the page's, while it is not due yet */
    int status;            /* once answered */
    int refused;           /* a status, or 0: the body is not worth collecting any more */
    size_t charged;        /* malloc mode: bytes of body counted against the budget */
};

/* The last two have no path: no such method, no such path. */
enum { ROUTES = 16 };
extern route routes[ROUTES];
/* Never NULL: some routes only say what is wrong. */
route *route_find(const char *method, const char *path);

/* Fill req->reply and return the HTTP status. 507 with no reply: out of memory. */
int handle(request *req);
/* Reply {"error": text} in place of what was begun; return @status. */
int reply_error(request *req, int status, const char *fmt, ...) EBB_PRINTF(3, 4);
/* The reply is whole: return @status, or 507 if there was no memory for all of it. */
int reply_done(request *req, int status);

int schedule(request *req, json_t *body);
int metrics(request *req);
int report(request *req);

/* The NAME in a path that ends in one; NULL: it can't be one. */
const char *name_in(const request *req);
/* NULL, or what is wrong with the size of a machine, or of what one may have. */
const char *wrong_size(int cpus, int memory_mb);
#define NAME_RULE "must be 1 to 64 letters, digits, '-', '_' or '.'"

/* ---- the machines ---------------------------------------------------------------------------- */

/* What tenants and statuses are called is kept once, and they are compared by number: a symbol. */
extern ebb_symtab *names;

typedef struct pair {
    const char *key, *value;
} pair;

/* What a client asks for; the strings are the request's. */
typedef struct vm_spec {
    const char *name, *tenant;
    ebb_sym status; /* one of ebb_vm_status */
    int cpus, memory_mb;
    size_t pairs;
    pair pair[METADATA_MOST];
} vm_spec;

/* What is kept: one block with its strings in it, counted, and never changed once others can see
   it. */
typedef struct vm {
    struct vm *next_in_bucket, *next, *previous; /* state.c's */
    _Atomic unsigned references;
    unsigned revision;
    char id[24];
    const char *name;
    ebb_sym tenant, status;
    int cpus, memory_mb;
    size_t pairs;
    pair pair[];
} vm;

enum put_result { PUT_CREATED, PUT_REPLACED, PUT_TAKEN, PUT_CHANGED, PUT_FULL, PUT_NO_MEMORY };

/* Which machines are asked for; 0: any. */
typedef struct filter {
    ebb_sym tenant, status;
} filter;

/* References to some machines, given back together by page_release, a vm_page *. */
typedef struct vm_page {
    int count;
    vm *vm[PAGE_MOST];
} vm_page;
void page_release(void *arg);

/* Before anything else. False: no memory. */
bool state_begin(void);
/* Keep a copy of @spec, if @unless_changed is NULL or still the one of that name. If it is created or
   replaced, *ret_vm is a reference to it. */
enum put_result state_put(const vm_spec *spec, const vm *unless_changed, vm **ret_vm);
/* Return a reference, NULL: there is none of that name. */
vm *state_get(const char *name);
/* Fill @page with at most @most references to those that pass @only, oldest first, from the one after
   @after (NULL: from the first). Return how many; -1: there is no @after. */
int state_page(const char *after, const filter *only, int most, vm **page);
size_t state_count(void);
bool state_remove(const char *name);
void state_clear(void);
/* Give back a reference, a vm *. */
void vm_release(void *reference);

/* ---- metadata, and groups -------------------------------------------------------------------- */

/* A machine's metadata while it is being changed, in the order it was put in. */
typedef struct attrs attrs;
/* What a pool of them is like, but for its size. */
ebb_pool_params attrs_pool(void);
/* NULL: *@ret_status as of borrow. */
attrs *attrs_begin(request *req, const vm *from, int *ret_status);
/* Borrow both until attrs_end. False: no memory. */
bool attrs_put(attrs *a, const char *key, const char *value);
void attrs_remove(attrs *a, const char *key);
size_t attrs_count(const attrs *a);
void attrs_copy(attrs *a, pair *to);
void attrs_end(attrs *a);

/* Machines of one group go to different nodes. */
typedef struct groups groups;
typedef struct group group;
/* NULL: no memory, for each. */
groups *groups_begin(mem *m);
group *groups_get(groups *all, const char *name);
bool group_is_on(group *g, unsigned node);
bool group_add(group *g, unsigned node);
void groups_end(groups *all);

/* ---- what requests borrow -------------------------------------------------------------------- */

typedef enum pool_kind {
    POOL_PROPOSALS,
    POOL_CONFIGS,
    POOL_METADATA,
    POOL_SMALL_BUFFERS,
    POOL_LARGE_BUFFERS,
    POOLS
} pool_kind;

/* How many there may be, and how many are made beforehand. */
typedef struct pool_size {
    const char *name;
    uint32_t max, min;
} pool_size;
extern pool_size pool_sizes[POOLS];

/* ebb mode's pools. False: no memory. */
bool pools_begin(void);
void pools_end(void);
void pools_metrics(text *t);
/* One of @kind, of @size bytes; zeroed, or as it was given home. NULL: *@ret_status is what to
   return, and the reply is begun if need be. */
void *borrow(request *req, pool_kind kind, size_t size, int *ret_status);
void give_home(pool_kind kind, void *what);
/* ebb mode's; of at least @size bytes. */
ebb_buf *borrow_buffer(request *req, size_t size, int *ret_status);

/* ---- changes --------------------------------------------------------------------------------- */

/* A change on its way into the log. */
typedef struct proposal {
    unsigned char id[16];
    text text;       /* JSON: what is to be written down */
    ebb_buf *buffer; /* ebb: where that lies */
} proposal;

/* @size: about how long the text will be. NULL: *@ret_status as of borrow. */
proposal *proposal_begin(request *req, const char *name, size_t size, int *ret_status);
/* Write it down. False: no memory, or it is too long. */
bool proposal_commit(proposal *p);
void proposal_end(proposal *p);
int get_log(request *req);

/* ---- configurations -------------------------------------------------------------------------- */

/* The most that one machine of a tenant may have, or all that a node has. */
typedef struct config {
    int cpus, memory_mb;
} config;

bool configs_begin(void);
void configs_end(void);
void configs_metrics(text *t);
/* False: no memory. */
bool config_of_tenant(mem *m, ebb_sym tenant, config *ret_config);
/* Fill @ret_nodes for all nodes. */
bool configs_of_nodes(mem *m, config *ret_nodes);
int get_tenant(request *req);
int put_tenant(request *req, json_t *body);
int get_node(request *req);
int put_node(request *req, json_t *body);

/* ---- Ebb's page ------------------------------------------------------------------------------ */

bool debug_begin(void);
void debug_end(void); /* all who wait are let go */
int debug_page(request *req);
/* Its reply is not due yet: come back then. False: too many wait. */
bool debug_wait(request *req);
int debug_answer(request *req);

/* ---- http ------------------------------------------------------------------------------------ */

typedef struct counters {
    _Atomic unsigned long long requests, client_errors, server_errors, abandoned, live;
} counters;
extern counters counted;

/* Return the value of ?name=value, NULL: not given. The request's. */
const char *request_argument(request *req, const char *name);
/* How many bytes are counted against opt.budget now, in either mode. */
size_t budget_used(void);

/* Serve until SIGTERM or SIGINT; 0, or 1 if it could not start. */
int serve(void);

#endif
