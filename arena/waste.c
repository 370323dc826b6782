/*
 * arena/waste.c: what a profile's scopes have wasted, as text for a person, and what could be done
 * about it. From its figures alone (profile.c), so that whoever shows them otherwise says the same.
 *
 * An advice must be worth a person's time. So each has a share of what is held below which nobody
 * would notice the difference, and a number of bytes a scope below which nobody should care. The
 * thresholds are stated in ebb/profile.h.
 */
#include "internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    ENOUGH = 64, /* scopes looked at: a percentile of 95 then rests on more than three */
    HEAD_CHUNKS_PERCENT = 105, /* chunks of a hundred scopes */
    BODY_CHUNKS_PERCENT = 210,
    SPREAD = 8, /* of the largest twentieth to the half */
    SPREAD_IDLE_PERCENT = 25,
    SPREAD_IDLE_LEAST = 2048,
    TAILS_PERCENT = 10,
    TAILS_LEAST = 256,
    ABANDONED_PERCENT = 5,
    ABANDONED_LEAST = 128
};

void ebb__size_text(uint64_t bytes, char ret_text[EBB__SIZE_TEXT])
{
    static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(ret_text, EBB__SIZE_TEXT, "%u B", (unsigned)bytes);
        return;
    }
    unsigned i = 0;
    for (; bytes >= (uint64_t)1 << 20; i++) bytes >>= 10;
    unsigned tenths = (unsigned)(bytes * 10 / 1024); /* by hand: a locale may want a comma */
    snprintf(ret_text, EBB__SIZE_TEXT, "%u.%u %s", tenths / 10, tenths % 10, unit[i]);
}

/* ---- advice ---------------------------------------------------------------------------------- */

typedef struct advice {
    ebb_profile_stats s;
    ebb_profile_advice *to;
    size_t most, count;
} advice;

static void add(advice *a, const char *fmt, ...) EBB_PRINTF(2, 3);
static void add(advice *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (a->count < a->most) vsnprintf(a->to[a->count].text, sizeof a->to[a->count].text, fmt, args);
    va_end(args);
    a->count++;
}

static uint64_t mean(const ebb_profile_stats *s, uint64_t sum)
{
    return s->sum.samples ? sum / s->sum.samples : 0;
}

static unsigned percent(const ebb_profile_stats *s, uint64_t sum)
{
    return s->sum.held ? (unsigned)((double)sum * 100 / (double)s->sum.held + 0.5) : 0;
}

static bool is_much(const ebb_profile_stats *s, uint64_t sum, unsigned least_percent,
                    uint64_t least_mean)
{
    return (double)sum * 100 >= (double)s->sum.held * least_percent && mean(s, sum) >= least_mean;
}

/* Of a hundred scopes. */
static uint64_t chunks_percent(const ebb_profile_stats *s)
{
    return mean(s, s->sum.chunks * 100);
}

/* The sizes that are learned aim at a percentile, 75 unless it is said. */
static void advise_sizes(advice *a)
{
    const ebb_profile_stats *s = &a->s;
    unsigned head = ebb__head_for(s->used_p95);
    const char *what = "head";
    size_t size = head < HEAD_CLASSES ? class_size(head) : 0;
    bool better = size > s->head && chunks_percent(s) >= HEAD_CHUNKS_PERCENT;
    if (head == HEAD_CLASSES) {
        what = "body";
        size = class_size(body_class(ebb__body_for(s->used_p95 - (s->head - CONTROL_SIZE))));
        better = size > s->body && chunks_percent(s) >= BODY_CHUNKS_PERCENT;
    }
    char text[EBB__SIZE_TEXT];
    ebb__size_text(size, text);
    if (better) add(a, "a %s %s would fit 95 %% of the scopes: .percentile = 95", text, what);
}

static void advise_split(advice *a)
{
    const ebb_profile_stats *s = &a->s;
    if (s->used_p95 / SPREAD < s->used_p50 || s->used_p50 == 0) return;
    if (!is_much(s, s->sum.idle, SPREAD_IDLE_PERCENT, SPREAD_IDLE_LEAST)) return;
    char half[EBB__SIZE_TEXT], most[EBB__SIZE_TEXT];
    ebb__size_text(s->used_p50, half);
    ebb__size_text(s->used_p95, most);
    add(a,
        "half the scopes use %s, the largest twentieth %s and more, and %u %% of what is held is "
        "idle: give the large ones a profile of their own",
        half, most, percent(s, s->sum.idle));
}

static void advise_tails(advice *a)
{
    const ebb_profile_stats *s = &a->s;
    if (!is_much(s, s->sum.tails, TAILS_PERCENT, TAILS_LEAST)) return;
    add(a,
        "tails: %u %% of what is held, left where the next object was too large: larger bodies "
        "(.percentile), or allocate what is large first",
        percent(s, s->sum.tails));
}

