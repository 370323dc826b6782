/*
 * arena/profile.c: what kinds of request are like, learned from a sample of those that end.
 *
 * Every 17th scope that a thread ends is looked at, and every fourth look its samples are merged,
 * under a lock nobody waits long for, into the profile's histograms of used and held bytes
 * (log-linear, eight buckets to a doubling, so a size is known to an eighth). Once a profile has
 * 256 samples every 67th is looked at, and the merge is every 16th look: a merge moves the
 * histogram's lines from one core to another, which cost two threads 3 % of a request of 200
 * allocations. The intervals are primes: with 16 and 64, of scopes that end by turns (a child, its
 * parent, a child) one kind was never looked at. From the histogram of used bytes the two chunk
 * classes follow:
 *
 *   head   the smallest that holds the given percentile; if none does, the smallest there is, since
 *          every such scope goes on to a body anyway
 *   body   the smallest that holds what the head does not
 *
 * When a histogram is full it is halved, so that a profile follows a program that changes. The
 * sums of what was held and wasted are not: they are of all scopes looked at in this process. A
 * sample stands for as many ends as the interval that led to it, so that the ends can be estimated:
 * without bias where the order of ends has nothing to do with the intervals. What a thread has
 * ended since its last sample is told when it exits. Limits, whose events are rare, are counted one
 * by one.
 */
#include "internal.h"

#include "../track/seam_process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    FIRST_BITS = 6, /* the first bucket is below 64 bytes */
    STEPS = 8,      /* buckets to a doubling */
    DOUBLINGS = 24, /* up to 1 GiB */
    BUCKETS = STEPS * DOUBLINGS + 1,
    FULL = 4096, /* samples */
    PROFILES = 1024,
    NAME_MAX_LENGTH = 95,
    DEFAULT_HEAD = 3, /* 1 KiB */
    DEFAULT_BODY = 2, /* 16 KiB */
    DEFAULT_PERCENTILE = 75,
    YOUNG = 256, /* samples, until when a profile is looked at often, and its samples merged */
    YOUNG_BATCH = 4
};

_Static_assert(BUCKETS == EBB_PROFILE_BARS, "each bucket is a bar");

typedef struct histogram {
    size_t max;
    uint32_t total;
    uint32_t bucket[BUCKETS];
} histogram;

typedef struct record {
    ebb_profile *profile; /* NULL: loaded, not begun yet */
    uint64_t samples;     /* those loaded included */
    histogram used;       /* in chunks. It alone, and `samples`, are saved */
    histogram held;       /* the peak where it is known */
    uint64_t ended;
    ebb_profile_ledger sum;
    _Atomic uint64_t soft_crossed, refused;
    char name[NAME_MAX_LENGTH + 1];
} record;

ebb_profile ebb__anonymous = EBB_PROFILE("anonymous");

static os_lock_t lock = OS_LOCK_INIT;
static record *_Atomic records[PROFILES]; /* by id, from 1; those with a profile */
static unsigned record_count;
static record *loaded[PROFILES]; /* waiting for a profile of their name */
static unsigned loaded_count;
static char *pool_next, *pool_end;

void ebb__profile_lock(void)
{
    os_lock(&lock);
}

void ebb__profile_unlock(void)
{
    os_unlock(&lock);
}

/* ---- buckets --------------------------------------------------------------------------------- */

static unsigned bucket_of(size_t size)
{
    if (size < (1u << FIRST_BITS)) return 0;
    unsigned top = 63 - (unsigned)__builtin_clzll(size);
    unsigned i = 1 + (top - FIRST_BITS) * STEPS + (unsigned)((size >> (top - 3)) & (STEPS - 1));
    return i < BUCKETS ? i : BUCKETS - 1;
}

/* The largest size that falls into bucket i. */
static size_t bucket_top(unsigned i)
{
    if (i == 0) return (1u << FIRST_BITS) - 1;
    unsigned top = FIRST_BITS + (i - 1) / STEPS;
    return (((size_t)STEPS + (i - 1) % STEPS + 1) << (top - 3)) - 1;
}

static size_t percentile_of(const histogram *h, unsigned percent)
{
    uint64_t want = ((uint64_t)h->total * percent + 99) / 100, seen = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += h->bucket[i];
        if (h->total && seen >= want) return bucket_top(i) < h->max ? bucket_top(i) : h->max;
    }
    return 0;
}

