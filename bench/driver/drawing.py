"""Drawing is done by a program of its own, for the Python that has matplotlib need not be the one that runs this."""
import subprocess
import sys

from .building import ROOT

DRAW = ROOT / "bench/plots/draw.py"


def drawing_python():
    """Debian's package serves the system's."""
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            if subprocess.run([python, "-c", "import matplotlib"], stderr=subprocess.DEVNULL).returncode == 0:
                return python
        except OSError:
            continue
    return None


def draw(python, source, folder):
    """True where it has drawn the results in @source into @folder."""
    return subprocess.run([python, str(DRAW), str(source), str(folder)]).returncode == 0
