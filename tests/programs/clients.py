"""Clients for each kind of server: they send, and know what to expect back."""
import contextlib
import itertools
import os
import socket

from running import DEADLINE_S

# A lost packet is sent again; UDP may lose some even on one machine.
RESEND_S = 1


class StreamClient:
    def __init__(self, family, address):
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(DEADLINE_S)
        self.socket.connect(address)

    def send(self, data):
        self.socket.sendall(data)

    def receive(self, n):
        """n bytes, or fewer at the end of the stream."""
        data = b""
        while len(data) < n and (more := self.socket.recv(n - len(data))):
            data += more
        return data

    def echo(self, data):
        """Sends data and returns what comes back for it."""
        self.send(data)
        return self.receive(len(data))

    def close(self):
        self.socket.close()


class DatagramClient:
    numbers = itertools.count()

    def __init__(self, family, address):
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.settimeout(RESEND_S)
        self.path = None
        if family == socket.AF_UNIX:
            # A reply needs an address to go to.
            self.path = f"{address}.client{next(self.numbers)}"
            self.socket.bind(self.path)
        self.socket.connect(address)

    def echo(self, data):
        """Sends data, again if need be, and returns what comes back for it."""
        for _ in range(DEADLINE_S // RESEND_S):
            with contextlib.suppress(socket.timeout):
                self.socket.send(data)
                # What was sent twice is answered twice.
                while (reply := self.socket.recv(65536)) != data:
                    pass
                return reply
        raise AssertionError("no reply")

    def close(self):
        self.socket.close()
        if self.path:
            os.unlink(self.path)


class Kind:
    """One of a program's ways to serve."""

    def __init__(self, name, client, family):
        self.name = name
        self.client = client
        self.family = family
        self.is_unix = family == socket.AF_UNIX
        self.is_stream = client is StreamClient

    def arguments(self, path):
        """The program's arguments; path serves if the kind needs one."""
        return ["--" + self.name, path if self.is_unix else "0"]

    def connect(self, program, path):
        """A new client of the running program."""
        address = str(path) if self.is_unix else ("127.0.0.1", program.port)
        return self.client(self.family, address)


KINDS = {kind.name: kind for kind in (
    Kind("tcp", StreamClient, socket.AF_INET),
    Kind("udp", DatagramClient, socket.AF_INET),
    Kind("unix", StreamClient, socket.AF_UNIX),
    Kind("unix-dgram", DatagramClient, socket.AF_UNIX))}
