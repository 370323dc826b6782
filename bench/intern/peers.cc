/*
 * bench/intern/peers.cc: interning as C++ programs do it: a map from a view of the text to its number,
 * guarded as its kind allows. The texts outlive the map, so keys are views, and nothing is copied.
 */
#include "intern.h"

#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <string_view>
#include <unordered_map>

#if BENCH_HAVE_ABSL_MAP
#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>
#endif

namespace
{

template <class Map, class Lock> struct guarded {
    Map map;
    Lock lock;
};

struct no_lock {
    void lock()
    {
    }
    void unlock()
    {
    }
    void lock_shared()
    {
    }
    void unlock_shared()
    {
    }
};

template <class Table> void *make()
{
    return new Table;
}

template <class Table> void put(void *table, word t)
{
    auto *to = static_cast<Table *>(table);
    to->map.emplace(std::string_view(t.ptr, t.len), static_cast<uint32_t>(to->map.size() + 1));
}

template <class Table, class Guard> void look_up(void *table_, walk *w, size_t ops)
{
    auto *table = static_cast<Table *>(table_);
    for (; ops > 0; ops--) {
        word t = walk_next(w);
        Guard guard(table->lock);
        w->sum += table->map.find(std::string_view(t.ptr, t.len))->second;
    }
}

using std_map = std::unordered_map<std::string_view, uint32_t>;
using std_locked = guarded<std_map, std::mutex>;

#if BENCH_HAVE_ABSL_MAP
using absl_map = absl::flat_hash_map<std::string_view, uint32_t>;
using absl_alone = guarded<absl_map, no_lock>;
using absl_shared = guarded<absl_map, std::shared_mutex>;
using absl_reader = guarded<absl_map, absl::Mutex>;

void look_up_reader(void *table_, walk *w, size_t ops)
{
    auto *table = static_cast<absl_reader *>(table_);
    for (; ops > 0; ops--) {
        word t = walk_next(w);
        absl::ReaderMutexLock guard(&table->lock);
        w->sum += table->map.find(std::string_view(t.ptr, t.len))->second;
    }
}
#endif

enum { MANY = 64 };

} // namespace

extern "C" const contestant bench_cpp_contestants[] = {
    {"unordered_map, mutex", make<std_locked>, put<std_locked>,
     look_up<std_locked, std::lock_guard<std::mutex>>, MANY},
#if BENCH_HAVE_ABSL_MAP
    {"flat_hash_map, no lock", make<absl_alone>, put<absl_alone>,
     look_up<absl_alone, std::lock_guard<no_lock>>, 1},
    {"flat_hash_map, shared_mutex", make<absl_shared>, put<absl_shared>,
     look_up<absl_shared, std::shared_lock<std::shared_mutex>>, MANY},
    {"flat_hash_map, absl::Mutex", make<absl_reader>, put<absl_reader>, look_up_reader, MANY},
#endif
};
extern "C" const size_t bench_cpp_count =
    sizeof bench_cpp_contestants / sizeof *bench_cpp_contestants;
