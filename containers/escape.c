/*
 * containers/escape.c: text into JSON and into URLs (ebb/builder.h).
 *
 * Bytes that stand for themselves are copied while they are looked at: into room that is there
 * already, as if nothing were to be escaped, up to the first that is. Room for what that becomes is
 * asked for again each time, so that only what needs it takes more than its own length.
 */
#include "builder.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#define HAVE_SSE2 1
#else
#define HAVE_SSE2 0
#endif

enum { BLOCK = 16 }; /* bytes that are looked at together, where there is SSE2 */

#if HAVE_SSE2
typedef __m128i block;

static inline block each(char c)
{
    return _mm_set1_epi8(c);
}

static inline block load_block(const char *p)
{
    return _mm_loadu_si128((const block *)(const void *)p);
}

static inline void store_block(char *p, block v)
{
    _mm_storeu_si128((block *)(void *)p, v);
}
#endif

/* How a way of escaping deals with bytes. `to` has room. */
typedef struct rules {
    size_t (*copy)(char *to, const char *from, size_t size); /* what stands for itself; how many */
    size_t (*escape)(char *to, const char **from, const char *end); /* what does not */
    size_t longest; /* that `escape` makes of one byte */
} rules;

/* Room for `more` bytes behind the first `used`. */
static bool has_room(ebb_builder *b, size_t used, size_t more)
{
    return more < (size_t)(b->ebb__top - b->ptr) - used || ebb__builder_grow(b, used, more);
}

/* `around` bytes are kept free before and after, for quotes. Returns the text's end; 0: failed. To
   be inlined with the rules, which are then plain calls. */
static inline __attribute__((always_inline)) size_t escape(ebb_builder *b, ebb_str s, size_t around,
                                                           rules r)
{
    const char *p = s.ptr, *end = s.len ? p + s.len : p;
    size_t used = ebb_builder_len(b) + around;
    if (!ebb__builder_room(b, sum_of(s.len, 2 * around))) return 0;
    while (p < end) {
        size_t n = r.copy(b->ptr + used, p, (size_t)(end - p));
        p += n;
        used += n;
        if (p == end) break;
        if (!has_room(b, used, (size_t)(end - p) + r.longest + around)) return 0;
        used += r.escape(b->ptr + used, &p, end);
    }
    return used;
}

/* ---- JSON: what stands for itself ------------------------------------------------------------ */

static bool stands_for_itself(char c)
{
    return (unsigned char)c - 0x20u < 0x60 && c != '"' && c != '\\';
}

/* Nonzero if some byte is 0. */
static uint64_t has_zero(uint64_t w)
{
    return (w - EACH_BYTE(0x01)) & ~w & EACH_BYTE(0x80);
}

static bool word_stands_for_itself(uint64_t w)
{
    uint64_t low = (w - EACH_BYTE(0x20)) & ~w & EACH_BYTE(0x80), high = w & EACH_BYTE(0x80);
    return !(low | high | has_zero(w ^ EACH_BYTE('"')) | has_zero(w ^ EACH_BYTE('\\')));
}

#if HAVE_SSE2
/* Copy a block; return which of its bytes do not stand for themselves. To a signed comparison bytes
   from 0x80 up lie below the space, too. */
static unsigned copy_block(char *to, const char *from)
{
    block v = load_block(from);
    store_block(to, v);
    block mark = _mm_or_si128(_mm_cmpeq_epi8(v, each('"')), _mm_cmpeq_epi8(v, each('\\')));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(mark, _mm_cmplt_epi8(v, each(' '))));
}

/* Return how many bytes of whole blocks stand for themselves, copied. */
static size_t copy_blocks(char *to, const char *from, size_t size)
{
    size_t n = 0;
    for (; size - n >= BLOCK; n += BLOCK) {
        unsigned stops = copy_block(to + n, from + n);
        if (stops) return n + (unsigned)__builtin_ctz(stops);
    }
    return n;
}
#else
static size_t copy_blocks(char *to, const char *from, size_t size)
{
    (void)to, (void)from, (void)size;
    return 0;
}
#endif

/* Return how many of `size` bytes stand for themselves before the first that does not, copied. */
static size_t copy_plain(char *to, const char *from, size_t size)
{
    size_t n = copy_blocks(to, from, size);
    if (HAVE_SSE2 && size - n >= BLOCK) return n; /* stopped */
    for (; size - n >= WORD; n += WORD) {
        uint64_t w = load_word(from + n);
        if (!word_stands_for_itself(w)) break;
        store_word(to + n, w);
    }
    for (; n < size && stands_for_itself(from[n]); n++) to[n] = from[n];
    return n;
}

/* ---- JSON: what does not --------------------------------------------------------------------- */

enum { LONGEST_ESCAPE = 6 }; /* \u001f */

typedef struct sequence {
    unsigned len; /* bytes of it that belong together; at least 1 */
    bool whole;   /* they are a character */
} sequence;

