/*
 * bench/containers/str.c: strings and builders against what else builds, reads and escapes text.
 *
 *     bench-str [--rounds N] [--only WORKLOAD] [--count OPS]
 *
 * prints raw samples (bench/harness/harness.h); `./run bench containers` makes tables of them. Under
 * callgrind, --count counts instructions instead.
 *
 * Each string begins with an empty builder and ends finished, and lives in a scope (Ebb), a fresh or a
 * kept object (the peers, by their quickest way); the operation is one piece, one number, or one text.
 */
#include "str.h"

#include "../harness/asked.h"

#include <ebb/ebb.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <obstack.h>
/* Its macros convert between int and size_t, whatever they are given. */
#pragma GCC diagnostic ignored "-Wsign-conversion"
#define obstack_chunk_alloc malloc
#define obstack_chunk_free  free

#if BENCH_HAVE_GLIB
#include <glib.h>
#endif
#if BENCH_HAVE_JANSSON
#include <jansson.h>
#endif

inputs bench_inputs;
uint64_t bench_sink;

/* ---- inputs ---------------------------------------------------------------------------------- */

static char *spare(size_t size)
{
    static char *from;
    static size_t left;
    if (left < size) from = bench_need(left = 1 << 20);
    left -= size;
    from += size;
    return from - size;
}

static piece text_of(const char *bytes, size_t len)
{
    char *to = spare(len + 1);
    memcpy(to, bytes, len);
    to[len] = '\0';
    return (piece){to, len};
}

static void make_prose(bench_random *r)
{
    for (size_t i = 0; i < PROSE; i++) {
        uint64_t n = bench_random_next(r);
        bool special = n % 100 == 0;
        bench_inputs.prose[i] = (char)(special ? (n >> 32) % 2 ? '"' : '\n' : 'a' + (n >> 32) % 26);
    }
}

static void make_inputs(void)
{
    bench_random r = {7};
    char text[64];
    inputs *in = &bench_inputs;
    for (size_t i = 0; i < PIECES; i++) {
        size_t len = 8 + bench_random_next(&r) % 9;
        for (size_t k = 0; k < len; k++) text[k] = (char)('a' + bench_random_next(&r) % 26);
        in->pieces[i] = text_of(text, len);
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        in->integers[i] = bench_random_next(&r) >> bench_random_next(&r) % 64;
        in->doubles[i] =
            i % 2 ? bench_random_unit(&r) : (double)(bench_random_next(&r) % 100000) / 100;
        in->integer_texts[i] = text_of(
            text, (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)in->integers[i]));
        in->double_texts[i] = text_of(
            text, (size_t)snprintf(text, sizeof text, i % 2 ? "%.17g" : "%.7g", in->doubles[i]));
    }
    make_prose(&r);
}

/* ---- loops ----------------------------------------------------------------------------------- */

