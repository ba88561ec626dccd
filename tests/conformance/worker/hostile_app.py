"""Handlers that do what no handler should; `quick` and `slow` stand by and must not suffer."""

from __future__ import annotations

import ctypes
import json
import locale
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from os import fork  # as it is now: another handler here replaces it
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from warrener import App, Task, TransientError

app = App(retries=0, base=0.05)
MIB = 1024 * 1024


@app.task
def quick(task: Task) -> str:
    return task.id


@app.task(timeout=30)
def slow(task: Task) -> str:
    time.sleep(0.05)
    return task.id


# --- that kill


@app.task
def signal_self(number: int) -> None:
    os.kill(os.getpid(), number)


@app.task
def segfault() -> None:
    ctypes.string_at(0)


@app.task
def exit_at_once(code: int) -> None:
    os._exit(code)


@app.task
def kill_fork_server() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(3600)


@app.task
def kill_supervisor(log: str) -> None:
    with Path(log).open("a") as lines:
        lines.write("started\n")
    makers = {
        _maker(descriptor) for descriptor in _descriptors()
    }  # of the sockets here; ours are the supervisor's
    for maker in makers - {0, os.getpid(), os.getppid()}:
        os.kill(maker, signal.SIGKILL)
    time.sleep(3600)


def _maker(descriptor: int) -> int:
    """The process that made a pair of sockets."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as one:
            return int.from_bytes(one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), sys.byteorder)
    except OSError:
        return 0


# --- that do not end


@app.task(timeout=0.5)
def ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        _handle(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(3600)


@app.task(timeout=0.5)
def leave_the_group() -> None:
    os.setpgid(0, os.getpgid(os.getppid()))
    time.sleep(3600)


@app.task(timeout=0.5)
def hold_the_interpreter() -> None:
    ctypes.PyDLL(None).sleep(3600)


@app.task(timeout=0.5)
def backtrack() -> None:
    re.match(r"(a+)+$", "a" * 64 + "b")


@app.task
def refuse_to_exit() -> None:
    vars(os)["_exit"] = lambda _: None


# --- that start others


@app.task(timeout=2)  # which it has begun to wait for by then on a busy machine, too
def start_in_a_session_of_its_own(log: str) -> None:
    started = subprocess.Popen(["sleep", "3600"], start_new_session=True)
    Path(log).write_text(f"{started.pid}\n")
    started.wait()


@app.task
def daemonise(log: str) -> NoReturn:
    """Leaves a daemon that has the child's socket, then dies."""
    if os.fork() == 0:
        os.setsid()
        daemon = os.fork()
        if daemon:
            Path(log).write_text(f"{daemon}\n")
            os._exit(0)
        with suppress(OSError):
            while True:  # nobody's report, for ever
                for descriptor in _descriptors():
                    os.write(descriptor, b"x" * 1000)
        time.sleep(3600)
    os.wait()
    os._exit(1)


@app.task
def return_twice(task: Task) -> str:
    os.fork()
    return task.id


@app.task
def fail_in_a_copy() -> None:
    copy = fork()
    if not copy:
        raise ValueError("in the copy")
    if (code := os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])) != 1:
        raise RuntimeError(f"the copy has ended with {code}")


# --- that say too much


@app.task
def flood() -> None:
    line = "x" * 1023 + "\n"
    for _ in range(8 * 1024):
        print(line, file=sys.__stdout__)  # which no other task has replaced
        os.write(1, line.encode())
        os.write(2, line.encode())


@app.task
def close_everything() -> None:
    os.closerange(0, 1000)


@app.task
def write_everywhere() -> None:
    for descriptor in _descriptors():
        with suppress(OSError):
            os.write(descriptor, b"garbage " * 100)


@app.task
def write_a_little() -> None:
    for descriptor in _descriptors():
        with suppress(OSError):
            os.write(descriptor, b"x")


# --- that return what they should not


@app.task
def large(mebibytes: int) -> str:
    return "x" * (mebibytes * MIB)


@app.task
def odd(kind: str) -> object:
    itself: list[object] = []
    itself.append(itself)
    values = {
        "object": object(),
        "itself": itself,
        "surrogate": "\ud800",
        "raw": {"nested": msgspec.Raw(b'{"no": JSON')},
    }
    return values[kind]


# --- that raise what they should not


class Hostile(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


@app.task
def raise_hostile() -> None:
    raise Hostile


@app.task
def raise_error(kind: str) -> None:
    kinds = (SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration)
    raise {error.__name__: error for error in kinds}[kind]


@app.task
def raise_message(kind: str) -> None:
    raise ValueError({"long": "x" * (100 * MIB), "surrogate": "\ud800"}[kind])


@app.task(retries=1)
def raise_after(kind: str) -> None:
    after: object = {"text": "soon", "nan": float("nan"), "huge": 10**400, "negative": -1}[kind]
    raise TransientError("later", after=after)  # type: ignore[arg-type]


@app.task
def recurse() -> None:
    recurse()


@app.task
def devour() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 64 * MIB, hard))
    try:
        bytearray(1024 * MIB)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


# --- that leave the process other than they found it


@app.task
def change_the_world(task: Task) -> str:
    with tempfile.TemporaryDirectory() as gone:
        os.chdir(gone)
    os.umask(0o777)
    os.environ.clear()
    locale.setlocale(locale.LC_ALL, "C")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
        _handle(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    nothing = dict.fromkeys(("time", "perf_counter", "monotonic", "dumps", "getpid", "fork", "socketpair"))
    for module in (time, json, os, socket):
        for name in nothing.keys() & vars(module).keys() - {"time"} | ({"time"} if module is time else set()):
            setattr(module, name, lambda *_: "nothing")
    threading.Thread(target=threading.Event().wait).start()
    sys.stdout = sys.stderr = None
    return task.id


def _handle(number: int, handler: Any) -> None:
    with suppress(ValueError):  # only the main thread may
        signal.signal(number, handler)


def _descriptors() -> list[int]:
    return [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
