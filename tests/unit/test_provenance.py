"""Who runs what, as the journal remembers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from warrener.codec import encode
from warrener.errors import QueueTaken
from warrener.journal import JournalState
from warrener.ownership import check_owner
from warrener.provenance import begun_from

if TYPE_CHECKING:
    from pathlib import Path


def begin_both(one: str, other: str) -> None:
    """Have a queue be claimed with an app, and again with the same or another one."""
    journal = JournalState()
    journal.add([encode(begun_from("tasks.jsonl", one, None))])
    check_owner(journal, begun_from("tasks.jsonl", other, None))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("app.py", "pkg/__init__.py", "pkg/app.py", "both/__init__.py", "both.py"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(f"# {file}")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ("app", "app.py", "./app.py", "pkg/../app.py", "app:app", "./app.py:app"),
        ("pkg.app", "pkg/app.py", "pkg.app:app"),
        ("pkg", "pkg/__init__.py"),
        ("both", "both/__init__.py"),
    ],
)
def test_app_is_the_same_however_it_is_given(names: tuple[str, ...]) -> None:
    begun = [begun_from("tasks.jsonl", name, None) for name in names]
    assert len({each.app.removesuffix(":app") for each in begun}) == 1
    assert len({each.app_digest for each in begun}) == 1
    assert begun[0].app_digest
    for name in names:
        begin_both(names[0], name)
        begin_both(name, names[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("app", "pkg/app.py"),
        ("app:one", "app.py:two"),
        ("both", "both.py"),
        ("elsewhere", "app"),
        ("sh -c a:b", "sh -c a"),
    ],
)
def test_another_app_is_refused(one: str, other: str) -> None:
    with pytest.raises(QueueTaken, match="is worked on with"):
        begin_both(one, other)


def test_module_that_is_not_here_is_known_by_its_name() -> None:
    begun = begun_from("tasks.jsonl", "json.tool:app", None)
    assert (begun.app, begun.app_digest) == ("json.tool:app", "")
