"""The page's `/metrics`: what its queues have, for whoever may see the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from tests.batch import drain, publish, task
from tests.web.visitor import Visitor, served
from warrener.web.door import Door

if TYPE_CHECKING:
    from warrener.address import Address


async def test_queues_are_told_with_what_only_a_reader_sees(address: Address) -> None:
    await publish(address, [task("echo", "done"), task("permanent", "bad")])
    await drain(address)
    await publish(address, [task("echo", f"left-{n}") for n in range(3)])
    async with served(address) as visitor:
        answer = await visitor.get("/metrics")
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    (family,) = text_string_to_metric_families(answer.body.decode())
    told = {sample.labels["state"]: sample.value for sample in family.samples}
    assert {state: told[state] for state in ("ready", "completed", "failed")} == {
        "ready": 3,
        "completed": 1,
        "failed": 1,
    }


async def test_program_shows_the_token_in_a_header(sqlite_address: Address) -> None:
    door = Door("0.0.0.0")  # noqa: S104 - which asks for the token
    await publish(sqlite_address, [])
    async with served(sqlite_address, door=door) as visitor:
        program = Visitor(visitor.port)
        assert (await program.get("/metrics")).status == 401
        assert (await program.get("/metrics", Authorization="Bearer guess")).status == 401
        assert (await program.get("/metrics", Authorization=f"Bearer {door.token}")).status == 200
