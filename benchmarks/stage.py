"""Where a contestant runs: a directory and a virtual host of its own, both gone afterwards, and what it starts there."""

from __future__ import annotations

import base64
import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from benchmarks import marks, work
from benchmarks.processor import listener

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT: Final = Path(__file__).parent.parent
WARRENER: Final = [sys.executable, "-m", "warrener"]
QUEUE: Final = "bench"
_PATIENCE: Final = 60.0  # without any progress
_STOP_SECONDS: Final = 30.0


class Broken(Exception):  # noqa: N818 - reads as what is the case
    """A contestant did not do its work; the message says what it said last."""


class Ran(NamedTuple):
    """A command that has ended: its seconds, the CPU's with all it started, its peak memory in MiB, its words."""

    seconds: float
    cpu: float
    memory: float
    output: str


class Server(NamedTuple):
    """The RabbitMQ that all contestants share."""

    url: str
    management: str

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """What the management API answers."""
        amqp, where = urlsplit(self.url), urlsplit(self.management)
        token = base64.b64encode(f"{amqp.username}:{unquote(amqp.password or '')}".encode()).decode()
        with closing(http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)) as connection:
            headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
            connection.request(method, f"/api/{path}", json.dumps(body) if body else None, headers)
            response = connection.getresponse()
            text = response.read()
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            raise Broken(f"{method} /api/{path}: {response.status} {text.decode()}")
        return json.loads(text) if text else None

    @property
    def version(self) -> str:
        return str(self.ask("GET", "overview")["rabbitmq_version"])

    def make_host(self, name: str) -> str:
        """A virtual host whose queues are quorum queues unless they say otherwise; its URL."""
        self.ask("PUT", f"vhosts/{name}", {"default_queue_type": "quorum"})
        amqp = urlsplit(self.url)
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self.ask("PUT", f"permissions/{name}/{amqp.username}", everything)
        return amqp._replace(path=f"/{name}").geturl()

    def remove_host(self, name: str) -> None:
        self.ask("DELETE", f"vhosts/{name}")


