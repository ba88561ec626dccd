"""One browser, and on each broker one scene, for all tests of the page."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.conftest import delete_queue
from tests.place import Place
from tests.web.chromium import Chromium
from tests.web.page import Page
from tests.web.scene import Scene, set_scene
from warrener.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    """A real one; where there is none, the tests fail with a sentence that says how to get it."""
    with Chromium() as browser:
        yield browser


@pytest.fixture(scope="session", params=["sqlite", "rabbitmq"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """All there is to show, on each broker in turn."""
    address = None
    if request.param == "rabbitmq":
        url, management = request.getfixturevalue("rabbitmq")
        address = Address(url, f"test-{uuid.uuid4().hex[:12]}", management or None)
    try:
        with Place(tmp_path_factory.mktemp("scene"), address) as place:
            yield set_scene(place)
    finally:
        if address:
            delete_queue(address)


@pytest.fixture
def page(browser: Chromium) -> Iterator[Page]:
    """A tab of its own, in which nothing may fail or be forbidden."""
    page = Page(browser)
    yield page
    page.close()
    assert page.complaints == []
