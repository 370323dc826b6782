/*
 * ebb/intern.h: one number for each text, so that comparing names is comparing numbers.
 *
 *     ebb_sym host = ebb_intern(names, name);     // the same text gives the same symbol
 *     if (host == known) ...                      // no strcmp
 *     switch (host) { case EBB_VM_RUNNING: ... }  // well-known words are constants
 *
 * Two kinds of table:
 *
 *   shared    made by ebb_symtab_create, lives until destroyed. Any number of threads look up in it
 *             without a lock, and never wait for one that inserts. What it hands out, symbol or
 *             text, stays valid and in its place until the end. It grows to a cap and no further.
 *   request   made by ebb_symtab_over an arena and a shared table. It finds what the shared one
 *             has, and keeps what is new in the arena: hostile names die with their request, and
 *             another request never sees them.
 *
 * Within a request == holds whatever other threads do meanwhile: a text that was once answered with
 * a local symbol keeps it for that request, also when it is in the shared table by then. So what is
 * to outlive the request, or to be compared with what does, is promoted and compared by the symbol
 * that comes of it: ebb_sym_promote.
 *
 * For names that come again: keys, hosts, columns, statuses. Not for bodies or unique ids: a shared
 * table forgets nothing.
 */
#ifndef EBB_INTERN_H
#define EBB_INTERN_H

#include "arena.h"
#include "base.h"
#include "literal.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A text's number; 0: none. Plain, so that switch works. Numbers mean nothing in another process,
    but for well-known words. */
typedef uint32_t ebb_sym;

/** A table of symbols. A shared one is Synchronized, or once sealed Frozen; a request's is Handoff,
    as its arena is. */
typedef struct ebb_symtab ebb_symtab;

/** The longest text that a table takes, in bytes. */
#define EBB_SYM_LENGTH_MAX ((size_t)1 << 28)

/* ---- well-known words ------------------------------------------------------------------------ */

/*
 * A set of words is written once, as a list:
 *
 *     #define CFG_WORDS(X) X(W_SERVER, "server") X(W_LISTEN, "listen") X(W_ROOT, "root")
 *     EBB_WORDS_DECLARE(cfg_words, 0x1000, CFG_WORDS);   // in a header, or a .c
 *     EBB_WORDS_DEFINE(cfg_words, 0x1000, CFG_WORDS);    // in one .c
 *
 * That makes the constants W_SERVER == 0x1000, W_LISTEN, W_ROOT, and a read-only `cfg_words` to be
 * named in ebb_symtab_params. In every table that is made with it those texts have those symbols.
 * Nothing is allocated or hashed at run time for the set itself: its records are constants, and the
 * compiler folds their hashes (a table with a seed has to hash its words when it is made).
 *
 * The base is a multiple of 64 from 0x40; shipped sets (words.h) lie below 0x1000, yours from there
 * up to 0xffff. Sets of one table may neither overlap nor share a text. All texts of a set together
 * take at most 64 KiB.
 */

/** The symbols below this are for words. */
#define EBB_WORDS_END 0x10000u

/** The number of word sets that one table may have. */
#define EBB_WORDS_SETS_MAX 32

/* What a symbol's text begins with, in a word set as in a table. The text follows, and a NUL. */
typedef struct ebb__record {
    uint32_t sym, len;
} ebb__record;

/** A set of words. Static, read-only. */
typedef struct ebb_words {
    const char *name;
    uint32_t base, count;              /**< the first symbol, and how many */
    const ebb__record *ebb__records;   /* the first; the others follow it, 4-aligned */
    uint64_t (*ebb__hash)(uint32_t i); /* of the i-th text, folded */
} ebb_words;

