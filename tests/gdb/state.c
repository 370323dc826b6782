/*
 * tests/gdb/state.c: a program that brings about one of everything that ebb-gdb.py shows, then calls
 * ready(), where `check` looks at it. What is looked at is in global variables.
 */
#include <ebb/bitset.h>
#include <ebb/bufpool.h>
#include <ebb/builder.h>
#include <ebb/cache.h>
#include <ebb/cleanup.h>
#include <ebb/compat/malloc.h>
#include <ebb/cow.h>
#include <ebb/ebb.h>
#include <ebb/intern.h>
#include <ebb/map.h>
#include <ebb/share.h>
#include <ebb/track.h>
#include <ebb/words.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EBB_VEC numbers, int
#include <ebb/vec_of.h>
#define EBB_SMALLVEC tags, uint32_t, 4
#include <ebb/smallvec_of.h>
#define EBB_DEQUE jobs, int
#include <ebb/deque_of.h>
#define EBB_HEAP       timers, int
#define EBB_LESS(a, b) ((a) < (b))
#include <ebb/heap_of.h>
#define EBB_MAP ages, ebb_str, int, str
#include <ebb/map_of.h>
#define EBB_MAP squares, uint64_t, uint64_t
#include <ebb/map_of.h>
#define EBB_MAP kept, ebb_str, int, str, stable
#include <ebb/map_of.h>
#define EBB_SET seen, int
#include <ebb/map_of.h>

/* ---- arenas ------------------------------------------------------------------------------------ */

static ebb_profile request = EBB_PROFILE("request");
static ebb_profile small = EBB_PROFILE("small", .hard = 8192);
static ebb_profile background = EBB_PROFILE("background");

typedef struct watched {
    ebb_arena *arena;
    ebb_arena_stats stats; /* as the library sees it */
} watched;

watched outer, older, newer, below, limited, buffered, in_buffer_child, sealed, sourced, tenant,
    counted, recycler;
ebb_arena *adopted, *adopted_below, *ended, *worker, *youngest, *dead;
ebb_budget *budget;
ebb_budget_stats spent;
uint64_t fake[8] = {0, UINT64_MAX, 0, 0,
                    0, 0,          0, UINT64_MAX >> 32 << 32}; /* closed; with all bits */
char *in_head, *in_chunk, *growing, *earlier, *free_byte, *in_large, *in_adopted, *in_source,
    *in_hole, *in_listed;
char buffer[4096];
char *on_heap;
ebb_mark mark;
static ebb_cleanup row, pin;

static void close_file(void *arg)
{
    (void)arg;
}

static void hang_up(ebb_cleanup *c)
{
    (void)c;
}

