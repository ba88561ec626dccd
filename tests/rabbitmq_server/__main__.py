"""The command: a broker until Ctrl-C, or for one command."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.rabbitmq_server import NoBroker, RabbitMQ

if TYPE_CHECKING:
    from types import FrameType


def main(arguments: list[str] | None = None) -> int:
    """Run a broker until a signal comes, or for as long as a command takes."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.rabbitmq_server",
        description="Start a RabbitMQ for tests: until Ctrl-C, or for one command.",
    )
    parser.add_argument(
        "--in-memory", action="store_true", help="let it wait for no disk, as quick tests want it"
    )
    parser.add_argument(
        "command",
        nargs="*",
        help="after --: run it with WARRENER_TEST_BROKER and WARRENER_TEST_MANAGEMENT, then stop the broker",
    )
    given = parser.parse_args(arguments)
    command: list[str] = given.command
    signal.signal(signal.SIGINT, _leave)
    signal.signal(signal.SIGTERM, _leave)
    try:
        with RabbitMQ(in_memory=given.in_memory) as broker:
            _say(f"RabbitMQ {broker.version}: {broker.url}\nManagement: {broker.management_url}")
            if command:
                return _run(command, broker)
            with contextlib.suppress(SystemExit):  # being told to end is how this one ends well
                signal.pause()
    except NoBroker as error:
        _say(str(error))
        return 1
    return 0


# What follows is private.


def _run(command: list[str], broker: RabbitMQ) -> int:
    """Run a command with a broker, passing on the signals we get; its exit code."""
    # In a terminal Ctrl-C reaches the command without us, and it must be able to read from the terminal.
    # Otherwise only we are asked to end, and the command must not hear of it twice.
    terminal = sys.stdin is not None and sys.stdin.isatty()
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward(number: int, _frame: FrameType | None) -> None:
        if child is None:
            early.append(number)
        elif number != signal.SIGINT or not terminal:
            child.send_signal(number)

    signal.signal(signal.SIGINT, forward)
    signal.signal(signal.SIGTERM, forward)
    environment = {"WARRENER_TEST_BROKER": broker.url, "WARRENER_TEST_MANAGEMENT": broker.management_url}
    try:
        child = subprocess.Popen(command, env=os.environ | environment, process_group=None if terminal else 0)
    except OSError as error:
        _say(f"Cannot run {command[0]}: {error.strerror}.")
        return 127
    for missed in early:
        forward(missed, None)
    code = child.wait()
    return code if code >= 0 else 128 - code


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
