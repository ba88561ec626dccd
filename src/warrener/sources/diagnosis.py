"""Why a line is no JSON, and what it is instead."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from warrener.codec import NOT_JSON
from warrener.values.strict_json import LONE_SURROGATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.errors import InvalidTask

_ESCAPED_BYTE: Final = re.compile("[\udc80-\udcff]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_COMMENT: Final = ("#", "//", "/*")
_PYTHON: Final = re.compile(r"'|(True|False|None)\b")
_NO_UTF8: Final = "this is no UTF-8; if it is Latin-1, `iconv -f LATIN1 -t UTF-8` makes it so"
_NULS: Final = (
    "there are NUL bytes in it, as where a file was damaged or written in another encoding; write it again"
)


def reason_of(line: str, error: InvalidTask) -> str | None:
    """A reason that names what a line is, where it is no JSON; None where the error says it already.

    Args:
        line: Whatever is on it; bytes that are no UTF-8 are lone surrogates.
        error: What came of reading it.
    """
    if not isinstance(error.__cause__, NOT_JSON):
        return None
    if isinstance(error.__cause__, RecursionError):
        return "it nests too deep"
    if "out of range" in str(error):
        return "a number in it is too large for a double; write it as a string"
    if reason := no_text([line]):
        return reason
    text = line.strip()
    if text.startswith(_COMMENT):
        return "this is a comment, and JSON has none; leave it out"
    return reason_by_syntax(text, is_last=not line.endswith("\n"))


def no_text(parts: Sequence[str]) -> str:
    """Why something is no text, or nothing. Args: `parts` of it; bytes that are no UTF-8 are lone surrogates."""
    text = "".join(parts)
    if "\0" in text:
        return _NULS
    return _NO_UTF8 if not text.isascii() and _ESCAPED_BYTE.search(text) else ""


def reason_by_syntax(text: str, *, is_last: bool) -> str | None:
    """What Python's own decoder, which takes more than JSON, finds in it.

    Args:
        text: Without blanks around it.
        is_last: Whether nothing follows it in the file.
    """
    constants: list[str] = []
    decoder = json.JSONDecoder(strict=False, parse_constant=constants.append)
    try:
        value, end = decoder.raw_decode(text)
    except json.JSONDecodeError as error:
        return _reason_at(text, error, is_last=is_last)
    except (RecursionError, ValueError):  # a number of too many digits, too
        return None
    if rest := text[end:].lstrip():
        return _reason_after(text, rest)
    if constants:
        return f"{constants[0]} is no JSON; write null, or a string"
    if _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        return LONE_SURROGATE
    return None


def _reason_after(text: str, rest: str) -> str | None:
    if rest.startswith("{"):
        return "several objects stand on this line; `jq -c .` gives each a line of its own"
    if rest == ",":
        return "a comma follows the object; nothing stands between the lines of JSONL"
    return _no_json(text)


def _reason_at(text: str, error: json.JSONDecodeError, *, is_last: bool) -> str | None:
    if _PYTHON.match(text, error.pos):
        return "this is Python's notation and no JSON; write it with `json.dumps`"
    before = text[: error.pos].rstrip()
    # Python 3.13 names it, at the comma; before it expects more, at the bracket.
    is_trailing = error.msg.startswith("Illegal trailing comma")
    if is_trailing or text[error.pos : error.pos + 1] in ("}", "]") or before.endswith(","):
        return "a comma stands before a bracket that closes, which JSON does not allow" if before else None
    breaks_off = error.pos >= len(text) or error.msg.startswith("Unterminated string")
    if breaks_off and text.startswith(("{", "[")):
        if is_last:
            return "the file ends within this line; it was cut short, or is still being written"
        return "the object goes on after this line; `jq -c .` makes one line of each"
    return _no_json(text)


def _no_json(text: str) -> str | None:
    if text.startswith(("{", "[", '"', "}", "]", "\ufeff")):
        return None
    return "this is no JSON object; a table needs a name that ends in .csv or .tsv, or --delimiter"
