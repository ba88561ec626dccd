"""What is public is used by the file that is type-checked and never run."""

from __future__ import annotations

import re
from inspect import isclass

import pytest

import warrener
import warrener.errors
import warrener.testing
from tests.documents import ROOT

API = (ROOT / "tests/typing/api.py").read_text("utf-8")
PUBLIC = [
    *warrener.__all__,
    *warrener.testing.__all__,
    *(name for name, value in vars(warrener.errors).items() if isclass(value)),
]


@pytest.mark.parametrize("name", sorted(set(PUBLIC)))
def test_public_name_is_used(name: str) -> None:
    assert re.search(rf"\b{name}\b", API)


def test_errors_are_ours() -> None:
    for value in vars(warrener.errors).values():
        assert not isclass(value) or value.__module__ == "warrener.errors"
