"""Handlers that print beside each other."""

from __future__ import annotations

import asyncio
import logging
import sys

from warrener import App

app = App(retries=0, base=0.05)
logging.basicConfig(level=logging.INFO, format="%(message)s")


@app.task
async def say(name: str, lines: int = 3) -> None:
    for number in range(lines):
        print(name, end=" ")
        await asyncio.sleep(0)
        print("says", number)
        await asyncio.to_thread(print, name, "warns", number, file=sys.stderr)
    logging.info("%s logs \udcff", name)
    sys.stdout.buffer.write(f"{name} writes bytes\n".encode())
    print(name, "has no", "end", end="")


@app.task
async def fail(name: str) -> None:
    print(name, "begins")
    raise ValueError("no luck")
