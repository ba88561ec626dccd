"""The broker goes away and comes back under the page, and so does the page's own server: what was shown stays, and is said to be old."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
import pytest

from tests.batch import publish, task
from tests.chaos.proxy import Proxy
from tests.place import Place
from tests.rabbitmq_server import RabbitMQ
from tests.web.page import Page
from tests.web.scene import Scene, address_of, begin_page
from warrener.address import Address

if TYPE_CHECKING:
    from pathlib import Path

    from tests.web.chromium import Chromium


@pytest.fixture
def tab(browser: Chromium) -> Page:
    """One whose requests may fail, as they must here."""
    return Page(browser)


def is_old(tab: Page, is_so: bool) -> None:
    """Wait until what is shown is old, or is not."""
    tab.wait(f"document.querySelector('main').classList.contains('is-old') === {str(is_so).lower()}")


@pytest.mark.parametrize("scene", ["rabbitmq"], indirect=True)
async def test_broker_that_is_away_is_said_and_waited_for(tab: Page, scene: Scene, tmp_path: Path) -> None:
    url = urlsplit(scene.place.address.broker)
    node = (url.hostname or "", url.port or 5672)
    async with Proxy([node]) as proxy:
        netloc = f"{url.username}:{url.password}@127.0.0.1:{proxy.port}"
        address = msgspec.structs.replace(scene.place.address, broker=url._replace(netloc=netloc).geturl())
        with Place(tmp_path, address) as place:
            own = await begin_page(place)
            tab.open(scene.at().replace(scene.url, own))
            tab.wait("document.querySelector('.counts')")
            counts = tab.text(".counts")

            proxy.lead_to([])
            proxy.cut_all()
            is_old(tab, is_so=True)
            assert tab.text(".problem")
            assert tab.text(".counts") == counts

            proxy.lead_to([node])
            is_old(tab, is_so=False)
            assert not tab.text(".problem")
            tab.close()


@pytest.mark.long
async def test_broker_that_is_killed_and_started_again(tab: Page, tmp_path: Path) -> None:
    with RabbitMQ(in_memory=True) as server:
        address = Address(server.url, "seen", server.management_url)
        await publish(address, [task("echo", f"t{n}") for n in range(7)], will_be_killed=True)
        with Place(tmp_path, address) as place:
            url = await begin_page(place)
            tab.open(f"{url}?queue=seen")
            tab.has("7", ".counts")
            await asyncio.to_thread(server.kill)
            is_old(tab, is_so=True)
            await asyncio.to_thread(server.start)
            is_old(tab, is_so=False)
            tab.has("7", ".counts")


@pytest.mark.parametrize("scene", ["sqlite"], indirect=True)
async def test_server_that_is_killed_and_started_again(tab: Page, scene: Scene) -> None:
    served = scene.place.begin("ui", "--port", "0")
    await served.says("page: http")
    url = address_of(served)
    tab.open(scene.at().replace(scene.url, url))
    tab.wait("document.querySelector('.counts')")

    served.end(signal.SIGKILL)
    tab.has("Warrener does not answer", ".problem")
    await scene.place.begin("ui", "--port", str(urlsplit(url).port)).says("page: http")

    is_old(tab, is_so=False)
    tab.close()
