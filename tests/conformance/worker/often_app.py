"""A handler that is tried more often than all attempts are remembered."""

from __future__ import annotations

from warrener import App

app = App(retries=11, base=0.001)


@app.task
def fail_often() -> None:
    raise ValueError("x" * 5000)
