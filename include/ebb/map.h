/*
 * ebb/map.h: ready-made maps and sets of common types. The functions are those of ebb/map_of.h,
 * under these names: ebb_map_u64_ptr_in, ebb_map_u64_ptr_find, ... For key types of your own, and
 * for other values, include ebb/map_of.h yourself.
 *
 * A symbol (ebb/intern.h) is a u32; an ebb_str is compared by its bytes.
 */
#ifndef EBB_MAP_H
#define EBB_MAP_H

#include <ebb/base.h>

#define EBB_MAP ebb_map_u32_ptr, uint32_t, void *
#include <ebb/map_of.h>
#define EBB_MAP ebb_map_u32_u64, uint32_t, uint64_t
#include <ebb/map_of.h>
#define EBB_MAP ebb_map_u64_ptr, uint64_t, void *
#include <ebb/map_of.h>
#define EBB_MAP ebb_map_u64_u64, uint64_t, uint64_t
#include <ebb/map_of.h>
#define EBB_MAP ebb_map_str_ptr, ebb_str, void *, str
#include <ebb/map_of.h>
#define EBB_MAP ebb_map_str_u64, ebb_str, uint64_t, str
#include <ebb/map_of.h>

#define EBB_SET ebb_set_u32, uint32_t
#include <ebb/map_of.h>
#define EBB_SET ebb_set_u64, uint64_t
#include <ebb/map_of.h>
#define EBB_SET ebb_set_str, ebb_str, str
#include <ebb/map_of.h>

#endif /* EBB_MAP_H */
