/*
 * intern/table.c: making and ending shared tables, and the public calls that look up.
 */
#include "find.h"

#include <ebb/scope.h>
#include <ebb/words.h>

#define BYTES_DEFAULT ((size_t)64 << 20)
#define BYTES_MOST    ((size_t)1 << 30)

enum {
    SEGMENT_LOG2_LEAST = 14, /* granules: 64 KiB */
    SEGMENTS_WANTED = 256,   /* of that size, or larger ones if the cap asks for more */
    LARGE_SHARE = 4,         /* a text of its own leaves at most this much of a number unused */
    SEGMENT_FIRST = 1024,    /* bytes; doubled each time, so a small table stays small */
    SEGMENT_STEPS = 8        /* from there to the largest, at least, in each shard */
};

_Thread_local uint32_t ebb__stripe __attribute__((tls_model("initial-exec")));

uint32_t ebb__stripe_new(void)
{
    static _Atomic uint32_t last;
    do ebb__stripe = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    while (ebb__stripe == 0);
    return ebb__stripe;
}

/* ---- all shared tables, for fork ------------------------------------------------------------- */

static os_lock_t all_lock = OS_LOCK_INIT;
static shared *all;
static bool prepared;

static void before_fork(void)
{
    os_lock(&all_lock);
    for (shared *s = all; s; s = s->next) {
        atomic_store(&s->closed, true);
        while (atomic_load(&s->inside) > 0) os_yield();
    }
}

static void open_gates(void)
{
    for (shared *s = all; s; s = s->next) atomic_store(&s->closed, false);
}

static void after_fork(void)
{
    open_gates();
    os_unlock(&all_lock);
}

/* Who was waiting at a gate is not in this process. */
static void after_fork_in_child(void)
{
    for (shared *s = all; s; s = s->next) atomic_store(&s->inside, 0);
    open_gates();
    os_lock_init(&all_lock);
}

/* No fork is in between, which would hold the first lock. */
static void tell(shared *s, ebb__live_put *put, void *ctx)
{
    ebb__live_thing t = {.kind = EBB__LIVE_NAMES, .address = s, .exact = true};
    os_lock(&s->memory_lock);
    figures f = ebb__figures(s->arena);
    t.name = ebb_arena_name(s->arena);
    t.held = f.held;
    t.used = f.in_chunks + f.in_large;
    t.count = s->words + atomic_load_explicit(&s->entries, memory_order_relaxed);
    put(ctx, &t);
    put(ctx, &(ebb__live_thing){.kind = EBB__LIVE_PART, .address = s->arena, .parent = s});
    os_unlock(&s->memory_lock);
}

static void tell_all(ebb__live_put *put, void *ctx)
{
    os_lock(&all_lock);
    for (shared *s = all; s; s = s->next) tell(s, put, ctx);
    os_unlock(&all_lock);
}

/* What is registered later is called earlier: who is inside a gate can finish, for the locks of the
   arenas, whose handlers are there since the first arena was made, are still free. */
static void enlist(shared *s)
{
    os_lock(&all_lock);
    if (!prepared) os_at_fork(before_fork, after_fork, after_fork_in_child);
    if (!prepared) ebb__live_source(tell_all);
    prepared = true;
    s->next = all;
    if (all) all->previous = s;
    all = s;
    os_unlock(&all_lock);
}

static void unlist(shared *s)
{
    os_lock(&all_lock);
    *(s->previous ? &s->previous->next : &all) = s->next;
    if (s->next) s->next->previous = s->previous;
    os_unlock(&all_lock);
}

/* ---- making ---------------------------------------------------------------------------------- */

static ebb_status check_set(const ebb_words *w)
{
    if (w->base == 0 || w->base % 64 || w->base > EBB_WORDS_END) return EBB_E_RANGE;
    return w->count > EBB_WORDS_END - w->base ? EBB_E_RANGE : EBB_OK;
}

static ebb_status check_params(const ebb_symtab_params *p)
{
    if (p->max_bytes > BYTES_MOST || p->word_sets > EBB_WORDS_SETS_MAX) return EBB_E_RANGE;
    for (size_t i = 0; i < p->word_sets; i++) {
        ebb_status why = check_set(p->words[i]);
        if (why != EBB_OK) return why;
    }
    return EBB_OK;
}

