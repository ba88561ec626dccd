"""YAML that people can read, and that reads back as what was written."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.kubernetes.specs import PASSWORDS, SPECS
from warrener.kubernetes.manifests.comments import COMMENTS
from warrener.kubernetes.manifests.render import SECTIONS, render
from warrener.kubernetes.manifests.text import to_yaml

# Texts that a careless writer would turn into something else.
_TRICKY = st.sampled_from(
    (  # noqa: SIM905 - easier to read
        "|true|No|null|~|1|1e3|0x10|1_000|12:30|2024-01-01|a: b|a #b|- a|---|x:|@x|*x|&x|<<|=|\ufeff"
        "|a\n|a\nb|a\n\n|\na| a\nb|a\n b\n|a\n \nb|a\tb\n"
    ).split("|")
)
_TEXT = st.text(max_size=30) | _TRICKY
_KEYS = st.text(max_size=20) | _TRICKY
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(
    st.lists(st.dictionaries(_KEYS, _VALUES, min_size=1, max_size=4), min_size=1, max_size=3),
    st.text(max_size=50),
)
def test_reads_back_as_written(objects: list[dict[str, Any]], head: str) -> None:
    head = "".join(c for c in head if c.isprintable() or c == "\n")
    assert list(yaml.safe_load_all(to_yaml(objects, head))) == objects


def test_long_texts_stand_as_they_are() -> None:
    assert to_yaml([{"data": {"a.conf": "x = 1\n\ny = 2\n"}}]) == (
        "data:\n  a.conf: |\n    x = 1\n\n    y = 2\n"
    )


def test_comments_say_why_above_what_they_are_about() -> None:
    wanted, parts = SPECS["workers"]
    lines = to_yaml(render(wanted, parts), "Made by hand.").splitlines()

    assert lines[0] == "# Made by hand."
    place = lines.index("    # Exit code 75, stopped with work left: no failure, the worker is replaced.")
    assert lines[place + 1] == "    - action: Ignore"


def test_no_comment_is_for_a_path_that_does_not_exist() -> None:
    shown = "\n".join(
        to_yaml(render(wanted, [section for section in SECTIONS if section != "secrets"], PASSWORDS))
        for wanted, _ in SPECS.values()
    )
    words = " ".join(shown.replace("#", " ").split())
    for about, comments in COMMENTS.items():
        for path, text in comments.items():
            assert " ".join(text.split()) in words, (about, path)
