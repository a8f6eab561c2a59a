"""What /proc and the CPU clocks tell of a process and its descendants.

CPU time is the sum of two sources, so that nothing is missed:

- the CPU clock of each live process (clock_getcpuclockid), exact to the
  nanosecond; it covers running and exited threads, and zombies;
- cutime and cstime of each, for the children that it has reaped.  The kernel
  keeps them exactly, too, but shows them in ticks of 10 ms.  That matters only
  for a process per request: at most 1 % of a run of two seconds.

Children of a process that ignores SIGCHLD are reaped by the kernel and
counted nowhere, so such a server is refused.
"""

import ctypes
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError

TICK = 1 / os.sysconf("SC_CLK_TCK")

# What the kernel gives each thread on x86-64 and AArch64 with pages of 4 KiB.
KERNEL_STACK_KIB = 16

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Stat:
    """The fields of /proc/PID/stat that matter here."""

    pid: int
    parent: int
    state: str
    reaped_seconds: float
    page_faults: int  # its own and those of the children that it has reaped


@dataclass(frozen=True)
class Memory:
    """What a server's processes hold, in KiB."""

    processes: int
    threads: int
    user_kib: int
    page_tables_kib: int

    @property
    def kernel_stacks_kib(self) -> int:
        """The stacks of all threads in the kernel."""
        return self.threads * KERNEL_STACK_KIB


def read_stat(pid: int) -> Stat | None:
    """The process's state, or None if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in parentheses, may itself hold blanks and parentheses.
    fields = text.rpartition(")")[2].split()
    reaped = (int(fields[13]) + int(fields[14])) * TICK
    faults = int(fields[7]) + int(fields[8])
    return Stat(pid, int(fields[1]), fields[0], reaped, faults)


def family(root: int) -> list[Stat]:
    """The process and all its descendants, zombies too."""
    children: dict[int, list[Stat]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := read_stat(int(entry))):
            children.setdefault(stat.parent, []).append(stat)
    top = read_stat(root)
    found = [top] if top else []
    for stat in found:
        found.extend(children.get(stat.pid, []))
    return found


def clock_seconds(pid: int) -> float:
    """CPU time of one process and its threads, without its children."""
    clock = ctypes.c_int()
    if _libc.clock_getcpuclockid(pid, ctypes.byref(clock)) != 0:
        return 0.0
    try:
        return time.clock_gettime_ns(clock.value) / 1e9
    except OSError:
        return 0.0


def cpu_seconds(root: int) -> float:
    """CPU time of the process, its threads and all descendants so far."""
    return sum(clock_seconds(stat.pid) + stat.reaped_seconds
               for stat in family(root))


def settled_cpu_seconds(root: int, deadline: float = 2.0) -> float:
    """The same, once the server has come to rest: after the last reply,
    children may still have to end and be reaped."""
    end = time.monotonic() + deadline
    before = cpu_seconds(root)
    while True:
        time.sleep(0.02)
        now = cpu_seconds(root)
        if now - before < 0.0002 or time.monotonic() > end:
            return now
        before = now


def page_faults(root: int) -> int:
    """Page faults without input and output of the process, its threads and all
    descendants so far: memory touched first, or copied after a fork."""
    return sum(stat.page_faults for stat in family(root))


def busy_seconds(cores: set[int]) -> float:
    """How long the cores have worked, for whomever, since the system began."""
    busy = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name in {f"cpu{core}" for core in cores}:
            user, nice, system, _idle, _iowait, *rest = map(int, ticks[:8])
            busy += user + nice + system + sum(rest)
    return busy * TICK


def refuse_hidden_children(pid: int) -> None:
    """Fails if the CPU time of the process's children would be lost."""
    ignored = int(_status(pid).get("SigIgn", "0"), 16)
    if ignored & 1 << (signal.SIGCHLD - 1):
        raise BenchError("it ignores SIGCHLD, so that the CPU time of its "
                         "children is counted nowhere")


def _fields(path: str) -> dict[str, str]:
    """The lines "name: value" of a file; none if the process is gone."""
    try:
        lines = Path(path).read_text(errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: value.strip() for name, _, value
            in (line.partition(":") for line in lines)}


def _status(pid: int) -> dict[str, str]:
    return _fields(f"/proc/{pid}/status")


def _kib(fields: dict[str, str], name: str) -> int:
    return int(fields.get(name, "0 kB").split()[0])


def memory(root: int) -> Memory:
    """The memory of the process and all its descendants.

    User space is counted as PSS: a page that several processes share counts
    for each with its part.
    """
    members = [stat.pid for stat in family(root) if stat.state != "Z"]
    states = [_status(pid) for pid in members]
    return Memory(
        processes=len(members),
        threads=sum(int(state.get("Threads", "0")) for state in states),
        user_kib=sum(_kib(_fields(f"/proc/{pid}/smaps_rollup"), "Pss")
                     for pid in members),
        page_tables_kib=sum(_kib(state, "VmPTE") for state in states))
