/*
 * ebb/track.h: watching arenas from outside, in the shipped binary, at run time.
 *
 * A watcher closes the windows of the arenas it is interested in, so that their next allocation
 * takes the slow path, where it is asked. Arenas that nobody watches pay nothing. A watcher may
 * come and go while other threads allocate; it takes effect at each arena's next allocation.
 *
 * Two are here. A tracker says what a stretch of code allocates, and where:
 *
 *     ebb_tracker *t = ebb_tracker_begin("hot path", (ebb_watch){.this_thread = true}, NULL, NULL);
 *     handle(request);
 *     ebb_report *r = ebb_tracker_report(t, a);
 *     ebb_tracker_end(&t);
 *     if (r) fputs(ebb_report_text(r, 10, a).ptr, stderr);        // the ten dearest call sites
 *
 * The same for a whole program, without a line of code, at its exit:
 *
 *     EBB_TRACK=sites EBB_REPORT=text,html:memory.html ./server
 *
 * A fault injector makes allocations fail, to see what a program does about it.
 *
 * Where the system lets a process send a barrier through its threads (membarrier, Linux 4.14), a
 * watcher is asked without a locked instruction. A sandbox that takes that away must be entered
 * before the first watcher begins.
 */
#ifndef EBB_TRACK_H
#define EBB_TRACK_H

#include "arena.h"
#include "profile.h"
#include "str.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Whom to watch: what matches every field that is set; all zero: every arena of the process. An
    arena over a caller's buffer that began before is found only by its own watch. */
typedef struct ebb_watch {
    ebb_arena *arena;     /**< this one; it must outlive the watcher */
    ebb_profile *profile; /**< scopes of this kind */
    bool this_thread;     /**< allocations made by the thread that calls begin, until it exits */
} ebb_watch;

/* clang-format off */
#ifdef __cplusplus
#define EBB_WATCH_INIT {}
#define EBB_FAULT_PARAMS_INIT {}
#else
#define EBB_WATCH_INIT {0}
#define EBB_FAULT_PARAMS_INIT {0}
#endif
/* clang-format on */

/* ---- fault injection ------------------------------------------------------------------------- */

/** A fault injector. Synchronized. */
typedef struct ebb_fault ebb_fault;

/** Which allocations fail. Counted are those that match the watch, numbered from 1. */
typedef struct ebb_fault_params {
    uint64_t nth;       /**< fail this one; 0: none by number */
    bool from_nth_on;   /**< and all after it */
    double probability; /**< fail each with this probability, 0 to 1 */
    uint64_t seed;      /**< of the random numbers, so that a run can be repeated */
} ebb_fault_params;

/**
 * Begin to make allocations fail with EBB_E_MEMORY, as if the system had refused.
 * ebb_alloc_optional and the first chunk of a scope fail too. Cleanups (ebb_defer) keep their
 * promise. NULL @params: none fails, all are counted.
 * Fails: NULL, with *@ret_why (if not NULL) EBB_E_MEMORY, EBB_E_RANGE (a probability outside 0..1)
 * or EBB_E_EXHAUSTED (sixteen watchers are active). Threads: any.
 */
EBB_API ebb_fault *ebb_fault_begin(ebb_watch whom, const ebb_fault_params *params,
                                   ebb_status *ret_why);

/** Stop and free *@f, and null it; NULL: does nothing. Copies of the handle are dead. Threads: any;
    waits for an allocation that is asking it right now. */
EBB_API void ebb_fault_end(ebb_fault **f);

/** Return how many allocations were made to fail; of NULL 0. Threads: any. */
EBB_API uint64_t ebb_fault_hits(const ebb_fault *f);

/** Return how many allocations were seen; of NULL 0. Threads: any. */
EBB_API uint64_t ebb_fault_seen(const ebb_fault *f);

/**
 * EBB_EACH_FAILURE(f, .arena = a, ...) { block }: run the block again and again, failing allocation
 * 1, then 2, ... of those that match the watch, until a run in which none was hit. Each run must
 * start from the same state. At least one field is named; `.arena = NULL` is the whole process. `f`
 * is an ebb_fault *, for use in the block: ebb_fault_hits(f) tells whether this run's failure has
 * happened. `break` is allowed. If no watcher can be added, that is reported as misuse: a test must
 * not pass by testing nothing. C only.
 */
#if EBB_HAS_SCOPE && !defined(__cplusplus)
#define EBB_EACH_FAILURE(f, ...)                                                                   \
    for (ebb_fault * f __attribute__((cleanup(ebb_fault_end))) = NULL;                             \
         ebb__fault_next(&f, (ebb_watch){__VA_ARGS__});)
