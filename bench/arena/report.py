"""What `./run bench arena` measures: the workloads of goals.py, with Ebb linked in three ways.

Floor and peers are shown as one of the programs has them, the statically linked one where there is one.
"""
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import goals
from driver import programs as run_programs

LINKS = ("lto", "static", "shared")


def program_of(programs, link):
    return programs / f"bench-arena-{link}"


def main_of(links):
    return "static" if "static" in links else links[0]


def links_of(args, programs):
    built = [link for link in args.links if program_of(programs, link).exists()]
    return built or run_programs.die("arena: nothing to run")


class Results:
    """What the programs printed: value[workload][link][name][key]."""

    def __init__(self):
        self.value, self.versions, self.missing = {}, {}, {}

    def slot(self, workload, link, name):
        return self.value.setdefault(workload, {}).setdefault(link, {}).setdefault(name, {})

    def take(self, link, kind, f):
        if kind == "samples":
            self.slot(f[0], link, f[1]).setdefault("ns", []).extend(run_programs.floats(f[2]))
        elif kind in ("faults", "mallocs", "weight"):
            self.slot(f[0], link, f[1])[kind] = float(f[2])
        elif kind == "version":
            self.versions[f[0]] = f[1]
        elif kind in ("missing", "impossible"):
            self.missing[f[0]] = f[1]

    def run(self, programs, link, *words):
        for kind, *f in run_programs.lines_of([program_of(programs, link), *words]):
            self.take(link, kind, f)

    def count(self, programs, link, workload):
        command = [program_of(programs, link), workload]
        for name, n in run_programs.instructions(command).items():
            self.slot(workload, link, name)["insn"] = n


# ---- measuring -------------------------------------------------------------------------------------


def measure(w, args, programs, links, results):
    """What can't vary is looked at in one pass only."""
    if w.parts:
        for part in w.parts if args.first else ():
            for name in goals.WEIGHED:
                results.run(programs, main_of(links), part, "1", name)
        return
    if w.sliced or args.first:
        for link in links:
            args.label(f"arena {w.name}, {link}")
            results.run(programs, link, w.name, str(args.rounds))
    if args.first and w.counts_mallocs:
        results.run(programs, "count", w.name)
    if args.first and args.insn and w.counts_instructions:
        for link in [main_of(links)] if args.insn == "one" else links:
            args.label(f"arena {w.name}, instructions, {link}")
            results.count(programs, link, w.name)


# ---- rows ------------------------------------------------------------------------------------------


def shown(name, link, links):
    return goals.is_ours(name) or link == main_of(links)


def timed_rows(w, results, links, summary):
    by_link = results.value.get(w.name, {})
    counted = by_link.get("count", {})
    for link in links:
        for name, slot in by_link.get(link, {}).items():
            if "ns" not in slot or not shown(name, link, links) and name != goals.FLOOR:
                continue
            row = dict(summary([ns / w.per / w.unit_ns for ns in slot["ns"]]), name=name, link=link,
                       shown=shown(name, link, links), faults=slot.get("faults"))
            if link == main_of(links):  # there is one counting build, linked as this one is
                row["mallocs"] = counted.get(name, {}).get("mallocs")
            if "insn" in slot:
                row["insn"] = slot["insn"] / w.per_insn
            yield row


def scaling_rows(w, results, links, summary):
    one, two = (results.value.get(part, {}) for part in ("W5/1", "W5/2"))
    for link in links:
        for name, slot in one.get(link, {}).items():
            if shown(name, link, links):
                pairs = list(zip(slot["ns"], two[link][name]["ns"]))
                yield dict(summary([b / a for a, b in pairs]), name=name, link=link, shown=True,
                           one=summary(slot["ns"])["median"], two=summary(two[link][name]["ns"])["median"])


def weighed(w, results, summary):
    """A workload for each part."""
    for part, what in zip(w.parts, w.part_titles):
        rows = [dict(summary([slot["weight"]]), name=name, link=link, shown=True)
                for link, names in results.value.get(part, {}).items() for name, slot in names.items()]
        if rows:
            yield part, {"title": f"{part}  {w.title}: {what}", "unit": w.unit, "rows": rows}


def workloads_of(w, results, links, summary):
    if w.parts:
        yield from weighed(w, results, summary)
        return
    rows = list((scaling_rows if w.scaling else timed_rows)(w, results, links, summary))
    if rows:
        yield w.name, {"title": f"{w.name}  {w.title}", "unit": w.unit, "rows": rows, "insn_unit": w.insn_unit, "subject": w.subject,
                       "base": None if w.scaling else goals.FLOOR}


def wanted(args):
    unknown = set(args.workload) - {w.name for w in goals.WORKLOADS}
    if unknown:
        run_programs.die(f"arena has no workload {', '.join(sorted(unknown))}")
    return [w for w in goals.WORKLOADS if not args.workload or w.name in args.workload]


def run(args, programs, summary):
    if args.insn and not shutil.which("valgrind"):
        run_programs.die("--insn needs valgrind")
    links, results = links_of(args, programs), Results()
    for link in set(args.links) - set(links):
        results.missing[f"link {link}"] = "this compiler and linker can't"
    data = {"workloads": {}, "missing": results.missing}
    for w in wanted(args):
        measure(w, args, programs, links, results)
        data["workloads"].update(workloads_of(w, results, links, summary))
    return data


# ---- what follows from all passes together ---------------------------------------------------------


def compare(rows):
    """Of the bests, and of the floor that ran in the same program."""
    floors = {r["link"]: r for r in rows if r["name"] == goals.FLOOR}
    peers = [r["best"] for r in rows if goals.is_peer(r["name"])]
    for row in rows:
        floor = floors.get(row["link"])
        if floor:
            row["over_floor"] = row["best"] / floor["best"]
            if "insn" in row and "insn" in floor:
                row["insn_over_floor"] = row["insn"] - floor["insn"]
        if peers:
            row["over_peer"] = row["best"] / min(peers)


def judge(data):
    of = {w.name: w for w in goals.WORKLOADS}
    for name, workload in data["workloads"].items():
        w = of[name.split("/")[0]]
        if not w.scaling and not w.parts:
            compare(workload["rows"])
        workload["goals"] = w.judge(workload["rows"], name)
        workload["rows"] = sorted((r for r in workload["rows"] if r["shown"]), key=goals.order)
        for row in workload["rows"]:
            del row["shown"]
