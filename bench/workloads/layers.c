/*
 * bench/workloads/layers.c: see layers.h.
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

bool layers_names_make(void)
{
    static const ebb_words *const sets[] = {&ebb_vm_status, &ebb_node_status, &peer_words,
                                            &strategy_words};
    const ebb_symtab_params names = {
        .name = "names", .words = sets, .word_sets = sizeof sets / sizeof *sets};
    layers_names = ebb_symtab_create(&names, NULL);
    return layers_names;
}
