"""Clients that are slow, silent or deaf, against a service whose limits are
short; no test depends on how long they are."""
import contextlib
import os
import sys
import tempfile
import unittest

from running import running, wait_until
from service import Connection, port_of, run, strategies

SERVICE, PROGRAM = sys.argv[1:3]


class Limits(unittest.TestCase):
    strategy = "threading"

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.server = stack.enter_context(running(SERVICE, self.strategy))
        self.port = port_of(self.server)

    def connect(self, **options):
        connection = Connection(self.port, **options)
        self.addCleanup(connection.close)
        return connection

    def trickle(self, connection, start, byte):
        """Sends a byte whenever nothing came for a moment, until a response
        comes: each wait of the server's is a short one."""
        connection.send(start)
        connection.socket.settimeout(0.05)
        while True:
            try:
                connection.more()
                break
            except TimeoutError:
                connection.send(byte)
        connection.socket.settimeout(60)
        return connection.response()

    def test_a_silent_client_is_let_go(self):
        self.assertEqual(self.connect().read_all(), b"")

    def test_an_idle_client_is_let_go(self):
        connection = self.connect()
        self.assertEqual(connection.get("/none")[0], 404)
        self.assertEqual(connection.read_all(), b"")

    def test_a_slow_head_gets_408(self):
        status, fields, _ = self.trickle(self.connect(),
                                         b"GET / HTTP/1.1\r\nX: ", b"y")
        self.assertEqual((status, fields["connection"]), (408, "close"))

    def test_half_a_head_gets_408(self):
        connection = self.connect()
        connection.send(b"GET / HTTP/1.1\r\n")
        self.assertEqual(connection.response()[0], 408)

    def test_a_slow_body_gets_408(self):
        start = b"POST /length HTTP/1.1\r\nHost: a\r\n"
        for framing, byte in ((b"Content-Length: 60000\r\n\r\n", b"x"),
                              (b"Transfer-Encoding: chunked\r\n\r\n",
                               b"1\r\nx\r\n"),
                              (b"Transfer-Encoding: chunked\r\n\r\n1;",
                               b"x")):
            status, fields, _ = self.trickle(self.connect(), start + framing,
                                             byte)
            self.assertEqual((status, fields["connection"]), (408, "close"))

    def test_a_body_over_the_handlers_bound_gets_413(self):
        connection = self.connect()
        connection.send(b"POST /length HTTP/1.1\r\nHost: a\r\n"
                        b"Content-Length: 70000\r\n\r\n" + bytes(70000))
        self.assertEqual(connection.response()[0], 413)

    def test_bodies_in_both_framings(self):
        connection = self.connect()
        start = b"POST /length HTTP/1.1\r\nHost: a\r\n"
        for framing in (b"Content-Length: 3\r\n\r\nabc",
                        b"Transfer-Encoding: chunked\r\n\r\n"
                        b"2;a=b\r\nab\r\n01\r\nc\r\n0\r\nX: y\r\n\r\n"):
            connection.send(start + framing)
            self.assertEqual(connection.response()[2], b"3")

    def test_a_client_that_never_reads_is_let_go(self):
        deaf = self.connect(receive_buffer=4096)
        deaf.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        # Under the synchronous strategy nobody is served before that.
        self.assertEqual(self.connect().get("/none")[0], 404)
        self.assertEqual(self.server.end(), 0)

    def test_a_large_response_in_chunks(self):
        connection = self.connect()
        connection.send(b"GET /large HTTP/1.1\r\nHost: a\r\n"
                        b"Connection: close\r\n\r\n")
        data = connection.read_all().partition(b"\r\n\r\n")[2]
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        self.assertEqual(len(data), 200 * len(chunk) + 5)
        self.assertTrue(data.startswith(chunk))
        self.assertTrue(data.endswith(chunk + b"0\r\n\r\n"))


