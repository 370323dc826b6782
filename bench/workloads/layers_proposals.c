/*
 * bench/workloads/layers_proposals.c: the array of a batch is a pool's object; an id is a view of what came
 * in, which is there as long as the scope; a machine's name is interned when it is first seen, and found by
 * the machine's number from then on; a status is a word.
 */
#include "layers.h"
#include "print.h"

typedef struct proposal {
    const uint8_t *id;
    ebb_str name;
    ebb_sym status;
} proposal;

typedef struct batch {
    proposal all[PROPOSALS];
} batch;

#define EBB_POOL batches, batch
#include <ebb/pool_of.h>

#define EBB_VEC texts, ebb_str
#include <ebb/vec_of.h>

static batches pool;
static texts known; /* by the machine's number; {NULL, 0}: not seen yet */

bool layers_proposals_make(void)
{
    const ebb_pool_params params = {.name = "batches of proposals", .min_size = 1, .max_size = 8};
    pool = batches_create(&params, NULL);
    known = texts_in(ebb_arena_create(NULL));
    return pool.pool;
}

/* Of machines with a number beyond what a cluster has nothing is remembered. */
static EBB_COLD ebb_str name_first(ebb_arena *a, uint32_t machine)
{
    enum { MACHINES_MOST = 1 << 16 };
    char *to = ebb_alloc_aligned(a, NAME_MOST, 1);
    if (!to) return EBB_STR("");
    ebb_str name = {to, print_name(to, machine)};
    ebb_sym sym = machine < MACHINES_MOST ? ebb_intern(layers_names, name) : 0;
    if (!sym) return name;
    size_t len = known.len;
    if (machine >= len) {
        ebb_str *more = texts_extend(&known, machine + 1 - len);
        if (!more) return name;
        memset(more, 0, (machine + 1 - len) * sizeof *more);
    }
    return known.ptr[machine] = ebb_sym_str(layers_names, sym);
}

static inline ebb_str name_of(ebb_arena *a, uint32_t machine)
{
    if (EBB_LIKELY(machine < known.len && known.ptr[machine].ptr)) return known.ptr[machine];
    return name_first(a, machine);
}

static void decode(ebb_arena *a, const proposal_in *in, proposal *ret_)
{
    ret_->id = in->id;
    ret_->name = in->is_named ? name_of(a, in->machine) : EBB_STR("");
    ret_->status =
        (in->is_machine ? (ebb_sym)EBB_VM_CREATING : (ebb_sym)EBB_NODE_LEADER) + in->status;
}

static unsigned code_of(ebb_sym status)
{
    bool is_machine = EBB_WORDS_HAS(ebb_vm_status, status);
    return status - (is_machine ? EBB_VM_CREATING - STATUSES : EBB_NODE_LEADER);
}

void layers_proposals(const input *in, bool faithful)
{
    static ebb_profile profile = EBB_PROFILE("proposals, all layers");
    (void)faithful;
    EBB_SCOPE(a, &profile);
    batch *b = batches_acquire(pool, a, NULL);
    if (!b) layers_fail("all batches are in use");
    for (size_t i = 0; i < PROPOSALS; i++) decode(a, &in->proposals[i], &b->all[i]);
    if (ebb_failed(a)) layers_fail("no memory for a batch of proposals");
    for (const proposal *p = b->all; p < b->all + PROPOSALS; p++)
        deliver_proposal(p->id, p->name, code_of(p->status));
}
