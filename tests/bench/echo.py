#!/usr/bin/env python3
"""Compares echo servers side by side: this library's under each strategy, bare
programs in C of the same models, and Python's socketserver.

Server and load generator run on a core each.  A table in Markdown goes to
standard output, progress to standard error, and all raw figures to a file on
demand.  The exit status is 1 if anything failed that should not have.
"""

import json
import resource
import shlex
import signal
import sys
from argparse import Namespace
from types import FrameType

from harness import (host, measure, options, process, report, results, rows,
                     syscalls)
from harness.errors import BenchError, CannotStart
from harness.load import LoadOptions
from harness.results import Results
from harness.rows import Row
from harness.servers import Server


def say(text: str) -> None:
    """Progress."""
    print(text, file=sys.stderr, flush=True)


def give_up(number: int, _frame: FrameType | None) -> None:
    """A signal ends the program like an error: what runs is stopped."""
    raise SystemExit(f"echo.py: ended by {signal.Signals(number).name}")


def prepare(deadline: int) -> None:
    """Makes sure that nothing outlives this program or runs for ever."""
    process.adopt_orphans()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, give_up)
    signal.alarm(deadline)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def make_bench(args: Namespace) -> measure.Bench:
    """Where and how to measure, from the options."""
    program = args.build.absolute() / "bench_load"
    if not program.exists():
        raise ValueError(f"{program}: not built; see --help")
    server_core, load_core = options.chosen_cores(args)
    if server_core == load_core:
        say("echo.py: server and load share a core; figures are of no use")
    load = LoadOptions(program, load_core, args.size, args.seconds,
                       args.warmup, args.load_spin / 1e6)
    return measure.Bench(load, server_core, args.idle_seconds)


def candidates(row: Row, servers: list[Server]) -> Results:
    """The row's servers; those that have no part in it are left out."""
    mine = [server for server in servers if row.family in server.families]
    found = Results(row, mine)
    for server in mine:
        if reason := server.reason_against(row):
            found.left_out[server.name] = reason
    return found


def measure_once(bench: measure.Bench, found: Results, server: Server,
                 round_number: int) -> None:
    """One sample, or the reason why there is none."""
    name = server.name
    try:
        sample = measure.measure(bench, server, found.row)
    except CannotStart as error:
        kind = found.failed if server.required else found.left_out
        kind[name] = str(error)
    except BenchError as error:
        found.failed[name] = str(error)
    else:
        found.add(server, round_number, sample)
        figure = sample.get("requests_per_second", sample.get("sum_kib"))
        say(f"{found.row.name} round {round_number + 1} {name}: {figure:,.0f}")
        return
    say(f"{found.row.name} {name}: "
        f"{found.failed.get(name, found.left_out.get(name))}")


def count_syscalls(bench: measure.Bench, found: Results,
                   requests: int) -> None:
    """The system calls of all servers of the row that have figures."""
    for server in found.measured():
        try:
            found.syscalls[server.name] = syscalls.per_round_trip(
                bench, server, found.row, requests)
        except BenchError as error:
            found.failed[server.name] = f"under strace: {error}"
            say(f"{found.row.name} {server.name} under strace: {error}")


def measure_row(bench: measure.Bench, found: Results, rounds: int) -> None:
    """All rounds of a row, interleaved: A B C A B C."""
    for round_number in range(1 if found.row.kind == "idle" else rounds):
        for server in found.servers:
            if server.name not in found.left_out | found.failed:
                measure_once(bench, found, server, round_number)


def write_json(args: Namespace, facts: dict[str, str],
               everything: list[Results]) -> None:
    """All raw figures."""
    settings = {name: str(value) for name, value in vars(args).items()}
    args.json.write_text(json.dumps(
        {"host": facts, "options": settings,
         "rows": [found.as_json() for found in everything]}, indent=1) + "\n")


def collect_facts(args: Namespace, bench: measure.Bench) -> dict[str, str]:
    """What the figures were measured on, and what there is none of."""
    facts = host.describe(bench.load.program, args.echod.absolute())
    facts["cores"] = (f"server on {bench.server_core}, "
                      f"load on {bench.load.core}")
    if missing := options.missing_strategies(args):
        facts["left out, not in this build"] = ", ".join(missing)
    if args.syscall_requests > 0 and (reason := syscalls.why_not()):
        facts["left out, system calls"] = reason
        args.syscall_requests = 0
    return facts


def measure_all(args: Namespace, bench: measure.Bench,
                asked_for: list[Row]) -> list[Results]:
    """All rows; each is printed once it is measured."""
    servers = options.chosen_servers(args)
    everything = []
    for row in asked_for:
        found = candidates(row, servers)
        measure_row(bench, found, args.rounds)
        if args.syscall_requests > 0 and syscalls.countable(row):
            count_syscalls(bench, found, args.syscall_requests)
        print("\n" + report.section(found, args.size), flush=True)
        everything.append(found)
    return everything


def run(args: Namespace) -> int:
    """The whole benchmark."""
    asked_for = rows.parse(args.rows)
    prepare(args.deadline)
    bench = make_bench(args)
    facts = collect_facts(args, bench)
    command = shlex.join(["tests/bench/echo.py", *sys.argv[1:]])
    print(report.header(facts, command, args.rounds, args.seconds))
    everything = measure_all(args, bench, asked_for)
    if args.json:
        write_json(args, facts, everything)
    faults = results.faults(everything)
    for fault in faults:
        say(f"echo.py: {fault}")
    return 1 if faults else 0


def main() -> int:
    """The program."""
    args = options.parse(sys.argv[1:])
    try:
        if args.list:
            print(*(server.name for server in options.chosen_servers(args)),
                  sep="\n")
            return 0
        return run(args)
    except (ValueError, OSError) as error:
        say(f"echo.py: {error}")
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
