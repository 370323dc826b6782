"""What is drawn: one function for each picture, from the data of ./run bench, whatever of it is there."""
import style

# Ratios up to this are drawn; a longer bar ends in its figure.
MOST = 200.0
LEGEND_HEAD = 0.8
LEFT = "Further left is better; the line is Ebb."
WHISKERS = "Bars: medians; whiskers: p25 to p75; dots: best."
FLOORS = ("floor", "off", "hashing alone", "scalar")


# ---- rows ------------------------------------------------------------------------------------------


def workload(data, suite, name):
    found = data["suites"].get(suite, {}).get("workloads", {}).get(name)
    return found if found and found.get("rows") else None


def is_ours(name):
    return name.lower().startswith(("ebb", "libebb"))


def label_of(row, rows):
    same = sum(r["name"] == row["name"] for r in rows)
    return f"{row['name']}, {row['link']}" if same > 1 else row["name"]


def colour_of(name):
    if name in FLOORS:
        return style.SPECIAL
    if is_ours(name):
        return style.OURS
    return style.PEER


def amount(x):
    """Three digits."""
    if x >= 1000:
        return f"{x:,.0f}"
    return f"{x:.3g}" if x < 100 else f"{x:.0f}"


def most_samples(workloads):
    return max((r.get("samples", 0) for w in workloads for r in w["rows"]), default=0)


# ---- a panel of bars that are ratios, on a log scale -----------------------------------------------


def draw_ratios(axes, title, rows, base, unit, colour=colour_of):
    """Bars leave the line of the row called @base, to the left where quicker, to the right where slower."""
    one = next(r for r in rows if r["name"] == base)["median"]
    rows = sorted((r for r in rows if r.get("median")), key=lambda r: -r["median"])
    low = min(1, *(r.get("best", r["median"]) / one for r in rows)) / 1.15
    high = min(max(r.get("p75", r["median"]) / one for r in rows), MOST) * 1.05
    axes.set_xscale("log")
    axes.set_xlim(low, max(high, 2.0))
    for y, row in enumerate(rows):
        draw_bar(axes, y, row, one, colour(row["name"]), unit)
    axes.axvline(1, color=style.INK, linewidth=0.8)
    axes.set_yticks(range(len(rows)), [label_of(r, rows) for r in rows])
    for row, label in zip(rows, axes.get_yticklabels()):
        label.set_color(style.OURS if is_ours(row["name"]) else style.INK)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_title(title, loc="left")
    ticks(axes, low, max(high, 2.0))


def draw_bar(axes, y, row, one, colour, unit):
    ratio = min(row["median"] / one, MOST)
    axes.barh(y, ratio - 1, left=1, height=0.62, color=colour, linewidth=0)
    if ratio == 1:
        axes.plot([1], [y], marker="D", markersize=4.5, color=colour)
    if "p25" in row and ratio < MOST:
        axes.plot([row["p25"] / one, row["p75"] / one], [y, y], color=style.INK, linewidth=1.1)
        axes.plot([row["best"] / one], [y], marker=".", markersize=4, color=style.INK)
    axes.text(1.02, y, f"{amount(row['median'])} {unit}", transform=axes.get_yaxis_transform(), va="center",
              size=style.SMALL - 0.5)


def ticks(axes, low, high):
    span = high / low
    steps = (1, 2, 5) if span < 80 else (1,) if span > 2000 else (1, 3)
    if span < 6:
        steps = (1, 1.5, 2, 3, 5, 7)
    found = [s * 10.0 ** e for e in range(-3, 4) for s in steps if low <= s * 10.0 ** e <= high]
    axes.set_xticks(found, [f"{x:g} x" for x in found])
    axes.minorticks_off()
    axes.grid(axis="x", color=style.FAINT, alpha=0.3, linewidth=0.6)
    axes.set_axisbelow(True)


def rows_drawn(w, only=None):
    """One way to link for all, with @only in the name."""
    links = {r.get("link") for r in w["rows"]}
    main = "static" if "static" in links else next(iter(sorted(links, key=str)))
    return [r for r in w["rows"] if r.get("median") and r.get("link") in (main, None) and (not only or only(r["name"]))]


