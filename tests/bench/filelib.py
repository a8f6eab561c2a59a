#!/usr/bin/env python3
"""Compares the file library with bare loops of the same work, and with nginx
and vsftpd where they are installed: a large file down and up, and many small
commands.

All servers use the system's TCP congestion control.  The server runs on a core
and the client on another; the rounds of a table are interleaved, a first one,
in which the memory is touched, is left out, and each figure is the median of
the others.  A ratio is the median of those within each round.  Tables in
Markdown go to standard output, progress to standard error.
"""
import argparse
import contextlib
import hashlib
import mmap
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from filelib_servers import (BareReceive, BareSend, Filed, Nginx, Place,
                             Server, Vsftpd, ask, connect, read_line)
from harness import host, procfs
from harness.errors import BenchError
from harness.process import adopt_orphans
from harness.servers import discover

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
SMALL_FILES = ("one", "two", "three")


def say(text):
    print(text, file=sys.stderr, flush=True)


def size_of(text):
    found = re.fullmatch(r"(\d+)([KMG]?)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text} is no size")
    return int(found[1]) * UNITS.get(found[2], 1)


# --- a large file ---

def transfer(server, process, action):
    """Seconds, and CPU seconds of the server."""
    before = procfs.settled_cpu_seconds(process.pid)
    began = time.monotonic()
    action(server)
    seconds = time.monotonic() - began
    return seconds, procfs.settled_cpu_seconds(process.pid) - before


def measure(servers, rounds, cores, prepare, action):
    """The samples of each server."""
    samples = {}
    with contextlib.ExitStack() as stack:
        processes = []
        for server in servers:
            try:
                processes.append(
                    (server, stack.enter_context(server.started(cores))))
            except BenchError as error:
                say(f"  {server.name}: {error}")
        for number in range(rounds + 1):
            for server, process in processes:
                prepare(server)
                got = transfer(server, process, action)
                say(f"  {number} {server.name}: {got[0]:.3f} s, CPU "
                    f"{got[1]:.3f} s")
                if number:
                    samples.setdefault(server.name, []).append(got)
    return samples


def ratio(samples, name, other, column):
    """Of a column, within each round."""
    return median(a[column] / b[column]
                  for a, b in zip(samples[name], samples[other]))


def report(title, size, samples):
    bare = next(iter(samples))
    print(f"\n## {title}\n\n| server | MiB/s | of bare | CPU s/GiB | of bare |"
          "\n| --- |" + " ---: |" * 4)
    for name, got in samples.items():
        seconds, cpu = (median(column) for column in zip(*got))
        print(f"| {name} | {size / 2**20 / seconds:,.0f} | "
              f"{1 / ratio(samples, name, bare, 0):.2f} | "
              f"{cpu * 2**30 / size:.3f} | "
              f"{ratio(samples, name, bare, 1):.2f} |")
    sys.stdout.flush()


def make_file(path, size):
    """Makes it of random bytes, and returns its digest."""
    # Not zeros, which some file systems treat in their own way.
    block = os.urandom(1 << 20)
    made = hashlib.sha256()
    with open(path, "wb") as file:
        while size > 0:
            made.update(block[:size])
            size -= file.write(block[:size])
    return made.hexdigest()


def downloads(args, place, digest):
    size = args.size
    servers = [kind(place) for kind in (BareSend, Filed, Nginx, Vsftpd)]
    samples = measure(servers, args.rounds, args.server_core,
                      lambda server: None,
                      lambda server: server.get(size, digest))
    report(f"Download from {args.folder[0]}", size, samples)


def touch_memory(size):
    """Takes memory and frees it.  A virtual machine gives its host back what
    has been free for a while, and whoever takes it next waits for it."""
    with mmap.mmap(-1, size) as memory:
        for at in range(0, size, mmap.PAGESIZE):
            memory[at] = 1


def uploads(args, place, digest, cores, title):
    def prepare(_):
        # All find the same memory free, and nothing left to write.
        for server in servers:
            server.uploaded.unlink(missing_ok=True)
        os.sync()
        touch_memory(2 * args.size)

    servers = [kind(place) for kind in (BareReceive, Filed, Vsftpd)]
    samples = measure(servers, args.rounds, cores, prepare,
                      lambda server: server.put(args.size, digest))
    report(title, args.size, samples)


def upload_tables(args, place, digest, every_core):
    with open(place.file, "rb") as place.source:
        for cores, where in ((args.server_core, "one core"),
                             (every_core, "all cores")):
            uploads(args, place, digest, cores,
                    f"Upload to {place.folder.parent}, the server on {where}")


# --- small commands ---

class Listed(Filed):
    """The library under one strategy, with a client for each worker."""

    def __init__(self, place, strategy):
        super().__init__(place)
        self.options = ("--strategy", strategy, *workers(strategy))


