"""The table one chooses a strategy by, as Markdown."""

from argparse import Namespace
from dataclasses import dataclass

from . import report
from .results import Results

LEGEND = """\
Medians of interleaved runs, {rounds} of each server, of {seconds:g} s each,
with requests of {size} B.

- idle: KiB a connection, over {idle:,} that made a round trip each: PSS
  of all processes, with its share of what the server holds at rest; in all:
  page tables and kernel stacks (16 KiB a thread) are added, sockets are not
- connections/s: one for each request, {connect} at a time
- trips/s: round trips, and how many of them for each CPU second of the server,
  all its threads and processes together, over so many kept connections
- p50, p99, p99.9: so many of a hundred round trips took no longer"""

# What a crash costs, and what handlers share that run at once.
WORDS = {"synchronous": ("all clients", "nothing: one at a time"),
         "forking": ("its client", "nothing"),
         "threading": ("all clients", "memory"),
         "thread-pool": ("all clients", "memory"),
         "prefork": ("its client", "nothing"),
         "coroutine": ("all clients", "memory")}
IN_PROCESSES = ("the clients of its process", "memory of their process")


@dataclass(frozen=True)
class Plan:
    """All rows of measurements, by the columns that they fill."""

    idle: list[Results]  # the first is the one that was asked for
    connect: Results
    speed: list[Results]
    latency_at: int

    def rows(self) -> list[Results]:
        """Everything, in the order of measuring."""
        return [*self.idle, self.connect, *self.speed]

    def names(self) -> list[str]:
        """The servers of which there is any figure."""
        return [server.name for server in self.connect.servers
                if any(server.name in found.samples for found in self.rows())]


def header(facts: dict[str, str], command: str, args: Namespace) -> str:
    """The command, the machine, and how to read the table."""
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    return "\n".join(["Measured by", "", f"    {command}", "", *lines, "",
                      LEGEND.format(**vars(args))])


def table(plan: Plan) -> str:
    """The table, and what there is to say about gaps in it."""
    latencies = [found for found in plan.speed
                 if found.row.connections == plan.latency_at]
    columns = ["strategy", "idle, PSS", "idle, in all", "connections/s",
               *_headings(plan, "trips/s"), *_headings(plan, "trips/CPU s"),
               *(f"p50 / p99 / p99.9 us at {found.row.connections:,}"
                 for found in latencies),
               "a crash costs", "handlers share"]
    lines = [[_strategy(name), *_idle(plan, name),
              _figure(plan.connect, name, "requests_per_second"),
              *_speeds(plan, name, "requests_per_second"),
              *_speeds(plan, name, "requests_per_cpu_second"),
              *(_latencies(found, name) for found in latencies),
              *_words(name)] for name in plan.names()]
    return "\n\n".join(filter(None, [report.table(columns, lines),
                                     _remarks(plan)]))


def _strategy(name: str) -> str:
    return name.removeprefix("sks:")


def _headings(plan: Plan, unit: str) -> list[str]:
    return [f"{unit} at {found.row.connections:,}" for found in plan.speed]


def _rounded(value: float) -> str:
    """Three digits: more would pretend a precision that there is not."""
    if value >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def _figure(found: Results, name: str, figure: str) -> str:
    if name not in found.samples:
        return "-"
    return _rounded(found.median(name, figure))


def _speeds(plan: Plan, name: str, figure: str) -> list[str]:
    return [_figure(found, name, figure) for found in plan.speed]


def _idle(plan: Plan, name: str) -> list[str]:
    """The figures of the first row that has them."""
    found = next((found for found in plan.idle if name in found.samples),
                 plan.idle[0])
    return [_figure(found, name, figure) for figure in ("user_kib", "sum_kib")]


def _latencies(found: Results, name: str) -> str:
    if name not in found.samples:
        return "-"
    return " / ".join(_figure(found, name, figure)
                      for figure in ("p50_us", "p99_us", "p99_9_us"))


def _words(name: str) -> tuple[str, str]:
    strategy = _strategy(name)
    if strategy.startswith("prefork:"):
        return IN_PROCESSES
    return WORDS.get(strategy, ("-", "-"))


def _remarks(plan: Plan) -> str:
    lines = [f"- idle, over {found.row.connections:,} connections only: "
             + ", ".join(_strategy(name) for name in found.samples)
             for found in plan.idle[1:] if found.samples]
    lines += [f"- {found.row.name}: {remark.removeprefix('- ')}"
              for found in plan.rows()
              for remark in report.remarks(found).splitlines()]
    return "\n".join(line.replace("sks:", "") for line in lines)
