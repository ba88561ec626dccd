"""What is used of lightkube beyond what it promises: that it is there, and is missed when it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warrener.kubernetes.client import internals

if TYPE_CHECKING:
    import pytest


def test_lightkube_has_all_that_it_does_not_promise() -> None:
    assert internals.missing() == []


def test_what_an_update_of_lightkube_took_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("lightkube.generic_resource.create_api_info")
    monkeypatch.setattr("lightkube.config.client_adapter.verify_cluster", lambda *_, **__: None)

    found = [part.split(": ")[0] for part in internals.missing()]

    assert found == [
        "config.client_adapter.verify_cluster",
        "generic_resource.create_api_info and its classes",
        "_api_info of a resource",
    ]
