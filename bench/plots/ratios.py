"""Panels of bars that are ratios to one row, on a log scale."""
import style
from driver.samples import REFERENCES, is_ours

# Ratios up to this are drawn; a longer bar ends in its figure.
MOST = 200.0
WHISKERS = "Bars: medians; whiskers: p25 to p75; dots: best."


# ---- rows ------------------------------------------------------------------------------------------


def workload(data, suite, name):
    found = data["suites"].get(suite, {}).get("workloads", {}).get(name)
    return found if found and found.get("rows") else None


def label_of(row, rows):
    same = sum(r["name"] == row["name"] for r in rows)
    return f"{row['name']}, {row['link']}" if same > 1 else row["name"]


def colour_of(name):
    if name in REFERENCES:
        return style.SPECIAL
    if is_ours(name):
        return style.OURS
    return style.PEER


def amount(x):
    """Three digits."""
    if x >= 1000:
        return f"{x:,.0f}"
    return f"{x:.3g}" if x < 100 else f"{x:.0f}"


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
    foot = style.provenance(data, WHISKERS, [r for w, _, _ in panels for r in w["rows"]])
    sheet = style.Sheet(path.stem, titles, heights, columns, foot)
    for y, line in enumerate(grid):
        for x, (w, name, base) in enumerate(line):
            axes = sheet.panel(y, x, label, height_of_rows(w))
            draw_ratios(axes, name, rows_drawn(w), base, short(w["unit"]))
    sheet.save(path)
    return True
