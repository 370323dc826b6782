"""What gdb shows of Ebb: printers for its types, and the commands `ebb scopes`, `ebb arena`, `ebb whose`.

For whoever has a stopped program or a core dump before them. ebb-gdb.py, beside it, loads it.

Memory is only read, and nothing of the program is called, so that a core dump does as well.

  - The printers of public types need the program's own debug information and no more.
  - The rest reads libebb's structures by the names of their fields, and its constants by the names of
    their enumerators, from libebb's debug information. Who changes arena/internal.h, a public struct
    named here, or a static variable that Library.static is asked for, changes this file; tests/gdb sees it.

Written for gdb 13 and Python 3.6 or newer.
"""
import os
import re

import gdb
import gdb.printing
import gdb.types

# What an enumerator is where the compiler has left it out of the debug information. tests/gdb compares.
FALLBACK = {
    "CHUNK": 1, "LARGE": 2, "DEFER": 3, "ADOPT": 4, "HOLD": 5,
    "SLAB_HEAD": 1, "SLAB_EXT": 2, "SLAB_BLOCK": 3, "SLAB_SPAN": 4,
    "HEAD_CLASSES": 4, "EXT_CLASS": 4, "BLOCK_CLASS": 5, "CLASSES": 34,
    "BODY_MASK": 0x7, "HEAD_SHIFT": 3, "HEAD_MASK": 0x18, "LIVE": 0x20, "SCOPE": 0x40, "FAILED_SHIFT": 7,
    "FAILED_MASK": 0x180, "STICKY": 0x200, "IN_TRY": 0x800, "LIMITED": 0x1000, "WIPE": 0x2000,
    "STRICT": 0x4000, "ADOPTED": 0x8000, "ENDING": 0x40000, "SEALED": 0x80000, "PROFILE_SHIFT": 20,
    "FROM_SOURCE": 2, "LISTS": 43, "SLAB_BITS": 20, "LEAF_BITS": 14, "ADDRESS_BITS": 47, "QUARANTINE_BLOCKS": 512,
}
# Of macros there is no debug information.
LINK_KIND = 7                  # the low bits of a link: its kind
CLOSED_MIN = (1 << 64) - 2     # EBB__CLOSED_MIN: from here on a window's limit means that it is closed
GROUP, GROUP_SIZE, TAG_LEAST = 15, 16, 2  # ebb/group.h
WORDS_END, GRANULE = 0x10000, 4           # ebb/intern.h, and internal.h beside it
WALK_MOST = 1 << 20            # steps along any list, so that a broken one ends
UNREADABLE = (gdb.error, gdb.GdbError)

STATUS = {
    0: "ok", -1: "out of memory", -2: "memory limit or budget reached", -3: "nothing left to hand out",
    -4: "deadline passed", -5: "already there", -6: "malformed input", -7: "value out of range",
    -8: "would form a cycle", -9: "invalid argument", -10: "input or output failed",
    -11: "not supported here", -12: "refused by a function of the program",
}


# ---- values ------------------------------------------------------------------------------------

def at(kind, address):
    """The value of a type that lies at an address."""
    return gdb.Value(address).cast(kind.pointer()).dereference()


def word(address):
    return int(at(gdb.lookup_type("unsigned long"), address))


def bytes_at(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size)) if size else b""


def offset(kind, field):
    return next(f.bitpos for f in kind.fields() if f.name == field) // 8


def byte_order():
    return "big" if "big" in gdb.execute("show endian", to_string=True) else "little"


def array(value):
    """The items of an array."""
    low, high = value.type.range()
    return [value[i] for i in range(low, high + 1)]


def along(first, follow):
    """first, follow(first), ... while they are not 0."""
    for _ in range(WALK_MOST):
        if not first:
            return
        yield first
        first = follow(first)
    raise gdb.GdbError("a list of libebb's does not end: it is being changed, or was overwritten")


# ---- words -------------------------------------------------------------------------------------

ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def escape(char):
    return ESCAPES.get(char) or ("\\x%02x" if ord(char) < 0x100 else "\\u%04x") % ord(char)


def quoted(data):
    """Bytes as text in quotes: what is no UTF-8, or can't be shown here, is escaped."""
    text = data.replace(b"\\", b"\\\\").replace(b'"', b'\\"').decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else escape(c) for c in text)
    shown = gdb.host_charset() if hasattr(gdb, "host_charset") else "ascii"
    return '"' + text.encode(shown, "backslashreplace").decode(shown) + '"'


def elements_most():
    """`set print elements`; None: all."""
    most = gdb.parameter("print elements")
    return most if most and most > 0 else None


def whole_characters(data):
    """Cut bytes without the first half of a character at their end."""
    for back in range(1, min(4, len(data)) + 1):
        lead = data[-back]
        if lead & 0xc0 != 0x80:
            wanted = 4 if lead >= 0xf0 else 3 if lead >= 0xe0 else 2 if lead >= 0xc0 else 1
            return data[:-back] if wanted > back else data
    return data


def text_at(address, size):
    """So many bytes, quoted, as many as `set print elements` allows, and how many there are."""
    most = elements_most() or WALK_MOST
    data = bytes_at(address, min(size, most))
    if size > most:
        return "%s... (len %d)" % (quoted(whole_characters(data)), size)
    return "%s (len %d)" % (quoted(data), size)


def c_string(pointer):
    """What a char * points to; "?" where there is none."""
    try:
        return pointer.string("utf-8", "backslashreplace") if int(pointer) else "?"
    except gdb.error:
        return "?"


def name_in_quotes(name):
    return quoted(name.encode("utf-8", "backslashreplace"))


def count(n, what):
    """3 chunks, 1 child."""
    return "%s %s" % (format(n, ","), what if n == 1 else {"child": "children"}.get(what, what + "s"))


def status_name(code):
    try:
        for field in gdb.lookup_type("enum ebb_status").fields():
            if field.enumval == code:
                return field.name
    except gdb.error:
        pass
    return str(code)


def status_text(code):
    if code in STATUS:
        return "%s (%s)" % (status_name(code), STATUS[code])
    return "%d (the program's own)" % code if code > 0 else status_name(code)


