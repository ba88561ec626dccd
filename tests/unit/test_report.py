"""The report: one file, harmless whoever wrote what is in it, and of bounded size."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any, Final

import msgspec

from warrener.brokers import Counts
from warrener.history.completed import Completed
from warrener.history.failed import Failed
from warrener.history.history import History
from warrener.models import Attempt, Failure, Result
from warrener.monitor import Status
from warrener.report import Subject, render
from warrener.report.markup import element, text

_VOID: Final = {"meta"}
_ELEMENTS: Final = {
    *("html", "head", "meta", "title", "style", "body", "header", "footer", "section", "div", "p", "span", "code"),
    *("h1", "h2", "dl", "dt", "dd", "data", "table", "thead", "tbody", "tr", "th", "td", "svg", "path", "pre"),
    *("details", "summary", "strong"),
}  # fmt: skip
_ATTRIBUTES: Final = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "id", "value", "scope", "tabindex", "d"),
    *("viewbox", "preserveaspectratio", "role", "aria-label"),
}
_HOSTILE: Final = (
    "</pre></title></style><script>alert(1)</script><img src=x onerror='alert(2)'>\"'\x00\x1b[31m\u202e&amp;"
)
_BEGAN: Final = 1_700_000_000.0


class _Reader(HTMLParser):
    """Which elements and attributes there are, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.data: dict[str, str] = {}
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "data":
            told = dict(attrs)
            self.data[told["id"] or ""] = told["value"] or ""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: bytes) -> _Reader:
    reader = _Reader()
    reader.feed(page.decode())
    reader.close()
    assert reader.open == []
    assert reader.elements <= _ELEMENTS
    assert reader.attributes <= _ATTRIBUTES
    return reader


def history(rows: int, failures: int, words: str = "x", groups: int = 5) -> History:
    completed = Completed()
    completed.add(
        [
            msgspec.json.encode(
                Result(f"{words[:90]} {n}", f"{words[:60]} {n % 300}", "completed", msgspec.Raw(b"1"), 1,
                       f"{words[:60]} {n % 99}", _BEGAN + n, _BEGAN + n + 2, 2.0 + n % 7)
            )
            for n in range(rows)
        ]
    )  # fmt: skip
    failed, printed = Failed(completed.places), (words * 4096)[:4096]
    for n in range(failures):
        error = f"{words[:200]}Error{n % groups}"
        attempt = Attempt(1, error, words[:900], words[:90], _BEGAN, 1.0, printed, printed)
        task = {"id": f"f{n}", "type": "resize", "data": {"a": words[:900]}}
        failed.add(
            Failure(f"{words[:90]} f{n}", words[:60], "exhausted", error, words[:900], 3, _BEGAN + n, (attempt,), task, origin=words[:200])
        )  # fmt: skip
    return History(completed, failed)


def status(found: History, ready: int = 0) -> Status:
    counts = Counts(ready, 0, 0, found.completed.count, found.failed.count, 1)
    done = counts.completed + counts.failed
    return Status(counts, done + ready, done, None, None)


def rendered(found: History, ready: int = 0, queue: str = "images") -> bytes:
    return render(Subject(queue, "amqp://host:5672", "1.0"), status(found, ready), found)


def test_numbers_and_examples_are_there() -> None:
    found = read(rendered(history(700, 10, "no luck at all"), ready=5))
    assert found.data == {"total": "715", "completed": "700", "failed": "10", "left": "5", "retries": "20"}
    assert "no luck at allError3: no luck at all" in found.text
    assert "2.5 s" not in found.text
    assert "8 s" in found.text
    assert "and 201 more" in found.text  # types
    assert "2023-11-14T22:13:20Z" in found.text


def test_what_ended_since_the_history_was_read_is_left_in_it() -> None:
    # Given a batch of 200 tasks, and counts of a moment later, or of one before
    found = history(150, 2)
    for later in (148, 152, 160, 200):
        counts = Counts(200 - later, 0, 0, later - 2, 2, 1)
        seen = Status(counts, 200, later, None, None)
        numbers = read(render(Subject("q", "amqp://host", "1.0"), seen, found)).data
        assert (numbers["total"], numbers["completed"], numbers["left"]) == ("200", "150", "48")


def test_nothing_is_a_report_too() -> None:
    assert "No task has ended yet." in read(rendered(History())).text


def test_nothing_that_others_wrote_is_more_than_text() -> None:
    page = rendered(history(50, 20, _HOSTILE), queue=_HOSTILE)
    found = read(page)
    assert "<script>alert(1)</script>" in found.text
    assert b"\x00" not in page
    assert b"\x1b" not in page
    assert "\u202e" not in page.decode()
    assert "\\x1b[31m" in found.text


def test_policy_allows_its_own_style_and_nothing_else() -> None:
    page = rendered(history(5, 5)).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src &#x27;none&#x27;; style-src &#x27;sha256-{digest}&#x27;; base-uri &#x27;none&#x27;; "
        "form-action &#x27;none&#x27;"
    )
    assert "style=" not in page
    assert "http://" not in page
    assert "https://" not in page


def test_report_stays_below_half_a_megabyte() -> None:
    for words in ("<&\"'>", "é", "x", "\x00"):
        page = rendered(history(2000, 1000, words * 300, groups=900))
        assert len(page) < 500_000, words
        found: Any = read(page)
        assert "Left out, so that this file stays small" in found.text or "more groups" in found.text


def test_text_is_escaped_in_elements_and_attributes() -> None:
    assert element("p", "<b>", class_='"><b>') == '<p class="&quot;&gt;&lt;b&gt;">&lt;b&gt;</p>'
    assert element("p", element("b", "1 & 2"), None) == "<p><b>1 &amp; 2</b></p>"
    assert text("one\ntwo\x07") == "one\ntwo\\x07"