static void *source_alloc(void *ctx, size_t size, size_t align)
{
    (void)ctx;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void source_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

static const ebb_source source = {source_alloc, source_free, NULL, 64};

static void *must(void *ptr)
{
    if (!ptr) exit(1);
    return ptr;
}

static void make_outer(void)
{
    outer.arena = ebb_scope_begin(&request);
    ebb_arena_set_label(outer.arena, "GET /\"index\"");
    in_head = must(ebb_alloc_aligned(outer.arena, 24, 1));
    ebb_defer(outer.arena, close_file, &buffer[1]);
    if (!ebb_cleanup_add(outer.arena, &row, hang_up) ||
        !ebb_cleanup_pin(outer.arena, &pin, hang_up))
        exit(1);
    for (int i = 0; i < 40; i++) in_chunk = must(ebb_alloc(outer.arena, 100));
    in_large = must(ebb_alloc(outer.arena, 100000));
    earlier = must(ebb_resize(outer.arena, NULL, 0, 100));
    mark = ebb_arena_mark(outer.arena); /* freezes it */
    growing = must(ebb_resize(outer.arena, NULL, 0, 200));
}

static void make_family(void)
{
    older.arena = ebb_scope_begin_in(outer.arena, &request);
    ebb_arena_set_label(older.arena, "older");
    newer.arena = ebb_scope_begin_in(outer.arena, &request);
    ebb_arena_set_label(newer.arena, "newer");
    below.arena = ebb_scope_begin_in(newer.arena, &request);
    ebb_arena_set_label(below.arena, "below");
    ebb_arena *child = adopted = ebb_arena_create(&(ebb_arena_params){.name = "rows"});
    ebb_arena *grandchild = adopted_below = ebb_arena_create(&(ebb_arena_params){.name = "cells"});
    in_adopted = must(ebb_alloc(grandchild, 5000));
    ebb_arena_adopt(child, &grandchild);
    youngest = ebb_scope_begin_in(older.arena, &request);
    ebb_arena_set_label(youngest, "youngest");
    ebb_arena_adopt(older.arena, &child);
}

static void make_odd_ones(void)
{
    limited.arena = ebb_scope_begin(&small);
    if (ebb_alloc(limited.arena, 100000)) exit(1);
    buffered.arena = ebb_arena_create(
        &(ebb_arena_params){.name = "buffered", .buffer = buffer, .buffer_size = sizeof buffer});
    in_buffer_child.arena = ebb_scope_begin_in(buffered.arena, &request);
    sourced.arena =
        ebb_arena_create(&(ebb_arena_params){.name = "sourced", .source = &source, .wipe = true});
    in_source = must(ebb_alloc(sourced.arena, 10));
    budget =
        must(ebb_budget_create(NULL, &(ebb_budget_params){.name = "tenant 7", .hard = 1 << 20}));
    tenant.arena =
        ebb_arena_create(&(ebb_arena_params){.name = "tenant", .budget = budget, .soft = 500000});
    counted.arena = ebb_arena_create(&(ebb_arena_params){.name = "counted"});
    must(ebb_tracker_begin("counted", (ebb_watch){.arena = counted.arena}, NULL, NULL));
    ebb_arena *shared = ebb_shared_begin("shared");
    sealed.arena = shared;
    const void *root = ebb_strdup(shared, "settings");
    must(ebb_shared_seal(&shared, root, NULL));
    ebb_arena *gone = ended = ebb_scope_begin(&request);
    ebb_scope_end(&gone);
    dead = NULL;
}

/* What a vector has outgrown waits in a bin: neither the newest object nor in a block of its own. */
static void make_hole(void)
{
    recycler.arena = ebb_arena_create(&(ebb_arena_params){.name = "recycler", .size = 32768});
    ebb_storage first = {NULL, 0}, second = {NULL, 0};
    if (!ebb_storage_grow(recycler.arena, &first, 0, 2000)) exit(1);
    in_hole = first.ptr;
    if (!ebb_storage_grow(recycler.arena, &second, 0, 100)) exit(1);
    must(ebb_alloc(recycler.arena, 100));
    ebb_storage_release(recycler.arena, &first);
    in_listed = ebb_hook_sized(recycler.arena, NULL, 0, 90);
    must(in_listed);
    ebb_hook_sized(recycler.arena, in_listed, 90, 0);
}

static pthread_barrier_t begun;

static void *work(void *arg)
{
    worker = ebb_scope_begin(&background);
    ebb_arena *before = ebb_scope_enter(worker);
    pthread_barrier_wait(&begun);
    pthread_barrier_wait(&begun); /* never */
    ebb_scope_leave(before);
    return arg;
}

/* ---- values ------------------------------------------------------------------------------------ */

ebb_str text, binary, empty, cut, nowhere = {(const char *)8, 5};
ebb_builder built, unbuilt, failed_builder;
ebb_cow borrowed, owned;
ebb_buf *buf;
ebb_bitset bits;
ebb_key key_text, key_number, key_local;
ebb_sym sym_word, sym_shared, sym_local, sym_none;
ebb_status why = EBB_E_LIMIT, fine = EBB_OK, own;
const char *status_texts[64]; /* of 0, -1, ... */
numbers vec, no_numbers;
tags inside, outside;
jobs queue;
timers heap;
ages dense;
squares table;
kept stable;
seen set;
ebb_map_u64_u64 ready_made;

static void make_strings(ebb_arena *a)
{
    text = EBB_STR("tide \"pool\"\n");
    binary = (ebb_str){"\xc3\xa9\xff\0\x1b\\z", 7};
    cut = (ebb_str){must(ebb_alloc(a, 1000)), 1000};
    memset((char *)(uintptr_t)cut.ptr, 'x', 1000);
    built = ebb_builder_in(a);
    if (!ebb_builder_text(&built, "built")) exit(1);
    unbuilt = ebb_builder_in(a);
    failed_builder = ebb_builder_in(limited.arena);
    (void)ebb_builder_text(&failed_builder, "no room");
    borrowed = ebb_cow_of(a, EBB_STR("/A/b"));
    owned = borrowed;
    if (!ebb_cow_lower(&owned)) exit(1);
    buf = must(ebb_bufpool_small(outer.arena, NULL));
    memcpy(buf->ptr, "lent", buf->len = 4);
}

static void make_names(ebb_arena *a)
{
    const ebb_words *sets[] = {&ebb_vm_status};
    ebb_symtab_params params = EBB_SYMTAB_PARAMS_INIT;
    params.name = "names";
    params.words = sets;
    params.word_sets = 1;
    ebb_symtab *names = must(ebb_symtab_create(&params, NULL));
    sym_word = EBB_VM_RUNNING;
    sym_shared = ebb_intern(names, EBB_STR("host-17"));
    sym_local = ebb_intern(must(ebb_symtab_over(a, names)), EBB_STR("hostile"));
    key_text = ebb_key_str(EBB_STR("tenant"));
    key_number = ebb_key_u64(42);
    key_local = ebb_key_sym(sym_local);
}

static void make_sequences(ebb_arena *a)
{
    vec = numbers_in(a);
    no_numbers = numbers_in(a);
    inside = tags_in(a);
    outside = tags_in(a);
    queue = jobs_in(a);
    heap = timers_in(a);
    bits = ebb_bitset_in(a);
    for (int i = 0; i < 300; i++) must(numbers_push(&vec, i * i));
    for (uint32_t i = 0; i < 3; i++) must(tags_push(&inside, i + 7));
    for (uint32_t i = 0; i < 6; i++) must(tags_push(&outside, i + 70));
    for (int i = 3; i < 8; i++) must(jobs_push_back(&queue, i));
    for (int i = 2; i > 0; i--) must(jobs_push_front(&queue, i)); /* wrapped */
    for (int i = 9; i > 6; i--)
        if (!timers_push(&heap, i)) exit(1);
    const size_t members[] = {0, 63, 64, 1000};
    for (size_t i = 0; i < 4; i++)
        if (!ebb_bitset_put(&bits, members[i])) exit(1);
}

static void make_maps(ebb_arena *a)
{
    dense = ages_in(a);
    table = squares_in(a);
    stable = kept_in(a);
    set = seen_in(a);
    ready_made = ebb_map_u64_u64_in(a);
    must(ages_put(&dense, EBB_STR("ann"), 31));
    must(ages_put(&dense, EBB_STR("bob"), 47));
    must(ages_put(&dense, EBB_STR("cid"), 5));
    ages_remove(&dense, EBB_STR("bob"));
    /* As full as it may be, so that groups have overflowed, and of a size that leaves out the last slots. */
    for (uint64_t i = 0; i < 830; i++) must(squares_put(&table, i, i * i));
    for (uint64_t i = 0; i < 780; i++) squares_remove(&table, i);
    must(kept_put(&stable, EBB_STR("kept"), 1));
    for (int i = 1; i < 4; i++)
        if (!seen_put(&set, i * 11)) exit(1);
    must(ebb_map_u64_u64_put(&ready_made, 6, 36));
}

/* ---- all of it --------------------------------------------------------------------------------- */

static void note(watched *w)
{
    ebb_arena_get_stats(w->arena, &w->stats);
}

__attribute__((noinline)) static void ready(void)
{
    __asm__ volatile("");
}

int main(void)
{
    pthread_t thread;
    pthread_barrier_init(&begun, NULL, 2);
    make_outer();
    make_family();
    make_odd_ones();
    make_hole();
    pthread_create(&thread, NULL, work, NULL);
    pthread_barrier_wait(&begun);
    ebb_arena *values = ebb_arena_create(&(ebb_arena_params){.name = "values"});
    make_strings(values);
    make_names(values);
    make_sequences(values);
    make_maps(values);
    own = (ebb_status)7;
    for (int i = 0; i < 64; i++) status_texts[i] = ebb_status_text(-i);
    ebb_arena *before = ebb_scope_enter(below.arena);
    free_byte = growing + 500;
    on_heap = must(malloc(100));
    watched *all[] = {&outer,           &older,  &newer,   &below,  &limited, &buffered,
                      &in_buffer_child, &sealed, &sourced, &tenant, &counted, &recycler};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) note(all[i]);
    ebb_budget_get_stats(budget, &spent);
    ready();
    ebb_scope_leave(before);
    printf("%d\n", (int)sym_none);
    return 0; /* the rest goes with the process */
}
