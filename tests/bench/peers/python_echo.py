#!/usr/bin/env python3
"""Echo server on Python's own socketserver: CLASS PORT.

CLASS is one of the module's servers, such as ThreadingTCPServer.  The limits
that would keep many connections waiting (a queue of 5, 40 children) are
lifted, so that the comparison is about speed alone.
"""

import os
import socketserver
import sys


class StreamEcho(socketserver.BaseRequestHandler):
    """Echoes until the client closes."""

    def handle(self) -> None:
        while data := self.request.recv(16384):
            self.request.sendall(data)


class DatagramEcho(socketserver.BaseRequestHandler):
    """Sends one packet back."""

    def handle(self) -> None:
        packet, socket = self.request
        socket.sendto(packet, self.client_address)


def make_server(name: str, port: int) -> socketserver.TCPServer:
    """The server of that class, bound to the loopback address."""
    base = getattr(socketserver, name)
    limits = {"request_queue_size": 4096, "max_children": 100_000,
              "daemon_threads": True, "allow_reuse_address": True}
    handler = DatagramEcho if "UDP" in name else StreamEcho
    server: socketserver.TCPServer = type(name, (base,), limits)(
        ("127.0.0.1", port), handler)
    return server


def main() -> None:
    """Serves until a signal ends the process."""
    name, port = sys.argv[1], int(sys.argv[2])
    with make_server(name, port) as server:
        host, port = server.socket.getsockname()
        print(f"{os.path.basename(__file__)}: echo on {host}:{port} ({name})",
              flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
