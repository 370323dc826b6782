/*
 * bench/containers/batch_std.cc: what the C++ standard library has for the workloads of bench-batch.
 */
#include "batch.h"

#include <algorithm>
#include <numeric>

namespace
{

template <class T> void argmax(const T *p, size_t ops)
{
    while (ops-- > 0) bench_sink = (uint64_t)(std::max_element(p, p + VALUES) - p);
}

void argmax_f32(void *, size_t ops)
{
    argmax(bench_columns->f32, ops);
}

void argmax_f64(void *, size_t ops)
{
    argmax(bench_columns->f64, ops);
}

void argmax_i32(void *, size_t ops)
{
    argmax(bench_columns->i32, ops);
}

void argmax_u64(void *, size_t ops)
{
    argmax(bench_columns->u64, ops);
}

template <class T> struct better {
    const T *p;
    bool operator()(uint32_t i, uint32_t j) const
    {
        return p[i] > p[j] || (p[i] == p[j] && i < j);
    }
};

template <class T> void top(const T *p, size_t k, size_t ops)
{
    uint32_t *rows = bench_columns->rows;
    while (ops-- > 0) {
        std::iota(rows, rows + VALUES, 0u);
        std::partial_sort(rows, rows + k, rows + VALUES, better<T>{p});
        bench_sink = rows[k - 1];
    }
}

void top_f32(void *, size_t ops)
{
    top(bench_columns->f32, BEST, ops);
}

void top_many_f32(void *, size_t ops)
{
    top(bench_columns->f32, VALUES / 10, ops);
}

void top_u64(void *, size_t ops)
{
    top(bench_columns->u64, BEST, ops);
}

void filter_f32(float bound, size_t ops)
{
    const float *p = bench_columns->f32;
    while (ops-- > 0) {
        uint32_t *out = bench_columns->rows;
        for (uint32_t i = 0; i < VALUES; i++)
            if (p[i] > bound) *out++ = i;
        bench_sink = (uint64_t)(out - bench_columns->rows);
    }
}

void filter_half(void *, size_t ops)
{
    filter_f32(0.5f, ops);
}

void filter_few(void *, size_t ops)
{
    filter_f32(0.99f, ops);
}

void sum_f32(void *, size_t ops)
{
    const float *p = bench_columns->f32;
    while (ops-- > 0) bench_sink = (uint64_t)std::accumulate(p, p + VALUES, 0.0);
}

void sum_f64(void *, size_t ops)
{
    const double *p = bench_columns->f64;
    while (ops-- > 0) bench_sink = (uint64_t)std::accumulate(p, p + VALUES, 0.0);
}

} // namespace

const contestant bench_std_contestants[] = {
    {"argmax f32", "std::max_element", argmax_f32},
    {"argmax f64", "std::max_element", argmax_f64},
    {"argmax i32", "std::max_element", argmax_i32},
    {"argmax u64", "std::max_element", argmax_u64},
    {"top 16 f32", "std::partial_sort", top_f32},
    {"top 10000 f32", "std::partial_sort", top_many_f32},
    {"top 16 u64", "std::partial_sort", top_u64},
    {"filter f32 50 %", "a loop with a branch", filter_half},
    {"filter f32 1 %", "a loop with a branch", filter_few},
    {"sum f32", "std::accumulate", sum_f32},
    {"sum f64", "std::accumulate", sum_f64},
};
const size_t bench_std_count = sizeof bench_std_contestants / sizeof *bench_std_contestants;
