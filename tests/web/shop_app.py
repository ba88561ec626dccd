"""Handlers for what the page has to show."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from warrener import App, PermanentError

app = App(base=0.02)
EXACT = 98765432109876543210987


@app.task
def copy(number: int, big: int = 0) -> dict[str, int]:
    print(f"copied {number}")  # noqa: T201 - it is shown
    return {"number": number, "big": big}


@app.task(retries=1)
def fetch(host: str, region: str) -> None:
    print(f"asking {host}")  # noqa: T201 - it is shown
    raise ConnectionError(f"{host}: refused after 3 tries")


@app.task
def decode(file: str) -> None:
    raise PermanentError(f"cannot identify '{file}'")


@app.task
def exact(number: Any) -> str:
    if number != EXACT:
        raise PermanentError("this is not the number")
    return "exactly"


@app.task
def speak(text: str) -> None:
    print(text)  # noqa: T201 - it is shown
    raise PermanentError(text)


@app.task
def echo(value: Any) -> Any:
    return value


@app.task
def wait_for(file: str) -> str:
    while not Path(file).exists():
        time.sleep(0.05)
    return "waited"
