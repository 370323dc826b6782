/*
 * tests/unit/test_format.c: reports as documents: folded stacks and pprof's, read back by what is
 * here; names that are to break them; and what is left when there is no memory, or no room on disk.
 * JSON is in test_format_json.c.
 */
#define _GNU_SOURCE
#include "test.h"

#include "format_report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const ebb_format formats[] = {EBB_FORMAT_TEXT, EBB_FORMAT_JSON, EBB_FORMAT_HTML,
                                     EBB_FORMAT_PPROF, EBB_FORMAT_FOLDED};
enum { FORMATS = sizeof formats / sizeof formats[0] };

/* ---- folded ---------------------------------------------------------------------------------- */

/* Each line is "name;name;... number"; return how many there are. */
static size_t folded_lines(ebb_str s, uint64_t *ret_sum)
{
    size_t lines = 0;
    *ret_sum = 0;
    for (const char *at = s.ptr; *at; lines++) {
        const char *end = strchr(at, '\n'), *space = end;
        cr_assert_not_null(end, "%s", at);
        while (space > at && space[-1] != ' ') space--;
        cr_assert(space > at + 1 && space < end, "%s", at);
        for (const char *d = space; d < end; d++) cr_assert(*d >= '0' && *d <= '9', "%s", at);
        for (const char *c = at; c < end; c++) {
            cr_assert((unsigned char)*c >= ' ' && *c != 0x7f, "%s", at);
            cr_assert(*c != ';' || (c > at && c[1] != ';' && c + 2 < space), "%s", at);
        }
        *ret_sum += strtoull(space, NULL, 10);
        at = end + 1;
    }
    return lines;
}

Test(format, folded_stacks_go_from_the_outermost_on)
{
    made m;
    make(&m, "a kind");
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_str s = format(&m, EBB_FORMAT_FOLDED, a);
    uint64_t sum;
    cr_assert_eq(folded_lines(s, &sum), (size_t)SITES);
    cr_assert_eq(sum, 1300u);
    if (strstr(s.ptr, "0x")) cr_skip_test("no debug information is read");
    cr_assert_str_eq(s.ptr, "a kind;in_root;in_middle;inlined;in_leaf 900\n"
                            "malloc;in_leaf 300\n"
                            "a kind;in_leaf 100\n");
    ebb_arena_destroy(&a);
}

static size_t count(const char *text, char c)
{
    size_t n = 0;
    for (; *text && *text != '\n'; text++) n += *text == c;
    return n;
}

Test(format, hostile_names_break_no_line_of_folded_stacks)
{
    made m;
    ebb_arena *a = ebb_arena_create(NULL);
    make(&m, "plain");
    size_t frames = count(format(&m, EBB_FORMAT_FOLDED, a).ptr, ';');
    for (size_t i = 0; i < HOSTILES; i++) {
        uint64_t sum;
        make(&m, hostiles[i].name);
        ebb_str s = format(&m, EBB_FORMAT_FOLDED, a);
        cr_assert(ebb_utf8_valid(s));
        cr_assert_eq(folded_lines(s, &sum), (size_t)SITES, "%s", s.ptr);
        cr_assert_eq(sum, 1300u, "%s", s.ptr);
        cr_assert_eq(count(s.ptr, ';'), frames, "%s", s.ptr);
        cr_assert_null(strstr(s.ptr, "\xe2\x80\xa8"));
    }
    ebb_arena_destroy(&a);
}

/* ---- pprof ----------------------------------------------------------------------------------- */

/* One field of a message. */
typedef struct field {
    uint64_t number, value; /* a varint's; else 0 */
    ebb_str bytes;
} field;

static uint64_t read_varint(ebb_str *s)
{
    uint64_t n = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        cr_assert(s->len > 0, "a message ends within a number");
        uint8_t byte = (uint8_t)*s->ptr++;
        s->len--;
        n |= (uint64_t)(byte & 0x7f) << shift % 64;
        if (byte < 0x80) return n;
    }
    cr_assert(false, "a number is too long");
    return 0;
}