def short(unit):
    return unit.split(" per ")[0].replace("seconds", "s").replace("CPU us", "us")


def height_of_rows(w):
    return len(rows_drawn(w)) * style.ROW + 0.1


def sheet_of_ratios(data, path, titles, chosen, columns=2, label=1.32):
    """chosen: (suite, name, title, base), of which some may not be there."""
    panels = [(workload(data, s, n), t, base) for s, n, t, base in chosen]
    panels = [(w, t, base) for w, t, base in panels if w and any(r["name"] == base for r in rows_drawn(w))]
    if not panels:
        return False
    grid = [panels[i:i + columns] for i in range(0, len(panels), columns)]
    heights = [max(height_of_rows(w) for w, _, _ in line) for line in grid]
    foot = style.provenance(data, WHISKERS, most_samples([w for w, _, _ in panels]))
    sheet = style.Sheet(path.stem, titles, heights, columns, foot)
    for y, line in enumerate(grid):
        for x, (w, name, base) in enumerate(line):
            axes = sheet.panel(y, x, label, height_of_rows(w))
            draw_ratios(axes, name, rows_drawn(w), base, short(w["unit"]))
    sheet.save(path)
    return True


# ---- the pictures ----------------------------------------------------------------------------------


def arena(data, path):
    names = {"W1": "W1: 16 bytes, reset each 1000", "W2": "W2: a request of 200 mixed sizes",
             "W3": "W3: begin, 8 x 32 bytes, end", "W4": "W4: 20,000 allocations, 2 MiB",
             "W6": "W6: made here, ended on another thread", "W8": "W8: a string grown to 64 KiB"}
    chosen = [("arena", n, t, "Ebb arena, reset" if n == "W1" else "Ebb scope") for n, t in names.items()]
    titles = "Allocation: time beside Ebb's", f"{LEFT} The floor moves a pointer and checks nothing."
    return sheet_of_ratios(data, path, titles, chosen)


def containers(data, path):
    names = {"request, 20 integers": "map of a request: 20 integers", "request, 20 names": "map of a request: 20 names",
             "10,000: hit": "map of 10,000: hit", "10,000: iterate": "map of 10,000: iterate",
             "1-8 items, 8 inside": "small vector, 1 to 8 items", "sort 1,000": "sort 1,000 numbers",
             "pieces-64": "builder: short pieces", "u64": "builder: a number", "json-1k": "escape 1 KiB for JSON",
             "read-double": "read a double", "heap 1,000": "heap of 1,000", "queue, 100 in it": "queue"}
    return sheet_of_ratios(data, path, ("Containers: time beside Ebb's", LEFT),
                           [("containers", n, t, "ebb") for n, t in names.items()], label=1.55)


def intern(data, path):
    names = {"hit, 500 names": "500 names, one thread", "hit, 50k names": "50,000 names, one thread",
             "hit, 50k, 2 threads": "50,000 names, two threads (CPU time)"}
    return sheet_of_ratios(data, path, ("A text to its symbol: time beside Ebb's", LEFT),
                           [("intern", n, t, "ebb") for n, t in names.items()], label=1.75)


def pool(data, path):
    names = {"pair": "acquire and release, one thread", "pair, 2 threads": "the same, two threads (CPU time)",
             "hand-off": "acquired here, released on another thread", "bursts of 32": "32 at once",
             "buffer of 3 x 100 B": "a buffer, filled with 3 x 100 bytes", "for a scope, by object": "objects of a scope"}
    return sheet_of_ratios(data, path, ("Pools: time beside Ebb's", LEFT),
                           [("pool", n, t, "ebb") for n, t in names.items()], label=1.45)


