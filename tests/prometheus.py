"""A real Prometheus for tests, and its promtool: from the PATH, or on Debian unpacked from its package (19 MB, a few seconds).

It needs nothing but the C library, so its package is only unpacked, and kept in `~/.cache/warrener`; nothing is installed.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from tests.batch import PATIENCE
from tests.rabbitmq_server.settings import free_ports

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROGRAMS: Final = ("prometheus", "promtool")
_HOW: Final = "install prometheus, so that `prometheus` and `promtool` are on the PATH"


class NoPrometheus(Exception):  # noqa: N818 - reads as what is the case
    """There is none to be had here; the message says what to do about it."""


def program(name: str) -> str:
    """Where a program of Prometheus is.

    Raises:
        NoPrometheus: Nowhere, and it cannot be had.
    """
    if found := shutil.which(name):
        return found
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "warrener"
    root = cache / "prometheus"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "prometheus.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever comes meanwhile finds it made
        if not root.exists():
            _make(root)
    return str(root / "usr" / "bin" / name)


class Prometheus:
    """A Prometheus that scrapes each second, and evaluates some rules.

    Args:
        directory: Its own.
        port: Of what it scrapes, on this machine.
        rules: A file of rules.
    """

    def __init__(self, directory: Path, port: int, rules: Path) -> None:
        (self._port,) = free_ports(1)
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": [
                {"job_name": "warrener", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            ],
        }
        directory.mkdir()
        (directory / "prometheus.yml").write_text(json.dumps(config))  # which is YAML, too
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [
            program("prometheus"),
            f"--config.file={self._directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]
        with (self._directory / "said").open("wb") as said:
            self._process = subprocess.Popen(command, stdout=said, stderr=said)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(PATIENCE)

    async def is_there(self) -> bool:
        """Whether it answers."""
        assert self._process
        assert self._process.poll() is None, (self._directory / "said").read_text()
        try:
            return bool(self.ask("query", query="1"))
        except OSError:
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What an expression gives now, by series."""
        result: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return result

    def ask(self, what: str, **values: str) -> Any:
        """What its API answers."""
        query = urllib.parse.urlencode(values)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self._port}/api/v1/{what}?{query}", timeout=PATIENCE) as answer:
            told = json.load(answer)
        assert told["status"] == "success", told
        return told["data"]


def promtool(*words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    command = [program("promtool"), *words]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=PATIENCE)


def _make(root: Path) -> None:
    """Unpack Debian's package; the directory appears under its name only when complete."""
    unfinished = root.with_name("prometheus.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    # Lists of packages may be missing, or older than what is there.
    for commands in (_UNPACK, (["apt-get", "update"], *_UNPACK)):
        if all(_succeeds(command, unfinished) for command in commands):
            break
    if not all((unfinished / "usr" / "bin" / name).exists() for name in _PROGRAMS):
        raise NoPrometheus(f"No Prometheus here, and none can be fetched: {_HOW}.")
    for package in unfinished.glob("*.deb"):
        package.unlink()
    unfinished.rename(root)


_UNPACK: Final[Sequence[list[str]]] = (
    ["apt-get", "download", "prometheus"],
    ["sh", "-c", "dpkg-deb --extract prometheus_*.deb ."],
)


def _succeeds(command: list[str], directory: Path) -> bool:
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, check=False)
    except OSError:  # not Debian
        return False
    return done.returncode == 0
