/*
 * bench/containers/vec_peers.cc: the C++ contestants of bench-vec.
 */
#include "vec.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <queue>
#include <vector>

#if BENCH_HAVE_ABSL_VECTOR
#include <absl/container/inlined_vector.h>
#endif
#if BENCH_HAVE_BOOST_VECTOR
#include <boost/circular_buffer.hpp>
#include <boost/container/small_vector.hpp>
#include <boost/sort/pdqsort/pdqsort.hpp>
#endif
#if BENCH_HAVE_LLVM
#include <llvm/ADT/SmallVector.h>
#endif

namespace
{

/* Lists */

template <class V> void fill(size_t n)
{
    V v;
    for (size_t k = 0; k < n; k++) v.push_back(k);
    keep(&v);
    uint64_t sum = 0;
    for (uint64_t item : v) sum += item;
    keep_value(sum);
}

template <class V> void short_list(size_t i)
{
    fill<V>(bench_vec->len[i % LISTS]);
}

template <class V> void longer_list(size_t i)
{
    fill<V>(bench_vec->longer_len[i % LISTS]);
}

template <class V, size_t n> void fill_array(size_t)
{
    fill<V>(n);
}

/* Arrays */

uint64_t *work_copy(const uint64_t *from, size_t n)
{
    return static_cast<uint64_t *>(std::memcpy(bench_vec->work, from, n * sizeof *from));
}

record *record_copy()
{
    std::memcpy(bench_vec->record_work, bench_vec->records, sizeof bench_vec->records);
    return bench_vec->record_work;
}

struct by_key {
    bool operator()(const record &a, const record &b) const
    {
        return a.key < b.key;
    }
};

const uint64_t *few_input(size_t i)
{
    return bench_vec->random + i % LISTS * FEW;
}

template <size_t n> const uint64_t *input(size_t i)
{
    return n == FEW ? few_input(i) : n == SMALL ? small_input(i) : bench_vec->random;
}

template <size_t n> void std_sort(size_t i)
{
    uint64_t *p = work_copy(input<n>(i), n);
    std::sort(p, p + n);
}

template <size_t n> void std_stable(size_t i)
{
    uint64_t *p = work_copy(input<n>(i), n);
    std::stable_sort(p, p + n);
}

void std_sort_keys(size_t)
{
    uint64_t *p = work_copy(bench_vec->few_keys, LARGE);
    std::sort(p, p + LARGE);
}

void std_sort_ascending(size_t)
{
    uint64_t *p = work_copy(bench_vec->ascending, LARGE);
    std::sort(p, p + LARGE);
}

void std_sort_records(size_t)
{
    record *p = record_copy();
    std::sort(p, p + LARGE, by_key());
}

void std_stable_records(size_t)
{
    record *p = record_copy();
    std::stable_sort(p, p + LARGE, by_key());
}

template <size_t k> void std_first(size_t)
{
    uint64_t *p = work_copy(bench_vec->random, LARGE);
    std::partial_sort(p, p + k, p + LARGE);
}

/* Its best for many: divide, then sort. */
void std_first_many(size_t)
{
    uint64_t *p = work_copy(bench_vec->random, LARGE), *end = p + LARGE / 4;
    std::nth_element(p, end, p + LARGE);
    std::sort(p, end);
}

void std_stream(size_t)
{
    uint64_t room[FEW];
    std::partial_sort_copy(bench_vec->random, bench_vec->random + LARGE, room, room + FEW);
    keep(room);
}

template <size_t n> void std_find(size_t i)
{
    uint64_t key = bench_vec->random[i % HUGE] % (2 * n);
    const uint64_t *p = bench_vec->ascending;
    keep_value(static_cast<uint64_t>(std::lower_bound(p, p + n, key) - p));
}

template <size_t n> void std_heap(size_t i)
{
    std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<uint64_t>> h;
    const uint64_t *p = input<n>(i);
    uint64_t sum = 0;
    for (size_t k = 0; k < n; k++) h.push(p[k]);
    for (; !h.empty(); h.pop()) sum += h.top();
    keep_value(sum);
}

template <class Q> void pass_through(Q &q)
{
    uint64_t sum = 0;
    for (size_t k = 0; k < SMALL; k++) {
        q.push_back(k);
        if (k < IN_FLIGHT) continue;
        sum += q.front();
        q.pop_front();
    }
    keep_value(sum);
}

void std_fifo(size_t)
{
    std::deque<uint64_t> q;
    pass_through(q);
}

#if BENCH_HAVE_BOOST_VECTOR
template <size_t n> void pdq_sort(size_t i)
{
    uint64_t *p = work_copy(input<n>(i), n);
    boost::sort::pdqsort(p, p + n);
}

void pdq_sort_keys(size_t)
{
    uint64_t *p = work_copy(bench_vec->few_keys, LARGE);
    boost::sort::pdqsort(p, p + LARGE);
}

void pdq_sort_records(size_t)
{
    record *p = record_copy();
    boost::sort::pdqsort(p, p + LARGE, by_key());
}

/* Which does not grow: it is told at once how large it must be. */
void boost_fifo(size_t)
{
    boost::circular_buffer<uint64_t> q(IN_FLIGHT + 1);
    pass_through(q);
}
#endif

} // namespace

