"""What the programs do that compare echo servers: setting up, measuring a row
in interleaved rounds, and keeping what came of it."""

import json
import resource
import signal
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from . import host, measure, options, process
from .errors import BenchError, CannotStart
from .load import LoadOptions
from .results import Results
from .rows import Row
from .servers import Server

PROGRAM = Path(sys.argv[0]).name


def say(text: str) -> None:
    """Progress."""
    print(text, file=sys.stderr, flush=True)


def give_up(number: int, _frame: FrameType | None) -> None:
    """A signal ends the program like an error: what runs is stopped."""
    raise SystemExit(f"{PROGRAM}: ended by {signal.Signals(number).name}")


def run_program(run: Callable[[Namespace], int], args: Namespace) -> int:
    """The exit status of a program that run is: 2 if what it was asked for
    cannot be done."""
    try:
        return run(args)
    except (ValueError, OSError) as error:
        say(f"{PROGRAM}: {error}")
        return 2
    except KeyboardInterrupt:
        return 130


def tell_faults(found: list[str]) -> int:
    """What failed, if anything: the exit status."""
    for fault in found:
        say(f"{PROGRAM}: {fault}")
    return 1 if found else 0


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
        say(f"{PROGRAM}: server and load share a core; figures are of no use")
    load = LoadOptions(program, load_core, args.size, args.seconds,
                       args.warmup, args.load_spin / 1e6)
    return measure.Bench(load, server_core, args.idle_seconds)


def describe(args: Namespace, bench: measure.Bench) -> dict[str, str]:
    """What the figures are measured on."""
    facts = host.describe(bench.load.program, args.echod.absolute())
    facts["cores"] = (f"server on {bench.server_core}, "
                      f"load on {bench.load.core}")
    return facts


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
