/*
 * arena/cleanup.c: cleanups whose records are their owners'. A row of them, with no other record in
 * between, hangs on one HOLD record of the undo log; popping that pops the row, newest first.
 */
#include "internal.h"

/* Takes its place from the arena, but a failure is the caller's to judge: it neither sticks nor
   jumps. */
COLD bool ebb__hold_begin(ebb_arena *a)
{
    hold *h = ebb__obtain(a, sizeof *h, _Alignof(hold), MODE_OPTIONAL, CALLER);
    if (!h) return false;
    h->first = NULL;
    undo_push(a, h, HOLD);
    return true;
}

static bool may_add(ebb_arena *a, const ebb_cleanup *c, const char *function)
{
    if (a == &ebb__dead || !ebb__check_usable(a, function)) return false;
    if (!c->back) return true;
    ebb__report(EBB_MISUSE, function, a,
                "the record is tied to an arena already; "
                "remove it there first, or zero it before its first use");
    return false;
}

bool ebb_cleanup_add(ebb_arena *a, ebb_cleanup *c, void (*run)(ebb_cleanup *))
{
    if (!may_add(a, c, "ebb_cleanup_add")) return false;
    c->run = run;
    if (hold_add(a, c)) return true;
    c->back = NULL;
    return false;
}

void ebb_cleanup_remove(ebb_cleanup *c)
{
    if (c->back) cleanup_unlink(c);
}

bool ebb_cleanup_pin(ebb_arena *a, ebb_cleanup *c, void (*run)(ebb_cleanup *c))
{
    if (!may_add(a, c, "ebb_cleanup_pin")) return false;
    ext *e = ebb__ext_get(a);
    if (!e) return false;
    c->run = run;
    cleanup_link(&e->pins, c);
    return true;
}
