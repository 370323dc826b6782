/*
 * bench/arena/pmr_common.h: what the two contestants from C++'s standard library share.
 */
#ifndef BENCH_ARENA_PMR_COMMON_H
#define BENCH_ARENA_PMR_COMMON_H

#include "inputs.h"

#include <cstddef>
#include <memory_resource>
#include <string>

/* take() is allocate() without the virtual call. */
class direct_resource final : public std::pmr::monotonic_buffer_resource
{
  public:
    using std::pmr::monotonic_buffer_resource::monotonic_buffer_resource;
    void *take(std::size_t size)
    {
        return std::pmr::monotonic_buffer_resource::do_allocate(size, alignof(std::max_align_t));
    }
};

static inline void grow_pmr_string(direct_resource *in)
{
    std::pmr::string s(in);
    for (std::size_t len = 0; len < W8_BYTES; len++) s.push_back(inputs.text[len]);
    __asm__ volatile("" : : "r"(s.data()) : "memory");
}

#endif /* BENCH_ARENA_PMR_COMMON_H */
