/*
 * bench/containers/map_peers.cc: the C++ maps of bench-map, each with its own hash, and a monotonic buffer
 * on the stack where it takes an allocator.
 */
#include "map.h"

#include <memory_resource>
#include <string_view>
#include <unordered_map>
#include <utility>

#if BENCH_HAVE_BOOST_FLAT_MAP
#include <boost/unordered/unordered_flat_map.hpp>
#endif
#if BENCH_HAVE_ABSL_MAP
#include <absl/container/flat_hash_map.h>
#endif
#if BENCH_HAVE_LLVM
#include <llvm/ADT/DenseMap.h>
#endif
#if BENCH_HAVE_ROBIN
#include <tsl/robin_map.h>
#endif

namespace
{

using view = std::string_view;
alignas(64) char stack_buffer[1 << 16];

/* Requests */

template <class M> void put_and_find(M &m, size_t r)
{
    for (size_t i = 0; i < KEYS; i++) m[bench_map->key[r][i]] = bench_map;
    for (size_t i = 0; i < LOOKS; i++) {
        auto found = m.find(bench_map->look[r][i]);
        keep(found == m.end() ? nullptr : bench_map);
    }
}

template <class M> void put_and_find_names(M &m, size_t r)
{
    const map_inputs *in = bench_map;
    for (size_t i = 0; i < KEYS; i++) m[{in->name[r][i], in->name_len[r][i]}] = bench_map;
    for (size_t i = 0; i < LOOKS; i++) {
        auto found = m.find({in->look_name[r][i], in->look_len[r][i]});
        keep(found == m.end() ? nullptr : bench_map);
    }
}

template <class M> void ints(size_t r)
{
    M m;
    put_and_find(m, r);
}

template <class M> void ints_pmr(size_t r)
{
    std::pmr::monotonic_buffer_resource buffer(stack_buffer, sizeof stack_buffer);
    M m(&buffer);
    put_and_find(m, r);
}

template <class M> void names(size_t r)
{
    M m;
    put_and_find_names(m, r);
}

template <class M> void names_pmr(size_t r)
{
    std::pmr::monotonic_buffer_resource buffer(stack_buffer, sizeof stack_buffer);
    M m(&buffer);
    put_and_find_names(m, r);
}

using std_ints = std::pmr::unordered_map<uint64_t, void *>;
using std_names = std::pmr::unordered_map<view, void *>;
#if BENCH_HAVE_BOOST_FLAT_MAP
template <class K>
using flat_pmr =
    boost::unordered_flat_map<K, void *, boost::hash<K>, std::equal_to<K>,
                              std::pmr::polymorphic_allocator<std::pair<const K, void *>>>;
#endif

/* Tables */

template <class M> void *fresh()
{
    return new M;
}

template <class M> void fill(void *table, size_t count)
{
    M &m = *static_cast<M *>(table);
    for (size_t i = 0; i < count; i++) m[bench_map->in[i]] = i;
}

template <class M> uint64_t ask(void *table, question q, size_t count)
{
    M &m = *static_cast<M *>(table);
    uint64_t sum = 0;
    if (q == ITERATE) {
        for (const auto &entry : m) sum += entry.second;
        return sum;
    }
    for (size_t i = 0; i < count; i++) {
        if (q == REMOVE) {
            sum += m.erase(bench_map->in[bench_map->order[i]]);
            continue;
        }
        auto found = m.find(q == HIT ? bench_map->in[bench_map->order[i]] : bench_map->out[i]);
        keep(found == m.end() ? nullptr : bench_map);
    }
    return sum;
}

template <class M> void done(void *table)
{
    delete static_cast<M *>(table);
}

template <class M> constexpr table_peer table(const char *name)
{
    return {name, fresh<M>, fill<M>, ask<M>, done<M>};
}

} // namespace

extern "C" {
const request_peer bench_int_peers[] = {
    {"std::pmr::unordered_map", ints_pmr<std_ints>},
#if BENCH_HAVE_BOOST_FLAT_MAP
    {"boost flat_map, pmr", ints_pmr<flat_pmr<uint64_t>>},
#endif
#if BENCH_HAVE_ABSL_MAP
    {"absl flat_hash_map", ints<absl::flat_hash_map<uint64_t, void *>>},
#endif
#if BENCH_HAVE_LLVM
    {"LLVM DenseMap", ints<llvm::DenseMap<uint64_t, void *>>},
#endif
#if BENCH_HAVE_ROBIN
    {"robin_map", ints<tsl::robin_map<uint64_t, void *>>},
#endif
};
const size_t bench_int_count = sizeof bench_int_peers / sizeof *bench_int_peers;

const request_peer bench_str_peers[] = {
    {"std::pmr::unordered_map", names_pmr<std_names>},
#if BENCH_HAVE_BOOST_FLAT_MAP
    {"boost flat_map, pmr", names_pmr<flat_pmr<view>>},
#endif
#if BENCH_HAVE_ABSL_MAP
    {"absl flat_hash_map", names<absl::flat_hash_map<view, void *>>},
#endif
#if BENCH_HAVE_ROBIN
    {"robin_map", names<tsl::robin_map<view, void *>>},
#endif
};
const size_t bench_str_count = sizeof bench_str_peers / sizeof *bench_str_peers;

const table_peer bench_table_peers[] = {
    table<std::unordered_map<uint64_t, uint64_t>>("std::unordered_map"),
#if BENCH_HAVE_BOOST_FLAT_MAP
    table<boost::unordered_flat_map<uint64_t, uint64_t>>("boost flat_map"),
#endif
#if BENCH_HAVE_ABSL_MAP
    table<absl::flat_hash_map<uint64_t, uint64_t>>("absl flat_hash_map"),
#endif
#if BENCH_HAVE_LLVM
    table<llvm::DenseMap<uint64_t, uint64_t>>("LLVM DenseMap"),
#endif
#if BENCH_HAVE_ROBIN
    table<tsl::robin_map<uint64_t, uint64_t>>("robin_map"),
#endif
};
const size_t bench_table_count = sizeof bench_table_peers / sizeof *bench_table_peers;
}