def symbol_of(address):
    """The function or variable at an address, or None."""
    shown = gdb.Value(address).cast(gdb.lookup_type("void").pointer()).format_string(symbols=True)
    found = re.search(r"<(.*)>", shown)
    return re.sub(r"@+[\w.]+", "", found.group(1)) if found else None  # without its version


def functions_at(address):
    """Names of the functions there, those that were inlined first."""
    block, names = gdb.block_for_pc(address), []
    while block is not None:
        if block.function is not None:
            names.append(block.function.name)
        block = block.superblock
    return names or [symbol_of(address) or "%#x" % address]


def call_of(function, argument):
    return "%s(%#x)" % (functions_at(function)[-1], argument)


def place_of(site):
    """Where a return address lies: the function and, where that is known, the line."""
    if not site:
        return "?"
    line, function = gdb.find_pc_line(site - 1), functions_at(site - 1)[0]
    if not line.symtab:
        return function
    return "%s at %s:%d" % (function, os.path.basename(line.symtab.filename), line.line)


# ---- the library -------------------------------------------------------------------------------

NO_SYMBOLS = "install debug symbols of libebb: without them its structures can't be read"
NOT_THERE = "libebb is not loaded: start the program, or open a core dump, first"


def is_file(symbol, name):
    return symbol.symtab is not None and re.search("(^|/)" + re.escape(name) + "$", symbol.symtab.filename)


def statics(file, name):
    return [s for s in gdb.lookup_static_symbols(name) if is_file(s, file)]


def is_loaded():
    try:
        gdb.parse_and_eval("(long)&ebb_version")
        return True
    except gdb.error:
        return False


class Library:
    """One libebb: its types, constants and static variables, by name."""
    now = None

    @classmethod
    def get(cls):
        if cls.now is None or not cls.now.is_current():
            found = statics("arena/slab.c", "heads")
            if not found:
                raise gdb.GdbError(NO_SYMBOLS if is_loaded() else NOT_THERE)
            used = [s for s in found if int(s.value())]
            cls.now = cls((used or found)[0])
        return cls.now

    def __init__(self, heads):
        self.heads, self.space, self.found = heads, gdb.current_progspace(), {}
        self.objfile = heads.symtab.objfile
        self.folder = os.path.dirname(heads.symtab.filename)
        self.arena = self.type("struct ebb_arena")
        self.chunk = self.type("struct chunk")
        self.ext = self.type("struct ext")
        self.control_size = self.arena.sizeof

    def is_current(self):
        return self.heads.is_valid() and self.space == gdb.current_progspace() and int(self.heads.value())

    def __getattr__(self, name):
        """Constants: library.LIVE."""
        if not name.isupper():
            raise AttributeError(name)
        value = FALLBACK[name]
        for symbol in gdb.lookup_static_symbols(name):
            if symbol.symtab.objfile == self.objfile and os.path.dirname(symbol.symtab.filename) == self.folder:
                value = int(symbol.value())
                break
        setattr(self, name, value)
        return value

    def global_symbol(self, name):
        symbol = self.objfile.lookup_global_symbol(name)
        if symbol is None:
            raise gdb.GdbError(NO_SYMBOLS)
        return symbol

    def type(self, name, seen_by="ebb_arena_create"):
        """A type as the file sees it that has the function, since the program may have others of that name."""
        return gdb.lookup_type(name, self.global_symbol(seen_by).symtab.static_block())

    def static(self, file, name):
        """The value of a static variable."""
        if name not in self.found:
            found = [s for s in statics(file, name) if s.symtab.objfile == self.objfile]
            if not found:
                raise gdb.GdbError("%s has no variable %s: this script is of another version of libebb" % (file, name))
            self.found[name] = found[0]
        return self.found[name].value()

    def class_size(self, klass):
        return int(self.global_symbol("ebb__class_sizes").value()[klass])

    def dead(self):
        return int(self.global_symbol("ebb__dead").value().address)

    # -- slabs

    def slab_of(self, address):
        if address >> self.ADDRESS_BITS:
            return None
        leaf = self.static("arena/slab.c", "root")[address >> (self.SLAB_BITS + self.LEAF_BITS)]
        if not int(leaf):
            return None
        slab = leaf[address >> self.SLAB_BITS & ((1 << self.LEAF_BITS) - 1)]
        return Slab(self, slab.dereference()) if int(slab) else None

    def head_slabs(self):
        for slab in along(self.heads.value(), lambda s: s["next_head"]):
            yield Slab(self, slab.dereference())

    # -- arenas

    def arenas(self):
        """All that are alive, sealed or adopted and lie in slabs."""
        wanted = self.LIVE | self.SEALED | self.ADOPTED
        for slab in self.head_slabs():
            for address, bits in slab.control_blocks():
                if bits & wanted:
                    yield Arena(self, address)

    def threads(self):
        kind = self.static("arena/thread.c", "all_threads")
        return [t.dereference() for t in along(kind, lambda t: t["next"])]

    def current(self):
        """Address of an arena: the threads that have it as their current one."""
        found = {}
        for t in self.threads():
            found.setdefault(int(t["current"]), []).append(thread_name(t))
        found.pop(0, None)
        return found

    def profile(self, number):
        records = self.static("arena/profile.c", "records")
        return int(records[number]) and records[number].dereference()


def thread_name(t):
    name = c_string(t["name"].address.cast(gdb.lookup_type("char").pointer()))
    return "thread %d%s" % (int(t["id"]), " " + name_in_quotes(name) if name else "")


