"""System calls per round trip, counted by strace.

The server runs under strace from its start, which needs no rights beyond the
user's own, twice: with a few requests and with many more.  The difference of
the counts, divided by the difference of the requests, leaves out what
starting, connecting and stopping take.  Speed is not measured here.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .load import load_on
from .measure import Bench
from .rows import Row
from .servers import Server, started

# Calls that come up less often per round trip are not worth telling.
RARE = 0.01


def why_not() -> str | None:
    """Why system calls cannot be counted here, or None if they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    trial = subprocess.run(["strace", "-c", "-o", os.devnull, "--", "true"],
                           capture_output=True, text=True, timeout=30,
                           check=False)
    if trial.returncode != 0:
        return f"strace does not work: {trial.stderr.strip()}"
    return None


def countable(row: Row) -> bool:
    """True for rows in which strace has not to follow very many threads."""
    return row.kind != "idle" and row.connections <= 64


def per_round_trip(bench: Bench, server: Server, row: Row,
                   requests: int) -> dict[str, float]:
    """How often each system call comes up per round trip."""
    few = _counts(bench, server, row, row.connections)
    many = _counts(bench, server, row, row.connections + requests)
    calls = {name: (many[name] - few.get(name, 0)) / requests
             for name in many}
    often = sorted(calls, key=lambda name: -calls[name])
    return {name: calls[name] for name in often if calls[name] >= RARE}


def _counts(bench: Bench, server: Server, row: Row,
            requests: int) -> dict[str, int]:
    """All calls that the server makes from start to end."""
    with tempfile.NamedTemporaryFile("r") as report:
        wrapper = ("strace", "-f", "-c", "-o", report.name, "--")
        with started(server, row, bench.server_core, wrapper) as running:
            with load_on(running.port, row, bench.load, requests) as load:
                load.run()
        return parse_summary(Path(report.name).read_text())


def parse_summary(text: str) -> dict[str, int]:
    """The counts of a table by strace -c, where the fourth column is the
    number of calls and the last the name."""
    counts = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 5 and words[3].isdigit() and words[-1] != "total":
            counts[words[-1]] = int(words[3])
    return counts
