"""What is drawn: one function for each picture, from the data of ./run bench. Each draws what of it is there, and is
false where nothing is."""
import style
from memories import readme, workloads
from ratios import sheet_of_ratios

LEFT = "Further left is better; the line is Ebb."


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
                           [("cache", n, t, "ebb") for n, t in names.items()], label=1.7)


def hit_ratios(data, path):
    """How far each policy is behind the best one, on average and at worst, over the traces."""
    found = data["suites"].get("cache", {}).get("regret", [])
    if not found:
        return False
    how = "Of traces made from a seed; the policies are bench/cache/policies.c's. Exact, no clock."
    titles = ("Hit ratios: how far behind the best policy of each trace",
              "Points of 100 requests; shorter is better. Bars: mean of the traces; dots: the worst.")
    sheet = style.Sheet(path.stem, titles, [len(found[0]["regret"]) * style.ROW + 0.1], len(found),
                        style.provenance(data, how, []))
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


ALL = (readme, workloads, arena, containers, intern, pool, cache, hit_ratios, track)
