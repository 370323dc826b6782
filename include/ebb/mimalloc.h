/*
 * ebb/mimalloc.h: mimalloc as the source of slabs; link with libebb-mimalloc.
 *
 * A library of its own because Debian's libmimalloc.so also exports malloc and free: a program that
 * linked it would have its whole heap replaced without being asked. This one opens it privately, so
 * only Ebb's slabs come from mimalloc, and the program's malloc stays what it was.
 */
#ifndef EBB_MIMALLOC_H
#define EBB_MIMALLOC_H

#include "source.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Return a source that takes slabs from mimalloc, static; NULL if libmimalloc.so.2 can't be opened,
 * and under Valgrind, which would take its free for one of its own.
 * Use: `const ebb_source *s = ebb_mimalloc_source(); if (s) ebb_source_set(s);`
 * Cost: the first call opens the library. Threads: any.
 */
EBB_API const ebb_source *ebb_mimalloc_source(void);

#ifdef __cplusplus
}
#endif
#endif /* EBB_MIMALLOC_H */
