/*
 * intern/key.c: texts before they are symbols: folding case, hashing, what a table refuses.
 *
 * A table that folds case keeps its texts in lower case, so that what it answers does not depend on
 * who came first. Texts up to FOLDED_MAX bytes are folded into a buffer first, and then are like
 * any other; longer ones are folded piece by piece each time they are hashed, compared or copied.
 */
#include "find.h"

/* ---- folding --------------------------------------------------------------------------------- */

/* Eight bytes at once, after Tony Finch, "tolower() in bulk at speed". */
static uint64_t fold8(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t seven = word & 0x7f * ones;
    uint64_t above = seven + (0x7f - 'Z') * ones, from = seven + (0x80 - 'A') * ones;
    uint64_t is_upper = (~word & 0x80 * ones) & (above ^ from);
    return word | is_upper >> 2;
}

static char fold1(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static void fold(char *to, const char *from, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t word = fold8(load64(from + i));
        memcpy(to + i, &word, sizeof word);
    }
    for (; i < n; i++) to[i] = fold1(from[i]);
}

static uint64_t hash_folded(ebb_str text, uint64_t seed)
{
    char piece[FOLDED_MAX];
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    XXH3_64bits_reset_withSeed(&state, seed);
    for (size_t i = 0; i < text.len; i += sizeof piece) {
        size_t n = text.len - i < sizeof piece ? text.len - i : sizeof piece;
        fold(piece, text.ptr + i, n);
        XXH3_64bits_update(&state, piece, n);
    }
    return XXH3_64bits_digest(&state);
}

static bool same_folded(const char *lower, const char *any, size_t n)
{
    char piece[FOLDED_MAX];
    for (size_t i = 0; i < n; i += sizeof piece) {
        size_t len = n - i < sizeof piece ? n - i : sizeof piece;
        fold(piece, any + i, len);
        if (memcmp(piece, lower + i, len) != 0) return false;
    }
    return true;
}

/* ---- keys ------------------------------------------------------------------------------------ */

uint64_t ebb__key_hash(const char *p, size_t n, uint64_t seed)
{
    return hash_text(p, n, seed);
}

key ebb__key_folded(const shared *s, ebb_str text, char buffer[FOLDED_MAX])
{
    key k = {text.ptr, text.len, 0, text.len > FOLDED_MAX};
    if (k.fold) {
        k.hash = hash_folded(text, s->seed);
        return k;
    }
    fold(buffer, text.ptr, text.len);
    k.ptr = buffer;
    k.hash = hash_text(buffer, text.len, s->seed);
    return k;
}

bool ebb__key_is(const key *k, const record *r)
{
    if (!k->fold) return key_is(k, r);
    return r->len == k->len && same_folded(record_text(r), k->ptr, k->len);
}

/* With a NUL. */
void ebb__key_copy(const key *k, char *to)
{
    if (k->fold) fold(to, k->ptr, k->len);
    else if (k->len > 0) memcpy(to, k->ptr, k->len);
    to[k->len] = '\0';
}

/* Why `s`, and request tables over it, can't take `k`; EBB_OK: they can. */
ebb_status ebb__key_refused(const shared *s, const key *k)
{
    if (k->len > EBB_SYM_LENGTH_MAX) return EBB_E_RANGE;
    if (!s->binary && k->len > 0 && memchr(k->ptr, 0, k->len)) return EBB_E_INVALID;
    return EBB_OK;
}