class Slab:
    KINDS = {"SLAB_HEAD": "heads", "SLAB_EXT": "bookkeeping", "SLAB_BLOCK": "blocks", "SLAB_SPAN": "span"}

    def __init__(self, library, value):
        self.library, self.value = library, value
        self.base, self.kind, self.klass = int(value["base"]), int(value["kind"]), int(value["klass"])
        self.size = int(value["size"])
        self.block_size = int(value["block_size"]) or self.size
        self.carved = 1 if self.is_a("SLAB_SPAN") else int(value["carved"])

    def is_a(self, kind):
        return self.kind == getattr(self.library, kind)

    def index(self, address):
        return (address - self.base) // self.block_size

    def handle(self, index):
        """What a block is named by: its top 64 bytes, or the base of an ext."""
        base = self.base + index * self.block_size
        return base if self.is_a("SLAB_EXT") else base + self.block_size - self.library.control_size

    def control_blocks(self):
        """Of a HEAD slab: (address, bits) of each that was ever handed out."""
        at_bits = offset(self.library.arena, "bits")
        order, width = byte_order(), self.library.arena["bits"].type.sizeof
        memory = bytes_at(self.base, self.carved * self.block_size)
        for i in range(self.carved):
            handle = self.handle(i)
            here = handle - self.base + at_bits
            yield handle, int.from_bytes(memory[here:here + width], order)

    def describe(self, address):
        kind = next(text for name, text in self.KINDS.items() if self.is_a(name))
        if self.is_a("SLAB_SPAN"):
            return "slab %#x: a span of %s bytes" % (self.base, format(self.size, ","))
        i = self.index(address)
        low = self.base + i * self.block_size
        return "slab %#x: %s of %s bytes; block %d of %d: %#x - %#x" % (
            self.base, kind, format(self.block_size, ","), i, int(self.value["capacity"]), low, low + self.block_size)


# ---- an arena ----------------------------------------------------------------------------------

class Window:
    """What an arena bumps through, or has: its head, or a chunk."""

    def __init__(self, chunk, lo, floor, tip, top, size, open_len):
        self.chunk, self.lo, self.floor, self.tip, self.top = chunk, lo, floor, tip, top
        self.size, self.open_len = size, open_len
        self.used, self.free = floor - lo + top - tip, tip - floor

    def describe(self):
        kind = "chunk" if self.chunk else "head"
        shown = "%-6s %#x - %#x: %s used, %s free" % (kind, self.lo, self.lo + self.size, format(self.used, ","),
                                                      format(self.free, ","))
        if self.open_len:
            shown += "; growing: %s bytes at %#x" % (format(self.open_len, ","), self.floor - self.open_len)
        return shown

    def part(self, address, is_newest):
        """In words, what lies there."""
        if address >= self.top:
            return "in the header of that chunk" if self.chunk else "in its control block"
        if address >= self.tip:
            return "among its objects (live), %s bytes above the tip" % format(address - self.tip, ",")
        if address >= self.floor:
            return "in the free window: nothing is allocated there" if is_newest else \
                "in what an older window has left free: nothing is allocated there"
        if address >= self.floor - self.open_len:
            return "byte %s of the object of %s that grows at the floor (live)" % (
                format(address - (self.floor - self.open_len), ","), format(self.open_len, ","))
        return "among what has grown at the floor before (live)"


class Arena:
    def __init__(self, library, address):
        self.library, self.address = library, address
        self.value = at(library.arena, address)
        self.bits = int(self.value["bits"])
        self.floor, self.tip, self.limit = (int(self.value["floor"]), int(self.value["w"]["tip"]),
                                            int(self.value["w"]["limit"]))
        self.parent = int(self.value["parent"])
        ext = int(self.value["ext"])
        self.ext = at(library.ext, ext) if ext and self.exists() else None
        self.log_read = None

    def has(self, flag):
        return bool(self.bits & getattr(self.library, flag))

    def exists(self):
        return self.has("LIVE") or self.has("SEALED") or self.has("ADOPTED")

    def is_closed(self):
        return self.limit >= CLOSED_MIN

    def in_buffer(self):
        return self.ext is not None and bool(self.ext["embedded"])

    def is_in_buffer(self):
        """Whether there is one in a caller's buffer at all, or just any bytes."""
        below = self.ext is not None and int(self.ext.address) == self.address - self.library.ext.sizeof
        return below and self.in_buffer() and (self.is_closed() or self.limit == self.floor - 1)

    # -- what it is called

    def kind(self):
        return "scope" if self.has("SCOPE") else "arena"

    def profile_name(self):
        record = self.library.profile(self.bits >> self.library.PROFILE_SHIFT)
        return c_string(record["profile"]["name"]) if record else None

    def name(self):
        if self.ext is not None:
            label = bytes(int(c) & 0xff for c in array(self.ext["label"])).split(b"\0")[0]
            if label:
                return label.decode("utf-8", "backslashreplace")
            if int(self.ext["name"]):
                return c_string(self.ext["name"])
        return self.profile_name() or "?"

    def title(self):
        try:
            return "%s %s" % (self.kind(), name_in_quotes(self.name()))
        except gdb.error:
            return self.kind()

    def reference(self):
        return "%s (%#x)" % (self.title(), self.address)

    # -- what it holds

    def log(self):
        """The undo log, newest first: (kind, address of the record)."""
        if self.log_read is None:
            links = along(int(self.value["undo"]), lambda link: word(link & ~LINK_KIND))
            self.log_read = [(link & LINK_KIND, link & ~LINK_KIND) for link in links]
        return self.log_read

    def blocks(self, kind):
        return [at(self.library.chunk, record) for k, record in self.log() if k == kind]

    def head_lo(self):
        if self.in_buffer():
            return int(self.ext["buffer"])
        klass = (self.bits & self.library.HEAD_MASK) >> self.library.HEAD_SHIFT
        return self.address + self.library.control_size - self.library.class_size(klass)

    def head_top(self):
        if self.ext is not None and int(self.ext["source"]):
            return self.head_lo()
        return self.address - (self.library.ext.sizeof if self.in_buffer() else 0)

    def windows(self):
        """Newest first; the head is last."""
        floor, tip, open_len = self.floor, self.tip, int(self.value["open_len"])
        for chunk in self.blocks(self.library.CHUNK):
            top = int(chunk.address)
            yield Window(chunk, int(chunk["lo"]), floor, tip, top, int(chunk["size"]), open_len)
            before = chunk["u"]["before"]
            floor, tip, open_len = int(before["floor"]), int(before["tip"]), int(chunk["before_open"])
        lo = self.head_lo()
        size = self.address + self.library.control_size - lo
        yield Window(None, lo, floor, tip, self.head_top(), size, open_len)

    def adopted(self):
        """Newest first. A record of an adoption is a field of the adopted arena."""
        at_record = offset(self.library.arena, "lo")
        return [Arena(self.library, record - at_record) for k, record in self.log() if k == self.library.ADOPT]

    def family(self):
        """It, and all that it has adopted, and what those have."""
        waiting = [self]
        while waiting:
            a = waiting.pop()
            yield a
            waiting.extend(a.adopted())

    def cleanups(self):
        """(how they are kept, function, argument, call site or 0), newest first."""
        defer = self.library.type("struct defer")
        for k, record in self.log():
            if k == self.library.DEFER:
                d = at(defer, record)
                if int(d["fn"]):
                    yield "defer", int(d["fn"]), int(d["arg"]), int(d["site"])
            elif k == self.library.HOLD:
                for row in self.held_row(record):
                    yield row
        if self.ext is not None:
            for c in along(self.ext["pins"], lambda c: c["next"]):
                yield "pin", int(c["run"]), int(c), 0

    def held_row(self, record):
        first = at(self.library.type("struct hold"), record)["first"]
        return [("cleanup", int(c["run"]), int(c), 0) for c in along(first, lambda c: c["next"])]

    def children(self):
        """Newest first."""
        if self.ext is None:
            return []
        first = int(self.ext["first_child"])
        return list(along(first and Arena(self.library, first), Arena.older_sibling))

    def born(self):
        """Its number among the children of its parent."""
        try:
            return int(self.ext["born"]) if self.ext is not None and not self.has("ADOPTED") else 0
        except gdb.error:
            return 0

    def older_sibling(self):
        older = int(self.ext["next"])
        return older and Arena(self.library, older)

    def totals(self):
        """used, held, chunks, large blocks, cleanups: of it and what it has adopted."""
        used = held = chunks = large = cleanups = 0
        for a in self.family():
            for window in a.windows():
                used, held, chunks = used + window.used, held + window.size, chunks + 1
            for block in a.blocks(self.library.LARGE):
                used, held, large = used + int(block["u"]["object"]["len"]), held + int(block["size"]), large + 1
            cleanups += len([c for c in a.cleanups() if c[0] != "pin"])
        return used, held, chunks, large, cleanups

    def failed(self):
        code = (self.bits & self.library.FAILED_MASK) >> self.library.FAILED_SHIFT
        if code < 3:
            return -code
        return int(self.ext["failed"]) if self.ext is not None else -1

    def states(self):
        found = ["failed: " + status_text(self.failed())] if self.failed() else []
        flags = {"ADOPTED": "adopted", "SEALED": "sealed", "LIMITED": "limited", "STRICT": "strict",
                 "WIPE": "wipe", "IN_TRY": "in a try", "ENDING": "ending"}
        found += [text for flag, text in flags.items() if self.has(flag)]
        explained = ("STRICT", "ENDING", "SEALED", "ADOPTED")
        if self.is_closed() and not self.failed() and not any(self.has(f) for f in explained):
            found.append("closed")  # a watcher may want to be asked
        if self.in_buffer():
            found.append("in a caller's buffer")
        return found

    def summary(self):
        used, held = self.totals()[:2]
        return ", ".join(["%s, %s bytes used of %s held" % (self.title(), format(used, ","), format(held, ","))]
                         + self.states())


