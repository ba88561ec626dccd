"""Measures Warren on both brokers: `make bench`, or `make bench TASKS=1000000` for the memory at a million tasks.

Prints, for each broker, tasks per second and peak memory of the commands as a user runs them: publish, work with two
processes, results. On RabbitMQ the same is done by hand on pika in the same run, and the ratio is given: the rates
depend on the machine, the ratios much less.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from tests.rabbitmq_server import RabbitMQ

HERE = Path(__file__).parent
WARREN = [sys.executable, "-m", "warren"]
BY_HAND_TASKS = 5000


class Ran(NamedTuple):
    """A command that has ended: seconds, and its peak memory in MiB."""

    seconds: float
    memory: float


def main() -> None:
    tasks = int(sys.argv[1])
    given = os.environ.get("WARREN_TEST_BROKER")
    with tempfile.TemporaryDirectory() as directory, nullcontext() if given else RabbitMQ() as server:
        os.chdir(directory)
        url = given or server.url  # type: ignore[union-attr]
        write_tasks(Path("tasks.jsonl"), tasks)
        print(f"{tasks:,} tasks of 80 bytes that do nothing; {os.cpu_count()} CPUs shared with the broker\n")
        embedded = measure("embedded", tasks)
        rabbitmq = measure(url, tasks)
        published, worked = by_hand("publish", url), by_hand("work", url)
    row("", "publish", "drain", "results", "publish MiB", "work MiB", "results MiB")
    row("embedded", *embedded)
    row("RabbitMQ", *rabbitmq)
    row("by hand on pika", published, worked)
    row("RabbitMQ / by hand", f"{rabbitmq[0] / published:.1f}", f"{rabbitmq[1] / worked:.1f}")


def measure(broker: str, tasks: int) -> list[float]:
    os.environ["WARREN_BROKER"] = broker
    os.environ["WARREN_QUEUE"] = "bench"
    warren("delete", "--yes")
    published = warren("publish", "tasks.jsonl")
    worked = warren("work", str(HERE / "noop.py"), "--drain", "--processes", "2")
    collected = warren("results", "-o", "results.jsonl")
    seconds = working_seconds(Path("results.jsonl"), tasks)
    warren("delete", "--yes")
    rates = [tasks / published.seconds, tasks / seconds, tasks / collected.seconds]
    return [*rates, published.memory, worked.memory, collected.memory]


def warren(*words: str) -> Ran:
    start = time.monotonic()
    process = subprocess.Popen([*WARREN, *words], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"warren {' '.join(words)} ended with {process.returncode}")
    return Ran(time.monotonic() - start, usage.ru_maxrss / 1024)


def working_seconds(results: Path, tasks: int) -> float:
    """From the first task's start to the last one's end: without the start of Python and the proof of emptiness."""
    first, last, rows = float("inf"), 0.0, 0
    with results.open() as lines:
        for line in lines:
            row = json.loads(line)
            first, last, rows = min(first, row["started_at"]), max(last, row["processed_at"]), rows + 1
    if rows != tasks:
        sys.exit(f"{rows} rows for {tasks} tasks")
    return last - first


def by_hand(verb: str, url: str) -> float:
    words = [sys.executable, str(HERE / "by_hand.py"), verb, url, str(BY_HAND_TASKS)]
    return float(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)


def write_tasks(path: Path, tasks: int) -> None:
    with path.open("w") as lines:
        for n in range(tasks):
            task = {"id": f"task-{n:07}", "type": "noop", "data": {"n": n}, "priority": 5}
            lines.write(json.dumps(task) + "\n")


def row(*cells: object) -> None:
    print("  ".join(f"{cell if isinstance(cell, str) else f'{cell:,.0f}':>18}" for cell in cells))


if __name__ == "__main__":
    main()
