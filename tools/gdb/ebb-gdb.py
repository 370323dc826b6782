"""Loads ebb_gdb.py, which lies beside it: printers and commands of gdb's for Ebb.

gdb runs all scripts in one namespace, so the code is in a module of its own. Installed under the name of
the library, this is loaded by gdb with it; by hand: `source ebb-gdb.py`.
"""
import os
import sys
import types

import gdb


def load_ebb_gdb(folder):
    path = os.path.join(folder, "ebb_gdb.py")
    module = types.ModuleType("ebb_gdb")
    with open(path, encoding="utf-8") as source:
        exec(compile(source.read(), path, "exec"), module.__dict__)
    sys.modules["ebb_gdb"] = module
    module.register(gdb.current_objfile())


load_ebb_gdb(os.path.dirname(os.path.abspath(__file__)))
