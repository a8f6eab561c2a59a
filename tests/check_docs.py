"""The documents name only what the headers declare or the build knows, and
from-python.md names whatever Python's socketserver has."""
import io
import pathlib
import re
import socketserver
import sys

# What from-python.md was written from; others may have more.
PYTHON = (3, 11)

# Set by methods, not by classes.
INSTANCE_ATTRIBUTES = {
    "server_address", "RequestHandlerClass", "socket", "request",
    "client_address", "server", "connection", "rfile", "wfile", "packet"}


def declared(root):
    """Every name of the project in the public headers, and the options of its
    build."""
    files = [root / "CMakeLists.txt", *(root / "include").rglob("*.h")]
    text = "".join(file.read_text() for file in files)
    return set(re.findall(r"\b(?:sks|SKS)_\w+", text))


def unknown_names(page, known):
    for name in re.findall(r"\b(?:sks|SKS)_(?!_)\w+", page.read_text()):
        # "SKS_E*" and "sks_*_server_new" stand for many.
        if name not in known and not any(k.startswith(name) for k in known):
            yield f"{page.name}: {name} is not in the headers"


def python_names():
    """The public classes of the module, and their methods and attributes."""
    yield from INSTANCE_ATTRIBUTES
    for name, value in vars(socketserver).items():
        if (isinstance(value, type) and not name.startswith("_")
                and not issubclass(value, io.IOBase)):
            yield name
            yield from (member for member in vars(value)
                        if not member.startswith("_"))


def main():
    root = pathlib.Path(sys.argv[1])
    known = declared(root)
    faults = []
    for page in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        faults += unknown_names(page, known)
    if sys.version_info[:2] == PYTHON:
        text = (root / "docs" / "from-python.md").read_text()
        faults += [f"from-python.md lacks {name}"
                   for name in sorted(set(python_names()))
                   if not re.search(rf"\b{name}\b", text)]
    sys.exit("\n".join(faults) or 0)


main()