/* The size of segments follows from the cap, so that their directory need never grow. */
static void lay_out(shared *s)
{
    s->shift = SEGMENT_LOG2_LEAST;
    while (s->max_bytes / SEGMENTS_WANTED > (size_t)GRANULE << s->shift) s->shift++;
    s->segment_size = (size_t)GRANULE << s->shift;
    size_t first = ((EBB_WORDS_END - 1) >> s->shift) + 1; /* symbols below are words' */
    if (first < s->sets) first = s->sets;
    size_t most = s->max_bytes / s->segment_size * LARGE_SHARE + LARGE_SHARE;
    s->segments_max =
        (uint32_t)(first + most + (size_t)SHARDS * (SEGMENT_STEPS + s->shift - SEGMENT_LOG2_LEAST));
    atomic_init(&s->segment_count, (uint32_t)first);
    for (unsigned i = 0; i < SHARDS; i++) s->shard[i].next_size = SEGMENT_FIRST;
}

static void set_params(shared *s, const ebb_symtab_params *p)
{
    s->head.shared = s;
    s->seed = p->seed;
    s->any_hash = p->seed != 0;
    s->fold = p->fold_case;
    s->binary = p->binary;
    s->max_bytes = p->max_bytes ? p->max_bytes : BYTES_DEFAULT;
    s->max_entries = p->max_entries ? p->max_entries : SIZE_MAX;
    s->sets = (uint32_t)p->word_sets;
    for (uint32_t i = 0; i < s->sets; i++) s->set[i] = p->words[i];
    lay_out(s);
}

static void init_locks(shared *s)
{
    os_lock_init(&s->memory_lock);
    for (unsigned i = 0; i < SHARDS; i++) os_lock_init(&s->shard[i].lock);
}

static void *need_zeroed(shared *s, size_t size, ebb_status *ret_why)
{
    void *p = ebb__shared_alloc(s, size, ret_why);
    return p ? memset(p, 0, size) : NULL;
}

static ebb_status allocate_parts(shared *s)
{
    ebb_status why = EBB_OK;
    s->segments = need_zeroed(s, s->segments_max * sizeof *s->segments, &why);
    if (s->segments) s->stripes = need_zeroed(s, STRIPES * sizeof *s->stripes, &why);
    return s->stripes ? ebb__shared_first_indexes(s) : why;
}

/* ---- words ----------------------------------------------------------------------------------- */

static ebb_status claim_symbols(shared *s, unsigned set)
{
    const ebb_words *w = s->set[set];
    for (uint32_t sym = w->base; sym < w->base + w->count; sym += 64) {
        if (s->set_at[sym / 64]) return EBB_E_DUPLICATE;
        s->set_at[sym / 64] = (uint8_t)(set + 1);
    }
    return EBB_OK;
}

static bool word_fits(const shared *s, const record *r)
{
    key k = {record_text(r), r->len, 0, false};
    bool fits = ebb__key_refused(s, &k) == EBB_OK;
    for (uint32_t i = 0; fits && s->fold && i < r->len; i++)
        fits = k.ptr[i] < 'A' || k.ptr[i] > 'Z';
    return fits;
}

static ebb_status put_word(shared *s, unsigned set, uint32_t i, uint32_t granule)
{
    const record *r = record_at(s, set << s->shift | granule);
    if (r->sym != s->set[set]->base + i || !word_fits(s, r)) return EBB_E_INVALID;
    s->word_at[set][i] = (uint16_t)granule;
    return ebb__shared_put_word(s, set, i, granule);
}

static ebb_status put_set(shared *s, unsigned set, const char **ret_word)
{
    const ebb_words *w = s->set[set];
    const char *base = (const char *)w->ebb__records;
    atomic_store_explicit(&s->segments[set].base, base, memory_order_relaxed);
    ebb_status why = claim_symbols(s, set);
    if (why != EBB_OK) return why;
    s->word_at[set] = ebb__shared_alloc(s, w->count * sizeof *s->word_at[set], &why);
    if (!s->word_at[set]) return why;
    uint32_t granule = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        const record *r = record_at(s, set << s->shift | granule);
        why = put_word(s, set, i, granule);
        if (why == EBB_E_DUPLICATE || why == EBB_E_INVALID) *ret_word = record_text(r);
        if (why != EBB_OK) return why;
        granule += (uint32_t)(record_size(r->len) / GRANULE);
    }
    atomic_store_explicit(&s->segments[set].used, granule, memory_order_relaxed);
    s->words += w->count;
    return EBB_OK;
}

