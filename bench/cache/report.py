"""What `./run bench cache` measures: hit ratios of the policies, and what a hit costs.

The programs print raw results (bench/cache/ratios.c, hits.c); all arithmetic is here. Hit ratios don't vary, so one pass
has them.
"""
import json
import pathlib
import subprocess
import sys

from driver.drawing import drawing_python
from driver.programs import floats, lines_of
from driver.samples import row_named, verdict

OURS, OPTIMUM = "S3-FIFO", "MIN"
# In points: how far the default may be behind the best policy of a trace, loops aside.
REGRET_MEAN, REGRET_WORST = 0.5, 2.5
# Workload: ns that a hit in Ebb may take.
HIT_GOALS = {"numbers, 1 thread": 12, "numbers, 2 threads": 23}
PLOT = pathlib.Path(__file__).with_name("plot.py")
# Of so many rounds, a hit's take one.
SHARE = 3
# Where all suites are looked at in two minutes.
QUICK_SIZE = "5%"


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


def print_regret(v):
    print(f"\nregret, traces {v['set']}, loops aside: points behind the best policy of the trace, mean and worst")
    for name, r in sorted(v["regret"].items(), key=lambda item: item[1]["mean"]):
        print(f"  {name:14} {r['mean']:6.2f} {r['worst']:6.2f}")
    print(f"  goal: {OURS} at most {REGRET_MEAN} and {REGRET_WORST}: {'reached' if v['reached'] else 'MISSED'}")


def synthetic(programs, args):
    sizes = args.sizes or (QUICK_SIZE if args.quick and args.all else None)
    lines = lines_of([programs / "bench-cache-ratios"] + (["--sizes", sizes] if sizes else []))
    rows = read_ratios(lines)
    return {"ratios": rows, "seeds": {f[0]: f[1] for kind, *f in lines if kind == "set"},
            "regret": [judge_ratios(rows, which) for which in dict.fromkeys(r["set"] for r in rows)]}


def from_file(programs, args):
    lines = lines_of([programs / "bench-cache-ratios", "--trace", args.trace]
                     + (["--sizes", args.sizes] if args.sizes else []))
    return {"file": lines[0][1:], "ratios": read_ratios(lines)}


def show_file(data):
    name, requests, keys, size = data["file"]
    print(f"\n{name}: {requests} requests of {keys} keys" + (f", {size} bytes" if size != keys else ""))
    print("hits in 100 requests")
    print_ratios(data["ratios"])
    if size != keys:
        print("\nbytes hit in 100 bytes; with sizes MIN is a guide, no bound")
        print_ratios(data["ratios"], "bytes")


def show(data):
    if "file" in data:
        show_file(data)
        return
    for which, seed in data.get("seeds", {}).items():
        print(f"\ntraces {which}: seed {seed}; hits in 100 requests")
        print_ratios([r for r in data["ratios"] if r["set"] == which])
    for v in data.get("regret", ()):
        print_regret(v)


# ---- figures ---------------------------------------------------------------------------------------


def plot(rows, folder):
    python = drawing_python() or sys.exit("bench: no figures: python3-matplotlib is not here")
    subprocess.run([python, str(PLOT), folder], input=json.dumps(rows), text=True, check=True, stdout=sys.stderr)


# ---- what a hit costs ------------------------------------------------------------------------------


def hits(programs, args, summary):
    workloads = {}
    for only in args.workload or [""]:
        command = [programs / "bench-cache-hits", "--rounds", max(args.rounds // SHARE, 1)]
        for kind, *f in lines_of(command + (["--only", only] if only else [])):
            if kind == "samples":
                w = workloads.setdefault(f[0], {"title": f"a hit, {f[0]}", "unit": "ns", "base": "ebb", "rows": []})
                w["rows"].append(dict(summary(floats(f[2])), name=f[1]))
    return workloads


def judge(data):
    for name, workload in data["workloads"].items():
        workload["rows"].sort(key=lambda row: row["median"])
        ours, most = row_named(workload, "ebb"), HIT_GOALS.get(name)
        if most:
            workload["goals"] = [verdict(f"at most {most} ns", ours["median"] <= most, f"{ours['median']:.1f}")]


def run(args, programs, summary):
    data = {"workloads": {}}
    if args.trace:
        return {**data, **(from_file(programs, args) if args.first else {})}
    if args.first and not args.workload:
        args.label("cache, hit ratios")
        data.update(synthetic(programs, args))
        if args.plots:
            plot(data["ratios"], args.plots)
    if not args.plots:
        args.label("cache, a hit")
        data["workloads"] = hits(programs, args, summary)
    return data
