"""Commands as processes of their own that need not import anything: they are forked from one that has imported all there is.

Starting Python and importing is most of what a short command takes. All else is as if it had been started by itself.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LARGEST: Final = 100_000  # bytes of words and environment


def run(
    words: Sequence[str], directory: Path, environment: Mapping[str, str], text: str | None, patience: float
) -> subprocess.CompletedProcess[str]:
    """Run `warrener WORDS` to its end, as `subprocess.run` does.

    Args:
        words: What follows the command's name.
        directory: Where.
        environment: All of it; but for the variables of Warrener it is that of this process.
        text: For its standard input; that is empty without it.
        patience: Seconds after which it is killed.
    """
    ours, theirs = socket.socketpair()
    pipes = [os.pipe() for _ in range(3)]
    (its_in, our_in), (our_out, its_out), (our_err, its_err) = pipes
    with ours, ThreadPoolExecutor(3) as threads:
        with theirs:
            request = json.dumps([list(words), str(directory), dict(environment), _umask()]).encode()
            socket.send_fds(_server(), [request], [its_in, its_out, its_err, theirs.fileno()])
            for end in (its_in, its_out, its_err):
                os.close(end)
        threads.submit(_write, our_in, text or "")
        said = [threads.submit(_read, end) for end in (our_out, our_err)]
        ours.settimeout(patience)
        answers = ours.makefile()
        pid = int(answers.readline())
        try:
            code = int(answers.readline())
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise
        return subprocess.CompletedProcess(words, code, *(each.result() for each in said))


@functools.cache
def _server() -> socket.socket:
    """The way to the process that all are forked from; it ends with us, when this is closed."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={name: value for name, value in os.environ.items() if not name.startswith("WARRENER_")},
            stdin=subprocess.DEVNULL,
            cwd=Path(__file__).parents[1],
            start_new_session=True,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _umask() -> int:
    mask = os.umask(0o077)  # there is no other way to ask
    os.umask(mask)
    return mask


def _write(end: int, text: str) -> None:
    with suppress(BrokenPipeError), open(end, "w") as pipe:
        pipe.write(text)


def _read(end: int) -> str:
    with open(end) as pipe:
        return pipe.read()


# --- in the process that they are forked from


def _serve(requests: socket.socket) -> None:
    """Comes back in the process of each command."""
    import warrener

    for found in pkgutil.walk_packages(warrener.__path__, "warrener."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    gc.freeze()
    while True:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass  # who waited for a command
        request, descriptors, _, _ = socket.recv_fds(requests, _LARGEST, 4)
        if not request:
            os._exit(0)
        if not os.fork():
            requests.close()
            _begin(*json.loads(request), *descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)


def _begin(
    words: list[str], directory: str, environment: dict[str, str], umask: int, *descriptors: int
) -> None:
    """Comes back in the command's process; its parent tells how it ends."""
    *standard, answers = descriptors
    if pid := os.fork():
        for descriptor in standard:
            os.close(descriptor)
        _tell_end(pid, answers)
    os.close(answers)
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
        os.close(descriptor)
    encoding, errors = sys.stdout.encoding, sys.stdout.errors
    sys.stdin = open(0, encoding=encoding, errors=errors)  # noqa: SIM115 - as at the start of Python
    sys.stdout = open(1, "w", encoding=encoding, errors=errors)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding=encoding, errors="backslashreplace")  # noqa: SIM115
    os.chdir(directory)
    os.umask(umask)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = words
    sys.path[0] = directory


def _tell_end(pid: int, answers: int) -> NoReturn:
    os.write(answers, f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    os.write(answers, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


if __name__ == "__main__":
    from warrener.cli import main  # before the module of that name is imported, too

    _serve(socket.socket(fileno=int(sys.argv[1])))
    main()