static void add(histogram *h, size_t size)
{
    h->bucket[bucket_of(size)]++;
    h->total++;
    if (size > h->max) h->max = size;
    if (h->total < FULL) return;
    h->total = 0;
    for (unsigned i = 0; i < BUCKETS; i++) h->total += h->bucket[i] /= 2;
}

/* ---- learning -------------------------------------------------------------------------------- */

unsigned ebb__head_for(size_t used)
{
    unsigned k = 0;
    while (k < HEAD_CLASSES && class_size(k) - CONTROL_SIZE < used) k++;
    return k;
}

unsigned ebb__body_for(size_t used)
{
    unsigned step = 0;
    while (step < BODY_STEPS - 1 && class_size(body_class(step)) - CONTROL_SIZE < used) step++;
    return step;
}

/* What scopes of a profile are, whatever it has learned. */
uint32_t ebb__profile_bits(const ebb_profile *p)
{
    return LIVE | SCOPE | STICKY | (p->wipe ? WIPE : 0u) |
           (p->soft || p->hard || p->budget ? LIMITED : 0u);
}

/* What begin stores into a control block of this profile. */
static void begin_with(ebb_profile *p, unsigned id, unsigned head, unsigned body)
{
    uint32_t bits = ebb__profile_bits(p) | head << HEAD_SHIFT | body;
    uint32_t start = (uint32_t)id << PROFILE_SHIFT | bits;
    if (p->ebb__start != start) __atomic_store_n(&p->ebb__start, start, __ATOMIC_RELEASE);
}

static void learn_for(const record *r, ebb_profile *p)
{
    enum { BODY_PERCENTILE = 95 };
    unsigned percent = p->percentile && p->percentile <= 100 ? p->percentile : DEFAULT_PERCENTILE;
    size_t used = percentile_of(&r->used, percent);
    unsigned head = ebb__head_for(used);
    if (head == HEAD_CLASSES) head = 0;
    else
        used = percentile_of(&r->used, BODY_PERCENTILE); /* the body is for the few that overflow */
    size_t in_head = class_size(head) - CONTROL_SIZE;
    unsigned body = ebb__body_for(used > in_head ? used - in_head : 0);
    begin_with(p, p->ebb__start >> PROFILE_SHIFT, head, body);
}

static void learn(const record *r)
{
    for (ebb_profile *p = r->profile; p; p = p->ebb__twin) learn_for(r, p);
}

/* ---- samples --------------------------------------------------------------------------------- */

static record *record_of_profile(unsigned id)
{
    return atomic_load_explicit(&records[id], memory_order_relaxed); /* none of id 0 */
}

/* Return how many ends have led to this one. */
static uint32_t next_interval(thread *t, bool young)
{
    enum { OFTEN = 17, SELDOM = 67 };
    uint32_t before = t->interval ? t->interval : 1;
    t->interval = t->until_sample = young ? OFTEN : SELDOM;
    return before;
}

/* One of every so many ends comes here. */
void ebb__profile_sample(thread *t, const ebb_arena *a)
{
    const record *r = record_of_profile(profile_of(a));
    bool young = r && __atomic_load_n(&r->samples, __ATOMIC_RELAXED) < YOUNG;
    uint32_t weight = next_interval(t, young);
    t->last_profile = (uint16_t)profile_of(a);
    if (!r) return;
    t->sample[t->sample_count++] = (sample){(uint16_t)profile_of(a), weight, ebb__figures(a)};
    if (t->sample_count >= (young ? YOUNG_BATCH : SAMPLES)) ebb__profile_merge(t);
}

static void add_to_ledger(ebb_profile_ledger *l, const figures *f)
{
    size_t handed_out = f->in_chunks + f->in_large;
    size_t abandoned = f->abandoned < handed_out ? f->abandoned : handed_out;
    l->samples++;
    l->held += f->held;
    l->used += handed_out - abandoned;
    l->tails += f->tails;
    l->idle += f->idle;
    l->abandoned += abandoned;
    l->headers += f->headers;
    l->chunks += f->chunks;
    l->large += f->large;
}

static void add_sample(record *r, const sample *s)
{
    add(&r->used, s->of.in_chunks);
    add(&r->held, s->of.peak);
    add_to_ledger(&r->sum, &s->of);
    r->ended += s->weight;
    __atomic_store_n(&r->samples, r->samples + 1, __ATOMIC_RELAXED);
}

