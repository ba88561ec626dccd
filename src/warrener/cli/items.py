"""The items of `warrener map`: words, files that patterns find, lines of stdin."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from warrener.errors import AppError, UsageError
from warrener.models import Task
from warrener.sources import STDIN, given_tasks
from warrener.sources.opening import opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from warrener.sources import Line
    from warrener.worker.manifest import AppManifest

_HERE: Final = "the items"


class Items:
    """What a handler is run for, once each.

    Args:
        app: Where the handler is.
        handler: Its name.
        words: Items, patterns, or `-`.
        parameter: What each is to be; without it, the handler's one that must be given.

    Raises:
        UsageError: A pattern finds nothing.
    """

    left_out = 0
    left_out_text = ""
    is_all_invalid = False

    def __init__(self, app: str, handler: str, words: tuple[str, ...], *, parameter: str = "") -> None:
        self.app = app
        self.handler = handler
        self._parameter = parameter
        self._words = words
        self._items = _items(word for word in words if word != STDIN)

    @property
    def count(self) -> int | None:
        """How many there are; None where that is known only at the end."""
        return None if STDIN in self._words else len(self._items)

    def check_apart(self, results: str) -> None:
        """See that the file of results is no item.

        Raises:
            UsageError: It is one.
        """
        if results != STDIN and Path(results).resolve() in {Path(item).resolve() for item in self._items}:
            raise UsageError(
                f"{results} is among the items and is to have the results: name another file with -o"
            )

    def lines(self, manifest: AppManifest) -> Iterator[Line]:
        """A task for each.

        Raises:
            AppError: The app has no such handler.
            UsageError: The handler does not take one value.
        """
        parameter = self._parameter or self._required(manifest)
        return given_tasks(
            (Task("", self.handler, {parameter: item}, origin=item) for item in self._each()), _HERE
        )

    def _required(self, manifest: AppManifest) -> str:
        handler = self.handler
        rules = manifest.handlers.get(handler)
        if rules is None:
            names = ", ".join(f"{self.app}:{name}" for name in sorted(manifest.handlers))
            raise AppError(f"{self.app} has no handler {handler!r}; give one of {names}")
        if len(rules.required) != 1:
            takes = " and ".join(rules.required) or "no argument"
            raise UsageError(
                f"handler {handler!r} takes {takes}, and an item is one value: write a file of tasks, and `warrener run` it"
            )
        return rules.required[0]

    def _each(self) -> Iterator[str]:
        yield from self._items
        if STDIN in self._words:
            with opened(STDIN) as lines:
                yield from (item for line in lines if (item := line.rstrip("\n")))


def _items(words: Iterable[str]) -> list[str]:
    """What is named twice is two items; what patterns find is one, however many find it."""
    items: list[str] = []
    found: set[str] = set()
    for word in words:
        if _is_pattern(word):
            items += [item for item in _matches(word) if item not in found]
        else:
            items.append(word)
        found.update(items)
    return items


def _is_pattern(word: str) -> bool:
    """Whether it is one, and not a file's name that looks like one."""
    return glob.has_magic(word) and not os.path.lexists(word)


def _matches(word: str) -> list[str]:
    if found := sorted(glob.glob(word, recursive=True)):  # noqa: PTH207 - as the user wrote it, whatever that is
        return found
    raise UsageError(
        f"no file matches {word!r} in {Path.cwd()}; items that are no files and have one of '*', '?' and '[' in them come on "
        "stdin, with - in place of items"
    )
