"""The README shows the first example as it is, and has a line for each program
of examples/."""
import pathlib
import re
import sys

MOST_LINES = 25

root = pathlib.Path(sys.argv[1])
readme = (root / "README.md").read_text(encoding="utf-8")
listings = re.findall(r"^```c\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
example = (root / "examples" / "echo_server.c").read_text(encoding="utf-8")
if listings[:1] != [example]:
    sys.exit("the listing in README.md differs from examples/echo_server.c")
if example.count("\n") > MOST_LINES:
    sys.exit(f"examples/echo_server.c has more than {MOST_LINES} lines")

for lists in sorted(root.glob("examples/**/CMakeLists.txt")):
    programs = re.findall(r"^\w+_add_program\(([\w-]+)",
                          lists.read_text(encoding="utf-8"), re.MULTILINE)
    for program in programs:
        if not re.search(rf"^\|[^|]*`{program}`", readme, re.MULTILINE):
            sys.exit(f"README.md has no line for the program {program}")
