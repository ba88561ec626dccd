"""Of large rows a broker gives few at a time, and the page keeps few."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from warrener.history import find_row
from warrener.web import results

if TYPE_CHECKING:
    from warrener.brokers import Broker
    from warrener.history import History


class _Rows:
    """A broker that gives one row at a time."""

    rows = tuple(b'{"task_id":"t%d"}' % n for n in range(100))
    enough: int | None = None

    async def results_at(self, first: int, most: int) -> tuple[bytes, ...]:
        return self.rows[first : first + min(most, 1)]

    async def newest_results(self, most: int, *, enough: int | None = None) -> tuple[bytes, ...]:
        self.enough = enough
        return self.rows[-most:]


async def test_row_of_a_task_is_found_a_little_after_its_place() -> None:
    broker = cast("Broker", _Rows())
    at_ten = SimpleNamespace(place=lambda _: 10)
    history = cast("History", SimpleNamespace(completed=SimpleNamespace(places=at_ten)))
    assert await find_row(broker, history, "t12") == b'{"task_id":"t12"}'
    assert await find_row(broker, history, "t9") is None
    assert await find_row(broker, history, "t99") is None


async def test_page_asks_for_rows_of_bounded_size() -> None:
    broker = _Rows()
    assert len(await results.Newest().rows(cast("Broker", broker), 50)) == 50
    assert broker.enough == results._ENOUGH
