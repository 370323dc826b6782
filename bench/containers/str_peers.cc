/*
 * bench/containers/str_peers.cc: the C++ contestants of the string benchmark; see str.c.
 */
#include "str.h"

#include <charconv>
#include <cstdlib>
#include <iterator>
#include <string>

#if BENCH_HAVE_ABSL
#include <absl/strings/charconv.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#endif
#if BENCH_HAVE_FMT
#include <fmt/format.h>
#endif
#if BENCH_HAVE_RAPIDJSON
#ifdef __SSE2__
#define RAPIDJSON_SSE2
#endif
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#endif

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

#define PIECE bench_inputs.pieces[at]

/* ---- std ------------------------------------------------------------------------------------- */

static void std_pieces(void *, size_t ops)
{
    STRINGS(PIECES_A_STRING, PIECES, std::string s, bench_sink += s.size(),
            s.append(PIECE.ptr, PIECE.len));
}

static void std_body(void *, size_t ops)
{
    STRINGS(PIECES, PIECES, std::string s, bench_sink += s.size(), s.append(PIECE.ptr, PIECE.len));
}

static void std_kept_pieces(void *, size_t ops)
{
    std::string s;
    STRINGS(PIECES_A_STRING, PIECES, s.clear(), bench_sink += s.size(),
            s.append(PIECE.ptr, PIECE.len));
}

static void std_kept_body(void *, size_t ops)
{
    std::string s;
    STRINGS(PIECES, PIECES, s.clear(), bench_sink += s.size(), s.append(PIECE.ptr, PIECE.len));
}

static void std_literals(void *, size_t ops)
{
    STRINGS(PIECES_A_STRING, PIECES, std::string s, bench_sink += s.size(),
            s.append("\"status\":\"ok\"", sizeof "\"status\":\"ok\"" - 1));
}

static void std_bytes(void *, size_t ops)
{
    STRINGS(BYTES_A_STRING, BYTES_A_STRING, std::string s, bench_sink += s.size(),
            s.push_back(static_cast<char>(at)));
}

static void std_u64(void *, size_t ops)
{
    char text[NUMBERS_A_STRING * 24];
    STRINGS(NUMBERS_A_STRING, NUMBERS, char *to = text,
            bench_sink += static_cast<size_t>(to - text),
            to = std::to_chars(to, text + sizeof text, bench_inputs.integers[at]).ptr);
}

static void std_doubles(void *, size_t ops)
{
    char text[NUMBERS_A_STRING * 32];
    STRINGS(NUMBERS_A_STRING, NUMBERS, char *to = text,
            bench_sink += static_cast<size_t>(to - text),
            to = std::to_chars(to, text + sizeof text, bench_inputs.doubles[at]).ptr);
}

static void std_read_u64(void *, size_t ops)
{
    STRINGS(NUMBERS, NUMBERS, , , {
        piece p = bench_inputs.integer_texts[at];
        uint64_t value = 0;
        std::from_chars(p.ptr, p.ptr + p.len, value);
        bench_sink += value;
    });
}

static void std_read_double(void *, size_t ops)
{
    double sum = 0;
    STRINGS(NUMBERS, NUMBERS, , , {
        piece p = bench_inputs.double_texts[at];
        double value = 0;
        std::from_chars(p.ptr, p.ptr + p.len, value);
        sum += value;
    });
    bench_sink += static_cast<uint64_t>(sum);
}

static std::string_view nth(size_t i)
{
    piece p = bench_inputs.pieces[i % PIECES];
    return {p.ptr, p.len};
}

static void std_concat(void *, size_t ops)
{
    STRINGS(8, PIECES, , , {
        std::string s;
        s.reserve(nth(at).size() + nth(at + 1).size() + nth(at + 2).size() + 2);
        s.append(nth(at)).append("/").append(nth(at + 1)).append("/").append(nth(at + 2));
        bench_sink += s.size();
    });
}

/* ---- Abseil ---------------------------------------------------------------------------------- */

#if BENCH_HAVE_ABSL
static absl::string_view absl_nth(size_t i)
{
    piece p = bench_inputs.pieces[i % PIECES];
    return {p.ptr, p.len};
}

static void absl_pieces(void *, size_t ops)
{
    STRINGS(PIECES_A_STRING, PIECES, std::string s, bench_sink += s.size(),
            absl::StrAppend(&s, absl::string_view(PIECE.ptr, PIECE.len)));
}

static void absl_body(void *, size_t ops)
{
    STRINGS(PIECES, PIECES, std::string s, bench_sink += s.size(),
            absl::StrAppend(&s, absl::string_view(PIECE.ptr, PIECE.len)));
}

static void absl_literals(void *, size_t ops)
{
    STRINGS(PIECES_A_STRING, PIECES, std::string s, bench_sink += s.size(),
            absl::StrAppend(&s, "\"status\":\"ok\""));
}

static void absl_u64(void *, size_t ops)
{
    STRINGS(NUMBERS_A_STRING, NUMBERS, std::string s, bench_sink += s.size(),
            absl::StrAppend(&s, bench_inputs.integers[at]));
}

