"""What each view shows, in a real browser, of a real queue with a real worker."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from tests.batch import failures, publish, task
from tests.web.scene import BIG, COPIES, DECODES, FAILED, FETCHES, IMAGE, Scene
from warrener.address import Address
from warrener.brokers import connect
from warrener.journal import Begun, note, note_purged

if TYPE_CHECKING:
    from tests.web.page import Page


def test_batches_are_listed_and_opened_by_keyboard(page: Page, scene: Scene) -> None:
    page.open(f"{scene.url}?view=batches")
    page.has(scene.queue, "table a")
    row = f"[...document.querySelectorAll('tbody tr')].find((row) => row.innerText.includes('{scene.queue}'))"
    page.wait(f"/running[^]*{FAILED}/.test({row}.innerText)")

    for _ in range(
        page.run("document.querySelectorAll('[data-row]').length") + 5
    ):  # among others' on this broker
        page.press("j")
        if page.run("document.activeElement.innerText") == scene.queue:
            break
    page.press("Enter")

    page.has("per second", "dt, .plot-title")
    assert page.run("new URLSearchParams(location.search).get('queue')") == scene.queue
    page.run("history.back()")
    page.has("Batches", "h1")


def test_batch_shows_its_course_types_workers_and_what_runs(page: Page, scene: Scene) -> None:
    page.open(scene.at())

    page.has(str(FAILED), ".counts")
    page.wait(f"document.querySelector('.counts').innerText.includes('{COPIES + 1}')")
    page.has("waiting", ".columns .id")  # runs longest
    page.has("1 of 2 slots busy", "h2")
    page.click(".workers button")
    page.has("wait_for", ".workers .detail")
    page.wait("document.querySelectorAll('.plot canvas').length === 3")
    page.has("copy", ".types")
    page.has("began to publish", ".side")
    page.wait("document.querySelectorAll('.types .bars').length > 0")
    page.run("document.querySelector('.timeline').focus()")
    page.press("ArrowLeft")
    page.wait("document.querySelector('.timeline [aria-live]').innerText.includes('done')")
    assert "running" in page.text("header")
    assert scene.queue in page.run("document.title")


@pytest.mark.parametrize("scene", ["sqlite"], indirect=True)
def test_batch_shows_what_is_ready_by_priority_and_after_a_purge_who_did_it(page: Page, scene: Scene) -> None:
    address = Address(f"sqlite:{scene.place.path / '.warrener' / 'purged.db'}", "purged")
    asyncio.run(publish(address, [task("copy", "a", 9), task("copy", "b"), task("copy", "c")]))
    page.open(f"{scene.url}?queue=purged")
    page.has("Ready by priority", "h2")
    assert page.run("document.querySelector('.waiting tbody').innerText").split() == ["9", "1", "5", "2"]

    asyncio.run(_purge(address))

    page.has("No task is on purged. This publishes some", "main")
    page.has("purged: all that waited and had ended was dropped", "main table")


async def _purge(address: Address) -> None:
    async with connect(address) as broker:
        await note(broker, Begun("run", "host:/tasks.jsonl", 1.0, planned=3))
        await broker.purge()
        await note_purged(broker, "bob@there", 2.0)


def test_failures_are_grouped_filtered_and_searched(page: Page, scene: Scene) -> None:
    page.open(scene.at("failures"))
    page.has(f"{FAILED} failures", ".line")
    page.has("<value>: refused after # tries", ".groups")

    page.click(".groups a", "refused after")
    page.has("raise ConnectionError", ".groups .detail pre")
    page.has("asking host", ".groups .detail pre")
    page.has(f"{FETCHES} of", ".line")
    page.wait(f"document.querySelectorAll('.failures .columns > :last-child tbody tr').length === {FETCHES}")
    page.run("history.back()")
    page.has(f"{FAILED} failures", ".line")

    page.click(".chip", "decode")
    page.has(f"{DECODES} of", ".line")
    assert page.run("new URLSearchParams(location.search).get('type')") == "decode"
    assert page.run("document.querySelector('.filters input').value") == "type:decode"
    page.click(".chip", "decode")
    page.has(f"{FAILED} failures", ".line")

    for words, count in (
        ("data.region=eu", FETCHES // 2),
        ("error:ConnectionError host3", 1),
        ("REFUSED AFTER", FETCHES),
        ("asking host2", 1),
        ("speak-0", 1),
    ):
        page.press("/")
        page.run("document.activeElement.select()")
        page.type(words)
        page.press("Enter")
        page.has(f"{count} of", ".line")
        assert page.run("document.querySelector('.filters input').value") == words


def test_task_shows_where_it_is_and_every_attempt(page: Page, scene: Scene) -> None:
    page.open(scene.at())
    page.press_until("document.activeElement.placeholder === 'Task id'", "g", "t")
    page.run("document.activeElement.select()")  # keys that were pressed once more when it had the focus
    page.type("fetch-3")
    page.press("Enter")

    page.has("failed", ".state")
    page.wait("document.querySelectorAll('.attempts > li').length === 2")
    page.has("host3.example: refused after 3 tries", ".attempts")
    page.has("asking host3.example", ".attempts pre")
    page.has('"region": "eu"', "pre")
    page.has("exhausted", ".facts")

    page.open(scene.at("task", id="copy-7"))
    page.has("completed", ".state")
    page.has(f'"big": {BIG + 7}', "pre")  # each digit of it
    page.has("copied 7", ".attempts pre")

    page.open(scene.at("task", id="waiting"))
    page.has("running", ".state")
    page.has("Has run for", ".facts")

    page.open(scene.at("task", id="nobody"))
    page.has("unknown", ".state")


def test_results_are_shown_newest_first_found_and_downloaded(page: Page, scene: Scene) -> None:
    page.open(scene.at("results"))
    page.wait("document.querySelectorAll('tbody tr').length > 40")
    page.has(str(BIG + 11), "code")

    page.press("/")
    page.type(str(BIG + 11))
    page.press("Enter")
    page.wait("document.querySelectorAll('tbody tr').length === 1")
    page.has("copy-11", ".id")

    for name in ("JSONL", "CSV"):
        found = page.run(f"""fetch([...document.querySelectorAll('a[download]')].find(
            (link) => link.innerText === '{name}').href).then((answer) => answer.text())""")
        assert f"copy-{COPIES - 1}" in found
        assert len(found.splitlines()) >= COPIES + 1
    rows = [
        json.loads(line)
        for line in page.run(
            f"fetch('/api/queues/{scene.queue}/results.jsonl').then((a) => a.text())"
        ).splitlines()
    ]
    assert {row["task_id"] for row in rows} >= {f"copy-{n}" for n in range(COPIES)}


def test_keys_are_listed_and_can_be_turned_off(page: Page, scene: Scene) -> None:
    page.open(scene.url)
    page.press("?")
    page.has("list the keys", "dialog")
    page.click("dialog input")
    page.press("Escape")
    page.wait("!document.querySelector('dialog')")
    page.press("t")
    assert page.run("document.documentElement.dataset.theme") is None

    page.click("button", "Keys")
    page.click("dialog input")
    page.click("dialog button", "Close")
    page.press("t")
    assert page.run("document.documentElement.dataset.theme") == "light"
    page.press("t")
    page.wait("getComputedStyle(document.documentElement).colorScheme === 'dark'")

    page.open(scene.at())  # what was chosen stays
    assert page.run("document.documentElement.dataset.theme") == "dark"
    at = "(new URLSearchParams(location.search).get('view') ?? '')"
    page.press_until(f"{at} === 'failures'", "g", "f")
    page.press_until(f"{at} === 'results'", "g", "r")
    for view in ("", "batches"):
        page.press("u")
        page.wait(f"{at} === '{view}'")


def test_hostile_text_is_text(page: Page, scene: Scene) -> None:
    usual = ("fetch-", "decode-", "wide", "exact", "speak-3", "speak-4")
    ids = [id_ for id_ in asyncio.run(failures(scene.place.address)) if not id_.startswith(usual)]
    page.open(scene.at("failures"))
    page.has("unknown-type", ".chip")
    page.has("<img src=x", ".alike, .name")
    page.has("safe\ufffdgpj", ".alike, .name")
    page.has("safe\\u202egpj", ".id")
    views = [scene.at("failures", text=IMAGE), scene.at("failures", type="<b>type</b>"), scene.at("results")]
    for address in [*views, *(scene.at("task", id=id_) for id_ in ids)]:
        page.follow(address)
        page.wait("document.querySelector('main table, main .attempts')")
        page.wait("!/Asking for|Looking for/.test(document.querySelector('main').innerText)")
        assert page.run("window.pwned") is None
        assert page.run("document.querySelectorAll('main img, main script, main b b').length") == 0
        assert page.run(r"/[\u0000-\u0008\u202a-\u202e\u2066-\u2069]/.test(document.body.innerText)") is False
        assert page.run("document.documentElement.scrollWidth <= innerWidth")
    page.open(scene.at("task", id="wide-failure"))
    page.click("button", "Show all")
    page.wait("[...document.querySelectorAll('pre')].some((block) => block.innerText.length > 100_000)")
    assert page.run("document.documentElement.scrollWidth <= innerWidth")


def test_page_is_there_when_a_run_goes_on_and_ends(page: Page, scene: Scene) -> None:
    page.open(scene.at())
    page.has("waiting", ".columns .id")
    place = scene.place
    place.tasks(
        [{"id": f"later-{n}", "type": "copy", "data": {"number": n}} for n in range(5)], "later.jsonl"
    )
    assert place.warrener("publish", "later.jsonl").returncode == 0

    page.wait(f"document.querySelector('.counts').innerText.includes('{COPIES + 6}')")

    scene.gate.touch()
    asyncio.run(place.has_completed(COPIES + 7))
    page.wait(f"document.querySelector('.counts').innerText.includes('{COPIES + 7}')")
