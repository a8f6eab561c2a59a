#!/usr/bin/env python3
"""Compares sockserver-httpd under each strategy with other HTTP servers, side by
side; httpd_peers.py has the list.

Server and wrk run on a core each.  The runs of a row are interleaved, and each
figure is the median of its rounds.  All servers have the same congestion
control.  A table in Markdown goes to standard output, progress to standard
error.
"""
import argparse
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import httpd_peers
from harness import procfs
from harness.errors import BenchError
from harness.process import adopt_orphans

SIZES = {"1k": 1024, "16k": 16 * 1024, "64k": 64 * 1024, "100k": 100 * 1024,
         "10m": 10 * 1024 * 1024}
ROWS = "1k-1,1k-64,1k-512,1k-64-close,100k-64,10m-1,10m-64,idle-10000"
QUICK = "1k-64,1k-512,1k-64-close,100k-64,10m-1,10m-64,idle-2000"
CONGESTION = Path("/proc/sys/net/ipv4/tcp_congestion_control")


def say(text):
    print(text, file=sys.stderr, flush=True)


def parse_row(text):
    """"1k-64-close" is a file, a number of connections and their kind, idle-100
    a number of connections that say nothing any more."""
    match = re.fullmatch(rf"({'|'.join(SIZES)}|idle)-(\d+)(-close)?", text)
    if not match:
        raise ValueError(f"{text}: no such row")
    return match[1], int(match[2]), bool(match[3])


def run_wrk(args, port, row, seconds):
    """How many responses and how many bytes in how many seconds."""
    name, connections, closes = row
    command = ["taskset", "-c", str(args.load_core), "wrk", "-t1",
               f"-c{connections}", f"-d{seconds}s",
               f"http://127.0.0.1:{port}/{name}"]
    if closes:
        command[-1:-1] = ["-H", "Connection: close"]
    text = subprocess.run(command, capture_output=True, text=True, check=True,
                          timeout=seconds + 60).stdout
    found = re.search(r"(\d+) requests in ([\d.]+)(m?s)", text)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = re.search(r"read (\d+), write (\d+), timeout (\d+)", text)
    if not found or bad:
        raise BenchError(f"wrk saw failures: {text}")
    lost = sum(map(int, errors.groups())) if errors else 0
    return int(found[1]), float(found[2]) / (1000 if found[3] == "ms" else 1), \
        lost


def sample(args, server, row):
    """Requests a second, requests a server CPU second, lost ones."""
    with server.started(args.server_core, row) as (port, pid):
        if not args.quick:
            run_wrk(args, port, row, 1)
        before = procfs.cpu_seconds(pid)
        requests, seconds, lost = run_wrk(args, port, row, args.seconds)
        cpu = procfs.settled_cpu_seconds(pid) - before
    if requests == 0:
        raise BenchError("no responses")
    return requests / seconds, requests / max(cpu, 1e-6), lost


def sample_idle(args, server, row):
    """Bytes of user memory for each connection that had one response."""
    request = b"GET /1k HTTP/1.1\r\nHost: a\r\n\r\n"
    with server.started(args.server_core, row) as (port, pid), \
            ExitStack() as connections:
        before = procfs.memory(pid).user_kib
        for _ in range(row[1]):
            connection = connections.enter_context(
                socket.create_connection(("127.0.0.1", port), 10))
            connection.sendall(request)
            if not connection.recv(65536):
                raise BenchError("a connection was closed")
        return ((procfs.memory(pid).user_kib - before) * 1024 / row[1],)


def measure(args, servers, row):
    """The samples of each server, and why others have none."""
    samples, failed = {}, {}
    take = sample_idle if row[0] == "idle" else sample
    for turn in range(args.rounds):
        for server in servers:
            if server.name in failed or not server.fits(row):
                continue
            try:
                got = take(args, server, row)
            except (BenchError, OSError, subprocess.SubprocessError) as error:
                failed[server.name] = str(error).split("\n", maxsplit=1)[0]
                say(f"  {server.name}: {failed[server.name]}")
                continue
            samples.setdefault(server.name, []).append(got)
            say(f"  {turn + 1} {server.name}: "
                + ", ".join(f"{figure:,.0f}" for figure in got))
    return samples, failed


