"""Sizes as people write them."""

from __future__ import annotations

from typing import Any

import click
import pytest

from warrener.cli.work_options import max_memory_option


@click.command
@max_memory_option
def sized(max_memory: int) -> int:
    return max_memory


def size_of(text: str) -> Any:
    return sized.make_context("work", ["--max-memory", text]).params["max_memory"]


@pytest.mark.parametrize(
    ("text", "mebibytes"),
    [("500", 500), ("2GiB", 2048), ("2gi", 2048), ("1 GB", 953), ("200MB", 190), ("64M", 61), ("64MiB", 64)],
)
def test_size_has_a_unit_or_is_in_mebibytes(text: str, mebibytes: int) -> None:
    assert size_of(text) == mebibytes


@pytest.mark.parametrize("text", ["", "0", "-1", "GB", "1.5", "2TBs", "10 apples", "1KB", "1e3", "٣"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"is no size: write it in MiB, as 500, or with a unit"):
        size_of(text)
