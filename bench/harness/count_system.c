/*
 * bench/harness/count_system.c: counts what a statically linked libebb asks the system for, by standing
 * in front of the C library's mmap and its kin. The C library's own calls do not come by here. Linked into
 * counting builds alone.
 */
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern uint64_t bench_system_calls;
uint64_t bench_system_calls;

static long count(long result)
{
    __atomic_fetch_add(&bench_system_calls, 1, __ATOMIC_RELAXED);
    return result;
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return (void *)count(syscall(SYS_mmap, at, size, protection, flags, fd, offset));
}

int munmap(void *at, size_t size)
{
    return (int)count(syscall(SYS_munmap, at, size));
}

int madvise(void *at, size_t size, int advice)
{
    return (int)count(syscall(SYS_madvise, at, size, advice));
}

void *mremap(void *at, size_t size, size_t to, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    void *fixed = flags & MREMAP_FIXED ? va_arg(more, void *) : NULL;
    va_end(more);
    return (void *)count(syscall(SYS_mremap, at, size, to, flags, fixed));
}
