"""Failed tasks, taken out to be retried or discarded."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from warrener.brokers import Message, Verdict
from warrener.codec import NOT_JSON, decode_failure, encode
from warrener.errors import AccessRefused, UsageError
from warrener.failures.grouping import Groups
from warrener.failures.reading import read
from warrener.id_set import IdSet
from warrener.published import mark_of_task, note_dropped

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.brokers import Broker, FailedTask
    from warrener.failures.choice import Choice, Chooser
    from warrener.failures.grouping import Group
    from warrener.models import Failure


class Taken(msgspec.Struct, frozen=True):
    """What was taken out of the failures.

    Args:
        count: How many.
        ids: Of the ids that were chosen, those that were there.
    """

    count: int
    ids: frozenset[str] = frozenset()


async def retry(
    broker: Broker,
    choice: Chooser,
    patch: dict[str, Any] | None = None,
    *,
    data: dict[str, Any] | None = None,
) -> Taken:
    """Publish failed tasks again, their history kept and their attempts begun anew.

    Args:
        broker: An open broker.
        choice: Which.
        patch: Members to replace in the task's data.
        data: All of the task's data, in place of what it had; before what is patched.

    Raises:
        UsageError: The task to change is no valid task.
    """

    def replay(task: FailedTask, found: Failure) -> Message:
        body = task.body if not patch and data is None else _changed(task, patch or {}, data)
        return Message(body, found.task_id, task.priority, task.record.replay(), task.trace)

    return await _take(broker, choice, replay)


async def discard(broker: Broker, choice: Chooser) -> Taken:
    """Drop failed tasks for ever; a batch that has them may publish them again."""
    marks: list[bytes] = []

    def drop(_: FailedTask, found: Failure) -> Verdict:
        if found.wording:
            marks.append(mark_of_task(found.task_id, found.wording))
        return Verdict.DISCARD

    taken = await _take(broker, choice, drop)
    with suppress(AccessRefused):  # this user may not write it; the batch then has them missing
        await note_dropped(broker, marks)
    return taken


async def preview(broker: Broker, choice: Choice) -> tuple[Taken, list[Group]]:
    """What `retry` and `discard` would take out, counted and grouped; nothing is changed."""
    groups, ids, count = Groups(), set(), 0
    async for found in read(broker, choice):
        groups.add(found)
        count += 1
        if choice.ids:
            ids.add(found.task_id)
    return Taken(count, frozenset(ids)), groups.largest_first()


async def _take(
    broker: Broker, choice: Chooser, act: Callable[[FailedTask, Failure], Verdict | Message]
) -> Taken:
    seen, ids = IdSet(), set()

    def decide(task: FailedTask) -> Verdict | Message:
        found = decode_failure(task.body, task.id, task.record)
        if not choice.fits(found):
            return Verdict.KEEP
        if choice.ids:
            ids.add(found.task_id)
        # A second entry of one task goes the way of the first, but is not published twice. One that is worded otherwise is
        # another task: whoever reads results knows which of them counts.
        is_first = seen.add_mark(mark_of_task(found.task_id, found.wording))
        return act(task, found) if is_first else Verdict.DISCARD

    return Taken(await broker.sweep(decide), frozenset(ids))


def _changed(task: FailedTask, patch: dict[str, Any], data: dict[str, Any] | None) -> bytes:
    try:
        members = msgspec.json.decode(task.body, type=dict[str, Any])
        if data is None:
            data = msgspec.convert(members.get("data", {}), dict[str, Any])
        return encode({**members, "data": {**data, **patch}})
    except NOT_JSON as error:
        raise UsageError(f"this failure has no data that could be patched: {error}") from error
