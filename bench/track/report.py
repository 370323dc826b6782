"""What `./run bench track` prints: what tracking costs an allocation, a stack, and a whole program.

The programs print raw results (bench/track/track.c, program.c); all arithmetic is here.
"""
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import server

# Allocations in one operation.
LOOPS = {"W1": 1000, "W2": 200, "W3": 8}
TITLES = {"W1": "16-byte allocations, reset every 1000", "W2": "a scope of 200 mixed sizes", "W3": "a scope of 8 x 32 B"}
# Workload, contestant: ns that one may take on top of "off", or in all.
MORE_GOALS = {("W1", "sites"): 10}
GOALS = {("stack", "ebb"): 25}
# Requests are so many that the program takes about a second, or a tenth of one.
SIZES = {True: {"requests": 5000, "rounds": 3, "slow_rounds": 1}, False: {"requests": 70000, "rounds": 11, "slow_rounds": 3}}
# Instructions that differ by less than this share are the same: profiles look at a scope now and then.
SAME = 0.01
NOT_HERE = 3  # exit status: libebb-malloc is not seen


def lines_of(command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"bench: {pathlib.Path(str(command[0])).name} failed ({done.returncode})")
    return [line.split("\t") for line in done.stdout.splitlines()]


def print_rows(title, unit, rows, base, columns=()):
    """rows: {name: summary}; ratios are of the medians, to the row called `base`."""
    print(f"\n{title}; {unit}\n{'':24} {'median':>9} {'best':>9} {'p25 - p75':>19} {'x ' + base[:9]:>10}"
          + "".join(f" {name:>12}" for name, _ in columns))
    for name, s in rows.items():
        ratio = f"{s['median'] / rows[base]['median']:10.2f}" if base in rows else " " * 10
        print(f"  {name:22} {s['median']:9.3f} {s['best']:9.3f} {s['p25']:9.3f} -{s['p75']:8.3f} {ratio}"
              + "".join(f" {cell(s):>12}" for _, cell in columns))


# ---- an allocation, a stack ------------------------------------------------------------------------


def judge(workload, rows):
    verdicts = []
    for (of, name), most in [*MORE_GOALS.items(), *GOALS.items()]:
        if of != workload or name not in rows:
            continue
        ns = rows[name]["median"] - (rows["off"]["median"] if (of, name) in MORE_GOALS else 0)
        more = " more than off" if (of, name) in MORE_GOALS else ""
        verdicts.append({"workload": of, "name": name, "ns": ns, "most": most, "reached": ns <= most})
        print(f"  goal: {name} at most {most} ns{more}: {'reached' if ns <= most else 'MISSED'} ({ns:.1f})")
    return verdicts


def timed(programs, args, summary, only):
    data, verdicts, missing, frames = {}, [], [], []
    command = [programs / "bench-track", args.rounds * args.slices] + ([only] if only else [])
    for kind, *f in lines_of(command):
        if kind == "samples":
            per = LOOPS.get(f[0], 1)
            data.setdefault(f[0], {})[f[1]] = summary([float(x) / per for x in f[2].split()])
        elif kind == "missing":
            missing.append(f"  not here: {f[0]} ({f[1]})")
        elif kind == "frames":
            frames.append(f"  {f[0]} found no more than {f[1]} frames of 20")
    for workload, rows in data.items():
        stack = workload == "stack"
        print_rows("a stack of 20 frames" if stack else f"{workload}  {TITLES[workload]}",
                   "ns" if stack else "ns per allocation", rows, "floor" if stack else "off")
        if stack:
            print("\n".join(missing + frames))
        verdicts += judge(workload, rows)
    return data, verdicts


def instructions(programs, workload):
    """By the contestant's name, per allocation."""
    counts = {}
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "-q", "--tool=callgrind", "--collect-atstart=no", f"--callgrind-out-file={folder}/out",
                   programs / "bench-track", "--count", workload]
        ops = {f[1]: float(f[2]) for kind, *f in lines_of(command) if kind == "ops"}
        for path in pathlib.Path(folder).glob("out.*"):
            lines = path.read_text(errors="replace").splitlines()
            name = [x.split(":", 3)[3].strip() for x in lines if x.startswith("desc: Trigger: Client Request:")]
            total = [int(x.split()[1]) for x in lines if x.startswith("totals:")]
            if name and total and name[0] in ops:
                counts[name[0]] = total[0] / ops[name[0]] / LOOPS[workload]
    return {name: counts[name] for name in ops}


def count(programs, workloads):
    counts = {w: instructions(programs, w) for w in workloads}
    print("\ninstructions per allocation, by callgrind")
    for w, of in counts.items():
        print(f"  {w}   " + "   ".join(f"{name} {n:.1f}" for name, n in of.items()))
    for w, of in counts.items():
        same = abs(of["off again"] - of["never"]) <= SAME * of["never"]
        print(f"  goal: {w} takes as many after a tracker has ended as before: {'reached' if same else 'MISSED'}")
    return counts