/* What UTF-8 allows to follow a first byte (Unicode 15, table 3-7): no overlong form, no surrogate,
   nothing above U+10FFFF. */
static sequence sequence_at(const char *p, const char *end)
{
    unsigned char first = (unsigned char)*p, least = 0x80, most = 0xbf;
    unsigned len = first < 0xc2 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 1;
    if (first == 0xe0) least = 0xa0;
    if (first == 0xed) most = 0x9f;
    if (first == 0xf0) least = 0x90;
    if (first == 0xf4) most = 0x8f;
    for (unsigned i = 1; i < len; i++, least = 0x80, most = 0xbf) {
        bool follows = p + i < end && (unsigned char)p[i] >= least && (unsigned char)p[i] <= most;
        if (!follows) return (sequence){i, false};
    }
    return (sequence){len, len > 1};
}

static size_t escape_control(char *to, unsigned char c)
{
    static const char names[' '] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    to[0] = '\\';
    to[1] = c < ' ' ? names[c] : (char)c;
    if (to[1]) return 2;
    to[1] = 'u';
    to[2] = to[3] = '0';
    to[4] = (char)('0' + (c >> 4));
    to[5] = "0123456789abcdef"[c & 0xf];
    return LONGEST_ESCAPE;
}

/* What one byte that does not stand for itself, or its sequence, becomes. Moves *from. */
static size_t escape_one(char *to, const char **from, const char *end)
{
    static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
    unsigned char c = (unsigned char)**from;
    if (c < 0x80) {
        ++*from;
        return escape_control(to, c);
    }
    sequence s = sequence_at(*from, end);
    size_t n = s.whole ? s.len : sizeof replacement - 1;
    memcpy(to, s.whole ? *from : replacement, n);
    *from += s.len;
    return n;
}

static const rules json = {copy_plain, escape_one, LONGEST_ESCAPE};

bool ebb_builder_json_part(ebb_builder *b, ebb_str s)
{
    if (s.len == 0) return b->ebb__failed == EBB_OK;
    size_t used = escape(b, s, 0, json);
    if (used) b->end = b->ptr + used;
    return used != 0;
}

bool ebb_builder_json(ebb_builder *b, ebb_str s)
{
    size_t used = escape(b, s, 1, json);
    if (!used) return false;
    *b->end = '"';
    b->ptr[used] = '"';
    b->end = b->ptr + used + 1;
    return true;
}

/* ---- URLs ------------------------------------------------------------------------------------ */

/* RFC 3986, section 2.3. */
static bool is_unreserved(char c)
{
    unsigned letter = ((unsigned char)c | 0x20u) - 'a';
    return letter < 26 || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

#if HAVE_SSE2
static block between(block v, char least, char most)
{
    return _mm_and_si128(_mm_cmpgt_epi8(v, each((char)(least - 1))),
                         _mm_cmplt_epi8(v, each((char)(most + 1))));
}

/* Copy a block; return which of its bytes are to be escaped. Those from 0x80 up are below all. */
static unsigned copy_url_block(char *to, const char *from)
{
    block v = load_block(from);
    store_block(to, v);
    block keep = between(_mm_or_si128(v, each(0x20)), 'a', 'z');
    keep = _mm_or_si128(keep, between(v, '0', '9'));
    keep = _mm_or_si128(keep, between(v, '-', '.'));
    keep = _mm_or_si128(keep, _mm_cmpeq_epi8(v, each('_')));
    keep = _mm_or_si128(keep, _mm_cmpeq_epi8(v, each('~')));
    return ~(unsigned)_mm_movemask_epi8(keep) & 0xffff;
}

static size_t copy_url_blocks(char *to, const char *from, size_t size)
{
    size_t n = 0;
    for (; size - n >= BLOCK; n += BLOCK) {
        unsigned stops = copy_url_block(to + n, from + n);
        if (stops) return n + (unsigned)__builtin_ctz(stops);
    }
    return n;
}
#else
static size_t copy_url_blocks(char *to, const char *from, size_t size)
{
    (void)to, (void)from, (void)size;
    return 0;
}
#endif

static size_t copy_unreserved(char *to, const char *from, size_t size)
{
    size_t n = copy_url_blocks(to, from, size);
    if (HAVE_SSE2 && size - n >= BLOCK) return n;
    for (; n < size && is_unreserved(from[n]); n++) to[n] = from[n];
    return n;
}

enum { URL_ESCAPE = 3 }; /* %FF */

static size_t percent(char *to, const char **from, const char *end)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char c = (unsigned char)*(*from)++;
    (void)end;
    to[0] = '%';
    to[1] = digits[c >> 4];
    to[2] = digits[c & 0xf];
    return URL_ESCAPE;
}

bool ebb_builder_url(ebb_builder *b, ebb_str s)
{
    if (s.len == 0) return b->ebb__failed == EBB_OK;
    size_t used = escape(b, s, 0, (rules){copy_unreserved, percent, URL_ESCAPE});
    if (used) b->end = b->ptr + used;
    return used != 0;
}
