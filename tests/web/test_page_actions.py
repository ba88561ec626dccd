"""What the page does, after it has said what it will touch."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.batch import failures, results
from tests.web.scene import Scene, begin_page
from tests.web.shop_app import EXACT

if TYPE_CHECKING:
    from tests.web.page import Page
    from warrener.models import Failure


def add(page: Page, scene: Scene, *ids: str) -> None:
    """Publish tasks that fail in a way of their own, and wait until the page shows them."""
    name = f"{ids[0]}.jsonl"
    tasks = [{"id": id_, "type": "exact", "data": {"number": f"{ids[0]} number"}} for id_ in ids]
    scene.place.tasks(tasks, name)
    assert scene.place.warrener("publish", name).returncode == 0
    page.open(scene.at("failures", where=f'data.number="{ids[0]} number"'))
    page.has(f"{len(ids)} of", ".line")


def failed(scene: Scene) -> dict[str, Failure]:
    """What has failed and was neither retried nor discarded."""
    return asyncio.run(failures(scene.place.address))


def test_what_is_shown_is_retried_after_a_count(page: Page, scene: Scene) -> None:
    add(page, scene, "again-1", "again-2", "again-3")
    before = failed(scene)["again-2"].failed_at

    page.press("r")
    page.has("3 failures", "dialog .touches")
    page.has("this is not the number", "dialog li")
    page.click("dialog button", "Retry 3")
    page.has("3 failures retried", "dialog")
    page.press("Escape")

    page.wait(f"document.querySelector('.failures') && {len(failed(scene))}")
    page.open(scene.at("task", id="again-2"))
    page.wait("document.querySelectorAll('.attempts > li').length === 2")  # its history stayed
    found = failed(scene)["again-2"]
    assert found.attempts == 1
    assert found.failed_at != before


def test_what_is_shown_is_discarded_after_a_count_and_nothing_else(page: Page, scene: Scene) -> None:
    add(page, scene, "gone-1", "gone-2")
    others = {*failed(scene)} - {"gone-1", "gone-2"}

    page.click("button", "Discard 2")
    page.has("2 failures", "dialog .touches")
    page.click("dialog button", "Leave it")
    page.wait("!document.querySelector('dialog')")
    assert {*failed(scene)} == others | {"gone-1", "gone-2"}

    page.press("d")
    page.click("dialog button", "Discard 2")
    page.has("2 failures discarded", "dialog")
    page.click("dialog button", "Close")

    page.has("No failure fits", ".empty")
    assert {*failed(scene)} == others


def test_one_is_edited_digit_by_digit_and_retried(page: Page, scene: Scene) -> None:
    add(page, scene, "edited")
    page.open(scene.at("task", id="edited"))
    page.has("Edit and retry", "button")
    page.press("e")
    page.wait("document.activeElement.matches('dialog textarea')")
    page.run("document.querySelector('textarea').select()")
    page.type("[1]")
    page.has("Data is a JSON object", "dialog")
    assert page.run("document.querySelector('dialog .main').disabled")
    page.run("document.querySelector('textarea').select()")
    page.type(f'{{"number": {EXACT}}}')
    page.click("dialog button", "Retry with this")
    page.has("published with the new data", "dialog")

    page.press("Escape")
    page.has("completed", ".state")
    rows = {row["task_id"]: row["value"] for row in asyncio.run(results(scene.place.address))}
    assert rows["edited"] == "exactly"


def test_queue_is_paused_and_resumed(page: Page, scene: Scene) -> None:
    gate = scene.place.path / "another-gate"
    scene.place.tasks([{"id": "held", "type": "wait_for", "data": {"file": str(gate)}}], "held.jsonl")
    assert scene.place.warrener("publish", "held.jsonl").returncode == 0
    page.open(scene.at())
    page.has("Pause", "button")
    page.press("p")
    page.click("dialog button", "Pause")
    page.has("Done", "dialog")
    page.press("Escape")
    page.has("paused", "header .state")

    page.click("button", "Resume")
    page.click("dialog button", "Resume")
    page.has("Done", "dialog")
    page.press("Escape")
    page.wait("!document.querySelector('header .state').innerText.includes('paused')")
    gate.touch()


def test_page_that_only_shows_says_why(page: Page, scene: Scene) -> None:
    url = asyncio.run(begin_page(scene.place))
    page.open(scene.at("failures").replace(scene.url, url))

    page.has("--allow-actions", "main")
    assert (
        page.run(
            "[...document.querySelectorAll('button')].some((one) => /Retry|Discard/.test(one.innerText))"
        )
        is False
    )
    page.press("r", "d")
    assert page.run("document.querySelector('dialog')") is None