def middle(got, i):
    return median(one[i] for one in got)


def ratio(samples, name, other, figure=1):
    """Within each round; of requests a CPU second, or of another figure."""
    if other not in samples or len(samples[other]) != len(samples[name]):
        return "-"
    return f"{median(a[figure] / b[figure] for a, b in zip(samples[name], samples[other])):.2f}"


def report_idle(text, row, samples):
    print(f"\n### {row[1]} idle connections (`{text}`)\n")
    print("| server | bytes of user memory each |\n| --- | ---: |")
    for server, got in samples.items():
        print(f"| {server} | {middle(got, 0):,.0f} |")


def report_load(text, row, samples):
    name, connections, closes = row
    kind = "a connection per request" if closes else "kept connections"
    print(f"\n### {name}, {connections} connections, {kind} (`{text}`)\n")
    print("| server | requests/s | MiB/s | of nginx's | requests per CPU second"
          " | of nginx | of nginx-tuned | of h2o | of floor | lost |")
    print("| --- |" + " ---: |" * 9)
    for server, got in samples.items():
        rate = middle(got, 0)
        ratios = [ratio(samples, server, other)
                  for other in ("nginx", "nginx-tuned", "h2o", "floor")]
        print(f"| {server} | {rate:,.0f} | {rate * SIZES[name] / 2**20:,.0f} |"
              f" {ratio(samples, server, 'nginx', 0)} |"
              f" {middle(got, 1):,.0f} | {' | '.join(ratios)} |"
              f" {sum(one[2] for one in got)} |")


def report(text, row, samples, failed):
    (report_idle if row[0] == "idle" else report_load)(text, row, samples)
    for server, why in failed.items():
        print(f"\n- {server}: {why}")
    sys.stdout.flush()


def options():
    cores = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--httpd", required=True, type=Path)
    parser.add_argument("--io-uring-httpd", type=Path,
                        help="the same, built with -DSKS_IO_URING=ON, for one "
                        "more row: sks:coroutine+io_uring")
    parser.add_argument("--floor", required=True, type=Path,
                        help="the program made of httpd_epoll.c")
    parser.add_argument("--microhttpd", type=Path,
                        help="the program made of httpd_microhttpd.c, if any")
    parser.add_argument("--quick", action="store_true",
                        help="one short round of most rows, in three minutes")
    parser.add_argument("--congestion", metavar="NAME",
                        help="the system's congestion control meanwhile, "
                        "which is what all servers use: cubic")
    parser.add_argument("--rows")
    parser.add_argument("--servers", default="",
                        help="beginnings of names, with commas between")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--server-core", type=int, default=cores[0])
    parser.add_argument("--load-core", type=int, default=cores[-1])
    args = parser.parse_args()
    args.httpd = args.httpd.absolute()
    args.rows = args.rows or (QUICK if args.quick else ROWS)
    args.rounds = args.rounds or (1 if args.quick else 3)
    args.seconds = args.seconds or (1 if args.quick else 3)
    return args


def set_congestion(stack, name):
    """Sets the system's, and what it was at the end."""
    before = CONGESTION.read_text()
    if name:
        CONGESTION.write_text(name)
        stack.callback(CONGESTION.write_text, before)


def make_files(www):
    for name, size in SIZES.items():
        Path(www, name).write_bytes(os.urandom(size))
    os.chmod(www, 0o755)


def main():
    args = options()
    adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("httpd.py: ended"))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as directory, \
            tempfile.TemporaryDirectory() as www, ExitStack() as stack:
        make_files(www)
        set_congestion(stack, args.congestion)
        servers = httpd_peers.all_servers(
            args, directory, www, [os.path.join(www, name) for name in SIZES])
        print(f"Medians of {args.rounds} interleaved rounds of "
              f"{args.seconds} s; the server on core {args.server_core}, wrk "
              f"on core {args.load_core}; congestion control: "
              f"{CONGESTION.read_text().strip()}.")
        for text in args.rows.split(","):
            say(text)
            row = parse_row(text)
            report(text, row, *measure(args, servers, row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
