/*
 * containers/map.c: what the templates of ebb/map_of.h need of the library: the hash of long keys,
 * and the report of an iterator that is no longer good.
 */
#include "../arena/internal.h"

#include <ebb/group.h>
#include <ebb/hash.h>
#include <ebb/storage.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint8_t ebb__no_tags[EBB__DENSE_MOST];

uint64_t ebb_hash_long(const void *data, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, size, seed);
}

void ebb__stale_iterator(const ebb_arena *a, const char *function)
{
    ebb__report(EBB_MISUSE, function, a,
                "the map or set has changed since the iterator began or went on; remove with "
                "_remove_at, and put what is new after the loop");
}
