"""What `./run bench workloads` measures: the three workloads, plain and with every layer, in each memory.

The programs print raw results (bench/workloads/main.c); all arithmetic is here.
"""
import shutil
import sys

from driver.programs import floats, instructions, lines_of
from driver.samples import row_named, verdict

# Per batch: what is done, and the calls of malloc that are given for plain C before and after its layers.
WORKLOADS = {"proposals": ("1,000 proposals", 1200, 350), "schedule": ("100 machines, 16 nodes", 3500, 800),
             "messages": ("100 messages", 500, 120)}
MODES = ("calibrated", "faithful")
BASE, PEER, OURS = "malloc (glibc)", "malloc (mimalloc)", "Ebb, all layers"
MEMORIES = (BASE, PEER, "Ebb, arenas", OURS)
FASTER = 3  # than the peer, by the medians
ONCE = ("setup", "cold", "steady", "faults_cold", "faults", "peak_kib")


def titles(args):
    every = [f"{w} {mode}" for w in WORKLOADS for mode in MODES]
    return [t for t in every if not args.workload or t in args.workload or t.split()[0] in args.workload]


def check_digests(program, wanted):
    """All memories hand on the same bytes, or nothing is measured."""
    found = {}
    for kind, *f in lines_of([program, "--digest"], may_fail=True):
        if kind == "digest" and f[0] in wanted:
            found.setdefault(f[0], {})[f[1]] = f[2]
    for title, digests in found.items():
        if len(set(digests.values())) != 1:
            sys.exit(f"bench: {title}: not all hand on the same: {digests}")
    return {title: next(iter(digests.values())) for title, digests in found.items()}


def timed(program, title, rounds, summary, missing):
    rows = []
    for kind, *f in lines_of([program, rounds, title]):
        if kind == "samples":
            rows.append(dict(summary(floats(f[2])), name=f[1]))
        elif kind == "missing":
            missing[f[0]] = f[1]
    return rows


def once(program, title, name):
    """In a process of its own: what reaches the system in the first batch, and later."""
    for kind, *f in lines_of([program, "--once", title, name]):
        if kind == "once":
            return dict(zip(ONCE, map(float, f[2:])))
    return {}


def count(args, programs, title, rows):
    """What does not vary."""
    counts = {}
    if shutil.which("valgrind") and (args.insn or not args.quick):
        args.label(f"{title}, instructions")
        counts = instructions([programs / "bench-workloads", "--count", title])
    for row in rows:
        if row["name"] in MEMORIES:
            row.update(once(programs / "bench-workloads-count", title, row["name"]))
        if row["name"] in counts:
            row["insn"] = counts[row["name"]]


def judge_one(title, w):
    name, mode = title.split()
    _, before, after = WORKLOADS[name]
    base, peer, ours = (row_named(w, n) for n in (BASE, PEER, OURS))
    if peer:
        ratio, best = (peer[k] / ours[k] for k in ("median", "best"))
        yield verdict(f"{FASTER} x as fast as {PEER}", ratio >= FASTER, f"{ratio:.2f}, of bests {best:.2f}")
    if "cold" in ours:
        cold = ours["setup"] + ours["cold"]
        yield verdict("nothing reaches the system later", ours["steady"] == 0, f"{ours['steady']:g}")
        yield verdict(f"below {after} in the first batch, setting up included", cold < after, f"{cold:.0f}")
        if mode == "calibrated":
            yield verdict(f"{BASE} makes the {before:,} that are given", base["steady"] == before, f"{base['steady']:g}")


def judge(data):
    for title, w in data["workloads"].items():
        w["goals"] = list(judge_one(title, w))


def run(args, programs, summary):
    wanted = titles(args)
    if not wanted:
        sys.exit(f"bench: workloads has {', '.join(WORKLOADS)}, each calibrated and faithful")
    data = {"workloads": {}, "missing": {}, "digests": check_digests(programs / "bench-workloads", wanted)}
    for title in wanted:
        args.label(title)
        rows = timed(programs / "bench-workloads", title, args.rounds, summary, data["missing"])
        if args.first:
            count(args, programs, title, rows)
        what, before, after = WORKLOADS[title.split()[0]]
        data["workloads"][title] = {"title": f"{title}: {what} a batch; the guide: {before:,} before, {after} after",
                                    "unit": "ns per batch", "base": PEER, "rows": rows}
    return data


def show(data):
    print("\nfloor: the plain code on a pointer that only moves; digests, the same in all memories:")
    for title, digest in data["digests"].items():
        print(f"  {title:24} {digest}")
