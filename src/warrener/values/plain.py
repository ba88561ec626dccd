"""Whether a value is of JSON's own kinds alone, told without a look at each of its members."""

from __future__ import annotations

from gc import get_referents
from typing import Any, Final

_ATOMS: Final = frozenset((str, int, bool, float, type(None)))
_KINDS: Final = _ATOMS | {list, dict}
_MAX_LEVELS: Final = 64


def is_plain(value: Any) -> bool:
    """Whether all in a value is text, a number, a boolean, None, a list, or a dictionary whose keys are text.

    It may say no where it is so. NaN and infinities count as numbers.
    """
    level = [value]
    for _ in range(_MAX_LEVELS):
        kinds = set(map(type, level))
        if not kinds <= _KINDS:
            return False
        if kinds <= _ATOMS:
            return True
        if not kinds.isdisjoint(_ATOMS):
            level = [one for one in level if type(one) not in _ATOMS]
        below = get_referents(*level)
        # A dictionary refers to its keys only where one of them is no text: then there is more below than its members.
        if len(below) != sum(map(len, level)):
            return False
        level = below
    return False
