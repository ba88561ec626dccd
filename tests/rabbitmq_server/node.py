"""One node that is started, stopped, killed and asked."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import select
import subprocess
import time
from typing import TYPE_CHECKING, Any, Final, Self

from tests.own_directory import OwnDirectory
from tests.rabbitmq_server.settings import environment, settings_in, write, write_files
from tests.rabbitmq_server.sources import NoBroker, find

if TYPE_CHECKING:
    from pathlib import Path

    from tests.rabbitmq_server.settings import Settings
    from tests.rabbitmq_server.sources import Source

START_SECONDS: Final = 120
STOP_SECONDS: Final = 60
CALL_SECONDS: Final = 120
_NOT_FOUND: Final = 127  # as `env` says it


class RabbitMQ:
    """One RabbitMQ node on 127.0.0.1 with ports, user, password and data of its own.

    `start()` after `stop()` or `kill()` brings the same node back on the same ports with the same data.
    Another `RabbitMQ` on the same directory does too. As a context manager it starts the node and stops it.
    """

    host = "127.0.0.1"

    def __init__(
        self, directory: Path | None = None, *, extra_config: str = "", in_memory: bool = False
    ) -> None:
        """A node that is not started yet.

        Args:
            directory: Where data, settings and logs are kept. Without it a temporary directory,
                which a `with` block removes at its end.
            extra_config: More lines for rabbitmq.conf, written at each start.
            in_memory: Make the temporary directory where writing waits for no disk, if the system has room there.
                What was written outlives the node all the same, however that ends.
        """
        self.extra_config = extra_config
        self.version = ""  # known once the node has been up
        self._temporary: OwnDirectory | None = None
        if directory is None:
            self._temporary = OwnDirectory("warrener-broker-", in_memory=in_memory)
            directory = self._temporary.path
        self.directory = directory.resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log = self.directory / "log" / "node.log"
        self._settings = settings_in(self.directory)
        self._source: Source | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for AMQP 0-9-1 clients, with user and password."""
        s = self._settings
        return f"amqp://{s.user}:{s.password}@{self.host}:{s.amqp_port}/%2F"

    @property
    def management_url(self) -> str:
        """The address of the HTTP API; user and password are those of `url`."""
        return f"http://{self.host}:{self._settings.management_port}"

    @property
    def tls_url(self) -> str:
        """The address for clients with TLS, once `serve_tls` was called."""
        s = self._settings
        return f"amqps://{s.user}:{s.password}@{self.host}:{s.tls_port}/%2F"

    def serve_tls(self, certificate: bytes, key: bytes) -> None:
        """Let the node, which is not started yet, listen for TLS, too."""
        write(self.directory / "tls.crt", certificate.decode())
        write(self.directory / "tls.key", key.decode())
        source = self._find()
        home = source.home(self.directory)
        self.extra_config += f"""
listeners.ssl.1 = {source.address}:{self._settings.tls_port}
ssl_options.certfile = {home}/tls.crt
ssl_options.keyfile = {home}/tls.key
"""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._remove_temporary()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self.stop()
        finally:
            self._remove_temporary()

    def start(self) -> None:
        """Start the node and wait until clients can use it.

        Raises:
            NoBroker: There is no RabbitMQ here, or it did not come up.
        """
        if self._process is not None:
            raise RuntimeError("This RabbitMQ is started already.")
        self._source = self._find()
        write_files(self.directory, self._source, self._settings, self.extra_config)
        command = self._source.node(self.directory, self._settings)
        with self._startup_log.open("wb") as output:
            # A session of its own: Ctrl-C in the terminal is for the tests, not for the broker under them.
            self._process = subprocess.Popen(
                [*command, *self._environment(self._source), "sh", "-c", _KEEPER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                bufsize=0,
                start_new_session=True,
            )
        try:
            self._wait_until_up(self._process)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop the node cleanly; without effect when it does not run."""
        if self._process is None:
            return
        try:
            _tell(self._process, "stop")
            _wait_until_gone(self._process)
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL all processes of the node at once; without effect when it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        with process:  # closes our pipes and reaps the keeper
            _tell(process, "kill")
            _wait_until_gone(process)

    def ctl(self, *args: str) -> str:
        """What `rabbitmqctl ARGS` says about this node.

        Raises:
            RuntimeError: The command failed; the message is what it printed.
        """
        done = self._run("rabbitmqctl", "--quiet", *args)
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {' '.join(args)}: {(done.stderr + done.stdout).strip()}")
        return done.stdout

    def call(self, function: str) -> None:
        """Have the node do in Erlang what `rabbitmqctl` would have it do: that takes seconds of CPU for each word.

        Args:
            function: Such as `rabbit:stop()`.

        Raises:
            RuntimeError: It failed; the message is what the node says.
        """
        done = self._run(
            "erl_call", "-sname", f"{self._settings.node}@localhost", "-e", text=f"{function}.\n"
        )
        if done.returncode == _NOT_FOUND:  # not every Erlang has it
            done = self._run("rabbitmqctl", "--quiet", "eval", f"{function}.")
        elif not done.stdout.startswith("{ok,"):
            done.returncode = 1
        if done.returncode:
            raise RuntimeError(f"{function}: {(done.stderr + done.stdout).strip()}")

    def _run(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command where the node is."""
        source = self._source or self._find()
        return subprocess.run(
            [*source.inside(self.directory, self._settings), *self._environment(source), *words],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=CALL_SECONDS,
        )

    def _find(self) -> Source:
        return find()

    @property
    def _startup_log(self) -> Path:
        return self.directory / "log" / "startup.log"

    def _remove_temporary(self) -> None:
        if self._temporary:
            self._temporary.remove()

    def _environment(self, source: Source) -> list[str]:
        return environment(source, source.home(self.directory), self._settings)

    def _wait_until_up(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None:
            if version := self._answers():
                self.version = version
                return
            if time.monotonic() > deadline:
                raise NoBroker(
                    f"RabbitMQ did not come up within {START_SECONDS} seconds.{self._complaints()}"
                )
            time.sleep(0.05)
        raise NoBroker(f"RabbitMQ ended while it started.{self._complaints()}")

    def _answers(self) -> str | None:
        """The node's version once it serves clients.

        Its HTTP listener is there before all of what is behind it, so first we wait for what it prints last.
        """
        if " completed with " not in self._startup_log.read_text("utf-8", "replace"):
            return None
        try:
            version: str = _overview(self.host, self._settings)["rabbitmq_version"]
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return None
        return version

    def _complaints(self) -> str:
        """What it said when it did not start: its first errors, since the last are long consequences."""
        lines = [
            line for line in self._startup_log.read_text("utf-8", "replace").splitlines() if line.strip()
        ]
        errors = [line for line in lines if "[error]" in line] or lines
        return "".join(f"\n  {line[:200]}" for line in errors[:12])


# What follows is private.

# Runs around the node: "stop" on the pipe ends it cleanly, "kill" and the end of the pipe at once.
# Descriptor 4 is never written to; its other end tells us when the last process that holds it is gone.
# epmd is started here since the one that Erlang would start is a daemon and gets away.
_KEEPER: Final = """
exec 3<&0 4>&1
epmd >&2 &
rabbitmq-server </dev/null >&2 &
server=$!
(
    while read -r word <&3; do
        [ "$word" = stop ] || break
        kill -TERM $server
    done
    kill -KILL 0
) &
wait $server
kill -KILL 0
"""


def _overview(host: str, settings: Settings) -> dict[str, Any]:
    """The node's GET /api/overview; http.client since urllib would ask a proxy."""
    token = base64.b64encode(f"{settings.user}:{settings.password}".encode()).decode()
    connection = http.client.HTTPConnection(host, settings.management_port, timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", "/api/overview", headers={"Authorization": f"Basic {token}"})
        overview: dict[str, Any] = json.load(connection.getresponse())
        return overview


def _tell(process: subprocess.Popen[bytes], word: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # it has ended already
        process.stdin.write(f"{word}\n".encode())  # type: ignore[union-attr]


def _wait_until_gone(process: subprocess.Popen[bytes]) -> None:
    """Wait until the last of the node's processes is gone, or for as long as is reasonable."""
    poll = select.poll()
    poll.register(process.stdout, select.POLLIN)  # type: ignore[arg-type]
    poll.poll(STOP_SECONDS * 1000)
