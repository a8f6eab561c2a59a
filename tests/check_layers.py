"""Walks the #include lines: no file of lib/ includes a header of a floor above
its own, strategies see no more of the server than a user's own would, the
public headers and the examples include nothing of lib/.  docs/design.md tells
what the floors are."""
import pathlib
import re
import sys

PLATFORM, MECHANISM, CORE, STRATEGY = 1, 2, 3, 4

# The floor of each noun, which is the first word of a file's name.
FLOORS = {
    PLATFORM: "error clock cpu fd far sigpipe wakeup address buffer list pool",
    MECHANISM: "stream listener queue children coro stack timers poller loop "
               "optimism lookout helpers signal packets ring",
    CORE: "request rfile wfile server log signals transport overflow",
}
FLOOR = {noun: floor for floor, nouns in FLOORS.items()
         for noun in nouns.split()}

PUBLIC_MAY_INCLUDE = {"stddef.h", "sys/types.h", "sockserver.h"}


def includes(path):
    """The names in the file's #include lines, "local" and <system> ones."""
    text = path.read_text()
    return (re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.MULTILINE),
            re.findall(r"^\s*#\s*include\s+<([^>]+)>", text, re.MULTILINE))


def floor_of(path):
    """None for a noun that FLOORS lacks."""
    noun = path.stem.partition("_")[0]
    return STRATEGY if noun == "strategy" else FLOOR.get(noun)


def faults_of_library_file(path):
    own = floor_of(path)
    if own is None:
        yield f"{path}: on no floor; give its noun one in this script"
        return
    local, system = includes(path)
    for name in local:
        floor = floor_of(pathlib.Path(name))
        if floor is None:
            yield f"{path}: includes {name}, which is on no floor"
        elif floor > own:
            yield f"{path}: floor {own} includes {name} of floor {floor}"
        elif own == STRATEGY and floor == CORE:
            yield f"{path}: a strategy includes {name} of the core"
    if own < CORE and "sockserver/strategy.h" in system:
        yield f"{path}: floor {own} includes sockserver/strategy.h"


def faults_of_public_header(path):
    local, system = includes(path)
    for name in [*local, *(set(system) - PUBLIC_MAY_INCLUDE)]:
        yield f"{path}: includes {name}"


def faults_of_example(path, library):
    for name in includes(path)[0]:
        if not (path.parent / name).exists() and (library / name).exists():
            yield f"{path}: includes {name} of the library"


def main():
    root = pathlib.Path(sys.argv[1])
    faults = []
    for path in sorted((root / "lib").glob("*.[chS]")):
        faults += faults_of_library_file(path)
    for path in sorted((root / "include").rglob("*.h")):
        faults += faults_of_public_header(path)
    for path in sorted((root / "examples").rglob("*.[ch]")):
        faults += faults_of_example(path, root / "lib")
    sys.exit("\n".join(faults) or 0)


main()
