"""sockserver-echod of one kind under one strategy, with real clients."""
import concurrent.futures
import contextlib
import os
import pathlib
import signal
import sys
import tempfile
import threading
import unittest

from clients import KINDS
from running import running, wait_until

ECHOD, KIND, STRATEGY, CONNECTIONS = sys.argv[1:5]
# Fits into a socket's buffers: once sent, all of it is with the server.
MESSAGE = bytes(range(256)) * 128
# Clients that stay hold a worker each, of which a pool has few by default.
WORKERS = ("--max-workers", "20") if STRATEGY == "thread-pool" else ()
PROCESSES = 2
if STRATEGY.startswith("prefork"):
    WORKERS = ("--max-workers", str(PROCESSES))


class Echod(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        self.path = pathlib.Path(directory, "socket")
        self.kind = KINDS[KIND]
        self.program = stack.enter_context(running(
            ECHOD, *self.kind.arguments(self.path), "--strategy", STRATEGY,
            *WORKERS))

    def connect(self):
        client = self.kind.connect(self.program, self.path)
        self.addCleanup(client.close)
        return client

    def converse(self, rounds):
        """A client's whole life."""
        with contextlib.closing(
                self.kind.connect(self.program, self.path)) as client:
            for i in range(rounds):
                data = b"round %d of %d" % (i, rounds)
                self.assertEqual(client.echo(data), data)

    def test_says_where_it_listens(self):
        where = self.path if self.kind.is_unix else (
            f"127.0.0.1:{self.program.port}")
        self.assertEqual(
            self.program.announced,
            f"sockserver-echod: echo on {KIND} {where} ({STRATEGY})")

    def converse_at_once(self, clients):
        """So many clients, which start together."""
        everybody_is_there = threading.Barrier(clients)

        def client():
            everybody_is_there.wait()
            self.converse(3)

        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            for future in [pool.submit(client) for _ in range(clients)]:
                future.result()

    def test_serves_200_clients_at_once(self):
        self.converse_at_once(200)
        self.assertEqual(self.program.end(), 0)

    def test_holds_nothing_after_thousands_of_connections(self):
        # Some threads stay for a while, to run what comes next.
        self.converse_at_once(8)
        if STRATEGY == "forking":
            wait_until(lambda: not self.program.children(),
                       "the children are reaped")
        if STRATEGY.startswith("prefork"):
            wait_until(lambda: len(self.program.children()) == PROCESSES,
                       "all processes have begun")
        start = self.program.holdings()
        for _ in range(int(CONNECTIONS)):
            self.converse(1)

        def is_back():
            now = self.program.holdings()
            return all(is_now <= was for is_now, was in zip(now, start))

        wait_until(is_back, f"it holds {start} descriptors, threads and "
                            f"children again, not {self.program.holdings()}")
        self.assertEqual(self.program.end(), 0)
        self.assertEqual(self.program.errors(), "")

    def test_finishes_replies_after_sigterm(self):
        # Those that have a worker each, however few processors there are.
        at_once = {"synchronous": 1, "prefork": 2,
                   "prefork:thread-pool": 4}.get(STRATEGY, 20)
        clients = [self.connect() for _ in range(at_once)]
        for client in clients:
            self.assertEqual(client.echo(b"first"), b"first")
        if self.kind.is_stream:
            for client in clients:
                client.send(MESSAGE)
        self.program.process.send_signal(signal.SIGTERM)
        if self.kind.is_stream:
            for client in clients:
                self.assertEqual(client.receive(len(MESSAGE) + 1), MESSAGE)
        self.assertEqual(self.program.status(), 0)
        self.assertEqual(self.program.errors(), "")

    def test_ends_with_0_after_sigint_while_clients_are_idle(self):
        client = self.connect()
        self.assertEqual(client.echo(b"first"), b"first")
        self.program.process.send_signal(signal.SIGINT)
        if self.kind.is_stream:
            self.assertEqual(client.receive(1), b"")
        self.assertEqual(self.program.status(), 0)
        self.assertFalse(os.path.exists(self.path))


unittest.main(argv=sys.argv[:1], verbosity=2)