def is_head(slab, address):
    """Whether a control block lies there, in use or not."""
    return slab is not None and slab.is_a("SLAB_HEAD") and address == slab.handle(slab.index(address))


def find_arena(library, address):
    """The arena whose control block lies there, or None."""
    try:
        a = Arena(library, address)
        head = is_head(library.slab_of(address), address)
        return a if a.exists() and (head or a.is_in_buffer()) else None
    except gdb.error:
        return None


def describe_address(library, address):
    """One line about what an ebb_arena * points to."""
    if address == library.dead():
        return "the failed arena that stands for one that could not be begun"
    a = find_arena(library, address)
    if a is not None:
        return a.summary()
    return "ended" if is_head(library.slab_of(address), address) else "no arena"


# ---- ebb scopes --------------------------------------------------------------------------------

def with_parents(library):
    """All arenas by address; those in callers' buffers too, if they have children."""
    found = {a.address: a for a in library.arenas()}
    for a in list(found.values()):
        while a is not None and a.parent and a.parent not in found:
            a = find_arena(library, a.parent)
            if a is not None:
                found[a.address] = a
    return found


def siblings_by_parent(arenas):
    """Address of a parent, 0 for none: those below it. Newest first; of roots no age is known."""
    below = {}
    for a in arenas.values():
        below.setdefault(a.parent if a.parent in arenas else 0, []).append(a)

    def newest_first(a):
        return a.has("ADOPTED"), -a.born(), a.address
    for row in below.values():
        row.sort(key=newest_first)
    return below


SCOPES_HEADING = "%-18s %12s %12s %6s  %s" % ("address", "used", "held", "chunks", "scope or arena")


def scope_line(a, depth, current):
    """The line about one arena, and what it holds that no other line counts."""
    states = ["current on " + t for t in current.get(a.address, [])]
    try:
        used, held, chunks = a.totals()[:3]
        figures = "%12s %12s %6d" % (format(used, ","), format(held, ","), chunks)
        states = a.states() + states
    except UNREADABLE as error:
        figures, held = "%12s %12s %6s" % ("?", "?", "?"), 0
        states.append(str(error))
    line = "%#-18x %s  %s%s" % (a.address, figures, "  " * depth, a.title())
    return line + (": " + ", ".join(states) if states else ""), 0 if a.has("ADOPTED") else held


def print_scopes(argument):
    """List all open scopes and arenas as a tree, newest first among children.
Usage: ebb scopes

The figures of one include what it has adopted, but not its children. What was adopted stands below its
adopter. An arena in a caller's buffer is listed only while it has children: use ebb arena ADDR."""
    library = Library.get()
    arenas, current = with_parents(library), library.current()
    below, waiting, total = siblings_by_parent(arenas), [], 0
    waiting = [(a, 0) for a in reversed(below.get(0, []))]
    print(SCOPES_HEADING)
    while waiting:
        a, depth = waiting.pop()
        line, held = scope_line(a, depth, current)
        print(line)
        total += held
        waiting += [(c, depth + 1) for c in reversed(below.pop(a.address, []))]
    open_ones = len([a for a in arenas.values() if not a.has("ADOPTED")])
    print("%d open, %d adopted; %s bytes held" % (open_ones, len(arenas) - open_ones, format(total, ",")))


