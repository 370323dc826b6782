/*
 * track/seam_process.h: what the ground floor tells of the process, and does for it, so that system
 * headers stay down there: its name and number, environment, standard error; and whole files.
 */
#ifndef EBB_TRACK_SEAM_PROCESS_H
#define EBB_TRACK_SEAM_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Its number, and its name as the system's tools show it; static. */
unsigned ebb__process_number(void);
const char *ebb__process_name(void);

/* Code that is mapped from a file: @path from @offset on, at [@start, @end). */
typedef struct ebb__code {
    uintptr_t start, end;
    uint64_t offset;
    const char *path; /* until the callback returns */
} ebb__code;

/* Call @fn for each, the program's own first; for none where the system does not tell. */
void ebb__each_code(void (*fn)(void *ctx, const ebb__code *c), void *ctx);

/* An environment variable; NULL where there is none, and in a program that has more rights than
   who started it. */
const char *ebb__environment(const char *name);

/* Write text to stderr, in one piece. */
void ebb__print(const char *text);
/* Say in a line that the value of an environment variable is not what it may be. */
void ebb__print_wrong(const char *variable, const char *value, const char *may_be);

/* A file that is there whole or not at all: it is written under another name in the same folder,
   and then takes the place of what is at `path`. But a device, a pipe or a link there is not to be
   replaced: what is written goes straight into it. */
typedef struct ebb__file {
    FILE *to;
    const char *path;
    char temporary[4096]; /* empty: straight */
} ebb__file;

/* False: it can't be written there; errno says why. Keeps @path until the end. */
bool ebb__file_begin(ebb__file *f, const char *path);
/* False, and nothing has changed, but in what is no ordinary file: it was not @good, or can't be
   finished; errno says why. */
bool ebb__file_end(ebb__file *f, bool good);

/* Whether a struct sockaddr is of this machine alone: loopback, or a local socket. */
bool ebb__peer_is_local(const void *address);

#endif /* EBB_TRACK_SEAM_PROCESS_H */
