/*
 * ebb/vec.h: ready-made vectors of common types. The functions are those of ebb/vec_of.h, under
 * these names: ebb_vec_u64_in, ebb_vec_u64_push, ... For types of your own include ebb/vec_of.h
 * yourself.
 *
 * Those of numbers and of strings have an order: ascending, and by their bytes. Text that is to be
 * read once is better built by ebb/builder.h than in a vector of bytes.
 */
#ifndef EBB_VEC_H
#define EBB_VEC_H

#include <ebb/str.h>

#define EBB_VEC ebb_vec_bytes, uint8_t
#include <ebb/vec_of.h>

#define EBB_VEC        ebb_vec_u64, uint64_t
#define EBB_LESS(a, b) ((a) < (b))
#include <ebb/vec_of.h>

#define EBB_VEC ebb_vec_ptr, void *
#include <ebb/vec_of.h>

#define EBB_VEC        ebb_vec_str, ebb_str
#define EBB_LESS(a, b) (ebb_str_compare(a, b) < 0)
#include <ebb/vec_of.h>

#endif /* EBB_VEC_H */
