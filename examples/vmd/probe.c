/*
 * examples/vmd/probe.c: what a server does with malloc, and where its CPU time goes, seen from
 * outside: a library to LD_PRELOAD. For the demo's counting runs only; the timed ones run without
 * it.
 *
 * The file VMD_PROBE_FILE is mapped and holds these counters for each thread, all uint64_t:
 *   calls to malloc, calloc and realloc, by the object that called
 *   profiling samples, by the object that the program counter was in
 *   samples apart from those: inside malloc's family, and in system calls
 * What the compiler inlines from Ebb's headers is in the executable, and counts as the server's
 * own.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

/* ---- objects --------------------------------------------------------------------------------- */

/* The order is the demo's too. The executable has no name; what is in none of them is the last. */
static const char *const names[] = {"",        "libebb.so",   "libjansson", "libmicrohttpd",
                                    "libc.so", "libvmd-probe"};
enum { NAMED = sizeof names / sizeof *names, OBJECTS = NAMED + 1 };

static struct {
    uintptr_t from, to;
} code[NAMED];

static int is_named(const char *path, int object)
{
    return names[object][0] ? strstr(path, names[object]) != NULL : path[0] == '\0';
}

static int find_code(struct dl_phdr_info *info, size_t size, void *ctx)
{
    (void)size, (void)ctx;
    for (int object = 0; object < NAMED; object++) {
        if (!is_named(info->dlpi_name, object)) continue;
        for (int i = 0; i < info->dlpi_phnum; i++) {
            const ElfW(Phdr) *h = &info->dlpi_phdr[i];
            if (h->p_type != PT_LOAD || !(h->p_flags & PF_X)) continue;
            code[object].from = info->dlpi_addr + h->p_vaddr;
            code[object].to = code[object].from + h->p_memsz;
        }
    }
    return 0;
}

static int object_of(uintptr_t at)
{
    int object = 0;
    while (object < NAMED && (at < code[object].from || at >= code[object].to)) object++;
    return object;
}

/* ---- counters -------------------------------------------------------------------------------- */

/* Each thread has a cache line or two to itself: a counter that threads shared would cost more
   than the calls it counts. Threads beyond the last share that one, and may lose counts. */
enum { THREADS = 64 };

typedef struct thread_counters {
    _Alignas(64) uint64_t calls[OBJECTS];
    uint64_t samples[OBJECTS], in_malloc, in_kernel;
} thread_counters;
_Static_assert(sizeof(thread_counters) == 16 * sizeof(uint64_t),
               "the demo reads it without padding");

static thread_counters unmapped[THREADS], *counted = unmapped;
static atomic_int threads;

#define PER_THREAD static __thread __attribute__((tls_model("initial-exec")))
PER_THREAD int number; /* from 1; 0: not known yet */
PER_THREAD volatile sig_atomic_t depth;

static thread_counters *mine(void)
{
    if (!number) number = atomic_fetch_add(&threads, 1) + 1;
    return &counted[(number < THREADS ? number : THREADS) - 1];
}

/* ---- malloc's family ------------------------------------------------------------------------- */

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

#define COUNT_CALLER() mine()->calls[object_of((uintptr_t)__builtin_return_address(0))]++

void *malloc(size_t size)
{
    look_up();
    if (!next_malloc) return early_alloc(size);
    COUNT_CALLER();
    depth++;
    void *p = next_malloc(size);
    depth--;
    return p;
}

void *calloc(size_t count, size_t size)
{
    look_up();
    if (!next_calloc) return early_alloc(count * size);
    COUNT_CALLER();
    depth++;
    void *p = next_calloc(count, size);
    depth--;
    return p;
}

void *realloc(void *ptr, size_t size)
{
    look_up();
    COUNT_CALLER();
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

/* ---- samples --------------------------------------------------------------------------------- */

#if defined(__x86_64__)
static uintptr_t counter_of(const ucontext_t *u)
{
    return (uintptr_t)u->uc_mcontext.gregs[REG_RIP];
}

/* The instruction before is `syscall`: a sample that came due in the kernel is delivered here. */
static int after_syscall(uintptr_t at)
{
    return !memcmp((const char *)at - 2, "\x0f\x05", 2);
}
#elif defined(__aarch64__)
static uintptr_t counter_of(const ucontext_t *u)
{
    return (uintptr_t)u->uc_mcontext.pc;
}

static int after_syscall(uintptr_t at)
{
    return !memcmp((const char *)at - 4, "\x01\x00\x00\xd4", 4); /* svc #0 */
}
#else
static uintptr_t counter_of(const ucontext_t *u)
{
    (void)u;
    return 0;
}

static int after_syscall(uintptr_t at)
{
    (void)at;
    return 0;
}
#endif

static void on_sample(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number, (void)info;
    uintptr_t at = counter_of(context);
    int object = object_of(at);
    thread_counters *c = mine();
    if (depth) c->in_malloc++;
    else if (object < NAMED && after_syscall(at)) c->in_kernel++;
    else c->samples[object]++;
}

/* The kernel rounds this up to its own tick. */
enum { SAMPLE_EVERY_US = 1000 };

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("VMD_PROBE_FILE");
    int fd = path ? open(path, O_RDWR) : -1;
    if (fd < 0) return;
    void *map = mmap(NULL, sizeof unmapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED) return;
    counted = map;
    dl_iterate_phdr(find_code, NULL);
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART};
    action.sa_sigaction = on_sample;
    sigaction(SIGPROF, &action, NULL);
    struct itimerval every = {{0, SAMPLE_EVERY_US}, {0, SAMPLE_EVERY_US}};
    setitimer(ITIMER_PROF, &every, NULL);
}
