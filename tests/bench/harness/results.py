"""All samples of a benchmark, and the figures that come of them.

Rounds are interleaved, so the samples of one round were taken close together.
A ratio to another server is therefore taken within each round, and the median
of those is told: what changes slowly on the machine cancels out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median, quantiles

from .rows import Row
from .servers import Server

Sample = dict[str, float]


@dataclass
class Results:
    """What was measured for one row."""

    row: Row
    servers: list[Server]
    samples: dict[str, dict[int, Sample]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    syscalls: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, server: Server, round_number: int, sample: Sample) -> None:
        """One more sample."""
        self.samples.setdefault(server.name, {})[round_number] = sample

    def measured(self) -> list[Server]:
        """The servers that have figures, in the order of the table."""
        return [server for server in self.servers
                if server.name in self.samples]

    def values(self, name: str, figure: str) -> list[float]:
        """One figure of a server in all rounds."""
        return [sample[figure] for sample in self.samples[name].values()]

    def median(self, name: str, figure: str) -> float:
        """The median of a figure over the rounds."""
        return median(self.values(name, figure))

    def ratio(self, name: str, other: str, figure: str) -> float | None:
        """How many times the other's figure this server has; None if they
        have no round in common."""
        ratios = self._ratios(name, other, figure)
        return median(ratios) if ratios else None

    def spread(self, name: str, other: str, figure: str) -> float | None:
        """Half the distance between the quartiles of that ratio; None if
        there are too few rounds to tell."""
        ratios = self._ratios(name, other, figure)
        if len(ratios) < 3:
            return None
        low, _, high = quantiles(ratios, n=4, method="inclusive")
        return (high - low) / 2

    def _ratios(self, name: str, other: str, figure: str) -> list[float]:
        mine = self.samples[name]
        theirs = self.samples.get(other, {})
        return [mine[i][figure] / theirs[i][figure]
                for i in mine.keys() & theirs.keys() if theirs[i][figure]]

    def as_json(self) -> dict[str, object]:
        """Everything, raw."""
        return {"row": self.row.name,
                "samples": {name: list(rounds.values())
                            for name, rounds in self.samples.items()},
                "left_out": self.left_out, "failed": self.failed,
                "syscalls": self.syscalls}


def faults(results: Iterable[Results]) -> list[str]:
    """Everything that failed, and every figure that is not there."""
    found = []
    for one in results:
        found += [f"{one.row.name}, {name}: {reason}"
                  for name, reason in one.failed.items()]
        if not one.samples:
            found.append(f"{one.row.name}: no server was measured")
        for name, rounds in one.samples.items():
            found += [f"{one.row.name}, {name}: no {figure}"
                      for sample in rounds.values()
                      for figure in _essential(sample) if not sample[figure]]
    return found


def _essential(sample: Sample) -> set[str]:
    """The figures of which zero is a fault."""
    return sample.keys() & {"requests_per_second", "cpu_us_per_request",
                            "p50_us", "user_kib", "page_tables_kib",
                            "threads"}
