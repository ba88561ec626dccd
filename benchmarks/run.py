"""Measures Warrener beside its peers and against its targets: `make bench`, or `make bench ONLY=race,tail TASKS=5000`.

One RabbitMQ for all; every contestant has it for itself while it runs; rounds are interleaved, so that what else the
machine does meets all of them. Rates depend on the machine, ratios much less.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from contextlib import ExitStack
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from benchmarks.environment import prepared, requirements
from benchmarks.scenario import Measured, Report, Scenario
from benchmarks.scenarios import SCENARIOS
from benchmarks.stage import Broken, Place, Server
from benchmarks.table import table, verdicts
from tests.rabbitmq_server import RabbitMQ

_PAPER: Final = 150  # columns of what is no terminal


def main() -> int:
    options = parsed()
    chosen = options.only.split(",") if options.only else list(SCENARIOS)
    if unknown := set(chosen) - set(SCENARIOS):
        sys.exit(f"there is no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    peers = prepared() if any(SCENARIOS[name].has_peers for name in chosen) else Path()
    console = Console(width=None if sys.stdout.isatty() else _PAPER)
    with ExitStack() as stack:
        server = broker(stack)
        report = Report(command(options), today(), machine(), versions(server))
        console.print(
            f"{report.date}, {report.machine}\n{', '.join(f'{k} {v}' for k, v in report.versions.items())}\n"
        )
        for name in chosen:
            measured = measure(name, SCENARIOS[name], server, peers, options)
            report.scenarios.append(measured)
            show(console, measured)
            if options.json:
                options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    return 1 if any(measured.broken for measured in report.scenarios) else 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--only", metavar="NAME,...", help=f"some of: {', '.join(SCENARIOS)}")
    parser.add_argument(
        "--contestant", metavar="REGEX", default="", help="only those whose name has this in it"
    )
    parser.add_argument("--tasks", type=int, help="instead of each scenario's own number")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the raw figures go")
    return parser.parse_args()


def command(options: argparse.Namespace) -> str:
    """How somebody else gets these figures."""
    given = {
        "ONLY": options.only,
        "CONTESTANT": options.contestant,
        "TASKS": options.tasks,
        "ROUNDS": options.rounds,
    }
    return " ".join(["make bench", *(f"{name}={value}" for name, value in given.items() if value)])


def measure(
    name: str, scenario: Scenario, server: Server, peers: Path, options: argparse.Namespace
) -> Measured:
    tasks = options.tasks or scenario.tasks
    contestants = {n: run for n, run in scenario.contestants.items() if re.search(options.contestant, n)}
    values: dict[str, dict[str, list[float]]] = {n: {} for n in contestants}
    broken: dict[str, str] = {}
    before = os.getloadavg()[0]
    for number in range(1, 1 + min(options.rounds, scenario.rounds)):
        for contestant, run in contestants.items():
            if contestant in broken:
                continue
            print(f"{name}, round {number}: {contestant}", file=sys.stderr)
            try:
                with Place(server, peers, tasks) as place:
                    for figure, value in run(place).items():
                        values[contestant].setdefault(figure, []).append(value)
            except Broken as error:
                broken[contestant] = str(error)
    for contestant in broken:
        del values[contestant]
    return Measured(
        name,
        scenario.title,
        tasks,
        (before, os.getloadavg()[0]),
        scenario.figures,
        scenario.yardstick,
        scenario.targets,
        values,
        broken,
    )


def show(console: Console, measured: Measured) -> None:
    console.print(table(measured))
    for held, text in verdicts(measured):
        console.print(f"{'[green]held  ' if held else '[red]missed'}[/] {text}")
    for contestant, why in measured.broken.items():
        console.print(f"[red]failed[/] {contestant}: ", end="")
        console.print(why, markup=False)
    console.print()


def broker(stack: ExitStack) -> Server:
    """The RabbitMQ that the environment names, or one of our own."""
    if url := os.environ.get("WARRENER_TEST_BROKER"):
        return Server(url, os.environ["WARRENER_TEST_MANAGEMENT"])
    node = stack.enter_context(RabbitMQ())
    return Server(node.url, node.management_url)


def today() -> str:
    now = datetime.now().astimezone()
    return f"{now.day} {now:%B %Y}"


def machine() -> str:
    found = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = found[0].partition(":")[2].strip() if found else platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} CPUs ({model}), {memory:.0f} GiB, {platform.system()} {platform.release()}"


def versions(server: Server) -> dict[str, str]:
    own = {name: version(name) for name in ("warrener", "pika", "msgspec")}
    return {"Python": platform.python_version(), "RabbitMQ": server.version, **own, **requirements()}


if __name__ == "__main__":
    sys.exit(main())
