"""Failures as the page lists them, and as they are downloaded."""

from __future__ import annotations

import asyncio
import tempfile
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final

from warrener import failures as table
from warrener.codec import encode
from warrener.errors import UsageError
from warrener.web.failure_filter import FailureFilter
from warrener.web.failure_store import MOST_GROUPS
from warrener.web.shown import example_members, failure_members

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from warrener.models import Failure
    from warrener.web.failure_store import FailureStore
    from warrener.web.watch import Watch

_USUAL: Final = 50
_MOST: Final = 500
_IN_MEMORY: Final = 8 * 1024 * 1024
_PART: Final = 256 * 1024


async def listed(watch: Watch, query: Mapping[str, str], wheres: list[str]) -> dict[str, Any]:
    """A page of failures, and the groups of all that fit.

    Raises:
        UsageError: The query is none.
        BrokerError: The failures cannot be read.
    """
    wanted = FailureFilter.of(query, wheres)
    limit = whole(query.get("limit", ""), "limit", _USUAL, 1, _MOST)
    after = whole(query["after"], "after", 0, 0, 2**62) if query.get("after") else None
    store = await watch.fresh_failures()
    found = await asyncio.to_thread(_page, store, wanted, limit, after)
    failures = watch.failures
    return {
        "read": store.count,
        "expected": max(failures.expected, store.count),
        "is_complete": failures.is_complete,
        "as_of": failures.as_of or None,
        **found,
    }


def _page(store: FailureStore, wanted: FailureFilter, limit: int, after: int | None) -> dict[str, Any]:
    rows = store.page(wanted, limit, after)
    # Of one group the others are to be seen, too.
    ungrouped = FailureFilter(wanted.reason, wanted.type, wanted.error, wanted.text, wanted.where)
    groups = store.cached("groups", ungrouped, store.groups)
    return {
        "count": store.cached("number", wanted, store.number),
        "total": store.count,
        "groups": [_group(group) for group in groups[:MOST_GROUPS]],
        "groups_omitted": max(0, len(groups) - MOST_GROUPS),
        "facets": store.cached("facets", FailureFilter(), store.facets),
        "failures": [failure_members(found) for _, found in rows],
        "next": str(rows[-1][0]) if len(rows) == limit else None,
    }


def _group(group: dict[str, Any]) -> dict[str, Any]:
    return {**group, "example": example_members(group["example"])}


async def download(watch: Watch, wanted: FailureFilter, form: str) -> AsyncIterator[bytes]:
    """Failures as `warrener failures export` writes them. Raises: as `listed`."""
    store = await watch.whole_failures()
    if form == "jsonl":
        found = store.all(wanted)
        while part := await asyncio.to_thread(_lines, found):
            yield part
        return
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        # In a thread with a loop of its own, since it reads all before it writes the first.
        await asyncio.to_thread(asyncio.run, table.write_table(_each(store.all(wanted)), _written_to(file)))
        file.seek(0)
        while part := await asyncio.to_thread(file.read, _PART):
            yield part


def _written_to(file: IO[bytes]) -> Callable[[bytes], None]:
    def write_line(line: bytes) -> None:
        file.write(line + b"\n")

    return write_line


def _lines(found: Iterator[Failure]) -> bytes:
    return b"".join(encode(failure) + b"\n" for failure in islice(found, 500))


async def _each(found: Iterator[Failure]) -> AsyncIterator[Failure]:
    for failure in found:
        yield failure


def whole(text: str, name: str, usual: int, least: int, most: int) -> int:
    """A whole number in a query.

    Raises:
        UsageError: It is none, or out of range.
    """
    if not text:
        return usual
    if not (text.isdecimal() and text.isascii() and len(text) < 20 and least <= int(text) <= most):  # noqa: PLR2004
        raise UsageError(f"{name}={text[:50]!r} is no whole number from {least} to {most}")
    return int(text)
