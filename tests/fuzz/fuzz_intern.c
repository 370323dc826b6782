/*
 * tests/fuzz/fuzz_intern.c: bytes as a program over a shared table and a request's: equal texts have equal
 * symbols and others do not, the text comes back as it must, and the request sees one symbol for it.
 *
 * The first byte says what kind of table; then come an operation, a length, and that many bytes.
 */
#include "fuzz.h"

#include <ebb/ebb.h>

enum { TEXTS = 64, FOLD = 1, BINARY = 2, SEED = 4, CAPPED = 8, CAP = 200 };
enum { PUT_SHARED, PUT_LOCAL, FIND, PROMOTE, MARK, REWIND, SEAL, OPERATIONS };

typedef struct known {
    char *ptr;
    size_t len;
    ebb_sym shared, local;
    bool before_mark; /* local since then */
} known;

typedef struct program {
    ebb_symtab *shared, *own;
    ebb_arena *arena;
    known text[TEXTS];
    size_t count;
    ebb_mark mark;
    bool fold, binary, marked;
} program;

static char kept_as(const program *p, char c)
{
    return p->fold && c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

static bool is_same(const program *p, const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (kept_as(p, a[i]) != kept_as(p, b[i])) return false;
    return true;
}

static known *known_as(program *p, char *ptr, size_t len)
{
    for (size_t i = 0; i < p->count; i++) {
        known *k = &p->text[i];
        if (k->len == len && is_same(p, k->ptr, ptr, len)) return k;
    }
    if (p->count == TEXTS) return NULL;
    known *k = &p->text[p->count++];
    *k = (known){.ptr = malloc(len + 1), .len = len};
    FUZZ_CHECK(k->ptr != NULL);
    memcpy(k->ptr, ptr, len);
    ebb_sym word = ebb_intern_find(p->shared, (ebb_str){ptr, len});
    FUZZ_CHECK(word < EBB_WORDS_END);
    k->shared = word; /* or 0 */
    return k;
}

static void check_text(const program *p, const known *k, const ebb_symtab *t, ebb_sym sym)
{
    ebb_str s = ebb_sym_str(t, sym);
    FUZZ_CHECK(s.len == k->len && s.ptr[s.len] == '\0');
    for (size_t i = 0; i < s.len; i++) FUZZ_CHECK(s.ptr[i] == kept_as(p, k->ptr[i]));
}

static void put_shared(program *p, known *k, ebb_sym sym)
{
    if (k->shared) FUZZ_CHECK(sym == k->shared);
    if (!sym) return;
    FUZZ_CHECK(p->binary || !k->len || !memchr(k->ptr, 0, k->len));
    k->shared = sym;
    check_text(p, k, p->shared, sym);
    for (size_t i = 0; i < p->count; i++) FUZZ_CHECK(&p->text[i] == k || p->text[i].shared != sym);
}

static void put_local(program *p, known *k, ebb_str text)
{
    ebb_sym was = k->local ? k->local : k->shared, sym = ebb_intern(p->own, text);
    if (was) FUZZ_CHECK(sym == was);
    if (!sym) FUZZ_CHECK(!p->binary && memchr(k->ptr, 0, k->len));
    if (was || !sym) return;
    FUZZ_CHECK(ebb_sym_is_local(sym));
    k->local = sym;
    k->before_mark = !p->marked;
    check_text(p, k, p->own, sym);
}

static void rewind_to_mark(program *p)
{
    if (!p->marked) return;
    ebb_arena_rewind(p->arena, p->mark);
    p->marked = false;
    for (size_t i = 0; i < p->count; i++) {
        known *k = &p->text[i];
        ebb_sym now = ebb_intern_find(p->own, (ebb_str){k->ptr, k->len});
        if (k->local && k->before_mark) FUZZ_CHECK(now == k->local);
        if (now != k->local) k->local = 0;
        k->before_mark = k->local != 0;
    }
}

static void mark(program *p)
{
    p->mark = ebb_arena_mark(p->arena);
    p->marked = true;
    for (size_t i = 0; i < p->count; i++) p->text[i].before_mark = p->text[i].local != 0;
}

static void step(program *p, int operation, known *k, ebb_str text)
{
    ebb_sym seen = k->local ? k->local : k->shared;
    switch (operation) {
    case PUT_SHARED: put_shared(p, k, ebb_intern(p->shared, text)); break;
    case PUT_LOCAL: put_local(p, k, text); break;
    case FIND:
        FUZZ_CHECK(ebb_intern_find(p->shared, text) == k->shared);
        FUZZ_CHECK(ebb_intern_find(p->own, text) == seen);
        break;
    case PROMOTE:
        if (seen) put_shared(p, k, ebb_sym_promote(p->own, seen));
        break;
    case MARK: mark(p); break;
    case REWIND: rewind_to_mark(p); break;
    default: ebb_symtab_seal(p->shared); break;
    }
}

static void run(program *p, const uint8_t *data, size_t size)
{
    while (size >= 2) {
        int operation = data[0] % OPERATIONS;
        size_t len = data[1] < size - 2 ? data[1] : size - 2;
        char *copy = fuzz_copy(data + 2, len);
        known *k = known_as(p, copy, len);
        if (k) step(p, operation, k, (ebb_str){copy, len});
        free(copy);
        data += 2 + len;
        size -= 2 + len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ebb_words *const sets[] = {&ebb_vm_status};
    program p = {0};
    uint8_t kind = size ? data[0] : 0;
    ebb_symtab_params params = {.fold_case = kind & FOLD, .binary = kind & BINARY};
    params.seed = kind & SEED ? kind : 0;
    params.max_bytes = kind & CAPPED ? CAP : 0;
    params.words = sets;
    params.word_sets = 1;
    p.fold = params.fold_case;
    p.binary = params.binary;
    p.shared = ebb_symtab_create(&params, NULL);
    p.arena = ebb_scope_begin(NULL);
    p.own = ebb_symtab_over(p.arena, p.shared);
    FUZZ_CHECK(p.shared && p.own);
    if (size) run(&p, data + 1, size - 1);
    FUZZ_CHECK(!ebb_symtab_validate(p.shared) && !ebb_symtab_validate(p.own));
    ebb_scope_end(&p.arena);
    ebb_symtab_destroy(&p.shared);
    for (size_t i = 0; i < p.count; i++) free(p.text[i].ptr);
    return 0;
}
