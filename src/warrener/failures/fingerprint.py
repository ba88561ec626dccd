"""What an error says without what differs from task to task, so that one cause is one group however many tasks it hits."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warrener.models import Failure

VALUE: Final = "<value>"
# A name of less may be part of any sentence.
_MIN_VALUE: Final = 3
# Their quoted words are names in the code and no values: each is a cause of its own.
_ABOUT_NAMES: Final = frozenset(
    {"AttributeError", "ImportError", "KeyError", "ModuleNotFoundError", "NameError", "TypeError"}
    | {"UnboundLocalError"}
)
# Not within a word, so that an apostrophe begins no value.
_QUOTED: Final = re.compile(r"""(?<!\w)(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")(?!\w)""")
_PATH: Final = re.compile(r"(?<![\w/.-])(?:[A-Za-z][\w+.-]{0,20}://|[A-Za-z]:\\|[\w.~-]*/)[^\s'\"`,;:)\]>]+")
# Ids of whatever make, UUIDs and digests among them: long words with a digit, and short ones of hex digits with one.
_ID: Final = re.compile(
    r"(?<![\w-])(?:0x[0-9A-Fa-f]+|(?=[\w-]*\d)[\w-]{16,}|(?=[A-Fa-f]*\d)[0-9A-Fa-f]{6,})(?![\w-])"
)
_NUMBER: Final = re.compile(r"[-+]?\d+(?:[.,:]\d+)*(?:[eE][-+]?\d+)?")


def fingerprint(found: Failure) -> str:
    """The message of the last attempt's error, with what is the task's own and all quoted values, paths, ids and numbers left out.

    The name of its type stays, and so do names in backticks, which are those of members.
    """
    return _general(_without_own(found), found.type, found.error)


@lru_cache(maxsize=1024)  # most failures say what others have said
def _general(text: str, task_type: str, error: str) -> str:
    text = _QUOTED.sub(lambda quoted: _quoted(quoted, task_type, error), text)
    text = _PATH.sub(VALUE, text)
    text = _ID.sub("#", text)
    return " ".join(_NUMBER.sub("#", text).split())


def _without_own(found: Failure) -> str:
    """The message without the task's id and the values of its data."""
    text = found.message
    data = found.task.get("data") if isinstance(found.task, dict) else None
    values = {value for value in data.values() if isinstance(value, str)} if isinstance(data, dict) else set()
    # The longest first: it may have others within.
    for value in sorted(values | {found.task_id}, key=len, reverse=True):
        if len(value) >= _MIN_VALUE and value in text and value != found.type:
            text = _without(text, value)
    return text


def _without(text: str, value: str) -> str:
    """The text with this value left out wherever it is no part of a word; an expression would have to be compiled for each."""
    parts, end = [], 0
    while (at := text.find(value, end)) >= 0:
        after = at + len(value)
        if _is_word(text[at - 1 : at]) or _is_word(text[after : after + 1]):
            after = at + 1
            parts.append(text[end:after])
        else:
            parts += (text[end:at], VALUE)
        end = after
    return "".join((*parts, text[end:]))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _quoted(quoted: re.Match[str], task_type: str, error: str) -> str:
    inner = quoted[1] if quoted[1] is not None else quoted[2]
    is_name = inner == task_type or (error in _ABOUT_NAMES and inner.isidentifier())
    return quoted[0] if is_name else VALUE