void ebb__profile_merge(thread *t)
{
    os_lock(&lock);
    for (unsigned i = 0; i < t->sample_count; i++) {
        const sample *s = &t->sample[i];
        record *r = record_of_profile(s->profile);
        add_sample(r, s);
        bool more = i + 1 < t->sample_count && s[1].profile == s->profile;
        if (!more) learn(r);
    }
    os_unlock(&lock);
    t->sample_count = 0;
}

/* Whose scopes it has ended since the last look nobody knows: they are told as of the same kind, so
   that threads that live shorter than an interval are not counted as one end each. */
void ebb__profile_leave(thread *t)
{
    uint32_t since = t->interval - t->until_sample;
    record *r = record_of_profile(t->last_profile);
    ebb__profile_merge(t);
    if (!r || !since) return;
    os_lock(&lock);
    r->ended += since;
    os_unlock(&lock);
}

void ebb__profile_crossed(const ebb_arena *a)
{
    record *r = record_of_profile(profile_of(a));
    if (r) atomic_fetch_add_explicit(&r->soft_crossed, 1, memory_order_relaxed);
}

void ebb__profile_refused(const ebb_arena *a)
{
    record *r = record_of_profile(profile_of(a));
    if (r) atomic_fetch_add_explicit(&r->refused, 1, memory_order_relaxed);
}

/* ---- registration ---------------------------------------------------------------------------- */

static record *record_new(void)
{
    const size_t pool = (size_t)64 << 10, size = (sizeof(record) + 63) & ~(size_t)63;
    if ((size_t)(pool_end - pool_next) < size) {
        char *p = os_reserve(pool, 4096);
        if (!p) return NULL;
        pool_next = p;
        pool_end = p + pool;
    }
    record *r = (record *)(void *)pool_next;
    pool_next += size;
    return r;
}

static record *take_loaded(const char *name)
{
    for (unsigned i = 0; i < loaded_count; i++) {
        record *r = loaded[i];
        if (strcmp(r->name, name) != 0) continue;
        loaded[i] = loaded[--loaded_count];
        return r;
    }
    return NULL;
}

static record *begun_by_name(const char *name)
{
    for (unsigned i = 1; i <= record_count; i++) {
        record *r = atomic_load_explicit(&records[i], memory_order_relaxed);
        if (strncmp(r->name, name, NAME_MAX_LENGTH) == 0) return r;
    }
    return NULL;
}

/* Another profile of that name learns with the first. */
static bool join(ebb_profile *p, record *r)
{
    p->ebb__twin = r->profile->ebb__twin;
    r->profile->ebb__twin = p;
    begin_with(p, r->profile->ebb__start >> PROFILE_SHIFT, DEFAULT_HEAD, DEFAULT_BODY);
    if (r->used.total) learn(r);
    return true;
}

static bool register_locked(ebb_profile *p)
{
    if (p->ebb__start) return true;
    /* The anonymous one first, so that it has a place when there are too many. */
    if (p != &ebb__anonymous && !register_locked(&ebb__anonymous)) return false;
    record *same = begun_by_name(p->name ? p->name : "");
    if (same) return join(p, same);
    if (record_count == PROFILES - 1) return false;
    record *r = take_loaded(p->name ? p->name : "");
    if (!r) r = record_new();
    if (!r) return false;
    r->profile = p;
    snprintf(r->name, sizeof r->name, "%s", p->name ? p->name : "");
    unsigned id = ++record_count;
    atomic_store_explicit(&records[id], r, memory_order_release);
    begin_with(p, id, DEFAULT_HEAD, DEFAULT_BODY);
    if (r->used.total) learn(r);
    return true;
}

/* False: there are too many, or there is no memory. */
bool ebb__profile_register(ebb_profile *p)
{
    if (likely(__atomic_load_n(&p->ebb__start, __ATOMIC_ACQUIRE))) return true;
    os_lock(&lock);
    bool ok = register_locked(p);
    os_unlock(&lock);
    return ok;
}

const char *ebb__profile_name(unsigned id)
{
    const record *r =
        id && id < PROFILES ? atomic_load_explicit(&records[id], memory_order_acquire) : NULL;
    return r ? r->name : NULL;
}

