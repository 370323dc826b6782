/*
 * source_mimalloc/mimalloc.c: libebb-mimalloc, a source of slabs. See ebb/mimalloc.h for why it is
 * a library of its own, and opens mimalloc at run time instead of being linked with it.
 */
#include <ebb/mimalloc.h>

#include <dlfcn.h>
#include <pthread.h>

#if defined(EBB_HAVE_VALGRIND) && EBB_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

typedef void *aligned_fn(size_t size, size_t align);
typedef void free_fn(void *ptr);

static aligned_fn *mi_aligned;
static free_fn *mi_release;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void *take(void *ctx, size_t size, size_t align)
{
    (void)ctx;
    return mi_aligned(size, align);
}

static void give(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    mi_release(ptr);
}

/* POSIX lets a data pointer carry a function's address; C does not, but for a copy of its bytes. */
static void open_library(void)
{
    if (RUNNING_ON_VALGRIND) return; /* it takes mi_free for a free of its own */
    void *lib = dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!lib) return;
    *(void **)(&mi_aligned) = dlsym(lib, "mi_malloc_aligned");
    *(void **)(&mi_release) = dlsym(lib, "mi_free");
}

const ebb_source *ebb_mimalloc_source(void)
{
    static const ebb_source source = {take, give, NULL, 0};
    pthread_once(&once, open_library);
    return mi_aligned && mi_release ? &source : NULL;
}
