"""Handlers that write down that they ran."""

from __future__ import annotations

import os
import time
from pathlib import Path

from warrener import App, PermanentError

app = App(retries=0)


@app.task
def double(number: int) -> int:
    """Fails for negative numbers."""
    _note(number)
    if number < 0:
        raise PermanentError("negative")
    return 2 * number


@app.task
def slow(number: int) -> int:
    """Waits until the file `go` is there."""
    _note(number)
    while not (_place() / "go").exists():
        time.sleep(0.01)
    return 2 * number


@app.task
def gated(number: int) -> int:
    """Waits until the file `go-NUMBER` is there."""
    _note(number)
    while not (_place() / f"go-{number}").exists():
        time.sleep(0.01)
    return 2 * number


def _note(number: int) -> None:
    with (_place() / "ran").open("a") as lines:
        lines.write(f"{number}\n")


def _place() -> Path:
    return Path(os.environ["PLACE"])
