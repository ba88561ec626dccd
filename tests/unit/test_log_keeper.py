"""What is kept of what tasks print: pieces in records, again and again until the broker has them."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any, cast

from tests.batch import eventually
from tests.unit.test_pool import a_run
from warrener.errors import AccessRefused, BrokerUnreachable
from warrener.logs import LogPiece, read
from warrener.worker import log_keeper
from warrener.worker.log_keeper import LogKeeper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import pytest

    from warrener.brokers import Broker, Log


class Notes:
    """A broker that has notes only, and errors in turn."""

    def __init__(self, *errors: Exception | None) -> None:
        self.records: list[bytes] = []
        self.errors = iter(errors)

    async def note(self, log: Log, records: Sequence[bytes]) -> None:
        self.records += records  # which it may have although it is away
        if error := next(self.errors, None):
            raise error

    async def noted(self, log: Log, *, follow: bool = False) -> AsyncIterator[Sequence[bytes]]:
        yield self.records


async def pieces(notes: Notes) -> list[tuple[str, int, bytes, str]]:
    found = read(cast("Broker", notes))
    return [(piece.task_id, piece.attempt, piece.printed, piece.outcome) async for piece in found]


def keeper(notes: Any) -> LogKeeper:
    return LogKeeper(notes)


async def test_attempts_are_kept_exactly_to_their_ends() -> None:
    notes = Notes()
    kept = keeper(notes)
    one, two = kept.begin(a_run(1)), kept.begin(a_run(2))
    one.add(b"a line\nand a ")
    two.add(b"\xff\n")
    one.add(b"half")
    two.end("failed")
    one.end("completed")
    await kept.close(5)

    assert await pieces(notes) == [
        ("t2", 1, b"\xff\n", "failed"),
        ("t1", 1, b"a line\nand a half", "completed"),
    ]
    assert len(notes.records) == 1


async def test_what_runs_is_kept_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_keeper, "_RECORD_AGE", 0.01)
    notes = Notes()
    kept = keeper(notes)
    one = kept.begin(a_run(1))
    for printed, whole in ((b"one\ntw", b"one\n"), (b"o\nthree", b"two\n")):
        one.add(printed)

        async def has_come(whole: bytes = whole) -> bool:
            return [piece[2] for piece in await pieces(notes)][-1:] == [whole]

        await eventually(has_come)
    one.end("")
    await kept.close(5)
    assert [piece[2] for piece in await pieces(notes)] == [b"one\n", b"two\n", b"three"]


async def test_broker_that_is_away_gets_it_when_it_is_back_and_readers_have_it_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_keeper, "_AGAIN_AFTER", 0)
    notes = Notes(BrokerUnreachable("away"), BrokerUnreachable("away"), None)
    kept = keeper(notes)
    for number in range(3):
        log = kept.begin(a_run(number))
        log.add(b"%d" % number * 40_000)
        log.end("completed")
    await kept.close(5)

    assert len(notes.records) > 3
    found = await pieces(notes)
    whole = {
        name: b"".join(data for _, _, data, _ in group)
        for name, group in itertools.groupby(found, lambda p: p[0])
    }
    assert whole == {f"t{number}": b"%d" % number * 40_000 for number in range(3)}


async def test_broker_that_refuses_it_costs_no_task(caplog: pytest.LogCaptureFixture) -> None:
    notes = Notes(*(AccessRefused("no") for _ in range(9)))
    kept = keeper(notes)
    log = kept.begin(a_run(1))
    for _ in range(300):
        log.add(b"x" * 40_000)
        await asyncio.sleep(0)
    log.end("completed")
    assert not kept.is_behind
    await kept.close(5)
    assert caplog.text.count("is not kept any more") == 1


def test_piece_is_what_was_printed() -> None:
    for printed in (b"", b"\xff\x00", "\u2028\x1b".encode()):
        assert LogPiece.of("t", 1, 0.0, printed, "").printed == printed