using std_vector = std::vector<uint64_t>;

const vec_peer bench_vec_peers[] = {
    {"1-8 items, vector", "std", short_list<std_vector>},
    {"1-8 items, 8 inside", "std::vector", short_list<std_vector>},
    {"1-24 items, 8 inside", "std::vector", longer_list<std_vector>},
    {"push 1,000", "std", fill_array<std_vector, SMALL>},
    {"push 1,000,000", "std", fill_array<std_vector, HUGE>},
    {"sort 16", "std", std_sort<FEW>},
    {"sort 1,000", "std", std_sort<SMALL>},
    {"sort 100,000", "std", std_sort<LARGE>},
    {"sort, 16 keys", "std", std_sort_keys},
    {"sort, in order", "std", std_sort_ascending},
    {"sort records", "std", std_sort_records},
    {"stable 1,000", "std", std_stable<SMALL>},
    {"stable 100,000", "std", std_stable<LARGE>},
    {"stable records", "std", std_stable_records},
    {"first 16 of 100,000", "std", std_first<FEW>},
    {"first 25,000", "std", std_first_many},
    {"first 16, read only", "std", std_stream},
    {"find in 1,000", "std", std_find<SMALL>},
    {"find in 1,000,000", "std", std_find<HUGE>},
    {"heap 1,000", "std", std_heap<SMALL>},
    {"heap 100,000", "std", std_heap<LARGE>},
    {"queue, 100 in it", "std", std_fifo},
#if BENCH_HAVE_ABSL_VECTOR
#define ABSL_VECTOR absl::InlinedVector<uint64_t, SHORT>
    {"1-8 items, 8 inside", "absl", short_list<ABSL_VECTOR>},
    {"1-24 items, 8 inside", "absl", longer_list<ABSL_VECTOR>},
    {"push 1,000", "absl", fill_array<ABSL_VECTOR, SMALL>},
#endif
#if BENCH_HAVE_LLVM
#define LLVM_VECTOR llvm::SmallVector<uint64_t, SHORT>
    {"1-8 items, 8 inside", "LLVM", short_list<LLVM_VECTOR>},
    {"1-24 items, 8 inside", "LLVM", longer_list<LLVM_VECTOR>},
    {"push 1,000", "LLVM", fill_array<LLVM_VECTOR, SMALL>},
#endif
#if BENCH_HAVE_BOOST_VECTOR
#define BOOST_VECTOR boost::container::small_vector<uint64_t, SHORT>
    {"1-8 items, 8 inside", "Boost", short_list<BOOST_VECTOR>},
    {"1-24 items, 8 inside", "Boost", longer_list<BOOST_VECTOR>},
    {"sort 16", "Boost pdqsort", pdq_sort<FEW>},
    {"sort 1,000", "Boost pdqsort", pdq_sort<SMALL>},
    {"sort 100,000", "Boost pdqsort", pdq_sort<LARGE>},
    {"sort, 16 keys", "Boost pdqsort", pdq_sort_keys},
    {"sort records", "Boost pdqsort", pdq_sort_records},
    {"queue, 100 in it", "Boost circular_buffer", boost_fifo},
#endif
};
const size_t bench_vec_count = sizeof bench_vec_peers / sizeof *bench_vec_peers;
