"""Which retry delays a queue has is asked of the broker, also by those who may not use its management API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import pika
import pytest

from tests.batch import DELAYS, publish, results
from tests.place import Place
from warrener.brokers import connect
from warrener.brokers.names import Names
from warrener.brokers.rabbitmq.topology import delay_key

if TYPE_CHECKING:
    from pathlib import Path

    from warrener.address import Address

OTHERS: Final = 86_400_000  # of another app, or of an earlier version of this one


@pytest.fixture
def blind(rabbit_address: Address) -> Address:
    """The queue as whoever may not use the management API has it."""
    return msgspec.structs.replace(rabbit_address, management="http://127.0.0.1:1")


async def _delay_seven(address: Address, delay: int = OTHERS) -> None:
    async with connect(address) as broker:
        await broker.declare([delay])
    with pika.BlockingConnection(pika.URLParameters(address.broker)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for n in range(7):
            body = b'{"id":"t%d","type":"echo"}' % n
            channel.basic_publish(Names(address.queue).outcomes, delay_key(delay), body, mandatory=True)


async def test_tasks_in_a_delay_of_another_app_are_left(rabbit_address: Address, blind: Address) -> None:
    await publish(rabbit_address, [])
    async with connect(blind) as broker:
        assert await broker.drained()
        await _delay_seven(rabbit_address)
        assert not await broker.drained()
        assert (await broker.counts()).delayed == 7


async def test_worker_does_not_leave_tasks_that_wait_in_a_delay_of_another_app(
    rabbit_address: Address, blind: Address, tmp_path: Path
) -> None:
    await publish(rabbit_address, [])
    await _delay_seven(rabbit_address, 8765)
    (tmp_path / "app.py").write_text(
        "from warrener import App\n\napp = App()\n\n@app.task\ndef echo(): ...\n"
    )
    with Place(tmp_path, blind) as place:
        worker = place.begin("work", "app.py", "--drain", "--processes", "1")
        assert worker.end() == 0, worker.said
    assert len(await results(rabbit_address)) == 7


async def test_purge_keeps_what_is_known_and_delete_forgets_it(
    rabbit_address: Address, blind: Address
) -> None:
    await publish(rabbit_address, [])
    await _delay_seven(rabbit_address)
    async with connect(blind) as broker:
        assert await broker.purge() == 7
        assert await broker.drained()
    await _delay_seven(rabbit_address)
    async with connect(blind) as broker:
        assert not await broker.drained()
        await broker.delete()
        await broker.declare(DELAYS)
        assert await broker.delays([OTHERS]) == []
        assert await broker.drained()


async def test_to_ask_for_delays_changes_nothing(rabbit_address: Address, blind: Address) -> None:
    await publish(rabbit_address, [])
    await _delay_seven(rabbit_address)
    async with connect(blind) as broker:
        assert await broker.delays([DELAYS[0]]) == [DELAYS[0]]
        assert not await broker.drained()


async def test_journal_with_anything_else_in_it_is_read(rabbit_address: Address, blind: Address) -> None:
    await publish(rabbit_address, [])
    with pika.BlockingConnection(pika.URLParameters(rabbit_address.broker)) as connection:
        channel = connection.channel()
        for body in (b"", b"{}", b"\xff", b'{"type":"paused"}', b'{"type":"delays-declared","delays":[-1]}'):
            channel.basic_publish(rabbit_address.queue, "journal", body, mandatory=True)
    await _delay_seven(rabbit_address)
    async with connect(blind) as broker:
        assert not await broker.drained()
