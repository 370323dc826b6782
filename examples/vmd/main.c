/* examples/vmd/main.c: a small control plane of virtual machines over HTTP and JSON. Options, then serve. */
#include "vmd.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

counters counted;
options opt = {.ebb = true,
               .port = 8080,
               .threads = 2,
               .nodes = 32,
               .idle = 10,
               .max_body = 64 << 10,
               .max_request = 2 << 20,
               .budget = 256 << 20};

static const char usage[] =
    "usage: vmd [--memory=ebb|malloc] [--port=N] [--threads=N] [--nodes=N] [--idle=SECONDS]\n"
    "           [--max-body=BYTES] [--max-request=BYTES] [--budget=BYTES]\n"
    "Serves on 127.0.0.1 until SIGTERM or SIGINT. Port 0: any free one, printed.\n";

static size_t number(const char *name, const char *value, size_t least, size_t most)
{
    char *end;
    unsigned long long n = strtoull(value, &end, 10);
    if (*value >= '0' && *value <= '9' && !*end && n >= least && n <= most) return (size_t)n;
    fprintf(stderr, "vmd: --%s=%s is not a number from %zu to %zu\n", name, value, least, most);
    exit(2);
}

static void set(int what, const char *name, const char *value)
{
    switch (what) {
    case 'm':
        if (strcmp(value, "ebb") && strcmp(value, "malloc")) {
            fprintf(stderr, "vmd: --memory=%s is not ebb or malloc\n", value);
            exit(2);
        }
        opt.ebb = !strcmp(value, "ebb");
        break;
    case 'p': opt.port = (unsigned)number(name, value, 0, 65535); break;
    case 't': opt.threads = (unsigned)number(name, value, 2, 64); break;
    case 'n': opt.nodes = (unsigned)number(name, value, 1, 1000); break;
    case 'i': opt.idle = (unsigned)number(name, value, 1, 3600); break;
    case 'b': opt.max_body = number(name, value, 1, (size_t)1 << 30); break;
    case 'r': opt.max_request = number(name, value, 0, (size_t)1 << 40); break;
    case 'u': opt.budget = number(name, value, 0, (size_t)1 << 40); break;
    default: fputs(usage, stderr); exit(2);
    }
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"memory", required_argument, NULL, 'm'},
        {"port", required_argument, NULL, 'p'},
        {"threads", required_argument, NULL, 't'},
        {"nodes", required_argument, NULL, 'n'},
        {"idle", required_argument, NULL, 'i'},
        {"max-body", required_argument, NULL, 'b'},
        {"max-request", required_argument, NULL, 'r'},
        {"budget", required_argument, NULL, 'u'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int what, which = 0;
    while ((what = getopt_long(argc, argv, "", longs, &which)) != -1) {
        if (what == 'h') return fputs(usage, stdout), 0;
        set(what, what == '?' ? "" : longs[which].name, optarg);
    }
    if (optind < argc) set('?', "", NULL);
    return serve();
}
