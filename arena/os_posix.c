/*
 * arena/os_posix.c: the system contract of os.h on Linux and other POSIX systems.
 */
#define _GNU_SOURCE
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/membarrier.h>
#include <sys/syscall.h>
#endif

void *os_reserve(size_t size, size_t align)
{
    size_t more = size + align;
    if (more < size) return NULL;
    char *p = mmap(NULL, more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    char *start = (char *)(((uintptr_t)p + align - 1) & -(uintptr_t)align);
    if (start > p) munmap(p, (size_t)(start - p));
    if (start + size < p + more) munmap(start + size, (size_t)(p + more - (start + size)));
    return start;
}

void os_release(void *ptr, size_t size)
{
    munmap(ptr, size);
}

void os_discard(void *ptr, size_t size, bool lazily)
{
#ifdef MADV_FREE
    if (lazily && madvise(ptr, size, MADV_FREE) == 0) return;
#endif
    madvise(ptr, size, MADV_DONTNEED);
}

bool os_move_pages(void *to, void *from, size_t size)
{
#ifdef MREMAP_DONTUNMAP
    const int how = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    return mremap(from, size, size, how, to) == to;
#else
    (void)to, (void)from, (void)size;
    return false;
#endif
}

bool os_protect(void *ptr, size_t size, bool writable)
{
    return mprotect(ptr, size, writable ? PROT_READ | PROT_WRITE : PROT_READ) == 0;
}

size_t os_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

uint64_t os_clock_ms(void)
{
    struct timespec t;
#ifdef CLOCK_MONOTONIC_COARSE
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
#else
    clock_gettime(CLOCK_MONOTONIC, &t);
#endif
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t os_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

bool os_barrier_all(void)
{
#if defined(__linux__) && defined(__NR_membarrier)
    if (syscall(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0) return true;
    syscall(__NR_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
    return syscall(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
#else
    return false;
#endif
}

void os_lock(os_lock_t *l)
{
    pthread_mutex_lock(l);
}

void os_unlock(os_lock_t *l)
{
    pthread_mutex_unlock(l);
}

void os_lock_init(os_lock_t *l)
{
    pthread_mutex_init(l, NULL);
}

void os_cond_init(os_cond_t *c)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(c, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

bool os_cond_wait(os_cond_t *c, os_lock_t *l, uint64_t deadline_ns)
{
    if (deadline_ns == UINT64_MAX) return pthread_cond_wait(c, l) == 0;
    struct timespec until = {(time_t)(deadline_ns / 1000000000), (long)(deadline_ns % 1000000000)};
    return pthread_cond_timedwait(c, l, &until) != ETIMEDOUT;
}

void os_cond_signal(os_cond_t *c)
{
    pthread_cond_signal(c);
}

void os_cond_broadcast(os_cond_t *c)
{
    pthread_cond_broadcast(c);
}

void os_cond_destroy(os_cond_t *c)
{
    pthread_cond_destroy(c);
}

void os_event_write(int fd)
{
    const uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof one);
    (void)n; /* full means that it is readable already */
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

void os_once(void (*fn)(void))
{
    pthread_once(&once, fn);
}

static pthread_key_t exit_key;

bool os_at_thread_exit(void (*fn)(void *))
{
    return pthread_key_create(&exit_key, fn) == 0;
}

bool os_thread_value_set(void *value)
{
    return pthread_setspecific(exit_key, value) == 0;
}

void os_at_fork(void (*before)(void), void (*parent)(void), void (*child)(void))
{
    pthread_atfork(before, parent, child);
}

void os_yield(void)
{
    sched_yield();
}

uint32_t os_process(void)
{
    return (uint32_t)getpid();
}

uint32_t os_thread_number(void)
{
#if defined(__linux__)
    return (uint32_t)syscall(SYS_gettid);
#else
    return (uint32_t)getpid();
#endif
}

void os_thread_name(char *ret_name, size_t size)
{
#if defined(__linux__)
    char name[16] = "";
    if (pthread_getname_np(pthread_self(), name, sizeof name) == 0) {
        snprintf(ret_name, size, "%s", name);
        return;
    }
#endif
    snprintf(ret_name, size, "thread");
}

/* ---- the stack ------------------------------------------------------------------------------- */

typedef struct maps {
    int fd;
    size_t at, count;
    char text[1024];
} maps;

static int next_char(maps *m)
{
    if (m->at == m->count) {
        ssize_t n = read(m->fd, m->text, sizeof m->text);
        if (n <= 0) return -1;
        m->count = (size_t)n;
        m->at = 0;
    }
    return (unsigned char)m->text[m->at++];
}

/* In hexadecimal, as far as it goes; what stopped it is left in *ret_stop. */
static uintptr_t next_number(maps *m, int *ret_stop)
{
    uintptr_t n = 0;
    for (;;) {
        int c = next_char(m);
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        *ret_stop = c;
        if (digit < 0) return n;
        n = n << 4 | (uintptr_t)digit;
    }
}

/* Read to the end of the line. True: it is the main thread's stack. */
static bool is_stack_line(maps *m)
{
    int c = next_char(m), last = 0;
    bool named = false;
    for (; c >= 0 && c != '\n'; last = c, c = next_char(m)) named |= last == '[' && c == 's';
    return named;
}

/* A line of /proc/self/maps begins with the addresses of a mapping. Read without the C library's
   buffers, since they are malloc's. */
static bool find_mapping(maps *m, uintptr_t inside, uintptr_t *ret_lo, uintptr_t *ret_end)
{
    const uintptr_t main_grows = (uintptr_t)64 << 20; /* the system keeps more free below it */
    for (int stop = 0; stop >= 0;) {
        uintptr_t lo = next_number(m, &stop), end = stop < 0 ? 0 : next_number(m, &stop);
        bool is_main = is_stack_line(m);
        if (inside < lo || inside >= end) continue;
        *ret_lo = is_main && lo > main_grows ? lo - main_grows : lo;
        *ret_end = end;
        return true;
    }
    return false;
}

bool os_stack_find(uintptr_t inside, uintptr_t *ret_lo, uintptr_t *ret_end)
{
    maps m = {.fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)};
    if (m.fd < 0) return false;
    int before = errno;
    bool found = find_mapping(&m, inside, ret_lo, ret_end);
    close(m.fd);
    errno = before;
    return found;
}

/* ---- addresses ------------------------------------------------------------------------------- */

bool os_address_is_local(const void *address)
{
    const unsigned loopback = 127;
    sa_family_t family = ((const struct sockaddr *)address)->sa_family;
    if (family == AF_UNIX) return true;
    if (family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return ntohl(in.sin_addr.s_addr) >> 24 == loopback;
    }
    if (family != AF_INET6) return false;
    struct sockaddr_in6 in6;
    memcpy(&in6, address, sizeof in6);
    const struct in6_addr *a = &in6.sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == loopback);
}

/* ---- the program ----------------------------------------------------------------------------- */

const char *os_program(void)
{
#if defined(__linux__)
    return program_invocation_short_name;
#else
    return "?";
#endif
}

const char *os_environment(const char *name)
{
#if defined(__linux__)
    return secure_getenv(name);
#else
    return getuid() == geteuid() && getgid() == getegid() ? getenv(name) : NULL;
#endif
}

/* Lines of "start-end rwxp offset device inode   path". */
void os_each_code(void (*fn)(void *ctx, uintptr_t start, uintptr_t end, uint64_t offset,
                             const char *path),
                  void *ctx)
{
    char line[4096 + 128];
    FILE *f = fopen("/proc/self/maps", "re");
    if (!f) return;
    while (fgets(line, sizeof line, f)) {
        uintptr_t start, end;
        uint64_t offset;
        char rights[5];
        const char *form = "%" SCNxPTR "-%" SCNxPTR " %4s %" SCNx64;
        char *path = strchr(line, '/');
        if (!path || sscanf(line, form, &start, &end, rights, &offset) != 4) continue;
        path[strcspn(path, "\n")] = '\0';
        if (rights[2] == 'x') fn(ctx, start, end, offset, path);
    }
    fclose(f);
}

bool os_is_no_file(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

void os_print_line(const char *line)
{
    size_t left = strlen(line);
    while (left > 0) {
        ssize_t n = write(STDERR_FILENO, line, left);
        if (n <= 0) return;
        line += n;
        left -= (size_t)n;
    }
}
