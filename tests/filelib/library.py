"""A server on a folder of its own, a client that speaks the protocol by hand,
and the real client."""
import contextlib
import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from running import DEADLINE_S, running, wait_until

FILED, FILE = sys.argv[1:3]

(DONE, FAULT, USAGE, CANNOT_CONNECT, REFUSED, NOT_FOUND, EXISTS, CORRUPTED,
 INTERRUPTED) = range(9)


def digest(data):
    """As it travels."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path):
    """The same of a file, which may be large."""
    made = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            made.update(chunk)
    return made.hexdigest()


class Reply:
    """A reply's line and its body."""

    def __init__(self, line, body):
        head, _, self.sentence = line.partition(" : ")
        words = head.split(" ")
        self.code = int(words[0])
        self.keys = dict(word.split("=", 1) for word in words[2:])
        self.body = body


class Talk:
    """A connection on which bytes are sent as they are told."""

    def __init__(self, port, path=None, greet=True):
        if path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(DEADLINE_S)
            self.socket.connect(str(path))
        else:
            self.socket = socket.create_connection(("127.0.0.1", port),
                                                   DEADLINE_S)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.greeting = self.reply() if greet else None

    def send(self, data):
        self.socket.sendall(data)

    def reply(self):
        """The next reply that is one; None at the end."""
        line = self.file.readline()
        if not line:
            return None
        assert line.endswith(b"\n"), line
        length = int(line.split(b" ")[1])
        body = self.file.read(length)
        assert len(body) == length
        reply = Reply(line.decode().rstrip("\n"), body)
        return self.reply() if reply.code == 100 else reply

    def ask(self, line):
        self.send(line.encode() + b"\n")
        return self.reply()

    def put(self, name, data, options=""):
        """A whole upload; the code of its end."""
        reply = self.ask(f"PUT {name} {len(data)}{options}")
        if reply.code != 150:
            return reply.code
        rest = data[int(reply.keys["offset"]):]
        self.send(b"DATA %d\n" % len(rest) + rest)
        return self.ask(f"COMMIT {digest(data)}").code

    def close(self):
        self.file.close()
        self.socket.close()

    def reset(self):
        """Ends it as a process that is killed does, with bytes unread."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.close()


class LibraryTest(unittest.TestCase):
    """Starts a server for each test on an empty folder."""
    strategy = None
    options = ()

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.root = self.folder()
        self.local = self.folder()
        self.server = None
        self.log = None

    def folder(self):
        return pathlib.Path(self.stack.enter_context(
            tempfile.TemporaryDirectory()))

    def start(self, *options, root=None, port=0):
        """Starts the server; its log goes to a file."""
        words = [FILED, "--root", root or self.root, *self.options, *options]
        if self.strategy:
            words += ["--strategy", self.strategy]
        if port is not None:
            words.append(port)
        self.log = self.local.parent / (self.local.name + ".log")
        self.addCleanup(lambda: self.log.unlink(missing_ok=True))
        shell = ["sh", "-c", 'log=$1; shift; exec "$@" 2>>"$log"', "sh",
                 self.log]
        self.server = self.stack.enter_context(running(*shell, *words))
        return self.server

    @property
    def port(self):
        return self.server.port

    def talk(self, **options):
        talk = Talk(self.port, **options)
        self.addCleanup(talk.close)
        return talk

    def command(self, *words, options=()):
        """The words that run the real client."""
        return [FILE, *map(str, options), "127.0.0.1", str(self.port),
                *map(str, words)]

    def run_client(self, *words, options=(), **more):
        """The finished client: returncode, stdout, stderr."""
        return subprocess.run(
            self.command(*words, options=options), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, cwd=self.local, timeout=DEADLINE_S,
            check=False, **{"stdin": subprocess.DEVNULL, **more})

    def assert_status(self, status, *words, **more):
        done = self.run_client(*words, **more)
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def names(self):
        """What is in the folder, hidden files too."""
        return sorted(os.listdir(os.fsencode(self.root)))

    def listed(self):
        """The names and sizes that the client lists."""
        lines = self.assert_status(DONE, "list", "--json").stdout.splitlines()
        return {entry["name"]: entry["size"]
                for entry in map(json.loads, lines)}

    def log_lines(self):
        return self.log.read_text().splitlines()

    def signal(self, number=signal.SIGTERM):
        self.server.process.send_signal(number)

    def wait_until(self, condition, what):
        return wait_until(condition, what)


def main():
    unittest.main(argv=sys.argv[:1], verbosity=2)
