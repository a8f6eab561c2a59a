#!/usr/bin/env python3
"""Compares echo servers side by side: this library's under each strategy, bare
programs in C of the same models, and Python's socketserver.

Server and load generator run on a core each.  A table in Markdown goes to
standard output, progress to standard error, and all raw figures to a file on
demand.  The exit status is 1 if anything failed that should not have.
"""

import shlex
import sys
from argparse import Namespace

from harness import measure, options, report, results, rows, syscalls
from harness.errors import BenchError
from harness.results import Results
from harness.rows import Row
from harness.session import (candidates, describe, make_bench, measure_row,
                             prepare, run_program, say, tell_faults,
                             write_json)


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


def collect_facts(args: Namespace, bench: measure.Bench) -> dict[str, str]:
    """What the figures were measured on, and what there is none of."""
    facts = describe(args, bench)
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
    """The whole benchmark, or the names of the servers in it."""
    if args.list:
        print(*(server.name for server in options.chosen_servers(args)),
              sep="\n")
        return 0
    asked_for = rows.parse(args.rows)
    prepare(args.deadline)
    bench = make_bench(args)
    facts = collect_facts(args, bench)
    command = shlex.join(["tests/bench/echo.py", *sys.argv[1:]])
    print(report.header(facts, command, args.rounds, args.seconds))
    everything = measure_all(args, bench, asked_for)
    if args.json:
        write_json(args, facts, everything)
    return tell_faults(results.faults(everything))


if __name__ == "__main__":
    sys.exit(run_program(run, options.parse(sys.argv[1:])))
