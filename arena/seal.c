/*
 * arena/seal.c: arenas whose objects are shared between requests and change no more (ebb/share.h
 * counts who uses them). A sealed arena is not LIVE, so every call that would change it is refused
 * and reported, and its window is closed; unsealed it is an arena like any other, ready to end.
 *
 * At EBB_CHECKS_STRICT such an arena takes whole pages from the system, and while it is sealed they
 * can't be written. Its control block and ext lie elsewhere, and its header at the top of each
 * chunk is not written between sealing and unsealing. What it has adopted is protected too if it
 * lies in such pages.
 */
#include "internal.h"

/* ---- pages ----------------------------------------------------------------------------------- */

static size_t whole_pages(size_t size)
{
    size_t page = os_page_size();
    return (size + page - 1) & -page;
}

static void *pages_alloc(void *ctx, size_t size, size_t align)
{
    (void)ctx;
    size_t page = os_page_size();
    if (size > PTRDIFF_MAX - page) return NULL;
    return os_reserve(whole_pages(size), align < page ? page : align);
}

static void pages_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    os_release(ptr, whole_pages(size));
}

static const ebb_source pages = {pages_alloc, pages_free, NULL, 0};

/* Where the system refuses it is simply not protected. */
static void protect(const ebb_arena *a, bool writable)
{
    bool own = a->ext && a->ext->source == &pages;
    for (link l = a->undo; l; l = *(link *)record_of(l)) {
        const chunk *c = record_of(l);
        if (kind_of(l) == ADOPT) protect(tombstone_of(l), writable);
        if (!own || (kind_of(l) != CHUNK && kind_of(l) != LARGE)) continue;
        os_protect((void *)c->lo, whole_pages(c->size), writable);
    }
}

/* ---- sealing --------------------------------------------------------------------------------- */

ebb_arena *ebb__seal_begin(const char *name)
{
    ebb_arena_params params = EBB_ARENA_PARAMS_INIT;
    params.name = name ? name : "?";
    params.sticky = true;
    if (ebb_checks_get() >= EBB_CHECKS_STRICT) params.source = &pages;
    ebb_arena *a = ebb_arena_create(&params);
    if (a != &ebb__dead && a->ext) a->ext->long_lived = true;
    return a;
}

const char *ebb__seal_refuses(const ebb_arena *a)
{
    if (a->bits & SCOPE) return "a scope ends with its request; build in ebb_shared_begin's arena";
    if (a->bits & ENDING) return "ending: called from a cleanup of it";
    if (a->bits & IN_TRY) return "inside an ebb_try; seal it after that has returned";
    if (a->ext && a->ext->first_child) return "it has open children; end them, or adopt them";
    if (in_buffer(a)) return "its memory is a caller's buffer, which may not live as long";
    if (ebb__self->current == a) return "still current; leave it first, or use EBB_ENTER";
    return NULL;
}

void ebb__seal(ebb_arena *a)
{
    ebb_arena_trim(a);
    ebb__close(a);
    a->bits = (a->bits & ~(uint32_t)LIVE) | SEALED;
    protect(a, false);
}

void ebb__unseal(ebb_arena *a)
{
    protect(a, true);
    a->bits = (a->bits & ~(uint32_t)SEALED) | LIVE;
    ebb_scope_attach(a);
}

const char *ebb__seal_check(const ebb_arena *a)
{
    if (!(a->bits & SEALED) || a->bits & LIVE) return "its arena is not sealed";
    if (EBB__LOAD_RELAXED(&a->w.limit) < EBB__CLOSED_MIN) return "its arena is open";
    for (link l = a->undo; l; l = *(link *)record_of(l)) {
        const chunk *c = record_of(l);
        if (kind_of(l) < CHUNK || kind_of(l) > HOLD)
            return "a record of its undo log is overwritten";
        if ((kind_of(l) == CHUNK || kind_of(l) == LARGE) &&
            (c->owner != a || c->kind != kind_of(l)))
            return "a chunk's header is overwritten";
    }
    return NULL;
}
