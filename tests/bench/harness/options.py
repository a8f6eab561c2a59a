"""The command line of the benchmark."""

import argparse
import os
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

from . import rows, servers

SOURCE = Path(__file__).resolve().parent.parent

EPILOG = """\
A row is tcp-N (echo over N kept connections), connect-N (a connection for each
request, N at a time), udp-N (N packets in flight) or idle-N (memory).  Build
the peers first, with -DSKS_BENCH=ON or from tests/bench alone:
cmake -S tests/bench -B build/bench-only && cmake --build build/bench-only
"""


def common_parser(description: str, epilog: str,
                  defaults: Mapping[str, object]) -> argparse.ArgumentParser:
    """What every program has that starts echo servers and measures them."""
    result = argparse.ArgumentParser(
        description=description, epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = result.add_argument
    add("--build", type=Path, default=Path("build/bench"), metavar="DIR",
        help="where bench_load and the peers are (build/bench)")
    add("--echod", type=Path, default=Path("build/bin/sockserver-echod"),
        metavar="FILE", help="our echo server (build/bin/sockserver-echod)")
    add("--strategies", metavar="LIST",
        help="ours (by default all that the program says it has)")
    add("--echod-args", default="", metavar="ARGS",
        help="more options for our echo server")
    add("--defer", action="store_true",
        help="measure ours with deferred accept too, as sks:NAME+defer, where "
             "each request has a connection")
    add("--size", type=int, default=64, choices=range(8, 4097),
        metavar="BYTES", help="length of a request (64)")
    add("--seconds", type=float,
        help=f"length of a run ({defaults['seconds']:g})")
    add("--warmup", type=float, help="the time before it that is not "
                                     f"measured ({defaults['warmup']:g})")
    add("--rounds", type=int,
        help=f"runs of each server ({defaults['rounds']})")
    add("--idle-seconds", type=float, help="how long connections idle before "
        f"memory is measured ({defaults['idle_seconds']:g})")
    add("--load-spin", type=float, default=0, metavar="US",
        help="microseconds for which the load generator polls before it "
             "sleeps (0)")
    add("--server-core", type=int, default=0, help="where servers run (0)")
    add("--load-core", type=int, default=1, help="where the load runs (1)")
    add("--json", type=Path, metavar="FILE", help="write all raw figures")
    add("--deadline", type=int, metavar="S",
        help=f"give up after so many seconds ({defaults['deadline']})")
    add("--quick", action="store_true",
        help="short runs, one round, few connections: a smoke test")
    return result


def parse_with(parser: argparse.ArgumentParser, arguments: list[str],
               full: Mapping[str, object],
               quick: Mapping[str, object]) -> argparse.Namespace:
    """The options, with the defaults of a full or a quick run."""
    chosen = parser.parse_args(arguments)
    for name, value in (quick if chosen.quick else full).items():
        if getattr(chosen, name) is None:
            setattr(chosen, name, value)
    return chosen


def parser() -> argparse.ArgumentParser:
    """The options and their defaults."""
    result = common_parser("Compares echo servers on the loopback interface.",
                           EPILOG, _FULL)
    add = result.add_argument
    add("--server", action="append", default=[], metavar="NAME=COMMAND",
        help="one more server, compared with the floor; {port} in COMMAND "
             "is where it has to listen")
    add("--servers", default="*", metavar="LIST",
        help="patterns of names to measure, such as 'c:*,sks:threading'")
    add("--rows", metavar="LIST", help=f"what to measure ({rows.DEFAULT})")
    add("--syscall-requests", type=int, metavar="N",
        help="requests to count system calls over (4000; 0: do not count)")
    add("--list", action="store_true", help="print the servers' names")
    return result


_FULL = {"rows": rows.DEFAULT, "seconds": 2.0, "warmup": 0.2, "rounds": 5,
         "idle_seconds": 1.0, "syscall_requests": 4000, "deadline": 7200}
_QUICK = {"rows": rows.QUICK, "seconds": 0.1, "warmup": 0.0, "rounds": 1,
          "idle_seconds": 0.05, "syscall_requests": 100, "deadline": 240}


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options of a comparison of echo servers."""
    return parse_with(parser(), arguments, _FULL, _QUICK)


def chosen_strategies(options: argparse.Namespace) -> list[str]:
    """Our strategies: those asked for, or else those that there are."""
    asked_for: str | None = options.strategies
    if asked_for:
        return asked_for.split(",")
    return servers.discover(options.echod.absolute())


def missing_strategies(options: argparse.Namespace) -> list[str]:
    """Those that this benchmark knows but neither program nor user names."""
    chosen = chosen_strategies(options)
    return [name for name in servers.STRATEGIES if name not in chosen]


def chosen_servers(options: argparse.Namespace) -> list[servers.Server]:
    """All servers whose name fits the patterns."""
    ours = servers.strategies(options.echod.absolute(),
                              chosen_strategies(options), options.echod_args)
    if options.defer:
        ours += [servers.deferring(server) for server in ours]
    everybody = (ours + servers.bare_peers(options.build.absolute())
                 + servers.python_peers(SOURCE)
                 + [servers.custom(text) for text in options.server])
    patterns = options.servers.split(",")
    return [server for server in everybody
            if any(fnmatch(server.name, pattern) for pattern in patterns)]


def chosen_cores(options: argparse.Namespace) -> tuple[int, int]:
    """The cores of server and load that this process may really use."""
    allowed = sorted(os.sched_getaffinity(0))
    return (options.server_core if options.server_core in allowed
            else allowed[0],
            options.load_core if options.load_core in allowed
            else allowed[-1])
