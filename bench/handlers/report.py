"""What `./run bench handlers` measures: handlers of examples/vmd under load, in three memories, by the demo's own means.

CPU time of the server in user mode, since wrk runs on the same cores, and the kernel's share is nobody's memory.
"""
import tempfile

from driver import vmd

NEEDS = ("examples/vmd/vmd",)
# Of a pass: rounds, and seconds for each handler of each row.
ROUNDS, SECONDS = {True: 1, False: 2}, {True: 1, False: 2}
NAMES = {"ebb": "Ebb, all layers"}
BASE = "malloc (glibc)"


def measured(d, build, args, folder):
    """{handler: {row: [user us of a request, ...]}}"""
    mix = d.bodies.good()
    those = [("JSON, a mix", None, mix, mix[0], d.written(folder, "mix", mix)), *d.handlers(folder)]
    seen = {what: {} for what, *_ in those}
    for turn in range(ROUNDS[args.quick]):
        for i in range(len(d.ROWS)):
            row = d.ROWS[(i + turn) % len(d.ROWS)]
            args.label(f"handlers, {row[0]}")
            for (what, key), us in d.measure_handlers(build, row, those, SECONDS[args.quick]).items():
                if key == "user":
                    seen[what].setdefault(NAMES.get(row[0], row[0]), []).append(us)
    return seen


def run(args, programs, summary):
    data, build = {"workloads": {}, "missing": {}}, programs.parent.parent
    if not vmd.is_here(build):
        data["missing"]["handlers under load"] = "for want of wrk or of examples/vmd"
        return data
    with tempfile.TemporaryDirectory() as folder:
        seen = measured(vmd.demo(), build, args, folder)
    for what, rows in seen.items():
        if rows:
            data["workloads"][what] = {"title": f"examples/vmd, {what}", "unit": "user us per request", "base": BASE,
                                       "rows": [dict(summary(us), name=name) for name, us in rows.items()]}
        else:
            data["missing"][what] = "vmd was built without its library"
    return data
