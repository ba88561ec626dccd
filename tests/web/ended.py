"""A queue whose tasks have ended, without a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Raw

from tests.batch import Hands, publish, task
from warrener.brokers import Completed, Failed, connect
from warrener.codec import encode
from warrener.models import Attempt, Record, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.address import Address
    from warrener.models import Reason

HOSTILE: Final = "<script>alert(1)</script>"
# Each failed task: id, region, reason, error, what it said, its traceback.
_Failed: TypeAlias = "tuple[str, str, Reason, str, str, str]"
FAILED: Final[list[_Failed]] = [
    ("disk-1", "eu", "exhausted", "OSError", "no space on /disk/1", "in write\n  Out of INODES"),
    ("disk-2", "us", "exhausted", "OSError", "no space on /disk/2", "in write"),
    ("gone/../1", "eu", "permanent", "KeyError", "'name'", "in read"),
    ("evil", "eu", "permanent", "ValueError", HOSTILE, HOSTILE),
]


async def fill(address: Address, failed: Sequence[_Failed] = FAILED) -> None:
    """Three tasks completed, the second of them in its second attempt; these failed."""
    tasks = [task("echo", f"done-{number}", number=number) for number in range(3)]
    tasks += [task("resize", name, region=region) for name, region, *_ in failed]
    await publish(address, tasks)
    async with connect(address) as broker:
        hands = Hands()
        await broker.consume(hands, len(tasks))
        await hands.have(len(tasks))
        await broker.pause()
        held = {delivery.id: delivery for delivery in hands.held}
        for number in range(3):
            broker.settle(held[f"done-{number}"], Completed(encode(_row(number))))
        await broker.settled()
        for number, (name, _, reason, error, message, trace) in enumerate(failed):
            attempt = Attempt(1, error, message, "host:1", 1000.0, 2.0, trace, "printed")
            broker.settle(held[name], Failed(Record().add(attempt).fail(reason, 2000.0 + number)))
            await broker.settled()


def _row(number: int) -> Result:
    before = (Attempt(1, "ValueError", "not yet", "host:1", 900.0, 1.0),) if number == 1 else ()
    value = Raw(encode({"number": number, "html": HOSTILE}))
    return Result(
        f"done-{number}", "echo", "completed", value, len(before) + 1, "host:1", 1000.0, 1002.0, 2.0, before
    )