ebb_profile *ebb__profile_by_id(unsigned id)
{
    if (id == 0) return NULL;
    record *r = atomic_load_explicit(&records[id], memory_order_acquire);
    return r ? r->profile : NULL;
}

/* ---- seeing ---------------------------------------------------------------------------------- */

/* What this thread has looked at is not to be missed; what others have, they hold themselves. */
static const record *record_for(ebb_profile *p)
{
    if (!ebb__profile_register(p)) return NULL;
    if (ebb__self->sample_count) ebb__profile_merge(ebb__self);
    return record_of_profile(__atomic_load_n(&p->ebb__start, __ATOMIC_RELAXED) >> PROFILE_SHIFT);
}

static void show_record(const record *r, ebb_profile_stats *ret_)
{
    ret_->samples = r->samples;
    ret_->used_p50 = percentile_of(&r->used, 50);
    ret_->used_p95 = percentile_of(&r->used, 95);
    ret_->used_max = r->used.max;
    ret_->held_p50 = percentile_of(&r->held, 50);
    ret_->held_p95 = percentile_of(&r->held, 95);
    ret_->held_max = r->held.max;
    ret_->ended = r->ended;
    ret_->soft_crossed = atomic_load_explicit(&r->soft_crossed, memory_order_relaxed);
    ret_->refused = atomic_load_explicit(&r->refused, memory_order_relaxed);
    ret_->sum = r->sum;
}

void ebb_profile_get_stats(ebb_profile *p, ebb_profile_stats *ret_)
{
    memset(ret_, 0, sizeof *ret_);
    const record *r = record_for(p);
    if (!r) return;
    os_lock(&lock);
    uint32_t start = __atomic_load_n(&p->ebb__start, __ATOMIC_RELAXED);
    show_record(r, ret_);
    ret_->head = class_size((start & HEAD_MASK) >> HEAD_SHIFT);
    ret_->body = class_size(body_class(start & BODY_MASK));
    os_unlock(&lock);
}

size_t ebb_profile_get_histogram(ebb_profile *p, ebb_profile_bar *ret_, size_t most)
{
    size_t n = 0;
    const record *r = record_for(p);
    if (!r) return 0;
    os_lock(&lock);
    for (unsigned i = 0; i < BUCKETS; i++) {
        if (!r->used.bucket[i]) continue;
        if (n < most) ret_[n] = (ebb_profile_bar){bucket_top(i), r->used.bucket[i]};
        n++;
    }
    os_unlock(&lock);
    return n;
}

size_t ebb_profile_list(ebb_profile **ret_, size_t most)
{
    os_lock(&lock);
    size_t n = record_count;
    for (unsigned i = 1; i <= n && i <= most; i++) ret_[i - 1] = record_of_profile(i)->profile;
    os_unlock(&lock);
    return n;
}

/* ---- the file -------------------------------------------------------------------------------- */

/*
 * Lines of words; names are escaped as in URLs:
 *
 *     ebb-profiles 1
 *     POST%20/vms <samples> <largest> <bucket>:<count> ...
 *     end <number of profiles> <FNV-1a of all bytes before this line, in hex>
 *
 * The last line tells a whole file from a part.
 */

static const char magic[] = "ebb-profiles 1\n";

static uint64_t fnv1a(uint64_t h, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
    return h;
}

#define FNV_BASIS 0xcbf29ce484222325u

typedef struct out {
    FILE *file;
    uint64_t hash;
    unsigned count;
} out;

static void put(out *o, const char *text)
{
    o->hash = fnv1a(o->hash, text, strlen(text));
    fputs(text, o->file);
}

static void put_name(out *o, const char *name)
{
    if (!*name) put(o, "%");
    for (; *name; name++) {
        char word[4] = {*name, 0, 0, 0};
        unsigned char c = (unsigned char)*name;
        if (c <= ' ' || c == '%' || c >= 0x7f) snprintf(word, sizeof word, "%%%02x", c);
        put(o, word);
    }
}

static void put_record(out *o, const record *r)
{
    char word[64];
    if (r->used.total == 0) return;
    put_name(o, r->name);
    snprintf(word, sizeof word, " %" PRIu64 " %zu", r->samples, r->used.max);
    put(o, word);
    for (unsigned i = 0; i < BUCKETS; i++) {
        if (!r->used.bucket[i]) continue;
        snprintf(word, sizeof word, " %u:%" PRIu32, i, r->used.bucket[i]);
        put(o, word);
    }
    put(o, "\n");
    o->count++;
}

