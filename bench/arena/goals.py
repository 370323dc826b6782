"""The workloads of the ground floor, and what Ebb set out to reach in each.

The goals were set on a 2-core Zen 4 machine; those in nanoseconds hold for such a one. Beside them stands
the same goal as a multiple of the floor that was measured there, which travels better.
"""

FLOOR = "floor"
SCOPE, ARENA = "Ebb scope", "Ebb arena, reset"
OURS = (SCOPE, ARENA)
# Those of which ten thousand can be open at once.
WEIGHED = (SCOPE, "APR pool", "obstack", "std::pmr monotonic", "talloc pool", "mimalloc mi_heap",
           "mimalloc malloc", "jemalloc malloc", "glibc malloc")


def is_ours(name):
    return name in OURS


def is_peer(name):
    return name != FLOOR and not is_ours(name)


def order(row):
    """The floor first, then what is ours, then the peers from the quickest on."""
    if row["name"] == FLOOR:
        return (0, 0)
    return (1, OURS.index(row["name"])) if is_ours(row["name"]) else (2, row["median"])


def text(x):
    return f"{x:.3g}" if x < 1000 else f"{x:,.0f}"


def verdict(goal, rows, key, most, unit=""):
    """One line for all links: reached if every one of them did."""
    found = [(r["link"], r[key]) for r in rows if r.get(key) is not None]
    if not found:
        return []
    limit = most if isinstance(most, dict) else {link: most for link, _ in found}
    measured = ", ".join(f"{link} {text(value)}{unit}" for link, value in found)
    return [{"goal": goal, "reached": all(value <= limit[link] for link, value in found), "measured": measured}]


class Workload:
    parts = ()
    scaling = False
    sliced = True
    counts_mallocs = False
    counts_instructions = True
    per = per_insn = 1
    unit_ns = 1
    insn_unit = "allocation"
    subject = SCOPE

    def ours(self, rows):
        return [r for r in rows if r["name"] == self.subject]


class W1(Workload):
    name, title, unit = "W1", "16-byte allocations, reset every 1000", "ns per allocation"
    per = per_insn = 1000
    subject = ARENA

    def judge(self, rows, _name):
        ours = self.ours(rows)
        return (verdict("at most 0.57 ns (2.0x the floor)", ours, "best", 0.57, " ns")
                + verdict("at most 10 instructions", ours, "insn", 10))


class W2(Workload):
    name, unit = "W2", "ns per request"
    title = "request of 200 mixed sizes (median 48 B, 8 to 512; 1 % 4 KiB, 0.05 % 64 KiB)"
    per_insn = 200
    counts_mallocs = True

    def judge(self, rows, _name):
        ours = self.ours(rows)
        return (verdict("at most 1.25x the floor", ours, "over_floor", 1.25, "x")
                + verdict("at most 17 instructions an allocation", ours, "insn", 17)
                + verdict("no page fault in steady state", ours, "faults", 0)
                + verdict("no call of malloc", ours, "mallocs", 0))


class W3(Workload):
    name, title, unit = "W3", "begin, 8 x 32 B, end", "ns per request"
    per_insn = 8

    def judge(self, rows, _name):
        most = {"lto": 6.6, "static": 8.5, "shared": 9.5}
        goal = "at most 6.6 ns with LTO, 8.5 static, 9.5 shared (2.4x, 3.1x, 3.5x the floor)"
        return verdict(goal, self.ours(rows), "best", most, " ns")


class W4(Workload):
    name, title, unit = "W4", "20,000 allocations, 2 MiB, in one scope", "us per scope"
    unit_ns = 1000
    per_insn = 20000
    counts_mallocs = True

    def judge(self, rows, _name):
        ours = self.ours(rows)
        return (verdict("at most 1.2x the floor", ours, "over_floor", 1.2, "x")
                + verdict("no page fault in steady state", ours, "faults", 0))


class W5(Workload):
    name, title = "W5", "W2 on two threads at once, over one thread"
    unit = "CPU ns per request (medians), and their ratio round by round"
    scaling = True
    sliced = False
    counts_instructions = False

    def judge(self, rows, _name):
        return verdict("at most 1.05x (median)", self.ours(rows), "median", 1.05, "x")


class W6(Workload):
    name, title = "W6", "W2 made on one thread, ended on another"
    unit = "ns per request, work of both threads"
    sliced = False
    counts_instructions = False

    def judge(self, rows, _name):
        return verdict("at most 400 ns", self.ours(rows), "best", 400, " ns")


class W7(Workload):
    name, title = "W7", "10,000 open requests, every byte written"
    unit = "resident bytes per byte asked for"
    parts, part_titles = ("W7/W2", "W7/W3"), ("those of W2", "those of W3")

    def judge(self, rows, name):
        most = {"W7/W2": 1.10, "W7/W3": 1.32}[name]
        return verdict(f"at most {most:.2f}", self.ours(rows), "best", most)


class W8(Workload):
    name, title, unit = "W8", "a string grown byte by byte to 64 KiB", "us per string"
    unit_ns = 1000
    per_insn = 64 << 10
    insn_unit = "byte"

    def judge(self, rows, _name):
        return verdict("at most 18 us (1.0x the floor)", self.ours(rows), "best", 18, " us")


WORKLOADS = [W1(), W2(), W3(), W4(), W5(), W6(), W7(), W8()]
