"""What `./run bench workloads` prints: the three workloads, plain and with every layer, in each memory.

The programs print raw results (bench/workloads/main.c); all arithmetic is here.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

# Per batch: what is done, and the calls of malloc that are given for plain C before and after its layers.
WORKLOADS = {"proposals": ("1,000 proposals", 1200, 350), "schedule": ("100 machines, 16 nodes", 3500, 800),
             "messages": ("100 messages", 500, 120)}
MODES = ("calibrated", "faithful")
BASE, PEER, OURS = "malloc (glibc)", "malloc (mimalloc)", "Ebb, all layers"
MEMORIES = (BASE, PEER, "Ebb, arenas", OURS)
FASTER = 3  # than the peer, by the medians
ONCE = ("setup", "cold", "steady", "faults_cold", "faults", "peak_kib")


def lines_of(*command, fails=False):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True)
    if done.returncode and not fails:
        sys.exit(f"bench: {' '.join(map(str, command))} failed ({done.returncode})")
    return [line.split("\t") for line in done.stdout.splitlines()]


def titles(args):
    every = [f"{w} {mode}" for w in WORKLOADS for mode in MODES]
    return [t for t in every if not args.workload or t in args.workload or t.split()[0] in args.workload]


def check_digests(program, wanted):
    """All memories hand on the same bytes, or nothing is measured."""
    found = {}
    for kind, *f in lines_of(program, "--digest", fails=True):
        if kind == "digest" and f[0] in wanted:
            found.setdefault(f[0], {})[f[1]] = f[2]
    for title, digests in found.items():
        if len(set(digests.values())) != 1:
            sys.exit(f"bench: {title}: not all hand on the same: {digests}")
    return {title: next(iter(digests.values())) for title, digests in found.items()}


def timed(program, title, rounds, summary):
    rows, missing = {}, []
    for kind, *f in lines_of(program, rounds, title):
        if kind == "samples":
            rows[f[1]] = summary([float(x) for x in f[2].split()])
        elif kind == "missing":
            missing.append(f"{f[0]}: {f[1]}")
    return rows, missing


def once(program, title, name):
    """In a process of its own: what reaches the system in the first batch, and later."""
    for kind, *f in lines_of(program, "--once", title, name):
        if kind == "once":
            return dict(zip(ONCE, map(float, f[2:])))
    return {}


def instructions(program, title):
    counts, ops = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, *f in lines_of("valgrind", "-q", "--tool=callgrind", "--collect-atstart=no",
                                 f"--callgrind-out-file={folder}/out", program, "--count", title):
            if kind == "ops":
                ops[f[1]] = float(f[2])
        for path in pathlib.Path(folder).glob("out.*"):
            lines = path.read_text(errors="replace").splitlines()
            name = [x.split(":", 3)[3].strip() for x in lines if x.startswith("desc: Trigger: Client Request:")]
            total = [int(x.split()[1]) for x in lines if x.startswith("totals:")]
            if name and total and name[0] in ops:
                counts[name[0]] = total[0] / ops[name[0]]
    return counts


# ---- printing --------------------------------------------------------------------------------------


COLUMNS = (("median us", 10, lambda r, p: f"{r['median'] / 1e3:.2f}"), ("best", 8, lambda r, p: f"{r['best'] / 1e3:.2f}"),
           ("p25 - p75", 16, lambda r, p: f"{r['p25'] / 1e3:.2f} - {r['p75'] / 1e3:.2f}"),
           ("x faster", 9, lambda r, p: f"{p['median'] / r['median']:.2f}" if p else ""),
           ("insn", 10, lambda r, p: f"{r['insn']:,.0f}" if "insn" in r else ""),
           ("to the system: cold", 20, lambda r, p: f"{r['setup']:.0f} + {r['cold']:.0f}" if "cold" in r else ""),
           ("later", 7, lambda r, p: f"{r['steady']:g}" if "steady" in r else ""),
           ("faults: cold", 13, lambda r, p: f"{r['faults_cold']:.0f}" if "cold" in r else ""),
           ("later", 7, lambda r, p: f"{r['faults']:g}" if "faults" in r else ""),
           ("peak KiB", 9, lambda r, p: f"{r['peak_kib']:.0f}" if "peak_kib" in r else ""))


def print_workload(title, rows, digest):
    name, mode = title.split()
    what, before, after = WORKLOADS[name]
    print(f"\n{title}: {what} a batch; the guide: {before:,} before, {after} after; digest of all {digest}")
    print(" " * 20 + "".join(head.rjust(width) for head, width, _ in COLUMNS))
    for memory, row in rows.items():
        print(f"  {memory:18}" + "".join(cell(row, rows.get(PEER)).rjust(width) for _, width, cell in COLUMNS))


def judge(title, rows):
    """The goals, as far as there is something to be judged."""
    name, mode = title.split()
    ours, peer, verdicts = rows[OURS], rows.get(PEER), []

    def goal(text, reached, measured):
        verdicts.append({"workload": title, "goal": text, "reached": bool(reached), "measured": measured})
        print(f"  goal: {text}: {'reached' if reached else 'MISSED'} ({measured})")

    if peer:
        ratio = peer["median"] / ours["median"]
        best = peer["best"] / ours["best"]
        goal(f"{FASTER} x as fast as {PEER}", ratio >= FASTER, f"{ratio:.2f}, of bests {best:.2f}")
    if "cold" in ours:
        goal("nothing reaches the system later", ours["steady"] == 0, f"{ours['steady']:g}")
        cold = ours["setup"] + ours["cold"]
        goal(f"below {WORKLOADS[name][2]} in the first batch, setting up included", cold < WORKLOADS[name][2], f"{cold:.0f}")
        if mode == "calibrated":
            goal(f"{BASE} makes the {WORKLOADS[name][1]:,} that are given", rows[BASE]["steady"] == WORKLOADS[name][1],
                 f"{rows[BASE]['steady']:g}")
    return verdicts


def run(args, programs, summary):
    program, counting = programs / "bench-workloads", programs / "bench-workloads-count"
    wanted = titles(args)
    if not wanted:
        sys.exit(f"bench: workloads has {', '.join(WORKLOADS)}, each calibrated and faithful")
    data = {"workloads": {}, "goals": []}
    digests = check_digests(program, wanted)
    count = shutil.which("valgrind") and (args.insn or not args.quick)
    if not count:
        print("no instructions: " + ("valgrind is not here" if not shutil.which("valgrind") else "--insn counts them"))
    print("x faster: than malloc (mimalloc), by the medians; floor: the plain code on a pointer that only moves")
    missing = []
    for title in wanted:
        rows, missing = timed(program, title, args.rounds * args.slices, summary)
        for name in rows:
            if name in MEMORIES:
                rows[name].update(once(counting, title, name))
        for name, insn in (instructions(program, title) if count else {}).items():
            rows[name]["insn"] = insn
        print_workload(title, rows, digests[title])
        data["goals"] += judge(title, rows)
        data["workloads"][title] = {"title": WORKLOADS[title.split()[0]][0], "unit": "ns per batch", "digest": digests[title],
                                    "rows": [dict(row, name=name) for name, row in rows.items()]}
    for line in missing:
        print(f"  not here: {line}")
    return data