static bool read_field(ebb_str *s, field *ret_)
{
    if (s->len == 0) return false;
    uint64_t tag = read_varint(s);
    *ret_ = (field){tag >> 3, 0, {"", 0}};
    if ((tag & 7) == 0) {
        ret_->value = read_varint(s);
        return true;
    }
    cr_assert_eq(tag & 7, 2u, "neither a number nor bytes");
    uint64_t len = read_varint(s);
    cr_assert(len <= s->len, "a message is longer than what it is in");
    ret_->bytes = (ebb_str){s->ptr, (size_t)len};
    s->ptr += len;
    s->len -= (size_t)len;
    return true;
}

/* The n-th field of that number. */
static bool find_field(ebb_str s, uint64_t number, size_t n, field *ret_)
{
    while (read_field(&s, ret_))
        if (ret_->number == number && n-- == 0) return true;
    return false;
}

static uint64_t value_of(ebb_str s, uint64_t number)
{
    field f;
    return find_field(s, number, 0, &f) ? f.value : 0;
}

static size_t fields_of(ebb_str s, uint64_t number)
{
    field f;
    size_t n = 0;
    while (read_field(&s, &f)) n += f.number == number;
    return n;
}

enum {
    SAMPLE_TYPE = 1,
    SAMPLE,
    MAPPING,
    LOCATION,
    FUNCTION,
    STRING,
    TIME = 9,
    DURATION,
    PERIOD_TYPE,
    PERIOD,
    COMMENT,
    DEFAULT_TYPE
};

static ebb_str string_at(ebb_str p, uint64_t i)
{
    field f;
    cr_assert(find_field(p, STRING, (size_t)i, &f), "there is no string %zu", (size_t)i);
    return f.bytes;
}

/* The message of that kind whose id, its field 1, is that. */
static ebb_str with_id(ebb_str p, uint64_t kind, uint64_t id)
{
    field f;
    for (size_t i = 0; find_field(p, kind, i, &f); i++)
        if (value_of(f.bytes, 1) == id) return f.bytes;
    cr_assert(false, "there is no %zu of kind %zu", (size_t)id, (size_t)kind);
    return f.bytes;
}

static ebb_str name_of_type(ebb_str p, size_t i)
{
    field f;
    cr_assert(find_field(p, SAMPLE_TYPE, i, &f));
    return string_at(p, value_of(f.bytes, 1));
}

static uint64_t sum_of(ebb_str p, size_t type)
{
    field f, values;
    uint64_t sum = 0;
    for (size_t i = 0; find_field(p, SAMPLE, i, &f); i++) {
        cr_assert(find_field(f.bytes, 2, 0, &values));
        uint64_t n = 0;
        for (size_t k = 0; k <= type; k++) n = read_varint(&values.bytes);
        sum += n;
    }
    return sum;
}

static bool is(ebb_str s, const char *text)
{
    return ebb_str_equal(s, ebb_str_from(text));
}

Test(format, pprof_has_its_types_and_sums)
{
    made m;
    make(&m, "a kind");
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_str p = format(&m, EBB_FORMAT_PPROF, a);
    cr_assert_eq(fields_of(p, SAMPLE_TYPE), 4u);
    cr_assert(is(name_of_type(p, 0), "allocations") && is(name_of_type(p, 1), "alloc_space"));
    cr_assert(is(name_of_type(p, 2), "inuse_objects") && is(name_of_type(p, 3), "inuse_space"));
    cr_assert_eq(fields_of(p, SAMPLE), (size_t)SITES);
    cr_assert(sum_of(p, 0) == 13 && sum_of(p, 1) == 1300);
    cr_assert(sum_of(p, 2) == 5 && sum_of(p, 3) == 500);
    cr_assert_eq(string_at(p, 0).len, 0u);
    cr_assert(is(string_at(p, value_of(p, DEFAULT_TYPE)), "alloc_space"));
    cr_assert_eq(value_of(p, DURATION), 5000000000u);
    cr_assert(value_of(p, TIME) > 1500000000ull * 1000000000);
    cr_assert_eq(value_of(p, PERIOD), 0u);
    m.report.level = EBB_TRACK_SAMPLE;
    m.report.sample_bytes = 4096;
    p = format(&m, EBB_FORMAT_PPROF, a);
    cr_assert_eq(fields_of(p, SAMPLE_TYPE), 2u);
    cr_assert_eq(value_of(p, PERIOD), 4096u);
    cr_assert_eq(fields_of(p, PERIOD_TYPE), 1u);
    cr_assert_eq(sum_of(p, 1), 1300u);
    ebb_arena_destroy(&a);
}

