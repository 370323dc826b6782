/*
 * bench/workloads/plain_proposals.h: a part of plain.h.
 *
 * Calibrated: 1,000 ids and 200 names, into an array that is there: 1,200. Faithful: 1,000 ids, 1,000
 * names, and a list of them, in a struct, that doubles 11 times: 2,012.
 */
#include "print.h"

typedef struct proposal {
    uint8_t *id;
    ebb_str name;
    unsigned status;
} proposal;

static ebb_str name_of(memory *m, uint32_t machine)
{
    char *to = take_bytes(m, NAME_MOST);
    return (ebb_str){to, print_name(to, machine)};
}

static void decode(memory *m, const proposal_in *in, proposal *ret_)
{
    ret_->id = take_bytes(m, ID_SIZE);
    memcpy(ret_->id, in->id, ID_SIZE);
    ret_->name = in->is_named ? name_of(m, in->machine) : EBB_STR("");
    ret_->status = in->status + (in->is_machine ? (unsigned)STATUSES : 0);
}

static void apply_all(memory *m, proposal *all, size_t count)
{
    for (size_t i = 0; i < count; i++) deliver_proposal(all[i].id, all[i].name, all[i].status);
    if (!FREES) return;
    for (size_t i = 0; i < count; i++) {
        drop(m, all[i].id);
        if (all[i].name.len) drop_text(m, all[i].name);
    }
}

static void proposals_into_array(memory *m, const input *in)
{
    static proposal all[PROPOSALS];
    for (size_t i = 0; i < PROPOSALS; i++) decode(m, &in->proposals[i], &all[i]);
    apply_all(m, all, PROPOSALS);
}

static void proposals_into_list(memory *m, const input *in)
{
    list *all = take(m, sizeof *all);
    *all = (list){NULL, 0, 0};
    for (size_t i = 0; i < PROPOSALS; i++)
        decode(m, &in->proposals[i], list_add(m, all, sizeof(proposal)));
    apply_all(m, all->items, all->count);
    if (!FREES) return;
    drop(m, all->items);
    drop(m, all);
}

static void proposals(const input *in, bool faithful)
{
    memory m = memory_begin(WORK_PROPOSALS);
    if (faithful) proposals_into_list(&m, in);
    else proposals_into_array(&m, in);
    memory_end(&m);
}
