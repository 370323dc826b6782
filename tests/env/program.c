/*
 * tests/env/program.c: a program that knows nothing of trackers but what its argument says; `check`
 * runs it with one environment after another.
 */
#include <ebb/ebb.h>
#include <ebb/track.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SCOPES = 3, EACH = 10 };

static ebb_profile request = EBB_PROFILE("GET /;</script>");

__attribute__((noinline)) static void ask(ebb_arena *a)
{
    for (int i = 0; i < EACH; i++) {
        void *volatile kept = ebb_alloc(a, 100);
        (void)kept;
    }
}

static void serve(void)
{
    for (int i = 0; i < SCOPES; i++) {
        ebb_arena *a = ebb_scope_begin(&request);
        ask(a);
        ebb_scope_end(&a);
    }
}

static void *serve_on_thread(void *unused)
{
    serve();
    return unused;
}

static int fork_and_wait(void (*in_child)(void))
{
    int status = 1;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        in_child();
        exit(0);
    }
    if (child > 0) waitpid(child, &status, 0);
    return status;
}

static void serve_and_write(void)
{
    serve();
    printf("child: %s\n", ebb_status_name(ebb_track_write()));
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "thread")) {
        pthread_t t;
        if (pthread_create(&t, NULL, serve_on_thread, NULL)) return 1;
        pthread_join(t, NULL);
        return 0;
    }
    if (!strcmp(what, "ends")) {
        ebb_tracker *t = ebb_tracker_of_process();
        ebb_tracker_end(&t);
    }
    if (!strcmp(what, "asks")) printf("%s\n", ebb_tracker_of_process() ? "tracked" : "not tracked");
    serve();
    if (!strcmp(what, "fork")) return fork_and_wait(serve);
    if (!strcmp(what, "child writes")) return fork_and_wait(serve_and_write);
    if (!strcmp(what, "leaves")) _exit(0);
    if (!strcmp(what, "writes")) {
        printf("%s\n", ebb_status_name(ebb_track_write()));
        fflush(stdout);
        _exit(0);
    }
    return 0;
}