static void advise_abandoned(advice *a)
{
    const ebb_profile_stats *s = &a->s;
    if (!is_much(s, s->sum.abandoned, ABANDONED_PERCENT, ABANDONED_LEAST)) return;
    add(a, "abandoned container storage: %" PRIu64 " bytes a scope, %u %% of what is held: reserve",
        mean(s, s->sum.abandoned), percent(s, s->sum.abandoned));
}

static void advise_limit(advice *a)
{
    const ebb_profile_stats *s = &a->s;
    if (!s->refused) return;
    char text[EBB__SIZE_TEXT];
    ebb__size_text(s->held_p95, text);
    add(a, "refused: %" PRIu64 " blocks, by a limit or a budget; 95 %% of the scopes hold %s",
        s->refused, text);
}

static size_t advise(const ebb_profile_stats *s, ebb_profile_advice *ret_, size_t most)
{
    advice a = {*s, ret_, most, 0};
    if (s->sum.samples >= ENOUGH) {
        advise_sizes(&a);
        advise_split(&a);
        advise_tails(&a);
        advise_abandoned(&a);
    }
    advise_limit(&a);
    return a.count;
}

size_t ebb_profile_get_advice(ebb_profile *p, ebb_profile_advice *ret_, size_t most)
{
    ebb_profile_stats s;
    ebb_profile_get_stats(p, &s);
    return advise(&s, ret_, most);
}

/* ---- text ------------------------------------------------------------------------------------ */

enum { TEXT = 2048 };

typedef struct text {
    char at[TEXT];
    size_t len;
} text;

static void put(text *t, const char *fmt, ...) EBB_PRINTF(2, 3);
static void put(text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->at + t->len, TEXT - t->len, fmt, args);
    va_end(args);
    if (n > 0) t->len += (size_t)n < TEXT - t->len ? (size_t)n : TEXT - t->len - 1;
}

static void put_sizes(text *t, const char *before, const size_t size[3], const char *after)
{
    char of[3][EBB__SIZE_TEXT];
    for (int i = 0; i < 3; i++) ebb__size_text(size[i], of[i]);
    put(t, "%shalf %s, 95 %% %s, all %s%s", before, of[0], of[1], of[2], after);
}

static void put_shares(text *t, const ebb_profile_stats *s)
{
    const ebb_profile_ledger *l = &s->sum;
    put(t,
        "  of what they hold at the end: used %u %%, tails %u %%, idle %u %%, abandoned %u %%, "
        "headers %u %%\n",
        percent(s, l->used), percent(s, l->tails), percent(s, l->idle), percent(s, l->abandoned),
        percent(s, l->headers));
}

static void put_hundredths(text *t, uint64_t n, const char *what)
{
    put(t, "%" PRIu64 ".%02u%s", n / 100, (unsigned)(n % 100), what);
}

static void put_figures(text *t, const ebb_profile_stats *s)
{
    char head[EBB__SIZE_TEXT], body[EBB__SIZE_TEXT];
    ebb__size_text(s->head, head);
    ebb__size_text(s->body, body);
    put_sizes(t, "  use up to: ", (size_t[3]){s->used_p50, s->used_p95, s->used_max}, "\n");
    put_sizes(t, "  hold up to: ", (size_t[3]){s->held_p50, s->held_p95, s->held_max}, "\n");
    put(t, "  begin with %s, then %s; ", head, body);
    put_hundredths(t, chunks_percent(s), " chunks and ");
    put_hundredths(t, mean(s, s->sum.large * 100), " large blocks each\n");
    put_shares(t, s);
}

char *ebb_profile_describe(ebb_profile *of, ebb_arena *in)
{
    ebb_profile_stats s;
    ebb_profile_advice found[EBB_PROFILE_ADVICE_MOST];
    text t = {.len = 0};
    ebb_profile_get_stats(of, &s);
    put(&t, "profile \"%.95s\": about %" PRIu64 " scopes ended, %" PRIu64 " looked at\n",
        of->name ? of->name : "", s.ended, s.sum.samples);
    if (s.sum.samples) put_figures(&t, &s);
    if (s.soft_crossed || s.refused)
        put(&t, "  soft limits passed %" PRIu64 " times, blocks refused %" PRIu64 " times\n",
            s.soft_crossed, s.refused);
    size_t n = advise(&s, found, EBB_PROFILE_ADVICE_MOST);
    for (size_t i = 0; i < n; i++) put(&t, "  %s\n", found[i].text);
    return ebb_strdup(in, t.at);
}
