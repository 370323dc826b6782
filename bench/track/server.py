"""What tracking costs a server under load: examples/vmd with the demo's mix of requests, at each level beside none, in
turn. CPU time per request, since wrk runs on the same cores."""
import os
import statistics
import tempfile

from driver import vmd
from driver.samples import row_named, verdict

LEVELS = ["off", "scopes", "sample", "sites", "full"]
GOAL = ("sample", 1.03)
# Rounds are those of a pass.
ROUNDS = {True: 1, False: 2}
SECONDS = {True: 1, False: 3}


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


def run(quick, build, summary, data):
    """CPU microseconds a request, one sample for each round."""
    if not vmd.is_here(build):
        data["missing"]["a server under load"] = "for want of wrk or of examples/vmd"
        return
    d, seen = vmd.demo(), {level: [] for level in LEVELS}
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(d.lua_script(d.bodies.good()))
        script.flush()
        for _ in range(ROUNDS[quick]):
            for level in LEVELS:
                seen[level].append(measure(d, build, level, script.name, SECONDS[quick]))
    rows = [dict(summary(us), name=level) for level, us in seen.items()]
    data["workloads"]["server"] = {"title": "examples/vmd under load", "unit": "CPU us per request", "base": "off",
                                   "rows": rows}


def judge(data):
    """By the ratios of each round, for the machine's pace changes between them."""
    if "server" not in data["workloads"]:
        return
    w = data["workloads"]["server"]
    level, most = GOAL
    pairs = zip(row_named(w, level)["each"], row_named(w, "off")["each"])
    ratio = statistics.median(a / b for a, b in pairs)
    w["goals"] = [verdict(f"{level} at most x {most}", ratio <= most, f"{ratio:.3f}")]
