#!/usr/bin/env python3
"""Compares the file library with bare loops of the same work, and with servers
of the distribution where they are installed.

One server at a time runs on one core and the client on another; rounds are
interleaved.  Bytes per second and the server's CPU time come from the same
transfers.  A table in Markdown goes to standard output.
"""

import argparse
import contextlib
import ftplib
import hashlib
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

MIB = 1 << 20


class Server:
    """A server that runs on its core until it is ended."""

    def __init__(self, command, core, port=None):
        pinned = ["taskset", "-c", str(core), *map(str, command)]
        self.process = subprocess.Popen(
            pinned, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True)
        self.port = port or self.read_port()
        if port:
            self.wait_until_it_listens()

    def read_port(self):
        line = self.process.stdout.readline()
        return int(re.search(r":(\d+)[ ,]", line).group(1))

    def wait_until_it_listens(self):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            time.sleep(0.02)
        raise SystemExit("filelib.py: a server does not listen")

    def end(self):
        """The CPU seconds of it and of its children."""
        self.process.terminate()
        self.process.stdout.close()
        _, _, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = 0
        return usage.ru_utime + usage.ru_stime


def connect(port):
    peer = socket.create_connection(("127.0.0.1", port))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def drain(peer, size):
    """Takes bytes off the connection; the kernel need not copy them."""
    room = bytearray(MIB)
    while size > 0:
        n = peer.recv_into(room, min(size, MIB), socket.MSG_TRUNC)
        if n == 0:
            raise SystemExit("filelib.py: a download ended early")
        size -= n


def read_line(peer):
    line = b""
    while not line.endswith(b"\n"):
        line += peer.recv(1)
    return line


def send_file(peer, file, size):
    offset = 0
    while offset < size:
        offset += os.sendfile(peer.fileno(), file, offset, size - offset)


# --- one download or upload each ---

def get_bare(server, size, _digest):
    with connect(server.port) as peer:
        peer.sendall(b"get\n")
        drain(peer, size)


def get_filed(server, size, digest):
    with connect(server.port) as peer:
        read_line(peer)
        peer.sendall(b"GET file\n")
        read_line(peer)
        drain(peer, size)
        assert digest.encode() in read_line(peer)


def get_http(server, size, _digest):
    with connect(server.port) as peer:
        peer.sendall(b"GET /file HTTP/1.0\r\n\r\n")
        while read_line(peer) != b"\r\n":
            pass
        drain(peer, size)


def log_in(server):
    ftp = ftplib.FTP()
    ftp.connect("127.0.0.1", server.port)
    ftp.login()
    ftp.voidcmd("TYPE I")
    return ftp


def get_ftp(server, size, _digest):
    with log_in(server) as ftp:
        with ftp.transfercmd("RETR file") as peer:
            drain(peer, size)
        ftp.voidresp()


def put_bare(server, size, _digest, file):
    with connect(server.port) as peer:
        send_file(peer, file, size)
        peer.shutdown(socket.SHUT_WR)
        assert read_line(peer) == b"done\n"


def put_filed(server, size, digest, file):
    with connect(server.port) as peer:
        read_line(peer)
        peer.sendall(b"PUT up %d replace\n" % size)
        assert read_line(peer).startswith(b"150")
        peer.sendall(b"DATA %d\n" % size)
        send_file(peer, file, size)
        peer.sendall(f"COMMIT {digest}\n".encode())
        assert read_line(peer).startswith(b"201")


# --- servers ---

class Bench:
    """Where things are."""

    def __init__(self, args):
        self.args = args
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=args.folder))
        self.folder.chmod(0o755)  # vsftpd gives up its rights.
        self.file = self.folder / "file"

    def filed(self, *options):
        return Server([self.args.filed, "--root", self.folder, "--quiet",
                       "--allow", "replace", *options, 0], self.args.core)

    def bare(self, name, path):
        return Server([self.args.build / f"bench_filelib_{name}", path],
                      self.args.core)

    def nginx(self):
        config = self.folder / ".nginx.conf"
        port = free_port()
        config.write_text(
            f"daemon off; master_process off; pid {self.folder}/.nginx.pid;\n"
            "error_log /dev/null; events {}\n"
            "http { access_log off; sendfile on; sendfile_max_chunk 0;\n"
            f"server {{ listen 127.0.0.1:{port}; root {self.folder}; }} }}\n")
        return Server(["nginx", "-c", config, "-e", "/dev/null"],
                      self.args.core, port)

    def vsftpd(self):
        config = self.folder / ".vsftpd.conf"
        port = free_port()
        config.write_text(
            "listen=YES\nbackground=NO\nanonymous_enable=YES\n"
            f"listen_address=127.0.0.1\nlisten_port={port}\n"
            f"anon_root={self.folder}\nno_anon_password=YES\n"
            "seccomp_sandbox=NO\nconnect_from_port_20=NO\n")
        return Server(["vsftpd", config], self.args.core, port)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def measure(start, transfer, size, count):
    """Seconds and CPU seconds of one transfer."""
    server = start()
    began = time.monotonic()
    for _ in range(count):
        transfer(server, size)
    seconds = time.monotonic() - began
    return seconds / count, server.end() / count


