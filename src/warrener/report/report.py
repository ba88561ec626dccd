"""A queue's report: one file of HTML that opens anywhere, without a network and without a script."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.report.charts import histogram, timeline
from warrener.report.failures import groups_of
from warrener.report.markup import Markup, element, joined, table
from warrener.report.style import STYLE
from warrener.status_line import rate, span, took
from warrener.text import utc

if TYPE_CHECKING:
    from warrener.history import History
    from warrener.journal import JournalState
    from warrener.monitor import Status

_MOST_TYPES: Final = 100
_WITH_HISTOGRAM: Final = 30
_MOST_WORKERS: Final = 50
_MOST_NAME: Final = 120  # characters


class Subject(msgspec.Struct, frozen=True):
    """What the report is of.

    Args:
        queue: The queue's name.
        broker: Where it is, as it may be shown.
        version: Warrener's.
    """

    queue: str
    broker: str
    version: str


def render(subject: Subject, status: Status, history: History, journal: JournalState | None = None) -> bytes:
    """The report, in UTF-8; below half a megabyte, however many tasks there are.

    Args:
        subject: What it is of.
        status: A look at the queue.
        history: All that has happened there.
        journal: What the queue's journal says, where the user may read that.
    """
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        _void("meta", charset="utf-8"),
        _void("meta", http_equiv="Content-Security-Policy", content=policy),
        _void("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{subject.queue}: report"),
        Markup(f"<style>{STYLE}</style>"),
    )
    body = element(
        "body", _head(subject, journal), _facts(status, history, journal), _course(history), _types(history),
        groups_of(history), _slowest(history), _workers(history), _foot(subject, history),
    )  # fmt: skip
    page = f"<!doctype html>\n{element('html', head, body, lang='en')}\n"
    return page.encode("utf-8", "replace")


def _void(name: str, **attributes: object) -> Markup:
    return Markup(element(name, **attributes).removesuffix(f"</{name}>"))


def _head(subject: Subject, journal: JournalState | None) -> Markup:
    last = journal.last if journal else None
    told = [subject.broker]
    if last:
        told += [f"tasks of {last.source}"] if last.source else []
        told += [f"run with {last.app}"] if last.app else []
        told += [f"by {last.by}"] if last.by else []
    return element("header", element("h1", subject.queue), element("p", ", ".join(told), class_="soft"))


def _facts(status: Status, history: History, journal: JournalState | None) -> Markup:
    completed, failed = history.completed.count, history.failed.count
    # Of the moment of the history, since it is its numbers that stand beside: what has ended since then is left.
    stale = journal.stale_rows + journal.stale_failures if journal else 0
    left = max(0, status.total - max(0, history.read - stale) - status.cancelled)
    facts: list[tuple[str, str | Markup]] = [
        ("tasks", _number("total", completed + failed + left + status.cancelled)),
        ("completed", _number("completed", completed)),
        ("failed", _number("failed", failed)),
    ]
    facts += [("not ended", _number("left", left))] if left else []
    facts += [("cancelled", _number("cancelled", status.cancelled))] if status.cancelled else []
    begin, end = history.begin, history.end
    if begin is not None and end is not None and end > begin:
        facts += [
            ("from", utc(begin)), ("to", utc(end)), ("in", span(end - begin)), ("on average", rate((completed + failed) / (end - begin))),
        ]  # fmt: skip
    retries = sum(one.retries + other.retries for _, one, other in history.types)
    facts += [("retries", _number("retries", retries))] if retries else []
    return element(
        "dl",
        joined(*(element("div", element("dt", name), element("dd", value)) for name, value in facts)),
        class_="facts",
    )


def _number(name: str, value: int) -> Markup:
    return element("data", f"{value:,}", id=name, value=value)


def _course(history: History) -> Markup:
    line = history.completed.timeline.merged(history.failed.timeline)
    begin, (completed, failed) = line.counts()
    chart = timeline(begin, line.step, completed, failed)
    return element(
        "section", element("h2", "When tasks ended"), chart or element("p", "No task has ended yet.")
    )


def _types(history: History) -> Markup | None:
    types = sorted(history.types, key=lambda told: -(told[1].completed + told[2].failed))
    rows: list[list[str | Markup]] = []
    for number, (name, completed, failed) in enumerate(types[:_MOST_TYPES]):
        durations = completed.durations
        shares = [durations.quantile(share) for share in (0.5, 0.95, 0.99, 1)]
        rows.append(
            [
                _name(name) if name else "(others, or without a type)",
                histogram(durations) if number < _WITH_HISTOGRAM else "",
                *(
                    f"{count:,}"
                    for count in (completed.completed, failed.failed, completed.retries + failed.retries)
                ),
                *("-" if at is None else took(at) for at in shares),
                took(durations.seconds),
            ]
        )
    head = ["type", "took", "completed", "failed", "retries", "p50", "p95", "p99", "max", "in all"]
    return _section("How long tasks took", head, rows, len(types), 2)


def _slowest(history: History) -> Markup | None:
    rows: list[list[str | Markup]] = [
        [
            _name(slow.task_id),
            _name(slow.type),
            _name(slow.worker),
            took(slow.seconds),
            utc(slow.ended_at),
        ]
        for slow in history.slowest
    ]
    return _section("The slowest tasks", ["task", "type", "worker", "took", "ended"], rows, len(rows), 3)


def _workers(history: History) -> Markup | None:
    workers = sorted(history.completed.workers.items(), key=lambda told: -told[1].completed)
    rows: list[list[str | Markup]] = [
        [
            _name(name),
            f"{told.completed:,}",
            took(told.seconds),
            took(told.seconds / told.completed),
        ]
        for name, told in workers[:_MOST_WORKERS]
    ]
    return _section("Workers", ["worker", "completed", "in all", "a task"], rows, len(workers), 1)


def _section(
    title: str, head: list[str], rows: list[list[str | Markup]], count: int, texts: int
) -> Markup | None:
    if not rows:
        return None
    more = element("p", f"and {count - len(rows):,} more", class_="soft") if count > len(rows) else None
    return element("section", element("h2", title), table(head, rows, texts), more)


def _name(name: str) -> Markup:
    return element("span", name if len(name) <= _MOST_NAME else f"{name[:_MOST_NAME]}…", class_="id")


def _foot(subject: Subject, history: History) -> Markup:
    left_out = history.completed.left_out
    counts = (
        (left_out.duplicates, "duplicate rows"),
        (left_out.superseded, "rows of earlier wordings"),
        (left_out.strange, "rows that no worker wrote"),
    )
    dropped = [f"{count:,} {what}" for count, what in counts if count]
    words = [
        f"Made by Warrener {subject.version} at {utc(time.time())} from all rows and failures.",
        "Percentiles are of completed tasks, to within 3 per cent.",
        f"Left out: {', '.join(dropped)}." if dropped else "",
    ]
    return element("footer", element("p", " ".join(filter(None, words))), class_="soft")
