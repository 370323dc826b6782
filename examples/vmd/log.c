/*
 * examples/vmd/log.c: every change is proposed, encoded into a serialization buffer and written
 * down before it is answered. GET /log shows the latest.
 *
 * What is written down lies in a ring, and the oldest makes room for the newest. Synchronized; as
 * in state.c nothing is allocated from a request under the lock.
 */
#include "vmd.h"

#include <pthread.h>
#include <stdlib.h>

enum { RING = 1 << 20, KEPT = 256, SHOWN = 20 };

typedef struct entry {
    unsigned long long number;
    unsigned char id[sizeof((proposal *)0)->id];
    size_t at, len;
} entry;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char ring[RING];
static entry kept[KEPT]; /* the newest is kept[total % KEPT] */
static unsigned long long total;
static size_t end; /* where the next goes */

/* ---- proposals ------------------------------------------------------------------------------- */

/* From what is proposed, so that two servers that are asked the same write down the same. */
static void name_proposal(proposal *p, const char *name)
{
    uint64_t half[2] = {ebb_hash_str(ebb_str_from(name), 1), ebb_hash_str(ebb_str_from(name), 2)};
    memcpy(p->id, half, sizeof p->id);
}

proposal *proposal_begin(request *req, const char *name, size_t size, int *ret_status)
{
    proposal *p = borrow(req, POOL_PROPOSALS, sizeof *p, ret_status);
    if (!p) return NULL;
    name_proposal(p, name);
    p->buffer = NULL;
    text_begin(&p->text, &req->mem);
    if (!opt.ebb) return p;
    p->buffer = borrow_buffer(req, size, ret_status);
    if (p->buffer) {
        p->text.builder = ebb_buf_builder(p->buffer);
        return p;
    }
    give_home(POOL_PROPOSALS, p);
    return NULL;
}

void proposal_end(proposal *p)
{
    if (p->buffer) ebb_buf_release(p->buffer);
    else text_free(&p->text);
    give_home(POOL_PROPOSALS, p);
}

/* ---- the ring -------------------------------------------------------------------------------- */

static void write_down(const proposal *p, ebb_str bytes)
{
    if (bytes.len > RING - end) end = 0;
    memcpy(ring + end, bytes.ptr, bytes.len);
    entry *e = &kept[++total % KEPT];
    *e = (entry){.number = total, .at = end, .len = bytes.len};
    memcpy(e->id, p->id, sizeof e->id);
    end += bytes.len;
}

bool proposal_commit(proposal *p)
{
    ebb_str bytes = p->buffer ? ebb_buf_finish(p->buffer, &p->text.builder) : text_view(&p->text);
    if (!bytes.ptr || text_failed(&p->text) || bytes.len > RING / 2) return false;
    pthread_mutex_lock(&lock);
    write_down(p, bytes);
    pthread_mutex_unlock(&lock);
    return true;
}

/* ---- GET /log -------------------------------------------------------------------------------- */

typedef struct shown {
    unsigned long long total;
    int count;
    entry entry[SHOWN]; /* newest first; at is in bytes */
    char bytes[];
} shown;

/* How many of the newest are shown, and their bytes: no more than half the ring, so that none of them
   has been written over, whatever was left unused where it went around. */
static int latest(size_t *ret_bytes)
{
    int n = 0;
    *ret_bytes = 0;
    for (; n < SHOWN && (unsigned long long)n < total; n++) {
        const entry *e = &kept[(total - (unsigned)n) % KEPT];
        if (*ret_bytes + e->len > RING / 2) break;
        *ret_bytes += e->len;
    }
    return n;
}

static size_t bytes_now(void)
{
    size_t bytes;
    pthread_mutex_lock(&lock);
    latest(&bytes);
    pthread_mutex_unlock(&lock);
    return bytes;
}

/* As many of the newest as have room. */
static void copy(shown *to, size_t room)
{
    size_t used = 0, bytes;
    pthread_mutex_lock(&lock);
    int n = latest(&bytes);
    to->total = total;
    for (to->count = 0; to->count < n; to->count++) {
        entry e = kept[(total - (unsigned)to->count) % KEPT];
        if (e.len > room - used) break;
        memcpy(to->bytes + used, ring + e.at, e.len);
        e.at = used;
        used += e.len;
        to->entry[to->count] = e;
    }
    pthread_mutex_unlock(&lock);
}

static void add_entry(text *t, const shown *s, const entry *e)
{
    text_put(t, "{\"number\":");
    text_int(t, (long long)e->number);
    text_put(t, ",\"id\":\"");
    for (size_t i = 0; i < sizeof e->id; i++) text_printf(t, "%02x", e->id[i]);
    text_put(t, "\",\"change\":");
    text_add(t, s->bytes + e->at, e->len);
    text_put(t, "}");
}

int get_log(request *req)
{
    text *t = &req->reply;
    size_t room = bytes_now();
    shown *s = mem_alloc(&req->mem, sizeof *s + room);
    if (!s) return 507;
    copy(s, room);
    text_put(t, "{\"count\":");
    text_int(t, (long long)s->total);
    text_put(t, ",\"latest\":[");
    for (int i = 0; i < s->count; i++) {
        text_put(t, i ? "," : "");
        add_entry(t, s, &s->entry[i]);
    }
    text_put(t, "]}");
    mem_free(&req->mem, s);
    return reply_done(req, 200);
}
