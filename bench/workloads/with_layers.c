/*
 * bench/workloads/with_layers.c: Ebb with every layer: scopes, names, pools, containers, a cache.
 */
#include "layers.h"

static const char *make(void)
{
    bool made = layers_names_make() && layers_proposals_make() && layers_schedule_make();
    return made ? NULL : "no memory";
}

const contestant with_layers = {
    "Ebb, all layers", make, ebb_version, {layers_proposals, layers_schedule, layers_messages}};
