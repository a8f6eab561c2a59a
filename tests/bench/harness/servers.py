"""The servers that are compared, and how each is started.

A name is the house and the model: "sks:threading" is this library's,
"c:thread" a bare program in C, "python:ThreadingTCPServer" Python's.
"""

import re
import resource
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .errors import CannotStart
from .process import Process, running
from .rows import Row

STRATEGIES = ("synchronous", "forking", "threading", "thread-pool", "prefork",
              "coroutine", "prefork:coroutine")

# How the number of workers follows from the number of connections.
SINGLE, EACH, POOL, LOOP = "single", "each", "pool", "loop"

# The bare loop that all servers of a protocol are compared with.
FLOORS = {"tcp": "c:epoll", "udp": "c:recvmmsg"}

# Descriptors that a program needs beside its connections.
SPARE_DESCRIPTORS = 64

START_SECONDS = 20.0


@dataclass(frozen=True)
class Server:
    """How to start a server, and whom to compare it with.

    In the command, {port} and {workers} are filled in.  An item that holds
    {workers} is left out, with the one before it, where the number of workers
    is the server's own affair.
    """

    name: str
    families: dict[str, list[str]]  # protocol: command
    model: str  # SINGLE, EACH, POOL or LOOP
    peers: dict[str, str]  # protocol: the bare peer's name
    max_connections: int = 1_000_000
    required: bool = True  # failing to start is a fault, not an absence
    rows: tuple[str, ...] = ()  # only rows of these kinds; (): of all

    def reason_against(self, row: Row) -> str | None:
        """Why this server has no part in the row, or None if it has."""
        if self.rows and row.kind not in self.rows:
            return f"only for {', '.join(self.rows)}"
        if not row.keeps_connections:
            return None
        if self.model == SINGLE and row.connections > 1:
            return "serves one connection at a time"
        if row.connections > self.max_connections:
            return f"not beyond {self.max_connections:,} connections"
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if row.connections + SPARE_DESCRIPTORS > limit:
            return f"the limit on descriptors is {limit:,}"
        return None

    def workers(self, row: Row) -> int | None:
        """How many workers the row needs; None: the server's own default."""
        if self.model == EACH:
            # Workers that are about to end still count against a limit.
            return 2 * row.connections + 16
        if self.model == POOL and row.keeps_connections:
            return row.connections
        if self.model == POOL and row.family == "tcp":
            # More would idle, and one of them be woken for each connection.
            return max(1, row.connections // 2)
        return None

    def command(self, row: Row) -> list[str]:
        """The command line for the row."""
        workers = self.workers(row)
        words: list[str] = []
        for word in self.families[row.family]:
            if "{workers}" in word and workers is None:
                words.pop()
            else:
                words.append(word.format(port=0, workers=workers))
        return words


@dataclass(frozen=True)
class Running:
    """A server that listens."""

    process: Process
    port: int


@contextmanager
def started(server: Server, row: Row, core: int,
            wrapper: tuple[str, ...] = ()) -> Iterator[Running]:
    """Starts the server on the core, and stops it after the block.

    A wrapper is the beginning of a tracer's command line.
    """
    command = server.command(row)
    if shutil.which(command[0]) is None:
        raise CannotStart(f"{Path(command[0]).name} is not there")
    with running([*wrapper, *command], core, traced=bool(wrapper)) as process:
        line = process.read_line(START_SECONDS)
        if line is None:
            raise CannotStart("it does not start" + process.complaint())
        yield Running(process, parse_port(line))


def parse_port(line: str) -> int:
    """The port of the last host:port on the line."""
    ports = re.findall(r"[\w.\]*]:(\d{1,5})\b", line)
    if not ports:
        raise CannotStart(f"no address in its line: {line}")
    return int(ports[-1])


def _peer(build: Path, name: str, model: str) -> Server:
    program = str(build / f"bench_peer_tcp_{name.replace('-', '_')}")
    words = [program, "{port}"]
    if model == POOL:
        words.append("{workers}")
    return Server(f"c:{name}", {"tcp": words}, model, {"tcp": f"c:{name}"},
                  required=name != "io_uring")


def _udp_peer(build: Path, name: str) -> Server:
    words = [str(build / f"bench_peer_udp_{name}"), "{port}"]
    return Server(f"c:{name}", {"udp": words}, LOOP, {"udp": f"c:{name}"})


def bare_peers(build: Path) -> list[Server]:
    """The programs of peers/ in C."""
    return [_peer(build, "iterative", SINGLE), _peer(build, "fork", EACH),
            _peer(build, "thread", EACH), _peer(build, "thread-pool", POOL),
            _peer(build, "prefork", POOL), _peer(build, "epoll", LOOP),
            _peer(build, "io_uring", LOOP),
            _udp_peer(build, "recvfrom"), _udp_peer(build, "recvmmsg")]


def python_peers(source: Path) -> list[Server]:
    """Python's socketserver."""
    script = str(source / "peers" / "python_echo.py")

    def make(name: str, model: str, peer: str, limit: int) -> Server:
        family = "udp" if "UDP" in name else "tcp"
        words = [sys.executable, script, name, "{port}"]
        return Server(f"python:{name}", {family: words}, model,
                      {family: peer}, max_connections=limit)

    return [make("TCPServer", SINGLE, "c:iterative", 1),
            make("ForkingTCPServer", EACH, "c:fork", 1000),
            make("ThreadingTCPServer", EACH, "c:thread", 10_000),
            make("UDPServer", LOOP, "c:recvfrom", 1),
            make("ThreadingUDPServer", LOOP, "c:recvfrom", 1)]


_MODELS = {"synchronous": (SINGLE, "c:iterative", "c:recvfrom"),
           "forking": (EACH, "c:fork", "c:recvfrom"),
           "threading": (EACH, "c:thread", "c:recvfrom"),
           "thread-pool": (POOL, "c:thread-pool", "c:recvmmsg"),
           "prefork": (POOL, "c:prefork", "c:recvmmsg")}


def discover(echod: Path) -> list[str]:
    """The strategies that the program names where its help explains
    --strategy; none if there is no such program."""
    try:
        done = subprocess.run([echod, "--help"], capture_output=True,
                              text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    paragraph = re.search(r"--strategy.*?(?=\n\s*--|\Z)", done.stdout,
                          re.DOTALL)
    text = paragraph[0] if paragraph else ""
    words = set(re.findall(r"[a-z:-]*[a-z]", text))
    if {"prefork", "coroutine"} <= words:
        words.add("prefork:coroutine")
    return [name for name in STRATEGIES if name in words]


def strategies(echod: Path, names: list[str], extra: str) -> list[Server]:
    """This library's echo server under each strategy."""
    def make(name: str) -> Server:
        model, tcp, udp = _MODELS.get(name, (LOOP, "c:epoll", "c:recvmmsg"))
        words = [str(echod), "--bind", "127.0.0.1", "--strategy", name,
                 *shlex.split(extra)]
        if model in (EACH, POOL):
            words += ["--max-workers", "{workers}"]
        return Server(f"sks:{name}",
                      {"tcp": [*words, "{port}"],
                       "udp": [*words, "--udp", "{port}"]},
                      model, {"tcp": tcp, "udp": udp})

    return [make(name) for name in names]


def deferring(server: Server) -> Server:
    """An echo server of this library's that gets no silent connection, for
    rows where each request has a connection."""
    words = server.families["tcp"]
    return replace(server, name=f"{server.name}+defer",
                   families={"tcp": [words[0], "--defer-accept", "1000",
                                     *words[1:]]},
                   rows=("connect",))


def custom(text: str) -> Server:
    """A server from the command line: NAME=COMMAND, for either protocol."""
    name, _, command = text.partition("=")
    words = shlex.split(command)
    if not name or not words:
        raise ValueError(f"{text}: not of the form NAME=COMMAND")
    families = ["udp"] if "--udp" in words else ["tcp"]
    return Server(name, {family: words for family in families}, LOOP,
                  {family: FLOORS[family] for family in families})
