"""Sends what the files of exchanges/ say, and expects each response byte by
byte.

In a file, "> " begins a line that is sent and "< " one that must come back; a
backslash at its end leaves out the CR LF, \\xNN stands for a byte.  "# " begins
a comment, "= closed" expects the connection's end, "= open" that it still
serves.  A file without either expects its end after the client ended its own
side.  Dates of now and what differs from machine to machine in entity tags are
written as DATE and TAG.
"""
import pathlib
import re
import sys

from service import ServiceTest, run, under_each_strategy

PROGRAM = sys.argv[1]
EXCHANGES = pathlib.Path(__file__).parent / "exchanges"


def encode(line):
    """The bytes of a line after its mark."""
    end = b"\r\n"
    if line.endswith("\\"):
        line, end = line[:-1], b""
    return re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes.fromhex(m[1].decode()),
                  line.encode()) + end


def parse(text):
    """Pairs of what is sent and what is expected, and how it ends."""
    turns, end = [], "half-closed"
    for line in text.splitlines():
        mark, rest = line[:2], line[2:]
        if mark == "> ":
            if not turns or turns[-1][1]:
                turns.append([b"", b""])
            turns[-1][0] += encode(rest)
        elif mark == "< ":
            turns[-1][1] += encode(rest)
        elif mark == "= ":
            end = rest
        elif mark != "# ":
            raise ValueError(line)
    return turns, end


def normalised(data):
    data = re.sub(rb"\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT",
                  b"\r\nDate: DATE", data)
    data = re.sub(rb'"[0-9a-f]+-[0-9a-f]+-', b'"TAG-', data)
    return re.sub(rb"(boundary=|--)[0-9a-f]+x[0-9a-f]+x", rb"\1TAGx", data)


class Exchanges(ServiceTest):
    def check(self, path):
        turns, end = parse(path.read_text())
        connection = self.connect()
        for sent, expected in turns:
            connection.send(sent)
            got = b""
            while len(normalised(got)) < len(expected):
                if not connection.more():
                    break
                got = connection.received
            self.assertEqual(normalised(got), expected)
            connection.received = b""
        if end == "open":
            self.assertEqual(connection.get("/healthz")[2], b"ok\n")
        elif end == "half-closed":
            connection.socket.shutdown(1)
        if end != "open":
            self.assertEqual(connection.read_all(), b"")
        connection.close()

    def test_each_file(self):
        for path in sorted(EXCHANGES.glob("*.txt")):
            with self.subTest(path.stem):
                self.check(path)


sys.exit(run(under_each_strategy(PROGRAM, Exchanges)))
