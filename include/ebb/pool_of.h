/*
 * ebb/pool_of.h: pools of one type: a template, to be included once for each type.
 *
 *     #define EBB_POOL databases, struct db           // name, type of an object
 *     #include <ebb/pool_of.h>
 *
 * gives a type `databases` and the functions below, under that name: those of ebb/pool.h, where all
 * is explained, but for objects of that type only. `d.pool` is for what needs no type: statistics,
 * trimming, waiting without blocking.
 *
 *     databases  databases_create(&params, &why)     NULL: all zeroes; params.size and .align are
 *                                                    filled in; .pool is NULL if it failed
 *     void       databases_destroy(&d)
 *     T         *databases_acquire(d, a, &why)
 *     T         *databases_acquire_by(d, a, deadline_ns, &why)
 *     T         *databases_take(d, &wait, &why)      of ebb_pool_acquire_async(d.pool, ...)
 *     void       databases_release(d, object)
 *     void       databases_discard(d, object)
 *     T         *databases_detach(d, object)
 *     bool       databases_move(d, object, a)
 */
#ifndef EBB_POOL_OF_H
#define EBB_POOL_OF_H

#include <ebb/pool.h>
#include <ebb/template.h>

#endif /* EBB_POOL_OF_H */

/* Errors in a user's call are then told without the macros that the names are made with. */
#ifndef EBB__SHOW_TEMPLATE_WARNINGS
#pragma GCC system_header
#endif

#ifndef EBB_POOL
#error "define EBB_POOL before including ebb/pool_of.h"
#elif EBB__COUNT(EBB_POOL) != 2
#error "EBB_POOL takes: name, type of an object"
#else

#define EBB__N       EBB__ARG1(EBB_POOL)
#define EBB__F(name) EBB__PASTE(EBB__N, name)
#define EBB__OBJECT  EBB__F(_object)

typedef EBB__ARG2(EBB_POOL) EBB__OBJECT;

typedef struct EBB__N {
    ebb_pool *pool;
} EBB__N;

static inline EBB__N EBB__F(_create)(const ebb_pool_params *params, ebb_status *ret_why)
{
    ebb_pool_params typed = EBB_POOL_PARAMS_INIT;
    EBB__N p;
    if (params) typed = *params;
    typed.size = sizeof(EBB__OBJECT);
    typed.align = EBB_ALIGNOF(EBB__OBJECT);
    p.pool = ebb_pool_create(&typed, ret_why);
    return p;
}

static inline void EBB__F(_destroy)(EBB__N *p)
{
    ebb_pool_destroy(&p->pool);
}

static inline EBB__OBJECT *EBB__F(_acquire)(EBB__N p, ebb_arena *a, ebb_status *ret_why)
{
    return (EBB__OBJECT *)ebb_pool_acquire(p.pool, a, ret_why);
}

static inline EBB__OBJECT *EBB__F(_acquire_by)(EBB__N p, ebb_arena *a, uint64_t deadline_ns,
                                               ebb_status *ret_why)
{
    return (EBB__OBJECT *)ebb_pool_acquire_by(p.pool, a, deadline_ns, ret_why);
}

static inline EBB__OBJECT *EBB__F(_take)(EBB__N p, ebb_pool_wait **wait, ebb_status *ret_why)
{
    (void)p;
    return (EBB__OBJECT *)ebb_pool_take(wait, ret_why);
}

static inline void EBB__F(_release)(EBB__N p, EBB__OBJECT *object)
{
    ebb_pool_release(p.pool, object);
}

static inline void EBB__F(_discard)(EBB__N p, EBB__OBJECT *object)
{
    ebb_pool_discard(p.pool, object);
}

static inline EBB__OBJECT *EBB__F(_detach)(EBB__N p, EBB__OBJECT *object)
{
    return (EBB__OBJECT *)ebb_pool_detach(p.pool, object);
}

static inline bool EBB__F(_move)(EBB__N p, EBB__OBJECT *object, ebb_arena *to)
{
    return ebb_pool_move(p.pool, object, to);
}

#endif /* the arguments are right */

#undef EBB__N
#undef EBB__F
#undef EBB__OBJECT
#undef EBB_POOL
