"""The servers that filelib.py compares, and how a file is got from each and
put to it."""
import ftplib
import re
import shutil
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path

from harness.errors import BenchError, CannotStart
from harness.ports import free_port, wait_for_listener
from harness.process import running

CHUNK = 1 << 20
# Where vsftpd lets a client write: not in its root.
FTP_FOLDER = "incoming"
UPLOADED = "up"

NGINX = """daemon off; master_process off; worker_processes 1;
pid {state}/nginx.pid; error_log /dev/null; events {{ }}
http {{ access_log off; sendfile on; sendfile_max_chunk 0;
  server {{ listen 127.0.0.1:{port}; root {folder}; }} }}
"""
VSFTPD = """listen=YES
background=NO
listen_address=127.0.0.1
listen_port={port}
anonymous_enable=YES
no_anon_password=YES
anon_root={folder}
write_enable=YES
anon_upload_enable=YES
one_process_model=YES
seccomp_sandbox=NO
connect_from_port_20=NO
"""


def read_line(peer):
    line = b""
    while not line.endswith(b"\n"):
        byte = peer.recv(1)
        if not byte:
            raise BenchError("a server ended the connection")
        line += byte
    return line


def connect(port):
    peer = socket.create_connection(("127.0.0.1", port), 60)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def drain(peer, size):
    """Takes bytes off the connection; the kernel need not copy them."""
    room = bytearray(CHUNK)
    while size > 0:
        n = peer.recv_into(room, min(size, CHUNK), socket.MSG_TRUNC)
        if n == 0:
            raise BenchError("a download ended early")
        size -= n


def expect(line, start):
    if not line.startswith(start):
        raise BenchError(f"a server said {line!r}")


class Server:
    """One that says which port the system chose for it."""
    name = ""

    def __init__(self, place):
        self.place = place
        self.port = 0

    def command(self):
        raise NotImplementedError

    def find_port(self, process):
        line = process.read_line(20) or ""
        found = re.search(r":(\d+)[ ,]", line)
        if not found:
            raise CannotStart("no port" + process.complaint())
        self.port = int(found[1])

    @contextmanager
    def started(self, cores):
        """Its process, while it runs on these cores."""
        command = list(map(str, self.command()))
        if shutil.which(command[0]) is None:
            raise CannotStart(f"{command[0]} is not there")
        with running(["taskset", "-c", cores, *command], None) as process:
            self.find_port(process)
            yield process

    @property
    def uploaded(self):
        """The file that put() makes."""
        return self.place.folder / UPLOADED


class Bare(Server):
    """The least that does the work, in one loop."""

    def get(self, size, _digest):
        with connect(self.port) as peer:
            peer.sendall(b"get\n")
            drain(peer, size)

    def put(self, size, _digest):
        with connect(self.port) as peer:
            peer.sendfile(self.place.source, 0, size)
            peer.shutdown(socket.SHUT_WR)
            expect(read_line(peer), b"done")


class BareSend(Bare):
    name = "bare sendfile loop"

    def command(self):
        return [self.place.build / "bench_filelib_bare_send",
                self.place.file]


class BareReceive(Bare):
    name = "bare receive, digest, write loop"

    def command(self):
        return [self.place.build / "bench_filelib_bare_receive",
                self.uploaded]


class Filed(Server):
    """The file library."""
    name = "sockserver-filed"
    options = ()

    def command(self):
        return [self.place.filed, "--root", self.place.folder, "--quiet",
                *self.options, "0"]

    def get(self, size, digest):
        with connect(self.port) as peer:
            read_line(peer)
            peer.sendall(b"GET %b\n" % self.place.file.name.encode())
            expect(read_line(peer), b"200")
            drain(peer, size)
            if digest.encode() not in read_line(peer):
                raise BenchError("another digest")

    def put(self, size, digest):
        with connect(self.port) as peer:
            read_line(peer)
            peer.sendall(b"PUT %b %d\n" % (UPLOADED.encode(), size))
            expect(read_line(peer), b"150")
            peer.sendall(b"DATA %d\n" % size)
            peer.sendfile(self.place.source, 0, size)
            peer.sendall(f"COMMIT {digest}\n".encode())
            expect(read_line(peer), b"201")


class Configured(Server):
    """A server of the distribution, which is told its port."""
    config = ""

    def write_config(self):
        self.port = free_port()
        path = self.place.state / f"{self.name}.conf"
        path.write_text(self.config.format(
            port=self.port, folder=self.place.folder, state=self.place.state))
        return path

    def find_port(self, process):
        wait_for_listener(self.port, process)


class Nginx(Configured):
    name = "nginx"
    config = NGINX

    def command(self):
        return ["nginx", "-c", self.write_config(), "-e", "/dev/null"]

    def get(self, size, _digest):
        with connect(self.port) as peer:
            peer.sendall(b"GET /%b HTTP/1.0\r\n\r\n"
                         % self.place.file.name.encode())
            expect(read_line(peer), b"HTTP/1.1 200")
            while read_line(peer) != b"\r\n":
                pass
            drain(peer, size)


class Vsftpd(Configured):
    name = "vsftpd"
    config = VSFTPD

    def command(self):
        return ["vsftpd", self.write_config()]

    @contextmanager
    def logged_in(self):
        with ftplib.FTP(timeout=60) as ftp:
            ftp.connect("127.0.0.1", self.port)
            ftp.login()
            ftp.voidcmd("TYPE I")
            yield ftp

    def get(self, size, _digest):
        with self.logged_in() as ftp:
            with ftp.transfercmd(f"RETR {self.place.file.name}") as peer:
                drain(peer, size)
            ftp.voidresp()

    def put(self, size, _digest):
        with self.logged_in() as ftp:
            with ftp.transfercmd(f"STOR {FTP_FOLDER}/{UPLOADED}") as peer:
                peer.sendfile(self.place.source, 0, size)
                peer.shutdown(socket.SHUT_WR)
            ftp.voidresp()

    @property
    def uploaded(self):
        return self.place.folder / FTP_FOLDER / UPLOADED


class Place:
    """The folder that the servers serve, and where their programs are."""

    def __init__(self, folder, state, filed, build):
        self.folder = Path(folder)
        self.folder.chmod(0o755)  # vsftpd gives up its rights.
        self.file = self.folder / "file"
        self.state = Path(state)
        self.filed = filed.absolute()
        self.build = build.absolute()
        self.source = None  # what uploads send, open
        incoming = self.folder / FTP_FOLDER
        incoming.mkdir()
        incoming.chmod(0o777)


def ask(program, core, port, seconds, greeting, line, connections=64):
    """How many replies came to a line in so many seconds."""
    done = subprocess.run(
        ["taskset", "-c", str(core), program, str(port), str(connections),
         str(seconds), str(greeting), line],
        stdout=subprocess.PIPE, check=True, text=True, timeout=seconds + 60)
    return int(done.stdout.split()[0])
