"""A JSON array of tasks, which must be held whole."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.codec import NOT_JSON
from warrener.errors import UsageError
from warrener.sources.diagnosis import no_text, reason_by_syntax
from warrener.sources.found import Found
from warrener.text import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from warrener.models import Task

MAX_ARRAY: Final = 64 * 1024 * 1024
"""Characters. What is longer has to be made JSONL, which is read without being held."""

_elements = msgspec.json.Decoder(list[msgspec.Raw])


def array_tasks(begin: str, file: TextIO, parse: Callable[[str], Task], path: str) -> Iterator[Found]:
    """Each element.

    Args:
        begin: What was read before.
        file: Where the rest is.
        parse: Makes a task of an element, or raises `InvalidTask`.
        path: What the file is called in an error.

    Raises:
        UsageError: The array is too long, or is no JSON.
    """
    rest = file.read(MAX_ARRAY - len(begin) + 1)
    if len(begin) + len(rest) > MAX_ARRAY:
        raise UsageError(
            f"{path}: a JSON array is read up to {MAX_ARRAY // 1024 // 1024} MiB; make it JSONL with `jq -c '.[]'`"
        )
    for number, text in enumerate(_elements_of(begin + rest, path), 1):
        line = text.replace("\r", " ").replace("\n", " ") + "\n"
        yield Found(number, line, partial(parse, text), "task")


def _elements_of(text: str, path: str) -> list[str]:
    try:
        return [bytes(element).decode() for element in _elements.decode(text.encode())]
    except NOT_JSON as error:
        if reason := no_text([text]):
            raise UsageError(f"{path}: {reason}") from error
    # Python's decoder takes numbers and halves of characters that JSON has not: so only their own task is to blame.
    try:
        return [json.dumps(element) for element in json.loads(text)]
    except json.JSONDecodeError as error:
        reason = reason_by_syntax(text.strip(), is_last=True) or str(error)
        raise UsageError(f"{path}, line {error.lineno}: the array of tasks is no JSON: {reason}") from error
    except (RecursionError, ValueError) as error:
        raise UsageError(f"{path}: the array of tasks cannot be read: {sanitize(error)}") from error
