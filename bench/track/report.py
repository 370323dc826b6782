"""What `./run bench track` measures: what tracking costs an allocation, a stack, and a whole program.

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
from driver.programs import floats, instructions, lines_of
from driver.samples import row_named, verdict

NEEDS = ("libebb-malloc.so", "examples/vmd/vmd")
# Allocations in one operation.
LOOPS = {"W1": 1000, "W2": 200, "W3": 8}
TITLES = {"W1": "16-byte allocations, reset every 1000", "W2": "a scope of 200 mixed sizes", "W3": "a scope of 8 x 32 B"}
# Workload, contestant: ns that one may take on top of "off", or in all.
MORE_GOALS = {("W1", "sites"): 10}
GOALS = {("stack", "ebb"): 25}
# Requests are so many that the program takes about a second, or a tenth of one; rounds are those of a pass.
SIZES = {True: {"requests": 5000, "rounds": 3, "slow_rounds": 1},
         False: {"requests": 70000, "rounds": 4, "slow_rounds": 1}}
# Instructions that differ by less than this share are the same: profiles look at a scope now and then.
SAME = 0.01
PROCESSES = "of a whole program, CPU is that of all processes, the peak that of its own: heaptrack has another"
NOT_HERE = 3  # exit status: libebb-malloc is not seen


# ---- an allocation, a stack ------------------------------------------------------------------------


def judge_loop(workload, rows):
    for (of, name), most in [*MORE_GOALS.items(), *GOALS.items()]:
        row = row_named(rows, name)
        if of != workload or not row:
            continue
        more = (of, name) in MORE_GOALS
        ns = row["median"] - (row_named(rows, "off")["median"] if more else 0)
        yield verdict(f"{name} at most {most} ns{' more than off' if more else ''}", ns <= most, f"{ns:.1f}")


def loop_of(name):
    if name == "stack":
        return {"title": "a stack of 20 frames", "unit": "ns", "base": "floor", "rows": []}
    return {"title": f"{name}  {TITLES[name]}", "unit": "ns per allocation", "base": "off", "rows": [],
            "insn_unit": "allocation"}


def timed(programs, args, summary, only, data):
    for kind, *f in lines_of([programs / "bench-track", args.rounds] + ([only] if only else [])):
        if kind == "samples":
            w = data["workloads"].setdefault(f[0], loop_of(f[0]))
            w["rows"].append(dict(summary([x / LOOPS.get(f[0], 1) for x in floats(f[2])]), name=f[1]))
        elif kind == "missing":
            data["missing"][f[0]] = f[1]
        elif kind == "frames":
            data["notes"][f"{f[0]} found no more than {f[1]} frames of 20"] = ""


def count(programs, loops, data):
    """Beside the times, and whether as many are taken after a tracker has ended as before."""
    for w in loops:
        counts = {name: n / LOOPS[w] for name, n in instructions([programs / "bench-track", "--count", w]).items()}
        for row in data["workloads"][w]["rows"]:
            row["insn"] = counts.get("never" if row["name"] == "off" else row["name"])
        data["again"][w] = [counts["never"], counts["off again"]]


def judge(data):
    for name, w in data["workloads"].items():
        w["goals"] = list(judge_loop(name, w))
        if name in data.get("again", {}):
            before, after = data["again"][name]
            w["goals"].append(verdict("as many instructions after a tracker has ended as before",
                                      abs(after - before) <= SAME * before, f"{after:.1f}, {before:.1f}"))
    server.judge(data)


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


def rows_of(all_ways, base, summary):
    rows = []
    for w in all_ways:
        if (w.memory == "ebb") == (base == "Ebb") and w.runs:
            cpu = summary([r["cpu"] for r in w.runs])["median"]
            peak = max(r["rss"] for r in w.runs)
            rows.append(dict(summary([r["wall"] for r in w.runs]), name=w.name, cpu_s=cpu, peak_mib=peak))
    return rows


def whole_program(programs, args, summary, data):
    with tempfile.TemporaryDirectory() as folder:
        all_ways = list(ways(folder, programs.parent.parent / "libebb-malloc.so"))
        run_all(all_ways, programs / "bench-track-program", SIZES[args.quick])
    for base in ("Ebb", "malloc"):
        data["workloads"][f"program, {base}"] = {"title": f"a whole program, on {base}", "unit": "seconds", "base": base,
                                                 "rows": rows_of(all_ways, base, summary)}
    data["missing"].update({w.name: "" for w in all_ways if w.missing})
    data["notes"][PROCESSES] = ""


# ---- all of it -------------------------------------------------------------------------------------


def run(args, programs, summary):
    wanted = args.workload or [*LOOPS, "stack", "program", "server"]
    data = {"workloads": {}, "missing": {}, "notes": {}, "again": {}}
    for only in [None] if not args.workload else [w for w in wanted if w not in ("program", "server")]:
        args.label(f"track {only or 'levels'}")
        timed(programs, args, summary, only, data)
    if args.insn and args.first:
        args.label("track, instructions")
        count(programs, [w for w in wanted if w in LOOPS], data)
    if "program" in wanted:
        args.label("track, a whole program")
        whole_program(programs, args, summary, data)
    if "server" in wanted:
        args.label("track, a server under load")
        server.run(args.quick, programs.parent.parent, summary, data)
    return data
