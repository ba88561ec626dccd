"""Plain objects as YAML for people: in the order they were made, with comments that say why."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any, Final

from warrener.kubernetes.manifests.comments import comments_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_WIDTH: Final = 110
# What every YAML reader takes for text: words, paths, images, options, and amounts with a unit.
_PLAIN: Final = re.compile(r"-{0,2}[A-Za-z_/](?:[A-Za-z0-9_./:-]*[A-Za-z0-9_/])?|\d+(?:m|[KMGT]i)")
_NOT_TEXT: Final = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
# How YAML writes a character by its number, in how many digits.
_CODES: Final = (("x", 2), ("u", 4), ("U", 8))
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def to_yaml(objects: Sequence[dict[str, Any]], head: str = "") -> str:
    """A stream of YAML documents that reads back as exactly these objects.

    Args:
        objects: Mappings, lists, texts, integers, booleans and None.
        head: What stands above all, in plain sentences.
    """
    documents = ["".join(f"{line}\n" for line in _document(found)) for found in objects]
    return "".join(f"{line}\n" for line in _comment(head)) + "---\n".join(documents)


def _document(found: dict[str, Any]) -> Iterator[str]:
    comments = comments_for(found)
    yield from _comment(comments.get("", ""))
    yield from _lines(found, "", comments)


def _lines(value: Any, path: str, comments: Mapping[str, str]) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, member in value.items():
            place = f"{path}.{key}" if path else str(key)
            yield from _comment(comments.get(place, ""))
            yield from _member(f"{_scalar(key)}:", member, place, comments)
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            name = item.get("name", number) if isinstance(item, dict) else number
            yield from _item(item, f"{path}[{name}]", comments)
    else:
        yield _scalar(value)


def _member(key: str, value: Any, path: str, comments: Mapping[str, str]) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        yield key
        indent = "  " if isinstance(value, dict) else ""
        yield from (f"{indent}{line}" if line else "" for line in _lines(value, path, comments))
    elif isinstance(value, str) and _is_block(value):
        yield f"{key} |" if value.endswith("\n") else f"{key} |-"
        yield from (f"  {line}" if line else "" for line in value.removesuffix("\n").split("\n"))
    else:
        yield f"{key} {_scalar(value)}"


def _item(value: Any, path: str, comments: Mapping[str, str]) -> Iterator[str]:
    yield from _comment(comments.get(path, ""))
    mark = "- "
    for line in _lines(value, path, comments):
        if mark == "- " and line.startswith("#"):
            yield line
        else:
            yield f"{mark}{line}" if line else line
            mark = "  "


def _comment(text: str) -> list[str]:
    # What is indented is a command, which must stay on its line.
    return [
        f"# {line}"
        for paragraph in text.splitlines()
        for line in ([paragraph] if paragraph.startswith(" ") else textwrap.wrap(paragraph, _WIDTH))
    ]


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if _is_plain(value) else _quoted(value)
    return str(value)


def _is_plain(text: str) -> bool:
    return bool(_PLAIN.fullmatch(text)) and text.lower() not in _NOT_TEXT


def _is_block(text: str) -> bool:
    """Whether a text of several lines can stand as it is."""
    lines = text.removesuffix("\n").split("\n")
    return (
        "\n" in text
        and all(line.isprintable() for line in lines)
        and bool(lines[0])
        and lines[0][0] != " "
        and bool(lines[-1])
    )


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(c) or (c if c.isprintable() else _code(c)) for c in text) + '"'


def _code(character: str) -> str:
    number = ord(character)
    letter, digits = next((letter, digits) for letter, digits in _CODES if number < 16**digits)
    return f"\\{letter}{number:0{digits}x}"