# ---- ebb arena ---------------------------------------------------------------------------------

def address_of(argument, command):
    """What the user has typed, as an address."""
    if not argument:
        raise gdb.GdbError("usage: ebb %s ADDR (any expression)" % command)
    value = gdb.parse_and_eval(argument)
    kind = value.type.strip_typedefs()
    if kind.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        value = value.referenced_value()
        kind = value.type.strip_typedefs()
    if kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION, gdb.TYPE_CODE_ARRAY):
        value = value.address
        if value is None:
            raise gdb.GdbError("that has no address")
    return int(value) & ((1 << 64) - 1)


def ended(library, address):
    """Who ended the arena whose control block lies there: it says so itself."""
    a = Arena(library, address)
    who = next((thread_name(t) for t in library.threads() if int(t.address) == a.tip), None)
    if not who:
        return "no arena has used it yet"
    return "ended by %s, %s" % (who, place_of(a.floor))


def arena_at(library, address):
    """The arena with this address, or the one that owns what lies there."""
    if address == library.dead():
        raise gdb.GdbError("%#x is %s" % (address, describe_address(library, address)))
    slab = library.slab_of(address)
    found = find_arena(library, address) or owner_of(library, slab, address)
    if found is not None:
        return found
    if is_head(slab, address):
        raise gdb.GdbError("%#x is no arena now: %s" % (address, ended(library, address)))
    raise gdb.GdbError("%#x is neither an arena nor an arena's memory; try: ebb whose %#x" % (address, address))


def limits_of(a):
    e = a.ext
    if e is None or not (int(e["soft"]) or int(e["hard"]) or int(e["budget"])):
        return []
    shown = ["%s %s" % (name, format(int(e[name]), ",")) for name in ("soft", "hard") if int(e[name])]
    if bool(e["counts"]):
        shown.append("charged %s, its children's included" % format(int(e["charged"]), ","))
    if int(e["budget"]):
        b = e["budget"].cast(a.library.type("struct ebb_budget", "ebb_budget_create").pointer())
        shown.append("budget %s: %s of %s" % (name_in_quotes(c_string(b["name"])), format(int(b["used"]), ","),
                                              format(int(b["hard"]), ",") if int(b["hard"]) else "no limit"))
    return ["limits: " + "; ".join(shown)]


def relations_of(a):
    shown = []
    if a.parent:
        relation = "adopted by" if a.has("ADOPTED") else "child of"
        shown.append("%s %s" % (relation, Arena(a.library, a.parent).reference()))
    else:
        shown.append("of a shared object" if a.has("SEALED") else "a root")
    shown += ["current on " + t for t in a.library.current().get(a.address, [])]
    if a.ext is not None and a.has("STRICT"):
        shown += ["held by " + thread_name(t) for t in a.library.threads() if int(t.address) == int(a.ext["owner"])]
    return shown


def names_of(a):
    shown = ["profile " + name_in_quotes(a.profile_name())] if a.profile_name() else []
    if a.ext is not None and int(a.ext["name"]):
        shown.append("name " + name_in_quotes(c_string(a.ext["name"])))
    return shown


def window_of(a):
    return "window %s, %s bytes free: %#x - %#x" % ("closed" if a.is_closed() else "open", format(a.tip - a.floor, ","),
                                                   a.floor, a.tip)


def figures_of(a):
    used, held, chunks, large, cleanups = a.totals()
    peak = max(held, int(a.ext["peak"])) if a.ext is not None else held
    return "%s bytes used of %s held, peak %s; %s" % (
        format(used, ","), format(held, ","), format(peak, ","),
        ", ".join([count(chunks, "chunk"), count(large, "large block"), count(cleanups, "cleanup"),
                   count(len(a.children()), "child")]))


def large_line(block):
    thing = block["u"]["object"]
    return "large  %#x - %#x: one object of %s bytes at %#x" % (
        int(block["lo"]), int(block["lo"]) + int(block["size"]), format(int(thing["len"]), ","), int(thing["ptr"]))


def cleanup_line(how, function, argument, site):
    return "%-7s %s%s" % (how, call_of(function, argument), ", from " + place_of(site) if site else "")


def print_rows(title, rows):
    if rows:
        print("  %s" % title)
    for row in rows:
        print("    %s" % row)


def print_arena(argument):
    """Describe one arena: what it holds, what it will run, whose it is.
Usage: ebb arena ADDR

ADDR is an expression: an ebb_arena *, or any address in an arena's memory."""
    library = Library.get()
    a = arena_at(library, address_of(argument, "arena"))
    print(", ".join(["%s at %#x" % (a.title(), a.address)] + a.states()))
    for line in [figures_of(a), window_of(a)] + limits_of(a):
        print("  " + line)
    print("  " + "; ".join(relations_of(a) + names_of(a)))
    print_rows("chunks, newest first", [w.describe() for w in a.windows()])
    print_rows("large blocks, newest first", [large_line(b) for b in a.blocks(library.LARGE)])
    print_rows("cleanups, in the order they will run", [cleanup_line(*c) for c in a.cleanups()])
    print_rows("adopted, newest first", [b.reference() for b in a.adopted()])
    print_rows("children, newest first", [c.reference() for c in a.children()])


# ---- ebb whose ---------------------------------------------------------------------------------

def chunk_of(library, slab, address):
    """The header of the block that an address is in."""
    return at(library.chunk, slab.handle(slab.index(address)))


def owner_of(library, slab, address):
    """The arena that a block belongs to, an adopted one as it is; None: none."""
    if slab is None:
        return foreign_owner(library, address)
    if slab.is_a("SLAB_EXT"):
        base = slab.handle(slab.index(address))
        return next((a for a in library.arenas() if int(a.value["ext"]) == base), None)
    if slab.index(address) >= slab.carved:
        return None
    if slab.is_a("SLAB_HEAD"):
        a = Arena(library, slab.handle(slab.index(address)))
        return a if a.exists() else None
    owner = int(chunk_of(library, slab, address)["owner"])
    return Arena(library, owner) if owner else None