class Place:
    """One run of one contestant.

    Args:
        server: The RabbitMQ.
        peers: The Python environment with the peers, and the C client.
        tasks: How many tasks there are.
    """

    def __init__(self, server: Server, peers: Path, tasks: int) -> None:
        self.tasks = tasks
        self.peers = peers
        self.directory = Path(tempfile.mkdtemp(prefix="warrener-bench-"))
        self._server = server
        self._host = f"bench-{secrets.token_hex(4)}"
        self._running: list[subprocess.Popen[bytes]] = []
        self.url = ""

    def __enter__(self) -> Self:
        self.url = self._server.make_host(self._host)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("WARRENER_")},
            "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT))),
            "BENCH_URL": self.url,
            "BENCH_TASKS": str(self.tasks),
            "WARRENER_BROKER": self.url,
            "WARRENER_MANAGEMENT": self._server.management,
            "WARRENER_QUEUE": QUEUE,
        }
        self.new_marks()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._server.remove_host(self._host)
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- which broker, which marks

    def use_embedded(self) -> None:
        """Let Warrener's commands use the embedded broker."""
        self.url = f"sqlite:{self.directory / 'queue.db'}"
        self.environment |= {"WARRENER_BROKER": self.url, "BENCH_URL": self.url}
        del self.environment["WARRENER_MANAGEMENT"]

    def new_marks(self) -> None:
        """Let what starts from now on count from zero."""
        self.marks = Path(tempfile.mkdtemp(prefix="marks-", dir=self.directory))
        self.environment[marks.DIRECTORY] = str(self.marks)

    @property
    def broker_pid(self) -> int:
        """The broker's process, which must be on this machine."""
        return listener(urlsplit(self._server.url).port or 5672)

    @property
    def python(self) -> str:
        """The Python that Warrener runs on."""
        return sys.executable

    # --- files

    def write_tasks(self, lines: Iterable[bytes] | None = None, name: str = "tasks.jsonl") -> str:
        """A file of tasks, by default of those that do nothing."""
        with (self.directory / name).open("wb") as file:
            file.writelines(line + b"\n" for line in (work.tasks(self.tasks) if lines is None else lines))
        return name

    def rows(self, name: str = "results.jsonl") -> Iterator[dict[str, Any]]:
        """The rows of a file of results, which must be as many as there are tasks."""
        count = 0
        with (self.directory / name).open() as lines:
            for line in lines:
                count += 1
                yield json.loads(line)
        if count != self.tasks:
            raise Broken(f"{count:,} rows for {self.tasks:,} tasks")

    # --- commands

    def run(self, *command: str) -> Ran:
        """Run a command to its end."""
        start = time.monotonic()
        process = self.begin(*command)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise Broken(f"{' '.join(command)} ended with {process.returncode}:\n{self._said(process)}")
        return Ran(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, self._said(process))

    def warrener(self, *words: str) -> Ran:
        """Run a Warrener command to its end."""
        return self.run(*WARRENER, *words)

    def module(self, name: str, *words: str, python: str | Path = sys.executable) -> float:
        """Run a contestant's enqueuing to its end; the seconds that it tells."""
        seconds = self.enqueued(name, python, *words)
        if done := marks.seen(self.marks).tasks:
            raise Broken(f"{name} has run {done:,} tasks while it enqueued")
        return seconds

    def enqueued(self, name: str, python: str | Path, *words: str) -> float:
        """Likewise, while workers may run."""
        return seconds_told(self.run(str(python), *_main(name), *words).output)

    def begin(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a command; what still runs at the end is killed with what it has started."""
        with (self.directory / f"said-{len(self._running)}").open("wb") as said:
            process = subprocess.Popen(
                command,
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append(process)
        return process

    def app(self, name: str) -> str:
        """The path of an app."""
        return str(ROOT / "benchmarks" / "apps" / f"{name}.py")

    def begin_worker(self, app: str, *words: str) -> subprocess.Popen[bytes]:
        """Start a Warrener worker."""
        return self.begin(*WARRENER, "work", self.app(app), *words)

    def begin_module(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        """Start one of `peers` that runs in this environment."""
        return self.begin(sys.executable, *_main(name), *words)

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the good end of a command."""
        if process.wait():
            raise Broken(f"{process.args!r} ended with {process.returncode}:\n{self._said(process)}")

    def stop(self, process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> None:
        """End a command as its users do."""
        process.send_signal(number)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Broken(f"{process.args!r} does not stop:\n{self._said(process)}") from None

    def await_marks(self, count: int) -> marks.Seen:
        """Wait until so many tasks have run."""
        before, deadline = 0, time.monotonic() + _PATIENCE
        while (seen := marks.seen(self.marks)).tasks < count:
            if seen.tasks > before:
                before, deadline = seen.tasks, time.monotonic() + _PATIENCE
            if all(process.poll() is not None for process in self._running):
                raise Broken(
                    f"all workers have ended after {seen.tasks:,} tasks:\n{self._said(self._running[-1])}"
                )
            if time.monotonic() > deadline:
                raise Broken(f"only {seen.tasks:,} of {count:,} tasks ran:\n{self._said(self._running[-1])}")
            time.sleep(0.05)
        return seen

    def _said(self, process: subprocess.Popen[bytes]) -> str:
        said = (self.directory / f"said-{self._running.index(process)}").read_text("utf-8", "replace")
        return said[-2000:]


def _main(name: str) -> list[str]:
    # Not with -m: several peers name a task after its module, and that must not be __main__.
    return ["-c", f"from benchmarks.peers.{name} import main; main()"]


def seconds_told(output: str) -> float:
    """What a contestant's `tell` wrote among whatever else it said."""
    for line in output.splitlines():
        if line.startswith("seconds "):
            return float(line.split()[1])
    raise Broken(f"it did not tell its seconds:\n{output}")