#endif

EBB_API bool ebb__fault_next(ebb_fault **f, ebb_watch whom);

/* ---- trackers -------------------------------------------------------------------------------- */

/** Counts the allocations that match its watch, by size and by the place of the call. Threads do
    not wait for each other to be counted. Trackers overlap as they like. Synchronized. */
typedef struct ebb_tracker ebb_tracker;

/** How closely to look; what each costs is measured by `./run bench track`. */
typedef enum ebb_track_level {
    EBB_TRACK_SITES,  /**< every allocation, by its call site: 10 to 20 ns each */
    EBB_TRACK_SAMPLE, /**< a sample, by its stack: one in so many bytes on average, chosen by a
                           Poisson process; the rest take the fast path. Counts and bytes are
                           estimates, see ebb_totals.samples */
    EBB_TRACK_FULL    /**< every allocation, by its stack, and how long it lives */
} ebb_track_level;

typedef struct ebb_tracker_params {
    ebb_track_level level;
    size_t sample_bytes; /**< EBB_TRACK_SAMPLE: bytes from one sample to the next, on average; 0:
                              512 KiB */
    bool system; /**< count calls of malloc and its family, too: the process's, or those of the
                      thread watched. The program must be linked to libebb-malloc, or run with it
                      in LD_PRELOAD */
} ebb_tracker_params;

/* clang-format off */
#ifdef __cplusplus
#define EBB_TRACKER_PARAMS_INIT {}
#else
#define EBB_TRACKER_PARAMS_INIT {EBB_TRACK_SITES, 0, false}
#endif
/* clang-format on */

/** Classes of sizes: 0, 1, 2, 3..4, 5..8, ... ; the last holds everything above 2^29. */
#define EBB_TRACK_CLASSES 32

/** What has been seen. A growth in place (ebb_resize, a container's) is an allocation of the new
    size. Of the allocations those that failed are counted too. */
typedef struct ebb_totals {
    uint64_t count, bytes; /**< allocations from arenas, and the bytes they asked for */
    uint64_t begins;       /**< scopes and arenas begun */
    uint64_t dropped; /**< allocations of those counted that have no site, for want of memory */
    uint64_t system_count, system_bytes; /**< malloc's, where they are counted */
    uint64_t samples; /**< EBB_TRACK_SAMPLE: allocations looked at; the standard error of `bytes`
                            is at most sample_bytes times the square root of this */
    uint64_t live_count, live_bytes; /**< EBB_TRACK_FULL: allocations seen and not yet let go */
    uint64_t by_class[EBB_TRACK_CLASSES]; /**< of `count`: class 0 counts size 0, class 1 size 1,
                                               class i > 1 sizes above 2^(i-2) up to 2^(i-1) */
} ebb_totals;

/**
 * Begin to track. Keeps @name (NULL: "?") until ebb_tracker_end, and in reports. NULL @how:
 * EBB_TRACK_SITES. Stacks are followed by frame pointers: a program that wants to see them is
 * compiled with -fno-omit-frame-pointer; else there is the call, and perhaps what called that.
 * Fails: NULL, with *@ret_why (if not NULL) EBB_E_MEMORY, EBB_E_EXHAUSTED (sixteen watchers are
 * active), EBB_E_INVALID (a level that is none), or EBB_E_UNSUPPORTED (@how->system, without
 * libebb-malloc). NULL may be given to the functions below: it has seen nothing. Threads: any.
 */
EBB_API ebb_tracker *ebb_tracker_begin(const char *name, ebb_watch whom,
                                       const ebb_tracker_params *how, ebb_status *ret_why);

/** Stop and free *@t, and null it; NULL: does nothing. Its reports stay as they are; copies of the
    handle are dead. Misuse: the tracker of ebb_tracker_of_process. Threads: any; waits for an
    allocation that is asking it right now. */
EBB_API void ebb_tracker_end(ebb_tracker **t);

/** Fill *@ret_totals with what was seen so far: exactly, of threads that allocate nothing
    meanwhile. Cost: a lock, and O(threads and sites). Threads: any. */
EBB_API void ebb_tracker_get_totals(ebb_tracker *t, ebb_totals *ret_totals);

/* ---- reports --------------------------------------------------------------------------------- */

/** Allocations in arenas of one kind, that were called from one place. What a function of the
    library allocates for itself, as a builder's appending does, is that function's; but for copies,
    ebb_printf and ebb_resize. */
