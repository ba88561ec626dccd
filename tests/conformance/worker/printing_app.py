"""Handlers that print, in every way there is."""

from __future__ import annotations

import ctypes
import logging
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from warrener import App

app = App(retries=0, base=0.05)
logging.basicConfig(level=logging.INFO, format="%(message)s")
print("the app is imported")


@app.task
def say(name: str, lines: int = 3) -> None:
    for number in range(lines):
        print(name, "says", number)
        print(name, "warns", number, file=sys.stderr)
    logging.info("%s logs \udcff", name)
    sys.stdout.buffer.write(f"{name} writes bytes\n".encode())
    print(name, "has no", "end", end="")


@app.task
def start(name: str) -> None:
    """What Python does not print itself."""
    os.write(1, f"{name} writes ".encode())
    os.write(2, b"to descriptors\n")
    subprocess.run(["sh", "-c", f"echo {name} runs; echo {name} warns >&2"], check=True)


@app.task
def share(name: str) -> None:
    """Threads of its own."""
    with ThreadPoolExecutor(4) as threads:
        for number in range(200):
            threads.submit(print, name, "says", number, "from a thread")


@app.task(timeout=1.0)
def end(name: str, how: str) -> None:
    print(f"{name} begins\n{name} goes on", flush=True)
    if how == "exit":
        os._exit(3)
    if how == "segfault":
        ctypes.string_at(0)
    if how == "raise":
        print("\x1b[31m" + "x" * 5000, "\x00")
        raise ValueError("no luck")
    time.sleep(3600)


@app.task
def close(name: str) -> None:
    sys.stdout.close()
    print(name, "has closed it", file=sys.stdout)
