/* examples/vmd/main.c: a small control plane of virtual machines over HTTP and JSON. Options,
   then serve. */
#include "vmd.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

options opt = {.ebb = true,
               .port = 8080,
               .threads = 2,
               .connections = 1024,
               .nodes = 32,
               .idle = 10,
               .max_body = 64 << 10,
               .max_request = 4 << 20,
               .budget = 256 << 20,
               .max_vms = 100000,
               .policy_steps = 5000000};

static const char usage[] =
    "usage: vmd [OPTIONS]\n"
    "Serves on 127.0.0.1 until SIGTERM or SIGINT.\n"
    "  --memory=ebb|malloc   where requests' memory comes from (ebb)\n"
    "  --port=N              0: any free one, printed (8080)\n"
    "  --threads=N           2 to 64 (2)\n"
    "  --connections=N       at once, each thread serving its share of them (1024)\n"
    "  --nodes=N             that machines can be placed on, 1 to 1000 (32)\n"
    "  --idle=SECONDS        a silent client is given up after these (10)\n"
    "  --max-vms=N           machines kept (100000)\n"
    "  --policy-steps=N      instructions that a tenant's policy may take (5000000)\n"
    "  --max-body=BYTES      of one request (64 KiB)\n"
    "  --max-request=BYTES   ebb: memory that one request may hold, 0: no limit (4 MiB)\n"
    "  --budget=BYTES        memory that all requests together may hold, 0: no limit (256 MiB)\n"
    "  --pool=NAME:MAX:MIN   ebb: at most so many, and so many beforehand; of proposals (1000:100),\n"
    "                        configs (500:50), metadata (200:20), small-buffers (500:50) and\n"
    "                        large-buffers (100:10)\n"
    "  --fail=N              ebb: let one allocation in N fail, to see what clients get\n";

static const struct option longs[] = {
    {"memory", required_argument, NULL, 'm'},
    {"port", required_argument, NULL, 'p'},
    {"threads", required_argument, NULL, 't'},
    {"connections", required_argument, NULL, 'c'},
    {"nodes", required_argument, NULL, 'n'},
    {"idle", required_argument, NULL, 'i'},
    {"max-vms", required_argument, NULL, 'v'},
    {"max-body", required_argument, NULL, 'b'},
    {"budget", required_argument, NULL, 'u'},
    {"max-request", required_argument, NULL, 'r'},
    {"pool", required_argument, NULL, 'o'},
    {"fail", required_argument, NULL, 'f'},
    {"policy-steps", required_argument, NULL, 's'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool memory(const char *value)
{
    if (!strcmp(value, "ebb") || !strcmp(value, "malloc")) return !strcmp(value, "ebb");
    fprintf(stderr, "vmd: --memory=%s is not ebb or malloc\n", value);
    exit(2);
}

static size_t number(const char *name, const char *value, size_t least, size_t most)
{
    char *end;
    unsigned long long n = strtoull(value, &end, 10);
    if (*value >= '0' && *value <= '9' && !*end && n >= least && n <= most) return (size_t)n;
    fprintf(stderr, "vmd: --%s=%s is not a number from %zu to %zu\n", name, value, least, most);
    exit(2);
}

static pool_size *pool_named(const char *name, size_t len)
{
    for (int i = 0; i < POOLS; i++)
        if (strlen(pool_sizes[i].name) == len && !strncmp(pool_sizes[i].name, name, len))
            return &pool_sizes[i];
    return NULL;
}

/* NAME:MAX:MIN */
static void pool(const char *value)
{
    unsigned max, min;
    int end = 0;
    const char *colon = strchr(value, ':');
    pool_size *size = colon ? pool_named(value, (size_t)(colon - value)) : NULL;
    if (!size) {
        fprintf(stderr,
                "vmd: --pool=%s: NAME:MAX:MIN, and NAME is proposals, configs, metadata, "
                "small-buffers or large-buffers\n",
                value);
        exit(2);
    }
    bool read = strspn(colon, ":0123456789") == strlen(colon) &&
                sscanf(colon, ":%9u:%9u%n", &max, &min, &end) == 2 && !colon[end];
    if (!read || min > max) {
        fprintf(stderr, "vmd: --pool=%s: MAX and MIN are numbers, and MIN is at most MAX\n", value);
        exit(2);
    }
    size->max = max;
    size->min = min;
}

static void set(int what, const char *name, const char *value)
{
    const size_t gib = (size_t)1 << 30;
    switch (what) {
    case 'm': opt.ebb = memory(value); break;
    case 'p': opt.port = (unsigned)number(name, value, 0, 65535); break;
    case 't': opt.threads = (unsigned)number(name, value, 2, 64); break;
    case 'c': opt.connections = (unsigned)number(name, value, 2, 65536); break;
    case 'n': opt.nodes = (unsigned)number(name, value, 1, 1000); break;
    case 'i': opt.idle = (unsigned)number(name, value, 1, 3600); break;
    case 'f': opt.fail = (unsigned)number(name, value, 1, 1000000000); break;
    case 'v': opt.max_vms = number(name, value, 1, 10000000); break;
    case 'b': opt.max_body = number(name, value, 1, gib); break;
    case 'r': opt.max_request = number(name, value, 0, 64 * gib); break;
    case 's': opt.policy_steps = number(name, value, 1, 1000000000); break;
    case 'u': opt.budget = number(name, value, 0, 1024 * gib); break;
    case 'o': pool(value); break;
    case 'h': fputs(usage, stdout); exit(0);
    default: fputs(usage, stderr); exit(2);
    }
}

int main(int argc, char **argv)
{
    int what, which = 0;
    while ((what = getopt_long(argc, argv, "", longs, &which)) != -1)
        set(what, what == '?' ? "" : longs[which].name, optarg);
    if (optind < argc) set('?', "", NULL);
    if (opt.fail && !opt.ebb) {
        fputs("vmd: --fail needs --memory=ebb\n", stderr);
        return 2;
    }
    return serve();
}
