"""The requests that the demo and the tests send to vmd: (method, path, body). The seeds are fixed, so every run
and every row sends the same."""
import json
import pathlib
import random

MACHINES = 40
VALUE_WORDS = "web database cache batch canary eu-west primary standby 2024 rack owner-payments tier gold".split()


def words(rng, length):
    text = " ".join(rng.choice(VALUE_WORDS) for _ in range(length // 4 + 1))
    return text[:length]


def machine(rng, number, labels, length):
    metadata = {f"label-{i:02d}": words(rng, rng.randint(length // 2, length)) for i in range(labels)}
    return json.dumps({"name": f"vm-{number:03d}", "tenant": f"tenant-{number % 7}", "cpus": rng.randint(1, 32),
                       "memory_mb": rng.randint(1, 64) * 512, "metadata": metadata})


def batch(rng, count, note=0):
    vms = []
    for _ in range(count):
        vm = {"name": f"batch-{rng.randint(0, 999):03d}", "cpus": rng.randint(1, 8),
              "memory_mb": rng.randint(1, 16) * 512}
        if rng.random() < 0.3:
            vm["zone"] = f"zone-{rng.randint(0, 3)}"
        if rng.random() < 0.5:
            vm["group"] = f"service-{rng.randint(0, count // 4)}"
        if note:
            vm["note"] = words(rng, note)
        vms.append(vm)
    return json.dumps({"strategy": rng.choice(["pack", "spread"]), "vms": vms})


def change(rng):
    metadata = {f"label-{rng.randint(0, 31):02d}": rng.choice([None, words(rng, 60)]) for _ in range(4)}
    return json.dumps({"status": rng.choice(["starting", "running", "stopped"]), "metadata": metadata})


def good():
    """The mix of the timed runs: bodies from a few hundred bytes to 20 KiB, and the questions in between."""
    rng, found = random.Random(7), []
    for number in range(MACHINES):
        labels, length = [(3, 40), (6, 60), (12, 120), (32, 250)][number % 4]
        found.append(("POST", "/vms", machine(rng, number, labels, length)))
        count, note = [(5, 0), (10, 60), (20, 0), (50, 0), (100, 100)][number % 5]
        found.append(("POST", "/schedule", batch(rng, count, note)))
        found.append(("GET", f"/vms/vm-{rng.randint(0, number):03d}", ""))
        if number % 4 == 3:
            found.append(("PATCH", f"/vms/vm-{number:03d}", change(rng)))
        if number % 10 == 9:
            found.append(("GET", "/vms?limit=20", ""))
            found.append(("GET", "/vms?limit=20&tenant=tenant-3&status=running", ""))
    return found


def policy():
    """A placement policy that answers as the server's own."""
    return (pathlib.Path(__file__).resolve().parent / "policy.lua").read_text()


def with_policy(body, script=None):
    return json.dumps({**json.loads(body), "policy": policy() if script is None else script})


def good_policies():
    """Small batches, each with a script to place it: what a tenant's controller sends again and again."""
    rng = random.Random(13)
    return [("POST", "/schedule?policy=lua", with_policy(batch(rng, 1 + number % 3))) for number in range(30)]


def good_reports():
    """The machines that a report is of, and the report. The machines once."""
    rng = random.Random(17)
    machines = [("POST", "/vms", machine(rng, number, 4 + number % 5, 40)) for number in range(MACHINES)]
    return machines, [("GET", "/report", "")]


def vm(**changes):
    return json.dumps({"name": "a", "tenant": "t", "cpus": 2, "memory_mb": 512, **changes})


def job(**changes):
    return json.dumps({"vms": [{"name": "b", "cpus": 2, "memory_mb": 512, **changes}]})


def bad():
    """What must be refused: (what it is, method, path, body, status, words of the error)."""
    return [
        ("broken JSON", "POST", "/vms", '{"name":\n "a"', 400, ["line 2"]),
        ("no body", "POST", "/vms", "", 400, ["line 1"]),
        ("not an object", "POST", "/vms", "[]", 422, ["object"]),
        ("a bare number", "POST", "/vms", "7", 400, ["line 1"]),
        ("bytes that are no UTF-8", "POST", "/vms", b'{"name": "\xff\xfe"}', 400, ["line 1"]),
        ("half a character", "POST", "/vms", b'{"name": \xc3', 400, ["line 1"]),
        ("a NUL in a string", "POST", "/vms", '{"name": "a\\u0000b"}', 400, ["line 1"]),
        ("a member twice", "POST", "/vms", '{"name": "a", "name": "b"}', 400, ["duplicate"]),
        ("ten thousand brackets", "POST", "/vms", "[" * 10000, 400, ["depth"]),
        ("a number without end", "POST", "/vms", '{"cpus": ' + "9" * 5000 + "}", 400, ["big"]),
        ("a wrong type", "POST", "/vms", vm(cpus="two"), 422, ["integer"]),
        ("a fraction", "POST", "/vms", vm(cpus=1.5), 422, ["integer"]),
        ("a null", "POST", "/vms", vm(tenant=None), 422, ["string"]),
        ("a missing member", "POST", "/vms", '{"name": "a"}', 422, ["tenant"]),
        ("an over-long name", "POST", "/vms", vm(name="n" * 65), 422, ["name", "64"]),
        ("an empty name", "POST", "/vms", vm(name=""), 422, ["name"]),
        ("a name with a slash", "POST", "/vms", vm(name="a/b"), 422, ["name"]),
        ("an over-long tenant", "POST", "/vms", vm(tenant="t" * 5000), 422, ["tenant", "64"]),
        ("no cpus", "POST", "/vms", vm(cpus=0), 422, ["cpus"]),
        ("too much memory", "POST", "/vms", vm(memory_mb=1 << 23), 422, ["memory_mb"]),
        ("metadata that is a list", "POST", "/vms", vm(metadata=[]), 422, ["metadata"]),
        ("metadata of a wrong type", "POST", "/vms", vm(metadata={"k": 1}), 422, ["metadata"]),
        ("an over-long label", "POST", "/vms", vm(metadata={"k" * 65: "v"}), 422, ["metadata"]),
        ("an over-long value", "POST", "/vms", vm(metadata={"k": "v" * 257}), 422, ["metadata"]),
        ("too much metadata", "POST", "/vms", vm(metadata={str(i): "" for i in range(33)}), 422, ["32"]),
        ("a body over the limit", "POST", "/vms", " " * 70000, 413, ["too large"]),
        ("no batch", "POST", "/schedule", "{}", 422, ["array"]),
        ("an empty batch", "POST", "/schedule", '{"vms": []}', 422, ["1 to 100"]),
        ("too large a batch", "POST", "/schedule", json.dumps({"vms": [{}] * 101}), 422, ["1 to 100"]),
        ("a batch of nonsense", "POST", "/schedule", '{"vms": [7]}', 422, ["vms[0]"]),
        ("a machine of no size", "POST", "/schedule", job(cpus=-1), 422, ["vms[0]", "positive"]),
        ("an unknown zone", "POST", "/schedule", job(zone="zone-9"), 422, ["zone"]),
        ("a zone of a wrong type", "POST", "/schedule", job(zone=3), 422, ["zone"]),
        ("an unknown strategy", "POST", "/schedule", '{"strategy": "luck", "vms": []}', 422, ["strategy"]),
        ("a group of a wrong type", "POST", "/schedule", job(group=3), 422, ["group"]),
        ("an over-long group", "POST", "/schedule", job(group="g" * 65), 422, ["group", "64"]),
        ("an unknown policy", "POST", "/schedule?policy=luck", job(), 422, ["policy must be lua"]),
        ("a policy without a script", "POST", "/schedule?policy=lua", job(), 422, ["policy", "script"]),
        ("to change an unknown machine", "PATCH", "/vms/none", "{}", 404, ["none"]),
        ("to change it to nonsense", "PATCH", "/vms/vm-000", '{"status": "happy"}', 422, ["status", "running"]),
        ("to change its size to none", "PATCH", "/vms/vm-000", '{"cpus": 0}', 422, ["cpus"]),
        ("to give it too much metadata", "PATCH", "/vms/vm-000",
         json.dumps({"metadata": {str(i): "" for i in range(33)}}), 422, ["32"]),
        ("to give it a wrong label", "PATCH", "/vms/vm-000", '{"metadata": {"k": 1}}', 422, ["metadata"]),
        ("machines of an unknown status", "GET", "/vms?status=happy", "", 400, ["status"]),
        ("an unknown machine", "GET", "/vms/none", "", 404, ["none"]),
        ("a name that is none", "GET", "/vms/a%2fb", "", 400, ["name"]),
        ("a page of nothing", "GET", "/vms?limit=0", "", 400, ["limit"]),
        ("a page of words", "GET", "/vms?limit=ten", "", 400, ["limit"]),
        ("a page after nobody", "GET", "/vms?after=nobody", "", 404, ["nobody"]),
        ("to delete an unknown machine", "DELETE", "/vms/none", "", 404, ["none"]),
        ("a tenant's configuration of a wrong type", "PUT", "/tenants/t", '{"cpus": "x"}', 422, ["cpus", "integers"]),
        ("a tenant that may have nothing", "PUT", "/tenants/t", '{"cpus": 0}', 422, ["cpus"]),
        ("a node of no memory", "PUT", "/nodes/node-001", '{"memory_mb": 0}', 422, ["memory_mb"]),
        ("a tenant whose name is none", "GET", "/tenants/a%2fb", "", 400, ["name"]),
        ("an unknown node", "GET", "/nodes/node-999", "", 404, ["node-000"]),
        ("a node that is none", "PUT", "/nodes/node-0x1", "{}", 404, ["node-000"]),
        ("an unknown path", "GET", "/x", "", 404, ["/vms"]),
        ("a wrong method", "PUT", "/vms", "{}", 405, []),
    ]


def script(text):
    return json.dumps({"policy": text, "vms": [{"name": "b", "cpus": 2, "memory_mb": 512}]})


FOR_EVER = "the policy took more than 5000000 instructions"
TOO_LONG = "the policy took more than 2 s"
TOO_MUCH = "the policy needs more memory than the 4194304 bytes"
CHOOSES = "return function(vm, nodes) return %s end"


def hostile():
    """Policies that are refused: (what it is, script, words of the error)."""
    return [
        ("no policy at all", "", ["must return a function, not a nil"]),
        ("a syntax error", "return function( end", ["policy:1:", "near 'end'"]),
        ("brackets without end", "return " + "(" * 10000, ["C stack overflow"]),
        ("bytecode", "\x1bLua", ["binary chunk"]),
        ("an error of its own", "local x = 1\nerror('not today')", ["policy:2: not today"]),
        ("a runtime error", CHOOSES % "vm.nothing.x", ["policy:1:", "nil value (field 'nothing')"]),
        ("an error that is a table", "error({})", ["an error that is a table, not a string"]),
        ("an error that is nothing", "error()", ["an error that is a nil"]),
        ("an error of strange bytes", "error('\\255\\0\\n')", ["policy:1: ?"]),
        ("a coroutine", "return coroutine.wrap(function() error('x') end)()", ["nil value (global 'coroutine')"]),
        ("what is no function", "return 7", ["must return a function, not a number"]),
        ("an answer that is no table", CHOOSES % "7", ["the nodes to choose, and why, not a number"]),
        ("an answer without a reason", CHOOSES % "{}", ["must return why as a string, not a nil"]),
        ("a reason that is no text", CHOOSES % "{}, '\\255'", ["UTF-8 of at most 256"]),
        ("a reason with a NUL", CHOOSES % "{}, 'a\\0b'", ["UTF-8 of at most 256"]),
        ("a reason without end", CHOOSES % "{}, ('x'):rep(257)", ["UTF-8 of at most 256"]),
        ("too many nodes", CHOOSES % "{{}, {}, {}, {}, {}}, ''", ["more than 4 nodes"]),
        ("a node that is none", CHOOSES % "{7}, ''", ["a table of index and score"]),
        ("a node that is not there", CHOOSES % "{{index = 33, score = 1}}, ''", ["index must be an integer from 1 to 32"]),
        ("a score that is half one", CHOOSES % "{{index = 1, score = 1.5}}, ''", ["score must be an integer"]),
        ("a loop without end", "while true do end", [FOR_EVER]),
        ("one while placing", CHOOSES % "(function() while true do end end)()", [FOR_EVER]),
        ("one that catches its end", "while true do pcall(function() while true do end end) end", [FOR_EVER]),
        ("one that catches errors", "while true do pcall(error) for i = 1, 100 do end end", [FOR_EVER]),
        ("pcall of pcall", "local function f() pcall(f) while true do end end f()", [FOR_EVER]),
        ("a table without end", "local t = {} while true do t[#t + 1] = {} end", [TOO_MUCH]),
        ("one that catches that", "while true do local t = {} pcall(function() while true do t[#t + 1] = {} end end) end",
         [TOO_MUCH]),
        ("a string that doubles", "local s = 'x' while true do s = s .. s end", [TOO_MUCH]),
        ("a string of 64 MiB", "return ('x'):rep(1024):rep(65536)", [TOO_MUCH]),
        ("one that catches that", "while true do pcall(string.rep, ('x'):rep(1024), 65536) end", [TOO_MUCH]),
        ("a string of nothing, for ever", "return (''):rep(1 << 50)", ["at most 65536 times"]),
        ("recursion without end", "local function f(n) return 1 + f(n + 1) end return f(1)", [TOO_MUCH]),
        ("long instructions", "local s = ('x'):rep(3000) local a, b = s:rep(100), s:rep(100)\n"
         "while true do local same = a == b end", [TOO_LONG]),
        ("a table that says it is long", "local t = {%s} table.insert(t, 1, 1)" % ", ".join(
            f"[{1 << i}] = 1" for i in range(53)), ["at most 65536 entries"]),
        ("a pattern", "return ('a'):rep(40):match(('a?'):rep(40))", ["nil value (method 'match')"]),
        ("a pattern to find", "return ('a'):find('a?')", ["no patterns here"]),
        ("a finalizer", "setmetatable({}, {__gc = function() while true do end end})", ["global 'setmetatable'"]),
        ("a handler of messages", "xpcall(error, function() while true do end end)", ["global 'xpcall'"]),
        ("the metatable of strings", "getmetatable('').__index = nil", ["global 'getmetatable'"]),
        ("another script", "load('return 1')()", ["global 'load'"]),
        ("a file", "io.open('/etc/passwd')", ["global 'io'"]),
        ("the end of the process", "os.exit(1)", ["global 'os'"]),
        ("a module", "require('socket')", ["global 'require'"]),
    ]


def broken(count):
    """Good bodies with bytes overwritten, cut out or doubled: whatever comes of them, both modes agree on it."""
    rng = random.Random(11)
    posts = [r for r in good() if r[0] == "POST"]
    found = []
    for _ in range(count):
        method, path, body = rng.choice(posts)
        data = bytearray(body.encode())
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data))
            change = rng.randrange(3)
            if change == 0:
                data[at] = rng.choice(b'{}[],:"\\ 0a\xff')
            elif change == 1:
                del data[at:at + rng.randint(1, 40)]
            else:
                data[at:at] = data[at:at + rng.randint(1, 40)]
            data = data or bytearray(b" ")
        found.append((method, path, bytes(data)))
    return found
