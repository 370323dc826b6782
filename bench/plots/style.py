"""How all pictures look: on any background, light or dark, and the same file for the same figures."""
import re
import textwrap

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402 (after the choice of what draws)

# Between black and white, to be read on both; as wide as a README's column.
INK, FAINT = "#767e88", "#8b949e"
OURS, OURS_TOO, PEER, SPECIAL = "#1a9c5b", "#7bc79f", "#6f93c8", "#a7a9ad"
WIDTH, ROW, FOOT_LINE = 8.3, 0.19, 0.145
VALUES = 0.78  # right of a panel, in inches: a column of figures
SMALL, NORMAL, LARGE = 7.5, 8.5, 11
CHARACTERS = 164  # of a line of small print


def begin(salt):
    """@salt: so that two pictures in one page have no name in common."""
    matplotlib.rcParams.update({
        "svg.hashsalt": f"ebb-{salt}", "svg.fonttype": "none", "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans", "Verdana"], "font.size": NORMAL, "text.color": INK,
        "axes.edgecolor": FAINT, "axes.labelcolor": INK, "axes.titlesize": NORMAL,
        "axes.titleweight": "bold", "xtick.color": INK, "ytick.color": INK, "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL, "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False,
        "ytick.major.size": 0, "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
        "axes.unicode_minus": False, "legend.frameon": False, "legend.fontsize": SMALL})


def samples_of(rows):
    """How many samples a row has, or from how many to how many; "": none."""
    counts = sorted({r["samples"] for r in rows if r.get("samples")})
    return " to ".join(map(str, sorted({counts[0], counts[-1]}))) if counts else ""


def provenance(data, how, rows):
    """What no figure may be without."""
    samples = samples_of(rows)
    about = data["machine"]
    versions = "; ".join(f"{name} {version}" for name, version in data["versions"].items())
    lines = [how + (f" {samples} samples each, in {data['passes']} passes." if samples else ""),
             f"{about['cpu']}, {about['cpus']} CPUs, {about['system']}, {about['when'][:10]}. "
             f"{about['compiler']}, {about['flags']}. {versions}.",
             f"Made by: {data['command']}"]
    if data.get("quick"):
        lines[0] = "A QUICK LOOK, NO RECORD. " + lines[0]
    return [part for line in lines for part in textwrap.wrap(line, CHARACTERS)]


class Sheet:
    """A figure: title, subtitle and legend, then panels in a grid, then the small print."""

    def __init__(self, salt, titles, heights, columns, foot, head=0.58):
        begin(salt)
        gap, foot_height = 0.62, 0.12 + FOOT_LINE * len(foot)
        self.height = head + sum(h + gap for h in heights) + foot_height
        self.figure = pyplot.figure(figsize=(WIDTH, self.height))
        self.heights, self.columns, self.gap, self.head = heights, columns, gap, head
        self.text(0.12, 0.24, titles[0], size=LARGE, weight="bold")
        self.text(0.12, 0.46, titles[1], size=NORMAL)
        for i, line in enumerate(foot):
            self.text(0.12, self.height - foot_height + FOOT_LINE * (i + 1), line, size=6.8)

    def text(self, x, y, text, **kind):
        """Inches from the left and from the top, at the text's foot."""
        self.figure.text(x / WIDTH, 1 - y / self.height, text, **kind)

    def panel(self, row, column, label_width, height=None):
        """Below each other all begin at the row's top."""
        height = height or self.heights[row]
        wide = WIDTH / self.columns
        top = self.head + sum(h + self.gap for h in self.heights[:row]) + 0.22
        left = wide * column + label_width
        return self.figure.add_axes((left / WIDTH, 1 - (top + height) / self.height,
                                     (wide - label_width - VALUES) / WIDTH, height / self.height))

    def save(self, path):
        self.figure.savefig(path, metadata={"Date": None, "Creator": None})
        pyplot.close(self.figure)
        # A turn by nothing, of each text, is a quarter of the file.
        path.write_text(re.sub(r' transform="rotate\(-0 [^"]*"', "", path.read_text(encoding="utf-8")), encoding="utf-8")
