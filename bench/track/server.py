"""What tracking costs a server under load: examples/vmd with the demo's mix of requests, at each level beside none, in
turn. CPU time per request, since wrk runs on the same cores."""
import importlib.machinery
import importlib.util
import os
import pathlib
import shutil
import statistics
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEVELS = ["off", "scopes", "sample", "sites", "full"]
GOAL = ("sample", 1.03)
ROUNDS = {True: 1, False: 5}
SECONDS = {True: 1, False: 3}


def demo():
    loader = importlib.machinery.SourceFileLoader("demo", str(ROOT / "examples/vmd/demo"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("demo", loader))
    loader.exec_module(module)
    return module


def measure(d, build, level, script, seconds):
    os.environ["EBB_TRACK"], os.environ["EBB_REPORT"] = level, "json:" + os.devnull
    try:
        with d.Server(build, ("", "ebb", None)) as server:
            server.warm_up(script, 1)
            before = server.used()["cpu"]
            requests = server.drive(script, seconds)["requests"]
            return (server.used()["cpu"] - before) / requests * 1e6
    finally:
        del os.environ["EBB_TRACK"], os.environ["EBB_REPORT"]


def run(quick):
    """{level: CPU microseconds a request, one for each round}; {}: it can't be measured here."""
    build = ROOT / "build/plain"
    if not shutil.which("wrk") or not (build / "examples/vmd/vmd").exists():
        print("\na server under load: not measured, for want of wrk or of examples/vmd")
        return {}
    d, seen = demo(), {level: [] for level in LEVELS}
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(d.lua_script(d.bodies.good()))
        script.flush()
        for _ in range(ROUNDS[quick]):
            for level in LEVELS:
                seen[level].append(measure(d, build, level, script.name, SECONDS[quick]))
    print(f"\nexamples/vmd under load; CPU us a request\n{'':24} {'median':>9} {'best':>9} {'worst':>9} {'x off':>8}")
    for level, us in seen.items():
        ratio = statistics.median(a / b for a, b in zip(us, seen["off"]))
        print(f"  {level:22} {statistics.median(us):9.2f} {min(us):9.2f} {max(us):9.2f} {ratio:8.3f}")
        if level == GOAL[0]:
            print(f"  goal: {level} at most x {GOAL[1]}: {'reached' if ratio <= GOAL[1] else 'MISSED'} ({ratio:.3f})")
    return seen