typedef struct ebb_site {
    const void *address;      /**< behind the call: a code address */
    const void *const *stack; /**< that, and what it was called from, outward; as the report */
    uint32_t depth;           /**< of the stack; 1 with EBB_TRACK_SITES */
    uint32_t kind;            /**< of the arenas: index into ebb_report.kind */
    uint64_t count, bytes;
    uint64_t growths; /**< of those, growths of what was there already: a reserve saves them */
    uint64_t samples; /**< EBB_TRACK_SAMPLE */
    uint64_t live_count,
        live_bytes;    /**< EBB_TRACK_FULL: not yet let go. What has grown is let go and
                                          made anew, if it is among the arena's newest 4096 */
    uint64_t lived_ns; /**< EBB_TRACK_FULL: lifetimes of those let go, added up */
} ebb_site;

/** What arenas of one kind have allocated. */
typedef struct ebb_report_kind {
    const char *name; /**< of the profile; "arenas": they have none; "malloc": the C library's */
    bool is_system;   /**< malloc's */
    uint64_t count, bytes, begins;
    uint64_t padding; /**< bytes that alignment cost beside them; not of a sample */
    uint64_t by_class[EBB_TRACK_CLASSES]; /**< as in ebb_totals */
    uint32_t ebb__id;                     /* tells two of one name apart */
} ebb_report_kind;

/** What happened in one stretch of time. Threads look at the clock where a scope begins, and after
    256 allocations: until the next look all is counted with the last. */
typedef struct ebb_report_moment {
    uint64_t count, bytes, begins;
} ebb_report_moment;

/** What a tracker had seen at a moment. A value: nothing in it changes, but for ebb_report_sort. */
typedef struct ebb_report {
    const char *name;
    ebb_track_level level;
    size_t sample_bytes;  /**< EBB_TRACK_SAMPLE, else 0 */
    uint64_t duration_ns; /**< since the tracker began */
    ebb_totals totals;
    size_t site_count, kind_count, moment_count;
    ebb_site *site; /**< those with most bytes first */
    ebb_report_kind *kind;
    uint64_t moment_ns;        /**< length of each */
    ebb_report_moment *moment; /**< the oldest first */
} ebb_report;

/**
 * Return what @t has seen so far; in scope of @into. What is allocated for it is not in it, but may
 * be in the next one, if @t watches @into too. It outlives the tracker.
 * Fails: NULL: no memory, or @t is NULL; neither sticks nor jumps. Cost: a lock, and O(threads and
 * sites).
 * Threads: the holder of @into.
 */
EBB_API ebb_report *ebb_tracker_report(ebb_tracker *t, ebb_arena *into);

/**
 * Return what @later, of the same tracker, has more than @earlier; in scope of @into. Sites that
 * have no more are left out. What lives is @later's; the moments are those of @later too.
 * Fails: NULL: no memory; neither sticks nor jumps. Misuse, and NULL: @earlier has seen more than
 * @later, so it is a later one, another tracker's, or a difference. Cost: O(sites log sites).
 * Threads: the holder of @into.
 */
EBB_API ebb_report *ebb_report_diff(const ebb_report *later, const ebb_report *earlier,
                                    ebb_arena *into);

typedef enum ebb_site_order { EBB_BY_BYTES, EBB_BY_COUNT, EBB_BY_LIVE_BYTES } ebb_site_order;

/** Put the sites of @r with most of it first; of equals, by address. */
EBB_API void ebb_report_sort(ebb_report *r, ebb_site_order order);

/**
 * Return @r as text for a person: a line of totals, then one for each of its first @most sites,
 * with function, file and line where the program has debug information, else with the name of the
 * symbol or the address. A function that was inlined is named with the one that it was inlined
 * into. Characters of names that control a terminal, or turn the direction of a line, are shown as
 * '?', bytes that are no UTF-8 as U+FFFD.
 * Lifetime: in scope of @into; a NUL is behind it.
 * Fails: {"", 0}: no memory; neither sticks nor jumps.
 * Cost: the first call of a process reads debug information: milliseconds.
 * Threads: the holder of @into.
 */
EBB_API ebb_str ebb_report_text(const ebb_report *r, size_t most, ebb_arena *into);

