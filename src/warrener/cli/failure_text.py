"""Failures for people: a group on a line, and one with its task and every attempt's traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warrener.codec import encode
from warrener.text import plain, utc_if_known

if TYPE_CHECKING:
    from warrener.failures import Group
    from warrener.models import Attempt, Failure

_MAX_LINE: Final = 160


def group_line(group: Group) -> str:
    """The group in a line that a terminal may have."""
    if group.fingerprint is None:
        what = f"{group.error}: others" if group.error else "others"
    else:
        what = f"{group.error}: {group.example_message}" if group.error else "no attempt is recorded"
    about = f"{group.count:>8,}  {group.reason:<13} {' '.join(what.split())}"
    where = f"{group.example_id}, {group.example_origin}" if group.example_origin else group.example_id
    return plain(f"{about[:_MAX_LINE]}  (as {where}; {_times(group)})")


def described(found: Failure) -> str:
    """The failure in lines that a terminal may have."""
    lines = [
        f"task      {found.task_id}",
        *([f"origin    {found.origin}"] if found.origin else []),
        f"type      {found.type}",
        f"reason    {found.reason}",
        f"failed    {utc_if_known(found.failed_at)}",
        f"attempts  {found.attempts}",
        f"published {encode(found.task).decode() if found.body_base64 is None else found.body_base64 + ' (base64)'}",
    ]
    for attempt in found.history:
        lines += _attempt(attempt)
    return "\n".join(map(plain, lines))


def _attempt(attempt: Attempt) -> list[str]:
    duration = "" if attempt.duration is None else f", {attempt.duration:.3f} s"
    where = f" on {attempt.worker}" if attempt.worker else ""
    began = utc_if_known(attempt.started_at) if attempt.started_at else "its start is unknown"
    lines = [
        "",
        f"attempt {attempt.number}: {began}{duration}{where}" if attempt.number else "no attempt:",
        *(f"  {line}" for line in f"{attempt.error}: {attempt.message}".splitlines()),
    ]
    lines += [f"  | {line}" for line in attempt.traceback.splitlines()]
    printed = attempt.output.removesuffix("\n").split("\n") if attempt.output else []
    return lines + [f"  > {line}" for line in printed]


def _times(group: Group) -> str:
    first, last = utc_if_known(group.first_failed_at), utc_if_known(group.last_failed_at)
    return first if first == last else f"{first} to {last}"
