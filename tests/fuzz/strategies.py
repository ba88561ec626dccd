"""What comes from outside, as odd as it can be."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st


def _nested(depth: int) -> str:
    return "[" * depth + "]" * depth


ODD_JSON: Final = [
    "NaN",
    "-Infinity",
    "1e999",
    "-0",
    "1" + "0" * 30,
    "1" + "0" * 5000,
    "-1",
    "1.5",
    '""',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u0000\\u001b[2J\\n"',
    '"\u2028\u202e"',
    '"' + "x" * 1_000_000 + '"',
    '"' + "\N{SNOWMAN}" * 85 + '"',
    '"' + "\N{SNOWMAN}" * 86 + '"',
    _nested(500),
    _nested(5000),
    '{"a":' * 5000 + "1" + "}" * 5000,
    "nul",
    "01",
    "[1,]",
    "{}",
    "[]",
    "null",
    "true",
]

texts = st.text() | st.text(st.characters(categories=["Cs", "Cc", "Cf", "Zl"]), max_size=5)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
fragments = st.sampled_from(ODD_JSON) | values.map(json.dumps)
"""JSON, and what looks like it."""

_keys = st.sampled_from(["id", "type", "data", "priority"]) | texts
objects = st.lists(st.tuples(_keys.map(json.dumps), fragments), max_size=6).map(
    lambda members: "{" + ", ".join(f"{key}: {value}" for key, value in members) + "}"
)
"""Objects whose keys may come twice."""

_fit = {
    "id": st.just('"i"'),
    "type": st.just('"t"'),
    "data": st.just('{"number": 1}'),
    "priority": st.integers(0, 9).map(str),
}
tasks = st.fixed_dictionaries(
    {"type": _fit["type"] | fragments},
    optional={name: fit | fragments for name, fit in _fit.items() if name != "type"},
).map(lambda members: "{" + ", ".join(f'"{key}": {value}' for key, value in members.items()) + "}")
"""Tasks of which most are wrong in one place."""

bodies = st.binary() | (fragments | objects | tasks).map(lambda text: text.encode("utf-8", "surrogatepass"))

_written = st.text(st.characters(codec="utf-8"), max_size=20)
amqp_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | _written
    | st.binary()
    | st.sampled_from([Decimal("1.5"), datetime(2026, 1, 1, tzinfo=UTC)]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_written, inner, max_size=3),
    max_leaves=5,
)

_attempts = st.fixed_dictionaries(
    {},
    optional={
        "number": values | st.integers(0, 20),
        "error": values | texts | st.just("WorkerLost"),
        "message": values | texts | st.just("m" * 50_000),
        "worker": values | texts,
        "started_at": values | st.just(1e300),
        "duration": values,
        "traceback": texts | st.just("\x00" * 20_000),
    },
)
records = st.binary() | st.fixed_dictionaries(
    {},
    optional={
        "attempts": st.integers(-3, 20) | st.sampled_from([10**30, 2**31, 1.5, "1"]) | values,
        "lost": st.integers(-3, 20) | st.sampled_from([10**30, 2**31]) | values,
        "history": st.lists(_attempts, max_size=3) | st.lists(_attempts, min_size=11, max_size=12) | values,
        "reason": st.sampled_from(["permanent", "crashed", "nonsense"]) | values,
        "failed_at": st.sampled_from([-1, 1e18, 1e300]) | st.floats() | values,
    },
).map(lambda members: json.dumps(members).encode())
"""Records as a header may hold them, whoever wrote it."""


def is_sentence(text: str) -> bool:
    """Whether a terminal, a header and a reader can take it."""
    return 0 < len(text) <= 1200 and text.isprintable()