def foreign_owner(library, address):
    """The same for memory that is in no slab: callers' buffers, and what sources of arenas' own gave."""
    for a in with_parents(library).values():
        if a.in_buffer() and a.head_lo() <= address < a.address + library.control_size:
            return a
        for kind in (library.CHUNK, library.LARGE):
            for block in a.blocks(kind):
                if int(block["lo"]) <= address < int(block["lo"]) + int(block["size"]):
                    return a
    return None


def adopters(a):
    """Those who have it now, nearest first."""
    return list(along(a.has("ADOPTED") and Arena(a.library, a.parent),
                      lambda b: b.has("ADOPTED") and Arena(a.library, b.parent)))


def hole_at(a, address):
    """(base, size) of a piece that was given back to the arena's bins, if the address is in one."""
    if a.ext is None or not int(a.ext["bins"]):
        return None
    bins = a.ext["bins"].cast(a.library.type("struct bins", "ebb_storage_grow").pointer())
    lists = bins["list"]
    listed = [lists[i] for i in range(a.library.LISTS)] if int(lists) else []
    for first in [*array(bins["bin"]), *listed]:
        for hole in along(first, lambda h: h["next"]):
            if int(hole) <= address < int(hole) + int(hole["size"]):
                return int(hole), int(hole["size"])
    return None


def large_part(block, address):
    thing = block["u"]["object"]
    base, size = int(thing["ptr"]), int(thing["len"])
    if base <= address < base + size:
        return "byte %s of a large object of %s (live)" % (format(address - base, ","), format(size, ","))
    return "in a large block, outside its object of %s bytes at %#x" % (format(size, ","), base)


def part_of(a, address):
    """In words, what lies at an address that belongs to an arena."""
    for block in a.blocks(a.library.LARGE):
        if int(block["lo"]) <= address < int(block["lo"]) + int(block["size"]):
            return large_part(block, address)
    hole = hole_at(a, address)
    if hole:
        return "in %s bytes at %#x that were given back to it, free to be used again" % (format(hole[1], ","), hole[0])
    for i, window in enumerate(a.windows()):
        if window.lo <= address < window.lo + window.size:
            if not window.chunk and window.top <= address < a.address:
                return "in its bookkeeping, in its head"
            chunk = "chunk %#x - %#x" % (window.lo, window.lo + window.size)
            return "in its %s, %s" % (chunk if window.chunk else "head", window.part(address, i == 0))
    return "in its bookkeeping block"


def free_link(library, slab):
    """The field by which free blocks of a slab are linked in the depot, and their type."""
    if slab.is_a("SLAB_HEAD"):
        return library.arena, "parent"
    return (library.ext, "next") if slab.is_a("SLAB_EXT") else (library.chunk, "next")


def in_thread_cache(library, slab, handle):
    for t in library.threads():
        stack = t["stack"][slab.klass]
        if any(int(stack["slot"][i]) == handle for i in range(int(stack["count"]))):
            return "in the cache of " + thread_name(t)
    return None


def in_depot(library, slab, handle):
    kind, field = free_link(library, slab)
    hot = int(library.static("arena/depot.c", "shelves")[slab.klass]["hot"])
    if any(block == handle for block in along(hot, lambda b: int(at(kind, b)[field]))):
        return "in the depot"
    index = slab.index(handle)
    free = array(slab.value["free"])
    if index // 64 < len(free) and int(free[index // 64]) >> index % 64 & 1:
        return "in the depot, its pages given up"
    return None


def in_quarantine(library, slab, handle):
    ring = library.static("arena/strict.c", "ring")
    first, held = (int(library.static("arena/strict.c", name)) for name in ("ring_first", "ring_count"))
    places = (ring[(first + i) % library.QUARANTINE_BLOCKS] for i in range(held))
    return "held back (strict)" if any(int(p["block"]) == handle for p in places) else None


def where_free(library, slab, handle):
    """Where a block without an owner is kept; None: nowhere."""
    if slab.is_a("SLAB_SPAN"):
        return "in the depot"
    for look in (in_thread_cache, in_depot, in_quarantine):
        found = look(library, slab, handle)
        if found:
            return found
    return None


def print_unowned(library, slab, address):
    index = slab.index(address)
    if index >= slab.carved:
        print("%#x is free: no block has been cut there yet" % address)
        return
    handle = slab.handle(index)
    free = where_free(library, slab, handle)
    if free is None and slab.is_a("SLAB_EXT"):
        print("%#x is in use by libebb itself: a budget, a count, a reader's record" % address)
    else:
        print("%#x is free, %s" % (address, free or "and on its way to be used or kept"))
    if slab.is_a("SLAB_HEAD"):
        print("  last: " + ended(library, handle))


def print_outside(library, address):
    """What lies in no slab."""
    low, high = (int(library.static("arena/slab.c", name)) for name in ("region_next", "region_end"))
    spare = along(library.static("arena/slab.c", "free_slabs"), lambda s: s["next"])
    if low <= address < high or any(0 <= address - int(s["base"]) < int(s["size"]) for s in spare):
        print("%#x is free: Ebb's address space, no slab yet" % address)
        return
    symbol = symbol_of(address)
    print("%#x is not Ebb's memory%s" % (address, ": " + symbol if symbol else ""))


def print_whose(argument):
    """Say of any address whether it is Ebb's, which arena has it, and what is there.
Usage: ebb whose ADDR

ADDR is an expression."""
    library = Library.get()
    address = address_of(argument, "whose")
    slab = library.slab_of(address)
    owner = owner_of(library, slab, address)
    if owner is not None:
        print("%#x belongs to %s" % (address, owner.reference()))
        print("  " + part_of(owner, address))
        for a in adopters(owner):
            print("  adopted by " + a.reference())
    elif slab is not None:
        print_unowned(library, slab, address)
    else:
        print_outside(library, address)
    if slab is not None:
        print("  " + slab.describe(address))
    elif owner is not None:
        print("  in no slab: a caller's buffer, or from a source of the arena's own")


# ---- ebb profiles, ebb help --------------------------------------------------------------------

