/*
 * examples/vmd/probe.c: counts what a server does with malloc, from outside: a library to LD_PRELOAD, for
 * the demo's counting runs only (the timed ones run without it).
 *
 * Into the file VMD_PROBE_FILE, mapped, go: calls to malloc, calloc and realloc; profiling samples (one per
 * millisecond of CPU time); those that fell inside malloc's family; those whose program counter was in
 * libebb. What the compiler inlined from Ebb's headers into the server is not seen, and counts as the
 * server's own.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

enum { CALLS, SAMPLES, INSIDE, IN_EBB, WORDS };

static _Atomic uint64_t unmapped[WORDS], *words = unmapped;
static __thread volatile sig_atomic_t depth __attribute__((tls_model("initial-exec")));
static uintptr_t ebb_from, ebb_to;

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);

/* dlsym itself may allocate; it gets these bytes, which are never freed. */
static char early[8192];
static size_t early_used;

static void *early_alloc(size_t size)
{
    void *p = early + early_used;
    early_used += (size + 15) & ~(size_t)15;
    return early_used <= sizeof early ? p : NULL;
}

static void look_up(void)
{
    static int looking;
    if (next_free || looking) return;
    looking = 1;
    *(void **)(&next_malloc) = dlsym(RTLD_NEXT, "malloc");
    *(void **)(&next_calloc) = dlsym(RTLD_NEXT, "calloc");
    *(void **)(&next_realloc) = dlsym(RTLD_NEXT, "realloc");
    *(void **)(&next_free) = dlsym(RTLD_NEXT, "free");
}

void *malloc(size_t size)
{
    look_up();
    if (!next_malloc) return early_alloc(size);
    words[CALLS]++;
    depth++;
    void *p = next_malloc(size);
    depth--;
    return p;
}

void *calloc(size_t count, size_t size)
{
    look_up();
    if (!next_calloc) return early_alloc(count * size);
    words[CALLS]++;
    depth++;
    void *p = next_calloc(count, size);
    depth--;
    return p;
}

void *realloc(void *ptr, size_t size)
{
    look_up();
    words[CALLS]++;
    depth++;
    void *p = next_realloc(ptr, size);
    depth--;
    return p;
}

void free(void *ptr)
{
    if ((char *)ptr >= early && (char *)ptr < early + sizeof early) return;
    look_up();
    depth++;
    next_free(ptr);
    depth--;
}

static void on_sample(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    words[SAMPLES]++;
    if (depth) words[INSIDE]++;
#if defined(__x86_64__)
    uintptr_t at = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    if (at >= ebb_from && at < ebb_to) words[IN_EBB]++;
#else
    (void)context;
#endif
}

static int find_ebb(struct dl_phdr_info *info, size_t size, void *ctx)
{
    (void)size, (void)ctx;
    if (!strstr(info->dlpi_name, "libebb.so")) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        if (h->p_type != PT_LOAD || !(h->p_flags & PF_X)) continue;
        ebb_from = info->dlpi_addr + h->p_vaddr;
        ebb_to = ebb_from + h->p_memsz;
    }
    return 1;
}

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("VMD_PROBE_FILE");
    int fd = path ? open(path, O_RDWR) : -1;
    if (fd < 0) return;
    void *map = mmap(NULL, sizeof unmapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED) return;
    words = map;
    dl_iterate_phdr(find_ebb, NULL);
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART};
    action.sa_sigaction = on_sample;
    sigaction(SIGPROF, &action, NULL);
    struct itimerval every = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_PROF, &every, NULL);
}
