from __future__ import annotations

import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warrener import marks
from warrener.errors import WarrenerError
from warrener.id_set import IdSet
from warrener.marks import Marks, mark_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@given(st.lists(st.text(st.characters())))
def test_set_of_ids_is_a_set(names: list[str]) -> None:
    seen = IdSet()
    assert [seen.add(name) for name in names] == [
        name not in names[:index] for index, name in enumerate(names)
    ]
    assert all(name in seen for name in names)


def test_it_grows() -> None:
    seen = IdSet()
    assert all(seen.add(f"t{number}") for number in range(5000))
    assert not any(seen.add(f"t{number}") for number in range(5000))


Deed = tuple[str, int, int]
DEEDS: st.SearchStrategy[Deed] = st.tuples(
    st.sampled_from(["add", "take", "take from all"]), st.integers(0, 30), st.sampled_from([1, 2, 4])
)


@pytest.mark.parametrize(("most_quick", "most_in_memory"), [(5, 3), (5, 10), (5, 1000), (1000, 1000)])
@settings(max_examples=50)
@given(deeds=st.lists(DEEDS, max_size=100))
def test_marks_have_the_flags_they_were_given(
    most_quick: int, most_in_memory: int, deeds: list[Deed]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marks, "_MOST_QUICK", most_quick)
        kept, expected = Marks(most_in_memory), dict.fromkeys(range(31), 0)
        for verb, number, flag in deeds:
            mark = mark_of(str(number))
            if verb == "add":
                assert kept.add(mark, flag) == expected[number]
                expected[number] |= flag
            elif verb == "take":
                kept.take(flag, mark)
                expected[number] &= ~flag
            else:
                kept.take(flag)
                expected = {one: flags & ~flag for one, flags in expected.items()}
            assert [kept.flags(mark_of(str(one))) for one in expected] == [*expected.values()]


def test_many_move_to_disk_and_stay_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "_MOST_QUICK", 10)
    kept = Marks(1000)
    for number in range(5000):
        assert kept.add(mark_of(str(number)), 1 + number % 2) == 0
    assert [kept.flags(mark_of(str(number))) for number in range(5001)] == [1, 2] * 2500 + [0]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """What writes a larger file is refused that, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_disk_without_room_is_said_and_none_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "_MOST_QUICK", 10)
    kept = Marks(1000)
    for number in range(1000):
        kept.add(mark_of(str(number)), 1)
    with (
        files_of_at_most(1000),
        pytest.raises(WarrenerError, match=r"the ids of so many tasks, .* cannot be kept in .*TMPDIR"),
    ):
        kept.add(mark_of("one too many"), 2)
    for number in range(1000, 3000):
        kept.add(mark_of(str(number)), 1)
    assert [kept.flags(mark_of(str(number))) for number in range(3000)] == [1] * 3000
    assert kept.flags(mark_of("one too many")) == 2
