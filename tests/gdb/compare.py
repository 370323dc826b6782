"""Run by gdb in `check`: whether what ebb_gdb.py has by heart is as the library has it."""
import os

import gdb

import ebb_gdb


def constants():
    library = ebb_gdb.Library.get()
    for name, value in ebb_gdb.FALLBACK.items():
        seen = {int(s.value()) for s in gdb.lookup_static_symbols(name)
                if s.symtab.objfile == library.objfile and os.path.dirname(s.symtab.filename) == library.folder}
        if seen != {value}:
            yield "%s is %s, not %d" % (name, sorted(seen) or "in no file", value)


def statuses():
    texts = [text.string() for text in ebb_gdb.array(gdb.parse_and_eval("status_texts"))]
    known = texts[:texts.index("unknown status")]
    for code, text in ebb_gdb.STATUS.items():
        if -code >= len(known) or known[-code] != text:
            yield "status %d is not %r" % (code, text)
    if len(known) != len(ebb_gdb.STATUS):
        yield "there are %d statuses, not %d" % (len(known), len(ebb_gdb.STATUS))


def all():
    print("\n".join([*constants(), *statuses()]) or "all as in the library")