/** EBB_WORDS_DECLARE(set, base, LIST): declare the constants of LIST, and the set. */
#define EBB_WORDS_DECLARE(set, base, LIST)                                                         \
    enum { ebb__before_##set = (base)-1, LIST(EBB__WORD_NAME) ebb__end_##set };                    \
    EBB__WORDS_ASSERT((base) > 0 && (base) % 64 == 0, #set ": the base is no multiple of 64");     \
    EBB__WORDS_ASSERT(ebb__end_##set <= 0x10000, #set ": the symbols of words end at 0xffff");     \
    extern const ebb_words set

/** EBB_WORDS_DEFINE(set, base, LIST): define a set that was declared with the same base and LIST.
    C only. */
#define EBB_WORDS_DEFINE(set, base, LIST)                                                          \
    static const struct {                                                                          \
        LIST(EBB__WORD_MEMBER)                                                                     \
    } ebb__records_##set = {LIST(EBB__WORD_RECORD)};                                               \
    static uint64_t ebb__hash_##set(uint32_t i)                                                    \
    {                                                                                              \
        switch ((int)i + ebb__before_##set + 1) {                                                  \
            LIST(EBB__WORD_HASH)                                                                   \
        default: return 0;                                                                         \
        }                                                                                          \
    }                                                                                              \
    EBB__WORDS_ASSERT(sizeof ebb__records_##set <= 0x10000, #set ": more than 64 KiB of text");    \
    EBB__WORDS_ASSERT((base)-1 == ebb__before_##set, #set ": declared with another base");         \
    const ebb_words set = {#set, (base), ebb__end_##set - (base),                                  \
                           (const ebb__record *)(const void *)&ebb__records_##set,                 \
                           ebb__hash_##set}

/** EBB_WORDS_HAS(set, sym): whether @sym is one of the words of @set. A subtraction and a
    comparison. */
#define EBB_WORDS_HAS(set, sym)                                                                    \
    ((uint32_t)(sym)-1u - (uint32_t)ebb__before_##set <                                            \
     (uint32_t)(ebb__end_##set - ebb__before_##set - 1))

#ifdef __cplusplus
#define EBB__WORDS_ASSERT(is_so, text) static_assert(is_so, text)
#else
#define EBB__WORDS_ASSERT(is_so, text) _Static_assert(is_so, text)
#endif
#define EBB__WORD_NAME(name, text) name,
#define EBB__WORD_MEMBER(name, text)                                                               \
    struct {                                                                                       \
        ebb__record head;                                                                          \
        char of[sizeof(text)];                                                                     \
    } ebb__##name;
#define EBB__WORD_RECORD(name, text) {{name, sizeof(text) - 1}, text},
#define EBB__WORD_HASH(name, text)                                                                 \
    case name: return ebb__fold_hash(text, sizeof(text) - 1);

/* ---- a shared table -------------------------------------------------------------------------- */

/** How a shared table is to be. Start from EBB_SYMTAB_PARAMS_INIT; 0 always means "the default". */
typedef struct ebb_symtab_params {
    const char *name;              /**< shown by reports and gdb; kept, so usually a literal */
    const ebb_words *const *words; /**< well-known words that are there from the beginning */
    size_t word_sets;              /**< how many sets, at most EBB_WORDS_SETS_MAX */
    size_t max_bytes;   /**< cap on texts and what goes with them, 9 bytes each; 0: 64 MiB; at most
                           1 GiB. The index comes on top: 7 to 15 bytes for each text, and as much
                           again for indexes outgrown */
    size_t max_entries; /**< cap on texts, words not counted; 0: none but the bytes */
    uint64_t seed;      /**< of the hash; give a random one where texts come from strangers, or they
                           may choose them so that they collide. 0: none, literals then fold */
    bool fold_case;     /**< A and a are the same (ASCII alone); texts are kept in lower case */
    bool binary;        /**< texts may contain NUL; else such a one is refused */
    const ebb_source *source; /**< memory comes from there; kept; NULL: pages, as for any arena */
    ebb_budget *budget;       /**< charged for what the table holds; kept */
    const char **ret_word;    /**< if not NULL, *@ret_word becomes the word that is in two sets, or
                                 that a table of this kind can't have, static */
} ebb_symtab_params;

/* clang-format off */
#ifdef __cplusplus
#define EBB_SYMTAB_PARAMS_INIT {}
#else
#define EBB_SYMTAB_PARAMS_INIT {0}
#endif
/* clang-format on */

/**
 * Make a shared table; NULL @params: all defaults.
 * Lifetime: until ebb_symtab_destroy. Fails: NULL, and if @ret_why is not NULL *@ret_why is
 * EBB_E_MEMORY, EBB_E_LIMIT (of the budget), EBB_E_RANGE (a cap, a set's base
 * or the number of sets), EBB_E_DUPLICATE (one text, or one symbol, in two sets) or EBB_E_INVALID
 * (a word that the table would have to refuse: a NUL, or an upper-case letter where case is
 * folded). Cost: about 35 KB, more for
 * a larger cap.
 */
EBB_API EBB_MUST_USE ebb_symtab *ebb_symtab_create(const ebb_symtab_params *params,
                                                   ebb_status *ret_why);

/**
 * Destroy *@t, a shared table. Its texts are dead, and request tables over it must be gone.
 * Threads: none may use it any more.
 */
EBB_API void ebb_symtab_destroy(ebb_symtab **t);

/**
 * Let @t, a shared table, take nothing new from now on: ebb_intern of a new text is refused with
 * EBB_E_UNSUPPORTED. What the table contains is summed up, so that ebb_symtab_validate can tell
 * whether a byte of it changes. Request tables over it go on. Never undone. Threads: any.
 */
EBB_API void ebb_symtab_seal(ebb_symtab *t);

/**
 * Return a sum over every symbol and text in @t. Two tables have the same sum if they have the same
 * symbols for the same texts, in whatever order they came. Cost: O(bytes). Threads: any; what is
 * inserted meanwhile may be left out.
 */
EBB_API uint64_t ebb_symtab_checksum(const ebb_symtab *t);

/**
 * Check that every text of @t is found under its symbol, that the counts are right, and if it is
 * sealed that nothing has changed since. NULL: sound; else what is broken, static. Cost: O(bytes).
 * Threads: any for a shared table, inserting waits meanwhile; the holder for a request's.
 */
EBB_API const char *ebb_symtab_validate(const ebb_symtab *t);

/* ---- a request's table ----------------------------------------------------------------------- */

/**
 * Make a table for a request over @shared: what is new is kept in @arena, and counted there.
 * Whether case is folded and NULs are taken is as in @shared. At most 2^20 local texts.
 * Lifetime: in scope, symbols and texts included; @shared is kept until then. A rewind to a mark
 * takes back what had to be allocated since; the symbols of those texts are then dead.
 * Fails: NULL, as ebb_alloc, or by a jump inside ebb_try. Misuse: @shared is a request's table.
 * Cost: one allocation of about 230 bytes; nothing is hashed or copied until there is a new text.
 */
EBB_API EBB_MUST_USE ebb_symtab *ebb_symtab_over(ebb_arena *arena, ebb_symtab *shared);

/** Whether @sym is local to a request's table. 0 is not. */
static inline bool ebb_sym_is_local(ebb_sym sym)
{
    return sym >> 31 != 0;
}

/**
 * Return the shared symbol of @sym's text, which goes into the shared table if it is not there;
 * @sym itself if it is not local. For what outlives the request. In this request's table the text
 * keeps its local symbol, so compare promoted symbols with promoted ones.
 * Fails: 0, as ebb_intern into the shared table. Misuse: a local symbol of another table.
 * Threads: the holder of @t, a request's table.
 */
EBB_API EBB_MUST_USE ebb_sym ebb_sym_promote(ebb_symtab *t, ebb_sym sym);

/* ---- texts to symbols, and back -------------------------------------------------------------- */

/*
 * A text is any bytes: the empty text has a symbol of its own, and what is not UTF-8 is as good as
 * what is. A NUL inside is refused (EBB_E_INVALID) unless the table is binary.
 */

/**
 * Return the symbol of @text (borrowed), which is put into @t if it is not there.
 * Lifetime: as long as the table; of a local one, in scope.
 * Fails: 0; ebb_symtab_failed tells why: EBB_E_LIMIT (a cap, 2^20 local texts), EBB_E_RANGE (longer
 * than EBB_SYM_LENGTH_MAX), EBB_E_INVALID (a NUL), EBB_E_UNSUPPORTED (new, and the table is
 * sealed), EBB_E_MEMORY, or what the arena failed with. A request's table jumps inside an ebb_try
 * of its arena, as any allocation from it. The table is then unchanged.
 * Cost: if it is there, one hash, and two cache lines of the table; no lock, no wait, no atomic
 * read-modify-write. Threads: as the table's.
 */
EBB_API EBB_MUST_USE ebb_sym ebb_intern(ebb_symtab *t, ebb_str text);

/** Return the symbol of @text (borrowed) if it is in @t; else 0. */
EBB_API EBB_MUST_USE ebb_sym ebb_intern_find(const ebb_symtab *t, ebb_str text);

/** ebb_intern_lit(t, "text"): ebb_intern of a string literal, whose hash is a constant of the
    program; used if @t has no seed (a table that folds case takes literals in any case). */
#define ebb_intern_lit(t, literal)                                                                 \
    ebb__intern_hashed((t), "" literal, sizeof(literal) - 1,                                       \
                       ebb__fold_hash("" literal, sizeof(literal) - 1))

/** Return why the last ebb_intern or ebb_sym_promote that failed did: for a shared table, the last
    on this thread; EBB_OK if none has. */
EBB_API ebb_status ebb_symtab_failed(const ebb_symtab *t);

/**
 * Return the text of @sym: NUL-terminated (the NUL is not counted), in place. 0: the empty text.
 * Lifetime: as the symbol's. Cost: two or three loads. Misuse: a symbol that @t does not know: a
 * local one whose scope has ended, or that belongs to another request (told by its tag; one in 2048
 * such tags is the same by chance). If the handler returns, the empty text.
 */
EBB_API ebb_str ebb_sym_str(const ebb_symtab *t, ebb_sym sym);

/* ---- looking through ------------------------------------------------------------------------- */

/** Where a walk is. Read sym and str; the rest is its own. */
typedef struct ebb_symtab_iter {
    ebb_sym sym;
    ebb_str str;
    const ebb_symtab *ebb__table;
    uint32_t ebb__at, ebb__offset;
} ebb_symtab_iter;

/**
 * Begin a walk over @t: for (ebb_symtab_iter i = ebb_symtab_each(t); ebb_symtab_next(&i); ) ...
 * A request's table gives its local texts alone, in the order they came. A shared one gives its
 * words, then what was there when the walk began and perhaps what is put there meanwhile (a moment
 * before it can be looked up), in no particular order, each once.
 */
EBB_API ebb_symtab_iter ebb_symtab_each(const ebb_symtab *t);

/** Go on to the next; false: there are no more. Threads: as the table's. */
EBB_API bool ebb_symtab_next(ebb_symtab_iter *i);

/** What a table says of itself. For a request's, it alone. */
typedef struct ebb_symtab_stats {
    size_t entries;   /**< texts, words not counted */
    size_t words;     /**< well-known words */
    size_t bytes;     /**< of the texts and what goes with them: what max_bytes limits */
    size_t held;      /**< taken from the source or the arena, indexes included */
    uint64_t hits;    /**< looked up, and found */
    uint64_t misses;  /**< looked up, and not found: new, or ebb_intern_find gave 0 */
    uint64_t refused; /**< calls of ebb_intern that gave 0 */
    uint32_t longest; /**< the most lines of the index that a look-up has to go through */
    bool sealed;
} ebb_symtab_stats;

/**
 * Fill @ret_. Hits and misses of a shared table are counted in 32 places that threads share if
 * there are more of them; then some counts are lost. Cost: O(1); waits for inserts. Threads: as the
 * table's.
 */
EBB_API void ebb_symtab_get_stats(const ebb_symtab *t, ebb_symtab_stats *ret_);

/* What ebb_intern_lit calls: @hash is ebb__fold_hash of the text. */
EBB_API EBB_MUST_USE ebb_sym ebb__intern_hashed(ebb_symtab *t, const char *text, size_t len,
                                                uint64_t hash);

#ifdef __cplusplus
}
#endif
#endif /* EBB_INTERN_H */
