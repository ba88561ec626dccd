"""A real RabbitMQ 4.3 or later of our own, for tests, examples and benchmarks.

    with RabbitMQ() as broker:
        connect(broker.url)

    python -m tests.rabbitmq_server                # a broker until Ctrl-C
    python -m tests.rabbitmq_server -- pytest -x   # a broker for one command
    python -m tests.rabbitmq_server --in-memory -- pytest -x   # the same, waiting for no disk

Nothing outlives the Python process that started a broker, however that process ends: the broker's
processes are watched over by a shell that reads a pipe from us and kills them all when the pipe closes.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import dataclasses
import fcntl
import functools
import http.client
import json
import os
import platform
import random
import re
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType


OLDEST = (4, 3)
_MEMORY = Path("/dev/shm")
_ROOM = 2 << 30  # bytes there that a node, whose log alone may have half a gigabyte, cannot fill
START_SECONDS = 120
STOP_SECONDS = 60
CTL_SECONDS = 120


class NoBroker(Exception):  # noqa: N818 - reads as what is the case, like the stdlib's StopIteration
    """There is no RabbitMQ to be had here, or it does not start; the message says what to do about it."""


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
        self._temporary = directory is None
        where = _MEMORY if in_memory and _has_room(_MEMORY) else None
        self.directory = (
            directory or Path(tempfile.mkdtemp(prefix="warrener-rabbitmq-", dir=where))
        ).resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log = self.directory / "log" / "node.log"
        self._settings = _settings(self.directory)
        self._source: _Source | None = None
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
        _write(self.directory / "tls.crt", certificate.decode())
        _write(self.directory / "tls.key", key.decode())
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
        self._write_files(self._source)
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

    def ctl(self, *args: str, tool: str = "rabbitmqctl") -> str:
        """What `rabbitmqctl ARGS`, or another of its tools, says about this node.

        Raises:
            RuntimeError: The command failed; the message is what it printed.
        """
        source = self._source or self._find()
        command = [*source.inside(self.directory, self._settings), *self._environment(source), tool]
        done = subprocess.run(
            [*command, "--quiet", *args],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=CTL_SECONDS,
        )
        if done.returncode:
            raise RuntimeError(f"{tool} {' '.join(args)}: {(done.stderr + done.stdout).strip()}")
        return done.stdout

    def _find(self) -> _Source:
        return find()

    @property
    def _startup_log(self) -> Path:
        return self.directory / "log" / "startup.log"

    def _remove_temporary(self) -> None:
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _environment(self, source: _Source) -> list[str]:
        """`env` and the settings RabbitMQ's scripts take from the environment; nothing secret."""
        home = source.home(self.directory)
        s = self._settings
        return [
            "env",
            *(f"--unset={name}" for name in os.environ if name.startswith(("RABBITMQ_", "ERL_", "ERLANG_"))),
            *source.environment(),
            f"HOME={home}",  # where Erlang looks for its cookie
            "LC_ALL=C.UTF-8",
            f"ERL_CRASH_DUMP={home}/log/erl_crash.dump",
            f"ERL_EPMD_PORT={s.epmd_port}",
            "ERL_EPMD_ADDRESS=127.0.0.1",
            # For every Erlang there is, rabbitmqctl too: bind to 127.0.0.1, and do not spin when idle. Spinning
            # ("short") would start in half the time here, but costs twice the CPU for each message afterwards.
            "ERL_AFLAGS=-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
            f"RABBITMQ_NODENAME={s.node}@localhost",
            f"RABBITMQ_DIST_PORT={s.distribution_port}",
            f"RABBITMQ_CONF_ENV_FILE={home}/rabbitmq-env.conf",
            f"RABBITMQ_CONFIG_FILE={home}/rabbitmq.conf",
            f"RABBITMQ_CONFIG_FILES={home}/conf.d",
            f"RABBITMQ_ADVANCED_CONFIG_FILE={home}/advanced.config",
            f"RABBITMQ_ENABLED_PLUGINS_FILE={home}/enabled_plugins",
            f"RABBITMQ_MNESIA_BASE={home}/data",
            f"RABBITMQ_MNESIA_DIR={home}/data/node",
            f"RABBITMQ_FEATURE_FLAGS_FILE={home}/data/feature_flags",
            f"RABBITMQ_PLUGINS_EXPAND_DIR={home}/data/plugins",
            f"RABBITMQ_PID_FILE={home}/data/pid",
            f"RABBITMQ_LOG_BASE={home}/log",
            f"RABBITMQ_LOGS={home}/log/node.log",
        ]

    def _write_files(self, source: _Source) -> None:
        for name in ("data", "log", "conf.d"):
            (self.directory / name).mkdir(exist_ok=True)
        s = self._settings
        settings = f"""\
listeners.tcp.1 = {source.address}:{s.amqp_port}
management.tcp.ip = {source.address}
management.tcp.port = {s.management_port}
default_user = {s.user}
default_pass = {s.password}
default_user_tags.administrator = true
collect_statistics_interval = 1000
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 2GB
{self.extra_config}
"""
        _write(self.directory / "rabbitmq.conf", settings)
        # Quorum queues report their lengths at each tick, by default only every five seconds; and what was on its way out
        # of a delay when the node was killed is sent again after ten seconds, by default after three minutes.
        settings = "{quorum_tick_interval, 1000}, {dead_letter_worker_publisher_confirm_timeout, 10000}"
        _write(self.directory / "advanced.config", f"[{{rabbit, [{settings}]}}].\n")
        _write(self.directory / "enabled_plugins", "[rabbitmq_management].\n")
        _write(self.directory / "rabbitmq-env.conf", "")
        if not (cookie := self.directory / ".erlang.cookie").exists():
            _write(cookie, secrets.token_hex(16), mode=0o400)

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


