"""One build folder for all suites, in which is built what the suites asked for want."""
import json
import pathlib
import re
import subprocess
import sys

from . import machine
from .programs import die

ROOT = pathlib.Path(__file__).resolve().parents[2]
OPTIONS = ["-Dbench=enabled", "-Dtests=disabled"]
SEEN = "bench-peers.json"


def must(command, what):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        die(f"{what} failed:\n{done.stdout[-4000:]}{done.stderr}")
    return done.stdout


def configure(folder):
    """Again whenever a peer has come or gone: Meson remembers what it did not find."""
    seen, there = folder / SEEN, json.dumps(machine.versions(), sort_keys=True)
    if (folder / "build.ninja").exists():
        if seen.exists() and seen.read_text() == there:
            return
        must(["meson", "configure", str(folder), "--clearcache"], "meson configure")
        must(["meson", "setup", "--reconfigure", str(folder), str(ROOT), *OPTIONS], "meson setup")
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        must(["meson", "setup", str(folder), str(ROOT), *OPTIONS], "meson setup")
    seen.write_text(there)


def targets_of(folder, suites):
    """The programs in the suites' folders, and what a suite says it needs beside, where it can be built."""
    listed = must(["ninja", "-C", str(folder), "-t", "targets", "all"], "ninja")
    able = {line.split(":")[0] for line in listed.splitlines() if "LINKER" in line}
    wanted = [t for t in sorted(able) if any(re.fullmatch(f"bench/{s.name}/bench-[^/.]+", t) for s in suites)]
    return wanted + [t for t in able for s in suites if t.startswith(s.needs)]


def build(folder, suites):
    if not (folder / "build.ninja").exists():
        print(f"building the measuring programs in {folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder};"
              " the first time takes minutes", flush=True)
    configure(folder)
    targets = targets_of(folder, suites)
    if sys.stdout.isatty():
        if subprocess.run(["ninja", "-C", str(folder), *targets]).returncode:
            die("the build failed")
    elif targets:
        must(["ninja", "-C", str(folder), *targets], "the build")
