"""A clock that several processes of one machine share, and that nobody sets: not a person, not a time server."""

from __future__ import annotations

import subprocess
import time
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def now() -> float:
    """Seconds that this machine has been awake; since the epoch where it does not tell one start from the next.

    It stands still while the machine sleeps, when nobody could renew a lease.
    """
    return time.monotonic() if boot() else time.time()


@cache
def boot() -> str:
    """What tells this start of the machine from all others; empty where it does not say."""
    with suppress(OSError):
        return _BOOT_ID.read_text().strip()
    with suppress(OSError):  # macOS
        asked = ["sysctl", "-n", "kern.bootsessionuuid"]
        return subprocess.run(asked, check=False, capture_output=True, text=True).stdout.strip()
    return ""


@cache
def boot_number() -> int:
    """The same as a number that fits into SQLite's `user_version`."""
    return zlib.crc32(boot().encode()) >> 1
