"""The shared library exports what the public headers declare, no more and no
less, needs nothing but the C library and what a build option asks for, and the static library's global names
all start with the project's prefix."""
import argparse
import pathlib
import re
import subprocess
import sys

# The C library's parts, and the compiler's own.
NEEDED = re.compile(r"libc\.|libpthread\.|librt\.|ld-|libgcc_s\.")


def output_of(*command):
    return subprocess.run(command, check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def declared(include):
    """The functions that the headers below include mark as exported."""
    names = set()
    for header in pathlib.Path(include).rglob("*.h"):
        names.update(re.findall(r"^SKS_API\b[^;{]*?\b(\w+)\s*\(",
                                header.read_text(), re.MULTILINE))
    return names


def defined(nm, library, *options):
    """The global symbols that a library defines."""
    lines = output_of(nm, "--defined-only", "--extern-only",
                      "--format=posix", *options, library).splitlines()
    return {line.split()[0] for line in lines if len(line.split()) > 1}


def needed(readelf, library):
    """The shared libraries that a library cannot do without."""
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]",
                          output_of(readelf, "--dynamic", library)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nm", required=True)
    parser.add_argument("--readelf", required=True)
    parser.add_argument("--may-need", action="append", default=[],
                        metavar="NAME", help="a library of a build option")
    parser.add_argument("include")
    parser.add_argument("shared")
    parser.add_argument("static")
    args = parser.parse_args()
    wanted = declared(args.include)
    exported = defined(args.nm, args.shared, "--dynamic")
    faults = [f"declared, but not exported: {name}"
              for name in sorted(wanted - exported)]
    faults += [f"exported, but not declared: {name}"
               for name in sorted(exported - wanted)]
    faults += [f"without the prefix: {name}"
               for name in sorted(defined(args.nm, args.static))
               if not name.startswith("sks_")]
    faults += [f"needs {name}"
               for name in sorted(needed(args.readelf, args.shared))
               if not NEEDED.match(name)
               and name.partition(".")[0] not in args.may_need]
    if not wanted:
        faults.append("no declaration was found")
    sys.exit("\n".join(faults) or 0)


main()