Test(format, pprof_stacks_are_locations_with_the_lines_inlined)
{
    made m;
    make(&m, "a kind");
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_str p = format(&m, EBB_FORMAT_PPROF, a);
    field sample, stack, line;
    cr_assert(find_field(p, SAMPLE, 0, &sample) && find_field(sample.bytes, 1, 0, &stack));
    const char *const wanted[] = {"in_leaf", "inlined", "in_middle", "in_root"};
    size_t n = 0;
    for (size_t i = 0; i < 3; i++) {
        ebb_str location = with_id(p, LOCATION, read_varint(&stack.bytes));
        cr_assert_eq(value_of(location, 3), (uint64_t)(uintptr_t)m.stack[i] - 1);
        if (value_of(location, 2)) with_id(p, MAPPING, value_of(location, 2));
        for (size_t k = 0; find_field(location, 4, k, &line); k++, n++) {
            ebb_str function = with_id(p, FUNCTION, value_of(line.bytes, 1));
            cr_assert(n < 4 && is(string_at(p, value_of(function, 2)), wanted[n]));
            cr_assert(value_of(line.bytes, 2) > 10);
        }
    }
    cr_assert_eq(stack.bytes.len, 0u);
    cr_assert(n == 4 || n == 0, "%zu", n);
    cr_assert_eq(fields_of(p, FUNCTION), n, "each is there once");
    ebb_arena_destroy(&a);
}

Test(format, a_function_with_two_calls_is_one_to_pprof)
{
    made m;
    const void *both[2];
    make(&m, "a kind");
    in_two_places(both);
    m.site[0].stack = &both[0];
    m.site[1].stack = &both[1];
    m.site[0].depth = m.site[1].depth = 1;
    m.report.site_count = 2;
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_str p = format(&m, EBB_FORMAT_PPROF, a);
    cr_assert_eq(fields_of(p, LOCATION), 2u);
    cr_assert(fields_of(p, FUNCTION) <= 1);
    ebb_arena_destroy(&a);
}

Test(format, hostile_names_are_strings_to_pprof)
{
    ebb_arena *a = ebb_arena_create(NULL);
    for (size_t i = 0; i < HOSTILES; i++) {
        made m;
        field sample, label, f;
        make(&m, hostiles[i].name);
        ebb_str p = format(&m, EBB_FORMAT_PPROF, a);
        cr_assert(find_field(p, SAMPLE, 0, &sample) && find_field(sample.bytes, 3, 0, &label));
        cr_assert(is(string_at(p, value_of(label.bytes, 1)), "kind"));
        cr_assert(is(string_at(p, value_of(label.bytes, 2)), hostiles[i].as_utf8));
        cr_assert(is(string_at(p, value_of(p, COMMENT)), hostiles[i].as_utf8));
        for (size_t k = 0; find_field(p, STRING, k, &f); k++) cr_assert(ebb_utf8_valid(f.bytes));
    }
    ebb_arena_destroy(&a);
}

/* ---- many sites, deep stacks ----------------------------------------------------------------- */

enum { PLACES = 2500, DEEP = 128 };

