/*
 * intern/walk.c: looking through a table: walks, statistics, sums, validation, sealing.
 */
#include "find.h"

/* ---- walks ----------------------------------------------------------------------------------- */

ebb_symtab_iter ebb_symtab_each(const ebb_symtab *t)
{
    ebb_symtab_iter i = {0, {"", 0}, t, 0, 0};
    return i;
}

static bool show(ebb_symtab_iter *i, const record *r)
{
    i->sym = r->sym;
    i->str = record_str(r);
    return true;
}

/* Segments are filled from their beginning, record after record. */
static bool next_shared(ebb_symtab_iter *i)
{
    const shared *s = i->ebb__table->shared;
    uint32_t count = atomic_load_explicit(&s->segment_count, memory_order_acquire);
    for (; i->ebb__at < count; i->ebb__at++, i->ebb__offset = 0) {
        const segment *g = &s->segments[i->ebb__at];
        if (i->ebb__offset >= atomic_load_explicit(&g->used, memory_order_acquire)) continue;
        const char *base = atomic_load_explicit(&g->base, memory_order_relaxed);
        const char *at = base + (size_t)i->ebb__offset * GRANULE;
        const record *r = (const record *)(const void *)at;
        i->ebb__offset += (uint32_t)(record_size(r->len) / GRANULE);
        return show(i, r);
    }
    return false;
}

bool ebb_symtab_next(ebb_symtab_iter *i)
{
    if (!i->ebb__table->request) return next_shared(i);
    const record *r = ebb__request_nth(i->ebb__table->request, i->ebb__at);
    if (!r) return false;
    i->ebb__at++;
    return show(i, r);
}

/* ---- sums ------------------------------------------------------------------------------------ */

/* A sum of hashes, so that the order does not matter; seeded by the symbol. */
uint64_t ebb_symtab_checksum(const ebb_symtab *t)
{
    uint64_t sum = 0;
    for (ebb_symtab_iter i = ebb_symtab_each(t); ebb_symtab_next(&i);)
        sum += hash_text(i.str.ptr, i.str.len + 1, i.sym); /* with its NUL */
    return sum;
}

/* And the index, which is a text's way to its symbol. */
static uint64_t sum_all(const shared *s)
{
    uint64_t sum = ebb_symtab_checksum(&s->head);
    for (unsigned i = 0; i < SHARDS; i++) {
        uintptr_t root = atomic_load_explicit(&s->root[i], memory_order_relaxed);
        const void *buckets = root_buckets(root);
        sum = XXH3_64bits_withSeed(buckets, (root_mask(root) + 1) * sizeof(bucket), sum);
    }
    return sum;
}

void ebb_symtab_seal(ebb_symtab *t)
{
    shared *s = t->shared;
    if (t->request) {
        ebb__report(EBB_MISUSE, "ebb_symtab_seal", s->arena,
                    "this is a request's table over it; seal the shared one");
        return;
    }
    ebb__shared_lock_all(s);
    if (!atomic_load_explicit(&s->sealed, memory_order_relaxed)) s->sum = sum_all(s);
    atomic_store_explicit(&s->sealed, true, memory_order_release);
    ebb__shared_unlock_all(s);
}

/* ---- validation ------------------------------------------------------------------------------ */

static const char *check_text(const shared *s, ebb_sym sym, ebb_str text)
{
    unsigned lines;
    key k = {text.ptr, text.len, hash_text(text.ptr, text.len, s->seed), false};
    const record *found = find_record(s, &k, key_is, &lines);
    if (!found) return "a text is not found";
    if (found->sym != sym) return "a text is there twice";
    if (record_text(found) != text.ptr) return "a symbol is there twice";
    if (text.ptr[text.len] != '\0') return "a text does not end with its NUL";
    return lines > s->shard[shard_of(k.hash)].longest ? "a text is farther than the longest" : NULL;
}

static const char *check_counts(const shared *s, size_t count, size_t bytes)
{
    size_t entries = 0;
    for (unsigned i = 0; i < SHARDS; i++) entries += s->shard[i].entries;
    if (entries != count) return "the index and the texts differ in number";
    if (atomic_load_explicit(&s->entries, memory_order_relaxed) + s->words != count)
        return "the entries are miscounted";
    if (atomic_load_explicit(&s->bytes, memory_order_relaxed) != bytes)
        return "the bytes are miscounted";
    return NULL;
}

static const char *check_shared(const shared *s)
{
    size_t count = 0, bytes = 0;
    if (atomic_load_explicit(&s->sealed, memory_order_relaxed) && sum_all(s) != s->sum)
        return "was written to after it was sealed";
    for (ebb_symtab_iter i = ebb_symtab_each(&s->head); ebb_symtab_next(&i); count++) {
        const char *broken = check_text(s, i.sym, i.str);
        if (broken) return broken;
        if (i.sym >= EBB_WORDS_END) bytes += record_size(i.str.len);
    }
    return check_counts(s, count, bytes);
}

const char *ebb_symtab_validate(const ebb_symtab *t)
{
    if (t->request) return ebb__request_check(t->request);
    shared *s = t->shared;
    ebb__shared_lock_all(s);
    const char *broken = check_shared(s);
    ebb__shared_unlock_all(s);
    return broken;
}

/* ---- statistics ------------------------------------------------------------------------------ */

static void add_stripes(const shared *s, ebb_symtab_stats *ret_)
{
    for (unsigned i = 0; i < STRIPES; i++) {
        ret_->hits += atomic_load_explicit(&s->stripes[i].hits, memory_order_relaxed);
        ret_->misses += atomic_load_explicit(&s->stripes[i].misses, memory_order_relaxed);
    }
}

static void shared_stats(shared *s, ebb_symtab_stats *ret_)
{
    ebb_arena_stats arena;
    ret_->words = s->words;
    add_stripes(s, ret_);
    ebb__shared_lock_all(s);
    for (unsigned i = 0; i < SHARDS; i++) {
        ret_->refused += s->shard[i].refused;
        if (s->shard[i].longest > ret_->longest) ret_->longest = s->shard[i].longest;
    }
    ret_->entries = atomic_load_explicit(&s->entries, memory_order_relaxed);
    ret_->bytes = atomic_load_explicit(&s->bytes, memory_order_relaxed);
    os_lock(&s->memory_lock);
    ebb_arena_get_stats(s->arena, &arena);
    os_unlock(&s->memory_lock);
    ebb__shared_unlock_all(s);
    ret_->held = arena.held;
    ret_->sealed = atomic_load_explicit(&s->sealed, memory_order_relaxed);
}

void ebb_symtab_get_stats(const ebb_symtab *t, ebb_symtab_stats *ret_)
{
    memset(ret_, 0, sizeof *ret_);
    if (t->request) ebb__request_get_stats(t->request, ret_);
    else shared_stats(t->shared, ret_);
}
