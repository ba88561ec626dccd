"""Handlers that wait for what a test does meanwhile, and say when they begin."""

import time
from pathlib import Path

from warrener import App, TransientError

app = App()


@app.task
def echo(number: int = 0) -> int:
    return number


@app.task
def hold(name: str, log: str, gate: str) -> str:
    """Begins, and ends when the gate is there."""
    _begin(name, log)
    _wait_for(gate)
    return name


@app.task
def hold_first(name: str, log: str, gate: str) -> str:
    """Only its first copy waits for the gate, and says when it ends."""
    if _begin(name, log) == 1:
        _wait_for(gate)
        _begin(f"{name} ends", log)
    return name


@app.task
def again(name: str, log: str, gate: str, after: float) -> float:
    """Fails once; the second attempt ends when the gate is there, with the seconds since the first."""
    before = time.monotonic()
    if _begin(name, log) == 1:
        Path(f"{log}.{name}").write_text(str(before))
        raise TransientError(after=after)
    _wait_for(gate)
    return before - float(Path(f"{log}.{name}").read_text())


def _begin(name: str, log: str) -> int:
    """Write the name down; how often it is there."""
    with Path(log).open("a") as file:
        file.write(f"{name}\n")
    return Path(log).read_text().splitlines().count(name)


def _wait_for(gate: str) -> None:
    while not Path(gate).exists():
        time.sleep(0.01)
