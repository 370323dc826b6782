/*
 * track/profiles.c: what profiles have counted, as JSON, as OpenMetrics, and as text for a person.
 * All of it is asked of ebb/profile.h.
 */
#include "format.h"
#include "live.h"
#include "seam.h"

#include <ebb/profile.h>

#include <inttypes.h>
#include <string.h>

enum { NAME_MOST = 95 /* of it two profiles differ */ };

static const char *name_of(const ebb_profile *p)
{
    return p->name ? p->name : "";
}

static uint64_t mean(const ebb_profile_stats *s, uint64_t sum)
{
    return s->sum.samples ? sum / s->sum.samples : 0;
}

/* ---- all of them ----------------------------------------------------------------------------- */

typedef struct profiles {
    ebb_profile **of;
    size_t count, room;
} profiles;

/* Those that begin meanwhile are left out. */
static profiles list_all(ebb__out *o)
{
    profiles all = {.room = ebb_profile_list(NULL, 0)};
    if (all.room) all.of = ebb__pages_take(all.room * sizeof *all.of);
    if (all.room && !all.of) o->failed = true;
    if (all.of) ebb_profile_list(all.of, all.room);
    all.count = all.of ? all.room : 0;
    return all;
}

static void free_all(profiles *all)
{
    if (all->of) ebb__pages_give(all->of, all->room * sizeof *all->of);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_member(ebb__out *o, const char *name, uint64_t value)
{
    ebb__out_printf(o, ",\"%s\":%" PRIu64, name, value);
}

static void put_waste(ebb__out *o, const ebb_profile_stats *s)
{
    const ebb_profile_ledger *l = &s->sum;
    ebb__out_printf(o, ",\"waste\":{\"held\":%" PRIu64, mean(s, l->held));
    put_member(o, "used", mean(s, l->used));
    put_member(o, "tails", mean(s, l->tails));
    put_member(o, "idle", mean(s, l->idle));
    put_member(o, "abandoned", mean(s, l->abandoned));
    put_member(o, "headers", mean(s, l->headers));
    ebb__out_text(o, "}");
}

static void put_histogram(ebb__out *o, ebb_profile *p)
{
    ebb_profile_bar bar[EBB_PROFILE_BARS];
    size_t n = ebb_profile_get_histogram(p, bar, EBB_PROFILE_BARS);
    ebb__out_text(o, ",\"histogram\":[");
    for (size_t i = 0; i < n; i++)
        ebb__out_printf(o, "%s[%zu,%" PRIu32 "]", i ? "," : "", bar[i].upto, bar[i].count);
    ebb__out_text(o, "]");
}

static size_t advice_of(ebb_profile *p, ebb_profile_advice ret_[EBB_PROFILE_ADVICE_MOST])
{
    size_t n = ebb_profile_get_advice(p, ret_, EBB_PROFILE_ADVICE_MOST);
    return n < EBB_PROFILE_ADVICE_MOST ? n : EBB_PROFILE_ADVICE_MOST;
}

static void put_advice(ebb__out *o, ebb_profile *p)
{
    ebb_profile_advice advice[EBB_PROFILE_ADVICE_MOST];
    size_t n = advice_of(p, advice);
    ebb__out_text(o, ",\"advice\":[");
    for (size_t i = 0; i < n; i++) {
        if (i) ebb__out_text(o, ",");
        ebb__out_json(o, advice[i].text, strlen(advice[i].text));
    }
    ebb__out_text(o, "]");
}

static void put_sizes(ebb__out *o, const ebb_profile_stats *s)
{
    put_member(o, "ended", s->ended);
    put_member(o, "samples", s->samples);
    put_member(o, "used_p50", s->used_p50);
    put_member(o, "used_p95", s->used_p95);
    put_member(o, "used_max", s->used_max);
    put_member(o, "held_p50", s->held_p50);
    put_member(o, "held_p95", s->held_p95);
    put_member(o, "held_max", s->held_max);
    uint64_t chunks = mean(s, s->sum.chunks * 100), large = mean(s, s->sum.large * 100);
    ebb__out_printf(o, ",\"chunks\":%" PRIu64 ".%02u", chunks / 100, (unsigned)(chunks % 100));
    ebb__out_printf(o, ",\"large\":%" PRIu64 ".%02u", large / 100, (unsigned)(large % 100));
    put_member(o, "head", s->head);
    put_member(o, "body", s->body);
    put_member(o, "soft_crossed", s->soft_crossed);
    put_member(o, "refused", s->refused);
}

static void put_json(ebb__out *o, ebb_profile *p)
{
    ebb_profile_stats s;
    ebb_profile_get_stats(p, &s);
    ebb__out_text(o, "{\"name\":");
    ebb__out_json(o, name_of(p), strnlen(name_of(p), NAME_MOST));
    put_sizes(o, &s);
    put_waste(o, &s);
    put_histogram(o, p);
    put_advice(o, p);
    ebb__out_text(o, "}");
}

void ebb__json_profiles(ebb__out *o)
{
    profiles all = list_all(o);
    ebb__out_text(o, "[");
    for (size_t i = 0; i < all.count; i++) {
        if (i) ebb__out_text(o, ",\n");
        put_json(o, all.of[i]);
    }
    ebb__out_text(o, "]");
    free_all(&all);
}

/* ---- OpenMetrics ----------------------------------------------------------------------------- */

#define STATS(field) offsetof(ebb_profile_stats, field)

static const struct {
    const char *name, *type, *unit, *suffix, *help;
    size_t offset;
} families[] = {
    {"ebb_profile_ended", "counter", NULL, "_total", "Scopes ended: an estimate, from the samples.",
     STATS(ended)},
    {"ebb_profile_samples", "counter", NULL, "_total", "Scopes looked at, in this process.",
     STATS(sum.samples)},
    {"ebb_profile_held_p95_bytes", "gauge", "bytes", "",
     "Bytes that 95 of 100 scopes hold at their end at most.", STATS(held_p95)},
    {"ebb_profile_soft_crossed", "counter", NULL, "_total", "Times a soft limit was passed.",
     STATS(soft_crossed)},
    {"ebb_profile_refused", "counter", NULL, "_total", "Blocks refused by a limit or a budget.",
     STATS(refused)},
};

static const struct {
    const char *name;
    size_t offset;
} parts[] = {{"used", STATS(sum.used)},
             {"tails", STATS(sum.tails)},
             {"idle", STATS(sum.idle)},
             {"abandoned", STATS(sum.abandoned)},
             {"headers", STATS(sum.headers)}};

static uint64_t field_of(const ebb_profile_stats *s, size_t offset)
{
    uint64_t value;
    _Static_assert(sizeof(size_t) == sizeof value, "all fields are of one size");
    memcpy(&value, (const char *)s + offset, sizeof value);
    return value;
}

static void put_family(ebb__out *o, size_t which, const profiles *all)
{
    ebb__metric_begin(o, families[which].name, families[which].type, families[which].unit,
                      families[which].help);
    for (size_t i = 0; i < all->count; i++) {
        ebb_profile_stats s;
        ebb_profile_get_stats(all->of[i], &s);
        ebb__out_printf(o, "%s%s{profile=", families[which].name, families[which].suffix);
        ebb__metric_label(o, name_of(all->of[i]), NAME_MOST);
        ebb__out_printf(o, "} %" PRIu64 "\n", field_of(&s, families[which].offset));
    }
}

static void put_parts(ebb__out *o, ebb_profile *p)
{
    ebb_profile_stats s;
    ebb_profile_get_stats(p, &s);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        ebb__out_text(o, "ebb_profile_scope_bytes{profile=");
        ebb__metric_label(o, name_of(p), NAME_MOST);
        ebb__out_printf(o, ",part=\"%s\"} %" PRIu64 "\n", parts[i].name,
                        mean(&s, field_of(&s, parts[i].offset)));
    }
}

