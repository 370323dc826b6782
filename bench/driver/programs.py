"""Running a measuring program, and reading the lines that it prints (bench/harness/harness.h)."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

# jemalloc is loaded late and wants more thread-local storage than the loader keeps by default.
TUNABLES = "glibc.rtld.optional_static_tls=16384"


def die(text):
    sys.exit(f"bench: {text}")


def lines_of(command, may_fail=False):
    """All lines that it printed, each parted at its tabs. One that may fail says so by an exit status, not a signal."""
    command = [str(c) for c in command]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=dict(os.environ, GLIBC_TUNABLES=TUNABLES))
    name = " ".join([pathlib.Path(command[0]).name] + command[1:])
    if done.returncode < 0:
        die(f"{name} died of {signal.Signals(-done.returncode).name}\n{done.stderr}")
    if done.returncode and not may_fail:
        die(f"{name} failed ({done.returncode})\n{done.stderr}")
    return [line.split("\t") for line in done.stdout.splitlines()]


def floats(text):
    return [float(x) for x in text.split()]


def dumped(path):
    """A dump's name and the instructions in it."""
    name = total = None
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith("desc: Trigger: Client Request:"):
            name = line.split(":", 3)[3].strip()
        elif line.startswith("totals:"):
            total = int(line.split()[1])
    return name, total


def instructions(command):
    """{contestant: instructions per operation}, by callgrind."""
    with tempfile.TemporaryDirectory() as folder:
        lines = lines_of(["valgrind", "-q", "--tool=callgrind", "--collect-atstart=no",
                          f"--callgrind-out-file={folder}/out", *command])
        ops = {f[1]: float(f[2]) for kind, *f in lines if kind == "ops"}
        dumps = dict(dumped(path) for path in sorted(pathlib.Path(folder).glob("out.*")))
        return {name: dumps[name] / n for name, n in ops.items() if dumps.get(name) is not None}
