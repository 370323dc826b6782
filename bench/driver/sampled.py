"""A suite whose programs print all there is to say: samples, and the goals they have for them.

All of its contestants are named as in the program; the one called "ebb" is what ratios are to.
"""
from .programs import floats, lines_of
from .samples import row_named, verdict

OURS = "ebb"
# Faults per operation below this are those of a table that grew once.
SEEN = 0.005


def take(data, kind, f, summary):
    if kind == "samples":
        w = data["workloads"].setdefault(f[0], {"title": f[0], "unit": "ns", "rows": [], "base": OURS})
        w["rows"].append(dict(summary(floats(f[2])), name=f[1]))
    elif kind == "faults" and float(f[2]) >= SEEN:
        row_named(data["workloads"][f[0]], f[1])["faults"] = float(f[2])
    elif kind == "goal":
        data["wished"].setdefault(f[0], {})[f[1]] = (float(f[2]), float(f[3]))
    elif kind == "unit":
        data["units"][f[0]] = f[1]
    elif kind == "missing":
        data["missing"][f[0]] = f[1]
    elif kind == "note":
        data["notes"][f[0]] = ""


def run(programs_of, share, args, programs, summary):
    """Of args.rounds, the programs here take one in @share: their contestants are many."""
    data = {"workloads": {}, "wished": {}, "units": {}, "missing": {}, "notes": {}}
    for program in programs_of:
        for only in args.workload or [None]:
            args.label(program.removeprefix("bench-") + (f", {only}" if only else ""))
            command = [programs / program, "--rounds", max(args.rounds // share, 1)]
            for kind, *f in lines_of(command + (["--only", only] if only else [])):
                take(data, kind, f, summary)
    return data


def judged(workload, name, ratio, ns):
    ours, peer = row_named(workload, OURS), row_named(workload, name)
    if ours and name == "-":
        return [verdict(f"at most {ns:g} {workload['unit']}", ours["median"] <= ns, f"{ours['median']:.3g}")]
    if ours and peer:
        times = peer["median"] / ours["median"]
        goal = f"{name} takes at least {'as long' if ratio == 1 else f'{ratio:g} times as long'}"
        return [verdict(goal, times >= ratio, f"{times:.2f} times")]
    return []


def judge(data):
    wished, units = data.pop("wished"), data.pop("units")
    for name, workload in data["workloads"].items():
        workload["unit"] = units.get(name, workload["unit"])
        workload["goals"] = [v for peer, most in wished.get(name, {}).items() for v in judged(workload, peer, *most)]
