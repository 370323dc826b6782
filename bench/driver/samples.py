"""The arithmetic of samples, and the one form that all suites' results have.

A suite's data is {"workloads": {NAME: workload}, ...}, and what else it has to say (`missing`, `versions`, `notes`,
and what is its own). A workload is

    {"title", "unit", "rows": [row], "goals": [{"goal", "reached", "measured"}], "base": the row that ratios are to, "subject": the row it is about}

and a row {"name", "link"?, "median", "best", "p25", "p75", "worst", "samples", ...}, with what was counted beside:
"insn", "faults", "mallocs", "cold", "steady", "peak", and others, all numbers. Every key but a row's name may be absent.

While measuring, a row also has "each", the samples, so that those of a later pass can be joined; `finish` takes them out.
"""


def quantile(ordered, q):
    at = q * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def summary(samples):
    ordered = sorted(samples)
    return {"best": ordered[0], "median": quantile(ordered, 0.5), "p25": quantile(ordered, 0.25),
            "p75": quantile(ordered, 0.75), "worst": ordered[-1], "samples": len(ordered), "each": list(samples)}


def rows_by_key(workload):
    return {(r["name"], r.get("link")): r for r in workload["rows"]}


def join_row(old, new):
    each = old.get("each", []) + new.get("each", [])
    old.update({k: v for k, v in new.items() if v is not None and k not in ("each", "samples")})
    if each:
        old.update(summary(each))


def join_workload(old, new):
    rows = rows_by_key(old)
    old.update({k: v for k, v in new.items() if k != "rows"})
    for key, row in rows_by_key(new).items():
        if key in rows:
            join_row(rows[key], row)
        else:
            old["rows"].append(row)


def join(old, new):
    """Put the results of one more pass over a suite to those of the passes before."""
    for name, workload in new.get("workloads", {}).items():
        if name in old.setdefault("workloads", {}):
            join_workload(old["workloads"][name], workload)
        else:
            old["workloads"][name] = workload
    old.setdefault("workloads", {})
    for key, value in new.items():
        if key != "workloads" and isinstance(value, dict):
            old.setdefault(key, {}).update(value)
        elif key != "workloads" and value:
            old[key] = value


def rounded(x):
    return float(f"{x:.6g}") if isinstance(x, float) else x


def finish(data):
    """Without the samples, and with no more digits than were measured."""
    for workload in data["workloads"].values():
        for row in workload["rows"]:
            row.pop("each", None)
            row.update({k: rounded(v) for k, v in row.items()})


def row_named(workload, name):
    return next((r for r in workload["rows"] if r["name"] == name), None)


# Rows that are there to compare with, not to choose from.
REFERENCES = ("floor", "off", "hashing alone", "scalar")


def is_ours(name):
    return name.lower().startswith(("ebb", "libebb", "s3-fifo"))


def verdict(goal, reached, measured):
    return {"goal": goal, "reached": bool(reached), "measured": measured}