class Echo(Server):
    """The echo server under the same one."""

    def __init__(self, place, echod, strategy):
        super().__init__(place)
        self.words = [echod, "--strategy", strategy, *workers(strategy), "0"]

    def command(self):
        return self.words


def workers(strategy):
    return () if "coroutine" in strategy else ("--max-workers", "64")


def greeting_size(port):
    with connect(port) as peer:
        return len(read_line(peer))


def commands_of(args, server, greets):
    """Replies a second, and microseconds of CPU for each."""
    with server.started(args.server_core) as process:
        greeting = greeting_size(server.port) if greets else 0
        before = procfs.settled_cpu_seconds(process.pid)
        n = ask(args.build / "bench_filelib_ask", args.client_core,
                server.port, args.seconds, greeting, "LIST")
        cpu = procfs.settled_cpu_seconds(process.pid) - before
    say(f"  {server.command()[-4:]}: {n / args.seconds:,.0f}/s, "
        f"{cpu / n * 1e6:.2f} us")
    return n / args.seconds, cpu / n * 1e6


def commands(args, place):
    """CPU time for each LIST against each echo under the same strategy."""
    for name in SMALL_FILES:
        (place.folder / name).write_text(name)
    print(f"\n## LIST of {len(SMALL_FILES)} files over 64 connections\n\n"
          "| strategy | LIST/s | CPU us | echo/s | CPU us | CPU of echo's |\n"
          "| --- |" + " ---: |" * 5)
    for strategy in discover(args.echod):
        if strategy == "synchronous":
            continue  # It serves one connection at a time.
        samples = {"list": [], "echo": []}
        for _ in range(args.rounds):
            samples["list"].append(
                commands_of(args, Listed(place, strategy), True))
            samples["echo"].append(
                commands_of(args, Echo(place, args.echod.absolute(), strategy),
                            False))
        figures = [median(column) for kind in samples
                   for column in zip(*samples[kind])]
        print(f"| {strategy} | {figures[0]:,.0f} | {figures[1]:.2f} | "
              f"{figures[2]:,.0f} | {figures[3]:.2f} | "
              f"{ratio(samples, 'list', 'echo', 1):.2f} |", flush=True)


# --- the run ---

def parse():
    cores = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filed", type=Path, required=True)
    parser.add_argument("--echod", type=Path,
                        help="the echo server; without, no commands")
    parser.add_argument("--build", type=Path, required=True,
                        help="where the bare loops are")
    parser.add_argument("--folder", action="append",
                        help="on a file system to measure; may be given again "
                        "(/dev/shm and /var/tmp)")
    parser.add_argument("--size", type=size_of, help="of the large file (1G)")
    parser.add_argument("--rounds", type=int, help="(5)")
    parser.add_argument("--seconds", type=float, help="of commands (1)")
    parser.add_argument("--tables", default="download,upload,list",
                        help="which to make (%(default)s)")
    parser.add_argument("--quick", action="store_true",
                        help="16M, 1 round, 0.2 s: to see that it works")
    parser.add_argument("--server-core", default=str(cores[0]))
    parser.add_argument("--client-core", type=int, default=cores[-1])
    args = parser.parse_args()
    usual = ("16M", 1, 0.2) if args.quick else ("1G", 5, 1.0)
    args.size = args.size or size_of(usual[0])
    args.rounds = args.rounds or usual[1]
    args.seconds = args.seconds or usual[2]
    args.folder = args.folder or ["/dev/shm", "/var/tmp"]
    return args


def describe(args):
    congestion = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text()
    print(f"# File library: {args.size / 2**20:,.0f} MiB, {args.rounds} "
          "rounds\n")
    machine = host.describe(args.build / "bench_load", args.filed)
    machine["sockserver-filed"] = machine.pop("sockserver-echod")
    for name, value in {
            **machine,
            "TCP congestion control of all": congestion.strip(),
            "cores": f"server on {args.server_core}, client on "
                     f"{args.client_core}"}.items():
        print(f"- {name}: {value}")


def run(args, state):
    every_core = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    os.sched_setaffinity(0, [args.client_core])
    for number, folder in enumerate(args.folder):
        with tempfile.TemporaryDirectory(dir=folder) as top:
            place = Place(top, state, args.filed, args.build)
            digest = make_file(place.file, args.size)
            if number == 0 and "download" in args.tables:
                downloads(args, place, digest)
            if "upload" in args.tables:
                upload_tables(args, place, digest, every_core)
            if number == 0 and args.echod and "list" in args.tables:
                place.file.unlink()
                commands(args, place)


def main():
    args = parse()
    adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("filelib.py: ended"))
    describe(args)
    with tempfile.TemporaryDirectory() as state:
        run(args, state)


if __name__ == "__main__":
    main()
