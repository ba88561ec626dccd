"""What everybody can see and use: contrast, names, sizes, from a telephone to a wall, light and dark."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.web.axe import findings
from tests.web.scene import IMAGE, Scene

if TYPE_CHECKING:
    from tests.web.page import Page

_OF_COLOURS = ("color-contrast",)  # all that differs in the dark
# How it looks depends on no broker.
pytestmark = pytest.mark.parametrize("scene", ["sqlite"], indirect=True)


def views(scene: Scene) -> list[str]:
    """An address of each view, with what there is to open in it opened."""
    return [
        f"{scene.url}?view=batches",
        scene.at(),
        scene.at("failures"),
        scene.at("task", id="fetch-3"),
        scene.at("task", id=IMAGE),
        scene.at("results"),
    ]


def look(page: Page, address: str) -> None:
    """Open a view, and wait until it has all that it will have."""
    page.open(address)
    page.wait("document.querySelector('main table, main .attempts')")
    page.wait("document.querySelector('main .plot canvas, h1:not(.hidden), .failures, code, .task')")


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_nobody_is_kept_out(page: Page, scene: Scene, is_dark: bool) -> None:
    page.see(is_dark=is_dark)
    for address in views(scene):
        look(page, address)
        if "failures" in address:
            page.click(".groups a", "refused after")
            page.wait("document.querySelector('.groups .detail pre')")
        assert findings(page, *_OF_COLOURS if is_dark else ()) == [], address
    page.press("?")
    page.wait("document.querySelector('dialog')")
    assert findings(page) == []


def test_nothing_is_wider_than_the_window(page: Page, scene: Scene) -> None:
    for address in views(scene):
        look(page, address)
        for width in (360, 768, 1280, 3840):
            page.resize(width)
            assert page.run("document.documentElement.scrollWidth <= innerWidth"), (address, width)


def test_what_is_counted_says_how_far_it_is(page: Page, scene: Scene) -> None:
    page.open(scene.at("failures"))
    page.has("failures", ".line")
    told = page.run(f"fetch('/api/queues/{scene.queue}/failures?limit=50').then((answer) => answer.json())")
    page.answer("*/failures\\?*", {**told, "read": 40_000, "expected": 100_000, "is_complete": False})
    page.open(scene.at("failures"))

    page.has("40,000 of 100,000 failures read (40.0 %)", "[role=status]")


def test_empty_view_says_what_to_type(page: Page, scene: Scene) -> None:
    page.answer("*/api/queues", {"queues": [], "note": None, "command": "warrener run app.py tasks.jsonl"})
    page.open(scene.url)
    page.has("warrener run app.py tasks.jsonl", ".empty pre")
    page.open(f"{scene.url}?queue=nobody")
    page.has("warrener publish tasks.jsonl --queue nobody", ".empty pre")
    page.has("does not exist", ".problem")
    assert findings(page) == []


def test_numbers_are_said_as_people_read_them(page: Page, scene: Scene) -> None:
    page.open(scene.url)
    said = {
        "percent(0.99999)": "99.9 %",
        "percent(1)": "100 %",
        "count(1234567)": "1,234,567",
        "count(null)": "\u2013",
        "rate(0)": "0",
        "rate(12.345)": "12.3",
        "rate(6000.4)": "6,000",
        "duration(0.000017)": "17 µs",
        "duration(0.0123)": "12 ms",
        "duration(59.96)": "1 min 00 s",
        "duration(3661)": "1 h 01 min",
        "duration(180000)": "2 d 02 h",
        "left([290, 340])": "4\u20136 min",
        "left([3, 9.5])": "3\u201310 s",
        "bytes(410000000)": "410 MB",
    }
    for call, words in said.items():
        assert (
            page.run(
                f"import('/static/format.js').then(({{ percent, count, rate, duration, left, bytes }}) => {call})"
            )
            == words
        )
    for line, meant in {
        'type:"a b" error:E data.region=eu timed out': {
            "type": "a b",
            "error": "E",
            "where": ["data.region=eu"],
            "text": "timed out",
        },
        'data["a.b"]=1 "two words"': {"where": ['data["a.b"]=1'], "text": '"two words"'},
        "http://x=y": {"where": [], "text": "http://x=y"},
    }.items():
        assert (
            page.run(f"import('/static/filter.js').then(({{ parsed }}) => parsed({json.dumps(line)}))")
            == meant
        )
        assert (
            page.run(
                f"import('/static/filter.js').then(({{ parsed, written }}) => written(parsed({json.dumps(line)})))"
            )
            == line
        )
