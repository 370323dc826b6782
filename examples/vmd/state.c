/*
 * examples/vmd/state.c: the machines. They outlive requests, and end one by one, so they are
 * malloc's in both modes. Synchronized: each function locks, and none allocates from a request
 * while it does, since a failure would jump out of ebb_try with the lock held.
 */
#include "vmd.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUCKETS = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static vm *buckets[BUCKETS], *first, *last;
static size_t count;
ebb_symtab *names;

bool state_begin(void)
{
    static const ebb_words *const sets[] = {&ebb_vm_status};
    const ebb_symtab_params params = {
        .name = "tenants", .words = sets, .word_sets = 1, .max_entries = opt.max_vms};
    names = ebb_symtab_create(&params, NULL);
    return names != NULL;
}

/* ---- one machine ----------------------------------------------------------------------------- */

static uint64_t hash(uint64_t h, const char *string)
{
    for (; *string; string++) h = (h ^ (unsigned char)*string) * 0x100000001b3u;
    return h;
}
#define FNV_1A UINT64_C(0xcbf29ce484222325)

static size_t size_of(const vm_spec *s)
{
    size_t size = sizeof(vm) + s->pairs * sizeof *s->pair + strlen(s->name) + 1;
    for (size_t i = 0; i < s->pairs; i++)
        size += strlen(s->pair[i].key) + strlen(s->pair[i].value) + 2;
    return size;
}

static const char *put_string(char **to, const char *string)
{
    size_t n = strlen(string) + 1;
    const char *start = memcpy(*to, string, n);
    *to += n;
    return start;
}

static vm *vm_create(const vm_spec *s, ebb_sym tenant)
{
    vm *v = malloc(size_of(s));
    if (!v) return NULL;
    char *strings = (char *)&v->pair[s->pairs];
    memset(v, 0, sizeof *v);
    v->references = 1;
    v->revision = 1;
    v->name = put_string(&strings, s->name);
    v->tenant = tenant;
    v->status = s->status;
    v->cpus = s->cpus;
    v->memory_mb = s->memory_mb;
    v->pairs = s->pairs;
    for (size_t i = 0; i < s->pairs; i++)
        v->pair[i] =
            (pair){put_string(&strings, s->pair[i].key), put_string(&strings, s->pair[i].value)};
    /* From what is proposed, not from a clock: two servers that are asked the same answer the
       same. */
    uint64_t id = hash(hash(FNV_1A, s->tenant) ^ '/', v->name);
    snprintf(v->id, sizeof v->id, "vm-%016llx", (unsigned long long)id);
    return v;
}

void vm_release(void *reference)
{
    vm *v = reference;
    if (v && atomic_fetch_sub(&v->references, 1) == 1) free(v);
}

static vm *refer(vm *v)
{
    atomic_fetch_add(&v->references, 1);
    return v;
}

/* ---- the table, under the lock --------------------------------------------------------------- */

static vm **find(const char *name)
{
    vm **at = &buckets[hash(FNV_1A, name) % BUCKETS];
    while (*at && strcmp((*at)->name, name) != 0) at = &(*at)->next_in_bucket;
    return at;
}

static void insert(vm **at, vm *v)
{
    *at = v;
    v->previous = last;
    *(last ? &last->next : &first) = v;
    last = v;
    count++;
}

static void replace(vm **at, vm *v)
{
    vm *old = *at;
    v->revision = old->revision + 1;
    v->next_in_bucket = old->next_in_bucket;
    v->next = old->next;
    v->previous = old->previous;
    *(v->previous ? &v->previous->next : &first) = v;
    *(v->next ? &v->next->previous : &last) = v;
    *at = v;
}

static vm *take_out(vm **at)
{
    vm *v = *at;
    if (!v) return NULL;
    *at = v->next_in_bucket;
    *(v->previous ? &v->previous->next : &first) = v->next;
    *(v->next ? &v->next->previous : &last) = v->previous;
    count--;
    return v;
}

/* Put @v in; *ret_old is what it took the place of. */
static enum put_result put(vm *v, const vm *unless_changed, vm **ret_old)
{
    vm **at = find(v->name);
    if (unless_changed && *at != unless_changed) return PUT_CHANGED;
    if (!*at && count >= opt.max_vms) return PUT_FULL;
    if (!*at) return insert(at, v), PUT_CREATED;
    if ((*at)->tenant != v->tenant) return PUT_TAKEN;
    *ret_old = *at;
    replace(at, v);
    return PUT_REPLACED;
}

/* ---- what requests call ---------------------------------------------------------------------- */

enum put_result state_put(const vm_spec *spec, const vm *unless_changed, vm **ret_vm)
{
    ebb_sym tenant = ebb_intern(names, ebb_str_from(spec->tenant));
    if (!tenant) return ebb_symtab_failed(names) == EBB_E_LIMIT ? PUT_FULL : PUT_NO_MEMORY;
    vm *v = vm_create(spec, tenant), *old = NULL;
    if (!v) return PUT_NO_MEMORY;
    refer(v); /* the caller's */
    pthread_mutex_lock(&lock);
    enum put_result result = put(v, unless_changed, &old);
    pthread_mutex_unlock(&lock);
    vm_release(old);
    if (result == PUT_CREATED || result == PUT_REPLACED) *ret_vm = v;
    else free(v); /* nobody has seen it */
    return result;
}

vm *state_get(const char *name)
{
    pthread_mutex_lock(&lock);
    vm *v = *find(name);
    if (v) refer(v);
    pthread_mutex_unlock(&lock);
    return v;
}

static bool passes(const filter *only, const vm *v)
{
    return (!only->tenant || only->tenant == v->tenant) &&
           (!only->status || only->status == v->status);
}

int state_page(const char *after, const filter *only, int most, vm **page)
{
    int filled = -1;
    pthread_mutex_lock(&lock);
    vm *from = after ? *find(after) : NULL;
    if (from || !after) {
        filled = 0;
        for (vm *v = from ? from->next : first; v && filled < most; v = v->next)
            if (passes(only, v)) page[filled++] = refer(v);
    }
    pthread_mutex_unlock(&lock);
    return filled;
}

void page_release(void *arg)
{
    vm_page *p = arg;
    for (int i = 0; i < p->count; i++) vm_release(p->vm[i]);
}

size_t state_count(void)
{
    pthread_mutex_lock(&lock);
    size_t n = count;
    pthread_mutex_unlock(&lock);
    return n;
}

bool state_remove(const char *name)
{
    pthread_mutex_lock(&lock);
    vm *v = take_out(find(name));
    pthread_mutex_unlock(&lock);
    vm_release(v);
    return v != NULL;
}

void state_clear(void)
{
    while (first) state_remove(first->name);
    ebb_symtab_destroy(&names);
}
