/*
 * share/epoch.c: announcements, and what waits for them to be withdrawn. The scheme, and why it is
 * sound, is in epoch.h.
 *
 * Garbage waits in the order of its stamps, so what can go is always the front of the queue. Who
 * looks for it: whoever retires, but when much waits or there are many readers only now and then;
 * and the last of those scopes that hold back the front, when it ends. How many these are is
 * counted by who has looked in vain; each that ends counts down. Somebody who ends before being
 * counted may count down too: then one looks too early, and counts again. It can't be that nobody
 * looks: a reader withdraws its announcement before it looks whether garbage waits, and the count
 * begins after that can be seen.
 */
#include "epoch.h"

enum {
    SPARE_MOST = 64, /* readers that a thread keeps to itself */
    PATIENCE = 32,   /* readers that are looked at for one piece of garbage */
    READERS_AT_ONCE = 1024
};

static _Atomic uint64_t epoch = 1;
static ebb__reader *_Atomic all_readers;
static _Atomic uint64_t first_stamp; /* of the front of the queue; 0: nothing waits */
static _Atomic int64_t to_leave;     /* readers that hold it back, as far as counted */

static os_lock_t lock = OS_LOCK_INIT; /* everything below */
static ebb__retired *first, **last = &first;
static size_t waiting, patience;
static _Atomic size_t waiting_bytes; /* read without it, too */
static ebb__reader *spare, *fresh, *fresh_end;
static bool prepared;

static _Thread_local struct {
    ebb__reader *spare;
    uint32_t count;
} desk __attribute__((tls_model("initial-exec")));

/* ---- readers --------------------------------------------------------------------------------- */

static void give_back(ebb__reader *list)
{
    ebb__reader *tail = list;
    if (!list) return;
    while (tail->next_free) tail = tail->next_free;
    os_lock(&lock);
    tail->next_free = spare;
    spare = list;
    os_unlock(&lock);
}

static void thread_exit(void)
{
    ebb__reader *list = desk.spare;
    desk.spare = NULL;
    desk.count = 0;
    give_back(list);
}

static ebb__reader *carve(void)
{
    if (fresh == fresh_end) {
        ebb__reader *some = os_reserve(sizeof *some * READERS_AT_ONCE, CONTROL_SIZE);
        if (!some) return NULL;
        fresh = some;
        fresh_end = some + READERS_AT_ONCE;
    }
    ebb__reader *r = fresh++;
    r->next = atomic_load_explicit(&all_readers, memory_order_relaxed);
    atomic_store_explicit(&all_readers, r, memory_order_release);
    return r;
}

/* One to use, and some for the next times. */
static COLD ebb__reader *take_spare(void)
{
    if (!ebb__thread_get()) return NULL;
    os_lock(&lock);
    bool begins = !prepared;
    prepared = true;
    ebb__reader *r = spare ? spare : carve();
    if (r == spare && r) spare = r->next_free;
    for (; spare && desk.count < SPARE_MOST / 2; desk.count++) {
        ebb__reader *next = spare->next_free;
        spare->next_free = desk.spare;
        desk.spare = spare;
        spare = next;
    }
    os_unlock(&lock);
    if (begins) ebb__at_thread_exit(thread_exit);
    return r;
}

static ebb__reader *take(void)
{
    ebb__reader *r = desk.spare;
    if (unlikely(!r)) return take_spare();
    desk.spare = r->next_free;
    desk.count--;
    return r;
}

static void put(ebb__reader *r)
{
    if (unlikely(desk.count == SPARE_MOST)) thread_exit();
    r->next_free = desk.spare;
    desk.spare = r;
    desk.count++;
}

static void announce(ebb__reader *r, const char *name)
{
    atomic_store_explicit(&r->name, name, memory_order_relaxed);
    uint64_t now = atomic_load_explicit(&epoch, memory_order_seq_cst);
    atomic_store_explicit(&r->epoch, now, memory_order_seq_cst);
}

static void withdraw(ebb__reader *r)
{
    uint64_t mine = atomic_load_explicit(&r->epoch, memory_order_relaxed);
    atomic_store_explicit(&r->epoch, 0, memory_order_seq_cst);
    uint64_t stamp = atomic_load_explicit(&first_stamp, memory_order_seq_cst);
    put(r);
    if (likely(stamp == 0 || mine > stamp)) return;
    if (atomic_fetch_sub_explicit(&to_leave, 1, memory_order_seq_cst) <= 1) ebb__epoch_collect();
}

/* ---- scopes ---------------------------------------------------------------------------------- */

bool ebb__is_long_lived(const ebb_arena *a)
{
    if (a->ext && a->ext->long_lived) return true;
    const ebb_profile *p = ebb__profile_by_id(profile_of(a));
    return p && p->long_lived;
}

void ebb__epoch_leave(ebb_cleanup *pin)
{
    withdraw(EBB_CONTAINER(pin, ebb__reader, pin));
}

static const char *static_name(const ebb_arena *a)
{
    const ebb_profile *p = ebb__profile_by_id(profile_of(a));
    return p && p->name ? p->name : "?";
}

