"""Programs that this machine has not, or only older: a small Debian of our own that has them, entered by chroot.

    root = DebianRoot.find("browser", ["chromium"])
    subprocess.run([*root.inside(directory), "chromium", "--version"])

It is made once, by debootstrap, and kept in `~/.cache/warrener`; its network is the machine's. On Debian, as root.
"""

from __future__ import annotations

import dataclasses
import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

HOME: Final = "/mnt"  # where the given directory is within
_SUITE: Final = "forky"
_NAMESPACES: Final = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
# What is mounted here nobody else sees, and all of it, mounts and processes, is gone when the first process is.
_ENTER: Final = f"""
set -e
root=$1 directory=$2
shift 2
mount --bind "$directory" "$root{HOME}"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot "$root" "$@"
"""


class NotMade(Exception):  # noqa: N818 - reads as what is the case, like the stdlib's StopIteration
    """Such a Debian cannot be made; the message names the log that says why."""


@dataclasses.dataclass(frozen=True)
class DebianRoot:
    """A Debian with packages of our choice."""

    root: Path

    @classmethod
    def find(cls, name: str, packages: Sequence[str]) -> Self | None:
        """The one of that name, made now if there is none; None where none can be had.

        Args:
            name: Stands for its packages: with others it needs another name.
            packages: What it has beside the least that a Debian has.

        Raises:
            NotMade: Making it failed.
        """
        if not sys.platform.startswith("linux") or os.geteuid() != 0:
            return None
        if platform.freedesktop_os_release().get("ID") != "debian":
            return None
        if subprocess.run([*_NAMESPACES, "true"], capture_output=True, check=False).returncode:
            return None  # we are root of a container only
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "warrener"
        root = cache / f"{name}-{_SUITE}"
        if not root.exists():
            cache.mkdir(parents=True, exist_ok=True)
            with (cache / f"{root.name}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not root.exists():  # nobody made it while we waited for the lock
                    _make(root, packages)
        return cls(root)

    def inside(self, directory: Path) -> list[str]:
        """A command that runs the command appended to it within, with this directory at `HOME`.

        What it starts ends with it. It is the leader of its own session: a signal to its group reaches all but `unshare`.
        """
        return [*_NAMESPACES, "setsid", "sh", "-c", _ENTER, "sh", str(self.root), str(directory)]


# What follows is private.


def _make(root: Path, packages: Sequence[str]) -> None:
    """Install it; the directory appears under its name only when complete."""
    sys.stderr.write(f"making a private Debian {_SUITE} with {', '.join(packages)}: about a minute\n")
    unfinished = root.with_name(f"{root.name}.unfinished")
    log = root.with_name(f"{root.name}.log")
    shutil.rmtree(unfinished, ignore_errors=True)
    # If we die, so does the installation, with its mounts.
    private = ["setpriv", "--pdeathsig=KILL", *_NAMESPACES]
    install = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", _SUITE]
    commands = [
        [*private, *install, str(unfinished), _mirror(), "/usr/share/debootstrap/scripts/sid"],
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
                raise NotMade(f"making a private Debian with {', '.join(packages)} failed, see {log}")
    (unfinished / "etc" / "hosts").write_text("127.0.0.1 localhost\n", "utf-8")
    unfinished.rename(root)


def _mirror() -> str:
    """The archive that apt uses here."""
    apt = Path("/etc/apt")
    for file in (apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))):
        text = file.read_text("utf-8", "replace") if file.is_file() else ""
        if found := re.search(r"^(?!#).*?(https?://\S+/debian)/?(?:\s|$)", text, re.MULTILINE):
            return found[1]
    return "http://deb.debian.org/debian"