def print_profiles(argument):
    """List the kinds of scopes, and what they have learned of their size.
Usage: ebb profiles

open: scopes of that kind now; seen: ended ones that were sampled; most: the most bytes that one of
those used; head and body: bytes of the first chunk, and of the one that an overflow takes."""
    library = Library.get()
    open_now = {}
    for a in library.arenas():
        number = a.bits >> library.PROFILE_SHIFT
        open_now[number] = open_now.get(number, 0) + (not a.has("ADOPTED"))
    print("%7s %9s %12s %6s %9s  profile" % ("open", "seen", "most", "head", "body"))
    for number in range(1, int(library.static("arena/profile.c", "record_count")) + 1):
        record = library.profile(number)
        start = int(record["profile"]["ebb__start"])
        head = (start & library.HEAD_MASK) >> library.HEAD_SHIFT
        body = library.BLOCK_CLASS + 4 * (start & library.BODY_MASK)
        print("%7d %9s %12s %6d %9s  %s" % (
            open_now.get(number, 0), format(int(record["samples"]), ","), format(int(record["used"]["max"]), ","),
            library.class_size(head), format(library.class_size(body), ","),
            name_in_quotes(c_string(record["profile"]["name"]))))


def print_help(argument):
    """Show this list.
Usage: ebb help"""
    for name, run in COMMANDS.items():
        print("ebb %-14s %s" % (name + (" ADDR" if name in ("arena", "whose") else ""), run.__doc__.split("\n")[0]))
    print("More: help ebb COMMAND. Variables of Ebb's types are shown by print; print/r shows their fields.")


COMMANDS = {"scopes": print_scopes, "arena": print_arena, "whose": print_whose, "profiles": print_profiles,
            "help": print_help}


