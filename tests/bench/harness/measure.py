"""One measurement of one server: its speed, or its memory when idle."""

import time
from dataclasses import asdict, dataclass

from . import procfs
from .errors import BenchError
from .load import LoadOptions, load_on
from .rows import Row
from .servers import Server, started


@dataclass(frozen=True)
class Bench:
    """Where and how everything is measured."""

    load: LoadOptions
    server_core: int
    idle_seconds: float


class _Others:
    """How much of the two cores goes to neither server nor load."""

    def __init__(self, bench: Bench, *members: int) -> None:
        self._cores = {bench.server_core, bench.load.core}
        self._members = members
        self._before = self._foreign_seconds()

    def _foreign_seconds(self) -> float:
        return (procfs.busy_seconds(self._cores)
                - sum(procfs.cpu_seconds(pid) for pid in self._members))

    def share(self, seconds: float) -> float:
        """Their share of the cores' time in the seconds since the start.
        The kernel counts by ticks, so that it may seem to be below zero."""
        used = self._foreign_seconds() - self._before
        return max(0.0, used / seconds / len(self._cores))


def speed(bench: Bench, server: Server, row: Row) -> dict[str, float]:
    """A fresh server under load: its rate, latencies and CPU time.

    The server's CPU time is taken while the connections stand, before and
    after the requests, so that opening and closing is no part of it unless
    the row is about just that.
    """
    with started(server, row, bench.server_core) as running:
        pid = running.process.pid
        procfs.refuse_hidden_children(pid)
        with load_on(running.port, row, bench.load) as load:
            before = procfs.settled_cpu_seconds(pid)
            faults_before = procfs.page_faults(pid)
            others = _Others(bench, pid, load.pid)
            result = load.run()
            foreign = others.share(result.seconds)
            cpu = procfs.settled_cpu_seconds(pid) - before
            faults = procfs.page_faults(pid) - faults_before
    if cpu <= 0 or result.round_trips == 0:
        raise BenchError("nothing was measured")
    return {**asdict(result), "cpu_seconds": cpu,
            "requests_per_second": result.round_trips / result.seconds,
            "requests_per_cpu_second": result.round_trips / cpu,
            "cpu_us_per_request": cpu / result.round_trips * 1e6,
            "page_faults_per_request": faults / result.round_trips,
            "busy": cpu / result.seconds, "foreign": foreign}


def idle_memory(bench: Bench, server: Server, row: Row) -> dict[str, float]:
    """What a server holds with idle connections that made a round trip each.

    The figures for a connection are all that the server holds, divided by
    their number: a share of what it holds at rest is in them.
    """
    with started(server, row, bench.server_core) as running:
        pid = running.process.pid
        procfs.settled_cpu_seconds(pid)
        rest = procfs.memory(pid)
        with load_on(running.port, row, bench.load):
            time.sleep(bench.idle_seconds)
            full = procfs.memory(pid)
    user = full.user_kib / row.connections
    tables = full.page_tables_kib / row.connections
    stacks = full.kernel_stacks_kib / row.connections
    return {"processes": full.processes, "threads": full.threads,
            "rest_kib": rest.user_kib, "user_kib": user,
            "page_tables_kib": tables, "kernel_stacks_kib": stacks,
            "sum_kib": user + tables + stacks}


def measure(bench: Bench, server: Server, row: Row) -> dict[str, float]:
    """The row's figures for the server."""
    if row.kind == "idle":
        return idle_memory(bench, server, row)
    return speed(bench, server, row)