@functools.cache  # looking costs seconds
def find() -> _Source:
    """Where a RabbitMQ comes from: the PATH, Docker, or on Debian a private copy made for us.

    Raises:
        NoBroker: None of these is to be had.
    """
    source = _Installed.find() or _Docker.find() or _DebianRoot.find()
    if source is None:
        raise NoBroker(
            "No RabbitMQ 4.3 or later here: install rabbitmq-server 4.3, run Docker, or set WARRENER_TEST_BROKER "
            "to the URL of a broker and WARRENER_TEST_MANAGEMENT to its management URL."
        )
    return source


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

# Runs around the node: "stop" on the pipe ends it cleanly, "kill" and the end of the pipe at once.
# Descriptor 4 is never written to; its other end tells us when the last process that holds it is gone.
# epmd is started here since the one that Erlang would start is a daemon and gets away.
_KEEPER = """
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


@dataclasses.dataclass(frozen=True)
class _Settings:
    """What a node keeps over restarts."""

    node: str
    user: str
    password: str
    amqp_port: int
    management_port: int
    tls_port: int
    distribution_port: int
    epmd_port: int


class _Source(Protocol):
    """A RabbitMQ that is installed somewhere."""

    @property
    def address(self) -> str:
        """The address its listeners bind to."""

    def home(self, directory: Path) -> str:
        """The node's directory as the node sees it."""

    def environment(self) -> list[str]:
        """Settings for `env` that this source needs."""

    def node(self, directory: Path, settings: _Settings) -> list[str]:
        """A command that runs the command appended to it where the node is to live."""

    def inside(self, directory: Path, settings: _Settings) -> list[str]:
        """A command that runs the command appended to it where the node lives already."""


@dataclasses.dataclass(frozen=True)
class _Installed:
    """The RabbitMQ on the PATH."""

    address: str = "127.0.0.1"

    @classmethod
    def find(cls) -> Self | None:
        if not shutil.which("rabbitmq-server", path=_PATH):
            return None
        command = ["env", *cls().environment(), "rabbitmqctl", "version"]
        found = re.match(r"(\d+)\.(\d+)", _output(command) or "")
        return cls() if found and (int(found[1]), int(found[2])) >= OLDEST else None

    def home(self, directory: Path) -> str:
        return str(directory)

    def environment(self) -> list[str]:
        return [f"PATH={_PATH}"]

    def node(self, directory: Path, settings: _Settings) -> list[str]:
        return []

    inside = node


@dataclasses.dataclass(frozen=True)
class _Docker:
    """RabbitMQ's own image. The keeper is the container's first process, so its end is the container's."""

    image: str = "rabbitmq:4.3-management"
    address: str = "0.0.0.0"  # noqa: S104 - of the container; outside, its ports are on 127.0.0.1

    @classmethod
    def find(cls) -> Self | None:
        if not shutil.which("docker") or _output(["docker", "info"]) is None:
            return None
        if _output(["docker", "image", "inspect", cls.image]) is None:
            _say(f"pulling {cls.image}")
            if subprocess.run(["docker", "pull", "--quiet", cls.image], stdout=2, check=False).returncode:
                return None
        return cls()

    def home(self, directory: Path) -> str:
        return "/mnt"

    def environment(self) -> list[str]:
        return []

    def node(self, directory: Path, settings: _Settings) -> list[str]:
        s = settings
        ports = [
            f"--publish=127.0.0.1:{port}:{port}" for port in (s.amqp_port, s.management_port, s.tls_port)
        ]
        mount = f"--mount=type=bind,source={directory},target=/mnt"
        user = f"--user={os.getuid()}:{os.getgid()}"  # who owns the files in the directory
        options = ["--rm", "--interactive", f"--name={s.node}", user, mount, *ports, "--entrypoint="]
        return ["docker", "run", *options, self.image]

    def inside(self, directory: Path, settings: _Settings) -> list[str]:
        return ["docker", "exec", settings.node]


