/*
 * bench/workloads/main.c: the three workloads, by every memory.
 *
 *     bench-workloads ROUNDS [WORKLOAD]      samples of all memories in turn; operations are batches
 *     bench-workloads --count WORKLOAD       instructions, under callgrind
 *     bench-workloads --digest               what was handed on, as a number; 1: not all the same
 *     bench-workloads --once WORKLOAD NAME   one memory in this process: its first batch, and later
 *
 * A WORKLOAD is "proposals calibrated" and the like. --once prints, separated by tabs,
 *
 *     once  WORKLOAD  NAME  setup cold steady  faults-cold faults-steady  peak
 *
 * calls that reached the system (malloc and its kin, or mmap and its kin from Ebb; only in the counting
 * build) while the memory was set up, in the first batch, and in one of the later; page faults; and how many
 * KiB more the process holds in the midst of a later batch than before the memory was set up.
 */
#include "work.h"

#include "../harness/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODES = 2, CONTESTANTS = 5, INSTRUCTION_OPS = 20, LATER = 100 };
static const double batch_ns = 4e6;

static const char *const work_name[WORKS] = {"proposals", "schedule", "messages"};
static const char *const mode_name[MODES] = {"calibrated", "faithful"};
static const contestant *const all[CONTESTANTS] = {&with_floor, &with_glibc, &with_mimalloc,
                                                   &with_arena, &with_layers};
static bool here[CONTESTANTS];
static input inputs[MODES];

uint64_t work_calls;
extern uint64_t bench_system_calls __attribute__((weak)); /* the counting build's */

typedef struct task {
    const contestant *who;
    work what;
    bool faithful;
} task;

static void run(void *state, size_t ops)
{
    const task *t = state;
    for (size_t i = 0; i < ops; i++) t->who->run[t->what](&inputs[t->faithful], t->faithful);
}

static const char *title_of(work w, bool faithful)
{
    static char text[64];
    snprintf(text, sizeof text, "%s %s", work_name[w], mode_name[faithful]);
    return text;
}

static bool prepare(size_t i)
{
    const char *why = all[i]->missing ? all[i]->missing() : NULL;
    if (why) printf("missing\t%s\t%s\n", all[i]->name, why);
    else if (all[i]->version) printf("version\t%s\t%s\n", all[i]->name, all[i]->version());
    return here[i] = !why;
}

/* ---- time and instructions ------------------------------------------------------------------- */

static void measure(work w, bool faithful, size_t rounds)
{
    task tasks[CONTESTANTS];
    bench_entry entries[CONTESTANTS] = {{0}};
    size_t count = 0;
    for (size_t i = 0; i < CONTESTANTS; i++) {
        if (!here[i]) continue;
        tasks[count] = (task){all[i], w, faithful};
        entries[count] = (bench_entry){
            .name = all[i]->name, .run = run, .state = &tasks[count], .settle = LATER};
        count++;
    }
    const bench_plan plan = {title_of(w, faithful), rounds, batch_ns};
    if (rounds) bench_measure(entries, count, &plan);
    else bench_count_instructions(entries, count, plan.workload, INSTRUCTION_OPS);
}

/* ---- the same bytes -------------------------------------------------------------------------- */

static int digests(void)
{
    int differ = 0;
    deliver_everything = true;
    for (int of = 0; of < WORKS * MODES; of++) {
        uint64_t first = 0;
        for (size_t i = 0; i < CONTESTANTS; i++) {
            if (!here[i]) continue;
            run(&(task){all[i], (work)(of / MODES), of % MODES}, 2);
            uint64_t digest = deliver_digest();
            if (!first) first = digest;
            differ |= digest != first;
            printf("digest\t%s\t%s\t%016llx\n", title_of((work)(of / MODES), of % MODES),
                   all[i]->name, (unsigned long long)digest);
        }
    }
    return differ;
}

/* ---- one memory ------------------------------------------------------------------------------ */

static uint64_t calls(const contestant *who)
{
    bool is_malloc = who == &with_glibc || who == &with_mimalloc;
    if (is_malloc) return work_calls;
    return &bench_system_calls ? bench_system_calls + bench_malloc_calls : 0;
}

/* Exactly; what the system says of a peak is rounded to 32 pages for each CPU. */
static long resident_kib(void)
{
    char line[128];
    long kib = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "Anonymous: %ld", &kib) == 1) break;
    if (f) fclose(f);
    return kib;
}

static long resident;

static void look(void)
{
    resident = resident_kib();
}

/* In the midst of a batch, when nothing of it has been freed yet. */
static long resident_with(const task *t)
{
    deliver_everything = true;
    deliver_watch = look;
    t->who->run[t->what](&inputs[t->faithful], t->faithful);
    return resident;
}

static void once(task t)
{
    const contestant *who = t.who;
    resident_kib(); /* has what it needs from malloc itself */
    long before = resident_kib();
    uint64_t begun = calls(who);
    if (who->missing && who->missing()) return;
    uint64_t made = calls(who), faults_made = bench_faults();
    run(&t, 1);
    uint64_t cold = calls(who) - made, faults_cold = bench_faults() - faults_made;
    run(&t, LATER);
    uint64_t warm = calls(who), faults_warm = bench_faults();
    run(&t, LATER);
    double later = (double)(calls(who) - warm) / LATER,
           faults = (double)(bench_faults() - faults_warm) / LATER;
    printf("once\t%s\t%s\t%llu\t%llu\t%g\t%llu\t%g\t%ld\n", title_of(t.what, t.faithful), who->name,
           (unsigned long long)(made - begun), (unsigned long long)cold, later,
           (unsigned long long)faults_cold, faults, resident_with(&t) - before);
}

/* ---- arguments ------------------------------------------------------------------------------- */

static bool find_work(const char *title, task *ret_)
{
    for (int of = 0; of < WORKS * MODES; of++)
        if (!strcmp(title, title_of((work)(of / MODES), of % MODES))) {
            ret_->what = (work)(of / MODES);
            ret_->faithful = of % MODES;
            return true;
        }
    return false;
}

static bool find_contestant(const char *name, task *ret_)
{
    for (size_t i = 0; i < CONTESTANTS; i++)
        if (!strcmp(name, all[i]->name)) ret_->who = all[i];
    return ret_->who;
}

static int usage(void)
{
    fprintf(
        stderr,
        "usage: bench-workloads ROUNDS [WORKLOAD] | --count WORKLOAD | --digest | --once WORKLOAD NAME\n");
    return 2;
}

int main(int argc, char **argv)
{
    task t = {0};
    bool named = argc > 2;
    if (argc < 2 || (named && !find_work(argv[2], &t))) return usage();
    for (int m = 0; m < MODES; m++) input_make(&inputs[m], m);
    bench_pin(0);
    if (!strcmp(argv[1], "--once")) {
        if (argc != 4 || !find_contestant(argv[3], &t)) return usage();
        once(t);
        return 0;
    }
    for (size_t i = 0; i < CONTESTANTS; i++) prepare(i);
    if (!strcmp(argv[1], "--digest")) return digests();
    size_t rounds = !strcmp(argv[1], "--count") ? 0 : strtoul(argv[1], NULL, 10);
    if (!rounds && strcmp(argv[1], "--count")) return usage();
    for (int of = 0; of < WORKS * MODES; of++)
        if (!named || (t.what == (work)(of / MODES) && t.faithful == of % MODES))
            measure((work)(of / MODES), of % MODES, rounds);
    return 0;
}
