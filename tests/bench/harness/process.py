"""Starting processes on a core, talking with them, and stopping them.

Every wait has a deadline.  What is started in a `with` block is ended and
reaped at its end, whatever happened inside: orphans of a server, too, since
they become the harness's own children.
"""

import ctypes
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from . import procfs
from .errors import BenchError

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Makes this process the parent of its descendants' orphans."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@dataclass
class Process:
    """A running program with its standard output at hand."""

    popen: subprocess.Popen[bytes]
    errors: IO[bytes]
    _pending: bytes = b""

    @property
    def pid(self) -> int:
        """The program's process id."""
        return self.popen.pid

    def read_line(self, seconds: float) -> str | None:
        """The next line of standard output; None when the program ended."""
        end = time.monotonic() + seconds
        while b"\n" not in self._pending:
            chunk = self._read_some(end - time.monotonic())
            if not chunk:
                return None
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode(errors="replace")

    def _read_some(self, seconds: float) -> bytes:
        assert self.popen.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.popen.stdout, selectors.EVENT_READ)
            if not selector.select(max(seconds, 0)):
                raise BenchError("no answer in time" + self.complaint())
        return os.read(self.popen.stdout.fileno(), 65536)

    def write_line(self, text: str) -> None:
        """Tells the program a line on its standard input."""
        assert self.popen.stdin is not None
        try:
            self.popen.stdin.write(text.encode() + b"\n")
            self.popen.stdin.flush()
        except BrokenPipeError:
            raise BenchError("it ended early" + self.complaint()) from None

    def complaint(self) -> str:
        """The last lines of standard error, ready to be appended."""
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").split("\n")
        text = " / ".join(line.strip() for line in lines if line.strip())
        return f": {text[-500:]}" if text else ""


def _prepare_child(core: int | None) -> None:
    """In the child before exec: the core, and an end with the harness."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if core is not None:
        os.sched_setaffinity(0, {core})


@contextmanager
def running(command: Sequence[str], core: int | None,
            traced: bool = False) -> Iterator[Process]:
    """Runs a program on a core until the block ends.

    If traced, the command is a tracer and its first child the program that is
    to be stopped: the tracer then ends by itself.
    """
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=errors, start_new_session=True,
                preexec_fn=lambda: _prepare_child(core)) as popen:
            try:
                yield Process(popen, errors)
            finally:
                _stop(popen, traced)


def _stop(popen: subprocess.Popen[bytes], traced: bool,
          patience: float = 5.0) -> None:
    """Ends a program and whatever it started, politely at first."""
    members = [stat.pid for stat in procfs.family(popen.pid)]
    if popen.poll() is None:
        target = members[1] if traced and len(members) > 1 else popen.pid
        _signal(target, signal.SIGTERM)
    try:
        popen.wait(patience)
    except subprocess.TimeoutExpired:
        for pid in members:
            _signal(pid, signal.SIGKILL)
        popen.wait()
    _end_orphans(members, patience)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _end_orphans(members: Sequence[int], patience: float) -> None:
    """Waits for the former members of a server's family, then kills them."""
    end = time.monotonic() + patience
    left = [pid for pid in members if _is_ours(pid)]
    while left and time.monotonic() < end:
        time.sleep(0.005)
        left = [pid for pid in left if _is_ours(pid)]
    for pid in left:
        _signal(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _is_ours(pid: int) -> bool:
    """True while the process is this one's child and still runs."""
    try:
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return False