static ebb_status fill(shared *s, const ebb_symtab_params *p)
{
    const char *word = NULL;
    ebb_status why = allocate_parts(s);
    for (unsigned i = 0; i < s->sets && why == EBB_OK; i++) why = put_set(s, i, &word);
    if (word && p->ret_word) *p->ret_word = word;
    return why;
}

/* ---- life ------------------------------------------------------------------------------------ */

static shared *in_arena(ebb_arena *a, const ebb_symtab_params *p)
{
    shared *s = ebb_alloc_aligned(a, sizeof *s, _Alignof(shared));
    if (!s) return NULL;
    memset(s, 0, sizeof *s);
    s->arena = a;
    init_locks(s);
    set_params(s, p);
    return s;
}

static ebb_symtab *refuse(ebb_arena **a, ebb_status why, ebb_status *ret_why)
{
    if (*a) ebb_arena_destroy(a);
    if (ret_why) *ret_why = why;
    return NULL;
}

ebb_symtab *ebb_symtab_create(const ebb_symtab_params *params, ebb_status *ret_why)
{
    static const ebb_symtab_params defaults = EBB_SYMTAB_PARAMS_INIT;
    const ebb_symtab_params *p = params ? params : &defaults;
    ebb_arena *a = NULL;
    ebb_status why = check_params(p);
    if (why != EBB_OK) return refuse(&a, why, ret_why);
    ebb_arena_params of = EBB_ARENA_PARAMS_INIT;
    of.name = p->name ? p->name : "symbols";
    of.source = p->source;
    of.budget = p->budget;
    a = ebb_arena_create(&of);
    shared *s = in_arena(a, p);
    if (!s) return refuse(&a, ebb_failed(a), ret_why);
    why = fill(s, p);
    if (why != EBB_OK) return refuse(&a, why, ret_why);
    enlist(s);
    return &s->head;
}

void ebb_symtab_destroy(ebb_symtab **t)
{
    ebb_symtab *table = *t;
    *t = NULL;
    if (!table) return;
    if (table->request) {
        ebb__report(EBB_MISUSE, "ebb_symtab_destroy", table->shared->arena,
                    "this is a request's table over it, which ends with its scope");
        return;
    }
    shared *s = table->shared;
    ebb_arena *a = s->arena;
    unlist(s);
    ebb_scope_attach(a);
    ebb_arena_destroy(&a);
}

/* ---- looking up ------------------------------------------------------------------------------ */

/* Why this thread's last insertion into a shared table failed, and into which. */
static _Thread_local struct {
    const shared *table;
    ebb_status why;
} failed;

static COLD ebb_sym put(shared *s, const key *k)
{
    ebb_status why = EBB_OK;
    ebb_sym sym = ebb__shared_put(s, k, &why);
    if (sym) return sym;
    failed.table = s;
    failed.why = why;
    return 0;
}

static COLD ebb_sym put_hashed(shared *s, ebb_str text, uint64_t hash)
{
    key k = {text.ptr, text.len, hash, false};
    return put(s, &k);
}

static inline ebb_sym intern_hashed(ebb_symtab *t, ebb_str text, uint64_t hash)
{
    if (t->request) return ebb__request_intern(t->request, text, hash);
    ebb_sym sym = find_shared(t->shared, text.ptr, text.len, hash);
    return likely(sym != 0) ? sym : put_hashed(t->shared, text, hash);
}

static COLD ebb_sym intern_folded(ebb_symtab *t, ebb_str text)
{
    char buffer[FOLDED_MAX];
    key k = ebb__key_folded(t->shared, text, buffer);
    if (t->request) return ebb__request_intern_key(t->request, &k);
    ebb_sym sym = ebb__shared_find(t->shared, &k);
    return sym ? sym : put(t->shared, &k);
}

/* Longer than any: there is no hashing such a text. */
static COLD ebb_sym refuse_length(ebb_symtab *t)
{
    key k = {NULL, EBB_SYM_LENGTH_MAX + 1, 0, false};
    return t->request ? ebb__request_refuse(t->request, EBB_E_RANGE) : put(t->shared, &k);
}

ebb_sym ebb_intern(ebb_symtab *t, ebb_str text)
{
    const shared *s = t->shared;
    if (unlikely(text.len > EBB_SYM_LENGTH_MAX)) return refuse_length(t);
    if (unlikely(s->fold)) return intern_folded(t, text);
    return intern_hashed(t, text, hash_text(text.ptr, text.len, s->seed));
}