class Command(gdb.Command):
    def __init__(self, name, run):
        self.__doc__, self.run = run.__doc__, run
        super().__init__("ebb " + name, gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        """Whatever goes wrong is one line."""
        try:
            self.run(argument)
        except gdb.GdbError:
            raise
        except gdb.error as error:
            raise gdb.GdbError("ebb: %s" % error)
        except Exception as error:
            raise gdb.GdbError("ebb: libebb's structures are not as this script knows them (%s: %s)" % (
                type(error).__name__, error))


class Prefix(gdb.Command):
    """Scopes and arenas of Ebb. `ebb help` lists the commands."""

    def __init__(self):
        super().__init__("ebb", gdb.COMMAND_DATA, prefix=True)

    def invoke(self, argument, from_tty):
        if argument:
            raise gdb.GdbError("ebb has no command %s; ebb help lists them" % argument.split()[0])
        print_help("")


# ---- printers ----------------------------------------------------------------------------------

class Printer:
    """Shows a value; what can't be read is said in place of it."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        try:
            return self.text()
        except UNREADABLE + (RuntimeError,) as error:
            return "<%s>" % error


class StrPrinter(Printer):
    def text(self):
        return text_at(int(self.value["ptr"]), int(self.value["len"]))


class BuilderPrinter(Printer):
    def text(self):
        start, end, top = (int(self.value[name]) for name in ("ptr", "end", "ebb__top"))
        failed = int(self.value["ebb__failed"])
        shown = text_at(start, end - start)
        if top > end:
            shown += ", room for %d" % (top - start - 1)
        return shown + (", failed: " + status_text(failed) if failed else "")


class CowPrinter(Printer):
    def text(self):
        room = int(self.value["ebb__cap"])
        shown = text_at(int(self.value["str"]["ptr"]), int(self.value["str"]["len"]))
        return shown + (", its own, room for %d" % (room - 1) if room else ", borrowed")


class BufPrinter(Printer):
    def text(self):
        return text_at(int(self.value["ptr"]), int(self.value["len"])) + ", room for %d" % int(self.value["cap"])


class KeyPrinter(Printer):
    def text(self):
        start, n = int(self.value["ptr"]), int(self.value["n"])
        # gdb takes two underscores for a point of Ada's, where it does not know the language.
        if start and (symbol_of(start) or "").replace(".", "__") == "ebb__no_key":
            return "none: a symbol that is local to a request"
        return text_at(start, n) if start else str(n)


class StatusPrinter(Printer):
    def text(self):
        return status_text(int(self.value))


class SymPrinter(Printer):
    def text(self):
        sym = int(self.value)
        if sym >> 31:
            return "%#x, local to a request" % sym
        try:
            texts = sorted(set(symbol_texts(Library.get(), sym)))
        except UNREADABLE:
            texts = []
        return "%#x%s" % (sym, " " + " or ".join(texts) if texts else "")


def symbol_texts(library, sym):
    """What a symbol stands for, in each shared table that has it."""
    kind = library.type("struct shared", "ebb_symtab_create")
    for table in along(int(library.static("intern/table.c", "all")), lambda t: int(at(kind, t)["next"])):
        record = symbol_record(at(kind, table), sym)
        if record is not None and int(record["sym"]) == sym:
            yield quoted(bytes_at(int(record.address) + record.type.sizeof, min(int(record["len"]), 200)))


def symbol_record(table, sym):
    """As word_record and shared_record of intern/table.c find it."""
    shift = int(table["shift"])
    if sym < WORDS_END:
        number = int(table["set_at"][sym // 64])
        words = table["set"][number - 1] if number else None
        if words is None or not 0 <= sym - int(words["base"]) < int(words["count"]):
            return None
        sym = (number - 1) << shift | int(table["word_at"][number - 1][sym - int(words["base"])])
    segment, granule = sym >> shift, sym & ((1 << shift) - 1)
    if segment >= int(table["segments_max"]) or granule >= int(table["segments"][segment]["used"]):
        return None
    base = int(table["segments"][segment]["base"])
    return at(gdb.lookup_type("struct ebb__record"), base + granule * GRANULE)


class ArenaPrinter(Printer):
    """An ebb_arena *."""

    def text(self):
        address = int(self.value)
        if not address:
            return "0x0"
        return "%#x (%s)" % (address, self.described(address))

    def described(self, address):
        try:
            return describe_address(Library.get(), address)
        except UNREADABLE as error:
            return str(error)


class Sequence(Printer):
    """Items one after the other; its kinds say how many there are, and where."""

    def display_hint(self):
        return "array"

    def title(self, room):
        name = gdb.types.get_basic_type(self.value.type).tag or self.value.type.name
        return "%s of %d%s" % (name, self.length(), ", room for %d" % room if room is not None else "")

    def length(self):
        return int(self.value["len"])

    def text(self):
        return self.title(int(self.value["ebb__cap"]))

    def children(self):
        try:
            for i in range(self.length()):
                item = self.item(i)
                item.fetch_lazy()
                yield "[%d]" % i, item
        except UNREADABLE:
            return


class VecPrinter(Sequence):
    """Of vec_of.h and heap_of.h."""

    def item(self, i):
        return (self.value["ptr"] + i).dereference()


class SmallvecPrinter(Sequence):
    def item(self, i):
        inside = self.value["ebb__at"]["in"]
        if int(self.value["ebb__cap"]) <= inside.type.range()[1] + 1:
            return inside[i]
        return (self.value["ebb__at"]["out"] + i).dereference()


class DequePrinter(Sequence):
    def item(self, i):
        slot, room = int(self.value["ebb__first"]) + i, int(self.value["ebb__cap"])
        return (self.value["ebb__ptr"] + (slot if slot < room else slot - room)).dereference()


class BitsetPrinter(Sequence):
    def text(self):
        return self.title(None)

    def words(self):
        size, order = min(int(self.value["words"]), WALK_MOST), byte_order()
        data = bytes_at(int(self.value["word"]), 8 * size)
        return [int.from_bytes(data[8 * i:8 * i + 8], order) for i in range(size)]

    def length(self):
        return sum(bin(w).count("1") for w in self.words())

    def children(self):
        try:
            members = [64 * i + bit for i, w in enumerate(self.words()) if w for bit in range(64) if w >> bit & 1]
        except UNREADABLE:
            return
        for i, member in enumerate(members):
            yield "[%d]" % i, member


class MapPrinter(Sequence):
    """Of map_of.h; a set where the entries have no values."""

    def entry_type(self):
        slot = self.value["ebb__slots"].type.strip_typedefs().target().strip_typedefs()
        return slot.target().strip_typedefs() if slot.code == gdb.TYPE_CODE_PTR else slot

    def is_map(self):
        return any(f.name == "val" for f in self.entry_type().fields())

    def display_hint(self):
        return "map" if self.is_map() else "array"

    def text(self):
        return self.title(None)

    def places(self):
        """The indexes of slots that are in use."""
        mask = int(self.value["ebb__mask"])
        if not mask:
            yield from range(min(self.length(), 2 * GROUP_SIZE))
            return
        for group in range(mask + 1):
            tags = bytes_at(int(self.value["ebb__tags"]) + group * GROUP_SIZE, GROUP)
            yield from (group * GROUP + i for i, tag in enumerate(tags) if tag >= TAG_LEAST)

    def entries(self):
        for place in self.places():
            slot = (self.value["ebb__slots"] + place).dereference()
            is_pointer = slot.type.strip_typedefs().code == gdb.TYPE_CODE_PTR
            entry = slot.dereference() if is_pointer else slot
            entry.fetch_lazy()
            yield entry

    def children(self):
        try:
            is_map = self.is_map()
            for i, entry in enumerate(self.entries()):
                yield "[%d]" % (2 * i), entry["key"]
                if is_map:
                    yield "[%d]" % (2 * i + 1), entry["val"]
        except UNREADABLE:
            return


BY_TAG = {"ebb_str": StrPrinter, "ebb_builder": BuilderPrinter, "ebb_cow": CowPrinter, "ebb_buf": BufPrinter,
          "ebb_key": KeyPrinter, "ebb_bitset": BitsetPrinter}
# The templates' types have names of the user's: they are known by their fields.
BY_FIELDS = [
    ("sequence", VecPrinter, {"ptr", "len", "ebb__cap", "arena"}),
    ("smallvec", SmallvecPrinter, {"len", "ebb__cap", "arena", "ebb__at"}),
    ("deque", DequePrinter, {"ebb__ptr", "len", "ebb__first", "ebb__cap", "arena"}),
    ("map", MapPrinter, {"arena", "len", "seed", "ebb__tags", "ebb__slots", "ebb__mask"}),
]


def struct_printer(kind):
    if kind.tag in BY_TAG:
        return kind.tag, BY_TAG[kind.tag]
    fields = {f.name for f in kind.fields()}
    return next(((name, printer) for name, printer, needed in BY_FIELDS if needed <= fields), (None, None))


def named_printer(kind):
    """Of a type whose typedef says what it is."""
    while kind.code == gdb.TYPE_CODE_TYPEDEF:
        if kind.name == "ebb_sym":
            return "ebb_sym", SymPrinter
        kind = kind.target()
    return None, None


def printer_of(kind):
    """(name, printer) for values of a type."""
    name, printer = named_printer(kind.unqualified())
    if printer:
        return name, printer
    kind = gdb.types.get_basic_type(kind)
    if kind.code == gdb.TYPE_CODE_PTR:
        target = kind.target().unqualified().strip_typedefs()
        is_arena = target.code == gdb.TYPE_CODE_STRUCT and target.tag == "ebb_arena"
        return ("ebb_arena *", ArenaPrinter) if is_arena else (None, None)
    if kind.code == gdb.TYPE_CODE_ENUM and kind.tag == "ebb_status":
        return "ebb_status", StatusPrinter
    return struct_printer(kind) if kind.code == gdb.TYPE_CODE_STRUCT else (None, None)


class Printers(gdb.printing.PrettyPrinter):
    """All of them, so that `disable pretty-printer` can name each."""

    def __init__(self):
        names = list(BY_TAG) + ["ebb_sym", "ebb_arena *", "ebb_status"] + [name for name, _, _ in BY_FIELDS]
        super().__init__("ebb", [gdb.printing.SubPrettyPrinter(name) for name in names])

    def __call__(self, value):
        name, printer = printer_of(value.type)
        known = next((p for p in self.subprinters if p.name == name), None)
        return printer(value) if known is not None and known.enabled else None


def register(objfile):
    """Make it known to gdb: for as long as the library is loaded, or for ever where there is no objfile."""
    Prefix()
    for name, run in COMMANDS.items():
        Command(name, run)
    gdb.printing.register_pretty_printer(objfile, Printers(), replace=True)
