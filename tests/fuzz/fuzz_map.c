/*
 * tests/fuzz/fuzz_map.c: a program of puts, removals, look-ups, iterations and failures over maps whose
 * keys are slices of the input itself, against an array. Two bytes say what is done, and to which key; with
 * the first byte the hash is chosen, down to one that lets all keys collide.
 */
#include "fuzz.h"

#include <ebb/ebb.h>

static uint64_t hash_mask;

#define EBB_MAP             texts, ebb_str, uint64_t, user
#define EBB_HASH(key, seed) (ebb_hash_str(key, seed) & hash_mask)
#define EBB_EQ(a, b)        ebb__same_bytes(a, b)
#include <ebb/map_of.h>

#define EBB_MAP stables, ebb_str, uint64_t, str, stable
#include <ebb/map_of.h>

enum { KEYS = 256 };

typedef struct model {
    ebb_str key[KEYS];
    bool in[KEYS];
    uint64_t val[KEYS];
    size_t len;
} model;

/* The i-th key: up to 24 bytes of the input; none twice, since its number is in it. */
static ebb_str key_of(ebb_arena *a, const uint8_t *data, size_t size, size_t i)
{
    size_t at = size ? i * 7 % size : 0, n = size - at < i % 24 ? size - at : i % 24;
    char *p = ebb_alloc(a, n + 1);
    FUZZ_CHECK(p != NULL);
    p[0] = (char)i;
    if (n) memcpy(p + 1, data + at, n);
    return (ebb_str){p, n + 1};
}

static void check_all(const model *m, texts *t, stables *s)
{
    size_t n = 0, k = 0;
    for (texts_iter i = texts_each(t); texts_next(&i); n++) {
        size_t at = (unsigned char)i.key.ptr[0];
        FUZZ_CHECK(m->in[at] && m->val[at] == *i.val);
    }
    for (stables_iter i = stables_each(s); stables_next(&i); k++)
        FUZZ_CHECK(m->in[(unsigned char)i.key.ptr[0]]);
    FUZZ_CHECK(n == m->len && k == m->len && t->len == n && s->len == k);
}

static void put(model *m, texts *t, stables *s, size_t k, uint64_t v)
{
    FUZZ_CHECK(texts_put(t, m->key[k], v) && stables_put(s, m->key[k], v));
    m->len += !m->in[k];
    m->in[k] = true;
    m->val[k] = v;
}

static void remove_one(model *m, texts *t, stables *s, size_t k)
{
    FUZZ_CHECK(texts_remove(t, m->key[k]) == m->in[k]);
    FUZZ_CHECK(stables_remove(s, m->key[k]) == m->in[k]);
    m->len -= m->in[k];
    m->in[k] = false;
}

/* Every other entry, or all whose key has an odd number. */
static void remove_some(model *m, texts *t, stables *s, size_t bit)
{
    for (texts_iter i = texts_each(t); texts_next(&i);) {
        size_t k = (unsigned char)i.key.ptr[0];
        if (!(k >> bit & 1)) continue;
        texts_remove_at(&i);
        FUZZ_CHECK(stables_remove(s, m->key[k]));
        m->in[k] = false;
        m->len--;
    }
}

static void step(model *m, texts *t, stables *s, const uint8_t *op)
{
    size_t k = op[1];
    switch (op[0] % 8) {
    case 0:
    case 1:
    case 2: put(m, t, s, k, op[0]); break;
    case 3:
    case 4: remove_one(m, t, s, k); break;
    case 5: remove_some(m, t, s, k % 8); break;
    case 6: FUZZ_CHECK(texts_reserve(t, k) && stables_reserve(s, k)); break;
    default: {
        uint64_t *v = texts_find(t, m->key[k]);
        FUZZ_CHECK((v != NULL) == m->in[k] && (!v || *v == m->val[k]));
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static model m;
    if (size < 1) return 0;
    hash_mask = data[0] < 64 ? ((uint64_t)1 << data[0]) - 1 : UINT64_MAX;
    memset(&m, 0, sizeof m);
    ebb_arena *a = ebb_arena_create(NULL);
    for (size_t i = 0; i < KEYS; i++) m.key[i] = key_of(a, data + 1, size - 1, i);
    texts t = texts_in(a);
    stables s = stables_in(a);
    for (size_t at = 1; at + 1 < size; at += 2) step(&m, &t, &s, data + at);
    check_all(&m, &t, &s);
    FUZZ_CHECK(ebb_arena_validate(a) == NULL);
    ebb_arena_destroy(&a);
    return 0;
}
