"""One page with all pictures and all tables in it, that asks the network for nothing."""
import html
import re

from driver import tables

STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --faint: #656d76; --line: #d0d7de; --back: #fff; --ours: #0f7a45; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --faint: #8b949e; --line: #30363d; --back: #0d1117; --ours: #4cc38a; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.25; } h2 { border-top: 1px solid var(--line); padding-top: 1rem; margin-top: 2.5rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; } small, .missing, caption { color: var(--faint); }
svg { max-width: 100%; height: auto; display: block; margin: 1rem 0; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .12rem .7rem .12rem 0; text-align: right; white-space: nowrap; } th:first-child { text-align: left; }
tr + tr { border-top: 1px solid var(--line); } tbody th { font-weight: 400; }
thead th { color: var(--faint); font-weight: 500; }
tr.ours th, tr.ours td { color: var(--ours); } .goals { margin: .3rem 0; padding-left: 1.2rem; font-size: .85rem; }
code { font-size: .9em; }
"""


def escaped(x):
    return html.escape(str(x))


def inline(path):
    """A picture whose names are its own in the page."""
    svg = path.read_text(encoding="utf-8")
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg[svg.index("<svg"):], flags=re.DOTALL)
    name = path.stem
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escaped(name)}"', 1)


def table(workload):
    lines = list(tables.cells_of(workload))
    head = "".join(f"<th>{escaped(c)}</th>" for c in lines[0])
    body = ""
    for row, line in zip(workload["rows"], lines[1:]):
        ours = ' class="ours"' if tables.is_ours(row["name"]) else ""
        body += f"<tr{ours}><th>{escaped(line[0])}</th>" + "".join(f"<td>{escaped(c)}</td>" for c in line[1:]) + "</tr>\n"
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>\n'


def goals(workload):
    items = "".join(f"<li>{escaped(v.get('goal'))}: {'reached' if v.get('reached') else '<b>missed</b>'} "
                    f"({escaped(v.get('measured', ''))})</li>" for v in workload.get("goals") or [])
    return f'<ul class="goals">{items}</ul>\n' if items else ""


def section(suite, data, pictures):
    out = f'<h2 id="{suite}">{suite}</h2>\n' + "".join(map(inline, pictures))
    for name, workload in data["workloads"].items():
        out += f"<h3>{escaped(workload.get('title', name))} <small>{escaped(workload.get('unit', ''))}</small></h3>\n"
        out += table(workload) + goals(workload)
    for name, why in data.get("missing", {}).items():
        out += f'<p class="missing">not here: {escaped(name)}' + (f" ({escaped(why)})" if why else "") + "</p>\n"
    return out


def head(data):
    about = data["machine"]
    versions = ", ".join(f"{n} {v}" for n, v in data["versions"].items())
    note = " <b>A quick look, no record.</b>" if data.get("quick") else ""
    busy = " <b>The machine was busy.</b>" if about["load"] > 0.5 else ""
    return (f"<p>Made by <code>{escaped(data['command'])}</code>, {escaped(about['when'])}, on {escaped(about['cpu'])}, "
            f"{about['cpus']} CPUs, {escaped(about['system'])}; {escaped(about['compiler'])}, {escaped(about['flags'])}; "
            f"{escaped(versions)}.{note}{busy}</p>\n"
            "<p>Contestants take turns within a program, and suites in passes. Ratios are of the medians, those to floor "
            "and best peer of the bests. What the workloads are, how each is biased, and where Ebb loses, is in "
            "bench/README.md.</p>\n")


# The suite of a picture that is not called as its suite is.
ELSEWHERE = {"hit-ratios": "cache", "readme": None}


def write(data, pictures, path):
    first = [p for p in pictures if p.stem == "readme"]
    body = "<h1>Ebb beside its peers</h1>\n" + head(data) + "".join(map(inline, first))
    for suite, of in data["suites"].items():
        body += section(suite, of, [p for p in pictures if ELSEWHERE.get(p.stem, p.stem) == suite])
    path.write_text('<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Ebb beside its peers</title>\n'
                    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
                    f"<style>{STYLE}</style></head><body>\n{body}</body></html>\n", encoding="utf-8")
