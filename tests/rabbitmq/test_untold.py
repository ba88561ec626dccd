"""What the management API leaves out is unknown, and what it answers need not be what one expects."""

from __future__ import annotations

import http.server
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.batch import DELAYS, Hands, eventually, publish, task
from warrener.brokers import Delayed, connect
from warrener.brokers.rabbitmq import RabbitBroker
from warrener.brokers.rabbitmq.management import Management, Member, QueueInfo
from warrener.errors import BrokerError
from warrener.models import Record

if TYPE_CHECKING:
    from warrener.address import Address


@pytest.fixture
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after some upgrades: quorum queues are there, their counts are not."""
    ask = Management.queues

    async def without_counts(self: Management, **more: Any) -> dict[str, QueueInfo]:
        nothing: dict[str, None] = dict.fromkeys(("messages", "messages_ready", "messages_unacknowledged"))
        told = await ask(self, **more)
        return {name: msgspec.structs.replace(info, **nothing) for name, info in told.items()}

    monkeypatch.setattr(Management, "queues", without_counts)


@pytest.mark.usefixtures("untold")
async def test_count_that_is_left_out_is_unknown(rabbit_address: Address) -> None:
    await publish(rabbit_address, [task("echo", "held"), task("echo", "delayed"), task("echo", "ready")])
    hands = Hands()
    async with connect(rabbit_address) as broker:
        await broker.declare([60_000])
        await broker.consume(hands, 2)
        await hands.have(2)
        await broker.pause()
        (delayed,) = [each for each in hands.held if each.id == "delayed"]
        broker.settle(delayed, Delayed(60_000, Record()))
        await broker.settled()

        async def are_counted() -> bool:
            counts = await broker.counts()
            return (counts.ready, counts.processing, counts.delayed) == (1, None, 1)

        await eventually(are_counted)
        counts = await broker.counts()

    assert not counts.is_all_done
    assert "tasks in processing cannot be counted" in counts.notes[0]


@pytest.mark.usefixtures("untold")
async def test_doctor_names_counts_that_are_left_out(rabbit_address: Address) -> None:
    await publish(rabbit_address, [])
    async with connect(rabbit_address) as broker:
        wrong = [finding.text for finding in await broker.inspect() if not finding.ok]
    assert len(wrong) == 2 + len(DELAYS)  # the work queue and the failures, too
    assert all("the management API leaves out its counts" in text for text in wrong)


async def test_doctor_names_queues_that_stayed_behind_at_an_upgrade(
    rabbit_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(rabbit_address, [])
    ask = Management.members
    current: list[Member] = []

    async def one_is_behind(self: Management, name: str) -> list[Member]:
        members = await ask(self, name)
        current.extend(members)
        if name == rabbit_address.queue:
            return [*members, Member("rabbit@b", 3), Member("rabbit@c")]
        return members

    monkeypatch.setattr(Management, "members", one_is_behind)
    async with connect(rabbit_address) as broker:
        wrong = [finding.text for finding in await broker.inspect() if "stayed behind" in finding.text]
    assert [text.partition(",")[0] for text in wrong] == [
        f"queue {rabbit_address.queue!r} stayed behind when the broker was upgraded (rabbit@b runs version 3"
    ]
    assert current  # of the others RabbitMQ has told
    assert all(isinstance(member.machine_version, int) for member in current)


@pytest.mark.parametrize(
    "answer",
    [
        b"[]",
        b"null",
        b"{}",
        b'{"items":null}',
        b'{"items":[{}]}',
        b'{"items":[{"name":"q","messages":"many"}]}',
        b"\xff",
    ],
)
async def test_management_api_that_answers_anything_else_is_none(
    rabbit_address: Address, answer: bytes
) -> None:
    await publish(rabbit_address, [])
    with _answering(answer) as url:
        address = msgspec.structs.replace(rabbit_address, management=url)
        with pytest.raises(BrokerError, match="is no management API of RabbitMQ"):
            await Management(address).queues()  # closed by this server, as HTTP/1.0 has it
        async with connect(address) as broker:
            assert isinstance(broker, RabbitBroker)
            counts = await broker.counts()
            assert counts.processing is None
            assert "no management API" in counts.notes[0]
            assert await broker.drained()
            assert "cannot be checked" in (await broker.inspect())[-1].text


class _answering:  # noqa: N801 - reads as what it does
    """A server that answers everything in this way."""

    def __init__(self, answer: bytes) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Nothing is logged."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
