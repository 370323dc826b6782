"""What there is to measure, and how the suites take turns.

A suite is a folder of bench/. Where its programs print all there is to say, a line in SAMPLED is all it needs; others
bring bench/SUITE/report.py, with

    run(args, programs, summary) -> data     measures once: one pass; what it prints is not shown
    judge(data)                              optional: goals, and what else is to be said of all passes together
    show(data)                               optional: prints what the tables do not say
    NEEDS = ("libebb-malloc.so", ...)        optional: what is to be built besides bench/SUITE/bench-*

Data has the form of driver/samples.py, and so has each row that `summary`, given a list of samples, begins. @args has
`rounds` of this pass, `quick`, `first` (what can't vary is measured in the first pass only), `insn` (False, True, or
"one": of one way to link), `workload` (a list, empty for all), `links`, `all` (all suites were asked for) and
`label(text)` for the line that shows progress; @programs is the folder of the suite's programs.

Passes over all suites are joined, so that a slow minute of the machine falls on all of them.
"""
import argparse
import contextlib
import functools
import importlib.util
import io
import sys
import time
import types

from . import sampled, samples
from .building import ROOT
from .progress import Progress

NAMES = ("workloads", "handlers", "arena", "containers", "intern", "pool", "cache", "track")
# Programs, and of how many rounds theirs take one.
SAMPLED = {"containers": (("bench-map", "bench-str", "bench-vec", "bench-batch"), 3),
           "intern": (("bench-intern",), 3),
           "pool": (("bench-pool",), 3)}
# Expected seconds of a quick and of a full pass; what the first pass really took is expected of the others.
SECONDS = {"arena": (15, 60), "containers": (6, 14), "intern": (4, 10), "pool": (6, 14), "cache": (10, 30),
           "track": (25, 180), "workloads": (15, 60), "handlers": (12, 45)}
# A pass is not begun that would end later than this many seconds after the first began.
LIMIT = 25 * 60


def load_module(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load(name):
    path = ROOT / "bench" / name / "report.py"
    if name in SAMPLED:
        module = types.SimpleNamespace(run=functools.partial(sampled.run, *SAMPLED[name]), judge=sampled.judge)
    elif path.exists():
        module = load_module(path, f"{name}_report")
    else:
        return None
    return types.SimpleNamespace(name=name, run=module.run, judge=getattr(module, "judge", None),
                                 show=getattr(module, "show", None), needs=tuple(getattr(module, "NEEDS", ())))


def measure_once(suite, args, turn, progress):
    now = argparse.Namespace(**vars(args))
    now.first, now.slices, now.label = turn == 0, 1, progress.label
    with contextlib.redirect_stdout(io.StringIO()):
        return suite.run(now, args.build / "bench" / suite.name, samples.summary)


def measure(suites, args):
    """{suite: data}, and how many passes there were."""
    expected = {s.name: SECONDS.get(s.name, (15, 60))[not args.quick] for s in suites}
    all_data, start = {s.name: {} for s in suites}, time.monotonic()
    with Progress(sum(expected.values()) * args.passes) as progress:
        for turn in range(args.passes):
            began = time.monotonic()
            for suite in suites:
                progress.begin(suite.name, expected[suite.name])
                samples.join(all_data[suite.name], measure_once(suite, args, turn, progress))
                progress.end()
            now = time.monotonic()
            if now + (now - began) - start > LIMIT:
                break
    for suite in suites:
        if suite.judge:
            suite.judge(all_data[suite.name])
        samples.finish(all_data[suite.name])
    return all_data, turn + 1


def load_all(names):
    found = [load(name) for name in names]
    if None in found:
        sys.exit(f"bench: no such bench: {names[found.index(None)]}; there are {', '.join(NAMES)}")
    return found


def those_here():
    return [name for name in NAMES if load(name)]
