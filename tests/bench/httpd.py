#!/usr/bin/env python3
"""Compares sockserver-httpd with other HTTP servers, side by side: under each
strategy, nginx as it comes and tuned, lighttpd, a bare epoll loop that sends a
cached reply, and Python's http.server.

Server and wrk run on a core each.  The runs of a row are interleaved, and each
figure is the median of its rounds.  A table in Markdown goes to standard
output, progress to standard error.
"""
import argparse
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from harness import procfs
from harness.errors import BenchError, CannotStart
from harness.process import adopt_orphans, running
from harness.servers import discover

SIZES = {"1k": 1024, "100k": 100 * 1024, "10m": 10 * 1024 * 1024}
# Strategies in which a worker has one connection.
EACH = ("forking", "threading", "thread-pool", "prefork")
ROWS = "1k-1,1k-64,1k-512,1k-64-close,100k-64,10m-1,10m-64"

NGINX = """daemon off; worker_processes 1; master_process off;
pid {dir}/nginx.pid; error_log {dir}/nginx.log crit;
events {{ worker_connections 2048; }}
http {{ access_log off; default_type application/octet-stream;
  keepalive_requests 100000000; {options}
  client_body_temp_path {dir}/b; proxy_temp_path {dir}/p;
  fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{ listen 127.0.0.1:{port}; root {www}; }} }}
"""
LIGHTTPD = """server.document-root = "{www}"
server.port = {port}
server.bind = "127.0.0.1"
server.max-connections = 2048
server.max-keep-alive-requests = 100000000
server.errorlog = "{dir}/lighttpd.log"
"""


def say(text):
    print(text, file=sys.stderr, flush=True)


def free_port():
    """A port for servers that do not tell the one they chose."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(port, process):
    """Until the server listens."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise CannotStart("it does not start" + process.complaint())


class Server:
    """A server by its name and a function that makes its command line."""

    def __init__(self, name, command, announces):
        self.name = name
        self.command = command
        self.announces = announces

    @contextmanager
    def started(self, core):
        """The port and the process of a running server."""
        port = 0 if self.announces else free_port()
        command = self.command(port)
        if shutil.which(command[0]) is None:
            raise CannotStart(f"{command[0]} is not there")
        with running(command, core) as process:
            if self.announces:
                line = process.read_line(20) or ""
                found = re.search(r"http://[\d.]+:(\d+)/", line)
                if not found:
                    raise CannotStart("no port" + process.complaint())
                port = int(found[1])
            else:
                wait_for(port, process)
            yield port, process.pid


def config(directory, name, text):
    path = Path(directory, name)
    path.write_text(text)
    return str(path)


def nginx(directory, www, options):
    def command(port):
        return ["nginx", "-p", directory, "-c",
                config(directory, "nginx.conf", NGINX.format(
                    dir=directory, www=www, port=port, options=options))]
    return command


def all_servers(args, directory, www):
    files = [os.path.join(www, name) for name in SIZES]
    servers = []
    for name in discover(args.httpd):
        servers.append(Server(
            f"sks:{name}",
            lambda port, name=name: [
                str(args.httpd.absolute()), "--quiet", "--directory", www,
                "--strategy", name,
                *(["--max-workers", "600"] if name in EACH else []), "0"],
            True))
    servers += [
        Server("nginx", nginx(directory, www, "sendfile on; tcp_nopush on;"),
               False),
        Server("nginx-tuned", nginx(
            directory, www, "sendfile off; open_file_cache max=1000;"
            "open_file_cache_valid 60s; output_buffers 2 512k;"), False),
        Server("lighttpd", lambda port: [
            "lighttpd", "-D", "-f",
            config(directory, "lighttpd.conf", LIGHTTPD.format(
                dir=directory, www=www, port=port))], False),
        Server("floor", lambda port: [str(args.floor.absolute()), "0", *files], True),
        Server("python", lambda port: [
            sys.executable, "-m", "http.server", "--bind", "127.0.0.1",
            "--protocol", "HTTP/1.1", "--directory", www, str(port)], False)]
    wanted = args.servers.split(",")
    return [server for server in servers if not args.servers
            or any(server.name.startswith(name) for name in wanted)]


def parse_row(text):
    """"1k-64-close" is a file, a number of connections and their kind."""
    match = re.fullmatch(rf"({'|'.join(SIZES)})-(\d+)(-close)?", text)
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
    with server.started(args.server_core) as (port, pid):
        run_wrk(args, port, row, 1)
        before = procfs.cpu_seconds(pid)
        requests, seconds, lost = run_wrk(args, port, row, args.seconds)
        cpu = procfs.settled_cpu_seconds(pid) - before
    if requests == 0:
        raise BenchError("no responses")
    return requests / seconds, requests / max(cpu, 1e-6), lost


def measure(args, servers, row):
    """The samples of each server, and why others have none."""
    samples, failed = {}, {}
    for turn in range(args.rounds):
        for server in servers:
            if server.name in failed:
                continue
            try:
                got = sample(args, server, row)
            except (BenchError, OSError, subprocess.SubprocessError) as error:
                failed[server.name] = str(error).split("\n", maxsplit=1)[0]
                say(f"  {server.name}: {failed[server.name]}")
                continue
            samples.setdefault(server.name, []).append(got)
            say(f"  {turn + 1} {server.name}: {got[0]:,.0f}/s, "
                f"{got[1]:,.0f} a CPU second")
    return samples, failed


def ratio(samples, name, other):
    """Of requests a CPU second, within each round."""
    if other not in samples or len(samples[other]) != len(samples[name]):
        return "-"
    return f"{median(a[1] / b[1] for a, b in zip(samples[name], samples[other])):.2f}"


def report(text, row, samples, failed):
    name, connections, closes = row
    kind = "a connection per request" if closes else "kept connections"
    print(f"\n### {name}, {connections} connections, {kind} (`{text}`)\n")
    print("| server | requests/s | MiB/s | requests per CPU second | of nginx |"
          " of nginx-tuned | of floor | lost |")
    print("| --- |" + " ---: |" * 7)
    for server, got in samples.items():
        rate = median(one[0] for one in got)
        print(f"| {server} | {rate:,.0f} | {rate * SIZES[name] / 2**20:,.0f} |"
              f" {median(one[1] for one in got):,.0f} |"
              f" {ratio(samples, server, 'nginx')} |"
              f" {ratio(samples, server, 'nginx-tuned')} |"
              f" {ratio(samples, server, 'floor')} |"
              f" {sum(one[2] for one in got)} |")
    for server, why in failed.items():
        print(f"\n- {server}: {why}")
    sys.stdout.flush()


def options():
    cores = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--httpd", required=True, type=Path)
    parser.add_argument("--floor", required=True, type=Path,
                        help="the program made of httpd_epoll.c")
    parser.add_argument("--rows", default=ROWS)
    parser.add_argument("--servers", default="",
                        help="beginnings of names, with commas between")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--server-core", type=int, default=cores[0])
    parser.add_argument("--load-core", type=int, default=cores[-1])
    return parser.parse_args()


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
            tempfile.TemporaryDirectory() as www:
        make_files(www)
        servers = all_servers(args, directory, www)
        print(f"Medians of {args.rounds} interleaved rounds of "
              f"{args.seconds} s; the server on core {args.server_core}, wrk "
              f"on core {args.load_core}.")
        for text in args.rows.split(","):
            say(text)
            row = parse_row(text)
            report(text, row, *measure(args, servers, row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
