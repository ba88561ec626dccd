"""Of which of JSON's own kinds a value is, told without a look at each of its members."""

from __future__ import annotations

from gc import get_referents
from typing import Any, Final

_ATOMS: Final = frozenset((str, int, bool, float, type(None)))
_KINDS: Final = _ATOMS | {list, dict}
_MAX_LEVELS: Final = 64
_UNKNOWN: Final = frozenset[type]()


def kinds_in(value: Any) -> frozenset[type]:
    """The kinds of all in a value that is text, a number, a boolean, None, a list, or a dictionary whose keys are text.

    None at all where something else may be in it, or where it nests deeper than 64 levels.
    """
    level, found = [value], set[type]()
    for _ in range(_MAX_LEVELS):
        kinds = set(map(type, level))
        if not kinds <= _KINDS:
            return _UNKNOWN
        found |= kinds
        if kinds <= _ATOMS:
            return frozenset(found)
        if not kinds.isdisjoint(_ATOMS):
            level = [one for one in level if type(one) not in _ATOMS]
        below = get_referents(*level)
        # A dictionary refers to its keys only where one of them is no text: then there is more below than its members.
        if len(below) != sum(map(len, level)):
            return _UNKNOWN
        level = below
    return _UNKNOWN
