"""What `./run bench cache` prints: hit ratios of the policies, and what a hit costs.

The programs print raw results (bench/cache/ratios.c, hits.c); all arithmetic is here.
"""
import json
import pathlib
import subprocess
import sys

OURS, OPTIMUM = "S3-FIFO", "MIN"
# In points: how far the default may be behind the best policy of a trace, loops aside.
REGRET_MEAN, REGRET_WORST = 0.5, 2.5
# Workload: ns that a hit in Ebb may take.
HIT_GOALS = {"numbers, 1 thread": 12, "numbers, 2 threads": 23}
PLOT = pathlib.Path(__file__).with_name("plot.py")


def lines_of(command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"bench: {pathlib.Path(command[0]).name} failed ({done.returncode})")
    return [line.split("\t") for line in done.stdout.splitlines()]


# ---- hit ratios ------------------------------------------------------------------------------------


def read_ratios(lines):
    """[{set, trace, loop, size, hits: {policy: points}, bytes: {policy: points}}]"""
    rows = {}
    for kind, *f in lines:
        if kind != "ratio":
            continue
        row = rows.setdefault((f[0], f[1], f[3]), {"set": f[0], "trace": f[1], "loop": f[2] == "1",
                                                   "size": f[3], "hits": {}, "bytes": {}})
        row["hits"][f[4]], row["bytes"][f[4]] = float(f[5]), float(f[6])
    for row in rows.values():
        row["regret"] = regret(row, OURS)
    return list(rows.values())


def regret(row, policy):
    return max(v for p, v in row["hits"].items() if p != OPTIMUM) - row["hits"][policy]


def print_ratios(rows, what="hits"):
    names = list(rows[0][what])
    print(f"{'':28} " + " ".join(f"{n[:12]:>12}" for n in names) + ("     regret" if what == "hits" else ""))
    before = None
    for row in rows:
        if before and before != row["trace"]:
            print()
        before = row["trace"]
        print(f"{row['trace']:22} {row['size']:>5} " + " ".join(f"{row[what][n]:12.2f}" for n in names)
              + (f" {row['regret']:10.2f}" if what == "hits" else "") + (" (a loop)" if row["loop"] else ""))


def judge_ratios(rows, which):
    """Mean and worst regret of every policy, and whether the default's are as wished."""
    judged = [r for r in rows if r["set"] == which and not r["loop"]]
    table = {}
    for policy in judged[0]["hits"]:
        if policy == OPTIMUM:
            continue
        all_of = [regret(r, policy) for r in judged]
        table[policy] = {"mean": sum(all_of) / len(all_of), "worst": max(all_of)}
    ours = table[OURS]
    return {"set": which, "regret": table,
            "reached": ours["mean"] <= REGRET_MEAN and ours["worst"] <= REGRET_WORST}


def print_verdict(v):
    print(f"\nregret, traces {v['set']}, loops aside: points behind the best policy of the trace, mean and worst")
    for name, r in sorted(v["regret"].items(), key=lambda item: item[1]["mean"]):
        print(f"  {name:14} {r['mean']:6.2f} {r['worst']:6.2f}")
    print(f"  goal: {OURS} at most {REGRET_MEAN} and {REGRET_WORST}: {'reached' if v['reached'] else 'MISSED'}")


def synthetic(programs, args):
    command = [programs / "bench-cache-ratios"] + (["--sizes", args.sizes] if args.sizes else [])
    lines = lines_of(command)
    rows = read_ratios(lines)
    for kind, *f in lines:
        if kind == "set":
            print(f"\ntraces {f[0]}: seed {f[1]}; hits in 100 requests")
            print_ratios([r for r in rows if r["set"] == f[0]])
    verdicts = [judge_ratios(rows, which) for which in dict.fromkeys(r["set"] for r in rows)]
    for v in verdicts:
        print_verdict(v)
    return rows, verdicts


def from_file(programs, args):
    command = [programs / "bench-cache-ratios", "--trace", args.trace]
    lines = lines_of(command + (["--sizes", args.sizes] if args.sizes else []))
    name, requests, keys, size = lines[0][1:]
    rows = read_ratios(lines)
    print(f"{name}: {requests} requests of {keys} keys" + (f", {size} bytes" if size != keys else ""))
    print("hits in 100 requests")
    print_ratios(rows)
    if size != keys:
        print("\nbytes hit in 100 bytes; with sizes MIN is a guide, no bound")
        print_ratios(rows, "bytes")
    return rows


# ---- figures ---------------------------------------------------------------------------------------


def plot(rows, folder):
    """By a Python that has matplotlib: Debian's package serves the system's, which need not be this one."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import matplotlib"], stderr=subprocess.DEVNULL).returncode == 0:
            subprocess.run([python, str(PLOT), folder], input=json.dumps(rows), text=True, check=True)
            return
    print("\nno figures: python3-matplotlib is not installed")


# ---- what a hit costs ------------------------------------------------------------------------------


def hits(programs, args, summary):
    rows = {}
    for only in args.workload or [""]:
        command = [programs / "bench-cache-hits"] + (["--quick"] if args.quick else [])
        for kind, *f in lines_of(command + (["--only", only] if only else [])):
            if kind == "samples":
                rows.setdefault(f[0], {})[f[1]] = summary([float(x) for x in f[2].split()])
    verdicts = []
    for workload, of in rows.items():
        print(f"\na hit, {workload}; ns; ratios are of the medians\n{'':28} {'best':>8} {'median':>8} {'x Ebb':>7}")
        for name, s in sorted(of.items(), key=lambda item: item[1]["median"]):
            s["over_ebb"] = s["median"] / of["ebb"]["median"]
            print(f"  {name:26} {s['best']:8.2f} {s['median']:8.2f} {s['over_ebb']:7.2f}")
        if workload in HIT_GOALS:
            reached = of["ebb"]["median"] <= HIT_GOALS[workload]
            verdicts.append({"workload": workload, "ns": HIT_GOALS[workload], "reached": reached})
            print(f"  goal: at most {HIT_GOALS[workload]} ns: {'reached' if reached else 'MISSED'}")
    return rows, verdicts


def run(args, programs, summary):
    if args.insn:
        sys.exit("bench: cache has no --insn")
    if args.trace:
        return {"ratios": from_file(programs, args)}
    data = {}
    if not args.workload:
        data["ratios"], data["regret"] = synthetic(programs, args)
        if args.plots:
            plot(data["ratios"], args.plots)
    if not args.plots:
        data["hits"], data["goals"] = hits(programs, args, summary)
    return data
