#!/usr/bin/env python3
"""Measures what one chooses a strategy by: what an idle connection, a new
connection and a round trip cost under each, a line a strategy.

Server and load generator run on a core each, as for echo.py.  One table in
Markdown goes to standard output, progress to standard error, and all raw
figures to a file on demand.  When it is ended early, or by its deadline, the
table has what was measured until then.  The exit status is 1 if anything
failed that should not have.
"""

import resource
import shlex
import sys
from argparse import Namespace

from harness import choice, measure, options, results
from harness.choice import Plan
from harness.results import Results
from harness.rows import Row
from harness.servers import SPARE_DESCRIPTORS, Server, strategies
from harness.session import (candidates, describe, make_bench, measure_row,
                             prepare, run_program, say, tell_faults,
                             write_json)

# More processes than that at a time tell nothing new, but take minutes.
MOST_PROCESSES = 1000
A_PROCESS_EACH = ("sks:forking", "sks:prefork")

# All connections may come to one process, whose workers are this many.
MOST_OF_INNER = {"sks:prefork:threading": 512, "sks:prefork:thread-pool": 4}

# Each thread of a pool has a descriptor of its own beside its client's.
TWO_DESCRIPTORS_EACH = ("sks:thread-pool",)

# Over so many idle connections those are measured who cannot hold more.
FEWER_IDLE = 1000

FULL = {"idle": 10_000, "connect": 16, "counts": [1, 64, 1000, 10_000],
        "latency_at": 64, "seconds": 0.8, "warmup": 0.1, "rounds": 5,
        "idle_seconds": 0.5, "deadline": 600}
QUICK = {"idle": 50, "connect": 4, "counts": [1, 16],
         "latency_at": 16, "seconds": 0.1, "warmup": 0.0, "rounds": 1,
         "idle_seconds": 0.05, "deadline": 120}

EPILOG = """\
Build the load generator and the server first, with -DSKS_BENCH=ON or by
cmake --build build --target bench sockserver-echod
"""


def count(text: str) -> int:
    """A number of connections."""
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def counts(text: str) -> list[int]:
    """Numbers of connections, with commas."""
    return [count(word) for word in text.split(",")]


def parse(arguments: list[str]) -> Namespace:
    """The options, with the defaults of a full or a quick run."""
    parser = options.common_parser("Measures what one chooses a strategy by.",
                                   EPILOG, FULL)
    add = parser.add_argument
    add("--idle", type=count, metavar="N",
        help="idle connections to measure memory over (10000)")
    add("--connect", type=count, metavar="N",
        help="new connections at a time (16)")
    add("--counts", type=counts, metavar="LIST",
        help="connections that make round trips (1,64,1000,10000)")
    add("--latency-at", type=count, metavar="N",
        help="the one of these whose latencies are told (64)")
    args = options.parse_with(parser, arguments, FULL, QUICK)
    if args.latency_at not in args.counts:
        args.latency_at = args.counts[-1]
    return args


def reason_against(server: Server, connections: int) -> str | None:
    """What would be too much for the server or this machine, if anything."""
    if server.name in A_PROCESS_EACH and connections > MOST_PROCESSES:
        return f"it would take {connections:,} processes"
    most = MOST_OF_INNER.get(server.name, connections)
    if connections > most:
        return f"one process may get all, and serves {most} at once"
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if (server.name in TWO_DESCRIPTORS_EACH
            and 2 * connections + SPARE_DESCRIPTORS > limit):
        return (f"it would take {2 * connections:,} descriptors and some; "
                f"their limit is {limit:,}")
    return None


def make_row(kind: str, connections: int, servers: list[Server]) -> Results:
    """A row without those that have no part in it."""
    found = candidates(Row(kind, connections), servers)
    for server in found.servers:
        reason = reason_against(server, connections)
        if reason and found.row.keeps_connections:
            found.left_out.setdefault(server.name, reason)
    return found


def make_plan(args: Namespace, servers: list[Server]) -> Plan:
    """What is measured, and where in the table it goes."""
    idle = [make_row("idle", args.idle, servers)]
    fewer = [server for server in servers
             if reason_against(server, args.idle)
             and not reason_against(server, FEWER_IDLE)]
    if fewer and args.idle > FEWER_IDLE:
        idle.append(make_row("idle", FEWER_IDLE, fewer))
    return Plan(idle=idle, connect=make_row("connect", args.connect, servers),
                speed=[make_row("tcp", number, servers)
                       for number in args.counts],
                latency_at=args.latency_at)


def tell_left_out(plan: Plan) -> None:
    """Says beforehand what there will be no figure of."""
    for found in plan.rows():
        for name, reason in found.left_out.items():
            say(f"{found.row.name} {name}: left out, {reason}")


def measure_all(args: Namespace, bench: measure.Bench, plan: Plan) -> None:
    """All rounds, and then the table, of whatever there is by then."""
    try:
        for found in plan.rows():
            measure_row(bench, found, args.rounds)
    finally:
        print("\n" + choice.table(plan), flush=True)


def faults(plan: Plan) -> list[str]:
    """What failed.  A row that nobody has a part in is no fault."""
    tried = [found for found in plan.rows() if found.samples or found.failed]
    return results.faults(tried) if tried else ["nothing was measured"]


def run(args: Namespace) -> int:
    """The whole measurement."""
    prepare(args.deadline)
    bench = make_bench(args)
    names = options.chosen_strategies(args)
    if not names:
        raise ValueError(f"{args.echod}: not built; see --help")
    plan = make_plan(args, strategies(args.echod.absolute(), names,
                                      args.echod_args))
    facts = describe(args, bench)
    command = shlex.join(["tests/bench/choosing.py", *sys.argv[1:]])
    print(choice.header(facts, command, args), flush=True)
    tell_left_out(plan)
    measure_all(args, bench, plan)
    if args.json:
        write_json(args, facts, plan.rows())
    return tell_faults(faults(plan))


if __name__ == "__main__":
    sys.exit(run_program(run, parse(sys.argv[1:])))