static bool write_all(FILE *f)
{
    out o = {f, FNV_BASIS, 0};
    if (ebb__self->sample_count) ebb__profile_merge(ebb__self);
    put(&o, magic);
    os_lock(&lock);
    for (unsigned i = 1; i <= record_count; i++)
        put_record(&o, atomic_load_explicit(&records[i], memory_order_relaxed));
    for (unsigned i = 0; i < loaded_count; i++) put_record(&o, loaded[i]);
    os_unlock(&lock);
    fprintf(f, "end %u %016" PRIx64 "\n", o.count, o.hash);
    return !ferror(f);
}

ebb_status ebb_profile_save(const char *path)
{
    ebb__file f;
    if (!ebb__file_begin(&f, path)) return EBB_E_IO;
    return ebb__file_end(&f, write_all(f.to)) ? EBB_OK : EBB_E_IO;
}

/* ---- reading it ------------------------------------------------------------------------------ */

typedef struct in {
    ebb_arena *scratch;
    char *next, *end; /* the unread part; the text ends in a NUL */
    unsigned line;
    const char *what; /* what is wrong, NULL: nothing yet */
    record **read;
    unsigned count;
} in;

static char *read_whole(in *r, const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f) return NULL;
    size_t size = 0, room = 0;
    char *text = NULL;
    do {
        if (size + 1 >= room) {
            char *more = ebb_resize(r->scratch, text, room, room ? room * 2 : 4096);
            if (!more) break;
            text = more;
            room = room ? room * 2 : 4096;
        }
        size += fread(text + size, 1, room - 1 - size, f);
    } while (!feof(f) && !ferror(f));
    bool ok = feof(f) && !ferror(f);
    fclose(f);
    if (!ok || !text) return NULL;
    text[size] = '\0';
    r->next = text;
    r->end = text + size;
    return text;
}

static bool wrong(in *r, const char *what)
{
    if (!r->what) r->what = what;
    return false;
}

static bool read_number(in *r, uint64_t max, uint64_t *ret_)
{
    uint64_t n = 0;
    const char *start = r->next;
    for (; *r->next >= '0' && *r->next <= '9'; r->next++) {
        uint64_t digit = (uint64_t)(*r->next - '0');
        if (n > (max - digit) / 10) return wrong(r, "a number is out of range");
        n = n * 10 + digit;
    }
    if (r->next == start) return wrong(r, "a number is missing");
    *ret_ = n;
    return true;
}

