#!/usr/bin/env python3
"""Compares one socket that all processes of a prefork server share with a
socket for each: how evenly clients are spread, and how long they wait.

A handler blocks for as long as its client says, so that the processes, and not
the processors, are what clients wait for.  One table in Markdown goes to
standard output, the median of all rounds in each place.
"""

import argparse
import contextlib
import shlex
import socket
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.process import running

PROCESSES = 4
PATIENCE_S = 30.0

HEADER = """\
| load | sockets | a process served | Jain's index | p50 ms | p99 ms | worst ms |
| --- | --- | ---: | ---: | ---: | ---: | ---: |"""


@dataclass(frozen=True)
class Load:
    """What clients do at the same time."""

    name: str
    clients: int
    requests: int  # of each
    work_us: int  # that one takes
    slow_us: int = 0  # that those of the first client take; 0: no longer
    stays: bool = False  # a connection for all of a client's requests
    strategy: str = "prefork"


LOADS = [
    Load("16 clients, a connection for each request of 1 ms", 16, 250, 1000),
    Load("4 clients, a connection for each request of 1 ms", 4, 500, 1000),
    Load("4 clients, and one whose requests take 50 ms", 5, 300, 1000,
         slow_us=50_000),
    Load("64 clients that stay, over prefork:coroutine", 64, 60, 0,
         stays=True, strategy="prefork:coroutine"),
    Load("8 clients that stay, over prefork:coroutine", 8, 300, 0, stays=True,
         strategy="prefork:coroutine"),
    Load("8 clients that stay, over prefork:coroutine, and one whose requests "
         "take 50 ms", 9, 100, 0, slow_us=50_000, stays=True,
         strategy="prefork:coroutine"),
]


@dataclass
class Round:
    """What came of a load once."""

    most: int
    least: int
    jain: float
    p50: float
    p99: float
    worst: float


class Client(threading.Thread):
    """One of a load's; ends early when the slow one alone is left."""

    def __init__(self, load: Load, port: int, number: int,
                 start: threading.Barrier, enough: threading.Event) -> None:
        super().__init__()
        self.load, self.port, self.start_together = load, port, start
        self.is_slow = load.slow_us > 0 and number == 0
        self.enough = enough
        self.answers: list[tuple[float, int]] = []  # seconds, process
        self.fault: OSError | None = None

    def run(self) -> None:
        self.start_together.wait()
        try:
            if self.load.stays:
                with self.connected() as server:
                    for _ in self.turns():
                        self.ask(server, time.monotonic())
            else:
                for _ in self.turns():
                    begun = time.monotonic()
                    with self.connected() as server:
                        self.ask(server, begun)
        except OSError as error:
            self.fault = error

    def turns(self) -> Iterator[None]:
        """The slow one goes on for as long as the others."""
        turn = 0
        while self.is_slow or turn < self.load.requests:
            if self.is_slow and self.enough.is_set():
                return
            turn += 1
            yield

    def connected(self) -> socket.socket:
        """A new connection."""
        server = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return server

    def ask(self, server: socket.socket, begun: float) -> None:
        """One request, which counts from begun on."""
        work = self.load.slow_us if self.is_slow else self.load.work_us
        server.sendall(b"%d\n" % work)
        line = server.recv(64)
        if not line.endswith(b"\n"):
            raise OSError(f"the server answered {line!r}")
        self.answers.append((time.monotonic() - begun, int(line)))


def run_clients(load: Load, port: int) -> list[Client]:
    """All clients of a load, which have ended."""
    barrier, enough = threading.Barrier(load.clients), threading.Event()
    clients = [Client(load, port, number, barrier, enough)
               for number in range(load.clients)]
    for client in clients:
        client.start()
    for client in clients:
        if not client.is_slow:
            client.join()
    enough.set()
    for client in clients:
        client.join()
        if client.fault:
            raise client.fault
    return clients


def judge(clients: list[Client]) -> Round:
    """Over those clients that are not slow."""
    answers = [answer for client in clients if not client.is_slow
               for answer in client.answers]
    counts = Counter(process for _, process in answers)
    shares = list(counts.values()) + [0] * (PROCESSES - len(counts))
    times = sorted(1000 * seconds for seconds, _ in answers)
    return Round(most=max(shares), least=min(shares),
                 jain=sum(shares) ** 2
                 / (len(shares) * sum(share ** 2 for share in shares)),
                 p50=times[len(times) // 2], p99=times[len(times) * 99 // 100],
                 worst=times[-1])


def measure(program: Path, load: Load, sockets: str) -> Round:
    """A server for one round."""
    command = [str(program), load.strategy, str(PROCESSES), sockets]
    with running(command, None) as server:
        line = server.read_line(PATIENCE_S)
        if line is None:
            raise OSError(f"no server{server.complaint()}")
        return judge(run_clients(load, int(line)))


def row(load: Load, sockets: str, rounds: list[Round]) -> str:
    """A line of the table."""
    def median(member: str) -> float:
        return statistics.median(getattr(one, member) for one in rounds)

    return (f"| {load.name} | {sockets} | {median('least'):,.0f} to "
            f"{median('most'):,.0f} | {median('jain'):.2f} | "
            f"{median('p50'):.1f} | {median('p99'):.1f} | "
            f"{median('worst'):.1f} |")


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--build", type=Path, default=Path("build/bench"),
                        metavar="DIR", help="where bench_fairness is")
    parser.add_argument("--rounds", type=int, default=5,
                        help="of which the medians are told (5)")
    args = parser.parse_args()
    program = args.build.absolute() / "bench_fairness"
    if not program.exists():
        print(f"{program}: not built", file=sys.stderr)
        return 2
    print(shlex.join(["tests/bench/fairness.py", *sys.argv[1:]]) + "\n")
    print(HEADER)
    with contextlib.suppress(KeyboardInterrupt):
        for load in LOADS:
            for sockets in "shared", "own":
                rounds = [measure(program, load, sockets)
                          for _ in range(args.rounds)]
                print(row(load, sockets, rounds), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
