/*
 * bench/workloads/with_layers.c: Ebb with every layer: scopes, names, pools, containers, columns, a cache.
 */
#include "layers.h"

#include <stdio.h>
#include <stdlib.h>

EBB_WORDS_DEFINE(peer_words, 0x1000, PEER_WORDS);
EBB_WORDS_DEFINE(strategy_words, 0x1040, STRATEGY_WORDS);

ebb_symtab *layers_names;

void layers_fail(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static const char *make(void)
{
    static const ebb_words *const sets[] = {&ebb_vm_status, &ebb_node_status, &peer_words,
                                            &strategy_words};
    const ebb_symtab_params names = {
        .name = "names", .words = sets, .word_sets = sizeof sets / sizeof *sets};
    layers_names = ebb_symtab_create(&names, NULL);
    bool made = layers_names && layers_proposals_make() && layers_schedule_make();
    return made ? NULL : "no memory";
}

const contestant with_layers = {
    "Ebb, all layers", make, ebb_version, {layers_proposals, layers_schedule, layers_messages}};