class Options(unittest.TestCase):
    """The limits of the program, as its command line sets them."""

    def connect(self, *arguments):
        """To a server whose other limits are too long to be met."""
        for name in ("first-byte", "header", "body", "idle", "write"):
            if f"--{name}-timeout" not in arguments:
                arguments += (f"--{name}-timeout", "600")
        server = running(PROGRAM, "--quiet", *arguments, "0")
        program = server.__enter__()
        self.addCleanup(server.__exit__, None, None, None)
        return self.connect_to(port_of(program))

    def connect_to(self, port):
        connection = Connection(port, receive_buffer=4096)
        self.addCleanup(connection.close)
        return connection

    def let_limits_pass(self, connection):
        """Until a silent client is let go that came after the last bytes."""
        port = connection.socket.getpeername()[1]
        self.assertEqual(self.connect_to(port).read_all(), b"")

    def test_a_header_has_its_own_limit_for_each_wait(self):
        connection = self.connect("--first-byte-timeout", "1",
                                  "--idle-timeout", "1")
        for _ in range(2):
            connection.send(b"GET /healthz HTTP/1.1\r\n")
            self.let_limits_pass(connection)
            connection.send(b"Host: a\r\n\r\n")
            self.assertEqual(connection.response()[0], 200)

    def test_a_body_has_its_own_limit_for_each_wait(self):
        connection = self.connect("--first-byte-timeout", "1",
                                  "--write-timeout", "1")
        connection.send(b"POST /visits HTTP/1.1\r\nHost: a\r\n"
                        b"Content-Type: application/x-www-form-urlencoded\r\n"
                        b"Content-Length: 6\r\n\r\nname=")
        self.let_limits_pass(connection)
        connection.send(b"a")
        self.assertEqual(connection.response()[0], 303)

    def test_first_byte_timeout(self):
        self.assertEqual(
            self.connect("--first-byte-timeout", "1").read_all(), b"")

    @unittest.skipIf(os.environ.get("PLAIN_POSIX") == "1", "needs Linux")
    def test_silent_clients_are_not_accepted(self):
        silent = self.connect("--strategy", "synchronous")
        with self.connect_to(silent.socket.getpeername()[1]) as other:
            page = other.get("/metrics")[2]
        self.assertIn(b"\nhttp_connections_open 1\n", page)
        self.assertEqual(silent.get("/healthz")[0], 200)

    def test_silent_clients_are_accepted_if_asked(self):
        silent = self.connect("--defer-accept", "0")
        with self.connect_to(silent.socket.getpeername()[1]) as other:
            wait_until(lambda: b"\nhttp_connections_open 2\n"
                       in other.get("/metrics")[2], "it is counted")

    def test_header_timeout(self):
        connection = self.connect("--header-timeout", "1")
        connection.send(b"GET / HTTP/1.1\r\n")
        self.assertEqual(connection.response()[0], 408)

    def test_body_timeout(self):
        connection = self.connect("--body-timeout", "1")
        connection.send(b"POST /visits HTTP/1.1\r\nHost: a\r\n"
                        b"Content-Type: application/x-www-form-urlencoded\r\n"
                        b"Content-Length: 6\r\n\r\nname=")
        self.assertEqual(connection.response()[0], 408)

    def test_idle_timeout(self):
        connection = self.connect("--idle-timeout", "1")
        self.assertEqual(connection.get("/healthz")[0], 200)
        self.assertEqual(connection.read_all(), b"")

    def test_write_timeout(self):
        with tempfile.TemporaryDirectory() as directory:
            with open(os.path.join(directory, "large"), "wb") as file:
                file.truncate(64 * 1024 * 1024)
            connection = self.connect("--write-timeout", "1", "--directory",
                                      directory, "--strategy", "synchronous")
            connection.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            # Nobody else is served before the one that does not read is gone.
            with Connection(connection.socket.getpeername()[1]) as other:
                self.assertEqual(other.get("/healthz")[0], 200)

    def test_max_body(self):
        connection = self.connect("--max-body", "5")
        connection.send(b"POST /visits HTTP/1.1\r\nHost: a\r\n"
                        b"Content-Length: 6\r\n\r\nname=a")
        self.assertEqual(connection.response()[0], 413)


suite = unittest.defaultTestLoader.loadTestsFromTestCase(Options)
for name in strategies(PROGRAM):
    suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(
        type(f"Limits[{name}]", (Limits,), {"strategy": name})))
sys.exit(run(suite))
