"""Huey on SQLite, with results; two processes. `BENCH_FSYNC` says whether a commit waits for the disk."""

import os

from huey import SqliteHuey

from benchmarks.marks import mark
from benchmarks.work import enqueue_with

huey = SqliteHuey(filename="huey.db", fsync=os.environ["BENCH_FSYNC"] == "1", results=True)


@huey.task()
def noop(n: str) -> str:
    mark(n)
    return n


def main() -> None:
    enqueue_with(noop)
