"""The rows of the benchmark: what is measured, with how many connections."""

import re
from dataclasses import dataclass

TITLES = {
    "tcp": "TCP echo over kept connections, {n} of them",
    "connect": "TCP, one connection a request, {n} at a time",
    "udp": "UDP echo, {n} packets in flight",
    "idle": "Memory of {n} idle TCP connections",
}

# The load generator's name for each kind.
MODES = {"tcp": "stream", "idle": "stream", "connect": "connect",
         "udp": "datagram"}

DEFAULT = "tcp-1,tcp-64,tcp-1000,connect-16,udp-64,idle-1000"
QUICK = "tcp-1,tcp-16,connect-4,udp-16,idle-50"


@dataclass(frozen=True)
class Row:
    """One thing to measure of every server."""

    kind: str
    connections: int

    @property
    def name(self) -> str:
        """As the command line spells it."""
        return f"{self.kind}-{self.connections}"

    @property
    def family(self) -> str:
        """The protocol."""
        return "udp" if self.kind == "udp" else "tcp"

    @property
    def mode(self) -> str:
        """The load generator's mode."""
        return MODES[self.kind]

    @property
    def keeps_connections(self) -> bool:
        """True if all connections are open at a time."""
        return self.kind in ("tcp", "idle")

    def title(self, size: int) -> str:
        """As a heading says it."""
        text = TITLES[self.kind].format(n=f"{self.connections:,}")
        return text if self.kind == "idle" else f"{text}, {size} B"


def parse(text: str) -> list[Row]:
    """The rows of a list such as "tcp-64,connect-16"."""
    return [_parse_one(name.strip()) for name in text.split(",")]


def _parse_one(name: str) -> Row:
    match = re.fullmatch(f"({'|'.join(TITLES)})-([1-9][0-9]*)", name)
    if not match:
        raise ValueError(f"{name}: a row is one of {', '.join(TITLES)}, "
                         "a hyphen and a number")
    return Row(match[1], int(match[2]))
