/*
 * tests/malloc/stages.c: a program that allocates at each stage of a process's life, from before
 * the libraries' constructors on. It says who is told: "all", or "nobody" without libebb-malloc.
 */
#define _GNU_SOURCE
#include "../../track/seam.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#pragma weak ebb__malloc_watch

enum { ODD_SIZE = 7777, STAGES = 7 };

static unsigned told;
static void *block[STAGES];
static pthread_key_t key;

static void on_call(size_t size, const void *site)
{
    (void)site;
    told += size == ODD_SIZE;
}

/* Each frees what the one before it took. */
static void stage(int n)
{
    size_t size = ODD_SIZE;
    __asm__ volatile("" : "+r"(size));
    if (n > 0) free(block[n - 1]);
    block[n] = malloc(size);
    if (block[n]) memset(block[n], n, size);
}

static void before_constructors(void)
{
    if (ebb__malloc_watch) ebb__malloc_watch(on_call);
    stage(0);
}

__attribute__((section(".preinit_array"), used)) static void (*preinit)(void) = before_constructors;

__attribute__((constructor(101))) static void constructor(void)
{
    stage(1);
}

static void thread_ends(void *value)
{
    (void)value;
    stage(4);
}

static void *thread(void *value)
{
    stage(3);
    pthread_setspecific(key, value);
    return NULL;
}

static void at_exit(void)
{
    stage(5);
}

__attribute__((destructor)) static void destructor(void)
{
    stage(6);
    free(block[6]);
    const char *who = told == STAGES ? "all\n" : told == 0 ? "nobody\n" : "some\n";
    if (write(1, who, strlen(who)) < 0) _exit(1);
}

int main(void)
{
    pthread_t t;
    atexit(at_exit);
    stage(2);
    if (pthread_key_create(&key, thread_ends) || pthread_create(&t, NULL, thread, &key)) return 1;
    pthread_join(t, NULL);
    return 0;
}