/** What others read. */
typedef enum ebb_format {
    EBB_FORMAT_TEXT,   /**< ebb_report_text with 20 sites */
    EBB_FORMAT_JSON,   /**< all there is; see docs/guide/13-tracking.md */
    EBB_FORMAT_HTML,   /**< one page that needs no network */
    EBB_FORMAT_PPROF,  /**< profile.proto, not compressed, for `go tool pprof` and others */
    EBB_FORMAT_FOLDED, /**< a line for each stack and its bytes, for flame graphs and speedscope */
    EBB_FORMAT_OPENMETRICS /**< the live tree's alone, see ebb/live.h */
} ebb_format;

/**
 * Return @r as a document; in scope of @into, a NUL is behind it. Names are escaped as the format
 * has it, and bytes that are no UTF-8 replaced by U+FFFD. JSON and HTML also tell what profiles
 * have learned and waste, and what is alive, at this moment.
 * Fails: {NULL, 0}, with *@ret_why (if not NULL) EBB_E_MEMORY, or EBB_E_UNSUPPORTED (a format that
 * is none of a report's); neither sticks nor jumps. Cost: as ebb_report_text, of all sites.
 * Threads: the holder of @into.
 */
EBB_API ebb_str ebb_report_format(const ebb_report *r, ebb_format format, ebb_arena *into,
                                  ebb_status *ret_why);

/**
 * Write @r, not NULL, to the file @path, whole or not at all: it is written beside it, to
 * @path.PROCESS.NUMBER.new, and renamed (not synced); who is killed in between leaves that. A
 * device, a pipe or a symbolic link at @path is not replaced, but written into, as far as that
 * goes.
 * Fails: EBB_E_MEMORY, EBB_E_UNSUPPORTED (as ebb_report_format): nothing was written. EBB_E_IO
 * (errno says why): the same, unless it was written into what is no ordinary file. Threads: any,
 * while nobody sorts @r.
 */
EBB_API EBB_MUST_USE ebb_status ebb_report_save(const ebb_report *r, ebb_format format,
                                                const char *path);

/* ---- allowances ------------------------------------------------------------------------------ */

/** What a stretch of code may allocate. */
typedef struct ebb_allowance {
    uint64_t count;        /**< allocations; 0: none */
    uint64_t bytes;        /**< 0: any */
    uint64_t system_count; /**< calls of malloc and its family, where they are counted; 0: none */
} ebb_allowance;

/**
 * For tests: return NULL if @t has seen no more than @most so far; else, in scope of @into, a text
 * that says what it has seen, and where:
 *
 *     const char *over = ebb_tracker_over(t, &(ebb_allowance){.count = 3}, a);
 *     cr_assert_null(over, "%s", over);
 *
 * Not for EBB_TRACK_SAMPLE. Without memory for the text it is a shorter one, static; so it is of a
 * NULL @t, as a test must not pass by counting nothing. Threads: the holder of @into.
 */
EBB_API const char *ebb_tracker_over(ebb_tracker *t, const ebb_allowance *most, ebb_arena *into);

/* ---- the whole process ----------------------------------------------------------------------- */

/*
 * The environment, read when the process first uses Ebb:
 *
 *     EBB_TRACK=off|scopes|sites|sample|sample:BYTES|full      BYTES may end in k, m or g
 *     EBB_REPORT=text|FORMAT:FILE[,...]    text goes to stderr; FORMAT: text html pprof folded json
 *
 * and two shorthands: EBB_TRACK_ALLOCATION_SITES=1 is EBB_TRACK=full, EBB_PRINT_ALLOCATIONS=1 is
 * EBB_REPORT=text. Reports are written when the process exits. EBB_TRACK alone reports as text;
 * EBB_REPORT alone tracks sites. `scopes` is what profiles learn in any case, at no cost. In a FILE
 * name %p is the process's number. A wrong value is named on stderr once and ignored, and so is, at
 * the exit, a file that can't be written.
 *
 * A forked child has what was counted before, and goes on counting. It writes the files that have
 * %p in their names, and no others: those, and stderr, are its parent's. A program that has more
 * rights than who started it (setuid) reads none of this.
 */

/** Return the tracker that EBB_TRACK or EBB_REPORT began; NULL: none. Static: it is never ended; to
    try is misuse. Threads: any. */
EBB_API ebb_tracker *ebb_tracker_of_process(void);

/**
 * Write what EBB_REPORT asks for now, and not only at the exit: for a signal's thread, or a program
 * that leaves by _exit. Fails: EBB_E_IO, EBB_E_MEMORY: of the first that could not be written;
 * EBB_E_INVALID: nothing was asked for, or nothing of a forked child. Threads: any.
 */
EBB_API ebb_status ebb_track_write(void);

#ifdef __cplusplus
}
#endif
#endif /* EBB_TRACK_H */