/* Addresses at which there is no code. */
static ebb_report many(ebb_site *site, const void **stack)
{
    for (size_t i = 0; i < DEEP; i++) stack[i] = (const void *)(uintptr_t)(16 * (i + 1));
    for (size_t i = 0; i < PLACES; i++)
        site[i] = (ebb_site){.address = (const void *)(uintptr_t)(16 * (i + 1)), .bytes = i};
    site[0].stack = stack;
    site[0].depth = DEEP;
    site[1].address = NULL;
    return (ebb_report){.name = "many", .site_count = PLACES, .site = site};
}

Test(format, thousands_of_places_each_have_their_number)
{
    static ebb_site site[PLACES];
    const void *stack[DEEP];
    ebb_report r = many(site, stack);
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_str p = ebb_report_format(&r, EBB_FORMAT_PPROF, a, NULL);
    cr_assert_not_null(p.ptr);
    cr_assert_eq(fields_of(p, LOCATION), (size_t)PLACES);
    cr_assert_eq(fields_of(p, FUNCTION), 0u);
    static bool seen[PLACES + 1];
    field f;
    while (read_field(&p, &f)) {
        if (f.number != LOCATION) continue;
        uint64_t id = value_of(f.bytes, 1);
        cr_assert(id >= 1 && id <= PLACES && !seen[id]);
        seen[id] = true;
    }
    ebb_str folded = ebb_report_format(&r, EBB_FORMAT_FOLDED, a, NULL);
    uint64_t sum;
    cr_assert_eq(count(folded.ptr, ';'), (size_t)DEEP);
    cr_assert_eq(strncmp(folded.ptr, "?;0x800;0x7f0;", 14), 0, "%.40s", folded.ptr);
    cr_assert_eq(folded_lines(folded, &sum), (size_t)PLACES);
    ebb_arena_destroy(&a);
}

/* ---- what is none ---------------------------------------------------------------------------- */

Test(format, a_format_that_is_none_is_refused)
{
    made m;
    make(&m, "name");
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_status why = EBB_OK;
    cr_assert_null(ebb_report_format(&m.report, EBB_FORMAT_OPENMETRICS, a, &why).ptr);
    cr_assert_eq(why, EBB_E_UNSUPPORTED);
    cr_assert_null(ebb_report_format(&m.report, (ebb_format)99, a, NULL).ptr);
    cr_assert_eq(ebb_report_save(&m.report, EBB_FORMAT_OPENMETRICS, "x"), EBB_E_UNSUPPORTED);
    cr_assert_neq(access("x", F_OK), 0);
    ebb_arena_destroy(&a);
}

Test(format, a_document_without_memory_is_none)
{
    made m;
    make(&m, "name");
    ebb_arena *into = ebb_arena_create(NULL);
    for (size_t i = 0; i < FORMATS; i++) {
        EBB_EACH_FAILURE (f, .arena = into) {
            ebb_status why = EBB_OK;
            ebb_str s = ebb_report_format(&m.report, formats[i], into, &why);
            if (ebb_fault_hits(f) > 0) cr_assert(!s.ptr && s.len == 0 && why == EBB_E_MEMORY);
            else cr_assert(s.ptr && s.len && s.ptr[s.len] == '\0' && why == EBB_OK);
            cr_assert_eq(ebb_failed(into), EBB_OK);
        }
    }
    ebb_arena_destroy(&into);
}

/* ---- the system refuses memory --------------------------------------------------------------- */