def compare(title, size, count, rounds, candidates):
    """A table of the medians; the first candidate is what others are held
    against."""
    found = {name: [] for name, _, _ in candidates}
    for _ in range(rounds):
        for name, start, transfer in candidates:
            found[name].append(measure(start, transfer, size, count))
            print(f"{title} {name}: {found[name][-1]}", file=sys.stderr)
    print(f"\n## {title}\n\n| server | MiB/s | of bare | CPU s/GiB | of bare |"
          "\n| --- | --- | --- | --- | --- |")
    medians = {name: [statistics.median(column) for column in zip(*values)]
               for name, values in found.items()}
    bare = medians[candidates[0][0]]
    for name, (seconds, cpu) in medians.items():
        print(f"| {name} | {size / MIB / seconds:,.0f} | "
              f"{bare[0] / seconds:.2f} | {cpu * (1 << 30) / size:.3f} | "
              f"{cpu / bare[1]:.2f} |")
    sys.stdout.flush()


def downloads(bench, digest):
    size = bench.file.stat().st_size
    candidates = [
        ("bare sendfile loop", lambda: bench.bare("bare_send", bench.file),
         get_bare),
        ("sockserver-filed", bench.filed, get_filed)]
    if shutil.which("nginx"):
        candidates.append(("nginx", bench.nginx, get_http))
    if shutil.which("vsftpd"):
        candidates.append(("vsftpd", bench.vsftpd, get_ftp))
    # The digest is kept from the first download on.
    warm = bench.filed()
    get_filed(warm, size, digest)
    warm.end()
    compare("download", size, bench.args.count, bench.args.rounds,
            [(name, start, lambda server, n, transfer=transfer: transfer(
                server, n, digest)) for name, start, transfer in candidates])


def uploads(bench, digest):
    size = bench.file.stat().st_size
    file = os.open(bench.file, os.O_RDONLY)

    def with_file(transfer):
        def put(server, n):
            # Both find the same memory free, and no file in their way.
            for name in ("bare", "up"):
                (bench.folder / name).unlink(missing_ok=True)
            transfer(server, n, digest, file)
        return put

    compare("upload", size, bench.args.count, bench.args.rounds, [
        ("bare receive, digest, write loop",
         lambda: bench.bare("bare_receive", bench.folder / "bare"),
         with_file(put_bare)),
        ("sockserver-filed", bench.filed, with_file(put_filed))])
    os.close(file)


def ask(bench, server, greeting, line):
    """Commands per second."""
    done = subprocess.run(
        ["taskset", "-c", str(bench.args.client_core),
         bench.args.build / "bench_filelib_ask", str(server.port), "64",
         str(bench.args.seconds), str(greeting), line],
        stdout=subprocess.PIPE, check=True, text=True)
    return int(done.stdout.split()[0])


def greeting_bytes(bench):
    server = bench.filed()
    with connect(server.port) as peer:
        size = len(read_line(peer))
    server.end()
    return size


def commands(bench):
    """CPU time for each LIST against each echo."""
    bench.file.unlink()
    (bench.folder / "up").unlink(missing_ok=True)
    (bench.folder / "bare").unlink(missing_ok=True)
    for name in ("one", "two", "three"):
        (bench.folder / name).write_text(name)
    greeting = greeting_bytes(bench)
    print("\n## LIST of 3 files, 64 connections\n\n| strategy | LIST/s | CPU "
          "us | echo/s | CPU us | ratio |\n| --- | --- | --- | --- | --- | "
          "--- |")
    for strategy in bench.args.strategies.split(","):
        options = ["--strategy", strategy, "--max-workers", "64"]
        samples = {"list": [], "echo": []}
        for _ in range(bench.args.rounds):
            for kind in samples:
                server = (bench.filed(*options) if kind == "list" else
                          Server([bench.args.echod, *options, 0],
                                 bench.args.core))
                n = (ask(bench, server, greeting, "LIST") if kind == "list"
                     else ask(bench, server, 0, "LIST"))
                samples[kind].append((n / bench.args.seconds,
                                      server.end() / n * 1e6))
        medians = [statistics.median(column) for kind in samples
                   for column in zip(*samples[kind])]
        print(f"| {strategy} | {medians[0]:,.0f} | {medians[1]:.2f} | "
              f"{medians[2]:,.0f} | {medians[3]:.2f} | "
              f"{medians[1] / medians[3]:.2f} |", flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filed", type=pathlib.Path, required=True)
    parser.add_argument("--echod", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, required=True,
                        help="where the bare loops are")
    parser.add_argument("--folder", default="/dev/shm",
                        help="on the file system to measure")
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--count", type=int, default=3,
                        help="transfers in a sample")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--strategies", default="forking,threading")
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--client-core", type=int, default=1)
    return parser.parse_args()


def main():
    args = parse()
    bench = Bench(args)
    os.sched_setaffinity(0, [args.client_core])
    try:
        # Not zeros, which some file systems treat in their own way.
        block = os.urandom(MIB)
        made = hashlib.sha256()
        with open(bench.file, "wb") as file:
            for _ in range(args.mib):
                file.write(block)
                made.update(block)
        congestion = pathlib.Path(
            "/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
        print(f"# File library: {args.mib} MiB in {args.folder}, {args.rounds} "
              f"rounds, TCP {congestion}")
        downloads(bench, made.hexdigest())
        uploads(bench, made.hexdigest())
        if args.echod:
            commands(bench)
    finally:
        shutil.rmtree(bench.folder)


if __name__ == "__main__":
    main()
