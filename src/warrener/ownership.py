"""Whose a queue is, and whether it lets a source go on: the same batch, begun again, lifts what kept it from running."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from warrener.errors import QueueTaken
from warrener.journal import read_journal
from warrener.orders import Orders, Resumed, current, give
from warrener.turns import LOOK_EVERY, SignsOfLife, give_up, may_have_tasks

if TYPE_CHECKING:
    from warrener.brokers import Broker
    from warrener.journal import Begun, JournalState

START_OVER: Final = "start over with --fresh, which drops all that is on it"
"""A way out of a queue that is taken, for who runs a batch here."""


async def lift(broker: Broker, begun: Begun, journal: JournalState, *, runs: bool) -> Orders | None:
    """Lift what keeps a queue's tasks from running, unless a person has paused it; what was lifted, or None.

    Args:
        broker: An open broker.
        begun: Who begins what.
        journal: What was begun there before.
        runs: Whether it is a run, which lifts, and not only a publisher.

    Raises:
        QueueTaken: The queue is cancelled, and something else waits on it; or it is only published to.
        AccessRefused: This user may not read orders, or give any.
        BrokerError: The broker is lost.
    """
    orders = await current(broker)
    if cancelled := orders.cancelled:
        is_own = begun.source in journal.totals
        if not runs or (not is_own and (await broker.counts()).put_aside):
            raise QueueTaken(
                f"this queue was cancelled by {cancelled.by}, and its tasks wait",
                "let them go on with `warrener resume`",
                "drop them with `warrener purge`",
                "take another queue with --queue NAME",
                *([START_OVER] if runs else []),
            )
    if not (runs and orders.is_liftable_by_run):
        return None
    await give(broker, Resumed(begun.by, time.time(), is_by_run=True))
    return orders


async def claim(broker: Broker, begun: Begun, journal: JournalState) -> JournalState:
    """See that a queue is this batch's, or nobody's; what its journal says then.

    A run that was killed before it had published anything is waited for as long as it might only be slow. Then the queue is not
    its own any more.

    Args:
        broker: An open broker.
        begun: Who begins what.
        journal: What was begun there before.

    Raises:
        QueueTaken: It is another's.
        BrokerError: The broker is lost.
    """
    signs, seen = SignsOfLife(), journal.unended_claims
    while True:
        try:
            check_owner(journal, begun)
        except QueueTaken:
            if not seen or journal.unended_claims != seen or await may_have_tasks(broker):
                raise
        else:
            return journal
        signs.hear(seen)
        if not signs.are_there:
            await give_up(broker, seen)
        await asyncio.sleep(LOOK_EVERY)
        journal = await read_journal(broker)


def check_owner(journal: JournalState, begun: Begun) -> None:
    """See that a queue is this batch's, or nobody's.

    Raises:
        QueueTaken: It is another's.
    """
    owner = journal.first
    if owner is None:
        return
    if owner.source != begun.source:
        raise _taken("holds the batch of", owner.source, begun.source)
    if differ(*_apps(owner.app, begun.app)):
        raise _taken("is worked on with", owner.app, begun.app)


def differ(one: str, other: str) -> bool:
    """Whether both are known, and are not the same."""
    return bool(one and other) and one != other


def _apps(one: str, other: str) -> tuple[str, str]:
    """Both without the name of the app, where only one of them has it: a file whose app needs no name has no other one."""
    return (_unnamed(one), _unnamed(other)) if _is_named(one) != _is_named(other) else (one, other)


def _is_named(app: str) -> bool:
    file, _, name = app.rpartition(":")
    return file.endswith(".py") and name.isidentifier()


def _unnamed(app: str) -> str:
    return app.rpartition(":")[0] if _is_named(app) else app


def _taken(how: str, theirs: str, ours: str) -> QueueTaken:
    return QueueTaken(
        f"this queue {how} {theirs}, and not {ours}",
        "take another one with --queue NAME",
        "add to this one with --share",
        START_OVER,
    )
