"""Which child gets which task."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from warrener.worker.pool.child import ChildProcess

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Sequence

    from warrener.worker.pool.attempt import RunningAttempt
    from warrener.worker.pool.limits import Wear


def share_out(
    attempts: deque[RunningAttempt],
    children: Sequence[ChildProcess],
    limit: int,
    wear: Wear,
    most: int | None = None,
) -> set[ChildProcess]:
    """Assign tasks to children, from the left, as long as some child has room; those that have got any.

    Args:
        attempts: What waits; what is given is taken out.
        children: All of them.
        limit: How many one may hold, if what it runs is not slow.
        wear: How many more one may be given before it is replaced.
        most: Give no more than so many.
    """
    now = time.monotonic()
    given = 0
    touched = set()
    while attempts and given != most:
        child = min(children, key=ChildProcess.load, default=None)
        if child is None or not child.takes_work:
            break
        room = wear.room(child, (child.slots if child.is_slow else limit) - child.held)
        if room <= 0:
            break
        share = max(1, min((room + 1) // 2, len(attempts) // len(children)))
        for _ in range(min(share, len(attempts), share if most is None else most - given)):
            child.assign(attempts.popleft(), now)
            given += 1
        touched.add(child)
    return touched