static size_t mapped_bytes(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%lu", &pages) != 1) _Exit(1);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void limit_to(size_t bytes)
{
    struct rlimit to = {bytes, RLIM_INFINITY};
    if (setrlimit(RLIMIT_AS, &to) != 0) _Exit(2);
}

typedef struct scarce {
    ebb_format format;
    bool deep; /* one stack of all places, and not a site for each: the document is the smaller */
} scarce;

/* Its kind has a name that is longer than all the rest. */
static const ebb_report *scarce_report(const scarce *which)
{
    enum { LONG = 1 << 18 };
    static ebb_site site[PLACES];
    static const void *stack[PLACES];
    static char name[LONG + 1];
    static ebb_report_kind kind = {.name = name};
    static ebb_report r;
    r = many(site, stack);
    if (which->deep) {
        for (size_t i = 0; i < PLACES; i++) stack[i] = (const void *)(uintptr_t)(16 * (i + 1));
        site[0].depth = PLACES;
        r.site_count = 1;
    } else {
        memset(name, 'n', LONG);
        for (size_t i = 1; i < PLACES; i++) site[i].kind = 1;
        r.kind = &kind;
        r.kind_count = 1;
    }
    return &r;
}

/* A document in memory, then one in a file, with a little more each time until it is enough: nothing,
   or all of it. */
static void format_with_little(void *which)
{
    enum { STEP = 96 << 10, STEPS = 200, MAY_DIFFER = 100 };
    const ebb_report *r = scarce_report(which);
    ebb_format format = ((const scarce *)which)->format;
    ebb_arena *into = ebb_arena_create(NULL);
    size_t failures = 0, least = ebb_report_format(r, format, into, NULL).len - MAY_DIFFER;
    size_t room = mapped_bytes();
    struct stat st;
    for (size_t i = 0; i < STEPS; i++) {
        ebb_status why = EBB_OK;
        ebb_str s = {NULL, 0};
        limit_to(room + i * STEP);
        if (i % 2) why = ebb_report_save(r, format, "little");
        else s = ebb_report_format(r, format, into, &why);
        bool is_there = stat("little", &st) == 0;
        limit_to(SIZE_MAX);
        if (why != EBB_OK && (why != EBB_E_MEMORY || s.ptr || s.len || is_there)) _Exit(4);
        if (why == EBB_OK && i % 2 == 0 && (!s.ptr || s.len < least)) _Exit(5);
        if (why == EBB_OK && i % 2 && (!is_there || (size_t)st.st_size < least)) _Exit(6);
        failures += why != EBB_OK;
        if (is_there) break;
    }
    if (failures == 0) _Exit(7);
    if (remove("little") != 0) _Exit(8);
}

static char folder[] = "/tmp/ebb-format-XXXXXX";

static void enter_folder(void)
{
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
}

/* It must be empty. */
static void leave_folder(void)
{
    cr_assert_eq(chdir("/"), 0);
    cr_assert_eq(rmdir(folder), 0, "%s is not empty", folder);
}

Test(format, what_the_system_refuses_leaves_all_or_nothing)
{
    if (TESTS_ASAN || TESTS_TSAN || under_valgrind()) cr_skip_test("the tool needs the memory");
    enter_folder();
    for (size_t i = 1; i < 2 * FORMATS; i++) {
        scarce which = {formats[i % FORMATS], i > FORMATS};
        if (which.format == EBB_FORMAT_TEXT) continue;
        death d = in_child(format_with_little, &which);
        cr_assert(lived(&d), "format %d%s", (int)which.format, which.deep ? ", deep" : "");
    }
    leave_folder();
}

/* ---- files ----------------------------------------------------------------------------------- */

static ebb_str contents(const char *path, ebb_arena *into)
{
    struct stat st;
    if (stat(path, &st) != 0) return (ebb_str){NULL, 0};
    char *to = ebb_alloc(into, (size_t)st.st_size + 1);
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f);
    cr_assert_eq(fread(to, 1, (size_t)st.st_size, f), (size_t)st.st_size);
    fclose(f);
    to[st.st_size] = '\0';
    return (ebb_str){to, (size_t)st.st_size};
}

