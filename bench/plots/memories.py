"""The same work on four memories: two of malloc's and two of Ebb's, in groups of bars."""
import style
from ratios import WHISKERS, amount

LEGEND_HEAD = 0.8
MOST = 2.5  # times the longest bar: no whisker makes the picture wider
GLIBC, MIMALLOC = "malloc (glibc)", "malloc (mimalloc)"


def memory_of(name):
    """Which of the four memories a row is of, or none."""
    if name in (GLIBC, MIMALLOC):
        return name
    if not name.startswith("Ebb"):
        return None
    return "Ebb, arenas" if "arena" in name else "Ebb, all layers"


MEMORIES = {GLIBC: style.SPECIAL, MIMALLOC: style.PEER, "Ebb, arenas": style.OURS_TOO,
            "Ebb, all layers": style.OURS}


def memories(w):
    """{memory: row}"""
    return {memory_of(r["name"]): r for r in w["rows"] if memory_of(r["name"]) and r.get("median")}


def compared(data, suites):
    """[(name, {memory: row})] of the workloads that glibc's malloc is in."""
    found = [(name, memories(w)) for suite in suites
             for name, w in data["suites"].get(suite, {}).get("workloads", {}).items()]
    return [(name, of) for name, of in found if GLIBC in of and len(of) > 1]


def grouped(axes, found, value, text):
    """A group of bars for each workload; value(row, glibc's row)."""
    at, places, names = 0.0, [], []
    for name, of in found:
        start = at
        for memory, colour in MEMORIES.items():
            if memory in of:
                grouped_bar(axes, at, of[memory], colour, value(of[memory], of[GLIBC]), text)
                at += 1
        places.append((start + at - 1) / 2)
        names.append(name)
        at += 0.8
    axes.set_yticks(places, names, size=style.NORMAL)
    axes.set_ylim(at - 0.9, -0.7)
    axes.grid(axis="x", color=style.FAINT, alpha=0.3, linewidth=0.6)
    axes.set_axisbelow(True)
    return at


def grouped_bar(axes, y, row, colour, length, text):
    axes.barh(y, length, height=0.82, color=colour, linewidth=0)
    end = length
    if "p25" in row and row["median"] and text != "count":
        low, high = row["p25"] / row["median"] * length, row["p75"] / row["median"] * length
        axes.plot([low, high], [y, y], color=style.INK, linewidth=1.1)
        axes.plot([row["best"] / row["median"] * length], [y], marker=".", markersize=4, color=style.INK)
        end = max(high, length)
    shown = f"{length:.2f}" if text == "ratio" else amount(length)
    axes.annotate(shown, (end, y), xytext=(4, 0), textcoords="offset points", va="center", size=style.NORMAL)


def legend(sheet):
    """Beside each other, above the panels."""
    x, top = 0.12, 0.72
    for name, colour in MEMORIES.items():
        sheet.text(x, top, "\u25a0", size=style.LARGE, color=colour)
        sheet.text(x + 0.17, top, name, size=style.NORMAL)
        x += 0.35 + 0.082 * len(name)


def height_of(found):
    return (sum(len([m for m in MEMORIES if m in of]) for _, of in found) + 0.8 * len(found)) * 0.165 + 0.1


def widest(found, key):
    return max(r.get(key, 0) / of[GLIBC]["median"] for _, of in found for r in of.values())


def rows_of(found):
    return [r for _, of in found for r in of.values()]


def readme(data, path):
    """The one that matters: real work, relative to glibc's malloc."""
    found = compared(data, ("workloads", "handlers"))
    if not found:
        return False
    foot = style.provenance(data, WHISKERS, rows_of(found))
    titles = "The same work on four memories: time relative to glibc's malloc", "Shorter is better."
    sheet = style.Sheet(path.stem, titles, [height_of(found)], 1, foot, LEGEND_HEAD)
    legend(sheet)
    axes = sheet.panel(0, 0, 1.75)
    grouped(axes, found, lambda row, glibc: row["median"] / glibc["median"], "ratio")
    axes.set_xlim(0, max(1.12, 1.1 * min(widest(found, "p75"), MOST * widest(found, "median"))))
    sheet.save(path)
    return True


def calls(found, key):
    return [(name, {m: r for m, r in of.items() if isinstance(r.get(key), (int, float))}) for name, of in found]


def workloads(data, path):
    """Time, and what of it reaches the system's allocator."""
    found = compared(data, ("workloads",))
    counted = [(n, of) for n, of in calls(found, "steady") if GLIBC in of]
    if not found:
        return False
    foot = style.provenance(data, WHISKERS, rows_of(found))
    sheet = style.Sheet(path.stem, ("Three workloads on four memories", "Shorter is better."),
                        [height_of(found)] + ([height_of(counted)] if counted else []), 1, foot, LEGEND_HEAD)
    legend(sheet)
    axes = sheet.panel(0, 0, 1.75)
    grouped(axes, found, lambda row, _: row["median"] / 1000, "amount")
    axes.set_title("microseconds per batch", loc="left")
    axes.margins(x=0.1)
    if counted:
        axes = sheet.panel(1, 0, 1.75)
        grouped(axes, counted, lambda row, _: row["steady"], "count")
        axes.set_title("allocations that reach the system's allocator, per batch, in steady state", loc="left")
        axes.margins(x=0.1)
    sheet.save(path)
    return True
