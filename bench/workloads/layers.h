/*
 * bench/workloads/layers.h: what the three parts of `layers` share, made once for the process.
 */
#ifndef BENCH_WORKLOADS_LAYERS_H
#define BENCH_WORKLOADS_LAYERS_H

#include "work.h"

#include <ebb/ebb.h>

/* Words of our own: strategies, and what is counted for a message to a peer. */
#define STRATEGY_WORDS(X) X(W_BEST_FIT, "best_fit") X(W_SPREAD, "spread")
EBB_WORDS_DECLARE(strategy_words, 0x1040, STRATEGY_WORDS);

#define PEER_WORDS(X)                                                                              \
    X(W_RAFT, "raft")                                                                              \
    X(W_RAFT_MESSAGE, "raft.message")                                                              \
    X(W_METRIC_LOW, "raft.message.low")                                                            \
    X(W_METRIC_NORMAL, "raft.message.normal")                                                      \
    X(W_METRIC_HIGH, "raft.message.high")                                                          \
    X(W_METRIC_URGENT, "raft.message.urgent")
EBB_WORDS_DECLARE(peer_words, 0x1000, PEER_WORDS);

/* Names that live as long as the process. */
extern ebb_symtab *layers_names;

/* Each false: no memory. */
bool layers_names_make(void);
bool layers_proposals_make(void);
bool layers_schedule_make(void);

void layers_proposals(const input *in, bool faithful);
void layers_schedule(const input *in, bool faithful);
void layers_messages(const input *in, bool faithful);

/* What can't be in a measurement, and so ends it: an overload, or no memory. */
void layers_fail(const char *what);

#endif /* BENCH_WORKLOADS_LAYERS_H */
