/*
 * examples/vmd/schedule.h: what the two policies have in common, that of schedule.c and a tenant's
 * own (policy_lua.c).
 */
#ifndef VMD_SCHEDULE_H
#define VMD_SCHEDULE_H

#include "vmd.h"

enum { ALTERNATIVES = 3, ZONES = 4, PER_MILLE = 1000 };

/* A machine that is to be placed. */
typedef struct wanted {
    const char *name;
    config size;
    int zone;     /* -1: any */
    group *group; /* NULL: it has none */
} wanted;

/* What a batch works with. */
typedef struct batch {
    bool spread;    /* rather than fill nodes up */
    config *all;    /* that each node has */
    config *left;   /* and what is left of it */
    groups *groups; /* and where they have machines */
    /* Of the last machine: the nodes that have room, a column of scores beside them, and which of
       the rows are the best. */
    unsigned *node;
    int32_t *score;
    uint32_t best[1 + ALTERNATIVES];
    int fit, no_cpus, no_memory, same_group; /* of its zone */
} batch;

/* A node that a machine may go to; the best come first. */
typedef struct choice {
    unsigned node;
    int score;
} choice;

/* NULL, or what is wrong with @item. */
const char *read_wanted(json_t *item, groups *all, wanted *w);
bool has_room(const batch *b, unsigned node, const wanted *w);
void take_room(batch *b, unsigned node, const wanted *w);
/* All of an answer but its reason, and the brace behind that. */
void add_choices(text *t, const char *name, const choice *best, int count);

/* As place_all, but as @script (Lua's) says. */
int place_by_policy(request *req, json_t *vms, batch *b, json_t *script);

#endif