Test(format, a_file_has_what_the_document_has)
{
    made m;
    make(&m, "name");
    ebb_arena *a = ebb_arena_create(NULL);
    enter_folder();
    for (size_t i = 0; i < FORMATS; i++) {
        cr_assert_eq(ebb_report_save(&m.report, formats[i], "file"), EBB_OK);
        ebb_str wanted = format(&m, formats[i], a), got = contents("file", a);
        bool timed = formats[i] != EBB_FORMAT_TEXT && formats[i] != EBB_FORMAT_FOLDED;
        if (timed) cr_assert(got.len + 8 > wanted.len && got.len < wanted.len + 8);
        else cr_assert(ebb_str_equal(wanted, got));
    }
    cr_assert_eq(remove("file"), 0);
    leave_folder();
    ebb_arena_destroy(&a);
}

Test(format, a_file_that_cant_be_written_stays_as_it_was)
{
    static ebb_site site[PLACES];
    const void *stack[DEEP];
    ebb_report r = many(site, stack);
    ebb_arena *a = ebb_arena_create(NULL);
    enter_folder();
    cr_assert_eq(ebb_report_save(&r, EBB_FORMAT_FOLDED, "no/such/folder"), EBB_E_IO);
    cr_assert_eq(ebb_report_save(&r, EBB_FORMAT_FOLDED, "file"), EBB_OK);
    ebb_str before = contents("file", a);
    struct rlimit small = {4096, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    site[0].bytes = 77777;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    ebb_status status = ebb_report_save(&r, EBB_FORMAT_FOLDED, "file");
    setrlimit(RLIMIT_FSIZE, &all);
    cr_assert_eq(status, EBB_E_IO);
    cr_assert(ebb_str_equal(contents("file", a), before));
    cr_assert_eq(remove("file"), 0);
    leave_folder(); /* and nothing else is there */
    ebb_arena_destroy(&a);
}

/* Numbers of processes come again, in a container each time. */
Test(format, what_one_who_was_killed_has_left_is_passed_by)
{
    enum { LEFT = 5 };
    made m;
    make(&m, "name");
    char name[LEFT][64];
    enter_folder();
    for (int i = 0; i < LEFT; i++) {
        snprintf(name[i], sizeof name[i], "file.%d.%d.new", (int)getpid(), i);
        FILE *f = fopen(name[i], "w");
        cr_assert(f && !fclose(f));
    }
    cr_assert_eq(ebb_report_save(&m.report, EBB_FORMAT_FOLDED, "file"), EBB_OK);
    for (int i = 0; i < LEFT; i++) cr_assert_eq(remove(name[i]), 0);
    cr_assert_eq(remove("file"), 0);
    leave_folder();
}

Test(format, what_is_no_file_is_written_to_and_not_replaced)
{
    made m;
    make(&m, "name");
    ebb_arena *a = ebb_arena_create(NULL);
    ebb_str wanted = format(&m, EBB_FORMAT_FOLDED, a);
    struct stat st;
    enter_folder();
    cr_assert_eq(mkfifo("pipe", 0600), 0);
    int reader = open("pipe", O_RDONLY | O_NONBLOCK);
    cr_assert_eq(ebb_report_save(&m.report, EBB_FORMAT_FOLDED, "pipe"), EBB_OK);
    char *got = ebb_alloc(a, wanted.len + 1);
    cr_assert_eq(read(reader, got, wanted.len + 1), (ssize_t)wanted.len);
    cr_assert_eq(memcmp(got, wanted.ptr, wanted.len), 0);
    cr_assert(lstat("pipe", &st) == 0 && S_ISFIFO(st.st_mode));
    cr_assert_eq(symlink("file", "link"), 0);
    cr_assert_eq(ebb_report_save(&m.report, EBB_FORMAT_FOLDED, "link"), EBB_OK);
    cr_assert(lstat("link", &st) == 0 && S_ISLNK(st.st_mode));
    cr_assert(ebb_str_equal(contents("file", a), wanted));
    cr_assert_eq(ebb_report_save(&m.report, EBB_FORMAT_FOLDED, "."), EBB_E_IO);
    close(reader);
    cr_assert(!remove("pipe") && !remove("link") && !remove("file"));
    leave_folder();
    ebb_arena_destroy(&a);
}
