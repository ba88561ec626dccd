"""The groups of failures, each with an example that can be opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warrener.codec import encode
from warrener.report.markup import Markup, element, joined
from warrener.text import utc_if_known

if TYPE_CHECKING:
    from warrener.failures import Group
    from warrener.history import History
    from warrener.models import Failure

_MOST_GROUPS: Final = 200
_MOST_BYTES: Final = 250_000
"""Of all groups and their examples, so that the report can be mailed."""
_MOST_MESSAGE: Final = 300
_MOST_NAME: Final = 120


def groups_of(history: History) -> Markup | None:
    """All of them, the largest first; None where nothing failed."""
    groups = history.failed.groups
    if not groups:
        return None
    parts: list[Markup] = []
    left = _MOST_BYTES
    for group in groups[:_MOST_GROUPS]:
        example = history.failed.examples.get(group.key)
        shown = _group(group, _example(example)) if example else _group(group, None)
        if _size(shown) > left:
            shown = _group(group, None)
        if _size(shown) > left:
            break
        left -= _size(shown)
        parts.append(shown)
    if more := len(groups) - len(parts):
        parts.append(element("p", f"and {more:,} more groups", class_="soft"))
    reasons = ", ".join(
        f"{count:,} {reason}"
        for reason, count in sorted(history.failed.by_reason.items(), key=lambda told: -told[1])
    )
    return element(
        "section",
        element("h2", "Failures"),
        element("p", reasons, class_="soft"),
        joined(*parts),
        id="failures",
    )


def _group(group: Group, example: Markup | None) -> Markup:
    error = group.error[:_MOST_NAME]
    if group.fingerprint is None:
        what = f"{error}: others" if error else "others"
    else:
        message = " ".join(group.example_message.split())
        what = f"{error}: {message[:_MOST_MESSAGE]}" if error else "no attempt is recorded"
    first, last = utc_if_known(group.first_failed_at), utc_if_known(group.last_failed_at)
    when = first if first == last else f"{first} to {last}"
    head = element(
        "summary",
        element("strong", f"{group.count:,}"),
        f" {group.reason}  {what} ",
        element("span", when, class_="soft small"),
    )
    left_out = element(
        "p",
        "Left out, so that this file stays small: ",
        element("code", f"warrener failures show {group.example_id}"),
    )
    return element("details", head, example or left_out)


def _example(found: Failure) -> Markup:
    parts = [
        element(
            "p", "As task ", element("span", found.task_id, class_="id"), f" of type {found.type}" if found.type else "",
            f", from {found.origin}" if found.origin else "", f"; {found.attempts:,} attempt{'' if found.attempts == 1 else 's'}",
        )
    ]  # fmt: skip
    if isinstance(found.task, dict) and found.task.get("data"):
        parts.append(element("pre", encode(found.task["data"]).decode("utf-8", "replace")))
    for attempt in found.history[-1:]:
        where = f" on {attempt.worker}" if attempt.worker else ""
        parts.append(element("p", f"attempt {attempt.number}{where}", class_="soft"))
        parts.append(element("pre", attempt.traceback or f"{attempt.error}: {attempt.message}"))
        if attempt.output:
            parts += [element("p", "printed", class_="soft"), element("pre", attempt.output)]
    return joined(*parts)


def _size(shown: Markup) -> int:
    return len(shown.encode("utf-8", "replace"))
