/*
 * track/format_folded.c: a line for each site: its stack from the outermost on, with the kind of
 * arena before all, and its bytes. Names are between ';', and the bytes are behind the last space.
 */
#include "format.h"
#include "frames.h"

#include <string.h>

/* What would end a name or a line; some readers take the Unicode line separators for one, too. */
static uint32_t replaced(uint32_t c)
{
    if (c == ';') return ':';
    bool ends = c < ' ' || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
    return ends ? '?' : c;
}

static void put_name(ebb__out *o, const char *name)
{
    const char *end = name + strlen(name);
    if (name == end) name = "?", end = name + 1;
    while (name < end) ebb__out_char(o, replaced(ebb__utf8_next(&name, end)));
}

static void put_frame(ebb__out *o, const ebb__named *n)
{
    ebb__out_text(o, ";");
    if (n->frame.function) {
        put_name(o, n->frame.function);
    } else if (n->frame.file) {
        put_name(o, ebb__file_name(n->frame.file));
        ebb__out_printf(o, ":%d", n->frame.line);
    } else {
        ebb__out_printf(o, "0x%llx", (unsigned long long)(uintptr_t)n->address);
    }
}

static void put_site(ebb__out *o, const ebb__frames *f, const ebb_report *r, const ebb_site *s)
{
    uint32_t depth;
    const void *const *stack = ebb__site_stack(s, &depth);
    put_name(o, ebb__kind_name(r, s));
    for (uint32_t i = depth; i-- > 0;) {
        const ebb__place *p = ebb__frames_find(f, stack[i]);
        for (uint32_t k = p ? p->count : 0; k-- > 0;) put_frame(o, &f->frame[p->first + k]);
    }
    ebb__out_printf(o, " %llu\n", (unsigned long long)s->bytes);
}

void ebb__format_folded(ebb__out *o, const ebb_report *r)
{
    ebb__frames f;
    ebb__frames_init(&f, r);
    if (f.failed) o->failed = true;
    for (size_t i = 0; i < r->site_count; i++) put_site(o, &f, r, &r->site[i]);
    ebb__frames_free(&f);
}