ebb_sym ebb__intern_hashed(ebb_symtab *t, const char *text, size_t len, uint64_t hash)
{
    const shared *s = t->shared;
    if (unlikely(s->any_hash || s->fold)) return ebb_intern(t, (ebb_str){text, len});
    return intern_hashed(t, (ebb_str){text, len}, hash);
}

static ebb_sym find_key(const ebb_symtab *t, const key *k)
{
    if (t->request) return ebb__request_find(t->request, k);
    return ebb__shared_find(t->shared, k);
}

ebb_sym ebb_intern_find(const ebb_symtab *t, ebb_str text)
{
    char buffer[FOLDED_MAX];
    const shared *s = t->shared;
    if (unlikely(text.len > EBB_SYM_LENGTH_MAX)) return 0;
    key k = {text.ptr, text.len, 0, false};
    if (unlikely(s->fold)) k = ebb__key_folded(s, text, buffer);
    else k.hash = hash_text(text.ptr, text.len, s->seed);
    return find_key(t, &k);
}

ebb_status ebb_symtab_failed(const ebb_symtab *t)
{
    if (t->request) return ebb__request_failed(t->request);
    return failed.table == t->shared ? failed.why : EBB_OK;
}

/* ---- symbols to texts ------------------------------------------------------------------------ */

static const record *word_record(const shared *s, ebb_sym sym)
{
    unsigned set = s->set_at[sym / 64];
    if (set == 0) return NULL;
    const ebb_words *w = s->set[set - 1];
    if (sym - w->base >= w->count) return NULL;
    return (const record *)(const void *)((const char *)w->ebb__records +
                                          s->word_at[set - 1][sym - w->base] * GRANULE);
}

static const record *shared_record(const shared *s, ebb_sym sym)
{
    if (sym < EBB_WORDS_END) return word_record(s, sym);
    uint32_t n = sym >> s->shift, granule = sym & (((uint32_t)1 << s->shift) - 1);
    if (n >= s->segments_max) return NULL;
    if (granule >= atomic_load_explicit(&s->segments[n].used, memory_order_acquire)) return NULL;
    const record *r = record_at(s, sym);
    return r->sym == sym ? r : NULL;
}

static COLD ebb_str no_such_symbol(const ebb_symtab *t, ebb_sym sym)
{
    ebb_str none = {"", 0};
    const char *what = "is no symbol of this table";
    if (sym == 0) return none;
    if (ebb_sym_is_local(sym))
        what = t->request ? "is local to an ended scope; use ebb_sym_promote"
                          : "is local to a request; use ebb_sym_promote while that is open";
    ebb__report(EBB_MISUSE, "ebb_sym_str", t->shared->arena, "%#x %s", sym, what);
    return none;
}

/* A function of its own, and called last, so that the way to a shared symbol saves no registers. */
static __attribute__((noinline)) ebb_str local_str(const ebb_symtab *t, ebb_sym sym)
{
    const record *r = t->request ? ebb__request_record(t->request, sym) : NULL;
    return likely(r != NULL) ? record_str(r) : no_such_symbol(t, sym);
}

ebb_str ebb_sym_str(const ebb_symtab *t, ebb_sym sym)
{
    if (ebb_sym_is_local(sym)) return local_str(t, sym);
    const record *r = shared_record(t->shared, sym);
    return likely(r != NULL) ? record_str(r) : no_such_symbol(t, sym);
}

/* ---- promotion ------------------------------------------------------------------------------- */

/* The kept text is folded, if it is to be, and its hash is that of the shared table. */
ebb_sym ebb_sym_promote(ebb_symtab *t, ebb_sym sym)
{
    if (!ebb_sym_is_local(sym)) return sym;
    const record *r = t->request ? ebb__request_record(t->request, sym) : NULL;
    if (!r) return no_such_symbol(t, sym), 0;
    shared *s = t->shared;
    key k = {record_text(r), r->len, ebb__key_hash(record_text(r), r->len, s->seed), false};
    ebb_status why = EBB_OK;
    ebb_sym up = ebb__shared_find(s, &k);
    if (!up) up = ebb__shared_put(s, &k, &why);
    return up ? up : ebb__request_refuse(t->request, why);
}
