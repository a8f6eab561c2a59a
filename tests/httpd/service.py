"""Starts sockserver-httpd on a directory of known files, under each strategy
that it has."""
import contextlib
import os
import pathlib
import re
import socket
import tempfile
import unittest

from running import DEADLINE_S, running, strategies

# 2001-09-09 01:46:40 UTC.
MODIFIED = 1_000_000_000

FILES = {
    "index.html": b"<h1>Hello</h1>\n",
    "digits.txt": b"0123456789",
    "empty.bin": b"",
    "sub/page.html": b"<p>A page.</p>\n",
    "sub/app.js": b"let a = 1;\n" * 100,
    "coded/style.css": b"body{}\n",
    "coded/style.css.gz": b"not really gzip",
    "coded/style.css.br": b"not really br",
    "list/b.bin": b"22",
    "list/a.bin": b"1",
    "list/<c>.bin": b"333",
    ".hidden": b"secret\n",
    "sub/.hidden": b"secret\n",
    "kib.bin": bytes(range(256)) * 4,
    "20kib.bin": bytes(range(256)) * 80,
    "100kib.bin": bytes(range(256)) * 400,
    "mib.bin": bytes(range(256)) * 4096,
    "8mib.bin": bytes(range(256)) * 32768,
}


def make_files(directory):
    """The files, of one date, and links that lead in and out."""
    for name, content in FILES.items():
        path = pathlib.Path(directory, name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (MODIFIED, MODIFIED))
    os.symlink("/etc/passwd", os.path.join(directory, "out"))
    os.symlink("../digits.txt", os.path.join(directory, "sub", "in"))
    os.symlink("/etc", os.path.join(directory, "outside"))


def port_of(program):
    """The port in the line that a program starts with."""
    return int(re.search(r"http://[\w.\[\]:]*:(\d+)/", program.announced)[1])


class Connection:
    """A client's connection, byte by byte."""

    def __init__(self, port, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                   receive_buffer)
        self.socket.settimeout(DEADLINE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(("127.0.0.1", port))
        self.received = b""

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        data = self.socket.recv(65536)
        self.received += data
        return data

    def read(self, n):
        """n bytes, or fewer at the end."""
        while len(self.received) < n and self.more():
            pass
        data, self.received = self.received[:n], self.received[n:]
        return data

    def read_all(self):
        """Everything up to the end; a reset is an error."""
        pieces, self.received = [self.received], b""
        while data := self.socket.recv(65536):
            pieces.append(data)
        return b"".join(pieces)

    def response(self, method="GET"):
        """The next response: status, fields in lower case, content."""
        while b"\r\n\r\n" not in self.received:
            if not self.more():
                raise EOFError(self.received)
        head, _, self.received = self.received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        fields = {name.lower(): value for name, value in fields.items()}
        content = b""
        if method != "HEAD":
            content = self.read(int(fields.get("content-length", 0)))
        return int(status.split()[1]), fields, content

    def get(self, target, **fields):
        """Asks and returns the response."""
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n"
                        for name, value in fields.items())
        self.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())
        return self.response()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class ServiceTest(unittest.TestCase):
    """A test with a running server; the class attributes say which."""
    program = None
    strategy = "threading"
    arguments = ()

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.directory = stack.enter_context(tempfile.TemporaryDirectory())
        make_files(self.directory)
        self.server = stack.enter_context(running(
            self.program, "--quiet", "--strategy", self.strategy,
            "--directory", self.directory,
            "--data", "/ParisGabriel=Welcome to ParisGabriel",
            *self.arguments, "0"))
        self.port = port_of(self.server)

    def connect(self, **options):
        connection = Connection(self.port, **options)
        self.addCleanup(connection.close)
        return connection


def under_each_strategy(program, *classes):
    """A suite of the classes' tests for each strategy of the program."""
    suite = unittest.TestSuite()
    loader = unittest.defaultTestLoader
    for strategy in strategies(program):
        for case in classes:
            made = type(f"{case.__name__}[{strategy}]", (case,),
                        {"program": program, "strategy": strategy})
            suite.addTests(loader.loadTestsFromTestCase(made))
    return suite


def run(suite):
    """Runs a suite; the exit status."""
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() else 1