/* BEGIN a string, do what follows for each of its operations, END it; from inputs in rotation. */
#define STRINGS(count, most, BEGIN, END, ...)                                                      \
    for (size_t at = 0; ops > 0;) {                                                                \
        size_t n = ops < (size_t)(count) ? ops : (size_t)(count);                                  \
        ops -= n;                                                                                  \
        BEGIN;                                                                                     \
        for (size_t end = at + n; at < end; at++) {                                                \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
        at %= (most);                                                                              \
        END;                                                                                       \
    }

#define EBB_BEGIN                                                                                  \
    ebb_arena *a = ebb_scope_begin(&profile);                                                      \
    ebb_builder b = ebb_builder_in(a)
#define EBB_END                                                                                    \
    bench_sink += ebb_builder_finish(&b).len;                                                      \
    ebb_scope_end(&a)

#define PIECE bench_inputs.pieces[at]

/* ---- Ebb ------------------------------------------------------------------------------------- */

static void ebb_pieces(void *state, size_t ops)
{
    static ebb_profile profile = EBB_PROFILE("pieces");
    (void)state;
    STRINGS(PIECES_A_STRING, PIECES, EBB_BEGIN, EBB_END,
            ebb_builder_append(&b, (ebb_str){PIECE.ptr, PIECE.len}));
}

static void ebb_body(void *state, size_t ops)
{
    static ebb_profile profile = EBB_PROFILE("body");
    (void)state;
    STRINGS(PIECES, PIECES, EBB_BEGIN, EBB_END,
            ebb_builder_append(&b, (ebb_str){PIECE.ptr, PIECE.len}));
}

static void ebb_literals(void *state, size_t ops)
{
    static ebb_profile profile = EBB_PROFILE("literals");
    (void)state;
    STRINGS(PIECES_A_STRING, PIECES, EBB_BEGIN, EBB_END,
            ebb_builder_append(&b, EBB_STR("\"status\":\"ok\"")));
}

static void ebb_bytes(void *state, size_t ops)
{
    static ebb_profile profile = EBB_PROFILE("bytes");
    (void)state;
    STRINGS(BYTES_A_STRING, BYTES_A_STRING, EBB_BEGIN, EBB_END, ebb_builder_char(&b, (char)at));
}

static void ebb_u64(void *state, size_t ops)
{
    static ebb_profile profile = EBB_PROFILE("u64");
    (void)state;
    STRINGS(NUMBERS_A_STRING, NUMBERS, EBB_BEGIN, EBB_END,
            ebb_builder_u64(&b, bench_inputs.integers[at]));
}

static void ebb_doubles(void *state, size_t ops)
{
    static ebb_profile profile = EBB_PROFILE("doubles");
    (void)state;
    STRINGS(NUMBERS_A_STRING, NUMBERS, EBB_BEGIN, EBB_END,
            ebb_builder_double(&b, bench_inputs.doubles[at]));
}

static void ebb_read_u64(void *state, size_t ops)
{
    uint64_t value = 0;
    (void)state;
    STRINGS(NUMBERS, NUMBERS, , , {
        piece p = bench_inputs.integer_texts[at];
        if (ebb_str_to_u64((ebb_str){p.ptr, p.len}, &value) == EBB_OK) bench_sink += value;
    });
}

static void ebb_read_double(void *state, size_t ops)
{
    double value = 0, sum = 0;
    (void)state;
    STRINGS(NUMBERS, NUMBERS, , , {
        piece p = bench_inputs.double_texts[at];
        if (ebb_str_to_double((ebb_str){p.ptr, p.len}, &value) == EBB_OK) sum += value;
    });
    bench_sink += (uint64_t)sum;
}

static void ebb_json(void *state, size_t ops)
{
    static ebb_profile profile = EBB_PROFILE("json");
    (void)state;
    STRINGS(1, 1, EBB_BEGIN, EBB_END, ebb_builder_json(&b, (ebb_str){bench_inputs.prose, PROSE}));
}

static void ebb_url(void *state, size_t ops)
{
    static ebb_profile profile = EBB_PROFILE("url");
    (void)state;
    STRINGS(1, 1, EBB_BEGIN, EBB_END, ebb_builder_url(&b, (ebb_str){bench_inputs.prose, PROSE}));
}

static ebb_str nth(size_t i)
{
    piece p = bench_inputs.pieces[i % PIECES];
    return (ebb_str){p.ptr, p.len};
}

static void ebb_concat(void *state, size_t ops)
{
    static ebb_profile profile = EBB_PROFILE("concat");
    (void)state;
    STRINGS(8, PIECES, ebb_arena *a = ebb_scope_begin(&profile), ebb_scope_end(&a),
            bench_sink +=
            ebb_str_concat(a, nth(at), EBB_STR("/"), nth(at + 1), EBB_STR("/"), nth(at + 2)).len);
}

/* ---- the C library --------------------------------------------------------------------------- */

static void obstack_pieces(void *state, size_t ops)
{
    struct obstack o;
    (void)state;
    obstack_init(&o);
    STRINGS(
        PIECES_A_STRING, PIECES, ,
        {
            obstack_1grow(&o, '\0');
            bench_sink += (size_t)obstack_object_size(&o);
            obstack_free(&o, obstack_finish(&o));
        },
        obstack_grow(&o, PIECE.ptr, (int)PIECE.len));
    obstack_free(&o, NULL);
}

static void obstack_body(void *state, size_t ops)
{
    struct obstack o;
    (void)state;
    obstack_init(&o);
    STRINGS(
        PIECES, PIECES, ,
        {
            obstack_1grow(&o, '\0');
            bench_sink += (size_t)obstack_object_size(&o);
            obstack_free(&o, obstack_finish(&o));
        },
        obstack_grow(&o, PIECE.ptr, (int)PIECE.len));
    obstack_free(&o, NULL);
}

static void obstack_bytes(void *state, size_t ops)
{
    struct obstack o;
    (void)state;
    obstack_init(&o);
    STRINGS(
        BYTES_A_STRING, BYTES_A_STRING, ,
        {
            obstack_1grow(&o, '\0');
            bench_sink += (size_t)obstack_object_size(&o);
            obstack_free(&o, obstack_finish(&o));
        },
        obstack_1grow(&o, (char)at));
    obstack_free(&o, NULL);
}

static void memstream_pieces(void *state, size_t ops)
{
    (void)state;
    STRINGS(PIECES_A_STRING, PIECES, char *text = NULL; size_t size = 0;
            FILE *f = open_memstream(&text, &size), fclose(f); bench_sink += size;
            free(text), fwrite_unlocked(PIECE.ptr, 1, PIECE.len, f));
}

static void snprintf_u64(void *state, size_t ops)
{
    char text[NUMBERS_A_STRING * 24];
    (void)state;
    STRINGS(NUMBERS_A_STRING, NUMBERS, size_t len = 0, bench_sink += len,
            len += (size_t)snprintf(text + len, sizeof text - len, "%llu",
                                    (unsigned long long)bench_inputs.integers[at]));
}

static void snprintf_doubles(void *state, size_t ops)
{
    char text[NUMBERS_A_STRING * 32];
    (void)state;
    STRINGS(NUMBERS_A_STRING, NUMBERS, size_t len = 0, bench_sink += len,
            len +=
            (size_t)snprintf(text + len, sizeof text - len, "%.17g", bench_inputs.doubles[at]));
}

static void strtoull_u64(void *state, size_t ops)
{
    (void)state;
    STRINGS(NUMBERS, NUMBERS, , ,
            bench_sink += strtoull(bench_inputs.integer_texts[at].ptr, NULL, 10));
}

static void strtod_double(void *state, size_t ops)
{
    double sum = 0;
    (void)state;
    STRINGS(NUMBERS, NUMBERS, , , sum += strtod(bench_inputs.double_texts[at].ptr, NULL));
    bench_sink += (uint64_t)sum;
}

/* ---- GLib ------------------------------------------------------------------------------------ */

#if BENCH_HAVE_GLIB
static void gstring_pieces(void *state, size_t ops)
{
    (void)state;
    STRINGS(PIECES_A_STRING, PIECES, GString *s = g_string_sized_new(1024), bench_sink += s->len;
            g_string_free(s, TRUE), g_string_append_len(s, PIECE.ptr, (gssize)PIECE.len));
}

static void gstring_body(void *state, size_t ops)
{
    (void)state;
    STRINGS(PIECES, PIECES, GString *s = g_string_sized_new(1024), bench_sink += s->len;
            g_string_free(s, TRUE), g_string_append_len(s, PIECE.ptr, (gssize)PIECE.len));
}

static void gstring_kept_pieces(void *state, size_t ops)
{
    GString *s = g_string_sized_new(1024);
    (void)state;
    STRINGS(PIECES_A_STRING, PIECES, g_string_truncate(s, 0), bench_sink += s->len,
            g_string_append_len(s, PIECE.ptr, (gssize)PIECE.len));
    g_string_free(s, TRUE);
}

static void gstring_kept_body(void *state, size_t ops)
{
    GString *s = g_string_sized_new(1024);
    (void)state;
    STRINGS(PIECES, PIECES, g_string_truncate(s, 0), bench_sink += s->len,
            g_string_append_len(s, PIECE.ptr, (gssize)PIECE.len));
    g_string_free(s, TRUE);
}

static void gstring_literals(void *state, size_t ops)
{
    (void)state;
    STRINGS(PIECES_A_STRING, PIECES, GString *s = g_string_sized_new(1024), bench_sink += s->len;
            g_string_free(s, TRUE),
            g_string_append_len(s, "\"status\":\"ok\"", sizeof "\"status\":\"ok\"" - 1));
}

static void gstring_bytes(void *state, size_t ops)
{
    (void)state;
    STRINGS(BYTES_A_STRING, BYTES_A_STRING, GString *s = g_string_new(NULL), bench_sink += s->len;
            g_string_free(s, TRUE), g_string_append_c(s, (char)at));
}

static void gstring_u64(void *state, size_t ops)
{
    (void)state;
    STRINGS(NUMBERS_A_STRING, NUMBERS, GString *s = g_string_new(NULL), bench_sink += s->len;
            g_string_free(s, TRUE),
            g_string_append_printf(s, "%" G_GUINT64_FORMAT, bench_inputs.integers[at]));
}

static void glib_read_double(void *state, size_t ops)
{
    double sum = 0;
    (void)state;
    STRINGS(NUMBERS, NUMBERS, , , sum += g_ascii_strtod(bench_inputs.double_texts[at].ptr, NULL));
    bench_sink += (uint64_t)sum;
}

static void glib_url(void *state, size_t ops)
{
    (void)state;
    STRINGS(1, 1, , , {
        char *s = g_uri_escape_string(bench_inputs.prose, NULL, FALSE);
        bench_sink += (unsigned char)s[0];
        g_free(s);
    });
}

static void glib_concat(void *state, size_t ops)
{
    (void)state;
    STRINGS(8, PIECES, , , {
        char *s = g_strconcat(nth(at).ptr, "/", nth(at + 1).ptr, "/", nth(at + 2).ptr, NULL);
        bench_sink += (unsigned char)s[0];
        g_free(s);
    });
}
#endif

#if BENCH_HAVE_JANSSON
static void jansson_json(void *state, size_t ops)
{
    char out[2 * PROSE];
    (void)state;
    json_t *s = json_stringn(bench_inputs.prose, PROSE);
    STRINGS(1, 1, , , bench_sink += json_dumpb(s, out, sizeof out, JSON_ENCODE_ANY));
    json_decref(s);
}
#endif

/* ---- who runs where -------------------------------------------------------------------------- */

static const char *const names[WORKLOADS] = {[PIECES_BODY] = "pieces-body",
                                             [PIECES_SMALL] = "pieces-64",
                                             [LITERALS] = "literals",
                                             [BYTES] = "bytes",
                                             [U64] = "u64",
                                             [DOUBLES] = "doubles",
                                             [READ_U64] = "read-u64",
                                             [READ_DOUBLE] = "read-double",
                                             [JSON] = "json-1k",
                                             [URL] = "url-1k",
                                             [CONCAT] = "concat-5"};

/* ns per operation that must be reached, whatever the peers do; 0: being ahead of them. */
static const double goals[WORKLOADS] = {
    [PIECES_BODY] = 1.1, [PIECES_SMALL] = 1.1, [LITERALS] = 1.1};

static const contestant contestants[] = {
    {PIECES_SMALL, "ebb", ebb_pieces},
    {PIECES_BODY, "ebb", ebb_body},
    {LITERALS, "ebb", ebb_literals},
    {BYTES, "ebb", ebb_bytes},
    {U64, "ebb", ebb_u64},
    {DOUBLES, "ebb", ebb_doubles},
    {READ_U64, "ebb", ebb_read_u64},
    {READ_DOUBLE, "ebb", ebb_read_double},
    {JSON, "ebb", ebb_json},
    {URL, "ebb", ebb_url},
    {CONCAT, "ebb", ebb_concat},
    {PIECES_SMALL, "obstack", obstack_pieces},
    {PIECES_BODY, "obstack", obstack_body},
    {PIECES_SMALL, "open_memstream", memstream_pieces},
    {BYTES, "obstack", obstack_bytes},
    {U64, "snprintf", snprintf_u64},
    {DOUBLES, "snprintf-%.17g", snprintf_doubles},
    {READ_U64, "strtoull", strtoull_u64},
    {READ_DOUBLE, "strtod", strtod_double},
#if BENCH_HAVE_GLIB
    {PIECES_SMALL, "gstring", gstring_pieces},
    {PIECES_BODY, "gstring", gstring_body},
    {PIECES_SMALL, "gstring-kept", gstring_kept_pieces},
    {PIECES_BODY, "gstring-kept", gstring_kept_body},
    {LITERALS, "gstring", gstring_literals},
    {BYTES, "gstring", gstring_bytes},
    {U64, "gstring", gstring_u64},
    {READ_DOUBLE, "g_ascii_strtod", glib_read_double},
    {URL, "g_uri_escape", glib_url},
    {CONCAT, "g_strconcat", glib_concat},
#endif
#if BENCH_HAVE_JANSSON
    {JSON, "jansson", jansson_json},
#endif
};

enum { MOST = 16, ROUNDS = 50 };

static size_t enter(bench_entry *entries, size_t count, const contestant *from, size_t n,
                    enum workload w)
{
    for (size_t i = 0; i < n; i++)
        if (from[i].workload == w && count < MOST)
            entries[count++] =
                (bench_entry){.name = from[i].name, .run = from[i].run, .settle = 4096};
    return count;
}

static void measure(const bench_asked *o)
{
    for (enum workload w = 0; w < WORKLOADS; w++) {
        bench_entry entries[MOST] = {{0}};
        if (!bench_is_asked(o, names[w])) continue;
        size_t n = enter(entries, 0, contestants, sizeof contestants / sizeof *contestants, w);
#if BENCH_HAVE_CPP
        n = enter(entries, n, bench_cpp_contestants, bench_cpp_contestant_count, w);
#endif
        bench_plan plan = {names[w], o->rounds, 1e6};
        if (o->count) bench_count_instructions(entries, n, names[w], strtoull(o->count, NULL, 10));
        else bench_measure(entries, n, &plan);
    }
}

static void print_goals(void)
{
    bench_goal reached[WORKLOADS];
    size_t n = 0;
    for (enum workload w = 0; w < WORKLOADS; w++)
        if (goals[w] > 0) reached[n++] = (bench_goal){names[w], NULL, 0, goals[w]};
    bench_print_goals(reached, n);
}

int main(int argc, char **argv)
{
    bench_asked o = {.rounds = ROUNDS};
    bench_read_asked(&o, argc, argv);
    make_inputs();
    bench_pin(0);
    measure(&o);
    print_goals();
    fprintf(stderr, "(%llu)\n", (unsigned long long)bench_sink);
    return 0;
}
