"""When a batch runs by itself: the schedule as cron writes it, checked as far as no cluster is needed."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import msgspec

from warrener.errors import UsageError
from warrener.failure_limit import FailureLimit
from warrener.kubernetes.lint.problem import DNS_NAME

DATA: Final = "/data"
"""Where the volume is mounted."""

_MACRO: Final = re.compile(
    r"@(yearly|annually|monthly|weekly|daily|midnight|hourly)|@every \d+[hms](\d+[ms])*"
)
_MONTHS: Final = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
# What each field is called, its least and its most, and the names for its values.
_FIELDS: Final[tuple[tuple[str, int, int, list[str]], ...]] = (
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of the month", 1, 31, []),
    ("month", 1, 12, ["", *_MONTHS]),
    ("day of the week", 0, 6, _DAYS),
)


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that runs again and again, each time anew.

    Args:
        cron: When: `0 2 * * *`, or `@daily`.
        tasks: The words that say which tasks, as `warrener publish` takes them. The first is http[s]://..., or a path
            below `/data`, where the volume is.
        time_zone: Whose clock is meant: `Europe/Vienna`; None for that of the cluster's controllers, often UTC.
        volume: The PersistentVolumeClaim with the tasks, on which results are kept; None for none.
        max_failures: Once more tasks of a run fail, it is paused and ends: `10`, or `5%` of those that have ended.

    Raises:
        UsageError: An option is wrong; the text names it and the way out.
    """

    cron: str
    tasks: tuple[str, ...]
    time_zone: str | None = None
    volume: str | None = None
    max_failures: str | None = None

    def __post_init__(self) -> None:
        if problem := _problem(self.cron):
            raise UsageError(
                f"--schedule {self.cron!r} is none ({problem}): write minute, hour, day, month and day of the week, as in "
                "'0 2 * * *' for two o'clock every night"
            )
        known = available_timezones()
        if self.time_zone is not None and known and self.time_zone not in known:
            raise UsageError(f"--time-zone {self.time_zone!r} is not known: write it as Europe/Vienna")
        if self.volume is not None and not DNS_NAME.fullmatch(self.volume):
            raise UsageError(f"--volume {self.volume!r} is not the name of a PersistentVolumeClaim")
        if self.max_failures is not None:
            FailureLimit.parse(self.max_failures)
        self._check_tasks()

    def _check_tasks(self) -> None:
        source = self.tasks[0] if self.tasks else ""
        if source.startswith(("http://", "https://")):
            if "@" in urlsplit(source).netloc:
                # Not repeated here: it may hold a password.
                raise UsageError(
                    "the URL of the tasks holds a user, which everybody would see who may read the CronJob: put the tasks on a "
                    "volume (--volume), or serve them without"
                )
        elif not (source.startswith(f"{DATA}/") and self.volume):
            raise UsageError(
                f"tasks {source!r} cannot be read in the cluster: with --schedule, name http[s]://..., or {DATA}/FILE on a volume "
                "that --volume CLAIM names"
            )


def _problem(cron: str) -> str:
    """What is wrong; empty if nothing is."""
    if cron.startswith("@"):
        return "" if _MACRO.fullmatch(cron) else "there is no such short form"
    fields = cron.split(" ")
    if len(fields) != len(_FIELDS):
        return f"it has {len(fields)} fields instead of five"
    for text, (what, least, most, names) in zip(fields, _FIELDS, strict=True):
        for part in text.split(","):
            if not _is_possible(part, range(least, most + 1), names):
                return f"{part!r} is no {what} from {least} to {most}"
    return ""


def _is_possible(part: str, values: range, names: list[str]) -> bool:
    """Whether a part of a field is `*`, a value or a span of values, each perhaps with a step."""
    span, slash, step = part.partition("/")
    first, dash, last = span.partition("-")
    if slash and not (step.isdigit() and int(step)):
        return False
    if span in ("*", "?"):
        return True
    least = _number(first, names)
    most = _number(last, names) if dash else least
    return least is not None and most is not None and least in values and most in values and least <= most


def _number(text: str, names: list[str]) -> int | None:
    if text.isascii() and text.isdigit():
        return int(text)
    return names.index(text.lower()) if text and text.lower() in names else None
