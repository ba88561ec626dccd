"""The page beside a verb that works: a process of its own, so that whoever looks costs the work nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from warrener.address import BROKER_VARIABLE, MANAGEMENT_VARIABLE
from warrener.cli.printing import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warrener.address import Address

_END_WITHIN: Final = 3.0  # seconds


@contextmanager
def page_beside(address: Address) -> Iterator[None]:
    """Show the page's address, and have it served until the block ends, or this process does.

    Raises:
        UsageError: What it needs is not installed, or there is no port for it.
    """
    from warrener.web.door import Door
    from warrener.web.installed import check_installed
    from warrener.web.listening import link, listen

    check_installed()
    door = Door()
    with listen(door.host, None) as listener:
        say(f"page: {link(door, listener.getsockname()[1], address.queue)}")
        number = listener.fileno()
        # The password goes by the environment, where others cannot see it; and the page ends when its stdin does.
        environment = {**os.environ, BROKER_VARIABLE: address.broker}
        if address.management:
            environment[MANAGEMENT_VARIABLE] = address.management
        page = subprocess.Popen(
            [sys.executable, "-m", "warrener", "ui", "--queue", address.queue, "--listener", str(number)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[number],
            start_new_session=True,  # Ctrl-C is for the work, which may take a while to end
        )
    try:
        yield
    finally:
        if page.stdin:
            page.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            page.wait(_END_WITHIN)
        page.kill()
        page.wait()
