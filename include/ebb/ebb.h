/*
 * ebb/ebb.h: all of Ebb's core at once. compat/ and mimalloc.h are included by those who use them.
 */
#ifndef EBB_EBB_H
#define EBB_EBB_H

#include "arena.h"
#include "base.h"
#include "batch.h"
#include "bitset.h"
#include "bufpool.h"
#include "builder.h"
#include "cache.h"
#include "cleanup.h"
#include "cow.h"
#include "debug.h"
#include "intern.h"
#include "list.h"
#include "live.h"
#include "map.h"
#include "pool.h"
#include "profile.h"
#include "scope.h"
#include "share.h"
#include "source.h"
#include "storage.h"
#include "str.h"
#include "track.h"
#include "vec.h"
#include "words.h"

#endif /* EBB_EBB_H */
