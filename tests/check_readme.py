"""The README shows the first example as it is."""
import pathlib
import re
import sys

MOST_LINES = 25

root = pathlib.Path(sys.argv[1])
listings = re.findall(r"^```c\n(.*?)^```$",
                      (root / "README.md").read_text(encoding="utf-8"),
                      re.MULTILINE | re.DOTALL)
example = (root / "examples" / "echo_server.c").read_text(encoding="utf-8")
if listings[:1] != [example]:
    sys.exit("the listing in README.md differs from examples/echo_server.c")
if example.count("\n") > MOST_LINES:
    sys.exit(f"examples/echo_server.c has more than {MOST_LINES} lines")