void ebb__metrics_profiles(ebb__out *o)
{
    profiles all = list_all(o);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) put_family(o, i, &all);
    ebb__metric_begin(o, "ebb_profile_scope_bytes", "gauge", "bytes",
                      "What a scope holds at its end, by what it is of use for; the mean.");
    for (size_t i = 0; i < all.count; i++) put_parts(o, all.of[i]);
    free_all(&all);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void put_share(ebb__out *o, const char *name, const ebb_profile_stats *s, uint64_t sum)
{
    double percent = s->sum.held ? (double)sum * 100 / (double)s->sum.held : 0;
    ebb__out_printf(o, ", %s %u %%", name, (unsigned)(percent + 0.5));
}

static void put_line(ebb__out *o, const ebb_profile *p, const ebb_profile_stats *s)
{
    char held[EBB__SIZE_TEXT];
    ebb__size_text(s->held_p95, held);
    ebb__out_text(o, "  \"");
    ebb__out_name(o, name_of(p), NAME_MOST);
    ebb__out_printf(o, "\": about %" PRIu64 " ended; 95 %% hold up to %s", s->ended, held);
    put_share(o, "used", s, s->sum.used);
    put_share(o, "tails", s, s->sum.tails);
    put_share(o, "idle", s, s->sum.idle);
    put_share(o, "abandoned", s, s->sum.abandoned);
    if (s->soft_crossed) ebb__out_printf(o, ", soft passed %" PRIu64 " times", s->soft_crossed);
    if (s->refused) ebb__out_printf(o, ", refused %" PRIu64 " times", s->refused);
    ebb__out_text(o, "\n");
}

static void put_text(ebb__out *o, ebb_profile *p)
{
    ebb_profile_advice advice[EBB_PROFILE_ADVICE_MOST];
    ebb_profile_stats s;
    ebb_profile_get_stats(p, &s);
    if (!s.sum.samples && !s.soft_crossed && !s.refused) return;
    put_line(o, p, &s);
    size_t n = advice_of(p, advice);
    for (size_t i = 0; i < n; i++) ebb__out_printf(o, "    %s\n", advice[i].text);
}

void ebb__text_profiles(ebb__out *o)
{
    profiles all = list_all(o);
    ebb__out_text(o, "profiles:\n");
    for (size_t i = 0; i < all.count; i++) put_text(o, all.of[i]);
    free_all(&all);
}
