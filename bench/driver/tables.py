"""Results as tables on a terminal."""
from .samples import REFERENCES, is_ours, row_named

# What is counted beside time, by the keys that rows have; what else is a number is shown under its key.
TITLES = {"over_floor": "x floor", "over_peer": "x best peer", "insn": "insn", "insn_over_floor": "- floor",
          "faults": "faults", "mallocs": "mallocs", "one": "1 thread", "two": "2 threads"}
BASIC = ("name", "link", "median", "best", "p25", "p75", "worst", "samples")


def number(x, digits=3):
    if x is None:
        return ""
    if x == 0:
        return "0"
    if 0 < x < 0.5 * 10 ** (1 - digits):
        return f"<{10 ** (1 - digits):.{digits - 1}f}"
    if abs(x) >= 10 ** digits:
        return f"{x:,.0f}"
    whole = len(str(int(abs(x))))
    return f"{x:.{max(digits - whole, 0)}f}"


def counted_keys(rows):
    there = {k for r in rows for k, v in r.items() if isinstance(v, (int, float)) and k not in BASIC}
    return [k for k in TITLES if k in there] + sorted(there - set(TITLES))


def base_of(workload):
    """The row that ratios are to, or none."""
    return row_named(workload, workload["base"]) if workload.get("base") else None


def columns_of(workload):
    """[(title, function of a row)]: the median and the best, how far the samples lie apart, and what was counted."""
    rows, base = workload["rows"], base_of(workload)
    columns = [("median", lambda r: number(r.get("median"))), ("best", lambda r: number(r.get("best"))),
               ("p25 - p75", lambda r: f"{number(r['p25'])} - {number(r['p75'])}" if "p25" in r else "")]
    if base and base.get("median") and base["name"] != "floor":
        columns.append((f"x {base['name']}", lambda r: f"{r['median'] / base['median']:.2f}" if r.get("median") else ""))
    for key in counted_keys(rows):
        title = f"insn/{workload.get('insn_unit', 'op')}" if key == "insn" else TITLES.get(key, key)
        columns.append((title, lambda r, k=key: number(r.get(k))))
    return columns


def labels_of(rows):
    """The link stands where one contestant is linked in several ways."""
    names = [r["name"] for r in rows]
    return [f"{r['name']}, {r['link']}" if r.get("link") and names.count(r["name"]) > 1 else r["name"] for r in rows]


def cells_of(workload):
    """Titles, then a line for each row."""
    columns = columns_of(workload)
    yield [""] + [title for title, _ in columns]
    for label, row in zip(labels_of(workload["rows"]), workload["rows"]):
        yield [label] + [cell(row) for _, cell in columns]


def print_workload(name, workload):
    table = list(cells_of(workload))
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    print(f"\n{workload.get('title', name)}; {workload.get('unit', '')}")
    for line in table:
        print(f"  {line[0]:<{widths[0]}}  " + "  ".join(c.rjust(w) for c, w in zip(line[1:], widths[1:])))
    print_goals(workload.get("goals") or [])


def print_goals(goals):
    for v in goals:
        print(f"  goal: {v.get('goal')}: {'reached' if v.get('reached') else 'MISSED'} ({v.get('measured', '')})")


def print_suite(suite, data):
    for name, workload in data["workloads"].items():
        print_workload(name, workload)
    for note in data.get("notes", ()):
        print(f"  {note}")
    for name, why in data.get("missing", {}).items():
        print(f"  not here: {name}" + (f" ({why})" if why else ""))
    if suite.show:
        suite.show(data)


# ---- all suites at once: one line for each workload ------------------------------------------------


def best_of(rows):
    return min((r for r in rows if r.get("median")), key=lambda r: r["median"], default=None)


def ours_of(workload):
    """The row that the workload is about, however it is linked; without one, the best that is ours."""
    ours = [r for r in workload["rows"] if is_ours(r["name"])]
    return best_of([r for r in ours if r["name"] in (workload.get("subject"), workload.get("base"))] or ours)


def other_of(workload):
    return best_of([r for r in workload["rows"] if not is_ours(r["name"]) and r["name"] not in REFERENCES])


def print_digest(name, workload):
    ours, other = ours_of(workload), other_of(workload)
    missed = sum(not v.get("reached") for v in workload.get("goals") or [])
    if ours and other:
        ratio = other["median"] / ours["median"]
        print(f"  {name[:32]:<32} {number(ours['median']):>8}  {number(other['median']):>8} {ratio:7.2f} x"
              f"  {other['name']}" + (f"   ({missed} missed)" if missed else ""))


def print_digests(suites):
    print("\nmedians: Ebb, the best other and how many times as long it takes; ns, or what ./run bench NAME says")
    for suite, data in suites.items():
        print(f"\n{suite}")
        for name, workload in data["workloads"].items():
            print_digest(name, workload)
        for name, why in data.get("missing", {}).items():
            print(f"  not here: {name}" + (f" ({why})" if why else ""))


def print_head(data):
    about = data["machine"]
    print(f"{about['cpu']}, {about['cpus']} CPUs, {about['system']}")
    print(f"{about['compiler']}; {about['flags']}")
    print("; ".join(f"{n} {v}" for n, v in data["versions"].items()))
    print(f"passes: {data['passes']}, {data['seconds']} s; ratios are of the medians, to floor and best peer of the bests; "
          "'kept' means made once and emptied")
