"""What the contestants need: the peers from PyPI in an environment of their own, and the C client. Made once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.stage import ROOT

_SOURCES: Final = ROOT / "benchmarks" / "peers"
_HEADER: Final = Path("/usr/include/amqp_tcp_socket.h")


def requirements() -> dict[str, str]:
    """The peers' packages and their versions."""
    lines = (_SOURCES / "requirements.txt").read_text().split()
    return {name.partition("[")[0]: version for name, _, version in (line.partition("==") for line in lines)}


def prepared() -> Path:
    """The environment's directory, made anew when the list of peers has changed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "warrener"
    directory = cache / f"peers-{sys.version_info.major}.{sys.version_info.minor}"
    wanted = (_SOURCES / "requirements.txt").read_text()
    made = directory / "requirements.txt"
    if not made.exists() or made.read_text() != wanted:
        print("installing the peers from PyPI: about a minute", file=sys.stderr)
        shutil.rmtree(directory, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
        pip = [
            str(directory / "bin" / "pip"),
            "install",
            "--quiet",
            "--quiet",
            "-r",
            str(_SOURCES / "requirements.txt"),
        ]
        subprocess.run(pip, check=True)
        made.write_text(wanted)
    _build_ceiling(directory / "bin" / "ceiling")
    return directory


def _build_ceiling(binary: Path) -> None:
    """The C client, where it can be had; without it the race has no ceiling."""
    source = _SOURCES / "ceiling.c"
    if binary.exists() and binary.stat().st_mtime > source.stat().st_mtime:
        return
    if not (_HEADER.exists() and shutil.which("cc")) and os.geteuid() == 0 and shutil.which("apt-get"):
        install = [
            "apt-get",
            "install",
            "-y",
            "--no-install-recommends",
            "gcc",
            "libc6-dev",
            "librabbitmq-dev",
        ]
        if not _is_done(install):  # the lists of packages may be old, or missing
            _is_done(["apt-get", "update"])
            _is_done(install)
    if not (_HEADER.exists() and shutil.which("cc")):
        print("no C client: install gcc and librabbitmq-dev for the ceiling", file=sys.stderr)
        return
    flags = ["-O2", "-Wall", "-Wno-deprecated-declarations", "-Wno-format-truncation"]
    subprocess.run(["cc", *flags, "-o", str(binary), str(source), "-lrabbitmq"], check=True)


def _is_done(command: list[str]) -> bool:
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return done.returncode == 0
