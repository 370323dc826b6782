"""What the figures depend on: the machine, the compiler, the versions of the peers."""
import functools
import json
import os
import pathlib
import platform
import shutil
import subprocess
import time

PACKAGES = {"GLib": "glib-2.0", "APR": "apr-1", "APR-util": "apr-util-1", "talloc": "talloc", "jemalloc": "jemalloc",
            "jansson": "jansson", "Abseil": "absl_flat_hash_map", "fmt": "fmt", "RapidJSON": "RapidJSON",
            "libevent": "libevent_core", "DPDK": "libdpdk", "libmicrohttpd": "libmicrohttpd", "Lua": "lua5.4",
            "cmark": "libcmark"}
MACROS = {"mimalloc": ("mimalloc.h", "MI_MALLOC_VERSION"), "Boost": ("boost/version.hpp", "BOOST_LIB_VERSION"),
          "uthash": ("uthash.h", "UTHASH_VERSION")}
COMMANDS = {"LLVM": ("llvm-config-14", "llvm-config"), "valgrind": ("valgrind",), "heaptrack": ("heaptrack",)}
# Whose loops all flags are told of.
SOURCE = "peer_ebb_scope.c"


def output(command, given=None):
    try:
        return subprocess.run(command, input=given, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def macro(header, name):
    """Its value with the header, or nothing."""
    text = output(["c++", "-E", "-P", "-x", "c++", "-"], f"#include <{header}>\nebb_value {name}\n")
    value = text.splitlines()[-1].removeprefix("ebb_value ").strip('"') if text else ""
    return "" if value == name else value.replace("_", ".")


def program_version(names):
    found = next((n for n in names if shutil.which(n)), None)
    words = output([found, "--version"]).split() if found else []
    return words[-1].removeprefix("valgrind-") if words else ""


@functools.cache
def versions():
    """{peer: version} of those that are here."""
    found = {name: output(["pkg-config", "--modversion", package]) for name, package in PACKAGES.items()}
    found.update({name: macro(*of) for name, of in MACROS.items()})
    if found["mimalloc"].isdigit():
        found["mimalloc"] = ".".join(found["mimalloc"])
    found.update({name: program_version(names) for name, names in COMMANDS.items()})
    # It doesn't say itself.
    found["robin-map"] = output(["dpkg-query", "-W", "-f", "${source:Upstream-Version}", "robin-map-dev"])
    found["glibc"] = platform.libc_ver()[1]
    return {name: version for name, version in found.items() if version}


def compile_flags(folder):
    """The flags that shape the code of the loops, as they really were."""
    keep = []
    for entry in json.loads((folder / "compile_commands.json").read_text()):
        if entry["file"].endswith(SOURCE) and "static" in entry["output"]:
            keep = [w for w in entry["command"].split() if w.startswith(("-O", "-f", "-std", "-march", "-m"))
                    and not w.startswith("-fdiagnostics")]
    return " ".join(dict.fromkeys(keep))


def machine(folder, load):
    model = "?"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "CPU part")):
            model = line.split(":")[1].strip()
            break
    return {"cpu": model, "cpus": len(os.sched_getaffinity(0)), "system": f"{os.uname().sysname} {os.uname().release}",
            "compiler": (output(["cc", "--version"]) or "?").splitlines()[0], "flags": compile_flags(folder),
            "load": load, "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
