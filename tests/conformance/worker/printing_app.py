"""Handlers that print, in every way there is."""

from __future__ import annotations

import ctypes
import io
import logging
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from warrener import App

app = App(retries=0, base=0.05)
logging.basicConfig(level=logging.INFO, format="%(message)s")
print("the app is imported", end="")
c = ctypes.CDLL(None)


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


@app.task(timeout=2)
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


@app.task
def shut(name: str) -> None:
    """Closes what all who print share, and prints on."""
    os.close(1)
    os.close(2)
    print(name, "has shut stdout")
    os.close(1)
    os.close(2)
    sys.__stdout__.detach()  # type: ignore[union-attr] # it is there
    sys.stdout = sys.stderr = io.StringIO()


@app.task
def puts(name: str) -> None:
    """Prints in C, too, which has a buffer of its own."""
    print(name, "prints")
    c.puts(f"{name} puts".encode())
    subprocess.run(["echo", name, "runs"], check=True)
    c.printf(f"{name} has no end".encode())
