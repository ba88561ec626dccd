"""Where a RabbitMQ comes from: the PATH, Docker, or a Debian of our own."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final, Protocol, Self

from tests import debian_root
from tests.debian_root import DebianRoot, NotMade

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.rabbitmq_server.settings import Settings


OLDEST: Final = (4, 3)
_INSTEAD: Final = (
    "install rabbitmq-server 4.3, run Docker, or set WARRENER_TEST_BROKER "
    "to the URL of a broker and WARRENER_TEST_MANAGEMENT to its management URL."
)
# Debian's and Red Hat's rabbitmq-server on the PATH is a wrapper that wants to be root or rabbitmq;
# the directory put first has what it wraps.
_PATH: Final = f"/usr/lib/rabbitmq/bin:{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin"


class NoBroker(Exception):  # noqa: N818 - reads as what is the case, like the stdlib's StopIteration
    """There is no RabbitMQ to be had here, or it does not start; the message says what to do about it."""


class Source(Protocol):
    """A RabbitMQ that is installed somewhere."""

    @property
    def address(self) -> str:
        """The address its listeners bind to."""

    def home(self, directory: Path) -> str:
        """The node's directory as the node sees it."""

    def environment(self) -> list[str]:
        """Settings for `env` that this source needs."""

    def node(self, directory: Path, settings: Settings) -> list[str]:
        """A command that runs the command appended to it where the node is to live."""

    def inside(self, directory: Path, settings: Settings) -> list[str]:
        """A command that runs the command appended to it where the node lives already."""


@functools.cache  # looking costs seconds
def find() -> Source:
    """Where a RabbitMQ comes from.

    Raises:
        NoBroker: From nowhere.
    """
    try:
        source = Installed.find() or Docker.find() or Debian.find()
    except NotMade as error:
        raise NoBroker(f"No RabbitMQ here, and {error}: {_INSTEAD}") from None
    if source is None:
        raise NoBroker(f"No RabbitMQ 4.3 or later here: {_INSTEAD}")
    return source


@dataclasses.dataclass(frozen=True)
class Installed:
    """The RabbitMQ on the PATH."""

    address: str = "127.0.0.1"

    @classmethod
    def find(cls) -> Self | None:
        """The one there is."""
        if not shutil.which("rabbitmq-server", path=_PATH):
            return None
        command = ["env", *cls().environment(), "rabbitmqctl", "version"]
        found = re.match(r"(\d+)\.(\d+)", _output(command) or "")
        return cls() if found and (int(found[1]), int(found[2])) >= OLDEST else None

    def home(self, directory: Path) -> str:
        """Where it is."""
        return str(directory)

    def environment(self) -> list[str]:
        """The way to its programs."""
        return [f"PATH={_PATH}"]

    def node(self, directory: Path, settings: Settings) -> list[str]:
        """Nothing stands before it."""
        return []

    inside = node


@dataclasses.dataclass(frozen=True)
class Docker:
    """RabbitMQ's own image. The keeper is the container's first process, so its end is the container's."""

    image: str = "rabbitmq:4.3-management"
    address: str = "0.0.0.0"  # noqa: S104 - of the container; outside, its ports are on 127.0.0.1

    @classmethod
    def find(cls) -> Self | None:
        """The image, fetched if it is not there."""
        if not shutil.which("docker") or _output(["docker", "info"]) is None:
            return None
        if _output(["docker", "image", "inspect", cls.image]) is None:
            sys.stderr.write(f"pulling {cls.image}\n")
            if subprocess.run(["docker", "pull", "--quiet", cls.image], stdout=2, check=False).returncode:
                return None
        return cls()

    def home(self, directory: Path) -> str:
        """Where it is mounted."""
        return "/mnt"

    def environment(self) -> list[str]:
        """The image has what it needs."""
        return []

    def node(self, directory: Path, settings: Settings) -> list[str]:
        """A container of its own."""
        s = settings
        ports = [
            f"--publish=127.0.0.1:{port}:{port}" for port in (s.amqp_port, s.management_port, s.tls_port)
        ]
        mount = f"--mount=type=bind,source={directory},target=/mnt"
        user = f"--user={os.getuid()}:{os.getgid()}"  # who owns the files in the directory
        options = ["--rm", "--interactive", f"--name={s.node}", user, mount, *ports, "--entrypoint="]
        return ["docker", "run", *options, self.image]

    def inside(self, directory: Path, settings: Settings) -> list[str]:
        """In the container."""
        return ["docker", "exec", settings.node]


@dataclasses.dataclass(frozen=True)
class Debian:
    """A Debian of our own that has a new enough RabbitMQ."""

    root: DebianRoot
    address: str = "127.0.0.1"

    @classmethod
    def find(cls) -> Self | None:
        """The one there is, or a new one."""
        root = DebianRoot.find("rabbitmq", ["rabbitmq-server"])
        return cls(root) if root else None

    def home(self, directory: Path) -> str:
        """Where it is mounted."""
        return debian_root.HOME

    def environment(self) -> list[str]:
        """The way to its programs."""
        return ["PATH=/usr/lib/rabbitmq/bin:/usr/sbin:/usr/bin:/sbin:/bin"]

    def node(self, directory: Path, settings: Settings) -> list[str]:
        """Within; the keeper's `kill 0` does not reach `unshare`, which waits until all the others are gone."""
        return self.root.inside(directory)

    inside = node


# What follows is private.


def _output(command: Iterable[str]) -> str | None:
    """What a command prints; None if it fails."""
    try:
        done = subprocess.run(
            list(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
