/*
 * arena/os.h: all that Ebb asks of the system, behind one small contract; os_posix.c answers.
 *
 * Sizes are multiples of the page size and addresses page-aligned unless said otherwise. NULL or
 * false is a refusal by the system, nothing else. No function here allocates from Ebb.
 */
#ifndef EBB_ARENA_OS_H
#define EBB_ARENA_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reserve and make usable `size` bytes at a multiple of `align`; zeroed, not yet touched. */
void *os_reserve(size_t size, size_t align);
/* Give address space back. */
void os_release(void *ptr, size_t size);
/* The contents are no longer needed; the range stays usable. lazily: when the system wants them. */
void os_discard(void *ptr, size_t size, bool lazily);

/* Let the pages at `from` appear at `to` in place of those there; `from` then reads as zeroes. Both
   from os_reserve. False: the system can't, and nothing has happened. */
bool os_move_pages(void *to, void *from, size_t size);

/* Pages that must not be written to; and may be again. False: the system can't. */
bool os_protect(void *ptr, size_t size, bool writable);
size_t os_page_size(void);

/* Milliseconds of a coarse clock that never goes back; nanoseconds of an exact one. */
uint64_t os_clock_ms(void);
uint64_t os_clock_ns(void);

/* Every other thread of the process has passed a full memory barrier when this returns; false if
   the system can't do that. */
bool os_barrier_all(void);

/* A lock. Static initialisation with OS_LOCK_INIT. */
#include <pthread.h>
typedef pthread_mutex_t os_lock_t;
#define OS_LOCK_INIT PTHREAD_MUTEX_INITIALIZER
void os_lock(os_lock_t *l);
void os_unlock(os_lock_t *l);
void os_lock_init(os_lock_t *l); /* or make it anew, in a forked child */

/* A condition: wait for a signal with the lock released meanwhile. False: os_clock_ns has reached
   the deadline; UINT64_MAX: there is none. It may also return true without a signal. */
typedef pthread_cond_t os_cond_t;
void os_cond_init(os_cond_t *c);
bool os_cond_wait(os_cond_t *c, os_lock_t *l, uint64_t deadline_ns);
void os_cond_signal(os_cond_t *c);
void os_cond_broadcast(os_cond_t *c);
void os_cond_destroy(os_cond_t *c);

/* Add 1 to a counter that others poll: an eventfd, or any descriptor that takes 8 bytes. */
void os_event_write(int fd);

/* Call fn once in the process, before the first return from here. */
void os_once(void (*fn)(void));
/* Let fn be called with the value that each thread gives to os_thread_value_set, when it exits.
   Once in the process. */
bool os_at_thread_exit(void (*fn)(void *));
bool os_thread_value_set(void *value);
/* Call these around fork. */
void os_at_fork(void (*before)(void), void (*parent)(void), void (*child)(void));

void os_yield(void);
/* The stack that `inside` is on: from where it may be read, and one past its highest address. Safe
   in a signal's handler. False: not known. */
bool os_stack_find(uintptr_t inside, uintptr_t *ret_lo, uintptr_t *ret_end);
/* Whether an address of a socket's (a struct sockaddr) is of this machine alone. */
bool os_address_is_local(const void *address);
/* Number and name of this thread as the system's tools show them. */
uint32_t os_thread_number(void);
uint32_t os_process(void);
void os_thread_name(char *ret_name, size_t size);
/* Name of the program as the system's tools show it; "?": not known. Static. */
const char *os_program(void);
/* The value of an environment variable; NULL: there is none, or the program has more rights than
   who started it, who is not to say what it writes then. */
const char *os_environment(const char *name);
/* Call fn for each mapping of a file's code; for none if the system doesn't tell. */
void os_each_code(void (*fn)(void *ctx, uintptr_t start, uintptr_t end, uint64_t offset,
                             const char *path),
                  void *ctx);
/* Whether something is at path, and it is no ordinary file: a device, a pipe, a folder, a link. */
bool os_is_no_file(const char *path);
/* Write a line, or several, to stderr in one piece. */
void os_print_line(const char *line);

#endif /* EBB_ARENA_OS_H */
