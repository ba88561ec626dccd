"""What was done with a queue, by whom: its journal and its orders in one list for people."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from warrener.brokers import Log
from warrener.codec import NOT_JSON
from warrener.errors import AccessRefused, QueueMissing
from warrener.journal import Acted, Begun, Purged
from warrener.orders import Cancelled, Paused, Resumed

if TYPE_CHECKING:
    from warrener.brokers import Broker

_MOST: Final = 200
_Record = Begun | Acted | Purged | Paused | Resumed | Cancelled
_records: Final[msgspec.json.Decoder[_Record]] = msgspec.json.Decoder(_Record)


async def entries(broker: Broker) -> list[dict[str, Any]]:
    """The newest, the newest first; without what this user may not see.

    Raises:
        BrokerError: They cannot be read.
    """
    found = []
    for log in (Log.JOURNAL, Log.CONTROL):
        with suppress(AccessRefused, QueueMissing):
            async for records in broker.noted(log):
                for body in records:
                    with suppress(*NOT_JSON):
                        found.append(_entry(_records.decode(body)))
    return sorted(found, key=lambda entry: -entry["at"])[:_MOST]


def _entry(record: _Record) -> dict[str, Any]:
    what, text = _words(record)
    return {"at": record.at, "by": record.by, "what": what, "text": text}


def _words(record: _Record) -> tuple[str, str]:
    match record:
        case Begun():
            planned = f", {record.planned:,} tasks" if record.planned is not None else ""
            return "published", f"began to publish {record.source}{planned}"
        case Acted():
            failures = "1 failure" if record.count == 1 else f"{record.count:,} failures"
            return record.what, f"{record.what} {failures}{f': {record.of}' if record.of else ''}"
        case Purged():
            return "purged", "purged: all that waited and had ended was dropped"
        case Paused():
            return "paused", f"paused: {record.limit}" if record.limit else "paused"
        case Resumed():
            return "resumed", "began the same batch again" if record.is_by_run else "resumed"
        case Cancelled():
            what = f"cancelled tasks of type {', '.join(record.types)}" if record.types else "cancelled"
            return "cancelled", f"{what}, what runs too" if record.running else what
