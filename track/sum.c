/*
 * track/sum.c: adding up what threads have counted. Under the watchers' lock, so that no ledger
 * comes, goes, or gets another table meanwhile; the counts themselves may go on.
 */
#include "tracker.h"

#include "stack.h"

#include <string.h>

static uint64_t get(const _Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

static uint32_t get32(const _Atomic uint32_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

/* Samples are counted in parts. */
static uint64_t whole(const ebb_tracker *t, uint64_t n)
{
    return t->level == EBB_TRACK_SAMPLE ? (n + EBB__FRACTION / 2) / EBB__FRACTION : n;
}

static bool counts_for(const ebb__ledger *l, const ebb_tracker *t)
{
    return l->serial == t->serial;
}

/* ---- totals ---------------------------------------------------------------------------------- */

/* `count` and the classes in parts, where it is a sample; see finish_totals. */
static void add_kind(ebb_totals *to, const ebb__kind_sums *k, bool is_system)
{
    uint64_t count = 0;
    to->begins += get(&k->begins);
    for (int i = 0; i < EBB_TRACK_CLASSES; i++) {
        uint64_t n = get(&k->by_class[i]);
        count += n;
        if (!is_system) to->by_class[i] += n;
    }
    if (is_system) {
        to->system_count += count;
        to->system_bytes += get(&k->bytes);
    } else {
        to->count += count;
        to->bytes += get(&k->bytes);
    }
}

static bool is_system(const ebb__cell *c)
{
    return get(&c->key) >> 48 == EBB__KINDS - 1;
}

static void add_cells(ebb_totals *to, const ebb__table *t)
{
    for (uint32_t i = 0; t && i < t->capacity; i++) {
        uint64_t bytes = get(&t->cell[i].bytes);
        if (is_system(&t->cell[i])) to->system_bytes += bytes;
        else to->bytes += bytes;
        to->samples += get(&t->cell[i].samples);
        to->live_count += get(&t->cell[i].live_count);
        to->live_bytes += get(&t->cell[i].live_bytes);
    }
}

static void finish_totals(const ebb_tracker *t, ebb_totals *to)
{
    to->system_count = whole(t, to->system_count);
    if (t->level != EBB_TRACK_SAMPLE) return;
    to->count = 0;
    for (int i = 0; i < EBB_TRACK_CLASSES; i++)
        to->count += to->by_class[i] = whole(t, to->by_class[i]);
}

/* With the lock held. Return how many sites there may be. */
static size_t sum_up(const ebb_tracker *t, ebb_totals *to)
{
    size_t most = 0;
    memset(to, 0, sizeof *to);
    add_kind(to, &t->rest.sums, false);
    add_kind(to, &t->rest.system, true);
    to->dropped = get(&t->rest.dropped);
    to->live_count = get(&t->rest.live_count);
    to->live_bytes = get(&t->rest.live_bytes);
    for (const ebb__ledger *l = ebb__ledgers; l; l = l->next) {
        if (!counts_for(l, t)) continue;
        for (uint32_t i = 0, n = get32(&l->kinds); i < n; i++)
            add_kind(to, &l->kind[i], i == EBB__KINDS - 1);
        add_cells(to, l->table);
        to->dropped += get(&l->dropped);
        if (l->table) most += l->table->capacity;
    }
    finish_totals(t, to);
    return most;
}

void ebb_tracker_get_totals(ebb_tracker *t, ebb_totals *ret_totals)
{
    memset(ret_totals, 0, sizeof *ret_totals);
    if (!t) return;
    ebb__watchers_lock();
    sum_up(t, ret_totals);
    ebb__watchers_unlock();
}

/* ---- sites ----------------------------------------------------------------------------------- */

static void copy_site(const ebb_tracker *t, const ebb__cell *c, ebb__site_found *to)
{
    const uint64_t place = (UINT64_C(1) << 48) - 1;
    uint64_t key = get(&c->key);
    to->kind = (unsigned)(key >> 48);
    to->place = (const void *)(uintptr_t)(key & place);
    ebb_site *s = &to->site;
    s->count = whole(t, get(&c->count));
    s->bytes = get(&c->bytes);
    s->growths = whole(t, get(&c->growths));
    s->samples = get(&c->samples);
    s->live_count = get(&c->live_count);
    s->live_bytes = get(&c->live_bytes);
    s->lived_ns = get(&c->lived_ns);
    s->address = to->place;
    s->depth = 1;
    if (t->level == EBB_TRACK_SITES) return;
    const ebb__stack *stack = to->place;
    s->address = stack->address[0];
    s->stack = stack->address;
    s->depth = stack->depth;
}

static void copy_sites(const ebb_tracker *t, const ebb__table *from, ebb__found *f)
{
    size_t most = f->size / sizeof *f->site;
    for (uint32_t i = 0; from && i < from->capacity && f->count < most; i++) {
        if (!get(&from->cell[i].key)) continue;
        ebb__site_found *to = &f->site[f->count++];
        copy_site(t, &from->cell[i], to);
        f->kind[to->kind].bytes += to->site.bytes;
    }
}

/* ---- kinds ----------------------------------------------------------------------------------- */

static const char *kind_name(unsigned i)
{
    if (i == EBB__KINDS - 1) return "malloc";
    const char *name = i ? ebb__profile_name(i) : "arenas";
    return name ? name : "?";
}

static void add_to_kind(const ebb_tracker *t, ebb_report_kind *to, const ebb__kind_sums *k)
{
    to->begins += get(&k->begins);
    to->bytes += get(&k->bytes);
    to->padding += get(&k->padding);
    for (int i = 0; i < EBB_TRACK_CLASSES; i++) {
        uint64_t n = whole(t, get(&k->by_class[i]));
        to->by_class[i] += n;
        to->count += n;
    }
}

static void copy_kinds(const ebb_tracker *t, const ebb__ledger *l, ebb__found *f)
{
    for (uint32_t i = 0, n = get32(&l->kinds); i < n; i++) {
        ebb_report_kind *to = &f->kind[i];
        add_to_kind(t, to, &l->kind[i]);
        if (!to->count && !to->begins) continue;
        to->name = kind_name(i);
        to->is_system = i == EBB__KINDS - 1;
    }
}

/* ---- the timeline ---------------------------------------------------------------------------- */

/* Every ledger's moments are the first ones' length, doubled so many times. */
static void copy_moments(const ebb_tracker *t, const ebb__ledger *l, ebb__found *f)
{
    for (uint32_t i = 0; i < EBB__MOMENTS; i++) {
        size_t at = (size_t)((uint64_t)i * get32(&l->moment_ms) / f->moment_ms);
        const ebb__moment *m = &l->moment[i];
        uint64_t count = get(&m->count), bytes = get(&m->bytes), begins = get(&m->begins);
        if (i == get32(&l->now)) { /* and what is not noted yet */
            count += get(&l->all.count) - get(&l->noted.count);
            bytes += get(&l->all.bytes) - get(&l->noted.bytes);
            begins += get(&l->all.begins) - get(&l->noted.begins);
        }
        f->moment[at].count += whole(t, count);
        f->moment[at].bytes += bytes;
        f->moment[at].begins += begins;
    }
}

/* As many as there has been time for, and the longest of any thread's. */
static void shape_moments(const ebb_tracker *t, ebb__found *f)
{
    uint64_t since = ebb__clock_coarse_ms() - t->began_ms;
    f->moment_ms = EBB__MOMENT_MS;
    for (const ebb__ledger *l = ebb__ledgers; l; l = l->next)
        if (counts_for(l, t) && get32(&l->moment_ms) > f->moment_ms)
            f->moment_ms = get32(&l->moment_ms);
    while (since / f->moment_ms >= EBB__MOMENTS) f->moment_ms *= 2;
    f->moments = (size_t)(since / f->moment_ms) + 1;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* With the lock held. */
static bool find(const ebb_tracker *t, ebb__found *f)
{
    f->size = sum_up(t, &f->totals) * sizeof *f->site;
    f->kind = ebb__pages_take(EBB__KINDS * sizeof *f->kind);
    if (f->size) f->site = ebb__pages_take(f->size);
    if (!f->kind || (f->size && !f->site)) return false;
    shape_moments(t, f);
    for (const ebb__ledger *l = ebb__ledgers; l; l = l->next) {
        if (!counts_for(l, t)) continue;
        copy_kinds(t, l, f);
        copy_sites(t, l->table, f);
        copy_moments(t, l, f);
    }
    return true;
}

bool ebb__tracker_find(ebb_tracker *t, ebb__found *f)
{
    memset(f, 0, sizeof *f);
    ebb__watchers_lock();
    bool ok = find(t, f);
    ebb__watchers_unlock();
    if (!ok) ebb__found_free(f);
    return ok;
}

void ebb__found_free(ebb__found *f)
{
    if (f->site) ebb__pages_give(f->site, f->size);
    if (f->kind) ebb__pages_give(f->kind, EBB__KINDS * sizeof *f->kind);
    f->site = NULL;
    f->kind = NULL;
}