# ---- a whole program -------------------------------------------------------------------------------


class Way:
    """One way to run the program; its ratio is to the first of its memory."""

    def __init__(self, name, memory, wrapper=(), env=None, slow=False):
        self.name, self.memory, self.wrapper, self.env, self.slow = name, memory, list(wrapper), env or {}, slow
        self.runs, self.missing = [], wrapper and not shutil.which(wrapper[0])

    def run(self, program, requests):
        command = [*self.wrapper, str(program), self.memory, str(requests)]
        with tempfile.TemporaryFile("w+") as out:
            start = time.monotonic()
            process = subprocess.Popen(command, env=dict(os.environ, **self.env), stdout=out, stderr=subprocess.STDOUT)
            _, status, use = os.wait4(process.pid, 0)
            took = time.monotonic() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            said = out.read()
        if process.returncode == NOT_HERE:
            self.missing = True
        elif process.returncode:
            sys.exit(f"bench: {self.name} failed ({process.returncode}):\n{said}")
        else:
            peak = [int(line.split("\t")[1]) for line in said.splitlines() if line.startswith("peak\t")]
            self.runs.append({"wall": took, "cpu": use.ru_utime + use.ru_stime, "rss": max(peak, default=0) / 1024})
        return said


def ways(folder, library):
    preload = {"LD_PRELOAD": str(library)}
    yield Way("Ebb", "ebb")
    for level in ("sites", "sample", "full"):
        yield Way(f"Ebb, {level}", "ebb", env={"EBB_TRACK": level, "EBB_REPORT": f"json:{folder}/{level}.json"})
    yield Way("malloc", "malloc")
    if library.exists():
        yield Way("libebb-malloc, idle", "malloc", env=preload)
        yield Way("libebb-malloc, counted", "counted", env=preload)
    yield Way("heaptrack", "malloc", ["heaptrack", "-o", f"{folder}/heaptrack"])
    yield Way("heaptrack --raw", "malloc", ["heaptrack", "--raw", "-o", f"{folder}/raw"])
    yield Way("DHAT", "malloc", ["valgrind", "--tool=dhat", f"--dhat-out-file={folder}/dhat"], slow=True)


def run_all(all_ways, program, size):
    order = random.Random(1)
    answer = all_ways[0].run(program, size["requests"]).split()[0]
    all_ways[0].runs.clear()  # it was the first to have the program in memory
    for round_ in range(size["rounds"]):
        turn = [w for w in all_ways if not w.missing and not (w.slow and round_ >= size["slow_rounds"])]
        for way in order.sample(turn, len(turn)):
            said = way.run(program, size["requests"])
            if not way.missing and answer not in said:
                sys.exit(f"bench: {way.name} gave another answer:\n{said}")


def print_ways(all_ways, summary):
    data = {}
    for base in ("Ebb", "malloc"):
        rows = {}
        for w in all_ways:
            if (w.memory == "ebb") != (base == "Ebb") or not w.runs:
                continue
            rows[w.name] = dict(summary([r["wall"] for r in w.runs]), cpu=summary([r["cpu"] for r in w.runs])["median"],
                                rss=max(r["rss"] for r in w.runs))
        cpu = rows[base]["cpu"]
        print_rows(f"a whole program, on {base}", "seconds", rows, base,
                   (("CPU x", lambda s, c=cpu: f"{s['cpu'] / c:.2f}"), ("peak MiB", lambda s: f"{s['rss']:.1f}")))
        data[base] = rows
    for w in all_ways:
        if w.missing:
            print(f"  not here: {w.name}")
    print("  CPU is that of all processes, the peak that of the program's: heaptrack's other process has one of its own")
    return data


def whole_program(programs, args, summary):
    size = SIZES[args.quick]
    with tempfile.TemporaryDirectory() as folder:
        all_ways = list(ways(folder, programs.parent.parent / "libebb-malloc.so"))
        run_all(all_ways, programs / "bench-track-program", size)
    return print_ways(all_ways, summary)


# ---- all of it -------------------------------------------------------------------------------------


def run(args, programs, summary):
    wanted = args.workload or [*LOOPS, "stack", "program", "server"]
    data = {"goals": []}
    for only in [None] if not args.workload else [w for w in wanted if w not in ("program", "server")]:
        timings, verdicts = timed(programs, args, summary, only)
        data.update(timings)
        data["goals"] += verdicts
    if args.insn:
        data["instructions"] = count(programs, [w for w in wanted if w in LOOPS])
    if "program" in wanted:
        data["program"] = whole_program(programs, args, summary)
    if "server" in wanted:
        data["server"] = server.run(args.quick)
    return data