def cache(data, path):
    names = {"numbers, 1 thread": "a hit, numbers, one thread", "numbers, 2 threads": "a hit, numbers, two threads",
             "texts, 1 thread": "a hit, texts, one thread", "texts, 2 threads": "a hit, texts, two threads"}
    return sheet_of_ratios(data, path, ("Cache hits: time beside Ebb's", LEFT),
                           [("cache", n, t, "ebb") for n, t in names.items()], label=1.6)


def hit_ratios(data, path):
    """How far each policy is behind the best one, on average and at worst, over the traces."""
    found = data["suites"].get("cache", {}).get("regret", [])
    if not found:
        return False
    how = "Of traces made from a seed; the policies are bench/cache/policies.c's. Exact, no clock."
    titles = ("Hit ratios: how far behind the best policy of each trace",
              "Points of 100 requests; shorter is better. Bars: mean of the traces; dots: the worst.")
    sheet = style.Sheet(path.stem, titles, [len(found[0]["regret"]) * style.ROW + 0.1], len(found),
                        style.provenance(data, how, 0))
    for x, of in enumerate(found):
        axes = sheet.panel(0, x, 1.1)
        items = sorted(of["regret"].items(), key=lambda item: -item[1]["mean"])
        for y, (name, r) in enumerate(items):
            axes.barh(y, r["mean"], height=0.62, color=style.OURS if name == "S3-FIFO" else style.PEER)
            axes.plot([r["worst"]], [y], marker="o", markersize=3.5, color=style.INK)
        axes.set_yticks(range(len(items)), ["Ebb's S3-FIFO" if n == "S3-FIFO" else n for n, _ in items])
        axes.set_title(f"traces {of['set']}", loc="left")
        axes.set_xlim(left=0)
        axes.grid(axis="x", color=style.FAINT, alpha=0.3, linewidth=0.6)
        axes.set_axisbelow(True)
    sheet.save(path)
    return True


def track(data, path):
    chosen = [("track", "W1", "16-byte allocations", "off"), ("track", "W2", "a scope of 200 mixed sizes", "off"),
              ("track", "program, Ebb", "a whole program, on Ebb", "Ebb"),
              ("track", "program, malloc", "the same on malloc, and its tools", "malloc"),
              ("track", "server", "examples/vmd under load (CPU)", "off"),
              ("track", "stack", "a stack of 20 frames", "ebb")]
    titles = "What tracking costs", "Further left is better. The line: not tracked; of a stack: Ebb."
    return sheet_of_ratios(data, path, titles, chosen, label=1.6)


# ---- the three workloads ---------------------------------------------------------------------------

GLIBC, MIMALLOC = "malloc (glibc)", "malloc (mimalloc)"


def memory_of(name):
    """Which of the four memories a row is of, or none."""
    if name in (GLIBC, MIMALLOC):
        return name
    if not name.startswith("Ebb"):
        return None
    return "Ebb, arenas alone" if "arena" in name else "Ebb, every layer"


MEMORIES = {GLIBC: style.SPECIAL, MIMALLOC: style.PEER, "Ebb, arenas alone": style.OURS_TOO,
            "Ebb, every layer": style.OURS}


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


def readme(data, path):
    """The one that matters: real work, relative to glibc's malloc."""
    found = compared(data, ("workloads", "handlers"))
    if not found:
        return False
    samples = max(r.get("samples", 0) for _, of in found for r in of.values())
    foot = style.provenance(data, WHISKERS, samples)
    titles = "The same work on four memories: time relative to glibc's malloc", "Shorter is better."
    sheet = style.Sheet(path.stem, titles, [height_of(found)], 1, foot, LEGEND_HEAD)
    legend(sheet)
    axes = sheet.panel(0, 0, 1.75)
    grouped(axes, found, lambda row, glibc: row["median"] / glibc["median"], "ratio")
    axes.set_xlim(0, max(1.12, 1.08 * max(r["median"] / of[GLIBC]["median"] for _, of in found for r in of.values())))
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
    samples = max(r.get("samples", 0) for _, of in found for r in of.values())
    foot = style.provenance(data, WHISKERS, samples)
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


ALL = (readme, workloads, arena, containers, intern, pool, cache, hit_ratios, track)
