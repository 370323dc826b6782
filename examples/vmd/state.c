/*
 * examples/vmd/state.c: the machines. They outlive requests, one by one, so they are malloc's in both
 * modes: each is one block that holds its strings too.
 */
#include "vmd.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static vm *buckets[BUCKETS], *first, *last;
static size_t count;

static size_t bucket_of(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return h % BUCKETS;
}

static vm **find(const char *name)
{
    vm **at = &buckets[bucket_of(name)];
    while (*at && strcmp((*at)->name, name) != 0) at = &(*at)->next_in_bucket;
    return at;
}

static const char *put_string(char **to, const char *string)
{
    size_t n = strlen(string) + 1;
    char *start = memcpy(*to, string, n);
    *to += n;
    return start;
}

static vm *copy(const vm *v)
{
    size_t size = sizeof *v + strlen(v->name) + strlen(v->tenant) + 2;
    for (int i = 0; i < v->pairs; i++)
        size += strlen(v->pair[i].key) + strlen(v->pair[i].value) + 2;
    vm *c = malloc(size);
    if (!c) return NULL;
    *c = *v;
    char *to = (char *)(c + 1);
    c->name = put_string(&to, v->name);
    c->tenant = put_string(&to, v->tenant);
    for (int i = 0; i < v->pairs; i++) {
        c->pair[i].key = put_string(&to, v->pair[i].key);
        c->pair[i].value = put_string(&to, v->pair[i].value);
    }
    return c;
}

static void append(vm *c)
{
    c->next = NULL;
    c->previous = last;
    *(last ? &last->next : &first) = c;
    last = c;
    count++;
}

static void replace(vm **at, vm *c)
{
    vm *old = *at;
    c->next_in_bucket = old->next_in_bucket;
    c->next = old->next;
    c->previous = old->previous;
    *(c->previous ? &c->previous->next : &first) = c;
    *(c->next ? &c->next->previous : &last) = c;
    *at = c;
    free(old);
}

enum put_result state_put(const vm *v)
{
    vm *c = copy(v);
    if (!c) return PUT_NO_MEMORY;
    pthread_mutex_lock(&lock);
    vm **at = find(v->name);
    enum put_result result = !*at                               ? PUT_CREATED
                             : strcmp((*at)->tenant, v->tenant) ? PUT_TAKEN
                                                                : PUT_REPLACED;
    if (result == PUT_REPLACED) replace(at, c);
    if (result == PUT_CREATED) {
        c->next_in_bucket = NULL;
        *at = c;
        append(c);
    }
    pthread_mutex_unlock(&lock);
    if (result == PUT_TAKEN) free(c);
    return result;
}

bool state_with(const char *name, void (*fn)(const vm *, void *), void *ctx)
{
    pthread_mutex_lock(&lock);
    const vm *v = *find(name);
    if (v) fn(v, ctx);
    pthread_mutex_unlock(&lock);
    return v != NULL;
}

size_t state_each(size_t skip, size_t most, void (*fn)(const vm *, void *), void *ctx)
{
    pthread_mutex_lock(&lock);
    size_t all = count, i = 0;
    for (const vm *v = first; v && i < skip + most; v = v->next, i++)
        if (i >= skip) fn(v, ctx);
    pthread_mutex_unlock(&lock);
    return all;
}

bool state_remove(const char *name)
{
    pthread_mutex_lock(&lock);
    vm **at = find(name), *v = *at;
    if (v) {
        *at = v->next_in_bucket;
        *(v->previous ? &v->previous->next : &first) = v->next;
        *(v->next ? &v->next->previous : &last) = v->previous;
        count--;
    }
    pthread_mutex_unlock(&lock);
    free(v);
    return v != NULL;
}

void state_clear(void)
{
    while (first) state_remove(first->name);
}