@dataclasses.dataclass(frozen=True)
class _DebianRoot:
    """A Debian of our own that has a new enough RabbitMQ, entered by chroot.

    Each node has its own mount and process namespaces: what it mounts nobody else sees, and all of it,
    mounts and processes, is gone when the namespace's first process is.
    """

    root: Path
    address: str = "127.0.0.1"

    mounts = """
set -e
root=$1 directory=$2
shift 2
mount --bind "$directory" "$root/mnt"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot "$root" "$@"
"""
    namespace = ("unshare", "--mount", "--pid", "--fork", "--kill-child")

    @classmethod
    def find(cls) -> Self | None:
        if not sys.platform.startswith("linux") or os.geteuid() != 0:
            return None
        if platform.freedesktop_os_release().get("ID") != "debian":
            return None
        if _output([*cls.namespace, "true"]) is None:  # we are root of a container only
            return None
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "warrener"
        root = cache / "rabbitmq-forky"
        if not root.exists():
            cache.mkdir(parents=True, exist_ok=True)
            with (cache / "rabbitmq-forky.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not root.exists():  # nobody made it while we waited for the lock
                    _make_debian_root(root, cls.namespace)
        return cls(root)

    def home(self, directory: Path) -> str:
        return "/mnt"

    def environment(self) -> list[str]:
        return ["PATH=/usr/lib/rabbitmq/bin:/usr/sbin:/usr/bin:/sbin:/bin"]

    def node(self, directory: Path, settings: _Settings) -> list[str]:
        # setsid: the keeper's `kill 0` must not reach unshare, which waits until all the others are gone.
        inner = ["setsid", "sh", "-c", self.mounts, "sh", str(self.root), str(directory)]
        return [*self.namespace, *inner]

    inside = node


# Debian's and Red Hat's rabbitmq-server on the PATH is a wrapper that wants to be root or rabbitmq;
# the directory put first has what it wraps.
_PATH = f"/usr/lib/rabbitmq/bin:{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin"


def _make_debian_root(root: Path, namespace: Iterable[str]) -> None:
    """Install a minimal Debian with RabbitMQ; the directory appears under its name only when complete."""
    _say("making a private RabbitMQ (Debian forky by debootstrap): about a minute")
    unfinished = root.with_name(f"{root.name}.unfinished")
    log = root.with_name(f"{root.name}.log")
    shutil.rmtree(unfinished, ignore_errors=True)
    # If we die, so does the installation, with its mounts.
    private = ["setpriv", "--pdeathsig=KILL", *namespace]
    install = ["debootstrap", "--variant=minbase", "--include=rabbitmq-server", "forky"]
    commands = [
        [*private, *install, str(unfinished), _debian_mirror(), "/usr/share/debootstrap/scripts/sid"],
        ["sh", "-c", 'rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*', "sh", str(unfinished)],
    ]
    if not shutil.which("debootstrap"):
        commands[:0] = [["apt-get", "update"], ["apt-get", "install", "-y", "debootstrap"]]
    with log.open("wb") as output:
        for command in commands:
            done = subprocess.run(
                command,
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
            )
            if done.returncode:
                raise NoBroker(
                    f"No RabbitMQ here, and making a private one failed, see {log}: install rabbitmq-server 4.3, "
                    "run Docker, or set WARRENER_TEST_BROKER and WARRENER_TEST_MANAGEMENT to the URLs of a broker."
                )
    (unfinished / "etc" / "hosts").write_text("127.0.0.1 localhost\n", "utf-8")
    unfinished.rename(root)


def _debian_mirror() -> str:
    """The archive that apt uses here."""
    apt = Path("/etc/apt")
    for file in (apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))):
        text = file.read_text("utf-8", "replace") if file.is_file() else ""
        if found := re.search(r"^(?!#).*?(https?://\S+/debian)/?(?:\s|$)", text, re.MULTILINE):
            return found[1]
    return "http://deb.debian.org/debian"


def _has_room(directory: Path) -> bool:
    """Whether this is a directory where a node's data fit."""
    return directory.is_dir() and shutil.disk_usage(directory).free >= _ROOM


def _settings(directory: Path) -> _Settings:
    """The settings of the node in a directory; new ones for a new node."""
    file = directory / "node.json"
    if file.exists():
        return _Settings(**json.loads(file.read_text("utf-8")))
    name = f"warrener-{secrets.token_hex(4)}"
    settings = _Settings(name, "warrener", secrets.token_hex(16), *_free_ports(5))
    _write(file, json.dumps(dataclasses.asdict(settings), indent=2))
    return settings


def _free_ports(count: int) -> list[int]:
    """Ports nobody listens on, from below those the system gives to clients.

    A port the system gave us could become some client's own while the node is down.
    """
    ports: set[int] = set()
    while len(ports) < count:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            ports.add(port)
    return list(ports)


def _write(file: Path, text: str, mode: int = 0o600) -> None:
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as out:  # noqa: PTH123
        out.write(text)


def _overview(host: str, settings: _Settings) -> dict[str, Any]:
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


def _output(command: Iterable[str]) -> str | None:
    """What a command prints; None if it fails."""
    try:
        done = subprocess.run(
            list(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


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
