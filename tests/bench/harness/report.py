"""The results as Markdown, ready to be pasted into a page."""

from collections.abc import Iterable, Sequence
from statistics import median

from .results import Results
from .servers import FLOORS, Server

LEGEND = """\
Medians of interleaved runs, {rounds} of each server, of {seconds:g} s each.

- CPU: of the server with all threads and children, reaped ones too; "busy"
  is its share of the wall time
- own peer: CPU a request (or memory) as a multiple of the bare C program's of
  the same model, taken within each round, and half the distance of its
  quartiles; less is better, 1.00 is par
- floor: the same as a multiple of the bare loop's,
  {floors}
- workers: a thread-pool and prefork, also bare ones, have one for each kept
  connection, and one for two where each request has a connection of its own
- calls: system calls a round trip
- faults: page faults a connection, in all processes: memory that is touched
  first, or copied after a fork
- memory: KiB a connection, all processes together: user space (PSS, with its
  share of what the server holds at rest), page tables, kernel stacks (16 KiB
  a thread); not counted are sockets, the same for all; measured once"""

# From that share of the cores' time on, other work spoils the figures.
DISTURBED = 0.05

SYSCALLS_LEGEND = "System calls a round trip:"


def header(facts: dict[str, str], command: str, rounds: int,
           seconds: float) -> str:
    """The command, the machine, and how to read what follows."""
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    floors = " and ".join(f"`{name}` for {family}"
                          for family, name in FLOORS.items())
    legend = LEGEND.format(rounds=rounds, seconds=seconds, floors=floors)
    return "\n".join(["Measured by", "", f"    {command}", "", *lines, "",
                      legend])


def section(results: Results, size: int) -> str:
    """One row's heading, table and remarks."""
    if results.row.kind == "idle":
        figures = _memory_table(results)
    else:
        figures = _speed_table(results, FLOORS[results.row.family])
    parts = [figures, _syscalls(results), remarks(results)]
    heading = f"### {results.row.title(size)} (`{results.row.name}`)"
    return "\n\n".join([heading, *filter(None, parts)])


def _speed_table(results: Results, floor: str) -> str:
    columns = ["server", "requests/s", "per CPU second", "CPU us",
               "busy", "own peer", "floor", "p50 us", "p99 us", "p99.9 us",
               "calls", *_faults_column(results)]
    return table(columns, [_speed_line(results, server, floor)
                            for server in results.measured()])


def _speed_line(results: Results, server: Server, floor: str) -> list[str]:
    name = server.name
    peer = server.peers[results.row.family]
    calls = results.syscalls.get(name)
    return [name,
            f"{results.median(name, 'requests_per_second'):,.0f}",
            f"{results.median(name, 'requests_per_cpu_second'):,.0f}",
            f"{results.median(name, 'cpu_us_per_request'):.2f}",
            f"{results.median(name, 'busy'):.0%}",
            _ratio(results, name, peer, "cpu_us_per_request"),
            _ratio(results, name, floor, "cpu_us_per_request"),
            *(f"{results.median(name, figure):,.0f}"
              for figure in ("p50_us", "p99_us", "p99_9_us")),
            f"{sum(calls.values()):.2f}" if calls else "-",
            *(f"{results.median(name, 'page_faults_per_request'):.2f}"
              for _ in _faults_column(results))]


def _faults_column(results: Results) -> list[str]:
    """Where connections are kept, page faults tell nothing of a request."""
    return ["faults"] if results.row.kind == "connect" else []


def _memory_table(results: Results) -> str:
    columns = ["server", "processes", "threads", "at rest", "user",
               "page tables", "kernel stacks", "sum", "own peer"]
    return table(columns, [_memory_line(results, server)
                            for server in results.measured()])


def _memory_line(results: Results, server: Server) -> list[str]:
    name = server.name
    return [name,
            *(f"{results.median(name, figure):,.0f}"
              for figure in ("processes", "threads", "rest_kib")),
            *(f"{results.median(name, figure):.1f}"
              for figure in ("user_kib", "page_tables_kib",
                             "kernel_stacks_kib", "sum_kib")),
            _ratio(results, name, server.peers["tcp"], "sum_kib")]


def _ratio(results: Results, name: str, other: str, figure: str) -> str:
    ratio = results.ratio(name, other, figure)
    spread = results.spread(name, other, figure)
    if ratio is None or name == other:
        return "-" if ratio is None else f"{ratio:.2f}"
    return f"{ratio:.2f}" + ("" if spread is None else f" ±{spread:.2f}")


def table(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table whose first column is text, and the others numbers."""
    rules = ["---"] + ["---:"] * (len(columns) - 1)
    return "\n".join("| " + " | ".join(line) + " |"
                     for line in [columns, rules, *lines])


def _syscalls(results: Results) -> str:
    lines = [f"- {name}: "
             + ", ".join(f"{call} {number:.2f}"
                         for call, number in calls.items())
             for name, calls in results.syscalls.items()]
    return "\n".join([SYSCALLS_LEGEND, "", *lines]) if lines else ""


def remarks(results: Results) -> str:
    """What is missing in the row, what failed, and what spoils it."""
    lines = [f"- left out, {reason}: {', '.join(names)}"
             for reason, names in _by_reason(results.left_out).items()]
    lines += [f"- FAILED, {reason}: {', '.join(names)}"
              for reason, names in _by_reason(results.failed).items()]
    foreign = _foreign(results)
    if foreign > DISTURBED:
        lines.append(f"- DISTURBED: other work took {foreign:.0%} of the "
                     "cores")
    return "\n".join(lines)


def _by_reason(reasons: dict[str, str]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names.setdefault(reason, []).append(name)
    return names


def _foreign(results: Results) -> float:
    """The middle share of the cores that went to neither server nor load."""
    shares = [sample["foreign"] for rounds in results.samples.values()
              for sample in rounds.values() if "foreign" in sample]
    return median(shares) if shares else 0.0
