"""Ports of servers that do not tell which one they chose."""
import socket
import time

from harness.errors import CannotStart


def free_port():
    """One that nobody listens to just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for_listener(port, process):
    """Until the process listens there."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise CannotStart("it does not start" + process.complaint())
