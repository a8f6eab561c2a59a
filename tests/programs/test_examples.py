"""The examples without options, each compiled as a user compiles it, from an
installed library, but for its port: the system chooses that."""
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from running import DEADLINE_S, running

EXAMPLES, PREFIX, CC = sys.argv[1:4]


def flags():
    """The compiler's flags for using the installed library."""
    pc_file = next(pathlib.Path(PREFIX).rglob("libsockserver.pc"))
    environment = dict(os.environ, PKG_CONFIG_PATH=str(pc_file.parent))
    text = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "libsockserver"], check=True,
        text=True, stdout=subprocess.PIPE, env=environment).stdout
    return [*shlex.split(text), "-pthread",
            f"-Wl,-rpath,{pc_file.parent.parent}"]


class Examples(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def compile(self, name):
        source = pathlib.Path(EXAMPLES, name + ".c").read_text()
        self.assertIn("7777", source)
        copy = self.directory / (name + ".c")
        copy.write_text(source.replace(", 7777,", ", 0,"))
        program = self.directory / name
        subprocess.run([*shlex.split(CC), "-Wall", "-Wextra", "-Werror", copy,
                        "-o", program, *flags()], check=True)
        return program

    def converse(self, port, sent, expected):
        """A client that sends, ends its side, and reads to the end."""
        address = ("127.0.0.1", port)
        with socket.create_connection(address, DEADLINE_S) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            received = b""
            while more := client.recv(4096):
                received += more
            if callable(expected):
                expected = expected(client.getsockname())
            self.assertEqual(received, expected)

    def test_echo_server_echoes(self):
        with running(self.compile("echo_server"), announces=False) as program:
            port = program.listening_port()
            for _ in range(3):
                self.converse(port, b"x" * 9999, b"x" * 9999)

    def test_adding_server_adds(self):
        with running(self.compile("adding_server"), announces=False) as program:
            port = program.listening_port()
            self.converse(port, b"1\n2\n3.5", b"1\n3\n6.5\n")
            self.converse(port, b"1\n" + b"9" * 200,
                          b"1\nno number is that long\n")
            self.assertEqual(program.end(), 0)

    def test_lookup_server_looks_up(self):
        with running(self.compile("lookup_server"), announces=False) as program:
            port = program.listening_port()
            self.converse(port, b"127.0.0.1\r\n::1",
                          b"127.0.0.1 is 127.0.0.1\n::1 is ::1\n")
            self.assertEqual(program.end(), 0)

    def test_own_loop_greets_until_its_input_ends(self):
        with running(self.compile("own_loop"), announces=False) as program:
            port = program.listening_port()
            program.process.stdin.write("this is read and ignored\n")
            program.process.stdin.flush()
            for _ in range(3):
                self.converse(port, b"",
                              lambda name: b"hello, %s:%d\n" % (
                                  name[0].encode(), name[1]))
            program.process.stdin.close()
            program.process.stdin = None
            self.assertEqual(program.status(), 0)

    def test_own_strategy_shouts(self):
        program = self.compile("own_strategy")
        with running(program, "0") as running_program:
            for _ in range(3):
                self.converse(running_program.port, b"Hello\nworld",
                              b"HELLO\nWORLD")
            running_program.process.send_signal(signal.SIGTERM)
            self.assertEqual(running_program.status(), 0)


unittest.main(argv=sys.argv[:1], verbosity=2)