static void absl_read_u64(void *, size_t ops)
{
    STRINGS(NUMBERS, NUMBERS, , , {
        piece p = bench_inputs.integer_texts[at];
        uint64_t value = 0;
        if (absl::SimpleAtoi(absl::string_view(p.ptr, p.len), &value)) bench_sink += value;
    });
}

static void absl_read_double(void *, size_t ops)
{
    double sum = 0;
    STRINGS(NUMBERS, NUMBERS, , , {
        piece p = bench_inputs.double_texts[at];
        double value = 0;
        absl::from_chars(p.ptr, p.ptr + p.len, value);
        sum += value;
    });
    bench_sink += static_cast<uint64_t>(sum);
}

static void absl_concat(void *, size_t ops)
{
    STRINGS(8, PIECES, , ,
            bench_sink +=
            absl::StrCat(absl_nth(at), "/", absl_nth(at + 1), "/", absl_nth(at + 2)).size());
}
#endif

/* ---- fmt ------------------------------------------------------------------------------------- */

#if BENCH_HAVE_FMT
static void fmt_pieces(void *, size_t ops)
{
    STRINGS(PIECES_A_STRING, PIECES, fmt::memory_buffer b, bench_sink += b.size(),
            b.append(PIECE.ptr, PIECE.ptr + PIECE.len));
}

static void fmt_body(void *, size_t ops)
{
    STRINGS(PIECES, PIECES, fmt::memory_buffer b, bench_sink += b.size(),
            b.append(PIECE.ptr, PIECE.ptr + PIECE.len));
}

static void fmt_u64(void *, size_t ops)
{
    STRINGS(NUMBERS_A_STRING, NUMBERS, fmt::memory_buffer b, bench_sink += b.size(), {
        fmt::format_int text(bench_inputs.integers[at]);
        b.append(text.data(), text.data() + text.size());
    });
}

static void fmt_doubles(void *, size_t ops)
{
    STRINGS(NUMBERS_A_STRING, NUMBERS, fmt::memory_buffer b, bench_sink += b.size(),
            fmt::format_to(std::back_inserter(b), "{}", bench_inputs.doubles[at]));
}
#endif

/* ---- RapidJSON ------------------------------------------------------------------------------- */

#if BENCH_HAVE_RAPIDJSON
static void rapidjson_json(void *, size_t ops)
{
    rapidjson::StringBuffer out;
    rapidjson::Writer<rapidjson::StringBuffer> w(out);
    STRINGS(1, 1, , , {
        out.Clear();
        w.Reset(out);
        w.String(bench_inputs.prose, PROSE);
        bench_sink += out.GetSize();
    });
}

static void rapidjson_checked_json(void *, size_t ops)
{
    rapidjson::StringBuffer out;
    typedef rapidjson::UTF8<> utf8;
    rapidjson::Writer<rapidjson::StringBuffer, utf8, utf8, rapidjson::CrtAllocator,
                      rapidjson::kWriteValidateEncodingFlag>
        w(out);
    STRINGS(1, 1, , , {
        out.Clear();
        w.Reset(out);
        w.String(bench_inputs.prose, PROSE);
        bench_sink += out.GetSize();
    });
}
#endif

extern "C" {
extern const contestant bench_cpp_contestants[] = {
    {PIECES_SMALL, "std::string", std_pieces},
    {PIECES_BODY, "std::string", std_body},
    {PIECES_SMALL, "std::string-kept", std_kept_pieces},
    {PIECES_BODY, "std::string-kept", std_kept_body},
    {LITERALS, "std::string", std_literals},
    {BYTES, "std::string", std_bytes},
    {U64, "std::to_chars", std_u64},
    {DOUBLES, "std::to_chars", std_doubles},
    {READ_U64, "std::from_chars", std_read_u64},
    {READ_DOUBLE, "std::from_chars", std_read_double},
    {CONCAT, "std::string-reserved", std_concat},
#if BENCH_HAVE_ABSL
    {PIECES_SMALL, "absl::StrAppend", absl_pieces},
    {PIECES_BODY, "absl::StrAppend", absl_body},
    {LITERALS, "absl::StrAppend", absl_literals},
    {U64, "absl::StrAppend", absl_u64},
    {READ_U64, "absl::SimpleAtoi", absl_read_u64},
    {READ_DOUBLE, "absl::from_chars", absl_read_double},
    {CONCAT, "absl::StrCat", absl_concat},
#endif
#if BENCH_HAVE_FMT
    {PIECES_SMALL, "fmt::memory_buffer", fmt_pieces},
    {PIECES_BODY, "fmt::memory_buffer", fmt_body},
    {U64, "fmt::format_int", fmt_u64},
    {DOUBLES, "fmt", fmt_doubles},
#endif
#if BENCH_HAVE_RAPIDJSON
    {JSON, "rapidjson-unchecked", rapidjson_json},
    {JSON, "rapidjson-utf8", rapidjson_checked_json},
#endif
};
extern const size_t bench_cpp_contestant_count =
    sizeof bench_cpp_contestants / sizeof *bench_cpp_contestants;
}
