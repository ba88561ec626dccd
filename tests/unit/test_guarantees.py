"""Each guarantee names a test that there is."""

from __future__ import annotations

import re

import pytest

from tests.documents import ROOT, Document

NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", Document("docs/guarantees.md").text)))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_named_test_is_there(file: str, name: str) -> None:
    assert re.search(rf"def {name or 'test_'}", (ROOT / file).read_text("utf-8"))
