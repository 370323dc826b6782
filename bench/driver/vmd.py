"""examples/vmd, for the suites that put it under load by the demo's own means."""
import importlib.machinery
import importlib.util
import shutil

from .building import ROOT


def is_here(build):
    return shutil.which("wrk") and (build / "examples/vmd/vmd").exists()


def demo():
    """The demo as a module."""
    loader = importlib.machinery.SourceFileLoader("demo", str(ROOT / "examples/vmd/demo"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("demo", loader))
    loader.exec_module(module)
    return module
