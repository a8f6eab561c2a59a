"""The load generator, steered through its ready, go, result and end."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError
from .process import Process, running
from .rows import Row

# Beyond what the load generator allows itself before it gives up.
GRACE_SECONDS = 30.0


def stall_seconds(row: Row) -> float:
    """For how long silence is no fault: ten thousand threads take a while to
    get under way."""
    return 5 + row.connections / 500


@dataclass(frozen=True)
class LoadOptions:
    """What all runs of the load generator have in common."""

    program: Path
    core: int
    size: int
    seconds: float
    warmup: float
    spin: float

    def command(self, row: Row, port: int, count: int | None) -> list[str]:
        """The command line for a run of the row."""
        limits = [f"--seconds={self.seconds}", f"--warmup={self.warmup}"]
        if count is not None:
            limits = ["--seconds=0", f"--count={count}"]
        return [str(self.program), f"--mode={row.mode}", "--steered",
                f"--connections={row.connections}", f"--size={self.size}",
                f"--stall={stall_seconds(row)}", f"--spin={self.spin}",
                *limits, "127.0.0.1", str(port)]


@dataclass(frozen=True)
class Result:
    """What the load generator saw."""

    round_trips: int
    seconds: float
    lost: int
    p50_us: float
    p99_us: float
    p99_9_us: float
    max_us: float


class Load:
    """A load generator whose connections stand."""

    def __init__(self, process: Process, patience: float) -> None:
        self._process = process
        self._patience = patience

    @property
    def pid(self) -> int:
        """The load generator's process."""
        return self._process.pid

    def run(self) -> Result:
        """Runs it once; the connections stay open until the block ends."""
        self._process.write_line("go")
        return Result(**json.loads(self._answer()))

    def wait_until_ready(self) -> None:
        """Waits until all connections are open and warm."""
        self._answer()

    def _answer(self) -> str:
        line = self._process.read_line(self._patience)
        if line is None:
            raise BenchError("the load generator ended"
                             + self._process.complaint())
        return line


@contextmanager
def load_on(port: int, row: Row, options: LoadOptions,
            count: int | None = None) -> Iterator[Load]:
    """Opens the row's connections, and closes them after the block."""
    patience = (options.seconds + options.warmup + row.connections / 50
                + stall_seconds(row) + GRACE_SECONDS)
    with running(options.command(row, port, count), options.core) as process:
        load = Load(process, patience)
        load.wait_until_ready()
        yield load