bool ebb__epoch_announce(ebb_arena *a, const char *function)
{
    if (ebb__is_long_lived(a)) return false;
    if (a != &ebb__dead && !ebb__check_usable(a, function)) return false;
    ebb__reader *r = take();
    if (!r) return false;
    if (!ebb_cleanup_pin(a, &r->pin, ebb__epoch_leave)) {
        put(r);
        return false;
    }
    announce(r, static_name(a));
    return true;
}

ebb__reader *ebb__epoch_begin(void)
{
    ebb__reader *r = take();
    if (r) announce(r, "?");
    return r;
}

void ebb__epoch_end(ebb__reader *r)
{
    withdraw(r);
}

/* ---- garbage --------------------------------------------------------------------------------- */

typedef struct survey {
    uint64_t oldest; /* announced; UINT64_MAX: none */
    size_t readers;
    int64_t blockers; /* that announced no later than a stamp */
    const char *name;
} survey;

static survey look(uint64_t stamp)
{
    survey s = {UINT64_MAX, 0, 0, NULL};
    ebb__reader *r = atomic_load_explicit(&all_readers, memory_order_acquire);
    for (; r; r = r->next) {
        uint64_t e = atomic_load_explicit(&r->epoch, memory_order_seq_cst);
        if (e == 0) continue;
        s.readers++;
        s.blockers += e <= stamp;
        if (e >= s.oldest) continue;
        s.oldest = e;
        s.name = atomic_load_explicit(&r->name, memory_order_relaxed);
    }
    return s;
}

static ebb__retired *pop_older(uint64_t than)
{
    ebb__retired *done = first, **end = &first;
    for (; *end && (*end)->stamp < than; end = &(*end)->next) {
        waiting--;
        atomic_fetch_sub_explicit(&waiting_bytes, (*end)->bytes, memory_order_relaxed);
    }
    if (end == &first) return NULL;
    first = *end;
    *end = NULL;
    if (!first) last = &first;
    return done;
}

/* Have the last of those who hold back the front look again. 0: nobody does, by now. */
static int64_t aim(void)
{
    uint64_t stamp = first->stamp;
    atomic_store_explicit(&to_leave, 0, memory_order_seq_cst);
    atomic_store_explicit(&first_stamp, stamp, memory_order_seq_cst);
    int64_t blockers = look(stamp).blockers;
    atomic_fetch_add_explicit(&to_leave, blockers, memory_order_seq_cst);
    return blockers;
}

static void let_go(ebb__retired *list)
{
    for (ebb__retired *g = list, *next; g; g = next) {
        next = g->next;
        g->let_go(g);
    }
}

size_t ebb__epoch_collect(void)
{
    ebb__retired *done = NULL, **end = &done;
    size_t readers = 0;
    os_lock(&lock);
    do {
        if (!first) break;
        survey s = look(0);
        readers = s.readers;
        *end = pop_older(s.oldest);
        while (*end) end = &(*end)->next;
    } while (first && aim() == 0);
    if (!first) atomic_store_explicit(&first_stamp, 0, memory_order_seq_cst);
    patience = waiting + readers / PATIENCE;
    size_t left = waiting;
    os_unlock(&lock);
    let_go(done);
    return left;
}

void ebb__epoch_retire(ebb__retired *g, void (*fn)(ebb__retired *), size_t bytes)
{
    g->next = NULL;
    g->let_go = fn;
    g->bytes = bytes;
    os_lock(&lock);
    g->stamp = atomic_fetch_add_explicit(&epoch, 1, memory_order_seq_cst);
    *last = g;
    last = &g->next;
    atomic_fetch_add_explicit(&waiting_bytes, bytes, memory_order_relaxed);
    if (waiting++ == 0) { /* the first of those it concerns to leave shall look */
        atomic_store_explicit(&to_leave, 0, memory_order_seq_cst);
        atomic_store_explicit(&first_stamp, g->stamp, memory_order_seq_cst);
    }
    bool due = patience == 0;
    if (!due) patience--;
    os_unlock(&lock);
    if (due) ebb__epoch_collect();
}

void ebb__epoch_get_stats(ebb__epoch_stats *ret_stats)
{
    os_lock(&lock);
    survey s = look(0);
    *ret_stats = (ebb__epoch_stats){waiting, ebb__epoch_bytes(), s.readers, s.name};
    os_unlock(&lock);
}

size_t ebb__epoch_bytes(void)
{
    return atomic_load_explicit(&waiting_bytes, memory_order_relaxed);
}

bool ebb__epoch_is_oldest(const ebb_arena *a)
{
    for (ebb_cleanup *c = ebb__pins(a); c; c = c->next) {
        if (c->run != ebb__epoch_leave) continue;
        const ebb__reader *mine = EBB_CONTAINER(c, ebb__reader, pin);
        return look(0).oldest >= atomic_load_explicit(&mine->epoch, memory_order_relaxed);
    }
    return false;
}

void ebb__epoch_lock(void)
{
    os_lock(&lock);
}

void ebb__epoch_unlock(void)
{
    os_unlock(&lock);
}
