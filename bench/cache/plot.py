"""Draw hit ratios, which come as JSON on the standard input, as SVG files in the folder that is named.

Run by report.py, with a Python that has matplotlib.
"""
import json
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402 (after the choice of what draws)

# What the figures show; all others are in the tables.
COLOURS = {"S3-FIFO": "#0b6", "LRU by stamp": "#06c", "ARC": "#c60", "SIEVE": "#a3a", "W-TinyLFU": "#c33", "MIN": "#888"}
OURS, OPTIMUM = "S3-FIFO", "MIN"
COLUMNS = 4


def draw_trace(at, rows):
    for policy, colour in COLOURS.items():
        at.plot([r["size"] for r in rows], [r["hits"][policy] for r in rows], color=colour, label=policy,
                marker="o", markersize=3, linewidth=2 if policy == OURS else 1,
                linestyle="--" if policy == OPTIMUM else "-", zorder=3 if policy == OURS else 2)
    at.set_title(rows[0]["trace"])
    at.grid(alpha=0.3)


def draw(rows, path):
    traces = list(dict.fromkeys(r["trace"] for r in rows))
    deep = -(-len(traces) // COLUMNS)
    figure, axes = pyplot.subplots(deep, COLUMNS, figsize=(3 * COLUMNS, 2.6 * deep), squeeze=False)
    figure.patch.set_facecolor("white")
    for at, trace in zip(axes.flat, traces):
        draw_trace(at, [r for r in rows if r["trace"] == trace])
    for at in list(axes.flat)[len(traces):]:
        at.axis("off")
    figure.supylabel("hits in 100 requests")
    figure.supxlabel("entries of the cache, as a part of the keys")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="upper center", ncol=len(COLOURS), frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.95))
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def main():
    # The same file for the same figures.
    matplotlib.rcParams.update({"svg.hashsalt": "ebb", "svg.fonttype": "none", "font.size": 9})
    rows = json.load(sys.stdin)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for which in dict.fromkeys(r["set"] for r in rows):
        path = folder / f"hit-ratios-{which.replace(' ', '-')}.svg"
        draw([r for r in rows if r["set"] == which], path)
        print(f"written: {path}")


main()
