"""receive_server prints what it gets, and answers it."""
import socket
import sys
import unittest

from running import DEADLINE_S, running

RECEIVE_SERVER = sys.argv[1]
ANSWER = b"Receive your msg"


class Receive(unittest.TestCase):
    def converse(self, program, message, shown):
        """Sends message, and sees it printed as shown and answered."""
        address = ("127.0.0.1", program.port)
        with socket.create_connection(address, DEADLINE_S) as client:
            client.sendall(message)
            self.assertEqual(client.recv(len(ANSWER), socket.MSG_WAITALL),
                             ANSWER)
            host, port = client.getsockname()
            self.assertEqual(program.read_line(), f"{host}:{port}: {shown}")

    def test_prints_and_answers_under_each_strategy(self):
        for strategy in ("threading", "forking", "synchronous"):
            with self.subTest(strategy=strategy), running(
                    RECEIVE_SERVER, f"--strategy={strategy}", "0") as program:
                self.converse(program, b"hello", "hello")
                self.converse(program, b"and again", "and again")
                self.assertEqual(program.end(), 0)

    def test_escapes_what_might_command_a_terminal(self):
        with running(RECEIVE_SERVER, "0") as program:
            self.converse(program, b"a\x1b[2J\r\n\x00\x7f\xff",
                          r"a\x1b[2J\x0d\n\x00\x7f\xff")

    def test_answers_a_datagram_too(self):
        with running(RECEIVE_SERVER, "--udp", "0") as program, socket.socket(
                type=socket.SOCK_DGRAM) as client:
            client.settimeout(DEADLINE_S)
            client.connect(("127.0.0.1", program.port))
            client.send(b"packet")
            self.assertEqual(client.recv(100), ANSWER)
            self.assertTrue(program.read_line().endswith(": packet"))


unittest.main(argv=sys.argv[:1], verbosity=2)
