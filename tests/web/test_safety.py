"""Who gets nothing from the page, and what no answer lacks: over real HTTP, by visitors who lie."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.batch import publish, task
from tests.web.visitor import USER, Visitor, served
from warrener.brokers import connect
from warrener.errors import UsageError
from warrener.orders import current
from warrener.web import neighbours
from warrener.web.door import Door

if TYPE_CHECKING:
    from warrener.address import Address

ACTION = "/api/queues/test/actions/pause"


async def test_every_answer_says_what_a_browser_may_do_with_it(sqlite_address: Address) -> None:
    async with served(sqlite_address) as visitor:
        for path in (
            "/",
            "/static/index.html",
            "/static/../app.py",
            "/api/me",
            "/api/queues/..%2f/stream",
            "/no",
        ):
            answer = await visitor.get(path)

            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "access-control-allow-origin" not in answer.headers
            assert "server" not in answer.headers
            if path not in ("/", "/static/index.html"):
                assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[::2]:80", "localhost@evil", ""])
async def test_name_that_is_not_ours_gets_nothing(sqlite_address: Address, host: str) -> None:
    async with served(sqlite_address) as visitor:
        answer = await visitor.get("/api/me", Host=host)

        assert answer.status in (400, 421)
        assert b"version" not in answer.body
        for own in ("localhost", "LOCALHOST:1", "127.0.0.1:5", "[::1]:8377"):
            assert (await visitor.get("/api/me", Host=own)).status == 200


async def test_other_sites_have_nothing_but_a_link(sqlite_address: Address) -> None:
    async with served(sqlite_address) as visitor:
        read = await visitor.get("/api/me", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")
        assert read.status == 403
        led = await visitor.get("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")
        assert led.status == 200


async def test_action_comes_from_the_page_itself_or_is_refused(sqlite_address: Address) -> None:
    await publish(sqlite_address, [task("echo", "a")])
    async with served(sqlite_address, can_act=True) as visitor:
        for headers in (
            {"Origin": "http://evil.example"},
            {"Origin": f"http://127.0.0.1:{visitor.port + 1}"},
            {"Origin": "null"},
            {"Origin": ""},
            {"Origin": f"{visitor.origin}.evil.example"},
            {"Sec_Fetch_Site": "same-site"},
            {"Sec_Fetch_Site": "none"},
        ):
            assert (await visitor.post(ACTION, {}, **headers)).status == 403, headers
        for kind in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "",
            "multipart/form-data; boundary=x",
        ):
            assert (await visitor.post(ACTION, {}, Content_Type=kind)).status == 415, kind
        assert (await visitor.ask("GET", ACTION, {})).status == 405
        async with connect(sqlite_address) as broker:
            assert (await current(broker)).hold is None

        assert (await visitor.post(ACTION, {})).json == {"done": 1, "notes": []}

        async with connect(sqlite_address) as broker:
            hold = (await current(broker)).hold
            assert hold
            assert hold.by == f"{USER} (page)"
    async with served(sqlite_address) as visitor:
        refused = await visitor.post("/api/queues/test/actions/resume", {})
        assert (refused.status, "--allow-actions" in refused.json["error"]) == (403, True)


async def test_without_the_token_nothing_and_with_it_a_cookie_for_this_page_alone(
    sqlite_address: Address,
) -> None:
    door = Door("0.0.0.0")  # noqa: S104 - which asks for the token
    assert door.token
    async with served(sqlite_address, door=door, can_act=True) as visitor:
        stranger = Visitor(visitor.port)
        for path in (
            "/",
            "/static/index.html",
            "/api/me",
            "/api/queues",
            "/api/queues/test/stream",
            "/?token=guess",
        ):
            assert (await stranger.get(path)).status == 401
        assert (await stranger.post(ACTION)).status == 401
        assert (await stranger.get("/healthz")).body == b"ok\n"

        entered = await stranger.get(f"/?queue=test&token={door.token}")

        cookie = entered.headers["set-cookie"]
        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
        assert door.token not in cookie + entered.body.decode()
        assert b'content="0;url=/?queue=test"' in entered.body
        known = Visitor(visitor.port, cookie.partition(";")[0])
        assert (await known.get("/api/me")).status == 200
        assert (await known.get("/api/me", Host="evil.example")).status == 421
        assert (await known.post(ACTION, {}, Origin="http://evil.example")).status == 403


async def test_proxy_goes_by_its_name(sqlite_address: Address) -> None:
    async with served(sqlite_address, door=Door("127.0.0.1", "page.example")) as visitor:
        assert (await visitor.get("/api/me", Host="page.example")).status == 200
        assert (await visitor.get("/api/me", Host="other.example")).status == 421
        forged = await visitor.post(ACTION, {}, Host="page.example", Origin="https://other.example")
        assert forged.status == 403


def test_address_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="is not an address of this machine"):
        Door("page.example")


async def test_another_user_of_this_machine_is_no_visitor(
    sqlite_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(sqlite_address) as visitor:
        monkeypatch.setattr(neighbours, "_ROOT", -1)
        assert (await visitor.get("/api/me")).status == 200
        monkeypatch.setattr(os, "geteuid", lambda: 65_534)
        assert (await visitor.get("/api/me")).status == 403


async def test_too_large_a_request_is_refused(sqlite_address: Address) -> None:
    async with served(sqlite_address, can_act=True) as visitor:
        answer = await visitor.post(ACTION, {}, Content_Length=str(1024 * 1024 + 1))
        assert answer.status == 413