static bool read_char(in *r, char c, const char *what)
{
    if (*r->next != c || r->next == r->end) return wrong(r, what);
    r->next++;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_name(in *r, record *to)
{
    size_t n = 0;
    if (r->next[0] == '%' && r->next[1] == ' ') r->next++;
    while (r->next < r->end && (unsigned char)*r->next > ' ' && n < NAME_MAX_LENGTH) {
        char c = *r->next++;
        if (c == '%') {
            int high = hex_digit(r->next[0]), low = high < 0 ? -1 : hex_digit(r->next[1]);
            if (low < 0) return wrong(r, "a name has a bad escape");
            c = (char)(high << 4 | low);
            r->next += 2;
        }
        if (c == '\0') return wrong(r, "a name has a NUL");
        to->name[n++] = c;
    }
    return read_char(r, ' ', "a name is too long, or nothing follows it");
}

static bool read_buckets(in *r, record *to)
{
    uint64_t next = 0, i, count;
    while (*r->next == ' ') {
        r->next++;
        if (!read_number(r, BUCKETS - 1, &i) || !read_char(r, ':', "a ':' is missing"))
            return false;
        if (i < next) return wrong(r, "buckets are out of order");
        if (!read_number(r, FULL, &count) || count == 0) return wrong(r, "a bucket is empty");
        to->used.bucket[i] = (uint32_t)count;
        to->used.total += (uint32_t)count;
        next = i + 1;
    }
    if (to->used.total == 0 || to->used.total > FULL)
        return wrong(r, "a histogram is empty or overfull");
    return read_char(r, '\n', "unexpected characters at the end of the line");
}

static bool read_record(in *r)
{
    uint64_t max = 0;
    record *to = ebb_new(r->scratch, record);
    record **list =
        ebb_resize(r->scratch, r->read, r->count * sizeof *list, (r->count + 1) * sizeof *list);
    if (!to || !list) return wrong(r, "out of memory");
    r->read = list;
    r->read[r->count++] = to;
    if (r->count >= PROFILES) return wrong(r, "too many profiles");
    if (!read_name(r, to) || !read_number(r, UINT64_MAX, &to->samples)) return false;
    if (!read_char(r, ' ', "the largest size is missing") || !read_number(r, PTRDIFF_MAX, &max))
        return false;
    to->used.max = (size_t)max;
    return read_buckets(r, to);
}

static bool read_end(in *r, const char *text)
{
    char line[64];
    uint64_t hash = fnv1a(FNV_BASIS, text, (size_t)(r->next - text));
    snprintf(line, sizeof line, "end %u %016" PRIx64 "\n", r->count, hash);
    if (strcmp(r->next, line) != 0)
        return wrong(r, "the last line does not match the file: damaged");
    return true;
}

static bool read_all(in *r, const char *text)
{
    r->line = 1;
    if (strlen(text) != (size_t)(r->end - text)) return wrong(r, "it has a NUL");
    if (strncmp(text, magic, sizeof magic - 1) != 0) return wrong(r, "not a file of profiles");
    r->next += sizeof magic - 1;
    for (r->line = 2; r->next < r->end; r->line++) {
        if (strncmp(r->next, "end ", 4) == 0) return read_end(r, text);
        if (!read_record(r)) return false;
    }
    return wrong(r, "the file ends early");
}

/* ---- taking it over -------------------------------------------------------------------------- */

static void replace(record *r, const record *by)
{
    __atomic_store_n(&r->samples, by->samples, __ATOMIC_RELAXED);
    r->used = by->used;
    memcpy(r->name, by->name, sizeof r->name);
    if (r->profile) learn(r);
}

static record *waiting_by_name(const char *name)
{
    for (unsigned i = 0; i < loaded_count; i++)
        if (strcmp(loaded[i]->name, name) == 0) return loaded[i];
    return NULL;
}

/* Have room for all that is new before anything changes. */
static bool reserve_new(in *r, record **spare)
{
    unsigned fresh = 0;
    for (unsigned i = 0; i < r->count; i++) {
        spare[i] = NULL;
        if (begun_by_name(r->read[i]->name) || waiting_by_name(r->read[i]->name)) continue;
        if (loaded_count + ++fresh > PROFILES) return wrong(r, "too many profiles");
        if (!(spare[i] = record_new())) return wrong(r, "out of memory");
    }
    return true;
}

static void take_over(in *r, record **spare)
{
    for (unsigned i = 0; i < r->count; i++) {
        const record *from = r->read[i];
        record *to = waiting_by_name(from->name);
        if (spare[i] && !to) loaded[loaded_count++] = to = spare[i];
        if (!to) to = begun_by_name(from->name);
        if (to) replace(to, from);
    }
}

static ebb_status load(in *r, const char *path)
{
    errno = 0;
    char *text = read_whole(r, path);
    if (!text) {
        wrong(r, errno ? strerror(errno) : "out of memory");
        return errno ? EBB_E_IO : EBB_E_MEMORY;
    }
    if (!read_all(r, text)) return ebb_failed(r->scratch) ? EBB_E_MEMORY : EBB_E_SYNTAX;
    record **spare = ebb_alloc_array(r->scratch, record *, r->count + 1);
    if (!spare) return wrong(r, "out of memory"), EBB_E_MEMORY;
    if (ebb__self->sample_count) ebb__profile_merge(ebb__self); /* older than what is loaded */
    os_lock(&lock);
    bool ok = reserve_new(r, spare);
    if (ok) take_over(r, spare);
    os_unlock(&lock);
    return ok ? EBB_OK : EBB_E_MEMORY;
}

ebb_status ebb_profile_load(const char *path, ebb_arena *to, const char **ret_why)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = "ebb_profile_load";
    params.sticky = true;
    in r = {.scratch = ebb_arena_create(&params)};
    ebb_status status = load(&r, path);
    if (status != EBB_OK && ret_why)
        *ret_why = r.line ? ebb_printf(to, "%s:%u: %s", path, r.line, r.what)
                          : ebb_printf(to, "%s: %s", path, r.what);
    ebb_arena_destroy(&r.scratch);
    return status;
}
